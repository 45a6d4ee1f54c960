"""The ASGI wrapper around any application, or none, without Django's settings."""

from __future__ import annotations

import asyncio
import os
import time
from pathlib import Path
from typing import Any

import pytest
from django.core.asgi import get_asgi_application as get_django_application

from django_asyncstatic.asgi import PATHSEND, ZEROCOPYSEND, StaticASGI
from django_asyncstatic.serving.contents import Contents
from django_asyncstatic.serving.streams import CHUNK_SIZE, ContentChanged
from tests.edges import aask_asgi, ask_asgi, make_scope

TEXT = "site/text.txt"
LARGE = "site/large/noise.bin"


async def application(scope: Any, receive: Any, send: Any) -> None:
    """What stands behind: says so, and echoes the request's body."""
    message = await receive()
    await send({"type": "http.response.start", "status": 200, "headers": [(b"x-behind", b"yes")]})
    await send({"type": "http.response.body", "body": b"behind " + message.get("body", b"")})


@pytest.fixture
def static(collected: Path) -> StaticASGI:
    return StaticASGI(application, root=collected, prefix="static")


def test_it_serves_its_prefix_and_passes_on_the_rest(static: StaticASGI) -> None:
    assert ask_asgi(static, "GET", "/static/site/digits.txt").body == b"0123456789"
    for path in ("/", "/elsewhere", "/static", "/staticsite/digits.txt", "/static/missing"):
        response = ask_asgi(static, "GET", path)
        assert (response.body, response.headers) == (b"behind ", {"x-behind": "yes"})


def test_without_an_application_everything_else_is_a_404(collected: Path) -> None:
    static = StaticASGI(root=collected, prefix="/static/")
    assert ask_asgi(static, "GET", "/static/site/digits.txt").status == 200
    response = ask_asgi(static, "GET", "/elsewhere")
    assert (response.status, response.body, response.headers["content-length"]) == (404, b"Not Found", "9")
    assert ask_asgi(static, "HEAD", "/elsewhere").body == b""


def test_an_asgi_2_application_may_stand_behind(collected: Path) -> None:
    def double_callable(scope: Any) -> Any:
        async def instance(receive: Any, send: Any) -> None:
            await application(scope, receive, send)

        return instance

    static = StaticASGI(double_callable, root=collected, prefix="static")
    assert ask_asgi(static, "GET", "/elsewhere").body == b"behind "
    assert ask_asgi(static, "GET", "/static/site/one.txt").body == b"x"


@pytest.mark.parametrize("kind", ["lifespan", "websocket", "something-new"])
def test_other_scopes_belong_to_the_application(collected: Path, kind: str) -> None:
    seen = []

    async def record(scope: Any, receive: Any, send: Any) -> None:
        seen.append(scope["type"])

    async def never() -> Any:
        raise AssertionError

    asyncio.run(StaticASGI(record, root=collected)({"type": kind}, never, never))
    assert seen == [kind]


def test_without_an_application_the_lifespan_completes_and_websockets_are_closed(collected: Path) -> None:
    async def run(kind: str, *events: str) -> list[str]:
        received = iter(events)
        sent: list[str] = []

        async def receive() -> Any:
            return {"type": next(received)}

        async def send(message: Any) -> None:
            sent.append(message["type"])

        await StaticASGI(root=collected)({"type": kind}, receive, send)
        return sent

    assert asyncio.run(run("lifespan", "lifespan.startup", "lifespan.shutdown")) == [
        "lifespan.startup.complete",
        "lifespan.shutdown.complete",
    ]
    assert asyncio.run(run("websocket", "websocket.connect")) == ["websocket.close"]


def test_a_name_that_is_not_ascii_is_found(static: StaticASGI) -> None:
    assert ask_asgi(static, "GET", "/static/site/names/caf%C3%A9.txt").body == "café.txt".encode()


