"""The settings: what they tell by themselves, and beside the storage, the entry modules and the URLconf."""

from __future__ import annotations

import ast
import sys
from collections.abc import Iterator
from dataclasses import replace
from pathlib import Path
from urllib.parse import urlsplit

from django.conf import settings
from django.core.exceptions import ImproperlyConfigured
from django.urls import Resolver404, resolve

from django_asyncstatic import conf
from django_asyncstatic.diagnosing.declared import makes_index, script_name, settings_findings, unprefixed
from django_asyncstatic.diagnosing.findings import Finding, Place, check
from django_asyncstatic.diagnosing.links import is_named
from django_asyncstatic.diagnosing.order import OURS
from django_asyncstatic.diagnosing.places import place_of_setting
from django_asyncstatic.diagnosing.project import Project
from django_asyncstatic.options import WHERE

#: A path that no route names, only patterns that take any.
_ANY = "asyncstatic-asks/which-route-takes-any-path"


@check(
    "settings",
    E059="STATIC_ROOT overlaps with what must not be deleted",
    E061="ASYNCSTATIC_ROOT has the project's code",
    W031="STATIC_URL does not work in production",
    I031="STATIC_URL has a host",
    W048="DEBUG is on in a site for production",
    W051="collectstatic is Django's",
    W052="STATIC_ROOT is inside MEDIA_ROOT",
    W053="STATIC_URL and MEDIA_URL overlap",
    W054="STATIC_URL is outside of FORCE_SCRIPT_NAME",
    W056="a setting of WhiteNoise or ServeStatic does nothing",
    W057="a setting of ours is misspelt",
)
def check_settings(project: Project) -> Iterator[Finding]:
    """What the settings tell by themselves, with the line at which each is set."""
    for finding in settings_findings():
        yield replace(finding, place=place_of_setting(finding.subject))


@check("settings", I055="the storage is not strict")
def check_storage(project: Project) -> Iterator[Finding]:
    """I055: a name that is not in the manifest passes silently."""
    try:
        storage = conf.unread_storage()[1]
    except ImproperlyConfigured:
        return  # without it the command does not begin
    if getattr(storage, "manifest_strict", True) is False:
        yield Finding(
            "asyncstatic.I055",
            "manifest_strict is off: a wrong name in {% static %} becomes a link to nowhere, and not an error.",
            f'Leave "manifest_strict" on in {WHERE}.',
            place_of_setting("STORAGES"),
            subject="STORAGES",
        )


@check("settings", W058="nothing serves the static files")
def check_server(project: Project) -> Iterator[Finding]:
    """W058: an index is made, and neither the middleware nor a wrapper is there to read it."""
    if not makes_index() or urlsplit(unprefixed("STATIC_URL")).netloc:
        return
    if any(is_named(link, OURS) for link in project.chain.links):
        return
    interfaces = project.interfaces
    entries = [entry for entry in (interfaces.asgi, interfaces.wsgi) if entry is not None]
    makers = {"django.core.asgi.get_asgi_application", "django.core.wsgi.get_wsgi_application"}
    if any(entry.is_wrapped or not makers & entry.imports.keys() for entry in entries):
        return  # wrapped, or made somewhere else
    yield Finding(
        "asyncstatic.W058",
        f"Nothing here serves the static files: {OURS} is not in MIDDLEWARE, and no entry module uses the wrapper.",
        f'Put "{OURS}" right below SecurityMiddleware; or ignore this if a server in front serves STATIC_ROOT.',
        place_of_setting("MIDDLEWARE"),
        subject="MIDDLEWARE",
    )


@check(
    "settings",
    W030="Django's view for development serves static files",
    I030="a route below STATIC_URL",
    I069="the URLconf cannot be looked at",
)
def check_routes(project: Project) -> Iterator[Finding]:
    """W030, I030, I069: what the URLconf does with paths below STATIC_URL. No view is called."""
    prefix = conf.static_prefix()
    script = script_name()
    prefix = "/" + (prefix.removeprefix(script) if prefix.startswith(f"{script}/") else prefix).lstrip("/")
    if prefix == "/":
        return
    try:
        below, anywhere = _route(prefix + _ANY), _route("/" + _ANY)
    except (Exception, SystemExit) as error:  # importing it runs a user's modules
        message = f"The URLconf cannot be looked at: {type(error).__name__}: {error}."
        yield Finding("asyncstatic.I069", message, "Mend it; manage.py check tells more.", subject="ROOT_URLCONF")
        return
    helper = _static_helper()
    if helper is not None:
        yield Finding(
            "asyncstatic.I030",
            "static(settings.STATIC_URL, …) is left in the URLconf: under DEBUG it serves STATIC_ROOT as of the last"
            " collect, and does nothing without.",
            "Remove it: static files are served before the URLconf is asked.",
            helper,
        )
    elif below is not None and below != anywhere:
        view, route = below
        is_for_development = view == "django.views.static.serve"
        if is_for_development and not settings.DEBUG:
            yield Finding(
                "asyncstatic.W030",
                f"The route {route!r} serves files through {view}, which Django has for development: what the index"
                " lacks, and the manifest and the index themselves.",
                "Remove it: static files are served before the URLconf is asked.",
                subject=f"{route} {view}",
            )
        elif not view.startswith("django.contrib.staticfiles."):
            yield Finding(
                "asyncstatic.I030",
                f"The route {route!r} is below STATIC_URL: {view} is asked for what the index lacks.",
                "Remove it if all it does is to serve static files.",
                subject=f"{route} {view}",
            )


def _route(path: str) -> tuple[str, str] | None:
    """The dotted name of the view that a path leads to, and its route."""
    try:
        match = resolve(path)
    except Resolver404:
        return None
    view = getattr(match.func, "view_class", match.func)
    return f"{view.__module__}.{getattr(view, '__qualname__', type(view).__qualname__)}", match.route


def _static_helper() -> Place | None:
    """Where the root URLconf calls ``static(settings.STATIC_URL, …)``."""
    file = getattr(sys.modules.get(str(settings.ROOT_URLCONF)), "__file__", None)
    try:
        tree = ast.parse(Path(file).read_bytes()) if file else None
    except (OSError, SyntaxError, ValueError):
        tree = None
    for node in ast.walk(tree) if tree else ():
        match node:
            case ast.Call(
                func=ast.Name(id="static") | ast.Attribute(attr="static"),
                args=[ast.Attribute(attr="STATIC_URL") | ast.Name(id="STATIC_URL"), *_],
            ):
                return Place.of(str(file), node.lineno)
    return None
