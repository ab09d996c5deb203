"""The fault `loss`: segments on the links are lost at random."""

from __future__ import annotations

import math

from surgetank.live.faults.link_fates import Traffic
from surgetank.live.faults.link_fault import LinkFault
from surgetank.live.faults.tolerance import IN_FORCE, Row, Tolerance
from surgetank.live.proxy import Fate
from surgetank.scenario.faults import Loss
from surgetank.trace import Quantity

__all__ = ["SegmentLoss"]

#: The share is of n independent draws, so its error is binomial.
LOST = Tolerance(Quantity.SEGMENTS_LOST, by_chance=True, per_sample=1.0)
PASSED = Tolerance(Quantity.BYTES_PASSED, fixed=0.0, case="where all is lost")


class SegmentLoss(LinkFault[Loss]):
    """A lost segment costs a retransmission: 200 ms, then 400 ms, …; a link that loses everything
    is cut."""

    tolerances = (LOST, PASSED, IN_FORCE)

    def fate_of(self, fault: Loss) -> Fate:
        """See `LinkFault`."""
        if fault.probability >= 1:
            return Fate(cut="hang")
        return Fate(retransmit_p=fault.probability)

    def row(self, traffic: Traffic) -> Row:
        """The share of segments lost at their first transmission."""
        if self.fate.holds:
            return PASSED.row(float(traffic.bytes), traffic.attempts)
        p, n = self.fault.probability, traffic.segments
        # With a probability of 0 nothing is drawn.
        share = traffic.segments_lost / n if n else (None if p else 0.0)
        return LOST.row(share, n, asked=p, deviation=math.sqrt(p * (1 - p)))
