"""The fault `disk-full`: the filesystem under a server's data is full."""

from __future__ import annotations

import time

from surgetank.errors import SurgetankError
from surgetank.live.faults.disks import nodes_or_all
from surgetank.live.faults.fault import LiveFault, SystemUnderTest
from surgetank.live.faults.mounts import SmallDisk
from surgetank.live.faults.tolerance import IN_FORCE, Row, Tolerance
from surgetank.scenario.faults import DiskFull
from surgetank.trace import Quantity

__all__ = ["DiskFill"]

#: The server writes meanwhile, and the filesystem allocates whole pages.
FREE = Tolerance(Quantity.FREE_BYTES, absolute=65_536)


class DiskFill(LiveFault[DiskFull]):
    """A file fills the filesystem under the server's data up to `free_bytes`."""

    tolerances = (FREE, IN_FORCE)

    @classmethod
    def disk(cls, fault: DiskFull) -> type[SmallDisk]:
        """See `LiveFault`."""
        return SmallDisk

    def __init__(self, fault: DiskFull, index: int, system: SystemUnderTest) -> None:
        """See `LiveFault`."""
        super().__init__(fault, index, system)
        nodes = nodes_or_all(fault.nodes, len(self.server.pids), self.place)
        small = system.disks.of(SmallDisk)
        if set(nodes) - set(small):
            raise SurgetankError(
                "there is no small disk under the server's data",
                place=self.place,
                hint="Let surgetank start the server, and give Rig the scenario's faults",
            )
        self._disks = [small[node] for node in nodes]
        self._free_bytes: list[int] = []
        self._begun_ns = self._ended_ns = 0

    def begin(self) -> None:
        """See `LiveFault`."""
        self._free_bytes = [disk.fill(self.fault.free_bytes) for disk in self._disks]
        self._begun_ns = time.monotonic_ns()

    def end(self) -> None:
        """See `LiveFault`."""
        for disk in self._disks:
            disk.clear()
        self._ended_ns = time.monotonic_ns()

    def rows(self, asked_s: float) -> list[Row]:
        """The free bytes of the node that is farthest from the request."""
        asked, free = self.fault.free_bytes, self._free_bytes
        worst = max(free, key=lambda left: abs(left - asked), default=None)
        lasted_s = (self._ended_ns - self._begun_ns) / 1e9 if self._begun_ns else None
        return [
            FREE.row(None if worst is None else float(worst), len(free), asked=asked),
            IN_FORCE.row(lasted_s, int(lasted_s is not None), asked=asked_s),
        ]
