"""Finished work: what earlier collects found out and made, so that it is not done again.

Two things are remembered. What each source was (its digest, its references, its hashed name), in a file; and, where
a cache directory is given, each compressed content by its digest, in a file each. Both can be lost without harm: the
work is done again. A cache directory can be kept from build to build and shared by branches.
"""

from __future__ import annotations

import json
import os
import time
from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass, field
from hashlib import sha256
from itertools import islice
from pathlib import Path
from typing import Any, BinaryIO, NamedTuple

from django_asyncstatic.codings import CODINGS
from django_asyncstatic.collecting.atomic import Destination
from django_asyncstatic.collecting.compression import decodes_to
from django_asyncstatic.collecting.references import Reference
from django_asyncstatic.index import DIGEST_DIGITS, PARSED_AT_ONCE, parse_lines

STATE_NAME = "state.jsonl"
STATE_VERSION = 1

#: Seconds after which a compressed content that nobody has used leaves the cache directory.
UNUSED = 30 * 24 * 3600


#: What stands in the cache for a content that a coding does not make small enough.
NOT_WORTHWHILE = b"-"


class Record(NamedTuple):
    """What one source was.

    ``signature`` is of its file (``None``: nothing to rely on), ``digest`` the SHA-256 of its bytes, ``size`` their
    number; ``references`` those found in it, ``None`` for a file that is not searched. ``published`` and ``content``
    are the name and the SHA-256 of what it became, ``inputs`` a digest of the names that were written into it.
    """

    signature: str | None
    digest: str
    size: int
    references: tuple[Reference, ...] | None
    published: str
    content: str
    content_size: int
    inputs: str


@dataclass(slots=True)
class State:
    """What the last collect into a root remembered.

    ``key`` names what the records depend on: the parsers, the hooks that make names, the root. ``verified`` is the
    time, in nanoseconds of the root's file system, since when a file that was not touched is right. ``outcome`` is
    what the collect was told to do, and the digest of the index that it wrote. ``inspected`` is what it saw in the
    sources: ``rules`` is what it went by, ``found`` has by name what it noted of those that it noted something of.
    """

    key: dict[str, Any]
    records: dict[str, Record] = field(default_factory=dict)
    verified: int = 0
    outcome: dict[str, Any] = field(default_factory=dict)
    inspected: dict[str, Any] = field(default_factory=dict)

    @classmethod
    def load(cls, file: Path, key: dict[str, Any]) -> State:
        """The state of a file, as far as the key says that it still holds."""
        try:
            data = file.read_bytes()
            start, end = data.index(b"\n") + 1, data.rindex(b"\n{") + 1
            head, body = json.loads(data[:start]), data[start:end]
            if head["version"] != STATE_VERSION or json.loads(data[end:])["sha256"] != sha256(body).hexdigest():
                return cls(key)
            old = head["key"]
            same_parsers = old["parsers"] == key["parsers"]
            same_root = old["root"] == key["root"] and bool(key["root"])
            same_names = old["names"] == key["names"] and bool(key["names"])
            records = {}
            lines = iter(body.splitlines())
            while some := list(islice(lines, PARSED_AT_ONCE)):
                for name, signature, digest, size, references, published, *result in parse_lines(some):
                    if references is not None:
                        if not same_parsers:
                            continue
                        references = tuple([Reference(*each) for each in references])
                    if not (same_names and same_root):
                        published = ""
                    records[name] = Record(signature, digest, size, references, published, *result)
            verified = int(head["verified"]) if same_root else 0
            inspected = head.get("inspected")
            if not (isinstance(inspected, dict) and isinstance(inspected.get("found"), dict)):
                inspected = {}
            return cls(key, records, verified, head["outcome"], inspected)
        except (OSError, ValueError, KeyError, TypeError, OverflowError, RecursionError):
            return cls(key)

    @staticmethod
    def verified_in(file: Path) -> int:
        """:attr:`verified` as a state file has it, whose records are not read.

        Raises ``OSError``, and for what is no state ``ValueError``, ``LookupError``, ``TypeError``, ``OverflowError``.
        """
        with open(file, "rb") as opened:
            return int(json.loads(opened.readline())["verified"])

    def save(self, file: Path) -> None:
        head = {
            "version": STATE_VERSION,
            "key": self.key,
            "verified": self.verified,
            "outcome": self.outcome,
            "inspected": self.inspected,
        }

        def fill(target: BinaryIO) -> None:
            target.write(json.dumps(head).encode() + b"\n")
            hasher = sha256()
            for name, record in self.records.items():
                line = json.dumps([name, *record]).encode() + b"\n"
                hasher.update(line)
                target.write(line)
            target.write(json.dumps({"sha256": hasher.hexdigest()}).encode() + b"\n")

        Destination(file.parent).fill(file.name, fill)

    def references_by_digest(self) -> dict[str, tuple[Reference, ...]]:
        return {each.digest: each.references for each in self.records.values() if each.references is not None}


