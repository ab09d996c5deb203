"""`[market.margin]`: margin rates, and how accounts below maintenance margin are liquidated."""

from __future__ import annotations

from typing import Literal, Self

from pydantic import Field, model_validator

from surgetank.scenario.section import (
    BasisPoints,
    MarketUsd,
    PositiveMarketUsd,
    PositivePpm,
    Ppm,
    Section,
    SpanMs,
    Whole,
)

__all__ = ["Margin", "Rates"]


class PerBlock(Section):
    """What a block may liquidate; the defaults are dYdX v4's."""

    position_share: PositivePpm = Field(0.1, description="largest share of one position")
    position_min_usd: MarketUsd = Field(
        1_000.0, description="notional of a position that may be liquidated in any case, USD"
    )
    account_usd: PositiveMarketUsd = Field(100_000.0, description="notional of one account, USD")
    account_insurance_usd: MarketUsd = Field(
        1_000_000.0, description="loss of the insurance fund by one account, USD"
    )
    attempts: Whole = Field(50, ge=1, description="most liquidation attempts")
    deleveraging_attempts: Whole = Field(10, ge=0, description="most positions deleveraged")


class Fillable(Section):
    """The worst price that a liquidation takes, as dYdX v4 has it: mark × (1 − `maintenance` ×
    spread × lacking), lacking = `bankruptcy_adjustment` × (1 − equity / requirement) up to 1."""

    bankruptcy_adjustment: Ppm = Field(
        1.0,
        ge=1,
        le=1_000,
        description="how fast the worst price moves away from the mark as equity falls",
    )
    spread_to_maintenance: Ppm = Field(
        1.5,
        ge=1e-6,
        le=1_000,
        description="largest distance of the worst price from the mark, in maintenance margins",
    )


class Partial(Section):
    """Large positions go in part first; the defaults are Hyperliquid's."""

    above_usd: MarketUsd = Field(
        100_000.0, description="notional above which a position is large, USD"
    )
    share: PositivePpm = Field(
        0.2, description="share of a large position that is liquidated first"
    )
    cooldown_ms: SpanMs = Field(
        30_000.0,
        description="time after a partial liquidation during which the account's positions are "
        "liquidated whole, ms",
    )


class Backstop(Section):
    """A vault takes position and margin over at the mark, past the book, as on Hyperliquid."""

    below: PositivePpm = Field(
        0.666667,
        description="equity over maintenance requirement below which the vault takes over",
    )
    vault_usd: MarketUsd = Field(
        100_000_000.0, description="capital of the vault at the start, USD"
    )


class Tier(Section):
    """Margin rates of the part of a position's notional above a bound, as of a Binance or
    Hyperliquid margin tier."""

    above_usd: PositiveMarketUsd = Field(
        description="notional at the mark above which the tier's rates hold, USD"
    )
    initial: PositivePpm = Field(description="initial margin over this part of notional")
    maintenance: PositivePpm = Field(description="maintenance margin over this part of notional")


class OpenInterestCap(Section):
    """Initial margin that grows with the market's open interest, as on dYdX v4."""

    lower_usd: MarketUsd = Field(description="open interest at which the growth begins, USD")
    upper_usd: PositiveMarketUsd = Field(
        description="open interest from which the initial margin is the whole notional, USD"
    )

    @model_validator(mode="after")
    def _in_order(self) -> Self:
        if self.upper_usd <= self.lower_usd:
            raise ValueError("`upper_usd` must be above `lower_usd`")
        return self


class Rates(Section):
    """Margin rates of a perpetual."""

    initial: PositivePpm = Field(0.05, description="initial margin over notional")
    maintenance: PositivePpm = Field(0.03, description="maintenance margin over notional")
    tiers: list[Tier] = Field(
        default=[],
        max_length=100,
        description="higher rates of the parts of notional above rising bounds; empty: the two "
        "rates above hold at any size",
    )
    open_interest: OpenInterestCap | None = Field(
        None, description="growth of the initial margin with open interest; absent: none"
    )

    def tiers_times(self, factor: float) -> list[dict[str, float]]:
        """The tiers as values of the key `tiers`, all rates times a factor, the initial margin at
        most 1 and the maintenance margin in proportion to it."""
        maintenance = self.maintenance * min(factor, 1 / self.initial)
        values = list[dict[str, float]]()
        for tier in self.tiers:
            times = min(factor, 1 / tier.initial)
            maintenance = max(maintenance, tier.maintenance * times)
            initial = tier.initial * times
            values.append(
                {"above_usd": tier.above_usd, "initial": initial, "maintenance": maintenance}
            )
        return values

    @model_validator(mode="after")
    def _in_order(self) -> Self:
        if self.maintenance >= self.initial:
            raise ValueError("`maintenance` must be below `initial`")
        above, initial, maintenance = 0.0, self.initial, self.maintenance
        for index, tier in enumerate(self.tiers):
            place = f"`tiers[{index}]`"
            if tier.above_usd <= above:
                raise ValueError(f"{place}: `above_usd` must rise from tier to tier")
            if tier.initial < initial or tier.maintenance < maintenance:
                raise ValueError(f"{place}: rates must not fall from tier to tier")
            if tier.maintenance >= tier.initial:
                raise ValueError(f"{place}: `maintenance` must be below `initial`")
            above, initial, maintenance = tier.above_usd, tier.initial, tier.maintenance
        return self


class Margin(Rates):
    """Margin and liquidation; all but the rates holds for every perpetual."""

    mode: Literal["isolated", "cross"] = Field(
        "isolated", description="collateral of a position: its own, or the account's"
    )
    liquidation_fee_bp: BasisPoints = Field(
        0.0, le=10_000, description="fee to the insurance fund, bp"
    )
    taker_fee_bp: BasisPoints = Field(0.0, le=10_000, description="taker fee, bp")
    maker_fee_bp: BasisPoints = Field(0.0, le=10_000, description="maker fee, bp")
    liquidation_share: PositivePpm = Field(
        1.0, description="share of a position that one liquidation order closes"
    )
    close_out: Literal["book", "oracle"] = Field(
        "book",
        description="how liquidations close: on the book, or in full at the mark against a "
        "liquidator who hedges outside",
    )
    close_out_bp: BasisPoints = Field(
        0.0, lt=10_000, description="with `oracle`: how much worse than the mark, bp"
    )
    per_block: PerBlock | None = Field(
        None, description="limits on what a block may liquidate; absent: none"
    )
    fillable: Fillable | None = Field(
        None, description="worst price of a liquidation; absent: any that the fund can pay"
    )
    partial: Partial | None = Field(
        None, description="partial liquidation of large positions; absent: whole at once"
    )
    backstop: Backstop | None = Field(
        None, description="a vault that takes over nearly bankrupt accounts; absent: none"
    )
    insurance_usd: MarketUsd = Field(1_000_000.0, description="insurance fund at the start, USD")
    late_after_ms: SpanMs = Field(
        2_000.0, description="a liquidation is late this long after the account became due, ms"
    )
