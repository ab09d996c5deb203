"""Positions as rows of a table: a position, or an account without one, in each."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any, Final

from surgetank.errors import SurgetankError
from surgetank.positions.columns import ASSET, Record, cell_number, named
from surgetank.positions.draft import Draft, Held
from surgetank.positions.files import PositionRows
from surgetank.positions.units import scaled, size_in_usd, units_given

__all__ = ["draft_of"]

_NUMBERS: Final = (
    *("size", "notional", "entry_price", "mark_price", "leverage", "collateral", "equity"),
)
_LONG: Final = ("long", "buy", "b", "bid", "true", "1", "l")
_SHORT: Final = ("short", "sell", "s", "ask", "a", "false", "-1", "0")
_MODES: Final = {"cross": False, "crossed": False, "isolated": True, "": False}


def draft_of(
    table: PositionRows,
    place: str,
    columns: Mapping[str, str],
    units: Mapping[str, str],
    marks: Mapping[str, float],
) -> Draft:
    """What the rows say; `columns` and `units` are the user's own names and units, `marks` the mark
    prices in USD of markets whose rows have none.

    Raises:
        SurgetankError: naming row and column, and the remedy.
    """
    given = list(dict.fromkeys(name for row in table.rows for name in row))
    names = named(given, columns, place)
    units_given(units)
    found = Draft(place)
    found.notes.append(
        f"{table.form}: " + ", ".join(f"{column} = `{name}`" for column, name in names.items())
    )
    records = [_record(row, where, names) for row, where in _pairs(table)]
    numbers = _numbers(records, names, units, found.notes)
    at = _marks(records, numbers, marks)
    sizes = _sizes(records, numbers, at, units, found)
    for i, record in enumerate(records):
        _take(record, sizes[i], {name: numbers[name][i] for name in numbers}, at[i], found)
    return found


def _pairs(table: PositionRows) -> Sequence[tuple[dict[str, Any], str]]:
    return list(zip(table.rows, table.places, strict=True))


def _record(row: Mapping[str, Any], place: str, names: Mapping[str, str]) -> Record:
    cells: dict[str, Any] = {}
    for column, name in names.items():
        value = row.get(name)
        if value is None or (isinstance(value, str) and not value.strip()):
            continue
        cells[column] = value.strip() if isinstance(value, str) else value
    if "account" not in cells:
        hint = "Name the account of every position"
        raise SurgetankError("column account: blank", place=place, hint=hint)
    return Record(place, cells)


def _numbers(
    records: Sequence[Record],
    names: Mapping[str, str],
    units: Mapping[str, str],
    notes: list[str],
) -> dict[str, list[float | None]]:
    """The numeric columns that the file has, in USD and coins."""
    wanted = [n for n in names if n in _NUMBERS or ASSET.match(n)]
    found: dict[str, list[float | None]] = {}
    for column in wanted:
        title = names[column]
        values = [cell_number(r.cells.get(column), r.place, title) for r in records]
        if column == "leverage" or column not in _NUMBERS:
            found[column] = values
        else:
            found[column] = scaled(column, values, units.get(column), notes)
    return found


def _sizes(
    records: Sequence[Record],
    numbers: Mapping[str, list[float | None]],
    marks: Sequence[float | None],
    units: Mapping[str, str],
    found: Draft,
) -> list[float | None]:
    """Signed size of each row in coins; None for a row without a position."""
    sizes = numbers.get("size")
    in_usd = False
    if sizes is not None:
        backing = numbers.get("collateral") or numbers.get("equity") or [None] * len(records)
        entries = numbers.get("entry_price") or [None] * len(records)
        known = [
            (abs(size) * (mark or entry or 0.0) / usd, mark or entry or 0.0)
            for size, usd, mark, entry in zip(sizes, backing, marks, entries, strict=True)
            if size and usd and usd > 0 and (mark or entry)
        ]
        asked = units.get("size")
        in_usd = size_in_usd([m for m, _ in known], [m for _, m in known], asked)
        if in_usd and asked is None:
            found.notes.append("size: in USD, since coins would be beyond all leverage "
                               "(--positions-units size=coins if not)")  # fmt: skip
    result: list[float | None] = []
    for i, record in enumerate(records):
        size = None if sizes is None else sizes[i]
        notional = numbers["notional"][i] if "notional" in numbers else None
        if size is None and notional is None:
            if "market" in record.cells:
                what = "a position without size or notional"
                raise SurgetankError(what, place=record.place, hint="Give one of the two columns")
            result.append(None)
            continue
        if size is None or in_usd:
            mark = marks[i]
            if mark is None:
                name = record.cells.get("market", "MARKET")
                raise SurgetankError(
                    "a position in USD without mark price",
                    place=record.place,
                    hint=f"Add a column mark_price, give --mark {name}=PRICE, or sizes in coins",
                )
            size = (notional if size is None else size or 0.0) / mark  # type: ignore[operator]
        result.append(_signed(size, record))
    return result


def _marks(
    records: Sequence[Record],
    numbers: Mapping[str, list[float | None]],
    given: Mapping[str, float],
) -> list[float | None]:
    """The mark price at which each row was written: its own, that of another row of its market,
    else the one given."""
    own = numbers.get("mark_price") or [None] * len(records)
    known: dict[str, float] = {}
    for record, mark in zip(records, own, strict=True):
        if mark:
            known.setdefault(str(record.cells.get("market", "")), mark)
    known = {**given, **known}
    return [
        mark or known.get(str(record.cells.get("market", "")))
        for record, mark in zip(records, own, strict=True)
    ]


def _signed(size: float, record: Record) -> float:
    side = record.cells.get("side")
    if side is None:
        return size
    word = str(side).lower()
    if word in ("both", "net"):
        return size
    if word not in (*_LONG, *_SHORT):
        hint = "Write long or short, or leave it out and give signed sizes"
        raise SurgetankError(f"column side: {side!r} is no side", place=record.place, hint=hint)
    if size < 0 and word in _LONG:
        hint = "Give positive sizes with a side, or signed sizes without one"
        what = f"a negative size {size:g} with the side {side!r}"
        raise SurgetankError(what, place=record.place, hint=hint)
    return abs(size) if word in _LONG else -abs(size)


def _take(
    record: Record,
    size: float | None,
    numbers: Mapping[str, float | None],
    mark_usd: float | None,
    found: Draft,
) -> None:
    """Adds a row."""
    owner, cells = str(record.cells["account"]), record.cells
    mode = str(cells.get("mode", "")).lower()
    if mode not in _MODES:
        hint = "Write cross or isolated"
        raise SurgetankError(f"column mode: {mode!r} is no mode", place=record.place, hint=hint)
    market = str(cells.get("market", ""))
    if size is not None and not market:
        hint = "Name the market of every position"
        raise SurgetankError("column market: blank", place=record.place, hint=hint)
    held = Held(
        record.place,
        owner,
        _MODES[mode],
        market,
        size or 0.0,
        numbers.get("entry_price"),
        numbers.get("mark_price"),
    )
    if market:
        found.held.append(held)
    _back(held, record, numbers, mark_usd, found)


def _back(
    held: Held,
    record: Record,
    numbers: Mapping[str, float | None],
    mark_usd: float | None,
    found: Draft,
) -> None:
    """Adds what a row says about the collateral of its margin account."""
    unit, place = held.unit, record.place
    cash, equity, leverage = (numbers.get(n) for n in ("collateral", "equity", "leverage"))
    if cash is not None and cash < 0:
        raise SurgetankError(
            f"collateral {cash:g} is negative",
            place=place,
            hint="Give the account's equity (collateral and unrealised profit) in a column equity",
        )
    for what, usd, kept in (("collateral", cash, found.cash), ("equity", equity, found.equity)):
        if usd is None:
            continue
        if kept.setdefault(unit, usd) != usd:
            raise SurgetankError(
                f"account {held.owner} has {what} {kept[unit]:g} in one row and {usd:g} in another",
                place=place,
                hint=f"Cross: repeat the account's {what}. Isolated: add a column mode",
            )
    if cash is None and equity is None and leverage is not None and held.size:
        if not leverage > 0:
            hint = "Give notional over equity, such as 10"
            raise SurgetankError(f"leverage {leverage:g} is not positive", place=place, hint=hint)
        price = mark_usd
        if price is None:
            hint = f"Add a column mark_price, or give --mark {held.market}=PRICE"
            raise SurgetankError("leverage without mark price", place=place, hint=hint)
        found.equity[unit] = found.equity.get(unit, 0.0) + abs(held.size) * price / leverage
    for column, value in numbers.items():
        match = ASSET.match(column)
        if match and value:
            found.assets.setdefault(unit, {})[match[1].upper()] = value
