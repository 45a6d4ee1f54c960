"""The middleware chain: who makes requests run in threads, who breaks, who stands in the wrong place."""

from __future__ import annotations

import sysconfig
from collections.abc import Iterator
from typing import Any

from django.conf import settings
from django.utils.module_loading import import_string

from django_asyncstatic.diagnosing.findings import Finding, Place, check
from django_asyncstatic.diagnosing.links import CANNOT_RUN, Chain, Link, is_named, names_of
from django_asyncstatic.diagnosing.order import OURS, order_findings
from django_asyncstatic.diagnosing.places import place_of_setting
from django_asyncstatic.diagnosing.project import Project
from django_asyncstatic.diagnosing.starting import import_seconds
from django_asyncstatic.diagnosing.state import kept_state

#: Seconds of import from which it is a remark: what ticket 30451's critic found too much for asyncio.
SLOW_IMPORT = 0.05

ASYNC_CAPABLE = (
    "Derive it from django.utils.deprecation.MiddlewareMixin with process_request and process_response, or decorate"
    " the factory with django.utils.decorators.sync_and_async_middleware; keep a request's state on the request,"
    " not on self."
)
NOT_YOURS = "It is a package's: look for a release of it that sets async_capable, or for another package."
MARK = (
    "Set sync_capable and async_capable on the class, return a coroutine only if get_response is a coroutine function,"
    " and then call asgiref.sync.markcoroutinefunction(self) in __init__; see"
    " https://docs.djangoproject.com/en/stable/topics/http/middleware/#asynchronous-support."
)


@check(
    "chain",
    E019="a middleware cannot run",
    E020="an async middleware is not recognised as one",
    W021="a sync-only middleware makes every request run in a thread",
    I021="middleware is sync-only, and the site is served by WSGI",
    W022="a sync-only middleware stands above ours",
)
def check_chain(project: Project) -> Iterator[Finding]:
    """E019, E020, W021, W022, I021: middleware that cannot run, is not recognised as async, or forces a thread."""
    chain = project.chain
    for number, link in enumerate(chain.links):
        if link.fault_id == CANNOT_RUN:
            hint = "Mend it, or take it out of MIDDLEWARE."
            yield Finding(CANNOT_RUN, f"{link.path} {link.fault}.", hint, link.place, subject=link.path)
        elif link.fault:
            above = chain.links[number + 1] if number + 1 < len(chain.links) else None
            message = f"{link.path} {link.fault}{_breaks(above)}."
            yield Finding(link.fault_id, message, MARK, link.place, subject=link.path)
    if project.interfaces.asgi_evidence:
        yield from _sync_only(chain)
    elif names := ", ".join(link.path for link in chain.links if not link.fault and not link.is_async_capable):
        yield Finding(
            "asyncstatic.I021",
            f"Sync-only middleware ({names}): under ASGI every request would be handed to a thread because of it."
            " Nothing says that this site is served by ASGI.",
            f"Nothing to do under WSGI. With ASGI_APPLICATION set, this becomes a warning. {ASYNC_CAPABLE}",
            subject="MIDDLEWARE",
        )


def _breaks(above: Link | None) -> str:
    if above is None:
        return "; nothing stands above it, so only its exceptions go wrong, until something does"
    return f"; {above.path} above it gets a coroutine where it expects a response (AttributeError or TypeError)"


def _sync_only(chain: Chain) -> Iterator[Finding]:
    """Sync-only middleware of a site served by ASGI: below ours, which then runs in a thread too, or above."""
    ours = next((number for number, link in enumerate(chain.links) if is_named(link, OURS)), None)
    for number, link in enumerate(chain.links):
        if link.fault or link.is_async_capable:
            continue
        message = f"{link.path} is sync-only: under ASGI every request is handed to a thread because of it"
        hint = NOT_YOURS if _is_installed(link.place) else ASYNC_CAPABLE
        if ours is not None and number > ours:
            yield Finding(
                "asyncstatic.W022",
                f"{message}, those for static files too, since it stands above AsyncStaticMiddleware.",
                f"Move it below AsyncStaticMiddleware, if static files do not need it. {hint}",
                link.place,
                subject=link.path,
            )
        else:
            if ours is not None and not chain.links[ours].runs_async:
                message += ", and AsyncStaticMiddleware above it runs in that thread too"
                hint += " Until then the wrapper, django_asyncstatic.asgi, keeps static files out of it."
            yield Finding("asyncstatic.W021", f"{message}.", hint, link.place, subject=link.path)


