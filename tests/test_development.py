"""Development: what the finders have, fresh at each request; and rehearsals of what production will serve."""

from __future__ import annotations

import asyncio
import os
import re
import tempfile
import threading
import time
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from importlib.util import find_spec
from pathlib import Path
from typing import Any

import pytest
from django.contrib.staticfiles.finders import BaseFinder
from django.contrib.staticfiles.management.commands.collectstatic import Command as DjangoCommand
from django.core.asgi import get_asgi_application
from django.core.exceptions import ImproperlyConfigured
from django.core.management import CommandError, call_command
from django.core.wsgi import get_wsgi_application
from django.http import HttpResponse
from django.templatetags.static import static
from django.test import override_settings
from django.urls import path

from django_asyncstatic import conf
from django_asyncstatic.development import is_spelt, nearest
from django_asyncstatic.index import INDEX_NAME
from django_asyncstatic.rehearsal import Rehearsal
from tests.edges import EDGES, Response, aask_asgi, ask_asgi, ask_wsgi, make_scope
from tests.programs import output_of

MANIFEST = "django_asyncstatic.storage.CompressedManifestStaticFilesStorage"
FINDERS = ["django.contrib.staticfiles.finders.FileSystemFinder"]
HTML = (("accept", "text/html,*/*;q=0.8"),)

# A view of the application below STATIC_URL: it has to be asked before anything is called missing.
urlpatterns = [path("static/made.txt", lambda request: HttpResponse("made"))]


class ThreadFinder(BaseFinder):
    """Makes files when it is asked for them, cannot list them, and notes which thread asked."""

    folder = Path()
    threads: set[int] = set()

    def find(self, path: str, find_all: bool = False, **kwargs: Any) -> Any:
        self.threads.add(threading.get_ident())
        if not path.startswith("made/"):
            return []
        file = self.folder / f"{path.replace('/', '-')}.out"
        file.write_text(f"made for {path}")
        return [str(file)] if find_all else str(file)


@pytest.fixture
def sources(tmp_path: Path) -> Iterator[Path]:
    """A folder of sources, the only one, with DEBUG; nothing is collected."""
    folder = tmp_path / "sources"
    (folder / "css").mkdir(parents=True)
    (folder / "css/site.css").write_text("a { background: url(dot.svg) }")
    (folder / "css/dot.svg").write_text("<svg/>")
    with override_settings(
        DEBUG=True,
        STATICFILES_FINDERS=FINDERS,
        STATICFILES_DIRS=[folder],
        STATIC_ROOT=tmp_path / "root",
    ):
        yield folder


def get(name: str, *fields: tuple[str, str], method: str = "GET") -> Response:
    return ask_wsgi(get_wsgi_application(), method, f"/static/{name}", fields)


# --- files of the finders -------------------------------------------------------------------------------------


@pytest.mark.parametrize("edge", EDGES)
def test_a_file_is_fresh_at_every_request_on_every_edge(edge: str, sources: Path) -> None:
    file = sources / "css/site.css"
    before = EDGES[edge]("GET", "/static/css/site.css")
    assert before.body == b"a { background: url(dot.svg) }"
    times = file.stat()
    file.write_text("b { background: url(dot.svg) }")
    os.utime(file, ns=(times.st_atime_ns, times.st_mtime_ns))  # as within one tick of a coarse clock
    fields = [("if-none-match", before.headers["etag"]), ("if-modified-since", before.headers["last-modified"])]
    after = EDGES[edge]("GET", "/static/css/site.css", fields)
    assert (after.status, after.body) == (200, b"b { background: url(dot.svg) }")
    assert after.headers["etag"] != before.headers["etag"]
    (sources / "css/new.css").write_text("c {}")
    assert EDGES[edge]("GET", "/static/css/new.css").body == b"c {}"
    (sources / "css/new.css").unlink()
    assert EDGES[edge]("GET", "/static/css/new.css").status == 404


def test_a_running_handler_serves_what_was_saved_since(sources: Path) -> None:
    application = get_wsgi_application()
    for text in ("one", "two", "six"):
        (sources / "css/site.css").write_text(text)
        assert ask_wsgi(application, "GET", "/static/css/site.css").body == text.encode()


