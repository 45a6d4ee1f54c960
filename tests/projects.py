"""Small projects for the diagnostics: directories of sources, what a finder makes of them, and a collect."""

from __future__ import annotations

import os
from collections.abc import Mapping, Sequence
from contextlib import ExitStack
from pathlib import Path
from typing import Any

from django.core.management import call_command
from django.test import override_settings

from django_asyncstatic.diagnosing.findings import Finding, run_checks

FILE_SYSTEM = "django.contrib.staticfiles.finders.FileSystemFinder"
STORAGE = "django_asyncstatic.storage.CompressedManifestStaticFilesStorage"


class SmallProject:
    """A project with files of its own only: ``static`` is in STATICFILES_DIRS, ``root`` is STATIC_ROOT."""

    def __init__(self, place: Path) -> None:
        self.place = place
        self.static = place / "static"
        self.root = place / "root"
        self.settings: dict[str, Any] = {
            "STATICFILES_DIRS": [self.static],
            "STATICFILES_FINDERS": [FILE_SYSTEM],
            "STATIC_ROOT": self.root,
            "FILE_UPLOAD_DIRECTORY_PERMISSIONS": 0o755,
        }
        self.static.mkdir()

    def write(self, files: Mapping[str, str | bytes], *, below: Path | None = None) -> None:
        for name, content in files.items():
            path = (below or self.static) / name
            path.parent.mkdir(parents=True, exist_ok=True)
            path.write_bytes(content.encode() if isinstance(content, str) else content)

    def collect(self, **options: Any) -> None:
        with override_settings(**self.settings):
            call_command("collectstatic", interactive=False, verbosity=0, **options)

    def findings(self, tag: str, **options: Any) -> list[Finding]:
        with override_settings(**self.settings):
            return run_checks([tag], **options)

    def found(self, tag: str, **options: Any) -> list[tuple[str, str]]:
        """``(id, message)`` of the findings of one family."""
        return [(each.id.rpartition(".")[2], each.message) for each in self.findings(tag, **options)]

    def ids(self, tag: str, **options: Any) -> Sequence[str]:
        return [found_id for found_id, _ in self.found(tag, **options)]


def as_nobody(stack: ExitStack) -> None:
    """Be somebody whom modes apply to, until the stack is closed: root may read everything."""
    if os.geteuid() == 0:
        os.seteuid(65534)
        stack.callback(os.seteuid, 0)
