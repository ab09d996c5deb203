"""Quantiles with censored observations, and intervals for autocorrelated ones.

Messages of one run are not independent: a surge slows neighbouring messages together. All intervals
here therefore estimate the variance from batches of neighbours (batch means; Schmeiser, "Batch size
effects in the analysis of simulation output", Operations Research 30(3), 1982: 10 to 30 batches
suffice) and are 95 %, two-sided. They are about this run, not about other seeds.
"""

from __future__ import annotations

import math
from dataclasses import dataclass
from functools import cache
from statistics import NormalDist
from typing import Final

import numpy as np
from numpy.typing import NDArray

__all__ = [
    "BATCHES",
    "Interval",
    "KaplanMeier",
    "mean_interval",
    "ratio_interval",
    "samples_needed",
    "share_interval",
    "student_t",
]

BATCHES: Final = 25
"""Batches behind an interval."""

_LEVEL: Final = 0.95
_TAIL: Final = (1 - _LEVEL) / 2
_Z: Final = NormalDist().inv_cdf(1 - _TAIL)
_SLACK: Final = 1e-9

Floats = NDArray[np.float64]
Flags = NDArray[np.bool_]


@dataclass(frozen=True)
class Interval:
    """A value and its 95 % interval; low and high are None if there are too few observations."""

    value: float
    low: float | None
    high: float | None
    n: int


class KaplanMeier:
    """Distribution of times of which some are only known to exceed a bound.

    `values[i]` is the time if `reached[i]`, else the time up to which it had not been reached
    (infinite: it never will be). Observations stand in the order in which they arose.

    Product-limit estimator (Kaplan and Meier, JASA 53, 1958); without censoring it is the
    empirical distribution. It assumes that censoring says nothing about the time, which holds for
    messages cut off by the end of the run; those refused or lost are infinite instead.
    """

    def __init__(self, values: Floats, reached: Flags) -> None:
        self.n = len(values)
        self._values, self._reached = values, reached
        ordered: Floats = np.sort(values)
        self.times: Floats
        """Times reached, ascending."""
        self.reached_share: Floats
        """Share reached by each of `times`."""
        if bool((reached | np.isinf(values)).all()):
            self.times = ordered[: int(reached.sum())]
            ranks = np.arange(1.0, len(self.times) + 1)
            self.reached_share = np.asarray(ranks / max(1, self.n), dtype=np.float64)
            return
        self.times, counts = np.unique(values[reached], return_counts=True)
        at_risk = self.n - np.searchsorted(ordered, self.times, side="left")
        left = np.cumprod(1.0 - counts / at_risk)
        self.reached_share = np.asarray(1.0 - left, dtype=np.float64)

    def quantile(self, p: float) -> float:
        """The least time by which a share p had been reached; infinite if it never was."""
        if not 0 < p <= 1:
            return 0.0 if p <= 0 else math.inf
        index = int(np.searchsorted(self.reached_share, p - _SLACK, side="left"))
        return float(self.times[index]) if index < len(self.times) else math.inf

    def interval(self, p: float) -> Interval:
        """The quantile with an order-statistic interval.

        The count of observations below the true quantile is binomial(n, p), which gives the ranks
        of the ends (Woodruff, JASA 47, 1952; Hahn and Meeker, Statistical Intervals, 1991, §5.2).
        n is first reduced to the number of independent observations that would show the variance
        found between batches. An end beyond the largest observation is infinite.
        """
        value = self.quantile(p)
        below = (self._values <= value) & self._reached
        count = _independent(below.astype(np.float64), p)
        low_rank = float(binomial_quantile(_TAIL, count, p))
        high_rank = float(binomial_quantile(1 - _TAIL, count, p)) + 1
        low = min(self.quantile(low_rank / count), value)
        high = max(self.quantile(high_rank / count), value)
        return Interval(value, low, high, self.n)


def samples_needed(p: float) -> int:
    """Least number of observations of which, at 95 %, at least one exceeds the p-quantile.

    Wilks, Annals of Mathematical Statistics 12, 1941: smallest n with 1 − p^n ≥ 0.95. 5 for the
    median, 299 for p99, 2,995 for p99.9.
    """
    return math.ceil(math.log(1 - _LEVEL) / math.log(p))


