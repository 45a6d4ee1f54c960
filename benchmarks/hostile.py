#!/usr/bin/env python
"""Shows what clients, disks and deploys that misbehave do to ours, WhiteNoise and ServeStatic.

    python benchmarks/hostile.py [--only uvicorn whitenoise ...] [--quick]

A table for each server: a line for each scenario, a column for each application, "passed" or what happened instead. The
scenarios are those of ``tests/hostile.py``, where the tests have them from, too.
"""

from __future__ import annotations

import argparse
import os
import sys
import tempfile
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from functools import partial
from hashlib import sha256
from pathlib import Path

HERE = Path(__file__).resolve().parent
sys.path[:0] = [str(HERE), str(HERE.parent)]

from fixture import BIG, SMALL, Tree, content, make_tree, resources_and_aliases  # noqa: E402
from servers import Application, is_installed  # noqa: E402
from tables import describe_environment, format_table  # noqa: E402

from django_asyncstatic.index import INDEX_NAME, Representation, Resource, encode_index, strong_etag  # noqa: E402
from serve import (  # noqa: E402
    OUR_MIDDLEWARE,
    OUR_WRAPPER,
    SERVESTATIC_MIDDLEWARE,
    SERVESTATIC_WRAPPER,
    WHITENOISE_MIDDLEWARE,
    WHITENOISE_WRAPPER,
)
from tests import hostile, servers  # noqa: E402
from tests.servers import SERVERS, RunningServer, raw_request, running, wait_until  # noqa: E402

ROWS: dict[str, tuple[Application, ...]] = {
    "uvicorn": (OUR_WRAPPER, OUR_MIDDLEWARE, SERVESTATIC_WRAPPER, SERVESTATIC_MIDDLEWARE, WHITENOISE_MIDDLEWARE),
    "granian-asgi": (OUR_WRAPPER, SERVESTATIC_WRAPPER),
    "gunicorn-gthread": (
        OUR_WRAPPER,
        OUR_MIDDLEWARE,
        WHITENOISE_WRAPPER,
        WHITENOISE_MIDDLEWARE,
        SERVESTATIC_MIDDLEWARE,
    ),
}

URLS = 100
#: Streamed by everybody; and larger than what kernel and server buffer, so that a file is still open while it changes.
STREAMED, HUGE = 3_000_000, 12_000_000

#: Of ``tests.hostile.FAULTS``, by when they happen.
BEFORE = (
    *("deleted", "cut", "replaced by a longer one", "replaced by one of its size", "replaced by a directory"),
    *("replaced by a FIFO", "replaced by a dangling link"),
)
DURING = ("deleted", "cut", "rewritten, longer", "rewritten, of its size", "replaced by a shorter one")

#: Seconds after which a client that waits is said to wait for ever.
FOR_EVER = 5.0

#: Letters of a cell.
WIDTH = 44


@dataclass(frozen=True)
class Site:
    """A running server, the tree that it serves, and the tree's big file."""

    server: RunningServer
    tree: Tree
    target: hostile.Target

    @property
    def big(self) -> Path:
        return self.tree.root / self.tree.requested[BIG]


@contextmanager
def serving(name: str, application: Application, big: int) -> Iterator[Site]:
    server = SERVERS[name]
    with tempfile.TemporaryDirectory(prefix="asyncstatic-hostile-") as directory:
        tree = make_tree(Path(directory), URLS, big=big)
        environment = application.environment(tree)
        with running(server, f"project.{server.interface}:application", environment, HERE) as started:
            small, large = (f"/static/{tree.requested[each]}" for each in (SMALL, BIG))
            bodies = content(SMALL), (tree.root / tree.requested[BIG]).read_bytes()
            target = hostile.Target(started, small, bodies[0], large, bodies[1], server.is_threaded, server.pipelines)
            target.answers()
            yield Site(started, tree, target)


# --- scenarios -----------------------------------------------------------------------------------------------


