"""Settings, paths and prefixes: matched as Django does, and nothing fixed before its time."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import pytest
from django.conf import settings
from django.core.asgi import get_asgi_application
from django.core.exceptions import ImproperlyConfigured
from django.core.wsgi import get_wsgi_application
from django.middleware.security import SecurityMiddleware
from django.test import override_settings
from django.urls import set_script_prefix

from django_asyncstatic import asgi, conf, wsgi
from tests.edges import ask_asgi, ask_wsgi
from tests.programs import output_of

pytestmark = pytest.mark.usefixtures("static_root")

DIGITS = "site/digits.txt"


def served(path: str, *, script_name: str = "", strip: bool = False) -> set[bool]:
    """Whether the edges serve the digits under a path, which is what the browser sees, script name included."""
    inner = path.removeprefix(script_name)
    scope_path = inner if strip else path
    responses = [
        *(
            ask_wsgi(application, "GET", inner, SCRIPT_NAME=script_name)
            for application in (get_wsgi_application(), wsgi.get_wsgi_application())
        ),
        *(
            ask_asgi(application, "GET", scope_path, root_path=script_name)
            for application in (get_asgi_application(), asgi.get_asgi_application())
        ),
    ]
    return {response.body == b"0123456789" for response in responses}


@pytest.fixture(autouse=True)
def _script_prefix() -> Any:
    yield
    set_script_prefix("/")


@pytest.mark.parametrize("url", ["static/", "/static/", "https://cdn.example.org/static/", "//cdn.example.org/static/"])
def test_static_url_may_be_relative_or_absolute(url: str) -> None:
    with override_settings(STATIC_URL=url):
        assert served(f"/static/{DIGITS}") == {True}
        assert served(f"/other/{DIGITS}") == {False}


@pytest.mark.parametrize("url", ["static/", "/static/", "/app/static/"])
def test_under_a_script_name_the_path_behind_it_counts(url: str) -> None:
    with override_settings(STATIC_URL=url):
        assert served(f"/app/static/{DIGITS}", script_name="/app") == {True}


def test_a_server_that_leaves_root_path_out_of_the_path_is_understood() -> None:
    assert served(f"/app/static/{DIGITS}", script_name="/app", strip=True) == {True}


def test_a_path_that_only_begins_like_the_script_name_is_not_below_it() -> None:
    application = asgi.get_asgi_application()
    response = ask_asgi(application, "GET", f"/application/static/{DIGITS}", root_path="/app")
    assert response.body != b"0123456789"


@pytest.mark.parametrize("url", ["static/", "/app/static/"])
def test_force_script_name_is_obeyed(url: str) -> None:
    with override_settings(STATIC_URL=url, FORCE_SCRIPT_NAME="/app"):
        assert served(f"/static/{DIGITS}") == {True}
        assert ask_asgi(asgi.get_asgi_application(), "GET", f"/app/static/{DIGITS}").status == 200


def test_the_static_tag_gives_what_it_gave_without_the_app(collected: Path) -> None:
    """Reading a relative STATIC_URL too early fixes it without the script prefix; in a process of its own."""
    program = """
