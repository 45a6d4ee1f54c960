#!/usr/bin/env python
"""Measures serving: processor time and requests a second for small files, as they are and compressed, and for a 304.

    python benchmarks/serve.py [--rounds 5] [--seconds 2] [--only wrapper uvicorn/limit ...] [--quick]

One worker on one core, wrk with 64 connections that are kept alive on the other. In each round every row is
started anew and answers every request: a 2 kB stylesheet and a 90 kB script, each as it is and for a client that takes
brotli, and the stylesheet for a client that has it. The processor time of the server's processes, user and
system, is the steadier figure; requests a second depend on what else the machine does.

A new row is a line of :data:`ROWS`, a new server a line in ``servers.py``.
"""

from __future__ import annotations

import argparse
import re
import shutil
import signal
import subprocess
import sys
import tempfile
from collections import defaultdict
from dataclasses import dataclass
from pathlib import Path

HERE = Path(__file__).resolve().parent
sys.path[:0] = [str(HERE), str(HERE.parent)]

from fixture import LARGE, SMALL, Tree, content, make_tree  # noqa: E402
from servers import Application, Running, cores, is_installed, pinned, running  # noqa: E402
from tables import describe_environment, format_table, median, spread  # noqa: E402

from django_asyncstatic.codings import CODINGS  # noqa: E402

CONNECTIONS = 64

#: URLs of the site whose files are asked for: as many as a small site has.
URLS = 1_000

#: By server, what the project promises of its wrapper: at most so many times the limit's processor time, or at most so
#: many microseconds more.
WRAPPER_TIMES = {"uvicorn": 1.15, "gunicorn": 1.15}
WRAPPER_ABOVE = {"granian-asgi": 7.0, "granian-wsgi": 7.0}
#: … and of its middleware: so many microseconds more than an empty one.
MIDDLEWARE_ABOVE = 25.0
#: An identity 200 of the wrapper on uvicorn costs at least so many times less than any peer's.
PEERS_TIMES = 10.0

OUR_APPS = ("django_asyncstatic",)
OUR_STORAGE = "django_asyncstatic.storage.CompressedManifestStaticFilesStorage"

LIMIT = Application("limit", asgi="project.limit.asgi", wsgi="project.limit.wsgi")
FLOOR = Application("floor", middleware=("project.floor.constant",))
FLOOR_SYNC = Application("floor", middleware=("project.floor.constant_sync",))
OUR_WRAPPER = Application(
    "wrapper: ours",
    asgi="django_asyncstatic.asgi.get_asgi_application",
    wsgi="django_asyncstatic.wsgi.get_wsgi_application",
    storage=OUR_STORAGE,
    apps=OUR_APPS,
)
SERVESTATIC_WRAPPER = Application(
    "wrapper: ServeStatic",
    asgi="project.peers.servestatic_asgi",
    wsgi="project.peers.servestatic_wsgi",
    needs="servestatic",
)
WHITENOISE_WRAPPER = Application(
    "wrapper: WhiteNoise",
    wsgi="project.peers.whitenoise_wsgi",
    needs="whitenoise",
)
BLACKNOISE_WRAPPER = Application(
    "wrapper: BlackNoise",
    asgi="project.peers.blacknoise_asgi",
    needs="blacknoise",
)
OUR_MIDDLEWARE = Application(
    "middleware: ours",
    middleware=("django_asyncstatic.middleware.AsyncStaticMiddleware",),
    storage=OUR_STORAGE,
    apps=OUR_APPS,
)
SERVESTATIC_MIDDLEWARE = Application(
    "middleware: ServeStatic",
    middleware=("servestatic.middleware.ServeStaticMiddleware",),
    storage="servestatic.storage.CompressedManifestStaticFilesStorage",
    apps=("servestatic",),
    manifest_with_stats=True,
    needs="servestatic",
)
WHITENOISE_MIDDLEWARE = Application(
    "middleware: WhiteNoise",
    middleware=("whitenoise.middleware.WhiteNoiseMiddleware",),
    storage="whitenoise.storage.CompressedManifestStaticFilesStorage",
    needs="whitenoise",
)

#: Server and application. The first of a server is what the others are compared with.
ROWS: tuple[tuple[str, Application], ...] = (
    ("uvicorn", LIMIT),
    ("uvicorn", OUR_WRAPPER),
    ("uvicorn", BLACKNOISE_WRAPPER),
    ("uvicorn", SERVESTATIC_WRAPPER),
    ("uvicorn", FLOOR),
    ("uvicorn", OUR_MIDDLEWARE),
    ("uvicorn", SERVESTATIC_MIDDLEWARE),
    ("uvicorn", WHITENOISE_MIDDLEWARE),
    ("granian-asgi", LIMIT),
    ("granian-asgi", OUR_WRAPPER),
    ("granian-asgi", BLACKNOISE_WRAPPER),
    ("granian-asgi", SERVESTATIC_WRAPPER),
    ("granian-asgi", FLOOR),
    ("granian-asgi", OUR_MIDDLEWARE),
    ("granian-wsgi", LIMIT),
    ("granian-wsgi", OUR_WRAPPER),
    ("granian-wsgi", SERVESTATIC_WRAPPER),
    ("granian-wsgi", WHITENOISE_WRAPPER),
    ("granian-wsgi", FLOOR_SYNC),
    ("granian-wsgi", OUR_MIDDLEWARE),
    ("gunicorn", LIMIT),
    ("gunicorn", OUR_WRAPPER),
    ("gunicorn", SERVESTATIC_WRAPPER),
    ("gunicorn", WHITENOISE_WRAPPER),
    ("gunicorn", FLOOR_SYNC),
    ("gunicorn", OUR_MIDDLEWARE),
    ("gunicorn", SERVESTATIC_MIDDLEWARE),
    ("gunicorn", WHITENOISE_MIDDLEWARE),
)

