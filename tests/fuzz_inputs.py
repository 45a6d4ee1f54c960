"""Random style sheets, scripts, states of the last collect, options and settings: for :mod:`tests.fuzz`.

What a project's own files and settings say is not hostile, but comes from packages and from disks that were cut off: it
must give what is documented, or one of the documented errors.
"""

from __future__ import annotations

import datetime
import json
import random
import re
import time
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from hashlib import sha256
from pathlib import Path
from typing import Any, Literal
from urllib.parse import quote

from django.core.exceptions import ImproperlyConfigured
from django.test import override_settings

from django_asyncstatic import conf, options
from django_asyncstatic.collecting.finished import STATE_VERSION, Record, State
from django_asyncstatic.collecting.references import find_references, pattern_references, rewrite
from django_asyncstatic.diagnosing.baseline import VERSION, Baseline, UnusableBaseline, accept, identifier
from django_asyncstatic.diagnosing.findings import Finding, Place

#: Seconds that one short text may take; more is a pattern that goes back and forth. In scripts tree-sitter starts over
#: at each of thousands of comments without an end, which is quadratic, and which no script has.
LONGEST = {"css": 1.0, "js": 20.0}

#: What means something in a style sheet or a script; texts are made of these.
PIECES: dict[str, tuple[str, ...]] = {
    "css": (
        *("url(a.png)", 'url("b.png")', "url( 'c d.png' )", "@import 'x.css';", '@import url("y.css") print;'),
        *("url(", "/*# sourceMappingURL=a.css.map */", "/*", "*/", "image-set('a.png' 1x, url(b.png) 2x)"),
        *("-webkit-image-set(", "\\", "\\75 rl(e.png)", "@\\69mport 'z.css';", "u\\", '"', "'", "(", ")", "{"),
        *("}", "[", "]", ";", ",", "\n", "\r\n", "\f", "\0", "\ufeff", "data:image/png;base64,AA"),
        *("//host/a.png", "#frag", "a.png?v=1#x", "@namespace url(x);", "a { color: red }", "@media print {"),
        *("format('woff2')", "src(", "9" * 700, "u+?", "%s", "%%", "\ud800", "\u2028"),
    ),
    "js": (
        *("import './a.js';", 'import x from "./b.js";', "export * from './c.js';", "export*from'./d.js'"),
        *("import('./e.js')", "import.meta.resolve('./f.js')", "new URL('./g.png', import.meta.url)"),
        *("//# sourceMappingURL=a.js.map", "import", "from", "export {", "}", "`", "${", "'", '"', "/", "/*"),
        *("*/", "//", "\\", "\n", "\r\n", "\u2028", "\u2029", "\0"),
        *("import y, {z as w} from /* c */ './h.js' with {type: 'json'};", "obj.import('./x.js')", "/['\"]/"),
        *("<!--", "-->", "\\u{2e}/i.js", "\\x2e/j.js", "'./\\\nk.js'", "#!", "\ufeff", "%s", "\ud800"),
        *("import defer * as n from './l.js';",),
    ),
}

PATTERNS = (
    (r"(?P<matched>url\(['\"]{0,1}\s*(?P<url>.*?)[\"']{0,1}\))", 'url("%(url)s")'),
    (r"(?P<matched>import\s*['\"](?P<url>[./].*?)[\"'])", 'import "%(url)s"'),
)


def random_source(rng: random.Random, kind: str) -> str:
    pieces = [rng.choice(PIECES[kind]) for _ in range(rng.randint(0, 25))]
    text = "".join(piece + rng.choice(("", "", " ", "\n")) for piece in pieces)
    for _ in range(rng.randint(0, 4)):
        at = rng.randint(0, len(text))
        match rng.randrange(4):
            case 0:
                text = text[:at] + text[at + rng.randint(1, 5) :]
            case 1:
                text = text[:at] + chr(rng.choice((rng.randrange(128), rng.randrange(0x110000)))) + text[at:]
            case 2:
                text = text[:at] + text[at : at + 20] + text[at:]
            case _ if rng.random() < 0.02:
                text = (text[:40] or "(") * 2000
    return text[:60_000]


