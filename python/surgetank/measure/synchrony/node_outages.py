"""Which nodes were down, and which were cut off from a quorum."""

from __future__ import annotations

from itertools import chain

import numpy as np
import polars as pl

from surgetank.measure.synchrony.information_age import Ints, news
from surgetank.measure.synchrony.spans import Spans, spans
from surgetank.measure.synchrony.view import in_view
from surgetank.scenario.faults import KINDS, Partition
from surgetank.trace import Trace
from surgetank.trace.frames import groups_of
from surgetank.trace.once import once_per_trace

__all__ = ["crashes", "cut_off"]


@once_per_trace
def crashes(trace: Trace) -> Spans:
    """node, from_ns, until_ns of every crash.

    From the injected faults where there are any (exact), else from the gauges, where a crash lasts
    from the first sample that finds the node down to the first that finds it up.
    """
    stopping = [kind for kind, section in KINDS.items() if section.stops_nodes]
    injected = trace["faults"].filter(pl.col("kind").is_in(stopping))
    rows: list[tuple[int, int, int]] = []
    for begin, until, text in injected.select("at_ns", "until_ns", "nodes").iter_rows():
        nodes = chain.from_iterable(groups_of(text)) if text else range(trace.nodes)
        rows += [(k, min(begin, trace.end_ns), min(until, trace.end_ns)) for k in nodes]
    if not rows and (trace["gauges"]["up"] == 0).any():
        changed = (
            trace["gauges"]
            .sort("node", "time_ns")
            .with_columns(before=pl.col("up").shift(1, fill_value=1).over("node"))
            .filter(pl.col("up") != pl.col("before"))
            .with_columns(until=pl.col("time_ns").shift(-1).over("node").fill_null(trace.end_ns))
            .filter(pl.col("up") == 0)
        )
        rows = list(changed.select("node", "time_ns", "until").iter_rows())
    return spans(rows)


@once_per_trace
def cut_off(trace: Trace, lag_max_ns: int) -> Spans:
    """When each node had been without a quorum for longer than lag_max_ns.

    By an injected partition: its side has at most two thirds of the weight, or, where a single node
    sequences, not that node. Where no blocks are executed and messages only spread, also by the
    receipts: it receives from at most two thirds of the weight, itself included.
    """
    found = [_partitioned(trace, lag_max_ns)]
    if trace["executions"].is_empty() and trace["receipts"].height:
        found.append(_unhearing(trace, lag_max_ns))
    return pl.concat(found)


def _partitioned(trace: Trace, lag_max_ns: int) -> Spans:
    consensus = trace.scenario.layer.consensus
    rows = []
    dividing = [kind for kind, section in KINDS.items() if section.divides_nodes]
    cuts = trace["faults"].filter(pl.col("kind").is_in(dividing)).unique("index")
    for begin, until, text in cuts.select("at_ns", "until_ns", "nodes").iter_rows():
        for side in Partition.sides(groups_of(text), trace.nodes):
            # −1 stands for the clients of a live run.
            members = {k for k in side if 0 <= k < trace.nodes}
            if not consensus.can_order(members, trace.weights.tolist()):
                rows += [(k, begin + lag_max_ns, min(until, trace.end_ns)) for k in members]
    return spans(rows)


def _unhearing(trace: Trace, lag_max_ns: int) -> Spans:
    """From the receipts: when a node received nothing from nodes with a third of the weight or
    more."""
    rows = in_view(trace)
    speakers = [(int(k), rows.gateway == k) for k in np.unique(rows.gateway)]
    found: list[tuple[int, int, int]] = []
    for listener in range(trace.nodes):
        times, silent = np.array([], dtype=np.int64), np.array([], dtype=np.int64)
        for speaker, of in speakers:
            if speaker != listener:
                quiet = news(rows.known_ns[of], rows.had_ns[of, listener])
                begins, ends = quiet.spans(lag_max_ns, trace.end_ns)
                times = np.concatenate([times, begins, ends])
                weight = np.full(len(begins), trace.weights[speaker])
                silent = np.concatenate([silent, weight, -weight])
        order: Ints = np.argsort(times, kind="stable")
        times, silent = times[order], np.cumsum(silent[order])
        # Of changes at one time, the state after the last.
        last = np.append(np.diff(times) > 0, True)[: len(times)]
        times, silent = times[last], silent[last]
        deaf = 3 * silent >= trace.weights.sum()
        pieces = zip(times[:-1][deaf[:-1]], times[1:][deaf[:-1]], strict=True)
        found += [(listener, int(a), int(b)) for a, b in pieces]
    return spans(found)
