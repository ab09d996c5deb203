"""`[layer.queue]`: queues of waiting messages, and the order inside a batch."""

from __future__ import annotations

import math
from collections.abc import Mapping
from typing import Annotated, Any, Literal, Self, get_args

from pydantic import AfterValidator, Field, model_validator

from surgetank.plugins import QUEUE_RULES, QueueRule, is_plugin, load_plugin
from surgetank.scenario.section import (
    Integer,
    NonNegative,
    Number,
    PositiveMs,
    PositiveS,
    PositiveUs,
    Section,
    Share,
    SpanMs,
    SpanS,
    SpanUs,
    Whole,
    known_or_plugin,
    nearest,
)

ClassName = Literal["price-update", "liquidation-order", "cancel", "replace", "order"]

#: Classes of messages that reduce risk.
HIGH: tuple[ClassName, ...] = ("price-update", "liquidation-order", "cancel")

Weight = Annotated[Integer, Field(ge=1, le=100)]


class Weights(Section):
    """Services of each class per round under `lanes`."""

    price_update: Weight = Field(8, description="price updates")
    liquidation_order: Weight = Field(8, description="liquidation orders")
    cancel: Weight = Field(4, description="cancels")
    replace: Weight = Field(2, description="replaces")
    order: Weight = Field(1, description="new orders")

    def by_class(self) -> list[int]:
        """Weights by class number; messages of the protocol have weight 1."""
        return [getattr(self, name) for name in type(self).model_fields] + [1, 1, 1]


class Codel(Section):
    """CoDel's two constants (RFC 8289)."""

    target_ms: PositiveMs = Field(5.0, description="target sojourn time, ms")
    interval_ms: PositiveMs = Field(
        100.0,
        description="time for which the sojourn may exceed the target before messages are shed, ms",
    )


class Express(Section):
    """An express lane sold by the round (Timeboost; its rounds last 60 s)."""

    enabled: bool = Field(
        False, strict=True, description="whether there is an express lane, in front of the gateways"
    )
    round_s: PositiveS = Field(5.0, description="length of a round, seconds")
    closing_s: SpanS = Field(
        1.0, description="time before its round at which the auction closes, seconds"
    )
    advantage_ms: SpanMs = Field(
        200.0, description="time for which all other messages are held back, ms"
    )
    reserve_usd: NonNegative = Field(1.0, description="least price of a round, USD")
    maker_value_usd: NonNegative = Field(
        10.0, description="value of a round to a maker, mean (exponential), USD"
    )

    @model_validator(mode="after")
    def _closes_in_time(self) -> Self:
        if self.closing_s >= self.round_s:
            raise ValueError("`closing_s` must be below `round_s`")
        return self


class Sealed(Section):
    """How a block is unsealed, and how the beacon of a drawn order is made."""

    reveal_ms: PositiveMs = Field(250.0, description="time that clients have to reveal, ms")
    bond_usd: NonNegative = Field(5.0, description="bond that a missing reveal forfeits, USD")
    threshold: Share = Field(
        0.67, gt=0, description="share of the nodes whose key shares open a block"
    )
    share_us: SpanUs = Field(5_000.0, description="service time of making a share of a key, µs")
    decrypt_us: PositiveUs = Field(20.0, description="service time of decrypting a message, µs")
    timeout_ms: PositiveMs = Field(
        1_000.0, description="time before shares are requested again, ms"
    )


class Fair(Section):
    """How the orders `themis` and `median` are computed from the orders of receipt at all nodes."""

    gamma: Number = Field(
        1.0,
        gt=0.5,
        le=1,
        description="γ of `themis`: a message that this share of the nodes received before "
        "another is in no later batch than it; to thousandths",
    )
    faulty: Whole | None = Field(
        None,
        ge=0,
        description="nodes that may lie or be silent; by default the most that the rule "
        "tolerates, n(2γ − 1) > 4f under `themis`, n > 3f under `median`",
    )
    report_ms: PositiveMs = Field(
        50.0, description="interval of a node's reports and of the leader's rounds, ms"
    )
    extraction: Literal["safe", "paper"] = Field(
        "paper",
        description="what a round of `themis` outputs; `safe` keeps the guarantee strictly and "
        "stalls when cycles join into an unbounded chain: see docs/fairness.md",
    )


