#!/usr/bin/env python
"""Measures large files: how fast, at what cost to everybody else, and in how much memory.

    python benchmarks/large.py [--rounds 3] [--seconds 5] [--only uvicorn granian ...] [--quick] [--chunks]

A file of 50 MB, one worker on one core, the clients on the other. Each row is measured three ways, interleaved:
32 downloads at once (wrk), whole and of a range; a small file while they run, asked for every few milliseconds; and
the small file's rate with 200 readers of the large one that take 20 kB a second, compared with the rate without them.
Memory is the resident memory of all of the server's processes above that before the first download.

nginx, with ``sendfile``, is what the others are compared with. ``--chunks`` compares sizes of a stream's chunk.
"""

from __future__ import annotations

import argparse
import re
import select
import shutil
import signal
import socket
import subprocess
import sys
import tempfile
import threading
import time
from collections import defaultdict
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field
from pathlib import Path

HERE = Path(__file__).resolve().parent
sys.path[:0] = [str(HERE), str(HERE.parent)]

from fixture import BIG, SMALL, Tree, make_tree  # noqa: E402
from servers import NGINX, Application, Running, cores, is_installed, pinned, running  # noqa: E402
from tables import describe_environment, format_table, median, spread  # noqa: E402

from serve import (  # noqa: E402
    BLACKNOISE_WRAPPER,
    OUR_APPS,
    OUR_MIDDLEWARE,
    OUR_STORAGE,
    OUR_WRAPPER,
    SERVESTATIC_WRAPPER,
    WHITENOISE_WRAPPER,
)

DOWNLOADS = 32
READERS = 200
#: Bytes that each slow reader takes in a second.
SLOW = 20_000
#: Seconds between two requests of the probe.
PAUSE = 0.005

#: What the project promises.
RATE_ON_UVICORN = 0.6
RATE_ON_GRANIAN = 0.95
PROBE_MS = 30.0
MEMORY_MB = 20.0
SHARE_LEFT = 0.85

ROWS: tuple[tuple[str, Application], ...] = (
    ("nginx", NGINX),
    ("uvicorn", OUR_WRAPPER),
    ("uvicorn", OUR_MIDDLEWARE),
    ("uvicorn", BLACKNOISE_WRAPPER),
    ("uvicorn", SERVESTATIC_WRAPPER),
    ("granian-asgi", OUR_WRAPPER),
    ("granian-asgi", SERVESTATIC_WRAPPER),
    ("gunicorn", OUR_WRAPPER),
    ("gunicorn", OUR_MIDDLEWARE),
    ("gunicorn", WHITENOISE_WRAPPER),
)

#: Streams of ours, by the KiB of a chunk.
CHUNKS = [
    (
        "uvicorn",
        Application(f"wrapper: chunks of {size} KiB", asgi="project.chunks.asgi", storage=OUR_STORAGE, apps=OUR_APPS),
    )
    for size in (16, 64, 128, 256, 512, 1024)
]

#: Threads answer one request each, so slow readers of a threaded server are not measured: they stop it.
THREADED = frozenset({"gunicorn", "granian-wsgi"})


@dataclass
class Figures:
    """Of one row, a value a round: MB/s, milliseconds, megabytes, requests a second, threads."""

    rates: list[float] = field(default_factory=list)
    ranges: list[float] = field(default_factory=list)
    cpu: list[float] = field(default_factory=list)
    probes: list[float] = field(default_factory=list)
    memory: list[float] = field(default_factory=list)
    alone: list[float] = field(default_factory=list)
    with_readers: list[float] = field(default_factory=list)
    readers_memory: list[float] = field(default_factory=list)
    threads: list[int] = field(default_factory=list)


# --- one row -------------------------------------------------------------------------------------------------


def measure(server: Running, is_threaded: bool, tree: Tree, seconds: int, figures: Figures) -> None:
    large, small = (f"/static/{tree.requested[name]}" for name in (BIG, SMALL))
    for path in (small, large):  # read, hashed, in the page cache
        status, _, body = server.get(path)
        if status != 200 or not body:
            raise RuntimeError(f"{status} and {len(body)} bytes for {path}")
    time.sleep(0.2)
    before = server.resident_bytes()
    used = server.cpu_seconds()
    with sampling(server) as peak, probing(server.port, small) as probes:
        output = wrk(server.port, large, DOWNLOADS, seconds)
    used = server.cpu_seconds() - used
    figures.rates.append(transferred(output) / seconds / 1e6)
    figures.cpu.append(used / transferred(output) * 1e9)
    figures.probes.append(percentile(probes, 0.99) * 1e3)
    figures.memory.append((max(peak) - before) / 1e6)
    middle = "bytes=1000000-41000000"
    figures.ranges.append(transferred(wrk(server.port, large, DOWNLOADS, seconds, f"Range: {middle}")) / seconds / 1e6)
    if is_threaded:
        return
    time.sleep(0.5)
    figures.alone.append(rate(wrk(server.port, small, 16, seconds)))
    before = server.resident_bytes()
    with slow_readers(server.port, large), sampling(server) as peak:
        settle(server)
        figures.with_readers.append(rate(wrk(server.port, small, 16, seconds)))
        figures.threads.append(server.threads())
    figures.readers_memory.append((max(peak) - before) / 1e6)


