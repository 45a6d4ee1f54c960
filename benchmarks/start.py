#!/usr/bin/env python
"""Measures a start: from the process to its first response, with 10,000 and 100,000 static files.

    python benchmarks/start.py [--sizes 10000 100000] [--rounds N] [--servers ...] [--only ...]

Each round starts every server with every application twice, once for a page of the project ("page") and once
for a static file ("file") as the first request. Times are from before the process to the end of the response.
System calls of the stat family are counted by strace, in starts of their own. What ends the output is what
importing a middleware adds to a worker that has everything else.

A new application is an ``Application`` in :data:`APPLICATIONS`, a new server a line in ``servers.py``.
"""

from __future__ import annotations

import argparse
import json
import re
import shutil
import signal
import subprocess
import sys
import tempfile
import time
from collections import defaultdict
from pathlib import Path

HERE = Path(__file__).resolve().parent
sys.path[:0] = [str(HERE), str(HERE.parent)]

from fixture import SMALL, Tree, content, make_tree  # noqa: E402
from servers import SERVERS, Application, Running, cores, is_installed, pinned, running  # noqa: E402
from tables import describe_environment, format_table, median, spread  # noqa: E402

#: How much longer than Django alone the first page may take with ours, by number of URLs.
TARGETS = {10_000: 1.05, 100_000: 1.25}

ROUNDS = {10_000: 7, 100_000: 5}

SECURITY = "django.middleware.security.SecurityMiddleware"
COMMON = "django.middleware.common.CommonMiddleware"
OURS = "django_asyncstatic.middleware.AsyncStaticMiddleware"
WHITENOISE = "whitenoise.middleware.WhiteNoiseMiddleware"
SERVESTATIC = "servestatic.middleware.ServeStaticMiddleware"

OUR_STORAGE = "django_asyncstatic.storage.CompressedManifestStaticFilesStorage"
OUR_WRAPPERS = {
    "asgi": "django_asyncstatic.asgi.get_asgi_application",
    "wsgi": "django_asyncstatic.wsgi.get_wsgi_application",
}

DJANGO = Application("Django alone", middleware=(SECURITY, COMMON))

#: The first is what the others are compared with. Each finds Django's manifest and all files.
APPLICATIONS: tuple[Application, ...] = (
    DJANGO,
    Application(
        "ours, middleware",
        middleware=(SECURITY, OURS, COMMON),
        storage=OUR_STORAGE,
        apps=("django_asyncstatic",),
    ),
    Application(
        "ours, wrapper",
        middleware=(SECURITY, COMMON),
        storage=OUR_STORAGE,
        apps=("django_asyncstatic",),
        **OUR_WRAPPERS,
    ),
    Application(
        "ours, both",
        middleware=(SECURITY, OURS, COMMON),
        storage=OUR_STORAGE,
        apps=("django_asyncstatic",),
        **OUR_WRAPPERS,
    ),
    Application(
        "WhiteNoise",
        middleware=(SECURITY, WHITENOISE, COMMON),
        storage="whitenoise.storage.CompressedManifestStaticFilesStorage",
        needs="whitenoise",
    ),
    Application(
        "ServeStatic",
        middleware=(SECURITY, SERVESTATIC, COMMON),
        storage="servestatic.storage.CompressedManifestStaticFilesStorage",
        apps=("servestatic",),
        manifest_with_stats=True,
        needs="servestatic",
    ),
)

#: Middlewares whose import is measured.
MIDDLEWARES = {OURS: "django_asyncstatic", WHITENOISE: "whitenoise", SERVESTATIC: "servestatic"}

#: Run in a fresh process: seconds of processor time, bytes and modules that an import adds to a WSGI worker.
IMPORT = """
import gc, importlib, json, os, sys, time
from project.wsgi import application

def resident():
    gc.collect()
    return int(open("/proc/self/statm").read().split()[1]) * os.sysconf("SC_PAGE_SIZE")

modules, before = set(sys.modules), resident()
print("import time: marker", file=sys.stderr)
began = time.process_time()
importlib.import_module(sys.argv[1])
seconds = time.process_time() - began
print(json.dumps([seconds, resident() - before, len(set(sys.modules) - modules)]))
"""


# --- one measurement ----------------------------------------------------------------------------------------


def start(server: str, application: Application, tree: Tree, first: str) -> dict[str, float]:
    """Milliseconds to the first response, of the clock and of the processor, and MB of memory by then."""
    with running(server, application, tree) as process:
        request(process, tree, first)
        milliseconds = (time.perf_counter() - process.began) * 1e3
        return {
            "wall": milliseconds,
            "cpu": process.cpu_seconds() * 1e3,
            "memory": process.resident_bytes() / 1e6,
        }


def request(process: Running, tree: Tree, first: str) -> None:
    """Ask for a page or for a file, and make sure of the answer."""
    path, expected = ("/", b"Hello") if first == "page" else (f"/static/{tree.requested[SMALL]}", content(SMALL))
    status, _, body = process.get(path)
    if (status, body) != (200, expected):
        raise RuntimeError(f"{path} was answered with {status} and {len(body)} bytes.")


def count_stat_calls(server: str, application: Application, tree: Tree) -> int:
    """System calls of the stat family in a start and one page."""
    with tempfile.TemporaryDirectory() as directory:
        log = Path(directory) / "strace"
        # Only the calls that are traced stop the process.
        strace = ["strace", "-f", "-qq", "--seccomp-bpf", "-e", "trace=%%stat", "-o", str(log)]
        with running(server, application, tree, before=strace) as process:
            request(process, tree, "page")
            return sum("(" in line for line in log.open(errors="replace"))


