"""What a source map tells: names of files on the machine that made it, and the sources themselves.

Format: ECMA-426, https://tc39.es/ecma426/. Pure.
"""

from __future__ import annotations

import json
import re
from base64 import b64decode
from collections.abc import Iterator
from typing import Any, NamedTuple
from urllib.parse import unquote_to_bytes


class SourceMap(NamedTuple):
    """Names of files of a machine, and the number of sources that are in the map."""

    machine_files: tuple[str, ...]
    embedded: int


#: An absolute path is one of a machine where people and build servers have their files; "/src/app.ts" is what bundlers
#: call a file of the project. Webpack puts "webpack://name/" in front.
_MACHINE_FILE = re.compile(
    r"(?:webpack(?:-internal)?://[^/]*/|file://[^/]*)?"
    r"(?:/(?:home|Users)/[^/]+/|/(?:root|srv|opt|var|mnt|builds|private)/|/?[A-Za-z]:[\\/])"
)

_INLINE = re.compile(rb"[#@] ?sourceMappingURL=data:application/json[^,\s]{0,60},([^\s'\"*]{20,})")


def read_map(data: bytes) -> SourceMap | None:
    """What the bytes of a source map tell; ``None`` for what is none."""
    if data.startswith(b")]}'"):  # ECMA-426, 6: what keeps it from being run as a script
        data = data.partition(b"\n")[2]
    try:
        content = json.loads(data)
    except (ValueError, RecursionError):
        return None
    if not isinstance(content, dict):
        return None
    files, embedded = [], 0
    for section in _sections(content):
        root = section.get("sourceRoot")
        names = [name for name in [root, *_list(section.get("sources"))] if isinstance(name, str)]
        files += [name for name in names if _MACHINE_FILE.match(name)]
        embedded += sum(1 for each in _list(section.get("sourcesContent")) if isinstance(each, str) and each)
    return SourceMap(tuple(files), embedded)


def inline_map(data: bytes) -> bytes | None:
    """The map that a script or a style sheet carries in a ``data:`` URL."""
    if b"sourceMappingURL=data:" not in data:
        return None
    match = None
    for match in _INLINE.finditer(data):  # noqa: B007  (the last one counts)
        pass
    if match is None:
        return None
    header = match[0][: match.start(1) - match.start()]
    try:
        return b64decode(match[1] + b"==") if b";base64," in header else unquote_to_bytes(match[1])
    except ValueError:
        return None


def _sections(content: dict[str, Any]) -> Iterator[dict[str, Any]]:
    yield content
    for section in _list(content.get("sections")):
        if isinstance(section, dict) and isinstance(section.get("map"), dict):
            yield section["map"]


def _list(value: Any) -> list[Any]:
    return value if isinstance(value, list) else []
