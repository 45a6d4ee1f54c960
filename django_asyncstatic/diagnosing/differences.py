"""What may differ between a plan of serving's and what arrived. Pure: an expectation and an answer, differences out.

What RFC 9110 and 9111 leave to a proxy is none: Date, Server, Age, Via, Transfer-Encoding, the order of directives,
members added to Vary.
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator
from hashlib import sha256
from typing import NamedTuple

from django.utils.http import parse_header_parameters

from django_asyncstatic.diagnosing.asking import Answer, shown
from django_asyncstatic.diagnosing.decoding import decode
from django_asyncstatic.diagnosing.expected import directives_of
from django_asyncstatic.index import DIGEST_DIGITS, Representation
from django_asyncstatic.serving.negotiation import parse_accept_encoding
from django_asyncstatic.serving.plans import Plan, PreparedResource

UNUSABLE = "asyncstatic.E075"
OTHER_RELEASE = "asyncstatic.E076"
SOFT_404 = "asyncstatic.W050"
CODING = "asyncstatic.W077"
ETAG = "asyncstatic.W078"
VARY = "asyncstatic.W079"
CACHE_CONTROL = "asyncstatic.W080"
HEADER = "asyncstatic.W081"
RANGE = "asyncstatic.W082"
METHOD = "asyncstatic.W083"
LENGTH = "asyncstatic.I084"

HINTS = {
    UNUSABLE: "Browsers cannot use it: look at what stands between them and the application, and at its log.",
    OTHER_RELEASE: "Deploy what was collected here, restart what serves an older index, or run this where the release"
    " was collected that the site has. In the middle of a deploy, wait for its end.",
    SOFT_404: "Answer 404 to what is not there: otherwise a broken page shows no error, and caches keep the wrong"
    " answer. Take the static files out of the catch-all (try_files, an error page, a login).",
    CODING: "Let the proxy pass Accept-Encoding on as it came, and leave alone what has a Content-Encoding: what"
    " collectstatic compressed is smaller, and costs nothing per request.",
    ETAG: "Without the strong entity tag downloads do not resume, and caches fetch whole bodies again. Proxies weaken"
    " or remove it where they compress themselves (RFC 9110 8.8.1): let them pass on what is compressed already.",
    VARY: "A shared cache may give one client's coding to another (RFC 9110 12.5.5): let it pass as it is.",
    CACHE_CONTROL: "Something on the way sets its own: take its rule for expiry or caching off the static files, whose"
    " time follows from the hash in the name and ASYNCSTATIC_MAX_AGE.",
    HEADER: "Let it pass as it is. If headers of SecurityMiddleware are missing over https only, Django does not know"
    " that the request was secure: see SECURE_PROXY_SSL_HEADER.",
    RANGE: "Downloads do not resume, and Safari plays no video: let the proxy pass Range, If-Range and Content-Range.",
    METHOD: "Let the proxy pass the method and If-None-Match, and keep the fields of GET for HEAD and 304.",
    LENGTH: "RFC 9112 6.3 allows it, but browsers can show no progress; a proxy that does not change the body has no"
    " reason for it.",
}

OTHER_BYTES = "Other bytes than the hash in the name says"

#: How much longer than the file an answer may be and still be looked at: no coding adds as much.
SLACK = 1 << 16

#: Compared by themselves, or following from what is.
_NOT_COMPARED = frozenset(
    {"accept-ranges", "cache-control", "content-encoding", "content-length", "etag", "last-modified", "vary"}
)

#: In which HEAD is to be like GET (RFC 9110 9.3.2).
_SAME_FOR_HEAD = ("cache-control", "content-encoding", "content-length", "content-type", "etag", "vary")


class Difference(NamedTuple):
    """``what`` differs, in the same words for all names that are put together; ``example`` is of one name."""

    id: str
    what: str
    example: str = ""


class NotTheResource(Exception):
    """It is not the resource that arrived; ``difference`` says what is."""

    def __init__(self, *difference: str) -> None:
        super().__init__(*difference)
        self.difference = Difference(*difference)


def check_status(expected: int, answer: Answer) -> None:
    """Raises :class:`NotTheResource` for an answer with another status."""
    if answer.status == expected:
        return
    if answer.status in (404, 410):
        raise NotTheResource(OTHER_RELEASE, f"Answered with {answer.status}, as by a site with another release")
    example = f"to {shown(answer.get('location') or 'nowhere')}" if 300 <= answer.status < 400 else ""
    raise NotTheResource(UNUSABLE, f"Answered with {answer.status}", example)


def body_of(prepared: PreparedResource, answer: Answer, accept_encoding: str) -> bytes:
    """The decoded body of a 200. Raises :class:`NotTheResource` if it is not the file's."""
    resource = prepared.resource
    coding = coding_of(answer)
    if coding is not None and not parse_accept_encoding(accept_encoding).get(coding, 0.0):
        example = f"{shown(coding)} for Accept-Encoding: {accept_encoding}"
        raise NotTheResource(UNUSABLE, "Sent in a content coding that was not accepted", example)
    size = resource.identity.size
    if not answer.is_longer:
        try:
            body = decode(answer.body, coding, SLACK + size)
        except ValueError as error:
            raise NotTheResource(UNUSABLE, f"Cannot be decoded from {coding}", f"bytes {shown(str(error))}") from None
        if sha256(body).hexdigest() == resource.sha256:
            return body
        example = _instead(f"{size} bytes", f"{len(body)}")
    else:
        example = _instead(f"{size} bytes", f"more than {len(answer.body)}")
    if resource.immutable:
        raise NotTheResource(UNUSABLE, OTHER_BYTES, example)
    raise NotTheResource(OTHER_RELEASE, "Other bytes under a plain name, as by a site with another release", example)


