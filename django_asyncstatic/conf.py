"""Reads settings; nothing else does. Turns Django's and our settings into what serving takes as arguments."""

from __future__ import annotations

import logging
import os
import re
import sys
from collections.abc import Callable, Iterator, Mapping
from contextlib import contextmanager
from fnmatch import fnmatchcase
from functools import cache
from io import BytesIO
from os import PathLike
from pathlib import Path
from typing import TYPE_CHECKING, Any
from urllib.parse import urlsplit
from weakref import WeakSet

from django.apps import apps
from django.conf import ENVIRONMENT_VARIABLE, STATICFILES_STORAGE_ALIAS, settings
from django.core.exceptions import ImproperlyConfigured
from django.core.signals import setting_changed
from django.utils.module_loading import import_string

from django_asyncstatic import __version__
from django_asyncstatic import options as storage_options
from django_asyncstatic.index import INDEX_NAME, TIMES_NAME
from django_asyncstatic.live import LiveDirectory
from django_asyncstatic.serving.contents import Contents
from django_asyncstatic.serving.headers import BUNDLERS, HeaderPolicy, Pairs, immutable_file_test
from django_asyncstatic.serving.memory import MEMORY_SIZE, Memory
from django_asyncstatic.serving.mounts import MountOptions, Site
from django_asyncstatic.serving.security import SecurityPolicy
from django_asyncstatic.sources import IndexLoader, LiveSource, Place, RootFiles

if TYPE_CHECKING:
    from django_asyncstatic.rehearsal import Rehearsal

logger = logging.getLogger("django_asyncstatic")

#: Characters of a SECRET_KEY, at least, that is looked for in files: Django's own have 50 of random.
SECRET_KEY_LENGTH = 32

#: The storage that the quick start has.
OUR_STORAGE = "django_asyncstatic.storage.CompressedManifestStaticFilesStorage"

#: Our settings with their defaults. Each has its paragraph in the docs, page "Settings".
DEFAULTS: dict[str, Any] = {
    "ASYNCSTATIC_ADD_HEADERS_FUNCTION": None,
    "ASYNCSTATIC_ALLOW_ALL_ORIGINS": True,
    "ASYNCSTATIC_AUTOREFRESH": None,
    "ASYNCSTATIC_CHARSET": "utf-8",
    "ASYNCSTATIC_DOTFILES": False,
    "ASYNCSTATIC_IMMUTABLE_FILE_TEST": None,
    "ASYNCSTATIC_INDEX_FILE": None,
    "ASYNCSTATIC_LIVE": (),
    "ASYNCSTATIC_MAX_AGE": 60,
    "ASYNCSTATIC_MEMORY": MEMORY_SIZE,
    "ASYNCSTATIC_REHEARSAL": False,
    "ASYNCSTATIC_ROOT": None,
}

