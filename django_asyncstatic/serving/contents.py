"""The only file access behind a plan: memory, or an open file, which :mod:`.streams` makes fit for a server.

What is opened is compared with what the index says, before a byte is sent: a file that is gone, was cut or
was replaced since the collect raises :class:`ContentUnavailable`, and the edge passes the request on.
"""

from __future__ import annotations

import errno
import logging
import os
from hashlib import file_digest, sha256
from pathlib import Path
from typing import TYPE_CHECKING, BinaryIO

from django_asyncstatic.index import DIGEST_DIGITS, Representation, change_time, weak_etag
from django_asyncstatic.serving.locks import ForkableLock
from django_asyncstatic.serving.memory import Body, Memory
from django_asyncstatic.serving.plans import Content
from django_asyncstatic.serving.streams import CHUNK_SIZE, FileState, file_state

if TYPE_CHECKING:
    from asyncio import AbstractEventLoop, Future

logger = logging.getLogger("django_asyncstatic")

#: A representation up to one chunk is read whole, kept, and sent in one message.
SMALL_SIZE = CHUNK_SIZE

#: Large files whose state is remembered; beyond it all are looked at anew, at half a second per gigabyte.
HASHED_FILES = 4096

#: Different messages that are logged; their number must not grow with the visitors.
_LOGGED_MESSAGES = 1000
_logged: set[str] = set()


#: What says nothing about the file: no descriptor or memory is left, or a network file system was restarted.
_PASSING = frozenset({errno.EMFILE, errno.ENFILE, errno.ENOMEM, getattr(errno, "ESTALE", errno.ENOMEM)})


class ContentUnavailable(Exception):
    """The file behind a plan is not what the index says. The message names the file and the difference.

    Where ``is_passing``, it may be at the next request.
    """

    def __init__(self, message: str, cause: OSError | None = None) -> None:
        super().__init__(message if cause is None else f"{message}: {cause.strerror or cause}")
        self.is_passing = cause is not None and cause.errno in _PASSING


def log_once(message: str) -> None:
    """Once per message and process: a file that is gone is asked for by every visitor."""
    if message not in _logged and len(_logged) < _LOGGED_MESSAGES:
        _logged.add(message)
        logger.error(message)


