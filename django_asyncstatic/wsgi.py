"""WSGI: static files in front of any application, or of none.

``get_wsgi_application()`` replaces Django's function of that name; :class:`StaticWSGI` reads no settings.
"""

from __future__ import annotations

import os
from collections.abc import Callable, Iterable, Sequence
from http import HTTPStatus
from typing import Any

from django_asyncstatic.serving.contents import ContentUnavailable
from django_asyncstatic.serving.fields import fields_from_environ, path_info_from_environ
from django_asyncstatic.serving.mounts import Answer, Asked, Candidates, answer
from django_asyncstatic.serving.streams import CHUNK_SIZE, BoundedFile, file_for
from django_asyncstatic.sources import add_directory, make_site

__all__ = ["StaticWSGI", "get_wsgi_application"]

Environ = dict[str, Any]
StartResponse = Callable[..., Any]
WSGIApplication = Callable[[Environ, StartResponse], Iterable[bytes]]

_REASONS = {status.value: f"{status.value} {status.phrase}" for status in HTTPStatus}


def get_wsgi_application() -> StaticWSGI:
    """Django's WSGI application with the project's static files in front of it.

    A drop-in replacement for ``django.core.wsgi.get_wsgi_application``. What SecurityMiddleware would have
    added is added; what it would have redirected is left to it.
    """
    from django.core.wsgi import get_wsgi_application as get_django_application

    from django_asyncstatic import conf

    application = get_django_application()
    front = StaticWSGI(application, script_name=conf.script_name())
    front.site = conf.site(conf.security_policy())
    return front


class StaticWSGI:
    """Static files in front of a WSGI application.

    Arguments as for :class:`django_asyncstatic.asgi.StaticASGI`. Specification: PEP 3333.
    """

    def __init__(
        self,
        application: WSGIApplication | None = None,
        root: str | os.PathLike[str] | None = None,
        prefix: str | None = None,
        *,
        index: str | os.PathLike[str] | None = None,
        live: Sequence[str] = (),
        index_file: str | bool | None = None,
        dotfiles: bool = False,
        script_name: str | None = None,
        **headers: Any,
    ) -> None:
        self.application: WSGIApplication = _nothing_behind if application is None else application
        self.script_name = script_name
        self.site = make_site(root, prefix, index=index, live=live, index_file=index_file, dotfiles=dotfiles, **headers)

    def add_files(
        self,
        root: str | os.PathLike[str],
        prefix: str | None = None,
        *,
        index: str | os.PathLike[str] | None = None,
        live: Sequence[str] = (),
    ) -> None:
        """Serve one more directory; for a name that several have, the one added last answers."""
        add_directory(self.site, root, prefix, index=index, live=live)

    def __call__(self, environ: Environ, start_response: StartResponse) -> Iterable[bytes]:
        site = self.site
        is_secure = site.security is not None and site.security.is_secure_environ(environ)
        has_script_name = self.script_name or environ.get("SCRIPT_NAME")
        route = None if has_script_name else site.routes[is_secure].get(environ.get("PATH_INFO", ""))
        if route is not None:
            recalled = route.recall(environ["REQUEST_METHOD"], fields_from_environ(environ))
            if recalled is not None:
                plan, body = recalled
                start_response(_REASONS[plan.status], list(plan.headers.pairs))
                return [body] if body else []
        candidates = self._candidates(environ, is_secure=is_secure)
        asked = _asked(candidates, environ)
        found = answer(*asked)
        while found is not None:
            try:
                response = _respond(found, environ, start_response)
            except ContentUnavailable as error:
                found = found.instead(error, asked)
            else:
                if not has_script_name:
                    site.remember(environ.get("PATH_INFO", ""), candidates, found, is_secure=is_secure)
                return response
        return self.application(environ, start_response)

    def _candidates(self, environ: Environ, *, is_secure: bool) -> Candidates:
        paths = path_info_from_environ(environ, self.script_name)
        if paths is None:
            return ()
        script_name, path_info = paths
        candidates = self.site.candidates(script_name, path_info, is_secure=is_secure)
        if not candidates or self.site.would_redirect(script_name + path_info, is_secure=is_secure):
            return ()
        return candidates


def _asked(candidates: Candidates, environ: Environ) -> Asked:
    return (
        candidates,
        environ["REQUEST_METHOD"],
        lambda: fields_from_environ(environ),
        lambda: environ.get("QUERY_STRING", "").encode("latin-1", "replace"),
    )


def _respond(found: Answer, environ: Environ, start_response: StartResponse) -> Iterable[bytes]:
    plan = found.plan
    opened = found.open()
    start_response(_REASONS[plan.status], list(plan.headers.pairs))
    if isinstance(opened, bytes):
        return [opened] if opened else []
    assert plan.content is not None
    wrap = environ.get("wsgi.file_wrapper")
    file = file_for(wrap, opened, plan.content.length, is_whole=plan.content.is_whole)
    if file is None:
        return BoundedFile(opened, plan.content.length)
    wrapped: Iterable[bytes] = wrap(file, CHUNK_SIZE)  # type: ignore[misc]
    return wrapped


def _nothing_behind(environ: Environ, start_response: StartResponse) -> Iterable[bytes]:
    """The application where there is none."""
    body = b"Not Found"
    start_response("404 Not Found", [("content-type", "text/plain"), ("content-length", str(len(body)))])
    return [] if environ["REQUEST_METHOD"] == "HEAD" else [body]
