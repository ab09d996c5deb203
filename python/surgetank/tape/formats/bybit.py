"""Bybit v5 public topics: `publicTrade`, `orderbook`, `tickers`, `allLiquidation`."""

from __future__ import annotations

import re
from typing import Any, Final

from surgetank.tape.columns import BUY, SELL, Columns, side_of
from surgetank.tape.formats.capture import Capture, Message, ms

__all__ = ["Bybit"]

#: Perpetuals and futures that are margined in the coin.
_INVERSE: Final = re.compile(r"USD([FGHJKMNQUVXZ]\d\d)?$")

_TOPICS = ("publicTrade", "orderbook", "tickers", "allLiquidation", "liquidation")


class Bybit(Capture):
    """A message names its topic and instrument: `"topic": "orderbook.50.BTCUSDT"`.

    `orderbook.1` is a quote; of deeper books the first depth is read. Quantities of inverse
    instruments (BTCUSD) are USD, and are divided by the price. Block trades (`BT`) were not made by
    orders. Liquidations are counted; their trades are in `publicTrade`.
    """

    name = "bybit"
    title = "Bybit v5 WebSocket capture"
    source = "bybit-exchange.github.io/docs/v5/websocket/public"

    def __init__(self, columns: Columns) -> None:
        super().__init__(columns)
        self._best: dict[int, Any] = {BUY: None, SELL: None}

    @staticmethod
    def recognises(message: Message) -> bool:
        return _kind(message) in _TOPICS and "data" in message

    def exchange_ns(self, message: Message) -> int | None:
        return ms(message.get("cts", message.get("ts")))

    def take(self, message: Message) -> None:
        kind, data, columns = _kind(message), message["data"], self.columns
        columns.kinds[kind] += 1
        symbol = message["topic"].rpartition(".")[2]
        if kind in ("allLiquidation", "liquidation") or not columns.wants(symbol):
            return
        match kind:
            case "publicTrade":
                for trade in data:
                    if trade.get("BT"):
                        self.off_book()
                        continue
                    usd, ident = float(trade["p"]), str(trade.get("i", ""))
                    coins = _coins(symbol, usd, trade["v"])
                    columns.trade(side_of(trade["S"]), usd, coins, ident)
            case "orderbook":
                self._book(symbol, message, data)
            case "tickers":
                # Deltas hold what changed: a quote is used where both sides are there.
                self.quote(data.get("bid1Price"), data.get("ask1Price"))
                if data.get("indexPrice"):
                    columns.price("index", float(data["indexPrice"]))

    def _book(self, symbol: str, message: Message, data: dict[str, Any]) -> None:
        depth = message["topic"].split(".")[1]
        if depth == "1":
            for side, levels in ((BUY, data["b"]), (SELL, data["a"])):
                for price, quantity in levels:
                    if float(quantity) > 0:
                        self._best[side] = price
            self.quote(self._best[BUY], self._best[SELL])
        elif self.reads("book", depth):
            first = message["type"] == "snapshot"
            change = self.book.snapshot if first else self.book.update
            change(*([(p, _coins(symbol, p, q)) for p, q in data[side]] for side in "ba"))


def _coins(symbol: str, usd: float | str, quantity: float | str) -> float:
    return float(quantity) / float(usd) if _INVERSE.search(symbol) else float(quantity)


def _kind(message: Message) -> str:
    return str(message.get("topic", "")).partition(".")[0]
