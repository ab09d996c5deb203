"""`[market]`: the market on which messages are executed."""

from __future__ import annotations

import math
from typing import Annotated, Any, Final, Literal, Self

from pydantic import Field, model_validator

from surgetank.scenario.funding import Funding
from surgetank.scenario.margin import Margin, Rates
from surgetank.scenario.price import FurtherPrice, Price
from surgetank.scenario.section import (
    QUANTA,
    BasisPoints,
    NonNegative,
    Number,
    Positive,
    Ppm,
    PpmShare,
    Section,
    Share,
    SpanMs,
    SpanS,
    Whole,
    nearest,
)

#: Most perpetuals of a venue; every one is in every actor's state.
MARKETS_MAX: Final = 64

PerpetualName = Annotated[str, Field(min_length=1, max_length=32, pattern=r"^[\w.-]+$")]
MarkRule = Literal["oracle", "median"]


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


class Positions(Section):
    """Positions at the start; the other side is held unlevered by a tenth as many accounts."""

    count: Whole = Field(500, ge=0, le=1_000_000, description="leveraged accounts")
    notional_usd: Positive = Field(20_000.0, description="mean notional (exponential), USD")
    leverage_min: Number = Field(2.0, ge=1, description="least leverage")
    leverage_max: Number = Field(
        20.0,
        ge=1,
        description="largest leverage; a position has at most that of its market and margin tier",
    )
    long_share: Share = Field(0.7, description="share of the leveraged positions that are long")
    markets: Whole = Field(
        1,
        ge=1,
        description="perpetuals in which each account has a position, drawn by `weight`; its "
        "notional is divided equally",
    )
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


class Perpetual(Section):
    """A further perpetual. Accounts, collateral, insurance fund, keepers, and what is not named
    here are the first's; its lot is the first's `tick_usd` × `lot` over its own `tick_usd`."""

    name: PerpetualName = Field(description="name of the perpetual")
    tick_usd: Positive = Field(description="smallest price step, USD")
    price: FurtherPrice = Field(description="the outside price")
    mark: MarkRule = Field("oracle", description="mark price of positions, as `market.mark`")
    margin: Rates | None = Field(None, description="margin rates; absent: the first perpetual's")
    protection: Protection | None = Field(
        None, description="bounds on trade prices; absent: the first perpetual's"
    )
    funding: Funding | None = Field(
        None, description="funding payments; absent: the first perpetual's"
    )
    weight: NonNegative = Field(
        1.0,
        le=1e6,
        description="background messages and positions, relative to those of the first perpetual",
    )


class Collateral(Section):
    """An asset accepted as collateral beside USD, in cross mode: worth its price, and counted for
    margin at its price less the haircut. An account without positions whose cash is negative sells
    it at that price."""

    name: PerpetualName = Field(description="name of the asset")
    market: str = Field(
        "", description="name of the perpetual at whose mark it is priced; empty: the first"
    )
    price_usd: NonNegative = Field(
        0.0, description="constant price, as of a stablecoin, USD; 0 = that of `market`"
    )
    haircut: Ppm = Field(
        0.1, ge=0, le=0.99, description="share of its value that does not count for margin"
    )
    share: Share = Field(
        0.0, description="share of each position's collateral at the start that is held in it"
    )


