"""The running site against the index: which requests are made, for which names, and who was seen on the way.

A few dozen requests at most: a name or two for each family of files, then one resource in every coding, in ranges, and
again by its entity tag. The first that stays without an answer ends it.
"""

from __future__ import annotations

import secrets
from collections.abc import Iterable, Iterator, Mapping

from django.utils.encoding import filepath_to_uri

from django_asyncstatic.codings import CODINGS
from django_asyncstatic.diagnosing import differences
from django_asyncstatic.diagnosing.asking import Answer, Asker, Unanswered, shown
from django_asyncstatic.diagnosing.differences import Difference, NotTheResource
from django_asyncstatic.diagnosing.findings import Finding
from django_asyncstatic.serving.plans import PreparedResource, make_plan

#: What browsers send, without deflate, which is of two minds (RFC 9110 8.4.1.2) and made by nobody.
BROWSER = "gzip, br, zstd"

#: A file above this is asked for in part only.
WHOLE_SIZE = 4 << 20

#: Names that a finding spells out.
_NAMED = 3

#: Fields by which those on the way make themselves known, and who has them.
_TRACES = {
    "server": "",
    "via": "",
    "x-cache": "a cache",
    "x-served-by": "a cache",
    "cf-ray": "Cloudflare",
    "x-amz-cf-id": "CloudFront",
    "x-fastly-request-id": "Fastly",
    "x-varnish": "Varnish",
    "x-akamai-request-id": "Akamai",
    "x-vercel-id": "Vercel",
    "fly-request-id": "Fly.io",
}


