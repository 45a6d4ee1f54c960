#!/usr/bin/env python
"""Measures our own code alone, without a server: microseconds of a plan, a wrapper's call, a middleware's call.

    python benchmarks/calls.py [--rounds 15] [--calls 2000] [--sizes 100 10000 100000] [--against REVISION]

Each row is called so many times, in rounds, one row after the other; a figure is the median of the rounds, and
"above" is how much more that is than the row it is compared with. The fields are those that a browser sends.
``--against main`` says in a minute whether the tree as it is has become slower than a revision.
"""

from __future__ import annotations

import argparse
import asyncio
import io
import json
import os
import subprocess
import sys
import tempfile
from collections.abc import Callable
from pathlib import Path
from time import perf_counter
from typing import Any

HERE = Path(__file__).resolve().parent
#: The tree whose package is measured: this one, unless a comparison says otherwise to its own processes.
sys.path[:0] = [str(HERE), os.environ.get("ASYNCSTATIC_TREE", str(HERE.parent))]

from fixture import SMALL, Tree, make_tree  # noqa: E402
from servers import cores  # noqa: E402
from tables import describe_environment, format_table, median, spread  # noqa: E402

from serve import OUR_MIDDLEWARE  # noqa: E402

#: What the project promises, in microseconds.
PLAN_TARGET = 5.0
MIDDLEWARE_TARGET = 25.0
VIEW_TARGET = 5.0

#: How often a comparison goes from one tree to the other, and the ratio from which it calls a row slower.
TURNS = 5
NOTICEABLE = 1.15

BROWSER = [
    ("host", "example.org"),
    ("connection", "keep-alive"),
    ("sec-ch-ua", '"Chromium";v="156", "Not)A;Brand";v="24"'),
    (
        "user-agent",
        "Mozilla/5.0 (X11; Linux x86_64) AppleWebKit/537.36 (KHTML, like Gecko) Chrome/156.0.0.0 Safari/537.36",
    ),
    ("accept", "text/css,*/*;q=0.1"),
    ("sec-fetch-site", "same-origin"),
    ("sec-fetch-mode", "no-cors"),
    ("sec-fetch-dest", "style"),
    ("referer", "http://example.org/"),
    ("accept-encoding", "gzip, deflate, br, zstd"),
    ("accept-language", "en"),
]
COMMAND_LINE = [("host", "example.org"), ("user-agent", "curl/8"), ("accept", "*/*")]

Call = Callable[[], Any]
Group = dict[str, Call]


def scope(path: str, headers: list[tuple[str, str]]) -> dict[str, Any]:
    """As uvicorn makes it."""
    return {
        "type": "http",
        "asgi": {"version": "3.0", "spec_version": "2.3"},
        "http_version": "1.1",
        "server": ("127.0.0.1", 8000),
        "client": ("127.0.0.1", 40000),
        "scheme": "http",
        "method": "GET",
        "root_path": "",
        "path": path,
        "raw_path": path.encode(),
        "query_string": b"",
        "headers": [(name.encode(), value.encode()) for name, value in headers],
        "state": {},
    }


def environ(path: str, headers: list[tuple[str, str]]) -> dict[str, Any]:
    """As gunicorn makes it."""
    return {
        "REQUEST_METHOD": "GET",
        "SCRIPT_NAME": "",
        "PATH_INFO": path,
        "QUERY_STRING": "",
        "SERVER_NAME": "127.0.0.1",
        "SERVER_PORT": "8000",
        "SERVER_PROTOCOL": "HTTP/1.1",
        "wsgi.url_scheme": "http",
        "wsgi.input": io.BytesIO(),
        **{"HTTP_" + name.upper().replace("-", "_"): value for name, value in headers},
    }


async def receive() -> dict[str, Any]:
    return {"type": "http.request", "body": b"", "more_body": False}


async def send(message: Any) -> None:
    pass


def start_response(status: str, headers: list[tuple[str, str]], exc_info: Any = None) -> None:
    pass


# --- what is called ------------------------------------------------------------------------------------------


def plans(sizes: list[int], trees: dict[int, Tree]) -> Group:
    """A plain GET's plan, found by name among so many resources."""
    from django_asyncstatic.serving.fields import fields_from_headers
    from django_asyncstatic.serving.headers import HeaderPolicy
    from django_asyncstatic.serving.mounts import Mount, answer
    from django_asyncstatic.sources import IndexLoader, place_of

    group: Group = {}
    for size in sizes:
        place = place_of(trees[size].root)
        mount = Mount("/static/", IndexLoader(lambda place=place: place), HeaderPolicy())
        name = trees[size].requested[SMALL]
        headers = scope(f"/static/{name}", BROWSER)["headers"]

        def plan(mount: Mount = mount, name: str = name, headers: Any = headers) -> Any:
            return answer(((mount, name),), "GET", lambda: fields_from_headers(headers), lambda: b"")

        group[f"among {size:,} URLs"] = plan
    return group


