"""What a collect notes of its sources beside what serving needs, so that ``checkstatic`` need not read them again."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass
from typing import Any

from django_asyncstatic.collecting.finished import Record, State
from django_asyncstatic.collecting.sources import Source


@dataclass(frozen=True, slots=True)
class Inspection:
    """``look`` gives what is worth a note, as JSON has it, ``None`` for nothing; ``rules`` name what it goes by.

    What was noted by the same rules of the same bytes holds.
    """

    rules: str
    look: Callable[[Source], Any]

    def of(self, records: Mapping[str, Record], sources: Mapping[str, Source], state: State) -> dict[str, Any]:
        """The notes for :attr:`State.inspected`; none at all if a source cannot be read any more."""
        holds = state.inspected.get("rules") == self.rules
        before: Mapping[str, Any] = state.inspected["found"] if holds else {}
        found = {}
        try:
            for name, record in records.items():
                known = state.records.get(name) if holds else None
                is_known = known is not None and known.digest == record.digest
                noted = before.get(name) if is_known else self.look(sources[name])
                if noted is not None:
                    found[name] = noted
        except OSError:
            return {}
        return {"rules": self.rules, "found": found}
