"""The fault `disconnect`: connections are reset, and new ones refused."""

from __future__ import annotations

from surgetank.live.faults.link_fates import Traffic
from surgetank.live.faults.link_fault import LinkFault
from surgetank.live.faults.tolerance import IN_FORCE, Row, Tolerance
from surgetank.live.proxy import Fate
from surgetank.scenario.faults import Disconnect
from surgetank.trace import Quantity

__all__ = ["LinkReset"]

LEFT = Tolerance(Quantity.CONNECTIONS_LEFT, fixed=0.0)


class LinkReset(LinkFault[Disconnect]):
    """The proxy resets connections, new ones too."""

    tolerances = (LEFT, IN_FORCE)

    def fate_of(self, fault: Disconnect) -> Fate:
        """See `LinkFault`."""
        return Fate(drop=True)

    def row(self, traffic: Traffic) -> Row:
        """The number of connections that were open at the end."""
        return LEFT.row(float(traffic.connections), traffic.attempts)
