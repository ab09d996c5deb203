"""`[[faults]]`: kinds and times of faults, with the properties that simulation and live runs
share."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from types import MappingProxyType
from typing import Annotated, Any, ClassVar, Final, Literal, Self, get_args

from pydantic import Field, model_validator

from surgetank.scenario.section import (
    Count,
    Integer,
    NonNegative,
    Number,
    Positive,
    Section,
    Share,
)

Nodes = list[Count]
#: −1 = the clients.
Peer = Annotated[Integer, Field(ge=-1, le=2**31)]
#: The number that must grow to make a fault less severe.
Relief = Literal["consensus-timeouts", "links", "servers"]


class Timed(Section):
    """A fault lasts from `at_s` for `duration_s`."""

    title: ClassVar[str]
    """Its name in reports."""
    stops_nodes: ClassVar[bool] = False
    """Whether its nodes are stopped during the fault."""
    divides_nodes: ClassVar[bool] = False
    """Whether its nodes cannot reach those outside their group."""
    sends_messages: ClassVar[bool] = False
    """Whether the fault consists of messages and so is a part of the flow."""
    needs_keypers: ClassVar[bool] = False
    """Whether it needs keypers."""
    relieved_by: ClassVar[frozenset[Relief]] = frozenset()
    """The numbers whose increase makes the fault less severe."""

    at_s: NonNegative = Field(description="begin, seconds")
    duration_s: Number = Field(ge=1e-6, description="length, seconds")

    @property
    def live_only(self) -> bool:
        """Whether the fault exists in live runs only."""
        return False

    @property
    def groups_named(self) -> list[list[int]]:
        """The groups of nodes that it names; none if it affects all. −1 = the clients."""
        named = getattr(self, "nodes", [])
        return [list(named)] if named else []

    @classmethod
    def struck(cls, groups: Sequence[Sequence[int]], weights: Sequence[int]) -> set[int]:
        """The affected nodes, of nodes with these voting powers, if it names these groups."""
        return set(groups[0]) if groups else set(range(len(weights)))

    @classmethod
    def severity(cls, asked: float, timeout_ms: float) -> float:
        """The share of its nodes' work that the fault prevents; 1 = all of it.

        `asked` is as in the trace's table `faults`; a delay is compared with the timeout of the
        nodes that wait for them.
        """
        return 1.0

    def _arranged(self, data: dict[str, Any]) -> dict[str, Any]:
        return {"at_s": data.pop("at_s"), "duration_s": data.pop("duration_s"), "what": data}


class _OfNodes(Timed):
    """A fault of some nodes, or of all."""

    nodes: Nodes = Field(default_factory=list, description="which nodes; empty = all")


class _OfNamedNodes(Timed):
    """A fault of the nodes that it names."""

    nodes: Nodes = Field(min_length=1, description="which nodes")


class Partition(Timed):
    """Packets between different groups are lost; nodes in no group form one more."""

    divides_nodes = True
    relieved_by = frozenset({"consensus-timeouts", "links"})

    title: ClassVar[str] = "Partition"
    kind: Literal["partition"] = "partition"
    groups: list[Annotated[list[Peer], Field(min_length=1)]] = Field(
        min_length=1, description="the groups of nodes; −1 = the clients (live runs only)"
    )

    @property
    def live_only(self) -> bool:
        """Whether it names clients: in the simulator a partition is between nodes."""
        return any(node < 0 for group in self.groups for node in group)

    @property
    def groups_named(self) -> list[list[int]]:
        """See `Timed`."""
        return self.groups

    @classmethod
    def struck(cls, groups: Sequence[Sequence[int]], weights: Sequence[int]) -> set[int]:
        """All nodes but those on the clients' side or, where clients reach all nodes, on the
        side with the most voting power."""
        sides = cls.sides(groups, len(weights))
        with_clients = [side for side in sides if -1 in side]

        def power(side: set[int]) -> tuple[int, int]:
            return sum(weights[node] for node in side), len(side)

        spared = with_clients[0] if with_clients else max(sides, key=power)
        return set(range(len(weights))) - spared

    @staticmethod
    def sides(groups: Sequence[Sequence[int]], nodes: int) -> list[set[int]]:
        """The groups, and the nodes that are in none of them."""
        return [*(set(group) for group in groups), set(range(nodes)).difference(*groups)]

    @model_validator(mode="after")
    def _disjoint(self) -> Self:
        seen: dict[int, int] = {}
        for i, group in enumerate(self.groups):
            for node in group:
                if seen.setdefault(node, i) != i:
                    raise ValueError(
                        f"`groups`: node {node} is in groups {seen[node]} and {i}; leave it in one"
                    )
        return self


class Crash(_OfNamedNodes):
    """Nodes stop, lose what is queued in memory, and restart at the end."""

    stops_nodes = True
    relieved_by = frozenset({"consensus-timeouts"})

    title: ClassVar[str] = "Crash"
    kind: Literal["crash"] = "crash"
    power_loss: bool = Field(
        False, description="whether data not fsynced is lost, too (live runs only, needs root)"
    )

    @property
    def live_only(self) -> bool:
        """The simulator has no disks."""
        return self.power_loss

    def _arranged(self, data: dict[str, Any]) -> dict[str, Any]:
        """Without the key if it has its default, so that scenarios keep their hashes."""
        if not self.power_loss:
            del data["power_loss"]
        return super()._arranged(data)


class Slow(_OfNamedNodes):
    """Validation and execution on these nodes take longer."""

    relieved_by = frozenset({"servers"})

    title: ClassVar[str] = "Slow nodes"
    kind: Literal["slow"] = "slow"
    factor: Positive = Field(description="factor on service times")

    @classmethod
    def severity(cls, asked: float, timeout_ms: float) -> float:
        """1 − 1/factor: what is left of a server is 1/factor."""
        return 1 - 1 / asked if asked > 1 else 0.0


class Loss(_OfNodes):
    """Packets from or to these nodes are lost."""

    relieved_by = frozenset({"consensus-timeouts", "links"})

    title: ClassVar[str] = "Packet loss"
    kind: Literal["loss"] = "loss"
    probability: Share = Field(description="probability of loss")

    @classmethod
    def severity(cls, asked: float, timeout_ms: float) -> float:
        """The probability of loss."""
        return asked


class DelaySurge(_OfNodes):
    """Packets from or to these nodes take longer."""

    relieved_by = frozenset({"consensus-timeouts"})

    title: ClassVar[str] = "Added delay"
    kind: Literal["delay"] = "delay"
    extra_ms: NonNegative = Field(0.0, description="added to every delay, ms")
    factor: Positive = Field(1.0, description="factor on every delay, applied first")

    @classmethod
    def severity(cls, asked: float, timeout_ms: float) -> float:
        """extra/(extra + timeout)."""
        return asked / (asked + timeout_ms) if asked > 0 else 0.0


class _OfLeaders(Timed):
    """A fault of whoever leads at the time: an adversary that follows the protocol."""

    relieved_by = frozenset({"consensus-timeouts"})


class LeaderDelay(_OfLeaders):
    """Packets from or to whoever leads take longer: the sequencer, or the proposer of the round in
    which it is itself. Simulator only."""

    title: ClassVar[str] = "Delayed leader"
    kind: Literal["leader-delay"] = "leader-delay"
    extra_ms: NonNegative = Field(description="added to every delay, ms")

    @classmethod
    def severity(cls, asked: float, timeout_ms: float) -> float:
        """extra/(extra + timeout)."""
        return asked / (asked + timeout_ms) if asked > 0 else 0.0


class LeaderPartition(_OfLeaders):
    """Packets from or to whoever leads are lost. Simulator only."""

    title: ClassVar[str] = "Partitioned leader"
    kind: Literal["leader-partition"] = "leader-partition"


class Keypers(_OfNamedNodes):
    """Keypers on these nodes are late, silent, or collude with the attacker."""

    needs_keypers = True

    title: ClassVar[str] = "Late or colluding keypers"
    kind: Literal["keypers"] = "keypers"
    conduct: Literal["late", "silent", "colluding"] = Field(description="their misbehaviour")
    extra_ms: NonNegative = Field(500.0, description="additional delay of late keypers, ms")


class Spam(Timed):
    """One attacker floods gateways with orders far from the market."""

    sends_messages = True
    relieved_by = frozenset({"servers"})

    title: ClassVar[str] = "Spam"
    kind: Literal["spam"] = "spam"
    nodes: Nodes = Field(default_factory=list, description="gateways under attack; empty = all")
    rate_per_s: Positive = Field(description="messages per second (Poisson)")


class _Live(_OfNodes):
    """A fault of live runs only."""

    @property
    def live_only(self) -> bool:
        """Whether only a live run can have this fault: always."""
        return True


class Disconnect(_Live):
    """Connections of these nodes are reset, and new ones refused. Live runs only."""

    title: ClassVar[str] = "Lost connections"
    kind: Literal["disconnect"] = "disconnect"


class Stall(_Live):
    """Connections of these nodes stay open, and nothing passes. Live runs only."""

    title: ClassVar[str] = "Stalled nodes"
    kind: Literal["stall"] = "stall"


class Bandwidth(_Live):
    """The bandwidth of every link of these nodes is limited, each way. Live runs only."""

    title: ClassVar[str] = "Reduced bandwidth"
    kind: Literal["bandwidth"] = "bandwidth"
    mbps: Positive = Field(description="megabits per second")

    @classmethod
    def severity(cls, asked: float, timeout_ms: float) -> float:
        """0: its effect shows in the delays."""
        return 0.0


class DiskFull(_Live):
    """The filesystem under these nodes' data is full. Live runs only, needs root."""

    title: ClassVar[str] = "Full disk"
    kind: Literal["disk-full"] = "disk-full"
    free_bytes: Count = Field(0, description="bytes left free")


Fault = Annotated[
    Partition
    | Crash
    | Slow
    | Loss
    | DelaySurge
    | LeaderDelay
    | LeaderPartition
    | Keypers
    | Spam
    | Disconnect
    | Stall
    | Bandwidth
    | DiskFull,
    Field(discriminator="kind"),
]

KINDS: Final[Mapping[str, type[Timed]]] = MappingProxyType(
    {section.model_fields["kind"].default: section for section in get_args(get_args(Fault)[0])}
)
"""Every kind's section, by its name in a scenario."""


def named_nodes(fault: Fault) -> list[tuple[str, int]]:
    """Every node that a fault names, with the key that names it."""
    key = "groups" if fault.divides_nodes else "nodes"
    return [(key, node) for group in fault.groups_named for node in group]
