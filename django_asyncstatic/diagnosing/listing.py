"""What lies below a directory, each file looked at once for all checks.

A root of 10,000 files has 50,000 with their representations. What is kept of a file that is as it should be is its
size and its name; what ``os.lstat`` says is kept of the others only.
"""

from __future__ import annotations

import json
import os
import stat
from collections.abc import Iterable, Iterator, Mapping, Sequence
from collections.abc import Set as AbstractSet
from contextlib import suppress
from pathlib import Path
from types import MappingProxyType
from typing import TYPE_CHECKING, NamedTuple

from django_asyncstatic.codings import SUFFIXES
from django_asyncstatic.diagnosing import beside, walking
from django_asyncstatic.diagnosing.collected import UNKNOWN
from django_asyncstatic.diagnosing.walking import Walked
from django_asyncstatic.index import PRIVATE_DIRECTORY

if TYPE_CHECKING:
    from django_asyncstatic.diagnosing.project import Project

_SUFFIXES = tuple(SUFFIXES)

#: Bytes of an index from which on its root is walked through by a program, which takes 20 ms to start: 4,000 files.
LARGE = 400_000

#: Directories of tools, which hold nothing that a page loads, and a lot of it.
CLOSED = frozenset({".git", ".svn", ".hg", ".bzr", "CVS", "node_modules"})


class Listing(NamedTuple):
    """What lies below ``root``, by name relative to it; the root itself is ``""``.

    ``known`` are the files that a collect wrote. Of those, ``doubtful`` are not there, have another size, or are not
    known to be as the collect left them; ``modes`` has the names of those that are there by their ``st_mode``, but for
    the one that most have, whose list is empty, and ``future`` those that say to be of a time to come. ``strays`` are
    the other files, as ``os.lstat`` sees them, ``folders`` the directories with their ``st_mode``; ``errors`` say why
    one could not be listed.
    """

    root: str
    known: AbstractSet[str] = frozenset()
    doubtful: AbstractSet[str] = frozenset()
    modes: Mapping[int, list[str]] = MappingProxyType({})
    future: Sequence[str] = ()
    strays: Mapping[str, os.stat_result] = MappingProxyType({})
    folders: Mapping[str, int] = MappingProxyType({})
    errors: Mapping[str, str] = MappingProxyType({})

    def with_mode(self, mode: int) -> list[str]:
        """The names of the known files of one of :attr:`modes`; looks at each if it is the one that most have."""
        return self.modes[mode] or [name for name, found in _look(self.root, self.known) if found.st_mode == mode]


def begin_walk(project: Project) -> beside.Walk | None:
    """Begin with the walk that :func:`list_static_root` wants, if it is a long one. Raises what those properties do."""
    from django_asyncstatic.collecting.finished import State

    place, order = project.place, project.order
    if place.root is None or place.index_file is None or order is None:
        return None
    if place.index_file.stat().st_size < LARGE or project.deep:
        return None
    return beside.Walk(str(place.root), State.verified_in(order.state_file))


def list_static_root(project: Project, begun: beside.Walk | None = None) -> Listing:
    """Nothing where the root is no directory; all of it is doubtful where nobody knows what a collect found."""
    root = project.place.root
    if root is None or not root.is_dir():
        return Listing("")
    verified = 0 if project.deep or not project.is_remembered else project.state.verified
    if begun is None:
        walked = walking.walk(str(root), verified)
    else:
        walked = begun.result(verified or begun.since)  # where nothing is verified, nobody asks for what is recent
    return _compare(str(root), _files(project, root), walked, is_verified=verified > 0)


def list_root(root: Path, *, closed: frozenset[str] = frozenset()) -> Listing:
    """The listing of a directory in which no collect wrote. Those of the names in ``closed`` are not looked into."""
    return _compare(str(root), (), walking.walk(str(root), 0, closed), is_verified=False)


def _files(project: Project, root: Path) -> Iterator[tuple[str, int]]:
    """Every file that a collect wrote, with its size, once or more; :data:`UNKNOWN` for those that need not be there.

    What has a size comes before what has none.
    """
    if project.index is None:
        for name in (*project.sources, *_hashed_names(root)):
            yield name, UNKNOWN
        return
    yield from project.collected.files()
    if project.is_remembered and project.state.outcome.get("plain") == "files":
        for name, record in project.records.items():
            yield name, record.size
    yield from project.collected.plain_files()


def _compare(root: str, files: Iterable[tuple[str, int]], walked: Walked, *, is_verified: bool) -> Listing:
    sizes, recent, future, modes, folders, errors = walked
    known: set[str] = set()
    doubtful: set[str] = set()
    for name, size in files:
        if name not in known:
            known.add(name)
            found = sizes.pop(name, None)  # what is left at the end are strays
            if size not in (found, UNKNOWN) or not (is_verified or found is None):
                doubtful.add(name)
    doubtful.update(known.intersection(recent) if is_verified else ())
    known_modes = {}
    for mode, names in modes.items():
        of_known = [name for name in names if name in known]
        if of_known or not names:  # the one that most have: it is one of files, or nothing has its size
            known_modes[mode] = of_known
            doubtful.update(() if stat.S_ISREG(mode) else of_known)
    return Listing(
        root,
        known,
        doubtful,
        known_modes,
        [name for name in future if name in known],
        dict(_look(root, sizes)),
        folders,
        errors,
    )


def _look(root: str, names: Iterable[str]) -> Iterator[tuple[str, os.stat_result]]:
    for name in names:
        with suppress(OSError):  # gone since
            yield name, os.lstat(f"{root}/{name}")


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
