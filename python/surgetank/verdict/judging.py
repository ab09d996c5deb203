"""Judges measures against limits: a verdict with reasons.

INVALID takes precedence over FAIL, FAIL over UNKNOWN, and UNKNOWN over PASS: a run that fails its
own checks is no evidence about the layer, whatever its numbers, and a violated limit is a FAIL
whatever is unknown.
"""

from __future__ import annotations

import dataclasses
import difflib
import math
from collections.abc import Mapping
from dataclasses import dataclass
from enum import StrEnum
from typing import Any, Final

from surgetank.catalogue import LIMITS, Limit, LimitSide, title_of
from surgetank.errors import EXIT_STOPPED
from surgetank.measure import Measure, Measures, measure
from surgetank.measure.statistics import samples_needed
from surgetank.number_format import NBSP, apart, value
from surgetank.trace import Trace
from surgetank.verdict.validity import Check, CheckKind, checks

__all__ = ["EXIT_CODES", "NO_LIMITS", "Reason", "Status", "Verdict", "judge"]

NO_LIMITS: Final = "No limits are set: only the run's validity was checked"
"""What a verdict on a run without limits means."""


class Status(StrEnum):
    """The status of a run, or of one reason."""

    PASS = "PASS"
    FAIL = "FAIL"
    INVALID = "INVALID"
    UNKNOWN = "UNKNOWN"
    NO_LIMIT = "NO LIMIT"
    """A valid answer about risk that was compared with no limit."""


EXIT_CODES: Final[Mapping[Status, int]] = {
    Status.PASS: 0,
    Status.FAIL: 1,
    Status.INVALID: 3,
    Status.UNKNOWN: EXIT_STOPPED,
    Status.NO_LIMIT: 0,
}
"""Exit code of the command line; 2 is wrong usage."""

_WORST: Final = (Status.INVALID, Status.FAIL, Status.UNKNOWN, Status.PASS)


@dataclass(frozen=True)
class Reason:
    """A limit or check that was judged, with its result."""

    name: str
    """The limit (`delay_p99_ms_max`), or the check of the run (`money_conserved`)."""
    measured: float | None
    limit: float | None
    status: Status
    text: str
    bound: Limit | None = None
    """The limit, if it is in the catalogue."""
    check: CheckKind | None = None
    """The kind of check, if it is a check of the run itself and no limit."""
    of: str = ""
    """The instance that a check is of, in words: `slow, faults[0]`, or a process."""
    inside: bool = False
    """The limit lies inside the measure's interval, so that another seed may decide otherwise."""
    why: str = ""
    """Why the limit's measure has no value; `text` without the title."""

    @property
    def unit(self) -> str:
        """The unit of both numbers of a limit."""
        return self.bound.spec.unit if self.bound else ""

    @property
    def title(self) -> str:
        """The title, for a heading."""
        if self.bound is not None:
            return title_of(self.bound.measure)
        return self.check.title_of(self.of) if self.check else self.name

    @property
    def ok(self) -> bool:
        """Whether it passed."""
        return self.status is Status.PASS

    def to_dict(self) -> dict[str, Any]:
        """Plain values for JSON; an infinite number becomes the text "inf"."""
        measured = "inf" if self.measured == math.inf else self.measured
        return {
            "name": self.name,
            "measure": self.bound and self.bound.measure,
            "check": self.check,
            "measured": measured,
            "limit": self.limit,
            "unit": self.unit,
            "status": str(self.status),
            "text": self.text,
        }


