"""The references to other files in the text of a style sheet or a script: where they are, and what replaces them.

Nothing here opens a file or knows a setting: which file a URL means is for the caller to say. What replaces a
reference is spelled as Django 6.1's ``ManifestStaticFilesStorage`` spells it, so that the same file gets the same
bytes. Style sheets are read with tinycss2 and modules with tree-sitter, each only where a cheap look at the text
cannot rule references out.
"""

from __future__ import annotations

import re
from bisect import bisect
from collections.abc import Iterable, Iterator, Mapping
from functools import cache
from typing import TYPE_CHECKING, Literal, NamedTuple

if TYPE_CHECKING:
    from tree_sitter import Node, TreeCursor

#: A change to what this module finds, or to how it is replaced, takes another number.
VERSION = 1

_SCHEME = re.compile(r"[a-z][a-z0-9+.-]*:", re.IGNORECASE)
_LINE_END = re.compile(r"\r\n|[\r\n]")
# The URL parser drops tabs and line ends anywhere, and controls and spaces at both ends (URL Standard 4.4).
_DROPPED = dict.fromkeys(map(ord, "\t\n\r"))
_ENDS = "".join(map(chr, range(33)))

# Style sheets (CSS Syntax 3, sections 3.3 and 4.3).
_CSS_LINE_END = re.compile(r"\r\n|[\n\r\f]")
_CSS_ESCAPE = re.compile(r"\\(?:([0-9a-f]{1,6})(?:\r\n|[ \t\n\r\f])?|(\r\n|[\n\r\f])|(.))", re.IGNORECASE | re.DOTALL)
_CSS_ESCAPED = r"\\(?:[0-9a-fA-F]{1,6}(?:\r\n|[ \t\n\r\f])?|\r\n|.)"
_CSS_STRING = rf"""(?:"((?:[^"\\\n\r\f]|{_CSS_ESCAPED})*+)"|'((?:[^'\\\n\r\f]|{_CSS_ESCAPED})*+)')"""
_QUOTED = re.compile(_CSS_STRING, re.DOTALL)
_QUOTED_URL = re.compile(rf"[^(]*+\([ \t\n\r\f]*+{_CSS_STRING}[ \t\n\r\f]*+\)", re.DOTALL)
_UNQUOTED_URL = re.compile(r"[^(]*+\(((?:[^)\\]|\\[^\n\r\f])*+)\)")
_CSS_MAP = re.compile(r"/\*#[ \t]sourceMappingURL=((?:(?!\*/)\S)++)[ \t]*+\*/(?=[\n\r\f]|\Z)")
# What a style sheet without references lacks. Only escapes that can spell one of these words are resolved before
# the second look, so that `.sm\:flex` and `url\(` stay what they are.
_WORDS = ("@import", "image-set(")
_LOCAL_URL = re.compile(r"url\((?![ \t\n\r\f]*+[\"']?+[ \t\n\r\f]*+(?:data:|https?:|//|#))")
_WORD_ESCAPE = re.compile(r"\\(?:([0-9a-f]{1,6})(?:\r\n|[ \t\n\r\f])?|([g-z-]))", re.IGNORECASE)
# tinycss2 turns these into numbers, which int() declines.
_NO_NUMBER = re.compile(r"[0-9]{600,}|u\+\?", re.IGNORECASE)
_IMAGE_SETS = ("image-set", "-webkit-image-set")

