"""Settings that cannot be meant, are left over, or contradict each other; by checkstatic and by Django's own checks."""

from __future__ import annotations

import importlib
import os
import re
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import pytest
from django.conf import settings
from django.core import checks
from django.core.checks.registry import registry
from django.test import override_settings

from django_asyncstatic.diagnosing.declared import settings_findings
from django_asyncstatic.diagnosing.findings import Finding, run_checks
from django_asyncstatic.diagnosing.migration import APPS, THEIRS
from django_asyncstatic.diagnosing.order import order_findings
from django_asyncstatic.diagnosing.places import place_of_setting
from tests.startproject import StartedProject

REPOSITORY = Path(__file__).parents[1]
HERE = REPOSITORY / "tests"
STORAGE = "django_asyncstatic.storage.CompressedManifestStaticFilesStorage"
DJANGOS = "django.contrib.staticfiles.storage.ManifestStaticFilesStorage"
OURS = "django_asyncstatic.middleware.AsyncStaticMiddleware"
SECURITY = "django.middleware.security.SecurityMiddleware"
APPLICATIONS = [
    "django.contrib.staticfiles",
    "django.contrib.admin",
    "django.contrib.auth",
    "django.contrib.contenttypes",
]


def found() -> list[Finding]:
    return run_checks(["settings"])


def ids(findings: list[Finding]) -> list[str]:
    return [each.id.rpartition(".")[2] for each in findings]


def label(value: Any) -> str:
    if isinstance(value, dict):
        return ", ".join(f"{name}={short(given)}" for name, given in value.items())
    return short(value)


def short(value: Any) -> str:
    return re.sub(r"[\w.]+[./](?=\w)", "", str(value).replace(str(REPOSITORY), "repository"))[-40:]


def test_a_right_project_has_no_finding_by_either_way() -> None:
    assert found() == []
    assert checks.run_checks(tags=["staticfiles"]) == []


ADMIN = Path(importlib.import_module("django.contrib.admin").__file__ or "").parent

#: Settings, the ids that they give, and a part of the first message or hint.
FAULTS: list[tuple[dict[str, Any], list[str], str]] = [
    ({"STATIC_ROOT": HERE}, ["E059"], "holds the project"),
    ({"STATIC_ROOT": REPOSITORY}, ["E059"], "holds the project"),
    ({"STATIC_ROOT": HERE / "static"}, ["E059"], "where static files come from"),
    ({"STATIC_ROOT": HERE / "static/collected"}, ["E059"], "each collect would collect the last one"),
    ({"STATICFILES_DIRS": [("vendor", HERE / "no-such-root/sub")]}, ["E059"], "holds"),
    ({"STATIC_ROOT": str(ADMIN / "static/admin")}, ["E059"], "each collect would collect"),
    ({"MEDIA_ROOT": HERE / "no-such-root/../no-such-root"}, ["E059"], "is MEDIA_ROOT"),
    ({"MEDIA_ROOT": HERE / "no-such-root/media"}, ["E059"], "uploads too"),
    ({"STATIC_ROOT": HERE / "media/static", "MEDIA_ROOT": HERE / "media"}, ["W052"], "can replace a static file"),
    ({"ASYNCSTATIC_ROOT": HERE}, ["E061"], "is served at /"),
    ({"STATIC_URL": "/"}, ["W031"], "each request of the site"),
    ({"STATIC_URL": "/static"}, ["W031"], "Write '/static/'."),
    ({"STATIC_URL": "static"}, ["W031"], "without a slash at its end"),
    ({"STATIC_URL": "https://cdn.example.com/static"}, ["I031", "W031"], "cdn.example.com"),
    ({"STATIC_URL": "https://cdn.example.com/static/"}, ["I031"], "cdn.example.com"),
    ({"STATIC_URL": "https://cdn.example.com/"}, ["I031", "W031"], "cdn.example.com"),
    ({"STATIC_URL": "http://cdn.example.com/s/", "SECURE_SSL_REDIRECT": True}, ["I031", "W031"], "cdn.example.com"),
    (
        {"STATIC_URL": "//cdn.example.com/s/", "ASYNCSTATIC_ALLOW_ALL_ORIGINS": False},
        ["I031", "W031"],
        "names the host",
    ),
    ({"STATIC_URL": "http://cdn.example.com/s/"}, ["I031"], "cdn.example.com"),
    ({"STATIC_URL": "//cdn.example.com/s/", "FORCE_SCRIPT_NAME": "/app"}, ["I031"], "cdn.example.com"),
    (
        {"STATIC_URL": "https://cdn.example.com/s/", "MEDIA_URL": "https://cdn.example.com/s/m/"},
        ["I031", "W053"],
        "cdn.example.com",
    ),
    (
        {"STATIC_URL": "https://cdn.example.com/s/", "MEDIA_URL": "https://media.example.com/s/"},
        ["I031"],
        "cdn.example.com",
    ),
    ({"STATIC_URL": "/static/", "FORCE_SCRIPT_NAME": "/app"}, ["W054"], "'static/'"),
    ({"MEDIA_URL": "/static/uploads/"}, ["W053"], "overlap"),
    ({"MEDIA_URL": "/"}, ["W053"], "overlap"),
    ({"MEDIA_URL": "/app/static/m/", "FORCE_SCRIPT_NAME": "/app/"}, ["W053"], "overlap"),
    ({"DEBUG": True, "SECURE_HSTS_SECONDS": 60}, ["W048"], "SECURE_HSTS_SECONDS"),
    ({"WHITENOISE_MAX_AGE": 60}, ["W056"], "Write ASYNCSTATIC_MAX_AGE instead"),
    ({"WHITENOISE_KEEP_ONLY_HASHED_FILES": True}, ["W056"], '"keep_only_hashed_files"'),
    ({"WHITENOISE_MIMETYPES": {}}, ["W056"], "Remove it: "),
    ({"SERVESTATIC_USE_ZSTD": False}, ["W056"], '"codings"'),
    ({"ASYNCSTATIC_MAXAGE": 60}, ["W057"], "Did you mean ASYNCSTATIC_MAX_AGE?"),
    ({"ASYNC_STATIC_ROOT": "x"}, ["W057"], "Did you mean ASYNCSTATIC_ROOT?"),
    ({"ASYNCSTATIC_KEEP_RELEASES": 5}, ["W057"], '"keep_releases"'),
    ({"ASYNCSTATIC_QQQQQQ": 5}, ["W057"], "There are ASYNCSTATIC_ADD_HEADERS_FUNCTION"),
    ({"INSTALLED_APPS": [*APPLICATIONS, "django_asyncstatic"]}, ["W051"], "above"),
    ({"STORAGES": {"staticfiles": {"BACKEND": STORAGE, "OPTIONS": {"manifest_strict": False}}}}, ["I055"], "nowhere"),
]


