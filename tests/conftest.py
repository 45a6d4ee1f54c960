"""What many tests need: a collected root, made once per test process."""

from __future__ import annotations

import os
from collections.abc import Iterator
from pathlib import Path

import hypothesis
import pytest
from django.core.management import call_command
from django.test import override_settings

# The assertions of these tell what they compared, as those of tests do.
pytest.register_assert_rewrite("tests.invariants", "tests.fuzz")

# Generated tests: no deadline, for machines are busy, and what failed can be run again from what is printed.
# pytest --hypothesis-profile=thorough takes minutes instead of seconds.
hypothesis.settings.register_profile(
    "tests", max_examples=150, deadline=None, print_blob=True, derandomize="CI" in os.environ
)
hypothesis.settings.register_profile("thorough", max_examples=5000, deadline=None, print_blob=True)
hypothesis.settings.load_profile("tests")

#: Names that have to be percent-encoded in a URL, each in a way of its own.
ODD_NAMES = ("☃ snow+man.txt", "caf\u00e9.txt", "cafe\u0301.txt", "100% sure;.txt")


@pytest.fixture(scope="session")
def source_directories(tmp_path_factory: pytest.TempPathFactory) -> list[Path]:
    """STATICFILES_DIRS: the files of ``tests/static``, and some that are made, not kept in the repository.

    Those are large enough to be streamed, or have names that some file systems lack.
    """
    extra = tmp_path_factory.mktemp("large")
    (extra / "site/large").mkdir(parents=True)
    (extra / "site/large/noise.bin").write_bytes(_noise(3_000_000))
    (extra / "site/large/movie.mp4").write_bytes(_noise(1_500_000))
    (extra / "site/names").mkdir()
    for name in ODD_NAMES:
        (extra / "site/names" / name).write_text(name)
    return [Path(__file__).parent / "static", extra]


@pytest.fixture(scope="session")
def collected(tmp_path_factory: pytest.TempPathFactory, source_directories: list[Path]) -> Path:
    """A STATIC_ROOT after ``collectstatic``: admin, two other packages, and the files of ``source_directories``.

    The tests share it: those that change files collect into a place of their own.
    """
    root = tmp_path_factory.mktemp("collected") / "root"  # made by collecting, with its modes
    with override_settings(STATIC_ROOT=root, STATICFILES_DIRS=source_directories):
        call_command("collectstatic", interactive=False, verbosity=0)
    return root


@pytest.fixture
def static_root(collected: Path, source_directories: list[Path]) -> Iterator[Path]:
    """The collected root as the STATIC_ROOT of this test, with what it was collected from."""
    with override_settings(STATIC_ROOT=collected, STATICFILES_DIRS=source_directories):
        yield collected


def _noise(size: int) -> bytes:
    """Bytes that no coding makes smaller, the same in every run."""
    import random

    return random.Random(size).randbytes(size)


@pytest.fixture
def server_environment(collected: Path) -> dict[str, str]:
    """The environment of a server process that serves the collected root."""
    return {**os.environ, "DJANGO_SETTINGS_MODULE": "tests.settings", "ASYNCSTATIC_TEST_ROOT": str(collected)}
