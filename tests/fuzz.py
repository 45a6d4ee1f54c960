"""Random requests, damaged indexes, sources and options, as long as you like: ``python -m tests.fuzz --minutes 60``.

Every case is made from the seed and its number, which are printed when an invariant does not hold, with the request
as it was: ``--seed S --case N`` asks that one again. The invariants are those of :mod:`tests.invariants`.
"""

from __future__ import annotations

import argparse
import json
import logging
import os
import random
import secrets
import sys
import time
import traceback
from collections import Counter
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from hashlib import sha256
from pathlib import Path
from tempfile import TemporaryDirectory
from typing import Any
from urllib.parse import quote

from django_asyncstatic.index import (
    DIGEST_DIGITS,
    INDEX_FORMAT,
    INDEX_NAME,
    TIMES_NAME,
    VERSION,
    InvalidIndex,
    StaticIndex,
)
from django_asyncstatic.serving.contents import SMALL_SIZE
from tests.fuzz_inputs import make_input
from tests.invariants import (
    FIELD_VALUES,
    FILES,
    LIST_FIELDS,
    METHODS,
    PATH_PIECES,
    PREFIX,
    STATUSES,
    Request,
    World,
    Wrappers,
    ask_edges,
    check,
    check_message,
)

#: Seconds between two lines of statistics.
REPORT_INTERVAL = 30.0

NAMES = sorted(FILES)
FIELDS = sorted(FIELD_VALUES)
#: What leads far into the decisions comes often; If-Match mostly ends them.
_OFTEN = {"range": 8, "accept-encoding": 6, "if-none-match": 3, "if-range": 3, "if-modified-since": 3}
WEIGHTS = [_OFTEN.get(field, 1) for field in FIELDS]


# --- requests ------------------------------------------------------------------------------------------------


def random_request(rng: random.Random) -> Request:
    """A request for a file, with fields that are plausible, nearly so, or not at all."""
    name = rng.choice(NAMES)
    path = quote(name) if rng.random() < 0.9 else "".join(f"%{byte:02X}" for byte in name.encode())
    method = rng.choices(("GET", "HEAD", rng.choice(METHODS), mutate(rng, "GET")), (16, 4, 2, 1))[0]
    fields = []
    for _ in range(rng.choice((0, 1, 1, 2, 2, 3, 3, 8))):
        field = rng.choices(FIELDS, WEIGHTS)[0]
        fields.append((field, random_value(rng, field)))
    return Request(method, PREFIX + path, tuple(fields))


def random_value(rng: random.Random, field: str) -> str:
    plausible = FIELD_VALUES[field]
    how = rng.random()
    if how < 0.4:
        return rng.choice(plausible)
    if how < 0.55 and field in LIST_FIELDS:
        return rng.choice((",", ", ", " ,\t", ",,")).join(rng.choices(plausible, k=rng.randint(1, 6)))
    if how < 0.7 and field == "range":
        return f"bytes={random_position(rng)}-{random_position(rng)}"
    if how < 0.95:
        return mutate(rng, rng.choice(plausible))
    return random_text(rng, 60)


def random_position(rng: random.Random) -> str:
    return rng.choice(
        ("", "0", "{size}", str(rng.randint(0, 12)), str(rng.randint(0, 900_000)), str(rng.getrandbits(80)))
    )


def random_text(rng: random.Random, longest: int) -> str:
    return rng.randbytes(rng.randint(0, longest)).decode("latin-1")


def mutate(rng: random.Random, text: str) -> str:
    """The text with a few characters gone, doubled, changed, or in from elsewhere; at times very long."""
    for _ in range(rng.randint(1, 4)):
        at = rng.randint(0, len(text))
        match rng.randrange(8):
            case 0:
                text = text[:at] + text[at + 1 :]
            case 1:
                text = text[:at] + text[at : at + 4] + text[at:]
            case 2:
                text = text[:at] + rng.choice(',;="*-/ \tWq019.') + text[at:]
            case 3:
                text = text[:at] + chr(rng.randrange(256)) + text[at + 1 :]
            case 4:
                text = text[:at] + text[at:].swapcase()
            case 5:
                text = text[at:] + text[:at]
            case 6:
                other = rng.choice(FIELD_VALUES[rng.choice(FIELDS)])
                text = text[:at] + other[rng.randint(0, len(other)) :]
            case _ if rng.random() < 0.05:
                text *= rng.choice((10, 1000))
    return text[:100_000].encode("latin-1", "replace").decode("latin-1")  # swapcase() leaves Latin-1


def random_path(rng: random.Random) -> Request:
    """A path of pieces that mean something somewhere: escapes, dots, other encodings, names of real files."""
    pieces = [*rng.choices(PATH_PIECES, k=rng.randint(0, 6)), random_text(rng, 6)]
    rng.shuffle(pieces)
    path = rng.choice((PREFIX, PREFIX, PREFIX, "/", "/static", "")) + "".join(pieces)
    return Request(rng.choice(("GET", "GET", "HEAD", "POST")), mutate(rng, path) if rng.random() < 0.3 else path)


