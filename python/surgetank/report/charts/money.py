"""Prices, liquidations, bad debt and the insurance fund over time."""

from __future__ import annotations

import math
from typing import Any, Final

import numpy as np
import polars as pl

from surgetank.measure.liquidations import Timing
from surgetank.number_format import clock, milliseconds, share, usd
from surgetank.report.charts.figure import Chart, Line, line, log_ms_axis, plain, seconds, thin
from surgetank.report.run_view import RunView
from surgetank.trace import MarketKind

__all__ = ["debt_charts", "due_charts", "liquidation_charts", "price_charts"]

_MARKS_MAX: Final = 800


def price_charts(view: RunView) -> list[Chart]:
    """Outside price, oracle price as executed, mark; liquidations as marks on them."""
    data: list[Line] = []
    styles: dict[MarketKind, tuple[str, str, dict[str, Any]]] = {
        MarketKind.INDEX: ("outside price", "@ink", {"width": 2}),
        MarketKind.ORACLE: (
            "oracle, as executed",
            "@price-oracle",
            {"shape": "hv", "dash": "dash"},
        ),
        MarketKind.MARK: ("mark", "@price-mark", {"shape": "hv", "dash": "dot"}),
    }
    for kind, (name, colour, style) in styles.items():
        rows = thin(view.facts(kind).select("time_ns", "price"), "price")
        if rows.height:
            prices = (rows["price"] * view.tick_usd).to_list()
            x = seconds(rows["time_ns"])
            data.append(line(name, x, prices, colour, hovertemplate="%{y:$,.2f}", **style))
    if not data:
        return []
    orders = view.liquidated
    for timing in Timing:
        rows = orders.filter(pl.col("timing") == timing)
        data += _marks(view, rows, f"liquidated, {timing}", timing is Timing.LATE)
    outside = view.facts(MarketKind.INDEX)["price"]
    summary = "Liquidations are drawn at their average price."
    if outside.len() and outside[0]:
        low = view.facts(MarketKind.INDEX).sort("price", maintain_order=True).row(0, named=True)
        fall = 1 - low["price"] / outside[0]
        summary = (
            f"The outside price fell by {share(fall)} until {clock(low['time_ns'])}. {summary}"
        )
    note = ""
    if view.liquidated.height > 2 * _MARKS_MAX:
        note = f"At most {_MARKS_MAX} liquidations of each kind are drawn, evenly picked."
    layout = {"yaxis": {"tickprefix": "$", "tickformat": ",~r"}}
    title = "Price and liquidations"
    return [Chart("price", title, summary, data, layout, height=360, note=note)]