def mean_interval(values: Floats) -> Interval:
    """Mean with a batch-means interval; at least 2 observations per batch, else none."""
    n = len(values)
    value = float(values.mean())
    batches = _batches(n)
    if batches < 2:
        return Interval(value, None, None, n)
    half = student_t(batches - 1) * math.sqrt(float(_means(values, batches).var(ddof=1)) / batches)
    return Interval(value, value - half, value + half, n)


def share_interval(flags: Flags) -> Interval:
    """Share of true flags with a Wilson interval on the number of independent observations.

    Wilson, JASA 22, 1927.
    """
    n = len(flags)
    p = float(flags.mean())
    count = float(_independent(flags.astype(np.float64), p)) if 0 < p < 1 else float(n)
    spread = 1 + _Z**2 / count
    centre = (p + _Z**2 / (2 * count)) / spread
    half = _Z / spread * math.sqrt(p * (1 - p) / count + _Z**2 / (4 * count**2))
    return Interval(p, min(p, max(0.0, centre - half)), max(p, min(1.0, centre + half)), n)


def ratio_interval(above: Floats, below: Floats) -> Interval:
    """Σ above / Σ below over equal slices of time, with the ratio estimator's interval.

    Cochran, Sampling Techniques, 3rd ed., 1977, §6.3, slices as batches.
    """
    slices = len(above)
    total = float(below.sum())
    value = float(above.sum()) / total
    if slices < 2:
        return Interval(value, None, None, int(total))
    rest = above - value * below
    error = math.sqrt(float((rest**2).sum()) / (slices * (slices - 1))) / (total / slices)
    half = student_t(slices - 1) * error
    return Interval(value, max(0.0, value - half), value + half, int(total))


def _batches(n: int) -> int:
    return min(BATCHES, n // 2) if n >= 20 else 0


def binomial_quantile(q: float, n: int, p: float) -> int:
    """The least k of which P(X ≤ k) ≥ q, for X binomial with n trials of probability p."""
    from scipy import special  # scipy.stats takes half a second to import

    above = math.ceil(float(special.bdtrik(q, n, p)))
    return above - 1 if above > 0 and special.bdtr(above - 1, n, p) >= q else above


def theil_sen(x: Floats, y: Floats) -> tuple[float, float, float]:
    """The median of the slopes between all pairs of points, and its 95 % interval.

    `x` ascends strictly; both have shape (n,), n ≥ 2. The ends are the slopes whose ranks lie
    z·σ/2 from the middle, σ² being the variance of Kendall's score with ties of `y` (Sen, JASA 63,
    1968, §5).
    """
    from scipy import special  # scipy.stats takes half a second to import

    n = len(x)
    i, j = np.triu_indices(n, 1)
    slopes = np.sort((y[j] - y[i]) / (x[j] - x[i]))
    ties = np.unique(y, return_counts=True)[1].tolist()
    weight, *tied = (k * (k - 1) * (2 * k + 5) for k in (n, *ties))
    variance = (weight - sum(tied)) / 18
    half = float(special.ndtri(1 - _TAIL)) * math.sqrt(variance)
    low = max(round((len(slopes) - half) / 2) - 1, 0)
    high = min(round((len(slopes) + half) / 2), len(slopes) - 1)
    return float(np.median(slopes)), float(slopes[low]), float(slopes[high])


@cache
def student_t(freedom: int) -> float:
    """Student's t of a two-sided 95 % interval."""
    from scipy import special  # slow to import

    return float(special.stdtrit(freedom, 1 - _TAIL))


def _means(values: Floats, batches: int) -> Floats:
    edges = np.arange(batches + 1) * len(values) // batches
    sums = np.add.reduceat(values, edges[:-1])
    means: Floats = sums / np.diff(edges)
    return means


def _independent(flags: Floats, p: float) -> int:
    """Independent observations that would give the variance found between batches; ≤ n."""
    n = len(flags)
    batches = _batches(n)
    if batches < 2 or not 0 < p < 1:
        return max(1, n)
    found = float(_means(flags, batches).var(ddof=1)) / batches * (student_t(batches - 1) / _Z) ** 2
    if found <= p * (1 - p) / n:
        return n
    return max(1, int(p * (1 - p) / found))
