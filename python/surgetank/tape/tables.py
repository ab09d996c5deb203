"""Tables: the columns of a recording, their roles, and the kind of table that they make."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from decimal import InvalidOperation
from itertools import pairwise
from pathlib import Path

from surgetank.errors import SurgetankError
from surgetank.tape.clock import TimeColumn, is_of_day
from surgetank.tape.columns import Columns
from surgetank.tape.formats import TABLES, Table
from surgetank.tape.formats.table import NAMES, Head
from surgetank.tape.lines import broken
from surgetank.tape.options import ReadOptions
from surgetank.tape.rows import Rows

__all__ = ["read"]

_FORMS = (
    "The first line names columns: a time (`timestamp`) and `open,high,low,close`, or a time and "
    "`price`, with `amount` and `side` where trades are to be sent; or give --columns "
    "time=…,price=…: docs/tapes.md"
)


def read(
    path: Path, rows: Rows, units: dict[str, str], options: ReadOptions
) -> tuple[Columns, type[Table], str]:
    """Every row of a table, its kind, and how its times were read.

    `units` has the unit of columns whose type is a time.

    Raises:
        SurgetankError: naming file and line.
    """
    names, given = rows
    head = _head(path, names, options)
    kind = _kind(path, head, options)
    columns = Columns(path, options)
    table = kind(columns, head)
    clocks = {
        role: TimeColumn(path, options, f"_{units[column]}" if column in units else column.lower())
        for role in ("time", "received")
        if head.has(role) and (column := names[head.at[role]]) is not None
    }
    of_day = _of_day(head)
    main = "received" if "received" in clocks else "time"
    for number, cells in given:
        columns.line = number
        try:
            times = {
                role: clock.ns(of_day(cells) if role == "time" else cells[head.at[role]], number)
                for role, clock in clocks.items()
            }
            if not head.has("symbol") or columns.wants(table.text(cells, "symbol")):
                columns.row(number, times[main], times["time"] if len(times) == 2 else None)
                table.take(cells)
        except SurgetankError:
            raise
        except (ValueError, OverflowError, InvalidOperation, KeyError):
            hint = "Record it again, or leave the line out"
            raise broken(path, number, "a number or word that cannot be read", hint) from None
    if not columns.rows_ns:
        raise SurgetankError(
            "the tape has a header and no rows", place=str(path), hint="Give another"
        )
    _in_order(table, columns)
    table.finish()
    return columns, kind, f"column `{head.names[main]}`, {clocks[main].said}"


def _of_day(head: Head) -> Callable[[Sequence[str]], str]:
    """The text of a row's time: where it is a time of day only, with the date of another column."""
    at, day = head.at.get("time", 0), head.at.get("day")
    if day is None or day == at:
        return lambda cells: cells[at]

    def joined(cells: Sequence[str]) -> str:
        text = cells[at].strip()
        return f"{cells[day].strip()} {text}" if is_of_day(text) else text

    return joined


def _in_order(table: Table, columns: Columns) -> None:
    times = columns.rows_ns
    if table.in_order and any(b < a for a, b in pairwise(times)):
        what = f"a {table.title} whose rows go back in time"
        raise SurgetankError(what, place=str(columns.path), hint="Sort the recording by time")


def _head(path: Path, names: Sequence[str], options: ReadOptions) -> Head:
    given = [name.strip().lower() for name in names]
    if options.columns:
        at: dict[str, int] = {}
        for role, name in options.columns.items():
            if name not in names:
                hint = f"There are: {', '.join(names)[:200]}"
                raise SurgetankError(f"no column {name!r}", place="--columns", hint=hint)
            at[role] = list(names).index(name)
    else:
        for name in given:
            if given.count(name) > 1 and any(name in known for known in NAMES.values()):
                raise broken(path, 1, f"two columns are named `{name}`", "Rename one")
        at = {}
        for role, known in NAMES.items():
            found = [name for name in known if name in given]
            if found:
                at[role] = given.index(found[0])
    head = Head(at, {role: given[i] for role, i in at.items()}, tuple(given))
    if not (head.has("time") or head.has("received")):
        raise broken(path, 1, f"unknown columns {','.join(names)[:60]!r}", _FORMS)
    return head


def _kind(path: Path, head: Head, options: ReadOptions) -> type[Table]:
    if options.format:
        kind = next(table for table in TABLES if table.name == options.format)
        lacking = [role for role in kind.needs if not head.has(role)]
        if lacking:
            what = f"a {kind.title} needs columns for {', '.join(lacking)}"
            hint = "Give another --format, or name them with --columns"
            raise broken(path, 1, what, hint)
        return kind
    kinds = (table for table in TABLES if table.fits(head))
    found = next(kinds, None)
    if found is None:
        raise broken(path, 1, f"unknown columns {','.join(head.given)[:60]!r}", _FORMS)
    return found
