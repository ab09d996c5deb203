"""Figures of a position book: liquidated notional by price move, leverage, concentration."""

from __future__ import annotations

import itertools
import math
from typing import Final

import numpy as np

from surgetank.number_format import share, usd
from surgetank.positions.summary import BookSummary
from surgetank.report.picture import NARROW, Picture, twice
from surgetank.report.plot import Plot, Scale

__all__ = ["LEVERAGE_BINS", "by_leverage", "pictures"]

_WIDE: Final = 540
_HEIGHTS: Final = {_WIDE: 340, NARROW: 300}
#: Top, right, bottom, left: room for the title of the y axis.
_MARGIN: Final = (34, 30, 52, 58)
#: Moves drawn: every percent from −40 % to +40 %.
_MOVES: Final = tuple(i / 100 for i in range(-40, 41))
#: Bounds of leverage; the last bin has everything above.
LEVERAGE_BINS: Final = (0.0, 1.0, 2.0, 3.0, 5.0, 10.0, 20.0, 50.0, math.inf)


def pictures(summary: BookSummary) -> list[Picture]:
    """The figures of the page, in order."""
    return [_moves(summary), _leverage(summary), _concentration(summary)]


def by_leverage(summary: BookSummary) -> list[tuple[str, float]]:
    """(leverages, share of notional) of each bin."""
    leverage, gross = summary.book.leverage, summary.gross_usd
    found = []
    for low, high in itertools.pairwise(LEVERAGE_BINS):
        inside = (leverage > low) & (leverage <= high)
        name = f"{low:g}–{high:g}×" if math.isfinite(high) else f"over {low:g}×"
        found.append((name, float(gross[inside].sum() / gross.sum())))
    return found


def _percent(v: float) -> str:
    return f"{100 * v:+.0f} %".replace("-", "−") if v else "0 %"


def _moves(summary: BookSummary) -> Picture:
    whole = float(summary.gross_usd.sum())
    shares = [summary.liquidated_usd(move) / whole for move in _MOVES]
    most = max(*shares, 0.05)

    def draw(width: int) -> Plot:
        x = Scale(_MOVES[0], _MOVES[-1], say=_percent, title="move of all prices at once")
        y = Scale(0.0, min(1.0, most * 1.08), say=share, title="of the notional")
        plot = Plot((width, _HEIGHTS[width]), x, y, _MARGIN)
        plot.axes(5 if width == NARROW else 9, 5)
        points = list(zip(_MOVES, shares, strict=True))
        plot.line([(_MOVES[0], 0.0), *points, (_MOVES[-1], 0.0)], "band", shut=True)
        plot.line(points, "curve s0")
        for move, part in points[::10]:
            plot.dot(move, part, 3.5, "dot f0", f"{_percent(move)}: {usd(part * whole)}")
        return plot

    text = "Share of the open notional whose accounts are below maintenance margin, by price move"
    return Picture(
        "moves",
        "What a price move would liquidate",
        f"{text}. Before any liquidation moves the price further.",
        twice(draw, _WIDE, text),
    )


def _leverage(summary: BookSummary) -> Picture:
    bins = by_leverage(summary)
    most = max(part for _, part in bins)

    def draw(width: int) -> Plot:
        x = Scale(0.0, float(len(bins)), say=lambda _: "", title="leverage: notional over equity")
        y = Scale(0.0, max(most * 1.1, 0.01), say=share, title="of the notional")
        plot = Plot((width, _HEIGHTS[width]), x, y, _MARGIN)
        plot.axes(0, 5)
        narrow = width == NARROW
        for i, (name, part) in enumerate(bins):
            left, right = plot.x(i + 0.1), plot.x(i + 0.9)
            top = plot.y(part)
            tip = f"{name}: {share(part)}"
            wide, tall = right - left, max(plot.bottom - top, 0.0)
            plot.put("rect", "bar f0", tip=tip, x=left, y=top, width=wide, height=tall)
            # On a phone, the lower bound alone.
            short = f">{LEVERAGE_BINS[i]:g}" if narrow else name
            plot.text((left + right) / 2, plot.bottom + 17, short, "faint", "middle")
        return plot

    text = "Notional by leverage of the margin account"
    note = ""
    if summary.bankrupt:
        note = "Bankrupt accounts have no leverage and stand in the last bar."
    return Picture("leverage", "Leverage", f"{text}.", twice(draw, _WIDE, text), note=note)


def _concentration(summary: BookSummary) -> Picture:
    held = np.cumsum(summary.by_owner_usd) / summary.by_owner_usd.sum()
    ranks = sorted({*np.unique(np.geomspace(1, len(held), 80).astype(int)).tolist(), len(held)})

    def draw(width: int) -> Plot:
        x = Scale(
            1.0, float(max(len(held), 2)), log=True, say=lambda v: f"{v:,.0f}", title="accounts"
        )
        plot = Plot(
            (width, _HEIGHTS[width]),
            x,
            Scale(0.0, 1.02, say=share, title="of the notional"),
            _MARGIN,
        )
        plot.axes(4 if width == NARROW else 6, 5)
        plot.line([(float(rank), float(held[rank - 1])) for rank in ranks], "curve s1")
        if len(held) >= 10:
            tip = f"ten largest: {share(float(held[9]))}"
            plot.dot(10.0, float(held[9]), 4.5, "dot f1", tip)
        return plot

    text = "Share of the notional that the largest accounts hold, by their number"
    return Picture("concentration", "Concentration", f"{text}.", twice(draw, _WIDE, text))