def test_the_bodies_of_requests_are_left_unread(collected: Path) -> None:
    received = 0

    async def receive() -> Any:
        nonlocal received
        received += 1
        return {"type": "http.request", "body": b"upload", "more_body": False}

    sent: list[Any] = []

    async def send(message: Any) -> None:
        sent.append(message)

    static = StaticASGI(application, root=collected, prefix="static")
    asyncio.run(static(make_scope("POST", "/upload"), receive, send))
    assert (received, sent[-1]["body"]) == (1, b"behind upload")


def test_headers_may_be_chosen_without_settings(collected: Path) -> None:
    static = StaticASGI(root=collected, prefix="static", max_age=5, allow_all_origins=False, charset="")
    headers = ask_asgi(static, "GET", "/static/site/digits.txt").headers
    assert headers["cache-control"] == "max-age=5, public"
    assert headers["content-type"] == "text/plain"
    assert "access-control-allow-origin" not in headers
    with pytest.raises(TypeError, match="max_aeg"):
        StaticASGI(root=collected, max_aeg=5)


def test_an_index_may_lie_elsewhere(collected: Path, tmp_path: Path) -> None:
    moved = tmp_path / "index"
    moved.write_bytes((collected / "asyncstatic.index").read_bytes())
    static = StaticASGI(root=collected, prefix="static", index=moved)
    assert ask_asgi(static, "GET", "/static/site/digits.txt").headers["etag"].startswith('"')


def test_changing_a_responses_headers_does_not_change_the_next(static: StaticASGI) -> None:
    async def run() -> list[Any]:
        sent: list[Any] = []
        for _ in range(2):
            sent.clear()
            await aask_asgi(static, make_scope("GET", "/static/site/digits.txt"), sent)
            sent[0]["headers"].append((b"x-added", b"by a middleware around"))
        return [name for name, _ in sent[0]["headers"]]

    assert asyncio.run(run()).count(b"x-added") == 1


def test_a_server_that_sends_files_gets_the_path_of_a_whole_large_file(static: StaticASGI, collected: Path) -> None:
    def types(path: str, *fields: tuple[str, str]) -> list[str]:
        sent: list[Any] = []
        scope = make_scope("GET", f"/static/{path}", fields, extensions={PATHSEND: {}})
        asyncio.run(aask_asgi(static, scope, sent))
        messages.extend(sent)
        return [message["type"] for message in sent]

    messages: list[Any] = []
    assert types(LARGE) == ["http.response.start", PATHSEND]
    assert Path(messages[-1]["path"]).read_bytes() == next(collected.glob("site/large/noise.*.bin")).read_bytes()
    assert Path(messages[-1]["path"]).is_absolute()
    assert (b"content-length", b"3000000") in messages[0]["headers"]
    assert PATHSEND not in types(LARGE, ("range", "bytes=0-999999"))
    assert PATHSEND not in types(TEXT)


@pytest.mark.parametrize(
    ("field", "offset", "count"), [((), 0, 3_000_000), ((("range", "bytes=5-999999"),), 5, 999_995)], ids=["200", "206"]
)
def test_a_server_that_sends_descriptors_gets_one_with_the_slice(
    field: Any, offset: int, count: int, static: StaticASGI, collected: Path
) -> None:
    expected = next(collected.glob("site/large/noise.*.bin")).read_bytes()
    sent: list[bytes] = []
    files: list[Any] = []

    async def send(message: Any) -> None:
        if message["type"] == ZEROCOPYSEND:
            files.append(message["file"])
            assert (message["offset"], message["count"]) == (offset, count)
            sent.append(os.pread(message["file"].fileno(), message["count"], message["offset"]))

    scope = make_scope("GET", f"/static/{LARGE}", field, extensions={PATHSEND: {}, ZEROCOPYSEND: {}})
    asyncio.run(static(scope, None, send))  # type: ignore[arg-type]
    assert sent == [expected[offset : offset + count]]
    assert [file.closed for file in files] == [True]


