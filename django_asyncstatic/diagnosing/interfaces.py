"""By which interface a project is served, as far as its settings and its entry modules tell.

``asgi.py`` and ``wsgi.py`` are read and never imported: importing one runs ``django.setup()`` a second time, and
whatever else a user starts there.
"""

from __future__ import annotations

import ast
import os
from dataclasses import dataclass
from functools import cached_property
from importlib.util import find_spec
from pathlib import Path

from django.conf import settings

from django_asyncstatic.diagnosing.findings import Place

#: Servers that speak ASGI and nothing else; granian and gunicorn speak both.
ASGI_SERVERS = ("uvicorn", "hypercorn", "daphne")

#: What startproject's asgi.py imports.
_STARTPROJECT = {"os", "django.core.asgi.get_asgi_application"}


@dataclass(frozen=True, slots=True)
class Entry:
    """An entry module: its dotted name, and the names that it imports with their lines."""

    module: str
    file: str
    imports: dict[str, int]

    @property
    def is_wrapped(self) -> bool:
        """Whether our wrapper can be what it makes: it imports something of ours."""
        return any(name.startswith(("django_asyncstatic.asgi", "django_asyncstatic.wsgi")) for name in self.imports)

    def place_of(self, name: str) -> Place:
        return Place.of(self.file, self.imports[name])


class Interfaces:
    """The entry modules of a project, and what tells that it is served by ASGI."""

    @cached_property
    def asgi(self) -> Entry | None:
        return _entry("asgi", getattr(settings, "ASGI_APPLICATION", None))

    @cached_property
    def wsgi(self) -> Entry | None:
        return _entry("wsgi", settings.WSGI_APPLICATION)

    @cached_property
    def asgi_evidence(self) -> str:
        """Why this is taken for a site served by ASGI; empty for one that WSGI serves.

        startproject leaves an ``asgi.py`` everywhere, so an untouched one counts only where a server for it is
        installed.
        """
        if getattr(settings, "ASGI_APPLICATION", None):
            return "ASGI_APPLICATION is set"
        for app in ("daphne", "channels"):
            if app in settings.INSTALLED_APPS:
                return f"{app} is in INSTALLED_APPS"
        if self.asgi is None:
            return ""
        if not self.asgi.imports.keys() <= _STARTPROJECT:
            return f"{self.asgi.module} is not as startproject leaves it"
        server = next((name for name in ASGI_SERVERS if _is_installed(name)), None)
        if server is not None:
            return f"there is {self.asgi.module}, and {server} is installed"
        return f"there is {self.asgi.module} and no wsgi.py" if self.wsgi is None else ""


def _entry(kind: str, setting: str | None) -> Entry | None:
    """The module that a setting names, else the one beside the settings or the root URLconf."""
    for module in _candidates(kind, setting):
        try:
            spec = find_spec(module)
            if spec is None or not spec.origin or not os.path.isfile(spec.origin):
                continue
            return Entry(module, spec.origin, _imports(ast.parse(Path(spec.origin).read_bytes())))
        except (ImportError, ValueError, SyntaxError, OSError):
            continue
    return None


def _candidates(kind: str, setting: str | None) -> list[str]:
    if setting:
        return [setting.rpartition(".")[0]]
    names = []
    for inside in (getattr(settings, "SETTINGS_MODULE", "") or "", getattr(settings, "ROOT_URLCONF", "") or ""):
        package = str(inside).rpartition(".")[0]
        while package:
            names.append(f"{package}.{kind}")
            package = package.rpartition(".")[0]
    return names


def _imports(tree: ast.Module) -> dict[str, int]:
    found: dict[str, int] = {}
    for node in ast.walk(tree):
        if isinstance(node, ast.Import):
            found |= {alias.name: node.lineno for alias in node.names}
        elif isinstance(node, ast.ImportFrom):
            module = "." * node.level + (node.module or "")
            found |= {f"{module}.{alias.name}": node.lineno for alias in node.names}
    return found


def _is_installed(name: str) -> bool:
    try:
        return find_spec(name) is not None
    except (ImportError, ValueError):
        return False
