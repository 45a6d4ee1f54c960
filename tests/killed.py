"""Collects that are killed: ``python -m tests.killed SOURCE ROOT COUNT`` for ``tests/test_killed.py``.

For each of COUNT points the sources change, and a child begins to collect them; when it has touched the disk so many
times, it gets SIGKILL. The points are spread over a whole collect. The last collect runs to its end.
"""

from __future__ import annotations

import os
import signal
import sys
from collections.abc import Callable
from pathlib import Path
from typing import Any

#: What changes a disk, by the names of Python's audit events.
_CHANGES = frozenset(
    {"os.rename", "os.remove", "os.mkdir", "os.rmdir", "os.symlink", "os.link", "os.chmod", "os.utime", "os.truncate"}
)


def count_changes(reached: Callable[[int], None]) -> None:
    """Call ``reached`` with the number of changes before each of them, from now on."""
    changes = 0

    def hook(event: str, arguments: tuple[Any, ...]) -> None:
        nonlocal changes
        if event in _CHANGES or (event == "open" and isinstance(arguments[2], int) and arguments[2] & os.O_ACCMODE):
            changes += 1
            reached(changes)

    sys.addaudithook(hook)


def change(source: Path, number: int) -> None:
    """Sources of another release: files that change, one that comes, one that goes."""
    for index in range(10):
        (source / f"changing-{index}.css").write_text(f"@import 'part-{index}.css'; a {{ order: {number} }}\n" * 20)
        (source / f"part-{index}.css").write_text(f"p {{ order: {number // 2 * index} }}\n" * 20)
    (source / f"only-{number}.js").write_text(f"release({number});\n" * 20)
    (source / f"only-{number - 1}.js").unlink(missing_ok=True)


def collect(source: Path, root: Path, **options: Any) -> None:
    from django.core.management import call_command

    from tests.test_storage import project

    with project(source, root):
        call_command("collectstatic", interactive=False, verbosity=0, **options)


def in_a_child(work: Callable[[], None]) -> int:
    """The signal that ended it, 0 for none; what it raised is a status of 1."""
    child = os.fork()
    if child:
        return os.waitpid(child, 0)[1] & 0x7F
    status = 1
    try:
        work()
        status = 0
    finally:
        os._exit(status)


def main(source: Path, root: Path, count: int) -> None:
    import django

    django.setup()
    # How many changes a collect makes, counted by one that is allowed to end.
    reader, writer = os.pipe()

    def counted() -> None:
        total = 0

        def reached(changes: int) -> None:
            nonlocal total
            total = changes

        count_changes(reached)
        collect(source, root)
        os.write(writer, str(total).encode())

    change(source, 1)
    assert in_a_child(counted) == 0
    total = int(os.read(reader, 100))
    killed = 0
    for number in range(count):
        change(source, number + 2)
        point = 1 + number * (total + total // 20) // count

        def killed_at(point: int = point, number: int = number) -> None:
            count_changes(lambda changes: os.kill(os.getpid(), signal.SIGKILL) if changes >= point else None)
            collect(source, root, clear=number % 5 == 4)

        killed += in_a_child(killed_at) == signal.SIGKILL
    assert in_a_child(lambda: collect(source, root)) == 0
    print(f"{killed} of {count} collects were killed, of which the last would have made {total} changes", flush=True)


if __name__ == "__main__":
    main(Path(sys.argv[1]), Path(sys.argv[2]), int(sys.argv[3]))
