"""Random error of a prediction, from the calibration's own repeatability.

A broker is calibrated in rounds of trains and light loads. The rounds' answers scatter by all that
a round is subject to, the operating system's noise included. The interval is the one in which a
*further measurement* lies, not the one of the mean: with the rounds' standard deviation s of the
logarithms, centre ± t·s·√(v_k + v_m), where v_n is the variance of the median of n normal
observations (David and Nagaraja, Order Statistics, 3rd ed., 2003, §2.3, by Monte Carlo of 10⁶), k
the rounds and m the live runs whose median is predicted.
"""

from __future__ import annotations

import math
from collections.abc import Sequence
from typing import Final

import numpy as np

from surgetank.calibrate.estimate import Estimate, Floats
from surgetank.measure.statistics import student_t

__all__ = [
    "HALF_RUNS",
    "LIVE_RUNS",
    "Spread",
    "joined",
    "of_chain",
    "of_estimate",
    "of_fit",
    "of_rounds",
]

#: Low and high end of an interval, as factors of the prediction.
Spread = tuple[float, float]

#: Number of live runs at each load, of which the median is taken.
LIVE_RUNS: Final = 3
#: Number of live runs at half of a broker's capacity, where p99 is judged.
HALF_RUNS: Final = 5
#: Variance of the median of n standard normal observations.
_MEDIAN: Final = {1: 1.0, 2: 0.5, 3: 0.449, 4: 0.298, 5: 0.287, 6: 0.215, 7: 0.210}


def of_rounds(values: Sequence[float]) -> Spread | None:
    """The factors between which a median of `LIVE_RUNS` live runs lies in 95 %, around the median
    of the rounds' values; None of fewer than three, or where one is not positive and finite."""
    known = np.asarray(values, dtype=np.float64)
    if len(known) < 3 or not bool((np.isfinite(known) & (known > 0)).all()):
        return None
    k = len(known)
    variance = _MEDIAN.get(k, math.pi / 2 / k) + _MEDIAN[LIVE_RUNS]
    half = student_t(k - 1) * float(np.log(known).std(ddof=1)) * math.sqrt(variance)
    return math.exp(-half), math.exp(half)


def of_fit(resampled: Floats, rounds: Floats) -> Spread:
    """The factors between which a median of `HALF_RUNS` live runs lies in 95 % around a fit.
    `resampled` are the fit's results over resampled rounds, `rounds` the same quantity in single
    rounds; all positive."""
    fitted = float(np.log(resampled).std(ddof=1))
    live = float(np.log(rounds).std(ddof=1))
    half = student_t(len(rounds) - 1) * math.hypot(fitted, live * math.sqrt(_MEDIAN[HALF_RUNS]))
    return math.exp(-half), math.exp(half)


def of_estimate(estimate: Estimate | None) -> Spread | None:
    """The ends of an estimate's own interval over its value; None without one."""
    if estimate is None or estimate.low is None or estimate.high is None:
        return None
    ends = (estimate.low / estimate.value, estimate.high / estimate.value)
    return ends if all(math.isfinite(x) and x > 0 for x in ends) else None


def of_chain(step: Estimate | None, single_p99: Estimate) -> dict[str, Spread]:
    """Interval factors of a chain. Its capacity follows from `step`, the binding time per message;
    p99 at half of it is that of single messages, which wait for a block like all others, plus what
    `step` adds."""
    pace = of_estimate(step)
    turned = None if pace is None else (1 / pace[1], 1 / pace[0])
    found = {"capacity": turned, "p99_at_half": joined([of_estimate(single_p99), pace])}
    return {name: ends for name, ends in found.items() if ends is not None}


def joined(parts: Sequence[Spread | None]) -> Spread | None:
    """Independent causes together: half-widths of logarithms add in squares, for each side
    separately. None if one of them is not known."""
    known = [p for p in parts if p is not None]
    if not known or len(known) < len(parts):
        return None
    down, up = (math.sqrt(sum(math.log(p[i]) ** 2 for p in known)) for i in (0, 1))
    return math.exp(-down), math.exp(up)
