"""What the tests of WhiteNoise and ServeStatic ask, asked here; :mod:`tests.peers` says which of theirs is which."""

from __future__ import annotations

import asyncio
import gzip
import logging
import os
import re
from collections import Counter
from collections.abc import Callable
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any
from urllib.parse import quote, urljoin

import pytest
from django.http import HttpResponse
from django.templatetags.static import static
from django.test import RequestFactory, override_settings

from django_asyncstatic.asgi import StaticASGI
from django_asyncstatic.index import INDEX_NAME, StaticIndex
from django_asyncstatic.middleware import AsyncStaticMiddleware
from django_asyncstatic.wsgi import StaticWSGI
from tests import test_asgi, test_wsgi
from tests.cases import CASES
from tests.edges import EDGES, Pairs, Response, ask_asgi, ask_wsgi, make_environ, make_scope
from tests.peers import ANSWERS, NAMES, NotAsked, Otherwise, counts
from tests.servers import REPOSITORY
from tests.test_collectstatic import collect, names
from tests.test_storage import project, write

SCRIPT = b"function answer() {\n    return 42;\n}\n"
STYLE = b".answer { color: green; }\n" * 40
CODED = gzip.compress(STYLE, mtime=0)
PAGE = b"<!doctype html><p>folder"
BEHIND = "behind"

Ask = Callable[..., Response]


def fill(root: Path) -> None:
    write(root / "sub/folder", script__js=SCRIPT)
    write(root / "folder", index__html=PAGE)
    write(root, style__css=STYLE, data__foobar=b"?")
    (root / "style.css.gz").write_bytes(CODED)


def add_headers(headers: Any, path: str, url: str) -> None:
    if url.endswith(".css"):
        headers["X-Kind"] = "style"
    if url.endswith(".foobar"):
        headers["Content-Type"] = "application/x-foo-bar"


OPTIONS: dict[str, Any] = {"max_age": 1000, "index_file": True, "add_headers_function": add_headers}


@pytest.fixture(scope="module", params=["wsgi scanned", "wsgi live", "asgi scanned", "asgi live"])
def ask(request: pytest.FixtureRequest, tmp_path_factory: pytest.TempPathFactory) -> Ask:
    """Asks a wrapper around an application; what is live appears after the wrapper has looked at the directory."""
    interface, _, strategy = request.param.partition(" ")
    root = tmp_path_factory.mktemp("root")
    live = ["*"] if strategy == "live" else []
    send: Any
    if interface == "wsgi":
        static: Any = StaticWSGI(test_wsgi.application, root=root, live=live, **OPTIONS)
        send = ask_wsgi
    else:
        static, send = StaticASGI(test_asgi.application, root=root, live=live, **OPTIONS), ask_asgi
    if live:
        assert BEHIND in send(static, "GET", "/style.css").body.decode()
    fill(root)

    def ask(path: str, fields: Pairs = (), method: str = "GET") -> Response:
        response: Response = send(static, method, path, fields)
        return response

    return ask


@dataclass(frozen=True)
class Row:
    """A request and what comes back; ``None`` of a header is that it is absent, of a body that it is not looked at."""

    path: str = "/sub/folder/script.js"
    fields: tuple[tuple[str, str], ...] = ()
    method: str = "GET"
    status: int = 200
    headers: dict[str, str | None] = field(default_factory=dict)
    body: bytes | None = SCRIPT


def _range(value: str, start: int, stop: int) -> Row:
    headers: dict[str, str | None] = {
        "content-range": f"bytes {start}-{stop - 1}/{len(SCRIPT)}",
        "content-length": str(stop - start),
    }
    return Row(fields=(("range", value),), status=206, headers=headers, body=SCRIPT[start:stop])


def _style(value: str | None, coding: str | None) -> Row:
    headers = {
        "content-encoding": coding,
        "vary": "accept-encoding",
        "content-length": str(len(CODED if coding else STYLE)),
        "x-kind": "style",
    }
    fields = () if value is None else (("accept-encoding", value),)
    return Row("/style.css", fields, headers=headers, body=CODED if coding else STYLE)


def _redirect(path: str, location: str) -> Row:
    return Row(path, status=302, headers={"location": location}, body=b"")


