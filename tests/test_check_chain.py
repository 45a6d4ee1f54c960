"""The middleware chain: what is predicted of it happens, and what is wrong with it is found."""

from __future__ import annotations

import asyncio
import gc
import importlib
import itertools
import json
import logging
import sys
from collections.abc import Callable
from importlib.util import find_spec
from io import StringIO
from pathlib import Path
from textwrap import dedent
from typing import Any

import pytest
from asgiref.sync import AsyncToSync, SyncToAsync
from django.conf import settings
from django.core.handlers.asgi import ASGIHandler
from django.core.handlers.wsgi import WSGIHandler
from django.core.management import call_command
from django.test import RequestFactory, override_settings

from django_asyncstatic.diagnosing import interfaces
from django_asyncstatic.diagnosing.findings import Finding, run_checks
from django_asyncstatic.diagnosing.links import walk_chain
from django_asyncstatic.diagnosing.state import kept_state
from tests.startproject import StartedProject

OURS = "django_asyncstatic.middleware.AsyncStaticMiddleware"
SECURITY = "django.middleware.security.SecurityMiddleware"
WHITENOISE = "whitenoise.middleware.WhiteNoiseMiddleware"
DEFAULT = [
    SECURITY,
    "django.contrib.sessions.middleware.SessionMiddleware",
    "django.middleware.common.CommonMiddleware",
    "django.middleware.csrf.CsrfViewMiddleware",
    "django.contrib.auth.middleware.AuthenticationMiddleware",
    "django.contrib.messages.middleware.MessageMiddleware",
    "django.middleware.clickjacking.XFrameOptionsMiddleware",
]


def chain(*names: str) -> list[str]:
    return [name if "." in name else f"tests.chains.{name}" for name in names]


def found(*ids: str) -> list[Finding]:
    """The findings of the chain; with ids, only these."""
    return [each for each in run_checks(["chain"]) if not ids or each.id.rpartition(".")[2] in ids]


def found_ids() -> list[str]:
    return [each.id.rpartition(".")[2] for each in found()]


def short(value: Any) -> str:
    return "-".join(each.rpartition(".")[2] for each in value) or "nothing"


# --- what is predicted happens --------------------------------------------------------------------------------


@pytest.fixture
def hops(monkeypatch: pytest.MonkeyPatch) -> Callable[[], int]:
    """Counts changes between event loop and thread, by asgiref's own functions: those since it was last asked."""
    count = itertools.count()
    for adapter in (SyncToAsync, AsyncToSync):
        call = adapter.__call__

        def counting(self: Any, *args: Any, _call: Any = call, **kwargs: Any) -> Any:
            next(count)
            return _call(self, *args, **kwargs)

        monkeypatch.setattr(adapter, "__call__", counting)
    last = -1

    def since() -> int:
        nonlocal last
        now = next(count)
        paid, last = now - last - 1, now
        return paid

    return since


def ask_asgi(handler: ASGIHandler, path: str) -> int:
    """The status of a GET."""
    sent: list[Any] = []

    async def ask() -> None:
        requests = iter([{"type": "http.request", "body": b""}])

        async def receive() -> Any:
            return next(requests, None) or await asyncio.Event().wait()

        async def send(message: Any) -> None:
            sent.append(message)

        scope = {
            "type": "http",
            "method": "GET",
            "path": path,
            "headers": [(b"host", b"testserver")],
            "query_string": b"",
        }
        await handler(scope, receive, send)

    asyncio.run(ask())
    return int(sent[0]["status"])


def ask_wsgi(handler: WSGIHandler, path: str) -> int:
    statuses: list[str] = []
    response = handler(RequestFactory().get(path).environ, lambda status, headers: statuses.append(status))
    assert b"".join(response)
    response.close()
    return int(statuses[0][:3])


LAYOUTS = [
    [],
    DEFAULT,
    [SECURITY, OURS, *DEFAULT[1:]],
    [*DEFAULT, OURS],
    [OURS, "ApiLogger"],
    ["ApiLogger", OURS],
    ["Mixin", OURS, "ApiLogger", "Mixin"],
    ["Mixin", "ApiLogger", "Mixin", OURS],
    ["ApiLogger", "async_only", OURS, "ApiLogger"],
    ["ApiLogger", "ApiLogger", OURS],
    [SECURITY, "both", OURS, "async_only", "Mixin"],
    ["Marked", "Mixin", OURS, "not_used", "partial_factory"],
    ["async_only", OURS],
    [OURS, "async_only"],
    ["ViewHook", OURS, "AsyncViewHook", "ApiLogger"],
    ["OwnTwin", "OverrideThatKnows", OURS],
]


