"""The family "files" of ``manage.py checkstatic``, on projects that have a fault and on ones that have not."""

from __future__ import annotations

import os
import random
import shutil
import sys
import tempfile
import time
import unicodedata
from collections.abc import Iterator
from contextlib import ExitStack
from pathlib import Path

import pytest
from django.test import override_settings

from django_asyncstatic.diagnosing import files
from django_asyncstatic.diagnosing.findings import Place, enumerate_names, run_checks
from django_asyncstatic.diagnosing.project import Project
from django_asyncstatic.index import PRIVATE_DIRECTORY
from tests.projects import STORAGE, SmallProject, as_nobody

APP_DIRECTORIES = "django.contrib.staticfiles.finders.AppDirectoriesFinder"

WORDS = " ".join(random.Random(1).choices("static file serve index coding release".split(), k=400))  # noqa: SIM905


@pytest.fixture
def project(tmp_path: Path) -> SmallProject:
    project = SmallProject(tmp_path)
    project.write({"shop/site.css": "a {}", "shop/site.js": WORDS, "shop/logo.svg": "<svg/>", "LICENSE": "free"})
    return project


@pytest.fixture
def reachable() -> Iterator[Path]:
    """A directory that every user can enter, which pytest's are not."""
    place = Path(tempfile.mkdtemp())
    place.chmod(0o755)
    yield place
    shutil.rmtree(place)


@pytest.mark.parametrize("collects", [False, True], ids=["before", "after"])
@pytest.mark.parametrize("deep", [False, True], ids=["fast", "deep"])
def test_a_right_project_has_no_finding(project: SmallProject, collects: bool, deep: bool) -> None:
    if collects:
        project.collect()
    assert project.found("files", deep=deep) == []


@pytest.mark.usefixtures("static_root")
@pytest.mark.parametrize("deep", [False, True], ids=["fast", "deep"])
def test_the_admin_and_other_packages_have_no_finding(deep: bool) -> None:
    # The tests' own files have names that are odd on purpose.
    assert [each for each in run_checks(["files"], deep=deep) if "site/names/" not in each.message] == []


# --- which file -----------------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("second", "expected"), [("a {}", []), ("b {}", ["W032"]), ("longer {}", ["W032"])], ids=["same", "other", "longer"]
)
@pytest.mark.parametrize("collects", [False, True], ids=["before", "after"])
def test_of_two_files_with_other_bytes_the_one_that_loses_is_named(
    project: SmallProject, second: str, expected: list[str], collects: bool
) -> None:
    other = project.place / "other"
    project.write({"shop/site.css": second}, below=other)
    project.settings["STATICFILES_DIRS"] = [project.static, other]
    if collects:
        project.collect()
    findings = project.findings("files")
    assert [each.id.rpartition(".")[2] for each in findings] == expected
    for each in findings:
        assert each.place == Place.of(other / "shop/site.css")
        assert each.message.startswith(f"{other}/shop/site.css is not collected: {project.static}/shop/site.css has")


def test_a_file_that_two_finders_find_is_one_file(project: SmallProject) -> None:
    (project.place / "again").symlink_to(project.static)
    project.settings["STATICFILES_DIRS"] = [project.static, project.place / "again"]
    assert project.found("files") == []


def test_many_files_that_are_hidden_are_named_only_at_first(project: SmallProject) -> None:
    build = project.place / "build"
    project.write({f"js/{number:02}.js": "source" for number in range(30)})
    project.write({f"js/{number:02}.js": "built" for number in range(30)}, below=build)
    project.settings["STATICFILES_DIRS"] = [build, project.static]
    found = project.found("files")
    assert [each for each, _ in found] == ["W032"] * 11
    assert "js/10.js, js/11.js, js/12.js and 17 more of" in found[-1][1]


def test_a_file_in_the_place_of_an_apps_is_a_remark_and_one_that_comes_too_late_a_warning(
    project: SmallProject,
) -> None:
    project.write({"admin/css/base.css": "mine {}"})
    project.settings["STATICFILES_FINDERS"] = [*project.settings["STATICFILES_FINDERS"], APP_DIRECTORIES]
    ((found_id, message),) = project.found("files")
    assert found_id == "I070"
    assert message.startswith(f"{project.static} has admin/css/base.css in the place of ")
    project.settings["STATICFILES_FINDERS"].reverse()
    assert project.ids("files") == ["W032"]


