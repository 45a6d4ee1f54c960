"""``manage.py collectstatic``: ours, Django's own with our storages, and what both promise."""

from __future__ import annotations

import io
import json
import os
import re
import shutil
import subprocess
import sys
import time
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
from django.contrib.staticfiles.management.commands.collectstatic import Command as DjangoCommand
from django.core.checks import run_checks
from django.core.management import CommandError, call_command, get_commands
from django.test import override_settings

from django_asyncstatic.codings import CODINGS
from django_asyncstatic.collecting import atomic
from django_asyncstatic.collecting.atomic import Destination, exclusive
from django_asyncstatic.collecting.builder import INTERRUPTED
from django_asyncstatic.index import INDEX_NAME, PRIVATE_DIRECTORY, StaticIndex
from django_asyncstatic.management.commands.collectstatic import Command
from django_asyncstatic.storage import CompressedManifestStaticFilesStorage
from tests.programs import output_of
from tests.test_storage import project, write

STORAGES = ["CompressedManifestStaticFilesStorage", "CompressedStaticFilesStorage"]


def collect(command: Any = "collectstatic", **options: Any) -> str:
    """The output, standard error included."""
    out = io.StringIO()
    given = {"interactive": False, "verbosity": 1, "stdout": out, "stderr": out, **options}
    call_command(command() if isinstance(command, type) else command, **given)
    return out.getvalue()


def snapshot(root: Path, *, bookkeeping: bool = True) -> dict[str, tuple[int, int, bytes]]:
    """Every file with its inode, its time and its bytes: equal ones mean that nothing was written."""
    return {
        str(file.relative_to(root)): (file.lstat().st_ino, file.lstat().st_mtime_ns, file.read_bytes())
        for file in sorted(root.rglob("*"))
        if file.is_file() and file.name != "lock" and (bookkeeping or PRIVATE_DIRECTORY not in file.parts)
    }


def contents(root: Path) -> dict[str, bytes]:
    """The bytes of every file that somebody may serve, by name."""
    return {name: data for name, (_, _, data) in snapshot(root).items() if not name.startswith(PRIVATE_DIRECTORY)}


def names(root: Path) -> dict[str, str]:
    """The manifest."""
    paths: dict[str, str] = json.loads((root / "staticfiles.json").read_bytes())["paths"]
    return paths


@pytest.fixture
def source(tmp_path: Path) -> Path:
    folder = tmp_path / "source"
    write(
        folder,
        site__css="@import 'part.css';\nbody { background: url(img/dot.png); }\n" + "a { color: red; }\n" * 50,
        part__css="p { margin: 0; }\n" * 50,
        app__js="console.log(1);\n" * 50,
    )
    write(folder / "img", dot__png=b"\x89PNG" + os.urandom(60))
    time.sleep(0.05)  # what has just been written may change again unseen, and is read again
    return folder


@pytest.fixture
def root(tmp_path: Path) -> Path:
    return tmp_path / "root"


# --- the command -------------------------------------------------------------------------------------------------


def test_the_command_is_ours_where_the_app_stands_above_staticfiles() -> None:
    assert get_commands()["collectstatic"] == "django_asyncstatic"


@pytest.mark.parametrize("storage", STORAGES)
def test_the_same_release_by_our_command_and_by_djangos(source: Path, tmp_path: Path, storage: str) -> None:
    for command, folder in ((Command, "ours"), (DjangoCommand, "djangos")):
        with project(source, tmp_path / folder, storage):
            collect(command)
    assert contents(tmp_path / "ours") == {
        name: data if name != "asyncstatic.times" else contents(tmp_path / "ours")[name]
        for name, data in contents(tmp_path / "djangos").items()
    }


def test_under_djangos_command_what_is_broken_is_told_as_well(source: Path, root: Path) -> None:
    write(source, broken__css="a { background: url(gone.png) }", other__css="a { background: url(gone.gif) }")
    with (
        project(source, root),
        pytest.raises(CommandError, match=r"2 things are wrong(.|\n)*gone\.png(.|\n)*gone\.gif"),
    ):
        collect(DjangoCommand)
    assert not (root / INDEX_NAME).exists()


