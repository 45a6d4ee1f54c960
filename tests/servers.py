"""Real servers as subprocesses, and a client that sends what it is told and nothing else.

    with running(SERVERS["uvicorn"], "tests.asgi:wrapper", environment) as server:
        response = raw_request(server.url, "GET", "/static/site/one.txt", [("range", "bytes=0-0")])
        assert server.problems() == []

Adding a server is one entry in :data:`SERVERS`.
"""

from __future__ import annotations

import contextlib
import importlib.util
import os
import signal
import socket
import struct
import subprocess
import sys
import tempfile
import time
from collections.abc import Callable, Iterable, Iterator, Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import BinaryIO
from urllib.parse import urlsplit

import pytest

REPOSITORY = Path(__file__).resolve().parent.parent

#: Seconds until a server that does not answer has failed to start. Several may be starting on one core.
START_TIMEOUT = 40.0
#: Seconds between SIGTERM and SIGKILL.
STOP_TIMEOUT = 10.0
#: Seconds that any one operation on a socket may take.
SOCKET_TIMEOUT = 15.0

#: What no server may have logged: an exception, a warning of Python's (DeprecationWarning, ResourceWarning...),
#: Django's about an iterator of the wrong kind, and ours about a file that is not as the index says.
PROBLEMS = ("Traceback", "Warning", "StreamingHttpResponse must consume", "Passed on to the application")

Headers = Iterable[tuple[str, str]]


# --- servers -------------------------------------------------------------------------------------------------


@dataclass(frozen=True)
class Server:
    """How to start one server.

    ``package`` is what has to be installed; ``interface`` is "asgi" or "wsgi"; ``arguments`` are those of
    ``python -m``, with places for the application and the port. ``keeps_alive`` says whether a connection
    serves a second request, unless an answer says ``connection: close``. ``waits_for_client`` says whether a
    file of a few megabytes stays open while the client does not read: some servers take as much (granian), or
    any size (daphne), into their own memory, so that the application has finished when a client aborts.
    ``is_threaded`` says whether each request has one of a few threads or processes for as long as it takes,
    ``pipelines`` whether a request may be sent before the one before it is answered.
    """

    name: str
    package: str
    interface: str
    arguments: str
    keeps_alive: bool = True
    waits_for_client: bool = True
    is_threaded: bool = False
    pipelines: bool = True


_GUNICORN = "gunicorn {application} --bind 127.0.0.1:{port} --workers 1 --graceful-timeout 2 --log-level warning"
_GRANIAN = "granian {application} --host 127.0.0.1 --port {port} --workers 1 --no-ws --log-level warning"

SERVERS: dict[str, Server] = {
    server.name: server
    for server in (
        Server(
            "uvicorn",
            "uvicorn",
            "asgi",
            "uvicorn {application} --host 127.0.0.1 --port {port} --log-level warning --timeout-graceful-shutdown 2",
        ),
        Server("granian-asgi", "granian", "asgi", f"{_GRANIAN} --interface asgi", waits_for_client=False),
        Server("granian-wsgi", "granian", "wsgi", f"{_GRANIAN} --interface wsgi", waits_for_client=False),
        Server(
            "gunicorn-sync", "gunicorn", "wsgi", f"{_GUNICORN} --worker-class sync", keeps_alive=False, is_threaded=True
        ),
        Server(
            "gunicorn-gthread",
            "gunicorn",
            "wsgi",
            f"{_GUNICORN} --worker-class gthread --threads 4 --keep-alive 10",
            is_threaded=True,
        ),
        Server(
            "waitress",
            "waitress",
            "wsgi",
            "waitress --listen 127.0.0.1:{port} --threads 4 {application}",
            waits_for_client=False,
        ),
        Server(
            "hypercorn",
            "hypercorn",
            "asgi",
            "hypercorn {application} --bind 127.0.0.1:{port} --workers 1 --graceful-timeout 2 --log-level warning",
        ),
        Server(
            "daphne",
            "daphne",
            "asgi",
            "daphne {application} -b 127.0.0.1 -p {port} -v 0",
            waits_for_client=False,
        ),
    )
}

