#!/usr/bin/env python
"""Measures collectstatic: a first run, a run in which nothing has changed, and that on a fresh checkout.

    python benchmarks/collect.py [--files 0 10000] [--rounds N] [--peers-rounds N] [--candidates ours,whitenoise]
    python benchmarks/collect.py --strace --files 10000
    python benchmarks/collect.py --large

Each run is a process of its own, ``manage.py collectstatic --noinput``, from its start to its end, in a project
that has nothing else. In each round every candidate collects into an empty directory, then every one again, then,
after all sources were given a new time, every one again. "limit" is what nothing can be faster than: each distinct
content is hashed and compressed once on all cores, or, in a run without changes, each file is read and hashed.

A new candidate is a line of :data:`CANDIDATES`.
"""

from __future__ import annotations

import argparse
import json
import os
import re
import shutil
import signal
import subprocess
import sys
import tempfile
import time
from collections import Counter, defaultdict
from collections.abc import Sequence
from dataclasses import asdict, dataclass
from importlib.util import find_spec
from pathlib import Path

HERE = Path(__file__).resolve().parent
sys.path[:0] = [str(HERE), str(HERE.parent)]

from corpus import Corpus, admin_corpus, large_corpus, make_corpus  # noqa: E402
from tables import describe_environment, format_table, median, spread  # noqa: E402

from django_asyncstatic.index import INDEX_NAME, TIMES_NAME  # noqa: E402

STATICFILES = "django.contrib.staticfiles"
OURS = "django_asyncstatic"
OUR_STORAGE = "django_asyncstatic.storage.CompressedManifestStaticFilesStorage"
DMSE = "django_manifeststaticfiles_enhanced"


@dataclass(frozen=True)
class Candidate:
    """A storage, the apps in their order, and the package without which its rows are left out.

    ``is_peer``: takes minutes, and so has rounds of its own. ``zstd``: asks for it under its name in Python 3.14.
    """

    title: str
    storage: str
    apps: tuple[str, ...] = (STATICFILES,)
    needs: str = "django"
    is_peer: bool = False
    zstd: bool = False


#: By the name that ``--candidates`` takes. The two limits are no storages.
CANDIDATES: dict[str, Candidate] = {
    "plain": Candidate("Django, plain", "django.contrib.staticfiles.storage.StaticFilesStorage"),
    "manifest": Candidate("Django, manifest", "django.contrib.staticfiles.storage.ManifestStaticFilesStorage"),
    "dmse": Candidate(
        "manifest, enhanced",
        f"{DMSE}.storage.EnhancedManifestStaticFilesStorage",
        apps=(DMSE, STATICFILES),
        needs=DMSE,
    ),
    "whitenoise": Candidate(
        "WhiteNoise",
        "whitenoise.storage.CompressedManifestStaticFilesStorage",
        needs="whitenoise",
        is_peer=True,
    ),
    "servestatic": Candidate(
        "ServeStatic",
        "servestatic.storage.CompressedManifestStaticFilesStorage",
        apps=("servestatic", STATICFILES),
        needs="servestatic",
        is_peer=True,
        zstd=True,
    ),
    "ours": Candidate("ours", OUR_STORAGE, apps=(OURS, STATICFILES)),
    "ours-command": Candidate("ours, Django's command", OUR_STORAGE, apps=(STATICFILES, OURS)),
}
LIMIT = "limit"

#: The stages of a round, with what their table says.
FIRST, UNCHANGED, FRESH = "first", "unchanged", "fresh"
STAGES = {
    FIRST: ("first run", "plain + limit"),
    UNCHANGED: ("nothing has changed", "plain"),
    FRESH: ("fresh checkout: all times new, nothing else", "plain with nothing changed + limit"),
}

#: What is promised for ours, for TARGET_FILES: times what the table compares with, and MB.
TARGET_FILES = 10_000
TARGETS = {FIRST: 1.15, UNCHANGED: 1.3, FRESH: 1.3}
TARGET_MEMORY, TARGET_PEERS = 150, 20

#: Above so many files only these are run unless ``--candidates`` says otherwise.
MANY, OF_MANY = 10_000, (LIMIT, "plain", "ours")

