"""Processes: forked, several, asked to end while they send, killed; event loops that come and go; threads that race."""

from __future__ import annotations

import asyncio
import contextlib
import os
import signal
import sys
import threading
from hashlib import sha256
from pathlib import Path
from typing import Any

import pytest

from django_asyncstatic.asgi import StaticASGI
from django_asyncstatic.index import INDEX_NAME, StaticIndex
from django_asyncstatic.serving.locks import ForkableLock
from django_asyncstatic.serving.memory import Memory
from django_asyncstatic.sources import IndexLoader, place_of
from django_asyncstatic.wsgi import StaticWSGI
from tests.edges import aask_asgi, ask_wsgi, make_scope
from tests.programs import run_program
from tests.servers import Connection, Server, has_proc, raw_request, running, wait_until

SMALL, LARGE = "site/text.txt", "site/large/noise.bin"

#: Several workers each, and seconds in which to finish what they are sending.
_GRACE = 3
SEVERAL: dict[str, Server] = {
    server.name: server
    for server in (
        Server(
            "uvicorn",
            "uvicorn",
            "asgi",
            "uvicorn {application} --host 127.0.0.1 --port {port} --workers 2 --log-level warning"
            f" --timeout-graceful-shutdown {_GRACE}",
        ),
        Server(
            "granian",
            "granian",
            "asgi",
            "granian {application} --host 127.0.0.1 --port {port} --workers 2 --interface asgi --no-ws"
            f" --log-level warning --workers-kill-timeout {_GRACE}",
        ),
        Server(
            "gunicorn",
            "gunicorn",
            "wsgi",
            "gunicorn {application} --bind 127.0.0.1:{port} --workers 2 --worker-class gthread --threads 4"
            f" --graceful-timeout {_GRACE} --log-level warning",
        ),
    )
}
PRELOADED = Server(
    "gunicorn-preload",
    "gunicorn",
    "wsgi",
    "gunicorn {application} --bind 127.0.0.1:{port} --workers 3 --worker-class gthread --threads 2 --preload"
    " --graceful-timeout 2 --log-level warning",
)


def bytes_of(root: Path, path: str) -> bytes:
    resource = StaticIndex.load(root / INDEX_NAME).get(path)
    assert resource is not None
    return (root / resource.identity.file).read_bytes()


# --- servers -------------------------------------------------------------------------------------------------


@pytest.mark.parametrize("name", SEVERAL)
def test_what_is_being_sent_when_a_server_is_asked_to_end_arrives_whole(
    name: str, collected: Path, server_environment: dict[str, str]
) -> None:
    server, data = SEVERAL[name], bytes_of(collected, LARGE)
    with running(server, f"tests.{server.interface}:wrapper", server_environment) as started:
        with contextlib.ExitStack() as stack:
            clients = [stack.enter_context(Connection(started.url, receive_buffer=4096)) for _ in range(3)]
            begun = []
            for client in clients:
                client.send("GET", f"/static/{LARGE}", [("connection", "close")])
                begun.append(client.receive_some(2000))
            started.signal(signal.SIGTERM)
            threading.Event().wait(0.3)
            for client, begin in zip(clients, begun, strict=True):
                assert (begin + client.rest()).partition(b"\r\n\r\n")[2] == data
        assert started.wait(_GRACE + 5) is not None, "the server has not ended"
        assert started.problems() == []


@pytest.mark.skipif(not has_proc(), reason="needs /proc, to see the server's processes")
def test_workers_of_a_master_that_had_answered_before_it_forked_answer(
    collected: Path, server_environment: dict[str, str]
) -> None:
    bodies = {path: bytes_of(collected, path) for path in (SMALL, LARGE)}
    # "This process is multi-threaded, use of fork() may lead to deadlocks": that it does not is the test.
    environment = {
        **server_environment,
        "ASYNCSTATIC_TEST_MEMORY": "0",
        "PYTHONWARNINGS": "ignore::DeprecationWarning",
    }
    with running(PRELOADED, "tests.preloaded:application", environment) as server:
        master = min(server.processes())
        for _ in range(3):
            for _ in range(10):
                for path, body in bodies.items():
                    assert raw_request(server.url, "GET", f"/static/{path}").body == body
            # Another is forked in its place, from a master whose thread is answering.
            killed = max(server.processes())
            os.kill(killed, signal.SIGKILL)
            assert wait_until(lambda killed=killed: killed not in server.processes() and len(server.processes()) == 4)
        assert master in server.processes()
        problems = [problem for problem in server.problems() if "DeprecationWarning" not in problem]
        assert problems == []


def test_a_fork_frees_whatever_lock_another_thread_holds(collected: Path) -> None:
    """In a process of its own: what forks must not be the test process, with its threads."""
    code = """
import os, signal, sys, threading, warnings
warnings.filterwarnings("ignore", "This process .* is multi-threaded", DeprecationWarning)
from django_asyncstatic.serving import locks
from django_asyncstatic.wsgi import StaticWSGI
from tests.edges import ask_wsgi
application = StaticWSGI(root=sys.argv[1], prefix="static")
assert ask_wsgi(application, "GET", "/static/site/one.txt").status == 200
held = threading.Event()
def hold():
    for lock in list(locks._locks):
        lock.acquire()
    held.set()
    threading.Event().wait()
threading.Thread(target=hold, daemon=True).start()
held.wait()
if child := os.fork():
    sys.exit(os.waitstatus_to_exitcode(os.waitpid(child, 0)[1]))
signal.alarm(10)
answers = [ask_wsgi(application, "GET", f"/static/{path}") for path in sys.argv[2:]]
os._exit(0 if all(each.status == 200 for each in answers) else 1)
"""
    ended = run_program(code, collected, SMALL, LARGE)
    assert (ended.returncode, ended.stderr) == (0, "")


