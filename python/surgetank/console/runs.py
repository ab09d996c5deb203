"""Terminal output of runs: progress, the verdict, tables."""

from __future__ import annotations

import math
import time

from rich.console import Console
from rich.progress import TextColumn
from rich.table import Table
from rich.text import Text

from surgetank.catalogue import LimitSide
from surgetank.catalogue.families import STAGE
from surgetank.console.progress_bar import Bar, time_left
from surgetank.console.terminal import dim
from surgetank.errors import printable
from surgetank.measure import failures
from surgetank.measure.book_accounts import book_accounts
from surgetank.number_format import apart, counted, leverage, usd, value
from surgetank.report.measure_text import FAILURES
from surgetank.run import Result
from surgetank.scenario.size import Size, byte_text
from surgetank.trace import STAGES
from surgetank.verdict import NO_LIMITS, Reason, Status

__all__ = ["COLOURS", "Watch", "number", "show_result"]

#: The pace is taken after this time, and announced for runs that take longer than that, seconds.
_PACE_S, _LONG_S = 1.0, 10.0
COLOURS = {
    Status.PASS: "bold green",
    Status.FAIL: "bold red",
    Status.INVALID: "bold magenta",
    Status.UNKNOWN: "bold yellow",
    Status.NO_LIMIT: "bold",
}
MARKS = {
    Status.PASS: "✔",
    Status.FAIL: "✘",
    Status.INVALID: "⚠",
    Status.UNKNOWN: "?",
    Status.NO_LIMIT: "–",
}

#: Accounts named after a run.
_NAMED = 5


def number(value: float | None, unit: str = "") -> str:
    """A number as text: three significant digits and its unit."""
    if value is None or math.isnan(value):
        return "–"
    if math.isinf(value):
        return "∞"
    shown = f"{value:,.0f}" if abs(value) >= 1_000 or value == int(value) else f"{value:.3g}"
    return f"{shown} {unit}".rstrip() if unit not in ("", "1", "count") else shown


class LiveBar(Bar):
    """A progress bar of a run on a real clock, on standard error; stops the run when
    interrupted."""

    def __init__(self, console: Console, name: str, seconds: float, *, hidden: bool) -> None:
        """`seconds` are those of the run."""
        self.interrupted = False
        super().__init__(
            console,
            name,
            TextColumn("{task.completed:.1f}/{task.total:.0f} s"),
            TextColumn("{task.fields[messages]}"),
            total=seconds,
            hidden=hidden or not console.is_terminal,
            messages="",
        )

    def __call__(self, run_s: float, messages: int, _: int) -> bool:
        """Shows the progress of a run; returns False to ask it to stop."""
        self._bar.update(self._task, completed=run_s, messages=f"{messages:,} messages")
        return not self.interrupted


class Watch(Bar):
    """A progress bar on standard error; stops the run when interrupted."""

    def __init__(
        self, console: Console, name: str, seconds: float, *, size: Size, hidden: bool
    ) -> None:
        """`seconds` are those to simulate, `size` what is expected of the run."""
        self.interrupted = False
        super().__init__(
            console,
            name,
            TextColumn("{task.completed:.1f}/{task.total:.0f} s simulated"),
            TextColumn("{task.fields[messages]}"),
            total=seconds,
            hidden=hidden or not console.is_terminal,
            messages="",
        )
        self._began = time.monotonic()
        self._console = None if hidden else console
        self._seconds, self._size, self._said = seconds, size, False

    def __call__(self, simulated_s: float, messages: int, events: int) -> bool:
        """Shows the progress of a run; returns False to ask it to stop."""
        per_s = messages / max(time.monotonic() - self._began, 1e-3)
        shown = f"{messages:,} messages, {per_s:,.0f}/s, {events / 1e6:.1f} M events"
        self._bar.update(self._task, completed=simulated_s, messages=shown)
        self._announce(messages, events)
        return not self.interrupted

    def phase(self, name: str) -> None:
        """Names the work that follows the simulation; how long it takes is not known."""
        self._bar.update(self._task, completed=self._seconds, messages=f"{name} …")

    def _announce(self, messages: int, events: int) -> None:
        """What a long run will take, once its first second has shown the pace."""
        spent = time.monotonic() - self._began
        if self._said or self._console is None or spent < _PACE_S or not messages:
            return
        self._said = True
        more = self._size.messages / messages
        if spent * more < _LONG_S:
            return
        memory = byte_text(self._size.bytes)
        self._console.print(
            f"About {time_left(spent * (more - 1))}: {self._size.messages:,.0f} messages or more, "
            f"{number(events * more / 1e6)} M events, {memory} of memory. Ctrl-C ends the run and "
            "keeps what it has.",
            highlight=False,
            soft_wrap=True,
        )


