"""What is served against what was collected, and that against its sources.

Fast, a file is right if the last collect found it right and nobody has touched it since, and read otherwise. Deep,
every file is read and every representation decoded.
"""

from __future__ import annotations

import fnmatch
import json
import os
import re
import stat
from collections import defaultdict
from collections.abc import Container, Iterator, Sequence
from hashlib import file_digest
from pathlib import Path
from typing import TYPE_CHECKING, Any

from django.conf import settings

from django_asyncstatic import conf
from django_asyncstatic.codings import CODINGS
from django_asyncstatic.diagnosing.collected import Stored
from django_asyncstatic.diagnosing.findings import Finding, check
from django_asyncstatic.diagnosing.findings import Place as At
from django_asyncstatic.diagnosing.project import Project
from django_asyncstatic.index import PRIVATE_DIRECTORY
from django_asyncstatic.live import ScannedIndex
from django_asyncstatic.sources import Place

if TYPE_CHECKING:
    from django_asyncstatic.collecting.finished import Record
    from django_asyncstatic.collecting.sources import Source

COLLECT = "Run manage.py collectstatic."
COLLECT_AGAIN = "Run manage.py collectstatic again, and do not change collected files by hand."

OUR_STORAGE = (
    'Set STORAGES["staticfiles"]["BACKEND"] to "django_asyncstatic.storage.CompressedManifestStaticFilesStorage"'
    " and run collectstatic."
)

#: Names of orphans that a message spells out of those of a folder.
NAMED = 3


# --- the index -------------------------------------------------------------------------------------------------


@check(
    "drift",
    E001="there is no index, or it cannot be used",
    E014="STATIC_ROOT is not where collected files can be",
    I049="what is collected is not what is served",
    W044="a name in STATIC_ROOT cannot be served",
    W049="the storage writes no index",
)
def check_index(project: Project) -> Iterator[Finding]:
    """E001, E014, I049, W044, W049: whether there is an index, and if not, what is served without it."""
    place = project.place
    if project.served_instead:
        yield Finding(
            "asyncstatic.I049",
            f"{project.served_instead}; STATIC_ROOT is not looked at.",
            "Well, if these are settings for tests or development. If they are for production, configure a storage that"
            " collects, and leave ASYNCSTATIC_REHEARSAL off.",
            subject="ASYNCSTATIC_REHEARSAL" if conf.setting("ASYNCSTATIC_REHEARSAL") else "STORAGES",
        )
    elif place.root is None:
        if not settings.STATIC_ROOT:
            yield Finding("asyncstatic.E014", "STATIC_ROOT is not set.", "Set it to where collectstatic may write.")
        else:
            yield Finding("asyncstatic.W049", "No static file is served by this app.", place.hint)
    elif not place.root.is_dir():
        is_absent = not place.root.exists()
        what = "does not exist" if is_absent else "is not a directory"
        yield Finding(
            "asyncstatic.E014",
            f"STATIC_ROOT {what}.",
            COLLECT,
            At(str(place.root)),
            is_mended_by_collecting=is_absent and conf.makes_index(),
        )
    elif isinstance(project.index_error, FileNotFoundError):
        yield from _without_index(place)
    else:
        at = At(str(place.index_file))
        for fault, hint in _index_faults(project):
            yield Finding("asyncstatic.E001", fault, hint, at, is_mended_by_collecting=hint == COLLECT)
        if not conf.makes_index():
            yield Finding(
                "asyncstatic.W049",
                f"{conf.storage_backend()} writes no index: the one that is there is of another storage's collect, and"
                " what is collected now is not in it, so it is not served.",
                f"{OUR_STORAGE} If that storage is meant, remove the index.",
                at,
                subject="STORAGES",
            )


