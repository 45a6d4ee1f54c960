"""ASGI: static files in front of any application, or of none.

``get_asgi_application()`` replaces Django's function of that name; :class:`StaticASGI` reads no settings.
"""

from __future__ import annotations

import asyncio
import os
from collections.abc import Awaitable, Callable, MutableMapping, Sequence
from typing import Any, BinaryIO

from asgiref.compatibility import guarantee_single_callable

from django_asyncstatic.serving.contents import SMALL_SIZE, ContentUnavailable
from django_asyncstatic.serving.fields import fields_from_headers, path_info_from_scope
from django_asyncstatic.serving.mounts import Answer, Asked, Candidates, answer, would_wait
from django_asyncstatic.serving.plans import Plan
from django_asyncstatic.serving.streams import AsyncStream
from django_asyncstatic.sources import add_directory, make_site

__all__ = ["StaticASGI", "get_asgi_application"]

Scope = MutableMapping[str, Any]
Message = MutableMapping[str, Any]
Receive = Callable[[], Awaitable[Message]]
Send = Callable[[Message], Awaitable[None]]
ASGIApplication = Callable[[Scope, Receive, Send], Awaitable[None]]

#: Extensions by which a server sends a file by itself: from a descriptor, any part of it; from a path, the whole.
ZEROCOPYSEND = "http.response.zerocopysend"
PATHSEND = "http.response.pathsend"


def get_asgi_application() -> StaticASGI:
    """Django's ASGI application with the project's static files in front of it.

    A drop-in replacement for ``django.core.asgi.get_asgi_application``. What SecurityMiddleware would have
    added is added; what it would have redirected is left to it.
    """
    from django.core.asgi import get_asgi_application as get_django_application

    from django_asyncstatic import conf

    application = get_django_application()
    front = StaticASGI(application, script_name=conf.script_name())
    front.site = conf.site(conf.security_policy())
    return front


class StaticASGI:
    """Static files in front of an ASGI application.

    ``application`` is ASGI 3 or 2; without one everything else is a 404. ``root`` is a directory,
    ``prefix`` the path under which its files are served, ``index`` the file of its index, by default
    ``asyncstatic.index`` inside it; without an index the directory is scanned. ``live`` are patterns of names that are
    looked up on the disk if the index lacks them, ``index_file`` (``True``: ``index.html``) and ``dotfiles`` those of
    :class:`~django_asyncstatic.serving.mounts.MountOptions`, and ``headers`` the fields of
    :class:`~django_asyncstatic.serving.headers.HeaderPolicy`.

    Specification: https://asgi.readthedocs.io/en/latest/specs/www.html
    """

    def __init__(
        self,
        application: Any = None,
        root: str | os.PathLike[str] | None = None,
        prefix: str | None = None,
        *,
        index: str | os.PathLike[str] | None = None,
        live: Sequence[str] = (),
        index_file: str | bool | None = None,
        dotfiles: bool = False,
        script_name: str | None = None,
        **headers: Any,
    ) -> None:
        self.application: ASGIApplication = (
            _nothing_behind if application is None else guarantee_single_callable(application)  # type: ignore[no-untyped-call]
        )
        self.script_name = script_name
        self.site = make_site(root, prefix, index=index, live=live, index_file=index_file, dotfiles=dotfiles, **headers)

    def add_files(
        self,
        root: str | os.PathLike[str],
        prefix: str | None = None,
        *,
        index: str | os.PathLike[str] | None = None,
        live: Sequence[str] = (),
    ) -> None:
        """Serve one more directory; for a name that several have, the one added last answers."""
        add_directory(self.site, root, prefix, index=index, live=live)

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        if scope["type"] == "http":
            site = self.site
            is_secure = site.security is not None and site.security.is_secure_scope(scope)
            has_script_name = self.script_name or scope.get("root_path")
            route = None if has_script_name else site.routes[is_secure].get(scope["path"])
            if route is not None:
                recalled = route.recall(scope["method"], fields_from_headers(scope["headers"]))
                if recalled is not None:
                    plan, body = recalled
                    await send(_start(plan))
                    await send({"type": "http.response.body", "body": body})
                    return
            script_name, path_info = path_info_from_scope(scope, self.script_name)
            candidates = site.candidates(script_name, path_info, is_secure=is_secure)
            if candidates and not site.would_redirect(scope["path"], is_secure=is_secure):
                found = await self._respond(candidates, scope, receive, send)
                if found is not None:
                    if not has_script_name:
                        site.remember(scope["path"], candidates, found, is_secure=is_secure)
                    return
        await self.application(scope, receive, send)

    async def _respond(self, candidates: Candidates, scope: Scope, receive: Receive, send: Send) -> Answer | None:
        """Answer if the resource is here and its file as it should be; else send nothing."""
        asked: Asked = (
            candidates,
            scope["method"],
            lambda: fields_from_headers(scope["headers"]),
            lambda: scope.get("query_string", b""),
        )
        if would_wait(candidates):
            found = await asyncio.get_running_loop().run_in_executor(None, answer, *asked)
        else:
            found = answer(*asked)
        extensions = scope.get("extensions") or {}
        while found is not None:
            try:
                opened: bytes | BinaryIO | None = found.remembered()
                if opened is None:
                    if PATHSEND in extensions and ZEROCOPYSEND not in extensions and await _send_path(found, send):
                        return found
                    opened = await found.aopen()
            except ContentUnavailable as error:
                found = await asyncio.get_running_loop().run_in_executor(None, found.instead, error, asked)
                continue
            if isinstance(opened, bytes):
                await send(_start(found.plan))
                await send({"type": "http.response.body", "body": opened})
            elif ZEROCOPYSEND in extensions:
                await _send_descriptor(found.plan, opened, send)
            else:
                await _send_stream(found.plan, opened, receive, send)
            return found
        return None


