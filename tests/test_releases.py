"""Releases: what stays served, what ``cleanstatic`` removes, and what is taken over from an earlier root."""

from __future__ import annotations

import datetime
import io
import os
import shutil
import time
from pathlib import Path
from typing import Any

import pytest
from django.core.management import CommandError, call_command

from django_asyncstatic.collecting.releases import Retention, kept_releases
from django_asyncstatic.index import INDEX_NAME, TIMES_NAME, StaticIndex, Times
from tests.test_collectstatic import STORAGES, collect, contents, names, snapshot
from tests.test_storage import project, write


@pytest.fixture
def source(tmp_path: Path) -> Path:
    folder = tmp_path / "source"
    write(folder, site__css="a { order: 0 }\n" * 30, same__js="f();\n" * 50)
    return folder


@pytest.fixture
def root(tmp_path: Path) -> Path:
    return tmp_path / "root"


def release(source: Path, number: int) -> None:
    write(source, site__css=f"a {{ order: {number} }}\n" * 30)
    collect()


def clean(**options: Any) -> str:
    out = io.StringIO()
    call_command("cleanstatic", stdout=out, stderr=out, **options)
    return out.getvalue()


def index_of(root: Path) -> StaticIndex:
    return StaticIndex.load(root / INDEX_NAME)


def ids(root: Path) -> list[str]:
    releases: list[str] = index_of(root).header["releases"]
    return releases


def test_retention_is_a_number_or_an_age() -> None:
    now = time.time()
    superseded = {"b": int(now - 50), "c": int(now - 500), "d": int(now - 5000)}
    releases = ["a", "b", "c", "d"]
    assert kept_releases(releases, superseded, Retention(1, 0)) == ["a"]
    assert kept_releases(releases, superseded, Retention(3, 0)) == ["a", "b", "c"]
    assert kept_releases(releases, superseded, Retention(1, 100)) == ["a", "b"]
    assert kept_releases(releases, superseded, Retention(2, 1000)) == ["a", "b", "c"]
    assert kept_releases(releases, {}, Retention(2, 1000)) == ["a", "b"]


@pytest.mark.parametrize("storage", STORAGES)
def test_a_collect_that_changes_nothing_is_no_release(source: Path, root: Path, storage: str) -> None:
    with project(source, root, storage):
        release(source, 1)
        release(source, 1)
        (source / "site.css").touch()
        collect()
        assert len(ids(root)) == 1
        release(source, 2)
        assert len(ids(root)) == 2
        release(source, 1)  # a rollback is the earlier release again
        assert len(ids(root)) == 2


def test_every_release_is_served_until_cleanstatic_removes_it(source: Path, root: Path) -> None:
    with project(source, root, keep_releases=2, keep_age=0):
        hashed = []
        for number in range(4):
            release(source, number)
            hashed.append(names(root)["site.css"])
        assert all(index_of(root).get(name) for name in hashed)
        before = snapshot(root)
        output = clean(dry_run=True)
        assert snapshot(root) == before
        assert f"Would remove {hashed[0]} (" in output
        assert "Would remove 2 releases, 8 files" in output
        assert "Removed 2 releases, 8 files" in clean()
        index = index_of(root)
        assert [index.get(name) is not None for name in hashed] == [False, False, True, True]
        assert not list(root.glob(f"{hashed[0]}*"))
        assert len(list(root.glob(f"{hashed[2]}*"))) == 4
        assert index.is_intact
        assert "Removed 0 releases, 0 files" in clean()
        # What stays is what a collect without anything new leaves alone.
        before = snapshot(root)
        collect()
        assert contents(root) == {name: data for name, (_, _, data) in before.items() if not name.startswith(".")}


def test_a_young_release_stays_whatever_its_number(source: Path, root: Path) -> None:
    with project(source, root, keep_releases=1, keep_age=datetime.timedelta(hours=1)):
        for number in range(3):
            release(source, number)
        assert "Removed 0 releases" in clean()
    with project(source, root, keep_releases=1, keep_age=0.0):
        assert "Removed 2 releases" in clean()


def test_a_file_that_left_the_project_is_served_as_long_as_its_release(source: Path, root: Path) -> None:
    with project(source, root, keep_releases=1, keep_age=0):
        collect()
        hashed = names(root)["same.js"]
        (source / "same.js").unlink()
        collect()
        assert index_of(root).get("same.js") is not None
        assert index_of(root).get(hashed) is not None
        clean()
        assert index_of(root).get("same.js") is None
        assert index_of(root).get(hashed) is None
        assert not list(root.glob("same*"))


def test_orphans_are_removed_on_request_only(source: Path, root: Path) -> None:
    with project(source, root):
        collect()
        write(root / "CACHE", old__css="x")
        (root / "stray.js").write_text("y")
        assert "Removed 0 releases, 0 files" in clean()
        assert (root / "stray.js").exists()
        assert "Would remove CACHE/old.css (1 B)" in clean(orphans=True, dry_run=True)
        clean(orphans=True)
        assert not (root / "CACHE").exists()
        assert not (root / "stray.js").exists()
        before = snapshot(root)
        collect()
        assert contents(root) == {name: data for name, (_, _, data) in before.items() if not name.startswith(".")}


def test_cleanstatic_without_an_index_or_a_storage_of_ours_says_so(source: Path, root: Path) -> None:
    root.mkdir()
    with project(source, root), pytest.raises(CommandError, match=r"no usable asyncstatic\.index.*collectstatic first"):
        clean()
    with (
        project(source, root, "django.contrib.staticfiles.storage.StaticFilesStorage"),
        pytest.raises(CommandError, match="needs one of this app's storages"),
    ):
        clean()


