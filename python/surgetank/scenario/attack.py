"""`[attack]`: the kind of attack and its settings. Gains and losses are in USD.

A kind is a class here, with its keys, and a file in `crates/lab/src/adversary`.
"""

from __future__ import annotations

from collections.abc import Mapping
from types import MappingProxyType
from typing import Annotated, Any, ClassVar, Final, Literal, get_args

from pydantic import Field

from surgetank.scenario.queue import ClassName
from surgetank.scenario.section import Count, FeeUsd, NonNegative, Positive, Section, Whole

__all__ = ["ATTACKS", "Attack", "Lasting", "NoAttack"]


class Lasting(Section):
    """An attack lasts from `at_s` for `duration_s`."""

    tests: ClassVar[str]
    """What the attack puts to the test, for docs/attacks.md."""
    accounts_needed: ClassVar[int] = 0
    """Number of the attacker's accounts, unless its key `accounts` says it."""
    trades: ClassVar[bool] = False
    """Whether it gains by trading, so that it needs a market."""
    needs_votes: ClassVar[bool] = False
    """Whether it needs validators that vote."""

    at_s: NonNegative = Field(0.0, description="begin, seconds")
    duration_s: Positive = Field(1e9, description="length, seconds")
    capital_usd: NonNegative = Field(
        1_000_000.0,
        le=1e12,
        description="capital of all of the attacker's accounts at the start, USD",
    )

    @property
    def nodes_named(self) -> list[tuple[str, int]]:
        """Every node that it names, and under which key."""
        one = getattr(self, "node", None)
        named = [] if one is None else [("node", one)]
        return named + [("nodes", node) for node in getattr(self, "nodes", [])]

    def core(self) -> dict[str, Any]:
        """As the core reads it: the number of accounts beside the keys of the kind."""
        data = super().core()
        return data | {"accounts": data["what"].pop("accounts", self.accounts_needed)}

    def _arranged(self, data: dict[str, Any]) -> dict[str, Any]:
        own = {key: data.pop(key) for key in ("at_s", "duration_s", "capital_usd")}
        return own | {"what": data}


class NoAttack(Lasting):
    """No attack is made."""

    tests = "the baseline"

    kind: Literal["none"] = "none"


class SpamAttack(Lasting):
    """One account floods the gateways with post-only bids at half the price (they fill only where
    market orders have no slippage limit)."""

    tests = "who is served under overload"
    accounts_needed = 1

    kind: Literal["spam"] = "spam"
    rate_per_s: Positive = Field(2_000.0, le=1e6, description="messages per second (Poisson)")


class Sybil(Lasting):
    """The same flood from many accounts."""

    tests = "shares by account"

    kind: Literal["sybil"] = "sybil"
    rate_per_s: Positive = Field(
        2_000.0, le=1e6, description="messages per second, of all accounts together"
    )
    accounts: Whole = Field(200, ge=1, le=100_000, description="how many accounts")


class CancelStorm(Lasting):
    """One account floods the gateways with cancels of orders that do not exist."""

    tests = "the cost of serving cancels first"
    accounts_needed = 1

    kind: Literal["cancel-storm"] = "cancel-storm"
    rate_per_s: Positive = Field(2_000.0, le=1e6, description="messages per second (Poisson)")


class Stampede(Lasting):
    """Background traders stop for `halt_s`, then all send at once."""

    tests = "the queue after a halt"

    kind: Literal["stampede"] = "stampede"
    halt_s: Positive = Field(5.0, description="length of the halt, seconds")
    messages: Whole = Field(5_000, ge=1, le=10_000_000, description="messages sent after the halt")
    within_ms: Positive = Field(500.0, description="time within which they are sent, ms")


class Reader(Lasting):
    """An attacker that reads orders before their execution."""

    trades = True
    accounts_needed = 1

    node: Count = Field(0, description="node at which the attacker reads messages")
    least_usd: NonNegative = Field(
        5_000.0, description="least size of an order that it attacks, USD"
    )
    size_usd: Positive = Field(20_000.0, description="size that it trades per order attacked, USD")
    fee_usd: FeeUsd = Field(0.5, le=4_000, description="fee that it bids, USD")


class Sandwich(Reader):
    """A node reads market orders as they pass, buys the best level before them and offers it below
    the next."""

    tests = "front-running from the network"

    kind: Literal["sandwich"] = "sandwich"


class Insider(Reader):
    """The same by the proposer at that node, with its own orders right before the victim."""

    tests = "front-running by the sequencer (or by a proposer, one block in n)"

    kind: Literal["insider"] = "insider"


