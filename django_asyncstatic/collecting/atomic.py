"""Writing a file so that no reader ever sees half of it."""

from __future__ import annotations

import os
from pathlib import Path
from secrets import token_hex


def write_atomically(path: Path, data: bytes, mode: int | None = None) -> None:
    """Write to a temporary name in the same directory, then put it in the place of ``path``.

    ``mode`` is FILE_UPLOAD_PERMISSIONS; ``None`` leaves what the umask gives. The temporary name is a
    dotfile, so that it is never served, and is removed if anything fails.
    """
    path.parent.mkdir(parents=True, exist_ok=True)
    temporary = path.with_name(f".{token_hex(8)}.asyncstatic")
    flags = os.O_WRONLY | os.O_CREAT | os.O_EXCL | getattr(os, "O_BINARY", 0)
    try:
        with os.fdopen(os.open(temporary, flags, 0o666), "wb") as file:
            file.write(data)
        if mode is not None:
            temporary.chmod(mode)
        os.replace(temporary, path)
    except BaseException:
        temporary.unlink(missing_ok=True)
        raise
