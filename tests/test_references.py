"""What refers to other files in style sheets and scripts, and that a rewrite gives the bytes that Django gives."""

from __future__ import annotations

import re
import sys
from importlib.util import find_spec
from pathlib import Path
from typing import Any

import django
import pytest
import tree_sitter  # noqa: F401  # These tests are not to pass where the parser is missing.
import tree_sitter_javascript  # noqa: F401
from django.contrib.staticfiles.storage import ManifestStaticFilesStorage
from hypothesis import example, given
from hypothesis import strategies as st

from django_asyncstatic.collecting import references as module
from django_asyncstatic.collecting.references import (
    ModulesUnavailable,
    Reference,
    find_references,
    parser_version,
    pattern_references,
    require_modules,
    rewrite,
)

#: 6.1 rewrites neither in comments nor in strings, and needs no semicolon after an import.
DJANGO_LIKE_OURS = django.VERSION >= (6, 1)


def find(text: str, kind: Any) -> list[Reference]:
    return find_references(text, kind=kind, modules=True)


def urls(text: str, kind: Any) -> list[str]:
    return [reference.url for reference in find(text, kind)]


def rewritten(text: str, kind: Any, url: str = "NEW") -> str:
    return rewrite(text, [(reference, url) for reference in find(text, kind)])


class Storage(ManifestStaticFilesStorage):
    support_js_module_import_aggregation = True


def django_writes(folder: Path, name: str, text: str) -> tuple[str, str]:
    """What Django writes for a file, and what we write with the same names."""
    for each in ("x.png", "a.css", "a.js", "b.js", "data.json", "x.map", "sub/x.png", "sub/b.js"):
        (folder / each).parent.mkdir(exist_ok=True)
        (folder / each).write_text(each)
    (folder / name).write_bytes(text.encode())
    storage = Storage(location=folder, base_url="/static/")
    paths = {
        path.relative_to(folder).as_posix(): (storage, path.relative_to(folder).as_posix()) for path in _files(folder)
    }
    for _, _, processed in storage.post_process(paths):
        if isinstance(processed, Exception):
            raise processed
    theirs = (folder / storage.hashed_files[name]).read_bytes().decode()

    def hashed(url: str) -> str:
        path, mark, rest = re.fullmatch(r"([^?#]*)([?#]?)(.*)", url, re.DOTALL).groups()  # type: ignore[union-attr]
        target = storage.hashed_files[path.removeprefix("/static/").removeprefix("./")]
        return path[: path.rfind("/") + 1] + target.rpartition("/")[2] + mark + rest

    ours = rewrite(text, [(reference, hashed(reference.url)) for reference in find(text, name.rpartition(".")[2])])
    return theirs, ours


def _files(folder: Path) -> list[Path]:
    return sorted(path for path in folder.rglob("*") if path.is_file())


# --- style sheets ---

CSS_LIKE_DJANGO = {
    "unquoted": "a{b:url(x.png)}",
    "double quotes": 'a{b:url("x.png")}',
    "single quotes": "a{b:url('x.png')}",
    "upper case": "a{b:URL(x.png)}",
    "space in an unquoted url": "a{b:url( x.png )}",
    "static url": "a{b:url(/static/x.png)}",
    "folder": "a{b:url(sub/x.png)}",
    "query": "a{b:url(x.png?v=1)}",
    "fragment": "a{b:url(x.png#id)}",
    "font hack": "a{b:url('x.png?#iefix') format('x')}",
    "several": "a{b:url(x.png),url('sub/x.png');c:url(x.png)}",
    "nested": "@media a{@supports (b:c){d{e:cross-fade(url(x.png),url('sub/x.png'))}}}",
    "custom property": ":root{--a:url(x.png)}",
    "import of a string": '@import "a.css";',
    "import of a string, no space": "@import'a.css';",
    "import of a string with media": "@import 'a.css' screen;",
    "import of a url": "@import url(a.css);",
    "import of a quoted url": '@IMPORT url("a.css") layer(x);',
    "source map": "a{}\n/*# sourceMappingURL=x.map */\n",
    "source map, no space": "a{}\n/*# sourceMappingURL=x.map*/",
    "source map, tab": "a{}\n/*#\tsourceMappingURL=x.map */",
    "source map and url": "a{b:url(x.png)}\n/*# sourceMappingURL=x.map */",
    "source map not at the start of a line": "a{} /*# sourceMappingURL=x.map */",
    "source map before other text": "/*# sourceMappingURL=x.map */ a{b:c}",
    "source map, old form": "/*@ sourceMappingURL=x.map */",
    "source map, other case": "/*# SourceMappingURL=x.map */",
    "absolute": "a{b:url(https://example.com/x.png) url(//example.com/x.png) url(data:,x) url(#x)}",
    "after non-ASCII": "a{content:'é😀';b:url(x.png)}",
}


