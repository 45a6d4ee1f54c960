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

from django_asyncstatic.collecting.sources import Source
from django_asyncstatic.storage import opens_plainly, source_name, source_of

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


class Found(NamedTuple):
    """A file that a finder found: ``name`` is where collectstatic would put it, below ``STATIC_ROOT``.

    ``path`` is its name in the finder's storage; ``source`` is how the collect reads it, and has its ``file`` where it
    is one on this machine, and then ``look`` says what it is.
    """

    name: str
    path: str
    source: Source
    finder: BaseFinder
    storage: Storage
    look: Look | None


def list_files(finder: BaseFinder, ignored: Sequence[str], linked: set[str]) -> Iterator[Found]:
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
            source = source_of(source_name(storage, path), storage, path)
            seen = None if source.file is None else look(source.file)
            yield Found(source.name, path, source, finder, storage, seen)
        return
    for storage in storages:
        root: str = storage.location
        if os.path.isdir(root):
            kind: Any = type(storage)
            prefix, is_plain = source_name(storage, ""), opens_plainly(kind)
            for path, file, seen in _files_below(root, ignored, linked):
                name = prefix + path if os.sep == "/" else (prefix + path).replace(os.sep, "/")
                source = Source(name, file) if is_plain else source_of(name, storage, path)
                yield Found(name, path, source, finder, storage, seen if is_plain else None)


def _files_below(root: str, ignored: Sequence[str], linked: set[str]) -> Iterator[tuple[str, str, Look]]:
    """For each file its path below the root, its whole path, and what it is."""
    matches = re.compile("|".join(map(fnmatch.translate, ignored)) or r"(?!)").match
    # What such a pattern says of a path it says of its last component, too, or of a folder above.
    matches_path = None if all(map(_SIMPLE, ignored)) else matches
    start = os.path.join(root, "")
    left = [""]
    while left:
        prefix = left.pop()
        folder = start + prefix
        folders = []
        with os.scandir(folder) as entries:
            for entry in entries:
                base = entry.name
                if matches(base):
                    continue
                path = prefix + base
                if entry.is_dir():
                    folders.append(path + os.sep)
                    if entry.is_symlink():
                        linked.add(entry.path)
                elif not prefix or matches_path is None or not matches_path(path):
                    file = entry.path
                    try:
                        found = entry.stat(follow_symlinks=False)
                    except OSError as error:  # gone since
                        yield path, file, Look(None, False, error)
                    else:
                        yield path, file, _look_through(file) if is_link(found) else Look(found)
        left += reversed(folders)


_SIMPLE = re.compile(r"\*?[^*?\[/\\]*|[^*?\[/\\]+\*").fullmatch


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
