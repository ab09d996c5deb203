"""From a trace to numbers.

`measure` computes every measure that the trace has the facts for; the modules compute the frames
behind them, which the report draws.
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any, Final

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
from surgetank.measure.synchrony import blocks, synchrony
from surgetank.measure.throughput import throughput
from surgetank.measure.waiting import waiting
from surgetank.trace import Trace

__all__ = ["LAG_MAX_MS", "Measure", "Measures", "lag_max_ms_of", "measure"]

LAG_MAX_MS: Final = 1000.0
"""A node that trails the quorum by more is desynchronised, unless the scenario says otherwise."""


def measure(
    trace: Trace, *, lag_max_ms: float | None = None, late_after_ms: float | None = None
) -> Measures:
    """All measures of a run.

    `lag_max_ms` and `late_after_ms` default to the scenario's (`limits.lag_max_ms`, else
    LAG_MAX_MS; `market.margin.late_after_ms`).
    """
    scenario = trace.scenario
    lag_max = lag_max_ms_of(scenario) if lag_max_ms is None else lag_max_ms
    late_after = late_after_ms
    if late_after is None:
        margin = (scenario.get("market") or {}).get("margin") or {}
        late_after = margin.get("late_after_ms")
    ordering = [*synchrony(trace, lag_max), *blocks(trace)] if trace.orders else []
    return Measures(
        [
            *delays(trace),
            *waiting(trace, late_after),
            *throughput(trace),
            *(backlog(trace) if trace.orders else []),
            *delivery(trace),
            *(jitter(trace) if trace.orders else []),
            *ordering,
            *propagation(trace),
            *(fairness(trace) if trace.orders else []),
            *solvency(trace, late_after),
            *attack(trace),
            *ledger_measures(trace),
            *saturation_measures(trace),
        ]
    )


def lag_max_ms_of(scenario: Mapping[str, Any]) -> float:
    """The lag beyond which a node of this scenario counts as desynchronised, in ms."""
    limits = scenario.get("limits") or {}
    return float(limits.get("lag_max_ms", LAG_MAX_MS))
