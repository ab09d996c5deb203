"""Venues as presets: each figure with its source and date.

`docs/venues.md` is written from these. A figure that no public source states is `OURS`: a choice
of this project, made so that the preset runs.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any, Final

from surgetank.scenario.dotted import put

__all__ = ["OURS", "VENUES", "Publication", "Venue", "VenueFigure"]


@dataclass(frozen=True)
class Publication:
    """Where a figure is published, and when it was as it is given here."""

    text: str
    date: str
    """Of the version that was read, or when an undated page was read."""


@dataclass(frozen=True)
class VenueFigure:
    """One value of a preset."""

    key: str
    """Dotted key of the scenario."""
    value: Any
    source: Publication
    note: str = ""
    """What the figure is there, where the key does not say it."""


@dataclass(frozen=True)
class Venue:
    """A venue's rules as values of a scenario."""

    name: str
    title: str
    figures: tuple[VenueFigure, ...]
    left_out: tuple[str, ...]
    """What of the venue's rules the preset does not have, one sentence each."""

    @property
    def values(self) -> dict[str, Any]:
        """The figures as nested tables of a scenario."""
        data: dict[str, Any] = {}
        for figure in self.figures:
            put(data, figure.key, figure.value)
        return data


#: A choice of this project.
OURS: Final = Publication("ours", "2026-11")

_CHAIN = Publication("dydxprotocol/v4-chain at 84d4664b, genesis and code", "2026-03-05")
_DAEMONS = Publication(
    "dydxprotocol/v4-chain at 84d4664b, daemons and CometBFT settings", "read 2026-11"
)
_WEB = Publication("dydxprotocol/v4-web, MARKET_ORDER_MAX_SLIPPAGE", "read 2026-11")
_HL_LIQUIDATIONS = Publication("Hyperliquid docs, Liquidations", "read 2026-11")
_HL_ORACLE = Publication("Hyperliquid docs, Oracle and Robust price indices", "read 2026-11")
_HL_TIERS = Publication("Hyperliquid docs, Margin tiers (BTC)", "2026-09-27")
_HL_FUNDING = Publication("Hyperliquid docs, Funding", "2026-04-16")
_HL_SDK = Publication("hyperliquid-dex/hyperliquid-python-sdk, DEFAULT_SLIPPAGE", "read 2026-11")
_HL_ERROR = Publication("Hyperliquid API error “80% away from the reference price”", "read 2026-11")
_HL_BLOCKS = Publication("Alchemy, Hyperliquid chain overview", "read 2026-11")
_HL_ORDER = Publication(
    "Hyperliquid docs, L1 overview: cancels before other actions", "read 2026-11"
)
_BN_INFO = Publication("Binance GET /fapi/v1/exchangeInfo, BTCUSDT", "read 2026-11")
_BN_TIERS = Publication("Binance announcement, Leverage and Margin Tiers, BTCUSDT", "2021-03-18")
_BN_FUNDING = Publication(
    "Binance FAQ, Introduction to Binance Futures Funding Rates", "read 2026-11"
)
_BN_CAP = Publication("Binance GET /fapi/v1/fundingInfo, BTCUSDT", "read 2026-11")
_DB_BANDS = Publication("Deribit Insights, Trading bandwidths & limits (BTC)", "read 2026-11")
_DB_MARGIN = Publication("Deribit support, Linear Perpetual (BTC_USDC)", "read 2026-11")
_DB_FUNDING = Publication("Deribit support, Funding Specifications", "read 2026-11")
_DB_API = Publication("Deribit API, private/edit", "read 2026-11")
_COMET = Publication("CometBFT v0.38, default config.toml", "read 2026-11")
_GMX = Publication("gmx-io/gmx-synthetics at a5c0c883, BTC and ETH markets", "read 2026-11")

_BINANCE_TIERS = [
    {"above_usd": above, "initial": initial, "maintenance": maintenance}
    for above, initial, maintenance in (
        (50_000.0, 0.01, 0.005),
        (250_000.0, 0.02, 0.01),
        (1_000_000.0, 0.05, 0.025),
        (10_000_000.0, 0.1, 0.05),
        (20_000_000.0, 0.2, 0.1),
        (50_000_000.0, 0.25, 0.125),
        (100_000_000.0, 0.333, 0.15),
        (200_000_000.0, 0.5, 0.25),
        (300_000_000.0, 1.0, 0.5),
    )
]

