"""The family "delivery": headers as they would be sent, and a running site against the index."""

from __future__ import annotations

import gzip
import json
import os
import random
import shutil
import socket
import subprocess
import threading
import time
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import pytest
from django.core.management import call_command
from django.middleware.security import SecurityMiddleware
from django.test import override_settings

from django_asyncstatic.codings import CODINGS
from django_asyncstatic.diagnosing import asking
from django_asyncstatic.diagnosing.asking import Answer, Asker, InvalidURL, shown
from django_asyncstatic.diagnosing.collected import read_lines
from django_asyncstatic.diagnosing.content_security import is_another_host
from django_asyncstatic.diagnosing.decoding import DECODERS, decode
from django_asyncstatic.diagnosing.delivery import header_rows
from django_asyncstatic.diagnosing.differences import compare_head, compare_tags
from django_asyncstatic.diagnosing.expected import choose_extremes, choose_families, directives_of
from django_asyncstatic.diagnosing.findings import Finding, run_checks
from django_asyncstatic.diagnosing.project import Project
from django_asyncstatic.index import INDEX_NAME, StaticIndex
from tests.proxies import Alteration, Request, altering, nginx, speaking, with_header
from tests.servers import SERVERS, Response, RunningServer, free_port, running
from tests.test_checkstatic import run

MIDDLEWARE = ["django_asyncstatic.middleware.AsyncStaticMiddleware"]

#: A file or two of each family. Text shrinks, noise does not.
FILES = {
    "app.css": b"body { color: red }\n" * 40,
    "app.js": b"console.log('a line of it');\n" * 40,
    "app.js.map": json.dumps({"version": 3, "names": [f"name{n}" for n in range(200)]}).encode(),
    "data.json": json.dumps(list(range(400))).encode(),
    "empty.txt": b"",
    "font.woff2": random.Random(2).randbytes(3000),
    "module.wasm": b"\0asm" + b"\1\2\3\4" * 300,
    "page.html": b"<p>A page that is collected.</p>\n" * 30,
    "photo.png": random.Random(1).randbytes(9000),
    "video.mp4": random.Random(3).randbytes(5_000_000),  # above what is asked for whole
}


def collect(root: Path, files: dict[str, bytes], **settings: Any) -> Path:
    """A STATIC_ROOT with these files collected, and nothing else."""
    source = root.with_name(root.name + "-source")
    for name, content in files.items():
        (source / name).parent.mkdir(parents=True, exist_ok=True)
        (source / name).write_bytes(content)
    apps = ["django_asyncstatic", "django.contrib.staticfiles"]
    with override_settings(STATIC_ROOT=root, STATICFILES_DIRS=[source], INSTALLED_APPS=apps, **settings):
        call_command("collectstatic", interactive=False, verbosity=0)
    return root