class SiteComparison:
    """One site, asked for ``resources`` by name; ``base`` is the path under which they are. Keeps what differs."""

    def __init__(self, asker: Asker, base: str, resources: Mapping[str, PreparedResource]) -> None:
        self._asker = asker
        self._base = base
        self._resources = resources
        self._seen: set[str] = set()
        #: By id and words: an example, and the names that have the difference.
        self._differences: dict[tuple[str, str], tuple[str, list[str]]] = {}
        self._traces: dict[str, str] = {}

    def run(self) -> None:
        """Ask. Raises :class:`Unanswered` as soon as the site stops answering."""
        for name in self._resources:
            if self._size(name) <= WHOLE_SIZE and self._get(name, BROWSER) is not None:
                self._seen.add(name)
        if self._seen:
            names = [name for name in self._resources if name in self._seen]
            self._ask_variously(max(names, key=lambda name: len(self._resources[name].resource.representations)))
            self._ask_for_missing()
            largest = max(self._resources, key=self._size)
            if largest in self._seen or self._size(largest) > WHOLE_SIZE:
                self._ask_range(largest, "bytes=0-1023", None)

    def _size(self, name: str) -> int:
        return self._resources[name].resource.identity.size

    def _ask(self, method: str, name: str, fields: dict[str, str], limit: int = 0) -> Answer:
        answer = self._asker.ask(method, self._base + filepath_to_uri(name), fields, limit=limit)
        for trace in _TRACES:
            if (value := answer.get(trace)) is not None:
                self._traces.setdefault(trace, value)
        return answer

    def _get(self, name: str, accept_encoding: str) -> Answer | None:
        """GET, compared with its plan; ``None`` if something else than the resource arrived."""
        prepared, fields = self._resources[name], {"accept-encoding": accept_encoding}
        plan = make_plan(prepared, "GET", fields)
        answer = self._ask("GET", name, fields, self._size(name) + differences.SLACK)
        if not self._seen and 300 <= answer.status < 400:
            raise Unanswered(f"redirects static files to {shown(answer.get('location') or 'nowhere')}")
        try:
            differences.check_status(plan.status, answer)
            differences.body_of(prepared, answer, accept_encoding)
        except NotTheResource as error:
            self._keep(name, [self._judged(name, error.difference)])
            return None
        self._keep(name, differences.compare_whole(prepared, plan, answer, accept_encoding))
        return answer

    def _judged(self, name: str, difference: Difference) -> Difference:
        """What looks like another release by itself may be something else beside the other answers."""
        if difference.id != differences.OTHER_RELEASE:
            return difference
        if name in self._seen:
            what = "Answered once and not again, as by workers or hosts with different releases"
            return Difference(difference.id, what, difference.what)
        if (differences.UNUSABLE, differences.OTHER_BYTES) in self._differences:  # what changes one changes both
            return Difference(differences.UNUSABLE, differences.OTHER_BYTES, difference.example)
        return difference

    def _ask_variously(self, name: str) -> None:
        """In each coding alone, in none, with one refused; HEAD; parts; whether it has changed."""
        answers = {each: self._get(name, each) for each in ("identity", *CODINGS, "gzip;q=0")}
        self._keep(name, differences.compare_tags(each for each in answers.values() if each is not None))
        for accept_encoding in ("identity", "gzip"):
            if (answer := answers[accept_encoding]) is not None:
                fields = {"accept-encoding": accept_encoding}
                self._keep(name, differences.compare_head(answer, self._ask("HEAD", name, fields)))
                if (etag := answer.get("etag")) is not None:
                    fields["if-none-match"] = etag
                    self._keep(name, differences.compare_revalidation(etag, self._ask("GET", name, fields)))
        if (answer := answers["identity"]) is not None and answer.body:
            for field in ("bytes=0-9", "bytes=-5"):
                self._ask_range(name, field, answer.body)
            fields = {"accept-encoding": "identity", "range": "bytes=0-9", "if-range": '"another"'}
            self._keep(name, differences.compare_if_range(self._ask("GET", name, fields)))

    def _ask_range(self, name: str, field: str, body: bytes | None) -> None:
        fields = {"accept-encoding": "identity", "range": field}
        plan = make_plan(self._resources[name], "GET", fields)
        if plan.status == 206 and plan.content is not None:  # an empty file has no ranges
            answer = self._ask("GET", name, fields, plan.content.length)
            self._keep(name, differences.compare_range(plan, answer, body))

    def _ask_for_missing(self) -> None:
        name = f"no-such-file-{secrets.token_hex(8)}.css"
        answer = self._ask("GET", name, {"accept-encoding": BROWSER}, differences.SLACK)
        self._keep(name, differences.compare_missing(answer))

    def _keep(self, name: str, found: Iterable[Difference]) -> None:
        for each in found:
            names = self._differences.setdefault((each.id, each.what), (each.example, []))[1]
            if name not in names:
                names.append(name)

    def findings(self) -> Iterator[Finding]:
        url = self._asker.url_of(self._base)
        if not self._seen and {each for each, _ in self._differences} == {differences.OTHER_RELEASE}:
            message = f"None of {len(self._resources)} static files that were asked for is at {url}."
            hint = "Is this the base of the site, and are its static files there? See STATIC_URL and what serves it."
            yield Finding(differences.UNUSABLE, message, hint, subject=url)
            return
        for (found_id, what), (example, names) in self._differences.items():
            message = f"{what}: {example} ({spelled(names)})." if example else f"{what} ({spelled(names)})."
            hint = f"{differences.HINTS[found_id]}{self._on_the_way()}"
            yield Finding(found_id, message, hint, subject=f"{url} {what}")

    def _on_the_way(self) -> str:
        """Who let itself be seen in the answers."""
        seen = [
            f"{trace}: {shown(value)}" + (f" ({_TRACES[trace]})" if _TRACES[trace] else "")
            for trace, value in self._traces.items()
        ]
        return f" The answers came with {', '.join(seen)}." if seen else ""


def spelled(names: list[str]) -> str:
    """``a, b, c and 4 more``."""
    more = f" and {len(names) - _NAMED} more" if len(names) > _NAMED else ""
    return ", ".join(names[:_NAMED]) + more
