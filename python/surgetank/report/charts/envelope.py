"""Which points of a long series a figure needs, and what a reader of it is shown of an interval."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import numpy as np
import polars as pl
from numpy.typing import NDArray

__all__ = ["envelope", "interval_texts", "repeated"]

Floats = NDArray[np.float64]


def envelope(x: Floats, y: Floats, columns: int) -> NDArray[np.int64]:
    """Row numbers of the points to draw: of each of `columns` equal intervals of x (ascending), the
    first, last, least and greatest y.

    A line through them covers the same pixels as one through all points if an interval is as wide
    as a pixel (M4: Jugel, Jerzak, Hackenbroich, Markl, VLDB 2014), and no extreme is left out.
    """
    if len(x) <= 4 * columns:
        return np.arange(len(x))
    span = float(x[-1] - x[0]) or 1.0
    row = pl.col("row")
    kept = (
        pl.DataFrame({"column": ((x - x[0]) / span * columns).astype(np.int64), "y": y})
        .with_row_index("row")
        .group_by("column")
        .agg(
            row.first().alias("first"),
            row.last().alias("last"),
            row.get(pl.col("y").arg_min()).alias("least"),
            row.get(pl.col("y").arg_max()).alias("most"),
        )
        .drop("column")
    )
    return np.unique(kept.to_numpy().ravel()).astype(np.int64)


def interval_texts(
    x: Floats, y: Floats, edges: Floats, text: Callable[[float], str], *, held: bool
) -> list[str]:
    """Of each interval between two `edges`, the least and greatest y as text; empty if it has none.

    A value that is `held` counts until the next point.
    """
    known = ~np.isnan(y)
    x, y = x[known], y[known]
    found = []
    begin = np.searchsorted(x, edges[:-1], side="left")
    end = np.searchsorted(x, edges[1:], side="left")
    for first, until in zip(begin, end, strict=True):
        values = y[max(first - 1, 0) if held else first : until]
        if not len(values):
            found.append("")
            continue
        low, high = text(float(values.min())), text(float(values.max()))
        found.append(low if low == high else f"{low} – {high}")
    return found


def repeated(texts: list[str]) -> list[Any]:
    """The texts, each that equals the one before it as 0."""
    return [0 if i and text == texts[i - 1] else text for i, text in enumerate(texts)]
