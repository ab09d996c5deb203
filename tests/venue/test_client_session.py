"""A client over its connections, without sockets: what is sent again, and what is a gap."""

from __future__ import annotations

from typing import Any

import pytest

from surgetank.client import (
    AnswerLevel,
    Gap,
    GapReason,
    OraclePrice,
    Order,
    OrderSide,
    RefusedRequest,
    SealedRequest,
    Stream,
    UnansweredRequest,
)
from surgetank.client import session as of_session
from surgetank.client.credentials import Credentials
from surgetank.client.following import Followed
from surgetank.client.pending import Submission
from surgetank.client.session import Logon, Session
from surgetank.client.streams import StreamEvent

TIMES = (1, 2, 3, 4)
BOOK = Stream.book(0)


class Wire:
    """In place of the compiled side of a connection: it writes down what is sent, and the test
    says what comes."""

    def __init__(self) -> None:
        self.sent: list[Any] = []
        self.subscribed: list[Any] = []
        self.requests_sent = 0

    def receive(self, _: int, heard: Any) -> Any:
        return heard

    def requests(self, requests: list[Any], _: int) -> tuple[int, bytes]:
        first, self.requests_sent = self.requests_sent + 1, self.requests_sent + len(requests)
        self.sent += requests
        return first, b"."

    def subscribe(self, wanted: list[Any]) -> bytes:
        self.subscribed += wanted
        return b"."

    def unsubscribe(self, _: Any) -> bytes:
        return b"."

    def ping(self, _: int) -> bytes:
        return b"."


@pytest.fixture
def wires(monkeypatch: pytest.MonkeyPatch) -> list[Wire]:
    """The connections, in their order."""
    made: list[Wire] = []

    class Core:
        @staticmethod
        def Initiator(*_: Any, **__: Any) -> Wire:
            made.append(Wire())
            return made[-1]

    monkeypatch.setattr(of_session, "compiled", lambda: Core)
    return made


def connect(session: Session, own: Any = ()) -> None:
    session.open()
    hear(session, (130, 7, 0, 0, list(own)))


def hear(session: Session, *frames: Any) -> None:
    session.receive(0, frames)  # type: ignore[arg-type]


def submit(session: Session, *requests: Any) -> Submission:
    batch = Submission(lambda: None)
    session.submit(1, requests, batch)
    return batch


@pytest.fixture
def session(wires: list[Wire]) -> Session:
    made = Session(Logon(Credentials("desk", 7, bytes(32)), "s", AnswerLevel.DISK), lambda _: None)
    connect(made)
    return made


def order(number: int) -> Order:
    return Order(OrderSide.BUY, 100, 1, cl_ord_id=number)


def test_what_was_not_answered_is_sent_again_in_its_order(
    session: Session, wires: list[Wire]
) -> None:
    batch = submit(session, order(1), order(2), order(3))
    hear(session, (131, 0, [(1, 2, 50, 0, TIMES)]))
    assert session.unresolved.answered_through == 0, "the first is not answered"
    session.lost()
    late = submit(session, order(4))
    connect(session)
    assert [fields[3] for fields in wires[1].sent] == [1, 3, 4]
    assert wires[1].sent[:2] == [wires[0].sent[0], wires[0].sent[2]], "copies are the same"
    hear(session, (131, 3, [(3, 1, 49, 0), (1, 2, 51, 0, TIMES), (2, 3, 11, 0)]))
    assert session.unresolved.answered_through == 4
    first, second, third = batch.answers
    assert isinstance(first, SealedRequest) and (first.sequence, first.duplicate) == (49, True)
    assert isinstance(second, SealedRequest) and isinstance(third, SealedRequest)
    assert isinstance(late.answers[0], RefusedRequest) and not late.answers[0].may_be_executed


def test_a_price_is_sent_once(session: Session, wires: list[Wire]) -> None:
    sent, waiting = submit(session, OraclePrice(100, 5)), None
    session.lost()
    waiting = submit(session, OraclePrice(101, 6))
    connect(session)
    assert sent.answers == [UnansweredRequest(1)]
    assert [fields[4] for fields in wires[1].sent] == [101] and waiting.answers == []


def test_a_copy_that_waits_is_asked_for_until_it_has_its_place(
    session: Session, wires: list[Wire]
) -> None:
    batch = submit(session, order(1))
    hear(session, (131, 1, [(3, 1, 0, 0)]))
    assert batch.answers == [] and session.must_ask_again
    assert session.resend() and not session.must_ask_again
    hear(session, (131, 2, [(3, 2, 9, 13)]))
    answer = batch.answers[0]
    assert isinstance(answer, SealedRequest) and (answer.sequence, answer.accepted) == (9, False)


def test_a_copy_refused_for_its_key_may_be_executed(session: Session) -> None:
    batch = submit(session, order(1))
    session.lost()
    connect(session)
    hear(session, (131, 1, [(2, 1, 1, 0)]))
    answer = batch.answers[0]
    assert isinstance(answer, RefusedRequest) and answer.may_be_executed


def event(number: int, previous: int, epoch: int = 1) -> Any:
    return ((4, 0), epoch, number, previous, number, 0, (8, []))


def numbers(followed: Followed) -> list[Any]:
    """What was delivered: numbers of events, and (first, last) of gaps."""
    items = followed.take()
    return [(i.first, i.last) if isinstance(i, Gap) else i.number for i in items]


def test_a_stream_is_resumed_by_number_and_holes_are_said(
    session: Session, wires: list[Wire]
) -> None:
    followed = Followed(BOOK, None, False, 100)
    session.follow(followed)
    assert wires[0].subscribed == [((4, 0), None, False)]
    hear(session, (133, [event(5, 4), event(6, 5), event(6, 5), event(9, 8)]))
    assert numbers(followed) == [5, 6, (7, 8), 9]
    session.lost()
    connect(session)
    assert wires[1].subscribed == [((4, 0), (1, 9), False)]
    hear(session, (135, (4, 0), 1, 10, 12, int(GapReason.NOT_KEPT)), (133, [event(13, 12)]))
    assert numbers(followed) == [(10, 12), 13]
    hear(session, (133, [event(3, 2, epoch=2)]))
    assert numbers(followed) == [(1, 2), 3]


def test_a_stream_without_an_event_before_the_loss_has_an_unknown_gap(session: Session) -> None:
    followed = Followed(BOOK, None, False, 100)
    session.follow(followed)
    session.lost()
    connect(session)
    assert numbers(followed) == [(None, None)]


def test_the_own_stream_begins_with_the_logon(session: Session, wires: list[Wire]) -> None:
    session.lost()
    connect(session, [((1, 7), (1, 4))])
    session.follow(Followed(Stream.executions(7), None, False, 100))
    assert wires[1].subscribed == [((1, 7), (1, 4), False)]


def test_a_reader_that_is_behind_goes_on_where_it_was(session: Session, wires: list[Wire]) -> None:
    followed = Followed(BOOK, (1, 0), False, 2)
    session.follow(followed)
    hear(session, (133, [event(n, n - 1) for n in range(1, 6)]))
    assert len(followed.waiting) == 2, "memory is bounded"
    assert [i.number for i in followed.take() if isinstance(i, StreamEvent)] == [1, 2]
    session.resume(followed)
    assert len(wires[0].subscribed) == 1, "events of the old subscription may still come"
    hear(session, (133, [event(6, 5)]), (136, 1))
    assert wires[0].subscribed[1:] == [((4, 0), (1, 2), False)]
    hear(session, (133, [event(3, 2)]))
    assert numbers(followed) == [3]
