"""Asks a running site: one request per connection, bounded in time and in bytes.

Nothing is followed, remembered or retried; no cookie and no credential is sent. Certificates are verified, and the
proxies of the environment are not used: what is asked is the address that was given.
"""

from __future__ import annotations

import re
import socket
import ssl
from http.client import (
    BadStatusLine,
    HTTPConnection,
    HTTPException,
    HTTPSConnection,
    IncompleteRead,
    RemoteDisconnected,
)
from io import BufferedReader
from time import monotonic
from typing import Any, NamedTuple
from urllib.parse import SplitResult, urljoin, urlsplit

from django.utils.encoding import iri_to_uri

import django_asyncstatic

#: Seconds for one answer, to its last byte; a site that needs longer for a static file has that as its problem.
ANSWER_SECONDS = 10.0
#: Seconds for all answers together.
TOTAL_SECONDS = 60.0
#: Seconds to wait for bytes that must not come, behind an answer without a body.
STRAY_SECONDS = 0.5

USER_AGENT = f"django-asyncstatic/{django_asyncstatic.__version__} (manage.py checkstatic)"

_NO_URL = re.compile(r"[^\x21-\x7e]|\\")


class InvalidURL(ValueError):
    """An address that cannot be asked. The message says why."""


class Unanswered(Exception):
    """No answer, or none that can be read. The message continues the sentence "the site ..."."""


class Answer(NamedTuple):
    """Header names are in lower case. ``is_longer``: there was more of a body than was asked for.

    ``has_stray_bytes``: bytes came behind an answer that has no body (to HEAD, a 304).
    """

    status: int
    headers: tuple[tuple[str, str], ...]
    body: bytes
    is_longer: bool = False
    has_stray_bytes: bool = False

    def get(self, name: str) -> str | None:
        """The field's value, repeated lines joined (RFC 9110 5.3), or ``None``."""
        values = [value for each, value in self.headers if each == name]
        return ", ".join(values) if values else None


class Asker:
    """The site at an address: ``url`` is its base, with its script name unless that is ``script_name``.

    Raises :class:`InvalidURL` for an address that cannot be asked.
    """

    def __init__(self, url: str, script_name: str = "") -> None:
        self.parts = check_url(url)
        self.url = self.url_of(f"/{(self.parts.path.strip('/') or script_name).strip('/')}/".replace("//", "/"))
        self._until = monotonic() + TOTAL_SECONDS
        self._context = ssl.create_default_context() if self.is_secure else None

    @property
    def is_secure(self) -> bool:
        return self.parts.scheme == "https"

    def join(self, reference: str) -> str:
        """The path that a reference means: ``static/`` is below the site, ``/static/`` at the root of its host."""
        return iri_to_uri(urlsplit(urljoin(self.url, reference)).path)

    def url_of(self, path: str) -> str:
        return f"{self.parts.scheme}://{self.parts.netloc}{path}"

    def ask(self, method: str, path: str, fields: dict[str, str], *, limit: int = 0) -> Answer:
        """One request, and its answer with up to ``limit`` bytes of body. Raises :class:`Unanswered`."""
        until = min(monotonic() + ANSWER_SECONDS, self._until)
        seconds = until - monotonic()
        if seconds <= 0:
            raise Unanswered(f"needed more than {TOTAL_SECONDS:g} seconds for the requests so far")
        try:
            return self._ask(method, path, fields, limit, until, self._connection(seconds))
        except (OSError, HTTPException, ValueError) as error:  # ValueError: of a host that is no name, a field to send
            raise Unanswered(_sentence(error)) from error

    def _connection(self, seconds: float) -> HTTPConnection:
        host, port = self.parts.hostname, self.parts.port
        assert host is not None
        if self._context is not None:
            return HTTPSConnection(host, port, timeout=seconds, context=self._context)
        return HTTPConnection(host, port, timeout=seconds)

    def _ask(
        self, method: str, path: str, fields: dict[str, str], limit: int, until: float, connection: HTTPConnection
    ) -> Answer:
        connection.connect()
        with connection.sock as sock:
            timed: Any = _TimedSocket(sock, until)
            connection.sock = timed
            connection.request(method, path, headers={"user-agent": USER_AGENT, "connection": "close", **fields})
            response = connection.getresponse()
            headers = tuple((name.lower(), value.strip()) for name, value in response.getheaders())
            if method == "HEAD" or response.status in (204, 304):
                return Answer(response.status, headers, b"", has_stray_bytes=timed.has_more())
            body = response.read(limit + 1)
            if len(body) <= limit and response.length:  # http.client says so only where all is read
                raise IncompleteRead(body, response.length)
            return Answer(response.status, headers, body[:limit], is_longer=len(body) > limit)


