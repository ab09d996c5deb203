"""Price levels of a venue's order book, and the messages that their changes stand for."""

from __future__ import annotations

import math
from collections.abc import Iterable
from heapq import heappop, heappush

from surgetank.tape.columns import BUY, CANCEL, ORDER, REPLACE, SELL, Columns

__all__ = ["Levels"]

#: Price and quantity of a level, as numbers or as text.
Level = tuple[float | str, float | str]


class Levels:
    """The book of one instrument: quantities by price on each side.

    Feeds of levels do not show orders, so levels stand in for them: one that appears is a limit
    order, one that changes a replace, one that empties a cancel.
    """

    def __init__(self, columns: Columns) -> None:
        self._columns = columns
        self._held: dict[int, dict[float, float]] = {BUY: {}, SELL: {}}
        self._keys: dict[tuple[int, float], int] = {}
        self._heaps: dict[int, list[float]] = {BUY: [], SELL: []}
        self._whole = False
        self._mid = 0.0

    def snapshot(self, bids: Iterable[Level], asks: Iterable[Level]) -> None:
        """The whole book, which is not flow: it sets which levels are known."""
        for side, levels in ((BUY, bids), (SELL, asks)):
            self._held[side], self._heaps[side] = {}, []
            for price, quantity in levels:
                self._put(side, float(price), float(quantity))
        self._whole = True
        self._settle()

    def update(self, bids: Iterable[Level], asks: Iterable[Level]) -> None:
        """Levels that changed; quantity 0 takes one out."""
        for side, levels in ((BUY, bids), (SELL, asks)):
            for price, quantity in levels:
                self.change(side, float(price), float(quantity))
        self._settle()

    def set(self, bids: Iterable[Level], asks: Iterable[Level]) -> None:
        """Levels that changed, without a message: their orders are known one by one."""
        for side, levels in ((BUY, bids), (SELL, asks)):
            for price, quantity in levels:
                self._put(side, float(price), float(quantity))
        self._settle()

    def view(self, bids: Iterable[Level], asks: Iterable[Level]) -> None:
        """The best levels of the book again: their differences from the last view are flow.

        Levels beyond the worse of the two views' last prices may have left the view and not the
        book, so they are set without a message.
        """
        if not self._whole:
            return self.snapshot(bids, asks)
        for side, levels in ((BUY, bids), (SELL, asks)):
            sign = -1 if side == BUY else 1
            new = {float(price): float(quantity) for price, quantity in levels}
            old = self._held[side]
            reach = min((max(sign * p for p in book) for book in (new, old) if book), default=0.0)
            for price in sorted({*new, *old}):
                quantity = new.get(price, 0.0)
                if quantity == old.get(price, 0.0):
                    continue
                if sign * price <= reach:
                    self.change(side, price, quantity)
                else:
                    self._put(side, price, quantity)
        self._settle()

    def change(self, side: int, price: float, quantity: float) -> None:
        """A level's new quantity, and the message that it stands for."""
        known = price in self._held[side]
        if quantity == 0 and not known:
            return
        key = self._keys.setdefault((side, price), len(self._keys) + 1)
        number = CANCEL if quantity == 0 else REPLACE if known else ORDER
        self._columns.message(number, side, price, quantity, key)
        self._put(side, price, quantity)

    def _put(self, side: int, price: float, quantity: float) -> None:
        if not (math.isfinite(price + quantity) and price > 0 and quantity >= 0):
            raise ValueError
        self._keys.setdefault((side, price), len(self._keys) + 1)
        if quantity == 0:
            self._held[side].pop(price, None)
            return
        if price not in self._held[side]:
            heappush(self._heaps[side], -price if side == BUY else price)
        self._held[side][price] = quantity

    def _best(self, side: int) -> float | None:
        heap, held = self._heaps[side], self._held[side]
        # Prices of levels that have emptied stay in the heap until they reach its top.
        while heap and abs(heap[0]) not in held:
            heappop(heap)
        return abs(heap[0]) if heap else None

    def _settle(self) -> None:
        """Adds the mid as a price if it moved. Before the first whole book there is none."""
        if not self._whole:
            return
        bid, ask = self._best(BUY), self._best(SELL)
        if bid is not None and ask is not None and bid < ask:
            mid = (bid + ask) / 2
            if mid != self._mid:
                self._mid = mid
                self._columns.price("book", mid)
