"""The kinds of faults in live runs, a file each. Kinds that are not here exist in the simulator
only. A fault that sends messages is a part of the flow."""

from __future__ import annotations

from collections.abc import Mapping
from types import MappingProxyType
from typing import Any, Final

from surgetank.live.faults.fault import LiveFault
from surgetank.live.faults.kinds.bandwidth import LinkBandwidth
from surgetank.live.faults.kinds.crash import NodeCrash
from surgetank.live.faults.kinds.delay import LinkDelay
from surgetank.live.faults.kinds.disconnect import LinkReset
from surgetank.live.faults.kinds.disk_full import DiskFill
from surgetank.live.faults.kinds.loss import SegmentLoss
from surgetank.live.faults.kinds.partition import LinkPartition
from surgetank.live.faults.kinds.slow import NodeSlowdown
from surgetank.live.faults.kinds.stall import LinkStall

__all__ = ["KINDS"]

KINDS: Final[Mapping[str, type[LiveFault[Any]]]] = MappingProxyType(
    {
        "bandwidth": LinkBandwidth,
        "crash": NodeCrash,
        "delay": LinkDelay,
        "disconnect": LinkReset,
        "disk-full": DiskFill,
        "loss": SegmentLoss,
        "partition": LinkPartition,
        "slow": NodeSlowdown,
        "stall": LinkStall,
    }
)
"""The kinds by their names in a scenario."""
