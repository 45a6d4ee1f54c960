"""Findings as text: for people, for programs, for GitHub's annotations, for tools that read SARIF. Pure functions.

Adding a format is one function and a line of :data:`FORMATS`.
"""

from __future__ import annotations

import json
import os
from collections import Counter
from collections.abc import Callable, Mapping, Sequence
from dataclasses import asdict, dataclass, field
from hashlib import sha256
from itertools import groupby
from typing import Any
from urllib.parse import quote

from django_asyncstatic import __version__
from django_asyncstatic.diagnosing.baseline import Identity
from django_asyncstatic.diagnosing.findings import DOCS, Finding, Level, Place, Rule

#: Findings of one id that a text shows unless more is asked for.
SHOWN = 10


@dataclass(frozen=True)
class Report:
    """What was found, and what a format needs to say it.

    ``accepted`` is the number of findings that a baseline left out. ``root`` is the directory that files are named
    relative to, ``elsewhere`` the file that stands for findings without a place. ``shown`` is how many findings of an
    id a text shows, ``None`` all; ``paint`` gives a text the colour of a level.
    """

    findings: Sequence[Finding]
    rules: Mapping[str, Rule]
    identify: Callable[[Finding], Identity]
    accepted: int = 0
    root: str = field(default_factory=os.getcwd)
    elsewhere: str = "manage.py"
    shown: int | None = SHOWN
    paint: Callable[[Level, str], str] = lambda level, text: text

    def title(self, finding_id: str) -> str:
        return self.rules[finding_id].title if finding_id in self.rules else ""

    def relative(self, file: str) -> tuple[str, bool]:
        """The file with slashes, relative to the root if it is below it, and whether it is."""
        absolute = os.path.abspath(file)
        below = self.root.rstrip(os.sep) + os.sep
        return absolute.removeprefix(below).replace(os.sep, "/"), absolute.startswith(below)


def count(findings: Sequence[Finding]) -> dict[Level, int]:
    found = Counter(finding.level for finding in findings)
    return {level: found[level] for level in Level}


def summary(findings: Sequence[Finding]) -> str:
    counts = count(findings)
    return ", ".join(
        f"{counts[level]} {noun}{'' if counts[level] == 1 else 's'}"
        for level, noun in ((Level.ERROR, "error"), (Level.WARNING, "warning"), (Level.INFO, "remark"))
    )


# --- for people ------------------------------------------------------------------------------------------------


def as_text(report: Report) -> str:
    """A block for each id, so that what has one cause stands together however often it occurs."""
    blocks = groupby(report.findings, key=lambda finding: finding.id)
    return "\n".join(line for finding_id, group in blocks for line in _block(report, finding_id, list(group)))


def _block(report: Report, finding_id: str, group: Sequence[Finding]) -> list[str]:
    first, name = group[0], report.paint(group[0].level, finding_id)
    shown = group if report.shown is None else group[: report.shown]
    more = [f"    and {len(group) - len(shown)} more: --verbosity 2 shows them"] if len(shown) < len(group) else []
    hints = {finding.hint for finding in group}
    if len({finding.message for finding in group}) == len(hints) == 1:
        times = f" ({len(group)} times)" if len(group) > 1 else ""
        places = [f"    at {finding.place}" for finding in shown if finding.place is not None]
        return [f"{name}  {first.message}{times}", *places, *more, f"    {first.hint}"]
    title = report.title(finding_id)
    lines = [f"{name}  {title[:1].upper()}{title[1:]} ({len(group)} times)"]
    for finding in shown:
        at = "" if finding.place is None else f"{finding.place}: "
        lines.append(f"    {at}{finding.message}")
        if len(hints) > 1:
            lines.append(f"        {finding.hint}")
    return [*lines, *more, *([f"    {first.hint}"] if len(hints) == 1 else [])]


# --- for programs ----------------------------------------------------------------------------------------------


def as_json(report: Report) -> str:
    content = {
        "findings": [
            {
                "id": finding.id,
                "level": finding.level.name.lower(),
                "title": report.title(finding.id),
                "message": finding.message,
                "hint": finding.hint,
                "place": None if finding.place is None else asdict(finding.place),
                "subject": finding.subject,
                "mended_by_collecting": finding.is_mended_by_collecting,
                "url": report.rules[finding.id].url if finding.id in report.rules else DOCS,
            }
            for finding in report.findings
        ],
        "counts": {level.name.lower(): number for level, number in count(report.findings).items()},
        "accepted": report.accepted,
    }
    return json.dumps(content, indent=2)


# --- GitHub ----------------------------------------------------------------------------------------------------

_COMMANDS = {Level.ERROR: "error", Level.WARNING: "warning", Level.INFO: "notice"}

