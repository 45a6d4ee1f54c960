"""The files of real packages, collected by Django's own manifest storage and by ours: the same names, the same bytes.

Where the two differ on purpose, with the reasons, is in docs/differences.rst; none of these packages has such a case.
"""

from __future__ import annotations

import importlib.util
import json
from pathlib import Path

import pytest
from django.contrib.staticfiles.storage import ManifestStaticFilesStorage
from django.core.management import call_command
from django.test import override_settings

#: Packages by the patterns of their static directories, and how many files they have at least.
PACKAGES = {
    "django": ("contrib/admin/static", 120),
    "debug_toolbar": ("static", 8),
    "jazzmin": ("static", 80),
    "rest_framework": ("static", 20),
    "unfold": ("static", 20),
    "wagtail": ("**/static", 80),
}


class WithModules(ManifestStaticFilesStorage):
    """As Django's documentation has it."""

    support_js_module_import_aggregation = True


def static_directories(package: str) -> list[Path]:
    spec = importlib.util.find_spec(package)
    assert spec is not None, f"{package} is in the extra 'test'"
    assert spec.origin is not None
    return sorted(folder for folder in Path(spec.origin).parent.glob(PACKAGES[package][0]) if folder.is_dir())


def collect(sources: list[Path], root: Path, backend: str, **options: object) -> dict[str, str]:
    """The manifest."""
    with override_settings(
        STATIC_ROOT=root,
        STATIC_URL="/static/",
        STATICFILES_DIRS=sources,
        STATICFILES_FINDERS=["django.contrib.staticfiles.finders.FileSystemFinder"],
        STORAGES={"staticfiles": {"BACKEND": backend, "OPTIONS": options}},
    ):
        call_command("collectstatic", interactive=False, verbosity=0)
    paths: dict[str, str] = json.loads((root / "staticfiles.json").read_bytes())["paths"]
    return paths


@pytest.mark.parametrize("package", PACKAGES)
@pytest.mark.parametrize("modules", [False, True], ids=["", "with-modules"])
def test_names_and_bytes_are_djangos(package: str, modules: bool, tmp_path: Path) -> None:
    sources = static_directories(package)
    django = collect(
        sources,
        tmp_path / "django",
        f"{__name__}.WithModules" if modules else "django.contrib.staticfiles.storage.ManifestStaticFilesStorage",
    )
    ours = collect(
        sources,
        tmp_path / "ours",
        "django_asyncstatic.storage.CompressedManifestStaticFilesStorage",
        codings=[],
        support_js_module_import_aggregation=modules,
    )
    assert len(django) >= PACKAGES[package][1]
    assert ours == django
    for name in (*django, *django.values()):
        assert (tmp_path / "ours" / name).read_bytes() == (tmp_path / "django" / name).read_bytes(), name
