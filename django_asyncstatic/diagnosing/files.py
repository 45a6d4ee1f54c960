"""The files themselves: which of several is collected, names that do not travel, sizes, types, copies.

What the file system lets be read, and by whom, is in :mod:`.access`.
"""

from __future__ import annotations

import re
from collections import defaultdict
from collections.abc import Iterator, Sequence
from hashlib import file_digest
from mimetypes import MimeTypes
from typing import NamedTuple

from django_asyncstatic.collecting.atomic import CollectError
from django_asyncstatic.collecting.compression import LARGEST, Compression
from django_asyncstatic.collecting.sources import Source
from django_asyncstatic.collecting.survey import collisions
from django_asyncstatic.diagnosing import access
from django_asyncstatic.diagnosing.finders import Found, look
from django_asyncstatic.diagnosing.findings import Finding, Place, check, enumerate_names, printable
from django_asyncstatic.diagnosing.kinds import kind_of
from django_asyncstatic.diagnosing.project import Project
from django_asyncstatic.index import Resource
from django_asyncstatic.media_types import DEFAULT, media_type

#: Bytes of one file that a page loads at once. Lighthouse calls a whole page enormous from there on.
LARGE = 5_000 * 1024

#: Bytes of a file that is played or downloaded. Cloudflare Pages takes no larger ones.
LARGE_DOWNLOAD = 25 * 1024 * 1024

#: Bytes that copies of one content take beyond the first: most of a minified jQuery.
WASTED = 50_000

#: Findings of a kind before they are only counted.
LISTED = 10

#: What hashing adds to a name, and what compressing does: ``.4b2f9a0c11de`` and ``.zst``.
ROOM_FOR_HASH = 13
ROOM_FOR_SUFFIX = 4

#: Bytes of a component of a path: ext4, XFS, Btrfs, APFS and NTFS agree but for the unit.
LONGEST_COMPONENT = 255


#: Beginnings of media types that a browser shows, plays or runs by.
_LOADED = ("image/", "audio/", "video/", "font/", "model/", "text/css", "text/html", "text/javascript")


# --- which file ----------------------------------------------------------------------------------------------


@check(
    "files",
    W032="several files for one name, with different bytes",
    I070="files that stand in for an app's own",
)
def check_destinations(project: Project) -> Iterator[Finding]:
    """W032, I070: of several files for a name collectstatic takes the first, and nobody sees the others."""
    owners = _app_labels(project)
    hidden: dict[tuple[str, str], list[tuple[Found, Found]]] = defaultdict(list)
    first: dict[str, Found] = {}
    for found in project.found:
        winner = first.setdefault(found.name, found)
        if winner is not found and _differ(winner.source, found.source, project):
            hidden[_where(winner), _where(found)].append((winner, found))
    for (above, below), pairs in hidden.items():
        pairs.sort(key=lambda pair: pair[1].name)
        meant = [pair for pair in pairs if pair[1].name.partition("/")[0] in owners.get(id(pair[1].storage), ())]
        accidents = [pair for pair in pairs if pair not in meant]
        if meant and not access.is_installed(meant[0][0].source):  # a package that does so is made to
            yield Finding(
                "asyncstatic.I070",
                f"{above} has {enumerate_names([found.name for _, found in meant])} in the place of {below}'s own.",
                "Compare them again when that app is updated.",
                _place(meant[0][0]),
                subject=f"{above} over {below}",
            )
        for winner, found in accidents[:LISTED]:
            yield Finding(
                "asyncstatic.W032",
                f"{_shown(found)} is not collected: {_shown(winner)} has the same name, {printable(found.name)}, comes"
                " first and has other bytes.",
                "Put the files of an app into a directory of its name; or change which comes first, in INSTALLED_APPS,"
                " STATICFILES_DIRS or STATICFILES_FINDERS.",
                _place(found),
                subject=found.name,
            )
        if len(accidents) > LISTED:
            rest = [found.name for _, found in accidents[LISTED:]]
            yield Finding(
                "asyncstatic.W032",
                f"{above} hides {enumerate_names(rest)} of {below}, too, which have other bytes.",
                "If that is one directory twice, source and build, list only the build's.",
                _place(accidents[LISTED][1]),
                subject=f"{above} over {below}",
            )


