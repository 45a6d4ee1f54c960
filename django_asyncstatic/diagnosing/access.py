"""What the file system lets be read, by whom, and where its links lead. Part of the family of :mod:`.files`."""

from __future__ import annotations

import errno
import os
import stat
import time
from collections import defaultdict
from collections.abc import Iterable, Iterator
from typing import NamedTuple

from django_asyncstatic.collecting.sources import Source
from django_asyncstatic.diagnosing.finders import Look
from django_asyncstatic.diagnosing.findings import Finding, Place, enumerate_names, printable
from django_asyncstatic.diagnosing.listing import real_strays
from django_asyncstatic.diagnosing.project import Project
from django_asyncstatic.diagnosing.walking import FUTURE
from django_asyncstatic.index import PRIVATE_DIRECTORY

_KINDS = {
    stat.S_IFIFO: "a FIFO",
    stat.S_IFSOCK: "a socket",
    stat.S_IFCHR: "a device",
    stat.S_IFBLK: "a device",
    stat.S_IFDIR: "a directory",
}


class _Mode(NamedTuple):
    """A fault of modes: ``of`` are the bits that decide, ``wants`` says whether one of them has to be set."""

    can_be: str
    of: int
    wants: bool
    files: bool
    folders: bool
    so: str

    def is_wrong(self, mode: int) -> bool:
        return bool(mode & self.of) != self.wants


_MODES = (
    _Mode("entered by its owner only", 0o011, True, False, True, "a server of another user finds nothing in it"),
    _Mode("read by its owner only", 0o044, True, True, False, "a server of another user cannot send it"),
    _Mode("changed by every user of this machine", 0o002, False, True, True, "so can what every visitor runs"),
)


def is_installed(source: Source) -> bool:
    """Whether a file came with an installed package: what is wrong with it is public, and not the project's to mend."""
    return source.file is not None and f"-packages{os.sep}" in source.file


# --- sources -------------------------------------------------------------------------------------------------


def unreadable_sources(project: Project) -> Iterator[Finding]:
    """E039: what makes collectstatic stop."""
    for finder, error in project.unlisted:
        yield Finding(
            "asyncstatic.E039",
            f"{type(finder).__name__} stops at what cannot be listed: {error.strerror}. So does collectstatic.",
            "Let the user who collects read it, or remove it.",
            None if error.filename is None else Place.of(error.filename),
            subject=type(finder).__name__,
        )
    for name, seen in project.looks.items():
        if seen.found is not None and seen.found.st_mode & 0o170004 == 0o100004:
            continue  # a regular file that everybody may read, as nearly all are
        file = project.sources[name].file
        assert file is not None
        if fault := _fault(file, seen):
            yield Finding(
                "asyncstatic.E039",
                f"{printable(name)} {fault}: collectstatic stops.",
                "Mend it, remove it, or leave it out with ignore_patterns of the app's StaticFilesConfig.",
                Place.of(file),
                subject=name,
            )


def _fault(file: str, seen: Look) -> str:
    if seen.found is None:
        number = seen.error.errno if seen.error is not None else None
        if number == errno.ELOOP:
            return "is a link that leads to itself"
        if number == errno.ENOENT and seen.is_link:
            return "is a link that leads nowhere"
        return f"cannot be read ({seen.error.strerror if seen.error is not None else 'of no kind'})"
    mode = seen.found.st_mode
    if not stat.S_ISREG(mode):
        return f"is {_KINDS.get(stat.S_IFMT(mode), 'no regular file')}"
    # What everybody may read is not asked for; what only some may, the system knows.
    as_effective_user = os.access in os.supports_effective_ids
    if mode & 0o004 or os.access(file, os.R_OK, effective_ids=as_effective_user):
        return ""
    return "cannot be read (permission denied)"


# --- STATIC_ROOT ---------------------------------------------------------------------------------------------


def modes(project: Project) -> Iterator[Finding]:
    """W038: the modes that collecting gave. Those of Windows are other ones, and say nothing here."""
    root, listing = project.place.root, project.listing
    if os.name == "nt" or root is None:
        return
    for name, reason in listing.errors.items():
        yield Finding(
            "asyncstatic.W038",
            f"{printable(name) or 'STATIC_ROOT'} cannot be listed by this user: {reason}.",
            "Let the user that serves read and enter it.",
            Place.of(root / name),
            subject=name,
        )
    for mode in _MODES:
        wrong = [
            (name, found)
            for name, found in listing.folders.items()
            if mode.folders and mode.is_wrong(found) and not f"{name}/".startswith(f"{PRIVATE_DIRECTORY}/")
        ]
        for found in listing.modes if mode.files else ():
            if stat.S_ISREG(found) and mode.is_wrong(found):
                wrong += [(name, found) for name in listing.with_mode(found)]
        if wrong:
            name, found = min(wrong)
            shown = f"{printable(name) or 'STATIC_ROOT'} has the mode {stat.S_IMODE(found):04o}"
            others = ", and it is not the only one" if len(wrong) > 1 else ""
            yield Finding(
                "asyncstatic.W038",
                f"{shown}{others}: it can be {mode.can_be}; {mode.so}.",
                "Set FILE_UPLOAD_PERMISSIONS to 0o644 and FILE_UPLOAD_DIRECTORY_PERMISSIONS to 0o755 (or the storage's"
                " own modes), remove STATIC_ROOT, and collect again.",
                Place.of(root / name),
                subject=mode.can_be,
            )


