"""The fault `stall`: connections stay open, and no bytes pass."""

from __future__ import annotations

from surgetank.live.faults.link_fates import Traffic
from surgetank.live.faults.link_fault import LinkFault
from surgetank.live.faults.tolerance import IN_FORCE, Row, Tolerance
from surgetank.live.proxy import Fate
from surgetank.scenario.faults import Stall
from surgetank.trace import Quantity

__all__ = ["LinkStall"]

PASSED = Tolerance(Quantity.BYTES_PASSED, fixed=0.0)


class LinkStall(LinkFault[Stall]):
    """The proxy keeps connections open, accepts new ones, and passes no bytes."""

    tolerances = (PASSED, IN_FORCE)

    def fate_of(self, fault: Stall) -> Fate:
        """See `LinkFault`."""
        return Fate(stall=True)

    def row(self, traffic: Traffic) -> Row:
        """The bytes that passed during the fault."""
        return PASSED.row(float(traffic.bytes), traffic.attempts)