def _app_labels(project: Project) -> dict[int, tuple[str, str]]:
    """By the ``id`` of a storage, the names that an app's own directory in it may have: its label, its package."""
    from django.apps import apps

    labels = {config.name: config.label for config in apps.get_app_configs()}
    return {
        id(storage): (labels.get(name, ""), name.rpartition(".")[2])
        for finder in {id(found.finder): found.finder for found in project.found}.values()
        for name, storage in (getattr(finder, "storages", None) or {}).items()
        if isinstance(name, str)
    }


def _differ(one: Source, other: Source, project: Project) -> bool:
    """Whether two files have different bytes; ``False`` where one cannot be read, which is another finding."""
    try:
        if one.file is not None and other.file is not None:
            first, second = look(one.file).found, look(other.file).found
            if first is None or second is None or (first.st_dev, first.st_ino) == (second.st_dev, second.st_ino):
                return False
            if first.st_size != second.st_size:
                return True
        known = None if one.name in project.changed else project.records[one.name].digest
        return (known or _digest(one)) != _digest(other)
    except OSError:
        return False


def _digest(source: Source) -> str:
    with source.open() as file:
        return file_digest(file, "sha256").hexdigest()  # type: ignore[arg-type]


def _where(found: Found) -> str:
    """The directory that a finder looked in, or what it is."""
    location = getattr(found.storage, "location", None)
    return str(Place.of(str(location))) if location else repr(found.storage)


def _shown(found: Found) -> str:
    return str(_place(found) or f"{printable(found.path)} of {found.storage!r}")


def _place(found: Found) -> Place | None:
    return Place.of(found.source.file) if found.source.file is not None else None


# --- names ---------------------------------------------------------------------------------------------------


class _Trouble(NamedTuple):
    """What is wrong with a name, and what comes of it."""

    pattern: re.Pattern[str]
    has: str
    so: str


_TROUBLES = (
    _Trouble(re.compile(r"[\ud800-\udfff]"), "is not UTF-8", "it can be neither indexed nor served"),
    _Trouble(re.compile(r"\\"), "has a backslash", "Django takes it for a slash, and it is not served"),
    _Trouble(re.compile(r"[\x00-\x1f\x7f-\x9f]"), "has a control character", "no URL that a person writes leads to it"),
    _Trouble(
        re.compile(r"[%?#]"),
        'has a "%", "?" or "#"',
        "a URL in which it is not percent-encoded means another file: in a template without {% static %}, in CSS",
    ),
    _Trouble(re.compile(r"[. ](?:/|$)"), "has a component that ends with a dot or a space", "Windows cannot have it"),
)


def _may_trouble(names: Sequence[str]) -> bool:
    """Whether a name may have one of the troubles, which are told here a second time, by less than expressions.

    All names are looked through at once: most projects have none, and one name after the other takes ten times as long.
    """
    joined = "/".join(names) + "/"
    return not joined.isprintable() or any(sign in joined for sign in ("\\", "%", "?", "#", "./", " /"))


@check(
    "files",
    W033="two names that some file systems take for one",
    W037="a name that breaks in URLs, or on other systems",
)
def check_names(project: Project) -> Iterator[Finding]:
    """W033, W037: names that mean something else elsewhere."""
    names = list(project.sources)
    for other, name, how in collisions(names):
        yield Finding(
            "asyncstatic.W033",
            f"{other} and {name} differ only by {how}: where a file system takes them for one, one of them is lost.",
            "Rename one of them.",
            _source_place(project, name),
            subject=name,
        )
    for trouble in _TROUBLES if _may_trouble(names) else ():
        if found := [name for name in sorted(names) if trouble.pattern.search(name)]:
            yield Finding(
                "asyncstatic.W037",
                f"{enumerate_names(found)}: the name {trouble.has}; {trouble.so}.",
                "Rename it.",
                _source_place(project, found[0]),
                subject=trouble.has,
            )
    room = LONGEST_COMPONENT - (ROOM_FOR_HASH if project.order and project.order.hash_name else 0)
    for name in names:
        if len(name) > LONGEST_COMPONENT // 4 and len(name.rpartition("/")[2].encode("utf-8", "replace")) > room:
            yield Finding(
                "asyncstatic.W037",
                f"{printable(name)} is too long: there is no room for a hash in the {LONGEST_COMPONENT} bytes that"
                " file systems have for a name, and collectstatic stops.",
                f"Shorten it to {LONGEST_COMPONENT - ROOM_FOR_HASH - ROOM_FOR_SUFFIX} bytes.",
                _source_place(project, name),
                subject=name,
            )


