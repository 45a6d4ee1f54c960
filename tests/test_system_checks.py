"""``manage.py check``: what cannot be meant, what lacks a library, and that it looks at nothing but the settings."""

from __future__ import annotations

import logging
import re
import runpy
import sys
from pathlib import Path
from typing import Any

import pytest
from django.core import checks
from django.core.exceptions import ImproperlyConfigured
from django.core.management import CommandError, call_command
from django.test import override_settings

from django_asyncstatic import conf, options
from django_asyncstatic.diagnosing.findings import DOCS, all_rules
from django_asyncstatic.diagnosing.migration import THEIRS
from django_asyncstatic.middleware import AsyncStaticMiddleware
from django_asyncstatic.storage import CompressedManifestStaticFilesStorage
from tests.servers import REPOSITORY
from tests.startproject import StartedProject
from tests.test_storage import project, write

OURS = "django_asyncstatic.middleware.AsyncStaticMiddleware"
STORAGES = "django_asyncstatic.storage."
HASHED = f"{STORAGES}CompressedManifestStaticFilesStorage"
DJANGOS = "django.contrib.staticfiles.storage.ManifestStaticFilesStorage"


def check(**changed: Any) -> list[checks.CheckMessage]:
    with override_settings(**changed):
        return [each for each in checks.run_checks(tags=["staticfiles"]) if str(each.id).startswith("asyncstatic.")]


def storage(backend: str = HASHED, **options: Any) -> dict[str, Any]:
    return {"STORAGES": {"staticfiles": {"BACKEND": backend, "OPTIONS": options}}}


class OfAProject(CompressedManifestStaticFilesStorage):
    """Takes an option of its own."""

    def __init__(self, *args: Any, bucket: str = "", **kwargs: Any) -> None:
        super().__init__(*args, **kwargs)


#: Settings that cannot be meant, and what is said: each by the setting that it is about.
WRONG: list[tuple[dict[str, Any], str, str]] = [
    ({"ASYNCSTATIC_ADD_HEADERS_FUNCTION": "shop.add"}, "ASYNCSTATIC_ADD_HEADERS_FUNCTION", "a function of (headers"),
    ({"ASYNCSTATIC_ALLOW_ALL_ORIGINS": "yes"}, "ASYNCSTATIC_ALLOW_ALL_ORIGINS", "True or False"),
    ({"ASYNCSTATIC_AUTOREFRESH": "true"}, "ASYNCSTATIC_AUTOREFRESH", "None for the value of DEBUG"),
    ({"ASYNCSTATIC_CHARSET": None}, "ASYNCSTATIC_CHARSET", "the name of a charset"),
    ({"ASYNCSTATIC_DOTFILES": 1}, "ASYNCSTATIC_DOTFILES", "True or False"),
    ({"ASYNCSTATIC_IMMUTABLE_FILE_TEST": "("}, "ASYNCSTATIC_IMMUTABLE_FILE_TEST", "a regular expression"),
    ({"ASYNCSTATIC_IMMUTABLE_FILE_TEST": object()}, "ASYNCSTATIC_IMMUTABLE_FILE_TEST", "'vite'"),
    ({"ASYNCSTATIC_INDEX_FILE": ""}, "ASYNCSTATIC_INDEX_FILE", 'True for "index.html"'),
    ({"ASYNCSTATIC_LIVE": "CACHE/*"}, "ASYNCSTATIC_LIVE", "a list of patterns"),
    ({"ASYNCSTATIC_MAX_AGE": -1}, "ASYNCSTATIC_MAX_AGE", "0 or more"),
    ({"ASYNCSTATIC_MEMORY": "1 MB"}, "ASYNCSTATIC_MEMORY", "a number of bytes"),
    ({"ASYNCSTATIC_REHEARSAL": "on"}, "ASYNCSTATIC_REHEARSAL", "True or False"),
    ({"ASYNCSTATIC_ROOT": 123}, "ASYNCSTATIC_ROOT", "the path of a directory"),
    ({"STATIC_URL": None}, "STATIC_URL", "set it to the path of your static files"),
    ({"STORAGES": {}}, "STORAGES", 'no "staticfiles" with a "BACKEND"'),
    (storage("no.such.Storage"), "STORAGES", "cannot be imported"),
    ({"STORAGES": {"staticfiles": {"BACKEND": HASHED, "OPTIONS": []}}}, "STORAGES", "has to be a dictionary"),
    (storage(keep_releasess=3), "STORAGES", "did you mean 'keep_releases'"),
    (storage(f"{STORAGES}CompressedStaticFilesStorage", manifest_strict=False), "STORAGES", "has no 'manifest_strict'"),
    (storage(f"{STORAGES}UncollectedStaticFilesStorage", keep_age="7 days"), "STORAGES", "a timedelta"),
    (storage(f"{__name__}.OfAProject", bucket="b", keep_releases=0), "STORAGES", "at least 1"),
    (storage(skip_compress_extensions=["jpg", 1]), "STORAGES", "a list of extensions"),
    (storage(codings=["brotli"]), "STORAGES", "did you mean 'br'?"),
    (storage(levels={"br": 12}), "STORAGES", "from 0 to 11"),
    ({**storage(DJANGOS), "ASYNCSTATIC_REHEARSAL": True}, "STORAGES", "needs one of this app's storages"),
]