@pytest.fixture(scope="module")
def site_root(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return collect(tmp_path_factory.mktemp("delivery") / "root", FILES)


@pytest.fixture
def project(site_root: Path) -> Iterator[Path]:
    with override_settings(STATIC_ROOT=site_root):
        yield site_root


@pytest.fixture(scope="module")
def upstream(site_root: Path) -> Iterator[RunningServer]:
    """The right project, served by uvicorn."""
    with running(SERVERS["uvicorn"], "tests.asgi:wrapper", serving(site_root)) as server:
        yield server


def serving(root: Path) -> dict[str, str]:
    return {**os.environ, "DJANGO_SETTINGS_MODULE": "tests.settings", "ASYNCSTATIC_TEST_ROOT": str(root)}


def found(**options: Any) -> list[Finding]:
    return run_checks(["delivery"], **options)


def ids(findings: list[Finding]) -> set[str]:
    return {finding.id.rpartition(".")[2] for finding in findings}


def told(findings: list[Finding]) -> str:
    return "\n".join(f"{finding.id} {finding.message} {finding.hint}" for finding in findings)


# --- headers as they would be sent ------------------------------------------------------------------------------


@pytest.mark.usefixtures("project")
def test_a_right_project_has_no_finding() -> None:
    assert found() == []


def test_the_headers_of_each_family_are_those_that_serving_sends(project: Path, upstream: RunningServer) -> None:
    from tests.servers import raw_request

    rows = header_rows(Project())
    assert {row.family for row in rows} == {
        "stylesheets", "scripts", "source maps", "json", "fonts", "wasm", "html", "images", "audio, video", "other",
    }  # fmt: skip
    assert {(row.family, row.is_hashed) for row in rows} == {
        (family, is_hashed) for family in {row.family for row in rows} for is_hashed in (True, False)
    }
    for row in rows:
        response = raw_request(upstream.url, "HEAD", f"/static/{row.name}", [("accept-encoding", "identity")])
        assert dict(response.headers).items() >= row.headers.items(), row.name


@pytest.mark.usefixtures("project")
def test_the_command_shows_the_headers_as_a_table_if_the_family_is_asked_for() -> None:
    status, text = run(tag=["delivery"])
    assert status == 0
    assert "all: x-content-type-options: nosniff" in text
    (line,) = [line for line in text.splitlines() if line.startswith("stylesheets") and "hashed" in line]
    assert "gzip br zstd" in line
    assert "max-age=315360000, public, immutable" in line
    assert "nosniff" not in run()[1]
    assert json.loads(run(tag=["delivery"], format="json")[1])["findings"] == []


def test_a_sample_has_what_shows_most_for_the_fewest_bytes(tmp_path: Path) -> None:
    files = {"a.css": b"a{}", "b.css": FILES["app.css"], "c.css": FILES["app.css"] * 3, "big.bin": b"x" * 99_999}
    collected = read_lines(StaticIndex.load(collect(tmp_path / "root", files) / INDEX_NAME))
    hashed, plain = choose_families(collected)["stylesheets"]
    assert hashed.startswith("b.")
    assert plain == "b.css"
    smallest, largest = choose_extremes(collected)
    assert smallest.startswith("a.")
    assert largest.startswith("big.")


def test_what_only_an_earlier_release_had_is_not_in_the_sample(tmp_path: Path) -> None:
    root = collect(tmp_path / "root", {"old.css": FILES["app.css"]})
    (tmp_path / "root-source/old.css").unlink()
    collect(root, {"new.js": FILES["app.js"]})
    index = StaticIndex.load(root / INDEX_NAME)
    assert "old.css" in index
    assert set(choose_families(read_lines(index))) == {"scripts"}
    assert all(name.startswith("new.") for name in choose_extremes(read_lines(index)))


def breaks(headers: Any, path: str, url: str) -> None:
    if url.endswith(".woff2"):
        raise ZeroDivisionError("of course")


def splits(headers: Any, path: str, url: str) -> None:
    headers["x-own"] = "one\r\nx-other: two"


def exits(headers: Any, path: str, url: str) -> None:
    raise SystemExit(3)


def shortens(headers: Any, path: str, url: str) -> None:
    headers["Cache-Control"] = "max-age=60"


def lengthens(headers: Any, path: str, url: str) -> None:
    headers["Cache-Control"] = "max-age=99999999, immutable"


def adds(headers: Any, path: str, url: str) -> None:
    headers["Cross-Origin-Resource-Policy"] = "cross-origin"


@pytest.mark.parametrize(
    ("settings", "expected", "what"),
    [
        ({"ASYNCSTATIC_ADD_HEADERS_FUNCTION": adds}, set(), ""),
        ({"ASYNCSTATIC_ADD_HEADERS_FUNCTION": breaks}, {"E070"}, "ZeroDivisionError: of course"),
        ({"ASYNCSTATIC_ADD_HEADERS_FUNCTION": splits}, {"E070"}, "cannot be sent"),
        ({"ASYNCSTATIC_ADD_HEADERS_FUNCTION": exits}, {"E070"}, "SystemExit: 3"),
        ({"ASYNCSTATIC_ADD_HEADERS_FUNCTION": shortens}, {"W043"}, "Names with a hash are not sent as immutable"),
        ({"ASYNCSTATIC_ADD_HEADERS_FUNCTION": lengthens}, {"W043"}, "Names without a hash are sent as immutable"),
        ({"ASYNCSTATIC_IMMUTABLE_FILE_TEST": lambda path, url: 1 / 0}, {"E070"}, "ZeroDivisionError"),
        ({"ASYNCSTATIC_IMMUTABLE_FILE_TEST": r"\.js$"}, {"W043"}, "(app.js)"),
        ({"ASYNCSTATIC_IMMUTABLE_FILE_TEST": "vite"}, set(), ""),
        ({"ASYNCSTATIC_IMMUTABLE_FILE_TEST": lambda path, url: url == "/static/app.css"}, {"W043"}, "(app.css)"),
        ({"ASYNCSTATIC_MAX_AGE": None}, {"I072"}, "without Cache-Control"),
        ({"ASYNCSTATIC_MAX_AGE": 0}, set(), ""),
        ({"MIDDLEWARE": MIDDLEWARE}, {"I071"}, "nosniff"),
        ({"SECURE_CONTENT_TYPE_NOSNIFF": False}, {"I071"}, "nosniff"),
        ({"STATIC_URL": "https://cdn.test/", "ASYNCSTATIC_ALLOW_ALL_ORIGINS": False}, {"W042"}, "font."),
        ({"STATIC_URL": "https://cdn.test/"}, set(), ""),
        ({"STATIC_URL": "/static/", "ASYNCSTATIC_ALLOW_ALL_ORIGINS": False}, set(), ""),
        (
            {
                "STATIC_URL": "https://own.test/",
                "ASYNCSTATIC_ALLOW_ALL_ORIGINS": False,
                "ALLOWED_HOSTS": ["own.test"],
            },
            set(),
            "",
        ),
    ],
    ids=[
        "adds",
        "breaks",
        "splits",
        "exits",
        "shortens",
        "lengthens",
        "test-breaks",
        "pattern",
        "vite",
        "test",
        "no-max-age",
        "max-age-0",
        "no-security",
        "no-nosniff",
        "cdn-without-cors",
        "cdn",
        "same-host",
        "own-host",
    ],
)
@pytest.mark.usefixtures("project")
def test_headers_that_do_harm_are_found(settings: dict[str, Any], expected: set[str], what: str) -> None:
    with override_settings(**settings):
        findings = found()
    assert ids(findings) == expected, told(findings)
    assert what in told(findings)
    assert len(findings) <= 1


@pytest.mark.usefixtures("project")
def test_a_function_that_fails_is_named_with_the_line_that_failed() -> None:
    with override_settings(ASYNCSTATIC_ADD_HEADERS_FUNCTION=breaks):
        (finding,) = found()
        assert "delivery" not in run(tag=["delivery"])[1].partition("E070")[0]
    assert finding.place is not None
    assert finding.place.file.endswith("test_check_delivery.py")
    lines = Path(__file__).read_text().splitlines()
    assert 'raise ZeroDivisionError("of course")' in lines[(finding.place.line or 0) - 1]
    with override_settings(ASYNCSTATIC_ADD_HEADERS_FUNCTION=splits):
        (finding,) = found()
    assert finding.place is not None
    assert "def splits" in lines[(finding.place.line or 0) - 1] or "x-own" in lines[(finding.place.line or 0) - 1]


class Constructed(SecurityMiddleware):
    """Remembers that it was constructed."""

    times = 0

    def __init__(self, get_response: Any) -> None:
        super().__init__(get_response)
        Constructed.times += 1


@pytest.mark.usefixtures("project")
def test_middleware_is_constructed_only_where_that_is_wanted() -> None:
    with override_settings(MIDDLEWARE=["tests.test_check_delivery.Constructed"], SECURE_CONTENT_TYPE_NOSNIFF=False):
        Constructed.times = 0
        assert found(instantiate=False) == []
        assert Constructed.times == 0
        assert ids(found()) == {"I071"}
        assert Constructed.times > 0


def test_without_an_index_nothing_is_said_of_headers(tmp_path: Path) -> None:
    with override_settings(STATIC_ROOT=tmp_path):
        assert found() == []


# --- Content-Security-Policy ------------------------------------------------------------------------------------

DJANGO_CSP = "django.middleware.csp.ContentSecurityPolicyMiddleware"
PACKAGE_CSP = "csp.middleware.CSPMiddleware"


@pytest.mark.parametrize(
    ("static_url", "directives", "expected"),
    [
        ("/static/", {}, set()),
        ("/static/", {"default-src": ["'self'"]}, set()),
        ("/static/", {"default-src": ["'none'"]}, {"default-src"}),
        ("/static/", {"default-src": []}, {"default-src"}),
        ("/static/", {"default-src": ["'self'"], "font-src": ["'none'"]}, {"font-src"}),
        ("/static/", {"default-src": ["'none'"], "style-src": "'self'"}, {"default-src"}),
        ("/static/", {"script-src": ["'nonce-abc'", "'strict-dynamic'"]}, set()),
        ("/static/", {"script-src": ["<CSP_NONCE_SENTINEL>"]}, set()),
        ("/static/", {"script-src": ["'unsafe-inline'"]}, {"script-src"}),
        ("/static/", {"script-src": ["https:"], "img-src": ["data:"]}, {"img-src"}),
        ("/static/", {"script-src": ["www.example.test"]}, set()),
        ("/static/", {"script-src": None, "default-src": False}, set()),
        ("https://cdn.test/s/", {"default-src": ["'self'"]}, {"default-src"}),
        ("https://cdn.test/s/", {"default-src": ["'self'", "https://cdn.test"]}, set()),
        ("https://cdn.test/s/", {"default-src": "'self' cdn.test:443"}, set()),
        ("https://cdn.test/s/", {"default-src": {"*.test"}}, set()),
        ("https://cdn.test/s/", {"default-src": ["*.other.test", "other.test"]}, {"default-src"}),
        ("https://cdn.test/s/", {"default-src": ["*"]}, set()),
        ("https://cdn.test/s/", {"default-src": ["http://["]}, {"default-src"}),
        ("https://cdn.test/s/", {"default-src": ["https://*:443"]}, set()),
        ("https://cdn.test/s/", {"default-src": ["https:"]}, set()),
        ("http://cdn.test/s/", {"default-src": ["https:"]}, {"default-src"}),
        ("https://www.example.test/s/", {"default-src": ["'self'"]}, set()),
    ],
)
@pytest.mark.usefixtures("project")
def test_a_policy_that_forbids_static_files_is_found(
    static_url: str, directives: dict[str, Any], expected: set[str]
) -> None:
    settings = {"STATIC_URL": static_url, "ALLOWED_HOSTS": ["www.example.test", "*"]}
    for middleware, policy in (
        (DJANGO_CSP, {"SECURE_CSP": directives}),
        (PACKAGE_CSP, {"CONTENT_SECURITY_POLICY": {"DIRECTIVES": directives}}),
    ):
        with override_settings(**settings, **policy, MIDDLEWARE=[]):
            assert "I063" not in ids(found(instantiate=False))  # no middleware sends it
        with override_settings(**settings, **policy, MIDDLEWARE=[middleware]):
            findings = found(instantiate=False)
            assert ids(findings) <= {"I063"}, told(findings)
            assert {finding.subject.split()[-1] for finding in findings} == expected


def test_another_host_is_one_from_which_some_page_does_not_come() -> None:
    assert not is_another_host("/static/", ["a.test"])
    assert not is_another_host("https://a.test/static/", ["a.test"])
    assert is_another_host("https://b.test/static/", ["a.test"])
    assert is_another_host("https://a.test/static/", ["a.test", "b.test"])
    assert is_another_host("https://a.test/static/", ["*"])


# --- a right site -----------------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("server", "application"),
    [
        ("uvicorn", "wrapper"),
        ("uvicorn", "middleware"),
        ("gunicorn-sync", "middleware"),
        ("gunicorn-gthread", "wrapper"),
        ("granian-asgi", "wrapper"),
        ("granian-wsgi", "middleware"),
        ("hypercorn", "wrapper"),
        ("daphne", "wrapper"),
        ("waitress", "wrapper"),
    ],
)
def test_a_site_that_serves_the_index_has_no_finding(project: Path, server: str, application: str) -> None:
    chosen = SERVERS[server]
    with running(chosen, f"tests.{chosen.interface}:{application}", serving(project)) as started:
        assert told(found(url=started.url)) == ""
    assert started.problems() == []


