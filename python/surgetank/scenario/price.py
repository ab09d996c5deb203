"""Outside (index) prices: `[market.price]`, and `price` of `[[market.perpetuals]]`."""

from __future__ import annotations

from typing import Annotated, Literal, Self

from pydantic import Field, model_validator

from surgetank.scenario.section import NonNegative, Number, Positive, PositiveMs, Section

__all__ = ["FurtherPrice", "Price"]


class Gbm(Section):
    """Geometric Brownian motion with Merton's jumps."""

    kind: Literal["gbm"] = "gbm"
    start_usd: Positive = Field(description="price at the start, USD")
    volatility: NonNegative = Field(1.0, le=1_000, description="σ per √year")
    drift: Number = Field(0.0, description="ν, drift of the log price per year")
    jumps_per_day: NonNegative = Field(0.0, description="mean number of jumps a day")
    jump_mean: Number = Field(0.0, description="mean log jump")
    jump_sd: NonNegative = Field(0.0, description="standard deviation of the log jump")


class Points(Section):
    """Given points, log-linear between them, with a Brownian bridge between each two."""

    kind: Literal["points"] = "points"
    at_s: list[NonNegative] = Field(min_length=1, description="times, seconds, rising")
    price_usd: list[Positive] = Field(min_length=1, description="prices at these times, USD")
    volatility: NonNegative = Field(0.0, le=1_000, description="σ per √year of the bridge")

    @model_validator(mode="after")
    def _fit(self) -> Self:
        if len(self.at_s) != len(self.price_usd):
            raise ValueError("`at_s` and `price_usd` must be equally long")
        if any(b <= a for a, b in zip(self.at_s, self.at_s[1:], strict=False)):
            raise ValueError("`at_s` must rise")
        return self


class Follows(Section):
    """The first perpetual's log return times β, with diffusion and jumps of its own: the
    correlation of log returns is βσ₁ / √(β²σ₁² + σ²), σ₁ being the first's."""

    kind: Literal["follows"] = "follows"
    start_usd: Positive = Field(description="price at the start, USD")
    beta: Number = Field(1.0, description="β, log return per log return of the first perpetual")
    volatility: NonNegative = Field(0.0, le=1_000, description="σ of its own diffusion, per √year")
    jumps_per_day: NonNegative = Field(0.0, description="mean number of its own jumps a day")
    jump_mean: Number = Field(0.0, description="mean log jump of its own")
    jump_sd: NonNegative = Field(0.0, description="standard deviation of its own log jump")


class TapePath(Section):
    """Prices recorded on the tape."""

    kind: Literal["tape"] = "tape"


PricePath = Annotated[Gbm | Points | TapePath, Field(discriminator="kind")]
#: A tape has the prices of one market, the first.
FurtherPath = Annotated[Gbm | Points | Follows, Field(discriminator="kind")]


class Price(Section):
    """The outside (index) price."""

    path: PricePath = Field(
        default_factory=lambda: Gbm(start_usd=50_000.0), description="source of the outside price"
    )
    step_ms: PositiveMs = Field(50.0, description="step of the price process, ms")
    impact_bp_per_musd: NonNegative = Field(
        0.0, description="permanent price impact per 1 M USD of liquidation trades, basis points"
    )
    feed: Literal["messages", "block"] = Field(
        "messages",
        description="how the venue receives the outside price: in oracles' messages, or with "
        "every block",
    )


class FurtherPrice(Section):
    """The outside price of a further perpetual; its step and feed are the first's."""

    path: FurtherPath = Field(description="source of the outside price")
    impact_bp_per_musd: NonNegative = Field(
        0.0,
        description="permanent impact on this price per 1 M USD of liquidation trades in this "
        "market, basis points",
    )
