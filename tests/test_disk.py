"""Files that are deleted, cut, replaced or made unreadable, before a response and during it, at every edge.

Never a Content-Length that the client cannot notice to be wrong, never a hang, never bytes of two releases in one body;
one line in the log, and the next request is right.
"""

from __future__ import annotations

import asyncio
import logging
import os
import random
import shutil
import tempfile
from collections.abc import Callable, Iterator
from contextlib import nullcontext
from pathlib import Path
from typing import Any

import pytest
from django.core.asgi import get_asgi_application as get_django_asgi_application
from django.core.wsgi import get_wsgi_application as get_django_wsgi_application
from django.test import override_settings

from django_asyncstatic import asgi, wsgi
from django_asyncstatic.index import INDEX_NAME, StaticIndex
from django_asyncstatic.serving import streams
from django_asyncstatic.serving.streams import AsyncStream, BoundedFile, ContentChanged
from django_asyncstatic.wsgi import StaticWSGI
from tests.edges import EDGES, Response, aask_asgi, ask_wsgi, make_environ, make_scope
from tests.hostile import FAULTS, REPLACED, REWRITTEN, Asked, file_changes_during, replaced
from tests.programs import run_program
from tests.servers import SERVERS, has_proc, raw_request, running
from tests.test_collectstatic import collect, snapshot
from tests.test_sources import as_nobody
from tests.test_storage import project

SMALL, LARGE = "small.css", "large.bin"

SOURCES = {SMALL: b"a { color: red }\n" * 100, LARGE: random.Random(1).randbytes(3_000_000)}


@pytest.fixture(scope="module")
def template(tmp_path_factory: pytest.TempPathFactory) -> Path:
    source, root = tmp_path_factory.mktemp("source"), tmp_path_factory.mktemp("template")
    for name, data in SOURCES.items():
        (source / name).write_bytes(data)
    with project(source, root):
        collect()
    return root


@pytest.fixture
def root(template: Path) -> Iterator[Path]:
    """A collected root that everybody may enter, as the STATIC_ROOT."""
    with tempfile.TemporaryDirectory() as folder:
        os.chmod(folder, 0o755)
        copy = shutil.copytree(template, Path(folder, "root"))
        os.chmod(copy, 0o755)
        with override_settings(STATIC_ROOT=copy):
            yield copy


@pytest.fixture
def messages(caplog: pytest.LogCaptureFixture) -> Callable[[], list[str]]:
    """What our logger has said so far."""
    caplog.set_level(logging.WARNING, "django_asyncstatic")
    return lambda: [record.getMessage() for record in caplog.records if record.name == "django_asyncstatic"]


def file_of(root: Path, name: str, coding: str | None = None) -> Path:
    resource = StaticIndex.load(root / INDEX_NAME).get(name)
    assert resource is not None
    return next(root / each.file for each in resource.representations if each.coding == coding)


# --- before a response ---------------------------------------------------------------------------------------

SERVED = [name for name in EDGES if name != "plan"]


@pytest.mark.parametrize("fault", FAULTS)
@pytest.mark.parametrize("name", [SMALL, LARGE])
@pytest.mark.parametrize("edge", SERVED)
def test_before_a_response_it_is_passed_on_with_one_line_and_the_next_request_is_right(
    edge: str, name: str, fault: str, root: Path, messages: Callable[[], list[str]]
) -> None:
    file = file_of(root, name)
    before = shutil.copy2(file, root / "before")
    assert EDGES[edge]("GET", f"/static/{SMALL}", [("accept-encoding", "gzip")]).status == 200  # the index is loaded
    FAULTS[fault](file)
    with as_nobody() if fault == "made unreadable" else nullcontext():
        for _ in range(2):
            assert EDGES[edge]("GET", f"/static/{name}").status == 404
    (message,) = messages()
    assert str(file) in message
    if file.is_dir():
        file.rmdir()
    os.replace(before, file)
    response = EDGES[edge]("GET", f"/static/{name}")
    assert (response.status, response.body) == (200, SOURCES[name])
    assert len(messages()) == 1


# --- while a response is sent --------------------------------------------------------------------------------


