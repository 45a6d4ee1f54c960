"""The threat model's tests that are nowhere else; and that the page "Security" names only tests that there are."""

from __future__ import annotations

import re
import time
import tracemalloc
from pathlib import Path

import pytest
from django.test import override_settings

from django_asyncstatic.index import INDEX_NAME, StaticIndex
from django_asyncstatic.serving.fields import READ
from django_asyncstatic.serving.headers import HeaderPolicy
from django_asyncstatic.serving.plans import SELECTIONS, PreparedResource, make_plan
from django_asyncstatic.wsgi import StaticWSGI
from tests.edges import EDGES, ask_wsgi

REPOSITORY = Path(__file__).parents[1]

SMALL, LARGE = "/static/site/text.txt", "/static/site/large/noise.bin"

SERVED = [name for name in EDGES if name != "plan"]

#: What servers accept at most of one field: hypercorn and granian 64 KB, uvicorn as much, gunicorn 8 KB.
FIELD_SIZE = 65_536

#: Parts of which each field's parser is made, and an end that lets it fail as late as possible.
HOSTILE = {
    "accept-encoding": ("a;q=0.1,", "br ,\t", "a;q=", "a" + " " * 50, ";", "*;q=0.001,"),
    "range": ("bytes=", "0-0,", "9", " ,", "-", "bytes=0-0,"),
    "if-none-match": ('"a",', '"', ", ", 'W/"a" ,', "W/", '"a" ', '""'),
    "if-match": ('"a",', '"', ", ", 'W/"a" ,', '"a" '),
    "if-modified-since": ("Sun, ", "Sun, 06 Nov 1994 08:49:37 GMT", "0", " "),
    "if-unmodified-since": ("Sun, ", "0"),
    "if-range": ('"a"', "Sun, "),
}


