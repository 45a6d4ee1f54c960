"""Releases: what each collect published, which of them stay, and what goes with the others."""

from __future__ import annotations

import time
from collections.abc import Container, Iterable, Iterator, Mapping
from dataclasses import dataclass, field
from functools import cached_property
from hashlib import sha256
from pathlib import Path
from typing import NamedTuple

from django_asyncstatic.index import TIMES_NAME, InvalidIndex, Resource, StaticIndex, Times


class Retention(NamedTuple):
    """A release stays while it is among the last ``releases``, the current one included, or was superseded less than
    ``age`` seconds ago."""

    releases: int
    age: float

    def keeps(self, position: int, superseded: int | None, now: float) -> bool:
        """Whether the release at that position stays; 0 is the current one."""
        return position < max(self.releases, 1) or (superseded is not None and now - superseded < self.age)


@dataclass(frozen=True)
class Earlier:
    """What an earlier collect left in a root: its index and its times."""

    root: Path
    index: StaticIndex | None = None
    times: Times = field(default_factory=lambda: Times.load(None))

    @classmethod
    def load(cls, root: Path, index_data: bytes | None, times_data: bytes | None) -> Earlier:
        """From the bytes of the files; damaged ones count as absent, since they can be made again."""
        index, times = None, Times.load(None)
        try:
            if index_data is not None and (loaded := StaticIndex(index_data)).is_intact:
                index = loaded
        except InvalidIndex:
            pass
        try:
            if times_data is not None:
                times = Times(times_data)
        except InvalidIndex:
            pass
        return cls(root, index, times)

    @classmethod
    def read(cls, root: Path, index_name: str) -> Earlier:
        """From a root whose index lies in it. Raises ``OSError``, :class:`InvalidIndex`."""
        data = (root / index_name).read_bytes()
        if not StaticIndex(data, what=f"The index {root / index_name}").is_intact:
            raise InvalidIndex(f"The index {root / index_name} was damaged or edited: run collectstatic again.")
        try:
            times_data = (root / TIMES_NAME).read_bytes()
        except OSError:
            times_data = None
        return cls.load(root, data, times_data)

    @cached_property
    def releases(self) -> tuple[str, ...]:
        """Their ids, the latest first."""
        if self.index is None:
            return ()
        found = self._header_list("releases")
        if found:
            return found
        # An index of the first version of this package names none, and is one release.
        return (release_id((each.path, each.sha256) for each in self.resources()),)

    @cached_property
    def made_by_others(self) -> frozenset[str]:
        """The releases whose representations were made by other libraries or levels than the header says."""
        return frozenset(self._header_list("made_by_others"))

    @cached_property
    def skipped_extensions(self) -> frozenset[str]:
        return frozenset(self._header_list("skipped_extensions"))

    def _header_list(self, key: str) -> tuple[str, ...]:
        found = [] if self.index is None else self.index.header.get(key)
        return tuple(each for each in found if isinstance(each, str)) if isinstance(found, list) else ()

    def get(self, path: str) -> Resource | None:
        try:
            return None if self.index is None else self.index.get(path)
        except InvalidIndex:
            return None

    def made_by(self, token: str) -> str | None:
        """What made the representations in a coding."""
        codecs = {} if self.index is None else self.index.header.get("codecs")
        found = codecs.get(token) if isinstance(codecs, dict) else None
        return found if isinstance(found, str) else None

    def resources(self, without: Container[str] = ()) -> Iterator[Resource]:
        """All that its index has, aliases included, but for the paths ``without``."""
        for path in () if self.index is None else self.index:
            if path not in without and (resource := self.get(path)) is not None:
                yield resource

    @cached_property
    def digests(self) -> dict[str, str]:
        """The SHA-256 of what answers each path."""
        own, aliases = {}, {}
        try:
            for path, line in () if self.index is None else self.index.lines():
                if "as" in line:
                    aliases[path] = line["as"]
                else:
                    own[path] = line.get("sha256", "")
        except (ValueError, TypeError, AttributeError):
            return {}
        return {**own, **{path: own.get(target, "") for path, target in aliases.items()}}

    @cached_property
    def paths_by_digest(self) -> dict[str, str]:
        return {digest: path for path, digest in self.digests.items()}


def release_id(contents: Iterable[tuple[str, str]]) -> str:
    """A name for a release: of the paths and the digests of what answers them."""
    hasher = sha256()
    for path, digest in sorted(contents):
        hasher.update(f"{path}\0{digest}\n".encode())
    return hasher.hexdigest()[:16]


def superseded_times(releases: Iterable[str], known: Iterable[Mapping[str, int]], now: int) -> dict[str, int]:
    """When each release but the first stopped being the current one: as known, or now."""
    merged: dict[str, int] = {}
    for each in known:
        merged = {**each, **merged}
    _, *earlier = releases
    return {release: merged.get(release, now) for release in earlier}


def kept_releases(releases: Iterable[str], superseded: Mapping[str, int], retention: Retention) -> list[str]:
    """Those that stay, the latest first."""
    now = time.time()
    return [
        release for position, release in enumerate(releases) if retention.keeps(position, superseded.get(release), now)
    ]
