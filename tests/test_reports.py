"""How findings are told: as text, JSON, annotations and SARIF; and which of them a baseline leaves out."""

from __future__ import annotations

import json
import os
import re
from collections.abc import Sequence
from dataclasses import replace
from pathlib import Path
from typing import Any
from urllib.parse import unquote, urlsplit

import pytest

from django_asyncstatic.diagnosing.baseline import Baseline, UnusableBaseline, accept, identifier
from django_asyncstatic.diagnosing.findings import Finding, Level, Place, all_rules
from django_asyncstatic.diagnosing.reports import FORMATS, Report, as_github, as_json, as_sarif, as_text, summary

ROOT = os.path.abspath(os.sep + os.path.join("srv", "shop"))


def finding(number: str = "E002", message: str = "a.css is gone.", **more: Any) -> Finding:
    return Finding(f"asyncstatic.{number}", message, more.pop("hint", "Collect."), **more)


def report(findings: Sequence[Finding], **more: Any) -> Report:
    return Report(findings, all_rules(), identifier(ROOT), root=ROOT, **more)


def at(file: str, line: int | None = None, column: int | None = None) -> Place:
    return Place(os.path.join(ROOT, *file.split("/")), line, column)


# --- text ----------------------------------------------------------------------------------------------------------


def test_one_finding_is_its_message_its_place_and_its_hint() -> None:
    text = as_text(report([finding(place=Place("shop/a.css", 3, 7))]))
    assert text.splitlines() == ["asyncstatic.E002  a.css is gone.", "    at shop/a.css:3:7", "    Collect."]


def test_the_same_in_many_places_is_told_once() -> None:
    found = [finding("W045", "The same.", place=Place(f"{number}.html", number)) for number in range(1, 4)]
    assert as_text(report(found)).splitlines() == [
        "asyncstatic.W045  The same. (3 times)",
        "    at 1.html:1",
        "    at 2.html:2",
        "    at 3.html:3",
        "    Collect.",
    ]


def test_many_of_an_id_stand_together_and_the_first_ten_are_shown() -> None:
    found = [finding(message=f"{number}.css is gone.", place=Place(f"{number}.css")) for number in range(200)]
    lines = as_text(report(found)).splitlines()
    assert lines[0] == "asyncstatic.E002  A collected file is gone or has other bytes (200 times)"
    assert lines[1] == "    0.css: 0.css is gone."
    assert lines[11:] == ["    and 190 more: --verbosity 2 shows them", "    Collect."]
    assert len(as_text(report(found, shown=None)).splitlines()) == 202


def test_hints_that_differ_stand_with_what_they_are_for() -> None:
    found = [finding(message=f"{name} is gone.", hint=f"Mend {name}.") for name in "ab"]
    assert as_text(report(found)).splitlines()[1:] == [
        "    a is gone.",
        "        Mend a.",
        "    b is gone.",
        "        Mend b.",
    ]


def test_only_the_id_is_painted_with_its_level() -> None:
    painted = as_text(report([finding()], paint=lambda level, text: f"<{level.name}>{text}</>"))
    assert painted.startswith("<ERROR>asyncstatic.E002</>  a.css")


def test_nothing_found_is_nothing_said() -> None:
    assert as_text(report([])) == as_github(report([])) == ""
    assert summary([]) == "0 errors, 0 warnings, 0 remarks"
    assert summary([finding(), finding("I008")]) == "1 error, 0 warnings, 1 remark"


# --- json ----------------------------------------------------------------------------------------------------------


def test_json_has_everything_of_a_finding_also_a_name_that_is_not_utf_8() -> None:
    found = [finding(message="\udcff is gone.", place=Place("a", 1), subject="\udcff", is_mended_by_collecting=True)]
    text = as_json(report(found, accepted=3))
    assert text.isascii()
    content = json.loads(text)
    assert content["counts"] == {"info": 0, "warning": 0, "error": 1}
    assert content["accepted"] == 3
    assert content["findings"] == [
        {
            "id": "asyncstatic.E002",
            "level": "error",
            "title": "a collected file is gone or has other bytes",
            "message": "\udcff is gone.",
            "hint": "Collect.",
            "place": {"file": "a", "line": 1, "column": None},
            "subject": "\udcff",
            "mended_by_collecting": True,
            "url": "https://django-asyncstatic.readthedocs.io/en/latest/checkstatic.html#asyncstatic-e002",
        }
    ]


# --- GitHub --------------------------------------------------------------------------------------------------------


def parse_command(line: str) -> tuple[str, dict[str, str], str]:
    """As the runner does: actions/runner, src/Runner.Common/ActionCommand.cs."""
    match = re.fullmatch(r"::(\w+) (.*?)::(.*)", line)
    assert match is not None
    command, properties, message = match.groups()

    def unescape(text: str) -> str:
        for escaped, plain in (("%0D", "\r"), ("%0A", "\n"), ("%3A", ":"), ("%2C", ","), ("%25", "%")):
            text = text.replace(escaped, plain)
        return text

    pairs = (each.partition("=") for each in properties.split(","))
    return command, {key: unescape(value) for key, _, value in pairs}, unescape(message)


