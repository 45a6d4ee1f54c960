"""A release: the files of a collect to an index, in the order files, times, index."""

from __future__ import annotations

import os
import time
from collections.abc import Callable, Mapping
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass
from pathlib import Path

from django_asyncstatic import __version__
from django_asyncstatic.collecting.compression import Built, Compression, build_resource
from django_asyncstatic.index import (
    DIGEST_DIGITS,
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
    """What one build published. ``made`` are the names of representations that were not there before."""

    resources: int
    kept: int
    made: tuple[tuple[str, str], ...]


@dataclass(frozen=True, slots=True)
class Previous:
    """What the last collect left: its index, and its times."""

    index: StaticIndex | None
    times: Times

    @classmethod
    def load(cls, index_data: bytes | None, times_data: bytes | None) -> Previous:
        """From the bytes of the files; damaged ones count as absent, since they can be made again."""
        index, times = None, None
        try:
            index = StaticIndex(index_data) if index_data is not None else None
            index = index if index is not None and index.is_intact else None
            times = Times(times_data) if times_data is not None else None
        except InvalidIndex:
            pass
        return cls(index, times or Times.load(None))

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
    known = {each.path: each for each in previous.resources()}
    kept = [
        each for path, each in known.items() if path not in files and each.immutable and _files_are_there(root, each)
    ]
    resources = [each.resource for each in built] + kept
    now = int(os.environ.get("SOURCE_DATE_EPOCH") or time.time())
    known_digests = {each.sha256 for each in known.values()}
    times = {
        each.sha256[:DIGEST_DIGITS]: (
            previous.times.get(each.sha256[:DIGEST_DIGITS]) if each.sha256 in known_digests else now
        )
        for each in resources
    }
    write(TIMES_NAME, encode_times({digest: now if when is None else when for digest, when in times.items()}))
    aliases = {name: file for name, file in names.items() if name != file}
    write(
        index_name,
        encode_index(resources, aliases, {"generator": f"django-asyncstatic {__version__}", "codecs": codecs}),
    )
    made = tuple((each.resource.path, token) for each in built for token in each.made)
    return Release(len(built), len(kept), made)


def _files_are_there(root: Path, resource: Resource) -> bool:
    try:
        return all((root / each.file).stat().st_size == each.size for each in resource.representations)
    except OSError:
        return False
