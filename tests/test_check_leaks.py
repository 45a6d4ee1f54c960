"""The family "leaks" of ``manage.py checkstatic``: what is secret, where it is found, and what only looks like it.

The tokens are made here, and are nobody's.
"""

from __future__ import annotations

import json
import os
import random
import re
import shutil
import sqlite3
import string
import tempfile
import time
from base64 import b64encode
from collections.abc import Iterator
from contextlib import ExitStack
from pathlib import Path
from typing import Any

import pytest

from django_asyncstatic.diagnosing import disclosures, leaks
from django_asyncstatic.diagnosing.credentials import CONTENTS, NAMED, find_secrets, is_suspicious
from django_asyncstatic.diagnosing.disclosures import Disclosed
from django_asyncstatic.diagnosing.findings import Place, run_checks
from django_asyncstatic.diagnosing.kinds import _ORDINARY, KINDS, is_ordinary
from django_asyncstatic.diagnosing.sourcemaps import inline_map, read_map
from tests.projects import STORAGE, SmallProject, as_nobody


def some(length: int, alphabet: str = string.ascii_letters + string.digits) -> str:
    """Characters that no placeholder has: the same ones each time."""
    return "".join(random.Random(length).choices(alphabet, k=length))


DIGITS = string.digits
UPPER = string.ascii_uppercase
HEX = "0123456789abcdef"
BEGIN = "-----BEGIN {}PRIVATE KEY{}-----"


def pem(label: str = "", block: str = "", newline: str = "\n", inside: str = "") -> str:
    return newline.join([BEGIN.format(label, block), *([inside, ""] if inside else []), some(64), some(63)])


AWS = "AKIA" + some(16, UPPER + "234567")

SECRETS: dict[str, tuple[str, str]] = {
    "pem": (pem(), "a private key"),
    "rsa": (pem("RSA "), "a private key"),
    "ec": (pem("EC "), "a private key"),
    "openssh": (pem("OPENSSH "), "a private key"),
    "encrypted": (pem("ENCRYPTED "), "a private key"),
    "old-encrypted": (pem("RSA ", inside="Proc-Type: 4,ENCRYPTED\nDEK-Info: AES-128-CBC,00FF"), "a private key"),
    "pgp": (pem("PGP ", " BLOCK", inside="Version: GnuPG v2"), "a private key"),
    "crlf": (pem(newline="\r\n"), "a private key"),
    "service-account": (json.dumps({"type": "service_account", "private_key": pem()}), "a private key"),
    "in-code": ('k = "' + pem(newline='\\n" +\n  "') + '"', "a private key"),
    "putty": ("PuTTY-User-Key-File-3: ssh-ed25519\nEncryption: none\n", "a private key of PuTTY"),
    "kubernetes": (f"    client-key-data: {some(80)}", "a client key of Kubernetes"),
    "aws": (f"id={AWS}\nsecret={some(40)}", "an access key of AWS, with its secret"),
    "aws-env": (
        f"AWS_ACCESS_KEY_ID={AWS}\nAWS_SECRET_ACCESS_KEY={some(40)}\n",
        "an access key of AWS, with its secret",
    ),
    "github-env": (f"TOKEN=ghp_{some(36)}", "a token of GitHub"),
    "aws-json": (
        json.dumps({"accessKeyId": AWS, "secretAccessKey": some(40)}),
        "an access key of AWS, with its secret",
    ),
    "github": ("ghp_" + some(36), "a token of GitHub"),
    "github-fine": (f"github_pat_{some(22)}_{some(59)}", "a token of GitHub"),
    "gitlab": ("glpat-" + some(20), "a token of GitLab"),
    "slack-bot": (f"xoxb-{some(12, DIGITS)}-{some(12, DIGITS)}-{some(24)}", "a token of Slack"),
    "slack-user": (f"xoxp-{'-'.join([some(11, DIGITS)] * 3)}-{some(32, HEX)}", "a token of Slack"),
    "slack-app": (f"xapp-1-A{some(10, UPPER)}-{some(13, DIGITS)}-{some(64, HEX)}", "a token of Slack"),
    "slack-hook": (
        f"https://hooks.slack.com/services/T{some(9, UPPER)}/B{some(9, UPPER)}/{some(24)}",
        "the address of a webhook of Slack",
    ),
    "stripe": ("sk_live_" + some(99), "a live key of Stripe"),
    "stripe-restricted": ("rk_live_" + some(24), "a live key of Stripe"),
    "google": ("GOCSPX-" + some(28), "an OAuth secret of Google"),
    "pypi": ("pypi-AgEIcHlwaS5vcmc" + some(120), "a token of PyPI"),
    "npm": ("npm_" + some(36), "a token of npm"),
    "sendgrid": (f"SG.{some(22)}.{some(43)}", "a key of SendGrid"),
    "openai": (f"sk-proj-{some(74)}T3BlbkFJ{some(74)}", "a key of OpenAI"),
    "anthropic": (f"sk-ant-api03-{some(93)}AA", "a key of Anthropic"),
}

