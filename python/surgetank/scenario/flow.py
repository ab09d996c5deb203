"""`[flow]`: messages arriving."""

from __future__ import annotations

from itertools import pairwise
from typing import Annotated, Final, Literal, Self

from pydantic import Field, model_validator

from surgetank.scenario.section import (
    Count,
    FeeUsd,
    NonNegative,
    Number,
    Positive,
    PositiveMs,
    Section,
    SpanMs,
    Whole,
)

#: Bytes of the longest encoding of a client's message, a cancel-replace (crates/layer/src/codec).
ENCODED_BYTES_MAX: Final = 52


class NoArrivals(Section):
    """No background messages."""

    kind: Literal["none"] = "none"


class Deterministic(Section):
    """A message every 1/rate seconds."""

    kind: Literal["deterministic"] = "deterministic"
    rate_per_s: Positive = Field(description="messages per second")


class Poisson(Section):
    """Independent exponential gaps."""

    kind: Literal["poisson"] = "poisson"
    rate_per_s: Positive = Field(description="mean messages per second, λ")


class Hawkes(Section):
    """Self-exciting: intensity μ + Σ n·β·exp(−β(t−tᵢ)), mean rate μ/(1−n)."""

    kind: Literal["hawkes"] = "hawkes"
    rate_per_s: Positive = Field(description="mean messages per second, μ/(1−n)")
    branching: Number = Field(
        ge=0, lt=1, description="branching ratio n: messages that one message causes, on average"
    )
    decay_per_s: Positive = Field(description="decay β of the excitation, per second")


class Mmpp(Section):
    """Markov-modulated Poisson: states follow each other cyclically."""

    kind: Literal["mmpp"] = "mmpp"
    rates_per_s: list[NonNegative] = Field(min_length=1, description="rate of each state")
    dwell_s: list[Positive] = Field(min_length=1, description="mean stay in each state, seconds")

    @model_validator(mode="after")
    def _as_many(self) -> Self:
        if len(self.rates_per_s) != len(self.dwell_s):
            raise ValueError("`rates_per_s` and `dwell_s` must be equally long")
        return self


Arrivals = Annotated[
    NoArrivals | Deterministic | Poisson | Hawkes | Mmpp, Field(discriminator="kind")
]


def mean_rate_per_s(arrivals: Arrivals) -> float:
    """Mean rate of the arrivals, messages per second; of a Markov-modulated process its states are
    weighted by the stays."""
    if isinstance(arrivals, NoArrivals):
        return 0.0
    if isinstance(arrivals, Mmpp):
        pairs = zip(arrivals.rates_per_s, arrivals.dwell_s, strict=True)
        return sum(rate * stay for rate, stay in pairs) / sum(arrivals.dwell_s)
    return arrivals.rate_per_s


class Constant(Section):
    """A factor of 1."""

    kind: Literal["constant"] = "constant"


class Window(Section):
    """A multiplier between two times."""

    from_s: NonNegative = Field(description="begin, seconds")
    until_s: Positive = Field(description="end, seconds")
    factor: NonNegative = Field(description="multiplier of the arrival rate")

    @model_validator(mode="after")
    def _in_order(self) -> Self:
        if self.until_s <= self.from_s:
            raise ValueError("`until_s` must be after `from_s`")
        return self


class Ramp(Window):
    """From 1 linearly to `factor`, and `factor` from then on."""

    kind: Literal["ramp"] = "ramp"


class Step(Window):
    """`factor` inside the window, 1 outside."""

    kind: Literal["step"] = "step"


class Spike(Section):
    """Jumps to `factor` and decays back to 1."""

    kind: Literal["spike"] = "spike"
    at_s: NonNegative = Field(description="time of the jump, seconds")
    decay_s: Positive = Field(description="time constant of the decay, seconds")
    factor: Positive = Field(description="multiplier at the peak")


