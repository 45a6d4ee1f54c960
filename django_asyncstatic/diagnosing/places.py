"""Where a setting is written: its last assignment in the settings module, or in what that imports with a star."""

from __future__ import annotations

import ast
import sys
from functools import cache
from importlib.util import resolve_name
from pathlib import Path

from django.conf import settings

from django_asyncstatic.diagnosing.findings import Place


def place_of_setting(name: str) -> Place | None:
    """File and line; ``None`` for what no module assigns by that name (a default, an environment)."""
    module = getattr(settings, "SETTINGS_MODULE", None)
    return _place(module, name, set()) if module else None


def _place(module: str, name: str, seen: set[str]) -> Place | None:
    file = getattr(sys.modules.get(module), "__file__", None)
    if file is None or module in seen:
        return None
    seen.add(module)
    for node in reversed(_statements(file)):
        if isinstance(node, ast.ImportFrom):
            if any(alias.name == "*" for alias in node.names):
                package = sys.modules[module].__package__ or ""
                try:
                    source = resolve_name("." * node.level + (node.module or ""), package)
                except ImportError:
                    continue
                if (found := _place(source, name, seen)) is not None:
                    return found
        elif name in _assigned(node):
            return Place.of(file, node.lineno)
    return None


def _assigned(node: ast.stmt) -> set[str]:
    """The names that a statement assigns, or changes in place (``MIDDLEWARE += […]``)."""
    match node:
        case ast.Assign(targets=targets):
            pass
        case ast.AnnAssign(target=target) | ast.AugAssign(target=target):
            targets = [target]
        case _:
            return set()
    return {each.id for target in targets for each in ast.walk(target) if isinstance(each, ast.Name)}


@cache
def _statements(file: str) -> list[ast.stmt]:
    """The statements of a module in the order of the source, also those under a condition."""
    try:
        tree = ast.parse(Path(file).read_bytes())
    except (OSError, SyntaxError, ValueError):
        return []
    found = [node for node in _of_module(tree) if isinstance(node, ast.stmt)]
    return sorted(found, key=lambda node: node.lineno)


def _of_module(node: ast.AST) -> list[ast.AST]:
    children: list[ast.AST] = []
    for child in ast.iter_child_nodes(node):
        if not isinstance(child, ast.FunctionDef | ast.AsyncFunctionDef | ast.ClassDef):
            children += [child, *_of_module(child)]
    return children