NAMED_SECRETS = {
    ".env": ("DEBUG=1\n", "environment variables"),
    ".env.production": ("export TOKEN='x'\n", "environment variables"),
    "prod.env": ("# all\nDATABASE_URL = postgres://\n", "environment variables"),
    ".htpasswd": ("anna:$apr1$abcdefgh$xyz\n", "passwords for a web server"),
    "htpasswd.txt": ("anna:{SHA}xyz=\n", "passwords for a web server"),
    "settings.py": ("DEBUG = False\nSECRET_KEY = 'django-insecure-" + some(40) + "'\n", "a Django SECRET_KEY"),
    "local.py.txt": ('SECRET_KEY = "' + some(50) + '"', "a Django SECRET_KEY"),
    ".npmrc": ("//registry.npmjs.org/:_authToken=abc\n", "a token for npm"),
    ".pypirc": ("[pypi]\npassword = abc\n", "a password for PyPI"),
    "_netrc": ("machine x login y password z\n", "a password"),
    ".git-credentials": ("https://anna:abc@example.com\n", "a password"),
    "terraform.tfstate": ('{"version": 4, "terraform_version": "1.9"}', "the state of Terraform"),
    "wp-config.php.bak": ("define('DB_PASSWORD', 'abc');", "the password of a database"),
    "shop.sql": ("CREATE TABLE a (b int);\nINSERT INTO a VALUES (1);\n", "a dump of a database"),
    "backup.sql.txt": ("-- PostgreSQL database dump\n", "a dump of a database"),
    "copy.sql": ("COPY public.a (b) FROM stdin;\n1\n\\.\n", "a dump of a database"),
}

#: What is often in files that are served, and no secret.
HARMLESS: dict[str, str] = {
    "label": 'if (pem.includes("' + BEGIN.format("", "") + '")) { return decode(pem.replace(/-----[^-]+-----/g, "")) }',
    "labels": "'" + BEGIN.format("RSA ", "") + "\\n' + body + '\\n-----END RSA PRIVATE KEY-----\\n'",
    "dots": BEGIN.format("", "") + "\n...\n-----END PRIVATE KEY-----",
    "public": "-----BEGIN PUBLIC KEY-----\n" + some(64),
    "certificate": "-----BEGIN CERTIFICATE-----\n" + some(64),
    "aws-id": f"https://bucket.s3.amazonaws.com/x?X-Amz-Credential={AWS}%2F20260101",
    "aws-docs": "AKIAIOSFODNN7EXAMPLE wJalrXUtnFEMI/K7MDENG/bPxRfiCYEXAMPLEKEY",
    "aws-in-base64": "data:image/png;base64," + some(200) + AWS + some(200),
    "placeholder": "ghp_" + "x" * 36,
    "shown": "export GITHUB_TOKEN=ghp_" + "XXXXXXXXXXXX" * 3,
    "too-long": "ghp_" + some(80),
    "stripe-test": "sk_test_" + some(40),
    "stripe-public": "pk_live_" + some(40),
    "google-maps": "https://maps.googleapis.com/maps/api/js?key=AIza" + some(35),
    "slack-docs": "https://hooks.slack.com/services/T00000000/B00000000/XXXXXXXXXXXXXXXXXXXXXXXX",
    "npm-variable": "npm_package_name npm_config_registry npm_lifecycle_event",
    "names": "SECRET_KEY PASSWORD DATABASE_URL token apiKey password=",
    "hash": some(64, HEX),
}

