"""Work in a copy of the process, each in a process of its own: here there are threads, so that nothing is copied."""

from __future__ import annotations

import os
import subprocess
import sys
from pathlib import Path

import pytest

from tests.servers import REPOSITORY

needs_copies = pytest.mark.skipif(
    sys.platform != "linux" or len(os.sched_getaffinity(0)) < 2, reason="a second processor, and Linux"
)

IMPORTS = "import os, signal, sys, threading; from django_asyncstatic.diagnosing import beside; "

#: A project with something wrong of each kind that the listing tells, and its findings one on a line.
CHECKED = """
import sys
from pathlib import Path
import django
django.setup()
from django_asyncstatic.diagnosing import beside
from django_asyncstatic.diagnosing.findings import run_checks
from django.test import override_settings
from tests.projects import SmallProject

begun = []
begin = beside.begin
beside.begin = lambda work: begun.append(work) or begin(work)
place, mode = Path(sys.argv[1]), sys.argv[2]
if mode == "here":
    beside._can_copy = lambda: False
project = SmallProject(place)
project.write({f"{n}.js": f"let a = {n}" for n in range(20)})
project.collect()
project.write({"0.js": "changed", "stray.js": "", ".env": "A=b", "deep/er/x.txt": ""}, below=project.root)
next(project.root.glob("1.*.js")).unlink()
(project.root / "2.js").chmod(0o600)
(project.root / "out").symlink_to("/")
with override_settings(**project.settings):
    for finding in run_checks():
        print(repr(finding).replace(str(place), ""))
print(len(begun), "begun", file=sys.stderr)
"""


def run(code: str, *arguments: str) -> subprocess.CompletedProcess[str]:
    return subprocess.run(
        [sys.executable, "-c", code, *arguments],
        cwd=REPOSITORY,
        env={**os.environ, "DJANGO_SETTINGS_MODULE": "tests.settings"},
        capture_output=True,
        text=True,
        timeout=60,
        check=False,
    )


def printed(code: str) -> str:
    done = run(IMPORTS + code)
    assert done.stderr == ""
    assert done.returncode == 0
    return done.stdout.strip()


@needs_copies
def test_the_work_is_done_by_another_process() -> None:
    assert printed("wait = beside.begin(os.getpid); pid = wait(); print(pid != os.getpid())") == "True"


@needs_copies
def test_the_copy_is_waited_for_and_nothing_of_it_stays_open() -> None:
    code = (
        "before = os.listdir('/proc/self/fd'); beside.begin(os.getpid)();"
        "print(os.listdir('/proc/self/fd') == before); os.waitpid(-1, 0)"
    )
    done = run(IMPORTS + code)
    assert done.stdout.strip() == "True"
    assert "ChildProcessError" in done.stderr


@needs_copies
def test_what_is_larger_than_a_pipe_comes_whole() -> None:
    assert printed("print(len(beside.begin(lambda: 'x' * 5_000_000)()))") == "5000000"


def test_beside_another_thread_nothing_is_copied() -> None:
    code = "threading.Timer(1, print).start(); print(beside.begin(os.getpid)() == os.getpid(), end='')"
    assert printed(code) == "True"


@pytest.mark.skipif(not hasattr(os, "sched_setaffinity"), reason="Linux")
def test_on_one_processor_nothing_is_copied() -> None:
    code = "os.sched_setaffinity(0, [min(os.sched_getaffinity(0))]); print(beside.begin(os.getpid)() == os.getpid())"
    assert printed(code) == "True"


@needs_copies
@pytest.mark.parametrize(
    "work",
    [
        "lambda: os.getpid() == mine or os._exit(3)",
        "lambda: os.getpid() == mine or os.kill(os.getpid(), signal.SIGKILL)",
        "lambda: os.getpid() == mine or 1 / 0",
        "lambda: os.getpid() == mine or (lambda: 'pickle has none of these')",
    ],
    ids=["ended", "killed", "failed", "not-sent"],
)
def test_where_nothing_comes_of_it_it_is_done_here(work: str) -> None:
    assert printed(f"mine = os.getpid(); print(beside.begin({work})())") == "True"


@needs_copies
def test_an_error_is_raised_when_it_is_waited_for() -> None:
    done = run(IMPORTS + "wait = beside.begin(lambda: 1 / 0); print('begun', flush=True); wait()")
    assert done.stdout.strip() == "begun"
    assert "ZeroDivisionError" in done.stderr


@needs_copies
def test_nobody_waits_for_a_copy_when_the_process_ends() -> None:
    assert printed("beside.begin(lambda: 'x' * 5_000_000); print('ends')") == "ends"


@needs_copies
def test_the_findings_are_the_same_in_the_same_order(tmp_path: Path) -> None:
    outputs = []
    for mode in ("beside", "here"):
        place = tmp_path / mode
        place.mkdir()
        done = run(CHECKED, str(place), mode)
        assert done.stderr == "1 begun\n"
        outputs.append(done.stdout)
    assert outputs[0] == outputs[1]
    for expected in ("E002", "W007", "W038", "W039", "W045", "E034"):
        assert f"asyncstatic.{expected}" in outputs[0]
