"""The pages on moving here, followed in projects of WhiteNoise and ServeStatic; and their table, which is complete."""

from __future__ import annotations

import ast
import importlib
import importlib.metadata
import importlib.util
import inspect
import json
import os
import re
import shutil
from pathlib import Path

import pytest

from django_asyncstatic.codings import CODINGS
from django_asyncstatic.serving.headers import HeaderPolicy
from django_asyncstatic.wsgi import StaticWSGI
from tests.following import Follower, assets
from tests.pages import DOCS, REPOSITORY, Page, merged, sides
from tests.programs import output_of
from tests.servers import Response

#: What the peers' own guides say to write into a settings.py that startproject made, and two of their settings.
GUIDES = {
    "whitenoise": """
INSTALLED_APPS = [
    "whitenoise.runserver_nostatic",
    # ...
]
MIDDLEWARE = [
    "django.middleware.security.SecurityMiddleware",
    "whitenoise.middleware.WhiteNoiseMiddleware",
    # ...
]
STORAGES = {
    "default": {"BACKEND": "django.core.files.storage.FileSystemStorage"},
    "staticfiles": {
        "BACKEND": "whitenoise.storage.CompressedManifestStaticFilesStorage",
    },
}
STATIC_ROOT = BASE_DIR / "staticfiles"
WHITENOISE_MAX_AGE = 3600
WHITENOISE_KEEP_ONLY_HASHED_FILES = True
""",
    "servestatic": """
INSTALLED_APPS = [
    "servestatic",
    # ...
]
MIDDLEWARE = [
    "django.middleware.security.SecurityMiddleware",
    "servestatic.middleware.ServeStaticMiddleware",
    # ...
]
STORAGES = {
    "default": {"BACKEND": "django.core.files.storage.FileSystemStorage"},
    "staticfiles": {
        "BACKEND": "servestatic.storage.CompressedManifestStaticFilesStorage",
    },
}
STATIC_ROOT = BASE_DIR / "staticfiles"
SERVESTATIC_MAX_AGE = 3600
SERVESTATIC_USE_ZSTD = False
""",
}
SERVERS = {"whitenoise": "gunicorn mysite.wsgi:application", "servestatic": "uvicorn mysite.asgi:application"}


def decoded(response: Response) -> bytes:
    token = response.get("content-encoding")
    return response.body if token is None else CODINGS[token].decode(response.body)


def answers(follower: Follower) -> dict[tuple[str, str], Response]:
    """What the login page of the admin names, asked for in every way that its pages may be."""
    assert follower.server is not None
    urls = assets(follower.server.url, "/admin/login/")
    assert len(urls) > 5
    return {
        (url, coding): follower.get(url, ("accept-encoding", coding)) for url in urls for coding in ("", "gzip", "br")
    }


@pytest.mark.timeout(120)
@pytest.mark.parametrize("peer", list(GUIDES))
def test_a_project_of_a_peer_moves_by_its_page_and_its_visitors_see_the_same(tmp_path: Path, peer: str) -> None:
    pytest.importorskip(peer)
    with Follower(tmp_path) as follower:
        follower.run("django-admin startproject mysite .")
        settings = tmp_path / "mysite/settings.py"
        text = settings.read_text().replace("DEBUG = True", "DEBUG = False")
        settings.write_text(merged(text.replace("ALLOWED_HOSTS = []", 'ALLOWED_HOSTS = ["*"]'), GUIDES[peer]))
        # Without most scripts, which compress for long; the page that is asked for has nav_sidebar.js and theme.js.
        follower.run("python manage.py collectstatic --noinput --ignore 'admin/js/[!nt]*'")
        follower.serve(SERVERS[peer])
        before = answers(follower)
        follower.stop()
        follower.follow(Page(DOCS / f"from-{peer}.rst"))
        after = answers(follower)
    assert follower.problems() == []
    assert after.keys() == before.keys()
    for asked, theirs in before.items():
        ours = after[asked]
        assert ours.status == theirs.status == 200
        assert decoded(ours) == decoded(theirs)
        assert ours.get("content-type") == (theirs.get("content-type") or "").replace('"', "")
        for name in ("cache-control", "access-control-allow-origin", "content-encoding"):
            assert ours.get(name) == theirs.get(name), (asked, name)
        assert len(ours.body) <= len(theirs.body) or asked[1] == "gzip"
    for url in {url for url, _ in after}:
        assert len({before[url, coding].get("etag") for coding in ("", "gzip", "br")}) == 1
        assert len({after[url, coding].get("etag") for coding in ("", "gzip", "br")}) == 3


# --- three open projects --------------------------------------------------------------------------------------------

