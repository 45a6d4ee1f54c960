"""The request header fields that an answer depends on, and the path, from an ASGI scope or a WSGI environ.

Everything else that a client sends is left unread. Repeated lines of a field are one list (RFC 9110 5.3).
Adding a field is one entry in :data:`READ`.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping, MutableMapping
from typing import Any

#: What preconditions, ranges, negotiation and CORS read; lower case.
READ = (
    "accept-encoding",
    "access-control-request-method",
    "if-match",
    "if-modified-since",
    "if-none-match",
    "if-range",
    "if-unmodified-since",
    "origin",
    "range",
)

# The ASGI specification wants lower case of servers, but does not require it.
_FROM_SCOPE = {spelling.encode(): field for field in READ for spelling in (field, field.title(), field.upper())}
_FROM_ENVIRON = tuple(("HTTP_" + field.upper().replace("-", "_"), field) for field in READ)

Fields = Mapping[str, str]


def fields_from_headers(headers: Iterable[tuple[bytes, bytes]]) -> Fields:
    """The fields of an ASGI scope's ``headers``, whose names are in lower case (ASGI specification)."""
    fields: dict[str, str] = {}
    for name, value in headers:
        if (field := _FROM_SCOPE.get(name)) is not None:
            text = value.decode("latin-1")
            fields[field] = f"{fields[field]}, {text}" if field in fields else text
    return fields


def fields_from_environ(environ: Mapping[str, Any]) -> Fields:
    """The fields of a WSGI environ, or of a Django request's ``META``; the server joined repeated lines."""
    return {field: environ[key] for key, field in _FROM_ENVIRON if key in environ}


def path_info_from_scope(scope: MutableMapping[str, Any], script_name: str | None = None) -> tuple[str, str]:
    """``(script name, path info)`` of an ASGI scope, as Django 6.1 tells them apart.

    ``script_name`` is FORCE_SCRIPT_NAME; without it the scope's ``root_path`` counts, which servers leave in
    the path or not.
    """
    path: str = scope["path"]
    script = (script_name or scope.get("root_path") or "").rstrip("/")
    if script and path.startswith(script) and path[len(script) : len(script) + 1] in ("", "/"):
        return script, path[len(script) :]
    return script, path


def path_info_from_environ(environ: Mapping[str, Any], script_name: str | None = None) -> tuple[str, str] | None:
    """``(script name, path info)`` of a WSGI environ (PEP 3333); ``None`` for a path that is not UTF-8."""
    try:
        path = environ.get("PATH_INFO", "").encode("latin-1").decode()
        script = script_name if script_name is not None else environ.get("SCRIPT_NAME", "").encode("latin-1").decode()
    except UnicodeError:
        return None
    return script.rstrip("/"), path or "/"
