"""The walk through STATIC_ROOT by a program of its own, beside the other checks."""

from __future__ import annotations

import os
import signal
import sys
from pathlib import Path
from typing import Any

import pytest

from django_asyncstatic.diagnosing import beside, listing, walking
from django_asyncstatic.diagnosing.beside import Walk
from django_asyncstatic.diagnosing.findings import Finding
from django_asyncstatic.diagnosing.project import Project
from tests.projects import SmallProject

needs_programs = pytest.mark.skipif(
    not hasattr(os, "sched_getaffinity") or len(os.sched_getaffinity(0)) < 2, reason="a second processor"
)


@pytest.fixture
def here(monkeypatch: pytest.MonkeyPatch) -> list[str]:
    """The roots of walks that this process makes."""
    walks = []
    walk = walking.walk

    def walking_here(root: str, *arguments: Any) -> walking.Walked:
        walks.append(root)
        return walk(root, *arguments)

    monkeypatch.setattr(walking, "walk", walking_here)
    return walks


def descriptors() -> list[str]:
    return sorted(os.listdir("/proc/self/fd")) if os.path.isdir("/proc/self/fd") else []


def assert_gone(program: int) -> None:
    with pytest.raises(ChildProcessError):
        os.waitpid(program, 0)


@pytest.fixture
def tree(tmp_path: Path) -> Path:
    for name in ("a.css", "folder/b.js", "folder/é ü.txt", os.fsdecode(b"latin\xe9")):
        (tmp_path / name).parent.mkdir(exist_ok=True)
        (tmp_path / name).write_text(name, errors="surrogateescape")
    (tmp_path / "a.css").chmod(0o600)
    (tmp_path / "link").symlink_to("nowhere")
    os.utime(tmp_path / "folder/b.js", (4e9, 4e9))
    return tmp_path


@needs_programs
def test_the_program_finds_what_the_function_finds(tree: Path, here: list[str]) -> None:
    expected = walking.walk(str(tree), 5)
    here.clear()
    before = descriptors()
    walk = Walk(str(tree), 5)
    program = walk._process
    sizes, recent, future, modes, folders, errors = found = walk.result(5)
    assert here == []
    assert found == expected
    assert descriptors() == before
    assert_gone(program)
    assert sizes.keys() == {"a.css", "folder/b.js", "folder/é ü.txt", "latin\udce9", "link"}
    assert sorted(recent) == sorted(sizes)
    assert future == ["folder/b.js"]
    assert sorted(name for names in modes.values() for name in names) == ["a.css", "link"]
    assert folders.keys() == {"", "folder"}
    assert errors == {}


@needs_programs
def test_what_was_written_since_another_time_is_looked_for_here(tree: Path, here: list[str]) -> None:
    walk = Walk(str(tree), 5)
    program = walk._process
    assert walk.result(2 * 10**18)[1] == ["folder/b.js"]
    assert here == [str(tree)]
    walk.end()
    assert_gone(program)


@needs_programs
@pytest.mark.parametrize(
    ("name", "value"),
    [
        ("_processors", lambda: 1),
        ("_is_python", lambda program: False),
        ("sys", None),  # a program that fails at once
    ],
    ids=["processor", "executable", "fails"],
)
def test_where_no_program_helps_the_walk_is_made_here(
    tree: Path, here: list[str], monkeypatch: pytest.MonkeyPatch, name: str, value: Any
) -> None:
    if name == "sys":
        monkeypatch.setattr(sys, "getfilesystemencoding", lambda: "another")
    else:
        monkeypatch.setattr(beside, name, value)
    before = descriptors()
    walk = Walk(str(tree), 5)
    assert walk.result(5)[0].keys() >= {"a.css", "link"}
    assert here == [str(tree)]
    assert descriptors() == before


@needs_programs
def test_a_program_that_cannot_be_started_is_none(tree: Path, here: list[str], monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(sys, "executable", str(tree / "python"))
    before = descriptors()
    walk = Walk(str(tree), 5)
    walk.result(5)
    walk.end()
    assert here == [str(tree)]
    assert descriptors() == before


@needs_programs
def test_a_program_that_is_killed_is_none(tree: Path, here: list[str]) -> None:
    walk = Walk(str(tree), 5)
    os.kill(walk._process, signal.SIGKILL)
    walk.result(5)
    assert here == [str(tree)]


@needs_programs
def test_where_nobody_waits_for_children_the_walk_is_made_here(tree: Path, here: list[str]) -> None:
    before = signal.signal(signal.SIGCHLD, signal.SIG_IGN)
    try:
        walk = Walk(str(tree), 5)
        walk.result(5)
        assert here == [str(tree)]
        walk = Walk(str(tree), 5)
        walk.end()
    finally:
        signal.signal(signal.SIGCHLD, before)


@pytest.mark.parametrize(
    ("program", "expected"),
    [
        ("/usr/bin/python3.13", True),
        ("/opt/pypy/bin/pypy3", True),
        ("/usr/bin/uwsgi", False),
        ("", False),
        (None, False),
    ],
)
def test_only_python_takes_the_options_of_python(program: str | None, expected: bool) -> None:
    assert beside._is_python(program) is (expected and hasattr(os, "posix_spawn"))


def test_a_root_that_is_gone_is_told_when_it_is_asked_for(tmp_path: Path) -> None:
    walk = Walk(str(tmp_path / "gone"), 5)
    with pytest.raises(FileNotFoundError):
        walk.result(5)


@needs_programs
@pytest.mark.parametrize("state", ["whole", "gone", "of another collect"])
def test_the_findings_are_those_of_a_walk_that_is_made_here(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, here: list[str], state: str
) -> None:
    project = SmallProject(tmp_path)
    project.write({f"{number}.js": f"let a = {number}" for number in range(20)})
    project.collect()
    project.write({"0.js": "changed", "stray.js": "", ".env": "A=b", "deep/er/x.txt": ""}, below=project.root)
    next(project.root.glob("1.*.js")).unlink()
    (project.root / "2.js").chmod(0o600)
    (project.root / "out").symlink_to("/")
    remembered = project.root / ".asyncstatic/state.jsonl"
    if state == "gone":
        remembered.unlink()
    elif state == "of another collect":
        remembered.write_bytes(remembered.read_bytes().replace(b'"written": ["', b'"written": ["x'))

    def find() -> list[Finding]:
        here.clear()
        return [finding for tag in ("drift", "files", "leaks") for finding in project.findings(tag)]

    expected = find()
    assert set(here) == {str(project.root)}
    monkeypatch.setattr(listing, "LARGE", 1)
    before = descriptors()
    assert find() == expected
    assert set(here) == ({str(project.root)} if state == "gone" else set())
    assert descriptors() == before
    ids = {finding.id.rpartition(".")[2] for finding in expected}
    assert ids >= ({"E002", "W038", "W039", "W045", "E034"} | ({"W007"} if state == "whole" else set()))


@needs_programs
def test_nothing_stays_of_a_walk_that_nobody_asks_for(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    project = SmallProject(tmp_path)
    project.write({"a.js": ""})
    project.collect()
    monkeypatch.setattr(listing, "LARGE", 1)
    ended = []
    end = Project.end

    def ending(looked_at: Project) -> None:
        ended.append(looked_at._walk._process if looked_at._walk is not None else 0)
        end(looked_at)

    monkeypatch.setattr(Project, "end", ending)
    (project.root / "asyncstatic.index").write_bytes(b"damaged" * 9)
    before = descriptors()
    assert project.ids("drift")[0] == "E001"
    assert descriptors() == before
    (program,) = ended
    assert program > 0
    assert_gone(program)