#: They answer paths of their own with what others negotiate.
CONSTANT = (LIMIT, FLOOR, FLOOR_SYNC)
#: BlackNoise knows no conditional requests.
WITHOUT_304 = (BLACKNOISE_WRAPPER,)
PEERS_WRAPPERS = (BLACKNOISE_WRAPPER, SERVESTATIC_WRAPPER, WHITENOISE_WRAPPER)


@dataclass(frozen=True)
class Kind:
    """What is asked for: a file, by a client that takes a coding, or that has it already."""

    label: str
    name: str
    coding: str | None = None
    is_conditional: bool = False

    @property
    def constant_folder(self) -> str:
        """Where the limit and the floors have it."""
        return "304" if self.is_conditional else self.coding or "static"


KINDS = (
    Kind("2 kB", SMALL),
    Kind("2 kB br", SMALL, coding="br"),
    Kind("90 kB", LARGE),
    Kind("90 kB br", LARGE, coding="br"),
    Kind("304", SMALL, is_conditional=True),
)


@dataclass(frozen=True)
class Sample:
    """Microseconds of processor time for a request, and requests a second."""

    cpu: float
    rate: float


# --- one measurement -----------------------------------------------------------------------------------------


def measure(server: Running, application: Application, tree: Tree, kind: Kind, seconds: int) -> Sample:
    """Ask once and look at the answer, then let wrk ask for so many seconds."""
    path, headers = _request(server, application, tree, kind)
    address = f"http://127.0.0.1:{server.port}{path}"
    given = [part for name, value in headers for part in ("-H", f"{name}: {value}")]
    command = ["wrk", "-t1", f"-c{CONNECTIONS}", f"-d{seconds}s", *given, address]
    before = server.cpu_seconds()
    output = subprocess.check_output(pinned(cores()[1], command), text=True)
    used = server.cpu_seconds() - before
    if failed := re.search(r"Socket errors: .*|Non-2xx or 3xx responses: .*", output):
        raise RuntimeError(f"{server.process.args}: {kind.label}: {failed[0]}")
    requests = int(_find(r"(\d+) requests in", output))
    return Sample(used / requests * 1e6, float(_find(r"Requests/sec: +([\d.]+)", output)))


def _find(pattern: str, output: str) -> str:
    found = re.search(pattern, output)
    if found is None:
        raise RuntimeError(f"wrk said:\n{output}")
    return found[1]


def _request(server: Running, application: Application, tree: Tree, kind: Kind) -> tuple[str, list[tuple[str, str]]]:
    """Path and headers of the request, after a look at its answer."""
    name = tree.requested[kind.name]
    path, headers, body = f"/static/{name}", [], content(kind.name)
    if kind.coding:
        headers = [("Accept-Encoding", "br")]
    status, found, received = server.get(path, headers)
    if found.get("content-encoding"):
        received = CODINGS[found["content-encoding"]].decode(received)
    is_right = application in CONSTANT or found.get("content-encoding") == kind.coding
    if (status, received) != (200, body) or not is_right:
        raise RuntimeError(f"{application.name}: {status} and {len(received)} bytes for {path}, {found}")
    if application in CONSTANT:
        path, headers = f"/{kind.constant_folder}/{name}", []
    elif kind.is_conditional:
        headers = [("If-None-Match", found["etag"])]
    if kind.is_conditional:
        status, found, received = server.get(path, headers)
        if (status, received) != (304, b""):
            raise RuntimeError(f"{application.name}: {status} and {len(received)} bytes, not a 304")
    return path, headers


# --- all of them ---------------------------------------------------------------------------------------------


Samples = dict[tuple[str, str, str], list[Sample]]