# --- names ----------------------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("names", "expected", "what"),
    [
        (["Logo.png", "logo.png"], "W033", "Logo.png and logo.png differ only by case"),
        (["café.png", unicodedata.normalize("NFD", "café.png")], "W033", "differ only by Unicode form"),
        (["100%.png"], "W037", 'the name has a "%"'),
        (["what?.png"], "W037", 'the name has a "%", "?" or "#"'),
        (["c#/logo.png"], "W037", 'the name has a "%", "?" or "#"'),
        (["a\\b.png"], "W037", "the name has a backslash"),
        (["a\nb.png"], "W037", "a\\nb.png: the name has a control character"),
        (["draft /logo.png"], "W037", "ends with a dot or a space"),
        (["logo.png."], "W037", "ends with a dot or a space"),
        ([f"{'n' * 245}.png"], "W037", "is too long"),
    ],
    ids=["case", "unicode", "percent", "question", "hash", "backslash", "control", "space", "dot", "long"],
)
@pytest.mark.skipif(sys.platform in ("win32", "darwin"), reason="the file system has no such names")
def test_names_that_mean_something_else_elsewhere_are_found(
    project: SmallProject, names: list[str], expected: str, what: str
) -> None:
    project.write({name: f"{number}" for number, name in enumerate(names)})
    found = [each for each in project.found("files") if each[0] != "I076"]
    assert [each for each, _ in found] == [expected]
    assert what in found[0][1]


@pytest.mark.skipif(sys.platform in ("win32", "darwin"), reason="the file system has no such names")
def test_a_name_that_is_not_utf_8_can_be_printed(project: SmallProject) -> None:
    (project.static / os.fsdecode(b"\xff.png")).write_bytes(b"")
    (finding,) = project.findings("files")
    assert finding.id == "asyncstatic.W037"
    assert finding.message.startswith("\\udcff.png: the name is not UTF-8")
    str(finding.place).encode()


@pytest.mark.parametrize("name", ["ünïcödé.png", "a b.png", "n" * 230 + ".png", "~tilde+plus@2x,=;.png"])
def test_unusual_names_that_work_everywhere_are_no_finding(project: SmallProject, name: str) -> None:
    project.write({name: ""})
    assert project.found("files") == []


# --- access ---------------------------------------------------------------------------------------------------


@pytest.mark.skipif(sys.platform == "win32", reason="POSIX")
def test_what_collectstatic_cannot_read_is_found_with_its_reason(project: SmallProject) -> None:
    (project.static / "nowhere.js").symlink_to("absent")
    os.mkfifo(project.static / "fifo.js")
    findings = [each for each in project.findings("files") if each.id == "asyncstatic.E039"]
    told = {str(each.place).rpartition("/")[2]: each.message for each in findings}
    assert "is a link that leads nowhere: collectstatic stops" in told["nowhere.js"]
    assert "is a FIFO" in told["fifo.js"]
    assert len(told) == 2


@pytest.mark.skipif(sys.platform == "win32", reason="POSIX")
def test_a_link_to_itself_at_which_a_finder_stops_is_found(project: SmallProject) -> None:
    (project.static / "itself.js").symlink_to("itself.js")
    ((found_id, message),) = project.found("files")
    assert found_id == "E039"
    assert message.startswith("FileSystemFinder stops at")


@pytest.mark.skipif(sys.platform == "win32", reason="POSIX")
@pytest.mark.parametrize(
    ("name", "mode"),
    [("shop/site.css", 0), ("shop", 0), ("shop", 0o744)],
    ids=["file", "directory", "directory-that-can-be-listed"],
)
def test_a_source_without_permission_is_found(reachable: Path, name: str, mode: int) -> None:
    project = SmallProject(reachable)
    project.write({"shop/site.css": "a {}"})
    target = project.static / name
    target.chmod(mode)
    try:
        with ExitStack() as stack:
            as_nobody(stack)
            ((found_id, message),) = project.found("files")
    finally:
        target.chmod(0o755)
    assert found_id == "E039"
    assert "ermission denied" in message


@pytest.mark.skipif(sys.platform == "win32", reason="POSIX")
def test_a_source_that_only_who_collects_may_read_is_no_finding(project: SmallProject) -> None:
    (project.static / "LICENSE").chmod(0o600)
    (project.static / "shop").chmod(0o700)
    assert project.found("files") == []