# Scripts (ECMA-262, sections 12.3, 12.4 and 12.9.4).
_JS_MAP = re.compile(r"//# sourceMappingURL=(\S++)[ \t]*+(?=[\n\r\u2028\u2029]|\Z)")
# Nothing but white space and comments, and in these nothing that might end a template literal or a comment around.
_JS_TAIL = re.compile(
    r"""(?:\s++|\ufeff|//(?:[^\n\r\u2028\u2029"'`*]|\*(?!/))*+(?=[\n\r\u2028\u2029]|\Z)"""
    r"""|/\*(?:[^*"'`]|\*(?!/))*+\*/)*+\Z"""
)
_JS_OPAQUE = re.compile(
    r"""/\*(?:.*?\*/|.*)|//[^\n]*+|\\.|'(?:[^'\\\n]|\\.)*+'|"(?:[^"\\\n]|\\.)*+"|`(?:[^`\\]|\\.)*+`""", re.DOTALL
)
_JS_STRING = r"""(?:"(?:[^"\\\n\r]|\\(?:\r\n|.))*+"|'(?:[^'\\\n\r]|\\(?:\r\n|.))*+')"""
_JS_ESCAPE = re.compile(
    r"\\(?:u\{([0-9a-f]++)\}|u([0-9a-f]{4})|x([0-9a-f]{2})|(\r\n|[\n\r\u2028\u2029])|(.))", re.IGNORECASE | re.DOTALL
)
_JS_CONTROLS = {"b": "\b", "f": "\f", "n": "\n", "r": "\r", "t": "\t", "v": "\v", "0": "\0"}
_JS_LINE_END = re.compile(r"[\n\r\u2028\u2029]")
_JS_GAP = r"(?:[\s\ufeff]++|//[^\n\r\u2028\u2029]*+|/\*(?:[^*]|\*(?!/))*+\*/)*+"
# Where a reference of a module may begin. That a keyword is code, and which, the parser says.
_SPACE, _SPECIFIER = r"[\s\ufeff]*+", r"(?:[\"']\.{0,2}[/\\]|/[/*])"
_KEYWORD = re.compile(
    rf"\b(?:import\b(?={_SPACE}(?:\.|(?:\({_SPACE})?{_SPECIFIER}))"
    rf"|from\b(?={_SPACE}{_SPECIFIER})|new\b(?={_SPACE}URL{_SPACE}\({_SPACE}{_SPECIFIER}))"
)
_FROM = re.compile(rf"from({_JS_GAP})({_JS_STRING})", re.DOTALL)
_IMPORT = re.compile(rf"import({_JS_GAP})({_JS_STRING})", re.DOTALL)
_CALL = re.compile(
    rf"import{_JS_GAP}(?:\.{_JS_GAP}(?:(meta){_JS_GAP}\.{_JS_GAP}resolve|source|defer){_JS_GAP})?"
    rf"\({_JS_GAP}({_JS_STRING}){_JS_GAP}[,)]",
    re.DOTALL,
)
_NEW_URL = re.compile(
    rf"new{_JS_GAP}URL{_JS_GAP}\({_JS_GAP}({_JS_STRING}){_JS_GAP},{_JS_GAP}"
    rf"import{_JS_GAP}\.{_JS_GAP}meta{_JS_GAP}\.{_JS_GAP}url{_JS_GAP}(?:,{_JS_GAP})?\)",
    re.DOTALL,
)

Span = tuple[int, int, str, str, bool]  # start, stop, url, form, required


class Reference(NamedTuple):
    """One reference: ``text[start:stop]`` is what a rewrite replaces, and ``form`` what by.

    ``start`` and ``stop`` are offsets in characters, half open. ``url`` is what the browser reads: escapes
    resolved, surrounding white space gone. ``form`` holds one ``%s`` for the new URL. Where ``required`` is
    false, a file that does not exist is worth a warning at most, and the reference stays as it is. ``line`` and
    ``column`` are those of ``start``, from 1 and in characters.
    """

    start: int
    stop: int
    url: str
    form: str
    required: bool
    line: int
    column: int


class ModulesUnavailable(Exception):
    """The imports of modules are to be found, and the parser that finds them is not installed."""


def require_modules() -> None:
    """Raise :exc:`ModulesUnavailable` where tree-sitter or its JavaScript grammar cannot be imported."""
    try:
        import tree_sitter  # noqa: F401
        import tree_sitter_javascript  # noqa: F401
    except ImportError as error:
        raise ModulesUnavailable(
            'Rewriting the imports of JavaScript modules needs tree-sitter: pip install "django-asyncstatic[js]"'
        ) from error


