"""The frontier as one SVG: simulated points with intervals, and the closed form.

Safe leverage on a logarithmic scale against load. A point without a sufficiently narrow interval is
drawn open, at its estimate or at the bound that the search reached, and never left out.
"""

from __future__ import annotations

import math
from collections.abc import Callable
from dataclasses import dataclass
from enum import Enum, auto
from itertools import groupby
from typing import Final

import numpy as np
from markupsafe import Markup

from surgetank.number_format import NBSP, counted, number
from surgetank.report.frontier.wording import (
    budget_text,
    leverage_factor,
    leverage_text,
    status,
)
from surgetank.report.plot import Plot, Scale, spread
from surgetank.report.svg_file import standalone_svg
from surgetank.search.bound import BoundKind
from surgetank.search.frontier import Curve, Frontier, Point

__all__ = ["Mark", "colour", "drawing", "frontier_svg", "mark"]

_WIDE: Final = (1080, 600)
_NARROW: Final = (350, 430)
_COLOURS: Final = 8
_LOWEST: Final = 1.0


class MarkKind(Enum):
    """Kind of knowledge of a point's safe leverage."""

    FOUND = auto()
    """An estimate whose interval is narrow enough."""
    ROUGH = auto()
    """An estimate whose interval is too wide."""
    LOWER_BOUND = auto()
    UPPER_BOUND = auto()
    NOTHING = auto()


_ESTIMATED: Final = (MarkKind.FOUND, MarkKind.ROUGH)


@dataclass(frozen=True)
class Mark:
    """Position of a point in the figure."""

    at: float | None
    """Leverage; None if nothing is known of it."""
    kind: MarkKind


def mark(point: Point) -> Mark:
    """Position of a point, and whether it is an estimate or a bound."""
    if point.status == "INVALID":
        return Mark(None, MarkKind.NOTHING)
    if point.estimate is not None:
        return Mark(point.estimate, MarkKind.FOUND if point.status == "FOUND" else MarkKind.ROUGH)
    bound = point.bound
    if bound is not None and bound.kind is BoundKind.NOT_REACHED:
        return Mark(bound.level, MarkKind.LOWER_BOUND)
    if bound is not None and bound.kind is BoundKind.BREAKS_ALREADY:
        return Mark(bound.level, MarkKind.UPPER_BOUND)
    return Mark(None, MarkKind.NOTHING)


def colour(index: int) -> int:
    """The colour of a curve by its place."""
    return index % _COLOURS


def drawing(frontier: Frontier) -> tuple[Markup, Markup]:
    """The figure, wide and narrow."""
    description = _description(frontier)
    return (
        _plot(frontier, _WIDE).svg(description, "wide"),
        _plot(frontier, _NARROW).svg(description, "narrow"),
    )


def frontier_svg(frontier: Frontier) -> str:
    """The figure as a standalone SVG file with light and dark colours."""
    return standalone_svg(_plot(frontier, _WIDE), _description(frontier))


def _description(frontier: Frontier) -> str:
    name = frontier.title or frontier.scenario
    return f"Safe leverage against load, {counted(len(frontier.curves), 'curve')}: {name}"


def _scales(frontier: Frontier, *, narrow: bool) -> tuple[Scale, Scale]:
    loads = [p.load for p in frontier.points]
    top = max(loads, default=1.0) * 1.05
    if frontier.capacity_per_s is not None:
        top = max(top, frontier.capacity_per_s * 1.02)
    title = "load, background messages/s"
    if frontier.capacity_per_s is not None:
        title = "messages/s, share of capacity" if narrow else f"{title}, and share of capacity"
    x = Scale(0.0, top, say=number, title=title)
    # Bounds do not stretch the scale: beyond it they lie on its edge.
    ends = [leverage for load, leverage in frontier.theory if load <= max(loads, default=0.0)]
    for p in frontier.points:
        if p.status != "INVALID" and p.estimate is not None:
            ends += [v for v in (p.estimate, p.ci_low, p.ci_high) if v is not None and v > 0]
    low, high = min(ends, default=1.0), max(ends, default=100.0)
    title = "safe leverage" if narrow else f"safe leverage: at most {budget_text(frontier)}"
    return x, Scale(max(low / 1.6, _LOWEST / 1.25), high * 1.35, True, leverage_factor, title)