def coding_of(answer: Answer) -> str | None:
    coding = (answer.get("content-encoding") or "").strip().lower()
    return coding if coding not in ("", "identity") else None


def compare_whole(prepared: PreparedResource, plan: Plan, answer: Answer, accept_encoding: str) -> Iterator[Difference]:
    """A 200 whose body is the resource's, against the plan for it."""
    assert plan.content is not None
    digest = sha256(answer.body).hexdigest()[:DIGEST_DIGITS]
    # What stands between may have another of ours, where it changed Accept-Encoding, or one of its own making.
    arrived = next((each for each in prepared.resource.representations if each.digest == digest), None)
    selected, coding = plan.content.representation, coding_of(answer)
    is_better = selected.coding is None and len(answer.body) < selected.size
    if arrived is None and is_better:
        pass  # collectstatic found nothing worth keeping; who compresses it may
    elif arrived is None:
        example = _instead(f"{selected.coding or 'identity'}, {selected.size} bytes", f"{len(answer.body)} bytes")
        yield Difference(CODING, f"Compressed on the way ({coding})", example)
    elif arrived.coding != selected.coding:
        what = "Not compressed" if coding is None else f"Sent as {coding}, which is not what is best"
        yield Difference(CODING, what, _instead(selected.coding, coding) + f" for Accept-Encoding: {accept_encoding}")
    if arrived is not None or not is_better:
        yield from _compare_etag(prepared, arrived, answer.get("etag"))
    yield from _compare_vary(plan, answer)
    yield from _compare_headers(prepared, plan, answer)
    if arrived is not None and answer.get("content-length") is None:
        yield Difference(LENGTH, "Content-Length is not sent")


def _compare_etag(
    prepared: PreparedResource, arrived: Representation | None, received: str | None
) -> Iterator[Difference]:
    ours = {each.etag for each in prepared.resource.representations}
    expected = None if arrived is None else arrived.etag
    if received is not None and received == expected:
        return
    if received is None:
        what = "is missing"
    elif received.startswith("W/") and received[2:] in ours:
        what = "is weakened"
    elif received in ours:
        what = "is that of other bytes (RFC 9110 8.8.3.3)"
    elif arrived is not None:
        what = "is another one"
    else:  # who compresses anew makes another representation, and its tag
        return
    yield Difference(ETAG, f"The entity tag {what}", _instead(expected or "one of its own", received))


def _compare_vary(plan: Plan, answer: Answer) -> Iterator[Difference]:
    expected, received = dict(plan.headers.pairs).get("vary"), answer.get("vary")
    wanted, members = (
        {member.strip().lower() for member in (value or "").split(",")} - {""} for value in (expected, received)
    )
    if coding_of(answer) is not None:
        wanted.add("accept-encoding")
    if wanted - members and "*" not in members:
        yield Difference(VARY, "Vary was removed or cut", _instead(", ".join(sorted(wanted)), received))
    elif too_many := (members & {"*", "cookie", "user-agent"}) - wanted:
        what = f"Vary names {', '.join(sorted(too_many))}: shared caches keep a copy for each visitor, or none"
        yield Difference(VARY, what, _instead(expected, received))


def _compare_headers(prepared: PreparedResource, plan: Plan, answer: Answer) -> Iterator[Difference]:
    """The fields that do not depend on the representation."""
    pairs = dict(plan.headers.pairs)
    expected, received = pairs.get("cache-control"), answer.get("cache-control")
    if directives_of(expected) != directives_of(received):
        of = "hashed" if prepared.resource.immutable else "plain"
        yield Difference(CACHE_CONTROL, f"Cache-Control of {of} names is another", _instead(expected, received))
    for header, value in pairs.items():
        received = answer.get(header)
        if header not in _NOT_COMPARED and not _is_same(header, value, received):
            what = f"{header} is {'missing' if received is None else 'another'}"
            yield Difference(HEADER, what, _instead(value, received))
    if answer.get("set-cookie") is not None:
        yield Difference(HEADER, "set-cookie comes with static files, which shared caches then do not keep")


