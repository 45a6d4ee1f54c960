"""What a server has to live through: clients that leave, dawdle, stop half way or talk rubbish, and files that change.

A scenario asks a :class:`Target`, or for a file, and returns; what must not be is an ``AssertionError`` that says what
happened. They know nothing of what serves: the tests run them against ours, ``benchmarks/hostile.py`` against all.
"""

from __future__ import annotations

import contextlib
import os
import random
import re
import socket
import time
from collections.abc import Callable, Iterator
from dataclasses import dataclass, field
from pathlib import Path

from tests.servers import (
    Connection,
    CutOff,
    Headers,
    Held,
    MalformedResponse,
    RunningServer,
    raw_request,
    wait_until,
)

#: Seconds within which a small file comes while others dawdle. What waits for a slow client waits for ever.
PATIENCE = 10.0

#: Threads of the pools that a server may keep: asyncio's default executor, asgiref's, the server's own.
POOLS = 2 * min(32, (os.cpu_count() or 1) + 4) + 4

#: Bytes of memory that may be more than before; 500 downloads that were cut off had 130 MB of chunks.
MEMORY = 30_000_000


@dataclass(frozen=True)
class Target:
    """A running server, and two files that it serves: URL path and bytes. The large one is larger than buffers are.

    ``is_threaded``: each request has a thread of its own while it is answered, of which there are few, so that slow
    clients keep others waiting. ``pipelines``: a second request may be sent before the first is answered.
    """

    server: RunningServer
    small: str
    small_body: bytes = field(repr=False)
    large: str
    large_body: bytes = field(repr=False)
    is_threaded: bool = False
    pipelines: bool = True

    def connect(self, *, receive_buffer: int | None = None) -> Connection:
        return Connection(self.server.url, receive_buffer=receive_buffer)

    def answers(self, headers: Headers = ()) -> float:
        """Ask for both files on connections of their own; the seconds that the small one took."""
        began = time.monotonic()
        response = raw_request(self.server.url, "GET", self.small, headers)
        took = time.monotonic() - began
        assert (response.status, response.body) == (200, self.small_body), f"{response.status} for the small file"
        response = raw_request(self.server.url, "GET", self.large, headers)
        assert response.status == 200, f"{response.status} for the large file"
        assert response.body == self.large_body, "other bytes for the large file"
        return took


@contextlib.contextmanager
def leaves_nothing_behind(target: Target, *, readers: int = 200, memory: int = MEMORY) -> Iterator[None]:
    """No descriptor, no thread beyond the pools, no memory, and nothing in the log that no server may write."""
    if not target.is_threaded:  # what an allocator keeps of so many buffers is no leak
        readers_are_slow(target, readers, 0.0)
    for _ in range(3):
        target.answers()
    before = target.server.held()
    yield
    target.answers()

    def is_as_before(now: Held) -> bool:
        return now.descriptors <= before.descriptors and now.threads <= before.threads + POOLS

    wait_until(lambda: is_as_before(target.server.held()))
    after = target.server.held()
    left = after.descriptors - before.descriptors
    assert left <= 0, f"{left} descriptors are left open"
    assert after.threads <= before.threads + POOLS, f"{after.threads - before.threads} threads are left"
    more = after.resident - before.resident
    assert more <= memory, f"{more / 1e6:.0f} MB more are resident"
    problems = target.server.problems()
    assert not problems, f"{len(problems)} problems in the log, such as {problems[0]}"


# --- clients that leave --------------------------------------------------------------------------------------


def downloads_are_cut_off(target: Target, count: int = 500) -> None:
    """Clients leave in the middle of a large file, by turns with an end and with a reset."""
    for number in range(count):
        with target.connect(receive_buffer=4096) as connection:
            connection.send("GET", target.large)
            assert connection.receive_some(200).startswith(b"HTTP/1.1 200 ")
            if number % 2:
                connection.abort()
    assert target.answers() < PATIENCE