@pytest.mark.skipif(sys.platform == "win32", reason="POSIX")
@pytest.mark.parametrize("deep", [False, True], ids=["fast", "deep"])
@pytest.mark.parametrize(
    ("name", "mode", "what"),
    [
        ("shop", 0o700, "entered by its owner only"),
        ("", 0o700, "STATIC_ROOT has the mode 0700"),
        ("LICENSE", 0o600, "LICENSE has the mode 0600: it can be read by its owner only"),
        ("shop", 0o777, "changed by every user of this machine"),
        ("LICENSE", 0o666, "LICENSE has the mode 0666: it can be changed"),
        ("shop/site.js", 0o600, "shop/site.js has the mode 0600"),  # not the first of its directory
    ],
    ids=["folder-closed", "root-closed", "file-closed", "folder-open", "file-open", "one-of-many"],
)
def test_modes_that_keep_the_server_out_or_let_everybody_in_are_found(
    project: SmallProject, name: str, mode: int, what: str, deep: bool
) -> None:
    project.collect()
    (project.root / name).chmod(mode)
    (finding,) = project.findings("files", deep=deep)
    assert (finding.id, finding.place) == ("asyncstatic.W038", Place.of(project.root / name))
    assert what in finding.message


@pytest.mark.skipif(sys.platform == "win32", reason="POSIX")
def test_modes_that_a_group_shares_are_no_finding(project: SmallProject) -> None:
    project.settings |= {"FILE_UPLOAD_PERMISSIONS": 0o640, "FILE_UPLOAD_DIRECTORY_PERMISSIONS": 0o2750}
    project.collect()
    (project.root / PRIVATE_DIRECTORY).chmod(0o700)  # no server has to read it
    assert project.found("files", deep=True) == []


@pytest.mark.skipif(sys.platform == "win32", reason="POSIX")
def test_a_collected_directory_that_cannot_be_listed_is_found(reachable: Path) -> None:
    project = SmallProject(reachable)
    project.write({"shop/site.css": "a {}"})
    project.collect()
    (project.root / "shop").chmod(0o711)
    with ExitStack() as stack:
        as_nobody(stack)
        if os.geteuid() == (project.root / "shop").stat().st_uid:
            (project.root / "shop").chmod(0o311)
        found = project.found("files")
    (project.root / "shop").chmod(0o755)
    assert ("W038", "shop cannot be listed by this user: Permission denied.") in found


def test_a_link_to_a_directory_above_it_is_found_once(project: SmallProject) -> None:
    (project.static / "shop/again").symlink_to(project.static)
    circles = [each for each in project.findings("files") if each.id == "asyncstatic.W039"]
    assert [each.place for each in circles] == [Place.of(project.static / "shop/again")]


def test_links_out_of_a_finders_directory_are_a_remark_and_those_inside_none(project: SmallProject) -> None:
    project.write({"dist/lib.js": "", "one.js": ""}, below=project.place / "node_modules/lib")
    (project.static / "lib").symlink_to(project.place / "node_modules/lib/dist")
    (project.static / "one.js").symlink_to(project.place / "node_modules/lib/one.js")
    (project.place / "node_modules/lib/dist/inner.js").symlink_to("../one.js")  # its directory is told
    (project.static / "inside.svg").symlink_to("shop/logo.svg")
    ((found_id, message),) = project.found("files")
    assert found_id == "I064"
    assert message.endswith("that is collected: lib and one.js.")


def test_links_out_of_static_root_are_found_unless_collecting_made_them(project: SmallProject) -> None:
    project.collect(link=True)
    assert project.found("files", deep=True) == []
    project.write({"private.txt": ""}, below=project.place)
    (project.root / "passwd.txt").symlink_to(project.place / "private.txt")
    (project.root / "same.css").symlink_to(next(project.root.glob("shop/site.*.css")))
    ((found_id, message),) = project.found("files")
    assert found_id == "W039"
    assert "no collect made them: passwd.txt." in message


def test_a_link_inside_static_root_or_to_nowhere_leads_nobody_out(project: SmallProject) -> None:
    project.collect()
    (project.root / "current.css").symlink_to("shop/site.css")
    (project.root / "gone.css").symlink_to(project.place / "absent")
    assert project.found("files", deep=True) == []


def test_times_in_the_future_are_found(project: SmallProject) -> None:
    project.collect()
    os.utime(project.static / "LICENSE", (0, time.time() + 3600))
    assert project.found("files") == []
    os.utime(project.static / "LICENSE", (0, time.time() + 72 * 3600))
    os.utime(project.root / "shop/site.css", (0, time.time() + 72 * 3600))
    found = project.found("files", deep=True)
    assert [each for each, _ in found] == ["I065", "I065"]
    assert "LICENSE" in found[0][1]
    assert "shop/site.css" in found[1][1]