#: As the toolkit escapes them: https://github.com/actions/toolkit/blob/main/packages/core/src/command.ts
_IN_MESSAGE = str.maketrans({"%": "%25", "\r": "%0D", "\n": "%0A"})
_IN_PROPERTY = _IN_MESSAGE | str.maketrans({":": "%3A", ",": "%2C"})


def as_github(report: Report) -> str:
    """Workflow commands, which GitHub Actions shows as annotations of the lines that they name.

    https://docs.github.com/actions/reference/workflows-and-actions/workflow-commands
    """
    return "\n".join(_command(report, finding) for finding in report.findings)


def _command(report: Report, finding: Finding) -> str:
    place = finding.place
    properties: dict[str, object] = {}
    if place is not None:
        properties["file"] = report.relative(place.file)[0]
        if place.line is not None:
            properties["line"] = place.line
            if place.column is not None:
                properties["col"] = place.column
    title = report.title(finding.id)
    properties["title"] = f"{finding.id}: {title}" if title else finding.id
    written = ",".join(f"{key}={str(value).translate(_IN_PROPERTY)}" for key, value in properties.items())
    message = f"{finding.message}\n{finding.hint}".translate(_IN_MESSAGE)
    return f"::{_COMMANDS[finding.level]} {written}::{message}"


# --- SARIF -----------------------------------------------------------------------------------------------------

_SARIF_LEVELS = {Level.ERROR: "error", Level.WARNING: "warning", Level.INFO: "note"}
_SRCROOT = "SRCROOT"


def as_sarif(report: Report) -> str:
    """SARIF 2.1.0, https://docs.oasis-open.org/sarif/sarif/v2.1.0/sarif-v2.1.0.html.

    Every result has a location, without which GitHub refuses the whole file.
    """
    rules = sorted({finding.id for finding in report.findings})
    run = {
        "tool": {
            "driver": {
                "name": "django-asyncstatic",
                "version": __version__,
                "informationUri": DOCS,
                "rules": [_rule(report, rule_id) for rule_id in rules],
            }
        },
        "columnKind": "unicodeCodePoints",
        "originalUriBaseIds": {_SRCROOT: {"uri": f"{_file_uri(report.root)}/"}},
        "results": [_result(report, finding, rules.index(finding.id)) for finding in report.findings],
    }
    return json.dumps(
        {"$schema": "https://json.schemastore.org/sarif-2.1.0.json", "version": "2.1.0", "runs": [run]}, indent=2
    )


def _rule(report: Report, rule_id: str) -> dict[str, Any]:
    rule = report.rules.get(rule_id) or Rule(rule_id, "frame", rule_id)
    return {
        "id": rule.id,
        "shortDescription": {"text": f"{rule.title[:1].upper()}{rule.title[1:]}."},
        "helpUri": rule.url,
        "help": {"text": f"See {rule.url}"},
        "defaultConfiguration": {"level": _SARIF_LEVELS[rule.level]},
        "properties": {"tags": [rule.tag]},
    }


def _result(report: Report, finding: Finding, rule_index: int) -> dict[str, Any]:
    identity = "\0".join(report.identify(finding))
    location = _location(report, finding.place or Place(report.elsewhere))
    if finding.subject:
        location["logicalLocations"] = [{"fullyQualifiedName": finding.subject}]
    return {
        "ruleId": finding.id,
        "ruleIndex": rule_index,
        "level": _SARIF_LEVELS[finding.level],
        "message": {"text": f"{finding.message} {finding.hint}"},
        "locations": [location],
        "partialFingerprints": {"asyncstaticFinding/v1": sha256(identity.encode(errors="replace")).hexdigest()},
    }


def _location(report: Report, place: Place) -> dict[str, Any]:
    file, is_below = report.relative(place.file)
    if is_below:
        artifact = {"uri": quote(os.fsencode(file)), "uriBaseId": _SRCROOT}
    else:
        artifact = {"uri": _file_uri(file)}
    physical: dict[str, Any] = {"artifactLocation": artifact}
    if place.line is not None:
        physical["region"] = {"startLine": place.line}
        if place.column is not None:
            physical["region"]["startColumn"] = place.column
    return {"physicalLocation": physical}


def _file_uri(path: str) -> str:
    path = path.replace(os.sep, "/").rstrip("/")
    return f"file://{'' if path.startswith('/') else '/'}{quote(os.fsencode(path), safe='/:')}"


#: By the word that ``--format`` takes.
FORMATS: dict[str, Callable[[Report], str]] = {
    "text": as_text,
    "json": as_json,
    "github": as_github,
    "sarif": as_sarif,
}
