"""``checkstatic --tag references`` on projects with references that lead nowhere, and on ones without."""

from __future__ import annotations

import json
import subprocess
import sys
from collections.abc import Callable
from importlib import import_module
from pathlib import Path
from time import sleep
from typing import Any

import pytest
from django import forms
from django.conf import settings
from django.contrib import admin
from django.contrib.auth.models import Group
from django.contrib.staticfiles.storage import ManifestStaticFilesStorage
from django.core.exceptions import SuspiciousFileOperation
from django.core.management import call_command
from django.template import Engine
from django.template.loaders.base import Loader
from django.template.loaders.filesystem import Loader as FilesystemLoader
from django.templatetags.static import static
from django.test import override_settings
from django.utils.safestring import mark_safe

from django_asyncstatic.collecting.sources import YOUNG, Source
from django_asyncstatic.diagnosing.findings import Finding, run_checks
from django_asyncstatic.diagnosing.languages import CannotCompile, DjangoLanguage, JinjaLanguage, written_out
from django_asyncstatic.diagnosing.media import place_of
from django_asyncstatic.diagnosing.project import Project
from django_asyncstatic.diagnosing.references import StaticNames, check_media, check_sources, check_templates
from tests.startproject import StartedProject

OURS = "django_asyncstatic.storage.CompressedManifestStaticFilesStorage"
DJANGO = "django.template.backends.django.DjangoTemplates"
LOADERS = "django.template.loaders"


def short(findings: Any) -> list[str]:
    return [finding.id.rpartition(".")[2] for finding in findings]


def storage(backend: str = OURS, **options: Any) -> dict[str, Any]:
    return {"staticfiles": {"BACKEND": backend, "OPTIONS": options}}


def engine(**options: Any) -> dict[str, Any]:
    """One of Django's engines, with nothing in it but what a test puts there."""
    return {"BACKEND": DJANGO, "DIRS": [], "APP_DIRS": False, "OPTIONS": {}, **options}


class Site:
    """A project of a test: static files, templates, settings."""

    def __init__(self, path: Path) -> None:
        self.path = path
        self.templates = path / "templates"
        self.statics = path / "statics"
        self.settings: dict[str, Any] = {
            "TEMPLATES": [engine(DIRS=[self.templates])],
            "STATICFILES_DIRS": [self.statics],
            "STATIC_ROOT": path / "root",
            "STORAGES": storage(levels={"br": 1}),
        }
        self.write("statics/shop/logo.png", "statics/shop/site.css", "statics/shop/100% sure.txt")
        self.templates.mkdir()

    def write(self, *names: str, text: str | bytes = "") -> None:
        for name in names:
            file = self.path / name
            file.parent.mkdir(parents=True, exist_ok=True)
            file.write_bytes(text.encode() if isinstance(text, str) else text)

    def template(self, name: str, text: str | bytes, directory: str = "templates") -> None:
        self.write(f"{directory}/{name}", text=text)

    def check(self, check: Callable[[Project], Any] = check_templates, **settings: Any) -> list[Finding]:
        with override_settings(**{**self.settings, **settings}):
            return list(check(Project()))

    def collect(self) -> None:
        """Its own files; those of the admin and the like take a second."""
        finders = ["django.contrib.staticfiles.finders.FileSystemFinder"]
        with override_settings(**self.settings, STATICFILES_FINDERS=finders):
            call_command("collectstatic", interactive=False, verbosity=0)


@pytest.fixture
def site(tmp_path: Path) -> Site:
    return Site(tmp_path)


def load(text: str) -> str:
    return "{% load static %}" + text


# --- what a template names: Django's language ------------------------------------------------------------------


def tags_of(text: str, **options: Any) -> list[tuple[str | None, int, int | None]]:
    libraries = {
        "static": "django.templatetags.static",
        "more": "tests.static_tags",
        "l10n": "django.templatetags.l10n",
    }
    language = DjangoLanguage(Engine(libraries=libraries, **options))
    return [use[:3] for use in language.uses(text)[0]]  # type: ignore[misc]


