"""However a STATIC_ROOT came about, the release in it is that of one collect into an empty directory.

Sources are edited at random, and in between are collects with varying options, collects that are killed, files that
are damaged, and releases that are removed.
"""

from __future__ import annotations

import errno
import json
import os
import shutil
import tempfile
import time
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field
from hashlib import sha256
from pathlib import Path
from posixpath import dirname, relpath
from typing import Any
from unittest import mock
from urllib.parse import quote

import hypothesis
import pytest
from django.contrib.staticfiles.management.commands.collectstatic import Command as DjangoCommand
from django.core.management import CommandError
from hypothesis import given
from hypothesis import strategies as st

from django_asyncstatic.codings import CODINGS
from django_asyncstatic.collecting import atomic
from django_asyncstatic.collecting.builder import INTERRUPTED
from django_asyncstatic.collecting.finished import STATE_NAME
from django_asyncstatic.index import DIGEST_DIGITS, INDEX_NAME, PRIVATE_DIRECTORY, StaticIndex
from tests.test_collectstatic import collect
from tests.test_releases import clean
from tests.test_storage import project

MANIFEST, PLAIN = "CompressedManifestStaticFilesStorage", "CompressedStaticFilesStorage"

SHEETS = ["a.css", "d/b.css", "d/\u00e9 c.css", "x%20y.css", "x y.css"]
SCRIPTS = ["m.js", "d/n.js", "d/e/o.js"]
OTHERS = ["i.png", "d/p#q.png", "t?.txt", "100%.txt", "m.js.map", "d/a.map", "A.CSS.bin"]
NAMES = [*SHEETS, *SCRIPTS, *OTHERS]

#: What a collect may be told, each of a few.
OPTIONS = st.fixed_dictionaries(
    {
        "levels": st.sampled_from([{"gzip": 1, "br": 1, "zstd": 1}, {"gzip": 2, "br": 4, "zstd": 3}]),
        "codings": st.sampled_from([("gzip", "br", "zstd"), ("gzip", "br", "zstd"), ("gzip",), ()]),
        "skip_compress_extensions": st.sampled_from([(), (), ("css",)]),
        "cached": st.booleans(),
        "hashed_only": st.booleans(),
        "modules": st.booleans(),
        "forgiving": st.booleans(),
    }
)

MANNERS = ["ours", "ours", "ours", "ours", "link", "clear", "django", "django"]

OPERATIONS = st.lists(
    st.one_of(
        # Few seeds: contents come back, several files have the same, and most have an equal size.
        st.tuples(
            st.just("write"),
            st.sampled_from(NAMES),
            st.integers(0, 3),
            st.lists(st.sampled_from(NAMES), max_size=3),
            st.sampled_from(["", "", "", "", "small", "latin-1"]),
        ),
        st.tuples(
            st.just("write"),
            st.sampled_from(["a.css", "i.png", "m.js"]),
            st.integers(0, 1),
            st.lists(st.sampled_from(NAMES), max_size=1),
            st.just(""),
        ),
        st.tuples(st.just("delete"), st.sampled_from(NAMES), st.booleans()),
        st.tuples(st.just("rename"), st.sampled_from(NAMES), st.sampled_from(NAMES)),
        st.tuples(st.just("touch"), st.sampled_from(NAMES), st.integers(0, 2**30)),
        st.tuples(st.just("wait")),
        st.tuples(st.just("options"), OPTIONS),
        st.tuples(st.just("collect"), st.sampled_from(MANNERS)),
        st.tuples(st.just("collect"), st.sampled_from(MANNERS)),
        st.tuples(st.just("interrupt"), st.integers(0, 12), st.booleans()),
        st.tuples(
            st.just("damage"),
            st.integers(0, 200),
            st.integers(0, 2000),
            st.sampled_from(["delete", "cut", "empty", "grow", "flip", "flip"]),
        ),
        st.tuples(st.just("damage state"), st.integers(0, 2000), st.sampled_from(["delete", "cut", "empty", "flip"])),
        st.tuples(st.just("clean"), st.integers(1, 2), st.booleans()),
    ),
    min_size=4,
    max_size=14,
)

