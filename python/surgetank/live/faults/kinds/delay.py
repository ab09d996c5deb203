"""The fault `delay`: bytes on the links take longer."""

from __future__ import annotations

from surgetank.errors import SurgetankError
from surgetank.live.faults.link_fates import Traffic
from surgetank.live.faults.link_fault import LinkFault
from surgetank.live.faults.tolerance import Row, Tolerance
from surgetank.live.proxy import Fate
from surgetank.scenario.faults import DelaySurge
from surgetank.trace import Quantity

__all__ = ["LinkDelay"]

#: Request and measurement are of the same chunks, so only the proxy's own precision counts.
ADDED = Tolerance(Quantity.ADDED_DELAY, share=0.05, absolute=0.5)


class LinkDelay(LinkFault[DelaySurge]):
    """The proxy holds bytes back by `extra_ms`; `factor` alone has nothing to multiply and is
    refused."""

    tolerances = (ADDED,)

    def fate_of(self, fault: DelaySurge) -> Fate:
        """See `LinkFault`."""
        if fault.extra_ms == 0:
            raise SurgetankError(
                "`factor` has nothing to multiply: a live link's delay is the system's own",
                place=self.place,
                hint="Give `extra_ms`",
            )
        return Fate(delay_ms=fault.extra_ms)

    def row(self, traffic: Traffic) -> Row:
        """The mean delay of the chunks, requested and measured."""
        n = traffic.delays
        asked_ms = traffic.asked_ms / n if n else self.fault.extra_ms
        return ADDED.row(traffic.measured_ms / n if n else None, n, asked=asked_ms)
