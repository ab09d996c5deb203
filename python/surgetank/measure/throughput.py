"""How much was offered, and how much of it was done, inside the measured window."""

from __future__ import annotations

import numpy as np
import polars as pl

from surgetank.measure.measured import Measure
from surgetank.measure.statistics import (
    BATCHES,
    Floats,
    mean_interval,
    ratio_interval,
    share_interval,
)
from surgetank.trace import Trace
from surgetank.trace.frames import ATTACKER

__all__ = ["throughput"]

_WHAT = {
    "offered_per_s": "client messages that clients meant to send per second",
    "throughput_per_s": "client messages executed per second",
    "goodput_ratio": "messages executed over messages offered, both inside the window",
    "executed_share": "share of offered messages that were executed by the end of the run",
    "refused_share": "share of offered messages that were refused for good",
    "lost_share": "share of offered messages that were lost for good",
}
_UNIT = {"offered_per_s": "1/s", "throughput_per_s": "1/s"}


def throughput(trace: Trace) -> list[Measure]:
    """offered_per_s, throughput_per_s, goodput_ratio, executed_share, refused_share, lost_share.

    Goodput counts executions inside the window, whenever the message was sent: a backlog that is
    only worked off after the flow has ended does not count as carried. `executed_share` follows the
    messages of the window to the end of the run, so bursts at the window's edges do not move it.
    """
    begin, end = trace.measured_from_ns, trace.flow_end_ns
    seconds = (end - begin) / 1e9
    rows = trace.delays()
    if rows.is_empty() or seconds <= 0:
        note = "no messages in the window"
        return [Measure(k, None, _UNIT.get(k, "1"), what=w, note=note) for k, w in _WHAT.items()]
    offered = _slices(rows["created_ns"], begin, end)
    done = _slices(
        trace["messages"]
        .filter(pl.col("outcome") == 1, pl.col("source") != ATTACKER)["executed_ns"]
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
        found.append(Measure(name, n / seconds, "1/s", low, rate.high, n, _WHAT[name]))
    if trace.orders:
        ratio = ratio_interval(done, offered)
        found.append(
            Measure(
                "goodput_ratio",
                ratio.value,
                "1",
                ratio.low,
                ratio.high,
                ratio.n,
                _WHAT["goodput_ratio"],
            )
        )
    outcomes = {"executed_share": 1, "refused_share": 2, "lost_share": 3}
    if not trace.orders:
        del outcomes["executed_share"]
    for name, outcome in outcomes.items():
        share = share_interval(rows["outcome"].to_numpy() == outcome)
        found.append(Measure(name, share.value, "1", share.low, share.high, share.n, _WHAT[name]))
    return found


def _slices(times: pl.Series, begin: int, end: int) -> Floats:
    edges = np.linspace(begin, end, BATCHES + 1)
    return np.histogram(times.to_numpy(), bins=edges)[0].astype(np.float64)
