"""The rooms: who may import whom, and what a worker loads. Docs and package say the same as the code."""

from __future__ import annotations

import ast
import re
import tomllib
from pathlib import Path

import pytest

import django_asyncstatic

REPOSITORY = Path(__file__).parents[1]
PACKAGE = REPOSITORY / "django_asyncstatic"
MODULES = sorted(path.relative_to(PACKAGE) for path in PACKAGE.rglob("*.py"))


def imports(module: Path) -> set[str]:
    """The absolute names a module imports, wherever in it."""
    names: set[str] = set()
    for node in ast.walk(ast.parse((PACKAGE / module).read_text())):
        if isinstance(node, ast.Import):
            names |= {alias.name for alias in node.names}
        elif isinstance(node, ast.ImportFrom):
            assert node.level == 0, "imports are absolute"
            names |= {node.module or "", *(f"{node.module}.{alias.name}" for alias in node.names)}
    return names


def touches(module: Path, *packages: str) -> set[str]:
    return {name for name in imports(module) if any(name == each or name.startswith(each + ".") for each in packages)}


def room(module: Path) -> str:
    return module.parts[0] if len(module.parts) > 1 else "top"


@pytest.mark.parametrize("module", [each for each in MODULES if room(each) == "serving"], ids=str)
def test_serving_knows_neither_django_nor_the_other_rooms(module: Path) -> None:
    assert touches(module, "django") <= {"django.utils.http"} | {
        name for name in imports(module) if name.startswith("django.utils.http.")
    }
    inner = {name for name in touches(module, "django_asyncstatic") if name.count(".") == 1}
    assert inner <= {"django_asyncstatic.serving", "django_asyncstatic.index"}


@pytest.mark.parametrize("module", [each for each in MODULES if room(each) == "collecting"], ids=str)
def test_collecting_knows_neither_serving_nor_diagnosing(module: Path) -> None:
    assert not touches(
        module, "django", "django_asyncstatic.serving", "django_asyncstatic.diagnosing", "django_asyncstatic.conf"
    )


@pytest.mark.parametrize(
    "module", [each for each in MODULES if each.name in ("index.py", "codings.py", "media_types.py")], ids=str
)
def test_what_the_rooms_share_knows_none_of_them(module: Path) -> None:
    assert touches(module, "django_asyncstatic") <= {"django_asyncstatic.codings", "django_asyncstatic.codings.CODINGS"}
    assert not touches(module, "django")


def test_only_one_module_of_serving_opens_files_and_one_reads_what_it_opened() -> None:
    readers = {
        module.name
        for module in MODULES
        if room(module) == "serving" and touches(module, "os", "pathlib", "io", "aiofiles", "shutil")
    }
    assert readers - {"locks.py"} == {"contents.py", "streams.py"}  # os.register_at_fork
    assert "open(" not in (PACKAGE / "serving" / "streams.py").read_text()


def test_settings_are_read_in_one_module() -> None:
    # Diagnosing looks at what a project has set, right or wrong, and so at the settings themselves.
    readers = {str(module) for module in MODULES if touches(module, "django.conf") and room(module) != "diagnosing"}
    assert readers == {"conf.py"}


def test_no_module_has_a_name_that_says_nothing() -> None:
    assert not {module.stem for module in MODULES} & {"utils", "helpers", "base", "common", "core", "manager"}


def test_the_version_is_the_same_everywhere() -> None:
    project = tomllib.loads((REPOSITORY / "pyproject.toml").read_text())["project"]
    assert project["version"] == django_asyncstatic.__version__
    assert django_asyncstatic.__version__ in (REPOSITORY / "CHANGELOG.rst").read_text()


def docs() -> str:
    return "\n".join(file.read_text() for file in (REPOSITORY / "docs").glob("*.rst"))


def test_every_setting_stands_in_the_reference_and_the_reverse() -> None:
    from django_asyncstatic.conf import DEFAULTS

    described = set(re.findall(r"^``?(ASYNCSTATIC_\w+)``?$", (REPOSITORY / "docs/settings.rst").read_text(), re.M))
    assert described == set(DEFAULTS)


def test_every_finding_stands_in_the_reference_and_the_reverse() -> None:
    from django_asyncstatic.diagnosing.findings import all_rules

    raised = {
        found
        for module in MODULES
        if room(module) == "diagnosing" or module.name == "checks.py"
        for found in re.findall(r'"asyncstatic\.([EWI]\d{3})"', (PACKAGE / module).read_text())
    }
    listed = {rule_id.removeprefix("asyncstatic.") for rule_id in all_rules()}
    described = re.findall(r"^``asyncstatic\.([EWI]\d{3})``", (REPOSITORY / "docs/checkstatic.rst").read_text(), re.M)
    assert len(described) == len(set(described))
    assert set(described) == raised | listed


def test_every_option_of_the_storages_stands_in_the_reference_and_the_reverse() -> None:
    from django_asyncstatic.options import MANIFEST_STORAGE

    lines = re.findall(r"^(``\w+``(?:, ``\w+``)*)$", (REPOSITORY / "docs/storage.rst").read_text(), re.M)
    described = {name for line in lines for name in re.findall(r"\w+", line)}
    assert {name for name in described if not name.endswith("Storage")} == set(MANIFEST_STORAGE)


def test_every_option_of_checkstatic_stands_in_the_reference_and_the_reverse() -> None:
    from django.core.management.base import BaseCommand

    from django_asyncstatic.management.commands.checkstatic import Command

    def options(command: BaseCommand) -> set[str]:
        actions = command.create_parser("manage.py", "checkstatic")._actions
        return {option for action in actions for option in action.option_strings}

    ours = options(Command()) - options(BaseCommand())
    page = (REPOSITORY / "docs/checkstatic.rst").read_text()
    _, _, rest = page.partition("\nOptions\n-------\n")
    reference = rest[: rest.index(".. _checkstatic-formats:")]
    described = {
        option for line in re.findall(r"^``--.*``$", reference, re.M) for option in re.findall(r"``(--[a-z-]+)", line)
    }
    assert described == ours


def test_the_rows_and_tests_that_the_page_on_http_names_exist() -> None:
    from tests.cases import CASES

    text = (REPOSITORY / "docs/http.rst").read_text()
    names = {case.name for case in CASES}
    rows = {name for line in re.findall(r"rows? (\".*)", text) for name in re.findall(r'"([^"]+)"', line)}
    assert len(rows) > 20
    assert rows <= names
    sources = "\n".join(file.read_text() for file in (REPOSITORY / "tests").glob("test_*.py"))
    tests = set(re.findall(r"``(test_\w+)``", text))
    assert tests
    assert {name for name in tests if f"def {name}(" not in sources} == set()
