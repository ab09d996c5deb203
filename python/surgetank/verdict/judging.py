"""From measures and limits to a verdict, with reasons.

INVALID beats FAIL beats UNKNOWN beats PASS: a run that did not do what was asked says nothing about
the layer, however good or bad its numbers; a limit broken is broken whatever else is unknown.
"""

from __future__ import annotations

import dataclasses
import difflib
import math
import re
from collections.abc import Mapping
from dataclasses import dataclass
from enum import StrEnum
from typing import Any, Final

from surgetank.errors import EXIT_STOPPED
from surgetank.measure import Measure, Measures, measure
from surgetank.measure.statistics import samples_needed
from surgetank.scenario.limits import Limits
from surgetank.trace import Trace
from surgetank.verdict.validity import Check, checks

__all__ = ["EXIT_CODES", "NOT_LIMITS", "Reason", "Status", "Verdict", "judge"]


class Status(StrEnum):
    """What a run, or one reason, comes to."""

    PASS = "PASS"
    FAIL = "FAIL"
    INVALID = "INVALID"
    UNKNOWN = "UNKNOWN"


EXIT_CODES: Final[Mapping[Status, int]] = {
    Status.PASS: 0,
    Status.FAIL: 1,
    Status.INVALID: 3,
    Status.UNKNOWN: EXIT_STOPPED,
}
"""Exit code of the command line; 2 is wrong usage."""

NOT_LIMITS: Final = frozenset({"lag_max_ms", "stale_after_ms", "unmeasured"})
"""Keys of `limits` that bound no measure."""

#: What messages under way may take where the scenario does not say: the default of `drain_s`.
_DRAIN_S: Final = 10.0

_WORST: Final = (Status.INVALID, Status.FAIL, Status.UNKNOWN, Status.PASS)


@dataclass(frozen=True)
class Reason:
    """One thing that was judged."""

    name: str
    """The limit (`delay_p99_ms_max`), or the check of the run (`money_conserved`)."""
    measured: float | None
    limit: float | None
    status: Status
    text: str
    unit: str = ""
    """Of both numbers."""
    of_run: bool = False
    """A check of the run itself, and no limit: its numbers say how it was made."""
    of_generator: bool = False
    """Of those: whether a live run's own generator could make the load."""
    inside: bool = False
    """The limit held, and lies inside the measure's interval."""

    @property
    def ok(self) -> bool:
        """Whether it held."""
        return self.status is Status.PASS

    def to_dict(self) -> dict[str, Any]:
        """Plain values for JSON; an infinite number becomes the text "inf"."""
        measured = "inf" if self.measured == math.inf else self.measured
        told = {"name": self.name, "measured": measured, "limit": self.limit}
        return told | {"status": str(self.status), "text": self.text}


@dataclass(frozen=True)
class Verdict:
    """What a run comes to, and why: checks of the run first, then one reason per limit."""

    status: Status
    reasons: tuple[Reason, ...]
    left_out: tuple[Reason, ...] = ()
    """Limits that were not judged: a live target has no facts for them. UNKNOWN each, and without
    weight in the status."""

    @property
    def exit_code(self) -> int:
        """0 PASS, 1 FAIL, 3 INVALID, 4 UNKNOWN."""
        return EXIT_CODES[self.status]

    @property
    def broken(self) -> tuple[Reason, ...]:
        """The reasons that did not hold."""
        return tuple(r for r in self.reasons if not r.ok)

    def to_dict(self) -> dict[str, Any]:
        """Plain values for JSON; an infinite number becomes the text "inf"."""
        return {
            "status": str(self.status),
            "exit_code": self.exit_code,
            "reasons": [r.to_dict() for r in self.reasons],
            "left_out": [r.to_dict() for r in self.left_out],
        }


def judge(measures: Measures, limits: Mapping[str, float | None], trace: Trace) -> Verdict:
    """The verdict on a run.

    A limit is the name of a measure with `_max` or `_min` behind it, or behind the part before its
    first dot (`delay_p99_ms_max.cancel`); a measure whose name ends in `_max` needs no second one.
    A limit of None is not set. A value beyond the limit FAILs, an infinite quantile included. The
    limit is UNKNOWN if nothing was measured, or if a quantile has fewer observations than
    `samples_needed`; unless even the near end of its interval is beyond the limit, which FAILs.

    Of a live run, limits without a measure are left out and named, unless the scenario's
    `limits.unmeasured` is `unknown`; if that leaves no limit, the verdict is UNKNOWN.

    Of a run that was stopped, messages under way are no failure: a limit FAILs only if it is broken
    by the messages that had the scenario's `drain_s` to finish, too, and surely so where there is
    an interval.
    """
    reasons = [_from_check(check) for check in checks(trace)]
    if not trace.complete:
        text = "the run was stopped before its end; its numbers cover a part of it"
        reasons.append(Reason("complete", None, None, Status.UNKNOWN, text))
    asked = {k: float(v) for k, v in limits.items() if v is not None and k not in NOT_LIMITS}
    live = "live" in trace.stats
    reasons += [_judge_limit(name, limit, measures, live=live) for name, limit in asked.items()]
    if not trace.complete:
        reasons = _with_time_to_finish(reasons, trace)
    left_out = _left_out(reasons, asked, measures, trace)
    reasons = [reason for reason in reasons if reason not in left_out]
    found = {r.status for r in reasons}
    status = next((s for s in _WORST if s in found), Status.PASS)
    if left_out and status is Status.PASS and not any(r.name in asked for r in reasons):
        status = Status.UNKNOWN  # nothing that was asked for could be judged
    return Verdict(status, tuple(reasons), left_out)


