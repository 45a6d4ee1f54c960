"""From pieces to resources: hashed names, rewritten references, representations. Everything under names of its own.

A name that is written here holds the digest of what it names, so nothing that an earlier release shows is touched.
"""

from __future__ import annotations

import os
from collections.abc import Callable, Iterable, Mapping, Sequence
from dataclasses import dataclass, field
from errno import ENAMETOOLONG
from functools import partial
from hashlib import sha256
from pathlib import Path
from threading import Lock
from typing import BinaryIO

from django_asyncstatic.codings import CODINGS
from django_asyncstatic.collecting.atomic import CHUNK_SIZE, UNFINISHED, Destination
from django_asyncstatic.collecting.compression import LARGEST, Compression, Crew, decodes_to
from django_asyncstatic.collecting.finished import Cache, Disk, file_sha256
from django_asyncstatic.collecting.hashing import hashed_url, order
from django_asyncstatic.collecting.references import rewrite
from django_asyncstatic.collecting.releases import Earlier
from django_asyncstatic.collecting.survey import Piece
from django_asyncstatic.index import DIGEST_DIGITS, PRIVATE_DIRECTORY, Representation, Resource, strong_etag
from django_asyncstatic.media_types import media_type

#: Gives a name and a file open for reading at its start their hashed name.
NameHasher = Callable[[str, BinaryIO], str]

#: Bytes above which a content is given to the crew once per coding, so that its codings are made side by side.
SHARED = 256 * 1024


@dataclass(slots=True)
class Publication:
    """What a piece became: the name, digest and size of its content, why it was written (empty: it was not)."""

    piece: Piece
    name: str
    digest: str
    size: int
    inputs: str = ""
    reason: str = ""


@dataclass(slots=True)
class _Content:
    """A content, and what is known of its representations: ``None`` for a coding that saves too little."""

    first: str
    made: dict[str, Representation | None] = field(default_factory=dict)


