"""The tests of a user's project: nothing is touched before it is asked for, settings count at once, recipes work."""

from __future__ import annotations

import re
from pathlib import Path
from typing import Any

import pytest
from django.contrib.staticfiles.storage import staticfiles_storage
from django.core.exceptions import ImproperlyConfigured
from django.core.management import call_command
from django.templatetags.static import static
from django.test import Client, modify_settings, override_settings

from django_asyncstatic import conf
from tests.programs import output_of
from tests.servers import REPOSITORY
from tests.test_browser import FLAGS, absent
from tests.test_recipes import make_project, run

OURS = "django_asyncstatic.middleware.AsyncStaticMiddleware"
UNCOLLECTED = {"staticfiles": {"BACKEND": "django_asyncstatic.storage.UncollectedStaticFilesStorage"}}
MANIFEST = {"staticfiles": {"BACKEND": "django_asyncstatic.storage.CompressedManifestStaticFilesStorage"}}


# --- nothing before it is asked for ---------------------------------------------------------------------------

PROGRAM = """
import os, sys
touched = []
def note(event, arguments):
    if event in ("open", "os.listdir", "os.scandir", "tempfile.mkdtemp", "glob.glob"):
        touched.append(str(arguments[0]))
sys.addaudithook(note)
import django
from django.conf import settings
for assignment in sys.argv[1:]:
    name, _, value = assignment.partition("=")
    setattr(settings, name, eval(value))
django.setup()
from django.test import AsyncClient, Client
from asgiref.sync import async_to_sync
assert Client().get("/page").content == b"application GET page "
assert async_to_sync(AsyncClient().get)("/page").content == b"application GET page "
from django.contrib.staticfiles.finders import get_finder
from django.core.files.storage import storages
from django_asyncstatic import conf
static = [each for each in touched if f"{os.sep}static" in each or "asyncstatic-" in each or "no-such-root" in each]
modules = [each for each in static if not each.endswith((".py", ".pyc", "__pycache__")) and "site-packages" not in each]
print(get_finder.cache_info().misses, len(storages._storages), conf.loader().ready(), modules)
"""


@pytest.mark.parametrize(
    "settings",
    [
        [f"STORAGES={MANIFEST}"],
        [f"STORAGES={UNCOLLECTED}"],
        [f"STORAGES={MANIFEST}", "DEBUG=True"],
        [f"STORAGES={MANIFEST}", "ASYNCSTATIC_REHEARSAL=True"],
    ],
    ids=["collected", "uncollected", "debug", "rehearsal"],
)
def test_nothing_is_looked_at_until_a_static_file_is_asked_for(settings: list[str], tmp_path: Path) -> None:
    extra = ["INSTALLED_APPS=['django_asyncstatic', 'django.contrib.staticfiles']"]
    told = output_of(PROGRAM, *extra, *settings, DJANGO_SETTINGS_MODULE="tests.settings", TMPDIR=str(tmp_path))
    assert told == "0 0 None []\n"
    assert list(tmp_path.iterdir()) == []


# --- settings that a test overrides ---------------------------------------------------------------------------


@pytest.fixture
def client(static_root: Path) -> Client:
    """A client whose handler has answered, and so has its middleware."""
    client = Client()
    assert client.get("/static/site/one.txt").content == b"x"
    return client


def test_debug(client: Client) -> None:
    with override_settings(DEBUG=True):
        assert client.get("/static/site/one.txt")["cache-control"] == "no-cache"
    assert client.get("/static/site/one.txt")["cache-control"] == "max-age=60, public"


def test_static_root(client: Client, tmp_path: Path) -> None:
    (tmp_path / "two.txt").write_text("2")
    with override_settings(STATIC_ROOT=tmp_path):
        assert client.get("/static/two.txt").content == b"2"
        assert client.get("/static/site/one.txt").status_code == 404
    assert client.get("/static/two.txt").status_code == 404
    assert client.get("/static/site/one.txt").status_code == 200


def test_static_url(client: Client) -> None:
    with override_settings(STATIC_URL="/assets/"):
        assert client.get("/assets/site/one.txt").content == b"x"
        assert client.get("/static/site/one.txt").status_code == 404


