"""What is true of every answer, for generated requests; and that the checkers notice what they are for."""

from __future__ import annotations

import asyncio
import json
from collections.abc import Callable, Iterator
from datetime import datetime
from pathlib import Path
from typing import Any

import pytest
from hypothesis import example, given
from hypothesis import strategies as st

from django_asyncstatic.asgi import StaticASGI
from django_asyncstatic.index import INDEX_NAME, TIMES_NAME, InvalidIndex, Resource, StaticIndex
from django_asyncstatic.serving.fields import fields_from_headers
from django_asyncstatic.serving.headers import HeaderPolicy
from django_asyncstatic.serving.plans import PreparedResource, make_plan
from django_asyncstatic.wsgi import StaticWSGI
from tests import fuzz
from tests.edges import Response, aask_asgi, make_scope
from tests.invariants import (
    FIELD_VALUES,
    FILES,
    LIST_FIELDS,
    METHODS,
    PATH_PIECES,
    PREFIX,
    Request,
    World,
    check,
    check_message,
    check_selected,
    collect,
)
from tests.protocol import BODY, PATHSEND, START, TRAILERS, CheckedASGI, ProtocolError


@pytest.fixture(scope="module")
def collected_world(tmp_path_factory: pytest.TempPathFactory) -> Iterator[World]:
    with World.collect(tmp_path_factory.mktemp("collected-world")) as world:
        yield world


@pytest.fixture(scope="module")
def scanned_world(tmp_path_factory: pytest.TempPathFactory) -> Iterator[World]:
    with World.scan(tmp_path_factory.mktemp("scanned-world")) as world:
        yield world


# --- what is generated ---------------------------------------------------------------------------------------

latin_1 = st.text(st.characters(codec="latin-1"), max_size=40)
positions = st.one_of(st.integers(0, 12), st.integers(0, 900_000), st.sampled_from([10**18, 10**30])).map(str)


def values_of(name: str) -> st.SearchStrategy[str]:
    """A value of a field: plausible, a list of such, a range with any numbers, or any bytes."""
    plausible = st.sampled_from(FIELD_VALUES[name])
    lists = st.lists(plausible, min_size=1, max_size=4).map(", ".join)
    ranges = st.builds("bytes={}-{}".format, positions | st.just(""), positions | st.just(""))
    if name == "range":
        return st.one_of(plausible, ranges, latin_1)
    return st.one_of(plausible, lists, latin_1) if name in LIST_FIELDS else st.one_of(plausible, latin_1)


lines = st.lists(st.sampled_from(sorted(FIELD_VALUES)), max_size=6).flatmap(
    lambda names: st.tuples(*(st.tuples(st.just(name), values_of(name)) for name in names))
)
files = st.sampled_from(sorted(FILES)).map(lambda name: Request("GET", PREFIX + "".join(f"%{b:02x}" for b in name.encode())))
requests = st.builds(
    lambda request, method, fields: Request(method, request.path, fields),
    files,
    st.one_of(st.sampled_from(["GET", "HEAD"]), st.sampled_from(METHODS), latin_1),
    lines,
)
#: Most begin with the prefix; a slash at the start is what servers have seen to.
paths = st.builds(
    "{}{}".format,
    st.sampled_from([PREFIX, PREFIX, PREFIX, "/static", "/", "//static/", "/STATIC/", ""]),
    st.lists(st.sampled_from(PATH_PIECES) | st.text(st.characters(codec="latin-1"), max_size=9), max_size=9).map("".join),
)


# --- every answer --------------------------------------------------------------------------------------------


@given(request=requests)
@example(request=Request("GET", "/static/text.txt", (("range", "bytes=0-"), ("accept-encoding", "br"))))
@example(request=Request("GET", "/static/empty.txt", (("range", "bytes=-1"),)))
@example(request=Request("GET", "/static/large/letters.txt", (("range", "bytes=-300000"), ("accept-encoding", "br"))))
@example(request=Request("HEAD", "/static/large/noise.bin", (("range", "bytes=0-0"), ("if-range", "{etag}"))))
def test_every_answer_keeps_the_invariants_at_every_edge(collected_world: World, request: Request) -> None:
    check(collected_world, request)


@given(request=requests)
def test_every_answer_from_a_scanned_directory_keeps_them_too(scanned_world: World, request: Request) -> None:
    check(scanned_world, request)


