"""Errors as help: each says what happened, where, and what to do; none is added without a row here that shows it."""

from __future__ import annotations

import errno
import io
import logging
import os
import re
from collections import Counter
from collections.abc import Callable
from contextlib import suppress
from hashlib import file_digest
from io import BytesIO
from pathlib import Path
from typing import Any, NamedTuple

import pytest
from django.core.exceptions import ImproperlyConfigured
from django.core.management import CommandError, call_command
from django.templatetags.static import static
from django.test import override_settings

from django_asyncstatic import conf
from django_asyncstatic.collecting.atomic import CollectError, Destination, exclusive
from django_asyncstatic.collecting.builder import collect_time
from django_asyncstatic.collecting.finished import State
from django_asyncstatic.collecting.sources import Source
from django_asyncstatic.collecting.survey import Piece, survey
from django_asyncstatic.development import explain
from django_asyncstatic.index import INDEX_NAME, InvalidIndex, StaticIndex, encode_index
from django_asyncstatic.middleware import AsyncStaticMiddleware
from django_asyncstatic.serving.contents import Contents
from django_asyncstatic.serving.streams import BoundedFile, ContentChanged
from django_asyncstatic.sources import IndexLoader, Place, place_of
from django_asyncstatic.wsgi import StaticWSGI
from tests.edges import ask_wsgi
from tests.messages import PACKAGE, places
from tests.servers import REPOSITORY
from tests.test_collectstatic import DjangoCommand, collect
from tests.test_index import make_resource
from tests.test_storage import project, write

DJANGOS = "django.contrib.staticfiles.storage.ManifestStaticFilesStorage"

#: What somebody is told to do, in the words of this package.
ADVICE = re.compile(
    r"\b(run (manage\.py )?(collectstatic|cleanstatic)|remove (it|or)|rename (it|one)|mend |has to be|have to be"
    r"|did you mean|pip install|set |name another|give |put |leave|see |wait until|add |write |let the"
    r"|let it|take |turn it off|needs |no address such as|lists them|shows them|replace files|left out|is tried again"
    r"|has to be the|to work|a name is of|there are |takes a|ASYNCSTATIC_INDEX_FILE serves|looks every name up)",
    re.I,
)


class World(NamedTuple):
    """What a cause may use."""

    folder: Path
    monkeypatch: pytest.MonkeyPatch
    log: pytest.LogCaptureFixture

    def make(self, **options: Any) -> Any:
        """A project with one style sheet, in ``source``, and its STATIC_ROOT, ``root``."""
        write(self.folder / "source", style__css="a { color: red }\n" * 30)
        return project(self.folder / "source", self.folder / "root", **options)

    @property
    def root(self) -> Path:
        return self.folder / "root"


Cause = Callable[[World], str]


def told(error: type[Exception], work: Callable[[], object]) -> str:
    with pytest.raises(error) as raised:
        work()
    return str(raised.value)


# --- how to cause it ------------------------------------------------------------------------------------------


def leads_out(world: World) -> str:
    return told(CollectError, lambda: Destination(world.folder).write("a/../../b.css", b""))


def is_at_work(world: World) -> str:
    with exclusive(world.folder):
        return told(CollectError, lambda: exclusive(world.folder).__enter__())


def a_directory_is_there(world: World) -> str:
    (world.folder / "a.css").mkdir()
    return told(CollectError, lambda: Destination(world.folder).write("a.css", b""))


def a_file_is_there(world: World) -> str:
    (world.folder / "a").write_text("")
    return told(CollectError, lambda: Destination(world.folder).write("a/b.css", b""))


def a_time_that_is_none(world: World) -> str:
    world.monkeypatch.setenv("SOURCE_DATE_EPOCH", "yesterday")
    return told(CollectError, collect_time)


def previous(kind: str) -> Cause:
    def cause(world: World) -> str:
        other = world.folder / "other"
        with world.make():
            if kind == "edited":
                collect()
                world.root.rename(other)
                data = (other / INDEX_NAME).read_bytes()
                position = data.rindex(b'"sha256": "') + 11
                digit = b"1" if data[position : position + 1] == b"0" else b"0"
                (other / INDEX_NAME).write_bytes(data[:position] + digit + data[position + 1 :])
            return told(CommandError, lambda: collect(previous=[str(other)]))

    return cause


