#!/usr/bin/env python
"""Compares forms of an index: what it costs to load it, to hold it, and to ask it.

    python benchmarks/index.py [--sizes 10000 100000] [--rounds 9] [--only read mapped ...]

Half of the N paths are hashed names with three codings, half are plain names that lead to one. Every form
answers ``get(path)`` with an equal :class:`~django_asyncstatic.index.Resource`; ``whole`` answers with ready
headers. Each figure is the processor time of fresh processes; imports are not counted, files are in the
page cache.

A new form is a subclass of :class:`Form` and a line of :data:`FORMS`.
"""

from __future__ import annotations

import argparse
import gc
import json
import mmap
import os
import sqlite3
import subprocess
import sys
import tempfile
import tracemalloc
from collections.abc import Callable, Sequence
from pathlib import Path
from time import process_time
from typing import Any

HERE = Path(__file__).resolve().parent
sys.path[:0] = [str(HERE), str(HERE.parent)]

from fixture import REQUESTED, resources_and_aliases, times  # noqa: E402
from servers import cores, pinned  # noqa: E402
from tables import describe_environment, format_table, median, spread  # noqa: E402

from django_asyncstatic.codings import CODINGS  # noqa: E402
from django_asyncstatic.index import (  # noqa: E402
    DIGEST_DIGITS,
    INDEX_NAME,
    TIMES_NAME,
    Representation,
    Resource,
    StaticIndex,
    Times,
    encode_index,
    strong_etag,
)
from django_asyncstatic.serving.headers import HeaderPolicy  # noqa: E402
from django_asyncstatic.serving.plans import PreparedResource  # noqa: E402

#: Bytes of heap for each URL of a loaded index that the project promises to stay below.
HEAP_TARGET = 600

#: Names that are looked up one after the other, each for the first time, to tell what one costs.
NEW_NAMES = 1_000

#: Look-ups of the same name, or of names that are not there.
REPEATS = 2_000

Aliases = dict[str, str]


# --- forms --------------------------------------------------------------------------------------------------


class Form:
    """A way to keep an index in a file, for which ``find(path)`` gives what the file says of a path."""

    def __init__(self, file: Path) -> None:
        """Load the index."""
        raise NotImplementedError

    @classmethod
    def write(cls, file: Path, resources: Sequence[Resource], aliases: Aliases) -> None:
        raise NotImplementedError

    def find(self, path: str) -> Any:
        """The target of a plain name, what :func:`described` made of a resource, or ``None``."""
        raise NotImplementedError

    def get(self, path: str) -> Any:
        found = self.find(path)
        if isinstance(found, str):
            return self.resource(path, self.find(found), file=found)
        return None if found is None else self.resource(path, found)

    def resource(self, path: str, found: Any, file: str = "") -> Resource:
        """The resource, as :class:`StaticIndex` makes it; ``file`` is what a plain name leads to.

        The times are read at the first look-up, as there.
        """
        media_type, sha256, size, immutable, codings = found
        if not hasattr(self, "times"):
            self.times = Times.load(self.times_file)
        digest = sha256[:DIGEST_DIGITS]
        representations = [Representation(None, file or path, size, strong_etag(digest), digest)]
        representations += [
            Representation(token, (file or path) + CODINGS[token].suffix, size, strong_etag(coded), coded)
            for token, size, coded in codings
        ]
        return Resource(
            path=path,
            media_type=media_type,
            representations=tuple(representations),
            immutable=immutable and not file,
            last_modified=self.times.get(path),
            sha256=sha256,
        )

    times_file: Path
    times: Times


def described(resource: Resource) -> list[Any]:
    """What :meth:`Form.resource` takes."""
    identity, *coded = resource.representations
    codings = [[each.coding, each.size, each.digest] for each in coded]
    return [resource.media_type, resource.sha256, identity.size, resource.immutable, codings]


def dump(value: object) -> str:
    return json.dumps(value, separators=(",", ":"))


class Read(Form):
    """Ours: sorted lines, read in one go, found by bisection, parsed when asked for."""

    def __init__(self, file: Path) -> None:
        self.index = StaticIndex.load(file)
        self.get = self.index.get

    @classmethod
    def write(cls, file: Path, resources: Sequence[Resource], aliases: Aliases) -> None:
        file.write_bytes(encode_index(resources, aliases))


class Mapped(Read):
    """Ours, but mapped into memory instead of read."""

    def __init__(self, file: Path) -> None:
        with file.open("rb") as opened:
            data: Any = _MappedBytes(opened.fileno(), 0, access=mmap.ACCESS_READ)
        self.index = StaticIndex(data, times_file=file.with_name(TIMES_NAME))
        self.get = self.index.get


