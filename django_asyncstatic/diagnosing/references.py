"""What templates, ``Media``, style sheets and scripts refer to, against what would be collected."""

from __future__ import annotations

import json
import posixpath
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import replace
from functools import cache, cached_property
from typing import NamedTuple
from urllib.parse import unquote, urldefrag, urlsplit

from django_asyncstatic import conf
from django_asyncstatic.collecting.finished import Record
from django_asyncstatic.collecting.hashing import Broken, Names
from django_asyncstatic.collecting.references import ModulesUnavailable, Reference
from django_asyncstatic.collecting.sources import Source
from django_asyncstatic.collecting.survey import LISTED, Search
from django_asyncstatic.diagnosing.findings import Finding, Place, check
from django_asyncstatic.diagnosing.languages import CannotCompile, Use, Wanted, WrittenOut, written_out
from django_asyncstatic.diagnosing.media import Failed, is_installed, media_names, place_of
from django_asyncstatic.diagnosing.project import Project
from django_asyncstatic.diagnosing.templates import Template, Unreadable, find_templates
from django_asyncstatic.storage import CompressedManifestStaticFilesStorage

NOT_LOOKED_AT = "asyncstatic.I017"


class Missing(NamedTuple):
    """Why a name is no static file, as the end of a sentence, and what to do.

    ``is_collected``: only the finders lack it; the last collect had it.
    """

    why: str
    hint: str
    is_collected: bool = False


class StaticNames:
    """Which names ``{% static %}`` takes, with the project's storage."""

    def __init__(self, project: Project) -> None:
        self._project = project
        self.names = Names(project.sources, static_path(project))
        storage = conf.unread_storage()[1]
        #: As django.contrib.staticfiles.storage.ManifestFilesMixin.stored_name has it; None for other storages.
        self.is_strict: bool | None = getattr(storage, "manifest_strict", None)
        self._asked = 0
        self._known: dict[str, Missing | None] = {}

    def missing(self, written: str) -> Missing | None:
        """What is wrong with a name; ``None`` if nothing is."""
        if written not in self._known:
            self._known[written] = self._missing(written)
        return self._known[written]

    def _missing(self, written: str) -> Missing | None:
        name = self._name(written)
        if name is None or name in self.names:
            return None
        if self._was_collected(name):
            return Missing(
                "no finder has it any more, only the last collect",
                "If it was removed, remove what names it too: after the next collectstatic it is an error. If another"
                " machine builds it, there is nothing to do here.",
                is_collected=True,
            )
        if self.names.is_directory(name):
            hint = f"End it with a slash, {name + '/'!r}: then it is passed on as it is, unverified."
            return Missing(f"it is a directory; {self._effect}", hint) if self.is_strict else None
        if other := self._folded.get(name.lower()):
            return Missing(
                f"{other!r} differs from it by case: that is one file on macOS and Windows, and two on Linux."
                f" {self._effect[0].upper()}{self._effect[1:]}",
                f"Write {other!r}.",
            )
        return Missing(f"no finder has it; {self._effect}", f"{self.advice(name)} {_FINDERS}")

    def _name(self, written: str) -> str | None:
        """The name that the storage looks for; ``None`` where it looks for none."""
        if self.is_strict is None:
            name = posixpath.normpath(written.replace("\\", "/").lstrip("/")) if written.strip("/") else ""
            return None if not name or written.endswith("/") or conf.is_live(name) else name
        try:
            if urlsplit(urldefrag(written)[0]).path.endswith("/"):
                return None
            name = urlsplit(unquote(urldefrag(written)[0])).path.strip()
        except ValueError:
            return written
        # What is not in the manifest is looked for on the disk then.
        return name if self.is_strict else posixpath.normpath(name) if name else None

    def absent_folder(self, name: str) -> str:
        """The first folder of a name if no finder has a file there: what it is of is not installed."""
        folder = name.partition("/")[0] if "/" in name else ""
        return "" if self.names.is_directory(folder) else folder

    @property
    def _effect(self) -> str:
        if self.is_strict is None:
            return "its URL is answered with 404"
        if self.is_strict:
            return "rendering it raises ValueError where DEBUG is off"
        return "rendering it raises ValueError where DEBUG is off, for manifest_strict=False looks for the file itself"

    def advice(self, name: str) -> str:
        """The nearest name, for as many as a person reads: it takes milliseconds."""
        self._asked += 1
        near = self.names.nearest(name) if self._asked <= LISTED else ""
        return f"D{near[3:]}" if near else "Correct the name."  # "; did you mean …?"

    @cached_property
    def _folded(self) -> dict[str, str]:
        return {name.lower(): name for name in self._project.sources}

    def _was_collected(self, name: str) -> bool:
        if self._manifest is not None:
            return name in self._manifest
        index = self._project.index
        resource = index.get(name) if index is not None else None
        return resource is not None and resource.release is None

    @cached_property
    def _manifest(self) -> Mapping[str, str] | None:
        """Of the last collect, as far as it can be read; whether it is right is for others to say."""
        manifest_name, index_file = conf.manifest_name(), self._project.place.index_file
        if manifest_name is None or index_file is None:
            return None
        try:
            paths = json.loads(index_file.with_name(manifest_name).read_bytes())["paths"]
        except (OSError, ValueError, KeyError, TypeError):
            return {}
        return paths if isinstance(paths, dict) else {}


