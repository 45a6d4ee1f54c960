"""The recipes of docs/deploying.rst, their commands word for word, in a project that ``startproject`` made."""

from __future__ import annotations

import os
import re
import shutil
import subprocess
import sys
from pathlib import Path

import pytest

from django_asyncstatic.index import INDEX_NAME, StaticIndex

PAGE = (Path(__file__).parents[1] / "docs/deploying.rst").read_text()

SETTINGS = """
INSTALLED_APPS.insert(0, "django_asyncstatic")
MIDDLEWARE.insert(1, "django_asyncstatic.middleware.AsyncStaticMiddleware")
STATIC_ROOT = BASE_DIR / "static"
STATICFILES_DIRS = [BASE_DIR / "assets"]
STORAGES = {
    "staticfiles": {
        "BACKEND": "django_asyncstatic.storage.CompressedManifestStaticFilesStorage",
        "OPTIONS": {"levels": {"gzip": 1, "br": 1, "zstd": 1}, **OPTIONS},
    },
}
"""


def make_project(folder: Path, options: str = "{}") -> None:
    folder.mkdir()
    run(f"{sys.executable} -m django startproject shop {folder}", folder)
    settings = folder / "shop/settings.py"
    settings.write_text(f"{settings.read_text()}\nOPTIONS = {options}\n{SETTINGS}")
    (folder / "assets").mkdir()
    (folder / "assets/site.css").write_text("a { order: 1 }\n" * 50)


def run(command: str, folder: Path) -> str:
    """What a shell makes of it, with the tests' Python first on its PATH."""
    done = subprocess.run(
        ["bash", "-ec", command],
        cwd=folder,
        env={
            **{name: value for name, value in os.environ.items() if name != "DJANGO_SETTINGS_MODULE"},
            "PATH": f"{Path(sys.executable).parent}{os.pathsep}{os.environ['PATH']}",
            "PYTHONPATH": str(Path(__file__).parents[1]),
        },
        capture_output=True,
        text=True,
        timeout=100,
        check=False,
    )
    assert done.returncode == 0, f"{command}\n{done.stdout}{done.stderr}"
    return done.stdout


def section(title: str) -> str:
    """The text below a heading."""
    found = re.search(rf"^{re.escape(title)}\n-+\n(.*?)(?=^\S[^\n]*\n-{{4,}}$|^\.\. _|\Z)", PAGE, re.M | re.S)
    assert found, title
    return found[1]


def test_github_actions(tmp_path: Path) -> None:
    text = section("GitHub Actions")
    (option,) = re.findall(r'``("cache_dir": BASE_DIR / "\.static-cache")``', text)
    commands = re.findall(r"- run: (.*)", text)
    assert commands == ["python manage.py collectstatic --noinput", "python manage.py checkstatic --tag drift"]
    first, second = tmp_path / "first", tmp_path / "second"
    outputs = []
    for folder in (first, second):
        make_project(folder, f"{{{option}}}")
        if folder is second:
            shutil.copytree(first / ".static-cache", second / ".static-cache")  # what actions/cache does
        outputs += [run(command, folder) for command in commands[:1]]
        run(commands[1], folder)
    for output, reused in zip(outputs, (False, True), strict=True):
        (row,) = [line.split() for line in output.splitlines() if line.strip().startswith("br")]
        assert (row[-2] == "0") is reused


def test_dockerfile(tmp_path: Path) -> None:
    text = section("Dockerfile")
    (command,) = re.findall(r"^ +(python manage\.py collectstatic .*)$", text, re.M)
    assert "RUN --mount=from=previous,target=/previous" in text
    first, second = tmp_path / "first", tmp_path / "second"
    for folder, previous in ((first, tmp_path / "nothing"), (second, tmp_path / "image")):
        make_project(folder)
        (folder / "assets/site.css").write_text(f"/* {folder.name} */\n" * 50)
        run(command.replace("/previous", str(previous)), folder)
        if folder is first:
            (tmp_path / "image/app").mkdir(parents=True)
            (folder / "static").rename(tmp_path / "image/app/static")
    index = StaticIndex.load(second / "static" / INDEX_NAME)
    assert len(index.header["releases"]) == 2
    assert sum(re.fullmatch(r"site\.[0-9a-f]{12}\.css", path) is not None for path in index) == 2


@pytest.mark.parametrize("collects", [1, 5])
def test_a_plain_server(tmp_path: Path, collects: int) -> None:
    commands = re.findall(r"\$ (.*)", section("A plain server"))
    assert commands[0].endswith(" && systemctl reload gunicorn")
    folder = tmp_path / "shop"
    make_project(folder, '{"keep_age": 0}')
    for number in range(collects):
        (folder / "assets/site.css").write_text(f"/* {number} */\n" * 50)
        run(commands[0].replace("systemctl reload gunicorn", "true"), folder)
    run(commands[1], folder)
    index = StaticIndex.load(folder / "static" / INDEX_NAME)
    assert len(index.header["releases"]) == min(collects, 3)