@pytest.mark.parametrize(("changed", "expected", "what"), FAULTS, ids=label)
def test_a_fault_is_found(changed: dict[str, Any], expected: list[str], what: str) -> None:
    with override_settings(**changed):
        findings = found()
        by_django = checks.run_checks(tags=["staticfiles"])
    assert ids(findings) == expected
    assert what in findings[0].message + findings[0].hint
    warnings = [each for each in findings if each.id[len("asyncstatic.")] in "EW"]
    assert {each.id for each in by_django if str(each.id).startswith("asyncstatic.")} == {each.id for each in warnings}
    told = {(each.msg, str(each.hint).partition(" See https://")[0]) for each in by_django}
    assert told >= {(each.message, each.hint) for each in warnings}


@pytest.mark.parametrize(
    "changed",
    [
        {"STATIC_ROOT": None},
        {"STATIC_ROOT": HERE / "static-collected"},  # begins like a source, is not in it
        {"STATIC_ROOT": HERE / "www/static", "MEDIA_ROOT": HERE / "www/media"},
        {"MEDIA_ROOT": ""},
        {"STATICFILES_DIRS": ()},
        {"ASYNCSTATIC_ROOT": HERE / "root-files"},
        {"STATIC_URL": "/static/"},
        {"STATIC_URL": "/app/static/", "FORCE_SCRIPT_NAME": "/app"},
        {"STATIC_URL": "static/", "FORCE_SCRIPT_NAME": "/app"},
        {"MEDIA_URL": "/media/"},
        {"MEDIA_URL": "media/", "STATIC_URL": "/static/"},
        {"MEDIA_URL": "/staticmedia/"},
        {"MEDIA_URL": "https://media.example.com/static/"},
        {"DEBUG": True},
        {"DEBUG": True, "ALLOWED_HOSTS": ["example.com"]},
        {"SECURE_SSL_REDIRECT": True, "SECURE_HSTS_SECONDS": 60},
        {"WHITENOISE_OF_MY_OWN": 1, "MY_STATIC_URL": "x", "SERVESTATIC": True},
        {"ASYNCSTATIC_MAX_AGE": 5},
        {"WHITENOISE_MAX_AGE": 5, "MIDDLEWARE": [SECURITY, "whitenoise.middleware.WhiteNoiseMiddleware", OURS]},
        {"WHITENOISE_MAX_AGE": 5, "MIDDLEWARE": [SECURITY, OURS, "shop.middleware.OurWhiteNoise"]},
        {"INSTALLED_APPS": APPLICATIONS},
        {"INSTALLED_APPS": [*APPLICATIONS, "django_asyncstatic"], "STORAGES": {"staticfiles": {"BACKEND": DJANGOS}}},
        {"STORAGES": {"staticfiles": {"BACKEND": STORAGE, "OPTIONS": {"manifest_strict": True}}}},
        {"ASYNCSTATIC_ROOT": HERE.parent / f"{HERE.name}-of-others"},
    ],
    ids=label,
)
def test_what_is_right_is_not_found(changed: dict[str, Any]) -> None:
    with override_settings(**changed):
        assert ids(found()) == []