_FINDERS = "What finders have, manage.py findstatic tells; what a build makes, has to be built first."


def static_path(project: Project) -> str:
    """The path of STATIC_URL, as references in style sheets have it."""
    return project.order.static_path if project.order else f"/{conf.static_prefix().lstrip('/')}"


# --- templates -------------------------------------------------------------------------------------------------

_UNSEEN = "Mend that, or look after what names static files in there yourself."


class Read(NamedTuple):
    """What a template asks for."""

    template: Template
    uses: list[Use]
    written_out: list[WrittenOut]

    def place(self, line: int, column: int | None) -> Place | None:
        file = self.template.file
        return None if file is None else Place(file, line, column)


@check(
    "references",
    E010="a template names a static file that does not exist",
    I016="a static file that only the last collect had",
    I017="something that names static files could not be looked at",
    I018="a package's template is for an app that is not installed",
    I060="names that are known only when a template is rendered",
    W060="a template writes a static file's URL out",
)
def check_templates(project: Project) -> Iterator[Finding]:
    """E010, I016, I017, I018, I060, W060: the static files that templates of all engines name."""
    templates, unseen = find_templates()
    for each in unseen:
        yield Finding(NOT_LOOKED_AT, f"{each.what} {each.why}.", _UNSEEN, subject=each.what)
    read, faults = _read(templates)
    yield from faults
    names = StaticNames(project)
    yield from _missing(read, names)
    yield from _written_out(read, names)
    yield from _dynamic(read)


def _read(templates: list[Template]) -> tuple[list[Read], list[Finding]]:
    """One after the other; what is kept is what they ask for."""
    urls = conf.static_urls()
    find_written_out = written_out(urls)
    wanted = cache(lambda mention: Wanted(mention, urls))
    found, faults = [], []
    for template in templates:
        language = template.language
        try:
            text = template.text(wanted(language.mention))
            if text is not None:
                uses, code = language.uses(text)
                found.append(Read(template, uses, list(find_written_out(text, code)) if urls else []))
        except (CannotCompile, Unreadable) as error:
            # A package brings templates for what else may be installed, and a shared file may be of another language.
            if not (isinstance(error, CannotCompile) and (template.is_shared or is_installed(template.file))):
                faults.append(_not_looked_at(template, str(error)))
    return found, faults


def _not_looked_at(template: Template, why: str) -> Finding:
    hint = "What it names is not verified. An engine that renders it would fail; if none does, it can be removed."
    place = None if template.file is None else Place(str(template.file))
    return Finding(NOT_LOOKED_AT, f"The template {template.name} {why}.", hint, place, template.name)


