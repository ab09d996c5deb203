"""Plays a scenario's `[[faults]]` against a real system, each in a thread of its own.

`end` undoes all faults that are in force when the run ends, for whatever reason.
"""

from __future__ import annotations

import threading
import time
from collections.abc import Sequence
from types import TracebackType
from typing import Any, Self

from surgetank.errors import SurgetankError
from surgetank.live.faults.disks import DiskNeed, Disks
from surgetank.live.faults.fault import LiveFault, SystemUnderTest
from surgetank.live.faults.kinds import KINDS
from surgetank.live.faults.link_fates import LinkFates
from surgetank.live.proxy import Proxy
from surgetank.live.server import Server
from surgetank.scenario.faults import Fault
from surgetank.trace.stats import FaultError

__all__ = ["Faults", "disks_for", "needs_proxy"]

_ENDS_WITHIN_S = 60.0


def _kind_of(fault: Fault, place: str) -> type[LiveFault[Any]]:
    """Raises:
    SurgetankError: it cannot be played.
    """
    if fault.kind not in KINDS:
        raise SurgetankError(
            f"`{fault.kind}` can only happen in the simulator", place=place, hint="Take it out"
        )
    return KINDS[fault.kind]


def needs_proxy(faults: Sequence[Fault]) -> bool:
    """Whether one of them is a fault of links."""
    return any(fault.kind in KINDS and KINDS[fault.kind].needs_proxy for fault in faults)


def disks_for(faults: Sequence[Fault]) -> Disks:
    """The disks that these faults need under the data of a server."""
    needs = []
    for i, fault in enumerate(faults):
        disk = KINDS[fault.kind].disk(fault) if fault.kind in KINDS else None
        if disk is not None:
            nodes = [node for group in fault.groups_named for node in group]
            needs.append(DiskNeed(disk, f"faults[{i}]", nodes))
    return Disks(needs)


class Faults:
    """The faults of one run, except those that send messages, which are a part of the flow."""

    def __init__(
        self,
        faults: Sequence[Fault],
        server: Server | None,
        proxy: Proxy | None,
        disks: Disks | None = None,
        addresses: Sequence[tuple[str, int]] = (),
    ) -> None:
        """`addresses` are the nodes' own ones, to verify that a killed node accepts no connections.

        Raises:
            SurgetankError: a fault cannot be played against this system.
        """
        system = SystemUnderTest(
            server=server,
            fates=None if proxy is None else LinkFates(proxy),
            disks=disks or Disks(),
            addresses=list(addresses) or self._behind(proxy),
        )
        self._plays = [
            _Scheduled(_kind_of(fault, f"faults[{i}]")(fault, i, system))
            for i, fault in enumerate(faults)
            if not fault.sends_messages
        ]

    @staticmethod
    def _behind(proxy: Proxy | None) -> list[tuple[str, int]]:
        """The nodes' addresses behind the proxy's links from clients."""
        links = [] if proxy is None else [link for link in proxy.links.values() if link.a == -1]
        return [link.to for link in sorted(links, key=lambda link: link.b)]

    def begin(self, start_ns: int) -> None:
        """Begins the faults' schedule; `start_ns` of `time.monotonic_ns` is the run's time 0.
        Returns at once."""
        for play in self._plays:
            play.start(start_ns)

    def active(self, now_ns: int) -> tuple[str, ...]:
        """Faults in force, such as `delay on nodes 0, 2`."""
        return tuple(play.text for play in self._plays if play.in_force(now_ns))

    @property
    def errors(self) -> list[FaultError]:
        """Errors of faults that could not be injected, kept in force or undone."""
        return [play.error for play in self._plays if play.error is not None]

    def end(self) -> list[dict[str, Any]]:
        """Undoes the faults in force and returns rows of the trace's table `faults`; a fault that
        never began has none. Safe to call twice."""
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


class _Scheduled:
    """A fault and its thread."""

    def __init__(self, play: LiveFault[Any]) -> None:
        self._play, self._fault = play, play.fault
        self._stop = threading.Event()
        self._thread = threading.Thread(target=self._run, name=play.place, daemon=True)
        self._start_ns = self._began_ns = self._ended_ns = 0
        self._asked_s = play.fault.duration_s
        self.error: FaultError | None = None

    @property
    def text(self) -> str:
        """The fault as text, such as `delay on nodes 0, 2` or `partition clients | 0`."""
        groups = self._fault.groups_named
        named = " | ".join(", ".join(_name(node) for node in group) for group in groups)
        if self._fault.divides_nodes:
            return f"{self._fault.kind} {named}"
        return f"{self._fault.kind} on {f'nodes {named}' if named else 'all nodes'}"

    def start(self, start_ns: int) -> None:
        """Starts the thread, which waits for the fault's time."""
        self._start_ns = start_ns
        self._thread.start()

    def in_force(self, now_ns: int) -> bool:
        """Whether it has begun and not ended."""
        return 0 < self._began_ns <= now_ns and (not self._ended_ns or now_ns < self._ended_ns)

    def stop(self) -> None:
        """Ends the fault now."""
        self._stop.set()

    def join(self) -> list[dict[str, Any]]:
        """Waits for its end and returns its rows."""
        if self._thread.ident is not None:
            self._thread.join(_ENDS_WITHIN_S)
            if self._thread.is_alive():
                self._failed(f"it could not be ended within {_ENDS_WITHIN_S:g} s")
        if not self._began_ns:
            return []
        at_ns = self._began_ns - self._start_ns
        until_ns = (self._ended_ns or time.monotonic_ns()) - self._start_ns
        # As the simulator writes them.
        nodes = "|".join(",".join(map(str, group)) for group in self._fault.groups_named)
        return [
            row.to_dict(self._play.index, self._fault.kind, at_ns, until_ns, nodes)
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
        except Exception as error:  # A thread has no caller to raise it to.
            known = isinstance(error, SurgetankError)
            self._failed(str(error) if known else f"{type(error).__name__}: {error}")

    def _failed(self, error: str) -> None:
        self.error = FaultError(self._play.index, self._fault.kind, error)

    def _waited_until(self, when_ns: int) -> bool:
        """Waits until a time; returns whether it was stopped before."""
        return self._stop.wait(max(0.0, (when_ns - time.monotonic_ns()) / 1e9))


def _name(node: int) -> str:
    return "clients" if node < 0 else str(node)
