"""The numbers of a run's synchrony."""

from __future__ import annotations

from typing import Final

from surgetank.measure.measured import Measure
from surgetank.measure.synchrony import behind, view
from surgetank.measure.synchrony.budget import BUDGET, Synchrony

__all__ = ["synchrony"]

_MS: Final = 1e6

_UNSEEN: Final = {"desynchronised_share_max": "1", "fault_budget_left": "1"} | dict.fromkeys(
    ("desynchronised_node_seconds", "half_budget_s", "systemic_desync_s"), "s"
)


def synchrony(found: Synchrony) -> list[Measure]:
    """Nodes out of step, fault budget, standstill, divergence of view and age of the state."""
    return [*_nodes(found), *_view(found), *_state(found)]


def _nodes(found: Synchrony) -> list[Measure]:
    trace, most = found.trace, found.bounds.lag_max_ns / _MS
    if not trace.orders and trace["receipts"].is_empty():
        return []
    if _nothing_seen(found):
        if "live" in trace.stats:
            return []  # no facts at all, so no measure: another thing than one without a value
        note = "nothing tells what each node has"
        return [Measure(name, None, unit, note=note) for name, unit in _UNSEEN.items()]
    share = float(found.steps["share"].to_numpy().max())
    begin = trace.measured_from_ns
    still = sum(max(0, b - max(a, begin)) for a, b in found.standstills) / 1e9
    rows = [
        ("desynchronised_share_max", share, "1", "most weight out of step at once"),
        ("desynchronised_node_seconds", found.node_seconds(), "s", "time out of step, over nodes"),
        ("fault_budget_left", BUDGET - share, "1", "a third less the weight out of step"),
        ("half_budget_s", found.used_s(0.5), "s", "time with half of the fault budget used up"),
        ("systemic_desync_s", found.used_s(), "s", "time with all of the fault budget used up"),
        (
            "standstill_s",
            still,
            "s",
            f"time in which nobody executed anything for over {most:g} ms beyond the expected "
            "interval, though messages waited",
        ),
    ]
    if not trace["executions"].is_empty():
        lag = behind.longest_ns(trace) / _MS
        rows.append(("lag_max_ms", lag, "ms", "longest that any node trailed the first one"))
    return [
        Measure(name, value, unit, n=trace.nodes, what=what) for name, value, unit, what in rows
    ]


def _nothing_seen(found: Synchrony) -> bool:
    """Whether nodes cannot be told apart: no messages, or a live target that shows nothing else."""
    trace = found.trace
    seen = trace["executions"].height or trace["receipts"].height
    blank = "live" in trace.stats or trace["messages"].is_empty()
    return blank and not (seen or trace["faults"].height)


def _view(found: Synchrony) -> list[Measure]:
    rows, nodes = found.known, found.trace.nodes
    share = view.divergence(rows, nodes)
    if share is None or nodes < 2:
        return []
    n = len(rows.known_ns)
    lacking = "messages known and not yet executed that a node lacked, over all nodes and time"
    longest = "longest that a node lacked a message that another knew and nobody had executed"
    apart = view.longest_apart_ns(rows) / _MS
    return [
        Measure("view_divergence_share", share, "1", n=n, what=lacking),
        Measure("view_lag_max_ms", apart, "ms", n=n, what=longest),
    ]


def _state(found: Synchrony) -> list[Measure]:
    begin, end = found.trace.measured_from_ns, found.trace.flow_end_ns
    if not found.ages or begin >= end:
        return []
    after = found.bounds.stale_after_ns / _MS
    text = f"time in which the executed state lacked news of a class for over {after:g} ms"
    rows = [Measure("stale_s", found.stale_s(), "s", n=len(found.ages), what=text)]
    for name, lacked in found.ages.items():
        n = int(((lacked.up_ns >= begin) & (lacked.up_ns < end)).sum())
        for word, q in (("p50", 0.5), ("p99", 0.99)):
            what = f"the executed state lacked {name} news for at most this long, {word} over time"
            age = lacked.quantile_ns(q, begin, end) / _MS
            rows.append(Measure(f"state_age_{word}_ms.{name}", age, "ms", n=n, what=what))
        what = f"the longest that the executed state lacked {name} news"
        longest = lacked.longest_ns(begin, end) / _MS
        rows.append(Measure(f"state_age_max_ms.{name}", longest, "ms", n=n, what=what))
    return rows
