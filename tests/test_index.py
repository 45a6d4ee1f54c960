"""The index: its form, what is found in it, and what it says of damage."""

from __future__ import annotations

import json
from collections.abc import Callable
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

from django_asyncstatic.index import (
    INDEX_NAME,
    TIMES_NAME,
    InvalidIndex,
    Representation,
    Resource,
    StaticIndex,
    Times,
    encode_index,
    encode_times,
    strong_etag,
)

paths = st.text(st.characters(exclude_categories=["Cs"]), min_size=1, max_size=30)


def make_resource(path: str, sha256: str = "ab" * 32, size: int = 5, **more: object) -> Resource:
    digest = sha256[:32]
    identity = Representation(None, path, size, strong_etag(digest), digest)
    coded = Representation("br", path + ".br", max(size - 2, 0), strong_etag("cd" * 16), "cd" * 16)
    return Resource(path, "text/css", (identity, coded), sha256=sha256, **more)  # type: ignore[arg-type]


@given(st.sets(paths, max_size=40), paths)
def test_every_path_is_found_and_no_other(names: set[str], other: str) -> None:
    index = StaticIndex(encode_index([make_resource(name) for name in names], {}))
    assert set(index) == names
    assert len(index) == len(names)
    for name in names:
        assert index.get(name) == make_resource(name)
    if other not in names:
        assert index.get(other) is None


def test_a_plain_name_gives_the_hashed_names_representations_and_is_not_immutable() -> None:
    hashed = make_resource("css/site.4b2f9a.css", immutable=True)
    index = StaticIndex(encode_index([hashed], {"css/site.css": "css/site.4b2f9a.css"}))
    plain = index.get("css/site.css")
    assert plain is not None
    assert (plain.path, plain.immutable) == ("css/site.css", False)
    assert plain.representations == hashed.representations
    assert index.get("css/site.4b2f9a.css") == hashed


def test_the_same_resources_give_the_same_bytes_in_any_order() -> None:
    resources = [make_resource(name) for name in ("b", "a", "ä", "c d", "%")]
    assert encode_index(resources, {"x": "a"}) == encode_index(resources[::-1], {"x": "a"})


def test_the_file_is_lines_of_json_that_any_tool_reads() -> None:
    header, line = encode_index([make_resource("snow ☃\t.css")], {}).decode().splitlines()
    assert json.loads(header)["count"] == 1
    key, value = line.split("\t")
    assert key == "snow ☃%09.css"
    assert json.loads(value)["codings"] == [["br", 3, "cd" * 16]]


def test_a_coding_of_a_later_release_is_not_offered() -> None:
    data = encode_index([make_resource("a")], {}).replace(b'"br"', b'"xx"')
    found = StaticIndex(data).get("a")
    assert found is not None
    assert [each.coding for each in found.representations] == [None]


def test_a_name_with_a_lone_surrogate_is_not_in_the_index() -> None:
    assert StaticIndex(encode_index([make_resource("a")], {})).get("\udc80") is None


@pytest.mark.parametrize(
    ("damage", "what"),
    [
        (lambda data: b"", "header"),
        (lambda data: b"\xff\xfe" + data, "header"),
        (lambda data: b"{}\n", "format"),
        (lambda data: data.replace(b'"version": 1', b'"version": 99'), "version 99"),
        (lambda data: data[:-1], "cut or edited"),
        (lambda data: data + b"more\n", "cut or edited"),
    ],
    ids=["empty", "not-text", "no-format", "later-version", "cut", "longer"],
)
def test_an_index_that_cannot_be_used_says_why(damage: Callable[[bytes], bytes], what: str) -> None:
    with pytest.raises(InvalidIndex, match=what):
        StaticIndex(damage(encode_index([make_resource("a")], {})))


@given(st.binary(max_size=300), st.integers(0, 400), paths)
def test_no_bytes_raise_anything_but_invalid_index(noise: bytes, position: int, path: str) -> None:
    good = encode_index([make_resource(name) for name in "abc"], {"d": "a"})
    for data in (noise, good[:position] + noise + good[position + len(noise) :]):
        try:
            index = StaticIndex(data)
            for name in (path, "a", "b", "d"):
                index.get(name)
        except InvalidIndex:
            pass


def test_a_damaged_line_is_told_when_it_is_asked_for() -> None:
    data = encode_index([make_resource("a"), make_resource("b")], {})
    index = StaticIndex(data.replace(b'a\t{"type"', b'a\t{"tipe"', 1))
    assert not index.is_intact
    assert index.get("b") is not None
    with pytest.raises(InvalidIndex, match="'a'"):
        index.get("a")


@pytest.mark.parametrize(
    "line",
    ["[]", '"x"', "5", '{"as": 5}', '{"type": null}', '{"type": "a/b", "size": "2", "sha256": "ab"}',
     '{"type": "a/b", "size": 2, "sha256": 5}', '{"type": "a/b", "size": 2, "sha256": "ab", "file": 5}',
     '{"type": "a/b", "size": 2, "sha256": "ab", "codings": [["br", "2", "cd"]]}',
     '{"type": "a/b", "size": 2, "sha256": "ab", "codings": 5}'],
    ids=range(10),
)  # fmt: skip
def test_a_line_of_any_other_shape_is_damage(line: str) -> None:
    body = f"a\t{line}\n".encode()
    header = {"format": "asyncstatic-index", "version": 1, "count": 1, "size": len(body)}
    index = StaticIndex(json.dumps(header).encode() + b"\n" + body)
    with pytest.raises(InvalidIndex, match="damaged line for 'a'"):
        index.get("a")


def test_an_alias_of_an_alias_is_damage() -> None:
    index = StaticIndex(encode_index([], {"a": "b", "b": "a"}))
    with pytest.raises(InvalidIndex):
        index.get("a")


def test_an_alias_of_nothing_is_nothing() -> None:
    assert StaticIndex(encode_index([], {"a": "b"})).get("a") is None


def test_times_lie_apart_and_the_common_one_is_written_once(tmp_path: Path) -> None:
    resources = [make_resource(digit, digit * 64) for digit in "12345"]
    data = encode_times(dict.fromkeys("12345", 1_700_000_000) | {"3": 5, "plain": 7})
    assert data.count(b"1700000000") == 1
    (tmp_path / TIMES_NAME).write_bytes(data)
    (tmp_path / INDEX_NAME).write_bytes(encode_index(resources, {"plain": "1"}))
    index = StaticIndex.load(tmp_path / INDEX_NAME)
    found = {path: resource.last_modified for path in index if (resource := index.get(path)) is not None}
    assert found == dict.fromkeys("1245", 1700000000) | {"3": 5, "plain": 7}


@pytest.mark.parametrize(
    "content", [None, b"", b"nonsense", b'{"format": "asyncstatic-index"}\n'], ids=["absent", "empty", "noise", "other"]
)
def test_without_times_there_is_no_last_modified(tmp_path: Path, content: bytes | None) -> None:
    if content is not None:
        (tmp_path / TIMES_NAME).write_bytes(content)
    (tmp_path / INDEX_NAME).write_bytes(encode_index([make_resource("a")], {}))
    found = StaticIndex.load(tmp_path / INDEX_NAME).get("a")
    assert found is not None
    assert found.last_modified is None
    assert Times.load(tmp_path / TIMES_NAME).get("ab" * 16) is None
