"""What is secret, by its content: keys, tokens, databases, dumps. Pure: bytes in, the kinds of secrets out.

Only formats that their issuers document, and that begin with something that nothing else begins with, so that a
match is one. There is no measuring of randomness: minified scripts and images are random, too. What is found is named
by its kind and its place, never by its value. Most patterns are never wanted, so ``re`` compiles them when they are.

Adding a format is one row in :data:`CONTENTS` (anywhere, in any file), :data:`NAMED` (in files of certain names) or
:data:`MAGIC` (at the beginning), and one row in the table of its test.
"""

from __future__ import annotations

import re
from collections.abc import Iterator
from typing import NamedTuple


class Format(NamedTuple):
    """A kind of secret. ``anchor`` stands in each: a search for it is ten times as fast as one for the pattern."""

    kind: str
    anchor: bytes
    pattern: bytes


class Named(NamedTuple):
    """A kind of secret that only files have whose last component ``name`` matches, in lower case."""

    kind: str
    name: str
    pattern: bytes


class Secret(NamedTuple):
    """A kind, and where in the bytes it begins."""

    kind: str
    start: int


#: Bytes that a match has at most: what has to be kept of one chunk when the next is searched.
LONGEST = 1024

#: RFC 7468, 3: the label, and behind it Base64; a library that only knows the label has no forty digits of it. Keys in
#: JSON and in source code have their line breaks as "\n". RFC 4880, 6.2, and RFC 1421 have headers in between.
_PEM = (
    rb"-----BEGIN (?:[A-Z0-9]{2,10} ){0,2}PRIVATE KEY(?: BLOCK)?-----"
    rb"""(?:\\[rn]|[\s"'`+,\\])*"""
    rb"""(?:(?:Proc-Type|Version|Comment)(?s:.{0,300}?)(?:\\n|\n)(?:\\[rn]|[\s"'`+,\\])*)?"""
    rb"[A-Za-z0-9+/]{40}"
)

#: In a run of Base64 anything stands somewhere.
_ALONE = rb"(?<![A-Za-z0-9/+_-])(?:%b)(?![A-Za-z0-9/+=_-])"


def _token(kind: str, anchor: bytes, pattern: bytes) -> Format:
    return Format(kind, anchor, _ALONE % pattern)


