"""Which nodes trailed the first, and how fast messages reached them."""

from __future__ import annotations

from typing import Any, Final

import numpy as np
import polars as pl
from numpy.typing import NDArray

from surgetank.measure.synchrony import crashes, lag_series
from surgetank.number_format import milliseconds
from surgetank.report.charts.figure import Chart, Key, line, log_ms_axis, plain, seconds
from surgetank.report.run_view import RunView, nice_step

__all__ = ["lag_charts", "propagation_charts"]

_CELLS_MAX: Final = 40_000
_LEVELS: Final = ("lag-0", "lag-1", "lag-2", "lag-3", "lag-4", "lag-down")
_MESSAGES_MAX: Final = 5_000
_LAG_CELLS_MAX: Final = 10_000


def lag_charts(view: RunView) -> list[Chart]:
    """Each node's lag over time, where blocks are executed."""
    return [] if view.trace["executions"].is_empty() else [_heat_map(view)]


def _heat_map(view: RunView) -> Chart:
    nodes = view.trace.nodes
    columns = int(min(350, max(40, _CELLS_MAX // nodes)))
    step = nice_step(view.end_ns / columns)
    times = np.arange(0, view.trace.end_ns + 1, step)
    lag = np.zeros((nodes, len(times)))
    rows = lag_series(view.trace, step)
    if rows.height:
        lag[rows["node"].to_numpy(), rows["time_ns"].to_numpy() // step] = rows["lag_ns"].to_numpy()
    most = view.lag_max_ns
    # A lag of exactly lag_max is still in step.
    level = np.digitize(lag, [most / 10, most, 3 * most, 10 * most], right=True).astype(np.int64)
    down = crashes(view.trace)
    for node, begin, until in down.iter_rows():
        level[node, (times >= begin) & (times < until)] = 5
    regions = view.regions
    order = sorted(range(nodes), key=lambda k: (regions[k], k))[::-1]
    data = [
        {
            "type": "heatmap",
            "x": seconds(times),
            "y": list(range(nodes)),
            "z": [level[k].tolist() for k in order],
            "customdata": _tooltips(view, order, level, lag),
            "hovertemplate": "%{x} s · %{customdata}<extra></extra>",
            "zmin": -0.5,
            "zmax": 5.5,
            "colorscale": _steps(),
            "showscale": False,
            "ygap": 1 if nodes <= 60 else 0,
        }
    ]
    summary = (
        f"One row per node, by region. At worst {view.synchrony.worst['nodes']} of {nodes} nodes "
        f"were out of step: more than {milliseconds(most / 1e6)} behind, cut off, down or at a "
        "standstill."
    )
    ticks, labels = _region_ticks(order, regions)
    layout = {
        "yaxis": {"tickvals": ticks, "ticktext": labels, "showgrid": False, "zeroline": False},
        "hovermode": "closest",
        "bands": "edges",
        "left": [92, 82],
        "separators": _separators(order, regions),
    }
    return Chart(
        "lag",
        "Lag of each node behind the first one",
        summary,
        data,
        layout,
        keys=_keys(most, bool(down.height)),
        height=int(min(760, max(220, 90 + 15 * nodes))),
    )


def _keys(most: int, crashed: bool) -> tuple[Key, ...]:
    one, three, ten, tenth = (milliseconds(most * f / 1e6) for f in (1, 3, 10, 0.1))
    texts = (
        f"in step (under {tenth})",
        f"behind, up to {one}",
        f"out of step, {one} – {three}",
        f"{three} – {ten}",
        f"beyond {ten}",
        "crashed",
    )
    keys = tuple(Key(c, t) for c, t in zip(_LEVELS, texts, strict=True))
    return keys if crashed else keys[:-1]


def _node(node: int, regions: list[str]) -> str:
    return f"node {node}, {regions[node]}" if regions[node] else f"node {node}"


def _tooltips(
    view: RunView, order: list[int], level: NDArray[np.int64], lag: NDArray[np.float64]
) -> list[list[str]]:
    """Tooltips of the cells; the lag itself only while that keeps the file small."""
    names = [_node(k, view.regions) for k in order]
    if level.size > _LAG_CELLS_MAX:
        return [[name] * level.shape[1] for name in names]
    return [
        [
            f"{name}: " + ("crashed" if at == 5 else f"{milliseconds(ns / 1e6)} behind")
            for at, ns in zip(level[k], lag[k], strict=True)
        ]
        for k, name in zip(order, names, strict=True)
    ]


def _steps() -> list[list[Any]]:
    count = len(_LEVELS)
    return [[edge / count, f"@{name}"] for i, name in enumerate(_LEVELS) for edge in (i, i + 1)]


def _region_ticks(order: list[int], regions: list[str]) -> tuple[list[float], list[str]]:
    """A label per region at its middle, else node numbers, thinned."""
    if not any(regions):
        every = max(1, -(-len(order) // 24))
        picked = range(0, len(order), every)
        return [float(i) for i in picked], [f"node {order[i]}" for i in picked]
    ticks, labels = [], []
    for name in sorted(set(regions)):
        rows = [i for i, k in enumerate(order) if regions[k] == name]
        ticks.append(sum(rows) / len(rows))
        labels.append(name)
    return ticks, labels


def _separators(order: list[int], regions: list[str]) -> list[float]:
    return [i - 0.5 for i in range(1, len(order)) if regions[order[i]] != regions[order[i - 1]]]


def propagation_charts(view: RunView) -> list[Chart]:
    """Share of the nodes that have a message, by time since its admission."""
    trace = view.trace
    if trace["receipts"].is_empty() or trace.nodes < 2:
        return []
    since, admitted = _arrivals(view)
    data: list[dict[str, Any]] = []
    measure_text, spans = [], []
    for name, colour, chosen in _phases(view, admitted):
        if not chosen.any():
            continue
        low, middle, high = _curves(since[chosen])
        y = [(k + 1) / trace.nodes for k in range(trace.nodes)]
        # The band first, so that the median lies on top of it.
        data.append(_band(name, colour, low, high, y))
        text = [milliseconds(v) for v in middle]
        data.append(
            line(
                name,
                plain(middle),
                y,
                colour,
                width=2.4,
                shape="hv",
                customdata=text,
                legendgroup=name,
                hovertemplate="%{y:.0%} of nodes in %{customdata}",
            )
        )
        reach = middle[int(np.ceil(0.99 * trace.nodes)) - 1]
        measure_text.append(
            f"{name} {milliseconds(reach) if np.isfinite(reach) else 'not reached'}"
        )
        # Where the second node has it: the first is the gateway, at once.
        spans += [v for v in (middle[1] / 3, *middle[1:], *high) if np.isfinite(v) and v > 0]
    if not spans:
        return []
    layout = {
        "xaxis": log_ms_axis(max(0.01, min(spans)), max(spans) * 1.2),
        "yaxis": {"range": [0, 1.03], "tickformat": ".0%"},
        "hovermode": "closest",
    }
    title = "How fast a message reaches the nodes"
    summary = f"Median time to 99 % of the nodes: {'; '.join(measure_text)}."
    summary += " Band: the middle 80\u00a0% of messages."
    return [Chart("propagation", title, summary, data, layout, time=False, height=320)]


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
        return [("whole run", "@ink", np.ones(len(admitted), dtype=np.bool_))]
    during = np.zeros(len(admitted), dtype=np.bool_)
    for stress in view.stresses:
        during |= (admitted >= stress.at_ns) & (admitted < stress.until_ns)
    before = admitted < view.begin_ns
    return [
        ("before stress", "@good", before),
        ("during stress", "@bad", during),
        ("after stress", "@muted", ~before & ~during),
    ]


def _curves(since: NDArray[np.float64]) -> list[list[float]]:
    ranked = np.sort(since, axis=0)
    last = len(ranked) - 1
    return [[float(v) for v in ranked[round(q * last)]] for q in (0.1, 0.5, 0.9)]


def _band(
    name: str, colour: str, low: list[float], high: list[float], y: list[float]
) -> dict[str, Any]:
    top = max((v for v in high if np.isfinite(v)), default=1.0)
    cap = [v if np.isfinite(v) else top * 10 for v in high]
    least = min((v for v in low if v > 0), default=0.1)
    floor = [max(v, least * 0.5) for v in low]
    return {
        "type": "scatter",
        "mode": "lines",
        "x": plain([*(v if np.isfinite(v) else top * 10 for v in floor), *reversed(cap)]),
        "y": plain([*y, *reversed(y)]),
        "fill": "toself",
        "fillcolor": f"{colour}/18",
        "line": {"width": 0, "color": colour},
        "legendgroup": name,
        "showlegend": False,
        "hoverinfo": "skip",
    }
