"""The fault budget over time."""

from __future__ import annotations

import numpy as np

from surgetank.measure.synchrony import BUDGET
from surgetank.number_format import clock, milliseconds, share
from surgetank.report.charts.over_time import Panel, Series, seconds, time_chart
from surgetank.report.measure_text import FAILURES
from surgetank.report.picture import Picture
from surgetank.report.plot import Scale
from surgetank.report.run_view import RunView

__all__ = ["budget_charts"]


def budget_charts(view: RunView) -> list[Picture]:
    """What is left of the fault budget, with the lines of half and all of it used up."""
    trace = view.trace
    if view.value("fault_budget_left") is None or trace.nodes < 2:
        return []
    return [_budget(view)]


def _budget(view: RunView) -> Picture:
    steps = view.synchrony.steps
    times, left = seconds(steps["time_ns"]), steps["budget_left"].to_numpy().astype(np.float64)
    series = [Series("fault budget left", "ink", times, left, share, step=True)]
    still = steps["standstill"].to_numpy()
    if still.any():
        at = np.where(still, left, np.nan)
        series.append(Series("standstill", "bad", times, at, share, "thick", step=True))
    y = Scale(min(-0.05, float(left.min()) * 1.1), 0.4, say=share, title="share of voting weight")
    limits = ((0.0, "all used up: systemic"), (BUDGET / 2, "half used up"))
    return time_chart(
        view, "budget", "Fault budget left", _summary(view), [Panel(y, tuple(series), 160, limits)]
    )


def _summary(view: RunView) -> str:
    half, used = view.value("half_budget_s") or 0, view.value("systemic_desync_s") or 0
    text = "A third of the voting weight, less the weight that is out of step. "
    if not half:
        text += "Half of it was never used up."
    else:
        text += f"Half of it was used up for {milliseconds(half * 1e3)}"
        text += f", all of it for {milliseconds(used * 1e3)}." if used else "; all of it never was."
    found = [f"{FAILURES[f.kind]} from {clock(f.first_ns)} on" for f in view.synchrony.failures]
    return f"{text} First {', then '.join(found)}." if found else text