@pytest.mark.parametrize(
    ("text", "expected"),
    [
        ("{% static 'a.css' %}", [("a.css", 1, 11)]),
        ('{%static "a.css"%}', [("a.css", 1, 10)]),
        ('{% static "a.css" as it %}', [("a.css", 1, 11)]),
        ('\n <a>{% static "a b.css" %}', [("a b.css", 2, 15)]),
        (r'{% static "a\"b.css" %}', [('a"b.css', 1, 11)]),
        ("{% if x %}\n{% block y %}{% with z=1 %}{% static 'a' %}", [("a", 2, 38)]),
        ("{% static 'a' %}{% static 'b' %}", [("a", 1, 11), ("b", 1, 27)]),
        ("{% include 'x' %}{% partialdef y %}{% static 'a' %}{% endpartialdef %}{% partial y %}", [("a", 1, 46)]),
        ("{% static name %}{% static 'a'|add:b %}", [(None, 1, 11), (None, 1, 28)]),
        ("{% verbatim %}{% static 'a' %}{% endverbatim %}{% static 'b' %}", [("b", 1, 58)]),
        ("{% verbatim x %}{% endverbatim %}{% static 'a' %}{% endverbatim x %}", []),
        ("{% comment %}{% static 'a' %}{% endcomment %}{# {% static 'b' %} #}", []),
        ("{% comment 'why' %}{% verbatim %}{% endcomment %}{% endverbatim %}{% endcomment %}{% static 'a' %}", 1),
        ("{{ '{% static 1 %}' }}{% get_static_prefix %}{% get_media_prefix as static %}", []),
        ("{% static\n'a' %}", []),  # no tag: it has a line end
        ("{% load more %}{% asset 'a' %}{% bound 'b' %}{% called 'c' %}", 3),
        ("{% load more %}{% versioned 'a' %}{% prefixed 'b' %}{% simple 'c' %}", []),
        ("{% load static from more %}{% static 'a' %}", []),  # another tag of that name
        ("{% load l10n asset from more %}{% asset 'a' %}{% static 'b' %}", 2),
    ],
)
def test_what_a_template_of_djangos_names(text: str, expected: Any) -> None:
    shift = len(load("")) if not text.startswith("\n") else 0
    found = tags_of(load(text))
    if isinstance(expected, int):
        assert len(found) == expected
    else:
        in_first_line = [(name, line, column + (shift if line == 1 else 0)) for name, line, column in expected]
        assert found == in_first_line


def test_builtins_need_no_load() -> None:
    assert tags_of("{% static 'a' %}", builtins=["django.templatetags.static"]) == [("a", 1, 11)]


@pytest.mark.parametrize(
    ("text", "why"),
    [
        ("{% static 'a' %}", "without {% load %}"),
        ("{% load absent static %}", "loads 'absent'"),
        ("{% load static from absent %}", "loads 'absent'"),
    ],
)
def test_a_template_that_django_refuses_is_told(text: str, why: str) -> None:
    with pytest.raises(CannotCompile, match=why):
        tags_of(text)


def test_what_is_found_is_what_djangos_parser_makes_of_real_packages() -> None:
    result = subprocess.run([sys.executable, "-m", "tests.same_nodes"], capture_output=True, text=True, check=True)
    compared = json.loads(result.stdout)
    assert compared["differences"] == []
    assert compared["templates"] > 500
    assert compared["nodes"] > 100


# --- Jinja's ---------------------------------------------------------------------------------------------------


def jinja(**options: Any) -> Any:
    environment = pytest.importorskip("jinja2").Environment(**options)
    environment.globals.update(static=static, asset=static, other=str)
    environment.filters["static"] = static
    return environment


@pytest.mark.parametrize(
    ("text", "expected"),
    [
        ("{{ static('a.css') }}", [("a.css", 1, 11)]),
        ("\n{% set x = asset(\"a\") %}{{ 'b'|static }}", [("a", 2, 18), ("b", 2, 28)]),
        ("{% if static('a') %}{% block x %}{{ static('b')|upper }}", 2),
        ("{{ static(name) }}{{ static('a' ~ b) }}{{ static('%s.css' % x) }}{{ x|static }}", [(None, 1, None)] * 4),
        ("{% raw %}{{ static('a') }}{% endraw %}{# {{ static('b') }} #}{{ x.static('c') }}{{ other('d') }}", []),
        ("{% filter static %}a{% endfilter %}{{ static() }}", []),
    ],
)
def test_what_a_template_of_jinjas_names(text: str, expected: Any) -> None:
    language = JinjaLanguage(jinja())
    complete = text + "{% endblock %}" * text.count("{% block") + "{% endif %}" * text.count("{% if")
    found = [use[:3] for use in language.uses(complete)[0]]
    assert len(found) == expected if isinstance(expected, int) else found == expected


def test_a_storages_url_is_static_under_any_name_in_jinja() -> None:
    environment = jinja()
    environment.globals["of_storage"] = ManifestStaticFilesStorage.url.__get__(object.__new__(WithBaseUrl))
    assert JinjaLanguage(environment).mention == "asset|of_storage|static"


class WithBaseUrl:
    base_url = "/static/"


def test_jinjas_templates_are_looked_at_with_their_own_parser(site: Site) -> None:
    pytest.importorskip("jinja2")
    site.template("right.html", "{{ static('shop/logo.png') }}", "jinja")
    site.template(
        "wrong.html", "<p>\n{{ static('shop/logo.gif') }}{{ static(x) }}<a href='/static/shop/site.css'>", "jinja"
    )
    site.template("other.html", "{{ static('shop/logo.gif' }}", "jinja")
    site.template("image.html", b"static {% \xff", "jinja")
    options = {"environment": "tests.static_tags.environment"}
    backend = {"BACKEND": "django.template.backends.jinja2.Jinja2", "DIRS": [site.path / "jinja"], "OPTIONS": options}
    found = site.check(TEMPLATES=[backend])
    assert sorted(short(found)) == ["E010", "I017", "I060", "W060"]
    at = {finding.id[-4:]: str(finding.place).removeprefix(f"{site.path}/jinja/") for finding in found}
    assert at == {"E010": "wrong.html:2:11", "I017": "other.html", "I060": "wrong.html:2", "W060": "wrong.html:2:54"}


