"""Roots and indexes that are not as they should be: the site starts, serves what it may, and says the rest once."""

from __future__ import annotations

import asyncio
import logging
import os
import tempfile
import threading
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor, wait
from contextlib import contextmanager
from hashlib import sha256
from pathlib import Path
from typing import Any

import pytest

from django_asyncstatic.asgi import StaticASGI
from django_asyncstatic.index import INDEX_NAME, StaticIndex, encode_index
from django_asyncstatic.live import ScannedIndex
from django_asyncstatic.sources import IndexLoader, place_of
from django_asyncstatic.wsgi import StaticWSGI
from tests.edges import Response, aask_asgi, ask_wsgi, make_scope
from tests.test_index import make_resource


@pytest.fixture
def root(tmp_path: Path) -> Path:
    folder = tmp_path / "root"
    (folder / "css").mkdir(parents=True)
    (folder / "css/site.css").write_text("body {}")
    return folder


@pytest.fixture
def log(caplog: pytest.LogCaptureFixture) -> Iterator[pytest.LogCaptureFixture]:
    with caplog.at_level(logging.WARNING, "django_asyncstatic"):
        yield caplog


def get(application: StaticWSGI, path: str, *fields: tuple[str, str]) -> Response:
    return ask_wsgi(application, "GET", path, fields)


def make_application(root: Path, index: Path | None = None) -> StaticWSGI:
    return StaticWSGI(root=root, prefix="static", index=index)


def test_a_root_without_an_index_is_scanned_and_the_log_says_so_once(root: Path, log: pytest.LogCaptureFixture) -> None:
    application = make_application(root)
    for _ in range(2):
        assert get(application, "/static/css/site.css").body == b"body {}"
    assert [record.message for record in log.records] == [
        f"No index at {root / INDEX_NAME}: scanning the directory instead."
        " Run collectstatic with a storage of django_asyncstatic.storage."
    ]


def test_a_scanned_file_has_a_weak_validator_that_makes_304s(root: Path) -> None:
    application = make_application(root)
    response = get(application, "/static/css/site.css")
    assert response.headers["etag"].startswith('W/"')
    assert get(application, "/static/css/site.css", ("if-none-match", response.headers["etag"])).status == 304
    assert get(application, "/static/css/site.css", ("if-match", response.headers["etag"])).status == 412


@pytest.mark.parametrize("time", [0, 1, 315_532_800], ids=["ostree", "nix", "zip"])
@pytest.mark.parametrize("live", [(), ("*",)], ids=["scanned", "live"])
def test_a_time_that_every_build_gives_its_files_is_no_validator(
    root: Path, live: tuple[str, ...], time: int, tmp_path: Path
) -> None:
    """A new version of the same length would be taken for the old one."""
    application = StaticWSGI(root=root, prefix="static", live=live)
    if live:
        get(application, "/static/css/absent.css")  # the scan; what follows is looked up
    tags = set()
    for text in ("one", "two"):
        new = tmp_path / text
        new.write_text(text)
        os.utime(new, (time, time))
        new.replace(root / "css/new.css")
        application = application if live else StaticWSGI(root=root, prefix="static")
        response = get(application, "/static/css/new.css")
        assert response.body == text.encode()
        assert "last-modified" not in response.headers
        tags.add(response.headers["etag"])
        assert get(application, "/static/css/new.css", ("if-none-match", response.headers["etag"])).status == 304
    assert len(tags) == 2


def test_a_scan_takes_compressed_siblings_and_djangos_hashed_names(root: Path) -> None:
    import gzip

    (root / "css/site.css.gz").write_bytes(gzip.compress(b"body {}"))
    (root / "css/site.css.br").write_bytes(b"stale")
    os.utime(root / "css/site.css.br", (1, 1))  # older than the file: of other content
    (root / "css/site.0123456789ab.css").write_text("body {}")
    (root / "staticfiles.json").write_text('{"paths": {"css/site.css": "css/site.0123456789ab.css"}}')
    application = make_application(root)
    coded = get(application, "/static/css/site.css", ("accept-encoding", "br, gzip"))
    assert coded.headers["content-encoding"] == "gzip"
    assert gzip.decompress(coded.body) == b"body {}"
    assert "immutable" in get(application, "/static/css/site.0123456789ab.css").headers["cache-control"]
    assert "immutable" not in get(application, "/static/css/site.css").headers["cache-control"]
    for private in ("css/site.css.gz", "staticfiles.json", INDEX_NAME):
        assert get(application, "/static/" + private).status == 404


