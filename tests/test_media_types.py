"""Media types and charsets come from our own table, whatever the host's is."""

from __future__ import annotations

import mimetypes
from pathlib import Path

import pytest

from django_asyncstatic.media_types import DEFAULT, MEDIA_TYPES, is_compressible, media_type
from django_asyncstatic.wsgi import StaticWSGI
from tests.edges import ask_wsgi

EXPECTED = {
    "a.css": "text/css",
    "a.js": "text/javascript",
    "a.mjs": "text/javascript",
    "a.cjs": "text/javascript",
    "a.js.map": "application/json",
    "a.json": "application/json",
    "a.wasm": "application/wasm",
    "site.webmanifest": "application/manifest+json",
    "a.woff": "font/woff",
    "a.woff2": "font/woff2",
    "a.ttf": "font/ttf",
    "a.otf": "font/otf",
    "a.eot": "application/vnd.ms-fontobject",
    "a.svg": "image/svg+xml",
    "a.avif": "image/avif",
    "a.jxl": "image/jxl",
    "a.webp": "image/webp",
    "a.apng": "image/apng",
    "favicon.ico": "image/vnd.microsoft.icon",
    "a.csv": "text/csv",
    "a.vtt": "text/vtt",
    "a.glb": "model/gltf-binary",
    "a.mp4": "video/mp4",
    "a.opus": "audio/ogg",
    "A.PNG": "image/png",
    "folder.css/LICENSE": DEFAULT,
    "a.unknown": DEFAULT,
    ".css": "text/css",
    "": DEFAULT,
}


@pytest.mark.parametrize("name", EXPECTED)
def test_a_name_has_the_type_that_a_browser_expects(name: str) -> None:
    assert media_type(name) == EXPECTED[name]


def test_the_table_agrees_with_pythons_where_that_is_right() -> None:
    """Differences are ours on purpose: newer registrations, or safer for source files that nobody runs."""
    theirs = mimetypes.MimeTypes(filenames=())
    differ = {
        suffix: (kind, guessed)
        for suffix, kind in MEDIA_TYPES.items()
        if (guessed := theirs.guess_type(f"a.{suffix}")[0]) not in (None, kind)
    }
    known = {"3gp", "js", "mjs", "obj", "opus", "rst", "rtf", "tgz", "vcf", "wav", "xml", "xsl"}
    assert differ.keys() <= known, differ


def test_the_hosts_table_changes_nothing(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setitem(mimetypes.types_map, ".css", "x-host/other")
    (tmp_path / "a.css").write_text("a {}")
    response = ask_wsgi(StaticWSGI(root=tmp_path), "GET", "/a.css")
    assert response.headers["content-type"] == "text/css; charset=utf-8"


@pytest.mark.parametrize(
    ("name", "has_charset"),
    [("a.css", True), ("a.js", True), ("a.html", True), ("a.json", False), ("a.svg", False), ("a.png", False)],
)
def test_a_charset_stands_where_it_belongs(tmp_path: Path, name: str, has_charset: bool) -> None:
    (tmp_path / name).write_text("x")
    response = ask_wsgi(StaticWSGI(root=tmp_path), "GET", f"/{name}")
    assert response.headers["content-type"].endswith("; charset=utf-8") is has_charset


def test_what_shrinks_is_compressed_and_what_does_not_is_not() -> None:
    assert {name for name in EXPECTED if not is_compressible(media_type(name))} == {
        "a.woff", "a.woff2", "a.avif", "a.jxl", "a.webp", "a.apng", "a.mp4", "a.opus", "A.PNG",
    }  # fmt: skip