class Contents:
    """The bytes of the representations under one root directory; small ones are kept in ``memory``.

    A file is read, and a large one hashed, once, however many requests for it arrive together.
    """

    def __init__(self, root: str | os.PathLike[str], memory: Memory | None = None) -> None:
        self.root = Path(root)
        self.memory = memory or Memory()
        self._bodies: dict[str, Body] = {}
        #: The digests of large files, in the state in which they were hashed: right or wrong, that is done once.
        self._digests: dict[str, tuple[FileState, str]] = {}
        #: What is being read: by file for threads, by event loop and representation for coroutines.
        self._locks: dict[str, ForkableLock] = {}
        self._loading: dict[tuple[AbstractEventLoop, Representation], Future[bytes | None]] = {}

    def remembered(self, content: Content) -> bytes | None:
        """The bytes, if they are in memory; never touches the disk."""
        representation, start, stop = content
        body = self._bodies.get(representation.file)
        if body is None or body.etag != representation.etag:
            return None
        body.was_asked_for = True
        return body.data if stop - start == len(body.data) else body.data[start:stop]

    def keep(self, representation: Representation, whole: bytes) -> None:
        """Keep the bytes of a small representation in memory."""
        self.memory.keep(self._bodies, representation.file, representation.etag, whole)

    def open(self, content: Content) -> bytes | BinaryIO:
        """The bytes of a small representation, or an unbuffered file positioned at ``start`` of a larger one.

        Raises :class:`ContentUnavailable`.
        """
        remembered = self.remembered(content)
        if remembered is not None:
            return remembered
        representation = content.representation
        if representation.size > SMALL_SIZE:
            return self._open_verified(representation, content.start)
        with self._locks.setdefault(representation.file, ForkableLock()):
            remembered = self.remembered(content)
            if remembered is not None:
                return remembered
            try:
                whole = self._read_whole(representation)
                self.keep(representation, whole)
            finally:
                self._locks.pop(representation.file, None)
        return whole[content.start : content.stop]

    async def aopen(self, content: Content) -> bytes | BinaryIO:
        """The same off the event loop, unless the bytes are in memory."""
        remembered = self.remembered(content)
        if remembered is not None:
            return remembered
        whole = await self._load_once(content.representation)
        if whole is not None:
            return whole[content.start : content.stop]
        from asyncio import CancelledError, get_running_loop, shield

        opening = get_running_loop().run_in_executor(None, self._open_verified, content.representation, content.start)
        try:
            return await shield(opening)
        except CancelledError:
            # Nobody waits for the file any more that the thread is about to open.
            opening.add_done_callback(_close)
            raise

    async def averified_path(self, content: Content) -> str:
        """:meth:`verified_path` off the event loop."""
        await self._load_once(content.representation)
        from asyncio import get_running_loop

        return await get_running_loop().run_in_executor(None, self.verified_path, content)

    async def _load_once(self, representation: Representation) -> bytes | None:
        """The bytes of a small representation, ``None`` for a large one, verified; one thread for all who wait."""
        if representation.size > SMALL_SIZE and representation.file in self._digests:
            return None
        from asyncio import get_running_loop, shield

        key = (get_running_loop(), representation)
        loading = self._loading.get(key)
        if loading is None:
            loading = self._loading[key] = key[0].run_in_executor(None, self._load, representation)
            loading.add_done_callback(lambda done: self._loaded(key, done))
        # Shielded: the others that wait for it go on waiting when the first of them is cancelled.
        return await shield(loading)

    def _load(self, representation: Representation) -> bytes | None:
        """The bytes of a small representation, ``None`` for a large one, which is verified."""
        opened = self.open(Content(representation, 0, representation.size))
        if isinstance(opened, bytes):
            return opened
        opened.close()
        return None

    def _loaded(self, key: tuple[AbstractEventLoop, Representation], done: Future[bytes | None]) -> None:
        self._loading.pop(key, None)
        if not done.cancelled():
            done.exception()  # whoever still waits gets it; nobody may

    def verified_path(self, content: Content) -> str:
        """The absolute path of a whole representation, for a server that sends files itself.

        Raises :class:`ContentUnavailable`: a server that finds the file missing answers in its own words.
        """
        self._open_verified(content.representation, 0).close()
        return os.path.abspath(self.root / content.representation.file)

    def _open_verified(self, representation: Representation, start: int) -> BinaryIO:
        file = self._open_file(representation)
        try:
            with self._locks.setdefault(representation.file, ForkableLock()):
                try:
                    self._verify(file, representation)
                finally:
                    self._locks.pop(representation.file, None)
            file.seek(start)
        except BaseException:
            file.close()
            raise
        return file

    def _open_file(self, representation: Representation) -> BinaryIO:
        path = str(self.root / representation.file)
        try:
            file = open(path, "rb", buffering=0, opener=_open_without_waiting)  # noqa: SIM115
            try:
                _compare_state(file, representation)
            except BaseException:
                file.close()
                raise
        except OSError as error:  # a directory is one, too
            raise ContentUnavailable(f"{path} cannot be opened", error) from error
        except ValueError as error:  # a NUL in the name
            raise ContentUnavailable(f"{path!r} cannot be opened: {error}") from error
        return file

    def _verify(self, file: BinaryIO, representation: Representation) -> None:
        """Compare a large file's bytes with the index; they are hashed once for each state of the file."""
        if not representation.digest:
            return
        try:
            state = file_state(file)
            known, digest = self._digests.get(representation.file, (None, ""))
            if known != state:
                digest = file_digest(file, "sha256").hexdigest()[:DIGEST_DIGITS]  # type: ignore[arg-type]
                if file_state(file) != state:
                    raise ContentUnavailable(f"{file.name} was changed while it was read")
                if len(self._digests) >= HASHED_FILES:
                    self._digests.clear()
                self._digests[representation.file] = (state, digest)
        except OSError as error:
            raise ContentUnavailable(f"{file.name} cannot be read", error) from error
        if digest != representation.digest:
            raise ContentUnavailable(f"{file.name} has other bytes than the index says")

    def _read_whole(self, representation: Representation) -> bytes:
        with self._open_file(representation) as file:
            try:
                whole = file.read(representation.size) if representation.size else b""
            except OSError as error:
                raise ContentUnavailable(f"{file.name} cannot be read", error) from error
        if len(whole) != representation.size:
            raise ContentUnavailable(f"{file.name} was cut while it was read")
        if representation.digest and sha256(whole).hexdigest()[:DIGEST_DIGITS] != representation.digest:
            raise ContentUnavailable(f"{file.name} has other bytes than the index says")
        return whole


def _compare_state(file: BinaryIO, representation: Representation) -> None:
    """Compare the size and the times of an open file with the index. Raises ``OSError``, too."""
    found = os.fstat(file.fileno())
    if found.st_size != representation.size:
        raise ContentUnavailable(f"{file.name} has {found.st_size} bytes, the index says {representation.size}")
    if not representation.digest and weak_etag(found.st_size, change_time(found)) != representation.etag:
        raise ContentUnavailable(f"{file.name} was changed since it was looked at")


def _close(opening: Future[BinaryIO]) -> None:
    if not opening.cancelled() and opening.exception() is None:
        opening.result().close()


def _open_without_waiting(path: str, flags: int) -> int:
    """A FIFO that took a file's place must not hang the request. Regular files ignore the flag."""
    return os.open(path, flags | getattr(os, "O_NONBLOCK", 0))
