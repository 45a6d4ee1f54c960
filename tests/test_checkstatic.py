"""``manage.py checkstatic`` on projects that have a fault and on ones that have not."""

from __future__ import annotations

import gc
import json
import os
import shutil
import sys
from collections.abc import Callable
from io import StringIO
from pathlib import Path
from typing import Any
from weakref import ref

import pytest
from django.conf import settings
from django.contrib.staticfiles.storage import StaticFilesStorage
from django.core.management import CommandError, call_command
from django.test import override_settings

from django_asyncstatic.diagnosing import findings
from django_asyncstatic.diagnosing.findings import Finding, run_checks
from django_asyncstatic.diagnosing.project import Project
from django_asyncstatic.index import INDEX_NAME
from tests.programs import run_program

MANIFEST_STORAGE = "django_asyncstatic.storage.CompressedManifestStaticFilesStorage"

SECURITY = "django.middleware.security.SecurityMiddleware"


def found(tag: str, **options: Any) -> list[tuple[str, str]]:
    """``(id, message)`` of the findings of one family."""
    return [(finding.id.rpartition(".")[2], finding.message) for finding in run_checks([tag], **options)]


def run(**options: Any) -> tuple[int, str]:
    """Exit status and standard output of the command."""
    status, output, _ = run_all(**options)
    return status, output


def run_all(**options: Any) -> tuple[int, str, str]:
    """Exit status, standard output and standard error of the command."""
    output, errors = StringIO(), StringIO()
    try:
        call_command("checkstatic", stdout=output, stderr=errors, no_color=True, **options)
    except CommandError as error:
        return error.returncode, output.getvalue(), f"{errors.getvalue()}{error}\n"
    return 0, output.getvalue(), errors.getvalue()


@pytest.fixture
def own_root(static_root: Path, tmp_path: Path) -> Any:
    """A copy of the collected root that a test may damage."""
    root = tmp_path / "root"
    shutil.copytree(static_root, root)
    with override_settings(STATIC_ROOT=root):
        yield root


def chain(*names: str) -> list[str]:
    return [name if "." in name else f"tests.chains.{name}" for name in names]


def one(root: Path, pattern: str) -> Path:
    (file,) = root.glob(pattern)
    return file


# --- drift ----------------------------------------------------------------------------------------------------


@pytest.mark.usefixtures("static_root")
def test_a_right_project_has_no_finding() -> None:
    assert run_all(ignore=ODD) == (0, "", "checkstatic found 0 errors, 0 warnings, 0 remarks.\n")
    assert json.loads(run(format="json", ignore=ODD)[1]) == {
        "findings": [],
        "counts": {"info": 0, "warning": 0, "error": 0},
        "accepted": 0,
    }


#: The tests' own files have names that are odd on purpose.
ODD = ["W033", "W037"]


def flip(file: Path) -> None:
    file.write_bytes(bytes(byte ^ 1 for byte in file.read_bytes()))


@pytest.mark.parametrize(
    ("pattern", "change", "finding", "what"),
    [
        ("site/css/site.*.css", Path.unlink, "E002", "is gone"),
        ("site/css/site.*.css", lambda file: file.write_bytes(b"short"), "E002", "has 5 bytes, the index says"),
        ("site/css/site.*.css", flip, "E002", "has other bytes"),
        ("site/css/site.*.css", lambda file: (file.unlink(), file.mkdir()), "E002", "cannot be read"),
        ("site/text.*.txt.br", Path.unlink, "E003", "is gone"),
        ("site/text.*.txt.gz", lambda file: file.write_bytes(b""), "E003", "has 0 bytes"),
        ("site/text.*.txt.zst", flip, "E003", "has other bytes"),
    ],
    ids=["gone", "cut", "edited", "directory", "br-gone", "gzip-cut", "zstd-edited"],
)
def test_a_file_that_differs_from_the_index_is_found(
    own_root: Path, pattern: str, change: Callable[[Path], Any], finding: str, what: str
) -> None:
    file = one(own_root, pattern)
    change(file)
    ((found_id, message),) = found("drift")
    assert found_id == finding
    assert message.startswith(file.relative_to(own_root).as_posix())
    assert what in message
    (result,) = run_checks(["drift"])
    assert str(result.place) == str(file)