def test_a_file_of_two_engines_may_be_in_the_language_of_either(site: Site) -> None:
    pytest.importorskip("jinja2")
    site.template("django.html", load("{% static 'shop/logo.png' %}"))
    site.template("jinja.html", "{% set x = static('shop/logo.png') %}{% static 'no tag of mine' %}")
    options = {"environment": "tests.static_tags.environment"}
    backend = {"BACKEND": "django.template.backends.jinja2.Jinja2", "DIRS": [site.templates], "OPTIONS": options}
    assert site.check(TEMPLATES=[*site.settings["TEMPLATES"], backend]) == []


def test_what_of_jinja_cannot_be_listed_is_told(site: Site) -> None:
    jinja2 = pytest.importorskip("jinja2")
    options = {"environment": "tests.static_tags.environment", "loader": jinja2.FunctionLoader(lambda name: None)}
    backend = {"BACKEND": "django.template.backends.jinja2.Jinja2", "OPTIONS": options}
    (finding,) = site.check(TEMPLATES=[backend])
    assert (finding.id[-4:], "cannot list its templates" in finding.message) == ("I017", True)


# --- names that are no static files ----------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("name", "what", "hint"),
    [
        ("shop/logo.png", None, None),
        ("shop/site.css?v=1#x", None, None),
        ("shop/100%25%20sure.txt", None, None),
        ("shop/", None, None),
        ("shop/lgo.png", "no finder has it", "Did you mean 'shop/logo.png'?"),
        ("img/logo.png", "no finder has it", "Did you mean 'shop/logo.png'?"),
        ("/shop/logo.png", "no finder has it", "Did you mean 'shop/logo.png'?"),
        ("nothing/like.it", "no finder has it", "Correct the name."),
        ("shop/Logo.png", "'shop/logo.png' differs from it by case", "Write 'shop/logo.png'."),
        ("shop", "it is a directory", "End it with a slash, 'shop/'"),
        ("", "no finder has it", "Correct the name."),
        ("http://[", "no finder has it", "Correct the name."),
    ],
)
def test_a_name_that_is_no_static_file_is_found(site: Site, name: str, what: str | None, hint: str | None) -> None:
    site.template("shop/page.html", load(f"\n<img src=\"{{% static '{name}' %}}\">"))
    found = site.check()
    if what is None or hint is None:
        assert found == []
        return
    (finding,) = found
    assert finding.id == "asyncstatic.E010"
    assert finding.message.startswith(f"The template shop/page.html names {name!r}: {what}")
    assert "ValueError" in finding.message
    assert finding.hint.startswith(hint)
    assert str(finding.place) == f"{site.templates}/shop/page.html:2:21"


NAMES = [
    "shop/logo.png",
    "shop/site.css?v=1#x",
    "shop/100%25%20sure.txt",
    "shop/",
    "shop/?x",
    "shop",
    "",
    "/shop/logo.png",
]
NAMES += [
    "shop/lgo.png",
    "shop/Logo.png",
    "./shop/logo.png",
    "shop/../shop/logo.png",
    " shop/logo.png",
    "//[x",
    "shop/#x",
]


@pytest.mark.parametrize("strict", [True, False])
@pytest.mark.parametrize("name", NAMES)
def test_a_name_is_missing_where_the_storage_raises(site: Site, name: str, strict: bool) -> None:
    """What we say of a name before the collect is what Django says of it after."""
    site.settings["STORAGES"] = storage(levels={"br": 1}, manifest_strict=strict)
    with override_settings(**site.settings):
        missing = StaticNames(Project()).missing(name)
    site.collect()
    with override_settings(**site.settings):
        try:
            static(name)
            raises = False
        except (ValueError, SuspiciousFileOperation):
            raises = True
    assert (missing is not None) == raises


def test_a_storage_without_a_manifest_raises_nothing(site: Site) -> None:
    site.template(
        "page.html", load("{% static '/shop/logo.png' %}{% static 'shop' %}{% static '' %}{% static 'a.b' %}")
    )
    for backend in ("django.contrib.staticfiles.storage.StaticFilesStorage", OURS.replace("Manifest", "")):
        (finding,) = site.check(STORAGES=storage(backend))
        assert (finding.id[-4:], finding.subject) == ("E010", "a.b")
        assert "404" in finding.message
    assert site.check(STORAGES=storage(backend), ASYNCSTATIC_LIVE=["a.*"]) == []


