"""What messages waited for, by class."""

from __future__ import annotations

from typing import Any, Final

import polars as pl

from surgetank.measure.saturation import saturation
from surgetank.measure.waiting import COMPUTATION, late, shares, waits
from surgetank.report.charts.delay import ms_axis
from surgetank.report.charts.figure import Chart
from surgetank.report.reading import Reading
from surgetank.report.wording import milliseconds, share
from surgetank.trace import CLASSES, WAITS

__all__ = ["waiting_charts"]

#: Resources whose share is below this in every row are left out of the legend.
_SHOWN: Final = 0.0005
_ALL: Final = "all messages"
#: Share from which on it is said where a resource was busiest.
_MUCH: Final = 0.05
#: What was waited for → the stations that `surgetank.measure.saturation` looks at.
_STATIONS: Final = {
    "bandwidth": ("uplink", "downlink"),
    "validation_own": ("validation",),
    "validation_others": ("validation",),
    "consensus": ("consensus-validation",),
    "execution_own": ("execution",),
    "execution_others": ("execution",),
}


def waiting_charts(reading: Reading) -> list[Chart]:
    """Mean delay by what it was spent waiting for, a bar per class; nothing without charges."""
    rows = waits(reading.trace)
    if rows.is_empty() or not int(rows["delay_ns"].sum()):
        return []
    bars = {_ALL: rows}
    for number, name in enumerate(CLASSES):
        bars[name] = rows.filter(pl.col("class") == number)
    margin = (reading.trace.scenario.get("market") or {}).get("margin") or {}
    bars["late liquidations"] = late(reading.trace, rows, margin.get("late_after_ms"))
    bars = {name: bar for name, bar in reversed(bars.items()) if bar.height}
    means = {
        name: {wait: int(bar[f"{wait}_ns"].sum()) / bar.height / 1e6 for wait in WAITS}
        for name, bar in bars.items()
    }
    parts = {name: shares(bar) for name, bar in bars.items()}
    shown = [w for w in WAITS if any(part.get(w, 0) >= _SHOWN for part in parts.values())]
    data = [_bar(wait, means, parts) for wait in shown]
    longest = max(sum(mean.values()) for mean in means.values())
    layout: dict[str, Any] = {
        "barmode": "stack",
        "xaxis": ms_axis(longest),
        "bargap": 0.35,
        "hovermode": "y unified",
        "left": [124, 112],
    }
    return [
        Chart(
            "waits",
            "What messages waited for",
            _summary(parts[_ALL]),
            data,
            layout,
            time=False,
            height=150 + 34 * len(bars),
            note="Every nanosecond of an executed message's delay is charged to one resource; "
            "docs/attribution.md. What a change gains, `surgetank explain` tells."
            + _busiest(reading, parts[_ALL]),
        )
    ]


def _bar(
    wait: str, means: dict[str, dict[str, float]], parts: dict[str, dict[str, float]]
) -> dict[str, Any]:
    said = [f"{milliseconds(means[name][wait])}, {share(parts[name][wait])}" for name in means]
    return {
        "type": "bar",
        "orientation": "h",
        "name": wait.replace("_", " "),
        "y": list(means),
        "x": [mean[wait] for mean in means.values()],
        "marker": {"color": f"@wait-{wait}", "line": {"width": 0}},
        "customdata": said,
        "hovertemplate": "%{customdata}",
    }


def _busiest(reading: Reading, parts: dict[str, float]) -> str:
    """Where the stations were busiest that were waited for most: charges name no node."""
    found = {one.resource: one for one in saturation(reading.trace)}
    told: dict[str, str] = {}
    for wait in sorted(parts, key=lambda wait: -parts[wait]):
        for station in _STATIONS.get(wait, ()) if parts[wait] >= _MUCH else ():
            if station in found:
                one = found[station]
                told[station] = f"{station.replace('-', ' ')} at {one.where} ({share(one.value)})"
    return f" Busiest there: {', '.join(told.values())}." if told else ""


def _summary(parts: dict[str, float]) -> str:
    """Processors, in all, beside what is charged most of the rest."""
    rest = {wait: part for wait, part in parts.items() if wait not in COMPUTATION}
    most = max(rest, key=lambda wait: rest[wait])
    named = {"processors, in all": sum(parts[wait] for wait in COMPUTATION)}
    named[most.replace("_", " ")] = rest[most]
    (one, first), (other, second) = sorted(named.items(), key=lambda item: -item[1])
    return (
        f"Most for {one}: {share(first)} of all delay; {other}: {share(second)}. A share is not "
        "what its removal gains: `surgetank explain` with this folder measures that."
    )