Figures = dict[str, float]
#: Of each run, by candidate and stage.
Samples = dict[tuple[str, str], list[Figures]]


# --- one measurement ----------------------------------------------------------------------------------------


@dataclass(frozen=True)
class Place:
    """The sources, and the directory below which each candidate has its STATIC_ROOT."""

    corpus: Corpus
    directory: Path

    def root(self, name: str) -> Path:
        return self.directory / "roots" / name

    def command(self, name: str, stage: str) -> list[str]:
        manage = [sys.executable, "-m", "project.manage"]
        if name == LIMIT:
            return [*manage, LIMIT, str(self.corpus.root), *(["--compress"] if stage == FIRST else [])]
        return [*manage, "collectstatic", "--noinput"]

    def environment(self, name: str) -> dict[str, str]:
        # Bytecode is written, as pip does when it installs.
        inherited = {key: value for key, value in os.environ.items() if key != "PYTHONDONTWRITEBYTECODE"}
        path = os.pathsep.join(filter(None, [str(HERE), str(HERE.parent), os.environ.get("PYTHONPATH")]))
        environment = {**inherited, "PYTHONPATH": path}
        if name != LIMIT:
            benchmark = {
                **asdict(CANDIDATES[name]),
                "sources": str(self.corpus.root),
                "root": str(self.root(name)),
            }
            environment["BENCHMARK"] = json.dumps(benchmark)
        return environment


def measure(place: Place, name: str, stage: str) -> Figures:
    """Seconds of the clock and of the processor, MB of memory at most and MB written, number of write calls."""
    report, log = place.directory / "report", place.directory / "log"
    report.unlink(missing_ok=True)
    os.sync()  # what the one before has left to write is not this one's
    environment = {**place.environment(name), "BENCHMARK_REPORT": str(report)}
    with log.open("wb") as output:
        began = time.perf_counter()
        process = subprocess.Popen(
            place.command(name, stage),
            env=environment,
            cwd=place.directory,
            stdin=subprocess.DEVNULL,
            stdout=output,
            stderr=subprocess.STDOUT,
        )
        try:
            _, status, usage = os.wait4(process.pid, 0)
        except BaseException:
            process.kill()
            process.wait()
            raise
        wall = time.perf_counter() - began
    process.returncode = os.waitstatus_to_exitcode(status)
    if process.returncode:
        raise RuntimeError(f"{name}, {stage}, ended with {process.returncode}:\n{log.read_text(errors='replace')}")
    used = json.loads(report.read_text())
    return {
        "wall": wall,
        "cpu": usage.ru_utime + usage.ru_stime,
        "memory": used["memory"] / 1e6,
        "written": used["written"] / 1e6,
        "writes": used["writes"],
    }


def touch(corpus: Corpus) -> None:
    """Give all sources a time later than that of whatever was collected, in whole seconds, and let it pass."""
    time.sleep(2)
    corpus.set_times(time.time())
    time.sleep(2)


# --- rounds and their tables --------------------------------------------------------------------------------


def compare(place: Place, names: Sequence[str], rounds: int, peers_rounds: int, title: str) -> Samples:
    """All candidates in rounds; prints a table for each stage."""
    samples: Samples = defaultdict(list)
    collected: dict[str, str] = {}
    for number in range(rounds):
        current = [each for each in names if number < peers_rounds or not is_peer(each)]
        place.corpus.set_times(time.time() - 86_400)
        for stage in STAGES:
            if stage == FRESH:
                touch(place.corpus)
            for name in current:
                if name == LIMIT and stage == FRESH:  # to read and hash takes as long, whatever the times
                    continue
                samples[name, stage].append(found := measure(place, name, stage))
                told = f"{stage}: {name} {found['wall']:.1f} s"
                print(f"  round {number + 1} of {rounds}, {told}", file=sys.stderr, flush=True)
        for name in current:
            if name != LIMIT:
                collected.setdefault(name, count(place.root(name)))
                shutil.rmtree(place.root(name))
    for name in names:
        if name == LIMIT:
            samples[LIMIT, FRESH] = samples[LIMIT, UNCHANGED]
    for stage, (what, beside) in STAGES.items():
        base = compared_with(samples, stage)
        print(f"\n{title}, {what}, ratios to {beside}\n")
        print(format_table(["", *HEADINGS], [row(name, samples[name, stage], base) for name in names]))
    print("\nWhat is then in STATIC_ROOT\n")
    print(format_table(["", "files", "MB"], [[label(name), *found.split()] for name, found in collected.items()]))
    sys.stdout.flush()
    return samples