def no_index_to_clean(world: World) -> str:
    with world.make():
        world.root.mkdir()
        return told(CommandError, lambda: call_command("cleanstatic"))


def an_index_that_cannot_be_opened_to_clean(world: World) -> str:
    with world.make():
        (world.root / INDEX_NAME).mkdir(parents=True)
        return told(CommandError, lambda: call_command("cleanstatic"))


def an_index_that_cannot_be_opened_to_collect(world: World) -> str:
    with world.make():
        (world.root / INDEX_NAME).mkdir(parents=True)
        return told(CommandError, collect)


def changed_while_it_was_collected(world: World) -> str:
    (world.folder / "a.css").write_text("new")
    piece = Piece(Source("a.css", str(world.folder / "a.css")), 3, None, None, digest="of what it was")
    return told(CollectError, piece.read)


def names_for_one(*, folds_case: bool) -> Cause:
    def cause(world: World) -> str:
        sources = [Source("A.css", None, lambda: BytesIO()), Source("a.css", None, lambda: BytesIO())]
        found = survey(sources, State({}), None, "", folds_case=folds_case)
        (text,) = found.errors or found.warnings
        return text

    return cause


def a_name_with_a_backslash(world: World) -> str:
    with world.make():
        (world.folder / "source/a\\b.css").write_text("a {}")
        return collect()


def setting(**changed: Any) -> Cause:
    """What is said of settings that cannot be meant."""

    def cause(world: World) -> str:
        with override_settings(**changed):
            ((_, text),) = conf.faults()
            return text

    return cause


def storage(options: Any) -> Cause:
    return setting(STORAGES={"staticfiles": {"BACKEND": conf.OUR_STORAGE, "OPTIONS": options}})


def options_of_another_storage(world: World) -> str:
    with world.make(storage=DJANGOS, nonsense=1):
        return told(ImproperlyConfigured, conf.unread_storage)


def command(name: str, *arguments: str, **options: Any) -> Cause:
    def cause(world: World) -> str:
        with world.make():
            return told(CommandError, lambda: call_command(name, *arguments, **options))

    return cause


def command_with_djangos_storage(name: str, **options: Any) -> Cause:
    def cause(world: World) -> str:
        with world.make(storage=DJANGOS):
            return told(CommandError, lambda: call_command(name, interactive=False, verbosity=0, **options))

    return cause


def cleaning_with_djangos_storage(world: World) -> str:
    with world.make(storage=DJANGOS):
        return told(CommandError, lambda: call_command("cleanstatic"))


def a_baseline_that_cannot_be_written(world: World) -> str:
    (world.folder / "baseline").mkdir()
    with world.make():
        collect()
        arguments = ["--tag", "leaks", "--update-baseline", "--baseline", str(world.folder / "baseline")]
        return told(CommandError, lambda: call_command("checkstatic", *arguments))


def without_get_response(world: World) -> str:
    return told(ValueError, lambda: AsyncStaticMiddleware(None))  # type: ignore[arg-type]


def argument(**given: Any) -> Cause:
    return lambda world: told(Exception, lambda: StaticWSGI(root=world.folder, **given))


def a_header_that_cannot_be_sent(world: World) -> str:
    def function(headers: Any, path: str, url: str) -> None:
        headers["x-bad"] = "two\nlines"

    (world.folder / "a.css").write_text("a")
    application = StaticWSGI(root=world.folder, add_headers_function=function)
    return told(ValueError, lambda: ask_wsgi(application, "GET", "/a.css"))


def line(application: Callable[[World], object]) -> Cause:
    """The last line in the log after something was done."""

    def cause(world: World) -> str:
        with world.log.at_level(logging.WARNING, "django_asyncstatic"):
            application(world)
        return world.log.messages[-1]

    return cause


def served(change: Callable[[Path], object]) -> Cause:
    """What the log has of a collected file that was changed before anybody asked for it."""

    def ask(world: World) -> None:
        with world.make():
            collect()
            change(next(world.root.glob("style.*.css")))
            ask_wsgi(StaticWSGI(root=world.root), "GET", "/style.css")

    return line(ask)


