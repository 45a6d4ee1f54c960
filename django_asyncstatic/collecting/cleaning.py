"""Removing what no release needs any more that is to stay."""

from __future__ import annotations

import os
import stat
from collections.abc import Callable, Iterator
from contextlib import ExitStack
from dataclasses import dataclass, field
from typing import Any

from django_asyncstatic.codings import CODINGS
from django_asyncstatic.collecting.atomic import UNFINISHED, CollectError, Destination, exclusive
from django_asyncstatic.collecting.releases import Earlier, Retention, kept_releases
from django_asyncstatic.index import PRIVATE_DIRECTORY, TIMES_NAME, Resource, encode_index, encode_times


@dataclass(slots=True)
class Cleaning:
    """What was removed, or would be: ids of releases; names of files, each with its size in bytes."""

    releases: list[str] = field(default_factory=list)
    kept: list[str] = field(default_factory=list)
    files: list[tuple[str, int]] = field(default_factory=list)
    orphans: list[tuple[str, int]] = field(default_factory=list)

    @property
    def size(self) -> int:
        return sum(size for _, size in (*self.files, *self.orphans))


def clean(
    destination: Destination,
    retention: Retention,
    *,
    index_name: str,
    read_beside_manifest: Callable[[str], bytes | None],
    write_beside_manifest: Callable[[str, bytes], None],
    private: frozenset[str],
    orphans: bool = False,
    dry_run: bool = False,
) -> Cleaning:
    """Remove the releases that ``retention`` does not keep: out of the index first, then their files.

    ``orphans`` means files that the index does not know too, but for the ``private`` ones. Raises
    :class:`CollectError` where there is no index to tell what belongs to whom.
    """
    root = destination.root
    with ExitStack() as stack:
        if not dry_run and (root / PRIVATE_DIRECTORY).is_dir():
            stack.enter_context(exclusive(root / PRIVATE_DIRECTORY))
        earlier = Earlier.load(root, read_beside_manifest(index_name), read_beside_manifest(TIMES_NAME))
        if earlier.index is None:
            raise CollectError(
                f"There is no usable {index_name} for {root}, so nothing says which files belong to which release."
                " Run manage.py collectstatic first."
            )
        superseded = earlier.times.superseded
        kept = kept_releases(earlier.releases, superseded, retention)
        result = Cleaning([each for each in earlier.releases if each not in kept], kept)
        stay: list[Resource] = []
        go: list[Resource] = []
        for resource in earlier.resources():
            (stay if resource.release is None or resource.release in kept else go).append(resource)
        used = {file for resource in stay for file in _files(resource)}
        unused = {file for resource in go for file in _files(resource)} - used
        result.files = [(name, size) for name in sorted(unused) if (size := _size(destination, name)) is not None]
        if orphans:
            known = used | unused | private
            result.orphans = list(_orphans(destination, known))
        if dry_run:
            return result
        if result.releases:
            _publish(earlier, stay, kept, write_beside_manifest, index_name)
        for name, _ in (*result.files, *result.orphans):
            destination.remove(name)
        return result


def _publish(
    earlier: Earlier,
    stay: list[Resource],
    kept: list[str],
    write_beside_manifest: Callable[[str, bytes], None],
    index_name: str,
) -> None:
    assert earlier.index is not None
    aliases, alias_releases, resources = {}, {}, []
    for resource in stay:
        file = resource.identity.file
        if file != resource.path and earlier.get(file) is not None:
            aliases[resource.path] = file
            if resource.release is not None:
                alias_releases[resource.path] = resource.release
        else:
            resources.append(resource)
    times = {each.path: time for each in stay if (time := earlier.times.get(each.path)) is not None}
    superseded = {release: time for release, time in earlier.times.superseded.items() if release in kept}
    computed = ("format", "version", "count", "size", "sha256")
    header: dict[str, Any] = {key: value for key, value in earlier.index.header.items() if key not in computed}
    header["releases"] = kept
    others = [release for release in kept if release in earlier.made_by_others]
    header.pop("made_by_others", None)
    if others:
        header["made_by_others"] = others
    index = encode_index(resources, aliases, header, alias_releases)
    write_beside_manifest(TIMES_NAME, encode_times(times, superseded, index=index))
    write_beside_manifest(index_name, index)


def _files(resource: Resource) -> Iterator[str]:
    """The files that a resource may have: its representations', and the plain one with its compressed copies."""
    file = resource.identity.file
    yield resource.path
    for each in resource.representations:
        yield each.file
        if each.coding is not None and file.startswith(PRIVATE_DIRECTORY):
            yield resource.path + CODINGS[each.coding].suffix


def _orphans(destination: Destination, known: set[str]) -> Iterator[tuple[str, int]]:
    for folder, _, files in os.walk(destination.root):
        inner = os.path.relpath(folder, destination.root).replace(os.sep, "/")
        for file in sorted(files):
            name = file if inner == "." else f"{inner}/{file}"
            is_bookkeeping = inner == PRIVATE_DIRECTORY and not file.endswith(UNFINISHED)
            if name not in known and not is_bookkeeping and (size := _size(destination, name)) is not None:
                yield name, size


def _size(destination: Destination, name: str) -> int | None:
    try:
        found = os.lstat(destination.path(name))
    except OSError:
        return None
    return None if stat.S_ISDIR(found.st_mode) else found.st_size
