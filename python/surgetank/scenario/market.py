"""`[market]`: what messages mean."""

from __future__ import annotations

from typing import Annotated, Literal, Self

from pydantic import Field, model_validator

from surgetank.scenario.section import NonNegative, Number, Positive, Section, Share, Whole


class Gbm(Section):
    """Geometric Brownian motion with Merton's jumps."""

    kind: Literal["gbm"] = "gbm"
    start_usd: Positive = Field(description="price at the start, USD")
    volatility: NonNegative = Field(1.0, description="σ per √year")
    drift: Number = Field(0.0, description="ν, drift of the log price per year")
    jumps_per_day: NonNegative = Field(0.0, description="mean number of jumps a day")
    jump_mean: Number = Field(0.0, description="mean log jump")
    jump_sd: NonNegative = Field(0.0, description="standard deviation of the log jump")


class Points(Section):
    """Given points, log-linear between them, with a Brownian bridge between each two."""

    kind: Literal["points"] = "points"
    at_s: list[NonNegative] = Field(min_length=1, description="times, seconds, rising")
    price_usd: list[Positive] = Field(min_length=1, description="prices at these times, USD")
    volatility: NonNegative = Field(0.0, description="σ per √year of the bridge")

    @model_validator(mode="after")
    def _fit(self) -> Self:
        if len(self.at_s) != len(self.price_usd):
            raise ValueError("`at_s` and `price_usd` must be equally long")
        if any(b <= a for a, b in zip(self.at_s, self.at_s[1:], strict=False)):
            raise ValueError("`at_s` must rise")
        return self


class TapePath(Section):
    """The tape's recorded prices."""

    kind: Literal["tape"] = "tape"


PricePath = Annotated[Gbm | Points | TapePath, Field(discriminator="kind")]


class Price(Section):
    """The outside (index) price."""

    path: PricePath = Field(
        default_factory=lambda: Gbm(start_usd=50_000.0), description="where it comes from"
    )
    step_ms: Positive = Field(50.0, description="step of the price process, ms")
    impact_bp_per_musd: NonNegative = Field(
        0.0, description="lasting move per 1 M USD that liquidations trade, basis points"
    )
    feed: Literal["messages", "block"] = Field(
        "messages",
        description="how the venue learns it: oracles' messages, or every block brings it",
    )


class Margin(Section):
    """Margin and liquidation."""

    mode: Literal["isolated", "cross"] = Field("isolated", description="what backs a position")
    initial: Number = Field(0.05, gt=0, le=1, description="initial margin over notional")
    maintenance: Number = Field(0.03, gt=0, lt=1, description="maintenance margin over notional")
    liquidation_fee_bp: NonNegative = Field(0.0, description="fee to the insurance fund, bp")
    taker_fee_bp: NonNegative = Field(0.0, description="taker fee, bp")
    liquidation_share: Number = Field(
        1.0, gt=0, le=1, description="share of a position that one liquidation order closes"
    )
    close_out: Literal["book", "oracle"] = Field(
        "book",
        description="where liquidations close: on the book, or in full at the mark against a "
        "liquidator who hedges outside",
    )
    close_out_bp: Number = Field(
        0.0, ge=0, lt=10_000, description="with `oracle`: how much worse than the mark, bp"
    )
    insurance_usd: NonNegative = Field(1_000_000.0, description="insurance fund at the start, USD")
    late_after_ms: NonNegative = Field(
        2_000.0, description="a liquidation is late this long after the account became due, ms"
    )

    @model_validator(mode="after")
    def _in_order(self) -> Self:
        if self.maintenance >= self.initial:
            raise ValueError("`maintenance` must be below `initial`")
        return self


class Positions(Section):
    """Positions at the start; the other side is held unlevered by a tenth as many accounts."""

    count: Whole = Field(500, ge=0, le=1_000_000, description="leveraged accounts")
    notional_usd: Positive = Field(20_000.0, description="mean notional (exponential), USD")
    leverage_min: Number = Field(2.0, ge=1, description="least leverage")
    leverage_max: Number = Field(20.0, ge=1, description="most leverage")
    long_share: Share = Field(0.7, description="share of them that are long")
    buffer_min: Share = Field(
        1.0,
        description="equity above maintenance is a uniform share, from this to 1, of what a "
        "position just opened has (as if the price had moved since)",
    )

    @model_validator(mode="after")
    def _in_order(self) -> Self:
        if self.leverage_max < self.leverage_min:
            raise ValueError("`leverage_max` must not be below `leverage_min`")
        return self


class Market(Section):
    """One linear perpetual and those who hold it."""

    tick_usd: Positive = Field(0.1, description="smallest price step, USD")
    lot: Positive = Field(0.001, description="smallest quantity, coins")
    price: Price = Field(default_factory=Price, description="the outside price")
    mark: Literal["oracle", "median"] = Field(
        "oracle", description="how positions are marked: last oracle price, or Hyperliquid's median"
    )
    margin: Margin = Field(default_factory=Margin, description="margin and liquidation")
    positions: Positions = Field(default_factory=Positions, description="who holds what at first")

    @model_validator(mode="after")
    def _leverage_allowed(self) -> Self:
        most = 1 / self.margin.initial
        if self.positions.leverage_max > most * (1 + 1e-9):
            raise ValueError(
                f"`positions.leverage_max` {self.positions.leverage_max:g} exceeds what "
                f"`margin.initial` allows, {most:g}"
            )
        return self