def _index_faults(project: Project) -> Iterator[tuple[str, str]]:
    """What is wrong with an index that is there, and what to do."""
    error = project.index_error
    if isinstance(error, OSError):
        yield f"The index cannot be read: {error.strerror or error}.", "Mend its permissions."
    elif error is not None:
        yield str(error), COLLECT
    for path, alias in project.collected.aliases.items():
        if alias.target not in project.collected.resources:
            yield f"{path!r} stands in the index for a name that does not.", COLLECT


def _without_index(place: Place) -> Iterator[Finding]:
    root, backend = place.root, conf.storage_backend()
    assert root is not None
    if conf.makes_index() and place.index_file is None:
        yield Finding(
            "asyncstatic.E001", f"The index for {root} cannot be reached: it is scanned at start.", place.hint
        )
    elif conf.makes_index():
        yield Finding(
            "asyncstatic.E001",
            f"There is no index for {root}: it is scanned at start.",
            COLLECT,
            is_mended_by_collecting=True,
        )
    else:
        yield Finding(
            "asyncstatic.W049",
            f"{backend} writes no index: {root} is scanned at start, nothing is compressed, entity tags are weak.",
            OUR_STORAGE,
            subject="STORAGES",
        )
    try:
        for skipped in ScannedIndex(root, private=place.private).skipped:
            yield Finding(
                "asyncstatic.W044",
                f"{skipped.name!r} is not served: {skipped.reason}.",
                "Remove it from STATIC_ROOT, or mend it.",
                At(ascii(str(root / skipped.name))[1:-1]),
            )
    except OSError as error:
        yield Finding("asyncstatic.E014", f"STATIC_ROOT cannot be listed: {error.strerror}.", "Mend its permissions.")


@check("drift", W006="a collect has not ended", I008="a collect would compress everything again")
def check_unfinished(project: Project) -> Iterator[Finding]:
    """W006, I008: what the next collect would have to do, although no source has changed."""
    from django_asyncstatic.collecting.builder import INTERRUPTED

    root = project.place.root
    if root is not None and (root / INTERRUPTED).exists():
        yield Finding(
            "asyncstatic.W006",
            "A collect has begun to write here and has not ended: it is at work now, or it was killed.",
            "Run manage.py collectstatic, which goes on where that one stopped. What is served stays whole meanwhile.",
            At(str(root)),
            is_mended_by_collecting=True,
        )
    if project.index is None or project.order is None:
        return
    try:
        makers = project.order.compression.describe()
    except ImportError:  # the collect tells which library is missing
        return
    made_by: Any = project.index.header.get("codecs")
    for token in CODINGS if isinstance(made_by, dict) else ():
        then, now = made_by.get(token), makers.get(token)
        if then != now:
            is_so = (
                f"The {token} representations were made by {then}" if then else f"There is no {token} representation"
            )
            will_be = f"make them by {now}" if now else "leave them out"
            yield Finding(
                "asyncstatic.I008",
                f"{is_so}; a collect would now {will_be}.",
                "Other bytes may come of it, for which browsers ask once more. Run manage.py collectstatic where nobody"
                " waits for it; to keep what there is, install the library of the last collect, or set its level.",
                subject=token,
                is_mended_by_collecting=True,
            )
    if others := project.index.header.get("made_by_others"):
        yield Finding(
            "asyncstatic.I008",
            f"Representations of {len(others)} earlier releases were made by other libraries or levels, so a file of"
            " theirs that comes back is compressed again.",
            "Nothing has to be done: they go with their releases, when manage.py cleanstatic removes them.",
            subject="releases",
        )


# --- the files -------------------------------------------------------------------------------------------------