def settle(server: Running) -> None:
    """Wait until the kernel's send buffers are full, several megabytes for each reader on the loopback interface."""
    until = time.monotonic() + 20
    used = server.cpu_seconds()
    while time.monotonic() < until:
        time.sleep(0.5)
        before, used = used, server.cpu_seconds()
        if used - before < 0.02:
            break


def wrk(port: int, path: str, connections: int, seconds: int, *headers: str) -> str:
    given = [part for header in headers for part in ("-H", header)]
    command = ["wrk", "-t1", f"-c{connections}", f"-d{seconds}s", "--timeout", "60s", *given]
    return subprocess.check_output(pinned(cores()[1], [*command, f"http://127.0.0.1:{port}{path}"]), text=True)


def transferred(output: str) -> float:
    """Bytes: wrk counts those of responses that had not ended, too."""
    number, unit = re.search(r"requests in [\d.]+\w+, ([\d.]+)([KMG]?B) read", output).groups()  # type: ignore[union-attr]
    return float(number) * {"B": 1, "KB": 2**10, "MB": 2**20, "GB": 2**30}[unit]


def rate(output: str) -> float:
    return float(re.search(r"Requests/sec: +([\d.]+)", output)[1])  # type: ignore[index]


def percentile(values: list[float], share: float) -> float:
    return sorted(values)[min(int(len(values) * share), len(values) - 1)] if values else float("nan")


@contextmanager
def sampling(server: Running) -> Iterator[list[int]]:
    """The resident memory of the server, looked at ten times a second."""
    found: list[int] = [server.resident_bytes()]
    with repeating(lambda: found.append(server.resident_bytes()), 0.1):
        yield found


@contextmanager
def probing(port: int, path: str) -> Iterator[list[float]]:
    """Seconds that a small file took, asked for again and again on one connection."""
    found: list[float] = []
    request = f"GET {path} HTTP/1.1\r\nHost: 127.0.0.1\r\n\r\n".encode()
    with socket.create_connection(("127.0.0.1", port), timeout=60) as connection:

        def ask() -> None:
            began = time.perf_counter()
            connection.sendall(request)
            answer = b""
            while b"\r\n\r\n" not in answer:
                answer += connection.recv(65536)
            head, _, body = answer.partition(b"\r\n\r\n")
            length = int(re.search(rb"(?i)content-length: (\d+)", head)[1])  # type: ignore[index]
            while len(body) < length:
                body += connection.recv(65536)
            found.append(time.perf_counter() - began)

        with repeating(ask, PAUSE):
            yield found


@contextmanager
def repeating(action, pause: float) -> Iterator[None]:  # type: ignore[no-untyped-def]
    stop = threading.Event()

    def run() -> None:
        while not stop.wait(pause):
            action()

    thread = threading.Thread(target=run)
    thread.start()
    try:
        yield
    finally:
        stop.set()
        thread.join()


