"""From a trace to numbers.

`measure` computes every measure for which the trace has data; the modules compute the frames
behind them, which the report draws.
"""

from __future__ import annotations

from surgetank.measure.attack import attack
from surgetank.measure.backlog import backlog
from surgetank.measure.delivery import delivery
from surgetank.measure.fairness import fairness
from surgetank.measure.latency import delays, jitter
from surgetank.measure.ledger import ledger_measures
from surgetank.measure.measured import Measure, Measures
from surgetank.measure.propagation import propagation
from surgetank.measure.saturation import measures as saturation_measures
from surgetank.measure.solvency import solvency
from surgetank.measure.synchrony import (
    Failure,
    FailureKind,
    Synchrony,
    SynchronyBounds,
    blocks,
    synchrony,
)
from surgetank.measure.throughput import throughput
from surgetank.measure.waiting import waiting
from surgetank.trace import Trace

__all__ = [
    "Failure",
    "FailureKind",
    "Measure",
    "Measures",
    "failures",
    "measure",
    "synchrony_of",
]


def measure(
    trace: Trace, *, lag_max_ms: float | None = None, late_after_ms: float | None = None
) -> Measures:
    """All measures of a run.

    `lag_max_ms` and `late_after_ms` default to the scenario's (`limits.lag_max_ms`,
    `market.margin.late_after_ms`).
    """
    late_after = late_after_ms
    if late_after is None:
        late_after = trace.scenario.late_after_ms
    return Measures(
        [
            *delays(trace),
            *waiting(trace, late_after),
            *throughput(trace),
            *(backlog(trace) if trace.orders else []),
            *delivery(trace),
            *(jitter(trace) if trace.orders else []),
            *synchrony(synchrony_of(trace, lag_max_ms=lag_max_ms)),
            *(blocks(trace) if trace.orders else []),
            *propagation(trace),
            *(fairness(trace) if trace.orders else []),
            *solvency(trace, late_after),
            *attack(trace),
            *ledger_measures(trace),
            *saturation_measures(trace),
        ]
    )


def synchrony_of(trace: Trace, *, lag_max_ms: float | None = None) -> Synchrony:
    """Which nodes were out of step, when and why, by the scenario's `limits.lag_max_ms` and
    `limits.stale_after_ms`."""
    limits = trace.scenario.limits
    lag_max = limits.lag_max_ms if lag_max_ms is None else lag_max_ms
    return Synchrony(trace, SynchronyBounds(int(lag_max * 1e6), int(limits.stale_after_ms * 1e6)))


def failures(trace: Trace) -> list[Failure]:
    """Kinds of failure, in the order in which they began; empty if there was none."""
    return synchrony_of(trace).failures