_ELSE = '"another-tag"'
_LATER = "Fri, 11 Apr 2100 11:47:06 GMT"

ROWS: dict[str, Row] = {
    "a script": Row(
        headers={
            "content-type": "text/javascript; charset=utf-8",
            "content-length": str(len(SCRIPT)),
            "cache-control": "max-age=1000, public",
            "access-control-allow-origin": "*",
            "x-kind": None,
        }
    ),
    "nothing accepted": _style("", None),
    "nothing said of codings": _style(None, None),
    "any coding": _style("*", "gzip"),
    "what browsers accept": _style("gzip, deflate, br", "gzip"),
    "a compressed copy by its own name": Row("/style.css.gz", body=None, headers={"x-behind": "yes"}),
    "a type of their own": Row("/data.foobar", headers={"content-type": "application/x-foo-bar"}, body=b"?"),
    "the time it has": Row(fields=(("if-modified-since", "{date}"),), status=304, body=b""),
    "a time to come": Row(
        fields=(("if-modified-since", _LATER),), status=304, body=b"", headers={"content-type": None}
    ),
    "a time long past": Row(fields=(("if-modified-since", "Wed, 11 Apr 2001 11:47:06 GMT"),)),
    "a time as Firefox 91 mangled it": Row(fields=(("if-modified-since", "Fri, 16 Jul 2021 09:09:1626426577S GMT"),)),
    "the tag it has": Row(fields=(("if-none-match", "{etag}"),), status=304, body=b""),
    "another tag": Row(fields=(("if-none-match", _ELSE),)),
    "another tag and a time to come": Row(fields=(("if-none-match", _ELSE), ("if-modified-since", _LATER))),
    "elsewhere": Row("/not/static", body=None, headers={"x-behind": "yes"}),
    "a name that is not ASCII and not there": Row("/test%E2%98%BA", body=None, headers={"x-behind": "yes"}),
    "an absolute path of Windows": Row("/C:/Windows/System.ini", body=None, headers={"x-behind": "yes"}),
    "a very long path": Row("/blah" * 1000, body=None, headers={"x-behind": "yes"}),
    "a backslash": Row("/sub%5Cfolder%5Cscript.js", body=None, headers={"x-behind": "yes"}),
    "post": Row(method="POST", status=405, body=b""),
    "put": Row(method="PUT", status=405, body=b""),
    "head": Row(method="HEAD", headers={"content-length": str(len(SCRIPT))}, body=b""),
    "a folder": Row("/folder/", headers={"content-type": "text/html; charset=utf-8"}, body=PAGE),
    "a folder's index file": _redirect("/folder/index.html", "./"),
    "a folder's index file with a query": _redirect("/folder/index.html?v=1", "./?v=1"),
    "a folder without its slash": _redirect("/folder", "./folder/"),
    "a folder without its slash, with a query": _redirect("/folder?v=1&x=2", "./folder/?v=1&x=2"),
    "a folder without an index file": Row("/sub/", body=None, headers={"x-behind": "yes"}),
    "the first bytes": _range("bytes=0-13", 0, 14),
    "the first byte": _range("bytes=0-0", 0, 1),
    "the last bytes": _range("bytes=-3", len(SCRIPT) - 3, len(SCRIPT)),
    "bytes in the middle": _range("bytes=21-30", 21, 31),
    "more than there is": _range("bytes=21-100000", 21, len(SCRIPT)),
    "more than there is, from the end": _range("bytes=-100000", 0, len(SCRIPT)),
    "bytes that are not there": Row(
        fields=(("range", "bytes=10000-11000"),),
        status=416,
        headers={"content-range": f"bytes */{len(SCRIPT)}"},
        body=b"",
    ),
    "another unit": Row(fields=(("range", "items=0-1"),)),
    "a range without its sign": Row(fields=(("range", "bytes0-1"),)),
    "a range without its dash": Row(fields=(("range", "bytes=10"),)),
}