@contextmanager
def slow_readers(port: int, path: str) -> Iterator[None]:
    """Connections that take a little every now and then, in one thread."""
    connections = []
    for _ in range(READERS):
        connection = socket.socket()
        connection.setsockopt(socket.SOL_SOCKET, socket.SO_RCVBUF, 65536)
        connection.connect(("127.0.0.1", port))
        connection.sendall(f"GET {path} HTTP/1.1\r\nHost: 127.0.0.1\r\n\r\n".encode())
        connection.setblocking(False)
        connections.append(connection)

    def take() -> None:
        readable, _, _ = select.select(connections, [], [], 0)
        for connection in readable:
            if not connection.recv(SLOW // 4):
                raise RuntimeError("The server hung up on a slow reader.")

    try:
        with repeating(take, 0.25):
            yield
    finally:
        for connection in connections:
            connection.close()


# --- all of them ---------------------------------------------------------------------------------------------


def compare(rows: list[tuple[str, Application]], options: argparse.Namespace, tree: Tree) -> None:
    found: dict[tuple[str, str], Figures] = defaultdict(Figures)
    for number in range(options.rounds):
        for server, application in rows:
            with running(server, application, tree) as process:
                measure(process, server in THREADED, tree, options.seconds, found[server, application.name])
        print(f"  round {number + 1} of {options.rounds}", file=sys.stderr, flush=True)
    nginx = median(found["nginx", NGINX.name].rates)
    table = []
    for (server, name), each in found.items():
        row = [f"{server}, {name}", f"{median(each.rates):,.0f}", f"{median(each.rates) / nginx:.2f}x"]
        row += [spread(each.rates), f"{median(each.ranges) / nginx:.2f}x", f"{median(each.cpu):.2f}"]
        row += [f"{median(each.probes):,.1f}", f"{median(each.memory):,.0f}"]
        if each.alone:
            share = median(each.with_readers) / median(each.alone)
            row += [f"{share:.2f}", f"{median(each.readers_memory):,.0f}", f"{median(each.threads):.0f}"]
        else:
            row += ["-"] * 3
        table.append(row)
    headings = ["50 MB, 32 downloads", "MB/s", "of nginx", "±", "a range", "CPU ms/MB", "probe p99 ms", "MB more"]
    print(format_table([*headings, "200 slow: rate left", "MB more", "threads"], table))
    print()
    _print_targets(found, nginx)


def _print_targets(found: dict[tuple[str, str], Figures], nginx: float) -> None:
    if ("uvicorn", OUR_WRAPPER.name) in found:
        ours = found["uvicorn", OUR_WRAPPER.name]
        share = median(ours.rates) / nginx
        _verdict(f"at least {RATE_ON_UVICORN} of nginx on uvicorn", f"{share:.2f}", share >= RATE_ON_UVICORN)
        p99, more = median(ours.probes), median(ours.memory)
        _verdict(f"a small file's p99 within {PROBE_MS:.0f} ms meanwhile", f"{p99:.1f}", p99 <= PROBE_MS)
        _verdict(f"under {MEMORY_MB:.0f} MB more for {DOWNLOADS} downloads", f"{more:.1f}", more < MEMORY_MB)
    for server in ("uvicorn", "granian-asgi"):
        if (server, OUR_WRAPPER.name) in found:
            ours = found[server, OUR_WRAPPER.name]
            share = median(ours.with_readers) / median(ours.alone)
            _verdict(f"{SHARE_LEFT} of the rate left on {server}", f"{share:.2f}", share >= SHARE_LEFT)
    pair = [("granian-asgi", OUR_WRAPPER.name), ("granian-asgi", SERVESTATIC_WRAPPER.name)]
    if all(each in found for each in pair):
        ours, peers = (median(found[each].rates) for each in pair)
        share = ours / peers
        _verdict(f"{RATE_ON_GRANIAN} of ServeStatic's pathsend on granian", f"{share:.2f}", share >= RATE_ON_GRANIAN)


def _verdict(target: str, found: str, is_met: bool) -> None:
    print(f"Target: {target}. Is {found}, {'met' if is_met else 'MISSED'}.")


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--rounds", type=int, default=3)
    parser.add_argument("--seconds", type=int, default=5, help="for which wrk asks (default: 5)")
    parser.add_argument("--only", nargs="+", metavar="WORD", help="rows whose 'server/application' contains one")
    parser.add_argument("--quick", action="store_true", help="one round of two seconds each")
    parser.add_argument("--chunks", action="store_true", help="our streams with chunks of several sizes instead")
    options = parser.parse_args()
    signal.signal(signal.SIGTERM, lambda *_: sys.exit(143))
    if missing := [each for each in ("wrk", "nginx") if not shutil.which(each)]:
        parser.error(f"{' and '.join(missing)}: not installed.")
    if options.quick:
        options.rounds, options.seconds = 1, 2
    rows = [
        (server, application)
        for server, application in (ROWS if not options.chunks else [ROWS[0], *CHUNKS])
        if (server == "nginx" or is_installed(server))
        and is_installed(application.needs)
        and (
            server == "nginx"
            or not options.only
            or any(word.lower() in f"{server}/{application.name}".lower() for word in options.only)
        )
    ]
    servers = ("uvicorn", "uvloop", "httptools", "granian", "gunicorn")
    print(describe_environment("Django", *servers, "whitenoise", "servestatic", "blacknoise"))
    with tempfile.TemporaryDirectory(prefix="asyncstatic-large-") as directory:
        Path(directory).chmod(0o755)  # nginx's worker is another user, if it was started as root
        compare(rows, options, make_tree(Path(directory), 100, big=50_000_000))


if __name__ == "__main__":
    main()
