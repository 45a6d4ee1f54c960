"""What there is to collect, and all that is wrong with it, before anything is written."""

from __future__ import annotations

import os
import time
import unicodedata
from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from fnmatch import fnmatchcase
from hashlib import sha256
from typing import Literal

from django_asyncstatic.collecting.atomic import CollectError
from django_asyncstatic.collecting.finished import Record, State
from django_asyncstatic.collecting.hashing import Broken, Link, Names
from django_asyncstatic.collecting.references import (
    Reference,
    find_references,
    parser_version,
    pattern_references,
)
from django_asyncstatic.collecting.sources import Source, is_settled
from django_asyncstatic.index import PRIVATE_DIRECTORY

#: Bytes of files with references that stay in memory until they are rewritten. What is beyond is read again.
KEPT_IN_MEMORY = 8 * 1024 * 1024

#: Problems that a message lists before it only counts them.
LISTED = 50

#: As Django has it: by extension, expressions with the groups "matched" and "url", or such a one and a template.
Patterns = Sequence[tuple[str, Sequence[str | Sequence[str]]]]

DEFAULT_TEMPLATE = 'url("%(url)s")'


@dataclass(frozen=True, slots=True)
class Search:
    """Where references are looked for.

    ``modules`` means the imports of JavaScript modules too; ``patterns`` are a storage's own, and then the only
    ones. ``ignored`` are ``file:url`` or ``file``, with wildcards: what is wrong there is a warning.
    """

    modules: bool = False
    patterns: Patterns | None = None
    ignored: Sequence[str] = ()

    def version(self) -> str:
        """What the references of a content depend on."""
        return parser_version(self.modules) if self.patterns is None else f"patterns {self.patterns!r}"

    def kind(self, name: str) -> str | None:
        """As what a file is searched, if it is."""
        if self.patterns is not None:
            return next((glob for glob, _ in self.patterns if fnmatchcase(name, glob)), None)
        if name.endswith(".css"):
            return "css"
        if name.endswith(".js") or (self.modules and name.endswith(".mjs")):
            return "js"
        return None

    def find(self, name: str, text: str) -> list[Reference]:
        if self.patterns is None:
            kind: Literal["css", "js"] = "css" if name.endswith(".css") else "js"
            return find_references(text, kind=kind, modules=self.modules)
        chosen = []
        for glob, patterns in self.patterns:
            if fnmatchcase(name, glob):
                chosen += [
                    (each, DEFAULT_TEMPLATE) if isinstance(each, str) else (each[0], each[1]) for each in patterns
                ]
        return pattern_references(text, chosen)

    def ignores(self, name: str, url: str) -> bool:
        for pattern in self.ignored:
            file, _, reference = pattern.partition(":")
            if fnmatchcase(name, file) and fnmatchcase(url, reference or "*"):
                return True
        return False


@dataclass(slots=True)
class Piece:
    """A source on its way.

    ``digest`` is the SHA-256 of its bytes, empty until they are read; ``known`` what the last collect remembered of
    the name; ``data`` its bytes, where they are still at hand; ``links`` the references that are to be rewritten.
    """

    source: Source
    size: int | None
    signature: str | None
    known: Record | None
    digest: str = ""
    references: tuple[Reference, ...] | None = None
    links: tuple[Link, ...] = ()
    data: bytes | None = None

    @property
    def name(self) -> str:
        return self.source.name

    def read(self) -> bytes:
        """Its bytes: those that were read, or, read again, the same."""
        if self.data is not None:
            return self.data
        data = self.source.read()
        digest = sha256(data).hexdigest()
        if self.digest and digest != self.digest:
            raise CollectError(f"{self.name} changed while it was collected: run collectstatic again.")
        self.digest, self.size = digest, len(data)
        return data


@dataclass(slots=True)
class Survey:
    """The pieces by name, the names that no index can have (each with the reason), warnings and errors."""

    pieces: dict[str, Piece] = field(default_factory=dict)
    unindexable: list[tuple[Source, str]] = field(default_factory=list)
    warnings: list[str] = field(default_factory=list)
    errors: list[str] = field(default_factory=list)

    def raise_errors(self) -> None:
        """Raise one :class:`CollectError` that tells all of them."""
        if not self.errors:
            return
        count = len(self.errors)
        lines = self.errors[:LISTED]
        if count > LISTED:
            lines.append(f"and {count - LISTED} more")
        many = f"{count} things are" if count > 1 else "One thing is"
        raise CollectError(
            f"{many} wrong with the static files. Nothing was written.\n  "
            + "\n  ".join(lines)
            + "\nWhat you cannot mend can be left out: files with --ignore, references with the option ignore_errors."
        )