@pytest.mark.parametrize("row", ROWS)
def test_a_directory_is_served_scanned_and_live(row: str, ask: Ask) -> None:
    asked = ROWS[row]
    first = ask(asked.path)
    known = {"{etag}": first.headers.get("etag", ""), "{date}": first.headers.get("last-modified", "")}
    response = ask(asked.path, [(name, known.get(value, value)) for name, value in asked.fields], asked.method)
    assert response.status == asked.status
    assert {name: response.headers.get(name) for name in asked.headers} == asked.headers
    if asked.body is not None:
        assert response.body == asked.body
    if "location" in asked.headers:
        assert ask(urljoin(asked.path, response.headers["location"])).body == PAGE


# --- the wrappers ---------------------------------------------------------------------------------------------


def both(root: Path | None, prefix: str | None = None, **options: Any) -> list[Ask]:
    """Two functions of (method, path) to a response, or the application's: WSGI's and ASGI's."""
    wsgi = StaticWSGI(test_wsgi.application, root=root, prefix=prefix, **options)
    asgi = StaticASGI(test_asgi.application, root=root, prefix=prefix, **options)
    return [lambda *asked: ask_wsgi(wsgi, *asked), lambda *asked: ask_asgi(asgi, *asked)]


@pytest.mark.parametrize("prefix", ["/assets/", "/assets", "assets/", "assets"])
def test_a_prefix_may_be_written_with_slashes_and_without(prefix: str, tmp_path: Path) -> None:
    fill(tmp_path)
    for ask in both(tmp_path, prefix):
        assert ask("GET", "/assets/style.css").body == STYLE
        assert ask("GET", "/style.css").headers.get("x-behind") == "yes"


@pytest.mark.parametrize("prefix", [None, "", "/"])
def test_no_prefix_is_the_top(prefix: str | None, tmp_path: Path) -> None:
    fill(tmp_path)
    for ask in both(tmp_path, prefix):
        assert ask("GET", "/style.css").body == STYLE


def test_files_are_added_under_another_prefix_to_what_already_answers(tmp_path: Path) -> None:
    fill(tmp_path)
    for make, ask in ((StaticWSGI, ask_wsgi), (StaticASGI, ask_asgi)):
        static: Any = make(root=tmp_path)
        assert ask(static, "GET", "/style.css").body == STYLE
        static.add_files(str(tmp_path), prefix="/more")
        assert ask(static, "GET", "/more/sub/folder/script.js").body == SCRIPT
        assert ask(static, "GET", "/style.css").body == STYLE


def test_a_directory_that_is_not_there_is_told_in_the_log_when_a_file_is_asked_for(
    tmp_path: Path, caplog: pytest.LogCaptureFixture
) -> None:
    missing = tmp_path / "nosuchdir\u2713"
    with caplog.at_level(logging.WARNING, "django_asyncstatic"):
        static = StaticWSGI(test_wsgi.application, root=missing)
        assert caplog.messages == []
        for _ in range(2):
            assert ask_wsgi(static, "GET", "/style.css").headers["x-behind"] == "yes"
    assert [str(missing) in message for message in caplog.messages] == [True, True]  # no index, then no directory
    assert "it cannot be listed (No such file or directory)" in caplog.messages[-1]


def test_a_request_without_a_path_is_the_applications(tmp_path: Path) -> None:
    fill(tmp_path)
    environ = make_environ("GET", "/")
    del environ["PATH_INFO"]
    started: list[str] = []
    body = StaticWSGI(test_wsgi.application, root=tmp_path)(environ, lambda status, headers: started.append(status))
    assert (started, b"".join(body)) == (["200 OK"], b"behind ")


def test_without_a_maximal_age_nothing_is_said_of_caches_and_of_origins_only_on_request(tmp_path: Path) -> None:
    fill(tmp_path)
    for ask in both(tmp_path, max_age=None, allow_all_origins=False):
        headers = ask("GET", "/style.css").headers
        assert "cache-control" not in headers
        assert "access-control-allow-origin" not in headers


@pytest.mark.parametrize(
    ("rule", "names"),
    [
        (None, []),
        (r"\.test$", ["file.test"]),
        (r"\.[0-9a-f]{12}\.", ["app.db8f2edc0c8a.js"]),
        (lambda path, url: url == "/file.test.txt" and os.path.isabs(path), ["file.test.txt"]),
    ],
    ids=["nothing", "expression", "hashes", "function"],
)
def test_what_never_changes_is_told_by_an_expression_or_a_function(rule: Any, names: list[str], tmp_path: Path) -> None:
    all_names = ["file.test", "file.test.txt", "app.db8f2edc0c8a.js"]
    for name in all_names:
        (tmp_path / name).write_text(name)
    for ask in both(tmp_path, immutable_file_test=rule):
        immutable = [name for name in all_names if "immutable" in ask("GET", f"/{name}").headers["cache-control"]]
        assert immutable == names


