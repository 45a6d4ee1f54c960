"""The four recipes of CONTRIBUTING.rst: their lines, applied to a copy of the package, do what they say."""

from __future__ import annotations

import os
import shutil
from pathlib import Path

import pytest

from tests import cases, edges, servers
from tests.edges import EDGES
from tests.pages import REPOSITORY, Page, write
from tests.programs import output_of
from tests.servers import Server, raw_request, running
from tests.verify import verify_case

CONTRIBUTING = REPOSITORY / "CONTRIBUTING.rst"

#: A project with the files of ``tests/static``, collected with the changed package.
PROJECT = """
import sys
from django.conf import settings
settings.configure(
    ALLOWED_HOSTS=["*"],
    INSTALLED_APPS=["django_asyncstatic", "django.contrib.staticfiles"],
    MIDDLEWARE=["django_asyncstatic.middleware.AsyncStaticMiddleware"],
    ROOT_URLCONF="project",
    SECRET_KEY="for a test only",
    STATIC_ROOT="root",
    STATIC_URL="static/",
    STATICFILES_DIRS=[sys.argv[1]],
    STORAGES={"staticfiles": {"BACKEND": "django_asyncstatic.storage.CompressedManifestStaticFilesStorage"}},
)
import django
django.setup()
from django.core.management import call_command
urlpatterns = []
call_command("collectstatic", interactive=False, verbosity=0)
"""

ASK = """
from pathlib import Path
from tests import cases
from tests.cases import Case
from tests.edges import EDGES
from tests.verify import verify_case
import django_asyncstatic
assert Path(django_asyncstatic.__file__).is_relative_to(Path.cwd()), "the copy"
sys.modules["project"] = sys.modules["__main__"]
for row in sys.argv[2:]:
    for ask in EDGES.values():
        verify_case(eval(row), Path("root"), ask)
"""


def recipe(name: str, copy: Path) -> list[str]:
    """Apply the lines of a recipe to the copy; what it says to add to the tests."""
    rows = []
    for step in Page(CONTRIBUTING, section=name).blocks():
        if step.file.startswith("django_asyncstatic/"):
            path = copy / step.file
            path.touch()  # a recipe may add a file
            write(step, copy)
        else:
            assert step.file.startswith("tests/")
            rows.append(step.text)
    return rows


def run(copy: Path, program: str, *arguments: str) -> str:
    return output_of(program, *arguments, directory=copy, PYTHONPATH=f"{copy}{os.pathsep}{REPOSITORY}")


@pytest.fixture
def copy(tmp_path: Path) -> Path:
    shutil.copytree(
        REPOSITORY / "django_asyncstatic",
        tmp_path / "django_asyncstatic",
        ignore=shutil.ignore_patterns("__pycache__"),
    )
    return tmp_path


#: What a coding is asked besides.
DIAGNOSED = """
from django_asyncstatic.codings import CODINGS
from django_asyncstatic.diagnosing.decoding import DECODERS, decode
from django_asyncstatic.diagnosing.findings import run_checks
assert DECODERS.keys() == CODINGS.keys()
coded = CODINGS["deflate"].encode(b"a" * 1000, 9)
assert decode(coded, "deflate", 1000) == b"a" * 1000
assert run_checks(["drift"], deep=True) == []
"""


def test_the_lines_for_a_coding_and_a_header_pass_the_rows_that_they_add(copy: Path, static_root: Path) -> None:
    rows = [*recipe("A coding", copy), *recipe("A header", copy)]
    assert len(rows) == 2
    run(copy, PROJECT + ASK + DIAGNOSED, str(REPOSITORY / "tests/static"), *rows)
    for row in rows:
        with pytest.raises(AssertionError):  # which the package does not pass as it is
            verify_case(eval(row, vars(cases)), static_root, EDGES["plan"])


def test_a_diagnostic_that_follows_the_recipe_finds_its_fault_and_no_other(copy: Path) -> None:
    recipe("A diagnostic", copy)
    static = copy / "static"
    static.mkdir()
    for name in ("old.ttf", "new.ttf", "new.woff2", "site.css"):
        (static / name).write_text(name)
    probe = """
from django_asyncstatic.diagnosing.findings import all_rules, run_checks
print(all_rules()["asyncstatic.I090"].title)
print([finding.subject for finding in run_checks(["files"]) if finding.id == "asyncstatic.I090"])
"""
    assert run(copy, PROJECT + probe, str(static)).splitlines() == [
        "fonts in a format larger than need be",
        "['old.ttf']",
    ]


def test_the_number_of_the_example_is_free() -> None:
    from django_asyncstatic.diagnosing.findings import all_rules

    assert not [rule for rule in all_rules() if rule.endswith("090")]


@pytest.mark.filterwarnings("default")
def test_a_server_that_is_a_row_serves(server_environment: dict[str, str]) -> None:
    (row,) = [step.text for step in Page(CONTRIBUTING, section="A server").blocks() if step.file == "tests/servers.py"]
    server: Server = eval(row, vars(servers))
    with running(server, "tests.asgi:wrapper", server_environment) as site:
        response = raw_request(site.url, "GET", "/static/site/digits.txt", [("range", "bytes=0-0")])
        assert (response.status, response.body) == (206, b"0")
    assert site.problems() == []


def test_a_protocol_that_follows_the_recipe_passes_the_table(
    copy: Path, collected: Path, server_environment: dict[str, str]
) -> None:
    recipe("A server", copy)
    (copy / "served.py").write_text(
        "import django\ndjango.setup()\nfrom django_asyncstatic.rsgi import StaticRSGI\napplication = StaticRSGI()\n"
    )
    arguments = "granian {application} --host 127.0.0.1 --port {port} --workers 1 --no-ws --interface rsgi"
    server = Server("granian-rsgi", "granian", "rsgi", f"{arguments} --log-level warning")
    environment = {**server_environment, "PYTHONPATH": f"{copy}{os.pathsep}{REPOSITORY}"}
    with running(server, "served:application", environment, copy) as site:

        def ask(method: str, path: str, fields: list[tuple[str, str]]) -> edges.Response:
            response = raw_request(site.url, method, path, fields)
            return edges.Response(response.status, dict(response.headers), response.body)

        for case in cases.CASES:
            verify_case(case, collected, ask)
    assert site.problems() == []