@pytest.mark.parametrize(
    ("found", "command", "properties"),
    [
        (finding(place=at("a.css", 3, 7)), "error", {"file": "a.css", "line": "3", "col": "7"}),
        (finding("W045", place=at("a.css", 3)), "warning", {"file": "a.css", "line": "3"}),
        (finding("I008", place=at("a.css")), "notice", {"file": "a.css"}),
        (finding(), "error", {}),
        (finding(place=at("a,b: 100%0A::c.css")), "error", {"file": "a,b: 100%0A::c.css"}),
        (finding(message="50% of\n::error::it, a:b"), "error", {}),
    ],
    ids=["column", "line", "file", "nowhere", "odd-name", "odd-message"],
)
def test_a_workflow_command_says_what_the_finding_says(
    found: Finding, command: str, properties: dict[str, str]
) -> None:
    (line,) = as_github(report([found])).splitlines()
    got, given, message = parse_command(line)
    title = f"{found.id}: {all_rules()[found.id].title}"
    assert (got, given, message) == (command, {**properties, "title": title}, f"{found.message}\nCollect.")


# --- SARIF ---------------------------------------------------------------------------------------------------------


def sarif(findings: Sequence[Finding], **more: Any) -> dict[str, Any]:
    log = json.loads(as_sarif(report(findings, **more)))
    assert (log["version"], len(log["runs"])) == ("2.1.0", 1)
    run: dict[str, Any] = log["runs"][0]
    return run


def test_sarif_names_the_rules_that_its_results_are_of() -> None:
    run = sarif([finding(), finding("W045"), finding(message="b.css is gone."), finding("I008")])
    rules = run["tool"]["driver"]["rules"]
    assert [rule["id"] for rule in rules] == ["asyncstatic.E002", "asyncstatic.I008", "asyncstatic.W045"]
    assert [rule["defaultConfiguration"]["level"] for rule in rules] == ["error", "note", "warning"]
    assert all(rule["shortDescription"]["text"][0].isupper() and urlsplit(rule["helpUri"]).netloc for rule in rules)
    assert rules[0]["properties"]["tags"] == ["drift"]
    for result in run["results"]:
        assert rules[result["ruleIndex"]]["id"] == result["ruleId"]
        assert rules[result["ruleIndex"]]["defaultConfiguration"]["level"] == result["level"]


@pytest.mark.parametrize(
    ("place", "uri", "base", "region"),
    [
        (at("shop/a b#c.css", 3, 7), "shop/a%20b%23c.css", "SRCROOT", {"startLine": 3, "startColumn": 7}),
        (at("shop/é.css", 3), "shop/%C3%A9.css", "SRCROOT", {"startLine": 3}),
        (at("shop/\udcff.css"), "shop/%FF.css", "SRCROOT", None),
        (
            Place(os.path.abspath(os.sep + "elsewhere")),
            Path(os.path.abspath(os.sep + "elsewhere")).as_uri(),
            None,
            None,
        ),
        (None, "settings.py", "SRCROOT", None),
    ],
    ids=["column", "line", "not-utf-8", "outside", "nowhere"],
)
def test_sarif_locates_every_result(place: Place | None, uri: str, base: str | None, region: Any) -> None:
    run = sarif([finding(place=place, subject="it")], elsewhere=os.path.join(ROOT, "settings.py"))
    (location,) = run["results"][0]["locations"]
    artifact = location["physicalLocation"]["artifactLocation"]
    assert (artifact["uri"], artifact.get("uriBaseId")) == (uri, base)
    assert location["physicalLocation"].get("region") == region
    assert location["logicalLocations"] == [{"fullyQualifiedName": "it"}]
    root = run["originalUriBaseIds"]["SRCROOT"]["uri"]
    assert root.endswith("/")
    assert unquote(urlsplit(root).path).rstrip("/").endswith("srv/shop")


def test_a_fingerprint_is_that_of_the_finding_and_not_of_its_line() -> None:
    prints = [
        result["partialFingerprints"]["asyncstaticFinding/v1"]
        for result in sarif(
            [
                finding(place=at("a.css", 3)),
                finding(place=at("a.css", 9)),
                finding(place=at("b.css", 3)),
                finding(message="other", place=at("a.css", 3)),
            ]
        )["results"]
    ]
    assert prints[0] == prints[1]
    assert len(set(prints)) == 3


def test_a_finding_without_a_rule_is_told_all_the_same() -> None:
    unknown = finding("W998")
    for write in FORMATS.values():
        assert "asyncstatic.W998" in write(report([unknown, replace(unknown, message="other")]))


# --- the baseline --------------------------------------------------------------------------------------------------


