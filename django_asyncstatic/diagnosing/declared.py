"""What the settings tell by themselves: what cannot be meant, does nothing any more, or contradicts something else.

Nothing is looked at but the settings, so that Django's own checks can say the same before the first collect: paths are
compared as they are written.
"""

from __future__ import annotations

import os
import sys
from collections.abc import Iterator
from typing import Any
from urllib.parse import urlsplit

from django.apps import apps
from django.conf import settings
from django.core.exceptions import ImproperlyConfigured
from django.utils.module_loading import import_string

from django_asyncstatic import conf
from django_asyncstatic.diagnosing.findings import Finding
from django_asyncstatic.diagnosing.migration import APPS, THEIRS
from django_asyncstatic.diagnosing.order import PEERS
from django_asyncstatic.options import MANIFEST_STORAGE, WHERE, nearest

_PREFIX = "ASYNCSTATIC_"


def settings_findings() -> Iterator[Finding]:
    """All of them; ``subject`` is the setting."""
    yield from _order_of_apps()
    yield from _static_root()
    yield from _asyncstatic_root()
    yield from _static_url()
    yield from _media_url()
    yield from _debug()
    yield from _leftovers()
    yield from _misspelt()


def _order_of_apps() -> Iterator[Finding]:
    """Django takes a management command from the first app that has it."""
    names = [each.name for each in apps.get_app_configs()]
    ours, theirs = "django_asyncstatic", "django.contrib.staticfiles"
    if theirs in names and ours in names and names.index(theirs) < names.index(ours) and makes_index():
        yield Finding(
            "asyncstatic.W051",
            "django_asyncstatic stands below django.contrib.staticfiles in INSTALLED_APPS, so that collectstatic is"
            " Django's: it rewrites files while they are served, and finds broken references one by one.",
            'Put "django_asyncstatic" above "django.contrib.staticfiles".',
            subject="INSTALLED_APPS",
        )


def makes_index() -> bool:
    """Whether the configured storage writes an index, as far as it can be told."""
    try:
        return conf.makes_index()
    except ImproperlyConfigured:
        return False  # the storage's own error is clearer


# --- directories ----------------------------------------------------------------------------------------------


def _static_root() -> Iterator[Finding]:
    root = _path(settings.STATIC_ROOT)
    if root is None:
        return
    clears = "collectstatic --clear deletes what it did not collect"
    elsewhere = "Give STATIC_ROOT a directory of its own, that nothing else writes to."
    if (code := _code_inside(root)) is not None:
        yield Finding(
            "asyncstatic.E059",
            f"STATIC_ROOT, {root}, holds the project ({code}): {clears}.",
            elsewhere,
            subject="STATIC_ROOT",
        )
        return
    for source in _sources():
        if _is_inside(source, root):
            what = f"holds {source}, where static files come from: {clears}"
        elif _is_inside(root, source):
            what = f"is inside {source}, where static files come from: each collect would collect the last one"
        else:
            continue
        yield Finding("asyncstatic.E059", f"STATIC_ROOT, {root}, {what}.", elsewhere, subject="STATIC_ROOT")
    media = _path(settings.MEDIA_ROOT)
    if media is not None and _is_inside(media, root):
        what = "is MEDIA_ROOT" if media == root else f"holds MEDIA_ROOT, {media}"
        message = f"STATIC_ROOT, {root}, {what}: {clears}, uploads too."
        yield Finding("asyncstatic.E059", message, elsewhere, subject="STATIC_ROOT")
    elif media is not None and _is_inside(root, media):
        yield Finding(
            "asyncstatic.W052",
            f"STATIC_ROOT, {root}, is inside MEDIA_ROOT, {media}: who can choose the name of an upload can replace a"
            " static file.",
            elsewhere,
            subject="STATIC_ROOT",
        )


def _asyncstatic_root() -> Iterator[Finding]:
    root = _path(getattr(settings, "ASYNCSTATIC_ROOT", None))
    if root is not None and (code := _code_inside(root)) is not None:
        yield Finding(
            "asyncstatic.E061",
            f"ASYNCSTATIC_ROOT, {root}, holds the project: {os.path.relpath(code, root)} is served at /.",
            "Give robots.txt and its like a directory of their own.",
            subject="ASYNCSTATIC_ROOT",
        )


