"""Which nodes' executed state lags the first node's, by how much and when."""

from __future__ import annotations

from collections.abc import Iterator

import polars as pl

from surgetank.measure.synchrony.information_age import NEVER, News
from surgetank.measure.synchrony.spans import Spans, spans
from surgetank.trace import Trace
from surgetank.trace.once import once_per_trace

__all__ = ["longest_ns", "trailing"]


def _nodes(trace: Trace) -> Iterator[tuple[int, News]]:
    """Each node and the blocks as updates, which arise when the first node executed them."""
    rows = trace.lag().filter(pl.col("first_ns").is_not_null())
    if rows.is_empty():
        return
    had = rows["executed_ns"].fill_null(NEVER).cast(pl.Int64).to_numpy()
    first = rows["first_ns"].cast(pl.Int64).to_numpy()
    for node in range(trace.nodes):
        yield node, News(first[node :: trace.nodes], had[node :: trace.nodes])


@once_per_trace
def trailing(trace: Trace, lag_max_ns: int) -> Spans:
    """When each node trailed the first by more than lag_max_ns; disjoint, in order."""
    return spans(
        (node, int(begin), int(until))
        for node, blocks in _nodes(trace)
        for begin, until in zip(*blocks.spans(lag_max_ns, trace.end_ns), strict=True)
    )


def longest_ns(trace: Trace) -> int:
    """The longest time that any node trailed, ns, from the begin of the measured window on."""
    window = (trace.measured_from_ns, trace.end_ns)
    return max((blocks.longest_ns(*window) for _, blocks in _nodes(trace)), default=0)