def show_result(console: Console, result: Result) -> None:
    """The verdict, its reasons, and the latency by stage."""
    verdict, run = result.verdict, result.trace.run
    status = Text(f" {MARKS[verdict.status]} {verdict.status} ", style=COLOURS[verdict.status])
    console.print(status, Text(printable(result.scenario.title or run.name)), sep=" ")
    table = Table(box=None, pad_edge=False, show_edge=False)
    for heading, justify in (("", "left"), ("", "left"), ("measured", "right"), ("limit", "left")):
        table.add_column(heading, justify=justify, no_wrap=heading != "")  # type: ignore[arg-type]
    for reason in verdict.reasons:
        table.add_row(_mark(reason.status), reason.title, *_numbers(reason))
    console.print(table)
    for reason in verdict.reasons:
        if reason.status is not Status.PASS:
            name = (f" [{reason.name}]", "dim")
            console.print(Text.assemble(_mark(reason.status), " ", printable(reason.text), name))
        elif reason.inside:
            console.print(dim(f"Met, but not with certainty: {reason.text}"))
    if verdict.without_limits:
        console.print(dim(NO_LIMITS))
    for failure in failures(result.trace):
        since = f"{failure.total_s:.3g} s in all, first at {failure.first_ns / 1e9:.1f} s"
        console.print(f"Failed: {FAILURES[failure.kind]} ({since})", highlight=False)
    if equivocations := result.trace.stats.equivocations:
        console.print(f"Equivocations detected: {equivocations}", highlight=False)
    for reason in verdict.left_out:
        console.print(dim(f"Not judged: {reason.text}"))
    _show_stages(console, result)
    _show_accounts(console, result)
    console.print(
        dim(
            f"run {run.name} · seed {run.seed} · scenario {run.scenario_hash[:12]} · "
            f"build {run.build} · trace {result.trace.trace_hash[:12]}"
        ),
        soft_wrap=True,
    )


def _show_accounts(console: Console, result: Result) -> None:
    """What happened to the accounts of the user's position book, those with most losses beyond
    their collateral by name."""
    found, book = book_accounts(result.trace), result.scenario.position_book
    if found is None or book is None:
        return
    liquidated = found["liquidated_s"].is_not_null().sum()
    bad, short = ((found[name] > 0).sum() for name in ("bad_debt_usd", "uncovered_usd"))
    more = f", {short:,} ended with negative equity that is not booked" if short else ""
    console.print(
        f"Position book: of {counted(len(book.accounts), 'account')} {found.height:,} became due, "
        f"{liquidated:,} were liquidated, {bad:,} left bad debt{more} (accounts.csv)",
        highlight=False,
        soft_wrap=True,
    )
    columns = found.select("label", "bad_debt_usd", "uncovered_usd", "leverage")
    for label, debt, open_, levered in columns.head(_NAMED).rows():
        losses = {"bad debt": debt, "negative equity": open_}
        said = ", ".join(f"{usd(loss)} {what}" for what, loss in losses.items() if loss)
        if said:
            console.print(f"  {label}: {said}, {leverage(levered)}", highlight=False)


def _mark(status: Status) -> Text:
    return Text(MARKS[status], style=COLOURS[status])


def _numbers(reason: Reason) -> tuple[str, str]:
    """The measured value and the limit as text; for a check of the run, whether it passed."""
    if reason.bound is None or reason.limit is None:
        return {Status.PASS: "passed", Status.INVALID: "failed"}.get(reason.status, "–"), ""
    side = "≤" if reason.bound.side is LimitSide.MOST else "≥"
    if reason.measured is None:
        return "–", f"{side} {value(reason.limit, reason.unit)}"
    measured, limit = apart(reason.measured, reason.limit, reason.unit)
    return measured, f"{side} {limit}"


def _show_stages(console: Console, result: Result) -> None:
    means = {stage: result.measures.value(f"stage_mean_ms.{stage}") for stage in STAGES}
    if result.trace.stats.live is not None:
        # A live target has no stamps of the stages inside it.
        means = {stage: mean for stage, mean in means.items() if mean}
    total = sum(value for value in means.values() if value)
    if not total:
        return
    console.print("Mean latency by stage:")
    width = max(len(STAGE.title(stage)) for stage in means)
    for stage, mean in means.items():
        part = (mean or 0.0) / total
        bar = "█" * round(part * 30) or "▏"
        line = f"  {STAGE.title(stage):{width}} {value(mean, 'ms'):>8} {part:5.0%} "
        console.print(Text.assemble(line, (bar, "cyan")))