def test_with_a_storage_of_django_it_is_djangos_command(source: Path, root: Path) -> None:
    with project(source, root, "django.contrib.staticfiles.storage.ManifestStaticFilesStorage"):
        output = collect()
        with pytest.raises(CommandError, match="needs one of this app's storages"):
            collect(previous=["/nowhere"])
    assert "4 static files copied" in output
    assert len(names(root)) == 4
    assert not (root / INDEX_NAME).exists()


def test_a_dry_run_finds_what_is_broken_and_writes_nothing(source: Path, root: Path) -> None:
    with project(source, root):
        assert "Pretending to copy 'img/dot.png'" in collect(dry_run=True)
        assert not root.exists()
        write(source, broken__css="a { background: url(gone.png) }")
        with pytest.raises(CommandError, match=r"broken\.css:1:17: url\(gone\.png\): "):
            collect(dry_run=True)
        assert not root.exists()


def test_without_post_processing_plain_files_are_all_that_is_written(source: Path, root: Path) -> None:
    with project(source, root):
        collect()
        before = contents(root)
        write(source, part__css="p { margin: 1em; }\n")
        output = collect(post_process=False)
        assert "1 static file copied" in output
        assert (root / "part.css").read_text() == "p { margin: 1em; }\n"
        assert contents(root) == {**before, "part.css": b"p { margin: 1em; }\n"}
        # A broken reference is nobody's business then, as with Django.
        write(source, broken__css="a { background: url(gone.png) }")
        collect(post_process=False)
    assert (root / "broken.css").exists()


def test_links_are_links_and_what_is_served_is_not(source: Path, root: Path) -> None:
    with project(source, root):
        collect(link=True)
        assert (root / "part.css").is_symlink()
        assert (root / "part.css").resolve() == source / "part.css"
        hashed = root / names(root)["part.css"]
        assert not hashed.is_symlink()
        before = snapshot(root)
        assert "0 static files symlinked" in collect(link=True)
        assert snapshot(root) == before
        collect()
    assert not (root / "part.css").is_symlink()
    assert (root / "part.css").read_bytes() == (source / "part.css").read_bytes()


def test_ignore_patterns_are_djangos(source: Path, root: Path) -> None:
    write(source, extra__txt="x", backup__txt__="~")
    (source / "backup.txt.").rename(source / "backup.txt~")
    with project(source, root):
        collect(ignore_patterns=["extra.*"])
        assert set(names(root)) == {"site.css", "part.css", "app.js", "img/dot.png"}
        collect(use_default_ignore_patterns=False)
        assert set(names(root)) == {"site.css", "part.css", "app.js", "img/dot.png", "extra.txt", "backup.txt~"}


@pytest.mark.parametrize("storage", STORAGES)
def test_clear_comes_last_and_spares_the_releases_that_stay(source: Path, root: Path, storage: str) -> None:
    with project(source, root, storage):
        collect()
        old = set(StaticIndex.load(root / INDEX_NAME))
        (root / "old").mkdir()
        (root / "old/orphan.txt").write_text("nobody knows me")
        write(source, part__css="p { margin: 1em; }\n" * 50)
        (source / "app.js").unlink()
        output = collect(clear=True, verbosity=2)
        index = StaticIndex.load(root / INDEX_NAME)
        assert "Deleting 'old/orphan.txt'" in output
        assert not (root / "old").exists()
        assert old <= set(index)
        with project(source, root, storage, keep_releases=1, keep_age=0):
            collect(clear=True)
    index = StaticIndex.load(root / INDEX_NAME)
    assert "app.js" not in index
    assert not list(root.rglob("app*"))
    assert all((root / each.file).exists() for path in index for each in index.get(path).representations)  # type: ignore[union-attr]


def test_a_storage_whose_post_process_knows_only_djangos_arguments_still_works(source: Path, root: Path) -> None:
    with project(source, root, f"{__name__}.OldFashioned"):
        collect()
    assert (root / "part.css").read_bytes() == (source / "part.css").read_bytes()
    assert StaticIndex.load(root / INDEX_NAME).get("part.css") is not None


class OldFashioned(CompressedManifestStaticFilesStorage):
    def post_process(self, paths: Any, dry_run: bool = False, **options: Any) -> Iterator[Any]:
        yield from super().post_process(paths, dry_run)