def test_an_identity_has_no_absolute_path_and_no_number_of_a_line() -> None:
    identify = identifier(ROOT)
    message = f"{os.path.join(ROOT, 'a.css')}:12: url(img/1.png) on line 12, 1,234 bytes, v2.0-rc.1, is gone."
    identity = identify(finding(message=message, place=at("shop/a.css", 12)))
    assert identity == (
        "asyncstatic.E002",
        "shop/a.css",
        "a.css:#: url(img/1.png) on line #, # bytes, v2.0-rc.1, is gone.",
    )
    assert identify(finding(message=message, place=at("shop/a.css", 99), subject="img/1.png")).about == "img/1.png"


def test_a_file_is_named_relative_to_the_innermost_directory_that_is_known(monkeypatch: pytest.MonkeyPatch) -> None:
    site = os.path.join(ROOT, ".venv", "site-packages")
    monkeypatch.syspath_prepend(site)
    identify = identifier(ROOT)
    assert identify(finding(place=at(".venv/site-packages/admin/a.html"))).place == "admin/a.html"
    assert identify(finding(place=at("shop/a.html"))).place == "shop/a.html"
    assert identify(finding(place=Place("tests/a.html"))).place == "tests/a.html"
    assert identify(finding(place=Place(os.path.abspath(os.sep + "other/a.html")))).place == "a.html"


def test_what_is_accepted_is_left_out_and_all_of_what_occurs_more_often_is_told() -> None:
    identify = identifier(ROOT)
    old = [finding(place=at("a.css", 3)), finding(place=at("a.css", 9)), finding("W045", subject="old")]
    baseline = accept(old, identify, looked=["deep"], before=Baseline(), asked=all_rules())
    assert baseline.new(old, identify) == []
    moved = [replace(each, place=each.place and at("a.css", 1000)) for each in old]
    assert baseline.new(moved, identify) == []
    third = finding(place=at("a.css", 12))
    assert baseline.new([*old, third], identify) == [old[0], old[1], third]
    other = finding("W045", subject="new")
    assert baseline.new([*old, other], identify) == [other]


def test_what_does_not_occur_any_more_is_known_as_far_as_it_was_looked_for() -> None:
    identify = identifier(ROOT)
    baseline = accept([finding(), finding("W045", subject="old")], identify, looked=[], before=Baseline(), asked=())
    gone = baseline.gone([finding()], identify, all_rules())
    assert [(each.id, each.about) for each in gone] == [("asyncstatic.W045", "old")]
    assert baseline.gone([finding()], identify, {"asyncstatic.E002"}) == []


def test_an_update_keeps_what_it_did_not_ask_for() -> None:
    identify = identifier(ROOT)
    before = accept([finding(), finding("W045", subject="old")], identify, looked=[], before=Baseline(), asked=())
    after = accept([], identify, looked=[], before=before, asked={"asyncstatic.E002"})
    assert [each.id for each in after.accepted] == ["asyncstatic.W045"]


def test_a_baseline_is_read_back_and_the_same_findings_give_the_same_bytes(tmp_path: Path) -> None:
    identify = identifier(ROOT)
    found = [finding(message=f"{name}.css is gone.", place=at(f"{name}.css", 5)) for name in "cab\udcff"]
    baseline = accept([*found, found[0]], identify, looked=["deep"], before=Baseline(), asked=())
    again = accept([found[0], *reversed(found)], identify, looked=["deep"], before=Baseline(), asked=())
    assert baseline.encode() == again.encode()
    (tmp_path / "baseline.json").write_bytes(baseline.encode())
    assert Baseline.read(tmp_path / "baseline.json") == baseline
    entries = json.loads(baseline.encode())["accepted"]
    assert entries == sorted(entries, key=lambda entry: (entry["id"], entry["place"]))
    assert [entry["count"] for entry in entries] == [1, 1, 2, 1]


@pytest.mark.parametrize(
    ("content", "what"),
    [
        (None, "There is no baseline"),
        (b"noise", "is not JSON"),
        (b"\xff", "is not JSON"),
        (b"[]", "is damaged"),
        (b'{"version": 1, "looked": [], "accepted": [{"id": "asyncstatic.E001"}]}', "is damaged"),
        (b'{"version": 1, "looked": [], "accepted": [{"id": 1, "place": {}, "about": "", "count": 1}]}', "is damaged"),
        (b'{"version": 2, "looked": [], "accepted": []}', "has version 2"),
    ],
    ids=["absent", "noise", "not-utf-8", "list", "entry", "types", "newer"],
)
def test_a_baseline_that_cannot_be_used_is_told_in_a_sentence(tmp_path: Path, content: bytes | None, what: str) -> None:
    file = tmp_path / "baseline.json"
    if content is not None:
        file.write_bytes(content)
    with pytest.raises(UnusableBaseline, match=what) as caught:
        Baseline.read(file)
    assert "--update-baseline" in str(caught.value)


def test_levels_are_those_of_djangos_checks() -> None:
    from django.core import checks

    assert (Level.ERROR, Level.WARNING, Level.INFO) == (checks.ERROR, checks.WARNING, checks.INFO)
