"""Clients that leave, dawdle, stop half way or talk rubbish leave nothing behind, and cost the others nothing."""

from __future__ import annotations

import contextlib
from collections.abc import Iterator
from pathlib import Path

import pytest

from django_asyncstatic.index import INDEX_NAME, StaticIndex
from tests import probe
from tests.hostile import (
    Target,
    downloads_are_cut_off,
    every_status_is_followed_by_another,
    halves_of_requests,
    leaves_nothing_behind,
    readers_are_slow,
    requests_are_malformed,
)
from tests.servers import SERVERS, has_proc, running, wait_until

pytestmark = pytest.mark.skipif(not has_proc(), reason="needs /proc, to see what a server holds")

#: Seconds for which a loop may be kept: a hundred times what anything of ours does between two turns.
LONGEST_DELAY = 1.0


@contextlib.contextmanager
def target(name: str, application: str, root: Path, environment: dict[str, str]) -> Iterator[Target]:
    """A server and two of the files that it serves."""
    index = StaticIndex.load(root / INDEX_NAME)
    bodies = {}
    for path in ("site/text.txt", "site/large/noise.bin"):
        resource = index.get(path)
        assert resource is not None
        bodies[f"/static/{path}"] = (root / resource.identity.file).read_bytes()
    (small, small_body), (large, large_body) = bodies.items()
    server = SERVERS[name]
    with running(server, f"tests.{server.interface}:{application}", environment) as started:
        yield Target(started, small, small_body, large, large_body, server.is_threaded, server.pipelines)


@pytest.mark.parametrize(("application", "share"), [("probed_wrapper", 1), ("probed_middleware", 5)])
def test_nothing_is_left_on_the_loop_and_it_is_never_kept(
    application: str, share: int, collected: Path, server_environment: dict[str, str]
) -> None:
    with target("uvicorn", application, collected, server_environment) as asked:
        probe.ask(asked.server.url)
        with leaves_nothing_behind(asked, readers=200 // share):
            tasks, _ = probe.ask(asked.server.url)
            downloads_are_cut_off(asked, 500 // share)
            readers_are_slow(asked, 200 // share, seconds=0.5)
            halves_of_requests(asked)
            every_status_is_followed_by_another(asked)
            requests_are_malformed(asked, 500 // share)
            _, delay = probe.ask(asked.server.url)
            assert delay < LONGEST_DELAY
            assert wait_until(lambda: probe.ask(asked.server.url)[0] <= tasks), "tasks are left"


@pytest.mark.parametrize(("name", "application"), [("granian-asgi", "wrapper"), ("gunicorn-gthread", "middleware")])
def test_nothing_is_left_in_servers_that_send_files_themselves(
    name: str, application: str, collected: Path, server_environment: dict[str, str]
) -> None:
    with target(name, application, collected, server_environment) as asked, leaves_nothing_behind(asked, readers=100):
        downloads_are_cut_off(asked, 100)
        if not asked.is_threaded:
            readers_are_slow(asked, 100, seconds=0.2)
        halves_of_requests(asked, 20)
        every_status_is_followed_by_another(asked)
        requests_are_malformed(asked, 200)
