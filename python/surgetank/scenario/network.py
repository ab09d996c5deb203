"""`[network]`: nodes and their machines, the topology, and the links' delay, bandwidth and loss."""

from __future__ import annotations

from collections import Counter
from typing import Annotated, Any, Final, Literal, Self

from pydantic import Field, model_validator

from surgetank.scenario.connections import NodeConnections
from surgetank.scenario.delay import Delay, FixedDelay, LinksDelay, RegionsDelay
from surgetank.scenario.section import Integer, NonNegative, Number, Section, Share, Whole

#: Greatest voting power of one node: every whole number up to here is exact in any reader.
POWER_MAX: Final = 2**53
#: Greatest power of all together; the core adds powers in 64 bits.
POWERS_MAX: Final = 2**60


class Full(Section):
    """Every pair of nodes is linked."""

    kind: Literal["full"] = "full"


class RandomRegular(Section):
    """Every node has the same number of random links."""

    kind: Literal["random-regular"] = "random-regular"
    degree: Whole = Field(ge=1, description="links per node")


class BarabasiAlbert(Section):
    """A graph grown by preferential attachment."""

    kind: Literal["barabasi-albert"] = "barabasi-albert"
    degree: Whole = Field(ge=1, description="links of a new node, m")


class Regions(Section):
    """Full mesh inside a region, bridges between regions."""

    kind: Literal["regions"] = "regions"
    bridges: Whole = Field(2, ge=1, description="links between each two regions")


class RandomDial(Section):
    """Every node dials the same number of random others."""

    kind: Literal["random-dial"] = "random-dial"
    degree: Whole = Field(ge=1, description="nodes that each node dials")


class Edges(Section):
    """Links given one by one."""

    kind: Literal["edges"] = "edges"
    edges: list[tuple[Whole, Whole]] = Field(description="pairs of nodes, undirected")


Topology = Annotated[
    Full | RandomRegular | BarabasiAlbert | Regions | RandomDial | Edges,
    Field(discriminator="kind"),
]


class Machine(Section):
    """A class of machines that differs from the usual one, and the nodes that run on it."""

    name: str = Field(description="name of the class")
    nodes: list[Whole] = Field(description="the nodes that run on such a machine")
    speed: Number = Field(
        1.0, ge=1e-3, le=1e3, description="speed of its processors; service times are divided by it"
    )
    uplink_mbps: NonNegative | None = Field(
        None, description="uplink, Mbit/s; 0 = unlimited; without it, that of the network"
    )
    downlink_mbps: NonNegative | None = Field(
        None, description="downlink, Mbit/s; 0 = unlimited; without it, that of the network"
    )