#: What a setting has to be, in words for the error and as a test.
_EXPECTED: dict[str, tuple[str, Callable[[Any], bool]]] = {
    "ASYNCSTATIC_MAX_AGE": (
        "a number of seconds, 0 or more, or None",
        lambda value: value is None or _is_count(value),
    ),
    "ASYNCSTATIC_ALLOW_ALL_ORIGINS": ("True or False", lambda value: isinstance(value, bool)),
    "ASYNCSTATIC_AUTOREFRESH": (
        "True, False, or None for the value of DEBUG",
        lambda value: value is None or isinstance(value, bool),
    ),
    "ASYNCSTATIC_CHARSET": (
        'the name of a charset, or "" for none',
        lambda value: isinstance(value, str) and re.fullmatch(r"[A-Za-z0-9!#$%&'*+.^_`|~-]*", value) is not None,
    ),
    "ASYNCSTATIC_MEMORY": ("a number of bytes, 0 or more", lambda value: _is_count(value)),
    "ASYNCSTATIC_ADD_HEADERS_FUNCTION": (
        "a function of (headers, path, url), or None",
        lambda value: value is None or callable(value),
    ),
    "ASYNCSTATIC_DOTFILES": ("True or False", lambda value: isinstance(value, bool)),
    "ASYNCSTATIC_IMMUTABLE_FILE_TEST": (
        f"one of {', '.join(map(repr, BUNDLERS))}, a regular expression for file names, a function of (path, url),"
        " or None",
        lambda value: value is None or callable(value) or _is_pattern(value),
    ),
    "ASYNCSTATIC_INDEX_FILE": (
        'True for "index.html", a file name, or None',
        lambda value: value is None or value is True or (isinstance(value, str) and value != "" and "/" not in value),
    ),
    "ASYNCSTATIC_LIVE": (
        'a list of patterns such as "CACHE/*"',
        lambda value: isinstance(value, (list, tuple)) and all(isinstance(each, str) for each in value),
    ),
    "ASYNCSTATIC_REHEARSAL": ("True or False", lambda value: isinstance(value, bool)),
    "ASYNCSTATIC_ROOT": (
        "the path of a directory, or None",
        lambda value: value is None or (isinstance(value, (str, PathLike)) and str(value) != ""),
    ),
}


def _is_pattern(value: object) -> bool:
    try:
        return isinstance(value, str) and re.compile(value) is not None
    except (re.error, OverflowError, RecursionError):
        return False


def _is_count(value: object) -> bool:
    return isinstance(value, int) and not isinstance(value, bool) and value >= 0


def setting(name: str) -> Any:
    """The value of one of our settings. Raises ``ImproperlyConfigured`` for one that cannot be meant."""
    value = getattr(settings, name, DEFAULTS[name])
    expected, is_valid = _EXPECTED[name]
    if not is_valid(value):
        raise ImproperlyConfigured(f"{name} is {value!r}; it has to be {expected}.")
    return value


def static_prefix() -> str:
    """The path under which browsers ask for static files, without the script name where it is not yet known.

    An absolute STATIC_URL (a pull CDN) is served under its path. ``settings.STATIC_URL`` is not read
    through the settings object: Django puts the script prefix in front of a relative value at the first
    access and keeps the result, so that reading it at start would freeze ``{% static %}`` without the prefix.
    """
    lazy_settings: Any = settings
    _ = settings.DEBUG  # loads them if nothing has yet
    url = getattr(lazy_settings._wrapped, "STATIC_URL", None)
    if not url:
        raise ImproperlyConfigured("STATIC_URL is not set: set it to the path of your static files, e.g. 'static/'.")
    return urlsplit(str(url)).path


def static_urls() -> tuple[str, ...]:
    """What the URLs of static files begin with in a page that writes them out; nothing where every URL does."""
    lazy_settings: Any = settings
    path = "/" + static_prefix().strip("/") + "/"
    configured = str(lazy_settings._wrapped.STATIC_URL)
    found = {path, (script_name() or "").rstrip("/") + path} if path != "//" else set()
    if urlsplit(configured).netloc:
        found.add(configured)
    return tuple(sorted(found))


def is_live(name: str) -> bool:
    """Whether ASYNCSTATIC_LIVE has a pattern for it, so that it may appear later."""
    return any(fnmatchcase(name, pattern) for pattern in setting("ASYNCSTATIC_LIVE"))


def script_name() -> str | None:
    """FORCE_SCRIPT_NAME, or ``None`` where the server tells it."""
    return settings.FORCE_SCRIPT_NAME


