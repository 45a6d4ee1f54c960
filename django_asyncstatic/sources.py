"""Where a mount's index comes from: its file, or a scan of the directory when there is none; and when to reload.

Knows no Django. Nothing is loaded before the first request that needs it.
"""

from __future__ import annotations

import fnmatch
import logging
import os
import re
from collections.abc import Callable, Sequence
from pathlib import Path
from time import monotonic
from typing import Any, NamedTuple

from django_asyncstatic.index import INDEX_NAME, InvalidIndex, Resource, ResourceIndex, StaticIndex
from django_asyncstatic.live import PRIVATE_NAMES, LiveDirectory, ScannedIndex
from django_asyncstatic.serving.contents import Contents
from django_asyncstatic.serving.headers import HeaderPolicy, check_policy, immutable_file_test
from django_asyncstatic.serving.locks import ForkableLock
from django_asyncstatic.serving.memory import Memory
from django_asyncstatic.serving.mounts import MountOptions, Site

logger = logging.getLogger("django_asyncstatic")

#: Seconds between two looks at the index file. One stat in five seconds costs nothing and a deploy takes longer.
RELOAD_INTERVAL = 5.0

#: Most seconds between two looks because of names that the index lacks, which a worker renders that started after a
#: deploy; and how many times as long as a look took there is none. A local one takes microseconds.
REFRESH_INTERVAL, REFRESH_REST = 0.25, 100

#: Names that a log line spells out of those that a scan skipped.
_NAMED = 5


#: What changes when a file is replaced or rewritten: inode, size in bytes, mtime in nanoseconds.
Signature = tuple[int, int, int]


class Place(NamedTuple):
    """Where collected files and their index are. ``index_file`` may be absent, ``root`` ``None`` if nothing is local.

    ``hint`` ends the log line that is written when there is no index. ``private`` are the names, relative to the root,
    of files that the collect wrote for itself.
    """

    root: Path | None
    index_file: Path | None
    hint: str = "Run collectstatic with a storage of django_asyncstatic.storage."
    private: frozenset[str] = PRIVATE_NAMES


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
        memory: Memory | None = None,
        reload_interval: float = RELOAD_INTERVAL,
        live: Sequence[str] = (),
        dotfiles: bool = False,
    ) -> None:
        self._locate = locate
        self._memory = memory
        self._interval = reload_interval
        self._lock = ForkableLock()
        self._loaded: tuple[ResourceIndex, Contents] | None = None
        self._place: Place | None = None
        self._signature: Signature | None = None
        self._next_look = 0.0
        self._next_refresh = 0.0
        self._complaint = ""
        if isinstance(live, str):
            raise TypeError(f"live is {live!r}; it has to be a list of patterns, such as ['CACHE/*'].")
        self._live = re.compile("|".join(map(fnmatch.translate, live))) if live else None
        self._dotfiles = dotfiles

    def is_live(self, name: str) -> bool:
        return self._live is not None and self._live.match(name) is not None

    def look_up(self, name: str) -> Resource | None:
        private = PRIVATE_NAMES if self._place is None else self._place.private
        return LiveDirectory(self.contents().root, private=private).get(name)

    def refresh(self, known: ResourceIndex, *, at_once: bool = False) -> bool:
        if self.current() is known and (at_once or monotonic() >= self._next_refresh):
            # Who comes while another thread loads a newer one waits for it: the name may be in there.
            self._look(wait=True)
        return self.current() is not known

    def would_load(self) -> bool:
        if monotonic() < self._next_refresh:
            return False
        if not self._lock.acquire(blocking=False):
            return True
        try:
            newer, rest = self._find_newer()
            if newer is None:
                self._next_refresh = monotonic() + rest
            return newer is not None
        finally:
            self._lock.release()

    def ready(self) -> ResourceIndex | None:
        loaded = self._loaded
        return loaded[0] if loaded is not None and monotonic() < self._next_look else None

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
                self._loaded = (index, Contents(place.root or ".", self._memory))
            return self._loaded

    def _load(self, place: Place) -> ResourceIndex:
        if place.index_file is not None:
            self._signature = _signature(place.index_file)
            try:
                return StaticIndex.load(place.index_file)
            except (FileNotFoundError, NotADirectoryError):
                logger.warning("No index at %s: scanning the directory instead. %s", place.index_file, place.hint)
            except (OSError, InvalidIndex) as error:
                self._complain(f"{_sentence(error)} Scanning the directory instead.", error)
        elif place.root is not None:
            logger.warning("No index for %s: scanning the directory instead. %s", place.root, place.hint)
        return self._scan(place)

    def _scan(self, place: Place) -> ResourceIndex:
        if place.root is None:
            logger.warning("No static file will be served: there is no local directory of them. %s", place.hint)
            return _NoIndex()
        hint = "Set STATIC_ROOT and run collectstatic."
        return _scan(place.root, hint, dotfiles=self._dotfiles, private=place.private)

    def _look(self, *, wait: bool = False) -> None:
        """Load the index anew if its file is another one; one thread does, others go on with what there is, or wait."""
        if not self._lock.acquire(blocking=wait):
            return
        rest = REFRESH_INTERVAL
        try:
            self._next_look = monotonic() + self._interval
            loaded = self._loaded
            newer, rest = self._find_newer()
            if newer is None or loaded is None:
                return
            file, self._signature = newer
            try:
                self._loaded = (StaticIndex.load(file), loaded[1])
            except (OSError, InvalidIndex) as error:
                self._complain(f"{_sentence(error)} The index loaded before stays in use.", error)
        finally:
            self._next_refresh = monotonic() + rest
            self._lock.release()

    def _find_newer(self) -> tuple[tuple[Path, Signature] | None, float]:
        """The index file with its signature, if it is another than was loaded; the seconds until the next look."""
        file = None if self._place is None else self._place.index_file
        if file is None:
            return None, REFRESH_INTERVAL
        began = monotonic()
        signature = _signature(file)
        rest = min(REFRESH_INTERVAL, REFRESH_REST * (monotonic() - began))
        return (None if signature is None or signature == self._signature else (file, signature)), rest

    def _complain(self, message: str, error: Exception) -> None:
        """Once in a row; a file that could not be read (no descriptor left, a disk that hiccups) is tried again."""
        if message != self._complaint:
            self._complaint = message
            logger.error(message)
        if isinstance(error, OSError):
            self._signature = None


