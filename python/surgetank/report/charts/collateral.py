"""Collateral in assets: its value over time, what was sold of it, and what haircuts took."""

from __future__ import annotations

import numpy as np
import polars as pl

from surgetank.number_format import usd
from surgetank.report.charts.envelope import Floats
from surgetank.report.charts.funding import market_colour
from surgetank.report.charts.over_time import Panel, Series, seconds, time_chart
from surgetank.report.picture import Picture
from surgetank.report.plot import Scale
from surgetank.report.run_view import RunView
from surgetank.scenario.market import Collateral
from surgetank.trace import MarketKind

__all__ = ["collateral_charts"]


def collateral_charts(view: RunView) -> list[Picture]:
    """Value of the assets that accounts hold as collateral, and the losses by haircuts when they
    were sold; nothing if there are none."""
    market = view.trace.scenario.market
    if market is None or not any(view.trace.stats.collateral):
        return []
    held, lost = [], []
    totals = {"at the start": 0.0, "at the end": 0.0, "sold for": 0.0, "haircuts": 0.0}
    for index, (asset, amount) in enumerate(
        zip(market.collateral, view.trace.stats.collateral, strict=True)
    ):
        sold = view.facts(MarketKind.COLLATERAL_SOLD).filter(pl.col("code") == index)
        value = _held(view, index, asset, amount, sold)
        held.append(value)
        lost.append(_lost(view, index, asset, sold))
        totals["at the start"] += float(value.y[0])
        totals["at the end"] += float(value.y[-1])
        totals["sold for"] += int(sold["amount"].sum()) * view.quantum_usd
        totals["haircuts"] += float(lost[-1].y[-1])
    said = {name: usd(value) for name, value in totals.items()}
    summary = (
        f"Worth {said['at the start']} at the start and {said['at the end']} at the end. Sales "
        f"brought {said['sold for']}; haircuts took {said['haircuts']} of their value."
    )
    note = (
        "The value is at the mark, without haircut, and falls with the price and with what is sold."
    )
    panels = [
        Panel(_from_zero(held, "value of the assets held, USD"), tuple(held), 150),
        Panel(_from_zero(lost, "lost to haircuts so far, USD"), tuple(lost), 100),
    ]
    return [time_chart(view, "collateral", "Collateral in assets", summary, panels, note=note)]


def _held(view: RunView, index: int, asset: Collateral, amount: int, sold: pl.DataFrame) -> Series:
    """The value of what accounts hold of an asset: amount at the start less what was sold, at its
    price."""
    gone = sold.select("time_ns", gone=pl.col("qty").cum_sum().cast(pl.Float64))
    gone = pl.concat([pl.DataFrame({"time_ns": [0], "gone": [0.0]}, schema=gone.schema), gone])
    price = _prices(view, asset)
    ends = pl.DataFrame({"time_ns": [view.end_ns]}, schema={"time_ns": pl.UInt64})
    times = pl.concat([gone.select("time_ns"), price.select("time_ns"), ends]).unique()
    rows = (
        times.sort("time_ns")
        .join_asof(gone, on="time_ns")
        .join_asof(price, on="time_ns", strategy="backward")
        .with_columns(pl.col("price").fill_null(strategy="backward"))
    )
    y = (amount - rows["gone"]) * rows["price"] * view.quantum_usd
    x = seconds(rows["time_ns"])
    return Series(asset.name, market_colour(index), x, y.to_numpy(), usd, step=True)


def _prices(view: RunView, asset: Collateral) -> pl.DataFrame:
    """time_ns and price, in quanta for one of its units."""
    if asset.price_usd:
        schema = {"time_ns": pl.UInt64, "price": pl.Float64}
        return pl.DataFrame({"time_ns": [0], "price": [1.0]}, schema=schema)
    names = [name for name, _ in view.perpetuals]
    market = names.index(asset.market) if asset.market else 0
    # Prices that blocks bring leave no marks: the mark is then the index.
    both = (view.facts(kind) for kind in (MarketKind.MARK, MarketKind.INDEX))
    marks, index = (rows.filter(pl.col("market").fill_null(0) == market) for rows in both)
    rows = index if marks.is_empty() else marks
    return rows.select("time_ns", pl.col("price").cast(pl.Float64))


def _lost(view: RunView, index: int, asset: Collateral, sold: pl.DataFrame) -> Series:
    """What haircuts took so far: value less proceeds of what was sold."""
    taken = sold["amount"].cast(pl.Float64) * asset.haircut / (1 - asset.haircut)
    steps: Floats = np.cumsum(taken.to_numpy()) * view.quantum_usd
    x = np.concatenate([[0.0], seconds(sold["time_ns"]), [view.end_ns / 1e9]])
    y = np.concatenate([[0.0], steps, steps[-1:] if len(steps) else [0.0]])
    read = f"{asset.name}: lost to the haircut"
    return Series(asset.name, market_colour(index), x, y, usd, step=True, read=read)


def _from_zero(lines: list[Series], title: str) -> Scale:
    top = max(float(line.y.max()) for line in lines)
    return Scale(0.0, 1.08 * top or 1.0, say=usd, title=title)
