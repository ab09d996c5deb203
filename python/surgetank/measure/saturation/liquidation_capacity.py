"""Resources of liquidation: keepers, the venue's own limits, the book, the insurance fund."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Final

import numpy as np
import polars as pl
from numpy.typing import NDArray

from surgetank.measure.liquidations import UNIT, due_episodes, with_unit
from surgetank.measure.saturation.resource_use import SECOND, Saturation, window_ns
from surgetank.trace import Bearer, Deferral, MarketKind, Outcome, Trace

__all__ = ["book_depth", "insurance", "keepers", "liquidation_limits"]

Ints = NDArray[np.int64]

#: A window with fewer liquidations is lengthened before a share is computed.
_LEAST: Final = 10


def keepers(trace: Trace) -> Iterator[Saturation]:
    """Orders that a keeper had to send on one price over `orders_max + 1`: 1 if an account waited.

    Those it had to send are those it sent, and, when it sent `orders_max`, also the accounts of its
    share that were due by the price it had received and had no order yet. Or, if that is more, the
    share of due accounts that waited for `resend_ms` (for half of it at least) after their order
    had been executed, or refused, and had not closed them.
    """
    keepers, market = trace.scenario.flow.keepers, trace["market"]
    count, most = keepers.count, keepers.orders_max
    if market.is_empty() or not count:
        return
    sent = _sent(trace, count, keepers.resend_ms)
    if sent.is_empty():
        yield Saturation("keepers", "keepers", 0.0, 0.0, 0.0, "no liquidation order was sent")
        return
    wakes = sent.group_by("keeper", "time_ns").agg(pl.len().alias("orders")).sort("time_ns")
    wakes = wakes.with_columns(left=_left(trace, wakes, sent, int(count), most))
    load = (pl.col("orders") + pl.col("left")) / (most + 1)
    wakes = wakes.with_columns(load.clip(upper_bound=1.0).alias("use"))
    ranked = wakes.sort("use", "left", "time_ns", "keeper", descending=[True, True, False, False])
    worst = ranked.row(0, named=True)
    again = sent.filter(pl.col("waited")).select(*UNIT, "ref_ns").n_unique()
    due = max(1, int((market["kind"] == MarketKind.DUE).sum()))
    value, where = float(worst["use"]), f"keeper {worst['keeper']}"
    what = f"on one price it sent {worst['orders']} orders of at most {most:.0f}"
    what += f", {worst['left']} more were due" if worst["left"] else ""
    if again / due > value:
        value, where = min(1.0, again / due), "keepers"
        what = f"{again} of {due} due accounts waited for `resend_ms` before another attempt"
    at_s = worst["time_ns"] / SECOND
    yield Saturation("keepers", where, value, max(value, float(worst["use"])), at_s, what)


def _sent(trace: Trace, count: int, resend_ms: float) -> pl.DataFrame:
    """Liquidation orders: time_ns, account, ref_ns, keeper (each has its share of the accounts),
    number (0 = the first since due), waited (for `resend_ms`, not for an order in transit)."""
    done = trace["messages"].select(
        "message",
        pl.when(pl.col("outcome") == Outcome.EXECUTED)
        .then("executed_ns")
        .when(pl.col("outcome") != Outcome.PENDING)
        .then("gateway_ns")
        .cast(pl.Int64)
        .alias("done_ns"),
    )
    since = pl.col("time_ns") - pl.col("done_ns").shift(1).over(*UNIT, "ref_ns")
    return (
        with_unit(trace, trace["market"].filter(pl.col("kind") == MarketKind.LIQUIDATION_SENT))
        .select(pl.col("time_ns").cast(pl.Int64), "message", *UNIT, "ref_ns")
        .join(done, on="message", how="left", maintain_order="left")
        .with_columns(
            (pl.col("account") % count).alias("keeper"),
            pl.int_range(pl.len()).over(*UNIT, "ref_ns").alias("number"),
            (since > resend_ms / 2 * 1e6).fill_null(False).alias("waited"),
        )
    )


def _left(
    trace: Trace, wakes: pl.DataFrame, sent: pl.DataFrame, count: int, most: float
) -> pl.Series:
    """Accounts that a keeper left for later, for each of its wakes."""
    left = np.zeros(wakes.height, dtype=np.int64)
    full = np.flatnonzero(wakes["orders"].to_numpy() >= most)
    if not len(full):
        return pl.Series("left", left)
    first = sent.filter(pl.col("number") == 0).select(
        *UNIT,
        pl.col("ref_ns").cast(pl.Int64).alias("due_ns"),
        pl.col("time_ns").alias("sent_ns"),
    )
    owed = due_episodes(trace).join(first, on=[*UNIT, "due_ns"], how="left")
    never = np.iinfo(np.int64).max
    due, ended, sent_ns = (
        owed[c].fill_null(never).to_numpy() for c in ("due_ns", "ended_ns", "sent_ns")
    )
    keeper = owed["account"].to_numpy() % count
    time, whose = (wakes[c].to_numpy() for c in ("time_ns", "keeper"))
    received = _received_price(trace, time[full])
    for at, until in zip(full, received, strict=True):
        waits = (due <= until) & (ended > time[at]) & (sent_ns > time[at]) & (keeper == whose[at])
        left[at] = int(waits.sum())
    return pl.Series("left", left)


def _received_price(trace: Trace, times: Ints) -> Ints:
    """Time of observation of the last price that was executed before each time, ns."""
    flow = trace.scenario.flow
    if flow.keepers.watch == "outside":
        return times
    rows = trace["market"].filter(pl.col("kind") == MarketKind.ORACLE).sort("time_ns")
    if rows.is_empty():
        return times
    executed_ns, observed = (rows[c].cast(pl.Int64).to_numpy() for c in ("time_ns", "ref_ns"))
    link_ms = flow.keepers.reaction_ms + flow.client_link.fixed_ms
    at = np.searchsorted(executed_ns, times - int(link_ms * 1e6), side="right") - 1
    return np.where(at >= 0, observed[np.maximum(at, 0)], 0)


def liquidation_limits(trace: Trace) -> Iterator[Saturation]:
    """Liquidations that the venue's own limits deferred, over all attempted, in the worst window
    that holds at least ten.

    From rows `liquidation-deferred`; empty where there are none and no limits are set. A
    portfolio that waits for its auction's price to fall is not deferred by a limit.
    """
    kind = MarketKind.LIQUIDATION_DEFERRED
    done = _times(trace, MarketKind.LIQUIDATED)
    waits = (pl.col("kind") == kind) & (pl.col("code") != Deferral.AUCTION)
    put_off = trace["market"].filter(waits)["time_ns"].cast(pl.Int64).sort().to_numpy()
    market = trace.scenario.market
    if not len(put_off) and (market is None or market.margin.per_block is None):
        return
    value, at = _share(put_off, np.sort(np.concatenate([done, put_off])), window_ns(trace))
    whole = len(put_off) / max(1, len(put_off) + len(done))
    what = f"{len(put_off):,} of {len(put_off) + len(done):,} liquidations were deferred by limits"
    yield Saturation("liquidation-limits", "venue", value, max(value, whole), at / SECOND, what)


def book_depth(trace: Trace) -> Iterator[Saturation]:
    """Liquidations that the book could not fill, over all, in the worst window that holds at least
    ten.

    Not filled: something was deleveraged, nothing traded at all, or (where one order closes a whole
    position) the same due account had to be liquidated again. Portfolios of options are auctioned
    and never meet the book.
    """
    market = trace.scenario.market
    if market is None or market.margin.close_out == "oracle":
        return
    rows = trace["market"].filter(pl.col("kind") == MarketKind.LIQUIDATED).sort("time_ns")
    if market.options is not None:
        rows = rows.filter(pl.col("account") < market.positions.count)
    if rows.is_empty():
        return
    traded = (
        trace["market"]
        .filter((pl.col("kind") == MarketKind.LIQUIDATION_TRADE) & pl.col("message").is_not_null())
        .group_by("message")
        .agg(pl.col("qty").abs().sum().alias("traded"))
    )
    margin = market.margin
    in_part = margin.per_block is not None or margin.partial is not None
    whole = margin.liquidation_share == 1.0 and not in_part
    again = pl.int_range(pl.len(), 0, -1).over("account", "market", "ref_ns") > 1
    qty = pl.col("qty").abs()
    short = rows.join(traded, on="message", how="left", maintain_order="left").filter(
        (qty == 0)
        | (qty > pl.col("traded").fill_null(0))
        | (again & pl.col("ref_ns").is_not_null() & pl.lit(whole))
    )
    every = rows["time_ns"].cast(pl.Int64).to_numpy()
    value, at = _share(short["time_ns"].cast(pl.Int64).to_numpy(), every, window_ns(trace))
    what = f"{short.height:,} of {rows.height:,} liquidations exceeded the depth of the book"
    share = short.height / rows.height
    yield Saturation("book-depth", "book", value, max(value, share), at / SECOND, what)


def insurance(trace: Trace) -> Iterator[Saturation]:
    """The share of the insurance fund that was used at its lowest; 1 if it was always empty and
    another party had to bear a debt."""
    market = trace.scenario.market
    if market is None or trace["market"].is_empty():
        return
    start = market.margin.insurance_usd
    quantum = trace.stats.quantum_usd
    rows = trace["market"].filter(pl.col("kind") == MarketKind.INSURANCE).sort("amount", "time_ns")
    debts = trace["market"].filter(
        (pl.col("kind") == MarketKind.BAD_DEBT) & (pl.col("code") != Bearer.INSURANCE)
    )
    lowest, at = float(start), 0
    if rows.height:
        lowest, at = min(lowest, rows["amount"][0] * quantum), int(rows["time_ns"][0])
    value = (start - lowest) / start if start else float(debts.height > 0)
    what = f"of {start:,.0f} USD, the least balance was {max(0.0, lowest):,.0f} USD"
    value = float(min(1.0, max(0.0, value)))
    yield Saturation("insurance", "fund", value, value, at / SECOND if value else 0.0, what)


def _times(trace: Trace, kind: int) -> Ints:
    rows = trace["market"].filter(pl.col("kind") == kind)
    return rows["time_ns"].cast(pl.Int64).sort().to_numpy()


def _share(some: Ints, every: Ints, window: int) -> tuple[float, float]:
    """Greatest share of `some` among `every` (both sorted, the one part of the other) in a window
    that is made longer until it holds ten of `every`, or all if there are fewer: a single
    liquidation gives no meaningful share. Of equal ones that with most, then the first; and its
    begin."""
    if not len(some):
        return 0.0, 0.0
    least = min(_LEAST, len(every))
    first = np.minimum(np.arange(len(every)), len(every) - least)
    last = np.maximum(np.searchsorted(every, every[first] + window), first + least)
    begin, end = every[first], every[last - 1] + 1
    of = np.searchsorted(every, end) - np.searchsorted(every, begin)
    parts = np.searchsorted(some, end) - np.searchsorted(some, begin)
    worst = int(np.lexsort((begin, -of, -parts / of))[0])
    return float(parts[worst] / of[worst]), float(begin[worst])
