"""Where two runs of one name first differ."""

from __future__ import annotations

import dataclasses
from dataclasses import dataclass

import polars as pl

from surgetank.trace import CHUNK_ROWS, Stats, Trace

__all__ = ["Divergence", "divergence"]


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


def divergence(a: Trace, b: Trace) -> Divergence | None:
    """The first difference of two traces: of a table, else of the stats; None if neither has
    one."""
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
    if not keys:
        return None
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
