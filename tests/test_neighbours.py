"""Django's own machinery and other middleware around ours: what each combination answers, and what it costs."""

from __future__ import annotations

import asyncio
import gzip
import os
from pathlib import Path
from typing import Any

import django
import pytest
from django.core.asgi import get_asgi_application
from django.core.signals import request_finished, request_started
from django.core.wsgi import get_wsgi_application
from django.test import override_settings

from django_asyncstatic.index import INDEX_NAME, StaticIndex
from tests.edges import Response, ask_asgi, ask_wsgi, make_environ, make_scope
from tests.programs import output_of
from tests.servers import has_proc

OURS = "django_asyncstatic.middleware.AsyncStaticMiddleware"
SECURITY = "django.middleware.security.SecurityMiddleware"
GZIP = "django.middleware.gzip.GZipMiddleware"
CONDITIONAL_GET = "django.middleware.http.ConditionalGetMiddleware"
COMMON = "django.middleware.common.CommonMiddleware"
CORS = "corsheaders.middleware.CorsMiddleware"
CSP = "django.middleware.csp.ContentSecurityPolicyMiddleware"

#: What SecurityMiddleware adds by default.
SECURE = {"x-content-type-options", "referrer-policy", "cross-origin-opener-policy"}

needs_csp = pytest.mark.skipif(django.VERSION < (6, 0), reason="Django has it since 6.0")

pytestmark = pytest.mark.usefixtures("static_root")

SMALL, LARGE = "/static/site/text.txt", "/static/site/large/noise.bin"

#: Everything that we answer in a way of its own: method, path, fields.
REQUESTS: tuple[tuple[str, str, tuple[tuple[str, str], ...]], ...] = tuple(
    (method, path, fields)
    for path in (SMALL, LARGE)
    for method, fields in (
        ("GET", ()),
        ("GET", (("range", "bytes=5-900"),)),
        ("GET", (("range", "bytes=5-900"), ("if-range", "{etag}"))),
        ("GET", (("range", "bytes=90000000-"),)),
        ("GET", (("if-none-match", "{etag}"),)),
        ("GET", (("if-none-match", "*"),)),
        ("GET", (("if-match", '"another"'),)),
        ("GET", (("if-modified-since", "Fri, 31 Dec 9999 23:59:59 GMT"),)),
        ("GET", (("if-unmodified-since", "Thu, 01 Jan 1970 00:00:00 GMT"),)),
        ("HEAD", ()),
        ("OPTIONS", ()),
        ("POST", ()),
    )
) + tuple(
    ("GET", SMALL, (("accept-encoding", accepted), *fields))
    for accepted in ("gzip", "br", "zstd, gzip;q=0.5", "identity")
    for fields in ((), (("range", "bytes=5-900"),), (("if-none-match", "{etag}"),))
)


def ask(interface: str, middleware: list[str], method: str, path: str, fields: Any = ()) -> Response:
    with override_settings(MIDDLEWARE=middleware):
        if interface == "asgi":
            return ask_asgi(get_asgi_application(), method, path, fields)
        return ask_wsgi(get_wsgi_application(), method, path, fields)


def filled(fields: Any, path: str, root: Path) -> list[tuple[str, str]]:
    """The fields with the entity tag of the representation that they select."""
    resource = StaticIndex.load(root / INDEX_NAME).get(path.removeprefix("/static/"))
    assert resource is not None
    wanted = dict(fields).get("accept-encoding", "identity").split(",")[0]
    tags = {each.coding or "identity": each.etag for each in resource.representations}
    return [(name, value.replace("{etag}", tags[wanted])) for name, value in fields]


