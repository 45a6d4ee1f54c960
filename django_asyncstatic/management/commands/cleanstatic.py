"""``manage.py cleanstatic``: removes the releases that need not be served any more."""

from __future__ import annotations

from argparse import ArgumentParser
from typing import Any

from django.contrib.staticfiles.storage import staticfiles_storage
from django.core.management.base import BaseCommand, CommandError

from django_asyncstatic import conf
from django_asyncstatic.collecting.atomic import CollectError
from django_asyncstatic.management.tables import format_size
from django_asyncstatic.storage import _IndexingMixin


class Command(BaseCommand):
    """Only files that the index recorded are removed, unless ``--orphans`` asks for the others."""

    help = (
        "Removes from STATIC_ROOT the releases that are neither among the last ones (option keep_releases) nor"
        " superseded a short while ago (option keep_age)."
    )
    requires_system_checks = []
    requires_migrations_checks = False

    def add_arguments(self, parser: ArgumentParser) -> None:
        parser.add_argument(
            "-n", "--dry-run", action="store_true", help="Say what would be removed, and remove nothing."
        )
        parser.add_argument(
            "--orphans",
            action="store_true",
            help="Remove files too that no collect has recorded: those of other tools, and of Django's collectstatic.",
        )

    def handle(self, *args: Any, **options: Any) -> None:
        if not isinstance(staticfiles_storage, _IndexingMixin):
            raise CommandError(f"cleanstatic {conf.needs_index()}")
        if staticfiles_storage.rehearsal is not None:
            raise CommandError("ASYNCSTATIC_REHEARSAL is on: turn it off to clean.")
        try:
            cleaning = staticfiles_storage.clean(orphans=options["orphans"], dry_run=options["dry_run"])
        except CollectError as error:
            raise CommandError(str(error)) from error
        except OSError as error:
            where = f" ({error.filename})" if error.filename else ""
            raise CommandError(
                f"Cleaning stopped: {error.strerror or error}{where}. All that the index still has is served; run"
                " cleanstatic again when that is mended."
            ) from error
        would = "Would remove" if options["dry_run"] else "Removed"
        if options["verbosity"] > 1 or options["dry_run"]:
            for name, size in (*cleaning.files, *cleaning.orphans):
                self.stdout.write(f"{would} {name} ({format_size(size)})")
        if options["verbosity"] > 0:
            count = len(cleaning.files) + len(cleaning.orphans)
            self.stdout.write(
                f"{would} {_many(len(cleaning.releases), 'release')}, {_many(count, 'file')},"
                f" {format_size(cleaning.size)}; {_many(len(cleaning.kept), 'release')} to stay."
            )


def _many(count: int, what: str) -> str:
    return f"{count} {what}" if count == 1 else f"{count} {what}s"
