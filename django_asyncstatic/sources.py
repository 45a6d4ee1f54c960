"""Where a mount's index comes from: its file, or a scan of the directory when there is none; and when to reload.

Knows no Django. Nothing is loaded before the first request that needs it.
"""

from __future__ import annotations

import fnmatch
import logging
import os
import re
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from pathlib import Path
from threading import Lock
from time import monotonic

from django_asyncstatic.index import INDEX_NAME, InvalidIndex, Resource, ResourceIndex, StaticIndex
from django_asyncstatic.live import LiveDirectory, ScannedIndex
from django_asyncstatic.serving.contents import MEMORY_SIZE, Contents

logger = logging.getLogger("django_asyncstatic")

#: Seconds between two looks at the index file. One stat in five seconds costs nothing and a deploy takes longer.
RELOAD_INTERVAL = 5.0

#: Names that a log line spells out of those that a scan skipped.
_NAMED = 5


@dataclass(frozen=True, slots=True)
class Place:
    """Where collected files and their index are. ``index`` may be absent, ``root`` ``None`` if nothing is local.

    ``hint`` ends the log line that is written when there is no index.
    """

    root: Path | None
    index: Path | None
    hint: str = "Run collectstatic with a storage of django_asyncstatic.storage."


class _NoIndex:
    """A site without anything to serve."""

    def get(self, path: str) -> None:
        return None


class IndexLoader:
    """Loads the index of a place when it is first asked for, and again when its file has changed.

    At start a corrupt index, or one of a newer format, counts as none: the directory is scanned. On a reload
    the loaded one is kept. Either way one line in the log says so.

    Names that match one of the ``live`` patterns (``CACHE/*``, as ``fnmatch`` has them) and are not in the
    index are looked up on the disk at each request. It is a :class:`~django_asyncstatic.serving.mounts.Source`.
    """

    def __init__(
        self,
        locate: Callable[[], Place],
        *,
        memory_size: int = MEMORY_SIZE,
        reload_interval: float = RELOAD_INTERVAL,
        live: Sequence[str] = (),
        dotfiles: bool = False,
    ) -> None:
        self._locate = locate
        self._memory_size = memory_size
        self._interval = reload_interval
        self._lock = Lock()
        self._loaded: tuple[ResourceIndex, Contents] | None = None
        self._place: Place | None = None
        self._signature: tuple[int, int, int] | None = None
        self._next_look = 0.0
        self._live = re.compile("|".join(map(fnmatch.translate, live))) if live else None
        self._dotfiles = dotfiles

    def is_live(self, name: str) -> bool:
        return self._live is not None and self._live.match(name) is not None

    def look_up(self, name: str) -> Resource | None:
        return LiveDirectory(self.contents().root).get(name)

    def is_ready(self) -> bool:
        return self._loaded is not None

    def contents(self) -> Contents:
        return self._first_load()[1] if self._loaded is None else self._loaded[1]

    def current(self) -> ResourceIndex:
        """The index now. Raises nothing: a place that cannot be read is an empty site and a line in the log."""
        if self._loaded is None:
            return self._first_load()[0]
        if monotonic() >= self._next_look:
            self._look()
        return self._loaded[0]

    def _first_load(self) -> tuple[ResourceIndex, Contents]:
        with self._lock:
            if self._loaded is None:
                self._place = place = self._locate()
                index = self._load(place)
                self._next_look = monotonic() + self._interval
                self._loaded = (index, Contents(place.root or ".", self._memory_size))
            return self._loaded

    def _load(self, place: Place) -> ResourceIndex:
        if place.index is not None:
            self._signature = _signature(place.index)
            try:
                return StaticIndex.load(place.index)
            except (FileNotFoundError, NotADirectoryError):
                logger.warning("No index at %s: scanning the directory instead. %s", place.index, place.hint)
            except (OSError, InvalidIndex) as error:
                logger.error("%s Scanning the directory instead.", _sentence(error))
        elif place.root is not None:
            logger.warning("No index for %s: scanning the directory instead. %s", place.root, place.hint)
        return self._scan(place)

    def _scan(self, place: Place) -> ResourceIndex:
        if place.root is None:
            logger.warning("No static file will be served: there is no local directory of them. %s", place.hint)
            return _NoIndex()
        return _scan(place.root, "Set STATIC_ROOT and run collectstatic.", dotfiles=self._dotfiles)

    def _look(self) -> None:
        """Load the index anew if its file is another one; one thread does, the others go on with what there is."""
        if not self._lock.acquire(blocking=False):
            return
        try:
            self._next_look = monotonic() + self._interval
            place, loaded = self._place, self._loaded
            if place is None or place.index is None or loaded is None:
                return
            signature = _signature(place.index)
            if signature is None or signature == self._signature:
                return
            self._signature = signature
            try:
                self._loaded = (StaticIndex.load(place.index), loaded[1])
            except (OSError, InvalidIndex) as error:
                logger.error("%s The index loaded before stays in use.", _sentence(error))
        finally:
            self._lock.release()


class RootFiles:
    """The files of a directory under their plain names, fresh at each request: ``robots.txt`` and the like.

    Its names are read once, when the first is asked for, so that no other request touches the disk. It is a
    :class:`~django_asyncstatic.serving.mounts.Source`.
    """

    def __init__(self, root: str | os.PathLike[str], *, dotfiles: bool = False) -> None:
        self._root = Path(root)
        self._dotfiles = dotfiles
        self._contents = Contents(root)
        self._names: frozenset[str] | None = None
        self._index = _NoIndex()

    def current(self) -> ResourceIndex:
        if self._names is None:
            scanned = _scan(self._root, "Set ASYNCSTATIC_ROOT to a directory.", dotfiles=self._dotfiles)
            self._names = frozenset(scanned) if isinstance(scanned, ScannedIndex) else frozenset()
        return self._index

    def is_ready(self) -> bool:
        return self._names is not None

    def contents(self) -> Contents:
        return self._contents

    def is_live(self, name: str) -> bool:
        return self._names is not None and name in self._names

    def look_up(self, name: str) -> Resource | None:
        return LiveDirectory(self._root).get(name)


def _scan(root: Path, hint: str, *, dotfiles: bool) -> ScannedIndex | _NoIndex:
    """The index of a directory as it is, and a line in the log for what is wrong with it."""
    try:
        index = ScannedIndex(root, dotfiles=dotfiles)
    except OSError as error:
        logger.error(
            "No file will be served from %s: it cannot be listed (%s). %s", root, error.strerror or error, hint
        )
        return _NoIndex()
    if index.skipped:
        named = ", ".join(f"{each.name!r} ({each.reason})" for each in index.skipped[:_NAMED])
        more = f" and {len(index.skipped) - _NAMED} more" if len(index.skipped) > _NAMED else ""
        logger.warning("Not served from %s: %s%s.", root, named, more)
    return index


def place_of(root: str | os.PathLike[str], index: str | os.PathLike[str] | None = None) -> Place:
    """The place of a directory that a caller names; its index lies in it unless told otherwise."""
    root = Path(root)
    return Place(root, Path(index) if index is not None else root / INDEX_NAME)


def _signature(file: Path) -> tuple[int, int, int] | None:
    """What changes when a file is replaced or rewritten; ``None`` where there is none."""
    try:
        stat = file.stat()
    except OSError:
        return None
    return stat.st_ino, stat.st_size, stat.st_mtime_ns


def _sentence(error: Exception) -> str:
    if isinstance(error, OSError):
        return f"The index {error.filename} cannot be read: {error.strerror or error}."
    return str(error)
