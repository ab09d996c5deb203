"""Maximum likelihood for a Hawkes process with an exponential kernel.

Intensity λ(t) = μ_k + Σ_{tᵢ<t} n·β·e^(−β(t−tᵢ)), where the base rate μ_k is constant on pieces of
time (Hawkes, *Biometrika* 58, 1971). The log likelihood and its gradient come from the recursion
Aᵢ = e^(−β(tᵢ−tᵢ₋₁))·(1 + Aᵢ₋₁) (Ozaki, *Ann. Inst. Statist. Math.* 31, 1979), evaluated as a prefix
scan: log₂(events) passes over arrays instead of a loop over events.

Standard errors are from the observed information: the Hessian of the log likelihood at its maximum,
by differences of the exact gradient.
"""

from __future__ import annotations

from dataclasses import dataclass
from functools import cached_property
from typing import Final

import numpy as np
from numpy.typing import NDArray
from scipy.optimize import minimize
from scipy.special import expit

__all__ = [
    "EXCITED",
    "Events",
    "HawkesFit",
    "compensator",
    "excitation",
    "fit_hawkes",
    "likelihood",
    "without_excitation",
]

Floats = NDArray[np.float64]

#: Twice the gain of the log likelihood over a Poisson process beyond which excitation is
#: significant at 5 %. Without excitation β has no meaning and is searched for, so that the gain
#: exceeds that of one parameter (3.84): simulated, tests/tape/test_fit.py.
EXCITED: Final = 6.5
#: Largest branching ratio that is searched: at 1 the process explodes.
_BRANCHING_MAX: Final = 0.9995
#: Events from which the starts of the search are chosen.
_SAMPLE: Final = 20_000
_Z: Final = 1.959964


@dataclass(frozen=True)
class Events:
    """Event times in seconds on [0, span), in order, and the ends of the base rate's pieces."""

    times: Floats
    span: float
    pieces: int = 1
    """Pieces of equal length on which the base rate is constant."""
    resolution_s: float = 1e-9
    """Times are exact to this; a kernel cannot be shorter."""

    @cached_property
    def edges(self) -> Floats:
        """Begin of each piece, and the end of the last."""
        return np.linspace(0.0, self.span, self.pieces + 1)

    @cached_property
    def piece(self) -> NDArray[np.int64]:
        """The piece of each event."""
        found = np.searchsorted(self.edges, self.times, side="right") - 1
        return np.clip(found, 0, self.pieces - 1).astype(np.int64)

    def base_integral(self, base: Floats) -> Floats:
        """∫ of the base rate from 0 to each event."""
        edges, piece = self.edges, self.piece
        before = np.concatenate([[0.0], np.cumsum(base * np.diff(edges))])
        return np.asarray(before[piece] + base[piece] * (self.times - edges[piece]))


@dataclass(frozen=True)
class HawkesFit:
    """A fitted process, with standard errors; rates are per second."""

    base: Floats
    """Base rate μ of each piece."""
    branching: float
    decay: float
    log_likelihood: float
    poisson_log_likelihood: float
    """Of the best process with the same pieces and no excitation."""
    base_se: Floats
    branching_se: float
    decay_se: float
    branching_low: float
    branching_high: float
    decay_low: float
    decay_high: float

    @property
    def gain(self) -> float:
        """Twice the gain of the log likelihood by excitation."""
        return 2.0 * (self.log_likelihood - self.poisson_log_likelihood)

    @property
    def lasts_s(self) -> float:
        """Time in which the effect of an event, with all that it excites, falls to 1/e: 1/(β(1−n)),
        seconds."""
        return 1.0 / (self.decay * (1.0 - self.branching))

    @property
    def excited(self) -> bool:
        """Whether excitation is significant at 5 %."""
        return self.gain > EXCITED


def excitation(times: Floats, decay: float) -> tuple[Floats, Floats]:
    """Aᵢ = Σ_{j<i} e^(−β(tᵢ−tⱼ)) and Bᵢ = Σ_{j<i} (tᵢ−tⱼ)·e^(−β(tᵢ−tⱼ)) of every event."""
    gaps = np.diff(times, prepend=times[0])
    shrink = np.exp(-decay * gaps)
    shrink[0] = 0.0
    sums = _scan(shrink, shrink)
    return sums, _scan(shrink, gaps * sums)


