"""The book of a market by price (L2)."""

from __future__ import annotations

from surgetank.client.enumerations import OrderSide
from surgetank.client.kept_book import KeptBook
from surgetank.client.streams import BookLevels, Stream
from surgetank.client.units import Units
from surgetank.errors import SurgetankError

__all__ = ["OrderBook"]


class OrderBook(KeptBook):
    """Quantity by price (L2) of a market, in ticks and lots, and in real units if they are given.
    It is read only while it has no hole (`KeptBook`)."""

    def __init__(self, market: int = 0, units: Units | None = None) -> None:
        super().__init__(Stream.book(market))
        self.units = units
        self._sides: dict[OrderSide, dict[int, int]] = {OrderSide.BUY: {}, OrderSide.SELL: {}}

    def levels(self, side: OrderSide, depth: int | None = None) -> list[tuple[int, int]]:
        """(Price, quantity) of the best levels, best first, in ticks and lots.

        Raises:
            BookNotWhole: it has a hole, or no snapshot yet.
        """
        self._check()
        best_first = sorted(self._sides[side].items(), reverse=side is OrderSide.BUY)
        return best_first[:depth]

    def best(self, side: OrderSide) -> tuple[int, int] | None:
        """(Price, quantity) of the best level; None: nothing rests there. Raises as `levels`."""
        self._check()
        levels = self._sides[side]
        if not levels:
            return None
        price = max(levels) if side is OrderSide.BUY else min(levels)
        return price, levels[price]

    def best_usd(self, side: OrderSide) -> tuple[float, float] | None:
        """(Price in USD, quantity in coins) of the best level. Raises as `levels`."""
        best, units = self.best(side), self.units
        if units is None:
            hint = "Give the book `units`, or use `best`"
            raise SurgetankError("the tick and lot are not known", place="book", hint=hint)
        return None if best is None else (units.price(best[0]), units.quantity(best[1]))

    def _clear(self) -> None:
        for levels in self._sides.values():
            levels.clear()

    def _change(self, event: object) -> None:
        assert isinstance(event, BookLevels), "a book has levels"
        for side, price, qty in event.levels:
            if qty:
                self._sides[OrderSide(side)][price] = qty
            else:
                self._sides[OrderSide(side)].pop(price, None)