def served_while(change: Callable[[Any], object], *, fails: bool = False) -> Cause:
    """What the log has of a file that is changed between its opening and its reading, or whose disk fails."""

    class Failing(io.FileIO):
        def read(self, size: int | None = -1) -> bytes:
            if fails:
                raise OSError(errno.EIO, "Input/output error")
            return super().read(size)

    def ask(world: World) -> None:
        def opened(self: Contents, representation: Any) -> Any:
            with (self.root / representation.file).open("r+b") as file:
                change(file)
            return Failing(self.root / representation.file)

        world.monkeypatch.setattr(Contents, "_open_file", opened)
        with world.make():
            collect()
            ask_wsgi(StaticWSGI(root=world.root), "GET", "/style.css")

    return line(ask)


def changed_while_it_was_hashed(world: World) -> str:
    def ask(world: World) -> None:
        def digest(file: Any, name: str) -> Any:
            os.utime(file.name, (1, 1))
            return file_digest(file, name)

        world.monkeypatch.setattr("django_asyncstatic.serving.contents.file_digest", digest)
        with world.make(codings=[]):
            write(world.folder / "source", large__bin=b"x" * 300_000)
            collect()
            ask_wsgi(StaticWSGI(root=world.root), "GET", "/large.bin")

    return line(ask)(world)


def a_name_with_a_nul(world: World) -> str:
    (world.folder / INDEX_NAME).write_bytes(encode_index([make_resource("a\0b")], {}))
    return line(lambda world: ask_wsgi(StaticWSGI(root=world.folder), "GET", "/a%00b"))(world)


def cut_while_it_was_sent(world: World) -> str:
    (world.folder / "a.css").write_bytes(b"short")
    with (world.folder / "a.css").open("rb") as file:
        return told(ContentChanged, lambda: b"".join(BoundedFile(file, 10)))


def damaged(change: Callable[[bytes], bytes]) -> Cause:
    return lambda world: told(InvalidIndex, lambda: StaticIndex(change(encode_index([make_resource("a")], {}))))


def a_damaged_line(world: World) -> str:
    data = encode_index([make_resource("a")], {}).replace(b'"type"', b'"tyqe"')
    return told(InvalidIndex, lambda: StaticIndex(data).get("a"))


def loaded(place: Callable[[Path], Place]) -> Cause:
    return line(lambda world: IndexLoader(lambda: place(world.folder)).current())


def not_served(world: World) -> str:
    (world.folder / "a.css").symlink_to("nowhere")
    return loaded(lambda folder: Place(folder, None, "hint"))(world)


def an_unreadable_index(world: World) -> str:
    (world.folder / INDEX_NAME).mkdir()
    return loaded(place_of)(world)


def a_newer_index_that_is_damaged(world: World) -> str:
    (world.folder / INDEX_NAME).write_bytes(encode_index([make_resource("a")], {}))
    loader = IndexLoader(lambda: place_of(world.folder), reload_interval=0)
    loader.current()
    (world.folder / INDEX_NAME).write_bytes(b"rubbish\n")
    return line(lambda world: loader.current())(world)


def a_name_that_is_not_utf_8(world: World) -> str:
    def work(world: World) -> None:
        with world.make():
            with suppress(OSError):
                (world.folder / "source" / "bad\udcff.css").write_text("a {}")
            collect(DjangoCommand)

    return line(work)(world)


def a_missing_entry(is_collected: bool) -> Cause:
    def cause(world: World) -> str:
        with world.make():
            if is_collected:
                collect()
            return told(ValueError, lambda: static("stile.css"))

    return cause


def a_missing_source(name: str) -> Cause:
    def cause(world: World) -> str:
        with world.make():
            (world.folder / "source/.hidden.css").write_text("a")
            return explain(name)

    return cause


# --- the table ------------------------------------------------------------------------------------------------


class Row(NamedTuple):
    """A text by a part of it, in a module: how to cause it and what it names, or the test that shows it, or why not."""

    module: str
    part: str
    shown: Cause | str
    names: str = ""


LIBRARY = "test_system_checks.py::test_a_library_that_is_missing_is_told"
ALL_AT_ONCE = "test_collectstatic.py::test_all_that_is_wrong_is_told_at_once_before_anything_is_written"
CHECKSTATIC = "management/commands/checkstatic.py"
COLLECTSTATIC = "management/commands/collectstatic.py"
CLEANSTATIC = "management/commands/cleanstatic.py"