@pytest.mark.usefixtures("project")
def test_the_command_asks_the_site_whose_address_it_is_given(upstream: RunningServer) -> None:
    assert run(tag=["delivery"], url=upstream.url)[0] == 0
    with altering(upstream.url, of_status(200, "vary", None)) as url:
        status, text = run(tag=["delivery"], url=url)
    assert status == 1
    assert "asyncstatic.W079  Vary was removed or cut" in text


def test_nginx_in_front_of_it_is_no_finding(project: Path, upstream: RunningServer) -> None:
    with nginx(f"location / {{ proxy_pass {upstream.url}; proxy_http_version 1.1; }}") as proxy:
        assert told(found(url=proxy.url)) == ""
    with nginx(
        f"gzip on; gzip_types text/css application/json; etag off; location / {{ proxy_pass {upstream.url}; }}"
    ) as proxy:
        assert told(found(url=f"{proxy.url}/")) == ""  # what is compressed already stays as it is


def test_only_static_files_are_asked_for_with_no_cookie_and_a_name(project: Path, upstream: RunningServer) -> None:
    asked: list[Request] = []

    def record(request: Request, pass_on: Callable[[Request], Response]) -> Response:
        asked.append(request)
        return with_header(pass_on(request), "x-seen", "1")

    with altering(upstream.url, record) as url:
        assert found(url=url) == []
    assert 20 < len(asked) < 60
    assert {request.method for request in asked} == {"GET", "HEAD"}
    assert all(request.path.startswith("/static/") for request in asked)
    assert all("django-asyncstatic" in request.headers["user-agent"] for request in asked)
    assert not any(request.headers.keys() & {"cookie", "authorization"} for request in asked)


