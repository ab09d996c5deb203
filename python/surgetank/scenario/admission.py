"""`[layer.admission]`: rules of admission at gateways."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Annotated, Any, Literal, Self

from pydantic import Field, model_validator

from surgetank.scenario.section import (
    COUNT_MAX,
    NEVER,
    BoundedS,
    Count,
    FeeUsd,
    NonNegative,
    Positive,
    PositiveFeeUsd,
    PositiveS,
    Section,
    SpanMs,
    Whole,
    nearest,
)

Burst = Annotated[Whole, Field(ge=1, le=10_000_000)]


class Rate(Section):
    """A token bucket: rate and burst."""

    per_s: Positive = Field(10.0, ge=0.001, description="sustained rate, messages a second")
    burst: Burst = Field(20, description="burst, messages")

    def core(self) -> dict[str, Any]:
        """The section as the core reads it: rates per thousand seconds, so that rates down to
        0.001/s can be given."""
        return {"burst": self.burst, "tokens": nearest(self.per_s * 1e3), "span_ns": 10**12}


class Quota(Section):
    """Requests that are earned by trading (Hyperliquid's address limits)."""

    initial: Whole = Field(10_000, ge=0, description="requests that every account has at the start")
    per_usd: NonNegative = Field(1.0, description="requests earned per USD traded")
    cancels_extra: Whole = Field(
        100_000, ge=0, description="cancels are admitted up to min(limit + this, 2 · limit)"
    )
    trickle_s: PositiveS = Field(
        10.0, description="beyond the limit, one request is admitted per this many seconds"
    )


class NoPrice(Section):
    """No price: any bid is admitted."""

    kind: Literal["none"] = "none"

    def core(self) -> dict[str, Any]:
        """As the core reads it."""
        return {"kind": "fixed", "fee_micros": 0}


Unit = Literal["messages", "service-us"]


class Eip1559(Section):
    """A base fee that each block moves by at most 1/8 (EIP-1559)."""

    kind: Literal["eip1559"] = "eip1559"
    fee_min_usd: PositiveFeeUsd = Field(0.001, le=1_000, description="least base fee, USD")
    block_work: Whole = Field(
        200, ge=2, description="work of a full block; half of it is the target"
    )
    block_ms: SpanMs = Field(
        500.0, description="a block later than this counts as empty, ms; 0 = never"
    )
    unit: Unit = Field("messages", description="unit of work: messages, or µs of execution")

    def core(self) -> dict[str, Any]:
        """As the core reads it."""
        data = super().core()
        return data | {"block_ns": data["block_ns"] or NEVER}


class PriceWindow(Section):
    """A target rate, and the time scale on which the price responds to exceeding it."""

    target_per_s: Whole = Field(ge=1, description="target rate, work per second")
    window_s: BoundedS = Field(
        ge=1e-9,
        le=1e6,
        description="the price grows by a factor e when the backlog reaches this much time of the"
        " target rate, seconds",
    )


class Backlog(Section):
    """The exponential of several backlogs (Nitro's multi-window price): a circuit breaker."""

    kind: Literal["backlog"] = "backlog"
    fee_min_usd: PositiveFeeUsd = Field(0.001, le=1_000, description="fee without a backlog, USD")
    windows: list[PriceWindow] = Field(
        default_factory=lambda: [
            PriceWindow(target_per_s=500, window_s=2.0),
            PriceWindow(target_per_s=200, window_s=30.0),
        ],
        min_length=1,
        description="pairs of a target rate and a time scale, whose backlogs are added",
    )
    degree: Whole = Field(
        4, ge=1, le=40, description="degree of the polynomial that approximates the exponential"
    )
    unit: Unit = Field("messages", description="unit of work: messages, or µs of execution")


Price = Annotated[NoPrice | Eip1559 | Backlog, Field(discriminator="kind")]


class Admission(Section):
    """Which messages are admitted, at a client's gateway and by the proposer. By default all."""

    policy: Literal["none", "rates", "quota"] = Field(
        "none", description="how an account's orders and cancels are limited"
    )
    orders: Rate = Field(
        default_factory=Rate,
        description="limit on orders and replaces of an account, under `rates`",
    )
    cancels_shared: bool = Field(
        False,
        description="whether cancels count against the orders' limit (a common error), under "
        "`rates`",
    )
    cancels: Rate = Field(
        default_factory=lambda: Rate(per_s=50.0, burst=100),
        description="limit on cancels of an account, under `rates`",
    )
    quota: Quota = Field(default_factory=Quota, description="the quota, under `quota`")
    reducing: Literal["exempt", "own", "reserved"] = Field(
        "exempt",
        description="how price updates, liquidation orders and reduce-only orders are limited: "
        "not at all, by a limit of their own, or by a share reserved at the gateway",
    )
    reducing_rate: Rate = Field(
        default_factory=lambda: Rate(per_s=100.0, burst=200),
        description="limit on these messages, of an account (`own`) or of the gateway (`reserved`)",
    )
    accounts_max: Whole = Field(
        100_000, ge=1, description="accounts that a gateway keeps state for"
    )
    limit: Count = Field(
        0,
        description="orders are refused while this many messages wait at the node that orders; 0 "
        "= never, or from `layer.tuning.bounds.limit_most` on until a controller decides",
    )
    price: Price = Field(
        default_factory=NoPrice, description="price that a message must bid to be admitted"
    )
    relief: Literal["none", "capped", "exempt"] = Field(
        "exempt",
        description="what cancels and risk-reducing messages pay: the price, at most a cap, or "
        "nothing",
    )
    relief_cap_usd: FeeUsd = Field(0.01, le=1_000, description="the cap, under `capped`, USD")
    expires_blocks: Count = Field(
        0,
        description="an order expires this many blocks after the last block that its gateway had "
        "executed; 0 = never",
    )
    remember_cancels: bool = Field(
        False, description="whether a cancel also holds for an order that arrives after it"
    )
    remember_blocks: Whole = Field(
        20, ge=1, description="blocks for which a cancel is remembered, where orders never expire"
    )
    remember_max: Whole = Field(100_000, ge=1, description="most cancels that are remembered")

    @property
    def admits_all(self) -> bool:
        """Whether every message is admitted at the gate."""
        asked = self.policy != "none" or self.price.kind != "none" or self.remember_cancels
        return not (asked or self.limit or self.expires_blocks)

    def core(self) -> dict[str, Any]:
        """As the core reads it."""
        of = super().core()
        unit = of["price"].pop("unit", "messages")
        cancel_memory = {
            "capacity": self.remember_max,
            "horizon": self.expires_blocks or self.remember_blocks,
        }
        gate = {
            "budgets": self._budgets(of),
            "price": of["price"],
            "relief": {"capped": of["relief_cap_micros"]}
            if self.relief == "capped"
            else self.relief,
            "cancel_memory": cancel_memory if self.remember_cancels else None,
        }
        node = {
            "gate": gate,
            "unit": unit,
            "limit": self.limit or COUNT_MAX,
            "expires": self.expires_blocks > 0,
        }
        return {
            "node": node,
            "expires_blocks": self.expires_blocks,
            "earned_per_usd": self.quota.per_usd if self.policy == "quota" else None,
        }

    def _budgets(self, of: Mapping[str, Any]) -> dict[str, Any] | None:
        """Per account; None: no rate is limited."""
        trickle = {"burst": 1, "tokens": 1, "span_ns": of["quota"]["trickle_ns"]}
        policies: dict[str, dict[str, Any]] = {
            "rates": {
                "orders": of["orders"],
                "cancels": "shared" if self.cancels_shared else {"own": of["cancels"]},
            },
            "quota": {
                "initial": self.quota.initial,
                "cancels_extra": self.quota.cancels_extra,
                "trickle": trickle,
            },
        }
        if self.policy not in policies:
            return None
        limited = {self.reducing: of["reducing_rate"]}
        return {
            "policy": {"kind": self.policy, **policies[self.policy]},
            "reducing": "exempt" if self.reducing == "exempt" else limited,
            "accounts_max": self.accounts_max,
        }

    @model_validator(mode="after")
    def _relief_needs_price(self) -> Self:
        if self.relief == "capped" and self.price.kind == "none":
            raise ValueError("`relief` capped needs a `price`")
        return self
