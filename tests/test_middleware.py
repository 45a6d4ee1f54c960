"""The middleware in Django's handlers: modes, threads, warnings, neighbours."""

from __future__ import annotations

import asyncio
import warnings
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path
from typing import Any

import pytest
from asgiref.sync import iscoroutinefunction
from django.core.asgi import get_asgi_application
from django.core.wsgi import get_wsgi_application
from django.http import HttpRequest, HttpResponse
from django.test import AsyncClient, Client, SimpleTestCase, modify_settings, override_settings
from django.utils.decorators import sync_only_middleware
from test_plus.test import BaseTestCase

from django_asyncstatic.index import INDEX_NAME, StaticIndex
from django_asyncstatic.middleware import AsyncStaticMiddleware
from tests.edges import aask_asgi, ask_asgi, ask_wsgi, make_scope

OURS = "django_asyncstatic.middleware.AsyncStaticMiddleware"

pytestmark = pytest.mark.usefixtures("static_root")


@sync_only_middleware
def sync_only(get_response: Any) -> Any:
    def middleware(request: HttpRequest) -> Any:
        return get_response(request)

    return middleware


def async_only(get_response: Any) -> Any:
    async def middleware(request: HttpRequest) -> Any:
        return await get_response(request)

    return middleware


async_only.sync_capable = False  # type: ignore[attr-defined]
async_only.async_capable = True  # type: ignore[attr-defined]


class AnswersFromConstant:
    """The floor: what Django itself costs."""

    sync_capable = async_capable = True

    def __init__(self, get_response: Any) -> None:
        from asgiref.sync import markcoroutinefunction

        markcoroutinefunction(self)

    async def __call__(self, request: HttpRequest) -> HttpResponse:
        return HttpResponse(b"constant")


CHAINS = {
    "alone": [OURS],
    "sync-only above": [f"{__name__}.sync_only", OURS],
    "sync-only below": [OURS, f"{__name__}.sync_only"],
    "async-only above": [f"{__name__}.async_only", OURS],
    "async-only below": [OURS, f"{__name__}.async_only"],
    "Django's own around": [
        "django.middleware.security.SecurityMiddleware",
        "django.middleware.gzip.GZipMiddleware",
        "django.middleware.http.ConditionalGetMiddleware",
        OURS,
        "django.middleware.common.CommonMiddleware",
    ],
}

REQUESTS: dict[str, tuple[str, str, tuple[tuple[str, str], ...], int]] = {
    "small": ("GET", "site/text.txt", (), 200),
    "small coded": ("GET", "site/text.txt", (("accept-encoding", "br"),), 200),
    "small range": ("GET", "site/digits.txt", (("range", "bytes=2-4"),), 206),
    "small 304": ("GET", "site/text.txt", (("if-none-match", "*"),), 304),
    "small head": ("HEAD", "site/text.txt", (), 200),
    "large": ("GET", "site/large/noise.bin", (), 200),
    "large range": ("GET", "site/large/noise.bin", (("range", "bytes=10-2000000"),), 206),
    "large 304": ("GET", "site/large/noise.bin", (("if-none-match", "*"),), 304),
    "large head": ("HEAD", "site/large/noise.bin", (), 200),
}


@pytest.mark.parametrize("interface", ["asgi", "wsgi"])
@pytest.mark.parametrize("chain", CHAINS)
def test_no_combination_warns_or_sends_wrong_bytes(chain: str, interface: str, static_root: Path) -> None:
    with override_settings(MIDDLEWARE=CHAINS[chain]), warnings.catch_warnings():
        warnings.simplefilter("error")
        for method, path, fields, status in REQUESTS.values():
            if interface == "asgi":
                response = ask_asgi(get_asgi_application(), method, f"/static/{path}", fields)
            else:
                response = ask_wsgi(get_wsgi_application(), method, f"/static/{path}", fields)
            assert response.status == status
            has_body = method == "GET" and status in (200, 206)
            assert len(response.body) == (int(response.headers["content-length"]) if has_body else 0)
            if has_body and status == 200 and not fields:
                hashed = StaticIndex.load(static_root / INDEX_NAME).get(path)
                assert hashed is not None
                assert response.body == (static_root / hashed.identity.file).read_bytes()


def test_the_instance_is_a_coroutine_function_when_get_response_is_one() -> None:
    async def aget_response(request: HttpRequest) -> HttpResponse:
        return HttpResponse()

    assert iscoroutinefunction(AsyncStaticMiddleware(aget_response))
    assert not iscoroutinefunction(AsyncStaticMiddleware(lambda request: HttpResponse()))


class CountsWork:
    """Counts what is handed to threads while it is in force: every executor's ``submit``."""

    def __init__(self, monkeypatch: pytest.MonkeyPatch) -> None:
        self.count = 0
        submit = ThreadPoolExecutor.submit

        def counted(executor: Any, *args: Any, **kwargs: Any) -> Any:
            self.count += 1
            return submit(executor, *args, **kwargs)

        monkeypatch.setattr(ThreadPoolExecutor, "submit", counted)


