"""The index's other strategies: a directory as it stands, for what nobody collected with our storage.

Scanned once (:class:`ScannedIndex`) or looked at per request (:class:`LiveDirectory`). Same ``get(path)`` as an
index. Entity tags are weak, from size and mtime, since nothing has read the files.
"""

from __future__ import annotations

import json
import os
import stat
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import NamedTuple

from django_asyncstatic.codings import CODINGS, SUFFIXES
from django_asyncstatic.index import (
    INDEX_NAME,
    PRIVATE_DIRECTORY,
    TIMES_NAME,
    Representation,
    Resource,
    change_time,
    weak_etag,
)
from django_asyncstatic.media_types import media_type
from django_asyncstatic.serving.mounts import is_hidden

#: Bytes, and nanoseconds since the epoch: of the last modification as the file says, and as its tag says.
FileFacts = tuple[int, int, int]

#: Files of the collect itself, unless it was told other names; never served.
PRIVATE_NAMES = frozenset({INDEX_NAME, TIMES_NAME, "staticfiles.json"})


class Skipped(NamedTuple):
    """A name that a scan left out, relative to the root, and why."""

    name: str
    reason: str


class ScannedIndex:
    """The regular files of a directory, found by one walk; the rest is made when a resource is asked for.

    Raises ``OSError`` where the root itself cannot be listed. What cannot be served (dangling links, loops,
    FIFOs, names that are not UTF-8, links out of the root, dotfiles) is left out and told in ``skipped``.
    """

    def __init__(
        self, root: str | os.PathLike[str], *, dotfiles: bool = False, private: frozenset[str] = PRIVATE_NAMES
    ) -> None:
        self.root = Path(root)
        self.skipped: list[Skipped] = []
        self._dotfiles = dotfiles
        self._private = private
        self._real_root = os.path.realpath(self.root)
        self._files: dict[str, FileFacts] = {}
        with os.scandir(self.root) as entries:  # an unreadable root is an error, an unreadable folder is skipped
            self._walk("", list(entries), {self._real_root})
        self._immutable = _hashed_names(self.root)

    def __len__(self) -> int:
        return len(self._files)

    def __iter__(self) -> Iterator[str]:
        return iter(self._files)

    def get(self, path: str) -> Resource | None:
        return _make_resource(path, self._files.get, immutable=path in self._immutable)

    def _walk(self, folder: str, entries: list[os.DirEntry[str]], above: set[str]) -> None:
        for entry in sorted(entries, key=lambda entry: entry.name):
            name = folder + entry.name
            if name in self._private or name == PRIVATE_DIRECTORY:
                continue
            try:
                reason = self._visit(name, entry, above)
            except OSError as error:
                reason = f"cannot be read: {error.strerror or error}"
            if reason:
                self.skipped.append(Skipped(name, reason))

    def _visit(self, name: str, entry: os.DirEntry[str], above: set[str]) -> str:
        """Take an entry in, or say why not."""
        try:
            name.encode()
        except UnicodeEncodeError:
            return "the name is not UTF-8"
        if not self._dotfiles and is_hidden(name):
            return "dotfiles are not served"
        if entry.is_symlink():
            target = os.path.realpath(entry.path)
            real_name = os.path.relpath(target, self._real_root).replace(os.sep, "/")
            if real_name in self._private or f"{real_name}/".startswith(f"{PRIVATE_DIRECTORY}/"):
                return "a symlink to a file of the collect itself"
            if not os.path.lexists(target) or os.path.islink(target):
                return "a symlink that leads nowhere"
            if not _is_below(target, self._real_root):
                return "a symlink out of the root"
            if target in above:
                return "a symlink to a folder above it"
        found = entry.stat()
        if stat.S_ISDIR(found.st_mode):
            with os.scandir(entry.path) as entries:
                inner = list(entries)
            self._walk(name + "/", inner, above | {os.path.realpath(entry.path)})
            return ""
        if not stat.S_ISREG(found.st_mode):
            return "not a regular file"
        if not _is_readable(entry.path):
            return "not readable"
        self._files[name] = _facts(found)
        return ""


class LiveDirectory:
    """The files of a directory as they are at the moment of each request: for what appears after the start.

    As safe as an index: only regular files below the root, by their plain names, whatever links lie about.
    """

    def __init__(self, root: str | os.PathLike[str], *, private: frozenset[str] = PRIVATE_NAMES) -> None:
        self.root = Path(root)
        self._private = private
        self._real_root = os.path.realpath(self.root)

    def get(self, path: str) -> Resource | None:
        return _make_resource(path, self._facts, immutable=False)

    def _facts(self, path: str) -> FileFacts | None:
        if not is_plain(path):
            return None
        full = os.path.join(self._real_root, path)
        try:
            found = os.stat(full)
            real = os.path.realpath(full)
            if not stat.S_ISREG(found.st_mode) or not _is_below(real, self._real_root) or not _is_readable(real):
                return None
            real_name = os.path.relpath(real, self._real_root).replace(os.sep, "/")
            if real_name in self._private or real_name.startswith(f"{PRIVATE_DIRECTORY}/"):
                return None
        except (OSError, ValueError):  # absent, too long, or a lone surrogate
            return None
        return _facts(found)


def _make_resource(path: str, facts: Callable[[str], FileFacts | None], *, immutable: bool) -> Resource | None:
    """The resource of a file with the compressed siblings that are not older; none for such a sibling itself."""
    stem, dot, suffix = path.rpartition(".")
    if dot + suffix in SUFFIXES and facts(stem) is not None:
        return None
    identity = facts(path)
    if identity is None:
        return None
    representations = [_make_representation(None, path, identity)]
    for coding in CODINGS.values():
        coded = facts(path + coding.suffix)
        if coded is not None and coded[1] >= identity[1]:  # an older one is of other content
            representations.append(_make_representation(coding.token, path + coding.suffix, coded))
    return Resource(
        path=path,
        media_type=media_type(path),
        representations=tuple(representations),
        immutable=immutable,
        last_modified=identity[1] // 1_000_000_000 if identity[1] == identity[2] else None,
    )


def _facts(found: os.stat_result) -> FileFacts:
    return found.st_size, found.st_mtime_ns, change_time(found)


def _make_representation(token: str | None, file: str, facts: FileFacts) -> Representation:
    size, _, changed = facts
    return Representation(token, file, size, etag=weak_etag(size, changed), digest="")


def _is_readable(path: str) -> bool:
    return os.access(path, os.R_OK, effective_ids=os.access in os.supports_effective_ids)


def is_plain(name: str) -> bool:
    """Whether a name is in the one spelling that it has: nothing empty, no dots, nothing that a system reads anew."""
    return not ("\0" in name or "\\" in name or any(part in ("", ".", "..") for part in name.split("/")))


def _is_below(path: str, root: str) -> bool:
    return os.path.commonpath([path, root]) == root


def _hashed_names(root: Path) -> frozenset[str]:
    """The hashed names that Django's manifest knows, if one lies in the root; those are immutable."""
    try:
        paths = json.loads((root / "staticfiles.json").read_bytes())["paths"]
        return frozenset(hashed for name, hashed in paths.items() if name != hashed)
    except (OSError, ValueError, KeyError, TypeError, AttributeError):
        return frozenset()