class Market(Section):
    """Linear perpetuals, options on the first, and the accounts that hold positions in them."""

    name: PerpetualName = Field("PERP", description="name of the first perpetual")
    tick_usd: Positive = Field(0.1, description="smallest price step, USD")
    lot: Positive = Field(0.001, description="smallest quantity, coins")
    price: Price = Field(default_factory=Price, description="the outside price")
    mark: MarkRule = Field(
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
    funding: Funding | None = Field(
        None, description="funding payments between longs and shorts; absent: none"
    )
    collateral: list[Collateral] = Field(
        default_factory=list,
        max_length=50,
        description="assets accepted as collateral, in the order in which they are sold",
    )
    positions: Positions = Field(default_factory=Positions, description="positions at the start")
    options: Options | None = Field(
        None, description="options on the first perpetual; absent: none"
    )
    perpetuals: list[Perpetual] = Field(
        default_factory=list,
        max_length=MARKETS_MAX - 1,
        description="further perpetuals, with the same accounts",
    )

    @property
    def names(self) -> tuple[str, ...]:
        """Names of the perpetuals, by market index."""
        return (self.name, *(perpetual.name for perpetual in self.perpetuals))

    @property
    def rates(self) -> tuple[Rates, ...]:
        """Margin rates of each perpetual, by market index."""
        return (self.margin, *(perpetual.margin or self.margin for perpetual in self.perpetuals))

    def core(self) -> dict[str, Any]:
        """The section as the core reads it: the rules of each symbol, with money in quanta."""
        data = super().core()
        backstop = self.margin.backstop
        kept = ("name", "tick_usd", "lot", "price", "matching", "options")
        return {key: data[key] for key in kept} | {
            "symbol": self._symbol(self),
            "perpetuals": [
                {key: further.core()[key] for key in ("name", "tick_usd", "price", "weight")}
                | {"symbol": self._symbol(further)}
                for further in self.perpetuals
            ],
            "insurance": self._counted(self.margin)["insurance"],
            "per_block": self.margin.per_block and self._counted(self.margin.per_block),
            "mode": self.margin.mode,
            "collateral": [self._asset(held) for held in self.collateral],
            "vault": self._counted(backstop)["vault"] if backstop else 0,
            "positions": data["positions"],
        }

    def _asset(self, held: Collateral) -> dict[str, Any]:
        """A collateral asset as the core reads it."""
        symbol = self.names.index(held.market) if held.market in self.names else 0
        at_mark = {"kind": "mark", "symbol": symbol}
        price = {"kind": "constant"} if held.price_usd else at_mark
        haircut = held.core()["haircut_ppm"]
        asset = {"price": price, "haircut_ppm": haircut}
        return {"name": held.name, "asset": asset, "share": held.share}

    def _symbol(self, perpetual: Market | Perpetual) -> dict[str, Any]:
        """The rules of a perpetual as the core reads them."""
        kept = ("liquidation_fee_ppm", "taker_fee_ppm", "maker_fee_ppm", "liquidation_share_ppm")
        of, margin = self.margin, self.margin.core()
        of_rates = perpetual.margin or self.margin
        rates = of_rates.core()
        asked = perpetual.protection or self.protection
        protection = asked.core()
        distance = {
            name: protection[f"{name}_ppm"] if getattr(asked, f"{name}_bp") > 0 else None
            for name in ("slippage", "band", "far", "liquidation")
        }
        funding = perpetual.funding or self.funding
        outside = {"kind": "oracle", "worse_ppm": margin["close_out_ppm"]}
        return {key: margin[key] for key in kept} | {
            "initial_margin_ppm": rates["initial_ppm"],
            "maintenance_margin_ppm": rates["maintenance_ppm"],
            "tiers": [self._counted(tier) for tier in of_rates.tiers],
            "open_interest_cap": of_rates.open_interest and self._counted(of_rates.open_interest),
            "funding": funding and self._counted(funding),
            "worst_price_ppm": distance.pop("liquidation"),
            "protection": {f"{name}_ppm": ppm for name, ppm in distance.items()}
            | {"reduce_only_after_ns": protection["reduce_only_after_ns"] or None},
            "mark": {"kind": perpetual.mark},
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
    def _collateral_fits(self) -> Self:
        if self.collateral and self.margin.mode != "cross":
            raise ValueError('`collateral` in assets needs `margin.mode` "cross"')
        for held in self.collateral:
            if held.market and held.market not in self.names:
                known = ", ".join(self.names)
                raise ValueError(f"`collateral`: no perpetual {held.market!r}; there are {known}")
        if sum(held.share for held in self.collateral) > 1 + 1e-9:
            raise ValueError("`collateral`: the values of `share` must not sum to more than 1")
        return self

    @model_validator(mode="after")
    def _leverage_allowed(self) -> Self:
        most = 1 / self.margin.initial
        if self.positions.leverage_max > most * (1 + 1e-9):
            raise ValueError(
                f"`positions.leverage_max` {self.positions.leverage_max:g} exceeds what "
                f"`margin.initial` allows, {most:g}"
            )
        return self

    @model_validator(mode="after")
    def _markets_fit(self) -> Self:
        for i, name in enumerate(self.names[1:], 1):
            if name in self.names[:i]:
                raise ValueError(
                    f"perpetuals[{i - 1}].name: another perpetual is named {name}; name each once"
                )
        if self.positions.markets > len(self.names):
            raise ValueError(
                f"positions.markets: there {'is' if len(self.names) == 1 else 'are'} "
                f"{len(self.names)} perpetual{'s' * (len(self.names) > 1)}; lower it, or add "
                "[[market.perpetuals]]"
            )
        return self