def compare(rows: list[tuple[str, Application]], options: argparse.Namespace, tree: Tree) -> None:
    """Measure in rounds, every row after the other; print a table for each server."""
    samples: Samples = defaultdict(list)
    for number in range(options.rounds):
        for server, application in rows:
            with running(server, application, tree) as process:
                if not options.quick:
                    measure(process, application, tree, KINDS[0], 1)  # warms up
                for kind in KINDS:
                    if kind.is_conditional and application in WITHOUT_304:
                        continue
                    sample = measure(process, application, tree, kind, options.seconds)
                    samples[server, application.name, kind.label].append(sample)
        print(f"  round {number + 1} of {options.rounds}", file=sys.stderr, flush=True)

    for server in dict.fromkeys(server for server, _ in rows):
        applications = [application for its_server, application in rows if its_server == server]
        print(f"\n{server}: median of {options.rounds}, ratio to {applications[0].name!r}\n")
        table = []
        for application in applications:
            row = [application.name]
            for kind in KINDS:
                if not (found := samples[server, application.name, kind.label]):
                    row += ["-"] * 4
                    continue
                cpu = _cpu(samples, server, application, kind)
                base = _cpu(samples, server, applications[0], kind)
                row += [f"{cpu:,.0f}", f"{cpu / base:.2f}x", spread([each.cpu for each in found])]
                row.append(f"{median([each.rate for each in found]):,.0f}")
            table.append(row)
        headings = [part for kind in KINDS for part in (f"{kind.label}: CPU us", "ratio", "±", "req/s")]
        print(format_table(["application", *headings], table))
        print_targets(samples, server, applications)


def _cpu(samples: Samples, server: str, row: Application, kind: Kind) -> float:
    return median([sample.cpu for sample in samples[server, row.name, kind.label]])


def print_targets(samples: Samples, server: str, applications: list[Application]) -> None:
    """Compare with what the project promises."""
    print()
    for kind in KINDS:
        costs = {
            each: [sample.cpu for sample in found]
            for each in applications
            if (found := samples[server, each.name, kind.label])
        }
        ours, limit = costs.get(OUR_WRAPPER), costs.get(LIMIT)
        if ours and limit and (times := WRAPPER_TIMES.get(server)):
            _verdict(kind, f"our wrapper at most {times}x the limit", ours, limit, at_most_times=times)
        if ours and limit and (above := WRAPPER_ABOVE.get(server)):
            _verdict(kind, f"our wrapper at most {above:.0f} us above the limit", ours, limit, at_most_above=above)
        peers = {each: values for each, values in costs.items() if each in PEERS_WRAPPERS}
        if ours and peers:
            best = min(peers, key=lambda each: median(peers[each]))
            _verdict(kind, f"our wrapper at most {best.name}", ours, peers[best], at_most_times=1)
            if server == "uvicorn" and kind.coding is None and not kind.is_conditional:
                target = f"our wrapper at most a tenth of {best.name}"
                _verdict(kind, target, ours, peers[best], at_most_times=1 / PEERS_TIMES)
        middleware, floor = costs.get(OUR_MIDDLEWARE), costs.get(FLOOR) or costs.get(FLOOR_SYNC)
        if middleware and floor:
            target = f"our middleware at most {MIDDLEWARE_ABOVE:.0f} us above the floor"
            _verdict(kind, target, middleware, floor, at_most_above=MIDDLEWARE_ABOVE)


def _verdict(
    kind: Kind,
    target: str,
    ours: list[float],
    other: list[float],
    *,
    at_most_times: float | None = None,
    at_most_above: float = 0.0,
) -> None:
    """By the medians; the fastest rounds stand beside them, for noise only ever adds."""
    found, met = [], []
    for statistic in (median, min):
        mine, theirs = statistic(ours), statistic(other)
        if at_most_times is not None:
            found.append(f"{mine / theirs:.2f}x")
            met.append(mine <= at_most_times * theirs)
        else:
            found.append(f"{mine - theirs:.1f} us")
            met.append(mine - theirs <= at_most_above)
    says = "met" if met[0] else "met by the fastest" if met[1] else "MISSED"
    print(f"Target, {kind.label}: {target}. Is {found[0]} (the fastest of each: {found[1]}), {says}.")


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--rounds", type=int, default=5)
    parser.add_argument("--seconds", type=int, default=2, help="for which wrk asks (default: 2)")
    parser.add_argument(
        "--only",
        nargs="+",
        metavar="WORD",
        help="rows whose 'server/application' contains one of these, and what they are compared with",
    )
    parser.add_argument("--quick", action="store_true", help="one round of a second each: about a minute")
    options = parser.parse_args()
    # So that neither a server nor a directory stays behind.
    signal.signal(signal.SIGTERM, lambda *_: sys.exit(143))
    if not shutil.which("wrk"):
        parser.error("wrk is not installed.")
    if options.quick:
        options.rounds = options.seconds = 1
    rows = [
        (server, application)
        for server, application in ROWS
        if is_installed(server)
        and is_installed(application.needs)
        and (
            not options.only
            or application in CONSTANT
            or any(word.lower() in f"{server}/{application.name}".lower() for word in options.only)
        )
    ]
    wanted = {server for server, application in rows if not options.only or application not in CONSTANT}
    rows = [row for row in rows if row[0] in wanted]
    packages = (
        "Django",
        "uvicorn",
        "uvloop",
        "httptools",
        "granian",
        "gunicorn",
        "whitenoise",
        "servestatic",
        "blacknoise",
    )
    print(describe_environment(*packages))
    with tempfile.TemporaryDirectory(prefix="asyncstatic-serve-") as directory:
        compare(rows, options, make_tree(Path(directory), URLS))


if __name__ == "__main__":
    main()
