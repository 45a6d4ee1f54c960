"""The static files that the text of a template names, and the URLs of such that it writes out.

Django's templates are cut into tags by Django's own expression and read with its rules for ``verbatim``, ``comment``
and ``load``, but not compiled: that takes fifty times as long. Jinja's are parsed by their own environment. A test
holds that what is found are the nodes that Django's parser makes.
"""

from __future__ import annotations

import inspect
import re
from bisect import bisect
from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from typing import Any, NamedTuple, Protocol

from django.template import Engine
from django.template.base import Token, TokenType, tag_re
from django.templatetags.static import StaticNode, do_static, static
from django.utils.text import unescape_string_literal

#: A string and nothing after it: no filter.
_LITERAL = re.compile(r"""(?:"[^"\\]*(?:\\.[^"\\]*)*"|'[^'\\]*(?:\\.[^'\\]*)*')""", re.DOTALL)
_HTML_COMMENT = re.compile(r"<!--.*?-->", re.DOTALL)


class CannotCompile(Exception):
    """The engine would refuse the template; says why."""


class Language(Protocol):
    """How the templates of one engine are written."""

    charset: str
    #: An expression that each text matches in which a static file is named.
    mention: str

    def uses(self, text: str) -> tuple[list[Use], Spans]:
        """The static files that a template names, and where its text is code. Raises :class:`CannotCompile`."""
        ...


class Use(NamedTuple):
    """A static file that a template asks for. ``name`` is ``None`` where it is not known before it is rendered.

    ``depends``: it stands inside a tag that a library has in the manner of ``if``, such as ``{% ifinstalled %}``, which
    may leave it out.
    """

    name: str | None
    line: int
    column: int | None
    depends: bool = False


class WrittenOut(NamedTuple):
    """A URL below STATIC_URL in the text of a template; ``name`` as in :class:`Use`."""

    url: str
    name: str | None
    line: int
    column: int


class Spans(list[tuple[int, int]]):
    """Where a text is not what is sent: tags, comments. Half open, sorted, not overlapping."""

    def cover(self, position: int) -> bool:
        at = bisect(self, position, key=lambda span: span[0])
        return at > 0 and position < self[at - 1][1]


# --- Django's language -----------------------------------------------------------------------------------------

#: The tags of a library: whether each makes a StaticNode.
Tags = Mapping[str, bool]


class DjangoLanguage:
    """Django's, with the tags of an engine's libraries."""

    def __init__(self, engine: Engine) -> None:
        self.charset = engine.file_charset
        self._builtins: dict[str, bool] = {}
        for library in engine.template_builtins:
            self._builtins.update(_tags(library))
        loaded = {name: _library(path) for name, path in engine.libraries.items()}
        self._libraries = {name: tags for name, tags in loaded.items() if tags is not None}
        self.names = {
            name
            for tags in (self._builtins, *self._libraries.values())
            for name, is_static in tags.items()
            if is_static
        }
        self.mention = rf"\{{%\s*(?:{_any_of(self.names)})"

    def uses(self, text: str) -> tuple[list[Use], Spans]:
        known = dict(self._builtins)
        uses: list[Use] = []
        spans = Spans()
        line, counted = 1, 0
        conditions: list[str] = []
        for start, content in _block_tags(text, spans):
            word = content.split(None, 1)[0] if content else ""
            if word.startswith("if") and word not in self._builtins and word in known:
                conditions.append(f"end{word}")
            elif conditions and word == conditions[-1]:
                conditions.pop()
            elif word == "load":
                known.update(_loaded(content.split()[1:], self._libraries))
            elif known.get(word):
                line, counted = line + text.count("\n", counted, start), start
                uses.append(_use(text, start, content, line, depends=bool(conditions)))
            elif word in self.names and word not in known:
                raise CannotCompile(f"uses {{% {word} %}} without {{% load %}} of a library that has it")
        return uses, spans