@pytest.mark.parametrize(
    ("settings", "path", "asked"),
    [
        ({"STATIC_URL": "static/"}, "", "/static/"),
        ({"STATIC_URL": "static/"}, "/app", "/app/static/"),
        ({"STATIC_URL": "static/"}, "/app/", "/app/static/"),
        ({"STATIC_URL": "/static/"}, "/app", "/static/"),
        ({"STATIC_URL": "https://cdn.test/static/"}, "", "/static/"),
        ({"STATIC_URL": "https://cdn.test/static/"}, "/app/", "/static/"),
        ({"STATIC_URL": "static/", "FORCE_SCRIPT_NAME": "/app"}, "", "/app/static/"),
        ({"STATIC_URL": "static/", "FORCE_SCRIPT_NAME": "/app"}, "/app/", "/app/static/"),
    ],
)
@pytest.mark.usefixtures("project")
def test_static_files_are_asked_for_where_browsers_find_them(
    upstream: RunningServer, settings: dict[str, Any], path: str, asked: str
) -> None:
    seen: set[str] = set()

    def record(request: Request, pass_on: Callable[[Request], Response]) -> Response:
        seen.add(request.path.rpartition("/")[0] + "/")
        return pass_on(Request(request.method, "/static/" + request.path.rpartition("/")[2], request.headers))

    with override_settings(**settings), altering(upstream.url, record) as url:
        assert told(found(url=url + path)) == ""
    assert seen == {asked}


# --- what stands between ----------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("configuration", "expected", "what"),
    [
        (
            'gzip on; gzip_types *; gzip_min_length 1; proxy_set_header Accept-Encoding "";',
            {"W077", "W078", "W079"},
            "The entity tag is weakened",
        ),
        ('proxy_set_header Accept-Encoding "";', {"W077"}, "Not compressed: expected"),
        ("proxy_hide_header Vary;", {"W079"}, "Vary was removed or cut: expected accept-encoding, received none"),
        ("proxy_hide_header ETag;", {"W078"}, "The entity tag is missing"),
        ("expires 1h;", {"W080"}, "Cache-Control of hashed names is another: expected max-age=315360000"),
        ("proxy_hide_header X-Content-Type-Options;", {"W081"}, "x-content-type-options is missing"),
        ("add_header Set-Cookie a=b;", {"W081"}, "set-cookie comes with static files"),
        ("proxy_hide_header Access-Control-Allow-Origin;", {"W081"}, "access-control-allow-origin is missing"),
        ('proxy_set_header Range "";', {"W082"}, "Range is ignored: expected 206, received 200"),
        ('proxy_set_header If-None-Match "";', {"W083"}, "If-None-Match is ignored"),
        ("proxy_hide_header Content-Type; add_header Content-Type text/plain;", {"W081"}, "content-type is another"),
        ("add_header Vary Cookie;", {"W079"}, "Vary names cookie"),
        ("proxy_intercept_errors on; error_page 404 =200 /robots.txt;", {"W050"}, "is answered with 200"),
        ("deny all;", {"E075"}, "Answered with 403"),
        ("return 302 https://login.test/;", {"E074"}, "redirects static files to https://login.test/"),
        ("return 404;", {"E075"}, "None of 20 static files"),
    ],
    ids=[
        "gzip",
        "no-coding",
        "no-vary",
        "no-etag",
        "expires",
        "no-nosniff",
        "cookie",
        "no-cors",
        "no-range",
        "no-condition",
        "type",
        "vary-cookie",
        "soft-404",
        "denied",
        "login",
        "absent",
    ],
)
def test_what_nginx_makes_of_it_is_told(
    project: Path, upstream: RunningServer, configuration: str, expected: set[str], what: str
) -> None:
    with nginx(f"location / {{ {configuration} proxy_pass {upstream.url}; }}") as proxy:
        findings = found(url=proxy.url)
    assert ids(findings) == expected, told(findings)
    assert what in told(findings)
    if not expected & {"E074"}:
        assert "server: nginx" in findings[0].hint or "E075" in expected


