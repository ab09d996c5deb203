"""Growth of a backlog: the slope of latency against the time of sending.

A first-in-first-out server of rate μ that is offered λ > μ accumulates 1 − μ/λ of the load,
and a message sent at t waits (λ/μ − 1)·t (fluid limit; Kleinrock, Queueing Systems II, 1976, §2.7).
The slope of latency over the time of sending is therefore λ/μ − 1 in overload and 0 below it,
whatever the latency itself: unlike a quantile of latency, it does not depend on how the operating
system schedules a process.
"""

from __future__ import annotations

import math

import numpy as np
import polars as pl

from surgetank.measure.latency import delay_observations
from surgetank.measure.measured import Measure
from surgetank.measure.statistics import KaplanMeier, theil_sen
from surgetank.trace import Trace

__all__ = ["backlog"]

_SLICES = 25
_SLICES_MIN = 5


def backlog(trace: Trace) -> list[Measure]:
    """backlog_growth: slope of the median latency of 25 slices of the window over their times, s/s;
    of a live run also backlog_growth_sent, of the latency since the generator handed a message
    over.

    The slope is Theil and Sen's (Sen, JASA 63, 1968), the median of the slopes between all pairs of
    slices, with its 95 % interval: a stall that touches fewer than 29 % of the slices cannot make
    it. A message that was never executed counts with its age at the end of the run, so a backlog
    that the run's end cuts off gives a lower bound.
    """
    rows = trace.delays()
    found = [_growth("backlog_growth", trace, rows)]
    if trace.stats.live is not None:
        # The generator's own lateness is not a backlog of the target.
        late = pl.col("client_link_ns").fill_null(0)
        handed_over = rows.with_columns(
            (pl.col("created_ns").cast(pl.Int64) + late).alias("created_ns"),
            pl.col("delay_ns") - late,
        )
        found.append(_growth("backlog_growth_sent", trace, handed_over))
    return found


def _growth(name: str, trace: Trace, rows: pl.DataFrame) -> Measure:
    """The growth of the backlog of rows of `Trace.delays()`, over the times in `created_ns`."""
    begin, end = trace.measured_from_ns, trace.flow_end_ns
    if rows.is_empty() or end <= begin:
        return Measure(name, None, note="no messages")
    edges = np.linspace(begin, end, _SLICES + 1)
    created_ns = rows["created_ns"].to_numpy()
    delay_ns, reached = delay_observations(rows, trace.end_ns)
    which = np.searchsorted(edges[:-1], created_ns, side="right") - 1
    times, medians = [], []
    for number in np.unique(which):
        part = which == number
        sent_ns = float(created_ns[part].astype(np.float64).mean())
        median = KaplanMeier(delay_ns[part], reached[part]).quantile(0.5)
        times.append(sent_ns)
        medians.append(median if math.isfinite(median) else trace.end_ns - sent_ns)
    if len(times) < _SLICES_MIN:
        note = f"{len(times)} of {_SLICES} slices of the window have messages"
        return Measure(name, None, note=note)
    slope, low, high = theil_sen(np.asarray(times), np.asarray(medians))
    return Measure(name, slope, low, high, len(times))
