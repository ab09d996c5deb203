"""Tardis.dev's downloadable CSV files: docs.tardis.dev, "Data types".

All have `exchange`, `symbol`, `timestamp` (the exchange's, µs) and `local_timestamp` (the
recorder's, in which the rows are in order).
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import Final

from surgetank.tape.columns import BUY, SELL, Columns
from surgetank.tape.formats.plain import Quotes, Trades
from surgetank.tape.formats.table import Head, Table
from surgetank.tape.levels import Level, Levels

__all__ = [
    "TardisBook",
    "TardisLiquidations",
    "TardisQuotes",
    "TardisTicker",
    "TardisTrades",
]

_ALL: Final = {"exchange", "symbol", "timestamp", "local_timestamp"}


class TardisTrades(Trades):
    """`trades`: each a price and the market order of its taker."""

    name = "tardis-trades"
    title = "Tardis trades"

    @classmethod
    def fits(cls, head: Head) -> bool:
        return _is_tardis(head) and head.has("id", *cls.needs)


class TardisLiquidations(TardisTrades):
    """`liquidations`: the columns of `trades`, so that only `--format` distinguishes them."""

    name = "tardis-liquidations"
    title = "Tardis liquidations"
    kind = "liquidation"


class TardisQuotes(Quotes):
    """`quotes` and `book_ticker`: the mid of the best bid and offer."""

    name = "tardis-quotes"
    title = "Tardis quotes"

    @classmethod
    def fits(cls, head: Head) -> bool:
        return _is_tardis(head) and head.has(*cls.needs)


class TardisTicker(Table):
    """`derivative_ticker`: the index as price, else the mark."""

    name = "tardis-derivative-ticker"
    title = "Tardis derivative ticker"
    needs = ("index", "mark")

    @classmethod
    def fits(cls, head: Head) -> bool:
        return _is_tardis(head) and head.has(*cls.needs)

    def take(self, cells: Sequence[str]) -> None:
        self.columns.kinds["ticker"] += 1
        price = self.text(cells, "index") or self.text(cells, "mark")
        if price:
            self.columns.price("index", float(price))


class TardisBook(Table):
    """`incremental_book_L2`: levels; those of `is_snapshot` are not flow."""

    name = "tardis-book"
    title = "Tardis incremental book L2"
    needs = ("snapshot", "side", "price", "amount")
    in_order = True

    def __init__(self, columns: Columns, head: Head) -> None:
        super().__init__(columns, head)
        self._book = Levels(columns)
        self._first: dict[int, list[Level]] = {BUY: [], SELL: []}
        self._group = (-1, False)

    @classmethod
    def fits(cls, head: Head) -> bool:
        return _is_tardis(head) and head.has(*cls.needs)

    def take(self, cells: Sequence[str]) -> None:
        """Rows of one `local_timestamp` came in one message of the exchange."""
        first = self.text(cells, "snapshot").lower() in ("true", "1")
        group = (self.columns.now, first)
        if group != self._group:
            self._settle()
            self._group = group
        self.columns.kinds["snapshot" if first else "level"] += 1
        side = self.side(cells)
        level = (self.number(cells, "price"), self.number(cells, "amount"))
        if first:
            self._first[side].append(level)
        else:
            self._book.change(side, *level)

    def finish(self) -> None:
        self._settle()

    def _settle(self) -> None:
        at, first = self._group
        if first:
            now, self.columns.now = self.columns.now, at
            self._book.snapshot(self._first[BUY], self._first[SELL])
            self._first = {BUY: [], SELL: []}
            self.columns.now = now
        elif at >= 0:
            now, self.columns.now = self.columns.now, at
            self._book.update((), ())
            self.columns.now = now


def _is_tardis(head: Head) -> bool:
    return set(head.given).issuperset(_ALL)
