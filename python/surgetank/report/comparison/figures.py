"""The figures of a comparison: what changed, by how much, and both runs over one time axis."""

from __future__ import annotations

from collections.abc import Sequence
from functools import cached_property
from typing import Final

import numpy as np
import polars as pl

from surgetank.catalogue import title_of
from surgetank.compare import ChangeFinding, Comparison, Difference
from surgetank.number_format import milliseconds, number, share
from surgetank.report.charts.delay import quantile_line
from surgetank.report.charts.envelope import Floats
from surgetank.report.charts.load import load_of, per_second
from surgetank.report.charts.over_time import Panel, Series, seconds, time_chart
from surgetank.report.comparison.wording import change_text
from surgetank.report.picture import NARROW, Key, Picture, twice
from surgetank.report.plot import Plot, Scale, text_width
from surgetank.report.run_view import RunView, Stress, letter_of
from surgetank.trace import Trace

__all__ = ["BothRuns", "change_chart", "over_time"]

_WIDE: Final = 920
_ROWS: Final = 14
_ROW: Final = {_WIDE: 28, NARROW: 44}
#: An end of an interval that is farther from its value, as a factor, is drawn at the edge.
_FAR: Final = 20.0
_COLOURS: Final = {
    ChangeFinding.BETTER: "good",
    ChangeFinding.WORSE: "bad",
    ChangeFinding.CHANGED: "curve-0",
}
_SIDES: Final = (("A", "curve-0", ""), ("B", "curve-1", "dash"))


def change_chart(found: Comparison) -> Picture | None:
    """B over A of the measures that changed most clearly, with intervals, on a logarithmic axis;
    None if there is none of which a ratio can be drawn."""
    shown = [one for one in found.ranked if one.exceeds_noise and _ratios(one)][:_ROWS]
    if not shown:
        return None
    near = [
        end
        for value, *ends in filter(None, map(_ratios, shown))
        for end in (value, *ends)
        if value / _FAR < end < value * _FAR
    ]
    x = Scale(min(0.8, *near) / 1.1, max(1.25, *near) * 1.1, True, _times, "B over A")

    def draw(width: int) -> Plot:
        return _drawn(width, x, shown)

    keys = [
        Key(_COLOURS[finding], text, "line")
        for finding, text in (
            (ChangeFinding.BETTER, "better"),
            (ChangeFinding.WORSE, "worse"),
            (ChangeFinding.CHANGED, "neither direction is better"),
        )
        if any(one.finding is finding for one in shown)
    ]
    summary = (
        "Measures of B over those of A, the clearest change on top; lines: 95 % intervals. Shares, "
        "and measures that can be zero or below it, have no such ratio and stand in the table only."
    )
    svgs = twice(draw, _WIDE, "Measures of B over those of A")
    return Picture("ratios", "Ratios of B to A", summary, svgs, full=True, keys=tuple(keys))


def _ratios(one: Difference) -> tuple[float, float, float] | None:
    """B over A and the ends of its interval, with A taken as known."""
    if one.relative is None or one.low is None or one.high is None or one.sides is None:
        return None
    a = one.sides[0]
    ratios = 1 + one.relative, max(0.0, 1 + one.low / a), 1 + one.high / a
    return ratios if ratios[0] > 0 else None


def _times(v: float) -> str:
    return f"{number(v)}×"


def _drawn(width: int, x: Scale, shown: Sequence[Difference]) -> Plot:
    small, step = width == NARROW, _ROW[width]
    titles = [title_of(one.name) for one in shown]
    left = 8 if small else int(min(max(map(text_width, titles)), 330)) + 16
    room = int(max(text_width(change_text(one), 14.0) for one in shown)) + 14
    plot = Plot((width, 14 + step * len(shown) + 52), x, Scale(0.0, 1.0), (14, room, 52, left))
    at = plot.x(1.0)
    plot.put("line", "frame", x1=at, x2=at, y1=plot.top, y2=plot.bottom)
    for i, (one, title) in enumerate(zip(shown, titles, strict=True)):
        middle = plot.top + step * (i + 0.5) + (9 if small else 0)
        _whisker(plot, one, middle)
        letters = 46 if small else 44
        words = title if len(title) <= letters else f"{title[: letters - 1]}…"
        if small:
            plot.put("text", "row note", words, tip=title, x=left, y=middle - 12)
        else:
            plot.put("text", "row", words, tip=title, x=0, y=middle + 4)
        plot.text(plot.right + 8, middle + 4, change_text(one), "said")
    plot.x_axis(4 if small else 8)
    return plot


