"""End-to-end latency, its stages, and its variation.

Latencies are timed from the intended send time, so that a stalled client cannot hide them
(coordinated omission). A message still in transit at the end of the run is censored there; one that
was refused or lost has an infinite latency.
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
import polars as pl

from surgetank.measure.measured import Measure
from surgetank.measure.statistics import Flags, Floats, KaplanMeier, mean_interval
from surgetank.trace import CLIENT_CLASSES, STAGES, Outcome, Trace

__all__ = [
    "Stages",
    "delay_distribution",
    "delay_observations",
    "delays",
    "jitter",
    "jitter_rfc3550_ns",
    "stages",
]

_QUANTILES = {"p50": 0.5, "p99": 0.99, "p999": 0.999}
_MS = 1e6


@dataclass(frozen=True)
class Stages:
    """Whole-nanosecond totals over the executed messages of the measured window."""

    total_ns: dict[str, int]
    """Stage → sum."""
    delay_ns: int
    """Sum of the end-to-end latencies, ns."""
    executed: int
    unstamped: int
    """Executed messages that lack a stamp on the way."""
    negative: int
    """Executed messages with a stage that ends before it begins."""

    @property
    def exact(self) -> bool:
        """Whether every stamp is there, in order, and the stages sum to the latency."""
        whole = sum(self.total_ns.values()) == self.delay_ns
        return whole and not self.unstamped and not self.negative


def stages(trace: Trace) -> Stages:
    """Totals per stage, for the mean and for checking that the split is exact."""
    done = trace.delays().filter(pl.col("delay_ns").is_not_null())
    columns = [f"{stage}_ns" for stage in STAGES]
    if done.is_empty():
        return Stages(dict.fromkeys(STAGES, 0), 0, 0, 0, 0)
    row = done.select(
        *(pl.col(c).sum() for c in columns),
        pl.col("delay_ns").sum(),
        pl.any_horizontal(pl.col(c).is_null() for c in columns).sum().alias("unstamped"),
        pl.any_horizontal(pl.col(c) < 0 for c in columns).sum().alias("negative"),
    ).row(0, named=True)
    return Stages(
        {stage: int(row[f"{stage}_ns"]) for stage in STAGES},
        int(row["delay_ns"]),
        done.height,
        int(row["unstamped"] or 0),
        int(row["negative"] or 0),
    )


def delay_distribution(rows: pl.DataFrame, end_ns: int) -> KaplanMeier:
    """Distribution of latencies (ns) of rows of `Trace.delays()`."""
    return KaplanMeier(*delay_observations(rows, end_ns))


def delay_observations(rows: pl.DataFrame, end_ns: int) -> tuple[Floats, Flags]:
    """Latencies of rows of `Trace.delays()` as `KaplanMeier` takes them, ns: shape (rows,) each."""
    # Polars hands integers with nulls over as floats with NaN.
    delay = rows["delay_ns"].to_numpy().astype(np.float64)
    reached = ~np.isnan(delay)
    censored = end_ns - rows["created_ns"].to_numpy().astype(np.float64)
    unfinished = np.where(rows["outcome"].to_numpy() == Outcome.PENDING, censored, np.inf)
    return np.where(reached, delay, unfinished), reached


def delays(trace: Trace) -> list[Measure]:
    """delay_p50/p99/p999_ms, overall and per class, and the mean and p99 of every stage."""
    rows = trace.delays()
    found = _quantiles(trace, rows, "")
    found += _stage_measures(trace, rows)
    for number, name in enumerate(CLIENT_CLASSES):
        part = rows.filter(pl.col("class") == number)
        if part.height:
            found += _quantiles(trace, part, f".{name}")
    return found


def _quantiles(trace: Trace, rows: pl.DataFrame, suffix: str) -> list[Measure]:
    names = {f"delay_{q}_ms{suffix}": p for q, p in _QUANTILES.items()}
    if rows.is_empty() or not trace.orders:
        note = (
            "no messages in the window"
            if trace.orders
            else "the scenario has no ordering, so no message is executed"
        )
        return [Measure(n, None, note=note) for n in names]
    distribution = delay_distribution(rows, trace.end_ns)
    unfinished = int(rows["delay_ns"].null_count())
    note = f"{unfinished} of {rows.height} never executed" if unfinished else ""
    found = []
    for name, p in names.items():
        q = distribution.interval(p)
        low, high = (None if x is None else x / _MS for x in (q.low, q.high))
        found.append(Measure(name, q.value / _MS, low, high, q.n, note))
    return found


def _stage_measures(trace: Trace, rows: pl.DataFrame) -> list[Measure]:
    done = rows.filter(pl.col("delay_ns").is_not_null()).drop_nulls(
        [f"{stage}_ns" for stage in STAGES]
    )
    n = done.height
    note = "executed messages only" if n else "no message was executed in the window"
    found = [_mean("delay_mean_ms", done["delay_ns"], note)]
    found += [_mean(f"stage_mean_ms.{stage}", done[f"{stage}_ns"], note) for stage in STAGES]
    for stage in STAGES:
        name = f"stage_p99_ms.{stage}"
        if not n:
            found.append(Measure(name, None, note=note))
            continue
        values = done[f"{stage}_ns"].to_numpy().astype(np.float64) / _MS
        q = KaplanMeier(values, np.ones(n, dtype=np.bool_)).interval(0.99)
        found.append(Measure(name, q.value, q.low, q.high, n, note))
    return found


def _mean(name: str, cells: pl.Series, note: str) -> Measure:
    n = len(cells)
    if not n:
        return Measure(name, None, note=note)
    interval = mean_interval(cells.to_numpy().astype(np.float64) / _MS)
    # The value from the whole-number sum: float means of the stages need not sum exactly.
    return Measure(name, int(cells.sum()) / n / _MS, interval.low, interval.high, n, note)


def jitter(trace: Trace) -> list[Measure]:
    """Variation of latency of executed messages.

    jitter_p99_min_ms and jitter_sd_ms: packet delay variation, each delay less the least delay
    (RFC 5481 §4.2), its 99th percentile and standard deviation; messages never executed have no
    delay and are left out, as there. jitter_rfc3550_ms: interarrival jitter (RFC 3550 §6.4.1).
    """
    note = "executed messages only"
    done = trace.delays().filter(pl.col("delay_ns").is_not_null())
    names = ("jitter_p99_min_ms", "jitter_sd_ms", "jitter_rfc3550_ms")
    if done.height < 2:
        return [Measure(name, None, note="too few messages") for name in names]
    delay = done["delay_ns"].to_numpy().astype(np.float64)
    n = len(delay)
    least = float(delay.min())
    q = KaplanMeier(delay - least, np.ones(n, dtype=np.bool_)).interval(0.99)
    running = jitter_rfc3550_ns(done)
    mean = mean_interval(running)
    low, high = (None if x is None else x / _MS for x in (q.low, q.high))
    return [
        Measure(names[0], q.value / _MS, low, high, n, note),
        Measure(names[1], float(delay.std(ddof=1)) / _MS, n=n, note=note),
        Measure(names[2], mean.value / _MS, n=n, note=note),
    ]


def jitter_rfc3550_ns(rows: pl.DataFrame) -> Floats:
    """The running estimate J after every executed message of rows of `Trace.delays()`.

    RFC 3550 §6.4.1: J ← J + (|D| − J)/16, J = 0 at first, where D is the difference of the transit
    times of two messages that arrive one after the other. A stream is a gateway's messages in the
    order in which they were executed. Shape (rows,), ns, streams one after the other.
    """
    done = rows.filter(pl.col("delay_ns").is_not_null()).sort("gateway", "executed_ns", "message")
    step = pl.col("delay_ns").cast(pl.Float64).diff().abs().fill_null(0)
    running = step.ewm_mean(alpha=1 / 16, adjust=False).over("gateway")
    return done.select(running).to_series().to_numpy()
