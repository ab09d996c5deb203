"""From a trace to numbers.

`measure` gives every measure for which the trace has data, computed when it is first asked for; the
modules compute the frames behind them, which the report draws.
"""

from __future__ import annotations

from surgetank.measure.measured import Measure, Measures
from surgetank.measure.parts import MeasuresOnDemand, RunFacts
from surgetank.measure.synchrony import Failure, FailureKind, Synchrony, SynchronyBounds
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
    """All measures of a run, computed as far as they are asked for.

    `lag_max_ms` and `late_after_ms` default to the scenario's (`limits.lag_max_ms`,
    `market.margin.late_after_ms`).
    """
    late_after = late_after_ms
    if late_after is None:
        late_after = trace.scenario.late_after_ms
    synchrony = synchrony_of(trace, lag_max_ms=lag_max_ms)
    return MeasuresOnDemand(RunFacts(trace, synchrony, late_after))


def synchrony_of(trace: Trace, *, lag_max_ms: float | None = None) -> Synchrony:
    """Which nodes were out of step, when and why, by the scenario's `limits.lag_max_ms` and
    `limits.stale_after_ms`."""
    limits = trace.scenario.limits
    lag_max = limits.lag_max_ms if lag_max_ms is None else lag_max_ms
    return Synchrony(trace, SynchronyBounds(int(lag_max * 1e6), int(limits.stale_after_ms * 1e6)))


def failures(trace: Trace) -> list[Failure]:
    """Kinds of failure, in the order in which they began; empty if there was none."""
    return synchrony_of(trace).failures