@given(path=paths, method=st.sampled_from(["GET", "HEAD", "POST"]))
@example(path=PREFIX + "a" * 100_000, method="GET")
@example(path=PREFIX + "../" * 10_000 + "etc/passwd", method="GET")
@example(path=PREFIX + "%00", method="GET")
@example(path=PREFIX + "text.txt%00.css", method="GET")
@example(path=PREFIX + "%ed%a0%80", method="GET")
@example(path="*", method="OPTIONS")
def test_no_path_gives_other_bytes_than_those_of_its_own_name(collected_world: World, path: str, method: str) -> None:
    """That a path names a file is decided by the letter in ``World.find``; everything else has to be a 404."""
    check(collected_world, Request(method, path))


@given(path=paths)
def test_no_path_gives_bytes_from_beside_a_scanned_directory(scanned_world: World, path: str) -> None:
    check(scanned_world, Request("GET", path))


@given(fields=lines, method=st.sampled_from(METHODS))
def test_a_decision_depends_on_nothing_but_the_request(collected_world: World, fields: Any, method: str) -> None:
    """A plan made before, or by another process, is the plan made now: nothing is left over between requests."""
    known = collected_world.known["text.txt"]
    request = collected_world.fill(Request(method, "/static/text.txt", fields))
    raw = [(name.encode(), value.encode("latin-1")) for name, value in request.fields]
    fresh = make_plan(PreparedResource(known.resource, HeaderPolicy()), method, fields_from_headers(raw))
    used = make_plan(known.prepared, method, fields_from_headers(raw))
    assert (fresh.status, fresh.headers.pairs, fresh.content) == (used.status, used.headers.pairs, used.content)
    assert [(name.decode(), value.decode("latin-1")) for name, value in used.headers.raw] == [*used.headers.pairs]


def test_the_worlds_have_what_the_invariants_are_about(collected_world: World, scanned_world: World) -> None:
    codings = {name: known.bodies.keys() for name, known in collected_world.known.items()}
    assert collected_world.known.keys() == FILES.keys()
    assert codings["text.txt"] == codings["large/letters.txt"] == {None, "gzip", "br", "zstd"}
    assert codings["empty.txt"] == codings["digits.txt"] == codings["large/noise.bin"] == {None}
    assert codings["archive.txt"] == {None, "br", "zstd"}, "another file has the name of its gzip representation"
    assert min(map(len, collected_world.known["large/letters.txt"].bodies.values())) > 262_144
    assert all(each.etag.startswith("W/") for each in scanned_world.known["text.txt"].resource.representations)
    assert scanned_world.known["text.txt"].bodies.keys() == {None, "gzip", "br", "zstd"}


@pytest.mark.parametrize(
    ("request_", "status"),
    [
        (Request("GET", "/static/text.txt", (("accept-encoding", "gzip"),)), 200),
        (Request("GET", "/static/large/noise.bin", (("range", "bytes=262143-262145"),)), 206),
        (Request("GET", "/static/text.txt", (("if-none-match", "{etag:br}"), ("accept-encoding", "br"))), 304),
        (Request("GET", "/static/names/line%0abreak%09.txt"), 200),
        (Request("GET", "/static/text.txt", (("if-modified-since", "{date-850}"),)), 304),
        (Request("GET", "/static/text.txt", (("if-modified-since", "{date-asctime}"),)), 304),
        (Request("GET", "/static/%74ext.txt"), 200),
        (Request("GET", "/static/text%2Etxt?query"), 200),
        (Request("GET", "/static/./text.txt"), 404),
        (Request("GET", "/static//text.txt"), 404),
        (Request("GET", "/static/css/../text.txt"), 404),
        (Request("GET", "/static/asyncstatic.index"), 404),
        (Request("GET", "/static/text.txt.gz"), 404),
        (Request("PURGE", "/static/text.txt"), 405),
        (Request("GET", "/static/text.txt", (("if-match", '"another"'),)), 412),
        (Request("GET", "/static/digits.txt", (("range", "bytes={size}-"),)), 416),
    ],
    ids=str,
)
def test_the_check_sees_every_status(collected_world: World, request_: Request, status: int) -> None:
    assert check(collected_world, request_) == status


