"""What is true of every answer, for generated requests; and that the checkers notice what they are for."""

from __future__ import annotations

import json
import re
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import pytest
from hypothesis import example, given
from hypothesis import strategies as st

from django_asyncstatic.index import INDEX_NAME, TIMES_FORMAT, TIMES_NAME, VERSION, InvalidIndex, StaticIndex
from django_asyncstatic.serving.fields import fields_from_headers
from django_asyncstatic.serving.headers import HeaderPolicy
from django_asyncstatic.serving.plans import PreparedResource, make_plan
from django_asyncstatic.wsgi import StaticWSGI
from tests import fuzz
from tests.edges import Response, ask_wsgi
from tests.invariants import (
    FIELD_VALUES,
    FILES,
    LIST_FIELDS,
    METHODS,
    PATH_PIECES,
    PREFIX,
    Request,
    World,
    check,
    check_message,
    check_selected,
    collect,
)


@pytest.fixture(scope="module")
def collected_world(tmp_path_factory: pytest.TempPathFactory) -> Iterator[World]:
    with World.collect(tmp_path_factory.mktemp("collected-world")) as world:
        yield world


@pytest.fixture(scope="module")
def scanned_world(tmp_path_factory: pytest.TempPathFactory) -> Iterator[World]:
    with World.scan(tmp_path_factory.mktemp("scanned-world")) as world:
        yield world


# --- what is generated ---------------------------------------------------------------------------------------

latin_1 = st.text(st.characters(codec="latin-1"), max_size=40)
positions = st.one_of(
    st.integers(0, 12), st.integers(0, 900), st.integers(0, 900_000), st.sampled_from([10**18, 10**30])
).map(str)


def values_of(name: str) -> st.SearchStrategy[str]:
    """A value of a field: plausible, a list of such, a range with any numbers, or any bytes."""
    plausible = st.sampled_from(FIELD_VALUES[name])
    lists = st.lists(plausible, min_size=1, max_size=4).map(", ".join)
    ranges = st.builds("bytes={}-{}".format, positions | st.just(""), positions | st.just(""))
    if name == "range":
        return st.one_of(plausible, ranges, latin_1)
    return st.one_of(plausible, lists, latin_1) if name in LIST_FIELDS else st.one_of(plausible, latin_1)


any_lines = st.lists(st.sampled_from(sorted(FIELD_VALUES)), max_size=6).flatmap(
    lambda names: st.tuples(*(st.tuples(st.just(name), values_of(name)) for name in names))
)
satisfiable = st.one_of(
    st.sampled_from(["bytes=0-", "bytes=-1", "bytes=1-3", "bytes=0-{size}", "bytes=-{size}"]),
    st.builds(lambda first, more: f"bytes={first}-{first + more}", st.integers(0, 500), st.integers(0, 300_000)),
    st.builds("bytes={}-".format, st.integers(0, 500)),
    st.builds("bytes=-{}".format, st.integers(1, 500_000)),
)
#: What leads far into the decisions: the preconditions pass or are absent, and a range is asked for.
range_lines = st.builds(
    lambda accept, asked, if_range: (("accept-encoding", accept), ("range", asked), *if_range),
    values_of("accept-encoding"),
    satisfiable,
    st.sampled_from([(), (), (("if-range", "{etag}"),), (("if-range", "{etag:br}"),), (("if-range", "{date}"),)]),
)
lines = st.one_of(any_lines, range_lines)
methods = st.sampled_from(("GET",) * 40 + ("HEAD",) * 12 + METHODS)
files = st.sampled_from(sorted(FILES)).map(
    lambda name: Request("GET", PREFIX + "".join(f"%{b:02x}" for b in name.encode()))
)
requests = st.builds(
    lambda request, method, fields: Request(method, request.path, fields),
    files,
    methods,
    lines,
)
#: Most begin with the prefix; a slash at the start is what servers have seen to.
paths = st.builds(
    "{}{}".format,
    st.sampled_from([PREFIX, PREFIX, PREFIX, "/static", "/", "//static/", "/STATIC/", ""]),
    st.lists(st.sampled_from(PATH_PIECES) | st.text(st.characters(codec="latin-1"), max_size=9), max_size=9).map(
        "".join
    ),
)


