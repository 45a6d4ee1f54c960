"""Bodies in memory, their budget, and what is read how often; streams, and what they read where."""

from __future__ import annotations

import asyncio
import errno
import os
import signal
import threading
import time
from collections.abc import Callable
from hashlib import sha256
from pathlib import Path
from typing import Any

import pytest

from django_asyncstatic.index import DIGEST_DIGITS, Representation, strong_etag
from django_asyncstatic.serving import contents as contents_module
from django_asyncstatic.serving import streams
from django_asyncstatic.serving.contents import SMALL_SIZE, Contents, ContentUnavailable
from django_asyncstatic.serving.locks import ForkableLock
from django_asyncstatic.serving.memory import Memory
from django_asyncstatic.serving.plans import Content
from django_asyncstatic.serving.streams import CHUNK_SIZE, AsyncStream, SendableFile, WholeFile, file_for

KIB = 1024


def whole(root: Path, name: str, data: bytes) -> Content:
    """A file with these bytes, as an index would have it."""
    (root / name).write_bytes(data)
    digest = sha256(data).hexdigest()[:DIGEST_DIGITS]
    return Content(Representation(None, name, len(data), strong_etag(digest), digest), 0, len(data))


class CountsOpens:
    """How often each file was opened; ``delay`` makes every opening take so many seconds."""

    def __init__(self, monkeypatch: pytest.MonkeyPatch, delay: float = 0.0) -> None:
        self.names: list[str] = []
        really_open = Contents._open_file

        def counted(contents: Contents, representation: Representation) -> Any:
            self.names.append(representation.file)
            time.sleep(delay)
            return really_open(contents, representation)

        monkeypatch.setattr(Contents, "_open_file", counted)


# --- memory ---------------------------------------------------------------------------------------------------


def test_what_is_kept_stays_within_the_budget_and_the_oldest_goes_first(tmp_path: Path) -> None:
    contents = Contents(tmp_path, Memory(10 * KIB))
    files = [whole(tmp_path, f"{number}.css", bytes([number]) * 4 * KIB) for number in range(3)]
    for file in files:
        assert contents.open(file) == bytes([files.index(file)]) * 4 * KIB
    assert [contents.remembered(file) is not None for file in files] == [False, True, True]
    assert contents.memory.used == 8 * KIB


def test_what_is_asked_for_outlives_what_was_asked_for_once(tmp_path: Path) -> None:
    contents = Contents(tmp_path, Memory(10 * KIB))
    on_every_page = whole(tmp_path, "site.css", b"s" * 4 * KIB)
    contents.open(on_every_page)
    for number in range(20):  # somebody who asks for everything there is
        contents.open(whole(tmp_path, f"{number}.js", bytes([number]) * 4 * KIB))
        assert contents.remembered(on_every_page) is not None


def test_several_sources_share_one_budget(tmp_path: Path) -> None:
    memory = Memory(10 * KIB)
    (tmp_path / "a").mkdir()
    (tmp_path / "b").mkdir()
    first, second = Contents(tmp_path / "a", memory), Contents(tmp_path / "b", memory)
    for number in range(5):
        first.open(whole(tmp_path / "a", f"{number}.css", bytes([number]) * 3 * KIB))
        second.open(whole(tmp_path / "b", f"{number}.css", bytes([100 + number]) * 3 * KIB))
        assert memory.used <= 10 * KIB
    kept = whole(tmp_path / "b", "4.css", bytes([104]) * 3 * KIB)
    assert second.remembered(kept) == bytes([104]) * 3 * KIB
    assert first.remembered(kept) is None  # the same name below another root


def test_a_new_version_of_a_file_takes_the_place_of_the_old_one(tmp_path: Path) -> None:
    contents = Contents(tmp_path, Memory(10 * KIB))
    for number in range(10):
        contents.open(whole(tmp_path, "live.css", bytes([number]) * 4 * KIB))
        assert contents.memory.used == 4 * KIB


def test_without_a_budget_nothing_is_kept_and_everything_is_served(tmp_path: Path) -> None:
    contents = Contents(tmp_path, Memory(0))
    file = whole(tmp_path, "site.css", b"body {}")
    assert contents.open(file) == b"body {}"
    assert contents.remembered(file) is None
    assert contents.open(file._replace(start=2, stop=4)) == b"dy"


def test_an_empty_file_is_served_from_memory(tmp_path: Path) -> None:
    contents = Contents(tmp_path, Memory(0))
    file = whole(tmp_path, "empty.css", b"")
    assert contents.open(file) == b"" == contents.remembered(file)


# --- once -----------------------------------------------------------------------------------------------------