def _path(value: Any) -> str | None:
    if not value or not isinstance(value, str | os.PathLike):
        return None
    return os.path.normcase(os.path.abspath(os.fspath(value)))


def _is_inside(path: str, directory: str) -> bool:
    """Whether a path is in a directory, or is it."""
    return path == directory or path.startswith(os.path.join(directory, ""))


def _code_inside(directory: str) -> str | None:
    """A part of the project's code that is in a directory: its settings module, or BASE_DIR by convention."""
    module = sys.modules.get(getattr(settings, "SETTINGS_MODULE", None) or "")
    for each in (_path(getattr(module, "__file__", None)), _path(getattr(settings, "BASE_DIR", None))):
        if each is not None and _is_inside(each, directory):
            return each
    return None


def _sources() -> list[str]:
    """The directories from which Django's two finders take files, as far as their names are known without looking."""
    given: Any = settings.STATICFILES_DIRS
    directories = given if isinstance(given, list | tuple) else ()
    found = [_path(each[-1] if isinstance(each, list | tuple) and each else each) for each in directories]
    if "django.contrib.staticfiles.finders.AppDirectoriesFinder" in settings.STATICFILES_FINDERS:
        found += [_path(os.path.join(each.path, "static")) for each in apps.get_app_configs()]
    return [each for each in dict.fromkeys(found) if each is not None]


# --- URLs -----------------------------------------------------------------------------------------------------


def _static_url() -> Iterator[Finding]:
    url = unprefixed("STATIC_URL")
    if not url:
        return
    parts = urlsplit(url)
    if parts.netloc:
        yield from _host(url)
    if parts.path in ("", "/"):
        yield Finding(
            "asyncstatic.W031",
            f"STATIC_URL is {url!r}: each request of the site is taken for one for a static file first.",
            "Give static files a path of their own, such as static/.",
            subject="STATIC_URL",
        )
    elif not parts.path.endswith("/"):
        yield Finding(
            "asyncstatic.W031",
            f"STATIC_URL is {url!r}, without a slash at its end: what is put behind it, as behind"
            " {% get_static_prefix %}, leads elsewhere, and no command of Django's that checks the settings runs"
            " (urls.E006).",
            f"Write {url + '/'!r}.",
            subject="STATIC_URL",
        )
    script = script_name()
    if script and not parts.netloc and url.startswith("/") and not url.startswith(script + "/"):
        yield Finding(
            "asyncstatic.W054",
            f"STATIC_URL is {url!r}, outside of FORCE_SCRIPT_NAME, {script!r}: browsers ask for static files where this"
            " site is not, unless the server in front hands that path over too.",
            f"Write STATIC_URL = {url.lstrip('/')!r}: Django puts the script name in front.",
            subject="STATIC_URL",
        )


def _host(url: str) -> Iterator[Finding]:
    parts = urlsplit(url)
    yield Finding(
        "asyncstatic.I031",
        f"STATIC_URL names the host {parts.netloc}; what is below {parts.path or '/'} is served here, for it to pull.",
        "Nothing to do if that host is a CDN whose origin is this site.",
        subject="STATIC_URL",
    )
    if parts.scheme == "http" and (settings.SECURE_SSL_REDIRECT or settings.SECURE_HSTS_SECONDS):
        yield Finding(
            "asyncstatic.W031",
            f"STATIC_URL is {url!r} and pages are sent by https: browsers block the stylesheets and scripts of http.",
            f"Write {'https' + url.removeprefix('http')!r}.",
            subject="STATIC_URL",
        )
    if getattr(settings, "ASYNCSTATIC_ALLOW_ALL_ORIGINS", True) is False and not _adds_headers():
        yield Finding(
            "asyncstatic.W031",
            f"STATIC_URL names another host, {parts.netloc}, and ASYNCSTATIC_ALLOW_ALL_ORIGINS is off: browsers refuse"
            " fonts and JavaScript modules from there.",
            "Leave ASYNCSTATIC_ALLOW_ALL_ORIGINS on, or send Access-Control-Allow-Origin by"
            " ASYNCSTATIC_ADD_HEADERS_FUNCTION.",
            subject="STATIC_URL",
        )