def readers_are_slow(target: Target, count: int = 200, seconds: float = 60.0) -> float:
    """Clients take a kilobyte now and then while others ask for small files; then some read on and the others leave.

    The seconds that the slowest of the small files took.
    """
    slowest = 0.0
    with contextlib.ExitStack() as stack:
        readers = [stack.enter_context(target.connect(receive_buffer=4096)) for _ in range(count)]
        for reader in readers:
            reader.send("GET", target.large)
        begun = [reader.receive_some(2000) for reader in readers]
        assert all(each.startswith(b"HTTP/1.1 200 ") for each in begun)
        deadline = time.monotonic() + seconds
        while time.monotonic() < deadline:
            began = time.monotonic()
            response = raw_request(target.server.url, "GET", target.small)
            slowest = max(slowest, time.monotonic() - began)
            assert response.body == target.small_body
            assert slowest < PATIENCE, f"a small file took {slowest:.1f} s beside {count} slow readers"
            for number in range(0, count, 7):
                begun[number] += readers[number].receive_some(1000)
            time.sleep(0.02)
        for number, reader in enumerate(readers):
            if number % 10:
                reader.abort()
                continue
            _, _, body = begun[number].partition(b"\r\n\r\n")
            body += reader.receive_some(len(target.large_body) - len(body))
            assert body == target.large_body, "a slow reader got other bytes"
    return slowest


