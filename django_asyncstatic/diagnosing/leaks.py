"""What should not be public, by name and by content: in the sources, in what is served today, at the site's root.

What is secret, and how it is told from what only looks like it, is in :mod:`.credentials`. What came with an installed
package is public already, so of that only secrets are told.
"""

from __future__ import annotations

import os
import re
import stat
from collections import defaultdict
from collections.abc import Container, Iterator, Sequence
from enum import Enum
from itertools import islice
from operator import attrgetter
from pathlib import Path
from typing import NamedTuple

from django_asyncstatic import conf
from django_asyncstatic.diagnosing.access import is_installed
from django_asyncstatic.diagnosing.credentials import is_suspicious
from django_asyncstatic.diagnosing.disclosures import Disclosed, look_into, may_disclose
from django_asyncstatic.diagnosing.findings import Finding, Place, check, enumerate_names, printable
from django_asyncstatic.diagnosing.kinds import VERSION_CONTROL, Kind, kind_of, kind_of_folder
from django_asyncstatic.diagnosing.listing import CLOSED as CLOSED_FOLDERS
from django_asyncstatic.diagnosing.listing import Listing, list_root, real_strays
from django_asyncstatic.diagnosing.project import Project
from django_asyncstatic.diagnosing.sourcemaps import SourceMap
from django_asyncstatic.serving.mounts import is_hidden

#: Files that are read of those that lie where no collect looks: the ones that changed last. 300 take 30 ms.
LATEST = 300

#: Bytes of such a file, at most.
QUICKLY_READ = 1 << 20

#: Findings of a kind before the rest is only counted.
LISTED = 10


class Where(Enum):
    """Where a file lies, as what comes of it."""

    SOURCE = "collectstatic publishes it"
    KEPT = "an earlier release is still served with it"
    STRAY = "it lies in STATIC_ROOT: this app does not serve it, a web server that serves the directory does"
    SERVED = "it lies in STATIC_ROOT, and is served"
    ROOT = "it lies in ASYNCSTATIC_ROOT, and is served"

    @property
    def hidden(self) -> str:
        """The same for a name that this app hides."""
        place = "ASYNCSTATIC_ROOT" if self is Where.ROOT else "STATIC_ROOT"
        return f"it is in {place}, or will be: this app hides dotfiles, other web servers do not"


class Exposed(NamedTuple):
    """A file that is public, or will be; ``mtime`` is ``None`` where nobody has asked for it.

    ``base`` is the last component of its name. ``is_own``: it did not come with a package. ``disclosed`` is what a
    collect saw in it as it is; of a source it is ``None`` where no collect has looked.
    """

    name: str
    base: str
    file: str
    where: Where
    size: int = 0
    mtime: float | None = None
    is_own: bool = True
    disclosed: Disclosed | None = None
    is_folder: bool = False


def exposed_files(project: Project) -> Iterator[Exposed]:
    """What is public, or will be with the next collect, but for sources of which everything is known to be well."""
    yield from _sources(project)
    root = project.place.root
    if root is not None:
        yield from _kept(project, root)
        written = project.order.reserved if project.order is not None else ()
        where = Where.SERVED if project.index is None else Where.STRAY
        yield from _strays(root, project.listing, where, written)
    own_root = conf.setting("ASYNCSTATIC_ROOT")
    if own_root is not None and os.path.isdir(own_root):
        yield from _strays(Path(own_root), list_root(Path(own_root), closed=CLOSED_FOLDERS), Where.ROOT)


def _sources(project: Project) -> Iterator[Exposed]:
    """Those that are of some kind or disclose something, and those in which no collect has looked."""
    disclosed = None if project.deep else project.disclosed
    looks, changed = project.looks, project.changed
    names = looks.keys() if disclosed is None else looks.keys() & (disclosed.keys() | changed)
    for name in sorted(names):
        found = looks[name].found
        if found is not None and stat.S_ISREG(found.st_mode):
            source = project.sources[name]
            yield Exposed(
                name,
                name.rpartition("/")[2],
                source.file or "",
                Where.SOURCE,
                found.st_size,
                found.st_mtime,
                not is_installed(source),
                None if disclosed is None or name in changed else disclosed[name],
            )


def _kept(project: Project, root: Path) -> Iterator[Exposed]:
    """What the index has of earlier releases, under its plain names."""
    if project.index is None:
        return
    aliases, resources = project.collected.aliases.keys(), project.collected.resources.keys()
    published = {record.published for record in project.records.values()}
    for path in sorted((aliases - project.sources.keys()) | (resources - project.sources.keys() - published)):
        if not _HASHED.search(path):
            yield Exposed(path, path.rpartition("/")[2], f"{root}/{path}", Where.KEPT)


#: As Django makes hashed names; the plain one stands in the index beside it.
_HASHED = re.compile(r"\.[0-9a-f]{12}(?:\.[^./]*)?$")


def _strays(root: Path, listing: Listing, where: Where, written: Container[str] = ()) -> Iterator[Exposed]:
    """The files that no collect put there; of version control the directory, for nobody looks into it.

    ``written`` are names that collecting itself writes.
    """
    for name, found in real_strays(listing).items():
        if stat.S_ISREG(found.st_mode) and name not in written:
            yield Exposed(name, name.rpartition("/")[2], f"{root}/{name}", where, found.st_size, found.st_mtime)
    for name in listing.folders:
        base = name.rpartition("/")[2]
        if base.lower() in VERSION_CONTROL.folders:
            yield Exposed(name, base, f"{root}/{name}", where, is_folder=True)


# --- by content ----------------------------------------------------------------------------------------------