_DYDX = Venue(
    "dydx-v4",
    "dYdX v4, a large-cap market",
    (
        VenueFigure("flow.oracle.interval_ms", 3_000.0, _DAEMONS, "loop of the price daemon"),
        VenueFigure(
            "flow.keepers.reaction_ms", 1_600.0, _DAEMONS, "loop of the liquidation daemon"
        ),
        VenueFigure("flow.makers.requote", "replace", _CHAIN, "of its client id"),
        VenueFigure("layer.gossip.kind", "flood", _DAEMONS, "CometBFT's mempool"),
        VenueFigure("layer.queue.mempool_max", 100_000, _DAEMONS),
        VenueFigure("layer.consensus.kind", "tendermint", _DAEMONS, "CometBFT"),
        VenueFigure("layer.consensus.timeout_commit_ms", 500.0, _DAEMONS),
        VenueFigure("layer.consensus.timeout_propose_ms", 1_000.0, _DAEMONS),
        VenueFigure("market.mark", "oracle", _CHAIN),
        VenueFigure("market.protection.slippage_bp", 500.0, _WEB, "worst price of a market order"),
        VenueFigure(
            "market.protection.liquidation_bp", 0.0, _CHAIN, "the fillable price bounds it"
        ),
        VenueFigure("market.margin.mode", "cross", _CHAIN),
        VenueFigure("market.margin.initial", 0.02, _CHAIN),
        VenueFigure("market.margin.maintenance", 0.012, _CHAIN, "0.6 of initial margin"),
        VenueFigure("market.margin.liquidation_fee_bp", 150.0, _CHAIN),
        VenueFigure("market.margin.fillable.bankruptcy_adjustment", 1.0, _CHAIN),
        VenueFigure("market.margin.fillable.spread_to_maintenance", 1.5, _CHAIN),
        VenueFigure("market.margin.per_block.position_share", 0.1, _CHAIN),
        VenueFigure("market.margin.per_block.position_min_usd", 1_000.0, _CHAIN),
        VenueFigure("market.margin.per_block.account_usd", 100_000.0, _CHAIN),
        VenueFigure("market.margin.per_block.account_insurance_usd", 1_000_000.0, _CHAIN),
        VenueFigure("market.margin.per_block.attempts", 50, _CHAIN),
        VenueFigure("market.margin.per_block.deleveraging_attempts", 10, _CHAIN),
        VenueFigure("market.funding.sample_s", 60.0, _CHAIN, "epoch funding-sample"),
        VenueFigure("market.funding.interval_s", 3_600.0, _CHAIN, "epoch funding-tick"),
        VenueFigure("market.funding.impact_usd", 10_000.0, _CHAIN, "impact notional, large-cap"),
        VenueFigure("market.funding.formula", "added", _CHAIN),
        VenueFigure("market.funding.interest_bp", 0.0, _CHAIN, "default_funding_ppm"),
        VenueFigure("market.funding.average", "mean", _CHAIN),
        VenueFigure("market.funding.paid_share", 0.125, _CHAIN, "an hour of the 8-hour rate"),
        VenueFigure("market.funding.cap_margins", 6.0, _CHAIN, "funding_rate_clamp_factor_ppm"),
        VenueFigure("market.funding.cap_bp", 0.0, _CHAIN, "no other cap"),
    ),
    (
        "Short-term order windows.",
        "Liquidations are keepers' messages, not the proposer's.",
        "Initial margin grows with open interest in smaller tiers only: set "
        "`market.margin.open_interest` for them.",
        "Each minute's premium is the book's, not the median of the validators'.",
        "Premiums are not clamped (there to 60 times initial less maintenance margin: 48 %).",
    ),
)

