"""A collect, from sources to a published release.

The order is what makes it safe to interrupt: what is wrong is found before anything is written; then contents under
names of their own, plain files, times, index, manifest; deletions last. A reader that has the old index finds
everything that it names at every moment, and whoever sees the new manifest sees the new index.
"""

from __future__ import annotations

import os
import time
from collections.abc import Callable, Iterable, Mapping, Sequence
from contextlib import ExitStack
from dataclasses import dataclass, field
from hashlib import file_digest, sha256
from pathlib import Path
from typing import Any

from django_asyncstatic import __version__
from django_asyncstatic.codings import CODINGS
from django_asyncstatic.collecting.atomic import (
    UNFINISHED,
    CollectError,
    Destination,
    copy_bytes,
    exclusive,
)
from django_asyncstatic.collecting.compression import Compression
from django_asyncstatic.collecting.finished import (
    STATE_NAME,
    Cache,
    Disk,
    Record,
    State,
    file_sha256,
    unfinished_files,
)
from django_asyncstatic.collecting.inspecting import Inspection
from django_asyncstatic.collecting.publishing import NameHasher, Publication, Publisher
from django_asyncstatic.collecting.references import ModulesUnavailable
from django_asyncstatic.collecting.releases import Earlier, Retention, kept_releases, release_id, superseded_times
from django_asyncstatic.collecting.sources import Source
from django_asyncstatic.collecting.survey import Piece, Search, Survey, survey
from django_asyncstatic.collecting.unchanged import is_unchanged, link_target, plain_files_are_right, tally_if_right
from django_asyncstatic.index import (
    DIGEST_DIGITS,
    LATEST_TIME,
    PRIVATE_DIRECTORY,
    TIMES_NAME,
    Resource,
    encode_index,
    encode_times,
)

#: Its presence says that a collect has begun to write and has not ended.
INTERRUPTED = f"{PRIVATE_DIRECTORY}/unfinished"

KEEP_ALL = Retention(releases=1, age=float("inf"))


@dataclass(frozen=True, slots=True)
class Order:
    """What to collect, and how.

    ``hash_name`` is ``None`` for names without hashes, and then ``search`` too. ``naming`` says by which rules names
    are made, empty where that cannot be told. ``places`` says that plain files are to be written here, ``links`` that
    they are symbolic links to their sources, ``keeps_plain`` that they stay; without ``publishes`` they are all that is
    written. ``write_beside_manifest`` writes a file atomically where the index lies, ``read_beside_manifest`` reads
    one, and ``save_manifest`` gets the names, and what to call before it writes; ``reserved`` are names of files that
    are written so. ``left_out`` are the patterns of files that were not to be found, which is only remembered.
    ``inspection`` looks at the sources for what is noted of them. ``start`` is called with the number of files,
    ``advance`` for each.
    """

    destination: Destination
    sources: Sequence[Source]
    compression: Compression
    index_name: str
    read_beside_manifest: Callable[[str], bytes | None]
    write_beside_manifest: Callable[[str, bytes], None]
    save_manifest: Callable[[Mapping[str, str], Callable[[], None]], None]
    hash_name: NameHasher | None = None
    naming: str = "plain"
    search: Search | None = None
    static_path: str = "/"
    places: bool = False
    links: bool = False
    publishes: bool = True
    keeps_plain: bool = True
    previous: Sequence[Path] = ()
    reserved: frozenset[str] = frozenset()
    left_out: Sequence[str] = ()
    retention: Retention = KEEP_ALL
    cache_directory: Path | None = None
    inspection: Inspection | None = None
    dry_run: bool = False
    start: Callable[[int], None] = lambda count: None
    advance: Callable[[], None] = lambda: None

    @property
    def state_file(self) -> Path:
        """Where a collect remembers its sources."""
        return (self.cache_directory or self.destination.root / PRIVATE_DIRECTORY) / STATE_NAME


def remembered(order: Order) -> State:
    """What the last collect by such an order remembered, as far as it still holds."""
    return State.load(order.state_file, _state_key(order))