class Cache:
    """Compressed contents by the digest of what they decode to, the coding, and what made them.

    A content that a coding does not make small enough is remembered too.
    """

    def __init__(self, directory: Path) -> None:
        self._objects = Destination(directory / "objects")

    def get(self, digest: str, token: str, made_by: str, data: bytes) -> bytes | None:
        """The encoded bytes, empty for "not worth it"; ``None`` where they are not here, or damaged."""
        name = _object_name(digest, token, made_by)
        try:
            with open(self._objects.path(name), "rb") as file:
                encoded = file.read()
            if encoded != NOT_WORTHWHILE and not decodes_to(token, encoded, data):
                return None
            os.utime(self._objects.path(name))
        except OSError:
            return None
        return b"" if encoded == NOT_WORTHWHILE else encoded

    def put(self, digest: str, token: str, made_by: str, encoded: bytes) -> None:
        self._objects.write(_object_name(digest, token, made_by), encoded or NOT_WORTHWHILE)

    def prune(self) -> None:
        """Remove what has not been used for a month."""
        limit = time.time() - UNUSED
        for folder, _, files in os.walk(self._objects.root):
            for file in files:
                path = os.path.join(folder, file)
                try:
                    if os.stat(path).st_mtime < limit:
                        os.unlink(path)
                except OSError:
                    pass


def _object_name(digest: str, token: str, made_by: str) -> str:
    maker = sha256(made_by.encode()).hexdigest()[:8]
    return f"{digest[:2]}/{digest[2:]}.{maker}{CODINGS[token].suffix}"


class Disk:
    """Which files of a root have the bytes that they should have.

    A file that was found right by the last collect, at the time ``verified``, and was not touched since is right; any
    other is read. ``confirmed`` gives what was found right then: by name the first digits of a SHA-256.
    """

    def __init__(self, root: Path, verified: int, confirmed: Callable[[], Mapping[str, str]]) -> None:
        self.root = root
        self._verified = verified
        self._confirm = confirmed
        self._confirmed: Mapping[str, str] | None = None
        #: Files that had to be read, or were wrong: what is known about the root has to be written down anew.
        self.doubtful = 0

    def has(self, name: str, size: int, digest: str, *, was_right: bool = False) -> bool:
        """Whether the file has this size in bytes, and a SHA-256 that begins with the digest.

        ``was_right``: that the last collect found this very digest is known.
        """
        path = f"{self.root}/{name}"
        try:
            found = os.stat(path, follow_symlinks=False)
            if found.st_size == size and (found.st_mode & 0o170000) == 0o100000:
                is_untouched = max(found.st_mtime_ns, found.st_ctime_ns) < self._verified
                if is_untouched and (was_right or self._was_right(name, digest)):
                    return True
                self.doubtful += 1
                return file_sha256(path).startswith(digest)
        except OSError:
            pass
        self.doubtful += 1
        return False

    def _was_right(self, name: str, digest: str) -> bool:
        if self._confirmed is None:
            self._confirmed = self._confirm()
        return self._confirmed.get(name) == digest[:DIGEST_DIGITS]


def file_sha256(path: str) -> str:
    from hashlib import file_digest

    with open(path, "rb") as file:
        return file_digest(file, "sha256").hexdigest()


def unfinished_files(root: Path, suffix: str) -> Iterator[str]:
    """Names below a root that a killed collect left behind."""
    for folder, _, files in os.walk(root):
        for file in files:
            if file.endswith(suffix):
                yield os.path.relpath(os.path.join(folder, file), root).replace(os.sep, "/")
