"""The fault budget over time."""

from __future__ import annotations

from typing import Any, Final

import numpy as np

from surgetank.measure.synchrony import BUDGET
from surgetank.number_format import clock, milliseconds
from surgetank.report.charts.figure import Chart, Line, line, seconds
from surgetank.report.measure_text import FAILURES
from surgetank.report.run_view import RunView

__all__ = ["budget_charts"]

_FORM: Final = "%{y:.1%} left"


def budget_charts(view: RunView) -> list[Chart]:
    """What is left of the fault budget, with the lines of half and all of it used up."""
    trace = view.trace
    if view.value("fault_budget_left") is None or trace.nodes < 2:
        return []
    return [_budget(view)]


def _budget(view: RunView) -> Chart:
    steps = view.synchrony.steps
    times, left = seconds(steps["time_ns"]), steps["budget_left"].to_numpy()
    more: dict[str, Any] = {"shape": "hv", "hovertemplate": _FORM}
    data: list[Line] = [
        line("fault budget left", times, left.tolist(), "@ink", showlegend=False, **more)
    ]
    still = steps["standstill"].to_numpy()
    if still.any():
        at = np.where(still, left, np.nan).tolist()
        data.append(line("standstill", times, at, "@bad", width=4, **more))
    layout = {
        "yaxis": {"range": [min(-0.05, float(left.min()) * 1.1), 0.4], "tickformat": ".0%"},
        "limits": [
            {"y": 0.0, "text": "all used up: systemic"},
            {"y": BUDGET / 2, "text": "half used up"},
        ],
    }
    return Chart("budget", "Fault budget left", _summary(view), data, layout, height=240)


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
