"""A recording, and what is fitted to it, on the terminal."""

from __future__ import annotations

from rich.table import Table

from surgetank.console.terminal import Terminal, dim
from surgetank.fit import Fit
from surgetank.fit.text import facts as facts_of_fit
from surgetank.fit.text import sentences
from surgetank.tape.inspection import Inspection
from surgetank.tape.inspection_text import facts, sparkline

__all__ = ["show_fit", "show_inspection"]

_WIDTH = 56


def show_inspection(out: Terminal, found: Inspection) -> None:
    """Prints figures and sparklines of an inspection."""
    out.print(f"{found.file}: {found.said[0]}", soft_wrap=True, highlight=False)
    for text in found.said[1:]:
        out.print(dim(text), soft_wrap=True)
    table = _table()
    *rows, (what, hash_) = facts(found)
    for row in rows:
        table.add_row(*row)
    series = found.series
    table.add_row("price", sparkline(((series.low + series.high) / 2).tolist(), _WIDTH))
    table.add_row("rows a second", sparkline(series.peak.tolist(), _WIDTH))
    out.print(table)
    # Whole, whatever the width, so that it can be copied.
    out.print(f"{what} {hash_}", soft_wrap=True, highlight=False)


def show_fit(out: Terminal, fit: Fit) -> None:
    """Prints what was fitted, and whether it holds."""
    for text in sentences(fit):
        out.print(text, highlight=False)
    table = _table()
    for row in facts_of_fit(fit):
        table.add_row(*row)
    out.print(table)


def _table() -> Table:
    table = Table(box=None, show_header=False, pad_edge=False)
    table.add_column(no_wrap=True)
    table.add_column(overflow="fold")
    return table
