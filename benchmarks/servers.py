"""The servers that are measured, as a table, and one of them running.

A server is added as a line of :data:`SERVERS`, an application as an :class:`Application`.
"""

from __future__ import annotations

import json
import os
import shutil
import socket
import subprocess
import sys
import tempfile
import time
from collections.abc import Iterator, Sequence
from contextlib import contextmanager, suppress
from dataclasses import asdict, dataclass
from importlib.util import find_spec
from pathlib import Path

from fixture import Tree

HERE = Path(__file__).resolve().parent

#: What each answers a request through, and its command. One worker each, no access log.
SERVERS: dict[str, tuple[str, str]] = {
    "uvicorn": (
        "asgi",
        "uvicorn project.asgi:application --host 127.0.0.1 --port {port} --no-access-log --log-level warning",
    ),
    "granian-asgi": (
        "asgi",
        "granian project.asgi:application --interface asgi --host 127.0.0.1 --port {port} --log-level warning",
    ),
    "granian-wsgi": (
        "wsgi",
        "granian project.wsgi:application --interface wsgi --host 127.0.0.1 --port {port} --log-level warning",
    ),
    "gunicorn": (
        "wsgi",
        "gunicorn project.wsgi:application --config {here}/project/gunicorn.conf.py"
        " --bind 127.0.0.1:{port} --log-level warning",
    ),
}

#: One worker, sendfile, no compression, no log: what a static server in C does.
NGINX_CONFIGURATION = """
daemon off;
worker_processes 1;
pid {directory}/nginx.pid;
error_log stderr warn;
events {{ worker_connections 1024; }}
http {{
    access_log off;
    sendfile on;
    tcp_nopush on;
    keepalive_requests 1000000000;
    types {{ text/css css; text/javascript js; video/mp4 mp4; }}
    client_body_temp_path {directory}; proxy_temp_path {directory}; fastcgi_temp_path {directory};
    uwsgi_temp_path {directory}; scgi_temp_path {directory};
    server {{
        listen 127.0.0.1:{port} backlog=1024;
        location /static/ {{ alias {root}/; }}
    }}
}}
"""

#: Seconds after which a server that does not answer has failed.
PATIENCE = 600.0


@dataclass(frozen=True)
class Application:
    """What stands in front of the project's one view, and how.

    ``asgi`` and ``wsgi`` name functions that return an application; ``needs`` a package without which the
    rows of this application are left out. ``manifest_with_stats``: the storage reads ServeStatic's manifest.
    """

    name: str
    middleware: tuple[str, ...] = ()
    asgi: str = "django.core.asgi.get_asgi_application"
    wsgi: str = "django.core.wsgi.get_wsgi_application"
    storage: str = "django.contrib.staticfiles.storage.ManifestStaticFilesStorage"
    apps: tuple[str, ...] = ()
    manifest_with_stats: bool = False
    needs: str = "django"

    def environment(self, tree: Tree) -> dict[str, str]:
        """The environment of a process that serves a tree through this application."""
        benchmark = {
            **asdict(self),
            "root": str(tree.root),
            "manifest": str(tree.manifest_with_stats) if self.manifest_with_stats else "",
            "requested": list(tree.requested.values()),
        }
        # Bytecode is written, as pip does when it installs: else every start of ours compiles a checkout's sources.
        inherited = {name: value for name, value in os.environ.items() if name != "PYTHONDONTWRITEBYTECODE"}
        return {
            **inherited,
            "BENCHMARK": json.dumps(benchmark),
            "DJANGO_SETTINGS_MODULE": "project.settings",
            "PYTHONPATH": os.pathsep.join([str(HERE), str(HERE.parent)]),
        }


#: What serves the tree without any application.
NGINX = Application("nginx")


def is_installed(package: str) -> bool:
    return find_spec(package.partition("-")[0]) is not None


def cores() -> tuple[int, int]:
    """One for the server and one for the client; the same one where there is only one."""
    available = sorted(os.sched_getaffinity(0))
    return available[0], available[-1]


def pinned(core: int, command: Sequence[str]) -> list[str]:
    return ["taskset", "--cpu-list", str(core), *command] if shutil.which("taskset") else list(command)