def _missing(read: list[Read], names: StaticNames) -> Iterator[Finding]:
    gone: dict[str, list[Place | None]] = {}
    absent: dict[str, list[Template]] = {}
    for each in read:
        template = each.template
        for use in each.uses:
            missing = None if use.name is None else names.missing(use.name)
            if use.name is None or missing is None:
                continue
            if missing.is_collected:
                gone.setdefault(use.name, []).append(each.place(use.line, use.column))
            elif use.depends and is_installed(template.file):
                continue  # whether it is asked for is for that package's tag to say
            elif is_installed(template.file) and (folder := names.absent_folder(use.name)):
                absent.setdefault(folder, []).append(template)
            else:
                message = f"The template {template.name} names {use.name!r}: {missing.why}."
                yield Finding("asyncstatic.E010", message, missing.hint, each.place(use.line, use.column), use.name)
    for name, places in gone.items():
        yield _gone(name, names, places)
    for folder, templates in absent.items():
        distinct = len({template.name for template in templates})
        yield Finding(
            "asyncstatic.I018",
            f"{_count(len(templates), 'name')} in {_count(distinct, 'template')} of installed packages begin with"
            f" {folder}/, and no finder has a file there: {templates[0].name} is the first.",
            "Such templates are for an app that is not installed. If you use it, add it to INSTALLED_APPS.",
            subject=folder,
        )


def _gone(name: str, names: StaticNames, places: list[Place | None]) -> Finding:
    missing = names.missing(name)
    assert missing is not None
    more = f", here and in {_count(len(places) - 1, 'other place')}" if len(places) > 1 else ""
    return Finding("asyncstatic.I016", f"{name!r} is named{more}: {missing.why}.", missing.hint, places[0], name)


def _written_out(read: list[Read], names: StaticNames) -> Iterator[Finding]:
    for each in read:
        for url, name, line, column in each.written_out:
            effect = "it breaks when STATIC_URL is another"
            if names.is_strict is not None:
                effect = f"it has no hash, so that it is not cached for long, and {effect}"
            hint = "Use {% static %}." if name is None else f'Write {{% static "{name}" %}}.'
            if name is not None and (missing := names.missing(name)) is not None:
                effect, hint = f"{effect}; there is no such file either", missing.hint
            message = f"The template {each.template.name} writes out {url!r}: {effect}."
            yield Finding("asyncstatic.W060", message, hint, each.place(line, column), url)


def _dynamic(read: list[Read]) -> Iterator[Finding]:
    """One for each template, and one for those that came with packages, which nobody here can change."""
    elsewhere: list[int] = []
    for each in read:
        uses = [use for use in each.uses if use.name is None]
        if not uses:
            continue
        if is_installed(each.template.file):
            elsewhere.append(len(uses))
            continue
        lines = sorted({use.line for use in uses})
        where = f"line{'s' if len(lines) > 1 else ''} {', '.join(map(str, lines))}"
        yield Finding(
            "asyncstatic.I060",
            f"{_count(len(uses), 'name')} of static files in the template {each.template.name} cannot be verified:"
            f" known only when it is rendered ({where}).",
            "Where there are only a few such files, name each in a branch of an if; else let a test render them.",
            each.place(uses[0].line, uses[0].column),
            each.template.name,
        )
    if elsewhere:
        yield Finding(
            "asyncstatic.I060",
            f"{_count(sum(elsewhere), 'name')} of static files in {_count(len(elsewhere), 'template')} of installed"
            " packages cannot be verified: known only when the template is rendered.",
            "They are for the tests of these packages.",
            subject="installed packages",
        )


def _count(number: int, noun: str) -> str:
    return f"{number} {noun}{'' if number == 1 else 's'}"


# --- Media -----------------------------------------------------------------------------------------------------


