"""The numbers of a run's synchrony."""

from __future__ import annotations

from typing import Final

from surgetank.measure.measured import Measure
from surgetank.measure.synchrony import trailing, view
from surgetank.measure.synchrony.budget import BUDGET, Synchrony

__all__ = ["synchrony"]

_MS: Final = 1e6

_UNSEEN: Final = (
    *("desynchronised_share_max", "fault_budget_left"),
    *("desynchronised_node_seconds", "half_budget_s", "systemic_desync_s"),
)


def synchrony(found: Synchrony) -> list[Measure]:
    """Nodes out of step, fault budget, standstill, divergence of view and age of the state."""
    return [*_nodes(found), *_view(found), *_state(found)]


def _nodes(found: Synchrony) -> list[Measure]:
    trace = found.trace
    if not trace.orders and trace["receipts"].is_empty():
        return []
    if _nothing_seen(found):
        if trace.stats.live is not None:
            return []  # no data at all, so no measure, rather than one without a value
        note = "the trace does not record what each node has"
        return [Measure(name, None, note=note) for name in _UNSEEN]
    share = float(found.steps["share"].to_numpy().max())
    begin = trace.measured_from_ns
    still = sum(max(0, b - max(a, begin)) for a, b in found.standstills) / 1e9
    rows = {
        "desynchronised_share_max": share,
        "desynchronised_node_seconds": found.node_seconds(),
        "fault_budget_left": BUDGET - share,
        "half_budget_s": found.used_s(0.5),
        "systemic_desync_s": found.used_s(),
        "standstill_s": still,
    }
    if not trace["executions"].is_empty():
        rows["lag_max_ms"] = trailing.longest_ns(trace) / _MS
    if trace.stats.live is not None and trace.nodes == 1:
        # The only node of a live target cannot fall behind another.
        rows = {name: value for name, value in rows.items() if name not in _UNSEEN}
    notes = {"standstill_s": f"limits.lag_max_ms is {found.bounds.lag_max_ns / _MS:g}"}
    return [
        Measure(name, value, n=trace.nodes, note=notes.get(name, ""))
        for name, value in rows.items()
    ]


def _nothing_seen(found: Synchrony) -> bool:
    """Whether nodes cannot be observed separately: no messages, or a live target."""
    trace = found.trace
    seen = trace["executions"].height or trace["receipts"].height
    blank = trace.stats.live is not None or trace["messages"].is_empty()
    return blank and not (seen or trace["faults"].height)


def _view(found: Synchrony) -> list[Measure]:
    rows, nodes = found.in_view, found.trace.nodes
    share = view.divergence(rows, nodes)
    if share is None or nodes < 2:
        return []
    n = len(rows.known_ns)
    apart = view.longest_apart_ns(rows) / _MS
    return [
        Measure("view_divergence_share", share, n=n),
        Measure("view_lag_max_ms", apart, n=n),
    ]


def _state(found: Synchrony) -> list[Measure]:
    begin, end = found.trace.measured_from_ns, found.trace.flow_end_ns
    if not found.ages or begin >= end:
        return []
    after = found.bounds.stale_after_ns / _MS
    note = f"limits.stale_after_ms is {after:g}"
    rows = [Measure("stale_s", found.stale_s(), n=len(found.ages), note=note)]
    for name, lacked in found.ages.items():
        n = int(((lacked.up_ns >= begin) & (lacked.up_ns < end)).sum())
        for word, q in (("p50", 0.5), ("p99", 0.99)):
            age = lacked.quantile_ns(q, begin, end) / _MS
            rows.append(Measure(f"state_age_{word}_ms.{name}", age, n=n))
        longest = lacked.longest_ns(begin, end) / _MS
        rows.append(Measure(f"state_age_max_ms.{name}", longest, n=n))
    return rows
