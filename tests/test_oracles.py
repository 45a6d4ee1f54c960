"""The decisions of HTTP against oracles that others wrote, and against values that were written by hand.

Werkzeug and Django decide the same questions, each with differences: where one disagrees with us, a test says so, with
the section of RFC 9110 that decides. What RFC 9110 leaves open ("MAY", or silence on what is malformed) is said to be.
"""

from __future__ import annotations

import re
from datetime import UTC, datetime, timedelta
from email.utils import parsedate_to_datetime
from typing import Any

import pytest
from django.http import HttpResponse
from django.test import RequestFactory
from django.utils.cache import get_conditional_response
from django.utils.http import parse_http_date_safe
from hypothesis import assume, example, given
from hypothesis import strategies as st
from werkzeug.datastructures import Accept
from werkzeug.exceptions import RequestedRangeNotSatisfiable
from werkzeug.http import (
    is_resource_modified,
    parse_accept_header,
    parse_date,
    parse_etags,
    parse_range_header,
)
from werkzeug.wrappers import Response

from django_asyncstatic.index import Representation, Resource
from django_asyncstatic.serving.headers import HeaderPolicy
from django_asyncstatic.serving.negotiation import parse_accept_encoding, select_representation
from django_asyncstatic.serving.plans import PreparedResource, make_plan
from django_asyncstatic.serving.preconditions import Outcome, evaluate, if_range_passes
from django_asyncstatic.serving.ranges import ByteRange, Unsatisfiable, parse_range

latin_1 = st.text(st.characters(codec="latin-1"), max_size=40)


def text_of(alphabet: str, size: int = 24) -> st.SearchStrategy[str]:
    """Junk that is nearly a field: the characters that mean something in it, in any order."""
    return st.text(st.sampled_from(alphabet), max_size=size)


# --- Accept-Encoding -----------------------------------------------------------------------------------------

CODINGS = (None, "gzip", "br", "zstd")

# RFC 9110 12.5.3 and 12.4.2, written from the grammar: codings [ OWS ";" OWS "q=" qvalue ].
_CODINGS_AND_WEIGHT = re.compile(
    r"[ \t]*[!#$%&'*+\-.^_`|~0-9A-Za-z]+([ \t]*;[ \t]*[qQ]=(0(\.[0-9]{0,3})?|1(\.0{0,3})?))?[ \t]*"
)


def representations_of(*sizes: int) -> tuple[Representation, ...]:
    return tuple(
        Representation(coding, f"a.{coding}", size, f'"{coding}"', "")
        for coding, size in zip(CODINGS, sizes, strict=False)
    )


#: identity is the largest, br the smallest.
USUAL = representations_of(1000, 300, 200, 250)


def select(field: str | None, representations: tuple[Representation, ...] = USUAL) -> str | None:
    return select_representation(representations, field).coding


def oracle_of(field: str) -> Accept:
    """What Werkzeug reads in the members that are in the grammar, in the spelling that it knows.

    Its two differences within the grammar are undone here, and told by the tests below.
    """
    members = [member.strip(" \t").lower() for member in field.split(",") if _CODINGS_AND_WEIGHT.fullmatch(member)]
    members = [re.sub(r"\.$", ".0", member) for member in members]
    members = [re.sub(r"^x-gzip(?=[ \t;]|$)", "gzip", member) for member in members]
    return parse_accept_header(",".join(members))


def weight_by(accept: Accept, coding: str | None) -> float | None:
    """The weight of a coding; ``None`` for identity that nothing is said of (12.5.3, rule 2: acceptable)."""
    if coding is None and not {"identity", "*"} & set(accept.values()):
        return None
    return accept.quality(coding or "identity")


tokens = st.sampled_from(
    ["gzip", "br", "zstd", "identity", "*", "x-gzip", "GZip", "Identity", "deflate", "dcb", "x-br", "*x"]
)
weights = st.one_of(
    st.just(""),
    st.builds(
        "{};{}{}={}".format,
        st.sampled_from(["", " ", "\t "]),
        st.sampled_from(["", " "]),
        st.sampled_from("qQ"),
        st.sampled_from(["0", "0.", "0.0", "0.000", "0.001", "0.5", "0.50", "0.999", "1", "1.", "1.000"]),
    ),
)
members = st.builds("{}{}".format, tokens, weights)
malformed = st.sampled_from(
    ["", "gzip;q=1.5", "br;q=", "br;", "br;level=9", "gzip;q=0.0001", "g zip", 'br;q="1"', '"br"', "br;q=-0", "*;q=2"]
)
separators = st.sampled_from([",", ", ", " ,\t", ",,"])
accept_fields = st.builds(
    lambda separator, parts: separator.join(parts),
    separators,
    st.lists(st.one_of(members, members, malformed), max_size=6),
)
sizes = st.tuples(*[st.sampled_from([10, 20, 30, 40])] * 4)


def is_listed_once(field: str) -> bool:
    """Of a coding that comes twice nothing is said: we take the first, Werkzeug the highest weight."""
    names = [re.split(r"[ \t;]", part.strip(" \t").lower())[0] for part in field.split(",")]
    names = ["gzip" if name == "x-gzip" else name for name in names if name]
    return len(names) == len(set(names))


@given(field=accept_fields, sizes=sizes)
@example(field="*;q=0.5, gzip;q=0.1", sizes=(10, 20, 30, 40))
@example(field="identity;q=0.5, gzip;q=0.5", sizes=(10, 20, 30, 40))
def test_the_selected_representation_has_the_highest_weight_and_is_the_smallest_of_those(
    field: str, sizes: tuple[int, ...]
) -> None:
    assume(is_listed_once(field))
    check_selection(field, sizes)


@given(field=st.one_of(latin_1, text_of("gzipbr*;q=01., \t\"'-"), st.lists(malformed).map(",".join)), sizes=sizes)
def test_of_a_junk_field_the_members_that_are_in_the_grammar_count(field: str, sizes: tuple[int, ...]) -> None:
    assume(is_listed_once(field))
    check_selection(field, sizes)


