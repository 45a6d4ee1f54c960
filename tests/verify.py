"""Checks a row of the table of cases against whatever answers it."""

from __future__ import annotations

import re
import time
from collections.abc import Callable
from pathlib import Path
from urllib.parse import unquote

from django.utils.http import http_date

from django_asyncstatic.index import INDEX_NAME, Resource, StaticIndex
from tests.cases import TEXT, Case
from tests.edges import Response

#: Method, path below the host, header fields.
Ask = Callable[[str, str, list[tuple[str, str]]], Response]


def ask_case(case: Case, root: Path, ask: Ask) -> Response:
    """Ask for a row, its placeholders filled from the index of a collected root."""
    found = resource_of(case, root)
    path = case.path.replace("{hash}", resource(root, TEXT).identity.file.split(".")[1])
    return ask(case.method, "/static/" + path, [(name, _fill(value, found)) for name, value in case.fields])


def verify_case(case: Case, root: Path, ask: Ask) -> None:
    """Ask, and compare status, headers and bytes with what the row says."""
    response = ask_case(case, root, ask)
    assert response.status == case.status, case.name
    if case.status == 404:  # the application's own answer
        assert response.headers.get("etag") is None, case.name
        return
    found = resource_of(case, root)
    for name, value in case.headers.items():
        expected = value if value is None else _fill(value, found)
        assert response.headers.get(name) == expected, f"{case.name}: {name}"
    body = _expected_body(case, root, found)
    assert response.body == body, case.name
    if case.method != "HEAD" and case.status != 304:
        assert response.headers["content-length"] == str(len(body)), case.name


def resource(root: Path, path: str) -> Resource:
    found = StaticIndex.load(root / INDEX_NAME).get(path)
    assert found is not None, path
    return found


def resource_of(case: Case, root: Path) -> Resource:
    """The resource a row is about; where the path names none, the text."""
    path = unquote(case.path.partition("?")[0]).replace(".{hash}", "")
    return resource(root, TEXT if case.status == 404 else path)


def _fill(value: str, found: Resource) -> str:
    assert found.last_modified is not None
    tags = {each.coding: each.etag for each in found.representations}
    moment = time.gmtime(found.last_modified)
    fillings = {
        "etag": tags[None],
        "date": http_date(found.last_modified),
        "date:rfc850": time.strftime("%A, %d-%b-%y %H:%M:%S GMT", moment),
        "date:asctime": time.strftime("%a %b %e %H:%M:%S %Y", moment),
        "earlier": http_date(found.last_modified - 1),
        "later": http_date(found.last_modified + 1),
        **{f"etag:{coding}": tag for coding, tag in tags.items()},
    }
    return re.sub(r"\{([a-z:0-9]+)\}", lambda match: fillings[match[1]], value)


def _expected_body(case: Case, root: Path, found: Resource) -> bytes:
    if isinstance(case.body, bytes):
        return case.body
    coding = case.body if isinstance(case.body, str) and case.body != "identity" else None
    representation = next(each for each in found.representations if each.coding == coding)
    data = (root / representation.file).read_bytes()
    if isinstance(case.body, slice):
        return data[case.body]
    return data[:10] if case.status == 206 else data
