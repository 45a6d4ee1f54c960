"""Decodes what a stranger sent: as :mod:`django_asyncstatic.codings` does, and to no more than was to be expected."""

from __future__ import annotations

import zlib
from collections.abc import Callable
from typing import Any

from django_asyncstatic.codings import ZSTD_WINDOW_LOG


def decode(data: bytes, coding: str | None, limit: int) -> bytes:
    """The bytes behind a content coding. Raises ``ValueError`` for others, and for more than ``limit``."""
    if coding is None:
        return data
    if coding not in DECODERS:
        raise ValueError(f"in a content coding that nobody asked for: {coding}")
    decoded = DECODERS[coding](data, limit)
    if len(decoded) > limit:
        raise ValueError(f"that decode to more than {limit} bytes")
    return decoded


def _gzip(data: bytes, limit: int) -> bytes:
    decoded = bytearray()
    while data:  # RFC 1952 2.2: a gzip file is a series of members
        member = zlib.decompressobj(wbits=31)
        try:
            decoded += member.decompress(data, limit + 1 - len(decoded))
        except zlib.error as error:
            raise ValueError(f"that are not gzip ({error})") from error
        if len(decoded) > limit:
            break
        if not member.eof:
            raise ValueError("that are gzip without an end")
        data = member.unused_data
    return bytes(decoded)


def _brotli(data: bytes, limit: int) -> bytes:
    import brotli

    # In small steps, since a limit for the output came only with brotli 1.2: a metablock gives up to 16 MiB and is ten
    # bytes long at the least (RFC 7932 9.2).
    decoder, decoded = brotli.Decompressor(), bytearray()
    try:
        for position in range(0, len(data), 16):
            decoded += decoder.process(data[position : position + 16])
            if len(decoded) > limit:
                return bytes(decoded)
    except brotli.error as error:
        raise ValueError(f"that are not br ({error})") from error
    if not decoder.is_finished():
        raise ValueError("that are br without an end")
    return bytes(decoded)


def _zstd(data: bytes, limit: int) -> bytes:
    from django_asyncstatic.codings import zstd_module

    zstd = zstd_module()
    decoded = bytearray()
    try:
        while data:  # RFC 8878 3.1: frames follow one another
            frame: Any = zstd.ZstdDecompressor(options={zstd.DecompressionParameter.window_log_max: ZSTD_WINDOW_LOG})
            decoded += frame.decompress(data, limit + 1 - len(decoded))
            if len(decoded) > limit:
                break
            if not frame.eof:
                raise ValueError("that are zstd without an end")
            data = frame.unused_data
    except zstd.ZstdError as error:
        raise ValueError(f"that are not zstd ({error})") from error
    return bytes(decoded)


#: For each coding of :data:`django_asyncstatic.codings.CODINGS`: at most ``limit`` bytes, or a few more to say so.
DECODERS: dict[str, Callable[[bytes, int], bytes]] = {"gzip": _gzip, "br": _brotli, "zstd": _zstd}
