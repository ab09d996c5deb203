"""Figures over the time of the run: panels one below the other, faults shaded, one time axis."""

from __future__ import annotations

import math
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from functools import partial
from typing import Any, Final

import numpy as np
import polars as pl
from numpy.typing import NDArray

from surgetank.number_format import number
from surgetank.report.charts.envelope import Floats, envelope, interval_texts, repeated
from surgetank.report.picture import NARROW, Key, Picture, twice
from surgetank.report.plot import Plot, Scale, nice_ticks, path, text_width
from surgetank.report.run_view import RunView
from surgetank.verdict import Status

__all__ = [
    "WIDE",
    "Panel",
    "Series",
    "limit_text",
    "margin",
    "panels_plot",
    "seconds",
    "shade",
    "time_chart",
    "time_plots",
]

WIDE: Final = 920
"""Width of a figure of the report, px."""
_RIGHT: Final = 14
#: Room below the last panel: labels of ticks, title of the axis.
_BELOW: Final = 48
#: Room above the first panel, for the title of its axis of values, and above another.
_ABOVE: Final = 28
_BETWEEN: Final = 38
_BAND_ROW: Final = 15
_BAND_LETTER: Final = 11.5
#: More rows of names than this above a figure would take too much room: letters only.
_BAND_ROWS_MAX: Final = 3
#: Width of the intervals of which the envelope is drawn, px.
_COLUMN: Final = 2


@dataclass(frozen=True)
class Series:
    """A line, an area or points of a panel."""

    name: str
    colour: str
    """The name of a colour in style.css."""
    x: Floats
    """Times in seconds, ascending."""
    y: Floats
    """NaN leaves a gap."""
    text: Callable[[float], str]
    """A value of y for the reader."""
    kind: str = ""
    """Classes in figure.css: `bold`, `dash`, `dots`, `long`; `late` and `early` are points."""
    step: bool = False
    """Each value holds until the next point."""
    base: Floats | None = None
    """The lower edge of an area that stands on others; its values are y less that."""
    fill: bool = False
    """Whether the area down to zero is tinted."""
    read: str = ""
    """Its name beside the pointer, if that is not `name`."""
    keyed: bool = True
    """Whether it has an entry in the key."""

    @property
    def points(self) -> bool:
        """Whether it is drawn as points."""
        return self.kind in ("late", "early")


@dataclass(frozen=True)
class Panel:
    """Series over one axis of values."""

    y: Scale
    series: tuple[Series, ...]
    height: int = 190
    limits: tuple[tuple[float, str], ...] = ()
    """Values with a line across, and the text on each."""


def seconds(times: pl.Series | NDArray[Any]) -> Floats:
    """Nanoseconds as seconds."""
    array = times.to_numpy() if isinstance(times, pl.Series) else times
    return array.astype(np.float64) / 1e9


def time_chart(
    view: RunView,
    name: str,
    title: str,
    summary: str,
    panels: Sequence[Panel],
    *,
    note: str = "",
) -> Picture:
    """A figure of one or more panels; colours of the key are those of the series."""
    every = [s for panel in panels for s in panel.series]
    names = list(dict.fromkeys(s.name for s in every if s.keyed))

    def draw(width: int) -> Plot:
        return panels_plot(view, name, panels, names, width)

    first = {s.name: s for s in reversed(every) if s.keyed}
    keys = [Key(first[n].colour, n, _mark(first[n]), i) for i, n in enumerate(names)]
    return Picture(
        name,
        title,
        summary,
        twice(draw, WIDE, title, {"data-end": view.end_ns / 1e9}),
        note=note,
        full=True,
        keys=tuple(keys) if len(keys) > 1 else (),
        readout=_readout(view, every),
    )


def _mark(series: Series) -> str:
    if series.base is not None:
        return "area"
    return f"{'point' if series.points else 'line'} {series.kind}".strip()


