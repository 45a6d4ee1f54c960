"""Rehearsal: what a collect would publish, made of the sources when it is asked for, and again when they change.

The collecting room does it, as ever; only its root is a directory that is removed with the process. Not memory: what
is collected is written and put in its place atomically, read back, and sent by servers that want a path. Where the
system's temporary directory is one in memory, so is this.
"""

from __future__ import annotations

import os
import shutil
import tempfile
import weakref
from collections.abc import Callable
from time import monotonic
from typing import Any

from django.core.signals import setting_changed

from django_asyncstatic.collecting.atomic import CollectError
from django_asyncstatic.development import list_sources
from django_asyncstatic.index import ResourceIndex
from django_asyncstatic.serving.contents import log_once
from django_asyncstatic.serving.locks import ForkableLock
from django_asyncstatic.sources import REFRESH_INTERVAL, IndexLoader
from django_asyncstatic.storage import source_of

#: Looks at the sources take at most a tenth of the time: between two of them it is nine times as long as one took.
REST = 9


class Rehearsal:
    """A directory to collect into, and when to do so.

    ``make_storage`` gives a storage that collects there; it is asked for when the first static file is.
    """

    def __init__(self, make_storage: Callable[[], Any]) -> None:
        self._make_storage = make_storage
        self._lock = ForkableLock()
        self._making = ForkableLock()
        self._directory: str | None = None
        self._sources: object = None
        self._error: CollectError | None = None
        self._next_look = 0.0
        #: How many collects have changed something.
        self.number = 0
        setting_changed.connect(self.expire)  # weakly

    @property
    def directory(self) -> str:
        """Made when it is first asked for, removed when the process that made it ends."""
        with self._making:
            if self._directory is None:
                self._directory = tempfile.mkdtemp(prefix="asyncstatic-")
                weakref.finalize(self, _remove, self._directory, os.getpid())
            return self._directory

    def is_due(self) -> bool:
        """Whether :meth:`refresh` would look at the disk."""
        return monotonic() >= self._next_look

    def expire(self, **kwargs: Any) -> None:
        """Look at the sources the next time, however short the time."""
        self._next_look = 0.0

    def refresh(self) -> int:
        """Collect, if a source has changed since; gives :attr:`number`.

        Who comes while another one looks goes on with what there is, unless there is nothing yet. Raises
        ``CollectError`` for what would stop a collect, each time, until it is mended.
        """
        if self.is_due() and self._lock.acquire(blocking=self._sources is None):
            try:
                if self.is_due():
                    self._look()
            finally:
                self._lock.release()
        if (error := self._error) is not None:
            raise error.with_traceback(None)
        return self.number

    def _look(self) -> None:
        began = monotonic()
        found = list_sources()
        sources = [(name, _signature(name, *each)) for name, each in found.items()]
        if sources != self._sources:
            try:
                self._make_storage().collect(found, places=True)
                self._error, self.number = None, self.number + 1
            except CollectError as error:
                self._error = error
            self._sources = sources
        now = monotonic()
        self._next_look = now + max(REFRESH_INTERVAL, REST * (now - began))


def _signature(name: str, storage: Any, path: str) -> object:
    """Equal ones mean that nothing was written to a source in between."""
    try:
        return source_of(name, storage, path).look()[1] or object()  # of a remote one nothing is known
    except OSError:  # the collect will say
        return None


def _remove(directory: str, process: int) -> None:
    if os.getpid() == process:  # not a worker that was forked from it
        shutil.rmtree(directory, ignore_errors=True)


class RehearsedIndex(IndexLoader):
    """The index of a rehearsal: up to date with the sources when it is asked for."""

    def __init__(self, rehearsal: Rehearsal, *args: Any, **kwargs: Any) -> None:
        super().__init__(*args, **kwargs)
        self._rehearsal = rehearsal
        self._number = 0

    def ready(self) -> ResourceIndex | None:
        return None if self._rehearsal.is_due() else super().ready()

    def current(self) -> ResourceIndex:
        try:
            number = self._rehearsal.refresh()
        except CollectError as error:
            log_once(str(error))
        else:
            if number != self._number:
                self._number = number
                self._look()
        return super().current()