class LiveSource:
    """What a strategy has at the moment of each request: a source without an index.

    ``strategy`` is a :class:`~django_asyncstatic.live.LiveDirectory` or another with its ``get(path)``, ``is_live``
    says for which names it is asked. It is a :class:`~django_asyncstatic.serving.mounts.Source`.
    """

    def __init__(
        self, contents: Contents, strategy: ResourceIndex, is_live: Callable[[str], bool] = lambda name: True
    ) -> None:
        self.strategy = strategy
        self.is_live = is_live
        self._contents = contents
        self._index = _NoIndex()

    def current(self) -> ResourceIndex:
        return self._index

    def ready(self) -> ResourceIndex:
        return self._index

    def contents(self) -> Contents:
        return self._contents

    def look_up(self, name: str) -> Resource | None:
        return self.strategy.get(name)

    def refresh(self, known: ResourceIndex, *, at_once: bool = False) -> bool:
        return False

    def would_load(self) -> bool:
        return False


class RootFiles:
    """The files of a directory under their plain names, fresh at each request: ``robots.txt`` and the like.

    Its names are read once, when the first is asked for, so that no other request touches the disk; those below
    ``.well-known/`` are looked up as they come. It is a
    :class:`~django_asyncstatic.serving.mounts.Source`.
    """

    def __init__(self, root: str | os.PathLike[str], *, dotfiles: bool = False, memory: Memory | None = None) -> None:
        self._root = Path(os.path.abspath(root))
        self._dotfiles = dotfiles
        self._contents = Contents(self._root, memory)
        self._names: frozenset[str] | None = None
        self._index = _NoIndex()

    def current(self) -> ResourceIndex:
        if self._names is None:
            hint = "Set ASYNCSTATIC_ROOT to a directory."
            scanned = _scan(self._root, hint, dotfiles=self._dotfiles, private=PRIVATE_NAMES)
            self._names = frozenset(scanned) if isinstance(scanned, ScannedIndex) else frozenset()
        return self._index

    def ready(self) -> ResourceIndex | None:
        return None if self._names is None else self._index

    def contents(self) -> Contents:
        return self._contents

    def is_live(self, name: str) -> bool:
        # An ACME client puts its answer there for a minute.
        return self._names is not None and (name in self._names or name.startswith(".well-known/"))

    def look_up(self, name: str) -> Resource | None:
        return LiveDirectory(self._root).get(name)

    def refresh(self, known: ResourceIndex, *, at_once: bool = False) -> bool:
        return False

    def would_load(self) -> bool:
        return False


