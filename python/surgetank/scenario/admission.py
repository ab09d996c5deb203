"""`[layer.admission]`: who is let in."""

from __future__ import annotations

from typing import Annotated, Literal, Self

from pydantic import Field, model_validator

from surgetank.scenario.section import (
    Count,
    NonNegative,
    Positive,
    PositiveS,
    Section,
    SpanMs,
    Whole,
)

Burst = Annotated[Whole, Field(ge=1, le=10_000_000)]


class Rate(Section):
    """A rate, and what may be saved up."""

    per_s: Positive = Field(10.0, ge=0.001, description="messages a second in the long run")
    burst: Burst = Field(20, description="messages at once")


class Quota(Section):
    """Requests that are earned by trading (Hyperliquid's address limits)."""

    initial: Whole = Field(10_000, ge=0, description="requests that every account starts with")
    per_usd: NonNegative = Field(1.0, description="requests earned per USD traded")
    cancels_extra: Whole = Field(
        100_000, ge=0, description="cancels go on to min(limit + this, 2 · limit)"
    )
    trickle_s: PositiveS = Field(10.0, description="beyond, one request per so many seconds")


class NoPrice(Section):
    """Nothing has to be bid."""

    kind: Literal["none"] = "none"


Unit = Literal["messages", "service-us"]


class Eip1559(Section):
    """A base fee that each block moves by at most 1/8 (EIP-1559)."""

    kind: Literal["eip1559"] = "eip1559"
    fee_min_usd: Positive = Field(0.001, le=1_000, description="least base fee, USD")
    block_work: Whole = Field(
        200, ge=2, description="work of a full block; half of it is the target"
    )
    block_ms: SpanMs = Field(
        500.0, description="a block that is later counts as empty, ms; 0 = never"
    )
    unit: Unit = Field("messages", description="what is counted: messages, µs of execution")


class PriceWindow(Section):
    """A target rate, and the time scale on which going above it is felt."""

    target_per_s: Whole = Field(ge=1, description="work a second")
    window_s: PositiveS = Field(
        le=1e6, description="the price grows e-fold when the backlog is worth this long, seconds"
    )


class Backlog(Section):
    """The exponential of several backlogs (Nitro's multi-window price): a circuit breaker."""

    kind: Literal["backlog"] = "backlog"
    fee_min_usd: Positive = Field(0.001, le=1_000, description="fee without a backlog, USD")
    windows: list[PriceWindow] = Field(
        default_factory=lambda: [
            PriceWindow(target_per_s=500, window_s=2.0),
            PriceWindow(target_per_s=200, window_s=30.0),
        ],
        min_length=1,
        description="target rates and time scales",
    )
    degree: Whole = Field(4, ge=1, le=40, description="of the exponential's polynomial")
    unit: Unit = Field("messages", description="what is counted: messages, µs of execution")


Price = Annotated[NoPrice | Eip1559 | Backlog, Field(discriminator="kind")]


class Admission(Section):
    """Who is let in: at a client's gateway, and by whoever makes blocks. By default everybody."""

    policy: Literal["none", "rates", "quota"] = Field(
        "none", description="how an account's orders and cancels are limited"
    )
    orders: Rate = Field(
        default_factory=Rate, description="orders and replaces of an account, `rates`"
    )
    cancels_shared: bool = Field(
        False, description="cancels use up the orders' rate (the pitfall), `rates`"
    )
    cancels: Rate = Field(
        default_factory=lambda: Rate(per_s=50.0, burst=100),
        description="cancels of an account, `rates`",
    )
    quota: Quota = Field(default_factory=Quota, description="under `quota`")
    reducing: Literal["exempt", "own", "reserved"] = Field(
        "exempt", description="how price updates, liquidation orders and reduce-only are limited"
    )
    reducing_rate: Rate = Field(
        default_factory=lambda: Rate(per_s=100.0, burst=200),
        description="of an account (own), or a share of the gate (reserved)",
    )
    accounts_max: Whole = Field(100_000, ge=1, description="accounts that a gate knows at a time")
    limit: Count = Field(
        0, description="orders are refused while so many messages wait at who orders; 0 = never"
    )
    price: Price = Field(default_factory=NoPrice, description="what a message must bid")
    relief: Literal["none", "capped", "exempt"] = Field(
        "exempt", description="what cancels and risk-reducing messages pay of it"
    )
    relief_cap_usd: NonNegative = Field(0.01, le=1_000, description="under `capped`, USD")
    expires_blocks: Count = Field(
        0, description="orders are void so many blocks after their client's last one; 0 = never"
    )
    remember_cancels: bool = Field(
        False, description="cancels also hold for orders that come after them"
    )
    remember_blocks: Whole = Field(
        20, ge=1, description="for so many blocks, where orders never expire"
    )
    remember_max: Whole = Field(100_000, ge=1, description="cancels remembered at a time")

    @model_validator(mode="after")
    def _relief_needs_price(self) -> Self:
        if self.relief == "capped" and self.price.kind == "none":
            raise ValueError("`relief` capped needs a `price`")
        return self
