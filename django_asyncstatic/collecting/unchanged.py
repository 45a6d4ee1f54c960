"""Whether a collect would change anything: looked at first, since most of the time it would not."""

from __future__ import annotations

import os
from collections.abc import Mapping
from hashlib import sha256

from django_asyncstatic.codings import CODINGS
from django_asyncstatic.collecting.compression import LARGEST
from django_asyncstatic.collecting.finished import Disk, Record, State
from django_asyncstatic.collecting.releases import Earlier
from django_asyncstatic.collecting.survey import Piece
from django_asyncstatic.index import DIGEST_DIGITS

#: By coding: how many representations, their bytes, and the bytes of what they decode to.
Tally = dict[str | None, tuple[int, int, int]]


def is_unchanged(pieces: Mapping[str, Piece], state: State) -> bool:
    """Whether the sources are those of the last collect, by their contents. Reads what may have changed.

    Equal names and contents mean equal references, and so equal results.
    """
    if state.records.keys() != pieces.keys():
        return False
    for piece in pieces.values():
        known = piece.known
        if known is None or not known.published:
            return False
        if not piece.digest:
            _read(piece)
        if piece.digest != known.digest:
            return False
    return True


def _read(piece: Piece) -> None:
    if (piece.size or 0) > LARGEST:
        from hashlib import file_digest

        with piece.source.open() as file:
            piece.digest = file_digest(file, "sha256").hexdigest()  # type: ignore[arg-type]
            piece.size = file.tell()
        return
    data = piece.read()
    piece.digest, piece.size = sha256(data).hexdigest(), len(data)
    if piece.known is not None and piece.known.digest != piece.digest:
        piece.data = data  # it is wanted soon


def tally_if_right(earlier: Earlier, records: Mapping[str, Record], disk: Disk, *, beside_plain: bool) -> Tally | None:
    """What the index has of the current release, if every file that it names has the bytes that it should have.

    ``beside_plain`` means compressed copies beside plain files, too.
    """
    if earlier.index is None:
        return None
    tally: Tally = {}
    for path, line in earlier.index.lines():
        if "as" in line:
            continue
        file, size = line.get("file", path), line["size"]
        parts: list[tuple[str | None, str, int, str]] = [(None, file, size, line["sha256"][:DIGEST_DIGITS])]
        for token, coded_size, digest in line.get("codings", ()):
            if token not in CODINGS:  # a later release of this package made it
                return None
            parts.append((token, file + CODINGS[token].suffix, coded_size, digest))
        for token, name, part_size, digest in parts:
            if not disk.has(name, part_size, digest, was_right=True):
                return None
            if beside_plain and token is not None:
                copy = path + CODINGS[token].suffix
                if copy not in records and not disk.has(copy, part_size, digest, was_right=True):
                    return None
            if "release" not in line:
                count, total, whole = tally.get(token, (0, 0, 0))
                tally[token] = (count + 1, total + part_size, whole + size)
    return tally


def plain_files_are_right(
    pieces: Mapping[str, Piece], records: Mapping[str, Record], disk: Disk, *, links: bool
) -> bool:
    for name, piece in pieces.items():
        if records[name].published == name:
            continue
        if links and piece.source.file is not None:
            if link_target(f"{disk.root}/{name}") != piece.source.file:
                return False
        elif not disk.has(name, records[name].size, records[name].digest, was_right=True):
            return False
    return True


def link_target(path: str) -> str | None:
    try:
        return os.readlink(path)
    except OSError:
        return None
