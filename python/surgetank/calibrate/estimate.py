"""Estimates from times of sending and arrival; pure functions on arrays.

**Base delay**: messages sent far apart do not interfere. Quantiles of their delays, with
order-statistic intervals.

**Service time**: a train of n messages due at the same instant keeps the slowest stage busy from
its first message to its last, so that its messages leave at the pace of that stage: their
dispersion is the service time, batching included (packet trains: Jain and Routhier, IEEE JSAC 4(6),
1986; dispersion and capacity: Dovrolis, Ramanathan and Moore, IEEE/ACM ToN 12(6), 2004). With
arrivals read in batches, messages of the first reading are excluded at both ends: (last − first
reading) / (n − messages of the first reading). It holds where the train is much longer than a
reading and than the base delay; short trains show the additional wait of a burst.

**Variation of service**: the time of k neighbours in a train has the variance k·b²·c² if service
times are independent, with mean b and coefficient of variation c. Trains are cut into segments of
several milliseconds, so that readings and timers do not count as variation, and c² is the segments'
variance over their mean squared, times their messages. Stalls of the whole machine appear as rare
long services, as the messages that wait behind them experience.

Intervals over trains are percentile bootstraps (Efron and Tibshirani, 1993), 95 %.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import asdict, dataclass
from typing import Any, Final

import numpy as np
import numpy.typing as npt

from surgetank.measure.statistics import KaplanMeier

__all__ = [
    "Estimate",
    "TrainArrivals",
    "base_delays",
    "bootstrap",
    "burst_ns",
    "dispersion_ns",
    "service",
    "variation",
]

Floats = npt.NDArray[np.float64]
Ints = npt.NDArray[np.int64]

_RESAMPLES: Final = 1_000
#: Least length of a segment, in time and in readings.
_SEGMENT_NS: Final = 5_000_000.0
_SEGMENT_READINGS: Final = 8


@dataclass(frozen=True)
class Estimate:
    """A number of the system under test."""

    name: str
    value: float
    low: float | None
    """95 % interval; None with too few observations."""
    high: float | None
    unit: str
    n: int
    """Number of observations: messages, trains or blocks."""
    what: str

    def to_dict(self) -> dict[str, Any]:
        """Plain values for JSON."""
        return asdict(self)


@dataclass(frozen=True)
class TrainArrivals:
    """One train: arrival times of its messages, ns, ascending, since the instant at which all were
    due."""

    arrival_ns: Ints

    def __len__(self) -> int:
        return len(self.arrival_ns)

    @property
    def last_ns(self) -> float:
        """Arrival time of the last message, ns."""
        return float(self.arrival_ns[-1])


def base_delays(delay_ns: Floats) -> dict[str, Estimate]:
    """min, p50, p99 (ms) and cv of the delays of messages sent far apart; infinite = lost.

    Raises:
        ValueError: there are none.
    """
    if not len(delay_ns):
        raise ValueError("no delays")
    here = np.isfinite(delay_ns)
    known = KaplanMeier(delay_ns, here)
    n = len(delay_ns)
    found = {
        "min": Estimate(
            "base_delay_min", float(delay_ns.min()) / 1e6, None, None, "ms", n, "least delay"
        )
    }
    for name, p in (("p50", 0.5), ("p99", 0.99)):
        at = known.interval(p)
        low, high = (None if x is None else x / 1e6 for x in (at.low, at.high))
        text = f"{p:.0%} of single messages took at most this long"
        found[name] = Estimate(f"base_delay_{name}", at.value / 1e6, low, high, "ms", n, text)
    kept = delay_ns[here]
    cv = float(kept.std() / kept.mean()) if len(kept) > 1 and kept.mean() > 0 else 0.0
    found["cv"] = Estimate(
        "base_delay_cv", cv, None, None, "1", n, "deviation over mean of single messages' delays"
    )
    return found


def dispersion_ns(train: TrainArrivals) -> float | None:
    """Service time per message of one train, ns; None if the train came in a single reading."""
    at = train.arrival_ns
    first = int(np.searchsorted(at, at[0], side="right"))
    rest = len(at) - first
    return None if rest <= 0 else float(at[-1] - at[0]) / rest


def bootstrap(
    count: int, statistic: Callable[[Ints], float], seed: int = 1
) -> tuple[float | None, float | None]:
    """Percentile interval of a statistic of resampled indices; none for fewer than 4."""
    if count < 4:
        return None, None
    draws = np.random.default_rng(seed)
    values = [statistic(draws.integers(0, count, count)) for _ in range(_RESAMPLES)]
    known = np.asarray([v for v in values if np.isfinite(v)])
    if len(known) < _RESAMPLES // 2:
        return None, None
    low, high = np.quantile(known, (0.025, 0.975))
    return float(low), float(high)


def service(
    trains: Sequence[TrainArrivals], name: str = "service", what: str = ""
) -> Estimate | None:
    """Mean service time per message, µs: total time over total messages of equally long trains."""
    kept = [t for t in trains if dispersion_ns(t) is not None]
    if not kept:
        return None
    spans = np.asarray([float(t.arrival_ns[-1] - t.arrival_ns[0]) for t in kept])
    firsts = [int(np.searchsorted(t.arrival_ns, t.arrival_ns[0], side="right")) for t in kept]
    counts = np.asarray([len(t) - f for t, f in zip(kept, firsts, strict=True)], dtype=np.float64)

    def ratio(index: Ints) -> float:
        return float(spans[index].sum() / counts[index].sum()) / 1e3

    low, high = bootstrap(len(kept), ratio)
    text = what or "dispersion of trains: time per message with the slowest stage always busy"
    return Estimate(name, ratio(np.arange(len(kept))), low, high, "µs", len(kept), text)


def variation(trains: Sequence[TrainArrivals]) -> Estimate | None:
    """Coefficient of variation of the service time of a message; None if trains are too short."""
    segments = [s for s in map(_segments, trains) if s is not None]
    if not segments:
        return None
    times = [s[0] for s in segments]
    per = float(np.mean([s[1] for s in segments]))

    def cv(index: Ints) -> float:
        pooled = np.concatenate([times[i] for i in index])
        if len(pooled) < 3 or pooled.mean() <= 0:
            return float("nan")
        return float(np.sqrt(pooled.var(ddof=1) / pooled.mean() ** 2 * per))

    value = cv(np.arange(len(times)))
    if not np.isfinite(value):
        return None
    low, high = bootstrap(len(times), cv)
    text = "deviation over mean of service times, from segments of trains"
    return Estimate("service_cv", value, low, high, "1", sum(map(len, times)), text)


def _segments(train: TrainArrivals) -> tuple[Floats, float] | None:
    """Times (ns) of equal parts of a train, and how many messages are in each."""
    at = train.arrival_ns
    readings, starts = np.unique(at, return_index=True)
    span = float(at[-1] - at[0])
    parts = int(min(span / _SEGMENT_NS, len(readings) / _SEGMENT_READINGS, 20))
    if parts < 2:
        return None
    # Cut at readings nearest to equal counts; a part's time is scaled to the equal count.
    edges = np.linspace(starts[1], len(at), parts + 1)
    seen = np.append(starts[1:], len(at)).astype(np.float64)
    when = np.append(readings[:-1], readings[-1]).astype(np.float64)
    cut = np.interp(edges, seen, when)
    return np.diff(cut), (len(at) - float(starts[1])) / parts


def burst_ns(trains: Sequence[TrainArrivals], single_ns: float) -> float | None:
    """Median over short trains of their whole time less that of a single message, ns."""
    if not trains:
        return None
    return float(np.median([t.last_ns for t in trains])) - single_ns