def check_selection(field: str, sizes: tuple[int, ...]) -> None:
    representations = representations_of(*sizes)
    accept = oracle_of(field)
    weights = {each.coding: weight_by(accept, each.coding) for each in representations}
    highest = max((weight for weight in weights.values() if weight is not None), default=0)
    selected = select_representation(representations, field)
    if highest == 0:
        # Nothing that was asked for: identity, acceptable or not. 12.5.3: "SHOULD send a response without any content
        # coding unless the identity coding is indicated as unacceptable"; then 12.1 lets a server disregard the field.
        assert selected.coding is None
    else:
        best = [each for each in representations if weights[each.coding] == highest]
        assert selected in best
        assert selected.size == min(each.size for each in best)


@given(field=accept_fields)
def test_the_weights_are_those_that_werkzeug_reads(field: str) -> None:
    assume(is_listed_once(field))
    assert parse_accept_encoding(field) == dict(oracle_of(field))


@pytest.mark.parametrize(
    ("field", "expected"),
    [
        # The examples of RFC 9110 12.5.3.
        ("compress, gzip", "gzip"),
        ("", None),
        ("*", "br"),
        ("compress;q=0.5, gzip;q=1.0", "gzip"),
        ("gzip;q=1.0, identity; q=0.5, *;q=0", "gzip"),
        # What browsers send.
        ("gzip, deflate", "gzip"),
        ("gzip, deflate, br, zstd", "br"),
        ("gzip, deflate, br, zstd, dcb, dcz", "br"),
        ("identity", None),
        # Rule 2: identity is acceptable unless excluded, and what "*" says is said of it, too.
        ("*;q=0", None),
        ("*;q=0, br", "br"),
        ("identity;q=0", None),
        ("identity;q=0, *", "br"),
        ("identity;q=1, *;q=0.999", None),
        ("identity;q=0.001", None),
        ("deflate", None),
        ("deflate, *;q=0", None),
        # Weights.
        ("br;q=0.001, gzip;q=0", "br"),
        ("br;q=0.998, gzip;q=0.999", "gzip"),
        ("br;q=0, *", "zstd"),
        ("br;q=0.5, gzip;q=0.5, zstd;q=0.5", "br"),
        ("gzip;q=0.3, *;q=0.2", "gzip"),
        ("gzip;q=0.2, *;q=0.3", "br"),
        # A quality above 1, or with four digits, is none: the member goes, the others stay.
        ("br;q=1.001, gzip", "gzip"),
        ("br;q=0.9999, gzip;q=0.1", "gzip"),
        ("br;q=.5, gzip;q=0.1", "gzip"),
        ("br;q=1e0, gzip;q=0.1", "gzip"),
        ("br;q=\u00b9, gzip;q=0.1", "gzip"),
    ],
)
def test_the_selection_of_hand_written_fields(field: str, expected: str | None) -> None:
    assert select(field) == expected


def test_without_the_field_identity_is_sent() -> None:
    """12.5.3, rule 1: any coding is acceptable then, so identity is."""
    assert select(None) is None


def test_identity_wins_a_tie_if_it_is_listed_and_smallest() -> None:
    small = representations_of(10, 20, 30, 40)
    assert select("identity, gzip, br, zstd", small) is None
    assert select("*", small) is None
    assert select("gzip", small) == "gzip", "nothing is said of identity, and gzip was asked for"


@pytest.mark.parametrize(
    ("field", "ours", "werkzeug"),
    [
        # Within the grammar (12.4.2: "0" [ "." 0*3DIGIT ]): we are right, Werkzeug drops the member.
        ("*, br;q=0.", "zstd", 1),
        # 8.4.1.3: "A recipient SHOULD consider "x-gzip" to be equivalent to "gzip"": we are right.
        ("x-gzip, br;q=0.5", "gzip", 0.5),
        # Outside of it RFC 9110 leaves it open. We drop the member, Werkzeug reads on.
        ("br;q=0.9999, gzip;q=0.1", "gzip", 0.9999),
        ("br;q=00.9, gzip;q=0.1", "gzip", 0.9),
        ('br;q="0.9", gzip;q=0.1', "gzip", 0.9),
        ('"br", gzip;q=0.1', "gzip", 1),
        ("br;, gzip;q=0.1", "gzip", 1),
        ("br;q=, gzip;q=0.1", "gzip", 1),
        ("*, br;q=-0", "br", 0),
        # An open quotation mark costs Werkzeug the whole field. 12.5.3 knows no quoted strings: ours go at the comma.
        ('br, "gzip', "br", 0),
        # Twice the same coding: we take the first, Werkzeug the highest. RFC 9110 says nothing.
        ("br;q=0.1, gzip;q=0.5, br", "gzip", 1),
    ],
)
def test_where_werkzeug_reads_another_weight_of_br(field: str, ours: str | None, werkzeug: float) -> None:
    accept = parse_accept_header(field)
    assert accept.quality("br") == werkzeug
    assert select(field) == ours


# --- Range ---------------------------------------------------------------------------------------------------

# 14.1.1: int-range / suffix-range, without blanks inside.
_RANGE_SPEC = re.compile(r"[0-9]+-[0-9]*|-[0-9]+")

Slice = tuple[int, int] | str | None
UNSATISFIABLE = "unsatisfiable"
IGNORED = None

numbers = st.one_of(st.integers(0, 12), st.integers(0, 10**6), st.sampled_from([10**17, 10**18, 10**30])).map(str)
specs = st.one_of(
    st.builds("{}-{}".format, numbers, numbers | st.just("")),
    st.builds("-{}".format, numbers),
    st.builds("{}{}-".format, st.sampled_from(["0", "00000", "0" * 30]), numbers),
)
one_range = st.builds(
    "{}{}{}{}".format,
    st.sampled_from(["bytes=", "Bytes=", "bytes= "]),
    st.sampled_from(["", ",", " , "]),
    specs,
    st.sampled_from(["", ",", " ,,"]),
)
some_ranges = st.builds(
    "{}={}".format, st.sampled_from(["bytes", "lines", "byte", ""]), st.lists(specs, max_size=3).map(", ".join)
)
range_fields = st.one_of(one_range, some_ranges)
range_sizes = st.one_of(st.integers(0, 12), st.integers(0, 2 * 10**6))


def our_range(field: str, size: int) -> Slice:
    match parse_range(field, size):
        case ByteRange(start, stop):
            return (start, stop)
        case Unsatisfiable():
            return UNSATISFIABLE
        case _:
            return IGNORED