# --- types and sizes ------------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("name", "expected"),
    [
        ("drawing.svgz", "W040"),
        ("song.aiff", "W040"),
        ("thing.unheard", "I076"),
        ("program.exe", None),
        ("site.scss", None),  # what it is, the family "leaks" says
        ("data.bin", None),
        ("README", None),
        ("font.woff2", None),
        ("app.wasm", None),
    ],
)
def test_extensions_without_a_media_type_are_found(project: SmallProject, name: str, expected: str | None) -> None:
    project.write({name: "1", f"a/{name}": "2"})
    found = project.found("files")
    assert [each for each, _ in found] == [expected] * (expected is not None)
    if expected:
        assert f"a/{name} and {name}" in found[0][1]


def test_a_compressed_file_of_a_package_is_not_told_and_one_of_the_project_is_to_be_unpacked(tmp_path: Path) -> None:
    """django-cms brings the template of an icon font as .svgz, which no page loads."""
    (tmp_path / "site-packages").mkdir()
    for place, expected in ((tmp_path / "site-packages", []), (tmp_path, ["W040"])):
        project = SmallProject(place)
        project.write({"_template.svgz": "1"})
        findings = project.findings("files")
        assert [each.id[-4:] for each in findings] == expected
        assert all("collect what they decode to" in each.hint for each in findings)


def test_a_packages_file_that_would_not_be_played_is_told(tmp_path: Path) -> None:
    (tmp_path / "site-packages").mkdir()
    project = SmallProject(tmp_path / "site-packages")
    project.write({"lib/song.aiff": "1"})
    assert project.ids("files") == ["W040"]


def test_of_a_package_nothing_is_told_that_only_its_authors_could_mend(tmp_path: Path) -> None:
    noise = random.Random(0).randbytes(60_000)
    found = {}
    for place in (tmp_path / "site-packages", tmp_path):
        place.mkdir(exist_ok=True)
        project = SmallProject(place)
        project.write({"lib/x.unheard": "1", "lib/a.woff2": noise, "lib/b.woff2": noise})
        with (project.static / "lib/large.js").open("wb") as file:
            file.truncate(6_000_000)
        project.write({"elsewhere.js": ""}, below=place)
        (project.static / "lib/out.js").symlink_to(place / "elsewhere.js")
        found[place] = sorted(project.ids("files"))
    assert found == {tmp_path / "site-packages": [], tmp_path: ["I062", "I064", "I073", "I076"]}


def test_a_copy_of_a_packages_file_is_the_projects_to_mend(tmp_path: Path) -> None:
    (tmp_path / "site-packages").mkdir()
    package, project = SmallProject(tmp_path / "site-packages"), SmallProject(tmp_path)
    noise = random.Random(0).randbytes(60_000)
    package.write({"lib/a.woff2": noise})
    project.write({"fonts/a.woff2": noise})
    project.settings["STATICFILES_DIRS"] = [project.static, package.static]
    ((found_id, message),) = project.found("files")
    assert (found_id, message[:35]) == ("I062", "fonts/a.woff2 and lib/a.woff2 have ")


@pytest.mark.parametrize(
    ("name", "size", "is_large"),
    [
        ("app.js", 5_000 * 1024, False),
        ("app.js", 5_000 * 1024 + 1, True),
        ("app.js.map", 6_000_000, False),
        ("film.mp4", 6_000_000, False),
        ("film.mp4", 26_300_000, True),
        ("font.woff2", 6_000_000, True),
        ("engine.wasm", 6_000_000, True),
        ("manual.pdf", 6_000_000, False),
    ],
)
def test_very_large_files_are_found(project: SmallProject, name: str, size: int, is_large: bool) -> None:
    with (project.static / name).open("wb") as file:
        file.truncate(size)
    found = project.found("files")
    assert [each for each, _ in found] == ["I073"] * is_large
    if is_large:
        assert f"{name} has {size / 1e6:.1f} MB" in found[0][1]


# --- representations ------------------------------------------------------------------------------------------


def test_text_that_does_not_become_smaller_is_no_finding(project: SmallProject) -> None:
    project.write({"noise.json": random.Random(0).randbytes(40_000), "tiny.txt": "a"})
    project.collect()
    assert not list(project.root.glob("noise.*.json.*"))
    assert project.found("files", deep=True) == []


