"""`OrderBook`: whenever it can be read it is the venue's book of that number."""

from __future__ import annotations

import random

import pytest
from hypothesis import given
from hypothesis import strategies as given_by

from surgetank.client import (
    BookLevels,
    BookNotWhole,
    Gap,
    GapReason,
    OrderBook,
    OrderSide,
    Stream,
    StreamSnapshot,
)
from surgetank.client.streams import StreamEvent

STREAM = Stream.book(0)
Levelled = dict[tuple[int, int], int]

levels = given_by.lists(
    given_by.tuples(
        given_by.sampled_from([1, 2]), given_by.integers(1, 4), given_by.integers(0, 3)
    ),
    min_size=1,
    max_size=3,
)
#: What becomes of each event on its way: delivered, dropped, doubled, late, or behind a snapshot.
fates = given_by.sampled_from(["as-it-is"] * 3 + ["drop", "double", "late", "snapshot", "old"])
histories = given_by.lists(given_by.tuples(levels, fates), max_size=40)


class Careless(OrderBook):
    """The control: it applies what comes, whatever was before."""

    def _follows(self, item: StreamEvent) -> bool:
        return item.epoch == self._place[0]


def change(number: int, content: list[tuple[int, int, int]]) -> StreamEvent:
    return StreamEvent(STREAM, 1, number, number - 1, number, 0, BookLevels(content))


def after(state: Levelled, content: list[tuple[int, int, int]]) -> Levelled:
    new = state | {(side, price): qty for side, price, qty in content}
    return {key: qty for key, qty in new.items() if qty}


def snapshot(states: list[Levelled], number: int) -> StreamSnapshot:
    content = [(side, price, qty) for (side, price), qty in states[number].items()]
    return StreamSnapshot(STREAM, (1, number), number, [BookLevels(content)])


def read(book: OrderBook) -> Levelled:
    sides = (OrderSide.BUY, OrderSide.SELL)
    return {(int(side), price): qty for side in sides for price, qty in book.levels(side)}


def play(book: OrderBook, history: list[tuple[list[tuple[int, int, int]], str]]) -> int:
    """Plays a history over a bad way; returns how often the book could be read.

    Raises:
        AssertionError: it could be read, and was not the venue's book of its number.
    """
    states: list[Levelled] = [{}]
    late: list[StreamEvent] = []
    reads = 0
    for number, (content, fate) in enumerate(history, 1):
        states.append(after(states[-1], content))
        event = change(number, content)
        match fate:
            case "late":
                late.append(event)
            case "double":
                book.apply(event)
                book.apply(event)
            case "snapshot" | "old":
                book.load(snapshot(states, number if fate == "snapshot" else number // 2))
                book.apply(event)
            case "as-it-is":
                book.apply(event)
                while late:
                    book.apply(late.pop())
        if book.is_whole:
            reads += 1
            assert read(book) == states[book.place[1]]
    return reads


@given(histories)
def test_it_is_the_venues_or_cannot_be_read(
    history: list[tuple[list[tuple[int, int, int]], str]],
) -> None:
    play(OrderBook(), history)


def test_a_book_that_ignores_previous_is_caught() -> None:
    """The control of the test above, over histories that it draws as well."""
    draws = random.Random()
    fate = ["as-it-is", "drop", "snapshot"]

    def caught() -> bool:
        content = [(1, draws.randint(1, 4), draws.randint(1, 3)) for _ in range(30)]
        history = [
            ([one], "snapshot" if not n else draws.choice(fate)) for n, one in enumerate(content)
        ]
        try:
            play(Careless(), history)
        except AssertionError:
            return True
        return False

    assert any(caught() for _ in range(100))


def test_it_is_read_between_a_snapshot_and_a_hole() -> None:
    book = OrderBook()
    with pytest.raises(BookNotWhole, match="no snapshot yet"):
        book.levels(OrderSide.BUY)
    book.apply(change(2, [(1, 10, 5)]))
    book.load(StreamSnapshot(STREAM, (1, 1), 1, [BookLevels([(1, 9, 4), (2, 12, 1)])]))
    assert book.levels(OrderSide.BUY) == [(10, 5), (9, 4)], (
        "the change that came before the snapshot"
    )
    assert (book.best(OrderSide.SELL), book.place, book.sequence) == ((12, 1), (1, 2), 2)
    book.apply(change(4, [(1, 10, 0)]))
    with pytest.raises(BookNotWhole, match="does not follow"):
        book.best(OrderSide.BUY)
    book.load(StreamSnapshot(STREAM, (1, 3), 3, [BookLevels([(1, 10, 1)])]))
    assert (book.best(OrderSide.BUY), book.place) == (None, (1, 4))
    book.apply(Gap(STREAM, 1, 5, 6, GapReason.NOT_KEPT))
    assert not book.is_whole
    book.load(StreamSnapshot(STREAM, (2, 1), 9, []))
    book.apply(change(5, [(1, 1, 1)]))
    assert not book.is_whole, "a change of another epoch"


def test_a_conflated_change_applies_over_what_it_covers() -> None:
    book = OrderBook()
    book.load(StreamSnapshot(STREAM, (1, 3), 3, []))
    book.apply(StreamEvent(STREAM, 1, 7, 3, 7, 0, BookLevels([(2, 8, 8)])))
    assert (book.levels(OrderSide.SELL), book.place) == ([(8, 8)], (1, 7))
