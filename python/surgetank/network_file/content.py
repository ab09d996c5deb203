"""The content of a network file, independent of its format."""

from __future__ import annotations

from dataclasses import dataclass

from surgetank.scenario.paths import Edge
from surgetank.shown import Shown

__all__ = ["MachineClass", "NetworkFile"]


@dataclass(frozen=True)
class MachineClass:
    """Nodes of one machine: speed 1 is the usual one; a rate that is None is the scenario's."""

    name: str
    nodes: tuple[int, ...]
    speed: float = 1.0
    uplink_mbps: float | None = None
    """Mbit/s; 0 = unlimited."""
    downlink_mbps: float | None = None


@dataclass(frozen=True, repr=False)
class NetworkFile(Shown):
    """Nodes in their order in the file; what the file does not have is empty."""

    files: tuple[str, ...]
    """The files that were read, that of the nodes first."""
    hash: str
    """BLAKE3 (hex) of the files' bytes."""
    format: str
    count: int
    """Number of nodes."""
    names: tuple[str, ...] = ()
    powers: tuple[int, ...] = ()
    regions: tuple[str, ...] = ()
    machines: tuple[MachineClass, ...] = ()
    links: tuple[Edge, ...] = ()
    """Between places, by their numbers."""
    placement: tuple[int, ...] = ()
    """Place of each node; empty = each has its own, of its number."""
    jitter: float | None = None
    """Standard deviation of the jitter over the delay, of all links."""
    notices: tuple[str, ...] = ()
    """What was detected, assumed or left out."""

    def in_short(self) -> str:
        """Files, nodes and links."""
        links = f", {len(self.links):,} links" if self.links else ""
        return f"{' and '.join(self.files)}: {self.count:,} nodes{links}"

    @property
    def places(self) -> tuple[int, ...]:
        """Place of each node."""
        return self.placement or tuple(range(self.count))

    @property
    def weights(self) -> tuple[int, ...]:
        """Voting power of each node; equal ones if the file has none."""
        return self.powers or (1,) * self.count

    def node_name(self, node: int) -> str:
        """How reports name the node."""
        return self.names[node] if self.names else f"node {node}"
