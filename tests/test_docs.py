"""The documentation has all that there is, and nothing else; its examples run, and what it names exists.

The reference of settings, options and findings, and the rows of ``http.rst``, are compared in ``test_architecture.py``;
the table of the peers' settings in ``test_check_settings.py``; what pages tell to do is done in ``test_quickstart.py``,
``test_migrating.py``, ``test_recipes.py`` and ``test_user_tests.py``.
"""

from __future__ import annotations

import ast
import doctest
import importlib
import re
from pathlib import Path
from typing import Any

import pytest
from django.core.management import load_command_class
from django.core.management.base import BaseCommand

from tests.cases import CASES
from tests.links import broken
from tests.pages import DOCS, REPOSITORY, Page

PACKAGE = REPOSITORY / "django_asyncstatic"
MODULES = sorted(PACKAGE.rglob("*.py"))
PAGES = sorted([*DOCS.glob("*.rst"), *REPOSITORY.glob("*.rst")])


def dotted(module: Path) -> str:
    parts = module.relative_to(REPOSITORY).with_suffix("").parts
    return ".".join(parts[:-1] if parts[-1] == "__init__" else parts)


# --- commands -------------------------------------------------------------------------------------------------------

COMMANDS = sorted(path.stem for path in PACKAGE.glob("management/commands/*.py") if path.stem != "__init__")


def options(command: BaseCommand) -> set[str]:
    actions = command.create_parser("manage.py", "command")._actions
    return {option for action in actions for option in action.option_strings}


def test_every_command_stands_in_the_reference_and_the_reverse() -> None:
    described = re.findall(r"^``(\w+)``\n-+$", (DOCS / "commands.rst").read_text(), re.M)
    assert sorted(described) == COMMANDS


@pytest.mark.parametrize("name", [name for name in COMMANDS if name != "checkstatic"])
def test_every_option_of_a_command_stands_in_the_reference_and_the_reverse(name: str) -> None:
    """Those of ``checkstatic`` have a page of their own, and a test in ``test_architecture.py``."""
    base: Any = {"collectstatic": "django.contrib.staticfiles", "runserver": "django.contrib.staticfiles"}.get(name)
    theirs = load_command_class(base, name) if base else BaseCommand()
    ours = options(load_command_class("django_asyncstatic", name)) - options(theirs)
    page = Page(DOCS / "commands.rst", section=f"``{name}``")
    terms = " ".join(re.findall(r"^(``-.*``)$", page.text, re.M))
    assert set(re.findall(r"``(-[\w-]+)", terms)) == ours


# --- headers --------------------------------------------------------------------------------------------------------


def sent_headers() -> set[str]:
    """The names of all pairs that serving makes, from its source, where each stands as ``("name", value)``."""
    found = set()
    for module in (PACKAGE / "serving").glob("*.py"):
        for node in ast.walk(ast.parse(module.read_text())):
            if isinstance(node, ast.Tuple) and len(node.elts) == 2 and isinstance(node.elts[0], ast.Constant):
                name = node.elts[0].value
                if isinstance(name, str) and re.fullmatch(r"[a-z]+(-[a-z]+)*", name):
                    found.add(name)
    return found


def test_every_header_stands_in_the_reference_and_the_reverse() -> None:
    page = (DOCS / "headers.rst").read_text()
    described = {
        name.lower() for line in re.findall(r"^(``[A-Z].*``)$", page, re.M) for name in re.findall(r"[A-Z][\w-]+", line)
    }
    assert described == sent_headers()


def test_the_reference_has_every_header_of_the_table_of_cases() -> None:
    page = (DOCS / "headers.rst").read_text().lower()
    named = {name for case in CASES for name, value in case.headers.items() if value is not None}
    assert len(named) > 8
    assert {name for name in named if f"``{name}``" not in page} == set()


# --- Python ---------------------------------------------------------------------------------------------------------


def documented_names() -> set[str]:
    """What is described anywhere in the docs, with its module."""
    text = "\n".join(page.read_text() for page in DOCS.glob("*.rst"))
    directive = r"^\.\. (?:auto(?:class|function)|py:(?:class|function|data)):: (django_asyncstatic\.[\w.]+)"
    return set(re.findall(directive, text, re.M))


def test_every_public_name_is_documented_and_the_reverse() -> None:
    """Public is what a module has in ``__all__``, and what the docs describe."""
    public = {
        f"{dotted(module)}.{name}"
        for module in MODULES
        if re.search(r"^__all__ = ", module.read_text(), re.M)
        for name in importlib.import_module(dotted(module)).__all__
    }
    documented = documented_names()
    assert len(public) > 8
    assert public <= documented
    for name in documented:
        module, _, attribute = name.rpartition(".")
        assert hasattr(importlib.import_module(module), attribute), name
    # One function of diagnosing is for others; the page on checkstatic has it.
    assert documented - public == {"django_asyncstatic.diagnosing.findings.run_checks"}