class Piecewise(Section):
    """Constant between given times: `factors[i]` from `from_s[i]` until the next one."""

    kind: Literal["piecewise"] = "piecewise"
    from_s: list[NonNegative] = Field(
        min_length=1, max_length=10_000, description="begin of each piece, seconds; the first is 0"
    )
    factors: list[NonNegative] = Field(description="multiplier of each piece")

    @model_validator(mode="after")
    def _fit(self) -> Self:
        if len(self.from_s) != len(self.factors):
            raise ValueError("`from_s` and `factors` must be equally long")
        if self.from_s[0] != 0:
            raise ValueError("`from_s` must begin with 0")
        if any(b <= a for a, b in pairwise(self.from_s)):
            raise ValueError("`from_s` must rise")
        return self

    @property
    def factor(self) -> float:
        """The largest multiplier."""
        return max(self.factors)


Profile = Annotated[Constant | Ramp | Step | Spike | Piecewise, Field(discriminator="kind")]


class Mix(Section):
    """Which kinds the background messages are: relative weights."""

    limit: NonNegative = Field(0.35, description="weight of resting limit orders")
    post_only: NonNegative = Field(0.10, description="weight of post-only orders")
    market: NonNegative = Field(0.05, description="weight of market orders")
    ioc: NonNegative = Field(0.05, description="weight of immediate-or-cancel orders")
    cancel: NonNegative = Field(0.30, description="weight of cancels")
    replace: NonNegative = Field(0.15, description="weight of cancel-replaces")
    order_usd: Positive = Field(5_000.0, description="mean notional of an order, USD")
    distance_bp: NonNegative = Field(
        20.0, description="mean distance of a limit price from the outside price, basis points"
    )

    @model_validator(mode="after")
    def _something(self) -> Self:
        weights = (self.limit, self.post_only, self.market, self.ioc, self.cancel, self.replace)
        if sum(weights) <= 0:
            raise ValueError("at least one weight must be positive")
        return self


class ClientLink(Section):
    """Between a client and its gateway, one way."""

    fixed_ms: SpanMs = Field(5.0, description="constant part of the delay, ms")
    jitter_ms: SpanMs = Field(2.0, description="mean of the exponential part, ms")


class Retry(Section):
    """Retries of refused clients."""

    tries_max: Whole = Field(
        0, ge=0, le=100, description="how often a refused message is sent again"
    )
    backoff_ms: PositiveMs = Field(
        200.0, le=1e7, description="wait before the first retry, doubled each time, ms"
    )


class Makers(Section):
    """Market makers: a ladder around the outside price, with inventory and capital of their own."""

    count: Count = Field(0, description="how many")
    levels: Whole = Field(5, ge=1, le=100, description="price levels per side")
    half_spread_bp: Positive = Field(
        3.0, description="distance of the best level from the outside price, bp"
    )
    step_bp: NonNegative = Field(4.0, description="distance between levels, bp")
    level_usd: Positive = Field(50_000.0, description="size of a level, USD")
    requote_bp: Positive = Field(
        3.0, description="move of the outside price that makes them requote, bp"
    )
    reaction_ms: SpanMs = Field(20.0, description="time from receiving a price to a decision, ms")
    fear: NonNegative = Field(
        0.0,
        description="share of its quoted size that a maker withdraws per 1 % move of the "
        "outside price in the last second",
    )
    post_only: bool = Field(True, description="whether their orders are post-only")
    requote: Literal["cancel-new", "replace"] = Field(
        "cancel-new",
        description="how they move a quote: cancel and a new order, or one cancel-replace",
    )
    capital_usd: Positive = Field(1_000_000.0, description="capital of each at the start, USD")
    loss_max: Number = Field(
        0.5, gt=0, le=1, description="a maker stops for good after losing this share of its capital"
    )
    inventory_usd: Positive = Field(
        500_000.0, description="position beyond which a maker quotes only to reduce it, USD"
    )
    skew_bp: NonNegative = Field(
        2.0, description="shift of both quotes at full inventory, in proportion to inventory, bp"
    )
    widen: NonNegative = Field(
        0.5,
        description="added to the half spread per bp move of the outside price in the last second",
    )
    pull_pct: NonNegative = Field(
        1.0,
        description="move of the outside price within the last second on which a maker cancels "
        "all its quotes, %; 0 = never",
    )
    stale_ms: SpanMs = Field(
        5_000.0,
        description="cancel all quotes after this time without an answer of the venue, ms; 0 = "
        "never",
    )