def test_a_compressed_copy_is_known_by_the_suffix_that_all_servers_use(tmp_path: Path) -> None:
    write(tmp_path, app__js=SCRIPT, other__js=SCRIPT)
    (tmp_path / "app.js.zst").write_bytes(b"zstd")
    (tmp_path / "other.js.zstd").write_bytes(b"a file of its own")
    for ask in both(tmp_path):
        coded = ask("GET", "/app.js", [("accept-encoding", "zstd, gzip")])
        assert (coded.headers["content-encoding"], coded.body) == ("zstd", b"zstd")
        assert ask("GET", "/other.js", [("accept-encoding", "zstd")]).body == SCRIPT
        assert ask("GET", "/other.js.zstd").body == b"a file of its own"


@pytest.mark.parametrize("live", [[], ["*"]], ids=["scanned", "live"])
def test_a_link_out_of_a_directory_is_not_followed(live: list[str], tmp_path: Path) -> None:
    (tmp_path / "outside.txt").write_text("outside")
    (tmp_path / "static").mkdir()
    (tmp_path / "static/link.txt").symlink_to(tmp_path / "outside.txt")
    for ask in both(tmp_path / "static", live=live):
        assert ask("GET", "/link.txt").headers["x-behind"] == "yes"


def test_without_an_event_loop_of_asyncio_the_error_says_what_is_missing(tmp_path: Path) -> None:
    """As under Trio; driven by hand, so that neither is needed."""
    fill(tmp_path)

    async def never(*message: Any) -> Any:
        raise AssertionError

    coroutine = StaticASGI(root=tmp_path)(make_scope("GET", "/style.css"), never, never)
    with pytest.raises(RuntimeError, match="no running event loop"):
        coroutine.send(None)


# --- in a Django project --------------------------------------------------------------------------------------


@pytest.mark.parametrize("edge", [each for each in EDGES if each != "plan"])
@pytest.mark.usefixtures("static_root")
def test_django_adds_nothing_that_a_file_response_has(edge: str) -> None:
    for name in ("site/text.txt", "site/large/noise.bin"):
        headers = EDGES[edge]("GET", f"/static/{name}").headers
        assert "content-disposition" not in headers
        assert headers["content-type"].partition(";")[0] in ("text/plain", "application/octet-stream")


@pytest.mark.usefixtures("static_root")
def test_the_middleware_stands_in_front_of_either_kind_of_view() -> None:
    async def aview(request: Any) -> HttpResponse:
        return HttpResponse(b"view")

    def view(request: Any) -> HttpResponse:
        return HttpResponse(b"view")

    def ask(path: str) -> tuple[Any, Any]:
        request = RequestFactory().get(path)
        asynchronous: Any = AsyncStaticMiddleware(aview)(request)
        return AsyncStaticMiddleware(view)(request), asyncio.run(asynchronous)

    for response in ask("/static/site/digits.txt"):
        assert response.content == b"0123456789"
    for response in ask("/elsewhere"):
        assert response.content == b"view"


def test_what_a_finder_finds_behind_a_link_is_served_in_development_as_it_would_be_collected(tmp_path: Path) -> None:
    root = tmp_path / "root"
    (tmp_path / "outside.txt").write_text("outside")
    write(tmp_path / "source", style__css=STYLE)
    (tmp_path / "source/link.txt").symlink_to(tmp_path / "outside.txt")
    with project(tmp_path / "source", root):
        with override_settings(DEBUG=True):
            assert EDGES["middleware-sync"]("GET", "/static/link.txt").body == b"outside"
        collect()
        assert not (root / "link.txt").is_symlink()
        assert EDGES["middleware-sync"]("GET", "/static/link.txt").body == b"outside"


