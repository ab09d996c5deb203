"""A queue with one server, first in first out, and the link before it: fitted to light loads.

The waiting time follows Lindley's recursion (Proc. Cambridge Phil. Soc. 48, 1952): with arrival
aᵢ and service sᵢ, departure dᵢ = max(dᵢ₋₁, aᵢ) + sᵢ. It is what the simulator does with a single
sequencer and a validation server, so a fit by it is a fit of the simulator, thousands of times
cheaper. The mean service time is given (from trains); fitted are the variation of service and
the link's fixed and exponential parts, to p50 and p99 of the light loads, by least squares of
logarithms over a grid.
"""

from __future__ import annotations

import math
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Final

import numpy as np
import numpy.typing as npt

__all__ = ["CVS", "QUANTILES", "FittedQueue", "Grid", "LightLoad", "fit", "services", "sojourn_ns"]

Floats = npt.NDArray[np.float64]

#: Coefficients of variation that are tried: 1.3 and up by a sixth.
CVS: Final = (0.0, 0.25, 0.5, 1.0, *(1.3 * (7 / 6) ** i for i in range(28)))
_SAMPLES: Final = 100_000
_JITTERS: Final = 24
#: Quantiles of the delay that are fitted.
QUANTILES: Final = (0.5, 0.99)


@dataclass(frozen=True)
class LightLoad:
    """Latency measured at a light load."""

    rate_per_s: float
    share: float
    """Share of the capacity estimated from trains."""
    p50_ms: float
    p99_ms: float
    p99_low_ms: float | None
    p99_high_ms: float | None
    n: int


@dataclass(frozen=True)
class FittedQueue:
    """Fitted parameters of the queue and the link."""

    service_us: float
    cv: float
    fixed_ms: float
    jitter_ms: float
    misfit: float
    """Greatest ratio, either way, between a fitted and a measured quantile."""

    @property
    def distribution(self) -> dict[str, float | str]:
        """The values of `[layer.service] distribution`."""
        if self.cv < 0.1:
            return {"kind": "fixed"}
        if self.cv < 1:
            return {"kind": "lognormal", "cv": self.cv}
        if self.cv == 1:
            return {"kind": "exponential"}
        return {"kind": "hyperexponential", "cv": self.cv}


def services(mean_ns: float, cv: float, n: int, draws: np.random.Generator) -> Floats:
    """Service times as the simulator draws them (`Queue.distribution`)."""
    if cv < 0.1:
        return np.full(n, mean_ns)
    if cv < 1:
        spread = math.log(1 + cv * cv)
        return mean_ns * np.exp(math.sqrt(spread) * draws.standard_normal(n) - spread / 2)
    if cv == 1:
        return mean_ns * draws.standard_exponential(n)
    p = (1 + math.sqrt((cv * cv - 1) / (cv * cv + 1))) / 2
    branch = np.where(draws.random(n) < p, p, 1 - p)
    scaled: Floats = mean_ns * draws.standard_exponential(n) / (2 * branch)
    return scaled


def sojourn_ns(arrival_ns: Floats, service_ns: Floats) -> Floats:
    """Waiting and service of each message, in the order of arrival; shape as given."""
    done = np.cumsum(service_ns)
    idle: Floats = np.maximum.accumulate(arrival_ns - (done - service_ns))
    result: Floats = idle + done - arrival_ns
    return result


class Grid:
    """Quantiles of link and queue over variations of service and jitters of the link."""

    def __init__(
        self,
        service_us: float,
        rates_per_s: Sequence[float],
        highest_ms: float,
        *,
        samples: int = _SAMPLES,
    ) -> None:
        """Simulates `samples` messages at each rate. `highest_ms` is the greatest delay that is
        needed; jitters go up to a third of it."""
        self.service_us = service_us
        self._jitters = np.geomspace(highest_ms / 300, highest_ms / 3, _JITTERS)
        unit = np.random.default_rng(11).standard_exponential(samples)
        shape = (len(CVS), _JITTERS, len(rates_per_s), len(QUANTILES))
        self._found_ms: Floats = np.empty(shape)
        for i, cv in enumerate(CVS):
            for k, rate in enumerate(rates_per_s):
                sojourn = _sojourn_ms(service_us, cv, rate, samples)
                for j, jitter in enumerate(self._jitters):
                    self._found_ms[i, j, k] = np.quantile(sojourn + unit * jitter, QUANTILES)

    def nearest(self, asked_ms: Floats) -> tuple[FittedQueue, Floats]:
        """The queue whose quantiles come nearest to p50 and p99 at the first rates, by least
        squares of logarithms, and its own quantiles at all rates.

        `asked_ms` has the shape (loads, 2); the second result (rates, 2).
        """
        found = self._found_ms[:, :, : len(asked_ms)]
        off = np.mean(asked_ms[:, 0] - found[..., 0], axis=-1)
        fixed = np.clip(off, 0.0, float(asked_ms.min()))
        logs = np.log((found + fixed[..., None, None]) / asked_ms)
        loss = (logs**2).sum(axis=(-2, -1))
        i, j = (int(x) for x in np.unravel_index(int(loss.argmin()), loss.shape))
        misfit = float(np.exp(np.abs(logs[i, j]).max()))
        at = float(fixed[i, j])
        queue = FittedQueue(self.service_us, CVS[i], at, float(self._jitters[j]), misfit)
        return queue, self._found_ms[i, j] + at


def fit(service_us: float, lights: Sequence[LightLoad], *, samples: int = _SAMPLES) -> FittedQueue:
    """The queue that comes nearest to the light loads.

    The variation of service is fitted to the light loads alone. That of trains differs: under a
    train a broker flushes, collects garbage and competes for cores more than at a light load.
    """
    asked = np.array([(light.p50_ms, light.p99_ms) for light in lights])
    grid = Grid(service_us, [x.rate_per_s for x in lights], float(asked.max()), samples=samples)
    return grid.nearest(asked)[0]


def _sojourn_ms(service_us: float, cv: float, rate_per_s: float, samples: int) -> Floats:
    draws = np.random.default_rng(5)
    arrivals = np.cumsum(draws.standard_exponential(samples)) * (1e9 / rate_per_s)
    # The same random numbers are used at every load (common random numbers).
    return sojourn_ns(arrivals, services(service_us * 1e3, cv, samples, draws)) / 1e6
