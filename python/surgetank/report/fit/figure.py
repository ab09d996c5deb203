"""Figures of a fitted flow, each wide and narrow."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from typing import Final

import numpy as np
from markupsafe import Markup

from surgetank.fit.flow import FlowFit
from surgetank.fit.hawkes import compensator
from surgetank.number_format import number
from surgetank.report.plot import Plot, Scale

__all__ = ["FitFigure", "burstiness", "intensity", "quantiles", "rates"]

_WIDE: Final = (1080, 320)
_NARROW: Final = (350, 260)
_BINS: Final = 240


@dataclass(frozen=True)
class FitFigure:
    """A figure with its title and what is to be seen."""

    name: str
    title: str
    caption: str
    drawing: tuple[Markup, Markup]


def intensity(flow: FlowFit) -> FitFigure:
    """Recorded rate, and the intensity that the likelihood's process had given the past."""
    events = flow.events
    edges = np.linspace(0.0, events.span, min(_BINS, max(10, len(events.times) // 20)) + 1)
    width = float(edges[1])
    counts = np.diff(np.searchsorted(events.times, edges)) / width
    grown = np.cumsum(compensator(events, flow.hawkes))
    fitted = np.diff(np.interp(edges, events.times, grown, left=0.0)) / width
    middle = ((edges[:-1] + edges[1:]) / 2).tolist()
    x = Scale(0.0, events.span, say=number, title="seconds from the first row")
    y = _from_zero(float(max(counts.max(), fitted.max())), "messages a second")

    def draw(plot: Plot) -> None:
        plot.line(zip(middle, counts.tolist(), strict=True), "curve s6")
        plot.line(zip(middle, fitted.tolist(), strict=True), "curve rough s1")

    caption = (
        f"Line: recorded, in intervals of {number(width)} s. Broken line: the fitted intensity, "
        "given what came before. They agree in any Hawkes fit of bursts; the Q–Q plot is the test."
    )
    drawing = _both(x, y, "Recorded rate and fitted intensity over time", draw)
    return FitFigure("intensity", "Rate and fitted intensity", caption, drawing)


def quantiles(flow: FlowFit) -> FitFigure:
    """Quantiles of the residuals against those of Exp(1)."""
    theory, found = flow.goodness.theory, flow.goodness.found
    top = float(theory[-1])
    x = Scale(0.0, top, say=number, title="quantile of Exp(1)")
    y = _from_zero(float(max(found.max(), top)), "quantile of the residuals")

    def draw(plot: Plot) -> None:
        plot.line([(0.0, 0.0), (top, top)], "guide")
        plot.line(zip(theory.tolist(), found.tolist(), strict=True), "curve s0")

    caption = (
        "On the broken line if the fitted process were the recording's: then the compensator's "
        "increments between messages are independent and Exp(1)."
    )
    drawing = _both(x, y, "Quantiles of the residuals against those of Exp(1)", draw)
    return FitFigure("quantiles", "Residuals (Q–Q plot)", caption, drawing)


def burstiness(flow: FlowFit) -> FitFigure:
    """Index of dispersion against the length of the window, recorded and written."""
    spans = [d.window_s for d in flow.dispersion]
    written = flow.written.tolist()
    values = [v for d in flow.dispersion for v in (d.low, d.high)] + written
    x = Scale(spans[0] / 1.2, spans[-1] * 1.2, True, number, "length of the window, s")
    y = Scale(
        max(min(values) / 1.3, 1e-3),
        max(values) * 1.3,
        True,
        number,
        "variance over mean of counts",
    )

    def draw(plot: Plot) -> None:
        for d in flow.dispersion:
            tip = f"{number(d.window_s)} s: {number(d.value)}, {number(d.low)} to {number(d.high)}"
            plot.line([(d.window_s, d.low), (d.window_s, d.high)], "whisker s0", tip=tip)
            plot.dot(d.window_s, d.value, 4, "dot f0", tip)
        plot.line(zip(spans, written, strict=True), "curve s1")

    caption = (
        "Points: recorded, with 95 % intervals. Line: the process that is written, by formula. A "
        "Poisson process is at 1."
    )
    drawing = _both(x, y, "Index of dispersion against the length of the window", draw)
    return FitFigure("burstiness", "Burstiness", caption, drawing)


def rates(flow: FlowFit) -> FitFigure:
    """Histogram of the counts of seconds."""
    events = flow.events
    seconds = max(1, int(events.span))
    counts = np.bincount(events.times.astype(np.int64), minlength=seconds)[:seconds]
    held, edges = np.histogram(counts, bins=min(40, int(counts.max()) + 1))
    across = Scale(0.0, float(edges[-1]) or 1.0, say=number, title="messages in a second")
    up = _from_zero(float(held.max()), "seconds")

    def draw(plot: Plot) -> None:
        for count, a, b in zip(held.tolist(), edges[:-1].tolist(), edges[1:].tolist(), strict=True):
            tip = f"{number(a)} to {number(b)} messages: {count:,} seconds"
            x, y, width = plot.x(a), plot.y(count), max(1.0, plot.x(b) - plot.x(a) - 1)
            plot.put("rect", "f0", tip=tip, x=x, y=y, width=width, height=plot.bottom - y)

    drawing = _both(across, up, "Histogram of the messages in each second", draw)
    return FitFigure(
        "rates", "Messages in a second", "Of all whole seconds of the recording.", drawing
    )


def _from_zero(top: float, title: str) -> Scale:
    return Scale(0.0, 1.08 * top or 1.0, say=number, title=title)


def _both(x: Scale, y: Scale, text: str, draw: Callable[[Plot], None]) -> tuple[Markup, Markup]:
    found = []
    for size, kind in ((_WIDE, "wide"), (_NARROW, "narrow")):
        plot = Plot(size, x, y, (30, 18, 52, 68))
        plot.axes(8 if kind == "wide" else 4, 5)
        draw(plot)
        found.append(plot.svg(text, kind))
    return found[0], found[1]
