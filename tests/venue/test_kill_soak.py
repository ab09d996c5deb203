"""A venue that is killed at random moments: nothing acknowledged is lost, moved or executed twice.

Clients send orders, cancels and deposits, and send again what was not answered. Before they come
back after a start, the journal's files are compared with every answer that was ever given, verified
by the verifier, and the state is compared with that of a replay from the first record.
"""

from __future__ import annotations

import random
from collections.abc import Iterator
from pathlib import Path

import pytest

from killed_venue import KilledVenue, wipe_last_record
from surgetank.live.faults.mounts import mounting_missing

pytestmark = [pytest.mark.live]

_LACK = mounting_missing("mkfs.ext4", "losetup")
needs_mounts = pytest.mark.skipif(_LACK is not None, reason=_LACK or "")


@pytest.fixture
def killed(tmp_path: Path) -> Iterator[KilledVenue]:
    """A venue on a disk that keeps what was written."""
    made = KilledVenue(tmp_path)
    yield made
    made.end()


def lives(killed: KilledVenue, rounds: int, every: int) -> None:
    """So many kills; every so many rounds it is killed during recovery, drained, has a bit
    flipped, and is compared with a whole replay."""
    for number in range(1, rounds + 1):
        killed.start()
        if number % every == 0:
            killed.compare_with_whole_replay()
        killed.trade(random.uniform(0.02, 0.4))
        if number % 2:
            killed.kill_while_recovering()
        if number % every == 0:
            killed.start()
            killed.settle()
            killed.drain()
            for _ in range(2):
                killed.start_with_a_flipped_bit()
    killed.start()
    killed.settle()
    killed.drain()
    killed.start()
    assert not any(client.unanswered for client in killed.clients)
    assert len(killed.places) == len(killed.promises.sent) == len(killed.promises.answered)


def test_five_kills_lose_nothing(killed: KilledVenue) -> None:
    lives(killed, rounds=5, every=4)
    assert killed.tally.compared == 1
    assert len(killed.places) > 100
    assert sum(client.sent_again for client in killed.clients) > 0


def test_a_lost_record_is_found(killed: KilledVenue) -> None:
    """The control: the last record and its proof are zeroed, as by a disk that lied."""
    killed.start()
    killed.trade(0.2)
    killed.start()
    killed.settle()
    killed.kill()
    wipe_last_record(killed.data)
    killed.venue.start()  # It cannot know.
    assert any(text.startswith("lost") for text in killed.check())


@needs_mounts
def test_power_loss_loses_nothing(tmp_path: Path) -> None:
    killed = KilledVenue(tmp_path, loses_power=True)
    try:
        lives(killed, rounds=2, every=3)
    finally:
        killed.end()


@pytest.mark.soak
def test_two_hundred_kills_lose_nothing(
    killed: KilledVenue, capsys: pytest.CaptureFixture[str]
) -> None:
    try:
        lives(killed, rounds=200, every=10)
    finally:
        with capsys.disabled():
            print(killed.summary())


@pytest.mark.soak
@needs_mounts
def test_twenty_power_losses_lose_nothing(
    tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    killed = KilledVenue(tmp_path, loses_power=True)
    try:
        lives(killed, rounds=20, every=7)
    finally:
        with capsys.disabled():
            print(killed.summary())
        killed.end()