@check(
    "drift",
    lists_root=True,
    E002="a collected file is gone or has other bytes",
    E003="a compressed representation is gone or has other bytes",
    E004="a hashed name is not that of its content",
)
def check_files(project: Project) -> Iterator[Finding]:
    """E002, E003, E004: the index against the disk."""
    root, collected = project.place.root, project.collected
    if project.index is None or root is None:
        return
    by_file = {stored.file: stored for stored in collected.resources.values()}  # names may share one
    wrong = set()
    doubtful = project.listing.doubtful
    if not doubtful and not project.deep:
        return
    for stored in project.progress(list(by_file.values()), "collected files"):
        for file, token, fault in _read_all(root, stored) if project.deep else _look_at(doubtful, root, stored):
            wrong.add(file)
            yield Finding(
                "asyncstatic.E002" if token is None else "asyncstatic.E003",
                f"{file} {fault}.",
                COLLECT_AGAIN,
                At(str(root / file)),
                subject=file,
                is_mended_by_collecting=True,
            )
    if project.deep:
        yield from _check_names(project, root, wrong)


#: A file, its coding, and what is wrong with it.
Fault = tuple[str, str | None, str]


def _look_at(doubtful: Container[str], root: Path, stored: Stored) -> Iterator[Fault]:
    """What is wrong, where what the last collect found right is trusted as long as nobody has touched it."""
    for token, file, size, digest in stored.parts():
        if file in doubtful and (fault := _fault(root, file, size, digest)):
            yield file, token, fault


def _read_all(root: Path, stored: Stored) -> Iterator[Fault]:
    """What is wrong with what is on the disk; identity is in memory with one other, and not where it is alone."""
    faults = {token: _fault(root, file, size, digest) for token, file, size, digest in stored.parts()}
    whole = (root / stored.file).read_bytes() if len(faults) > 1 and not faults[None] else None
    for token, file, _, _ in stored.parts():
        fault = faults[token]
        if token is not None and not fault and whole is not None:
            try:
                if CODINGS[token].decode((root / file).read_bytes()) != whole:
                    fault = f"does not decode to the bytes of {stored.file}"
            except ValueError as error:
                fault = f"cannot be decoded ({error})"
        if fault:
            yield file, token, fault


def _fault(root: Path, file: str, size: int, digest: str) -> str:
    """What is wrong with a file that should have this size and a SHA-256 that begins so; empty if nothing is."""
    try:
        with open(root / file, "rb") as opened:
            if (found := os.fstat(opened.fileno()).st_size) != size:
                return f"has {found} bytes, the index says {size}"
            if not file_digest(opened, "sha256").hexdigest().startswith(digest):
                return "has other bytes than the index says"
    except FileNotFoundError:
        return "is gone"
    except OSError as error:
        return f"cannot be read ({error.strerror})"
    return ""


def _check_names(project: Project, root: Path, wrong: Container[str]) -> Iterator[Finding]:
    """E004, by Django's rules: the name of a file is of its bytes, but in a cycle of references, of the whole cycle."""
    order, collected = project.order, project.collected
    if order is None or order.hash_name is None or order.naming != "django":
        return
    for name, alias in collected.aliases.items():
        record, stored = project.records.get(name), collected.resources.get(alias.target)
        if stored is None or stored.file in wrong:
            continue
        if record is None:
            # Nobody remembers whether it is in a cycle, unless it can have no references.
            if not collected.is_current(name) or (order.search is not None and order.search.kind(name) is not None):
                continue
        elif record.content != stored.sha256 or _is_in_cycle(record):
            continue
        with open(root / stored.file, "rb") as opened:
            expected = order.hash_name(name, opened)
        if expected != alias.target:
            yield Finding(
                "asyncstatic.E004",
                f"{alias.target} has the bytes of {expected}: browsers that have the name keep what they have.",
                COLLECT_AGAIN,
                At(str(root / stored.file)),
                subject=name,
                is_mended_by_collecting=True,
            )


def _is_in_cycle(record: Record) -> bool:
    """Its references were rewritten, and not after all that they lead to: see ``_publish_cycle`` of collecting."""
    return record.content != record.digest and not record.inputs