import django, os, sys
os.environ["DJANGO_SETTINGS_MODULE"] = "tests.settings"
os.environ["ASYNCSTATIC_TEST_ROOT"] = sys.argv[1]
from django.conf import settings
settings.INSTALLED_APPS.remove("debug_toolbar")  # it fixes STATIC_URL itself, at django.setup()
django.setup()
from django_asyncstatic import asgi
from django.templatetags.static import static
from django.urls import set_script_prefix
from tests.edges import ask_asgi
application = asgi.get_asgi_application()
assert ask_asgi(application, "GET", "/app/static/site/digits.txt", root_path="/app").status == 200
set_script_prefix("/app/")
print(static("site/digits.txt"))
"""
    assert output_of(program, collected, options=["-W", "error"]).startswith("/app/static/site/digits.")


def test_finding_the_root_fixes_neither_url() -> None:
    with override_settings(STATIC_URL="static/", MEDIA_URL="media/"):
        conf.place()
        conf.static_prefix()
        set_script_prefix("/app/")
        assert settings.STATIC_URL == "/app/static/"
        assert settings.MEDIA_URL == "/app/media/"


@pytest.mark.parametrize(
    ("name", "value"),
    [
        ("ASYNCSTATIC_MAX_AGE", "60"),
        ("ASYNCSTATIC_MAX_AGE", -1),
        ("ASYNCSTATIC_MAX_AGE", True),
        ("ASYNCSTATIC_ALLOW_ALL_ORIGINS", "*"),
        ("ASYNCSTATIC_CHARSET", "utf-8\r\nx: y"),
        ("ASYNCSTATIC_MEMORY", None),
    ],
)
def test_a_setting_that_cannot_be_meant_is_an_error_that_says_what_can(name: str, value: object) -> None:
    with override_settings(**{name: value}), pytest.raises(ImproperlyConfigured, match=f"{name} is .*; it has to be"):
        conf.setting(name)


def test_without_static_url_the_error_says_what_to_set() -> None:
    with override_settings(STATIC_URL=None), pytest.raises(ImproperlyConfigured, match="STATIC_URL is not set"):
        conf.static_prefix()


# --- what SecurityMiddleware would have done ------------------------------------------------------------------

HSTS = {"SECURE_HSTS_SECONDS": 3600, "SECURE_HSTS_INCLUDE_SUBDOMAINS": True, "SECURE_HSTS_PRELOAD": True}
STRICT = "max-age=3600; includeSubDomains; preload"


def ask_both(path: str = f"/static/{DIGITS}", scheme: str = "http", fields: Any = ()) -> list[tuple[int, str | None]]:
    """Status and Strict-Transport-Security (or Location) of the two wrappers."""
    responses = (
        ask_asgi(asgi.get_asgi_application(), "GET", path, fields, scheme=scheme),
        ask_wsgi(wsgi.get_wsgi_application(), "GET", path, fields, **{"wsgi.url_scheme": scheme}),
    )
    return [
        (response.status, response.headers.get("strict-transport-security") or response.headers.get("location"))
        for response in responses
    ]


def test_hsts_is_sent_over_https_only() -> None:
    with override_settings(**HSTS):
        assert ask_both(scheme="https") == [(200, STRICT)] * 2
        assert ask_both(scheme="http") == [(200, None)] * 2


def test_a_proxy_tells_the_scheme() -> None:
    with override_settings(**HSTS, SECURE_PROXY_SSL_HEADER=("HTTP_X_FORWARDED_PROTO", "https")):
        assert ask_both(fields=[("x-forwarded-proto", "https")]) == [(200, STRICT)] * 2
        assert ask_both(fields=[("x-forwarded-proto", "https, http")]) == [(200, STRICT)] * 2
        assert ask_both(scheme="https", fields=[("x-forwarded-proto", "http")]) == [(200, None)] * 2


def test_the_redirect_to_https_is_left_to_django() -> None:
    with override_settings(SECURE_SSL_REDIRECT=True, SECURE_REDIRECT_EXEMPT=[r"^static/site/one"]):
        assert ask_both() == [(301, f"https://testserver/static/{DIGITS}")] * 2
        assert ask_both("/static/site/one.txt") == [(200, None)] * 2
        assert ask_both(scheme="https") == [(200, None)] * 2


def test_without_securitymiddleware_nothing_is_added() -> None:
    with override_settings(**HSTS, MIDDLEWARE=["django_asyncstatic.middleware.AsyncStaticMiddleware"]):
        assert conf.security_policy() is None
        assert ask_both(scheme="https") == [(200, None)] * 2


def test_a_subclass_of_securitymiddleware_is_asked_itself() -> None:
    with override_settings(MIDDLEWARE=[f"{__name__}.StricterMiddleware"]):
        response = ask_asgi(asgi.get_asgi_application(), "GET", f"/static/{DIGITS}")
    assert response.headers["permissions-policy"] == "camera=()"
    assert response.headers["x-content-type-options"] == "nosniff"


def test_a_header_that_varies_is_merged_and_a_call_of_its_own_is_made() -> None:
    with override_settings(MIDDLEWARE=[f"{__name__}.CallsMiddleware"], ALLOWED_HOSTS=[".example.org"]):
        response = ask_asgi(asgi.get_asgi_application(), "GET", "/static/site/text.txt")
    assert response.headers["vary"] == "Origin, accept-encoding"
    assert response.headers["x-host"] == "example.org"
    assert response.headers["x-called"] == "yes"


def test_a_subclass_that_cannot_be_asked_does_not_stop_the_start(caplog: pytest.LogCaptureFixture) -> None:
    with override_settings(MIDDLEWARE=[f"{__name__}.FailingMiddleware"], **HSTS):
        response = ask_asgi(asgi.get_asgi_application(), "GET", f"/static/{DIGITS}", scheme="https")
    assert response.headers["strict-transport-security"] == STRICT
    assert "FailingMiddleware cannot be asked which headers it adds" in caplog.text


# --- what cannot work is told at start --------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("entry", "what"),
    [
        ({"BACKEND": "no.such.Storage"}, "BACKEND.*cannot be imported"),
        ({}, "no .staticfiles. with a .BACKEND."),
    ],
    ids=["typo", "nothing"],
)
def test_a_storage_that_does_not_exist_is_told_at_start(entry: dict[str, Any], what: str) -> None:
    with override_settings(STORAGES={"staticfiles": entry}), pytest.raises(ImproperlyConfigured, match=what):
        asgi.get_asgi_application()


class StricterMiddleware(SecurityMiddleware):
    def process_response(self, request: Any, response: Any) -> Any:
        response = super().process_response(request, response)
        response["Permissions-Policy"] = "camera=()"
        return response


class CallsMiddleware(SecurityMiddleware):
    def __call__(self, request: Any) -> Any:
        response: Any = super().__call__(request)
        response["X-Called"] = "yes"
        response["X-Host"] = request.get_host()
        response["Vary"] = "Origin"
        return response


class FailingMiddleware(SecurityMiddleware):
    def process_response(self, request: Any, response: Any) -> Any:
        raise KeyError("something that only a real request has")
