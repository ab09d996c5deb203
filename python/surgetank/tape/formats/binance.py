"""Binance spot and USD-M futures: `trade`, `aggTrade`, `depthUpdate`, `bookTicker`, `markPrice`."""

from __future__ import annotations

import re
from typing import Final

from surgetank.tape.columns import BUY, SELL, Columns
from surgetank.tape.formats.capture import LINEAR_HINT, Capture, Message, ms

__all__ = ["Binance"]

#: Streams of the best levels, sent whole.
_VIEW: Final = re.compile(r"@depth(5|10|20)(@|$)")
#: Instruments of COIN-M futures.
_COIN_M: Final = re.compile(r"USD_(PERP|\d{6})$")
_EVENTS = ("trade", "aggTrade", "depthUpdate", "bookTicker", "markPriceUpdate", "forceOrder")


class Binance(Capture):
    """Plain messages, or those of combined streams: `{"stream": …, "data": …}`.

    A snapshot of the book (REST, `lastUpdateId`) is not flow; changes up to its identifier are in
    it already. Partial books (`@depth20`) are views, known by the stream's name. Trades with `X`
    other than MARKET were not made by orders. Liquidations (`forceOrder`) are counted; their trades
    are in the feed of trades.
    """

    name = "binance"
    title = "Binance WebSocket capture"
    source = "developers.binance.com, USD-M futures and spot, WebSocket streams"

    def __init__(self, columns: Columns) -> None:
        super().__init__(columns)
        self._last = -1
        """Identifier of the last change that the snapshot contains."""

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
        stream = str(message.get("stream", ""))
        if _VIEW.search(stream):
            columns.kinds["partial depth"] += 1
            symbol = data.get("s") or stream.partition("@")[0].upper()
            if columns.wants(symbol) and self.reads("book", "view"):
                self.book.view(data.get("bids", data.get("b")), data.get("asks", data.get("a")))
            return
        if "lastUpdateId" in data:
            columns.kinds["snapshot"] += 1
            # It does not name its instrument, so it is of no use where there are several.
            if len(columns.symbols) < 2:
                self.book.snapshot(data["bids"], data["asks"])
                self._last = int(data["lastUpdateId"])
            return
        event = data.get("e", "bookTicker")
        columns.kinds[event] += 1
        if event not in _EVENTS or event == "forceOrder" or not columns.wants(data.get("s", "")):
            return
        if event in ("trade", "aggTrade", "depthUpdate") and _COIN_M.search(data.get("s", "")):
            raise self.refuse(data["s"], "quantities are contracts of USD", LINEAR_HINT)
        match event:
            case "trade" | "aggTrade" if not self.reads("trades", event):
                pass
            case "trade" | "aggTrade" if data.get("X", "MARKET") != "MARKET":
                self.off_book()
            case "trade" | "aggTrade":
                side = SELL if data["m"] else BUY
                ident = str(data.get("t", data.get("a", "")))
                columns.trade(side, float(data["p"]), float(data["q"]), ident)
            case "bookTicker":
                self.quote(data["b"], data["a"])
            case "depthUpdate" if self.reads("book", "changes"):
                # Spot's snapshot contains the change of its own identifier; futures' may not.
                if int(data.get("u", self._last + 1)) >= self._last + ("pu" not in data):
                    self.book.update(data["b"], data["a"])
            case "markPriceUpdate":
                columns.price("index", float(data.get("i") or data["p"]))


def _data(message: Message) -> Message:
    data = message.get("data")
    return data if isinstance(data, dict) else message