def _marks(view: RunView, rows: pl.DataFrame, name: str, late: bool) -> list[Line]:
    if rows.is_empty():
        return []
    picked = rows.gather_every(max(1, -(-rows.height // _MARKS_MAX)))
    colour = "@bad" if late else "@good"
    return [
        {
            "type": "scatter",
            "mode": "markers",
            "name": f"{name} ({rows.height:,})",
            "x": seconds(picked["time_ns"]),
            "y": plain((picked["price"] * view.tick_usd).to_list()),
            "customdata": [
                "" if d is None else f", {milliseconds(d / 1e6)} after due"
                for d in picked["delay_ns"]
            ],
            "hovertemplate": "%{y:$,.2f}%{customdata}",
            "marker": {
                "symbol": "diamond" if late else "circle-open",
                "size": 7 if late else 6,
                "color": f"{colour}/75" if late else colour,
                "line": {"width": 0.5 if late else 1.3, "color": "@surface" if late else colour},
            },
        }
    ]


def debt_charts(view: RunView) -> list[Chart]:
    """Bad debt so far and the balance of the insurance fund."""
    debt = view.facts(MarketKind.BAD_DEBT).select(
        pl.col("time_ns").cast(pl.Int64),
        (pl.col("amount").abs().cum_sum() * view.quantum_usd).alias("usd"),
    )
    fund = view.insurance
    if debt.is_empty() and fund.is_empty():
        return []
    data = []
    form = {"hovertemplate": "%{y:$,.0f}", "shape": "hv"}
    if fund.height:
        rows = thin(_held(fund, view.end_ns), "usd")
        x, y = seconds(rows["time_ns"]), rows["usd"].to_list()
        data.append(line("insurance fund", x, y, "@insurance", width=2, dash="dash", **form))
    total = 0.0
    if debt.height:
        total = float(debt["usd"][-1])
        start = pl.DataFrame({"time_ns": [0], "usd": [0.0]})
        rows = thin(_held(pl.concat([start, debt]), view.end_ns), "usd")
        fill = {"fill": "tozeroy", "fillcolor": "@bad/20"}
        x, y = seconds(rows["time_ns"]), rows["usd"].to_list()
        data.append(line("bad debt so far", x, y, "@bad", width=2.2, **form, **fill))
    summary = f"Bad debt at the end: {usd(total)}."
    if fund.height:
        low = fund.sort("usd", maintain_order=True).row(0, named=True)
        summary += f" The insurance fund was lowest at {clock(low['time_ns'])}: {usd(low['usd'])}."
    layout = {"yaxis": {"tickprefix": "$", "tickformat": ",.3~s", "rangemode": "tozero"}}
    return [Chart("debt", "Bad debt and the insurance fund", summary, data, layout)]


def _held(rows: pl.DataFrame, end_ns: int) -> pl.DataFrame:
    """The last value carried on to the end of the run."""
    last = pl.DataFrame({"time_ns": [end_ns], "usd": [float(rows["usd"][-1])]})
    return pl.concat([rows, last])


def due_charts(view: RunView) -> list[Chart]:
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
    steps = thin(steps, "open")
    fill = {"fill": "tozeroy", "fillcolor": "@liquidation-order/20", "shape": "hv"}
    data = [
        line(
            "due, not closed",
            seconds(steps["time_ns"]),
            steps["open"].to_list(),
            "@liquidation-order",
            hovertemplate="%{y:,} accounts",
            showlegend=False,
            **fill,
        )
    ]
    summary = f"At most {top['open']:,} accounts at once, at {clock(top['time_ns'])}."
    layout = {"yaxis": {"rangemode": "tozero", "tickformat": ",~d"}}
    title = "Accounts due and not yet closed"
    return [Chart("due", title, summary, data, layout, height=220)]


def liquidation_charts(view: RunView) -> list[Chart]:
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
    middle = (edges[:-1] + edges[1:]) / 2
    late = middle > anchor if bound else np.zeros(len(middle), dtype=np.bool_)
    data = []
    for name, colour, chosen in (("in time", "@good", ~late), ("late", "@bad", late)):
        if counts[chosen].sum():
            spans = [
                f"{milliseconds(10**a)} – {milliseconds(10**b)}"
                for a, b in zip(edges[:-1][chosen], edges[1:][chosen], strict=True)
            ]
            data.append(
                {
                    "type": "bar",
                    "name": f"{name} ({int(counts[chosen].sum()):,})",
                    "x": plain(middle[chosen].tolist()),
                    "y": counts[chosen].tolist(),
                    "width": width * 0.9,
                    "marker": {"color": colour},
                    "customdata": spans,
                    "hovertemplate": "%{y:,} in %{customdata}<extra></extra>",
                }
            )
    scale = log_ms_axis(10 ** float(edges[0]), 10 ** float(edges[-1]))
    layout: dict[str, Any] = {
        "xaxis": {
            "tickvals": [math.log10(t) for t in scale["tickvals"]],
            "ticktext": scale["ticktext"],
            "range": [float(edges[0]) - 0.1, float(edges[-1]) + 0.1],
        },
        "yaxis": {"rangemode": "tozero", "tickformat": ",~d"},
        "hovermode": "closest",
        "barmode": "overlay",
    }
    median = milliseconds(float(np.median(delay)))
    summary = f"From the crossing of the outside price to the close: median {median}."
    note = f"The figure shows the first order of each due account. {view.reconciled}"
    title = "Time from due to liquidated"
    return [Chart("liquidations", title, summary, data, layout, time=False, note=note)]
