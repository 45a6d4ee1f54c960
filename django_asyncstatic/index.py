"""The index: what collecting writes and serving reads. The rooms meet here and nowhere else.

A text file, a line per URL path, sorted by the bytes of the path, so that it is readable, diffable, and
found in by bisection: loading is one read, and a line is parsed when its resource is first asked for.

    {"format": "asyncstatic-index", "version": 1, "count": 2, "size": 268, "sha256": "…", …}
    css/site.4b2f9a.css<TAB>{"type": "text/css", "sha256": "…", "size": 812, "immutable": true, "codings": […]}
    css/site.css<TAB>{"as": "css/site.4b2f9a.css"}

Names are relative to the root, never absolute: the image that collects and the image that serves may
differ. Nothing in it depends on the time of the collect; times live in a file of their own
(:func:`encode_times`). The format is described in the docs, page "The index".
"""

from __future__ import annotations

import json
import os
import re
from bisect import bisect_right
from collections import Counter
from collections.abc import Iterable, Iterator, Mapping, Sequence
from hashlib import sha256
from itertools import islice
from pathlib import Path
from typing import Any, NamedTuple, Protocol

from django_asyncstatic.codings import CODINGS

INDEX_NAME = "asyncstatic.index"
TIMES_NAME = "asyncstatic.times"

#: Where collecting keeps in a root what is not for visitors, or is served under other names.
PRIVATE_DIRECTORY = ".asyncstatic"

INDEX_FORMAT = "asyncstatic-index"
TIMES_FORMAT = "asyncstatic-times"
VERSION = 1

#: Hexadecimal digits of a SHA-256 that make an entity tag: 128 bits, as many as an MD5, and of a better hash.
DIGEST_DIGITS = 32


#: The last second of the year 9999, the last that HTTP's dates can say.
LATEST_TIME = 253_402_300_799

#: An mtime up to here (the end of 1 January 1980, in any time zone) says nothing: what makes builds reproducible gives
#: every file the same, 0 (OSTree), 1 (Nix) or the first that a zip archive can have.
LATEST_FIXED_TIME = 315_619_200

#: Bytes of a block of lines, of which the first key is known: searching one takes about two microseconds.
BLOCK_SIZE = 4096

#: Lines that are parsed at a time where all of them are wanted: twice as fast as one by one, and no faster with more.
PARSED_AT_ONCE = 500


class InvalidIndex(ValueError):
    """An index that cannot be used. The message says why and what to do."""


class Representation(NamedTuple):
    """One stored form of a resource (RFC 9110 3.2).

    ``coding`` is a content coding's token, ``None`` for identity; ``file`` a name relative to the root;
    ``size`` is in bytes; ``etag`` the whole field value, quotes included; ``digest`` the first 32
    hexadecimal digits of the SHA-256 of the file's bytes, empty where nobody has computed it.
    """

    coding: str | None
    file: str
    size: int
    etag: str
    digest: str


class Resource(NamedTuple):
    """What a URL path names: its representations, identity first, and what they have in common.

    ``path`` is relative to the URL prefix and decoded; ``last_modified`` is in seconds since the epoch;
    ``sha256`` is of the identity representation, in hexadecimal, empty where nobody has computed it. ``release``
    is the id of the latest release that had it, ``None`` where that is the current one.
    """

    path: str
    media_type: str
    representations: tuple[Representation, ...]
    immutable: bool = False
    last_modified: int | None = None
    sha256: str = ""
    release: str | None = None

    @property
    def identity(self) -> Representation:
        return self.representations[0]


class ResourceIndex(Protocol):
    """What serving asks of an index, whichever strategy is behind it."""

    def get(self, path: str) -> Resource | None: ...


def strong_etag(digest: str) -> str:
    """The entity tag of bytes with this digest: the same on every host, at every mtime, in every time zone."""
    return f'"{digest}"'


def weak_etag(size: int, changed_ns: int) -> str:
    """The entity tag of a file that nobody has read, from its size in bytes and its :func:`change_time`."""
    return f'W/"{changed_ns:x}-{size:x}"'


def change_time(found: os.stat_result) -> int:
    """When a file was changed, in nanoseconds: its mtime, or its ctime where that says nothing."""
    return found.st_mtime_ns if found.st_mtime > LATEST_FIXED_TIME else found.st_ctime_ns