def _block_tags(text: str, spans: Spans) -> Iterator[tuple[int, str]]:
    """Where each ``{% tag %}`` begins that the parser would see, and what is in it; fills the spans."""
    verbatim, comment_start = "", -1
    for match in tag_re.finditer(text):
        start, stop = match.span()
        if text[start + 1] != "%":
            if not verbatim and comment_start < 0:
                spans.append((start, stop))
            continue
        content = text[start + 2 : stop - 2].strip()
        # As django.template.base.Lexer.create_token has it, before the parser sees a comment.
        if verbatim:
            if content != verbatim:
                continue
            verbatim = ""
        elif content[:9] in ("verbatim", "verbatim "):
            verbatim = f"end{content}"
        if comment_start >= 0:
            if content == "endcomment":
                spans.append((comment_start, stop))
                comment_start = -1
        elif content[:7] == "comment" and content.split(None, 1)[0] == "comment":
            comment_start = start
        else:
            spans.append((start, stop))
            yield start, content


def _library(path: str) -> Tags | None:
    from django.template.library import import_library

    try:
        return _tags(import_library(path))
    except Exception:  # to load it is what Django refuses then
        return None


def _tags(library: Any) -> Tags:
    return {name: _makes_static_node(function) for name, function in library.tags.items()}


def _makes_static_node(function: Any) -> bool:
    """Whether the function that compiles a tag is StaticNode's, or does nothing but call that."""
    if _is_of_static(function) or _is_of_static(getattr(function, "__self__", None)):
        return True
    code, scope = getattr(function, "__code__", None), getattr(function, "__globals__", {})
    if code is None or len(called := set(code.co_names) - {"handle_token"}) != 1:
        return False
    return _is_of_static(scope.get(called.pop()))


def _is_of_static(value: Any) -> bool:
    """Not so for a subclass that makes another name or URL of the one it is given."""
    if not (isinstance(value, type) and issubclass(value, StaticNode)):
        return value is do_static
    return all(
        inspect.getattr_static(value, name) is vars(StaticNode)[name]
        for name in ("url", "render", "handle_simple", "handle_token")
    )


def _loaded(bits: list[str], libraries: Mapping[str, Tags]) -> Tags:
    """As django.template.defaulttags.load does it."""
    if len(bits) >= 3 and bits[-2] == "from":
        names, wanted = bits[-1:], set(bits[:-2])
    else:
        names, wanted = bits, None
    loaded: dict[str, bool] = {}
    for name in names:
        if name not in libraries:
            raise CannotCompile(f"loads {name!r}, which no installed app has as a library of tags")
        loaded.update(libraries[name])
    return {name: is_static for name, is_static in loaded.items() if wanted is None or name in wanted}


def _use(text: str, tag: int, content: str, line: int, *, depends: bool) -> Use:
    bits = Token(TokenType.BLOCK, content).split_contents()
    written = bits[1] if len(bits) > 1 else ""
    start = text.find(written, tag)
    is_literal = _LITERAL.fullmatch(written)
    return Use(unescape_string_literal(written) if is_literal else None, line, _column(text, start), depends)


# --- Jinja's ---------------------------------------------------------------------------------------------------


class JinjaLanguage:
    """Jinja's, with the names under which an environment has Django's ``static()``: as a function, as a filter."""

    charset = "utf-8"

    def __init__(self, environment: Any) -> None:
        self._environment = environment
        self._functions = {name for name, value in environment.globals.items() if _is_static(name, value)}
        self._filters = {name for name, value in environment.filters.items() if _is_static(name, value)}
        self.mention = _any_of(self._functions | self._filters)

    def uses(self, text: str) -> tuple[list[Use], Spans]:
        from jinja2 import TemplateSyntaxError, nodes

        try:
            tree = self._environment.parse(text)
        except TemplateSyntaxError as error:
            raise CannotCompile(f"is not in Jinja's language: {error.message} (line {error.lineno})") from error
        uses = []
        lines = text.split("\n")
        for node in tree.find_all((nodes.Call, nodes.Filter)):
            argument: Any = None
            if isinstance(node, nodes.Filter):
                if node.name not in self._filters or node.node is None:
                    continue
                argument = node.node
            elif isinstance(node.node, nodes.Name) and node.node.name in self._functions and node.args:
                argument = node.args[0]
            else:
                continue
            name = argument.value if isinstance(argument, nodes.Const) and isinstance(argument.value, str) else None
            uses.append(Use(name, node.lineno, _quoted_at(lines[node.lineno - 1], name)))
        return sorted(uses, key=lambda use: use.line), _jinja_spans(text, self._environment)