@check("drift", lists_root=True, W007="a plain file is gone or has other bytes")
def check_plain_files(project: Project) -> Iterator[Finding]:
    """W007: what other servers may deliver, and what looks as if it were served."""
    root = project.place.root
    if root is None or not project.is_remembered or project.state.outcome.get("plain") != "files":
        return
    for name in sorted(project.listing.doubtful & project.records.keys()):
        record = project.records[name]
        served = project.collected.answer(name)
        if served is not None and served.file == name:
            continue
        if fault := _fault(root, name, record.size, record.digest):
            yield Finding(
                "asyncstatic.W007",
                f"{name} {fault.replace('the index says', 'was collected with')}."
                + (f" What is served is {served.file}." if served else ""),
                "Change the source instead, and run manage.py collectstatic.",
                At(str(root / name)),
                subject=name,
                is_mended_by_collecting=True,
            )


# --- the manifest ----------------------------------------------------------------------------------------------


@check("drift", E005="the index and the manifest are of different collects")
def check_manifest(project: Project) -> Iterator[Finding]:
    """E005: the index against Django's manifest, from which templates take their names."""
    place, collected = project.place, project.collected
    manifest_name = conf.manifest_name()
    if project.index is None or place.index_file is None or manifest_name is None:
        return
    manifest = place.index_file.with_name(manifest_name)

    def differ(message: str, subject: str) -> Finding:
        return Finding(
            "asyncstatic.E005", message, COLLECT, At(str(manifest)), subject=subject, is_mended_by_collecting=True
        )

    try:
        names: dict[str, str] = dict(json.loads(manifest.read_bytes())["paths"])
    except FileNotFoundError:
        yield differ("There is an index and no manifest.", manifest_name)
        return
    except (OSError, ValueError, KeyError, TypeError) as error:
        yield differ(f"The manifest cannot be read: {error!r}.", manifest_name)
        return
    for name, hashed in names.items():
        alias = collected.aliases.get(name)
        answered = alias.target if alias is not None else name
        if answered != hashed or hashed not in collected.resources:
            yield differ(
                f"The manifest maps {name} to {hashed}, the index does not: they are of different collects.", name
            )
    for name in sorted(collected.current() - names.keys()):
        yield differ(f"The index has {name}, the manifest does not: they are of different collects.", name)


# --- the sources -----------------------------------------------------------------------------------------------


@check("drift", E013="a source was changed, added or removed since the collect")
def check_sources(project: Project) -> Iterator[Finding]:
    """E013: what a collect would find against what the last one found."""
    if project.index is None or project.order is None:
        return
    records = project.records if project.is_remembered else {}
    collected = project.collected
    # What is as the last collect saw it was looked at, and is not again.
    doubtful = project.changed if records and not project.deep else project.sources.keys()
    sources = [each for name, each in project.sources.items() if name in doubtful]
    for source in project.progress(sources, "sources") if sources else ():
        name = source.name
        try:
            if name in records:
                is_changed = _differs(source, records[name])
            elif collected.is_current(name):
                is_changed = _differs_from_collected(project, source)
            elif not _is_left_out(project, name):
                yield _stale(name, "was added since the last collect, or left out of it", source)
                continue
            else:
                continue
        except OSError:  # a file that cannot be read is another family's finding
            continue
        if is_changed:
            yield _stale(name, "was changed since the last collect", source)
    if not project.unlisted:  # else a finder has stopped, and nobody knows what it has
        yield from _without_source(sorted({*records, *collected.current()} - project.sources.keys()))


def _without_source(names: Sequence[str]) -> Iterator[Finding]:
    """Names that no finder has, even with ``collectstatic --no-default-ignore``.

    None where a directory of STATICFILES_DIRS is not on this machine: what serves may lack what a build had.
    """
    from django.contrib.staticfiles.finders import get_finders

    from django_asyncstatic.storage import source_name

    finders = list(get_finders()) if names else []
    if not all(os.path.isdir(root) for finder in finders for _, root in getattr(finder, "locations", ())):
        return
    found = {source_name(storage, path) for finder in finders for path, storage in finder.list([])}
    for name in names:
        if name not in found:
            yield _stale(name, "was collected, and there is no source of it any more", None)


