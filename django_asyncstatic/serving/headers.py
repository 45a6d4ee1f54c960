"""The response headers of a representation, computed once, when its resource is first asked for.

What depends on content comes from the index, what depends on settings from a :class:`HeaderPolicy`. Names
are in lower case. Adding a header touches this module only.
"""

from __future__ import annotations

import re
from collections.abc import Callable
from functools import cached_property
from typing import Any, NamedTuple

from django.utils.http import http_date

from django_asyncstatic.index import Representation, Resource

__all__ = ["HeaderPolicy"]

Pairs = tuple[tuple[str, str], ...]

#: Ten years, as WhiteNoise has it; RFC 8246's ``immutable`` is what matters, the number only has to be long.
IMMUTABLE_MAX_AGE = 315_360_000

#: What describes a body that a 304, 405, 412 or 416 does not have.
_DESCRIBES_BODY = frozenset(
    {"accept-ranges", "content-encoding", "content-length", "content-type", "etag", "last-modified"}
)


#: What follows from the representation; a user's function has no say in it.
_RESERVED = _DESCRIBES_BODY - {"content-type"} | {"content-range", "set-cookie", "transfer-encoding", "connection"}

#: How bundlers name the files that they hash, with their default options; the part of it that cannot be meant by a
#: person, for what is wrongly called immutable stays wrong for ten years, and what is missed is only asked for again.
#: Vite (Rollup): ``name-BRBmoGS9.js``, eight of base64url, with a letter and a digit, and not a word and a number
#: (``IMG-WINTER24.jpg``). webpack: ``name.0123456789abcdef0123.js``, sixteen to thirty-two of hexadecimal. esbuild:
#: ``name-XQ7Z2LKA.js``, eight of base32, likewise.
_NO_WORD = r"(?!(?:[A-Z]?[a-z]+|[A-Z]+)[0-9]+\.|[0-9]+[A-Za-z]+\.)"
BUNDLERS = {
    "vite": rf"[.-]{_NO_WORD}(?=[\w-]*[0-9])(?=[\w-]*[A-Za-z])[\w-]{{8}}\.[A-Za-z0-9.]+$",
    "webpack": r"(?:^|[.-])(?=[0-9a-f]*[0-9])(?=[0-9a-f]*[a-f])[0-9a-f]{16,32}\.[A-Za-z0-9.]+$",
    "esbuild": rf"-{_NO_WORD}(?=[A-Z2-7]*[2-7])(?=[A-Z2-7]*[A-Z])[A-Z2-7]{{8}}\.[A-Za-z0-9.]+$",
}

_CHARSET = re.compile(r"[A-Za-z0-9!#$%&'*+.^_`|~-]*")

# RFC 9110 5.6.2 and 5.5, without obs-text: Django's handlers want ASCII or Latin-1.
_FIELD_NAME = re.compile(r"[!#$%&'*+.^_`|~0-9a-z-]+")
_FIELD_VALUE = re.compile(r"[\t\x20-\x7e\xa0-\xff]*")


class Headers:
    """The pairs of a response, and the same as bytes for ASGI, made when first asked for."""

    def __init__(self, pairs: Pairs) -> None:
        self.pairs = pairs

    @cached_property
    def raw(self) -> list[tuple[bytes, bytes]]:
        """For ASGI. The list is shared by all responses; servers copy it, so must everyone else."""
        return [(name.encode("ascii"), value.encode("latin-1")) for name, value in self.pairs]

    def __repr__(self) -> str:
        return f"Headers({self.pairs!r})"


class HeaderPolicy(NamedTuple):
    """What settings say of headers.

    ``max_age`` is in seconds, for resources that are not immutable; 0 makes browsers ask each time, ``None`` sends no
    Cache-Control for them. ``charset`` is added to ``text/*``. ``immutable_file_test(path, url)`` tells which files are
    immutable besides those with a hashed name: a bundler's own hashed names. ``add_headers_function(headers, path,
    url)`` may change the headers of a resource, once, when it is first asked for; ``headers`` is a
    ``wsgiref.headers.Headers``. ``extra`` is added to every response unless the resource has that header
    already: what SecurityMiddleware would have added.
    """

    max_age: int | None = 60
    allow_all_origins: bool = True
    charset: str = "utf-8"
    immutable_file_test: Callable[[str, str], bool] | None = None
    add_headers_function: Callable[[Any, str, str], object] | None = None
    extra: Pairs = ()


def check_policy(policy: HeaderPolicy) -> HeaderPolicy:
    """The policy, if its values can be meant. Raises ``ValueError``."""
    if not _CHARSET.fullmatch(policy.charset):
        raise ValueError(f"charset is {policy.charset!r}; it has to be the name of a charset, or empty.")
    max_age: Any = policy.max_age  # whatever the caller's annotations say
    if max_age is not None and (not isinstance(max_age, int) or max_age < 0):
        raise ValueError(f"max_age is {max_age!r}; it has to be a number of seconds, 0 or more, or None.")
    return policy