Rule = Literal[
    "fifo",
    "priority",
    "class",
    "fee",
    "lanes",
    "drr",
    "codel",
    "fq-codel",
    "express",
    "auction",
    "hash",
    "commit-reveal",
    "threshold",
    "themis",
    "median",
]
RULES: tuple[str, ...] = get_args(Rule)

Discipline = Literal["fifo", "priority", "class", "fee", "lanes", "drr", "codel", "fq-codel"]
DISCIPLINES: tuple[str, ...] = get_args(Discipline)
#: Disciplines that depend on the content of messages.
BY_CLASS: tuple[str, ...] = ("priority", "class", "lanes")


class Queue(Section):
    """How messages wait, before validation (ingress) and before ordering (mempool)."""

    rule: Rule | str = Field(
        "fifo",
        description="preset of `discipline`, `express.enabled`, `order`, `unsealing` and "
        "`market.matching`, each of which takes precedence where it is given; names "
        "joined by `+` combine",
    )
    discipline: Annotated[
        Discipline | str, AfterValidator(known_or_plugin("discipline", DISCIPLINES, QUEUE_RULES))
    ] = Field("fifo", description="who is served first; `module:Class` is a discipline of your own")
    order: Literal["as-proposed", "drawn", "themis", "median"] = Field(
        "as-proposed",
        description="order inside a block: as its proposer served them, drawn over accounts, or "
        "computed from the orders in which all nodes received them (`fair`; the "
        "discipline then holds before validation only)",
    )
    unsealing: Literal["none", "commit-reveal", "threshold"] = Field(
        "none",
        description="messages are sealed until their block is decided: their clients reveal them, "
        "or a threshold of keypers opens the block (`sealed`)",
    )
    ingress_max: Whole = Field(5_000, ge=0, description="messages that may wait for validation")
    mempool_max: Whole = Field(10_000, ge=0, description="messages that may wait for ordering")
    high: list[ClassName] = Field(
        default_factory=lambda: list(HIGH), description="classes of the high lane, under `priority`"
    )
    weights: Weights = Field(
        default_factory=Weights, description="services per round, under `lanes`"
    )
    quantum_bytes: Whole = Field(
        1_500,
        ge=1,
        le=1_000_000,
        description="bytes that an account is served per round, under `drr` and `fq-codel`",
    )
    codel: Codel = Field(
        default_factory=Codel, description="when `codel` and `fq-codel` shed messages"
    )
    express: Express = Field(default_factory=Express, description="the express lane")
    seed: Literal["beacon", "previous"] = Field(
        "beacon",
        description="source of the seed of the order `drawn` where nothing is unsealed: the "
        "keypers' signature of the block, or the hash of the block before (which can "
        "be ground)",
    )
    sealed: Sealed = Field(
        default_factory=Sealed, description="how the messages of a sealed block are made readable"
    )
    fair: Fair = Field(
        default_factory=Fair,
        description="how one order is made of the orders in which all nodes received messages",
    )

    @property
    def is_fair(self) -> bool:
        """Whether the order is computed from the reports of all nodes."""
        return self.order in ("themis", "median")

    @property
    def pays_bids(self) -> bool:
        """Whether an executed message owes the fee that it bid.

        Raises:
            SurgetankError: if the discipline is a class of the user's that cannot be loaded.
        """
        if is_plugin(self.discipline):
            rule: Any = load_plugin(self.discipline, QueueRule)
            return bool(rule.pays_bids)
        return self.discipline == "fee"

    @property
    def has_keypers(self) -> bool:
        """Whether blocks wait for shares of a key."""
        beacon = self.order == "drawn" and self.seed == "beacon" and self.unsealing == "none"
        return beacon or self.unsealing == "threshold"

    @model_validator(mode="after")
    def _can_be_served(self) -> Self:
        if self.discipline == "priority" and not self.high:
            raise ValueError("`discipline` priority needs classes in `high`, such as `cancel`")
        if self.discipline in BY_CLASS and self.unsealing != "none":
            others = ", ".join(name for name in DISCIPLINES if name not in BY_CLASS)
            raise ValueError(
                f"`discipline` {self.discipline} goes by a message's class, which no node can read "
                f"before `unsealing` {self.unsealing}: take one of {others}"
            )
        return self

    def core(self) -> dict[str, Any]:
        """The section as the core reads it, without the parts that `blocks` and `fair_among`
        return."""
        of = super().core()
        keys = ("order", "ingress_max", "mempool_max", "express")
        return {key: of[key] for key in keys} | {
            "discipline": self._discipline(of),
            "pays_bids": self.pays_bids,
            "bond_usd": self.sealed.bond_usd,
        }

    def _discipline(self, of: Mapping[str, Any]) -> dict[str, Any] | None:
        """The discipline with its parameters; None for a user's class."""
        tuned_by: dict[str, dict[str, Any]] = {
            "priority": {"high": of["high"]},
            "lanes": {"weights": self.weights.by_class()},
            "drr": {"quantum_bytes": self.quantum_bytes},
            "codel": {"law": of["codel"]},
            "fq-codel": {"quantum_bytes": self.quantum_bytes, "law": of["codel"]},
        }
        kind = self.discipline
        return None if is_plugin(kind) else {"kind": kind, **tuned_by.get(kind, {})}

    def blocks(self, nodes: int) -> dict[str, Any]:
        """The unsealing of decided blocks among `nodes` nodes, as the core reads it."""
        sealed = self.sealed.core()
        keypers = {
            "keypers": nodes,
            "threshold": math.ceil(nodes * self.sealed.threshold),
            "timeout_ns": sealed["timeout_ns"],
        }
        return {
            "places": "drawn" if self.order == "drawn" else "as-decided",
            "reveal_ns": sealed["reveal_ns"] if self.unsealing == "commit-reveal" else 0,
            "keypers": keypers if self.has_keypers else None,
            "encrypted": self.unsealing == "threshold",
        }

    def fair_among(self, nodes: int) -> dict[str, Any]:
        """The rule that merges the orders of `nodes` nodes, as the core reads it. Without `faulty`
        it tolerates as many faulty nodes as possible."""
        faulty = self.fair.faulty
        if faulty is None:
            faulty = max(0, self._faulty_max(nodes))
        of = self.fair.core()
        kept = {key: of[key] for key in ("report_ns", "extraction")}
        return kept | {"gamma_permille": self._gamma_permille, "faulty": faulty}

    @property
    def _gamma_permille(self) -> int:
        """γ in thousandths, the core's unit."""
        return nearest(self.fair.gamma * 1e3)

    def _faulty_max(self, nodes: int) -> int:
        """The most faulty nodes that a fair order among `nodes` tolerates; −1: none is possible."""
        if self.order == "median":  # n > 3f
            return (nodes - 1) // 3
        # n(2γ − 1) > 4f
        return (nodes * (2 * self._gamma_permille - 1000) - 1) // 4000

    def check_faulty(self, nodes: int) -> None:
        """Checks that a fair order among `nodes` nodes tolerates the requested number of faulty
        ones.

        Raises:
            ValueError: it does not.
        """
        faulty = self.fair.faulty or 0
        if self.is_fair and faulty > self._faulty_max(nodes):
            law = "n > 3f" if self.order == "median" else "n(2γ − 1) > 4f"
            raise ValueError(
                f"layer.queue.fair.faulty: {nodes} nodes cannot order fairly if {faulty} are "
                f"faulty: `{self.order}` needs {law}. Give more nodes or fewer faulty ones"
            )
