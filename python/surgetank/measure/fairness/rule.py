"""What a fair order found: its own account of cycles, forced pairs and exceptions.

The facts are counts of the whole run (`stats["fair"]`), from the leader that made the order.
"""

from __future__ import annotations

from surgetank.measure.measured import Measure
from surgetank.trace import Trace

__all__ = ["of_the_rule"]

_SHARES = {
    "fair_cycle_share": "share of messages that the rule had to put into a batch of several",
    "fair_unplaced_share": "share of messages that went without a place: too few reported them, "
    "or the leader had them too late",
}


def of_the_rule(trace: Trace) -> list[Measure]:
    """fair_cycle_share, fair_unplaced_share and fair_forced_pairs; none without a fair order."""
    told = trace.stats.get("fair")
    if not told:
        return []
    ordered, unplaced = told["ordered"], told["dropped"] + told["passed_over"]
    parts = {
        "fair_cycle_share": (told["in_cycles"], ordered),
        "fair_unplaced_share": (unplaced, ordered + told["dropped"]),
    }
    notes = {"fair_cycle_share": f"{told['cycles']} batches, the largest of {_largest(told)}"}
    shares = [
        Measure(
            name,
            part / whole if whole else None,
            "1",
            n=whole,
            what=_SHARES[name],
            note=notes.get(name, ""),
        )
        for name, (part, whole) in parts.items()
    ]
    what = "pairs with too few votes in time, decided by the heavier side"
    return [*shares, Measure("fair_forced_pairs", told["forced_pairs"], "count", n=1, what=what)]


def _largest(told: dict[str, int]) -> int:
    return max(told["largest_cycle"], 1)
