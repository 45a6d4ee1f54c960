"""Open files as servers take them: bounded and iterable for WSGI, chunk by chunk without blocking for ASGI.

A file that is replaced while it is sent goes on as it was. One that is cut or rewritten in place does not: what has
been read since is never sent, so that no response has the beginning of one release and the end of another.
"""

from __future__ import annotations

import os
from collections.abc import AsyncIterator, Callable, Iterator
from threading import Lock, local
from typing import Any, BinaryIO

#: Bytes of a stream's chunk. ``benchmarks/large.py --chunks`` chose it: see docs, page "Performance".
CHUNK_SIZE = 256 * 1024


class ContentChanged(Exception):
    """A file was cut or rewritten while it was sent: the connection has to be broken, so that the client notices."""

    def __init__(self, name: str) -> None:
        super().__init__(
            f"{name} was cut or rewritten while it was sent: the connection is broken off. Replace files, as"
            " collectstatic does, instead of writing into them."
        )


#: What changes when an open file is written to: inode, size in bytes, mtime in nanoseconds.
FileState = tuple[int, int, int]


def file_state(file: BinaryIO) -> FileState:
    found = os.fstat(file.fileno())
    return found.st_ino, found.st_size, found.st_mtime_ns


class WholeFile:
    """A file object for servers that send a file to its end."""

    def __init__(self, file: BinaryIO) -> None:
        self.name = file.name
        self._file = file
        self._state = file_state(file)

    def read(self, size: int = -1) -> bytes:
        chunk = self._file.read(size)
        self._check()
        return chunk

    def fileno(self) -> int:
        self._check()
        return self._file.fileno()

    def seek(self, offset: int, whence: int = os.SEEK_SET) -> int:
        """``socket.sendfile`` goes to its beginning, and behind what it sent, which may be too little."""
        self._check()
        return self._file.seek(offset, whence)

    def tell(self) -> int:
        return self._file.tell()

    def close(self) -> None:
        self._file.close()

    def _check(self) -> None:
        if file_state(self._file) != self._state:
            raise ContentChanged(self.name)


class BoundedFile:
    """A file object that ends at the end of a content: for WSGI, where a 206 must not run to the file's end.

    It has no ``fileno``: most servers that see one send from it to the end of the file.
    """

    def __init__(self, file: BinaryIO, length: int) -> None:
        self._file = WholeFile(file)
        self._left = length

    def read(self, size: int = -1) -> bytes:
        wanted = self._left if size < 0 else min(size, self._left)
        if not wanted:
            return b""
        chunk = self._file.read(wanted)
        if not chunk:
            raise ContentChanged(self._file.name)
        self._left -= len(chunk)
        return chunk

    def __iter__(self) -> Iterator[bytes]:
        while chunk := self.read(CHUNK_SIZE):
            yield chunk

    def close(self) -> None:
        self._file.close()


class SendableFile(BoundedFile):
    """The same with a descriptor, for servers that send from it no more than Content-Length says."""

    def fileno(self) -> int:
        return self._file.fileno()

    def seek(self, offset: int, whence: int = os.SEEK_SET) -> int:
        """In the whole file."""
        return self._file.seek(offset, whence)


#: Modules of the ``wsgi.file_wrapper`` of servers that send no more of a descriptor than Content-Length says. PEP 3333
#: lets them send to the end of the file, and uWSGI sends from its beginning.
_STOP_AT_CONTENT_LENGTH = frozenset({"gunicorn.http.wsgi"})


def file_for(file_wrapper: Any, file: BinaryIO, length: int, *, is_whole: bool) -> WholeFile | BoundedFile | None:
    """The file as a server's ``wsgi.file_wrapper`` can be given it, or ``None`` if it must not have this content."""
    if file_wrapper is None:
        return None
    if getattr(file_wrapper, "__module__", "") in _STOP_AT_CONTENT_LENGTH:
        return SendableFile(file, length)
    return WholeFile(file) if is_whole else None


class AsyncStream:
    """The chunks of an open file, from its position on.

    What the page cache has is read on the event loop, which that does not block, and the loop gets its turn after each
    chunk; what it has not is read with aiofiles on the loop's shared pool. No thread is held between chunks, so slow
    clients cost none. It defines no ``__iter__``, by which Django tells asynchronous iterators.
    """

    def __init__(self, file: BinaryIO, length: int) -> None:
        self._file = _SharedFile(file)
        self._left = length

    async def __aiter__(self) -> AsyncIterator[bytes]:
        from asyncio import sleep

        from aiofiles.threadpool.binary import AsyncFileIO

        reader: Any = AsyncFileIO(self._file, loop=None, executor=None)  # type: ignore[arg-type]
        try:
            while self._left:
                size = min(CHUNK_SIZE, self._left)
                chunk = self._file.read_cached(size)
                if chunk is None:
                    chunk = await reader.read(size)
                else:
                    # The server's send() returns at once while the client is fast, and nobody else would have a turn.
                    await sleep(0)
                self._left -= len(chunk)
                yield chunk
        finally:
            self.close()

    def close(self) -> None:
        self._file.close()


#: preadv2(2): fail with EAGAIN rather than wait for the disk. Linux; not on every file system.
_NOWAIT: int | None = getattr(os, "RWF_NOWAIT", None)

#: A buffer per thread with an event loop: streams read into it and copy out, one after the other.
_buffers = local()


class _SharedFile:
    """A file that one thread may close while another reads, and that is read from the page cache where that can be.

    A cancelled response leaves its read running in the pool. Closing the descriptor under it could let it
    read from, and so move, whatever file gets the same number next: so a read under way closes at its end.
    """

    def __init__(self, file: BinaryIO) -> None:
        self._file = file
        self._offset = file.tell()
        self._state = file_state(file)
        self._lock = Lock()
        self._is_reading = False
        self._is_closed = False
        self._has_nowait = _NOWAIT is not None

    def read_cached(self, size: int) -> bytes | None:
        """So many bytes or fewer, if the page cache has any at this position; ``None`` if that cannot be told."""
        return self._read(self._preadv, size) if self._has_nowait else None

    def read(self, size: int) -> bytes:
        """So many bytes or fewer; at least one. Raises :class:`ContentChanged`."""
        chunk = self._read(self._pread, size)
        assert chunk is not None
        return chunk

    def _preadv(self, size: int) -> bytes | None:
        buffer = getattr(_buffers, "buffer", None)
        if buffer is None:
            buffer = _buffers.buffer = memoryview(bytearray(CHUNK_SIZE))
        try:
            count = os.preadv(self._file.fileno(), [buffer[:size]], self._offset, _NOWAIT or 0)
        except BlockingIOError:
            return None
        except OSError:  # EOPNOTSUPP, or an error that a plain read will tell
            self._has_nowait = False
            return None
        return bytes(buffer[:count])

    def _pread(self, size: int) -> bytes:
        self._file.seek(self._offset)
        return self._file.read(size)

    def _read(self, read: Callable[[int], bytes | None], size: int) -> bytes | None:
        with self._lock:
            if self._is_closed:
                raise ValueError(f"{self._file.name} is read after it was closed")
            self._is_reading = True
        try:
            chunk = read(size)
            if chunk == b"" or file_state(self._file) != self._state:
                raise ContentChanged(self._file.name)
            self._offset += len(chunk or b"")
            return chunk
        finally:
            self._end_reading()

    def _end_reading(self) -> None:
        with self._lock:
            self._is_reading = False
            if self._is_closed:
                self._file.close()

    def close(self) -> None:
        with self._lock:
            self._is_closed = True
            if not self._is_reading:
                self._file.close()
