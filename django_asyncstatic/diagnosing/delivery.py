"""Delivery: the headers with which each family of files is sent, and, if its address is given, what the site sends."""

from __future__ import annotations

import inspect
import re
import traceback
from collections.abc import Callable, Iterable, Iterator
from contextlib import suppress
from pathlib import Path
from typing import Any, NamedTuple

from django.conf import settings

from django_asyncstatic import conf
from django_asyncstatic.diagnosing.asking import Asker, InvalidURL, Unanswered
from django_asyncstatic.diagnosing.content_security import is_another_host, policies_sent
from django_asyncstatic.diagnosing.expected import (
    Expected,
    choose_extremes,
    choose_families,
    current_resource,
    directives_of,
)
from django_asyncstatic.diagnosing.findings import Finding, Place, check
from django_asyncstatic.diagnosing.project import Project
from django_asyncstatic.diagnosing.site import SiteComparison, spelled
from django_asyncstatic.index import StaticIndex
from django_asyncstatic.serving.mounts import normalize_prefix
from django_asyncstatic.serving.plans import PreparedResource

ADD_HEADERS = "ASYNCSTATIC_ADD_HEADERS_FUNCTION"
IMMUTABLE_TEST = "ASYNCSTATIC_IMMUTABLE_FILE_TEST"

#: What nobody writes into a name that stays the same: a digit, or eight characters and more with a capital inside.
_MAY_BE_HASHED = re.compile(r"[0-9]|[.-](?=[\w-]*[a-z][A-Z])[\w-]{8,}\.")

#: Headers that are another one for each file.
_OF_THE_FILE = {"content-length", "etag", "last-modified"}

#: What browsers fetch with CORS, whatever the page says (Fetch standard, CSS fonts 4.9, HTML 8.1.4.2).
_WANTS_CORS = ("font/", "application/wasm")


class FunctionFails(Exception):
    """A function of the project's, which serving calls for this name, raised the cause of this."""


class HeaderRow(NamedTuple):
    """What is sent with one name of a family: the codings that there are of it, and its headers without any.

    ``knows_security`` is false where SecurityMiddleware was not asked for its headers.
    """

    family: str
    name: str
    media_type: str
    is_hashed: bool
    codings: tuple[str, ...]
    headers: dict[str, str]
    knows_security: bool


def header_rows(project: Project) -> list[HeaderRow]:
    """What would be sent over https: a row or two for each family. Raises :class:`FunctionFails`."""
    if project.index is None:
        return []
    expected = Expected(project, is_secure=True)
    return [
        _row(family, name, prepared, expected)
        for family, names in choose_families(project.collected).items()
        for name in names
        if (prepared := _prepared(expected, name)) is not None
    ]


def describe(project: Project) -> str:
    """For a person: each family's codings and Cache-Control, and under it the headers that all have."""
    try:
        rows = header_rows(project)
    except FunctionFails:  # E070
        return ""
    if not rows:
        return ""
    headers = [{(key, value) for key, value in row.headers.items() if key not in _OF_THE_FILE} for row in rows]
    shared = set.intersection(*headers)
    cells = [("family", "names", "codings", "headers")]
    for row, pairs in zip(rows, headers, strict=True):
        own = "; ".join(f"{key}: {value}" for key, value in sorted(pairs - shared))
        cells.append((row.family, "hashed" if row.is_hashed else "plain", " ".join(row.codings) or "none", own))
    widths = [max(len(row[column]) for row in cells) for column in range(len(cells[0]))]
    lines = ["  ".join(cell.ljust(width) for cell, width in zip(row, widths, strict=True)).rstrip() for row in cells]
    return "\n".join([*lines, *(f"all: {key}: {value}" for key, value in sorted(shared))])


def _row(family: str, name: str, prepared: PreparedResource, expected: Expected) -> HeaderRow:
    resource = prepared.resource
    codings = tuple(each.coding for each in resource.representations if each.coding is not None)
    headers = dict(prepared.select(None).pairs)
    is_hashed, kind = resource.immutable, resource.media_type
    return HeaderRow(family, name, kind, is_hashed, codings, headers, expected.knows_security)


def _prepared(expected: Expected, name: str) -> PreparedResource | None:
    try:
        return expected.get(name)
    except (Exception, SystemExit) as error:  # it may do anything
        raise FunctionFails(name) from error


