"""Terminal output of sketches."""

from __future__ import annotations

from collections.abc import Sequence

from rich.console import Console
from rich.table import Table
from rich.text import Text

from surgetank.console.terminal import dim
from surgetank.errors import printable
from surgetank.number_format import counted, milliseconds
from surgetank.sketch import SketchEstimate, StepTimes

__all__ = ["show_comparison", "show_sketch"]


def show_sketch(console: Console, found: SketchEstimate) -> None:
    """A sketch step by step, and its decision by region."""
    console.print(_head(found), soft_wrap=True)
    table = _table("step")
    for step in found.steps:
        who = "proposer" if step.proposer_only else "all"
        table.add_row(Text(printable(step.text)), who, *_cells(step))
    console.print(table)
    regions = found.decided.by_region_ms
    if len(regions) > 1:
        parts = sorted(regions.items(), key=lambda one: one[1])
        text = " · ".join(f"{name} {milliseconds(ms)}" for name, ms in parts)
        console.print(dim(f"Decided, mean by region: {printable(text)}"))


def show_comparison(console: Console, found: Sequence[SketchEstimate]) -> None:
    """The decisions of several sketches, a line each."""
    console.print(_head(found[0]), soft_wrap=True)
    table = _table("sketch")
    for one in sorted(found, key=lambda one: one.decided.mean_ms):
        table.add_row(Text(printable(one.name)), f"{len(one.steps)} steps", *_cells(one.decided))
    console.print(table)


def _head(found: SketchEstimate) -> str:
    silent = f", {counted(found.silent, 'node')} silent" if found.silent else ""
    return (
        f"{counted(found.nodes, 'node')}{silent}, {counted(found.rounds, 'proposal')}: "
        "time since the proposal"
    )


def _table(first: str) -> Table:
    table = Table(box=None, padding=(0, 2, 0, 0))
    table.add_column(first)
    table.add_column("")
    for name in ("mean", "95 % interval", "p50", "p90"):
        table.add_column(name, justify="right")
    return table


def _cells(step: StepTimes) -> list[str]:
    interval = f"{milliseconds(step.low_ms)} – {milliseconds(step.high_ms)}"
    return [
        milliseconds(step.mean_ms),
        interval,
        milliseconds(step.p50_ms),
        milliseconds(step.p90_ms),
    ]