def test_manifest_strict_is_no_help(site: Site) -> None:
    site.template("page.html", load("{% static 'a.b' %}"))
    (finding,) = site.check(STORAGES=storage(manifest_strict=False))
    assert "for manifest_strict=False looks for the file itself" in finding.message


def test_a_name_that_only_the_last_collect_had_is_a_remark(site: Site) -> None:
    site.write("statics/dist/app.js", "statics/dist/lib.js")
    site.template("page.html", load("{% static 'dist/app.js' %}{% static 'dist/lib.js' %}{% static 'dist/lib.js' %}"))
    site.template("wrong.html", load("{% static 'dist/other.js' %}"))
    site.collect()
    for name in ("app", "lib"):
        (site.statics / f"dist/{name}.js").unlink()
    found = site.check()
    assert sorted((each.id[-4:], each.subject) for each in found) == [
        ("E010", "dist/other.js"),
        ("I016", "dist/app.js"),
        ("I016", "dist/lib.js"),
    ]
    assert "here and in 1 other place" in found[-1].message
    (site.path / "root/staticfiles.json").write_text("[]")
    assert short(site.check()) == ["E010"] * 4


def test_without_a_manifest_the_index_has_what_was_collected(site: Site) -> None:
    site.settings["STORAGES"] = storage(OURS.replace("Manifest", ""))
    site.template("page.html", load("{% static 'shop/logo.png' %}{% static 'a.b' %}"))
    site.collect()
    (site.statics / "shop/logo.png").unlink()
    assert short(site.check()) == ["E010", "I016"]


def test_a_file_that_is_not_collected_yet_is_there(site: Site) -> None:
    site.collect()
    site.write("statics/new.js")
    site.template("page.html", load("{% static 'new.js' %}"))
    assert site.check() == []


def test_a_template_of_a_package_that_is_for_another_app_is_a_remark(site: Site) -> None:
    site.template("a.html", load("{% static 'absent/a.js' %}{% static 'shop/x.js' %}"), "site-packages/x/templates")
    site.template("b.html", "{% load absent static %}{% static 'shop/x.js' %}", "site-packages/x/templates")
    found = site.check(TEMPLATES=[engine(DIRS=[site.path / "site-packages/x/templates"])])
    assert [(each.id[-4:], each.subject) for each in found] == [("E010", "shop/x.js"), ("I018", "absent")]
    assert "1 name in 1 template of installed packages begin with absent/" in found[1].message


def test_what_a_package_names_if_its_own_tag_says_so_is_not_told(site: Site) -> None:
    """As Mezzanine's base.html names the style sheet of a shop that may be installed."""
    inner = "{% if a %}{% static 'shop/x.js' %}{% endif %}"
    text = load(f"{{% load ifinstalled from more %}}{{% ifinstalled x %}}{inner}{{% endifinstalled %}}")
    options = {"libraries": {"more": "tests.static_tags"}}
    package = engine(DIRS=[site.path / "site-packages/x/templates"], OPTIONS=options)
    site.template("a.html", text, "site-packages/x/templates")
    assert site.check(TEMPLATES=[package]) == []
    site.template("b.html", f"{text}{{% static 'shop/x.js' %}}", "site-packages/x/templates")
    (finding,) = site.check(TEMPLATES=[package])
    assert (finding.id[-4:], finding.message.split()[2]) == ("E010", "b.html")
    # In a template of the project's own it is a promise.
    site.template("own.html", text)
    assert short(site.check(TEMPLATES=[engine(DIRS=[site.templates], OPTIONS=options)])) == ["E010"]


# --- which templates -------------------------------------------------------------------------------------------

WRONG = load("{% static 'shop/wrong.png' %}")


def test_a_template_that_another_one_hides_cannot_be_wrong(site: Site) -> None:
    site.template("page.html", "right", "over")
    site.template("base.html", '{% extends "base.html" %}', "over")
    site.template("shop/near.html", "{% extends './near.html' %}", "over")
    site.template("far.html", "{% extends 'base.html' %}", "over")
    for name in ("page.html", "base.html", "shop/near.html", "far.html"):
        site.template(name, WRONG)
    found = site.check(TEMPLATES=[engine(DIRS=[site.path / "over", site.templates])])
    assert {Path(str(each.place).partition(":")[0]).name for each in found} == {"base.html", "near.html"}
    # Another engine may find what the first one hides.
    both = [engine(NAME="a", DIRS=[site.path / "over", site.templates]), engine(NAME="b", DIRS=[site.templates])]
    assert short(site.check(TEMPLATES=both)) == ["E010"] * 4


def test_a_template_that_hides_another_one_is_looked_at(site: Site) -> None:
    site.template("page.html", WRONG, "over")
    site.template("page.html", "right")
    (finding,) = site.check(TEMPLATES=[engine(DIRS=[site.path / "over", site.templates])])
    assert (finding.id, str(finding.place)) == ("asyncstatic.E010", f"{site.path}/over/page.html:1:28")


class Unlistable(Loader):
    """As loaders that read from a database are."""


