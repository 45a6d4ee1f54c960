"""``manage.py checkstatic``: what would break in production, and why a site meant to be async runs in threads."""

from __future__ import annotations

import json
import sys
from argparse import ArgumentParser
from collections import Counter
from contextlib import redirect_stdout
from typing import Any

from django.core.exceptions import ImproperlyConfigured
from django.core.management.base import BaseCommand, CommandError

from django_asyncstatic import conf
from django_asyncstatic.diagnosing.findings import Finding, Level, run_checks
from django_asyncstatic.diagnosing.project import Project
from django_asyncstatic.management.tables import chain_table

TAGS = ("chain", "drift", "settings")


class Command(BaseCommand):
    """Exit status 0: nothing worse than advice; 1: errors or warnings; 2: the checks could not run."""

    help = (
        "Compares the index with the files on the disk and with the manifest, and walks the middleware chain."
        " Explains what it finds; changes nothing. Exit status 0 (nothing worse than advice), 1 (errors or"
        " warnings), 2 (could not run)."
    )
    requires_system_checks = []
    requires_migrations_checks = False

    def add_arguments(self, parser: ArgumentParser) -> None:
        parser.add_argument(
            "--format", choices=("text", "json"), default="text", help="text for people (default), or JSON."
        )
        parser.add_argument(
            "--tag", action="append", choices=TAGS, default=[], help="Run these checks only; may be repeated."
        )
        parser.add_argument(
            "--chain", action="store_true", help="Draw the middleware chain, with its modes and thread hops, and end."
        )

    def handle(self, *args: Any, **options: Any) -> None:
        try:
            conf.validate()
        except ImproperlyConfigured as error:
            raise CommandError(str(error), returncode=2) from error
        if options["chain"]:
            self._draw_chain(options["format"])
            return
        findings = sorted(run_checks(options["tag"]), key=lambda finding: -finding.level)
        counts = Counter(finding.level for finding in findings)
        if options["format"] == "json":
            report = {
                "findings": [finding.as_json() for finding in findings],
                "counts": {level.name.lower(): counts[level] for level in Level},
            }
            self.stdout.write(json.dumps(report, indent=2))
        else:
            for finding in findings:
                self.stdout.write(self._text(finding))
        summary = ", ".join(
            f"{counts[level]} {noun}{'' if counts[level] == 1 else 's'}"
            for level, noun in ((Level.ERROR, "error"), (Level.WARNING, "warning"), (Level.INFO, "remark"))
        )
        if counts[Level.ERROR] or counts[Level.WARNING]:
            raise CommandError(f"checkstatic found {summary}.", returncode=1)
        if options["format"] == "text" and options["verbosity"] >= 1:
            self.stdout.write(self.style.SUCCESS(f"checkstatic found {summary}."))

    def _draw_chain(self, form: str) -> None:
        with redirect_stdout(sys.stderr):  # what a user's constructors print
            chain = Project().chain
        self.stdout.write(chain_table(chain) if form == "text" else json.dumps(chain.as_json(), indent=2))

    def _text(self, finding: Finding) -> str:
        style = {
            Level.ERROR: self.style.ERROR,
            Level.WARNING: self.style.WARNING,
            Level.INFO: self.style.NOTICE,
        }
        lines = [f"{style[finding.level](finding.id)}  {finding.message}"]
        if finding.place is not None:
            lines.append(f"    at {finding.place}")
        lines.append(f"    {finding.hint}")
        return "\n".join(lines)