def place() -> Place:
    """Where the configured storage has put the files and their index.

    A storage of its own is made for the question, so that neither ``storages["staticfiles"]`` nor
    ``settings.STATIC_URL`` is fixed before the script prefix is known.
    """
    from django.core.files.storage import FileSystemStorage

    backend, storage = unread_storage()
    if not isinstance(storage, FileSystemStorage):
        return Place(None, None, f"{backend} keeps its files elsewhere; serve them from there.")
    if not storage.base_location:
        return Place(None, None, "Set STATIC_ROOT and run collectstatic.")
    index_storage = getattr(storage, "index_storage", None)
    root = Path(storage.location)
    if index_storage is None:  # not one of ours; an index may lie there all the same
        return Place(root, root / INDEX_NAME)
    if not isinstance(index_storage, FileSystemStorage):
        return Place(root, None, "The index is in a remote manifest_storage; keep it in a local one.")
    index_name: str = getattr(storage, "index_name", INDEX_NAME)
    private = frozenset({TIMES_NAME, index_name, getattr(storage, "manifest_name", "staticfiles.json")})
    return Place(root, Path(index_storage.path(index_name)), private=private)


def _storage_settings() -> dict[str, Any]:
    alias: Any = settings.STORAGES.get(STATICFILES_STORAGE_ALIAS)
    if not isinstance(alias, dict) or "BACKEND" not in alias:
        raise ImproperlyConfigured(
            f'STORAGES has no "staticfiles" with a "BACKEND": add "staticfiles": {{"BACKEND": "{OUR_STORAGE}"}}.'
        )
    return {"OPTIONS": {}, **alias}


def _storage_class() -> Any:
    backend = storage_backend()
    try:
        return import_string(backend)
    except ImportError as error:
        raise ImproperlyConfigured(
            f'STORAGES["staticfiles"]["BACKEND"], {backend!r}, cannot be imported ({error}): write the dotted path of a'
            f" storage, such as {OUR_STORAGE}."
        ) from error


def storage_backend() -> str:
    """The dotted path of the configured storage."""
    backend: str = _storage_settings()["BACKEND"]
    return backend


def makes_index() -> bool:
    """Whether the configured storage writes an index."""
    return hasattr(_storage_class(), "index_storage")


def secret_keys() -> tuple[bytes, ...]:
    """SECRET_KEY and its fallbacks, those that are long enough to be found only where they stand on purpose."""
    try:
        keys: list[object] = [settings.SECRET_KEY, *settings.SECRET_KEY_FALLBACKS]
    except ImproperlyConfigured:
        return ()
    return tuple(key.encode() for key in keys if isinstance(key, str) and len(key) >= SECRET_KEY_LENGTH)


def inspection_rules() -> str:
    """What a collect goes by when it looks for secrets in its sources: this release, and the project's own secrets.

    It is written down. Of a secret it tells no more than each cookie that is signed with it.
    """
    from django.utils.crypto import salted_hmac

    salt = "django_asyncstatic.inspection"
    own = (salted_hmac(salt, "", secret=key, algorithm="sha256").hexdigest()[:16] for key in secret_keys())
    return " ".join([__version__, *own])


def manifest_name() -> str | None:
    """The name of the configured storage's manifest; ``None`` for one without."""
    return getattr(unread_storage()[1], "manifest_name", None)


def silenced_checks() -> frozenset[str]:
    """The ids that SILENCED_SYSTEM_CHECKS names."""
    return frozenset(settings.SILENCED_SYSTEM_CHECKS)


def settings_file() -> str | None:
    """The file of the project's settings, if it is one that can be named."""
    return getattr(sys.modules.get(os.environ.get(ENVIRONMENT_VARIABLE, "")), "__file__", None)


def validate() -> None:
    """Raise ``ImproperlyConfigured`` for the first setting or option that cannot be meant or lacks a library."""
    for _, fault in faults():
        raise ImproperlyConfigured(fault)
    unread_storage()
    for missing in lacking(modules=False):
        raise ImproperlyConfigured(missing)


