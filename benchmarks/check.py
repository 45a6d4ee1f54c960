#!/usr/bin/env python
"""Measures checkstatic, fast and deep, beside what a deploy pays anyway: collectstatic with nothing to do.

    python benchmarks/check.py [--files 10000] [--templates 1000] [--rounds N] [--tag FAMILY ...]

Each run is a process of its own, from its start to its end, in a project that was collected once. In each round every
row runs once, one after the other. The sources are those of ``collect.py``; the templates are those of the apps that
are installed, copied until there are enough.

A new row is a line of :data:`ROWS`.
"""

from __future__ import annotations

import argparse
import json
import os
import shutil
import signal
import sys
import tempfile
import time
from collections import defaultdict
from collections.abc import Sequence
from dataclasses import dataclass
from importlib.util import find_spec
from pathlib import Path

HERE = Path(__file__).resolve().parent
sys.path[:0] = [str(HERE), str(HERE.parent)]

from collect import Figures, Place, measure  # noqa: E402
from corpus import make_corpus  # noqa: E402
from tables import describe_environment, format_table, median, spread  # noqa: E402

#: Whose templates and static files the project has, as far as they are installed.
APPS = (
    *("django.contrib.admin", "django.contrib.admindocs", "django.contrib.auth", "django.contrib.contenttypes"),
    *("django.contrib.messages", "django.contrib.sessions", "debug_toolbar", "rest_framework"),
)

#: By its heading, what a row runs. The first is what the others are compared with.
ROWS: dict[str, tuple[str, ...]] = {
    "collectstatic, nothing to do": ("collectstatic", "--noinput"),
    "  Django's, plain names": ("collectstatic", "--noinput"),
    "  Django's, with a manifest": ("collectstatic", "--noinput"),
    "checkstatic": ("checkstatic", "--fail-level", "never"),
    "checkstatic --deep": ("checkstatic", "--fail-level", "never", "--deep"),
}
COLLECT, PLAIN, MANIFEST, FAST, DEEP = ROWS

#: Whose storage is Django's; they have a STATIC_ROOT each, and our app is not installed.
STORAGES = {
    PLAIN: "django.contrib.staticfiles.storage.StaticFilesStorage",
    MANIFEST: "django.contrib.staticfiles.storage.ManifestStaticFilesStorage",
}

#: What is promised, for so many files and templates: times of the first row.
TARGET_FILES, TARGET_TEMPLATES, TARGET = 10_000, 1_000, 1.0


@dataclass(frozen=True)
class Project(Place):
    """A project with static files and templates; ``tags`` are the families of checks that run, all if there is none."""

    templates: Path
    tags: tuple[str, ...]

    def command(self, name: str, stage: str) -> list[str]:
        tags = [f"--tag={tag}" for tag in self.tags] if "checkstatic" in ROWS[name] else []
        return [sys.executable, "-m", "project.manage", *ROWS[name], *tags]

    def environment(self, name: str) -> dict[str, str]:
        benchmark = {
            "apps": [app for app in APPS if find_spec(app)],
            "sources": str(self.corpus.root),
            "root": str(self.root(name.strip() if name in STORAGES else "project")),
            "storage": STORAGES.get(name),
            "templates": str(self.templates),
        }
        inherited = {key: value for key, value in os.environ.items() if key != "PYTHONDONTWRITEBYTECODE"}
        path = os.pathsep.join(filter(None, [str(HERE), str(HERE.parent), os.environ.get("PYTHONPATH")]))
        return {
            **inherited,
            "PYTHONPATH": path,
            "BENCHMARK_SETTINGS": "project.check_settings",
            "BENCHMARK": json.dumps(benchmark),
        }


def make_templates(directory: Path, number: int) -> int:
    """So many templates in a new directory, whole copies as far as they go; how many distinct ones there are."""
    found = []
    for app in APPS:
        spec = find_spec(app)
        for location in (spec and spec.submodule_search_locations) or ():
            root = Path(location, "templates")
            found += [(app, root, path) for path in sorted(root.rglob("*")) if path.is_file()]
    for written in range(number):
        copy, position = divmod(written, len(found))
        app, root, path = found[position]
        target = directory / f"{copy:04}" / app / path.relative_to(root)
        target.parent.mkdir(parents=True, exist_ok=True)
        shutil.copyfile(path, target)
    return min(number, len(found))