def test_a_browser_may_keep_it_and_has_to_ask(sources: Path) -> None:
    rule = r"\.css$"  # whatever production takes for immutable
    with override_settings(ASYNCSTATIC_IMMUTABLE_FILE_TEST=rule, ASYNCSTATIC_MAX_AGE=3600):
        response = get("css/site.css")
        assert response.headers["cache-control"] == "no-cache"
        for field in (
            ("if-none-match", response.headers["etag"]),
            ("if-modified-since", response.headers["last-modified"]),
        ):
            again = get("css/site.css", field)
            assert (again.status, again.body, again.headers["cache-control"]) == (304, b"", "no-cache")


def test_nothing_is_compressed_although_a_compressed_copy_lies_there(sources: Path) -> None:
    (sources / "css/site.css.br").write_bytes(b"made by a bundler")
    response = get("css/site.css", ("accept-encoding", "br, gzip, zstd"))
    assert ("content-encoding" in response.headers, response.body) == (False, b"a { background: url(dot.svg) }")


def test_a_touched_file_is_not_a_changed_one(sources: Path) -> None:
    etag = get("css/site.css").headers["etag"]
    assert etag.startswith('"')
    os.utime(sources / "css/site.css", (1, 1))
    assert get("css/site.css", ("if-none-match", etag)).status == 304


@pytest.mark.parametrize("edge", [each for each in EDGES if each != "plan"])
def test_a_large_file_has_a_weak_validator_and_ranges(edge: str, sources: Path) -> None:
    data = os.urandom(600_000)
    (sources / "movie.mp4").write_bytes(data)
    whole = EDGES[edge]("GET", "/static/movie.mp4")
    assert whole.body == data
    assert whole.headers["etag"].startswith('W/"')
    assert EDGES[edge]("GET", "/static/movie.mp4", [("if-none-match", whole.headers["etag"])]).status == 304
    part = EDGES[edge]("GET", "/static/movie.mp4", [("range", "bytes=100-399999")])
    assert (part.status, part.body) == (206, data[100:400_000])
    (sources / "movie.mp4").write_bytes(data + b"more")
    assert EDGES[edge]("GET", "/static/movie.mp4").body == data + b"more"


def test_a_projects_own_headers_are_sent(sources: Path) -> None:
    def add_headers(headers: Any, path: str, url: str) -> None:
        headers["x-from"] = f"{Path(path).parent.name} {url}"

    with override_settings(ASYNCSTATIC_ADD_HEADERS_FUNCTION=add_headers):
        assert get("css/site.css").headers["x-from"] == "css /static/css/site.css"


def test_what_was_collected_is_not_served(sources: Path, tmp_path: Path) -> None:
    call_command("collectstatic", interactive=False, verbosity=0)
    hashed = next(each.name for each in (tmp_path / "root/css").glob("site.*.css"))
    assert get(f"css/{hashed}").status == 404
    with override_settings(ASYNCSTATIC_AUTOREFRESH=False):
        assert "immutable" in get(f"css/{hashed}").headers["cache-control"]


def test_the_setting_goes_before_debug(sources: Path) -> None:
    with override_settings(DEBUG=False, ALLOWED_HOSTS=["*"]):
        assert get("css/site.css").status == 404
        with override_settings(ASYNCSTATIC_AUTOREFRESH=True):
            assert get("css/site.css").status == 200


@pytest.mark.parametrize(
    "name",
    [
        *("", "css", "css/", "css//site.css", "./css/site.css", "css/../css/site.css"),
        *("../secret.txt", "%2Fetc/passwd"),
        *("css%5Csite.css", "css/site.css%00", "css/.hidden.css", "a" * 5000, "%FF.css"),
    ],
)
def test_a_name_that_is_none_is_a_404(name: str, sources: Path, tmp_path: Path) -> None:
    (tmp_path / "secret.txt").write_text("secret")
    (sources / "css/.hidden.css").write_text("hidden")
    for fields in ((), HTML):
        response = get(name, *fields)
        assert response.status == 404
        assert b"secret" not in response.body.replace(b"secret.txt", b"")
        assert ask_asgi(get_asgi_application(), "GET", f"/static/{name}", fields).status == 404