def _is_static(name: str, value: Any) -> bool:
    """Whether it is ``static()``, a storage's ``url()``, or what a project put in the place of it, by its name."""
    if name == "static":
        return callable(value)
    is_url = getattr(value, "__name__", "") == "url" and hasattr(getattr(value, "__self__", None), "base_url")
    return value is static or is_url


def _quoted_at(line: str, name: str | None) -> int | None:
    """Jinja's nodes have lines only."""
    found = re.search(rf"[\"']{re.escape(name)}[\"']", line) if name is not None else None
    return found.start() + 1 if found else None


def _jinja_spans(text: str, environment: Any) -> Spans:
    pairs = [
        (getattr(environment, f"{kind}_start_string"), getattr(environment, f"{kind}_end_string"))
        for kind in ("block", "variable", "comment")
    ]
    code = re.compile("|".join(f"{re.escape(start)}.*?{re.escape(stop)}" for start, stop in pairs), re.DOTALL)
    return Spans(match.span() for match in code.finditer(text))


def _any_of(names: Iterable[str]) -> str:
    return "|".join(map(re.escape, sorted(names))) or "(?!)"


# --- both ------------------------------------------------------------------------------------------------------


class Wanted:
    """What the text of a template has in it if it is worth a closer look: a mention of a static file, or such a URL.

    They are looked for one after the other: an expression that begins with two signs is found five times as fast as
    one of alternatives, and a string ten times.
    """

    def __init__(self, mention: str, urls: Iterable[str]) -> None:
        self._urls = list(urls)
        self._urls_in_bytes = [url.encode() for url in self._urls]
        self._mention = re.compile(mention)
        self._mention_in_bytes = re.compile(mention.encode())

    def is_in(self, text: bytes | str) -> bool:
        if isinstance(text, str):
            return any(url in text for url in self._urls) or self._mention.search(text) is not None
        return any(url in text for url in self._urls_in_bytes) or self._mention_in_bytes.search(text) is not None


def written_out(urls: Sequence[str]) -> Callable[[str, Spans], Iterator[WrittenOut]]:
    """A function that finds the URLs below these in the text of a template, outside its code.

    Only where a URL of a file can be meant: an attribute's value, a string, ``url()``, a ``srcset``.
    """
    alternatives = "|".join(re.escape(url) for url in urls)
    pattern = re.compile(rf"""([\"'`=(]|,\s)\s*((?:{alternatives})([^\s"'`<>(),;]+))""")

    def find(text: str, code: Spans) -> Iterator[WrittenOut]:
        if not any(url in text for url in urls):
            return
        comments: Spans | None = None
        for match in pattern.finditer(text):
            start = match.start(2)
            if comments is None:
                comments = Spans(each.span() for each in _HTML_COMMENT.finditer(text))
            if code.cover(start) or comments.cover(start):
                continue
            if match[1].startswith(",") and "srcset" not in text[text.rfind("<", 0, start) : start]:
                continue
            path = re.split("[?#]", match[3])[0]
            is_known = "{" not in path
            # The last part of a file's URL has a point in it; what has none is compared with, or joined.
            if not is_known or "." in path.rpartition("/")[2]:
                name = path if is_known else None
                yield WrittenOut(match[2], name, text.count("\n", 0, start) + 1, _column(text, start))

    return find


def _column(text: str, position: int) -> int:
    return position - text.rfind("\n", 0, position)