@dataclass(frozen=True)
class Source:
    """A text that references are looked for in."""

    kind: Literal["css", "js"]
    text: str

    def check(self) -> str:
        began = time.thread_time()
        found = find_references(self.text, kind=self.kind, modules=self.kind == "js")
        took = time.thread_time() - began
        assert took < LONGEST[self.kind], f"{took:.1f} s for {len(self.text)} characters"
        self.check_spans(found)
        self.check_spans(pattern_references(self.text, PATTERNS))
        assert rewrite(self.text, []) == self.text
        # With URLs as storages make them: nothing but the references changes.
        told = [(reference, quote(reference.url, safe="/:?#.", errors="surrogatepass")) for reference in found]
        text = rewrite(self.text, told)
        rest = text
        for between, (reference, url) in zip(self.between(found), told, strict=True):
            assert rest.startswith(between)
            rest = rest[len(between) :]
            written = reference.form.replace("%%", "%") % url
            assert rest.startswith(written)
            rest = rest[len(written) :]
        assert self.text.endswith(rest)
        if self.kind == "css":
            # The text says what it was told, and saying it again changes nothing. Of a script that is none, a parser
            # makes something else after each change; a style sheet is one, whatever it holds (CSS Syntax 3, 2.2).
            again = find_references(text, kind=self.kind)
            assert [reference.url for reference in again] == [url for _, url in told], text
            assert rewrite(text, [(reference, reference.url) for reference in again]) == text
        return f"{self.kind}: {min(len(found), 3)} references"

    def between(self, references: list[Any]) -> list[str]:
        """The text in front of each reference, from the end of the one before it."""
        ends = [0, *(each.stop for each in references)]
        return [self.text[end : each.start] for end, each in zip(ends, references, strict=False)]

    def check_spans(self, references: list[Any]) -> None:
        end = 0
        for each in references:
            assert end <= each.start < each.stop <= len(self.text), each
            end = each.stop
            assert "%s" in each.form
            before = re.split(r"\r\n|[\r\n]", self.text[: each.start])
            assert (each.line, each.column) == (len(before), len(before[-1]) + 1), each


@dataclass(frozen=True)
class SavedState:
    """The bytes of a state file; a damaged one is as good as none."""

    data: bytes

    KEY = {"parsers": "p", "root": "r", "names": "n"}

    def check(self, folder: Path) -> str:
        file = folder / "state.jsonl"
        file.write_bytes(self.data)
        state = State.load(file, self.KEY)
        assert state.key == self.KEY
        assert state.inspected == {} or isinstance(state.inspected["found"], dict)
        assert all(isinstance(name, str) and isinstance(record, Record) for name, record in state.records.items())
        return f"state: {'some' if state.records else 'no'} records"


def good_state() -> bytes:
    head = {
        "version": STATE_VERSION,
        "key": SavedState.KEY,
        "verified": 5,
        "outcome": {"written": ["a"]},
        "inspected": {"rules": "0.1.0", "found": {"a.css": [[["a private key", 1, 2]], None, False]}},
    }
    records = [
        ["a.css", "1-2-3", "ab" * 32, 5, [[0, 3, "b.png", "url(%s)", True, 1, 1]], "a.0.css", "cd" * 32, 6, "ef" * 32],
        ["b.png", None, "ab" * 32, 5, None, "b.0.png", "ab" * 32, 5, ""],
    ]
    return sealed(json.dumps(head).encode(), [json.dumps(record).encode() for record in records])


def sealed(head: bytes, lines: list[bytes]) -> bytes:
    """A state file whose last line fits the others."""
    body = b"".join(line + b"\n" for line in lines)
    return head + b"\n" + body + json.dumps({"sha256": sha256(body).hexdigest()}).encode() + b"\n"


ANY_VALUE: tuple[Any, ...] = (
    *(None, True, False, 0, 1, -1, 15, 10**30, 0.5, -0.5, float("nan"), float("inf"), "", ".", "..", "a/b"),
    *("a\0b", "br", "gzip", "zstd", "\ud800", "(", "a{99999999999}", "(?P<a", "vite", "utf-8", "utf-8\r\nx: y"),
    *(b"bytes", [], (), {}, set(), [1], ["br"], ("br", "br"), ["br", None], {"br": 5}, {"br": "5"}, {"br": True}),
    *({"lzma": 1}, {1: 1}, {"br": 10**30}, datetime.timedelta(days=7), datetime.timedelta(days=-1), object()),
    *(print, type, Path("x"), lambda *any: True),
)


