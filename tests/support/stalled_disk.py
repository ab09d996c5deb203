"""A disk that stops answering a moment before the power fails."""

from __future__ import annotations

import fcntl
import os
import subprocess
from pathlib import Path
from typing import Final

from surgetank.live.faults.mounts import PowerLossDisk

__all__ = ["StalledDisk"]

_FIFREEZE: Final = 0xC0045877
_FITHAW: Final = 0xC0045878


class StalledDisk(PowerLossDisk):
    """What reached the disk before `stall` is there after the power loss, and nothing else."""

    kept: Path | None = None

    def stall(self) -> None:
        """Writes and syncs wait from now on, until `release`."""
        self._ask(_FIFREEZE)
        self.kept = self._image.with_suffix(".kept")
        copy = ["cp", "--sparse=always", str(self._image), str(self.kept)]
        subprocess.run(copy, check=True, timeout=60)

    def release(self) -> None:
        """What waited goes on, too late."""
        self._ask(_FITHAW)

    def lose_power(self) -> None:
        """See `PowerLossDisk`."""
        assert self.kept is not None
        self._mount.end()
        self._image.unlink()
        self._image = self.kept
        self._mount = self._mounted()

    def _ask(self, what: int) -> None:
        handle = os.open(self.folder, os.O_RDONLY)
        try:
            fcntl.ioctl(handle, what, 0)
        finally:
            os.close(handle)
