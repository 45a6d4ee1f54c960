"""Releases that are collected while a crowd of clients loads everything, for the tests of deploys and for the soak."""

from __future__ import annotations

import os
import threading
from collections.abc import Callable, Mapping
from hashlib import md5, sha256
from pathlib import Path
from types import TracebackType
from urllib.parse import quote

from django.utils.http import http_date

from django_asyncstatic.codings import CODINGS
from django_asyncstatic.index import DIGEST_DIGITS
from tests.servers import Connection, MalformedResponse, Response
from tests.test_collectstatic import collect, names
from tests.test_storage import project

CLIENTS = 64

#: When the first release is collected, by SOURCE_DATE_EPOCH; each later one an hour after the one before.
FIRST = 1_750_000_000


# --- releases ------------------------------------------------------------------------------------------------


class Releases:
    """Sources that change from release to release, and what each path was in each of them."""

    def __init__(self, source: Path) -> None:
        self.source = source
        self.number = 0
        #: The bytes that each path has had, and when: once in each of the roots that do not know each other.
        self.history: dict[str, dict[bytes, set[int]]] = {}

    def collect(self, root: Path, **options: object) -> None:
        """Change the sources and collect them into a root."""
        self.number += 1
        now = FIRST + self.number * 3600
        is_new_root = not root.exists() and "previous" not in options
        self.source.mkdir(exist_ok=True)
        for index in range(6):
            css = f"@import 'part-{index}.css';\n" + f"a {{ order: {self.number} }}\n" * 40
            (self.source / f"site-{index}.css").write_text(css)
            (self.source / f"part-{index}.css").write_text(f"p {{ order: {self.number // 2} }}\n" * 40)
        (self.source / "same.js").write_text("f();\n" * 50)
        (self.source / "large.bin").write_bytes(sha256(b"%d" % self.number).digest() * 12_000)
        os.environ["SOURCE_DATE_EPOCH"] = str(now)
        try:
            with project(self.source, root):
                collect(**options)
        finally:
            del os.environ["SOURCE_DATE_EPOCH"]
        for name, hashed in names(root).items():
            data = (root / hashed).read_bytes()
            for path in (name, hashed):
                times = self.history.setdefault(path, {}).setdefault(data, set())
                if is_new_root or not times:
                    times.add(now)


# --- clients -------------------------------------------------------------------------------------------------


class Crowd:
    """Clients that ask for the paths they are given, over and over, and note what was wrong with the answers."""

    def __init__(self, url: str, paths: Callable[[], list[str]], releases: Releases, *, clients: int = CLIENTS) -> None:
        self.requests = 0
        self.failures: list[str] = []
        self._url, self._paths, self._releases = url, paths, releases
        self._ended = threading.Event()
        self._seen: dict[tuple[str, bytes], set[str | None]] = {}
        self._threads = [threading.Thread(target=self._run, args=(number,), daemon=True) for number in range(clients)]

    def __enter__(self) -> Crowd:
        for thread in self._threads:
            thread.start()
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, traceback: TracebackType | None
    ) -> None:
        self._ended.set()
        for thread in self._threads:
            thread.join(30)

    def wait_for(self, requests: int) -> None:
        """Wait until so many more requests were answered."""
        until = self.requests + requests
        while self.requests < until and not self.failures:
            self._ended.wait(0.01)

    def _run(self, number: int) -> None:
        codings = ("identity", "gzip", "br", "zstd")
        while not self._ended.is_set():
            try:
                with Connection(self._url) as connection:
                    for turn, path in enumerate(self._paths()):
                        fields = [("accept-encoding", codings[(turn + number) % 4])]
                        response = connection.request("GET", "/static/" + quote(path), fields)
                        self._note(path, response)
                        if self._ended.is_set() or response.get("connection") == "close":
                            break
            except (OSError, MalformedResponse) as error:
                self.failures.append(repr(error))

    def _note(self, path: str, response: Response) -> None:
        self.requests += 1
        if wrong := wrong_with(path, response, self._releases.history.get(path)):
            self.failures.append(f"{path}: {wrong}")


def wrong_with(path: str, response: Response, history: Mapping[bytes, set[int]] | None) -> str:
    """What tells that a response is not wholly of one release; empty if nothing does.

    ``history`` are the contents that the path has had, ``None`` where the release is not noted down yet.
    """
    if response.status != 200:
        return f"status {response.status}"
    if response.get("etag") != f'"{sha256(response.body).hexdigest()[:DIGEST_DIGITS]}"':
        return f"the tag is {response.get('etag')}, which is not that of these bytes"
    token = response.get("content-encoding")
    data = CODINGS[token].decode(response.body) if token else response.body
    is_hashed = path.count(".") == 2
    if is_hashed and md5(data, usedforsecurity=False).hexdigest()[:12] != path.split(".")[1]:
        return "the bytes are not those that the name was made of"
    if is_hashed != ("immutable" in (response.get("cache-control") or "")):
        return f"cache-control: {response.get('cache-control')}"
    if history is None or data not in history:
        return ""
    modified = response.get("last-modified")
    times = [http_date(time) for time in history[data]]
    if modified is not None and modified not in times:
        return f"last-modified: {modified}, and these bytes are of {' or '.join(times)}"
    return ""


def current_paths(root: Path) -> list[str]:
    """What pages that are rendered now ask for: the names of the manifest, plain and hashed."""
    return [path for pair in names(root).items() for path in pair]


def switch(link: Path, root: Path) -> None:
    """Let the link point to another root, at one instant, as deploy tools do."""
    new = link.with_name("new")
    new.symlink_to(root)
    os.replace(new, link)
