"""Lighter's channels: `trade`, `order_book`, `ticker`, `market_stats`."""

from __future__ import annotations

from typing import Any

from surgetank.tape.columns import BUY, SELL
from surgetank.tape.formats.capture import Capture, Message, ms, pairs

__all__ = ["Lighter"]

_CHANNELS = ("trade", "order_book", "market_stats", "ticker")


class Lighter(Capture):
    """Objects with `channel` ("trade:1") and `type` ("update/trade").

    The answer to a subscription ("subscribed/…") holds the book, which is not flow, and earlier
    trades, which are left out. Liquidation trades are market orders too; deleveragings and
    settlements are not.
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
        if kind == "market_stats":
            self._index(market, message["market_stats"])
            return
        if not columns.wants(market):
            return
        match kind:
            case "trade" if not first:
                for key in ("trades", "liquidation_trades"):
                    for t in message.get(key) or []:
                        if t.get("type", "trade") not in ("trade", "liquidation"):
                            self.off_book()
                            continue
                        side = BUY if t["is_maker_ask"] else SELL
                        ident = str(t.get("trade_id", ""))
                        columns.trade(side, float(t["price"]), float(t["size"]), ident)
            case "order_book":
                book = self.book
                change, rows = book.snapshot if first else book.update, message["order_book"]
                change(*(pairs(rows.get(side) or [], "price", "size") for side in ("bids", "asks")))
            case "ticker":
                bid, ask = (message["ticker"].get(side) or {} for side in "ba")
                self.quote(bid.get("price"), ask.get("price"))

    def _index(self, market: str, stats: Any) -> None:
        """Of one market, or of all by their numbers."""
        columns = self.columns
        if market == "all":
            market = columns.options.symbol or (columns.symbols or [""])[0]
            stats = stats.get(market) or {}
        if "index_price" in stats and columns.wants(market):
            columns.price("index", float(stats["index_price"]))


def _ms(trade: Message) -> int:
    """A trade's time: milliseconds, or seconds in older captures."""
    at = int(trade["timestamp"])
    return at * (10**6 if at > 10**11 else 10**9)