class Translating(FilesystemLoader):
    """As loaders of other languages are."""

    def get_contents(self, origin: Any) -> str:
        return super().get_contents(origin).replace("STATIC", "{% load static %}{% static 'wrong.png' %}")


@pytest.mark.parametrize(
    ("loaders", "expected"),
    [
        ([f"{LOADERS}.filesystem.Loader"], ["E010"]),
        ([(f"{LOADERS}.cached.Loader", [f"{LOADERS}.filesystem.Loader"])], ["E010"]),
        ([f"{LOADERS}.app_directories.Loader"], []),
        ([(f"{LOADERS}.locmem.Loader", {"a": WRONG, "b": "right"})], ["E010"]),
        ([f"{__name__}.Unlistable", f"{LOADERS}.filesystem.Loader"], ["I017", "E010"]),
        ([f"{__name__}.Translating"], ["E010", "E010"]),
        (["no.such.Loader"], ["I017"]),
    ],
    ids=["filesystem", "cached", "apps", "locmem", "unlistable", "translating", "absent"],
)
def test_templates_of_all_loaders_are_looked_at(site: Site, loaders: list[Any], expected: list[str]) -> None:
    site.template("a.html", WRONG)
    site.template("b.html", "STATIC")
    assert short(site.check(TEMPLATES=[engine(DIRS=[site.templates], OPTIONS={"loaders": loaders})])) == expected


def test_engines_that_cannot_be_looked_at_are_told(site: Site) -> None:
    dummy = {"BACKEND": "django.template.backends.dummy.TemplateStrings", "DIRS": [site.templates]}
    assert site.check(TEMPLATES=[dummy]) == []
    unknown = {"BACKEND": "tests.static_tags.UnknownTemplates", "DIRS": [site.templates]}
    (finding,) = site.check(TEMPLATES=[unknown])
    assert "is a tests.static_tags.UnknownTemplates, whose language is not known" in finding.message
    broken = engine(OPTIONS={"libraries": {"x": "no.such.module"}})
    (finding,) = site.check(TEMPLATES=[broken])
    assert "cannot be made" in finding.message
    (finding,) = site.check(TEMPLATES=[{"BACKEND": "x"}])
    assert finding.message.startswith("TEMPLATES is refused by Django")


def test_what_lies_beside_templates_is_no_template(site: Site) -> None:
    for name in ("code.py", "de.po", ".git/hooks.html", "node_modules/x.html", "venv/x.html"):
        site.template(name, WRONG)
    site.write("templates/venv/pyvenv.cfg")
    site.template("logo.png", b"\x89PNG static \xff")
    site.template("latin.html", "{% load static %}{% static '/' %} é!".encode("latin-1"))
    (site.templates / "loop").symlink_to(site.templates)
    (site.templates / "dangling.html").symlink_to("nowhere")
    (finding,) = site.check()
    assert (finding.id[-4:], finding.subject) == ("I017", "latin.html")
    assert "is not utf-8: invalid continuation byte at byte 34" in finding.message
    latin = engine(DIRS=[site.templates], OPTIONS={"file_charset": "latin-1"})
    assert site.check(TEMPLATES=[latin]) == []


def test_lines_are_counted_as_django_counts_them(site: Site) -> None:
    site.template("dos.html", load("\r\n\r\n{% static 'shop/x' %}").encode())
    (finding,) = site.check()
    assert str(finding.place).endswith("dos.html:3:11")


# --- names that are not known, URLs that are written out -------------------------------------------------------


def test_names_that_are_not_known_are_one_remark_for_each_template(site: Site) -> None:
    site.template("a.html", load("{% static a %}\n{% static 'shop/logo.png' %}\n{% static c %}{% static d %}"))
    site.template("b.html", load("{% static b %}"))
    for name in ("c.html", "d.html"):
        site.template(name, load("{% static a %}{% static b %}"), "site-packages/templates")
    found = site.check(TEMPLATES=[engine(DIRS=[site.templates, site.path / "site-packages/templates"])])
    assert short(found) == ["I060"] * 3
    assert found[0].message.startswith("3 names of static files in the template a.html")
    assert found[0].message.endswith("(lines 1, 3).")
    assert found[1].message.endswith("(line 1).")
    assert found[2].message.startswith("4 names of static files in 2 templates of installed packages")


