"""The index's other strategy: a directory as it stands, for what nobody collected with our storage.

Same ``get(path)`` as an index. Entity tags are weak, from size and mtime, since nothing has read the files.
"""

from __future__ import annotations

import json
import os
import stat
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path

from django_asyncstatic.codings import CODINGS, SUFFIXES
from django_asyncstatic.index import INDEX_NAME, TIMES_NAME, Representation, Resource
from django_asyncstatic.media_types import media_type

#: Files of the collect itself; never served.
PRIVATE_NAMES = frozenset({INDEX_NAME, TIMES_NAME, "staticfiles.json"})


@dataclass(frozen=True, slots=True)
class Skipped:
    """A name that a scan left out, relative to the root, and why."""

    name: str
    reason: str


class ScannedIndex:
    """The regular files of a directory, found by one walk; the rest is made when a resource is asked for.

    Raises ``OSError`` where the root itself cannot be listed. What cannot be served (dangling links, loops,
    FIFOs, names that are not UTF-8, links out of the root, dotfiles) is left out and told in ``skipped``.
    """

    def __init__(self, root: str | os.PathLike[str]) -> None:
        self.root = Path(root)
        self.skipped: list[Skipped] = []
        self._real_root = os.path.realpath(self.root)
        self._files: dict[str, tuple[int, int]] = {}
        with os.scandir(self.root) as entries:  # an unreadable root is an error, an unreadable folder is skipped
            self._walk("", list(entries), {self._real_root})
        self._immutable = _hashed_names(self.root)

    def __len__(self) -> int:
        return len(self._files)

    def __iter__(self) -> Iterator[str]:
        return iter(self._files)

    def get(self, path: str) -> Resource | None:
        file = self._files.get(path)
        if file is None or self._is_representation(path):
            return None
        size, mtime = file
        representations = [self._representation(None, path, size, mtime)]
        for coding in CODINGS.values():
            coded = self._files.get(path + coding.suffix)
            if coded is not None and coded[1] >= mtime:  # an older one is of other content
                representations.append(self._representation(coding.token, path + coding.suffix, *coded))
        return Resource(
            path=path,
            media_type=media_type(path),
            representations=tuple(representations),
            immutable=path in self._immutable,
            last_modified=mtime // 1_000_000_000 or None,
        )

    def _representation(self, token: str | None, file: str, size: int, mtime: int) -> Representation:
        return Representation(token, file, size, etag=f'W/"{mtime:x}-{size:x}"', digest="")

    def _is_representation(self, path: str) -> bool:
        stem, dot, suffix = path.rpartition(".")
        return dot + suffix in SUFFIXES and stem in self._files

    def _walk(self, folder: str, entries: list[os.DirEntry[str]], above: set[str]) -> None:
        for entry in sorted(entries, key=lambda entry: entry.name):
            name = folder + entry.name
            if not folder and entry.name in PRIVATE_NAMES:
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
        if entry.name.startswith("."):
            return "dotfiles are not served"
        if entry.is_symlink():
            target = os.path.realpath(entry.path)
            if not os.path.lexists(target) or os.path.islink(target):
                return "a symlink that leads nowhere"
            if os.path.commonpath([target, self._real_root]) != self._real_root:
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
        if not os.access(entry.path, os.R_OK, effective_ids=os.access in os.supports_effective_ids):
            return "not readable"
        self._files[name] = (found.st_size, found.st_mtime_ns)
        return ""


def _hashed_names(root: Path) -> frozenset[str]:
    """The hashed names that Django's manifest knows, if one lies in the root; those are immutable."""
    try:
        paths = json.loads((root / "staticfiles.json").read_bytes())["paths"]
        return frozenset(hashed for name, hashed in paths.items() if name != hashed)
    except (OSError, ValueError, KeyError, TypeError, AttributeError):
        return frozenset()
