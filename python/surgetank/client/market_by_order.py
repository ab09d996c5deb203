"""The book of a market by order (L3)."""

from __future__ import annotations

from dataclasses import dataclass

from surgetank.client.enumerations import OrderSide
from surgetank.client.kept_book import KeptBook
from surgetank.client.streams import BookOrders, Stream

__all__ = ["MarketByOrder", "RestingOrder"]


@dataclass(frozen=True, slots=True)
class RestingOrder:
    """An order in the book; price in ticks, quantity in lots."""

    order: int
    """Place in the journal of the request that entered it: its number for as long as it rests."""
    side: OrderSide
    price: int
    qty: int


class MarketByOrder(KeptBook):
    """All orders of a market (L3), those of one price as they trade. It is read only while it has
    no hole (`KeptBook`)."""

    def __init__(self, market: int = 0) -> None:
        super().__init__(Stream.orders(market))
        # In the order in which they entered: that of priority among orders of one price. An order
        # that becomes smaller keeps its place.
        self._orders: dict[int, RestingOrder] = {}

    def __len__(self) -> int:
        self._check()
        return len(self._orders)

    def orders(self, side: OrderSide) -> list[RestingOrder]:
        """The orders of a side: the best price first, and of one price the first to trade first.

        Raises:
            BookNotWhole: it has a hole, or no snapshot yet.
        """
        self._check()
        sign = -1 if side is OrderSide.BUY else 1
        of_side = (order for order in self._orders.values() if order.side is side)
        return sorted(of_side, key=lambda order: sign * order.price)

    def ahead(self, order: int) -> int | None:
        """Lots of better or equal price that trade before an order; None: it does not rest.

        Raises:
            BookNotWhole: it has a hole, or no snapshot yet.
        """
        self._check()
        own = self._orders.get(order)
        if own is None:
            return None
        lots = 0
        for other in self.orders(own.side):
            if other.order == order:
                break
            lots += other.qty
        return lots

    def _clear(self) -> None:
        self._orders.clear()

    def _change(self, event: object) -> None:
        assert isinstance(event, BookOrders), "it has orders"
        for order, side, price, qty in event.orders:
            if qty:
                self._orders[order] = RestingOrder(order, OrderSide(side), price, qty)
            else:
                self._orders.pop(order, None)