HEADINGS = ["wall s", "ratio", "±", "CPU s", "ratio", "±", "peak MB", "MB written", "writes", "runs"]


def row(name: str, found: list[Figures], base: Figures) -> list[str]:
    cells = [label(name)]
    for figure in ("wall", "cpu"):
        values = [sample[figure] for sample in found]
        ratio = f"{median(values) / base[figure]:.2f}x" if base else "-"
        cells += [f"{median(values):.2f}", ratio, spread(values)]
    return [
        *cells,
        f"{median([sample['memory'] for sample in found]):.0f}",
        f"{median([sample['written'] for sample in found]):.2f}",
        f"{median([sample['writes'] for sample in found]):,.0f}",
        f"{len(found)}",
    ]


def compared_with(samples: Samples, stage: str) -> Figures:
    """The seconds that a stage's ratios are to; empty if what they are made of was not run."""
    parts = {
        FIRST: [("plain", FIRST), (LIMIT, FIRST)],
        UNCHANGED: [("plain", UNCHANGED)],
        FRESH: [("plain", UNCHANGED), (LIMIT, UNCHANGED)],
    }[stage]
    if not all(samples[part] for part in parts):
        return {}
    return {
        figure: sum(median([sample[figure] for sample in samples[part]]) for part in parts)
        for figure in ("wall", "cpu")
    }


def judge(samples: Samples, names: Sequence[str]) -> None:
    """Whether what is promised is so."""

    def of(name: str, stage: str, figure: str) -> float:
        return median([sample[figure] for sample in samples[name, stage]])

    def verdict(is_met: bool) -> str:
        return "met" if is_met else "MISSED"

    print()
    for name in names:
        if CANDIDATES.get(name, CANDIDATES["plain"]).storage != OUR_STORAGE:
            continue
        for stage, target in TARGETS.items():
            if base := compared_with(samples, stage):
                cpu, wall = (of(name, stage, figure) / base[figure] for figure in ("cpu", "wall"))
                print(
                    f"Target: {label(name)}, {stage}, at most {target}x. Is {cpu:.2f}x of CPU time and"
                    f" {wall:.2f}x of wall time, {verdict(max(cpu, wall) <= target)}."
                )
        for peer in filter(is_peer, names):
            for stage in (UNCHANGED, FRESH):
                times = of(peer, stage, "cpu") / of(name, stage, "cpu")
                print(
                    f"Target: {label(name)}, {stage}, at least {TARGET_PEERS} times as fast as {label(peer)}."
                    f" Is {times:.0f} times in CPU time, {verdict(times >= TARGET_PEERS)}."
                )
        memory = max(of(name, stage, "memory") for stage in STAGES)
        print(
            f"Target: {label(name)}, memory under {TARGET_MEMORY} MB. Is {memory:.0f} MB at most,"
            f" {verdict(memory < TARGET_MEMORY)}."
        )


def label(name: str) -> str:
    return LIMIT if name == LIMIT else CANDIDATES[name].title


def is_peer(name: str) -> bool:
    return name != LIMIT and CANDIDATES[name].is_peer


def count(root: Path) -> str:
    """Number and MB of the files below a directory."""
    sizes = [os.lstat(os.path.join(folder, file)).st_size for folder, _, files in os.walk(root) for file in files]
    return f"{len(sizes):,} {sum(sizes) / 1e6:.2f}"


# --- system calls -------------------------------------------------------------------------------------------