@pytest.mark.parametrize("storage", STORAGES)
def test_earlier_releases_are_taken_over_into_an_empty_root(
    source: Path, tmp_path: Path, storage: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    """As in a container: the root starts empty, the old image has the old one."""
    old, new = tmp_path / "old", tmp_path / "new"
    with project(source, old, storage):
        release(source, 1)
        release(source, 2)
    before = index_of(old)
    write(source, site__css="a { order: 3 }\n" * 30)
    with project(source, new, storage):
        output = collect(previous=[str(old)])
    shutil.rmtree(old)
    index = index_of(new)
    assert set(before) <= set(index)
    assert len(ids(new)) == 3
    assert "reused" in output
    for path in index:
        resource = index.get(path)
        assert resource is not None
        for each in resource.representations:
            assert (new / each.file).stat().st_size == each.size
    with project(source, new, storage, keep_releases=2, keep_age=0):
        clean()
        assert len(ids(new)) == 2


def test_only_what_is_to_stay_is_taken_over(source: Path, tmp_path: Path) -> None:
    old, new = tmp_path / "old", tmp_path / "new"
    with project(source, old):
        hashed = []
        for number in range(4):
            release(source, number)
            hashed.append(names(old)["site.css"])
    with project(source, new, keep_releases=2, keep_age=0):
        write(source, site__css="a { order: 9 }\n" * 30)
        collect(previous=[str(old)])
    assert [index_of(new).get(name) is not None for name in hashed] == [False, False, False, True]
    assert not (new / hashed[2]).exists()


def test_the_same_release_again_keeps_its_times_from_the_old_root(
    source: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    old, new = tmp_path / "old", tmp_path / "new"
    monkeypatch.setenv("SOURCE_DATE_EPOCH", "1700000000")
    with project(source, old):
        collect()
    monkeypatch.setenv("SOURCE_DATE_EPOCH", "1800000000")
    with project(source, new):
        collect(previous=[str(old)])
    assert contents(new) == contents(old)
    assert Times.load(new / TIMES_NAME).get("site.css") == 1_700_000_000


def test_a_previous_root_that_is_none_is_an_error_before_anything_is_written(source: Path, tmp_path: Path) -> None:
    (tmp_path / "empty").mkdir()
    with project(source, tmp_path / "root"):
        with pytest.raises(CommandError, match=r"--previous .*empty: there is no asyncstatic\.index"):
            collect(previous=[str(tmp_path / "empty")])
        write(tmp_path / "broken", asyncstatic__index="rubbish\n")
        with pytest.raises(CommandError, match=r"--previous .*broken: The index"):
            collect(previous=[str(tmp_path / "broken")])
    assert not (tmp_path / "root").exists()


def test_another_codec_makes_the_current_release_anew_and_leaves_the_earlier_ones(source: Path, root: Path) -> None:
    with project(source, root):
        release(source, 1)
        first = names(root)["site.css"]
        release(source, 2)
        stamp = (root / f"{first}.br").stat().st_mtime_ns
    with project(source, root, levels={"br": 5, "gzip": 1, "zstd": 1}):
        collect()
        assert (root / f"{first}.br").stat().st_mtime_ns == stamp
        assert index_of(root).header["made_by_others"] == ids(root)[1:]
        # When the earlier release comes back, its representations are made as the others are.
        release(source, 1)
        assert (root / f"{first}.br").stat().st_mtime_ns > stamp
        assert "made_by_others" not in index_of(root).header
    assert os.path.exists(root / names(root)["site.css"])


def test_two_files_of_one_content_and_a_shipped_file_with_a_hashed_name(source: Path, root: Path) -> None:
    """Somebody ships a file that was already collected: it has the name that hashing gives to the other one."""
    with project(source, root):
        collect()
        hashed = names(root)["same.js"]
        shutil.copy(root / hashed, source / hashed)
        collect()
        assert names(root)[hashed] != hashed
        for name in ("same.js", hashed, names(root)[hashed]):
            resource = index_of(root).get(name)
            assert resource is not None
            assert (root / resource.identity.file).read_bytes() == (source / "same.js").read_bytes()
        write(source, **{hashed.replace(".", "__"): "something else"})
        with pytest.raises(CommandError, match=f"{hashed}.*Rename it"):
            collect()


def test_a_shipped_file_with_a_hashed_name_stays_where_only_hashed_files_do(source: Path, root: Path) -> None:
    with project(source, root):
        collect()
    hashed = names(root)["same.js"]
    shutil.copy(root / hashed, source / hashed)
    with project(source, root, keep_only_hashed_files=True):
        collect()
    assert (root / hashed).exists()
    assert not (root / "same.js").exists()


def test_the_year_1970_is_a_time_too(source: Path, root: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    with project(source, root):
        monkeypatch.setenv("SOURCE_DATE_EPOCH", "0")
        collect()
        monkeypatch.setenv("SOURCE_DATE_EPOCH", "1700000000")
        release(source, 1)
    assert Times.load(root / TIMES_NAME).get("same.js") == 0


def test_what_several_releases_have_stays_as_long_as_the_last_of_them(source: Path, tmp_path: Path) -> None:
    first, second, new = tmp_path / "first", tmp_path / "second", tmp_path / "new"
    with project(source, first):
        release(source, 1)
        shared = names(first)["site.css"]
        time.sleep(1.1)  # releases are superseded at different seconds
        release(source, 2)
    with project(source, second):
        write(source, more__js="g();\n" * 50)
        release(source, 1)
    with project(source, new, keep_releases=5):
        release_with = {"previous": [str(first), str(second)]}
        write(source, site__css="a { order: 3 }\n" * 30)
        collect(**release_with)
    assert len(ids(new)) == 4
    with project(source, new, keep_releases=3, keep_age=0):
        clean()
    assert index_of(new).get(shared) is not None
    assert (new / shared).exists()