@pytest.mark.parametrize(
    ("text", "expected"),
    [
        ('<link href="/static/a.css">', ["/static/a.css"]),
        ("<img src='/static/a.png' srcset='/static/a.png 1x, /static/b.png 2x'>", ["a.png", "a.png", "b.png"]),
        ("<img src=/static/a.png>", ["a.png"]),
        ("<p style=\"background: url(/static/a.png) url( '/static/b.png' )\">", ["a.png", "b.png"]),
        ('<script>import "/static/a.js"; go("/static/a.js?v=1#x");</script>', ["a.js", "a.js"]),
        ('<img src="/static/{{ theme }}/a.png">', [None]),
        ('<img src="/static/{% if x %}a{% endif %}.png">', [None]),
        ('<a href="/static/">, "/static/shop" "/static/shop/" if (path == "/static/")', []),
        ("see /static/a.png, /static/b.png", []),
        ('<!-- <img src="/static/a.png"> -->{# "/static/a.png" #}{% if x == "/static/a.png" %}', []),
        ('<img src="https://x/static/a.png"><img src="/other/static/a.png">', []),
        ("{% comment %}'/static/a.png'{% endcomment %}{{ '/static/a.png' }}", []),
        ("{% verbatim %}<img src='/static/a.png'>{% endverbatim %}", ["a.png"]),
    ],
)
def test_urls_that_are_written_out_are_found(text: str, expected: list[str | None]) -> None:
    code = DjangoLanguage(Engine()).uses(text)[1]
    found = list(written_out(["/static/"])(text, code))
    assert [each.name for each in found] == [each and each.removeprefix("/static/") for each in expected]


@pytest.mark.parametrize(
    ("url", "text", "expected"),
    [
        ("static/", "'/static/shop/logo.png'", ["W060"]),
        ("/assets/v1/", "'/assets/v1/shop/logo.png' '/static/shop/logo.png'", ["W060"]),
        ("https://cdn.example/static/", "'https://cdn.example/static/a.png' '/static/a.png'", ["W060", "W060"]),
        ("https://cdn.example/", "'https://cdn.example/a.png' '/a.png'", ["W060"]),
        ("/", "'/about.html' 'static'", []),
    ],
)
def test_a_url_is_below_the_static_url_that_is_set(site: Site, url: str, text: str, expected: list[str]) -> None:
    site.template("a.html", text)
    assert short(site.check(STATIC_URL=url, MEDIA_URL="/media/")) == expected


def test_what_to_write_for_a_url_that_is_written_out(site: Site) -> None:
    site.template("a.html", "<a href='/static/shop/logo.png'><a href='/static/shop/x.png'><a href='/static/{{ x }}'>")
    first, second, third = site.check()
    assert "it has no hash" in first.message
    assert str(first.place).endswith("a.html:1:10")
    assert first.hint == 'Write {% static "shop/logo.png" %}.'
    assert "there is no such file either" in second.message
    assert third.hint == "Use {% static %}."
    plain = site.check(STORAGES=storage("django.contrib.staticfiles.storage.StaticFilesStorage"))
    assert "hash" not in plain[0].message


# --- Media -----------------------------------------------------------------------------------------------------


def test_media_of_classes_that_are_right_are_no_finding(site: Site) -> None:
    assert site.check(check_media) == []


def test_media_of_forms_and_widgets_are_looked_at(site: Site) -> None:
    class Base(forms.TextInput):
        class Media:
            css = {"all": ["shop/site.css", "shop/missing.css"]}

    class Derived(Base):
        pass

    class Form(forms.Form):
        class Media:
            js = ["shop/logo.png", "https://x.example/y.js", "/static/z.js", mark_safe("<script src='a.js'>")]
            css = {"print": ["shop/Site.css"]}

    class Fails(forms.Form):
        class Media:
            js = 5

    try:
        found = site.check(check_media)
        assert sorted(short(found)) == ["E011", "E011", "I017"]
        by_id = {(each.id[-4:], each.subject.rpartition(".")[2]): each for each in found}
        missing = by_id["E011", "Base"]
        assert "names 'shop/missing.css': no finder has it" in missing.message
        assert missing.place is not None
        line = Path(__file__).read_text().splitlines()[(missing.place.line or 0) - 1]
        assert "shop/missing.css" in line
        assert "differs from it by case" in by_id["E011", "Form"].message
        assert "TypeError" in by_id["I017", "Fails"].message
    finally:
        # Classes are looked for among all that exist: leave none for the other tests.
        for cls in (Base, Derived, Form, Fails):
            cls.Media = None  # type: ignore[attr-defined]