_HYPERLIQUID = Venue(
    "hyperliquid",
    "Hyperliquid, BTC",
    (
        VenueFigure("flow.oracle.interval_ms", 3_000.0, _HL_ORACLE),
        VenueFigure(
            "flow.makers.requote", "cancel-new", _HL_ORDER, "as the order of actions rewards"
        ),
        VenueFigure("layer.gossip.kind", "direct", OURS, "HyperBFT is one sequencer here"),
        VenueFigure(
            "layer.queue.rule", "class", _HL_ORDER, "what takes nothing, cancels, the rest"
        ),
        VenueFigure("layer.consensus.kind", "single", OURS, "HyperBFT's votes are not modelled"),
        VenueFigure("layer.consensus.window_ms", 70.0, _HL_BLOCKS, "block time"),
        VenueFigure("market.mark", "median", _HL_ORACLE),
        VenueFigure("market.protection.slippage_bp", 500.0, _HL_SDK),
        VenueFigure("market.protection.band_bp", 8_000.0, _HL_ERROR),
        VenueFigure("market.protection.far_bp", 8_000.0, _HL_ERROR),
        VenueFigure("market.protection.liquidation_bp", 8_000.0, _HL_ERROR, "market orders"),
        VenueFigure("market.margin.mode", "cross", _HL_LIQUIDATIONS),
        VenueFigure("market.margin.initial", 0.025, _HL_TIERS, "40×"),
        VenueFigure("market.margin.maintenance", 0.0125, _HL_TIERS, "half of it"),
        VenueFigure(
            "market.margin.tiers",
            [{"above_usd": 150e6, "initial": 0.05, "maintenance": 0.025}],
            _HL_TIERS,
            "20× above 150 M USDC",
        ),
        VenueFigure("market.margin.partial.above_usd", 100_000.0, _HL_LIQUIDATIONS),
        VenueFigure("market.margin.partial.share", 0.2, _HL_LIQUIDATIONS),
        VenueFigure("market.margin.partial.cooldown_ms", 30_000.0, _HL_LIQUIDATIONS),
        VenueFigure("market.margin.backstop.below", 0.666667, _HL_LIQUIDATIONS),
        VenueFigure("market.margin.backstop.vault_usd", 100_000_000.0, OURS),
        VenueFigure("market.funding.sample_s", 5.0, _HL_FUNDING),
        VenueFigure("market.funding.interval_s", 3_600.0, _HL_FUNDING),
        VenueFigure("market.funding.impact_usd", 20_000.0, _HL_FUNDING, "BTC and ETH"),
        VenueFigure("market.funding.formula", "damped", _HL_FUNDING),
        VenueFigure("market.funding.interest_bp", 1.0, _HL_FUNDING),
        VenueFigure("market.funding.damping_bp", 5.0, _HL_FUNDING),
        VenueFigure("market.funding.average", "mean", _HL_FUNDING),
        VenueFigure("market.funding.paid_share", 0.125, _HL_FUNDING),
        VenueFigure("market.funding.cap_bp", 400.0, _HL_FUNDING, "an hour"),
    ),
    (
        "HyperBFT's votes: one sequencer with its block time stands for it.",
        "Liquidations are keepers' messages, not started by execution.",
        "Collateral is USDC only.",
    ),
)

_BINANCE = Venue(
    "binance",
    "Binance USDⓈ-M futures, BTCUSDT",
    (
        VenueFigure("layer.gossip.kind", "direct", OURS),
        VenueFigure("layer.consensus.kind", "single", OURS, "one matching engine"),
        VenueFigure("market.protection.slippage_bp", 500.0, _BN_INFO, "marketTakeBound"),
        VenueFigure(
            "market.protection.band_bp", 500.0, _BN_INFO, "PERCENT_PRICE multiplierUp 1.05"
        ),
        VenueFigure(
            "market.protection.far_bp", 500.0, _BN_INFO, "PERCENT_PRICE multiplierDown 0.95"
        ),
        VenueFigure("market.protection.liquidation_bp", 500.0, _BN_INFO, "they are limit orders"),
        VenueFigure("market.margin.initial", 0.008, _BN_TIERS, "125×"),
        VenueFigure("market.margin.maintenance", 0.004, _BN_TIERS),
        VenueFigure("market.margin.tiers", _BINANCE_TIERS, _BN_TIERS, "position brackets"),
        VenueFigure("market.funding.sample_s", 5.0, _BN_FUNDING, "5,760 in 8 hours"),
        VenueFigure("market.funding.interval_s", 28_800.0, _BN_FUNDING),
        VenueFigure(
            "market.funding.impact_usd", 25_000.0, _BN_FUNDING, "200 USDT / initial margin"
        ),
        VenueFigure("market.funding.formula", "damped", _BN_FUNDING),
        VenueFigure("market.funding.interest_bp", 1.0, _BN_FUNDING),
        VenueFigure("market.funding.damping_bp", 5.0, _BN_FUNDING),
        VenueFigure("market.funding.average", "time-weighted", _BN_FUNDING),
        VenueFigure("market.funding.paid_share", 1.0, _BN_FUNDING),
        VenueFigure("market.funding.cap_bp", 30.0, _BN_CAP, "adjustedFundingRateCap 0.003"),
    ),
    (
        "Its times: delays and service times are the scenario's own.",
        "Funding's cap and interval differ by contract and are adjusted from time to time.",
        "The newest brackets are in the API (`leverageBracket`), which needs a key.",
        "Collateral in other assets (multi-assets mode).",
    ),
)

