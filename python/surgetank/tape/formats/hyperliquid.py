"""Hyperliquid subscriptions: `trades`, `l2Book`, `bbo`, `activeAssetCtx`."""

from __future__ import annotations

from surgetank.tape.columns import BUY, SELL, Columns
from surgetank.tape.formats.capture import Capture, Message, ms, pairs

__all__ = ["Hyperliquid"]

_CHANNELS = ("trades", "l2Book", "fastBook", "bbo", "activeAssetCtx")
_SUBSCRIBED = "subscriptionResponse"


class Hyperliquid(Capture):
    """Objects with `channel` and `data`.

    `l2Book` is a view of the best levels, sent again with each block: its differences are flow. Its
    faster kind (`fast`; `fastBook` in Tardis's captures) is another feed: the first one is read.
    The side of a trade is its taker's: B buys, A sells. The first message of trades of a coin
    holds earlier trades, which are left out, as is that after every new subscription.
    """

    name = "hyperliquid"
    title = "Hyperliquid WebSocket capture"
    source = "hyperliquid.gitbook.io/hyperliquid-docs, API, WebSocket, subscriptions"

    def __init__(self, columns: Columns) -> None:
        super().__init__(columns)
        self._begun: set[str] = set()
        """Coins whose earlier trades have been seen."""
        self._earlier: set[str] = set()
        """Coins of whose trades the current message holds earlier ones."""

    @staticmethod
    def recognises(message: Message) -> bool:
        if message.get("channel") == _SUBSCRIBED:
            return isinstance(message["data"]["subscription"], dict)
        return message.get("channel") in _CHANNELS and "data" in message and "type" not in message

    def exchange_ns(self, message: Message) -> int | None:
        data = message["data"]
        if message["channel"] == _SUBSCRIBED:
            return None
        if isinstance(data, list):
            # Called once for each message, before `take`, which is not called without any time.
            coins = {trade["coin"] for trade in data}
            self._earlier = coins - self._begun
            self._begun |= coins
            times = [int(trade["time"]) for trade in data if trade["coin"] not in self._earlier]
            return ms(max(times)) if times else None
        return ms(data.get("time"))

    def take(self, message: Message) -> None:
        kind, data, columns = message["channel"], message["data"], self.columns
        columns.kinds[kind] += 1
        if kind == _SUBSCRIBED:
            asked = data["subscription"]
            if asked.get("type") == "trades":
                self._begun.discard(asked.get("coin", ""))
            return
        if kind == "trades":
            for trade in data:
                if columns.wants(trade["coin"]) and trade["coin"] not in self._earlier:
                    side = {"B": BUY, "A": SELL}[trade["side"]]
                    ident = f"{trade['coin']}{trade['tid']}" if "tid" in trade else ""
                    columns.trade(side, float(trade["px"]), float(trade["sz"]), ident)
            return
        if not columns.wants(data["coin"]):
            return
        match kind:
            case "l2Book" | "fastBook":
                fast = kind == "fastBook" or data.get("fast") is True
                if not self.reads("book", "fast" if fast else "slow"):
                    return
                bids, asks = (pairs(side, "px", "sz") for side in data["levels"])
                self.book.view(bids, asks)
            case "bbo":
                bid, ask = data["bbo"]
                if bid and ask:
                    self.quote(bid["px"], ask["px"])
            case "activeAssetCtx":
                context = data["ctx"]
                columns.price("index", float(context.get("oraclePx") or context["markPx"]))
