"""The decision: (resource, method, fields) to a plan. Pure; reads no file, waits for nothing.

The order of decisions is that of RFC 9110 13.2.2. A plan says what to send and does not hold it; the edges
(middleware, ASGI, WSGI) open its content before they send, and send.
"""

from __future__ import annotations

from typing import NamedTuple
from urllib.parse import quote

from django_asyncstatic.index import Representation, Resource
from django_asyncstatic.serving.fields import Fields
from django_asyncstatic.serving.headers import (
    HeaderPolicy,
    Headers,
    Pairs,
    bodiless_headers,
    not_modified_headers,
    partial_headers,
    representation_headers,
    resource_headers,
)
from django_asyncstatic.serving.negotiation import CACHED_LENGTH, select_representation
from django_asyncstatic.serving.preconditions import Outcome, evaluate, if_range_passes
from django_asyncstatic.serving.ranges import ByteRange, Unsatisfiable, parse_range

ALLOWED_METHODS = "GET, HEAD, OPTIONS"

#: Seconds for which a browser may keep a preflight's answer: a day, Firefox's ceiling.
PREFLIGHT_MAX_AGE = 86_400

#: Different Accept-Encoding fields for which a resource remembers what it selected; browsers send a handful.
SELECTIONS = 16


class Content(NamedTuple):
    """Bytes that are not open yet: a half-open slice of a representation's file."""

    representation: Representation
    start: int
    stop: int

    @property
    def is_whole(self) -> bool:
        return self.start == 0 and self.stop == self.representation.size

    @property
    def length(self) -> int:
        return self.stop - self.start


class Plan(NamedTuple):
    """What to answer. ``content`` is ``None`` where no body is sent (304, HEAD, errors)."""

    status: int
    headers: Headers
    content: Content | None = None


#: What is here cannot be read for the moment (RFC 9110 15.6.4). A 404 would be kept by caches.
UNAVAILABLE = Plan(503, Headers((("retry-after", "1"), ("cache-control", "no-store"), ("content-length", "0"))))


class PreparedRepresentation(NamedTuple):
    """The plans of one representation that do not depend on the request any further."""

    representation: Representation
    pairs: Pairs
    ok: Plan
    head: Plan
    not_modified: Plan


class PreparedResource:
    """A resource with all headers and the usual plans computed: what is kept per resource that was asked for."""

    __slots__ = ("_common", "_prepared", "_selected", "policy", "resource")

    def __init__(self, resource: Resource, policy: HeaderPolicy, *, url: str = "", path: str = "") -> None:
        """``url`` and ``path`` (of the file) are for the policy's function that may change the headers."""
        self.resource = resource
        self.policy = policy
        self._common = resource_headers(resource, policy, url, path)
        self._prepared: dict[str | None, PreparedRepresentation] = {}
        self._selected: dict[str | None, PreparedRepresentation] = {}

    def select(self, accept_encoding: str | None) -> PreparedRepresentation:
        """The selected representation, its plans ready."""
        known = self._selected.get(accept_encoding)
        if known is not None:
            return known
        selected = select_representation(self.resource.representations, accept_encoding)
        prepared = self._prepared.get(selected.coding)
        if prepared is None:
            prepared = self._prepared[selected.coding] = self._prepare(selected)
        if len(self._selected) < SELECTIONS and len(accept_encoding or "") <= CACHED_LENGTH:
            self._selected[accept_encoding] = prepared
        return prepared

    def drop(self, representation: Representation) -> bool:
        """Do without a coded representation whose file is not what the index says; whether that is possible."""
        if representation.coding is None:
            return False
        left = tuple(each for each in self.resource.representations if each.coding != representation.coding)
        self.resource = self.resource._replace(representations=left)
        self._prepared.pop(representation.coding, None)
        self._selected = {}
        return True

    def _prepare(self, representation: Representation) -> PreparedRepresentation:
        pairs = representation_headers(self.resource, representation, self._common)
        headers = Headers(pairs)
        return PreparedRepresentation(
            representation,
            pairs,
            ok=Plan(200, headers, Content(representation, 0, representation.size)),
            head=Plan(200, headers),
            not_modified=Plan(304, Headers(not_modified_headers(pairs))),
        )


def make_plan(prepared: PreparedResource, method: str, fields: Fields) -> Plan:
    """What to answer to a request for this resource. Raises nothing, whatever the client sent."""
    if method not in ("GET", "HEAD"):
        return _other_method(prepared, method, fields)
    accept_encoding = fields.get("accept-encoding")
    selected = prepared.select(accept_encoding)
    if len(fields) == (accept_encoding is not None):  # nothing else that the answer depends on: most requests
        return selected.ok if method == "GET" else selected.head
    representation = selected.representation
    outcome = evaluate(fields, representation.etag, prepared.resource.last_modified)
    if outcome is Outcome.NOT_MODIFIED:
        return selected.not_modified
    if outcome is Outcome.FAILED:  # 15.5.13
        return Plan(412, Headers(bodiless_headers(selected.pairs)))
    if method == "HEAD":  # 9.3.2; Range is defined for GET only (14.2)
        return selected.head
    if (field := fields.get("range")) is not None:
        # 13.2.2, step 5: a failed If-Range makes the request one for the whole.
        if_range = fields.get("if-range")
        if if_range is None or if_range_passes(if_range, representation.etag):
            match parse_range(field, representation.size):
                case ByteRange(start, stop):
                    pairs = partial_headers(selected.pairs, start, stop, representation.size)
                    return Plan(206, Headers(pairs), Content(representation, start, stop))
                case Unsatisfiable():  # 15.5.17
                    pairs = bodiless_headers(selected.pairs)
                    return Plan(416, Headers((*pairs, ("content-range", f"bytes */{representation.size}"))))
    return selected.ok


def make_redirect_plan(location: str, query: bytes, method: str, policy: HeaderPolicy) -> Plan:
    """302 to a reference relative to the path that was asked for, with its query (RFC 9110 15.4.3)."""
    origin = (("access-control-allow-origin", "*"),) if policy.allow_all_origins else ()
    extra = (*origin, *policy.extra)
    if method not in ("GET", "HEAD"):
        return Plan(405, Headers((("allow", "GET, HEAD"), ("content-length", "0"), *extra)))
    # What a client put into the query is a URL's characters or is made so: no field value breaks out of its line.
    location += "?" + quote(query, safe="/:?#[]@!$&'()*+,;=%-._~") if query else ""
    return Plan(302, Headers((("location", location), ("content-length", "0"), *extra)))


def _other_method(prepared: PreparedResource, method: str, fields: Fields) -> Plan:
    """OPTIONS (9.3.7), a CORS preflight (Fetch standard, 3.2.2), or 405 (15.5.6)."""
    pairs = bodiless_headers(prepared.select(None).pairs)
    pairs = (
        ("allow", ALLOWED_METHODS),
        *(pair for pair in pairs if pair[0] not in ("cache-control", "vary")),
    )
    if method != "OPTIONS":
        return Plan(405, Headers(pairs))
    if prepared.policy.allow_all_origins and "origin" in fields and "access-control-request-method" in fields:
        pairs += (
            ("access-control-allow-methods", ALLOWED_METHODS),
            ("access-control-allow-headers", "*"),
            ("access-control-max-age", str(PREFLIGHT_MAX_AGE)),
        )
    return Plan(200, Headers(pairs))
