"""Acknowledgements, duplicates, reordering, refusals and losses of a live target."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Final

import numpy as np
import polars as pl

from surgetank.measure.measured import Measure
from surgetank.measure.statistics import KaplanMeier, share_interval
from surgetank.trace import CLASSES, OutcomeReason, Trace

__all__ = ["delivery", "reordered"]

_MS: Final = 1e6

#: Outcomes of messages in a live run, counted by class.
_COUNTS: Final = {
    "refused_count": OutcomeReason.TARGET_REFUSED,
    "timed_out_count": OutcomeReason.TIMED_OUT,
    "disconnected_count": OutcomeReason.DISCONNECTED,
    "not_sent_count": OutcomeReason.NOT_SENT,
    "acknowledged_lost_count": OutcomeReason.ACKNOWLEDGED_AND_LOST,
}


def delivery(trace: Trace) -> list[Measure]:
    """ack_p50_ms, ack_p99_ms; duplicates_share, reordered_share; refused_count, timed_out_count,
    disconnected_count, not_sent_count, acknowledged_lost_count; the last seven also by class.

    Of live runs only. Over all messages of the measured window.
    """
    if trace.stats.live is None:
        return []
    rows = trace["messages"].filter(
        pl.col("created_ns").is_between(trace.measured_from_ns, trace.flow_end_ns)
    )
    if rows.is_empty():
        return []
    rows = rows.join(_arrivals(trace), on="message", how="left")
    found = list(_acknowledged(rows, trace))
    parts = [("", rows)]
    parts += [
        (f".{CLASSES[int(key)]}", part)
        for (key,), part in sorted(rows.partition_by("class", as_dict=True).items())
    ]
    for suffix, part in parts:
        found += _of(part, suffix)
    return found


def _of(rows: pl.DataFrame, suffix: str) -> Iterator[Measure]:
    arrived = rows.filter(pl.col("copies").is_not_null())
    for name, flags in (
        ("duplicates_share", arrived["copies"] > 1),
        ("reordered_share", arrived["reordered"]),
    ):
        if arrived.is_empty():
            yield Measure(name + suffix, None, note="no message was delivered")
            continue
        share = share_interval(flags.to_numpy())
        yield Measure(name + suffix, share.value, share.low, share.high, share.n)
    for name, reason in _COUNTS.items():
        count = int((rows["reason"] == reason).sum())
        yield Measure(name + suffix, float(count), n=len(rows))


def _acknowledged(rows: pl.DataFrame, trace: Trace) -> Iterator[Measure]:
    if trace.live.ack == "none":
        for name in ("ack_p50_ms", "ack_p99_ms"):
            yield Measure(name, None, note="this target does not acknowledge")
        return
    came = rows["confirmed_ns"].is_not_null().to_numpy()
    until = rows["confirmed_ns"].fill_null(trace.end_ns).to_numpy().astype(np.float64)
    spent = np.maximum(until - rows["created_ns"].to_numpy(), 0.0)
    curve = KaplanMeier(spent, came)
    for name, share in (("ack_p50_ms", 0.5), ("ack_p99_ms", 0.99)):
        q = curve.interval(share)
        low, high = (None if x is None else x / _MS for x in (q.low, q.high))
        yield Measure(name, q.value / _MS, low, high, q.n)


def _arrivals(trace: Trace) -> pl.DataFrame:
    """One row per delivered message: copies (most that one subscriber got) and reordered."""
    rows = trace["deliveries"]
    copies = rows.group_by("message").agg((pl.col("copy").max() + 1).alias("copies"))
    return copies.join(reordered(trace), on="message", how="left")


def reordered(trace: Trace) -> pl.DataFrame:
    """Columns message, reordered: whether a message came, at any subscriber, after a later one of
    the same account. First copies only (RFC 4737, Type-P-Reordered, with the account's messages in
    order of sending as the sequence)."""
    sent = trace["messages"].select("message", "account", "created_ns")
    return (
        trace["deliveries"]
        .filter(pl.col("copy") == 0)
        .join(sent, on="message")
        .sort("node", "position")
        .with_columns(
            pl.struct("created_ns", "message")
            .rank("ordinal")
            .over("node", "account")
            .alias("sequence")
        )
        .with_columns(pl.col("sequence").cum_max().over("node", "account").alias("latest"))
        .group_by("message")
        .agg((pl.col("sequence") < pl.col("latest")).any().alias("reordered"))
    )
