"""Hyperliquid subscriptions: `trades`, `l2Book`, `bbo`, `activeAssetCtx`."""

from __future__ import annotations

from surgetank.tape.columns import BUY, SELL
from surgetank.tape.formats.capture import Capture, Message, ms, pairs

__all__ = ["Hyperliquid"]

_CHANNELS = ("trades", "l2Book", "bbo", "activeAssetCtx")


class Hyperliquid(Capture):
    """Objects with `channel` and `data`.

    `l2Book` is a view of the best levels, sent again with each block: its differences are flow. The
    side of a trade is its taker's: B buys, A sells.
    """

    name = "hyperliquid"
    title = "Hyperliquid WebSocket capture"
    source = "hyperliquid.gitbook.io/hyperliquid-docs, API, WebSocket, subscriptions"

    @staticmethod
    def recognises(message: Message) -> bool:
        return message.get("channel") in _CHANNELS and "data" in message and "type" not in message

    def exchange_ns(self, message: Message) -> int | None:
        data = message["data"]
        if isinstance(data, list):
            return ms(max(int(trade["time"]) for trade in data)) if data else None
        return ms(data.get("time"))

    def take(self, message: Message) -> None:
        kind, data, columns = message["channel"], message["data"], self.columns
        columns.kinds[kind] += 1
        if kind == "trades":
            for trade in data:
                if columns.wants(trade["coin"]):
                    side = {"B": BUY, "A": SELL}[trade["side"]]
                    ident = f"{trade['coin']}{trade['tid']}" if "tid" in trade else ""
                    columns.trade(side, float(trade["px"]), float(trade["sz"]), ident)
            return
        if not columns.wants(data["coin"]):
            return
        match kind:
            case "l2Book":
                bids, asks = (pairs(side, "px", "sz") for side in data["levels"])
                self.book.view(bids, asks)
            case "bbo":
                bid, ask = data["bbo"]
                if bid and ask:
                    self.quote(bid["px"], ask["px"])
            case "activeAssetCtx":
                context = data["ctx"]
                columns.price("index", float(context.get("oraclePx") or context["markPx"]))
