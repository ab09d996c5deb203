"""The combined effect of the faults in force on the links of a proxy. Several may be on one link at
a time: delays add up, the narrowest bandwidth counts, losses are independent, and a link that one
fault stops is stopped."""

from __future__ import annotations

import threading
import time
from collections.abc import Iterable
from dataclasses import dataclass
from typing import Literal

from surgetank.live.proxy import Fate, LinkReading, Proxy

__all__ = ["LinkFates", "Traffic", "combined"]


def combined(fates: Iterable[Fate]) -> Fate:
    """The fate of a link with several faults."""
    whole = Fate()
    for fate in fates:
        narrow = [f.bandwidth_mbps for f in (whole, fate) if f.bandwidth_mbps]
        cut: Literal["", "hang", "refuse"] = "hang" if "hang" in (whole.cut, fate.cut) else ""
        whole = Fate(
            delay_ms=whole.delay_ms + fate.delay_ms,
            jitter_ms=whole.jitter_ms + fate.jitter_ms,
            distribution=fate.distribution if fate.jitter_ms else whole.distribution,
            bandwidth_mbps=min(narrow, default=0.0),
            stall=whole.stall or fate.stall,
            cut=cut or whole.cut or fate.cut,
            drop=whole.drop or fate.drop,
            retransmit_p=1 - (1 - whole.retransmit_p) * (1 - fate.retransmit_p),
        )
    return whole


@dataclass(slots=True)
class Traffic:
    """Traffic on a fault's links during the fault."""

    bytes: int = 0
    attempts: int = 0
    """Number of bytes held and of connections opened, refused or reset: evidence that clients met
    the fault."""
    connections: int = 0
    resets: int = 0
    delays: int = 0
    asked_ms: float = 0.0
    measured_ms: float = 0.0
    segments: int = 0
    segments_lost: int = 0
    busy_bytes: int = 0
    busy_s: float = 0.0

    def add(self, reading: LinkReading) -> None:
        """Adds a reading of a link."""
        self.bytes += reading.bytes
        self.attempts += reading.held_bytes + reading.opened + reading.refused + reading.resets
        self.connections += reading.connections
        self.resets += reading.resets
        self.delays += reading.delays
        self.asked_ms += reading.delays * reading.delay_asked_ms
        self.measured_ms += reading.delays * reading.delay_mean_ms
        self.segments += reading.segments
        self.segments_lost += reading.segments_lost
        self.busy_bytes += reading.busy_bytes
        self.busy_s += reading.busy_s


class LinkFates:
    """The faults on each link of a proxy."""

    def __init__(self, proxy: Proxy) -> None:
        self.proxy = proxy
        self._lock = threading.Lock()
        self._on: dict[str, dict[int, Fate]] = {name: {} for name in proxy.links}
        self._traffic: dict[int, Traffic] = {}

    def begin(self, fault: int, names: list[str], fate: Fate) -> int:
        """Puts a fault on links; returns when it took effect, by `time.monotonic_ns`."""
        with self._lock:
            self._traffic.setdefault(fault, Traffic())
            self._credit(names)
            for name in names:
                self._on.setdefault(name, {})[fault] = fate
            return self._set(names)

    def end(self, fault: int) -> int:
        """Removes a fault from its links; returns the time of removal."""
        with self._lock:
            names = [name for name, on in self._on.items() if fault in on]
            if not names:
                return time.monotonic_ns()
            self._credit(names)
            for name in names:
                del self._on[name][fault]
            return self._set(names)

    def traffic(self, fault: int) -> Traffic:
        """Traffic on the links of a fault during the fault."""
        return self._traffic.get(fault, Traffic())

    def _credit(self, names: list[str]) -> None:
        """Adds the counts up to now to the faults in force: setting a fate resets the counts."""
        readings = self.proxy.readings()
        for name in names:
            for fault in self._on.get(name, {}):
                self._traffic[fault].add(readings[name])

    def _set(self, names: list[str]) -> int:
        at_ns = time.monotonic_ns()
        fates: dict[Fate, list[str]] = {}
        for name in names:
            fates.setdefault(combined(self._on[name].values()), []).append(name)
        for fate, same in fates.items():
            at_ns = self.proxy.set(same, fate)
        return at_ns