HARMLESS_NAMED = {
    ".env.example": "SECRET_KEY=\nTOKEN=change-me\n",
    "empty.env": "# TOKEN=abc\n\n",
    "environment.js": "A=1",
    "settings.json": '{"SECRET_KEY": ""}',
    "views.py": "SECRET_KEY = os.environ['SECRET_KEY']\n",
    "settings.py": "SECRET_KEY = '{{ secret_key }}'\n",
    ".npmrc": "//registry.npmjs.org/:_authToken=${NPM_TOKEN}\n",
    "schema.sql": "CREATE TABLE a (b int);\nSELECT * FROM a;\n",
    "cacert.pem": "-----BEGIN CERTIFICATE-----\nMIIB\n",
    "talk.key": "PK\x03\x04 a presentation",
    "words.db": "no database at all",
}


@pytest.fixture
def project(tmp_path: Path) -> SmallProject:
    project = SmallProject(tmp_path)
    project.write({"shop/site.css": "a {}", "shop/site.js": "let a\n", "shop/logo.svg": "<svg/>"})
    return project


# --- what is secret -------------------------------------------------------------------------------------------


@pytest.mark.parametrize(("content", "kind"), SECRETS.values(), ids=SECRETS)
@pytest.mark.parametrize(
    "around", ["{}", "let a = '{}';\nlet b", "a\n\n{}\n", '{{"a": "{}"}}'], ids=["alone", "js", "lines", "json"]
)
def test_a_secret_is_known_by_its_format(content: str, kind: str, around: str) -> None:
    data = around.format(content).encode()
    assert [each.kind for each in find_secrets(data, "x.js")] == [kind]


@pytest.mark.parametrize("name", NAMED_SECRETS)
def test_a_secret_is_known_by_name_and_content(name: str) -> None:
    content, kind = NAMED_SECRETS[name]
    assert is_suspicious(name)
    assert [each.kind for each in find_secrets(content.encode(), name)] == [kind]
    assert not list(find_secrets(content.encode(), "x.js"))


@pytest.mark.parametrize("content", HARMLESS.values(), ids=HARMLESS)
def test_what_only_looks_like_a_secret_is_none(content: str) -> None:
    assert not list(find_secrets(content.encode(), "x.js"))


@pytest.mark.parametrize("name", HARMLESS_NAMED)
def test_a_name_alone_is_no_secret(name: str) -> None:
    assert not list(find_secrets(HARMLESS_NAMED[name].encode(), name))


def test_every_format_has_an_example() -> None:
    """A row in a table of the module is a row in one of this file."""
    kinds = {kind for _, kind in [*SECRETS.values(), *NAMED_SECRETS.values()]}
    assert {each.kind for each in CONTENTS} | {each.kind for each in NAMED} == kinds
    prefixes = {each.anchor for each in CONTENTS}
    untested = {anchor for anchor in prefixes if not any(anchor in content.encode() for content, _ in SECRETS.values())}
    assert untested == {b"ASIA", b"gho_", b"ghu_", b"ghs_", b"ghr_"}  # as AKIA and ghp_


@pytest.mark.parametrize(
    ("data", "kind"),
    [
        (b"\0\x01\0\0Standard Jet DB\0", "a database of Access"),
        (b"\x03\xd9\xa2\x9a\x67\xfb\x4b\xb5\x01\0", "a database of KeePass"),
        (b"PGDMP\x01\x0e\0", "a dump of a PostgreSQL database"),
        (b"\xfe\xed\xfe\xed\0\0\0\x02\0\0\0\x01", "a key store of Java"),
        (
            bytes.fromhex("308209f1020103308209b706092a864886f70d010701a08209a8"),
            "a private key (PKCS #12)",
        ),
    ],
    ids=["access", "keepass", "postgres", "java", "pkcs12"],
)
def test_a_binary_secret_is_known_by_its_first_bytes(data: bytes, kind: str) -> None:
    assert [each.kind for each in find_secrets(data, "x")] == [kind]
    assert not list(find_secrets(b" " + data, "x"))
    assert not list(find_secrets(data, "x", is_start=False))