class Oracle(Section):
    """Oracles take turns to send the outside price."""

    count: Count = Field(0, description="how many; 0 = no price updates")
    interval_ms: PositiveMs = Field(1_000.0, description="interval of price updates, ms")
    observation_ms: SpanMs = Field(50.0, description="age of the price when sent, ms")


class Keepers(Section):
    """Keepers send liquidation orders at the price that they have received."""

    count: Count = Field(0, description="how many; each watches its share of the accounts")
    reaction_ms: SpanMs = Field(20.0, description="time from receiving a price to sending, ms")
    orders_max: Whole = Field(
        50, ge=1, description="most orders that a keeper sends per price received"
    )
    resend_ms: SpanMs = Field(2_000.0, description="time before an account is tried again, ms")
    watch: Literal["venue", "outside"] = Field(
        "venue",
        description="the price they look at: the venue's mark as it reaches them, or the outside "
        "price at each of its steps",
    )


class Panic(Section):
    """Traders who react to a moving price: half sell out, half pull orders."""

    rate_per_s_per_pct: NonNegative = Field(
        0.0, description="additional messages per second for each 1 % move of the outside price"
    )
    window_s: Number = Field(5.0, gt=0, le=60, description="look-back of that move, seconds")


class Fees(Section):
    """Fees that senders bid, where the rule or the price requires them."""

    background_usd: NonNegative = Field(
        0.01,
        le=100,
        description="bid of background traders, mean (exponential), USD; a bid may be 37 times the "
        "mean, and 4,294 USD is the largest that is counted",
    )
    maker_usd: FeeUsd = Field(0.02, le=1_000, description="bid of makers, USD")
    keeper_usd: FeeUsd = Field(0.5, le=1_000, description="bid of keepers, USD")
    oracle_usd: FeeUsd = Field(0.5, le=1_000, description="bid of oracles, USD")
    escalation: Number = Field(
        1.25, ge=1, le=10, description="factor by which a bid that was too low is raised at a retry"
    )
    max_usd: FeeUsd = Field(1.0, le=1_000, description="highest bid of a retry, USD")


class Flow(Section):
    """All senders of messages."""

    accounts: Whole = Field(500, ge=1, le=10_000_000, description="background traders")
    arrivals: Arrivals = Field(
        default_factory=lambda: Poisson(rate_per_s=100.0),
        description="arrival process of background messages",
    )
    profile: Profile = Field(
        default_factory=Constant, description="multiplier of the background rate over time"
    )
    mix: Mix = Field(default_factory=Mix, description="weights of the kinds of background messages")
    overhead_bytes: Count = Field(
        100, description="bytes on the wire beside the encoded message: signature and framing"
    )
    client_link: ClientLink = Field(
        default_factory=ClientLink, description="link between a client and its gateway"
    )
    retry: Retry = Field(default_factory=Retry, description="what clients do after a refusal")
    makers: Makers = Field(
        default_factory=Makers, description="market makers, who quote both sides of the book"
    )
    oracle: Oracle = Field(
        default_factory=Oracle, description="oracles, which send price updates to the venue"
    )
    keepers: Keepers = Field(
        default_factory=Keepers,
        description="keepers, which send liquidation orders for accounts that are due",
    )
    panic: Panic = Field(default_factory=Panic, description="traders who react to a moving price")
    fees: Fees = Field(default_factory=Fees, description="fees that senders bid")
    replay_messages: bool = Field(
        False, description="the tape's messages replace the background process (set by --tape)"
    )

    @property
    def message_bytes_max(self) -> int:
        """Size of the largest message on the wire."""
        return ENCODED_BYTES_MAX + self.overhead_bytes