def test_an_order_of_apps_that_hides_the_command_is_a_warning(source: Path, root: Path) -> None:
    with project(source, root):
        assert [each.id for each in run_checks(tags=["staticfiles"])] == []
        with override_settings(INSTALLED_APPS=["django.contrib.staticfiles", "django_asyncstatic"]):
            (warning,) = run_checks(tags=["staticfiles"])
    assert warning.id == "asyncstatic.W051"
    assert not root.exists()


# --- what is wrong -----------------------------------------------------------------------------------------------


def test_all_that_is_wrong_is_told_at_once_before_anything_is_written(source: Path, root: Path) -> None:
    write(
        source,
        one__css='/* x */\n  a { background: url( "img/dott.png" ) }\n@import "/static/nothing.css";',
        two__css="a { src: url(../outside.woff) }",
        latin__css="a { content: '\u00e9' }".encode("latin-1"),
    )
    (source / "dangling.txt").symlink_to("nowhere")
    os.mkfifo(source / "pipe.txt")
    with project(source, root), pytest.raises(CommandError) as raised:
        collect()
    assert not root.exists()
    text = str(raised.value)
    assert text.startswith("6 things are wrong with the static files. Nothing was written.\n")
    for line in (
        "dangling.txt: cannot be read: No such file or directory",
        "pipe.txt: cannot be read: it is not a regular file",
        "latin.css:1: is not UTF-8 (byte 0xe9 at 14)",
        "one.css:2:19: url( \"img/dott.png\" ): there is no file 'img/dott.png'; did you mean 'img/dot.png'?",
        "one.css:3:1: @import \"/static/nothing.css\": there is no file 'nothing.css'",
        "two.css:1:10: url(../outside.woff): leads out of the static files",
    ):
        assert f"\n  {line}" in text


@pytest.mark.parametrize(
    ("patterns", "is_lenient"),
    [(["*"], True), (["lenient.css:missing/*"], True), (["lenient.css"], True), (["other.css:*"], False)],
    ids=["all", "file-and-url", "file", "another-file"],
)
def test_what_is_ignored_is_a_warning_and_stays_as_it_was_written(
    source: Path, root: Path, patterns: list[str], is_lenient: bool
) -> None:
    write(source, lenient__css="a { background: url( missing/x.png ) }")
    with project(source, root, ignore_errors=patterns):
        if not is_lenient:
            with pytest.raises(CommandError, match=r"missing/x\.png"):
                collect()
            return
        output = collect()
    assert "Warning: lenient.css:1:17: url( missing/x.png ) stays as it is: there is no file 'missing/x.png'" in output
    assert (root / names(root)["lenient.css"]).read_text() == "a { background: url( missing/x.png ) }"


def test_a_missing_source_map_is_a_warning(source: Path, root: Path) -> None:
    write(source, lib__js="f();\n//# sourceMappingURL=lib.js.map\n", base__css="a{}\n/*# sourceMappingURL=b.map */\n")
    write(source, good__js="f();\n//# sourceMappingURL=good.js.map\n", good__js__map="{}")
    with project(source, root):
        output = collect()
    assert "lib.js:2:1" in output
    assert "base.css:2:1" in output
    assert "good.js" not in output
    assert names(root)["good.js.map"] in (root / names(root)["good.js"]).read_text()
    assert (root / names(root)["lib.js"]).read_bytes() == (source / "lib.js").read_bytes()


def test_names_that_another_file_system_takes_for_one_are_named(source: Path, root: Path) -> None:
    write(source, Logo__svg="<svg/>", logo__svg="<svg></svg>")
    (source / "caf\u00e9.txt").write_text("1")
    (source / "cafe\u0301.txt").write_text("2")
    with project(source, root):
        output = collect()
    assert "Logo.svg and logo.svg differ only by case" in output
    assert "differ only by Unicode form" in output
    assert len({names(root)[name] for name in ("Logo.svg", "logo.svg", "caf\u00e9.txt", "cafe\u0301.txt")}) == 4