CONTENTS = (
    Format("a private key", b"PRIVATE KEY", _PEM),
    Format("a private key of PuTTY", b"PuTTY-User-Key-File-", rb"PuTTY-User-Key-File-[0-9]: [a-z0-9-]+\r?\n"),
    Format("a client key of Kubernetes", b"client-key-data:", rb"client-key-data:\s+[A-Za-z0-9+/]{40}"),
    # An access key id is no secret by itself: signed URLs have it. With forty digits close by it is one.
    # https://docs.aws.amazon.com/IAM/latest/UserGuide/reference_identifiers.html
    *(
        Format(
            "an access key of AWS, with its secret",
            prefix,
            (_ALONE % (prefix + rb"[A-Z2-7]{16}"))
            + rb"(?s:.{1,200}?)(?<![A-Za-z0-9/+])(?=[^\s\"']*[0-9])(?=[^\s\"']*[A-Z])(?=[^\s\"']*[a-z])"
            rb"[A-Za-z0-9/+]{40}(?![A-Za-z0-9/+=])",
        )
        for prefix in (b"AKIA", b"ASIA")
    ),
    # https://github.blog/engineering/behind-githubs-new-authentication-token-formats/
    *(
        _token("a token of GitHub", prefix, prefix + rb"[A-Za-z0-9]{36}")
        for prefix in (b"ghp_", b"gho_", b"ghu_", b"ghs_", b"ghr_")
    ),
    _token("a token of GitHub", b"github_pat_", rb"github_pat_[A-Za-z0-9]{22}_[A-Za-z0-9]{59}"),
    _token("a token of GitLab", b"glpat-", rb"glpat-[A-Za-z0-9_-]{20}"),
    # https://docs.slack.dev/authentication/tokens
    _token("a token of Slack", b"xoxb-", rb"xoxb-[0-9]{10,13}-[0-9]{10,13}-[A-Za-z0-9]{24}"),
    _token("a token of Slack", b"xoxp-", rb"xoxp-(?:[0-9]{10,13}-){3}[a-f0-9]{32}"),
    _token("a token of Slack", b"xapp-", rb"xapp-[0-9]-A[A-Z0-9]{8,12}-[0-9]{10,13}-[a-f0-9]{64}"),
    Format(
        "the address of a webhook of Slack",
        b"hooks.slack.com/",
        rb"hooks\.slack\.com/services/T[A-Z0-9]{8,12}/B[A-Z0-9]{8,12}/[A-Za-z0-9]{24}(?![A-Za-z0-9])",
    ),
    # https://docs.stripe.com/keys: those with "test" move no money, and pk_live_ is meant for pages.
    _token("a live key of Stripe", b"sk_live_", rb"sk_live_[A-Za-z0-9]{24,247}"),
    _token("a live key of Stripe", b"rk_live_", rb"rk_live_[A-Za-z0-9]{24,247}"),
    _token("an OAuth secret of Google", b"GOCSPX-", rb"GOCSPX-[A-Za-z0-9_-]{28}"),
    _token("a token of PyPI", b"pypi-AgE", rb"pypi-AgEIcHlwaS5vcmc[A-Za-z0-9_-]{50,300}"),
    _token("a token of npm", b"npm_", rb"npm_[A-Za-z0-9]{36}"),
    _token("a key of SendGrid", b"SG.", rb"SG\.[A-Za-z0-9_-]{22}\.[A-Za-z0-9_-]{43}"),
    _token("a key of OpenAI", b"T3BlbkFJ", rb"sk-[A-Za-z0-9_-]{20,100}T3BlbkFJ[A-Za-z0-9_-]{20,100}"),
    _token("a key of Anthropic", b"sk-ant-", rb"sk-ant-[a-z0-9]{3,8}-[A-Za-z0-9_-]{80,120}"),
)  # fmt: skip

NAMED = (
    # .env.example and its like are written to be shown.
    Named(
        "environment variables",
        r"(?!.*\.(?:example|sample|template|dist|tpl|md)$)(?:\.env(?:\..+)?|[^.]+\.env)",
        rb"(?m)^[ \t]*(?:export[ \t]+)?[A-Za-z_][A-Za-z0-9_]*[ \t]*=[ \t]*[^\s#]",
    ),
    Named(
        "passwords for a web server",
        r"\.?htpasswd.*",
        rb"(?m)^[^:\s#]+:(?:\$(?:apr1|1|5|6|2[aby])\$|\{S?SHA\}|[./0-9A-Za-z]{13}\r?$)",
    ),
    Named(
        "a Django SECRET_KEY",
        r".+\.py(?:\..+)?|.*settings.*",
        rb"""(?m)^[ \t]*SECRET_KEY[ \t]*=[ \t]*[rbuf]?["'](?!\{[{%])[^"'\r\n]{16,300}["']""",
    ),
    Named("a token for npm", r"\.npmrc", rb"_(?:authToken|password|auth)[ \t]*=[ \t]*[^\s$]"),
    Named("a password for PyPI", r"\.pypirc", rb"(?m)^password[ \t]*[=:][ \t]*\S"),
    Named("a password", r"[._]netrc", rb"\bpassword\s+\S"),
    Named("a password", r"\.git-credentials", rb"://[^\s:@/]+:[^\s@]+@"),
    Named("the state of Terraform", r".+\.tfstate(?:\..*)?", rb'"terraform_version"'),
    Named(
        "the password of a database",
        r"wp-config.*",
        rb"""define\(\s*["']DB_PASSWORD["']\s*,\s*["'][^"']""",
    ),
    Named(
        "a dump of a database",
        r".+\.(?:sql|dump)(?:\.(?:txt|bak|old))?",
        rb"(?mi)^(?:-- (?:PostgreSQL database|MySQL|MariaDB|Dump) |INSERT\s+INTO\s|COPY\s.{1,300}\sFROM\s+stdin)",
    ),
)

