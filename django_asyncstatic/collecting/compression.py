"""The representations of a file: made, decoded and compared, kept when they save enough, not made twice."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from hashlib import file_digest, sha256
from pathlib import Path

from django_asyncstatic.codings import CODINGS
from django_asyncstatic.collecting.atomic import write_atomically
from django_asyncstatic.index import DIGEST_DIGITS, Representation, Resource, strong_etag
from django_asyncstatic.media_types import is_compressible, media_type

#: A coded representation is kept when it is at most this share of identity: WhiteNoise's figure.
WORTHWHILE = 0.95

#: Bytes above which a file is not compressed: it would be held in memory once per coding, and brotli at its
#: highest quality takes four seconds per megabyte.
LARGEST = 32 * 1024 * 1024


class CollectError(Exception):
    """Why nothing was published: the last release stays as it is."""


@dataclass(frozen=True, slots=True)
class Compression:
    """Which codings, at which levels: ``{"br": 11}``; in the order of the table of codings."""

    levels: Mapping[str, int]

    def describe(self) -> dict[str, str]:
        """By token, what makes the bytes: another level or version of a library may make others."""
        return {token: f"{CODINGS[token].library()}, level {level}" for token, level in self.levels.items()}


@dataclass(frozen=True, slots=True)
class Built:
    """A resource, and the tokens of the codings that had to be made for it now."""

    resource: Resource
    made: tuple[str, ...]


def build_resource(
    root: Path,
    name: str,
    compression: Compression,
    *,
    immutable: bool,
    earlier: Resource | None = None,
    taken: frozenset[str] = frozenset(),
    mode: int | None = None,
) -> Built:
    """The resource of a file below ``root``, its representations written beside it.

    ``earlier`` is what the last collect with the same compression recorded of this name; what it says of
    the same bytes is not made again. ``taken`` are names that belong to collected files: a file there is
    used if it decodes to identity's bytes, and never overwritten.

    Raises ``OSError`` where files cannot be read or written, :class:`CollectError` for a coding that
    does not give the bytes back.
    """
    path, kind = root / name, media_type(name)
    size = path.stat().st_size
    if size > LARGEST or not size or not is_compressible(kind):
        with path.open("rb") as file:
            digest = file_digest(file, "sha256").hexdigest()
        return Built(_resource(name, kind, size, digest, (), immutable), ())
    identity = path.read_bytes()
    digest = sha256(identity).hexdigest()
    if earlier is not None and (earlier.sha256 != digest or earlier.identity.file != name):
        earlier = None
    coded, made = [], []
    for token, level in compression.levels.items():
        target = name + CODINGS[token].suffix
        if target in taken:
            if _decodes_to(root / target, token, identity):
                coded.append(_representation(token, target, (root / target).read_bytes()))
            continue
        if earlier is not None:
            known = next((each for each in earlier.representations if each.coding == token), None)
            if known is None or _is_there(root, known):
                if known is not None:
                    coded.append(known)
                continue
        data = CODINGS[token].encode(identity, level)
        made.append(token)
        if len(data) > len(identity) * WORTHWHILE:
            continue
        if CODINGS[token].decode(data) != identity:
            raise CollectError(
                f"{name} compressed with {CODINGS[token].library()} does not decode to itself. Nothing was published."
            )
        write_atomically(root / target, data, mode)
        coded.append(_representation(token, target, data))
    return Built(_resource(name, kind, len(identity), digest, tuple(coded), immutable), tuple(made))


def _resource(
    name: str, kind: str, size: int, digest: str, coded: tuple[Representation, ...], immutable: bool
) -> Resource:
    short = digest[:DIGEST_DIGITS]
    identity = Representation(None, name, size, strong_etag(short), short)
    return Resource(name, kind, (identity, *coded), immutable=immutable, sha256=digest)


def _representation(token: str, file: str, data: bytes) -> Representation:
    digest = sha256(data).hexdigest()[:DIGEST_DIGITS]
    return Representation(token, file, len(data), strong_etag(digest), digest)


def _decodes_to(path: Path, token: str, identity: bytes) -> bool:
    try:
        return CODINGS[token].decode(path.read_bytes()) == identity
    except (OSError, ValueError):
        return False


def _is_there(root: Path, representation: Representation) -> bool:
    """Whether the file still has the bytes that were compared when it was made."""
    try:
        data = (root / representation.file).read_bytes()
    except OSError:
        return False
    return sha256(data).hexdigest()[:DIGEST_DIGITS] == representation.digest
