"""Stacked bars of mean latency."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Final

from surgetank.number_format import milliseconds, share
from surgetank.report.charts.over_time import WIDE
from surgetank.report.picture import NARROW, Key, Picture, twice
from surgetank.report.plot import Plot, Scale, text_width

__all__ = ["Part", "Stack", "bar_chart"]

_STEP: Final = 30
_THICK: Final = 19
#: Room right of the longest bar, for its total.
_TOTAL: Final = 62


@dataclass(frozen=True)
class Part:
    """A part that every bar has."""

    name: str
    colour: str
    """The name of a colour in style.css."""


@dataclass(frozen=True)
class Stack:
    """A bar and the lengths of its parts, ms."""

    name: str
    parts: tuple[float, ...]

    @property
    def total(self) -> float:
        """The length of the bar, ms."""
        return sum(self.parts)


def bar_chart(
    name: str,
    title: str,
    summary: str,
    parts: Sequence[Part],
    bars: Sequence[Stack],
    *,
    note: str = "",
) -> Picture:
    """A figure of bars, the first on top, with the total beside each."""
    longest = max(bar.total for bar in bars)
    scale = Scale(0.0, longest or 1.0, say=milliseconds, title="mean latency")
    left = int(max(text_width(bar.name) for bar in bars)) + 14

    def draw(width: int) -> Plot:
        size = (width, 8 + _STEP * len(bars) + 50)
        plot = Plot(size, scale, Scale(0.0, 1.0), (8, _TOTAL, 50, left))
        _draw_bars(plot, parts, bars)
        plot.x_axis(3 if width == NARROW else 8)
        return plot

    keys = tuple(Key(part.colour, part.name, series=i) for i, part in enumerate(parts))
    svgs = twice(draw, WIDE, title)
    return Picture(name, title, summary, svgs, note=note, full=True, keys=keys)


def _draw_bars(plot: Plot, parts: Sequence[Part], bars: Sequence[Stack]) -> None:
    tops = [8.0 + row * _STEP + (_STEP - _THICK) / 2 for row in range(len(bars))]
    for i, part in enumerate(parts):
        with plot.group("series", data_series=i, style=f"--c:var(--{part.colour})"):
            for bar, top in zip(bars, tops, strict=True):
                at, length = sum(bar.parts[:i]), bar.parts[i]
                wide = plot.x(at + length) - plot.x(at)
                if wide < 0.05:
                    continue
                ratio = share(length / bar.total)
                tip = f"{bar.name}, {part.name}: {milliseconds(length)}, {ratio}"
                x, wide = plot.x(at), max(wide, 0.5)
                plot.put("rect", "part", tip=tip, x=x, y=top, width=wide, height=_THICK)
    for bar, top in zip(bars, tops, strict=True):
        plot.text(plot.left - 8, top + 14, bar.name, anchor="end")
        plot.text(plot.x(bar.total) + 7, top + 14, milliseconds(bar.total), "said")