def test_a_catch_all_for_a_single_page_application_is_told(project: Path, tmp_path: Path) -> None:
    shutil.copytree(project, tmp_path / "static")
    (tmp_path / "index.html").write_text("<div id=root></div>")
    with nginx(f"root {tmp_path}; location / {{ try_files $uri /index.html; }}") as proxy:
        findings = found(url=proxy.url)
    assert "W050" in ids(findings)
    assert "answered with 200: text/html" in told(findings)
    assert {"W077", "W080", "W081"} <= ids(findings)  # nginx knows neither the representations nor the hashes


def test_whitenoise_in_our_place_is_told_and_nothing_crashes(project: Path, tmp_path: Path) -> None:
    pytest.importorskip("whitenoise")
    (tmp_path / "peer.py").write_text(
        "from django_asyncstatic.wsgi import _nothing_behind\n"
        "from whitenoise import WhiteNoise\n"
        f"application = WhiteNoise(_nothing_behind, root={str(project)!r}, prefix='static/', max_age=60)\n"
    )
    environment = {**os.environ, "PYTHONPATH": os.pathsep.join([str(Path(__file__).parents[1]), str(tmp_path)])}
    with running(SERVERS["gunicorn-sync"], "peer:application", environment, tmp_path) as server:
        findings = found(url=server.url)
    assert {"W077", "W078", "W080", "W081", "W082"} <= ids(findings), told(findings)
    assert "One strong entity tag for several codings" in told(findings)
    assert "If-Range is ignored" in told(findings)
    assert "W099" not in ids(findings)


def recompresses(request: Request, pass_on: Callable[[Request], Response]) -> Response:
    """As a proxy does that knows gzip only and keeps the tag."""
    response = pass_on(request.without("accept-encoding"))
    accepts = "gzip" in request.headers["accept-encoding"].split(", ")
    if response.status == 200 and request.method == "GET" and accepts and b"\n" in response.body[:100]:
        body = gzip.compress(response.body, 1)
        response = Response(200, response.headers, body)
        response = with_header(with_header(response, "content-encoding", "gzip"), "content-length", str(len(body)))
    return response


def without_vary_and_cached(first: dict[str, Response]) -> Alteration:
    """As a cache does that does not know Vary."""

    def cache(request: Request, pass_on: Callable[[Request], Response]) -> Response:
        if request.headers.keys() & {"range", "if-none-match"} or request.method == "HEAD":
            return pass_on(request)
        return first.setdefault(request.path, pass_on(request))

    return cache


def sometimes(request: Request, pass_on: Callable[[Request], Response], state: list[int] = [0]) -> Response:  # noqa: B006
    state[0] += 1
    response = pass_on(request)
    return Response(404, [("content-length", "0")], b"") if state[0] % 2 == 0 else response


def altered(change: Callable[[Request, Response], Response]) -> Alteration:
    return lambda request, pass_on: change(request, pass_on(request))


def without_video(request: Request, pass_on: Callable[[Request], Response]) -> Response:
    """As a site does that keeps large files elsewhere."""
    return Response(404, [("content-length", "0")], b"") if "/video." in request.path else pass_on(request)


def of_status(status: int, name: str, value: str | None) -> Alteration:
    return altered(lambda request, answer: with_header(answer, name, value) if answer.status == status else answer)


@pytest.mark.parametrize(
    ("alter", "expected", "what"),
    [
        (recompresses, {"W077", "W078", "W083"}, "The entity tag is that of other bytes"),
        (recompresses, {"W077", "W078", "W083"}, "Compressed on the way (gzip): expected "),
        (without_vary_and_cached({}), {"E075"}, "Sent in a content coding that was not accepted"),
        (sometimes, {"E076", "W083"}, "Answered with 404, as by a site with another release"),
        (of_status(200, "etag", 'W/"abc"'), {"W078", "W083"}, 'received W/"abc"'),
        (of_status(200, "etag", '"\x1b[31m"'), {"W078", "W083"}, "is another one"),
        (of_status(304, "etag", '"\x1b[31m"'), {"W083"}, 'received "\\x1b[31m"'),
        (without_video, {"E076"}, "Answered with 404, as by a site with another release (video."),
        (of_status(200, "vary", "*"), {"W079"}, "Vary names *"),
        (of_status(200, "vary", "Origin, ACCEPT-encoding"), set(), ""),
        (of_status(200, "cache-control", None), {"W080"}, "received none"),
        (of_status(200, "age", "10"), set(), ""),
        (of_status(200, "date", None), set(), ""),
        (of_status(200, "content-encoding", "x-unknown"), {"E075"}, "was not accepted"),
        (of_status(200, "content-encoding", "br"), {"E075"}, "Cannot be decoded from br: bytes that are not br"),
        (of_status(206, "content-range", "bytes 0-9/*"), {"W082"}, "Content-Range is another"),
        (of_status(304, "etag", None), {"W083"}, "A 304 has another ETag"),
        (of_status(200, "server", "evil\x1b[31m\x9b" + "x" * 500), set(), ""),
        (
            altered(
                lambda request, answer: (
                    with_header(answer, "content-length", "7") if request.method == "HEAD" else answer
                )
            ),
            {"W083"},
            "HEAD has another content-length than GET",
        ),
        (
            altered(
                lambda request, answer: Response(200, answer.headers, b"a body") if request.method == "HEAD" else answer
            ),
            {"W083"},
            "HEAD is answered with a body",
        ),
        (
            altered(
                lambda request, answer: Response(304, answer.headers, b"a body") if answer.status == 304 else answer
            ),
            {"W083"},
            "A 304 has a body",
        ),
        (
            altered(
                lambda request, answer: (
                    Response(206, answer.headers, answer.body[::-1]) if answer.status == 206 else answer
                )
            ),
            {"W082"},
            "A range has other bytes",
        ),
        (
            altered(
                lambda request, answer: with_header(answer, "content-length", None) if answer.status == 200 else answer
            ),
            {"I084"},
            "Content-Length is not sent",
        ),
        (
            altered(
                lambda request, answer: (
                    Response(302, [("location", "/login/")], b"") if "no-such-file" in request.path else answer
                )
            ),
            {"W050"},
            "answered with 302: to /login/",
        ),
        (
            altered(
                lambda request, answer: Response(500, [], b"") if "no-such-file" in request.path else answer,
            ),
            {"E075"},
            "does not exist is answered with 500",
        ),
        (
            altered(
                lambda request, answer: Response(503, [], b"") if "app.css" in request.path else answer,
            ),
            {"E075"},
            "Answered with 503 (app.css)",
        ),
        (
            altered(
                lambda request, answer: (
                    Response(200, answer.headers, b"y" * len(answer.body)) if ".woff2" in request.path else answer
                )
            ),
            {"E075"},
            "Other bytes than the hash in the name says",
        ),
    ],
    ids=[
        "recompressed-etag",
        "recompressed",
        "vary-unknown",
        "sometimes",
        "etag",
        "etag-escape",
        "304-etag-escape",
        "large-404",
        "vary-star",
        "vary-more",
        "no-cache-control",
        "age",
        "no-date",
        "unknown-coding",
        "wrong-coding",
        "content-range",
        "304-etag",
        "server",
        "head-length",
        "head-body",
        "304-body",
        "range-bytes",
        "no-length",
        "login",
        "missing-500",
        "plain-503",
        "bytes",
    ],
)
@pytest.mark.usefixtures("project")
def test_what_is_changed_on_the_way_is_told(
    upstream: RunningServer, alter: Alteration, expected: set[str], what: str
) -> None:
    with altering(upstream.url, alter) as url:
        findings = found(url=url)
    assert ids(findings) == expected, told(findings)
    assert what in told(findings)
    assert "\x1b" not in told(findings)


