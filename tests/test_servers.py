"""The same answers from every server, through the middleware and through the wrapper, over real sockets."""

from __future__ import annotations

import contextlib
import re
import shutil
import subprocess
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path
from urllib.parse import quote

import pytest

from django_asyncstatic.codings import CODINGS
from django_asyncstatic.index import INDEX_NAME, Resource, StaticIndex
from tests import edges
from tests.cases import CASES
from tests.conftest import ODD_NAMES
from tests.servers import (
    ANYCORN,
    SERVERS,
    Connection,
    Response,
    RunningServer,
    Server,
    has_proc,
    raw_request,
    running,
    wait_until,
)
from tests.verify import verify_case

#: Attributes of ``tests.asgi`` and ``tests.wsgi``.
APPLICATIONS = ("middleware", "wrapper")

#: Streamed, not kept in memory; and small.
LARGE, SMALL = "site/large/noise.bin", "site/text.txt"

#: For PYTHONWARNINGS: a file left open is a line in the log; sockets are the servers' own.
LEFT_OPEN = "default::ResourceWarning,ignore:unclosed <socket:ResourceWarning"

#: Headers in which two answers of one server may differ.
OF_THE_CONNECTION = ("connection", "date", "keep-alive", "server")


@dataclass(frozen=True)
class Site:
    """A running server, and what it has to serve."""

    server: Server
    running: RunningServer
    root: Path
    index: StaticIndex

    def resource(self, path: str) -> Resource:
        resource = self.index.get(path)
        assert resource is not None
        return resource

    def bytes_of(self, path: str) -> bytes:
        return (self.root / self.resource(path).identity.file).read_bytes()

    def request(
        self, method: str, path: str, headers: list[tuple[str, str]] | None = None, body: bytes = b""
    ) -> Response:
        return raw_request(self.running.url, method, path, headers or [], body)

    def ask(self, method: str, path: str, fields: list[tuple[str, str]]) -> edges.Response:
        """As the edges in process are asked."""
        response = self.request(method, path, fields)
        return edges.Response(response.status, dict(response.headers), response.body)

    def get(self, path: str, **fields: str) -> Response:
        """GET a path of the index; ``if_none_match="*"`` is a field."""
        headers = [(name.replace("_", "-"), value) for name, value in fields.items()]
        return self.request("GET", url_of(path), headers)

    def sample(self) -> list[str]:
        """All of the project's own files, and a few of each package's."""
        own, others = [], []
        for path in self.index:
            (own if path.startswith("site/") else others).append(path)
        return own + others[:: len(others) // 10]


def url_of(path: str) -> str:
    return "/static/" + quote(path)


# --- the checks ----------------------------------------------------------------------------------------------


def every_path_of_the_index_answers_with_the_files_bytes(site: Site) -> None:
    for path in site.sample():
        response = site.get(path)
        assert response.status == 200, path
        assert response.body == site.bytes_of(path), path
        assert response.get("content-encoding") is None, path
        assert response.get("content-length") == str(len(response.body)), path
        assert response.get("etag") == site.resource(path).identity.etag, path
        assert (response.get("content-type") or "").startswith(site.resource(path).media_type), path


def every_coding_decodes_to_the_files_bytes(site: Site) -> None:
    negotiated = set()
    for path in site.sample():
        for token, coding in CODINGS.items():
            response = site.get(path, accept_encoding=token)
            has_coding = any(each.coding == token for each in site.resource(path).representations)
            assert response.status == 200, (path, token)
            assert response.get("content-encoding") == (token if has_coding else None), (path, token)
            body = coding.decode(response.body) if has_coding else response.body
            assert body == site.bytes_of(path), (path, token)
            if has_coding:
                negotiated.add(token)
    assert negotiated == set(CODINGS)


def repeated_lines_of_accept_encoding_are_one_list(site: Site) -> None:
    lines = [("accept-encoding", "gzip;q=0.5"), ("Accept-Encoding", "br"), ("accept-encoding", "zstd;q=0.1")]
    assert site.request("GET", url_of(SMALL), lines).get("content-encoding") == "br"
    lines = [("accept-encoding", "br;q=0, zstd;q=0"), ("accept-encoding", "gzip;q=0.1, identity;q=0")]
    assert site.request("GET", url_of(SMALL), lines).get("content-encoding") == "gzip"


def the_etag_gives_304_without_a_body(site: Site) -> None:
    for path in (SMALL, LARGE):
        for token in ("identity", "br"):
            whole = site.get(path, accept_encoding=token)
            etag = whole.get("etag")
            assert etag is not None
            response = site.get(path, accept_encoding=token, if_none_match=f'"other", W/{etag}')
            assert response.status == 304, (path, token)
            assert response.body == b""
            assert response.get("etag") == etag
            assert response.get("cache-control") == whole.get("cache-control")
            assert response.get("vary") == whole.get("vary")
            assert response.get("content-encoding") is None


def head_has_the_headers_of_get_and_no_body(site: Site) -> None:
    for path in (SMALL, LARGE, "site/empty.txt"):
        for token in ("identity", "zstd"):
            get = site.get(path, accept_encoding=token)
            head = site.request("HEAD", url_of(path), [("accept-encoding", token)])
            assert head.status == 200, path
            assert head.body == b""
            assert comparable(head) == comparable(get), path
    ranged = site.request("HEAD", url_of(LARGE), [("range", "bytes=0-9")])
    assert (ranged.status, ranged.get("content-length")) == (200, str(len(site.bytes_of(LARGE))))


def a_range_gives_206_with_these_bytes(site: Site) -> None:
    for path in (SMALL, LARGE):
        whole = site.bytes_of(path)
        size = len(whole)
        ranges = {
            "bytes=0-0": (0, 1),
            "bytes=-1": (size - 1, size),
            "bytes=-1000": (size - 1000, size),
            f"bytes={size - 3}-": (size - 3, size),
            f"bytes={size - 3}-{size + 100}": (size - 3, size),
            "bytes=5-19999": (5, 20_000),
            "bytes=0-": (0, size),
        }
        for field, (start, stop) in ranges.items():
            response = site.get(path, range=field)
            assert response.status == 206, (path, field)
            assert response.body == whole[start:stop], (path, field)
            assert response.get("content-length") == str(stop - start), (path, field)
            assert response.get("content-range") == f"bytes {start}-{stop - 1}/{size}", (path, field)
    # Large enough to be streamed, and not to the end of the file.
    assert site.get(LARGE, range="bytes=1000-2000999").body == site.bytes_of(LARGE)[1000:2_001_000]


def a_range_past_the_end_gives_416(site: Site) -> None:
    for path in (SMALL, LARGE):
        size = len(site.bytes_of(path))
        response = site.get(path, range=f"bytes={size}-")
        assert response.status == 416, path
        assert response.body == b""
        assert response.get("content-range") == f"bytes */{size}"
        assert response.get("content-encoding") is None


def other_methods_give_405(site: Site) -> None:
    for method in ("POST", "PUT", "DELETE"):
        response = site.request(method, url_of(SMALL), [("content-length", "4")], b"body")
        assert response.status == 405, method
        assert response.get("allow") == "GET, HEAD, OPTIONS"
        assert response.body == b""


def names_that_are_percent_encoded_are_found(site: Site) -> None:
    for name in ODD_NAMES:
        path = f"site/names/{name}"
        assert "%" in url_of(path)
        for url in (url_of(path), url_of(path).replace("%", "%25", 1)):
            response = site.request("GET", url)
            if url == url_of(path):
                assert (response.status, response.body) == (200, name.encode()), url
            else:  # decoded once, not twice
                assert response.status == 404, url


def a_static_name_that_is_missing_is_djangos_404(site: Site) -> None:
    for path in ("site/missing.css", "site", "site/", "", "../settings.py", "site/☃"):
        response = site.get(path)
        assert response.status == 404, path
        assert (response.get("content-type") or "").startswith("text/html"), path
        assert b"The requested resource was not found on this server." in response.body, path


def a_request_of_the_applications_reaches_it_untouched(site: Site) -> None:
    headers = [("content-length", "11"), ("content-type", "text/plain")]
    response = site.request("POST", "/echo/", headers, b"hello world")
    assert response.status == 200
    assert response.get("x-answered-by") == "application"
    assert response.body == b"application POST echo/ hello world"
    assert site.request("GET", "/robots.txt").body == b"application GET robots.txt "


def every_kind_of_answer_is_followed_by_another_on_the_connection(site: Site) -> None:
    if not site.server.keeps_alive:
        with Connection(site.running.url) as connection:
            response = connection.request("GET", url_of(SMALL))
            assert response.get("connection") == "close"
            assert connection.rest() == b""
        return
    etag = site.resource(SMALL).identity.etag
    requests: list[tuple[str, str, list[tuple[str, str]], int]] = [
        ("GET", SMALL, [], 200),
        ("GET", LARGE, [], 200),
        ("GET", SMALL, [("accept-encoding", "br")], 200),
        ("GET", SMALL, [("range", "bytes=1-5")], 206),
        ("GET", LARGE, [("range", "bytes=1-1999999")], 206),
        ("GET", SMALL, [("if-none-match", etag)], 304),
        ("GET", LARGE, [("if-match", '"other"')], 412),
        ("GET", LARGE, [("range", "bytes=9000000-")], 416),
        ("HEAD", SMALL, [], 200),
        ("HEAD", LARGE, [], 200),
        ("POST", SMALL, [("content-length", "0")], 405),
        ("OPTIONS", SMALL, [], 200),
        ("GET", "site/empty.txt", [], 200),
        ("GET", "site/missing.css", [], 404),
    ]
    with contextlib.ExitStack() as stack:
        connection = stack.enter_context(Connection(site.running.url))
        for method, path, headers, status in requests:
            answer = connection.request(method, url_of(path), headers)
            assert answer.status == status, (method, path, headers)
            if answer.get("connection") == "close":  # waitress, after a 304
                assert connection.rest() == b""
                connection = stack.enter_context(Connection(site.running.url))
            # One byte too many or too few before, and this is not the answer.
            after = connection.request("GET", url_of("site/one.txt"))
            assert (after.status, after.body) == (200, site.bytes_of("site/one.txt")), (method, path, headers)
        connection.request("GET", url_of("site/one.txt"), [("connection", "close")])
        assert connection.rest() == b""


def a_client_that_leaves_in_the_middle_costs_nothing(site: Site) -> None:
    file = site.root / site.resource(LARGE).identity.file
    for _ in range(3):
        with Connection(site.running.url, receive_buffer=4096) as connection:
            connection.send("GET", url_of(LARGE))
            assert connection.receive_some(1000).startswith(b"HTTP/1.1 200 ")
            if site.server.waits_for_client and has_proc():
                assert site.running.has_open(file), "the response was over before the client left"
            connection.abort()
    assert site.get(SMALL).body == site.bytes_of(SMALL)
    assert site.get(LARGE).body == site.bytes_of(LARGE)
    if has_proc():
        assert wait_until(lambda: not site.running.has_open(file)), "the file is still open"


def the_table_of_cases_holds(site: Site) -> None:
    for case in CASES:
        verify_case(case, site.root, site.ask)


CHECKS: tuple[Callable[[Site], None], ...] = (
    the_table_of_cases_holds,
    every_path_of_the_index_answers_with_the_files_bytes,
    every_coding_decodes_to_the_files_bytes,
    repeated_lines_of_accept_encoding_are_one_list,
    the_etag_gives_304_without_a_body,
    head_has_the_headers_of_get_and_no_body,
    a_range_gives_206_with_these_bytes,
    a_range_past_the_end_gives_416,
    other_methods_give_405,
    names_that_are_percent_encoded_are_found,
    a_static_name_that_is_missing_is_djangos_404,
    a_request_of_the_applications_reaches_it_untouched,
    every_kind_of_answer_is_followed_by_another_on_the_connection,
    a_client_that_leaves_in_the_middle_costs_nothing,
)

#: What the middleware and the wrapper must answer alike: method, URL path, headers.
COMPARED: tuple[tuple[str, str, list[tuple[str, str]]], ...] = (
    ("GET", url_of(SMALL), []),
    ("GET", url_of(SMALL), [("accept-encoding", "gzip, br")]),
    ("GET", url_of(SMALL), [("range", "bytes=3-7")]),
    ("GET", url_of(SMALL), [("range", "bytes=9000000-")]),
    ("GET", url_of(SMALL), [("if-none-match", "*")]),
    ("GET", url_of(SMALL), [("if-match", '"other"')]),
    ("GET", url_of(LARGE), []),
    ("GET", url_of(LARGE), [("range", "bytes=1-2000000")]),
    ("GET", url_of("site/empty.txt"), []),
    ("GET", url_of("site/names/☃ snow+man.txt"), []),
    ("HEAD", url_of(SMALL), []),
    ("HEAD", url_of(LARGE), []),
    ("POST", url_of(SMALL), [("content-length", "0")]),
    ("OPTIONS", url_of(SMALL), []),
    ("OPTIONS", url_of(SMALL), [("origin", "https://a.test"), ("access-control-request-method", "GET")]),
    ("GET", url_of("site/missing.css"), []),
    ("GET", "/", []),
)


def comparable(response: Response) -> list[tuple[str, str]]:
    """The headers that say something of the resource, in an order of their own."""
    return sorted(pair for pair in response.headers if pair[0] not in OF_THE_CONNECTION)


# --- the tests -----------------------------------------------------------------------------------------------


@pytest.mark.parametrize("name", SERVERS)
def test_a_server_answers_alike_through_the_middleware_and_the_wrapper(
    name: str, collected: Path, server_environment: dict[str, str], subtests: pytest.Subtests
) -> None:
    # One test per server, so that each is started once with each application, on whatever worker of xdist.
    server = SERVERS[name]
    index = StaticIndex.load(collected / INDEX_NAME)
    environment = {**server_environment, "PYTHONWARNINGS": LEFT_OPEN}
    sites: dict[str, Site] = {}
    with contextlib.ExitStack() as stack:
        for application in APPLICATIONS:
            with subtests.test("it starts", application=application):
                started = running(server, f"tests.{server.interface}:{application}", environment)
                sites[application] = Site(server, stack.enter_context(started), collected, index)
        for application, site in sites.items():
            for check in CHECKS:
                with subtests.test(check.__name__.replace("_", " "), application=application):
                    check(site)
        if len(sites) == len(APPLICATIONS):
            for method, path, headers in COMPARED:
                with subtests.test("both answer alike", request=f"{method} {path} {headers}"):
                    behind, in_front = (
                        sites[application].request(method, path, headers) for application in APPLICATIONS
                    )
                    assert in_front.status == behind.status
                    assert comparable(in_front) == comparable(behind)
                    assert in_front.body == behind.body
    for application, site in sites.items():
        with subtests.test("its log is clean", application=application):
            assert site.running.problems() == []


def test_anycorn_is_given_descriptors_of_large_files(collected: Path, server_environment: dict[str, str]) -> None:
    with running(ANYCORN, "tests.asgi:wrapper", server_environment) as started:
        site = Site(ANYCORN, started, collected, StaticIndex.load(collected / INDEX_NAME))
        a_range_gives_206_with_these_bytes(site)
        every_kind_of_answer_is_followed_by_another_on_the_connection(site)
        assert site.get(LARGE).body == site.bytes_of(LARGE)
        assert started.problems() == []
        a_client_that_leaves_in_the_middle_costs_nothing(site)  # but for a traceback of anycorn's own


def test_gunicorn_sends_whole_files_and_parts_of_them_by_itself(
    collected: Path, server_environment: dict[str, str], tmp_path: Path
) -> None:
    if shutil.which("strace") is None:
        pytest.skip("strace is not installed")
    server, index = SERVERS["gunicorn-gthread"], StaticIndex.load(collected / INDEX_NAME)
    for application in APPLICATIONS:
        with running(server, f"tests.wsgi:{application}", server_environment) as started:
            site = Site(server, started, collected, index)
            assert site.get(SMALL).status == 200
            calls = tmp_path / application
            attached = [part for process in started.processes() for part in ("-p", str(process))]
            with subprocess.Popen(
                ["strace", "-f", "-qq", "-e", "trace=sendfile", "-o", str(calls), *attached], stderr=subprocess.PIPE
            ) as strace:
                try:
                    if not wait_until(lambda: has_tracer(started) or strace.poll() is not None):
                        raise AssertionError("strace did not attach")
                    if strace.poll() is not None:
                        pytest.skip("strace may not attach here")
                    assert site.get(LARGE).body == site.bytes_of(LARGE)
                    assert site.get(LARGE, range="bytes=1000-1999999").body == site.bytes_of(LARGE)[1000:2_000_000]
                finally:
                    strace.terminate()
            sent = sum(map(int, re.findall(r"sendfile.* = (\d+)$", calls.read_text(), re.MULTILINE)))
            assert sent == len(site.bytes_of(LARGE)) + 2_000_000 - 1000, application


def has_tracer(started: RunningServer) -> bool:
    statuses = [Path(f"/proc/{process}/status").read_text() for process in started.processes()]
    return all("TracerPid:\t0" not in status for status in statuses)
