"""What messages waited for, by class."""

from __future__ import annotations

from typing import Final

import polars as pl
from markupsafe import Markup

from surgetank.catalogue.families import WAIT
from surgetank.measure.waiting import COMPUTATION, late, places, shares, waits
from surgetank.number_format import share
from surgetank.report.charts.bars import Part, Stack, bar_chart
from surgetank.report.picture import Picture
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


def waiting_charts(view: RunView) -> list[Picture]:
    """Mean latency by resource waited for, a bar per class; empty if the trace has no charges."""
    rows = waits(view.trace)
    if rows.is_empty() or not int(rows["delay_ns"].sum()):
        return []
    found = {_ALL: rows}
    for number, name in enumerate(CLASSES):
        found[name] = rows.filter(pl.col("class") == number)
    found["late liquidations"] = late(view.trace, rows, view.trace.scenario.late_after_ms)
    found = {name: bar for name, bar in found.items() if bar.height}
    parts = {name: shares(bar) for name, bar in found.items()}
    shown = [w for w in WAITS if any(part.get(w, 0) >= _SHOWN for part in parts.values())]
    bars = [
        Stack(name, tuple(int(bar[f"{w}_ns"].sum()) / bar.height / 1e6 for w in shown))
        for name, bar in found.items()
    ]
    return [
        bar_chart(
            "waits",
            "What messages waited for",
            _summary(parts[_ALL]),
            [Part(WAIT.title(w), f"wait-{w}") for w in shown],
            bars,
            note=Markup(
                "Every nanosecond of an executed message's latency is charged to one resource "
                "(<code>docs/attribution.md</code>). {}"
            ).format(_where(view)),
        )
    ]


def _where(view: RunView) -> str:
    """The machines and links that were waited for most."""
    much = (pl.col("share") >= _MUCH) & ~pl.col("resource").is_in(_SETTINGS)
    most = places(view.trace).drop_nulls("node").filter(much)
    longest = [
        f"{WAIT.title(resource)} {_place(view, node, peer)} ({share(part)})"
        for resource, node, peer, part in most.head(_NAMED)
        .select("resource", "node", "peer", "share")
        .iter_rows()
    ]
    return f"Longest waits at one place: {', '.join(longest)}." if longest else ""


def _place(view: RunView, node: int, peer: int | None) -> str:
    name = view.node_name(node)
    return f"at {name}" if peer is None else f"from {name} to {view.node_name(peer)}"


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
