"""What a person sees in a terminal: progress, the verdict, tables."""

from __future__ import annotations

import math
import time
from types import TracebackType
from typing import Self

from rich.console import Console
from rich.progress import BarColumn, Progress, TextColumn, TimeRemainingColumn
from rich.table import Table
from rich.text import Text

from surgetank.compare import Comparison
from surgetank.console.terminal import dim
from surgetank.errors import printable
from surgetank.measure import Measure
from surgetank.run import Result
from surgetank.trace import STAGES
from surgetank.verdict import Status

__all__ = ["COLOURS", "Watch", "number", "show_comparison", "show_result"]

COLOURS = {
    Status.PASS: "bold green",
    Status.FAIL: "bold red",
    Status.INVALID: "bold magenta",
    Status.UNKNOWN: "bold yellow",
}
MARKS = {Status.PASS: "✔", Status.FAIL: "✘", Status.INVALID: "⚠", Status.UNKNOWN: "?"}


def number(value: float | None, unit: str = "") -> str:
    """A number for people: three digits and its unit."""
    if value is None or math.isnan(value):
        return "–"
    if math.isinf(value):
        return "∞"
    shown = f"{value:,.0f}" if abs(value) >= 1_000 or value == int(value) else f"{value:.3g}"
    return f"{shown} {unit}".rstrip() if unit not in ("", "1") else shown


class Watch:
    """A progress bar on standard error; stops the run when interrupted."""

    def __init__(self, console: Console, name: str, seconds: float, *, hidden: bool) -> None:
        self.interrupted = False
        self._bar = Progress(
            TextColumn("{task.description}", style="bold"),
            BarColumn(),
            TextColumn("{task.completed:.1f}/{task.total:.0f} s simulated"),
            TextColumn("{task.fields[messages]}"),
            TimeRemainingColumn(),
            console=console,
            disable=hidden,
            transient=True,
        )
        self._task = self._bar.add_task(name, total=seconds, messages="")
        self._began = time.monotonic()

    def __enter__(self) -> Self:
        self._bar.start()
        return self

    def __exit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        at: TracebackType | None,
    ) -> None:
        self._bar.stop()

    def __call__(self, simulated_s: float, messages: int, events: int) -> bool:
        """Shows how far the run is; False asks it to stop."""
        per_s = messages / max(time.monotonic() - self._began, 1e-3)
        shown = f"{messages:,} messages, {per_s:,.0f}/s, {events / 1e6:.1f} M events"
        self._bar.update(self._task, completed=simulated_s, messages=shown)
        return not self.interrupted


def show_result(console: Console, result: Result) -> None:
    """The verdict, its reasons, and where the delay arose."""
    verdict, run = result.verdict, result.trace.run
    status = Text(f" {MARKS[verdict.status]} {verdict.status} ", style=COLOURS[verdict.status])
    console.print(status, Text(printable(result.scenario.title or run.name)), sep=" ")
    table = Table(box=None, pad_edge=False, show_edge=False)
    for column in ("", "what", "measured", "limit"):
        table.add_column(column, overflow="fold")
    for reason in verdict.reasons:
        mark = Text(MARKS[reason.status], style=COLOURS[reason.status])
        table.add_row(mark, reason.name, number(reason.measured), number(reason.limit))
    console.print(table)
    for reason in verdict.reasons:
        if reason.status is not Status.PASS:
            mark = Text(MARKS[reason.status], style=COLOURS[reason.status])
            console.print(mark, reason.text, sep=" ", highlight=False)
    _show_stages(console, result)
    console.print(
        dim(
            f"run {run.name} · seed {run.seed} · scenario {run.scenario_hash[:12]} · "
            f"build {run.build} · trace {result.trace.trace_hash[:12]}"
        )
    )


def _show_stages(console: Console, result: Result) -> None:
    means = {stage: result.measures.value(f"stage_mean_ms.{stage}") for stage in STAGES}
    total = sum(value for value in means.values() if value)
    if not total:
        return
    console.print("Where the delay arose (mean):")
    for stage, value in means.items():
        share = (value or 0.0) / total
        bar = "█" * round(share * 40) or "▏"
        line = f"  {stage:12} {number(value, 'ms'):>12} {share:5.0%} "
        console.print(Text.assemble(line, (bar, "cyan")))


def _with_interval(measure: Measure | None) -> Text:
    if measure is None:
        return Text("–")
    shown = number(measure.value, measure.unit)
    if measure.low is None or measure.high is None:
        return Text(shown)
    return Text.assemble(shown, (f" ({number(measure.low)} … {number(measure.high)})", "dim"))


def show_comparison(console: Console, comparison: Comparison) -> None:
    """Two runs side by side."""
    table = Table(box=None, pad_edge=False)
    for column in ("measure", "a", "b", "change", "intervals"):
        table.add_column(column, overflow="fold")
    for difference in comparison.differences:
        overlap = difference.overlap
        told = "" if overlap is None else "overlap" if overlap else "apart"
        change = difference.change
        table.add_row(
            difference.name,
            _with_interval(difference.a),
            _with_interval(difference.b),
            "" if not change else f"{change:+.3g}",
            Text(told, style="bold" if told == "apart" else ""),
        )
    console.print(table)
    if comparison.same_trace:
        console.print("The traces are identical, byte for byte.")
    elif comparison.divergence is not None:
        console.print(f"One name, two traces: {comparison.divergence.text}")
