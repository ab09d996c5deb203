"""Money: losses due to latency, cost of trading, an attacker's gain, the ledger."""

from __future__ import annotations

from typing import Final

from surgetank.catalogue.families import GROUP, LOSER
from surgetank.catalogue.spec import Better, MeasureSpec

__all__ = ["MEASURES"]

_FACTS: Final = "sums of amounts in the table `market`"
_PEROLD: Final = "Perold, Journal of Portfolio Management 14(3), 1988"
_OUTSIDE: Final = "Σ side · quantity · (outside price − trade price) over trades"
_LEDGER: Final = "the ledger of the run, whose columns sum to zero"

MEASURES: Final = (
    MeasureSpec(
        "bad_debt_usd",
        "USD",
        Better.LESS,
        "Bad debt",
        "losses beyond the collateral of the accounts that made them",
        _FACTS,
        short="bad debt",
    ),
    MeasureSpec(
        "insurance_drawn_usd",
        "USD",
        Better.LESS,
        "Insurance drawn",
        "paid out by the insurance fund; its earnings are not subtracted",
        _FACTS,
    ),
    MeasureSpec(
        "deleveraged_usd",
        "USD",
        Better.LESS,
        "Deleveraged notional",
        "notional of winning positions closed by auto-deleveraging",
        _FACTS,
    ),
    MeasureSpec(
        "funding_paid_usd",
        "USD",
        Better.NEITHER,
        "Funding paid",
        "sum of what longs paid to shorts and shorts to longs at funding payments",
        _FACTS,
    ),
    MeasureSpec(
        "shortfall_bp_mean",
        "bp",
        Better.LESS,
        "Implementation shortfall of orders",
        "taker orders against the middle of the book at the intended send time; + is a loss",
        _PEROLD,
        signed=True,
    ),
    MeasureSpec(
        "shortfall_delay_bp_mean",
        "bp",
        Better.LESS,
        "Shortfall by delay",
        "part of the shortfall that arose between intended send and execution",
        _PEROLD,
        signed=True,
    ),
    MeasureSpec(
        "shortfall_execution_bp_mean",
        "bp",
        Better.LESS,
        "Shortfall by execution",
        "part of the shortfall against the middle of the book at execution",
        _PEROLD,
        signed=True,
    ),
    MeasureSpec(
        "failed_trades_share",
        "share",
        Better.LESS,
        "Orders that traded nothing",
        "orders to trade at once that traded nothing",
        "share; ends: Wilson, JASA 22, 1927",
    ),
    MeasureSpec(
        "opportunity_bp_mean",
        "bp",
        Better.LESS,
        "Opportunity cost of what did not trade",
        "move of the outside price until the end, against the untraded part of orders",
        _PEROLD,
        signed=True,
    ),
    MeasureSpec(
        "slippage_bp_mean",
        "bp",
        Better.LESS,
        "Liquidation slippage, mean",
        "liquidation trades against the middle of the book when the account became due; + is a "
        "loss",
        _PEROLD,
        signed=True,
    ),
    MeasureSpec(
        "mispricing_bp_mean",
        "bp",
        Better.LESS,
        "Distance of trades from the outside price",
        "distance of trades from the outside price at execution, whichever side gained it",
        "Σ quantity · |trade price − outside price| over Σ quantity · outside price",
    ),
    MeasureSpec(
        "makers_edge_usd",
        "USD",
        Better.NEITHER,
        "Makers' trades against the outside price",
        "what makers gained by their trades against the outside price",
        _OUTSIDE,
        signed=True,
    ),
    MeasureSpec(
        "traders_edge_usd",
        "USD",
        Better.NEITHER,
        "Background traders' trades against the outside price",
        "what background traders gained by their trades against the outside price",
        _OUTSIDE,
        signed=True,
    ),
    MeasureSpec(
        "leveraged_edge_usd",
        "USD",
        Better.NEITHER,
        "Leveraged accounts' trades against the outside price",
        "what leveraged accounts gained by their trades against the outside price",
        _OUTSIDE,
        signed=True,
    ),
    MeasureSpec(
        "uncovered_loss_usd",
        "USD",
        Better.LESS,
        "Losses not yet booked",
        "negative equity of due accounts at the end of the run, not yet booked; 0 if none of them "
        "was due before the drain",
        "worth of due accounts at the end of the run",
    ),
    MeasureSpec(
        "attacker_gain_usd",
        "USD",
        Better.LESS,
        "What the attacker gains",
        "what the attacker gained by its trades and by not paying its debts, less all that it paid",
        "docs/attacks.md",
        short="attacker gains",
        signed=True,
    ),
    MeasureSpec(
        "attacker_cost_usd",
        "USD",
        Better.NEITHER,
        "Attacker's costs",
        "fees, bonds and express lane rounds that it paid for",
        "docs/attacks.md",
    ),
    MeasureSpec(
        "attacker_from_usd",
        "USD",
        Better.LESS,
        "Attacker's gain from",
        "what the attacker's trades gained from {of}, against the outside price",
        _OUTSIDE,
        signed=True,
        family=LOSER,
        alone=False,
    ),
    MeasureSpec(
        "attacker_capital_usd",
        "USD",
        Better.NEITHER,
        "Attacker's capital",
        "what it had at the start",
        "attack.capital_usd",
    ),
    MeasureSpec(
        "others_loss_usd",
        "USD",
        Better.LESS,
        "What the others lose",
        "what the others lost to the attacker's trades, and its debts that they bore",
        "docs/attacks.md",
        short="others lose",
        signed=True,
    ),
    MeasureSpec(
        "ledger_usd",
        "USD",
        Better.NEITHER,
        "Gained or lost",
        "what {of} gained (+) or lost (−) in total",
        _LEDGER,
        signed=True,
        family=GROUP,
        alone=False,
    ),
)
