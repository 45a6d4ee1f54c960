"""A collect that is killed at any moment harms nobody who asks a running server for the previous release."""

from __future__ import annotations

import http.client
import json
import os
import re
import shutil
import signal
import subprocess
import sys
import threading
import time
from pathlib import Path
from urllib.parse import quote, urlsplit

import pytest
from django.core.management import call_command

from django_asyncstatic.codings import CODINGS
from django_asyncstatic.index import INDEX_NAME, StaticIndex
from tests.servers import REPOSITORY, Server, running
from tests.test_storage import project

#: Workers keep no content in memory, so that every request reads the disk.
GUNICORN = Server(
    "gunicorn-workers",
    "gunicorn",
    "wsgi",
    "gunicorn {application} --bind 127.0.0.1:{port} --workers 2 --worker-class sync"
    " --graceful-timeout 5 --log-level warning",
)


class Visitor(threading.Thread):
    """Asks for every URL of a release, over and over, and notes what was wrong.

    A hashed name has to have the bytes that it had. A plain one has those of this release or of a later one.
    """

    def __init__(self, url: str, release: dict[str, tuple[bytes, bool]]) -> None:
        super().__init__(daemon=True)
        self.address = urlsplit(url).netloc
        self.release = release
        self.failures: list[str] = []
        self.requests = 0
        self.ended = threading.Event()

    def run(self) -> None:
        codings = ["identity", "gzip", "br", "zstd"]
        while not self.ended.is_set():
            for path, (content, is_immutable) in self.release.items():
                coding = codings[self.requests % 4]
                connection = http.client.HTTPConnection(self.address, timeout=30)
                try:
                    connection.request("GET", f"/static/{quote(path)}", headers={"accept-encoding": coding})
                    response = connection.getresponse()
                    body = response.read()
                    status = response.status
                except OSError as error:
                    self.failures.append(f"{path}: {error!r}")
                    continue
                finally:
                    connection.close()
                self.requests += 1
                token = response.headers["content-encoding"]
                if status != 200:
                    self.failures.append(f"{path} ({coding}): {status}")
                elif is_immutable and (CODINGS[token].decode(body) if token else body) != content:
                    self.failures.append(f"{path} ({coding}): other bytes")
                if self.ended.is_set():
                    return


@pytest.mark.timeout(300)
def test_a_hundred_killed_collects_fail_no_request_for_the_previous_release(
    tmp_path: Path, collected: Path, server_environment: dict[str, str]
) -> None:
    source, root = tmp_path / "source", tmp_path / "root"
    shutil.copytree(Path(__file__).parent / "static/site", source / "site")
    from tests.killed import change

    change(source, 0)
    with project(source, root):
        call_command("collectstatic", interactive=False, verbosity=0)
    index = StaticIndex.load(root / INDEX_NAME)
    release = {}
    for path in index:
        resource = index.get(path)
        assert resource is not None
        release[path] = ((root / resource.identity.file).read_bytes(), resource.immutable)
    environment = {**server_environment, "ASYNCSTATIC_TEST_ROOT": str(root), "ASYNCSTATIC_TEST_MEMORY": "0"}
    with running(GUNICORN, "tests.wsgi:middleware", environment) as server:
        visitor = Visitor(server.url, release)
        visitor.start()
        killer = subprocess.Popen(
            [sys.executable, "-m", "tests.killed", str(source), str(root), "100"],
            cwd=REPOSITORY,
            env={**os.environ, "DJANGO_SETTINGS_MODULE": "tests.settings"},
            stdout=subprocess.PIPE,
            stderr=subprocess.STDOUT,
            text=True,
        )
        try:
            answered = 0
            while killer.poll() is None:
                time.sleep(2)
                # gunicorn starts new workers and lets go of the old ones; on a busy machine not before they can answer.
                if visitor.requests > answered + 20:
                    answered = visitor.requests
                    server.signal(signal.SIGHUP)
            output = killer.communicate(timeout=10)[0]
        finally:
            killer.kill()
        time.sleep(1)
        visitor.ended.set()
        visitor.join(20)
        assert killer.returncode == 0, output
        assert visitor.failures == []
        assert visitor.requests > 500
    killed = re.search(r"(\d+) of 100 collects were killed", output)
    assert killed, output
    assert int(killed[1]) > 80
    # The last collect has ended: everything is there, and nothing that was left unfinished.
    index = StaticIndex.load(root / INDEX_NAME)
    assert not list(root.rglob("*unfinished*"))
    assert set(release) <= set(index)
    manifest = json.loads((root / "staticfiles.json").read_bytes())["paths"]
    assert set(manifest) == {str(file.relative_to(source)) for file in source.rglob("*") if file.is_file()}
    for path in index:
        resource = index.get(path)
        assert resource is not None
        for each in resource.representations:
            assert (root / each.file).stat().st_size == each.size