def _state_key(order: Order) -> dict[str, Any]:
    """What the records of an earlier collect depend on."""
    try:
        found = os.stat(order.destination.root)
        root = f"{found.st_dev}.{found.st_ino}"
    except OSError:
        root = ""
    parsers = order.search.version() if order.search else ""
    return {"parsers": parsers, "names": order.naming, "root": root}


@dataclass(slots=True)
class Report:
    """What a collect did.

    ``names`` maps collected names to those that hold their content, ``changed`` has those whose content was written;
    ``placed`` are plain files that were written, ``unchanged`` those that were right. ``sizes`` has by coding the
    number of representations and their bytes, ``smaller`` the identity bytes of those that have this coding.
    ``reasons`` says of what was written why.
    """

    names: dict[str, str] = field(default_factory=dict)
    changed: set[str] = field(default_factory=set)
    placed: list[str] = field(default_factory=list)
    unchanged: list[str] = field(default_factory=list)
    unindexable: list[tuple[str, str]] = field(default_factory=list)
    warnings: list[str] = field(default_factory=list)
    reasons: list[tuple[str, str]] = field(default_factory=list)
    sizes: dict[str | None, tuple[int, int]] = field(default_factory=dict)
    smaller: dict[str, int] = field(default_factory=dict)
    compressed: dict[str, int] = field(default_factory=dict)
    reused: dict[str, int] = field(default_factory=dict)
    is_new_release: bool = False


def collect(order: Order) -> Report:
    """Collect. Raises :class:`CollectError`; what was published before is then as it was."""
    work = _Collect(order)
    try:
        return work.run()
    except ModulesUnavailable as error:
        raise CollectError(f"{error}. Nothing was written.") from error
    except OSError as error:
        where = f" ({error.filename})" if error.filename else ""
        state = "The release is published" if work.is_published else "What was published before is as it was"
        raise CollectError(
            f"Collecting stopped: {error.strerror or error}{where}. {state}; run collectstatic again when that is"
            " mended."
        ) from error


