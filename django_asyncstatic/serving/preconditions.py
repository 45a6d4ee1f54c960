"""RFC 9110 13: conditional requests.

Pure, in the order of 13.2.2. Comparison is strong or weak as 8.8.3.2 defines it.
"""

from __future__ import annotations

import re
from enum import Enum

from django_asyncstatic.serving.dates import parse_date
from django_asyncstatic.serving.fields import Fields

# 8.8.3: entity-tag = [ "W/" ] DQUOTE *etagc DQUOTE. Field values arrive as Latin-1, obs-text included.
_ENTITY_TAG = re.compile(r'(?:W/)?"[\x21\x23-\x7e\x80-\xff]*"')
_ENTITY_TAGS = re.compile(rf"(?:[ \t,]*{_ENTITY_TAG.pattern}[ \t]*(?:,|$))+[ \t,]*")


class Outcome(Enum):
    """What the preconditions of a request say."""

    PASSED = "respond"
    NOT_MODIFIED = "304"
    FAILED = "412"


def evaluate(fields: Fields, etag: str, last_modified: int | None) -> Outcome:
    """Evaluate all preconditions but If-Range of a GET or HEAD, for the selected representation's validators."""
    # 13.2.2, step 1, and step 2 when there is no step 1.
    if (field := fields.get("if-match")) is not None:
        if not _matches(field, etag, strongly=True):
            return Outcome.FAILED
    elif (
        last_modified is not None
        and (field := fields.get("if-unmodified-since")) is not None
        # 13.1.4: a date that is not valid is ignored.
        and (date := parse_date(field)) is not None
        and last_modified > date
    ):
        return Outcome.FAILED
    # Step 3, and step 4 when there is no step 3.
    if (field := fields.get("if-none-match")) is not None:
        if _matches(field, etag, strongly=False):
            return Outcome.NOT_MODIFIED
    elif (
        last_modified is not None
        and (field := fields.get("if-modified-since")) is not None
        and (date := parse_date(field)) is not None
        and last_modified <= date
    ):
        return Outcome.NOT_MODIFIED
    return Outcome.PASSED


def if_range_passes(field: str, etag: str) -> bool:
    """RFC 9110 13.1.5: whether a Range may be honoured.

    A tag is compared strongly. A date never passes, for it is not a strong validator here (8.8.2.2): two
    representations of one resource share it, and so may two releases (SOURCE_DATE_EPOCH).
    """
    return field == etag and field.startswith('"')


def _matches(field: str, etag: str, *, strongly: bool) -> bool:
    """Whether a list of entity tags, or ``*``, matches; a malformed list matches nothing."""
    field = field.strip(" \t")
    if field == "*":
        return True
    if strongly and etag.startswith("W/"):
        return False
    if field == etag:  # what a browser sends: one tag, ours
        return True
    if _ENTITY_TAGS.fullmatch(field) is None:
        return False
    tags = _ENTITY_TAG.findall(field)
    if strongly:
        return etag in tags
    opaque = etag.removeprefix("W/")
    return any(tag.removeprefix("W/") == opaque for tag in tags)