def survey(
    sources: Iterable[Source],
    state: State,
    search: Search | None,
    static_path: str,
    *,
    reserved: frozenset[str] = frozenset(),
    folds_case: bool = False,
) -> Survey:
    """Look at the sources, read those that may refer to others, and resolve what they refer to.

    ``search`` is ``None`` where names are not hashed, so that nothing is rewritten. ``folds_case`` says that the
    root takes names that differ by case for one; ``reserved`` are names of files that collecting itself writes.
    """
    result = Survey()
    for source in sorted(sources, key=lambda each: each.name):
        if source.name in reserved or source.name.startswith(f"{PRIVATE_DIRECTORY}/"):
            result.warnings.append(
                f"{source.name} is left out: collecting writes a file of that name itself. Rename it."
            )
            continue
        reason = why_unindexable(source.name)
        if reason:
            result.unindexable.append((source, reason))
            continue
        try:
            result.pieces[source.name] = _look(source, state.records.get(source.name))
        except OSError as error:
            result.errors.append(f"{source.name}: cannot be read: {error.strerror or error}")
    _report_collisions(result, folds_case=folds_case)
    if search is not None:
        _search(result, state, search)
        _resolve(result, search, static_path)
    return result


def why_unindexable(name: str) -> str:
    """Why no index can have the name; empty for one that it can have."""
    try:
        name.encode()
    except UnicodeEncodeError:
        return "the name is not UTF-8"
    return "the name has a backslash, which Django takes for a slash" if "\\" in name else ""


def _look(source: Source, known: Record | None) -> Piece:
    now = time.time_ns()
    size, signature = source.look()
    piece = Piece(source, size, signature if signature and is_settled(signature, now) else None, known)
    if known is not None and signature is not None and known.signature == signature:
        piece.digest, piece.references = known.digest, known.references
    elif source.file is not None and not os.access(source.file, os.R_OK):
        raise PermissionError(13, "permission denied")
    return piece


def collisions(names: Iterable[str]) -> Iterator[tuple[str, str, str]]:
    """Names that one file system keeps apart and another does not, in pairs, and what they differ by."""
    seen: dict[str, str] = {}
    for name in names:
        key = name.lower() if name.isascii() else unicodedata.normalize("NFC", name.casefold())
        other = seen.setdefault(key, name)
        if other != name:
            same_form = unicodedata.normalize("NFC", other) != unicodedata.normalize("NFC", name)
            yield other, name, "case" if same_form else "Unicode form"


def _report_collisions(result: Survey, *, folds_case: bool) -> None:
    for other, name, how in collisions(result.pieces):
        message = f"{other} and {name} differ only by {how}"
        if folds_case:
            result.errors.append(f"{message}, and STATIC_ROOT takes them for one: rename one of them")
        else:
            result.warnings.append(
                f"{message}: on a file system that takes them for one, one of them is lost. Rename one."
            )


def _search(result: Survey, state: State, search: Search) -> None:
    by_digest: Mapping[str, tuple[Reference, ...]] | None = None
    room = KEPT_IN_MEMORY
    for name, piece in result.pieces.items():
        if search.kind(name) is None:
            piece.references = None
            continue
        if piece.references is not None:
            continue
        if by_digest is None:
            by_digest = state.references_by_digest()
        try:
            data = piece.read()
        except OSError as error:
            result.errors.append(f"{name}: cannot be read: {error.strerror or error}")
            continue
        piece.references = by_digest.get(piece.digest)
        if piece.references is None:
            try:
                piece.references = tuple(search.find(name, data.decode()))
            except UnicodeDecodeError as error:
                line = data.count(b"\n", 0, error.start) + 1
                message = f"{name}:{line}: is not UTF-8 (byte {error.object[error.start]:#04x} at {error.start})"
                (result.warnings if search.ignores(name, "") else result.errors).append(message)
        if len(data) <= room and (piece.references or not _is_as_it_was(piece)):
            piece.data = data
            room -= len(data)


def _is_as_it_was(piece: Piece) -> bool:
    return piece.known is not None and piece.known.digest == piece.digest


def _resolve(result: Survey, search: Search, static_path: str) -> None:
    names = Names(result.pieces, static_path)
    for name, piece in result.pieces.items():
        links = []
        for reference in piece.references or ():
            found = names.resolve(name, reference)
            if isinstance(found, Link):
                links.append(found)
            elif isinstance(found, Broken):
                written = " ".join(piece.read().decode()[reference.start : reference.stop].split())
                at = f"{name}:{reference.line}:{reference.column}: {written}"
                if reference.required and not search.ignores(name, reference.url):
                    near = names.nearest(found.tried) if len(result.errors) < LISTED else ""
                    result.errors.append(f"{at}: {found.why}{near}")
                else:
                    result.warnings.append(f"{at} stays as it is: {found.why}.")
        piece.links = tuple(links)