def _start(plan: Plan) -> Message:
    # A copy: the list is shared by all responses, and middleware around us may add to it.
    return {"type": "http.response.start", "status": plan.status, "headers": plan.headers.raw.copy()}


async def _send_path(found: Answer, send: Send) -> bool:
    """Let the server send a whole file, if the content is one, and larger than memory is for."""
    content = found.plan.content
    if content is None or content.length <= SMALL_SIZE or not content.is_whole:
        return False
    path = await found.contents.averified_path(content)
    await send(_start(found.plan))
    await send({"type": PATHSEND, "path": path})
    return True


async def _send_descriptor(plan: Plan, file: BinaryIO, send: Send) -> None:
    """Let the server send from an open file; closing it is the application's."""
    assert plan.content is not None
    with file:
        await send(_start(plan))
        await send({"type": ZEROCOPYSEND, "file": file, "offset": plan.content.start, "count": plan.content.length})


async def _send_stream(plan: Plan, file: BinaryIO, receive: Receive, send: Send) -> None:
    """Send chunk by chunk, and stop reading as soon as the client is gone: servers swallow what nobody gets."""
    assert plan.content is not None
    stream = AsyncStream(file, plan.content.length)
    gone = asyncio.ensure_future(_disconnect(receive))
    try:
        await send(_start(plan))
        async for chunk in stream:
            if gone.done():
                return
            await send({"type": "http.response.body", "body": chunk, "more_body": True})
        await send({"type": "http.response.body", "body": b""})
    finally:
        gone.cancel()
        stream.close()


async def _disconnect(receive: Receive) -> None:
    while (await receive())["type"] != "http.disconnect":
        pass  # a body that a GET has no use for


async def _nothing_behind(scope: Scope, receive: Receive, send: Send) -> None:
    """The application where there is none: 404, no WebSocket, and a lifespan without events."""
    if scope["type"] == "http":
        body = b"Not Found"
        headers = [(b"content-type", b"text/plain"), (b"content-length", b"%d" % len(body))]
        await send({"type": "http.response.start", "status": 404, "headers": headers})
        await send({"type": "http.response.body", "body": b"" if scope["method"] == "HEAD" else body})
    elif scope["type"] == "websocket":
        await receive()
        await send({"type": "websocket.close"})
    elif scope["type"] == "lifespan":
        while True:
            event = (await receive())["type"]
            await send({"type": f"{event}.complete"})
            if event == "lifespan.shutdown":
                return