def _scan(root: Path, hint: str, *, dotfiles: bool, private: frozenset[str]) -> ScannedIndex | _NoIndex:
    """The index of a directory as it is, and a line in the log for what is wrong with it."""
    try:
        index = ScannedIndex(root, dotfiles=dotfiles, private=private)
    except OSError as error:
        logger.error(
            "No file will be served from %s: it cannot be listed (%s). %s",
            root,
            error.strerror or error,
            "Let the user of this process list it." if isinstance(error, PermissionError) else hint,
        )
        return _NoIndex()
    if index.skipped:
        named = ", ".join(f"{each.name!r} ({each.reason})" for each in index.skipped[:_NAMED])
        more = f" and {len(index.skipped) - _NAMED} more" if len(index.skipped) > _NAMED else ""
        logger.warning("Not served from %s: %s%s. Mend what should be served.", root, named, more)
    return index


def make_site(
    root: str | os.PathLike[str] | None,
    prefix: str | None,
    *,
    index: str | os.PathLike[str] | None,
    live: Sequence[str],
    index_file: str | bool | None,
    dotfiles: bool,
    **headers: Any,
) -> Site:
    """A site from the arguments of the wrappers' classes. Raises ``TypeError`` and ``ValueError`` for wrong ones."""
    options = MountOptions("index.html" if index_file is True else index_file or None, dotfiles)
    for name in headers:
        if name not in HeaderPolicy._fields:
            raise TypeError(f"There is no argument {name!r}: {_instead_of(name)}")
    if callable(rule := headers.get("immutable_file_test")) is False:
        headers["immutable_file_test"] = immutable_file_test(rule)
    site = Site(check_policy(HeaderPolicy(**headers)), options=options)
    if root is not None:
        add_directory(site, root, prefix, index=index, live=live)
    return site


#: Arguments of the wrappers of WhiteNoise and ServeStatic that ours lack, with what to write.
_ELSEWHERE = {
    "autorefresh": 'live=["*"] looks every name up when it is asked for.',
    "mimetypes": "set Content-Type in add_headers_function.",
    "allow_unsafe_symlinks": "links out of the directory are not followed; copy what they lead to.",
}


def _instead_of(name: str) -> str:
    from difflib import get_close_matches

    known = ["index", "live", "index_file", "dotfiles", "script_name", *HeaderPolicy._fields]
    near = get_close_matches(name, known, 1)
    return _ELSEWHERE.get(name) or (f"did you mean {near[0]!r}?" if near else f"there are {', '.join(known)}.")


def add_directory(
    site: Site,
    root: str | os.PathLike[str],
    prefix: str | None,
    *,
    index: str | os.PathLike[str] | None,
    live: Sequence[str],
) -> None:
    """Serve one more directory; for a name that several have, the one added last answers."""
    place = place_of(root, index)
    site.add(prefix, IndexLoader(lambda: place, memory=site.memory, live=live, dotfiles=site.options.dotfiles))


def place_of(root: str | os.PathLike[str], index: str | os.PathLike[str] | None = None) -> Place:
    """The place of a directory that a caller names; its index lies in it unless told otherwise."""
    root = Path(os.path.abspath(root))  # now: the process may go elsewhere before the first request
    return Place(root, Path(os.path.abspath(index)) if index is not None else root / INDEX_NAME)


def _signature(file: Path) -> Signature | None:
    """Of a file; ``None`` where there is none."""
    try:
        stat = file.stat()
    except OSError:
        return None
    return stat.st_ino, stat.st_size, stat.st_mtime_ns


def _sentence(error: Exception) -> str:
    if isinstance(error, OSError):
        return (
            f"The index {error.filename} cannot be read: {error.strerror or error}. It is tried again; see that this"
            " process can read it."
        )
    return str(error)
