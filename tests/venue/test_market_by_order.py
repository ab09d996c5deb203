"""`MarketByOrder`: all orders of a market in the order in which they trade."""

from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as given_by

from surgetank.client import (
    BookNotWhole,
    BookOrders,
    Gap,
    GapReason,
    MarketByOrder,
    OrderSide,
    Stream,
    StreamSnapshot,
)
from surgetank.client.streams import StreamEvent

STREAM = Stream.orders(0)
#: (Number, side, price, quantity) of each order that rests, in the order of their entry.
Resting = dict[int, tuple[int, int, int]]

#: What happens in a batch: an order enters, one of those that rest becomes smaller, or one leaves.
steps = given_by.lists(
    given_by.tuples(
        given_by.sampled_from(["enter", "reduce", "leave"]),
        given_by.sampled_from([1, 2]),
        given_by.integers(1, 3),
        given_by.integers(2, 9),
    ),
    max_size=40,
)


class Sorted(MarketByOrder):
    """The control: orders of one price by their quantity, not by their entry."""

    def _change(self, event: object) -> None:
        super()._change(event)
        by_qty = sorted(self._orders.values(), key=lambda order: -order.qty)
        self._orders = {order.order: order for order in by_qty}


def change(number: int, content: list[tuple[int, int, int, int]]) -> StreamEvent:
    return StreamEvent(STREAM, 1, number, number - 1, number, 0, BookOrders(content))


def as_they_trade(resting: Resting, side: OrderSide) -> list[tuple[int, int, int]]:
    """The venue's order: by price, and of one price by entry, which is their number."""
    sign = -1 if side is OrderSide.BUY else 1
    mine = [(price, order, qty) for order, (of, price, qty) in resting.items() if of == side]
    return sorted(mine, key=lambda one: (sign * one[0], one[1]))


def agrees(book: MarketByOrder, history: list[tuple[str, int, int, int]], begin: int) -> bool:
    """Whether the book is the venue's after each step; a snapshot is loaded before step `begin`."""
    resting: Resting = {}
    for number, (what, side, price, qty) in enumerate(history, 1):
        if number == begin or number == 1:
            content = [(order, *fields) for order, fields in resting.items()]
            book.load(StreamSnapshot(STREAM, (1, number - 1), 0, [BookOrders(content)]))
        if what == "enter" or not resting:
            order, fields = number, (side, price, qty)
        else:
            order = sorted(resting)[qty % len(resting)]
            of, at, before = resting[order]
            fields = (of, at, max(1, before - 1) if what == "reduce" else 0)
        resting[order] = fields
        if not fields[2]:
            del resting[order]
        book.apply(change(number, [(order, *fields)]))
        for one in (OrderSide.BUY, OrderSide.SELL):
            shown = [(order.price, order.order, order.qty) for order in book.orders(one)]
            if shown != as_they_trade(resting, one):
                return False
            lots = 0
            for _, order, lots_of_it in shown:
                assert book.ahead(order) == lots
                lots += lots_of_it
        assert len(book) == len(resting) and book.ahead(10**6) is None
    return True


@given(steps, given_by.integers(1, 40))
def test_orders_are_as_they_trade(history: list[tuple[str, int, int, int]], begin: int) -> None:
    assert agrees(MarketByOrder(), history, begin)


def test_an_order_of_priority_that_is_wrong_is_seen() -> None:
    """The control of the test above."""
    enters = [("enter", 1, 2, qty) for qty in (2, 5, 3)]
    assert agrees(MarketByOrder(), enters, 1) and not agrees(Sorted(), enters, 1)


def test_it_cannot_be_read_with_a_hole() -> None:
    book = MarketByOrder()
    with pytest.raises(BookNotWhole, match="no snapshot yet"):
        len(book)
    book.load(StreamSnapshot(STREAM, (1, 3), 3, [BookOrders([(1, 1, 10, 4)])]))
    assert book.ahead(1) == 0
    book.apply(change(5, [(1, 1, 10, 0)]))
    with pytest.raises(BookNotWhole, match="does not follow"):
        book.orders(OrderSide.BUY)
    book.load(StreamSnapshot(STREAM, (1, 4), 4, [BookOrders([(1, 1, 10, 4)])]))
    assert len(book) == 0, "the change that came meanwhile"
    book.apply(Gap(STREAM, 1, 6, 6, GapReason.NOT_KEPT))
    with pytest.raises(BookNotWhole, match="missing"):
        book.ahead(1)
