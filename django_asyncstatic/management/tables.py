"""What commands print for a person to look at."""

from __future__ import annotations

from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from django_asyncstatic.collecting.builder import Report


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
    widths = [max(len(row[column]) for row in rows) for column in range(len(rows[0]))]
    lines = [
        "  "
        + "  ".join(
            [row[0].ljust(widths[0]), *(cell.rjust(width) for cell, width in zip(row[1:], widths[1:], strict=True))]
        )
        for row in rows
    ]
    what = "A new release" if report.is_new_release else "The same release as before"
    return "\n".join([*(line.rstrip() for line in lines), f"{what}, in {seconds:.1f} s."])


def format_size(size: float) -> str:
    """Bytes in a unit that leaves three digits or so: ``812 B``, ``1.4 MB``."""
    for unit in ("B", "kB", "MB"):
        if size < 1000:
            return f"{size:.0f} {unit}" if unit == "B" or size >= 100 else f"{size:.1f} {unit}"
        size /= 1000
    return f"{size:.1f} GB"
