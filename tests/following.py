"""Somebody who follows a page of the docs: writes its files, runs its commands, and looks at what comes.

A command that serves goes on while the next ones run, on a port that is free; ``curl`` asks that server.
"""

from __future__ import annotations

import os
import re
import shlex
import subprocess
import sys
from contextlib import ExitStack
from pathlib import Path
from typing import Self
from urllib.parse import urlsplit

from tests.pages import REPOSITORY, Command, Page, write
from tests.servers import Response, RunningServer, Server, raw_request, running

#: What serves, and how it is told the port.
SERVERS = {
    "uvicorn": ("asgi", "--host 127.0.0.1 --port {port} --log-level warning"),
    "gunicorn": ("wsgi", "--bind 127.0.0.1:{port} --log-level warning"),
}


class Follower:
    """Commands run in a directory of their own; their pages' hashes are those of this Django."""

    def __init__(self, directory: Path, skipped: re.Pattern[str] | None = None) -> None:
        self.directory = directory
        self.skipped = skipped
        self.server: RunningServer | None = None
        self.environment = {
            **{name: value for name, value in os.environ.items() if name != "DJANGO_SETTINGS_MODULE"},
            "PATH": f"{Path(sys.executable).parent}{os.pathsep}{os.environ['PATH']}",
            "PYTHONPATH": f"{directory}{os.pathsep}{REPOSITORY}",
            "PYTHONWARNINGS": "default",
        }
        self._last: RunningServer | None = None
        self._stack = ExitStack()

    def __enter__(self) -> Self:
        return self

    def __exit__(self, *exception: object) -> None:
        self._stack.close()

    def problems(self) -> list[str]:
        """What the last server logged that no server may log."""
        assert self._last is not None
        return self._last.problems()

    def follow(self, page: Page) -> None:
        """All of a page, from its top to its end."""
        for step in page.steps():
            if not isinstance(step, Command):
                write(step, self.directory)
            elif self.skipped is not None and self.skipped.fullmatch(step.line):
                continue
            elif step.line.split()[0] in SERVERS:
                self.serve(step.line)
            elif step.line.startswith("curl "):
                self.look(step)
            else:
                output = self.run(step.line)
                for line in filter(None, map(str.strip, step.output.splitlines())):
                    # A page may leave out the end of a long line.
                    assert line.removesuffix("…") in output, f"{step.line} did not print {line!r}, but\n{output}"

    def run(self, line: str) -> str:
        """What a shell makes of a line prints, on both streams; it has to end well."""
        done = subprocess.run(
            ["bash", "-ec", line],
            cwd=self.directory,
            env=self.environment,
            stdin=subprocess.DEVNULL,
            stdout=subprocess.PIPE,
            stderr=subprocess.STDOUT,
            text=True,
            timeout=100,
            check=False,
        )
        assert done.returncode == 0, f"{line}\n{done.stdout}"
        return done.stdout

    def serve(self, line: str) -> None:
        """Start a server, and end the one before it."""
        self.stop()
        package = line.split()[0]
        interface, where = SERVERS[package]
        server = Server(package, package, interface, f"{line} {where}")
        self.server = self._stack.enter_context(running(server, "", self.environment, self.directory))
        self._last = self.server

    def stop(self) -> None:
        self._stack.close()
        self.server = None

    def get(self, path: str, *headers: tuple[str, str], method: str = "GET") -> Response:
        assert self.server is not None
        return raw_request(self.server.url, method, path, headers)

    def look(self, command: Command) -> None:
        """``curl -sI -H 'name: value' URL``: each line that the page shows has to be among those that come."""
        words = shlex.split(command.line)
        assert words[1] == "-sI"
        headers = [tuple(words[i + 1].split(": ", 1)) for i, word in enumerate(words) if word == "-H"]
        assert self.server is not None
        path = urlsplit(words[-1]).path
        hashed = re.compile(re.sub(r"\.[0-9a-f]{12}\.", r"\\.[0-9a-f]{12}\\.", path))
        if hashed.pattern != path:
            (path,) = [url for url in assets(self.server.url, "/admin/login/") if hashed.fullmatch(url)]
        response = self.get(path, *headers, method="HEAD")  # type: ignore[arg-type]
        came = [f"HTTP/1.1 {response.status} OK", *(f"{name}: {value}" for name, value in response.headers)]
        for line in command.output.splitlines():
            expected = re.escape(line.strip()).replace(r"\.\.\.", ".+")
            assert any(re.fullmatch(expected, each, re.I) for each in came), f"{line!r} is not among {came}"


def assets(url: str, page: str) -> list[str]:
    """The style sheets and scripts that a page names."""
    response = raw_request(url, "GET", page)
    assert response.status == 200
    return sorted(set(re.findall(r'(?:href|src)="(/static/[^"]+)"', response.body.decode())))