def test_what_a_proxy_compresses_and_collecting_does_not_is_no_finding(tmp_path: Path) -> None:
    """As a font in a format that is compressed by itself, usually."""

    def compresses(request: Request, pass_on: Callable[[Request], Response]) -> Response:
        response = pass_on(request)
        accepts = "gzip" in request.headers.get("accept-encoding", "").split(", ")
        if response.status == 200 and request.method == "GET" and accepts and ".woff2" in request.path:
            body = gzip.compress(response.body)
            response = with_header(Response(200, response.headers, body), "content-encoding", "gzip")
            response = with_header(with_header(response, "etag", '"of its own"'), "vary", "accept-encoding")
            response = with_header(response, "content-length", str(len(body)))
        return response

    root = collect(tmp_path / "root", {"app.css": FILES["app.css"], "font.woff2": b"not like a font " * 500})
    with (
        running(SERVERS["uvicorn"], "tests.asgi:wrapper", serving(root)) as server,
        override_settings(STATIC_ROOT=root),
        altering(server.url, compresses) as url,
    ):
        assert told(found(url=url)) == ""


def test_who_was_on_the_way_is_named(project: Path, upstream: RunningServer) -> None:
    def cloudflare(request: Request, pass_on: Callable[[Request], Response]) -> Response:
        response = with_header(pass_on(request), "cf-ray", "8a1\x1b[31m" + "x" * 500)
        return with_header(response, "vary", None)

    with altering(upstream.url, cloudflare) as url:
        (finding,) = found(url=url)
    assert "(Cloudflare)" in finding.hint
    assert "8a1\\x1b[31mxxx" in finding.hint
    assert len(finding.hint) < 400
    assert finding.subject.startswith(url)


def test_a_site_with_another_release_is_told_with_what_answered_what(project: Path, tmp_path: Path) -> None:
    other = collect(tmp_path / "other", {**FILES, "app.css": b"body { color: blue }\n" * 40, "new.css": b"a{}"})
    with running(SERVERS["uvicorn"], "tests.asgi:wrapper", serving(other)) as server:
        findings = found(url=server.url)
    assert ids(findings) == {"E076"}
    assert "Answered with 404, as by a site with another release (app." in told(findings)
    assert "Other bytes under a plain name" in told(findings)


def test_workers_with_different_releases_are_told(project: Path, upstream: RunningServer) -> None:
    asked: dict[str, int] = {}

    def every_other(request: Request, pass_on: Callable[[Request], Response]) -> Response:
        asked[request.path] = asked.get(request.path, 0) + 1
        gone = asked[request.path] == 3 and "no-such" not in request.path
        return Response(404, [("content-length", "0")], b"") if gone else pass_on(request)

    with altering(upstream.url, every_other) as url:
        (finding,) = found(url=url)
    assert finding.id == "asyncstatic.E076"
    assert "Answered once and not again" in finding.message


# --- TLS --------------------------------------------------------------------------------------------------------


@pytest.fixture
def certificate(tmp_path: Path) -> Path:
    """For 127.0.0.1, signed by itself, with its key."""
    openssl = shutil.which("openssl")
    if openssl is None:
        pytest.skip("openssl is not installed")
    key, chain = tmp_path / "key.pem", tmp_path / "certificate.pem"
    subprocess.run(
        [
            openssl,
            "req",
            "-x509",
            "-newkey",
            "ec",
            "-pkeyopt",
            "ec_paramgen_curve:prime256v1",
            "-nodes",
            "-days",
            "2",
            "-subj",
            "/CN=127.0.0.1",
            "-addext",
            "subjectAltName=IP:127.0.0.1",
            "-keyout",
            key,
            "-out",
            chain,
        ],
        check=True,
        capture_output=True,
    )
    chain.write_text(chain.read_text() + key.read_text())
    return chain


