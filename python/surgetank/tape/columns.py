"""Columns of a recording while it is read."""

from __future__ import annotations

import math
from array import array
from collections import Counter
from dataclasses import dataclass
from pathlib import Path
from typing import Final

from surgetank.errors import SurgetankError
from surgetank.tape.lines import broken
from surgetank.tape.options import ReadOptions

__all__ = ["BUY", "CANCEL", "ORDER", "REPLACE", "SELL", "SOURCES", "Columns", "Steps", "side_of"]

BUY, SELL = 1, 2
#: Numbers of message classes, as crates/layer has them.
CANCEL, REPLACE, ORDER = 2, 3, 4
#: Where a price can come from, the finest first: the first that a recording has is used.
SOURCES: Final = {
    "quotes": "mid of the best bid and offer",
    "book": "mid of the order book",
    "bars": "bars",
    "trades": "trades",
    "index": "index",
}
#: Most messages; more than any practical run needs.
MESSAGES_MAX: Final = 2_000_000
#: Most rows. Their times are kept for the inspection.
ROWS_MAX: Final = 50_000_000
#: Bound on times: half of the range of 64 bits, so that differences fit too.
_TIME_MAX_NS: Final = 2**62
#: Bounds on prices; the core counts prices in ticks of 64 bits.
_USD_MIN: Final = 1e-9
_USD_MAX: Final = 1e9
_SIDES: Final = {"buy": BUY, "b": BUY, "bid": BUY, "long": BUY, "1": BUY} | {
    **dict.fromkeys(("sell", "s", "a", "ask", "short", "-1"), SELL),
    **dict.fromkeys(("", "n", "none", "unknown"), 0),
}


def side_of(word: str) -> int:
    """1 buy, 2 sell, 0 unknown.

    Raises:
        KeyError: no word for a side.
    """
    return _SIDES[word.strip().lower()]


@dataclass
class Steps:
    """The steps of time from row to row of a file: how many go back, and where the largest are."""

    back: int = 0
    back_ns: int = 0
    back_line: int = 0
    """The largest step back is to this line, counted from 1."""
    ahead_ns: int = 0
    ahead_line: int = 0

    def add(self, ns: int, line: int) -> None:
        """Takes the step to a line."""
        if ns < 0:
            self.back += 1
            if -ns > self.back_ns:
                self.back_ns, self.back_line = -ns, line
        elif ns > self.ahead_ns:
            self.ahead_ns, self.ahead_line = ns, line


class Columns:
    """Columns that grow row by row; times are nanoseconds since 1970."""

    def __init__(self, path: Path, options: ReadOptions) -> None:
        self.path, self.options = path, options
        self.line, self.now = 0, 0
        self.rows_ns = array("q")
        self.steps = Steps()
        self.lags_ns = array("q")
        """The recorder's clock less the exchange's, of rows that have both."""
        self.kinds: Counter[str] = Counter()
        self.symbols: list[str] = []
        self.duplicates = 0
        self.notes: list[str] = []
        self.bar_ns: int | None = None
        self.prices: dict[str, tuple[array[int], array[float]]] = {
            source: (array("q"), array("d")) for source in SOURCES
        }
        self.messages_ns = array("q")
        self.messages: list[array[float]] = [array("d") for _ in range(5)]
        self._known: set[str] = set()

    def row(self, line: int, at: int, exchange_ns: int | None = None) -> None:
        """Begins a row: its line, its time, and the exchange's where that is another."""
        if abs(at) > _TIME_MAX_NS:
            what = f"the time {str(at)[:24]} ns does not fit into 64 bits"
            raise broken(self.path, line, what, "Give times since 1970")
        if len(self.rows_ns) == ROWS_MAX:
            hint = "Give a part of it"
            raise SurgetankError(f"more than {ROWS_MAX:,} rows", place=str(self.path), hint=hint)
        self.line, self.now = line, at
        if self.rows_ns:
            self.steps.add(at - self.rows_ns[-1], line)
        self.rows_ns.append(at)
        if exchange_ns is not None and abs(exchange_ns) <= _TIME_MAX_NS:
            self.lags_ns.append(at - exchange_ns)

    def wants(self, symbol: str) -> bool:
        """Whether rows of this instrument are read: those of `--symbol`, or of the first one."""
        if symbol not in self.symbols:
            if not isinstance(symbol, str) or len(self.symbols) > 1_000:
                raise ValueError
            self.symbols.append(symbol)
        return symbol == (self.options.symbol or self.symbols[0])

    def is_new(self, ident: str) -> bool:
        """Whether a trade of this identifier was not there before; a second one is left out."""
        if not ident:
            return True
        if ident in self._known:
            self.duplicates += 1
            return False
        self._known.add(ident)
        return True

    def check_price(self, usd: float) -> None:
        """Refuses a price that the core cannot count.

        Raises:
            SurgetankError: naming file and line.
        """
        if not (usd > 0 and math.isfinite(usd)):
            raise broken(
                self.path, self.line, f"price {usd:g} is not positive", "Leave the line out"
            )
        if not _USD_MIN <= usd <= _USD_MAX:
            what = f"price {usd:g} is beyond {_USD_MIN:g} to {_USD_MAX:g} USD"
            raise broken(self.path, self.line, what, "Leave the line out, or take another unit")

    def price(self, source: str, usd: float) -> None:
        """Adds a price at the current time."""
        self.check_price(usd)
        times, prices = self.prices[source]
        times.append(self.now)
        prices.append(usd)

    def trade(self, side: int, usd: float, coins: float, ident: str = "") -> None:
        """Adds a trade: a price, and the market order of its taker where its side is known."""
        if not self.is_new(ident):
            return
        self.price("trades", usd)
        if side:
            self.message(ORDER, side, usd, coins, 0)

    def message(self, number: int, side: int, usd: float, coins: float, key: int) -> None:
        """Adds a message at the current time; `key` names the resting order that it is about."""
        if len(self.messages_ns) == MESSAGES_MAX:
            raise SurgetankError(
                f"more than {MESSAGES_MAX:,} messages",
                place=f"{self.path}:{self.line}",
                hint="Give a part of it",
            )
        size = self.options.contract_size
        coins = coins if size is None else coins * size
        if not (coins >= 0 and math.isfinite(coins) and math.isfinite(usd)):
            raise ValueError
        self.messages_ns.append(self.now)
        for column, value in zip(self.messages, (number, side, usd, coins, key), strict=True):
            column.append(value)
