"""What every broker's target is asked to do, whatever the broker: used by `test_live_*.py`."""

from __future__ import annotations

import asyncio
import time
from collections.abc import AsyncIterator, Callable, Coroutine, Iterator, Sequence
from contextlib import asynccontextmanager, contextmanager
from dataclasses import dataclass, field, replace
from pathlib import Path
from typing import Any

import numpy as np
import pytest

import surgetank as st
from surgetank.live import LiveOptions, Rig
from surgetank.live.payload import Numbers, decode, encode
from surgetank.live.registry import parse, server_class, target_class
from surgetank.live.server import Server
from surgetank.live.target import (
    Batched,
    Disconnected,
    Outgoing,
    Refused,
    Target,
    TargetError,
    Where,
)
from surgetank.measure import measure
from surgetank.trace import Outcome

RUN = 0x5EED
SIZE_BYTES = 100


@dataclass
class RecordingSink:
    """A sink that records what it receives."""

    run: int = RUN
    acked: list[int] = field(default_factory=list)
    refusals: list[tuple[int, str]] = field(default_factory=list)
    unanswered: list[int] = field(default_factory=list)
    arrivals: list[int] = field(default_factory=list)
    listening: asyncio.Event = field(default_factory=asyncio.Event)

    def acknowledged(self, numbers: Numbers | Sequence[int], at_ns: int) -> None:
        self.acked += [int(n) for n in numbers]

    def refused(self, numbers: Numbers | Sequence[int], at_ns: int, reason: str) -> None:
        self.refusals += [(int(n), reason) for n in numbers]

    def disconnected(self, numbers: Numbers | Sequence[int], at_ns: int) -> None:
        self.unanswered += [int(n) for n in numbers]

    def subscribed(self) -> None:
        self.listening.set()

    def delivered(
        self,
        numbers: Numbers | Sequence[int],
        at_ns: int,
        *,
        node: int = 0,
        decided_ns: int | Numbers | None = None,
        height: int | None = None,
    ) -> None:
        self.arrivals += [int(n) for n in numbers]

    @property
    def answered(self) -> int:
        return len(self.acked) + len(self.refusals) + len(self.unanswered)


@contextmanager
def started(url: str, folder: Path) -> Iterator[Server]:
    """The URL's own server; skips the test, naming what installs it, if it is not here."""
    where = parse(url)
    kind = server_class(where)
    assert kind is not None
    command = kind.missing()
    if command is not None:
        pytest.skip(f"no {kind.name} here: {command}")
    server = kind(folder, where)
    try:
        server.where = server.start()
    except TargetError as error:
        if "could not fetch" in error.message:
            pytest.skip(str(error))
        raise
    try:
        yield server
    finally:
        server.stop()
        assert server.pids == [0]


def message(number: int) -> Outgoing:
    return Outgoing(number, "order", 0, encode(RUN, number, SIZE_BYTES))


def named(server: Server, name: str, **options: str) -> Where:
    return replace(server.where, name=name, options={**dict(server.where.options), **options})


@asynccontextmanager
async def opened(where: Where, *, prepare: bool = False) -> AsyncIterator[Target]:
    """A target object; `prepare` also makes and removes the run's queue."""
    target = target_class(where)(where)
    await target.open()
    try:
        if prepare:
            await target.prepare()
        try:
            yield target
        finally:
            if prepare:
                await target.dispose()
    finally:
        await target.close()


async def until(check: Callable[[], bool], seconds: float = 20.0) -> bool:
    end = time.monotonic() + seconds
    while not check() and time.monotonic() < end:
        await asyncio.sleep(0.01)
    return check()


def send(target: Target, numbers: Sequence[int], sink: RecordingSink) -> list[asyncio.Task[None]]:
    """Sends these at once."""
    messages = [message(n) for n in numbers]
    if isinstance(target, Batched):
        frames = memoryview(b"".join(map(target.frame, messages)))
        target.write(frames, np.array(numbers, dtype=np.int64), sink)
        return []
    return [asyncio.create_task(_publish(target, m, sink)) for m in messages]


async def _publish(target: Target, one: Outgoing, sink: RecordingSink) -> None:
    try:
        await target.publish(one)
    except Refused as answer:
        sink.refused([one.number], time.monotonic_ns(), answer.reason)
    except Disconnected:
        sink.disconnected([one.number], time.monotonic_ns())
    else:
        sink.acknowledged([one.number], time.monotonic_ns())


async def flow(
    target: Target, count: int, sink: RecordingSink, *, first: int = 0, per_s: float = 500.0
) -> None:
    """Messages at a low rate, five at a time, and then their answers."""
    waiting: list[asyncio.Task[None]] = []
    before = sink.answered
    for i in range(first, first + count, 5):
        waiting += send(target, range(i, min(i + 5, first + count)), sink)
        await asyncio.sleep(5 / per_s)
    if target.capabilities.ack != "none":
        assert await until(lambda: sink.answered >= before + count)
    await asyncio.gather(*waiting)


@asynccontextmanager
async def listening(target: Target, sink: RecordingSink) -> AsyncIterator[None]:
    """Receives meanwhile, everything from here on."""
    task = asyncio.create_task(_listen(target, sink))
    try:
        if isinstance(target, Batched):
            await asyncio.wait_for(sink.listening.wait(), 20)
        yield
        if task.done():
            task.result()
    finally:
        task.cancel()
        await asyncio.wait([task], timeout=5)