def werkzeug_range(field: str, size: int) -> Slice:
    """Werkzeug's answer as one of ours, with nothing corrected."""
    found = parse_range_header(field)
    if found is None or found.units != "bytes" or len(found.ranges) != 1:
        return IGNORED
    return found.range_for_length(size) or UNSATISFIABLE


def expected_range(field: str, size: int) -> Slice:
    """Werkzeug's answer, corrected where RFC 9110 has another; each correction has a test below."""
    units, equals, specs = field.partition("=")
    if not equals:
        return IGNORED
    members = [spec.strip(" \t") for spec in specs.split(",")]
    members = [spec for spec in members if spec]  # 5.6.1.2: empty elements are to be ignored
    if len(members) != 1 or not _RANGE_SPEC.fullmatch(members[0]):
        return IGNORED
    (spec,) = members
    if units.strip(" \t").lower() == "bytes" and spec.startswith("-"):
        if int(spec[1:]) == 0:  # 14.1.2: valid, and not satisfiable
            return UNSATISFIABLE
        if size == 0:  # 14.2: "MAY ignore a Range header field when the selected representation has no content"
            return IGNORED
        if int(spec[1:]) > size:  # 14.1.2: "the entire representation is used"
            return (0, size)
    return werkzeug_range(f"{units}={spec}", size)


@given(field=range_fields, size=range_sizes)
@example(field="bytes=0-", size=0)
@example(field="bytes=-1", size=0)
@example(field="bytes=0-0", size=1)
@example(field="bytes=1-", size=1)
@example(field="bytes=-1", size=1)
def test_a_range_is_the_one_that_werkzeug_reads(field: str, size: int) -> None:
    first, _, last = field.partition("=")[2].strip(" ,").partition("-")
    assume(not (len(first) > 18 and len(last) > 18))  # told by a test of its own
    assert our_range(field, size) == expected_range(field, size)


@given(
    field=st.one_of(
        latin_1,
        text_of("0123456789-, \t=", 12).map("bytes={}".format),
        text_of("09-,.+_ \u00b2\tx").map("bytes={}".format),
        text_of("bytes=09-, "),
    ),
    size=range_sizes,
)
def test_a_junk_range_is_ignored_unless_werkzeug_reads_the_same_in_it(field: str, size: int) -> None:
    assert our_range(field, size) == expected_range(field, size)


@given(first=st.integers(0, 15), last=st.integers(0, 15) | st.none(), size=st.integers(0, 12))
def test_a_range_has_exactly_the_positions_between_its_ends(first: int, last: int | None, size: int) -> None:
    """An oracle of one line: 14.1.2 in terms of the positions themselves."""
    found = our_range(f"bytes={first}-{'' if last is None else last}", size)
    selected = [position for position in range(size) if first <= position and (last is None or position <= last)]
    if last is not None and last < first:
        assert found is IGNORED
    else:
        assert found == ((selected[0], selected[-1] + 1) if selected else UNSATISFIABLE)


@given(length=st.integers(0, 15), size=st.integers(1, 12))
def test_a_suffix_has_exactly_the_last_positions(length: int, size: int) -> None:
    selected = list(range(size))[-length:] if length else []
    assert our_range(f"bytes=-{length}", size) == ((selected[0], size) if selected else UNSATISFIABLE)


@pytest.mark.parametrize(
    ("field", "size", "expected"),
    [
        # The examples of RFC 9110 14.1.2, of 10,000 bytes.
        ("bytes=0-499", 10_000, (0, 500)),
        ("bytes=500-999", 10_000, (500, 1000)),
        ("bytes=-500", 10_000, (9500, 10_000)),
        ("bytes=9500-", 10_000, (9500, 10_000)),
        ("bytes=0-0,-1", 10_000, IGNORED),
        ("bytes= 0-999, 4500-5499, -1000", 10_000, IGNORED),
        ("bytes=500-600,601-999", 10_000, IGNORED),
        # The last byte and the first one behind it.
        ("bytes=9999-", 10_000, (9999, 10_000)),
        ("bytes=10000-", 10_000, UNSATISFIABLE),
        ("bytes=9999-10000", 10_000, (9999, 10_000)),
        ("bytes=-10000", 10_000, (0, 10_000)),
        ("bytes=-10001", 10_000, (0, 10_000)),
        # One byte and none.
        ("bytes=0-", 1, (0, 1)),
        ("bytes=0-0", 1, (0, 1)),
        ("bytes=0-1", 1, (0, 1)),
        ("bytes=1-", 1, UNSATISFIABLE),
        ("bytes=-0", 1, UNSATISFIABLE),
        ("bytes=0-", 0, UNSATISFIABLE),
        ("bytes=0-0", 0, UNSATISFIABLE),
        ("bytes=-0", 0, UNSATISFIABLE),
        ("bytes=-1", 0, IGNORED),
        # 14.1.2: "recipients MUST anticipate potentially large decimal numerals".
        ("bytes=0-" + "9" * 10_000, 10, (0, 10)),
        ("bytes=-" + "9" * 10_000, 10, (0, 10)),
        ("bytes=" + "9" * 10_000 + "-", 10, UNSATISFIABLE),
        ("bytes=" + "0" * 10_000 + "3-4", 10, (3, 5)),
        # 14.1: "All range unit names are case-insensitive".
        ("BYTES=0-0", 10, (0, 1)),
        ("bytes", 10, IGNORED),
        ("bytes=", 10, IGNORED),
        ("bytes=,", 10, IGNORED),
        ("bytes=-", 10, IGNORED),
        ("bytes=a-b", 10, IGNORED),
        ("bytes=0x1-2", 10, IGNORED),
        ("bytes=1.0-2", 10, IGNORED),
        ("bytes=\u0661-", 10, IGNORED),
        ("bytes=0-1;", 10, IGNORED),
        ("bytes=0-1\n", 10, IGNORED),
        ("bytes:0-1", 10, IGNORED),
        ("bytes 0-1", 10, IGNORED),
        ("", 10, IGNORED),
    ],
)
def test_the_range_of_hand_written_fields(field: str, size: int, expected: Slice) -> None:
    assert our_range(field, size) == expected