class Grind(Reader):
    """As `sandwich`, choosing among many accounts the one whose drawn place comes first."""

    tests = "a drawn order whose seed is known in advance"

    kind: Literal["grind"] = "grind"
    accounts: Whole = Field(50, ge=1, le=10_000, description="accounts to choose from")


class Withhold(Lasting):
    """Commits to a purchase and a sale, and reveals the one that pays."""

    tests = "the option in commit–reveal, against its bond"
    trades = True
    accounts_needed = 2

    kind: Literal["withhold"] = "withhold"
    rate_per_s: Positive = Field(2.0, le=1e6, description="pairs per second (Poisson)")
    size_usd: Positive = Field(20_000.0, description="size of each order, USD")


class Racer(Lasting):
    """An attacker that takes the makers' stale quotes when the outside price has moved."""

    trades = True
    accounts_needed = 1

    move_bp: Positive = Field(
        5.0, description="move of the outside price on which it acts, basis points"
    )
    size_usd: Positive = Field(50_000.0, description="size that it takes each time, USD")
    link_ms: NonNegative = Field(0.1, description="its own client link, one way, ms")
    fee_usd: FeeUsd = Field(0.0, le=4_000, description="fee that it bids, USD")
    lane_usd: NonNegative = Field(
        20.0, description="value of a round of the express lane to it, USD"
    )


class LatencyRace(Racer):
    """Takes makers' stale quotes when the outside price moves, over a short link; bids for the
    express lane."""

    tests = "speed"

    kind: Literal["latency-race"] = "latency-race"


class FeeJump(Racer):
    """The same over a long link, with a fee."""

    tests = "queue-jumping by fee"

    kind: Literal["fee-jump"] = "fee-jump"
    link_ms: NonNegative = Field(20.0, description="its own client link, one way, ms")
    fee_usd: FeeUsd = Field(1.0, le=4_000, description="fee that it bids, USD")
    lane_usd: NonNegative = Field(
        0.0, description="value of a round of the express lane to it, USD"
    )


class Censor(Lasting):
    """Nodes leave a class of messages out of their blocks and, with `votes`, vote for no block that
    has it."""

    tests = "censorship by a proposer, or by a third of the votes"

    kind: Literal["censor"] = "censor"
    node: Count = Field(0, description="which node")
    class_: ClassName = Field(
        "liquidation-order", alias="class", description="class that it censors"
    )
    nodes: list[Count] = Field(default_factory=list, description="further nodes that censor")
    votes: bool = Field(
        False, description="whether they withhold their votes from blocks that have the class"
    )

    def _arranged(self, data: dict[str, Any]) -> dict[str, Any]:
        """Without the keys that have their defaults, so that scenarios keep their hashes."""
        for key in ("nodes", "votes"):
            if not data[key]:
                del data[key]
        return super()._arranged(data)


class Equivocate(Lasting):
    """Validators propose two blocks for the same height and round, one to each half of the others,
    and vote for both."""

    tests = "agreement among the others, and its detection"
    needs_votes = True

    kind: Literal["equivocate"] = "equivocate"
    nodes: list[Count] = Field(
        default_factory=lambda: [0], min_length=1, description="which validators"
    )


class _OfValidators(Lasting):
    """Misbehaviour of validators that the attacker holds."""

    needs_votes = True

    nodes: list[Count] = Field(
        default_factory=lambda: [0], min_length=1, description="which validators"
    )


class Mute(Lasting):
    """Nodes take part in gossip, announce messages, and pass none on."""

    tests = "gossip among sybils: eclipse, cold boot, covert flash"

    kind: Literal["mute"] = "mute"
    nodes: list[Count] = Field(default_factory=lambda: [0], min_length=1, description="which nodes")


class WithholdVotes(_OfValidators):
    """Validators propose, and say nothing else of their own: no vote, no timeout."""

    tests = "quorums without the attacker's votes"

    kind: Literal["withhold-votes"] = "withhold-votes"


class LateProposal(_OfValidators):
    """Validators publish their proposals late, to see more orders before they choose."""

    tests = "proposers that use the others' patience"

    kind: Literal["late-proposal"] = "late-proposal"
    extra_ms: Positive = Field(500.0, description="delay of a proposal, ms")


Attack = Annotated[
    NoAttack
    | SpamAttack
    | Sybil
    | CancelStorm
    | Stampede
    | Sandwich
    | Insider
    | Grind
    | Withhold
    | LatencyRace
    | FeeJump
    | Censor
    | Equivocate
    | Mute
    | WithholdVotes
    | LateProposal,
    Field(discriminator="kind"),
]
ATTACKS: Final[Mapping[str, type[Lasting]]] = MappingProxyType(
    {section.model_fields["kind"].default: section for section in get_args(get_args(Attack)[0])}
)
"""Every kind's section, by its name in a scenario."""
