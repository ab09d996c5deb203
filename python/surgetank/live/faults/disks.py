"""Disks that surgetank mounts under a server's data, for the faults that need one."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import TypeVar

from surgetank.errors import SurgetankError
from surgetank.live.faults.mounts import PowerLossDisk, SmallDisk, mounting_missing
from surgetank.live.server import Server

__all__ = ["DiskNeed", "Disks", "ServerDisk", "nodes_or_all"]

ServerDisk = SmallDisk | PowerLossDisk
_Disk = TypeVar("_Disk", SmallDisk, PowerLossDisk)


@dataclass(frozen=True)
class DiskNeed:
    """A disk that must be mounted under the data of some nodes."""

    disk: type[ServerDisk]
    place: str
    """The fault that needs it, for error messages."""
    nodes: Sequence[int] = ()
    """Node numbers; empty = all."""


def nodes_or_all(nodes: Sequence[int], count: int, place: str) -> list[int]:
    """These nodes of `count`; all if none are named.

    Raises:
        SurgetankError: one does not exist.
    """
    for node in nodes:
        if node >= count:
            raise SurgetankError(
                f"node {node} is not there",
                place=place,
                hint=f"This system has {count} nodes, 0..{count - 1}",
            )
    return list(nodes) or list(range(count))


class Disks:
    """Mounts disks under nodes' data before the server starts, and unmounts them afterwards."""

    def __init__(self, needs: Sequence[DiskNeed] = ()) -> None:
        """Nothing is mounted yet."""
        self._needs = needs
        self._mounted: dict[int, ServerDisk] = {}

    def mount(self, server: Server, images: Path) -> None:
        """Mounts what is needed; call it before `server.start()`. `images` is a folder for disk
        images.

        Raises:
            SurgetankError: a node would need two kinds of disk, the server has no data folder, or
            mounting is not permitted.
        """
        if not self._needs:
            return
        data, place = server.data, self._needs[0].place
        if not data:
            raise SurgetankError("this server keeps no data", place=place, hint="Take it out")
        missing = mounting_missing()
        if missing is not None:
            raise SurgetankError(missing, place=place, hint="Or take the fault out")
        try:
            for need in self._needs:
                for node in nodes_or_all(need.nodes, len(data), need.place):
                    self._mount(need, node, data[node], images / f"node{node}")
        except BaseException:
            self.unmount()
            raise

    def _mount(self, need: DiskNeed, node: int, folder: Path, images: Path) -> None:
        mounted = self._mounted.get(node)
        if mounted is None:
            self._mounted[node] = need.disk.under(folder, images)
        elif not isinstance(mounted, need.disk):
            raise SurgetankError(
                f"node {node} cannot both have a full disk and lose power",
                place=need.place,
                hint="Take one of the two out",
            )

    def of(self, disk: type[_Disk]) -> dict[int, _Disk]:
        """The mounted disks of a kind, by node."""
        return {node: one for node, one in self._mounted.items() if isinstance(one, disk)}

    def unmount(self) -> None:
        """Unmounts all; call it after `server.stop()`. Safe to call twice."""
        for disk in self._mounted.values():
            disk.end()
        self._mounted.clear()
