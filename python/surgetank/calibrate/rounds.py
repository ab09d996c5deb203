"""A broker's calibration in rounds: each has trains and light loads of its own, and its own answer.

What differs between rounds (the machine's other work, the server's housekeeping, where processes
were placed) will differ between the calibration and what is predicted, so the rounds' scatter is
the prediction's (`spread.py`).
"""

from __future__ import annotations

import math
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Final

import numpy as np

from surgetank.calibrate.estimate import Arrived, Floats, Ints, service
from surgetank.calibrate.probing import LOAD_SHARE_MAX, Probe, poisson, trains
from surgetank.calibrate.queueing import Light, Queue, fit, p99_ms
from surgetank.calibrate.spread import Spread, of_rounds
from surgetank.measure.statistics import KaplanMeier

__all__ = ["SHARES", "Round", "heard", "lights_of", "probe_of", "spread_of"]

#: Light loads, as shares of the capacity that trains told.
SHARES: Final = (0.05, 0.25)
_TRAINS: Final = 3
_LIGHT_MESSAGES: Final = 24_000
#: The round's own fits need not be as fine as the one that is published.
_SAMPLES: Final = 12_000


@dataclass(frozen=True)
class Round:
    """What one round heard."""

    trains: tuple[Arrived, ...]
    delays: tuple[Floats, ...]
    """Delays (ns) of each light load of `SHARES`; infinite = lost."""


def probe_of(size: int, bound_us: float, capacity: float, seed: int) -> Probe:
    """Trains of `size`, then random arrivals at the light loads, with rests as the rule asks."""
    gap_s = max(0.3, 1.2 * size * bound_us / 1e6 / LOAD_SHARE_MAX)
    probe = trains([size] * _TRAINS, [gap_s] * _TRAINS)
    for share in SHARES:
        rate = share * capacity
        seconds = float(np.clip(_LIGHT_MESSAGES / rate, 0.25, 1.2))
        probe = probe.then(poisson(rate, seconds, seed), gap_s)
    return probe


def heard(probe: Probe, first_ns: Ints) -> Round:
    """A round from when each of its messages was first delivered (−1: never)."""
    delays = tuple(probe.load_delays(load, first_ns) for load in probe.loads)
    return Round(tuple(probe.arrived(first_ns)), delays)


def lights_of(rounds: Sequence[Round], capacity: float) -> list[Light]:
    """Quantiles at each light load: medians over the rounds, so that one disturbance from outside
    does not make them; the interval of p99 is that of all delays together."""
    found = []
    for i, share in enumerate(SHARES):
        turns = [r.delays[i] for r in rounds]
        p50, p99 = (
            float(np.median([np.quantile(t, q, method="lower") for t in turns])) / 1e6
            for q in (0.5, 0.99)
        )
        delays = np.concatenate(turns)
        ends = KaplanMeier(delays, np.isfinite(delays)).interval(0.99)
        low, high = (None if x is None else x / 1e6 for x in (ends.low, ends.high))
        found.append(Light(share * capacity, share, p50, p99, low, high, len(delays)))
    return found


def spread_of(
    rounds: Sequence[Round], capacity: float, train_cv: tuple[float, float] | None
) -> dict[str, Spread]:
    """Factors of the predicted capacity, and of p99 at half of it, between which it may lie."""
    paces, p99s = [], []
    for one in rounds:
        pace = service(one.trains)
        if pace is None:
            continue
        paces.append(1e6 / pace.value)
        lights = lights_of([one], capacity)
        if all(math.isfinite(light.p99_ms) for light in lights):
            queue: Queue = fit(pace.value, lights, train_cv, samples=_SAMPLES)
            p99s.append(p99_ms(queue, 0.5 * capacity))
    found = {"capacity": of_rounds(paces), "p99_at_half": of_rounds(p99s)}
    return {name: ends for name, ends in found.items() if ends is not None}
