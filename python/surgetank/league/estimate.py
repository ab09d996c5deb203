"""Means over seeds, and differences of pairs of one seed.

Runs of different seeds are independent replicates, so Student's t with n − 1 degrees of freedom
gives the interval of their mean (Law, Simulation Modeling and Analysis, 5th ed., §9.4.1). All
entrants and attacks meet the same seeds (common random numbers), so a difference is taken seed by
seed first (paired t, §10.2.1), which is narrower the more two runs of one seed have in common.
"""

from __future__ import annotations

import math
from collections.abc import Sequence
from dataclasses import dataclass

from surgetank.measure.statistics import student_t

__all__ = ["NOTHING", "SeedMean", "difference", "mean"]


@dataclass(frozen=True)
class SeedMean:
    """A mean over seeds."""

    mean: float | None
    """None: no run has data for it. Infinite: it was infinite in some run."""
    low: float | None
    """Ends of the 95 % interval; None with fewer than two values, or if only some are infinite."""
    high: float | None
    n: int
    """Runs behind it."""
    endless: int = 0
    """The number of runs in which it was infinite."""

    @property
    def significant(self) -> bool | None:
        """Whether zero lies outside the interval; None without one."""
        if self.low is None or self.high is None:
            return None
        return self.low > 0 or self.high < 0


_NO = (None, None)
NOTHING = SeedMean(None, None, None, 0)


def mean(values: Sequence[float | None]) -> SeedMean:
    """Mean and interval of the values that are not None."""
    found = [v for v in values if v is not None and not math.isnan(v)]
    n = len(found)
    if not n:
        return NOTHING
    if not all(map(math.isfinite, found)):
        ends = {v for v in found if math.isinf(v)}
        middle = ends.pop() if len(ends) == 1 else None
        endless = sum(map(math.isinf, found))
        both = (middle, middle) if n > 1 and endless == n else _NO
        return SeedMean(middle, *both, n, endless)
    middle = math.fsum(found) / n
    if n < 2:
        return SeedMean(middle, *_NO, n)
    variance = math.fsum((v - middle) ** 2 for v in found) / (n - 1)
    half = student_t(n - 1) * math.sqrt(variance / n)
    return SeedMean(middle, middle - half, middle + half, n)


def difference(a: Sequence[float | None], b: Sequence[float | None]) -> SeedMean:
    """Mean of b − a over the seeds that have both; two equal infinities have a difference of 0."""
    pairs = [(x, y) for x, y in zip(a, b, strict=True) if x is not None and y is not None]
    return mean([0.0 if x == y else y - x for x, y in pairs])
