"""Comparison of two search results: the ratio of their estimates and its significance."""

from __future__ import annotations

import math
from dataclasses import dataclass
from statistics import NormalDist
from typing import Any

from surgetank.errors import SurgetankError
from surgetank.search.answer import Answer
from surgetank.search.find import Question

__all__ = ["Against", "against", "check_baseline"]

_Z: float = NormalDist().inv_cdf(0.975)


@dataclass(frozen=True)
class Against:
    """Answer b against answer a."""

    a: Answer
    b: Answer
    ratio: float | None
    """Estimate of b over that of a."""
    ratio_low: float | None
    ratio_high: float | None
    incomparable: str
    """Why the two cannot be compared; empty if they can."""

    @property
    def significant(self) -> bool | None:
        """Whether the 95 % interval of the ratio excludes 1."""
        if self.ratio_low is None or self.ratio_high is None:
            return None
        return not self.ratio_low <= 1 <= self.ratio_high

    def p_fell(self, share: float) -> float | None:
        """p-value of "b is not worse than a by more than `share`": one-sided z on ln(ratio). Worse
        is lower, or, where the low end fails (`Answer.falling`), higher."""
        errors = self.a.log_error(), self.b.log_error()
        if self.ratio is None or errors[0] is None or errors[1] is None:
            return None
        error = math.hypot(errors[0], errors[1])
        better = -math.log(self.ratio) if self.b.falling else math.log(self.ratio)
        z = (better - math.log1p(-share)) / max(error, 1e-12)
        return NormalDist().cdf(z)

    def to_dict(self) -> dict[str, Any]:
        """Plain values for JSON."""
        return {
            "find": self.b.find,
            "unit": self.b.unit,
            "a": self.a.estimate,
            "b": self.b.estimate,
            "ratio": self.ratio,
            "ratio_low": self.ratio_low,
            "ratio_high": self.ratio_high,
            "significant": self.significant,
            "most_used_a": self.a.most_used,
            "most_used_b": self.b.most_used,
            "bottleneck_a": self.a.bottleneck,
            "bottleneck_b": self.b.bottleneck,
            "incomparable": self.incomparable or None,
        }


def check_baseline(baseline: Answer, question: Question, place: str) -> None:
    """Checks before a search that its answer can be compared with an earlier one.

    Raises:
        SurgetankError: it answers another question.
    """
    asked = (question.found, question.parameter.key, question.high < question.low)
    why = _apart((baseline.find, baseline.key, baseline.falling), asked)
    if why:
        hint = "Give a baseline of the same question, or leave it out"
        raise SurgetankError(f"cannot be compared: {why}", place=place, hint=hint)


def _apart(a: tuple[str, str, bool], b: tuple[str, str, bool]) -> str:
    """In what two searches differ (what is found, along which key, whether its range falls)."""
    if a[:2] != b[:2]:
        return f"one found {a[0]} along {a[1]}, the other {b[0]} along {b[1]}"
    if a[2] != b[2]:
        return f"the range of {a[1]} runs upwards in one and downwards in the other"
    return ""


def against(a: Answer, b: Answer) -> Against:
    """Compares two answers; the ratio's interval takes their errors as independent."""
    if why := _apart((a.find, a.key, a.falling), (b.find, b.key, b.falling)):
        return Against(a, b, None, None, None, why)
    errors = a.log_error(), b.log_error()
    known = a.status != "INVALID" and b.status != "INVALID"
    if not known or not a.estimate or not b.estimate or errors[0] is None or errors[1] is None:
        return Against(a, b, None, None, None, "one of them has no estimate with an interval")
    ratio = b.estimate / a.estimate
    spread = math.exp(_Z * math.hypot(errors[0], errors[1]))
    return Against(a, b, ratio, ratio / spread, ratio * spread, "")
