"""Writing below a root so that no reader ever sees half of a file, and one collect at a time."""

from __future__ import annotations

import os
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path
from secrets import token_hex
from threading import Lock
from typing import IO, BinaryIO

#: How the name of a file ends that was not yet put in its place. One that is found was left by a killed collect.
UNFINISHED = ".asyncstatic-unfinished"

CHUNK_SIZE = 1 << 20


class CollectError(Exception):
    """Why nothing was published: the last release stays as it is."""


class Destination:
    """A directory that is written to. Names are relative, with slashes; safe to use from several threads.

    ``file_mode`` and ``directory_mode`` are FILE_UPLOAD_PERMISSIONS and FILE_UPLOAD_DIRECTORY_PERMISSIONS, or the
    storage's own; ``None`` leaves what the umask gives.
    """

    def __init__(self, root: Path, file_mode: int | None = None, directory_mode: int | None = None) -> None:
        self.root = root
        self.file_mode = file_mode
        self.directory_mode = directory_mode
        self._directories: set[str] = set()
        #: Files that were put in their places.
        self.written = 0
        #: Called once, before the first of them.
        self.before_first_write: Callable[[], None] | None = None
        self._lock = Lock()
        #: Whether a file that would take the place of another one waits for :meth:`put_deferred`.
        self.defers = False
        self._deferred: dict[str, str] = {}

    def path(self, name: str) -> str:
        """Where the file is, or will be. Raises :class:`CollectError` for a name that leads elsewhere."""
        if ".." in name and ".." in name.split("/"):
            raise CollectError(
                f"{name!r} leads out of {self.root}: nothing is written there. Mend the finder or storage that"
                " gives this name."
            )
        return f"{self.root}/{name}"

    def content(self, name: str) -> str:
        """Where the bytes of a file that was written are, be it in its place already or not."""
        return self._deferred.get(name) or self.path(name)

    def put_deferred(self) -> None:
        """Put in their places the files that were to wait, because others were there."""
        for name, temporary in self._deferred.items():
            self._replace(temporary, self.path(name))
        self._deferred = {}

    def write(self, name: str, data: bytes) -> None:
        self._put(name, lambda file: file.write(data))

    def copy(self, name: str, source: str) -> None:
        """Copy a file; on file systems that can share blocks, without copying them."""

        def fill(file: BinaryIO) -> None:
            with open(source, "rb") as opened:
                copy_bytes(opened, file)

        self._put(name, fill)

    def fill(self, name: str, fill: Callable[[BinaryIO], object]) -> None:
        """Let ``fill`` write a file that is then put in its place."""
        self._put(name, fill)

    def move(self, name: str, target: str) -> None:
        """Put a file that was written in another place."""
        path = self.path(target)
        self.make_directory(os.path.dirname(path))
        self._replace(self.path(name), path)

    def link(self, name: str, target: str) -> None:
        """A symbolic link, put in place as a file is."""
        self.note_beginning()
        path = self.path(name)
        self.make_directory(os.path.dirname(path))
        temporary = _temporary(path)
        os.symlink(target, temporary)
        self._replace(temporary, path)

    def note_beginning(self) -> None:
        with self._lock:
            if self.before_first_write is not None:
                self.before_first_write()
                self.before_first_write = None

    def remove(self, name: str) -> int:
        """Remove a file, and the directories that are empty without it; the bytes that are free then."""
        path = self.path(name)
        try:
            size = os.lstat(path).st_size
            os.unlink(path)
        except (FileNotFoundError, NotADirectoryError, IsADirectoryError):
            return 0  # another file, or a directory, has its place
        except PermissionError:
            if os.path.isdir(path):  # macOS says so of a directory
                return 0
            raise
        directory = os.path.dirname(path)
        while directory != str(self.root):
            try:
                os.rmdir(directory)
            except OSError:
                break
            self._directories.discard(directory)
            directory = os.path.dirname(directory)
        return size

    def make_directory(self, directory: str) -> None:
        if directory in self._directories:
            return
        missing = []
        above = directory
        while above and not os.path.isdir(above):
            missing.append(above)
            above = os.path.dirname(above)
        for each in reversed(missing):
            try:
                os.mkdir(each)
            except FileExistsError:
                if not os.path.isdir(each):
                    raise CollectError(
                        f"{each} is a file, and a directory of that name is to be collected. Remove it."
                    ) from None
                continue
            if self.directory_mode is not None:
                os.chmod(each, self.directory_mode)
        self._directories.add(directory)

    def _put(self, name: str, fill: Callable[[BinaryIO], object]) -> None:
        self.note_beginning()
        path = self.path(name)
        self.make_directory(os.path.dirname(path))
        temporary = _temporary(path)
        flags = os.O_WRONLY | os.O_CREAT | os.O_EXCL | getattr(os, "O_BINARY", 0)
        try:
            with os.fdopen(os.open(temporary, flags, 0o666), "wb") as file:
                fill(file)
            if self.file_mode is not None:
                os.chmod(temporary, self.file_mode)
        except BaseException:
            _forget(temporary)
            raise
        if self.defers and os.path.lexists(path):
            with self._lock:
                self._deferred[name] = temporary
        else:
            self._replace(temporary, path)

    def _replace(self, temporary: str, path: str) -> None:
        try:
            os.replace(temporary, path)
        except BaseException as error:
            _forget(temporary)
            if isinstance(error, IsADirectoryError):
                raise CollectError(
                    f"{path} is a directory, and a file of that name is to be collected. Remove it."
                ) from None
            raise
        with self._lock:
            self.written += 1


