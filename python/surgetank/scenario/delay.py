"""`[network.delay]`: one-way delays between nodes: by a rule, between regions, or along links."""

from __future__ import annotations

from typing import Annotated, Any, Literal, Self

from pydantic import Field, model_validator

from surgetank.scenario.paths import Edge, Paths, paths_of
from surgetank.scenario.section import MOST, NonNegative, Number, Section, Share, Whole

__all__ = ["Delay", "FixedDelay", "LinksDelay", "NetworkLink", "RegionsDelay", "UniformDelay"]


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


class NetworkLink(Section):
    """A link between two places; one that is given in one direction only holds in both."""

    between: tuple[Whole, Whole] = Field(
        description="numbers of the two places, from the first to the second; a place twice: "
        "between the nodes at it"
    )
    delay_ms: NonNegative = Field(description="one way, ms")
    loss: Number = Field(0.0, ge=0, lt=1, description="probability that a packet is lost")
    mbps: NonNegative = Field(0.0, description="rate, Mbit/s; 0 = unlimited")


class LinksDelay(Section):
    """Along links between places: two places without a link have the path of least delay."""

    kind: Literal["links"] = "links"
    links: list[NetworkLink] = Field(min_length=1, description="the links")
    intra_ms: NonNegative = Field(
        0.5, description="one way between nodes at one place without a link to itself, ms"
    )
    jitter: Share = Field(0.05, description="standard deviation of normal jitter over the delay")
    placement: list[Whole] = Field(
        default_factory=list, description="place of each node; empty = node k is at place k"
    )

    @model_validator(mode="after")
    def _named_once(self) -> Self:
        known: dict[tuple[int, int], int] = {}
        for i, link in enumerate(self.links):
            first = known.setdefault(link.between, i)
            if first != i:
                a, b = link.between
                raise ValueError(
                    f"`links[{i}]`: the link from place {a} to {b} is given twice, first as "
                    f"`links[{first}]`"
                )
        return self

    def placed(self, nodes: int) -> list[int]:
        """Place of each node, by its number in the links."""
        return self.placement or list(range(nodes))

    def paths(self, nodes: int) -> Paths:
        """The paths between all places of the nodes and links."""
        edges = tuple(
            Edge(*link.between, link.delay_ms, link.loss, link.mbps) for link in self.links
        )
        return paths_of(edges, tuple(sorted(set(self.placed(nodes)))), self.intra_ms)

    def between_nodes(self, nodes: int) -> dict[str, Any]:
        """The section as the core reads it: paths instead of links."""
        found = self.paths(nodes)
        return {
            "kind": "paths",
            # A place without a path is refused in `Network`.
            "matrix_ms": found.delay_ms.clip(max=MOST).tolist(),
            "loss": found.loss.tolist() if found.loss.any() else [],
            "mbps": found.mbps.tolist() if found.mbps.any() else [],
            "jitter": self.jitter,
            "placement": [found.places.index(place) for place in self.placed(nodes)],
        }


Delay = Annotated[
    FixedDelay | UniformDelay | RegionsDelay | LinksDelay, Field(discriminator="kind")
]
