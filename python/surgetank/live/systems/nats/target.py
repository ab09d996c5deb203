"""NATS core: at most once, no acknowledgement by the server.

Options: `ack=none` (the message is written) or `ack=pong`: a PING follows each slice, and its PONG
says that the server has read and routed the slice. This does not guarantee that any subscriber
received it. `user`, `password`, `token` for a server that asks for them.

An error of the server that belongs to no one message (a slow consumer, a permission) is reported to
the sink as a refusal without message numbers, with the server's text.
"""

from __future__ import annotations

import asyncio
import contextlib
import time
from collections import deque
from collections.abc import AsyncIterator, Callable
from typing import ClassVar, Final

import numpy as np

from surgetank.live.payload import Finder, Numbers
from surgetank.live.systems.checked import CheckedTarget
from surgetank.live.systems.nats.connection import Connection
from surgetank.live.systems.nats.protocol import messages, pongs, pub
from surgetank.live.target import (
    Capabilities,
    Disconnected,
    Outgoing,
    Refused,
    Sink,
    TargetError,
    Where,
)

__all__ = ["Nats"]

_NONE: Final[Numbers] = np.zeros(0, dtype=np.int64)


class Nats(CheckedTarget):
    """Publishes to and subscribes the subject `where.name`."""

    acks: ClassVar[tuple[str, ...]] = ("none", "pong")
    ack_usual: ClassVar[str] = "none"
    options: ClassVar[tuple[str, ...]] = ("ack", "sync", "user", "password", "token")

    def __init__(self, where: Where) -> None:
        super().__init__(where)
        if not where.name or any(c in where.name for c in " \t\r\n*>") or ".." in where.name:
            raise TargetError(f"{where.name!r} is not a subject", place=f"{where.scheme}:")
        self._link = Connection(where, self._blocks, self._lost, self._complaint)
        self._sink: Sink | None = None
        self._unanswered: deque[Numbers | asyncio.Future[None]] = deque()
        self._take: Callable[[bytes, int], None] | None = None

    @property
    def capabilities(self) -> Capabilities:
        """Ordered, at most once."""
        return Capabilities(acks=self.acks, ack=self._ack, ordered=True)

    async def open(self) -> None:
        """Connects to the server."""
        await self._link.open()

    async def close(self) -> None:
        """Sends the waiting frames, for at most two seconds, and disconnects."""
        await self._link.close()

    @property
    def waiting_bytes(self) -> int:
        """Bytes that wait for the socket."""
        return self._link.pending_bytes

    # ---- publishing

    def frame(self, message: Outgoing) -> bytes:
        """PUB, or HPUB with `traceparent` where the message is sampled."""
        headers = {"traceparent": message.traceparent} if message.traceparent else None
        return pub(self.where.name, message.payload, headers=headers)

    def write(self, frames: memoryview, numbers: Numbers, sink: Sink) -> None:
        """Sends all frames in one call; messages that find no connection or no room are reported at
        once."""
        self._sink = sink
        why = self._link.send(frames, numbers)
        if why is None:
            if self._ack == "pong":
                self._unanswered.append(numbers)
                self._link.send(b"PING\r\n", control=True)
        elif self._link.up:
            sink.refused(numbers, time.monotonic_ns(), why)
        else:
            sink.disconnected(numbers, time.monotonic_ns())

    async def publish(self, message: Outgoing) -> None:
        """One message; with `ack=pong` returns when the server has read it."""
        why = self._link.send(self.frame(message))
        if why is not None:
            raise Refused(why) if self._link.up else Disconnected(why)
        if self._ack == "pong":
            await self._pong()

    async def _check_subscribed(self) -> None:
        """Returns when the server has read the kept lines, also after reconnections."""
        while True:
            with contextlib.suppress(Disconnected):
                await self._pong()
                return
            await asyncio.sleep(0.05)

    async def _pong(self) -> None:
        """Returns when the server has read everything that was sent before."""
        answer: asyncio.Future[None] = asyncio.get_running_loop().create_future()
        if (why := self._link.send(b"PING\r\n", control=True)) is not None:
            raise Disconnected(why)
        self._unanswered.append(answer)
        await answer

    def _blocks(self, blocks: bytes, at_ns: int) -> None:
        if self._take is not None:
            self._take(blocks, at_ns)
        if self._unanswered:
            self._ponged(min(pongs(blocks), len(self._unanswered)), at_ns)

    def _ponged(self, count: int, at_ns: int) -> None:
        for _ in range(count):
            answered = self._unanswered.popleft()
            if isinstance(answered, asyncio.Future):
                if not answered.done():
                    answered.set_result(None)
            elif self._sink is not None:
                self._sink.acknowledged(answered, at_ns)

    def _lost(self, unsent: list[Numbers], reason: str) -> None:
        at_ns = time.monotonic_ns()
        waiting = [n for n in self._unanswered if not isinstance(n, asyncio.Future)]
        for answer in self._unanswered:
            if isinstance(answer, asyncio.Future) and not answer.done():
                answer.set_exception(Disconnected(reason))
        self._unanswered.clear()
        if self._sink is not None:
            # With `pong`, unsent messages are also unanswered.
            numbers = waiting if self._ack == "pong" else unsent
            self._sink.disconnected(np.concatenate(numbers) if numbers else _NONE, at_ns)

    def _complaint(self, text: str) -> None:
        if self._sink is not None:
            self._sink.refused(_NONE, time.monotonic_ns(), f"NATS says: {text}")

    # ---- receiving

    async def receive(self, sink: Sink) -> None:
        """Reports deliveries to the sink, with one time stamp for each piece received."""
        self._sink = sink

        ours = Finder(sink.run)

        def take(blocks: bytes, at_ns: int) -> None:
            numbers = ours.numbers(blocks)
            if len(numbers):
                sink.delivered(numbers, at_ns)

        self._take = take
        self._link.keep(b"SUB %b 1\r\n" % self.where.name.encode())
        await self._check_subscribed()
        sink.subscribed()
        await asyncio.Event().wait()

    async def subscribe(self) -> AsyncIterator[bytes]:
        """Payloads, one by one."""
        got: asyncio.Queue[bytes] = asyncio.Queue()

        def take(blocks: bytes, at_ns: int) -> None:
            for message in messages(blocks):
                if message.subject == self.where.name:
                    got.put_nowait(message.payload)

        self._take = take
        self._link.keep(b"SUB %b 1\r\n" % self.where.name.encode())
        while True:
            yield await got.get()