@pytest.mark.parametrize(
    ("field", "size", "ours", "werkzeug"),
    [
        # 14.1.2: "If the selected representation is shorter than the specified suffix-length, the entire
        # representation is used." We are right.
        ("bytes=-99", 10, (0, 10), UNSATISFIABLE),
        # 14.1.2: a suffix-range is satisfiable if its length is not zero. It is valid all the same: we are right.
        ("bytes=-0", 10, UNSATISFIABLE, IGNORED),
        # 14.1.2: large numerals must be read. We are right; Python refuses to convert them.
        ("bytes=5-" + "9" * 5000, 10, (5, 10), IGNORED),
        # 5.6.1.2: "A recipient MUST parse and ignore a reasonable number of empty list elements". We are right.
        ("bytes=,0-1", 10, (0, 2), IGNORED),
        ("bytes=0-1,", 10, (0, 2), IGNORED),
        # 14.1.1 has no blanks there, and 14.2 lets a server ignore what is invalid, or not: both are.
        ("bytes=0 - 1", 10, IGNORED, (0, 2)),
        # Of an empty representation 14.1.2 has a satisfiable suffix, and no Content-Range could say so. Both are.
        ("bytes=-5", 0, IGNORED, UNSATISFIABLE),
        # 14.1.1: invalid, since the last position is below the first; 14.2: "MAY ignore or reject". Both are.
        ("bytes=" + "9" * 20 + "-" + "8" * 20, 10, UNSATISFIABLE, IGNORED),
    ],
)
def test_where_werkzeug_reads_another_range(field: str, size: int, ours: Slice, werkzeug: Slice) -> None:
    assert (our_range(field, size), werkzeug_range(field, size)) == (ours, werkzeug)


# --- dates ---------------------------------------------------------------------------------------------------

#: Seconds of a time that is before every date there is.
BEFORE_ALL = -(10**12)
#: RFC 9110 5.6.7: one moment in the three forms.
MOMENT = 784_111_777
FORMS = ("Sun, 06 Nov 1994 08:49:37 GMT", "Sunday, 06-Nov-94 08:49:37 GMT", "Sun Nov  6 08:49:37 1994")

_DAYS = ("Monday", "Tuesday", "Wednesday", "Thursday", "Friday", "Saturday", "Sunday")
_MONTHS = ("Jan", "Feb", "Mar", "Apr", "May", "Jun", "Jul", "Aug", "Sep", "Oct", "Nov", "Dec")


def imf_fixdate(date: datetime) -> str:
    day, month = _DAYS[date.weekday()][:3], _MONTHS[date.month - 1]
    return f"{day}, {date.day:02} {month} {date.year:04} {date:%H:%M:%S} GMT"


def rfc_850(date: datetime) -> str:
    day, month = _DAYS[date.weekday()], _MONTHS[date.month - 1]
    return f"{day}, {date.day:02}-{month}-{date.year % 100:02} {date:%H:%M:%S} GMT"


def asctime(date: datetime) -> str:
    day, month = _DAYS[date.weekday()][:3], _MONTHS[date.month - 1]
    return f"{day} {month} {date.day:2} {date:%H:%M:%S} {date.year:04}"


def is_read_as(field: str, seconds: int) -> bool:
    """Whether we take a field for that second: not one earlier, not one later."""
    fields = {"if-modified-since": field}
    at, behind = (evaluate(fields, '"a"', modified) for modified in (seconds, seconds + 1))
    return (at, behind) == (Outcome.NOT_MODIFIED, Outcome.PASSED)


def is_ignored(field: str) -> bool:
    """Whether we take a field for no date at all, in either field."""
    since = evaluate({"if-modified-since": field}, '"a"', BEFORE_ALL)
    unmodified = evaluate({"if-unmodified-since": field}, '"a"', 10**18)
    assert (since is Outcome.PASSED) == (unmodified is Outcome.PASSED)
    return since is Outcome.PASSED


moments = st.datetimes(datetime(1970, 1, 1), datetime(9999, 12, 31)).map(  # noqa: DTZ001
    lambda date: date.replace(microsecond=0, tzinfo=UTC)
)
now = datetime.now(UTC)
HALF_A_CENTURY = timedelta(days=50 * 365)
#: The century that two digits of a year mean (5.6.7).
recent = st.datetimes((now - HALF_A_CENTURY).replace(tzinfo=None), (now + HALF_A_CENTURY).replace(tzinfo=None)).map(
    lambda date: date.replace(microsecond=0, tzinfo=UTC)
)


@given(date=moments)
def test_the_full_dates_are_those_of_email_and_werkzeug(date: datetime) -> None:
    for field in (imf_fixdate(date), asctime(date)):
        assert parsedate_to_datetime(field).replace(tzinfo=UTC) == parse_date(field) == date
        assert is_read_as(field, int(date.timestamp()))


@given(date=recent)
def test_a_year_of_two_digits_is_at_most_fifty_years_away(date: datetime) -> None:
    """5.6.7: "more than 50 years in the future" is the past. email (RFC 5322 4.3) has a fixed window, 1969 to 2068."""
    field = rfc_850(date)
    assert is_read_as(field, int(date.timestamp()))
    read = parse_date(field)
    assert read is not None
    assert (read.replace(year=2000), read.year % 100) == (date.replace(year=2000), date.year % 100)
    if 1969 <= date.year <= 2068:
        assert read == date


@pytest.mark.parametrize("field", FORMS)
def test_the_three_forms_of_the_rfc_are_one_moment(field: str) -> None:
    assert is_read_as(field, MOMENT)
    read = parse_date(field)
    assert read is not None
    assert read.timestamp() == MOMENT


def test_the_first_second_and_the_last_are_dates() -> None:
    assert is_read_as("Thu, 01 Jan 1970 00:00:00 GMT", 0)
    assert is_read_as("Wed, 31 Dec 1969 23:59:59 GMT", -1)
    assert is_read_as("Fri, 31 Dec 9999 23:59:59 GMT", 253_402_300_799)
    assert is_read_as("Thu, 29 Feb 2024 00:00:00 GMT", 1_709_164_800)


