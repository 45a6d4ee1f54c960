"""The table of HTTP cases: a row is a request and what has to come back, at every edge.

A bug report becomes a row. In a field's value, ``{etag}`` and ``{etag:br}`` stand for the entity tag of the
identity and the br representation, ``{date}``, ``{earlier}`` and ``{later}`` for its Last-Modified and the
seconds around it, ``{date:rfc850}`` and ``{date:asctime}`` for the same in the obsolete formats (RFC 9110 5.6.7).
In the expected headers ``None`` means: absent. A path is as it stands in the request line.
"""

from __future__ import annotations

from dataclasses import dataclass, field

#: A file of 0123456789: ten bytes that no coding makes smaller.
DIGITS = "site/digits.txt"
#: A text with a gzip, a br and a zstd representation; br is the smallest.
TEXT = "site/text.txt"
EMPTY = "site/empty.txt"
ONE = "site/one.txt"
#: Larger than what is kept in memory, so streamed.
LARGE = "site/large/noise.bin"


@dataclass(frozen=True)
class Case:
    """One row. ``body`` is a coding token whose representation is sent, or a slice of identity, or bytes."""

    name: str
    path: str = TEXT
    method: str = "GET"
    fields: tuple[tuple[str, str], ...] = ()
    status: int = 200
    headers: dict[str, str | None] = field(default_factory=dict)
    body: str | slice | bytes = "identity"


def _range(name: str, value: str, status: int, body: slice | bytes | str, **more: object) -> Case:
    """A Range against the ten digits."""
    headers: dict[str, str | None] = {"content-range": None}
    if status == 206 and isinstance(body, slice):
        start, stop, _ = body.indices(10)
        headers = {"content-range": f"bytes {start}-{stop - 1}/10", "content-length": str(stop - start)}
    if status == 416:
        headers = {
            "content-range": "bytes */10",
            "content-length": "0",
            "content-type": None,
            "content-encoding": None,
            "etag": None,
            "cache-control": None,
        }
    fields = (("range", value), *more.get("fields", ()))  # type: ignore[misc]
    return Case(name, DIGITS, fields=fields, status=status, headers=headers, body=body)


def _accept(name: str, value: str | None, coding: str) -> Case:
    fields = () if value is None else (("accept-encoding", value),)
    encoding = None if coding == "identity" else coding
    return Case(name, fields=fields, headers={"content-encoding": encoding, "vary": "accept-encoding"}, body=coding)


NOT_MODIFIED: dict[str, str | None] = {
    "content-type": None,
    "content-length": None,
    "content-encoding": None,
    "last-modified": None,
    "vary": "accept-encoding",
    "cache-control": "max-age=60, public",
}
FAILED: dict[str, str | None] = {"content-type": None, "content-length": "0", "etag": None, "cache-control": None}