def test_what_cannot_be_served_is_skipped_and_named(root: Path, tmp_path: Path, log: pytest.LogCaptureFixture) -> None:
    (tmp_path / "secret.txt").write_text("secret")
    (tmp_path / "outside").mkdir()
    (tmp_path / "outside/file.txt").write_text("secret")
    (root / "dangling.css").symlink_to(root / "nowhere.css")
    (root / "loop.css").symlink_to(root / "loop.css")
    (root / "up").symlink_to(root)
    (root / "out.txt").symlink_to(tmp_path / "secret.txt")
    (root / "outside").symlink_to(tmp_path / "outside")
    (root / "inside.css").symlink_to(root / "css/site.css")
    (root / ".env").write_text("secret")
    os.mkfifo(root / "fifo.css")
    descriptor = os.open(os.fsencode(root) + b"/not-utf8-\xff.css", os.O_CREAT | os.O_WRONLY)
    os.close(descriptor)
    index = ScannedIndex(root)
    assert sorted(index) == ["css/site.css", "inside.css"]
    assert {skipped.name: skipped.reason for skipped in index.skipped} == {
        ".env": "dotfiles are not served",
        "dangling.css": "a symlink that leads nowhere",
        "fifo.css": "not a regular file",
        "loop.css": "a symlink that leads nowhere",
        "not-utf8-\udcff.css": "the name is not UTF-8",
        "out.txt": "a symlink out of the root",
        "outside": "a symlink out of the root",
        "up": "a symlink to a folder above it",
    }
    application = make_application(root)
    assert get(application, "/static/inside.css").body == b"body {}"
    for name in ("dangling.css", "loop.css", "fifo.css", "out.txt", "outside/file.txt", ".env", "up/css/site.css"):
        assert get(application, "/static/" + name).status == 404
    assert "'.env' (dotfiles are not served)" in log.text
    assert "and 3 more" in log.text


def test_folders_that_link_to_each_other_end(root: Path) -> None:
    for one, other in (("a", "b"), ("b", "a")):
        (root / one).mkdir(exist_ok=True)
        (root / one / "link").symlink_to(root / other)
        (root / one / f"{one}.txt").write_text(one)
    assert "a/a.txt" in set(ScannedIndex(root))


@contextmanager
def as_nobody() -> Iterator[None]:
    """Root reads everything, so root steps down for a moment."""
    is_root = os.geteuid() == 0
    if is_root:
        os.seteuid(65534)
    try:
        yield
    finally:
        if is_root:
            os.seteuid(0)


@pytest.fixture
def open_root() -> Iterator[Path]:
    """A root whose parents everybody may enter; pytest's own temporary folders are private."""
    with tempfile.TemporaryDirectory() as folder:
        os.chmod(folder, 0o755)
        (Path(folder) / "closed").mkdir()
        (Path(folder) / "closed.css").write_text("body {}")
        (Path(folder) / "open.css").write_text("body {}")
        yield Path(folder)


def test_unreadable_files_and_folders_are_skipped(open_root: Path) -> None:
    (open_root / "closed.css").chmod(0)
    (open_root / "closed").chmod(0)
    with as_nobody():
        index = ScannedIndex(open_root)
    assert list(index) == ["open.css"]
    assert {skipped.name: skipped.reason for skipped in index.skipped} == {
        "closed": "cannot be read: Permission denied",
        "closed.css": "not readable",
    }


def test_a_root_that_is_not_readable_serves_nothing_and_says_so(open_root: Path, log: pytest.LogCaptureFixture) -> None:
    application = make_application(open_root / "closed")
    (open_root / "closed").chmod(0)
    with as_nobody():
        assert get(application, "/static/site.css").status == 404
    assert "it cannot be listed (Permission denied)" in log.text


@pytest.mark.parametrize("kind", ["absent", "file"])
def test_a_root_that_is_no_directory_serves_nothing_and_says_so(
    tmp_path: Path, kind: str, log: pytest.LogCaptureFixture
) -> None:
    root = tmp_path / "root"
    if kind == "file":
        root.write_text("not a directory")
    application = make_application(root)
    for _ in range(2):
        assert get(application, "/static/css/site.css").status == 404
    errors = [record.message for record in log.records if record.levelno == logging.ERROR]
    assert len(errors) == 1
    assert errors[0].startswith(f"No file will be served from {root}: it cannot be listed")