def _readout(view: RunView, every: Sequence[Series]) -> dict[str, Any]:
    edges = np.arange(0, view.end_ns + view.step_ns, view.step_ns) / 1e9
    rows = []
    for s in every:
        if s.points:
            counts = np.histogram(s.x, edges)[0]
            rows.append([f"{n:,}" if n else "" for n in counts.tolist()])
            continue
        y = s.y if s.base is None else s.y - s.base
        rows.append(interval_texts(s.x, y, edges, s.text, held=s.step))
    return {
        "names": [s.read or s.name for s in every],
        "colours": [s.colour for s in every],
        "rows": [repeated(row) for row in rows],
    }


def time_plots(
    view: RunView,
    width: int,
    panels: Sequence[tuple[Scale, int]],
    left: int,
    *,
    y_axis: bool = True,
) -> list[Plot]:
    """Plots one below the other over the time of the run, of these scales and heights (px), with
    axes and the names of the faults."""
    small = width == NARROW
    labels = _band_labels(view, width, left)
    above = _BAND_ROW * (1 + max((row for *_, row in labels), default=-1))
    room = above + _ABOVE + _BETWEEN * (len(panels) - 1) + _BELOW
    total = room + sum(height for _, height in panels)
    time = Scale(0.0, view.end_ns / 1e9, say=number, title="time since the start of the run, s")
    plots: list[Plot] = []
    top = above
    for scale, height in panels:
        top += _BETWEEN if plots else _ABOVE
        plot = Plot((width, total), time, scale, (top, _RIGHT, total - top - height, left))
        if y_axis:
            plot.y_axis(_y_ticks(height), title_up=12 if plots else 12 + above)
        plots.append(plot)
        top += height
    for at_s, x, text, row in labels:
        down = plots[0].top - 5 - _BAND_ROW * row
        plots[0].put("text", "band-name", text, x=x, y=down, data_at=at_s)
    plots[-1].x_axis(5 if small else 10)
    return plots


def _y_ticks(height: int) -> int:
    return 6 if height > 150 else 4 if height > 110 else 3


def _band_labels(view: RunView, width: int, left: int) -> list[tuple[float, float, str, int]]:
    """Of each fault: its begin (s), and place (px), text and row of its name. Names in one row do
    not touch."""
    words = [f"{s.letter} {s.label}" for s in view.stresses]
    if width != NARROW:
        placed = _in_rows(view, words, width, left)
        if all(row < _BAND_ROWS_MAX for *_, row in placed):
            return placed
    return _in_rows(view, [s.letter for s in view.stresses], width, left)


def _in_rows(
    view: RunView, words: list[str], width: int, left: int
) -> list[tuple[float, float, str, int]]:
    right = width - _RIGHT
    rows: list[float] = []
    placed = []
    for stress, text in zip(view.stresses, words, strict=True):
        long = text_width(text, _BAND_LETTER)
        x = left + stress.at_ns / view.end_ns * (right - left)
        x = max(min(x, right - long), left)
        row = next((i for i, until in enumerate(rows) if until <= x), len(rows))
        rows[row:] = [x + long + 10, *rows[row + 1 :]]
        placed.append((stress.at_ns / 1e9, round(x, 1), text, row))
    return placed


def shade(plot: Plot, view: RunView, *, edges: bool = False) -> None:
    """Shades faults, or draws their `edges` where a ground would hide the data; and marks the end
    of the warm-up and of the flow."""
    top, tall = plot.top, plot.bottom - plot.top
    for stress in view.stresses:
        x, until = plot.x(stress.at_ns / 1e9), plot.x(stress.until_ns / 1e9)
        if edges:
            for at in (x, until):
                plot.put("path", "fault-edge", d=path([(at, top), (at, top + tall)]))
        else:
            plot.put("rect", "fault", x=x, y=top, width=until - x, height=tall)
    for ns in (view.trace.measured_from_ns, view.trace.flow_end_ns):
        if 0 < ns < view.end_ns:
            at = plot.x(ns / 1e9)
            plot.put("path", "window", d=path([(at, top), (at, top + tall)]))


def margin(view: RunView) -> int:
    """Room left of the wide figures of a run, px: that of the longest name of a node, so that the
    times of all figures stand below each other."""
    longest = max(text_width(view.node_name(k)) for k in range(max(1, view.trace.nodes)))
    return int(min(max(longest + 16, 72), 170))


