"""``manage.py collectstatic``: Django's, with everything wrong found first and everything written atomically."""

from __future__ import annotations

import os
import sys
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from typing import TYPE_CHECKING, Any

from django.contrib.staticfiles.finders import get_finders
from django.contrib.staticfiles.management.commands.collectstatic import Command as DjangoCommand
from django.core.management.base import CommandError, CommandParser

from django_asyncstatic import conf
from django_asyncstatic.collecting.atomic import CollectError
from django_asyncstatic.management.endings import EndsQuickly
from django_asyncstatic.management.tables import report_table
from django_asyncstatic.storage import _IndexingMixin

if TYPE_CHECKING:
    from django_asyncstatic.collecting.builder import Report

#: Warnings that are shown unless more is asked for.
SHOWN = 10

#: Files below which no progress is shown.
LONG = 200

#: Seconds after which it is shown.
DELAY = 0.5


class Command(EndsQuickly, DjangoCommand):
    """Found where ``django_asyncstatic`` stands above ``django.contrib.staticfiles`` in INSTALLED_APPS.

    With a storage that is not one of ours it is Django's command.
    """

    help = (
        "Collect static files in a single location, compressed and indexed."
        " Nothing is written while a reference is broken."
    )
    #: Django has these two since 6.0.
    skipped_files: list[str]
    deleted_files: list[str]

    def add_arguments(self, parser: CommandParser) -> None:
        super().add_arguments(parser)
        parser.add_argument(
            "--previous",
            action="append",
            default=[],
            metavar="DIR",
            help="The STATIC_ROOT of an earlier collect (from an old image, a CI cache), whose releases go on being"
            " served and whose compressed files are used again. May be repeated.",
        )

    def set_options(self, **options: Any) -> None:
        super().set_options(**options)
        self.skipped_files, self.deleted_files = [], []
        self.is_ours = isinstance(self.storage, _IndexingMixin)
        self.previous: list[str] = options["previous"]
        self.report: Report | None = None
        if self.is_ours and self.storage.rehearsal is not None:
            raise CommandError("ASYNCSTATIC_REHEARSAL is on: turn it off to collect.")
        if self.previous and not self.is_ours:
            raise CommandError(f"--previous {conf.needs_index()}")
        if self.previous and not self.post_process:
            raise CommandError("--previous needs post-processing: leave --no-post-process out.")
        # Django clears before it collects, and says so when it asks. Here it comes last, and spares what is served.
        self.clears_at_the_end = self.is_ours and self.clear
        if self.is_ours:
            self.clear = False

    def handle(self, **options: Any) -> str | None:
        started = time.monotonic()
        try:
            summary: str | None = super().handle(**options)
        except CollectError as error:
            raise CommandError(str(error)) from error
        if summary and self.report is not None and not self.dry_run:
            summary += "\n" + report_table(self.report, time.monotonic() - started)
        return summary

    def collect(self) -> dict[str, list[str]]:
        if not self.is_ours or not self.storage.location:
            collected: dict[str, list[str]] = super().collect()
            return collected
        found = self._find()
        if not self.post_process:
            self._place_only(found)
        else:
            with self._progress() as (start, advance):
                self._process(found, start, advance)
        if self.clears_at_the_end and not self.dry_run:
            for name, _ in self._clean():
                self.log(f"Deleting '{name}'", level=2)
                self.deleted_files.append(name)
        return {
            "modified": self.copied_files + self.symlinked_files,
            "unmodified": self.unmodified_files,
            "post_processed": self.post_processed_files,
            "skipped": self.skipped_files,
            "deleted": self.deleted_files,
        }

    def _find(self) -> dict[str, Any]:
        found: dict[str, Any] = {}
        for finder in get_finders():
            for path, storage in finder.list(self.ignore_patterns):
                prefix = getattr(storage, "prefix", None)
                name = os.path.join(prefix, path) if prefix else path
                if name not in found:
                    found[name] = (storage, path)
                    continue
                self.skipped_files.append(name)
                self.log(
                    f"Found another file with the destination path '{name}'. It will be ignored since only the first"
                    " encountered file is collected. If this is not what you want, make sure every static file has a"
                    " unique path.",
                    level=2,
                )
        return found

    def _place_only(self, found: dict[str, Any]) -> None:
        """--no-post-process: plain files and nothing else, so the index goes on saying what it said."""
        report = self.storage.collect(found, dry_run=self.dry_run, places=True, links=self.symlink, publishes=False)
        self._note(report)

    def _process(self, found: dict[str, Any], start: Callable[[int], None], advance: Callable[[], None]) -> None:
        for name, published, processed in self.storage.post_process(
            found,
            dry_run=self.dry_run,
            places=True,
            links=self.symlink,
            previous=self.previous,
            left_out=self.ignore_patterns,
            start=start,
            advance=advance,
            report_to=self._note,
        ):
            if isinstance(processed, Exception):
                notes = getattr(processed, "__notes__", ())
                raise CommandError("\n".join([str(processed), *notes])) from processed
            if processed:
                self.log(f"Post-processed '{name}' as '{published}'", level=2)
                self.post_processed_files.append(name)
            else:
                self.log(f"Skipped post-processing '{name}'", level=3)
        if self.report is None:  # a subclass of the storage whose post_process() does not pass its options on
            for name, (storage, path) in found.items():
                (self.link_file if self.symlink else self.copy_file)(path, name, storage)

    def _note(self, report: Report) -> None:
        self.report = report
        for name, reason in report.unindexable:
            self.stderr.write(f"{name!r} is not in the index and will not be served: {reason}. Rename it.")
        shown = report.warnings if self.verbosity > 1 else report.warnings[:SHOWN]
        for warning in shown:
            self.stderr.write(f"Warning: {warning}")
        if len(shown) < len(report.warnings):
            self.stderr.write(f"{len(report.warnings) - len(shown)} more warnings: --verbosity 2 shows them.")
        for name, reason in report.reasons:
            self.log(f"Collected '{name}': {reason}", level=2)
        if self.dry_run:
            for name in report.placed:
                self.log(f"Pretending to {'link' if self.symlink else 'copy'} '{name}'", level=1)
        (self.symlinked_files if self.symlink else self.copied_files).extend(report.placed)
        self.unmodified_files.extend(report.unchanged)

    def _clean(self) -> list[tuple[str, int]]:
        unindexable = [] if self.report is None else [name for name, _ in self.report.unindexable]
        cleaning = self.storage.clean(orphans=True, spared=unindexable)
        return [*cleaning.files, *cleaning.orphans]

    @contextmanager
    def _progress(self) -> Iterator[tuple[Callable[[int], None], Callable[[], None]]]:
        """What to call with the number of files, and for each; a bar on standard error, if that is a terminal."""
        if self.verbosity < 1 or self.dry_run or not sys.stderr.isatty():
            yield (lambda count: None), (lambda: None)
            return
        from tqdm import tqdm

        bars: list[Any] = []

        def start(count: int) -> None:
            if count >= LONG:
                bars.append(tqdm(total=count, unit=" files", file=sys.stderr, leave=False, delay=DELAY))

        def advance() -> None:
            if bars:
                bars[0].update()

        try:
            yield start, advance
        finally:
            for bar in bars:
                bar.close()