#: Calls that change a file that they name, or that is open; the latter name it in their first descriptor.
BY_PATH = (
    "open openat openat2 creat rename renameat renameat2 link linkat symlink symlinkat unlink unlinkat rmdir mkdir"
    " mkdirat mknod mknodat truncate chmod fchmodat fchmodat2 chown lchown fchownat utime utimes futimesat utimensat"
    " setxattr lsetxattr removexattr lremovexattr"
)
BY_DESCRIPTOR = (
    "write writev pwrite64 pwritev pwritev2 ftruncate fallocate fchmod fchown fsetxattr fremovexattr sendfile splice"
    " copy_file_range"
)
OPEN_TO_WRITE = re.compile(r"O_(?:WRONLY|RDWR|CREAT|TRUNC|APPEND|TMPFILE)")
CALL = re.compile(r"(\w+)\((.*)")
DESCRIPTOR = re.compile(r"(?:AT_FDCWD|\d+)<([^>]*)>")
#: A path, with the directory that it is relative to where the call names one.
PATH = re.compile(r'(?:(?:AT_FDCWD|\d+)<([^>]*)>, )?"((?:[^"\\]|\\.)*)"')


def trace(place: Place, name: str) -> None:
    """Collect, then run again twice under strace; print the calls that change something below STATIC_ROOT."""
    place.corpus.set_times(time.time() - 86_400)
    measure(place, name, FIRST)
    for stage in (UNCHANGED, FRESH):
        if stage == FRESH:
            touch(place.corpus)
        logs = place.directory / f"strace-{name}-{stage}"
        logs.mkdir()
        calls = [f"?{call}" for call in f"{BY_PATH} {BY_DESCRIPTOR}".split()]
        strace = ["strace", "-ff", "-y", "-qq", "-s", "16", "--seccomp-bpf", "-e", f"trace={','.join(calls)}"]
        command = [*strace, "-o", str(logs / "thread"), *place.command(name, stage)]
        subprocess.run(command, env=place.environment(name), cwd=place.directory, check=True, capture_output=True)
        found: dict[str, list[str]] = {kind: [] for kind in KINDS}
        for log in sorted(logs.iterdir()):
            for line in log.read_text(errors="replace").splitlines():
                if paths := changed_paths(line, place.directory, place.root(name)):
                    kinds = {kind_of(path) for path in paths}
                    found[next(kind for kind in KINDS if kind in kinds)].append(line)
        shutil.rmtree(logs)
        print(f"\n{label(name)}, {STAGES[stage][0]}: calls that open to write, write, rename, link or remove\n")
        for kind, lines in found.items():
            calls_made = Counter(line.partition("(")[0] for line in lines)
            listed = ", ".join(f"{call} {number:,}" for call, number in calls_made.most_common())
            print(f"{kind}: {len(lines):,}{f' ({listed})' if listed else ''}")
            for line in lines[: 24 if kind == KINDS[0] else 12]:
                print(f"    {line.replace(str(place.root(name)), 'STATIC_ROOT')}")
        verdict = "MISSED" if found[KINDS[0]] else "met"
        print(f"Target: {label(name)}, {stage}, no write to a served file. {len(found[KINDS[0]]):,} calls, {verdict}.")
        sys.stdout.flush()
    shutil.rmtree(place.root(name))


#: What a changed path is, that of most weight first.
KINDS = ("served files and directories", "index, times and manifest", "temporary names", "private, .asyncstatic")
#: Written, and then put in the place of what the call that does so tells.
TEMPORARY = re.compile(r"\..*\.asyncstatic(?:-\w+)?")


def changed_paths(line: str, directory: Path, root: Path) -> list[str]:
    """The paths below the root, relative to it, that a line of strace's changes."""
    if not (match := CALL.match(line)):
        return []
    call, arguments = match.groups()
    if call in BY_DESCRIPTOR.split():
        descriptors = DESCRIPTOR.findall(arguments)
        # These two read from one and write to the other.
        paths = descriptors[1:2] if call in ("copy_file_range", "splice") else descriptors[:1]
    elif call.startswith("open") and not OPEN_TO_WRITE.search(arguments):
        return []
    else:
        paths = [os.path.join(directory, base, name) for base, name in PATH.findall(arguments)]
    relative = [os.path.relpath(path, root) for path in paths]
    return [path for path in relative if path.split("/")[0] != ".."]