# --- access --------------------------------------------------------------------------------------------------


@check(
    "files",
    lists_root=True,
    E039="a source that collectstatic cannot read",
    W038="modes of collected files keep the server out, or let everybody in",
    W039="a link that leads in a circle, or out of STATIC_ROOT",
    I064="links that lead out of a finder's directory",
    I065="files with a time in the future",
)
def check_access(project: Project) -> Iterator[Finding]:
    """E039, W038, W039, I064, I065: what the file system lets be read, and what it says of times."""
    yield from access.unreadable_sources(project)
    yield from access.modes(project)
    yield from access.links(project)
    yield from access.future_times(project)


# --- types and sizes -----------------------------------------------------------------------------------------


@check(
    "files",
    W040="files that have a media type, and are sent without it",
    I076="files of an unknown media type",
    I073="very large files",
)
def check_types_and_sizes(project: Project) -> Iterator[Finding]:
    """W040, I076, I073: what is sent as application/octet-stream, and what takes long."""
    by_extension: dict[str, list[str]] = defaultdict(list)
    known: dict[str, bool] = {}
    for name in project.sources:
        extension = name.rpartition(".")[2]
        if extension not in known:
            known[extension] = media_type(f"x.{extension}") != DEFAULT
        if known[extension]:
            continue
        base = name.rpartition("/")[2]
        stem, _, extension = base.rpartition(".")
        # What has no extension (LICENSE) is nothing that a page loads; what is for developers is told as that.
        if stem and media_type(name) == DEFAULT and kind_of(base) is None:
            by_extension[extension.lower()].append(name)
    registered = MimeTypes(filenames=())  # Python's own table: the host's would differ from host to host
    for extension, names in sorted(by_extension.items()):
        names.sort()
        kind, coding = registered.guess_type(f"x.{extension}")
        if kind is not None and not kind.startswith(_LOADED):
            continue  # a program, an archive: to save it is all that a browser can do
        if (kind is None or coding is not None) and all(access.is_installed(project.sources[name]) for name in names):
            continue
        usual = f"; usually that is {kind}" if kind else ""
        yield Finding(
            "asyncstatic.W040" if kind else "asyncstatic.I076",
            f"Files that end with .{printable(extension)} are sent as {DEFAULT}{usual}: {enumerate_names(names)}.",
            "If a page loads them, give them a content-type in ASYNCSTATIC_ADD_HEADERS_FUNCTION."
            if coding is None
            else f"They are compressed already ({coding}): collect what they decode to, which is compressed then.",
            _source_place(project, names[0]),
            subject=f".{extension}",
        )
    yield from _large(project)


def _large(project: Project) -> Iterator[Finding]:
    for name, (found, *_) in project.looks.items():
        if found is None or found.st_size <= LARGE or access.is_installed(project.sources[name]):
            continue
        kind = media_type(name)
        is_loaded = kind.startswith(("text/", "image/", "font/")) or kind.endswith(("javascript", "json", "wasm"))
        if name.endswith(".map") or found.st_size <= (LARGE if is_loaded else LARGE_DOWNLOAD):
            continue
        yield Finding(
            "asyncstatic.I073",
            f"{printable(name)} has {found.st_size / 1e6:.1f} MB{', and a page waits for it' if is_loaded else ''}.",
            "Make it smaller, or load it in parts." if is_loaded else "Keep it in a storage for media.",
            _source_place(project, name),
            subject=name,
        )


# --- representations -----------------------------------------------------------------------------------------


