"""Goodness of fit by the residual process.

If the model holds, the compensator's increments between events are independent and Exp(1) (time-
change theorem; Brown and others, *Neural Computation* 14, 2002). Three tests: Kolmogorov–Smirnov of
the distribution, Ljung–Box of 20 autocorrelations, and the excess dispersion of Engle and Russell
(*Econometrica* 66, 1998). Parameters are estimated from the same events, which makes the first
somewhat lenient.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import Final

import numpy as np
from numpy.typing import NDArray
from scipy import stats

__all__ = ["Goodness", "goodness"]

Floats = NDArray[np.float64]

_LAGS: Final = 20
#: Level of the three tests together; each is held to a third of it.
LEVEL: Final = 0.05


@dataclass(frozen=True)
class Goodness:
    """p-values of the residuals' tests."""

    events: int
    ks_p: float
    ljung_box_p: float
    dispersion_p: float
    theory: Floats
    """Quantiles of Exp(1) and of the residuals, for a figure."""
    found: Floats

    @property
    def p(self) -> float:
        """Of the three together: three times the least (Bonferroni)."""
        return min(1.0, 3.0 * min(self.ks_p, self.ljung_box_p, self.dispersion_p))

    @property
    def accepted(self) -> bool:
        """Whether the model is not rejected at 5 %."""
        return self.p >= LEVEL


def goodness(residuals: Floats) -> Goodness:
    """Tests the increments of the compensator, of at least 30 events."""
    count = len(residuals)
    shares = (np.arange(1, 200) - 0.5) / 199
    return Goodness(
        events=count,
        ks_p=float(stats.kstest(residuals, "expon").pvalue),
        ljung_box_p=_ljung_box(residuals),
        dispersion_p=_excess(residuals),
        theory=-np.log1p(-shares),
        found=np.quantile(residuals, shares),
    )


def _ljung_box(residuals: Floats) -> float:
    z = residuals - residuals.mean()
    count, power = len(z), float(z @ z)
    lags = np.arange(1, min(_LAGS, count // 3) + 1)
    rho = np.array([float(z[k:] @ z[:-k]) / power for k in lags])
    q = count * (count + 2) * float((rho**2 / (count - lags)).sum())
    return float(stats.chi2.sf(q, len(lags)))


def _excess(residuals: Floats) -> float:
    """√n·(s² − 1)/√8 is standard normal: the variance of Exp(1) is 1."""
    score = np.sqrt(len(residuals)) * (float(residuals.var(ddof=1)) - 1) / np.sqrt(8)
    return float(2 * stats.norm.sf(abs(score)))
