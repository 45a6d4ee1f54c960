"""All that the package says when something is wrong, found in its source wherever an error or a log line is made.

The diagnostics are left out: their findings have a page, and tests, of their own.
"""

from __future__ import annotations

import ast
import re
from collections.abc import Iterator
from functools import cache
from pathlib import Path
from typing import NamedTuple

import django_asyncstatic

PACKAGE = Path(django_asyncstatic.__file__).parent

#: What makes an error, by the end of its name.
_ERROR = re.compile(r"(Error|ImproperlyConfigured|InvalidIndex|UnusableBaseline|Unavailable|ContentChanged|Http404)$")

#: What writes to a log, to standard error, or to a list of what is wrong.
_TELLS = re.compile(
    r"^(logger\.(debug|info|warning|error|exception)|log_once|self\._complain|self\.stderr\.write|self\._tell"
    r"|(result\.)?(errors|warnings)\.append|\(result\.warnings if .*\)\.append)$"
)

#: Modules whose functions yield sentences, and functions that return them, or a part.
_YIELDING = {"options.py", "conf.py"}
_RETURNING = re.compile(
    r"^(_advice|_instead_of|_sentence|_visit|did_you_mean|explain|nearest|needs_index|why_unindexable)$"
)


class Place(NamedTuple):
    """Where a text is made: the module, what is called with it, and the text with "…" for what is filled in."""

    module: str
    call: str
    text: str


@cache
def places() -> tuple[Place, ...]:
    """All of them, in the order of the modules."""
    return tuple(_places())


def _places() -> Iterator[Place]:
    for file in sorted(PACKAGE.rglob("*.py")):
        module = file.relative_to(PACKAGE).as_posix()
        if module.startswith("diagnosing/"):
            continue
        tree = ast.parse(file.read_text())
        for node in ast.walk(tree):
            if isinstance(node, ast.Call):
                called = ast.unparse(node.func)
                if _TELLS.search(called) or _ERROR.search(called.rpartition(".")[2]):
                    yield Place(module, called, _text(node.args[0] if node.args else None))
                elif called == "Broken":
                    yield Place(module, called, _text(node.args[-1]))
            elif isinstance(node, ast.Yield) and module in _YIELDING and node.value is not None:
                text = _text(node.value.elts[-1] if isinstance(node.value, ast.Tuple) else node.value)
                if text.strip("… "):
                    yield Place(module, "yield", text)
            elif isinstance(node, ast.FunctionDef) and _RETURNING.search(node.name):
                returned = [each.value for each in ast.walk(node) if isinstance(each, ast.Return)]
                yield from (Place(module, node.name, text) for each in returned if (text := _text(each)).strip("…\n "))
            elif isinstance(node, ast.ClassDef) and _ERROR.search(node.name):
                for call in ast.walk(node):
                    if isinstance(call, ast.Call) and ast.unparse(call.func) == "super().__init__":
                        yield Place(module, node.name, _text(call.args[0]))


def _text(node: ast.expr | None) -> str:
    """What is written, with "…" for each expression."""
    match node:
        case ast.Constant(value=str(text)):
            return re.sub(r"%[rsd]", "…", text)
        case ast.JoinedStr(values=values):
            return "".join(_text(each) for each in values)
        case ast.BinOp(op=ast.Add(), left=left, right=right):
            return _text(left) + _text(right)
        case ast.IfExp(body=body):
            return _text(body)
        case _:
            return "…"
