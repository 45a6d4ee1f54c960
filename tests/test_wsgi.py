"""The WSGI wrapper around any application, or none, without Django's settings."""

from __future__ import annotations

import wsgiref.validate
from collections.abc import Callable, Iterable
from io import BytesIO, StringIO
from pathlib import Path
from typing import Any
from wsgiref.util import FileWrapper
from wsgiref.validate import validator

import pytest
from django.core.wsgi import get_wsgi_application as get_django_application

from django_asyncstatic.serving.streams import ContentChanged
from django_asyncstatic.wsgi import StaticWSGI
from tests.edges import ask_wsgi, make_environ
from tests.programs import output_of

LARGE = "site/large/noise.bin"


def application(environ: dict[str, Any], start_response: Callable[..., Any]) -> Iterable[bytes]:
    """What stands behind: says so, and echoes the request's body."""
    body = b"behind " + environ["wsgi.input"].read()
    start_response("200 OK", [("x-behind", "yes"), ("content-length", str(len(body))), ("content-type", "text/plain")])
    return [body]


@pytest.fixture
def static(collected: Path) -> StaticWSGI:
    return StaticWSGI(application, root=collected, prefix="static")


def test_it_serves_its_prefix_and_passes_on_the_rest(static: StaticWSGI) -> None:
    assert ask_wsgi(static, "GET", "/static/site/digits.txt").body == b"0123456789"
    for path in ("/", "/elsewhere", "/static", "/staticsite/digits.txt", "/static/missing", "/static/%ff"):
        response = ask_wsgi(static, "GET", path)
        assert (response.body, response.headers["x-behind"]) == (b"behind ", "yes")


def test_without_an_application_everything_else_is_a_404(collected: Path) -> None:
    static = StaticWSGI(root=collected, prefix="/static/")
    assert ask_wsgi(static, "GET", "/static/site/digits.txt").status == 200
    response = ask_wsgi(static, "GET", "/elsewhere")
    assert (response.status, response.body, response.headers["content-length"]) == (404, b"Not Found", "9")
    assert ask_wsgi(static, "HEAD", "/elsewhere").body == b""


def test_a_name_that_is_not_ascii_is_found(static: StaticWSGI) -> None:
    assert ask_wsgi(static, "GET", "/static/site/names/caf%C3%A9.txt").body == "café.txt".encode()


def test_the_bodies_of_requests_are_left_unread(static: StaticWSGI) -> None:
    response = ask_wsgi(static, "POST", "/upload", **{"wsgi.input": BytesIO(b"upload")})
    assert response.body == b"behind upload"


@pytest.mark.parametrize("method", ["GET", "HEAD", "POST", "OPTIONS"])
@pytest.mark.parametrize(
    "fields", [(), (("range", "bytes=5-700000"),), (("if-none-match", "*"),)], ids=["", "range", "304"]
)
@pytest.mark.parametrize("path", ["site/text.txt", LARGE, "missing"])
@pytest.mark.parametrize("has_wrapper", [True, False], ids=["file-wrapper", "no-file-wrapper"])
def test_the_protocol_is_kept(
    collected: Path,
    path: str,
    fields: tuple[tuple[str, str], ...],
    method: str,
    has_wrapper: bool,
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    """``wsgiref.validate`` between us and a server.

    It wants a Content-Type on every answer but 204 and 304; PEP 3333 does not, and an answer without a body
    (405, 416) has nothing that the field could describe.
    """
    monkeypatch.setattr(wsgiref.validate, "check_content_type", lambda status, headers: None)
    static = validator(StaticWSGI(root=collected, prefix="static"))  # type: ignore[arg-type]
    environ = make_environ(method, f"/static/{path}", fields, **{"wsgi.errors": StringIO()})
    if has_wrapper:
        environ["wsgi.file_wrapper"] = FileWrapper
    lengths = []

    def start_response(status: str, headers: list[tuple[str, str]], exc_info: Any = None) -> Any:
        lengths.append(0 if method == "HEAD" or status.startswith("304") else int(dict(headers)["content-length"]))
        return lambda data: None

    result: Any = static(environ, start_response)
    body = b"".join(result)
    result.close()
    assert lengths == [len(body)]


def test_a_whole_large_file_goes_through_the_servers_file_wrapper(static: StaticWSGI) -> None:
    files: list[Any] = []

    def file_wrapper(file: Any, size: int) -> Any:
        files.append(file)
        return FileWrapper(file, size)

    environ = {"wsgi.file_wrapper": file_wrapper}
    assert len(ask_wsgi(static, "GET", f"/static/{LARGE}", **environ).body) == 3_000_000
    with pytest.raises(ValueError, match="closed file"):
        files[0].fileno()
    # A wrapper runs to the end of the file, so a range is not given to it.
    part = ask_wsgi(static, "GET", f"/static/{LARGE}", [("range", "bytes=100-999999")], **environ)
    assert len(part.body) == 999_900
    assert len(files) == 1


def test_a_response_that_is_not_read_closes_its_file(static: StaticWSGI) -> None:
    """An open file would be a ResourceWarning, and that an error."""
    result: Any = static(make_environ("GET", f"/static/{LARGE}"), lambda status, headers: None)
    next(iter(result))
    result.close()


def test_a_file_that_is_cut_while_it_is_sent_breaks_the_connection(tmp_path: Path) -> None:
    file = tmp_path / "large.bin"
    file.write_bytes(b"x" * 2_000_000)
    static = StaticWSGI(root=tmp_path)
    result: Any = static(make_environ("GET", "/large.bin"), lambda status, headers: None)
    file.write_bytes(b"x" * 300_000)
    with pytest.raises(ContentChanged, match=r"large\.bin was cut"):
        list(result)
    result.close()


@pytest.mark.usefixtures("static_root")
def test_it_stands_in_front_of_django_as_one_changed_import() -> None:
    from django_asyncstatic.wsgi import get_wsgi_application

    ours, theirs = get_wsgi_application(), get_django_application()
    assert ask_wsgi(ours, "GET", "/static/site/digits.txt").body == b"0123456789"
    mine, django = (ask_wsgi(each, "GET", "/some/page?query=1") for each in (ours, theirs))
    assert mine == django


def test_a_worker_that_serves_imports_nothing_that_only_a_collect_or_a_loop_needs(collected: Path) -> None:
    """Ticket 30451: a sync user does not pay for async."""
    program = """
import sys
from django_asyncstatic.wsgi import StaticWSGI
environ = {"REQUEST_METHOD": "GET", "PATH_INFO": "/static/site/digits.txt"}
application = StaticWSGI(root=sys.argv[1], prefix="static")
assert application(environ, lambda status, headers: None) == [b"0123456789"]
print(sorted({"aiofiles", "asyncio", "brotli", "backports.zstd", "gzip"} & sys.modules.keys()))
"""
    assert output_of(program, collected).strip() == "[]"
