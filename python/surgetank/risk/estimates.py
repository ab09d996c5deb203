"""Mean, quantiles and expected shortfall of losses of independent runs, with 95 % intervals.

Quantile: the least loss x with a share of at least p of the runs at or below it. Its interval is
between two order statistics, whose ranks follow from the binomial number of runs below the true
quantile; it holds for any distribution (Hahn and Meeker, Statistical Intervals, 1991, §5.2).

Expected shortfall at p, of losses x₁ ≤ … ≤ xₙ: the mean of the worst n(1 − p) runs, where the run
at the boundary counts by the fraction that is left (Acerbi and Tasche, Journal of Banking and
Finance 26(7), 2002, definition 2.6). Unlike E[x | x ≥ quantile] it is right with ties too, such as
many runs without a loss. Its interval and that of the mean are by bootstrap BCa (Efron, JASA 82,
1987), which misses more often than it says if the tail has few runs: below `TAIL_RUNS` of them the
quantity is unknown (docs/risk.md has the coverage measured).
"""

from __future__ import annotations

import math
import warnings
from collections.abc import Callable
from dataclasses import dataclass, replace
from typing import Final

import numpy as np
from numpy.typing import NDArray

from surgetank.catalogue import RISK_NAMES, RISKS, MeasureSpec
from surgetank.measure.statistics import binomial_quantile
from surgetank.number_format import share

__all__ = [
    "MEAN_RUNS",
    "TAIL_RUNS",
    "Interval",
    "RiskEstimate",
    "bootstrap",
    "estimates_of",
    "expected_shortfall",
    "probability",
    "quantile",
    "quantile_runs",
    "shortfall_runs",
    "tail_weights",
]

Floats = NDArray[np.float64]
Indices = NDArray[np.int64]
Interval = tuple[float, float]

MEAN_RUNS: Final = 30
"""Least number of runs for the interval of a mean."""
TAIL_RUNS: Final = 20
"""Least number of runs in the tail for an expected shortfall."""

_LEVEL: Final = 0.95
_TAIL: Final = (1 - _LEVEL) / 2
_RESAMPLES: Final = 9_999
_BATCH: Final = 500

_QUANTILES: Final = ("bad_debt_p50_usd", "bad_debt_p95_usd", "bad_debt_p99_usd")
_SHORTFALLS: Final = ("bad_debt_es95_usd", "bad_debt_es99_usd")


@dataclass(frozen=True)
class RiskEstimate:
    """One quantity of the distribution with its 95 % interval."""

    name: str
    """Full name in the catalogue's `RISK_NAMES`: `bad_debt_es95_usd.insurance`."""
    value: float | None
    """None: too few runs to know it; see `needed`."""
    low: float | None
    """None: there is no interval; then `high` is None too, unless `value` is. See `above`."""
    high: float | None
    runs: int
    needed: int = 0
    """Least number of runs from which on it is known; 0 if any number does."""
    above: float | None = None
    """Greatest probability, at 95 %, of a run above `value`, where all runs that count have the
    same loss: resampling them gives that loss alone, and no interval."""

    @property
    def spec(self) -> MeasureSpec:
        """The entry of the catalogue."""
        return RISK_NAMES[self.name][0]

    @property
    def member(self) -> str:
        """The bearer that it is of; empty for all."""
        return RISK_NAMES[self.name][1]

    @property
    def what(self) -> str:
        """One sentence on it."""
        return self.spec.sentence(self.member)

    @property
    def without_interval(self) -> str:
        """What there is in place of an interval; empty if there is one."""
        if self.above is not None:
            return f"no run above it in {self.runs:,}: at most {share(self.above)} of runs are"
        return "" if self.value is None or self.low is not None else "no interval"

    @property
    def known(self) -> bool:
        """Whether there were enough runs."""
        return self.value is not None


def quantile_runs(p: float) -> int:
    """Least number of runs whose order statistics give both ends of a p-quantile's interval: the
    smallest n with pⁿ ≤ 2.5 % (and the same for 1 − p)."""
    return math.ceil(math.log(_TAIL) / math.log(max(p, 1 - p)))


def shortfall_runs(p: float) -> int:
    """Least number of runs of which `TAIL_RUNS` are expected beyond the p-quantile."""
    return math.ceil(round(TAIL_RUNS / (1 - p), 6))


def quantile(losses: Floats, p: float) -> tuple[float, Interval]:
    """The p-quantile and its interval; an end beyond the largest loss is infinite, one below the
    least is 0, since no loss is negative."""
    n = len(losses)
    ordered = np.sort(losses)
    low = binomial_quantile(_TAIL, n, p)
    high = binomial_quantile(1 - _TAIL, n, p) + 1
    value = float(ordered[max(math.ceil(n * p - 1e-9), 1) - 1])
    ends = (
        float(ordered[low - 1]) if low else 0.0,
        float(ordered[high - 1]) if high <= n else math.inf,
    )
    return value, ends


