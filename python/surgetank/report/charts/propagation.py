"""How fast messages reached the nodes."""

from __future__ import annotations

from functools import partial
from typing import Final

import numpy as np
import polars as pl
from numpy.typing import NDArray

from surgetank.number_format import milliseconds, share
from surgetank.report.charts.envelope import Floats
from surgetank.report.charts.over_time import WIDE
from surgetank.report.picture import NARROW, Key, Picture, twice
from surgetank.report.plot import Plot, Scale
from surgetank.report.run_view import RunView

__all__ = ["propagation_charts"]

_MESSAGES_MAX: Final = 5_000
#: Steps of a curve at most: about two pixels of the axis each.
_STEPS_MAX: Final = 120


def propagation_charts(view: RunView) -> list[Picture]:
    """Share of the nodes that have a message, by time since its admission."""
    trace = view.trace
    if trace["receipts"].is_empty() or trace.nodes < 2:
        return []
    since, admitted = _arrivals(view)
    curves, reached, spans = [], [], []
    for name, colour, chosen in _phases(view, admitted):
        if not chosen.any():
            continue
        low, middle, high = _curves(since[chosen])
        curves.append((name, colour, low, middle, high))
        reach = float(middle[int(np.ceil(0.99 * trace.nodes)) - 1])
        reached.append(f"{name} {milliseconds(reach) if np.isfinite(reach) else 'not reached'}")
        # Where the second node has it: the first is the gateway, at once.
        spans += [v for v in (middle[1] / 3, *middle[1:], *high) if np.isfinite(v) and v > 0]
    if not spans:
        return []
    ends = (max(0.01, min(spans)), max(spans) * 1.2)
    x = Scale(*ends, True, milliseconds, "time since admission by the gateway")
    title = "How fast a message reaches the nodes"
    summary = f"Median time to 99 % of the nodes: {'; '.join(reached)}."
    summary += " Band: the middle 80\u00a0% of messages."
    svgs = twice(partial(_draw, curves, x, trace.nodes), WIDE, title)
    keys = tuple(Key(colour, name, "line bold", i) for i, (name, colour, *_) in enumerate(curves))
    return [Picture("propagation", title, summary, svgs, full=True, keys=keys)]


def _draw(
    curves: list[tuple[str, str, Floats, Floats, Floats]], x: Scale, nodes: int, width: int
) -> Plot:
    y = Scale(0.0, 1.03, say=share, title="share of the nodes")
    plot = Plot((width, 290), x, y, (28, 14, 48, 58))
    plot.axes(4 if width == NARROW else 9, 6)
    plot.clipped("propagation", partial(_draw_curves, plot, curves, nodes))
    return plot


def _draw_curves(
    plot: Plot, curves: list[tuple[str, str, Floats, Floats, Floats]], nodes: int
) -> None:
    ranks = np.unique(np.linspace(0, nodes - 1, min(nodes, _STEPS_MAX)).astype(np.int64))
    have = (ranks + 1) / nodes
    # Never, and at once, lie beyond the ends of the axis.
    ends = (plot.x_scale.low / 10, plot.x_scale.high * 10)
    for i, (_, colour, low, middle, high) in enumerate(curves):
        early, usual, late = (np.clip(curve[ranks], *ends) for curve in (low, middle, high))
        band = [
            *zip(early.tolist(), have.tolist(), strict=True),
            *zip(late[::-1].tolist(), have[::-1].tolist(), strict=True),
        ]
        with plot.group("series", data_series=i, style=f"--c:var(--{colour})"):
            plot.line(band, "tint", shut=True)
            plot.line(zip(usual.tolist(), have.tolist(), strict=True), "trace bold", step=True)


def _arrivals(view: RunView) -> tuple[NDArray[np.float64], NDArray[np.int64]]:
    """Sorted arrival delays (ms, inf = never), one row per message; and its admission (ns)."""
    trace = view.trace
    sent = (
        trace["messages"]
        .select("message", "gateway", "admitted_ns")
        .drop_nulls()
        .join(trace["receipts"].select("message").unique(), on="message", how="semi")
        .sort("admitted_ns")
    )
    sent = sent.gather_every(max(1, -(-sent.height // _MESSAGES_MAX))).with_row_index("row")
    seen = trace["receipts"].join(sent, on="message")
    since = np.full((sent.height, trace.nodes), np.inf)
    delay = seen["time_ns"].cast(pl.Int64) - seen["admitted_ns"].cast(pl.Int64)
    since[seen["row"].to_numpy(), seen["node"].to_numpy()] = np.maximum(delay.to_numpy(), 0) / 1e6
    since[np.arange(sent.height), sent["gateway"].to_numpy()] = 0
    return np.sort(since, axis=1), sent["admitted_ns"].to_numpy().astype(np.int64)


def _phases(view: RunView, admitted: NDArray[np.int64]) -> list[tuple[str, str, NDArray[np.bool_]]]:
    if view.begin_ns is None:
        return [("whole run", "ink", np.ones(len(admitted), dtype=np.bool_))]
    during = np.zeros(len(admitted), dtype=np.bool_)
    for stress in view.stresses:
        during |= (admitted >= stress.at_ns) & (admitted < stress.until_ns)
    before = admitted < view.begin_ns
    return [
        ("before stress", "good", before),
        ("during stress", "bad", during),
        ("after stress", "muted", ~before & ~during),
    ]


def _curves(since: Floats) -> tuple[Floats, Floats, Floats]:
    """The time (ms) at which 1, 2 … nodes have a message: of the fastest tenth of the messages, the
    median and the slowest tenth."""
    ranked = np.sort(since, axis=0)
    early, usual, late = (ranked[round(q * (len(ranked) - 1))] for q in (0.1, 0.5, 0.9))
    return early, usual, late