CASES = (
    # --- methods
    Case(
        "get",
        headers={
            "content-type": "text/plain; charset=utf-8",
            "cache-control": "max-age=60, public",
            "accept-ranges": "bytes",
            "access-control-allow-origin": "*",
            "vary": "accept-encoding",
        },
    ),
    Case("head", method="HEAD", body=b""),
    Case("head of a large file", LARGE, "HEAD", body=b"", headers={"content-length": "3000000"}),
    Case("head with a coding", method="HEAD", fields=(("accept-encoding", "br"),), body=b"", headers={"content-encoding": "br"}),
    Case("head ignores range", DIGITS, "HEAD", (("range", "bytes=0-1"),), body=b"", headers={"content-length": "10", "content-range": None}),
    Case("post", method="POST", status=405, headers={"allow": "GET, HEAD, OPTIONS", "content-length": "0", "etag": None}, body=b""),
    Case("delete", method="DELETE", status=405, headers={"allow": "GET, HEAD, OPTIONS"}, body=b""),
    Case("options", method="OPTIONS", headers={"allow": "GET, HEAD, OPTIONS", "content-length": "0", "access-control-allow-methods": None}, body=b""),
    Case(
        "preflight",
        method="OPTIONS",
        fields=(("origin", "https://example.org"), ("access-control-request-method", "GET")),
        headers={"access-control-allow-methods": "GET, HEAD, OPTIONS", "access-control-allow-origin": "*"},
        body=b"",
    ),
    # --- files
    Case("empty file", EMPTY, headers={"content-length": "0"}),
    Case("empty file with a range", EMPTY, fields=(("range", "bytes=0-"),), status=416, headers={"content-range": "bytes */0"}, body=b""),
    Case("empty file with a suffix range", EMPTY, fields=(("range", "bytes=-5"),), headers={"content-range": None}),
    Case("one byte", ONE, headers={"content-length": "1"}),
    Case("one byte by range", ONE, fields=(("range", "bytes=0-0"),), status=206, headers={"content-range": "bytes 0-0/1"}),
    Case("large file", LARGE, headers={"content-type": "application/octet-stream", "content-length": "3000000"}),
    Case("slice of a large file", LARGE, fields=(("range", "bytes=1000000-1999999"),), status=206, body=slice(1_000_000, 2_000_000), headers={"content-length": "1000000"}),
    Case("end of a large file", LARGE, fields=(("range", "bytes=-7"),), status=206, body=slice(-7, None)),
    # --- names
    Case("name that is not ASCII", "site/names/%E2%98%83%20snow+man.txt"),
    Case("name with percent and semicolon", "site/names/100%25%20sure;.txt"),
    Case("composed and decomposed letters are two names", "site/names/caf%C3%A9.txt", headers={"content-length": "9"}),
    Case("the decomposed one", "site/names/cafe%CC%81.txt", headers={"content-length": "10"}),
    Case("encoded letters", "site/%64igits.txt"),
    Case("encoded slash", "site%2Fdigits.txt"),
    Case("with a query", "site/digits.txt?v=1&x=../../etc"),
    Case("plus is no space", "site/names/%E2%98%83+snow+man.txt", status=404),
    Case("encoded twice", "site/names/100%2525%20sure;.txt", status=404),
    Case("other case", "SITE/digits.txt", status=404),
    Case("doubled slash", "site//digits.txt", status=404),
    Case("leading slash", "/site/digits.txt", status=404),
    Case("trailing slash", "site/digits.txt/", status=404),
    Case("dot segment", "site/./digits.txt", status=404),
    Case("dot segments", "site/css/../digits.txt", status=404),
    Case("encoded dot segments", "site/css/%2E%2E/digits.txt", status=404),
    Case("out of the root", "../../../../etc/passwd", status=404),
    Case("out of the root, encoded", "%2e%2e%2f%2e%2e%2fetc%2fpasswd", status=404),
    Case("absolute", "/etc/passwd", status=404),
    Case("backslash", "site%5Cdigits.txt", status=404),
    Case("NUL", "site/digits.txt%00.css", status=404),
    Case("not UTF-8", "site/%FF.txt", status=404),
    Case("over-long UTF-8", "site%C0%AFdigits.txt", status=404),
    Case("very long", "site/" + "x" * 3000, status=404),
    Case("folder", "site/css", status=404),
    Case("representation's file", "site/text.{hash}.txt.br", status=404),
    Case("index", "asyncstatic.index", status=404),
    Case("times", "asyncstatic.times", status=404),
    Case("manifest", "staticfiles.json", status=404),
    Case("hashed name", "site/text.{hash}.txt", headers={"cache-control": "max-age=315360000, public, immutable"}),
    Case("hash of something else", "site/text.0123456789ab.txt", status=404),
    # --- negotiation
    _accept("no Accept-Encoding", None, "identity"),
    _accept("empty Accept-Encoding", "", "identity"),
    _accept("gzip", "gzip", "gzip"),
    _accept("x-gzip", "x-gzip", "gzip"),
    _accept("any case", "GZip", "gzip"),
    _accept("smallest of equals", "gzip, deflate, br, zstd", "br"),
    _accept("highest weight", "br;q=0.5, gzip;q=0.9, zstd;q=0.1", "gzip"),
    _accept("q=0 is not acceptable", "br;q=0, gzip", "gzip"),
    _accept("only q=0", "gzip;q=0", "identity"),
    _accept("star", "*", "br"),
    _accept("star but br", "*, br;q=0", "zstd"),
    _accept("star q=0", "*;q=0", "identity"),
    _accept("identity preferred", "identity, br;q=0.5", "identity"),
    _accept("identity forbidden", "identity;q=0, gzip;q=0.001", "gzip"),
    _accept("nothing acceptable", "identity;q=0, *;q=0", "identity"),
    _accept("spaces", " gzip ; q=1.000 ,\tbr ; q=0.999 ", "gzip"),
    _accept("weight out of the grammar", "br;q=1.5, gzip", "gzip"),
    _accept("unknown coding", "x-snappy", "identity"),
    _accept("coding that contains another", "x-gzip-really", "identity"),
    _accept("weight with a letter", "br;q=a, gzip", "gzip"),
    _accept("weight of four digits", "br;q=0.1234, gzip;q=0.001", "gzip"),
    _accept("capital Q", "br;Q=0.2, gzip;Q=0.3", "gzip"),
    _accept("another parameter", "br;level=1, gzip", "gzip"),
    _accept("listed twice, the first counts", "gzip;q=1, gzip;q=0", "gzip"),
    _accept("star among equals", "*;q=0.5, gzip;q=0.5", "br"),
    _accept("identity and star", "identity;q=1, *;q=0.5", "identity"),
    _accept("identity q=0 and star", "identity;q=0, *", "br"),
    _accept("very long field", "x-a," * 1500 + "br", "br"),
    _accept("letters that are not ASCII", "gz\u00efp, \u00e9", "identity"),
    _accept("nonsense", ";;;,,,=q", "identity"),
    Case("repeated Accept-Encoding", fields=(("accept-encoding", "gzip;q=0.5"), ("accept-encoding", "br")), body="br"),
    # --- preconditions
    Case("etag matches", fields=(("if-none-match", "{etag}"),), status=304, headers=NOT_MODIFIED, body=b""),
    Case("etag matches weakly", fields=(("if-none-match", "W/{etag}"),), status=304, headers=NOT_MODIFIED, body=b""),
    Case("etag in a list", fields=(("if-none-match", '"a", W/"b,c" ,{etag}'),), status=304, body=b""),
    Case("etags on two lines", fields=(("if-none-match", '"a"'), ("if-none-match", "{etag}")), status=304, body=b""),
    Case("any etag", fields=(("if-none-match", "*"),), status=304, body=b""),
    Case("another etag", fields=(("if-none-match", '"another"'),)),
    Case("etag without quotes", fields=(("if-none-match", "nonsense"),)),
    Case("etag of another coding", fields=(("if-none-match", "{etag}"), ("accept-encoding", "br")), body="br"),
    Case("etag of the coding", fields=(("if-none-match", "{etag:br}"), ("accept-encoding", "br")), status=304, body=b""),
    Case("head with etag", method="HEAD", fields=(("if-none-match", "{etag}"),), status=304, body=b""),
    Case("not modified since", fields=(("if-modified-since", "{date}"),), status=304, headers=NOT_MODIFIED, body=b""),
    Case("not modified since later", fields=(("if-modified-since", "{later}"),), status=304, body=b""),
    Case("modified since", fields=(("if-modified-since", "{earlier}"),)),
    Case("date that is none", fields=(("if-modified-since", "yesterday"),)),
    Case("date in RFC 850's format", fields=(("if-modified-since", "{date:rfc850}"),), status=304, body=b""),
    Case("date in asctime's format", fields=(("if-modified-since", "{date:asctime}"),), status=304, body=b""),
    Case("date with a zone", fields=(("if-modified-since", "Sun, 06 Nov 2044 08:49:37 +0100"),)),
    Case("date of no calendar", fields=(("if-modified-since", "Sun, 31 Feb 2044 08:49:37 GMT"),)),
    Case("two dates", fields=(("if-modified-since", "{date}"), ("if-modified-since", "{date}"))),
    Case("date in digits that are not ASCII", fields=(("if-modified-since", "Sun, 0\u00b2 Nov 2044 08:49:37 GMT"),)),
    Case("empty etag list", fields=(("if-none-match", ""),)),
    Case("etag list with a hole", fields=(("if-none-match", '"a",, {etag},'),), status=304, body=b""),
    Case("star in a list is no star", fields=(("if-none-match", '"a", *'),)),
    Case("lower-case weakness is none", fields=(("if-none-match", "w/{etag}"),)),
    Case("etag that contains ours", fields=(("if-none-match", '"x{etag}x"'),)),
    Case("not modified since, with a coding", fields=(("if-modified-since", "{date}"), ("accept-encoding", "br")), status=304, headers={"etag": "{etag:br}"}, body=b""),
    Case("post with if-match", method="POST", fields=(("if-match", '"another"'),), status=405, body=b""),
    Case("unmodified since nonsense", fields=(("if-unmodified-since", "tomorrow"),)),
    Case("large file not modified", LARGE, fields=(("if-none-match", "{etag}"),), status=304, body=b""),
    Case("large file head not modified", LARGE, "HEAD", (("if-modified-since", "{date}"),), status=304, body=b""),
    Case("large file failed", LARGE, fields=(("if-match", '"a"'),), status=412, headers=FAILED, body=b""),
    Case("etag goes before the date", fields=(("if-none-match", '"another"'), ("if-modified-since", "{date}"))),
    Case("if-match", fields=(("if-match", "{etag}"),)),
    Case("if-match any", fields=(("if-match", "*"),)),
    Case("if-match in a list", fields=(("if-match", '"a", {etag}'),)),
    Case("if-match another", fields=(("if-match", '"another"'),), status=412, headers=FAILED, body=b""),
    Case("if-match weak", fields=(("if-match", "W/{etag}"),), status=412, body=b""),
    Case("if-match goes before if-none-match", fields=(("if-match", '"another"'), ("if-none-match", "{etag}")), status=412, body=b""),
    Case("unmodified since", fields=(("if-unmodified-since", "{date}"),)),
    Case("unmodified since earlier", fields=(("if-unmodified-since", "{earlier}"),), status=412, headers=FAILED, body=b""),
    Case("if-match goes before if-unmodified-since", fields=(("if-match", "{etag}"), ("if-unmodified-since", "{earlier}"))),
    Case("both pass, then not modified", fields=(("if-match", "{etag}"), ("if-none-match", "{etag}")), status=304, body=b""),
    # --- ranges
    _range("first byte", "bytes=0-0", 206, slice(0, 1)),
    _range("last byte", "bytes=9-9", 206, slice(9, 10)),
    _range("last byte by suffix", "bytes=-1", 206, slice(9, 10)),
    _range("open range", "bytes=4-", 206, slice(4, 10)),
    _range("suffix longer than the file", "bytes=-99", 206, slice(0, 10)),
    _range("past the end", "bytes=5-99", 206, slice(5, 10)),
    _range("huge last position", "bytes=5-" + "9" * 5000, 206, slice(5, 10)),
    _range("unit in capitals", "Bytes=0-1", 206, slice(0, 2)),
    _range("start at the end", "bytes=10-", 416, b""),
    _range("huge start", "bytes=" + "9" * 5000 + "-", 416, b""),
    _range("empty suffix", "bytes=-0", 416, b""),
    _range("last before first", "bytes=5-2", 200, "identity"),
    _range("negative", "bytes=--5", 200, "identity"),
    _range("signs", "bytes=+2-+4", 200, "identity"),
    _range("digits that are not ASCII", "bytes=\u00b2-\u00b3", 200, "identity"),
    _range("no positions", "bytes=-", 200, "identity"),
    _range("another unit", "lines=0-1", 200, "identity"),
    _range("empty field", "", 200, "identity"),
    _range("no unit", "0-1", 200, "identity"),
    _range("spaces around", "bytes= 0-1 ", 206, slice(0, 2)),
    _range("spaces inside", "bytes=0 - 1", 200, "identity"),
    _range("hexadecimal", "bytes=0x1-0x2", 200, "identity"),
    _range("whole file", "bytes=0-9", 206, slice(0, 10)),
    _range("leading zeros", "bytes=0000-0003", 206, slice(0, 4)),
    _range("a list of one", "bytes=0-1,", 206, slice(0, 2)),
    _range("the same range twice", "bytes=0-1, 0-1", 200, "identity"),
    _range("two lines", "bytes=0-1", 200, "identity", fields=(("range", "bytes=2-3"),)),
    _range("several ranges", "bytes=0-1,4-5", 200, "identity"),
    _range("a thousand ranges", "bytes=" + ",".join("0-1" for _ in range(1000)), 200, "identity"),
    _range("underscore in digits", "bytes=1_0-", 200, "identity"),
    _range("if-range with the tag", "bytes=2-3", 206, slice(2, 4), fields=(("if-range", "{etag}"),)),
    _range("if-range with a weak tag", "bytes=2-3", 200, "identity", fields=(("if-range", "W/{etag}"),)),
    _range("if-range with another tag", "bytes=2-3", 200, "identity", fields=(("if-range", '"another"'),)),
    _range("if-range with a date", "bytes=2-3", 200, "identity", fields=(("if-range", "{date}"),)),
    _range("if-range with nonsense", "bytes=2-3", 200, "identity", fields=(("if-range", "nonsense"),)),
    Case("range of a coding", fields=(("range", "bytes=0-9"), ("accept-encoding", "br")), status=206, headers={"content-encoding": "br", "content-length": "10"}, body="br"),
    Case("range of a coding past its end", fields=(("range", "bytes=900000-"), ("accept-encoding", "br")), status=416, headers={"content-encoding": None, "vary": "accept-encoding"}, body=b""),
    Case("if-range with the coding's tag", fields=(("range", "bytes=0-9"), ("accept-encoding", "br"), ("if-range", "{etag:br}")), status=206, body="br"),
    Case("if-range with identity's tag for a coding", fields=(("range", "bytes=0-9"), ("accept-encoding", "br"), ("if-range", "{etag}")), body="br"),
    Case("if-range without range", fields=(("if-range", '"another"'),)),
    Case("large file, if-range", LARGE, fields=(("range", "bytes=2999990-"), ("if-range", "{etag}")), status=206, body=slice(-10, None)),
    Case("large file, unsatisfiable", LARGE, fields=(("range", "bytes=3000000-"),), status=416, headers={"content-range": "bytes */3000000"}, body=b""),
    Case("large file, first byte", LARGE, fields=(("range", "bytes=0-0"),), status=206, body=slice(0, 1)),
    Case("not modified goes before range", DIGITS, fields=(("if-none-match", "{etag}"), ("range", "bytes=0-1")), status=304, body=b""),
    Case("precondition goes before range", DIGITS, fields=(("if-match", '"a"'), ("range", "bytes=0-1")), status=412, body=b""),
)  # fmt: skip