# --- indexes -------------------------------------------------------------------------------------------------


def index_of_lines(lines: Mapping[str, str], **header: Any) -> bytes:
    """An index with these values on the lines of these names, whatever they are; its header fits them."""
    body = "".join(f"{name}\t{value}\n" for name, value in sorted(lines.items())).encode()
    head = {"format": INDEX_FORMAT, "version": VERSION, "count": len(lines), "size": len(body), **header}
    return json.dumps(head).encode() + b"\n" + body


def damage(rng: random.Random, good: bytes) -> bytes:
    """The bytes of an index or of times, damaged: anywhere, behind a header that fits, or within its JSON."""
    how = rng.random()
    if how < 0.3:
        return mutate_bytes(rng, good)
    header, _, body = good.partition(b"\n")
    if how < 0.6:
        body = mutate_bytes(rng, body)
        if not body.endswith(b"\n"):
            body += b"\n"
    else:
        lines = body.split(b"\n")
        at = rng.randrange(len(lines))
        key, tab, value = lines[at].partition(b"\t")
        try:
            lines[at] = key + tab + json.dumps(mutate_json(rng, json.loads(value)), ensure_ascii=False).encode()
        except ValueError:
            lines[at] = key + tab + mutate_bytes(rng, value).replace(b"\n", b"")
        body = b"\n".join(lines)
    head = json.loads(header)
    if rng.random() < 0.1:
        head = mutate_json(rng, head)
    if isinstance(head, dict):
        head["size"] = len(body)
    return json.dumps(head).encode() + b"\n" + body


#: What has a meaning in a line.
JSON_BYTES = tuple(bytes([byte]) for byte in b'\n\t"09-[]{},%')
JSON_VALUES: tuple[Any, ...] = (
    *(None, True, False, 0, -1, 5, 1.5, 1e300, "", "text", "\u2603", "\ud800", "a\r\nb: c"),
    *([], [[]], {}, {"as": "text.txt"}),
)


def mutate_bytes(rng: random.Random, data: bytes) -> bytes:
    for _ in range(rng.randint(1, 4)):
        at = rng.randint(0, len(data))
        match rng.randrange(5):
            case 0:
                data = data[:at] + bytes([rng.randrange(256)]) + data[at + 1 :]
            case 1:
                data = data[:at] + data[at + rng.randint(1, 40) :]
            case 2:
                data = data[:at] + rng.randbytes(rng.randint(1, 8)) + data[at:]
            case 3:
                start = rng.randint(0, len(data))
                data = data[:at] + data[start : start + rng.randint(1, 300)] + data[at:]
            case _:
                data = data[:at] + rng.choice(JSON_BYTES) + data[at + 1 :]
    return data


def mutate_json(rng: random.Random, value: Any) -> Any:
    """The value with something in it replaced by something else, or gone."""
    if isinstance(value, (dict, list)) and value and rng.random() < 0.85:
        changed = value.copy()
        key = rng.choice([*value]) if isinstance(value, dict) else rng.randrange(len(value))
        if rng.random() < 0.15:
            del changed[key]
        else:
            changed[key] = mutate_json(rng, value[key])
        return changed
    if isinstance(value, str) and rng.random() < 0.5:
        return mutate(rng, value)
    if isinstance(value, int) and rng.random() < 0.5:
        return value + rng.choice((-1, 1, 1000, -100_000, 2**70))
    return rng.choice(
        (
            None,
            True,
            False,
            0,
            -1,
            5,
            1.5,
            1e300,
            "",
            "text",
            "\u2603",
            "\ud800",
            "a\r\nb: c",
            [],
            [[]],
            {},
            {"as": "text.txt"},
        )
    )


def is_well_formed(resource: Any) -> bool:
    """Whether what an index said makes headers and a file: the types that the annotations promise."""
    modified, kind = resource.last_modified, resource.media_type
    return (
        (modified is None or (type(modified) is int and 0 <= modified < 253_402_300_800))
        and type(kind) is str
        and kind.isascii()
        and kind.isprintable()
        and kind == kind.strip() != ""
        and type(resource.immutable) is bool
        and len({each.coding for each in resource.representations}) == len(resource.representations)
        and all(
            type(each.file) is str
            and type(each.size) is int
            and each.size >= 0
            and type(each.digest) is str
            and len(each.digest) == DIGEST_DIGITS
            and each.digest.isalnum()
            and each.digest.isascii()
            for each in resource.representations
        )
    )


