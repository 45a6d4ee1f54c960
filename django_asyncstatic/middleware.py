"""The middleware: sync and async in one class, for Django's WSGI and ASGI handlers alike.

Put it after SecurityMiddleware and before everything that does work per request.
"""

from __future__ import annotations

from collections.abc import Awaitable, Callable
from functools import cached_property
from typing import BinaryIO, cast

from asgiref.sync import iscoroutinefunction, markcoroutinefunction
from django.http import FileResponse, HttpRequest, HttpResponse, StreamingHttpResponse
from django.http.response import HttpResponseBase

from django_asyncstatic import conf
from django_asyncstatic.serving.contents import ContentUnavailable
from django_asyncstatic.serving.fields import fields_from_environ
from django_asyncstatic.serving.mounts import Asked, Candidates, Site, answer, would_wait
from django_asyncstatic.serving.plans import Plan
from django_asyncstatic.serving.streams import CHUNK_SIZE, AsyncStream, BoundedFile, file_for

__all__ = ["AsyncStaticMiddleware"]


class AsyncStaticMiddleware:
    """Answers requests for static files from the index, and passes on every other, untouched and at once.

    Runs in the mode of the middleware below it. Under ASGI no request costs a thread of ours once a small
    resource has been read; under WSGI none costs an event loop.
    """

    sync_capable = True
    async_capable = True

    def __init__(self, get_response: Callable[[HttpRequest], HttpResponseBase | Awaitable[HttpResponseBase]]) -> None:
        if get_response is None:
            raise ValueError("get_response must be provided.")
        self.get_response = get_response
        self.is_async = iscoroutinefunction(get_response)
        if self.is_async:
            # Without the mark Django takes the instance for a sync middleware (ticket 34328).
            markcoroutinefunction(self)
        conf.tell_of_absent_app()
        if conf.explains_missing():
            from django_asyncstatic.development import explaining

            self.get_response = explaining(get_response, self.candidates)
        self.site = conf.site()
        conf.follow(self)

    @cached_property
    def site(self) -> Site:
        return conf.site()

    def __call__(self, request: HttpRequest) -> HttpResponseBase | Awaitable[HttpResponseBase]:
        candidates = self.candidates(request)
        if not candidates:
            return self.get_response(request)
        if self.is_async:
            return self.__acall__(request, candidates)
        asked = _asked(request, candidates)
        found = answer(*asked)
        while found is not None:
            try:
                return respond(request, found.plan, found.open())
            except ContentUnavailable as error:
                found = found.instead(error, asked)
        return self.get_response(request)

    async def __acall__(self, request: HttpRequest, candidates: Candidates) -> HttpResponseBase:
        from asyncio import get_running_loop

        asked = _asked(request, candidates)
        if would_wait(candidates):
            found = await get_running_loop().run_in_executor(None, answer, *asked)
        else:
            found = answer(*asked)
        while found is not None:
            try:
                return respond(request, found.plan, await found.aopen())
            except ContentUnavailable as error:
                found = await get_running_loop().run_in_executor(None, found.instead, error, asked)
        return await cast("Awaitable[HttpResponseBase]", self.get_response(request))

    def candidates(self, request: HttpRequest) -> Candidates:
        # Both of Django's request classes put the script name there, FORCE_SCRIPT_NAME included.
        return self.site.candidates(request.META.get("SCRIPT_NAME", "").rstrip("/"), request.path_info)


def _asked(request: HttpRequest, candidates: Candidates) -> Asked:
    return candidates, request.method or "GET", lambda: fields_from_environ(request.META), lambda: _query(request)


def _query(request: HttpRequest) -> bytes:
    """As it was sent: ASGIRequest decodes it for META, WSGI servers do not."""
    scope = getattr(request, "scope", None)
    if scope is not None:
        return bytes(scope.get("query_string", b""))
    return str(request.META.get("QUERY_STRING", "")).encode("latin-1", "replace")


def respond(request: HttpRequest, plan: Plan, opened: bytes | BinaryIO) -> HttpResponseBase:
    """The Django response of a plan whose content is open."""
    if isinstance(opened, bytes):
        response: HttpResponseBase = HttpResponse(opened, status=plan.status)
    else:
        response = _stream(request, plan, opened)
    # The headers are the plan's alone: no content type of Django's on a 304.
    del response.headers["content-type"]
    for name, value in plan.headers.pairs:
        response.headers[name] = value
    return response


def _stream(request: HttpRequest, plan: Plan, file: BinaryIO) -> HttpResponseBase:
    assert plan.content is not None
    # The server decides: a sync-only middleware below us puts us in sync mode under ASGI, too, and Django
    # buffers an iterator of the wrong kind whole, with a warning.
    if hasattr(request, "scope"):
        return StreamingHttpResponse(AsyncStream(file, plan.content.length), status=plan.status)
    wrapper = request.META.get("wsgi.file_wrapper")
    sendable = file_for(wrapper, file, plan.content.length, is_whole=plan.content.is_whole)
    if sendable is None:
        return StreamingHttpResponse(BoundedFile(file, plan.content.length), status=plan.status)
    return StaticFileResponse(sendable, status=plan.status)


class StaticFileResponse(FileResponse):
    """A file under WSGI that Django gives to the server's ``wsgi.file_wrapper``."""

    block_size = CHUNK_SIZE

    def set_headers(self, filelike: object) -> None:
        """The plan has them."""
