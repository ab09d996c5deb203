"""Reading of a positions file: which format it has, and the book in it."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Mapping
from pathlib import Path
from typing import Any, Final

from surgetank.errors import SurgetankError
from surgetank.positions import document, dydx, gmx, hyperliquid, table
from surgetank.positions.columns import cell_number, pairs_of
from surgetank.positions.draft import Draft
from surgetank.positions.files import PositionRows, read_file
from surgetank.positions.position_book import PositionBook

__all__ = ["read_positions"]

#: Options of the command line for columns, units and marks, with an example of each.
_FLAGS: Final = {
    "--positions-columns": "size=qty",
    "--positions-units": "size=usd",
    "--mark": "BTC=65000",
}
#: Formats of JSON documents: whether one is of it, and what it says.
_FORMATS: Final[tuple[tuple[Callable[[Any], bool], Callable[[Any, str], Draft]], ...]] = (
    (hyperliquid.is_of, hyperliquid.draft_of),
    (dydx.is_of, dydx.draft_of),
    (gmx.is_of, gmx.draft_of),
    (document.is_of, document.draft_of),
)


def read_positions(
    path: str | Path,
    *,
    columns: Iterable[str] = (),
    units: Iterable[str] = (),
    marks: Iterable[str] = (),
) -> PositionBook:
    """Reads a position book: a table (`.csv`, `.parquet`, `.jsonl`), a JSON book, or a snapshot as
    Hyperliquid, dYdX v4 and GMX publish it; docs/positions.md.

    `columns` names columns of a table (`size=qty`), `units` the units of their numbers (`size=usd`,
    `collateral=1e6`), `marks` mark prices in USD (`BTC=65000`), which override those of the file.

    Raises:
        SurgetankError: naming the file's row or key, and the remedy.
    """
    path = Path(path)
    asked = [*columns], [*units], [*marks]
    own, given, prices = (
        pairs_of(texts, flag, example)
        for texts, (flag, example) in zip(asked, _FLAGS.items(), strict=True)
    )
    marks_usd = _prices(prices)
    found = _draft(path, read_file(path), own, given, marks_usd)
    how = [text for flag, texts in zip(_FLAGS, asked, strict=True) for one in texts
           for text in (flag, one)]  # fmt: skip
    return found.book(marks_usd, file=str(path), how=how)


def _draft(
    path: Path,
    content: Any,
    columns: Mapping[str, str],
    units: Mapping[str, str],
    marks: Mapping[str, float],
) -> Draft:
    place = str(path)
    if document.is_rows(content) and not gmx.is_of(content):
        content = document.as_table(content, place)
    if isinstance(content, PositionRows) and not gmx.is_of(content.rows):
        return table.draft_of(content, place, columns, units, marks)
    if columns or units:
        hint = "Leave --positions-columns and --positions-units out"
        raise SurgetankError("its keys have names and units of their own", place=place, hint=hint)
    if isinstance(content, PositionRows):
        return gmx.draft_of(content.rows, place)
    for is_of, draft_of in _FORMATS:
        if is_of(content):
            return draft_of(content, place)
    raise SurgetankError(
        "not a known kind of document",
        place=place,
        hint="Give a JSON book with `accounts`, or a snapshot of Hyperliquid, dYdX or GMX: "
        "docs/positions.md",
    )


def _prices(given: Mapping[str, str]) -> dict[str, float]:
    found: dict[str, float] = {}
    for name, text in given.items():
        price = cell_number(text, f"--mark {name}={text}", "price")
        found[name] = price or 0.0
    return found