@pytest.mark.parametrize(
    "content", [b"", b"noise", b'{"format": "asyncstatic-index", "version": 99}\n'], ids=["empty", "noise", "newer"]
)
def test_a_corrupt_or_newer_index_at_start_counts_as_none(
    root: Path, content: bytes, log: pytest.LogCaptureFixture
) -> None:
    (root / INDEX_NAME).write_bytes(content)
    application = make_application(root)
    assert get(application, "/static/css/site.css").status == 200
    (record,) = log.records
    assert str(root / INDEX_NAME) in record.message
    assert "Scanning the directory instead." in record.message
    assert "collectstatic" in record.message


def test_a_new_index_is_loaded_and_a_corrupt_one_is_not(root: Path, log: pytest.LogCaptureFixture) -> None:
    index = root / INDEX_NAME
    index.write_bytes(encode_index([make_resource("a")], {}))
    loader = IndexLoader(lambda: place_of(root), reload_interval=0)
    first = loader.current()
    assert loader.current() is first
    index.write_bytes(b"half of")
    assert loader.current() is first
    assert "The index loaded before stays in use." in log.text
    index.write_bytes(encode_index([make_resource("a"), make_resource("b")], {}))
    second = loader.current()
    assert second is not first
    assert second.get("b") is not None
    index.unlink()
    assert loader.current() is second
    assert len(log.records) == 1


def test_an_index_that_appears_later_replaces_the_scan(root: Path) -> None:
    loader = IndexLoader(lambda: place_of(root), reload_interval=0)
    assert isinstance(loader.current(), ScannedIndex)
    (root / INDEX_NAME).write_bytes(encode_index([make_resource("a")], {}))
    assert loader.current().get("a") is not None


def test_the_index_file_is_looked_at_no_more_often_than_the_interval(root: Path) -> None:
    (root / INDEX_NAME).write_bytes(encode_index([make_resource("a")], {}))
    loader = IndexLoader(lambda: place_of(root), reload_interval=3600)
    first = loader.current()
    (root / INDEX_NAME).write_bytes(encode_index([make_resource("b")], {}))
    assert loader.current() is first


def test_nothing_is_loaded_before_the_first_request_that_needs_it(
    tmp_path: Path, log: pytest.LogCaptureFixture
) -> None:
    application = make_application(tmp_path / "absent")
    assert get(application, "/elsewhere").status == 404
    assert not log.records


def collected(root: Path, content: bytes) -> StaticWSGI:
    """A root with an index that says what ``a.css`` was when it was collected."""
    (root / "a.css").write_bytes(content)
    resource = make_resource("a.css", sha256(content).hexdigest(), len(content))
    (root / INDEX_NAME).write_bytes(encode_index([resource], {}))
    return make_application(root)


@pytest.mark.parametrize("size", [100, 1_000_000], ids=["small", "large"])
@pytest.mark.parametrize(
    ("change", "what"),
    [
        (lambda file: file.unlink(), "cannot be opened"),
        (lambda file: file.write_bytes(b"short"), "has 5 bytes"),
        (lambda file: (file.unlink(), file.mkdir()), "a.css"),
        (lambda file: (file.unlink(), os.mkfifo(file)), "has 0 bytes"),
    ],
    ids=["deleted", "cut", "directory", "fifo"],
)
def test_a_file_that_is_not_what_the_index_says_is_passed_on_and_logged_once(  # type: ignore[no-untyped-def]
    root: Path, size: int, change, what: str, log: pytest.LogCaptureFixture
) -> None:
    application = collected(root, b"x" * size)
    change(root / "a.css")
    for _ in range(2):
        assert get(application, "/static/a.css").status == 404
    (record,) = log.records
    assert what in record.message
    assert record.message.endswith("Run collectstatic.")


def test_a_small_file_with_other_bytes_of_the_same_length_is_not_served(
    root: Path, log: pytest.LogCaptureFixture
) -> None:
    application = collected(root, b"x" * 100)
    (root / "a.css").write_bytes(b"y" * 100)
    assert get(application, "/static/a.css").status == 404
    assert "other bytes" in log.text


def test_what_was_read_once_is_served_from_memory(root: Path) -> None:
    application = collected(root, b"x" * 100)
    assert get(application, "/static/a.css").status == 200
    (root / "a.css").unlink()
    assert get(application, "/static/a.css").body == b"x" * 100


def test_a_damaged_line_passes_its_request_on_and_says_so(root: Path, log: pytest.LogCaptureFixture) -> None:
    application = collected(root, b"x")
    index = root / INDEX_NAME
    index.write_bytes(index.read_bytes().replace(b'{"type"', b'{"tipe"'))
    for _ in range(2):
        assert get(application, "/static/a.css").status == 404
    (record,) = log.records
    assert "damaged line for 'a.css'" in record.message