def kind_of(path: str) -> str:
    name = os.path.basename(path)
    if ".asyncstatic" in path.split("/"):
        return KINDS[3]
    if TEMPORARY.fullmatch(name):
        return KINDS[2]
    return KINDS[1] if name in (INDEX_NAME, TIMES_NAME, "staticfiles.json") else KINDS[0]


# --- all of it ----------------------------------------------------------------------------------------------


def warm_up(directory: Path, names: Sequence[str]) -> None:
    """Each once, on the admin's files: writes bytecode, and tells early what does not work."""
    place = Place(admin_corpus(directory / "warm"), directory)
    for name in names:
        measure(place, name, FIRST)
        shutil.rmtree(place.root(name), ignore_errors=True)


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--files", type=int, nargs="+", default=[0, TARGET_FILES], metavar="N", help="0: the admin's")
    parser.add_argument("--rounds", type=int, default=3, metavar="N")
    parser.add_argument("--peers-rounds", type=int, default=1, metavar="N", help="of those that take minutes each")
    parser.add_argument("--candidates", metavar="NAME,...", help=f"of {', '.join([LIMIT, *CANDIDATES])}")
    parser.add_argument("--packages", type=Path, nargs="+", default=[], metavar="SITE-PACKAGES", help="of the corpus")
    parser.add_argument("--directory", type=Path, help="where to make temporary directories")
    parser.add_argument("--strace", action="store_true", help="show what ours writes in runs without changes instead")
    parser.add_argument("--large", action="store_true", help="one file of random bytes, and one of text, instead")
    parser.add_argument("--large-size", type=int, default=500, metavar="MB")
    options = parser.parse_args()
    # So that neither a process nor a directory stays behind.
    signal.signal(signal.SIGTERM, lambda *_: sys.exit(143))
    known = [LIMIT, *(name for name, each in CANDIDATES.items() if find_spec(each.needs))]
    asked = options.candidates.split(",") if options.candidates else known
    if unknown := set(asked) - set(known):
        parser.error(f"There is no candidate {', '.join(sorted(unknown))}, or its package is not installed.")
    if options.strace and not shutil.which("strace"):
        parser.error("strace is not installed.")

    print(describe_environment("Django", "whitenoise", "servestatic", "django-manifeststaticfiles-enhanced", "Brotli"))
    with tempfile.TemporaryDirectory(prefix="asyncstatic-collect-", dir=options.directory) as directory:
        base = Path(directory)
        if options.strace:
            asked = [name for name in asked if CANDIDATES.get(name, CANDIDATES["plain"]).storage == OUR_STORAGE]
        if options.large:
            names = [name for name in asked if name in OF_MANY] if options.candidates is None else asked
            warm_up(base, names)
            for text in (False, True):
                corpus = large_corpus(base / f"large-{text:d}", options.large_size, text=text)
                title = f"One file of {options.large_size} MB of {'text' if text else 'random bytes'}"
                if options.strace:
                    print(f"\n{title}")
                    for name in names:
                        trace(Place(corpus, base), name)
                else:
                    compare(Place(corpus, base), names, 1, 1, title)
                shutil.rmtree(corpus.root)
            return
        warm_up(base, asked)
        for files in options.files:
            names = asked
            if files > MANY and options.candidates is None:
                names = [name for name in asked if name in OF_MANY]
            root = base / f"sources-{files}"
            corpus = make_corpus(root, files, options.packages) if files else admin_corpus(root)
            title = f"{files:,} files" if files else "The admin's files"
            print(f"\n{title}\n\n{corpus.describe()}")
            if corpus.left_out:
                print(f"{len(corpus.left_out)} files of the packages are left out: a storage fails in them.")
            sys.stdout.flush()
            place = Place(corpus, base)
            if options.strace:
                for name in names:
                    trace(place, name)
            else:
                samples = compare(place, names, options.rounds, options.peers_rounds, title)
                if files == TARGET_FILES:
                    judge(samples, names)
            shutil.rmtree(root)


if __name__ == "__main__":
    main()