def parser_version(modules: bool) -> str:
    """Names what :func:`find_references` depends on: while it stays the same, so do the references of a text.

    Raises :exc:`ModulesUnavailable` for ``modules`` without a parser for them.
    """
    libraries = ["tinycss2"]
    if modules:
        require_modules()
        libraries += ["tree-sitter", "tree-sitter-javascript"]
    return " ".join([f"references {VERSION}", *(f"{library} {_version(library)}" for library in libraries)])


@cache
def _version(library: str) -> str:
    from importlib.metadata import version

    return version(library)


def find_references(text: str, *, kind: Literal["css", "js"], modules: bool = False) -> list[Reference]:
    """The references in a style sheet or a script, by position; they do not overlap.

    With ``modules`` those of a script's ``import`` and ``export`` count, as do ``import()``,
    ``import.meta.resolve()`` and ``new URL(…, import.meta.url)``. URLs with a scheme or a host, and those of
    only a fragment, are left out. Any text will do; what cannot be read is left alone. Raises
    :exc:`ModulesUnavailable` for ``modules`` without a parser for them.
    """
    if kind == "css":
        return _described(text, _css(text))
    spans = _js_source_maps(text)
    if modules:
        require_modules()
        spans += _js_modules(text)
    return _described(text, spans)


def pattern_references(text: str, patterns: Iterable[tuple[str, str]]) -> list[Reference]:
    """What the ``patterns`` of a subclass of Django's storage match: regular expression and template each.

    The expression names a group ``url``, and the template replaces the whole match, with ``%(url)s`` and any
    other group. Where matches overlap, the first pattern's counts. Raises ``re.error`` for an expression, and
    ``LookupError``, ``TypeError`` or ``ValueError`` for a template or a group, that cannot be used.
    """
    spans: list[Span] = []
    taken: list[tuple[int, int]] = []
    for pattern, template in patterns:
        for match in re.finditer(pattern, text, re.IGNORECASE):
            start, stop = match.span()
            at = bisect(taken, (start, stop))
            if (at and taken[at - 1][1] > start) or (at < len(taken) and taken[at][0] < stop):
                continue
            taken.insert(at, (start, stop))
            groups = {name: str(value).replace("%", "%%") for name, value in match.groupdict().items()}
            # Formatting halves each `%%` of the template, and so does the rewrite.
            form = template.replace("%%", "%%%%") % {**groups, "url": "%s"}
            spans.append((start, stop, _as_url(match["url"] or ""), form, True))
    return _described(text, spans)


def rewrite(text: str, references: Iterable[tuple[Reference, str]]) -> str:
    """The text with a new URL in place of each reference given; the rest stays as it is."""
    pieces: list[str] = []
    end = 0
    for reference, url in sorted(references, key=lambda pair: pair[0].start):
        if reference.start < end:
            continue
        pieces += (text[end : reference.start], _filled(reference.form, url))
        end = reference.stop
    return "".join([*pieces, text[end:]])


def _filled(form: str, url: str) -> str:
    """``form % url``, also where a template names the URL twice."""
    return re.sub("%[%s]", lambda match: "%" if match[0] == "%%" else url, form)


def _as_url(value: str) -> str:
    return value.translate(_DROPPED).strip(_ENDS)


def _described(text: str, spans: Iterable[Span]) -> list[Reference]:
    references: list[Reference] = []
    line, line_start, seen, end = 1, 0, 0, 0
    for start, stop, url, form, required in sorted(spans):
        if start < end or not url or url.startswith(("#", "//")) or _SCHEME.match(url):
            continue
        for match in _LINE_END.finditer(text, seen, start):
            line, line_start = line + 1, match.end()
        references.append(Reference(start, stop, url, form, required, line, start - line_start + 1))
        seen, end = start, stop
    return references


