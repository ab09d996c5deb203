"""The share of the weight that is out of step over time, and the fault budget that is left."""

from __future__ import annotations

from dataclasses import dataclass
from functools import cached_property
from typing import Any, Final

import numpy as np
import polars as pl
from numpy.typing import NDArray

from surgetank.measure.synchrony import state, trailing, view
from surgetank.measure.synchrony.failures import Failure, FailureKind
from surgetank.measure.synchrony.information_age import Ints, News
from surgetank.measure.synchrony.node_outages import crashes, cut_off
from surgetank.measure.synchrony.spans import Spans, held
from surgetank.trace import CLASSES, Trace

__all__ = ["BUDGET", "Synchrony", "SynchronyBounds"]

BUDGET: Final = 1 / 3
"""Byzantine agreement tolerates faults below this share of the weight (Pease, Shostak and Lamport,
"Reaching agreement in the presence of faults", J. ACM 27(2), 1980)."""

_KINDS: Final = (FailureKind.DOWN, FailureKind.CUT_OFF, FailureKind.TRAILING)
"""Reasons for a node's being out of step; where several hold, the first counts."""


@dataclass(frozen=True)
class SynchronyBounds:
    """Bounds beyond which lag and age of information count, ns."""

    lag_max_ns: int
    stale_after_ns: int


