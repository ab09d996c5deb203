"""Gain of an attacker and losses of the other parties, in money.

Every trade is judged against the outside price of the moment at which it was executed: an account
that bought below it or sold above it gained the difference, as if the position were closed outside
at once. So a gain does not depend on where the price went afterwards, and over all accounts the
differences sum to zero.
"""

from __future__ import annotations

from typing import Final

import numpy as np
import polars as pl

from surgetank.catalogue.families import LOSER
from surgetank.measure.bad_debt import unbooked_usd
from surgetank.measure.ledger import ledger
from surgetank.measure.market_rows import market_of
from surgetank.measure.measured import Measure
from surgetank.trace import Accounts, MarketKind, Trace

__all__ = ["attack", "edges", "pockets"]

_TRADES: Final = [MarketKind.TRADE, MarketKind.LIQUIDATION_TRADE]
#: Groups that can be on the other side of an attacker's trade, and their account ranges in the
#: stats.
_POCKETS: Final = {
    "makers": "makers",
    "takers": "background",
    "positions": "leveraged",
    "hedgers": "hedgers",
    "itself": "attackers",
}
_EDGES: Final = {
    "makers_edge_usd": "makers",
    "traders_edge_usd": "background",
    "leveraged_edge_usd": "leveraged",
}


def edges(trace: Trace) -> pl.DataFrame:
    """One row per account that traded: account (UInt32), edge_usd, taker_usd, trades (UInt32).

    edge = Σ side · quantity · (outside price − trade price) at the time of each trade; taker_usd is
    the notional that the account took from the book.
    """
    trades = _with_outside(trace)
    edge = pl.col("qty").cast(pl.Float64) * (pl.col("outside") - pl.col("price"))
    taken = (pl.col("qty").abs() * pl.col("price")).cast(pl.Float64)
    quantum = trace.stats.quantum_usd
    taker = trades.select("account", edge.alias("edge"), taken.alias("taken"))
    maker = trades.select(
        pl.col("other").alias("account"), (-edge).alias("edge"), pl.lit(0.0).alias("taken")
    )
    return (
        pl.concat([taker, maker])
        .drop_nulls("account")
        .group_by("account")
        .agg(
            (pl.col("edge").sum() * quantum).alias("edge_usd"),
            (pl.col("taken").sum() * quantum).alias("taker_usd"),
            pl.len().alias("trades"),
        )
        .sort("account")
        .collect()
    )


def pockets(trace: Trace) -> pl.DataFrame:
    """The attacker's edge by counterparty: group (String) and edge (Int64, quanta).

    Each of the attacker's trades against the outside price at its time, by the group on its other
    side; a loss of the group is positive. Sums exactly to the attacker's edge in the ledger, unless
    it traded with itself, which has no effect.
    """
    rows = _with_outside(trace)
    signed = pl.col("qty") * (pl.col("outside") - pl.col("price"))
    both = pl.concat(
        [
            rows.select("account", pl.col("other").alias("against"), signed.alias("edge")),
            rows.select(pl.col("other").alias("account"), against="account", edge=-signed),
        ]
    )
    first, count = trace.stats.accounts.attackers
    own = both.filter(pl.col("account").is_between(first, first + count, closed="left"))
    group = pl.lit("others")
    for name, field in _POCKETS.items():
        first, count = getattr(trace.stats.accounts, field)
        inside = pl.col("against").is_between(first, first + count, closed="left")
        group = pl.when(inside).then(pl.lit(name)).otherwise(group)
    return (
        own.with_columns(group=group)
        .group_by("group")
        .agg(pl.col("edge").sum().cast(pl.Int64))
        .sort("group")
        .collect()
    )


def _with_outside(trace: Trace) -> pl.LazyFrame:
    """Every trade with the outside price of its market at its time in `outside`."""
    market = pl.col("market").fill_null(0)
    index = market_of(trace, MarketKind.INDEX).lazy()
    index = index.select("time_ns", market, outside="price")
    trades = market_of(trace, *_TRADES).lazy().with_columns(market)
    return trades.join_asof(index, on="time_ns", by="market", check_sortedness=False)


def attack(trace: Trace) -> list[Measure]:
    """Edges of makers, traders and leveraged accounts, uncovered loss; gain and cost of an attack.

    `others_loss_usd` is what the attacker took from others: its edge, and its debts borne by others
    (the fund, the venue, those who were deleveraged, or a vault). `attacker_gain_usd` is that less
    `attacker_cost_usd`: fees of its trades, of its messages (where the rule asks for fees) and of
    its liquidations, bonds it forfeited and the price of the express lane. What its positions made
    as the outside price moved is not a gain of the attack; it is in the ledger
    (`surgetank.measure.ledger`). Bad debt among the others is no loss of the group as a whole and
    is a measure of its own (`bad_debt_usd`). None without a market.
    """
    if trace["market"].is_empty() or trace.stats.accounts == Accounts():
        return []
    by_account = edges(trace)
    account = by_account["account"].to_numpy()

    def of(group: str) -> pl.DataFrame:
        first, count = getattr(trace.stats.accounts, group)
        # Rows are in order of accounts, and a group has one range of them.
        begin, end = np.searchsorted(account, (first, first + count))
        return by_account[begin:end]

    found = []
    for name, group in _EDGES.items():
        rows = of(group)
        value = float(rows["edge_usd"].sum())
        found.append(Measure(name, value, n=int(rows["trades"].sum())))
    found.append(Measure("uncovered_loss_usd", unbooked_usd(trace), n=1))
    return [*found, *_gain_and_loss(trace, of("attackers"))]


def _gain_and_loss(trace: Trace, rows: pl.DataFrame) -> list[Measure]:
    edge, trades = float(rows["edge_usd"].sum()), int(rows["trades"].sum())
    line = ledger(trace).row(by_predicate=pl.col("group") == "attacker", named=True)
    quantum = trace.stats.quantum_usd
    costs = -line["fees"] * quantum
    taken = edge + _unpaid(trace) * quantum
    loss = Measure("others_loss_usd", taken, n=trades)
    if trace.scenario.attack.kind == "none":
        return [loss]
    return [
        Measure("attacker_gain_usd", taken - costs, n=trades),
        Measure("attacker_cost_usd", costs, n=trades),
        *_from_pockets(trace),
        Measure("attacker_capital_usd", trace.scenario.attack.capital_usd, n=1),
        loss,
    ]


def _unpaid(trace: Trace) -> int:
    """The attacker's debts, by whatever party they were borne, quanta. The ledger's column `relief`
    has only those that the fund and the venue bore; what was deleveraged or taken over lies in
    `held`."""
    first, count = trace.stats.accounts.attackers
    debts = market_of(trace, MarketKind.BAD_DEBT)
    own = debts["account"].is_between(first, first + count, closed="left")
    return int(debts["amount"].filter(own).abs().sum())


def _from_pockets(trace: Trace) -> list[Measure]:
    found = dict(pockets(trace).iter_rows())
    quantum = trace.stats.quantum_usd
    return [
        Measure(f"attacker_from_usd.{name}", found.get(name, 0) * quantum, n=1)
        for name in LOSER.members
    ]
