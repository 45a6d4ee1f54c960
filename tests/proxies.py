"""What may stand between a client and the application: a real nginx, one of Python that alters, one that misbehaves.

with nginx(f"location / {{ proxy_pass {server.url}; }}") as proxy: ...
with altering(server.url, without("vary")) as url: ...
with speaking(lambda connection: connection.sendall(b"noise")) as url: ...
"""

from __future__ import annotations

import contextlib
import os
import shutil
import socket
import subprocess
import tempfile
import threading
from collections.abc import Callable, Iterator
from dataclasses import dataclass, replace
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path

import pytest

from tests.servers import Response, RunningServer, free_port, raw_request, wait_until

_NGINX = """
daemon off;
master_process off;
worker_processes 1;
error_log stderr warn;
pid {directory}/pid;
events {{ worker_connections 64; }}
http {{
    access_log off;
    client_body_temp_path {directory}/body;
    proxy_temp_path {directory}/proxy;
    fastcgi_temp_path {directory}/fastcgi;
    uwsgi_temp_path {directory}/uwsgi;
    scgi_temp_path {directory}/scgi;
    server {{
        listen 127.0.0.1:{port}{tls};
        {server}
    }}
}}
"""


@contextlib.contextmanager
def nginx(server: str, *, certificate: Path | None = None) -> Iterator[RunningServer]:
    """A real nginx whose ``server`` block has these lines; a skip where it is not installed.

    With a certificate, a file that holds its key too, it speaks TLS.
    """
    program = shutil.which("nginx", path=f"{os.environ.get('PATH', os.defpath)}:/usr/sbin:/usr/local/sbin")
    if program is None:
        pytest.skip("nginx is not installed")
    scheme, tls = ("http", "") if certificate is None else ("https", " ssl")
    if certificate is not None:
        server = f"ssl_certificate {certificate}; ssl_certificate_key {certificate};\n{server}"
    with tempfile.TemporaryDirectory(prefix="asyncstatic-nginx-") as directory:
        port, log = free_port(), Path(directory, "log")
        configuration = Path(directory, "nginx.conf")
        configuration.write_text(_NGINX.format(directory=directory, port=port, tls=tls, server=server))
        with log.open("wb") as output:
            process = subprocess.Popen(
                [program, "-p", directory, "-c", str(configuration)],
                stdin=subprocess.DEVNULL,
                stdout=output,
                stderr=subprocess.STDOUT,
                start_new_session=True,
            )
        started = RunningServer(process, f"{scheme}://127.0.0.1:{port}", log)
        try:
            if not wait_until(lambda: started.has_ended() or _listens(port)) or started.has_ended():
                raise RuntimeError(f"nginx did not start:\n{started.log()}")
            yield started
        finally:
            started.stop()


def _listens(port: int) -> bool:
    with contextlib.suppress(OSError), socket.create_connection(("127.0.0.1", port), timeout=1):
        return True
    return False


# --- one that alters -----------------------------------------------------------------------------------------


@dataclass(frozen=True)
class Request:
    method: str
    path: str
    headers: dict[str, str]

    def without(self, *names: str) -> Request:
        return replace(self, headers={name: value for name, value in self.headers.items() if name not in names})


#: From what a client sent, and a function that passes a request on, to what the client gets.
Alteration = Callable[[Request, Callable[[Request], Response]], Response]


@contextlib.contextmanager
def altering(upstream: str, alter: Alteration) -> Iterator[str]:
    """The address of a proxy whose answers are altered. They are sent as they are: status, headers, body."""

    def pass_on(request: Request) -> Response:
        return raw_request(upstream, request.method, request.path, list(request.headers.items()))

    class Handler(BaseHTTPRequestHandler):
        def handle_one_request(self) -> None:
            self.close_connection = True
            self.raw_requestline = self.rfile.readline(65537)
            if self.parse_request():
                sent = {name.lower(): value for name, value in self.headers.items()}
                headers = {name: value for name, value in sent.items() if name not in ("connection", "host")}
                response = alter(Request(self.command, self.path, headers), pass_on)
                lines = [f"HTTP/1.1 {response.status} Status"]
                # The body has been put together from its chunks.
                kept = [pair for pair in response.headers if pair[0] not in ("connection", "transfer-encoding")]
                lines += [f"{name}: {value}" for name, value in kept]
                self.wfile.write("\r\n".join([*lines, "connection: close", "", ""]).encode("latin-1") + response.body)

        def log_message(self, *arguments: object) -> None:
            pass

    server = ThreadingHTTPServer(("127.0.0.1", 0), Handler)
    server.daemon_threads = True
    thread = threading.Thread(target=server.serve_forever, kwargs={"poll_interval": 0.05})
    thread.start()
    try:
        yield f"http://127.0.0.1:{server.server_port}"
    finally:
        server.shutdown()
        thread.join()
        server.server_close()


def with_header(response: Response, name: str, value: str | None) -> Response:
    """The response with this field, instead of those with its name; ``None`` for without."""
    headers = [pair for pair in response.headers if pair[0] != name]
    return replace(response, headers=headers if value is None else [*headers, (name, value)])


# --- one that misbehaves -------------------------------------------------------------------------------------


@contextlib.contextmanager
def speaking(say: Callable[[socket.socket], object]) -> Iterator[str]:
    """The address of a server that reads a request's beginning, says something, and closes."""
    listener = socket.create_server(("127.0.0.1", 0))
    over = threading.Event()

    def serve(connection: socket.socket) -> None:
        with contextlib.suppress(OSError), connection:
            connection.settimeout(5)
            connection.recv(65536)
            say(connection)

    def accept() -> None:
        listener.settimeout(0.05)
        while not over.is_set():
            with contextlib.suppress(TimeoutError):
                threading.Thread(target=serve, args=(listener.accept()[0],), daemon=True).start()

    thread = threading.Thread(target=accept)
    thread.start()
    try:
        yield f"http://127.0.0.1:{listener.getsockname()[1]}"
    finally:
        over.set()
        thread.join()
        listener.close()
