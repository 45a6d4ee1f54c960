"""The frame of every diagnostic: what a finding is, and how checks are registered and run.

Adding a diagnostic is one function: decorate it with :func:`check`, which names its family and its findings, yield
findings, and add their ids to the docs, page "checkstatic".
"""

from __future__ import annotations

import os
import sys
import traceback
from collections.abc import Callable, Collection, Iterable
from contextlib import redirect_stdout
from dataclasses import asdict, dataclass
from enum import IntEnum
from importlib import import_module
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from django_asyncstatic.diagnosing.project import Project

#: A module for each family of checks; they register themselves when they are imported.
FAMILIES = ("drift", "chain", "settings")

CRASHED = "asyncstatic.W099"


class Level(IntEnum):
    """As Django's system checks number them."""

    INFO = 20
    WARNING = 30
    ERROR = 40


@dataclass(frozen=True, slots=True, order=True)
class Place:
    """Where a finding is: a file, with a line and a column (both from 1) where there is one."""

    file: str
    line: int | None = None
    column: int | None = None

    @classmethod
    def of(cls, file: str | os.PathLike[str], line: int | None = None, column: int | None = None) -> Place:
        """A place whose file is told from the current directory if it is below it."""
        path = os.path.abspath(file)
        here = os.path.join(os.getcwd(), "")
        return cls(path.removeprefix(here), line, column)

    def __str__(self) -> str:
        return ":".join(str(part) for part in (self.file, self.line, self.column) if part is not None)


@dataclass(frozen=True, slots=True)
class Finding:
    """One result. ``id`` is stable (``asyncstatic.E001``); ``hint`` says what to do.

    ``subject`` is what the finding is about where that is no place in a file (a setting, a name below ``STATIC_ROOT``,
    a URL): it and the place, without its line, tell a finding from others with the same id when accepted ones are
    left out. ``is_mended_by_collecting``: collectstatic makes it go away, and loses nothing.
    """

    id: str
    message: str
    hint: str
    place: Place | None = None
    subject: str = ""
    is_mended_by_collecting: bool = False

    @property
    def level(self) -> Level:
        return level_of(self.id)

    def as_json(self) -> dict[str, Any]:
        return {
            "id": self.id,
            "level": self.level.name.lower(),
            "message": self.message,
            "hint": self.hint,
            "place": None if self.place is None else asdict(self.place),
        }


def level_of(finding_id: str) -> Level:
    return {"E": Level.ERROR, "W": Level.WARNING, "I": Level.INFO}[finding_id.rpartition(".")[2][0]]


CheckFunction = Callable[["Project"], Iterable[Finding]]


@dataclass(frozen=True, slots=True)
class Check:
    """``titles`` says in a few words what each id means that the function may yield."""

    tag: str
    function: CheckFunction
    titles: dict[str, str]


_checks: list[Check] = []


def check(tag: str, **titles: str) -> Callable[[CheckFunction], CheckFunction]:
    """Register a check under a tag, the name of its family and module: ``@check("drift", E001="no index")``."""

    def register(function: CheckFunction) -> CheckFunction:
        _checks.append(Check(tag, function, {f"asyncstatic.{short}": title for short, title in titles.items()}))
        return function

    return register


def all_checks() -> list[Check]:
    for family in FAMILIES:
        import_module(f"django_asyncstatic.diagnosing.{family}")
    return _checks


def run_checks(
    tags: Collection[str] = (),
    *,
    deep: bool = False,
    instantiate: bool = True,
    url: str | None = None,
    project: Project | None = None,
) -> list[Finding]:
    """The findings of all checks, or of those with one of these tags.

    ``deep`` decodes and hashes everything; without it what the last collect saw is trusted as long as its size and
    times are the same. ``instantiate=False`` constructs no middleware. ``url`` is the address of the running site,
    which is asked only if it is given. A check that crashes becomes a finding and does not stop the others.
    """
    from django_asyncstatic.diagnosing.project import Project

    if project is None:
        project = Project(deep=deep, instantiate=instantiate, url=url)
    findings: list[Finding] = []
    for each in all_checks():
        if not tags or each.tag in tags:
            try:
                # What a user's constructors print does not belong among the findings.
                with redirect_stdout(sys.stderr):
                    findings += each.function(project)
            except Exception as error:
                name = f"{each.function.__module__}.{each.function.__qualname__}"
                findings.append(
                    Finding(
                        CRASHED,
                        f"The check {name} crashed: {type(error).__name__}: {error}",
                        f"What it looks for is unknown. Please report this: it happened in {_innermost(error)}.",
                        subject=name,
                    )
                )
    return findings


def _innermost(error: Exception) -> str:
    """File, line and function in which an exception was raised."""
    frame = traceback.extract_tb(error.__traceback__)[-1]
    return f"{frame.filename}:{frame.lineno}, {frame.name}"
