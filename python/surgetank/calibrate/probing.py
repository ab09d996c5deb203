"""Probes for measuring a target: single messages, packet trains, light loads."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Final

import numpy as np
import numpy.typing as npt

from surgetank.calibrate.estimate import TrainArrivals

__all__ = [
    "LOAD_SHARE_MAX",
    "PoissonLoad",
    "Probe",
    "Train",
    "poisson",
    "rest_s",
    "singles",
    "trains",
]

Floats = npt.NDArray[np.float64]
Ints = npt.NDArray[np.int64]

LOAD_SHARE_MAX: Final = 0.3
"""Share of the target's capacity that calibration may use on average."""


@dataclass(frozen=True)
class Train:
    """Messages `first` to `first + size`, all due at once or as `trains` spreads them."""

    first: int
    size: int
    due_ns: int


@dataclass(frozen=True)
class PoissonLoad:
    """Messages `first` to `first + count`, at random times with a rate."""

    first: int
    count: int
    rate_per_s: float


@dataclass(frozen=True)
class Probe:
    """Messages in order of time, divided into parts."""

    due_ns: Ints
    single: int = 0
    """Number of single messages; they come first."""
    trains: tuple[Train, ...] = ()
    loads: tuple[PoissonLoad, ...] = ()

    def then(self, other: Probe, pause_s: float) -> Probe:
        """This probe followed by another; single messages can only come first."""
        begin = (int(self.due_ns[-1]) if len(self.due_ns) else 0) + int(pause_s * 1e9)
        n = len(self.due_ns)
        moved = [Train(t.first + n, t.size, t.due_ns + begin) for t in other.trains]
        later = [PoissonLoad(p.first + n, p.count, p.rate_per_s) for p in other.loads]
        return Probe(
            np.concatenate([self.due_ns, other.due_ns + begin]),
            self.single or other.single,
            (*self.trains, *moved),
            (*self.loads, *later),
        )

    def single_delays(self, first_ns: Ints) -> Floats:
        """Delays (ns) of the single messages; infinite for those never delivered.

        `first_ns` is when each message was first delivered, −1 for never.
        """
        return _delays(first_ns[: self.single], self.due_ns[: self.single])

    def load_delays(self, load: PoissonLoad, first_ns: Ints) -> Floats:
        """Delays (ns) of the messages of a light load, without its first tenth; infinite for those
        never delivered."""
        part = slice(load.first + load.count // 10, load.first + load.count)
        return _delays(first_ns[part], self.due_ns[part])

    def arrived(self, first_ns: Ints, size: int | None = None) -> list[TrainArrivals]:
        """The trains that arrived in full, of one size or all."""
        found = []
        for train in self.trains:
            at = first_ns[train.first : train.first + train.size]
            if (size is None or train.size == size) and bool((at >= 0).all()):
                found.append(TrainArrivals(np.sort(at) - train.due_ns))
        return found

    @property
    def scheduled(self) -> npt.NDArray[np.bool_]:
        """Flags of the messages whose lateness counts; shape (n,). Of a train only the first
        message's does: the others cannot be sent at the same instant."""
        found = np.ones(len(self.due_ns), dtype=np.bool_)
        for train in self.trains:
            found[train.first + 1 : train.first + train.size] = False
        return found

    @property
    def mean_rate_per_s(self) -> float:
        """Messages over time (1/s) up to the last due time. A probe that ends with a train counts
        up to that train, since a rest follows it."""
        last = self.trains[-1] if self.trains else None
        if last is not None and last.first + last.size == len(self.due_ns):
            before, end_ns = last.first, last.due_ns
        else:
            before, end_ns = len(self.due_ns) - 1, int(self.due_ns[-1])
        return before * 1e9 / max(1.0, float(end_ns - int(self.due_ns[0])))


def _delays(first_ns: Ints, due_ns: Ints) -> Floats:
    return np.where(first_ns >= 0, (first_ns - due_ns).astype(np.float64), np.inf)


def singles(count: int, gap_s: float, seed: int = 1) -> Probe:
    """Messages far apart, at gaps of 0.5 to 1.5 times the mean, so that they sample every phase of
    periodic work of the target."""
    gaps = np.random.default_rng(seed).uniform(0.5, 1.5, count) * gap_s * 1e9
    return Probe(np.cumsum(gaps).astype(np.int64), single=count)


def trains(sizes: Sequence[int], gaps_s: Sequence[float], apart_us: float = 0.0) -> Probe:
    """Trains one after the other; `gaps_s[i]` is the rest after the last message of train i is
    due. The messages of a train are due at once, or at equal distances of `apart_us`."""
    due, found, at, first = [], [], 0, 0
    for size, gap_s in zip(sizes, gaps_s, strict=True):
        steps = (np.arange(size) * (apart_us * 1e3)).astype(np.int64)
        due.append(at + steps)
        found.append(Train(first, size, at))
        first += size
        at += int(steps[-1]) + int(gap_s * 1e9)
    return Probe(np.concatenate(due), trains=tuple(found))


def rest_s(size: int, pace_us: float) -> float:
    """Rest after a train of `size` served at one message per `pace_us`, s: so long that the load
    stays below `LOAD_SHARE_MAX` on average."""
    return max(0.3, 1.2 * size * pace_us / 1e6 / LOAD_SHARE_MAX)


def poisson(rate_per_s: float, seconds: float, seed: int = 1) -> Probe:
    """Poisson arrivals at a rate (1/s) for some seconds."""
    count = max(1, round(rate_per_s * seconds))
    at = np.sort(np.random.default_rng(seed).uniform(0, seconds, count)) * 1e9
    return Probe(at.astype(np.int64), loads=(PoissonLoad(0, count, rate_per_s),))
