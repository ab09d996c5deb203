"""Intervals of time in which a condition holds of a node."""

from __future__ import annotations

from collections.abc import Iterable
from typing import Final

import numpy as np
import polars as pl
from numpy.typing import NDArray

from surgetank.measure.synchrony.information_age import Ints

__all__ = ["SPANS", "Spans", "held", "spans"]

Spans = pl.DataFrame
SPANS: Final = {"node": pl.UInt32, "from_ns": pl.Int64, "until_ns": pl.Int64}
"""Columns of a frame of spans."""


def spans(rows: Iterable[tuple[int, int, int]]) -> Spans:
    """node, from_ns, until_ns; what is empty is left out."""
    kept = [row for row in rows if row[1] < row[2]]
    return pl.DataFrame(kept, schema=SPANS, orient="row")


def held(found: Spans, nodes: int, times: Ints) -> NDArray[np.bool_]:
    """Whether the condition held of a node from each time to the next: nodes × (times − 1).

    Every span must begin and end at one of the times, or outside of them.
    """
    depth = np.zeros((nodes, len(times)), dtype=np.int64)
    node = found["node"].to_numpy()
    for column, step in (("from_ns", 1), ("until_ns", -1)):
        at = np.searchsorted(times, np.clip(found[column].to_numpy(), times[0], times[-1]))
        np.add.at(depth, (node, at), step)
    return np.cumsum(depth, axis=1)[:, :-1] > 0