ROWS = [
    # --- collecting
    Row("collecting/atomic.py", "leads out of", leads_out, "'a/../../b.css'"),
    Row("collecting/atomic.py", "is at work in", is_at_work, f"process {os.getpid()}"),
    Row("collecting/atomic.py", "is a directory, and a file", a_directory_is_there, "a.css"),
    Row("collecting/atomic.py", "is a file, and a directory", a_file_is_there, "/a is a file"),
    Row("collecting/builder.py", "SOURCE_DATE_EPOCH is", a_time_that_is_none, "'yesterday'"),
    Row("collecting/builder.py", "…. Nothing was written.", LIBRARY, "django-asyncstatic[js]"),
    Row("collecting/builder.py", "Collecting stopped", an_index_that_cannot_be_opened_to_collect, INDEX_NAME),
    Row(
        "collecting/builder.py",
        "is a collected file",
        "test_releases.py::test_two_files_of_one_content_and_a_shipped_file_with_a_hashed_name",
        "Rename it",
    ),
    Row(
        "collecting/builder.py", "--previous …: there is no", previous("absent"), "other: there is no asyncstatic.index"
    ),
    Row("collecting/builder.py", "--previous …: … Leave it out", previous("edited"), "was damaged or edited"),
    Row("collecting/releases.py", "was damaged or edited", previous("edited"), "other/asyncstatic.index"),
    Row("collecting/cleaning.py", "There is no usable", no_index_to_clean, "asyncstatic.index"),
    Row(
        "collecting/compression.py",
        "does not decode to itself",
        "test_storage.py::test_a_coding_that_does_not_give_the_bytes_back_stops_the_collect",
    ),
    Row("collecting/hashing.py", "did you mean", ALL_AT_ONCE),
    Row("collecting/hashing.py", "there is no file", ALL_AT_ONCE),
    Row("collecting/hashing.py", "leads out of the static files", ALL_AT_ONCE),
    Row("collecting/references.py", "needs tree-sitter", LIBRARY, "django-asyncstatic[js]"),
    Row("collecting/sources.py", "it is not a regular file", ALL_AT_ONCE),
    Row("collecting/survey.py", "wrong with the static files", ALL_AT_ONCE),
    Row("collecting/survey.py", "changed while it was collected", changed_while_it_was_collected, "a.css"),
    Row(
        "collecting/survey.py",
        "is left out: collecting writes",
        "test_collectstatic.py::test_files_that_collecting_writes_itself_are_left_out_of_the_sources",
    ),
    Row("collecting/survey.py", "STATIC_ROOT takes them for one", names_for_one(folds_case=True), "A.css and a.css"),
    Row("collecting/survey.py", "on a file system that takes them", names_for_one(folds_case=False), "A.css and a.css"),
    Row("collecting/survey.py", "cannot be read", ALL_AT_ONCE),
    Row(
        "collecting/survey.py",
        "stays as it is",
        "test_collectstatic.py::test_what_is_ignored_is_a_warning_and_stays_as_it_was_written",
    ),
    Row("collecting/survey.py", "the name has a backslash", a_name_with_a_backslash, "a\\\\b.css"),
    Row("collecting/survey.py", "the name is not UTF-8", a_name_that_is_not_utf_8, "'bad\\udcff.css'"),
    # --- settings
    Row("conf.py", "… is …; it has to be ….", setting(ASYNCSTATIC_MAX_AGE="60"), "ASYNCSTATIC_MAX_AGE is '60'"),
    Row("conf.py", "STATIC_URL is not set", setting(STATIC_URL=None), "e.g. 'static/'"),
    Row("conf.py", 'STORAGES has no "staticfiles"', setting(STORAGES={}), conf.OUR_STORAGE),
    Row("conf.py", "it has to be a dictionary", storage(None), "is None"),
    Row(
        "conf.py",
        "ASYNCSTATIC_REHEARSAL …",
        setting(ASYNCSTATIC_REHEARSAL=True, STORAGES={"staticfiles": {"BACKEND": DJANGOS}}),
        DJANGOS,
    ),
    Row("conf.py", "needs one of this app's storages", cleaning_with_djangos_storage, DJANGOS),
    Row(
        "conf.py",
        "cannot be imported (",
        setting(STORAGES={"staticfiles": {"BACKEND": "no.such.Storage"}}),
        "'no.such.Storage'",
    ),
    Row("conf.py", '"OPTIONS"] cannot be used', options_of_another_storage, "'nonsense'"),
    Row(
        "conf.py",
        "AsyncStaticMiddleware is in MIDDLEWARE",
        "test_system_checks.py::test_a_project_that_has_the_middleware_and_not_the_app_is_told_with_debug",
        'Put it above "django.contrib.staticfiles".',
    ),
    Row(
        "conf.py",
        "cannot be asked which headers",
        "test_conf.py::test_a_subclass_that_cannot_be_asked_does_not_stop_the_start",
    ),
    Row("options.py", '["zopfli"] is set', LIBRARY, "django-asyncstatic[zopfli]"),
    Row("options.py", '["support_js_module_import_aggregation"]', LIBRARY, "django-asyncstatic[js]"),
    Row("options.py", '["codings"] has', LIBRARY, "pip install backports.zstd"),
    Row("options.py", "names the content coding", storage({"codings": ["brotli"]}), "did you mean 'br'?"),
    Row("options.py", "sets the level", storage({"levels": {"br": 12}}), "from 0 to 11"),
    Row("options.py", "…[…] is …; it has to be", storage({"keep_releases": 0}), "'keep_releases'"),
    Row("options.py", "… has no …", storage({"nonsense": 1}), "There are cache_dir"),
    Row("options.py", "; did you mean", storage({"keep_releasess": 1}), "did you mean 'keep_releases'?"),
    # --- commands
    Row(CHECKSTATIC, "there is no such finding", command("checkstatic", "--ignore", "E999"), "--ignore E999"),
    Row(CHECKSTATIC, "--update-baseline needs", command("checkstatic", "--update-baseline"), "--baseline FILE"),
    Row(CHECKSTATIC, "is no address such as", command("checkstatic", "--url", "example.org"), "--url example.org"),
    Row(CHECKSTATIC, "cannot be written", a_baseline_that_cannot_be_written, "baseline"),
    Row(CLEANSTATIC, "cleanstatic …", cleaning_with_djangos_storage, DJANGOS),
    Row(CLEANSTATIC, "Cleaning stopped", an_index_that_cannot_be_opened_to_clean, INDEX_NAME),
    Row(
        CLEANSTATIC,
        "ASYNCSTATIC_REHEARSAL is on",
        "test_development.py::test_cleanstatic_does_not_run_in_a_rehearsal",
    ),
    Row(
        COLLECTSTATIC,
        "ASYNCSTATIC_REHEARSAL is on",
        "test_development.py::test_collectstatic_does_not_run_in_a_rehearsal",
    ),
    Row(COLLECTSTATIC, "--previous …", command_with_djangos_storage("collectstatic", previous=["x"]), DJANGOS),
    Row(
        COLLECTSTATIC,
        "needs post-processing",
        command("collectstatic", "--noinput", "--no-post-process", "--previous", "x"),
        "--previous",
    ),
    Row(
        COLLECTSTATIC,
        "is not in the index",
        "test_storage.py::test_a_name_that_no_index_can_have_is_left_out_and_named",
    ),
    Row(
        COLLECTSTATIC,
        "more warnings: --verbosity 2",
        "test_collectstatic.py::test_many_warnings_are_counted_unless_more_is_asked_for",
    ),
    # --- development and tests
    Row("development.py", "Directory indexes are not", a_missing_source("css/"), "index.html"),
    Row("development.py", "is there and is not served", a_missing_source(".hidden.css"), "source/.hidden.css"),
    Row("development.py", "Did you mean", a_missing_source("stile.css"), "'style.css'"),
    Row("storage.py", "There is no …, or nothing in it", a_missing_entry(is_collected=False), "'stile.css'"),
    Row("storage.py", "If the file is new", a_missing_entry(is_collected=True), "'style.css'"),
    Row("storage.py", "is not in the index", a_name_that_is_not_utf_8, "'bad\\udcff.css'"),
    Row(
        "storage.py",
        "ASYNCSTATIC_REHEARSAL is on",
        "test_development.py::test_collectstatic_does_not_run_in_a_rehearsal",
    ),
    # --- serving
    Row("index.py", "does not start with a header", damaged(lambda data: b""), "The index"),
    Row("index.py", "is not of the format", damaged(lambda data: b"{}\n"), "asyncstatic-index"),
    Row("index.py", "has version", damaged(lambda data: data.replace(b'"version": 1', b'"version": 99')), "99"),
    Row("index.py", "bytes of lines", damaged(lambda data: data[:-1]), "cut or edited"),
    Row("index.py", "has a damaged line", a_damaged_line, "'a'"),
    Row("serving/contents.py", "bytes, the index says", served(lambda file: file.write_text("short")), "has 5 bytes"),
    Row(
        "serving/contents.py",
        "has other bytes",
        served(lambda file: file.write_bytes(file.read_bytes().upper())),
        "css",
    ),
    Row("serving/contents.py", "… cannot be opened", served(Path.unlink), "No such file or directory"),
    Row("serving/contents.py", "cannot be opened: …", a_name_with_a_nul, "a\\x00b"),
    Row(
        "serving/contents.py",
        "while it was read",
        served_while(lambda file: file.truncate(3)),
        "was cut while it was read",
    ),
    Row("serving/contents.py", "changed while it was read", changed_while_it_was_hashed, "root/large."),
    Row("serving/contents.py", "cannot be read", served_while(lambda file: None, fails=True), "Input/output error"),
    Row("serving/headers.py", "charset is", argument(charset="a b"), "'a b'"),
    Row("serving/headers.py", "max_age is", argument(max_age="60"), "'60'"),
    Row("serving/headers.py", "immutable_file_test is", argument(immutable_file_test="("), "position 0"),
    Row("serving/headers.py", "cannot be sent", a_header_that_cannot_be_sent, "'x-bad': 'two\\nlines'"),
    Row("serving/mounts.py", "Run collectstatic.", served(Path.unlink), "Passed on to the application"),
    Row(
        "serving/mounts.py",
        "Answered with 503",
        "test_disk.py::test_where_no_descriptor_is_left_it_is_unavailable_and_nothing_is_dropped_for_good",
        "Too many open files",
    ),
    Row("serving/streams.py", "was cut or rewritten", cut_while_it_was_sent, "a.css"),
    Row("sources.py", "Not served from", not_served, "'a.css' (a symlink that leads nowhere)"),
    Row("sources.py", "live is", argument(live="CACHE/*"), "'CACHE/*'"),
    Row("sources.py", "There is no argument", argument(max_aeg=1), "did you mean 'max_age'"),
    Row("sources.py", "There is no argument", argument(nonsense=1), "there are index, live"),
    Row("sources.py", "There is no argument", argument(mimetypes={}), "add_headers_function"),
    Row(
        "sources.py",
        "No static file will be served",
        loaded(lambda folder: Place(None, None, "Set STATIC_ROOT.")),
        "local",
    ),
    Row("sources.py", "it cannot be listed", loaded(lambda folder: Place(folder / "absent", None)), "absent"),
    Row("sources.py", "No index for", loaded(lambda folder: Place(folder, None)), "test"),
    Row("sources.py", "No index at", loaded(place_of), INDEX_NAME),
    Row("sources.py", "… Scanning the directory", an_unreadable_index, INDEX_NAME),
    Row("sources.py", "cannot be read: ", an_unreadable_index, "Is a directory"),
    Row("sources.py", "loaded before stays in use", a_newer_index_that_is_damaged, INDEX_NAME),
    Row(
        "middleware.py",
        "get_response must be",
        "Django's own middleware says the same, and only a programmer can cause it",
    ),
    # --- what nobody sees as it is
    Row("serving/contents.py", "was changed since", "an inner error: what is there now is looked up and sent"),
    Row("index.py", "has more than one value", "an inner error: who reads the lines says that one is damaged"),
    Row("codings.py", "not gzip", "an inner error: who decodes says what does not decode"),
    Row("codings.py", "not br", "an inner error: who decodes says what does not decode"),
    Row("codings.py", "not zstd", "an inner error: who decodes says what does not decode"),
    Row(
        "serving/streams.py",
        "is read after it was closed",
        "an inner error: of a reading that nobody waits for any more",
    ),
    # --- what is no complaint
    Row(CHECKSTATIC, "… accepts … finding", "what was done"),
    Row(CHECKSTATIC, "Running collectstatic", "what is being done"),
    Row(CHECKSTATIC, "collectstatic failed: …", "in front of collectstatic's own error"),
    Row(COLLECTSTATIC, "Warning: …", "in front of what is a row of collecting/survey.py"),
    Row("live.py", "", "a reason inside of the line that begins with Not served from"),
]