@pytest.mark.usefixtures("static_root")
@pytest.mark.parametrize("names", LAYOUTS, ids=short)
@pytest.mark.parametrize("is_async", [True, False], ids=["asgi", "wsgi"])
def test_a_request_pays_the_hops_that_are_predicted(names: list[str], is_async: bool, hops: Callable[[], int]) -> None:
    """Real requests through Django's handlers, the view in the server's own mode."""
    with override_settings(MIDDLEWARE=chain(*names), SESSION_ENGINE="django.contrib.sessions.backends.signed_cookies"):
        predicted = walk_chain(is_async=is_async)
        handler: Any = ASGIHandler() if is_async else WSGIHandler()
        ask: Any = ask_asgi if is_async else ask_wsgi
        ask(handler, "/static/site/one.txt")  # the index is loaded
        hops()
        assert ask(handler, "/async/" if is_async else "/page/") == 200
        assert hops() == predicted.page_hops(is_async=is_async)
        if OURS in names:
            assert ask(handler, "/static/site/one.txt") == 200
            assert hops() == predicted.file_hops(is_async=is_async)
        else:
            assert predicted.file_hops(is_async=is_async) is None


@pytest.mark.usefixtures("static_root")
def test_the_measured_default_chain_costs_fifteen_hops_and_a_static_file_four() -> None:
    with override_settings(MIDDLEWARE=[SECURITY, OURS, *DEFAULT[1:]]):
        predicted = walk_chain()
    assert (predicted.page_hops(is_async=True), predicted.file_hops(is_async=True)) == (15, 4)
    assert (predicted.page_hops(is_async=False), predicted.file_hops(is_async=False)) == (0, 0)


@pytest.mark.parametrize("above", [(), ("Mixin",), ("both",)], ids=["top", "below-mixin", "below-both"])
@pytest.mark.parametrize("name", ["ApiLogger", "Marked", "Mixin", "both", "async_only", "UnmarkedAsync"])
@pytest.mark.parametrize("instantiate", [True, False], ids=["built", "declared"])
def test_the_walk_agrees_with_django(name: str, above: tuple[str, ...], instantiate: bool) -> None:
    """Each link's mode is what Django's own load_middleware gives it."""
    adapted: dict[str, bool] = {}

    class Recording(ASGIHandler):
        def adapt_method_mode(self, is_async: bool, method: Any, *args: Any, **kwargs: Any) -> Any:
            if "name" in kwargs:
                adapted[kwargs["name"].removeprefix("middleware ")] = is_async
            return super().adapt_method_mode(is_async, method, *args, **kwargs)

    with override_settings(MIDDLEWARE=chain(*above, OURS, name, "both")):
        Recording()
        predicted = walk_chain(instantiate=instantiate)
        assert {link.path: link.runs_async for link in predicted.links} == adapted
        assert {each.link.path: each.runs_async for each in predicted.passages(is_async=True)} == adapted


def test_without_instantiating_no_constructor_runs(capsys: pytest.CaptureFixture[str]) -> None:
    with override_settings(MIDDLEWARE=chain("Prints", "exits", "AsyncThatDoesNotSaySo")):
        built = [each.id.rpartition(".")[2] for each in run_checks(["chain"])]
        assert "hello from the constructor" in capsys.readouterr().err
        declared = [each.id.rpartition(".")[2] for each in run_checks(["chain"], instantiate=False)]
        assert "hello" not in "".join(capsys.readouterr())
        options = ["--tag", "chain", "--fail-level", "never"]
        call_command("checkstatic", *options, "--no-instantiate")
        assert "hello" not in "".join(capsys.readouterr())
        call_command("checkstatic", *options)
        assert "hello" in capsys.readouterr().err
    assert (built, declared) == (["E020", "E019"], ["E020", "W021"])


