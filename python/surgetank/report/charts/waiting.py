"""What messages waited for, by class."""

from __future__ import annotations

from typing import Any, Final

import polars as pl
from markupsafe import Markup

from surgetank.catalogue.families import WAIT
from surgetank.measure.waiting import COMPUTATION, late, places, shares, waits
from surgetank.number_format import milliseconds, share
from surgetank.report.charts.delay import ms_axis
from surgetank.report.charts.figure import Chart
from surgetank.report.run_view import RunView
from surgetank.trace import CLASSES, WAITS

__all__ = ["waiting_charts"]

#: Resources whose share is below this in every row are left out of the legend.
_SHOWN: Final = 0.0005
_ALL: Final = "all messages"
#: Resources that are set for the venue as a whole, not per node.
_SETTINGS: Final = ("timers", "rules", "block_space", "admission")
#: Least share of all latency of a place that is named, and the most places that are.
_MUCH: Final = 0.05
_NAMED: Final = 3


def waiting_charts(view: RunView) -> list[Chart]:
    """Mean latency by resource waited for, a bar per class; empty if the trace has no charges."""
    rows = waits(view.trace)
    if rows.is_empty() or not int(rows["delay_ns"].sum()):
        return []
    bars = {_ALL: rows}
    for number, name in enumerate(CLASSES):
        bars[name] = rows.filter(pl.col("class") == number)
    bars["late liquidations"] = late(view.trace, rows, view.trace.scenario.late_after_ms)
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
        "yaxis": {"dtick": 1},
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
            note=Markup(
                "Every nanosecond of an executed message's latency is charged to one resource "
                "(<code>docs/attribution.md</code>). {}"
            ).format(_where(view)),
        )
    ]


def _bar(
    wait: str, means: dict[str, dict[str, float]], parts: dict[str, dict[str, float]]
) -> dict[str, Any]:
    measure_text = [
        f"{milliseconds(means[name][wait])}, {share(parts[name][wait])}" for name in means
    ]
    return {
        "type": "bar",
        "orientation": "h",
        "name": WAIT.title(wait),
        "y": list(means),
        "x": [mean[wait] for mean in means.values()],
        "marker": {"color": f"@wait-{wait}", "line": {"width": 0}},
        "customdata": measure_text,
        "hovertemplate": "%{customdata}",
    }


def _where(view: RunView) -> str:
    """The machines and links that were waited for most."""
    much = (pl.col("share") >= _MUCH) & ~pl.col("resource").is_in(_SETTINGS)
    most = places(view.trace).drop_nulls("node").filter(much)
    longest = [
        f"{WAIT.title(row['resource'])} {_place(row['node'], row['peer'])} ({share(row['share'])})"
        for row in most.head(_NAMED).iter_rows(named=True)
    ]
    return f"Longest waits at one place: {', '.join(longest)}." if longest else ""


def _place(node: int, peer: int | None) -> str:
    return f"at node {node}" if peer is None else f"from node {node} to {peer}"


def _summary(parts: dict[str, float]) -> Markup:
    """In short: the share of computation, and the largest other charge."""
    rest = {wait: part for wait, part in parts.items() if wait not in COMPUTATION}
    most = max(rest, key=lambda wait: rest[wait])
    named = {"computation": sum(parts[wait] for wait in COMPUTATION)}
    named[WAIT.title(most)] = rest[most]
    (one, first), (other, second) = sorted(named.items(), key=lambda item: -item[1])
    return Markup(
        "Most for {}: {} of all latency; {}: {}. A share is not the gain from removing the wait: "
        "<code>surgetank explain FOLDER</code>, with the run's folder, measures that."
    ).format(one, share(first), other, share(second))
