"""``manage.py checkstatic``: what would break in production, and why a site meant to be async runs in threads."""

from __future__ import annotations

import gc
import json
import os
import sys
from argparse import ArgumentParser
from collections.abc import Callable, Iterable, Iterator, Sequence
from contextlib import contextmanager, redirect_stdout
from difflib import get_close_matches
from pathlib import Path
from typing import Any, TypeVar
from urllib.parse import urlsplit

from django.core.exceptions import ImproperlyConfigured
from django.core.management import call_command
from django.core.management.base import CommandError

from django_asyncstatic import conf
from django_asyncstatic.collecting.atomic import CollectError, write_atomically
from django_asyncstatic.diagnosing.baseline import Baseline, Identity, UnusableBaseline, accept, identifier
from django_asyncstatic.diagnosing.findings import FAMILIES, Finding, Level, Rule, all_rules, described, run_checks
from django_asyncstatic.diagnosing.findings import Place as At
from django_asyncstatic.diagnosing.project import Progress, Project, tell_nobody
from django_asyncstatic.diagnosing.reports import FORMATS, SHOWN, Report, summary
from django_asyncstatic.management.endings import EndsQuickly
from django_asyncstatic.management.tables import chain_table

T = TypeVar("T")

#: From which level on findings make the exit status 1.
FAIL_LEVELS = {"error": Level.ERROR, "warning": Level.WARNING, "info": Level.INFO, "never": None}

#: Seconds after which progress is shown.
DELAY = 0.5

#: New objects after which garbage is looked for: more than there are of 20,000 static files.
SELDOM = 500_000

GONE = "asyncstatic.I098"