def test_media_that_only_the_admins_instances_tell_are_looked_at(site: Site) -> None:
    class Widget(forms.TextInput):
        @property
        def media(self) -> forms.Media:
            return forms.Media(js=["shop/of-widget.js"])

    class Refusing(forms.TextInput):
        def __init__(self) -> None:
            raise ZeroDivisionError

    class OfField(forms.TextInput):
        @property
        def media(self) -> forms.Media:
            return forms.Media(js=["shop/of-field.js"])

    class OfInlinesField(forms.TextInput):
        @property
        def media(self) -> forms.Media:
            return forms.Media(js=["shop/of-inlines-field.js"])

    class Form(forms.ModelForm):
        note = forms.CharField(widget=OfField)

    class InlineForm(forms.ModelForm):
        note = forms.CharField(widget=OfInlinesField)

    class Inline(admin.TabularInline):
        model = Group.permissions.through
        form = InlineForm

        @property
        def media(self) -> forms.Media:
            return forms.Media(js=["shop/of-inline.js"])

    class GroupAdmin(admin.ModelAdmin):
        form = Form
        inlines = [Inline]
        formfield_overrides = {
            Group._meta.get_field("name").__class__: {"widget": Widget},
            object: {"widget": Refusing},
        }

        @property
        def media(self) -> forms.Media:
            return super().media + forms.Media(js=["shop/of-admin.js", "shop/logo.png"])

    class FailingAdmin(admin.ModelAdmin):
        inlines = [None]

        @property
        def media(self) -> forms.Media:
            raise ZeroDivisionError("of course")

    own = admin.AdminSite("own")
    own.register(Group, GroupAdmin)
    failing = admin.AdminSite("failing")
    failing.register(Group, FailingAdmin)
    found = site.check(check_media)
    names = {each.message.split("'")[1] for each in found if each.id == "asyncstatic.E011"}
    of_fields = {"shop/of-field.js", "shop/of-inlines-field.js"}
    assert names == {"shop/of-widget.js", "shop/of-inline.js", "shop/of-admin.js", *of_fields}
    (failed,) = (each for each in found if each.id == "asyncstatic.I017")
    assert "FailingAdmin cannot be had: ZeroDivisionError: of course" in failed.message
    del own, failing  # the admin knows its sites by weak references
    import gc

    gc.collect()


def test_media_of_a_package_are_looked_at_where_it_is_an_app(site: Site, monkeypatch: pytest.MonkeyPatch) -> None:
    """A package may hold apps that one need not install, and their files are not collected then."""
    site.write("site-packages/packaged/__init__.py", "site-packages/packaged/sub/__init__.py")
    site.write("site-packages/packaged/sub/static/sub/there.js")
    names = "'sub/there.js', 'sub/wrong.js', 'shop/logo.png'"
    text = f"from django import forms\nclass Form(forms.Form):\n    class Media:\n        js = [{names}]\n"
    site.write("site-packages/packaged/sub/forms.py", text=text)
    monkeypatch.syspath_prepend(site.path / "site-packages")
    form = import_module("packaged.sub.forms").Form
    try:
        assert site.check(check_media) == []
        apps = [*settings.INSTALLED_APPS, "packaged"]
        (finding,) = site.check(check_media, INSTALLED_APPS=apps)
        assert "names 'sub/wrong.js'" in finding.message
        both = [*apps, "packaged.sub"]
        assert short(site.check(check_media, INSTALLED_APPS=both)) == ["E011"]
    finally:
        form.Media = None


def test_media_that_only_the_last_collect_had_are_a_remark(site: Site) -> None:
    class Form(forms.Form):
        class Media:
            js = ["shop/logo.png"]

    try:
        site.collect()
        (site.statics / "shop/logo.png").unlink()
        assert short(site.check(check_media)) == ["I016"]
    finally:
        Form.Media = None  # type: ignore[assignment, misc]


FORMS = "from django import forms\n\nclass Order(forms.Form):\n    class Media:\n        js = ['shop/order.js']\n"
VIEWS = "from .forms import Order\n\ndef order(request):\n    raise AssertionError('no view is called')\n"
URLS = "from django.urls import path\nfrom shop.views import order\n\nurlpatterns = [path('', order)]\n"


@pytest.mark.parametrize(
    ("urls", "has_file", "expected"),
    [
        (URLS, False, [("E011", "shop/forms.py", 5)]),
        (URLS, True, []),
        ("urlpatterns = []\n", False, []),
        ("raise SystemExit(3)\n", False, []),
    ],
    ids=["missing", "there", "not-used", "no-urlconf"],
)
def test_media_of_forms_that_only_views_import_are_looked_at(
    tmp_path: Path, urls: str, has_file: bool, expected: list[tuple[str, str, int]]
) -> None:
    """As a worker has them when it begins to serve: by way of the URLconf, which no command imports by itself."""
    project = StartedProject(tmp_path)
    project.append('INSTALLED_APPS += ["shop"]\n')
    files = {"shop/__init__.py": "", "shop/forms.py": FORMS, "shop/views.py": VIEWS, "mysite/urls.py": urls}
    for name, text in {**files, "shop/static/shop/order.js" if has_file else "shop/static/shop/other.js": ""}.items():
        (tmp_path / name).parent.mkdir(parents=True, exist_ok=True)
        (tmp_path / name).write_text(text)
    found = project.findings("--tag", "references")
    assert [(each["id"], each["place"]["file"], each["place"]["line"]) for each in found] == expected


def test_a_class_without_source_has_no_place() -> None:
    assert place_of(type("Made", (), {})) is None


# --- style sheets and scripts ----------------------------------------------------------------------------------


