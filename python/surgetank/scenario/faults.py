"""`[[faults]]`: what goes wrong, when."""

from __future__ import annotations

from typing import Annotated, Any, Literal, Self

from pydantic import Field, model_validator

from surgetank.scenario.section import Count, Integer, NonNegative, Positive, Section, Share

Nodes = list[Count]
#: −1 = the clients.
Peer = Annotated[Integer, Field(ge=-1, le=2**31)]


class Timed(Section):
    """A fault lasts from `at_s` for `duration_s`."""

    at_s: NonNegative = Field(description="begin, seconds")
    duration_s: Positive = Field(description="length, seconds")

    @property
    def live_only(self) -> bool:
        """Whether it can only happen to a real system."""
        return False

    def core(self) -> dict[str, Any]:
        """As the core reads it."""
        data = super().core()
        return {"at_s": data.pop("at_s"), "duration_s": data.pop("duration_s"), "what": data}


class Partition(Timed):
    """Packets between different groups are lost; nodes in no group form one more."""

    kind: Literal["partition"] = "partition"
    groups: list[Annotated[list[Peer], Field(min_length=1)]] = Field(
        min_length=1, description="the groups of nodes; −1 = the clients (live runs only)"
    )

    @property
    def live_only(self) -> bool:
        """In the simulator a partition is between nodes."""
        return any(node < 0 for group in self.groups for node in group)

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
    power_loss: bool = Field(
        False, description="lose what was not fsynced, too (live runs only, needs root)"
    )

    @property
    def live_only(self) -> bool:
        """The simulator has no disks."""
        return self.power_loss

    def core(self) -> dict[str, Any]:
        """Without the key where it says nothing, so that scenarios keep their names."""
        data = super().core()
        if not self.power_loss:
            del data["what"]["power_loss"]
        return data


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


class _Live(Timed):
    """Of real systems only."""

    @property
    def live_only(self) -> bool:
        """Whether only a live run can have this fault: always."""
        return True


class Disconnect(_Live):
    """Connections of these nodes are reset, and new ones refused. Live runs only."""

    kind: Literal["disconnect"] = "disconnect"
    nodes: Nodes = Field(default_factory=list, description="which nodes; empty = all")


class Stall(_Live):
    """Connections of these nodes stay, and nothing passes. Live runs only."""

    kind: Literal["stall"] = "stall"
    nodes: Nodes = Field(default_factory=list, description="which nodes; empty = all")


class Bandwidth(_Live):
    """Every link of these nodes is as narrow as this, each way. Live runs only."""

    kind: Literal["bandwidth"] = "bandwidth"
    nodes: Nodes = Field(default_factory=list, description="which nodes; empty = all")
    mbps: Positive = Field(description="megabits per second")


class DiskFull(_Live):
    """The filesystem under these nodes' data is full. Live runs only, needs root."""

    kind: Literal["disk-full"] = "disk-full"
    nodes: Nodes = Field(default_factory=list, description="which nodes; empty = all")
    free_bytes: Count = Field(0, description="what is left free")


Fault = Annotated[
    Partition
    | Crash
    | Slow
    | Loss
    | DelaySurge
    | Keypers
    | Spam
    | Disconnect
    | Stall
    | Bandwidth
    | DiskFull,
    Field(discriminator="kind"),
]


def named_nodes(fault: Fault) -> list[tuple[str, int]]:
    """Every node that a fault names, and under which key."""
    if isinstance(fault, Partition):
        return [("groups", node) for group in fault.groups for node in group]
    return [("nodes", node) for node in fault.nodes]
