"""A run in one sentence, and its timeline."""

from __future__ import annotations

import math
from dataclasses import dataclass, replace
from typing import Final

import polars as pl

from surgetank.measure import FailureKind
from surgetank.measure.liquidations import Timing
from surgetank.number_format import clock, counted, milliseconds, share, usd
from surgetank.report.run_view import RunView, Stress
from surgetank.scenario.faults import KINDS
from surgetank.trace import MarketKind, Outcome
from surgetank.verdict import Status

__all__ = ["Moment", "moments", "sentence"]


_FAILS: Final = {
    FailureKind.TRAILING: "Fault budget used up by trailing nodes",
    FailureKind.DOWN: "Fault budget used up by crashed nodes",
    FailureKind.CUT_OFF: "Fault budget used up by isolated nodes",
    FailureKind.STANDSTILL: "Standstill: messages wait and no node executes",
    FailureKind.STALE: "The executed state is stale",
}


@dataclass(frozen=True)
class Moment:
    """One line of the timeline."""

    at_ns: int
    what: str
    detail: str
    tone: str
    """`asked` (done on purpose), `bad`, `good` or `plain`."""

    @property
    def at(self) -> str:
        """The time as text."""
        return clock(self.at_ns)


def sentence(view: RunView) -> str:
    """The result of the run in one sentence."""
    verdict = view.verdict
    if verdict.status is Status.INVALID:
        broken = next(r for r in verdict.reasons if r.status is Status.INVALID)
        return (
            "The run failed its own checks, so its numbers are not evidence about the layer. "
            f"First failed check: {broken.text}."
        )
    if view.messages.is_empty():
        return "No client message was sent, so nothing was measured."
    parts = [_delay(view), _nodes(view), _liquidations(view), _money(view)]
    text = "; ".join(p for p in parts if p)
    opening = ""
    if verdict.status is Status.UNKNOWN:
        open_still = next(r for r in verdict.reasons if r.status is Status.UNKNOWN)
        opening = f"Not decided: {open_still.text or open_still.title}. "
    closing = ""
    if verdict.left_out:
        names = ", ".join(reason.title for reason in verdict.left_out)
        closing = f" Not judged, because a live target does not provide the data: {names}."
    return f"{opening}{text[:1].upper()}{text[1:]}.{closing}"


def _delay(view: RunView) -> str:
    if not view.trace.orders:
        reach = view.value("propagation_p99_ms")
        if reach is None:
            return "messages were spread but not ordered"
        return f"a message reached 99 % of the nodes within {milliseconds(reach)} in the median"
    p99, limit = view.value("delay_p99_ms"), view.limit("delay_p99_ms")
    bound = "" if limit is None else f" (limit {milliseconds(limit)})"
    if p99 is None:
        return "nothing was executed"
    if math.isinf(p99):
        rows = view.trace.delays()
        missing = rows["delay_ns"].null_count() / max(1, rows.height)
        text = (
            f"{share(missing)} of messages were never executed, so p99 latency is unbounded{bound}"
        )
    elif limit is not None and p99 <= limit:
        return f"the p99 latency stayed at {milliseconds(p99)}{bound}"
    else:
        text = f"the p99 latency reached {milliseconds(p99)}{bound}"
    breach = _first_breach(view)
    if breach is None:
        return text
    return f"{text}, first exceeded by messages sent at {view.since_begin(breach)}"


def _nodes(view: RunView) -> str:
    most = view.value("desynchronised_share_max")
    if most is None:
        return ""
    nodes = view.trace.nodes
    still = sum(b - a for a, b in view.synchrony.standstills) / 1e6
    if still:
        return f"no node executed anything for {milliseconds(still)}, longer than allowed"
    count = view.synchrony.worst["nodes"]
    text, link = f"{count} of {nodes} nodes fell out of step", ", and "
    if not count:
        text, link = f"all {nodes} nodes stayed in step" if nodes > 1 else "", ", but "
    return link.join(part for part in (text, _stale(view)) if part)


def _stale(view: RunView) -> str:
    """The sentence on an executed state that lacked recent outside news though the nodes agreed;
    empty if it did not."""
    stale = view.synchrony.stale
    if not stale:
        return ""
    names = ", ".join(name.replace("-", " ") for name in stale)
    after = milliseconds(view.synchrony.bounds.stale_after_ns / 1e6)
    span = milliseconds(view.synchrony.stale_s() * 1e3)
    return f"the executed state was stale for {span}: it lacked news over {after} old ({names})"


