"""checkstatic's family "drift": what is served, what was collected, and its sources, on projects of a few files."""

from __future__ import annotations

import json
import os
import shutil
import sys
import tempfile
import time
from collections.abc import Callable, Iterator
from contextlib import ExitStack
from hashlib import sha256
from pathlib import Path
from typing import Any

import pytest
from django.contrib.staticfiles.finders import AppDirectoriesFinder, FileSystemFinder
from django.contrib.staticfiles.management.commands.collectstatic import Command as DjangoCommand
from django.core.files.storage import InMemoryStorage
from django.test import override_settings

from django_asyncstatic.collecting.builder import INTERRUPTED
from django_asyncstatic.collecting.finished import STATE_NAME
from django_asyncstatic.diagnosing.finders import list_files, look
from django_asyncstatic.diagnosing.findings import Finding, run_checks
from django_asyncstatic.index import INDEX_NAME, PRIVATE_DIRECTORY, StaticIndex, encode_index, strong_etag
from django_asyncstatic.storage import CompressedManifestStaticFilesStorage
from tests.projects import as_nobody
from tests.test_checkstatic import run_all
from tests.test_collectstatic import collect
from tests.test_releases import release
from tests.test_storage import project, write

MANIFEST, PLAIN = "CompressedManifestStaticFilesStorage", "CompressedStaticFilesStorage"


@pytest.fixture
def source(tmp_path: Path) -> Path:
    folder = tmp_path / "source"
    write(
        folder,
        site__css="@import 'part.css';\na { background: url(dot.png) }\n" * 30,
        part__css="p { margin: 0 }\n" * 50,
        dot__png=b"\x89PNG" + bytes(range(200)),
        # A cycle: neither name can be of its own bytes.
        one__css="@import 'two.css';\n" + "i { color: red }\n" * 30,
        two__css="@import 'one.css';\n" + "b { color: red }\n" * 30,
        copy__txt="p { margin: 0 }\n" * 50,
    )
    return folder


@pytest.fixture
def root(tmp_path: Path) -> Path:
    return tmp_path / "root"


@pytest.fixture
def collected_once(source: Path, root: Path) -> Iterator[Path]:
    with project(source, root):
        collect()
        yield root


def drift(*, deep: bool = False) -> list[Finding]:
    return run_checks(["drift"], deep=deep)


def ids(*, deep: bool = False) -> list[str]:
    return [finding.id.rpartition(".")[2] for finding in drift(deep=deep)]


def one(root: Path, pattern: str) -> Path:
    (file,) = root.glob(pattern)
    return file


def edit_header(root: Path, changed: dict[str, Any]) -> None:
    """Change the header line of the index, whose checksum is of the lines below it."""
    head, _, lines = (root / INDEX_NAME).read_bytes().partition(b"\n")
    (root / INDEX_NAME).write_bytes(json.dumps({**json.loads(head), **changed}).encode() + b"\n" + lines)


def state_of(root: Path) -> Path:
    return root / PRIVATE_DIRECTORY / STATE_NAME


def edit_state(root: Path, edit: Callable[[dict[str, Any]], Any]) -> None:
    """Change the first line of what the last collect remembered."""
    head, _, records = state_of(root).read_bytes().partition(b"\n")
    content = json.loads(head)
    edit(content)
    state_of(root).write_bytes(json.dumps(content).encode() + b"\n" + records)


# --- no finding where nothing is wrong ---------------------------------------------------------------------------


@pytest.mark.parametrize("deep", [False, True], ids=["fast", "deep"])
@pytest.mark.parametrize("storage", [MANIFEST, PLAIN])
@pytest.mark.parametrize(
    "how",
    [
        lambda source: collect(),
        lambda source: collect(link=True),
        lambda source: collect(DjangoCommand()),
        lambda source: (collect(), collect(post_process=False)),
        lambda source: [release(source, number) for number in range(3)],
        lambda source: (release(source, 1), collect(clear=True)),
        lambda source: collect(ignore_patterns=["*.txt", "two.css", "one.css"]),
    ],
    ids=["once", "links", "django", "plain-only", "releases", "clear", "ignore"],
)
def test_what_any_collect_leaves_has_no_finding(
    source: Path, root: Path, storage: str, how: Callable[[Path], Any], deep: bool
) -> None:
    with project(source, root, storage):
        how(source)
        assert drift(deep=deep) == []


