"""The templates of every configured engine: where they are, and what is in those that can be rendered.

Nothing is compiled by Django or rendered. What a loader cannot tell is told as :class:`Unseen`.
"""

from __future__ import annotations

import os
import posixpath
import re
from collections import Counter
from collections.abc import Callable, Iterable, Iterator
from dataclasses import dataclass, replace
from functools import partial
from typing import TYPE_CHECKING, Any

from django_asyncstatic.diagnosing.languages import DjangoLanguage, JinjaLanguage, Language, Wanted

if TYPE_CHECKING:
    from django.template import Engine
    from django.template.loaders.base import Loader

#: Bytes of a template that are read at once.
CHUNK = 1 << 16

#: What directories of templates also hold, and no loader is asked for: code, translations, their tools.
_NO_TEMPLATES = (".py", ".pyc", ".po", ".pot", ".mo")
_NO_TEMPLATE_DIRECTORIES = ("node_modules", "__pycache__")

#: The name in {% extends "name" %}, and in what extends as it does, such as {% overextends %}.
_EXTENDS = re.compile(rb"\{%-?\s*\w*extends\s+[\"']([^\"'\n]+)[\"']")


class Unreadable(Exception):
    """A template whose text cannot be had; says why."""


@dataclass(frozen=True, slots=True)
class Template:
    """One template. ``file`` is its path where it is a file on this machine, ``read`` gives its bytes or its text.

    ``is_shared``: other engines find the file too, so that it may be written in the language of one of those.
    """

    language: Language
    name: str
    file: str | None
    read: Callable[[], bytes | str]
    is_shared: bool = False

    def text(self, wanted: Wanted) -> str | None:
        """Its text, if it has in it what is wanted. Raises :class:`Unreadable`."""
        try:
            data = self.read()
        except Exception as error:  # a loader is the project's own code
            raise Unreadable(f"cannot be read: {error}") from error
        if not wanted.is_in(data):
            return None
        if isinstance(data, str):
            return data
        try:
            text = data.decode(self.language.charset)
        except UnicodeDecodeError as error:
            if b"{%" not in data:
                return None
            raise Unreadable(f"is not {self.language.charset}: {error.reason} at byte {error.start}") from error
        # As files that are opened as text are read.
        return text.replace("\r\n", "\n").replace("\r", "\n") if "\r" in text else text


@dataclass(frozen=True, slots=True)
class Unseen:
    """Templates that could not be looked for: what they are of, and why not."""

    what: str
    why: str


def find_templates() -> tuple[list[Template], list[Unseen]]:
    """The templates that can be rendered, each file once for each language it may be written in."""
    templates: list[Template] = []
    unseen: list[Unseen] = []
    engines: Counter[str] = Counter()
    for alias, backend in _backends(unseen):
        found = list(_templates(alias, backend, unseen))
        engines.update({each.file for each in found if each.file})
        templates += found
    chosen: dict[tuple[type, str, str], Template] = {}
    for each in templates:
        template = replace(each, is_shared=True) if each.file is not None and engines[each.file] > 1 else each
        # A template without a file is one of its engine's; one with a file may be found in several ways.
        where = ("", each.file) if each.file else (str(id(each.language)), each.name)
        chosen.setdefault((type(each.language), *where), template)
    return list(chosen.values()), unseen


def _backends(unseen: list[Unseen]) -> Iterator[tuple[str, Any]]:
    from django.template import engines

    try:
        aliases = list(engines)
    except Exception as error:
        unseen.append(Unseen("TEMPLATES", f"is refused by Django: {error}"))
        return
    for alias in aliases:
        try:
            yield alias, engines[alias]
        except Exception as error:
            unseen.append(Unseen(f"The engine {alias!r} in TEMPLATES", f"cannot be made: {error}"))


def _templates(alias: str, backend: Any, unseen: list[Unseen]) -> Iterator[Template]:
    from django.template import Engine

    engine, environment = getattr(backend, "engine", None), getattr(backend, "env", None)
    if isinstance(engine, Engine):
        yield from _of_django(alias, engine, unseen)
    elif hasattr(environment, "loader") and hasattr(environment, "parse"):
        yield from _of_jinja(alias, environment, unseen)
    elif type(backend).__module__ != "django.template.backends.dummy":
        why = f"is a {type(backend).__module__}.{type(backend).__qualname__}, whose language is not known"
        unseen.append(Unseen(f"The engine {alias!r} in TEMPLATES", why))


def _of_django(alias: str, engine: Engine, unseen: list[Unseen]) -> Iterator[Template]:
    language = DjangoLanguage(engine)
    by_name: dict[str, list[Template]] = {}
    try:
        loaders = list(_flattened(engine.template_loaders))
    except Exception as error:
        unseen.append(Unseen(f"The engine {alias!r} in TEMPLATES", f"has a loader that cannot be made: {error}"))
        return
    for loader in loaders:
        try:
            for template in _of_loader(language, loader):
                by_name.setdefault(template.name, []).append(template)
        except Exception as error:
            unseen.append(Unseen(_name_of(loader), f"cannot list its templates: {error}"))
    for templates in by_name.values():
        yield from _rendered(templates)


