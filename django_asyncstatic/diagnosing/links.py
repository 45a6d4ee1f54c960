"""The middleware chain as Django will build it, and how often a request changes threads in it.

Replays ``django.core.handlers.base.BaseHandler.load_middleware`` on documented attributes (``sync_capable``,
``async_capable``) and a probe in the place of the view. No request is made.

A *hop* is one ``sync_to_async`` or ``async_to_sync``: from the event loop to a thread and back, or the reverse.
"""

from __future__ import annotations

import functools
import inspect
from collections.abc import Iterator, Sequence
from dataclasses import asdict, dataclass
from typing import Any

from asgiref.sync import iscoroutinefunction
from django.conf import settings
from django.core.exceptions import MiddlewareNotUsed
from django.http import HttpRequest, HttpResponse
from django.utils.deprecation import MiddlewareMixin
from django.utils.module_loading import import_string

from django_asyncstatic.diagnosing.findings import Place
from django_asyncstatic.diagnosing.order import OURS

CANNOT_RUN = "asyncstatic.E019"
NOT_RECOGNISED = "asyncstatic.E020"

#: What ASGIHandler.handle hands to a thread for every request: ``request_started`` has receivers of django.db that are
#: sync, and ``response.close()`` is. Its log line for a status of 400 and above is a third.
HANDLER_HOPS = 2


@dataclass(frozen=True, slots=True)
class Link:
    """One middleware of the chain: what it is capable of, and the mode in which it will run.

    ``hooks`` are the methods that MiddlewareMixin hands to a thread, each by itself, in async mode;
    ``view_hook_is_async`` is ``None`` without a ``process_view``. ``fault`` is what keeps it from working, and
    ``fault_id`` the finding that it is; ``target`` is what the path names, ``place`` where that is defined.
    """

    path: str
    is_sync_capable: bool
    is_async_capable: bool
    runs_async: bool
    hooks: tuple[str, ...] = ()
    view_hook_is_async: bool | None = None
    fault: str = ""
    fault_id: str = ""
    target: Any = None
    place: Place | None = None

    @property
    def is_built(self) -> bool:
        return self.is_sync_capable or self.is_async_capable


@dataclass(frozen=True, slots=True)
class Passage:
    """What a request pays in one link, each one hop.

    ``changes_below``, ``changes_above``: the mode is another than that of what the link calls, of what calls the chain;
    ``hooks`` and ``view_hook``: methods that are handed to a thread each by itself.
    """

    link: Link
    runs_async: bool
    changes_below: bool
    changes_above: bool
    hooks: tuple[str, ...]
    view_hook: bool

    @property
    def hops(self) -> int:
        return self.changes_below + self.changes_above + len(self.hooks) + self.view_hook

    @property
    def causes(self) -> list[str]:
        """Why, a phrase for each hop."""
        found = list(self.hooks)
        if self.view_hook:
            found.append("process_view")
        mode = "async" if self.runs_async else "sync"
        if self.changes_below:
            found.append(f"{mode} above {'sync' if self.runs_async else 'async'}")
        if self.changes_above:
            found.append(f"{mode} at the top")
        return found

    def as_json(self) -> dict[str, Any]:
        return {"mode": "async" if self.runs_async else "sync", "hops": self.hops, "causes": self.causes}