def faults() -> Iterator[tuple[str, str]]:
    """The settings and options that cannot be meant, each with a sentence. No storage is made for it."""
    for name in DEFAULTS:
        try:
            setting(name)
        except ImproperlyConfigured as error:
            yield name, str(error)
    try:
        static_prefix()
    except ImproperlyConfigured as error:
        yield "STATIC_URL", str(error)
    try:
        given = _storage_settings()["OPTIONS"]
        storage_class = _storage_class()
        if getattr(settings, "ASYNCSTATIC_REHEARSAL", False) is True:
            _require_index_for_rehearsal()
    except ImproperlyConfigured as error:
        yield "STORAGES", str(error)
        return
    if not isinstance(given, Mapping):
        yield "STORAGES", f"{storage_options.WHERE} is {given!r}; it has to be a dictionary."
    elif (table := getattr(storage_class, "option_table", None)) is not None:
        for fault in storage_options.faults(table, given, is_closed=_has_only_our_options(storage_class)):
            yield "STORAGES", fault


def _has_only_our_options(storage_class: type[Any]) -> bool:
    """Whether no class of a project, derived from ours, takes options of its own."""
    makers = (each for each in storage_class.__mro__ if "__init__" in vars(each))
    return next(makers).__module__ == "django_asyncstatic.storage"


def lacking(*, modules: bool = True) -> Iterator[str]:
    """What a library is missing for that the options of the storage ask for; of options without fault.

    With ``modules`` the parser of JavaScript too, without which collecting stops and other work goes on.
    """
    storage_class = _storage_class()
    table = getattr(storage_class, "option_table", None)
    if table is not None:
        given = _storage_settings()["OPTIONS"]
        name = "support_js_module_import_aggregation"
        if modules and name in table and given.get(name, getattr(storage_class, name, False)):
            yield from storage_options.lacking_for_modules()
        yield from storage_options.lacking(storage_options.levels(storage_options.peek(table, given, "codings"), None))


def unread_storage() -> tuple[str, Any]:
    """A new instance of the storage that STORAGES["staticfiles"] names; its manifest is not read for it."""
    options = _storage_settings()
    storage_class = _storage_class()
    if hasattr(storage_class, "read_manifest"):
        storage_class = type(storage_class.__name__, (storage_class,), {"read_manifest": lambda self: None})
    try:
        with urls_not_fixed():
            return options["BACKEND"], storage_class(**options["OPTIONS"])
    except (TypeError, ValueError) as error:
        raise ImproperlyConfigured(
            f'STORAGES["staticfiles"]["OPTIONS"] cannot be used: {error}. Give what {options["BACKEND"]} takes.'
        ) from error


@contextmanager
def urls_not_fixed() -> Iterator[None]:
    """Let go of a STATIC_URL or MEDIA_URL that was read, with the script prefix of the moment, in between."""
    kept = {name for name in ("STATIC_URL", "MEDIA_URL") if name not in vars(settings)}
    try:
        yield
    finally:
        for name in kept:
            vars(settings).pop(name, None)


def header_policy() -> HeaderPolicy:
    return HeaderPolicy(
        max_age=setting("ASYNCSTATIC_MAX_AGE"),
        allow_all_origins=setting("ASYNCSTATIC_ALLOW_ALL_ORIGINS"),
        charset=setting("ASYNCSTATIC_CHARSET"),
        immutable_file_test=immutable_file_test(setting("ASYNCSTATIC_IMMUTABLE_FILE_TEST")),
        add_headers_function=setting("ASYNCSTATIC_ADD_HEADERS_FUNCTION"),
    )


def mount_options() -> MountOptions:
    index_file = setting("ASYNCSTATIC_INDEX_FILE")
    return MountOptions("index.html" if index_file is True else index_file, setting("ASYNCSTATIC_DOTFILES"))


@cache
def memory() -> Memory:
    """The process's one budget for bodies."""
    return Memory(setting("ASYNCSTATIC_MEMORY"))