class _MappedBytes(mmap.mmap):
    """What an index asks of bytes and an mmap lacks."""

    def index(self, *arguments: Any) -> int:
        found = self.find(*arguments)
        if found < 0:
            raise ValueError("subsection not found")
        return found

    def endswith(self, end: bytes) -> bool:
        return self[-len(end) :] == end


class SplitLines(Form):
    """A line for each path, put into a dict when loaded, parsed when asked for."""

    def __init__(self, file: Path) -> None:
        self.times_file = file.with_name(TIMES_NAME)
        self.lines = dict(line.split(b"\t", 1) for line in file.read_bytes().splitlines())

    @classmethod
    def write(cls, file: Path, resources: Sequence[Resource], aliases: Aliases) -> None:
        lines = [f"{path}\t{dump(value)}\n" for path, value in _entries(resources, aliases)]
        file.write_text("".join(sorted(lines)))

    def find(self, path: str) -> Any:
        line = self.lines.get(path.encode())
        return None if line is None else json.loads(line)


class CompactJSON(Form):
    """One JSON object: a string for a plain name, a short list for a hashed one."""

    def __init__(self, file: Path) -> None:
        self.times_file = file.with_name(TIMES_NAME)
        self.find = json.loads(file.read_bytes()).get

    @classmethod
    def write(cls, file: Path, resources: Sequence[Resource], aliases: Aliases) -> None:
        file.write_text(dump(dict(_entries(resources, aliases))))


class WholeHeaders(Form):
    """One JSON object with all that is sent, for each path and coding: nothing is left to do when asked."""

    def __init__(self, file: Path) -> None:
        self.get = json.loads(file.read_bytes()).get

    @classmethod
    def write(cls, file: Path, resources: Sequence[Resource], aliases: Aliases) -> None:
        hashed = {each.path: each for each in resources}
        entries = {path: _with_headers(resource) for path, resource in hashed.items()}
        entries |= {name: _with_headers(hashed[path]) for name, path in aliases.items()}
        file.write_text(dump(entries))


def _with_headers(resource: Resource) -> list[Any]:
    prepared = PreparedResource(resource, HeaderPolicy())
    return [
        {"file": each.file, "headers": dict(prepared.select(each.coding).pairs)} for each in resource.representations
    ]


class SQLite(Form):
    """A table in a file, asked by its primary key; parsed when asked for."""

    def __init__(self, file: Path) -> None:
        self.times_file = file.with_name(TIMES_NAME)
        self.connection = sqlite3.connect(f"file:{file}?mode=ro&immutable=1", uri=True)

    @classmethod
    def write(cls, file: Path, resources: Sequence[Resource], aliases: Aliases) -> None:
        connection = sqlite3.connect(file)
        connection.execute("CREATE TABLE entry (path TEXT PRIMARY KEY, value TEXT) WITHOUT ROWID")
        rows = sorted((path, dump(value)) for path, value in _entries(resources, aliases))
        connection.executemany("INSERT INTO entry VALUES (?, ?)", rows)
        connection.commit()
        connection.close()

    def find(self, path: str) -> Any:
        row = self.connection.execute("SELECT value FROM entry WHERE path = ?", (path,)).fetchone()
        return None if row is None else json.loads(row[0])


def _entries(resources: Sequence[Resource], aliases: Aliases) -> list[tuple[str, Any]]:
    return [*aliases.items(), *((each.path, described(each)) for each in resources)]


#: The first is what the others are compared with.
FORMS: dict[str, tuple[str, type[Form]]] = {
    "read": ("ours: sorted lines, read", Read),
    "mapped": ("ours, but mmap'd", Mapped),
    "split": ("lines split into a dict", SplitLines),
    "compact": ("compact JSON", CompactJSON),
    "whole": ("JSON with whole headers", WholeHeaders),
    "sqlite": ("SQLite", SQLite),
}


# --- one measurement, in a process of its own ---------------------------------------------------------------


def measure(form: type[Form], file: Path, names: Sequence[str]) -> dict[str, float]:
    """Times in seconds and memory in bytes; ``names`` are hashed and plain ones in turn."""
    gc.collect()
    resident = _resident_bytes()
    began = process_time()
    index = form(file)
    loaded = process_time() - began
    gc.collect()
    resident = _resident_bytes() - resident
    first, *others = names
    missing = [f"{name}.map" for name in others]
    return {
        "load": loaded,
        "resident": resident,
        "first": _seconds(index.get, [first]),
        "new": _seconds(index.get, others),
        "repeated": _seconds(index.get, [first] * REPEATS),
        "miss": _seconds(index.get, missing),
    }


def measure_heap(form: type[Form], file: Path) -> dict[str, float]:
    """What Python's allocator holds for a loaded index. Tracing is slow, so nothing else is measured."""
    tracemalloc.start()
    index = form(file)
    gc.collect()
    heap = tracemalloc.get_traced_memory()[0]
    del index
    return {"heap": heap}


