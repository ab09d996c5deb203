"""Price and rate of a recording over time, each wide and narrow."""

from __future__ import annotations

from collections.abc import Callable
from typing import Final

from markupsafe import Markup

from surgetank.number_format import number
from surgetank.report.plot import Plot, Scale
from surgetank.tape.inspection import Binned
from surgetank.tape.inspection_text import unit_of

__all__ = ["price_figure", "rate_figure"]

_WIDE: Final = (1080, 300)
_NARROW: Final = (350, 240)


def price_figure(series: Binned) -> tuple[Markup, Markup]:
    """The price: a band between the lowest and the highest of each interval."""
    low, high = float(series.low.min()), float(series.high.max())
    room = 0.04 * (high - low) or 0.01 * high
    y = Scale(low - room, high + room, say=_price, title="price, USD")
    at, x = _over_time(series)
    steps = list(zip(at, series.low, series.high, strict=True))
    edge = [(at, float(top)) for at, _, top in steps]
    edge += [(at, float(bottom)) for at, bottom, _ in reversed(steps)]
    text = f"Price over time, between {_price(low)} and {_price(high)} USD"

    def draw(plot: Plot) -> None:
        plot.line(edge, "band", shut=True)
        plot.line(((at, float(a + b) / 2) for at, a, b in steps), "curve s0")

    return _both(x, y, text, draw)


def rate_figure(series: Binned) -> tuple[Markup, Markup]:
    """Rows a second: the mean of each interval, and its busiest second."""
    top = float(max(series.peak.max(), series.rate.max(), 1.0))
    y = Scale(0.0, 1.08 * top, say=number, title="rows a second")
    at, x = _over_time(series)
    text = f"Rows a second over time, at most {number(top)}"

    def draw(plot: Plot) -> None:
        if series.bin_s > 1:
            plot.line(zip(at, series.peak.tolist(), strict=True), "curve rough s1")
        plot.line(zip(at, series.rate.tolist(), strict=True), "curve s0")

    return _both(x, y, text, draw)


def _over_time(series: Binned) -> tuple[list[float], Scale]:
    """The beginnings of the bins, and their axis, in the unit that suits the recording's length."""
    end_s = float(series.at_s[-1]) + series.bin_s
    unit_s, unit = unit_of(end_s)
    axis = Scale(0.0, end_s / unit_s, say=number, title=f"{unit} from the first row")
    return (series.at_s / unit_s).tolist(), axis


def _both(x: Scale, y: Scale, text: str, draw: Callable[[Plot], None]) -> tuple[Markup, Markup]:
    found = []
    for size, kind in ((_WIDE, "wide"), (_NARROW, "narrow")):
        plot = Plot(size, x, y, (30, 18, 52, 68))
        plot.axes(8 if kind == "wide" else 4, 5)
        draw(plot)
        found.append(plot.svg(text, kind))
    return found[0], found[1]


def _price(usd: float) -> str:
    return f"{usd:,.6g}"
