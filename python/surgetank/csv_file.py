"""Rows of a CSV file with a header, and the places of rows for errors.

Recordings, which may have millions of rows, are read line by line (`surgetank.tape.rows`) with the
same delimiters and places.
"""

from __future__ import annotations

import csv
import io
from collections.abc import Callable

from surgetank.errors import SurgetankError

__all__ = ["csv_rows", "delimiter_of", "line_of"]

_DELIMITERS = ",;\t"


def line_of(file: object, number: int) -> str:
    """The place of a line, counted from 1, in errors and notices."""
    return f"{file}:{number}"


def delimiter_of(header: str) -> str:
    """A comma, a semicolon or a tab: the one that the header has most of."""
    return max(_DELIMITERS, key=header.count)


def csv_rows(
    text: str, file: object, *, named: Callable[[str], str] = str.strip
) -> list[tuple[str, dict[str, str]]]:
    """(place, cells by column) of every row; a cell is text without white space at its ends, a
    column without a name is left out. `named` makes a column's name from the header's cell.

    Raises:
        SurgetankError: it has no header, two columns have one name, or a row has more or fewer
            cells than the header.
    """
    reader = csv.reader(io.StringIO(text, newline=""), delimiter=delimiter_of(text.split("\n")[0]))
    try:
        lines = [(reader.line_num, cells) for cells in reader if any(map(str.strip, cells))]
    except csv.Error as error:
        place, hint = line_of(file, reader.line_num), "Save it as CSV again"
        raise SurgetankError(f"not CSV ({error})", place=place, hint=hint) from None
    if not lines:
        raise SurgetankError("the file is empty", place=str(file), hint="Give a header and rows")
    names = [named(name) for name in lines[0][1]]
    twice = next((name for name in names if name and names.count(name) > 1), None)
    if twice is not None:
        place = line_of(file, lines[0][0])
        raise SurgetankError(f"two columns are named `{twice}`", place=place, hint="Rename one")
    rows = []
    for number, cells in lines[1:]:
        place = line_of(file, number)
        if len(cells) != len(names):
            what = f"{len(cells)} cells under {len(names)} columns"
            hint = "Give each row a cell for each column; a cell with a delimiter needs quotes"
            raise SurgetankError(what, place=place, hint=hint)
        found = zip(names, map(str.strip, cells), strict=True)
        rows.append((place, {name: cell for name, cell in found if name}))
    return rows