def _adds_headers() -> bool:
    return getattr(settings, "ASYNCSTATIC_ADD_HEADERS_FUNCTION", None) is not None


def _media_url() -> Iterator[Finding]:
    static, media = (_address(unprefixed(name)) for name in ("STATIC_URL", "MEDIA_URL"))
    if static is None or media is None or static[0] != media[0]:
        return
    if static[1].startswith(media[1]) or media[1].startswith(static[1]):
        yield Finding(
            "asyncstatic.W053",
            f"STATIC_URL ({''.join(static)}) and MEDIA_URL ({''.join(media)}) overlap: an upload and a static file can"
            " have the same address.",
            "Give each a path that does not begin with the other's.",
            subject="MEDIA_URL",
        )


def unprefixed(name: str) -> str:
    """STATIC_URL or MEDIA_URL as it is written. Read through the settings object it would get a prefix, for good."""
    lazy_settings: Any = settings
    _ = settings.DEBUG  # loads them if nothing has yet
    return str(getattr(lazy_settings._wrapped, name, None) or "")


def _address(url: str) -> tuple[str, str] | None:
    """Host and path; a relative one begins at the script name."""
    if not url:
        return None
    parts = urlsplit(url)
    path = parts.path if parts.netloc or url.startswith("/") else f"{script_name()}/{url}"
    return parts.netloc, path or "/"


def script_name() -> str:
    """FORCE_SCRIPT_NAME without its slash at the end; empty without one."""
    return (conf.script_name() or "").rstrip("/")


# --- names ----------------------------------------------------------------------------------------------------


def _debug() -> Iterator[Finding]:
    enforced = [name for name in ("SECURE_SSL_REDIRECT", "SECURE_HSTS_SECONDS") if getattr(settings, name)]
    if settings.DEBUG and enforced:
        yield Finding(
            "asyncstatic.W048",
            f"DEBUG is on, and https is enforced by {' and '.join(enforced)}, as in production: static names are not"
            " hashed, and errors show the source and the settings to everybody.",
            "Set DEBUG = False, or leave https to the settings of production.",
            subject="DEBUG",
        )


def _leftovers() -> Iterator[Finding]:
    for peer, middleware in zip(APPS, PEERS, strict=True):
        if any(peer.lower() in path.lower() for path in (*settings.MIDDLEWARE, *_storage_names())):
            continue  # in use; two at once is W027
        for name in dir(settings):
            if name in THEIRS and name.startswith(f"{peer}_"):
                yield Finding(
                    "asyncstatic.W056",
                    f"{name} does nothing: {middleware} is not in MIDDLEWARE.",
                    f"{THEIRS[name]}.",
                    subject=name,
                )
        for app in APPS[peer]:
            if app in settings.INSTALLED_APPS:
                yield Finding(
                    "asyncstatic.W056",
                    f"{app} is in INSTALLED_APPS, and {middleware} is not in MIDDLEWARE.",
                    f"Take {app!r} out of INSTALLED_APPS.",
                    subject="INSTALLED_APPS",
                )


def _storage_names() -> list[str]:
    """The configured storage and the modules of the classes that it is derived from."""
    try:
        backend = conf.storage_backend()
        return [backend, *(each.__module__ for each in import_string(backend).__mro__)]
    except (ImproperlyConfigured, ImportError, AttributeError):
        return []  # the storage's own error is clearer


def _misspelt() -> Iterator[Finding]:
    ours = {name.removeprefix(_PREFIX): name for name in conf.DEFAULTS}
    for name in dir(settings):
        if name in conf.DEFAULTS or not name.isupper():
            continue
        if name.startswith(_PREFIX):
            short = name.removeprefix(_PREFIX)
            near = ours.get(nearest(short, ours, 0.6))
        else:
            short, near = "", nearest(name, conf.DEFAULTS, 0.9) if "STATIC" in name else ""
            if not near:
                continue
        if short.lower() in MANIFEST_STORAGE:
            hint = f'It is an option of the storage: write "{short.lower()}" in {WHERE}.'
        elif near:
            hint = f"Did you mean {near}?"
        else:
            hint = f"Remove it. There are {', '.join(conf.DEFAULTS)}."
        yield Finding("asyncstatic.W057", f"There is no setting {name}: it does nothing.", hint, subject=name)
