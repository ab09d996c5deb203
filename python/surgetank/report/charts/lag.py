"""Which nodes trailed the first, and when; of many nodes, those that trailed most."""

from __future__ import annotations

import math
from functools import partial
from itertools import groupby
from typing import Final

import numpy as np
from numpy.typing import NDArray

from surgetank.measure.synchrony import crashes, trailing
from surgetank.number_format import milliseconds
from surgetank.report.charts.over_time import WIDE, margin, shade, time_plots
from surgetank.report.picture import NARROW, Key, Picture, twice
from surgetank.report.plot import Plot, Scale, path, shortened, text_width
from surgetank.report.run_view import RunView

__all__ = ["lag_charts"]

#: Cells of a row, and of the whole figure, at most.
_COLUMNS: Final = 350
_CELLS_MAX: Final = 6_000
#: More rows than these would leave no room for their names.
_ROWS_MAX: Final = 40
_LEVELS: Final = ("lag-0", "lag-1", "lag-2", "lag-3", "lag-4", "lag-down")
_DOWN: Final = len(_LEVELS) - 1
#: Bounds between the levels, as multiples of the lag that is still in step.
_BOUNDS: Final = (0.1, 1, 3, 10)
#: A place that breaks a path.
_BREAK: Final = (math.nan, math.nan)
#: Level from which on a node is out of step.
_OUT: Final = 2
#: Size of the font of the rows' names, and the room that a phone leaves them, px.
_FONT: Final = 11.5
_NAME_NARROW: Final = 130


def lag_charts(view: RunView) -> list[Picture]:
    """Each node's lag over time, where blocks are executed."""
    return [] if view.trace["executions"].is_empty() else [_heat_map(view)]


def _heat_map(view: RunView) -> Picture:
    nodes, most = view.trace.nodes, milliseconds(view.lag_max_ns / 1e6)
    level, texts = _levels(view), _texts(view.lag_max_ns)
    order = _rows(view, level)
    count = view.synchrony.worst["nodes"]
    what, rest = "One row per node", ""
    if len(order) < nodes:
        what = f"The {len(order)} of {nodes:,} nodes that were behind most, one row each"
        others = np.delete(level, order, axis=0)
        rest = f" The other {len(others):,} nodes at worst: {texts[int(others.max())]}."
    summary = (
        f"{what}, by region. At worst {count:,} of {nodes:,} nodes were out of step: more than "
        f"{most} behind, cut off, down or at a standstill. A cell shows the greatest lag in its "
        f"interval.{rest}"
    )
    title = "Lag of each node behind the first one"
    shown = texts if (level == _DOWN).any() else texts[:-1]
    draw = partial(_draw, view, level, order)
    return Picture(
        "lag",
        title,
        summary,
        twice(draw, WIDE, title, {"data-end": view.end_ns / 1e9}),
        full=True,
        keys=tuple(Key(c, t) for c, t in zip(_LEVELS, shown, strict=False)),
        readout={
            "names": [view.node_name(k) for k in order],
            "colours": list(_LEVELS),
            "levels": ["".join(map(str, level[k].tolist())) for k in order],
            "texts": texts,
        },
    )


def _rows(view: RunView, level: NDArray[np.int64]) -> list[int]:
    """The nodes that have a row, by region: those longest out of step, then those with most lag."""
    worst = np.lexsort((-level.sum(axis=1), -(level >= _OUT).sum(axis=1)))
    return sorted(worst[:_ROWS_MAX].tolist(), key=lambda k: (view.regions[k], k))


def _levels(view: RunView) -> NDArray[np.int64]:
    """By node and equal intervals of the run: the worst level of lag in the interval."""
    trace = view.trace
    columns = min(_COLUMNS, _CELLS_MAX // min(trace.nodes, _ROWS_MAX)) // 2 * 2
    level = np.zeros((trace.nodes, columns), dtype=np.int64)
    # A lag of exactly lag_max is still in step.
    found = [trailing(trace, int(view.lag_max_ns * bound)) for bound in _BOUNDS]
    for at, spans in enumerate([*found, crashes(trace)], start=1):
        for node, begin, until in spans.iter_rows():
            first = begin * columns // view.end_ns
            level[node, first : -(-until * columns // view.end_ns)] = at
    return level


def _texts(most_ns: int) -> list[str]:
    tenth, one, three, ten = (milliseconds(most_ns * bound / 1e6) for bound in _BOUNDS)
    return [
        f"in step (under {tenth})",
        f"behind, up to {one}",
        f"out of step, {one} – {three}",
        f"{three} – {ten}",
        f"beyond {ten}",
        "crashed",
    ]


def _draw(view: RunView, level: NDArray[np.int64], order: list[int], width: int) -> Plot:
    nodes, small = len(order), width == NARROW
    tall = max(100, 15 * nodes)
    names = [view.node_name(k) for k in order]
    left = margin(view)
    if small:
        left = int(min(max(text_width(name, _FONT) for name in names), _NAME_NARROW)) + 12
    (plot,) = time_plots(view, width, [(Scale(nodes, 0.0), tall)], left, y_axis=False)
    plot.text(2, 16, "node (region)" if any(view.regions) else "node", "title")
    for row, name in enumerate(names):
        words = shortened(name, left - 8, _FONT)
        plot.text(plot.left - 6, plot.y(row + 0.5) + 4, words, "node-name", "end")
    level = level[order]
    if small:
        level = level.reshape(nodes, -1, 2).max(axis=2)
    plot.clipped("lag", partial(_draw_cells, plot, view, level))
    for row in range(1, nodes):
        if view.regions[order[row]] != view.regions[order[row - 1]]:
            y = plot.y(row)
            plot.put("line", "between-rows", x1=plot.left, x2=plot.right, y1=y, y2=y)
    return plot


def _draw_cells(plot: Plot, view: RunView, level: NDArray[np.int64]) -> None:
    wide, tall = plot.right - plot.left, plot.bottom - plot.top
    plot.put("rect", "lag-0", x=plot.left, y=plot.top, width=wide, height=tall)
    rows, columns = level.shape
    high = tall / rows
    gap = 1.0 if high > 8 else 0.0
    cells: dict[int, list[tuple[float, float]]] = {}
    for row, values in enumerate(level.tolist()):
        at, y = 0, plot.top + (row + 0.5) * high
        for value, part in groupby(values):
            begin, at = at, at + len(list(part))
            ends = [(plot.left + edge / columns * wide, y) for edge in (begin, at)]
            cells.setdefault(value, []).extend([*ends, _BREAK])
    with plot.group("zoom"):
        for value, places in sorted(cells.items()):
            if value:
                colour, thick = f"--c:var(--{_LEVELS[value]})", high - gap
                plot.put("path", "cells", d=path(places), style=colour, stroke_width=thick)
        shade(plot, view, edges=True)