class Publisher:
    """Writes what a release needs below a root, and knows what it wrote.

    ``hash_name`` is ``None`` where names are not hashed; contents then lie in the private directory, under their
    digests, so that what is served does not depend on files that the next collect replaces.
    """

    def __init__(
        self,
        destination: Destination,
        compression: Compression,
        disk: Disk,
        earlier: Sequence[Earlier],
        hash_name: NameHasher | None,
        cache: Cache | None,
        advance: Callable[[], None],
    ) -> None:
        self._destination = destination
        self._compression = compression
        self._disk = disk
        self._earlier = earlier
        self._hash_name = hash_name
        self._cache = cache
        self._advance = advance
        self._makers = compression.describe()
        self._crew = Crew(os.cpu_count() or 1)
        self._pieces: Mapping[str, Piece] = {}
        self._contents: dict[str, _Content] = {}
        self._failures: list[BaseException] = []
        self._lock = Lock()
        self.publications: dict[str, Publication] = {}
        #: By token, how many representations were compressed, and taken from earlier work.
        self.compressed: dict[str, int] = dict.fromkeys(compression.levels, 0)
        self.reused: dict[str, int] = dict.fromkeys(compression.levels, 0)
        self.reasons: list[tuple[str, str]] = []

    # --- contents --------------------------------------------------------------------------------------------

    def publish(self, pieces: Mapping[str, Piece]) -> None:
        """Write every content and its representations. Raises ``OSError``, :class:`CollectError`."""
        self._pieces = pieces
        self._destination.defers = True
        try:
            # The largest first, so that no core waits for the last one.
            leaves = [piece for piece in pieces.values() if not piece.links]
            for piece in sorted(leaves, key=lambda each: (-(each.size or 0), each.name)):
                self._publish_leaf(piece)
            links = {piece.name: [link.target for link in piece.links] for piece in pieces.values() if piece.links}
            for group in order(links):
                if len(group) > 1 or group[0] in links[group[0]]:
                    self._publish_cycle([pieces[name] for name in group])
                else:
                    self._publish_linked(pieces[group[0]])
            self._crew.finish()
            self._raise_failure()
            self._copy_representations()
        finally:
            self._destination.defers = False
            self._crew.dismiss()

    def _publish_leaf(self, piece: Piece) -> None:
        known = piece.known
        if not piece.digest and (piece.size or 0) > LARGEST:
            self._publish_large(piece)
            return
        data = None
        if not piece.digest:
            data = piece.read()
            piece.digest, piece.size = sha256(data).hexdigest(), len(data)
        assert piece.size is not None
        if (
            known is not None
            and known.published
            and known.digest == known.content == piece.digest
            and self._disk.has(known.published, piece.size, piece.digest)
        ):
            self._add(Publication(piece, known.published, piece.digest, piece.size), data)
            return
        if data is None and piece.size > LARGEST:
            self._publish_large(piece)
            return
        data = piece.read() if data is None else data
        self._write(piece, piece.name, data, piece.digest)

    def _publish_large(self, piece: Piece) -> None:
        """A file that is not to be held in memory: it is copied and hashed in one go, and named afterwards."""
        temporary = f"{PRIVATE_DIRECTORY}/large{UNFINISHED}"
        hasher = sha256()

        def fill(target: BinaryIO) -> None:
            with piece.source.open() as opened:
                while chunk := opened.read(CHUNK_SIZE):
                    hasher.update(chunk)
                    target.write(chunk)

        self._destination.remove(temporary)
        self._destination.fill(temporary, fill)
        path = self._destination.path(temporary)
        piece.size, piece.digest = os.stat(path).st_size, hasher.hexdigest()
        with open(path, "rb") as opened:
            name = self._name(piece.name, opened, piece.digest)
        publication = Publication(piece, name, piece.digest, piece.size, reason=_why(piece, ""))
        if self._disk.has(name, piece.size, piece.digest):
            self._destination.remove(temporary)
        else:
            self._destination.move(temporary, name)
        self._add(publication, None)

    def _publish_linked(self, piece: Piece) -> None:
        known = piece.known
        inputs = self._inputs(piece)
        if (
            known is not None
            and known.published
            and known.digest == piece.digest
            and known.inputs == inputs
            and self._disk.has(known.published, known.content_size, known.content)
        ):
            self._add(Publication(piece, known.published, known.content, known.content_size, inputs), None)
            return
        data = self._rewritten(piece, self.publications)
        self._write(piece, piece.name, data, sha256(data).hexdigest(), inputs)

    def _publish_cycle(self, group: Sequence[Piece]) -> None:
        """Files that refer to each other. Their names cannot be of their own bytes, which hold these names.

        So they are of all their bytes, with references to each other left as they were written: the same for the
        same sources, and another one when any of them changes.
        """
        names = {piece.name for piece in group}
        outside = {name: each for name, each in self.publications.items() if name not in names}
        whole = b"".join(
            f"{piece.name}\0{len(data)}\0".encode() + data
            for piece in group
            for data in [self._rewritten(piece, outside)]
        )
        for piece in group:
            name = self._name_of(piece.name, whole, sha256(whole).hexdigest())
            self.publications[piece.name] = Publication(piece, name, "", 0)
        for piece in group:
            data = self._rewritten(piece, self.publications)
            name = self.publications[piece.name].name
            self._write(piece, piece.name, data, sha256(data).hexdigest(), published=name)

    def _rewritten(self, piece: Piece, published: Mapping[str, Publication]) -> bytes:
        text = piece.read().decode()
        known = [(each.reference, each.target) for each in piece.links if each.target in published]
        return rewrite(
            text, [(reference, hashed_url(reference, published[target].name)) for reference, target in known]
        ).encode()

    def _inputs(self, piece: Piece) -> str:
        """A digest of the names that are written into a piece."""
        names = "\n".join(f"{link.target}\t{self.publications[link.target].name}" for link in piece.links)
        return sha256(names.encode()).hexdigest()[:DIGEST_DIGITS]

    def _name(self, name: str, file: BinaryIO, digest: str) -> str:
        if self._hash_name is not None:
            return self._hash_name(name, file)
        return f"{PRIVATE_DIRECTORY}/files/{digest[:2]}/{digest[2:DIGEST_DIGITS]}"

    def _name_of(self, name: str, data: bytes, digest: str) -> str:
        from io import BytesIO

        return self._name(name, BytesIO(data), digest)

    def _write(
        self, piece: Piece, name: str, data: bytes, digest: str, inputs: str = "", published: str | None = None
    ) -> None:
        published = published or self._name_of(name, data, digest)
        reason = ""
        if not self._disk.has(published, len(data), digest):
            self._destination.write(published, data)
            reason = _why(piece, inputs)
        self._add(Publication(piece, published, digest, len(data), inputs, reason), data)

    # --- representations -------------------------------------------------------------------------------------

    def _add(self, publication: Publication, data: bytes | None) -> None:
        self.publications[publication.piece.name] = publication
        if publication.reason:
            self.reasons.append((publication.piece.name, publication.reason))
        if not publication.piece.links:
            publication.piece.data = None
        kind = media_type(publication.piece.name)
        if self._compression.applies_to(publication.piece.name, kind, publication.size):
            content = self._contents.get(publication.digest)
            if content is None:
                content = self._contents[publication.digest] = _Content(publication.name)
                self._represent(publication, content, data)
                return
        self._tell_progress()

    def _tell_progress(self) -> None:
        with self._lock:
            self._advance()

    def _represent(self, publication: Publication, content: _Content, data: bytes | None) -> None:
        missing = []
        before = [(each, self._find(each, publication)) for each in self._earlier]
        for token in self._compression.levels:
            shipped = self._pieces.get(publication.name + CODINGS[token].suffix)
            if shipped is not None:
                content.made[token] = self._shipped(token, publication, shipped)
                continue
            is_known, representation = self._earlier_representation(token, publication, before)
            if is_known:
                content.made[token] = representation
                with self._lock:
                    self.reused[token] += representation is not None
            else:
                missing.append(token)
        if not missing:
            self._tell_progress()
            return

        shares = [[token] for token in missing] if publication.size > SHARED else [missing]
        for number, tokens in enumerate(shares, 1):
            work = partial(self._work, publication, content, tokens, data, tells=number == len(shares))
            self._crew.submit(publication.size // len(shares), work)
        self._raise_failure()

    def _work(
        self, publication: Publication, content: _Content, tokens: Sequence[str], data: bytes | None, *, tells: bool
    ) -> None:
        """What one of the crew does: make representations of one content."""
        try:
            whole = Path(self._destination.content(publication.name)).read_bytes() if data is None else data
            for token in tokens:
                content.made[token] = self._make(token, publication, whole)
        except BaseException as error:
            self._failures.append(error)
        if tells:
            self._tell_progress()

    def _raise_failure(self) -> None:
        if self._failures:
            raise self._failures[0]

    def _make(self, token: str, publication: Publication, data: bytes) -> Representation | None:
        made_by = self._makers[token]
        encoded = None
        if self._cache is not None:
            encoded = self._cache.get(publication.digest, token, made_by, data)
        if encoded is None:
            encoded = self._compression.encode(token, data, publication.piece.name) or b""
            with self._lock:
                self.compressed[token] += 1
            if self._cache is not None:
                self._cache.put(publication.digest, token, made_by, encoded)
        else:
            with self._lock:
                self.reused[token] += bool(encoded)
        if not encoded:
            return None
        name = publication.name + CODINGS[token].suffix
        try:
            self._destination.write(name, encoded)
        except OSError as error:
            if error.errno == ENAMETOOLONG:  # the suffix is too much for it
                return None
            raise
        digest = sha256(encoded).hexdigest()[:DIGEST_DIGITS]
        return Representation(token, name, len(encoded), strong_etag(digest), digest)

    def _shipped(self, token: str, publication: Publication, shipped: Piece) -> Representation | None:
        """A collected file that has the name of a representation: it is used if it is one, and never overwritten."""
        encoded = shipped.read()
        whole = Path(self._destination.content(publication.name)).read_bytes()
        if not decodes_to(token, encoded, whole):
            return None
        digest = sha256(encoded).hexdigest()[:DIGEST_DIGITS]
        return Representation(token, shipped.name, len(encoded), strong_etag(digest), digest)

    def _earlier_representation(
        self, token: str, publication: Publication, before: Sequence[tuple[Earlier, Resource | None]]
    ) -> tuple[bool, Representation | None]:
        """Whether earlier collects know the representation, and it, its file in its place."""
        target = publication.name + CODINGS[token].suffix
        for earlier, resource in before:
            if earlier.made_by(token) != self._makers[token]:
                continue
            if resource is None or resource.release in earlier.made_by_others:
                continue
            found = next((each for each in resource.representations if each.coding == token), None)
            if found is None:
                # What an earlier release lacks may have been lost since; what the current one lacks was not worth it.
                is_complete = resource.release is None and _same_kind(resource, publication)
                if is_complete and earlier.skipped_extensions == self._compression.skipped_extensions:
                    return True, None
                continue
            is_in_place = earlier.root == self._destination.root and found.file == target
            if is_in_place and self._disk.has(target, found.size, found.digest):
                return True, found
            path = f"{earlier.root}/{found.file}"
            try:
                if os.path.getsize(path) != found.size or not file_sha256(path).startswith(found.digest):
                    continue
            except OSError:
                continue
            if not is_in_place:
                self._destination.copy(target, path)
            return True, found._replace(file=target)
        return False, None

    def _find(self, earlier: Earlier, publication: Publication) -> Resource | None:
        """What an earlier index has of this content: under this name, or under another one."""
        if earlier.index is None:
            return None
        resource = earlier.get(publication.name if self._hash_name else publication.piece.name)
        if resource is not None and resource.sha256 == publication.digest:
            return resource
        path = earlier.paths_by_digest.get(publication.digest)
        return None if path is None else earlier.get(path)

    def _copy_representations(self) -> None:
        """Give the representations of a content to the other names that it has."""
        for publication in self.publications.values():
            content = self._contents.get(publication.digest)
            if content is None or content.first == publication.name:
                continue
            for token, found in content.made.items():
                target = publication.name + CODINGS[token].suffix
                if found is not None and not self._disk.has(target, found.size, found.digest):
                    self._destination.copy(target, self._destination.content(found.file))

    def resource(self, publication: Publication, path: str, *, immutable: bool) -> Resource:
        """What the index says of a publication under a path."""
        short = publication.digest[:DIGEST_DIGITS]
        identity = Representation(None, publication.name, publication.size, strong_etag(short), short)
        kind = media_type(publication.piece.name)
        coded: Iterable[Representation] = ()
        content = self._contents.get(publication.digest)
        if content is not None and self._compression.applies_to(publication.piece.name, kind, publication.size):
            found = [made for token in CODINGS if (made := content.made.get(token)) is not None]
            if content.first != publication.name:
                found = [made._replace(file=publication.name + CODINGS[made.coding or ""].suffix) for made in found]
            coded = found
        return Resource(path, kind, (identity, *coded), immutable=immutable, sha256=publication.digest)


def _same_kind(resource: Resource, publication: Publication) -> bool:
    return resource.media_type == media_type(publication.piece.name) and (
        resource.path.rpartition(".")[2] == publication.piece.name.rpartition(".")[2]
    )


def _why(piece: Piece, inputs: str) -> str:
    """Why something was written for a piece, in a clause."""
    known = piece.known
    if known is None:
        return "it is new, or nothing is known of an earlier collect"
    if known.digest != piece.digest:
        return "its content changed"
    if known.inputs != inputs:
        return "what it refers to changed"
    return "its collected file was not there, or had other bytes"