#: Sends from descriptors by itself (``http.response.zerocopysend``). Not in the table, for it answers a path that is
#: not UTF-8 after a second decoding with 400, before any application sees it.
ANYCORN = Server(
    "anycorn",
    "anycorn",
    "asgi",
    "anycorn {application} --bind 127.0.0.1:{port} --workers 0 --graceful-timeout 2 --log-level warning",
    waits_for_client=False,
)


@dataclass(frozen=True)
class Held:
    """What processes hold: open descriptors, threads, resident bytes (pages that they share count in each)."""

    descriptors: int
    threads: int
    resident: int


class RunningServer:
    """A started server: where it answers, what it logged, what its processes hold."""

    def __init__(self, process: subprocess.Popen[bytes], url: str, log_file: Path) -> None:
        self.url = url
        self._process = process
        self._log_file = log_file
        self._whole_log: str | None = None

    def has_ended(self) -> bool:
        return self._process.poll() is not None

    def log(self) -> str:
        """All that the server's processes wrote to stdout and stderr so far."""
        if self._whole_log is not None:
            return self._whole_log
        return self._log_file.read_text(errors="replace")

    def problems(self) -> list[str]:
        """The lines of the log that no server may have written, each with the lines after it."""
        lines = self.log().splitlines()
        return [
            "\n".join(lines[number : number + 30])
            for number, line in enumerate(lines)
            if any(problem in line for problem in PROBLEMS)
        ]

    def processes(self) -> list[int]:
        """The ids of the server's processes, workers included; needs Linux's /proc."""
        found = []
        for status in Path("/proc").glob("[0-9]*/stat"):
            # "pid (name) state parent group session ..."; the name may hold anything but comes first.
            with contextlib.suppress(OSError):
                session = int(status.read_text(errors="replace").rpartition(")")[2].split()[3])
                if session == self._process.pid:
                    found.append(int(status.parent.name))
        return found

    def held(self) -> Held:
        """What all of its processes hold; needs Linux's /proc."""
        descriptors = threads = pages = 0
        for process in self.processes():
            with contextlib.suppress(OSError):
                folder = Path(f"/proc/{process}")
                descriptors += len(list((folder / "fd").iterdir()))
                threads += len(list((folder / "task").iterdir()))
                pages += int((folder / "statm").read_text().split()[1])
        return Held(descriptors, threads, pages * os.sysconf("SC_PAGE_SIZE"))

    def has_open(self, file: Path) -> bool:
        """Whether any process of the server has this file open; needs Linux's /proc."""
        wanted = os.path.realpath(file)
        for process in self.processes():
            with contextlib.suppress(OSError):
                for descriptor in Path(f"/proc/{process}/fd").iterdir():
                    with contextlib.suppress(OSError):
                        if os.readlink(descriptor) == wanted:
                            return True
        return False

    def signal(self, number: signal.Signals) -> None:
        """Send a signal to the server's first process."""
        self._process.send_signal(number)

    def wait(self, seconds: float) -> int | None:
        """The exit status of the server's first process, ``None`` if it has not ended in time."""
        with contextlib.suppress(subprocess.TimeoutExpired):
            return self._process.wait(seconds)
        return None

    def stop(self) -> None:
        """SIGTERM to the server, SIGKILL to what is left of its process group; keeps the log."""
        self._process.terminate()
        with contextlib.suppress(subprocess.TimeoutExpired):
            self._process.wait(STOP_TIMEOUT)
        with contextlib.suppress(ProcessLookupError):
            os.killpg(self._process.pid, signal.SIGKILL)
        self._process.wait(STOP_TIMEOUT)
        self._whole_log = self.log()


