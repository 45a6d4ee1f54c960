"""A project as ``django-admin startproject`` makes it, on the disk, with the lines of our README or without."""

from __future__ import annotations

import json
import os
import subprocess
import sys
from pathlib import Path
from typing import Any

from django.core.management import call_command

REPOSITORY = Path(__file__).parents[1]

#: What the README says to write into settings.py.
README_SETTINGS = """
INSTALLED_APPS.insert(0, "django_asyncstatic")
MIDDLEWARE.insert(1, "django_asyncstatic.middleware.AsyncStaticMiddleware")
STATIC_ROOT = BASE_DIR / "staticfiles"
STORAGES = {
    "default": {"BACKEND": "django.core.files.storage.FileSystemStorage"},
    "staticfiles": {"BACKEND": "django_asyncstatic.storage.CompressedManifestStaticFilesStorage"},
}
"""


class StartedProject:
    """``mysite`` in a directory of its own; its commands run in processes of their own."""

    def __init__(self, directory: Path, settings: str = README_SETTINGS) -> None:
        self.directory = directory
        self.settings = directory / "mysite/settings.py"
        call_command("startproject", "mysite", directory)
        self.append(settings)

    def append(self, lines: str) -> int:
        """Add lines to settings.py; the number of the first."""
        text = self.settings.read_text()
        self.settings.write_text(text + lines)
        return text.count("\n") + 1

    def use_wrappers(self) -> None:
        """The README's changed imports."""
        for kind in ("asgi", "wsgi"):
            file = self.directory / f"mysite/{kind}.py"
            file.write_text(file.read_text().replace(f"django.core.{kind}", f"django_asyncstatic.{kind}"))

    def run(self, *arguments: str) -> subprocess.CompletedProcess[str]:
        """``manage.py``"""
        return self.run_python("manage.py", *arguments)

    def run_python(self, *arguments: str) -> subprocess.CompletedProcess[str]:
        return subprocess.run(
            [sys.executable, *arguments],
            cwd=self.directory,
            env={**_environment(), "PYTHONPATH": str(REPOSITORY)},
            capture_output=True,
            text=True,
            check=False,
        )

    def findings(self, *arguments: str) -> list[dict[str, Any]]:
        """What checkstatic finds, its ids without the prefix."""
        done = self.run("checkstatic", "--format", "json", *arguments)
        assert done.returncode in (0, 1), done.stderr
        found: list[dict[str, Any]] = json.loads(done.stdout)["findings"]
        return [{**each, "id": each["id"].removeprefix("asyncstatic.")} for each in found]


def _environment() -> dict[str, str]:
    return {name: value for name, value in os.environ.items() if name != "DJANGO_SETTINGS_MODULE"}