@dataclass(frozen=True)
class Verdict:
    """The status of a run, and why: checks of the run first, then one reason per limit."""

    status: Status
    reasons: tuple[Reason, ...]
    left_out: tuple[Reason, ...] = ()
    """Limits that were not judged: a live target has no data for them. UNKNOWN each, without
    effect on the status."""

    def __repr__(self) -> str:
        why = "; ".join(one.text for one in self.reasons if one.status is not Status.PASS)
        return f"<Verdict {self.status}{f': {why}' if why else ''}>"

    @property
    def exit_code(self) -> int:
        """0 PASS or NO LIMIT, 1 FAIL, 3 INVALID, 4 UNKNOWN."""
        return EXIT_CODES[self.status]

    @property
    def without_limits(self) -> bool:
        """Whether the scenario sets no limit, so that only the run's validity was checked."""
        return not self.left_out and all(reason.check for reason in self.reasons)

    @property
    def failed(self) -> tuple[Reason, ...]:
        """Checks and limits that did not pass."""
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

    A limit is one of `surgetank.catalogue.LIMITS`: the name of a measure with `_max` or `_min`
    behind it, before the dot of a class or resource (`delay_p99_ms_max.cancel`); a measure whose
    name ends in `_max` needs no second one. A limit of None is not set. A value beyond the limit
    FAILs, an infinite quantile included. The limit is UNKNOWN if nothing was measured, or if a
    quantile has fewer observations than `samples_needed`; unless even the near end of its interval
    is beyond the limit, which FAILs.

    Of a live run, limits without a measure are left out and named, unless the scenario's
    `limits.unmeasured` is `unknown`; if that leaves no limit, the verdict is UNKNOWN.

    Of a run that was stopped, messages in transit are no failure: a limit FAILs only if it is
    violated by the messages that had the scenario's `drain_s` to finish, too, and surely so where
    there is an interval.
    """
    reasons = [_from_check(check) for check in checks(trace)]
    if not trace.complete:
        text = "the run was stopped before its end; its numbers cover a part of it"
        kind = CheckKind.COMPLETE
        reasons.append(Reason(kind, None, None, Status.UNKNOWN, text, check=kind))
    asked = {name: float(number) for name, number in limits.items() if number is not None}
    live = trace.stats.live is not None
    reasons += [_judge_limit(name, number, measures, live=live) for name, number in asked.items()]
    if not trace.complete:
        reasons = _with_time_to_finish(reasons, trace)
    left_out = _left_out(reasons, measures, trace)
    reasons = [reason for reason in reasons if reason not in left_out]
    found = {r.status for r in reasons}
    status = next((s for s in _WORST if s in found), Status.PASS)
    if left_out and status is Status.PASS and not any(r.name in asked for r in reasons):
        status = Status.UNKNOWN  # no limit could be judged
    return Verdict(status, tuple(reasons), left_out)


def _left_out(reasons: list[Reason], measures: Measures, trace: Trace) -> tuple[Reason, ...]:
    """Limits of a live run that no live target can be judged by, unless the scenario requires
    them."""
    if trace.stats.live is None or trace.scenario.limits.unmeasured == "unknown":
        return ()
    # A misspelt limit has no `bound`, and is not left out silently.
    return tuple(r for r in reasons if r.bound is not None and r.bound.measure not in measures)


def _with_time_to_finish(reasons: list[Reason], trace: Trace) -> list[Reason]:
    """The reasons of a stopped run, with its FAILs judged again on the messages that had time to
    finish."""
    if all(reason.status is not Status.FAIL for reason in reasons):
        return reasons
    drain_s = trace.scenario.drain_s
    until_ns = min(trace.flow_end_ns, trace.end_ns - round(drain_s * 1e9))
    old: Measures | None = None
    if until_ns > trace.measured_from_ns:
        stats = dataclasses.replace(trace.stats, flow_end_ns=until_ns)
        old = measure(dataclasses.replace(trace, stats=stats))
    return [_of_the_old(r, old, drain_s) if r.status is Status.FAIL else r for r in reasons]


def _of_the_old(reason: Reason, old: Measures | None, drain_s: float) -> Reason:
    bound = reason.bound
    if old is not None and bound is not None and reason.limit is not None:
        m = old.get(bound.measure)
        ends = [] if m is None else [x for x in (m.value, m.low, m.high) if x is not None]
        if ends and all(bound.violated(x, reason.limit) for x in ends):
            return reason
    text = f"{reason.text}; not decided by the messages that had {drain_s:g} s to finish"
    return dataclasses.replace(reason, status=Status.UNKNOWN, text=text)


def _from_check(check: Check) -> Reason:
    status = Status.PASS if check.ok else Status.INVALID
    return Reason(
        check.name,
        check.measured,
        check.asked,
        status,
        check.text,
        check=check.kind,
        of=check.instance,
    )


def _judge_limit(name: str, number: float, measures: Measures, *, live: bool) -> Reason:
    bound = LIMITS.get(name)
    if bound is None or bound.measure not in measures:
        title = title_of(bound.measure) if bound else name
        why = _unmeasured(name, bound, live=live)
        return Reason(name, None, number, Status.UNKNOWN, f"{title}: {why}", bound, why=why)
    m = measures[bound.measure]
    if m.value is None or math.isnan(m.value):
        why = f"could not be measured: {m.note or 'no data'}"
        text = f"{title_of(m.name)} {why}"
        return Reason(name, None, number, Status.UNKNOWN, text, bound, why=why)
    violated = bound.violated(m.value, number)
    near_end = m.high if bound.side is LimitSide.LEAST else m.low
    surely = violated and near_end is not None and bound.violated(near_end, number)
    text = _compared(m, m.value, number, bound)
    inside = m.low is not None and m.high is not None and m.low <= number < m.high
    if violated:
        inside = m.low is not None and m.high is not None and m.low < number <= m.high
    if inside:
        text += "; the limit lies inside the interval"
        text += ": another seed or a longer run may meet it" if violated else ""
    needed = samples_needed(bound.spec.quantile) if bound.spec.quantile else 0
    if m.n < needed and not surely:
        text += f"; too few observations ({m.n} of at least {needed})"
        return Reason(name, m.value, number, Status.UNKNOWN, text, bound, inside=inside)
    status = Status.FAIL if violated else Status.PASS
    return Reason(name, m.value, number, status, text, bound, inside=inside)


def _unmeasured(name: str, bound: Limit | None, *, live: bool) -> str:
    """Why a run has no measure for a limit."""
    if bound is None:
        near = difflib.get_close_matches(name, LIMITS, n=1)
        return "there is no such limit" + (f"; did you mean {near[0]}?" if near else "")
    if live:
        return "a live target has no data for this; simulate to judge it"
    if bound.spec.live_only:
        return "only a live target measures this; run the scenario with --target"
    return "this run has no such measure; the scenario lacks the section for it, such as [market]"


def _compared(m: Measure, measured: float, number: float, bound: Limit) -> str:
    """A measured value, its interval, and on which side of the limit it is."""
    value_text, limit_text = apart(measured, number, m.unit)
    text = f"{title_of(m.name)}: {value_text}"
    if m.low is not None and m.high is not None:
        text += f" (95{NBSP}% interval {value(m.low, m.unit)} to {value(m.high, m.unit)}, "
        text += f"n = {m.n:,})"
    if not bound.violated(measured, number):
        relation = f"within the limit of {bound.side.phrase} {limit_text}"
    elif bound.side is LimitSide.LEAST:
        relation = f"below the limit of {limit_text}"
    else:
        relation = f"above the limit of {limit_text}"
    return f"{text} is {relation}".replace(NBSP, " ")
