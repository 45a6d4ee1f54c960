"""The table of cases against every edge."""

from __future__ import annotations

import re
from pathlib import Path

import pytest
from django.utils.http import http_date

from django_asyncstatic.index import Resource, StaticIndex
from tests.cases import CASES, TEXT, Case
from tests.edges import EDGES

pytestmark = pytest.mark.usefixtures("static_root")

#: What SecurityMiddleware adds, the pure plan does not know of.
SECURITY = {"x-content-type-options", "referrer-policy", "cross-origin-opener-policy"}


def resource(root: Path, path: str) -> Resource:
    from urllib.parse import unquote

    found = StaticIndex.load(root / "asyncstatic.index").get(unquote(path))
    assert found is not None
    return found


def fill(value: str, found: Resource) -> str:
    """Put the resource's validators in the place of ``{etag}`` and the like."""
    assert found.last_modified is not None
    tags = {each.coding: each.etag for each in found.representations}
    value = value.replace("{etag}", tags[None]).replace("{date}", http_date(found.last_modified))
    value = value.replace("{earlier}", http_date(found.last_modified - 1)).replace(
        "{later}", http_date(found.last_modified + 1)
    )
    return re.sub(r"\{etag:(\w+)\}", lambda match: tags[match[1]], value)


def expected_body(case: Case, root: Path, found: Resource, status: int) -> bytes:
    if isinstance(case.body, bytes):
        return case.body
    coding = case.body if isinstance(case.body, str) and case.body != "identity" else None
    representation = next(each for each in found.representations if each.coding == coding)
    data = (root / representation.file).read_bytes()
    if isinstance(case.body, slice):
        return data[case.body]
    return data[:10] if status == 206 else data


@pytest.mark.parametrize("edge", EDGES)
@pytest.mark.parametrize("case", CASES, ids=lambda case: case.name.replace(" ", "-"))
def test_every_edge_answers_as_the_table_says(case: Case, edge: str, static_root: Path) -> None:
    found = resource(static_root, case.path)
    fields = [(name, fill(value, found)) for name, value in case.fields]
    response = EDGES[edge](case.method, "/static/" + case.path, fields)
    assert response.status == case.status
    for name, value in case.headers.items():
        assert response.headers.get(name) == value, name
    body = expected_body(case, static_root, found, case.status)
    assert response.body == body
    if case.method != "HEAD" and case.status != 304:
        assert response.headers["content-length"] == str(len(body))


@pytest.mark.parametrize("case", CASES, ids=lambda case: case.name.replace(" ", "-"))
def test_the_edges_agree_in_every_header(case: Case, static_root: Path) -> None:
    found = resource(static_root, case.path)
    fields = [(name, fill(value, found)) for name, value in case.fields]
    answers = {edge: ask(case.method, "/static/" + case.path, fields) for edge, ask in EDGES.items()}
    plan = answers.pop("plan")
    reference = answers["wrapper-asgi"]
    assert reference.headers.keys() >= SECURITY or case.status == 304
    for edge, answer in answers.items():
        assert answer == reference, edge
    assert plan.headers.items() <= reference.headers.items()
    assert reference.headers.keys() - plan.headers.keys() <= SECURITY


def test_the_text_of_the_table_has_three_codings_and_br_is_the_smallest(static_root: Path) -> None:
    representations = resource(static_root, TEXT).representations
    assert {each.coding for each in representations} == {None, "gzip", "br", "zstd"}
    assert min(representations, key=lambda each: each.size).coding == "br"
