"""`[layer.consensus]`: the consensus engine that orders messages; a section for each engine, with
its properties.

Measures, searches and checks use an engine's properties (`Engine`), not its name.
"""

from __future__ import annotations

from collections.abc import Collection, Sequence
from typing import Annotated, ClassVar, Literal, NamedTuple, Self

from pydantic import Field, model_validator

from surgetank.scenario.section import PositiveMs, Section, SpanMs, Whole
from surgetank.scenario.tuning import AdaptiveTimeouts

__all__ = [
    "Bullshark",
    "Consensus",
    "Engine",
    "Hotstuff",
    "NoConsensus",
    "Pace",
    "Simplex",
    "Single",
    "Tendermint",
    "Tusk",
]


class Pace(NamedTuple):
    """The wait between two blocks: its name for a reader, and its key in the section."""

    name: str
    key: str


class Engine(Section):
    """The properties of an engine. The defaults hold for most engines."""

    orders: ClassVar[bool] = True
    """Whether the engine orders messages into blocks."""
    votes: ClassVar[bool] = False
    """Whether nodes exchange proposals and votes, which they validate."""
    pace: ClassVar[Pace | None] = None
    """The setting of the block interval."""
    round_timeouts: ClassVar[tuple[str, ...]] = ()
    """Keys of the timeouts of a round, that of its proposal first; none without rounds."""

    @property
    def leader(self) -> int | None:
        """The number of the single node that orders, if there is one."""
        return None

    @property
    def pace_ms(self) -> float | None:
        """The wait between two blocks, ms."""
        return None if self.pace is None else float(getattr(self, self.pace.key))

    @property
    def block_bounds(self) -> tuple[int, int] | None:
        """The most messages and bytes in a block; None where they do not limit the throughput."""
        return None

    @property
    def message_bytes_max(self) -> int | None:
        """The largest message for which a block has room; None without blocks."""
        return None

    @property
    def proposal_timeout_ms(self) -> float | None:
        """Timeout of a first proposal, ms; None where no proposer can fail."""
        return None

    @property
    def round_ms(self) -> float | None:
        """The longest duration of a height's first round, ms; None without rounds."""
        return None

    def can_order(self, members: Collection[int], weights: Sequence[int]) -> bool:
        """Whether these nodes could order without the others: they have more than two thirds of the
        weight."""
        return 3 * sum(weights[node] for node in members) > 2 * sum(weights)


class NoConsensus(Engine):
    """No ordering: messages are only spread."""

    orders: ClassVar[bool] = False

    kind: Literal["none"] = "none"


class Single(Engine):
    """A single sequencer orders, the others follow."""

    pace: ClassVar[Pace | None] = Pace("batch window", "window_ms")

    kind: Literal["single"] = "single"
    node: Whole = Field(0, ge=0, description="the sequencing node")
    window_ms: SpanMs = Field(10.0, description="time after which a batch closes, ms; 0 = at once")
    block_messages_max: Whole = Field(
        1_000, ge=1, description="number of messages at which a batch closes"
    )
    block_bytes_max: Whole = Field(
        4_000_000, ge=1_000, description="number of bytes at which a batch closes"
    )
    request_ms: PositiveMs = Field(
        1_000.0,
        description="time after which a request for missing batches is sent again, until the time "
        "that answers take has been measured, ms",
    )

    @property
    def leader(self) -> int | None:
        """The sequencing node."""
        return self.node

    @property
    def block_bounds(self) -> tuple[int, int] | None:
        """None without a window: then the sequencer makes as many batches as needed."""
        return (self.block_messages_max, self.block_bytes_max) if self.window_ms else None

    @property
    def message_bytes_max(self) -> int | None:
        """As large as a batch."""
        return self.block_bytes_max

    def can_order(self, members: Collection[int], weights: Sequence[int]) -> bool:
        """Whether the sequencing node is among the members."""
        return self.node in members