@pytest.mark.parametrize(
    ("noise", "what"),
    [(b"not brotli", "cannot be decoded"), (None, "does not decode to the bytes of")],
    ids=["noise", "other"],
)
def test_a_representation_that_was_indexed_but_does_not_decode_is_found(
    own_root: Path, noise: bytes | None, what: str
) -> None:
    """The index and the file agree, and both are wrong."""
    import brotli

    from django_asyncstatic.index import Representation, StaticIndex, encode_index, strong_etag

    data = brotli.compress(b"other bytes") if noise is None else noise
    file = one(own_root, "site/text.*.txt")
    index = StaticIndex.load(own_root / INDEX_NAME)
    resource = index.get(file.relative_to(own_root).as_posix())
    assert resource is not None
    from hashlib import sha256

    digest = sha256(data).hexdigest()[:32]
    name = resource.path + ".br"
    coded = Representation("br", name, len(data), strong_etag(digest), digest)
    (own_root / name).write_bytes(data)
    (own_root / INDEX_NAME).write_bytes(
        encode_index([resource._replace(representations=(resource.identity, coded))], {})
    )
    messages = [finding.message for finding in run_checks(["drift"], deep=True) if finding.id == "asyncstatic.E003"]
    assert len(messages) == 1
    assert what in messages[0]


@pytest.mark.parametrize(
    ("content", "what"),
    [
        (None, "There is no index"),
        (b"noise", "does not start with a header line"),
        (b'{"format": "asyncstatic-index", "version": 99}\n', "version 99"),
    ],
    ids=["absent", "noise", "newer"],
)
def test_an_index_that_cannot_be_used_is_found(own_root: Path, content: bytes | None, what: str) -> None:
    index = own_root / INDEX_NAME
    index.unlink() if content is None else index.write_bytes(content)
    ((found_id, message), *rest) = found("drift")
    assert found_id == "E001"
    assert what in message
    assert not rest


def test_an_edited_index_is_found_although_it_has_its_length(own_root: Path) -> None:
    index = own_root / INDEX_NAME
    index.write_bytes(index.read_bytes().replace(b'"text/css"', b'"text/csv"'))
    ((found_id, message),) = found("drift")
    assert (found_id, "damaged or edited" in message) == ("E001", True)


def test_an_index_and_a_manifest_of_different_collects_are_found(own_root: Path) -> None:
    manifest = own_root / "staticfiles.json"
    content = json.loads(manifest.read_bytes())
    content["paths"]["site/one.txt"] = "site/one.000000000000.txt"
    del content["paths"]["site/digits.txt"]
    content["paths"]["site/new.txt"] = "site/new.000000000000.txt"
    manifest.write_text(json.dumps(content))
    results = found("drift")
    assert {found_id for found_id, _ in results} == {"E005"}
    assert len(results) == 3
    manifest.write_bytes(b"noise")
    ((found_id, message),) = found("drift")
    assert (found_id, "cannot be read" in message) == ("E005", True)
    manifest.unlink()
    ((found_id, message),) = found("drift")
    assert (found_id, message) == ("E005", "There is an index and no manifest.")


@pytest.mark.parametrize("kind", ["unset", "absent", "file"])
def test_a_static_root_that_cannot_be_one_is_found(tmp_path: Path, kind: str) -> None:
    root = tmp_path / "root"
    if kind == "file":
        root.write_text("")
    with override_settings(STATIC_ROOT=None if kind == "unset" else root):
        ((found_id, message),) = found("drift")
        assert run()[0] == 1
    assert found_id == "E014"
    assert {"unset": "not set", "absent": "does not exist", "file": "not a directory"}[kind] in message


def test_another_storage_and_what_a_scan_skips_are_found(own_root: Path) -> None:
    (own_root / INDEX_NAME).unlink()
    (own_root / "dangling").symlink_to("nowhere")
    os.mkfifo(own_root / "fifo")
    os.close(os.open(os.fsencode(own_root) + b"/\xff", os.O_CREAT | os.O_WRONLY))
    backend = "django.contrib.staticfiles.storage.ManifestStaticFilesStorage"
    with override_settings(STORAGES={"staticfiles": {"BACKEND": backend}}):
        results = found("drift")
        status, text = run()
    assert [found_id for found_id, _ in results] == ["W049", "W044", "W044", "W044"]
    assert backend in results[0][1]
    assert status == 1
    assert "a symlink that leads nowhere" in text
    assert "the name is not UTF-8" in text


@pytest.mark.usefixtures("collected")
def test_a_storage_elsewhere_is_told(tmp_path: Path) -> None:
    backend = "django.core.files.storage.InMemoryStorage"
    with override_settings(STATIC_ROOT=tmp_path, STORAGES={"staticfiles": {"BACKEND": backend}}):
        ((found_id, _),) = found("drift")
    assert found_id == "W049"