@pytest.mark.parametrize("text", CSS_LIKE_DJANGO.values(), ids=CSS_LIKE_DJANGO)
def test_a_style_sheet_gets_the_bytes_of_django(tmp_path: Path, text: str) -> None:
    theirs, ours = django_writes(tmp_path, "main.css", text)
    assert ours == theirs


@pytest.mark.skipif(not DJANGO_LIKE_OURS, reason="Django 5.2 rewrites in comments and strings")
@pytest.mark.parametrize(
    "text",
    ["/* url(x.png) */", 'a{b:"url(x.png)"}', "/* @import 'a.css' */", "/* a\n/*# sourceMappingURL=x.map */\nb */"],
    ids=["url in a comment", "url in a string", "import in a comment", "source map at the end of a comment"],
)
def test_neither_comments_nor_strings_of_a_style_sheet_refer(tmp_path: Path, text: str) -> None:
    theirs, ours = django_writes(tmp_path, "main.css", text)
    assert ours == theirs


CSS = {
    "spaces around the quotes": ("a{b:url( 'x.png' )}", 'a{b:url("NEW")}'),
    "line ends around the quotes": ("a{b:url(\r\n'x.png'\f)}", 'a{b:url("NEW")}'),
    "modifier": ("a{b:url('x.png' foo)}", 'a{b:url("NEW" foo)}'),
    "comment after the string": ("a{b:url('x.png'/**/)}", 'a{b:url("NEW"/**/)}'),
    "url of another function": ("a{b:foo(url(x.png), 'y.png')}", "a{b:foo(url(\"NEW\"), 'y.png')}"),
    "import, comment between": ("@import/**/'a.css';", '@import/**/"NEW";'),
    "import of not a string": ("@import a 'b.css';", "@import a 'b.css';"),
    "import, escaped": (r"@\69mport 'a.css';", '@import url("NEW");'),
    "layer of an import": ("@import 'a.css' layer('x');", "@import url(\"NEW\") layer('x');"),
    "namespace": (
        "@namespace a url(b);@namespace 'c';d{e:url(f)}",
        "@namespace a url(b);@namespace 'c';d{e:url(\"NEW\")}",
    ),
    "namespace, function": ("@NAMESPACE a url('b') ;d{e:url(f)}", "@NAMESPACE a url('b') ;d{e:url(\"NEW\")}"),
    "image set": (
        "a{b:image-set('x.png' type('image/png') 1x,url(y.png) 2x)}",
        'a{b:image-set("NEW" type(\'image/png\') 1x,url("NEW") 2x)}',
    ),
    "image set with a prefix": ("a{b:-WebKit-image-set( 'x.png' 1x)}", 'a{b:-WebKit-image-set( "NEW" 1x)}'),
    "src is left alone": ("a{b:src('x.png')}", "a{b:src('x.png')}"),
    "string": ("a{b:'x.png'}", "a{b:'x.png'}"),
    "escape in the name": (r"a{b:u\72l(x.png) \000055 RL('y')}", 'a{b:url("NEW") url("NEW")}'),
    "bad url": ("a{b:url(x y) url(x'y) url(z)}", 'a{b:url(x y) url(x\'y) url("NEW")}'),
    "backslash at the end of a line": ("a{b:url(x\\\n) url(z)}", 'a{b:url(x\\\n) url("NEW")}'),
    "bad string": ("a{b:url('x\n)}c{d:url(z)}", 'a{b:url(\'x\n)}c{d:url("NEW")}'),
    "empty": ("a{b:url() url('') url( ) url(' ')}", "a{b:url() url('') url( ) url(' ')}"),
    "not closed": ("a{b:url(x) url(y", 'a{b:url("NEW") url(y'),
    "quoted, not closed": ("a{b:url('y'", 'a{b:url("NEW"'),
    "a number of ten thousand digits": ("a{b:" + "1" * 10_000 + " url(x)}", "a{b:" + "1" * 10_000 + ' url("NEW")}'),
    "a unicode range of nothing": ("a{b:U+? url(x)}", 'a{b:U+? url("NEW")}'),
    "byte order mark": ("\ufeff@import 'a.css';", '\ufeff@import url("NEW");'),
    "source map, line end of Windows": ("/*# sourceMappingURL=x.map */\r\n", "/*# sourceMappingURL=NEW */\r\n"),
    "source map and one inlined": (
        "a{}\n/*# sourceMappingURL=data:,x */\n/*# sourceMappingURL=x.map */",
        "a{}\n/*# sourceMappingURL=data:,x */\n/*# sourceMappingURL=NEW */",
    ),
    "source map in a string": (
        "a{b:'\\\n/*# sourceMappingURL=x.map */\n'}",
        "a{b:'\\\n/*# sourceMappingURL=x.map */\n'}",
    ),
    "source map after a comment opened in a string": (
        "a{b:'/*'}\n/*# sourceMappingURL=x.map */",
        "a{b:'/*'}\n/*# sourceMappingURL=NEW */",
    ),
    "source map in a comment": ("/* x\n/*# sourceMappingURL=x.map */", "/* x\n/*# sourceMappingURL=x.map */"),
    "source map in a comment, with a url": (
        "a{b:url(x)}/* x\n/*# sourceMappingURL=x.map */",
        'a{b:url("NEW")}/* x\n/*# sourceMappingURL=x.map */',
    ),
}


