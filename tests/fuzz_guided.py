"""Fuzzing that coverage guides, where atheris is installed: ``python -m tests.fuzz_guided css --minutes 60``.

It begins with good input and changes it. Sizes and hashes of the whole are put right, so that what is behind them is
reached. What is found is written to a file ``crash-…``, which is given as an argument to see it again.
"""

from __future__ import annotations

import argparse
import json
import sys
from collections.abc import Callable
from pathlib import Path
from tempfile import TemporaryDirectory

import atheris

with atheris.instrument_imports(include=["django_asyncstatic", "tinycss2"]):
    from django_asyncstatic.index import (
        INDEX_FORMAT,
        TIMES_FORMAT,
        VERSION,
        InvalidIndex,
        StaticIndex,
        Times,
        encode_index,
    )
    from django_asyncstatic.serving.fields import READ, fields_from_headers
    from django_asyncstatic.serving.headers import HeaderPolicy
    from django_asyncstatic.serving.plans import PreparedResource, make_plan
    from tests.fuzz import is_well_formed
    from tests.fuzz_inputs import PIECES, AcceptedFindings, SavedState, Source, good_baseline, good_state, sealed
    from tests.test_index import make_resource

_PREPARED = PreparedResource(make_resource("a.css", last_modified=1_750_000_000), HeaderPolicy())


def an_index(data: bytes) -> None:
    """The first line is the path that is asked for, the second the header."""
    name, _, rest = data.partition(b"\n")
    path = name.decode("latin-1")
    for file_format, read in ((INDEX_FORMAT, StaticIndex), (TIMES_FORMAT, Times)):
        try:
            found = read(with_right_size(rest, file_format)).get(path)
        except InvalidIndex:
            continue
        if read is StaticIndex:
            assert found is None or is_well_formed(found)
        else:
            assert found is None or type(found) is int


def with_right_size(data: bytes, file_format: str) -> bytes:
    """The file with what its header has to say of it; as it is, if it has none."""
    line, _, lines = data.partition(b"\n")
    try:
        header = json.loads(line)
    except (ValueError, RecursionError):
        return data
    if isinstance(header, dict):
        header |= {"format": file_format, "version": VERSION, "size": len(lines)}
    return json.dumps(header).encode() + b"\n" + lines


def fields(data: bytes) -> None:
    """A line for each field that is read, in their order."""
    lines = [(name.encode(), value) for name, value in zip(READ, data.split(b"\n"), strict=False) if value]
    plan = make_plan(_PREPARED, "GET", fields_from_headers(lines))
    assert plan.status in (200, 206, 304, 412, 416)
    assert (plan.content is not None) == (plan.status in (200, 206))


def a_state(data: bytes) -> None:
    with TemporaryDirectory() as folder:
        head, *lines = data.split(b"\n")
        SavedState(sealed(head, lines)).check(Path(folder))


def a_baseline(data: bytes) -> None:
    with TemporaryDirectory() as folder:
        AcceptedFindings(data).check(Path(folder))


TARGETS: dict[str, Callable[[bytes], object]] = {
    "css": lambda data: Source("css", data.decode("utf-8", "surrogateescape")).check(),
    "js": lambda data: Source("js", data.decode("utf-8", "surrogateescape")).check(),
    "fields": fields,
    "index": an_index,
    "state": a_state,
    "baseline": a_baseline,
}


#: What a run begins with.
SEEDS: dict[str, Callable[[], list[bytes]]] = {
    "css": lambda: [piece.encode("utf-8", "surrogatepass") for piece in PIECES["css"]],
    "js": lambda: [piece.encode("utf-8", "surrogatepass") for piece in PIECES["js"]],
    "fields": lambda: [b'"a"\nbr;q=0.5, gzip\n*\nSun, 06 Nov 1994 08:49:37 GMT\nbytes=0-5'],
    "index": lambda: [b"a.css\n" + encode_index([make_resource("a.css")], {"a.css": "a.css"})],
    "state": lambda: [good_state().rstrip(b"\n").rpartition(b"\n")[0]],
    "baseline": lambda: [good_baseline()],
}


def main() -> None:
    parser = argparse.ArgumentParser(prog="python -m tests.fuzz_guided", description=__doc__)
    parser.add_argument("target", choices=[*TARGETS])
    parser.add_argument("crash", nargs="*", help="files of an earlier run")
    parser.add_argument("--minutes", type=float, default=1)
    options = parser.parse_args()
    with TemporaryDirectory() as corpus:
        for number, seed in enumerate(SEEDS[options.target]()):
            Path(corpus, str(number)).write_bytes(seed)
        limit = f"-max_total_time={options.minutes * 60:.0f}"
        atheris.Setup([sys.argv[0], limit, *(options.crash or [corpus])], TARGETS[options.target])
        atheris.Fuzz()


if __name__ == "__main__":
    main()