def _flattened(loaders: Iterable[Loader]) -> Iterator[Loader]:
    """Without those that only wrap others, as the cached one does."""
    for loader in loaders:
        inner = getattr(loader, "loaders", None)
        if inner:
            yield from _flattened(inner)
        else:
            yield loader


def _of_loader(language: Language, loader: Any) -> Iterator[Template]:
    from django.template import Origin
    from django.template.loaders import filesystem, locmem

    if isinstance(loader, locmem.Loader):
        for name in loader.templates_dict:
            yield Template(language, name, None, partial(loader.get_contents, Origin(name, name, loader)))
        return
    if not hasattr(loader, "get_dirs"):
        raise NotImplementedError("it has no get_dirs()")
    # A loader that gets contents in its own way may translate them from another language.
    reads_plainly = getattr(type(loader), "get_contents", None) is filesystem.Loader.get_contents
    for directory in map(os.path.abspath, loader.get_dirs()):
        for name in _names_below(directory):
            file = os.path.join(directory, name if os.sep == "/" else name.replace("/", os.sep))
            if reads_plainly:
                yield Template(language, name, file, partial(_bytes_of, file))
            else:
                yield Template(language, name, file, partial(loader.get_contents, Origin(file, name, loader)))


def _bytes_of(file: str) -> bytes:
    # Most are small, and what Python does to open a file takes as long as to read one.
    opened = os.open(file, os.O_RDONLY | getattr(os, "O_BINARY", 0))
    try:
        parts = []
        while part := os.read(opened, CHUNK):
            parts.append(part)
        return b"".join(parts)
    finally:
        os.close(opened)


def _names_below(directory: str) -> Iterator[str]:
    """Relative to the directory, which may be a whole project, with environments and repositories in it."""
    seen = set()
    left = [""]
    while left:
        prefix = left.pop()
        folder = os.path.join(directory, prefix)
        files, folders = [], []
        try:
            found = os.stat(folder)
            with os.scandir(folder) as entries:
                for entry in entries:
                    if entry.is_dir():
                        if not entry.name.startswith(".") and entry.name not in _NO_TEMPLATE_DIRECTORIES:
                            folders.append(f"{prefix}{entry.name}/")
                    elif not entry.name.endswith(_NO_TEMPLATES) and entry.is_file():
                        files.append(entry.name)
        except OSError:  # Django does not find what is in there, either
            continue
        if "pyvenv.cfg" in files or (found.st_dev, found.st_ino) in seen:
            continue
        seen.add((found.st_dev, found.st_ino))
        left += sorted(folders, reverse=True)
        for file in sorted(files):
            yield prefix + file


def _rendered(templates: list[Template]) -> Iterator[Template]:
    """Of the templates of one name, in the order of the loaders: the first, and the next if that extends its own name.

    The others are never found.
    """
    for template in templates[:-1]:
        yield template
        if not _extends_its_own_name(template):
            return
    yield templates[-1]


def _extends_its_own_name(template: Template) -> bool:
    try:
        data = template.read()
    except Exception:
        return False
    found = _EXTENDS.search(data.encode() if isinstance(data, str) else data)
    if found is None:
        return False
    name = found[1].decode(errors="replace")
    if name.startswith(("./", "../")):
        name = posixpath.normpath(posixpath.join(posixpath.dirname(template.name), name))
    return name == template.name


def _of_jinja(alias: str, environment: Any, unseen: list[Unseen]) -> Iterator[Template]:
    language = JinjaLanguage(environment)
    if environment.loader is None:
        return
    try:
        names = environment.loader.list_templates()
    except Exception as error:
        unseen.append(Unseen(f"The template loader of the engine {alias!r}", f"cannot list its templates: {error}"))
        return
    for name in names:
        if name.endswith(_NO_TEMPLATES):
            continue
        try:
            file = environment.loader.get_source(environment, name)[1]
        except UnicodeDecodeError:  # an image beside the templates
            continue
        except Exception as error:
            unseen.append(Unseen(f"The template {name!r} of the engine {alias!r}", f"cannot be read: {error}"))
            continue
        path = os.path.abspath(file) if file is not None and os.path.isfile(file) else None
        yield Template(language, name, path, partial(_source_of, environment, name))


def _source_of(environment: Any, name: str) -> str:
    text: str = environment.loader.get_source(environment, name)[0]
    return text


def _name_of(loader: Any) -> str:
    return f"The template loader {type(loader).__module__}.{type(loader).__qualname__}"
