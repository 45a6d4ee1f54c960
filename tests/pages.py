"""Do what a page of the docs says, word for word, in a directory.

    for step in Page(DOCS / "quickstart.rst").steps():
        if isinstance(step, Block):
            write(step, directory)

A block of code belongs to the file that the sentence above it names: "In ``mysite/settings.py``:". A block of Python is
written into it as a reader would: a statement takes the place of the one that binds the same names, or comes last, and
``# ...`` in a list stands for what is there already. A block of ``diff`` is applied, and ``# ...`` in it stands for any
lines. Blocks of ``console`` hold commands, each with what it prints.
"""

from __future__ import annotations

import ast
import re
import textwrap
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import NamedTuple

REPOSITORY = Path(__file__).resolve().parents[1]
DOCS = REPOSITORY / "docs"

_BLOCK = re.compile(r"^\.\. code-block:: (\S+)\n(?:    :.*\n)*\n((?:    .*\n|\n)+)", re.M)
_FILE = re.compile(r"``([\w./-]+\.\w+)``")
ELISION = "# ..."


@dataclass(frozen=True)
class Block:
    """A block of code: its language, its text without the indentation, the file that the sentence above it names."""

    language: str
    text: str
    file: str


class Command(NamedTuple):
    line: str
    output: str


class Page:
    """A page, or a section of it: from its heading to the next one of the same length of underline or more."""

    def __init__(self, path: Path, section: str = "", until: str = "") -> None:
        self.path = path
        self.text = path.read_text()
        if until:
            self.text, found, _ = self.text.partition(f"\n{until}\n")
            assert found, f"{path.name} has no section {until}"
        if section:
            match = re.search(
                rf"^{re.escape(section)}\n([=~-])\1+\n(.*?)(?=^\S[^\n]*\n(\1\1\1+|===+)\n|\Z)", self.text, re.M | re.S
            )
            assert match, f"{path.name} has no section {section}"
            self.text = match[2]

    def blocks(self) -> Iterator[Block]:
        for match in _BLOCK.finditer(self.text):
            above = self.text[: match.start()].rstrip().rpartition("\n\n")[2]
            named = _FILE.findall(above) if above.endswith(":") else []
            yield Block(match[1], textwrap.dedent(match[2]).strip("\n") + "\n", named[-1] if named else "")

    def steps(self) -> Iterator[Block | Command]:
        """What there is to do, in order: blocks to be written into a file, and commands."""
        for block in self.blocks():
            if block.language == "console":
                for part in re.split(r"^\$ ", block.text, flags=re.M)[1:]:
                    line, _, output = part.partition("\n")
                    yield Command(line.strip(), output.strip("\n"))
            elif block.file:
                yield block


def write(block: Block, directory: Path) -> None:
    """Write a block into the file that it belongs to."""
    path = directory / block.file
    change = {"python": merged, "diff": patched}[block.language]
    path.write_text(change(path.read_text(), block.text))


def merged(old: str, block: str) -> str:
    """A Python file with the statements of a block in the places of those that bind the same names."""
    for statement in ast.parse(block).body:
        first = min([statement.lineno, *(each.lineno for each in getattr(statement, "decorator_list", ()))])
        lines = block.splitlines()[first - 1 : statement.end_lineno]
        place = next((each for each in ast.parse(old).body if _binds(each) and _binds(each) == _binds(statement)), None)
        if place is None:
            assert not any(line.strip().startswith(ELISION) for line in lines), f"nothing to stand for {ELISION}"
            old = "\n".join([old.rstrip("\n"), *lines, ""])
            continue
        before, after = old.splitlines()[: place.lineno - 1], old.splitlines()[place.end_lineno :]
        old = "\n".join([*before, *_filled(lines, statement, place), *after, ""])
    return old


def _binds(statement: ast.stmt) -> frozenset[str]:
    if isinstance(statement, ast.Assign):
        return frozenset(target.id for target in statement.targets if isinstance(target, ast.Name))
    if isinstance(statement, ast.Import | ast.ImportFrom):
        return frozenset(alias.asname or alias.name for alias in statement.names)
    if isinstance(statement, ast.FunctionDef | ast.ClassDef):
        return frozenset({statement.name})
    return frozenset()


def _filled(lines: list[str], statement: ast.stmt, place: ast.stmt) -> Iterator[str]:
    """The lines, with what the old list has and the new one does not name in the place of ``# ...``."""
    for line in lines:
        if not line.strip().startswith(ELISION):
            yield line
            continue
        assert isinstance(statement, ast.Assign)
        assert isinstance(place, ast.Assign)
        named = ast.literal_eval(statement.value)
        indentation = line[: len(line) - len(line.lstrip())]
        yield from (f"{indentation}{each!r}," for each in ast.literal_eval(place.value) if each not in named)


def patched(old: str, diff: str) -> str:
    """A file with a diff applied; each of its parts has to be there, in order, whatever the quotes are."""
    lines, done = old.splitlines(), 0
    for part in _parts(diff):
        wanted = [line[1:] for line in part if line[:1] != "+"]
        at = next((i for i in range(done, len(lines)) if _alike(lines[i : i + len(wanted)], wanted)), None)
        assert at is not None, "not in the file:\n" + "\n".join(wanted)
        new = [line[1:] for line in part if line[:1] != "-"]
        lines[at : at + len(wanted)] = new
        done = at + len(new)
    return "\n".join(lines) + "\n"


def _parts(diff: str) -> list[list[str]]:
    parts: list[list[str]] = [[]]
    for line in diff.splitlines():
        if not line.strip() or line.strip() == ELISION:
            parts.append([])
        else:
            parts[-1].append(line)
    return [part for part in parts if part]


def _alike(some: list[str], others: list[str]) -> bool:
    return [each.replace("'", '"').rstrip() for each in some] == [each.replace("'", '"').rstrip() for each in others]


def sides(diff: str) -> tuple[str, str]:
    """What a diff goes from, and to; ``# ...`` stays, as a comment."""
    lines = diff.splitlines()
    return (
        "\n".join(line[1:] for line in lines if line[:1] != "+") + "\n",
        "\n".join(line[1:] for line in lines if line[:1] != "-") + "\n",
    )
