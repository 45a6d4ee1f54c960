"""What references mean among the collected names, the order of work, and URLs with hashed names.

The rules are those of Django's ``HashedFilesMixin.url_converter``; where they differ, docs/storage.rst says why.
"""

from __future__ import annotations

import posixpath
from bisect import bisect_left
from collections.abc import Iterable, Mapping, Sequence
from typing import NamedTuple
from urllib.parse import quote, unquote, urldefrag

from django_asyncstatic.collecting.references import Reference

#: What would end a string, an escape or a URL's path. Everything else is written as Django writes it: decoded.
_UNSAFE = {ord(char): quote(char) for char in '%#?"\\' + "".join(map(chr, (*range(0x20), 0x7F)))}
_UNSAFE_IN_COMMENT = {**_UNSAFE, ord(" "): "%20", ord("'"): "%27", ord("*"): "%2A"}


#: Names among which the nearest one is looked for: it takes a quarter of a millisecond for each.
MANY = 1000


class Link(NamedTuple):
    """A reference that has its target among the collected names."""

    reference: Reference
    target: str


class Broken(NamedTuple):
    """A reference that has none. ``tried`` is the name that it resolved to, ``why`` a clause that ends a sentence."""

    name: str
    reference: Reference
    tried: str
    why: str


class Names:
    """The collected names, to be asked what stands where."""

    def __init__(self, names: Iterable[str], static_path: str) -> None:
        self._sorted = sorted(names)
        self._names = frozenset(self._sorted)
        self._static_path = static_path

    def resolve(self, name: str, reference: Reference) -> Link | Broken | None:
        """What a reference in the file of that name means; ``None`` if it is none of our business."""
        url = reference.url
        path = urldefrag(url)[0].partition("?")[0]
        if path.startswith("/"):
            if not path.startswith(self._static_path):
                return None
            joined = unquote(path.removeprefix(self._static_path))
        else:
            joined = posixpath.join(posixpath.dirname(name), unquote(path))
        if not path or path.endswith("/"):
            return None
        target = posixpath.normpath(joined)
        if target in self._names:
            return Link(reference, target)
        if target.startswith("../") or target in ("..", "."):
            return Broken(name, reference, target, "leads out of the static files") if target != "." else None
        if self.is_directory(target):
            return None
        return Broken(name, reference, target, f"there is no file {target!r}")

    def __contains__(self, name: object) -> bool:
        return name in self._names

    def is_directory(self, name: str) -> bool:
        prefix = name + "/"
        position = bisect_left(self._sorted, prefix)
        return position < len(self._sorted) and self._sorted[position].startswith(prefix)

    def nearest(self, name: str) -> str:
        """A clause that asks whether another name was meant; empty where none is near."""
        from difflib import get_close_matches

        base = posixpath.basename(name)
        same_base = [each for each in self._sorted if posixpath.basename(each).lower() == base.lower()]
        folder = posixpath.dirname(name)
        neighbours = [each for each in self._sorted if posixpath.dirname(each) == folder]
        near = get_close_matches(name, (same_base or neighbours)[:MANY], 1, cutoff=0.0 if same_base else 0.6)
        return f"; did you mean {near[0]!r}?" if near else ""


def hashed_url(reference: Reference, hashed_name: str) -> str:
    """What to write in the place of the reference's URL: its own directory, the file's hashed name."""
    path, fragment = urldefrag(reference.url)
    path, _, query = path.partition("?")
    written = "/".join([*unquote(path).split("/")[:-1], posixpath.basename(hashed_name)])
    unsafe = _UNSAFE_IN_COMMENT if "sourceMappingURL" in reference.form else _UNSAFE
    url = written.translate(unsafe)
    if query:
        url += "?" + query
    elif fragment and "?#" in reference.url:  # url(font.eot?#iefix), for Internet Explorer
        url += "?"
    return f"{url}#{fragment}" if fragment else url


def order(links: Mapping[str, Sequence[str]]) -> list[list[str]]:
    """Groups of names, each after all that it refers to; a group of several is a cycle.

    ``links`` maps each name to those it refers to; what is not a key has no references of its own. Tarjan's
    algorithm for strongly connected components, without recursion. The same links give the same order.
    """
    groups: list[list[str]] = []
    number: dict[str, int] = {}
    lowest: dict[str, int] = {}
    stack: list[str] = []
    on_stack: set[str] = set()
    for start in sorted(links):
        if start in number:
            continue
        work = [(start, iter(sorted(links[start])))]
        number[start] = lowest[start] = len(number)
        stack.append(start)
        on_stack.add(start)
        while work:
            name, targets = work[-1]
            for target in targets:
                if target not in links:
                    continue
                if target not in number:
                    number[target] = lowest[target] = len(number)
                    stack.append(target)
                    on_stack.add(target)
                    work.append((target, iter(sorted(links[target]))))
                    break
                if target in on_stack:
                    lowest[name] = min(lowest[name], number[target])
            else:
                work.pop()
                if work:
                    above = work[-1][0]
                    lowest[above] = min(lowest[above], lowest[name])
                if lowest[name] == number[name]:
                    group: list[str] = []
                    while not group or group[-1] != name:
                        group.append(stack.pop())
                        on_stack.discard(group[-1])
                    groups.append(sorted(group))
    return groups
