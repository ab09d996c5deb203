"""Terminal output of what a broker lost in a crash."""

from __future__ import annotations

from collections.abc import Sequence

from rich.console import Console
from rich.table import Table
from rich.text import Text

from surgetank.live.crash import CrashOutcome

__all__ = ["show_crashes"]


def show_crashes(console: Console, target: str, found: Sequence[CrashOutcome]) -> None:
    """Counts of each level and failure, then the first of the missing messages and notes."""
    table = Table(box=None, pad_edge=False, header_style="bold")
    table.title = f"Messages that {target} had acknowledged, and that were there after the restart"
    table.title_justify = "left"
    for head in ("level", "event", "must\nsurvive"):
        table.add_column(head, overflow="fold")
    # The headings are hardly wider than numbers of six digits.
    for head in ("sent", "acked", "of these\nmissing", "unacked\npresent", "twice", "restart"):
        table.add_column(head, justify="right", no_wrap=True)
    for one in found:
        table.add_row(
            one.level,
            one.event,
            "yes" if one.durable else "no",
            f"{one.sent:,}",
            f"{one.acknowledged:,}",
            Text(f"{one.missing:,}", style="bold red" if one.broken else ""),
            f"{one.unacknowledged_there:,}",
            f"{one.duplicates:,}",
            f"{one.restart_s:.1f} s",
        )
    console.print(table)
    for one in found:
        if one.missing_numbers:
            shown = ", ".join(str(number) for number in one.missing_numbers)
            more = ", …" if one.missing > len(one.missing_numbers) else ""
            kind = "FAIL" if one.broken else "as documented"
            text = f"{kind}: {one.level}, {one.event}: acknowledged and missing: {shown}{more}"
            console.print(text, highlight=False, soft_wrap=True)
        if one.note:
            console.print(f"{one.level}, {one.event}: {one.note}", highlight=False, soft_wrap=True)
