"""New releases while clients load everything: each response belongs wholly to one of them, however it was put there."""

from __future__ import annotations

import json
import logging
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

import pytest

from django_asyncstatic.index import INDEX_NAME, TIMES_NAME, StaticIndex
from django_asyncstatic.sources import IndexLoader, place_of
from django_asyncstatic.wsgi import StaticWSGI
from tests.crowd import FIRST, Crowd, Releases, current_paths, switch
from tests.edges import ask_wsgi
from tests.servers import SERVERS, Connection, Server, running
from tests.test_collectstatic import names

#: Two workers, each with an index of its own that it loads anew on its own.
GUNICORN = Server(
    "gunicorn-workers",
    "gunicorn",
    "wsgi",
    "gunicorn {application} --bind 127.0.0.1:{port} --workers 2 --worker-class gthread --threads 8 --keep-alive 10"
    " --graceful-timeout 2 --log-level warning",
)


@contextmanager
def served(server: Server, root: Path, environment: dict[str, str], application: str) -> Iterator[str]:
    environment = {**environment, "ASYNCSTATIC_TEST_ROOT": str(root), "ASYNCSTATIC_TEST_MEMORY": "100000"}
    with running(server, f"tests.{server.interface}:{application}", environment) as started:
        yield started.url
    assert started.problems() == []


@pytest.fixture
def releases(tmp_path: Path) -> Releases:
    return Releases(tmp_path / "source")


# --- the ways of a deploy ------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("server", "application", "options"),
    [(SERVERS["uvicorn"], "wrapper", {}), (GUNICORN, "middleware", {"clear": True})],
    ids=["in place", "with --clear"],
)
def test_a_collect_in_place_is_a_whole_release_to_everybody(
    server: Server,
    application: str,
    options: dict[str, object],
    releases: Releases,
    tmp_path: Path,
    server_environment: dict[str, str],
) -> None:
    root = tmp_path / "root"
    releases.collect(root)
    first = current_paths(root)
    with (
        served(server, root, server_environment, application) as url,
        # What pages rendered before the deploy ask for, and those rendered since.
        Crowd(url, lambda: [*first, *current_paths(root)], releases) as crowd,
    ):
        for _ in range(3):
            crowd.wait_for(400)
            releases.collect(root, **options)
        crowd.wait_for(400)
        assert crowd.failures == []
        assert crowd.requests >= 1600
    plain = {path for path in releases.history if path.count(".") == 1}
    assert len(releases.history) > 3 * len(plain)


@pytest.mark.parametrize("keeps", [True, False], ids=["previous", "fresh"])
def test_a_switched_link_is_a_whole_release_to_everybody_and_so_is_the_way_back(
    keeps: bool, releases: Releases, tmp_path: Path, server_environment: dict[str, str]
) -> None:
    roots = [tmp_path / f"release-{number}" for number in range(3)]
    for before, root in zip([None, *roots], roots, strict=False):
        releases.collect(root, **({"previous": [str(before)]} if keeps and before else {}))
    current = tmp_path / "current"
    switch(current, roots[0])
    first = current_paths(current)
    # Without the earlier releases only what every release has can be asked for at any moment.
    paths = (lambda: [*first, *names(current)]) if keeps else (lambda: [*names(current)])
    with (
        served(SERVERS["uvicorn"], current, server_environment, "wrapper") as url,
        Crowd(url, paths, releases) as crowd,
    ):
        for root in (roots[1], roots[2], roots[0], roots[2]):
            crowd.wait_for(250)
            switch(current, root)
        crowd.wait_for(250)
        assert crowd.failures == []
        with Connection(url) as connection:
            for name, hashed in names(roots[2]).items():
                answers = [connection.request("GET", f"/static/{path}") for path in (hashed, name)]
                assert [answer.body for answer in answers] == [(roots[2] / hashed).read_bytes()] * 2


# --- indexes that are not what they should be ----------------------------------------------------------------


@pytest.fixture
def application(tmp_path: Path, releases: Releases) -> StaticWSGI:
    """It looks at its index at every request."""
    root = tmp_path / "root"
    releases.collect(root)
    application = StaticWSGI()
    application.site.add("static", IndexLoader(lambda: place_of(root), reload_interval=0))
    return application