def _liquidations(view: RunView) -> str:
    if view.market.is_empty():
        return ""
    due = view.episodes
    if due.is_empty():
        early = view.liquidated.filter(pl.col("qty") != 0).height
        if not early:
            return "no account became due for liquidation"
        return f"{counted(early, 'liquidation')} of accounts due at the venue's mark only"
    closed = due.filter(pl.col("how") == "liquidated")
    lengths = (closed["ended_ns"] - closed["due_ns"]) / 1e6
    late_after_ms = view.trace.scenario.late_after_ms
    over = lengths.filter(lengths > (math.inf if late_after_ms is None else late_after_ms))
    in_time = closed.height - over.len()
    parts = {
        f"liquidated late{_median(over)}": over.len(),
        "liquidated" if late_after_ms is None else "liquidated in time": in_time,
        "recovered before that": due.filter(pl.col("how") == "recovered").height,
        "never liquidated": due["how"].null_count(),
    }
    said = ", ".join(f"{count:,} {what}" for what, count in parts.items() if count)
    return f"{counted(due.height, 'account')} became due for liquidation: {said}"


def _median(lateness_ms: pl.Series) -> str:
    """The median of late liquidations' times from due to closed, in parentheses."""
    median = lateness_ms.median()
    if not isinstance(median, int | float):
        return ""
    return f" (half of them more than {milliseconds(float(median))} after becoming due)"


def _money(view: RunView) -> str:
    debt = view.value("bad_debt_usd")
    if debt is None:
        return ""
    spent = _exhausted(view)
    fund = f", insurance exhausted at {clock(spent)}" if spent is not None else ""
    short = view.value("uncovered_loss_usd")
    if short:
        booked = usd(debt) if debt else "no"
        more = f"{usd(short)} of negative equity not booked at the end"
        return f"{booked} bad debt booked, and {more}{fund}"
    return f"{usd(debt)} of bad debt{fund}" if debt else f"no bad debt{fund}"


def moments(view: RunView) -> list[Moment]:
    """The timeline: important events in order of time."""
    found = [m for stress in view.stresses for m in _asked(stress, view)]
    found += [*_flow(view), *_synchrony(view), *_solvency(view)]
    trace = view.trace
    if trace.flow_end_ns < trace.end_ns:
        found.append(
            Moment(trace.flow_end_ns, "Flow ends", "messages in transit may finish", "plain")
        )
    if not trace.complete:
        found.append(Moment(trace.end_ns, "Run stopped before its end", "", "bad"))
    if view.verdict.status is Status.INVALID:
        # Nothing is shown as good: the run is no evidence about the layer.
        found = [replace(m, tone="plain") if m.tone == "good" else m for m in found]
    return sorted(found, key=lambda m: m.at_ns)


def _asked(stress: Stress, view: RunView) -> list[Moment]:
    fault = KINDS.get(stress.kind)
    head = "Surge of load" if fault is None else fault.title
    detail = f"stress {stress.letter}: {stress.label}"
    found = [Moment(stress.at_ns, f"{head}: start", detail, "asked")]
    if fault is not None and stress.until_ns < view.end_ns:
        found.append(Moment(stress.until_ns, f"{head}: end", f"stress {stress.letter}", "asked"))
    return found


def _first_breach(view: RunView) -> int | None:
    limit = view.limit("delay_p99_ms")
    if limit is None or not view.trace.orders:
        return None
    rows = _measured_bins(view).filter(pl.col("p99") > limit)
    return int(rows["bin"][0]) if rows.height else None


def _measured_bins(view: RunView) -> pl.DataFrame:
    begin, end = view.trace.measured_from_ns, view.trace.flow_end_ns
    return view.overall.filter(pl.col("bin").is_between(begin, end, closed="left"))