@contextlib.contextmanager
def running(
    server: Server, application: str, environment: Mapping[str, str], directory: Path = REPOSITORY
) -> Iterator[RunningServer]:
    """Start a server in a directory, and stop it with all its workers at the end.

    ``application`` is a name like ``tests.asgi:wrapper``, ``environment`` is the whole environment. A server
    that is not installed is a skip. The log can still be read after the ``with`` block.
    """
    if importlib.util.find_spec(server.package) is None:
        pytest.skip(f"{server.package} is not installed")
    with tempfile.TemporaryDirectory(prefix="asyncstatic-server-") as temporary:
        log_file = Path(temporary, "log")
        started = _start(server, application, environment, directory, log_file)
        try:
            yield started
        finally:
            started.stop()


def _start(
    server: Server, application: str, environment: Mapping[str, str], directory: Path, log_file: Path
) -> RunningServer:
    # Twice, since another process can take the free port before the server does.
    for _ in range(2):
        started = _launch(server, application, environment, directory, log_file)
        try:
            wait_until(lambda started=started: started.has_ended() or _answers(started.url), START_TIMEOUT)
            if not started.has_ended() and _answers(started.url):
                return started
        except BaseException:
            started.stop()
            raise
        started.stop()
    raise RuntimeError(f"{server.name} did not start:\n{started.log()}")


def _launch(
    server: Server, application: str, environment: Mapping[str, str], directory: Path, log_file: Path
) -> RunningServer:
    port = free_port()
    arguments = server.arguments.format(application=application, port=port).split()
    with log_file.open("wb") as log:
        process = subprocess.Popen(
            [sys.executable, "-m", *arguments],
            cwd=directory,
            env={**environment, "PYTHONUNBUFFERED": "1"},  # what it prints is asked for while it runs
            stdin=subprocess.DEVNULL,
            stdout=log,
            stderr=subprocess.STDOUT,
            # A process group of its own, so that its workers can be killed with it and nothing else is.
            start_new_session=True,
        )
    return RunningServer(process, f"http://127.0.0.1:{port}", log_file)


def free_port() -> int:
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        port: int = probe.getsockname()[1]
        return port


def _answers(url: str) -> bool:
    try:
        raw_request(url, "GET", "/")
    except (OSError, MalformedResponse):
        return False
    return True


def has_proc() -> bool:
    """Whether this system tells what a process has open."""
    return Path("/proc/self/fd").is_dir()


def wait_until(condition: Callable[[], bool], seconds: float = 10.0) -> bool:
    """Whether the condition came true in time."""
    deadline = time.monotonic() + seconds
    while not condition():
        if time.monotonic() > deadline:
            return False
        time.sleep(0.02)
    return True


# --- the client ----------------------------------------------------------------------------------------------


class MalformedResponse(Exception):
    """What arrived is not an HTTP/1.1 response, or not a whole one, or more than one."""


class CutOff(MalformedResponse):
    """The connection ended in the middle; ``data`` is what came."""

    def __init__(self, data: bytes, size: int) -> None:
        super().__init__(f"the connection ended after {len(data)} of {size} bytes")
        self.data = data


@dataclass(frozen=True)
class Response:
    """Header names are in lower case, in the order in which they came; the body is as it was on the wire."""

    status: int
    headers: list[tuple[str, str]]
    body: bytes

    def get(self, name: str) -> str | None:
        """The field's value, repeated lines joined, or ``None``."""
        values = [value for each, value in self.headers if each == name]
        return ", ".join(values) if values else None