@pytest.mark.parametrize(("text", "expected"), CSS.values(), ids=CSS)
def test_a_style_sheet_is_read_as_browsers_read_it(text: str, expected: str) -> None:
    assert rewritten(text, "css") == expected


CSS_URLS = {
    "escape": (r"url(a\62 c.png)", "abc.png"),
    "escape at the end of its digits": (r"url(\000061b.png)", "ab.png"),
    "escape and a line end": ("url('a\\62\r\nc')", "abc"),
    "escaped quote": (r"url('a\'b')", "a'b"),
    "escaped parenthesis": (r"url(a\)b)", "a)b"),
    "continued line": ("url('a\\\nb\\\r\nc')", "abc"),
    "white space": ("url('\t a b \x01 ')", "a b"),
    "no character": (r"url('\0 \d800 \110000')", "\ufffd\ufffd\ufffd"),
    "null": ("url('a\0')", "a\ufffd"),
    "astral": ("url('😀é')", "😀é"),
    "per cent": ("url('a%20b')", "a%20b"),
}


@pytest.mark.parametrize(("text", "url"), CSS_URLS.values(), ids=CSS_URLS)
def test_the_url_is_what_the_browser_reads(text: str, url: str) -> None:
    assert urls(f"a{{b:{text}}}", "css") == [url]


def test_left_out_are_urls_that_need_no_file() -> None:
    text = "url(HTTP://a) url(a+b.c-1:x) url(' DATA:,x') url(//a/b) url(#a) url(ab/c:d) url(/x) url(?y) url(1:2)"
    assert urls(text, "css") == ["ab/c:d", "/x", "?y", "1:2"]


@pytest.mark.parametrize("end", ["\n", "\r\n", "\r", "\f"], ids=["LF", "CRLF", "CR", "FF"])
def test_positions_are_those_of_the_text_as_it_is(end: str) -> None:
    text = (
        f"/*😀{end}\0*/{end}{end}\r\n\n\r\f@import 'a';{end}é{{b:'\\{end}😀';c:url(b)}}{end}\n/*# sourceMappingURL=c */"
    )
    found = find(text, "css")
    assert [text[each.start : each.stop] for each in found] == ["@import 'a'", "url(b)", "/*# sourceMappingURL=c */"]
    assert [each.required for each in found] == [True, True, False]
    for each in found:
        lines = re.split(r"\r\n|[\r\n]", text[: each.start])
        assert (each.line, each.column) == (len(lines), len(lines[-1]) + 1)


WITHOUT_A_PARSER = {
    "nothing": "a{color:red}",
    "ordinary escapes": r".sm\:flex{}.w-1\/2{content:'\f101'}.bg-\[url\(x\)\]{}.\75rl{}",
    "urls that need no file": "a{b:url(data:,x) url( 'data:,y') URL(#z) url(https://example.com/)}",
    "a source map alone": "/* a */ b{}\n/*# sourceMappingURL=x.map */\n",
}


@pytest.mark.parametrize("text", WITHOUT_A_PARSER.values(), ids=WITHOUT_A_PARSER)
def test_most_style_sheets_need_no_parser(monkeypatch: pytest.MonkeyPatch, text: str) -> None:
    expected = [span[:3] for span in module._css_tokens(text, _maps(text)) if not re.match("data:|https:|#", span[2])]
    monkeypatch.setitem(sys.modules, "tinycss2", None)  # An import of it fails.
    assert [each[:3] for each in find(text, "css")] == expected


def _maps(text: str) -> dict[int, Any]:
    return {match.start(): (*match.span(), match[1], "", False) for match in module._CSS_MAP.finditer(text)}


# --- scripts: source maps ---

