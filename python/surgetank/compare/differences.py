"""Differences of measures, with intervals and significance.

**Two runs.** They say nothing about other seeds: two runs of one scenario that differ in their seed
only differ by more than the noise inside them in many measures (docs/compare.md). What can be said
of one pair is which differences exceed that noise. Each measure has a 95 % interval from batches of
its own run. The interval of the difference is found from those two by the method of variance
estimates recovery (MOVER: Zou and Donner, Statistics in Medicine 27, 2008, eq. 2), which keeps the
asymmetry of intervals of quantiles and shares. The difference over the half width that faces zero,
times the 97.5 % quantile of Student's t with the 24 degrees of freedom of 25 batches, is compared
with that t. The two runs are taken as independent; where they share a seed that is conservative, as
they have noise in common. A measure that is infinite in one run is compared by its reciprocal,
whose interval has the reciprocal ends.

**Several seeds.** The difference is taken seed by seed and tested by the paired t-test
(`surgetank.league.estimate`, `surgetank.league.ranks`); noise is what differs between seeds.

**Many measures.** p-values are adjusted by Benjamini and Hochberg (JRSS B 57, 1995): of the
differences said to exceed the noise, 5 % at most are expected to be chance.
"""

from __future__ import annotations

import math
from collections.abc import Sequence
from dataclasses import dataclass, replace
from enum import StrEnum
from typing import Any, Final

from surgetank.catalogue import MEASURES, Better
from surgetank.league.estimate import SeedMean, difference, mean
from surgetank.league.ranks import pair_of
from surgetank.measure import Measure, Measures
from surgetank.measure.statistics import BATCHES, student_t

__all__ = ["FALSE_SHARE", "ChangeFinding", "Difference", "adjusted", "by_seed", "of_two"]

FALSE_SHARE: Final = 0.05
"""Greatest expected share of chance ones among the differences said to exceed the noise."""


class ChangeFinding(StrEnum):
    """What can be said of a measure of b against that of a."""

    BETTER = "better"
    WORSE = "worse"
    CHANGED = "changed"
    """By more than noise, and neither direction is better."""
    UNDECIDED = "undecided"
    """The noise explains the difference."""
    EQUAL = "equal"
    UNKNOWN = "unknown"
    """A side has no value, or there is no interval, or a run is INVALID."""


@dataclass(frozen=True)
class Difference:
    """One measure in both runs, or its means over the seeds of both sides."""

    name: str
    a: Measure | None
    """None if that side does not have it."""
    b: Measure | None
    low: float | None = None
    """Ends of the 95 % interval of the change; None without one."""
    high: float | None = None
    t: float | None = None
    """The size of the change over its standard error; None if that is not defined."""
    p: float | None = None
    """Two-sided p-value; None without intervals."""
    p_adjusted: float | None = None
    """The same, adjusted for the number of measures."""

    @property
    def unit(self) -> str:
        """The unit of both sides."""
        return MEASURES[self.name].unit

    @property
    def sides(self) -> tuple[float, float] | None:
        """Both values; None if a side has none."""
        if self.a is None or self.b is None or self.a.value is None or self.b.value is None:
            return None
        return self.a.value, self.b.value

    @property
    def change(self) -> float | None:
        """b less a; None if either is missing or infinite."""
        if self.sides is None:
            return None
        change = self.sides[1] - self.sides[0]
        return change if math.isfinite(change) else None

    @property
    def relative(self) -> float | None:
        """The change over a; None where that has no meaning: of shares, of measures that can be
        below zero, and from zero."""
        spec = MEASURES[self.name]
        if self.change is None or self.sides is None or not self.sides[0]:
            return None
        return None if spec.signed or spec.unit == "share" else self.change / self.sides[0]

    @property
    def exceeds_noise(self) -> bool:
        """Whether the two differ by more than the noise explains: that inside the runs, or, of
        several seeds, that between them."""
        return self.p_adjusted is not None and self.p_adjusted <= FALSE_SHARE

    @property
    def finding(self) -> ChangeFinding:
        """What can be said of b."""
        if self.sides is None:
            return ChangeFinding.UNKNOWN
        a, b = self.sides
        if a == b:
            return ChangeFinding.EQUAL
        if self.p_adjusted is None:
            return ChangeFinding.UNKNOWN
        if not self.exceeds_noise:
            return ChangeFinding.UNDECIDED
        better = MEASURES[self.name].better
        if better is Better.NEITHER:
            return ChangeFinding.CHANGED
        return ChangeFinding.BETTER if (b > a) == (better is Better.MORE) else ChangeFinding.WORSE

    def to_dict(self) -> dict[str, Any]:
        """Plain values: unit, each side's value with its 95 % interval, the change with its own,
        its share of a, t, p-values and the finding."""
        sides: dict[str, float | None] = {}
        for side, m in (("a", self.a), ("b", self.b)):
            sides[side] = m.value if m else None
            sides[f"{side}_low"], sides[f"{side}_high"] = (m.low, m.high) if m else (None, None)
        return {
            "unit": self.unit,
            **sides,
            "change": self.change,
            "change_low": self.low,
            "change_high": self.high,
            "relative": self.relative,
            "t": self.t,
            "p": self.p,
            "p_adjusted": self.p_adjusted,
            "finding": str(self.finding),
        }


