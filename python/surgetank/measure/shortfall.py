"""Cost of trading against the price at the intended send time.

Implementation shortfall (Perold, "The implementation shortfall: paper versus reality", *Journal of
Portfolio Management* 14(3), 1988): side · (price traded − benchmark), the benchmark being the
middle of the venue's own book at the intended send time. It is the sum of

- *delay*: what the middle of the book moved until the block that executed the order, and
- *execution*: what the fill was worse than the middle at that moment.

What did not trade is not part of it and is counted separately (*failed trades*), with the move of
the outside price that it missed until the end of the run (*opportunity cost*).

Against the outside price at execution, stale quotes while the outside price falls would let
every seller "gain" what their makers lose: a stalled venue would look like a good one. Against the
venue's own book a trade with stale quotes costs half the spread and the depth it took.
How far trades were from the outside price is measured without a sign (`mispricing_bp_mean`):
it is a gain of one side and a loss of the other.
"""

from __future__ import annotations

from typing import Final

import numpy as np
import polars as pl

from surgetank.measure.market_rows import at_time_by_market, index_of, latest, market_of
from surgetank.measure.measured import Measure
from surgetank.measure.statistics import Interval, mean_interval, share_interval
from surgetank.trace import MarketKind, Outcome, Source, Trace

__all__ = ["intents", "shortfall", "traded"]

_TRADES: Final = [MarketKind.TRADE, MarketKind.LIQUIDATION_TRADE]
_ATTACKERS: Final = [Source.SPAM, Source.ATTACKER]


def traded(trace: Trace) -> pl.DataFrame:
    """One row per incoming order that traded, attackers' left out, in the order of execution.

    Columns: message (UInt32); market (UInt16); liquidation (Boolean); sent_ns (Int64: when it was
    meant to be sent; of a liquidation when the account became due, or else when its order was
    sent); executed_ns (Int64); side (Int8, 1 buys); qty (Int64, lots > 0); price (Float64, mean,
    ticks); benchmark and at_execution (Float64, ticks: the middle of the book at sent_ns, and
    before the block that executed it; the mark while a side of the book is empty); weight (Float64,
    benchmark · qty).
    """
    due = market_of(trace, MarketKind.LIQUIDATED)
    due = due.select("message", "account", due_ns="ref_ns")
    sent = trace["messages"].select("message", "source", created_ns=_int("created_ns"))
    found = (
        market_of(trace, *_TRADES)
        .filter(pl.col("qty") != 0)
        .with_columns(liquidation=pl.col("kind") == MarketKind.LIQUIDATION_TRADE)
        .group_by("message", "account", "market", "liquidation", maintain_order=True)
        .agg(
            executed_ns=pl.col("time_ns").first(),
            side=pl.col("qty").first().sign().cast(pl.Int8),
            qty=pl.col("qty").abs().sum(),
            paid=(pl.col("qty").abs() * pl.col("price")).sum(),
        )
        .join(sent, on="message", how="left", maintain_order="left")
        .filter(pl.col("source").is_null() | ~pl.col("source").is_in(_ATTACKERS))
        .join(due, on=["message", "account"], how="left", maintain_order="left")
        .with_columns(
            sent_ns=pl.coalesce(_int("due_ns"), "created_ns", "executed_ns"),
            price=pl.col("paid") / pl.col("qty"),
        )
    )
    book = _book(trace)
    prices = {
        "benchmark": at_time_by_market(book, found, "sent_ns"),
        "at_execution": at_time_by_market(
            book, found.with_columns(pl.col("executed_ns") - 1), "executed_ns"
        ),
    }
    known = ~np.isnan(prices["benchmark"]) & ~np.isnan(prices["at_execution"])
    return found.with_columns(**prices).filter(known).select(
        "message", "market", "liquidation", "sent_ns", "executed_ns", "side", "qty", "price",
        "benchmark", "at_execution", weight=pl.col("benchmark") * pl.col("qty"),
    )  # fmt: skip


def intents(trace: Trace) -> pl.DataFrame:
    """One row per order of the measured window that had to trade at once, attackers' left out.

    Columns: message (UInt32), market (UInt16), sent_ns (Int64), side (Int8), asked and filled
    (Int64, lots), outcome (UInt8, as in `messages`), last (Float64: the outside price of its market
    at the end of the run, ticks), missed_bp (Float64: what that price moved against its side since
    sending).
    """
    filled = market_of(trace, MarketKind.TRADE).group_by("message")
    sent = trace["messages"].select("message", "source", "outcome")
    outside = market_of(trace, MarketKind.INDEX)["time_ns", "price", "market"]
    window = pl.col("time_ns").is_between(trace.measured_from_ns, trace.flow_end_ns, closed="left")
    found = (
        market_of(trace, MarketKind.ORDER_SENT)
        .filter(window)
        .select(
            "message",
            "market",
            sent_ns="time_ns",
            side=pl.col("qty").sign().cast(pl.Int8),
            asked=pl.col("qty").abs(),
        )
        .join(sent, on="message", how="left", maintain_order="left")
        .filter(pl.col("source").is_null() | ~pl.col("source").is_in(_ATTACKERS))
        .join(
            filled.agg(filled=pl.col("qty").abs().sum()),
            on="message",
            how="left",
            maintain_order="left",
        )
        .select(
            "message",
            "market",
            "sent_ns",
            "side",
            "asked",
            pl.col("filled").fill_null(0),
            pl.col("outcome").fill_null(0),
        )
    )
    then = at_time_by_market(outside, found, "sent_ns")
    last = at_time_by_market(outside, found.with_columns(end=pl.lit(trace.end_ns)), "end")
    missed = found["side"].to_numpy() * (last - then) / then * 1e4
    return found.with_columns(last=last, missed_bp=missed)