#: No HTTP-date (5.6.7), so to be ignored (13.1.3, 13.1.4); and whether email.utils reads one, as RFC 5322 has more.
NO_DATES: dict[str, bool] = {
    "": False,
    "0": False,
    "-1": False,
    "784111777": False,
    "yesterday": False,
    "*": False,
    '"Sun, 06 Nov 1994 08:49:37 GMT"': False,
    "Sun, 06 Nov 1994 08:49:37": True,
    "Sun, 06 Nov 1994 08:49:37 +0000": True,
    "Sun, 06 Nov 1994 08:49:37 +0100": True,
    "Sun, 06 Nov 1994 08:49:37 EST": True,
    "Sun, 06 Nov 1994 08:49:37 UTC": True,
    "Sun, 06 Nov 1994 08:49:37 gmt": True,
    "06 Nov 1994 08:49:37 GMT": True,
    "Sun, 6 Nov 1994 08:49:37 GMT": True,
    "Sun,06 Nov 1994 08:49:37 GMT": True,
    "Sun, 06  Nov 1994 08:49:37 GMT": True,
    "Sun, 06 Nov 94 08:49:37 GMT": True,
    "Sun, 06 November 1994 08:49:37 GMT": False,
    "Sun, 06 Nov 1994 08:49 GMT": True,
    "Sun, 06 Nov 1994 8:49:37 GMT": True,
    "Sun, 06 Nov 1994 08.49.37 GMT": True,
    "Sun, 06 Nov 1994 24:00:00 GMT": False,
    "Sun, 06 Nov 1994 08:60:00 GMT": False,
    "Sun, 06 Nov 1994 08:49:61 GMT": False,
    "Sun, 31 Nov 1994 08:49:37 GMT": False,
    "Wed, 29 Feb 2023 00:00:00 GMT": False,
    "Sun, 00 Nov 1994 08:49:37 GMT": False,
    "Sun, 06 Foo 1994 08:49:37 GMT": False,
    "Sun, 06 Nov 19940 08:49:37 GMT": False,
    "Sun, 06-Nov-1994 08:49:37 GMT": True,
    "Sunday, 06 Nov 1994 08:49:37 GMT": True,
    "Sun Nov 6 08:49:37 1994": True,
    "Sun Nov  6 08:49:37 1994 GMT": True,
    "1994-11-06T08:49:37Z": False,
    "Sun, \u0660\u0666 Nov 1994 08:49:37 GMT": True,
    "Sun, 06 Nov 1994 08:49:37 GMT, Sun, 06 Nov 1994 08:49:37 GMT": False,
    "Sun, 06 Nov 1994 08:49:37 GMT; length=5": True,
    "x" * 10_000: False,
}


@pytest.mark.parametrize("field", NO_DATES, ids=lambda field: field[:60] or "empty")
def test_what_is_no_http_date_is_ignored(field: str) -> None:
    assert is_ignored(field)


def with_another_character(form: str) -> st.SearchStrategy[str]:
    """A date with one character that is another, or gone, or one too many."""
    return st.builds(
        lambda at, length, other: form[:at] + other + form[at + length :],
        st.integers(0, len(form)),
        st.integers(0, 1),
        st.sampled_from(["", " ", "0", "1", "9", "x", ",", "-", ":", "\u00b2", "\u00fc"]),
    )


@given(
    field=st.one_of(
        text_of("SunNov Gmt0169:,-").map("Sun{}".format), st.sampled_from(FORMS).flatmap(with_another_character)
    )
)
def test_a_date_that_we_read_is_the_one_that_werkzeug_reads(field: str) -> None:
    """The other way round it need not be: RFC 5322 has more forms."""
    # The years before 100, and the last second of a minute, have tests of their own.
    assume(not re.search(r"00[0-9]{2}(?: |$)|:60", field))
    if not is_ignored(field):
        read = parse_date(field)
        assert read is not None
        assert is_read_as(field, int(read.timestamp()))


def test_a_leap_second_is_a_date() -> None:
    """5.6.7: time-of-day is "00:00:00 - 23:59:60 (leap second)". Django, email and Werkzeug read none."""
    field = "Sat, 31 Dec 2016 23:59:60 GMT"
    assert is_read_as(field, 1_483_228_800)
    assert is_ignored("Sat, 31 Dec 2016 23:59:61 GMT")
    assert parse_http_date_safe(field) is None
    assert parse_date(field) is None


@pytest.mark.parametrize(
    "field",
    [
        "sun, 06 nov 1994 08:49:37 GMT",
        "SUN, 06 NOV 1994 08:49:37 GMT",
        "Xyz, 06 Nov 1994 08:49:37 GMT",
        "___, 06 Nov 1994 08:49:37 GMT",
        "sunday, 06-Nov-94 08:49:37 GMT",
        "Someday, 06-Nov-94 08:49:37 GMT",
        "123 Nov  6 08:49:37 1994",
        "Sun, 06 Nov 1994 08:49:37 GMT\n",
    ],
    ids=repr,
)
def test_a_day_or_month_that_is_none_makes_no_date(field: str) -> None:
    """5.6.7: "HTTP-date is case sensitive"; 13.1.3: "MUST ignore [...] if [...] not a valid HTTP-date".

    Django reads them all.
    """
    assert is_ignored(field)
    assert parse_http_date_safe(field) == MOMENT


@pytest.mark.parametrize("field", ["Mon, 01 Jan 0001 00:00:00 GMT", "Mon Jan  1 00:00:00 0001"])
def test_a_year_of_four_digits_is_that_year(field: str) -> None:
    """Two digits mean a year nearby, four do not (5.6.7). 0001 is what .NET has for a date that was never set.

    Django takes it for 2001. A file from 1980 (a SOURCE_DATE_EPOCH that many use) then counts as not modified since:
    a 304 to a client that has nothing.
    """
    assert is_read_as(field, -62_135_596_800)
    assert our_status({"if-modified-since": field}, STRONG, 315_532_800) == 200
    assert status_by_django({"if-modified-since": field}, STRONG, 315_532_800) == 304


def test_the_year_0000_is_in_no_calendar() -> None:
    assert is_ignored("Sat, 01 Jan 0000 00:00:00 GMT")