def test_storages_and_staticfiles_dirs(client: Client, tmp_path: Path) -> None:
    (tmp_path / "new.txt").write_text("new")
    with override_settings(STORAGES=UNCOLLECTED):
        with pytest.raises(ValueError, match=r"new\.txt"):
            static("new.txt")
        with override_settings(STATICFILES_DIRS=[tmp_path]):
            assert client.get(static("new.txt")).content == b"new"
        with pytest.raises(ValueError, match=r"new\.txt"):
            static("new.txt")
        assert client.get("/static/new.txt").status_code == 404


def test_rehearsal(client: Client) -> None:
    with override_settings(ASYNCSTATIC_REHEARSAL=True, STATICFILES_FINDERS=FINDERS):
        url = static("site/one.txt")
        assert "immutable" in client.get(url)["cache-control"]
    with override_settings(STORAGES=UNCOLLECTED):
        assert static("site/one.txt") == "/static/site/one.txt"


FINDERS = ["django.contrib.staticfiles.finders.FileSystemFinder"]


def test_our_own(client: Client) -> None:
    with override_settings(ASYNCSTATIC_MAX_AGE=0):
        assert client.get("/static/site/one.txt")["cache-control"] == "no-cache"
    with override_settings(ASYNCSTATIC_AUTOREFRESH="yes"), pytest.raises(ImproperlyConfigured, match="AUTOREFRESH"):
        client.get("/static/site/one.txt")


def test_a_live_server_that_has_answered_follows_too(static_root: Path) -> None:
    from urllib.request import urlopen

    from django.test.testcases import LiveServerThread

    server = LiveServerThread("127.0.0.1", lambda application: application)
    server.daemon = True
    server.start()
    try:
        assert server.is_ready.wait(30)

        def control() -> str:
            with urlopen(f"http://127.0.0.1:{server.port}/static/site/one.txt") as response:
                return str(response.headers["cache-control"])

        assert control() == "max-age=60, public"
        with override_settings(ASYNCSTATIC_MAX_AGE=7):
            assert control() == "max-age=7, public"
        with override_settings(STORAGES=UNCOLLECTED):
            assert control() == "no-cache"
        assert control() == "max-age=60, public"
    finally:
        server.terminate()


def add_header(headers: Any, path: str, url: str) -> None:
    headers["X-Added"] = "yes"


def status(client: Client, path: str) -> int:
    return client.get(path).status_code


ONE = "/static/site/one.txt"

#: What a client that has answered sees of each of our settings.
COUNTS_AT_ONCE: dict[str, tuple[Any, Any]] = {
    "ASYNCSTATIC_ADD_HEADERS_FUNCTION": (add_header, lambda client: client.get(ONE).get("x-added")),
    "ASYNCSTATIC_ALLOW_ALL_ORIGINS": (False, lambda client: client.get(ONE).get("access-control-allow-origin")),
    "ASYNCSTATIC_AUTOREFRESH": (True, lambda client: client.get(ONE)["cache-control"]),
    "ASYNCSTATIC_CHARSET": ("latin-1", lambda client: client.get(ONE)["content-type"]),
    "ASYNCSTATIC_DOTFILES": (True, lambda client: status(client, "/static/.late")),
    "ASYNCSTATIC_IMMUTABLE_FILE_TEST": (r"^one\.", lambda client: client.get(ONE)["cache-control"]),
    "ASYNCSTATIC_INDEX_FILE": ("one.txt", lambda client: status(client, "/static/site/")),
    "ASYNCSTATIC_LIVE": (["late*"], lambda client: status(client, "/static/late.txt")),
    "ASYNCSTATIC_MAX_AGE": (7, lambda client: client.get(ONE)["cache-control"]),
    "ASYNCSTATIC_MEMORY": (0, lambda client: conf.memory().size),
    "ASYNCSTATIC_REHEARSAL": (True, lambda client: status(client, "/static/late.txt")),
    "ASYNCSTATIC_ROOT": (Path(__file__).parent / "static/site", lambda client: client.get("/one.txt").content),
}


