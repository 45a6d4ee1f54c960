"""A compressed file that is not what the index says: the client gets the resource all the same."""

from __future__ import annotations

import logging
import shutil
from pathlib import Path

import pytest
from django.test import override_settings

from django_asyncstatic.index import INDEX_NAME, StaticIndex
from tests.edges import EDGES


@pytest.mark.parametrize("edge", [name for name in EDGES if name != "plan"])
@pytest.mark.parametrize("damage", ["gone", "cut", "other bytes"])
def test_another_representation_is_sent(
    edge: str, damage: str, collected: Path, tmp_path: Path, caplog: pytest.LogCaptureFixture
) -> None:
    root = shutil.copytree(collected, tmp_path / "root")
    resource = StaticIndex.load(root / INDEX_NAME).get("site/text.txt")
    assert resource is not None
    damaged = next(root / each.file for each in resource.representations if each.coding == "br")
    match damage:
        case "gone":
            damaged.unlink()
        case "cut":
            damaged.write_bytes(b"")
        case "other bytes":
            damaged.write_bytes(bytes(damaged.stat().st_size))
    whole = (root / resource.identity.file).read_bytes()
    fields = [("accept-encoding", "br")]
    with override_settings(STATIC_ROOT=root), caplog.at_level(logging.ERROR, "django_asyncstatic"):
        for _ in range(2):
            response = EDGES[edge]("GET", "/static/site/text.txt", fields)
            assert response.status == 200
            assert "content-encoding" not in response.headers
            assert response.body == whole
    (message,) = [record.getMessage() for record in caplog.records]
    assert message.startswith("Another representation is sent: ")
    assert damaged.name in message
