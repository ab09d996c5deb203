"""Prices, liquidations, bad debt and the insurance fund over time."""

from __future__ import annotations

import math
from functools import partial
from typing import Any, Final

import numpy as np
import polars as pl
from numpy.typing import NDArray

from surgetank.measure.liquidations import Timing
from surgetank.number_format import clock, counted, milliseconds, number, share, usd
from surgetank.report.charts.envelope import Floats
from surgetank.report.charts.over_time import WIDE, Panel, Series, seconds, time_chart
from surgetank.report.picture import NARROW, Key, Picture, twice
from surgetank.report.plot import Plot, Scale
from surgetank.report.run_view import RunView
from surgetank.trace import MarketKind

__all__ = ["debt_charts", "due_charts", "liquidation_charts", "price_charts"]

#: Line of a price: name, colour, kind, and whether it holds until the next one.
_PRICES: Final = {
    MarketKind.INDEX: ("outside price", "ink", "bold", False),
    MarketKind.ORACLE: ("oracle, as executed", "price-oracle", "dash", True),
    MarketKind.MARK: ("mark", "price-mark", "dots", True),
}
_AT: Final = ("time_ns", "price")
#: Points of a liquidation: shape and colour.
_LIQUIDATED: Final = {
    Timing.IN_TIME: ("early", "good"),
    Timing.LATE: ("late", "bad"),
    Timing.FURTHER_PART: ("early", "muted"),
    Timing.NOT_DUE_OUTSIDE: ("early", "odd"),
    Timing.NO_COUNTERPARTY: ("late", "odd"),
}


def price_charts(view: RunView) -> list[Picture]:
    """Outside price, oracle price as executed, mark, and liquidations as points on them: a panel
    for each perpetual."""
    panels = [
        panel
        for market, (name, tick_usd) in enumerate(view.perpetuals)
        if (panel := _prices(view, market, name, tick_usd)) is not None
    ]
    if not panels:
        return []
    return [time_chart(view, "price", "Price and liquidations", _fall(view), panels)]


def _prices(view: RunView, market: int, name: str, tick_usd: float) -> Panel | None:
    in_market = pl.col("market").fill_null(0) == market
    of = f"{name}: " if len(view.perpetuals) > 1 else ""
    facts = {kind: view.facts(kind).filter(in_market) for kind in _PRICES}
    marks = {timing: view.liquidated.filter(pl.col("timing") == timing) for timing in Timing}
    drawn = [*facts.values(), *(rows.filter(in_market) for rows in marks.values())]
    values = np.concatenate([_floats(rows["price"].drop_nulls()) * tick_usd for rows in drawn])
    if not len(values):
        return None
    low, high = float(values.min()), float(values.max())
    room = 0.05 * (high - low) or 0.01 * abs(high) or 1.0
    # As many decimals as tell the ticks of the axis apart.
    digits = max(0, 1 - math.floor(math.log10(high - low + 2 * room)))
    text = partial(_dollars, digits=digits)
    series = []
    same = facts[MarketKind.ORACLE].select(_AT).equals(facts[MarketKind.MARK].select(_AT))
    for kind, (what, colour, style, step) in _PRICES.items():
        if same and kind == MarketKind.MARK:
            continue
        if same and kind == MarketKind.ORACLE:
            what += ", and mark"
        if facts[kind].height:
            x, y = seconds(facts[kind]["time_ns"]), _floats(facts[kind]["price"]) * tick_usd
            series.append(Series(what, colour, x, y, text, style, step=step, read=of + what))
    for timing, every in marks.items():
        rows = every.filter(in_market)
        if rows.height:
            x, y = seconds(rows["time_ns"]), _floats(rows["price"]) * tick_usd
            shape, colour = _LIQUIDATED[timing]
            what = f"liquidated, {timing}"
            keyed = f"{what} ({every.height:,})"
            series.append(Series(keyed, colour, x, y, text, shape, read=of + what))
    axis = Scale(low - room, high + room, say=text, title=f"price of {name}, USD")
    return Panel(axis, tuple(series), 260 if len(view.perpetuals) == 1 else 170)


def _dollars(v: float, *, digits: int) -> str:
    return f"${v:,.{digits}f}"


def _floats(values: pl.Series) -> Floats:
    return values.cast(pl.Float64).to_numpy()


def _fall(view: RunView) -> str:
    summary = "Liquidations are drawn at their average price."
    falls = []
    for market, (name, _) in enumerate(view.perpetuals):
        rows = view.facts(MarketKind.INDEX).filter(pl.col("market").fill_null(0) == market)
        if rows.is_empty() or not rows["price"][0]:
            continue
        low = rows.sort("price", maintain_order=True).row(0, named=True)
        of = f" of {name}" if len(view.perpetuals) > 1 else ""
        fall = 1 - low["price"] / rows["price"][0]
        until = f"fell by {share(fall)} until {clock(low['time_ns'])}" if fall else "did not fall"
        falls.append(f"{of} {until}")
    return f"The outside price{'; that'.join(falls)}. {summary}" if falls else summary


