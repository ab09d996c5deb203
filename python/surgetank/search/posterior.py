"""The posterior of a threshold, at which a probability crosses its target.

Theory of operation. Whether a limit is violated in a run at level x is a Bernoulli trial with P(x)
that rises with x. Near the crossing P is taken as logistic in u = ln x (or x): logit P = logit t +
β(u − θ), with P(θ) = t. Threshold θ and slope β get the posterior on a grid, before any run uniform
in θ and with density β^−½ in ln β (a gentle slope is a little likelier than a steep one, which errs
towards wide intervals), as in the Ψ method (Kontsevich & Tyler, Vision Research 39, 1999) with the
slope marginalised (Prins, Journal of Vision 13(7), 2013). It needs no asymptotics: runs that all
pass below and all fail above are no special case, and evaluating it after every run is valid.

Counts (bad debts among n liquidations of a run) enter as binomial, with the log-likelihood divided
by their dispersion φ ≥ 1 (quasi-likelihood, Wedderburn, Biometrika 61, 1974): liquidations of one
run share a price path; Student's t then stands for the normal, φ being estimated.

Only trials near the crossing are fitted, since the logistic is a local approximation.
"""

from __future__ import annotations

import math
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Final, NamedTuple

import numpy as np
from numpy.typing import NDArray

__all__ = ["CONFIDENCE", "Posterior", "Trial", "fit"]

Floats = NDArray[np.float64]

CONFIDENCE: Final = 0.95
#: Slopes β from a gentle rise over the whole range to a step.
_SLOPE_RANGE: Final = (1.0, 3000.0)
_SLOPES: Final = 16
_CELLS: Final = 96
#: Trials farther from the crossing than this, in u, are left out once enough lie nearer.
_WINDOW: Final = math.log(1.6)
_ENOUGH: Final = 10


class Trial(NamedTuple):
    """`broken` of `trials` at level u; a run that passes or fails is 0 or 1 of 1."""

    u: float
    broken: float
    trials: float


@dataclass(frozen=True)
class Posterior:
    """The posterior of θ given the trials."""

    theta: Floats
    """Shape (cells,), rising."""
    weight: Floats
    """Shape (cells,), sums to 1."""
    width: float
    """1/β: the mean distance in u over which the odds change by e."""
    dispersion: float
    """φ: variance of counts over that of a binomial."""
    used: int
    """Number of trials near enough to be fitted."""

    def quantile(self, p: float) -> float:
        """θ below which lies a share p of the posterior; within cells linear."""
        edges = np.concatenate([[0.0], np.cumsum(self.weight)])
        step = float(self.theta[1] - self.theta[0])
        bounds = np.concatenate([self.theta - step / 2, [self.theta[-1] + step / 2]])
        return float(np.interp(p, edges, bounds))

    @property
    def median(self) -> float:
        """The estimate: the posterior's median."""
        return self.quantile(0.5)

    def interval(self, confidence: float = CONFIDENCE) -> tuple[float, float]:
        """Equal-tailed interval for θ."""
        tail = (1 - confidence) / 2
        return self.quantile(tail), self.quantile(1 - tail)


def fit(trials: Sequence[Trial], low: float, high: float, target: float) -> Posterior:
    """The posterior of θ in [low, high] for P(θ) = target.

    Raises:
        ValueError: if low ≥ high or target is not inside (0, 1).
    """
    if not (low < high and 0 < target < 1):
        raise ValueError("need low < high and 0 < target < 1")
    counted = [t for t in trials if t.trials > 0]
    found = _grid(counted, low, high, target)
    centre, (left, right) = found.median, found.interval()
    reach = max(_WINDOW, 2 * (right - left), 3 * min(found.width, _WINDOW))
    near = [t for t in counted if abs(t.u - centre) <= reach]
    if len(near) < _ENOUGH or len(near) == len(counted) or not _both_sides(near, target):
        return found
    return _grid(near, low, high, target)


def _both_sides(trials: Sequence[Trial], target: float) -> bool:
    shares = [t.broken / t.trials for t in trials]
    return min(shares) < target < max(shares)


