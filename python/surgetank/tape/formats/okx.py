"""OKX v5 public channels: `trades`, `books…`, `bbo-tbt`, `tickers`, `mark-price`, and more."""

from __future__ import annotations

from typing import Any

from surgetank.errors import SurgetankError
from surgetank.tape.columns import side_of
from surgetank.tape.formats.capture import Capture, Message, ms
from surgetank.tape.levels import Level

__all__ = ["Okx"]

_BOOKS = ("books", "books-l2-tbt", "books50-l2-tbt")
_CHANNELS = (
    *("trades", "trades-all", "books5", "bbo-tbt", "tickers", "mark-price", "index-tickers"),
    *("liquidation-orders", *_BOOKS),
)


class Okx(Capture):
    """A message names its channel and instrument: `"arg": {"channel": …, "instId": …}`.

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
        for row in message["data"]:
            symbol = row.get("instId") or message["arg"].get("instId", "")
            if channel == "index-tickers":
                # The index is named after the pair, the instruments after pair and kind.
                columns.price("index", float(row["idxPx"]))
            elif columns.wants(symbol):
                self._row(channel, symbol, row, message.get("action"))

    def _row(self, channel: str, symbol: str, row: dict[str, Any], action: str | None) -> None:
        columns = self.columns
        if channel in ("trades", "trades-all"):
            self._counts_coins(symbol)
            usd, coins = float(row["px"]), float(row["sz"])
            columns.trade(side_of(row["side"]), usd, coins, str(row.get("tradeId", "")))
        elif channel in _BOOKS:
            self._counts_coins(symbol)
            book = self.book
            change = book.snapshot if action == "snapshot" else book.update
            change(_levels(row["bids"]), _levels(row["asks"]))
        elif channel == "books5":
            self._counts_coins(symbol)
            self.book.view(_levels(row["bids"]), _levels(row["asks"]))
        elif channel == "bbo-tbt" and row["bids"] and row["asks"]:
            self.quote(row["bids"][0][0], row["asks"][0][0])
        elif channel == "tickers":
            self.quote(row.get("bidPx"), row.get("askPx"))
        elif channel == "mark-price":
            columns.price("index", float(row["markPx"]))

    def _counts_coins(self, symbol: str) -> None:
        """Refuses contracts of an unstated size."""
        if symbol.count("-") > 1 and self.columns.options.contract_size is None:
            raise SurgetankError(
                f"quantities of {symbol} are contracts, not coins",
                place=f"{self.columns.path}:{self.columns.line}",
                hint="Give --contract-size, the instrument's ctVal (BTC-USDT-SWAP: 0.01)",
            )


def _levels(rows: list[list[str]]) -> list[Level]:
    return [(row[0], row[1]) for row in rows]