def test_over_tls_the_headers_of_https_are_expected(
    project: Path, upstream: RunningServer, certificate: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    with nginx(f"location / {{ proxy_pass {upstream.url}; }}", certificate=certificate) as proxy:
        (finding,) = found(url=proxy.url)
        assert (finding.id, "certificate that is not trusted" in finding.message) == ("asyncstatic.E074", True)
        monkeypatch.setenv("SSL_CERT_FILE", str(certificate))
        assert told(found(url=proxy.url)) == ""
        with override_settings(SECURE_HSTS_SECONDS=60):
            (finding,) = found(url=proxy.url)
        assert "strict-transport-security is missing: expected max-age=60" in finding.message
        assert "SECURE_PROXY_SSL_HEADER" in finding.hint


# --- sites that cannot be asked ---------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("url", "what"),
    [
        ("example.org", "does not begin with https://"),
        ("ftp://example.org", "does not begin with https://"),
        ("file:///etc/passwd", "does not begin with https://"),
        ("https://", "names no host"),
        ("https:///static/", "names no host"),
        ("https://user:secret@example.org/", "user name or password"),
        ("https://example.org:port/", "could not be cast"),
        ("https://example.org:99999/", "out of range"),
        ("https://[::1/", "Invalid IPv6"),
        ("https://example.org/?a=b", "query or a fragment"),
        ("https://example.org/#a", "query or a fragment"),
        ("https://example.org/\r\nx: y", "characters that no URL has"),
        ("https://exämple.org/", "characters that no URL has"),
        ("", "does not begin with https://"),
    ],
)
@pytest.mark.usefixtures("project")
def test_an_address_that_cannot_be_asked_is_told(url: str, what: str) -> None:
    (finding,) = found(url=url)
    assert finding.id == "asyncstatic.E073"
    assert what in finding.message
    assert "secret" not in finding.message
    with pytest.raises(InvalidURL):
        Asker(url)


def drip(connection: socket.socket) -> None:
    for byte in b"HTTP/1.1 200 OK\r\n" + b"x: y\r\n" * 10_000:
        connection.sendall(bytes([byte]))
        time.sleep(0.1)


def continues(connection: socket.socket) -> None:
    while True:
        connection.sendall(b"HTTP/1.1 100 Continue\r\n\r\n" * 100)


def says(data: bytes) -> Callable[[socket.socket], object]:
    return lambda connection: connection.sendall(data)


@pytest.mark.parametrize(
    ("say", "what"),
    [
        (says(b"SSH-2.0-OpenSSH_9.2\r\n"), "does not answer in HTTP: SSH-2.0-OpenSSH_9.2"),
        (says(b"\x1b[31m\x00\xff" * 50), "does not answer in HTTP: \\x1b[31m"),
        (lambda connection: None, "closed the connection without an answer"),
        (lambda connection: time.sleep(5), "did not answer within 1 seconds"),
        (drip, "did not answer within 1 seconds"),
        (continues, "did not answer within 1 seconds"),
        (says(b"HTTP/1.1 200 OK\r\ncontent-length: 100\r\n\r\nshort"), "closed the connection in the middle"),
        (says(b"HTTP/1.1 200 OK\r\ntransfer-encoding: chunked\r\n\r\n5\r\nab"), "closed the connection in the middle"),
        (says(b"HTTP/1.1 200 OK\r\ntransfer-encoding: chunked\r\n\r\nnoise\r\n"), "in the middle of an answer"),
        (says(b"HTTP/1.1 200 OK\r\nx: " + b"y" * 100_000 + b"\r\n\r\n"), "cannot be read: LineTooLong"),
        (says(b"HTTP/1.1 200 OK\r\n" + b"x: y\r\n" * 500 + b"\r\n"), "cannot be read: HTTPException"),
        (says(b"HTTP/1.1 abc\r\n\r\n"), "does not answer in HTTP"),
    ],
    ids=[
        "ssh",
        "noise",
        "nothing",
        "hangs",
        "drips",
        "continues",
        "cut",
        "cut-chunk",
        "noisy-chunk",
        "long-line",
        "many-lines",
        "no-status",
    ],
)
@pytest.mark.usefixtures("project")
def test_a_site_that_gives_no_answer_is_one_finding_in_bounded_time(
    monkeypatch: pytest.MonkeyPatch, say: Callable[[socket.socket], object], what: str
) -> None:
    monkeypatch.setattr(asking, "ANSWER_SECONDS", 1.0)
    started = time.monotonic()
    with speaking(say) as url:
        (finding,) = found(url=url)
    assert finding.id == "asyncstatic.E074"
    assert what in finding.message
    assert "\x1b" not in finding.message
    assert time.monotonic() - started < 15


def floods(connection: socket.socket) -> None:
    connection.sendall(b"HTTP/1.1 200 OK\r\ncontent-length: 100000000000\r\n\r\n")
    while True:
        connection.sendall(b"x" * 100_000)


@pytest.mark.usefixtures("project")
def test_a_site_that_sends_too_much_is_not_read_to_the_end() -> None:
    with speaking(floods) as url:
        findings = found(url=url)
    assert "more than" in told(findings)
    assert ids(findings) == {"E075"}


