"""`[[faults]]`: what goes wrong, when."""

from __future__ import annotations

from typing import Annotated, Any, Literal, Self

from pydantic import Field, model_validator

from surgetank.scenario.section import Count, NonNegative, Positive, Section, Share

Nodes = list[Count]


class Timed(Section):
    """A fault lasts from `at_s` for `duration_s`."""

    at_s: NonNegative = Field(description="begin, seconds")
    duration_s: Positive = Field(description="length, seconds")

    def core(self) -> dict[str, Any]:
        """As the core reads it."""
        data = self.model_dump(mode="json")
        return {"at_s": data.pop("at_s"), "duration_s": data.pop("duration_s"), "what": data}


class Partition(Timed):
    """Packets between different groups are lost; nodes in no group form one more."""

    kind: Literal["partition"] = "partition"
    groups: list[Annotated[Nodes, Field(min_length=1)]] = Field(
        min_length=1, description="the groups of nodes"
    )

    @model_validator(mode="after")
    def _apart(self) -> Self:
        seen: dict[int, int] = {}
        for i, group in enumerate(self.groups):
            for node in group:
                if seen.setdefault(node, i) != i:
                    raise ValueError(
                        f"`groups`: node {node} is in groups {seen[node]} and {i}; leave it in one"
                    )
        return self


class Crash(Timed):
    """Nodes stop, lose what is queued in memory, and restart at the end."""

    kind: Literal["crash"] = "crash"
    nodes: Nodes = Field(min_length=1, description="which nodes")


class Slow(Timed):
    """Validation and execution on these nodes take longer."""

    kind: Literal["slow"] = "slow"
    nodes: Nodes = Field(min_length=1, description="which nodes")
    factor: Positive = Field(description="times as long")


class Loss(Timed):
    """Packets from or to these nodes are lost."""

    kind: Literal["loss"] = "loss"
    nodes: Nodes = Field(default_factory=list, description="which nodes; empty = all")
    probability: Share = Field(description="probability of loss")


class DelaySurge(Timed):
    """Packets from or to these nodes take longer."""

    kind: Literal["delay"] = "delay"
    nodes: Nodes = Field(default_factory=list, description="which nodes; empty = all")
    extra_ms: NonNegative = Field(0.0, description="added to every delay, ms")
    factor: Positive = Field(1.0, description="multiplies every delay first")


class Keypers(Timed):
    """Keypers on these nodes are late, silent, or in the attacker's pay."""

    kind: Literal["keypers"] = "keypers"
    nodes: Nodes = Field(min_length=1, description="which nodes")
    conduct: Literal["late", "silent", "colluding"] = Field(description="what they do")
    extra_ms: NonNegative = Field(500.0, description="how much later the late are, ms")


class Spam(Timed):
    """One attacker floods gateways with orders far from the market."""

    kind: Literal["spam"] = "spam"
    nodes: Nodes = Field(default_factory=list, description="gateways under attack; empty = all")
    rate_per_s: Positive = Field(description="messages per second (Poisson)")


Fault = Annotated[
    Partition | Crash | Slow | Loss | DelaySurge | Keypers | Spam, Field(discriminator="kind")
]


def named_nodes(fault: Fault) -> list[tuple[str, int]]:
    """Every node that a fault names, and under which key."""
    if isinstance(fault, Partition):
        return [("groups", node) for group in fault.groups for node in group]
    return [("nodes", node) for node in fault.nodes]
