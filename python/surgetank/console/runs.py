"""Terminal output of runs: progress, the verdict, tables."""

from __future__ import annotations

import math
import time

from rich.console import Console
from rich.progress import TextColumn
from rich.table import Table
from rich.text import Text

from surgetank.compare import Comparison, Difference
from surgetank.console.progress_bar import Bar
from surgetank.console.terminal import dim
from surgetank.errors import printable
from surgetank.measure import failures
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
    """A number as text: three significant digits and its unit."""
    if value is None or math.isnan(value):
        return "–"
    if math.isinf(value):
        return "∞"
    shown = f"{value:,.0f}" if abs(value) >= 1_000 or value == int(value) else f"{value:.3g}"
    return f"{shown} {unit}".rstrip() if unit not in ("", "1", "count") else shown


class Watch(Bar):
    """A progress bar on standard error; stops the run when interrupted."""

    def __init__(self, console: Console, name: str, seconds: float, *, hidden: bool) -> None:
        self.interrupted = False
        super().__init__(
            console,
            name,
            TextColumn("{task.completed:.1f}/{task.total:.0f} s simulated"),
            TextColumn("{task.fields[messages]}"),
            total=seconds,
            hidden=hidden,
            messages="",
        )
        self._began = time.monotonic()

    def __call__(self, simulated_s: float, messages: int, events: int) -> bool:
        """Shows the progress of a run; returns False to ask it to stop."""
        per_s = messages / max(time.monotonic() - self._began, 1e-3)
        shown = f"{messages:,} messages, {per_s:,.0f}/s, {events / 1e6:.1f} M events"
        self._bar.update(self._task, completed=simulated_s, messages=shown)
        return not self.interrupted


def show_result(console: Console, result: Result) -> None:
    """The verdict, its reasons, and the latency by stage."""
    verdict, run = result.verdict, result.trace.run
    status = Text(f" {MARKS[verdict.status]} {verdict.status} ", style=COLOURS[verdict.status])
    console.print(status, Text(printable(result.scenario.title or run.name)), sep=" ")
    table = Table(box=None, pad_edge=False, show_edge=False)
    table.add_column("")
    table.add_column("what", overflow="fold")
    for column in ("measured", "limit"):
        table.add_column(column, justify="right", no_wrap=True)
    for reason in verdict.reasons:
        mark = Text(MARKS[reason.status], style=COLOURS[reason.status])
        numbers = [number(x, reason.unit) for x in (reason.measured, reason.limit)]
        if reason.check is not None:
            numbers = ["held" if reason.ok else "not held", ""]
        table.add_row(mark, reason.name, *numbers)
    console.print(table)
    for reason in verdict.reasons:
        if reason.status is not Status.PASS:
            mark = Text(MARKS[reason.status], style=COLOURS[reason.status])
            console.print(mark, reason.text, sep=" ", highlight=False)
        elif reason.inside:
            console.print(dim(f"passed, but close: {reason.text}"))
    for failure in failures(result.trace):
        since = f"{failure.total_s:.3g} s in all, first at {failure.first_ns / 1e9:.1f} s"
        console.print(f"Failed: {failure.kind} ({since})", highlight=False)
    for reason in verdict.left_out:
        console.print(dim(f"not judged: {reason.text}"))
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
    console.print("Latency by stage (mean):")
    for stage, value in means.items():
        share = (value or 0.0) / total
        bar = "█" * round(share * 40) or "▏"
        line = f"  {stage:12} {number(value, 'ms'):>12} {share:5.0%} "
        console.print(Text.assemble(line, (bar, "cyan")))


def show_comparison(console: Console, comparison: Comparison, *, whole: bool = False) -> None:
    """Two runs side by side: the measures that differ, and with `whole` all measures, those of
    classes too. Names end in their units, so values have none."""
    table = Table(box=None, pad_edge=False)
    table.add_column("measure", no_wrap=True, max_width=34)
    for column in ("a", "b", "change"):
        table.add_column(column, justify="right", no_wrap=True)
    table.add_column("intervals", no_wrap=True)
    left_out = 0
    for difference in comparison.differences:
        if not whole and not _differs(difference):
            left_out += 1
            continue
        overlap = difference.overlap
        text = "" if overlap is None else "overlap" if overlap else "disjoint"
        table.add_row(
            difference.name,
            *(number(m.value if m else None) for m in (difference.a, difference.b)),
            _change(difference),
            Text(text, style="bold" if text == "disjoint" else ""),
        )
    if table.row_count:
        console.print(table)
    if left_out:
        console.print(dim(f"{left_out} more are equal or of one class: see --all or --json"))
    if comparison.same_trace:
        console.print("The traces are identical, byte for byte.")
    elif comparison.divergence is not None:
        console.print(
            f"Same (seed, scenario hash, build) but different traces: {comparison.divergence.text}",
            soft_wrap=True,
        )


def _differs(difference: Difference) -> bool:
    """Whether a measure is shown: one of the whole run if the values differ, one of a class only if
    the intervals are disjoint."""
    if "." in difference.name:
        return difference.overlap is False
    a, b = (m.value if m else None for m in (difference.a, difference.b))
    return a != b and not (a is None and b is None)


def _change(difference: Difference) -> str:
    change, a = difference.change, difference.a
    if not change or a is None or a.value is None:
        return ""
    return f"{change / abs(a.value):+.1%}" if a.value else f"{change:+.3g}"