@pytest.mark.parametrize(
    "options",
    [{"keep_only_hashed_files": True}, {"codings": []}, {"manifest_name": "names.json", "index_name": "own.index"}],
    ids=["hashed-only", "uncompressed", "names"],
)
def test_options_of_the_storage_make_no_finding(source: Path, root: Path, options: dict[str, Any]) -> None:
    with project(source, root, **options):
        collect()
        assert drift(deep=True) == []


def test_a_root_and_sources_that_were_copied_elsewhere_have_no_finding(
    source: Path, root: Path, tmp_path: Path
) -> None:
    """Other inodes, other times: all is read."""
    with project(source, root):
        collect()
    other_root, other_source = tmp_path / "deployed", tmp_path / "checkout"
    shutil.copytree(root, other_root)
    shutil.copytree(source, other_source, copy_function=shutil.copy)
    with project(other_source, other_root):
        assert drift() == []
        (other_source / "dot.png").write_bytes(bytes(204))
        assert [(each.id[-4:], each.subject) for each in drift()] == [("E013", "dot.png")]


_opened: list[str] | None = None


def _note_open(event: str, arguments: tuple[Any, ...]) -> None:
    if event == "open" and _opened is not None and isinstance(arguments[0], (str, bytes, Path)):
        _opened.append(os.fsdecode(arguments[0]))


sys.addaudithook(_note_open)


def test_fast_reads_no_file_that_nobody_has_touched(collected_once: Path, source: Path) -> None:
    time.sleep(0.05)  # files as young as these may change again and look the same, so they are read once more
    collect()

    def content_read(deep: bool) -> set[str]:
        global _opened
        _opened = []
        try:
            assert drift(deep=deep) == []
            found = {Path(each) for each in _opened}
        finally:
            _opened = None
        own = {collected_once / name for name in (INDEX_NAME, "asyncstatic.times", "staticfiles.json")}
        inside = {each for each in found - own if collected_once in each.parents or source in each.parents}
        return {each.name for each in inside if PRIVATE_DIRECTORY not in each.parts}

    assert content_read(deep=False) == set()
    assert {"site.css", "dot.png", "copy.txt"} <= content_read(deep=True)


def test_deep_finds_what_changed_without_a_trace(collected_once: Path) -> None:
    """As a failing disk would change it: neither size nor times tell."""
    file = one(collected_once, "copy.*.txt")
    data = bytearray(file.read_bytes())
    data[0] ^= 1
    file.write_bytes(data)
    edit_state(collected_once, lambda head: head.update(verified=2**62))
    assert ids() == []
    assert ids(deep=True) == ["E002"]


# --- the index -----------------------------------------------------------------------------------------------------


def test_an_index_of_a_newer_release_is_told_as_such(collected_once: Path) -> None:
    index = collected_once / INDEX_NAME
    index.write_bytes(index.read_bytes().replace(b'"version": 1', b'"version": 2', 1))
    (finding,) = drift()
    assert finding.id == "asyncstatic.E001"
    assert "was made by a newer release" in finding.message


@pytest.mark.parametrize(
    ("changed", "what"),
    [
        ({"format": "another-index"}, "is not of the format asyncstatic-index"),
        ({"version": "1"}, "has version '1'"),
        ({}, None),
    ],
    ids=["format", "version", "same"],
)
def test_an_index_of_another_format_is_found(collected_once: Path, changed: dict[str, Any], what: str | None) -> None:
    edit_header(collected_once, changed)
    found = drift()
    assert [each.id for each in found] == ["asyncstatic.E001"] * (what is not None)
    assert all(what in each.message for each in found if what)
    assert all(each.place is not None and each.place.file == str(collected_once / INDEX_NAME) for each in found)


