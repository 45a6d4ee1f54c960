"""Middleware that keeps a request's state where all requests share it, found in its source.

An instance of a middleware, and the closure of one that is a function, answers every request of the process. What one
request puts there another reads, as soon as two are under way.

The rule: a plain assignment to an attribute of ``self`` (or to a ``nonlocal`` name) while a request is answered, of a
value that derives from the request, the response, the clock or a random number. Not state of a request, and so left
alone: constants, counters (``+=``), entries of containers, attributes of attributes (``self.local.user``, a
thread-local), and what is filled once (a test of the attribute stands before the assignment).
"""

from __future__ import annotations

import ast
import functools
import inspect
from collections.abc import Iterator
from dataclasses import dataclass, field
from functools import cache
from pathlib import Path
from typing import Any

#: Where Django and MiddlewareMixin enter a middleware; their asynchronous twins have the prefix ``a``.
HOOKS = (
    "process_request",
    "process_view",
    "process_exception",
    "process_template_response",
    "process_response",
)
ENTRIES = ("__call__", "__acall__", *HOOKS, *(f"a{name}" for name in HOOKS))

#: Calls whose result belongs to the moment at which a request came, by the last part of their name.
MOMENTS = frozenset(
    {
        *("time", "time_ns", "monotonic", "monotonic_ns", "perf_counter", "perf_counter_ns"),
        *("process_time", "default_timer", "now", "utcnow", "localtime", "today"),
        *("uuid1", "uuid4", "uuid7", "token_hex", "token_urlsafe"),
    }
)

Function = ast.FunctionDef | ast.AsyncFunctionDef


@dataclass(frozen=True, slots=True, order=True)
class Kept:
    """What is kept (``self.started``), and where: file and line of the assignment, and the method that makes it."""

    file: str
    line: int
    name: str
    method: str


def kept_state(target: Any) -> list[Kept]:
    """What a middleware, a class or a factory, keeps of a request; nothing where there is no source to read."""
    while isinstance(target, functools.partial):
        target = target.func
    if isinstance(target, type):
        found = _kept_by_class(target)
    else:
        found = _kept_by_factory(inspect.unwrap(target))
    return sorted(set(found))


@dataclass(frozen=True, slots=True)
class _Method:
    """A method, and the file and the place in the order of resolution of the class that has it."""

    file: str
    depth: int
    node: Function


def _kept_by_class(cls: type) -> Iterator[Kept]:
    methods = _methods(cls)
    todo: list[tuple[_Method, bool]] = [(methods[name][0], True) for name in ENTRIES if name in methods]
    seen = set()
    while todo:
        method, is_tainted = todo.pop()
        if (method, is_tainted) in seen:
            continue
        seen.add((method, is_tainted))
        parameters = _parameters(method.node)
        if not parameters or any(
            _last_name(each) in ("staticmethod", "classmethod") for each in method.node.decorator_list
        ):
            continue
        self, *others = parameters
        reading = _Reading(method.node, tainted=set(others) if is_tainted else set(), owner=self)
        reading.read()
        yield from (Kept(method.file, line, name, method.node.name) for name, line in reading.kept)
        for name, is_super, is_tainted_call in reading.called:
            candidates = [each for each in methods.get(name, ()) if not is_super or each.depth > method.depth]
            todo += [(each, is_tainted_call) for each in candidates[:1]]


def _methods(cls: type) -> dict[str, list[_Method]]:
    """Every method of a class by name, in the order of resolution."""
    methods: dict[str, list[_Method]] = {}
    for depth, each in enumerate(cls.__mro__):
        file, node = _source_of(each, each.__qualname__)
        for child in node.body if isinstance(node, ast.ClassDef) else ():
            if isinstance(child, Function):
                methods.setdefault(child.name, []).append(_Method(file, depth, child))
    return methods


def _kept_by_factory(factory: Any) -> Iterator[Kept]:
    file, node = _source_of(factory, getattr(factory, "__qualname__", ""))
    if not isinstance(node, Function):
        return
    for child in ast.walk(node):
        if isinstance(child, Function) and child is not node:
            shared = {name for each in _own_nodes(child) if isinstance(each, ast.Nonlocal) for name in each.names}
            reading = _Reading(child, tainted=set(_parameters(child)), nonlocal_names=shared)
            reading.read()
            yield from (Kept(file, line, name, child.name) for name, line in reading.kept)


