"""Disks of our own under a server's data, for the faults that need one."""

from __future__ import annotations

import time
from collections.abc import Sequence
from pathlib import Path
from typing import Final

from surgetank.errors import SurgetankError
from surgetank.live.faults.mounts import PowerLossDisk, SmallDisk, mounting_missing
from surgetank.live.faults.row import Row, in_force, within
from surgetank.live.server import Server
from surgetank.scenario.faults import Crash, DiskFull, Fault
from surgetank.trace import Quantity

__all__ = ["DiskFault", "Disks", "nodes_of"]

#: Of memory, at most, for one node's small disk.
SMALL_BYTES: Final = 256 << 20
#: The server writes meanwhile, and pages are given out in whole ones.
_FREE_TOLERANCE_BYTES: Final = 65_536


def nodes_of(fault: Fault, count: int) -> list[int]:
    """The nodes that a fault names, all if it names none.

    Raises:
        SurgetankError: one is not there.
    """
    named = list(getattr(fault, "nodes", ())) or list(range(count))
    for node in named:
        if node >= count:
            raise SurgetankError(
                f"node {node} is not there",
                place=f"fault {fault.kind}",
                hint=f"This system has {count} nodes, 0..{count - 1}",
            )
    return named


class Disks:
    """Lays disks under nodes' data before the server starts, and takes them away after it ended."""

    def __init__(self, faults: Sequence[Fault] = ()) -> None:
        """The faults that a run will play."""
        self._faults = [
            fault
            for fault in faults
            if isinstance(fault, DiskFull) or (isinstance(fault, Crash) and fault.power_loss)
        ]
        self.small: dict[int, SmallDisk] = {}
        """By node."""
        self.forgetful: dict[int, PowerLossDisk] = {}
        """By node."""

    def lay(self, server: Server, images: Path) -> None:
        """Mounts what the faults need; call it before `server.start()`. `images` is a folder for
        disk images.

        Raises:
            SurgetankError: one node cannot have both kinds, the server has no data of its own, or
                we may not mount.
        """
        if not self._faults:
            return
        data = server.data
        place = f"fault {self._faults[0].kind}"
        if not data:
            raise SurgetankError("this server keeps no data", place=place, hint="Take it out")
        lack = mounting_missing()
        if lack is not None:
            raise SurgetankError(lack, place=place, hint="Or take the fault out")
        try:
            for fault in self._faults:
                for node in nodes_of(fault, len(data)):
                    self._lay(fault, node, data[node], images)
        except BaseException:
            self.end()
            raise

    def _lay(self, fault: Fault, node: int, folder: Path, images: Path) -> None:
        full = isinstance(fault, DiskFull)
        if node in (self.forgetful if full else self.small):
            raise SurgetankError(
                f"node {node} cannot both have a full disk and lose power",
                place=f"fault {fault.kind}",
                hint="Take one of the two out",
            )
        if full and node not in self.small:
            self.small[node] = SmallDisk(folder, SMALL_BYTES)
        elif not full and node not in self.forgetful:
            self.forgetful[node] = PowerLossDisk(folder, images / f"node{node}")

    def lose_power(self, node: int) -> None:
        """The node's disk goes back to what had reached it."""
        self.forgetful[node].lose_power()

    def end(self) -> None:
        """Unmounts; call it after `server.stop()`."""
        for small in self.small.values():
            small.end()
        for forgetful in self.forgetful.values():
            forgetful.end()
        self.small.clear()
        self.forgetful.clear()


class DiskFault:
    """A full disk while it is played."""

    def __init__(self, fault: DiskFull, disks: Disks, count: int) -> None:
        """Raises:
        SurgetankError: the disks were not laid.
        """
        self._asked = fault.free_bytes
        nodes = nodes_of(fault, count)
        if set(nodes) - set(disks.small):
            raise SurgetankError(
                "there is no small disk under the server's data",
                place="fault disk-full",
                hint="Let surgetank start the server, and give Rig the scenario's faults",
            )
        self._disks = [disks.small[node] for node in nodes]
        self._free: list[int] = []
        self._begun_ns = self._ended_ns = 0

    def begin(self) -> None:
        """Fills."""
        self._free = [disk.fill(self._asked) for disk in self._disks]
        self._begun_ns = time.monotonic_ns()

    def end(self) -> None:
        """Makes room again."""
        for disk in self._disks:
            disk.clear()
        self._ended_ns = time.monotonic_ns()

    def rows(self, asked_s: float) -> list[Row]:
        """What was measured."""
        worst = max(self._free, key=lambda free: abs(free - self._asked), default=None)
        lasted_s = (self._ended_ns - self._begun_ns) / 1e9 if self._begun_ns else None
        return [
            Row(
                Quantity.FREE_BYTES,
                self._asked,
                within(self._asked, _FREE_TOLERANCE_BYTES),
                None if worst is None else float(worst),
                len(self._free),
            ),
            in_force(asked_s, lasted_s),
        ]