def copy_bytes(source: IO[bytes], target: BinaryIO) -> None:
    """Copy what is left of a file, in the kernel where it can."""
    try:
        while os.copy_file_range(source.fileno(), target.fileno(), 1 << 30):
            pass
    except (AttributeError, OSError, ValueError):
        # Another file system, another operating system, no file: whatever is left is read and written.
        target.seek(0, os.SEEK_END)
        source.seek(target.tell())
        while chunk := source.read(CHUNK_SIZE):
            target.write(chunk)


def write_atomically(path: Path, data: bytes, file_mode: int | None = None, directory_mode: int | None = None) -> None:
    """Write to a temporary name in the same directory, then put it in the place of ``path``."""
    Destination(path.parent, file_mode, directory_mode).write(path.name, data)


@contextmanager
def exclusive(directory: Path) -> Iterator[None]:
    """Hold the lock of a root's private directory.

    The operating system lets go of it when the process ends, however it ends. Raises :class:`CollectError` when
    another process holds it.
    """
    with open(directory / "lock", "a+", encoding="ascii") as file:
        if not _lock(file):
            file.seek(0)
            raise CollectError(
                f"Another collectstatic or cleanstatic ({file.read().strip() or 'of an unknown process'}) is at work"
                f" in {directory.parent}. Wait until it has ended."
            )
        file.truncate(0)
        file.write(f"process {os.getpid()}")
        file.flush()
        yield


def _lock(file: IO[str]) -> bool:
    """Whether the lock could be had, or there is nothing to have: some network file systems know no locks."""
    try:
        import fcntl
    except ImportError:  # Windows
        import msvcrt

        try:
            msvcrt.locking(file.fileno(), msvcrt.LK_NBLCK, 1)  # type: ignore[attr-defined, unused-ignore]
        except OSError:
            return False
        return True
    try:
        fcntl.flock(file, fcntl.LOCK_EX | fcntl.LOCK_NB)
    except BlockingIOError:
        return False
    except OSError:
        pass
    return True


def _temporary(path: str) -> str:
    directory, _ = os.path.split(path)
    return f"{directory}/.{token_hex(8)}{UNFINISHED}"


def _forget(temporary: str) -> None:
    try:
        os.unlink(temporary)
    except OSError:
        pass