@pytest.mark.skipif(now.year >= 2050, reason="two digits of a year are fifty years later in another century")
def test_a_timestamp_more_than_fifty_years_ahead_is_the_past() -> None:
    """5.6.7: "a timestamp that appears to be more than 50 years in the future" MUST be the past, to the second.

    Django compares years.
    """
    date = datetime(now.year + 50, 12, 31, 23, 59, 59, tzinfo=UTC)
    past = date.replace(year=date.year - 100)
    assert is_read_as(rfc_850(date), int(past.timestamp()))
    assert parse_http_date_safe(rfc_850(date)) == int(date.timestamp())


# --- preconditions -------------------------------------------------------------------------------------------

STRONG, WEAK = '"33a64df5"', 'W/"33a64df5"'
MODIFIED = 1_700_000_000

# 8.8.3: entity-tag = [ "W/" ] DQUOTE *etagc DQUOTE; 5.6.1.2: lists with empty elements.
_TAG = r'(?:W/)?"[\x21\x23-\x7e\x80-\xff]*"'
_TAG_LIST = re.compile(rf"(?:[ \t]*(?:{_TAG})?[ \t]*,)*[ \t]*(?:{_TAG})?[ \t]*")

etagc = st.characters(min_codepoint=0x21, max_codepoint=0xFF, exclude_characters='",\x7f', exclude_categories=["Cc"])
opaque = st.one_of(st.sampled_from(["33a64df5", "33a64df", "", "W/", "*", "33A64DF5"]), st.text(etagc, max_size=4))
tags = st.builds('{}"{}"'.format, st.sampled_from(["", "W/"]), opaque)
tag_lists = st.one_of(
    st.just("*"), st.builds(lambda by, tags: by.join(tags), separators, st.lists(tags, min_size=1, max_size=5))
)
date_fields = st.builds(
    lambda form, seconds: form(datetime.fromtimestamp(seconds, UTC)),
    st.sampled_from([imf_fixdate, rfc_850, asctime]),
    st.sampled_from([MODIFIED, MODIFIED - 1, MODIFIED + 1]) | st.integers(MODIFIED - 10**8, MODIFIED + 10**8),
)
no_dates = st.sampled_from(list(NO_DATES)) | latin_1


def status_by_django(fields: dict[str, str], etag: str, modified: int | None) -> int:
    environ: dict[str, Any] = {"HTTP_" + name.upper().replace("-", "_"): value for name, value in fields.items()}
    response = get_conditional_response(
        RequestFactory().get("/", **environ), etag=etag, last_modified=modified, response=HttpResponse()
    )
    assert response is not None
    return response.status_code


def our_status(fields: dict[str, str], etag: str, modified: int | None) -> int:
    return {Outcome.PASSED: 200, Outcome.NOT_MODIFIED: 304, Outcome.FAILED: 412}[evaluate(fields, etag, modified)]


def with_fields(**strategies: st.SearchStrategy[str]) -> st.SearchStrategy[dict[str, str]]:
    return st.fixed_dictionaries({}, optional={name.replace("_", "-"): each for name, each in strategies.items()})


@given(
    fields=with_fields(
        if_match=tag_lists,
        if_none_match=tag_lists,
        if_modified_since=date_fields | no_dates,
        if_unmodified_since=date_fields | no_dates,
    ),
    etag=st.sampled_from([STRONG, WEAK]),
    modified=st.sampled_from([None, MODIFIED]),
)
def test_preconditions_in_the_grammar_are_those_of_django(
    fields: dict[str, str], etag: str, modified: int | None
) -> None:
    # Each of these differences has a test below.
    assume(not (modified is None and "if-unmodified-since" in fields))
    assume(all(value.isascii() for name, value in fields.items() if name.endswith("since")))
    assert our_status(fields, etag, modified) == status_by_django(fields, etag, modified)


@given(
    fields=with_fields(if_none_match=tag_lists, if_modified_since=date_fields),
    etag=st.sampled_from([STRONG, WEAK]),
    modified=st.sampled_from([None, MODIFIED]),
)
def test_modified_or_not_is_what_werkzeug_says(fields: dict[str, str], etag: str, modified: int | None) -> None:
    environ = {"REQUEST_METHOD": "GET"} | {"HTTP_" + name.upper().replace("-", "_"): fields[name] for name in fields}
    when = None if modified is None else datetime.fromtimestamp(modified, UTC)
    is_modified = is_resource_modified(environ, etag=etag, last_modified=when)
    assert our_status(fields, etag, modified) == (200 if is_modified else 304)


@given(field=st.one_of(tag_lists, tags.map(lambda tag: tag.replace('"', '"a,', 1)), st.just('"33a64df5,"')))
def test_lists_of_tags_are_those_of_werkzeug(field: str) -> None:
    """Tags with a comma too, which Django cannot read."""
    found = parse_etags(field)
    assert (our_status({"if-none-match": field}, STRONG, None) == 304) == found.contains_weak("33a64df5")
    if not found.star_tag:  # Werkzeug's is_strong() is false for "*"
        assert (our_status({"if-match": field}, STRONG, None) == 200) == found.is_strong("33a64df5")


@given(field=st.one_of(latin_1, text_of('W/"*,3a \t\u00e9'), st.builds("{}{}".format, tag_lists, latin_1)))
@example(field=f'{STRONG}, "a b"')
@example(field=f"{STRONG} {STRONG}")
def test_a_field_that_is_no_list_of_tags_matches_nothing(field: str) -> None:
    """RFC 9110 does not say how to read it. To match nothing costs a client a response, and no client its data."""
    assume(field.strip(" \t") != "*" and not _TAG_LIST.fullmatch(field))
    for etag in (STRONG, WEAK):
        assert our_status({"if-none-match": field}, etag, None) == 200
        assert our_status({"if-match": field}, etag, None) == 412


