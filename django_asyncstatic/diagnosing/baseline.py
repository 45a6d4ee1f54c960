"""Findings that a project has accepted: a file of what tells them from others, wherever and whenever they are found.

Neither absolute paths nor numbers of lines are in it: an edit above a finding, or another checkout, does not bring it
back.
"""

from __future__ import annotations

import json
import os
import re
import sys
from collections import Counter
from collections.abc import Callable, Collection, Iterable, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import NamedTuple

from django_asyncstatic.diagnosing.findings import Finding

VERSION = 1


class UnusableBaseline(Exception):
    """A baseline that cannot be read. The message says why and what to do."""


class Identity(NamedTuple):
    """What tells a finding from others: its id, its file, and its subject, or its message without numbers."""

    id: str
    place: str
    about: str


@dataclass(frozen=True)
class Baseline:
    """How often each finding is accepted; ``looked`` says into what the run had looked that made it."""

    accepted: Counter[Identity] = field(default_factory=Counter)
    looked: frozenset[str] = frozenset()

    @classmethod
    def read(cls, file: Path) -> Baseline:
        """Raises :class:`UnusableBaseline`."""
        try:
            content = json.loads(file.read_bytes())
        except FileNotFoundError:
            raise UnusableBaseline(f"There is no baseline {file}: --update-baseline makes it.") from None
        except OSError as error:
            raise UnusableBaseline(f"The baseline {file} cannot be read: {error.strerror or error}.") from error
        except (ValueError, RecursionError) as error:
            raise UnusableBaseline(
                f"The baseline {file} is not JSON ({error}): mend it, or make it anew with --update-baseline."
            ) from error
        try:
            if content["version"] != VERSION:
                raise UnusableBaseline(
                    f"The baseline {file} has version {content['version']!r}, this release of django-asyncstatic reads"
                    f" version {VERSION}: make it anew with --update-baseline."
                )
            accepted = Counter(
                {
                    Identity(str(each["id"]), each["place"], each["about"]): int(each["count"])
                    for each in content["accepted"]
                }
            )
            return cls(accepted, frozenset(content["looked"]))
        except (KeyError, TypeError, ValueError) as error:
            raise UnusableBaseline(
                f"The baseline {file} is damaged ({error!r}): mend it, or make it anew with --update-baseline."
            ) from error

    def encode(self) -> bytes:
        """Equal findings give equal bytes."""
        content = {
            "version": VERSION,
            "looked": sorted(self.looked),
            "accepted": [{**each._asdict(), "count": self.accepted[each]} for each in sorted(self.accepted)],
        }
        return json.dumps(content, indent=1).encode() + b"\n"

    def new(self, findings: Iterable[Finding], identify: Callable[[Finding], Identity]) -> list[Finding]:
        """The findings that are not accepted; all of an identity that occurs more often than it is accepted.

        Nobody can tell which of them is the new one. ESLint's suppressions do the same.
        """
        identified = [(finding, identify(finding)) for finding in findings]
        occurs = Counter(identity for _, identity in identified)
        return [finding for finding, identity in identified if occurs[identity] > self.accepted[identity]]

    def gone(
        self, findings: Iterable[Finding], identify: Callable[[Finding], Identity], asked: Collection[str]
    ) -> list[Identity]:
        """What is accepted, has one of the ids that were ``asked`` for, and does not occur any more."""
        occurs = {identify(finding) for finding in findings}
        return sorted(each for each in self.accepted if each.id in asked and each not in occurs)


def accept(
    findings: Iterable[Finding],
    identify: Callable[[Finding], Identity],
    *,
    looked: Iterable[str],
    before: Baseline,
    asked: Collection[str],
) -> Baseline:
    """The baseline of these findings; what was accepted ``before`` of ids that were not ``asked`` for stays."""
    kept = Counter({each: number for each, number in before.accepted.items() if each.id not in asked})
    return Baseline(kept + Counter(map(identify, findings)), frozenset(looked))


# --- what tells a finding from others ----------------------------------------------------------------------------


def identifier(*directories: str | os.PathLike[str]) -> Callable[[Finding], Identity]:
    """A function that identifies findings.

    Files are named relative to the innermost that holds them of these ``directories``, the current one, and those that
    Python imports from; a file outside all of them by its name alone.
    """
    known = {os.path.abspath(each) for each in (*directories, os.getcwd(), *filter(None, sys.path))}
    roots = sorted(known - {os.path.abspath(os.sep)}, key=lambda root: (-len(root), root))

    def identify(finding: Finding) -> Identity:
        place = "" if finding.place is None else _portable(finding.place.file, roots)
        return Identity(finding.id, place, finding.subject or _without_numbers(finding.message, roots))

    return identify


def _portable(file: str, roots: Sequence[str]) -> str:
    path = os.path.abspath(file)
    root = next((root for root in roots if f"{path}{os.sep}".startswith(root + os.sep)), os.path.dirname(path))
    return os.path.relpath(path, root).replace(os.sep, "/")


#: A number that is not part of a name: a line, a column, a size.
_NUMBER = re.compile(r"(?<![\w./%-])\d+(?:[.,]\d+)*(?![\w/%-])")


def _without_numbers(message: str, roots: Sequence[str]) -> str:
    for root in roots:
        message = message.replace(root + os.sep, "").replace(root, ".")
    return _NUMBER.sub("#", message)
