"""The frame of every diagnostic: what a finding is, and how checks are registered and run.

Adding a diagnostic is one function: decorate it with :func:`check`, which names its family and its findings, yield
findings, and add their ids to the docs, page "checkstatic".
"""

from __future__ import annotations

import os
import sys
import traceback
from collections.abc import Callable, Collection, Iterable, Sequence
from contextlib import redirect_stdout
from dataclasses import dataclass, replace
from enum import IntEnum
from importlib import import_module
from operator import attrgetter
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from django_asyncstatic.diagnosing.project import Project

#: A module for each family of checks; they register themselves when they are imported.
FAMILIES = ("drift", "references", "chain", "settings", "files", "leaks", "delivery")

CRASHED = "asyncstatic.W099"

#: What the frame itself finds, and not a family.
FRAME = {CRASHED: "a check crashed", "asyncstatic.I098": "an accepted finding does not occur any more"}

DOCS = "https://django-asyncstatic.readthedocs.io/en/latest/checkstatic.html"


class Level(IntEnum):
    """As Django's system checks number them."""

    INFO = 20
    WARNING = 30
    ERROR = 40


def _relative(file: str) -> str:
    """To the current directory, where it is below it."""
    return file.removeprefix(os.getcwd() + os.sep)


@dataclass(frozen=True, slots=True, order=True)
class Place:
    """Where a finding is: a file, with a line and a column (both from 1) where there is one."""

    file: str
    line: int | None = None
    column: int | None = None

    @classmethod
    def of(cls, file: str | os.PathLike[str], line: int | None = None, column: int | None = None) -> Place:
        """The place of a file, relative to the current directory where it is below it; always printable."""
        return cls(printable(_relative(os.fspath(file))), line, column)

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


def printable(name: str) -> str:
    """A name of a file with what no terminal and no JSON can have escaped: controls, and bytes that are not UTF-8."""
    return name if name.isprintable() else "".join(c if c.isprintable() else ascii(c)[1:-1] for c in name)


def enumerate_names(names: Sequence[str], listed: int = 3) -> str:
    """``a``, ``a and b``, or the first ones with a number: ``a, b, c and 5 more``."""
    shown = [printable(name) for name in names[: listed if len(names) > listed + 1 else listed + 1]]
    if len(names) > len(shown):
        return f"{', '.join(shown)} and {len(names) - len(shown)} more"
    return " and ".join([", ".join(shown[:-1]), shown[-1]] if len(shown) > 1 else shown)


def level_of(finding_id: str) -> Level:
    return {"E": Level.ERROR, "W": Level.WARNING, "I": Level.INFO}[finding_id.rpartition(".")[2][0]]


@dataclass(frozen=True, slots=True)
class Rule:
    """What one id means: its family, its title, and where the docs say more."""

    id: str
    tag: str
    title: str

    @property
    def level(self) -> Level:
        return level_of(self.id)

    @property
    def url(self) -> str:
        return f"{DOCS}#{self.id.replace('.', '-').lower()}"


CheckFunction = Callable[["Project"], Iterable[Finding]]


@dataclass(frozen=True, slots=True)
class Check:
    """``titles`` says in a few words what each id means that the function may yield.

    ``lists_root`` says that it asks for the listing of ``STATIC_ROOT``.
    """

    tag: str
    function: CheckFunction
    titles: dict[str, str]
    lists_root: bool = False


_checks: list[Check] = []


def check(tag: str, *, lists_root: bool = False, **titles: str) -> Callable[[CheckFunction], CheckFunction]:
    """Register a check under a tag, the name of its family and module: ``@check("drift", E001="no index")``.

    With ``lists_root`` it may ask for ``project.listing``, which is made while checks without it run.
    """

    def register(function: CheckFunction) -> CheckFunction:
        full = {f"asyncstatic.{short}": title for short, title in titles.items()}
        _checks.append(Check(tag, function, full, lists_root))
        return function

    return register


def all_checks() -> list[Check]:
    for family in FAMILIES:
        import_module(f"django_asyncstatic.diagnosing.{family}")
    return _checks


def all_rules() -> dict[str, Rule]:
    """Every id that there is, by its number."""
    titles = [(each.tag, each.titles) for each in all_checks()] + [("frame", FRAME)]
    rules = [Rule(rule_id, tag, title) for tag, of_check in titles for rule_id, title in of_check.items()]
    return {rule.id: rule for rule in sorted(rules, key=lambda rule: rule.id[-3:])}


def described(tags: Collection[str], project: Project) -> list[str]:
    """For a person who asks for these families: the table of each that has one (a function ``describe``)."""
    modules = [import_module(f"django_asyncstatic.diagnosing.{tag}") for tag in FAMILIES if tag in tags]
    return [text for module in modules if (text := getattr(module, "describe", lambda project: "")(project))]


def run_checks(
    tags: Collection[str] = (),
    *,
    ignored: Collection[str] = (),
    deep: bool = False,
    instantiate: bool = True,
    url: str | None = None,
    project: Project | None = None,
) -> list[Finding]:
    """The findings of all checks, or of those with one of these tags, in the order of the checks.

    Those whose id is ``ignored`` (``asyncstatic.E001``) or in SILENCED_SYSTEM_CHECKS are left out. ``deep`` decodes and
    hashes everything; without it what the last collect saw is trusted as long as its size and times are the same.
    ``instantiate=False`` constructs no middleware. ``url`` is the address of the running site, which is asked only if
    it is given. ``project`` takes the place of these three. A check that crashes becomes a finding and does not stop
    the others. Places are relative to the current directory where they are below it.
    """
    from django_asyncstatic import conf
    from django_asyncstatic.diagnosing.project import Project

    if project is None:
        project = Project(deep=deep, instantiate=instantiate, url=url)
    left_out = {*ignored, *conf.silenced_checks()}
    asked = [
        each
        for each in all_checks()
        if (not tags or each.tag in tags) and not (each.titles and each.titles.keys() <= left_out)
    ]
    found: dict[int, list[Finding]] = {}
    try:
        if any(each.lists_root for each in asked):
            project.look_ahead()
        for each in project.progress(sorted(asked, key=attrgetter("lists_root")), "checks"):
            found[id(each)] = _run(each, project)
    finally:
        project.end()
    findings = [finding for each in asked for finding in found[id(each)]]
    return [_with_relative_place(finding) for finding in findings if finding.id not in left_out]


def _run(check: Check, project: Project) -> list[Finding]:
    findings: list[Finding] = []
    try:
        # What a user's constructors print does not belong among the findings.
        with redirect_stdout(sys.stderr):
            findings.extend(check.function(project))
    except (Exception, SystemExit) as error:
        name = f"{check.function.__module__}.{check.function.__qualname__}"
        findings.append(
            Finding(
                CRASHED,
                f"The check {name} crashed: {type(error).__name__}: {error}",
                f"What it looks for is unknown. Please report this: it happened in {_innermost(error)}.",
                subject=name,
            )
        )
    return findings


def _with_relative_place(finding: Finding) -> Finding:
    if finding.place is None or (file := _relative(finding.place.file)) == finding.place.file:
        return finding
    return replace(finding, place=replace(finding.place, file=file))


def _innermost(error: BaseException) -> str:
    """File, line and function in which an exception was raised."""
    frame = traceback.extract_tb(error.__traceback__)[-1]
    return f"{frame.filename}:{frame.lineno}, {frame.name}"
