"""The fault `stall`: connections stay open, and no bytes pass."""

from __future__ import annotations

from surgetank.live.faults.link_fault import StoppedLinks
from surgetank.live.proxy import Fate
from surgetank.scenario.faults import Stall

__all__ = ["LinkStall"]


class LinkStall(StoppedLinks[Stall]):
    """The proxy keeps connections open, accepts new ones, and passes no bytes."""

    def fate_of(self, fault: Stall) -> Fate:
        """See `LinkFault`."""
        return Fate(stall=True)