@pytest.mark.parametrize(
    "changed",
    [
        {"STORAGES": {"staticfiles": {"BACKEND": "django_asyncstatic.storage.UncollectedStaticFilesStorage"}}},
        {"ASYNCSTATIC_REHEARSAL": True},
    ],
    ids=["uncollected", "rehearsal"],
)
@pytest.mark.usefixtures("collected")
def test_what_is_served_instead_of_what_was_collected_is_a_remark_and_nothing_else(
    tmp_path: Path, changed: dict[str, Any]
) -> None:
    """Whatever lies in STATIC_ROOT, and if nothing does."""
    for root in (settings.STATIC_ROOT, tmp_path, tmp_path / "absent"):
        with override_settings(STATIC_ROOT=root, **changed):
            results = [*found("drift"), *found("settings"), *found("delivery")]
            assert [found_id for found_id, _ in results] == ["I049"]
            assert "STATIC_ROOT is not looked at" in results[0][1]
            assert "W038" not in [found_id for found_id, _ in found("files")]


# --- the frame ------------------------------------------------------------------------------------------------


@pytest.mark.usefixtures("static_root")
def test_findings_come_as_text_and_as_json_with_status_1() -> None:
    with override_settings(MIDDLEWARE=chain(SECURITY, "UnmarkedAsync", "partial_factory")):
        status, text = run()
        assert status == 1
        assert text.index("asyncstatic.E020  tests.chains.UnmarkedAsync") < text.index("asyncstatic.W021")
        assert "chains.py:" in text
        status, output = run(format="json", ignore=ODD)
    report = json.loads(output)
    assert status == 1
    assert report["counts"] == {"info": 0, "warning": 1, "error": 1}
    first = report["findings"][0]
    assert first.keys() == {
        *("id", "level", "title", "message", "hint", "place", "subject", "mended_by_collecting", "url")
    }
    assert (first["id"], first["level"]) == ("asyncstatic.E020", "error")
    assert first["place"]["line"] > 1


@pytest.mark.usefixtures("static_root")
def test_json_stands_alone_whatever_a_constructor_prints(capsys: pytest.CaptureFixture[str]) -> None:
    with override_settings(MIDDLEWARE=chain(SECURITY, "Prints")):
        call_command("checkstatic", format="json", ignore=ODD)
    assert json.loads(capsys.readouterr().out)["findings"] == []


@pytest.mark.usefixtures("static_root")
def test_families_can_be_asked_for_alone() -> None:
    with override_settings(MIDDLEWARE=chain("ApiLogger")):
        assert run(tag=["drift"])[0] == 0
        assert run(tag=["chain"])[0] == 1


@pytest.mark.parametrize(
    "settings",
    [
        {"STATIC_URL": None},
        {"ASYNCSTATIC_MAX_AGE": "60"},
        {"STORAGES": {}},
        {"STORAGES": {"staticfiles": {"BACKEND": "no.such.Storage"}}},
        {"STORAGES": {"staticfiles": {"BACKEND": MANIFEST_STORAGE, "OPTIONS": {"no_such_option": 1}}}},
        {"STORAGES": {"staticfiles": {"BACKEND": MANIFEST_STORAGE, "OPTIONS": {"levels": [1]}}}},
        {"STORAGES": {"staticfiles": {"BACKEND": MANIFEST_STORAGE, "OPTIONS": {"codings": 5}}}},
    ],
    ids=["url", "ours", "none", "backend", "option", "levels", "codings"],
)
def test_settings_with_which_nothing_can_run_are_status_2(settings: dict[str, Any]) -> None:
    with override_settings(**settings):
        assert run()[0] == 2


def test_a_check_that_crashes_is_a_finding_and_does_not_stop_the_others(monkeypatch: pytest.MonkeyPatch) -> None:
    def crashes(project: Project) -> list[Finding]:
        raise ZeroDivisionError("of course")

    monkeypatch.setattr(findings, "_checks", [findings.Check("drift", crashes, {}), *findings.all_checks()])
    with override_settings(STATIC_ROOT=None):
        results = found("drift")
    assert [found_id for found_id, _ in results] == ["W099", "E014"]
    assert "ZeroDivisionError: of course" in results[0][1]


_events: list[str] | None = None


def _note_event(event: str, arguments: tuple[Any, ...]) -> None:
    if _events is not None and event in ("socket.connect", "socket.getaddrinfo", "http.client.connect"):
        _events.append(event)


