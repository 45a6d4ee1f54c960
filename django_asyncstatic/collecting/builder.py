"""A release: the files of a collect to an index, in the order files, times, index."""

from __future__ import annotations

import os
import time
from collections.abc import Callable, Mapping
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass
from pathlib import Path

from django_asyncstatic import __version__
from django_asyncstatic.collecting.compression import Built, CollectError, Compression, build_resource
from django_asyncstatic.index import (
    LATEST_TIME,
    TIMES_NAME,
    InvalidIndex,
    Resource,
    StaticIndex,
    Times,
    encode_index,
    encode_times,
)

#: Writes a file of this name beside the manifest.
Write = Callable[[str, bytes], None]


@dataclass(frozen=True, slots=True)
class Release:
    """What one build published.

    ``made`` are name and coding of each representation that was not there before, ``skipped`` the collected names
    that cannot be in an index, each with the reason.
    """

    made: tuple[tuple[str, str], ...]
    skipped: tuple[tuple[str, str], ...]


@dataclass(frozen=True, slots=True)
class Previous:
    """What the last collect left: its index, and its times."""

    index: StaticIndex | None
    times: Times

    @classmethod
    def load(cls, index_data: bytes | None, times_data: bytes | None) -> Previous:
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
        return cls(index, times)

    def resource(self, name: str) -> Resource | None:
        return None if self.index is None else self.index.get(name)

    def resources(self) -> list[Resource]:
        found = [] if self.index is None else [self.index.get(path) for path in self.index]
        return [each for each in found if each is not None and each.path == each.identity.file]


def build_release(
    root: Path,
    names: Mapping[str, str],
    compression: Compression,
    previous: Previous,
    write: Write,
    *,
    index_name: str,
    mode: int | None = None,
) -> Release:
    """Make and publish the index of the files below ``root``.

    ``names`` maps each collected name to the name that holds its content (its hashed name, or itself); both
    are served, the hashed one as immutable. Hashed files of the previous index that are still there stay in
    the index: pages that were rendered before a deploy go on asking for them.
    """
    codecs = compression.describe()
    now = _now()
    names, skipped = _indexable(root, names)
    # Another level or library may make other bytes, so what it made is made again.
    is_comparable = previous.index is not None and previous.index.header.get("codecs") == codecs
    files = {file: name != file for name, file in names.items()}
    taken = frozenset(names)

    def build(file: str) -> Built:
        return build_resource(
            root,
            file,
            compression,
            immutable=files[file],
            earlier=previous.resource(file) if is_comparable else None,
            taken=taken,
            mode=mode,
        )

    # zlib, brotli and zstd release the GIL. Largest first, so that no core waits for the last one.
    order = sorted(files, key=lambda file: (-(root / file).stat().st_size, file))
    with ThreadPoolExecutor(max_workers=os.cpu_count() or 1) as pool:
        built = list(pool.map(build, order))
    resources = {each.resource.path: each.resource for each in built}
    for resource in previous.resources():
        if resource.path not in resources and resource.immutable and (kept := _as_far_as_there(root, resource)):
            resources[resource.path] = kept
    aliases = {name: file for name, file in names.items() if name != file}
    times = {}
    for path in {*resources, *aliases}:
        before, after = previous.resource(path), resources[aliases.get(path, path)]
        is_the_same = before is not None and before.sha256 == after.sha256
        times[path] = (previous.times.get(path) if is_the_same else None) or now
    write(TIMES_NAME, encode_times(times))
    header = {"generator": f"django-asyncstatic {__version__}", "codecs": codecs}
    write(index_name, encode_index(resources.values(), aliases, header))
    made = tuple((each.resource.path, token) for each in built for token in each.made)
    return Release(made, skipped)


def _now() -> int:
    """The time of this collect, or the one that SOURCE_DATE_EPOCH gives it. Raises :class:`CollectError`.

    Specification: https://reproducible-builds.org/specs/source-date-epoch/
    """
    given = os.environ.get("SOURCE_DATE_EPOCH")
    if not given:
        return int(time.time())
    if not (given.isascii() and given.isdigit() and int(given[:20]) <= LATEST_TIME):
        raise CollectError(
            f"SOURCE_DATE_EPOCH is {given!r} in the environment; it has to be a number of seconds since 1970."
        )
    return int(given)


def _indexable(root: Path, names: Mapping[str, str]) -> tuple[dict[str, str], tuple[tuple[str, str], ...]]:
    """The names that can be in an index, and those that cannot, each with the reason."""
    kept, skipped = {}, []
    for name, file in names.items():
        try:
            name.encode()
        except UnicodeEncodeError:
            skipped.append((name, "the name is not UTF-8"))
            continue
        if (root / file).is_file():
            kept[name] = file
        else:
            skipped.append((name, f"there is no file {file!r} in the root"))
    return kept, tuple(skipped)


def _as_far_as_there(root: Path, resource: Resource) -> Resource | None:
    """The resource with those of its representations whose files are still there; ``None`` without identity."""
    there = tuple(each for each in resource.representations if _has_size(root / each.file, each.size))
    return resource._replace(representations=there) if resource.identity in there else None


def _has_size(file: Path, size: int) -> bool:
    try:
        return file.stat().st_size == size
    except OSError:
        return False
