"""collectstatic with our storages, on real packages' files."""

from __future__ import annotations

import json
import os
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import pytest
from django.contrib.staticfiles.storage import ManifestStaticFilesStorage, staticfiles_storage
from django.core.exceptions import ImproperlyConfigured
from django.core.files.storage import FileSystemStorage, storages
from django.core.management import CommandError, call_command
from django.test import override_settings

from django_asyncstatic import storage as our_storage
from django_asyncstatic.codings import CODINGS
from django_asyncstatic.index import INDEX_NAME, StaticIndex
from django_asyncstatic.storage import CompressedManifestStaticFilesStorage

LOW_LEVELS = {"gzip": 1, "br": 1, "zstd": 1}


@contextmanager
def project(
    source: Path, root: Path, storage: str = "CompressedManifestStaticFilesStorage", **options: Any
) -> Iterator[None]:
    """A project whose only static files are those of ``source``."""
    backend = storage if "." in storage else f"django_asyncstatic.storage.{storage}"
    arguments = {"levels": LOW_LEVELS, **options} if backend.startswith("django_asyncstatic") else options
    with override_settings(
        STATIC_ROOT=root,
        STATICFILES_DIRS=[source],
        STATICFILES_FINDERS=["django.contrib.staticfiles.finders.FileSystemFinder"],
        STORAGES={"staticfiles": {"BACKEND": backend, "OPTIONS": arguments}},
    ):
        yield


def collect(**options: Any) -> None:
    call_command("collectstatic", interactive=False, verbosity=0, **options)


def write(folder: Path, **files: str | bytes) -> None:
    """Files by name; ``__`` stands for a dot."""
    folder.mkdir(parents=True, exist_ok=True)
    for name, content in files.items():
        data = content.encode() if isinstance(content, str) else content
        (folder / name.replace("__", ".")).write_bytes(data)


@pytest.fixture
def source(tmp_path: Path) -> Path:
    folder = tmp_path / "source"
    write(
        folder,
        site__css="@import 'part.css';\nbody { background: url(dot.png); }\n" + "a { color: red; }\n" * 50,
        part__css="p { margin: 0; }\n" * 50,
        dot__png=b"\x89PNG" + os.urandom(60),
    )
    return folder


def test_every_collected_file_is_in_the_index_under_both_names(collected: Path) -> None:
    index = StaticIndex.load(collected / INDEX_NAME)
    manifest = json.loads((collected / "staticfiles.json").read_bytes())["paths"]
    assert len(manifest) > 180
    assert set(index) == set(manifest) | set(manifest.values())
    for name, hashed in manifest.items():
        plain, immutable = index.get(name), index.get(hashed)
        assert plain is not None
        assert immutable is not None
        assert plain.identity.file == immutable.identity.file == hashed
        assert (plain.immutable, immutable.immutable) == (False, True)


def test_every_representation_decodes_to_the_file_and_is_smaller(collected: Path) -> None:
    index = StaticIndex.load(collected / INDEX_NAME)
    codings: set[str | None] = set()
    for path in index:
        resource = index.get(path)
        assert resource is not None
        identity, *coded = resource.representations
        data = (collected / identity.file).read_bytes()
        assert len(data) == identity.size
        for each in coded:
            codings.add(each.coding)
            assert each.size < identity.size
            stored = (collected / each.file).read_bytes()
            assert len(stored) == each.size
            assert CODINGS[each.coding or ""].decode(stored) == data
    assert codings == {"gzip", "br", "zstd"}


def test_names_and_bytes_equal_those_of_djangos_manifest_storage(collected: Path, tmp_path: Path) -> None:
    with override_settings(
        STATIC_ROOT=tmp_path,
        STORAGES={"staticfiles": {"BACKEND": "django.contrib.staticfiles.storage.ManifestStaticFilesStorage"}},
    ):
        collect()
    theirs = json.loads((tmp_path / "staticfiles.json").read_bytes())
    ours = json.loads((collected / "staticfiles.json").read_bytes())
    assert theirs["paths"].items() <= ours["paths"].items()
    for hashed in theirs["paths"].values():
        assert (collected / hashed).read_bytes() == (tmp_path / hashed).read_bytes()


def test_the_manifest_is_the_one_that_django_would_write(source: Path, tmp_path: Path) -> None:
    manifests = []
    for number, storage in enumerate(
        [
            "CompressedManifestStaticFilesStorage",
            "django.contrib.staticfiles.storage.ManifestStaticFilesStorage",
        ]
    ):
        with project(source, tmp_path / str(number), storage):
            collect()
            manifests.append(json.loads((tmp_path / str(number) / "staticfiles.json").read_bytes()))
    assert manifests[0] == manifests[1]


