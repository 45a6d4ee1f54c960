"""Middleware as people write it, for the diagnostics of the chain."""

from __future__ import annotations

import functools
import time
from collections.abc import Callable
from typing import Any

from asgiref.sync import iscoroutinefunction, markcoroutinefunction
from django.core.exceptions import MiddlewareNotUsed
from django.http import HttpRequest, HttpResponse
from django.utils.decorators import async_only_middleware, sync_and_async_middleware, sync_only_middleware
from django.utils.deprecation import MiddlewareMixin

from django_asyncstatic.middleware import AsyncStaticMiddleware


class ApiLogger:
    """The one of "Uvicorn async workers are still working synchronously": sync, and its state on self."""

    def __init__(self, get_response: Callable[[HttpRequest], HttpResponse]) -> None:
        self.get_response = get_response

    def __call__(self, request: HttpRequest) -> HttpResponse:
        self.started = time.monotonic()
        return self.get_response(request)


class UnmarkedAsync:
    """The one of ticket 34328."""

    sync_capable = False
    async_capable = True

    def __init__(self, get_response: Any) -> None:
        self.get_response = get_response

    async def __call__(self, request: HttpRequest) -> Any:
        return await self.get_response(request)


class AsyncThatDoesNotSaySo:
    """An async ``__call__`` without ``async_capable``: Django calls it as if it were sync."""

    def __init__(self, get_response: Any) -> None:
        self.get_response = get_response

    async def __call__(self, request: HttpRequest) -> Any:
        return self.get_response(request)


class Marked(UnmarkedAsync):
    def __init__(self, get_response: Any) -> None:
        super().__init__(get_response)
        markcoroutinefunction(self)


class Mixin(MiddlewareMixin):
    def process_request(self, request: HttpRequest) -> None:
        return None


class ViewHook(MiddlewareMixin):
    def process_view(self, request: HttpRequest, *view: Any) -> None:
        return None


class AsyncViewHook(MiddlewareMixin):
    async def process_view(self, request: HttpRequest, *view: Any) -> None:
        return None


class OwnTwin(MiddlewareMixin):
    """Waits by itself, so its hooks cost no hop."""

    def process_request(self, request: HttpRequest) -> None:
        return None

    async def __acall__(self, request: HttpRequest) -> Any:
        self.process_request(request)
        return await self.get_response(request)


class SyncOverride(MiddlewareMixin):
    """Says async_capable by inheritance, and is not."""

    def __call__(self, request: HttpRequest) -> Any:
        response = self.get_response(request)
        response["x-seen"] = "yes"
        return response


class OverrideThatKnows(MiddlewareMixin):
    def __call__(self, request: HttpRequest) -> Any:
        request.seen = True  # type: ignore[attr-defined]
        return super().__call__(request)


class OurOwn(AsyncStaticMiddleware):
    """A subclass of ours, as a project may have it."""


@sync_and_async_middleware
def both(get_response: Any) -> Any:
    if iscoroutinefunction(get_response):

        async def amiddleware(request: HttpRequest) -> Any:
            return await get_response(request)

        return amiddleware

    def middleware(request: HttpRequest) -> Any:
        return get_response(request)

    return middleware


@async_only_middleware
def async_only(get_response: Any) -> Any:
    async def middleware(request: HttpRequest) -> Any:
        return await get_response(request)

    return middleware


def unmarked_factory(get_response: Any) -> Any:
    """An async function from a factory that no decorator says to be one."""

    async def middleware(request: HttpRequest) -> Any:
        return get_response(request)

    return middleware


@sync_only_middleware
def sync_only(get_response: Any) -> Any:
    return lambda request: get_response(request)


def not_used(get_response: Any) -> Any:
    raise MiddlewareNotUsed


def fails(get_response: Any) -> Any:
    raise RuntimeError("no configuration")


def exits(get_response: Any) -> Any:
    raise SystemExit(3)


def gives_none(get_response: Any) -> Any:
    return None


class Prints(MiddlewareMixin):
    def __init__(self, get_response: Any) -> None:
        print("hello from the constructor")
        super().__init__(get_response)


def _with_option(get_response: Any, option: str) -> Any:
    return lambda request: get_response(request)


partial_factory = functools.partial(_with_option, option="x")


class Neither:
    sync_capable = False
    async_capable = False
