"""Python programs in processes of their own: what a test is to begin, or end, without what others have imported."""

from __future__ import annotations

import os
import subprocess
import sys
from collections.abc import Sequence
from pathlib import Path

from tests.servers import REPOSITORY


def run_program(
    code: str, *arguments: object, options: Sequence[str] = (), directory: Path = REPOSITORY, **environment: str
) -> subprocess.CompletedProcess[str]:
    """Run ``code`` to its end: a minute at most. ``options`` are Python's, ``environment`` is added to ours."""
    return subprocess.run(
        [sys.executable, *options, "-c", code, *map(str, arguments)],
        cwd=directory,
        env={**os.environ, **environment},
        capture_output=True,
        text=True,
        timeout=60,
        check=False,
    )


def output_of(
    code: str, *arguments: object, options: Sequence[str] = (), directory: Path = REPOSITORY, **environment: str
) -> str:
    """What it prints; it has to end well."""
    done = run_program(code, *arguments, options=options, directory=directory, **environment)
    assert done.returncode == 0, done.stderr
    return done.stdout
