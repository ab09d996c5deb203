"""Recordings in CSV: one-minute bars, and trades as tardis.dev has them."""

from __future__ import annotations

from collections.abc import Callable
from datetime import UTC, datetime
from pathlib import Path

from surgetank.errors import SurgetankError
from surgetank.tape.columns import Columns
from surgetank.tape.lines import broken, lines

BARS = ["timestamp", "open", "high", "low", "close", "volume"]
TRADES = ["exchange", "symbol", "timestamp", "local_timestamp", "id", "side", "price", "amount"]
#: Where inside a bar its four prices are taken to lie, in quarters of its length.
_QUARTER_NS = 15_000_000_000
ORDER = 4


def read(path: Path) -> Columns:
    """Every bar or trade.

    A bar gives four prices, a quarter of its length apart: open, then low and high in the order
    that is nearer to the open first, then close. A trade gives a price and a market order.

    Raises:
        SurgetankError: naming file and line.
    """
    columns = Columns(path)
    take: Callable[[list[str], Columns, int], None] | None = None
    width = 0
    for number, text in lines(path):
        cells = text.split(",")
        if take is None:
            take, width = _reader(path, cells)
            continue
        if len(cells) != width:
            what = f"{len(cells)} columns where the head has {width}"
            raise broken(path, number, what, "Record it again, or leave the line out")
        try:
            take(cells, columns, number)
        except ValueError:
            mend = "Record it again, or leave the line out"
            raise broken(path, number, "a number or time that cannot be read", mend) from None
    if not columns.count:
        raise SurgetankError(
            "the tape has a head and no rows", place=str(path), mend="Give another"
        )
    return columns


def _reader(path: Path, head: list[str]) -> tuple[Callable[[list[str], Columns, int], None], int]:
    if head == BARS:
        return _bar, len(BARS)
    if head == TRADES:
        return _trade, len(TRADES)
    what = f"unknown columns {','.join(head)[:60]!r}"
    mend = f"Known heads are `{','.join(BARS)}` and `{','.join(TRADES)}`"
    raise broken(path, 1, what, mend)


def _bar(cells: list[str], columns: Columns, number: int) -> None:
    began = datetime.fromisoformat(cells[0]).replace(tzinfo=UTC)
    at = int(began.timestamp()) * 1_000_000_000
    first, high, low, last = (float(cell) for cell in cells[1:5])
    middle = (low, high) if abs(first - low) < abs(high - first) else (high, low)
    for quarter, usd in enumerate((first, *middle, last)):
        columns.tick(number, at + quarter * _QUARTER_NS)
        columns.price(usd)


def _trade(cells: list[str], columns: Columns, number: int) -> None:
    usd, coins = float(cells[6]), float(cells[7])
    columns.tick(number, int(cells[2]) * 1_000)
    columns.price(usd)
    columns.message(ORDER, {"buy": 1, "sell": 2}.get(cells[5], 0), usd, coins, 0)