def panels_plot(
    view: RunView,
    name: str,
    panels: Sequence[Panel],
    names: Sequence[str],
    width: int,
    *,
    keyed: bool = False,
) -> Plot:
    """The panels one below the other, `width` px wide. `names` are those of the series that a key
    beside the figure numbers; with `keyed` the figure has its key in itself, above each panel."""
    ticks = [p.y.say(v) for p in panels for v in nice_ticks(p.y, _y_ticks(p.height))]
    widest = int(max(map(text_width, ticks), default=0)) + 12
    left = max(58 if keyed or width == NARROW else margin(view), widest)
    plots = time_plots(view, width, [(p.y, p.height) for p in panels], left)
    for i, (plot, panel) in enumerate(zip(plots, panels, strict=True)):
        plot.clipped(f"{name}{i}", partial(_inside, plot, view, panel, names))
        for y, text in panel.limits:
            at = plot.y(y)
            if plot.y_scale.holds(y):
                plot.put("line", "target", x1=plot.left, x2=plot.right, y1=at, y2=at)
                plot.text(plot.right - 4, at - 5, text, "target-text note", "end")
        if keyed:
            _draw_key(plot, panel, 16 if not i else plot.top - 12)
        if i:
            plots[0].add(plot)
    return plots[0]


def _draw_key(plot: Plot, panel: Panel, y: float) -> None:
    """The names of a panel's series in their colours, right of the title of its axis."""
    x = float(plot.right)
    for s in reversed(panel.series):
        plot.put("text", "", s.name, x=x, y=y, text_anchor="end", style=f"fill:var(--{s.colour})")
        x -= text_width(s.name) + 14


def _inside(plot: Plot, view: RunView, panel: Panel, names: Sequence[str]) -> None:
    with plot.group("zoom"):
        shade(plot, view)
        for s in panel.series:
            known = names.index(s.name) if s.name in names else ""
            with plot.group("series", data_series=known, style=f"--c:var(--{s.colour})"):
                _draw(plot, s)


def _draw(plot: Plot, s: Series) -> None:
    if s.points:
        _draw_points(plot, s)
        return
    kept = envelope(s.x, s.y, int(plot.right - plot.left) // _COLUMN)
    x, y = s.x[kept], s.y[kept]
    if s.base is not None:
        lower = list(zip(x[::-1].tolist(), s.base[kept][::-1].tolist(), strict=True))
        plot.line([*zip(x.tolist(), y.tolist(), strict=True), *lower], "area", shut=True)
        return
    if s.fill:
        _draw_fill(plot, s, x, y)
    plot.line(zip(x.tolist(), y.tolist(), strict=True), f"trace {s.kind}".strip(), step=s.step)


def _draw_fill(plot: Plot, s: Series, x: Floats, y: Floats) -> None:
    known = ~np.isnan(y)
    if not known.any():
        return
    places = list(zip(x[known].tolist(), y[known].tolist(), strict=True))
    floor = max(0.0, plot.y_scale.low)
    ends = [(places[-1][0], floor), (places[0][0], floor)]
    plot.line([*places, *ends], "tint", shut=True, step=s.step)


def _draw_points(plot: Plot, s: Series) -> None:
    """One point for all that fall on the same two pixels."""
    places = {
        (round(plot.x(x) / _COLUMN) * _COLUMN, round(plot.y(y) / _COLUMN) * _COLUMN)
        for x, y in zip(s.x.tolist(), s.y.tolist(), strict=True)
        if not math.isnan(y)
    }
    if not places:
        return
    dots = "".join(path([place]) for place in sorted(places))
    for kind in (s.kind, f"{s.kind} hollow")[: 1 if s.kind == "late" else 2]:
        plot.put("path", f"marks {kind}", d=dots)


def limit_text(view: RunView, text: str) -> str:
    """The words on a limit's line: an INVALID run is judged against none."""
    return f"{text}, not judged" if view.verdict.status is Status.INVALID else text