@pytest.mark.parametrize("size", [100, SMALL_SIZE + 1], ids=["small", "large"])
def test_a_file_is_read_once_however_many_coroutines_ask_together(
    size: int, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    contents, file = Contents(tmp_path), whole(tmp_path, "file.bin", b"x" * size)
    digests = count_digests(monkeypatch)
    opens = CountsOpens(monkeypatch, 0.05)

    async def run() -> list[Any]:
        return await asyncio.gather(*(contents.aopen(file) for _ in range(50)))

    for opened in asyncio.run(run()):
        if size > SMALL_SIZE:
            with opened:
                assert opened.read() == b"x" * size
        else:
            assert opened == b"x" * size
    assert digests() == 1
    # A large file is verified once, and then opened for each who sends from it.
    assert len(opens.names) == (1 if size <= SMALL_SIZE else 51)


@pytest.mark.parametrize("size", [100, SMALL_SIZE + 1], ids=["small", "large"])
def test_a_file_is_read_once_however_many_threads_ask_together(
    size: int, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    contents, file = Contents(tmp_path), whole(tmp_path, "file.bin", b"x" * size)
    digests = count_digests(monkeypatch)
    found: list[Any] = []
    threads = [threading.Thread(target=lambda: found.append(contents.open(file))) for _ in range(20)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert len(found) == 20
    for opened in found:
        if not isinstance(opened, bytes):
            opened.close()
    assert digests() == 1


def count_digests(monkeypatch: pytest.MonkeyPatch) -> Callable[[], int]:
    """How often bytes were hashed; each time takes long enough for the others to come."""
    calls: list[str] = []

    def counted(name: str) -> None:
        real = getattr(contents_module, name)

        def digest(*arguments: Any) -> Any:
            calls.append(name)
            time.sleep(0.05)
            return real(*arguments)

        monkeypatch.setattr(contents_module, name, digest)

    counted("sha256")
    counted("file_digest")
    return lambda: len(calls)


def test_who_waits_for_a_reading_gets_it_when_the_first_is_cancelled(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    contents, file = Contents(tmp_path), whole(tmp_path, "site.css", b"body {}")
    opens = CountsOpens(monkeypatch, 0.05)

    async def run() -> Any:
        first, second = (asyncio.ensure_future(contents.aopen(file)) for _ in range(2))
        await asyncio.sleep(0.01)
        first.cancel()
        return await second

    assert asyncio.run(run()) == b"body {}"
    assert opens.names == ["site.css"]


def test_what_cannot_be_read_is_told_to_all_and_tried_again(tmp_path: Path) -> None:
    contents, file = Contents(tmp_path), whole(tmp_path, "site.css", b"body {}")
    (tmp_path / "site.css").unlink()

    async def run() -> list[Any]:
        return await asyncio.gather(*(contents.aopen(file) for _ in range(5)), return_exceptions=True)

    assert {type(each) for each in asyncio.run(run())} == {ContentUnavailable}
    whole(tmp_path, "site.css", b"body {}")
    assert asyncio.run(contents.aopen(file)) == b"body {}"


@pytest.mark.parametrize(("size", "looks"), [(100, 1), (SMALL_SIZE + 1, 1), (SMALL_SIZE + 1, 2), (SMALL_SIZE + 1, 3)])
def test_a_file_that_opens_and_tells_nothing_of_itself_is_unavailable_and_closed(
    size: int, looks: int, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """A network file system that was restarted between two looks."""
    contents, file = Contents(tmp_path), whole(tmp_path, "file.bin", b"x" * size)
    descriptors: list[int] = []
    fstat = os.fstat

    def stale(descriptor: int) -> os.stat_result:
        descriptors.append(descriptor)
        if len(descriptors) == looks:
            raise OSError(errno.ESTALE, os.strerror(errno.ESTALE))
        return fstat(descriptor)

    monkeypatch.setattr(os, "fstat", stale)
    with pytest.raises(ContentUnavailable, match=os.strerror(errno.ESTALE)) as raised:
        contents.open(file)
    assert raised.value.is_passing
    assert len(descriptors) == looks
    with pytest.raises(OSError, match=os.strerror(errno.EBADF)):
        fstat(descriptors[0])


# --- fork -----------------------------------------------------------------------------------------------------


@pytest.mark.skipif(not hasattr(os, "fork"), reason="needs fork")
@pytest.mark.filterwarnings("ignore:This process .* is multi-threaded:DeprecationWarning")
def test_a_child_serves_although_a_thread_of_its_parent_held_every_lock(tmp_path: Path) -> None:
    contents = Contents(tmp_path)
    kept, other = whole(tmp_path, "kept.css", b"kept"), whole(tmp_path, "other.css", b"other")
    contents.open(kept)
    contents._locks["other.css"] = ForkableLock()
    with contents.memory._lock, contents._locks["other.css"]:
        child = os.fork()
        if child == 0:  # no exception may leave this block: the child is a copy of the test process
            right = False
            try:
                signal.alarm(10)  # a lock that nobody will let go of
                right = contents.open(other) == b"other" and contents.remembered(kept) == b"kept"
            finally:
                os._exit(0 if right else 1)
    assert os.waitstatus_to_exitcode(os.waitpid(child, 0)[1]) == 0


# --- streams --------------------------------------------------------------------------------------------------


@pytest.fixture
def noise(tmp_path: Path) -> Path:
    file = tmp_path / "noise.bin"
    file.write_bytes(os.urandom(3 * CHUNK_SIZE + 12345))
    return file


def read_all(file: Path, start: int, length: int, hops: list[int] | None = None) -> bytes:
    async def run() -> bytes:
        loop = asyncio.get_running_loop()
        if hops is not None:
            submit = loop.run_in_executor

            def counted(*arguments: Any) -> Any:
                hops.append(1)
                return submit(*arguments)

            loop.run_in_executor = counted  # type: ignore[method-assign]
        opened = open(file, "rb", buffering=0)  # noqa: SIM115
        opened.seek(start)
        return b"".join([chunk async for chunk in AsyncStream(opened, length)])

    return asyncio.run(run())


@pytest.mark.parametrize("start", [0, 1, CHUNK_SIZE])
@pytest.mark.parametrize("length", [1, CHUNK_SIZE, 2 * CHUNK_SIZE + 1])
def test_a_stream_has_the_bytes_of_its_slice(noise: Path, start: int, length: int) -> None:
    assert read_all(noise, start, length) == noise.read_bytes()[start : start + length]


@pytest.mark.skipif(not hasattr(os, "RWF_NOWAIT"), reason="needs preadv2 of Linux")
def test_what_the_page_cache_has_costs_no_thread(noise: Path) -> None:
    expected = noise.read_bytes()
    descriptor = os.open(noise, os.O_RDONLY)
    try:
        os.preadv(descriptor, [bytearray(1)], 0, os.RWF_NOWAIT)
    except OSError:
        pytest.skip("not on this file system")
    finally:
        os.close(descriptor)
    hops: list[int] = []
    assert read_all(noise, 0, len(expected), hops) == expected
    assert hops == []


@pytest.mark.parametrize("error", [errno.EAGAIN, errno.EOPNOTSUPP], ids=["not cached", "not supported"])
def test_what_the_page_cache_lacks_is_read_in_a_thread(
    error: int, noise: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    def refuses(*arguments: Any) -> int:
        raise OSError(error, os.strerror(error))

    monkeypatch.setattr(os, "preadv", refuses, raising=False)
    monkeypatch.setattr(streams, "_NOWAIT", 8)
    hops: list[int] = []
    assert read_all(noise, 0, noise.stat().st_size, hops) == noise.read_bytes()
    assert len(hops) == 4


def test_the_loop_has_its_turn_between_chunks(noise: Path) -> None:
    async def run() -> int:
        turns = 0

        async def other() -> None:
            nonlocal turns
            while True:
                turns += 1
                await asyncio.sleep(0)

        task = asyncio.ensure_future(other())
        opened = open(noise, "rb", buffering=0)  # noqa: SIM115
        async for _ in AsyncStream(opened, noise.stat().st_size):
            pass  # as a server whose client is fast: send() returns at once
        task.cancel()
        return turns

    assert asyncio.run(run()) >= 4


def test_only_a_server_that_stops_at_content_length_is_given_a_part_of_a_file(noise: Path) -> None:
    class FileWrapper:
        pass

    with open(noise, "rb", buffering=0) as file:
        assert file_for(None, file, 10, is_whole=True) is None
        assert file_for(FileWrapper, file, 10, is_whole=False) is None
        assert isinstance(file_for(FileWrapper, file, 10, is_whole=True), WholeFile)
        FileWrapper.__module__ = "gunicorn.http.wsgi"
        file.seek(100)
        sendable = file_for(FileWrapper, file, 10, is_whole=False)
        assert isinstance(sendable, SendableFile)
        assert os.lseek(sendable.fileno(), 0, os.SEEK_CUR) == 100
        assert sendable.read() == noise.read_bytes()[100:110]  # and no byte more, where sendfile cannot be