def _plot(frontier: Frontier, size: tuple[int, int]) -> Plot:
    narrow = size is _NARROW
    names = [len(c.name) for c in frontier.curves]
    room = min(int(max(names, default=4) * 7.6) + 28, 96 if narrow else 200)
    x, y = _scales(frontier, narrow=narrow)
    plot = Plot(size, x, y, (38, room, 70 if frontier.capacity_per_s else 52, 54))
    plot.clipped("safe", lambda: _safe(plot, frontier, narrow=narrow))
    plot.axes(4 if narrow else 8, 6 if narrow else 8, _utilisation(frontier))
    _capacity(plot, frontier)
    plot.clipped("theory", lambda: plot.line(frontier.theory, "theory", tip="closed form"))
    for index, curve in enumerate(frontier.curves):
        _curve(plot, frontier, curve, index)
    _name_curves(plot, frontier, room)
    _name_theory(plot, frontier)
    return plot


def _utilisation(frontier: Frontier) -> Callable[[float], str] | None:
    mu = frontier.capacity_per_s
    return None if mu is None else lambda load: f"{load / mu:.0%}".replace("%", f"{NBSP}%")


def _capacity(plot: Plot, frontier: Frontier) -> None:
    mu = frontier.capacity_per_s
    if mu is None:
        return
    at = plot.x(mu)
    plot.put("line", "edge", x1=at, x2=at, y1=plot.top - 6, y2=plot.bottom)
    plot.text(at - 6, plot.top - 6, f"capacity {number(mu)}/s", "note", "end")


def _safe(plot: Plot, frontier: Frontier, *, narrow: bool) -> None:
    """Below the lower end of every interval, load by load, while all are known."""
    if status(frontier) == "INVALID":
        return
    runs: list[list[tuple[float, float]]] = [[]]
    for load in sorted({p.load for p in frontier.points}):
        lows = [_surely(p) for p in frontier.points if p.load == load]
        if any(low is None for low in lows):
            runs.append([])
            continue
        runs[-1].append((load, min(low for low in lows if low is not None)))
    floor = plot.y_scale.low
    widest = max(runs, key=len)
    for run in runs:
        if len(run) > 1:
            plot.line([(run[0][0], floor), *run, (run[-1][0], floor)], "safe", shut=True)
    description = "safe on every curve" if len(frontier.curves) > 1 else "safe"
    if len(widest) > 1 and plot.x(widest[-1][0]) - plot.x(widest[0][0]) > 8 * len(description):
        plot.text(
            plot.x(widest[0][0]) + 10, plot.bottom - 12, description, "faint" if narrow else ""
        )


def _surely(point: Point) -> float | None:
    where = mark(point)
    if where.kind is MarkKind.LOWER_BOUND:
        return where.at
    return point.ci_low if where.kind is MarkKind.FOUND else None


def _curve(plot: Plot, frontier: Frontier, curve: Curve, index: int) -> None:
    c = colour(index)
    points = frontier.of(curve.name)
    # Where the closed form holds, it is the line; a point of which only a bound is known breaks it.
    if not (frontier.theory and all(p.theory is not None for p in points)):
        for known, part in groupby(points, key=lambda p: mark(p).kind in _ESTIMATED):
            if known:
                places = [
                    f"{plot.x(p.load) + _aside(plot, index):.1f},{plot.y(p.estimate or 1.0):.1f}"
                    for p in part
                ]
                plot.put("path", f"curve s{c}", d="M" + "L".join(places))
    for p in points:
        _point(plot, p, c, _aside(plot, index))