def test_a_large_file_is_sent_in_large_chunks(static: StaticASGI) -> None:
    sent: list[Any] = []
    asyncio.run(aask_asgi(static, make_scope("GET", f"/static/{LARGE}"), sent))
    bodies = [message["body"] for message in sent[1:]]
    assert {len(body) for body in bodies[:-2]} == {CHUNK_SIZE}
    assert bodies[-1] == b""
    assert sum(map(len, bodies)) == 3_000_000


def test_reading_stops_when_the_client_is_gone(static: StaticASGI) -> None:
    async def run() -> int:
        gone = asyncio.Event()
        sent = 0

        async def receive() -> Any:
            await gone.wait()
            return {"type": "http.disconnect"}

        async def send(message: Any) -> None:
            nonlocal sent
            sent += len(message.get("body", b""))
            gone.set()
            await asyncio.sleep(0)

        await static(make_scope("GET", f"/static/{LARGE}"), receive, send)
        return sent

    assert asyncio.run(run()) <= 2 * CHUNK_SIZE


def test_a_file_that_is_cut_while_it_is_sent_breaks_the_connection(tmp_path: Path) -> None:
    file = tmp_path / "large.bin"
    file.write_bytes(b"x" * 2_000_000)
    static = StaticASGI(root=tmp_path)

    async def run() -> None:
        async def receive() -> Any:
            await asyncio.Event().wait()

        async def send(message: Any) -> None:
            file.write_bytes(b"x" * 300_000)

        await static(make_scope("GET", "/large.bin"), receive, send)

    with pytest.raises(ContentChanged, match=r"large\.bin was cut"):
        asyncio.run(run())


def test_a_cancelled_response_closes_its_file(static: StaticASGI) -> None:
    """An open file would be a ResourceWarning, and that an error."""

    async def run() -> None:
        async def receive() -> Any:
            await asyncio.Event().wait()

        async def send(message: Any) -> None:
            if message["type"] == "http.response.body":
                await asyncio.Event().wait()

        task = asyncio.ensure_future(static(make_scope("GET", f"/static/{LARGE}"), receive, send))
        await asyncio.sleep(0.2)
        task.cancel()
        with pytest.raises(asyncio.CancelledError):
            await task

    asyncio.run(run())


def test_a_request_that_is_cancelled_while_its_file_is_opened_closes_it(
    collected: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    opened: list[Any] = []
    open_content = Contents.open

    def slowly(self: Contents, content: Any) -> Any:
        time.sleep(0.2)
        opened.append(open_content(self, content))
        return opened[-1]

    monkeypatch.setattr(Contents, "open", slowly)

    async def run() -> None:
        task = asyncio.ensure_future(aask_asgi(StaticASGI(root=collected), make_scope("GET", f"/{LARGE}")))
        await asyncio.sleep(0.1)
        task.cancel()
        with pytest.raises(asyncio.CancelledError):
            await task
        await asyncio.sleep(0.3)

    asyncio.run(run())
    assert [file.closed for file in opened] == [True]


def test_a_hundred_requests_at_once_before_anything_is_loaded(collected: Path) -> None:
    static = StaticASGI(root=collected, prefix="static")

    async def run() -> set[bytes]:
        asked = (aask_asgi(static, make_scope("GET", "/static/site/digits.txt")) for _ in range(100))
        return {response.body for response in await asyncio.gather(*asked)}

    assert asyncio.run(run()) == {b"0123456789"}


@pytest.mark.usefixtures("static_root")
def test_it_stands_in_front_of_django_as_one_changed_import() -> None:
    from django_asyncstatic.asgi import get_asgi_application

    ours, theirs = get_asgi_application(), get_django_application()
    assert ask_asgi(ours, "GET", "/static/site/digits.txt").body == b"0123456789"
    mine, django = (ask_asgi(each, "GET", "/some/page?query=1") for each in (ours, theirs))
    assert mine == django