@dataclass(frozen=True)
class Options:
    """What a project may have written into its settings."""

    given: Mapping[str, Any]
    setting: str
    value: Any

    def check(self) -> str:
        outcomes = []
        for table in (options.STORAGE, options.MANIFEST_STORAGE):
            outcomes.append(_told(lambda table=table: self._take(table)))
            for name in table:
                peeked = options.peek(table, self.given, name)
                assert peeked is table[name].default or table[name].accepts(peeked)
        with override_settings(**{self.setting: self.value}):
            outcomes.append(_told(lambda: conf.setting(self.setting)))
            outcomes.append(_told(conf.header_policy))
        return f"options: {sum(outcomes)} of {len(outcomes)} taken"

    def _take(self, table: Mapping[str, options.Option]) -> None:
        chosen, _ = options.take(table, self.given)
        levels = options.levels(chosen["codings"], chosen["levels"])
        assert all(type(level) is int for level in levels.values())
        assert options.seconds(chosen["keep_age"]) >= 0


def _told(work: Callable[[], object]) -> bool:
    """Whether the values are taken; the one documented error says that they are not."""
    try:
        work()
    except ImproperlyConfigured:
        return False
    return True


@dataclass(frozen=True)
class AcceptedFindings:
    """The bytes of a baseline: what is accepted, or the one documented error, which names the file."""

    data: bytes

    def check(self, folder: Path) -> str:
        file = folder / "baseline.json"
        file.write_bytes(self.data)
        try:
            baseline = Baseline.read(file)
        except UnusableBaseline as error:
            message = str(error)
        else:
            message = ""
        if message:
            assert str(file) in message
            assert "--update-baseline" in message
            return "baseline: damaged"
        # It can be used, kept and read again.
        kept = accept([], identifier(), looked=baseline.looked, before=baseline, asked=("asyncstatic.W001",))
        file.write_bytes(kept.encode())
        assert Baseline.read(file) == kept
        finding = Finding("asyncstatic.W001", "of a.css", "mend it", place=Place("a.css", 1))
        assert baseline.new([finding], identifier()) in ([finding], [])
        assert not kept.new([], identifier())
        assert baseline.gone([], identifier(), ("asyncstatic.W001",)) == sorted(
            each for each in baseline.accepted if each.id == "asyncstatic.W001"
        )
        return f"baseline: {min(len(baseline.accepted), 2)} accepted"


def good_baseline() -> bytes:
    accepted = [
        {"id": "asyncstatic.W001", "place": "a.css", "about": "of a.css", "count": 1},
        {"id": "asyncstatic.E002", "place": "", "about": "b \u00e9", "count": 3},
    ]
    return json.dumps({"version": VERSION, "looked": ["deep"], "accepted": accepted}, indent=1).encode()


def random_baseline(rng: random.Random) -> bytes:
    """A baseline that has one value of another kind, or none at all."""
    content = json.loads(good_baseline())
    parts: list[Any] = [content, *content["accepted"], content["accepted"]]
    part = rng.choice(parts)
    key = rng.choice([*part]) if isinstance(part, dict) else rng.randrange(len(part))
    if rng.random() < 0.2:
        del part[key]
    else:
        part[key] = rng.choice((None, True, 0, -1, 10**30, 1.5, "", "x", [], {}, [None], [[1]], {"a": 1}, float("nan")))
    return json.dumps(content).encode()


def make_input(
    rng: random.Random, mutate_bytes: Callable[[random.Random, bytes], bytes]
) -> tuple[object, Callable[[Path], str]]:
    """A case, and what runs it in a folder."""
    how = rng.random()
    if how < 0.75:
        kind: Literal["css", "js"] = rng.choice(("css", "js"))
        source = Source(kind, random_source(rng, kind))
        return source, lambda folder: source.check()
    if how < 0.8:
        good = good_baseline()
        data = random_baseline(rng) if rng.random() < 0.5 else mutate_bytes(rng, good)
        if rng.random() < 0.02:
            data = b"[" * 200_000
        baseline = AcceptedFindings(data)
        return baseline, baseline.check
    if how < 0.9:
        data = good_state()
        if rng.random() < 0.5:
            data = mutate_bytes(rng, data)
        else:
            head, *lines, _, _ = data.split(b"\n")
            damaged = [mutate_bytes(rng, line) if rng.random() < 0.5 else line for line in (head, *lines)]
            if rng.random() < 0.02:
                damaged.append(b"[" * 200_000)
            data = sealed(damaged[0], damaged[1:])
        state = SavedState(data)
        return state, state.check
    names = [*options.MANIFEST_STORAGE, "unknown", "use_gzip", "location"]
    given = {name: rng.choice(ANY_VALUE) for name in rng.sample(names, rng.randint(0, 3))}
    chosen = Options(given, rng.choice([*conf.DEFAULTS]), rng.choice(ANY_VALUE))
    return chosen, lambda folder: chosen.check()
