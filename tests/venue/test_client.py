"""The client and real venues: kills, refusals, slow readers, ends."""

from __future__ import annotations

import asyncio
import contextlib
import os
import random
import signal
import threading
import time
from collections import Counter
from collections.abc import Iterator
from dataclasses import replace
from pathlib import Path

import pytest

from served_venue import cl_ord_ids, journal_of, until, venue_in
from surgetank.client import (
    Answer,
    Client,
    ConnectionEnded,
    Credentials,
    CutReason,
    ExecType,
    ExecutionReport,
    Notice,
    OrdRejReason,
    Patience,
    RefusalReason,
    RefusedRequest,
    SealedRequest,
    Stream,
    UnansweredRequest,
    Units,
)
from surgetank.journal import verify
from surgetank.venue import ServedVenue, VenueKey

pytestmark = pytest.mark.live
IMPATIENT = Patience(give_up_s=0.0)


@pytest.fixture(scope="module")
def folder(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Where the venue of most of these tests has its files."""
    return tmp_path_factory.mktemp("venue")


@pytest.fixture(scope="module")
def venue(folder: Path) -> Iterator[ServedVenue]:
    """The venue of most of these tests; each leaves it as it was but for orders."""
    with venue_in(folder) as served:
        yield served


@contextlib.contextmanager
def keys_changed(venue: ServedVenue, file: Path, text: str) -> Iterator[None]:
    """With other keys, which the venue has read, for a while."""
    before = file.read_text()
    for content in (text, before):
        file.write_text(content)
        os.kill(venue.pid, signal.SIGHUP)
        while venue.events.get(timeout=20)["event"] != "keys-read":
            pass
        if content is text:
            yield


def test_over_kills_every_order_is_in_the_journal_once_and_answered(
    tmp_path: Path,
) -> None:
    """The venue is killed while orders are on their way; some are also sent twice on
    purpose. A client that gives a copy a new ClOrdID is caught, and one that sends no copy waits
    without end."""
    with venue_in(tmp_path) as venue:
        _over_kills(venue, tmp_path)


def _over_kills(venue: ServedVenue, tmp_path: Path) -> None:
    done = threading.Event()
    with venue.client(1000) as client:
        reports = client.subscribe(Stream.executions(1000), after=(1, 0))
        sent: list[int] = []
        answers: list[Answer] = []

        def trade() -> None:
            while not done.is_set():
                orders = [client.order("buy", "0.001", 50_000) for _ in range(20)]
                answers.extend(client.send(orders))
                sent.extend(order.cl_ord_id for order in orders)
                answers.extend(client.send(random.sample(orders, 3)))

        trader = threading.Thread(target=trade)
        trader.start()
        for _ in range(3):
            time.sleep(random.uniform(0.05, 0.3))
            venue.kill()
            venue.start()
        time.sleep(0.2)
        done.set()
        trader.join()
        assert client.answered() == client.submitted == len(answers)
        assert client.logons > 1
        sealed = [
            answer for answer in answers if isinstance(answer, SealedRequest) and answer.accepted
        ]
        assert len(sealed) == len(answers)
        places = {answer.cl_ord_id: answer.sequence for answer in sealed}
        assert all(places[answer.cl_ord_id] == answer.sequence for answer in sealed)
        last = max(places.values())
        new = Counter(
            event.event.cl_ord_id
            for event in until(reports, last, len(sent))
            if isinstance(event.event, ExecutionReport) and event.event.exec_type is ExecType.NEW
        )
        batches = until(client.subscribe(Stream.journal(), after=(1, 0)), last)
    journal = journal_of(batches, tmp_path / "copy.journal")
    assert verify(tmp_path / "copy.journal").whole
    written = cl_ord_ids(journal)
    assert sorted(written) == sorted(sent) and len(set(sent)) == len(sent) > 100
    assert [written[place - 1] for place in sorted(places.values())] == written
    assert new == Counter(sent), "reported once each, over all connections"


def test_a_copy_has_the_place_of_the_first(venue: ServedVenue) -> None:
    """Whoever sends the same request again gets its first place."""
    with venue.client(1000) as first, venue.client(1000) as second:
        order = first.order("buy", "0.01", 59_000)
        unsent = second.order("buy", "0.01", 59_000, cl_ord_id=12)
        answer = first.request(order)
        assert isinstance(answer, SealedRequest) and answer.times is not None
        again = second.request(order)
        assert isinstance(again, SealedRequest)
        assert (again.sequence, again.duplicate, again.times) == (answer.sequence, True, None)
        status = second.order_status(order.cl_ord_id)
        assert (status.known, status.sequence) == ("known", answer.sequence)
        assert second.order_status(unsent.cl_ord_id).known == "unknown"


def test_answers_say_what_was_refused_and_rejected(venue: ServedVenue) -> None:
    with venue.client("desk") as desk, venue.client("operator") as operator:
        assert operator.price(60_000).accepted
        assert operator.deposit(1000, 500).accepted
        assert desk.withdraw(500).accepted, "it was signed"
        refused = desk.price(60_000)
        assert isinstance(refused, RefusedRequest)
        assert (refused.reason, refused.accepted) == (RefusalReason.NOT_PERMITTED, False)
        large = desk.place("buy", 10_000, 59_000)
        assert isinstance(large, SealedRequest)
        assert large.ord_rej_reason is OrdRejReason.INSUFFICIENT_MARGIN
        mine = desk.place("buy", "0.01", 59_000)
        moved = desk.replace(mine.cl_ord_id, "0.02", 59_100)
        assert moved.accepted
        assert desk.cancel(moved.cl_ord_id).accepted
        assert desk.cancel_all().accepted
        assert operator.halt(account=1000).accepted
        halted = desk.place("buy", "0.01", 59_000)
        assert isinstance(halted, RefusedRequest) and halted.reason is RefusalReason.HALTED
        assert operator.halt(False, account=1000).accepted


def test_at_the_bound_of_an_account_the_refusal_says_when_to_try_again(tmp_path: Path) -> None:
    with venue_in(tmp_path, account_open_max=16) as venue, venue.client(1000) as client:
        orders = [client.order("buy", "0.001", 50_000) for _ in range(500)]
        refused = [answer for answer in client.send(orders) if isinstance(answer, RefusedRequest)]
        assert refused and client.answered_through == 500
        assert {answer.reason for answer in refused} == {RefusalReason.ACCOUNT_QUEUE_FULL}
        assert any(answer.retry_after_s for answer in refused)


def test_keys_of_both_kinds_and_wrong_ones(venue: ServedVenue, folder: Path) -> None:
    own = Credentials.new_ed25519("own", 1000)
    keys = folder / "demo.keys.toml"
    entry = f'[own]\naccount = 1000\npermissions = ["withdraw"]\ned25519 = "{own.public}"\n'
    units = {0: Units(0.1, 0.001)}
    with keys_changed(venue, keys, keys.read_text() + entry):
        with Client(venue.address, own, units=units) as client:
            assert client.withdraw(1).accepted, "it was signed"
        signing = replace(own, secret=bytes(32))
        for wrong in (VenueKey.new("desk", 1000), VenueKey.new("nobody", 1000), signing):
            with pytest.raises(ConnectionEnded, match="logon refused") as refusal:
                Client(venue.address, wrong).open()
            assert refusal.value.reason is CutReason.LOGON_REFUSED
    with pytest.raises(ConnectionEnded, match="cannot be reached"):
        Client("127.0.0.1:1", own, patience=IMPATIENT).open()


def test_a_removed_key_ends_its_client_only(venue: ServedVenue, folder: Path) -> None:
    keys = folder / "demo.keys.toml"
    with venue.client("desk") as desk, venue.client("maker") as maker:
        makers = '["maker"]' + keys.read_text().split('["maker"]')[1]
        events = desk.subscribe(Stream.journal())
        with keys_changed(venue, keys, makers):
            with pytest.raises(ConnectionEnded) as ended:
                events.get(timeout_s=20)
            assert ended.value.reason is CutReason.LOGON_REFUSED
            with pytest.raises(ConnectionEnded):
                desk.place("buy", "0.01", 59_000)
            assert maker.place("buy", "0.01", 59_000).accepted


def test_a_slow_reader_misses_nothing(venue: ServedVenue) -> None:
    """A reader with room for ten events is far behind; it is never ahead of what it has read."""
    with venue.client(1001, waiting_max=10) as client:
        reports = client.subscribe(Stream.executions(1001), after=(1, 0))
        for _ in range(5):
            client.send([client.order("buy", "0.001", 50_000) for _ in range(100)])
        last = client.place("buy", "0.001", 50_000)
        assert isinstance(last, SealedRequest)
        events = until(reports, last.sequence)
        assert [event.number for event in events] == list(range(1, len(events) + 1))
        assert len(events) > 500


def test_a_venue_that_drains_is_waited_for(venue: ServedVenue) -> None:
    with venue.client(1000) as client:
        client.place("buy", "0.01", 59_000)
        venue.stop()
        waiting = client.send_later([client.order("buy", "0.01", 59_000)])
        venue.start()
        assert waiting.result(timeout=20)[0].accepted
        assert client.logons == 2 and client.notice in (None, Notice.SERVING, Notice.DRAINING)


def test_a_price_without_an_answer_is_not_sent_again(venue: ServedVenue) -> None:
    with venue.client("operator") as operator:
        venue.pause()
        waiting = operator.send_later([operator.order("buy", 1, 1)])
        price = threading.Thread(target=lambda: answers.append(operator.price(60_100)))
        answers: list[object] = []
        price.start()
        while operator.submitted < 2:
            time.sleep(0.01)
        venue.kill()
        price.join(timeout=20)
        assert answers == [UnansweredRequest(2)]
        venue.start()
        assert not waiting.result(timeout=20)[0].accepted


def test_the_async_client_answers_many_at_once(venue: ServedVenue) -> None:
    async def trade() -> list[bool]:
        async with venue.async_client(1000) as client:
            placed = [client.place("buy", "0.001", 50_000 + n) for n in range(50)]
            answers = await asyncio.gather(*placed)
            assert await client.answered() == 50
            return [answer.accepted for answer in answers]

    assert all(asyncio.run(trade()))


def test_a_second_client_of_a_session_ends_the_first(venue: ServedVenue) -> None:
    with venue.client(1000, session="bot") as first, venue.client(1000, session="bot") as second:
        with pytest.raises(ConnectionEnded) as ended:
            first.subscribe(Stream.journal()).get(timeout_s=20)
        assert ended.value.reason is CutReason.REPLACED
        assert second.place("buy", "0.01", 59_000).accepted
