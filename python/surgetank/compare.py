"""Comparison of two runs: differences of measures, and the first difference of equal runs."""

from __future__ import annotations

import dataclasses
import math
from dataclasses import dataclass
from typing import Final

import polars as pl

from surgetank.catalogue import LIMITS
from surgetank.measure import Measure, Measures, measure
from surgetank.scenario.dotted import Keys, leaves
from surgetank.shown import Shown
from surgetank.trace import CHUNK_ROWS, Run, Stats, Trace

__all__ = ["Comparison", "Difference", "Divergence", "KeyChange", "compare"]

#: Keys that do not change what a scenario does, and the seed, which the run has.
_LABELS: Final = ("name", "title", "event", "source", "description", "seed")


@dataclass(frozen=True)
class Difference:
    """One measure in both runs; a side is None if that run does not have it."""

    name: str
    unit: str
    a: Measure | None
    b: Measure | None

    @property
    def change(self) -> float | None:
        """b less a; None if either is missing or infinite."""
        if self.a is None or self.b is None or self.a.value is None or self.b.value is None:
            return None
        change = self.b.value - self.a.value
        return change if math.isfinite(change) else None

    @property
    def overlap(self) -> bool | None:
        """Whether the 95 % intervals overlap; None if either has none.

        Disjoint intervals mean a significant difference; overlapping ones prove nothing.
        """
        ends = [e for m in (self.a, self.b) if m is not None for e in (m.low, m.high)]
        if len(ends) < 4 or any(e is None for e in ends):
            return None
        low_a, high_a, low_b, high_b = (float(e) for e in ends if e is not None)
        return low_a <= high_b and low_b <= high_a

    @property
    def gap(self) -> float:
        """Distance of the values over the half widths of both intervals, added in squares: above
        about 1 the difference is significant. 0 without intervals."""
        if self.overlap is None or not self.change or self.a is None or self.b is None:
            return 0.0
        halves = [((m.high or 0.0) - (m.low or 0.0)) / 2 for m in (self.a, self.b)]
        return abs(self.change) / max(math.hypot(*halves), 1e-12)

    def to_dict(self) -> dict[str, str | float | bool | None]:
        """Plain values: unit, each side's value with its 95 % interval (low, high), change and
        overlap."""
        sides: dict[str, float | None] = {}
        for side, m in (("a", self.a), ("b", self.b)):
            sides[side] = m.value if m else None
            sides[f"{side}_low"], sides[f"{side}_high"] = (m.low, m.high) if m else (None, None)
        return {"unit": self.unit, **sides, "change": self.change, "overlap": self.overlap}


@dataclass(frozen=True)
class KeyChange:
    """A scenario key whose values differ between the runs; None where a run does not have it."""

    key: str
    """As `--set` takes it: parts joined by dots."""
    a: object
    b: object


@dataclass(frozen=True)
class Divergence:
    """The first place at which two runs of one name differ."""

    table: str
    first_row: int
    """First and last row of the chunk whose hashes differ."""
    last_row: int
    row: int | None
    column: str | None
    text: str


@dataclass(frozen=True, repr=False)
class Comparison(Shown):
    """The comparison of two runs."""

    a: Run
    b: Run
    same_name: bool
    """Same scenario, seed and build: the traces should be byte-identical."""
    same_trace: bool
    """Every table is the same in every cell, and so are the stats of the runs."""
    differences: tuple[Difference, ...]
    divergence: Divergence | None
    """Only for runs of one name."""
    changes: tuple[KeyChange, ...] = ()
    """What differs between the scenarios, besides seeds and texts that describe them."""
    limited: tuple[str, ...] = ()
    """Measures that a limit of either scenario bounds, in the scenarios' order."""

    def in_short(self) -> str:
        """The names of the runs, and how many keys and measures differ."""
        differ = sum(bool(one.change) for one in self.differences)
        runs = " and ".join(f"{run.name} seed {run.seed}" for run in (self.a, self.b))
        return f"{runs}: {len(self.changes)} keys and {differ} measures differ"

    def frame(self) -> pl.DataFrame:
        """One row per measure: its name and the columns of `Difference.to_dict`."""
        rows = [{"name": d.name, **d.to_dict()} for d in self.differences]
        text = dict.fromkeys(("name", "unit"), pl.String)
        sides = ("a", "a_low", "a_high", "b", "b_low", "b_high", "change")
        kinds = {**text, **dict.fromkeys(sides, pl.Float64), "overlap": pl.Boolean}
        return pl.DataFrame(rows, schema=kinds)