def test_an_index_that_another_storage_left_is_told(collected_once: Path, source: Path) -> None:
    """It is served from, and has nothing of what Django's storage collects from now on."""
    assert drift() == []
    with project(source, collected_once, "django.contrib.staticfiles.storage.ManifestStaticFilesStorage"):
        (finding,) = drift()
    assert (finding.id, finding.subject) == ("asyncstatic.W049", "STORAGES")
    assert "is of another storage's collect" in finding.message
    assert finding.place is not None
    assert finding.place.file == str(collected_once / INDEX_NAME)


class IndexElsewhere(CompressedManifestStaticFilesStorage):
    """Keeps manifest and index where no file can be opened, as in a bucket."""

    def __init__(self, *args: Any, **kwargs: Any) -> None:
        super().__init__(*args, manifest_storage=InMemoryStorage(), **kwargs)


def test_an_index_that_is_kept_where_nobody_can_read_it_is_told(source: Path, root: Path) -> None:
    with project(source, root, f"{__name__}.IndexElsewhere"):
        collect()
        (finding,) = drift()
    assert (finding.id, "cannot be reached" in finding.message) == ("asyncstatic.E001", True)
    assert finding.hint == "The index is in a remote manifest_storage; keep it in a local one."
    assert not finding.is_mended_by_collecting


@pytest.mark.skipif(sys.platform == "win32", reason="POSIX")
def test_a_root_that_cannot_be_listed_is_found(source: Path) -> None:
    place = Path(tempfile.mkdtemp())  # every user can enter it, unlike pytest's
    place.chmod(0o755)
    root = place / "root"
    root.mkdir()
    with project(source, root, "django.contrib.staticfiles.storage.StaticFilesStorage"):
        assert ids() == ["W049"]
        root.chmod(0o311)
        with ExitStack() as stack:
            as_nobody(stack)
            assert ids() == ["W049", "E014"]
    root.chmod(0o755)
    shutil.rmtree(place)


def test_an_index_that_cannot_be_read_is_found(collected_once: Path) -> None:
    (collected_once / INDEX_NAME).unlink()
    (collected_once / INDEX_NAME).mkdir()
    (finding,) = drift()
    assert (finding.id, finding.is_mended_by_collecting) == ("asyncstatic.E001", False)
    assert "cannot be read" in finding.message


@pytest.mark.parametrize("line", [b'{"type": "text/css"}', b"[]"], ids=["less", "a list"])
def test_a_damaged_line_is_found(collected_once: Path, line: bytes) -> None:
    body = b"a.css\t%b\n" % line
    header = {"format": "asyncstatic-index", "version": 1, "count": 1, "size": len(body)}
    header["sha256"] = sha256(body).hexdigest()
    (collected_once / INDEX_NAME).write_bytes(json.dumps(header).encode() + b"\n" + body)
    (finding,) = drift()
    assert (finding.id, "damaged line for 'a.css'" in finding.message) == ("asyncstatic.E001", True)


def test_a_name_that_leads_nowhere_is_found(collected_once: Path) -> None:
    (collected_once / INDEX_NAME).write_bytes(encode_index([], {"site.css": "site.000000000000.css"}))
    assert "E001" in ids()


def test_a_collect_that_was_killed_is_found_and_its_leftovers_are_not_orphans(collected_once: Path) -> None:
    (collected_once / INTERRUPTED).touch()
    (collected_once / ".0123456789abcdef.asyncstatic-unfinished").write_bytes(b"half")
    assert ids() == ["W006"]
    collect()
    assert ids() == []


@pytest.mark.parametrize(
    ("options", "what"),
    [
        ({"levels": {"gzip": 9, "br": 1, "zstd": 1}}, "The gzip representations were made by zlib"),
        ({"codings": ["br", "zstd"]}, "a collect would now leave them out"),
    ],
    ids=["level", "coding"],
)
def test_work_that_the_next_collect_would_do_again_is_a_remark(
    source: Path, root: Path, options: dict[str, Any], what: str
) -> None:
    with project(source, root):
        collect()
    with project(source, root, **options):
        (finding,) = drift()
        assert (finding.id, what in finding.message) == ("asyncstatic.I008", True)
        collect()
        assert "I008" not in ids()