def test_debug_shows_why_a_hidden_file_is_not_served(sources: Path) -> None:
    (sources / "css/.hidden.css").write_text("hidden")
    assert b"ASYNCSTATIC_DOTFILES" in get("css/.hidden.css").body
    with override_settings(ASYNCSTATIC_DOTFILES=True):
        assert get("css/.hidden.css").body == b"hidden"


def test_index_files_are_found_too(sources: Path) -> None:
    (sources / "docs").mkdir()
    (sources / "docs/index.html").write_text("<p>docs")
    with override_settings(ASYNCSTATIC_INDEX_FILE=True):
        assert get("docs/").body == b"<p>docs"
        assert get("docs").headers["location"] == "./docs/"


def test_root_files_and_live_files_are_fresh(sources: Path, tmp_path: Path) -> None:
    (tmp_path / "top").mkdir()
    (tmp_path / "root/CACHE").mkdir(parents=True)
    with override_settings(ASYNCSTATIC_ROOT=tmp_path / "top", ASYNCSTATIC_LIVE=["CACHE/*"]):
        application = get_wsgi_application()
        assert ask_wsgi(application, "GET", "/robots.txt").body.startswith(b"application GET")
        (tmp_path / "top/robots.txt").write_text("User-agent: *")
        assert ask_wsgi(application, "GET", "/robots.txt").body == b"User-agent: *"
        (tmp_path / "root/CACHE/out.css").write_text("out")
        (tmp_path / "root/other.css").write_text("other")
        response = ask_wsgi(application, "GET", "/static/CACHE/out.css")
        assert (response.body, response.headers["cache-control"]) == (b"out", "no-cache")
        assert ask_wsgi(application, "GET", "/static/other.css").status == 404


def test_no_finder_is_asked_on_the_event_loop(sources: Path, tmp_path: Path) -> None:
    ThreadFinder.folder, ThreadFinder.threads = tmp_path, set()

    async def ask() -> tuple[Response, Response]:
        application = get_asgi_application()
        return (
            await aask_asgi(application, make_scope("GET", "/static/made/now.css")),
            await aask_asgi(application, make_scope("GET", "/static/missing.css")),
        )

    with override_settings(STATICFILES_FINDERS=[f"{__name__}.ThreadFinder", *FINDERS]):
        found, missing = asyncio.run(ask())
    assert found.body == b"made for made/now.css"
    assert missing.status == 404
    assert ThreadFinder.threads
    assert threading.get_ident() not in ThreadFinder.threads  # asyncio.run() runs its loop here


def test_with_debug_the_manifest_storage_gives_plain_names_as_djangos_does(sources: Path) -> None:
    with override_settings(STORAGES={"staticfiles": {"BACKEND": MANIFEST}}):
        assert static("css/site.css") == "/static/css/site.css"


# --- where there is nothing -----------------------------------------------------------------------------------


@pytest.mark.parametrize("edge", ["middleware-sync", "middleware-async", "wrapper-wsgi", "wrapper-asgi"])
def test_a_missing_file_is_djangos_page_with_what_is_near_and_where_it_was_looked_for(edge: str, sources: Path) -> None:
    response = EDGES[edge]("GET", "/static/css/stie.css", HTML)
    assert response.status == 404
    page = response.body.decode()
    assert "<title>Page not found at /static/css/stie.css</title>" in page
    assert "Did you mean &#x27;css/site.css&#x27;?" in page
    assert str(sources) in page
    text = EDGES[edge]("GET", "/static/css/stie.css")
    assert text.headers["content-type"] == "text/plain; charset=utf-8"
    assert text.body.decode() == (
        f"No finder has the static file 'css/stie.css'. Did you mean 'css/site.css'?\n\nThey looked in:\n{sources}\n"
    )


def test_what_the_application_answers_is_not_missing(sources: Path) -> None:
    with override_settings(ROOT_URLCONF=__name__):
        assert get("made.txt").body == b"made"
        assert b"No finder has" in get("maid.txt").body


def test_a_404_of_the_application_elsewhere_is_its_own(sources: Path) -> None:
    with override_settings(ROOT_URLCONF=__name__):
        response = ask_wsgi(get_wsgi_application(), "GET", "/elsewhere")
    assert response.status == 404
    assert b"finder" not in response.body