FIRST = {
    "levels": {"gzip": 1, "br": 1, "zstd": 1},
    "codings": ("gzip", "br", "zstd"),
    "skip_compress_extensions": (),
    "cached": False,
    "hashed_only": False,
    "modules": False,
    "forgiving": False,
}


#: An example takes a sixth of a second, many collects that it is.
EXAMPLES = max(1, hypothesis.settings.get_profile(hypothesis.settings.get_current_profile_name()).max_examples // 6)


class Killed(BaseException):
    """What ends a collect at once."""


@dataclass
class Text:
    """What a file of the sources holds, so that it can be written again with other references."""

    seed: int
    references: list[str] = field(default_factory=list)
    kind: str = ""


@dataclass
class Place:
    """Sources and a root in a directory of their own, with what is known about them."""

    folder: Path
    storage: str
    texts: dict[str, Text] = field(default_factory=dict)
    options: dict[str, Any] = field(default_factory=lambda: dict(FIRST))
    is_sound: bool = True
    number: int = 0

    @property
    def source(self) -> Path:
        return self.folder / "source"

    @property
    def root(self) -> Path:
        return self.folder / "root"

    # --- sources -------------------------------------------------------------------------------------------------

    def put(self, name: str, text: Text) -> None:
        self.texts[name] = text
        file = self.source / name
        file.parent.mkdir(parents=True, exist_ok=True)
        file.write_bytes(render(name, text))

    def write(self, name: str, seed: int, references: list[str], kind: str) -> None:
        self.put(name, Text(seed, [each for each in references if each in self.texts or each == name], kind))

    def forget(self, name: str, instead: list[str]) -> None:
        """Let those that refer to a name refer to others."""
        for other, text in list(self.texts.items()):
            if name in text.references:
                kept = [each for each in text.references if each != name]
                self.put(other, Text(text.seed, [*kept, *instead], text.kind))

    def delete(self, name: str, is_missed: bool) -> None:
        if name in self.texts:
            (self.source / name).unlink()
            del self.texts[name]
            if not is_missed:
                self.forget(name, [])

    def rename(self, name: str, new: str) -> None:
        same_kind = next(kind for kind in (SHEETS, SCRIPTS, OTHERS) if name in kind)
        if name in self.texts and new in same_kind and new != name:
            (self.source / new).parent.mkdir(parents=True, exist_ok=True)
            os.rename(self.source / name, self.source / new)
            text = self.texts.pop(name)
            self.texts[new] = text
            if text.references:  # they are relative
                self.put(new, text)
            self.forget(name, [new])

    def touch(self, name: str, time: int) -> None:
        if name in self.texts:
            os.utime(self.source / name, (time, time))

    # --- collects ------------------------------------------------------------------------------------------------

    @contextmanager
    def project(self, root: Path, **more: Any) -> Iterator[None]:
        chosen = dict(self.options)
        cached, hashed_only, modules, forgiving = (
            chosen.pop(each) for each in ("cached", "hashed_only", "modules", "forgiving")
        )
        if cached:
            chosen["cache_dir"] = self.folder / "cache"
        if self.storage == MANIFEST:
            chosen["keep_only_hashed_files"] = hashed_only
            chosen["support_js_module_import_aggregation"] = modules
            chosen["ignore_errors"] = ["*"] if forgiving else []
        chosen.update(more)
        with project(self.source, root, self.storage, **chosen):
            yield

    def collect(self, manner: str) -> None:
        """Collect, and compare with a collect into an empty directory."""
        self.number += 1
        fresh = self.folder / f"fresh-{self.number}"
        expected = self.attempt(fresh, "ours", cache_dir=None)
        before = snapshot(self.root)
        told = self.attempt(self.root, manner)
        if expected is not None:
            assert told == expected
            if manner != "django":
                assert snapshot(self.root) == before
            return
        assert told is None, told
        assert_sound(self.root)
        assert release(self.root) == release(fresh)
        assert not list(self.root.rglob(f"*{atomic.UNFINISHED}"))
        if manner != "django":  # which compares the times of plain files, so that it may leave other bytes
            assert self.plain_files(self.root) == self.plain_files(fresh)
        written = snapshot(self.root)
        assert self.attempt(self.root, manner) is None
        assert changes(written, snapshot(self.root)) == []
        self.is_sound = True
        shutil.rmtree(fresh)

    def attempt(self, root: Path, manner: str, **more: Any) -> str | None:
        """What is wrong, if anything is."""
        command = DjangoCommand if manner == "django" else "collectstatic"
        arguments = {"link": True} if manner == "link" else {"clear": True} if manner == "clear" else {}
        with self.project(root, **more):
            try:
                collect(command, verbosity=0, **arguments)
            except CommandError as error:
                return str(error)
        return None

    def plain_files(self, root: Path) -> dict[str, bytes | None]:
        """By plain name, and by that of each compressed copy that it may have, the bytes; ``None`` for no file."""
        suffixes = ["", *(coding.suffix for coding in CODINGS.values())]
        files = [root / (name + suffix) for name in self.texts for suffix in suffixes]
        return {str(file.relative_to(root)): file.read_bytes() if file.exists() else None for file in files}

    def interrupt(self, at: int, is_killed: bool) -> None:
        """A collect whose every replacement of a file fails from some point on, or that is killed there."""
        replace, count = os.replace, 0

        def failing(source: str, target: str) -> None:
            nonlocal count
            count += 1
            if count > at:
                raise Killed if is_killed else OSError(errno.ENOSPC, os.strerror(errno.ENOSPC))
            replace(source, target)

        with self.project(self.root), mock.patch.object(os, "replace", failing):
            forget = (lambda path: None) if is_killed else atomic._forget
            with mock.patch.object(atomic, "_forget", forget):
                try:
                    collect(verbosity=0)
                except (CommandError, Killed):
                    pass
        if self.is_sound:
            assert_sound(self.root, while_interrupted=True)

    # --- the root ------------------------------------------------------------------------------------------------

    def damage(self, number: int, position: int, how: str) -> None:
        # The note of a killed collect is what tells the next one to look for what it left.
        files = sorted(
            file
            for file in self.root.rglob("*")
            if file.is_file() and not file.is_symlink() and file != self.root / INTERRUPTED
        )
        if files:
            self.is_sound = False
            file = files[number % len(files)]
            # With a manifest that is no JSON, Django's storage cannot be made, and so nothing can be collected.
            damage(file, position, "delete" if file.name == "staticfiles.json" else how)

    def damage_state(self, position: int, how: str) -> None:
        for file in (self.root / PRIVATE_DIRECTORY / STATE_NAME, self.folder / "cache" / STATE_NAME):
            if file.exists():
                damage(file, position, how)

    def clean(self, releases: int, orphans: bool) -> None:
        with self.project(self.root, keep_releases=releases, keep_age=0):
            try:
                clean(orphans=orphans)
            except CommandError:
                assert not self.is_sound or not (self.root / INDEX_NAME).exists()
                return
        if self.is_sound:
            assert_sound(self.root, while_interrupted=True)
            assert len(StaticIndex.load(self.root / INDEX_NAME).header["releases"]) <= releases


def render(name: str, text: Text) -> bytes:
    folder = dirname(name)
    urls = [quote(relpath(each, folder or ".")) for each in text.references]
    padding = "" if text.kind == "small" else f"/* {text.seed} */\n" * 20
    if name in SHEETS:
        lines = [f"@import '{url}';" if url.endswith(".css") else f"a {{ b: url({url}) }}" for url in urls]
        body = "\n".join([*lines, f"p {{ order: {text.seed} }}", padding]).encode()
        return body + b"/* \xe9 */" if text.kind == "latin-1" else body
    if name in SCRIPTS:
        lines = [f'import "{url if url.startswith(".") else "./" + url}";' for url in urls if url.endswith(".js")]
        maps = [f"//# sourceMappingURL={url}" for url in urls if url.endswith(".map")]
        return "\n".join([*lines, f"f({text.seed});", padding, *maps[:1]]).encode()
    return padding.encode() if name.endswith(".txt") else sha256(b"%d" % text.seed).digest() * 4


def damage(file: Path, position: int, how: str) -> None:
    if how == "delete":
        file.unlink()
        return
    data, times = file.read_bytes(), os.stat(file)
    position %= max(len(data), 1)
    flipped = data[:position] + bytes([data[position] ^ 1]) + data[position + 1 :] if data else b""
    file.write_bytes({"cut": data[:position], "empty": b"", "grow": data + b"x", "flip": flipped}[how])
    os.utime(file, ns=(times.st_atime_ns, times.st_mtime_ns))


def assert_sound(root: Path, *, while_interrupted: bool = False) -> None:
    """The index is whole, and so is every file that it names.

    A collect that was interrupted while it put the representations of other levels in place may leave some that the
    index does not know yet: they decode to the same bytes, and a server sends these instead.
    """
    file = root / INDEX_NAME
    if not file.exists():
        return
    index = StaticIndex.load(file)
    assert index.is_intact
    for path in index:
        resource = index.get(path)
        assert resource is not None, path
        assert resource.release is None or resource.release in index.header["releases"][1:]
        for each in resource.representations:
            data = (root / each.file).read_bytes()
            if each.coding is None or not while_interrupted:
                assert len(data) == each.size, each.file
                assert sha256(data).hexdigest()[:DIGEST_DIGITS] == each.digest, each.file
            if each.coding is not None:
                assert CODINGS[each.coding].decode(data) == (root / resource.identity.file).read_bytes(), each.file


def release(root: Path) -> dict[str, Any]:
    """The current release: its lines, the bytes of its files, and the manifest."""
    found: dict[str, Any] = {}
    index = StaticIndex.load(root / INDEX_NAME)
    for path, line in index.lines():
        if "release" in line:
            continue
        resource = index.get(path)
        assert resource is not None
        found[path] = line, [(root / each.file).read_bytes() for each in resource.representations]
    manifest = root / "staticfiles.json"
    found[manifest.name] = json.loads(manifest.read_bytes()) if manifest.exists() else None
    return found


def snapshot(root: Path) -> dict[str, tuple[int, int]]:
    """What is written shows in an inode or a time. The lock and the state are of no one's concern."""
    private = root / PRIVATE_DIRECTORY
    return {
        str(file.relative_to(root)): (file.lstat().st_ino, file.lstat().st_mtime_ns)
        for file in root.rglob("*")
        if (file.is_file() or file.is_symlink()) and file not in (private / "lock", private / STATE_NAME)
    }


def changes(before: dict[str, Any], after: dict[str, Any]) -> list[str]:
    return sorted(name for name in before.keys() | after.keys() if before.get(name) != after.get(name))


def run(storage: str, operations: list[tuple[Any, ...]]) -> None:
    with tempfile.TemporaryDirectory() as folder:
        place = Place(Path(folder), storage)
        for name in ("i.png", "d/b.css", "a.css", "m.js"):
            place.write(name, 0, ["i.png", "d/b.css"], "")
        for what, *arguments in [*operations, ("collect", "ours")]:
            if what == "wait":  # what is older than a moment is not read again
                time.sleep(0.025)
            elif what == "options":
                place.options = arguments[0]
            elif what == "damage state":
                place.damage_state(*arguments)
            else:
                getattr(place, what)(*arguments)


@pytest.mark.parametrize("storage", [MANIFEST, PLAIN])
@given(operations=OPERATIONS)
@hypothesis.settings(  # to shrink a failure takes minutes; what is printed can be run again
    max_examples=EXAMPLES,
    phases=[hypothesis.Phase.explicit, hypothesis.Phase.reuse, hypothesis.Phase.generate],
)
@pytest.mark.timeout(300)
def test_the_release_is_that_of_a_collect_into_an_empty_directory(
    storage: str, operations: list[tuple[Any, ...]]
) -> None:
    run(storage, operations)