def debt_charts(view: RunView) -> list[Picture]:
    """Bad debt so far and the balance of the insurance fund."""
    debt = view.facts(MarketKind.BAD_DEBT).select(
        pl.col("time_ns").cast(pl.Int64),
        (pl.col("amount").abs().cum_sum() * view.quantum_usd).alias("usd"),
    )
    fund = view.insurance
    if debt.is_empty() and fund.is_empty():
        return []
    # A panel each: they differ by orders of magnitude.
    panels, total = [], 0.0
    if debt.height:
        total = float(debt["usd"][-1])
        start = pl.DataFrame({"time_ns": [0], "usd": [0.0]})
        panels.append(_balance(view, "bad debt so far", "bad", pl.concat([start, debt])))
    summary = f"Bad debt at the end: {usd(total)}."
    if fund.height:
        low = fund.sort("usd", maintain_order=True).row(0, named=True)
        summary += f" The insurance fund was lowest at {clock(low['time_ns'])}: {usd(low['usd'])}."
        panels.append(_balance(view, "insurance fund", "insurance", fund))
    return [time_chart(view, "debt", "Bad debt and the insurance fund", summary, panels)]


def _balance(view: RunView, name: str, colour: str, rows: pl.DataFrame) -> Panel:
    """A balance after each change, the last carried on to the end of the run."""
    last = pl.DataFrame({"time_ns": [view.end_ns], "usd": [float(rows["usd"][-1])]})
    rows = pl.concat([rows, last])
    x, y = seconds(rows["time_ns"]), _floats(rows["usd"])
    series = Series(name, colour, x, y, usd, "bold", step=True, fill=True, keyed=False)
    top, low = max(0.0, float(y.max())), min(0.0, float(y.min()))
    room = 0.06 * (top - low) or 1.0
    axis = Scale(low - room * (low < 0), top + room, say=usd, title=f"{name}, USD")
    return Panel(axis, (series,), 110)


def due_charts(view: RunView) -> list[Picture]:
    """Accounts that are due for liquidation and not yet closed."""
    rows = view.episodes
    if rows.is_empty():
        return []
    end = rows["ended_ns"].fill_null(view.end_ns + 1)
    ends = [0, view.end_ns]
    times = np.concatenate([rows["due_ns"].to_numpy(), end.to_numpy(), ends])
    change = np.concatenate([np.repeat([1, -1], rows.height), [0, 0]])
    order = np.argsort(times, kind="stable")
    steps = pl.DataFrame({"time_ns": times[order], "open": np.cumsum(change[order])})
    steps = steps.filter(pl.col("time_ns") <= view.end_ns)
    top = steps.sort("open", descending=True, maintain_order=True).row(0, named=True)
    series = Series(
        "due, not closed",
        "liquidation-order",
        seconds(steps["time_ns"]),
        _floats(steps["open"]),
        number,
        step=True,
        fill=True,
    )
    summary = f"At most {counted(top['open'], 'account')} at once, at {clock(top['time_ns'])}."
    y = Scale(0.0, max(1.0, 1.08 * top["open"]), say=number, title="accounts")
    title = "Accounts due and not yet closed"
    return [time_chart(view, "due", title, summary, [Panel(y, (series,), 130)])]


def liquidation_charts(view: RunView) -> list[Picture]:
    """Histogram of the time from due to liquidated, on a logarithmic axis."""
    first = view.liquidated.filter(pl.col("timing").is_in([Timing.IN_TIME, Timing.LATE]))
    delay = first["delay_ns"].to_numpy() / 1e6
    if not len(delay):
        return []
    bound = None if view.late_after_ns is None else view.late_after_ns / 1e6
    # A bin edge at the bound, so that no bar is half late.
    anchor, width = math.log10(bound) if bound else 0.0, 0.1
    logs = np.log10(np.maximum(delay, 0.01))
    lowest = math.floor((float(logs.min()) - anchor) / width)
    last = math.ceil((float(logs.max()) - anchor) / width + 1e-9)
    edges = anchor + width * np.arange(lowest, max(last, lowest + 1) + 1)
    counts = np.histogram(logs, edges)[0]
    late = edges[:-1] > anchor - width / 2 if bound else np.zeros(len(counts), dtype=np.bool_)
    sides = (("in time", "good", counts[~late].sum()), ("late", "bad", counts[late].sum()))
    keys = tuple(
        Key(colour, f"{name} ({count:,})", series=i)
        for i, (name, colour, count) in enumerate(sides)
        if count
    )
    median = milliseconds(float(np.median(delay)))
    summary = f"From the crossing of the outside price to the close: median {median}."
    note = f"The figure shows the first order of each due account. {view.reconciled}"
    title = "Time from due to liquidated"
    draw = partial(_histogram, edges, counts, late)
    svgs = twice(draw, WIDE, title)
    return [Picture("liquidations", title, summary, svgs, note=note, full=True, keys=keys)]


def _histogram(edges: NDArray[Any], counts: NDArray[Any], late: NDArray[Any], width: int) -> Plot:
    small = width == NARROW
    title = "time from due to liquidated"
    x = Scale(10 ** float(edges[0] - 0.1), 10 ** float(edges[-1] + 0.1), True, milliseconds, title)
    y = Scale(0.0, 1.06 * float(counts.max()), say=number, title="accounts")
    plot = Plot((width, 250), x, y, (28, 14, 48, 58))
    plot.axes(4 if small else 10, 5)
    for low, high, count, is_late in zip(edges[:-1], edges[1:], counts, late, strict=True):
        if not count:
            continue
        left, right = plot.x(10 ** float(low)), plot.x(10 ** float(high))
        tip = f"{milliseconds(10**low)} – {milliseconds(10**high)}: {count:,}"
        top = plot.y(float(count))
        colour = "bad" if is_late else "good"
        wide, tall = right - left - 2, plot.bottom - top
        with plot.group("series", data_series=int(is_late), style=f"--c:var(--{colour})"):
            plot.put("rect", "part", tip=tip, x=left + 1, y=top, width=wide, height=tall)
    return plot