def test_the_directory_added_last_answers(root: Path, tmp_path: Path) -> None:
    other = tmp_path / "other"
    (other / "css").mkdir(parents=True)
    (other / "css/site.css").write_text("other {}")
    (other / "only.css").write_text("only {}")
    application = make_application(root)
    application.add_files(other, prefix="/static/")
    application.add_files(other, prefix="/elsewhere")
    bodies = {
        path: get(application, path).body
        for path in ("/static/css/site.css", "/static/only.css", "/elsewhere/only.css")
    }
    assert bodies == {
        "/static/css/site.css": b"other {}",
        "/static/only.css": b"only {}",
        "/elsewhere/only.css": b"only {}",
    }


@pytest.mark.parametrize(
    "path",
    [
        "/static/../secret.txt",
        "/static/%2e%2e/secret.txt",
        "/static//etc/passwd",
        "/static/css/../css/site.css",
        "/static/css//site.css",
        "/static/css\\site.css",
        "/static/css/site.css%00",
        "/static/css/site.css/",
        "/static/",
        "/static",
        "/static/" + "a" * 100_000,
        "/static/%ff",
    ],
    ids=range(12),
)
@pytest.mark.parametrize("has_index", [True, False], ids=["index", "scan"])
def test_no_path_reaches_what_is_not_in_the_index(root: Path, path: str, has_index: bool) -> None:
    (root.parent / "secret.txt").write_text("secret")
    application = collected(root, b"x") if has_index else make_application(root)
    assert get(application, path).status == 404


def test_an_index_that_could_not_be_read_for_a_moment_is_read_later(
    root: Path, log: pytest.LogCaptureFixture, monkeypatch: pytest.MonkeyPatch
) -> None:
    def fail(file: Path) -> StaticIndex:
        raise OSError(24, "Too many open files", str(file))

    (root / INDEX_NAME).write_bytes(encode_index([make_resource("a")], {}))
    loader = IndexLoader(lambda: place_of(root), reload_interval=0)
    with monkeypatch.context() as patch:
        patch.setattr(StaticIndex, "load", fail)
        for _ in range(3):
            assert loader.current().get("a") is None
    assert loader.current().get("a") is not None
    (root / INDEX_NAME).write_bytes(encode_index([make_resource("b")], {}))
    with monkeypatch.context() as patch:
        patch.setattr(StaticIndex, "load", fail)
        for _ in range(3):
            assert loader.current().get("a") is not None
    assert loader.current().get("b") is not None
    assert len([record for record in log.records if "Too many open files" in record.message]) == 2


def deploy(root: Path, *names: str) -> None:
    """Files of one byte, and the index that has them."""
    for name in names:
        (root / name).write_bytes(b"x")
    resources = [make_resource(name, sha256(b"x").hexdigest(), 1) for name in names]
    (root / INDEX_NAME).write_bytes(encode_index(resources, {}))


class HeldUp:
    """Loading an index is held up until it may go on; ``is_loading`` once it has begun."""

    def __init__(self, monkeypatch: pytest.MonkeyPatch) -> None:
        self.is_loading, self.may_load = threading.Event(), threading.Event()
        load = StaticIndex.load

        def held_up(file: Path) -> StaticIndex:
            self.is_loading.set()
            assert self.may_load.wait(10)
            return load(file)

        monkeypatch.setattr(StaticIndex, "load", held_up)


def test_a_name_that_only_a_newer_index_has_is_found_at_once(root: Path) -> None:
    """A worker that has started since the deploy renders it; this one was to look again in five seconds."""
    application = collected(root, b"x")
    assert get(application, "/static/a.css").status == 200
    deploy(root, "a.css", "b.css")
    assert get(application, "/static/b.css").status == 200