# --- links and times -----------------------------------------------------------------------------------------


def links(project: Project) -> Iterator[Finding]:
    """W039, I064: where links lead."""
    leading_out: dict[str, list[str]] = defaultdict(list)
    for location, names in _source_links(project).items():
        real_location = os.path.realpath(location)
        for name in names:
            link = os.path.join(location, name)
            target = os.path.realpath(link)
            if _is_below(os.path.realpath(os.path.dirname(link)), target):
                yield Finding(
                    "asyncstatic.W039",
                    f"{printable(name)} is a link to a directory above it: what is there is collected again and again,"
                    " under longer and longer names.",
                    "Remove it.",
                    Place.of(link),
                    subject=name,
                )
            elif not _is_below(target, real_location):
                leading_out[location].append(name)
    for location, names in leading_out.items():
        names.sort()
        yield Finding(
            "asyncstatic.I064",
            f"{Place.of(location)} has links to what is elsewhere, and that is collected: {enumerate_names(names)}.",
            "Look whether all that is there is to be public.",
            Place.of(os.path.join(location, names[0])),
            subject=str(Place.of(location)),
        )
    root = project.place.root
    if root is None:
        return
    strays = [name for name, found in sorted(real_strays(project.listing).items()) if stat.S_ISLNK(found.st_mode)]
    real_root = os.path.realpath(root)
    out = [
        name
        for name in strays
        if os.path.exists(root / name) and not _is_below(os.path.realpath(root / name), real_root)
    ]
    if out:
        yield Finding(
            "asyncstatic.W039",
            f"Links lead out of STATIC_ROOT, and no collect made them: {enumerate_names(out)}. This app does not follow"
            " them, another web server may.",
            "Remove them.",
            Place.of(root / out[0]),
        )


def _source_links(project: Project) -> dict[str, list[str]]:
    """By the directory of a finder that is the project's own, the links in it: the outermost ones."""
    folders: dict[str, set[str]] = defaultdict(set)
    links: dict[str, list[str]] = defaultdict(list)
    if not project.linked_folders and not any(seen.is_link for seen in project.looks.values()):
        return links
    for found in project.found:
        if found.source.file is not None and not is_installed(found.source):
            location: str = found.storage.location  # type: ignore[attr-defined]
            folders[location].add(_folder(found.path))
            if project.sources[found.name] is found.source and project.looks[found.name].is_link:
                links[location].append(found.path)
    for location, paths in folders.items():
        linked: set[str] = set()
        for folder in sorted({above for path in paths for above in _with_parents(path)}, key=len):
            if linked.isdisjoint(_with_parents(folder)) and os.path.join(location, folder) in project.linked_folders:
                linked.add(folder)
        links[location] = sorted(linked) + [
            file for file in links[location] if linked.isdisjoint(_with_parents(_folder(file)))
        ]
    return links


def _with_parents(path: str) -> Iterable[str]:
    """``a/b/c``, ``a/b`` and ``a``."""
    while path:
        yield path
        path = _folder(path)


def _folder(path: str) -> str:
    return path.rpartition(os.sep)[0]  # os.path.dirname takes five times as long


def _is_below(path: str, root: str) -> bool:
    return path == root or path.startswith(root.rstrip(os.sep) + os.sep)


def future_times(project: Project) -> Iterator[Finding]:
    """I065: times that say nothing about what is newer than what."""
    latest = time.time() + FUTURE
    sources = [name for name, seen in project.looks.items() if seen.found is not None and seen.found.st_mtime > latest]
    for found, root in ((sources, None), (project.listing.future, project.place.root)):
        if found:
            names = sorted(found)
            file = project.sources[names[0]].file if root is None else root / names[0]
            yield Finding(
                "asyncstatic.I065",
                f"Modified in the future, says the file system: {enumerate_names(names)}. Django's collectstatic,"
                " and servers that go by such times, take them for newer than what replaces them.",
                "Touch them, and look at the clock of the machine that wrote them.",
                Place.of(file) if file is not None else None,
                subject="sources" if root is None else "STATIC_ROOT",
            )