def _is_same(header: str, expected: str, received: str | None) -> bool:
    if received is None:
        return False
    if header != "content-type":
        return " ".join(expected.split()) == " ".join(received.split())
    kind, parameters = parse_header_parameters(expected)
    received_kind, received_parameters = parse_header_parameters(received)
    return kind == received_kind and all(
        received_parameters.get(name, "").lower() == value.lower() for name, value in parameters.items()
    )


def compare_tags(answers: Iterable[Answer]) -> Iterator[Difference]:
    """Answers in several codings: a strong tag stands for one sequence of bytes (RFC 9110 8.8.1)."""
    bodies: dict[str, set[bytes]] = {}
    for answer in answers:
        bodies.setdefault(answer.get("etag") or "W/", set()).add(answer.body)
    for tag, different in bodies.items():
        if len(different) > 1 and not tag.startswith("W/"):
            yield Difference(ETAG, "One strong entity tag for several codings, which caches then mix", shown(tag))


def compare_head(to_get: Answer, answer: Answer) -> Iterator[Difference]:
    if answer.status != to_get.status:
        yield Difference(METHOD, "HEAD has another status than GET", _instead(str(to_get.status), str(answer.status)))
        return
    if answer.has_stray_bytes:
        yield Difference(METHOD, "HEAD is answered with a body, which is taken for the next answer")
    for header in _SAME_FOR_HEAD:
        expected, received = to_get.get(header), answer.get(header)
        # The length may be left out (RFC 9110 8.6), but may not be another.
        if expected != received and not (header == "content-length" and None in (expected, received)):
            yield Difference(METHOD, f"HEAD has another {header} than GET", _instead(expected, received))


def compare_range(plan: Plan, answer: Answer, body: bytes | None) -> Iterator[Difference]:
    """A request for a range; ``body`` is the whole one where it is known."""
    assert plan.content is not None
    start, stop = plan.content.start, plan.content.stop
    if answer.status in (404, 410):
        yield Difference(OTHER_RELEASE, f"Answered with {answer.status}, as by a site with another release")
        return
    if answer.status != plan.status:
        what = "Range is ignored" if answer.status == 200 else "Range is not answered"
        yield Difference(RANGE, what, _instead(str(plan.status), str(answer.status)))
        return
    expected, received = dict(plan.headers.pairs)["content-range"], answer.get("content-range")
    if received != expected:
        yield Difference(RANGE, "Content-Range is another", _instead(expected, received))
    elif answer.is_longer or len(answer.body) != stop - start or (body is not None and answer.body != body[start:stop]):
        yield Difference(RANGE, "A range has other bytes than the file", expected)


def compare_if_range(answer: Answer) -> Iterator[Difference]:
    """A range of another version was asked for."""
    if answer.status == 206:
        yield Difference(RANGE, "If-Range is ignored: resumed downloads mix two versions (RFC 9110 13.1.5)")


def compare_revalidation(etag: str, answer: Answer) -> Iterator[Difference]:
    """The entity tag that came was sent back, as a browser does."""
    if answer.status == 200:
        yield Difference(METHOD, "If-None-Match is ignored: the whole file comes again", shown(etag))
    elif answer.status != 304:
        yield Difference(METHOD, "If-None-Match has another answer", _instead("304", str(answer.status)))
    elif answer.has_stray_bytes:
        yield Difference(METHOD, "A 304 has a body, which is taken for the next answer")
    elif (answer.get("etag") or "").removeprefix("W/") != etag.removeprefix("W/"):
        yield Difference(METHOD, "A 304 has another ETag than the 200", _instead(etag, answer.get("etag")))


def compare_missing(answer: Answer) -> Iterator[Difference]:
    """A name that cannot exist was asked for."""
    what = f"A name that does not exist is answered with {answer.status}"
    if 200 <= answer.status < 300:
        yield Difference(SOFT_404, what, shown(answer.get("content-type") or "without a type"))
    elif 300 <= answer.status < 400:
        yield Difference(SOFT_404, what, f"to {shown(answer.get('location') or 'nowhere')}")
    elif answer.status >= 500:
        yield Difference(UNUSABLE, what)


def _instead(expected: str | None, received: str | None) -> str:
    return f"expected {shown(expected or 'none')}, received {'none' if received is None else shown(received)}"