#: What stands around the lines that the page shows, and in the place of ``# ...``.
SCAFFOLD = """
import os
from pathlib import Path
from typing import Any
BASE_DIR = Path(__file__).resolve().parent.parent
SECRET_KEY = "for a test only"
ALLOWED_HOSTS = ["*"]
ROOT_URLCONF = __name__
urlpatterns = []
TEMPLATES = [
    {
        "BACKEND": "django.template.backends.django.DjangoTemplates",
        "DIRS": [BASE_DIR / "templates"],
        "APP_DIRS": True,
    }
]
FORCE_SCRIPT_NAME = os.getenv("PAPERLESS_FORCE_SCRIPT_NAME")
BASE_URL = (FORCE_SCRIPT_NAME or "") + "/"
STATIC_URL = "/static/"
STATIC_ROOT = BASE_DIR / "collected"
"""

#: In a process of its own: the commands that the project's image runs, the checks, what it answers under WSGI and ASGI.
PROBE = """
import json, sys, warnings
import django
django.setup()
from django.conf import settings
from django.core.asgi import get_asgi_application
from django.core.checks import run_checks
from django.core.management import call_command
from django.templatetags.static import static
from django.test import Client
from tests.edges import ask_asgi
for command in sys.argv[1].split():
    call_command(command, verbosity=0, **({"interactive": False} if command == "collectstatic" else {}))
client, answers = Client(), {}
with warnings.catch_warnings(record=True) as caught:
    warnings.simplefilter("always")
    application = get_asgi_application()
    for asked in sys.argv[2:]:
        path = static(asked[1:-1]) if asked.startswith("<") else asked
        response = client.get(path.removeprefix(settings.FORCE_SCRIPT_NAME or ""), headers={"accept-encoding": "gzip"})
        answers[asked] = {"path": path, **{name.lower(): value for name, value in response.items()}}
        assert response.status_code == ask_asgi(application, "GET", path).status == 200, path
found = [f"{check.id} {check.msg}" for check in run_checks() if check.id.startswith("asyncstatic.")]
print(json.dumps([answers, found, [str(each.message) for each in caught]]))
"""

#: What Django says of a response that cannot be sent without a thread, and has to be read to its end first.
SYNCHRONOUS = "must consume synchronous iterators"

TEXT = "a { order: 1 }\n" * 100


def ask(project: Path, settings: str, commands: str, *asked: str, **environment: str) -> dict[str, dict[str, str]]:
    """What a project with these settings answers, by what was asked for: a path, or ``<the name of a static file>``."""
    module = project / "site/settings_module.py"
    module.parent.mkdir(exist_ok=True)
    module.write_text(SCAFFOLD + settings)
    environment["PYTHONPATH"] = f"{module.parent}{os.pathsep}{REPOSITORY}"
    environment["DJANGO_SETTINGS_MODULE"] = "settings_module"
    answers, found, warned = json.loads(output_of(PROBE, commands, *asked, directory=project, **environment))
    assert found == []
    assert any(SYNCHRONOUS in each for each in warned) is (bool(asked) and "whitenoise" in settings)
    return dict(answers)


def shown(project: str) -> tuple[str, str]:
    """Both sides of the settings that the page shows of a project."""
    block = next(Page(DOCS / "migrated.rst", section=project).blocks())
    return sides(block.text)


@pytest.fixture
def project(tmp_path: Path) -> Path:
    """A directory with a few files where the three projects have theirs."""
    for name in (
        *("static/css/site.css", "static/fonts/icons.css", "iscc_hub/static/css/site.css"),
        *("iscc_hub/static/robots.txt", "iscc_hub/static/docs/index.html"),
    ):
        (tmp_path / name).parent.mkdir(parents=True, exist_ok=True)
        (tmp_path / name).write_text(TEXT)
    return tmp_path


def test_paperless_has_the_same_names_behind_its_path_and_entity_tags_of_the_content(project: Path) -> None:
    sides = shown("Paperless-ngx, from WhiteNoise")
    name, environment = "<css/site.css>", {"PAPERLESS_FORCE_SCRIPT_NAME": "/paperless"}
    tags = []
    for side in (*sides, sides[1]):
        settings = f'STATICFILES_DIRS = [BASE_DIR / "static"]\n{side}'
        answer = ask(project, settings, "collectstatic", name, **environment)[name]
        assert answer["path"] == "/paperless/static/css/site.css"
        assert answer["cache-control"] == "max-age=60, public"
        assert answer["content-encoding"] == "gzip"
        tags.append(answer["etag"])
        os.utime(project / "static/css/site.css", (1, 1))
        shutil.rmtree(project / "collected")  # an image that is built anew
    theirs, ours, rebuilt = tags
    assert theirs != ours == rebuilt


def test_healthchecks_has_its_bundles_and_fonts_immutable_and_the_rest_compressed(project: Path) -> None:
    pytest.importorskip("compressor")
    before, after = shown("Healthchecks, from WhiteNoise")
    (project / "templates").mkdir()
    (project / "templates/page.html").write_text(
        "{% load compress static %}{% compress css %}"
        '<link rel="stylesheet" href="{% static \'css/site.css\' %}">{% endcompress %}'
    )
    ask(project, before, "collectstatic compress")
    (bundle,) = (project / "static-collected/CACHE/css").glob("*.css")
    asked = ("<css/site.css>", "<fonts/icons.css>", f"/static/CACHE/css/{bundle.name}")
    theirs = ask(project, before, "", *asked)
    shutil.rmtree(project / "static-collected")
    ours = ask(project, after, "collectstatic compress", *asked)
    for name in asked:
        assert ours[name]["cache-control"] == theirs[name]["cache-control"]
    assert ["immutable" in ours[name]["cache-control"] for name in asked] == [False, True, True]
    assert ["content-encoding" in theirs[name] for name in asked] == [False, False, True]
    assert [ours[name].get("content-encoding") for name in asked] == ["gzip"] * 3