def _grid(trials: Sequence[Trial], low: float, high: float, target: float) -> Posterior:
    """The grid of θ: the whole range first, then refined where the mass is."""
    table = np.array(trials, dtype=np.float64).reshape(-1, 3)
    cells = _cells((low, high), _SLOPE_RANGE)
    weight, phi = _weigh(table, cells, target, 1.0), 1.0
    for _ in range(4):
        steepest, middle = np.unravel_index(int(weight.argmax()), weight.shape)
        best = float(cells[0][middle]), float(cells[1][steepest])
        was, phi = phi, _dispersion(table, best, target)
        widen = math.sqrt(phi / was)
        ends = _mass(weight.sum(axis=0), widen), _mass(weight.sum(axis=1), widen)
        if phi == was and all(
            e[1] - e[0] > n // 3 for e, n in zip(ends, weight.T.shape, strict=True)
        ):
            break
        (left, right), (gentle, steep) = ends
        theta, slope = cells
        step, ratio = theta[1] - theta[0], math.sqrt(slope[1] / slope[0])
        cells = _cells(
            (max(low, theta[left] - step), min(high, theta[right] + step)),
            (slope[gentle] / ratio, slope[steep] * ratio),
        )
        weight = _weigh(table, cells, target, phi)
    return _summary(weight, cells, phi, len(table))


def _cells(thetas: tuple[float, float], slopes: tuple[float, float]) -> tuple[Floats, Floats]:
    edges = np.linspace(*thetas, _CELLS + 1)
    steps = np.geomspace(*slopes, _SLOPES + 1)
    return (edges[:-1] + edges[1:]) / 2, np.sqrt(steps[:-1] * steps[1:])


def _mass(weight: Floats, widen: float) -> tuple[int, int]:
    """First and last cell with relevant mass; a flatter likelihood needs a wider range."""
    inside = np.flatnonzero(weight > 1e-6 * weight.max())
    more = math.ceil(len(inside) * (widen - 1)) if widen > 1 else 0
    return max(int(inside[0]) - more, 0), min(int(inside[-1]) + more, len(weight) - 1)


def _weigh(table: Floats, cells: tuple[Floats, Floats], target: float, phi: float) -> Floats:
    """Posterior weights, shape (slopes, thetas)."""
    theta, slopes = cells
    u, k, n = table[:, :1], table[:, 1:2], table[:, 2:]
    offset = math.log(target / (1 - target))
    loglik = np.empty((len(slopes), len(theta)))
    for i, slope in enumerate(slopes):
        z = offset + slope * (u - theta)
        # k ln P + (n − k) ln(1 − P), without overflow.
        loglik[i] = (k * z - n * np.logaddexp(0.0, z)).sum(axis=0)
    behind = (loglik.max() - loglik) / phi + 0.5 * np.log(slopes)[:, None]
    if n.max(initial=0) > 1:
        # φ is itself an estimate: Student's t in place of the normal.
        nu = max(len(table) - 2, 6)
        weight = (1 + 2 * (behind - behind.min()) / nu) ** (-(nu + 1) / 2)
    else:
        weight = np.exp(behind.min() - behind)
    return np.asarray(weight / weight.sum(), dtype=np.float64)


def _summary(weight: Floats, cells: tuple[Floats, Floats], phi: float, used: int) -> Posterior:
    width = float((weight.sum(axis=1) / cells[1]).sum())
    return Posterior(cells[0], weight.sum(axis=0), width, phi, used)


def _dispersion(table: Floats, best: tuple[float, float], target: float) -> float:
    """Pearson's χ²/(m − 2) of counts at the likeliest (θ, β); 1 for single coins.

    At the maximum, not at the mean: a wide posterior fits badly, which would widen it further.
    """
    n = table[:, 2]
    m = len(n)
    if m < 4 or n.max(initial=0) <= 1:
        return 1.0
    z = math.log(target / (1 - target)) + best[1] * (table[:, 0] - best[0])
    p = 1 / (1 + np.exp(-np.clip(z, -30, 30)))
    # Runs with small expected counts are pooled: alone each would have an extreme χ².
    order = np.argsort(table[:, 0])
    expected, seen = (n * p)[order], table[:, 1][order]
    variance = (n * p * (1 - p))[order]
    group = np.minimum(np.floor(np.cumsum(expected)), max(expected.sum() - 1, 0)).astype(int)
    e, k, v = (np.bincount(group, weights=x) for x in (expected, seen, variance))
    heard = e > 0
    if heard.sum() < 4:
        return 1.0
    chi = (k[heard] - e[heard]) ** 2 / np.maximum(v[heard], 1e-12)
    return max(1.0, float(chi.sum() / (heard.sum() - 2)))
