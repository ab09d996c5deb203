"""Data of a run that summary and charts share: windows, bins, quantiles."""

from __future__ import annotations

from dataclasses import dataclass
from functools import cached_property

import numpy as np
import polars as pl

from surgetank.measure import Measures, synchrony_of
from surgetank.measure.liquidations import due_episodes, executed_orders, reconciled
from surgetank.measure.synchrony import Synchrony
from surgetank.number_format import clock, counted, milliseconds, number, share
from surgetank.scenario.flow import Constant, Piecewise, Spike
from surgetank.trace import CLASSES, MarketKind, Quantity, Trace
from surgetank.trace.frames import delays, groups_of
from surgetank.verdict import Verdict

__all__ = ["RunView", "Stress", "letter_of", "nice_step"]

_BINS = 140


@dataclass(frozen=True)
class Stress:
    """A fault or a surge of flow in the scenario."""

    letter: str
    kind: str
    label: str
    at_ns: int
    until_ns: int


def nice_step(least: float) -> int:
    """The least of 1, 2, 5 × 10^k that is not below `least`."""
    power = 10 ** int(np.floor(np.log10(max(least, 1))))
    return int(next(m * power for m in (1, 2, 5, 10) if m * power >= least))


def letter_of(index: int) -> str:
    """The letter of a fault in the figures: A, B, …; after Z, numbers."""
    return chr(65 + index) if index < 26 else str(index + 1)


def _extent(quantity: str, asked: float) -> str:
    """The requested strength of a fault as text, where its kind has one."""
    forms = {
        Quantity.SERVICE_FACTOR: f" × {asked:g}",
        Quantity.PACKETS_LOST: f" of {share(asked)}" if asked < 1 else "",
        Quantity.SEGMENTS_LOST: f" of {share(asked)}",
        Quantity.ADDED_DELAY: f" of {milliseconds(asked)}",
        Quantity.SPAM_PER_S: f" of {number(asked)}/s",
    }
    return next((form for of, form in forms.items() if of.label == quantity), "")


