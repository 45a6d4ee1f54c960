"""What an index says, read once for all checks: an index made for serving parses a line when it is asked for."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from typing import NamedTuple

from django_asyncstatic.codings import CODINGS
from django_asyncstatic.collecting.cleaning import files_of
from django_asyncstatic.index import DIGEST_DIGITS, InvalidIndex, StaticIndex


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
            yield token, self.file + CODINGS[token].suffix, size, digest


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

    def current(self) -> Iterator[str]:
        """The names of what the current release collected."""
        return (path for names in (self.aliases, self.resources) for path in names if self.is_current(path))

    def files(self) -> set[str]:
        """Every file that is recorded, those of kept releases and plain ones too."""
        known = set(self.aliases)
        for path, stored in self.resources.items():
            known.update(files_of(path, stored.file, [token for token, _, _ in stored.codings]))
        return known


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
                # A coding that this release does not know is not offered, and not looked at.
                [(token, size, digest) for token, size, digest in line.get("codings", ()) if token in CODINGS],
                line.get("immutable", False),
                line.get("release"),
            )
        except (KeyError, TypeError, ValueError) as error:
            raise InvalidIndex(f"The index has a damaged line for {path!r}: run collectstatic again.") from error
    return Collected(aliases, resources)