class Running:
    """A server that was started; ``began`` is the moment before, by ``time.perf_counter``."""

    def __init__(self, process: subprocess.Popen[bytes], port: int, log: Path, began: float) -> None:
        self.process = process
        self.port = port
        self.log = log
        self.began = began

    def get(self, path: str, headers: Sequence[tuple[str, str]] = ()) -> tuple[int, dict[str, str], bytes]:
        """Status, headers (lower case) and body of a GET, as soon as the server accepts a connection."""
        request = f"GET {path} HTTP/1.1\r\nHost: 127.0.0.1\r\nConnection: close\r\n"
        request += "".join(f"{name}: {value}\r\n" for name, value in headers) + "\r\n"
        until = time.monotonic() + PATIENCE
        while time.monotonic() < until:
            try:
                with socket.create_connection(("127.0.0.1", self.port), timeout=PATIENCE) as connection:
                    connection.sendall(request.encode())
                    with connection.makefile("rb") as answer:
                        return _parse(answer.read())
            except (ConnectionError, IndexError):
                if self.process.poll() is not None:
                    break
                time.sleep(0.0005)
        raise RuntimeError(f"The server did not answer:\n{self.log.read_text()[-4000:]}")

    def processes(self) -> list[int]:
        """The server's processes: the one that was started, and all below it."""
        found = [self.process.pid]
        for pid in found:
            with suppress(FileNotFoundError, ProcessLookupError):
                for task in Path(f"/proc/{pid}/task").iterdir():
                    found += map(int, (task / "children").read_text().split())
        return found

    def cpu_seconds(self) -> float:
        """User and system time of all processes: what /proc/<pid>/stat has in hundredths, to the nanosecond."""
        # clock_getcpuclockid(3), which Python does not have: the clock's id is made of the process's.
        return sum(time.clock_gettime((~pid << 3) | 2) for pid in self.processes())

    def threads(self) -> int:
        return sum(len(list(Path(f"/proc/{pid}/task").iterdir())) for pid in self.processes())

    def resident_bytes(self) -> int:
        """Resident memory of all processes; pages that they share count in each."""
        pages = sum(int(Path(f"/proc/{pid}/statm").read_text().split()[1]) for pid in self.processes())
        return pages * os.sysconf("SC_PAGE_SIZE")


def _parse(answer: bytes) -> tuple[int, dict[str, str], bytes]:
    head, _, body = answer.partition(b"\r\n\r\n")
    status, *lines = head.decode("latin-1").split("\r\n")
    headers = {name.lower(): value for name, _, value in (line.partition(": ") for line in lines)}
    return int(status.split()[1]), headers, body


@contextmanager
def running(server: str, application: Application, tree: Tree, *, before: Sequence[str] = ()) -> Iterator[Running]:
    """Start a server on the server's core; end it, and every process below it, by its id.

    ``before`` is put in front of the command (``strace …``).
    """
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        port = probe.getsockname()[1]
    environment = application.environment(tree)
    with tempfile.TemporaryDirectory() as directory:
        if application is NGINX:
            configuration = Path(directory) / "nginx.conf"
            configuration.write_text(NGINX_CONFIGURATION.format(directory=directory, port=port, root=tree.root))
            os.chmod(directory, 0o755)  # its worker is another user, if it was started as root
            command = ["nginx", "-p", directory, "-c", str(configuration)]
        else:
            command = [sys.executable, "-m", *SERVERS[server][1].format(port=port, here=HERE).split()]
        log = Path(directory) / "log"
        with log.open("wb") as output:
            began = time.perf_counter()
            process = subprocess.Popen(
                pinned(cores()[0], [*before, *command]),
                env=environment,
                cwd=directory,
                stdin=subprocess.DEVNULL,
                stdout=output,
                stderr=subprocess.STDOUT,
            )
        server_running = Running(process, port, log, began)
        try:
            yield server_running
        finally:
            _end(server_running, is_wrapped=bool(before))


def _end(server: Running, *, is_wrapped: bool) -> None:
    """Ask the server to end; what has not ended ten seconds later is killed."""
    pids = server.processes()
    # strace ends by itself when the server, its child, has ended.
    asked = pids[1] if is_wrapped and len(pids) > 1 else pids[0]
    with suppress(ProcessLookupError):
        os.kill(asked, 15)
    try:
        server.process.wait(10)
    except subprocess.TimeoutExpired:
        for pid in reversed(pids):
            with suppress(ProcessLookupError):
                os.kill(pid, 9)
        server.process.wait()
