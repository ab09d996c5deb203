"""The venue's most recent executed state: what the first node had executed, and when."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Final

import numpy as np
import polars as pl

from surgetank.measure.synchrony.information_age import NEVER, Ints, News, news
from surgetank.trace import CLASSES, Outcome, Source, Trace
from surgetank.trace.frames import waits
from surgetank.trace.once import once_per_trace

__all__ = ["classes", "expected_ns", "is_regular", "standstills"]

_REGULAR: Final = 10
"""A class brings news regularly if it has at least so many messages per allowed age."""


@once_per_trace
def _messages(trace: Trace) -> pl.DataFrame:
    """class, waits, created_ns, done_ns (NEVER if no node executed it), in order of creation."""
    done = (
        trace["executions"]
        .group_by("height")
        .agg(pl.col("executed_ns").min().cast(pl.Int64).alias("block_ns"))
    )
    executed = pl.when(pl.col("outcome") == Outcome.EXECUTED).then(
        pl.coalesce("block_ns", pl.col("executed_ns").cast(pl.Int64))
    )
    return (
        trace["messages"]
        .filter(pl.col("source") != Source.ATTACKER)
        .join(done, on="height", how="left")
        .select(
            "class",
            waits().alias("waits"),
            pl.col("created_ns").cast(pl.Int64),
            executed.fill_null(NEVER).alias("done_ns"),
        )
        .sort("created_ns")
    )


def classes(trace: Trace) -> Iterator[tuple[str, News]]:
    """Each class that clients sent, and its messages as updates: they arise when created, and are
    had when the first node had executed them. A refused message is an update that the state never
    gets."""
    for (number,), rows in _messages(trace).group_by("class", maintain_order=True):
        name = CLASSES[int(str(number))]
        yield name, news(rows["created_ns"].to_numpy(), rows["done_ns"].to_numpy())


def is_regular(found: News, stale_after_ns: int, from_ns: int, until_ns: int) -> bool:
    """Whether a class has enough messages in a window for its absence to be significant."""
    inside = (found.up_ns >= from_ns) & (found.up_ns < until_ns)
    return int(inside.sum()) * stale_after_ns >= _REGULAR * (until_ns - from_ns)


def _progress(trace: Trace, done_ns: Ints) -> Ints:
    """When the first node executed something: a block, or a message where there are no blocks."""
    times = trace.lag()["first_ns"].drop_nulls().cast(pl.Int64).to_numpy()
    if trace["executions"].is_empty():
        times = done_ns[done_ns < NEVER]
    return np.unique(times).astype(np.int64)


def expected_ns(trace: Trace, progress: Ints) -> int:
    """The expected interval: the median between two times at which any node made progress, and,
    where proposers take turns, the timeout of one proposer that does not answer, which the
    protocol allows for."""
    median = int(np.median(np.diff(progress))) if len(progress) > 1 else 0
    timeout_ms = trace.scenario.layer.consensus.proposal_timeout_ms
    if trace["blocks"].is_empty() or timeout_ms is None:
        return median
    return median + int(timeout_ms * 1e6)


@once_per_trace
def standstills(trace: Trace, lag_max_ns: int) -> list[tuple[int, int]]:
    """Times in which no node made progress though messages waited, for longer than lag_max_ns
    beyond the expected interval.

    The clock starts when the last progress was made, or when a message began to wait after it.
    A message waits from its creation until the first node has executed it; one that was refused or
    lost does not wait. Once flow has ended no clock starts: what is left then may be unreachable.
    """
    rows = _messages(trace).filter("waits").sort("done_ns")
    created, done = rows["created_ns"].to_numpy(), rows["done_ns"].to_numpy()
    progress = _progress(trace, done)
    allowed = expected_ns(trace, progress) + lag_max_ns
    # Of the messages not executed by a time, the one that was created first.
    oldest = np.append(np.minimum.accumulate(created[::-1])[::-1], NEVER)
    begin = np.append(0, progress)
    until = np.append(progress, trace.end_ns)
    waiting = oldest[np.searchsorted(done, begin, side="right")]
    since = np.maximum(begin, waiting)
    kept = (since + allowed < until) & (since < trace.flow_end_ns)
    return [(int(a) + allowed, int(b)) for a, b in zip(since[kept], until[kept], strict=True)]