sys.addaudithook(_note_event)


@pytest.mark.usefixtures("static_root")
def test_nothing_is_rendered_called_or_fetched(monkeypatch: pytest.MonkeyPatch) -> None:
    """Not even with everything that there is, as long as no address is given."""
    global _events

    def refuse(*args: Any, **kwargs: Any) -> Any:
        raise AssertionError("called")

    pytest.importorskip("jinja2")
    for name in ("django.template.base.Template", "django.template.base.NodeList", "jinja2.Template"):
        monkeypatch.setattr(f"{name}.render", refuse)
    monkeypatch.setattr("django.core.handlers.base.BaseHandler._get_response", refuse)
    fetched: list[list[str]] = []
    cases: list[dict[str, Any]] = [{}, {"deep": True}, {"tags": ["delivery"], "url": "http://127.0.0.1:9/"}]
    for options in cases:
        _events = []
        try:
            found = {each.id.rpartition(".")[2] for each in run_checks(**options)}
        finally:
            fetched.append(_events)
            _events = None
        assert "W099" not in found
    assert [bool(each) for each in fetched] == [False, False, True]
    assert found == {"E074"}


# --- the options ----------------------------------------------------------------------------------------------


@pytest.fixture
def orphaned(own_root: Path) -> Path:
    """A root with one warning."""
    (own_root / "stray.js").write_text("x")
    return own_root


@pytest.mark.usefixtures("static_root")
@pytest.mark.parametrize(
    ("names", "level", "status"),
    [
        (["UnmarkedAsync"], "never", 0),
        (["UnmarkedAsync"], "error", 1),
        (["ApiLogger"], "error", 0),
        (["ApiLogger"], "warning", 1),
        (["ApiLogger"], "info", 1),
        ([], "info", 0),
    ],
)
def test_the_exit_status_is_1_from_a_level_on(names: list[str], level: str, status: int) -> None:
    with override_settings(MIDDLEWARE=chain(*names)):
        assert run(tag=["chain"], fail_level=level)[0] == status


@pytest.mark.usefixtures("orphaned")
@pytest.mark.parametrize("given", ["W045", "w045", "asyncstatic.W045"])
def test_an_id_can_be_ignored(given: str) -> None:
    assert run(tag=["drift"])[0] == 1
    assert run(tag=["drift"], ignore=[given]) == (0, "")


@pytest.mark.usefixtures("orphaned")
def test_what_djangos_checks_silence_is_silent() -> None:
    with override_settings(SILENCED_SYSTEM_CHECKS=["asyncstatic.W045", "urls.W002"]):
        assert run(tag=["drift"]) == (0, "")
        assert run_checks(["drift"]) == []


def test_an_id_that_does_not_exist_is_an_error_that_names_the_nearest() -> None:
    status, output, errors = run_all(ignore=["E0O5"])
    assert (status, output) == (2, "")
    assert "--ignore E0O5: there is no such finding. Did you mean asyncstatic.E0" in errors
    assert "--list" in errors


def test_a_check_all_of_whose_findings_are_ignored_does_not_run(monkeypatch: pytest.MonkeyPatch) -> None:
    def crashes(project: Project) -> list[Finding]:
        raise ZeroDivisionError

    mine = findings.Check("drift", crashes, {"asyncstatic.W997": "nothing"})
    monkeypatch.setattr(findings, "_checks", [mine, *findings.all_checks()])
    assert "asyncstatic.W099" in {each.id for each in run_checks(["drift"])}
    assert "asyncstatic.W099" not in {each.id for each in run_checks(["drift"], ignored=["asyncstatic.W997"])}


class BrokenStorage(StaticFilesStorage):
    def __init__(self, *args: Any, **kwargs: Any) -> None:
        raise RuntimeError("broken")


def test_a_storage_that_crashes_stops_no_check(tmp_path: Path) -> None:
    storages = {"staticfiles": {"BACKEND": f"{__name__}.BrokenStorage"}}
    with override_settings(STORAGES=storages, STATIC_ROOT=tmp_path, STATICFILES_DIRS=[tmp_path], DEBUG=True):
        found = run_checks()
    crashed = [each.message for each in found if each.id == "asyncstatic.W099"]
    assert crashed
    assert all("RuntimeError: broken" in message for message in crashed)
    assert {"asyncstatic.E059"} <= {each.id for each in found}