JS_MAPS_LIKE_DJANGO = {
    "last line": "f()\n//# sourceMappingURL=x.map\n",
    "without a line end": "f()\n//# sourceMappingURL=x.map",
    "trailing space": "f()\n//# sourceMappingURL=x.map \t\n",
    "first line": "//# sourceMappingURL=x.map\nf()",
    "several": "f()\n//# sourceMappingURL=x.map\ng('a')\n//# sourceMappingURL=data.json\n",
    "not at the start of a line": "f() //# sourceMappingURL=x.map",
    "old form": "//@ sourceMappingURL=x.map",
    "other case": "//# sourcemappingurl=x.map",
    "inlined": "//# sourceMappingURL=data:,x",
    "absolute": "//# sourceMappingURL=https://example.com/x.map",
}
JS_MAPS_NOT_IN_CODE = {
    "template literal": "x = `\n//# sourceMappingURL=x.map\n`",
    "block comment": "/*\n//# sourceMappingURL=x.map\n*/ f()",
    "string": "x = '\\\n//# sourceMappingURL=x.map\\\n'",
}


@pytest.mark.parametrize("text", JS_MAPS_LIKE_DJANGO.values(), ids=JS_MAPS_LIKE_DJANGO)
def test_a_script_with_a_source_map_gets_the_bytes_of_django(tmp_path: Path, text: str) -> None:
    theirs, ours = django_writes(tmp_path, "main.js", text)
    assert ours == theirs


@pytest.mark.skipif(not DJANGO_LIKE_OURS, reason="Django 5.2 rewrites in comments and strings")
@pytest.mark.parametrize("text", JS_MAPS_NOT_IN_CODE.values(), ids=JS_MAPS_NOT_IN_CODE)
def test_neither_comments_nor_strings_of_a_script_hold_source_maps(tmp_path: Path, text: str) -> None:
    theirs, ours = django_writes(tmp_path, "main.js", text)
    assert ours == theirs == text


JS_MAPS = {
    "after a quote in a regular expression": ("x=/[`'\"]/\n//# sourceMappingURL=x.map\n/* y */\n", ["x.map"]),
    "line end of Windows": ("f()\r\n//# sourceMappingURL=x.map\r\n", ["x.map"]),
    "other line ends": ("f()\u2028//# sourceMappingURL=x.map\u2029", ["x.map"]),
    "white space inside": ("//# sourceMappingURL=x y.map\n", []),
    "end of a template literal in a comment": ("x=`\n//# sourceMappingURL=x.map\n// `", []),
    "end of a template literal in the URL": ("x=`\n//# sourceMappingURL=x.map`", []),
    "end of a comment in a comment": ("/*\n//# sourceMappingURL=x.map\n// */", []),
    "end of a comment in the URL": ("/*\n//# sourceMappingURL=x.map*/", []),
    "apostrophe in a comment after it": ("f()\n//# sourceMappingURL=x.map\n// don't", ["x.map"]),
    "empty": ("//# sourceMappingURL=\n", []),
}


@pytest.mark.parametrize(("text", "expected"), JS_MAPS.values(), ids=JS_MAPS)
def test_the_source_maps_of_a_script(text: str, expected: list[str]) -> None:
    assert urls(text, "js") == expected


@pytest.mark.parametrize(
    "text",
    [*JS_MAPS_LIKE_DJANGO.values(), *JS_MAPS_NOT_IN_CODE.values(), *(text for text, _ in JS_MAPS.values())],
    ids=[*JS_MAPS_LIKE_DJANGO, *JS_MAPS_NOT_IN_CODE, *JS_MAPS],
)
def test_source_maps_do_not_depend_on_what_is_installed(monkeypatch: pytest.MonkeyPatch, text: str) -> None:
    expected = find_references(text, kind="js", modules=True)
    monkeypatch.setitem(sys.modules, "tree_sitter", None)
    assert find_references(text, kind="js") == expected


# --- scripts: modules ---

