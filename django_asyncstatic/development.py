"""Development: what Django's finders have, fresh at each request, and what to say where they have nothing.

Finders walk the disk and may do anything else (compile, ask another storage), so under ASGI they are work for a
thread. Nothing here is imported by a process that serves an index.
"""

from __future__ import annotations

import os
from collections.abc import Awaitable, Callable, Iterable
from difflib import get_close_matches
from hashlib import sha256
from pathlib import Path
from typing import Any, cast

from asgiref.sync import iscoroutinefunction, sync_to_async
from django.apps import apps
from django.contrib.staticfiles import finders
from django.core.exceptions import SuspiciousOperation
from django.core.files.storage import Storage
from django.core.signals import setting_changed
from django.http import Http404, HttpRequest, HttpResponse, HttpResponseNotFound
from django.http.response import HttpResponseBase

from django_asyncstatic.index import DIGEST_DIGITS, Representation, Resource, change_time, strong_etag, weak_etag
from django_asyncstatic.live import is_plain
from django_asyncstatic.media_types import media_type
from django_asyncstatic.serving.contents import SMALL_SIZE, Contents
from django_asyncstatic.serving.mounts import Candidates, is_folder
from django_asyncstatic.sources import LiveSource
from django_asyncstatic.storage import source_name

#: Names that are offered in the place of a wrong one.
OFFERED = 3

#: How much alike they are at least, by difflib's measure: a folder that both begin with makes 0.6 of anything.
ALIKE = 0.75

#: Names that a wrong one is compared with: some tenths of a second at most.
MANY = 1000

GetResponse = Callable[[HttpRequest], HttpResponseBase | Awaitable[HttpResponseBase]]


# --- finding -------------------------------------------------------------------------------------------------


def find(name: str) -> str | None:
    """The absolute path of the file that the first finder has under a name; ``None`` if none has, or a folder.

    Where the file system folds case, the name has to be spelt as the file is: on the site's own it will have to be.
    """
    if not is_plain(name):
        return None
    try:
        found = finders.find(name)
    except (SuspiciousOperation, ValueError):  # what is not below the finder's folder; a NUL
        return None
    if not found:
        return None
    path = os.path.abspath(found)
    return path if os.path.isfile(path) and is_spelt(path, name) else None


def is_spelt(path: str, name: str) -> bool:
    """Whether the end of a path, as far as the name goes, is what its folders list, to the letter."""
    folder, last = os.path.split(path)
    if not os.path.lexists(os.path.join(folder, last.swapcase())):
        return True  # a file system that keeps cases apart
    for part in reversed(name.split("/")):
        folder, last = os.path.split(path)
        if last != part:
            return True  # the finder has its files below a prefix, or under other names than theirs
        try:
            if part not in os.listdir(folder):
                return False
        except OSError:
            return True  # a folder that lets nobody list it
        path = folder
    return True


def has(name: str) -> bool:
    """:func:`find`, for who asks for the same names again and again: a name that was found stays found."""
    if name not in _known and find(name) is not None:
        _known.add(name)
    return name in _known


_known: set[str] = set()


def _forget(**kwargs: Any) -> None:
    _known.clear()


setting_changed.connect(_forget, dispatch_uid="django_asyncstatic.development")


class FoundFiles:
    """The files that the finders have, as they are at the moment of each request. Has the ``get(path)`` of an index.

    A small file is read for its entity tag, so that one that was saved twice within a tick of the clock is not taken
    for unchanged, and one that a checkout only touched is; what was read is what is sent. A larger one has a weak tag.
    """

    def __init__(self, contents: Contents) -> None:
        self._contents = contents

    def get(self, path: str) -> Resource | None:
        file = find(path)
        if file is None:
            return None
        try:
            stat = os.stat(file)
            data = Path(file).read_bytes() if stat.st_size <= SMALL_SIZE else None
        except OSError:  # removed since it was found, or not ours to read
            return None
        if data is None:
            found = Representation(None, file, stat.st_size, weak_etag(stat.st_size, change_time(stat)), "")
        else:
            digest = sha256(data).hexdigest()[:DIGEST_DIGITS]
            found = Representation(None, file, len(data), strong_etag(digest), digest)
            self._contents.keep(found, data)
        return Resource(path, media_type(path), (found,), last_modified=int(stat.st_mtime) or None)


