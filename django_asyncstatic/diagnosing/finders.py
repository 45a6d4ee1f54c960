"""The files of the finders, each looked at when it is listed.

Django's own finders are asked here as they would list by themselves, which takes half the time: its ``get_files``
lists through the storage, matches each pattern by itself, and does not say what kind of file it has found. A test
holds that both find the same. Finders that list in their own way are asked to.
"""

from __future__ import annotations

import fnmatch
import os
import re
from collections.abc import Iterator, Sequence
from typing import TYPE_CHECKING, Any, NamedTuple

if TYPE_CHECKING:
    from django.contrib.staticfiles.finders import BaseFinder
    from django.core.files.storage import Storage


class Look(NamedTuple):
    """What ``os.stat`` says of a file, ``None`` where ``error`` says why not; ``is_link``: it is a symbolic link."""

    found: os.stat_result | None
    is_link: bool = False
    error: OSError | None = None


def look(file: str) -> Look:
    try:
        found = os.lstat(file)
    except OSError as error:
        return Look(None, False, error)
    return Look(found) if not is_link(found) else _look_through(file)


def is_link(found: os.stat_result) -> bool:
    return found.st_mode & 0o170000 == 0o120000


def _look_through(file: str) -> Look:
    try:
        return Look(os.stat(file), True)
    except OSError as error:
        return Look(None, True, error)


def list_files(
    finder: BaseFinder, ignored: Sequence[str], linked: set[str]
) -> Iterator[tuple[str, Storage, Look | None]]:
    """What ``finder.list(ignored)`` gives, in its order, with a look at each that is a file on this machine.

    Directories that are links are added to ``linked``. Raises ``OSError`` where something cannot be listed.
    """
    storages = _storages(finder)
    if storages is None:
        asked: set[str] = set()
        for path, storage in finder.list(ignored):
            folder = os.path.dirname(os.path.join(getattr(storage, "location", ""), path))
            while folder not in asked:  # with those above it, up to the root
                asked.add(folder)
                if os.path.islink(folder):
                    linked.add(folder)
                folder = os.path.dirname(folder)
            yield path, storage, None
        return
    matches = re.compile("|".join(map(fnmatch.translate, ignored)) or r"(?!)").match
    for storage in storages:
        root: str = storage.location
        if os.path.isdir(root):
            for path, seen in _files_below(root, matches, linked):
                yield path, storage, seen


def _files_below(root: str, matches: Any, linked: set[str]) -> Iterator[tuple[str, Look]]:
    left = [""]
    while left:
        prefix = left.pop()
        folders = []
        with os.scandir(os.path.join(root, prefix)) as entries:
            for entry in entries:
                base = entry.name
                if matches(base):
                    continue
                path = prefix + base
                if entry.is_dir():
                    folders.append(path + os.sep)
                    if entry.is_symlink():
                        linked.add(entry.path)
                elif not prefix or not matches(path):
                    try:
                        found = entry.stat(follow_symlinks=False)
                    except OSError as error:  # gone since
                        yield path, Look(None, False, error)
                    else:
                        yield path, _look_through(entry.path) if is_link(found) else Look(found)
        left += reversed(folders)


def _storages(finder: BaseFinder) -> list[Any] | None:
    """The storages that a finder lists, where it lists as Django's own do, and they, too."""
    from django.contrib.staticfiles.finders import AppDirectoriesFinder, FileSystemFinder
    from django.core.files.storage import FileSystemStorage

    storages: list[Any]
    if isinstance(finder, FileSystemFinder) and type(finder).list is FileSystemFinder.list:
        storages = [finder.storages[root] for _, root in finder.locations]
    elif isinstance(finder, AppDirectoriesFinder) and type(finder).list is AppDirectoriesFinder.list:
        storages = list(finder.storages.values())
    else:
        return None
    lists_plainly = (FileSystemStorage.listdir, FileSystemStorage.path, FileSystemStorage.exists)
    for storage in storages:
        kind = type(storage)
        if not isinstance(storage, FileSystemStorage) or (kind.listdir, kind.path, kind.exists) != lists_plainly:
            return None
    return storages