class Command(EndsQuickly):
    """Exit status 0: nothing as bad as ``--fail-level``; 1: findings; 2: the checks could not run."""

    help = (
        "Finds what is or will be wrong with the static files: in what was collected, in templates, settings and the"
        " middleware chain. Explains it, and changes nothing unless --fix asks for it. Exit status 0 (nothing as bad as"
        " --fail-level), 1 (findings), 2 (could not run)."
    )
    requires_system_checks = []
    requires_migrations_checks = False

    def add_arguments(self, parser: ArgumentParser) -> None:
        add = parser.add_argument
        add("--format", choices=FORMATS, default="text", help="Of the report on standard output. Default: text.")
        add(
            "--fail-level",
            choices=FAIL_LEVELS,
            default="warning",
            help="Exit with 1 if there is a finding of this level or a worse one. Default: warning.",
        )
        add("--tag", action="append", choices=sorted(FAMILIES), default=[], help="Run these checks only. Repeatable.")
        add(
            "--ignore",
            action="append",
            default=[],
            metavar="ID",
            help="Leave out findings with this id: E001, or asyncstatic.E001. Repeatable.",
        )
        add("--list", action="store_true", help="List the findings that there can be, and look for none.")
        add(
            "--deep",
            action="store_true",
            help="Read, hash and decode everything, also what was not touched since the last collect.",
        )
        add(
            "--no-instantiate",
            action="store_false",
            dest="instantiate",
            help="Construct no middleware; less is then known of the chain.",
        )
        add("--url", help="The address of the running site, which is then asked for some files.")
        add("--baseline", type=Path, metavar="FILE", help="Leave out the findings that are accepted in this file.")
        add("--update-baseline", action="store_true", help="Accept all that is found: write it to --baseline.")
        add(
            "--fix",
            action="store_true",
            help="Run collectstatic --noinput if that mends a finding, and check again. Nothing else is changed.",
        )
        add("--chain", action="store_true", help="Draw the middleware chain, with its modes and thread hops, and end.")

    def handle(self, *args: Any, **options: Any) -> None:
        rules = all_rules()
        if options["list"]:
            self.stdout.write(_listed(rules.values()))
            return
        if options["chain"]:
            self._draw_chain(options["format"])
            return
        try:
            with _seldom_collecting_garbage():  # until the project that was looked at is gone
                self._handle(rules, options)
        except (ImproperlyConfigured, UnusableBaseline) as error:
            raise CommandError(str(error), returncode=2) from error

    def _handle(self, rules: dict[str, Rule], options: dict[str, Any]) -> None:
        ignored = [_known_id(each, rules) for each in options["ignore"]]
        left_out = {*ignored, *conf.silenced_checks()}
        _validate(options)
        baseline = self._baseline(options)
        conf.validate()

        def look() -> tuple[Project, list[Finding]]:
            project = Project(
                deep=options["deep"],
                instantiate=options["instantiate"],
                url=options["url"],
                progress=self._progress(options["verbosity"]),
            )
            return project, run_checks(options["tag"], ignored=ignored, project=project)

        project, found = look()
        identify = _identifier(project, options["baseline"])
        findings = baseline.new(found, identify)
        if options["fix"] and any(finding.is_mended_by_collecting for finding in findings):
            self._collect(options)
            project, found = look()
            findings = baseline.new(found, identify)
        asked = {
            rule_id
            for rule_id, rule in rules.items()
            if (not options["tag"] or rule.tag in options["tag"]) and rule_id not in left_out
        }
        looked = {name for name in ("deep", "instantiate", "url") if options[name]}
        if options["update_baseline"]:
            self._write(options["baseline"], accept(found, identify, looked=looked, before=baseline, asked=asked))
            findings = []
        accepted = len(found) - len(findings)
        if not options["update_baseline"] and GONE not in left_out and baseline.looked <= looked:
            findings += [_gone(each, options["baseline"]) for each in baseline.gone(found, identify, asked)]
        if options["format"] == "text":
            for text in described(options["tag"], project):
                self.stdout.write(f"{_writable(text)}\n")
        self._report(findings, rules, identify, accepted, options)

    def _draw_chain(self, form: str) -> None:
        with redirect_stdout(sys.stderr):  # what a user's constructors print
            chain = Project().chain
        self.stdout.write(json.dumps(chain.as_json(), indent=2) if form == "json" else chain_table(chain))

    def _baseline(self, options: dict[str, Any]) -> Baseline:
        file: Path | None = options["baseline"]
        if file is None:
            return Baseline()
        try:
            return Baseline.read(file)
        except UnusableBaseline:
            if options["update_baseline"]:
                return Baseline()
            raise

    def _write(self, file: Path, baseline: Baseline) -> None:
        try:
            write_atomically(file.absolute(), baseline.encode())
        except (OSError, CollectError) as error:
            reason = getattr(error, "strerror", None) or error
            raise UnusableBaseline(
                f"The baseline {file} cannot be written: {reason}. Name another --baseline."
            ) from error
        number = sum(baseline.accepted.values())
        self._tell(f"{file} accepts {number} finding{'' if number == 1 else 's'}.")

    def _collect(self, options: dict[str, Any]) -> None:
        self._tell("Running collectstatic --noinput, which mends what it can make again.")
        stderr = options.get("stderr") or sys.stderr
        try:
            call_command(
                "collectstatic",
                interactive=False,
                verbosity=options["verbosity"],
                stdout=stderr,
                stderr=stderr,
                no_color=options["no_color"],
                force_color=options["force_color"],
            )
        except (CommandError, ImproperlyConfigured, OSError) as error:
            self.stderr.write(f"collectstatic failed: {error}")

    def _report(
        self,
        findings: Sequence[Finding],
        rules: dict[str, Rule],
        identify: Callable[[Finding], Identity],
        accepted: int,
        options: dict[str, Any],
    ) -> None:
        styles = {Level.ERROR: self.style.ERROR, Level.WARNING: self.style.WARNING, Level.INFO: self.style.NOTICE}
        # GitHub names files relative to what was checked out, which may lie above the current directory.
        workspace = os.environ.get("GITHUB_WORKSPACE", "")
        is_in_workspace = workspace and Path.cwd().is_relative_to(workspace)
        report = Report(
            sorted(findings, key=lambda finding: (-finding.level, finding.id)),
            rules,
            identify,
            accepted=accepted,
            root=workspace if is_in_workspace else os.getcwd(),
            elsewhere=conf.settings_file() or "manage.py",
            shown=None if options["verbosity"] > 1 else SHOWN,
            paint=lambda level, text: str(styles[level](text)),
        )
        text = FORMATS[options["format"]](report)
        if text:
            self.stdout.write(_writable(text))
        told = f"checkstatic found {summary(findings)}."
        if accepted:
            told = f"{told[:-1]}; {accepted} accepted."
        limit = FAIL_LEVELS[options["fail_level"]]
        if limit is not None and any(finding.level >= limit for finding in findings):
            raise CommandError(told, returncode=1)
        if options["verbosity"] >= 1:
            self._tell(told, self.style.SUCCESS)

    def _tell(self, text: str, style: Callable[[str], str] = str) -> None:
        self.stderr.write(text, style)

    def _progress(self, verbosity: int) -> Progress:
        """A bar on standard error, if that is a terminal."""
        if verbosity < 1 or not self.stderr.isatty():
            return tell_nobody
        from tqdm import tqdm

        def progress(items: Sequence[T], what: str) -> Iterable[T]:
            bar: Iterable[T] = tqdm(items, unit=f" {what}", file=sys.stderr, leave=False, delay=DELAY)
            return bar

        return progress


