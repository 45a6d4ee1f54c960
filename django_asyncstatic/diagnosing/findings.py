"""The frame of every diagnostic: what a finding is, and how checks are registered and run.

Adding a diagnostic is one function: decorate it with :func:`check`, yield findings, add its ids to the
docs, page "checkstatic".
"""

from __future__ import annotations

import sys
import traceback
from collections.abc import Callable, Collection, Iterable
from contextlib import redirect_stdout
from dataclasses import asdict, dataclass
from enum import IntEnum
from typing import Any


class Level(IntEnum):
    """As Django's system checks number them."""

    INFO = 20
    WARNING = 30
    ERROR = 40


@dataclass(frozen=True, slots=True)
class Place:
    """Where a finding is: a file, with a line (from 1) where there is one."""

    file: str
    line: int | None = None

    def __str__(self) -> str:
        return self.file if self.line is None else f"{self.file}:{self.line}"


@dataclass(frozen=True, slots=True)
class Finding:
    """One result. ``id`` is stable (``asyncstatic.E001``); ``hint`` says what to do."""

    id: str
    message: str
    hint: str
    place: Place | None = None

    @property
    def level(self) -> Level:
        return {"E": Level.ERROR, "W": Level.WARNING, "I": Level.INFO}[self.id.rpartition(".")[2][0]]

    def as_json(self) -> dict[str, Any]:
        return {"id": self.id, "level": self.level.name.lower(), **_without_id(asdict(self))}


CheckFunction = Callable[[], Iterable[Finding]]


@dataclass(frozen=True, slots=True)
class Check:
    tag: str
    function: CheckFunction


_checks: list[Check] = []


def check(tag: str) -> Callable[[CheckFunction], CheckFunction]:
    """Register a check under a tag, the name of its family."""

    def register(function: CheckFunction) -> CheckFunction:
        _checks.append(Check(tag, function))
        return function

    return register


def run_checks(tags: Collection[str] = ()) -> list[Finding]:
    """The findings of all checks, or of those with one of these tags.

    A check that crashes becomes a finding and does not stop the others.
    """
    from django_asyncstatic.diagnosing import chain, drift  # noqa: F401  (they register themselves)

    findings: list[Finding] = []
    for each in _checks:
        if not tags or each.tag in tags:
            try:
                # What a user's constructors print does not belong among the findings.
                with redirect_stdout(sys.stderr):
                    findings += each.function()
            except Exception as error:
                name = f"{each.function.__module__}.{each.function.__qualname__}"
                findings.append(
                    Finding(
                        "asyncstatic.W099",
                        f"The check {name} crashed: {type(error).__name__}: {error}",
                        f"What it looks for is unknown. Please report this: it happened in {_innermost(error)}.",
                    )
                )
    return findings


def _innermost(error: Exception) -> str:
    """File, line and function in which an exception was raised."""
    frame = traceback.extract_tb(error.__traceback__)[-1]
    return f"{frame.filename}:{frame.lineno}, {frame.name}"


def _without_id(fields: dict[str, Any]) -> dict[str, Any]:
    return {name: value for name, value in fields.items() if name != "id"}