def a_deploy_adds_a_file(site: Site) -> None:
    """A page that was rendered since the deploy asks for it."""
    data = b"new();\n" * 50
    digest = sha256(data).hexdigest()
    path = f"js/new.{digest[:12]}.js"
    (site.tree.root / path).write_bytes(data)
    resources, aliases = resources_and_aliases(URLS)
    identity = Representation(None, path, len(data), strong_etag(digest[:32]), digest[:32])
    resources.append(Resource(path, "text/javascript", (identity,), immutable=True, sha256=digest))
    index = site.tree.root / INDEX_NAME
    index.with_name("unfinished").write_bytes(encode_index(resources, aliases))
    os.replace(index.with_name("unfinished"), index)
    found = wait_until(lambda: raw_request(site.server.url, "GET", f"/static/{path}").status == 200, 1.0)
    response = raw_request(site.server.url, "GET", f"/static/{path}")
    assert found, f"{response.status}, until the server is restarted"
    assert response.body == data


def a_file_changes(fault: str, site: Site, *, during: bool) -> None:
    """One of the big file's faults; the file is put back."""
    asked = hostile.Asked(site.server, site.target.large, site.big, site.target.large_body, site.target.small)
    try:
        (hostile.file_changes_during if during else hostile.file_changes_before)(asked, fault)
    finally:
        if site.big.is_dir():
            site.big.rmdir()
        hostile.replaced(site.big, site.target.large_body)
    response = raw_request(site.server.url, "GET", site.target.large)
    assert response.body == site.target.large_body, f"and {response.status} once the file is back"


def client_scenarios(quick: bool) -> dict[str, Callable[[hostile.Target], object]]:
    share = 10 if quick else 1
    return {
        "500 downloads cut off": partial(hostile.downloads_are_cut_off, count=500 // share),
        "200 slow readers, a minute": partial(hostile.readers_are_slow, count=200 // share, seconds=60 / share),
        "halves of requests": hostile.halves_of_requests,
        "another after every status": hostile.every_status_is_followed_by_another,
        "3000 malformed requests": partial(hostile.requests_are_malformed, count=3000 // share),
    }


def outcomes(name: str, application: Application, quick: bool) -> dict[str, str]:
    """What happened, by scenario."""
    found: dict[str, str] = {}
    with serving(name, application, STREAMED) as site:
        try:
            with hostile.leaves_nothing_behind(site.target, readers=20 if quick else 200):
                for scenario, run in client_scenarios(quick).items():
                    # A thread each is what a threaded server is: its slow clients keep others waiting.
                    is_asked = not (site.target.is_threaded and "slow" in scenario)
                    found[scenario] = outcome(lambda run=run: run(site.target)) if is_asked else "threads: not asked"
            found["nothing left behind"] = "passed"
        except AssertionError as error:
            found["nothing left behind"] = shortened(error)
    with serving(name, application, HUGE) as site:
        for fault in BEFORE:
            found[f"{fault}, before"] = outcome(lambda fault=fault: a_file_changes(fault, site, during=False))
        for fault in DURING:
            found[f"{fault}, during"] = outcome(lambda fault=fault: a_file_changes(fault, site, during=True))
        found["a deploy adds a file"] = outcome(lambda: a_deploy_adds_a_file(site))
    return found


def outcome(run: Callable[[], object]) -> str:
    try:
        run()
    except (AssertionError, OSError) as error:
        return shortened(error)
    except Exception as error:
        return shortened(f"{type(error).__name__}: {error}")
    return "passed"


def shortened(what: object) -> str:
    text = " ".join(str(what).split("; ")[0].splitlines()[:1]) or repr(what)
    return text if len(text) <= WIDTH else text[: WIDTH - 1] + "…"


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--only", nargs="+", metavar="WORD", help="rows whose 'server/application' contains one")
    parser.add_argument("--quick", action="store_true", help="a tenth of the clients and of the time")
    options = parser.parse_args()
    servers.SOCKET_TIMEOUT = FOR_EVER
    print(describe_environment("Django", "uvicorn", "granian", "gunicorn", "whitenoise", "servestatic"))
    for name, rows in ROWS.items():
        columns = {}
        for application in rows:
            row = f"{name}/{application.name}".lower()
            is_wanted = not options.only or any(word.lower() in row for word in options.only)
            if is_wanted and is_installed(SERVERS[name].package) and is_installed(application.needs):
                print(f"  {row}", file=sys.stderr, flush=True)
                columns[application.name] = outcomes(name, application, options.quick)
        if columns:
            scenarios = next(iter(columns.values()))
            lines = [[scenario, *(found[scenario] for found in columns.values())] for scenario in scenarios]
            print(format_table([name, *columns], lines), end="\n\n", flush=True)


if __name__ == "__main__":
    main()