HEADINGS = ["", "wall s", "ratio", "±", "CPU s", "ratio", "±", "peak MB", "runs"]


def table(samples: dict[str, list[Figures]]) -> str:
    rows = []
    for name, found in samples.items():
        cells = [name]
        for figure in ("wall", "cpu"):
            values = [sample[figure] for sample in found]
            cells += [f"{median(values):.2f}", f"{ratio(samples, name, figure):.2f}x", spread(values)]
        rows.append([*cells, f"{median([sample['memory'] for sample in found]):.0f}", f"{len(found)}"])
    return format_table(HEADINGS, rows)


def ratio(samples: dict[str, list[Figures]], name: str, figure: str, to: str = COLLECT) -> float:
    """To another row, as the median of the rounds' ratios: what slows a round down slows both of its runs."""
    pairs = zip(samples[name], samples[to], strict=True)
    return median([sample[figure] / base[figure] for sample, base in pairs])


def compare(project: Project, rounds: int) -> dict[str, list[Figures]]:
    samples: dict[str, list[Figures]] = defaultdict(list)
    for name in (COLLECT, *STORAGES):
        measure(project, name, "first")
    for name in ROWS:  # writes bytecode, and fills the caches of the operating system
        measure(project, name, "again")
        if name in (FAST, DEEP):
            print(f"{name}: {(project.directory / 'log').read_text(errors='replace').splitlines()[-1]}")
    for number in range(rounds):
        for name in ROWS:
            samples[name].append(found := measure(project, name, "again"))
            print(f"  round {number + 1} of {rounds}, {name}: {found['wall']:.2f} s", file=sys.stderr, flush=True)
    return samples


def judge(samples: dict[str, list[Figures]]) -> str:
    lines = []
    for base in (COLLECT, PLAIN, MANIFEST):
        wall, cpu = (ratio(samples, FAST, figure, base) for figure in ("wall", "cpu"))
        whose = "ours" if base == COLLECT else base.strip()
        verdict = "met" if wall <= TARGET else "MISSED"
        lines.append(f"  {whose}: {verdict} at {wall:.2f}x of its time, {cpu:.2f}x of its processor time")
    return f"Target: {FAST} takes no longer than {COLLECT}.\n" + "\n".join(lines)


def main(arguments: Sequence[str] | None = None) -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--files", type=int, default=TARGET_FILES, metavar="N")
    parser.add_argument("--templates", type=int, default=TARGET_TEMPLATES, metavar="N")
    parser.add_argument("--rounds", type=int, default=7, metavar="N")
    parser.add_argument("--tag", action="append", default=[], metavar="FAMILY", help="measure these checks only")
    parser.add_argument("--packages", type=Path, nargs="+", default=[], metavar="SITE-PACKAGES", help="of the corpus")
    parser.add_argument("--directory", type=Path, help="where to make a temporary directory")
    options = parser.parse_args(arguments)
    # So that neither a process nor a directory stays behind.
    signal.signal(signal.SIGTERM, lambda *_: sys.exit(143))
    print(describe_environment("Django", "Brotli", "tinycss2"))
    with tempfile.TemporaryDirectory(prefix="asyncstatic-check-", dir=options.directory) as directory:
        base = Path(directory)
        corpus = make_corpus(base / "sources", options.files, options.packages)
        corpus.set_times(time.time() - 86_400)
        distinct = make_templates(base / "templates", options.templates)
        print(
            f"{options.files:,} static files and those of the apps; {options.templates:,} templates, {distinct:,} of"
            f" them distinct; checks: {', '.join(options.tag) or 'all'}.\n"
        )
        samples = compare(Project(corpus, base, base / "templates", tuple(options.tag)), options.rounds)
    print(f"\nRatios to {COLLECT}\n\n{table(samples)}")
    if (options.files, options.templates) == (TARGET_FILES, TARGET_TEMPLATES):
        print(f"\n{judge(samples)}")


if __name__ == "__main__":
    main()
