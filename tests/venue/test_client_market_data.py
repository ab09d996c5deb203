"""The client's order book, of a venue that is killed and started again."""

from __future__ import annotations

import time
from collections.abc import Callable, Iterator
from pathlib import Path

import pytest

from served_venue import venue_in
from surgetank.client import Book, OrderSide, SealedRequest
from surgetank.venue import ServedVenue

pytestmark = pytest.mark.live


@pytest.fixture
def venue(tmp_path: Path) -> Iterator[ServedVenue]:
    """A venue as `surgetank init --venue` writes it."""
    with venue_in(tmp_path) as served:
        yield served


def levels_of(book: Book) -> list[tuple[int, int]]:
    """Bids as price in ticks and quantity in lots; none while the book is not whole."""
    return book.levels(OrderSide.BUY) if book.is_whole else []


def wait_for(holds: Callable[[], bool], seconds: float = 20.0) -> None:
    """Waits until something holds."""
    until = time.monotonic() + seconds
    while not holds():
        assert time.monotonic() < until, "it did not come about"
        time.sleep(0.02)


def test_a_book_is_that_of_its_orders_over_a_kill(venue: ServedVenue) -> None:
    """Kept from a snapshot and changes; after a restart it is read again only once it is whole."""
    with venue.client("desk") as client, venue.client("maker") as reader:
        book = reader.book()
        placed = [client.place("buy", 0.002, 50_000.0 + step) for step in range(3)]
        assert all(answer.accepted for answer in placed)
        wait_for(lambda: len(levels_of(book)) == 3)
        venue.kill()
        venue.restart()
        assert client.place("buy", 0.001, 50_002.0).accepted
        wait_for(lambda: levels_of(book)[:1] == [(500_020, 3)])
        assert levels_of(book) == [(500_020, 3), (500_010, 2), (500_000, 2)]
        client.cancel_all()
        wait_for(lambda: levels_of(book) == [])


def test_orders_are_those_of_the_levels_over_a_kill(venue: ServedVenue) -> None:
    """By order and by price are two streams with numbers of their own: they must say the same. A
    smaller order keeps its place in the queue, a larger one loses it."""
    with venue.client("desk") as client, venue.client("maker") as reader:
        book, orders = reader.book(), reader.market_by_order()
        first, second, third = (client.place("buy", 0.004, 50_000.0) for _ in range(3))
        assert client.replace(first.cl_ord_id, 0.002, 50_000.0).accepted
        larger = client.replace(second.cl_ord_id, 0.005, 50_000.0)
        venue.kill()
        venue.restart()
        assert client.place("sell", 0.001, 50_001.0).accepted
        wait_for(lambda: levels_of(book) == [(500_000, 11)] and orders.is_whole)
        wait_for(lambda: len(orders.orders(OrderSide.SELL)) == 1)
        sealed = [it for it in (first, third, larger) if isinstance(it, SealedRequest)]
        places = [answer.sequence for answer in sealed]
        resting = orders.orders(OrderSide.BUY)
        assert [(order.order, order.qty) for order in resting] == list(
            zip(places, [2, 4, 5], strict=True)
        )
        assert orders.ahead(places[2]) == 6
        client.cancel_all()
        wait_for(lambda: levels_of(book) == [] and orders.is_whole)
        wait_for(lambda: orders.orders(OrderSide.BUY) == [])