def test_a_name_of_a_newer_index_is_waited_for_while_another_thread_loads_that(
    root: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    application = collected(root, b"x")
    assert get(application, "/static/a.css").status == 200
    deploy(root, "a.css", "b.css", "c.css")
    loading = HeldUp(monkeypatch)
    with ThreadPoolExecutor(3) as pool:
        first = pool.submit(get, application, "/static/b.css")
        assert loading.is_loading.wait(10)
        others = [pool.submit(get, application, f"/static/{name}") for name in ("c.css", "missing.css")]
        # What the loaded index has does not wait.
        assert get(application, "/static/a.css").status == 200
        assert not wait({first, *others}, 0.1).done
        loading.may_load.set()
        assert [each.result(10).status for each in (first, *others)] == [200, 200, 404]


@pytest.mark.parametrize("comes_first", ["thread", "request"])
def test_the_event_loop_goes_on_while_a_newer_index_is_loaded(
    root: Path, comes_first: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Whether a thread loads it already, or a request for a name that the loaded one lacks comes upon it."""
    deploy(root, "a.css")
    source = IndexLoader(lambda: place_of(root))
    application = StaticASGI()
    application.site.add("static", source)

    async def status(name: str) -> int:
        return (await aask_asgi(application, make_scope("GET", f"/static/{name}"))).status

    async def run() -> list[int]:
        assert await status("a.css") == 200
        deploy(root, "a.css", "b.css", "c.css")
        loading = HeldUp(monkeypatch)
        if comes_first == "thread":
            looking = asyncio.ensure_future(asyncio.to_thread(source.refresh, source.current()))
            assert await asyncio.to_thread(loading.is_loading.wait, 10)
        asked = [asyncio.ensure_future(status(name)) for name in ("b.css", "c.css", "missing.css")]
        assert await asyncio.to_thread(loading.is_loading.wait, 10)
        assert await status("a.css") == 200
        assert not any(each.done() for each in asked)
        loading.may_load.set()
        if comes_first == "thread":
            assert await looking
        return await asyncio.gather(*asked)

    assert asyncio.run(run()) == [200, 200, 404]


def test_a_missing_name_is_passed_on_without_a_thread_while_the_index_is_the_same(root: Path) -> None:
    deploy(root, "a.css")
    application = StaticASGI(None, root, "static")

    async def run() -> None:
        await aask_asgi(application, make_scope("GET", "/static/a.css"))
        loop, submitted = asyncio.get_running_loop(), []
        submit = loop.run_in_executor
        loop.run_in_executor = lambda *work: submitted.append(work) or submit(*work)  # type: ignore
        for number in range(20):
            assert (await aask_asgi(application, make_scope("GET", f"/static/{number}.css"))).status == 404
            await asyncio.sleep(0.001)  # longer than the rest between two looks
        assert submitted == []

    asyncio.run(run())


@pytest.mark.parametrize("path", ["/static/a.css", "/static/a.css?range"], ids=["whole", "range"])
def test_a_large_file_with_other_bytes_of_the_same_length_is_not_served(
    root: Path, path: str, log: pytest.LogCaptureFixture
) -> None:
    application = collected(root, b"x" * 400_000)
    fields = [("range", "bytes=0-9")] if path.endswith("range") else []
    assert get(application, path, *fields).status in (200, 206)
    (root / "a.css").write_bytes(b"y" * 400_000)
    assert get(application, path, *fields).status == 404
    assert "other bytes" in log.text


def test_a_relative_root_is_that_of_the_moment_it_was_named(
    root: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.chdir(root.parent)
    application = StaticWSGI(root="root", prefix="static")
    (tmp_path / "elsewhere/root/css").mkdir(parents=True)
    (tmp_path / "elsewhere/root/css/site.css").write_text("secret")
    monkeypatch.chdir(tmp_path / "elsewhere")
    assert get(application, "/static/css/site.css").body == b"body {}"


@pytest.mark.parametrize(
    "arguments",
    [
        {"live": "CACHE/*"},
        {"charset": "utf-8\r\nx-injected: 1"},
        {"max_age": "60"},
        {"max_age": -1},
        {"autorefresh": True},
        {"immutable_file_test": "("},
        {"immutable_file_test": "a{99999999999}"},
    ],
    ids=["live", "charset", "text", "negative", "unknown", "expression", "overflow"],
)
def test_an_argument_that_cannot_be_meant_is_an_error_at_once(root: Path, arguments: dict[str, Any]) -> None:
    with pytest.raises((TypeError, ValueError), match=r"has to be|There is no argument 'autorefresh': live="):
        StaticWSGI(root=root, **arguments)


def test_true_means_index_html_and_a_bundler_may_be_named(root: Path) -> None:
    (root / "index.html").write_text("<h1>top</h1>")
    (root / "app-BRBmoGS9.js").write_text("1")
    application = StaticWSGI(root=root, prefix="static", index_file=True, immutable_file_test="vite")
    assert get(application, "/static/").body == b"<h1>top</h1>"
    assert "immutable" in get(application, "/static/app-BRBmoGS9.js").headers["cache-control"]