@check("files", W041="text without a compressed representation")
def check_representations(project: Project) -> Iterator[Finding]:
    """W041: what is sent as it is although a coding would make it smaller."""
    index, order = project.index, project.order
    if index is None or order is None:
        return
    compression = order.compression
    made = index.header.get("codecs")
    missing = [token for token in compression.levels if isinstance(made, dict) and token not in made]
    if missing:
        yield Finding(
            "asyncstatic.W041",
            f"No file has a representation in {' or '.join(missing)}: the last collect was told other codings.",
            "Run manage.py collectstatic.",
            subject=" ".join(missing),
            is_mended_by_collecting=True,
        )
    for name, (found, *_) in project.looks.items():
        if found is not None and found.st_size > LARGEST and compression.applies_to(name, media_type(name), LARGEST):
            yield Finding(
                "asyncstatic.W041",
                f"{printable(name)} is not compressed: it is larger than {LARGEST >> 20} MB.",
                "Split it, or add its extension to skip_compress_extensions to say that this is well.",
                _source_place(project, name),
                subject=name,
            )
    if project.deep and project.place.root is not None:
        for path, line in index.lines():
            if "as" not in line and "release" not in line and (resource := index.get(path)) is not None:
                yield from _try_codings(f"{project.place.root}/", resource, compression, missing)


def _try_codings(root: str, resource: Resource, compression: Compression, missing: Sequence[str]) -> Iterator[Finding]:
    """Compress what has no representation as the collect would, and tell what it would have kept."""
    if not compression.applies_to(resource.path, resource.media_type, resource.identity.size):
        return
    there = {each.coding for each in resource.representations}
    wanted = [token for token in compression.levels if token not in there and token not in missing]
    if not wanted:
        return
    try:
        with open(root + resource.identity.file, "rb") as file:
            data = file.read()
        lacking = [token for token in wanted if compression.encode(token, data, resource.path) is not None]
    except (OSError, CollectError):  # a finding of the family "drift"
        return
    if lacking:
        yield Finding(
            "asyncstatic.W041",
            f"{printable(resource.path)} has no representation in {' or '.join(lacking)}, and it would be worthwhile.",
            "Run manage.py collectstatic.",
            Place.of(root + resource.identity.file),
            subject=resource.path,
            is_mended_by_collecting=True,
        )


# --- copies --------------------------------------------------------------------------------------------------


@check("files", I062="several files with the same bytes")
def check_copies(project: Project) -> Iterator[Finding]:
    """I062: contents that visitors load, and browsers keep, more than once."""
    groups = sorted(_copies(project), key=lambda group: (-group[0] * (len(group[1]) - 1), group[1]))
    for number, (size, names) in enumerate(groups[:LISTED]):
        rest = groups[LISTED:] if number == LISTED - 1 else []
        more = f" So do {len(rest)} more groups of files." if rest else ""
        yield Finding(
            "asyncstatic.I062",
            f"{enumerate_names(names)} have the same {size:,} bytes.{more}",
            "Keep one of them, and refer to it: browsers load and keep each name by itself.",
            _source_place(project, names[0]),
            subject=names[0],
        )


def _copies(project: Project) -> Iterator[tuple[int, list[str]]]:
    """Sizes and names of files with equal contents that take more than :data:`WASTED` and are not all of packages."""
    by_size: dict[int, list[str]] = defaultdict(list)
    for name, (found, *_) in project.looks.items():
        if found is not None and found.st_size and not name.endswith(".map"):  # no visitor loads a source map
            by_size[found.st_size].append(name)
    for size, names in by_size.items():
        if size * (len(names) - 1) < WASTED:
            continue
        by_digest: dict[str, list[str]] = defaultdict(list)
        for name in names:
            if (digest := _known_digest(project, name)) is not None:
                by_digest[digest].append(name)
        for same in by_digest.values():
            wasted = size * (len(same) - 1)
            if wasted >= WASTED and not all(access.is_installed(project.sources[name]) for name in same):
                yield size, sorted(same)


def _known_digest(project: Project, name: str) -> str | None:
    if not project.deep and name not in project.changed:
        return project.records[name].digest
    try:
        return _digest(project.sources[name])
    except OSError:
        return None


def _source_place(project: Project, name: str) -> Place | None:
    file = project.sources[name].file
    return None if file is None else Place.of(file)
