"""The fault budget over time."""

from __future__ import annotations

from typing import Any, Final

import numpy as np

from surgetank.measure.synchrony import BUDGET
from surgetank.report.charts.figure import Chart, Line, line, seconds
from surgetank.report.number_format import FAILURES, clock, milliseconds
from surgetank.report.run_view import Reading

__all__ = ["budget_charts"]

_FORM: Final = "%{y:.1%} left"


def budget_charts(reading: Reading) -> list[Chart]:
    """What is left of the fault budget, with the lines of half and all of it used up."""
    trace = reading.trace
    if reading.value("fault_budget_left") is None or trace.nodes < 2:
        return []
    return [_budget(reading)]


def _budget(reading: Reading) -> Chart:
    steps = reading.synchrony.steps
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
    return Chart("budget", "Fault budget left", _summary(reading), data, layout, height=240)


def _summary(reading: Reading) -> str:
    half, used = reading.value("half_budget_s") or 0, reading.value("systemic_desync_s") or 0
    text = "A third of the weight less what is out of step. "
    if not half:
        text += "Never was half of it used up."
    else:
        text += f"Half of it was used up for {milliseconds(half * 1e3)}"
        text += f", all of it for {milliseconds(used * 1e3)}." if used else ", all of it never."
    found = [f"{FAILURES[f.kind]} from {clock(f.first_ns)} on" for f in reading.synchrony.failures]
    return f"{text} First {', then '.join(found)}." if found else text