#: How many places of a module repeat what is said elsewhere: str(error), a finding, what a function returned.
PASSED_ON = {
    "checks.py": 2,
    "collecting/builder.py": 0,
    "collecting/survey.py": 3,
    "conf.py": 2,
    "development.py": 1,
    "index.py": 3,
    CHECKSTATIC: 4,
    CLEANSTATIC: 1,
    COLLECTSTATIC: 2,
    "options.py": 2,
    "rehearsal.py": 1,
    "serving/contents.py": 2,
    "serving/mounts.py": 1,
    "serving/streams.py": 3,
    "sources.py": 1,
    "storage.py": 6,
}


def says_something(text: str) -> bool:
    return any(map(str.isalpha, text))


def test_every_error_and_every_line_of_the_log_has_its_row() -> None:
    missing = [
        place
        for place in places()
        if says_something(place.text) and not any(row.module == place.module and row.part in place.text for row in ROWS)
    ]
    assert missing == [], "write a row that causes it, and a text that says what to do"


def test_every_row_is_of_something_that_is_still_said() -> None:
    said = list(places())
    gone = [row for row in ROWS if not any(row.module == place.module and row.part in place.text for place in said)]
    assert gone == []


def test_what_only_repeats_an_error_is_counted() -> None:
    """A new place like ``raise CommandError(str(error))`` has to be looked at: does the error say what to do?"""
    found = Counter(place.module for place in places() if not says_something(place.text))
    assert dict(found) == {module: count for module, count in PASSED_ON.items() if count}


