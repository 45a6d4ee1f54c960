"""The representations of a content: made once, decoded and compared, kept when they save enough."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass, field
from threading import Condition

from django_asyncstatic.codings import CODINGS
from django_asyncstatic.collecting.atomic import CollectError
from django_asyncstatic.media_types import is_compressible

#: A coded representation is kept when it is at most this share of identity: WhiteNoise's figure.
WORTHWHILE = 0.95

#: Bytes above which a file is not compressed: it would be held in memory once per coding, and brotli at its
#: highest quality takes four seconds per megabyte.
LARGEST = 32 * 1024 * 1024

#: Bytes of content that may be in memory at a time, waiting to be compressed or being compressed.
IN_FLIGHT = 8 * 1024 * 1024


@dataclass(frozen=True, slots=True)
class Compression:
    """Which codings, at which levels: ``{"br": 11}``, in the order of the table of codings.

    ``skipped_extensions`` are of names that are not compressed, without the dot, in lower case; ``zopfli`` makes
    gzip's representations with zopfli, that many iterations.
    """

    levels: Mapping[str, int]
    skipped_extensions: frozenset[str] = field(default_factory=frozenset)
    zopfli: int = 0

    def describe(self) -> dict[str, str]:
        """By token, what makes the bytes: another level or version of a library may make others."""
        made_by = {token: f"{CODINGS[token].library()}, level {level}" for token, level in self.levels.items()}
        if self.zopfli and "gzip" in made_by:
            from importlib.metadata import version

            made_by["gzip"] = f"zopfli {version('zopfli')}, {self.zopfli} iterations"
        return made_by

    def applies_to(self, name: str, kind: str, size: int) -> bool:
        """Whether a file of that name, media type and size in bytes is worth trying."""
        return (
            bool(self.levels)
            and 0 < size <= LARGEST
            and is_compressible(kind)
            and name.rpartition(".")[2].lower() not in self.skipped_extensions
        )

    def encode(self, token: str, data: bytes, name: str) -> bytes | None:
        """The data in a coding; ``None`` where that saves too little.

        Raises :class:`CollectError` for a coding that does not give the bytes back.
        """
        if token == "gzip" and self.zopfli:
            encoded = _zopfli(data, self.zopfli)
        else:
            encoded = CODINGS[token].encode(data, self.levels[token])
        if len(encoded) > len(data) * WORTHWHILE:
            return None
        if not decodes_to(token, encoded, data):
            raise CollectError(
                f"{name} compressed with {self.describe()[token]} does not decode to itself. Nothing was published:"
                f' take {token!r} out of "codings", or install another release of its library.'
            )
        return encoded


def decodes_to(token: str, encoded: bytes, data: bytes) -> bool:
    try:
        return CODINGS[token].decode(encoded) == data
    except ValueError:
        return False


def _zopfli(data: bytes, iterations: int) -> bytes:
    from zopfli.gzip import compress

    encoded: bytes = compress(data, numiterations=iterations)
    return encoded[:9] + b"\xff" + encoded[10:]  # the operating system, as codings.py has it


class Crew:
    """Threads that compress, one per core, with a bound on the bytes they are given before they have finished.

    zlib, brotli and zstd release the GIL. Who hands over work waits until there is room for it, so that memory
    does not grow with the number of files; a content larger than the bound is worked on alone.
    """

    def __init__(self, workers: int) -> None:
        self._pool = ThreadPoolExecutor(workers, thread_name_prefix="asyncstatic")
        self._room = Condition()
        self._in_flight = 0

    def submit(self, size: int, work: Callable[[], None]) -> None:
        """Hand over work on so many bytes. What it raises is its own affair."""
        with self._room:
            self._room.wait_for(lambda: self._in_flight == 0 or self._in_flight + size <= IN_FLIGHT)
            self._in_flight += size
        self._pool.submit(work).add_done_callback(lambda _: self._leave(size))

    def _leave(self, size: int) -> None:
        with self._room:
            self._in_flight -= size
            self._room.notify_all()

    def finish(self) -> None:
        """Wait until all is done."""
        self._pool.shutdown()

    def dismiss(self) -> None:
        """Drop what has not begun, wait for what has."""
        self._pool.shutdown(cancel_futures=True)
