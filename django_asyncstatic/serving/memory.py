"""Bodies that are kept in memory, within a budget of bytes that the sources of a process share."""

from __future__ import annotations

from django_asyncstatic.serving.locks import ForkableLock

#: Bytes kept per process, unless a setting says otherwise.
MEMORY_SIZE = 32 * 1024 * 1024


class Body:
    """A representation's bytes. ``was_asked_for`` since eviction last came by."""

    __slots__ = ("data", "etag", "file", "owner", "was_asked_for")

    def __init__(self, owner: dict[str, Body], file: str, etag: str, data: bytes) -> None:
        self.owner = owner
        self.file = file
        self.etag = etag
        self.data = data
        self.was_asked_for = False


class Memory:
    """A budget, and the bodies that use it up, in the order in which they came.

    The oldest goes first, unless it was asked for since it was last considered: then it gets a second chance behind
    the others (the CLOCK algorithm, as in operating systems). So a visitor who asks for every file once does not
    drive out what every page needs, and an answer from memory costs no lock.
    """

    def __init__(self, size: int = MEMORY_SIZE) -> None:
        self.size = size
        self.used = 0
        self._bodies: dict[Body, None] = {}
        self._lock = ForkableLock()

    def keep(self, owner: dict[str, Body], file: str, etag: str, data: bytes) -> None:
        """Keep a body in its owner's dict, in the place of another version of the same file; others may go."""
        with self._lock:
            if (old := owner.get(file)) is not None:
                self._drop(old)
            if len(data) > self.size:
                return
            body = owner[file] = Body(owner, file, etag, data)
            self._bodies[body] = None
            self.used += len(data)
            while self.used > self.size:
                oldest = next(iter(self._bodies))
                if oldest.was_asked_for:
                    oldest.was_asked_for = False
                    del self._bodies[oldest]
                    self._bodies[oldest] = None
                else:
                    self._drop(oldest)

    def _drop(self, body: Body) -> None:
        del self._bodies[body]
        del body.owner[body.file]
        self.used -= len(body.data)
