"""What a collect notes of its sources beside what serving needs, so that ``checkstatic`` need not read them again."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass
from typing import Any

from django_asyncstatic.collecting.finished import State
from django_asyncstatic.collecting.sources import Source
from django_asyncstatic.collecting.survey import Piece


@dataclass(frozen=True, slots=True)
class Inspection:
    """``look`` gives what is worth a note, as JSON has it, ``None`` for nothing; ``rules`` name what it goes by.

    What was noted by the same rules of the same bytes holds.
    """

    rules: str
    look: Callable[[Source], Any]

    def of(self, pieces: Mapping[str, Piece], state: State) -> dict[str, Any]:
        """The notes for :attr:`State.inspected`; none at all if a source cannot be read any more."""
        holds = state.inspected.get("rules") == self.rules
        found = {}
        try:
            for name, piece in pieces.items():
                is_known = holds and piece.known is not None and piece.known.digest == piece.digest
                noted = state.inspected["found"].get(name) if is_known else self.look(piece.source)
                if noted is not None:
                    found[name] = noted
        except OSError:
            return {}
        return {"rules": self.rules, "found": found}