@pytest.mark.parametrize("interface", ["asgi", "wsgi"])
@pytest.mark.parametrize(
    ("middleware", "adds"),
    [
        ([SECURITY, OURS], SECURE),
        ([OURS, SECURITY], set()),
        ([GZIP, OURS], set()),
        ([OURS, GZIP], set()),
        ([CONDITIONAL_GET, OURS], set()),
        ([OURS, CONDITIONAL_GET], set()),
        ([COMMON, OURS], set()),
        ([OURS, COMMON], set()),
        ([SECURITY, GZIP, CONDITIONAL_GET, COMMON, OURS], SECURE),
        ([CORS, OURS], set()),
        ([OURS, CORS], set()),
        pytest.param([CSP, OURS], {"content-security-policy"}, marks=needs_csp),
        pytest.param([OURS, CSP], set(), marks=needs_csp),
    ],
    ids=lambda value: (
        " > ".join(each.rpartition(".")[2].removesuffix("Middleware") for each in value)
        if isinstance(value, list)
        else ""
    ),
)
@override_settings(CORS_ALLOWED_ORIGINS=["https://a.test"], SECURE_CSP={"default-src": ["'self'"]})
def test_a_neighbour_adds_its_headers_and_changes_nothing_else(
    middleware: list[str], adds: set[str], interface: str, static_root: Path
) -> None:
    for method, path, fields in REQUESTS:
        fields = filled(fields, path, static_root)
        alone = ask(interface, [OURS], method, path, fields)
        beside = ask(interface, middleware, method, path, fields)
        assert (beside.status, beside.body) == (alone.status, alone.body), (method, path, fields)
        added = {*beside.headers} - {*alone.headers} - adds - {"vary"}
        if COMMON in middleware[: middleware.index(OURS)] and alone.status == 304:
            assert beside.headers["content-length"] == "0"  # which RFC 9110 8.6 forbids: docs, page "Staying up"
            added -= {"content-length"}
        assert not added, (method, path, fields)
        if alone.status in (200, 206, 304) and method != "OPTIONS":
            assert adds <= {*beside.headers}
        for name, value in alone.headers.items():
            if name == "vary":
                members = [each.strip().lower() for each in beside.headers["vary"].split(",")]
                assert "accept-encoding" in members
                assert len(members) == len(set(members))
            else:
                assert beside.headers[name] == value, (method, path, fields, name)


# --- where Django does damage, as the docs say ---------------------------------------------------------------


@pytest.mark.parametrize("interface", ["asgi", "wsgi"])
def test_gzip_above_compresses_what_we_left_as_it_is_and_ranges_of_it(interface: str, static_root: Path) -> None:
    """Docs, page "Staying up": why GZipMiddleware belongs below ours. A client gets the right bytes, but no range."""
    fields = [("accept-encoding", "gzip")]
    whole = ask(interface, [GZIP, OURS], "GET", LARGE, fields)
    assert whole.headers["content-encoding"] == "gzip"
    assert "content-length" not in whole.headers
    assert whole.headers["etag"].startswith("W/")
    data = gzip.decompress(whole.body)
    assert data == ask(interface, [OURS], "GET", LARGE, fields).body
    part = ask(interface, [GZIP, OURS], "GET", LARGE, [*fields, ("range", "bytes=5-900000")])
    assert (part.status, part.headers["content-encoding"]) == (206, "gzip")
    assert gzip.decompress(part.body) == data[5:900_001]  # and Content-Range says that it is identity's
    below = ask(interface, [OURS, GZIP], "GET", LARGE, [*fields, ("range", "bytes=5-900000")])
    assert (below.status, below.body) == (206, data[5:900_001])
    assert "content-encoding" not in below.headers


@pytest.mark.parametrize("interface", ["asgi", "wsgi"])
@override_settings(CORS_ALLOWED_ORIGINS=["https://a.test"])
def test_cors_headers_above_decides_for_the_origins_that_it_allows(interface: str) -> None:
    allowed = ask(interface, [CORS, OURS], "GET", SMALL, [("origin", "https://a.test")])
    assert allowed.headers["access-control-allow-origin"] == "https://a.test"
    assert {each.strip().lower() for each in allowed.headers["vary"].split(",")} == {"accept-encoding", "origin"}
    other = ask(interface, [CORS, OURS], "GET", SMALL, [("origin", "https://b.test")])
    assert other.headers["access-control-allow-origin"] == "*"  # ours, unless a setting says otherwise
    with override_settings(ASYNCSTATIC_ALLOW_ALL_ORIGINS=False):
        other = ask(interface, [CORS, OURS], "GET", SMALL, [("origin", "https://b.test")])
        assert "access-control-allow-origin" not in other.headers
    preflight = [("origin", "https://a.test"), ("access-control-request-method", "GET")]
    answered = ask(interface, [CORS, OURS], "OPTIONS", SMALL, preflight)
    assert answered.status == 200
    assert answered.headers["access-control-allow-origin"] == "https://a.test"


# --- signals and closing -------------------------------------------------------------------------------------


class Signals:
    """Counts what Django sends for requests while it is in force."""

    def __enter__(self) -> Signals:
        self.sent: list[str] = []
        request_started.connect(self._started)
        request_finished.connect(self._finished)
        return self

    def __exit__(self, *exception: object) -> None:
        request_started.disconnect(self._started)
        request_finished.disconnect(self._finished)

    def _started(self, **kwargs: object) -> None:
        self.sent.append("started")

    def _finished(self, **kwargs: object) -> None:
        self.sent.append("finished")


@pytest.mark.parametrize("path", [SMALL, LARGE])
def test_each_request_starts_and_finishes_once(path: str) -> None:
    with override_settings(MIDDLEWARE=[OURS]):
        for interface in ("asgi", "wsgi"):
            with Signals() as signals:
                ask(interface, [OURS], "GET", path)
            assert signals.sent == ["started", "finished"], interface