def asgi_wrappers(tree: Tree) -> tuple[Group, ...]:
    from project.limit import asgi

    from django_asyncstatic.asgi import StaticASGI

    limit, ours = asgi(), StaticASGI(None, tree.root, "static")
    path = f"/static/{tree.requested[SMALL]}"
    etag = _etag(tree, path)
    groups = []
    for label, headers, limit_path in (
        ("ASGI, identity", COMMAND_LINE, path),
        ("ASGI, brotli", BROWSER, path),
        ("ASGI, 304", [*BROWSER, ("if-none-match", etag)], path.replace("/static/", "/304/")),
    ):
        limit_scope, our_scope = scope(limit_path, headers), scope(path, headers)
        groups.append(
            {
                f"{label}: limit": lambda each=limit_scope: limit(each, receive, send),
                f"{label}: ours": lambda each=our_scope: ours(each, receive, send),
            }
        )
    return tuple(groups)


def wsgi_wrappers(tree: Tree) -> tuple[Group, ...]:
    from project.limit import wsgi

    from django_asyncstatic.wsgi import StaticWSGI

    limit, ours = wsgi(), StaticWSGI(None, tree.root, "static")
    path = f"/static/{tree.requested[SMALL]}"
    groups = []
    for label, headers in (("WSGI, identity", COMMAND_LINE), ("WSGI, brotli", BROWSER)):
        asked = environ(path, headers)
        groups.append(
            {
                f"{label}: limit": lambda asked=asked: limit(asked, start_response),
                f"{label}: ours": lambda asked=asked: ours(asked, start_response),
            }
        )
    return tuple(groups)


def middlewares(tree: Tree, *, is_async: bool) -> tuple[Group, Group]:
    """Static files from a constant and from ours; a page without anything in front of it and with ours."""
    from django.core.handlers.asgi import ASGIRequest
    from django.core.handlers.wsgi import WSGIRequest
    from django.http import HttpResponse
    from project.floor import constant, constant_sync

    from django_asyncstatic.middleware import AsyncStaticMiddleware

    async def page_async(request: Any) -> HttpResponse:
        return HttpResponse(b"page")

    def page_sync(request: Any) -> HttpResponse:
        return HttpResponse(b"page")

    page = page_async if is_async else page_sync
    floor, ours = (constant if is_async else constant_sync)(page), AsyncStaticMiddleware(page)

    def request(path: str) -> Any:
        # Made anew for each call and outside of it, for a request remembers what was asked of it.
        return ASGIRequest(scope(path, BROWSER), io.BytesIO()) if is_async else WSGIRequest(environ(path, BROWSER))

    path = f"/static/{tree.requested[SMALL]}"
    static, dynamic = request(path), request("/page/")
    mode = "async" if is_async else "sync"
    return (
        {
            f"{mode}, a file: empty middleware": lambda: floor(static),
            f"{mode}, a file: ours": lambda: ours(static),
        },
        {
            f"{mode}, a page: the view": lambda: page(dynamic),
            f"{mode}, a page: ours in front": lambda: ours(dynamic),
        },
    )


def _etag(tree: Tree, path: str) -> str:
    """Of the brotli representation."""
    from django_asyncstatic.asgi import StaticASGI

    found: dict[str, str] = {}

    async def keep(message: Any) -> None:
        found.update({name.decode(): value.decode() for name, value in message.get("headers", ())})

    asyncio.run(StaticASGI(None, tree.root, "static")(scope(path, BROWSER), receive, keep))
    return found["etag"]


# --- measuring -----------------------------------------------------------------------------------------------


async def one_round(call: Call, calls: int) -> float:
    """Microseconds for a call."""
    if asyncio.iscoroutine(first := call()):
        await first
        began = perf_counter()
        for _ in range(calls):
            await call()
    else:
        began = perf_counter()
        for _ in range(calls):
            call()
    return (perf_counter() - began) / calls * 1e6


async def measure(groups: list[Group], rounds: int, calls: int) -> list[dict[str, list[float]]]:
    results: list[dict[str, list[float]]] = [{name: [] for name in group} for group in groups]
    for number in range(rounds + 1):
        for group, result in zip(groups, results, strict=True):
            for name, call in group.items():
                found = await one_round(call, calls)
                if number:  # the first warms up
                    result[name].append(found)
    return results