CAUSED = [row for row in ROWS if callable(row.shown)]


@pytest.mark.parametrize("row", CAUSED, ids=[f"{number} {row.part[:40]}" for number, row in enumerate(CAUSED)])
def test_an_error_says_what_happened_where_and_what_to_do(
    row: Row, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, caplog: pytest.LogCaptureFixture
) -> None:
    assert callable(row.shown)
    text = row.shown(World(tmp_path, monkeypatch, caplog))
    said = [place.text for place in places() if place.module == row.module and row.part in place.text]
    pattern = "|".join(".*".join(map(re.escape, each.strip("… ").split("…"))) for each in said)
    assert re.search(pattern, text, re.S), text
    assert row.names in text
    assert ADVICE.search(text), text
    is_item = row.module == "collecting/survey.py"  # of a list
    assert is_item or text.rstrip().endswith((".", "?")) or "\n" in text


def test_what_another_test_shows_is_shown_there() -> None:
    for row in ROWS:
        if callable(row.shown) or "::" not in row.shown:
            continue
        file, _, name = row.shown.partition("::")
        source = (REPOSITORY / "tests" / file).read_text()
        assert f"def {name}(" in source, row
        asserted = row.names or row.part.strip("… ")
        assert asserted in source, row


def test_what_other_tests_show_says_what_to_do() -> None:
    """As far as the text stands in the source whole; a part of a sentence is told with the rest of it."""
    parts = (
        "…. Nothing was written.",
        "needs one of",
        "names the content",
        "is not in the index",
        "stays as it is",
        "… has no …",
    )
    for row in ROWS:
        if callable(row.shown) or "::" not in row.shown:
            continue
        for place in places():
            if place.module == row.module and row.part in place.text and place.text.endswith((".", '"')):
                assert ADVICE.search(place.text) or row.part.startswith(parts), place


def test_what_nobody_is_there_for_tells_strangers_nothing() -> None:
    """The wrappers' own 404, and every 405, which has the methods in Allow; with DEBUG a 404 is explained."""
    application = StaticWSGI(root=PACKAGE / "absent")
    response = ask_wsgi(application, "GET", "/secret.txt")
    assert (response.status, response.body) == (404, b"Not Found")
    write_methods = ask_wsgi(StaticWSGI(root=PACKAGE), "POST", "/py.typed")
    assert (write_methods.status, write_methods.headers["allow"], write_methods.body) == (
        405,
        "GET, HEAD, OPTIONS",
        b"",
    )


@override_settings(STATIC_URL=None)
def test_a_setting_that_is_missing_is_told_with_an_example() -> None:
    assert "e.g. 'static/'" in told(ImproperlyConfigured, conf.static_prefix)
