"""The files to collect, and whether they are still those of the last time."""

from __future__ import annotations

import os
import stat
from collections.abc import Callable
from typing import IO

#: Nanoseconds. A file that changed so shortly before it was looked at may change again and look the same.
YOUNG = 20_000_000


class Source:
    """A file that a finder found.

    ``name`` is the name it is collected under, ``file`` its path where it is a plain file on this machine; where it
    is none, ``opener`` opens it.
    """

    __slots__ = ("_opener", "file", "name")

    def __init__(self, name: str, file: str | None, opener: Callable[[], IO[bytes]] | None = None) -> None:
        self.name = name
        self.file = file
        self._opener = opener

    def open(self) -> IO[bytes]:
        if self.file is not None:
            return open(self.file, "rb")
        assert self._opener is not None
        return self._opener()

    def read(self) -> bytes:
        with self.open() as file:
            return file.read()

    def look(self) -> tuple[int | None, str | None]:
        """Its size, and a signature: equal ones mean that nothing was written to it in between.

        Either is ``None`` where it cannot be told. Raises ``OSError`` for a file that is not there, or that is no
        regular file.
        """
        if self.file is None:
            return None, None
        found = os.stat(self.file)
        if not stat.S_ISREG(found.st_mode):
            raise OSError("it is not a regular file")
        return found.st_size, signature_of(found)


def signature_of(found: os.stat_result) -> str:
    """The signature of a file, from what ``os.stat`` says of it."""
    whole = (found.st_dev, found.st_ino, found.st_size, found.st_mtime_ns, found.st_ctime_ns)
    return "%x.%x.%x.%x.%x" % whole  # noqa: UP031  (in a third of an f-string's time, and that for every source)


def is_settled(signature: str, now: int) -> bool:
    """Whether a signature taken at ``now``, in nanoseconds, is one to rely on later."""
    return int(signature.rpartition(".")[2], 16) < now - YOUNG
