"""The rules of the ASGI specification for HTTP responses, checked between an application and a server.

Wrap any application: ``CheckedASGI(application)``. The first message that breaks a rule raises
:class:`ProtocolError`, so does a response that is not complete when the application returns.

Specification: https://asgi.readthedocs.io/en/latest/specs/www.html and its page "Extensions".
"""

from __future__ import annotations

import os
import re
from collections.abc import Awaitable, Callable, Iterable, Iterator
from typing import Any

#: RFC 9110 5.6.2, in lower case (the ASGI specification).
_NAME = re.compile(rb"[!#$%&'*+.^_`|~0-9a-z-]+")
#: RFC 9110 5.5: visible characters and obs-text, blanks only between them.
_VALUE = re.compile(rb"(?:[\x21-\x7e\x80-\xff](?:[\t\x20-\x7e\x80-\xff]*[\x21-\x7e\x80-\xff])?)?")

START = "http.response.start"
BODY = "http.response.body"
PATHSEND = "http.response.pathsend"
ZEROCOPYSEND = "http.response.zerocopysend"
TRAILERS = "http.response.trailers"
EARLY_HINT = "http.response.early_hint"
PUSH = "http.response.push"
DEBUG = "http.response.debug"

#: The keys that a message may have: ``type`` is in each.
_KEYS: dict[str, set[str]] = {
    START: {"status", "headers", "trailers"},
    BODY: {"body", "more_body"},
    PATHSEND: {"path"},
    ZEROCOPYSEND: {"file", "offset", "count", "more_body"},
    TRAILERS: {"headers", "more_trailers"},
    EARLY_HINT: {"links"},
    PUSH: {"path", "headers"},
    DEBUG: {"info"},
}

Message = Any
Receive = Callable[[], Awaitable[Message]]
Send = Callable[[Message], Awaitable[None]]


class ProtocolError(AssertionError):
    """A message that the ASGI specification forbids. The text names the rule."""


class CheckedASGI:
    """An application between whose messages and the server the rules are checked; other scopes pass through."""

    def __init__(self, application: Callable[[Any, Receive, Send], Awaitable[None]]) -> None:
        self.application = application

    async def __call__(self, scope: Any, receive: Receive, send: Send) -> None:
        if scope["type"] != "http":
            await self.application(scope, receive, send)
            return
        response = _Response(frozenset(scope.get("extensions") or {}))

        async def receive_checked() -> Message:
            message = await receive()
            response.is_disconnected |= message["type"] == "http.disconnect"
            return message

        async def send_checked(message: Message) -> None:
            if isinstance(message, dict) and isinstance(message.get("headers"), Iterator):
                message = {**message, "headers": list(message["headers"])}  # what is checked has to be sent, too
            response.check(message)
            await send(message)

        await self.application(scope, receive_checked, send_checked)
        response.check_end()