@pytest.mark.parametrize("token", ["gzip", "br", "zstd"])
def test_what_another_version_of_a_codec_made_is_a_remark(collected_once: Path, token: str) -> None:
    made_by = StaticIndex.load(collected_once / INDEX_NAME).header["codecs"]
    edit_header(collected_once, {"codecs": made_by})
    assert drift() == []
    library, _, level = made_by[token].partition(",")
    edit_header(collected_once, {"codecs": {**made_by, token: f"{library.split()[0]} 0.1,{level}"}})
    (finding,) = drift()
    assert (finding.id, finding.subject) == ("asyncstatic.I008", token)
    assert f"were made by {library.split()[0]} 0.1,{level}; a collect would now make them by {made_by[token]}." in (
        finding.message
    )


def test_kept_releases_that_were_made_otherwise_are_a_remark(source: Path, root: Path) -> None:
    with project(source, root):
        release(source, 1)
    with project(source, root, levels={"gzip": 9, "br": 1, "zstd": 1}):
        release(source, 2)
        (finding,) = drift()
        assert finding.message.startswith("Representations of 1 earlier releases")
        assert not finding.is_mended_by_collecting


# --- the files -----------------------------------------------------------------------------------------------------


@pytest.mark.parametrize("is_remembered", [True, False], ids=["remembered", "forgotten"])
def test_a_hashed_name_of_other_bytes_is_found(collected_once: Path, is_remembered: bool) -> None:
    """The file and the index agree, and the name is of other bytes; what was collected is them."""
    if not is_remembered:
        shutil.rmtree(collected_once / PRIVATE_DIRECTORY)
    assert drift(deep=True) == []
    index = StaticIndex.load(collected_once / INDEX_NAME)
    right = one(collected_once, "dot.*.png")
    wrong = right.with_name("dot.0123456789ab.png")
    right.rename(wrong)
    resources, aliases = [], {}
    for path in index:
        resource = index.get(path)
        assert resource is not None
        if path == right.name:
            identity = resource.identity._replace(file=wrong.name, etag=strong_etag(resource.identity.digest))
            resources.append(resource._replace(path=wrong.name, representations=(identity,)))
        elif resource.path == resource.identity.file:
            resources.append(resource)
        else:
            aliases[path] = wrong.name if path == "dot.png" else resource.identity.file
    (collected_once / INDEX_NAME).write_bytes(encode_index(resources, aliases))
    assert "E004" not in ids()
    found = [finding for finding in drift(deep=True) if finding.id == "asyncstatic.E004"]
    assert [finding.subject for finding in found] == ["dot.png"]
    assert f"{wrong.name} has the bytes of {right.name}" in found[0].message


@pytest.mark.parametrize("storage", [MANIFEST, PLAIN])
@pytest.mark.parametrize(
    ("change", "what"),
    [(Path.unlink, "is gone"), (lambda file: file.write_bytes(b"mine"), "has 4 bytes, ")],
    ids=["gone", "edited"],
)
def test_a_plain_file_that_was_changed_is_found(
    source: Path, root: Path, storage: str, change: Callable[[Path], Any], what: str
) -> None:
    with project(source, root, storage):
        collect()
        change(root / "site.css")
        (finding,) = drift()
        assert (finding.id, finding.subject) == ("asyncstatic.W007", "site.css")
        assert what in finding.message
        assert "What is served is " in finding.message


# --- the sources ---------------------------------------------------------------------------------------------------


@pytest.mark.parametrize("is_remembered", [True, False], ids=["remembered", "forgotten"])
@pytest.mark.parametrize(
    ("change", "expected"),
    [
        (lambda source: (source / "dot.png").write_bytes(b"\x89PNG" + bytes(200)), "dot.png was changed"),
        (lambda source: (source / "new.txt").write_text("new"), "new.txt was added"),
        (lambda source: (source / "copy.txt").unlink(), "copy.txt was collected, and there is no source of it"),
        (lambda source: os.utime(source / "dot.png", (2**30, 2**30)), None),
        (lambda source: (source / "new.txt~").write_text("an editor's backup"), None),
        (lambda source: (source / INDEX_NAME).write_text("left out by collecting"), None),
    ],
    ids=["changed", "added", "removed", "touched", "ignored", "reserved"],
)
def test_sources_that_are_not_those_of_the_collect_are_found(
    collected_once: Path, source: Path, change: Callable[[Path], Any], expected: str | None, is_remembered: bool
) -> None:
    if not is_remembered:
        state_of(collected_once).unlink()
    change(source)
    found = drift()
    assert [each.id for each in found] == (["asyncstatic.E013"] if expected else [])
    assert all((expected or "") in each.message for each in found)