def during_wsgi(application: Any, change: Callable[[], object], **extra: Any) -> bytes:
    """The body, when a change happens behind its first chunk."""
    result = application(make_environ("GET", f"/static/{LARGE}", **extra), lambda *started: None)
    try:
        chunks = iter(result)
        first = next(chunks)
        change()
        return first + b"".join(chunks)
    finally:
        result.close()


def during_asgi(application: Any, change: Callable[[], object]) -> bytes:
    import asyncio

    async def run() -> bytes:
        bodies: list[bytes] = []
        received = iter([{"type": "http.request"}])

        async def receive() -> Any:
            for message in received:
                return message
            return await asyncio.Event().wait()

        async def send(message: Any) -> None:
            if message["type"] == "http.response.body":
                bodies.append(message.get("body", b""))
                if len(bodies) == 1:
                    change()

        await application(make_scope("GET", f"/static/{LARGE}"), receive, send)
        return b"".join(bodies)

    return asyncio.run(run())


def file_wrapper(file: Any, size: int) -> Any:
    from wsgiref.util import FileWrapper

    return FileWrapper(file, size)


DURING: dict[str, Callable[[Callable[[], object]], bytes]] = {
    "middleware-sync": lambda change: during_wsgi(get_django_wsgi_application(), change),
    "middleware-async": lambda change: during_asgi(get_django_asgi_application(), change),
    "wrapper-wsgi": lambda change: during_wsgi(wsgi.get_wsgi_application(), change),
    "wrapper-wsgi, file_wrapper": lambda change: during_wsgi(
        wsgi.get_wsgi_application(), change, **{"wsgi.file_wrapper": file_wrapper}
    ),
    "wrapper-asgi": lambda change: during_asgi(asgi.get_asgi_application(), change),
}