# 8.8.3.2, the table: two tags, strong comparison, weak comparison.
@pytest.mark.parametrize(
    ("one", "other", "is_strong_match", "is_weak_match"),
    [
        ('W/"1"', 'W/"1"', False, True),
        ('W/"1"', 'W/"2"', False, False),
        ('W/"1"', '"1"', False, True),
        ('"1"', 'W/"1"', False, True),
        ('"1"', '"1"', True, True),
        ('"1"', '"2"', False, False),
        ('"a"', '"A"', False, False),
        ('"a"', 'w/"a"', False, False),
        ('"a"', "a", False, False),
        ('"a"', "'a'", False, False),
        ('"a"', '"a" ', True, True),
        ('"a"', '"a"x', False, False),
        ('"a"', '""', False, False),
        ('""', '""', True, True),
        ('"a"', '"\\a"', False, False),
        ('"a"', '"b", "a"', True, True),
        ('"a"', '"b" ,,"a",', True, True),
        ('"a"', '"b";"a"', False, False),
        ('"a"', '"b" "a"', False, False),
        ('"a"', '"b, "a"', False, False),
        ('"a,b"', '"a,b"', True, True),
        ('"a"', '"a,b"', False, False),
        ('"\u00e9"', '"x", "\u00e9"', True, True),
        ('"a"', "", False, False),
        ('"a"', ",", False, False),
        ('"a"', "*", True, True),
        ('W/"a"', "*", True, True),
        ('"a"', '*, "a"', False, False),
        ('"a"', '"*"', False, False),
    ],
)
def test_tags_compare_as_the_rfc_says(one: str, other: str, is_strong_match: bool, is_weak_match: bool) -> None:
    assert our_status({"if-match": other}, one, None) == (200 if is_strong_match else 412)
    assert our_status({"if-none-match": other}, one, None) == (304 if is_weak_match else 200)


@pytest.mark.parametrize(
    ("fields", "modified", "ours", "django"),
    [
        # 13.1.4: "MUST ignore [...] if the resource does not have a modification date available". We are right.
        ({"if-unmodified-since": FORMS[0]}, None, 200, 412),
        # 13.2.2 asks whether the field is present, not whether it makes sense; 13.1.3: "MUST ignore
        # If-Modified-Since if the request contains an If-None-Match". Django drops a field of which nothing is left.
        ({"if-none-match": "junk", "if-modified-since": imf_fixdate(now)}, MODIFIED, 200, 304),
        ({"if-match": "junk"}, MODIFIED, 412, 200),
        ({"if-match": ""}, MODIFIED, 412, 200),
        ({"if-match": "junk", "if-unmodified-since": FORMS[0]}, MODIFIED, 412, 412),
        # 8.8.3: a tag may have a comma. Django's lists know no such tags, and say so.
        ({"if-none-match": '"a,b", ' + STRONG}, MODIFIED, 304, 304),
        # What is malformed in part RFC 9110 leaves open: Django drops the member, we the list.
        ({"if-none-match": f"junk, {STRONG}"}, MODIFIED, 200, 304),
        ({"if-none-match": f'"a b", {STRONG}'}, MODIFIED, 200, 304),
        ({"if-none-match": f"*, {STRONG}"}, MODIFIED, 200, 304),
        # The first second of 1970 is a date, which Django takes for none at all. We are right.
        ({"if-unmodified-since": "Thu, 01 Jan 1970 00:00:00 GMT"}, MODIFIED, 412, 200),
        # 5.6.7: the letters of a day are ASCII. We are right.
        ({"if-modified-since": "S\u00fcn, 06 Nov 2099 08:49:37 GMT"}, MODIFIED, 200, 304),
    ],
)
def test_where_django_evaluates_otherwise(fields: dict[str, str], modified: int | None, ours: int, django: int) -> None:
    assert (our_status(fields, STRONG, modified), status_by_django(fields, STRONG, modified)) == (ours, django)


def test_where_django_cannot_read_a_tag() -> None:
    """8.8.3: ``etagc`` has the comma. We are right, and Django's documentation names the limit."""
    assert our_status({"if-none-match": '"a,b"'}, '"a,b"', None) == 304
    assert status_by_django({"if-none-match": '"a,b"'}, '"a,b"', None) == 200


@pytest.mark.parametrize(
    ("field", "ours", "werkzeug"),
    [
        # 8.8.3: `weak = %s"W/"`, case-sensitive, and tags have quotation marks. We are right.
        ('w/"33a64df5"', 200, 304),
        ("33a64df5", 200, 304),
        ("W/33a64df5", 200, 304),
        # A blank is no etagc (8.8.3), so the list is malformed, and that RFC 9110 leaves open.
        (f'"a b", {STRONG}', 200, 304),
        (f"junk junk, {STRONG}", 200, 304),
    ],
)
def test_where_werkzeug_reads_other_tags(field: str, ours: int, werkzeug: int) -> None:
    is_modified = is_resource_modified({"REQUEST_METHOD": "GET", "HTTP_IF_NONE_MATCH": field}, etag=STRONG)
    assert (our_status({"if-none-match": field}, STRONG, None), 200 if is_modified else 304) == (ours, werkzeug)


def test_where_werkzeug_fails_if_match_with_a_star() -> None:
    """13.1.1: "*" is true "if the origin server has a current representation". We are right."""
    assert our_status({"if-match": "*"}, STRONG, None) == 200
    assert not is_resource_modified({"REQUEST_METHOD": "GET", "HTTP_IF_MATCH": "*"}, etag=STRONG)


def test_where_werkzeug_lets_a_date_answer_for_a_tag_that_is_none() -> None:
    """13.1.3: If-Modified-Since is to be ignored with If-None-Match, whatever that says. We are right."""
    environ = {"REQUEST_METHOD": "GET", "HTTP_IF_NONE_MATCH": '"', "HTTP_IF_MODIFIED_SINCE": FORMS[0]}
    assert not is_resource_modified(environ, etag=STRONG, last_modified=datetime.fromtimestamp(0, UTC))
    assert our_status({"if-none-match": '"', "if-modified-since": FORMS[0]}, STRONG, 0) == 200