def test_an_app_of_a_peer_that_is_left_over_is_found(monkeypatch: pytest.MonkeyPatch) -> None:
    # Not by override_settings, which would load the app, and with it checks that stay.
    monkeypatch.setattr(settings, "INSTALLED_APPS", [*settings.INSTALLED_APPS, "whitenoise.runserver_nostatic"])
    (finding,) = found()
    assert finding.id == "asyncstatic.W056"
    assert finding.hint == "Take 'whitenoise.runserver_nostatic' out of INSTALLED_APPS."


def test_a_peer_s_settings_are_in_use_while_its_storage_is() -> None:
    pytest.importorskip("whitenoise")
    storages = {"staticfiles": {"BACKEND": "whitenoise.storage.CompressedManifestStaticFilesStorage"}}
    with override_settings(STORAGES=storages, WHITENOISE_MANIFEST_STRICT=True):
        assert found() == []


def test_each_fault_of_a_host_is_told() -> None:
    with override_settings(
        STATIC_URL="http://cdn.example.com/", SECURE_HSTS_SECONDS=60, ASYNCSTATIC_ALLOW_ALL_ORIGINS=False
    ):
        messages = [each.message for each in found() if each.id.endswith("W031")]
        assert len(messages) == 3
        with override_settings(ASYNCSTATIC_ADD_HEADERS_FUNCTION=lambda headers, path, url: None):
            assert len([each for each in found() if each.id.endswith("W031")]) == 2


def test_settings_are_read_without_fixing_the_script_prefix() -> None:
    from django.urls import set_script_prefix

    with override_settings(STATIC_URL="static/", MEDIA_URL="media/"):
        assert ids(found()) == []
        set_script_prefix("/app/")
        try:
            assert (settings.STATIC_URL, settings.MEDIA_URL) == ("/app/static/", "/app/media/")
        finally:
            set_script_prefix("/")


# --- Django's own checks --------------------------------------------------------------------------------------


def test_django_s_checks_know_the_order_of_middleware_by_its_names_alone() -> None:
    with override_settings(MIDDLEWARE=[OURS, SECURITY, OURS, "no.such.Middleware"]):
        assert [each.id for each in checks.run_checks(tags=["staticfiles"])] == ["asyncstatic.W026", "asyncstatic.W024"]


def test_what_needs_the_settings_alone_touches_no_file(monkeypatch: pytest.MonkeyPatch) -> None:
    @contextmanager
    def no_disk() -> Iterator[None]:
        def refuse(*args: Any, **kwargs: Any) -> Any:
            raise AssertionError("the disk is touched")

        with monkeypatch.context() as patch:
            for name in ("stat", "lstat", "open", "scandir", "listdir", "readlink", "mkdir"):
                patch.setattr(os, name, refuse)
            patch.setattr("builtins.open", refuse)
            # Raises ValueError with a manifest that is not there yet, before the first collect.
            patch.setattr("django.core.files.storage.FileSystemStorage.url", refuse)
            patch.setattr("django.contrib.staticfiles.storage.HashedFilesMixin.url", refuse)
            yield

    changed: dict[str, Any] = {}
    for each, _, _ in FAULTS:
        changed |= {name: value for name, value in each.items() if name != "STORAGES"}
    with override_settings(**changed):
        expected = [*order_findings(), *settings_findings()]
        with no_disk():
            assert [*order_findings(), *settings_findings()] == expected
            ours = [each for each in registry.get_checks() if each.__module__.startswith("django_asyncstatic.")]
            assert len([each(app_configs=None, databases=None) for each in ours]) == len(ours) > 0
    assert len(expected) > 8