def test_nothing_is_told_without_debug(sources: Path) -> None:
    with override_settings(DEBUG=False, ASYNCSTATIC_AUTOREFRESH=True):
        response = get("css/stie.css", *HTML)
    assert response.status == 404
    assert str(sources).encode() not in response.body
    assert b"site.css" not in response.body


def test_a_file_that_cannot_be_read_is_told_apart(sources: Path) -> None:
    if os.geteuid() == 0:
        pytest.skip("root reads everything")
    (sources / "css/site.css").chmod(0)
    assert b"cannot be read" in get("css/site.css").body


def test_the_nearest_names_are_those_that_may_have_been_meant() -> None:
    names = ["css/site.css", "css/print.css", "vendor/lib.js", "js/main.js", "css/site.css"]
    assert nearest("CSS/Site.css", names) == ["css/site.css"]
    assert nearest("lib.js", names) == ["vendor/lib.js"]
    assert nearest("js/mian.js", names) == ["js/main.js"]
    assert nearest("something/else.woff2", names) == []
    many = [f"vendor/{number}/part.js" for number in range(5000)]
    assert nearest("css/stie.css", [*many, *names]) == ["css/site.css"]
    assert nearest("parts.js", [*many, "apart.js"]) == []  # not compared: begins otherwise


def test_a_spelling_is_compared_with_what_folders_list(tmp_path: Path) -> None:
    """Called for on file systems that fold case; what it compares can be compared everywhere."""
    (tmp_path / "css").mkdir()
    for name in ("site.css", "SITE.CSS"):  # as if the one were the other
        (tmp_path / "css" / name).write_text("")
    assert is_spelt(str(tmp_path / "css/site.css"), "css/site.css")
    assert is_spelt(str(tmp_path / "css/site.css"), "prefix/site.css")
    (tmp_path / "css/SITE.CSS").rename(tmp_path / "css/sITE.CSS")
    assert not is_spelt(str(tmp_path / "css/Site.css"), "css/Site.css")


# --- finders of other packages --------------------------------------------------------------------------------

PACKAGES = {
    "compressor": (
        "COMPRESS_ENABLED=True",
        "compressor.finders.CompressorFinder",
        '{% load compress %}{% compress css %}<link rel="stylesheet" href="/static/a.css">{% endcompress %}',
    ),
    "pipeline": ("PIPELINE={}", "pipeline.finders.CachedFileFinder", 'href="/static/a.0123456789ab.css"'),
    "sass_processor": (
        "SASS_PROCESSOR_ENABLED=True",
        "sass_processor.finders.CssFinder",
        '{% load sass_tags %}href="{% sass_src "b.scss" %}"',
    ),
}
PROGRAM = """
import re, sys
from pathlib import Path
import django
from django.conf import settings
folder, package, finder, template = Path(sys.argv[1]), *sys.argv[2:]
finders = ["FileSystemFinder", "AppDirectoriesFinder"]
settings.configure(
    DEBUG=True, SECRET_KEY="-", ALLOWED_HOSTS=["*"], ROOT_URLCONF="tests.urls", STATIC_URL="static/",
    INSTALLED_APPS=["django_asyncstatic", "django.contrib.staticfiles", package],
    MIDDLEWARE=["django_asyncstatic.middleware.AsyncStaticMiddleware"],
    STATICFILES_DIRS=[folder / "sources"], STATIC_ROOT=folder / "root",
    STATICFILES_FINDERS=[*(f"django.contrib.staticfiles.finders.{each}" for each in finders), finder],
    TEMPLATES=[{"BACKEND": "django.template.backends.django.DjangoTemplates", "APP_DIRS": True}],
    SETTINGS_HERE
)
django.setup()
from django.template import engines
from django.test import Client
page = engines["django"].from_string(template).render({})
(url,) = re.findall('href="([^"]+)"', page)
response = Client().get(url)
print(response.status_code, response["cache-control"], b"".join(response).decode())
assert "No finder has" in Client().get("/static/missing.css").content.decode()
"""