# 13.2.2, steps 1 to 4: what is present, what it says, and what comes of it. ``+`` passes, ``-`` fails, `` `` is absent.
@pytest.mark.parametrize(
    ("match", "unmodified", "none_match", "modified", "status"),
    [
        *((" ", " ", " ", " ", 200), ("+", " ", " ", " ", 200), ("-", " ", " ", " ", 412), (" ", "+", " ", " ", 200)),
        *((" ", "-", " ", " ", 412), ("+", "-", " ", " ", 200), ("-", "+", " ", " ", 412), (" ", " ", "+", " ", 200)),
        *((" ", " ", "-", " ", 304), (" ", " ", " ", "+", 200), (" ", " ", " ", "-", 304), (" ", " ", "+", "-", 200)),
        *((" ", " ", "-", "+", 304), ("-", " ", "-", " ", 412), ("+", " ", "-", " ", 304), ("+", "-", "-", "+", 304)),
        *((" ", "-", "-", "-", 412), (" ", "+", "+", "-", 200), ("-", "-", "-", "-", 412), ("+", "+", "+", "+", 200)),
    ],
)
def test_the_order_of_the_rfc(match: str, unmodified: str, none_match: str, modified: str, status: int) -> None:
    later, earlier = (imf_fixdate(datetime.fromtimestamp(MODIFIED, UTC) + timedelta(seconds=by)) for by in (1, -1))
    fields = {
        "if-match": {"+": STRONG, "-": '"other"'}.get(match),
        "if-unmodified-since": {"+": later, "-": earlier}.get(unmodified),
        "if-none-match": {"+": '"other"', "-": STRONG}.get(none_match),
        "if-modified-since": {"+": earlier, "-": later}.get(modified),
    }
    present = {name: value for name, value in fields.items() if value is not None}
    assert our_status(present, STRONG, MODIFIED) == status_by_django(present, STRONG, MODIFIED) == status


# --- If-Range ------------------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("field", "etag", "passes"),
    [
        # 13.1.5: "exactly matches [...] using the strong comparison function".
        ('"a"', '"a"', True),
        ('"a"', '"b"', False),
        ('"A"', '"a"', False),
        ('W/"a"', '"a"', False),
        ('"a"', 'W/"a"', False),
        ('W/"a"', 'W/"a"', False),
        ("a", '"a"', False),
        # One tag: it is no list, and knows no star.
        ('"a", "b"', '"a"', False),
        ("*", '"a"', False),
        ("", '"a"', False),
        # A date is a strong validator only where one second cannot have two representations (8.8.2.2): here it can.
        (FORMS[0], '"a"', False),
        (FORMS[1], '"a"', False),
        ("yesterday", '"a"', False),
    ],
)
def test_if_range_passes_for_the_very_tag_only(field: str, etag: str, passes: bool) -> None:
    assert if_range_passes(field, etag) is passes


@given(field=st.one_of(tags, date_fields, latin_1), etag=st.sampled_from([STRONG, WEAK]))
def test_if_range_passes_for_nothing_that_werkzeug_would_not_take_for_the_tag(field: str, etag: str) -> None:
    if if_range_passes(field, etag):
        found = parse_etags(field)
        assert field == etag
        assert found.is_strong(etag.strip('"'))


# --- all of it -----------------------------------------------------------------------------------------------


def our_answer(fields: dict[str, str]) -> tuple[int, str | None]:
    """Status and Content-Range of ten bytes."""
    identity = Representation(None, "digits.txt", 10, STRONG, "")
    resource = Resource("digits.txt", "text/plain", (identity,), last_modified=MODIFIED)
    plan = make_plan(PreparedResource(resource, HeaderPolicy()), "GET", fields)
    return plan.status, dict(plan.headers.pairs).get("content-range")


def werkzeug_answer(fields: dict[str, str]) -> tuple[int, str | None]:
    environ = {"REQUEST_METHOD": "GET"} | {"HTTP_" + name.upper().replace("-", "_"): fields[name] for name in fields}
    response = Response(b"0123456789")
    response.set_etag(STRONG.strip('"'))
    response.last_modified = datetime.fromtimestamp(MODIFIED, UTC)
    try:
        response.make_conditional(environ, accept_ranges=True, complete_length=10)
    except RequestedRangeNotSatisfiable as error:
        return 416, dict(error.get_headers())["Content-Range"]
    return response.status_code, response.headers.get("Content-Range")


@given(
    first=st.integers(0, 12), length=st.integers(1, 12) | st.none(), if_range=st.sampled_from([None, STRONG, '"other"'])
)
def test_a_range_with_if_range_is_answered_as_by_werkzeug(first: int, length: int | None, if_range: str | None) -> None:
    fields = {"range": f"bytes={first}-{'' if length is None else first + length - 1}"}
    if if_range is not None:
        fields["if-range"] = if_range
    assert our_answer(fields) == werkzeug_answer(fields)


@pytest.mark.parametrize(
    ("fields", "ours", "werkzeug"),
    [
        # 14.2: "Range is ignored when a conditional GET would result in a 304". We are right.
        ({"range": "bytes=0-1", "if-none-match": STRONG}, 304, 206),
        # 13.1.5: strong comparison, and a weak tag has none. We are right.
        ({"range": "bytes=0-1", "if-range": "W/" + STRONG}, 200, 206),
        # 13.1.5: exactly the date, if that is a strong validator. Ours is none (8.8.2.2), so any date is false.
        ({"range": "bytes=0-1", "if-range": imf_fixdate(datetime.fromtimestamp(MODIFIED, UTC))}, 200, 206),
        ({"range": "bytes=0-1", "if-range": imf_fixdate(datetime.fromtimestamp(MODIFIED + 1, UTC))}, 200, 206),
        # 14.2: "MAY ignore or reject" an invalid one, but "MUST ignore" a unit that is not understood. We are right.
        ({"range": "bytes=5-2"}, 200, 416),
        ({"range": "lines=0-1"}, 200, 416),
        # 13.1.1: "*" is true. We are right.
        ({"if-match": "*"}, 200, 412),
    ],
)
def test_where_werkzeug_answers_otherwise(fields: dict[str, str], ours: int, werkzeug: int) -> None:
    assert (our_answer(fields)[0], werkzeug_answer(fields)[0]) == (ours, werkzeug)


def test_a_range_that_selects_nothing_is_416_even_if_if_range_passes() -> None:
    """RFC 9110 says both: 14.2 "SHOULD send a 416", 13.2.2 step 5 "otherwise, ignore the Range" where it is not
    "applicable". 416 is what 13.1.5 calls to process the Range "as requested", and what Werkzeug does.
    """
    fields = {"range": "bytes=10-", "if-range": STRONG}
    assert our_answer(fields) == werkzeug_answer(fields) == (416, "bytes */10")