def test_no_pattern_takes_long_on_what_was_made_for_it() -> None:
    """Time grows with the size and not with its square."""
    for text in (BEGIN.format("", "") + "\n", "AKIA" + "A" * 16 + " ", "Version: \n", "SECRET_KEY=", "sk-" + "a" * 90):
        data = (text * (2_000_000 // len(text))).encode()
        start = time.process_time()
        list(find_secrets(data, "settings.sql.env"))
        assert time.process_time() - start < 5


# --- where ----------------------------------------------------------------------------------------------------


def test_a_right_project_has_no_finding(project: SmallProject) -> None:
    assert project.found("leaks", deep=True) == []
    project.collect()
    assert project.found("leaks", deep=True) == []
    assert project.found("leaks") == []


@pytest.mark.usefixtures("static_root")
@pytest.mark.parametrize("deep", [False, True], ids=["fast", "deep"])
def test_the_admin_and_other_packages_have_no_finding(deep: bool) -> None:
    assert run_checks(["leaks"], deep=deep) == []


def test_a_secret_is_told_with_its_place_and_not_shown(project: SmallProject) -> None:
    content = "ghp_" + some(36)
    project.write({"shop/app.js": f"let a\nlet t = '{content}'\n"})
    (finding,) = project.findings("leaks")
    assert finding.id == "asyncstatic.E034"
    assert finding.message == "shop/app.js holds a token of GitHub: collectstatic publishes it."
    assert finding.place == Place.of(project.static / "shop/app.js", 2, 10)
    assert content not in repr(finding)


def test_a_real_database_is_found(project: SmallProject) -> None:
    with sqlite3.connect(project.static / "db.sqlite3") as connection:
        connection.execute("CREATE TABLE a (b)")
    connection.close()
    ((found_id, message),) = project.found("leaks")
    assert (found_id, message) == ("E034", "db.sqlite3 holds a database of SQLite: collectstatic publishes it.")


def test_the_projects_own_secret_key_is_found_in_any_file(project: SmallProject) -> None:
    key = some(50, string.ascii_letters + "#&!")
    project.settings["SECRET_KEY"] = key
    project.write({"app.js": f"let key = {key}"})
    ((found_id, message),) = project.found("leaks")
    assert (found_id, message.partition(":")[0]) == ("E034", "app.js holds this project's SECRET_KEY")
    project.settings["SECRET_KEY"] = "let"  # too short to be told from a word
    assert project.found("leaks") == []


@pytest.fixture
def read(monkeypatch: pytest.MonkeyPatch) -> list[str]:
    """The last components of the files that are read."""
    read: list[str] = []
    look_into = disclosures.look_into

    def looking_into(file: str, base: str, *args: Any, **more: Any) -> Disclosed:
        read.append(base)
        return look_into(file, base, *args, **more)

    monkeypatch.setattr(disclosures, "look_into", looking_into)
    monkeypatch.setattr(leaks, "look_into", looking_into)
    return read


def test_what_a_collect_saw_is_told_without_reading_it_again(project: SmallProject, read: list[str]) -> None:
    project.write(
        {
            "app.js": f"\n {SECRETS['stripe'][0]}",
            "id_rsa.txt": SECRETS["openssh"][0],
            "well.js": "let a",
            "dump.sql.gz": b"\x1f\x8b",
            "app.js.map": json.dumps({"version": 3, "sources": ["/home/anna/app.ts"], "sourcesContent": ["a"]}),
            "inline.js": f"//# sourceMappingURL=data:application/json;base64,{b64encode(b'{} ' * 20).decode()}",
        }
    )
    before = project.findings("leaks")
    assert len(before) == 6
    assert "well.js" in read
    time.sleep(0.03)
    project.collect()
    read.clear()
    assert project.findings("leaks") == before
    assert read == []
    assert project.findings("leaks", deep=True) == before
    assert "well.js" in read


def test_what_changes_after_a_collect_is_read(project: SmallProject, read: list[str]) -> None:
    project.write({"a.js": SECRETS["stripe"][0], "b.js": "let b", "c.js": "let c"})
    time.sleep(0.03)
    project.collect()
    project.write({"a.js": "let a", "b.js": SECRETS["stripe"][0]})
    read.clear()
    ((_, message),) = project.found("leaks")
    assert message.startswith("b.js holds a live key of Stripe")
    assert sorted(read) == ["a.js", "b.js"]
    time.sleep(0.03)
    read.clear()
    project.collect()
    assert sorted(read) == ["a.js", "b.js"]
    assert [each for _, each in project.found("leaks")] == [message]


def test_a_fresh_checkout_is_not_looked_into_again(project: SmallProject, read: list[str]) -> None:
    project.write({"a.js": SECRETS["stripe"][0], "b.js": "let b"})
    time.sleep(0.03)
    project.collect()
    for name in ("a.js", "b.js"):
        os.utime(project.static / name, (1, 1))
    time.sleep(0.03)
    read.clear()
    project.collect()
    assert project.ids("leaks") == ["E034"]
    assert read == []


def test_what_was_collected_by_other_rules_is_looked_into_again(project: SmallProject, read: list[str]) -> None:
    """Another release of this package, or another SECRET_KEY."""
    key = some(50, string.ascii_letters + "#&!")
    project.write({"a.js": f"let key = '{key}'"})
    time.sleep(0.03)
    project.collect()
    assert project.ids("leaks") == []
    project.settings["SECRET_KEY"] = key
    read.clear()
    assert project.ids("leaks") == ["E034"]
    assert "a.js" in read
    project.collect()
    read.clear()
    assert project.ids("leaks") == ["E034"]
    assert read == []
    assert key.encode() not in (project.root / ".asyncstatic/state.jsonl").read_bytes()


def test_without_what_the_collect_remembered_everything_is_read(project: SmallProject, read: list[str]) -> None:
    project.write({"a.js": SECRETS["stripe"][0], "b.js": "let b"})
    os.utime(project.static / "a.js", (0, 0))
    project.collect()
    (project.root / ".asyncstatic/state.jsonl").unlink()
    read.clear()
    assert project.ids("leaks") == ["E034"]
    assert {"a.js", "b.js"} <= set(read)


def test_notes_that_somebody_has_edited_are_none(project: SmallProject) -> None:
    project.write({"a.js": SECRETS["stripe"][0]})
    time.sleep(0.03)
    project.collect()
    file = project.root / ".asyncstatic/state.jsonl"
    good = file.read_bytes()
    assert b'"found": {"a.js": [[[' in good
    for edited in (b'"found": {"a.js": 5, "x": [[[', b'"found": {"a.js": [], "x": [[[', b'"found": [], "x": {"a": [[['):
        file.write_bytes(good.replace(b'"found": {"a.js": [[[', edited))
        assert project.ids("leaks") == ["E034"]


def test_a_source_that_goes_while_it_is_inspected_leaves_no_notes(
    project: SmallProject, monkeypatch: pytest.MonkeyPatch
) -> None:
    def fail(*args: Any, **more: Any) -> Disclosed:
        raise FileNotFoundError(2, "gone")

    project.write({"a.js": SECRETS["stripe"][0]})
    with monkeypatch.context() as patch:
        patch.setattr(disclosures, "look_into", fail)
        project.collect()
    assert project.ids("leaks") == ["E034"]


def test_of_what_lies_elsewhere_the_latest_is_read(project: SmallProject, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(leaks, "LATEST", 1)
    project.collect()
    project.write({"new.js": "", "old.js": SECRETS["stripe"][0], "old.pem": pem()}, below=project.root)
    os.utime(project.root / "old.js", (0, 0))
    os.utime(project.root / "old.pem", (0, 0))
    assert [message.partition(" ")[0] for _, message in project.found("leaks")] == ["old.pem"]
    assert [message.partition(" ")[0] for _, message in project.found("leaks", deep=True)] == ["old.js", "old.pem"]


def test_what_is_ordinary_is_of_no_kind() -> None:
    for kind in KINDS:
        assert not kind.extensions & _ORDINARY
        for folder in kind.folders:
            assert not is_ordinary(f"a/{folder.upper()}/b/c.js")
        for base in kind.bases:
            assert not is_ordinary(f"a/{base.title()}")
    assert not is_ordinary("a.css~")
    assert not is_ordinary("#a.js#")
    assert is_ordinary("a/b.min.js")


def test_a_file_larger_than_a_piece_is_read_in_pieces(project: SmallProject, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(disclosures, "LARGEST", 4096)
    monkeypatch.setattr(disclosures, "LONGEST", 1024)
    for before in (0, 4080, 8190, 10_000):
        project.write({"app.js": " " * before + " " + SECRETS["github"][0] + " " * 9000})
        assert project.ids("leaks", deep=True) == ["E034"], before


def test_what_only_static_root_has_is_found(project: SmallProject) -> None:
    project.collect()
    content = {
        ".env": "TOKEN=abc",
        "dump.sql": "INSERT INTO a VALUES (1);",
        ".git/config": "[core]",
        "old/manage.py": "import os",
        "backup.sql.gz": b"\x1f\x8b",
    }
    project.write(content, below=project.root)
    found = dict(reversed([(message.partition(":")[0], found_id) for found_id, message in project.found("leaks")]))
    assert found == {
        ".env holds environment variables": "E034",
        "dump.sql holds a dump of a database": "E034",
        "backup.sql.gz holds a dump of a database": "E034",
        "The history of a version control system": "W036",
        "Source code of the server": "W036",
    }
    messages = {message for _, message in project.found("leaks")}
    assert (
        ".env holds environment variables: it is in STATIC_ROOT, or will be: this app hides dotfiles, other web servers"
        " do not." in messages
    )
    assert (
        "dump.sql holds a dump of a database: it lies in STATIC_ROOT: this app does not serve it, a web server that"
        " serves the directory does." in messages
    )


def test_what_is_scanned_is_told_as_served(project: SmallProject) -> None:
    project.settings["STORAGES"] = {
        "staticfiles": {"BACKEND": "django.contrib.staticfiles.storage.ManifestStaticFilesStorage"}
    }
    project.collect()
    project.write({"dump.sql": "INSERT INTO a VALUES (1);"}, below=project.root)
    ((_, message),) = project.found("leaks")
    assert message == "dump.sql holds a dump of a database: it lies in STATIC_ROOT, and is served."


def test_what_an_earlier_release_still_serves_is_found(project: SmallProject) -> None:
    project.write({"shop.sql": "INSERT INTO a VALUES (1);", "manage.py": "import os"})
    project.collect()
    (project.static / "shop.sql").unlink()
    (project.static / "manage.py").unlink()
    project.collect()
    found = project.found("leaks")
    assert ("E034", "shop.sql holds a dump of a database: an earlier release is still served with it.") in found
    assert any("Source code of the server: manage.py; an earlier release" in message for _, message in found)


def test_files_at_the_sites_root_are_looked_at(project: SmallProject) -> None:
    public = project.place / "public"
    project.write({"robots.txt": "User-agent: *", "favicon.ico": b"\0"}, below=public)
    project.settings["ASYNCSTATIC_ROOT"] = public
    assert project.found("leaks") == []
    project.write({"db.sqlite3": b"SQLite format 3\0", "manage.py": "import os"}, below=public)
    assert project.found("leaks") == [
        ("E034", "db.sqlite3 holds a database of SQLite: it lies in ASYNCSTATIC_ROOT, and is served."),
        ("W036", "Source code of the server: manage.py; it lies in ASYNCSTATIC_ROOT, and is served."),
    ]
    project.write({".git/config": "[core]"}, below=public)
    assert any("control system: .git; it is in ASYNCSTATIC_ROOT" in message for _, message in project.found("leaks"))
    project.settings["ASYNCSTATIC_ROOT"] = project.place / "absent"
    assert project.found("leaks") == []


def test_a_dotfile_is_told_as_served_where_dotfiles_are(project: SmallProject) -> None:
    public = project.place / "public"
    project.write({".env": "TOKEN=abc"}, below=public)
    project.settings["ASYNCSTATIC_ROOT"] = public
    ((_, message),) = project.found("leaks")
    assert message.endswith(
        ": it is in ASYNCSTATIC_ROOT, or will be: this app hides dotfiles, other web servers do not."
    )
    project.settings["ASYNCSTATIC_DOTFILES"] = True
    assert project.found("leaks") == [
        ("E034", ".env holds environment variables: it lies in ASYNCSTATIC_ROOT, and is served.")
    ]


def test_of_a_package_only_secrets_are_told(tmp_path: Path) -> None:
    """What else is in it is public already, and not the project's to mend."""
    inline = b64encode(b'{"sources": ["/home/anna/a.ts"]}').decode()
    files = {
        "lib/lib.scss": "",
        "lib/build.py": "",
        "lib/lib.js.map": json.dumps({"sources": ["/home/anna/a.ts"], "sourcesContent": ["let a"]}),
        "lib/lib.js": f"let a\n//# sourceMappingURL=data:application/json;base64,{inline}\n",
    }
    found = {}
    for place in (tmp_path / "site-packages", tmp_path):
        place.mkdir(exist_ok=True)
        project = SmallProject(place)
        project.write(files)
        found[place] = sorted(project.ids("leaks", deep=True))
        project.write({"lib/id_rsa": SECRETS["openssh"][0]})
        assert "E034" in project.ids("leaks")
    assert found == {tmp_path / "site-packages": [], tmp_path: ["I074", "I075", "W035", "W035", "W035", "W036"]}


@pytest.mark.skipif(os.name == "nt", reason="POSIX")
def test_a_link_that_leads_nowhere_is_for_another_family_to_tell(project: SmallProject) -> None:
    (project.static / "gone.js").symlink_to("absent")
    assert project.found("leaks", deep=True) == []
    assert project.ids("files") == ["E039"]


@pytest.fixture
def reachable() -> Iterator[Path]:
    place = Path(tempfile.mkdtemp())
    place.chmod(0o755)
    yield place
    shutil.rmtree(place)


@pytest.mark.skipif(os.name == "nt", reason="POSIX")
def test_what_may_not_be_read_is_a_remark(reachable: Path) -> None:
    project = SmallProject(reachable)
    # Without hashed names: nobody may not read where the parsers of references are installed.
    project.settings["STORAGES"] = {"staticfiles": {"BACKEND": STORAGE.replace("Manifest", "")}}
    project.write({"a.css": "a {}"})
    project.collect()
    project.write({"id_rsa": "key"}, below=project.root)
    (project.root / "id_rsa").chmod(0)
    with ExitStack() as stack:
        as_nobody(stack)
        ((found_id, message),) = project.found("leaks")
    assert found_id == "I077"
    assert message.endswith("id_rsa.")


# --- kinds ----------------------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("name", "expected"),
    [
        ("tools/build.py", "W036"),
        ("index.php", "W036"),
        ("Dockerfile", "W036"),
        ("docker-compose.yml", "W036"),
        ("site.css.orig", "W036"),
        ("site.js.BAK", "W036"),
        ("#site.js#", "W036"),
        ("node_modules/lib/index.js", "I074"),
        ("package-lock.json", "I074"),
        ("scss/site.scss", "I074"),
        ("src/app.ts", "I074"),
        ("Thumbs.db", "I074"),
        ("package.json", None),
        ("app.tsv", None),
        ("python.svg", None),
        ("py", None),
    ],
)
def test_what_is_for_developers_is_found_by_name(project: SmallProject, name: str, expected: str | None) -> None:
    project.write({name: "x"})
    found = project.found("leaks")
    assert [each for each, _ in found] == ([expected] if expected else [])
    if expected:
        assert name in found[0][1]
        assert found[0][1].endswith("collectstatic publishes it.")


@pytest.mark.parametrize(
    ("name", "told"),
    [
        (".git/config", ".git"),
        ("vendor/.svn/entries", "vendor/.svn"),
        (".hg/store/data", ".hg"),
        (".bzr/README", ".bzr"),
        ("img/CVS/Root", "img/CVS"),
        ("git/config", None),
        (".gitignore", None),
        ("hg.css", None),
    ],
)
def test_the_history_of_any_version_control_system_is_found(project: SmallProject, name: str, told: str | None) -> None:
    project.collect()
    project.write({name: "x"}, below=project.root)
    found = project.findings("leaks")
    assert [each.id for each in found] == ["asyncstatic.W036"] * (told is not None)
    for each in found:
        assert each.message.startswith(f"The history of a version control system: {told}; ")
        assert each.place == Place.of(project.root / (told or ""))


@pytest.mark.parametrize("name", ["site.js~", "site.js.swp", "site.css.rej", "__pycache__/app.cpython-313.pyc"])
def test_what_finders_would_leave_out_is_found_where_it_was_copied(project: SmallProject, name: str) -> None:
    project.collect()
    project.write({name: "x"}, below=project.root)
    ((found_id, message),) = project.found("leaks")
    assert (found_id, f": {name}; it lies in STATIC_ROOT" in message) == ("W036", True)


def test_files_of_a_kind_are_one_finding(project: SmallProject) -> None:
    project.write({f"scss/{number}.scss": "" for number in range(9)})
    ((_, message),) = project.found("leaks")
    assert "scss/0.scss, scss/1.scss, scss/2.scss and 6 more" in message


def test_the_parts_of_a_film_are_no_typescript(project: SmallProject) -> None:
    project.write({"film/list.m3u8": "#EXTM3U", "film/0.ts": b"G", "film/1.ts": b"G"})
    assert project.found("leaks") == []


# --- source maps ----------------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("source", "is_told"),
    [
        ("/home/anna/shop/src/app.ts", True),
        ("/Users/anna/shop/app.ts", True),
        ("file:///home/anna/app.ts", True),
        ("C:\\Users\\anna\\app.ts", True),
        ("file:///C:/work/app.ts", True),
        ("webpack:///C:/work/app.ts", True),
        ("webpack:////builds/shop/app.ts", True),
        ("/src/app.ts", False),
        ("/app.ts", False),
        ("../src/home/anna/app.ts", False),
        ("webpack:///home/components/menu.js", False),
        ("webpack://shop/./src/app.ts", False),
        ("https://example.com/home/x/app.ts", False),
        ("node_modules/lib/c:/x.js", False),
    ],
)
@pytest.mark.parametrize("how", ["sources", "sourceRoot", "section"])
def test_a_map_that_names_files_of_a_machine_is_told_from_one_of_the_project(
    source: str, is_told: bool, how: str
) -> None:
    inner = {"sourceRoot": source} if how == "sourceRoot" else {"sources": ["a.ts", None, source]}
    content = {"sections": [{"map": inner}]} if how == "section" else inner
    found = read_map(json.dumps(content).encode())
    assert found is not None
    assert found.machine_files == ((source,) if is_told else ())


@pytest.mark.parametrize("data", [b"", b"noise", b"[]", b'{"sources": 1, "sections": [2]}', b"[" * 100_000])
def test_what_is_no_source_map_tells_nothing(data: bytes) -> None:
    found = read_map(data)
    assert found is None or found == ((), 0)


def test_source_maps_are_told_by_what_is_in_them(project: SmallProject) -> None:
    inline = b64encode(b'{"sources": ["/home/anna/a.ts"]}').decode()
    project.write(
        {
            "plain.js.map": json.dumps({"sources": ["../a.ts"]}),
            "whole.js.map": ")]}'\n" + json.dumps({"sources": ["a.ts"], "sourcesContent": ["let a"]}),
            "machine.css.map": json.dumps({"sources": ["/home/anna/shop/a.scss"]}),
            "dev.js": f"let a\n//# sourceMappingURL=data:application/json;charset=utf-8;base64,{inline}\n",
            "tool.js": 'out = "//# sourceMappingURL=data:application/json;base64," + btoa(map)',
        }
    )
    found = project.found("leaks")
    assert [each for each, _ in found] == ["W035", "W035", "W035", "I075"]
    assert "dev.js tells visitors" in found[0][1]
    assert found[1][1].endswith("machine that built it: /home/anna/shop/a.scss.")
    assert found[2][1].endswith("every visitor loads them: dev.js.")
    assert found[3][1].endswith("comments included: whole.js.map.")


def test_an_inline_map_is_read_as_its_url_says() -> None:
    assert (
        inline_map(b"/*# sourceMappingURL=data:application/json,%7B%22sources%22%3A%5B%5D%7D */") == b'{"sources":[]}'
    )
    assert inline_map(b"//# sourceMappingURL=app.js.map") is None


def test_the_secret_of_no_message_is_its_value(project: SmallProject) -> None:
    """Whatever is found: no finding repeats more than a few characters of it."""
    project.write({f"{name}.js": content for name, (content, _) in SECRETS.items()})
    findings = project.findings("leaks")
    assert len(findings) == len(SECRETS)
    told = repr(findings)
    for content, _ in SECRETS.values():
        for run in re.findall(r"[A-Za-z0-9]{20,}", content):
            assert run not in told
