"""What is true of every answer to every request, whatever a client sends: shared by the properties and the fuzzer.

A :class:`World` is a root of files behind all in-process edges, whose bytes are known; :func:`check` asks every edge
the same and compares what comes back with those bytes. It needs no Django settings.

In the values of fields, ``{etag}``, ``{etag:br}``, ``{date}``, ``{earlier}``, ``{later}`` and ``{size}`` stand for what
is known of the resource only once it is collected; :meth:`World.fill` puts it in.
"""

from __future__ import annotations

import asyncio
import os
import random
import re
import warnings
import wsgiref.validate
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass, field, replace
from functools import cached_property
from io import StringIO
from pathlib import Path
from types import TracebackType
from typing import Any
from urllib.parse import quote, unquote_to_bytes
from wsgiref.util import FileWrapper

from django.utils.http import http_date

from django_asyncstatic.asgi import PATHSEND, StaticASGI
from django_asyncstatic.codings import CODINGS
from django_asyncstatic.collecting.atomic import Destination
from django_asyncstatic.collecting.builder import Order
from django_asyncstatic.collecting.builder import collect as collect_order
from django_asyncstatic.collecting.compression import Compression
from django_asyncstatic.collecting.sources import Source
from django_asyncstatic.index import INDEX_NAME, TIMES_NAME, Resource, StaticIndex
from django_asyncstatic.live import ScannedIndex
from django_asyncstatic.serving.fields import READ, fields_from_headers
from django_asyncstatic.serving.headers import HeaderPolicy
from django_asyncstatic.serving.plans import PreparedResource, make_plan
from django_asyncstatic.wsgi import StaticWSGI
from tests.edges import Response, aask_asgi, ask_wsgi, make_scope
from tests.protocol import CheckedASGI

PREFIX = "/static/"
#: When all files were modified and collected, so that the same seed makes the same headers.
MODIFIED = 1_750_000_000
LARGE_SIZE = 700_001