def test_every_dotted_name_in_the_docs_exists() -> None:
    for page in PAGES:
        for name in re.findall(r"``(django_asyncstatic(?:\.\w+)+)``", page.read_text()):
            try:
                importlib.import_module(name)
            except ModuleNotFoundError:
                module, _, attribute = name.rpartition(".")
                assert hasattr(importlib.import_module(module), attribute), f"{page.name}: {name}"


#: What the recipes of CONTRIBUTING.rst add.
EXAMPLES = {"asyncstatic.I090", "django_asyncstatic/rsgi.py"}


def test_every_setting_and_finding_that_is_named_anywhere_exists() -> None:
    from django_asyncstatic.conf import DEFAULTS
    from django_asyncstatic.diagnosing.findings import all_rules

    # What stops Django's own check has no rule of checkstatic.
    known = {*all_rules(), *re.findall(r"asyncstatic\.E\d{3}", (PACKAGE / "checks.py").read_text())}
    for page in PAGES:
        text = page.read_text()
        assert set(re.findall(r"\bASYNCSTATIC_[A-Z_]*[A-Z]\b", text)) <= set(DEFAULTS), page.name
        findings = {f"asyncstatic.{each}" for each in re.findall(r"\basyncstatic\.([EWI]\d{3})\b", text)}
        assert findings - EXAMPLES <= known, page.name


def test_every_test_and_file_that_the_docs_name_exists() -> None:
    sources = "\n".join(file.read_text() for file in (REPOSITORY / "tests").glob("*.py"))
    for page in PAGES:
        text = page.read_text()
        tests = set(re.findall(r"``(test_\w+)``", text))
        assert {name for name in tests if f"def {name}(" not in sources} == set(), page.name
        files = set(re.findall(r"``((?:tests|benchmarks|django_asyncstatic)/[\w./-]*|docs/[\w-]+\.rst)``", text))
        assert {name for name in files - EXAMPLES if not (REPOSITORY / name).exists()} == set(), page.name


def test_every_page_is_in_the_table_of_contents() -> None:
    listed = re.findall(r"^   ([\w-]+)$", (DOCS / "index.rst").read_text(), re.M)
    assert sorted(listed) == sorted(page.stem for page in DOCS.glob("*.rst") if page.stem != "index")


# --- examples -------------------------------------------------------------------------------------------------------

WITH_EXAMPLES = [path for path in (*PAGES, *MODULES) if re.search(r"^ *>>> ", path.read_text(), re.M)]


@pytest.mark.parametrize("path", WITH_EXAMPLES, ids=lambda path: path.relative_to(REPOSITORY).as_posix())
def test_examples_print_what_they_say(path: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """They run in a directory with ``dist/site.css``."""
    (tmp_path / "dist").mkdir()
    (tmp_path / "dist/site.css").write_text("a { order: 1 }")
    monkeypatch.chdir(tmp_path)
    if path.suffix == ".py":
        module = importlib.import_module(dotted(path))
        result = doctest.testmod(module, raise_on_error=False)
    else:
        result = doctest.testfile(str(path), module_relative=False)
    assert result.attempted > 0
    assert result.failed == 0


def test_blocks_of_python_compile() -> None:
    for page in PAGES:
        for block in Page(page).blocks():
            if block.language == "python":
                compile(block.text, str(page), "exec", flags=ast.PyCF_ALLOW_TOP_LEVEL_AWAIT)


# --- links ----------------------------------------------------------------------------------------------------------


def test_a_broken_link_of_a_built_page_is_found(tmp_path: Path) -> None:
    """What ``.ci/run checks`` asks of all pages."""
    (tmp_path / "index.html").write_text('<a href="page.html#here">a</a><a href="https://example.org/x">b</a>')
    (tmp_path / "page.html").write_text('<p id="here"><a href="gone.html">c</a><a href="#gone">d</a><img src="x.svg">')
    found = [line for line in broken(tmp_path) if line.startswith(("page.html", "index.html"))]
    assert found == ["page.html: gone.html", "page.html: #gone", "page.html: x.svg"]


# --- the architecture -----------------------------------------------------------------------------------------------


def test_the_architecture_lists_every_module_and_the_reverse() -> None:
    """Those of diagnosing by family only: of them the page names what they share."""
    (listing,) = [block.text for block in Page(DOCS / "architecture.rst", section="The files").blocks()]
    listed, room = set(), ""
    for line in listing.splitlines()[1:]:
        indentation, words = len(line) - len(line.lstrip()), line.split()
        if words[0].endswith("/"):
            room = words[0]
        for word in words if words[0].endswith(".py") else ():
            if word.endswith(".py"):
                listed.add((room if indentation > 4 else "") + word)
    there = {module.relative_to(PACKAGE).as_posix() for module in MODULES}
    assert listed <= there
    assert {
        name
        for name in there - listed
        if not name.startswith(("diagnosing/", "management/")) and not name.endswith("/__init__.py")
    } == set()