@pytest.mark.parametrize(
    "spoil",
    [
        lambda status, headers, body: (status, headers, body[:-1]),
        lambda status, headers, body: (status, headers | {"content-length": "1"}, body),
        lambda status, headers, body: (status, headers | {"x-split": "a\r\nset-cookie: b"}, body),
        lambda status, headers, body: (status, {name: headers[name] for name in headers if name != "vary"}, body),
        lambda status, headers, body: (status, headers | {"content-range": "bytes 1-3/20000"}, body),
        lambda status, headers, body: (status, headers | {"etag": '"another"'}, body),
        lambda status, headers, body: (200, headers, body),
        lambda status, headers, body: (416, headers, body),
        lambda status, headers, body: (304, headers, b""),
    ],
    ids=["short", "length", "split", "vary", "range", "etag", "200", "416", "304"],
)
def test_the_check_notices_a_wrong_answer(
    collected_world: World, spoil: Callable[[int, dict[str, str], bytes], tuple[int, dict[str, str], bytes]]
) -> None:
    request = Request("GET", "/static/text.txt", (("range", "bytes=0-9"), ("if-none-match", '"a"')))
    known = collected_world.known["text.txt"]
    good = collected_world.ask_plan(known, request)
    check_selected(collected_world, known, request, good)
    bad = Response(*spoil(good.status, good.headers, good.body))
    with pytest.raises(AssertionError):  # noqa: PT012
        check_message(request, bad)
        check_selected(collected_world, known, request, bad)


# --- the protocol --------------------------------------------------------------------------------------------

_START = {"type": START, "status": 200, "headers": [(b"content-length", b"0")]}
_END = {"type": BODY}


def send_all(*messages: Any, **extra: Any) -> list[Any]:
    """The messages of an application, through the checker."""

    async def application(scope: Any, receive: Any, send: Any) -> None:
        for message in messages:
            await send(message)

    sent: list[Any] = []
    asyncio.run(aask_asgi(CheckedASGI(application), make_scope("GET", "/", **extra), sent))
    return sent


@pytest.mark.parametrize(
    "messages",
    [
        (_START, _END),
        ({"type": START, "status": 200}, {"type": BODY, "body": b"a", "more_body": True}, {"type": BODY, "body": b"b"}),
        ({"type": START, "status": 204, "headers": iter([[b"x", b""]])}, _END),
        (_START, {"type": PATHSEND, "path": "/a"}),
    ],
    ids=["shortest", "chunks", "iterator", "path"],
)
def test_the_checker_lets_what_the_specification_allows_pass(messages: tuple[Any, ...]) -> None:
    sent = send_all(*messages, extensions={PATHSEND: {}})
    assert [message["type"] for message in sent] == [message["type"] for message in messages]
    assert all(isinstance(message.get("headers", []), list) for message in sent)


@pytest.mark.parametrize(
    ("messages", "rule"),
    [
        ((), "returned in the state 'start'"),
        ((_START,), "returned in the state 'body'"),
        ((_START, {"type": BODY, "more_body": True}), "returned in the state 'body'"),
        ((_END,), "before the start"),
        ((_START, _START, _END), "starts once"),
        ((_START, _END, _END), "after the end"),
        ((_START, {"type": BODY, "body": "text"}), "bytes, not str"),
        ((_START, {"type": BODY, "body": bytearray(b"")}), "bytes, not bytearray"),
        ((_START, {"type": BODY, "more_body": 0}), "more_body is a bool"),
        ((_START, {"type": BODY, "bodi": b""}), "has no"),
        ((_START, {"type": "http.response.zerocopysend", "file": 1}), "not among the server's extensions"),
        ((_START, {"type": "http.disconnect"}), "no message of an HTTP response"),
        (({"status": 200},), "type of a message"),
        (([("type", START)],), "a message is a dict"),
        (({"type": START, "status": "200"},), "a status is an int"),
        (({"type": START, "status": True},), "a status is an int"),
        (({"type": START, "status": 100},), "final response"),
        (({"type": START, "status": 200, "headers": {b"a": b"b"}},), "headers are pairs"),
        (({"type": START, "status": 200, "headers": None},), "an iterable"),
        (({"type": START, "status": 200, "headers": [b"ab"]},), "a header is a pair"),
        (({"type": START, "status": 200, "headers": [(b"a", b"b", b"c")]},), "a header is a pair"),
        (({"type": START, "status": 200, "headers": [("a", b"b")]},), "name is bytes"),
        (({"type": START, "status": 200, "headers": [(b"a", "b")]},), "value is bytes"),
        (({"type": START, "status": 200, "headers": [(b"ETag", b"b")]},), "lower case"),
        (({"type": START, "status": 200, "headers": [(b":status", b"200")]},), "pseudo header"),
        (({"type": START, "status": 200, "headers": [(b"a", b"b\r\nc: d")]},), "not a header's value"),
        (({"type": START, "status": 200, "headers": [(b"content-length", b"1")] * 2},), "comes once"),
        (({"type": START, "status": 200, "headers": [(b"content-length", b"+1")]},), "a number"),
        (({"type": START, "status": 200, "trailers": True},), "no trailers"),
        ((_START, {"type": PATHSEND, "path": b"/a"}), "a path is a str"),
        ((_START, {"type": PATHSEND, "path": "a"}), "a path is absolute"),
        ((_START, {"type": PATHSEND, "path": "/a"}, _END), "after the end"),
        ((_START, {"type": BODY, "more_body": True}, {"type": PATHSEND, "path": "/a"}), "does not follow a part"),
        ((_START, {"type": TRAILERS, "headers": []}), "not among the server's extensions"),
    ],
    ids=lambda value: value if isinstance(value, str) else "",
)
def test_the_checker_names_the_rule_that_is_broken(messages: tuple[Any, ...], rule: str) -> None:
    with pytest.raises(ProtocolError, match=rule):
        send_all(*messages, extensions={PATHSEND: {}})


