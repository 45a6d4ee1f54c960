"""Medians, their spread, and tables of them in plain text."""

from __future__ import annotations

import os
import platform
import subprocess
from collections.abc import Sequence
from importlib.metadata import PackageNotFoundError, version
from pathlib import Path
from statistics import median, quantiles

__all__ = ["describe_environment", "format_table", "median", "spread"]


def spread(values: Sequence[float]) -> str:
    """Half the distance between the quartiles, in percent of the median: how far to believe it."""
    if len(values) < 3 or not median(values):
        return "-"
    first, _, third = quantiles(values, n=4, method="inclusive")
    return f"{(third - first) / 2 / abs(median(values)):.0%}"


def format_table(headings: Sequence[str], rows: Sequence[Sequence[str]]) -> str:
    """Columns as wide as their widest cell, those of numbers to the right."""
    columns = list(zip(headings, *rows, strict=True))
    widths = [max(map(len, column)) for column in columns]
    are_numbers = [all(cell[:1] in "-+0123456789" for cell in column[1:]) for column in columns]
    lines = [
        "  ".join(
            cell.rjust(width) if is_number else cell.ljust(width)
            for cell, width, is_number in zip(row, widths, are_numbers, strict=True)
        ).rstrip()
        for row in (headings, ["-" * width for width in widths], *rows)
    ]
    return "\n".join(lines)


def describe_environment(*packages: str) -> str:
    """What was measured on what: for the top of the output."""
    found = []
    for package in packages:
        try:
            found.append(f"{package} {version(package)}")
        except PackageNotFoundError:
            found.append(f"{package} (not installed)")
    cores = len(os.sched_getaffinity(0))
    load = ", ".join(f"{number:.1f}" for number in os.getloadavg())
    return (
        f"django_asyncstatic {_revision()}; {', '.join([f'Python {platform.python_version()}', *found])}\n"
        f"{platform.system()} {platform.release()}, {cores} cores, load {load}\n"
    )


def _revision() -> str:
    try:
        command = ["git", "describe", "--always", "--dirty", "--tags"]
        return subprocess.check_output(command, cwd=Path(__file__).parent, text=True, stderr=subprocess.DEVNULL).strip()
    except (OSError, subprocess.CalledProcessError):
        from django_asyncstatic import __version__

        return __version__