def test_references_that_lead_nowhere_are_found(site: Site) -> None:
    site.write("statics/a.css", text="p { background: url(shop/logo.png) }\n i { background: url(shop/lgo.png) }")
    site.write("statics/b.js", text="go()\n//# sourceMappingURL=b.js.map")
    site.write("statics/c.css", text=b"/* \xff */")
    found = {each.subject: each for each in site.check(check_sources)}
    assert {name: each.id[-4:] for name, each in found.items()} == {"a.css": "E012", "b.js": "W015", "c.css": "E012"}
    assert found["a.css"].message == "a.css refers to 'shop/lgo.png': there is no file 'shop/lgo.png'."
    assert found["a.css"].hint.startswith("Did you mean 'shop/logo.png'? collectstatic stops here.")
    assert str(found["a.css"].place) == f"{site.statics}/a.css:2:18"
    assert str(found["c.css"].place) == f"{site.statics}/c.css:1"
    ignoring = storage(ignore_errors=["a.css:shop/*", "c.css", "b.js"])
    assert site.check(check_sources, STORAGES=ignoring) == []
    assert site.check(check_sources, STORAGES=ignoring, STATIC_ROOT=None) == []
    plain = site.check(check_sources, STORAGES=storage("django.contrib.staticfiles.storage.StaticFilesStorage"))
    assert sorted(short(plain)) == ["I017", "W015", "W015"]


@pytest.mark.parametrize(
    ("name", "text", "hint"),
    [
        ("a.css", "p { background: url(shop/logo.png) }", None),
        ("a.css", "\np { background: url(shop/Logo.png) }", "Did you mean 'shop/logo.png'?"),
        ("a.css", "\n@import 'shop/Site.css';", "Did you mean 'shop/site.css'?"),
        (
            "a.css",
            "/* url(shop/no.png) */ a { background: url(data:image/png;base64,x) url(https://x.example/y) }",
            None,
        ),
        ("a.js", "import { b } from './shop/b.js'", None),
        ("a.js", "\nimport { b } from './shop/c.js'", "Did you mean 'shop/b.js'?"),
        ("a.js", "\nexport * from './shop/B.js'", "Did you mean 'shop/b.js'?"),
        ("a.js", "\nawait import('./shop/c.js')", "Did you mean 'shop/b.js'?"),
        ("a.js", "// import './shop/c.js'\nconst text = 'import x from \"./shop/c.js\"'; import 'lit'", None),
    ],
)
def test_a_reference_is_found_at_its_line_and_what_only_looks_like_one_is_not(
    site: Site, name: str, text: str, hint: str | None
) -> None:
    site.write("statics/shop/b.js", text="export let b = 1")
    site.write(f"statics/{name}", text=text)
    found = site.check(check_sources, STORAGES=storage(support_js_module_import_aggregation=True))
    assert short(found) == ["E012"] * (hint is not None)
    for each in found:
        assert each.hint.startswith(f"{hint} collectstatic stops here.")
        assert str(each.place).startswith(f"{site.statics}/{name}:2:")


def test_a_source_that_cannot_be_read_is_told(site: Site) -> None:
    site.write("statics/a.css", text="p { background: url(shop/logo.png) }")
    project = Project()
    with override_settings(**site.settings):
        _ = project.found
        (site.statics / "a.css").unlink()
        (finding,) = check_sources(project)
    assert (finding.id[-4:], "No such file" in finding.message) == ("I017", True)


def test_references_of_what_has_not_changed_are_not_read_again(site: Site, monkeypatch: pytest.MonkeyPatch) -> None:
    site.write("statics/a.css", text="p { background: url(shop/logo.png) }")
    site.write("statics/b.css", text="p { background: url(shop/logo.png) }")
    sleep(2 * YOUNG / 1e9)  # what changed a moment ago is not relied on
    site.collect()
    (site.statics / "shop/logo.png").unlink()
    site.write("statics/b.css", text="p { background: url(shop/other.png) }")
    read: list[str] = []
    plainly = Source.read
    monkeypatch.setattr(Source, "read", lambda self: (read.append(self.name), plainly(self))[1])
    found = {each.subject: each.message for each in site.check(check_sources)}
    assert "shop/logo.png" in found["a.css"]
    assert "shop/other.png" in found["b.css"]
    assert {"a.css", "b.css"} & set(read) == {"b.css"}
    read.clear()
    with override_settings(**site.settings):
        list(check_sources(Project(deep=True)))
    assert {"a.css", "b.css"} <= set(read)


def test_modules_without_a_parser_are_told(site: Site, monkeypatch: pytest.MonkeyPatch) -> None:
    site.write("statics/a.js", text="import './b.js'")
    modules = storage(support_js_module_import_aggregation=True)
    assert short(site.check(check_sources, STORAGES=modules)) == ["E012"]
    monkeypatch.setitem(sys.modules, "tree_sitter", None)
    (finding,) = site.check(check_sources, STORAGES=modules)
    assert (finding.id[-4:], "django-asyncstatic[js]" in finding.message) == ("I017", True)


# --- the family ------------------------------------------------------------------------------------------------


@pytest.mark.usefixtures("static_root")
def test_a_right_project_has_no_finding() -> None:
    """The admin, two other packages, and the files of these tests."""
    assert run_checks(["references"]) == []