# --- lines ---------------------------------------------------------------------------------------------------

#: A path keeps its characters but for those that would break a line: controls, and "%" itself.
_ESCAPES = {code: f"%{code:02X}" for code in (*range(0x20), 0x25, 0x7F)}
_ESCAPED = re.compile(r"[\x00-\x1f%\x7f]")
_UNESCAPES = {escape: chr(code) for code, escape in _ESCAPES.items()}


def _encode_key(path: str) -> bytes:
    # str.translate takes ten microseconds, the search half of one, and few names have anything to escape.
    return (path.translate(_ESCAPES) if _ESCAPED.search(path) else path).encode()


def _decode_key(key: bytes) -> str:
    if b"%" not in key:
        return key.decode()
    head, *rest = key.decode().split("%")
    return head + "".join(_UNESCAPES["%" + part[:2]] + part[2:] for part in rest)


def parse_lines(lines: Sequence[bytes]) -> list[Any]:
    """What lines of JSON say, all parsed in one go. Raises ``ValueError`` for a line that is not one value."""
    values: list[Any] = json.loads(b"[%b]" % b",".join(lines))
    if len(values) != len(lines):
        raise ValueError("A line has more than one value.")
    return values


class _Lines:
    """Sorted lines ``key TAB value LF`` behind a header line of JSON, found in by bisection."""

    __slots__ = ("_keys", "_starts", "data", "header", "start")

    def __init__(self, data: bytes, format_name: str, what: str) -> None:
        end = data.find(b"\n")
        try:
            header = json.loads(data[:end] if end > 0 else b"")
        except (ValueError, RecursionError) as error:
            raise InvalidIndex(f"{what} does not start with a header line: run collectstatic again.") from error
        if not isinstance(header, dict) or header.get("format") != format_name:
            raise InvalidIndex(f"{what} is not of the format {format_name}: run collectstatic again.")
        if (version := header.get("version")) != VERSION:
            by = "was made by a newer release: it " if isinstance(version, int) and version > VERSION else ""
            raise InvalidIndex(
                f"{what} {by}has version {version!r}, this release of django-asyncstatic reads version {VERSION}: run"
                " collectstatic with the release that serves."
            )
        size = len(data) - end - 1
        if header.get("size") != size or not data.endswith(b"\n"):
            raise InvalidIndex(
                f"{what} says it has {header.get('size')} bytes of lines and has {size}: it was cut or edited;"
                " run collectstatic again."
            )
        self.data = data
        self.header: dict[str, Any] = header
        self.start = end + 1
        # The first line that begins in each block, and its key: four milliseconds for 100,000 lines, once.
        self._starts: list[int] = [self.start] if size else []
        for position in range(self.start + BLOCK_SIZE, len(data), BLOCK_SIZE):
            start = data.find(b"\n", position) + 1
            if self._starts[-1] < start < len(data):
                self._starts.append(start)
        self._keys = [data[start : data.find(b"\t", start)] for start in self._starts]

    def find(self, key: bytes) -> bytes | None:
        """The value on the line of this key: a bisection for the block, a search in it."""
        block = bisect_right(self._keys, key) - 1
        if block < 0:
            return None
        # A line begins behind the line feed of the one before it, the first one behind the header's.
        start = self._starts[block] - 1
        stop = self._starts[block + 1] if block + 1 < len(self._starts) else len(self.data)
        line = b"\n%b\t" % key
        found = self.data.find(line, start, stop)
        if found < 0:
            return None
        return self.data[found + len(line) : self.data.find(b"\n", found + len(line))]

    def __iter__(self) -> Iterator[tuple[bytes, bytes]]:
        for line in self.data[self.start :].split(b"\n"):
            if line:
                key, _, value = line.partition(b"\t")
                yield key, value

    @property
    def is_intact(self) -> bool:
        return self.header.get("sha256") == sha256(self.data[self.start :]).hexdigest()


def _encode_lines(format_name: str, lines: dict[bytes, bytes], header: Mapping[str, Any]) -> bytes:
    count, body = len(lines), bytearray()
    for key in sorted(lines):
        body += b"%b\t%b\n" % (key, lines.pop(key))  # not both at a time, for 100,000 lines
    head = {
        "format": format_name,
        "version": VERSION,
        "count": count,
        "size": len(body),
        "sha256": sha256(body).hexdigest(),
        **header,
    }
    return json.dumps(head, ensure_ascii=False).encode() + b"\n" + body


