"""Divergence of view: messages that some nodes know and no node has executed yet.

A message is **in view** from its first receipt by a node until the first node has executed it, or
to the end of the run. Messages that were refused or lost are left out: they are never ordered.
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
import polars as pl

from surgetank.measure.synchrony.information_age import NEVER, Ints
from surgetank.trace import Trace
from surgetank.trace.frames import waits
from surgetank.trace.once import once_per_trace

__all__ = ["MessagesInView", "divergence", "in_view", "longest_apart_ns"]


@dataclass(frozen=True, eq=False)
class MessagesInView:
    """Messages in view, one row each."""

    gateway: Ints
    known_ns: Ints
    """When the first node had it."""
    done_ns: Ints
    """First execution by any node; the end of the run if there was none."""
    had_ns: Ints
    """Messages × nodes: receipt by each node; NEVER if there was none."""

    @property
    def lacking_ns(self) -> Ints:
        """Messages × nodes: how long the node lacked the message while it was in view."""
        until = np.minimum(self.had_ns, self.done_ns[:, None])
        return np.maximum(until - self.known_ns[:, None], 0)


@once_per_trace
def in_view(trace: Trace) -> MessagesInView:
    """The messages with recorded receipts, in the order in which a first node had them.

    Its gateway has a message from its admission on, whether or not that is among the receipts.
    """
    received = trace["receipts"]
    first = received.group_by("message").agg(pl.col("time_ns").min().alias("first_ns"))
    done = trace["executions"].group_by("height").agg(pl.col("executed_ns").min().alias("done_ns"))
    rows = (
        trace["messages"]
        .filter(waits())
        .join(first, on="message")
        .select(
            "message",
            "gateway",
            "height",
            pl.min_horizontal("first_ns", "admitted_ns").alias("known_ns"),
            pl.col("admitted_ns").fill_null(NEVER).cast(pl.Int64).alias("admitted_ns"),
        )
        .join(done, on="height", how="left")
        .with_columns(pl.col("done_ns").fill_null(trace.end_ns))
        .sort("known_ns", "message")
        .with_row_index("row")
    )
    had = np.full((rows.height, trace.nodes), NEVER, dtype=np.int64)
    seen = received.join(rows.select("message", "row"), on="message")
    had[seen["row"].to_numpy(), seen["node"].to_numpy()] = seen["time_ns"].cast(pl.Int64)
    gateway = rows["gateway"].cast(pl.Int64).to_numpy()
    own = (np.arange(rows.height), gateway)
    had[own] = np.minimum(had[own], rows["admitted_ns"].to_numpy())
    known_ns = rows["known_ns"].cast(pl.Int64).to_numpy()
    # A block may bring a message before its own copy comes.
    done_ns = np.maximum(rows["done_ns"].cast(pl.Int64).to_numpy(), known_ns)
    return MessagesInView(gateway, known_ns, done_ns, had)


def divergence(rows: MessagesInView, nodes: int) -> float | None:
    """The share of (message in view, node) pairs in which the node lacks it, over all time.

    Nodes that are split into groups of a and b, with messages admitted evenly, lack 2ab/n² of them.
    """
    total = nodes * float((rows.done_ns - rows.known_ns).sum())
    return float(rows.lacking_ns.sum()) / total if total else None


def longest_apart_ns(rows: MessagesInView) -> int:
    """The longest time that a node lacked a message in view, ns."""
    return int(rows.lacking_ns.max(initial=0))