@pytest.mark.parametrize(("changed", "setting", "what"), WRONG, ids=[f"{setting} {what}" for _, setting, what in WRONG])
def test_what_cannot_be_meant_is_an_error_of_manage_check(changed: dict[str, Any], setting: str, what: str) -> None:
    (message,) = check(**changed)
    assert (message.level, message.id, message.obj) == (checks.ERROR, "asyncstatic.E062", setting)
    assert what in message.msg
    assert str(message).startswith(f"{setting}: (asyncstatic.E062) ")
    with override_settings(**changed), pytest.raises(CommandError) as raised:
        call_command("checkstatic")
    assert (raised.value.returncode, str(raised.value)) == (2, message.msg)


def test_everything_that_is_wrong_is_told_at_once() -> None:
    wrong = {"ASYNCSTATIC_MAX_AGE": "1", "ASYNCSTATIC_ROOT": ""}
    messages = check(**wrong, **storage(zopfli="much", codings=["deflate"], levels={"gzip": 0}, unknown=1))
    assert [(each.obj, each.id) for each in messages] == [
        ("ASYNCSTATIC_MAX_AGE", "asyncstatic.E062"),
        ("ASYNCSTATIC_ROOT", "asyncstatic.E062"),
        *[("STORAGES", "asyncstatic.E062")] * 4,
    ]


@pytest.mark.parametrize(
    "changed",
    [
        {},
        {"ASYNCSTATIC_ROOT": Path("public")},
        {"ASYNCSTATIC_MAX_AGE": None},
        {"ASYNCSTATIC_AUTOREFRESH": True},
        {"ASYNCSTATIC_INDEX_FILE": True},
        {"ASYNCSTATIC_INDEX_FILE": "home.html"},
        {"ASYNCSTATIC_CHARSET": ""},
        {"ASYNCSTATIC_LIVE": ("CACHE/*",)},
        {"ASYNCSTATIC_ADD_HEADERS_FUNCTION": lambda headers, path, url: None},
        {"ASYNCSTATIC_IMMUTABLE_FILE_TEST": lambda path, url: True},
        {"ASYNCSTATIC_IMMUTABLE_FILE_TEST": r"^.+\.[0-9a-f]{12}\..+$"},
        {"ASYNCSTATIC_REHEARSAL": True},
        storage(codings="br", levels={"br": 5}, keep_age=60, skip_compress_extensions=[".jpg"], location="elsewhere"),
        storage(f"{__name__}.OfAProject", bucket="b"),
        storage(f"{STORAGES}UncollectedStaticFilesStorage", keep_releases=3),
        storage(DJANGOS),
        storage("django.core.files.storage.InMemoryStorage", location="x"),
    ],
    ids=map(str, range(17)),
)
def test_what_can_be_meant_is_no_error(changed: dict[str, Any]) -> None:
    assert check(**changed) == []


