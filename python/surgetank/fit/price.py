"""The price path of a recording: volatility and jumps.

Realised variance counts jumps; bipower variation, (π/2)·Σ|rᵢ||rᵢ₋₁|, hardly (Barndorff-Nielsen
and Shephard, *J. Financial Econometrics* 2, 2004). Jumps are found by Lee and Mykland's test
(*Review of Financial Studies* 21, 2008): a return over the local volatility before it, against the
distribution of the largest of so many normal ones, at 1 % for the whole recording.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import Final

import numpy as np
from numpy.typing import NDArray

from surgetank.tape import TapeFile

__all__ = ["PriceFit", "fit_price", "jumps_in"]

Floats = NDArray[np.float64]

_YEAR_S: Final = 365.0 * 86_400.0
_LEVEL: Final = 0.01
#: Returns of the local volatility's window, and the least number of returns that are fitted.
_LOCAL: Final = 60
_LEAST: Final = 30
#: E|N(0,1)|.
_C: Final = float(np.sqrt(2 / np.pi))


@dataclass(frozen=True)
class PriceFit:
    """A geometric Brownian motion with Merton's jumps."""

    start_usd: float
    step_s: float
    """Interval of the returns."""
    returns: int
    volatility: float
    """σ per √year of 365 days, without jumps (bipower variation)."""
    volatility_low: float
    volatility_high: float
    realised: float
    """σ per √year with jumps (realised variance)."""
    jumps: int
    jumps_per_day: float
    jump_mean: float
    jump_sd: float


def fit_price(recording: TapeFile) -> PriceFit:
    """Fits the path of a recording's prices, sampled at a fixed interval: that of its bars, else a
    thousandth of its span, but from 1 s to 5 min, which is above the bounce between bid and offer.
    """
    times, usd = recording.prices_ns, recording.prices_usd
    span_s = float(times[-1] - times[0]) / 1e9
    bar_s = (recording.bar_ns or 0) / 1e9
    step_s = max(bar_s, min(300.0, max(1.0, span_s / 1_000)))
    at = times[0] + (np.arange(int(span_s / step_s) + 1) * step_s * 1e9).astype(np.int64)
    # The price of a bar's beginning is its open, so that bars give returns between opens.
    logs = np.log(usd[np.searchsorted(times, at, side="right") - 1])
    r = np.diff(logs)
    if len(r) < _LEAST or not r.any():
        return PriceFit(float(usd[0]), step_s, len(r), 0.0, 0.0, 0.0, 0.0, 0, 0.0, 0.0, 0.0)
    jump = jumps_in(r)
    per_year = _YEAR_S / step_s
    # Even a product with one jump is large in a short recording: those are left out (Corsi, Pirino
    # and Renò, *J. Econometrics* 159, 2010).
    calm = ~(jump[1:] | jump[:-1])
    each = (np.abs(r[1:]) * np.abs(r[:-1]))[calm] / _C**2
    bipower, realised = float(each.mean()), float((r**2).mean())
    # Variance of the mean of a 1-dependent sequence.
    centred = each - bipower
    both = (centred**2).sum() + 2 * (centred[1:] * centred[:-1]).sum()
    spread = float(both) / len(each) ** 2
    error = np.sqrt(max(spread, 0.0)) / max(bipower, 1e-300)
    sigma = float(np.sqrt(bipower * per_year))
    sizes = r[jump]
    return PriceFit(
        start_usd=float(usd[0]),
        step_s=step_s,
        returns=len(r),
        volatility=sigma,
        volatility_low=sigma * float(np.exp(-0.98 * error)),
        volatility_high=sigma * float(np.exp(0.98 * error)),
        realised=float(np.sqrt(realised * per_year)),
        jumps=len(sizes),
        jumps_per_day=len(sizes) / (len(r) * step_s / 86_400),
        jump_mean=float(sizes.mean()) if len(sizes) else 0.0,
        jump_sd=float(sizes.std(ddof=1)) if len(sizes) > 1 else 0.0,
    )


def jumps_in(returns: Floats) -> NDArray[np.bool_]:
    """Which returns are jumps, by Lee and Mykland's test at 1 % over all of them."""
    count = len(returns)
    window = min(_LOCAL, max(10, count // 10))
    products = np.concatenate([[0.0], np.abs(returns[1:]) * np.abs(returns[:-1])])
    sums = np.concatenate([[0.0], np.cumsum(products)])
    # Products of the returns before each one; at the beginning, of the first window.
    end = np.maximum(np.arange(count), window)
    start = np.maximum(end - window, 0)
    local = (sums[end] - sums[start]) / (end - start) / _C**2
    # Where nothing moved before, the mean volatility stands in.
    floor = float(products.mean()) / _C**2
    score = np.abs(returns) / np.sqrt(np.maximum(local, 0.05 * floor + 1e-300))
    root = np.sqrt(2 * np.log(count))
    centre = root - (np.log(np.pi) + np.log(np.log(count))) / (2 * root)
    threshold = centre - np.log(-np.log(1 - _LEVEL)) / root
    return np.asarray((score > threshold) & (floor > 0))