async def _listen(target: Target, sink: RecordingSink) -> None:
    if isinstance(target, Batched):
        await target.receive(sink)
        return
    async for payload in target.subscribe():
        number = decode(RUN, payload)
        if number is not None:
            sink.delivered([number], time.monotonic_ns())


async def kept(target: Target) -> list[int]:
    """Numbers that are still stored."""
    numbers = [decode(RUN, payload) async for payload in target.stored()]
    return [n for n in numbers if n is not None]


def do(work: Coroutine[Any, Any, None], seconds: float = 60.0) -> None:
    """Runs a test's coroutine, bounded."""
    asyncio.run(asyncio.wait_for(work, seconds))


async def end_to_end(where: Where, count: int = 300) -> None:
    """All are acknowledged and all arrive once and in order, those before the subscriber too."""
    sent, received = RecordingSink(), RecordingSink()
    async with opened(where, prepare=True) as publisher, opened(where) as subscriber:
        await flow(publisher, count // 3, sent)
        async with listening(subscriber, received):
            await flow(publisher, count - count // 3, sent, first=count // 3)
            assert await until(lambda: len(received.arrivals) >= count), len(received.arrivals)
            await asyncio.sleep(0.05)
    acknowledged = [] if publisher.capabilities.ack == "none" else list(range(count))
    assert sorted(sent.acked) == acknowledged
    assert not sent.refusals and not sent.unanswered
    assert received.arrivals == list(range(count))


async def killed_in_mid_flow(server: Server, where: Where) -> tuple[list[int], list[int]]:
    """Numbers acknowledged before a kill -9 in mid-flow, and numbers stored after the restart.

    No one reads meanwhile, so that nothing is taken away.
    """
    sent = RecordingSink()
    async with opened(where, prepare=True) as publisher:
        before = server.pids
        killed = asyncio.Event()
        sending = asyncio.create_task(_past(publisher, killed, sent))
        assert await until(lambda: len(sent.acked) >= 200)
        await asyncio.to_thread(server.kill)
        assert server.pids == [0]
        killed.set()
        count = await sending
        assert sent.unanswered, "nothing was in flight or sent after the kill"
        assert len(sent.acked) + len(sent.unanswered) + len(sent.refusals) == count
        acknowledged = sorted(sent.acked)
        await asyncio.to_thread(server.restart)
        assert server.pids != before
        stored = await kept(publisher)
        # The same objects go on where they were.
        assert await until_accepted(publisher, count)
    return acknowledged, stored


def kill_keeps_what_was_acknowledged(server: Server, seconds: float = 60.0) -> None:
    """After a kill in mid-flow every acknowledged message is stored, and each once."""

    async def run() -> None:
        acknowledged, stored = await killed_in_mid_flow(server, named(server, "killed"))
        assert set(acknowledged) <= set(stored)
        assert len(stored) == len(set(stored))

    do(run(), seconds)


async def _past(target: Target, killed: asyncio.Event, sink: RecordingSink) -> int:
    """Messages at a low rate, however long the kill takes, and two hundred more; how many."""
    waiting: list[asyncio.Task[None]] = []
    count, more = 0, 200
    while more > 0 and count < 20_000:
        waiting += send(target, range(count, count + 5), sink)
        await asyncio.sleep(5 / 2000)
        count, more = count + 5, more - 5 if killed.is_set() else more
    assert await until(lambda: sink.answered >= count)
    await asyncio.gather(*waiting)
    return count


async def until_accepted(target: Target, first: int, tries: int = 400) -> bool:
    """Sends one after the other until one is acknowledged: the target has connected again."""
    for number in range(first, first + tries):
        sink = RecordingSink()
        await flow(target, 1, sink, first=number)
        if sink.acked:
            return True
        await asyncio.sleep(0.05)
    return False


def played(server: Server, **options: str) -> None:
    """A scenario by the rig's own processes, two publishing: all arrives once."""
    query = "&".join(f"{key}={value}" for key, value in options.items())
    url = f"{server.where.scheme}://127.0.0.1:{server.where.port}?{query}"
    scenario = st.load("calm").with_values(
        {"duration_s": 2.0, "warmup_s": 0.5, "drain_s": 5.0, "faults": []}
    )
    with Rig(url, LiveOptions(workers=2)) as rig:
        trace = rig.run(scenario, seed=7)
    rows = trace["messages"]
    assert len(rows) > 50
    assert (rows["outcome"] == Outcome.EXECUTED).all()
    assert rows["confirmed_ns"].null_count() == 0
    assert len(trace["deliveries"]) == len(rows)
    values = measure(trace)
    for name in ("duplicates_share", "acknowledged_lost_count"):
        assert values[name].value == 0


class KeptTransport:
    """A transport that keeps what is written."""

    def __init__(self) -> None:
        self.written: list[bytes] = []

    def write(self, data: bytes) -> None:
        self.written.append(bytes(data))

    def is_closing(self) -> bool:
        return False

    def get_write_buffer_size(self) -> int:
        return 0