def test_a_check_that_exits_is_a_finding_as_well(monkeypatch: pytest.MonkeyPatch) -> None:
    def exits(project: Project) -> list[Finding]:
        raise SystemExit(3)

    monkeypatch.setattr(findings, "_checks", [findings.Check("chain", exits, {})])
    assert [each.id for each in run_checks(["chain"])] == ["asyncstatic.W099"]


@pytest.mark.usefixtures("own_root")
def test_nothing_that_is_known_of_a_project_is_in_a_cycle() -> None:
    """So that it goes without a search for garbage, which the command seldom makes."""
    project = Project()
    run_checks(project=project)
    gc.collect()
    project = Project()
    gone = ref(project)
    gc.disable()
    try:
        run_checks(project=project)
        del project
        assert gone() is None
    finally:
        gc.enable()


ENDING = """
import atexit, gc, sys
from django.core.management import call_command, execute_from_command_line
from django.core.management.base import CommandError
atexit.register(lambda: print("frozen" if gc.get_freeze_count() else "not frozen"))
if sys.argv.pop(1) == "called":
    try:
        call_command(*sys.argv[1:])
    except CommandError:
        pass
else:
    execute_from_command_line(sys.argv)
"""


@pytest.mark.parametrize(
    ("command", "status"),
    [(["checkstatic", "--list"], 0), (["checkstatic", "--ignore", "X"], 2), (["collectstatic", "--previous", "x"], 1)],
    ids=["well", "could-not-run", "error"],
)
def test_a_process_that_ends_with_a_command_looks_for_no_garbage(command: list[str], status: int) -> None:
    done = run_program(ENDING, "run", *command, "--verbosity=0", DJANGO_SETTINGS_MODULE="tests.settings")
    assert done.stdout.splitlines()[-1] == "frozen", done.stderr
    assert done.returncode == status
    done = run_program(ENDING, "called", *command, "--verbosity=0", DJANGO_SETTINGS_MODULE="tests.settings")
    assert done.stdout.splitlines()[-1] == "not frozen", done.stderr


def test_the_list_has_every_id_and_looks_at_nothing() -> None:
    with override_settings(STORAGES={}, STATIC_URL=None):
        status, output = run(list=True)
    lines = [line.split(maxsplit=3) for line in output.splitlines()]
    assert status == 0
    assert [line[0] for line in lines] == list(findings.all_rules())
    assert ["asyncstatic.E005", "error", "drift", "the index and the manifest are of different collects"] in lines


def test_every_finding_has_one_family_and_one_title() -> None:
    titles = [(rule_id, each.tag, title) for each in findings.all_checks() for rule_id, title in each.titles.items()]
    assert len({rule_id for rule_id, _, _ in titles}) == len(set(titles)) == len(titles)
    assert {tag for _, tag, _ in titles} <= set(findings.FAMILIES)


