"""Distances between two orders: inverted pairs, and differences of ranks."""

from __future__ import annotations

from typing import Final

import numpy as np
import polars as pl

from surgetank.measure.fairness.execution_order import CELLS_MAX, NEVER, FirstReceipts, Ints, drawn
from surgetank.measure.measured import Measure
from surgetank.measure.statistics import Floats, mean_interval

__all__ = ["against_receipt", "against_sending", "inversions"]

RANKED_MAX: Final = 4096
"""Most messages of which all pairs are counted."""

_SEND, _RECEIVE, _ERROR = "inversions_send", "inversions_receive", "rank_error"
_FEW = "fewer than two messages executed"


def inversions(order: Ints) -> Ints:
    """For each element of a permutation of 0 … n − 1, the inversions that it is part of.

    Shape (n,). Bit by bit from the highest: within a group of equal higher bits, a set bit before
    an unset one is an inversion (a wavelet tree's levels). O(n log n) up to 65,536.
    """
    n = len(order)
    every: Ints = np.arange(n, dtype=np.int64)
    greater_before: Ints = np.zeros(n, dtype=np.int64)
    at = every
    small = np.uint16 if n <= 1 << 16 else np.int64  # numpy sorts 16 bits by radix
    for bit in reversed(range(max(1, n - 1).bit_length())):
        values = order[at]
        ones = (values >> bit) & 1
        before = np.cumsum(ones) - ones
        begins = np.diff(values >> (bit + 1), prepend=-1) != 0
        first = np.maximum.accumulate(np.where(begins, every, 0))
        greater_before[at] += np.where(ones == 0, before - before[first], 0)
        at = at[np.argsort((values >> bit).astype(small), kind="stable")]
    # Of the order[i] smaller elements i − greater_before[i] come before i, the rest after it.
    after: Ints = order - every + greater_before
    return greater_before + after


def against_sending(rows: pl.DataFrame) -> Measure:
    """inversions_send: Kendall's distance of execution from sending, as a share of all pairs."""
    index = drawn(rows.height, RANKED_MAX)
    if len(index) < 2:
        return Measure(_SEND, None, note=_FEW)
    order = _permutation(rows["created_ns"].to_numpy()[index])
    return _kendall(_SEND, order, _of(len(index), rows.height))


def against_receipt(rows: pl.DataFrame, receipts: FirstReceipts) -> list[Measure]:
    """inversions_receive and rank_error.

    A message is received when half of the nodes have it; where most messages never reach half of
    them, or no receipts were recorded, when it reaches its gateway.
    """
    received, note = _received(rows, receipts)
    if len(received) < 2:
        return [Measure(name, None, note=_FEW) for name in (_RECEIVE, _ERROR)]
    order = _permutation(received)
    n = len(order)
    # Ranks within a sample are scaled up by the sampling fraction.
    moved: Floats = np.abs(order - np.arange(n)) * (rows.height / n)
    error = mean_interval(moved)
    low = None if error.low is None else max(0.0, error.low)
    return [
        _kendall(_RECEIVE, order, note),
        Measure(_ERROR, error.value, low, error.high, n, note),
    ]


def _received(rows: pl.DataFrame, receipts: FirstReceipts) -> tuple[Ints, str]:
    """Times of receipt of a sample of messages, in the order of execution, and a note on the
    sample."""
    some = drawn(len(receipts), min(RANKED_MAX, CELLS_MAX // max(1, receipts.nodes)))
    index = some[np.argsort(receipts.place[some])]
    times = receipts.times(index)
    half = (receipts.nodes + 1) // 2
    if len(index) > 1 and times.shape[1] >= half:
        median: Ints = np.partition(times, half - 1, axis=1)[:, half - 1]
        reached = median[median != NEVER]
        if 2 * len(reached) > len(index):
            return reached, _of(len(reached), rows.height)
    arrived = rows["gateway_ns"].drop_nulls().to_numpy()
    index = drawn(len(arrived), RANKED_MAX)
    why = (
        "most messages do not reach half of the nodes"
        if receipts.kept
        else "no receipts were recorded"
    )
    part = _of(len(index), rows.height)
    return arrived[index], f"receipt is at the gateway: {why}" + (f"; {part}" if part else "")


def _permutation(times: Ints) -> Ints:
    """Place in the order of `times` of what was executed first, second, …; ties are in order."""
    order = np.argsort(times, kind="stable")
    places: Ints = np.empty(len(order), dtype=np.int64)
    places[order] = np.arange(len(order))
    return places


def _kendall(name: str, order: Ints, note: str) -> Measure:
    """Share of inverted pairs.

    The interval is Hoeffding's for a U-statistic of degree 2 (Annals of Mathematical Statistics
    19, 1948): twice the spread of the mean of each message's own share, from batches.
    """
    n = len(order)
    own: Floats = inversions(order) / (n - 1)
    mean = mean_interval(own)
    low = high = None
    if mean.low is not None and mean.high is not None:
        half = mean.high - mean.low
        low, high = max(0.0, mean.value - half), min(1.0, mean.value + half)
    return Measure(name, mean.value, low, high, n, note)


def _of(part: int, whole: int) -> str:
    return f"{part:,} of {whole:,} messages" if part < whole else ""