#: What may stand in a line: nothing that could break out of a header field.
_MEDIA_TYPE = re.compile(r"[a-z0-9!#$&^_.+-]+/[a-z0-9!#$&^_.+-]+")
_SHA256 = re.compile(r"[0-9a-f]{64}")
_DIGEST = re.compile(rf"[0-9a-f]{{{DIGEST_DIGITS}}}")


# --- the index -----------------------------------------------------------------------------------------------


class StaticIndex:
    """The index of a file. ``get`` costs a few microseconds; nothing but the bytes of the file is held.

    Raises :class:`InvalidIndex` for bytes that are not an index, or not one that this version reads.
    """

    __slots__ = ("_lines", "_times", "_times_file")

    def __init__(self, data: bytes, *, times_file: Path | None = None, what: str = "The index") -> None:
        self._lines = _Lines(data, INDEX_FORMAT, what)
        self._times_file = times_file
        self._times: Times | None = None

    @classmethod
    def load(cls, file: Path) -> StaticIndex:
        """Read the index in one go; its times wait beside it until a resource is asked for.

        Raises ``OSError`` where there is nothing to read, :class:`InvalidIndex` where it cannot be used.
        """
        return cls(file.read_bytes(), times_file=file.with_name(TIMES_NAME), what=f"The index {file}")

    def __len__(self) -> int:
        count: int = self._lines.header["count"]
        return count

    def __iter__(self) -> Iterator[str]:
        """The paths, in the order of the file."""
        return (_decode_key(key) for key, _ in self._lines)

    def lines(self) -> Iterator[tuple[str, dict[str, Any]]]:
        """Each path with what its line says, unchecked: for who asks about all of them, not for serving."""
        left = iter(self._lines)
        while some := list(islice(left, PARSED_AT_ONCE)):
            for (key, _), line in zip(some, parse_lines([value for _, value in some]), strict=True):
                yield _decode_key(key), line

    @property
    def header(self) -> Mapping[str, Any]:
        """The first line, decoded."""
        return self._lines.header

    @property
    def is_intact(self) -> bool:
        """Whether the lines are those that were written: 30 to 50 ms for 100,000, so not asked at start."""
        return self._lines.is_intact

    def get(self, path: str) -> Resource | None:
        """The resource of a path relative to the URL prefix, or ``None``.

        Raises :class:`InvalidIndex` for a line that was damaged although the file has its length.
        """
        try:
            value = self._lines.find(_encode_key(path))
        except UnicodeEncodeError:  # a lone surrogate: no name in the index has one
            return None
        return None if value is None else self._parse(path, value)

    def _parse(self, path: str, value: bytes) -> Resource | None:
        try:
            line = json.loads(value.decode())
            if "as" in line:
                target = self._lines.find(_encode_key(line["as"]))
                # The line of a resource: an alias of an alias has no "type" and counts as damaged.
                if target is None:
                    return None
                found = self._resource(line["as"], json.loads(target.decode()))
                return found._replace(
                    path=path, immutable=False, last_modified=self._time(path), release=_release(line)
                )
            return self._resource(path, line)
        except (AttributeError, KeyError, TypeError, ValueError, RecursionError) as error:
            raise InvalidIndex(f"The index has a damaged line for {path!r}: run collectstatic again.") from error

    def _resource(self, path: str, line: dict[str, Any]) -> Resource:
        file, kind, sha256 = line.get("file", path), line["type"], line["sha256"]
        immutable = line.get("immutable", False)
        if not (
            isinstance(file, str)
            and isinstance(immutable, bool)
            and _MEDIA_TYPE.fullmatch(kind)
            and _SHA256.fullmatch(sha256)
        ):
            raise ValueError(line)
        representations = [_representation(None, file, line["size"], sha256[:DIGEST_DIGITS])]
        for token, size, digest in line.get("codings", ()):
            if token in CODINGS:  # a coding that this release does not know is not offered
                representations.append(_representation(token, file + CODINGS[token].suffix, size, digest))
        return Resource(
            path=path,
            media_type=kind,
            representations=tuple(representations),
            immutable=immutable,
            last_modified=self._time(path),
            sha256=sha256,
            release=_release(line),
        )

    def _time(self, path: str) -> int | None:
        if self._times is None:
            self._times = Times.load(self._times_file, of=self.header.get("sha256"))
        return self._times.get(path)


