"""The open loop: every message is sent when it is due, whatever the outcome of earlier ones.

A wake-up sends all messages that are due by then. Delays are counted from the due time, so a late
wake-up makes the delays longer, not the load lower; how late it was is in `sent_ns` − `due_ns`.
"""

from __future__ import annotations

import asyncio
import time
from collections.abc import Sequence
from itertools import accumulate
from typing import Final

import numpy as np

from surgetank.live.driver.messages import Cost, Job
from surgetank.live.driver.recording import Recording, Sent
from surgetank.live.event_loop import Timer
from surgetank.live.payload import Numbers, encode
from surgetank.live.target import Batched, Disconnected, Outgoing, Refused, Target

__all__ = ["Generator", "messages"]

#: Least time between two wake-ups: one costs as much as sending some ten messages.
QUANTUM_NS: Final = 200_000


def messages(recording: Recording, numbers: Numbers, job: Job) -> list[Outgoing]:
    """The messages of these numbers, made before the run."""
    classes, accounts = recording.class_number[numbers], recording.account[numbers]
    sizes = recording.size_bytes[numbers]
    traceparents = job.traceparents
    return [
        Outgoing(
            number,
            job.classes[c],
            account,
            encode(job.run, number, size, traceparents.get(number)),
            traceparents.get(number),
        )
        for number, c, account, size in zip(
            numbers.tolist(), classes.tolist(), accounts.tolist(), sizes.tolist(), strict=True
        )
    ]


class Generator:
    """Sends one worker's share of a schedule."""

    def __init__(
        self,
        target: Target,
        sink: Sent,
        recording: Recording,
        numbers: Numbers,
        job: Job,
    ) -> None:
        """`numbers` are the messages of its share."""
        self.cost = Cost()
        self._target, self._sink, self._numbers = target, sink, numbers
        self._due = np.ascontiguousarray(recording.due_ns[numbers])
        self._inflight_max = job.inflight_max
        self._tasks: set[asyncio.Task[None]] = set()
        outgoing = messages(recording, numbers, job)
        self._messages: Sequence[Outgoing] = ()
        if isinstance(target, Batched):
            frames = [target.frame(message) for message in outgoing]
            self._ends = [0, *accumulate(map(len, frames))]
            self._frames = memoryview(b"".join(frames))
        else:
            self._messages = outgoing

    async def play(self, start_ns: int, stop: asyncio.Event) -> None:
        """Sends each message when it is due; returns after the last one, or on `stop`."""
        due, n, i = self._due, len(self._due), 0
        began, cpu = time.monotonic(), time.process_time()
        with Timer() as timer:
            await timer.until(start_ns)
            began, cpu = time.monotonic(), time.process_time()
            while i < n and not stop.is_set():
                now = time.monotonic_ns()
                j = int(due.searchsorted(now - start_ns, side="right"))
                if j > i:
                    self._send(i, j, now)
                    i = j
                if i < n:
                    await timer.until(max(start_ns + int(due[i]), now + QUANTUM_NS))
        self.cost = Cost(time.monotonic() - began, time.process_time() - cpu)

    def _send(self, i: int, j: int, now_ns: int) -> None:
        room = max(0, self._inflight_max - self._sink.open)
        k = min(j, i + room)
        if k < j:
            self._sink.not_sent(self._numbers[k:j])
        if k == i:
            return
        numbers = self._numbers[i:k]
        self._sink.sent(numbers, now_ns)
        if isinstance(self._target, Batched):
            part = self._frames[self._ends[i] : self._ends[k]]
            self._target.write(part, numbers, self._sink)
            if self._target.capabilities.ack == "none":
                self._sink.open = 0
            return
        for message in self._messages[i:k]:
            task = asyncio.create_task(self._publish(message))
            self._tasks.add(task)
            task.add_done_callback(self._tasks.discard)

    async def _publish(self, message: Outgoing) -> None:
        number = (message.number,)
        try:
            await self._target.publish(message)
        except Refused as answer:
            self._sink.refused(number, time.monotonic_ns(), answer.reason or "no reason given")
        except (Disconnected, OSError):
            self._sink.disconnected(number, time.monotonic_ns())
        except Exception as error:  # an error in the target's own code must be reported
            self._sink.disconnected(number, time.monotonic_ns())
            self._sink.error = self._sink.error or f"publish: {type(error).__name__}: {error}"
        else:
            self._sink.acknowledged(number, time.monotonic_ns())

    async def answered(self, until_ns: int, stop: asyncio.Event) -> None:
        """Waits for answers until `until_ns`, or until `stop`."""
        while time.monotonic_ns() < until_ns and self._sink.open > 0 and not stop.is_set():
            await asyncio.sleep(0.02)

    async def end(self) -> None:
        """Gives up messages that have no answer by now."""
        self._sink.ended = True
        for task in list(self._tasks):
            task.cancel()
        if self._tasks:
            await asyncio.wait(list(self._tasks), timeout=2)