@pytest.mark.parametrize(
    ("name", "part"), [(name, part) for name, parts in HOSTILE.items() for part in parts], ids=lambda value: repr(value)
)
def test_no_field_costs_more_than_its_length(name: str, part: str, collected: Path) -> None:
    """A parser that is more than linear takes minutes for what a server lets pass."""
    resource = StaticIndex.load(collected / INDEX_NAME).get("site/text.txt")
    assert resource is not None
    prepared = PreparedResource(resource, HeaderPolicy())
    for end in ("", "\0", '"', "-"):
        fields = {"accept-encoding": "br", name: (part * (FIELD_SIZE // len(part)))[:FIELD_SIZE] + end}
        if name == "if-range":
            fields["range"] = "bytes=0-0"
        began = time.thread_time()
        make_plan(prepared, "GET", fields)
        assert time.thread_time() - began < 0.25


@pytest.mark.parametrize("edge", SERVED)
@pytest.mark.parametrize(
    "field", ["bytes=" + "0-," * 1000 + "0-", "bytes=" + "0-0,1-1," * 500 + "2-2", "bytes=0-,-1", "bytes=-1,0-"]
)
def test_no_range_makes_an_answer_larger_than_the_file(
    edge: str, field: str, collected: Path, static_root: Path
) -> None:
    for path in (SMALL, LARGE):
        whole = EDGES[edge]("GET", path)
        assert EDGES[edge]("GET", path, [("range", field)]) == whole


def test_many_accept_encodings_and_paths_take_no_memory(collected: Path) -> None:
    application = StaticWSGI(root=collected, prefix="static")

    def ask(start: int) -> None:
        for number in range(start, start + 2000):
            fields = [("accept-encoding", f"gzip;q=0.{number % 1000}, x{number}" + " " * (number % 300))]
            assert ask_wsgi(application, "GET", SMALL, fields).status == 200
            assert ask_wsgi(application, "GET", f"/static/missing-{number}", fields).status == 404
            assert ask_wsgi(application, "GET", f"{SMALL}?{number}", fields).status == 200
            tags = [
                ("if-none-match", f'"{number}"'),
                ("range", f"bytes={number}-"),
                ("origin", f"https://{number}.test"),
            ]
            assert ask_wsgi(application, "GET", SMALL, tags).status in (206, 416)

    ask(0)
    tracemalloc.start()
    try:
        ask(10_000)
        before = tracemalloc.get_traced_memory()[0]
        ask(20_000)
        assert tracemalloc.get_traced_memory()[0] - before < 50_000
    finally:
        tracemalloc.stop()
    ((mount, _),) = application.site.candidates("", SMALL)
    prepared = mount.recall("site/text.txt")
    assert prepared is not None
    assert len(prepared._selected) <= SELECTIONS


#: What caches do not have in their keys, and applications are known to be poisoned by.
UNKEYED = {
    "host": "evil.test",
    "x-forwarded-host": "evil.test",
    "x-forwarded-proto": "https",
    "x-forwarded-prefix": "/evil",
    "x-original-url": "/static/site/one.txt",
    "x-rewrite-url": "/static/site/one.txt",
    "x-http-method-override": "POST",
    "x-method-override": "DELETE",
    "x-forwarded-for": "127.0.0.1",
    "forwarded": "host=evil.test;proto=https",
    "cookie": "sessionid=evil",
    "authorization": "Basic ZXZpbA==",
    "accept": "text/html",
    "accept-language": "de",
    "user-agent": "evil",
    "referer": "https://evil.test/",
    "origin": "https://evil.test",
    "sec-fetch-dest": "document",
    "upgrade-insecure-requests": "1",
    "save-data": "on",
    "te": "trailers",
    "expect": "100-continue",
    "content-length": "0",
}


@pytest.mark.parametrize("edge", SERVED)
@pytest.mark.usefixtures("static_root")
def test_nothing_that_a_cache_leaves_out_of_its_key_changes_an_answer(edge: str) -> None:
    with override_settings(ALLOWED_HOSTS=["*"]):
        for path in (SMALL, LARGE):
            answer = EDGES[edge]("GET", path)
            for name, value in UNKEYED.items():
                assert EDGES[edge]("GET", path, [(name, value)]) == answer, name
            assert EDGES[edge]("GET", f"{path}?cb=1&utm_source=x") == answer
    assert not {*UNKEYED} & {*READ} - {"origin"}


@pytest.mark.parametrize("edge", SERVED)
@pytest.mark.usefixtures("static_root")
def test_what_depends_on_accept_encoding_says_so_and_says_how_long_it_may_be_kept(edge: str) -> None:
    answers = [
        EDGES[edge]("GET", SMALL, [("accept-encoding", accepted), *fields])
        for accepted in ("", "gzip", "br", "zstd", "identity;q=0, br", "*", "nonsense")
        for fields in ((), [("range", "bytes=0-5")], [("if-none-match", "*")], [("if-match", '"x"')])
    ]
    assert len({answer.headers.get("content-encoding") for answer in answers}) == 4
    assert all(answer.headers["vary"] == "accept-encoding" for answer in answers)
    # A shared cache that keeps an error serves it to all (RFC 9111 3).
    assert all(("cache-control" in each.headers) == (each.status in (200, 206, 304)) for each in answers)


@pytest.mark.parametrize("edge", SERVED)
@pytest.mark.usefixtures("static_root")
def test_what_is_hidden_looks_like_what_is_missing(edge: str, collected: Path) -> None:
    missing = EDGES[edge]("GET", "/static/site/missing")
    hidden = [
        ".asyncstatic/state.jsonl",
        INDEX_NAME,
        "staticfiles.json",
        ".env",
        "site/.git/config",
        "site/text.txt.br",
    ]
    for name in hidden:
        for fields in ((), [("if-none-match", "*")], [("if-match", "*")], [("range", "bytes=0-0")]):
            assert EDGES[edge]("GET", f"/static/{name}", fields) == missing, (name, fields)


def test_a_link_that_takes_a_files_place_leads_nowhere_else(collected: Path, tmp_path: Path) -> None:
    """Whoever may write to STATIC_ROOT may serve anything; a link by accident is not followed to other bytes."""
    import shutil

    root = shutil.copytree(collected, tmp_path / "root")
    secret = tmp_path / "secret"
    for path in ("site/text.txt", "site/large/noise.bin"):
        resource = StaticIndex.load(root / INDEX_NAME).get(path)
        assert resource is not None
        secret.write_bytes(b"s" * resource.identity.size)
        (root / resource.identity.file).unlink()
        (root / resource.identity.file).symlink_to(secret)
        assert ask_wsgi(StaticWSGI(root=root, prefix="static"), "GET", f"/static/{path}").status == 404


@pytest.mark.parametrize("page", ["security.rst", "robustness.rst"])
def test_the_page_names_tests_that_there_are(page: str) -> None:
    named = set(re.findall(r"\btest_\w+", (REPOSITORY / "docs" / page).read_text()))
    sources = "".join(file.read_text() for file in Path(__file__).parent.glob("*.py"))
    known = set(re.findall(r"\bdef (test_\w+)", sources)) | {file.stem for file in Path(__file__).parent.glob("*.py")}
    assert named
    assert named <= known