def _release(line: Mapping[str, Any]) -> str | None:
    release = line.get("release")
    if not (release is None or isinstance(release, str)):
        raise ValueError(line)
    return release


def _representation(coding: str | None, file: str, size: Any, digest: Any) -> Representation:
    if type(size) is not int or size < 0 or not _DIGEST.fullmatch(digest):
        raise ValueError((size, digest))
    return Representation(coding, file, size, strong_etag(digest), digest)


def encode_index(
    resources: Iterable[Resource],
    aliases: Mapping[str, str],
    header: Mapping[str, Any] | None = None,
    alias_releases: Mapping[str, str] | None = None,
) -> bytes:
    """The bytes of an index.

    ``aliases`` maps a path to the path of the resource that answers it (a plain name to its hashed one);
    ``alias_releases`` has the release of those that the current one lacks. ``header`` is kept in the first line:
    what made the representations. Equal arguments give equal bytes.
    """
    of = alias_releases or {}
    lines = {
        _encode_key(path): _dump({"as": target, "release": of[path]} if path in of else {"as": target})
        for path, target in aliases.items()
    }
    for resource in resources:
        identity, *coded = resource.representations
        line: dict[str, Any] = {"type": resource.media_type, "sha256": resource.sha256, "size": identity.size}
        if identity.file != resource.path:
            line["file"] = identity.file
        if resource.immutable:
            line["immutable"] = True
        if resource.release is not None:
            line["release"] = resource.release
        if coded:
            line["codings"] = [[each.coding, each.size, each.digest] for each in coded]
        lines[_encode_key(resource.path)] = _dump(line)
    return _encode_lines(INDEX_FORMAT, lines, header or {})


def _dump(line: dict[str, Any]) -> bytes:
    return json.dumps(line, ensure_ascii=False).encode()


# --- times ---------------------------------------------------------------------------------------------------


class Times:
    """When each path got the content that it has, and each release was superseded, in seconds since the epoch.

    The time that most paths share stands in the header, so the file of a first collect is one line.
    """

    __slots__ = ("_default", "_lines")

    def __init__(self, data: bytes, *, what: str = "The file of times") -> None:
        self._lines = _Lines(data, TIMES_FORMAT, what)
        self._default: int | None = self._lines.header.get("default")

    @classmethod
    def load(cls, file: Path | None, *, of: object = None) -> Times:
        """The times of a file; none where it is absent, damaged or of another index: Last-Modified is then not sent.

        ``of`` is the SHA-256 in the header of the index that is to have them. With those of another one, a new content
        could be told to be as old as the one before it, or the one before as young as the new one.
        """
        try:
            if file is not None:
                times = cls(file.read_bytes(), what=f"The file of times {file}")
                if of is None or times._lines.header.get("of", of) == of:
                    return times
        except (OSError, InvalidIndex):
            pass
        return cls(encode_times({}))

    def get(self, path: str) -> int | None:
        found = self._lines.find(_encode_key(path))
        time = self._default if found is None else int(found[:20]) if found.isdigit() else None
        return time if _is_time(time) else None

    @property
    def superseded(self) -> dict[str, int]:
        """By release, when another took its place."""
        found = self._lines.header.get("superseded")
        if not isinstance(found, dict):
            return {}
        return {release: time for release, time in found.items() if _is_time(time)}


def _is_time(value: object) -> bool:
    return type(value) is int and 0 <= value <= LATEST_TIME


def encode_times(
    times: Mapping[str, int], superseded: Mapping[str, int] | None = None, *, index: bytes | None = None
) -> bytes:
    """The bytes of a file of times, those of the paths of ``index``, the bytes of an index."""
    # The later of two equally common times, so that the same times give the same bytes.
    default = max(Counter(times.values()).items(), key=lambda item: (item[1], item[0]))[0] if times else None
    lines = {_encode_key(path): b"%d" % time for path, time in times.items() if time != default}
    header: dict[str, Any] = {"default": default}
    if index is not None:
        header["of"] = json.loads(index[: index.index(b"\n")])["sha256"]
    if superseded:
        header["superseded"] = dict(superseded)
    return _encode_lines(TIMES_FORMAT, lines, header)