MODULES_LIKE_DJANGO = {
    "default": "import a from './a.js';",
    "named": "import {a, b as c} from './a.js';",
    "named, no spaces": "import{a}from'./a.js';",
    "named, over lines": "import {\n  a,\n  b,\n}\n  from './a.js';",
    "namespace": "import * as a from './a.js';",
    "namespace, no space": "import* as a from './a.js';",
    "default and named": "import a, {b} from './a.js';",
    "no semicolon": "import a from './a.js'\nimport b from './b.js'\n",
    "white space before from": "import a   \t from   './a.js';",
    "block comment before from": "import {a} /* b */ from './a.js';",
    "attributes": "import a from './data.json' with {type: 'json'};",
    "upper folder": "import a from '/static/a.js';",
    "query": "import a from './a.js?v=1';",
    "bare": "import './a.js';",
    "bare, no space": "import'./a.js';",
    "bare, line end": "import\n'./a.js';",
    "bare specifier": "import a from 'a.js';import 'b';",
    "export all": "export * from './a.js';",
    "export as": "export * as a from './a.js';",
    "export named": "export {a} from './a.js';",
    "export named, no spaces": "export{a}from'./a.js';",
    "export default as": "export { default as a } from './sub/b.js';",
    "dynamic": "const a = await import('./a.js');",
    "dynamic in a call": "f(()=>import('./a.js').then(g))",
    "in a string": "x = \"import a from './a.js'\";",
    "in a line comment": "// import a from './a.js'\n",
    "in a block comment": "/* import('./a.js') */",
    "in a template literal": "`import './a.js'`",
    "hashbang": "#!/usr/bin/env node\nimport './a.js';",
    "after non-ASCII": "f('é😀');import a from './a.js';",
    "line ends of Windows": "import a from './a.js';\r\nimport './b.js';\r\n",
    "byte order mark": "\ufeffimport './a.js';",
    "with a source map": "import './a.js';\n//# sourceMappingURL=x.map\n",
}


@pytest.mark.skipif(not DJANGO_LIKE_OURS, reason="Django 5.2 requires semicolons and writes them, and reads comments")
@pytest.mark.parametrize("text", MODULES_LIKE_DJANGO.values(), ids=MODULES_LIKE_DJANGO)
def test_a_module_gets_the_bytes_of_django(tmp_path: Path, text: str) -> None:
    theirs, ours = django_writes(tmp_path, "main.js", text)
    assert ours == theirs


MODULES = {
    "export all, no spaces": ("export*from'./a.js'", 'export* from "NEW"'),
    "export with attributes": (
        "export {a} from './a.json' with {type: 'json'}",
        "export {a} from \"NEW\" with {type: 'json'}",
    ),
    "assertion": ("import a from './a.json' assert {type: 'json'}", "import a from \"NEW\" assert {type: 'json'}"),
    "defer": ("import defer * as a from './a.js';", 'import defer * as a from "NEW";'),
    "source": ("import source a from './a.wasm';", 'import source a from "NEW";'),
    "names that are keywords": ("import from from './a.js'", 'import from from "NEW"'),
    "string as a name": ("import {'./b.js' as b} from './a.js'", "import {'./b.js' as b} from \"NEW\""),
    "comment after from": ("import a from/* b */'./a.js'", 'import a from/* b */"NEW"'),
    "line comment after from": ("import a from // b\n'./a.js'", 'import a from // b\n"NEW"'),
    "line comment before from": ("import a // b\nfrom './a.js'", 'import a // b\nfrom "NEW"'),
    "comment in a bare import": ("import/* a */'./a.js'", 'import/* a */"NEW"'),
    "import in the comment before": (
        "/** @import {a} from 'b' */\nimport {c} from './c.js'",
        "/** @import {a} from 'b' */\nimport {c} from \"NEW\"",
    ),
    "name that ends in export": (
        "const __export = {\n}\nimport a from './a.js'",
        'const __export = {\n}\nimport a from "NEW"',
    ),
    "dynamic, spaces": ("import( './a.js' )", 'import( "NEW" )'),
    "dynamic, comment": ("import(/* webpackChunkName: 'a' */ './a.js')", "import(/* webpackChunkName: 'a' */ \"NEW\")"),
    "dynamic, options": ("import('./a.json', {with: {type: 'json'}})", "import(\"NEW\", {with: {type: 'json'}})"),
    "dynamic, comma": ("import('./a.js',)", 'import("NEW",)'),
    "dynamic, by phase": (
        "import.source('./a.wasm');import.defer('./a.js')",
        'import.source("NEW");import.defer("NEW")',
    ),
    "dynamic, computed": ("import('./a' + b)", "import('./a' + b)"),
    "dynamic, template literal": ("import(`./a.js`)", "import(`./a.js`)"),
    "dynamic, in a template literal": ("`a ${import('./a.js')} b`", '`a ${import("NEW")} b`'),
    "dynamic, nested": ("import('./a.js', import('./b.js'))", 'import("NEW", import("NEW"))'),
    "method": ("obj.import('./a.js')", "obj.import('./a.js')"),
    "optional method": ("obj?.import('./a.js')", "obj?.import('./a.js')"),
    "private method": (
        "class A{#import(a){} b(){this.#import('./a.js')}}",
        "class A{#import(a){} b(){this.#import('./a.js')}}",
    ),
    "name that ends in import": ("$import('./a.js');_import('./a.js')", "$import('./a.js');_import('./a.js')"),
    "array from": ("Array.from('./a.js')", "Array.from('./a.js')"),
    "meta resolve": ("import.meta.resolve('./a.js')", 'import.meta.resolve("NEW")'),
    "meta, something else": ("import.meta.glob('./a.js')", "import.meta.glob('./a.js')"),
    "new URL": ("new URL('./a.png', import.meta.url)", 'new URL("NEW", import.meta.url)'),
    "new URL, comments": ("new URL(/**/'./a.png', import . meta.url,)", 'new URL(/**/"NEW", import . meta.url,)'),
    "new URL, other base": ("import 'x';new URL('./a.png', location)", "import 'x';new URL('./a.png', location)"),
    "regular expression": ("/['\"`]/.test(a);import('./a.js')", '/[\'"`]/.test(a);import("NEW")'),
    "regular expression with an import": ("x = /import('.\\/a.js')/", "x = /import('.\\/a.js')/"),
    "division": ("a = b / c; import('./a.js') / d", 'a = b / c; import("NEW") / d'),
    "JSX": ("x = <p>import a from './a.js'</p>;import './b.js'", "x = <p>import a from './a.js'</p>;import\"NEW\""),
    "line separators": ("f()\u2028import './a.js'", 'f()\u2028import"NEW"'),
    "before an error": ("import a from './a.js';\nfoo(]", 'import a from "NEW";\nfoo(]'),
    "after an error": ("foo(;\nimport a from './a.js';\n", 'foo(;\nimport a from "NEW";\n'),
    "lone surrogate": ("x='\ud800';import './a.js'", "x='\ud800';import\"NEW\""),
    "folders": (
        "import './';import '..';import '.';import './a/';import './a/..';import './?a.js';import '/'",
        "import './';import '..';import '.';import './a/';import './a/..';import './?a.js';import '/'",
    ),
    "other sites": ("import '//a/b.js';import 'https://a/b.js'", "import '//a/b.js';import 'https://a/b.js'"),
    "not closed": ("import './a.js", "import './a.js"),
}