def _contents(files: Sequence[Exposed], *, everything: bool) -> Iterator[Finding]:
    own_secrets = conf.secret_keys()
    maps: list[tuple[Exposed, SourceMap, bool]] = []
    unread: list[Exposed] = []
    for each in _worth_telling(files, everything=everything):
        disclosed = each.disclosed
        try:
            if disclosed is None:
                disclosed = look_into(each.file, each.base, own_secrets, reads_map=each.is_own)
        except OSError:
            if each.where is not Where.SOURCE:  # that of a source is a finding of the family "files"
                unread.append(each)
            continue
        for kind, line, column in disclosed.secrets:
            yield _secret(each, kind, line, column)
        if disclosed.source_map is not None:
            maps.append((each, disclosed.source_map, disclosed.is_inline))
    yield from _map_findings(maps)
    if unread:
        yield Finding(
            "asyncstatic.I077",
            f"Not looked into, since this user may not read them: {enumerate_names([each.name for each in unread])}.",
            "Run checkstatic as the user who collects.",
            Place.of(unread[0].file),
        )


def _worth_telling(files: Sequence[Exposed], *, everything: bool) -> Iterator[Exposed]:
    """What a collect has looked into, or is to be looked into now.

    That is everything, or sources that no collect has seen; and of what lies elsewhere what has a telling name, and
    the latest rest.
    """
    rest = []
    for each in files:
        if each.is_folder:
            continue
        if everything or each.where is Where.SOURCE:
            if each.disclosed is not None or may_disclose(each.base):
                yield each
        elif is_suspicious(each.base):
            yield each
        elif each.mtime is not None and each.size <= QUICKLY_READ:
            rest.append(each)
    rest.sort(key=attrgetter("mtime"), reverse=True)
    yield from islice((each for each in rest if may_disclose(each.base)), LATEST)


def _secret(each: Exposed, kind: str, line: int | None, column: int | None) -> Finding:
    where = each.where.hidden if _is_hidden(each.name) else each.where.value
    return Finding(
        "asyncstatic.E034",
        f"{printable(each.name)} holds {kind}: {where}.",
        "Take it out. If this was deployed it has been public: revoke it, and make a new one.",
        Place.of(each.file, line, column),
        subject=f"{kind} in {each.name}",
    )


def _map_findings(maps: Sequence[tuple[Exposed, SourceMap, bool]]) -> Iterator[Finding]:
    telling = [(each, found) for each, found, _ in maps if found.machine_files]
    for each, found in telling[:LISTED]:
        yield Finding(
            "asyncstatic.W035",
            f"{printable(each.name)} tells visitors where files are on the machine that built it:"
            f" {enumerate_names(found.machine_files)}.",
            "Let the bundler write relative paths, or leave source maps out of what is collected.",
            Place.of(each.file),
            subject=each.name,
        )
    groups = [
        (
            "asyncstatic.W035",
            [each for each, _ in telling[LISTED:]],
            "More source maps tell visitors where files are on the machine that built them",
            "Let the bundler write relative paths, or leave source maps out of what is collected.",
            "more",
        ),
        (
            "asyncstatic.W035",
            [each for each, _, is_inline in maps if is_inline],
            "Source maps stand in the files themselves, and every visitor loads them",
            "Build for production: with source maps in files of their own, or without.",
            "inline",
        ),
        (
            "asyncstatic.I075",
            [each for each, found, is_inline in maps if found.embedded and not is_inline],
            "Source maps have the sources in them, comments included",
            "If they are not to be public, build without sourcesContent, or leave source maps out.",
            "embedded",
        ),
    ]
    for finding_id, files, what, hint, subject in groups:
        if files:
            names = enumerate_names([each.name for each in files])
            yield Finding(finding_id, f"{what}: {names}.", hint, Place.of(files[0].file), subject=subject)


# --- by name -------------------------------------------------------------------------------------------------


def _kinds(files: Sequence[Exposed]) -> Iterator[Finding]:
    """A finding for each kind of files, and each place where they lie."""
    groups: dict[tuple[Kind, Where], list[Exposed]] = defaultdict(list)
    films = {each.name.rpartition("/")[0] for each in files if each.base.endswith(".m3u8")}
    for each in files:
        if not each.is_own:
            continue
        folder = each.name[: -len(each.base) - 1]
        kind = VERSION_CONTROL if each.is_folder else kind_of_folder(folder) or kind_of(each.base)
        # HLS calls the parts of a film ".ts", as TypeScript calls its files.
        if kind is not None and not (folder in films and each.base.endswith(".ts")):
            groups[kind, each.where].append(each)
    for (kind, where), found in groups.items():
        shown = [each for each in found if kind is VERSION_CONTROL or not _is_hidden(each.name)]
        if shown:
            first = min(shown)
            names = enumerate_names(sorted(each.name for each in shown))
            how = where.hidden if _is_hidden(first.name) else where.value
            subject = f"{kind.what}, {where.name}"
            yield Finding(kind.id, f"{kind.what}: {names}; {how}.", kind.hint, Place.of(first.file), subject=subject)


def _is_hidden(name: str) -> bool:
    return not conf.setting("ASYNCSTATIC_DOTFILES") and is_hidden(name)


# --- the check -----------------------------------------------------------------------------------------------


@check(
    "leaks",
    lists_root=True,
    E034="a key, a password, a database or another secret is public",
    W035="source maps that name files of a machine, or that every visitor loads",
    W036="source code, configuration or version control that is public",
    I074="files for developers that are public",
    I075="source maps with the sources in them",
    I077="files that could not be looked into",
)
def check_leaks(project: Project) -> Iterator[Finding]:
    """E034, W035, W036, I074, I075, I077: what should not be public, by content and by name."""
    files = list(exposed_files(project))
    yield from _contents(files, everything=project.deep)
    yield from _kinds(files)
