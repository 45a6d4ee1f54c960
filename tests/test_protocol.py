"""The checker of the ASGI rules: it lets pass what the specification allows, and names the rule that is broken."""

from __future__ import annotations

import asyncio
from typing import Any

import pytest

from django_asyncstatic.asgi import StaticASGI
from tests.edges import make_scope
from tests.protocol import BODY, EARLY_HINT, PATHSEND, START, TRAILERS, CheckedASGI, ProtocolError

OK = {"type": START, "status": 200, "headers": [(b"content-length", b"0")]}
END = {"type": BODY}
MORE = {"type": BODY, "body": b"a", "more_body": True}
PATH = {"type": PATHSEND, "path": "/a"}


def start(**keys: Any) -> dict[str, Any]:
    return {"type": START, "status": 200, **keys}


ALLOWED: dict[str, tuple[Any, ...]] = {
    "shortest": (OK, END),
    "no headers": (start(), MORE, MORE, {"type": BODY, "body": b"b", "more_body": False}),
    "headers from an iterator": (start(headers=iter([[b"x-empty", b""]])), END),
    "a path": (OK, PATH),
    "hints and trailers": (
        start(trailers=True),
        {"type": EARLY_HINT, "links": []},
        END,
        {"type": TRAILERS, "headers": [], "more_trailers": True},
        {"type": TRAILERS, "headers": [(b"x", b"y")]},
    ),
}

#: Messages, and what is said of the last of them.
BROKEN: dict[str, tuple[tuple[Any, ...], str]] = {
    "nothing": ((), "returned in the state 'start'"),
    "no body": ((OK,), "returned in the state 'body'"),
    "no last body": ((OK, MORE), "returned in the state 'body'"),
    "no trailers": ((start(trailers=True), END), "returned in the state 'trailers'"),
    "body first": ((END,), "before the start"),
    "two starts": ((OK, OK), "starts once"),
    "two ends": ((OK, END, END), "after the end"),
    "text": ((OK, {"type": BODY, "body": "text"}), "bytes, not str"),
    "bytearray": ((OK, {"type": BODY, "body": bytearray()}), "bytes, not bytearray"),
    "more_body is 0": ((OK, {"type": BODY, "more_body": 0}), "more_body is a bool"),
    "unknown key": ((OK, {"type": BODY, "bodi": b""}), "has no"),
    "unknown type": ((OK, {"type": "http.disconnect"}), "no message of an HTTP response"),
    "no type": (({"status": 200},), "type of a message"),
    "a list": (([("type", START)],), "a message is a dict"),
    "no status": (({"type": START},), "a status is an int"),
    "status is text": ((start(status="200"),), "a status is an int"),
    "status is True": ((start(status=True),), "a status is an int"),
    "status 100": ((start(status=100),), "final response"),
    "headers in a dict": ((start(headers={b"a": b"b"}),), "headers are pairs"),
    "headers are None": ((start(headers=None),), "an iterable"),
    "header is bytes": ((start(headers=[b"ab"]),), "a header is a pair"),
    "header of three": ((start(headers=[(b"a", b"b", b"c")]),), "a header is a pair"),
    "name is text": ((start(headers=[("a", b"b")]),), "name is bytes"),
    "value is text": ((start(headers=[(b"a", "b")]),), "value is bytes"),
    "name in capitals": ((start(headers=[(b"ETag", b"b")]),), "lower case"),
    "empty name": ((start(headers=[(b"", b"b")]),), "lower case"),
    "pseudo header": ((start(headers=[(b":status", b"200")]),), "pseudo header"),
    "two lines in a value": ((start(headers=[(b"a", b"b\r\nc: d")]),), "not a header's value"),
    "two lengths": ((start(headers=[(b"content-length", b"1")] * 2),), "comes once"),
    "length with a sign": ((start(headers=[(b"content-length", b"+1")]),), "a number"),
    "path is bytes": ((OK, {"type": PATHSEND, "path": b"/a"}), "a path is a str"),
    "relative path": ((OK, {"type": PATHSEND, "path": "a"}), "a path is absolute"),
    "path, then body": ((OK, PATH, END), "after the end"),
    "path, then path": ((OK, PATH, PATH), "after the end"),
    "body, then path": ((OK, MORE, PATH), "does not follow a part"),
    "trailers that nobody announced": ((OK, END, {"type": TRAILERS, "headers": []}), "after the end"),
    "trailers before the body": ((start(trailers=True), {"type": TRAILERS, "headers": []}), "trailers follow the body"),
}


def send_all(*messages: Any, extensions: tuple[str, ...] = (PATHSEND, TRAILERS, EARLY_HINT)) -> list[Any]:
    """What arrives at the server when an application sends these messages through the checker."""

    async def application(scope: Any, receive: Any, send: Any) -> None:
        for message in messages:
            await send(message)

    sent: list[Any] = []

    async def receive() -> Any:
        return {"type": "http.request"}

    async def send(message: Any) -> None:
        sent.append(message)

    scope = make_scope("GET", "/", extensions={name: {} for name in extensions})
    asyncio.run(CheckedASGI(application)(scope, receive, send))
    return sent


@pytest.mark.parametrize("messages", ALLOWED.values(), ids=ALLOWED)
def test_what_the_specification_allows_passes(messages: tuple[Any, ...]) -> None:
    sent = send_all(*messages)
    assert [message["type"] for message in sent] == [message["type"] for message in messages]
    assert all(isinstance(message.get("headers", []), list) for message in sent)


@pytest.mark.parametrize(("messages", "rule"), BROKEN.values(), ids=BROKEN)
def test_the_rule_that_is_broken_is_named(messages: tuple[Any, ...], rule: str) -> None:
    with pytest.raises(ProtocolError, match=rule):
        send_all(*messages)


@pytest.mark.parametrize(
    "messages",
    [(OK, PATH), (OK, {"type": "http.response.zerocopysend", "file": 1}), (OK, {"type": EARLY_HINT, "links": []})],
    ids=["path", "file", "hint"],
)
def test_what_the_server_does_not_advertise_is_not_for_it(messages: tuple[Any, ...]) -> None:
    with pytest.raises(ProtocolError, match="not among the server's extensions"):
        send_all(*messages, extensions=())


def test_trailers_are_for_servers_that_send_them() -> None:
    with pytest.raises(ProtocolError, match="sends no trailers"):
        send_all(start(trailers=True), extensions=())


def test_a_client_that_is_gone_needs_no_complete_response() -> None:
    async def application(scope: Any, receive: Any, send: Any) -> None:
        await send(OK)
        assert (await receive())["type"] == "http.disconnect"

    async def receive() -> Any:
        return {"type": "http.disconnect"}

    async def send(message: Any) -> None:
        pass

    asyncio.run(CheckedASGI(application)(make_scope("GET", "/"), receive, send))


def test_other_scopes_are_not_checked() -> None:
    sent: list[Any] = []

    async def receive() -> Any:
        return {"type": "lifespan.shutdown"}

    async def send(message: Any) -> None:
        sent.append(message)

    asyncio.run(CheckedASGI(StaticASGI())({"type": "lifespan"}, receive, send))
    assert sent == [{"type": "lifespan.shutdown.complete"}]