class Synchrony:
    """Which nodes were out of step, when and why, in one run; exact, from the events.

    A node is out of step while it is down, cut off or trailing; at a standstill all are. From the
    begin of the measured window to the end of the run, drain included: a node that a surge
    delayed counts until it has caught up.
    """

    def __init__(self, trace: Trace, bounds: SynchronyBounds) -> None:
        self.trace, self.bounds = trace, bounds

    @cached_property
    def by_kind(self) -> dict[FailureKind, Spans]:
        """node, from_ns, until_ns by kind; a node may be in several at once."""
        most = self.bounds.lag_max_ns
        return {
            FailureKind.DOWN: crashes(self.trace),
            FailureKind.CUT_OFF: cut_off(self.trace, most),
            FailureKind.TRAILING: trailing.trailing(self.trace, most),
        }

    @cached_property
    def standstills(self) -> list[tuple[int, int]]:
        """Begin and end of each standstill, ns; none without ordering."""
        if not self.trace.orders:
            return []
        return state.standstills(self.trace, self.bounds.lag_max_ns)

    @cached_property
    def _times(self) -> Ints:
        begin, end = self.trace.measured_from_ns, self.trace.end_ns
        marks = [np.array([begin, end]), np.array(self.standstills, dtype=np.int64).ravel()]
        for found in self.by_kind.values():
            marks += [found["from_ns"].to_numpy(), found["until_ns"].to_numpy()]
        return np.unique(np.clip(np.concatenate(marks).astype(np.int64), begin, end))

    @cached_property
    def _still(self) -> NDArray[np.bool_]:
        begun = self._times[:-1]
        found = np.zeros(len(begun), dtype=np.bool_)
        for a, b in self.standstills:
            found |= (begun >= a) & (begun < b)
        return found

    @cached_property
    def steps(self) -> pl.DataFrame:
        """Over time, in steps: a row holds from its time to the next row's.

        Columns: time_ns (Int64), down, cut_off, trailing (Int64: nodes, each counted once),
        standstill (Boolean), nodes (Int64: out of step; all at a standstill), weight (Int64: voting
        power out of step), share (Float64: of all voting power), budget_left (Float64: 1/3 less
        the share). The last row is the run's end.
        """
        n = self.trace.nodes
        out = np.zeros((n, len(self._times) - 1), dtype=np.bool_)
        columns: dict[str, NDArray[np.int64] | NDArray[np.bool_]] = {}
        for kind in _KINDS:
            here = held(self.by_kind[kind], n, self._times) & ~out
            out |= here
            columns[kind.replace("-", "_")] = here.sum(axis=0)
        nodes = np.where(self._still, n, out.sum(axis=0))
        weight = np.where(self._still, self._total, self.trace.weights @ out)
        rows = pl.DataFrame({"time_ns": self._times[:-1], **columns})
        rows = rows.with_columns(standstill=self._still, nodes=nodes, weight=weight)
        end = rows.tail(1).with_columns(time_ns=pl.lit(self.trace.end_ns, dtype=pl.Int64))
        share = pl.col("weight") / self._total
        return pl.concat([rows, end]).with_columns(share=share, budget_left=BUDGET - share)

    @cached_property
    def _total(self) -> int:
        """Voting power of all nodes."""
        return int(self.trace.weights.sum())

    @cached_property
    def worst(self) -> dict[str, Any]:
        """The first row of `steps` in which most voting power was out of step."""
        return self.steps.row(int(self.steps["weight"].arg_max() or 0), named=True)

    @cached_property
    def _lengths(self) -> NDArray[np.float64]:
        return np.diff(self._times) / 1e9

    def episodes(self) -> list[tuple[int, int]]:
        """Begin and end (ns) of each time in which at least one node was out of step."""
        out = np.concatenate(([False], self.steps["nodes"].to_numpy()[:-1] > 0, [False]))
        edges = self._times[np.flatnonzero(out[1:] != out[:-1])].tolist()
        return list(zip(edges[::2], edges[1::2], strict=True))

    def used_s(self, part: float = 1.0) -> float:
        """Seconds in which at least this part of the fault budget was used up."""
        weight = self.steps["weight"].to_numpy()[:-1]
        return float(self._lengths[3 * weight >= part * self._total].sum())

    def node_seconds(self) -> float:
        """Seconds out of step, summed over the nodes."""
        return float((self._lengths * self.steps["nodes"].to_numpy()[:-1]).sum())

    @cached_property
    def in_view(self) -> view.MessagesInView:
        """Messages in view, with recorded receipts."""
        return view.in_view(self.trace)

    # What the executed state lacked

    @cached_property
    def ages(self) -> dict[str, News]:
        """Class → its messages as news, in the order of the class numbers; empty without
        ordering."""
        found = dict(state.classes(self.trace)) if self.trace.orders else {}
        return {name: found[name] for name in CLASSES if name in found}

    @cached_property
    def stale(self) -> dict[str, list[tuple[int, int]]]:
        """Class → when the executed state lacked news of it for longer than stale_after_ns.

        Only price updates, which come at fixed intervals, and classes that bring news regularly;
        and only while flow arrives: a class that is no longer sent is not stale.
        """
        begin, end, most = self._flow
        found = {}
        for name, lacked in self.ages.items():
            if name == "price-update" or state.is_regular(lacked, most, begin, end):
                ends = zip(*lacked.spans(most, end), strict=True)
                found[name] = [(max(int(a), begin), int(b)) for a, b in ends if b > begin]
        return {name: rows for name, rows in found.items() if rows}

    @property
    def _flow(self) -> tuple[int, int, int]:
        trace = self.trace
        return trace.measured_from_ns, trace.flow_end_ns, self.bounds.stale_after_ns

    def stale_s(self) -> float:
        """Seconds in which the state was stale in at least one class."""
        total, last = 0, 0
        for begin, until in sorted(row for rows in self.stale.values() for row in rows):
            total += max(0, until - max(begin, last))
            last = max(last, until)
        return total / 1e9

    # Kinds of failure

    @cached_property
    def failures(self) -> list[Failure]:
        """Kinds of failure, in the order in which they began; empty if there was none.

        While the fault budget is used up, the kind is the one that most nodes are in; a standstill
        is one whatever the nodes are in.
        """
        steps = self.steps.head(-1).with_columns(length=pl.Series(self._lengths))
        used = steps.filter(3 * pl.col("weight") >= self._total)
        names = [kind.replace("-", "_") for kind in _KINDS]
        most = pl.concat_list(names).list.arg_max()
        found = [self._failure(FailureKind.STANDSTILL, used.filter("standstill"))]
        rest = used.filter(~pl.col("standstill")).with_columns(most=most)
        found += [self._failure(k, rest.filter(pl.col("most") == i)) for i, k in enumerate(_KINDS)]
        if self.stale:
            first = min(rows[0][0] for rows in self.stale.values())
            found.append(Failure(FailureKind.STALE, first, self.stale_s()))
        return sorted((f for f in found if f is not None), key=lambda f: f.first_ns)

    def _failure(self, kind: FailureKind, rows: pl.DataFrame) -> Failure | None:
        if rows.is_empty():
            return None
        return Failure(kind, int(rows["time_ns"][0]), float(rows["length"].sum()))