def test_a_full_disk_leaves_the_last_release_as_it_was(source: Path, root: Path) -> None:
    """A limit on the size of files stands for the disk: the writes fail in the middle, for real."""
    with project(source, root):
        collect()
    before = contents(root)
    write(source, part__css="p { margin: 1em; }\n" * 50, big__bin=os.urandom(200_000))
    code = f"""
import resource, signal
signal.signal(signal.SIGXFSZ, signal.SIG_IGN)
import django
from django.conf import settings
django.setup()
from django.core.management import call_command
from django.core.management.base import CommandError
from tests.test_storage import project
from pathlib import Path
with project(Path({str(source)!r}), Path({str(root)!r})):
    resource.setrlimit(resource.RLIMIT_FSIZE, (100_000, resource.RLIM_INFINITY))
    try:
        call_command("collectstatic", interactive=False, verbosity=0)
    except CommandError as error:
        print(error)
"""
    assert "Collecting stopped: File too large" in output_of(code, DJANGO_SETTINGS_MODULE="tests.settings")
    after = contents(root)
    assert {name: after[name] for name in before} == before
    with project(source, root):
        collect()
    assert not list(root.rglob("*unfinished*"))
    assert "big.bin" in names(root)


def test_a_second_collect_at_the_same_time_is_told_who_is_at_work(source: Path, root: Path) -> None:
    with project(source, root):
        collect()
        before = snapshot(root)
        with (
            exclusive(root / PRIVATE_DIRECTORY),
            pytest.raises(CommandError, match=f"process {os.getpid()}.*Wait until it has ended"),
        ):
            collect()
        assert contents(root) == {name: data for name, (_, _, data) in before.items() if not name.startswith(".")}
        collect()


def test_a_directory_where_a_file_has_to_be_is_told(source: Path, root: Path) -> None:
    (root / "part.css/x").mkdir(parents=True)
    with project(source, root), pytest.raises(CommandError, match=r"part\.css is a directory"):
        collect()


# --- not twice ---------------------------------------------------------------------------------------------------


@pytest.mark.parametrize("storage", STORAGES)
def test_an_unchanged_collect_writes_nothing(source: Path, root: Path, storage: str) -> None:
    with project(source, root, storage):
        collect()
        before = snapshot(root)
        output = collect()
        assert "0 static files copied" in output
        assert "The same release as before" in output
        assert snapshot(root) == before


