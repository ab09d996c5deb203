"""A scenario's faults, played against a real system, measured, and undone."""

from surgetank.live.faults.disks import Disks
from surgetank.live.faults.schedule import Faults, disks_for, needs_proxy

__all__ = ["Disks", "Faults", "disks_for", "needs_proxy"]