_DERIBIT = Venue(
    "deribit",
    "Deribit, BTC perpetual",
    (
        VenueFigure("flow.makers.requote", "replace", _DB_API),
        VenueFigure("layer.gossip.kind", "direct", OURS),
        VenueFigure("layer.consensus.kind", "single", OURS, "one matching engine"),
        VenueFigure("market.protection.slippage_bp", 150.0, _DB_BANDS),
        VenueFigure(
            "market.protection.band_bp", 150.0, _DB_BANDS, "here an order beyond it is refused"
        ),
        VenueFigure("market.protection.liquidation_bp", 150.0, _DB_BANDS),
        VenueFigure("market.margin.initial", 0.02, _DB_MARGIN),
        VenueFigure("market.margin.maintenance", 0.01, _DB_MARGIN),
        VenueFigure("market.funding.sample_s", 1.0, OURS, "it samples continuously"),
        VenueFigure("market.funding.interval_s", 28.8, OURS, "it pays continuously"),
        VenueFigure("market.funding.paid_share", 0.001, _DB_FUNDING, "interval over 8 hours"),
        VenueFigure("market.funding.formula", "damped", _DB_FUNDING),
        VenueFigure("market.funding.interest_bp", 0.0, _DB_FUNDING),
        VenueFigure("market.funding.damping_bp", 2.5, _DB_FUNDING),
        VenueFigure("market.funding.average", "mean", OURS),
        VenueFigure("market.funding.cap_bp", 0.0, OURS, "its cap varies by instrument"),
        VenueFigure("market.funding.impact_usd", 20_000.0, OURS, "its premium is that of the mark"),
    ),
    (
        "Its times: delays and service times are the scenario's own.",
        "Both margin rates grow by 0.005 % for each BTC of the position, on all of it.",
        "Orders beyond the band are moved to it there, and refused here.",
        "Cross collateral.",
    ),
)

_GMX_POOL = Venue(
    "gmx",
    "A pool like GMX v2's",
    (
        VenueFigure("layer.gossip.kind", "direct", OURS),
        VenueFigure("layer.consensus.kind", "single", OURS, "the sequencer of its rollup"),
        VenueFigure("market.mark", "oracle", _GMX),
        VenueFigure("market.price.feed", "block", _GMX, "keepers execute at the oracle's prices"),
        VenueFigure("market.margin.mode", "isolated", _GMX),
        VenueFigure("market.margin.initial", 0.01, OURS, "100×"),
        VenueFigure("market.margin.maintenance", 0.005, _GMX, "minCollateralFactorForLiquidation"),
        VenueFigure("market.margin.close_out", "oracle", _GMX, "the pool is the counterparty"),
        VenueFigure(
            "market.margin.close_out_bp", 0.0, _GMX, "maxPositionImpactFactorForLiquidations"
        ),
        VenueFigure("market.margin.liquidation_fee_bp", 20.0, _GMX, "0.2 % to 0.3 % by market"),
        VenueFigure("market.protection.liquidation_bp", 0.0, _GMX, "no book"),
    ),
    (
        "Borrowing fees, and funding that follows the imbalance of open interest.",
        "Fees of 0.04 % to 0.06 % of the size; that of closing counts in its liquidation test.",
        "Initial margin that grows with open interest (minCollateralFactor, at least 0.5 %).",
        "Price impact of orders: only close-outs meet the pool; other orders trade on a book.",
        "The pool's own solvency and its deleveraging of winners (its liquidator has ample money).",
        "A liquidation fee goes to the insurance fund, not to the pool and the keeper.",
    ),
)

_APP_CHAIN = Venue(
    "app-chain",
    "A plain app-chain: CometBFT's defaults, cross margin, no venue's special rules",
    (
        VenueFigure("layer.gossip.kind", "flood", _COMET, "its mempool"),
        VenueFigure("layer.consensus.kind", "tendermint", _COMET),
        VenueFigure("layer.consensus.timeout_commit_ms", 1_000.0, _COMET),
        VenueFigure("layer.consensus.timeout_propose_ms", 3_000.0, _COMET),
        VenueFigure("layer.queue.mempool_max", 5_000, _COMET),
        VenueFigure("market.mark", "oracle", OURS),
        VenueFigure("market.margin.mode", "cross", OURS),
        VenueFigure("market.margin.initial", 0.05, OURS, "20×"),
        VenueFigure("market.margin.maintenance", 0.03, OURS),
    ),
    ("Funding, margin tiers and limits per block: add those of your chain.",),
)

#: By name, in the order of the documentation.
VENUES: Final[Mapping[str, Venue]] = {
    venue.name: venue for venue in (_DYDX, _HYPERLIQUID, _BINANCE, _DERIBIT, _GMX_POOL, _APP_CHAIN)
}
