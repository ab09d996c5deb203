"""The fault `bandwidth`: links have a limited bandwidth."""

from __future__ import annotations

from surgetank.live.faults.link_fates import Traffic
from surgetank.live.faults.link_fault import LinkFault
from surgetank.live.faults.tolerance import Row, Tolerance
from surgetank.live.proxy import Fate
from surgetank.scenario.faults import Bandwidth
from surgetank.trace import Quantity

__all__ = ["LinkBandwidth"]

USED = Tolerance(Quantity.BANDWIDTH, share=0.05, case="while bytes waited")
NEVER_FULL = Tolerance(Quantity.BANDWIDTH, share=0.02, below=False, case="if none ever waited")


class LinkBandwidth(LinkFault[Bandwidth]):
    """The proxy sends bytes on at `mbps`, one after the other."""

    tolerances = (USED, NEVER_FULL)

    def fate_of(self, fault: Bandwidth) -> Fate:
        """See `LinkFault`."""
        return Fate(bandwidth_mbps=fault.mbps)

    def row(self, traffic: Traffic) -> Row:
        """The bandwidth measured while bytes waited, or over the whole time where none did."""
        if traffic.busy_s > 0:
            mbps = traffic.busy_bytes * 8e-6 / traffic.busy_s
            return USED.row(mbps, traffic.delays, asked=self.fault.mbps)
        mbps = traffic.bytes * 8e-6 / self.lasted_s if self.lasted_s > 0 else 0.0
        return NEVER_FULL.row(mbps, traffic.delays, asked=self.fault.mbps)
