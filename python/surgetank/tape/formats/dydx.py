"""dYdX v4's indexer: `v4_trades`, `v4_orderbook`, `v4_markets`."""

from __future__ import annotations

from typing import Any

from surgetank.tape.clock import TimeColumn
from surgetank.tape.columns import Columns, side_of
from surgetank.tape.formats.capture import Capture, Message, pairs
from surgetank.tape.levels import Level
from surgetank.tape.options import ReadOptions

__all__ = ["Dydx"]

_CHANNELS = ("v4_trades", "v4_orderbook", "v4_markets")


class Dydx(Capture):
    """Objects with `channel`, `id` (the market) and `contents`; a batch has a list of contents.

    The answer to a subscription holds the book, which is not flow, and earlier trades, which are
    left out. A trade's side is its taker's; a deleveraging (`DELEVERAGED`) is no order. Messages of
    the book have no time of the venue: a capture needs the recorder's stamps,
    or trades between them.
    """

    name = "dydx-v4"
    title = "dYdX v4 indexer WebSocket capture"
    source = "docs.dydx.xyz, indexer client, WebSockets"

    def __init__(self, columns: Columns) -> None:
        super().__init__(columns)
        self._clock = TimeColumn(columns.path, ReadOptions())

    @staticmethod
    def recognises(message: Message) -> bool:
        return message.get("channel") in _CHANNELS and bool(message.get("contents"))

    def exchange_ns(self, message: Message) -> int | None:
        if message["channel"] != "v4_trades" or message.get("type") == "subscribed":
            return None
        trades = [t for part in _parts(message) for t in part.get("trades") or []]
        times = [str(t["createdAt"]) for t in trades if t.get("createdAt")]
        return self._clock.ns(max(times), self.columns.line) if times else None

    def take(self, message: Message) -> None:
        channel, columns = message["channel"], self.columns
        columns.kinds[channel] += 1
        symbol, first = message.get("id", ""), message.get("type") == "subscribed"
        if channel == "v4_markets":
            for part in _parts(message):
                self._oracle(part)
            return
        if not columns.wants(symbol):
            return
        for part in _parts(message):
            if channel == "v4_orderbook":
                book = self.book
                change = book.snapshot if first else book.update
                change(_levels(part.get("bids") or []), _levels(part.get("asks") or []))
            elif not first:
                for t in part["trades"]:
                    if t.get("type") == "DELEVERAGED":
                        self.off_book()
                        continue
                    usd, coins = float(t["price"]), float(t["size"])
                    columns.trade(side_of(t["side"]), usd, coins, str(t.get("id", "")))

    def _oracle(self, part: dict[str, Any]) -> None:
        wanted = self.columns.options.symbol or (self.columns.symbols or [""])[0]
        # Of the first view `markets`, of changes the others.
        for key in ("markets", "trading", "oraclePrices"):
            found = (part.get(key) or {}).get(wanted) or {}
            if found.get("oraclePrice"):
                self.columns.price("index", float(found["oraclePrice"]))


def _parts(message: Message) -> list[dict[str, Any]]:
    contents = message["contents"]
    return contents if isinstance(contents, list) else [contents]


def _levels(rows: list[Any]) -> list[Level]:
    """Of the first book, objects; of changes, pairs."""
    if rows and isinstance(rows[0], dict):
        return pairs(rows, "price", "size")
    return [(row[0], row[1]) for row in rows]
