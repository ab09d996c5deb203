"""`[layer]`: how messages travel and are ordered."""

from __future__ import annotations

from operator import attrgetter
from typing import Annotated, Any, Literal, Self

from pydantic import Field, model_validator

from surgetank.plugins import Controller, QueueRule, digest, is_plugin
from surgetank.scenario.admission import Admission
from surgetank.scenario.consensus import Consensus, Tendermint
from surgetank.scenario.gossipsub import ScoredMesh
from surgetank.scenario.queue import Queue
from surgetank.scenario.section import Number, Positive, PositiveMs, Section, SpanMs, SpanUs, Whole
from surgetank.scenario.tuning import Tuning


class Direct(Section):
    """The gateway sends to the sequencer, the sequencer to every node."""

    kind: Literal["direct"] = "direct"


class Flood(Section):
    """To every neighbour except the sender, after validation (CometBFT's mempool)."""

    kind: Literal["flood"] = "flood"


class Mesh(Section):
    """gossipsub v1.1 without peer scores, under the names of its specification."""

    kind: Literal["mesh"] = "mesh"
    d: Whole = Field(6, ge=1, description="target number of mesh peers, D")
    d_lo: Whole = Field(4, ge=0, description="least number of mesh peers, D_lo")
    d_hi: Whole = Field(12, ge=1, description="largest number of mesh peers, D_hi")
    d_lazy: Whole = Field(6, ge=0, description="peers that receive IHAVE, D_lazy")
    heartbeat_ms: PositiveMs = Field(1_000.0, description="heartbeat interval, ms")
    history_length: Whole = Field(
        5, ge=1, description="windows of messages kept for IWANT, mcache_len"
    )
    history_gossip: Whole = Field(
        3, ge=0, description="windows of messages announced by IHAVE, mcache_gossip"
    )
    flood_publish: bool = Field(
        False, description="whether a node sends its own messages to all peers"
    )
    prune_backoff_ms: SpanMs = Field(
        60_000.0,
        description="time for which a pruned peer is not grafted again, ms; 0 = the rules of v1.0",
    )

    @model_validator(mode="after")
    def _in_order(self) -> Self:
        if not self.d_lo <= self.d <= self.d_hi:
            raise ValueError("`d_lo` ≤ `d` ≤ `d_hi` must hold")
        if self.history_gossip > self.history_length:
            raise ValueError("`history_gossip` must not be above `history_length`")
        return self


Gossip = Annotated[Direct | Flood | Mesh | ScoredMesh, Field(discriminator="kind")]


class ClassTimes(Section):
    """Mean times by class."""

    price_update_us: SpanUs = Field(100.0, description="a price update, µs")
    liquidation_order_us: SpanUs = Field(100.0, description="a liquidation order, µs")
    cancel_us: SpanUs = Field(100.0, description="a cancel, µs")
    replace_us: SpanUs = Field(100.0, description="a replace, µs")
    order_us: SpanUs = Field(100.0, description="a new order, µs")
    proposal_us: SpanUs = Field(1_000.0, description="a proposal, µs (validation only)")
    vote_us: SpanUs = Field(100.0, description="a vote, µs (validation only)")

    def by_class(self) -> list[int]:
        """Mean times in nanoseconds by class number; that of an execution report is 0."""
        *clients, proposal, vote = self.core().values()
        return [*clients, 0, proposal, vote]


class Fixed(Section):
    """Always the mean time."""

    kind: Literal["fixed"] = "fixed"


class Exponential(Section):
    """Exponential service times."""

    kind: Literal["exponential"] = "exponential"


class Lognormal(Section):
    """Log-normal service times."""

    kind: Literal["lognormal"] = "lognormal"
    cv: Positive = Field(description="standard deviation over mean")


class Hyperexponential(Section):
    """Two exponentials with balanced means."""

    kind: Literal["hyperexponential"] = "hyperexponential"
    cv: Number = Field(ge=1, le=1_000, description="standard deviation over mean, at least 1")


Distribution = Annotated[
    Fixed | Exponential | Lognormal | Hyperexponential, Field(discriminator="kind")
]


class Service(Section):
    """Service times of a node. Validation and execution have servers of their own."""

    servers: Whole = Field(1, ge=1, le=1_024, description="validation servers (CPUs) per node")
    validation: ClassTimes = Field(
        default_factory=ClassTimes, description="mean validation time by class"
    )
    execution: ClassTimes = Field(
        default_factory=ClassTimes, description="mean execution time by class"
    )
    distribution: Distribution = Field(
        default_factory=Fixed,
        description="distribution of validation and execution times around their mean",
    )

    def core(self) -> dict[str, Any]:
        """The section as the core reads it, without the keypers' times."""
        return {
            "servers": self.servers,
            "means": {
                "validation_ns": self.validation.by_class(),
                "execution_ns": self.execution.by_class(),
            },
            "distribution": self.distribution.core(),
        }


class Reactor(Section):
    """How nodes pass votes and proposals on to their peers: at once and whole, or as CometBFT's
    consensus reactor does."""

    sleep_ms: SpanMs = Field(
        0.0,
        description="for each peer a node sends what that peer lacks, and sleeps when there is "
        "nothing, ms (CometBFT: peer_gossip_sleep_duration, 100); 0 = everything is sent at once",
    )
    part_kb: Whole = Field(
        0,
        ge=0,
        le=100_000,
        description="proposals travel in parts of this size, each with its Merkle proof, and nodes "
        "pass parts on before they have all, kB (CometBFT: 64); 0 = whole",
    )


