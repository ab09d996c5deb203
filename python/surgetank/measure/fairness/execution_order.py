"""The executed messages in their order, and the times at which each node had them."""

from __future__ import annotations

from typing import Final

import numpy as np
import polars as pl
from numpy.typing import NDArray

from surgetank.trace import Outcome, Trace

__all__ = ["CELLS_MAX", "NEVER", "FirstReceipts", "Ints", "drawn", "executed"]

CELLS_MAX: Final = 400_000
"""Most receipts (messages × nodes) that one measure reads."""

NEVER: Final = np.iinfo(np.int64).max
"""The node never had it."""

Ints = NDArray[np.int64]


def executed(trace: Trace) -> pl.DataFrame:
    """The executed messages of the measured window, in the order of execution.

    Columns: message, class, account, gateway, height (UInt32), size_bytes, created_ns, gateway_ns,
    delay_ns (Int64). A message without a position comes in its block by the time of its execution.
    """
    begin, end = trace.measured_from_ns, trace.flow_end_ns
    rows = trace["messages"].filter(
        pl.col("created_ns").is_between(begin, end),
        pl.col("outcome") == Outcome.EXECUTED,
        pl.col("executed_ns").is_not_null(),
    )
    if rows["position"].null_count() or rows["height"].null_count():
        rows = rows.sort("height", "position", "executed_ns", "message")
    else:
        at = rows["height"].to_numpy().astype(np.int64) << 32
        rows = rows[np.argsort(at + rows["position"].to_numpy(), kind="stable")]
    return rows.select(
        "message",
        "class",
        "account",
        "gateway",
        "height",
        "size_bytes",
        pl.col("created_ns").cast(pl.Int64),
        pl.col("gateway_ns").cast(pl.Int64),
        (pl.col("executed_ns") - pl.col("created_ns")).cast(pl.Int64).alias("delay_ns"),
    )


class FirstReceipts:
    """The executed messages with recorded receipts, in the order of arrival at a gateway."""

    def __init__(self, trace: Trace, rows: pl.DataFrame) -> None:
        self.nodes = trace.nodes
        every = max(trace.scenario.trace.receipts_every, 1)
        self.note = "" if every == 1 else f"of one message in {every}; the others have no receipts"
        receipts = trace["receipts"]
        if not receipts["message"].is_sorted():
            receipts = receipts.sort("message")
        self._message = receipts["message"].to_numpy()
        self._node = receipts["node"].to_numpy()
        self._time_ns = receipts["time_ns"].to_numpy()
        message = rows["message"].to_numpy()
        changes = np.ones(len(self._message), np.bool_)
        np.not_equal(self._message[1:], self._message[:-1], out=changes[1:])
        begins = np.flatnonzero(changes)
        counts = np.diff(begins, append=len(self._message))
        ids = self._message[begins]
        # A table by number of message: where its receipts begin, and how many there are.
        table = np.zeros((2, 1 + max(ids.max(initial=0), message.max(initial=0))), np.int64)
        table[:, ids] = begins, counts
        from_, count = table[:, message]
        arrived = rows["gateway_ns"].fill_null(NEVER).to_numpy()
        place = np.flatnonzero(count)
        self.place: Ints = place[np.argsort(arrived[place], kind="stable")].astype(np.int64)
        """Row of `executed`. Shape (n,)."""
        self.height: Ints = rows["height"].fill_null(0).to_numpy()[self.place].astype(np.int64)
        self._gateway = rows["gateway"].to_numpy()[self.place]
        self._gateway_ns = arrived[self.place]
        self._from = from_[self.place]
        self._count = count[self.place]

    def __len__(self) -> int:
        return len(self.place)

    @property
    def kept(self) -> bool:
        """Whether receipts were recorded."""
        return len(self._message) > 0

    def times(self, index: Ints) -> Ints:
        """When each node first had each of these messages, ns; NEVER if it did not.

        Shape (len(index), nodes). The gateway has a message as soon as it reaches it. Nodes that
        lack most of them are left out (they were down, or messages do not reach them), so
        there may be no column at all.
        """
        times: Ints = np.full((len(index), self.nodes), NEVER, dtype=np.int64)
        count = self._count[index]
        row = np.repeat(np.arange(len(index)), count)
        ends = np.cumsum(count)
        at = np.arange(len(row)) + np.repeat(self._from[index] - ends + count, count)
        times[row, self._node[at]] = self._time_ns[at]
        own = np.arange(len(index)), self._gateway[index]
        times[own] = np.minimum(times[own], self._gateway_ns[index])
        usual = 2 * (times != NEVER).sum(axis=0) >= max(1, len(index))
        return times[:, usual]


def drawn(count: int, most: int) -> Ints:
    """At most `most` of the numbers 0 … count − 1 at random, ascending; the same in every
    process."""
    if count <= most:
        return np.arange(count, dtype=np.int64)
    found = np.random.default_rng(0).choice(count, most, replace=False, shuffle=False)
    return np.sort(found).astype(np.int64)
