"""A broker's calibration in rounds: each has its own trains and light loads, and its own result.

What differs between rounds (the machine's other work, the server's housekeeping, placement of
processes) also differs between the calibration and later runs, so the scatter of the rounds gives
the error of a prediction (`spread.py`).
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Final

import numpy as np

from surgetank.calibrate.estimate import Floats, Ints, TrainArrivals, service
from surgetank.calibrate.probing import LOAD_SHARE_MAX, Probe, poisson, rest_s, trains
from surgetank.calibrate.queueing import QUANTILES, Grid, LightLoad
from surgetank.calibrate.spread import Spread, of_fit, of_rounds
from surgetank.measure.statistics import KaplanMeier

__all__ = [
    "OVERLOAD",
    "SHARES",
    "Round",
    "light_s",
    "lights_of",
    "overload",
    "probe_of",
    "round_result",
    "spread_of",
]

#: Arrival rate of a train over its service rate.
OVERLOAD: Final = 1.3
#: Light loads, as shares of the capacity estimated from trains. Waiting grows as ρ/(1 − ρ), so the
#: wider their spacing, the smaller the extrapolation to half load.
SHARES: Final = (0.05, 0.3)
#: Stalls of the operating system occur some times per second: p99 needs seconds of it.
_LIGHT_S: Final = (3.0, 4.0)
_LIGHT_MESSAGES: Final = 200_000
_RESAMPLES: Final = 400
#: Pause between a train and a light load, s, until the backlog is served.
_SETTLE_S: Final = 1.0
#: The service rate is not known well when a round is planned.
_MARGIN: Final = 1.1
#: Estimating the scatter needs fewer messages than the estimate itself.
_SAMPLES: Final = 40_000


@dataclass(frozen=True)
class Round:
    """The arrivals of one round."""

    trains: tuple[TrainArrivals, ...]
    delays: tuple[Floats, ...]
    """Delays (ns) of each light load of `SHARES`; infinite = lost."""


def overload(size: int, pace_us: float, count: int, rest: float = 1.0) -> Probe:
    """Trains of `size` whose messages come `OVERLOAD` times as fast as one per `pace_us`. Rests
    between them are `rest` times those that keep the average below `LOAD_SHARE_MAX`.

    They keep the slowest stage busy, as a burst does, but sender, target and receiver work
    concurrently on shared cores, as in a steady flow; a burst's sender has finished before the
    others begin.
    """
    return trains([size] * count, [rest * rest_s(size, pace_us)] * count, pace_us / OVERLOAD)


def light_s(rate_per_s: float) -> float:
    """Length of a light load, s."""
    return float(np.clip(_LIGHT_MESSAGES / rate_per_s, *_LIGHT_S))


def probe_of(size: int, pace_us: float, seed: int, light: float = 1.0) -> Probe:
    """A train of `size` and then random arrivals, in turn for each light load; the light loads are
    `light` times as long as usual.

    They are the trains' rests, and longer where the average would be more than the rule allows.
    """
    busy_s = size * pace_us / 1e6
    seconds = [light * light_s(share * 1e6 / pace_us) for share in SHARES]
    works_s = len(SHARES) * busy_s + float(np.dot(SHARES, seconds))
    sending_s = len(SHARES) * busy_s / OVERLOAD + sum(seconds)
    idle_s = _MARGIN * works_s / LOAD_SHARE_MAX - sending_s
    settle_s = max(_SETTLE_S, idle_s / (2 * len(SHARES) - 1))
    parts = []
    for share, length_s in zip(SHARES, seconds, strict=True):
        parts += [overload(size, pace_us, 1), poisson(share * 1e6 / pace_us, length_s, seed)]
    probe = parts[0]
    for part in parts[1:]:
        probe = probe.then(part, settle_s)
    return probe


def round_result(probe: Probe, first_ns: Ints) -> Round:
    """The result of a round, from the times of first delivery (−1: never)."""
    delays = tuple(probe.load_delays(load, first_ns) for load in probe.loads)
    return Round(tuple(probe.arrived(first_ns)), delays)


def lights_of(rounds: Sequence[Round], capacity: float) -> list[LightLoad]:
    """Quantiles at each light load: medians over the rounds, which a single disturbance
    does not change; the interval of p99 is that of all delays together."""
    found = []
    for i, share in enumerate(SHARES):
        turns = [r.delays[i] for r in rounds]
        p50, p99 = (float(x) for x in np.median([_quantiles_ms(t) for t in turns], axis=0))
        delays = np.concatenate(turns)
        ends = KaplanMeier(delays, np.isfinite(delays)).interval(0.99)
        low, high = (None if x is None else x / 1e6 for x in (ends.low, ends.high))
        found.append(LightLoad(share * capacity, share, p50, p99, low, high, len(delays)))
    return found


def _quantiles_ms(delays: Floats) -> list[float]:
    return [float(np.quantile(delays, q, method="lower")) / 1e6 for q in QUANTILES]


def spread_of(rounds: Sequence[Round], capacity: float, service_us: float) -> dict[str, Spread]:
    """Interval factors of the predicted capacity, and of p99 at half that load.

    `capacity` (1/s) is the value from which the rates of the light loads were computed;
    `service_us` is the service time of the fit. The repeatability of p99 at half load is the
    deviation of the fit over resampled rounds (Efron and Tibshirani, 1993). The repeatability of
    the measurement is the deviation of the rounds' own p99 at the higher load: a live run there
    meets as many stalls as a round did.
    """
    paces = [1e6 / pace.value for pace in (service(r.trains) for r in rounds) if pace is not None]
    found = {"capacity": of_rounds(paces), "p99_at_half": None}
    measured_ms = np.array([[_quantiles_ms(delays) for delays in one.delays] for one in rounds])
    if len(rounds) >= 3 and bool(np.isfinite(measured_ms).all()):
        rates = [share * capacity for share in SHARES]
        asked = [*rates, 0.5e6 / service_us]
        grid = Grid(service_us, asked, float(measured_ms.max()), samples=_SAMPLES)
        draws = np.random.default_rng(1)
        halves = [
            grid.nearest(np.median(measured_ms[picked], axis=0))[1][-1, 1]
            for picked in draws.integers(0, len(rounds), (_RESAMPLES, len(rounds)))
        ]
        found["p99_at_half"] = of_fit(np.asarray(halves), measured_ms[:, -1, 1])
    return {name: ends for name, ends in found.items() if ends is not None}
