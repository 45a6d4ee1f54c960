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
from typing import Any, NoReturn

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

HASHED_NAME = re.compile(r"\.[0-9a-f]{12}\.[^/.]+$")


@dataclass
class Request:
    """A request of a page, and what came of it."""

    method: str
    url: str
    status: int | None = None
    headers: dict[str, str] = field(default_factory=dict)
    error: str | None = None
    is_over: bool = False

    @property
    def has_failed(self) -> bool:
        # A HEAD is over with its headers: Chromium then cancels the body that never comes.
        is_answered_head = self.method == "HEAD" and self.status is not None
        return not self.is_over or (self.error is not None and not is_answered_head)


@pytest.fixture
def example_url(tmp_path: Path) -> Iterator[str]:
    """A copy of the example project, collected, behind uvicorn."""
    project = tmp_path / "example_project"
    made = shutil.ignore_patterns("staticfiles", "*.sqlite3", "__pycache__")
    shutil.copytree(REPOSITORY / "example_project", project, ignore=made)
    environment = {
        **os.environ,
        "DJANGO_SETTINGS_MODULE": "example.settings",
        "PYTHONPATH": os.pathsep.join(filter(None, [str(REPOSITORY), os.environ.get("PYTHONPATH")])),
    }
    subprocess.run(
        [sys.executable, "manage.py", "collectstatic", "--noinput", "--verbosity", "0"],
        cwd=project,
        env=environment,
        stdin=subprocess.DEVNULL,
        timeout=90,
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
        chrome.get("about:blank")
        chrome.get_log("browser")  # what Chromium's own first page said is not ours
        yield chrome
    finally:
        chrome.quit()


def absent(what: str) -> NoReturn:
    message = f"{what} is not installed"
    if os.environ.get(REQUIRED):
        pytest.fail(message)
    pytest.skip(message)


def load(browser: Any, url: str) -> list[Request]:
    """Open a page and wait until all that it asks for is there, with modules and what scripts fetch."""
    browser.get(url)
    requests: dict[str, Request] = {}
    deadline = time.monotonic() + PAGE_TIMEOUT
    quiet_since = time.monotonic()
    while time.monotonic() < min(deadline, quiet_since + QUIET) or (
        time.monotonic() < deadline and not all(request.is_over for request in requests.values())
    ):
        time.sleep(0.05)
        for entry in browser.get_log("performance"):
            event = json.loads(entry["message"])["message"]
            if note(event["method"], event["params"], url, requests):
                quiet_since = time.monotonic()
    return list(requests.values())


def note(event: str, parameters: dict[str, Any], page: str, requests: dict[str, Request]) -> bool:
    """Write down an event of DevTools' network domain, if it is one of this page's."""
    key = parameters.get("requestId", "")
    if event == "Network.requestWillBeSent":
        asked = parameters["request"]
        # The browser's own pages ask, too; "data:" URLs are no requests.
        if parameters["documentURL"] != page or asked["url"].startswith("data:"):
            return False
        requests[key] = Request(asked["method"], asked["url"])
    elif key not in requests:
        return False
    elif event == "Network.responseReceived":
        response = parameters["response"]
        requests[key].status = response["status"]
        requests[key].headers = {name.lower(): value for name, value in response["headers"].items()}
    elif event == "Network.loadingFinished":
        requests[key].is_over = True
    elif event == "Network.loadingFailed":
        requests[key].is_over = True
        requests[key].error = parameters["errorText"]
    return True


def test_a_browser_loads_the_example_without_a_failed_request(
    example_url: str, browser: Any, subtests: pytest.Subtests
) -> None:
    for name, path in PAGES.items():
        with subtests.test(name):
            page, *files = load(browser, example_url + path)
            # What Chromium asks on its own of a page that names no icon, as the admin's pages do not.
            files = [request for request in files if request.url != example_url + "/favicon.ico"]
            assert page.url == example_url + path
            assert page.status == 200
            assert page.headers["content-type"].startswith("text/html")
            assert len(files) > 4
            for request in files:
                assert not request.has_failed, request
                assert request.status is not None, request
                assert request.status < 400, request
                assert request.url.startswith(example_url + "/static/"), request
                assert HASHED_NAME.search(request.url), request
                assert "immutable" in request.headers.get("cache-control", ""), request
            messages = [entry for entry in browser.get_log("browser") if "/favicon.ico" not in entry["message"]]
            assert [entry for entry in messages if entry["level"] == "SEVERE"] == []