@dataclass(frozen=True)
class DamagedIndex:
    """A request to a root whose index and times are these bytes."""

    request: Request
    index: bytes
    times: bytes

    def check(self, world: World, folder: Path) -> str:
        """Nothing but :class:`InvalidIndex` comes out of it, and no edge answers with other bytes than it says."""
        file = folder / INDEX_NAME
        file.write_bytes(self.index)
        file.with_name(TIMES_NAME).write_bytes(self.times)
        request = world.fill(self.request)
        name = request.decoded_path.decode().removeprefix(PREFIX)
        try:
            found = StaticIndex.load(file).get(name)
        except InvalidIndex:
            found = None
        assert found is None or is_well_formed(found), f"{found} is damage that nobody told"
        wrappers = Wrappers(world.root, index=file)
        answers = ask_edges(world, wrappers, wrappers, request)
        response = answers["asgi"]
        for edge, answer in answers.items():
            assert answer == response, f"{edge} and asgi differ"
        check_message(request, response)
        assert response.status in STATUSES | {404}
        tag = response.headers.get("etag", "")
        if (
            request.method == "GET"
            and response.status == 200
            and tag.startswith('"')
            and len(response.body) <= SMALL_SIZE
        ):
            assert sha256(response.body).hexdigest()[:DIGEST_DIGITS] == tag.strip('"')
        return f"damaged index: {response.status}"


# --- the run -------------------------------------------------------------------------------------------------


@dataclass(frozen=True)
class Stage:
    """The worlds that the cases are asked in."""

    collected: World
    scanned: World
    index: bytes
    times: bytes
    folder: Path


#: A case in words, for the failure's report, and what it takes to run it: that returns a word for the statistics.
Case = tuple[object, Callable[[Stage], str]]


def make_case(rng: random.Random, stage: Stage) -> Case:
    if rng.random() < 0.3:
        case, run = make_input(rng, mutate_bytes)
        return case, lambda stage: run(stage.folder)
    how = rng.random()
    if how < 0.2:
        damaged = DamagedIndex(
            random_request(rng),
            damage(rng, stage.index) if rng.random() < 0.8 else stage.index,
            damage(rng, stage.times) if rng.random() < 0.4 else stage.times,
        )
        return damaged, lambda stage: damaged.check(stage.collected, stage.folder)
    request = random_path(rng) if how < 0.4 else random_request(rng)
    world = stage.scanned if rng.random() < 0.25 else stage.collected
    return world.fill(request), lambda stage: str(check(world, request))


def run_case(seed: int, number: int, stage: Stage) -> str:
    """Run one case; the word for its outcome. Prints the case, and raises what it raised, if it fails."""
    case, run = make_case(random.Random(f"{seed}:{number}"), stage)
    try:
        return run(stage)
    except BaseException:
        print(f"\nseed {seed}, case {number}: {case!r}", flush=True)
        raise


def main(arguments: Sequence[str] | None = None) -> int:
    parser = argparse.ArgumentParser(prog="python -m tests.fuzz", description=__doc__)
    parser.add_argument("--seconds", type=float, default=60, help="how long (default: 60)")
    parser.add_argument("--minutes", type=float, default=None, help="how long, in minutes")
    parser.add_argument("--seed", type=int, default=None, help="the seed of an earlier run (default: a new one)")
    parser.add_argument("--case", type=int, default=None, help="only the case of this number")
    options = parser.parse_args(arguments)
    seed = secrets.randbelow(2**32) if options.seed is None else options.seed
    seconds = options.seconds if options.minutes is None else options.minutes * 60
    print(f"seed {seed}", flush=True)
    os.environ.setdefault("DJANGO_SETTINGS_MODULE", "tests.settings")
    logger = logging.getLogger("django_asyncstatic")  # it has something to say of every damaged index
    was_disabled, logger.disabled = logger.disabled, True
    try:
        with TemporaryDirectory() as place:
            root = Path(place)
            with World.collect(root / "collected") as collected, World.scan(root / "scanned") as scanned:
                index, times = ((collected.root / name).read_bytes() for name in (INDEX_NAME, TIMES_NAME))
                folder = root / "damaged"
                folder.mkdir()
                stage = Stage(collected, scanned, index, times, folder)
                return run_cases(seed, stage, seconds=seconds, only=options.case)
    finally:
        logger.disabled = was_disabled


def run_cases(seed: int, stage: Stage, *, seconds: float, only: int | None = None) -> int:
    """Run cases, or only one, until the time is over or one fails; the program's exit status."""
    counts: Counter[str] = Counter()
    start = last = time.monotonic()
    number = only or 0
    while True:
        try:
            counts[run_case(seed, number, stage)] += 1
        except Exception:
            traceback.print_exc()
            print(f"Violated. Again: python -m tests.fuzz --seed {seed} --case {number}", flush=True)
            return 1
        now = time.monotonic()
        is_over = only is not None or now - start >= seconds
        if is_over or now - last >= REPORT_INTERVAL:
            last = now
            said = ", ".join(f"{word} {count}" for word, count in sorted(counts.items()))
            print(f"{now - start:6.0f} s, {counts.total()} cases: {said}", flush=True)
        if is_over:
            return 0
        number += 1


if __name__ == "__main__":
    sys.exit(main())