@pytest.mark.parametrize(("text", "expected"), MODULES.values(), ids=MODULES)
def test_a_module_is_read_as_browsers_read_it(text: str, expected: str) -> None:
    assert rewritten(text, "js") == expected


@pytest.mark.parametrize("text", [*MODULES_LIKE_DJANGO.values(), *(text for text, _ in MODULES.values())])
def test_imports_count_only_where_they_are_asked_for(text: str) -> None:
    assert all("sourceMappingURL" in each.form for each in find_references(text, kind="js"))


@pytest.mark.parametrize(
    ("literal", "url"),
    [
        (r"./\x61.js", "./a.js"),
        (r"\x2e/a.js", "./a.js"),
        (r".\u002fa\u{2e}js", "./a.js"),
        (r"./\u{1f600}.js", "./😀.js"),
        (r"./\ud83d\ude00.js", "./😀.js"),
        (r"./\ud83d.js", "./\ufffd.js"),
        (r"./\u{fffffff}.js", "./\ufffd.js"),
        ("./a\\\n.js", "./a.js"),
        (r"./a\'b\q.js", "./a'bq.js"),
        (r"./a\n.js", "./a.js"),
        ("./é.js ", "./é.js"),
    ],
)
def test_escapes_in_a_specifier_are_resolved(literal: str, url: str) -> None:
    assert urls(f"import './b.js';import('{literal}')", "js") == ["./b.js", url]


def test_only_what_a_module_cannot_do_without_is_required() -> None:
    text = (
        "import './a.js';import b from './b.js';export * from './c.js';import('./d.js');import('./e.js',{});"
        "import.meta.resolve('./f.js');new URL('./g.js', import.meta.url)\n//# sourceMappingURL=h.map"
    )
    assert [each.url for each in find(text, "js") if not each.required] == ["./f.js", "./g.js", "h.map"]


def test_positions_in_a_module_count_characters() -> None:
    text = "'😀é'\r\nimport {\r  a\n} from './a.js';/*\u20ac*/import './b.js'"
    found = find(text, "js")
    assert [text[each.start : each.stop] for each in found] == [" from './a.js'", "import './b.js'"]
    assert [(each.line, each.column) for each in found] == [(4, 2), (4, 22)]


def test_without_the_parser_modules_are_declined(monkeypatch: pytest.MonkeyPatch) -> None:
    require_modules()
    monkeypatch.setitem(sys.modules, "tree_sitter_javascript", None)
    for call in (
        require_modules,
        lambda: find_references("", kind="js", modules=True),
        lambda: parser_version(True),
    ):
        with pytest.raises(ModulesUnavailable, match=re.escape('pip install "django-asyncstatic[js]"')):
            call()
    assert find_references("import './a.js'", kind="js") == []
    assert find_references("url(x)", kind="css", modules=True)