@cache
def loader() -> IndexLoader:
    """The process's one index, shared by the middleware and the wrapper around Django."""
    options: dict[str, Any] = {
        "memory": memory(),
        "live": setting("ASYNCSTATIC_LIVE"),
        "dotfiles": setting("ASYNCSTATIC_DOTFILES"),
    }
    if (found := rehearsal()) is not None:
        from django_asyncstatic.rehearsal import RehearsedIndex

        return RehearsedIndex(found, place, **options)
    return IndexLoader(place, **options)


@cache
def rehearsal() -> Rehearsal | None:
    """What stands for STATIC_ROOT and its collect under ASYNCSTATIC_REHEARSAL."""
    if not setting("ASYNCSTATIC_REHEARSAL"):
        return None
    _require_index_for_rehearsal()
    from django_asyncstatic.rehearsal import Rehearsal

    return Rehearsal(lambda: unread_storage()[1])


def _require_index_for_rehearsal() -> None:
    if not makes_index():
        raise ImproperlyConfigured(f"ASYNCSTATIC_REHEARSAL {needs_index()}")


def needs_index() -> str:
    """What to say behind the name of something that another package's storage cannot do."""
    return (
        f'needs one of this app\'s storages in STORAGES["staticfiles"], such as {OUR_STORAGE}; there is'
        f" {storage_backend()}."
    )


def serves_sources() -> bool:
    """Whether static files are what the finders have at each request, and not what was collected."""
    if setting("ASYNCSTATIC_REHEARSAL"):
        return False
    chosen: bool | None = setting("ASYNCSTATIC_AUTOREFRESH")
    if chosen is not None:
        return chosen
    return settings.DEBUG or is_uncollected()


def is_uncollected() -> bool:
    """Whether the configured storage is the one for tests, which nothing is collected with."""
    return getattr(_storage_class(), "is_uncollected", False)


def explains_missing() -> bool:
    """Whether a 404 tells what the finders have: never where somebody else might read it."""
    return settings.DEBUG and serves_sources()


@cache
def root_files() -> RootFiles | None:
    """The process's one source of ASYNCSTATIC_ROOT."""
    root = setting("ASYNCSTATIC_ROOT")
    if root is None:
        return None
    return RootFiles(root, dotfiles=setting("ASYNCSTATIC_DOTFILES"), memory=memory())


def site(security: SecurityPolicy | None = None) -> Site:
    """The static files of the project under STATIC_URL, and those of ASYNCSTATIC_ROOT at ``/``."""
    options = mount_options()
    _storage_class()  # a name that is wrong is told at start, not at the first static file
    policy = header_policy()
    if serves_sources():
        # Whatever a browser keeps, it asks about it each time.
        site = Site(policy._replace(max_age=0, immutable_file_test=None), security, options, memory())
        _add_sources(site)
        return site
    site = Site(policy, security, options, memory())
    if (root_source := root_files()) is not None:
        site.add("/", root_source)
    site.add(static_prefix(), loader())
    return site


def _add_sources(site: Site) -> None:
    """What :func:`site` has in production, looked up at each request; first of all the finders' files."""
    from django_asyncstatic.development import FoundFiles

    if (root := setting("ASYNCSTATIC_ROOT")) is not None:
        site.add("/", LiveSource(Contents(os.path.abspath(root), site.memory), LiveDirectory(root)))
    if setting("ASYNCSTATIC_LIVE"):
        where = place()
        if where.root is not None:
            files = LiveDirectory(where.root, private=where.private)
            site.add(static_prefix(), LiveSource(Contents(where.root, site.memory), files, loader().is_live))
    found = Contents(".", site.memory)  # finders give absolute paths
    site.add(static_prefix(), LiveSource(found, FoundFiles(found)))


def tell_of_absent_app() -> None:
    """Say, with DEBUG, what is not there for lack of the app: without it nobody else can."""
    if settings.DEBUG and not apps.is_installed("django_asyncstatic"):
        logger.warning(
            'AsyncStaticMiddleware is in MIDDLEWARE, and "django_asyncstatic" is not in INSTALLED_APPS: collectstatic'
            " and runserver are Django's, and manage.py check says nothing of static files. Put it above"
            ' "django.contrib.staticfiles".'
        )


