"""Faults of links. Several may be on one link at a time: delays add up, the narrowest bandwidth
counts, losses are independent, and whatever holds, holds."""

from __future__ import annotations

import math
import threading
import time
from collections.abc import Iterable
from dataclasses import dataclass
from typing import Literal

from surgetank.errors import SurgetankError
from surgetank.live.faults.row import Row, exactly, in_force, within, within_chance
from surgetank.live.proxy import Fate, Proxy, Reading
from surgetank.scenario.faults import Bandwidth, DelaySurge, Disconnect, Fault, Loss, Partition
from surgetank.trace import Quantity

__all__ = ["LinkFates", "LinkFault", "fate_of", "links_of"]


def together(fates: Iterable[Fate]) -> Fate:
    """One fate from several."""
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
class Seen:
    """What passed a fault's links while it lasted."""

    seconds: float = 0.0
    bytes: int = 0
    tried: int = 0
    """Bytes held, connections opened, refused or reset: signs that somebody met the fault."""
    connections: int = 0
    resets: int = 0
    delays: int = 0
    asked_ms: float = 0.0
    measured_ms: float = 0.0
    segments: int = 0
    segments_lost: int = 0
    busy_bytes: int = 0
    busy_s: float = 0.0

    def add(self, reading: Reading) -> None:
        """Another reading of a link."""
        self.bytes += reading.bytes
        self.tried += reading.held_bytes + reading.opened + reading.refused + reading.resets
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
    """Which faults are on which links of a proxy now."""

    def __init__(self, proxy: Proxy) -> None:
        self.proxy = proxy
        self._lock = threading.Lock()
        self._on: dict[str, dict[int, Fate]] = {name: {} for name in proxy.links}
        self._seen: dict[int, Seen] = {}

    def begin(self, fault: int, names: list[str], fate: Fate) -> int:
        """Puts a fault on links; returns when it took effect, by `time.monotonic_ns`."""
        with self._lock:
            self._seen.setdefault(fault, Seen())
            self._credit(names)
            for name in names:
                self._on.setdefault(name, {})[fault] = fate
            return self._set(names)

    def end(self, fault: int) -> int:
        """Takes it off them; returns when."""
        with self._lock:
            names = [name for name, on in self._on.items() if fault in on]
            if not names:
                return time.monotonic_ns()
            self._credit(names)
            for name in names:
                del self._on[name][fault]
            return self._set(names)

    def seen(self, fault: int) -> Seen:
        """What passed while it lasted."""
        return self._seen.get(fault, Seen())

    def _credit(self, names: list[str]) -> None:
        """Setting a fate makes the counts start anew: they belong to the faults until now."""
        readings = self.proxy.readings()
        for name in names:
            for fault in self._on.get(name, {}):
                self._seen[fault].add(readings[name])

    def _set(self, names: list[str]) -> int:
        at_ns = time.monotonic_ns()
        fates: dict[Fate, list[str]] = {}
        for name in names:
            fates.setdefault(together(self._on[name].values()), []).append(name)
        for fate, same in fates.items():
            at_ns = self.proxy.set(same, fate)
        return at_ns


def fate_of(fault: Fault) -> Fate | None:
    """What a fault does to its links; None if it is not one of links."""
    if isinstance(fault, DelaySurge):
        return Fate(delay_ms=fault.extra_ms)
    if isinstance(fault, Loss):
        # A link that loses everything is cut.
        if fault.probability >= 1:
            return Fate(cut="hang")
        return Fate(retransmit_p=fault.probability)
    if isinstance(fault, Partition):
        return Fate(cut="hang")
    if isinstance(fault, Disconnect):
        return Fate(drop=True)
    if isinstance(fault, Bandwidth):
        return Fate(bandwidth_mbps=fault.mbps)
    return Fate(stall=True) if fault.kind == "stall" else None