Results = list[dict[str, list[float]]]


def results_here(options: argparse.Namespace) -> Results:
    """Measure the package that this process imports."""
    os.sched_setaffinity(0, {cores()[0]})
    with tempfile.TemporaryDirectory(prefix="asyncstatic-calls-") as directory:
        trees = {size: make_tree(Path(directory) / str(size), size) for size in options.sizes}
        tree = trees[options.sizes[0]]
        os.environ.update(OUR_MIDDLEWARE.environment(tree))
        import django

        django.setup()
        plan = plans(options.sizes, trees)
        files_async, pages_async = middlewares(tree, is_async=True)
        files_sync, pages_sync = middlewares(tree, is_async=False)
        wrappers = [*asgi_wrappers(tree), *wsgi_wrappers(tree)]
        groups = [plan, *wrappers, files_async, files_sync, pages_async, pages_sync]
        return asyncio.run(measure(groups, options.rounds, options.calls))


def compare(options: argparse.Namespace) -> None:
    """This tree and a revision by turns, each in processes of its own."""
    with tempfile.TemporaryDirectory(prefix="asyncstatic-calls-") as directory:
        other = Path(directory)
        archive = subprocess.check_output(["git", "archive", options.against], cwd=HERE.parent)
        subprocess.run(["tar", "-x", "-C", other], input=archive, check=True)
        both: dict[Path, dict[str, list[float]]] = {HERE.parent: {}, other: {}}
        for _ in range(TURNS):
            for tree, found in both.items():
                for group in _results_of(tree, options):
                    for name, values in group.items():
                        found.setdefault(name, []).append(median(values))
    table, slower = [], []
    for name, values in both[HERE.parent].items():
        before = both[other].get(name)
        if before is None:
            continue
        ratio = median(values) / median(before)
        # Slower is what is so at its fastest, too: noise only ever adds.
        is_slower = ratio > NOTICEABLE and min(values) / min(before) > NOTICEABLE
        verdict = "slower" if is_slower and ("ours" in name or "URLs" in name) else ""
        slower += [name] if verdict else []
        table.append([name, f"{median(before):.1f}", f"{median(values):.1f}", f"{ratio:.2f}x", verdict])
    print(format_table(["microseconds", options.against, "now", "ratio", ""], table))
    print(f"\nSlower than {options.against}: {', '.join(slower) or 'nothing'}.")
    sys.exit(1 if slower else 0)


def _results_of(tree: Path, options: argparse.Namespace) -> Results:
    command = [sys.executable, __file__, "--json", "--rounds", "3", "--calls", str(options.calls), "--sizes", "100"]
    results: Results = json.loads(
        subprocess.check_output(command, env={**os.environ, "ASYNCSTATIC_TREE": str(tree)}, text=True)
    )
    return results


def report(results: Results) -> None:
    table = []
    for result in results:
        first = median(next(iter(result.values())))
        for name, values in result.items():
            above = "" if median(values) == first else f"{median(values) - first:+.1f}"
            table.append([name, f"{median(values):.1f}", spread(values), above])
    print(format_table(["microseconds", "a call", "±", "above"], table))
    print()
    verdict("a plan", max(median(values) for values in results[0].values()), PLAN_TARGET)
    for group, target in ((-4, MIDDLEWARE_TARGET), (-3, MIDDLEWARE_TARGET), (-2, VIEW_TARGET), (-1, VIEW_TARGET)):
        (_, base), (name, ours) = results[group].items()
        verdict(f"{name}, above", median(ours) - median(base), target)


def verdict(what: str, value: float, target: float) -> None:
    print(f"Target: {what}: at most {target:.0f} us. Is {value:.1f} us, {'met' if value <= target else 'MISSED'}.")


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--rounds", type=int, default=15)
    parser.add_argument("--calls", type=int, default=2000, help="of each row in a round (default: 2000)")
    parser.add_argument("--sizes", type=int, nargs="+", default=[100, 10_000, 100_000], help="of the index, in URLs")
    parser.add_argument("--against", metavar="REVISION", help="compare with a revision of this repository: a minute")
    parser.add_argument("--json", action="store_true", help=argparse.SUPPRESS)
    options = parser.parse_args()
    if options.against:
        compare(options)
    elif options.json:
        print(json.dumps(results_here(options)))
    else:
        print(describe_environment("Django"))
        report(results_here(options))


if __name__ == "__main__":
    main()