def test_without_memory_what_was_rewritten_is_not_taken_for_changed(collected_once: Path, source: Path) -> None:
    write(source, site__css="a { color: blue }\n" * 50)
    assert ids() == ["E013"]
    state_of(collected_once).unlink()
    assert ids() == []


def test_files_that_a_collect_took_although_they_are_ignored_are_not_missed(source: Path, root: Path) -> None:
    (source / ".well-known").mkdir()
    (source / ".well-known/security.txt").write_text("Contact: mailto:security@example.org")
    with project(source, root):
        collect(use_default_ignore_patterns=False)
        assert ids() == []


def test_a_finder_that_stops_at_what_cannot_be_listed_does_not_say_what_is_gone(
    collected_once: Path, source: Path
) -> None:
    (source / "circle").symlink_to(source)
    (source / "copy.txt").unlink()
    found = drift()
    assert {each.id for each in found} == {"asyncstatic.E013"}
    assert not [each.message for each in found if "was added" not in each.message]


def test_a_machine_that_lacks_a_directory_of_sources_is_not_told_that_all_are_gone(
    collected_once: Path, source: Path, tmp_path: Path
) -> None:
    shutil.rmtree(source)
    assert drift() == []


# --- the rest ------------------------------------------------------------------------------------------------------


def test_orphans_are_found_by_folder_with_their_bytes(collected_once: Path) -> None:
    (collected_once / "old").mkdir()
    for number in range(5):
        (collected_once / "old" / f"{number}.css").write_bytes(bytes(1000 + number))
    (collected_once / "stray.js").write_text("x")
    first, second = drift()
    assert (first.id, first.subject, second.subject) == ("asyncstatic.W045", "", "old")
    assert "1 file in STATIC_ROOT, 1 B," in first.message
    assert "5 files in old/, 5.0 kB," in second.message
    assert "old/4.css, old/3.css, old/2.css and more" in second.message
    assert not second.is_mended_by_collecting


def test_what_is_served_live_or_cannot_be_indexed_is_no_orphan(source: Path, root: Path) -> None:
    (source / "back\\slash.txt").write_text("no index has it")
    with project(source, root):
        collect()
        (root / "CACHE").mkdir()
        (root / "CACHE/output.css").write_text("a {}")
        assert ids() == ["W045"]
        with override_settings(ASYNCSTATIC_LIVE=["CACHE/*"]):
            assert ids() == []


@pytest.mark.skipif(sys.platform == "win32", reason="links")
def test_a_link_to_a_directory_is_no_orphan_and_one_to_a_file_is(collected_once: Path, tmp_path: Path) -> None:
    """What a link leads out to, the family "files" tells; it takes no space here."""
    (tmp_path / "media").mkdir()
    (tmp_path / "media/photo.jpg").write_bytes(bytes(9))
    (collected_once / "media").symlink_to(tmp_path / "media")
    assert drift() == []
    (collected_once / "photo.jpg").symlink_to(tmp_path / "media/photo.jpg")
    (finding,) = drift()
    assert (finding.id, finding.message.endswith("nobody is served: photo.jpg.")) == ("asyncstatic.W045", True)


