"""The table of cases against every edge in process; test_servers.py has it over real sockets."""

from __future__ import annotations

from pathlib import Path

import pytest

from tests.cases import CASES, TEXT, Case
from tests.edges import EDGES
from tests.verify import ask_case, resource, verify_case

pytestmark = pytest.mark.usefixtures("static_root")

#: What SecurityMiddleware adds, the pure plan does not know of.
SECURITY = {"x-content-type-options", "referrer-policy", "cross-origin-opener-policy"}

cases = pytest.mark.parametrize("case", CASES, ids=lambda case: case.name.replace(" ", "-"))


@pytest.mark.parametrize("edge", EDGES)
@cases
def test_every_edge_answers_as_the_table_says(case: Case, edge: str, static_root: Path) -> None:
    verify_case(case, static_root, EDGES[edge])


@cases
def test_the_edges_agree_in_every_header(case: Case, static_root: Path) -> None:
    answers = {edge: ask_case(case, static_root, ask) for edge, ask in EDGES.items()}
    plan = answers.pop("plan")
    reference = answers["wrapper-asgi"]
    assert reference.headers.keys() >= SECURITY
    for edge, answer in answers.items():
        assert answer == reference, edge
    assert plan.headers.items() <= reference.headers.items()
    if case.status != 404:
        assert reference.headers.keys() - plan.headers.keys() <= SECURITY


def test_the_text_of_the_table_has_three_codings_and_br_is_the_smallest(static_root: Path) -> None:
    representations = resource(static_root, TEXT).representations
    assert {each.coding for each in representations} == {None, "gzip", "br", "zstd"}
    assert min(representations, key=lambda each: each.size).coding == "br"