class RunView:
    """A trace with its measures and verdict, and frames that several parts of the report share."""

    def __init__(
        self, trace: Trace, measures: Measures, verdict: Verdict, *, end_ns: int = 1
    ) -> None:
        """`end_ns` is the least end of the time axis: that of another run beside this one."""
        self.trace = trace
        self.measures = measures
        self.verdict = verdict
        self.end_ns = max(trace.end_ns, end_ns)
        self.step_ns = nice_step(self.end_ns / _BINS)
        self.synchrony: Synchrony = synchrony_of(trace)
        self.lag_max_ns = self.synchrony.bounds.lag_max_ns
        late, market = trace.scenario.late_after_ms, trace.scenario.market
        self.late_after_ns = None if late is None else int(late * 1e6)
        self.insurance_usd = 0.0 if market is None else market.margin.insurance_usd

    def value(self, name: str) -> float | None:
        """A measure's value, or None if there is no such measure."""
        return self.measures.value(name) if name in self.measures else None

    def limit(self, measure: str) -> float | None:
        """The limit that a measure was judged against, or None if it has none."""
        every = (*self.verdict.reasons, *self.verdict.left_out)
        return next((r.limit for r in every if r.bound and r.bound.measure == measure), None)

    @cached_property
    def stresses(self) -> list[Stress]:
        """Surge of flow and faults, in order of time, with a letter each."""
        found = [*self._surge(), *self._faults()]
        found.sort(key=lambda s: (s[2], s[3]))
        return [Stress(letter_of(i), *stress) for i, stress in enumerate(found)]

    def _surge(self) -> list[tuple[str, str, int, int]]:
        profile = self.trace.scenario.flow.profile
        if isinstance(profile, Constant):
            return []
        if isinstance(profile, Spike):
            # After three time constants 5 % of the spike is left.
            span, ending = (profile.at_s, profile.at_s + 3 * profile.decay_s), ", decaying"
        elif isinstance(profile, Piecewise):
            # The piece with the largest factor.
            ends = [*profile.from_s[1:], self.trace.scenario.duration_s]
            i = profile.factors.index(profile.factor)
            span, ending = (profile.from_s[i], ends[i]), ""
        else:
            span, ending = (profile.from_s, profile.until_s), ""
        at, until = (min(int(s * 1e9), self.end_ns) for s in span)
        label = f"background load × {profile.factor:g}{ending}"
        return [("surge", label, at, until)] if at < until else []

    def _faults(self) -> list[tuple[str, str, int, int]]:
        rows = (
            self.trace["faults"]
            .group_by("index", "kind", "at_ns", "until_ns", "nodes", maintain_order=True)
            .agg(pl.col("quantity", "asked").first())
        )
        found = []
        for row in rows.iter_rows(named=True):
            count = sum(node >= 0 for group in groups_of(row["nodes"]) for node in group)
            whom = counted(count, "node") if row["nodes"] else "all nodes"
            until = min(row["until_ns"], self.end_ns)
            label = f"{row['kind']}{_extent(row['quantity'], row['asked'])}, {whom}"
            found.append((row["kind"], label, row["at_ns"], until))
        return found

    @property
    def begin_ns(self) -> int | None:
        """When the stress began, if there was any."""
        return self.stresses[0].at_ns if self.stresses else None

    def since_begin(self, ns: float) -> str:
        """A time as text, also relative to the begin of the stress if there is one."""
        if self.begin_ns is None or ns < self.begin_ns:
            return clock(ns)
        return f"{clock(ns)} ({clock(ns - self.begin_ns)} after the stress began)"

    @cached_property
    def messages(self) -> pl.DataFrame:
        """`Trace.delays()` over the whole run, with a column `bin` (Int64, ns) of creation."""
        rows = delays(self.trace["messages"], 0, self.end_ns)
        return rows.with_columns(self.binned("created_ns"))

    def binned(self, column: str, step_ns: int | None = None) -> pl.Expr:
        """The begin of the bin that a time falls in, as `bin` (Int64, ns)."""
        step = step_ns or self.step_ns
        return (pl.col(column).cast(pl.Int64) // step * step).alias("bin")

    @cached_property
    def classes(self) -> list[int]:
        """Client classes that occur."""
        return [n for n in sorted(self.messages["class"].unique()) if n < len(CLASSES)]

    def quantiles(self, number: int | None = None) -> pl.DataFrame:
        """Delay by time of creation: bin, p50, p99 (ms; inf = never within the run), n."""
        rows = self.messages
        if number is not None:
            rows = rows.filter(pl.col("class") == number)
        delay = (pl.col("delay_ns") / 1e6).fill_null(float("inf"))
        return (
            rows.group_by("bin")
            .agg(
                delay.quantile(0.5, "higher").alias("p50"),
                delay.quantile(0.99, "higher").alias("p99"),
                pl.len().alias("n"),
            )
            .sort("bin")
        )

    @cached_property
    def overall(self) -> pl.DataFrame:
        """`quantiles` of all classes together."""
        return self.quantiles()

    @cached_property
    def market(self) -> pl.DataFrame:
        """The market's facts in order of time."""
        return self.trace["market"].sort("time_ns", maintain_order=True)

    def facts(self, kind: MarketKind) -> pl.DataFrame:
        """The market's facts of this kind."""
        return self.market.filter(pl.col("kind") == kind)

    @cached_property
    def liquidated(self) -> pl.DataFrame:
        """Liquidation orders executed; see `executed_orders`."""
        return executed_orders(self.trace, self._late_after_ms)

    @cached_property
    def reconciled(self) -> str:
        """How the counts of liquidations add up, in a sentence."""
        return reconciled(self.trace, self._late_after_ms)

    @property
    def _late_after_ms(self) -> float | None:
        return None if self.late_after_ns is None else self.late_after_ns / 1e6

    @cached_property
    def episodes(self) -> pl.DataFrame:
        """Due episodes of accounts, and how each ended; see `due_episodes`."""
        return due_episodes(self.trace)

    @property
    def tick_usd(self) -> float:
        """USD per tick."""
        return self.trace.stats.tick_usd

    @property
    def quantum_usd(self) -> float:
        """USD per quantum of money."""
        return self.trace.stats.quantum_usd

    @cached_property
    def insurance(self) -> pl.DataFrame:
        """time_ns and usd (Float64): balance of the insurance fund after each change."""
        start = pl.DataFrame({"time_ns": [0], "usd": [self.insurance_usd]})
        usd = pl.col("amount") * self.quantum_usd
        rows = self.facts(MarketKind.INSURANCE).select(
            pl.col("time_ns").cast(pl.Int64), usd.alias("usd")
        )
        return pl.concat([start, rows]) if self.insurance_usd else rows

    @property
    def perpetuals(self) -> list[tuple[str, float]]:
        """Name and USD per tick of each perpetual, by market index."""
        market = self.trace.scenario.market
        if market is None:
            return [("the perpetual", self.tick_usd)]
        further = [(each.name, each.tick_usd) for each in market.perpetuals]
        return [(market.name, self.tick_usd), *further]

    def node_name(self, node: int) -> str:
        """The name of a node, its number if it has none, with its region if it has one: node 3
        (Tokyo)."""
        return self.trace.node_name(node)

    @cached_property
    def regions(self) -> list[str]:
        """Name of each node's region; empty names if there are none."""
        given = self.trace.stats.node_regions
        if len(given) == self.trace.nodes:
            return [str(r).replace("_", " ") for r in given]
        return [""] * self.trace.nodes