def immutable_file_test(rule: str | Callable[[str, str], bool] | None) -> Callable[[str, str], bool] | None:
    """A test from the name of a bundler, a regular expression for file names, or a test already.

    Only the last component of a path is looked at: a folder with a hash in its name makes no file immutable.

    >>> is_immutable = immutable_file_test("vite")
    >>> is_immutable("", "/static/assets/index-BRBmoGS9.js"), is_immutable("", "/static/photos/IMG-WINTER24.jpg")
    (True, False)
    """
    if rule is None or callable(rule):
        return rule
    try:
        pattern = re.compile(BUNDLERS.get(rule, rule))
    except (re.error, OverflowError, RecursionError) as error:
        raise ValueError(
            f"immutable_file_test is {rule!r}; it has to be one of {', '.join(map(repr, BUNDLERS))}, a regular"
            f" expression for file names ({error}), a function of (path, url), or None."
        ) from error
    return lambda path, url: pattern.search(url.rpartition("/")[2]) is not None


def resource_headers(resource: Resource, policy: HeaderPolicy, url: str, path: str) -> Pairs:
    """What all representations of a resource have in common. Raises ``ValueError`` for a header that cannot be sent."""
    kind = resource.media_type
    if kind.startswith("text/") and policy.charset:
        kind = f"{kind}; charset={policy.charset}"
    pairs = [("content-type", kind)]
    if resource.immutable or (policy.immutable_file_test is not None and policy.immutable_file_test(path, url)):
        pairs.append(("cache-control", f"max-age={IMMUTABLE_MAX_AGE}, public, immutable"))  # RFC 8246
    elif policy.max_age is not None:
        # RFC 9111 5.2.2.4: kept, and asked for each time; "max-age=0" alone allows more.
        pairs.append(("cache-control", f"max-age={policy.max_age}, public" if policy.max_age else "no-cache"))
    if policy.allow_all_origins:
        pairs.append(("access-control-allow-origin", "*"))
    if policy.add_headers_function is not None:
        pairs = _changed_by(policy.add_headers_function, pairs, path, url)
    present = {name for name, _ in pairs}
    pairs += [(name, value) for name, value in policy.extra if name not in present or name == "vary"]
    return tuple(_with_vary(pairs, ["accept-encoding"] if len(resource.representations) > 1 else []))


def representation_headers(resource: Resource, representation: Representation, common: Pairs) -> Pairs:
    """The headers of a 200 with this representation; ``common`` are those of :func:`resource_headers`."""
    pairs = [("content-length", str(representation.size)), ("etag", representation.etag)]
    if resource.last_modified is not None:
        pairs.append(("last-modified", http_date(resource.last_modified)))
    if representation.coding is not None:
        pairs.append(("content-encoding", representation.coding))
    pairs.append(("accept-ranges", "bytes"))
    return (*pairs, *common)


def _changed_by(
    function: Callable[[Any, str, str], object], pairs: list[tuple[str, str]], path: str, url: str
) -> list[tuple[str, str]]:
    """The pairs after a user's function, one per name, in lower case, without those that are not its to set."""
    from wsgiref.headers import Headers as MutableHeaders

    headers = MutableHeaders(pairs)
    function(headers, path, url)
    changed: dict[str, str] = {}
    for name, value in headers.items():
        lower = name.lower()
        if not _FIELD_NAME.fullmatch(lower) or not _FIELD_VALUE.fullmatch(value):
            raise ValueError(
                f"The function that adds headers made one that cannot be sent, for {url}: {name!r}: {value!r}. A name"
                " is of letters, digits and hyphens, a value one line of ASCII."
            )
        if lower not in _RESERVED:
            changed[lower] = f"{changed[lower]}, {value}" if lower in changed else value
    return list(changed.items())


def _with_vary(pairs: list[tuple[str, str]], ours: list[str]) -> list[tuple[str, str]]:
    """One field that has every member (RFC 9110 12.5.5): what others said stays."""
    said = [member.strip() for name, value in pairs if name == "vary" for member in value.split(",")]
    members: dict[str, str] = {}
    for member in [*filter(None, said), *ours]:
        members.setdefault(member.lower(), member)
    rest = [pair for pair in pairs if pair[0] != "vary"]
    return [*rest, ("vary", ", ".join(members.values()))] if members else rest


def not_modified_headers(pairs: Pairs) -> Pairs:
    """A 304's headers from those of the 200: without what describes a body, but for the ETag (RFC 9110 15.4.5)."""
    return tuple(pair for pair in pairs if pair[0] == "etag" or pair[0] not in _DESCRIBES_BODY)


def bodiless_headers(pairs: Pairs) -> Pairs:
    """An error's headers from those of the 200: nothing that describes a body, and an empty one.

    No cache-control either: a shared cache may keep any status that comes with one (RFC 9111 3).
    """
    kept = (pair for pair in pairs if pair[0] not in _DESCRIBES_BODY and pair[0] != "cache-control")
    return (*kept, ("content-length", "0"))


def partial_headers(pairs: Pairs, start: int, stop: int, size: int) -> Pairs:
    """A 206's headers from those of the 200 (RFC 9110 15.3.7)."""
    return (
        *((name, str(stop - start)) if name == "content-length" else (name, value) for name, value in pairs),
        ("content-range", f"bytes {start}-{stop - 1}/{size}"),
    )