def test_an_index_that_is_being_written_is_not_used_before_it_is_whole(
    application: StaticWSGI, releases: Releases, tmp_path: Path, caplog: pytest.LogCaptureFixture
) -> None:
    root = tmp_path / "root"
    before = ask_wsgi(application, "GET", "/static/site-0.css")
    old = {name: (root / name).read_bytes() for name in (TIMES_NAME, INDEX_NAME)}
    releases.collect(root)
    new = (root / INDEX_NAME).read_bytes()
    for name, data in old.items():
        (root / name).write_bytes(data)
    assert ask_wsgi(application, "GET", "/static/site-0.css") == before
    with caplog.at_level(logging.ERROR, "django_asyncstatic"), (root / INDEX_NAME).open("r+b") as file:
        file.truncate()  # as cp does
        for start in range(0, len(new), len(new) // 40):
            assert ask_wsgi(application, "GET", "/static/site-0.css") == before
            file.write(new[start : start + len(new) // 40])
            file.flush()
        after = ask_wsgi(application, "GET", "/static/site-0.css")
    assert after.body == (root / names(root)["site-0.css"]).read_bytes()
    assert after.body != before.body
    assert caplog.records
    assert all("stays in use" in record.getMessage() for record in caplog.records)


def test_an_index_of_a_later_format_leaves_the_loaded_one_in_use(
    application: StaticWSGI, tmp_path: Path, caplog: pytest.LogCaptureFixture
) -> None:
    root = tmp_path / "root"
    before = ask_wsgi(application, "GET", "/static/site-0.css")
    good = (root / INDEX_NAME).read_bytes()
    header, _, lines = good.partition(b"\n")
    later = {**json.loads(header), "version": 2}
    with caplog.at_level(logging.ERROR, "django_asyncstatic"):
        (root / INDEX_NAME).write_bytes(json.dumps(later).encode() + b"\n" + lines)
        for _ in range(3):
            assert ask_wsgi(application, "GET", "/static/site-0.css") == before
    (record,) = caplog.records
    assert "run collectstatic with the release that serves" in record.getMessage()
    (root / INDEX_NAME).write_bytes(good)
    assert ask_wsgi(application, "GET", "/static/site-0.css") == before


def test_times_of_another_index_are_not_mixed_in(releases: Releases, tmp_path: Path) -> None:
    """The bytes of one release under the date of the next would be a 304 for that, to who has only the date."""
    root = tmp_path / "root"
    releases.collect(root)
    first = names(root)["site-0.css"]
    index = StaticIndex.load(root / INDEX_NAME)
    releases.collect(root)
    resource = index.get("site-0.css")
    assert resource is not None
    assert resource.identity.file == first
    assert resource.last_modified is None
    fresh = StaticIndex.load(root / INDEX_NAME).get("site-0.css")
    assert fresh is not None
    assert fresh.last_modified == FIRST + 2 * 3600


def test_a_file_that_is_gone_is_asked_for_in_a_newer_index_at_once(
    releases: Releases, tmp_path: Path, caplog: pytest.LogCaptureFixture
) -> None:
    """Between two looks at the index a switched link takes the files away."""
    roots = [tmp_path / "first", tmp_path / "second"]
    for root in roots:
        releases.collect(root)
    current = tmp_path / "current"
    switch(current, roots[0])
    application = StaticWSGI()
    application.site.add("static", IndexLoader(lambda: place_of(current), reload_interval=3600))
    assert ask_wsgi(application, "HEAD", "/static/site-0.css").status == 200
    hashed = names(roots[0])["site-0.css"]
    with caplog.at_level(logging.ERROR, "django_asyncstatic"):
        switch(current, roots[1])
        response = ask_wsgi(application, "GET", "/static/site-0.css")
        assert response.body == (roots[1] / names(roots[1])["site-0.css"]).read_bytes()
        assert ask_wsgi(application, "GET", f"/static/{hashed}").status == 404
    assert caplog.records == []
