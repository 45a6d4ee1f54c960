"""The quick start of the docs and that of the README, word for word, from an empty directory to a page on uvicorn.

``venv`` and ``pip install`` are only looked at: the package under test is there, and uvicorn too.
"""

from __future__ import annotations

import ast
import re
from pathlib import Path

import pytest

from tests.following import Follower, assets
from tests.pages import DOCS, REPOSITORY, Block, Command, Page, write

INSTALL = re.compile(r"(python -m venv venv && \. venv/bin/activate|pip install (django-asyncstatic|uvicorn| )+)")


def see_an_immutable_page(follower: Follower, *, codings: tuple[str, ...]) -> None:
    """The login page of the admin is there, and all that it names is hashed, compressed and immutable."""
    assert follower.server is not None
    found = assets(follower.server.url, "/admin/login/")
    assert len(found) > 5
    for url in found:
        assert re.search(r"\.[0-9a-f]{12}\.(css|js)$", url), url
        for coding in codings:
            response = follower.get(url, ("accept-encoding", coding))
            assert response.status == 200
            assert response.get("content-encoding") == coding
            assert response.get("cache-control") == "max-age=315360000, public, immutable"
            assert response.get("vary") == "accept-encoding"


@pytest.mark.timeout(120)
def test_the_quick_start_of_the_docs_leads_to_an_immutable_page(tmp_path: Path) -> None:
    page = Page(DOCS / "quickstart.rst")
    with Follower(tmp_path, skipped=INSTALL) as follower:
        follower.follow(page)
        see_an_immutable_page(follower, codings=("gzip", "br", "zstd"))
    assert follower.problems() == []


def test_the_quick_start_of_the_readme_makes_the_same_project(tmp_path: Path) -> None:
    """So what the one leads to the other leads to: the same files, but for two lines, and the same commands."""
    pages = [Page(DOCS / "quickstart.rst"), Page(REPOSITORY / "README.rst", until="What you get")]
    projects = []
    for number, page in enumerate(pages):
        directory = tmp_path / str(number)
        directory.mkdir()
        with Follower(directory) as follower:
            follower.run("django-admin startproject mysite .")
        files = {step.file for step in page.steps() if isinstance(step, Block)}
        assert files == {"mysite/settings.py", "mysite/asgi.py"}
        for step in page.steps():
            if isinstance(step, Block):
                write(step, directory)
        projects.append({name: settled((directory / name).read_text()) for name in sorted(files)})
    assert projects[1] == projects[0]
    commands = [{step.line for step in page.steps() if isinstance(step, Command)} for page in pages]
    assert {"python manage.py collectstatic", "python manage.py checkstatic"} < commands[1]
    assert {line for line in commands[1] if line.startswith("python ")} <= {
        line.removesuffix(" --noinput") for line in commands[0]
    }


def settled(text: str) -> str:
    """Python without its comments, and without what is another one in each project, or in production."""
    lines = ast.unparse(ast.parse(text)).splitlines()
    return "\n".join(line for line in lines if not line.startswith(("SECRET_KEY", "DEBUG", "ALLOWED_HOSTS")))