def _scan(factors: Floats, terms: Floats) -> Floats:
    """The recurrence xᵢ = factorsᵢ·xᵢ₋₁ + termsᵢ, by doubling (Hillis and Steele, *CACM* 29, 1986).

    It ends when what is further back no longer counts in double precision.
    """
    a, x, step = factors.copy(), terms.copy(), 1
    while step < len(x):
        x[step:] += a[step:] * x[:-step]
        if 2 * step >= len(x):
            break
        a[step:] = a[step:] * a[:-step]
        step *= 2
        if float(a[step:].max()) < 1e-19:
            break
    return x


def likelihood(
    events: Events, base: Floats, branching: float, decay: float
) -> tuple[float, Floats]:
    """The log likelihood, and its gradient by (base rates…, branching, decay)."""
    times, piece, lengths = events.times, events.piece, np.diff(events.edges)
    sums, moments = excitation(times, decay)
    rate = base[piece] + branching * decay * sums
    left = events.span - times
    lost = np.exp(-decay * left)
    inverse = 1.0 / rate
    # Sums, and not BLAS, whose threads change the last digits.
    mass = float((base * lengths).sum())
    value = float(np.log(rate).sum()) - mass - branching * float((1.0 - lost).sum())
    slope = np.empty(len(base) + 2)
    slope[:-2] = np.bincount(piece, weights=inverse, minlength=len(base)) - lengths
    slope[-2] = decay * float((sums * inverse).sum()) - float((1.0 - lost).sum())
    slope[-1] = branching * float(((sums - decay * moments) * inverse - left * lost).sum())
    return value, slope


def compensator(events: Events, fit: HawkesFit) -> Floats:
    """Λ(tᵢ) − Λ(tᵢ₋₁): by the time-change theorem independent and Exp(1) if the model holds."""
    sums, _ = excitation(events.times, fit.decay)
    gaps = np.diff(events.times, prepend=0.0)
    before = np.concatenate([[0.0], (1.0 + sums)[:-1]])
    base = np.diff(events.base_integral(fit.base), prepend=0.0)
    return np.asarray(base + fit.branching * before * -np.expm1(-fit.decay * gaps))


def fit_hawkes(events: Events, start: HawkesFit | None = None) -> HawkesFit:
    """The maximum of the likelihood, from several starts or from an earlier fit.

    `events` needs at least ten events.
    """
    poisson = without_excitation(events)
    tried = _starts(events) if start is None else [(start.branching, start.decay)]
    found = [_maximum(events, poisson.base, branching, decay) for branching, decay in tried]
    value, base, branching, decay = max(found, key=lambda one: one[0])
    return _with_errors(events, base, branching, decay, value, poisson.log_likelihood)


def without_excitation(events: Events) -> HawkesFit:
    """The Poisson process of the greatest likelihood with these pieces. Its decay is of no use."""
    counts = np.bincount(events.piece, minlength=events.pieces)
    base = counts / np.diff(events.edges)
    value = float(counts @ np.log(np.maximum(base, 1e-300)) - counts.sum())
    return HawkesFit(
        base=base,
        branching=0.0,
        decay=1.0,
        log_likelihood=value,
        poisson_log_likelihood=value,
        base_se=np.sqrt(counts) / np.diff(events.edges),
        branching_se=float("nan"),
        decay_se=float("nan"),
        branching_low=0.0,
        branching_high=1.0,
        decay_low=0.0,
        decay_high=float("inf"),
    )


def _bounds(events: Events) -> tuple[float, float]:
    """Decays that the data can show: not longer than a tenth of the recording, nor shorter than its
    resolution or a hundredth of the mean time between events."""
    rate = len(events.times) / events.span
    low = 10.0 / events.span
    return low, max(2.0 * low, min(1.0 / events.resolution_s, 100.0 * rate))


