"""Offered load, throughput and queue lengths."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Final

import numpy as np
import polars as pl

from surgetank.number_format import NBSP, clock, number
from surgetank.report.charts.envelope import Floats
from surgetank.report.charts.over_time import Panel, Series, seconds, time_chart
from surgetank.report.picture import Picture
from surgetank.report.plot import Scale
from surgetank.report.run_view import RunView, nice_step
from surgetank.trace import Outcome

__all__ = ["Load", "load_of", "load_panel", "per_second", "queue_charts", "throughput_charts"]

_QUEUES: Final = {
    "ingress_len": ("ingress (before validation)", "stage-admission"),
    "mempool_len": ("mempool (before ordering)", "stage-queueing"),
    "execution_len": ("decided, not executed", "stage-execution"),
}


@dataclass(frozen=True)
class Load:
    """Times (s) and messages per second."""

    times: Floats
    offered: Floats
    failed: Floats
    """Refused or lost, at the time they were sent."""
    executed: tuple[Floats, Floats] | None
    """Times of their own; None without ordering."""


def throughput_charts(view: RunView) -> list[Picture]:
    """Messages per second offered, executed and refused or lost."""
    load = load_of(view)
    if load is None:
        return []
    peak = int(np.argmax(load.offered))
    summary = (
        f"Offered load peaks at {number(round(load.offered[peak]))} messages/s at "
        f"{clock(peak * view.step_ns)}"
    )
    if load.executed is not None:
        summary += f"; execution peaks at {number(round(max(load.executed[1])))}/s"
    if any(load.failed):
        summary += ". Refused and lost messages count at the time they were sent"
    panel = _load_panel(load, 220)
    return [time_chart(view, "throughput", "Offered and executed load", f"{summary}.", [panel])]


def load_panel(view: RunView, height: int) -> Panel | None:
    """Messages per second offered, executed and refused or lost, `height` px high; None if no
    message was sent."""
    load = load_of(view)
    return None if load is None else _load_panel(load, height)


def load_of(view: RunView) -> Load | None:
    """The load of a run over its time; None if no message was sent."""
    rows = view.trace["messages"]
    if rows.is_empty():
        return None
    end, fine = view.end_ns, view.step_ns
    times, offered = _rate(rows["created_ns"], fine, end)
    failed = rows.filter(pl.col("outcome").is_in([Outcome.REFUSED, Outcome.LOST]))["created_ns"]
    executed = None
    if view.trace.orders:
        done = rows.filter(pl.col("outcome") == Outcome.EXECUTED)["executed_ns"].drop_nulls()
        executed = _rate(done, _block_step(view), end)
    return Load(times, offered, _rate(failed, fine, end)[1], executed)


def _load_panel(load: Load, height: int) -> Panel:
    series = [Series("offered", "ink", load.times, load.offered, per_second)]
    if load.executed is not None:
        series.insert(0, Series("executed", "good", *load.executed, per_second, fill=True))
    if any(load.failed):
        series.append(Series("refused or lost", "bad", load.times, load.failed, per_second, "dots"))
    top = max(float(s.y.max()) for s in series)
    y = Scale(0.0, 1.06 * top or 1.0, say=number, title="messages/s")
    return Panel(y, tuple(series), height)


def per_second(v: float) -> str:
    """A rate as text."""
    return f"{number(round(v))}{NBSP}/s"


def queue_charts(view: RunView) -> list[Picture]:
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
    times = seconds(found["time_ns"])
    panels, peaks = [], []
    # A panel each, one below the other: they differ by orders of magnitude.
    for queue, (name, colour) in _QUEUES.items():
        top = found.sort(f"{queue}_max", descending=True, maintain_order=True).row(0, named=True)
        highest = max(1, int(top[f"{queue}_max"]))
        median, longest = (
            found[f"{queue}_{which}"].to_numpy().astype(np.float64) for which in ("median", "max")
        )
        of = f"{name}, "
        lines = (
            Series("median node", colour, times, median, number, "dots", read=f"{of}median"),
            Series("longest of all nodes", colour, times, longest, number, read=f"{of}longest"),
        )
        y = Scale(0.0, 1.08 * highest, say=number, title=f"{name}, messages")
        panels.append(Panel(y, lines, 100))
        if top[f"{queue}_max"]:
            word = queue.removesuffix("_len")
            peaks.append(f"{word} {top[f'{queue}_max']:,} at {clock(top['time_ns'])}")
    summary = f"Longest queues: {'; '.join(peaks)}." if peaks else "No queue ever held a message."
    return [time_chart(view, "queues", "Messages waiting", summary, panels)]


def _rate(times: pl.Series, step: int, end: int) -> tuple[Floats, Floats]:
    """Middles of bins (s) and events per second in them; the run's end may cut the last short."""
    edges = np.arange(0, end + step, step)
    widths = np.minimum(edges[1:], end) - edges[:-1]
    rates = np.histogram(times.to_numpy(), edges)[0] / np.maximum(widths, 1) * 1e9
    return seconds(edges[:-1] + widths / 2), rates


def _block_step(view: RunView) -> int:
    """Bins that hold several blocks each; in finer ones executions would look like spikes."""
    gaps = view.trace["blocks"]["decided_ns"].sort().cast(pl.Int64).diff().drop_nulls()
    usual = gaps.median() if len(gaps) else None
    least = 2.5 * usual if isinstance(usual, float) else 0.0
    return nice_step(max(view.step_ns, min(least, view.end_ns / 30)))