def test_a_coding_that_no_file_has_yet_is_found(project: SmallProject) -> None:
    project.settings["STORAGES"] = {"staticfiles": {"BACKEND": STORAGE, "OPTIONS": {"codings": ["gzip"]}}}
    project.collect()
    assert project.found("files", deep=True) == []
    project.settings["STORAGES"] = {"staticfiles": {"BACKEND": STORAGE, "OPTIONS": {"codings": ["gzip", "br"]}}}
    (finding,) = project.findings("files", deep=True)
    assert finding.id == "asyncstatic.W041"
    assert "in br:" in finding.message
    assert finding.is_mended_by_collecting


@pytest.mark.parametrize("backend", [STORAGE, STORAGE.replace("Manifest", "")], ids=["hashed", "plain"])
def test_a_representation_that_was_lost_is_found_by_compressing_again(project: SmallProject, backend: str) -> None:
    from django_asyncstatic.index import INDEX_NAME, StaticIndex, encode_index

    project.settings["STORAGES"] = {"staticfiles": {"BACKEND": backend}}
    project.collect()
    assert project.found("files", deep=True) == []
    index = StaticIndex.load(project.root / INDEX_NAME)
    lines = dict(index.lines())
    aliases = {path: line["as"] for path, line in lines.items() if "as" in line}
    resources = [
        resource._replace(representations=tuple(each for each in resource.representations if each.coding != "br"))
        for path in lines.keys() - aliases.keys()
        if (resource := index.get(path)) is not None
    ]
    header = {"codecs": index.header["codecs"]}
    (project.root / INDEX_NAME).write_bytes(encode_index(resources, aliases, header))
    assert project.found("files") == []
    ((found_id, message),) = project.found("files", deep=True)
    assert found_id == "W041"
    assert message.startswith("shop/site.")
    assert "has no representation in br, and it would be worthwhile" in message


def test_text_that_is_too_large_to_be_compressed_is_found(
    project: SmallProject, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(files, "LARGEST", 1 << 20)
    project.write({"shop/small.json": b" " * (1 << 20), "shop/film.mp4": b"y" * (1 << 21)})
    project.collect()
    assert project.found("files") == []
    project.write({"shop/large.json": b" " * (1 << 20) + b"x"})
    project.collect()
    (finding,) = project.findings("files")
    assert (finding.id, finding.place) == ("asyncstatic.W041", Place.of(project.static / "shop/large.json"))
    assert finding.message == "shop/large.json is not compressed: it is larger than 1 MB."
    options = {"skip_compress_extensions": ["json"]}
    project.settings["STORAGES"] = {"staticfiles": {"BACKEND": STORAGE, "OPTIONS": options}}
    assert project.found("files") == []


# --- copies ---------------------------------------------------------------------------------------------------


@pytest.mark.parametrize("collects", [False, True], ids=["before", "after"])
def test_large_copies_are_found_and_small_ones_are_none(project: SmallProject, collects: bool) -> None:
    noise = random.Random(0).randbytes(60_000)
    project.write({"a/lib.js": noise.hex(), "b/lib.js": noise.hex(), "c/other.js": noise[::-1].hex()})
    project.write({"a/one.js": "small", "b/one.js": "small", "a/x.js.map": noise, "b/x.js.map": noise})
    if collects:
        project.collect()
    found = [each for each in project.found("files") if each[0] != "I073"]
    assert [each for each, _ in found] == ["I062"]
    assert found[0][1].startswith("a/lib.js and b/lib.js have the same 120,000 bytes")


# --- odd projects ---------------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    "settings",
    [
        {"STATIC_ROOT": None},
        {"STORAGES": {"staticfiles": {"BACKEND": "django.contrib.staticfiles.storage.StaticFilesStorage"}}},
        {"STORAGES": {"staticfiles": {"BACKEND": "django.core.files.storage.InMemoryStorage"}}},
    ],
    ids=["no-root", "djangos", "memory"],
)
@pytest.mark.parametrize("tag", ["files", "leaks"])
def test_other_storages_are_looked_at_without_records(
    project: SmallProject, settings: dict[str, object], tag: str
) -> None:
    project.settings |= settings
    assert project.found(tag) == []


def test_what_is_unchanged_is_not_read(project: SmallProject) -> None:
    time.sleep(0.03)  # a file that was written just now may change again and look the same
    project.collect()
    with override_settings(**project.settings):
        assert Project().changed == frozenset()
        (project.static / "LICENSE").write_text("changed")
        assert Project().changed == {"LICENSE"}


def test_names_are_enumerated_up_to_a_number() -> None:
    assert enumerate_names(["a"]) == "a"
    assert enumerate_names(["a", "b"]) == "a and b"
    assert enumerate_names(list("abcd")) == "a, b, c and d"
    assert enumerate_names(list("abcde")) == "a, b, c and 2 more"