def _css(text: str) -> list[Span]:
    maps: dict[int, Span] = {}
    for match in _CSS_MAP.finditer(text):
        if not match.start() or text[match.start() - 1] in "\n\r\f":
            maps[match.start()] = (*match.span(), _as_url(match[1]), "/*# sourceMappingURL=%s */", False)
    if not _may_refer(text) and all(_begins_a_comment(text, start) for start in maps):
        return list(maps.values())
    return list(_css_tokens(text, maps))


def _may_refer(text: str) -> bool:
    lower = text.lower()
    if _LOCAL_URL.search(lower) or any(word in lower for word in _WORDS):
        return True
    resolved = _WORD_ESCAPE.sub(_letter, lower) if "\\" in lower else lower
    return resolved is not lower and (bool(_LOCAL_URL.search(resolved)) or any(word in resolved for word in _WORDS))


def _letter(escape: re.Match[str]) -> str:
    character = escape[2] or chr(min(int(escape[1], 16), 127)).lower()
    return character if character.isalpha() or character == "-" else "_"


def _begins_a_comment(text: str, start: int) -> bool:
    """Whether a ``/*`` at the start of a line is certain to be neither in a comment nor in a string.

    A string goes on in the next line only after a backslash, and the first ``*/`` ends a comment.
    """
    opened = text.rfind("/*", 0, start)
    return "\\" not in text[max(0, start - 3) : start] and (opened < 0 or text.rfind("*/", 0, start) > opened + 1)


def _css_tokens(text: str, maps: Mapping[int, Span]) -> Iterator[Span]:
    from tinycss2 import parse_component_value_list  # type: ignore[import-untyped]

    try:
        nodes = parse_component_value_list(text)
    except ValueError:
        nodes = parse_component_value_list(_NO_NUMBER.sub(lambda match: "_" * len(match[0]), text))
    lines = [0, *(match.end() for match in _CSS_LINE_END.finditer(text))]

    # A list instead of recursion: nesting has no limit.
    pending = [(nodes, "")]
    while pending:
        nodes, function = pending.pop()
        # What a string would be, were it the next token: "url" or "import", or else only a string.
        expected, rule_start, commented, namespace = function if function == "url" else "", 0, False, False
        for node in nodes:
            start = lines[node.source_line - 1] + node.source_column - 1
            if node.type == "comment":
                commented = True
                if start in maps:
                    yield maps[start]
                continue
            if node.type == "whitespace":
                continue
            if node.type == "at-keyword":
                expected = "import" if node.lower_value == "import" else ""
                rule_start, commented, namespace = start, False, node.lower_value == "namespace"
                continue
            if node.type == "{} block" or node == ";":
                namespace = False
            if namespace:  # A name, not a file.
                continue
            if node.type == "url":
                if match := _UNQUOTED_URL.match(text, start):
                    yield start, match.end(), _css_url(match[1]), 'url("%s")', True
            elif node.type == "string":
                if match := _QUOTED.match(text, start):
                    url = _css_url(match[1] or match[2] or "")
                    if expected == "import" and not commented:
                        yield rule_start, match.end(), url, '@import url("%s")', True
                    elif expected or function in _IMAGE_SETS:
                        yield start, match.end(), url, '"%s"', True
            elif node.type == "function":
                if node.lower_name == "url" and (match := _QUOTED_URL.match(text, start)):
                    yield start, match.end(), _css_url(match[1] or match[2] or ""), 'url("%s")', True
                else:
                    pending.append((node.arguments, node.lower_name))
            elif node.type in ("{} block", "[] block", "() block"):
                pending.append((node.content, ""))
            expected = ""


def _css_url(value: str) -> str:
    return _as_url(_CSS_ESCAPE.sub(_css_character, value.replace("\0", "\ufffd")))


def _css_character(escape: re.Match[str]) -> str:
    if not escape[1]:
        return escape[3] or ""
    code = int(escape[1], 16)
    return chr(code) if 0 < code < 0xD800 or 0xDFFF < code < 0x110000 else "\ufffd"