@pytest.mark.parametrize("name", conf.DEFAULTS)
def test_each_of_ours_counts_at_once_and_is_forgotten(name: str, tmp_path: Path) -> None:
    value, ask = COUNTS_AT_ONCE[name]
    root, sources = tmp_path / "root", tmp_path / "sources"
    (sources / "site").mkdir(parents=True)
    (sources / "site/one.txt").write_text("x")
    (sources / ".late").write_text("late")
    with override_settings(STATIC_ROOT=root, STATICFILES_DIRS=[sources], STATICFILES_FINDERS=FINDERS):
        call_command("collectstatic", interactive=False, verbosity=0, use_default_ignore_patterns=False)
        ((sources if name == "ASYNCSTATIC_REHEARSAL" else root) / "late.txt").write_text("late")
        client = Client()
        before = ask(client)
        with override_settings(**{name: value}):
            assert ask(client) != before
        assert ask(client) == before


def test_middleware() -> None:
    with override_settings(STORAGES=UNCOLLECTED):
        assert Client().get("/static/site/one.txt").status_code == 200
        with modify_settings(MIDDLEWARE={"remove": OURS}):
            assert Client().get("/static/site/one.txt").status_code == 404


# --- the storage ----------------------------------------------------------------------------------------------


@override_settings(STORAGES=UNCOLLECTED)
@pytest.mark.parametrize(
    ("name", "url"),
    [
        ("site/css/site.css", "/static/site/css/site.css"),
        ("site/css/site.css?v=1#top", "/static/site/css/site.css%3Fv%3D1%23top"),
        ("site/", "/static/site/"),
        ("", "/static/"),
    ],
)
def test_a_right_name_is_given_as_djangos_storage_gives_it(name: str, url: str) -> None:
    assert staticfiles_storage.url(name) == url


@override_settings(STORAGES=UNCOLLECTED)
@pytest.mark.parametrize(
    ("name", "near"),
    [
        ("site/css/stie.css", "Did you mean 'site/css/site.css'"),
        ("site/css/Site.css", r"Did you mean 'site/css/site\.css'\?"),
        ("css/theme.css", "Did you mean 'site/css/theme.css'"),
        ("site/css", "No finder has the static file 'site/css'"),
        ("../settings.py", r"No finder has the static file '\.\./settings\.py'"),
    ],
)
def test_a_wrong_name_is_an_error_that_has_a_right_one_near(name: str, near: str) -> None:
    with pytest.raises(ValueError, match=near):
        staticfiles_storage.url(name)


def test_only_the_backend_has_to_change() -> None:
    backend = UNCOLLECTED["staticfiles"]["BACKEND"]
    options = {"levels": {"br": 5}, "keep_releases": 9, "manifest_strict": False, "location": "elsewhere"}
    with override_settings(STORAGES={"staticfiles": {"BACKEND": backend, "OPTIONS": options}}):
        assert static("site/one.txt") == "/static/site/one.txt"
    with (
        override_settings(STORAGES={"staticfiles": {"BACKEND": backend, "OPTIONS": {"levles": {}}}}),
        pytest.raises(ImproperlyConfigured, match="did you mean 'levels'"),
    ):
        static("site/one.txt")


def test_a_name_is_looked_for_once(monkeypatch: pytest.MonkeyPatch) -> None:
    from django.contrib.staticfiles import finders

    asked: list[str] = []
    find = finders.find

    def counted(name: str, *args: Any, **kwargs: Any) -> Any:
        asked.append(name)
        return find(name, *args, **kwargs)

    with override_settings(STORAGES=UNCOLLECTED):
        monkeypatch.setattr(finders, "find", counted)
        for _ in range(3):
            static("site/one.txt")
    assert asked == ["site/one.txt"]


# --- the recipes of docs/testing.rst --------------------------------------------------------------------------

PAGE = (REPOSITORY / "docs/testing.rst").read_text()

URLS = """
from django.http import HttpResponse
from django.template import engines
from django.urls import path

PAGE = "{% load static %}<link rel='stylesheet' href=\\"{% static 'shop/site.css' %}\\"><body>hello"

urlpatterns = [path("", lambda request: HttpResponse(engines["django"].from_string(PAGE).render({}, request)))]
"""