# --- every answer --------------------------------------------------------------------------------------------


@given(request=requests)
@example(request=Request("GET", "/static/text.txt", (("range", "bytes=0-"), ("accept-encoding", "br"))))
@example(request=Request("GET", "/static/digits.txt", (("range", "bytes=1-3"),)))
@example(request=Request("GET", "/static/empty.txt", (("range", "bytes=-1"),)))
@example(request=Request("GET", "/static/large/letters.txt", (("range", "bytes=-300000"), ("accept-encoding", "br"))))
@example(request=Request("HEAD", "/static/large/noise.bin", (("range", "bytes=0-0"), ("if-range", "{etag}"))))
def test_every_answer_keeps_the_invariants_at_every_edge(collected_world: World, request: Request) -> None:
    check(collected_world, request)


@given(request=requests)
def test_every_answer_from_a_scanned_directory_keeps_them_too(scanned_world: World, request: Request) -> None:
    check(scanned_world, request)


@given(path=paths, method=st.sampled_from(["GET", "HEAD", "POST"]))
@example(path=PREFIX + "a" * 100_000, method="GET")
@example(path=PREFIX + "../" * 10_000 + "etc/passwd", method="GET")
@example(path=PREFIX + "%00", method="GET")
@example(path=PREFIX + "text.txt%00.css", method="GET")
@example(path=PREFIX + "%ed%a0%80", method="GET")
@example(path="*", method="OPTIONS")
def test_no_path_gives_other_bytes_than_those_of_its_own_name(collected_world: World, path: str, method: str) -> None:
    """That a path names a file is decided by the letter in ``World.find``; everything else has to be a 404."""
    check(collected_world, Request(method, path))


@given(path=paths)
def test_no_path_gives_bytes_from_beside_a_scanned_directory(scanned_world: World, path: str) -> None:
    check(scanned_world, Request("GET", path))


@given(fields=lines, method=methods)
def test_a_decision_depends_on_nothing_but_the_request(collected_world: World, fields: Any, method: str) -> None:
    """A plan made before, or by another process, is the plan made now: nothing is left over between requests."""
    known = collected_world.known["text.txt"]
    request = collected_world.fill(Request(method, "/static/text.txt", fields))
    raw = [(name.encode(), value.encode("latin-1")) for name, value in request.fields]
    fresh = make_plan(PreparedResource(known.resource, HeaderPolicy()), method, fields_from_headers(raw))
    used = make_plan(known.prepared, method, fields_from_headers(raw))
    assert (fresh.status, fresh.headers.pairs, fresh.content) == (used.status, used.headers.pairs, used.content)
    assert [(name.decode(), value.decode("latin-1")) for name, value in used.headers.raw] == [*used.headers.pairs]


def test_the_worlds_have_what_the_invariants_are_about(collected_world: World, scanned_world: World) -> None:
    codings = {name: known.bodies.keys() for name, known in collected_world.known.items()}
    assert collected_world.known.keys() == FILES.keys()
    assert codings["text.txt"] == codings["large/letters.txt"] == {None, "gzip", "br", "zstd"}
    assert codings["empty.txt"] == codings["digits.txt"] == codings["large/noise.bin"] == {None}
    assert codings["archive.txt"] == {None, "br", "zstd"}, "another file has the name of its gzip representation"
    assert min(map(len, collected_world.known["large/letters.txt"].bodies.values())) > 262_144
    assert all(each.etag.startswith("W/") for each in scanned_world.known["text.txt"].resource.representations)
    assert scanned_world.known["text.txt"].bodies.keys() == {None, "gzip", "br", "zstd"}


