"""What commands print for a person to look at."""

from __future__ import annotations

from collections.abc import Sequence
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from django_asyncstatic.collecting.builder import Report
    from django_asyncstatic.diagnosing.links import Chain, Link


def report_table(report: Report, seconds: float) -> str:
    """What a collect made, by coding, and how long it took."""
    rows = [("", "files", "size", "saved", "made", "reused")]
    for token, (count, size) in report.sizes.items():
        if token is None:
            changed = len(report.changed)
            rows.append(("identity", str(count), format_size(size), "", str(changed), str(len(report.names) - changed)))
        else:
            whole = report.smaller[token]
            saved = f"{100 * (whole - size) / whole:.0f} %" if whole else ""
            made, reused = report.compressed.get(token, 0), report.reused.get(token, 0)
            rows.append((token, str(count), format_size(size), saved, str(made), str(reused)))
    what = "A new release" if report.is_new_release else "The same release as before"
    return "\n".join([*_lines(rows, "lrrrrr"), f"{what}, in {seconds:.1f} s."])


def chain_table(chain: Chain) -> str:
    """The middleware from the top, with its mode and its hops under ASGI and WSGI, and sums."""
    from django_asyncstatic.diagnosing.links import handler_hops

    rows = [("", "capable of", "ASGI", "hops", "WSGI", "hops", "hops because of")]
    asgi, wsgi = ({id(each.link): each for each in chain.passages(is_async=mode)} for mode in (True, False))
    handler = [str(handler_hops(is_async=mode)) for mode in (True, False)]
    rows.append(("Django's handler", "", "async", handler[0], "sync", handler[1], "signals, response.close()"))
    for link in reversed(chain.links):
        cells: list[str] = []
        causes: list[str] = []
        for name, passages in (("ASGI", asgi), ("WSGI", wsgi)):
            passage = passages.get(id(link))
            if passage is None:
                cells += ["-", "-"]
                continue
            cells += ["async" if passage.runs_async else "sync", str(passage.hops)]
            if passage.causes:
                causes.append(f"{name}: {', '.join(passage.causes)}")
        rows.append(
            (link.path, _capable_of(link), cells[0], cells[1], cells[2], cells[3], link.fault or "; ".join(causes))
        )
    for what, hops in (("A static file", chain.file_hops), ("A page", chain.page_hops)):
        paid = ["-" if (found := hops(is_async=mode)) is None else str(found) for mode in (True, False)]
        rows.append((what, "", "", paid[0], "", paid[1], ""))
    return "\n".join([*_lines(rows, "lllrlrl"), "A view of the other mode than its server's costs a page one more."])


def _capable_of(link: Link) -> str:
    modes = [("sync", link.is_sync_capable), ("async", link.is_async_capable)]
    return " and ".join(name for name, is_capable in modes if is_capable) or "nothing"


def _lines(rows: Sequence[tuple[str, ...]], alignment: str) -> list[str]:
    """Rows in columns, each aligned left (``l``) or right (``r``)."""
    widths = [max(len(row[column]) for row in rows) for column in range(len(rows[0]))]
    return [
        "  ".join(
            [
                "",
                *(
                    cell.rjust(width) if side == "r" else cell.ljust(width)
                    for cell, width, side in zip(row, widths, alignment, strict=True)
                ),
            ]
        ).rstrip()
        for row in rows
    ]


def format_size(size: float) -> str:
    """Bytes in a unit that leaves three digits or so: ``812 B``, ``1.4 MB``."""
    for unit in ("B", "kB", "MB"):
        if size < 1000:
            return f"{size:.0f} {unit}" if unit == "B" or size >= 100 else f"{size:.1f} {unit}"
        size /= 1000
    return f"{size:.1f} GB"
