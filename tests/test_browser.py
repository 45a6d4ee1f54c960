"""A browser loads the example project: every file arrives, from a hashed name, and nothing is complained about."""

from __future__ import annotations

import json
import os
import re
import shutil
import subprocess
import sys
import time
from collections.abc import Iterator
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import pytest

from tests.servers import REPOSITORY, SERVERS, running

#: Set where a browser has to be there (CI): its absence is then a failure, not a skip.
REQUIRED = "ASYNCSTATIC_REQUIRE_BROWSER"

#: Seconds for one page with all that it loads, and seconds without an event after which it has loaded.
PAGE_TIMEOUT, QUIET = 30.0, 0.5

PAGES = {
    "home page": "/",
    "second page": "/the-index/",
    "admin login": "/admin/login/",
}

FLAGS = (
    "--headless=new",
    "--no-sandbox",
    "--disable-gpu",
    "--disable-quic",
    "--disable-dev-shm-usage",
    "--disable-background-networking",
    "--disable-component-update",
    "--disable-sync",
    "--no-first-run",
)

HASHED_NAME = re.compile(r"/static/.+\.[0-9a-f]{12}\.[^/.]+(\.map)?")


@dataclass
class PageLoad:
    """What Chromium's network log says of one page: responses and failures by URL, console messages."""

    responses: list[dict[str, Any]] = field(default_factory=list)
    failures: list[str] = field(default_factory=list)
    console: list[str] = field(default_factory=list)


@pytest.fixture
def example_url(tmp_path: Path) -> Iterator[str]:
    """A copy of the example project, collected, behind uvicorn, as its README starts it."""
    project = tmp_path / "example_project"
    made = shutil.ignore_patterns("staticfiles", "*.sqlite3", "__pycache__")
    shutil.copytree(REPOSITORY / "example_project", project, ignore=made)
    environment = {
        **os.environ,
        "DJANGO_SETTINGS_MODULE": "example.settings",
        "PYTHONPATH": os.pathsep.join(filter(None, [str(REPOSITORY), os.environ.get("PYTHONPATH")])),
    }
    for command in (["collectstatic", "--noinput"], ["migrate"]):
        subprocess.run(
            [sys.executable, "manage.py", *command, "--verbosity", "0"],
            cwd=project,
            env=environment,
            stdin=subprocess.DEVNULL,
            timeout=60,
            check=True,
        )
    with running(SERVERS["uvicorn"], "example.asgi:application", environment, project) as server:
        yield server.url
    assert server.problems() == []


@pytest.fixture
def browser(tmp_path: Path) -> Iterator[Any]:
    """Chromium without a window, with a profile of its own, driven by the system's chromedriver."""
    try:
        from selenium import webdriver
    except ImportError:
        absent("selenium")
    chromium = shutil.which("chromium") or shutil.which("chromium-browser") or shutil.which("google-chrome")
    driver = shutil.which("chromedriver")
    if chromium is None:
        absent("chromium")
    if driver is None:
        absent("chromedriver")
    options = webdriver.ChromeOptions()
    options.binary_location = chromium
    for flag in (*FLAGS, f"--user-data-dir={tmp_path / 'profile'}"):
        options.add_argument(flag)
    options.set_capability("goog:loggingPrefs", {"browser": "ALL", "performance": "ALL"})
    # With the path given, Selenium looks for no driver to download.
    chrome = webdriver.Chrome(options=options, service=webdriver.ChromeService(driver))
    try:
        chrome.set_page_load_timeout(PAGE_TIMEOUT)
        yield chrome
    finally:
        chrome.quit()


def absent(what: str) -> None:
    message = f"{what} is not installed"
    if os.environ.get(REQUIRED):
        pytest.fail(message)
    pytest.skip(message)


def load(browser: Any, url: str) -> PageLoad:
    """Open a page and wait until all that it asks for has arrived, modules and what scripts fetch included."""
    loaded, pending = PageLoad(), {}
    browser.get(url)
    deadline, quiet_since = time.monotonic() + PAGE_TIMEOUT, time.monotonic()
    while time.monotonic() < deadline and (pending or time.monotonic() < quiet_since + QUIET):
        events = [json.loads(entry["message"])["message"] for entry in browser.get_log("performance")]
        for event in events:
            method, parameters = event["method"], event["params"]
            if method == "Network.requestWillBeSent":
                pending[parameters["requestId"]] = parameters["request"]["url"]
            elif method == "Network.responseReceived":
                loaded.responses.append(parameters["response"])
            elif method == "Network.loadingFinished":
                pending.pop(parameters["requestId"], None)
            elif method == "Network.loadingFailed":
                failed = pending.pop(parameters["requestId"], "?")
                loaded.failures.append(f"{failed}: {parameters['errorText']}")
        if any(event["method"].startswith("Network.") for event in events):
            quiet_since = time.monotonic()
        time.sleep(0.05)
    loaded.failures += [f"{each}: never finished" for each in pending.values()]
    loaded.console = [f"{entry['level']}: {entry['message']}" for entry in browser.get_log("browser")]
    return loaded


def test_a_browser_loads_the_example_without_a_failed_request(
    example_url: str, browser: Any, subtests: pytest.Subtests
) -> None:
    for name, path in PAGES.items():
        with subtests.test(name):
            loaded = load(browser, example_url + path)
            assert loaded.failures == []
            assert [each for each in loaded.console if each.startswith("SEVERE")] == []
            responses = [each for each in loaded.responses if not each["url"].startswith("data:")]
            assert [(each["status"], each["url"]) for each in responses if each["status"] >= 400] == []
            assert [each["url"] for each in responses if not each["url"].startswith(example_url + "/")] == []
            page, *files = responses
            assert page["url"] == example_url + path
            assert page["mimeType"] == "text/html"
            assert files, "the page has no static file"
            for response in files:
                url, headers = response["url"], {k.lower(): v for k, v in response["headers"].items()}
                assert HASHED_NAME.fullmatch(url.removeprefix(example_url)), url
                assert "immutable" in headers.get("cache-control", ""), (url, headers)
