"""A chart as plain data: traces and layout in Plotly's terms, colours by the page's names.

Colours are written `@name` or `@name/40` (percent opacity); the page looks the name up in its
style sheet, so that a chart follows light, dark and print.
"""

from __future__ import annotations

import math
from collections.abc import Iterable, Sequence
from dataclasses import dataclass, field
from typing import Any, Final

import numpy as np
import polars as pl
from numpy.typing import NDArray

from surgetank.number_format import milliseconds

__all__ = ["Chart", "Key", "line", "log_ms_axis", "plain", "seconds", "thin"]

POINTS_MAX: Final = 2000
Line = dict[str, Any]


@dataclass(frozen=True)
class Key:
    """An entry of a key drawn by the page, for charts that have no legend of their own."""

    colour: str
    text: str


@dataclass(frozen=True)
class Chart:
    """One figure of the report."""

    name: str
    title: str
    summary: str
    """One sentence on the chart's content: caption and text alternative."""
    data: list[Line]
    layout: dict[str, Any] = field(default_factory=dict)
    time: bool = True
    """Whether x is the time of the run: faults are shaded, ranges are linked."""
    half: bool = False
    """Whether it takes half of the page's width, where there is room."""
    keys: tuple[Key, ...] = ()
    height: int = 300
    note: str = ""

    def to_dict(self) -> dict[str, Any]:
        """The chart as JSON data for the page's script."""
        return {
            "name": self.name,
            "data": self.data,
            "layout": self.layout,
            "time": self.time,
            "half": self.half,
            "height": self.height,
        }


def plain(values: Iterable[Any]) -> list[Any]:
    """Numbers for JSON: seven significant digits, no NaN or infinity."""
    found: list[Any] = []
    for v in values:
        if v is None or (isinstance(v, float) and not math.isfinite(v)):
            found.append(None)
        elif isinstance(v, float | np.floating):
            found.append(float(f"{float(v):.7g}"))
        else:
            found.append(v.item() if isinstance(v, np.generic) else v)
    return found


def seconds(times: pl.Series | NDArray[Any]) -> list[Any]:
    """Nanoseconds as seconds."""
    array = times.to_numpy() if isinstance(times, pl.Series) else times
    return plain(np.round(array.astype(np.float64) / 1e9, 4).tolist())


def line(name: str, x: Sequence[Any], y: Sequence[Any], colour: str, **more: Any) -> Line:
    """A line. `more` takes `dash`, `width`, `fill` and other attributes of Plotly's."""
    style = {"color": colour, "width": more.pop("width", 1.8)}
    if "dash" in more:
        style["dash"] = more.pop("dash")
    if "shape" in more:
        style["shape"] = more.pop("shape")
    return {
        "type": "scatter",
        "mode": "lines",
        "name": name,
        "x": list(x),
        "y": plain(y),
        "line": style,
        **more,
    }


def thin(rows: pl.DataFrame, value: str, points_max: int = POINTS_MAX) -> pl.DataFrame:
    """At most points_max rows: first, last, least and greatest `value` of equal runs of rows.

    Keeps every spike, unlike plain decimation.
    """
    if rows.height <= points_max:
        return rows
    runs = max(1, points_max // 4)
    row = pl.col("row")
    kept = (
        rows.with_row_index("row")
        .with_columns((row.cast(pl.Int64) * runs // rows.height).alias("run"))
        .group_by("run")
        .agg(
            row.first().alias("a"),
            row.last().alias("b"),
            row.get(pl.col(value).arg_min()).alias("c"),
            row.get(pl.col(value).arg_max()).alias("d"),
        )
    )
    picked: NDArray[np.int64] = np.unique(kept.select("a", "b", "c", "d").to_numpy().ravel())
    thinned: pl.DataFrame = rows[picked.tolist()]
    return thinned


def log_ms_axis(low: float, high: float) -> dict[str, Any]:
    """A logarithmic axis of milliseconds, labelled 1 ms, 10 ms, 1 s …"""
    first, last = math.floor(math.log10(low)), math.ceil(math.log10(high))
    # Few decades leave room for 2 and 5 between them.
    between = (1, 2, 5) if math.log10(high / low) < 2.2 else (1,)
    ticks = [m * 10.0**k for k in range(first, last + 1) for m in between]
    return {
        "type": "log",
        "range": [math.log10(low), math.log10(high)],
        "tickvals": ticks,
        "ticktext": [milliseconds(t) for t in ticks],
    }
