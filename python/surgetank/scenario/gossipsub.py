"""`layer.gossip.kind = "gossipsub"`: gossipsub v1.1 with peer scores, and IDONTWANT of v1.2.

Keys have the names of the specifications (libp2p/specs, pubsub/gossipsub); constants are those of
go-libp2p-pubsub.
"""

from __future__ import annotations

from typing import Annotated, Any, Literal, Self

from pydantic import Field, model_validator

from surgetank.scenario.section import (
    NonNegative,
    Number,
    PositiveMs,
    Section,
    Share,
    SpanMs,
    Whole,
)

__all__ = ["EthereumScore", "FilecoinScore", "NoScore", "ScoredMesh"]

Penalty = Annotated[Number, Field(le=0)]


class NoScore(Section):
    """All peers have a score of 0, as in v1.0."""

    kind: Literal["none"] = "none"

    def core(self) -> Any:
        """The core has no scores."""
        return None


class FilecoinScore(Section):
    """Peer scores with the parameters of Filecoin's block topic (Lotus,
    node/modules/lp2p/pubsub.go): P3 off, misbehaviour severe. A weight of 0 switches a part off."""

    kind: Literal["filecoin"] = "filecoin"
    topic_weight: NonNegative = Field(0.1, description="weight of the topic")
    topic_score_cap: NonNegative = Field(
        0.0, description="greatest contribution of the topic; 0 = none"
    )
    time_in_mesh_weight: NonNegative = Field(
        0.00027, description="P1: weight of the time in the mesh"
    )
    time_in_mesh_quantum_ms: PositiveMs = Field(1000.0, description="P1: unit of that time, ms")
    time_in_mesh_cap: NonNegative = Field(1.0, description="P1: its greatest value, in units")
    first_message_deliveries_weight: NonNegative = Field(
        5.0, description="P2: weight of messages that a peer delivered first"
    )
    first_message_deliveries_decay: Share = Field(
        0.998722, description="P2: factor on the counter per decay interval"
    )
    first_message_deliveries_cap: NonNegative = Field(
        100.0, description="P2: greatest value of the counter"
    )
    mesh_message_deliveries_weight: Penalty = Field(
        0.0, description="P3: weight of the squared deficit of deliveries in the mesh"
    )
    mesh_message_deliveries_decay: Share = Field(
        0.0, description="P3: factor on the counter per decay interval"
    )
    mesh_message_deliveries_cap: NonNegative = Field(
        0.0, description="P3: greatest value of the counter"
    )
    mesh_message_deliveries_threshold: NonNegative = Field(
        0.0, description="P3: value below which there is a deficit"
    )
    mesh_message_deliveries_window_ms: SpanMs = Field(
        0.0, description="P3: time in which a further copy counts, ms"
    )
    mesh_message_deliveries_activation_ms: SpanMs = Field(
        0.0, description="P3: time in the mesh before a deficit counts, ms"
    )
    mesh_failure_penalty_weight: Penalty = Field(
        0.0, description="P3b: weight of deficits of pruned peers"
    )
    mesh_failure_penalty_decay: Share = Field(
        0.0, description="P3b: factor on it per decay interval"
    )
    behaviour_penalty_weight: Penalty = Field(
        -10.0, description="P7: weight of the squared excess of misbehaviour"
    )
    behaviour_penalty_threshold: NonNegative = Field(
        6.0, description="P7: misbehaviour that is forgiven"
    )
    behaviour_penalty_decay: Share = Field(
        0.998722, description="P7: factor on the counter per decay interval"
    )
    decay_interval_ms: PositiveMs = Field(1000.0, description="interval of the decays, ms")
    decay_to_zero: NonNegative = Field(0.01, description="value below which a counter becomes 0")
    gossip_threshold: Penalty = Field(
        -500.0, description="score below which a peer gets and gives no gossip"
    )
    publish_threshold: Penalty = Field(
        -1000.0, description="score below which a peer gets no flooded message"
    )
    graylist_threshold: Penalty = Field(
        -2500.0, description="score below which a peer is not heard"
    )
    opportunistic_graft_threshold: NonNegative = Field(
        3.5, description="median score of the mesh below which better peers are grafted"
    )

    @model_validator(mode="after")
    def _in_order(self) -> Self:
        thresholds = (self.gossip_threshold, self.publish_threshold, self.graylist_threshold)
        if list(thresholds) != sorted(thresholds, reverse=True):
            raise ValueError(
                "`gossip_threshold` ≥ `publish_threshold` ≥ `graylist_threshold` must hold"
            )
        return self

    def _arranged(self, data: dict[str, Any]) -> dict[str, Any]:
        """The kind names the defaults only."""
        return {key: value for key, value in data.items() if key != "kind"}


def _again(name: str, default: float) -> Any:
    """A key of Filecoin's, with another default."""
    return Field(default, description=FilecoinScore.model_fields[name].description)


