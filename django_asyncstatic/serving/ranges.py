"""RFC 9110 14: byte ranges.

Pure. One range is honoured; several, another unit and anything malformed are ignored, as 14.2 permits.
"""

from __future__ import annotations

import re
from typing import NamedTuple

# 14.1.1 and 14.1.2, one range only. ASCII digits: int() would take others, signs and underscores too.
_BYTES_RANGE = re.compile(r"bytes[ \t]*=[ \t,]*([0-9]*)-([0-9]*)[ \t,]*", re.IGNORECASE | re.ASCII)

#: No file has as many bytes; longer numbers mean "past the end" and need not be computed.
_FAR = 10**18


class ByteRange(NamedTuple):
    """Half open: ``stop`` is the first byte that is not in it."""

    start: int
    stop: int


class Unsatisfiable:
    """A valid range that selects nothing: 416."""


UNSATISFIABLE = Unsatisfiable()


def parse_range(field: str, size: int) -> ByteRange | Unsatisfiable | None:
    """The range of a representation of ``size`` bytes; ``None`` when the field is to be ignored.

    >>> parse_range("bytes=0-0", 10), parse_range("bytes=-3", 10), parse_range("bytes=0-0,5-5", 10)
    (ByteRange(start=0, stop=1), ByteRange(start=7, stop=10), None)
    """
    match = _BYTES_RANGE.fullmatch(field)
    if match is None:
        return None
    first, last = match.groups()
    if not first and not last:
        return None
    if not first:  # suffix-range
        length = _number(last)
        if length == 0:
            return UNSATISFIABLE
        if size == 0:  # satisfiable by 14.1.2, but Content-Range cannot say "no bytes": send the whole
            return None
        return ByteRange(max(size - length, 0), size)
    start = _number(first)
    stop = _number(last) + 1 if last else size
    if last and stop <= start:  # 14.1.1: last-pos below first-pos is invalid
        return None
    if start >= size:
        return UNSATISFIABLE
    return ByteRange(start, min(stop, size))


def _number(digits: str) -> int:
    digits = digits.lstrip("0")
    return int(digits or "0") if len(digits) <= 18 else _FAR
