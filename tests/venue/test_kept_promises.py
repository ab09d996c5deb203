"""The checker of the kill soak finds every kind of broken promise."""

from __future__ import annotations

from dataclasses import replace

import pytest

from kept_promises import Promises, broken
from retrying_clients import encoded
from segment_files import Placed

SENDER = 1000


def kept(count: int) -> tuple[Promises, list[Placed]]:
    """A journal of so many requests, all answered."""
    promises, places = Promises(), []
    for sequence in range(1, count + 1):
        request = encoded(("cancel", SENDER, 5, 100 + sequence, 7, 0))
        promises.sending((SENDER, 100 + sequence), request)
        promises.answer((SENDER, 100 + sequence), sequence, 0)
        places.append(Placed(sequence, SENDER, 100 + sequence, request))
    return promises, places


def kinds(found: set[str]) -> set[str]:
    """The kinds of what was found."""
    return {text.partition(":")[0] for text in found}


def test_a_journal_with_everything_in_its_place_has_nothing_broken() -> None:
    promises, places = kept(5)
    assert broken(promises, places, places[:3]) == set()


def test_what_was_sent_and_not_answered_may_be_there_or_not() -> None:
    promises, places = kept(5)
    del promises.answered[SENDER, 105]
    assert broken(promises, places) == set()
    assert broken(promises, places[:4], places) == set()


def altered(places: list[Placed]) -> list[Placed]:
    """The last request, with another content."""
    return [*places[:-1], replace(places[-1], request=b"\x00" + places[-1].request)]


def swapped(places: list[Placed]) -> list[Placed]:
    """The last two requests in the other order, numbered as before."""
    first, second = places[-2:]
    return [*places[:-2], replace(second, sequence=4), replace(first, sequence=5)]


def doubled(places: list[Placed]) -> list[Placed]:
    """The last request a second time."""
    return [*places, replace(places[-1], sequence=6)]


def foreign(places: list[Placed]) -> list[Placed]:
    """A request that was not sent."""
    return [*places, Placed(6, SENDER + 1, 3, b"")]


@pytest.mark.parametrize(
    ("change", "found"),
    [
        (lambda places: places[:-1], {"lost"}),
        (lambda places: [*places[:2], *places[3:]], {"lost", "hole", "moved"}),
        (altered, {"altered"}),
        (swapped, {"moved"}),
        (doubled, {"twice"}),
        (foreign, {"foreign"}),
    ],
)
def test_each_change_of_a_journal_is_found(change: object, found: set[str]) -> None:
    promises, places = kept(5)
    assert callable(change)
    assert found & kinds(broken(promises, change(places)))


def test_a_place_that_has_changed_since_it_was_read_is_found() -> None:
    promises, places = kept(5)
    promises.answered.clear()
    assert kinds(broken(promises, swapped(places), places)) == {"changed"}


def test_an_answer_that_contradicts_an_earlier_one_is_found() -> None:
    promises, places = kept(5)
    promises.answer((SENDER, 101), 1, 99)
    assert kinds(broken(promises, places)) == {"contradiction"}