def test_places_are_relative_to_the_current_directory(orphaned: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.chdir(orphaned.parent)
    (finding,) = run_checks(["drift"])
    assert finding.place is not None
    assert finding.place.file == orphaned.name


@pytest.mark.parametrize("url", ["example.org", "ftp://example.org", "https://", "https://[::1"])
def test_a_site_that_is_asked_needs_an_address(url: str) -> None:
    status, _, errors = run_all(url=url)
    assert status == 2
    assert f"--url {url} is no address such as https://example.org" in errors


def test_findings_as_annotations_name_files_as_the_checkout_does(
    orphaned: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.chdir(orphaned)
    monkeypatch.setenv("GITHUB_WORKSPACE", str(orphaned.parent))
    status, output = run(tag=["drift"], format="github")
    assert status == 1
    assert output.startswith("::warning file=root,title=asyncstatic.W045%3A files in STATIC_ROOT")
    monkeypatch.setenv("GITHUB_WORKSPACE", str(orphaned / "elsewhere"))
    assert f"::warning file={orphaned}," in run(tag=["drift"], format="github")[1]


@pytest.mark.usefixtures("static_root")
def test_sarif_stands_alone_and_has_a_place_for_what_is_in_no_file() -> None:
    with override_settings(STATIC_ROOT=None):
        status, output, errors = run_all(tag=["drift"], format="sarif")
    (result,) = json.loads(output)["runs"][0]["results"]
    assert (status, result["ruleId"]) == (1, "asyncstatic.E014")
    location = result["locations"][0]["physicalLocation"]["artifactLocation"]
    assert location == {"uri": "tests/settings.py", "uriBaseId": "SRCROOT"}
    assert "checkstatic found 1 error" in errors


@pytest.mark.usefixtures("static_root")
def test_more_words_show_all_and_none_shows_findings_only(own_root: Path) -> None:
    for file in sorted((own_root / "admin/img").glob("*.*.svg"))[:12]:
        file.unlink()
    text = run(tag=["drift"])[1]
    assert "(12 times)" in text
    assert "and 2 more: --verbosity 2 shows them" in text
    assert "more: --verbosity" not in run(tag=["drift"], verbosity=2)[1]
    status, _, errors = run_all(tag=["chain"], verbosity=0)
    assert (status, errors) == (0, "")


class Terminal(StringIO):
    def isatty(self) -> bool:
        return True


@pytest.mark.usefixtures("static_root")
def test_progress_is_shown_on_a_terminal_only(monkeypatch: pytest.MonkeyPatch) -> None:
    from django_asyncstatic.management.commands import checkstatic

    monkeypatch.setattr(checkstatic, "DELAY", 0)
    shown = []
    for stream in (Terminal(), StringIO()):
        monkeypatch.setattr("sys.stderr", stream)
        call_command("checkstatic", tag=["drift"], deep=True, stdout=StringIO(), stderr=stream, no_color=True)
        shown.append(stream.getvalue())
    assert " collected files" in shown[0]
    assert shown[1] == "checkstatic found 0 errors, 0 warnings, 0 remarks.\n"


# --- the baseline ---------------------------------------------------------------------------------------------


def test_what_is_accepted_is_told_again_when_there_is_more_of_it(orphaned: Path, tmp_path: Path) -> None:
    baseline = tmp_path / "baseline.json"
    options = {"tag": ["drift", "chain"], "baseline": baseline}
    status, _, errors = run_all(**options, update_baseline=True)
    assert status == 0
    assert f"{baseline} accepts 1 finding." in errors
    assert str(tmp_path) not in baseline.read_text()
    status, output, errors = run_all(**options)
    assert (status, output) == (0, "")
    assert errors == "checkstatic found 0 errors, 0 warnings, 0 remarks; 1 accepted.\n"
    assert json.loads(run(**options, format="json")[1])["accepted"] == 1
    with override_settings(MIDDLEWARE=chain("ApiLogger")):
        status, output = run(**options)
    assert (status, "asyncstatic.W021" in output, "asyncstatic.W045" in output) == (1, True, False)


def test_what_is_accepted_and_gone_is_a_remark_until_the_next_update(orphaned: Path, tmp_path: Path) -> None:
    baseline = tmp_path / "baseline.json"
    run(tag=["drift"], baseline=baseline, update_baseline=True)
    (orphaned / "stray.js").unlink()
    status, output = run(tag=["drift"], baseline=baseline)
    assert status == 0
    assert output.startswith("asyncstatic.I098  asyncstatic.W045 in .")
    assert run(tag=["chain"], baseline=baseline) == (0, "")
    assert run(tag=["drift"], ignore=["W045"], baseline=baseline) == (0, "")
    assert run(tag=["drift"], ignore=["I098"], baseline=baseline) == (0, "")
    run(tag=["drift"], baseline=baseline, update_baseline=True)
    assert json.loads(baseline.read_bytes())["accepted"] == []
    assert run(tag=["drift"], baseline=baseline) == (0, "")


def test_what_only_a_deep_look_finds_is_not_gone_for_a_fast_one(orphaned: Path, tmp_path: Path) -> None:
    baseline = tmp_path / "baseline.json"
    run(tag=["drift"], deep=True, baseline=baseline, update_baseline=True)
    (orphaned / "stray.js").unlink()
    assert run(tag=["drift"], baseline=baseline) == (0, "")
    assert "asyncstatic.I098" in run(tag=["drift"], deep=True, baseline=baseline)[1]


def test_a_baseline_that_cannot_be_used_is_status_2(tmp_path: Path) -> None:
    baseline = tmp_path / "baseline.json"
    status, _, errors = run_all(baseline=baseline)
    assert (status, f"There is no baseline {baseline}" in errors) == (2, True)
    baseline.write_text("{")
    assert run(baseline=baseline)[0] == 2
    status, _, errors = run_all(update_baseline=True)
    assert (status, "--update-baseline needs --baseline FILE" in errors) == (2, True)
    baseline.unlink()
    baseline.mkdir()
    status, _, errors = run_all(tag=["drift"], baseline=baseline, update_baseline=True)
    assert (status, "cannot be written" in errors) == (2, True)
