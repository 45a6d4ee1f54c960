"""``runserver`` as processes: ours, Django's with and without --nostatic, Daphne's; the same files from each."""

from __future__ import annotations

import os
from hashlib import md5
from importlib.util import find_spec
from pathlib import Path

import pytest

from tests.servers import REPOSITORY, Server, raw_request, running

OURS, DJANGOS, DAPHNES = "django_asyncstatic", "django.contrib.staticfiles", "daphne"
MIDDLEWARE = "django_asyncstatic.middleware.AsyncStaticMiddleware"

#: By name: the apps, whether the middleware is installed, arguments, and whether the middleware answers.
ROWS: dict[str, tuple[list[str], bool, str, bool]] = {
    "ours": ([OURS, DJANGOS], True, "", True),
    "ours, told --nostatic": ([OURS, DJANGOS], True, "--nostatic", True),
    "ours, without the middleware": ([OURS, DJANGOS], False, "", False),
    "Django's": ([DJANGOS, OURS], True, "", False),
    "Django's with --nostatic": ([DJANGOS, OURS], True, "--nostatic", True),
    "ours above Daphne's": ([OURS, DAPHNES, DJANGOS], True, "", True),
    "ours above Daphne's, on WSGI": ([OURS, DAPHNES, DJANGOS], True, "--noasgi", True),
    "Daphne's": ([DAPHNES, OURS, DJANGOS], True, "", False),
    "Daphne's with --nostatic": ([DAPHNES, OURS, DJANGOS], True, "--nostatic", True),
}

SETTINGS = """
from tests.settings import *
DEBUG = True
INSTALLED_APPS = {apps!r}
MIDDLEWARE = {middleware!r}
STATICFILES_DIRS = [{sources!r}]
STATIC_ROOT = {root!r}
ASGI_APPLICATION = "tests.asgi.middleware"
{more}
"""


def runserver(arguments: str) -> Server:
    return Server("runserver", "django", "wsgi", f"django runserver 127.0.0.1:{{port}} --noreload {arguments}")


def environment(
    folder: Path, apps: list[str], *, has_middleware: bool = True, more: str = ""
) -> tuple[dict[str, str], Path]:
    """The environment of a project, and the folder of its sources."""
    sources = folder / "sources"
    sources.mkdir()
    (sources / "site.css").write_text("one")
    text = SETTINGS.format(
        apps=apps,
        middleware=[MIDDLEWARE] if has_middleware else [],
        sources=str(sources),
        root=str(folder / "root"),
        more=more,
    )
    (folder / "runserver_settings.py").write_text(text)
    path = os.pathsep.join([str(folder), str(REPOSITORY)])
    return {**os.environ, "DJANGO_SETTINGS_MODULE": "runserver_settings", "PYTHONPATH": path}, sources


@pytest.mark.parametrize("row", ROWS)
def test_static_files_come_fresh_from_every_runserver(row: str, tmp_path: Path) -> None:
    apps, has_middleware, arguments, is_ours = ROWS[row]
    if DAPHNES in apps and find_spec(DAPHNES) is None:
        pytest.skip("daphne is not installed")
    variables, sources = environment(tmp_path, apps, has_middleware=has_middleware)
    with running(runserver(arguments), "", variables) as server:
        response = raw_request(server.url, "GET", "/static/site.css")
        assert (response.status, response.body) == (200, b"one")
        assert response.get("cache-control") == ("no-cache" if is_ours else None)
        (sources / "site.css").write_text("two")
        assert raw_request(server.url, "GET", "/static/site.css").body == b"two"
        missing = raw_request(server.url, "GET", "/static/stie.css", [("accept", "text/html")])
        assert missing.status == 404
        assert (b"Did you mean" in missing.body) is is_ours
        assert raw_request(server.url, "GET", "/page").body == b"application GET page "
        assert ("Daphne" in server.log()) is (DAPHNES in apps and "--noasgi" not in arguments)
    assert server.problems() == []


@pytest.mark.parametrize("apps", [[OURS, DJANGOS], [OURS, DAPHNES, DJANGOS]], ids=["Django's below", "Daphne's below"])
def test_a_rehearsal_under_runserver_serves_hashed_names(apps: list[str], tmp_path: Path) -> None:
    variables, _ = environment(tmp_path, apps, more="ASYNCSTATIC_REHEARSAL = True")
    hashed = f"/static/site.{md5(b'one').hexdigest()[:12]}.css"
    with running(runserver(""), "", variables) as server:
        response = raw_request(server.url, "GET", hashed)
        assert (response.status, response.body) == (200, b"one")
        assert "immutable" in (response.get("cache-control") or "")
    assert server.problems() == []
    assert not (tmp_path / "root").exists()