class Network(Section):
    """The venue's nodes and the network between them."""

    nodes: Whole = Field(7, ge=1, le=100_000, description="number of nodes")
    names: list[str] = Field(
        default_factory=list, description="name of each node; empty = numbers only"
    )
    regions: list[str] = Field(
        default_factory=list,
        description="region of each node; empty = those of the delays, if these have regions",
    )
    powers: list[Annotated[Integer, Field(ge=0, le=POWER_MAX)]] = Field(
        default_factory=list,
        description="voting power of each node, of which a quorum has more than two thirds; 0 = it "
        "follows without a vote; empty = equal powers",
    )
    machines: list[Machine] = Field(
        default_factory=list, description="machines that differ from the usual one"
    )
    topology: Topology = Field(default_factory=Full, description="which nodes are linked")
    delay: Delay = Field(default_factory=FixedDelay, description="one-way delay between nodes")
    uplink_mbps: NonNegative = Field(1_000.0, description="uplink of a node, Mbit/s; 0 = unlimited")
    downlink_mbps: NonNegative = Field(0.0, description="downlink, Mbit/s; 0 = unlimited")
    loss: Share = Field(0.0, description="probability that a packet is lost")
    transport: Literal["datagram", "tcp", "quic"] = Field(
        "datagram",
        description="what carries messages between nodes: packets of any size, each by itself, or "
        "connections",
    )
    connections: NodeConnections = Field(
        default_factory=NodeConnections, description="connections, with `transport` tcp or quic"
    )
    outbound_queue_max: Whole = Field(
        0,
        ge=0,
        description="most packets that wait on one link (messages, in a connection); further ones "
        "are dropped; 0 = unlimited",
    )
    every_copy: bool = Field(
        False,
        description="simulate every copy of a message as an event, even where only the first has "
        "an effect",
    )

    @model_validator(mode="after")
    def _fits(self) -> Self:
        topology, n = self.topology, self.nodes
        if isinstance(topology, RandomRegular) and (
            topology.degree >= n or n * topology.degree % 2
        ):
            raise ValueError(
                f"`topology.degree` {topology.degree} does not fit {n} nodes: it must be below "
                "their number, and the product even"
            )
        if isinstance(topology, BarabasiAlbert | RandomDial) and topology.degree >= n:
            raise ValueError(f"`topology.degree` must be below the number of nodes, {n}")
        if isinstance(topology, Edges):
            for i, pair in enumerate(topology.edges):
                if not all(0 <= node < n for node in pair):
                    raise ValueError(f"`topology.edges[{i}]`: nodes are 0..{n - 1}, not {pair}")
                if pair[0] == pair[1]:
                    raise ValueError(f"`topology.edges[{i}]`: node {pair[0]} is linked to itself")
        regional = isinstance(self.delay, RegionsDelay)
        if isinstance(topology, Regions) and not (regional or self.regions):
            raise ValueError("`topology.kind` regions needs `delay.kind` regions, or `regions`")
        if regional and self.regions:
            raise ValueError("`regions` are those of `delay.placement` with `delay.kind` regions")
        return self

    @model_validator(mode="after")
    def _one_entry_per_node(self) -> Self:
        """Lists by node are as long as there are nodes; machines have nodes of their own."""
        n = self.nodes
        lists: dict[str, list[Any]] = {
            "names": self.names,
            "regions": self.regions,
            "powers": self.powers,
            "delay.placement": getattr(self.delay, "placement", []),
        }
        for key, entries in lists.items():
            if len(entries) not in (0, n):
                raise ValueError(f"`{key}` has {len(entries)} entries for {n} nodes")
        twice = [name for name, count in Counter(self.names).items() if count > 1]
        if twice:
            raise ValueError(f"`names`: {twice[0]!r} is the name of two nodes")
        if self.powers and not 0 < sum(self.powers) <= POWERS_MAX:
            raise ValueError(f"`powers`: their sum must be positive, and at most {POWERS_MAX}")
        owner: dict[int, int] = {}
        for i, machine in enumerate(self.machines):
            for node in machine.nodes:
                if node >= n:
                    raise ValueError(f"`machines[{i}].nodes`: nodes are 0..{n - 1}, not {node}")
                if owner.setdefault(node, i) != i:
                    raise ValueError(
                        f"`machines[{i}].nodes`: node {node} runs on `machines[{owner[node]}]`"
                    )
        return self

    @model_validator(mode="after")
    def _reached(self) -> Self:
        """Every place of a node has a path to every other."""
        if isinstance(self.delay, LinksDelay):
            apart = self.delay.paths(self.nodes).apart()
            if apart is not None:
                raise ValueError(
                    f"`delay.links`: there is no path from place {apart[0]} to place {apart[1]}; "
                    "add a link"
                )
        return self

    @property
    def region_of_nodes(self) -> list[str]:
        """Name of each node's region; empty if there are none."""
        if isinstance(self.delay, RegionsDelay):
            return [self.delay.names[at] for at in self.delay.placed(self.nodes)]
        return self.regions

    @property
    def links(self) -> int:
        """Number of directed links; between regions, as many as there would be without regions."""
        topology, n = self.topology, self.nodes
        if isinstance(topology, Edges):
            return 2 * len(topology.edges)
        if isinstance(topology, RandomRegular):
            return n * topology.degree
        if isinstance(topology, BarabasiAlbert | RandomDial):
            return 2 * n * topology.degree
        return n * (n - 1)

    @property
    def weights(self) -> list[int]:
        """Voting power of each node."""
        return self.powers or [1] * self.nodes

    def _arranged(self, data: dict[str, Any]) -> dict[str, Any]:
        """Every node placed, paths instead of links."""
        if isinstance(self.delay, RegionsDelay):
            data["delay"]["placement"] = self.delay.placed(self.nodes)
        if isinstance(self.delay, LinksDelay):
            data["delay"] = self.delay.between_nodes(self.nodes)
        return data