def test_a_path_is_only_for_servers_that_send_files() -> None:
    with pytest.raises(ProtocolError, match="extensions"):
        send_all(_START, {"type": PATHSEND, "path": "/a"})


def test_a_client_that_is_gone_needs_no_complete_response() -> None:
    async def application(scope: Any, receive: Any, send: Any) -> None:
        await send(_START)
        assert (await receive())["type"] == "http.disconnect"

    async def receive() -> Any:
        return {"type": "http.disconnect"}

    async def send(message: Any) -> None:
        pass

    asyncio.run(CheckedASGI(application)(make_scope("GET", "/"), receive, send))


def test_other_scopes_are_not_checked(collected_world: World) -> None:
    sent: list[Any] = []

    async def receive() -> Any:
        return {"type": "lifespan.shutdown"}

    async def send(message: Any) -> None:
        sent.append(message)

    asyncio.run(CheckedASGI(StaticASGI())({"type": "lifespan"}, receive, send))
    assert sent == [{"type": "lifespan.shutdown.complete"}]


@pytest.mark.xfail(
    strict=True, reason="ASGI: a request's header names SHOULD be in lower case, and servers may keep their case"
)
def test_header_names_of_a_request_are_read_in_any_case() -> None:
    """ "Header names should be lowercased, but it is not required" (ASGI, HTTP connection scope)."""
    assert fields_from_headers([(b"Range", b"bytes=0-1")]) == {"range": "bytes=0-1"}


# --- a damaged index -----------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    "damage",
    [
        "[]",
        '"text"',
        '{"type": 5, "sha256": "$", "size": 20000}',
        '{"type": "text/plain\\nset-cookie: a=b", "sha256": "$", "size": 20000}',
        '{"type": "text/\u2603", "sha256": "$", "size": 20000}',
        '{"type": "text/plain", "sha256": ["$"], "size": 20000}',
        '{"type": "text/plain", "sha256": "\\"", "size": 20000}',
        '{"type": "text/plain", "sha256": "$", "size": "20000"}',
        '{"type": "text/plain", "sha256": "$", "size": -1}',
        '{"type": "text/plain", "sha256": "$", "size": 2e4}',
        '{"type": "text/plain", "sha256": "$", "size": NaN}',
        '{"type": "text/plain", "sha256": "$", "size": 20000, "file": 5}',
        '{"type": "text/plain", "sha256": "$", "size": 20000, "codings": [["br", "9", "$"]]}',
        '{"type": "text/plain", "sha256": "$", "size": 20000, "codings": [["br", 9, null]]}',
        '{"type": "text/plain", "sha256": "$", "size": 20000, "codings": [["br", 9, "$"], ["br", 9, "$"]]}',
        '{"type": "text/plain", "sha256": "$", "size": 20000, "immutable": "no"}',
        "[" * 100_000,
    ],
    ids=lambda line: line[:70],
)
@pytest.mark.xfail(strict=True, reason="StaticIndex.get does not check the types of what a line says")
def test_a_line_of_the_wrong_types_is_told_as_damage(damage: str) -> None:
    """"Raises InvalidIndex for a line that was damaged": else the first request for it is an error 500."""
    lines = {"text.txt": json.loads(f'"{0}"')}
    data = fuzz.index_of_lines({name: damage.replace("$", "ab" * 32) for name in lines})
    with pytest.raises(InvalidIndex):
        StaticIndex(data).get("text.txt")
