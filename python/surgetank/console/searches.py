"""Terminal output of searches."""

from __future__ import annotations

import time
from collections import deque
from collections.abc import Mapping
from typing import Final

from rich.console import Console
from rich.table import Table
from rich.text import Text

from surgetank.catalogue import THRESHOLDS
from surgetank.console.display import Display, redrawn
from surgetank.console.runs import number
from surgetank.console.terminal import dim
from surgetank.number_format import four_digits, share
from surgetank.report.search import wording
from surgetank.scenario.recording import ONE_RECORDING
from surgetank.search import Answer, Progress
from surgetank.search.answer_comparison import Against
from surgetank.search.find import Phase
from surgetank.search.frontier import Frontier, Point

__all__ = ["SearchWatch", "show_against", "show_answer", "show_frontier"]

STYLES = {"FOUND": "bold green", "INVALID": "bold magenta", "UNKNOWN": "bold yellow"}
MARKS = {"FOUND": "✔", "INVALID": "⚠", "UNKNOWN": "?"}
UNITS = {"load": " background messages/s", "leverage": "×", "speed": "× the recorded speed"}


PHASES: Final[Mapping[Phase, str]] = {
    "unloaded": "unloaded value",
    "climb": "climb to the first failure",
    "refine": "narrowing the interval",
    "parts": "tiers and markets:",
    "remedies": "trying remedies",
    "gain": "measuring the gain of",
}

#: Number of progress reports from which the pace is computed.
_RECENT: Final = 20


class SearchWatch(Display):
    """The bracket, the probability and the time left, on standard error."""

    def __init__(self, console: Console, *, hidden: bool) -> None:
        self._live = redrawn(console, hidden=hidden)
        super().__init__(self._live)
        self._console = None if hidden else console
        self._reported = 0
        self._phase = ""
        self._seen: deque[tuple[float, int]] = deque(maxlen=_RECENT)

    def __call__(self, seen: Progress, of: str = "") -> None:
        """Shows progress (`of` names the search); without a terminal a line for each phase and
        every 20 runs."""
        self._seen.append((time.monotonic(), seen.runs))
        text = f"{of}: {self.line(seen)}" if of else self.line(seen)
        if self._live is not None:
            self._live.update(Text(text), refresh=True)
        elif self._console is not None:
            phase = f"{of}{seen.phase}{seen.what}"
            if phase != self._phase or seen.runs >= self._reported + 20:
                self._reported, self._phase = seen.runs, phase
                self._console.print(text, highlight=False, soft_wrap=True)

    def line(self, seen: Progress) -> str:
        """One line: phase, runs, bracket, probability, time left of the phase, and the next
        phase."""
        what = f" {seen.what}" if seen.what else ""
        parts = [f"{PHASES[seen.phase]}{what}: {seen.runs} runs"]
        if seen.estimate is not None:
            parts.append(f"{number(seen.estimate)} [{number(seen.low)} … {number(seen.high)}]")
        if seen.p_broken is not None:
            parts.append(f"P(failure) {seen.p_broken:.2g}")
        if seen.runs_left is not None:
            most = "at most" if seen.phase == "remedies" else "about"
            parts.append(f"{most} {seen.runs_left} more in this phase{self._time(seen.runs_left)}")
        if seen.then:
            parts.append(f"then: {PHASES[seen.then]}")
        return " · ".join(parts)

    def _time(self, runs: int) -> str:
        """The time that so many runs take at the pace of the last ones, as text; empty while the
        pace is unknown (runs found in a journal take no time)."""
        if not self._seen:
            return ""
        (since, before), (now, done) = self._seen[0], self._seen[-1]
        if done <= before or now - since < 1:
            return ""
        return f", {max(1.0, runs * (now - since) / (done - before)):,.0f} s"


def headline(answer: Answer) -> str:
    """The answer in one line."""
    found = (
        f"{_digits(answer.estimate)}{_unit(answer)} ({share(answer.confidence)} interval "
        f"{_digits(answer.ci_low)} to {_digits(answer.ci_high)})"
    )
    threshold = THRESHOLDS.get(answer.find)
    if threshold is not None:
        known = "not found" if answer.estimate is None else found
        return f"{threshold.title} of {answer.scenario}: {known}"
    limit = "any limit" if answer.find == "any" else answer.find
    if answer.estimate is None:
        return f"{answer.scenario}: the {answer.key} at which {limit} is violated was not found"
    side = "below" if answer.falling else "above"
    return f"{answer.scenario}: {limit} is violated {side} {answer.key} = {found}"


def _unit(answer: Answer) -> str:
    return UNITS.get(answer.key, "" if answer.unit == "1" else f" {answer.unit}")


def _digits(value: float | None) -> str:
    return "–" if value is None else four_digits(value)


