"""A venue of `surgetank serve` that surgetank starts itself, for runs with money."""

from __future__ import annotations

import json
import sys
from pathlib import Path
from typing import Any, ClassVar, Final

from surgetank.live.process import Process, wait_until
from surgetank.live.server import Server, free_port
from surgetank.live.target import Where
from surgetank.native import build
from surgetank.venue.serving import Addresses, arguments

__all__ = ["VenueServer"]

_START_S: Final = 30.0


class VenueServer(Server):
    """One venue on loopback, of the file `venue.toml` in its folder; journal and snapshots are in
    `folder/data` and outlive `kill`."""

    name: ClassVar[str] = "surgetank venue"
    stop_s: ClassVar[float] = 20.0

    def __init__(self, folder: Path, where: Where) -> None:
        super().__init__(folder, where)
        self.port = free_port()
        self._starts = 0
        addresses = Addresses(f"127.0.0.1:{self.port}")
        argv = arguments(folder / "venue.toml", folder / "data", addresses)
        self.processes = [Process([sys.executable, *argv[1:]], folder, "venue.log")]

    @classmethod
    def missing(cls) -> str | None:
        """None: it is a part of surgetank."""
        return None

    def start(self) -> Where:
        """Starts it, waits until it serves, and returns its address. Raises as `Server.start`."""
        self.restart()
        return Where(self.where.scheme, "127.0.0.1", self.port)

    def restart(self, node: int = 0) -> None:
        """See `Server.restart`."""
        self._starts += 1
        process = self.processes[node]
        process.start()
        wait_until(lambda: len(self._said("serving")) >= self._starts, _START_S, "a start", process)

    @property
    def address(self) -> str:
        """Address of the binary protocol."""
        return f"127.0.0.1:{self.port}"

    @property
    def data(self) -> list[Path]:
        """See `Server.data`."""
        return [self.folder / "data"]

    @property
    def ended(self) -> dict[str, Any] | None:
        """What it said at its last end; None if it was killed or runs."""
        said = self._said("ended")
        return said[-1] if said else None

    def version(self) -> str:
        """See `Server.version`."""
        return f"{self.name} {build()}"

    def _said(self, event: str) -> list[dict[str, Any]]:
        log = self.processes[0].log
        if not log.exists():
            return []
        found = []
        for line in log.read_text(encoding="utf-8").splitlines():
            try:
                said = json.loads(line)
            except ValueError:
                continue  # An error for a person, or a line that is still being written.
            if said.get("event") == event:
                found.append(said)
        return found