@pytest.mark.parametrize(
    "fields",
    [(), (("accept-encoding", "br"),), (("if-none-match", "*"),), (("range", "bytes=0-9"),)],
    ids=["200", "br", "304", "206"],
)
def test_a_small_resource_that_was_read_costs_no_thread_hop_of_ours(
    fields: tuple[tuple[str, str], ...], monkeypatch: pytest.MonkeyPatch
) -> None:
    async def hops(middleware: str) -> int:
        with override_settings(MIDDLEWARE=[middleware]):
            application = get_asgi_application()
        scope = make_scope("GET", "/static/site/text.txt", fields)
        await aask_asgi(application, scope)
        work = CountsWork(monkeypatch)
        await aask_asgi(application, scope)
        monkeypatch.undo()
        return work.count

    floor = asyncio.run(hops(f"{__name__}.AnswersFromConstant"))
    assert asyncio.run(hops(OURS)) == floor == 2  # Django's own: request_started and response.close


def test_a_request_for_something_else_reaches_the_view_untouched() -> None:
    response = ask_wsgi(get_wsgi_application(), "GET", "/echo?a=b")
    assert (response.status, response.body) == (200, b"application GET echo ")
    response = ask_asgi(get_asgi_application(), "GET", "/async/")
    assert (response.status, response.body) == (200, b"async application")


def test_a_missing_static_file_is_djangos_404() -> None:
    for response in (
        ask_wsgi(get_wsgi_application(), "GET", "/static/site/missing.css"),
        ask_asgi(get_asgi_application(), "GET", "/static/site/missing.css"),
    ):
        assert response.status == 404
        assert b"Not Found" in response.body


def test_a_wsgi_server_without_a_file_wrapper_gets_chunks_and_one_with_it_the_file() -> None:
    wrapped: list[Any] = []

    def file_wrapper(file: Any, size: int) -> Any:
        wrapped.append(file)
        return iter(lambda: file.read(size), b"")

    path = "/static/site/large/noise.bin"
    plain = ask_wsgi(get_wsgi_application(), "GET", path)
    through = ask_wsgi(get_wsgi_application(), "GET", path, **{"wsgi.file_wrapper": file_wrapper})
    assert plain.body == through.body
    (file,) = wrapped
    assert file.fileno() >= 0
    file.close()
    # A wrapper runs to the end of the file, so a range is not given to it.
    ask_wsgi(get_wsgi_application(), "GET", path, [("range", "bytes=0-999999")], **{"wsgi.file_wrapper": file_wrapper})
    assert len(wrapped) == 1


def test_no_event_loop_is_started_on_wsgi(monkeypatch: pytest.MonkeyPatch) -> None:
    application = get_wsgi_application()

    def refuse(*args: Any) -> Any:
        raise AssertionError("an event loop was made")

    monkeypatch.setattr(asyncio, "new_event_loop", refuse)
    for method, path, fields, status in REQUESTS.values():
        assert ask_wsgi(application, method, f"/static/{path}", fields).status == status


def test_a_stream_that_nobody_starts_is_closed_with_its_response() -> None:
    from django.test import AsyncRequestFactory

    async def get_response(request: HttpRequest) -> HttpResponse:
        return HttpResponse()

    async def run() -> None:
        request = AsyncRequestFactory().get("/static/site/large/noise.bin")
        response: Any = await AsyncStaticMiddleware(get_response)(request)  # type: ignore[misc]
        assert response.streaming
        response.close()  # an open file would be a ResourceWarning, and that an error

    asyncio.run(run())


class TestClients(SimpleTestCase, BaseTestCase):
    """Through Django's test clients, as users' own tests will ask."""

    def test_the_test_client_gets_static_files(self) -> None:
        response = self.get("/static/site/digits.txt")
        self.response_200(response)
        assert response.content == b"0123456789"
        self.assertResponseHeaders({"cache-control": "max-age=60, public"}, response)

    def test_the_test_client_streams_large_ones(self) -> None:
        response = self.get("/static/site/large/movie.mp4")
        assert len(b"".join(response.streaming_content)) == 1_500_000
        self.assertResponseHeaders({"content-type": "video/mp4"}, response)

    async def test_the_async_client_does_too(self) -> None:
        response = await AsyncClient().get("/static/site/large/movie.mp4")
        assert len(b"".join([chunk async for chunk in response.streaming_content])) == 1_500_000

    def test_settings_can_be_overridden(self) -> None:
        with override_settings(ASYNCSTATIC_MAX_AGE=7, ASYNCSTATIC_ALLOW_ALL_ORIGINS=False, ASYNCSTATIC_CHARSET=""):
            response = Client().get("/static/site/digits.txt")
        assert response["cache-control"] == "max-age=7, public"
        assert response["content-type"] == "text/plain"
        assert not response.has_header("access-control-allow-origin")

    def test_the_middleware_can_be_taken_out(self) -> None:
        with modify_settings(MIDDLEWARE={"remove": OURS}):
            assert Client().get("/static/site/digits.txt").status_code == 404