class EthereumScore(FilecoinScore):
    """Peer scores with the parameters of Ethereum's block topic (Lighthouse and Prysm,
    beacon-chain/p2p/gossip_scoring_params.go): a block each 12 s, P3 from 4 epochs on."""

    kind: Literal["ethereum"] = "ethereum"  # type: ignore[assignment]
    topic_weight: NonNegative = _again("topic_weight", 0.8)
    time_in_mesh_weight: NonNegative = _again("time_in_mesh_weight", 0.0324)
    time_in_mesh_quantum_ms: PositiveMs = _again("time_in_mesh_quantum_ms", 12000.0)
    time_in_mesh_cap: NonNegative = _again("time_in_mesh_cap", 300.0)
    first_message_deliveries_weight: NonNegative = _again("first_message_deliveries_weight", 1.0)
    first_message_deliveries_decay: Share = _again("first_message_deliveries_decay", 0.99283)
    first_message_deliveries_cap: NonNegative = _again("first_message_deliveries_cap", 23.0)
    mesh_message_deliveries_weight: Penalty = _again("mesh_message_deliveries_weight", -0.717)
    mesh_message_deliveries_decay: Share = _again("mesh_message_deliveries_decay", 0.971628)
    mesh_message_deliveries_cap: NonNegative = _again("mesh_message_deliveries_cap", 160.0)
    mesh_message_deliveries_threshold: NonNegative = _again(
        "mesh_message_deliveries_threshold", 16.0
    )
    mesh_message_deliveries_window_ms: SpanMs = _again("mesh_message_deliveries_window_ms", 2000.0)
    mesh_message_deliveries_activation_ms: SpanMs = _again(
        "mesh_message_deliveries_activation_ms", 1536000.0
    )
    mesh_failure_penalty_weight: Penalty = _again("mesh_failure_penalty_weight", -0.717)
    mesh_failure_penalty_decay: Share = _again("mesh_failure_penalty_decay", 0.971628)
    behaviour_penalty_weight: Penalty = _again("behaviour_penalty_weight", -15.92)
    behaviour_penalty_decay: Share = _again("behaviour_penalty_decay", 0.985712)
    decay_interval_ms: PositiveMs = _again("decay_interval_ms", 12000.0)
    gossip_threshold: Penalty = _again("gossip_threshold", -4000.0)
    publish_threshold: Penalty = _again("publish_threshold", -8000.0)
    graylist_threshold: Penalty = _again("graylist_threshold", -16000.0)
    opportunistic_graft_threshold: NonNegative = _again("opportunistic_graft_threshold", 5.0)


Score = Annotated[NoScore | FilecoinScore | EthereumScore, Field(discriminator="kind")]


class ScoredMesh(Section):
    """gossipsub v1.1 with peer scores, and IDONTWANT of v1.2, under the names of the
    specifications."""

    kind: Literal["gossipsub"] = "gossipsub"
    d: Whole = Field(6, ge=1, description="target number of mesh peers, D")
    d_lo: Whole = Field(5, ge=0, description="least number of mesh peers, D_lo")
    d_hi: Whole = Field(12, ge=1, description="largest number of mesh peers, D_hi")
    d_score: Whole = Field(4, ge=0, description="best peers kept in too large a mesh, D_score")
    d_lazy: Whole = Field(6, ge=0, description="least number of peers that receive IHAVE, D_lazy")
    gossip_factor: Share = Field(
        0.25, description="share of the peers outside the mesh that receive IHAVE"
    )
    heartbeat_ms: PositiveMs = Field(1_000.0, description="heartbeat interval, ms")
    history_length: Whole = Field(
        5, ge=1, description="windows of messages kept for IWANT, mcache_len"
    )
    history_gossip: Whole = Field(
        3, ge=0, description="windows of messages announced by IHAVE, mcache_gossip"
    )
    flood_publish: bool = Field(
        True, description="whether a node sends its own messages to all peers"
    )
    prune_backoff_ms: SpanMs = Field(
        60_000.0, description="time for which a pruned peer is not grafted again, ms"
    )
    opportunistic_graft_ticks: Whole = Field(
        60, ge=0, description="heartbeats between two opportunistic grafts; 0 = never"
    )
    opportunistic_graft_peers: Whole = Field(2, ge=0, description="peers grafted then")
    graft_flood_threshold_ms: SpanMs = Field(
        10_000.0, description="a GRAFT so soon after a PRUNE is penalised twice, ms"
    )
    iwant_followup_ms: SpanMs = Field(
        3_000.0, description="time within which a requested message is to come, ms"
    )
    max_ihave_length: Whole = Field(
        5_000, ge=1, description="most messages requested of a peer per heartbeat"
    )
    max_ihave_messages: Whole = Field(
        10, ge=1, description="most IHAVE considered of a peer per heartbeat"
    )
    gossip_retransmission: Whole = Field(
        3, ge=1, description="how often a message is sent to a peer that requests it"
    )
    idontwant_bytes: Whole = Field(
        1_024, ge=0, description="least size of messages announced by IDONTWANT; 0 = none"
    )
    score: Score = Field(default_factory=FilecoinScore, description="how peers are scored")

    @model_validator(mode="after")
    def _mesh_in_order(self) -> Self:
        if not self.d_lo <= self.d <= self.d_hi:
            raise ValueError("`d_lo` ≤ `d` ≤ `d_hi` must hold")
        if self.d_score > self.d:
            raise ValueError("`d_score` must not be above `d`")
        if self.history_gossip > self.history_length:
            raise ValueError("`history_gossip` must not be above `history_length`")
        return self
