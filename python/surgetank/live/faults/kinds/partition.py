"""The fault `partition`: no bytes pass between groups of nodes and clients."""

from __future__ import annotations

from surgetank.live.faults.link_fault import StoppedLinks, nodes_of
from surgetank.live.proxy import Fate, Proxy
from surgetank.scenario.faults import Partition

__all__ = ["LinkPartition"]


class LinkPartition(StoppedLinks[Partition]):
    """The proxy passes nothing; on heal the held bytes are passed on."""

    if_no_link = "Name the clients as -1: groups = [[-1], [0]]"

    def fate_of(self, fault: Partition) -> Fate:
        """See `LinkFault`."""
        return Fate(cut="hang")

    def links(self, proxy: Proxy) -> list[str]:
        """Names of the links between different groups. Clients that are not named reach all nodes,
        as in the simulator; nodes that are not named form one more group."""
        groups = [set(group) for group in self.fault.groups]
        if rest := nodes_of(proxy).difference(*groups):
            groups.append(rest)
        found: dict[str, None] = {}
        for i, one in enumerate(groups):
            for other in groups[i + 1 :]:
                found |= dict.fromkeys(proxy.between(one, other))
        return list(found)
