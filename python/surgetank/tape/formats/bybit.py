"""Bybit v5 public topics: `publicTrade`, `orderbook`, `tickers`, `allLiquidation`."""

from __future__ import annotations

from surgetank.tape.columns import side_of
from surgetank.tape.formats.capture import Capture, Message, ms

__all__ = ["Bybit"]

_TOPICS = ("publicTrade", "orderbook", "tickers", "allLiquidation", "liquidation")


class Bybit(Capture):
    """A message names its topic and instrument: `"topic": "orderbook.50.BTCUSDT"`.

    Liquidations are counted; their trades are in `publicTrade`.
    """

    name = "bybit"
    title = "Bybit v5 WebSocket capture"
    source = "bybit-exchange.github.io/docs/v5/websocket/public"

    @staticmethod
    def recognises(message: Message) -> bool:
        return _kind(message) in _TOPICS and "data" in message

    def exchange_ns(self, message: Message) -> int | None:
        return ms(message.get("cts", message.get("ts")))

    def take(self, message: Message) -> None:
        kind, data, columns = _kind(message), message["data"], self.columns
        columns.kinds[kind] += 1
        symbol = message["topic"].rpartition(".")[2]
        if not columns.wants(symbol):
            return
        match kind:
            case "publicTrade":
                for trade in data:
                    ident = str(trade.get("i", ""))
                    columns.trade(side_of(trade["S"]), float(trade["p"]), float(trade["v"]), ident)
            case "orderbook":
                first = message["type"] == "snapshot"
                change = self.book.snapshot if first else self.book.update
                change(data["b"], data["a"])
            case "tickers":
                # Deltas hold what changed: a quote is used where both sides are there.
                self.quote(data.get("bid1Price"), data.get("ask1Price"))
                if data.get("indexPrice"):
                    columns.price("index", float(data["indexPrice"]))


def _kind(message: Message) -> str:
    return str(message.get("topic", "")).partition(".")[0]
