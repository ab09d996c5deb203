"""Limits on the distribution of bad debt: met, violated or undecided, by the interval.

Of a quantity estimated from runs only an interval decides: a limit is met if the whole interval is
within it, violated if the whole interval is beyond it, and else undecided. Where all runs have the
same loss, that loss decides, and the reason says how probable a greater one is at most.
"""

from __future__ import annotations

import difflib
import math
from collections.abc import Mapping, Sequence
from typing import Final

from surgetank.catalogue import RISK_LIMITS, title_of
from surgetank.errors import SurgetankError
from surgetank.number_format import NBSP, value
from surgetank.risk.estimates import RiskEstimate
from surgetank.verdict import Reason, Status

__all__ = ["check_limits", "judged"]

_WHOLE: Final = tuple(name for name, limit in RISK_LIMITS.items() if not limit.member)


def check_limits(limits: Mapping[str, float]) -> None:
    """Refuses limits that there are not, and numbers that bound nothing.

    Raises:
        SurgetankError: naming the limit, and the nearest that there is.
    """
    for name, number in limits.items():
        if name not in RISK_LIMITS:
            near = difflib.get_close_matches(name, RISK_LIMITS, n=1)
            hint = f"Did you mean {near[0]}?" if near else f"There are {', '.join(_WHOLE)}"
            raise SurgetankError("there is no such limit", place=f"--limit {name}", hint=hint)
        if not (math.isfinite(number) and number >= 0):
            hint = "Give a number of 0 or more"
            raise SurgetankError("is no bound", place=f"--limit {name}={number:g}", hint=hint)


def judged(limits: Mapping[str, float], estimates: Sequence[RiskEstimate]) -> list[Reason]:
    """One reason per limit: PASS, FAIL or UNKNOWN, with the numbers in its text."""
    by_name = {one.name: one for one in estimates}
    return [
        _judged(name, number, by_name[RISK_LIMITS[name].measure]) for name, number in limits.items()
    ]


def _judged(name: str, number: float, found: RiskEstimate) -> Reason:
    bound = RISK_LIMITS[name]
    unit = bound.spec.unit
    title = title_of(bound.measure)
    allowed = f"the limit of at most {value(number, unit)}"
    if found.low is not None and found.low > number:
        text = f"{title}: at least {value(found.low, unit)}, above {allowed}"
        return _reason(name, found, number, Status.FAIL, text)
    if found.value is None:
        text = f"{title}: UNKNOWN, needs at least {found.needed:,} runs; {allowed} is not decided"
        return _reason(name, found, number, Status.UNKNOWN, text)
    measured = f"{title}: {value(found.value, unit)}"
    if found.low is None or found.high is None:
        if found.above is None and bound.spec.name != "bad_debt_largest_usd":
            text = f"{measured} has no interval; {allowed} is not decided"
            return _reason(name, found, number, Status.UNKNOWN, text)
        status = Status.FAIL if found.value > number else Status.PASS
        relation = "above" if status is Status.FAIL else "within"
        text = f"{measured} is {relation} {allowed}; {found.without_interval}"
        return _reason(name, found, number, status, text)
    ends = f"95 % interval {value(found.low, unit)} to {value(found.high, unit)}"
    if found.high <= number:
        return _reason(name, found, number, Status.PASS, f"{measured} ({ends}) is within {allowed}")
    text = f"{measured} ({ends}): {allowed} lies inside the interval; more runs narrow it"
    return _reason(name, found, number, Status.UNKNOWN, text)


def _reason(name: str, found: RiskEstimate, number: float, status: Status, text: str) -> Reason:
    return Reason(name, found.value, number, status, text.replace(NBSP, " "), RISK_LIMITS[name])