def tail_weights(n: int, p: float) -> Floats:
    """Weights of n losses in ascending order, of which the expected shortfall is the mean; shape
    (n,), sum 1."""
    tail = n * (1 - p)
    return np.asarray(np.clip(tail - np.arange(n)[::-1], 0.0, 1.0) / tail, dtype=np.float64)


def expected_shortfall(losses: Floats, p: float) -> Floats:
    """Expected shortfall over the last axis."""
    weights = tail_weights(losses.shape[-1], p)
    return np.asarray(np.sort(losses, axis=-1) @ weights, dtype=np.float64)


def probability(hits: int, runs: int) -> Interval:
    """The interval of a share of runs (Clopper and Pearson, Biometrika 26, 1934)."""
    from scipy import stats  # slow to import

    ends = stats.binomtest(hits, runs).proportion_ci(_LEVEL, method="exact")
    return float(ends.low), float(ends.high)


def bootstrap(
    runs: int, statistic: Callable[[Indices], Floats], *, compared: int = 1
) -> list[Interval | None]:
    """Intervals by bootstrap BCa of quantities that depend on runs resampled together.

    `statistic` takes indices of runs, shape (…, runs), and returns the quantities, shape (k, …).
    `compared` intervals hold simultaneously (Bonferroni). None of a quantity that no resampling
    changes. The resamples are the same in every call, so equal runs give equal intervals.
    """
    from scipy import stats

    def at(indices: Indices, axis: int = -1) -> Floats:
        return statistic(indices)

    with warnings.catch_warnings(), np.errstate(invalid="ignore", divide="ignore"):
        warnings.simplefilter("ignore")  # a quantity that never varies has no interval
        ends = stats.bootstrap(
            (np.arange(runs),),
            at,
            method="BCa",
            confidence_level=1 - (1 - _LEVEL) / compared,
            n_resamples=_RESAMPLES,
            batch=_BATCH,
            vectorized=True,
            axis=-1,
            rng=np.random.default_rng(0),
        ).confidence_interval
    pairs = zip(np.atleast_1d(ends.low), np.atleast_1d(ends.high), strict=True)
    return [
        (float(low), float(high)) if math.isfinite(low) and math.isfinite(high) else None
        for low, high in pairs
    ]


def estimates_of(losses: Floats, member: str = "") -> list[RiskEstimate]:
    """All quantities of the losses of runs, in USD, shape (runs,); `member` names whose they are.

    Where all runs have the same loss, mean and expected shortfall are that loss, without an
    interval: nothing bounds what other runs would lose, but `RiskEstimate.above` bounds how often.
    """
    n = len(losses)
    tails = {name: _quantile_of(name) for name in _SHORTFALLS}

    def averages(at: Indices) -> Floats:
        drawn = losses[at]
        shortfalls = [expected_shortfall(drawn, p) for p in tails.values()]
        return np.stack([drawn.mean(axis=-1), *shortfalls])

    mean, *rest = bootstrap(n, averages) if n >= MEAN_RUNS else [None] * (1 + len(tails))
    top = float(losses.max())
    found = [_average("bad_debt_mean_usd", float(losses.mean()), mean, n, MEAN_RUNS, top)]
    found += [_quantile(name, losses, _quantile_of(name)) for name in _QUANTILES]
    for (name, p), ends in zip(tails.items(), rest, strict=True):
        value = float(expected_shortfall(losses, p))
        one = _average(name, value, ends, n, shortfall_runs(p), top)
        # What lies beyond a quantile is at least the quantile.
        found.append(one if one.known else replace(one, low=quantile(losses, p)[1][0]))
    found.append(RiskEstimate("bad_debt_largest_usd", top, None, None, n))
    return [replace(one, name=RISKS[one.name].measure(member)) for one in found]


def _quantile_of(name: str) -> float:
    p = RISKS[name].quantile
    assert p is not None
    return p


def _quantile(name: str, losses: Floats, p: float) -> RiskEstimate:
    value, (low, high) = quantile(losses, p)
    n = len(losses)
    if math.isinf(high):
        return RiskEstimate(name, None, low, None, n, quantile_runs(p))
    return RiskEstimate(name, value, low, high, n, quantile_runs(p))


def _average(
    name: str, value: float, ends: Interval | None, n: int, needed: int, top: float
) -> RiskEstimate:
    if n < needed:
        return RiskEstimate(name, None, None, None, n, needed)
    if ends is None:
        above = probability(0, n)[1] if math.isclose(value, top) else None
        return RiskEstimate(name, value, None, None, n, needed, above)
    return RiskEstimate(name, value, *ends, n, needed)
