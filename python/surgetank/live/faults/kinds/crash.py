"""The fault `crash`: processes are killed and started again."""

from __future__ import annotations

import contextlib
import socket
import threading
import time
from typing import Final

from surgetank.errors import SurgetankError
from surgetank.live.faults.disks import nodes_or_all
from surgetank.live.faults.fault import LiveFault, SystemUnderTest
from surgetank.live.faults.mounts import PowerLossDisk
from surgetank.live.faults.tolerance import Row, Tolerance
from surgetank.scenario.faults import Crash
from surgetank.trace import Quantity

__all__ = ["NodeCrash"]

#: Pause between two attempts to connect to a stopped node, s.
_PROBE_S: Final = 0.05

CONNECTIONS = Tolerance(Quantity.CONNECTIONS_WHILE_DOWN, fixed=0.0)
#: The time that a node takes to restart is a property of the system, so it has no upper limit.
DOWN = Tolerance(Quantity.DOWN, share=0.02, absolute=0.05, above=False)


class NodeCrash(LiveFault[Crash]):
    """SIGKILL, restarted at the end; with `power_loss = true` its disk is also reset to what was
    fsynced ([how](crash.md))."""

    tolerances = (CONNECTIONS, DOWN)

    @classmethod
    def disk(cls, fault: Crash) -> type[PowerLossDisk] | None:
        """See `LiveFault`."""
        return PowerLossDisk if fault.power_loss else None

    def __init__(self, fault: Crash, index: int, system: SystemUnderTest) -> None:
        """See `LiveFault`."""
        super().__init__(fault, index, system)
        self._nodes = nodes_or_all(fault.nodes, len(self.server.pids), self.place)
        disks = system.disks.of(PowerLossDisk) if fault.power_loss else {}
        if fault.power_loss and set(self._nodes) - set(disks):
            raise SurgetankError(
                "there is no disk under the server's data that can lose power",
                place=self.place,
                hint="Give Rig the scenario's faults",
            )
        self._disks = [disks[node] for node in self._nodes if node in disks]
        addresses = system.addresses
        self._addresses = [addresses[node] for node in self._nodes if node < len(addresses)]
        self._killed_ns: dict[int, int] = {}
        self._down_s: list[float] = []
        self._stop = threading.Event()
        self._attempts = self._accepted = 0
        self._prober = threading.Thread(target=self._probe, daemon=True)

    def begin(self) -> None:
        """See `LiveFault`."""
        for node in self._nodes:
            self.server.kill(node)
            self._killed_ns[node] = time.monotonic_ns()
        for disk in self._disks:
            disk.lose_power()
        self._prober.start()

    def end(self) -> None:
        """Restarts the nodes; returns when they answer."""
        self._stop.set()
        if self._prober.ident is not None:
            self._prober.join(2)
        for node, killed_ns in list(self._killed_ns.items()):
            self.server.restart(node)
            self._down_s.append((time.monotonic_ns() - killed_ns) / 1e9)
            del self._killed_ns[node]

    def _probe(self) -> None:
        """Tests whether a stopped node accepts connections."""
        while not self._stop.wait(_PROBE_S):
            for address in self._addresses:
                with contextlib.suppress(OSError):
                    self._attempts += 1
                    socket.create_connection(address, 0.2).close()
                    self._accepted += 1

    def rows(self, asked_s: float) -> list[Row]:
        """The mean time that nodes were down and, where their addresses are known, the connections
        that they accepted meanwhile."""
        mean_s = sum(self._down_s) / len(self._down_s) if self._down_s else None
        down = DOWN.row(mean_s, len(self._down_s), asked=asked_s)
        if not self.system.addresses:
            return [down]
        return [CONNECTIONS.row(float(self._accepted), self._attempts), down]