def test_the_version_names_the_parsers() -> None:
    assert re.fullmatch(r"references \d+ tinycss2 \S+", parser_version(False))
    assert re.fullmatch(r".+ tinycss2 \S+ tree-sitter \S+ tree-sitter-javascript \S+", parser_version(True))


# --- patterns of a subclass ---

PATTERNS: dict[str, tuple[str, list[tuple[str, str]], str, list[str]]] = {
    "url and another group": (
        'x <IMG class="a%b" src="x.png">',
        [(r'(?P<matched><img (?P<attrs>[^>]*?)src="(?P<url>[^"]*)")', '<img %(attrs)ssrc="%(url)s"')],
        'x <img class="a%b" src="NEW">',
        ["x.png"],
    ),
    "per cent in the template": ("a(x)", [(r"a\((?P<url>x)\)", "100%% %(url)s %%s")], "100% NEW %s", ["x"]),
    "url twice": ("a(x)", [(r"a\((?P<url>x)\)", "%(url)s %(url)s")], "NEW NEW", ["x"]),
    "group without a match": ("a(x)", [(r"a(?P<b>b)?\((?P<url>x)\)", "%(b)s %(url)s")], "None NEW", ["x"]),
    "overlap": (
        "a(x) b",
        [(r"a\((?P<url>x)\)", "1%(url)s"), (r"\((?P<url>x)\) b|^(?P<z>)", "2%(url)s")],
        "1NEW b",
        ["x"],
    ),
    "later but before": ("a b", [("(?P<url>b)", "1%(url)s"), ("(?P<url>a)", "2%(url)s")], "2NEW 1NEW", ["a", "b"]),
    "left out": ("a(data:,x)(#y)", [(r"\((?P<url>.*?)\)", "%(url)s")], "a(data:,x)(#y)", []),
}


@pytest.mark.parametrize(("text", "patterns", "expected", "found"), PATTERNS.values(), ids=PATTERNS)
def test_patterns_of_a_subclass(text: str, patterns: list[tuple[str, str]], expected: str, found: list[str]) -> None:
    references = pattern_references(text, patterns)
    assert [each.url for each in references] == found
    assert all(each.required for each in references)
    assert rewrite(text, [(each, "NEW") for each in references]) == expected


def test_the_new_url_stands_as_it_is() -> None:
    text = "a{b:url(x)}"
    assert rewrite(text, [(find(text, "css")[0], r"%s\1%%")]) == r'a{b:url("%s\1%%")}'


def test_a_rewrite_takes_the_references_in_any_order_and_once() -> None:
    text = "url(a) url(b) url(c)"
    first, second, third = find(text, "css")
    assert rewrite(text, [(third, "3"), (first, "1"), (first, "4")]) == 'url("1") url(b) url("3")'
    assert rewrite(text, []) == text
    assert second.url == "b"


# --- any text ---

CSS_SOUP = [
    *"{}()[];:,'\"\\/*@#-+?uU1é😀\0 \n\r\f\t",
    *("url(", "url(x)", "url('x')", 'URL( "x" )', "u\\72l(", "@import ", "@import 'a'", "@namespace ", "image-set("),
    *("/*", "*/", "\n/*# sourceMappingURL=a.map */", "U+", "\\\n", "'a.css'", '"b"', "a{b:c}", "data:", "\r\n"),
]
JS_SOUP = [
    *"{}()[];:,'\"\\/*.`$<>=-+#?é😀\0 \n\r\t\u2028\ufeff",
    *(
        "import ",
        "import(",
        "import './a.js'",
        "import {a} from './b.js';",
        "export * from './c.js'",
        " from ",
        "from'./d'",
    ),
    *("new URL('./e', import.meta.url)", "import.meta.resolve(", "'./f.js'", '"/g"', "`${", "}`", "//", "/*", "*/"),
    *(
        "\n//# sourceMappingURL=h.map\n",
        "\\x61",
        "=>",
        "class A{",
        "function(){",
        "<p>",
        "</p>",
        "\r\n",
        "\\\n",
        "\ud800",
    ),
]


def soup(pieces: list[str]) -> st.SearchStrategy[str]:
    return st.lists(st.sampled_from(pieces), max_size=40).map("".join)