@check(
    "delivery",
    E070="a function that serving calls fails",
    W042="a browser refuses files from another host without CORS",
    W043="a file is immutable without a hash in its name, or not immutable with one",
    I071="browsers guess types, for there is no nosniff",
    I072="browsers guess how long they may keep plain names",
)
def check_headers(project: Project) -> Iterator[Finding]:
    """E070, W042, W043, I071, I072: what would be sent, computed by what sends it."""
    if project.index is None:
        return
    try:
        by_rule = _immutable_by_rule(project, project.index)
    except FunctionFails as error:
        yield _function_fails(IMMUTABLE_TEST, error)
        return
    try:
        rows = header_rows(project)
    except FunctionFails as error:
        yield _function_fails(ADD_HEADERS, error)
        return
    yield from _immutability(by_rule, rows)
    yield from _without_cors(rows)
    yield from _without_nosniff(rows)
    if any("cache-control" not in row.headers for row in rows if not row.is_hashed):
        yield Finding(
            "asyncstatic.I072",
            "Plain names are sent without Cache-Control: browsers keep them for a time of their own (RFC 9111 4.2.2),"
            " often a tenth of the file's age.",
            "Set ASYNCSTATIC_MAX_AGE to a number of seconds; 0 has them ask each time.",
            subject="ASYNCSTATIC_MAX_AGE",
        )


def _immutable_by_rule(project: Project, index: StaticIndex) -> list[str]:
    """The plain names that ASYNCSTATIC_IMMUTABLE_FILE_TEST takes and that cannot have a hash."""
    test = conf.header_policy().immutable_file_test
    if test is None:
        return []
    root, prefix = project.place.root or Path(), conf.static_prefix()
    found = []
    for name in index:
        if _MAY_BE_HASHED.search(name.rpartition("/")[2]):
            continue
        resource = current_resource(index, name)
        if resource is None or resource.immutable:
            continue
        try:
            if test(str(root / resource.identity.file), normalize_prefix(prefix) + name):
                found.append(name)
        except (Exception, SystemExit) as error:  # it may do anything
            raise FunctionFails(name) from error
    return found


def _immutability(by_rule: list[str], rows: Iterable[HeaderRow]) -> Iterator[Finding]:
    changing, lasting = list(by_rule), []
    for row in rows:
        is_immutable = "immutable" in directives_of(row.headers.get("cache-control"))
        if row.is_hashed and not is_immutable:
            lasting.append(row.name)
        elif is_immutable and not row.is_hashed and not _MAY_BE_HASHED.search(row.name.rpartition("/")[2]):
            changing.append(row.name)
    if changing := list(dict.fromkeys(changing)):
        yield Finding(
            "asyncstatic.W043",
            f"Names without a hash are sent as immutable ({spelled(changing)}): who has them never sees a change.",
            f"Narrow {IMMUTABLE_TEST} or {ADD_HEADERS} down to names with a hash.",
            subject=IMMUTABLE_TEST if by_rule else ADD_HEADERS,
        )
    if lasting:
        yield Finding(
            "asyncstatic.W043",
            f"Names with a hash are not sent as immutable ({spelled(lasting)}): browsers ask again for"
            " what cannot change.",
            f"Leave Cache-Control of hashed names as it is in {ADD_HEADERS}.",
            subject=ADD_HEADERS,
        )


def _without_cors(rows: Iterable[HeaderRow]) -> Iterator[Finding]:
    if not is_another_host(_static_url(), settings.ALLOWED_HOSTS):
        return
    names = [
        row.name
        for row in rows
        if "access-control-allow-origin" not in row.headers
        and (row.media_type.startswith(_WANTS_CORS) or row.name.endswith(".mjs"))
    ]
    if names:
        yield Finding(
            "asyncstatic.W042",
            f"STATIC_URL is on another host than the pages, and {spelled(names)} would come without"
            " Access-Control-Allow-Origin: browsers refuse fonts, modules and WebAssembly without it.",
            "Leave ASYNCSTATIC_ALLOW_ALL_ORIGINS at its default, True, or add the header for your own origins.",
            subject="ASYNCSTATIC_ALLOW_ALL_ORIGINS",
        )


def _static_url() -> str:
    with conf.urls_not_fixed():
        url: str = settings.STATIC_URL
    return url