@check("references", E011="Media names a static file that does not exist")
def check_media(project: Project) -> Iterator[Finding]:
    """E011, I016, I017: ``Media`` of forms, widgets and admin classes."""
    names = StaticNames(project)
    told: set[str] = set()
    declared: set[tuple[type, str]] = set()
    for each in media_names():
        owner = f"{each.owner.__module__}.{each.owner.__qualname__}"
        if isinstance(each, Failed):
            message = f"The media of {owner} cannot be had: {each.why}."
            yield Finding(NOT_LOOKED_AT, message, _UNSEEN, place_of(each.owner), owner)
            continue
        missing = names.missing(each.name)
        # An instance's media has those that its class and the classes above it declare.
        if missing is None or any((cls, each.name) in declared for cls in each.owner.__mro__):
            continue
        declared.add((each.owner, each.name))
        place = place_of(each.owner, each.name)
        if not missing.is_collected:
            message = f"The media of {owner} names {each.name!r}: {missing.why}."
            yield Finding("asyncstatic.E011", message, missing.hint, place, owner)
        elif each.name not in told:
            told.add(each.name)
            yield _gone(each.name, names, [place])


# --- style sheets and scripts ----------------------------------------------------------------------------------

_STOPS = 'collectstatic stops here. Mend it or, where it is not yours, name it in the option "ignore_errors".'


@check(
    "references",
    E012="a style sheet or script refers to a file that does not exist",
    W015="a reference that stays as it is leads nowhere",
)
def check_sources(project: Project) -> Iterator[Finding]:
    """E012, I017, W015: references in style sheets and scripts. Those of files that have not changed are remembered."""
    storage = conf.unread_storage()[1]
    search = storage.search() if isinstance(storage, CompressedManifestStaticFilesStorage) else Search()
    records: Mapping[str, Record] = {}
    changed: frozenset[str] = frozenset()
    try:
        records, changed = ({}, frozenset()) if project.deep else (project.records, project.changed)
    except ModulesUnavailable as error:
        yield Finding(NOT_LOOKED_AT, f"Imports of JavaScript modules are not looked at: {error}.", _UNSEEN)
        search = replace(search, modules=False)
    names = StaticNames(project)
    for name, source in project.sources.items():
        if search.kind(name) is None:
            continue
        try:
            for reference in _references(source, search, records.get(name) if name not in changed else None):
                found = names.names.resolve(name, reference)
                if isinstance(found, Broken) and not search.ignores(name, reference.url):
                    yield _broken(source, found, names)
        except UnicodeDecodeError as error:
            if not search.ignores(name, ""):
                yield _not_utf8(source, error, names)
        except OSError as error:
            yield Finding(NOT_LOOKED_AT, f"{name} cannot be read: {error.strerror or error}.", _UNSEEN, subject=name)


def _references(source: Source, search: Search, record: Record | None) -> Sequence[Reference]:
    """Those that are remembered of a source that is as it was, or those that are read out of it."""
    if record is not None and record.references is not None:
        return record.references
    return search.find(source.name, source.read().decode())


def _broken(source: Source, found: Broken, names: StaticNames) -> Finding:
    reference = found.reference
    place = Place(source.file, reference.line, reference.column) if source.file else None
    message = f"{source.name} refers to {reference.url!r}: {found.why}."
    if not reference.required:
        hint = "Developer tools ask for it and get a 404. Add it, or remove the comment that names it."
        return Finding("asyncstatic.W015", message, hint, place, source.name)
    advice = names.advice(found.tried)
    if names.is_strict is None:
        hint = f"{advice} Browsers ask for it and get a 404."
        return Finding("asyncstatic.W015", message, hint, place, source.name)
    return Finding("asyncstatic.E012", message, f"{advice} {_STOPS}", place, source.name)


def _not_utf8(source: Source, error: UnicodeDecodeError, names: StaticNames) -> Finding:
    place = Place(source.file, error.object.count(b"\n", 0, error.start) + 1) if source.file else None
    message = f"{source.name} is not UTF-8 (byte {error.object[error.start]:#04x} at {error.start})."
    if names.is_strict is None:
        return Finding(NOT_LOOKED_AT, message, "What it refers to is not known. Convert it.", place, source.name)
    return Finding("asyncstatic.E012", message, f"Convert it. {_STOPS}", place, source.name)