class _TimedSocket:
    """A socket for ``http.client`` whose operations all end at one time, however slowly bytes drip."""

    def __init__(self, sock: socket.socket, until: float) -> None:
        self._socket = sock
        self._reader = _TimedReader(sock, until)
        self._buffered: BufferedReader[Any] = BufferedReader(self._reader)

    def sendall(self, data: bytes) -> None:
        self._socket.sendall(data)

    def makefile(self, mode: str) -> BufferedReader[Any]:
        return self._buffered

    def close(self) -> None:
        """The answer is still to be read; who made the connection closes it."""

    def has_more(self) -> bool:
        self._reader.until = min(self._reader.until, monotonic() + STRAY_SECONDS)
        try:
            return self._buffered.read1(1) != b""
        except OSError:  # not closed although it was asked to be: at least nothing came
            return False


class _TimedReader(socket.SocketIO):
    def __init__(self, sock: socket.socket, until: float) -> None:
        super().__init__(sock, "r")
        self._timed = sock
        self.until = until

    def readinto(self, buffer: Any) -> int | None:
        seconds = self.until - monotonic()
        if seconds <= 0:
            raise TimeoutError
        self._timed.settimeout(seconds)
        return super().readinto(buffer)


def check_url(url: str) -> SplitResult:
    """The parts of an address that can be asked. Raises :class:`InvalidURL`."""
    # Before it is split: urlsplit() removes line feeds and tabs without a word.
    if _NO_URL.search(url):
        raise InvalidURL("it has characters that no URL has: spaces, controls, or letters outside ASCII")
    try:
        parts = urlsplit(url)
        _ = parts.port
    except ValueError as error:
        raise InvalidURL(f"{error}") from error
    if parts.scheme not in ("http", "https"):
        raise InvalidURL("it does not begin with https:// or http://")
    if not parts.hostname:
        raise InvalidURL("it names no host")
    if parts.username is not None or parts.password is not None:
        raise InvalidURL("it has a user name or password, which are neither needed nor sent")
    if parts.query or parts.fragment:
        raise InvalidURL("it has a query or a fragment; it has to be the base of the site")
    return parts


def _sentence(error: Exception) -> str:
    match error:
        case ssl.SSLCertVerificationError():
            return f"has a certificate that is not trusted: {error.verify_message or error}"
        case ssl.SSLError():
            return f"does not speak TLS as it should: {error.reason or error}"
        case TimeoutError():
            return f"did not answer within {ANSWER_SECONDS:g} seconds"
        case socket.gaierror():
            return f"has a host name that cannot be resolved: {error.strerror}"
        case RemoteDisconnected():
            return "closed the connection without an answer"
        case IncompleteRead():
            return "closed the connection in the middle of an answer"
        case BadStatusLine():
            return f"does not answer in HTTP: {shown(str(error))}"
        case HTTPException() | ValueError():
            return (
                f"cannot be asked, or gave an answer that cannot be read: {type(error).__name__}: {shown(str(error))}"
            )
        case _:
            return f"cannot be reached: {getattr(error, 'strerror', None) or error}"


def shown(value: str, length: int = 100) -> str:
    """What a stranger sent, fit for a terminal: no control characters, no more than a line."""
    text = ascii(value)[1:-1]
    return text if len(text) <= length else text[: length - 3] + "..."