def _aside(plot: Plot, index: int) -> float:
    """Horizontal offset in pixels, so that points of one load do not hide each other; 0 for the
    first curve."""
    step = 4.5 if plot.width == _WIDE[0] else 2.5
    return step * ((index + 1) // 2) * (1 if index % 2 else -1)


def _point(plot: Plot, p: Point, c: int, aside: float) -> None:
    where = mark(p)
    across = plot.x(p.load) + aside
    tip = f"{p.curve} at {number(p.load)}/s: {leverage_text(p)}, {counted(p.runs, 'run')}"
    if p.theory is not None:
        tip += f"; closed form {p.theory:.3g}×"
    if where.at is None:
        cross = f"M{across - 5:.1f},{plot.bottom - 14:.1f}l10,10m0,-10l-10,10"
        plot.put("path", f"whisker s{c}", tip=f"{tip}; {p.why}", d=cross)
        return
    if where.kind in _ESTIMATED and p.ci_low and p.ci_high:
        dash = "" if where.kind is MarkKind.FOUND else " rough"
        bar = f"M{across:.1f},{plot.y(p.ci_low):.1f}V{plot.y(p.ci_high):.1f}"
        plot.put("path", f"whisker s{c}{dash}", d=bar)
        for end in (p.ci_low, p.ci_high):
            cap = f"M{across - 4:.1f},{plot.y(end):.1f}h8"
            plot.put("path", f"whisker s{c}", d=cap)
    if where.kind is MarkKind.FOUND:
        plot.put("circle", f"dot f{c}", tip=tip, cx=across, cy=plot.y(where.at), r=4.6)
    elif where.kind is MarkKind.ROUGH:
        tip = f"{tip}; {p.why}"
        plot.put("circle", f"open s{c}", tip=tip, cx=across, cy=plot.y(where.at), r=4.6)
    else:
        up = 1 if where.kind is MarkKind.LOWER_BOUND else -1
        y = _inside(plot, where.at, 14.0)
        arrow = f"M{across - 6:.1f},{y:.1f}h12l-6,{-10 * up}Z"
        plot.put("path", f"open s{c}", tip=f"{tip}; {p.why}", d=arrow)
        bound = f"{'≥' if up == 1 else '≤'} {leverage_factor(where.at)}"
        plot.text(across, y + 14 * up + (4 if up == 1 else 0), bound, f"note f{c}", "middle")


def _inside(plot: Plot, leverage: float, edge: float) -> float:
    """Vertical position of a leverage, pixels from the top, within the ends of the scale."""
    return min(max(plot.y(leverage), plot.top + edge), plot.bottom - edge)


def _name_curves(plot: Plot, frontier: Frontier, room: int) -> None:
    """Draws the curves' names beside their last points, moved to free space."""
    ends = []
    for index, curve in enumerate(frontier.curves):
        known = [(p, m.at) for p in frontier.of(curve.name) if (m := mark(p)).at is not None]
        if known and known[-1][1] is not None:
            p, y = known[-1]
            ends.append((curve, colour(index), plot.x(p.load), _inside(plot, y or 1.0, 14.0)))
    places = spread([e[3] for e in ends], 18, plot.top + 8, plot.bottom - 8)
    long = int((room - 20) / 7.4)
    for (curve, c, x, y), place in zip(ends, places, strict=True):
        at = plot.right + 16
        leader = f"M{x + 7:.1f},{y:.1f}L{plot.right + 2:.1f},{place:.1f}h{at - plot.right - 6}"
        plot.put("path", "leader", d=leader)
        name = curve.name if len(curve.name) <= long else curve.name[: long - 1] + "…"
        plot.put("text", f"said f{c}", name, tip=curve.text, x=at, y=place + 4)


def _name_theory(plot: Plot, frontier: Frontier) -> None:
    inside = [(x, y) for x, y in frontier.theory if plot.y_scale.holds(y)]
    if not inside:
        return
    # Above or below, wherever the other curves leave most room.
    best, place, anchor = -math.inf, (0.0, 0.0), "start"
    step = max(1, len(inside) // 40)
    for x, y in inside[::step]:
        across = plot.x(x)
        # The line falls to the right: above it words begin, below it they end.
        for side, down in (("start", plot.y(y) - 13), ("end", plot.y(y) + 22)):
            far = across + (80 if side == "start" else -80)
            if min(across, far) < plot.left or max(across, far) > plot.right - 12:
                continue
            near = _near(plot, frontier, (across, far))
            room = min([40.0, *(abs(v - down + 4) for v in near)])
            if room > best:
                best, place, anchor = room, (across, down), side
    if best > 0:
        plot.text(*place, "closed form", "said", anchor)


def _near(plot: Plot, frontier: Frontier, ends: tuple[float, float]) -> list[float]:
    """Vertical positions of the other curves between two horizontal ones, pixels from the top."""
    found = []
    for curve in frontier.curves:
        points = [p for p in frontier.of(curve.name) if p.estimate is not None]
        if frontier.theory and all(p.theory is not None for p in points):
            continue
        xs = [plot.x(p.load) for p in points]
        ys = [plot.y(p.estimate) for p in points if p.estimate is not None]
        if len(xs) > 1:
            found += [float(np.interp(x, xs, ys)) for x in np.linspace(*ends, 6)]
    return found
