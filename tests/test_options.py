"""What is off by default: index files, root files, live patterns, dotfiles, functions that change headers."""

from __future__ import annotations

import asyncio
import os
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
from django.core.asgi import get_asgi_application
from django.core.management import call_command
from django.core.wsgi import get_wsgi_application
from django.test import override_settings

from django_asyncstatic import asgi, wsgi
from django_asyncstatic.serving.headers import BUNDLERS, immutable_file_test
from tests.edges import EDGES, Response, ask_asgi, ask_wsgi

#: All edges; ``plan`` knows of no application behind it and says 404 itself.
ALL = pytest.mark.parametrize("edge", EDGES)


@pytest.fixture(scope="module")
def small_root(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A collected root with pages, dotfiles, and a bundler's files."""
    source = tmp_path_factory.mktemp("source")
    files = {
        "index.html": "<h1>top</h1>",
        "docs/index.html": "<h1>docs</h1>",
        "docs/page.html": "<h1>page</h1>",
        "a:b/index.html": "<h1>colon</h1>",
        "döcs/index.html": "<h1>umlaut</h1>",
        ".env": "SECRET=1",
        "folder/.git/config": "[core]",
        ".well-known/security.txt": "Contact: mailto:security@example.org",
        "assets/index-BRBmoGS9.js": "export default 1",
        "assets/settings-page.js": "export default 1",
        "BRBmoGS9.d/plain.js": "export default 1",
    }
    for name, content in files.items():
        (source / name).parent.mkdir(parents=True, exist_ok=True)
        (source / name).write_text(content)
    root = tmp_path_factory.mktemp("root")
    with override_settings(
        STATIC_ROOT=root,
        STATICFILES_DIRS=[source],
        STATICFILES_FINDERS=["django.contrib.staticfiles.finders.FileSystemFinder"],
    ):
        call_command("collectstatic", interactive=False, verbosity=0, use_default_ignore_patterns=False)
    return root


@pytest.fixture(autouse=True)
def _root(small_root: Path) -> Iterator[None]:
    with override_settings(STATIC_ROOT=small_root):
        yield


def get(edge: str, path: str, *fields: tuple[str, str], method: str = "GET") -> Response:
    return EDGES[edge](method, path, fields)


# --- index files ----------------------------------------------------------------------------------------------


@ALL
def test_index_files_are_off_by_default(edge: str) -> None:
    for path in ("/static/docs/", "/static/docs", "/static/"):
        assert get(edge, path).status == 404
    assert get(edge, "/static/docs/index.html").body == b"<h1>docs</h1>"


@ALL
@pytest.mark.parametrize("setting", [True, "index.html"])
def test_a_folder_is_answered_by_its_index_file(edge: str, setting: object) -> None:
    with override_settings(ASYNCSTATIC_INDEX_FILE=setting):
        response = get(edge, "/static/docs/?query=1")
        assert (response.status, response.body) == (200, b"<h1>docs</h1>")
        assert response.headers["content-type"] == "text/html; charset=utf-8"
        assert get(edge, "/static/").body == b"<h1>top</h1>"
        assert get(edge, "/static/docs/", ("if-none-match", response.headers["etag"])).status == 304
        assert get(edge, "/static/docs/page.html").body == b"<h1>page</h1>"
        assert get(edge, "/static/absent/").status == 404


@ALL
@pytest.mark.parametrize(
    ("path", "location"),
    [
        ("/static/docs", "./docs/"),
        ("/static/docs?a=b&c=%20", "./docs/?a=b&c=%20"),
        ("/static/docs/index.html", "./"),
        ("/static/docs/index.html?x", "./?x"),
        ("/static/index.html", "./"),
        ("/static/a:b", "./a:b/"),
        ("/static/d%C3%B6cs", "./d%C3%B6cs/"),
    ],
)
def test_the_other_names_of_a_folder_are_redirected_with_their_query(edge: str, path: str, location: str) -> None:
    with override_settings(ASYNCSTATIC_INDEX_FILE=True):
        response = get(edge, path)
        location = location.replace("a:b", "a%3Ab")
        assert (response.status, response.headers["location"], response.body) == (302, location, b"")
        assert response.headers["access-control-allow-origin"] == "*"
        assert get(edge, path, method="HEAD").status == 302
        assert get(edge, path, method="POST").status == 405


def test_a_query_is_kept_as_it_was_sent() -> None:
    raw = b"q=\xc3\xa9&r=%20"
    with override_settings(ASYNCSTATIC_INDEX_FILE=True):
        for response in (
            ask_asgi(asgi.get_asgi_application(), "GET", "/static/docs", query_string=raw),
            ask_asgi(get_asgi_application(), "GET", "/static/docs", query_string=raw),
            ask_wsgi(wsgi.get_wsgi_application(), "GET", "/static/docs", QUERY_STRING=raw.decode("latin-1")),
            ask_wsgi(get_wsgi_application(), "GET", "/static/docs", QUERY_STRING=raw.decode("latin-1")),
        ):
            assert response.headers["location"] == "./docs/?q=%C3%A9&r=%20"


def test_a_redirect_is_right_below_a_script_name() -> None:
    """The reference is relative, so whatever stands in front of the path stays there."""
    from urllib.parse import urljoin

    with override_settings(ASYNCSTATIC_INDEX_FILE=True):
        for response in (
            ask_asgi(asgi.get_asgi_application(), "GET", "/app/static/docs", root_path="/app"),
            ask_wsgi(wsgi.get_wsgi_application(), "GET", "/static/docs", SCRIPT_NAME="/app"),
            ask_asgi(get_asgi_application(), "GET", "/app/static/docs", root_path="/app"),
            ask_wsgi(get_wsgi_application(), "GET", "/static/docs", SCRIPT_NAME="/app"),
        ):
            assert (
                urljoin("https://host/app/static/docs", response.headers["location"]) == "https://host/app/static/docs/"
            )
    with override_settings(ASYNCSTATIC_INDEX_FILE=True, FORCE_SCRIPT_NAME="/app"):
        assert ask_asgi(asgi.get_asgi_application(), "GET", "/static/docs").headers["location"] == "./docs/"


@pytest.mark.parametrize("query", ["a\r\nx-injected: yes", "a\nb", 'a" b', "\x00"], ids=["crlf", "lf", "space", "nul"])
def test_a_query_breaks_out_of_no_line(query: str) -> None:
    with override_settings(ASYNCSTATIC_INDEX_FILE=True):
        response = ask_wsgi(wsgi.get_wsgi_application(), "GET", "/static/docs", QUERY_STRING=query)
    assert response.status == 302
    assert not set('\r\n\0 "') & set(response.headers["location"])
    assert "x-injected" not in response.headers


# --- dotfiles -------------------------------------------------------------------------------------------------

HIDDEN = ("/static/.env", "/static/folder/.git/config")


@ALL
def test_dotfiles_are_not_served_unless_asked_for(edge: str) -> None:
    """Although they were collected, with ``--no-default-ignore``."""
    for path in HIDDEN:
        assert get(edge, path).status == 404
    assert get(edge, "/static/.well-known/security.txt").status == 200
    with override_settings(ASYNCSTATIC_DOTFILES=True):
        for path in HIDDEN:
            assert get(edge, path).status == 200


# --- root files -----------------------------------------------------------------------------------------------


@pytest.fixture
def root_files(tmp_path: Path) -> Path:
    folder = tmp_path / "root-files"
    (folder / ".well-known").mkdir(parents=True)
    (folder / "robots.txt").write_text("User-agent: *\n")
    (folder / ".well-known/security.txt").write_text("Contact: mailto:security@example.org\n")
    (folder / ".env").write_text("SECRET=1")
    return folder


@ALL
def test_root_files_are_served_at_the_top_and_nothing_else_is(edge: str, root_files: Path) -> None:
    with override_settings(ASYNCSTATIC_ROOT=root_files):
        robots = get(edge, "/robots.txt")
        assert (robots.status, robots.body) == (200, b"User-agent: *\n")
        assert robots.headers["content-type"] == "text/plain; charset=utf-8"
        assert get(edge, "/robots.txt", ("if-none-match", robots.headers["etag"])).status == 304
        assert get(edge, "/robots.txt", ("range", "bytes=0-3")).body == b"User"
        assert get(edge, "/.well-known/security.txt").body.startswith(b"Contact: ")
        (root_files / ".well-known/token").write_text("a token that appeared later")
        assert get(edge, "/.well-known/token").body == b"a token that appeared later"
        assert get(edge, "/static/docs/page.html").body == b"<h1>page</h1>"
        for path in ("/.env", "/../robots.txt", "//robots.txt", "/robots.txt/", "/absent", "/"):
            response = get(edge, path)
            assert response.status == 404 or response.headers.get("x-answered-by") == "application"


def test_a_root_file_is_fresh_at_each_request(root_files: Path) -> None:
    with override_settings(ASYNCSTATIC_ROOT=root_files):
        for application, ask in ((get_wsgi_application(), ask_wsgi), (asgi.get_asgi_application(), ask_asgi)):
            first = ask(application, "GET", "/robots.txt")
            (root_files / "robots.txt").write_text("Disallow: /\n" * (2 if ask is ask_wsgi else 3))
            second = ask(application, "GET", "/robots.txt")
            assert second.body == (root_files / "robots.txt").read_bytes()
            assert first.headers["etag"] != second.headers["etag"]


# --- live patterns --------------------------------------------------------------------------------------------


@pytest.fixture
def late(small_root: Path, tmp_path: Path) -> Iterator[Path]:
    """Files that something wrote into STATIC_ROOT after the collect, as django-compressor does."""
    folder = small_root / "CACHE/css"
    folder.mkdir(parents=True)
    (folder / "output.css").write_text("body{}")
    (tmp_path / "secret.css").write_text("secret")
    (folder / "out.css").symlink_to(tmp_path / "secret.css")
    os.mkfifo(folder / "fifo.css")
    yield folder
    import shutil

    shutil.rmtree(small_root / "CACHE")


@ALL
def test_live_patterns_are_looked_up_on_the_disk(edge: str, late: Path) -> None:
    assert get(edge, "/static/CACHE/css/output.css").status == 404
    with override_settings(ASYNCSTATIC_LIVE=["CACHE/*"]):
        assert get(edge, "/static/CACHE/css/new.css").status == 404
        (late / "new.css").write_text("new{}")
        assert get(edge, "/static/CACHE/css/new.css").body == b"new{}"
        (late / "new.css").unlink()
        found = get(edge, "/static/CACHE/css/output.css")
        assert (found.body, found.headers["content-type"]) == (b"body{}", "text/css; charset=utf-8")
        assert get(edge, "/static/CACHE/css/output.css", ("if-none-match", found.headers["etag"])).status == 304
        assert get(edge, "/static/docs/page.html").status == 200


@ALL
@pytest.mark.parametrize(
    "path",
    [
        "CACHE/css/out.css",
        "CACHE/css/fifo.css",
        "CACHE/css",
        "CACHE/css/",
        "CACHE/../asyncstatic.index",
        "CACHE/../../secret.css",
        "CACHE/%2e%2e/staticfiles.json",
        "CACHE//css/output.css",
        "CACHE/./css/output.css",
        "CACHE/css\\output.css",
        "CACHE/css/output.css%00",
        "CACHE/.hidden",
        "CACHE/" + "x" * 5000,
    ],
    ids=range(13),
)
def test_a_live_pattern_reaches_only_regular_files_by_their_plain_names(edge: str, path: str, late: Path) -> None:
    (late.parent / ".hidden").write_text("hidden")
    with override_settings(ASYNCSTATIC_LIVE=["*"]):
        assert get(edge, f"/static/{path}").status == 404


@ALL
@pytest.mark.parametrize("name", ["asyncstatic.index", "asyncstatic.times", "staticfiles.json", "docs/page.html.br"])
def test_what_the_collect_wrote_for_itself_is_never_served(edge: str, name: str, small_root: Path) -> None:
    (small_root / "docs/page.html.br").write_bytes(b"a representation")
    for patterns in ((), ["*"]):
        with override_settings(ASYNCSTATIC_LIVE=patterns):
            assert get(edge, f"/static/{name}").status == 404


def test_looking_up_a_live_name_does_not_happen_on_the_event_loop(late: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    import threading

    from django_asyncstatic.live import LiveDirectory

    threads: set[threading.Thread] = set()
    get_resource = LiveDirectory.get

    def recorded(self: LiveDirectory, path: str) -> Any:
        threads.add(threading.current_thread())
        return get_resource(self, path)

    monkeypatch.setattr(LiveDirectory, "get", recorded)
    with override_settings(ASYNCSTATIC_LIVE=["CACHE/*"]):
        for application in (asgi.get_asgi_application(), get_asgi_application()):
            assert ask_asgi(application, "GET", "/static/CACHE/css/output.css").status == 200
    assert threads
    assert threading.main_thread() not in threads
    assert asyncio.iscoroutinefunction(recorded) is False


# --- headers --------------------------------------------------------------------------------------------------


def add_headers(headers: Any, path: str, url: str) -> None:
    assert Path(path).is_file()
    headers["X-Url"] = url
    headers["Vary"] = "Origin, X-Device"
    headers["Cache-Control"] = "no-cache"
    headers["ETag"] = '"mine"'
    headers["Content-Length"] = "1"
    headers.add_header("Link", "</a>; rel=preload")
    headers.add_header("Link", "</b>; rel=preload")


@ALL
def test_a_function_changes_headers_but_not_what_follows_from_the_bytes(edge: str, collected: Path) -> None:
    with override_settings(STATIC_ROOT=collected, ASYNCSTATIC_ADD_HEADERS_FUNCTION=add_headers):
        response = get(edge, "/static/site/text.txt", ("accept-encoding", "br"))
    assert response.headers["x-url"] == "/static/site/text.txt"
    assert response.headers["vary"] == "Origin, X-Device, accept-encoding"
    assert response.headers["cache-control"] == "no-cache"
    assert response.headers["link"] == "</a>; rel=preload, </b>; rel=preload"
    assert response.headers["etag"] != '"mine"'
    assert response.headers["content-length"] == str(len(response.body))


def test_the_function_is_called_once_per_resource() -> None:
    calls = []
    with override_settings(ASYNCSTATIC_ADD_HEADERS_FUNCTION=lambda headers, path, url: calls.append(url)):
        application = asgi.get_asgi_application()
        for fields in ((), (("accept-encoding", "br"),), (("if-none-match", "*"),)):
            ask_asgi(application, "GET", "/static/docs/page.html", fields)
    assert calls == ["/static/docs/page.html"]


@pytest.mark.parametrize(
    ("name", "value"),
    [("x-bad", "a\r\nx-injected: yes"), ("x bad", "a"), ("x-bad", "\u2603")],
    ids=["crlf", "name", "snowman"],
)
def test_a_header_that_cannot_be_sent_is_an_error_that_names_it(name: str, value: str) -> None:
    def function(headers: Any, path: str, url: str) -> None:
        headers[name] = value

    with (
        override_settings(ASYNCSTATIC_ADD_HEADERS_FUNCTION=function),
        pytest.raises(ValueError, match=r"cannot be sent, for /static/docs/page\.html"),
    ):
        ask_wsgi(wsgi.get_wsgi_application(), "GET", "/static/docs/page.html")


@ALL
@pytest.mark.parametrize(
    "rule", ["vite", BUNDLERS["vite"], lambda path, url: "BRBmoGS9.js" in url], ids=["name", "expression", "function"]
)
def test_a_bundlers_hashed_files_can_be_immutable(edge: str, rule: object) -> None:
    def is_immutable(path: str) -> bool:
        return "immutable" in get(edge, path).headers["cache-control"]

    assert not is_immutable("/static/assets/index-BRBmoGS9.js")
    with override_settings(ASYNCSTATIC_IMMUTABLE_FILE_TEST=rule):
        assert is_immutable("/static/assets/index-BRBmoGS9.js")
        assert not is_immutable("/static/assets/settings-page.js")
        assert not is_immutable("/static/BRBmoGS9.d/plain.js")


@pytest.mark.parametrize(
    ("bundler", "name", "is_hashed"),
    [
        ("vite", "index-BRBmoGS9.js", True),
        ("vite", "vendor-_plugin-vue_export-helper-DlAUqK2U.js", True),
        ("vite", "index-Diwr2Tda.css", True),
        ("vite", "Inter-SemiBold.woff2", False),
        ("vite", "app.DataGrid.js", False),
        ("vite", "IMG-WINTER24.jpg", False),
        ("vite", "report-2024July.pdf", False),
        ("esbuild", "report-SUMMER25.pdf", False),
        ("vite", "my-filename.js", False),
        ("vite", "photo-20241231.jpg", False),
        ("vite", "jquery-settings.js", False),
        ("vite", "app.js", False),
        ("webpack", "main.0a1b2c3d4e5f67890123.js", True),
        ("webpack", "0a1b2c3d4e5f67890123.png", True),
        ("webpack", "main.css", False),
        ("webpack", "main.20241231.js", False),
        ("webpack", "defaced.js", False),
        ("esbuild", "app-XQ7Z2LKA.js", True),
        ("esbuild", "app-SETTINGS.js", False),
        ("esbuild", "photo-20241231.jpg", False),
    ],
)
def test_the_rules_for_bundlers_know_hashed_names_from_others(bundler: str, name: str, is_hashed: bool) -> None:
    test = immutable_file_test(bundler)
    assert test is not None
    assert test("", f"/static/assets/{name}") is is_hashed
    assert not test("", f"/static/{name}/plain.js")