def _differs(source: Source, record: Record) -> bool:
    size, _ = source.look()
    return (size is not None and size != record.size) or _digest(source) != record.digest


def _differs_from_collected(project: Project, source: Source) -> bool:
    """The same where nobody remembers: what may have had references rewritten into it cannot be told to differ."""
    stored, order = project.collected.answer(source.name), project.order
    assert order is not None
    if stored is None or (order.search is not None and order.search.kind(source.name) is not None):
        return False
    return _digest(source) != stored.sha256


def _digest(source: Source) -> str:
    with source.open() as opened:
        return file_digest(opened, "sha256").hexdigest()  # type: ignore[arg-type]


def _is_left_out(project: Project, name: str) -> bool:
    """Whether a collect leaves such a name out, or the last one was told to (``collectstatic --ignore``)."""
    from django_asyncstatic.collecting.survey import why_unindexable

    assert project.order is not None
    if name in project.order.reserved or name.startswith(f"{PRIVATE_DIRECTORY}/") or why_unindexable(name):
        return True
    patterns = project.state.outcome.get("left_out", ())
    # As django.contrib.staticfiles.utils.get_files: each folder and the file by their names, the file by its path too.
    return any(fnmatch.fnmatchcase(part, pattern) for pattern in patterns for part in (*name.split("/"), name))


def _stale(name: str, what: str, source: Source | None) -> Finding:
    place = None if source is None or source.file is None else At(source.file)
    return Finding("asyncstatic.E013", f"{name} {what}.", COLLECT, place, subject=name, is_mended_by_collecting=True)


# --- the rest of STATIC_ROOT -----------------------------------------------------------------------------------


@check("drift", lists_root=True, W045="files in STATIC_ROOT that no collect has recorded")
def check_orphans(project: Project) -> Iterator[Finding]:
    """W045: what takes space and is not served, a finding for each folder of STATIC_ROOT."""
    from django_asyncstatic.collecting.atomic import UNFINISHED
    from django_asyncstatic.collecting.builder import INTERRUPTED
    from django_asyncstatic.management.tables import format_size

    place = project.place
    if project.index is None or place.root is None:
        return
    live = re.compile("|".join(map(fnmatch.translate, conf.setting("ASYNCSTATIC_LIVE"))) or r"(?!)")
    is_interrupted = (place.root / INTERRUPTED).exists()
    folders: dict[str, list[tuple[int, str]]] = defaultdict(list)
    for name, seen in project.listing.strays.items():
        # What lies there belongs to a collect, and a worker that has an earlier index may still read it.
        is_private = name.startswith(f"{PRIVATE_DIRECTORY}/")
        is_unfinished = is_interrupted and name.endswith(UNFINISHED)
        if is_private or is_unfinished or live.match(name) or name in place.private or name in project.sources:
            continue
        if stat.S_ISLNK(seen.st_mode) and (place.root / name).is_dir():
            continue
        folder, slash, _ = name.partition("/")
        folders[folder if slash else ""].append((-seen.st_size, name))
    for folder, found in sorted(folders.items()):
        found.sort()
        where = f"{folder}/" if folder else "STATIC_ROOT"
        files = "1 file" if len(found) == 1 else f"{len(found):,} files"
        whole = format_size(-sum(size for size, _ in found))
        named = ", ".join(ascii(name)[1:-1] for _, name in found[:NAMED]) + (" and more" if len(found) > NAMED else "")
        yield Finding(
            "asyncstatic.W045",
            f"{files} in {where}, {whole}, that no collect has recorded and nobody is served: {named}.",
            "manage.py cleanstatic --orphans --dry-run lists them, without --dry-run it removes them. What a tool"
            " writes there on purpose is served if ASYNCSTATIC_LIVE names it.",
            At(str(place.root / folder) if folder else str(place.root)),
            subject=folder,
        )