def test_files_then_times_then_index_then_manifest(
    source: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    replaced: list[str] = []
    replace = os.replace
    monkeypatch.setattr(os, "replace", lambda old, new: (replaced.append(Path(new).name), replace(old, new)))
    with project(source, tmp_path / "root"):
        collect()
    assert replaced[-4:] == ["asyncstatic.times", "asyncstatic.index", "staticfiles.json", "state.jsonl"]
    assert {Path(name).suffix for name in replaced[:-4]} == {".css", ".png", ".gz", ".br", ".zst"}


def test_an_unchanged_collect_compresses_nothing_and_writes_the_same_index(source: Path, tmp_path: Path) -> None:
    root = tmp_path / "root"
    with project(source, root):
        collect()
        # What is remembered of the sources has their times, unless they were written a moment ago.
        remembered = root / ".asyncstatic" / "state.jsonl"
        files = [file for file in root.rglob("*.*") if file.is_file() and file != remembered]
        before = {file: file.read_bytes() for file in files}
        stamps = {file: file.stat().st_mtime_ns for file in before if file.suffix in (".gz", ".br", ".zst")}
        for file in source.iterdir():  # as a fresh checkout has it
            os.utime(file, (2_000_000_000, 2_000_000_000))
        collect()
    assert {file for file in root.rglob("*.*") if file.is_file()} - {remembered} == before.keys()
    assert {file: file.read_bytes() for file in files} == before
    assert stamps
    assert {file: file.stat().st_mtime_ns for file in stamps} == stamps


def test_another_level_makes_the_representations_anew(source: Path, tmp_path: Path) -> None:
    root = tmp_path / "root"
    with project(source, root):
        collect()
    before = {file: file.stat().st_mtime_ns for file in root.rglob("*.br")}
    with project(source, root, levels={"br": 2}):
        collect()
    assert all(file.stat().st_mtime_ns > stamp for file, stamp in before.items())
    header = StaticIndex.load(root / INDEX_NAME).header
    assert header["codecs"]["br"].endswith("level 2")


def test_a_damaged_representation_is_made_anew(source: Path, tmp_path: Path) -> None:
    root = tmp_path / "root"
    with project(source, root):
        collect()
        (victim, *_) = root.rglob("part.*.css.br")
        good = victim.read_bytes()
        victim.write_bytes(b"\0" * len(good))
        collect()
    assert victim.read_bytes() == good


def test_hashed_files_of_the_last_release_stay_served(source: Path, tmp_path: Path) -> None:
    root = tmp_path / "root"
    with project(source, root):
        collect()
        old = set(StaticIndex.load(root / INDEX_NAME))
        write(source, part__css="p { margin: 1em; }\n" * 50)
        collect()
        index = StaticIndex.load(root / INDEX_NAME)
        assert {path for path in old if index.get(path) is None} == set()
        assert len(index) == len(old) + 2  # part.css, and site.css that names it
    with project(source, root, keep_releases=1, keep_age=0):
        collect(clear=True)
        assert len(StaticIndex.load(root / INDEX_NAME)) == len(old)


def test_last_modified_is_when_the_content_was_first_collected(
    source: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    root = tmp_path / "root"
    with project(source, root):
        monkeypatch.setenv("SOURCE_DATE_EPOCH", "1700000000")
        collect()
        monkeypatch.setenv("SOURCE_DATE_EPOCH", "1800000000")
        write(source, new__txt="new")
        collect()
    index = StaticIndex.load(root / INDEX_NAME)
    times = {name: found.last_modified for name in ("dot.png", "new.txt") if (found := index.get(name))}
    assert times == {"dot.png": 1_700_000_000, "new.txt": 1_800_000_000}


def test_a_broken_reference_publishes_nothing(source: Path, tmp_path: Path) -> None:
    root = tmp_path / "root"
    write(source, broken__css="a { background: url(missing.png); }")
    with project(source, root), pytest.raises((CommandError, ValueError), match=r"missing\.png"):
        collect()
    assert not (root / INDEX_NAME).exists()
    assert not (root / "staticfiles.json").exists()


def test_a_dry_run_writes_nothing(source: Path, tmp_path: Path) -> None:
    for storage in ("CompressedManifestStaticFilesStorage", "CompressedStaticFilesStorage"):
        with project(source, tmp_path / storage, storage):
            collect(dry_run=True)
        assert not (tmp_path / storage).exists()


def test_the_storage_without_hashes_compresses_and_indexes_plain_names(source: Path, tmp_path: Path) -> None:
    root = tmp_path / "root"
    with project(source, root, "CompressedStaticFilesStorage"):
        collect()
        write(source, part__css="p { margin: 2em; }\n" * 40)
        os.utime(source / "part.css", (2_000_000_000, 2_000_000_000))
        collect()
    index = StaticIndex.load(root / INDEX_NAME)
    assert set(index) == {"site.css", "part.css", "dot.png"}
    resource = index.get("part.css")
    assert resource is not None
    assert not resource.immutable
    assert [each.coding for each in resource.representations] == [None, "gzip", "br", "zstd"]
    assert CODINGS["br"].decode((root / "part.css.br").read_bytes()) == (source / "part.css").read_bytes()


def test_a_collected_file_with_a_codings_name_is_never_overwritten(source: Path, tmp_path: Path) -> None:
    """Some packages ship compressed copies of their own."""
    part = (source / "part.css").read_bytes()
    own = CODINGS["gzip"].encode(part, 9)
    write(source, part__css__gz=own, site__css__br=b"not brotli")
    root = tmp_path / "root"
    with project(source, root, "CompressedStaticFilesStorage"):
        collect()
    assert (root / "part.css.gz").read_bytes() == own
    assert (root / "site.css.br").read_bytes() == b"not brotli"
    index = StaticIndex.load(root / INDEX_NAME)
    found = {path: index.get(path) for path in ("part.css", "site.css")}
    codings = {path: [each.coding for each in resource.representations] for path, resource in found.items() if resource}
    assert codings == {"part.css": [None, "gzip", "br", "zstd"], "site.css": [None, "gzip", "br", "zstd"]}


def test_what_does_not_shrink_is_not_stored_twice(source: Path, tmp_path: Path) -> None:
    write(source, noise__js=os.urandom(1000), tiny__txt="x")
    root = tmp_path / "root"
    with project(source, root, "CompressedStaticFilesStorage"):
        collect()
    assert not list(root.glob("noise.js.*"))
    assert not list(root.glob("tiny.txt.*"))
    assert not list(root.glob("dot.png.*"))


def test_codings_are_those_that_were_chosen(source: Path, tmp_path: Path) -> None:
    root = tmp_path / "root"
    with project(source, root, codings=["br"], levels={}):
        collect()
    assert list(root.rglob("*.br"))
    assert not list(root.rglob("*.gz"))
    assert set(StaticIndex.load(root / INDEX_NAME).header["codecs"]) == {"br"}


def test_javascript_imports_are_rewritten_on_request(source: Path, tmp_path: Path) -> None:
    write(source, main__js='import { a } from "./part.js";\n', part__js="export const a = 1;\n")
    with project(source, tmp_path / "root", support_js_module_import_aggregation=True):
        collect()
    (main,) = (tmp_path / "root").glob("main.*.js")
    (part,) = (tmp_path / "root").glob("part.*.js")
    assert part.name in main.read_text()
    assert not ManifestStaticFilesStorage.support_js_module_import_aggregation


class ManifestElsewhere(CompressedManifestStaticFilesStorage):
    """As Django's documentation has it: the manifest is kept away from the files."""

    def __init__(self, *args: Any, manifest_location: Path, **kwargs: Any) -> None:
        super().__init__(*args, manifest_storage=FileSystemStorage(manifest_location), **kwargs)


def test_the_index_lies_beside_the_manifest(source: Path, tmp_path: Path) -> None:
    with project(source, tmp_path / "root", f"{__name__}.ManifestElsewhere", manifest_location=tmp_path / "elsewhere"):
        collect()
    assert {file.name for file in (tmp_path / "elsewhere").iterdir()} == {
        "asyncstatic.index",
        "asyncstatic.times",
        "staticfiles.json",
    }
    assert not (tmp_path / "root" / INDEX_NAME).exists()


def test_files_have_djangos_permissions(source: Path, tmp_path: Path) -> None:
    root = tmp_path / "root"
    with project(source, root, file_permissions_mode=0o604):
        collect()
    files = [file for file in root.rglob("*") if file.is_file() and file.parent.name != ".asyncstatic"]
    assert {file.stat().st_mode & 0o777 for file in files} == {0o604}


@pytest.mark.parametrize(
    ("options", "what"),
    [
        ({"codings": ["brotli"]}, "did you mean 'br'"),
        ({"codings": ["deflate"]}, "'gzip', 'br', 'zstd'"),
        ({"levels": {"br": 12}}, "from 0 to 11"),
        ({"levels": {"gzip": "9"}}, "from 1 to 9"),
        ({"levels": {"zst": 3}}, "did you mean 'zstd'"),
    ],
    ids=["near", "unknown", "too-high", "not-a-number", "unknown-level"],
)
def test_an_option_that_cannot_be_meant_is_an_error_that_says_what_can(options: dict[str, Any], what: str) -> None:
    with pytest.raises(ImproperlyConfigured, match=what):
        our_storage.CompressedStaticFilesStorage(location="/nowhere", **options)


def test_a_coding_that_does_not_give_the_bytes_back_stops_the_collect(
    source: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:

    broken = CODINGS["br"]._replace(decode=lambda data: b"other bytes")
    monkeypatch.setitem(CODINGS, "br", broken)
    root = tmp_path / "root"
    with project(source, root), pytest.raises(Exception, match="does not decode to itself"):
        collect()
    assert not (root / INDEX_NAME).exists()


def test_a_kept_release_survives_the_loss_of_a_representation_or_of_the_index(source: Path, tmp_path: Path) -> None:
    root = tmp_path / "root"
    with project(source, root):
        collect()
        (old,) = root.glob("part.*.css")
        old.with_name(old.name + ".br").unlink()
        write(source, part__css="p { margin: 1em; }\n" * 50)
        collect()
    kept = StaticIndex.load(root / INDEX_NAME).get(old.name)
    assert kept is not None
    assert [each.coding for each in kept.representations] == [None, "gzip", "zstd"]


def test_a_release_that_comes_back_is_newer_than_the_one_it_replaces(
    source: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Else a browser that asks with If-Modified-Since would keep what the rollback took back."""
    root = tmp_path / "root"
    times = []
    with project(source, root):
        for epoch, color in (("2001", "red"), ("2004", "blue"), ("2007", "red")):
            monkeypatch.setenv("SOURCE_DATE_EPOCH", epoch)
            write(source, part__css=f"p {{ color: {color}; }}\n" * 20)
            os.utime(source / "part.css", (2_000_000_000 + int(epoch),) * 2)
            collect()
            found = StaticIndex.load(root / INDEX_NAME).get("part.css")
            assert found is not None
            times.append(found.last_modified)
    assert times == [2001, 2004, 2007]


@pytest.mark.parametrize("storage", ["CompressedManifestStaticFilesStorage", "CompressedStaticFilesStorage"])
def test_a_name_that_no_index_can_have_is_left_out_and_named(
    source: Path, tmp_path: Path, storage: str, capsys: pytest.CaptureFixture[str]
) -> None:
    (Path(os.fsdecode(os.fsencode(source) + b"/bad\xff.txt"))).write_text("x")
    (source / "back\\slash.txt").write_text("x")
    with project(source, tmp_path / "root", storage):
        collect()
    assert "part.css" in set(StaticIndex.load(tmp_path / "root" / INDEX_NAME))
    assert (
        "'bad\\udcff.txt' is not in the index and will not be served: the name is not UTF-8." in capsys.readouterr().err
    )


@pytest.mark.parametrize("epoch", ["abc", "1e9", "99999999999999", "1_000", "\u0661\u0662", "-5"])
def test_a_source_date_epoch_that_is_none_stops_the_collect_before_any_work(
    source: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, epoch: str
) -> None:
    monkeypatch.setenv("SOURCE_DATE_EPOCH", epoch)
    root = tmp_path / "root"
    with project(source, root), pytest.raises(Exception, match="SOURCE_DATE_EPOCH is"):
        collect()
    assert not list(root.rglob("*.br"))


def test_an_index_name_is_a_name_and_no_path() -> None:
    with pytest.raises(ImproperlyConfigured, match="not a path"):
        CompressedManifestStaticFilesStorage(location="/nowhere", index_name="meta/my.index")


def test_gzip_gives_the_same_bytes_under_every_python() -> None:
    assert CODINGS["gzip"].encode(b"x" * 100, 9)[:10] == b"\x1f\x8b\x08\0\0\0\0\0\x02\xff"


def test_a_name_that_the_manifest_lacks_has_a_right_one_near_and_is_compared_once(
    source: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    from django_asyncstatic import development

    compared: list[str] = []
    did_you_mean = development.did_you_mean

    def counted(name: str, names: Any, many: int) -> str:
        compared.append(name)
        return did_you_mean(name, names, many)

    monkeypatch.setattr(development, "did_you_mean", counted)
    with project(source, tmp_path / "root"):
        with pytest.raises(ValueError, match=r"'stie\.css'\. There is no staticfiles\.json, or nothing in it: run"):
            staticfiles_storage.url("stie.css")
        collect()
        for _ in range(3):
            with pytest.raises(ValueError, match=r"'stie\.css'\. Did you mean 'site\.css'\? If the file is new, run"):
                storages["staticfiles"].url("stie.css")
        assert compared == ["stie.css"]
        for number in range(200):
            with pytest.raises(ValueError, match=r"If the file is new, run manage\.py"):
                storages["staticfiles"].url(f"{number}/stie.css")
        assert len(compared) == our_storage._COMPARED
