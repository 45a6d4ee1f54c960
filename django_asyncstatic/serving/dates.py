"""RFC 9110 5.6.7: HTTP-date, in its three formats, to the letter.

Pure. ``django.utils.http.parse_http_date`` is more generous: it takes any three letters for a day, and the year 0001
(what .NET has for a date that was never set) for 2001. A field that is not a valid date must be ignored (13.1.3).
"""

from __future__ import annotations

import re
from calendar import timegm
from datetime import UTC, datetime
from functools import cache

_DAYS = ("Mon", "Tue", "Wed", "Thu", "Fri", "Sat", "Sun")
_LONG_DAYS = ("Monday", "Tuesday", "Wednesday", "Thursday", "Friday", "Saturday", "Sunday")
_MONTHS = ("Jan", "Feb", "Mar", "Apr", "May", "Jun", "Jul", "Aug", "Sep", "Oct", "Nov", "Dec")


@cache
def _formats() -> tuple[re.Pattern[str], ...]:
    """IMF-fixdate, RFC 850, asctime. Compiled when a date is first asked about: browsers that have a tag send none."""
    day, long_day = "|".join(_DAYS), "|".join(_LONG_DAYS)
    month = rf"(?P<month>{'|'.join(_MONTHS)})"
    time = r"(?P<hour>[0-9]{2}):(?P<minute>[0-9]{2}):(?P<second>[0-5][0-9]|60)"  # 60: a leap second
    return (
        re.compile(rf"(?:{day}), (?P<day>[0-9]{{2}}) {month} (?P<year>[0-9]{{4}}) {time} GMT"),
        re.compile(rf"(?:{long_day}), (?P<day>[0-9]{{2}})-{month}-(?P<year>[0-9]{{2}}) {time} GMT"),
        re.compile(rf"(?:{day}) {month} (?P<day>[0-9]{{2}}| [0-9]) {time} (?P<year>[0-9]{{4}})"),
    )


def parse_date(field: str) -> int | None:
    """Seconds since the epoch, or ``None`` for what is not a valid date."""
    match = next((found for pattern in _formats() if (found := pattern.fullmatch(field))), None)
    if match is None:
        return None
    month = _MONTHS.index(match["month"]) + 1
    day, hour, minute, second = (int(match[name]) for name in ("day", "hour", "minute", "second"))
    year = int(match["year"])
    if len(match["year"]) == 2:
        now = datetime.now(UTC)
        year += now.year - now.year % 100
        # "more than 50 years in the future" means the past; the shortest comparison that is right to the second.
        if (year - 50, month, day, hour, minute, second) > now.timetuple()[:6]:
            year -= 100
    try:
        datetime(year, month, day, hour, minute, min(second, 59), tzinfo=UTC)
    except ValueError:  # no day of the calendar
        return None
    return timegm((year, month, day, hour, minute, second))