@pytest.mark.skipif(not has_proc(), reason="needs /proc, to see what is open")
@pytest.mark.parametrize("middleware", [[OURS], [SECURITY, GZIP, OURS], [OURS, "tests.test_middleware.sync_only"]])
def test_a_client_that_leaves_finishes_its_request_and_closes_its_file(
    middleware: list[str], static_root: Path
) -> None:
    async def leave(application: Any) -> int:
        gone, chunks = asyncio.Event(), 0
        received = iter([{"type": "http.request", "body": b"", "more_body": False}])

        async def receive() -> Any:
            for message in received:
                return message
            await gone.wait()
            return {"type": "http.disconnect"}

        async def send(message: Any) -> None:
            nonlocal chunks
            chunks += message["type"] == "http.response.body"
            if chunks == 2:
                gone.set()
            await asyncio.sleep(0.01)

        await application(make_scope("GET", LARGE), receive, send)
        return chunks

    def is_open() -> bool:
        return any(os.path.realpath(each).endswith(".bin") for each in Path("/proc/self/fd").iterdir())

    with override_settings(MIDDLEWARE=middleware), Signals() as signals:
        chunks = asyncio.run(leave(get_asgi_application()))
        assert chunks < 3_000_000 / 65_536, "it was sent to the end"
        assert signals.sent == ["started", "finished"]
        assert not is_open()
        # Under WSGI the server closes what it does not read on.
        signals.sent.clear()
        result = get_wsgi_application()(make_environ("GET", LARGE), lambda *started: None)
        next(iter(result))
        assert is_open()
        result.close()
        assert signals.sent == ["started", "finished"]
        assert not is_open()


_DATABASE = """
import asyncio, json, sys, threading
import django
from django.conf import settings
from django.http import HttpResponse
from django.urls import path
from django.utils.decorators import sync_and_async_middleware

settings.configure(
    SECRET_KEY="x", ALLOWED_HOSTS=["*"], ROOT_URLCONF=__name__, MIDDLEWARE=json.loads(sys.argv[1]),
    INSTALLED_APPS=["django_asyncstatic", "django.contrib.staticfiles"], STATIC_URL="static/", STATIC_ROOT=sys.argv[2],
    STORAGES={"staticfiles": {"BACKEND": "django_asyncstatic.storage.CompressedManifestStaticFilesStorage"}},
    DATABASES={"default": {"ENGINE": "django.db.backends.sqlite3", "NAME": sys.argv[3], "CONN_MAX_AGE": 60}},
)
django.setup()

from django.db import connection
from django.db.backends.signals import connection_created
from tests.edges import aask_asgi, ask_wsgi, make_scope

def view(request):
    with connection.cursor() as cursor:
        cursor.execute("SELECT 1")
    return HttpResponse("view")

urlpatterns = [path("view/", view)]
opened = []
connection_created.connect(lambda **kwargs: opened.append(threading.get_ident()), weak=False)
told = {}

from django.core.asgi import get_asgi_application
from django.core.wsgi import get_wsgi_application

async def load(application, paths):
    for _ in range(4):
        await asyncio.gather(*(aask_asgi(application, make_scope("GET", each)) for each in paths))
    return threading.active_count()

static = ["/static/site/text.txt", "/static/site/large/noise.bin"] * 5
told["threads"] = asyncio.run(load(get_asgi_application(), ["/view/"] * 5 + static))
told["asgi"] = len(opened)
opened.clear()
asyncio.run(load(get_asgi_application(), static))
told["asgi, static"] = len(opened)
opened.clear()
application, before = get_wsgi_application(), threading.active_count()
for each in ["/view/"] * 20 + static:
    ask_wsgi(application, "GET", each)
told["wsgi"] = len(opened)
told["wsgi, threads"] = threading.active_count() - before
print(json.dumps(told))
"""


def test_database_connections_are_no_more_and_no_less_persistent_with_us(tmp_path: Path, static_root: Path) -> None:
    """Ticket 30451's hazard: a thread for each request under ASGI, a connection for each thread. None is ours."""
    import json

    told = {}
    for name, middleware in (("with", [OURS]), ("without", [])):
        arguments = json.dumps(middleware), static_root, tmp_path / "db"
        told[name] = json.loads(output_of(_DATABASE, *arguments, options=["-W", "error"]))
    assert told["with"]["asgi"] <= told["without"]["asgi"]
    assert told["with"]["asgi, static"] == 0
    assert told["with"]["wsgi"] == told["without"]["wsgi"] == 1
    assert told["with"]["wsgi, threads"] == 0
    # asyncio's own pool, which reads what is not in memory.
    assert told["with"]["threads"] <= told["without"]["threads"] + min(32, (os.cpu_count() or 1) + 4)