def of_two(name: str, a: Measure | None, b: Measure | None) -> Difference:
    """The difference of a measure of two runs; not adjusted yet."""
    plain = Difference(name, a, b)
    if a is None or b is None or plain.sides is None:
        return plain
    ends = (a.low, a.high, b.low, b.high)
    if any(end is None for end in ends):
        return plain
    one, other = ((m.value or 0.0, m.low or 0.0, m.high or 0.0) for m in (a, b))
    if plain.change is None:
        if MEASURES[name].signed:
            return plain
        t = _t(_reciprocal(one), _reciprocal(other))
        return replace(plain, t=t, p=_p(t))
    below = math.hypot(other[0] - other[1], one[2] - one[0])
    above = math.hypot(other[2] - other[0], one[0] - one[1])
    t = _t(one, other)
    return replace(plain, low=plain.change - below, high=plain.change + above, t=t, p=_p(t))


Ends = tuple[float, float, float]


def _reciprocal(ends: Ends) -> Ends:
    value, low, high = (1 / x if x else math.inf for x in ends)
    return value, high, low


def _t(a: Ends, b: Ends) -> float:
    """The difference over its standard error, which is found from the halves that face it."""
    if a[0] == b[0]:
        return 0.0
    low, high = (a, b) if a[0] < b[0] else (b, a)
    half = math.hypot(low[2] - low[0], high[0] - high[1])
    size = high[0] - low[0]
    if not math.isfinite(half) or not math.isfinite(size):
        return 0.0
    return size / half * student_t(BATCHES - 1) if half else math.inf


def _p(t: float) -> float:
    from scipy import special  # slow to import

    return 2 * float(special.stdtr(BATCHES - 1, -t))


def by_seed(name: str, a: Sequence[Measures], b: Sequence[Measures]) -> Difference:
    """The difference of a measure over several seeds, pair by pair; not adjusted yet.

    `a` and `b` have one entry per seed, in the same order.
    """
    values = [[m.value(name) if name in m else None for m in side] for side in (a, b)]
    pairs = [(x, y) for x, y in zip(*values, strict=True) if x is not None and y is not None]
    if not pairs:
        return Difference(name, _mean_of(name, values[0]), _mean_of(name, values[1]))
    one, other = ([pair[k] for pair in pairs] for k in (0, 1))
    change = difference(one, other)
    plain = Difference(name, _mean_of(name, one), _mean_of(name, other))
    if len(pairs) < 2:
        return plain
    p = pair_of([0.0 if x == y else y - x for x, y in pairs]).p
    return replace(plain, low=change.low, high=change.high, t=_t_of(change), p=p)


def _mean_of(name: str, values: Sequence[float | None]) -> Measure | None:
    found = mean(values)
    if found.mean is None:
        return None
    return Measure(name, found.mean, found.low, found.high, found.n)


def _t_of(found: SeedMean) -> float | None:
    if found.mean is None or found.high is None or not math.isfinite(found.mean):
        return None
    half = found.high - found.mean
    return abs(found.mean) / half * student_t(found.n - 1) if half else None


def adjusted(differences: Sequence[Difference]) -> tuple[Difference, ...]:
    """The same, with p-values adjusted for their number."""
    from scipy import stats  # slow to import

    known = [one.p for one in differences if one.p is not None]
    if not known:
        return tuple(differences)
    found = iter(stats.false_discovery_control(known).tolist())
    return tuple(
        one if one.p is None else replace(one, p_adjusted=next(found)) for one in differences
    )
