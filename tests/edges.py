"""The edges of serving, driven in process: the pure plan, the middleware in both modes, the ASGI and WSGI wrappers.

Each is a function from a request to a :class:`Response`, so that one table of cases runs against all of them.
"""

from __future__ import annotations

import asyncio
from collections.abc import Callable, Iterable
from dataclasses import dataclass
from io import BytesIO
from typing import Any
from urllib.parse import unquote_to_bytes

from django.core.asgi import get_asgi_application as get_django_asgi_application
from django.core.wsgi import get_wsgi_application as get_django_wsgi_application

from django_asyncstatic import asgi, conf, wsgi
from django_asyncstatic.serving.fields import fields_from_headers
from django_asyncstatic.serving.mounts import answer

Pairs = Iterable[tuple[str, str]]


@dataclass(frozen=True)
class Response:
    """What came back. ``headers`` have lower-case names; a name that came twice would be a test's failure."""

    status: int
    headers: dict[str, str]
    body: bytes


Edge = Callable[..., Response]


def ask_plan(method: str, path: str, fields: Pairs = ()) -> Response:
    """The decision alone, its content read by the module that reads contents."""
    raw_path, _, query = path.partition("?")
    raw = [(field.lower().encode(), value.encode("latin-1")) for field, value in fields]
    candidates = conf.site().candidates("", unquote_to_bytes(raw_path).decode(errors="replace"))
    found = answer(candidates, method, lambda: fields_from_headers(raw), query.encode)
    if found is None:
        return Response(404, {}, b"")
    opened = found.open()
    if isinstance(opened, bytes):
        body = opened
    else:
        assert found.plan.content is not None
        with opened:
            body = opened.read(found.plan.content.length)
    return Response(found.plan.status, _unique(found.plan.headers.pairs), body)


def ask_middleware_sync(method: str, path: str, fields: Pairs = ()) -> Response:
    return ask_wsgi(get_django_wsgi_application(), method, path, fields)


def ask_middleware_async(method: str, path: str, fields: Pairs = ()) -> Response:
    return ask_asgi(get_django_asgi_application(), method, path, fields)


def ask_wrapper_wsgi(method: str, path: str, fields: Pairs = ()) -> Response:
    return ask_wsgi(wsgi.get_wsgi_application(), method, path, fields)


def ask_wrapper_asgi(method: str, path: str, fields: Pairs = ()) -> Response:
    return ask_asgi(asgi.get_asgi_application(), method, path, fields)


EDGES: dict[str, Edge] = {
    "plan": ask_plan,
    "middleware-sync": ask_middleware_sync,
    "middleware-async": ask_middleware_async,
    "wrapper-wsgi": ask_wrapper_wsgi,
    "wrapper-asgi": ask_wrapper_asgi,
}


def make_environ(method: str, path: str, fields: Pairs = (), **extra: Any) -> dict[str, Any]:
    """A WSGI environ as servers make it: the path decoded to Latin-1, repeated lines joined."""
    raw_path, _, query = path.partition("?")
    environ = {
        "REQUEST_METHOD": method,
        "SCRIPT_NAME": "",
        "PATH_INFO": unquote_to_bytes(raw_path).decode("latin-1"),
        "QUERY_STRING": query,
        "SERVER_NAME": "testserver",
        "SERVER_PORT": "80",
        "SERVER_PROTOCOL": "HTTP/1.1",
        "wsgi.version": (1, 0),
        "wsgi.url_scheme": "http",
        "wsgi.input": BytesIO(),
        "wsgi.errors": BytesIO(),
        "wsgi.multithread": True,
        "wsgi.multiprocess": False,
        "wsgi.run_once": False,
    }
    for field, value in fields:
        key = "HTTP_" + field.upper().replace("-", "_")
        environ[key] = f"{environ[key]},{value}" if key in environ else value
    return {**environ, **extra}


def ask_wsgi(application: Any, method: str, path: str, fields: Pairs = (), **extra: Any) -> Response:
    """One request to a WSGI application; the iterable is closed, as PEP 3333 demands."""
    started: list[Any] = []

    def start_response(status: str, headers: list[tuple[str, str]], exc_info: Any = None) -> None:
        started[:] = [status, headers]

    result = application(make_environ(method, path, fields, **extra), start_response)
    try:
        body = b"".join(result)
    finally:
        if hasattr(result, "close"):
            result.close()
    status, headers = started
    return Response(int(status.split()[0]), _unique(headers), body)


def make_scope(method: str, path: str, fields: Pairs = (), **extra: Any) -> dict[str, Any]:
    """An ASGI scope as servers make it: the path decoded to text, header names in lower case."""
    raw_path, _, query = path.partition("?")
    return {
        "type": "http",
        "asgi": {"version": "3.0"},
        "http_version": "1.1",
        "method": method,
        "scheme": "http",
        "path": unquote_to_bytes(raw_path).decode(errors="replace"),
        "raw_path": raw_path.encode(),
        "query_string": query.encode(),
        "root_path": "",
        "headers": [
            (b"host", b"testserver"),
            *((field.lower().encode(), value.encode("latin-1")) for field, value in fields),
        ],
        **extra,
    }


def ask_asgi(application: Any, method: str, path: str, fields: Pairs = (), **extra: Any) -> Response:
    """One request to an ASGI application, on an event loop of its own."""
    return asyncio.run(aask_asgi(application, make_scope(method, path, fields, **extra)))


async def aask_asgi(application: Any, scope: dict[str, Any], sent: list[Any] | None = None) -> Response:
    """The same on the running loop; ``sent`` receives the messages."""
    messages: list[Any] = [] if sent is None else sent
    received = iter([{"type": "http.request", "body": b"", "more_body": False}])

    async def receive() -> dict[str, Any]:
        for message in received:
            return message
        await asyncio.Event().wait()  # connected for as long as the response takes
        raise AssertionError

    async def send(message: Any) -> None:
        messages.append(message)

    await application(scope, receive, send)
    start, *bodies = messages
    headers = [(name.decode("ascii"), value.decode("latin-1")) for name, value in start["headers"]]
    return Response(start["status"], _unique(headers), b"".join(body.get("body", b"") for body in bodies))


def _unique(pairs: Iterable[tuple[str, str]]) -> dict[str, str]:
    headers: dict[str, str] = {}
    for name, value in pairs:
        assert name.lower() not in headers, f"{name} came twice"
        headers[name.lower()] = value
    return headers
