"""``manage.py checkstatic`` on projects that have a fault and on ones that have not."""

from __future__ import annotations

import json
import os
import shutil
from collections.abc import Callable
from io import StringIO
from pathlib import Path
from typing import Any

import pytest
from django.core.management import CommandError, call_command
from django.test import override_settings

from django_asyncstatic.diagnosing import findings
from django_asyncstatic.diagnosing.findings import Finding, run_checks
from django_asyncstatic.diagnosing.project import Project
from django_asyncstatic.index import INDEX_NAME

MANIFEST_STORAGE = "django_asyncstatic.storage.CompressedManifestStaticFilesStorage"


def found(tag: str) -> list[tuple[str, str]]:
    """``(id, message)`` of the findings of one family."""
    return [(finding.id.rpartition(".")[2], finding.message) for finding in run_checks([tag])]


def run(**options: Any) -> tuple[int, str]:
    """Exit status and standard output of the command."""
    output = StringIO()
    try:
        call_command("checkstatic", stdout=output, no_color=True, **options)
    except CommandError as error:
        return error.returncode, output.getvalue()
    return 0, output.getvalue()


@pytest.fixture
def own_root(collected: Path, tmp_path: Path) -> Any:
    """A copy of the collected root that a test may damage."""
    root = tmp_path / "root"
    shutil.copytree(collected, root)
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
    assert run() == (0, "checkstatic found 0 errors, 0 warnings, 0 remarks.\n")
    assert json.loads(run(format="json")[1]) == {
        "findings": [],
        "counts": {"info": 0, "warning": 0, "error": 0},
    }


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
    messages = [message for found_id, message in found("drift") if found_id == "E003"]
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


# --- the frame ------------------------------------------------------------------------------------------------


@pytest.mark.usefixtures("static_root")
def test_findings_come_as_text_and_as_json_with_status_1() -> None:
    with override_settings(MIDDLEWARE=chain("UnmarkedAsync", "partial_factory")):
        status, text = run()
        assert status == 1
        assert text.index("asyncstatic.E020  tests.chains.UnmarkedAsync") < text.index("asyncstatic.W021")
        assert "chains.py:" in text
        status, output = run(format="json")
    report = json.loads(output)
    assert status == 1
    assert report["counts"] == {"info": 0, "warning": 1, "error": 1}
    first = report["findings"][0]
    assert first.keys() == {"id", "level", "message", "hint", "place"}
    assert (first["id"], first["level"]) == ("asyncstatic.E020", "error")
    assert first["place"]["line"] > 1


@pytest.mark.usefixtures("static_root")
def test_json_stands_alone_whatever_a_constructor_prints(capsys: pytest.CaptureFixture[str]) -> None:
    with override_settings(MIDDLEWARE=chain("Prints")):
        call_command("checkstatic", format="json")
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

    monkeypatch.setattr(findings, "_checks", [findings.Check("drift", crashes, {}), *findings._checks])
    with override_settings(STATIC_ROOT=None):
        results = found("drift")
    assert [found_id for found_id, _ in results] == ["W099", "E014"]
    assert "ZeroDivisionError: of course" in results[0][1]