def _without_nosniff(rows: Iterable[HeaderRow]) -> Iterator[Finding]:
    names = [
        row.name
        for row in rows
        if row.knows_security and row.headers.get("x-content-type-options", "").lower() != "nosniff"
    ]
    if names:
        yield Finding(
            "asyncstatic.I071",
            f"Without X-Content-Type-Options: nosniff browsers may take a file for another type ({spelled(names)}).",
            "Put django.middleware.security.SecurityMiddleware at the top of MIDDLEWARE, with"
            " SECURE_CONTENT_TYPE_NOSNIFF at its default, True; or let the proxy add the header.",
            subject="SECURE_CONTENT_TYPE_NOSNIFF",
        )


def _function_fails(setting: str, error: FunctionFails) -> Finding:
    cause = error.__cause__ or error
    return Finding(
        "asyncstatic.E070",
        f"{setting} fails for {error}, and so would every request for it: {type(cause).__name__}: {cause}",
        "Mend it. It is called with the arguments that the settings page names, and may set what a header can hold.",
        _line_of(getattr(settings, setting), cause),
        subject=setting,
    )


def _line_of(function: Callable[..., Any], error: BaseException) -> Place | None:
    """The function's line that raised, or its first, for what only its result is wrong with."""
    code = getattr(inspect.unwrap(function), "__code__", None)
    if code is None:
        return None
    raised = [frame for frame in traceback.extract_tb(error.__traceback__) if frame.filename == code.co_filename]
    return Place(code.co_filename, (raised[-1].lineno if raised else None) or code.co_firstlineno)


@check("delivery", I063="a Content-Security-Policy forbids static files")
def check_content_security(project: Project) -> Iterator[Finding]:
    """I063: SECURE_CSP, or django-csp's policy, against STATIC_URL."""
    policies = list(policies_sent())
    if not policies or project.index is None:
        return
    url, families = _static_url(), choose_families(project.collected)
    for policy in policies:
        for family, directive, source in policy.forbidden(families, url, settings.ALLOWED_HOSTS):
            yield Finding(
                "asyncstatic.I063",
                f"{policy.setting} keeps pages from loading {family} from {url}: its {directive} does not allow it.",
                f"Add {source} to {directive}.",
                subject=f"{policy.setting} {directive}",
            )


@check(
    "delivery",
    W050="a name that does not exist is answered as if it did",
    E073="the address of the site is none that can be asked",
    E074="the site does not answer",
    E075="the site answers with what browsers cannot use",
    E076="the site has another release than the index",
    W077="what collectstatic compressed does not arrive",
    W078="an entity tag is lost or changed on the way",
    W079="Vary is lost or changed on the way",
    W080="Cache-Control is changed on the way",
    W081="a header is lost or changed on the way",
    W082="a range is not answered as one",
    W083="HEAD or a conditional request is not answered as one",
    I084="a length is lost on the way",
    I085="there is nothing to compare the site with",
)
def check_site(project: Project) -> Iterator[Finding]:
    """E073 to I085, W050: the running site against the index; asked only if its address is given."""
    if project.url is None:
        return
    try:
        asker = Asker(project.url, conf.script_name() or "")
    except InvalidURL as error:
        hint = "Give the base of the site, with its script name if it has one: https://example.org/."
        yield Finding("asyncstatic.E073", f"--url cannot be asked: {error}.", hint, subject="--url")
        return
    index = project.index
    if index is None or not len(index):
        hint = "Run this where the release was collected that the site serves."
        yield Finding("asyncstatic.I085", f"There is no index to compare {asker.url} with.", hint, subject="--url")
        return
    names = [name for family in choose_families(project.collected).values() for name in family]
    expected = Expected(project, is_secure=asker.is_secure)
    resources = _resources(expected, [*names, *choose_extremes(project.collected)])
    comparison = SiteComparison(asker, asker.join(conf.static_prefix()), resources)
    try:
        comparison.run()
    except Unanswered as error:
        hint = "Give the address at which the site answers by itself, and ask from where it can be reached."
        yield Finding("asyncstatic.E074", f"{asker.url} {error}.", hint, subject="--url")
    yield from comparison.findings()


def _resources(expected: Expected, names: Iterable[str]) -> dict[str, PreparedResource]:
    resources = {}
    for name in names:
        with suppress(FunctionFails):  # E070
            if (prepared := _prepared(expected, name)) is not None:
                resources[name] = prepared
    return resources