def _left_out(
    reasons: list[Reason], asked: Mapping[str, float], measures: Measures, trace: Trace
) -> tuple[Reason, ...]:
    """Limits of a live run that no live target can be held to, unless they were insisted on."""
    limits = trace.scenario.get("limits") or {}
    if "live" not in trace.stats or limits.get("unmeasured") == "unknown":
        return ()
    return tuple(
        r
        for r in reasons
        if r.name in asked and _is_limit(r.name) and _resolve(r.name, measures) is None
    )


def _is_limit(name: str) -> bool:
    """Whether a scenario may set this limit: one that is misspelt is not left out in silence."""
    return name.partition(".")[0] in Limits.model_fields


def _with_time_to_finish(reasons: list[Reason], trace: Trace) -> list[Reason]:
    """What FAILs in a stopped run, judged anew on the messages that had the time to finish."""
    if all(reason.status is not Status.FAIL for reason in reasons):
        return reasons
    drain_s = float(trace.scenario.get("drain_s", _DRAIN_S))
    until_ns = min(trace.flow_end_ns, trace.end_ns - round(drain_s * 1e9))
    old: Measures | None = None
    if until_ns > trace.measured_from_ns:
        old = measure(dataclasses.replace(trace, stats={**trace.stats, "flow_end_ns": until_ns}))
    return [_of_the_old(r, old, drain_s) if r.status is Status.FAIL else r for r in reasons]


def _of_the_old(reason: Reason, old: Measures | None, drain_s: float) -> Reason:
    found = None if old is None else _resolve(reason.name, old)
    if found is not None and reason.limit is not None:
        m, least = found
        sure = [m.value] if m.low is None or m.high is None else [m.value, m.low, m.high]
        if all(x is not None and _beyond(x, reason.limit, least) for x in sure):
            return reason
    text = f"{reason.text}; not told by the messages that had {drain_s:g} s to finish"
    return dataclasses.replace(reason, status=Status.UNKNOWN, text=text)


def _beyond(value: float, limit: float, least: bool) -> bool:
    return value < limit if least else value > limit


def _from_check(check: Check) -> Reason:
    status = Status.PASS if check.ok else Status.INVALID
    return Reason(
        check.name,
        check.measured,
        check.asked,
        status,
        check.text,
        of_run=True,
        of_generator=check.of_generator,
    )


def _judge_limit(name: str, limit: float, measures: Measures, *, live: bool) -> Reason:
    found = _resolve(name, measures)
    if found is None and live and _is_limit(name):
        text = f"{name}: a live target has no facts to measure this; simulate to judge it"
        return Reason(name, None, limit, Status.UNKNOWN, text)
    if found is None:
        near = difflib.get_close_matches(name, [f"{m}_max" for m in measures], n=1)
        hint = f"; did you mean {near[0]}?" if near else ""
        if _is_limit(name):
            hint = "; the scenario lacks what it is of, such as a [market]"
        text = f"{name}: this run has no such measure{hint}"
        return Reason(name, None, limit, Status.UNKNOWN, text)
    m, least = found
    if m.value is None or math.isnan(m.value):
        text = f"{m.name} could not be measured: {m.note or 'no data'}"
        return Reason(name, None, limit, Status.UNKNOWN, text, m.unit)
    broken = _beyond(m.value, limit, least)
    near_end = m.high if least else m.low
    surely = broken and near_end is not None and _beyond(near_end, limit, least)
    text = f"{_said(m)} is {_relation(broken, least)} {limit:g}{_unit(m)}"
    inside = not broken and m.low is not None and m.high is not None and m.low <= limit < m.high
    if inside:
        text += "; the limit lies inside the interval"
    needed = _needed(m.name)
    if m.n < needed and not surely:
        text += f"; too few observations to tell ({m.n} of at least {needed})"
        return Reason(name, m.value, limit, Status.UNKNOWN, text, m.unit, inside=inside)
    status = Status.FAIL if broken else Status.PASS
    return Reason(name, m.value, limit, status, text, m.unit, inside=inside)


def _resolve(name: str, measures: Measures) -> tuple[Measure, bool] | None:
    """The measure that a limit bounds, and whether it bounds it from below."""
    head, dot, tail = name.partition(".")
    for end, least in (("_max", False), ("_min", True)):
        for stem in (
            name.removesuffix(end) if name.endswith(end) else None,
            head.removesuffix(end) + dot + tail if head.endswith(end) else None,
        ):
            if stem is not None and stem in measures:
                return measures[stem], least
    return (measures[name], False) if head.endswith("_max") and name in measures else None


def _needed(name: str) -> int:
    found = re.search(r"_p(\d+)_", name)
    return samples_needed(int(found[1]) / 10 ** len(found[1])) if found else 0


def _said(m: Measure) -> str:
    text = f"{m.name} {m.value:.6g}{_unit(m)}"
    if m.low is not None and m.high is not None:
        text += f" (95% interval {m.low:.6g} to {m.high:.6g}, n = {m.n})"
    return text


def _unit(m: Measure) -> str:
    return "" if m.unit in ("1", "count") else f" {m.unit}"


def _relation(broken: bool, least: bool) -> str:
    if broken:
        return "below the least allowed" if least else "above the most allowed"
    return "at least" if least else "at most"