def test_a_worker_that_starts_loads_no_diagnostics(tmp_path: Path) -> None:
    project = StartedProject(tmp_path)
    code = (
        "import os, sys, django; os.environ['DJANGO_SETTINGS_MODULE'] = 'mysite.settings'; django.setup();"
        "print([name for name in sys.modules if name.startswith('django_asyncstatic.')])"
    )
    loaded = project.run_python("-c", code).stdout
    assert "django_asyncstatic.checks" in loaded
    assert "diagnosing" not in loaded
    assert "serving" not in loaded


# --- on the disk ----------------------------------------------------------------------------------------------


def test_startproject_with_the_lines_of_the_readme_is_silent(tmp_path: Path) -> None:
    project = StartedProject(tmp_path)
    project.use_wrappers()
    checked = project.run("check", "--fail-level", "INFO")
    assert (checked.returncode, checked.stdout) == (0, "System check identified no issues (0 silenced).\n")
    assert not (tmp_path / "staticfiles").exists()
    assert project.findings("--tag", "chain", "--tag", "settings") == []
    assert project.run("collectstatic", "--noinput").returncode == 0
    assert project.findings() == []


def test_a_finding_has_the_line_at_which_its_setting_is_written(tmp_path: Path) -> None:
    project = StartedProject(tmp_path)
    project.use_wrappers()
    (tmp_path / "mysite/shared.py").write_text("import os\n\nWHITENOISE_MAX_AGE = 60\nASYNCSTATIC_MAX_AGE = 5\n")
    first = project.append(
        "from .shared import *\nif True:\n    ASYNCSTATIC_MAXAGE = 60\n"
        "SERVESTATIC_ROOT, x = 1, 2\nMIDDLEWARE += [MIDDLEWARE[1]]\n"
    )
    places = {
        each["id"] + each["message"].split()[0]: (each["place"]["file"], each["place"]["line"])
        for each in project.findings("--tag", "chain", "--tag", "settings")
    }
    assert places == {
        "W056WHITENOISE_MAX_AGE": ("mysite/shared.py", 3),
        "W056SERVESTATIC_ROOT": ("mysite/settings.py", first + 3),
        "W057There": ("mysite/settings.py", first + 2),
        f"W026{OURS}": ("mysite/settings.py", first + 4),
    }


def test_a_setting_that_no_module_writes_has_no_place() -> None:
    assert place_of_setting("STATIC_ROOT") is not None
    assert place_of_setting("SECURE_SSL_REDIRECT") is None
    with override_settings(ASYNCSTATIC_MAXAGE=5):
        (finding,) = found()
    assert finding.place is None


def test_a_project_without_the_middleware_is_told_unless_a_wrapper_serves(tmp_path: Path) -> None:
    project = StartedProject(tmp_path)
    project.append("MIDDLEWARE.remove('django_asyncstatic.middleware.AsyncStaticMiddleware')\n")
    (finding,) = project.findings("--tag", "settings")
    assert finding["id"] == "W058"
    project.use_wrappers()
    assert project.findings("--tag", "settings") == []
    for kind in ("asgi", "wsgi"):
        (tmp_path / f"mysite/{kind}.py").write_text("from elsewhere import application\n")
    assert project.findings("--tag", "settings") == []
    for kind in ("asgi", "wsgi"):
        (tmp_path / f"mysite/{kind}.py").unlink()
    project.append("WSGI_APPLICATION = None\n")
    assert [each["id"] for each in project.findings("--tag", "settings")] == ["W058"]
    first = project.append("STATIC_URL = 'https://cdn.example.com/static/'\n")
    assert [each["id"] for each in project.findings("--tag", "settings")] == ["I031"]
    lines = project.settings.read_text().splitlines(keepends=True)[: first - 1]
    project.settings.write_text("".join(lines))
    django = "django.contrib.staticfiles.storage.StaticFilesStorage"
    project.append(f"STORAGES = {{**STORAGES, 'staticfiles': {{'BACKEND': '{django}'}}}}\n")
    assert project.findings("--tag", "settings") == []  # no index is made that somebody would have to serve


# --- routes ---------------------------------------------------------------------------------------------------

URLS = """
from django.conf import settings
from django.conf.urls.static import static
from django.contrib.staticfiles.urls import staticfiles_urlpatterns
from django.contrib.staticfiles.views import serve as staticfiles_serve
from django.http import HttpResponse
from django.urls import path, re_path
from django.views.generic import View
from django.views.static import serve

def page(request, **kwargs):
    raise AssertionError("no view is called")

urlpatterns = [path("about/", page)]
"""