@pytest.mark.parametrize(
    ("request_", "status"),
    [
        (Request("GET", "/static/text.txt", (("accept-encoding", "gzip"),)), 200),
        (Request("GET", "/static/text.txt", (("accept-encoding", "br"), ("range", "bytes=1-3"))), 206),
        (Request("GET", "/static/large/noise.bin", (("range", "bytes=262143-262145"),)), 206),
        (Request("GET", "/static/text.txt", (("if-none-match", "{etag:br}"), ("accept-encoding", "br"))), 304),
        (Request("GET", "/static/names/line%0abreak%09.txt"), 200),
        (Request("GET", "/static/text.txt", (("if-modified-since", "{date-850}"),)), 304),
        (Request("GET", "/static/text.txt", (("if-modified-since", "{date-asctime}"),)), 304),
        (Request("GET", "/static/%74ext.txt"), 200),
        (Request("GET", "/static/text%2Etxt?query"), 200),
        (Request("GET", "/static/./text.txt"), 404),
        (Request("GET", "/static//text.txt"), 404),
        (Request("GET", "/static/css/../text.txt"), 404),
        (Request("GET", "/static/asyncstatic.index"), 404),
        (Request("GET", "/static/text.txt.gz"), 404),
        (Request("PURGE", "/static/text.txt"), 405),
        (Request("GET", "/static/text.txt", (("if-match", '"another"'),)), 412),
        (Request("GET", "/static/digits.txt", (("range", "bytes={size}-"),)), 416),
    ],
    ids=str,
)
def test_the_check_sees_every_status(collected_world: World, request_: Request, status: int) -> None:
    assert check(collected_world, request_) == status


@pytest.mark.parametrize(
    "spoil",
    [
        lambda status, headers, body: (status, headers, body[:-1]),
        lambda status, headers, body: (status, headers | {"content-length": "1"}, body),
        lambda status, headers, body: (status, headers | {"x-split": "a\r\nset-cookie: b"}, body),
        lambda status, headers, body: (status, {name: headers[name] for name in headers if name != "vary"}, body),
        lambda status, headers, body: (status, headers | {"content-range": "bytes 1-3/20000"}, body),
        lambda status, headers, body: (status, headers | {"etag": '"another"'}, body),
        lambda status, headers, body: (200, headers, body),
        lambda status, headers, body: (416, headers, body),
        lambda status, headers, body: (304, headers, b""),
    ],
    ids=["short", "length", "split", "vary", "range", "etag", "200", "416", "304"],
)
def test_the_check_notices_a_wrong_answer(
    collected_world: World, spoil: Callable[[int, dict[str, str], bytes], tuple[int, dict[str, str], bytes]]
) -> None:
    request = Request("GET", "/static/text.txt", (("range", "bytes=0-9"), ("if-none-match", '"a"')))
    known = collected_world.known["text.txt"]
    good = collected_world.ask_plan(known, request)
    check_selected(collected_world, known, request, good)
    bad = Response(*spoil(good.status, good.headers, good.body))
    with pytest.raises(AssertionError):  # noqa: PT012
        check_message(request, bad)
        check_selected(collected_world, known, request, bad)


@pytest.mark.parametrize("name", [b"range", b"Range", b"RANGE"])
def test_header_names_of_a_request_are_read_in_the_case_that_servers_leave_them_in(name: bytes) -> None:
    """ "Header names should be lowercased, but it is not required" (ASGI, HTTP connection scope)."""
    assert fields_from_headers([(name, b"bytes=0-1")]) == {"range": "bytes=0-1"}


# --- a damaged index -----------------------------------------------------------------------------------------

_LINE = {"type": "text/plain", "sha256": "ab" * 32, "size": 20_000}
#: What stands on a line: JSON, and something else than the type of that value.
DAMAGED_LINES: dict[str, str] = {
    "a list": "[]",
    "a text": '"text"',
    "type 5": json.dumps(_LINE | {"type": 5}),
    "type on two lines": json.dumps(_LINE | {"type": "text/plain\r\nset-cookie: a=b"}),
    "type with a snowman": json.dumps(_LINE | {"type": "text/\u2603"}),
    "digest in a list": json.dumps(_LINE | {"sha256": ["ab" * 32]}),
    "digest that ends the tag": json.dumps(_LINE | {"sha256": '"' * 64}),
    "size as text": json.dumps(_LINE | {"size": "20000"}),
    "size below 0": json.dumps(_LINE | {"size": -1}),
    "size with a fraction": json.dumps(_LINE | {"size": 2.5}),
    "size that is no number": json.dumps(_LINE | {"size": float("nan")}),
    "file 5": json.dumps(_LINE | {"file": 5}),
    "size of a coding as text": json.dumps(_LINE | {"codings": [["br", "9", "ab" * 16]]}),
    "coding without a digest": json.dumps(_LINE | {"codings": [["br", 9, None]]}),
    "immutable as text": json.dumps(_LINE | {"immutable": "no"}),
    "deeper than Python": "[" * 100_000,
}


