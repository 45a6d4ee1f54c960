"""The middleware chain as Django will build it under ASGI: who makes a request run in a thread, and who breaks.

Replays ``django.core.handlers.base.BaseHandler.load_middleware`` on documented attributes
(``sync_capable``, ``async_capable``) and a probe in the place of the view.
"""

from __future__ import annotations

import inspect
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from typing import Any

from asgiref.sync import iscoroutinefunction
from django.conf import settings
from django.core.exceptions import MiddlewareNotUsed
from django.http import HttpRequest, HttpResponse
from django.utils.module_loading import import_string

from django_asyncstatic.diagnosing.findings import Finding, Place, check
from django_asyncstatic.diagnosing.project import Project

CANNOT_RUN = "asyncstatic.E019"
NOT_RECOGNISED = "asyncstatic.E020"

OURS = "django_asyncstatic.middleware.AsyncStaticMiddleware"

ASYNC_CAPABLE = (
    "Derive it from django.utils.deprecation.MiddlewareMixin with process_request and process_response, or decorate"
    " the factory with django.utils.decorators.sync_and_async_middleware; keep a request's state on the request,"
    " not on self."
)


@dataclass(frozen=True, slots=True)
class Link:
    """One middleware of the chain: what it is capable of, and the mode in which it will run under ASGI.

    ``fault`` is what keeps it from working, and ``fault_id`` the finding that it is; ``place`` is where it is defined.
    """

    path: str
    is_async_capable: bool
    runs_async: bool
    fault: str = ""
    fault_id: str = ""
    place: Place | None = None


def walk_chain() -> list[Link]:
    """The links from the view outwards, the order in which Django builds them. Executes no request."""
    links = []
    handler_is_async = True
    for path in reversed(settings.MIDDLEWARE):
        try:
            middleware = import_string(path)
        except ImportError as error:
            links.append(Link(path, False, handler_is_async, f"cannot be imported: {error}", CANNOT_RUN))
            continue
        # The same attributes, defaults and order as load_middleware.
        can_sync = getattr(middleware, "sync_capable", True)
        can_async = getattr(middleware, "async_capable", False)
        place = _place(middleware)
        if not can_sync and not can_async:
            fault = "has neither sync_capable nor async_capable set to True; Django refuses to start"
            links.append(Link(path, False, handler_is_async, fault, CANNOT_RUN, place))
            continue
        runs_async = False if not handler_is_async and can_sync else can_async
        try:
            instance = middleware(_async_probe if runs_async else _sync_probe)
        except MiddlewareNotUsed:
            continue
        except (Exception, SystemExit) as error:  # a constructor of the user's may do anything
            links.append(Link(path, can_async, runs_async, f"cannot be constructed: {error!r}", CANNOT_RUN, place))
            handler_is_async = runs_async
            continue
        if instance is None:
            fault = "returned None from its factory; Django refuses to start"
            links.append(Link(path, can_async, runs_async, fault, CANNOT_RUN, place))
            continue
        fault = _async_fault(instance, runs_async)
        links.append(Link(path, can_async, runs_async, fault, NOT_RECOGNISED if fault else "", place))
        handler_is_async = runs_async
    return links


@check(
    "chain",
    E019="a middleware cannot run",
    E020="an async middleware is not recognised as one",
    W021="a sync-only middleware makes every request run in a thread",
)
def check_chain(project: Project) -> Iterator[Finding]:
    """E019, E020, W021: middleware that cannot run, that is async and not recognised, that forces a thread."""
    links = walk_chain()
    ours = next((number for number, link in enumerate(links) if link.path == OURS), None)
    for number, link in enumerate(links):
        if link.fault:
            hint = "Mend it, or take it out of MIDDLEWARE." if link.fault_id == CANNOT_RUN else _mark_hint(link)
            yield Finding(link.fault_id, f"{link.path} {link.fault}.", hint, link.place)
        elif not link.is_async_capable:
            message = f"{link.path} is sync-only: under ASGI every request is handed to a thread because of it"
            if ours is not None and number < ours and not links[ours].runs_async:
                message += ", and AsyncStaticMiddleware above it runs in that thread too"
            yield Finding("asyncstatic.W021", f"{message}.", ASYNC_CAPABLE, link.place)


def _async_fault(instance: Any, runs_async: bool) -> str:
    """Ticket 34328: what Django takes for a sync callable although calling it gives a coroutine."""
    has_async_call = inspect.iscoroutinefunction(type(instance).__call__) or (inspect.iscoroutinefunction(instance))
    if runs_async and not iscoroutinefunction(instance):
        return (
            "is async-capable, but its instance is not recognised as a coroutine function: a middleware above it"
            " gets a coroutine where it expects a response (TypeError or AttributeError, depending on which)"
        )
    if not runs_async and has_async_call:
        return (
            "has an async __call__ and runs in sync mode: what it returns is a coroutine, not a response"
            " (AttributeError or TypeError at every request)"
        )
    return ""


def _mark_hint(link: Link) -> str:
    if link.runs_async:
        return (
            "In __init__, when get_response is a coroutine function, call asgiref.sync.markcoroutinefunction(self);"
            " see https://docs.djangoproject.com/en/stable/topics/http/middleware/#asynchronous-support."
        )
    return (
        "Set sync_capable and async_capable on the class, return a coroutine only if get_response is one, and mark"
        " the instance with asgiref.sync.markcoroutinefunction; see"
        " https://docs.djangoproject.com/en/stable/topics/http/middleware/#asynchronous-support."
    )


def _place(middleware: Callable[..., Any]) -> Place | None:
    target = inspect.unwrap(middleware)
    try:
        file = inspect.getsourcefile(target)
        line = inspect.getsourcelines(target)[1]
    except (OSError, TypeError):
        return None
    return Place(file, line) if file else None


async def _async_probe(request: HttpRequest) -> HttpResponse:
    return HttpResponse()


def _sync_probe(request: HttpRequest) -> HttpResponse:
    return HttpResponse()
