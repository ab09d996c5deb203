"""Offered load, throughput and goodput of the measured window."""

from __future__ import annotations

import math

import numpy as np
import polars as pl

from surgetank.measure.measured import Measure
from surgetank.measure.statistics import (
    BATCHES,
    Floats,
    Interval,
    mean_interval,
    share_interval,
    student_t,
)
from surgetank.trace import Outcome, Source, Trace

__all__ = ["throughput"]

_NAMES = (
    *("offered_per_s", "throughput_per_s", "goodput_ratio"),
    *("executed_share", "refused_share", "lost_share"),
)


def throughput(trace: Trace) -> list[Measure]:
    """offered_per_s, throughput_per_s, goodput_ratio, executed_share, refused_share, lost_share.

    Goodput is 1 less what was refused, lost, or added to the backlog, each over what was offered in
    the window (see `_goodput`): a backlog that is only worked off after the flow has ended does not
    count as goodput. `executed_share` follows the messages of the window to the end of the run, so
    bursts at the window's edges do not move it.
    """
    begin, end = trace.measured_from_ns, trace.flow_end_ns
    seconds = (end - begin) / 1e9
    rows = trace.delays()
    if rows.is_empty() or seconds <= 0:
        note = "no messages in the window"
        return [Measure(name, None, note=note) for name in _NAMES]
    offered = _slices(rows["created_ns"], begin, end)
    done = _slices(
        trace["messages"]
        .filter(pl.col("outcome") == Outcome.EXECUTED, pl.col("source") != Source.ATTACKER)[
            "executed_ns"
        ]
        .drop_nulls(),
        begin,
        end,
    )
    found = []
    for name, counts in (("offered_per_s", offered), ("throughput_per_s", done)):
        if name == "throughput_per_s" and not trace.orders:
            continue
        rate = mean_interval(counts * (BATCHES / seconds))
        low = None if rate.low is None else max(0.0, rate.low)
        n = int(counts.sum())
        found.append(Measure(name, n / seconds, low, rate.high, n))
    if trace.orders:
        ratio = _goodput(trace, offered, begin, end)
        found.append(Measure("goodput_ratio", ratio.value, ratio.low, ratio.high, ratio.n))
    for outcome in (Outcome.EXECUTED, Outcome.REFUSED, Outcome.LOST):
        name = f"{outcome.label}_share"
        if outcome == Outcome.EXECUTED and not trace.orders:
            continue
        share = share_interval(rows["outcome"].to_numpy() == outcome)
        found.append(Measure(name, share.value, share.low, share.high, share.n))
    return found


def _goodput(trace: Trace, offered: Floats, begin: int, end: int) -> Interval:
    """1 − (refused + lost + growth of the backlog)/offered, within 0 and 1, with a 95 % interval.

    Refusals and losses count in the slice in which their message was sent, so that bursts cancel in
    the ratio (Cochran, Sampling Techniques, 3rd ed., 1977, §6.3). The backlog is what was sent and
    will be executed or is still in transit; its growth over the window is a difference of two
    numbers, whose error follows from how the backlog moves. If it is a random walk (a server that
    is always busy), the variances of its steps add up, correlation of neighbours included. If it is
    mean-reverting, steps cancel, and the error is that of two levels; √6 instead of √2 standard
    deviations, so that for a random walk, of which the standard deviation is √(slices/6) steps on
    average, both errors are equal and taking the smaller one is not too narrow.
    """
    sent = trace["messages"].filter(pl.col("source") != Source.ATTACKER)
    refused = pl.col("outcome").is_in([Outcome.REFUSED, Outcome.LOST])
    missing = _slices(sent.filter(refused)["created_ns"], begin, end)
    carried = sent.filter(~refused)
    edges = np.linspace(begin, end, BATCHES + 1)
    edges[-1] += 1  # the window includes its end
    created = np.sort(carried["created_ns"].to_numpy())
    executed = np.sort(carried["executed_ns"].drop_nulls().to_numpy())
    backlog = (np.searchsorted(created, edges) - np.searchsorted(executed, edges)).astype(float)
    total = float(offered.sum())
    grown = np.diff(backlog)
    value = 1 - float(missing.sum() + grown.sum()) / total
    wanders = _error(missing + grown, offered)
    returns = math.hypot(
        _error(missing, offered), math.sqrt(6) * float(backlog.std(ddof=1)) / total
    )
    half = student_t(BATCHES - 1) * min(wanders, returns)
    low, middle, high = (min(1.0, max(0.0, x)) for x in (value - half, value, value + half))
    return Interval(middle, low, high, int(total))


def _error(above: Floats, below: Floats) -> float:
    """Standard error of Σ above / Σ below over slices, correlation of neighbours included."""
    rest = above - float(above.sum()) / float(below.sum()) * below
    together = max(0.0, float((rest[1:] * rest[:-1]).sum()))
    squares = float((rest**2).sum()) + 2 * together
    return math.sqrt(squares * len(rest) / (len(rest) - 1)) / float(below.sum())


def _slices(times: pl.Series, begin: int, end: int) -> Floats:
    edges = np.linspace(begin, end, BATCHES + 1)
    return np.histogram(times.to_numpy(), bins=edges)[0].astype(np.float64)