@pytest.mark.parametrize("fault", FAULTS)
@pytest.mark.parametrize("edge", [*DURING, "wrapper-asgi, uncached"])
def test_during_a_response_the_body_is_the_old_one_or_breaks_off(
    edge: str, fault: str, root: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    if edge.endswith(", uncached"):
        monkeypatch.setattr(streams, "_NOWAIT", None)  # as where the system or the file system has no such flag
        edge = edge.removesuffix(", uncached")
    file = file_of(root, LARGE)

    def change() -> None:
        FAULTS[fault](file)

    if fault in REPLACED:
        assert DURING[edge](change) == SOURCES[LARGE]
    else:
        with pytest.raises(ContentChanged, match=rf"{file.name} was cut or rewritten while it was sent"):
            DURING[edge](change)


#: Larger than the buffers of the kernel and of the servers, so that a client that does not read keeps the file open.
HUGE = 12_000_000

#: One of each kind: what happens to the file is done above, what differs here is how it is sent.
OVER_SOCKETS = ("deleted", "replaced by a shorter one", "emptied", "cut", "rewritten, longer", "rewritten, of its size")

#: Servers with what they leave unnoticed: who sends a file without us cannot be told that it has other bytes now.
SENT_BY = {
    ("uvicorn", "wrapper"): "us",
    ("granian-asgi", "wrapper"): "the server",
    ("gunicorn-gthread", "middleware"): "the server",
    ("waitress", "wrapper"): "us",
}


@pytest.mark.parametrize(("name", "application"), SENT_BY)
def test_a_client_can_notice_what_it_did_not_get(
    name: str, application: str, tmp_path: Path, server_environment: dict[str, str], subtests: pytest.Subtests
) -> None:
    source, root = tmp_path / "source", tmp_path / "root"
    source.mkdir()
    (source / SMALL).write_bytes(SOURCES[SMALL])
    names = {fault: f"{number}.mp4" for number, fault in enumerate(OVER_SOCKETS)}  # which nothing compresses
    for number, each in enumerate(names.values()):
        (source / each).write_bytes(random.Random(number).randbytes(1_000_000) * (HUGE // 1_000_000))
    with project(source, root):
        collect()
    server = SERVERS[name]
    environment = {**server_environment, "ASYNCSTATIC_TEST_ROOT": str(root)}
    with running(server, f"tests.{server.interface}:{application}", environment) as started:
        for fault, each in names.items():
            with subtests.test(fault):
                file = file_of(root, each)
                asked = Asked(started, f"/static/{each}", file, (source / each).read_bytes(), f"/static/{SMALL}")
                if fault.startswith("rewritten") and SENT_BY[name, application] != "us":
                    continue
                is_whole = file_changes_during(asked, fault)
                assert is_whole == (fault in REPLACED)
                response = raw_request(started.url, "GET", f"/static/{SMALL}")
                assert (response.status, response.body) == (200, SOURCES[SMALL])
                assert raw_request(started.url, "GET", f"/static/{each}").status == 404
        log = started.log()
    if SENT_BY[name, application] == "us":
        for fault in REWRITTEN.keys() & names:
            assert f"ContentChanged: {file_of(root, names[fault])} was cut or rewritten" in log


# --- the disk itself -----------------------------------------------------------------------------------------


@pytest.mark.parametrize("edge", SERVED)
def test_a_disk_that_nobody_may_write_to_is_served(edge: str, root: Path) -> None:
    EDGES[edge]("GET", "/static/nothing")  # all is imported
    for path in (*root.rglob("*"), root):
        path.chmod(0o555 if path.is_dir() else 0o444)
    with override_settings(STATIC_ROOT=root), as_nobody():
        for name, data in SOURCES.items():
            assert EDGES[edge]("GET", f"/static/{name}").body == data


APPLICATIONS: dict[str, Callable[[], Any]] = {
    "middleware-sync": get_django_wsgi_application,
    "middleware-async": get_django_asgi_application,
    "wrapper-wsgi": wsgi.get_wsgi_application,
    "wrapper-asgi": asgi.get_asgi_application,
}


@pytest.mark.parametrize("edge", SERVED)
def test_where_no_descriptor_is_left_it_is_unavailable_and_nothing_is_dropped_for_good(
    edge: str, root: Path, messages: Callable[[], list[str]]
) -> None:
    resource = pytest.importorskip("resource")
    application, fields = APPLICATIONS[edge](), [("accept-encoding", "br")]
    with asyncio.Runner() as runner:
        runner.get_loop()  # has descriptors of its own

        def ask(path: str) -> Response:
            if edge.endswith(("async", "asgi")):
                return runner.run(aask_asgi(application, make_scope("GET", path, fields)))
            return ask_wsgi(application, "GET", path, fields)

        assert ask(f"/static/{LARGE}").status == 200  # the index is loaded
        soft, hard = resource.getrlimit(resource.RLIMIT_NOFILE)
        with open(os.devnull) as next_one:
            resource.setrlimit(resource.RLIMIT_NOFILE, (next_one.fileno(), hard))
        try:
            answers = [ask(f"/static/{name}") for name in (SMALL, LARGE)]
        finally:
            resource.setrlimit(resource.RLIMIT_NOFILE, (soft, hard))
        for response in answers:
            assert (response.status, response.body) == (503, b"")
            assert response.headers.items() >= {"retry-after": "1", "cache-control": "no-store"}.items()
        assert all(message.startswith("Answered with 503: ") for message in messages())
        assert all(
            message.endswith(": Too many open files. It is tried again; see this process's limits.")
            for message in messages()
        )
        assert len(messages()) == 2
        response = ask(f"/static/{SMALL}")
        assert (response.status, response.headers["content-encoding"]) == (200, "br")


@pytest.mark.skipif(not has_proc(), reason="needs a file that cannot be read: a process's own memory")
def test_a_disk_that_fails_breaks_the_response_off_and_the_file_is_closed() -> None:
    def memory() -> Any:
        return open("/proc/self/mem", "rb", buffering=0)  # EIO at 0, where nothing is mapped

    async def read(file: Any) -> None:
        async for _ in AsyncStream(file, 1000):
            pass

    file = memory()
    with pytest.raises(OSError, match="Input/output error"):
        asyncio.run(read(file))
    assert file.closed
    bounded = BoundedFile(file := memory(), 1000)
    with pytest.raises(OSError, match="Input/output error"):
        next(iter(bounded))
    bounded.close()
    assert file.closed


def test_a_large_damaged_file_is_hashed_once_however_often_it_is_asked_for(
    root: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    file_of(root, LARGE).write_bytes(bytes(len(SOURCES[LARGE])))
    application = StaticWSGI(root=root, prefix="static")
    read = _count_bytes_read(monkeypatch)
    for _ in range(3):
        assert ask_wsgi(application, "GET", f"/static/{LARGE}").status == 404
    assert sum(read) == len(SOURCES[LARGE])


def _count_bytes_read(monkeypatch: pytest.MonkeyPatch) -> list[int]:
    from django_asyncstatic.serving import contents

    real, sizes = contents.file_digest, []

    def counted(file: Any, name: str) -> Any:
        sizes.append(os.fstat(file.fileno()).st_size)
        return real(file, name)

    monkeypatch.setattr(contents, "file_digest", counted)
    return sizes


def test_a_collect_that_finds_the_disk_full_leaves_the_release_before_it(tmp_path: Path) -> None:
    source, root = tmp_path / "source", tmp_path / "root"
    source.mkdir()
    (source / "a.css").write_bytes(SOURCES[SMALL])
    with project(source, root):
        collect()
        before = {name: each for name, each in snapshot(root).items() if not name.startswith(".asyncstatic")}
        (source / "a.css").write_bytes(b"b { color: blue }\n" * 100)
        (source / "b.bin").write_bytes(random.Random(2).randbytes(300_000))
        # No file may grow beyond 100 kB: write(2) fails as it does on a full disk.
        code = (
            "import resource, sys, pathlib, django; django.setup()\n"
            "from tests.killed import collect\n"
            "resource.setrlimit(resource.RLIMIT_FSIZE, (100_000, 100_000))\n"
            "collect(*map(pathlib.Path, sys.argv[1:]))"
        )
        ended = run_program(code, source, root, DJANGO_SETTINGS_MODULE="tests.settings")
        assert ended.returncode == 1
        assert "File too large" in ended.stderr
        after = snapshot(root)
        for name, each in before.items():
            if name != "a.css":  # the plain name is for other servers
                assert after[name] == each
        response = ask_wsgi(StaticWSGI(root=root, prefix="static"), "GET", "/static/a.css")
        assert response.body == SOURCES[SMALL]
        collect()
        assert not list(root.rglob("*unfinished*"))
        response = ask_wsgi(StaticWSGI(root=root, prefix="static"), "GET", "/static/b.bin")
        assert response.body == (source / "b.bin").read_bytes()


# --- directories that nobody collected -----------------------------------------------------------------------


@pytest.mark.parametrize("size", [500, 600_000], ids=["small", "large"])
def test_a_scanned_file_that_was_replaced_is_served_with_a_tag_of_its_own(size: int, tmp_path: Path) -> None:
    (tmp_path / "a.css").write_bytes(b"a" * size)
    application = StaticWSGI(root=tmp_path, prefix="static")
    first = ask_wsgi(application, "HEAD", "/static/a.css")
    for data in (b"b" * size, b"longer" * size):
        replaced(tmp_path / "a.css", data)
        time = 1_000_000_000 + len(data)
        os.utime(tmp_path / "a.css", (time, time))
        second = ask_wsgi(application, "GET", "/static/a.css")
        if size > 500 or data[:1] == b"b":  # a small one that was read once is kept in memory, its tag with it
            assert (second.status, second.body) == (200, data)
            assert second.headers["content-length"] == str(len(data))
            assert second.headers["etag"] != first.headers["etag"]
            assert second.headers["last-modified"] != first.headers["last-modified"]


def test_a_live_file_whose_compressed_copy_cannot_be_read_is_sent_as_it_is(root: Path) -> None:
    (root / "CACHE").mkdir()
    (root / "CACHE/a.css").write_bytes(b"live")
    (root / "CACHE/a.css.br").write_bytes(b"coded")
    (root / "CACHE/a.css.br").chmod(0)
    application = StaticWSGI(root=root, prefix="static", live=["CACHE/*"])
    with as_nobody():
        response = ask_wsgi(application, "GET", "/static/CACHE/a.css", [("accept-encoding", "br")])
    assert (response.status, response.body) == (200, b"live")
