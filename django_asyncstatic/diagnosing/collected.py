"""What an index says, read once for all checks.

An index made for serving parses a line when it is asked for; here all of them are wanted.
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from typing import NamedTuple

from django_asyncstatic.codings import CODINGS
from django_asyncstatic.index import DIGEST_DIGITS, PRIVATE_DIRECTORY, InvalidIndex, StaticIndex

#: By token. A coding that this release does not know is not offered, and not looked at.
_SUFFIXES = {coding.token: coding.suffix for coding in CODINGS.values()}

#: A size that no file has.
UNKNOWN = -1


class Alias(NamedTuple):
    """A path that another one's resource answers. ``release`` is the last that had it, ``None`` the current one."""

    target: str
    release: str | None


class Stored(NamedTuple):
    """A resource as its line has it; ``codings`` are tokens with sizes in bytes and the first digits of SHA-256s."""

    file: str
    size: int
    sha256: str
    codings: Sequence[tuple[str, int, str]]
    is_immutable: bool
    release: str | None

    def parts(self) -> Iterator[tuple[str | None, str, int, str]]:
        """Token (``None`` for identity), file, size and digest of each representation."""
        yield None, self.file, self.size, self.sha256[:DIGEST_DIGITS]
        for token, size, digest in self.codings:
            if (suffix := _SUFFIXES.get(token)) is not None:
                yield token, self.file + suffix, size, digest


class Collected(NamedTuple):
    """The lines of an index, by path."""

    aliases: dict[str, Alias]
    resources: dict[str, Stored]

    def answer(self, path: str) -> Stored | None:
        """What answers a path."""
        alias = self.aliases.get(path)
        return self.resources.get(path if alias is None else alias.target)

    def is_current(self, path: str) -> bool:
        """Whether the current release has the path as one that was collected, not as what a name is hashed to."""
        alias = self.aliases.get(path)
        if alias is not None:
            return alias.release is None
        stored = self.resources.get(path)
        return stored is not None and stored.release is None and not stored.is_immutable

    def current(self) -> set[str]:
        """The names of what the current release collected."""
        current = {path for path, alias in self.aliases.items() if alias.release is None}
        current.update(
            path
            for path, stored in self.resources.items()
            if stored.release is None and not stored.is_immutable and path not in self.aliases
        )
        return current

    def files(self) -> Iterator[tuple[str, int]]:
        """Every file that is recorded, those of kept releases too, with its size; several times if paths share it."""
        for file, size, _, codings, _, _ in self.resources.values():
            yield file, size
            for token, coded_size, _ in codings:
                if (suffix := _SUFFIXES.get(token)) is not None:
                    yield file + suffix, coded_size

    def plain_files(self) -> Iterator[tuple[str, int]]:
        """What may lie beside them, its size being :data:`UNKNOWN`: plain names, and their compressed copies."""
        for path in self.aliases:
            yield path, UNKNOWN
        for path, (file, _, _, codings, _, _) in self.resources.items():
            if file != path:
                yield path, UNKNOWN
                for token, *_ in codings if file.startswith(PRIVATE_DIRECTORY) else ():
                    if (suffix := _SUFFIXES.get(token)) is not None:
                        yield path + suffix, UNKNOWN


def read_lines(index: StaticIndex) -> Collected:
    """All lines of an index. Raises :class:`InvalidIndex`."""
    aliases: dict[str, Alias] = {}
    resources: dict[str, Stored] = {}
    for path, line in index.lines():
        try:
            if "as" in line:
                aliases[path] = Alias(line["as"], line.get("release"))
                continue
            resources[path] = Stored(
                line.get("file", path),
                line["size"],
                line["sha256"],
                line.get("codings", ()),
                line.get("immutable", False),
                line.get("release"),
            )
        except (AttributeError, KeyError, TypeError, ValueError) as error:
            raise InvalidIndex(f"The index has a damaged line for {path!r}: run collectstatic again.") from error
    return Collected(aliases, resources)
