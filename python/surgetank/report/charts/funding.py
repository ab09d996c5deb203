"""Funding payments, and the basis that they follow."""

from __future__ import annotations

from typing import Final

import numpy as np
import polars as pl

from surgetank.number_format import clock, number, usd
from surgetank.report.charts.envelope import Floats
from surgetank.report.charts.over_time import Panel, Series, seconds, time_chart
from surgetank.report.picture import Picture
from surgetank.report.plot import Scale
from surgetank.report.run_view import RunView
from surgetank.trace import MarketKind

__all__ = ["funding_charts", "market_colour"]

_BP_PER_PPB: Final = 1e-5
_COLOURS: Final = 8


def market_colour(market: int) -> str:
    """The colour of a perpetual in figures that have a line for each."""
    return f"curve-{market % _COLOURS}"


def funding_charts(view: RunView) -> list[Picture]:
    """Basis of the mark, rates of the payments, and what was paid so far; nothing if the venue has
    no funding payments."""
    market = view.trace.scenario.market
    if market is None or not (market.funding or any(p.funding for p in market.perpetuals)):
        return []
    basis = [
        line
        for index, (name, _) in enumerate(view.perpetuals)
        if (line := _basis(view, index, name)) is not None
    ]
    paid = view.facts(MarketKind.FUNDING).with_columns(
        rate=pl.col("qty") * _BP_PER_PPB, usd=pl.col("amount") * view.quantum_usd
    )
    panels = [Panel(_around(basis, "mark over outside price, bp"), tuple(basis), 150)]
    if paid.height:
        rates = [_rates(view, paid, index, name) for index, (name, _) in enumerate(view.perpetuals)]
        panels.append(Panel(_around(rates, "rate of a payment, bp of notional"), tuple(rates), 110))
        sides = [_so_far(view, paid, longs=True), _so_far(view, paid, longs=False)]
        top = max(float(side.y.max()) for side in sides)
        y = Scale(0.0, 1.08 * top or 1.0, say=usd, title="paid so far, USD")
        panels.append(Panel(y, tuple(sides), 130))
    if not basis and not paid.height:
        return []
    note = (
        "Of each bin the mark farthest from the outside price of its time. A rate above zero: "
        "longs paid shorts. Rounding aside, the other side received what one side paid."
    )
    title = "Funding payments"
    panels = [panel for panel in panels if panel.series]
    return [time_chart(view, "funding", title, _summary(view, paid), panels, note=note)]


def _summary(view: RunView, paid: pl.DataFrame) -> str:
    if paid.is_empty():
        return "No payment fell into the run: the first was due later."
    longs, shorts = (float(paid.filter(pl.col("rate") * sign > 0)["usd"].sum()) for sign in (1, -1))
    text = f"{paid.height:,} payments: longs paid {usd(longs)}, shorts {usd(shorts)}."
    top = paid.sort(pl.col("usd"), descending=True, maintain_order=True).row(0, named=True)
    of = f" of {view.perpetuals[top['market'] or 0][0]}" if len(view.perpetuals) > 1 else ""
    at = clock(top["time_ns"])
    return f"{text} The largest{of}, at {at}: {_bp(top['rate'])} of notional, {usd(top['usd'])}."


def _bp(value: float) -> str:
    return f"{number(round(value, 4))}\u00a0bp"


def _of(view: RunView, name: str, what: str) -> str:
    return f"{name}: {what}" if len(view.perpetuals) > 1 else what


def _basis(view: RunView, market: int, name: str) -> Series | None:
    """The mark over the outside price of the same time, bp: of each bin the value farthest from
    zero, from the first mark on."""
    in_market = pl.col("market").fill_null(0) == market
    index, mark = (
        view.facts(kind).filter(in_market).select("time_ns", pl.col("price").cast(pl.Float64))
        for kind in (MarketKind.INDEX, MarketKind.MARK)
    )
    if index.is_empty() or mark.is_empty():
        return None
    basis = (pl.col("price_mark") / pl.col("price") - 1) * 1e4
    bins = (
        pl.concat([index.select("time_ns"), mark.select("time_ns")])
        .unique()
        .sort("time_ns")
        .join_asof(index, on="time_ns")
        .join_asof(mark, on="time_ns", suffix="_mark")
        .drop_nulls()
        .group_by(view.binned("time_ns"), maintain_order=True)
        .agg(basis.sort_by(basis.abs()).last().alias("bp"))
    )
    x, y = seconds(bins["bin"] + view.step_ns // 2), bins["bp"].to_numpy()
    return Series(name, market_colour(market), x, y, _bp, read=_of(view, name, "basis"))


def _rates(view: RunView, paid: pl.DataFrame, market: int, name: str) -> Series:
    rows = paid.filter(pl.col("market").fill_null(0) == market)
    x, y = seconds(rows["time_ns"]), rows["rate"].to_numpy()
    read = _of(view, name, "payments")
    return Series(name, market_colour(market), x, y, _bp, "early", read=read, keyed=False)


def _so_far(view: RunView, paid: pl.DataFrame, *, longs: bool) -> Series:
    rows = paid.filter(pl.col("rate") > 0 if longs else pl.col("rate") < 0)
    steps = np.cumsum(rows["usd"].to_numpy())
    x = np.concatenate([[0.0], seconds(rows["time_ns"]), [view.end_ns / 1e9]])
    y = np.concatenate([[0.0], steps, steps[-1:] if len(steps) else [0.0]])
    name, colour, kind = ("longs", "ink", "") if longs else ("shorts", "price-oracle", "dash")
    return Series(f"paid by {name}", colour, x, y, usd, kind, step=True)


def _around(lines: list[Series], title: str) -> Scale:
    """A scale over all lines that has zero in it."""
    values: Floats = np.concatenate([np.zeros(1), *(line.y for line in lines)])
    low, high = float(values.min()), float(values.max())
    room = 0.08 * (high - low) or 1.0
    return Scale(low - room * (low < 0), high + room, say=number, title=title)
