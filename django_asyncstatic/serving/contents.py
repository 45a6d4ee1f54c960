"""The only file access behind a plan: memory, a file object, a stream.

What is opened is compared with what the index says, before a byte is sent: a file that is gone, was cut or
was replaced since the collect raises :class:`ContentUnavailable`, and the edge passes the request on.
"""

from __future__ import annotations

import logging
import os
from collections.abc import AsyncIterator, Iterator
from hashlib import file_digest, sha256
from pathlib import Path
from threading import Lock
from typing import Any, BinaryIO

from django_asyncstatic.index import DIGEST_DIGITS, Representation
from django_asyncstatic.serving.plans import Content

logger = logging.getLogger("django_asyncstatic")

#: Bytes of a stream's chunk: 8 KiB chunks reach 111 MB/s under uvicorn, 256 KiB 655 and more.
CHUNK_SIZE = 256 * 1024

#: A representation up to one chunk is read whole, kept, and sent in one message.
SMALL_SIZE = CHUNK_SIZE

#: Large files whose state is remembered; beyond it all are looked at anew, at half a second per gigabyte.
VERIFIED_FILES = 4096

#: Different messages that are logged; their number must not grow with the visitors.
_LOGGED_MESSAGES = 1000
_logged: set[str] = set()

#: Bytes of small representations kept per process, unless a setting says otherwise.
MEMORY_SIZE = 32 * 1024 * 1024


class ContentUnavailable(Exception):
    """The file behind a plan is not what the index says. The message names the file and the difference."""


def log_once(message: str) -> None:
    """Once per message and process: a file that is gone is asked for by every visitor."""
    if message not in _logged and len(_logged) < _LOGGED_MESSAGES:
        _logged.add(message)
        logger.error(message)


class ContentTruncated(Exception):
    """A file became shorter while it was sent: the connection has to be broken, so that the client notices."""


class Contents:
    """The bytes of the representations under one root directory.

    ``memory_size`` bounds the bytes of small representations that are kept; the oldest go first.
    """

    def __init__(self, root: str | os.PathLike[str], memory_size: int = MEMORY_SIZE) -> None:
        self.root = Path(root)
        self.memory_size = memory_size
        self._memory: dict[tuple[str, str], bytes] = {}
        self._used = 0
        #: Large files whose bytes were compared with the index, as they were then.
        self._verified: dict[str, tuple[int, int, int]] = {}
        self._lock = Lock()

    def remembered(self, content: Content) -> bytes | None:
        """The bytes, if they are in memory; never touches the disk."""
        whole = self._memory.get((content.representation.file, content.representation.etag))
        if whole is None or content.is_whole:
            return whole
        return whole[content.start : content.stop]

    def open(self, content: Content) -> bytes | BinaryIO:
        """The bytes of a small representation, or an unbuffered file positioned at ``start`` of a larger one.

        Raises :class:`ContentUnavailable`.
        """
        remembered = self.remembered(content)
        if remembered is not None:
            return remembered
        file = self._open_file(content.representation)
        try:
            if content.representation.size > SMALL_SIZE:
                self._verify(file, content.representation)
                file.seek(content.start)
                return file
            whole = self._read_whole(file, content.representation)
        except BaseException:
            file.close()
            raise
        file.close()
        self._remember(content.representation, whole)
        return whole if content.is_whole else whole[content.start : content.stop]

    def verified_path(self, content: Content) -> str:
        """The absolute path of a whole representation, for a server that sends files itself.

        Raises :class:`ContentUnavailable`: a server that finds the file missing answers in its own words.
        """
        with self._open_file(content.representation) as file:
            self._verify(file, content.representation)
        return os.path.abspath(self.root / content.representation.file)

    def _open_file(self, representation: Representation) -> BinaryIO:
        path = str(self.root / representation.file)
        try:
            file = open(path, "rb", buffering=0, opener=_open_without_waiting)  # noqa: SIM115
            size = os.fstat(file.fileno()).st_size
        except OSError as error:  # a directory is one, too
            raise ContentUnavailable(f"{path} cannot be opened: {error.strerror or error}") from error
        except ValueError as error:  # a NUL in the name
            raise ContentUnavailable(f"{path!r} cannot be opened: {error}") from error
        if size != representation.size:
            file.close()
            raise ContentUnavailable(f"{path} has {size} bytes, the index says {representation.size}")
        return file

    def _verify(self, file: BinaryIO, representation: Representation) -> None:
        """Compare a large file's bytes with the index, once for each state of the file."""
        stat = os.fstat(file.fileno())
        state = (stat.st_ino, stat.st_size, stat.st_mtime_ns)
        if not representation.digest or self._verified.get(representation.file) == state:
            return
        try:
            digest = file_digest(file, "sha256").hexdigest()[:DIGEST_DIGITS]  # type: ignore[arg-type]
        except OSError as error:
            raise ContentUnavailable(f"{file.name} cannot be read: {error.strerror or error}") from error
        if digest != representation.digest:
            raise ContentUnavailable(f"{file.name} has other bytes than the index says")
        if len(self._verified) >= VERIFIED_FILES:
            self._verified.clear()
        self._verified[representation.file] = state

    def _read_whole(self, file: BinaryIO, representation: Representation) -> bytes:
        try:
            whole = file.read(representation.size) if representation.size else b""
        except OSError as error:
            raise ContentUnavailable(f"{file.name} cannot be read: {error.strerror or error}") from error
        if len(whole) != representation.size:
            raise ContentUnavailable(f"{file.name} was cut while it was read")
        if representation.digest and sha256(whole).hexdigest()[:DIGEST_DIGITS] != representation.digest:
            raise ContentUnavailable(f"{file.name} has other bytes than the index says")
        return whole

    def _remember(self, representation: Representation, whole: bytes) -> None:
        key = (representation.file, representation.etag)
        with self._lock:
            if key in self._memory or len(whole) > self.memory_size:
                return
            self._memory[key] = whole
            self._used += len(whole)
            while self._used > self.memory_size:
                self._used -= len(self._memory.pop(next(iter(self._memory))))