def _text(size: int) -> bytes:
    return b"".join(b"line %d: the quick brown fox\n" % number for number in range(size // 30 + 1))[:size]


#: The files of a world. Names first: what has to be escaped in a URL, in the index, or in neither.
FILES: dict[str, bytes] = {
    "empty.txt": b"",
    "one.txt": b"x",
    "digits.txt": b"0123456789",
    "text.txt": _text(20_000),
    "css/site.css": _text(3_000),
    "css/site.4b2f9ae1c2d3.css": _text(3_000),
    "page.html": b"<p>" + _text(500),
    "names/caf\u00e9 \u2603.txt": b"odd",
    "names/100% sure;+.txt": _text(900),
    "names/line\nbreak\t.txt": b"broken",
    # Larger than what is kept in memory: streamed, or sent by the server. Noise that no coding makes smaller ...
    "large/noise.bin": random.Random(1).randbytes(LARGE_SIZE),
    # ... and letters that every coding makes smaller, but not small.
    "large/letters.txt": random.Random(2).randbytes(400_000).hex().encode(),
    # A file that looks like a representation of another one, and is collected on its own.
    "archive.txt.gz": b"not gzip at all",
    "archive.txt": _text(2_000),
}
#: Served under both names, the second as immutable.
HASHED = {"css/site.css": "css/site.4b2f9ae1c2d3.css"}

# --- requests ------------------------------------------------------------------------------------------------

METHODS = ("GET", "HEAD", "OPTIONS", "POST", "PUT", "DELETE", "TRACE", "get", "PURGE", "M-SEARCH", "GET ", "G\xcbT", "")

_TAGS = (
    "{etag}",
    "W/{etag}",
    "{etag:br}",
    "{etag:gzip}",
    '"another"',
    'W/"another"',
    '""',
    '"a,b"',
    '"a b"',
    "w/{etag}",
)
_DATES = (
    *(
        "{date}",
        "{earlier}",
        "{later}",
        "{date-850}",
        "{date-asctime}",
        "{date}, {date}",
        "Thu, 01 Jan 1970 00:00:00 GMT",
    ),
    *("Sun, 06 Nov 1994 08:49:37 GMT", "Sunday, 06-Nov-94 08:49:37 GMT", "Sun Nov  6 08:49:37 1994"),
    *(
        "Fri, 31 Dec 9999 23:59:59 GMT",
        "Sat, 01 Jan 0001 00:00:00 GMT",
        "Mon, 30 Feb 2026 00:00:00 GMT",
        "yesterday",
        "0",
    ),
)

#: Plausible members of each field; several make a list, and junk is made of their parts.
FIELD_VALUES: dict[str, tuple[str, ...]] = {
    "accept-encoding": (
        *("gzip", "br", "zstd", "gzip, deflate, br, zstd", "*", "identity", "x-gzip", "GZIP", "deflate", ""),
        *(
            "br;q=0.5",
            "gzip;q=0",
            "*;q=0",
            "identity;q=0",
            "zstd; Q=1.000",
            "br;q=1.5",
            "gzip;q=",
            "*;q=0.",
            ";q=1",
            "dcb",
        ),
    ),
    "range": (
        *(
            "bytes=0-",
            "bytes=0-0",
            "bytes=-1",
            "bytes=1-3",
            "bytes=-{size}",
            "bytes={size}-",
            "bytes=0-{size}",
            "bytes=-0",
        ),
        *(
            "bytes=5-2",
            "bytes=0-1,3-4",
            "bytes=262143-262145",
            "bytes=-300000",
            "bytes=1000-99999999999999999999",
            "lines=0-1",
        ),
        *(
            "bytes=-",
            "bytes=",
            "Bytes=,2-",
            "bytes=\u00b2-\u00b3",
            "bytes=--1",
            "bytes=1_0-",
            "bytes=" + "9" * 5000 + "-",
        ),
    ),
    "if-range": (*_TAGS, *_DATES),
    "if-match": ("*", *_TAGS),
    "if-none-match": ("*", *_TAGS),
    "if-modified-since": _DATES,
    "if-unmodified-since": _DATES,
    "origin": ("https://example.org", "null", ""),
    "access-control-request-method": ("GET", "POST", ""),
    "accept": ("text/html, */*;q=0.1",),
    "cookie": ("sessionid=secret",),
    "te": ("trailers",),
}
assert FIELD_VALUES.keys() >= set(READ), "a field that an answer depends on has values here"

#: Of these a request usually has one line or none; a list field may come on several.
LIST_FIELDS = frozenset({"accept-encoding", "if-match", "if-none-match"})

#: What junk paths are made of. They are as on the wire: percent-encoded, or bytes as Latin-1.
PATH_PIECES = (
    *(quote(name) for name in FILES),
    *("css", "site.css", "text.txt", "large", "names", "static", "static/", "text.txt.gz", "css/site.css.br", "~"),
    *("//", "/", ".", "..", "...", "/./", "/../", "../" * 40, "%2e%2e", "%2E%2E/", "%2f", "%5c", "\\", "..\\"),
    *("%00", "text.txt%00", "%0a", "%0d%0a", "%09", "%20", "+", "%25", "%", "%zz", "%u002e", "\x00", "\x7f"),
    *("%c0%ae", "%c0%af", "%e0%80%af", "%ff", "%fe%ff", "%ed%a0%80", "%ed%b2%80", "\xed\xa0\x80", "\xff"),
    *("%EF%BB%BF", "e%CC%81", "%F0%9F%98%80", "?", "?a=b", "#", ";", ":", "*", "$", "C:", "etc/passwd", "a" * 300),
    *(INDEX_NAME, TIMES_NAME, "staticfiles.json", ".gz", ".br", ".zst"),
)


@dataclass(frozen=True)
class Request:
    """One request: its repr is what has to be typed to ask it again.

    ``path`` is as on the wire, bytes as Latin-1; so are the values of ``fields``, a pair per line.
    """

    method: str
    path: str
    fields: tuple[tuple[str, str], ...] = ()

    @property
    def raw_path(self) -> bytes:
        return self.path.partition("?")[0].encode("latin-1")

    @property
    def decoded_path(self) -> bytes:
        return unquote_to_bytes(self.raw_path)

    def without(self, *names: str) -> Request:
        return replace(self, fields=tuple(pair for pair in self.fields if pair[0] not in names))

    def only(self, *names: str) -> Request:
        return replace(self, fields=tuple(pair for pair in self.fields if pair[0] in names))

    def has(self, *names: str) -> bool:
        return any(name in names for name, _ in self.fields)


# --- the world -----------------------------------------------------------------------------------------------


@dataclass(frozen=True)
class Known:
    """A resource and the bytes of its representations, by coding; all decode to the same."""

    resource: Resource
    bodies: Mapping[str | None, bytes]
    prepared: PreparedResource = field(init=False, repr=False)

    def __post_init__(self) -> None:
        for coding, body in self.bodies.items():
            decoded = body if coding is None else CODINGS[coding].decode(body)
            assert decoded == self.bodies[None], f"{self.resource.path}: {coding} does not decode to identity"
        tags: dict[str, bytes] = {}
        for each in self.resource.representations:
            assert each.etag not in tags, f"{self.resource.path}: two representations have the tag {each.etag}"
            tags[each.etag] = self.bodies[each.coding]
            assert each.size == len(tags[each.etag])
        object.__setattr__(self, "prepared", PreparedResource(self.resource, HeaderPolicy()))


class World:
    """A root of :data:`FILES` behind the plan, the WSGI and the ASGI wrapper.

    Use it as a context manager: it has an event loop of its own, on which all requests run.
    """

    def __init__(self, root: Path, resources: Mapping[str, Resource]) -> None:
        self.root = root
        self.known = {
            name: Known(resource, {each.coding: (root / each.file).read_bytes() for each in resource.representations})
            for name, resource in resources.items()
        }
        for name, known in self.known.items():
            assert known.bodies[None] == FILES[name]
        self.wrappers = Wrappers(root)
        self._runner = asyncio.Runner()

    @classmethod
    def collect(cls, root: Path) -> World:
        """A root that was collected: strong entity tags, an index."""
        collect(root)
        index = StaticIndex.load(root / INDEX_NAME)
        found = {name: index.get(name) for name in index}
        return cls(root, {name: resource for name, resource in found.items() if resource is not None})

    @classmethod
    def scan(cls, root: Path) -> World:
        """A root that nobody collected, with representations beside some files: weak entity tags, no index."""
        write_files(root)
        for name in ("text.txt", "css/site.css", "large/letters.txt"):
            for coding in CODINGS.values():
                coded = root / (name + coding.suffix)
                coded.write_bytes(coding.encode(FILES[name], 1))
                os.utime(coded, (MODIFIED, MODIFIED))
        (root / "archive.txt.gz").unlink()  # what looks like a representation is taken for one
        index = ScannedIndex(root)
        found = {name: index.get(name) for name in FILES}
        return cls(root, {name: resource for name, resource in found.items() if resource is not None})

    def __enter__(self) -> World:
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, traceback: TracebackType | None
    ) -> None:
        self._runner.close()

    def find(self, request: Request) -> Known | None:
        """What a request asks for, by the letter: no spelling of a name but its own names anything."""
        try:
            path = request.decoded_path.decode()
        except UnicodeDecodeError:
            return None
        return self.known.get(path.removeprefix(PREFIX)) if path.startswith(PREFIX) else None

    def fill(self, request: Request) -> Request:
        """The request with what is known of its resource, or of any, in the place of the names in braces."""
        known = self.find(request) or self.known["text.txt"]
        identity, modified = known.resource.identity, known.resource.last_modified or 0
        values = {
            "{etag}": identity.etag,
            "{date}": http_date(modified),
            "{earlier}": http_date(modified - 1),
            "{later}": http_date(modified + 1),
            "{date-850}": _strftime(modified, "%A, %d-%b-%y %H:%M:%S GMT"),
            "{date-asctime}": _strftime(modified, "%a %b %d %H:%M:%S %Y"),
            "{size}": str(identity.size),
        }
        for token in CODINGS:
            found = [each.etag for each in known.resource.representations if each.coding == token]
            values[f"{{etag:{token}}}"] = found[0] if found else '"no such coding"'
        filled = (
            (name, re.sub(r"\{[a-z0-9:-]+\}", lambda match: values.get(match[0], match[0]), value))
            for name, value in request.fields
        )
        return replace(request, fields=tuple(filled))

    def run(self, asked: Any) -> Any:
        return self._runner.run(asked)

    def ask(self, request: Request) -> dict[str, Response]:
        """The answers of all edges by name. Each goes through a checker of its protocol."""
        answers = ask_edges(self, Wrappers(self.root), self.wrappers, request)
        known = self.find(request)
        if known is not None:
            answers["plan"] = self.ask_plan(known, request)
        return answers

    def ask_plan(self, known: Known, request: Request) -> Response:
        """The decision alone, its bytes cut from those that are known."""
        raw = [(name.encode(), value.encode("latin-1")) for name, value in request.fields]
        plan = make_plan(known.prepared, request.method, fields_from_headers(raw))
        body = b""
        if plan.content is not None:
            body = known.bodies[plan.content.representation.coding][plan.content.start : plan.content.stop]
        assert len(dict(plan.headers.pairs)) == len(plan.headers.pairs), "a header came twice"
        return Response(plan.status, dict(plan.headers.pairs), body)

    @cached_property
    def etags(self) -> dict[str, bytes]:
        """Every entity tag and the bytes that have it."""
        return {
            each.etag: known.bodies[each.coding]
            for known in self.known.values()
            for each in known.resource.representations
        }


def write_files(root: Path) -> None:
    for name, data in FILES.items():
        (root / name).parent.mkdir(parents=True, exist_ok=True)
        (root / name).write_bytes(data)
        os.utime(root / name, (MODIFIED, MODIFIED))


def collect(root: Path) -> None:
    """Write the files and their index, as ``collectstatic`` does, at levels that take no time."""
    write_files(root)

    names = [name for name in FILES if name not in HASHED.values()]
    order = Order(
        destination=Destination(root),
        sources=[Source(name, str(root / name)) for name in names],
        compression=Compression({"gzip": 1, "br": 1, "zstd": 1}),
        index_name=INDEX_NAME,
        read_beside_manifest=lambda name: None,
        write_beside_manifest=lambda name, data: (root / name).write_bytes(data) and None,
        save_manifest=lambda names, before_write: None,
        hash_name=lambda name, file: HASHED.get(name, name),
    )
    before = os.environ.get("SOURCE_DATE_EPOCH")
    os.environ["SOURCE_DATE_EPOCH"] = str(MODIFIED)
    try:
        collect_order(order)
    finally:
        del os.environ["SOURCE_DATE_EPOCH"]
        if before is not None:
            os.environ["SOURCE_DATE_EPOCH"] = before


def _strftime(seconds: int, form: str) -> str:
    from datetime import UTC, datetime

    return datetime.fromtimestamp(seconds, UTC).strftime(form)


# --- the edges -----------------------------------------------------------------------------------------------


class Wrappers:
    """The two wrappers around nothing, with a root of their own."""

    def __init__(self, root: Path, **arguments: Any) -> None:
        self.wsgi = StaticWSGI(root=root, prefix=PREFIX, **arguments)
        self.asgi = StaticASGI(root=root, prefix=PREFIX, **arguments)


def ask_edges(world: World, cold: Wrappers, warm: Wrappers, request: Request) -> dict[str, Response]:
    """A request to wrappers that were never asked; and to others, below a server that sends files itself."""
    answers = {
        "wsgi": ask_checked_wsgi(cold.wsgi, request),
        "wsgi with a file wrapper": ask_checked_wsgi(warm.wsgi, request, **{"wsgi.file_wrapper": FileWrapper}),
    }
    for path in decoded_paths(request):
        for name, answer in (
            ("asgi", world.run(aask_checked_asgi(cold.asgi, request, path))),
            ("asgi with pathsend", world.run(aask_checked_asgi(warm.asgi, request, path, extensions={PATHSEND: {}}))),
        ):
            assert answers.setdefault(name, answer) == answer, f"{name}: {path!r} has an answer of its own"
    return answers


def decoded_paths(request: Request) -> list[str]:
    """A path as ASGI servers decode it: they differ in what is not UTF-8, and no file has such a name."""
    try:
        return [request.decoded_path.decode()]
    except UnicodeDecodeError:
        return [
            request.decoded_path.decode(errors="replace"),
            request.decoded_path.decode(errors="surrogateescape"),
            request.decoded_path.decode("latin-1"),
        ]


async def aask_checked_asgi(application: Any, request: Request, path: str, **extra: Any) -> Response:
    """One request to an ASGI application, the messages between the two checked; a path that is sent is read."""
    sent: list[Any] = []
    scope = make_scope(request.method, "/", request.fields, **extra) | {"path": path, "raw_path": request.raw_path}
    response = await aask_asgi(CheckedASGI(application), scope, sent)
    if sent[-1]["type"] == PATHSEND:
        return replace(response, body=Path(sent[-1]["path"]).read_bytes())
    return response


def ask_checked_wsgi(application: Any, request: Request, **extra: Any) -> Response:
    """One request to a WSGI application, ``wsgiref.validate`` between the two."""
    path = request.decoded_path.decode("latin-1")
    # The validator knows no path such as "*", and servers send none without a slash here but for OPTIONS.
    checked = wsgiref.validate.validator(application) if path.startswith("/") else application
    with validator_as_pep_3333(), warnings.catch_warnings():
        warnings.simplefilter("ignore", wsgiref.validate.WSGIWarning)  # methods that it does not know
        return ask_wsgi(
            checked, request.method, "/", request.fields, **{"PATH_INFO": path, "wsgi.errors": StringIO(), **extra}
        )


@contextmanager
def validator_as_pep_3333() -> Iterator[None]:
    """The validator without its demand for a Content-Type on every answer but 204 and 304.

    PEP 3333 has no such rule, and an answer without a body (405, 416) has nothing that the field could describe.
    """
    check = wsgiref.validate.check_content_type  # type: ignore[attr-defined]
    wsgiref.validate.check_content_type = lambda status, headers: None  # type: ignore[attr-defined]
    try:
        yield
    finally:
        wsgiref.validate.check_content_type = check  # type: ignore[attr-defined]


# --- the invariants ------------------------------------------------------------------------------------------

#: What may come back for a name that is in the index.
STATUSES = frozenset({200, 206, 304, 405, 412, 416})

_CONTENT_RANGE = re.compile(r"bytes ([0-9]+)-([0-9]+)/([0-9]+)")
_HEADER_NAME = re.compile(r"[!#$%&'*+.^_`|~0-9a-z-]+")
_HEADER_VALUE = re.compile(r"[\x21-\x7e\x80-\xff](?:[\t\x20-\x7e\x80-\xff]*[\x21-\x7e\x80-\xff])?")


def check(world: World, request: Request) -> int:
    """Ask every edge and check all that is true of every answer; the status, for statistics."""
    request = world.fill(request)
    known = world.find(request)
    answers = world.ask(request)
    response = answers["asgi"]
    for edge, answer in answers.items():
        assert answer == response, f"{edge} and asgi differ: {_difference(answer, response)}"
    check_message(request, response)
    if known is None:
        assert response.status == 404
        assert set(response.headers) == {"content-type", "content-length"}
        assert response.body == (b"" if request.method == "HEAD" else b"Not Found")
    elif request.method in ("GET", "HEAD"):
        check_selected(world, known, request, response)
    else:
        check_other_method(request, response)
    return response.status


def check_message(request: Request, response: Response) -> None:
    """What HTTP says of any response: field values on one line, and as many bytes as announced."""
    for name, value in response.headers.items():
        assert _HEADER_NAME.fullmatch(name), name
        assert _HEADER_VALUE.fullmatch(value), (name, value)
    if request.method == "HEAD" or response.status == 304:
        assert response.body == b""
    else:
        assert response.headers["content-length"] == str(len(response.body))


def check_selected(world: World, known: Known, request: Request, response: Response) -> None:
    """What is true of the answers to GET and HEAD, compared with the 200 of the same Accept-Encoding."""
    status, headers = response.status, response.headers
    whole = world.ask_plan(known, replace(request, method="GET").only("accept-encoding"))
    assert whole.status == 200
    coding = whole.headers.get("content-encoding")
    assert whole.body == known.bodies[coding]
    assert world.etags[whole.headers["etag"]] == whole.body
    varies = len(known.bodies) > 1
    assert ("vary" in whole.headers) is varies

    assert status in STATUSES - {405}
    if status in (206, 416):
        assert request.method == "GET"
        assert request.has("range")
    if status == 304:
        assert request.has("if-none-match", "if-modified-since")
    if status == 412:
        assert request.has("if-match", "if-unmodified-since")
    if status in (200, 206, 304):
        assert headers.get("vary") == ("accept-encoding" if varies else None)
        assert headers["etag"] == whole.headers["etag"]
        assert headers.get("cache-control") == whole.headers.get("cache-control")
    if request.method == "HEAD":
        get = world.ask_plan(known, replace(request, method="GET").without("range", "if-range"))
        assert (status, headers) == (get.status, get.headers)
        return
    if status == 200:
        assert response == whole
    elif status == 206:
        match = _CONTENT_RANGE.fullmatch(headers["content-range"])
        assert match is not None
        first, last, size = map(int, match.groups())
        assert 0 <= first <= last < size == len(whole.body)
        assert response.body == whole.body[first : last + 1]
        same = headers.keys() - {"content-range", "content-length"}
        assert {name: headers[name] for name in same} == {
            name: value for name, value in whole.headers.items() if name != "content-length"
        }
    elif status == 304:
        assert not headers.keys() & {"content-type", "content-length", "content-encoding", "content-range"}
        assert headers.items() <= whole.headers.items()
    else:  # 412, 416: about the request, not of the representation
        assert response.body == b""
        assert not headers.keys() & {"content-type", "content-encoding", "etag", "last-modified", "accept-ranges"}
        assert headers.get("content-range") == (f"bytes */{len(whole.body)}" if status == 416 else None)


def check_other_method(request: Request, response: Response) -> None:
    assert response.status == (200 if request.method == "OPTIONS" else 405)
    assert response.headers["allow"] == "GET, HEAD, OPTIONS"
    assert response.body == b""
    assert not response.headers.keys() & {"content-type", "content-encoding", "content-range", "etag", "last-modified"}


def _difference(one: Response, other: Response) -> str:
    """Where two responses differ, without their bodies."""
    pairs = one.headers.items() ^ other.headers.items()
    return f"{one.status} {len(one.body)} bytes, {other.status} {len(other.body)} bytes, {sorted(pairs)}"