def _starts(events: Events) -> list[tuple[float, float]]:
    """The two best of several starts, on a sample where there are many events."""
    low, high = _bounds(events)
    count = min(len(events.times), _SAMPLE)
    first = (len(events.times) - count) // 2
    times = events.times[first : first + count]
    sample = Events(times - times[0], float(times[-1] - times[0]) * (1 + 1 / count) or 1.0)
    rate = np.array([len(times) / sample.span])
    found = []
    for decay in np.geomspace(low * 2, high / 2, 5):
        value, _, branching, best = _maximum(sample, rate, 0.5, float(decay), (low, high))
        found.append((value, branching, best))
    found.sort(reverse=True)
    return [(branching, decay) for _, branching, decay in found[:2]]


def _maximum(
    events: Events,
    poisson: Floats,
    branching: float,
    decay: float,
    bounds: tuple[float, float] | None = None,
) -> tuple[float, Floats, float, float]:
    """A local maximum: (log likelihood, base rates, branching, decay)."""
    low, high = bounds or _bounds(events)
    scale = np.maximum(poisson, 0.1 / events.span)

    def cost(point: Floats) -> tuple[float, Floats]:
        beta = float(np.exp(point[-1]))
        value, slope = likelihood(events, point[:-2] * scale, float(point[-2]), beta)
        slope[:-2] *= scale
        slope[-1] *= beta
        return -value / len(events.times), -slope / len(events.times)

    first = np.append(np.full(len(scale), 1.0 - branching), [branching, np.log(decay)])
    first[-2] = np.clip(first[-2], 0.01, 0.95)
    first[-1] = np.clip(first[-1], np.log(low), np.log(high))
    limits: list[tuple[float, float | None]] = [(1e-6, None)] * len(scale)
    limits += [(0.0, _BRANCHING_MAX), (np.log(low), np.log(high))]
    done = minimize(
        cost, first, jac=True, bounds=limits, method="L-BFGS-B", options={"ftol": 1e-13}
    )
    point = done.x
    value = -float(done.fun) * len(events.times)
    return value, point[:-2] * scale, float(point[-2]), float(np.exp(point[-1]))


def _with_errors(
    events: Events,
    base: Floats,
    branching: float,
    decay: float,
    value: float,
    log_poisson: float,
) -> HawkesFit:
    """The fit with standard errors from the observed information.

    The intervals of branching and decay are of the logit and of the logarithm; without significant
    excitation branching's begins at 0 and the decay's has no ends.
    """
    excited = 2.0 * (value - log_poisson) > EXCITED
    point = np.concatenate([base, [branching, decay]])
    # Without excitation the decay has no information: it is held.
    free = len(point) if excited else len(point) - 1
    errors = np.full(len(point), np.nan)
    with np.errstate(all="ignore"):
        covariance = np.linalg.pinv(_information(events, point, free))
        errors[:free] = np.sqrt(np.clip(np.diag(covariance), 0.0, None))
    n_se, b_se = float(errors[-2]), float(errors[-1])
    if excited:
        n = min(max(branching, 1e-9), _BRANCHING_MAX)
        odds, wide = np.log(n / (1 - n)), _Z * n_se / (n * (1 - n))
        low, high = (float(expit(odds + side)) for side in (-wide, wide))
        factor = float(np.exp(_Z * b_se / decay))
        ends = (decay / factor, decay * factor)
    else:
        low, high, ends = 0.0, min(1.0, branching + _Z * n_se), (0.0, float("inf"))
    return HawkesFit(
        base=base,
        branching=branching,
        decay=decay,
        log_likelihood=value,
        poisson_log_likelihood=log_poisson,
        base_se=errors[:-2],
        branching_se=n_se,
        decay_se=b_se,
        branching_low=low,
        branching_high=high,
        decay_low=ends[0],
        decay_high=ends[1],
    )


def _information(events: Events, point: Floats, free: int) -> Floats:
    """Minus the Hessian of the log likelihood in the first `free` parameters."""
    hessian = np.empty((free, free))
    for i in range(free):
        step = 1e-4 * max(abs(float(point[i])), 1e-3 if i == len(point) - 2 else 1e-9)
        slopes = []
        for sign in (-1.0, 1.0):
            moved = point.copy()
            moved[i] += sign * step
            slopes.append(likelihood(events, moved[:-2], float(moved[-2]), float(moved[-1]))[1])
        hessian[i] = (slopes[1] - slopes[0])[:free] / (2 * step)
    return -(hessian + hessian.T) / 2