def list_sources() -> dict[str, tuple[Storage, str]]:
    """What collectstatic would collect: by name, a finder's storage and the path in it."""
    app: Any = apps.get_app_config("staticfiles") if apps.is_installed("django.contrib.staticfiles") else None
    ignored = [] if app is None else app.ignore_patterns
    found: dict[str, tuple[Storage, str]] = {}
    for finder in finders.get_finders():
        try:
            for path, storage in finder.list(ignored):
                found.setdefault(source_name(storage, path), (storage, path))
        except NotImplementedError:  # it finds and does not list
            continue
    return found


# --- where nothing is found ----------------------------------------------------------------------------------


def nearest(name: str, names: Iterable[str], many: int = MANY) -> list[str]:
    """Names that may have been meant, the likeliest first: one in another case, else in another folder, else alike.

    Of more than ``many`` names, that many are compared: those that are in the same folder, or begin alike.
    """
    known = list(dict.fromkeys(names))
    folder, _, base = name.lower().rpartition("/")
    same_base = [each for each in known if each.rpartition("/")[2].lower() == base]
    if same_letters := [each for each in same_base if each.lower() == name.lower()]:
        return same_letters[:OFFERED]
    if len(known) > many:
        parts = ((each, each.lower().rpartition("/")) for each in known)
        known = [each for each, (above, _, last) in parts if above == folder or last[:3] == base[:3]][:many]
        same_base = same_base[:many]
    near = get_close_matches(name, same_base, OFFERED, cutoff=0.0)
    near += get_close_matches(name, known, OFFERED, ALIKE)
    return list(dict.fromkeys(near))[:OFFERED]


def explain(name: str) -> str:
    """Why a name is not served: what is near it, and where the finders looked."""
    if is_folder(name):
        # As Django says; and what there is instead.
        return "Directory indexes are not allowed here. ASYNCSTATIC_INDEX_FILE serves a folder's index.html."
    if (file := find(name)) is not None:
        return f"{file} is there and is not served: it is hidden (see ASYNCSTATIC_DOTFILES) or cannot be read."
    places = [str(place) for place in dict.fromkeys(finders.searched_locations)] if is_plain(name) else []
    lines = [f"No finder has the static file {name!r}.{did_you_mean(name, list_sources())}"]
    if places:
        lines += ["", "They looked in:", *places]
    return "\n".join(lines)


def did_you_mean(name: str, names: Iterable[str], many: int = MANY) -> str:
    """A question to put behind an error; empty where nothing is near."""
    near = " or ".join(map(repr, nearest(name, names, many)))
    return f" Did you mean {near}?" if near else ""


def explaining(get_response: GetResponse, candidates: Callable[[HttpRequest], Candidates]) -> GetResponse:
    """What is below the middleware, with a 404 of a static file told as :func:`explain` does: only for DEBUG.

    A browser gets Django's page, another client text.
    """

    def missing(request: HttpRequest, response: HttpResponseBase) -> str | None:
        if response.status_code == 404:
            for mount, name in candidates(request):
                if isinstance(mount.source, LiveSource) and isinstance(mount.source.strategy, FoundFiles):
                    return name
        return None

    def not_found(request: HttpRequest, name: str) -> HttpResponse:
        if "text/html" in request.headers.get("accept", ""):
            raise Http404(explain(name))
        return HttpResponseNotFound(explain(name) + "\n", content_type="text/plain; charset=utf-8")

    def get(request: HttpRequest) -> HttpResponseBase:
        response = cast("HttpResponseBase", get_response(request))
        name = missing(request, response)
        return response if name is None else not_found(request, name)

    async def aget(request: HttpRequest) -> HttpResponseBase:
        response = await cast("Awaitable[HttpResponseBase]", get_response(request))
        name = missing(request, response)
        return response if name is None else await sync_to_async(not_found, thread_sensitive=False)(request, name)

    return aget if iscoroutinefunction(get_response) else get