def _is_installed(place: Place | None) -> bool:
    """Whether a place is in the directories into which packages are installed."""
    if place is None:
        return False
    return any(Place.of(sysconfig.get_path(name)).file in place.file for name in ("purelib", "platlib"))


@check("chain", W029="a middleware keeps a request's state on self")
def check_state(project: Project) -> Iterator[Finding]:
    """W029: what one request leaves where the next one finds it. Nothing is constructed; the source is read."""
    for path in settings.MIDDLEWARE:
        if path.startswith("django."):
            continue  # a test looks at those of each Django
        try:
            target = import_string(path)
        except (Exception, SystemExit):  # E019 tells
            continue
        for kept in kept_state(target):
            yield Finding(
                "asyncstatic.W029",
                f"{path}.{kept.method} puts a value of one request into {kept.name}, which all requests share:"
                " where two are under way, one gets the other's.",
                "Keep it in a local variable, or on the request.",
                Place.of(kept.file, kept.line),
                subject=f"{path} {kept.name}",
            )


@check("chain", W028="persistent database connections under ASGI")
def check_connections(project: Project) -> Iterator[Finding]:
    """W028: ticket 30451's hazard, a connection for each of the threads that requests come and go with."""
    evidence = project.interfaces.asgi_evidence
    databases: dict[str, Any] = settings.DATABASES if evidence else {}
    for alias, options in databases.items():
        max_age = options.get("CONN_MAX_AGE", 0)
        if max_age != 0 and not str(options.get("ENGINE", "")).endswith(".dummy"):
            yield Finding(
                "asyncstatic.W028",
                f"DATABASES[{alias!r}] has CONN_MAX_AGE = {max_age!r}, and the site is served by ASGI ({evidence}):"
                " each request has a thread of its own, so its connection is not used again, and may stay open.",
                "Set CONN_MAX_AGE to 0, and let the backend pool connections: OPTIONS['pool'] of PostgreSQL and"
                " Oracle. See https://docs.djangoproject.com/en/stable/topics/async/#queries-the-orm.",
                place_of_setting("DATABASES"),
                subject=f"DATABASES[{alias!r}]",
            )


@check(
    "chain",
    W024="our middleware stands in the wrong place",
    W026="our middleware stands there twice",
    W027="two apps serve static files",
)
def check_order(project: Project) -> Iterator[Finding]:
    """W024, W026, W027, for subclasses too."""
    yield from order_findings(_names, place_of_setting("MIDDLEWARE"))


def _names(path: str) -> list[str]:
    try:
        target: Any = import_string(path)
    except (Exception, SystemExit):  # E019 tells
        target = None
    return names_of(path, target)


@check("chain", I025="Django's ASGI application is used, where ours would save thread hops")
def check_wrapper(project: Project) -> Iterator[Finding]:
    """I025: what the wrapper would save. The entry module's imports are read; it is not imported."""
    entry = project.interfaces.asgi
    django = "django.core.asgi.get_asgi_application"
    if not project.interfaces.asgi_evidence or entry is None or entry.is_wrapped or django not in entry.imports:
        return
    hops = project.chain.file_hops(is_async=True)
    if hops is not None:
        yield Finding(
            "asyncstatic.I025",
            f"A static file costs {hops} thread hops under ASGI before it is sent; in front of Django it costs none.",
            f"In {entry.module} write: from django_asyncstatic.asgi import get_asgi_application.",
            entry.place_of(django),
        )


@check("chain", I023="importing a middleware takes long")
def check_imports(project: Project) -> Iterator[Finding]:
    """I023, with ``deep`` only: what each worker pays for the chain at its start, measured in a process of its own."""
    if not project.deep:
        return
    try:
        measured = import_seconds(settings.MIDDLEWARE)
    except (OSError, ValueError) as error:
        yield Finding(
            "asyncstatic.I023",
            f"What importing the middleware costs could not be measured: {error}.",
            "Nothing to do, unless you want to know.",
            subject="MIDDLEWARE",
        )
        return
    for path, seconds in measured.items():
        if seconds >= SLOW_IMPORT:
            yield Finding(
                "asyncstatic.I023",
                f"Importing {path} takes {1000 * seconds:.0f} ms at the start of each worker.",
                "python -X importtime shows which import it is: make it where it is used.",
                subject=path,
            )