def _open_without_waiting(path: str, flags: int) -> int:
    """A FIFO that took a file's place must not hang the request. Regular files ignore the flag."""
    return os.open(path, flags | getattr(os, "O_NONBLOCK", 0))


class BoundedFile:
    """A file object that ends at the end of a content: for WSGI, where a 206 must not run to the file's end.

    It has no ``fileno``: servers that see one send from it to the end of the file.
    """

    def __init__(self, file: BinaryIO, length: int) -> None:
        self._file = file
        self._left = length

    def read(self, size: int = -1) -> bytes:
        wanted = self._left if size < 0 else min(size, self._left)
        if not wanted:
            return b""
        chunk = self._file.read(wanted)
        if not chunk:
            raise ContentTruncated(f"{self._file.name} was cut while it was sent")
        self._left -= len(chunk)
        return chunk

    def __iter__(self) -> Iterator[bytes]:
        while chunk := self.read(CHUNK_SIZE):
            yield chunk

    def close(self) -> None:
        self._file.close()


class AsyncStream:
    """The chunks of an open file, read off the event loop with aiofiles on the loop's shared pool.

    No thread is held between chunks, so slow clients cost none. It defines no ``__iter__``, by which Django
    tells asynchronous iterators.
    """

    def __init__(self, file: BinaryIO, length: int) -> None:
        self._file = _SharedFile(file)
        self._left = length

    async def __aiter__(self) -> AsyncIterator[bytes]:
        from aiofiles.threadpool.binary import AsyncFileIO

        reader: Any = AsyncFileIO(self._file, loop=None, executor=None)  # type: ignore[arg-type]
        try:
            while self._left:
                chunk = await reader.read(min(CHUNK_SIZE, self._left))
                if not chunk:
                    raise ContentTruncated(f"{self._file.name} was cut while it was sent")
                self._left -= len(chunk)
                yield chunk
        finally:
            self.close()

    def close(self) -> None:
        self._file.close()


class _SharedFile:
    """A file that one thread may close while another reads.

    A cancelled response leaves its read running in the pool. Closing the descriptor under it could let it
    read from, and so move, whatever file gets the same number next: so a read under way closes at its end.
    """

    def __init__(self, file: BinaryIO) -> None:
        self.name = file.name
        self._file = file
        self._lock = Lock()
        self._is_reading = False
        self._is_closed = False

    def read(self, size: int) -> bytes:
        with self._lock:
            if self._is_closed:
                return b""
            self._is_reading = True
        try:
            return self._file.read(size)
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