def shortfall(trace: Trace) -> list[Measure]:
    """Cost of trading by orders and by liquidations, failed trades, and mispricing.

    Orders count by the measured window; liquidations, as all money, over the whole run.
    """
    rows = traded(trace)
    window = pl.col("sent_ns").is_between(trace.measured_from_ns, trace.flow_end_ns, closed="left")
    orders = rows.filter(~pl.col("liquidation") & window)
    whole = pl.col("price") - pl.col("benchmark")
    delay = pl.col("at_execution") - pl.col("benchmark")
    execution = pl.col("price") - pl.col("at_execution")
    return [
        _cost("shortfall_bp_mean", orders, whole),
        _cost("shortfall_delay_bp_mean", orders, delay),
        _cost("shortfall_execution_bp_mean", orders, execution),
        *_failed(intents(trace)),
        _cost("slippage_bp_mean", rows.filter("liquidation"), whole),
        _mispricing(trace),
    ]


def _cost(name: str, rows: pl.DataFrame, move: pl.Expr) -> Measure:
    if rows.is_empty():
        return Measure(name, None, note="no order traded")
    bp = rows.select((pl.col("side") * move / pl.col("benchmark") * 1e4).alias("bp"))["bp"]
    mean = _weighted(bp.to_numpy(), rows["weight"].to_numpy())
    return Measure(name, mean.value, mean.low, mean.high, mean.n, _BY_NOTIONAL)


def _failed(rows: pl.DataFrame) -> list[Measure]:
    name, missed = "failed_trades_share", "opportunity_bp_mean"
    if rows.is_empty():
        note = "no order had to trade at once"
        return [Measure(name, None, note=note), Measure(missed, None, note=note)]
    nothing = (rows["filled"] == 0).to_numpy()
    share = share_interval(nothing)
    executed = int((nothing & (rows["outcome"] == Outcome.EXECUTED).to_numpy()).sum())
    note = (
        f"{executed} found no price or were refused by the market, "
        f"{int(nothing.sum()) - executed} never reached it"
    )
    # Lots of several markets are compared by their value at the end.
    left = ((rows["asked"] - rows["filled"]) * rows["last"]).to_numpy()
    open_still = (left > 0) & rows["missed_bp"].is_finite().fill_null(False).to_numpy()
    found = [Measure(name, share.value, share.low, share.high, share.n, note)]
    if not open_still.any():
        return [*found, Measure(missed, None, note="all were filled")]
    mean = _weighted(rows["missed_bp"].to_numpy()[open_still], left[open_still])
    return [
        *found,
        Measure(missed, mean.value, mean.low, mean.high, mean.n, "weighted by notional at the end"),
    ]


def _mispricing(trace: Trace) -> Measure:
    name = "mispricing_bp_mean"
    rows = market_of(trace, MarketKind.INDEX, *_TRADES)
    outside = (rows["kind"] == MarketKind.INDEX).to_numpy()
    row = latest(outside, index_of(rows))
    traded = ~outside & (row >= 0) & (rows["time_ns"].to_numpy() >= trace.measured_from_ns)
    if not traded.any():
        return Measure(name, None, note="nothing traded")
    prices = rows["price"].to_numpy().astype(np.float64)
    price, fair = prices[traded], prices[row[traded]]
    lots = np.abs(rows["qty"].to_numpy()[traded])
    mean = _weighted(np.abs(price - fair) / fair * 1e4, lots * fair)
    return Measure(name, mean.value, mean.low, mean.high, mean.n, _BY_NOTIONAL)


_BY_NOTIONAL: Final = "weighted by notional"


def _weighted(
    values: np.ndarray[tuple[int], np.dtype[np.float64]],
    weights: np.ndarray[tuple[int], np.dtype[np.float64]],
) -> Interval:
    """Σ w·x / Σ w with the interval of a ratio of sums, in batches: 0 wide if all x are equal.

    Cochran, Sampling Techniques, 3rd ed., 1977, §6.3.
    """
    value = float((values * weights).sum() / weights.sum())
    rest = mean_interval((values - value) * weights / weights.mean())
    if rest.low is None or rest.high is None:
        return Interval(value, None, None, rest.n)
    return Interval(value, value + rest.low, value + rest.high, rest.n)


def _book(trace: Trace) -> pl.DataFrame:
    """time_ns, middle, market: the middle of the market's book while that has two sides, else its
    mark, else its outside price; NaN before the first of them; a row per change."""
    rows = market_of(trace, MarketKind.TOUCH, MarketKind.MARK, MarketKind.INDEX)
    kind, bid, ask = (rows[c].to_numpy() for c in ("kind", "price", "amount"))
    market = index_of(rows)
    touch = kind == MarketKind.TOUCH
    two_sided = touch & (bid > 0) & (ask > 0)
    prices = np.where(two_sided, (bid + ask) / 2, np.where(touch, np.nan, bid))
    middle = np.full(len(kind), np.nan)
    for source in (touch, kind == MarketKind.MARK, kind == MarketKind.INDEX):
        row = latest(source, market)
        middle = np.where(np.isnan(middle) & (row >= 0), prices[row], middle)
    return rows.select("time_ns", "market").insert_column(1, pl.Series("middle", middle))


def _int(name: str) -> pl.Expr:
    return pl.col(name).cast(pl.Int64)
