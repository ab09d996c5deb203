"""Comparison of two runs, or of runs of two scenarios paired by seed.

`compare` takes two traces, `compare_folders` what `surgetank run` wrote. The differences of all
measures come with intervals and p-values (`surgetank.compare.differences`); for two runs of one
name, the first place at which they differ. Only several seeds can show a significant change.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, replace
from typing import Any

import polars as pl

from surgetank.catalogue import LIMITS
from surgetank.compare.differences import ChangeFinding, Difference, adjusted, by_seed, of_two
from surgetank.compare.divergence import Divergence, divergence
from surgetank.compare.sides import (
    ComparedSide,
    JudgedRun,
    KeyChange,
    Property,
    judged,
    key_changes,
    properties,
)
from surgetank.measure import Measures
from surgetank.shown import Shown
from surgetank.trace import Trace
from surgetank.verdict import Status

__all__ = [
    "ChangeFinding",
    "ComparedSide",
    "Comparison",
    "Difference",
    "Divergence",
    "KeyChange",
    "Property",
    "compare",
    "compare_runs",
]


@dataclass(frozen=True, repr=False)
class Comparison(Shown):
    """ComparedSide b against side a: a run each, or runs of the same seeds."""

    a: ComparedSide
    b: ComparedSide
    same_name: bool
    """Same scenario, seed and build: the traces should be byte-identical."""
    same_trace: bool
    """Every table is the same in every cell, and so are the stats of the runs."""
    differences: tuple[Difference, ...]
    """In the order of the catalogue."""
    divergence: Divergence | None
    """Only for runs of one name."""
    changes: tuple[KeyChange, ...] = ()
    """What differs between the scenarios, besides seeds and texts that describe them."""
    limited: tuple[str, ...] = ()
    """Measures that a limit of either scenario bounds, in the scenarios' order."""

    @property
    def properties(self) -> tuple[Property, ...]:
        """What names the runs: scenario, seed, build, recording, position book, …"""
        return properties(self.a, self.b)

    @property
    def paired(self) -> bool:
        """Whether there are several runs of either side, paired by seed."""
        return len(self.a.runs) > 1

    @property
    def invalid(self) -> bool:
        """Whether a run is INVALID: then no difference says anything about the venue."""
        return Status.INVALID in (*self.a.statuses, *self.b.statuses)

    @property
    def ranked(self) -> tuple[Difference, ...]:
        """What exceeds the noise, the least p-value first; then what has no p-value, and what does
        not exceed it, by relative change."""

        def rank(one: Difference) -> tuple[float, float, float]:
            if one.exceeds_noise:
                return (0, one.p or 0.0, -(one.t or 0.0))
            return (1 if one.p is None else 2, -_size(one), 0.0)

        return tuple(sorted(self.differences, key=rank))

    def found(self, *findings: ChangeFinding) -> list[Difference]:
        """The differences of these findings, ranked."""
        return [one for one in self.ranked if one.finding in findings]

    def in_short(self) -> str:
        """The names of the runs, and how many keys and measures differ."""
        differ = sum(bool(one.change) for one in self.differences)
        sides = (f"{s.run.name} seed {', '.join(map(str, s.seeds))}" for s in (self.a, self.b))
        return f"{' and '.join(sides)}: {len(self.changes)} keys and {differ} measures differ"

    def frame(self) -> pl.DataFrame:
        """One row per measure: its name and the columns of `Difference.to_dict`."""
        rows = [{"name": d.name, **d.to_dict()} for d in self.differences]
        names = list(Difference("delay_p50_ms", None, None).to_dict())
        text = ("unit", "finding")
        kinds = {name: pl.String if name in text else pl.Float64 for name in names}
        return pl.DataFrame(rows, schema={"name": pl.String, **kinds})

    def to_dict(self) -> dict[str, Any]:
        """Plain values for JSON; differences are ranked. Infinite numbers are left as they are."""
        return {
            "significance": "between seeds" if self.paired else None,
            "same_name": self.same_name,
            "same_trace": self.same_trace,
            "verdicts": {
                side: dict(zip(map(str, of.seeds), map(str, of.statuses), strict=True))
                for side, of in (("a", self.a), ("b", self.b))
            },
            "properties": {
                one.name: {"a": one.a or None, "b": one.b or None, "differs": one.differs}
                for one in self.properties
            },
            "changes": {c.key: {"a": c.a, "b": c.b} for c in self.changes},
            "divergence": self.divergence and self.divergence.text,
            "differences": {d.name: d.to_dict() for d in self.ranked},
        }


def _size(one: Difference) -> float:
    """Size of the change over the larger of the two values; infinite if only one is infinite."""
    if one.sides is None or one.sides[0] == one.sides[1]:
        return 0.0
    if one.change is None:
        return float("inf")
    return abs(one.change) / max(map(abs, one.sides))


def compare(a: Trace, b: Trace, *, measures: tuple[Measures, Measures] | None = None) -> Comparison:
    """Compares two runs; `measures` saves computing them again."""
    of_a, of_b = measures or (None, None)
    found = compare_runs([judged(a, of_a)], [judged(b, of_b)])
    first = divergence(a, b) if found.same_name and a.trace_hash != b.trace_hash else None
    return replace(found, divergence=first)


def compare_runs(a: Sequence[JudgedRun], b: Sequence[JudgedRun]) -> Comparison:
    """Compares runs pair by pair: `a[i]` with `b[i]`. Several of a side have one scenario and one
    build, and the runs of a pair one seed."""
    pairs = list(zip(a, b, strict=True))
    names = list(dict.fromkeys(name for one in (*a, *b) for name in one.measures))
    if len(pairs) == 1:
        one, other = a[0].measures, b[0].measures
        differences = [of_two(name, one.get(name), other.get(name)) for name in names]
    else:
        sides = [[one.measures for one in side] for side in (a, b)]
        differences = [by_seed(name, *sides) for name in names]
    limits = [name for one in (*a, *b) for name in one.scenario.limits.as_mapping()]
    found = Comparison(
        ComparedSide(tuple(a)),
        ComparedSide(tuple(b)),
        same_name=all(x.run == y.run for x, y in pairs),
        same_trace=all(_facts(x) == _facts(y) for x, y in pairs),
        differences=tuple(differences),
        divergence=None,
        changes=key_changes(a[0].scenario, b[0].scenario),
        limited=tuple(dict.fromkeys(LIMITS[name].measure for name in limits if name in LIMITS)),
    )
    if found.invalid:
        return found
    return replace(found, differences=adjusted(differences))


def _facts(one: JudgedRun) -> tuple[Any, ...]:
    return one.chains, one.stats, one.complete
