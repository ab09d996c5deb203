"""What a sketch says: steps that every node takes in their order."""

from __future__ import annotations

import math
from dataclasses import dataclass
from enum import Enum, StrEnum
from fractions import Fraction

__all__ = [
    "Await",
    "Barrier",
    "Both",
    "Condition",
    "Either",
    "Quorum",
    "Send",
    "SendKind",
    "SketchProtocol",
    "Step",
    "ThresholdUnit",
]


class SendKind(StrEnum):
    """Who sends a message, and to whom. Every sender counts itself at once."""

    PROPOSE = "propose"
    """The proposer to all."""
    BROADCAST = "broadcast"
    """Every node to all."""
    REPLY = "reply"
    """Every node to the proposer."""


class ThresholdUnit(Enum):
    """What a threshold counts."""

    NODES = "nodes"
    POWER = "share of the voting power"
    MORE_THAN = "more than this share of the voting power"


@dataclass(frozen=True)
class Quorum:
    """How many senders a step waits for."""

    unit: ThresholdUnit
    value: Fraction

    def needed(self, powers: list[int]) -> int:
        """The least power that is enough; of nodes, their number."""
        if self.unit is ThresholdUnit.NODES:
            return int(self.value)
        part = self.value * sum(powers)
        if self.unit is ThresholdUnit.MORE_THAN:
            return math.floor(part) + 1
        return math.ceil(part)


@dataclass(frozen=True)
class Send:
    """A node sends a message of this number, and goes on."""

    kind: SendKind
    message: int
    size_bytes: int
    line: int


@dataclass(frozen=True)
class Await:
    """Enough senders of a message are heard."""

    message: int
    quorum: Quorum
    proposer_only: bool
    """Whether other nodes go on at once (`collect`)."""
    per_message_ms: float
    """Processing of each message of this number that comes until there are enough; one at a
    time."""
    after_ms: float
    """Processing once there are enough: the step is over before it, the next begins after it."""


@dataclass(frozen=True)
class Both:
    """Both conditions hold."""

    first: Condition
    second: Condition


@dataclass(frozen=True)
class Either:
    """One of two conditions holds."""

    first: Condition
    second: Condition


Condition = Await | Both | Either


@dataclass(frozen=True)
class Barrier:
    """A node waits for a condition."""

    condition: Condition
    line: int
    text: str

    @property
    def proposer_only(self) -> bool:
        """Whether only the proposer waits here."""
        return isinstance(self.condition, Await) and self.condition.proposer_only


Step = Send | Barrier


@dataclass(frozen=True)
class SketchProtocol:
    """A sketch: its name and its steps."""

    name: str
    steps: tuple[Step, ...]
    place: str
    """Its file, for messages."""

    @property
    def barriers(self) -> list[Barrier]:
        """The steps at which nodes wait."""
        return [step for step in self.steps if isinstance(step, Barrier)]
