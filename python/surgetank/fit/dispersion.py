"""Index of dispersion of counts: variance over mean of the events in windows.

1 for a Poisson process at every length of window; for a Hawkes process with an exponential kernel
1/(1−n)² + (1 − 1/(1−n)²)·(1 − e^(−γw))/(γw), γ = β(1−n) (Hawkes, *Biometrika* 58, 1971; Da Fonseca
and Zaatour, *J. Futures Markets* 34, 2014).
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import Final

import numpy as np
from numpy.typing import NDArray
from scipy.optimize import minimize
from scipy.stats import t as student

from surgetank.fit.hawkes import Events

__all__ = ["Dispersion", "Matched", "dispersion", "hawkes_dispersion", "match", "windows"]

Floats = NDArray[np.float64]

#: Blocks of the recording that are left out in turn for the interval.
_BLOCKS: Final = 20
#: Error of the form that is added to that of a window: one exponential kernel is not exact.
_FORM: Final = 0.1


@dataclass(frozen=True)
class Dispersion:
    """Variance over mean of counts in windows of one length, with a 95 % interval."""

    window_s: float
    value: float
    low: float
    high: float


@dataclass(frozen=True)
class Matched:
    """A Hawkes process with the recording's index of dispersion."""

    branching: float
    decay: float
    branching_low: float
    branching_high: float


def windows(events: Events) -> Floats:
    """Lengths of windows that are looked at, seconds: from the mean gap to a 40th of the span."""
    rate = len(events.times) / events.span
    high = events.span / (2 * _BLOCKS)
    low = min(max(1.0 / rate, 10 * events.resolution_s), high / 4)
    return np.geomspace(low, high, 9)


def dispersion(events: Events, window_s: float) -> Dispersion:
    """The index at one length, against the mean of each piece of the base rate.

    The interval is by a delete-one jackknife over 20 blocks of the logarithm, so that it holds for
    dependent counts as long as blocks are longer than the dependence.
    """
    squares, mean, block = _counts(events, window_s)
    whole = _ratio(squares, mean)
    left_out = np.array([_ratio(squares[block != i], mean[block != i]) for i in range(_BLOCKS)])
    low, high = _jackknife(np.log(max(whole, 1e-9)), np.log(np.maximum(left_out, 1e-9)))
    return Dispersion(window_s, whole, float(np.exp(low)), float(np.exp(high)))


def hawkes_dispersion(window_s: Floats, branching: float, decay: float) -> Floats:
    """The index of a stationary Hawkes process, by formula."""
    endless = 1.0 / (1.0 - branching) ** 2
    passed = decay * (1.0 - branching) * np.asarray(window_s, dtype=np.float64)
    share = -np.expm1(-passed) / np.maximum(passed, 1e-300)
    return np.asarray(endless + (1.0 - endless) * share)


def match(events: Events) -> Matched:
    """The Hawkes process whose index of dispersion is nearest to the recording's, in logarithms
    weighted by their precision.

    The interval of the branching ratio is by the same jackknife.
    """
    spans = windows(events)
    parts = [_counts(events, float(w)) for w in spans]
    whole = _logs([_ratio(squares, mean) for squares, mean, _ in parts])
    left_out = np.array(
        [
            _logs([_ratio(squares[of != i], mean[of != i]) for squares, mean, of in parts])
            for i in range(_BLOCKS)
        ]
    )
    precision = 1.0 / (_errors(left_out) ** 2 + _FORM**2)
    best = _nearest(spans, whole, precision)
    near = np.array([_nearest(spans, logs, precision, best)[0] for logs in left_out])
    low, high = _jackknife(_logit(best[0]), np.log(near / (1 - near)))
    return Matched(*best, float(1 / (1 + np.exp(-low))), float(1 / (1 + np.exp(-high))))


def _nearest(
    spans: Floats, wanted: Floats, precision: Floats, start: tuple[float, float] | None = None
) -> tuple[float, float]:
    def cost(point: Floats) -> float:
        branching = 1 / (1 + np.exp(-point[0]))
        found = np.log(hawkes_dispersion(spans, float(branching), float(np.exp(point[1]))))
        return float((precision * (found - wanted) ** 2).sum() / precision.sum())

    top = float(np.clip(1 - np.exp(-wanted.max() / 2), 0.02, 0.995))
    starts = [start] if start else [(top, rate / float(spans[4])) for rate in (0.3, 3.0, 30.0)]
    points = [np.array([_logit(n), np.log(b)]) for n, b in starts]
    limits = [(-12.0, 6.0), (float(np.log(0.05 / spans[-1])), float(np.log(50 / spans[0])))]
    done = min(
        (minimize(cost, p, bounds=limits, method="L-BFGS-B") for p in points), key=lambda d: d.fun
    )
    return float(1 / (1 + np.exp(-done.x[0]))), float(np.exp(done.x[1]))


def _logs(values: list[float]) -> Floats:
    # A Hawkes process has no index below 1.
    return np.log(np.maximum(values, 1.0))


def _logit(share: float) -> float:
    return float(np.log(share / (1 - share)))


def _counts(events: Events, window_s: float) -> tuple[Floats, Floats, NDArray[np.int64]]:
    """Squared deviations of whole windows' counts, their means, and the block of each."""
    count = int(events.span / window_s + 1e-9)
    edges = np.arange(count + 1) * window_s
    found = np.diff(np.searchsorted(events.times, edges)).astype(np.float64)
    middle = (edges[:-1] + edges[1:]) / 2
    piece = np.clip(np.searchsorted(events.edges, middle, side="right") - 1, 0, events.pieces - 1)
    held = np.bincount(piece, minlength=events.pieces)
    totals = np.bincount(piece, weights=found, minlength=events.pieces)
    mean = (totals / np.maximum(held, 1))[piece]
    # Each piece's own mean takes one degree of freedom.
    spare = np.where(held > 1, held / np.maximum(held - 1, 1), 1.0)[piece]
    block = (np.arange(count) * _BLOCKS // count).astype(np.int64)
    return (found - mean) ** 2 * spare, mean, block


def _ratio(squares: Floats, mean: Floats) -> float:
    total = float(mean.sum())
    return float(squares.sum()) / total if total > 0 else 1.0


def _errors(left_out: Floats) -> Floats:
    """Jackknife standard errors, by column."""
    count = len(left_out)
    squares = ((left_out - left_out.mean(axis=0)) ** 2).sum(axis=0)
    return np.asarray(np.sqrt((count - 1) / count * squares))


def _jackknife(whole: float, left_out: Floats) -> tuple[float, float]:
    wide = float(student.ppf(0.975, len(left_out) - 1)) * float(_errors(left_out))
    return whole - wide, whole + wide
