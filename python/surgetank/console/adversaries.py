"""Terminal output of the search for the worst attack."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Final

from rich.console import Console
from rich.table import Table
from rich.text import Text

from surgetank.adversary import WorstAttack
from surgetank.console.progress_bar import RunsBar
from surgetank.report.adversary import wording
from surgetank.verdict import Status

__all__ = ["AdversaryWatch", "show_worst"]

_STYLE: Final = {
    Status.PASS: "bold green",
    Status.FAIL: "bold red",
    Status.INVALID: "bold magenta",
    Status.UNKNOWN: "bold yellow",
}


class AdversaryWatch(RunsBar):
    """Runs done and the time left, on standard error."""

    def __init__(self, console: Console, *, hidden: bool) -> None:
        super().__init__(console, "adversary", hidden=hidden)

    def __call__(self, phase: str, done: int, total: int) -> None:
        """Shows the progress of a phase."""
        self.advance(done, total, phase)


def show_worst(found: WorstAttack, console: Console) -> None:
    """The worst attack, its damage, its parts, defences, and the conclusion."""
    head = Text(found.status.value, style=_STYLE[found.status])
    console.print(Text(" ").join([head, Text(wording.sentence(found))]))
    for step in wording.steps(found.plan):
        console.print(f"  {step}", highlight=False, markup=False)
    parts = wording.part_rows(found)
    if len(parts) > 1:
        console.print(_table(("part", "adds", ""), parts))
    for text in wording.comparisons(found):
        console.print(text, highlight=False, markup=False)
    tiles = {tile.title: tile for tile in wording.tiles(found)}
    gain = tiles["Attacker's net gain"]
    console.print(f"{gain.title}: {gain.value} {gain.detail}", highlight=False, markup=False)
    defences = wording.defence_rows(found)
    if defences:
        heads = ("defence", "same attack", "worst found against it", "saves", "")
        console.print(_table(heads, defences))
    for reason in found.invalid:
        console.print(Text(f"INVALID: {reason}", style="red"))
    console.print(
        Text(
            f"{len(found.tried):,} attacks tried, {found.runs:,} runs; chosen on seeds "
            f"{found.search_seeds[0]}–{found.search_seeds[-1]}, measured on "
            f"{found.fresh_seeds[0]}–{found.fresh_seeds[-1]}; 95 % intervals.",
            style="dim",
        )
    )


def _table(heads: Sequence[str], rows: Sequence[Sequence[str]]) -> Table:
    table = Table(box=None, pad_edge=False)
    for i, name in enumerate(heads):
        table.add_column(name, justify="right" if 0 < i < len(heads) - 1 else "left")
    for row in rows:
        table.add_row(*(Text(cell) for cell in row))
    return table
