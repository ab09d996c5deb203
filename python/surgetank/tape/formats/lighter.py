"""Lighter's channels: `trade`, `order_book`, `market_stats`."""

from __future__ import annotations

from surgetank.tape.columns import BUY, SELL
from surgetank.tape.formats.capture import Capture, Message, ms, pairs

__all__ = ["Lighter"]

_CHANNELS = ("trade", "order_book", "market_stats", "ticker")


class Lighter(Capture):
    """Objects with `channel` ("trade:1") and `type` ("update/trade").

    The answer to a subscription ("subscribed/…") holds the book, which is not flow, and earlier
    trades, which are left out. Liquidation trades are market orders too.
    """

    name = "lighter"
    title = "Lighter WebSocket capture"
    source = "apidocs.lighter.xyz, WebSocket"

    @staticmethod
    def recognises(message: Message) -> bool:
        of = str(message.get("type", "")).partition("/")
        return of[0] in ("update", "subscribed") and of[2] in _CHANNELS and "channel" in message

    def exchange_ns(self, message: Message) -> int | None:
        if message.get("timestamp"):
            return ms(message["timestamp"])
        if str(message["type"]).startswith("subscribed"):
            return None
        return max((_ms(t) for t in message.get("trades") or [] if "timestamp" in t), default=None)

    def take(self, message: Message) -> None:
        columns = self.columns
        how, _, kind = message["type"].partition("/")
        columns.kinds[kind] += 1
        market, first = message["channel"].partition(":")[2], how == "subscribed"
        if not columns.wants(market):
            return
        match kind:
            case "trade" if not first:
                for key in ("trades", "liquidation_trades"):
                    for t in message.get(key) or []:
                        side = BUY if t["is_maker_ask"] else SELL
                        ident = str(t.get("trade_id", ""))
                        columns.trade(side, float(t["price"]), float(t["size"]), ident)
            case "order_book":
                book = self.book
                change, rows = book.snapshot if first else book.update, message["order_book"]
                change(*(pairs(rows.get(side) or [], "price", "size") for side in ("bids", "asks")))
            case "ticker":
                ticker = message["ticker"]
                self.quote(ticker["b"]["price"], ticker["a"]["price"])
            case "market_stats":
                stats = message["market_stats"]
                if "index_price" in stats:
                    columns.price("index", float(stats["index_price"]))


def _ms(trade: Message) -> int:
    """A trade's time: milliseconds, or seconds in older captures."""
    at = int(trade["timestamp"])
    return at * (10**6 if at > 10**11 else 10**9)
