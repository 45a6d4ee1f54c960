"""Fuzzing that coverage guides, where atheris is installed: ``python -m tests.fuzz_guided css --minutes 60``.

What is found is written to a file ``crash-…``, which is given as an argument to see it again.
"""

from __future__ import annotations

import argparse
import sys
from collections.abc import Callable
from pathlib import Path
from tempfile import TemporaryDirectory

import atheris

with atheris.instrument_imports(include=["django_asyncstatic", "tinycss2"]):
    from django_asyncstatic.index import InvalidIndex, StaticIndex, Times
    from django_asyncstatic.serving.fields import READ, fields_from_headers
    from django_asyncstatic.serving.headers import HeaderPolicy
    from django_asyncstatic.serving.plans import PreparedResource, make_plan
    from tests.fuzz import is_well_formed
    from tests.fuzz_inputs import AcceptedFindings, SavedState, Source
    from tests.test_index import make_resource

_PREPARED = PreparedResource(make_resource("a.css", last_modified=1_750_000_000), HeaderPolicy())


def an_index(data: bytes) -> None:
    """The first line is the path that is asked for."""
    path, _, rest = data.partition(b"\n")
    try:
        found = StaticIndex(rest).get(path.decode("latin-1"))
        assert found is None or is_well_formed(found)
        Times(rest).get(path.decode("latin-1"))
    except InvalidIndex:
        pass


def fields(data: bytes) -> None:
    """A line for each field that is read, in their order."""
    lines = [(name.encode(), value) for name, value in zip(READ, data.split(b"\n"), strict=False) if value]
    plan = make_plan(_PREPARED, "GET", fields_from_headers(lines))
    assert plan.status in (200, 206, 304, 412, 416)
    assert (plan.content is not None) == (plan.status in (200, 206))


def a_state(data: bytes) -> None:
    with TemporaryDirectory() as folder:
        SavedState(data).check(Path(folder))


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


def main() -> None:
    parser = argparse.ArgumentParser(prog="python -m tests.fuzz_guided", description=__doc__)
    parser.add_argument("target", choices=[*TARGETS])
    parser.add_argument("crash", nargs="*", help="files of an earlier run")
    parser.add_argument("--minutes", type=float, default=1)
    options = parser.parse_args()
    atheris.Setup([sys.argv[0], f"-max_total_time={options.minutes * 60:.0f}", *options.crash], TARGETS[options.target])
    atheris.Fuzz()


if __name__ == "__main__":
    main()
