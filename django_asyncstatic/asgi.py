"""ASGI: static files in front of any application, or of none.

``get_asgi_application()`` replaces Django's function of that name; :class:`StaticASGI` reads no settings.
"""

from __future__ import annotations

import asyncio
import os
from collections.abc import Awaitable, Callable, MutableMapping, Sequence
from typing import Any

from asgiref.compatibility import guarantee_single_callable

from django_asyncstatic.serving.contents import SMALL_SIZE, AsyncStream, ContentUnavailable
from django_asyncstatic.serving.fields import fields_from_headers, path_info_from_scope
from django_asyncstatic.serving.mounts import Answer, Candidates, answer, would_wait
from django_asyncstatic.sources import add_directory, make_site

Scope = MutableMapping[str, Any]
Message = MutableMapping[str, Any]
Receive = Callable[[], Awaitable[Message]]
Send = Callable[[Message], Awaitable[None]]
ASGIApplication = Callable[[Scope, Receive, Send], Awaitable[None]]

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
            script_name, path_info = path_info_from_scope(scope, self.script_name)
            security = self.site.security
            is_secure = security is not None and security.is_secure_scope(scope)
            candidates = self.site.candidates(script_name, path_info, is_secure=is_secure)
            if (
                candidates
                and not self.site.would_redirect(scope["path"], is_secure=is_secure)
                and await self._respond(candidates, scope, receive, send)
            ):
                return
        await self.application(scope, receive, send)

    async def _respond(self, candidates: Candidates, scope: Scope, receive: Receive, send: Send) -> bool:
        """Answer if the resource is here and its file as it should be; else say so and send nothing."""
        loop = asyncio.get_running_loop()
        asked = (
            candidates,
            scope["method"],
            lambda: fields_from_headers(scope["headers"]),
            lambda: scope.get("query_string", b""),
        )
        found = await loop.run_in_executor(None, answer, *asked) if would_wait(candidates) else answer(*asked)
        if found is None:
            return False
        try:
            if _sends_files(scope, found):
                assert found.plan.content is not None
                path = await loop.run_in_executor(None, found.contents.verified_path, found.plan.content)
                await send(_start(found))
                await send({"type": PATHSEND, "path": path})
                return True
            opened = await found.aopen()
        except ContentUnavailable as error:
            return found.has_another(error) and await self._respond(candidates, scope, receive, send)
        if isinstance(opened, bytes):
            await send(_start(found))
            await send({"type": "http.response.body", "body": opened})
        else:
            assert found.plan.content is not None
            await _send_stream(_start(found), AsyncStream(opened, found.plan.content.length), receive, send)
        return True


def _start(found: Answer) -> Message:
    # A copy: the list is shared by all responses, and middleware around us may add to it.
    return {
        "type": "http.response.start",
        "status": found.plan.status,
        "headers": list(found.plan.headers.raw),
    }


def _sends_files(scope: Scope, found: Answer) -> bool:
    """Whether the server can send this content by itself: a whole file, and larger than memory is for."""
    content = found.plan.content
    return (
        content is not None
        and content.is_whole
        and content.length > SMALL_SIZE
        and PATHSEND in (scope.get("extensions") or {})
    )


async def _send_stream(start: Message, stream: AsyncStream, receive: Receive, send: Send) -> None:
    """Send chunk by chunk, and stop reading as soon as the client is gone: servers swallow what nobody gets."""
    gone = asyncio.ensure_future(_disconnect(receive))
    try:
        await send(start)
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