def _flow(view: RunView) -> list[Moment]:
    found: list[Moment] = []
    limit, breach = view.limit("delay_p99_ms"), _first_breach(view)
    if breach is not None and limit is not None:
        detail = f"for messages sent in that {milliseconds(view.step_ns / 1e6)}"
        what = f"p99 latency exceeds {milliseconds(limit)}"
        # In a bin of few messages p99 is the longest latency, which may exceed the limit though
        # the run's does not.
        p99 = view.value("delay_p99_ms")
        held = p99 is not None and p99 <= limit
        found.append(Moment(breach, what, detail, "plain" if held else "bad"))
        rows = _measured_bins(view)
        over = rows.filter(pl.col("p99") > limit)["bin"].max()
        after = rows.filter(pl.col("bin") > over)
        if after.height >= 3:
            what = f"p99 latency back under {milliseconds(limit)}"
            found.append(Moment(int(after["bin"][0]), what, "and stays below", "good"))
    refused = view.trace["messages"].filter(pl.col("outcome") == Outcome.REFUSED)
    if refused.height:
        first = refused.sort("created_ns")["created_ns"][0]
        detail = f"{refused.height:,} in all"
        found.append(Moment(int(first), "First message finally refused", detail, "bad"))
    return found


def _synchrony(view: RunView) -> list[Moment]:
    found = [
        Moment(f.first_ns, _FAILS[f.kind], f"{milliseconds(f.total_s * 1e3)} in all", "bad")
        for f in view.synchrony.failures
    ]
    episodes = view.synchrony.episodes()
    if not episodes:
        return found
    steps = view.synchrony.steps
    out = steps.filter(pl.col("nodes") > 0)
    nodes = view.trace.nodes
    worst = view.synchrony.worst
    first = out.row(0, named=True)
    kinds = [kind for kind in ("down", "cut_off", "trailing", "standstill") if first[kind]]
    detail = ", ".join(kind.replace("_", " ") for kind in kinds)
    if first["trailing"]:
        detail += f": lag beyond {milliseconds(view.lag_max_ns / 1e6)}"
    length = milliseconds(sum(until - begin for begin, until in episodes) / 1e6)
    count = len(episodes)
    detail += f"; in all {length}, in {counted(count, 'episode')}"
    found.append(Moment(first["time_ns"], "First node out of step", detail, "bad"))
    if worst["time_ns"] != out["time_ns"][0]:
        text = f"{worst['nodes']} of {nodes} nodes out of step"
        found.append(Moment(worst["time_ns"], text, "the most at one time", "bad"))
    if episodes[-1][1] < view.trace.end_ns:
        found.append(Moment(episodes[-1][1], "All nodes back in step", "", "good"))
    return found


def _solvency(view: RunView) -> list[Moment]:
    found: list[Moment] = []
    rows = view.liquidated
    late = rows.filter(pl.col("timing") == Timing.LATE)
    if view.episodes.height:
        detail = f"{view.episodes.height:,} in all"
        at = int(view.episodes["due_ns"][0])
        found.append(Moment(at, "First account due for liquidation", detail, "plain"))
    if rows.height:
        closed = rows.filter(pl.col("qty") != 0)
        if closed.height:
            detail = f"{closed.height:,} in all"
            found.append(Moment(int(closed["time_ns"][0]), "First liquidation", detail, "plain"))
    if late.height:
        detail = f"{milliseconds(late['delay_ns'][0] / 1e6)} after it was due"
        found.append(Moment(int(late["time_ns"][0]), "First late liquidation", detail, "bad"))
    debt = view.facts(MarketKind.BAD_DEBT)
    if debt.height:
        total = usd(float(debt["amount"].abs().sum()) * view.quantum_usd)
        found.append(Moment(int(debt["time_ns"][0]), "First bad debt", f"{total} in all", "bad"))
    spent = _exhausted(view)
    if spent is not None:
        detail = f"{usd(view.insurance_usd)} at the start" if view.insurance_usd else ""
        found.append(Moment(spent, "Insurance fund exhausted", detail, "bad"))
    against = view.facts(MarketKind.DELEVERAGED)
    if against.height:
        detail = f"{counted(against.height, 'position')} in all"
        found.append(Moment(int(against["time_ns"][0]), "First deleveraging", detail, "bad"))
    return found


def _exhausted(view: RunView) -> int | None:
    changes = view.insurance.filter((pl.col("usd") <= 0) & (pl.col("time_ns") > 0))
    return int(changes["time_ns"][0]) if changes.height else None
