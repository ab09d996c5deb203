"""Recordings in CSV: bars, trades, or prices alone. The header line says which: docs/tapes.md."""

from __future__ import annotations

import csv
import math
from collections.abc import Mapping
from dataclasses import dataclass
from datetime import UTC, datetime
from decimal import Decimal, InvalidOperation
from itertools import pairwise
from pathlib import Path
from typing import Final

from surgetank.errors import SurgetankError
from surgetank.tape.columns import Columns
from surgetank.tape.lines import broken, lines

__all__ = ["read"]

#: Names of columns by source: tardis.dev, Binance, Kaiko, Coinbase, pandas, our own data.
_NAMES: Final[Mapping[str, tuple[str, ...]]] = {
    "time": (
        *("timestamp", "time", "datetime", "date", "open_time", "ts", "local_timestamp"),
        *(f"{name}_{unit}" for name in ("timestamp", "time", "ts") for unit in ("s", "ms", "us")),
        *("timestamp_ns", "time_ns", "ts_ns", "trade_time", "transact_time", "created_at"),
    ),
    "open": ("open", "o"),
    "high": ("high", "h"),
    "low": ("low", "l"),
    "close": ("close", "c"),
    "price": ("price", "p", "px", "mid", "last"),
    "amount": ("amount", "quantity", "qty", "size", "size_btc", "size_eth"),
    "side": ("side", "taker_side", "is_buyer_maker", "is_maker_ask"),
}
_OHLC: Final = ("open", "high", "low", "close")
_FORMS: Final = (
    "The first line names columns: a time (`timestamp`) and `open,high,low,close`, or a time and "
    "`price`, with `amount` and `side` where trades are to be sent: docs/tapes.md"
)
_BUY: Final = {"buy": 1, "b": 1, "bid": 1, "sell": 2, "s": 2, "ask": 2, "": 0, "unknown": 0}
#: Columns with the maker's side: the taker bought if the maker sold.
_TAKER_BUYS: Final = {"is_maker_ask": ("1", "true"), "is_buyer_maker": ("0", "false")}
_UNITS: Final = {"_s": 1_000_000_000, "_ms": 1_000_000, "_us": 1_000, "_ns": 1}
#: A number without a unit: seconds since 1970 until the year 5138, then ms, then µs, then ns.
_BY_SIZE: Final = ((10**11, 10**9), (10**14, 10**6), (10**17, 10**3))
_MINUTE_NS: Final = 60_000_000_000
ORDER: Final = 4


@dataclass(frozen=True)
class _Head:
    """Position and name of each column."""

    width: int
    at: Mapping[str, int]
    names: Mapping[str, str]

    @property
    def bars(self) -> bool:
        return "price" not in self.at


def read(path: Path) -> Columns:
    """Every bar, trade or price.

    A bar gives four prices, a quarter of its length apart: open, then low and high in the order
    that is nearer to the open first, then close. Its length is the shortest time between two. A
    trade gives a price and a market order.

    Raises:
        SurgetankError: naming file and line.
    """
    columns = Columns(path)
    bars: list[tuple[int, int, tuple[float, ...]]] = []
    head: _Head | None = None
    for number, text in lines(path):
        cells = next(csv.reader([text])) if '"' in text else text.split(",")
        if head is None:
            head = _head(path, cells)
            continue
        if len(cells) != head.width:
            what = f"{len(cells)} columns where the header has {head.width}"
            raise broken(path, number, what, "Record it again, or leave the line out")
        try:
            at = _time_ns(cells[head.at["time"]].strip(), head.names["time"])
            if head.bars:
                bars.append((number, at, tuple(float(cells[head.at[name]]) for name in _OHLC)))
            else:
                _trade(cells, head, columns, number, at)
        except (ValueError, OverflowError, InvalidOperation, KeyError):
            hint = "Record it again, or leave the line out"
            raise broken(path, number, "a number or time that cannot be read", hint) from None
    _play(bars, columns)
    if not columns.count:
        raise SurgetankError(
            "the tape has a header and no rows", place=str(path), hint="Give another"
        )
    return columns


def _head(path: Path, cells: list[str]) -> _Head:
    given = [cell.strip().lower().lstrip("\ufeff") for cell in cells]
    for name in given:
        if given.count(name) > 1 and any(name in names for names in _NAMES.values()):
            raise broken(path, 1, f"two columns are named `{name}`", "Rename one")
    at: dict[str, int] = {}
    for what, names in _NAMES.items():
        known = [name for name in names if name in given]
        if known:
            at[what] = given.index(known[0])
    if "time" not in at or not ("price" in at or all(name in at for name in _OHLC)):
        raise broken(path, 1, f"unknown columns {','.join(cells)[:60]!r}", _FORMS)
    return _Head(len(cells), at, {what: given[i] for what, i in at.items()})


def _time_ns(text: str, column: str) -> int:
    """Nanoseconds since 1970: ISO 8601 (UTC unless it says otherwise), or a number."""
    if not text[:1].isdigit() or "-" in text[1:] or ":" in text:
        when = datetime.fromisoformat(text)
        when = when if when.tzinfo else when.replace(tzinfo=UTC)
        since = when - datetime(1970, 1, 1, tzinfo=UTC)
        return (since.days * 86_400 + since.seconds) * 10**9 + since.microseconds * 1_000
    value = Decimal(text)
    unit = next((ns for end, ns in _UNITS.items() if column.endswith(end)), None)
    if unit is None:
        unit = next((ns for size, ns in _BY_SIZE if value < size), 1)
    return int(value * unit)


def _play(bars: list[tuple[int, int, tuple[float, ...]]], columns: Columns) -> None:
    gaps = [b[1] - a[1] for a, b in pairwise(bars) if b[1] > a[1]]
    quarter_ns = min(gaps, default=_MINUTE_NS) // 4
    for number, at, (first, high, low, last) in bars:
        middle = (low, high) if abs(first - low) < abs(high - first) else (high, low)
        for quarter, usd in enumerate((first, *middle, last)):
            columns.tick(number, at + quarter * quarter_ns)
            columns.price(usd)


def _trade(cells: list[str], head: _Head, columns: Columns, number: int, at: int) -> None:
    usd = float(cells[head.at["price"]])
    columns.tick(number, at)
    columns.price(usd)
    if "amount" in head.at and "side" in head.at:
        coins = float(cells[head.at["amount"]])
        if not (coins >= 0 and math.isfinite(coins)):
            raise ValueError
        columns.message(ORDER, _side(cells[head.at["side"]], head.names["side"]), usd, coins, 0)


def _side(text: str, column: str) -> int:
    """1 if the taker bought, 2 if it sold, 0 if unknown."""
    word = text.strip().lower()
    if column in _TAKER_BUYS:
        if word not in ("0", "1", "true", "false"):
            raise ValueError
        return 1 if word in _TAKER_BUYS[column] else 2
    return _BUY[word]