# --- what breaks it -------------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("names", "expected"),
    [
        ([SECURITY, OURS, "Mixin", "both", "Marked", "async_only", "not_used"], []),
        (DEFAULT, []),
        (["OwnTwin", "OverrideThatKnows", "ViewHook"], []),
        ([OURS, "ApiLogger"], ["W021", "W029"]),
        (["ApiLogger", OURS], ["W022", "W029"]),
        (["ApiLogger"], ["W021", "W029"]),
        ([OURS, "partial_factory"], ["W021"]),
        (["UnmarkedAsync", OURS], ["E020"]),
        (["Mixin", "UnmarkedAsync"], ["E020"]),
        (["SyncOverride", OURS], ["E020"]),
        (["AsyncThatDoesNotSaySo"], ["E020"]),
        (["unmarked_factory", OURS], ["E020"]),
        ([OURS, "sync_only"], ["W021"]),
        (["sync_only", OURS], ["W022"]),
        (["Neither"], ["E019"]),
        (["fails"], ["E019"]),
        (["absent"], ["E019"]),
        (["no.such.module.Middleware"], ["E019"]),
        (["exits"], ["E019"]),
        (["gives_none"], ["E019"]),
        (["partial_factory", "UnmarkedAsync", OURS, "partial_factory"], ["E020", "W021", "W022"]),
    ],
    ids=short,
)
def test_what_breaks_the_chain_is_found(names: list[str], expected: list[str]) -> None:
    with override_settings(MIDDLEWARE=chain(*names)):
        assert sorted(found_ids()) == expected


@pytest.mark.filterwarnings("ignore:coroutine .* was never awaited:RuntimeWarning")
@pytest.mark.parametrize(
    ("name", "breaks"),
    [
        ("UnmarkedAsync", True),
        ("SyncOverride", True),
        ("unmarked_factory", True),
        ("Marked", False),
        ("OverrideThatKnows", False),
        ("async_only", False),
    ],
)
def test_what_is_said_to_break_breaks_and_the_rest_does_not(name: str, breaks: bool) -> None:
    """With a neighbour above that looks at the response, through Django's handler."""
    with override_settings(MIDDLEWARE=chain(SECURITY, name)):
        assert bool(found("E020")) is breaks
        logging.disable(logging.CRITICAL)  # a record that pytest keeps keeps the coroutine that nobody awaits
        try:
            status = ask_asgi(ASGIHandler(), "/async/")
        except (AttributeError, TypeError):
            status = 500
        finally:
            logging.disable(logging.NOTSET)
        gc.collect()  # what the error left behind is warned of here, and in no other test
    assert status == (500 if breaks else 200)


def test_who_gets_the_coroutine_is_named() -> None:
    with override_settings(MIDDLEWARE=chain("Mixin", "UnmarkedAsync")):
        (finding,) = found("E020")
    assert "tests.chains.Mixin above it gets a coroutine" in finding.message
    with override_settings(MIDDLEWARE=chain("UnmarkedAsync")):
        (finding,) = found("E020")
    assert "nothing stands above it" in finding.message


def test_a_sync_only_middleware_is_named_with_its_line_and_what_it_does_to_ours() -> None:
    with override_settings(MIDDLEWARE=chain(OURS, "ApiLogger")):
        (finding,) = found("W021")
    assert "tests.chains.ApiLogger is sync-only" in finding.message
    assert "AsyncStaticMiddleware above it runs in that thread too" in finding.message
    assert "MiddlewareMixin" in finding.hint
    assert finding.place is not None
    assert finding.place.file == "tests/chains.py"
    lines = Path(finding.place.file).read_text().splitlines()
    assert lines[(finding.place.line or 0) - 1] == "class ApiLogger:"
    with override_settings(MIDDLEWARE=chain("ApiLogger", OURS)):
        (finding,) = found("W022")
    assert "those for static files too" in finding.message
    assert finding.hint.startswith("Move it below AsyncStaticMiddleware")


@pytest.mark.usefixtures("static_root")
def test_a_package_s_sync_only_middleware_is_not_yours_to_mend() -> None:
    pytest.importorskip("whitenoise")
    with override_settings(MIDDLEWARE=[WHITENOISE]):
        (finding,) = found("W021")
    assert finding.hint.startswith("It is a package's")