def _whisker(plot: Plot, one: Difference, y: float) -> None:
    value, low, high = _ratios(one) or (1.0, 1.0, 1.0)
    tip = f"{title_of(one.name)}: {_times(value)} ({_times(low)} to {_times(high)})"
    with plot.group("series", style=f"--c:var(--{_COLOURS[one.finding]})"):
        ends = [min(max(plot.x(end), plot.left), plot.right) for end in (low, high)]
        plot.put("path", "trace", tip=tip, d=f"M{ends[0]:.1f} {y:.1f}H{ends[1]:.1f}")
        plot.put("path", "marks", tip=tip, d=f"M{plot.x(value):.1f} {y:.1f}h0")


class BothRuns(RunView):
    """Run A on the time axis of both runs, with the faults and surges of both; of the first pair
    if there are several."""

    def __init__(self, found: Comparison, traces: tuple[Trace, Trace]) -> None:
        runs = (found.a.runs[0], found.b.runs[0])
        end = max(trace.end_ns for trace in traces)
        self.views = tuple(
            RunView(trace, run.measures, run.verdict, end_ns=end)
            for trace, run in zip(traces, runs, strict=True)
        )
        super().__init__(traces[0], runs[0].measures, runs[0].verdict, end_ns=end)

    @cached_property
    def stresses(self) -> list[Stress]:
        """Those of both; `A:` or `B:` before those of one."""
        one, other = (
            {(s.kind, s.label, s.at_ns, s.until_ns) for s in view.stresses} for view in self.views
        )
        found = []
        for stress in one | other:
            kind, label, at, until = stress
            whose = "" if stress in one & other else "A: " if stress in one else "B: "
            found.append((kind, f"{whose}{label}", at, until))
        found.sort(key=lambda stress: (stress[2:], stress[:2]))
        return [Stress(letter_of(i), *stress) for i, stress in enumerate(found)]


def over_time(both: BothRuns) -> list[Picture]:
    """Latency, load and fault budget of both runs."""
    drawn = [_delay(both), _load(both), _budget(both)]
    return [picture for picture in drawn if picture is not None]


def _delay(both: BothRuns) -> Picture | None:
    views = both.views
    done = pl.concat([view.messages["delay_ns"].drop_nulls() for view in views]) / 1e6
    if done.is_empty():
        return None
    low = max(0.01, float(done.quantile(0.01) or 0.01) / 2)
    high = 1.8 * max(float(done.max() or 1), low)  # type: ignore[arg-type]
    panels = []
    for which, word in (("p50", "median"), ("p99", "p99")):
        series = [
            quantile_line(view, which, name, colour, kind, view.overall)
            for view, (name, colour, kind) in zip(views, _SIDES, strict=True)
        ]
        y = Scale(low, high, True, milliseconds, f"{word} latency, by the time of sending")
        panels.append(Panel(y, tuple(series), 190))
    summary = "Of all messages; a line is broken where more than that share were never executed."
    return time_chart(both, "delay", "Latency over time", summary, panels)


def _load(both: BothRuns) -> Picture | None:
    views = both.views
    loads = [load for view in views if (load := load_of(view)) is not None]
    if len(loads) < len(views):
        return None
    rates = {"messages/s offered": [(load.times, load.offered) for load in loads]}
    executed = [load.executed for load in loads if load.executed is not None]
    if len(executed) == len(loads):
        rates["messages/s executed"] = executed
    panels = []
    for title, lines in rates.items():
        series = [
            Series(name, colour, *_until_end(view, *line), per_second, kind)
            for view, line, (name, colour, kind) in zip(views, lines, _SIDES, strict=True)
        ]
        top = max(float(np.nanmax(one.y)) for one in series)
        y = Scale(0.0, 1.06 * top or 1.0, say=number, title=title)
        panels.append(Panel(y, tuple(series), 140))
    summary = "Messages by the time of sending, and by the time of execution."
    return time_chart(both, "load", "Offered and executed load", summary, panels)


def _until_end(view: RunView, x: Floats, y: Floats) -> tuple[Floats, Floats]:
    """The line ends with its own run."""
    return x, np.where(x <= view.trace.end_ns / 1e9, y, np.nan)


def _budget(both: BothRuns) -> Picture | None:
    views = both.views
    known = all(view.value("fault_budget_left") is not None for view in views)
    if not known or any(view.trace.nodes < 2 for view in views):
        return None
    series = []
    for view, (name, colour, kind) in zip(views, _SIDES, strict=True):
        steps = view.synchrony.steps
        left = steps["budget_left"].to_numpy().astype(np.float64)
        series.append(Series(name, colour, seconds(steps["time_ns"]), left, share, kind, step=True))
    least = min(float(one.y.min()) for one in series)
    y = Scale(min(-0.05, least * 1.1), 0.4, say=share, title="share of voting weight")
    panel = Panel(y, tuple(series), 150, ((0.0, "all used up: systemic"),))
    summary = "A third of the voting weight, less the weight that is out of step."
    return time_chart(both, "budget", "Fault budget left", summary, [panel])
