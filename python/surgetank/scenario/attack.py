"""`[attack]`: the kind of attack and its settings. Gains and losses are in USD."""

from __future__ import annotations

from typing import Annotated, Any, Literal, get_args

from pydantic import Field

from surgetank.scenario.queue import ClassName
from surgetank.scenario.section import Count, FeeUsd, NonNegative, Positive, Section, Whole


class Lasting(Section):
    """An attack lasts from `at_s` for `duration_s`."""

    at_s: NonNegative = Field(0.0, description="begin, seconds")
    duration_s: Positive = Field(1e9, description="length, seconds")
    capital_usd: NonNegative = Field(
        1_000_000.0,
        le=1e12,
        description="capital of all of the attacker's accounts at the start, USD",
    )

    def _arranged(self, data: dict[str, Any]) -> dict[str, Any]:
        own = {key: data.pop(key) for key in ("at_s", "duration_s", "capital_usd")}
        return own | {"what": data}


class NoAttack(Lasting):
    """No attack is made."""

    kind: Literal["none"] = "none"


class SpamAttack(Lasting):
    """One account floods the gateways with post-only orders far from the market."""

    kind: Literal["spam"] = "spam"
    rate_per_s: Positive = Field(2_000.0, le=1e6, description="messages per second (Poisson)")


class Sybil(Lasting):
    """The same flood from many accounts."""

    kind: Literal["sybil"] = "sybil"
    rate_per_s: Positive = Field(
        2_000.0, le=1e6, description="messages per second, of all accounts together"
    )
    accounts: Whole = Field(200, ge=1, le=100_000, description="how many accounts")


class CancelStorm(Lasting):
    """One account floods the gateways with cancels of orders that do not exist."""

    kind: Literal["cancel-storm"] = "cancel-storm"
    rate_per_s: Positive = Field(2_000.0, le=1e6, description="messages per second (Poisson)")


class Stampede(Lasting):
    """Background traders stop for a while, then all send at once."""

    kind: Literal["stampede"] = "stampede"
    halt_s: Positive = Field(5.0, description="length of the halt, seconds")
    messages: Whole = Field(5_000, ge=1, le=10_000_000, description="messages sent after the halt")
    within_ms: Positive = Field(500.0, description="time within which they are sent, ms")


class Reader(Lasting):
    """An attacker that reads orders before their execution."""

    node: Count = Field(0, description="node at which the attacker reads messages")
    least_usd: NonNegative = Field(
        5_000.0, description="least size of an order that it attacks, USD"
    )
    size_usd: Positive = Field(20_000.0, description="size that it trades per order attacked, USD")
    fee_usd: FeeUsd = Field(0.5, le=4_000, description="fee that it bids, USD")


class Sandwich(Reader):
    """A node reads market orders as they pass, and trades before and after them."""

    kind: Literal["sandwich"] = "sandwich"


class Insider(Reader):
    """The same by the proposer at that node, which places its own orders as it likes."""

    kind: Literal["insider"] = "insider"


class Grind(Reader):
    """As `sandwich`, choosing among many accounts the one whose drawn place comes first."""

    kind: Literal["grind"] = "grind"
    accounts: Whole = Field(50, ge=1, le=10_000, description="accounts to choose from")

    def core(self) -> dict[str, Any]:
        """The section as the core reads it, with the settings of the reader in a table of their
        own."""
        data = super().core()
        reader = data["what"]
        own = {key: reader.pop(key) for key in ("kind", "accounts")}
        return data | {"what": own | {"reader": reader}}


class Withhold(Lasting):
    """Commits to a purchase and a sale, and reveals the one that pays."""

    kind: Literal["withhold"] = "withhold"
    rate_per_s: Positive = Field(2.0, le=1e6, description="pairs per second (Poisson)")
    size_usd: Positive = Field(20_000.0, description="size of each order, USD")


class Racer(Lasting):
    """An attacker that takes the makers' stale quotes when the outside price has moved."""

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
    """Takes the makers' stale quotes when the outside price moves."""

    kind: Literal["latency-race"] = "latency-race"


class FeeJump(Racer):
    """The same over a long link, with a fee."""

    kind: Literal["fee-jump"] = "fee-jump"
    link_ms: NonNegative = Field(20.0, description="its own client link, one way, ms")
    fee_usd: FeeUsd = Field(1.0, le=4_000, description="fee that it bids, USD")
    lane_usd: NonNegative = Field(
        0.0, description="value of a round of the express lane to it, USD"
    )


class Censor(Lasting):
    """A node leaves messages out of its blocks."""

    kind: Literal["censor"] = "censor"
    node: Count = Field(0, description="which node")
    class_: ClassName = Field(
        "liquidation-order", alias="class", description="class that it censors"
    )


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
    | Censor,
    Field(discriminator="kind"),
]
ATTACKS: tuple[str, ...] = tuple(
    str(one.model_fields["kind"].default) for one in get_args(get_args(Attack)[0])
)
#: Attacks that gain by trading.
TRADING = ("sandwich", "insider", "grind", "withhold", "latency-race", "fee-jump")