#: What a file begins with.
MAGIC = (
    ("a database of SQLite", rb"SQLite format 3\0"),
    ("a database of Access", rb"\0\x01\0\0Standard (?:Jet|ACE) DB\0"),
    ("a database of KeePass", rb"\x03\xd9\xa2\x9a[\x65-\x67]\xfb\x4b\xb5"),
    ("a dump of a PostgreSQL database", rb"PGDMP\x01"),
    ("a key store of Java", rb"(?:\xfe\xed\xfe\xed|\xce\xce\xce\xce)\0\0\0[\x01\x02]"),
    # RFC 7292, 4: SEQUENCE { version INTEGER 3, authSafe SEQUENCE { OBJECT IDENTIFIER 1.2.840.113549.1.7…
    (
        "a private key (PKCS #12)",
        rb"(?s)\x30(?:\x82..|\x83...|\x80)\x02\x01\x03\x30(?:\x82..|\x83...|\x80|\x81.|[\x30-\x7f])"
        rb"\x06\x09\x2a\x86\x48\x86\xf7\x0d\x01\x07",
    ),
)  # fmt: skip

#: Names that say by themselves what is in a file that nobody can look into.
CLOSED = r".+\.(?:sql|dump|sqlite3?)\.(?:gz|bz2|xz|zst|zip|7z)"

_SUSPICIOUS = "|".join(
    [
        r"id_(?:rsa|dsa|ecdsa|ed25519).*|credentials|kubeconfig",
        r".+\.(?:pem|key|ppk|p12|pfx|jks|keystore|kdbx|asc|kubeconfig|bak|sqlite3?|db3?|mdb|accdb)",
        CLOSED,
        *(named.name for named in NAMED),
    ]
)

#: Extensions of what pages are made of: a name that ends so says nothing more about what is in the file.
_ORDINARY = frozenset(
    "js mjs css map svg png gif jpg jpeg webp avif ico woff woff2 ttf otf eot htm html md rst po mo".split()  # noqa: SIM905
)


def is_suspicious(base: str) -> bool:
    """Whether a file's last component is one that secrets have: then it is worth looking into."""
    return base.rpartition(".")[2] not in _ORDINARY and re.fullmatch(_SUSPICIOUS, base.lower()) is not None


def find_secrets(data: bytes, base: str, own: tuple[bytes, ...] = (), *, is_start: bool = True) -> Iterator[Secret]:
    """The first secret of each kind in bytes of a file, whose last component is ``base``.

    ``own`` are secrets of the project itself; ``is_start`` says that the file begins with these bytes.
    """
    if is_start:
        for kind, magic in MAGIC:
            if re.match(magic, data):
                yield Secret(kind, 0)
    seen = set()
    for each in CONTENTS:
        if each.anchor in data and each.kind not in seen:
            for match in re.finditer(each.pattern, data):
                if not is_placeholder(match[0]):
                    seen.add(each.kind)
                    yield Secret(each.kind, match.start())
                    break
    lower = base.lower()
    for named in NAMED:
        if re.fullmatch(named.name, lower) and (match_ := re.search(named.pattern, data)):
            yield Secret(named.kind, match_.start())
    for secret in own:
        if (start := data.find(secret)) >= 0:
            yield Secret("this project's SECRET_KEY", start)
            break


def is_placeholder(value: bytes) -> bool:
    """Whether it was written to show a format: AWS's own examples end with EXAMPLE, others repeat one character."""
    upper = value.upper()
    return b"EXAMPLE" in upper or b"XXXXXX" in upper or b"000000000" in upper or len(set(value[8:])) < 8
