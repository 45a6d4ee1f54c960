"""The walk through STATIC_ROOT by another processor, meanwhile: Python's threads would wait for each other.

It is a program that is started, and not a copy of this process: that may hold threads and connections, and what is
written to after a copy is copied, which takes half of what is won.
"""

from __future__ import annotations

import marshal
import os
import sys
from contextlib import suppress

from django_asyncstatic.diagnosing import walking
from django_asyncstatic.diagnosing.walking import Walked


class Walk:
    """A walk through a directory that is under way; ``since`` as in ``walking.walk``.

    Where there is no second processor, or no such program can be, or nothing comes of it, the walk is made when it is
    asked for: that is slower, and all.
    """

    def __init__(self, root: str, since: int) -> None:
        self.root = root
        self.since = since
        self._process, self._output = 0, -1
        if _processors() > 1 and _is_python(sys.executable):
            with suppress(OSError):
                self._start()

    def _start(self) -> None:
        options = ["-I", "-S", "-X", f"utf8={sys.flags.utf8_mode}"]
        asked = [self.root, str(self.since), sys.getfilesystemencoding()]
        command = [sys.executable, *options, walking.__file__, *asked]
        self._output, writer = os.pipe()
        try:
            actions = [
                (os.POSIX_SPAWN_OPEN, 0, os.devnull, os.O_RDONLY, 0),
                (os.POSIX_SPAWN_DUP2, writer, 1),
                (os.POSIX_SPAWN_OPEN, 2, os.devnull, os.O_WRONLY, 0),
            ]
            self._process = os.posix_spawn(command[0], command, os.environ, file_actions=actions)
        except OSError:
            os.close(self._output)
            raise
        finally:
            os.close(writer)

    def result(self, since: int) -> Walked:
        """What the walk found, to be asked for once. Raises ``OSError`` for the root itself."""
        if self._process and since == self.since:
            with open(self._output, "rb") as pipe:
                data = pipe.read()
            if self._status() == 0:
                walked: Walked = marshal.loads(data)
                return walked
        return walking.walk(self.root, since)

    def end(self) -> None:
        """Let nothing of it stay, if nobody has asked for what it found."""
        if self._process:
            os.close(self._output)
            with suppress(ProcessLookupError):
                os.kill(self._process, 9)
            self._status()

    def _status(self) -> int | None:
        process, self._process = self._process, 0
        try:
            return os.waitpid(process, 0)[1]
        except ChildProcessError:  # this process has said that it wants to know nothing of its children
            return None


def _is_python(program: str | None) -> bool:
    """Whether it takes Python's options: a program that Python is a part of may call itself the executable."""
    name = os.path.basename(program or "")
    return hasattr(os, "posix_spawn") and name.startswith(("python", "pypy")) and not hasattr(sys, "frozen")


def _processors() -> int:
    if hasattr(os, "sched_getaffinity"):
        return len(os.sched_getaffinity(0))
    return os.cpu_count() or 1
