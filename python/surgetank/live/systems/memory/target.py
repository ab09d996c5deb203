"""The reference target: surgetank's own server with known service times (`server.py`)."""

from __future__ import annotations

import asyncio
import time
from collections.abc import AsyncIterator
from typing import ClassVar, cast

from surgetank.live.payload import Numbers, Scanner, hex_numbers
from surgetank.live.systems.checked import CheckedTarget
from surgetank.live.target import (
    Capabilities,
    Disconnected,
    Outgoing,
    Sink,
    TargetError,
)

__all__ = ["Memory"]


class Memory(CheckedTarget):
    """One queue, first in first out, in another process's memory."""

    options: ClassVar = ("service_us", "distribution", "capacity", "seed")
    acks: ClassVar = ("memory",)
    ack_usual: ClassVar = "memory"

    @property
    def capabilities(self) -> Capabilities:
        """Every message is answered when it is in the queue, or refused."""
        return Capabilities(acks=self.acks, ack=self._ack)

    async def open(self) -> None:
        """See `Target`."""
        self._publisher: _Publisher | None = None
        try:
            reader, writer = await asyncio.open_connection(self.where.host, self.where.port)
        except OSError as error:
            raise TargetError(
                f"no answer ({error.strerror or error})",
                place=self.where.url,
                hint="Start it, or leave the host out: surgetank starts one",
            ) from None
        writer.close()
        del reader

    def frame(self, message: Outgoing) -> bytes:
        """See `Batched`."""
        return len(message.payload).to_bytes(4) + message.payload

    def write(self, frames: memoryview, numbers: Numbers, sink: Sink) -> None:
        """See `Batched`."""
        if self._publisher is None:
            self._publisher = _Publisher(self.where.host, self.where.port, sink)
        self._publisher.write(bytes(frames), numbers)

    async def publish(self, message: Outgoing) -> None:
        """One message on a connection of its own (slow; the generator uses `write`)."""
        reader, writer = await asyncio.open_connection(self.where.host, self.where.port)
        writer.write(b"PUB\n" + self.frame(message))
        answer = await reader.read(9)
        writer.close()
        if answer[:1] != b"A":
            raise Disconnected

    async def receive(self, sink: Sink) -> None:
        """See `Batched`."""
        scanner = Scanner(sink.run)
        reader, writer = await asyncio.open_connection(self.where.host, self.where.port)
        writer.write(b"SUB\n")
        try:
            await reader.readexactly(4)  # an empty payload: subscribed
            sink.subscribed()
            while piece := await reader.read(1 << 18):
                at = time.monotonic_ns()
                numbers = scanner.feed(piece)
                if len(numbers):
                    sink.delivered(numbers, at)
        finally:
            writer.close()

    async def subscribe(self) -> AsyncIterator[bytes]:
        """See `Target`."""
        reader, writer = await asyncio.open_connection(self.where.host, self.where.port)
        writer.write(b"SUB\n")
        try:
            while True:
                payload = await reader.readexactly(int.from_bytes(await reader.readexactly(4)))
                if payload:
                    yield payload
        finally:
            writer.close()

    async def close(self) -> None:
        """See `Target`."""
        if self._publisher is not None:
            self._publisher.close()


class _Publisher(asyncio.Protocol):
    """A connection that reads answers: `A` or `R` and the number's eight digits."""

    def __init__(self, host: str, port: int, sink: Sink) -> None:
        self._sink, self._rest = sink, b""
        self._transport: asyncio.Transport | None = None
        self._early: list[bytes] = [b"PUB\n"]
        self._numbers: list[Numbers] = []
        self._lost = False
        loop = asyncio.get_running_loop()
        self._opening = loop.create_task(loop.create_connection(lambda: self, host, port))

    def connection_made(self, transport: asyncio.BaseTransport) -> None:
        # Not isinstance: uvloop's transports are of no class of asyncio's.
        self._transport = cast(asyncio.Transport, transport)
        self._transport.write(b"".join(self._early))

    def write(self, frames: bytes, numbers: Numbers) -> None:
        if self._lost:
            self._sink.disconnected(numbers, time.monotonic_ns())
            return
        self._numbers.append(numbers)
        if self._transport is None:
            self._early.append(frames)
        else:
            self._transport.write(frames)

    def data_received(self, data: bytes) -> None:
        at = time.monotonic_ns()
        data = self._rest + data
        whole = len(data) - len(data) % 9
        self._rest = data[whole:]
        answers = [data[i : i + 9] for i in range(0, whole, 9)]
        yes = hex_numbers(b"".join(a[1:] for a in answers if a[:1] == b"A"))
        no = hex_numbers(b"".join(a[1:] for a in answers if a[:1] == b"R"))
        if len(yes):
            self._sink.acknowledged(yes, at)
        if len(no):
            self._sink.refused(no, at, "queue full")

    def connection_lost(self, exc: Exception | None) -> None:
        self._lost = True
        for numbers in self._numbers:
            self._sink.disconnected(numbers, time.monotonic_ns())
        self._numbers = []

    def close(self) -> None:
        self._opening.cancel()
        if self._transport is not None:
            self._transport.abort()