class _Response:
    """Where a response stands: before its start, in its body, behind it."""

    def __init__(self, extensions: frozenset[str]) -> None:
        self.extensions = extensions
        self.is_disconnected = False
        self._state = "start"
        self._has_trailers = False
        self._bodies: set[str] = set()

    def check(self, message: Message) -> None:
        _expect(isinstance(message, dict), f"a message is a dict, not {message!r}")
        kind = message.get("type")
        _expect(type(kind) is str, f"the type of a message is a str, not {kind!r}")
        _expect(kind in _KEYS, f"no message of an HTTP response is a {kind}")
        unknown = message.keys() - _KEYS[kind] - {"type"}
        _expect(not unknown, f"{kind} has no {sorted(map(str, unknown))}")
        _expect(self._state != "end", f"{kind} after the end of the response")
        if kind not in (START, BODY):
            _expect(kind in self.extensions, f"{kind} is not among the server's extensions")
        if kind == START:
            self._check_start(message)
        elif kind == DEBUG:
            _expect(self._state == "start", f"{kind} comes before the start")
        elif kind == TRAILERS:
            self._check_trailers(message)
        else:
            _expect(
                self._state == "body", f"{kind} {'before the start' if self._state == 'start' else 'after the body'}"
            )
            if kind in (BODY, ZEROCOPYSEND, PATHSEND):
                self._check_body(kind, message)

    def check_end(self) -> None:
        """What has to be so when the application returns; a client that is gone wants nothing more."""
        if not self.is_disconnected:
            _expect(self._state == "end", f"the application returned in the state {self._state!r} of its response")

    def _check_start(self, message: Message) -> None:
        _expect(self._state == "start", "a response starts once")
        status = message.get("status")
        _expect(type(status) is int, f"a status is an int, not {status!r}")
        # RFC 9110 15; 1xx are the server's.
        _expect(200 <= status <= 599, f"{status} is no status of a final response")
        headers = _checked_headers(message.get("headers", []))
        lengths = [value for name, value in headers if name == b"content-length"]
        _expect(len(lengths) <= 1, "content-length comes once")
        _expect(all(value.isdigit() for value in lengths), f"content-length is a number, not {lengths}")
        trailers = message.get("trailers", False)
        _expect(type(trailers) is bool, f"trailers is a bool, not {trailers!r}")
        _expect(not trailers or TRAILERS in self.extensions, "the server sends no trailers")
        self._has_trailers = trailers
        self._state = "body"

    def _check_body(self, kind: str, message: Message) -> None:
        more = message.get("more_body", False)
        _expect(type(more) is bool, f"more_body is a bool, not {more!r}")
        if kind == BODY:
            body = message.get("body", b"")
            _expect(type(body) is bytes, f"a body is bytes, not {type(body).__name__}")
        elif kind == PATHSEND:
            path = message.get("path")
            _expect(type(path) is str, f"a path is a str, not {path!r}")
            _expect(os.path.isabs(path), f"a path is absolute, not {path!r}")
        else:
            _expect(type(message.get("file").fileno()) is int, "a file to send has a descriptor")
            for key in message.keys() & {"offset", "count"}:
                _expect(type(message[key]) is int, f"{key} is an int, not {message[key]!r}")
        # "cannot be mixed with http.response.body. It can be called just one time in one response."
        _expect(PATHSEND not in self._bodies, "nothing of a body follows a path")
        _expect(kind != PATHSEND or not self._bodies, "a path does not follow a part of a body")
        self._bodies.add(kind)
        if not more:
            self._state = "trailers" if self._has_trailers else "end"

    def _check_trailers(self, message: Message) -> None:
        _expect(self._state == "trailers", "trailers follow the body of a response that announced them")
        _checked_headers(message.get("headers", []))
        more = message.get("more_trailers", False)
        _expect(type(more) is bool, f"more_trailers is a bool, not {more!r}")
        if not more:
            self._state = "end"


def _checked_headers(headers: Any) -> list[tuple[bytes, bytes]]:
    _expect(isinstance(headers, Iterable), f"headers are an iterable, not {headers!r}")
    _expect(not isinstance(headers, (dict, str, bytes)), f"headers are pairs, not a {type(headers).__name__}")
    checked = []
    for pair in headers:
        _expect(isinstance(pair, Iterable) and not isinstance(pair, (str, bytes)), f"a header is a pair, not {pair!r}")
        items = list(pair)
        _expect(len(items) == 2, f"a header is a pair, not {pair!r}")
        name, value = items
        _expect(type(name) is bytes, f"a header's name is bytes, not {name!r}")
        _expect(type(value) is bytes, f"a header's value is bytes, not {value!r}")
        _expect(not name.startswith(b":"), f"{name!r} is a pseudo header")
        _expect(_NAME.fullmatch(name) is not None, f"{name!r} is not a header's name in lower case")
        _expect(_VALUE.fullmatch(value) is not None, f"{value!r} is not a header's value")
        checked.append((name, value))
    return checked


def _expect(is_so: bool, rule: str) -> None:
    if not is_so:
        raise ProtocolError(rule)
