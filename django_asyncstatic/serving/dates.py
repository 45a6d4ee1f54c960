"""RFC 9110 5.6.7: HTTP-date, in its three formats, to the letter.

Pure. ``django.utils.http.parse_http_date`` is more generous: it takes any three letters for a day, and the year 0001
(what .NET has for a date that was never set) for 2001. A field that is not a valid date must be ignored (13.1.3).
"""

from __future__ import annotations

import re
from calendar import timegm
from datetime import UTC, datetime

_DAYS = ("Mon", "Tue", "Wed", "Thu", "Fri", "Sat", "Sun")
_LONG_DAYS = ("Monday", "Tuesday", "Wednesday", "Thursday", "Friday", "Saturday", "Sunday")
_MONTHS = ("Jan", "Feb", "Mar", "Apr", "May", "Jun", "Jul", "Aug", "Sep", "Oct", "Nov", "Dec")

_DAY, _LONG_DAY = "|".join(_DAYS), "|".join(_LONG_DAYS)
_MONTH = rf"(?P<month>{'|'.join(_MONTHS)})"
# The last second may be a leap second.
_TIME = r"(?P<hour>[0-9]{2}):(?P<minute>[0-9]{2}):(?P<second>[0-5][0-9]|60)"
_DATE = re.compile(
    rf"(?:{_DAY}), (?P<day>[0-9]{{2}}) {_MONTH} (?P<year>[0-9]{{4}}) {_TIME} GMT"  # IMF-fixdate
)
_OBSOLETE = (
    re.compile(rf"(?:{_LONG_DAY}), (?P<day>[0-9]{{2}})-{_MONTH}-(?P<year>[0-9]{{2}}) {_TIME} GMT"),  # RFC 850
    re.compile(rf"(?:{_DAY}) {_MONTH} (?P<day>[0-9]{{2}}| [0-9]) {_TIME} (?P<year>[0-9]{{4}})"),  # asctime
)


def parse_date(field: str) -> int | None:
    """Seconds since the epoch, or ``None`` for what is not a valid date."""
    match = _DATE.fullmatch(field)
    if match is None:
        match = next((found for pattern in _OBSOLETE if (found := pattern.fullmatch(field))), None)
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
