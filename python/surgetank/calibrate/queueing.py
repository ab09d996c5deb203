"""A queue with one server, first in first out, and the link before it: fitted to light loads.

The waiting time follows Lindley's recursion (Proc. Cambridge Phil. Soc. 48, 1952): with arrival
aᵢ and service sᵢ, departure dᵢ = max(dᵢ₋₁, aᵢ) + sᵢ. It is what the simulator does with a single
sequencer and a validation server, so a fit by it is a fit of the simulator, thousands of times
cheaper. The mean service time is given (trains tell it); fitted are the variation of service and
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

__all__ = ["CVS", "Light", "Queue", "fit", "p99_ms", "services", "sojourn_ns"]

Floats = npt.NDArray[np.float64]

#: Coefficients of variation that are tried.
CVS: Final = (0.0, 0.25, 0.5, 1.0, 1.5, 2.0, 3.0, 5.0, 8.0, 12.0, 20.0, 30.0, 50.0, 80.0, 120.0)
_SAMPLES: Final = 60_000
_JITTERS: Final = 36
#: How far the fitted variation may lie from the interval that the trains gave, as a factor.
_TRAINS_SLACK: Final = 3.0


@dataclass(frozen=True)
class Light:
    """Delays measured at a light load."""

    rate_per_s: float
    share: float
    """Of the capacity that the trains told."""
    p50_ms: float
    p99_ms: float
    p99_low_ms: float | None
    p99_high_ms: float | None
    n: int


@dataclass(frozen=True)
class Queue:
    """What was fitted."""

    service_us: float
    cv: float
    fixed_ms: float
    jitter_ms: float
    misfit: float
    """Greatest ratio, either way, between a fitted and a measured quantile."""

    @property
    def distribution(self) -> dict[str, float | str]:
        """As `[layer.service] distribution` has it."""
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


def fit(
    service_us: float,
    lights: Sequence[Light],
    train_cv: tuple[float, float] | None = None,
    *,
    samples: int = _SAMPLES,
) -> Queue:
    """The queue that comes nearest to the light loads.

    `train_cv` is the interval of the variation of service that trains gave: it bounds the search,
    as at a light load a slow wake-up of the sender looks like a slow service. `samples` messages
    are played at each load.
    """
    draws = np.random.default_rng(11)
    unit = draws.standard_exponential(samples)
    highest = max(light.p99_ms for light in lights)
    jitters = np.geomspace(highest / 300, highest / 3, _JITTERS)
    best: tuple[float, Queue] | None = None
    for cv in _near(train_cv):
        sojourns = [_sojourn_ms(service_us, cv, x.rate_per_s, samples) for x in lights]
        for jitter in jitters:
            loss, fixed, misfit = _loss(sojourns, unit * jitter, lights)
            if best is None or loss < best[0]:
                best = (loss, Queue(service_us, cv, fixed, float(jitter), misfit))
    assert best is not None
    return best[1]


def _near(train_cv: tuple[float, float] | None) -> list[float]:
    if train_cv is None:
        return list(CVS)
    low, high = train_cv[0] / _TRAINS_SLACK, train_cv[1] * _TRAINS_SLACK
    inside = [cv for cv in CVS if low <= cv <= high]
    return inside or [min(CVS, key=lambda cv: abs(cv - (train_cv[0] + train_cv[1]) / 2))]


def p99_ms(queue: Queue, rate_per_s: float) -> float:
    """p99 of the delay through link and queue at a load, ms."""
    link = queue.jitter_ms * np.random.default_rng(11).standard_exponential(_SAMPLES)
    sojourn = _sojourn_ms(queue.service_us, queue.cv, rate_per_s, _SAMPLES)
    return queue.fixed_ms + float(np.quantile(sojourn + link, 0.99))


def _sojourn_ms(service_us: float, cv: float, rate_per_s: float, samples: int) -> Floats:
    draws = np.random.default_rng(5)
    arrivals = np.cumsum(draws.standard_exponential(samples)) * (1e9 / rate_per_s)
    # The same message stays in its place whatever the load: neighbours differ by the queue alone.
    return sojourn_ns(arrivals, services(service_us * 1e3, cv, samples, draws)) / 1e6


def _loss(
    sojourns: Sequence[Floats], link: Floats, lights: Sequence[Light]
) -> tuple[float, float, float]:
    """Squared logarithms of the ratios, the fixed part that makes them least, and the worst."""
    found = np.array([np.quantile(s + link, (0.5, 0.99)) for s in sojourns])
    asked = np.array([(light.p50_ms, light.p99_ms) for light in lights])
    room = float(asked.min())
    fixed = max(0.0, min(room, float(np.mean(asked[:, 0] - found[:, 0]))))
    logs = np.log((found + fixed) / asked)
    return float((logs**2).sum()), fixed, float(np.exp(np.abs(logs).max()))
