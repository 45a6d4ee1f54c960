"""Mixed load for as long as you like, a deploy every minute: ``python -m tests.soak --minutes 30 [--server uvicorn]``.

Prints a line every so often: requests, and what the server holds. Every answer is compared with what was collected. At
the end, without load, descriptors and tasks have to be what they were, and memory what it was in the second quarter.
"""

from __future__ import annotations

import argparse
import os
import random
import sys
import tempfile
import threading
import time
from collections.abc import Callable
from pathlib import Path
from statistics import median

import django

from tests import probe
from tests.crowd import Crowd, Releases, current_paths
from tests.hostile import (
    POOLS,
    Target,
    downloads_are_cut_off,
    every_status_is_followed_by_another,
    halves_of_requests,
    readers_are_slow,
    requests_are_malformed,
)
from tests.servers import SERVERS, Held, RunningServer, running, wait_until
from tests.test_collectstatic import names

#: Seconds between two deploys, and between two lines.
DEPLOY_INTERVAL, REPORT_INTERVAL = 60.0, 30.0

#: Clients that load everything; more would only be more of this machine's own work.
CLIENTS = 8

#: Bytes by which the memory of the last quarter may exceed that of the second: two chunks for each slow reader.
GROWTH = 20_000_000

LARGE_SIZE = 3_000_000


class Misbehaviour(threading.Thread):
    """Does what hostile clients do, one thing after the other, until it is ended."""

    def __init__(self, target: Target, seed: int) -> None:
        super().__init__(daemon=True)
        self.failures: list[str] = []
        self.ended = threading.Event()
        rng = random.Random(seed)
        self._acts: list[Callable[[], object]] = [
            lambda: downloads_are_cut_off(target, 50),
            lambda: every_status_is_followed_by_another(target),
            lambda: requests_are_malformed(target, 100, rng.randrange(10**9)),
        ]
        if not target.is_threaded:
            self._acts += [lambda: readers_are_slow(target, 40, 2.0), lambda: halves_of_requests(target, 20)]

    def run(self) -> None:
        while True:
            for act in self._acts:
                if self.ended.is_set():
                    return
                try:
                    act()
                except (AssertionError, OSError) as error:
                    self.failures.append(repr(error))


def soak(
    server: RunningServer, target: Target, releases: Releases, root: Path, options: argparse.Namespace
) -> list[str]:
    """What was wrong."""
    start = time.monotonic()
    for _ in range(3):
        target.answers()
    before, tasks = server.held(), probe.ask(server.url)[0] if options.probes else 0
    samples: list[tuple[float, Held]] = []
    next_deploy, next_report = start + DEPLOY_INTERVAL, start
    misbehaviour = Misbehaviour(target, options.seed)
    print("  minute  requests  MB resident  descriptors  threads  longest delay", flush=True)
    with Crowd(server.url, lambda: current_paths(root), releases, clients=CLIENTS) as crowd:
        misbehaviour.start()
        while (now := time.monotonic()) < start + options.minutes * 60 and not crowd.failures + misbehaviour.failures:
            samples.append((now - start, server.held()))
            if now >= next_deploy:
                releases.collect(root)
                next_deploy += DEPLOY_INTERVAL
            if now >= next_report:
                delay = f"{probe.ask(server.url)[1] * 1000:11.0f} ms" if options.probes else "-"
                held = samples[-1][1]
                print(
                    f"{(now - start) / 60:8.1f}  {crowd.requests:8}  {held.resident / 1e6:11.1f}"
                    f"  {held.descriptors:11}  {held.threads:7}  {delay}",
                    flush=True,
                )
                next_report += min(REPORT_INTERVAL, options.minutes * 6)
            time.sleep(1)
        misbehaviour.ended.set()
        misbehaviour.join(120)
    found = [*crowd.failures[:10], *misbehaviour.failures[:10], *server.problems()[:5]]
    print(f"{crowd.requests} requests that were compared, {releases.number} releases", flush=True)
    wait_until(lambda: server.held().descriptors <= before.descriptors)
    after = server.held()
    if after.descriptors > before.descriptors:
        found.append(f"{after.descriptors - before.descriptors} descriptors are left open")
    if after.threads > before.threads + POOLS:
        found.append(f"{after.threads - before.threads} threads are left")
    if options.probes and not wait_until(lambda: probe.ask(server.url)[0] <= tasks):
        found.append("tasks are left on the loop")
    second, last = (_resident(samples, share) for share in (1, 3))
    print(f"median memory: second quarter {second / 1e6:.1f} MB, last {last / 1e6:.1f} MB", flush=True)
    if last - second > GROWTH:
        found.append(f"{(last - second) / 1e6:.1f} MB more in the last quarter than in the second")
    return found


def _resident(samples: list[tuple[float, Held]], quarter: int) -> float:
    length = samples[-1][0] / 4
    return median(held.resident for at, held in samples if quarter * length <= at <= (quarter + 1) * length)


def main() -> int:
    parser = argparse.ArgumentParser(prog="python -m tests.soak", description=__doc__)
    parser.add_argument("--minutes", type=float, default=30, help="how long (default: 30)")
    parser.add_argument("--server", choices=[*SERVERS], default="uvicorn")
    parser.add_argument("--application", choices=["wrapper", "middleware"], default="wrapper")
    parser.add_argument("--seed", type=int, default=1)
    options = parser.parse_args()
    os.environ.setdefault("DJANGO_SETTINGS_MODULE", "tests.settings")
    django.setup()
    server = SERVERS[options.server]
    options.probes = server.interface == "asgi"
    with tempfile.TemporaryDirectory(prefix="asyncstatic-soak-") as folder:
        root = Path(folder, "root")
        releases = Releases(Path(folder, "source"))
        releases.source.mkdir()
        (releases.source / "noise.bin").write_bytes(random.Random(1).randbytes(LARGE_SIZE))
        releases.collect(root)
        environment = {**os.environ, "ASYNCSTATIC_TEST_ROOT": str(root)}
        application = f"probed_{options.application}" if options.probes else options.application
        with running(server, f"tests.{server.interface}:{application}", environment) as started:
            bodies = [(root / names(root)[name]).read_bytes() for name in ("same.js", "noise.bin")]
            target = Target(
                *(started, "/static/same.js", bodies[0], "/static/noise.bin", bodies[1]),
                is_threaded=server.is_threaded,
                pipelines=server.pipelines,
            )
            found = soak(started, target, releases, root, options)
    for each in found:
        print(f"WRONG: {each}")
    return 1 if found else 0


if __name__ == "__main__":
    sys.exit(main())
