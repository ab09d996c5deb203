"""A scenario's faults, done to a real system, measured, and undone."""

from surgetank.live.faults.disks import Disks
from surgetank.live.faults.schedule import Faults, needs_proxy

__all__ = ["Disks", "Faults", "needs_proxy"]
