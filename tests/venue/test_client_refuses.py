"""What a client cannot send is refused before anything is noted of it."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from decimal import Decimal

import pytest

from served_venue import venue_in
from surgetank.client import (
    Cancel,
    Client,
    ConnectionEnded,
    Credentials,
    Deposit,
    Order,
    OrderSide,
    SealedRequest,
    Units,
)
from surgetank.client.requests import check_bounds
from surgetank.errors import SurgetankError
from surgetank.venue import ServedVenue
from surgetank.venue.keys import VenueKey

Call = Callable[[Client], object]
#: Calls that ask for what no request can say, and what the error names.
CALLS: dict[str, tuple[Call, str]] = {
    "a quantity beyond all bounds": (lambda c: c.place("buy", "1e400", 100), "order: qty"),
    "one lot too many": (lambda c: c.request(Order(OrderSide.BUY, 1, 2**63)), "order: qty"),
    "no whole number": (lambda c: c.request(Order(OrderSide.BUY, 1, 1.5)), "order: qty"),  # type: ignore[arg-type]
    "a negative ClOrdID": (lambda c: c.place("buy", 1, 100, cl_ord_id=-1), "order: cl_ord_id"),
    "a negative market": (lambda c: c.request(Cancel(1, -1)), "cancel: market"),
    "no side": (lambda c: c.request(Order("buy", 1, 1)), "order: side"),  # type: ignore[arg-type]
    "another side": (lambda c: c.place("hold", 1, 100), "side"),  # type: ignore[arg-type]
    "no number": (lambda c: c.place("buy", 1, "abc"), "price"),
    "nothing": (lambda c: c.replace(1, None, 1), "quantity"),  # type: ignore[arg-type]
    "infinitely much": (lambda c: c.place("buy", float("inf"), 1), "quantity"),
    "one bad one of three": (
        lambda c: c.send([Cancel(1), Deposit(2, 2**127), Cancel(3)]),
        "deposit: cash",
    ),
}


@pytest.fixture(scope="module")
def venue(tmp_path_factory: pytest.TempPathFactory) -> Iterator[ServedVenue]:
    """A venue as `surgetank init --venue` writes it."""
    with venue_in(tmp_path_factory.mktemp("venue")) as served:
        yield served


@pytest.mark.live
@pytest.mark.parametrize("name", CALLS)
def test_nothing_is_noted_of_what_cannot_be_sent(venue: ServedVenue, name: str) -> None:
    call, place = CALLS[name]
    with venue.client("desk") as client:
        with pytest.raises(SurgetankError) as caught:
            call(client)
        assert caught.value.place == place and caught.value.hint
        assert (client.submitted, client.answered_through) == (0, 0)
        assert client.place("buy", "0.001", 50_000).accepted


@pytest.mark.live
def test_a_client_lives_on_after_it(venue: ServedVenue) -> None:
    """Over a reconnect, where all that is not answered is sent again."""
    with venue.client("desk") as client:
        for call, _ in CALLS.values():
            with pytest.raises(SurgetankError):
                call(client)
        venue.kill()
        venue.restart()
        assert isinstance(client.place("buy", "0.001", 50_000), SealedRequest)
        assert client.answered() == client.submitted == 1


@pytest.mark.live
def test_a_refused_first_logon_speaks_of_no_requests(venue: ServedVenue) -> None:
    units = {0: Units(0.1, 0.001)}
    unknown = Credentials.of(VenueKey.new("unknown", 9))
    with pytest.raises(ConnectionEnded) as caught, Client(venue.address, unknown, units=units):
        pass
    assert "may have been executed" not in str(caught.value)


@pytest.mark.parametrize("address", ["127.0.0.1", "foo:bar", "127.0.0.1:99999", ":7", ""])
def test_what_is_no_address_is_refused(address: str) -> None:
    key = Credentials.of(VenueKey.new("desk", 7))
    with pytest.raises(SurgetankError, match="is no address") as caught:
        Client(address, key).__enter__()
    assert "HOST:PORT" in caught.value.hint


def test_every_number_is_taken_up_to_its_bound() -> None:
    for qty in (-(2**63), 2**63 - 1):
        check_bounds(Order(OrderSide.BUY, 1, qty, cl_ord_id=2**64 - 1))
    for qty in (-(2**63) - 1, 2**63):
        with pytest.raises(SurgetankError, match=str(qty)):
            check_bounds(Order(OrderSide.BUY, 1, qty))
    assert Units(0.1, 0.001).lots(Decimal("0.003")) == 3