#: What a machine without a screen needs, and root in a container.
BROWSER = """
import shutil
from selenium import webdriver

def make_browser():
    options = webdriver.ChromeOptions()
    options.binary_location = shutil.which("chromium") or shutil.which("google-chrome")
    for flag in {flags!r}:
        options.add_argument(flag)
    return webdriver.Chrome(options=options, service=webdriver.ChromeService(shutil.which("chromedriver")))
"""

IN_A_REHEARSAL = """
            import re
            from urllib.request import urlopen
            page = urlopen(self.live_server_url).read().decode()
            (url,) = re.findall('href="([^"]+)"', page)
            self.assertRegex(url, r"site\\.[0-9a-f]{12}\\.css$")
            self.assertIn("immutable", urlopen(self.live_server_url + url).headers["cache-control"])
"""


def blocks() -> dict[str, str]:
    """The page's Python, by the name of what each defines first."""
    found = {}
    for block in re.findall(r"^\.\. code-block:: python\n\n((?:    .*\n|\n)+)", PAGE, re.M):
        text = re.sub(r"^    ", "", block, flags=re.M)
        defined = re.search(r"^(?:class|def) (\w+)", text, re.M)
        found[defined[1] if defined else "settings"] = text
    return found


@pytest.fixture
def project(tmp_path: Path) -> Path:
    """What startproject makes, with the middleware, one stylesheet and the page's settings for tests."""
    folder = tmp_path / "shop"
    make_project(folder)
    (folder / "assets/shop").mkdir()
    (folder / "assets/shop/site.css").write_text("body { color: green }")
    with (folder / "shop/settings.py").open("a") as settings:
        settings.write(f"\nROOT_URLCONF = 'shop.urls'\n{blocks()['settings']}")
    (folder / "shop/urls.py").write_text(URLS)
    return folder


def test_the_recipe_for_djangos_test_runner(project: Path) -> None:
    (project / "shop/tests.py").write_text(blocks()["StaticTests"])
    run("python -W error manage.py test shop", project)


def test_the_recipe_for_pytest_django_and_its_live_server(project: Path) -> None:
    live = """
from urllib.request import urlopen

def test_live(live_server):
    assert b"/static/shop/site.css" in urlopen(live_server.url).read()
    assert urlopen(live_server.url + "/static/shop/site.css").read() == b"body { color: green }"
"""
    (project / "test_shop.py").write_text(blocks()["test_the_stylesheet_is_immutable"] + live)
    output = run("python -m pytest -q -p no:cacheprovider -c /dev/null --rootdir . --ds shop.settings", project)
    assert "2 passed" in output


def test_the_recipe_for_a_rehearsal_in_a_live_server(project: Path) -> None:
    text = blocks()["ProductionTests"]
    assert text.rstrip().endswith("...")
    (project / "shop/tests.py").write_text(text.rstrip().removesuffix("...").rstrip() + IN_A_REHEARSAL)
    with (project / "shop/settings.py").open("a") as settings:
        settings.write(f"\nSTORAGES = {MANIFEST}\nASYNCSTATIC_REHEARSAL = True\n")
    run("python -W error manage.py test shop", project)
    assert not (project / "static").exists()


def test_the_recipe_for_a_browser(project: Path) -> None:
    import shutil

    for needed in ("chromium", "chromedriver"):
        if shutil.which(needed) is None:
            absent(needed)
    text = blocks()["PageTests"]
    assert "webdriver.Chrome()" in text
    (project / "shop/browser.py").write_text(BROWSER.format(flags=FLAGS))
    text = text.replace("webdriver.Chrome()", "make_browser()")
    (project / "shop/tests.py").write_text(f"from shop.browser import make_browser\n{text}")
    run("python manage.py test shop", project)


def test_the_recipe_for_playwright_is_python_and_asks_what_selenium_asks() -> None:
    text = blocks()["test_the_page_is_styled"]
    compile(text, "docs/testing.rst", "exec")
    assert "rgb(0, 128, 0)" in text
    assert "rgb(0, 128, 0)" in blocks()["PageTests"]