@pytest.fixture
def urlconf(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Callable[[str], str]:
    """Writes a URLconf; returns the name of its module."""
    monkeypatch.syspath_prepend(tmp_path)

    def write(lines: str) -> str:
        name = f"urls_{abs(hash((lines, tmp_path)))}"
        (tmp_path / f"{name}.py").write_text(URLS + lines)
        importlib.invalidate_caches()
        return name

    return write


@pytest.mark.parametrize(
    ("lines", "debug", "expected"),
    [
        ("", False, []),
        ("urlpatterns += [path('<path:anything>', page)]", False, []),
        ("urlpatterns += [re_path(r'^(?P<anything>.*)$', View.as_view())]", False, []),
        ("urlpatterns += staticfiles_urlpatterns()", True, []),
        ("urlpatterns += [path('static/<path:path>', staticfiles_serve)]", False, []),
        ("urlpatterns += static('/media/', document_root='media')", True, []),
        ("urlpatterns += static(settings.STATIC_URL, document_root=settings.STATIC_ROOT)", True, ["I030"]),
        ("urlpatterns += static(settings.STATIC_URL, document_root=settings.STATIC_ROOT)", False, ["I030"]),
        ("urlpatterns += [re_path('^static/(?P<path>.*)$', serve, {'document_root': 'x'})]", False, ["W030"]),
        ("urlpatterns += [re_path('^static/(?P<path>.*)$', serve, {'document_root': 'x'})]", True, ["I030"]),
        ("urlpatterns += [path('static/<path:path>', page)]", False, ["I030"]),
        (
            "urlpatterns += [path('static/<path:path>', View.as_view()), path('<path:p>', View.as_view())]",
            False,
            ["I030"],
        ),
        ("import no_such_module", False, ["I069"]),
        ("raise SystemExit(3)", False, ["I069"]),
    ],
)
def test_what_the_urlconf_does_below_static_url_is_found(
    lines: str, debug: bool, expected: list[str], urlconf: Callable[[str], str]
) -> None:
    with override_settings(ROOT_URLCONF=urlconf(lines), DEBUG=debug):
        assert ids(found()) == expected


def test_the_helper_is_found_with_its_line(urlconf: Callable[[str], str], tmp_path: Path) -> None:
    name = urlconf("urlpatterns += static(settings.STATIC_URL, document_root='x')\n")
    with override_settings(ROOT_URLCONF=name):
        (finding,) = found()
    assert finding.place is not None
    assert (Path(finding.place.file), finding.place.line) == (tmp_path / f"{name}.py", URLS.count("\n") + 1)


def test_a_script_name_is_no_part_of_a_route(urlconf: Callable[[str], str]) -> None:
    name = urlconf("urlpatterns += [path('static/<path:path>', page)]\n")
    for url in ("/app/static/", "static/"):
        with override_settings(ROOT_URLCONF=name, FORCE_SCRIPT_NAME="/app", STATIC_URL=url):
            assert ids(found()) == ["I030"]


# --- from the peers -------------------------------------------------------------------------------------------


@pytest.mark.parametrize("peer", list(APPS))
def test_every_setting_of_the_peers_has_its_row(peer: str) -> None:
    """The installed packages are asked, so a new release that has a new setting fails here."""
    package = Path(pytest.importorskip(peer.lower()).__file__ or "").parent
    source = "\n".join(file.read_text() for file in package.rglob("*.py"))
    not_settings = {f"{peer}_{name}" for name in ("APPS", "APP_NAME", "APP_PATHS", "MIDDLEWARE")}
    asked = set(re.findall(rf"\b{peer}_[A-Z_]+\b", source)) - not_settings
    assert {name for name in THEIRS if name.startswith(f"{peer}_")} == asked


def test_what_takes_the_place_of_a_setting_exists() -> None:
    from django_asyncstatic.conf import DEFAULTS
    from django_asyncstatic.options import MANIFEST_STORAGE

    for name, successor in THEIRS.items():
        assert bool(successor.setting) + bool(successor.option) + bool(successor.why_not) == 1, name
        assert successor.setting in ("", *DEFAULTS)
        assert successor.option in ("", *MANIFEST_STORAGE)


def test_the_page_on_migrating_has_the_same_table() -> None:
    text = (REPOSITORY / "docs/migrating.rst").read_text()
    rows = re.findall(r"^   \* - (.*?)\n     - (.*?)(?=\n   \* -|\n\n|\Z)", text, re.M | re.S)
    described = {}
    for theirs, ours in rows:
        for name in re.findall(r"``((?:WHITENOISE|SERVESTATIC)_\w+)``", theirs):
            described[name] = " ".join(ours.split())
    assert described.keys() == THEIRS.keys()
    for name, successor in THEIRS.items():
        named = successor.setting or successor.option
        assert described[name].startswith((f"``{named}``", f"the option ``{named}``", f"none: {successor.why_not}")), (
            name
        )
