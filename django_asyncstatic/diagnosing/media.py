"""The static files that the ``Media`` of forms, widgets and the admin's classes names.

Looked at are the classes that a process has imported when it begins to serve: those of the apps, which django.setup()
imported, and those that the URLconf leads to, which is imported for it. And the instances that the registered admin
classes would use. No form and no view is constructed.
"""

from __future__ import annotations

import inspect
import os
import sys
from collections.abc import Iterator
from contextlib import suppress
from pathlib import Path
from typing import Any, NamedTuple

from django.apps import apps
from django.forms.widgets import Media, MediaDefiningClass, Widget
from django.urls import get_resolver

from django_asyncstatic import conf
from django_asyncstatic.diagnosing.findings import Place

_PACKAGES = {"site-packages", "dist-packages"}


class Named(NamedTuple):
    """A static file that is named by the ``Media`` of a class, or by what makes up its ``media``."""

    owner: type
    name: str


class Failed(NamedTuple):
    """A class whose ``Media`` cannot be had, and why."""

    owner: type
    why: str


def is_installed(file: str | None) -> bool:
    """Whether a file came with a package: it is not one that this project's people write."""
    return file is not None and not _PACKAGES.isdisjoint(file.split(os.sep))


def media_names() -> Iterator[Named | Failed]:
    """Each with the class that declares it, and then what only the admin's instances tell."""
    with conf.urls_not_fixed(), suppress(Exception, SystemExit):  # what is wrong with a user's modules is I069
        _ = get_resolver().url_patterns
    for cls in _media_classes():
        definition = vars(cls).get("Media")
        if definition is not None and _is_of_project(cls):
            for each in _names(cls, lambda definition=definition: Media(definition)):
                if isinstance(each, Failed) or not _is_of_an_absent_app(each):
                    yield each
    for each in _of_admin():
        yield from _names(type(each), lambda each=each: each.media)


def place_of(owner: type, name: str = "") -> Place | None:
    """Where a class is written, at the line with the name if it is there."""
    try:
        file = inspect.getsourcefile(owner)
        lines, first = inspect.getsourcelines(owner)
    except (OSError, TypeError):
        return None
    found = next((number for number, line in enumerate(lines) if name and name in line), 0)
    return Place(file, first + found) if file else None


def _names(owner: type, media: Any) -> Iterator[Named | Failed]:
    try:
        built = media()
        # As lists, for merging them warns of another order, which is no fault here.
        assets = [each for medium in built._css_lists for paths in medium.values() for each in paths]
        assets += [each for paths in built._js_lists for each in paths]
    except Exception as error:
        yield Failed(owner, f"{type(error).__name__}: {error}")
        return
    for asset in assets:
        # A string that is HTML, and an object that renders itself, say nothing that could be compared.
        path = getattr(asset, "_path", asset if type(asset) is str else None)
        if isinstance(path, str) and not path.startswith(("http://", "https://", "/")):
            yield Named(owner, path)


def _media_classes() -> Iterator[type]:
    """All that have been imported. The metaclass may be given at any depth, so every class is asked."""
    seen: set[type] = set()
    found = [object]
    while found:
        cls = found.pop()
        for each in type.__subclasses__(cls):
            if each not in seen:
                seen.add(each)
                found.append(each)
                if isinstance(each, MediaDefiningClass):
                    yield each


def _is_of_project(cls: type) -> bool:
    """Not so for a module of a package that is not installed as an app, which something else has imported."""
    file = getattr(sys.modules.get(cls.__module__), "__file__", None)
    return apps.get_containing_app_config(cls.__module__) is not None or (file is not None and not is_installed(file))


def _is_of_an_absent_app(named: Named) -> bool:
    """Whether a package has the file beside the class, in an app of its own that is not in INSTALLED_APPS."""
    file = getattr(sys.modules.get(named.owner.__module__), "__file__", None)
    if file is None or not is_installed(file):
        return False
    folders = [folder for folder in Path(file).parents if is_installed(str(folder))]
    installed = {config.path for config in apps.get_app_configs()}
    return any(str(each) not in installed and (each / "static" / named.name).is_file() for each in folders)


def _of_admin() -> Iterator[Any]:
    """The registered instances, those of their inlines, and the widgets they show fields with."""
    if "django.contrib.admin.sites" not in sys.modules or not apps.is_installed("django.contrib.admin"):
        return
    from django.contrib.admin.sites import all_sites

    for site in sorted(all_sites, key=lambda site: site.name):
        for model_admin in list(site._registry.values()):
            yield model_admin
            yield from _widgets(model_admin)
            for inline_class in getattr(model_admin, "inlines", ()):
                try:
                    inline = inline_class(model_admin.model, site)
                except Exception:  # what is wrong with it is said by Django's own checks
                    continue
                yield inline
                yield from _widgets(inline)


def _widgets(model_admin: Any) -> Iterator[Widget]:
    candidates = [each.get("widget") for each in getattr(model_admin, "formfield_overrides", {}).values()]
    candidates += [field.widget for field in getattr(model_admin.form, "base_fields", {}).values()]
    for field in model_admin.model._meta.fields:
        if field.editable and not field.is_relation:
            try:
                formfield = field.formfield()
            except Exception:
                continue
            candidates.append(getattr(formfield, "widget", None))
    for candidate in candidates:
        if isinstance(candidate, Widget):
            yield candidate
        elif isinstance(candidate, type) and issubclass(candidate, Widget):
            try:
                yield candidate()
            except Exception:
                continue