@dataclass(slots=True)
class _Reading:
    """One function read from top to bottom: which names hold something of the request, and what is kept.

    ``owner`` is its name for ``self``. ``called`` are the methods of the same object that it calls: name, whether by
    way of ``super()``, whether with something of the request.
    """

    function: Function
    tainted: set[str]
    owner: str = ""
    nonlocal_names: set[str] = field(default_factory=set)
    kept: list[tuple[str, int]] = field(default_factory=list)
    called: list[tuple[str, bool, bool]] = field(default_factory=list)
    tested: set[str] = field(default_factory=set)

    def read(self) -> None:
        for node in _own_nodes(self.function):
            match node:
                case ast.Assign(targets=targets, value=value):
                    self._assign(targets, value)
                case ast.AnnAssign(target=target, value=ast.expr() as value):
                    self._assign([target], value)
                case ast.NamedExpr(target=target, value=value):
                    self._assign([target], value)
                case ast.For(target=target, iter=value) | ast.AsyncFor(target=target, iter=value):
                    self._assign([target], value)
                case ast.withitem(context_expr=value, optional_vars=ast.expr() as target):
                    self._assign([target], value)
                case ast.If(test=test) | ast.IfExp(test=test) | ast.While(test=test):
                    self.tested |= self._attributes(test)
                case ast.Try(body=body, handlers=handlers) if any(_catches_missing(each) for each in handlers):
                    self.tested |= {name for each in body for name in self._attributes(each)}
                case ast.Call():
                    self._call(node)

    def _assign(self, targets: list[ast.expr], value: ast.expr) -> None:
        is_tainted = self._is_tainted(value)
        for target in targets:
            for node in _targets(target):
                name = self._shared_name(node)
                if name is not None:
                    if is_tainted and name not in self.tested:
                        self.kept.append((name, node.lineno))
                elif isinstance(node, ast.Name) and node.id == self.owner:
                    self.owner = ""  # another object from here on
                elif isinstance(node, ast.Name):
                    (self.tainted.add if is_tainted else self.tainted.discard)(node.id)

    def _shared_name(self, node: ast.expr) -> str | None:
        """``self.x`` or a nonlocal name, as it is written; ``None`` for what belongs to this call."""
        match node:
            case ast.Attribute(value=ast.Name(id=owner), attr=attr) if owner and owner == self.owner:
                return f"{owner}.{attr}"
            case ast.Name(id=name) if name in self.nonlocal_names:
                return name
        return None

    def _is_tainted(self, value: ast.expr) -> bool:
        for node in ast.walk(value):
            if isinstance(node, ast.Name) and node.id in self.tainted:
                return True
            if isinstance(node, ast.Call) and _last_name(node.func) in MOMENTS:
                return True
        return False

    def _attributes(self, node: ast.AST) -> set[str]:
        """The shared names that are read, in ``hasattr`` and ``getattr`` too."""
        found = set()
        for each in ast.walk(node):
            match each:
                case ast.Attribute(ctx=ast.Load()) | ast.Name(ctx=ast.Load()) if name := self._shared_name(each):
                    found.add(name)
                case ast.Call(func=ast.Name(id="hasattr" | "getattr"), args=[_, ast.Constant(value=str() as attr), *_]):
                    found.add(f"{self.owner}.{attr}")
        return found

    def _call(self, node: ast.Call) -> None:
        is_tainted = any(self._is_tainted(each) for each in [*node.args, *(each.value for each in node.keywords)])
        match node.func:
            case ast.Attribute(value=ast.Name(id=owner), attr=name) if owner == self.owner:
                self.called.append((name, False, is_tainted))
            case ast.Attribute(value=ast.Call(func=ast.Name(id="super")), attr=name):
                self.called.append((name, True, is_tainted))
        for each in node.args:  # sync_to_async(self.method)(request), loop.run_in_executor(None, self.method, request)
            match each:
                case ast.Attribute(value=ast.Name(id=owner), attr=name) if owner == self.owner:
                    self.called.append((name, False, True))


def _own_nodes(function: Function) -> Iterator[ast.AST]:
    """The nodes of a function's body in the order of the source, a value before what it is assigned to."""

    def walk(node: ast.AST) -> Iterator[ast.AST]:
        if isinstance(node, ast.Assign | ast.AnnAssign | ast.NamedExpr) and node.value is not None:
            yield from walk(node.value)
            yield node
            return
        yield node
        for child in ast.iter_child_nodes(node):
            yield from walk(child)

    for statement in function.body:
        yield from walk(statement)


def _targets(target: ast.expr) -> Iterator[ast.expr]:
    match target:
        case ast.Tuple(elts=parts) | ast.List(elts=parts):
            for part in parts:
                yield from _targets(part)
        case ast.Starred(value=part):
            yield from _targets(part)
        case _:
            yield target


def _parameters(function: Function) -> list[str]:
    given = function.args
    named = [*given.posonlyargs, *given.args, *given.kwonlyargs, given.vararg, given.kwarg]
    return [each.arg for each in named if each is not None]


def _catches_missing(handler: ast.ExceptHandler) -> bool:
    return handler.type is not None and any(
        isinstance(each, ast.Name) and each.id == "AttributeError" for each in ast.walk(handler.type)
    )


def _last_name(node: ast.expr) -> str:
    match node:
        case ast.Attribute(attr=name) | ast.Name(id=name):
            return name
    return ""


def _source_of(target: Any, qualname: str) -> tuple[str, ast.AST | None]:
    """The file and the node of a class or a function; no node where they cannot be read."""
    try:
        file = inspect.getsourcefile(target)
        node: ast.AST | None = _parse(file) if file else None
    except (OSError, TypeError, ValueError, SyntaxError):
        return "", None
    for name in qualname.split("."):
        if name != "<locals>" and node is not None:
            node = next((each for each in _definitions(node) if each.name == name), None)
    return file or "", node


def _definitions(node: ast.AST) -> Iterator[ast.ClassDef | Function]:
    """The classes and functions in a body, also those under a condition; the last of a name first."""
    children = list(ast.iter_child_nodes(node))
    for child in reversed(children):
        if isinstance(child, ast.ClassDef | Function):
            yield child
        elif isinstance(child, ast.If | ast.Try | ast.With | ast.ExceptHandler):
            yield from _definitions(child)


@cache
def _parse(file: str) -> ast.Module:
    return ast.parse(Path(file).read_bytes())