def check(text: str, kind: str) -> list[Reference]:
    found = find(text, kind)
    end, marked = 0, []
    for index, each in enumerate(found):
        assert end <= each.start < each.stop <= len(text)
        covered = text[each.start : each.stop]
        assert each.url
        assert each.form.count("%s") == 1
        if not set("\\\t\n\r\0") & set(covered):
            assert each.url in covered
        marked += [text[end : each.start], each.form % index]
        end = each.stop
    assert rewrite(text, [(each, str(index)) for index, each in enumerate(found)]) == "".join([*marked, text[end:]])
    return found


@given(soup(CSS_SOUP))
@example("@import @import 'a''b'url(c)")
@example("\\@import 'a'")
def test_any_style_sheet_is_read_and_stays_what_it_is(text: str) -> None:
    found = check(text, "css")
    assert urls(rewrite(text, [(each, "new") for each in found]), "css") == ["new"] * len(found)


@given(soup(JS_SOUP))
def test_any_script_is_read(text: str) -> None:
    check(text, "js")


@given(st.text(), st.sampled_from(["css", "js"]))
def test_any_text_is_read(text: str, kind: str) -> None:
    check(text, kind)


@given(soup(CSS_SOUP))
def test_the_look_ahead_misses_no_reference(text: str) -> None:
    if not module._may_refer(text):
        assert not module._described(text, module._css_tokens(text, {}))


DEEP = 100_000
LARGE = {
    **{
        f"{piece * 2}…": (piece * DEEP, 0)
        for piece in ["(", "[", "{", "a(", "`${", "image-set(", "/*", "\\", "'", "url(\\"]
    },
    "declarations": ("a{b:url(x.png)}" * 20_000, 20_000),
    "imports": ("import{a}from'./a.js';" * DEEP, DEEP),
    "imports, nested": ("import('./a.js'," * DEEP, DEEP),
    "imports in errors": ("(import{a}from'./a.js';" * 20_000, None),
    # tree-sitter itself takes time by the square of their number.
    "comments not closed": ("from/*import/*" * 1_000, 0),
    "source maps": ("f()\n//# sourceMappingURL=x.map\n" * 20_000, 20_000),
    "source maps of style sheets": ("a{}\n/*# sourceMappingURL=x.map */\n" * 20_000, 20_000),
    "spaces": ("url(" + " " * 1_000_000, 0),
}


@pytest.mark.timeout(30)
@pytest.mark.parametrize("kind", ["css", "js"])
@pytest.mark.parametrize(("text", "count"), LARGE.values(), ids=LARGE)
def test_depth_and_size_cost_no_more_than_time_in_proportion(text: str, count: int | None, kind: str) -> None:
    found = find(text, kind)
    assert count is None or len(found) in (0, count)


# --- files of packages ---


def package_files(suffix: str) -> list[Path]:
    roots = [Path(str(find_spec(name).origin)).parent for name in ("django", "rest_framework", "debug_toolbar")]  # type: ignore[union-attr]
    return sorted(path for root in roots for path in root.rglob(f"static/**/*{suffix}"))


def django_finds(text: str, suffix: str) -> list[tuple[int, str]]:
    """``(line, url)`` of what the installed Django's patterns match and do not ignore."""
    storage = Storage(location="/nowhere", base_url="/static/")
    found = []
    for pattern, _, *ignored in storage._patterns["*" + suffix]:
        # Django 5.2 finds references in comments as well: these, of style sheets, are left out here.
        opaque = [match.span() for match in re.finditer(ignored[0] if ignored else r"(?s)/\*.*?\*/", text)]
        for match in pattern.finditer(text):
            url = match["url"].strip()
            if any(start < match.start() < stop for start, stop in opaque) or re.match("[a-z]+:|//|#|$", url):
                continue
            found.append((text.count("\n", 0, match.start()) + 1, url))
    return sorted(found)


@pytest.mark.parametrize("path", package_files(".css"), ids=lambda path: "/".join(path.parts[-3:]))
def test_style_sheets_of_packages_hold_what_django_finds(path: Path) -> None:
    text = path.read_text(encoding="utf-8")
    assert sorted((each.line, each.url) for each in find(text, "css")) == django_finds(text, ".css")


def test_packages_hold_references() -> None:
    assert sum(len(find(path.read_text(encoding="utf-8"), "css")) for path in package_files(".css")) > 50


@pytest.mark.skipif(not DJANGO_LIKE_OURS, reason="Django 5.2 reads comments, and requires semicolons")
def test_scripts_of_packages_hold_what_django_finds() -> None:
    total = 0
    for path in package_files(".js"):
        text = path.read_text(encoding="utf-8")
        found = sorted(urls(text, "js"))
        assert found == sorted(url for _, url in django_finds(text, ".js")), path
        total += len(found)
    assert total