class _Collect:
    def __init__(self, order: Order) -> None:
        self.order = order
        self.destination = order.destination
        self.root = order.destination.root
        self.private = self.root / PRIVATE_DIRECTORY
        self.now = collect_time()
        self.report = Report()
        self.is_published = False
        #: Whether a collect has written here before, and (known under the lock) whether the last one has not ended.
        self._has_collected = self.private.is_dir()
        self._was_interrupted = False
        self._stale: list[str] = []

    def run(self) -> Report:
        order = self.order
        with ExitStack() as stack:
            is_locked = False
            if self.private.is_dir() and not order.dry_run:
                stack.enter_context(exclusive(self.private))
                is_locked = True
            state_file = order.state_file
            state = remembered(order)
            found = survey(
                order.sources,
                state,
                order.search if order.publishes else None,
                order.static_path,
                reserved=order.reserved,
                folds_case=_folds_case(self.private),
            )
            self.report.warnings = found.warnings
            self.report.unindexable = [(source.name, reason) for source, reason in found.unindexable]
            found.raise_errors()
            earlier = self._load_earlier()
            if order.dry_run:
                self._pretend(found)
                return self.report
            if not is_locked:
                self.destination.make_directory(str(self.private))
                stack.enter_context(exclusive(self.private))
                earlier = self._load_earlier()  # another collect may have been the first one
            self._write(found, state, state_file, earlier)
            return self.report

    def _write(self, found: Survey, state: State, state_file: Path, earlier: Sequence[Earlier]) -> None:
        order = self.order
        leftovers = self._note_beginning()
        disk = Disk(self.root, state.verified, lambda: self._confirmed(state, earlier[0]))
        cache = None if order.cache_directory is None else Cache(order.cache_directory)
        if not order.publishes:
            self._place_sources(found, disk)
            self._delete(leftovers, {})
            return
        may_have_copies = self._was_interrupted and order.hash_name is None  # beside plain files, of what it was doing
        if not leftovers and not may_have_copies and self._is_as_it_was(found, state, earlier, disk):
            names = {name: each.published for name, each in state.records.items()}
            order.save_manifest(names, self.destination.note_beginning)
            self._delete(leftovers, names)
            records = {
                name: state.records[name]._replace(signature=piece.signature) for name, piece in found.pieces.items()
            }
            self._remember(state, state_file, records, found, disk)
            return
        order.start(len(found.pieces))
        publisher = Publisher(self.destination, order.compression, disk, earlier, order.hash_name, cache, order.advance)
        publisher.publish(found.pieces)
        publications = publisher.publications
        self._place(found, publications, disk)
        self._publish_index(publisher, earlier, disk)
        names = {name: each.name for name, each in publications.items()}
        order.save_manifest(names, self.destination.note_beginning)
        self.is_published = True
        self._delete(leftovers, names)
        records = {name: _record(each) for name, each in publications.items()}
        self._remember(state, state_file, records, found, disk)
        if cache is not None:
            cache.prune()
        report = self.report
        report.names = names if order.hash_name else {name: name for name in names}
        report.reasons = publisher.reasons
        report.changed = {name for name, _ in publisher.reasons}
        report.compressed, report.reused = publisher.compressed, publisher.reused

    def _pretend(self, found: Survey) -> None:
        """For a dry run: what would be written, as far as that is known without reading everything."""
        for name, piece in found.pieces.items():
            self.report.names[name] = name
            is_as_it_was = piece.known is not None and piece.digest == piece.known.digest
            (self.report.unchanged if is_as_it_was else self.report.placed).append(name)

    def _is_as_it_was(self, found: Survey, state: State, earlier: Sequence[Earlier], disk: Disk) -> bool:
        """Whether everything is as the last collect left it; then the report says so."""
        order, report = self.order, self.report
        if len(earlier) > 1 or not state.verified or found.unindexable or state.outcome != self._outcome():
            return False
        if not is_unchanged(found.pieces, state):
            return False
        tally = tally_if_right(earlier[0], state.records, disk, beside_plain=order.hash_name is None)
        if tally is None:
            return False
        if order.places and order.keeps_plain:
            if not plain_files_are_right(found.pieces, state.records, disk, links=order.links):
                return False
            report.unchanged = list(found.pieces)
        report.names = {name: each.published if order.hash_name else name for name, each in state.records.items()}
        for token, (count, size, whole) in tally.items():
            report.sizes[token] = (count, size)
            if token is not None:
                report.smaller[token], report.reused[token] = whole, count
        return True

    def _confirmed(self, state: State, earlier: Earlier) -> dict[str, str]:
        """By name, the first digits of the SHA-256 of what the last collect found right or wrote."""
        confirmed: dict[str, str] = {}
        if not state.outcome or state.outcome["written"] != self._written() or earlier.index is None:
            return confirmed
        if state.outcome["plain"] == "files":
            confirmed.update((name, each.digest[:DIGEST_DIGITS]) for name, each in state.records.items())
        for path, line in earlier.index.lines():
            if "as" in line:
                continue
            file = line.get("file", path)
            confirmed[file] = line["sha256"][:DIGEST_DIGITS]
            for token, _, digest in line.get("codings", ()):
                if token in CODINGS:
                    suffix = CODINGS[token].suffix
                    confirmed[file + suffix] = digest
                    if file.startswith(f"{PRIVATE_DIRECTORY}/"):
                        confirmed[path + suffix] = digest
        return confirmed

    def _written(self) -> list[str]:
        read = self.order.read_beside_manifest
        return [sha256(read(name) or b"").hexdigest() for name in (self.order.index_name, TIMES_NAME)]

    def _outcome(self) -> dict[str, Any]:
        """What the collect was told, and what came of it."""
        order = self.order
        plain = "none"
        if order.places and order.keeps_plain:
            plain = "links" if order.links else "files"
        return {
            "version": __version__,
            "codecs": order.compression.describe(),
            "skipped_extensions": sorted(order.compression.skipped_extensions),
            "static_path": order.static_path,
            "keeps_plain": order.keeps_plain,
            "plain": plain,
            "left_out": sorted(set(order.left_out)),
            "written": self._written(),
        }

    def _load_earlier(self) -> list[Earlier]:
        read = self.order.read_beside_manifest
        earlier = [Earlier.load(self.root, read(self.order.index_name), read(TIMES_NAME))]
        for root in self.order.previous:
            try:
                earlier.append(Earlier.read(root, self.order.index_name))
            except FileNotFoundError:
                raise CollectError(
                    f"--previous {root}: there is no {self.order.index_name}. It has to be the STATIC_ROOT of an"
                    " earlier collect."
                ) from None
            except ValueError as error:
                raise CollectError(
                    f"--previous {root}: {error} Leave it out, or name another earlier STATIC_ROOT."
                ) from error
        return earlier

    def _note_beginning(self) -> list[str]:
        """What a killed collect has left behind; and a note, for the case that this one is killed."""
        marker = self.root / INTERRUPTED
        self._was_interrupted = marker.exists()
        leftovers = list(unfinished_files(self.root, UNFINISHED)) if self._was_interrupted else []

        def note() -> None:
            marker.touch()

        self.destination.before_first_write = note
        return leftovers

    # --- plain files -----------------------------------------------------------------------------------------

    def _place(self, found: Survey, publications: Mapping[str, Publication], disk: Disk) -> None:
        """Write the plain files that are to be written here, each from its published copy where that is the same."""
        order, report = self.order, self.report
        if order.places and order.keeps_plain:
            for name, publication in publications.items():
                piece = publication.piece
                if publication.name == name or self._is_placed(name, piece, disk):
                    report.unchanged.append(name)
                    continue
                if order.links and piece.source.file is not None:
                    self.destination.link(name, piece.source.file)
                elif publication.digest == piece.digest:
                    self.destination.copy(name, self.destination.content(publication.name))
                else:
                    self.destination.write(name, piece.read())
                report.placed.append(name)
        if order.places:
            for source, _ in found.unindexable:
                self._place_source(source, disk)
        for publication in publications.values():
            publication.piece.data = None

    def _place_sources(self, found: Survey, disk: Disk) -> None:
        """Write the plain files without publishing anything."""
        for source in [
            *(piece.source for piece in found.pieces.values()),
            *(source for source, _ in found.unindexable),
        ]:
            self._place_source(source, disk)
        (self.root / INTERRUPTED).unlink(missing_ok=True)

    def _place_source(self, source: Source, disk: Disk) -> None:
        if self.order.links and source.file is not None:
            if link_target(self.destination.path(source.name)) == source.file:
                self.report.unchanged.append(source.name)
                return
            self.destination.link(source.name, source.file)
        else:
            with source.open() as opened:
                digest = file_digest(opened, "sha256").hexdigest()  # type: ignore[arg-type]
                size = opened.tell()
                if disk.has(source.name, size, digest):
                    self.report.unchanged.append(source.name)
                    return
                opened.seek(0)
                self.destination.fill(source.name, lambda target: copy_bytes(opened, target))
        self.report.placed.append(source.name)

    def _is_placed(self, name: str, piece: Piece, disk: Disk) -> bool:
        if self.order.links and piece.source.file is not None:
            return link_target(self.destination.path(name)) == piece.source.file
        return disk.has(name, piece.size or 0, piece.digest)

    # --- the index -------------------------------------------------------------------------------------------

    def _publish_index(self, publisher: Publisher, earlier: Sequence[Earlier], disk: Disk) -> None:
        order = self.order
        resources: dict[str, Resource] = {}
        aliases: dict[str, str] = {}
        for name, each in publisher.publications.items():
            if order.hash_name is None or each.name == name:
                resources[name] = publisher.resource(each, name, immutable=False)
                if order.hash_name is None:
                    self._place_representations(name, resources[name], publisher, disk, earlier[0])
            else:
                aliases[name] = each.name
                resources.setdefault(each.name, publisher.resource(each, each.name, immutable=True))
        for name in aliases.keys() & resources.keys():
            # A source has the very name that hashing gives to another one: somebody shipped a collected file.
            if publisher.publications[name].piece.digest != resources[name].sha256:
                raise CollectError(
                    f"{name!r} is a collected file, and what another file is called with its hash. Rename it."
                )
            del aliases[name]
        self._count(resources)
        current = release_id(
            [(path, each.sha256) for path, each in resources.items()]
            + [(path, resources[target].sha256) for path, target in aliases.items()]
        )
        releases, superseded = self._releases(current, earlier)
        kept_aliases = self._keep(resources, aliases, earlier, releases, disk)
        header: dict[str, Any] = {
            "generator": f"django-asyncstatic {__version__}",
            "codecs": order.compression.describe(),
            "releases": releases,
        }
        if order.compression.skipped_extensions:
            header["skipped_extensions"] = sorted(order.compression.skipped_extensions)
        others = {
            release
            for each in earlier
            for release in each.releases
            if any(each.made_by(token) != made_by for token, made_by in header["codecs"].items())
            or release in each.made_by_others
        }
        others &= {*releases[1:]}
        if others:
            header["made_by_others"] = [release for release in releases if release in others]
        times = self._times(resources, aliases, earlier)
        self.destination.put_deferred()
        index = encode_index(resources.values(), aliases, header, kept_aliases)
        self._write_beside(TIMES_NAME, encode_times(times, superseded, index=index))
        self._write_beside(order.index_name, index)
        self.report.is_new_release = current not in earlier[0].releases[:1]

    def _write_beside(self, name: str, data: bytes) -> None:
        if self.order.read_beside_manifest(name) != data:
            self.destination.note_beginning()
            self.order.write_beside_manifest(name, data)

    def _place_representations(
        self, name: str, resource: Resource, publisher: Publisher, disk: Disk, earlier: Earlier
    ) -> None:
        """For other servers: compressed copies beside a plain file, where no collected file has their name."""
        before = earlier.get(name)
        stale = set() if before is None else {each.coding for each in before.representations}
        if self._was_interrupted or (self._has_collected and earlier.index is None):
            stale.update(CODINGS)  # nobody knows which of them lie there
        for each in resource.representations[1:]:
            stale.discard(each.coding)
            target = name + CODINGS[each.coding or ""].suffix
            if target not in publisher.publications and not disk.has(target, each.size, each.digest):
                self.destination.copy(target, self.destination.content(each.file))
        names = {name + CODINGS[coding].suffix for coding in stale if coding is not None}
        self._stale.extend(names - publisher.publications.keys())

    def _releases(self, current: str, earlier: Sequence[Earlier]) -> tuple[list[str], dict[str, int]]:
        """The ids of the releases that the index has from now on, and when each was superseded."""
        now = int(time.time())  # not SOURCE_DATE_EPOCH: a release that was superseded now is to stay for its time
        releases = list(dict.fromkeys([current, *earlier[0].releases]))
        known = [each.times.superseded for each in earlier]
        superseded = superseded_times(releases, known, now)
        for each in earlier[1:]:
            ids = list(dict.fromkeys([current, *each.releases]))
            times = superseded_times(ids, known, now)
            for release in kept_releases(ids, times, self.order.retention):
                if release not in releases:
                    releases.append(release)
                    superseded[release] = times[release]
        if len(earlier) > 1:
            releases[1:] = sorted(releases[1:], key=lambda release: -superseded[release])
        return releases, superseded

    def _keep(
        self,
        resources: dict[str, Resource],
        aliases: dict[str, str],
        earlier: Sequence[Earlier],
        releases: Sequence[str],
        disk: Disk,
    ) -> dict[str, str]:
        """Take over what earlier releases have and this one has not; the releases of the aliases among it."""
        kept_aliases: dict[str, str] = {}
        current = {*resources, *aliases}
        order = {release: position for position, release in enumerate(releases)}
        for each in earlier:
            for resource in each.resources(without=current):
                release = resource.release or each.releases[0]
                if release not in order:
                    continue
                before = kept_aliases.get(resource.path)
                if resource.path in resources:
                    before = resources[resource.path].release
                if before is not None and order[before] <= order[release]:
                    continue
                file = resource.identity.file
                if file != resource.path and each.get(file) is not None:
                    target = resources.get(file) or self._taken_over(each, each.get(file), disk)
                    if target is not None:
                        aliases[resource.path] = file
                        kept_aliases[resource.path] = release
                        # Where the file has a line of its own that stays longer, that line's turn comes.
                        if file not in current and order.get(target.release or "", len(order)) > order[release]:
                            resources[file] = target._replace(release=release)
                elif (taken := self._taken_over(each, resource, disk)) is not None:
                    resources[resource.path] = taken._replace(release=release)
        return kept_aliases

    def _taken_over(self, earlier: Earlier, resource: Resource | None, disk: Disk) -> Resource | None:
        """The resource with those of its files that are right, brought here; ``None`` without identity."""
        if resource is None:
            return None
        there = []
        for each in resource.representations:
            if earlier.root == self.root:
                if disk.has(each.file, each.size, each.digest):
                    there.append(each)
                continue
            path = f"{earlier.root}/{each.file}"
            try:
                if file_sha256(path).startswith(each.digest):
                    if not disk.has(each.file, each.size, each.digest):
                        self.destination.copy(each.file, path)
                    there.append(each)
            except OSError:
                continue
        if resource.identity not in there:
            return None
        return resource._replace(representations=tuple(there))

    def _times(
        self, resources: Mapping[str, Resource], aliases: Mapping[str, str], earlier: Sequence[Earlier]
    ) -> dict[str, int]:
        times = {}
        for path in {*resources, *aliases}:
            digest = resources[aliases.get(path, path)].sha256
            known = None
            for each in earlier:
                if each.digests.get(path) == digest:
                    known = each.times.get(path)
                    break
            times[path] = self.now if known is None else known
        return times

    def _count(self, resources: Mapping[str, Resource]) -> None:
        sizes = self.report.sizes
        for resource in resources.values():
            for each in resource.representations:
                count, size = sizes.get(each.coding, (0, 0))
                sizes[each.coding] = (count + 1, size + each.size)
                if each.coding is not None:
                    whole = self.report.smaller.get(each.coding, 0)
                    self.report.smaller[each.coding] = whole + resource.identity.size

    # --- the end ---------------------------------------------------------------------------------------------

    def _delete(self, leftovers: Iterable[str], names: Mapping[str, str]) -> None:
        for name in (*leftovers, *self._stale):
            self.destination.remove(name)
        if not self.order.keeps_plain:
            for name in names.keys() - set(names.values()):
                self.destination.remove(name)

    def _remember(self, state: State, file: Path, records: dict[str, Record], found: Survey, disk: Disk) -> None:
        outcome, inspection = self._outcome(), self.order.inspection
        inspected = {} if inspection is None else inspection.of(found.pieces, state)
        marker = self.root / INTERRUPTED
        if (
            records == state.records
            and outcome == state.outcome
            and inspected == state.inspected
            and state.verified
            and not disk.doubtful
            and not marker.exists()
        ):
            return
        self.destination.note_beginning()  # the state is written, if nothing else was
        # The clock of a file system has ticks: what is written after the one that is noted shows a later one.
        time.sleep(0.02)
        lock = self.private / "lock"
        os.utime(lock)
        state.records, state.verified, state.key = records, os.stat(lock).st_mtime_ns, _state_key(self.order)
        state.outcome, state.inspected = outcome, inspected
        state.save(file)
        marker.unlink(missing_ok=True)


def _record(publication: Publication) -> Record:
    piece = publication.piece
    return Record(
        signature=piece.signature,
        digest=piece.digest,
        size=piece.size or 0,
        references=piece.references,
        published=publication.name,
        content=publication.digest,
        content_size=publication.size,
        inputs=publication.inputs,
    )


def collect_time() -> int:
    """The time of this collect, or the one that SOURCE_DATE_EPOCH gives it. Raises :class:`CollectError`.

    Specification: https://reproducible-builds.org/specs/source-date-epoch/
    """
    given = os.environ.get("SOURCE_DATE_EPOCH")
    if not given:
        return int(time.time())
    if not (given.isascii() and given.isdigit() and int(given[:20]) <= LATEST_TIME):
        raise CollectError(
            f"SOURCE_DATE_EPOCH is {given!r} in the environment; it has to be a number of seconds since 1970."
        )
    return int(given)


def _folds_case(private: Path) -> bool:
    """Whether the file system takes names that differ by case for one; told from a directory that is there."""
    return private.is_dir() and private.with_name(private.name.upper()).is_dir()
