"""Binance spot and USD-M futures: `trade`, `aggTrade`, `depthUpdate`, `bookTicker`, `markPrice`."""

from __future__ import annotations

from surgetank.tape.columns import BUY, SELL, Columns
from surgetank.tape.formats.capture import Capture, Message, ms

__all__ = ["Binance"]

_EVENTS = ("trade", "aggTrade", "depthUpdate", "bookTicker", "markPriceUpdate", "forceOrder")


class Binance(Capture):
    """Plain messages, or those of combined streams: `{"stream": …, "data": …}`.

    A snapshot of the book (REST, `lastUpdateId`) is not flow. Liquidations (`forceOrder`) are
    counted; their trades are in the feed of trades.
    """

    name = "binance"
    title = "Binance WebSocket capture"
    source = "developers.binance.com, USD-M futures and spot, WebSocket streams"

    def __init__(self, columns: Columns) -> None:
        super().__init__(columns)
        self._feed = ""

    @staticmethod
    def recognises(message: Message) -> bool:
        data = _data(message)
        if "lastUpdateId" in data or data.get("e") in _EVENTS:
            return True
        return {"u", "s", "b", "B", "a", "A"} <= data.keys()

    def exchange_ns(self, message: Message) -> int | None:
        data = _data(message)
        return ms(data.get("E", data.get("T")))

    def take(self, message: Message) -> None:
        data = _data(message)
        columns = self.columns
        if "lastUpdateId" in data:
            columns.kinds["snapshot"] += 1
            # It does not name its instrument, so it is of no use where there are several.
            if len(columns.symbols) < 2:
                self.book.snapshot(data["bids"], data["asks"])
            return
        event = data.get("e", "bookTicker")
        columns.kinds[event] += 1
        if event not in _EVENTS or event == "forceOrder" or not columns.wants(data.get("s", "")):
            return
        match event:
            case "trade" | "aggTrade":
                side = SELL if data["m"] else BUY
                # Both feeds show the same trades: that of the first trade is read.
                self._feed = self._feed or event
                if event == self._feed:
                    ident = str(data.get("t", data.get("a", "")))
                    columns.trade(side, float(data["p"]), float(data["q"]), ident)
            case "bookTicker":
                self.quote(data["b"], data["a"])
            case "depthUpdate":
                self.book.update(data["b"], data["a"])
            case "markPriceUpdate":
                columns.price("index", float(data.get("i") or data["p"]))


def _data(message: Message) -> Message:
    data = message.get("data")
    return data if isinstance(data, dict) else message