@pytest.mark.parametrize("package", PACKAGES)
def test_what_finders_of_other_packages_make_is_served(package: str, tmp_path: Path) -> None:
    if find_spec(package) is None:
        pytest.skip(f"{package} is not installed")
    (tmp_path / "sources").mkdir()
    (tmp_path / "sources/a.css").write_text("a { color: teal }")
    (tmp_path / "sources/b.scss").write_text("$c: teal; a { b { color: $c } }")
    extra, finder, template = PACKAGES[package]
    program = PROGRAM.replace("SETTINGS_HERE", extra)
    status, control, text = output_of(program, tmp_path, package, finder, template).split(" ", 2)
    assert (status, control) == ("200", "no-cache")
    assert re.search(r"color:\s?teal", text)


# --- rehearsals -----------------------------------------------------------------------------------------------


@pytest.fixture
def rehearsed(sources: Path) -> Iterator[Path]:
    with override_settings(ASYNCSTATIC_REHEARSAL=True):
        yield sources


@pytest.mark.parametrize("edge", EDGES)
def test_a_rehearsal_gives_the_names_and_headers_of_production(edge: str, sources: Path, tmp_path: Path) -> None:
    (sources / "css/site.css").write_text("a { background: url(dot.svg) }\n" * 30)
    fields = [("accept-encoding", "br")]
    answers = {}
    for rehearses in (True, False):
        if not rehearses:
            call_command("collectstatic", interactive=False, verbosity=0)
        with override_settings(ASYNCSTATIC_REHEARSAL=rehearses, DEBUG=rehearses):
            names = [static("css/site.css"), static("css/dot.svg")]
            responses = [EDGES[edge]("GET", name, fields) for name in (*names, "/static/css/site.css")]
            answers[rehearses] = (names, [(each.status, kept(each.headers)) for each in responses])
        if rehearses:
            assert not (tmp_path / "root").exists()
    assert answers[True] == answers[False]
    names, responses = answers[True]
    assert re.fullmatch(r"/static/css/site\.[0-9a-f]{12}\.css", names[0])
    assert responses[0][1]["content-encoding"] == "br"
    assert "immutable" in responses[0][1]["cache-control"]


def kept(headers: dict[str, str]) -> dict[str, str]:
    """Without what depends on the level of compression and on the hour."""
    return {name: headers[name] for name in headers.keys() - {"content-length", "etag", "last-modified"}}


def test_a_rehearsal_follows_the_sources_and_keeps_what_pages_ask_for(rehearsed: Path) -> None:
    application = get_wsgi_application()
    before = static("css/site.css")
    assert ask_wsgi(application, "GET", before).status == 200
    (rehearsed / "css/dot.svg").write_text("<svg><g/></svg>")
    conf_expire()
    after = static("css/site.css")
    assert after != before  # what it refers to has another name
    assert static("css/dot.svg").removeprefix("/static/css/") in ask_wsgi(application, "GET", after).body.decode()
    assert ask_wsgi(application, "GET", before).status == 200


def conf_expire() -> None:
    """Instead of a wait."""
    rehearsal = conf.rehearsal()
    assert rehearsal is not None
    rehearsal.expire()


def test_what_would_stop_a_collect_is_told_where_a_template_asks(rehearsed: Path) -> None:
    application = get_wsgi_application()
    url = static("css/site.css")
    (rehearsed / "css/site.css").write_text("a { background: url(dott.svg) }")
    conf_expire()
    for _ in range(2):
        with pytest.raises(Exception, match=r"css/site\.css:1:17: url\(dott\.svg\): .*did you mean 'css/dot\.svg'"):
            static("css/site.css")
    assert ask_wsgi(application, "GET", url).status == 200
    (rehearsed / "css/site.css").write_text("a { background: url(dot.svg) }")
    conf_expire()
    assert static("css/site.css") == url


def test_a_wrong_name_in_a_rehearsal_has_a_right_one_near(rehearsed: Path) -> None:
    with pytest.raises(ValueError, match=r"entry for 'css/Site\.css'\. Did you mean 'css/site\.css'\?"):
        static("css/Site.css")


def test_a_rehearsal_does_without_names_where_the_storage_does(rehearsed: Path) -> None:
    storage = "django_asyncstatic.storage.CompressedStaticFilesStorage"
    with override_settings(STORAGES={"staticfiles": {"BACKEND": storage}}):
        assert static("css/site.css") == "/static/css/site.css"
        response = get("css/site.css")
    assert response.headers["cache-control"] == "max-age=60, public"


