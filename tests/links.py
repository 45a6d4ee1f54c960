"""Whether the links inside the built documentation, and those to it, lead somewhere: ``python -m tests.links HTML``.

Sphinx says it of its own roles. What it does not look at is looked at here: anchors of plain links, pictures, and the
addresses of our own pages that the README, the messages of the checks and the package's metadata write out.
"""

from __future__ import annotations

import re
import sys
from collections.abc import Iterator
from html.parser import HTMLParser
from pathlib import Path
from urllib.parse import unquote, urlsplit

REPOSITORY = Path(__file__).resolve().parents[1]

#: Where the documentation is published.
HOME = "https://django-asyncstatic.readthedocs.io/"
_ADDRESS = re.compile(re.escape(HOME) + r"(?:en/latest/?)?([\w./-]*)(?:#([\w.-]+))?")


class Links(HTMLParser):
    """What a page leads to, and the anchors that it has."""

    def __init__(self, page: Path) -> None:
        super().__init__()
        self.links: list[str] = []
        self.anchors: set[str] = set()
        self.feed(page.read_text())

    def handle_starttag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        for name, value in attrs:
            if name == "id" and value:
                self.anchors.add(value)
            elif value and (name, tag) in {("href", "a"), ("src", "img"), ("data", "object")}:
                self.links.append(value)


def broken(html: Path) -> Iterator[str]:
    """The links that lead nowhere, each with the file that has it."""
    pages = {page.resolve(): Links(page) for page in html.rglob("*.html")}
    for page, found in pages.items():
        if page.name in ("genindex.html", "search.html"):
            continue
        for link in found.links:
            parts = urlsplit(link)
            if parts.scheme or parts.netloc:
                continue
            target = (page.parent / unquote(parts.path)).resolve() if parts.path else page
            if not _leads_somewhere(pages, target, parts.fragment):
                yield f"{page.name}: {link}"
    for file in _sources():
        for path, fragment in _ADDRESS.findall(file.read_text()):
            target = (html / (path or "index.html")).resolve()
            if not _leads_somewhere(pages, target, fragment):
                yield f"{file.relative_to(REPOSITORY)}: {HOME}{path}#{fragment}"


def _leads_somewhere(pages: dict[Path, Links], target: Path, fragment: str) -> bool:
    if target not in pages:
        return target.is_file() and not fragment
    return not fragment or fragment in pages[target].anchors


def _sources() -> list[Path]:
    return [
        *REPOSITORY.glob("*.rst"),
        *REPOSITORY.glob("*.md"),
        REPOSITORY / "pyproject.toml",
        *(REPOSITORY / "django_asyncstatic").rglob("*.py"),
    ]


if __name__ == "__main__":
    lines = list(broken(Path(sys.argv[1])))
    print(*lines, sep="\n")
    sys.exit(bool(lines))
