"""`[market]`: the market on which messages are executed."""

from __future__ import annotations

import math
from typing import Annotated, Any, Literal, Self

from pydantic import Field, model_validator

from surgetank.scenario.section import (
    QUANTA,
    BasisPoints,
    MarketUsd,
    NonNegative,
    Number,
    Positive,
    PositiveMarketUsd,
    PositiveMs,
    PositivePpm,
    Ppm,
    PpmShare,
    Section,
    Share,
    SpanMs,
    SpanS,
    Whole,
    nearest,
)


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


class TapePath(Section):
    """Prices recorded on the tape."""

    kind: Literal["tape"] = "tape"


PricePath = Annotated[Gbm | Points | TapePath, Field(discriminator="kind")]


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


class Protection(Section):
    """Bounds on trade prices around the mark, at execution; 0 = no bound."""

    slippage_bp: BasisPoints = Field(
        500.0,
        le=10_000,
        description="largest distance from the mark at which a market order trades, bp",
    )
    band_bp: BasisPoints = Field(
        0.0,
        le=10_000,
        description="limit orders that would buy further above or sell further below the mark are"
        " refused, bp; market orders do not trade beyond it",
    )
    far_bp: BasisPoints = Field(
        0.0,
        le=10_000,
        description="limit orders that would buy further below or sell further above the mark are"
        " refused, bp",
    )
    liquidation_bp: BasisPoints = Field(
        500.0,
        le=10_000,
        description="largest distance from the mark at which a liquidation trades, bp; the rest "
        "stays with the account, or is deleveraged once the account is bankrupt",
    )
    reduce_only_after_ms: SpanMs = Field(
        0.0,
        description="age of the oracle price from which on only reducing orders are admitted, ms",
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


class Margin(Section):
    """Margin and liquidation."""

    mode: Literal["isolated", "cross"] = Field(
        "isolated", description="collateral of a position: its own, or the account's"
    )
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

    def tiers_times(self, factor: float) -> list[dict[str, float]]:
        """The tiers as values of the key `tiers`, all rates times a factor, the initial margin at
        most 1 and the maintenance margin in proportion to it."""
        maintenance, values = 0.0, list[dict[str, float]]()
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


class Positions(Section):
    """Positions at the start; the other side is held unlevered by a tenth as many accounts."""

    count: Whole = Field(500, ge=0, le=1_000_000, description="leveraged accounts")
    notional_usd: Positive = Field(20_000.0, description="mean notional (exponential), USD")
    leverage_min: Number = Field(2.0, ge=1, description="least leverage")
    leverage_max: Number = Field(
        20.0,
        ge=1,
        description="largest leverage; a large position has at most that of its margin tiers",
    )
    long_share: Share = Field(0.7, description="share of the accounts that are long")
    buffer_min: Share = Field(
        1.0,
        description="equity above maintenance is a uniform share, from this to 1, of that of a "
        "newly opened position (as if the price had moved since)",
    )

    @model_validator(mode="after")
    def _in_order(self) -> Self:
        if self.leverage_max < self.leverage_min:
            raise ValueError("`leverage_max` must not be below `leverage_min`")
        return self


class Auction(Section):
    """How a portfolio below maintenance is sold: a Dutch auction (Derive's figures)."""

    start: PpmShare = Field(0.95, description="share of mark value asked at the start")
    knee: PpmShare = Field(0.7, description="share asked after `fast_s`")
    fast_s: SpanS = Field(900.0, le=1e9, description="from `start` to `knee`, seconds")
    slow_s: SpanS = Field(43_200.0, le=1e9, description="from `knee` to nothing, seconds")
    bid: PpmShare = Field(
        0.95,
        description="share of mark value at which liquidators buy; below `start` they wait for it",
    )

    @model_validator(mode="after")
    def _falls(self) -> Self:
        if self.knee > self.start:
            raise ValueError("`knee` must not be above `start`: the price falls")
        return self


class Portfolios(Section):
    """Accounts with options at the start; the other side is held by one account without a margin
    requirement."""

    count: Whole = Field(200, ge=0, le=100_000, description="portfolio accounts")
    hold: Literal["short-strangles", "short-straddles", "short-puts"] = Field(
        "short-strangles",
        description="what each account has sold, strikes and expiry drawn from the lists",
    )
    notional_usd: Positive = Field(
        50_000.0, description="mean notional of a leg (exponential), USD"
    )
    hedge: bool = Field(True, description="whether the perpetual hedges their delta at the start")
    equity_min: Number = Field(
        1.0, ge=0, description="least equity over initial requirement (uniform up to `equity_max`)"
    )
    equity_max: Number = Field(
        2.0, ge=0, le=1e6, description="largest equity over initial requirement"
    )

    @model_validator(mode="after")
    def _in_order(self) -> Self:
        if self.equity_max < self.equity_min:
            raise ValueError("`equity_max` must not be below `equity_min`")
        return self


class Options(Section):
    """European options, marked by Black-76 on the oracle price and margined as portfolios."""

    expiry_days: list[Annotated[Positive, Field(le=10_000)]] = Field(
        default=[7.0, 30.0],
        min_length=1,
        max_length=20,
        description="expiries, days from the start",
    )
    strikes_pct: list[Annotated[Positive, Field(le=1_000)]] = Field(
        default=[80.0, 90.0, 100.0, 110.0, 120.0],
        min_length=1,
        max_length=50,
        description="strikes, % of the price at the start; a put and a call at each",
    )
    iv: Number = Field(0.6, gt=0, le=10, description="implied volatility at the start, per √year")
    iv_beta: Number = Field(
        0.01,
        ge=0,
        le=1,
        description="added to the volatility for each 1 % that spot has fallen, per √year",
    )
    margin: Literal["deribit-pm", "derive-pmrm"] = Field(
        "deribit-pm", description="margin rule of portfolios: whose grid of scenarios is used"
    )
    auction: Auction = Field(default_factory=Auction, description="auction of portfolios")
    positions: Portfolios = Field(default_factory=Portfolios, description="positions at the start")

    def core(self) -> dict[str, Any]:
        """As the core reads it."""
        data = super().core()
        vol = {"start": data.pop("iv"), "beta": data.pop("iv_beta")}
        return data | {"vol": vol, "rule": data.pop("margin")}

    @model_validator(mode="after")
    def _strikes_fit(self) -> Self:
        hold = self.positions.hold
        below, above = (any(p < 100 for p in self.strikes_pct), max(self.strikes_pct) > 100)
        if hold != "short-straddles" and not below:
            raise ValueError(f"`{hold}` need a strike below 100 in `strikes_pct`")
        if hold == "short-strangles" and not above:
            raise ValueError(f"`{hold}` need a strike above 100 in `strikes_pct`")
        return self


class Market(Section):
    """One linear perpetual, options on it, and the accounts that hold positions in them."""

    tick_usd: Positive = Field(0.1, description="smallest price step, USD")
    lot: Positive = Field(0.001, description="smallest quantity, coins")
    price: Price = Field(default_factory=Price, description="the outside price")
    mark: Literal["oracle", "median"] = Field(
        "oracle", description="mark price of positions: last oracle price, or Hyperliquid's median"
    )
    matching: Literal["continuous", "auction"] = Field(
        "continuous",
        description="how orders are matched: one after the other, or those of a block at one "
        "price (a frequent batch auction)",
    )
    margin: Margin = Field(default_factory=Margin, description="margin and liquidation")
    protection: Protection = Field(
        default_factory=Protection, description="bounds on trade prices around the mark"
    )
    positions: Positions = Field(default_factory=Positions, description="positions at the start")
    options: Options | None = Field(None, description="options on the perpetual; absent: none")

    def core(self) -> dict[str, Any]:
        """The section as the core reads it: the rules of its one symbol, with money in quanta."""
        data = super().core()
        backstop = self.margin.backstop
        kept = ("tick_usd", "lot", "price", "matching", "options")
        return {key: data[key] for key in kept} | {
            "symbol": self._symbol(data["margin"], data["protection"]),
            "insurance": self._counted(self.margin)["insurance"],
            "per_block": self.margin.per_block and self._counted(self.margin.per_block),
            "mode": self.margin.mode,
            "vault": self._counted(backstop)["vault"] if backstop else 0,
            "positions": data["positions"],
        }

    def _symbol(self, margin: dict[str, Any], protection: dict[str, Any]) -> dict[str, Any]:
        kept = ("liquidation_fee_ppm", "taker_fee_ppm", "maker_fee_ppm", "liquidation_share_ppm")
        of, asked = self.margin, self.protection
        distance = {
            name: protection[f"{name}_ppm"] if getattr(asked, f"{name}_bp") > 0 else None
            for name in ("slippage", "band", "far", "liquidation")
        }
        outside = {"kind": "oracle", "worse_ppm": margin["close_out_ppm"]}
        return {key: margin[key] for key in kept} | {
            "initial_margin_ppm": margin["initial_ppm"],
            "maintenance_margin_ppm": margin["maintenance_ppm"],
            "tiers": [self._counted(tier) for tier in of.tiers],
            "open_interest_cap": of.open_interest and self._counted(of.open_interest),
            "worst_price_ppm": distance.pop("liquidation"),
            "protection": {f"{name}_ppm": ppm for name, ppm in distance.items()}
            | {"reduce_only_after_ns": protection["reduce_only_after_ns"] or None},
            "mark": {"kind": self.mark},
            "close_out": outside if of.close_out == "oracle" else {"kind": "book"},
            "fillable": margin["fillable"],
            "partial": of.partial and self._counted(of.partial),
            "backstop": of.backstop and {"below_ppm": margin["backstop"]["below_ppm"]},
        }

    def _counted(self, section: Section) -> dict[str, Any]:
        """A section as the core reads it, with money in quanta: USD over the value of one lot at
        one tick.

        Amounts that no market can count are left to the core, which knows all of them.
        """
        data, quantum_usd = section.core(), self.tick_usd * self.lot
        for name, field in type(section).model_fields.items():
            if QUANTA in field.metadata:
                usd = data.pop(name)
                quanta = usd / quantum_usd if quantum_usd > 0 else math.inf
                data[name.removesuffix("_usd")] = nearest(min(quanta, 2.0**126))
        return data

    @model_validator(mode="after")
    def _leverage_allowed(self) -> Self:
        most = 1 / self.margin.initial
        if self.positions.leverage_max > most * (1 + 1e-9):
            raise ValueError(
                f"`positions.leverage_max` {self.positions.leverage_max:g} exceeds what "
                f"`margin.initial` allows, {most:g}"
            )
        return self