def show_answer(console: Console, answer: Answer) -> None:
    """The threshold, the bottleneck, and remedies."""
    status = Text(f" {MARKS[answer.status]} {answer.status} ", style=STYLES[answer.status])
    console.print(status, headline(answer), highlight=False, soft_wrap=True)
    console.print(f"Failure: {answer.breaks}", highlight=False)
    if how := wording.failure_text(answer):
        console.print(how, highlight=False)
    if answer.why:
        console.print(f"Note: {answer.why}", highlight=False)
    if answer.shape and answer.shape.text:
        console.print(Text.assemble(("Note:", "bold yellow"), f" {answer.shape.text}"))
    if answer.unloaded:
        base = answer.unloaded
        console.print(
            f"Unloaded p99: {_digits(base['p99_ms'])} ms ({_digits(base['low_ms'])} to "
            f"{_digits(base['high_ms'])}) at {_digits(base['level'])}{_unit(answer)}",
            highlight=False,
        )
    _show_parts(console, answer)
    _show_used(console, answer)
    _show_remedies(console, answer)
    if answer.recording:
        console.print(dim(ONE_RECORDING))
    console.print(
        dim(
            f"{answer.runs} runs · {answer.messages:,} messages · seed {answer.seed} · scenario "
            f"{answer.scenario_hash[:12]} · build {answer.build}"
        ),
        soft_wrap=True,
    )


def _show_parts(console: Console, answer: Answer) -> None:
    """Safe leverage by tier and by market of a position book."""
    if not answer.parts:
        return
    table = Table(box=None, pad_edge=False)
    for column in ("by tier and market", "accounts", "safe leverage (95 % interval)"):
        table.add_column(column, justify="right" if column == "accounts" else "left")
    for part in answer.parts:
        table.add_row(part.member, f"{part.accounts:,}", wording.part_text(answer, part))
    console.print(table)


def _show_used(console: Console, answer: Answer) -> None:
    if not answer.used:
        return
    said = wording.bottleneck(answer) or "No resource was full past the threshold."
    console.print(said, highlight=False)
    for used in answer.used[:6]:
        bar = "█" * round(min(used.value, 1.0) * 18) or "▏"
        console.print(
            Text.assemble(
                f"  {used.resource:22} {used.value:5.0%} ",
                ("" if used.before is None else f"(unloaded {used.before:4.0%}) ", "dim"),
                (bar, "cyan"),
                (f" {used.where}", "dim"),
            )
        )


def _show_remedies(console: Console, answer: Answer) -> None:
    if remedy := wording.remedy_text(answer):
        console.print(remedy, highlight=False)


def show_against(console: Console, compared: Against, fall: float | None = None) -> None:
    """Two search results side by side."""
    table = Table(box=None, pad_edge=False)
    for column in ("", "a", "b"):
        table.add_column(column, overflow="fold")
    for name, a, b in _rows(compared):
        table.add_row(name, a, b)
    console.print(table)
    if compared.incomparable:
        console.print(f"Not comparable: {compared.incomparable}", highlight=False)
        return
    remedy = "significant" if compared.significant else "not significant"
    console.print(
        f"b over a: {compared.ratio:.3f} (95 % interval {compared.ratio_low:.3f} to "
        f"{compared.ratio_high:.3f}): {remedy}",
        highlight=False,
    )
    p = compared.p_fell(fall) if fall is not None else None
    if fall is not None and p is not None:
        # For a parameter whose low end fails, a higher threshold is worse.
        how, worse = ("rise", "ROSE") if compared.b.falling else ("fall", "FELL")
        verdict = (worse, "bold red") if p < 0.05 else f"no significant {how}"
        head = f"{how.capitalize()} of more than {share(fall)}: "
        text = Text.assemble(head, verdict, f" (p = {p:.3g})")
        console.print(text)


def show_frontier(console: Console, found: Frontier) -> None:
    """The table of safe leverage against load."""
    console.print(
        f"Safe leverage of {found.scenario}: P(bad debt) per {found.per} at most {found.budget:g}",
        highlight=False,
    )
    table = Table(box=None, pad_edge=False)
    table.add_column("messages/s", justify="right")
    for curve in found.curves:
        table.add_column(curve.name)
    if found.theory:
        table.add_column("closed form")
    for load in sorted({p.load for p in found.points}):
        cells = [
            next(p for p in found.points if (p.curve, p.load) == (c.name, load))
            for c in found.curves
        ]
        row: list[str | Text] = [f"{load:g}", *(_cell(p) for p in cells)]
        if found.theory:
            theory = next((p.theory for p in cells if p.theory is not None), None)
            row.append("–" if theory is None else f"{theory:.3g}×")
        table.add_row(*row)
    console.print(table)


def _cell(point: Point) -> Text:
    if point.estimate is None or point.ci_low is None or point.ci_high is None:
        return Text.assemble(f"{MARKS[point.status]} ", (point.why, "dim"))
    mark = "" if point.status == "FOUND" else f"{MARKS[point.status]} "
    ends = f" ({point.ci_low:.3g} … {point.ci_high:.3g})"
    return Text.assemble(f"{mark}{point.estimate:.3g}×", (ends, "dim"))


def _rows(compared: Against) -> list[tuple[str, str, str]]:
    a, b = compared.a, compared.b
    return [
        ("scenario", f"{a.scenario} {a.scenario_hash[:8]}", f"{b.scenario} {b.scenario_hash[:8]}"),
        ("build", a.build, b.build),
        ("status", a.status, b.status),
        (f"{b.find} ({b.unit})", _span(a), _span(b)),
        ("bottleneck", " + ".join(a.bottleneck) or "–", " + ".join(b.bottleneck) or "–"),
        ("most used", a.most_used or "–", b.most_used or "–"),
        ("runs", str(a.runs), str(b.runs)),
    ]


def _span(answer: Answer) -> str:
    return f"{_digits(answer.estimate)} ({_digits(answer.ci_low)} … {_digits(answer.ci_high)})"