class Tendermint(Engine):
    """Tendermint (arXiv 1807.04938) among the nodes that have voting power (`network.powers`)."""

    votes: ClassVar[bool] = True
    pace: ClassVar[Pace | None] = Pace("timeout_commit", "timeout_commit_ms")
    round_timeouts: ClassVar[tuple[str, ...]] = ("timeout_propose_ms", "timeout_vote_ms")

    kind: Literal["tendermint"] = "tendermint"
    timeout_commit_ms: SpanMs = Field(500.0, description="wait after a decision, timeoutCommit, ms")
    timeout_propose_ms: PositiveMs = Field(1_000.0, description="timeoutPropose(0), ms")
    timeout_propose_delta_ms: SpanMs = Field(
        500.0, description="growth of timeoutPropose per round, ms"
    )
    timeout_vote_ms: PositiveMs = Field(
        500.0, description="timeoutPrevote(0), timeoutPrecommit(0), ms"
    )
    timeout_vote_delta_ms: SpanMs = Field(
        500.0, description="growth of the timeouts of votes per round, ms"
    )
    block_messages_max: Whole = Field(
        5_000, ge=1, description="largest number of messages in a block"
    )
    block_bytes_max: Whole = Field(
        4_000_000, ge=1_000, description="largest size of a block, bytes"
    )
    rebroadcast_ms: PositiveMs = Field(
        1_000.0,
        description="time without progress after which a node sends its last messages again to "
        "neighbours that lack them, ms",
    )
    adaptive: bool = Field(
        False,
        description="whether block time and timeouts adapt to congestion, with throttling by "
        "criticality (docs/tuning.md)",
    )
    adaptive_timeouts: AdaptiveTimeouts = Field(
        default_factory=AdaptiveTimeouts, description="bounds within which it adapts"
    )

    @property
    def block_bounds(self) -> tuple[int, int] | None:
        """The bounds of every block."""
        return self.block_messages_max, self.block_bytes_max

    @property
    def message_bytes_max(self) -> int | None:
        """As large as a block."""
        return self.block_bytes_max

    @property
    def proposal_timeout_ms(self) -> float | None:
        """timeoutPropose(0) of Tendermint, ms."""
        return self.timeout_propose_ms

    @property
    def round_ms(self) -> float | None:
        """Duration of round 0, ms: the wait after the last decision, a proposal and both votes."""
        return self.timeout_commit_ms + self.timeout_propose_ms + 2 * self.timeout_vote_ms

    @model_validator(mode="after")
    def _starts_inside(self) -> Self:
        if not self.adaptive:
            return self
        for name, value in (
            ("commit", self.timeout_commit_ms),
            ("propose", self.timeout_propose_ms),
        ):
            least, most = (
                getattr(self.adaptive_timeouts, f"{name}_{end}_ms") for end in ("least", "most")
            )
            if not least <= value <= most:
                raise ValueError(
                    f"`timeout_{name}_ms` must be within `adaptive_timeouts.{name}_least_ms` and "
                    f"`adaptive_timeouts.{name}_most_ms`, from which `adaptive` starts"
                )
        return self


class Chained(Engine):
    """An engine whose blocks grow on blocks that are not decided, among the nodes that have voting
    power (`network.powers`)."""

    votes: ClassVar[bool] = True
    pace: ClassVar[Pace | None] = Pace("wait before a proposal", "propose_wait_ms")
    round_timeouts: ClassVar[tuple[str, ...]] = ("timeout_round_ms",)
    rounds_to_decide: ClassVar[int]
    """Rounds from the first of a height to its decision, that one included."""

    kind: str
    propose_wait_ms: SpanMs = Field(
        100.0,
        description="time that a leader waits in its round before it proposes, ms; 0 = blocks "
        "follow each other as fast as the network allows",
    )
    timeout_round_ms: PositiveMs = Field(
        1_000.0, description="time beyond that wait after which a node gives a round up, ms"
    )
    timeout_round_delta_ms: SpanMs = Field(
        500.0, description="growth of that time per round in which nothing was decided, ms"
    )
    block_messages_max: Whole = Field(
        5_000, ge=1, description="largest number of messages in a block"
    )
    block_bytes_max: Whole = Field(
        4_000_000, ge=1_000, description="largest size of a block, bytes"
    )
    rebroadcast_ms: PositiveMs = Field(
        1_000.0,
        description="time without progress after which a node repeats its statements of the round "
        "and its proposals, ms",
    )

    @property
    def block_bounds(self) -> tuple[int, int] | None:
        """The bounds of every block."""
        return self.block_messages_max, self.block_bytes_max

    @property
    def message_bytes_max(self) -> int | None:
        """As large as a block."""
        return self.block_bytes_max

    @property
    def proposal_timeout_ms(self) -> float | None:
        """Timeout of a round in which blocks are decided, ms."""
        return self.propose_wait_ms + self.timeout_round_ms

    @property
    def round_ms(self) -> float | None:
        """The longest time until a height is decided without failed rounds, ms."""
        return self.rounds_to_decide * (self.propose_wait_ms + self.timeout_round_ms)