def import_cost(middleware: str, tree: Tree, runs: int = 7) -> list[str]:
    """A row: what importing a middleware adds to a WSGI worker, and which modules take longest."""
    module = middleware.rpartition(".")[0]
    environment = DJANGO.environment(tree)

    def run(*options: str) -> subprocess.CompletedProcess[str]:
        command = pinned(cores()[0], [sys.executable, *options, "-c", IMPORT, module])
        return subprocess.run(command, env=environment, check=True, capture_output=True, text=True)

    samples = [json.loads(run().stdout) for _ in range(runs)]
    seconds, memory, modules = (median(column) for column in zip(*samples, strict=True))
    listed = run("-X", "importtime").stderr.rpartition("import time: marker")[2]
    own = re.findall(r"import time: +(\d+) \| +\d+ \| +(\S+)", listed)
    slowest = sorted(own, key=lambda found: -int(found[0]))[:4]
    return [
        module,
        f"{seconds * 1e3:.1f}",
        spread([sample[0] for sample in samples]),
        f"{memory / 1e6:.2f}",
        f"{modules:.0f}",
        ", ".join(f"{name} {int(us) / 1e3:.1f}" for us, name in slowest),
    ]


# --- all of them --------------------------------------------------------------------------------------------


def compare(size: int, options: argparse.Namespace, tree: Tree) -> None:
    """Starts in rounds, every application after the other, and a table for each server."""
    applications = [each for each in APPLICATIONS if is_installed(each.needs)]
    if options.only:
        applications = [each for each in applications if each is DJANGO or each.name in options.only]
    rounds = options.rounds or ROUNDS.get(size, 5)
    cells = [
        (server, each, first)
        for server in options.servers
        for each in applications
        for first in ("page", "file")
        if first == "page" or each is not DJANGO
    ]
    for server, each, first in cells:  # writes bytecode, fills the page cache
        if first == "page":
            start(server, each, tree, first)
    samples = defaultdict(list)
    for number in range(rounds):
        for server, each, first in cells:
            samples[server, each.name, first].append(start(server, each, tree, first))
        print(f"  {size:,} URLs: round {number + 1} of {rounds}", file=sys.stderr, flush=True)

    for server in options.servers:
        base = {
            figure: median([sample[figure] for sample in samples[server, DJANGO.name, "page"]])
            for figure in ("wall", "cpu")
        }
        rows = []
        for each in applications:
            row = [each.name]
            for first in ("page", "file"):
                found = samples[server, each.name, first]
                if not found:
                    row += [""] * 6
                    continue
                for figure in ("wall", "cpu"):
                    values = [sample[figure] for sample in found]
                    row += [f"{median(values):,.0f}", f"{median(values) / base[figure]:.2f}x"]
                    if figure == "wall":
                        row.append(spread(values))
                row.append(f"{median([sample['memory'] for sample in found]):.0f}")
            calls = f"{count_stat_calls(server, each, tree):,}" if options.strace else "-"
            rows.append([*row, calls])
        headings = ["first response:"]
        headings += ["page ms", "ratio", "±", "CPU ms", "ratio", "RSS MB"]
        headings += ["file ms", "ratio", "±", "CPU ms", "ratio", "RSS MB", "stat calls"]
        print(f"\n{size:,} URLs, {server}, median of {rounds}, ratios to Django alone and its page\n")
        print(format_table(headings, rows))
        if target := TARGETS.get(size):
            for each in applications:
                if each.name.startswith("ours"):
                    ratio, fastest = ratios(samples[server, each.name, "page"], samples[server, DJANGO.name, "page"])
                    verdict = "met" if ratio <= target else "MISSED"
                    print(
                        f"Target: {each.name} at most {target}x. Is {ratio:.2f}x, {verdict}"
                        f" (the fastest starts of each: {fastest:.2f}x)."
                    )
        sys.stdout.flush()


def ratios(samples: list[dict[str, float]], base: list[dict[str, float]]) -> tuple[float, float]:
    """The medians' ratio, and the minima's: noise only ever adds, so with few rounds the second is steadier."""
    ours, theirs = ([sample["wall"] for sample in found] for found in (samples, base))
    return median(ours) / median(theirs), min(ours) / min(theirs)


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--sizes", type=int, nargs="+", default=[10_000, 100_000], metavar="N")
    parser.add_argument("--rounds", type=int, help="default: 7 for 10,000 URLs, 5 for others")
    parser.add_argument("--servers", nargs="+", choices=SERVERS, default=["uvicorn", "gunicorn"])
    parser.add_argument("--only", nargs="+", metavar="APPLICATION", choices=[each.name for each in APPLICATIONS])
    parser.add_argument("--no-strace", dest="strace", action="store_false", help="do not count system calls")
    options = parser.parse_args()
    # So that neither a server nor a directory stays behind.
    signal.signal(signal.SIGTERM, lambda *_: sys.exit(143))
    if options.strace and not shutil.which("strace"):
        parser.error("strace is not installed: install it, or give --no-strace.")
    options.servers = [server for server in options.servers if is_installed(server)]

    print(describe_environment("Django", "uvicorn", "uvloop", "httptools", "gunicorn", "whitenoise", "servestatic"))
    print("N counts URLs: half plain names, half hashed ones. No file but the requested has compressed copies.")
    for size in options.sizes:
        with tempfile.TemporaryDirectory(prefix="asyncstatic-start-") as directory:
            tree = make_tree(Path(directory), size)
            compare(size, options, tree)
            if size == options.sizes[-1]:
                print("\nWhat an import adds to a worker that has Django and the project\n")
                rows = [import_cost(name, tree) for name, package in MIDDLEWARES.items() if is_installed(package)]
                print(format_table(["module", "ms", "±", "RSS MB", "modules", "slowest (own ms)"], rows))


if __name__ == "__main__":
    main()