def test_an_async_only_middleware_between_keeps_ours_async() -> None:
    with override_settings(MIDDLEWARE=chain(OURS, "async_only", "partial_factory")):
        (finding,) = found()
    assert "AsyncStaticMiddleware" not in finding.message


def test_sync_only_middleware_is_a_remark_where_nothing_says_asgi(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    (tmp_path / "wsgisite").mkdir()
    (tmp_path / "wsgisite/__init__.py").touch()
    (tmp_path / "wsgisite/wsgi.py").write_text("from django.core.wsgi import get_wsgi_application\n")
    monkeypatch.syspath_prepend(tmp_path)
    database = {"ENGINE": "django.db.backends.postgresql", "CONN_MAX_AGE": 60}
    monkeypatch.setitem(settings.DATABASES, "persistent", database)
    wsgi_only = {"ROOT_URLCONF": "wsgisite.urls", "WSGI_APPLICATION": "wsgisite.wsgi.application"}
    middleware = chain("partial_factory", OURS, "Mixin", "partial_factory")
    with override_settings(MIDDLEWARE=middleware, **wsgi_only):
        (finding,) = found()
        assert finding.id == "asyncstatic.I021"
        assert "served by ASGI" in finding.message
        with override_settings(ASGI_APPLICATION="wsgisite.asgi.application"):
            assert found_ids() == ["W021", "W022", "W028"]
        with monkeypatch.context() as patch:  # by override_settings the app would be loaded, with checks that stay
            patch.setattr(settings, "INSTALLED_APPS", [*settings.INSTALLED_APPS, "daphne"])
            assert found_ids() == ["W021", "W022", "W028"]
        (tmp_path / "wsgisite/asgi.py").write_text("import os\nimport sentry_sdk\n")
        importlib.invalidate_caches()
        assert found_ids() == ["W021", "W022", "W028"]
    assert "wsgisite.asgi" not in sys.modules


@pytest.mark.parametrize(
    ("files", "servers", "changed", "expected"),
    [
        ({"asgi": "django.core.asgi", "wsgi": "django.core.wsgi"}, [], {}, ""),
        ({"wsgi": "django.core.wsgi"}, ["sys"], {}, ""),
        ({}, ["sys"], {}, ""),
        ({"asgi": "django.core.asgi", "wsgi": "django.core.wsgi"}, ["sys"], {}, "there is evidence.asgi, and sys is"),
        ({"asgi": "django.core.asgi", "wsgi": "django.core.wsgi"}, ["no.such", "no_such"], {}, ""),
        ({"asgi": "django.core.asgi"}, [], {}, "there is evidence.asgi and no wsgi.py"),
        ({"asgi": "django_asyncstatic.asgi", "wsgi": "django.core.wsgi"}, [], {}, "evidence.asgi is not as"),
        ({}, [], {"ASGI_APPLICATION": "evidence.asgi.application"}, "ASGI_APPLICATION is set"),
    ],
    ids=["untouched", "wsgi", "neither", "server", "no-server", "asgi-alone", "changed", "setting"],
)
def test_a_site_is_taken_for_one_of_asgi_by_what_it_has(
    files: dict[str, str],
    servers: list[str],
    changed: dict[str, Any],
    expected: str,
    tmp_path: Path,
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    package = tmp_path / "evidence"
    package.mkdir()
    (package / "__init__.py").touch()
    for kind, module in files.items():
        (package / f"{kind}.py").write_text(f"import os\nfrom {module} import get_{kind}_application\n")
    monkeypatch.syspath_prepend(tmp_path)
    monkeypatch.setattr(interfaces, "ASGI_SERVERS", servers)
    monkeypatch.setattr(settings, "SETTINGS_MODULE", "evidence.settings")
    settings_of_it = {"ROOT_URLCONF": "evidence.urls", "WSGI_APPLICATION": "evidence.wsgi.application", **changed}
    with override_settings(**settings_of_it):
        evidence = interfaces.Interfaces().asgi_evidence
    sys.modules.pop("evidence", None)
    assert evidence.startswith(expected)
    assert bool(evidence) == bool(expected)


# --- its order ------------------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("names", "expected"),
    [
        ([SECURITY, OURS, *DEFAULT[1:]], []),
        (["corsheaders.middleware.CorsMiddleware", SECURITY, OURS], []),
        (DEFAULT, []),
        ([OURS, SECURITY], ["W024 django.middleware.security.SecurityMiddleware"]),
        ([*DEFAULT, OURS], [f"W024 {OURS}"]),
        (["OurOwn", SECURITY], ["W024 django.middleware.security.SecurityMiddleware"]),
        ([SECURITY, OURS, OURS], [f"W026 {OURS}"]),
        ([SECURITY, OURS, "OurOwn"], [f"W026 {OURS}"]),
        ([SECURITY, WHITENOISE, OURS], [f"W027 {WHITENOISE}"]),
        (
            [SECURITY, OURS, "servestatic.middleware.ServeStaticMiddleware"],
            ["W027 servestatic.middleware.ServeStaticMiddleware"],
        ),
        ([SECURITY, WHITENOISE], []),
    ],
    ids=short,
)
def test_a_wrong_order_is_found(names: list[str], expected: list[str]) -> None:
    with override_settings(MIDDLEWARE=chain(*names)):
        order = found("W024", "W026", "W027")
    assert [f"{each.id.rpartition('.')[2]} {each.subject}" for each in order] == expected


def test_what_works_for_each_static_file_is_named_with_what_it_does() -> None:
    with override_settings(MIDDLEWARE=["django.middleware.gzip.GZipMiddleware", *DEFAULT[1:3], OURS]):
        (finding,) = found("W024")
    for part in ("GZipMiddleware compresses anew", "SessionMiddleware looks after", "CommonMiddleware compares"):
        assert part in finding.message


# --- connections, the wrapper, imports ------------------------------------------------------------------------


@pytest.mark.parametrize(("max_age", "expected"), [(0, []), (60, ["W028"]), (None, ["W028"])])
def test_persistent_connections_under_asgi_are_found(
    max_age: int | None, expected: list[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setitem(settings.DATABASES, "first", {"ENGINE": "django.db.backends.postgresql"})
    replica = {"ENGINE": "django.db.backends.postgresql", "CONN_MAX_AGE": max_age}
    monkeypatch.setitem(settings.DATABASES, "replica", replica)
    findings = found("W028")
    assert [each.id.rpartition(".")[2] for each in findings] == expected
    assert all("DATABASES['replica']" in each.message for each in findings)


def test_a_started_project_is_told_what_the_wrapper_saves_until_it_uses_it(tmp_path: Path) -> None:
    project = StartedProject(tmp_path)
    (finding,) = project.findings("--tag", "chain")
    assert finding["id"] == "I025"
    assert "costs 4 thread hops" in finding["message"]
    assert finding["place"]["file"] == "mysite/asgi.py"
    line = (tmp_path / "mysite/asgi.py").read_text().splitlines()[finding["place"]["line"] - 1]
    assert line == "from django.core.asgi import get_asgi_application"
    project.use_wrappers()
    assert project.findings("--tag", "chain") == []


def test_a_middleware_that_takes_long_to_import_is_found_in_depth(tmp_path: Path) -> None:
    project = StartedProject(tmp_path)
    project.use_wrappers()
    source = "import time\n\ntime.sleep(0.3)\n\nfrom django.utils.deprecation import MiddlewareMixin as Slow\n"
    (tmp_path / "mysite/slow.py").write_text(source)
    project.append('MIDDLEWARE += ["mysite.slow.Slow"]\n')
    assert project.findings("--tag", "chain") == []
    code = (
        "import json, os, django; os.environ['DJANGO_SETTINGS_MODULE'] = 'mysite.settings'; django.setup();"
        "from django_asyncstatic.diagnosing.starting import import_seconds;"
        "from django.conf import settings; print(json.dumps(import_seconds(settings.MIDDLEWARE)))"
    )
    done = project.run_python("-c", code)
    seconds = json.loads(done.stdout)
    assert seconds["mysite.slow.Slow"] > 0.3
    assert sum(seconds.values()) < 60
    code = code.partition("from django_asyncstatic")[0] + (
        "from django_asyncstatic.diagnosing.findings import run_checks;"
        "print([(each.id, each.subject) for each in run_checks(['chain'], deep=True)])"
    )
    assert "('asyncstatic.I023', 'mysite.slow.Slow')" in project.run_python("-c", code).stdout


def test_imports_that_cannot_be_measured_are_a_remark() -> None:
    """Settings that were overridden are not a module that another process could import."""
    with override_settings(MIDDLEWARE=[SECURITY]):
        (finding,) = run_checks(["chain"], deep=True)
    assert finding.id == "asyncstatic.I023"
    assert "could not be measured" in finding.message


# --- state on self --------------------------------------------------------------------------------------------

CLASS = """
import threading, time, uuid
from datetime import datetime
from time import monotonic
from django.utils import timezone
from django.utils.deprecation import MiddlewareMixin


class Under:
    enabled = None

    def __init__(self, get_response):
        self.get_response = get_response
        self.made = time.time()
        self.local = threading.local()
        self.cache = {}

    def __call__(self, request):
%s
        return self.get_response(request)
"""


def module_of(source: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Any:
    name = f"under_test_{abs(hash(source))}"
    (tmp_path / f"{name}.py").write_text(source)
    monkeypatch.syspath_prepend(tmp_path)
    return importlib.import_module(name)


@pytest.mark.parametrize(
    "statements",
    [
        "self.request = request",
        "self.user: object = request.user",
        "self.started = time.monotonic()",
        "self.started = monotonic()",
        "self.started = timezone.now()",
        "self.started = datetime.now()",
        "self.id = str(uuid.uuid4())",
        "user = getattr(request, 'user', None)\nself.user = user",
        "self.path, self.n = request.path, 1",
        "first, *self.rest = request.path.split('/')",
        "for self.header in request.headers: pass",
        "with open(request.path) as self.file: pass",
        "response = self.get_response(request)\nself.status = response.status_code",
        "if (user := request.user): self.user = user",
        "if self.enabled:\n    self.user = request.user",
        "def later():\n    self.user = request.user\nlater()",
        "try:\n    self.user = request.user\nexcept AttributeError:\n    pass",
    ],
)
def test_a_request_s_state_on_self_is_found(statements: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    source = CLASS % "\n".join(f"        {line}" for line in statements.splitlines())
    module = module_of(source, tmp_path, monkeypatch)
    kept = kept_state(module.Under)
    assert kept
    for each in kept:
        line = source.splitlines()[each.line - 1]
        assert each.name in line
    assert Path(kept[0].file) == Path(module.__file__)


@pytest.mark.parametrize(
    "statements",
    [
        "request.started = time.monotonic()",
        "started = time.monotonic()",
        "self.local.user = request.user",
        "self.cache[request.path] = request.user",
        "self.count += 1",
        "self.total += time.monotonic() - self.made",
        "self.enabled = True",
        "if self.enabled is None:\n    self.enabled = request.get_host() == 'x'",
        "if not hasattr(self, 'host'):\n    self.host = request.get_host()",
        "try:\n    self.host\nexcept AttributeError:\n    self.host = request.get_host()",
        "user = request.user\nuser = None\nself.user = user",
        "self = Other(self)\nself.request = request",
        "self.load()",
    ],
)
def test_what_is_not_a_request_s_state_is_not_found(
    statements: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    source = CLASS % "\n".join(f"        {line}" for line in statements.splitlines())
    source += "\n    def load(self, key='x'):\n        self.cache = {key: 1}\n"
    source += "\n    def close(self, request):\n        self.never = request\n"
    assert kept_state(module_of(source, tmp_path, monkeypatch).Under) == []


def test_state_is_followed_into_methods_bases_and_closures(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    source = dedent(
        """
        import functools, time
        from asgiref.sync import sync_to_async
        from django.utils.deprecation import MiddlewareMixin

        class Base(MiddlewareMixin):
            def process_request(self, request):
                self.from_base = request

            def process_view(self, request, view, args, kwargs):
                self.never = request

            async def __acall__(self, request):
                await sync_to_async(self.note)(request)
                return await self.get_response(request)

            def note(self, what):
                self.noted = what

        class Derived(Base):
            def process_request(self, request):
                begun = self._begin(request.path, flag=True)
                super().process_request(request)

            def process_view(self, request, view, args, kwargs):
                return None

            def _begin(self, path, flag):
                self.path = path

            @staticmethod
            def process_exception(request, exception):
                request.exception = exception

        def factory(get_response, option=None):
            started = None
            calls = 0

            def middleware(request):
                nonlocal started, calls
                started = time.monotonic()
                calls = calls + 1
                mine = time.monotonic()
                return get_response(request)

            return middleware

        partial = functools.partial(factory, option=1)
        """
    )
    module = module_of(source, tmp_path, monkeypatch)
    assert {each.name for each in kept_state(module.Derived)} == {"self.from_base", "self.path", "self.noted"}
    assert [each.name for each in kept_state(module.factory)] == ["started"]
    assert kept_state(module.partial) == kept_state(module.factory)
    assert kept_state(len) == kept_state(type("Made", (), {})) == []


def test_the_api_logger_is_found_with_its_line() -> None:
    with override_settings(MIDDLEWARE=chain("ApiLogger")):
        (finding,) = found("W029")
    assert finding.place is not None
    assert finding.place.file == "tests/chains.py"
    line = Path("tests/chains.py").read_text().splitlines()[(finding.place.line or 0) - 1]
    assert line.strip() == "self.started = time.monotonic()"
    assert "tests.chains.ApiLogger.__call__ puts a value of one request into self.started" in finding.message


def test_neither_django_s_middleware_nor_that_of_packages_is_suspected() -> None:
    import django

    root = Path(django.__file__).parent
    names = [f"django.middleware.{file.stem}" for file in root.glob("middleware/*.py") if file.stem != "__init__"]
    names += [f"django.contrib.{name}.middleware" for name in ("auth", "messages", "sessions", "sites")]
    packages = ("whitenoise", "servestatic", "debug_toolbar", "django_asyncstatic")
    names += [f"{package}.middleware" for package in packages if find_spec(package) is not None]
    classes = [
        cls
        for name in names
        for cls in vars(importlib.import_module(name)).values()
        if isinstance(cls, type) and cls.__module__ == name and hasattr(cls, "__call__")  # noqa: B004
    ]
    assert len(classes) > 15
    assert {cls: kept_state(cls) for cls in classes if kept_state(cls)} == {}


# --- the table ------------------------------------------------------------------------------------------------


def draw(*names: str, **options: Any) -> str:
    output = StringIO()
    with override_settings(MIDDLEWARE=chain(*names)):
        call_command("checkstatic", chain=True, stdout=output, no_color=True, **options)
    return output.getvalue()


@pytest.mark.usefixtures("static_root")
def test_the_chain_is_drawn_from_the_top_with_modes_hops_and_sums() -> None:
    lines = [" ".join(line.split()) for line in draw(SECURITY, OURS, "ApiLogger", "async_only", "absent").splitlines()]
    assert lines == [
        "capable of ASGI hops WSGI hops hops because of",
        "Django's handler async 2 sync 0 signals, response.close()",
        f"{SECURITY} sync and async sync 1 sync 0 ASGI: sync at the top",
        f"{OURS} sync and async sync 0 sync 0",
        "tests.chains.ApiLogger sync sync 1 sync 1 ASGI: sync above async; WSGI: sync above async",
        "tests.chains.async_only async async 0 async 1 WSGI: async above sync",
        "tests.chains.absent nothing - - - - " + lines[6].partition(" - - - - ")[2],
        "A static file 3 0",
        "A page 4 2",
        "A view of the other mode than its server's costs a page one more.",
    ]
    assert "cannot be imported" in lines[6]


@pytest.mark.usefixtures("static_root")
def test_the_chain_comes_as_json_alone(capsys: pytest.CaptureFixture[str]) -> None:
    with override_settings(MIDDLEWARE=chain("Prints", OURS, "absent")):
        call_command("checkstatic", chain=True, format="json")
    drawn = json.loads(capsys.readouterr().out)
    assert [each["path"] for each in drawn["middleware"]] == ["tests.chains.Prints", OURS, "tests.chains.absent"]
    assert drawn["asgi"] == {"handler_hops": 2, "file_hops": 2, "page_hops": 2}
    assert drawn["middleware"][0]["asgi"] == {"mode": "async", "hops": 0, "causes": []}
    assert drawn["middleware"][2]["asgi"] is None
