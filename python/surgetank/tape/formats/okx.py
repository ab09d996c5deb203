"""OKX v5 public channels: `trades`, `books…`, `bbo-tbt`, `tickers`, `mark-price`, and more."""

from __future__ import annotations

import re
from typing import Any, Final

from surgetank.errors import SurgetankError
from surgetank.tape.columns import side_of
from surgetank.tape.formats.capture import LINEAR_HINT, Capture, Message, ms
from surgetank.tape.levels import Level

__all__ = ["Okx"]

_INVERSE: Final = re.compile(r"-USD-(SWAP|\d{6})$")
_OPTION: Final = re.compile(r"-[CP]$")

_BOOKS = ("books", "books-l2-tbt", "books50-l2-tbt")
_CHANNELS = (
    *("trades", "trades-all", "books5", "bbo-tbt", "tickers", "mark-price", "index-tickers"),
    *("liquidation-orders", *_BOOKS),
)


class Okx(Capture):
    """A message names its channel and instrument: `"arg": {"channel": …, "instId": …}`.

    Of several channels of trades, of books, or of the mark and the index, the first one is read.
    Quantities of swaps, futures and options are contracts, so that `--contract-size` (the
    instrument's `ctVal`) is needed with them.
    """

    name = "okx"
    title = "OKX v5 WebSocket capture"
    source = "okx.com/docs-v5, WebSocket, public channels"

    @staticmethod
    def recognises(message: Message) -> bool:
        arg = message.get("arg")
        known = isinstance(arg, dict) and arg.get("channel") in _CHANNELS
        return known and isinstance(message.get("data"), list)

    def exchange_ns(self, message: Message) -> int | None:
        times = [int(row["ts"]) for row in message["data"] if row.get("ts")]
        return ms(max(times)) if times else None

    def take(self, message: Message) -> None:
        channel, columns = message["arg"]["channel"], self.columns
        columns.kinds[channel] += 1
        if channel == "liquidation-orders":
            return
        for row in message["data"]:
            symbol = row.get("instId") or message["arg"].get("instId", "")
            if channel == "index-tickers":
                # The index is named after the pair, the instruments after pair and kind.
                wanted = columns.options.symbol or (columns.symbols or [symbol])[0]
                if f"{wanted}-".startswith(f"{symbol}-") and self.reads("index", symbol):
                    columns.price("index", float(row["idxPx"]))
            elif columns.wants(symbol):
                self._row(channel, symbol, row, message.get("action"))

    def _row(self, channel: str, symbol: str, row: dict[str, Any], action: str | None) -> None:
        columns = self.columns
        if channel in ("trades", "trades-all"):
            if not self.reads("trades", channel):
                return
            self._counts_coins(symbol)
            usd, coins = float(row["px"]), float(row["sz"])
            columns.trade(side_of(row["side"]), usd, coins, str(row.get("tradeId", "")))
        elif channel in (*_BOOKS, "books5"):
            if not self.reads("book", channel):
                return
            self._counts_coins(symbol)
            book = self.book
            change = book.snapshot if action == "snapshot" else book.update
            change = book.view if channel == "books5" else change
            change(_levels(row["bids"]), _levels(row["asks"]))
        elif channel == "bbo-tbt" and row["bids"] and row["asks"]:
            self.quote(row["bids"][0][0], row["asks"][0][0])
        elif channel == "tickers":
            self.quote(row.get("bidPx"), row.get("askPx"))
        elif channel == "mark-price" and self.reads("index", channel):
            columns.price("index", float(row["markPx"]))

    def _counts_coins(self, symbol: str) -> None:
        """Refuses contracts of an unstated size, and those that are not of coins."""
        if _INVERSE.search(symbol):
            raise self.refuse(symbol, "a contract is an amount of USD", LINEAR_HINT)
        if _OPTION.search(symbol):
            what = "an option's price is no outside price"
            raise self.refuse(symbol, what, "Take its perpetual or future")
        if symbol.count("-") > 1 and self.columns.options.contract_size is None:
            raise SurgetankError(
                f"quantities of {symbol} are contracts, not coins",
                place=f"{self.columns.path}:{self.columns.line}",
                hint="Give --contract-size, the instrument's ctVal (BTC-USDT-SWAP: 0.01)",
            )


def _levels(rows: list[list[str]]) -> list[Level]:
    return [(row[0], row[1]) for row in rows]