def compare(a: Trace, b: Trace, *, measures: tuple[Measures, Measures] | None = None) -> Comparison:
    """Compares two runs; `measures` saves computing them again."""
    of_a, of_b = measures or (measure(a), measure(b))
    names = [*of_a, *(name for name in of_b if name not in of_a)]
    differences = []
    for name in names:
        one, other = of_a.get(name), of_b.get(name)
        known = one or other
        if known is not None:
            differences.append(Difference(name, known.unit, one, other))
    same_name = a.run == b.run
    divergence = _divergence(a, b) if same_name and a.trace_hash != b.trace_hash else None
    same_trace = (a.chains, a.stats, a.complete) == (b.chains, b.stats, b.complete)
    limits = [name for trace in (a, b) for name in trace.scenario.limits.as_mapping()]
    return Comparison(
        a.run,
        b.run,
        same_name,
        same_trace,
        tuple(differences),
        divergence,
        _changes(a, b),
        tuple(dict.fromkeys(LIMITS[name].measure for name in limits if name in LIMITS)),
    )


def _changes(a: Trace, b: Trace) -> tuple[KeyChange, ...]:
    one, other = (leaves(Keys(trace.scenario).data) for trace in (a, b))
    keys = [*one, *(key for key in other if key not in one)]
    return tuple(
        KeyChange(key, one.get(key), other.get(key))
        for key in keys
        if key not in _LABELS and one.get(key) != other.get(key)
    )


def _divergence(a: Trace, b: Trace) -> Divergence | None:
    for table, links in a.chains.items():
        others = b.chains[table]
        if links == others:
            continue
        pairs = zip(links, others, strict=False)
        chunk = next((i for i, (x, y) in enumerate(pairs) if x != y), min(len(links), len(others)))
        first = (chunk - 1) * CHUNK_ROWS
        one, other = (t[table].slice(first, CHUNK_ROWS) for t in (a, b))
        last = first + max(one.height, other.height) - 1
        row, column = _first_cell(one, other)
        where = f"table {table}, rows {first} to {last}"
        if row is None:
            return Divergence(table, first, last, None, None, f"{where}: cells differ in bits only")
        if column is None:
            text = f"{where}: one run ends at row {first + row}, the other goes on"
            return Divergence(table, first, last, first + row, None, text)
        text = f"{where}: first at row {first + row}, {column}: {one[column][row]!r} against "
        text += repr(other[column][row])
        return Divergence(table, first, last, first + row, column, text)
    names = sorted(f.name for f in dataclasses.fields(Stats))
    keys = [name for name in names if getattr(a.stats, name) != getattr(b.stats, name)]
    keys += ["complete"] if a.complete != b.complete else []
    return Divergence("stats", 0, 0, None, None, f"all tables are equal; {', '.join(keys)} differ")


def _first_cell(a: pl.DataFrame, b: pl.DataFrame) -> tuple[int | None, str | None]:
    """Row and column of the first differing cell; the column is None if one frame ends there."""
    shared = min(a.height, b.height)
    best: tuple[int | None, str | None] = (shared if a.height != b.height else None, None)
    for column in a.columns:
        differs = a[column].head(shared).ne_missing(b[column].head(shared))
        rows = differs.arg_true()
        if len(rows) and (best[0] is None or int(rows[0]) < best[0]):
            best = (int(rows[0]), column)
    return best
