"""What a server's event loop is at, told by the server itself: ``GET /probe`` of an application in a :class:`Probe`."""

from __future__ import annotations

import asyncio
import json
import time
from typing import Any

from tests.servers import raw_request

PATH = "/probe"

#: Seconds between two turns of the task that measures.
INTERVAL = 0.005


class Probe:
    """An ASGI application in front of another; answers its one path with the number of tasks and the longest delay."""

    def __init__(self, application: Any) -> None:
        self._application = application
        self._watching: asyncio.Task[None] | None = None
        self._longest = 0.0

    async def __call__(self, scope: Any, receive: Any, send: Any) -> None:
        if scope["type"] != "http" or scope["path"] != PATH:
            await self._application(scope, receive, send)
            return
        if self._watching is None:
            self._watching = asyncio.ensure_future(self._watch())
        body = json.dumps({"tasks": len(asyncio.all_tasks()), "delay": self._longest}).encode()
        self._longest = 0.0
        headers = [(b"content-type", b"application/json"), (b"content-length", b"%d" % len(body))]
        await send({"type": "http.response.start", "status": 200, "headers": headers})
        await send({"type": "http.response.body", "body": body})

    async def _watch(self) -> None:
        """How much later than asked for the loop gives this task its turn: as long as others have kept it.

        That the machine gives its processors to others is not the loop's doing.
        """
        while True:
            before, waited = time.monotonic(), _waited()
            await asyncio.sleep(INTERVAL)
            late = time.monotonic() - before - INTERVAL
            self._longest = max(self._longest, late - (_waited() - waited))


def _waited() -> float:
    """Seconds for which this thread has been ready to run and had no processor, where the kernel tells."""
    try:
        with open("/proc/thread-self/schedstat") as file:
            return int(file.read().split()[1]) / 1e9
    except OSError:
        return 0.0


def ask(url: str) -> tuple[int, float]:
    """The number of tasks on the loop, and the seconds of the longest delay since the last time."""
    told = json.loads(raw_request(url, "GET", PATH).body)
    return told["tasks"], told["delay"]
