"""What lies below ``STATIC_ROOT``: listed by name, and compared with what the collect put there.

A root of 10,000 files has 50,000 with their representations. Names are compared as sets, a directory at a time; only
what is not known by its name is asked for its kind, which is five times as fast as a walk.
"""

from __future__ import annotations

import json
import os
import stat
from collections import defaultdict
from collections.abc import Iterable, Mapping
from pathlib import Path
from typing import TYPE_CHECKING, NamedTuple

from django_asyncstatic.codings import SUFFIXES
from django_asyncstatic.index import PRIVATE_DIRECTORY

if TYPE_CHECKING:
    from django_asyncstatic.diagnosing.project import Project

#: Directories that are told as such, and not looked into.
NOT_ENTERED = frozenset({".git", ".svn", ".hg", ".bzr", "CVS", "node_modules"})


class Listing(NamedTuple):
    """The directories of a root (the root itself is ``""``), and the files in it, as ``os.lstat`` sees them, by name.

    ``collected`` are files that the collect wrote: one of each directory, or all of them where that was asked for.
    ``strays`` are files of which nothing is known; ``errors`` say what could not be listed.
    """

    folders: dict[str, os.stat_result]
    collected: dict[str, os.stat_result]
    strays: dict[str, os.stat_result]
    errors: dict[str, OSError]


def list_static_root(project: Project) -> Listing:
    place = project.place
    if place.root is None or not place.root.is_dir():
        return Listing({}, {}, {}, {})
    known: Iterable[str]
    if project.index is not None:
        known = project.index
    else:
        known = {*project.sources, *_hashed_names(place.root)}
    return list_root(place.root, [*known, *place.private], everything=project.deep)


def list_root(root: Path, known: Iterable[str] = (), *, everything: bool = False) -> Listing:
    """The listing of a directory in which files of the names in ``known`` are no strays, nor what they compress to."""
    by_folder: Mapping[str, set[str]] = defaultdict(set)
    for name in known:
        folder, _, base = name.rpartition("/")
        by_folder[folder].add(base)
    listing = Listing({"": os.stat(root)}, {}, {}, {})
    folders = [""]
    while folders:
        folder = folders.pop()
        try:
            found = set(os.listdir(f"{root}/{folder}"))
        except OSError as error:
            listing.errors[folder] = error
            continue
        expected = found & by_folder.get(folder, set())
        prefix = folder and folder + "/"
        unknown = found - expected
        if expected and unknown:
            unknown.difference_update([base + suffix for base in expected for suffix in SUFFIXES])
        for base in sorted(unknown):
            name = prefix + base
            if name == PRIVATE_DIRECTORY:
                continue
            try:
                seen = os.lstat(f"{root}/{name}")
            except OSError:  # gone since
                continue
            if stat.S_ISDIR(seen.st_mode):
                listing.folders[name] = seen
                if base not in NOT_ENTERED:
                    folders.append(name)
            else:
                listing.strays[name] = seen
        for base in sorted(expected) if everything or not expected else (min(expected),):
            listing.collected[prefix + base] = os.lstat(f"{root}/{prefix}{base}")
    return listing


def _hashed_names(root: Path) -> list[str]:
    """The names that Django's manifest knows, if one lies in the root."""
    try:
        return list(json.loads((root / "staticfiles.json").read_bytes())["paths"].values())
    except (OSError, ValueError, KeyError, TypeError, AttributeError):
        return []