class Connection:
    """One HTTP/1.1 connection. It adds a ``host`` header where none is given, and nothing else.

    ``receive_buffer`` bounds what the kernel takes from the server before anyone reads it.
    """

    def __init__(self, url: str, *, receive_buffer: int | None = None) -> None:
        host, port = urlsplit(url).hostname, urlsplit(url).port
        assert host is not None
        assert port is not None
        self._host = f"{host}:{port}"
        self._socket = socket.socket()
        self._socket.settimeout(SOCKET_TIMEOUT)
        if receive_buffer is not None:
            self._socket.setsockopt(socket.SOL_SOCKET, socket.SO_RCVBUF, receive_buffer)
        try:
            self._socket.connect((host, port))
        except BaseException:
            self._socket.close()
            raise
        self._stream: BinaryIO = self._socket.makefile("rb")

    def __enter__(self) -> Connection:
        return self

    def __exit__(self, *exception: object) -> None:
        self.close()

    def close(self) -> None:
        self._stream.close()
        self._socket.close()

    def abort(self) -> None:
        """Leave as a client does that is gone: the server gets a reset, not an end."""
        self._socket.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, struct.pack("ii", 1, 0))
        self.close()

    def request(self, method: str, path: str, headers: Headers = (), body: bytes = b"") -> Response:
        """Send a request and read its response. The path is sent as it is, percent-encoded by the caller."""
        self.send(method, path, headers, body)
        return self.receive(method)

    def send(self, method: str, path: str, headers: Headers = (), body: bytes = b"") -> None:
        headers = list(headers)
        if all(name.lower() != "host" for name, _ in headers):
            headers.insert(0, ("host", self._host))
        lines = [f"{method} {path} HTTP/1.1", *(f"{name}: {value}" for name, value in headers), "", ""]
        self._socket.sendall("\r\n".join(lines).encode("latin-1") + body)

    def receive(self, method: str) -> Response:
        """Read one response, to a request with this method, as RFC 9112 6.3 delimits it."""
        version, _, rest = self._line().partition(" ")
        code = rest[:3]
        if not version.startswith("HTTP/1.") or not (code.isascii() and code.isdigit()):
            raise MalformedResponse(f"not a status line: {version!r} {rest!r}")
        status = int(code)
        headers = []
        while line := self._line():
            name, colon, value = line.partition(":")
            if not colon or name != name.strip():
                raise MalformedResponse(f"not a header line: {line!r}")
            headers.append((name.lower(), value.strip()))
        head = Response(status, headers, b"")
        length = head.get("content-length")
        if method == "HEAD" or status < 200 or status in (204, 304):
            body = b""
        elif (head.get("transfer-encoding") or "").lower() == "chunked":
            body = b"".join(self._chunks())
        elif length is not None:
            body = self._exactly(int(length))
        else:
            body = self._stream.read()
        return Response(status, headers, body)

    def hurry(self) -> None:
        """Let the kernel take as much as it will from now on."""
        self._socket.setsockopt(socket.SOL_SOCKET, socket.SO_RCVBUF, 1_000_000)

    def receive_some(self, size: int) -> bytes:
        """Read the raw bytes of the beginning of a response."""
        return self._exactly(size)

    def send_raw(self, data: bytes, *, is_all: bool = False) -> None:
        """Send bytes that need not be a request; ``is_all`` tells the server that none will follow."""
        self._socket.sendall(data)
        if is_all:
            with contextlib.suppress(OSError):  # the server hung up before it had read all
                self._socket.shutdown(socket.SHUT_WR)

    def rest(self) -> bytes:
        """What comes until the server closes, which a request with ``connection: close`` asks it to do."""
        return self._stream.read()

    def _line(self) -> str:
        line = self._stream.readline(65536)
        if not line.endswith(b"\r\n"):
            raise MalformedResponse(f"the connection ended in the head of a response, after {line!r}")
        return line[:-2].decode("latin-1")

    def _exactly(self, size: int) -> bytes:
        data = self._stream.read(size)
        if len(data) != size:
            raise CutOff(data, size)
        return data

    def _chunks(self) -> Iterator[bytes]:
        while size := int(self._line().partition(";")[0], 16):
            yield self._exactly(size)
            if self._line():
                raise MalformedResponse("a chunk does not end where it says")
        while self._line():
            pass  # trailers


def raw_request(url: str, method: str, path: str, headers: Headers = (), body: bytes = b"") -> Response:
    """One request on a connection of its own, which it asks the server to close; bytes after it are an error."""
    with Connection(url) as connection:
        response = connection.request(method, path, [*headers, ("connection", "close")], body)
        if rest := connection.rest():
            raise MalformedResponse(f"{len(rest)} bytes behind the response: {rest[:100]!r}")
        return response