def test_an_interpreter_that_has_served_ends_without_a_word(collected: Path) -> None:
    """Warnings are errors, in development mode: no file left open, no task pending, no thread that is waited for."""
    code = """
import asyncio, sys, threading
from django_asyncstatic.asgi import StaticASGI
from django_asyncstatic.wsgi import StaticWSGI
from tests.edges import aask_asgi, ask_wsgi, make_environ, make_scope
asgi, wsgi = StaticASGI(root=sys.argv[1], prefix="static"), StaticWSGI(root=sys.argv[1], prefix="static")
for path in sys.argv[2:]:
    assert asyncio.run(aask_asgi(asgi, make_scope("GET", f"/static/{path}"))).status == 200
    threads = [threading.Thread(target=ask_wsgi, args=(wsgi, "GET", f"/static/{path}")) for _ in range(4)]
    for thread in threads: thread.start()
    for thread in threads: thread.join()
class Gone(Exception): pass
async def leave():
    # A server whose client is gone while the response is sent, and which then ends.
    async def receive(): return await asyncio.Event().wait()
    async def send(message):
        if message["type"] == "http.response.body": raise Gone
    try: await asgi(make_scope("GET", f"/static/{sys.argv[-1]}"), receive, send)
    except Gone: pass
asyncio.run(leave())
result = wsgi(make_environ("GET", f"/static/{sys.argv[-1]}"), lambda *started: None)
next(iter(result)); result.close()
"""
    ended = run_program(code, collected, SMALL, LARGE, options=["-X", "dev", "-W", "error"])
    assert (ended.returncode, ended.stderr) == (0, "")


# --- event loops ---------------------------------------------------------------------------------------------


def test_event_loops_come_and_go_one_after_the_other(collected: Path) -> None:
    application = StaticASGI(root=collected, prefix="static")
    for memory in (0, 1_000_000) * 5:
        application.site.memory.size = memory
        for path in (SMALL, LARGE):
            response = asyncio.run(aask_asgi(application, make_scope("GET", f"/static/{path}")))
            assert response.body == bytes_of(collected, path)


def test_a_loop_that_was_closed_while_a_file_was_read_keeps_nobody_waiting(collected: Path) -> None:
    application = StaticASGI(root=collected, prefix="static")
    scope = make_scope("GET", f"/static/{SMALL}")
    asyncio.run(aask_asgi(application, make_scope("HEAD", f"/static/{SMALL}")))  # the index is loaded

    async def leave() -> None:
        asking = asyncio.ensure_future(aask_asgi(application, scope))
        await asyncio.sleep(0)
        await asyncio.sleep(0)
        asking.cancel()
        with contextlib.suppress(asyncio.CancelledError):
            await asking

    loop = asyncio.new_event_loop()
    loop.run_until_complete(leave())
    loop.run_until_complete(loop.shutdown_default_executor())
    loop.close()
    assert asyncio.run(aask_asgi(application, scope)).body == bytes_of(collected, SMALL)


def test_loops_in_several_threads_share_an_application(collected: Path) -> None:
    application = StaticASGI(root=collected, prefix="static")
    application.site.memory.size = 0
    bodies: list[bytes] = []

    def run() -> None:
        async def ask() -> None:
            scopes = [make_scope("GET", f"/static/{path}") for path in (SMALL, LARGE) * 5]
            bodies.extend(each.body for each in await asyncio.gather(*(aask_asgi(application, s) for s in scopes)))

        asyncio.run(ask())

    in_threads(run, 4)
    assert sorted(map(len, bodies)) == sorted([len(bytes_of(collected, path)) for path in (SMALL, LARGE)] * 20)


# --- threads, with a global lock or without ------------------------------------------------------------------


def in_threads(work: Any, count: int) -> None:
    """Run in so many threads at once; what one of them raises is raised."""
    errors: list[BaseException] = []

    def guarded() -> None:
        try:
            work()
        except BaseException as error:
            errors.append(error)

    threads = [threading.Thread(target=guarded) for _ in range(count)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join(60)
    if errors:
        raise errors[0]


def test_threads_that_drive_each_others_files_out_of_memory_get_the_right_ones(collected: Path) -> None:
    index = StaticIndex.load(collected / INDEX_NAME)
    paths = [path for path in index if path.startswith("site/")]
    bodies = {path: bytes_of(collected, path) for path in paths}
    application = StaticWSGI()
    application.site.add("static", IndexLoader(lambda: place_of(collected), memory=(memory := Memory(20_000))))

    def ask() -> None:
        for path in paths * 10:
            response = ask_wsgi(application, "GET", f"/static/{path}")
            assert response.body == bodies[path]
            assert response.headers["etag"] == f'"{sha256(response.body).hexdigest()[:32]}"'

    switching = sys.getswitchinterval()
    sys.setswitchinterval(1e-6)
    try:
        in_threads(ask, 8)
    finally:
        sys.setswitchinterval(switching)
    kept = list(memory._bodies)
    assert memory.used == sum(len(body.data) for body in kept) <= memory.size
    assert all(body.owner[body.file] is body for body in kept)


def test_a_lock_is_forgotten_with_whom_it_belonged_to() -> None:
    from django_asyncstatic.serving import locks

    before = len(locks._locks)
    for _ in range(100):
        ForkableLock()
    assert len(locks._locks) == before
