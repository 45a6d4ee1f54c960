"""A collected STATIC_ROOT of any size, made in seconds: the files are small, and nothing is compressed.

Half of the URLs are plain names and half are hashed ones. Each hashed file stands in the index with three
codings, which makes the index as large as it gets; but for the files that are requested, those
representations are not on the disk. That favours the peers, who at start look at every file there is.
"""

from __future__ import annotations

import json
import os
from dataclasses import dataclass
from hashlib import sha256
from pathlib import Path
from random import Random

from django_asyncstatic.codings import CODINGS
from django_asyncstatic.index import (
    DIGEST_DIGITS,
    INDEX_NAME,
    TIMES_NAME,
    Representation,
    Resource,
    encode_index,
    encode_times,
    strong_etag,
)

#: Names in a directory: a tree of 100,000 names has 500 directories.
NAMES_PER_DIRECTORY = 200

#: 2026-08-01, and a day later for each tenth file: one earlier collect.
COLLECTED = 1_785_542_400
DAY = 86_400

#: The files that are requested, with their sizes: real bytes, digests and representations.
SMALL, LARGE = "css/site.css", "js/app.js"
REQUESTED = {SMALL: 2_000, LARGE: 90_000}

#: What only a tree with a big file has; nothing compresses it.
BIG = "video/film.mp4"

_KINDS = {"css": "text/css", "js": "text/javascript", "svg": "image/svg+xml", "json": "application/json"}


@dataclass(frozen=True)
class Tree:
    """A STATIC_ROOT.

    ``manifest_with_stats`` is a directory with the manifest that ServeStatic's storage makes: Django's, and
    the result of a stat for each file. ``requested`` maps the names in ``REQUESTED`` to their hashed names.
    """

    root: Path
    manifest_with_stats: Path
    requested: dict[str, str]


def hashed_name(name: str, digest: str) -> str:
    stem, _, extension = name.rpartition(".")
    return f"{stem}.{digest[:12]}.{extension}"


def plain_names(urls: int) -> list[str]:
    """The plain half of the names of that many URLs, those of ``REQUESTED`` first."""
    kinds = tuple(_KINDS)
    per_directory = NAMES_PER_DIRECTORY // 2
    names = [
        f"vendor/package-{number // per_directory:04}/part-{number:06}.{kinds[number % len(kinds)]}"
        for number in range(urls // 2 - len(REQUESTED))
    ]
    return [*REQUESTED, *names]


def content(name: str) -> bytes:
    """100 bytes, or what ``REQUESTED`` says; no two names have the same."""
    size = REQUESTED.get(name, 100)
    lines, number = b"", 0
    while len(lines) < size:
        lines += b"/* %d: %s */\n" % (number, name.encode())
        number += 1
    return lines[:size]


def resource(name: str) -> Resource:
    """The hashed resource of a plain name, with three codings."""
    data = content(name)
    digest = sha256(data).hexdigest()
    path = hashed_name(name, digest)
    representations = [_representation(None, path, data)]
    for coding in CODINGS.values():
        coded = coding.encode(data, coding.level) if name in REQUESTED else data[: 60 + len(coding.token)]
        representations.append(_representation(coding.token, path + coding.suffix, coded))
    return Resource(
        path=path,
        media_type=_KINDS[name.rpartition(".")[2]],
        representations=tuple(representations),
        immutable=True,
        sha256=digest,
    )


def _representation(token: str | None, file: str, data: bytes) -> Representation:
    digest = sha256(data + (token or "").encode() if token and len(data) < 100 else data).hexdigest()
    digest = digest[:DIGEST_DIGITS]
    return Representation(token, file, len(data), strong_etag(digest), digest)


def resources_and_aliases(urls: int) -> tuple[list[Resource], dict[str, str]]:
    """What an index of that many URLs is made of."""
    resources = {name: resource(name) for name in plain_names(urls)}
    return list(resources.values()), {name: each.path for name, each in resources.items()}


def times(aliases: dict[str, str]) -> bytes:
    """The file of times: a tenth of the names, plain and hashed, is a day younger."""
    younger = dict(list(aliases.items())[::10])
    return encode_times(
        dict.fromkeys([*aliases, *aliases.values()], COLLECTED)
        | dict.fromkeys([*younger, *younger.values()], COLLECTED + DAY)
    )


def make_tree(directory: Path, urls: int, *, big: int = 0) -> Tree:
    """Write a STATIC_ROOT with that many URLs below the directory, and a file of so many bytes if ``big``."""
    resources, aliases = resources_and_aliases(urls)
    root = directory / "static"
    if big:
        resources.append(_write_big(root, big))
    by_path = {each.path: each for each in resources}
    for folder in {root / os.path.dirname(name) for name in aliases}:
        folder.mkdir(parents=True)
    for name, path in aliases.items():
        data = content(name)
        (root / name).write_bytes(data)
        (root / path).write_bytes(data)
        if name in REQUESTED:
            for each in by_path[path].representations[1:]:
                coding = CODINGS[each.coding or ""]
                coded = coding.encode(data, coding.level)
                for file in (name + coding.suffix, path + coding.suffix):
                    (root / file).write_bytes(coded)
    stats = {
        os.path.relpath(os.path.join(folder, file), root): list(os.stat(os.path.join(folder, file)))
        for folder, _, files in os.walk(root)
        for file in files
    }
    (root / TIMES_NAME).write_bytes(times(aliases))
    (root / INDEX_NAME).write_bytes(encode_index(resources, aliases))
    big_paths = {BIG: resources[-1].path} if big else {}
    manifest = {"paths": aliases | big_paths, "version": "1.1", "hash": ""}
    (root / "staticfiles.json").write_text(json.dumps(manifest))
    manifest_with_stats = directory / "with-stats"
    manifest_with_stats.mkdir()
    (manifest_with_stats / "staticfiles.json").write_text(json.dumps({**manifest, "stats": stats}))
    return Tree(root, manifest_with_stats, {name: aliases[name] for name in REQUESTED} | big_paths)


def _write_big(root: Path, size: int) -> Resource:
    """Random bytes, the same each time."""
    data = Random(size).randbytes(size)
    digest = sha256(data).hexdigest()
    path = hashed_name(BIG, digest)
    (root / path).parent.mkdir(parents=True)
    (root / path).write_bytes(data)
    os.link(root / path, root / BIG)
    identity = Representation(None, path, size, strong_etag(digest[:DIGEST_DIGITS]), digest[:DIGEST_DIGITS])
    return Resource(path=path, media_type="video/mp4", representations=(identity,), immutable=True, sha256=digest)