def halves_of_requests(target: Target, count: int = 60) -> None:
    """Clients send the beginning of a request and nothing more; others are served; then the clients leave."""
    whole = f"POST {target.small} HTTP/1.1\r\nHost: a.test\r\nContent-Length: 100\r\n\r\nbody".encode()
    with contextlib.ExitStack() as stack:
        for number in range(count):
            connection = stack.enter_context(target.connect())
            connection.send_raw(whole[: number * len(whole) // count])
        if not target.is_threaded:
            assert target.answers() < PATIENCE
    assert target.answers() < PATIENCE


# --- connections that are used again -------------------------------------------------------------------------

#: Requests that are answered in every way there is; ``{etag}`` is that of the small file.
KINDS: tuple[tuple[str, str, tuple[tuple[str, str], ...], bytes], ...] = (
    ("GET", "small", (), b""),
    ("GET", "large", (), b""),
    ("GET", "small", (("accept-encoding", "gzip, br, zstd"),), b""),
    ("GET", "small", (("range", "bytes=1-5"),), b""),
    ("GET", "large", (("range", "bytes=1-900000"),), b""),
    ("GET", "small", (("if-none-match", "{etag}"),), b""),
    ("GET", "small", (("if-match", '"another"'),), b""),
    ("GET", "large", (("range", "bytes=999999999-"),), b""),
    ("HEAD", "small", (), b""),
    ("HEAD", "large", (("range", "bytes=0-0"),), b""),
    ("OPTIONS", "small", (), b""),
    ("POST", "small", (("content-length", "4"),), b"body"),
    ("POST", "small", (("transfer-encoding", "chunked"),), b"4\r\nbody\r\n0\r\n\r\n"),
    ("GET", "small", (("content-length", "9"),), b"GET / HTT"),
    ("GET", "/static/no-such-file", (), b""),
)


def every_status_is_followed_by_another(target: Target) -> None:
    """One byte too many or too few in a response, and the next one on the connection is not what was asked for."""
    etag = raw_request(target.server.url, "GET", target.small).get("etag") or '"none"'
    paths = {"small": target.small, "large": target.large}
    for method, what, fields, body in KINDS:
        headers = [(name, value.replace("{etag}", etag)) for name, value in fields]
        for is_pipelined in (False, True) if target.pipelines else (False,):
            with target.connect() as connection:
                connection.send(method, paths.get(what, what), headers, body)
                if is_pipelined:
                    connection.send("GET", target.small)
                first = connection.receive(method)
                if (first.get("connection") or "").lower() == "close":
                    assert not connection.rest(), f"bytes behind the {first.status} to {method} {what} {headers}"
                    continue
                if not is_pipelined:
                    connection.send("GET", target.small)
                where = f"after {first.status} to {method} {what} {headers}"
                try:
                    second = connection.receive("GET")
                except MalformedResponse as error:
                    # A server may hang up instead, on a request with a body that nobody read (RFC 9112 9.6).
                    if body and "after b''" in str(error):
                        continue
                    raise AssertionError(f"{where}: {error}") from None
                assert (second.status, second.body) == (200, target.small_body), f"{where}: {second.status}"


# --- rubbish -------------------------------------------------------------------------------------------------

_STATUS = re.compile(rb"HTTP/1\.[01] ([1-5][0-9][0-9])[ \r]")

#: What has a meaning to one parser or another.
_PIECES = (
    *(b"\r\n", b"\n", b"\r", b"\0", b" ", b"\t", b":", b",", b";", b"%", b"%00", b"%2e%2e%2f", b"../", b"//"),
    *(b"\\", b"?", b"#", b"\xff", b"\xc3\xa9", b"\xed\xa0\x80", b"HTTP/1.1", b"HTTP/1.0", b"HTTP/2"),
    *(b"http://a.test/static/", b"*", b"A" * 9000, b"\r\nContent-Length: 5\r\n", b"\r\nContent-Length: -1\r\n"),
    *(b"\r\nContent-Length: 99999999999999999999\r\n", b"\r\nTransfer-Encoding: chunked\r\n"),
    *(b"\r\nTransfer-Encoding: x, chunked\r\n", b"\r\nTransfer-Encoding : chunked\r\n"),
    *(b"\r\nConnection: upgrade\r\nUpgrade: h2c\r\n", b"\r\nExpect: 100-continue\r\n", b"\r\nHost: b.test\r\n"),
    *(b"\r\n folded\r\n", b"\r\nRange: bytes=" + b"0-0," * 2000 + b"1-\r\n"),
    *(b"\r\nRange: bytes=" + b"9" * 5000 + b"-\r\n", b"\r\nAccept-Encoding: " + b"br;q=0.1," * 900 + b"\r\n"),
    *(b"\r\nIf-None-Match: " + b'"a",' * 1500 + b"\r\n", b"\r\nCookie: \xff\r\n", b"ffffffffffffffffff\r\n"),
    *(b"0\r\n\r\n", b'5;ext="\r\n"\r\n'),
)


def malformed_request(rng: random.Random, paths: tuple[str, ...]) -> bytes:
    """A request with a few bytes gone, changed, doubled or in from elsewhere."""
    method = rng.choice(("GET", "GET", "GET", "HEAD", "POST", "OPTIONS", "get", "G\0T", ""))
    lines = [f"{method} {rng.choice(paths)} HTTP/1.1", "Host: a.test", "Accept-Encoding: br, gzip", "Range: bytes=0-99"]
    if rng.random() < 0.1:
        lines = rng.sample(lines, rng.randint(1, 4))
    data = "\r\n".join([*lines, "", ""]).encode()
    for _ in range(rng.randint(1, 4)):
        at = rng.randint(0, len(data))
        match rng.randrange(5):
            case 0:
                data = data[:at] + data[at + rng.randint(1, 12) :]
            case 1:
                data = data[:at] + bytes([rng.randrange(256)]) + data[at + 1 :]
            case 2:
                data = data[:at] + data[at : at + 30] + data[at:]
            case _:
                data = data[:at] + rng.choice(_PIECES) + data[at:]
    return data


def requests_are_malformed(target: Target, count: int = 3000, seed: int = 1) -> None:
    """Each on a connection of its own. What comes back is a response or the end, and never the server's own failure."""
    paths = (target.small, target.large)
    for number in range(count):
        request = malformed_request(random.Random(f"{seed}:{number}"), paths)
        where = f"seed {seed}, request {number}: {request[:300]!r}"
        answer = b""
        # A reset is an answer, too: the server had not read all when it hung up.
        with contextlib.suppress(ConnectionError), target.connect() as connection:
            connection.send_raw(request, is_all=True)
            try:
                answer = connection.rest()
            except TimeoutError:
                raise AssertionError(f"no end of the connection; {where}") from None
        if answer:
            status = _STATUS.match(answer)
            assert status, f"{answer[:100]!r}; {where}"
            assert int(status[1]) in {*range(100, 500), 501, 505}, f"{answer[:200]!r}; {where}"
    assert target.answers() < PATIENCE


# --- files that change ---------------------------------------------------------------------------------------


def replaced(file: Path, data: bytes) -> None:
    other = file.with_name("other")
    other.write_bytes(data)
    os.replace(other, file)


def unlinked(file: Path, then: Callable[[Path], object]) -> None:
    file.unlink()
    then(file)


def a_socket(file: Path) -> None:
    with socket.socket(socket.AF_UNIX) as listener:
        folder = os.open(file.parent, os.O_RDONLY)  # a socket's path is short
        try:
            listener.bind(f"/proc/self/fd/{folder}/{file.name}")
        finally:
            os.close(folder)


#: The file is another one now: who has the old one open goes on reading that.
REPLACED: dict[str, Callable[[Path], object]] = {
    "deleted": lambda file: file.unlink(),
    "replaced by a shorter one": lambda file: replaced(file, b"shorter"),
    "replaced by a longer one": lambda file: replaced(file, file.read_bytes() + b"longer"),
    "replaced by one of its size": lambda file: replaced(file, bytes(file.stat().st_size)),
    "replaced by a directory": lambda file: unlinked(file, Path.mkdir),
    "replaced by a FIFO": lambda file: unlinked(file, os.mkfifo),
    "replaced by a socket": lambda file: unlinked(file, a_socket),
    "replaced by a dangling link": lambda file: unlinked(file, lambda file: file.symlink_to("nowhere")),
    "replaced by a link to itself": lambda file: unlinked(file, lambda file: file.symlink_to(file)),
    "made unreadable": lambda file: file.chmod(0),
}
#: It is the same file with other bytes, as ``cp`` and ``rsync --inplace`` leave it.
REWRITTEN: dict[str, Callable[[Path], object]] = {
    "emptied": lambda file: os.truncate(file, 0),
    "cut": lambda file: os.truncate(file, file.stat().st_size // 2),
    "rewritten, longer": lambda file: file.write_bytes(bytes(file.stat().st_size + 1000)),
    "rewritten, of its size": lambda file: file.write_bytes(bytes(file.stat().st_size)),
}
FAULTS = {**REPLACED, **REWRITTEN}


@dataclass(frozen=True)
class Asked:
    """A file that a server is asked for: URL path, place, bytes; and the URL path of a small one to ask for next."""

    server: RunningServer
    path: str
    file: Path
    body: bytes = field(repr=False)
    after: str


def file_changes_before(asked: Asked, fault: str) -> None:
    """What is answered is an error, or the file as it is now, under a tag that it did not have before."""
    tag = raw_request(asked.server.url, "HEAD", asked.path).get("etag")
    FAULTS[fault](asked.file)
    try:
        response = raw_request(asked.server.url, "GET", asked.path)
    except TimeoutError:
        raise AssertionError("hangs") from None
    except MalformedResponse as error:
        raise AssertionError(f"200, and {error}") from None
    assert response.status < 500, f"{response.status}"
    if response.status == 200:
        now = asked.file.read_bytes()
        assert response.body == now, f"{len(response.body)} of {len(now)} bytes"
        assert now == asked.body or response.get("etag") != tag, "other bytes under the same tag"


def file_changes_during(asked: Asked, fault: str) -> bool:
    """Whether the response arrives whole; it does as it was at the beginning, or the client sees that it breaks off.

    A second request waits on the connection behind the first, whose answer is no part of it.
    """
    with Connection(asked.server.url, receive_buffer=4096) as connection:
        connection.send("GET", asked.path)
        connection.send("GET", asked.after)
        begin = connection.receive_some(2000)
        head, _, body = begin.partition(b"\r\n\r\n")
        assert re.search(rb"(?i)content-length: %d\r" % len(asked.body), head + b"\r"), head.decode("latin-1")
        FAULTS[fault](asked.file)
        connection.hurry()
        rest, is_whole = b"", True
        try:
            rest = connection.receive_some(len(asked.body) - len(body))
        except TimeoutError:
            raise AssertionError("the client waits for ever") from None
        except ConnectionResetError:
            is_whole = False
        except CutOff as cut_off:
            rest, is_whole = cut_off.data, False
        assert asked.body.startswith(body + rest), "the end of something else"
        return is_whole
