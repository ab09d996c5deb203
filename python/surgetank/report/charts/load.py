"""Offered load, throughput and queue lengths."""

from __future__ import annotations

from typing import Any, Final

import numpy as np
import polars as pl

from surgetank.number_format import clock, number
from surgetank.report.charts.figure import Chart, Line, line, seconds, thin
from surgetank.report.run_view import RunView, nice_step
from surgetank.trace import Outcome

__all__ = ["queue_charts", "throughput_charts"]

_QUEUES: Final = {
    "ingress_len": ("ingress (before validation)", "@stage-admission"),
    "mempool_len": ("mempool (before ordering)", "@stage-queueing"),
    "execution_len": ("decided, not executed", "@stage-execution"),
}


def throughput_charts(view: RunView) -> list[Chart]:
    """Messages per second offered, executed and refused or lost."""
    rows = view.trace["messages"]
    if rows.is_empty():
        return []
    end, fine = view.end_ns, view.step_ns
    x, offered = _rate(rows["created_ns"], fine, end)
    failed = _rate(
        rows.filter(pl.col("outcome").is_in([Outcome.REFUSED, Outcome.LOST]))["created_ns"],
        fine,
        end,
    )[1]
    form = "%{y:,.0f} /s"
    data = [line("offered", x, offered, "@ink", width=1.6, hovertemplate=form)]
    peak = int(np.argmax(offered))
    summary = (
        f"Offered load peaks at {number(round(offered[peak]))} messages/s at {clock(peak * fine)}"
    )
    if view.trace.orders:
        executed = rows.filter(pl.col("outcome") == Outcome.EXECUTED)["executed_ns"].drop_nulls()
        x_done, done = _rate(executed, _block_step(view), end)
        fill = {"fill": "tozeroy", "fillcolor": "@good/25"}
        data.insert(0, line("executed", x_done, done, "@good", hovertemplate=form, **fill))
        summary += f"; execution peaks at {number(round(max(done)))}/s"
    if any(failed):
        data.append(line("refused or lost", x, failed, "@bad", dash="dot", hovertemplate=form))
        summary += ". Refused and lost messages count at the time they were sent"
    layout = {"yaxis": {"rangemode": "tozero", "tickformat": ",.3~s"}}
    return [Chart("throughput", "Offered and executed load", f"{summary}.", data, layout)]


def queue_charts(view: RunView) -> list[Chart]:
    """Lengths of the queues: the longest and the median over nodes that are up."""
    rows = view.trace["gauges"].filter(pl.col("up") == 1)
    if rows.is_empty():
        return []
    found = (
        rows.group_by("time_ns")
        .agg(
            *(pl.col(q).max().alias(f"{q}_max") for q in _QUEUES),
            *(pl.col(q).median().alias(f"{q}_median") for q in _QUEUES),
        )
        .sort("time_ns")
    )
    data, peaks = [], []
    # A panel each, one below the other: they differ by orders of magnitude.
    layout: dict[str, Any] = {"hoversubplots": "axis"}
    for i, (queue, (name, colour)) in enumerate(_QUEUES.items()):
        number_ = "" if i == 0 else str(i + 1)
        top = found.sort(f"{queue}_max", descending=True, maintain_order=True).row(0, named=True)
        highest = max(1, int(top[f"{queue}_max"]))
        layout[f"yaxis{number_}"] = {
            "domain": [1 - (i + 1) / 3 + 0.035, 1 - i / 3 - 0.035],
            "range": [0, highest * 1.08],
            "nticks": 4,
            "tickformat": ",.3~s" if highest >= 10 else "d",
        }
        for median in (False, True):
            data.append(_queue_line(found, queue, name, colour, f"y{number_}", median=median))
        if top[f"{queue}_max"]:
            word = queue.removesuffix("_len")
            peaks.append(f"{word} {top[f'{queue}_max']:,} at {clock(top['time_ns'])}")
    layout["xaxis"] = {"anchor": "y3"}
    summary = f"Longest queues: {'; '.join(peaks)}." if peaks else "No queue ever held a message."
    summary += " Full line: the longest of all nodes; dotted: the median node."
    return [Chart("queues", "Messages waiting", summary, data, layout, height=440)]


def _queue_line(
    found: pl.DataFrame, queue: str, name: str, colour: str, axis: str, *, median: bool
) -> Line:
    column = f"{queue}_{'median' if median else 'max'}"
    part = thin(found.select("time_ns", column), column, 1000)
    style: dict[str, Any] = {"dash": "dot", "width": 1.4} if median else {"width": 2}
    return line(
        f"{name}, median" if median else name,
        seconds(part["time_ns"]),
        part[column].to_list(),
        colour,
        hovertemplate="%{y:,.0f}",
        yaxis=axis,
        showlegend=not median,
        **style,
    )


def _rate(times: pl.Series, step: int, end: int) -> tuple[list[Any], list[float]]:
    """Middles of bins (s) and events per second in them; the run's end may cut the last short."""
    edges = np.arange(0, end + step, step)
    widths = np.minimum(edges[1:], end) - edges[:-1]
    rates = np.histogram(times.to_numpy(), edges)[0] / np.maximum(widths, 1) * 1e9
    return seconds(edges[:-1] + widths / 2), [float(v) for v in rates]


def _block_step(view: RunView) -> int:
    """Bins that hold several blocks each; in finer ones executions would look like spikes."""
    gaps = view.trace["blocks"]["decided_ns"].sort().cast(pl.Int64).diff().drop_nulls()
    usual = gaps.median() if len(gaps) else None
    least = 2.5 * usual if isinstance(usual, float) else 0.0
    return nice_step(max(view.step_ns, min(least, view.end_ns / 30)))