class Hotstuff(Chained):
    """Chained HotStuff with a commit in two steps (Jolteon, arXiv 2106.10362; pacemaker of DiemBFT
    v4) among the nodes that have voting power (`network.powers`)."""

    rounds_to_decide: ClassVar[int] = 3

    kind: Literal["hotstuff"] = "hotstuff"


class Simplex(Chained):
    """Simplex (Chan and Pass, TCC 2023; IACR ePrint 2023/463) among the nodes that have voting
    power (`network.powers`)."""

    rounds_to_decide: ClassVar[int] = 2

    kind: Literal["simplex"] = "simplex"
    timeout_round_ms: PositiveMs = Field(
        1_000.0,
        description="time beyond that wait after which a node votes for a dummy block, 3Δ, ms",
    )


class Graph(Engine):
    """An engine that orders a graph of vertices, one of each node in a round (Narwhal, arXiv
    2105.11827), among the nodes that have voting power (`network.powers`)."""

    votes: ClassVar[bool] = True
    pace: ClassVar[Pace | None] = Pace("wait before a vertex", "propose_wait_ms")

    kind: str
    propose_wait_ms: SpanMs = Field(
        100.0,
        description="time that a node waits in a round before it makes its vertex, ms; 0 = rounds "
        "follow each other as fast as the network allows",
    )
    block_messages_max: Whole = Field(
        5_000, ge=1, description="largest number of messages in a vertex"
    )
    block_bytes_max: Whole = Field(
        4_000_000, ge=1_000, description="largest size of a vertex, bytes"
    )
    depth_rounds: Whole = Field(
        50, ge=4, description="rounds below the last decided anchor that are kept"
    )
    rebroadcast_ms: PositiveMs = Field(
        300.0,
        description="time after which a node asks for vertices that it lacks, and without progress "
        "repeats its own and its votes, ms",
    )

    @property
    def message_bytes_max(self) -> int | None:
        """As large as a vertex."""
        return self.block_bytes_max


class Bullshark(Graph):
    """Bullshark, the partially synchronous version (arXiv 2209.05633): anchors take turns."""

    round_timeouts: ClassVar[tuple[str, ...]] = ("timeout_round_ms",)

    kind: Literal["bullshark"] = "bullshark"
    timeout_round_ms: PositiveMs = Field(
        1_000.0,
        description="time beyond that wait after which a node does not wait for the anchor of a "
        "round, or for vertices that refer to it, ms",
    )

    @property
    def proposal_timeout_ms(self) -> float | None:
        """The longest wait for an anchor, ms."""
        return self.propose_wait_ms + self.timeout_round_ms

    @property
    def round_ms(self) -> float | None:
        """The longest time of the two rounds in which an anchor is decided, ms."""
        return 2 * (self.propose_wait_ms + self.timeout_round_ms)


class Tusk(Graph):
    """Tusk (arXiv 2105.11827): a common coin draws the anchors; there are no timeouts."""

    kind: Literal["tusk"] = "tusk"


Consensus = Annotated[
    NoConsensus | Single | Tendermint | Hotstuff | Simplex | Bullshark | Tusk,
    Field(discriminator="kind"),
]