def _js_source_maps(text: str) -> list[Span]:
    matches = [
        match for match in _JS_MAP.finditer(text) if not match.start() or text[match.start() - 1] in "\n\r\u2028\u2029"
    ]
    # The last one needs no lexer where only comments follow (ECMA-426, "without parsing").
    certain = matches[-1] if matches and _JS_TAIL.match(text, matches[-1].start()) else None
    if any(match is not certain for match in matches):
        opaque = [match.span() for match in _JS_OPAQUE.finditer(text)]
        matches = [
            match
            for match in matches
            if match is certain or not (at := bisect(opaque, (match.start(),))) or opaque[at - 1][1] <= match.start()
        ]
    return [(*match.span(), _as_url(match[1]), "//# sourceMappingURL=%s", False) for match in matches]


def _js_modules(text: str) -> Iterator[Span]:
    if "import" not in text and "export" not in text:
        return
    keywords = list(_KEYWORD.finditer(text))
    if not keywords:
        return
    import tree_sitter_javascript
    from tree_sitter import Language, Parser

    data = text.encode("utf-8", "surrogatepass")
    cursor = Parser(Language(tree_sitter_javascript.language())).parse(data).walk()

    position = seen = 0
    for keyword in keywords:
        start = keyword.start()
        # The parser counts bytes.
        position += len(text[seen:start].encode("utf-8", "surrogatepass"))
        seen = start
        token = _token_at(cursor, position)
        if token is None or token.type != keyword[0] or token.start_byte != position:
            continue
        if keyword[0] == "new":
            if match := _NEW_URL.match(text, start):
                yield *match.span(1), _specifier(match[1]), '"%s"', False
        elif keyword[0] == "from":
            if match := _FROM.match(text, start):
                end = start
                while text[end - 1].isspace() or text[end - 1] == "\ufeff":
                    end -= 1
                # A line comment before `from` has to keep its line end.
                broken = _JS_LINE_END.search(text, end, start)
                if "/" in match[1] or (broken and text.find("//", text.rfind("\n", 0, end) + 1, end) >= 0):
                    yield *match.span(2), _specifier(match[2]), '"%s"', True
                else:
                    yield end, match.end(), _specifier(match[2]), ' from "%s"', True
        elif match := _IMPORT.match(text, start):
            if "/" in match[1]:
                yield *match.span(2), _specifier(match[2]), '"%s"', True
            else:
                yield *match.span(), _specifier(match[2]), 'import"%s"', True
        elif match := _CALL.match(text, start):
            if match[0] == f"import({match[2]})":
                yield *match.span(), _specifier(match[2]), 'import("%s")', True
            else:
                yield *match.span(2), _specifier(match[2]), '"%s"', match[1] is None


def _token_at(cursor: TreeCursor, position: int) -> Node | None:
    """The token at a byte; moves the cursor forward only, so that all tokens together cost one walk."""
    while cursor.node is not None and cursor.node.end_byte <= position:
        if not cursor.goto_next_sibling() and not cursor.goto_parent():
            return None
    while cursor.node is not None and cursor.node.start_byte <= position and cursor.goto_first_child():
        while cursor.node.end_byte <= position:
            if not cursor.goto_next_sibling():
                cursor.goto_parent()
                return cursor.node
    return cursor.node


def _specifier(literal: str) -> str:
    """The URL in a string literal; empty for what is no file: a bare name of an import map, or a directory."""
    value = _JS_ESCAPE.sub(_js_character, literal[1:-1])
    if not value.startswith(("./", "../", "/")) or re.split("[?#]", value)[0].rpartition("/")[2] in ("", ".", ".."):
        return ""
    # A character beyond the BMP may be spelled as two surrogates.
    return _as_url(value.encode("utf-16-le", "surrogatepass").decode("utf-16-le", "replace"))


def _js_character(escape: re.Match[str]) -> str:
    if digits := escape[1] or escape[2] or escape[3]:
        return chr(code) if (code := int(digits, 16)) < 0x110000 else "\ufffd"
    return _JS_CONTROLS.get(escape[5], escape[5]) if escape[5] else ""