@pytest.mark.usefixtures("project")
def test_a_site_that_nobody_is_at_is_one_finding() -> None:
    (finding,) = found(url=f"http://127.0.0.1:{free_port()}")
    assert finding.id == "asyncstatic.E074"
    assert "Connection refused" in finding.message
    (finding,) = found(url="https://no-such-host.invalid/")
    assert (finding.id, "cannot be resolved" in finding.message) == ("asyncstatic.E074", True)
    (finding,) = found(url="https://.example.org/")
    assert (finding.id, "cannot be asked" in finding.message) == ("asyncstatic.E074", True)
    with speaking(lambda connection: None) as url:
        (finding,) = found(url=url.replace("http:", "https:"))
    assert (finding.id, "TLS" in finding.message) == ("asyncstatic.E074", True)


def test_a_site_that_dies_half_way_keeps_what_was_found_before(project: Path, upstream: RunningServer) -> None:
    lock, count = threading.Lock(), [0]

    def dies(request: Request, pass_on: Callable[[Request], Response]) -> Response:
        with lock:
            count[0] += 1
        if count[0] > 5:
            return Response(200, [("content-length", "100000")], b"")
        return with_header(pass_on(request), "vary", None)

    with altering(upstream.url, dies) as url:
        findings = found(url=url)
    assert ids(findings) == {"E074", "W079"}


def test_all_requests_together_are_bounded(
    project: Path, upstream: RunningServer, monkeypatch: pytest.MonkeyPatch
) -> None:
    def slow(request: Request, pass_on: Callable[[Request], Response]) -> Response:
        time.sleep(0.3)
        return pass_on(request)

    monkeypatch.setattr(asking, "TOTAL_SECONDS", 1.0)
    started = time.monotonic()
    with altering(upstream.url, slow) as url:
        (finding,) = found(url=url)
    assert finding.id == "asyncstatic.E074"
    assert time.monotonic() - started < 10


def test_without_an_index_there_is_nothing_to_compare(tmp_path: Path) -> None:
    with override_settings(STATIC_ROOT=tmp_path):
        (finding,) = found(url="http://127.0.0.1:9/")
    assert finding.id == "asyncstatic.I085"


@pytest.mark.usefixtures("project")
def test_a_function_that_fails_does_not_stop_the_comparison(upstream: RunningServer) -> None:
    with override_settings(ASYNCSTATIC_ADD_HEADERS_FUNCTION=breaks):
        findings = found(url=upstream.url)
    assert ids(findings) == {"E070"}, told(findings)


# --- pure -------------------------------------------------------------------------------------------------------


@pytest.mark.parametrize("token", CODINGS)
def test_what_a_stranger_sent_is_decoded_to_no_more_than_expected(token: str) -> None:
    data = bytes(1_000_000)
    coded = CODINGS[token].encode(data, CODINGS[token].levels[1])
    assert decode(coded, token, len(data)) == data
    assert decode(coded[:0] + CODINGS[token].encode(b"", 1), token, 0) == b""
    with pytest.raises(ValueError, match="more than 1000 bytes"):
        decode(coded, token, 1000)
    with pytest.raises(ValueError, match="without an end"):
        decode(coded[:-4], token, len(data))
    with pytest.raises(ValueError, match=f"not {token}"):
        decode(b"noise" * 20, token, 1000)


def test_every_coding_can_be_decoded_within_a_bound() -> None:
    assert DECODERS.keys() == CODINGS.keys()
    assert decode(b"abc", None, 3) == b"abc"
    with pytest.raises(ValueError, match="nobody asked for"):
        decode(b"abc", "compress", 3)
    members = gzip.compress(b"one ") + gzip.compress(b"two")
    assert decode(members, "gzip", 10) == b"one two"


def test_directives_are_compared_whatever_their_order_and_case() -> None:
    assert (
        directives_of("max-age=60, public") == directives_of('Public,Max-Age="60"') == {"max-age": "60", "public": ""}
    )
    assert directives_of(None) == directives_of(" , ") == {}


def answer(*headers: tuple[str, str], body: bytes = b"", status: int = 200) -> Answer:
    return Answer(status, headers, body)


@pytest.mark.parametrize(
    ("to_get", "to_head", "expected"),
    [
        (answer(("etag", "a")), answer(("etag", "a")), []),
        (answer(("content-length", "5")), answer(), []),
        (answer(), answer(("content-length", "5")), []),
        (
            answer(("content-length", "5")),
            answer(("content-length", "6")),
            ["HEAD has another content-length than GET"],
        ),
        (answer(("vary", "a")), answer(), ["HEAD has another vary than GET"]),
        (answer(), answer(status=405), ["HEAD has another status than GET"]),
    ],
)
def test_head_is_compared_with_get(to_get: Answer, to_head: Answer, expected: list[str]) -> None:
    assert [difference.what for difference in compare_head(to_get, to_head)] == expected


def test_one_strong_tag_is_for_one_sequence_of_bytes() -> None:
    same = answer(("etag", '"a"'), body=b"one"), answer(("etag", '"a"'), body=b"two")
    assert len(list(compare_tags(same))) == 1
    assert list(compare_tags([same[0], same[0]])) == []
    weak = answer(("etag", 'W/"a"'), body=b"one"), answer(("etag", 'W/"a"'), body=b"two")
    assert list(compare_tags(weak)) == []
    assert list(compare_tags([answer(body=b"one"), answer(body=b"two")])) == []


def test_what_a_stranger_sent_is_shown_on_one_line() -> None:
    assert shown("a\x1b[31m\r\nb☃") == "a\\x1b[31m\\r\\nb\\u2603"
    assert len(shown("x" * 1000)) == 100
