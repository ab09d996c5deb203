"""Latency against load on both sides: predicted as lines, measured as points."""

from __future__ import annotations

import math
from collections.abc import Callable
from typing import Final

from markupsafe import Markup

from surgetank.number_format import milliseconds, number
from surgetank.predict import LoadRow, Prediction, Side
from surgetank.predict.capacity_criterion import SOJOURN_MAX_MS
from surgetank.report.plot import Plot, Scale
from surgetank.report.svg_file import standalone_svg

__all__ = ["drawing", "prediction_svg"]

_WIDE: Final = (1080, 560)
_NARROW: Final = (350, 420)
_QUANTILES: Final[tuple[tuple[str, int, Callable[[Side], float]], ...]] = (
    ("p99", 0, lambda side: side.p99_ms),
    ("p50", 1, lambda side: side.p50_ms),
)


def drawing(found: Prediction) -> tuple[Markup, Markup]:
    """The figure, wide and narrow."""
    return (
        _plot(found, _WIDE).svg(_description(found), "wide"),
        _plot(found, _NARROW).svg(_description(found), "narrow"),
    )


def prediction_svg(found: Prediction) -> str:
    """The figure as a standalone SVG file with light and dark colours."""
    return standalone_svg(_plot(found, _WIDE), _description(found))


def _description(found: Prediction) -> str:
    return f"Latency against load of {found.calibration.target}, predicted and measured"


def _scales(found: Prediction) -> tuple[Scale, Scale]:
    rates = [r.rate_per_s for r in found.rows]
    sides = [s for r in found.rows for s in (r.predicted, r.measured) if s is not None]
    delays = [v for s in sides for v in (s.p50_ms, s.p99_ms) if math.isfinite(v) and v > 0]
    # Latencies far above the capacity's limit are cut off, so that the rest can be read.
    top = min(max(delays, default=1.0), _top(found))
    x = Scale(min(rates) / 1.2, max(rates) * 1.2, True, number, "load, messages/s")
    y = Scale(min(delays, default=0.1) / 1.5, top * 1.5, True, milliseconds, "delay")
    return x, y


def _top(found: Prediction) -> float:
    """The highest latency shown, ms: some way above the capacity's limit."""
    line = found.measured_line
    if line.kind == "sustained":
        return 10 * (line.unloaded_p50_ms + SOJOURN_MAX_MS)
    return 40 * line.degradation * line.unloaded_p99_ms


def _plot(found: Prediction, size: tuple[int, int]) -> Plot:
    plot = Plot(size, *_scales(found), (38, 22, 52, 70))
    plot.axes(4 if size is _NARROW else 8, 6)
    plot.clipped("lines", lambda: _lines(plot, found))
    _capacities(plot, found)
    plot.clipped("points", lambda: _points(plot, found))
    _legend(plot, narrow=size is _NARROW)
    return plot


def _lines(plot: Plot, found: Prediction) -> None:
    for name, colour, of in _QUANTILES:
        points = [(r.rate_per_s, of(r.predicted)) for r in found.rows]
        points = [(x, y) for x, y in points if math.isfinite(y) and y > 0]
        places = "L".join(f"{plot.x(x):.1f},{plot.y(y):.1f}" for x, y in points)
        if len(points) > 1:
            plot.put("path", f"curve s{colour}", tip=f"{name}, predicted", d=f"M{places}")


def _points(plot: Plot, found: Prediction) -> None:
    for row in found.rows:
        if row.measured is None:
            continue
        for name, colour, of in _QUANTILES:
            at = of(row.measured)
            if math.isfinite(at) and at > 0:
                kind = f"open s{colour}" if row.measured.invalid else f"dot f{colour}"
                plot.dot(row.rate_per_s, at, 4.6, kind, _tip(name, row, at))


def _tip(name: str, row: LoadRow, at: float) -> str:
    text = f"{name} at {number(row.rate_per_s)}/s, measured: {milliseconds(at)}"
    invalid = row.measured.invalid if row.measured else ""
    return f"{text}; INVALID: {invalid}" if invalid else text


def _capacities(plot: Plot, found: Prediction) -> None:
    claim = next(c for c in found.claims if c.name == "capacity")
    bound = "≥ " if claim.at_least else ""
    sides = (
        ("predicted", claim.predicted, "guide", ""),
        ("measured", claim.measured, "edge", bound),
    )
    for i, (name, at, kind, sign) in enumerate(sides):
        if at is None or not plot.x_scale.holds(at):
            continue
        x = plot.x(at)
        plot.put("line", kind, x1=x, x2=x, y1=plot.top, y2=plot.bottom)
        text = f"{name} capacity {sign}{number(at)}/s"
        anchor = "end" if x > (plot.left + plot.right) / 2 else "start"
        # Lower on a phone, where the legend is as wide as the figure.
        down = plot.top + (14 if plot.width == _WIDE[0] else 58) + 17 * i
        plot.text(x + (-5 if anchor == "end" else 5), down, text, "note", anchor)


def _legend(plot: Plot, *, narrow: bool) -> None:
    x, y = plot.left + 10.0, plot.top + 12.0
    for i, (name, colour, _) in enumerate(_QUANTILES):
        down = y + 18 * i
        plot.put("path", f"curve s{colour}", d=f"M{x:.1f},{down:.1f}h22")
        plot.put("circle", f"dot f{colour}", cx=x + 34, cy=down, r=4.6)
        words = "predicted, measured" if narrow else "line: predicted; points: measured"
        plot.text(x + 46, down + 4, f"{name} ({words})", "note")
