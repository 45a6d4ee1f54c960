"""What lies below a directory, each file looked at once for all checks.

A root of 10,000 files has 50,000 with their representations. What is kept of a file that is as it should be is its
size and its name; what ``os.lstat`` says is kept of the others only.
"""

from __future__ import annotations

import json
import os
import stat
import time
from collections.abc import Callable, Container, Mapping
from collections.abc import Set as AbstractSet
from pathlib import Path
from types import MappingProxyType
from typing import TYPE_CHECKING, NamedTuple

from django_asyncstatic.codings import SUFFIXES
from django_asyncstatic.diagnosing import beside
from django_asyncstatic.diagnosing.collected import UNKNOWN
from django_asyncstatic.index import PRIVATE_DIRECTORY

if TYPE_CHECKING:
    from django_asyncstatic.diagnosing.project import Project

_SUFFIXES = tuple(SUFFIXES)
_OPENS = os.scandir in os.supports_fd  # not so on Windows

#: Directories of tools, which hold nothing that a page loads, and a lot of it.
CLOSED = frozenset({".git", ".svn", ".hg", ".bzr", "CVS", "node_modules"})

#: Seconds. A clock that is told the wrong time zone, as that of a FAT volume can be, is off by up to 14 hours.
FUTURE = 24 * 3600


class Listing(NamedTuple):
    """What lies below a root, by name relative to it; the root itself is ``""``.

    ``known`` are the files that a collect wrote, with their sizes. Of those, ``doubtful`` are not there, have another
    size, or are not known to be as the collect left them; ``modes`` has by their ``st_mode`` the number of those that
    are there, and the first name, and ``future`` has those that say to be of a time to come. ``strays`` are the other
    files, and ``folders`` the directories, as ``os.lstat`` sees them; ``errors`` say what could not be listed.
    """

    known: Mapping[str, int]
    doubtful: AbstractSet[str]
    modes: Mapping[int, tuple[int, str]]
    future: list[str]
    strays: Mapping[str, os.stat_result]
    folders: Mapping[str, os.stat_result]
    errors: Mapping[str, OSError]


def list_static_root(project: Project) -> Callable[[], Listing]:
    """Begin with it, beside what else there is to do; the function that comes back gives the listing.

    That is nothing where the root is no directory; all is doubtful where nobody knows what a collect found.
    """
    root = project.place.root
    if root is None or not root.is_dir():
        return lambda: Listing({}, frozenset(), {}, [], {}, {}, {})
    known, verified = _known(project, root)
    walk = beside.begin(lambda: list_root(root, known, verified)._replace(known={}))
    return lambda: walk()._replace(known=known)


def _known(project: Project, root: Path) -> tuple[dict[str, int], int]:
    """The files that a collect wrote, and since when they are right."""
    if project.index is None:
        return dict.fromkeys([*project.sources, *_hashed_names(root)], UNKNOWN), 0
    known = project.collected.files()
    if not project.is_remembered:
        return known, 0
    if project.state.outcome.get("plain") == "files":
        for name, record in project.records.items():
            if known.get(name, UNKNOWN) == UNKNOWN:
                known[name] = record.size
    return known, 0 if project.deep else project.state.verified


def list_root(
    root: Path, known: Mapping[str, int] = MappingProxyType({}), verified: int = 0, *, closed: Container[str] = ()
) -> Listing:
    """The listing of a directory in which a collect wrote the files in ``known``.

    A file that was written since ``verified``, nanoseconds, is doubtful, by the rule of collecting's ``Disk``.
    Directories of the names in ``closed`` are not looked into.
    """
    doubtful: set[str] = set()
    modes: dict[int, list[str]] = {}
    future: list[str] = []
    strays: dict[str, os.stat_result] = {}
    folders = {"": os.stat(root)}
    errors: dict[str, OSError] = {}
    latest = time.time_ns() + FUTURE * 10**9
    unseen, left = dict(known), [""]
    while left:
        folder = left.pop()
        prefix = folder and f"{folder}/"
        opened = None
        try:
            # What is asked of entries is asked relative to an open directory, which takes a sixth less.
            opened = os.open(f"{root}/{folder}", os.O_RDONLY | os.O_DIRECTORY) if _OPENS else None
            with os.scandir(f"{root}/{folder}" if opened is None else opened) as entries:
                for entry in entries:  # with 50,000 files, each thing done in here is a hundredth of a run
                    name = prefix + entry.name
                    try:
                        found = entry.stat(follow_symlinks=False)
                    except OSError:  # gone since
                        continue
                    size = unseen.pop(name, None)
                    if size is None:
                        if stat.S_ISDIR(found.st_mode):
                            folders[name] = found
                            if entry.name not in closed:
                                left.append(name)
                        else:
                            strays[name] = found
                        continue
                    modified = found.st_mtime_ns
                    if found.st_size != size or modified >= verified or found.st_ctime_ns >= verified:
                        doubtful.add(name)
                        if modified > latest:
                            future.append(name)
                    if (names := modes.get(found.st_mode)) is None:
                        names = modes[found.st_mode] = []
                    names.append(name)
        except OSError as error:
            errors[folder] = error
        finally:
            if opened is not None:
                os.close(opened)
    doubtful.update(name for name, size in unseen.items() if size != UNKNOWN)
    doubtful.update(*(names for mode, names in modes.items() if not stat.S_ISREG(mode)))
    counted = {mode: (len(names), min(names)) for mode, names in modes.items()}
    return Listing(known, doubtful, counted, future, strays, folders, errors)


def real_strays(listing: Listing) -> dict[str, os.stat_result]:
    """Without compressed copies of what a collect wrote, what collecting keeps for itself, and closed directories."""
    strays = {}
    for name, found in listing.strays.items():
        if name.startswith(f"{PRIVATE_DIRECTORY}/") or not CLOSED.isdisjoint(name.split("/")[:-1]):
            continue
        stem = name.rpartition(".")[0] if name.endswith(_SUFFIXES) else name
        if stem == name or stem not in listing.known:
            strays[name] = found
    return strays


def _hashed_names(root: Path) -> list[str]:
    """The names that Django's manifest knows, if one lies in the root."""
    try:
        return list(json.loads((root / "staticfiles.json").read_bytes())["paths"].values())
    except (OSError, ValueError, KeyError, TypeError, AttributeError):
        return []