def _writable(text: str) -> str:
    """A name that is not UTF-8 has surrogates, which no stream takes."""
    return text.encode(errors="backslashreplace").decode()


@contextmanager
def _seldom_collecting_garbage() -> Iterator[None]:
    """What is known of a project are many small objects, in no cycle: going through them takes a seventh of a run."""
    thresholds = gc.get_threshold()
    gc.set_threshold(SELDOM, *thresholds[1:])
    try:
        yield
    finally:
        gc.set_threshold(*thresholds)


def _validate(options: dict[str, Any]) -> None:
    if options["update_baseline"] and options["baseline"] is None:
        raise CommandError("--update-baseline needs --baseline FILE.", returncode=2)
    if options["url"] is not None:
        try:
            url = urlsplit(options["url"])
            is_address = url.scheme in ("http", "https") and bool(url.hostname)
        except ValueError:
            is_address = False
        if not is_address:
            raise CommandError(f"--url {options['url']} is no address such as https://example.org.", returncode=2)


def _known_id(given: str, rules: dict[str, Rule]) -> str:
    """The full id of one that a user gave. Raises ``CommandError``."""
    full = f"asyncstatic.{given.removeprefix('asyncstatic.').upper()}"
    if full in rules:
        return full
    near = get_close_matches(full, rules, 1)
    question = f" Did you mean {near[0]}?" if near else ""
    raise CommandError(f"--ignore {given}: there is no such finding.{question} --list lists them.", returncode=2)


def _listed(rules: Iterable[Rule]) -> str:
    return "\n".join(
        f"{rule.id}  {rule.level.name.lower():7}  {rule.tag:{max(map(len, FAMILIES))}}  {rule.title}" for rule in rules
    )


def _identifier(project: Project, baseline: Path | None) -> Callable[[Finding], Identity]:
    """Files below STATIC_ROOT are the same ones wherever that is, and a baseline lies in what it is about."""
    roots: list[str | os.PathLike[str]] = [] if baseline is None else [baseline.absolute().parent]
    if (root := project.place.root) is not None:
        roots.append(root)
    return identifier(*roots)


def _gone(identity: Identity, baseline: Path) -> Finding:
    where = f" in {identity.place}" if identity.place else ""
    return Finding(
        GONE,
        f"{identity.id}{where} ({identity.about}) is accepted and does not occur any more.",
        "Run manage.py checkstatic with --update-baseline, so that it is told when it comes back.",
        At(str(baseline)),
        subject=" ".join(identity),
    )