# --- --fix ---------------------------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("damage", "finding"),
    [
        (lambda root, source: (root / INDEX_NAME).unlink(), "E001"),
        (lambda root, source: (root / INDEX_NAME).write_bytes(b"noise"), "E001"),
        (lambda root, source: one(root, "copy.*.txt").unlink(), "E002"),
        (lambda root, source: one(root, "copy.*.txt.br").write_bytes(b"noise"), "E003"),
        (lambda root, source: (root / "staticfiles.json").unlink(), "E005"),
        (lambda root, source: (source / "dot.png").write_bytes(b"\x89PNG"), "E013"),
        (lambda root, source: shutil.rmtree(root), "E014"),
        (lambda root, source: (root / INTERRUPTED).touch(), "W006"),
        (lambda root, source: (root / "dot.png").unlink(), "W007"),
    ],
    ids=["no-index", "index", "file", "representation", "manifest", "source", "root", "killed", "plain"],
)
def test_what_is_said_to_be_mended_by_collecting_is(
    collected_once: Path, source: Path, damage: Callable[[Path, Path], Any], finding: str
) -> None:
    damage(collected_once, source)
    found = drift()
    assert f"asyncstatic.{finding}" in {each.id for each in found}
    assert all(each.is_mended_by_collecting for each in found)
    status, output, errors = run_all(tag=["drift"], fix=True)
    assert (status, output) == (0, "")
    assert "Running collectstatic --noinput" in errors
    assert drift(deep=True) == []


def test_fix_leaves_orphans_and_says_what_does_not_work(collected_once: Path, source: Path) -> None:
    (collected_once / "stray.js").write_text("x")
    status, output, errors = run_all(tag=["drift"], fix=True)
    assert status == 1
    assert "collectstatic" not in errors
    assert "cleanstatic --orphans" in output
    assert (collected_once / "stray.js").exists()
    (source / "site.css").write_text("a { background: url(no-such.png) }")
    status, output, errors = run_all(tag=["drift"], fix=True)
    assert status == 1
    assert "collectstatic failed: " in errors
    assert "no-such.png" in errors
    assert "site.css was changed since the last collect" in output


def test_a_manifest_that_gives_a_name_the_hash_of_another_file_is_of_another_collect(collected_once: Path) -> None:
    manifest = collected_once / "staticfiles.json"
    content = json.loads(manifest.read_bytes())
    content["paths"]["part.css"] = content["paths"]["site.css"]
    manifest.write_text(json.dumps(content))
    assert ids() == ["E005"]


# --- the finders -----------------------------------------------------------------------------------------------


@pytest.mark.skipif(sys.platform == "win32", reason="links")
def test_the_files_of_finders_are_those_that_django_lists_in_its_order(tmp_path: Path) -> None:
    first, second = tmp_path / "first", tmp_path / "second"
    write(first, a__css="", _hidden="", b__css="")
    for name in (".hidden", "x~", "CVS/entries", "deep/.git/config", "deep/er/file.txt", "deep/z~", "é/ü.txt"):
        (first / name).parent.mkdir(parents=True, exist_ok=True)
        (first / name).write_text(name)
    (first / "linked").symlink_to(second)
    (first / "linked.txt").symlink_to(second / "two.txt")
    (first / "dangling.txt").symlink_to("nowhere")
    second.mkdir()
    (second / "two.txt").write_text("two")
    (second / "deeper").mkdir()
    (second / "deeper/three.txt").write_text("three")
    patterns = ["CVS", ".*", "*~", "deep/er/*"]
    with override_settings(STATICFILES_DIRS=[first, ("prefix", second), tmp_path / "absent"]):
        for finder in (FileSystemFinder(), AppDirectoriesFinder()):
            linked: set[str] = set()
            found = list(list_files(finder, patterns, linked))
            assert [(each.path, each.storage) for each in found] == list(finder.list(patterns))
            for each in found:
                storage: Any = each.storage
                file = os.path.join(storage.location, each.path)
                assert each.look is not None
                assert (each.look.found, each.look.is_link) == look(file)[:2]
                assert (each.source.name, each.source.file) == (each.name, file)
                assert each.name == ("prefix/" if getattr(storage, "prefix", "") else "") + each.path
            if isinstance(finder, FileSystemFinder):
                assert linked == {str(first / "linked")}


def test_a_finder_that_lists_in_its_own_way_is_asked(tmp_path: Path) -> None:
    write(tmp_path, a__css="")

    class Own(FileSystemFinder):
        def list(self, ignore_patterns: Any) -> Any:
            yield "made.css", next(iter(self.storages.values()))

    with override_settings(STATICFILES_DIRS=[tmp_path]):
        assert [each.path for each in list_files(Own(), [], set())] == ["made.css"]
