"""Plays a scenario's `[[faults]]` against a real system, each in a thread of its own.

Whatever is in force when the run ends, for whatever reason, is undone by `end`.
"""

from __future__ import annotations

import threading
import time
from collections.abc import Sequence
from types import TracebackType
from typing import Any, Protocol, Self

from surgetank.errors import SurgetankError
from surgetank.live.faults.disks import DiskFault, Disks, nodes_of
from surgetank.live.faults.links import LinkFates, LinkFault, fate_of
from surgetank.live.faults.nodes import CrashFault, SlowFault
from surgetank.live.faults.row import Row
from surgetank.live.proxy import Proxy
from surgetank.live.server import Server
from surgetank.scenario.faults import Crash, DiskFull, Fault, Partition, Slow

__all__ = ["Faults", "needs_proxy"]

_ENDS_WITHIN_S = 60.0


def needs_proxy(faults: Sequence[Fault]) -> bool:
    """Whether one of them is a fault of links."""
    return any(fate_of(fault) is not None for fault in faults)


class _Play(Protocol):
    """One fault while it is played. `end` may be called without `begin`."""

    def begin(self) -> None: ...
    def end(self) -> None: ...
    def rows(self, asked_s: float) -> list[Row]: ...


class Faults:
    """The faults of one run. `spam` is part of the flow and is not played here."""

    def __init__(
        self,
        faults: Sequence[Fault],
        server: Server | None,
        proxy: Proxy | None,
        disks: Disks | None = None,
        addresses: Sequence[tuple[str, int]] = (),
    ) -> None:
        """`addresses` are the nodes' own ones, to see that a dead node is dead.

        Raises:
            SurgetankError: a fault cannot be played against this system.
        """
        self._fates = LinkFates(proxy) if proxy is not None else None
        self._server, self._disks = server, disks or Disks()
        self._addresses = list(addresses) or self._behind(proxy)
        self._plays = [
            _Timed(i, fault, self._play_of(i, fault))
            for i, fault in enumerate(faults)
            if fault.kind != "spam"
        ]

    @staticmethod
    def _behind(proxy: Proxy | None) -> list[tuple[str, int]]:
        """The nodes' addresses behind the proxy's links from clients."""
        links = [] if proxy is None else [link for link in proxy.links.values() if link.a == -1]
        return [link.to for link in sorted(links, key=lambda link: link.b)]

    def _play_of(self, index: int, fault: Fault) -> _Play:
        place = f"faults[{index}]"
        if fate_of(fault) is not None:
            if self._fates is None:
                raise SurgetankError(
                    f"`{fault.kind}` needs the link proxy", place=place, hint="Give Rig `proxied`"
                )
            return LinkFault(index, fault, self._fates)
        if not isinstance(fault, Crash | Slow | DiskFull):
            raise SurgetankError(
                f"`{fault.kind}` can only happen in the simulator", place=place, hint="Take it out"
            )
        if self._server is None:
            raise SurgetankError(
                f"`{fault.kind}` needs a server that surgetank started",
                place=place,
                hint="Give --target without a host, or take the fault out",
            )
        count = len(self._server.pids)
        nodes = nodes_of(fault, count)
        if isinstance(fault, Slow):
            return SlowFault(fault, self._server)
        if isinstance(fault, DiskFull):
            return DiskFault(fault, self._disks, count)
        if fault.power_loss and set(nodes) - set(self._disks.forgetful):
            raise SurgetankError(
                "there is no disk under the server's data that can lose power",
                place=place,
                hint="Give Rig the scenario's faults",
            )
        lose = self._disks.lose_power if fault.power_loss else None
        return CrashFault(fault, self._server, self._addresses, lose)

    def begin(self, start_ns: int) -> None:
        """The run's time 0 is `start_ns` of `time.monotonic_ns`; returns at once."""
        for play in self._plays:
            play.start(start_ns)

    def active(self, now_ns: int) -> tuple[str, ...]:
        """Faults in force, in words."""
        return tuple(play.words for play in self._plays if play.in_force(now_ns))

    @property
    def errors(self) -> list[str]:
        """What went wrong with a fault itself."""
        return [play.error for play in self._plays if play.error]

    def end(self) -> list[dict[str, Any]]:
        """Undoes what is in force and returns rows of the trace's table `faults`; of a fault that
        never began there are none. Safe to call twice."""
        for play in self._plays:
            play.stop()
        return [row for play in self._plays for row in play.join()]

    def __enter__(self) -> Self:
        return self

    def __exit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        at: TracebackType | None,
    ) -> None:
        self.end()


class _Timed:
    """A fault and its thread."""

    def __init__(self, index: int, fault: Fault, play: _Play) -> None:
        self._index, self._fault, self._play = index, fault, play
        self._stop = threading.Event()
        self._thread = threading.Thread(target=self._run, name=f"fault-{index}", daemon=True)
        self._start_ns = self._began_ns = self._ended_ns = 0
        self._asked_s = fault.duration_s
        self.error = ""

    @property
    def words(self) -> str:
        """Such as `delay on nodes 0, 2`."""
        if isinstance(self._fault, Partition):
            groups = [", ".join(_name(n) for n in group) for group in self._fault.groups]
            return f"partition {' | '.join(groups)}"
        nodes = ", ".join(str(node) for node in getattr(self._fault, "nodes", ()))
        return f"{self._fault.kind} on {f'nodes {nodes}' if nodes else 'all nodes'}"

    def start(self, start_ns: int) -> None:
        """Begins to wait for its time."""
        self._start_ns = start_ns
        self._thread.start()

    def in_force(self, now_ns: int) -> bool:
        """Whether it has begun and not ended."""
        return 0 < self._began_ns <= now_ns and (not self._ended_ns or now_ns < self._ended_ns)

    def stop(self) -> None:
        """No longer than now."""
        self._stop.set()

    def join(self) -> list[dict[str, Any]]:
        """Its rows, when it has ended."""
        if self._thread.ident is not None:
            self._thread.join(_ENDS_WITHIN_S)
        if not self._began_ns:
            return []
        at_ns = self._began_ns - self._start_ns
        until_ns = (self._ended_ns or time.monotonic_ns()) - self._start_ns
        kind, nodes = self._fault.kind, _nodes_text(self._fault)
        return [
            row.to_dict(self._index, kind, at_ns, until_ns, nodes)
            for row in self._play.rows(self._asked_s)
        ]

    def _run(self) -> None:
        at_ns = self._start_ns + int(self._fault.at_s * 1e9)
        if self._waited_until(at_ns):
            return
        try:
            try:
                self._began_ns = time.monotonic_ns()
                self._play.begin()
                if self._waited_until(at_ns + int(self._fault.duration_s * 1e9)):
                    self._asked_s = (time.monotonic_ns() - at_ns) / 1e9
            finally:
                self._play.end()
                self._ended_ns = time.monotonic_ns()
        except Exception as error:  # Told by `errors`: a thread has nobody to raise it to.
            self.error = f"faults[{self._index}] {self._fault.kind}: {error}"

    def _waited_until(self, when_ns: int) -> bool:
        """Whether it was stopped before."""
        return self._stop.wait(max(0.0, (when_ns - time.monotonic_ns()) / 1e9))


def _name(node: int) -> str:
    return "clients" if node < 0 else str(node)


def _nodes_text(fault: Fault) -> str:
    """As the simulator writes them: `0,2`, or `0,1|2` for groups."""
    if isinstance(fault, Partition):
        return "|".join(",".join(str(node) for node in group) for group in fault.groups)
    return ",".join(str(node) for node in getattr(fault, "nodes", ()))