class Layer(Section):
    """The messaging layer of every node."""

    gossip: Gossip = Field(default_factory=Flood, description="how messages spread")
    admission: Admission = Field(
        default_factory=Admission, description="which messages are admitted"
    )
    queue: Queue = Field(default_factory=Queue, description="how messages wait and are ordered")
    tuning: Tuning = Field(
        default_factory=Tuning,
        description="controller of batches, admission limit and lane weights",
    )
    service: Service = Field(default_factory=Service, description="service times")
    consensus: Consensus = Field(
        default_factory=Tendermint, description="the protocol that orders messages"
    )
    reactor: Reactor = Field(
        default_factory=Reactor, description="how votes and proposals are passed on to peers"
    )

    @property
    def plugins(self) -> dict[str, str]:
        """The user's plug-ins: part of the layer → digest of the source."""
        rule, controller = self.queue.discipline, self.tuning.plugin
        found = {"rule": digest(rule, QueueRule)} if is_plugin(rule) else {}
        return found | ({"controller": digest(controller, Controller)} if controller else {})

    def canonical(self) -> dict[str, Any]:
        """The section as it enters the scenario's hash, with the digests of plug-ins beside it."""
        data = super().canonical()
        del data["queue"]["rule"]
        if is_plugin(self.queue.discipline):
            data["queue"]["discipline"] = "custom"
        if self.tuning.plugin:
            data["tuning"]["controller"] = "custom"
        return data

    def core(self) -> dict[str, Any]:
        """The section as the core reads it, without the parts that depend on the number of
        nodes."""
        data = super().core()
        sealed = self.queue.sealed.core()
        data["service"] |= {
            "decryption_ns": sealed["decrypt_ns"] if self.queue.unsealing == "threshold" else 0,
            "share_ns": sealed["share_ns"],
        }
        lanes, weights = self.queue.discipline == "lanes", self.queue.weights.by_class()
        data["tuning"]["bounds"] = self.tuning.bounds.between(weights, lanes=lanes)
        data["tuning"]["start"] = self._start()
        if self.tuning.plugin:
            data["tuning"]["controller"] = "custom"
        if self.tuning.controller == "none" and self.admission.admits_all:
            data["admission"]["node"] = None
        return data

    def _start(self) -> dict[str, Any] | None:
        """The setting from which a controller starts; None where there are no blocks."""
        if self.consensus.pace is None:
            return None
        of = self.consensus.core()
        return {
            "batch_messages_max": of["block_messages_max"],
            "window_ns": of[f"{self.consensus.pace.key.removesuffix('ms')}ns"],
            "admission_limit": self.admission.limit or self.tuning.bounds.limit_most,
            "lane_weights": self.queue.weights.by_class(),
        }

    @model_validator(mode="after")
    def _starts_inside(self) -> Self:
        """Refuses a setting that a controller's bounds would change before its first decision."""
        if self.tuning.controller == "none" or self.consensus.pace is None:
            return self
        key, weights = self.consensus.pace.key, self.queue.weights
        settings = [
            ("consensus.block_messages_max", "batch", ""),
            (f"consensus.{key}", "window", "_ms"),
        ]
        settings += [("admission.limit", "limit", "")] if self.admission.limit else []
        if self.queue.discipline == "lanes":
            names = type(weights).model_fields
            settings += [(f"queue.weights.{name}", "weight", "") for name in names]
        for key, name, unit in settings:
            ends = [f"{name}_{end}{unit}" for end in ("least", "most")]
            least, most = (getattr(self.tuning.bounds, end) for end in ends)
            value = attrgetter(key)(self)
            if not least <= value <= most:
                raise ValueError(
                    f"`tuning.controller` {self.tuning.controller} starts from `{key}` {value:g}, "
                    f"which is outside its bounds: take one from {least:g} to {most:g}, or change "
                    f"`tuning.bounds.{ends[0]}` and `{ends[1]}`"
                )
        return self

    @model_validator(mode="after")
    def _can_be_ordered(self) -> Self:
        queue, single = self.queue, self.consensus.leader is not None
        if queue.is_fair and (not single or isinstance(self.gossip, Direct)):
            raise ValueError(
                f"`queue.order` {queue.order} needs `consensus.kind` single, whose node makes the "
                "order, and `gossip.kind` flood or mesh, so that all nodes see messages"
            )
        for key, plain in (("order", "as-proposed"), ("unsealing", "none")):
            if getattr(queue, key) != plain and not self.consensus.orders:
                raise ValueError(
                    f"`queue.{key}` {getattr(queue, key)} is of blocks, and `consensus.kind` none "
                    "makes none: take another kind"
                )
        if isinstance(self.gossip, Direct) and not single:
            raise ValueError(
                '`gossip.kind` direct (which `venue = "hyperliquid"` brings) needs '
                '`consensus.kind` single: write kind = "single" in [layer.consensus] in place of '
                'what stands there, or kind = "flood" in [layer.gossip]'
            )
        return self
