"""Statistics of a fair order (themis, median): cycles, forced pairs and exceptions.

The facts are counts of the whole run (`stats.fair`), from the leader that made the order.
"""

from __future__ import annotations

from surgetank.measure.measured import Measure
from surgetank.trace import Trace

__all__ = ["of_the_rule"]


def of_the_rule(trace: Trace) -> list[Measure]:
    """fair_cycle_share, fair_unplaced_share, fair_forced_pairs, fair_order_breaks and
    fair_forged_reports; none without a fair order."""
    counts = trace.stats.fair
    if counts is None:
        return []
    ordered, unplaced = counts.ordered, counts.dropped + counts.passed_over
    parts = {
        "fair_cycle_share": (counts.in_cycles, ordered),
        "fair_unplaced_share": (unplaced, ordered + counts.dropped),
    }
    cycles = counts.cycles
    text = (
        f"{cycles} batches, the largest of {max(counts.largest_cycle, 1)}"
        if cycles
        else "no batch of several"
    )
    notes = {"fair_cycle_share": text}
    shares = [
        Measure(
            name,
            part / whole if whole else None,
            n=whole,
            note=notes.get(name, ""),
        )
        for name, (part, whole) in parts.items()
    ]
    forged = counts.unsigned + counts.rewritten
    return [
        *shares,
        Measure("fair_forced_pairs", counts.forced_pairs, n=1),
        Measure(
            "fair_order_breaks",
            counts.order_breaks,
            n=ordered,
            note="" if _is_checked(trace) else "only the order of `themis` is checked",
        ),
        Measure("fair_forged_reports", forged, n=counts.reports),
    ]


def _is_checked(trace: Trace) -> bool:
    return trace.scenario.layer.queue.order == "themis"
