"""`[network]`: nodes, the topology, and the links' delay, bandwidth and loss."""

from __future__ import annotations

from typing import Annotated, Any, Literal, Self

from pydantic import Field, model_validator

from surgetank.scenario.section import NonNegative, Section, Share, Whole


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


class FixedDelay(Section):
    """The same on every link."""

    kind: Literal["fixed"] = "fixed"
    delay_ms: NonNegative = Field(20.0, description="one way, ms")
    jitter: Share = Field(0.05, description="standard deviation of normal jitter over the delay")


class UniformDelay(Section):
    """Drawn once per ordered pair of nodes."""

    kind: Literal["uniform"] = "uniform"
    low_ms: NonNegative = Field(description="least one-way delay, ms")
    high_ms: NonNegative = Field(description="most one-way delay, ms")
    jitter: Share = Field(
        0.0, description="largest additional delay per packet, uniform, over the delay"
    )

    @model_validator(mode="after")
    def _in_order(self) -> Self:
        if self.high_ms < self.low_ms:
            raise ValueError("`high_ms` must not be below `low_ms`")
        return self


class RegionsDelay(Section):
    """From a matrix between regions."""

    kind: Literal["regions"] = "regions"
    names: list[str] = Field(min_length=1, description="names of the regions")
    matrix_ms: list[list[NonNegative]] = Field(description="one way from region i to j, ms")
    intra_ms: NonNegative = Field(0.5, description="one way inside a region, ms")
    jitter: Share = Field(0.05, description="standard deviation of normal jitter over the delay")
    placement: list[int | str] = Field(
        default_factory=list, description="region of each node; empty = in turn"
    )

    @model_validator(mode="after")
    def _square(self) -> Self:
        due = len(self.names)
        if len(self.matrix_ms) != due:
            rows = len(self.matrix_ms)
            raise ValueError(f"`matrix_ms` has {rows} rows for {due} regions; it must be square")
        for i, row in enumerate(self.matrix_ms):
            if len(row) != due:
                raise ValueError(
                    f"`matrix_ms[{i}]` has {len(row)} entries for {due} regions; it must be square"
                )
        for entry in self.placement:
            known = entry in self.names if isinstance(entry, str) else 0 <= entry < due
            if not known:
                raise ValueError(f"`placement`: region {entry!r} is not there")
        return self

    def placed(self, nodes: int) -> list[int]:
        """Region index of each node."""
        if not self.placement:
            return [node % len(self.names) for node in range(nodes)]
        return [self.names.index(e) if isinstance(e, str) else e for e in self.placement]


Delay = Annotated[FixedDelay | UniformDelay | RegionsDelay, Field(discriminator="kind")]


class Network(Section):
    """The venue's nodes and the network between them."""

    nodes: Whole = Field(7, ge=1, le=100_000, description="number of nodes")
    topology: Topology = Field(default_factory=Full, description="which nodes are linked")
    delay: Delay = Field(default_factory=FixedDelay, description="one-way delay between nodes")
    uplink_mbps: NonNegative = Field(1_000.0, description="uplink of a node, Mbit/s; 0 = unlimited")
    downlink_mbps: NonNegative = Field(0.0, description="downlink, Mbit/s; 0 = unlimited")
    loss: Share = Field(0.0, description="probability that a packet is lost")
    outbound_queue_max: Whole = Field(
        0,
        ge=0,
        description="most packets that wait on one link; further ones are dropped; 0 = unlimited",
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
        if isinstance(topology, Regions) and not isinstance(self.delay, RegionsDelay):
            raise ValueError("`topology.kind` regions needs `delay.kind` regions")
        placed = len(self.delay.placement) if isinstance(self.delay, RegionsDelay) else 0
        if placed not in (0, n):
            raise ValueError(f"`delay.placement` has {placed} entries for {n} nodes")
        return self

    def _arranged(self, data: dict[str, Any]) -> dict[str, Any]:
        """Every node placed."""
        if isinstance(self.delay, RegionsDelay):
            data["delay"]["placement"] = self.delay.placed(self.nodes)
        return data