def test_iscc_hub_has_hashed_names_and_its_files_at_the_root(project: Path) -> None:
    before, after = shown("ISCC-HUB, from ServeStatic")
    asked = ("<css/site.css>", "/robots.txt", "/docs/")
    theirs = ask(project, before, "", *asked)
    assert theirs["<css/site.css>"]["path"] == "/static/css/site.css"
    assert theirs["<css/site.css>"]["cache-control"] == "max-age=60, public"
    assert "content-encoding" not in theirs["<css/site.css>"]
    ours = ask(project, after, "collectstatic", *asked)
    for path in asked[1:]:
        assert ours[path]["cache-control"] == theirs[path]["cache-control"]
        assert ours[path]["content-type"] == theirs[path]["content-type"].replace('"', "")
    site = ours["<css/site.css>"]
    assert re.fullmatch(r"/static/css/site\.[0-9a-f]{12}\.css", site["path"])
    assert "immutable" in site["cache-control"]
    assert site["content-encoding"] == "gzip"
    refreshed = ask(project, f"{after}\nASYNCSTATIC_AUTOREFRESH = True\n", "", "/static/css/site.css", *asked[1:])
    assert refreshed["/static/css/site.css"]["cache-control"] == "no-cache"


# --- the table ------------------------------------------------------------------------------------------------------

TABLE = Page(DOCS / "migrating.rst", section="Classes and commands").text


def modules(package: str) -> dict[str, set[str]]:
    """The modules of a package, but for its commands, each with the public classes that it defines.

    They are read and not imported: some register checks with Django.
    """
    found = {}
    root = package_directory(package)
    for file in root.rglob("*.py"):
        parts = (package, *file.relative_to(root).with_suffix("").parts)
        if "management" not in parts:
            classes = {node.name for node in ast.parse(file.read_text()).body if isinstance(node, ast.ClassDef)}
            found[".".join(parts).removesuffix(".__init__")] = {name for name in classes if not name.startswith("_")}
    return found


def package_directory(package: str) -> Path:
    spec = importlib.util.find_spec(package)
    if spec is None or spec.origin is None:
        pytest.skip(f"{package} is not installed")
    return Path(spec.origin).parent


@pytest.mark.parametrize("peer", list(GUIDES))
def test_every_public_class_of_the_peers_has_its_row_and_the_reverse(peer: str) -> None:
    """The installed packages are asked, so a new release that has a new class fails here."""
    there = modules(peer)
    told = set(re.findall(rf"``({peer}(?:\.\w+)+)", TABLE))
    classes = {f"{module}.{name}" for module, names in there.items() for name in names}
    # The app, under the name that it had.
    classes -= {f"{peer}.runserver_nostatic.apps.ServeStaticRunserverNoStaticAliasConfig"}
    assert {each for each in classes if each not in told and each.rpartition(".")[0] not in told} == set()
    exported = {f"{peer}.{name}" for name in importlib.import_module(peer).__all__}
    assert exported <= told
    assert told <= classes | exported | there.keys()


@pytest.mark.parametrize("peer", list(GUIDES))
def test_every_command_of_the_peers_has_its_row(peer: str) -> None:
    package = package_directory(peer)
    commands = {path.stem for path in package.rglob("management/commands/*.py") if path.stem != "__init__"}
    assert {each for each in commands if f"``{each}``" not in TABLE} == set()
    scripts = importlib.metadata.distribution(peer).entry_points.select(group="console_scripts")
    assert {each.name for each in scripts if f"the command ``{each.name}``" not in TABLE} == set()
    mains = {path.stem for path in package.glob("*.py") if "def main(" in path.read_text() and path.stem != "cli"}
    assert {each for each in mains if f"python -m {peer}.{each}``" not in " ".join(TABLE.split())} == set()


def test_what_the_peers_wrappers_take_ours_take_or_the_row_says_so() -> None:
    servestatic = pytest.importorskip("servestatic")
    whitenoise = pytest.importorskip("whitenoise")
    row = TABLE[TABLE.index("StaticWSGI`, with") : TABLE.index("ServeStaticASGI(application")]
    ours = {*inspect.signature(StaticWSGI).parameters, *HeaderPolicy._fields}
    for wrapper in (whitenoise.WhiteNoise, servestatic.ServeStatic, servestatic.ServeStaticASGI):
        taken = set(inspect.signature(wrapper).parameters) - {"kwargs"}
        assert "max_age" in taken
        assert {name for name in taken - ours if f"``{name}``" not in row} == set()
    assert not {name for name in re.findall(r"``(\w+)``", row) if name in ours}
