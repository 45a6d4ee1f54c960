"""The response headers of a representation, computed once, when its resource is first asked for.

What depends on content comes from the index, what depends on settings from a :class:`HeaderPolicy`. Names
are in lower case. Adding a header touches this module only.
"""

from __future__ import annotations

from dataclasses import dataclass

from django.utils.http import http_date

from django_asyncstatic.index import Representation, Resource

Pairs = tuple[tuple[str, str], ...]

#: Ten years, as WhiteNoise has it; RFC 8246's ``immutable`` is what matters, the number only has to be long.
IMMUTABLE_MAX_AGE = 315_360_000

#: What describes a body that a 304, 405, 412 or 416 does not have.
_DESCRIBES_BODY = frozenset(
    {"accept-ranges", "content-encoding", "content-length", "content-type", "etag", "last-modified"}
)


class Headers:
    """The pairs of a response, and the same as bytes for ASGI, made when first asked for."""

    __slots__ = ("_raw", "pairs")

    def __init__(self, pairs: Pairs) -> None:
        self.pairs = pairs
        self._raw: list[tuple[bytes, bytes]] | None = None

    @property
    def raw(self) -> list[tuple[bytes, bytes]]:
        """For ASGI. The list is shared by all responses; servers copy it, so must everyone else."""
        if self._raw is None:
            self._raw = [(name.encode("ascii"), value.encode("latin-1")) for name, value in self.pairs]
        return self._raw

    def __repr__(self) -> str:
        return f"Headers({self.pairs!r})"


@dataclass(frozen=True, slots=True)
class HeaderPolicy:
    """What settings say of headers.

    ``max_age`` is in seconds, for resources that are not immutable; ``None`` sends no Cache-Control for
    them. ``charset`` is added to ``text/*``. ``extra`` is added to every response unless the resource has
    that header already: what SecurityMiddleware would have added.
    """

    max_age: int | None = 60
    allow_all_origins: bool = True
    charset: str = "utf-8"
    extra: Pairs = ()


def resource_headers(resource: Resource, policy: HeaderPolicy) -> Pairs:
    """What all representations of a resource have in common."""
    pairs = []
    if resource.immutable:  # RFC 8246
        pairs.append(("cache-control", f"max-age={IMMUTABLE_MAX_AGE}, public, immutable"))
    elif policy.max_age is not None:
        pairs.append(("cache-control", f"max-age={policy.max_age}, public"))
    if len(resource.representations) > 1:
        pairs.append(("vary", "accept-encoding"))  # RFC 9110 12.5.5
    if policy.allow_all_origins:
        pairs.append(("access-control-allow-origin", "*"))
    present = {name for name, _ in pairs}
    pairs += [(name, value) for name, value in policy.extra if name not in present]
    return tuple(pairs)


def representation_headers(resource: Resource, representation: Representation, policy: HeaderPolicy) -> Pairs:
    """The headers of a 200 with this representation."""
    kind = resource.media_type
    if kind.startswith("text/") and policy.charset:
        kind = f"{kind}; charset={policy.charset}"
    pairs = [
        ("content-type", kind),
        ("content-length", str(representation.size)),
        ("etag", representation.etag),
    ]
    if resource.last_modified is not None:
        pairs.append(("last-modified", http_date(resource.last_modified)))
    if representation.coding is not None:
        pairs.append(("content-encoding", representation.coding))
    pairs.append(("accept-ranges", "bytes"))
    return (*pairs, *resource_headers(resource, policy))


def not_modified_headers(pairs: Pairs) -> Pairs:
    """A 304's headers from those of the 200: without what describes a body, but for the ETag (RFC 9110 15.4.5)."""
    return tuple(pair for pair in pairs if pair[0] == "etag" or pair[0] not in _DESCRIBES_BODY)


def bodiless_headers(pairs: Pairs) -> Pairs:
    """An error's headers from those of the 200: nothing that describes a body, and an empty one."""
    return (*(pair for pair in pairs if pair[0] not in _DESCRIBES_BODY), ("content-length", "0"))


def partial_headers(pairs: Pairs, start: int, stop: int, size: int) -> Pairs:
    """A 206's headers from those of the 200 (RFC 9110 15.3.7)."""
    return (
        *((name, str(stop - start)) if name == "content-length" else (name, value) for name, value in pairs),
        ("content-range", f"bytes {start}-{stop - 1}/{size}"),
    )
