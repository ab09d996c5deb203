"""Deribit subscriptions: `trades`, `book`, `quote`, `ticker`, `deribit_price_index`."""

from __future__ import annotations

import re
from typing import Any, Final

from surgetank.tape.columns import BUY, SELL, side_of
from surgetank.tape.formats.capture import Capture, Message, ms

__all__ = ["Deribit"]

_OPTION: Final = re.compile(r"-[CP]$")

_CHANNELS = ("trades", "book", "quote", "ticker", "deribit_price_index", "incremental_ticker")


class Deribit(Capture):
    """JSON-RPC notifications: `"params": {"channel": "trades.BTC-PERPETUAL.raw", "data": …}`.

    Amounts of inverse contracts (BTC-PERPETUAL) are US dollars, and are divided by the price; those
    of linear ones (BTC_USDC-PERPETUAL) are coins. Options are refused: their prices are in coins.
    Trades with a `block_trade_id` were agreed outside of the book. Of several grades of book the
    first one is read, and the index only of the instrument's coin.
    """

    name = "deribit"
    title = "Deribit WebSocket capture"
    source = "docs.deribit.com, subscription channels"

    @staticmethod
    def recognises(message: Message) -> bool:
        params = message.get("params")
        return isinstance(params, dict) and _kind(params) in _CHANNELS and "data" in params

    def exchange_ns(self, message: Message) -> int | None:
        data = message["params"]["data"]
        row = data[-1] if isinstance(data, list) else data
        return ms(row.get("timestamp"))

    def take(self, message: Message) -> None:
        params, columns = message["params"], self.columns
        kind, data = _kind(params), params["data"]
        columns.kinds[kind] += 1
        if kind == "deribit_price_index":
            coin = params["channel"].partition(".")[2].partition("_")[0]
            wanted = columns.options.symbol or (columns.symbols or [coin])[0]
            if re.split("[-_]", wanted)[0].lower() == coin and self.reads("index", kind):
                columns.price("index", float(data["price"]))
            return
        symbol = params["channel"].split(".")[1]
        if not columns.wants(symbol):
            return
        if _OPTION.search(symbol):
            what = "an option's price is in coins, and no outside price"
            raise self.refuse(symbol, what, "Take its perpetual or future")
        match kind:
            case "trades":
                for trade in data:
                    if trade.get("block_trade_id"):
                        self.off_book()
                        continue
                    usd = float(trade["price"])
                    coins = _coins(symbol, float(trade["amount"]), usd)
                    ident = str(trade.get("trade_id", ""))
                    columns.trade(side_of(trade["direction"]), usd, coins, ident)
            case "book" if self.reads("book", params["channel"]):
                self._book(symbol, data)
            case "quote" | "ticker" | "incremental_ticker":
                self.quote(data.get("best_bid_price"), data.get("best_ask_price"))
                if data.get("index_price") and self.reads("index", kind):
                    columns.price("index", float(data["index_price"]))

    def _book(self, symbol: str, data: dict[str, Any]) -> None:
        rows: dict[int, list[tuple[float, float]]] = {BUY: [], SELL: []}
        for side, levels in ((BUY, data["bids"]), (SELL, data["asks"])):
            for level in levels:
                # Of a whole book and its changes, ["new", price, amount]; of a view, two numbers.
                action, price, amount = level if len(level) == 3 else ("new", *level)
                usd = float(price)
                coins = 0.0 if action == "delete" else _coins(symbol, float(amount), usd)
                rows[side].append((usd, coins))
        book = self.book
        change = {"snapshot": book.snapshot, "change": book.update}
        change.get(data.get("type", ""), book.view)(rows[BUY], rows[SELL])


def _kind(params: Message) -> str:
    return str(params.get("channel", "")).partition(".")[0]


def _coins(symbol: str, amount: float, usd: float) -> float:
    return amount if "_" in symbol.partition("-")[0] else amount / usd