def _seconds(get: Callable[[str], Any], names: Sequence[str]) -> float:
    """Seconds that one call takes on average."""
    began = process_time()
    for name in names:
        get(name)
    return (process_time() - began) / len(names)


def _resident_bytes() -> int:
    return int(Path("/proc/self/statm").read_text().split()[1]) * os.sysconf("SC_PAGE_SIZE")


# --- all of them --------------------------------------------------------------------------------------------


def in_fresh_process(form: str, file: Path, kind: str) -> dict[str, float]:
    command = pinned(cores()[1], [sys.executable, __file__, "--in-process", form, str(file), kind])
    found: dict[str, float] = json.loads(subprocess.check_output(command))
    return found


def compare(size: int, chosen: Sequence[str], rounds: int, directory: Path) -> None:
    """Write every form of an index of this size, measure in rounds, print a table."""
    resources, aliases = resources_and_aliases(size)
    # Every so-many-th, hashed and plain in turn, none of them twice.
    pairs = list(aliases.items())[len(REQUESTED) :]
    step = max(1, 2 * len(pairs) // (NEW_NAMES + 1))
    names = [pair[1 - number % 2] for number, pair in enumerate(pairs[::step])]
    files = {}
    for form in chosen:
        folder = directory / f"{size}-{form}"
        folder.mkdir()
        files[form] = folder / INDEX_NAME
        FORMS[form][1].write(files[form], resources, aliases)
        (folder / TIMES_NAME).write_bytes(times(aliases))
        (folder / "names").write_text(json.dumps(names))
    check_equal(files, names)

    samples: dict[str, list[dict[str, float]]] = {form: [] for form in chosen}
    for _ in range(rounds):
        for form in chosen:
            samples[form].append(in_fresh_process(form, files[form], "times"))
    for form in chosen:
        samples[form][0] |= in_fresh_process(form, files[form], "heap")

    def cell(form: str, figure: str, scale: float) -> str:
        value = median([sample[figure] for sample in samples[form]]) * scale
        ours = median([sample[figure] for sample in samples[chosen[0]]]) * scale
        ratio = value / ours
        return f"{value:,.1f} ({f'{ratio:,.0f}' if ratio >= 10 else f'{ratio:.2f}'}x)"

    rows = []
    for form in chosen:
        heap = samples[form][0]["heap"] / size
        row = [FORMS[form][0], f"{files[form].stat().st_size / size:,.0f}", cell(form, "load", 1e3)]
        row += [spread([sample["load"] for sample in samples[form]]), f"{heap:,.0f}"]
        row += [f"{median([sample['resident'] for sample in samples[form]]) / size:,.0f}"]
        rows.append(row + [cell(form, figure, 1e6) for figure in ("first", "new", "repeated", "miss")])
    headings = ["form", "file B/URL", "load ms", "±", "heap B/URL", "RSS B/URL"]
    headings += ["first ever us", "new name us", "repeated us", "miss us"]
    print(f"\n{size:,} URLs, median of {rounds}, in brackets the ratio to {FORMS[chosen[0]][0]!r}\n")
    print(format_table(headings, rows))
    if "read" in chosen:
        heap = samples["read"][0]["heap"] / size
        verdict = "met" if heap < HEAP_TARGET else "MISSED"
        print(f"\nTarget: heap below {HEAP_TARGET} B/URL. Ours: {heap:.0f}, {verdict}.")


def check_equal(files: dict[str, Path], names: Sequence[str]) -> None:
    """Every form has to give the same answers, or the comparison means nothing."""
    expected = None
    for form, file in files.items():
        index = FORMS[form][1](file)
        if form == "whole":
            found = [index.get(name) is not None for name in (*names, "missing.css")]
            assert found == [True] * len(names) + [False], form
            continue
        found = [index.get(name) for name in (*names, "missing.css")]
        assert found == (expected or found), form
        assert None not in found[:-1], form
        assert found[-1] is None, form
        expected = found


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--sizes", type=int, nargs="+", default=[10_000, 100_000], metavar="N")
    parser.add_argument("--rounds", type=int, default=9)
    parser.add_argument("--only", nargs="+", choices=FORMS, default=list(FORMS), metavar="FORM")
    parser.add_argument("--in-process", nargs=3, metavar=("FORM", "FILE", "KIND"), help=argparse.SUPPRESS)
    options = parser.parse_args()
    if options.in_process:
        name, file, kind = options.in_process
        form, file = FORMS[name][1], Path(file)
        if kind == "heap":
            print(json.dumps(measure_heap(form, file)))
        else:
            print(json.dumps(measure(form, file, json.loads(file.with_name("names").read_text()))))
        return
    print(describe_environment())
    with tempfile.TemporaryDirectory(prefix="asyncstatic-index-") as directory:
        for size in options.sizes:
            compare(size, options.only, options.rounds, Path(directory))


if __name__ == "__main__":
    main()
