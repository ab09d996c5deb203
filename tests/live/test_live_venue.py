"""`--target venue:` without money: messages are orders of a real venue."""

from __future__ import annotations

import os
import signal
import time

import numpy as np
import pytest

import surgetank as st
from stalled_disk import StalledDisk
from surgetank.calibrate.fitted_scenario import plain
from surgetank.errors import SurgetankError
from surgetank.live import LiveOptions, Rig, Schedule
from surgetank.live import crash as crash_module
from surgetank.live.crash import CrashOutcome, crash_once, levels_of
from surgetank.live.faults.mounts import mounting_missing
from surgetank.live.registry import parse
from surgetank.live.systems.venue.orders import batch_numbers, cl_ord_id, order
from surgetank.live.systems.venue.server import MessageVenue
from surgetank.live.systems.venue.target import VenueTarget
from surgetank.live.target import Capabilities
from surgetank.trace import Outcome

pytestmark = pytest.mark.live

_LACK = mounting_missing("mkfs.ext4", "losetup")
needs_mounts = pytest.mark.skipif(_LACK is not None, reason=_LACK or "")
PATIENT = LiveOptions(patience_s=90, lateness_p99_ms=500)


def test_sizes_are_those_of_the_messages_and_never_less_than_an_order() -> None:
    lengths = {size: len(order(7, 3, 5, size, 0)) for size in (16, 128, 2_000, 100_000)}
    assert lengths == {16: 50, 128: 128, 2_000: 2_000, 100_000: 4_096 + 3 + 49}
    assert cl_ord_id(7, 3) == 7 * 2**28 + 3
    assert len(batch_numbers(7, b"SGTJRNL\n")) == 0


def test_messages_of_all_sizes_are_executed_once_in_order() -> None:
    """Several sizes, so that frames, batches and their reading meet all of them."""
    schedule = Schedule.plain(np.arange(2_000) * 500_000, size_bytes=300, drain_s=10)
    schedule.size_bytes[::3], schedule.size_bytes[1::7] = 40, 4_000
    with Rig("venue:", PATIENT) as rig:
        played = rig.play(schedule)
        again = rig.play(schedule)
    for run in (played, again):
        assert (run.first_ns() >= 0).all()
        delivered = run.deliveries["number"]
        assert delivered.tolist() == list(range(2_000))


def test_a_scenario_without_a_market_loads_the_venue() -> None:
    scenario = plain("load", 200.0, 1.0)
    result = st.run(scenario, target="venue:", options=PATIENT)
    messages = result.trace["messages"]
    assert set(messages["outcome"].unique()) == {Outcome.EXECUTED}
    assert (messages["decided_ns"] <= messages["confirmed_ns"]).all()
    assert result.trace.live.acks == ("memory", "disk")


def test_what_a_killed_venue_had_acknowledged_at_disk_is_there() -> None:
    one = crash_once("venue:", "disk", "kill -9", 600, 2_000)
    assert one.durable and one.acknowledged > 0
    assert (one.missing, one.duplicates, one.note) == (0, 0, "")


@needs_mounts
def test_power_loss_tells_the_levels_apart(monkeypatch: pytest.MonkeyPatch) -> None:
    """The disk stops answering before the power fails: what is acknowledged then was not synced.

    The control: the level `memory` of the same venue, if it called that durable, has lied.
    """
    disk = _at_a_stalled_disk(monkeypatch, "disk")
    assert disk.acknowledged > 0 and disk.missing == 0 and not disk.broken
    claims = property(lambda _: Capabilities(acks=("memory",), ack="memory", durable=True))
    monkeypatch.setattr(VenueTarget, "capabilities", claims)
    memory = _at_a_stalled_disk(monkeypatch, "memory")
    assert memory.missing > 0 and memory.broken


def _at_a_stalled_disk(monkeypatch: pytest.MonkeyPatch, level: str) -> CrashOutcome:
    made: list[StalledDisk] = []

    class Noted(StalledDisk):
        def __init__(self, *args: object) -> None:
            super().__init__(*args)  # type: ignore[arg-type]
            made.append(self)

    def kill(server: MessageVenue, node: int = 0) -> None:
        if made and made[0].kept is None:
            made[0].stall()
            time.sleep(0.3)  # Messages keep coming.
            os.kill(server.pids[node], signal.SIGKILL)
            made[0].release()
        server.processes[node].kill()

    monkeypatch.setattr(crash_module, "PowerLossDisk", Noted)
    monkeypatch.setattr(MessageVenue, "kill", kill)
    return crash_once("venue:", level, "power loss", 1_500, 2_000)


def test_the_levels_are_the_venues() -> None:
    assert levels_of("venue:") == ("memory", "disk")
    with pytest.raises(SurgetankError, match="a running venue cannot be used yet"):
        VenueTarget(parse("venue://127.0.0.1:7400"))
    with pytest.raises(SurgetankError, match="has no option `fsync`"):
        VenueTarget(parse("venue:?fsync=no"))