def links_of(fault: Fault, proxy: Proxy) -> list[str]:
    """Names of the links that a fault is on. As in the simulator, faults are on the links between
    nodes; where there are none, on those of the clients.

    Raises:
        SurgetankError: there are no such links.
    """
    links = proxy.links.values()
    nodes = {node for link in links for node in (link.a, link.b) if node >= 0}
    between = {link.name for link in links if link.a >= 0}
    if isinstance(fault, Partition):
        names = _across(fault, proxy, nodes)
        hint = "Name the clients as -1: groups = [[-1], [0]]"
    else:
        named = set(getattr(fault, "nodes", ())) or nodes
        if unknown := named - nodes:
            raise SurgetankError(
                f"node {min(unknown)} is not there",
                place=f"fault {fault.kind}",
                hint=f"This system has nodes 0..{len(nodes) - 1}",
            )
        names = [name for name in proxy.between(named) if not between or name in between]
        hint = "Take the fault out"
    if not names:
        raise SurgetankError("it meets no link", place=f"fault {fault.kind}", hint=hint)
    return names


def _across(fault: Partition, proxy: Proxy, nodes: set[int]) -> list[str]:
    groups = [set(group) for group in fault.groups]
    named = set().union(*groups)
    # Clients that are not named reach everybody, as in the simulator.
    rest = nodes - named
    sides = [*groups, rest] if rest else groups
    found: dict[str, None] = {}
    for i, one in enumerate(sides):
        for other in sides[i + 1 :]:
            found |= dict.fromkeys(proxy.between(one, other))
    return list(found)


class LinkFault:
    """A fault of links while it is played."""

    def __init__(self, index: int, fault: Fault, fates: LinkFates) -> None:
        """Raises:
        SurgetankError: there are no such links, or the fault makes no sense here.
        """
        fate = fate_of(fault)
        assert fate is not None
        if isinstance(fault, DelaySurge) and fate.delay_ms == 0:
            raise SurgetankError(
                "`factor` has nothing to multiply: a live link's delay is the system's own",
                place=f"faults[{index}]",
                hint="Give `extra_ms`",
            )
        self._index, self._fault, self._fates, self._fate = index, fault, fates, fate
        self._names = links_of(fault, fates.proxy)
        self._begun_ns = self._ended_ns = 0

    def begin(self) -> None:
        """From now on."""
        self._begun_ns = self._fates.begin(self._index, self._names, self._fate)

    def end(self) -> None:
        """Until now."""
        if self._begun_ns and not self._ended_ns:
            self._ended_ns = self._fates.end(self._index)

    def rows(self, asked_s: float) -> list[Row]:
        """What was measured; `asked_s` is how long it was to last."""
        seen = self._fates.seen(self._index)
        lasted_s = (self._ended_ns - self._begun_ns) / 1e9
        rows = [self._row(seen, lasted_s)]
        if self._fate.holds:
            rows.append(in_force(asked_s, lasted_s))
        return rows

    def _row(self, seen: Seen, lasted_s: float) -> Row:
        fate, n = self._fate, seen.delays
        if fate.drop:
            left = float(seen.connections)
            return Row(Quantity.CONNECTIONS_LEFT, 0.0, exactly(0.0), left, seen.tried)
        if fate.holds:
            passed = float(seen.bytes)
            return Row(Quantity.BYTES_PASSED, 0.0, exactly(0.0), passed, seen.tried)
        if fate.retransmit_p:
            p, segments = fate.retransmit_p, seen.segments
            # A share of n draws: binomial.
            allowed = within_chance(p, math.sqrt(p * (1 - p)), segments, 1 / max(1, segments))
            share = seen.segments_lost / segments if segments else None
            return Row(Quantity.SEGMENTS_LOST, p, allowed, share, segments)
        if fate.bandwidth_mbps:
            return _bandwidth(fate.bandwidth_mbps, seen, lasted_s)
        asked = seen.asked_ms / n if n else fate.delay_ms
        # Asked and measured on the same chunks: only the proxy's own precision counts.
        allowed = within(asked, 0.05 * asked + 0.5)
        return Row(Quantity.ADDED_DELAY, asked, allowed, seen.measured_ms / n if n else None, n)


def _bandwidth(asked: float, seen: Seen, lasted_s: float) -> Row:
    n = seen.delays
    if seen.busy_s > 0:
        mbps = seen.busy_bytes * 8e-6 / seen.busy_s
        return Row(Quantity.BANDWIDTH, asked, within(asked, 0.05 * asked), mbps, n)
    # Nothing ever waited: there was less to send.
    mbps = seen.bytes * 8e-6 / lasted_s if lasted_s > 0 else 0.0
    return Row(Quantity.BANDWIDTH, asked, (None, 1.02 * asked), mbps, n)