def has_middleware() -> bool:
    """Whether our middleware is installed under its own name; nothing is imported to find a subclass of it."""
    return "django_asyncstatic.middleware.AsyncStaticMiddleware" in settings.MIDDLEWARE


def security_policy() -> SecurityPolicy | None:
    """What SecurityMiddleware would do to a response; ``None`` if neither it nor a subclass is installed.

    The headers are not computed here a second time: the installed class is asked, once for each scheme.
    """
    from django.middleware.security import SecurityMiddleware

    for path in settings.MIDDLEWARE:
        middleware_class = import_string(path)
        if isinstance(middleware_class, type) and issubclass(middleware_class, SecurityMiddleware):
            try:
                return _ask(middleware_class)
            except Exception:
                logger.exception(
                    "%s cannot be asked which headers it adds; django-asyncstatic's wrapper adds SecurityMiddleware's."
                    " Let it answer a request for a static file without the error below.",
                    path,
                )
                return _ask(SecurityMiddleware)
    return None


def _ask(middleware_class: Any) -> SecurityPolicy:
    from django.core.handlers.wsgi import WSGIRequest
    from django.http import HttpResponse

    middleware = middleware_class(lambda request: HttpResponse())
    host = next((each for each in settings.ALLOWED_HOSTS if each.strip("*.")), "localhost").lstrip(".")

    def headers(scheme: str) -> Pairs:
        request = WSGIRequest(
            {
                "REQUEST_METHOD": "GET",
                "PATH_INFO": static_prefix(),
                "SERVER_NAME": host,
                "SERVER_PORT": "443" if scheme == "https" else "80",
                "wsgi.url_scheme": scheme,
                "wsgi.input": BytesIO(),
            }
        )
        response = middleware(request)
        if 300 <= response.status_code < 400:  # the redirect to https, which is left to it
            response = middleware.process_response(request, HttpResponse())
        added = {name.lower(): value for name, value in response.items()}
        return tuple((name, value) for name, value in added.items() if name not in _OF_AN_EMPTY_RESPONSE)

    proxy = settings.SECURE_PROXY_SSL_HEADER
    return SecurityPolicy(
        headers=headers("http"),
        secure_headers=headers("https"),
        redirects=bool(middleware.redirect),
        exempt=tuple(middleware.redirect_exempt),
        proxy_header=(proxy[0].removeprefix("HTTP_").replace("_", "-").lower(), proxy[1]) if proxy else None,
    )


#: What HttpResponse() and the like have of their own.
_OF_AN_EMPTY_RESPONSE = {"content-type", "content-length"}


#: What has a ``site`` that was made of the settings.
_holders: WeakSet[Any] = WeakSet()


def follow(holder: object) -> None:
    """Have a ``site``, which is a cached property, made anew after a change of settings: tests make such changes."""
    _holders.add(holder)


_OF_A_STORAGE = frozenset({"ASYNCSTATIC_REHEARSAL", "STATIC_ROOT", "STATIC_URL", "STORAGES"})


def _forget(*, setting: str, **kwargs: Any) -> None:
    is_ours = setting.startswith("ASYNCSTATIC_")
    if is_ours or setting in _OF_A_STORAGE:
        for each in (memory, loader, root_files):
            each.cache_clear()
    if setting in _OF_A_STORAGE:
        rehearsal.cache_clear()
    if setting == "ASYNCSTATIC_REHEARSAL":
        from django.test.signals import storages_changed

        storages_changed(setting="STORAGES")  # a storage is made of it, which Django cannot know
    if is_ours or setting in _OF_A_STORAGE or setting in ("DEBUG", "FORCE_SCRIPT_NAME"):
        for holder in list(_holders):
            vars(holder).pop("site", None)


setting_changed.connect(_forget, dispatch_uid="django_asyncstatic.conf")
