"""The table of content codings (RFC 9110 8.4.1): token on the wire, suffix on disk, how to encode and decode.

Adding a coding is one entry in :data:`CODINGS`. Libraries are imported where they are used, so that a
worker that only serves never loads them.
"""

from __future__ import annotations

from collections.abc import Callable
from functools import cache
from typing import Any, NamedTuple

#: RFC 9659: a decoder of ``zstd`` need not support a window above 8 MiB.
ZSTD_WINDOW_LOG = 23


class ContentCoding(NamedTuple):
    """One content coding.

    ``encode(data, level)`` and ``decode(data)`` take and return whole bodies; ``decode`` raises
    ``ValueError`` for bytes that are not in this coding. ``library()`` names the implementation and
    its version, since another version may produce other bytes; it raises ``ImportError`` where there is
    none, against which ``remedy`` helps.
    """

    token: str
    suffix: str
    level: int
    levels: range
    encode: Callable[[bytes, int], bytes]
    decode: Callable[[bytes], bytes]
    library: Callable[[], str]
    remedy: str


def _gzip_encode(data: bytes, level: int) -> bytes:
    import gzip

    # The same content gives the same bytes, whenever it is collected (mtime), and whichever Python collects it: the
    # tenth byte names the operating system, 3 before Python 3.13 and 255, "unknown", since (RFC 1952 2.3.1).
    encoded = gzip.compress(data, compresslevel=level, mtime=0)
    return encoded[:9] + b"\xff" + encoded[10:]


def _gzip_decode(data: bytes) -> bytes:
    import gzip
    import zlib

    try:
        return gzip.decompress(data)
    except (OSError, EOFError, zlib.error) as error:
        raise ValueError(f"not gzip: {error}") from error


def _gzip_library() -> str:
    import zlib

    return f"zlib {zlib.ZLIB_RUNTIME_VERSION}"


def _brotli_encode(data: bytes, level: int) -> bytes:
    import brotli

    encoded: bytes = brotli.compress(data, quality=level)
    return encoded


def _brotli_decode(data: bytes) -> bytes:
    import brotli

    try:
        decoded: bytes = brotli.decompress(data)
    except brotli.error as error:
        raise ValueError(f"not br: {error}") from error
    return decoded


def _brotli_library() -> str:
    import brotli

    return f"brotli {brotli.__version__}"


@cache
def zstd_module() -> Any:
    """``compression.zstd`` (Python 3.14) or the backport: the same API under two names."""
    try:
        from compression import zstd  # type: ignore[import-not-found, unused-ignore]
    except ImportError:
        from backports import zstd
    return zstd


def _zstd_encode(data: bytes, level: int) -> bytes:
    zstd = zstd_module()
    options = {zstd.CompressionParameter.compression_level: level}
    if len(data) > 1 << ZSTD_WINDOW_LOG:
        options[zstd.CompressionParameter.window_log] = ZSTD_WINDOW_LOG
    encoded: bytes = zstd.compress(data, options=options)
    return encoded


def _zstd_decode(data: bytes) -> bytes:
    zstd = zstd_module()
    # A window that browsers refuse is refused here too.
    options = {zstd.DecompressionParameter.window_log_max: ZSTD_WINDOW_LOG}
    try:
        decoded: bytes = zstd.decompress(data, options=options)
    except zstd.ZstdError as error:
        raise ValueError(f"not zstd: {error}") from error
    return decoded


def _zstd_library() -> str:
    return f"zstd {zstd_module().zstd_version}"


#: By token, in the order in which they stand in an index line.
CODINGS: dict[str, ContentCoding] = {
    coding.token: coding
    for coding in (
        # Level 9: zlib's highest. Quality 11: brotli's highest, its default. Level 19: zstd's highest that does
        # not ask for the "ultra" windows that RFC 9659 forbids.
        ContentCoding(
            "gzip", ".gz", 9, range(1, 10), _gzip_encode, _gzip_decode, _gzip_library, "use a Python that has zlib"
        ),
        ContentCoding(
            "br", ".br", 11, range(12), _brotli_encode, _brotli_decode, _brotli_library, "pip install brotli"
        ),
        ContentCoding(
            "zstd", ".zst", 19, range(1, 23), _zstd_encode, _zstd_decode, _zstd_library, "pip install backports.zstd"
        ),
    )
}

#: The suffixes, for telling a representation's file from a file of its own.
SUFFIXES: dict[str, str] = {coding.suffix: coding.token for coding in CODINGS.values()}