@pytest.mark.parametrize("line", DAMAGED_LINES.values(), ids=DAMAGED_LINES)
def test_a_line_of_the_wrong_types_is_told_as_damage(line: str) -> None:
    """It "raises InvalidIndex for a line that was damaged although the file has its length"."""
    good = json.dumps(_LINE)
    index = StaticIndex(fuzz.index_of_lines({"text.txt": line, "other.txt": good}))
    with pytest.raises(InvalidIndex):
        index.get("text.txt")
    assert index.get("other.txt") is not None


def test_a_header_deeper_than_python_can_read_is_told_as_damage() -> None:
    with pytest.raises(InvalidIndex):
        StaticIndex(b"[" * 100_000 + b"\n")


#: The line of ``text.txt`` in the file of times, none for ``b""``, and the time of all others in its header.
DAMAGED_TIMES: dict[str, tuple[bytes, Any]] = {
    "noise": (b"x", None),
    "late": (b"99999999999999999999", None),
    "early": (b"-99999999999999", None),
    "underscore": (b"1_0", None),
    "longer than Python converts": (b"9" * 5000, None),
    "default as text": (b"", "1750000000"),
    "default late": (b"", 10**20),
    "default early": (b"", -1),
    "default with a fraction": (b"", 1.5),
    "default in a list": (b"", [5]),
    "default true": (b"", True),
}


@pytest.mark.parametrize(("line", "default"), DAMAGED_TIMES.values(), ids=DAMAGED_TIMES)
def test_damaged_times_mean_no_last_modified(tmp_path: Path, line: bytes, default: Any) -> None:
    """ "Absent or damaged: Last-Modified is then not sent" (``Times.load``); not: a file that cannot be served."""
    collect(tmp_path)
    lines = b"text.txt\t" + line + b"\n" if line else b""
    header = {"format": TIMES_FORMAT, "version": VERSION, "count": 1, "size": len(lines), "default": default}
    (tmp_path / TIMES_NAME).write_bytes(json.dumps(header).encode() + b"\n" + lines)
    response = ask_wsgi(StaticWSGI(root=tmp_path, prefix=PREFIX), "GET", PREFIX + "text.txt")
    assert (response.status, response.headers.get("last-modified")) == (200, None)


# --- the fuzzer ----------------------------------------------------------------------------------------------


def test_the_fuzzer_finds_nothing_in_two_seconds(capsys: pytest.CaptureFixture[str]) -> None:
    assert fuzz.main(["--seconds", "2"]) == 0, capsys.readouterr()
    assert re.search(r"seed [0-9]+\n(.*\n)* +[0-9]+ s, [0-9]+ cases: .*200 [0-9]+", capsys.readouterr().out)


def test_a_case_of_the_fuzzer_can_be_asked_again(capsys: pytest.CaptureFixture[str]) -> None:
    assert fuzz.main(["--seed", "7", "--case", "3"]) == 0
    first = capsys.readouterr().out
    assert fuzz.main(["--seed", "7", "--case", "3"]) == 0
    assert first.partition("cases")[2] == capsys.readouterr().out.partition("cases")[2] != ""


def test_the_fuzzer_stops_at_the_first_violation_and_prints_the_request(
    tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    for folder in ("collected", "scanned", "damaged"):
        (tmp_path / folder).mkdir()
    with World.collect(tmp_path / "collected") as collected, World.scan(tmp_path / "scanned") as scanned:
        index, times = ((collected.root / name).read_bytes() for name in (INDEX_NAME, TIMES_NAME))
        for world in (collected, scanned):
            for name in FILES:
                (world.root / name).unlink(missing_ok=True)
        stage = fuzz.Stage(collected, scanned, index, times, tmp_path / "damaged")
        assert fuzz.run_cases(5, stage, seconds=60) == 1
    said = capsys.readouterr()
    assert re.search(r"seed 5, case [0-9]+: .*Request\(method=.[A-Z]+., path='/static/", said.out)
    assert "AssertionError" in said.err
    assert re.search(r"python -m tests\.fuzz --seed 5 --case [0-9]+\n", said.out)