@pytest.mark.parametrize(
    ("modules", "options", "what"),
    [
        (["brotli"], {"codings": ["gzip", "br"]}, "pip install brotli, or leave 'br' out."),
        (["compression", "backports"], {}, "pip install backports.zstd, or leave 'zstd' out."),
        (["tree_sitter"], {"support_js_module_import_aggregation": True}, 'pip install "django-asyncstatic[js]"'),
        (["zopfli"], {"zopfli": True}, 'pip install "django-asyncstatic[zopfli]"'),
    ],
    ids=["br", "zstd", "modules", "zopfli"],
)
def test_a_library_that_is_missing_is_told(
    modules: list[str], options: dict[str, Any], what: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """By manage.py check, before anything is collected; and by the collect, which writes nothing."""
    from django_asyncstatic.codings import zstd_module

    for name in list(sys.modules):
        if name.partition(".")[0] in modules:
            monkeypatch.delitem(sys.modules, name)
    for module in modules:
        monkeypatch.setitem(sys.modules, module, None)  # what makes an import fail, as Python documents it
    monkeypatch.setattr("django_asyncstatic.options.find_spec", lambda name: None if name in modules else object())
    zstd_module.cache_clear()
    write(tmp_path / "source", main__js="import './part.js';", part__js="export default 1;")
    try:
        with project(tmp_path / "source", tmp_path / "root", levels={}, **options):
            (message,) = [each for each in checks.run_checks(tags=["staticfiles"]) if each.level == checks.ERROR]
            with pytest.raises((CommandError, ImproperlyConfigured), match=re.escape(what)):
                call_command("collectstatic", interactive=False, verbosity=0)
    finally:
        zstd_module.cache_clear()
    assert message.id == ("asyncstatic.E062" if "zopfli" in modules else "asyncstatic.E063")
    assert what in message.msg
    assert not (tmp_path / "root").exists()


def test_without_the_coding_its_library_is_not_missed(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setitem(sys.modules, "brotli", None)
    assert check(**storage(codings=["gzip", "zstd"])) == []
    assert list(options.lacking(["br"])) != []


# --- every message --------------------------------------------------------------------------------------------


def test_every_message_says_what_to_do_and_where_more_stands() -> None:
    found: dict[str, checks.CheckMessage] = {}
    for changed in (
        {"ASYNCSTATIC_MAX_AGE": "1"},
        {"WHITENOISE_MAX_AGE": 1, "SERVESTATIC_MINIFY": True, "ASYNCSTATIC_MAXAGE": 1, "MEDIA_URL": "/"},
        {
            "MIDDLEWARE": [
                *["django_asyncstatic.middleware.AsyncStaticMiddleware"] * 2,
                "whitenoise.middleware.WhiteNoiseMiddleware",
            ]
        },
        {"STATIC_ROOT": REPOSITORY, "STATIC_URL": "/", "ASYNCSTATIC_ROOT": REPOSITORY},
    ):
        found |= {str(each.id): each for each in check(**changed)}
    assert found.keys() >= {
        f"asyncstatic.{short}" for short in ("E059", "E061", "E062", "W026", "W027", "W053", "W056")
    }
    for each in found.values():
        hint = str(each.hint)
        advice, _, link = hint.rpartition("See ")
        assert link.startswith("https://django-asyncstatic.readthedocs.io/en/latest/"), hint
        assert advice.strip().endswith((".", "?")) or each.id == "asyncstatic.E062"
        assert each.msg.endswith((".", "?"))


def test_every_link_of_a_message_leads_to_an_anchor() -> None:
    """The documentation gives each finding's paragraph an anchor; here by the very function that does."""
    pytest.importorskip("sphinx")
    from docutils import nodes
    from docutils.utils import new_document

    name_findings: Any = runpy.run_path(str(REPOSITORY / "docs/conf.py"))["_name_findings"]
    page = (REPOSITORY / "docs/checkstatic.rst").read_text()
    document = new_document("checkstatic")
    for term in re.findall(r"^(``asyncstatic\.\w+``.*)$", page, re.M):
        document += nodes.term("", term.replace("`", "").replace("\\", ""))
    name_findings(None, document)
    anchors = {anchor for term in document.findall(nodes.term) for anchor in term["ids"]}
    linked = {rule.url.removeprefix(f"{DOCS}#") for rule in all_rules().values()}
    assert linked | {"asyncstatic-e062", "asyncstatic-e063"} == anchors
    described = re.findall(r"^``(ASYNCSTATIC_\w+)``$", (REPOSITORY / "docs/settings.rst").read_text(), re.M)
    assert set(described) == set(conf.DEFAULTS)


def test_every_leftover_and_every_misspelling_names_what_takes_its_place() -> None:
    for name, successor in THEIRS.items():
        (message,) = check(**{name: "anything"})
        assert (message.id, message.msg.split()[0]) == ("asyncstatic.W056", name)
        assert (successor.setting or successor.option or successor.why_not) in str(message.hint)
    for name in conf.DEFAULTS:
        for misspelt in (name[:-1], name.replace("ASYNCSTATIC_", "ASYNCSTATIC_X")):
            (message,) = check(**{misspelt: "anything"})
            assert message.id == "asyncstatic.W057"
            assert f"Did you mean {name}?" in str(message.hint), misspelt


# --- what is looked at ----------------------------------------------------------------------------------------

NOTHING_IS_TOUCHED = """
import os, sys
from pathlib import Path
touched = []

def note(event, arguments):
    if is_on and event.startswith(("open", "os.", "shutil.", "tempfile.", "glob.")):
        touched.append((event, *arguments))

is_on = False
sys.addaudithook(note)
os.environ["DJANGO_SETTINGS_MODULE"] = "mysite.settings"
import django
django.setup()
from django_asyncstatic.checks import check_settings
check_settings()  # imports what it needs

def noted(name, function):
    def call(path, *rest, **more):
        note(f"os.{name}", (path,))
        return function(path, *rest, **more)
    return call

for name in ("stat", "lstat", "readlink", "access"):  # which Python does not audit
    setattr(os, name, noted(name, getattr(os, name)))
is_on = True
found = check_settings()
Path("manage.py").exists()
is_on = False
print([each.id for each in found], touched)
"""


@pytest.mark.parametrize("more", ["", "ASYNCSTATIC_REHEARSAL = True\nDEBUG = True\n"], ids=["collected", "rehearsal"])
def test_before_the_first_collect_neither_the_disk_nor_a_url_is_asked_for(more: str, tmp_path: Path) -> None:
    """By Python's own audit of what opens, lists or makes a file, and by the calls that it does not audit."""
    started = StartedProject(tmp_path)
    (tmp_path / "mysite/storage.py").write_text(
        "from django_asyncstatic.storage import CompressedManifestStaticFilesStorage\n"
        "class Storage(CompressedManifestStaticFilesStorage):\n"
        "    def url(self, *args, **kwargs): raise AssertionError('url() is asked')\n"
        "    def read_manifest(self): raise AssertionError('the manifest is read')\n"
        "    def collect(self, *args, **kwargs): raise AssertionError('it collects')\n"
    )
    started.append(
        "STORAGES['staticfiles'] = {'BACKEND': 'mysite.storage.Storage', 'OPTIONS': {'levels': {'br': 5}}}\n"
        f"WHITENOISE_MAX_AGE = 1\n{more}"
    )
    asked = started.run_python("-c", NOTHING_IS_TOUCHED)
    assert (asked.stderr, asked.stdout) == ("", "['asyncstatic.W056'] [('os.stat', PosixPath('manage.py'))]\n")
    if not more:
        checked = started.run("check")
        assert checked.returncode == 0
        assert "(asyncstatic.W056) WHITENOISE_MAX_AGE does nothing" in checked.stderr
    assert not (tmp_path / "staticfiles").exists()


# --- without the app ------------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("has_app", "debug", "count"), [(False, True, 1), (False, False, 0), (True, True, 0)], ids=["told", "live", "app"]
)
def test_a_project_that_has_the_middleware_and_not_the_app_is_told_with_debug(
    has_app: bool, debug: bool, count: int, caplog: pytest.LogCaptureFixture
) -> None:
    apps = ["django_asyncstatic"] if has_app else []
    with (
        override_settings(INSTALLED_APPS=[*apps, "django.contrib.staticfiles"], DEBUG=debug),
        caplog.at_level(logging.WARNING, "django_asyncstatic"),
    ):
        AsyncStaticMiddleware(lambda request: None)  # type: ignore[arg-type, return-value]
    assert len(caplog.messages) == count
    assert all('Put it above "django.contrib.staticfiles".' in message for message in caplog.messages)
