"""Tables of anyone: trades, quotes, prices, bars."""

from __future__ import annotations

from collections import Counter
from collections.abc import Sequence
from itertools import pairwise
from typing import ClassVar, Final

from surgetank.errors import SurgetankError
from surgetank.tape.columns import Columns
from surgetank.tape.formats.table import Head, Table
from surgetank.tape.lines import broken

__all__ = ["Bars", "Prices", "Quotes", "Trades"]

_OHLC: Final = ("open", "high", "low", "close")
#: Share of the gaps between bars that must be a whole number of bars.
_REGULAR: Final = 0.99


class Trades(Table):
    """Trades with quantity and side: each a price, and the market order of its taker."""

    name = "trades"
    title = "table of trades"
    needs = ("price", "amount", "side")
    kind: ClassVar[str] = "trade"

    def take(self, cells: Sequence[str]) -> None:
        self.columns.kinds[self.kind] += 1
        usd, coins = self.number(cells, "price"), self.number(cells, "amount")
        if not coins >= 0:
            raise ValueError
        self.columns.trade(self.side(cells), usd, coins, self.text(cells, "id"))


class Quotes(Table):
    """Best bids and offers: the mid is the price."""

    name = "quotes"
    title = "table of quotes"
    needs = ("bid", "ask")

    def take(self, cells: Sequence[str]) -> None:
        self.columns.kinds["quote"] += 1
        # One side of a book may be empty.
        if self.text(cells, "bid") and self.text(cells, "ask"):
            mid = (self.number(cells, "bid") + self.number(cells, "ask")) / 2
            self.columns.price("quotes", mid)


class Prices(Table):
    """Prices and nothing else."""

    name = "prices"
    title = "table of prices"
    needs = ("price",)

    def take(self, cells: Sequence[str]) -> None:
        self.columns.kinds["price"] += 1
        self.columns.price("trades", self.number(cells, "price"))


class Bars(Table):
    """Open, high, low and close of intervals of one length, by the time at which they begin.

    A bar gives four prices, a quarter of its length apart: open, then low and high in the order
    that is nearer to the open first, then close. Its length is the commonest time between two bars;
    all but one in a hundred of the others must be a multiple of it, or the length must be given.
    """

    name = "bars"
    title = "table of bars"
    needs = _OHLC

    def __init__(self, columns: Columns, head: Head) -> None:
        super().__init__(columns, head)
        self._bars: list[tuple[int, int, tuple[float, ...]]] = []

    def take(self, cells: Sequence[str]) -> None:
        columns = self.columns
        columns.kinds["bar"] += 1
        prices = tuple(self.number(cells, role) for role in _OHLC)
        for usd in prices:
            columns.check_price(usd)
        first, high, low, last = prices
        if low > min(first, last) or high < max(first, last):
            what = (
                f"open {first:g} and close {last:g} are not between low {low:g} and high {high:g}"
            )
            hint = "Check the order of the columns, or leave the line out"
            raise broken(columns.path, columns.line, what, hint)
        self._bars.append((columns.now, columns.line, prices))

    def finish(self) -> None:
        columns, quarter_ns = self.columns, self._length_ns() // 4
        self._bars.sort(key=lambda bar: bar[0])
        for at, line, (first, high, low, last) in self._bars:
            middle = (low, high) if abs(first - low) < abs(high - first) else (high, low)
            columns.line = line
            for quarter, usd in enumerate((first, *middle, last)):
                columns.now = at + quarter * quarter_ns
                columns.price("bars", usd)

    def _length_ns(self) -> int:
        columns, given = self.columns, self.columns.options.bar_seconds
        times = sorted(at for at, _, _ in self._bars)
        gaps = Counter(b - a for a, b in pairwise(times) if b > a)
        if given is not None:
            length = max(1, round(given * 1e9))
            if gaps and min(gaps) < length:
                raise SurgetankError(
                    f"bars of {given:g} s would overlap: two begin {min(gaps) / 1e9:g} s apart",
                    place="--bar-seconds",
                    hint="Give their length, or leave it out",
                )
            how = "by --bar-seconds"
        else:
            length = self._commonest(gaps)
            how = f"{gaps[length]:,} of {gaps.total():,} are that far apart"
        missing = sum((gap // length - 1) * count for gap, count in gaps.items())
        columns.bar_ns = length
        gone = f"; {missing:,} {'is' if missing == 1 else 'are'} missing" if missing else ""
        columns.notes.append(f"bars of {length / 1e9:g} s: {how}{gone}")
        return length

    def _commonest(self, gaps: Counter[int]) -> int:
        place = str(self.columns.path)
        if not gaps:
            hint = "Give --bar-seconds"
            raise SurgetankError("one bar does not show its length", place=place, hint=hint)
        length = max(gaps, key=lambda gap: (gaps[gap], -gap))
        whole = sum(count for gap, count in gaps.items() if gap % length == 0)
        if whole < _REGULAR * gaps.total():
            what = f"bars begin at irregular times: {length / 1e9:g} s apart in {gaps[length]:,} of"
            hint = "Give --bar-seconds, or leave the odd ones out"
            raise SurgetankError(f"{what} {gaps.total():,} cases", place=place, hint=hint)
        return length