@pytest.mark.parametrize("storage", STORAGES)
def test_a_fresh_checkout_writes_nothing_that_is_served(
    source: Path, root: Path, storage: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    with project(source, root, storage):
        collect()
        before = snapshot(root, bookkeeping=False)
        for file in source.rglob("*.*"):
            data = file.read_bytes()
            file.unlink()
            file.write_bytes(data)
            os.utime(file, (2_000_000_000, 2_000_000_000))
        for coding in CODINGS.values():
            monkeypatch.setitem(CODINGS, coding.token, coding._replace(encode=_must_not_be_called))
        collect()
        assert snapshot(root, bookkeeping=False) == before


def _must_not_be_called(data: bytes, level: int) -> bytes:
    raise AssertionError("compressed again")


def test_what_changed_is_all_that_is_done_again_and_why_is_told(source: Path, root: Path) -> None:
    with project(source, root):
        collect()
        before = snapshot(root)
        write(source, part__css="p { margin: 1em; }\n" * 50)
        output = collect(verbosity=2)
        after = snapshot(root)
    changed = {name for name in after if before.get(name) != after[name]} - {"asyncstatic.index", "asyncstatic.times"}
    assert {name.partition(".")[0] for name in changed if not name.startswith(PRIVATE_DIRECTORY)} == {
        "part",
        "site",
        "staticfiles",
    }
    assert "Collected 'part.css': its content changed" in output
    assert "Collected 'site.css': what it refers to changed" in output
    assert "Collected 'app.js'" not in output


def test_what_was_compressed_stays_in_the_cache_directory(
    source: Path, root: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """As in CI: an empty STATIC_ROOT, a fresh checkout, and the cache directory of the last build."""
    cache = tmp_path / "cache"
    with project(source, root, cache_dir=cache):
        collect()
        first = contents(root)
        (root / INDEX_NAME).unlink()
        for file in root.rglob("*.*"):
            if file.is_file():
                file.unlink()
        for coding in CODINGS.values():
            monkeypatch.setitem(CODINGS, coding.token, coding._replace(encode=_must_not_be_called))
        collect()
    second = contents(root)
    assert {name: data for name, data in second.items() if name != "asyncstatic.times"} == {
        name: data for name, data in first.items() if name != "asyncstatic.times"
    }


def test_a_damaged_cache_is_no_harm(source: Path, root: Path, tmp_path: Path) -> None:
    cache = tmp_path / "cache"
    with project(source, root, cache_dir=cache):
        collect()
        for file in cache.rglob("*"):
            if file.is_file():
                file.write_bytes(b"{}" if file.suffix == ".json" else b"rubbish")
        first = contents(root)
    with project(source, tmp_path / "second", cache_dir=cache):
        collect()
    second = contents(tmp_path / "second")
    first.pop("asyncstatic.times")
    second.pop("asyncstatic.times")
    assert second == first


def test_equal_contents_are_compressed_once(source: Path, root: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    write(source, copy__js="console.log(1);\n" * 50)
    encoded = []
    encode = CODINGS["br"].encode
    monkeypatch.setitem(
        CODINGS, "br", CODINGS["br"]._replace(encode=lambda data, level: (encoded.append(data), encode(data, level))[1])
    )
    with project(source, root):
        collect()
    assert len(encoded) == len(set(encoded))
    index = StaticIndex.load(root / INDEX_NAME)
    for name in ("app.js", "copy.js"):
        resource = index.get(name)
        assert resource is not None
        assert [each.coding for each in resource.representations] == [None, "gzip", "br", "zstd"]
        assert all((root / each.file).stat().st_size == each.size for each in resource.representations)


@pytest.mark.parametrize("storage", STORAGES)
def test_the_same_input_gives_the_same_bytes(
    source: Path, tmp_path: Path, storage: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("SOURCE_DATE_EPOCH", "1700000000")
    roots = [tmp_path / "here", tmp_path / "there/deeper"]
    for each in roots:
        with project(source, each, storage):
            collect()
            write(source, part__css="p { margin: 1em; }\n" * 50)
            collect()
            write(source, part__css="p { margin: 0; }\n" * 50)
    first, second = map(contents, roots)
    first.pop("asyncstatic.times")  # it says when the first release was superseded
    second.pop("asyncstatic.times")
    assert first == second


# --- cycles ------------------------------------------------------------------------------------------------------


def test_style_sheets_that_import_each_other_get_stable_names(source: Path, root: Path, tmp_path: Path) -> None:
    write(source, a__css='@import "b.css"; a { background: url(img/dot.png) }', b__css='@import "a.css"; b {}')
    write(source, self__css='@import "self.css"; i {}')
    with project(source, root):
        collect()
        first = names(root)
        collect()
        assert names(root) == first
        assert (root / first["a.css"]).read_text() == (
            f'@import url("{first["b.css"]}"); a {{ background: url("{first["img/dot.png"]}") }}'
        )
        assert (root / first["self.css"]).read_text() == f'@import url("{first["self.css"]}"); i {{}}'
    with project(source, tmp_path / "elsewhere"):
        collect()
        assert names(tmp_path / "elsewhere") == first
        write(source, b__css='@import "a.css"; b { margin: 0 }')
        collect()
    second = names(tmp_path / "elsewhere")
    assert {name for name in first if first[name] != second[name]} == {"a.css", "b.css"}


def test_modules_that_import_each_other_get_stable_names(source: Path, root: Path) -> None:
    write(
        source,
        main__js='import {even} from "./even.js";\n',
        even__js='import {odd} from "./odd.js";\nexport let even;\n',
        odd__js='import {even} from "./even.js";\nexport let odd;\n',
    )
    with project(source, root, support_js_module_import_aggregation=True):
        collect()
    found = names(root)
    assert f'from "./{found["odd.js"]}"' in (root / found["even.js"]).read_text()
    assert f'from "./{found["even.js"]}"' in (root / found["odd.js"]).read_text()
    assert f'from "./{found["even.js"]}"' in (root / found["main.js"]).read_text()


# --- what a person sees ------------------------------------------------------------------------------------------


def test_the_table_says_what_was_made_and_what_was_reused(source: Path, root: Path) -> None:
    with project(source, root):
        first, second = collect(), collect()
    assert "4 static files copied" in first
    assert "A new release" in first
    (row,) = [line.split() for line in second.splitlines() if line.strip().startswith("br")]
    assert row[1] == "3"
    assert row[-2:] == ["0", "3"]
    with project(source, root):
        assert collect(verbosity=0) == ""


def test_options_that_cannot_be_meant_are_named_with_what_can() -> None:
    from django.core.exceptions import ImproperlyConfigured

    for options, text in (
        ({"keep_releasess": 3}, "did you mean 'keep_releases'"),
        ({"keep_releases": 0}, "at least 1"),
        ({"keep_age": "7 days"}, "a timedelta, or a number of seconds"),
        ({"keep_only_hashed_files": "yes"}, "True or False"),
        ({"use_gzip": False}, 'leave "gzip" out of "codings"'),
        ({"sourcemap_strict": True}, "a missing source map is always a warning"),
        ({"manifest_name": "a/b"}, "the name of a file"),
        ({"wholly_unknown": 1}, "There are cache_dir"),
    ):
        with pytest.raises(ImproperlyConfigured) as raised:
            CompressedManifestStaticFilesStorage(location="/nowhere", **options)
        assert text in str(raised.value)


def test_only_hashed_files_are_kept_on_request_and_plain_names_are_served_all_the_same(
    source: Path, root: Path
) -> None:
    with project(source, root, keep_only_hashed_files=True):
        collect()
        assert not (root / "part.css").exists()
        resource = StaticIndex.load(root / INDEX_NAME).get("part.css")
        assert resource is not None
        assert resource.identity.file == names(root)["part.css"]
        before = snapshot(root)
        collect()
        assert snapshot(root) == before
        collect(DjangoCommand)
        assert not (root / "part.css").exists()


def test_extensions_that_are_skipped_are_not_compressed(source: Path, root: Path) -> None:
    with project(source, root, skip_compress_extensions=[".JS"]):
        collect()
        assert not list(root.glob("app.*.gz"))
        assert list(root.glob("part.*.gz"))
    with project(source, root):
        collect()
    assert list(root.glob("app.*.gz"))


def test_zopfli_makes_smaller_gzip(source: Path, root: Path, tmp_path: Path) -> None:
    import gzip

    write(source, text__txt="".join(f"{number * number} " for number in range(2000)))
    sizes = []
    for folder, options in ((root, {"levels": {"gzip": 9}}), (tmp_path / "second", {"zopfli": 5})):
        with project(source, folder, codings=["gzip"], **{"levels": {}, **options}):
            collect()
        (file,) = folder.glob("text.*.txt.gz")
        assert gzip.decompress(file.read_bytes()) == (source / "text.txt").read_bytes()
        sizes.append(file.stat().st_size)
    assert sizes[1] < sizes[0]
    assert StaticIndex.load(tmp_path / "second" / INDEX_NAME).header["codecs"]["gzip"].startswith("zopfli ")


def test_long_work_shows_its_progress_on_a_terminal_and_nowhere_else(tmp_path: Path) -> None:
    import fcntl
    import pty
    import struct
    import termios

    source, root = tmp_path / "source", tmp_path / "root"
    source.mkdir()
    for number in range(400):
        (source / f"{number}.js").write_text(f"f({number});\n")
    code = f"""
import django
django.setup()
from pathlib import Path
from django.core.management import call_command
from django_asyncstatic.management.commands import collectstatic
from tests.test_storage import project
collectstatic.DELAY = 0
with project(Path({str(source)!r}), Path({str(root)!r})):
    call_command("collectstatic", interactive=False, verbosity=VERBOSITY)
"""
    environment = {**os.environ, "DJANGO_SETTINGS_MODULE": "tests.settings", "TERM": "xterm"}
    shown = {}
    for verbosity in ("1", "0"):
        ours, theirs = pty.openpty()
        fcntl.ioctl(theirs, termios.TIOCSWINSZ, struct.pack("HHHH", 24, 80, 0, 0))
        child = subprocess.Popen(
            [sys.executable, "-c", code.replace("VERBOSITY", verbosity)],
            cwd=Path(__file__).parents[1],
            env=environment,
            stdout=subprocess.PIPE,
            stderr=theirs,
        )
        os.close(theirs)
        text = b""
        try:
            while chunk := os.read(ours, 4096):
                text += chunk
        except OSError:  # the other end is closed
            pass
        output = child.communicate(timeout=60)[0]
        os.close(ours)
        assert child.returncode == 0, text
        assert b"files/s" not in output
        shown[verbosity] = text.decode()
        shutil.rmtree(root)
    assert re.search(r"\d+%\|.*\| \d+/400 ", shown["1"])
    assert shown["0"] == ""


def test_many_warnings_are_counted_unless_more_is_asked_for(source: Path, root: Path) -> None:
    for number in range(12):
        write(source, **{f"lib{number}__js": f"f({number});\n//# sourceMappingURL=gone{number}.map\n"})
    with project(source, root):
        output = collect()
        assert output.count("Warning: ") == 10
        assert "2 more warnings: --verbosity 2 shows them." in output
        assert collect(verbosity=2).count("Warning: ") == 12


# --- what a review has found -------------------------------------------------------------------------------------


@pytest.mark.parametrize("storage", STORAGES)
def test_a_change_that_keeps_the_size_is_a_change(source: Path, root: Path, storage: str) -> None:
    with project(source, root, storage):
        collect()
        for content in ("console.log(2);\n" * 50, "console.log(3);\n" * 50):
            time.sleep(0.05)
            write(source, app__js=content)
            collect()
            assert (root / "app.js").read_text() == content
            resource = StaticIndex.load(root / INDEX_NAME).get("app.js")
            assert resource is not None
            assert (root / resource.identity.file).read_text() == content


def test_another_level_is_put_in_place_with_its_index(
    source: Path, root: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """What the published index names keeps its bytes until the next index is written."""
    with project(source, root):
        collect()
    before = contents(root)

    def fails(destination: Destination) -> None:
        raise OSError(28, "No space left on device")

    with project(source, root, levels={"gzip": 9, "br": 11, "zstd": 19}):
        with monkeypatch.context() as patch:
            patch.setattr(Destination, "put_deferred", fails)
            with pytest.raises(CommandError, match=r"No space left.*What was published before is as it was"):
                collect()
        after = contents(root)
        assert {name: after[name] for name in before} == before
        collect()
    assert StaticIndex.load(root / INDEX_NAME).header["codecs"]["br"].endswith("level 11")
    assert not list(root.rglob("*unfinished*"))


def test_stale_compressed_copies_beside_plain_files_go(source: Path, root: Path) -> None:
    with project(source, root, "CompressedStaticFilesStorage"):
        collect()
        assert (root / "app.js.gz").exists()
        write(source, app__js="f()")
        collect()
        assert not list(root.glob("app.js.*"))
    with project(source, root, "CompressedStaticFilesStorage", codings=["br"], levels={"br": 1}):
        collect()
    assert not list(root.glob("part.css.gz"))
    assert list(root.glob("part.css.br"))


@pytest.mark.parametrize("reason", ["damaged", "gone", "interrupted", "first"])
def test_compressed_copies_that_nobody_knows_of_go(source: Path, root: Path, reason: str) -> None:
    """Beside a plain file another server would send them, and not what the file is by now."""
    with project(source, root, "CompressedStaticFilesStorage"):
        collect()
        stale = (root / "part.css.gz").read_bytes()
        if reason == "damaged":
            (root / "asyncstatic.index").write_bytes(b"{")
        elif reason == "gone":
            (root / "asyncstatic.index").unlink()
        elif reason == "first":
            shutil.rmtree(root)
            root.mkdir()
            (root / "part.css.gz").write_bytes(stale)
    with project(source, root, "CompressedStaticFilesStorage", codings=[]):
        if reason == "interrupted":
            collect()
            (root / "part.css.gz").write_bytes(stale)
            (root / INTERRUPTED).touch()
        collect()
    # What lies there before the first collect is somebody else's.
    assert [file.name for file in root.glob("part.css.*")] == (["part.css.gz"] if reason == "first" else [])


@pytest.mark.parametrize("name", [f"{PRIVATE_DIRECTORY}/state.jsonl", "staticfiles.json"])
def test_what_a_collect_leaves_that_was_killed_goes_although_it_had_nothing_else_to_write(
    source: Path, root: Path, monkeypatch: pytest.MonkeyPatch, name: str
) -> None:
    class Killed(BaseException):
        pass

    def killed(*arguments: Any) -> None:
        raise Killed

    time.sleep(0.05)
    with project(source, root):
        collect()
        (root / name).unlink()
        with monkeypatch.context() as patch:
            patch.setattr(os, "replace", killed)
            patch.setattr(atomic, "_forget", lambda path: None)
            with pytest.raises(Killed):
                collect()
        assert len(list(root.rglob("*unfinished"))) == 2  # the file, and the note
        collect()
        assert not list(root.rglob("*unfinished"))
        assert (root / name).exists()


def test_a_damaged_state_is_none(source: Path, root: Path) -> None:
    with project(source, root):
        collect()
        file = root / PRIVATE_DIRECTORY / "state.jsonl"
        good = file.read_bytes()
        before = contents(root)
        for damaged in (
            good.replace(b"part.css", b"tart.css", 1),
            good[: len(good) // 2],
            good.replace(b'"verified": ', b'"verified": 1e999, "x": ', 1),
            good.replace(b'"inspected": ', b'"inspected": 1, "x": ', 1),
            good.replace(b'"found": ', b'"found": 1, "x": ', 1),
            b"[]\n",
            b"\xff\n",
            b"",
        ):
            file.write_bytes(damaged)
            collect()
            assert contents(root) == before


def test_an_undecodable_file_is_an_error_each_time(source: Path, root: Path) -> None:
    write(source, latin__css=b"a{}\xe9")
    time.sleep(0.05)
    with project(source, root, ignore_errors=["latin.css"]):
        assert "latin.css:1: is not UTF-8" in collect()
        assert "latin.css:1: is not UTF-8" in collect()
    with project(source, root), pytest.raises(CommandError, match="is not UTF-8"):
        collect()


def test_no_name_leads_out_of_the_root(source: Path, tmp_path: Path) -> None:
    write(source / "%2e%2e", x__txt="x")
    root = tmp_path / "deep/root"
    with project(source, root), pytest.raises(CommandError, match=r"leads out of"):
        collect()
    assert not list((tmp_path / "deep").glob("x.*"))


def test_a_representation_that_was_lost_is_made_again(source: Path, root: Path) -> None:
    first = (source / "part.css").read_text()
    with project(source, root):
        collect()
        lost = root / (names(root)["part.css"] + ".gz")
        write(source, part__css="p { margin: 1em; }\n" * 50)
        collect()
        lost.unlink()
        write(source, app__js="console.log(4);\n" * 50)
        collect()
        write(source, part__css=first)
        collect()
    assert lost.exists()


def test_a_file_becomes_a_directory_and_back(source: Path, root: Path) -> None:
    with project(source, root, keep_only_hashed_files=True, keep_releases=1, keep_age=0):
        write(source / "a", b__css="b {}\n")
        collect()
        shutil.rmtree(source / "a")
        write(source, a="a file")
        collect()
        call_command("cleanstatic", verbosity=0)
        (source / "a").unlink()
        write(source / "a", b__css="b {}\n")
        collect()
        call_command("cleanstatic", verbosity=0)
    assert set(names(root)) == {"a/b.css", "app.js", "img/dot.png", "part.css", "site.css"}


def test_files_that_collecting_writes_itself_are_left_out_of_the_sources(source: Path, root: Path) -> None:
    write(source, staticfiles__json="{}", asyncstatic__index="x", asyncstatic__times="y")
    with project(source, root):
        output = collect()
    assert "staticfiles.json is left out: collecting writes a file of that name itself." in output
    assert set(names(root)) == {"app.js", "img/dot.png", "part.css", "site.css"}


def test_a_name_that_is_too_long_for_a_suffix_has_no_such_representation(source: Path, root: Path) -> None:
    name = "x" * 234 + ".css"
    (source / name).write_text("a { order: 1 }\n" * 50)
    with project(source, root):
        collect()
    resource = StaticIndex.load(root / INDEX_NAME).get(name)
    assert resource is not None
    assert resource.representations[0].size == 750


def test_many_broken_references_are_told_in_no_time(source: Path, root: Path) -> None:
    for number in range(1500):
        (source / f"icon-{number}.svg").write_text("<svg/>")
    write(source, broken__css="".join(f"a {{ background: url(ikon-{number}.svg) }}\n" for number in range(1500)))
    with project(source, root), pytest.raises(CommandError, match=r"1500 things are wrong") as raised:
        collect()
    assert "did you mean 'icon-0.svg'?" in str(raised.value)
