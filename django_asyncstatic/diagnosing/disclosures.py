"""What the content of a file discloses: secrets, and what its source map tells.

A collect looks at its sources in this way, and remembers what it saw, so that ``checkstatic`` reads none of them again
that nobody has changed.
"""

from __future__ import annotations

import re
from collections.abc import Iterator
from typing import Any, NamedTuple

from django_asyncstatic import conf
from django_asyncstatic.collecting.compression import LARGEST
from django_asyncstatic.collecting.sources import Source
from django_asyncstatic.diagnosing.access import is_installed
from django_asyncstatic.diagnosing.credentials import CLOSED, LONGEST, find_secrets, is_suspicious
from django_asyncstatic.diagnosing.kinds import is_ordinary
from django_asyncstatic.diagnosing.sourcemaps import SourceMap, inline_map, read_map
from django_asyncstatic.media_types import is_compressible, media_type


class Disclosed(NamedTuple):
    """What was found in a file.

    ``secrets`` are kinds with line and column, from 1, ``None`` where they are not known. ``source_map`` is the one
    that the file is or, where ``is_inline`` says so, that is in it.
    """

    secrets: tuple[tuple[str, int | None, int | None], ...] = ()
    source_map: SourceMap | None = None
    is_inline: bool = False

    def as_json(self) -> list[Any]:
        return [self.secrets, self.source_map, self.is_inline]

    @classmethod
    def from_json(cls, value: list[Any]) -> Disclosed:
        secrets, found, is_inline = value
        source_map = None if found is None else SourceMap(tuple(found[0]), found[1])
        return cls(tuple((kind, line, column) for kind, line, column in secrets), source_map, is_inline)


NOTHING = Disclosed()


def may_disclose(base: str) -> bool:
    """Whether a file of this last component is worth looking into: not pictures, fonts and films."""
    return is_suspicious(base) or is_compressible(media_type(base))


def look_into(file: str, base: str, own_secrets: tuple[bytes, ...], *, reads_map: bool) -> Disclosed:
    """What a file discloses, whose last component is ``base``. Raises ``OSError``.

    ``reads_map`` is false where nobody wants to know of a source map: one of megabytes takes some time.
    """
    if re.fullmatch(CLOSED, base.lower()):
        return Disclosed((("a dump of a database", None, None),))
    with open(file, "rb") as opened:
        data = opened.read(LARGEST)
        secrets = tuple(
            (kind, data.count(b"\n", 0, start) + 1, start - data.rfind(b"\n", 0, start))
            for kind, start in find_secrets(data, base, own_secrets)
        )
        if len(data) == LARGEST:
            return Disclosed((*secrets, *_in_the_rest(opened, data, base, own_secrets)))
    found, is_inline = _source_map(base, data) if reads_map else (None, False)
    return Disclosed(secrets, found, is_inline) if secrets or found is not None else NOTHING


def disclosed_by(source: Source) -> list[Any] | None:
    """What is to be noted of a source, as JSON has it; ``None`` for one of no kind that discloses nothing.

    Raises ``OSError``.
    """
    if source.file is None:
        return None
    base, disclosed = source.name.rpartition("/")[2], NOTHING
    if may_disclose(base):
        disclosed = look_into(source.file, base, conf.secret_keys(), reads_map=not is_installed(source))
    return None if disclosed is NOTHING and is_ordinary(source.name) else disclosed.as_json()


def _in_the_rest(
    opened: Any, data: bytes, base: str, own_secrets: tuple[bytes, ...]
) -> Iterator[tuple[str, None, None]]:
    """What is larger is read in pieces; a place in it would have to be counted for."""
    seen = set()
    while more := opened.read(LARGEST):
        data = data[-LONGEST:] + more
        for kind, _ in find_secrets(data, base, own_secrets, is_start=False):
            if kind not in seen:
                seen.add(kind)
                yield kind, None, None


def _source_map(base: str, data: bytes) -> tuple[SourceMap | None, bool]:
    """The source map that a file is, if it tells anything, or the one that is in it, and whether it is the latter."""
    if base.endswith(".map"):
        found = read_map(data)
        return (found if found is not None and any(found) else None), False
    if base.endswith((".js", ".mjs", ".css")) and (inner := inline_map(data)) is not None:
        return read_map(inner) or SourceMap((), 0), True
    return None, False
