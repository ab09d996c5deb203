"""Readings of a running venue: taken once a second, and whenever somebody asks."""

from __future__ import annotations

import shutil
import threading
import time
from collections import deque
from dataclasses import dataclass
from typing import Any, Final

from surgetank.venue.process import RunningVenue

__all__ = ["Health", "Readings", "VenueReading"]

#: Readings are taken no more often than this, however many ask, s.
_APART_S: Final = 0.05
#: Time in which the venue's thread answers, s.
_ANSWER_S: Final = 2.0
#: Silence of the venue's thread after which it is said to be stalled, s. It looks at its clock
#: every second.
_STALLED_S: Final = 5.0
#: Samples that are kept for the page, one a second.
_KEPT: Final = 120


@dataclass(frozen=True)
class Health:
    """Whether the venue does what it is there for."""

    state: str
    """`serving`, `recovering`, `draining`, `stopped`, `stalled` or `disk-full`."""
    disk: str
    """Room on the disk: `ample`, `reserve` or `full`."""
    silent_s: float
    """Since when its thread has not looked at the clock."""

    @classmethod
    def of(cls, said: dict[str, Any]) -> Health:
        """From what the core says."""
        silent_s = said["silent_ns"] / 1e9
        state = "stopped" if said["ended"] or said["stage"] == "stopping" else said["stage"]
        if state == "serving" and silent_s > _STALLED_S:
            state = "stalled"
        elif state == "serving" and said["space"] == "full":
            state = "disk-full"
        return cls(state, said["space"], silent_s)

    @property
    def serves(self) -> bool:
        """Whether clients are served."""
        return self.state == "serving"


@dataclass(frozen=True)
class VenueReading:
    """A venue at one moment."""

    health: Health
    time_ns: int
    """Time of the venue."""
    venue: dict[str, Any] | None
    """What its thread has said; None if it did not answer."""
    connections: dict[str, Any]
    disk: dict[str, Any]
    free_bytes: int
    """Room on the filesystem of its data folder, and the size of it."""
    total_bytes: int
    recovery: dict[str, Any] | None
    """What its start has found."""


@dataclass(frozen=True)
class Sample:
    """What the page draws over time."""

    seconds: float
    sequence: int
    waiting: int


class Readings:
    """Takes readings of a venue, and keeps the last two minutes of some of its numbers."""

    def __init__(self, venue: RunningVenue) -> None:
        self.venue = venue
        self._asking = threading.Lock()
        self._newest: tuple[float, VenueReading] | None = None
        self._sampled = threading.Condition()
        self._count = 0
        self._history: deque[Sample] = deque(maxlen=_KEPT)

    def health(self) -> Health:
        """Known at once, whatever the venue's thread does."""
        return Health.of(self.venue.health())

    def now(self) -> VenueReading:
        """A reading that is at most 50 ms old."""
        with self._asking:
            if self._newest is None or time.monotonic() - self._newest[0] > _APART_S:
                self._newest = time.monotonic(), self._take()
            return self._newest[1]

    def sample(self) -> VenueReading:
        """A reading for the history; who follows the venue is woken."""
        reading = self.now()
        with self._sampled:
            if reading.venue is not None:
                progress = reading.venue["progress"]
                at = (time.monotonic(), progress["sequence"], progress["waiting"])
                self._history.append(Sample(*at))
            self._count += 1
            self._sampled.notify_all()
        return reading

    def wait(self, after: int, seconds: float) -> int:
        """Waits at most so long for a sample after this one; returns the number of the newest."""
        with self._sampled:
            self._sampled.wait_for(lambda: self._count > after, timeout=seconds)
            return self._count

    def history(self) -> list[Sample]:
        """The samples of the last two minutes."""
        with self._sampled:
            return list(self._history)

    def _take(self) -> VenueReading:
        said = self.venue.health()
        seen = self.venue.overview(_ANSWER_S)
        try:
            usage = shutil.disk_usage(self.venue.data)
            free, total = usage.free, usage.total
        except OSError:
            free, total = 0, 0
        return VenueReading(
            Health.of(said),
            said["now_ns"],
            seen["venue"],
            seen["connections"],
            seen["disk"],
            free,
            total,
            self.venue.recovery,
        )
