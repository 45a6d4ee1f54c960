"""A walk through a directory, each file looked at once. Also a program, for another processor: see :mod:`.beside`.

So it imports as little as it can, and what it gives are values that ``marshal`` takes.
"""

from __future__ import annotations

import os
import stat
import time

#: Seconds. A clock that is told the wrong time zone, as that of a FAT volume can be, is off by up to 14 hours.
FUTURE = 24 * 3600

_OPENS = os.scandir in os.supports_fd  # not so on Windows

#: See :func:`walk`.
Walked = tuple[dict[str, int], list[str], list[str], dict[int, list[str]], dict[str, int], dict[str, str]]


def walk(root: str, since: int, closed: frozenset[str] = frozenset()) -> Walked:
    """What lies below ``root``, by names relative to it.

    First the sizes of what are no directories. Of these, the names of those that were written since a time, in
    nanoseconds, by the rule of collecting's ``Disk``; of those that say to be of a time to come; and of all by their
    ``st_mode``, but for the one that most have, whose list is empty. Then the ``st_mode`` of directories, the root's by
    ``""``, and the system's words for why one cannot be listed. Directories of the names in ``closed`` are not looked
    into. Raises ``OSError`` for the root itself.
    """
    sizes: dict[str, int] = {}
    recent: list[str] = []
    future: list[str] = []
    modes: dict[int, list[str]] = {}
    folders = {"": os.stat(root).st_mode}
    errors: dict[str, str] = {}
    latest = time.time_ns() + FUTURE * 10**9
    left = [""]
    while left:
        folder = left.pop()
        prefix = folder and f"{folder}/"
        opened = None
        try:
            # What is asked of entries is asked relative to an open directory, which takes a sixth less.
            opened = os.open(f"{root}/{folder}", os.O_RDONLY | os.O_DIRECTORY) if _OPENS else None
            with os.scandir(f"{root}/{folder}" if opened is None else opened) as entries:
                for entry in entries:  # with 50,000 files, each thing done in here is a hundredth of a run
                    name = prefix + entry.name
                    try:
                        found = entry.stat(follow_symlinks=False)
                    except OSError:  # gone since
                        continue
                    names = modes.get(found.st_mode)
                    if names is None:
                        if stat.S_ISDIR(found.st_mode):
                            folders[name] = found.st_mode
                            if entry.name not in closed:
                                left.append(name)
                            continue
                        names = modes[found.st_mode] = []
                    names.append(name)
                    sizes[name] = found.st_size
                    modified = found.st_mtime_ns
                    if modified >= since or found.st_ctime_ns >= since:
                        recent.append(name)
                        if modified > latest:
                            future.append(name)
        except OSError as error:
            errors[folder] = error.strerror or str(error)
        finally:
            if opened is not None:
                os.close(opened)
    if modes:
        modes[max(modes, key=lambda mode: len(modes[mode]))] = []
    return sizes, recent, future, modes, folders, errors


def _main() -> None:
    import marshal
    import sys

    _, root, since, encoding = sys.argv
    if sys.getfilesystemencoding() != encoding:
        sys.exit("Names of files would be others.")
    marshal.dump(walk(root, int(since)), sys.stdout.buffer)


if __name__ == "__main__":
    _main()