def test_plain_names_are_served_where_only_hashed_files_are_kept(tmp_path: Path) -> None:
    root = tmp_path / "root"
    write(
        tmp_path / "source",
        style__css=STYLE + b"b { src: url('font.woff?#iefix') } c { src: url('font.woff?v=1#x') }",
        font__woff=b"font",
    )
    with project(tmp_path / "source", root, keep_only_hashed_files=True):
        collect()
        hashed = names(root)["style.css"]
        assert [each.name for each in root.glob("style.*css")] == [hashed]
        assert (root / "staticfiles.json").exists()
        plain = EDGES["middleware-async"]("GET", "/static/style.css")
        immutable = EDGES["middleware-async"]("GET", f"/static/{hashed}")
    assert plain.body == immutable.body
    assert (plain.headers["cache-control"], "immutable" in immutable.headers["cache-control"]) == (
        "max-age=60, public",
        True,
    )
    font = names(root)["font.woff"]
    assert f"{font}?#iefix" in plain.body.decode()
    assert f"{font}?v=1#x" in plain.body.decode()


def test_a_wrong_name_is_an_error_unless_the_storage_is_not_strict(tmp_path: Path) -> None:
    write(tmp_path / "source", style__css=STYLE)
    for strict in (True, False):
        with project(tmp_path / "source", tmp_path / "root", manifest_strict=strict):
            collect()
            assert static("style.css") != "/static/style.css"
            if strict:
                with pytest.raises(ValueError, match="Missing staticfiles manifest entry"):
                    static("missing.css")
            else:
                (tmp_path / "root/late.css").write_text("late")
                assert static("late.css").startswith("/static/late.")


def test_without_codings_nothing_is_compressed(tmp_path: Path) -> None:
    write(tmp_path / "source", style__css=STYLE)
    with project(tmp_path / "source", tmp_path / "root", codings=[], levels={}):
        collect()
    resource = StaticIndex.load(tmp_path / "root" / INDEX_NAME).get("style.css")
    assert resource is not None
    assert [each.coding for each in resource.representations] == [None]


# --- the list -------------------------------------------------------------------------------------------------


def test_each_of_their_tests_has_an_answer_and_each_answer_a_test_of_theirs() -> None:
    theirs = {name for files in NAMES.values() for tests in files.values() for name in tests.split()}
    assert ANSWERS.keys() == theirs


def test_the_names_are_those_of_the_releases_that_were_read() -> None:
    """How many there are: a name that gets lost from the list would be noticed by nobody else."""
    assert {release: sum(len(tests.split()) for tests in files.values()) for release, files in NAMES.items()} == {
        "WhiteNoise 6.12.0": 89,
        "ServeStatic 4.1.0": 237,
        "ServeStatic after 4.1.0": 14,
    }
    for files in NAMES.values():
        for tests in files.values():
            assert max(Counter(tests.split()).values()) == 1


def test_what_answers_exists() -> None:
    cases = {case.name for case in CASES}
    functions = {file.name: file.read_text() for file in (REPOSITORY / "tests").glob("test_*.py")}
    for name, answer in ANSWERS.items():
        if isinstance(answer, NotAsked):
            continue
        reference = answer.test if isinstance(answer, Otherwise) else answer
        where, _, what = reference.partition(": " if ": " in reference else "::")
        known = ROWS if where == "row" else cases if where == "case" else re.findall(r"def (\w+)\(", functions[where])
        assert what in known, f"{name}: {reference}"


def test_the_page_on_migrating_has_the_counts_and_what_is_answered_otherwise() -> None:
    text = (REPOSITORY / "docs/migrating.rst").read_text()
    section = " ".join(text[text.index("\nWhat their tests ask\n") :].split())
    for number, what in counts():
        assert f"{number} {what}" in section, what
    for answer in ANSWERS.values():
        if isinstance(answer, Otherwise):
            assert f"{answer.asked} - {answer.given}" in section, answer
        elif isinstance(answer, NotAsked):
            assert answer.why in section
    assert (
        section.count("* - ") == len({answer.asked for answer in ANSWERS.values() if isinstance(answer, Otherwise)}) + 1
    )


def test_a_name_in_the_table_of_rows_is_asked_for_as_browsers_would() -> None:
    assert all(quote(row.path, safe="/%:?=&.") == row.path for row in ROWS.values())