@pytest.mark.parametrize(
    ("command", "post_process"),
    [("collectstatic", True), ("collectstatic", False), (DjangoCommand(), True)],
    ids=["ours", "only placing", "Django's"],
)
def test_collectstatic_does_not_run_in_a_rehearsal(
    rehearsed: Path, tmp_path: Path, command: str | DjangoCommand, post_process: bool
) -> None:
    with pytest.raises(CommandError, match="ASYNCSTATIC_REHEARSAL is on"):
        call_command(command, interactive=False, verbosity=0, post_process=post_process)
    assert not (tmp_path / "root").exists()


def test_cleanstatic_does_not_run_in_a_rehearsal(rehearsed: Path) -> None:
    with pytest.raises(CommandError, match="ASYNCSTATIC_REHEARSAL is on: turn it off to clean"):
        call_command("cleanstatic")


@pytest.mark.parametrize("refreshes", [True, False])
def test_a_rehearsal_goes_before_autorefresh(refreshes: bool, rehearsed: Path) -> None:
    with override_settings(ASYNCSTATIC_AUTOREFRESH=refreshes):
        name = static("css/site.css").removeprefix("/static/")
        assert re.fullmatch(r"css/site\.[0-9a-f]{12}\.css", name)
        assert "immutable" in get(name).headers["cache-control"]


def test_a_rehearsal_needs_a_storage_of_ours(sources: Path) -> None:
    other = "django.contrib.staticfiles.storage.StaticFilesStorage"
    with (
        override_settings(ASYNCSTATIC_REHEARSAL=True, STORAGES={"staticfiles": {"BACKEND": other}}),
        pytest.raises(ImproperlyConfigured, match="one of this app's storages"),
    ):
        get_wsgi_application()


def test_options_that_would_touch_production_do_not_hold(rehearsed: Path, tmp_path: Path) -> None:
    options = {"cache_dir": tmp_path / "cache", "location": str(tmp_path / "elsewhere"), "levels": {"br": 11}}
    with override_settings(STORAGES={"staticfiles": {"BACKEND": MANIFEST, "OPTIONS": options}}):
        assert re.search(r"site\.[0-9a-f]{12}\.css", static("css/site.css"))
    assert not (tmp_path / "cache").exists()
    assert not (tmp_path / "elsewhere").exists()


def test_the_directory_of_a_rehearsal_goes_with_the_process_that_made_it(tmp_path: Path) -> None:
    program = """
import os
import django
from django.conf import settings
settings.ASYNCSTATIC_REHEARSAL = True
settings.INSTALLED_APPS = ["django_asyncstatic", "django.contrib.staticfiles"]
django.setup()
from django.templatetags.static import static
from django_asyncstatic import conf
assert "." in static("site/one.txt")
directory = conf.rehearsal().directory
assert os.path.exists(os.path.join(directory, "staticfiles.json"))
child = os.fork()
if child == 0:
    raise SystemExit  # which runs what is to be run at exit, as a worker's end does
os.waitpid(child, 0)
assert os.path.exists(os.path.join(directory, "staticfiles.json"))
print(directory)
"""
    directory = output_of(program, DJANGO_SETTINGS_MODULE="tests.settings", TMPDIR=str(tmp_path)).strip()
    assert Path(directory).parent == tmp_path
    assert list(tmp_path.glob("asyncstatic-*")) == []


def test_threads_that_are_the_first_together_rehearse_in_one_directory(monkeypatch: pytest.MonkeyPatch) -> None:
    """One makes the storage that a template asks, another that which collects."""
    make = tempfile.mkdtemp

    def slowly(**options: Any) -> str:
        time.sleep(0.05)
        return make(**options)

    monkeypatch.setattr(tempfile, "mkdtemp", slowly)
    rehearsal = Rehearsal(lambda: None)
    with ThreadPoolExecutor(4) as pool:
        directories = list(pool.map(lambda _: rehearsal.directory, range(4)))
    assert len(set(directories)) == 1


def test_the_index_of_a_rehearsal_is_not_in_static_root(rehearsed: Path, tmp_path: Path) -> None:
    assert conf.place().root is not None
    assert conf.place().root != tmp_path / "root"
    assert conf.place().index_file == Path(str(conf.place().root)) / INDEX_NAME