@dataclass(frozen=True, slots=True)
class Chain:
    """The links from the view outwards, the order in which Django builds them."""

    links: Sequence[Link]

    def passages(self, *, is_async: bool) -> list[Passage]:
        """What a request for a page pays in each link, under ASGI or else WSGI."""
        built = [link for link in self.links if link.is_built]
        found = []
        below = is_async
        for number, link in enumerate(built):
            mode = _mode(below, link.is_sync_capable, link.is_async_capable)
            found.append(
                Passage(
                    link,
                    mode,
                    changes_below=mode != below,
                    changes_above=number == len(built) - 1 and mode != is_async,
                    hooks=link.hooks if mode else (),
                    view_hook=link.view_hook_is_async is not None and link.view_hook_is_async != is_async,
                )
            )
            below = mode
        return found

    def page_hops(self, *, is_async: bool) -> int:
        """What a request pays that goes to a view; a view of the other mode is one more."""
        return handler_hops(is_async=is_async) + sum(each.hops for each in self.passages(is_async=is_async))

    def file_hops(self, *, is_async: bool) -> int | None:
        """What a request pays that our middleware answers; ``None`` without it."""
        passages = self.passages(is_async=is_async)
        number = next((number for number, each in enumerate(passages) if is_named(each.link, OURS)), None)
        if number is None:
            return None
        above = sum(each.hops - each.view_hook for each in passages[number + 1 :])
        return handler_hops(is_async=is_async) + passages[number].changes_above + above

    def as_json(self) -> dict[str, Any]:
        """The table of ``checkstatic --chain``, the outermost middleware first."""
        modes = {"asgi": True, "wsgi": False}
        paid = {name: {id(each.link): each for each in self.passages(is_async=mode)} for name, mode in modes.items()}
        return {
            "middleware": [
                {
                    "path": link.path,
                    "sync_capable": link.is_sync_capable,
                    "async_capable": link.is_async_capable,
                    **{name: passage.as_json() if (passage := paid[name].get(id(link))) else None for name in modes},
                    "fault": link.fault,
                    "place": None if link.place is None else asdict(link.place),
                }
                for link in reversed(self.links)
            ],
            **{
                name: {
                    "handler_hops": handler_hops(is_async=mode),
                    "file_hops": self.file_hops(is_async=mode),
                    "page_hops": self.page_hops(is_async=mode),
                }
                for name, mode in modes.items()
            },
        }


def walk_chain(*, is_async: bool = True, instantiate: bool = True) -> Chain:
    """The chain of the settings under ASGI, or else WSGI.

    With ``instantiate`` each middleware is constructed, as Django does at its start; without, it is judged by what its
    class declares.
    """
    links: list[Link] = []
    for path in reversed(settings.MIDDLEWARE):
        link = _link(path, is_async, instantiate=instantiate)
        if link is not None:
            links.append(link)
            if link.is_built:
                is_async = link.runs_async
    return Chain(links)


def is_named(link: Link, path: str) -> bool:
    """Whether a link is the class of a dotted path, or derived from it."""
    return path in names_of(link.path, link.target)


def names_of(path: str, target: Any) -> list[str]:
    """The dotted path of a middleware and those of the classes that it is derived from."""
    bases = target.__mro__ if isinstance(target, type) else ()
    return [path, *(f"{each.__module__}.{each.__qualname__}" for each in bases)]


def handler_hops(*, is_async: bool) -> int:
    """What Django's handler itself costs a request."""
    return HANDLER_HOPS if is_async else 0


def _mode(below_is_async: bool, can_sync: bool, can_async: bool) -> bool:
    """Whether a middleware runs in async mode: load_middleware's condition."""
    return False if not below_is_async and can_sync else can_async


def _link(path: str, below_is_async: bool, *, instantiate: bool) -> Link | None:
    try:
        target = import_string(path)
    except (Exception, SystemExit) as error:  # importing runs a user's module
        return Link(path, False, False, below_is_async, fault=f"cannot be imported: {error}", fault_id=CANNOT_RUN)
    can_sync = getattr(target, "sync_capable", True)
    can_async = getattr(target, "async_capable", False)
    runs_async = _mode(below_is_async, can_sync, can_async)
    hooks, view_hook_is_async = _hooks(target)

    def link(fault: str = "", fault_id: str = CANNOT_RUN) -> Link:
        return Link(
            path,
            can_sync,
            can_async,
            runs_async,
            hooks,
            view_hook_is_async,
            fault,
            fault_id if fault else "",
            target,
            place_of(target),
        )

    if not can_sync and not can_async:
        return link("has neither sync_capable nor async_capable set to True; Django refuses to start")
    if not instantiate:
        return link(_fault_of_class(target, runs_async), NOT_RECOGNISED)
    try:
        instance = target(_async_probe if runs_async else _sync_probe)
    except MiddlewareNotUsed:
        return None
    except (Exception, SystemExit) as error:  # a constructor of the user's may do anything
        return link(f"cannot be constructed: {error!r}")
    if instance is None:
        return link("returned None from its factory; Django refuses to start")
    hooks, view_hook_is_async = _hooks(instance)
    return link(_fault_of_instance(instance, runs_async) or _fault_of_class(target, runs_async), NOT_RECOGNISED)


def _hooks(middleware: Any) -> tuple[tuple[str, ...], bool | None]:
    """The methods that MiddlewareMixin hands to a thread, of a class or an instance, and whether process_view is async.

    A class with an ``__acall__`` of its own is taken to wait by itself.
    """
    cls = middleware if isinstance(middleware, type) else type(middleware)
    names: tuple[str, ...] = ()
    if issubclass(cls, MiddlewareMixin) and cls.__acall__ is MiddlewareMixin.__acall__:
        names = tuple(name for name in ("process_request", "process_response") if hasattr(middleware, name))
    process_view = getattr(middleware, "process_view", None)
    return names, None if process_view is None else iscoroutinefunction(process_view)


def _fault_of_instance(instance: Any, runs_async: bool) -> str:
    """Ticket 34328: what Django takes for a sync callable although calling it gives a coroutine."""
    if runs_async and not iscoroutinefunction(instance):
        return "is async-capable, but its instance is not recognised as a coroutine function"
    if not runs_async and inspect.iscoroutinefunction(instance):
        return "returns an async function from its factory and runs in sync mode: it answers with a coroutine"
    return ""


def _fault_of_class(target: Any, runs_async: bool) -> str:
    call = getattr(target, "__call__", None) if isinstance(target, type) else None  # noqa: B004
    if call is None:
        return ""
    if not runs_async and inspect.iscoroutinefunction(call):
        return "has an async __call__ and runs in sync mode: it answers with a coroutine"
    if (
        runs_async
        and issubclass(target, MiddlewareMixin)
        and call is not MiddlewareMixin.__call__
        and target.__acall__ is MiddlewareMixin.__acall__
        and not inspect.iscoroutinefunction(call)
        and _calls_get_response_only(call)
    ):
        return (
            "inherits async_capable from MiddlewareMixin and overrides __call__ with sync code, in which"
            " self.get_response(request) is a coroutine"
        )
    return ""


def _calls_get_response_only(call: Any) -> bool:
    """Whether a ``__call__`` takes what get_response returns for a response, as far as its names tell."""
    code = getattr(inspect.unwrap(call), "__code__", None)
    if code is None:
        return False
    names = {*code.co_names, *code.co_freevars}
    knows_async = {"async_mode", "super", "__class__", "iscoroutinefunction", "iscoroutine", "isawaitable"}
    return "get_response" in names and not names & knows_async and not any("async" in name for name in names)


def place_of(target: Any) -> Place | None:
    """Where a middleware's class or function is defined."""
    for found in _definitions(target):
        try:
            file = inspect.getsourcefile(found)
            line = inspect.getsourcelines(found)[1]
        except (OSError, TypeError):
            continue
        if file:
            return Place.of(file, line)
    return None


def _definitions(target: Any) -> Iterator[Any]:
    while isinstance(target, functools.partial):
        target = target.func
    yield inspect.unwrap(target)
    yield type(target)


async def _async_probe(request: HttpRequest) -> HttpResponse:
    return HttpResponse()


def _sync_probe(request: HttpRequest) -> HttpResponse:
    return HttpResponse()
