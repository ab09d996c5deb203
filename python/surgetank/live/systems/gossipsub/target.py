"""A gossipsub mesh: messages to every node, receipts from every node.

`delivered` is a node's first receipt of another node's message, at the node's own time stamp (same
clock). The publishing node's own copy is not reported, since it would make every message delivered
at once.
"""

from __future__ import annotations

import asyncio
import contextlib
import json
import time
from collections.abc import AsyncIterator
from typing import Any, ClassVar, Final, cast

import numpy as np

from surgetank.live.payload import Numbers, decode, hex_numbers
from surgetank.live.systems.addressing import addressed, dealt
from surgetank.live.systems.checked import CheckedTarget
from surgetank.live.systems.gossipsub.server import LIMITS
from surgetank.live.target import (
    Capabilities,
    Disconnected,
    Outgoing,
    Refused,
    Sink,
    TargetError,
    Where,
)
from surgetank.live.url_options import whole_number

__all__ = ["Gossipsub", "Receipts"]

_RETRY_S: Final = 0.25
_ANSWER_S: Final = 5.0
_MESH_S: Final = 30.0
_HEARTBEATS: Final = 10
_ANSWER_BYTES: Final = 9
_HEAD_BYTES: Final = 12
_WAITING_MAX_BYTES: Final = 8_000_000

Address = tuple[str, int]


class Gossipsub(CheckedTarget):
    """`gossipsub:?nodes=8`. A message is published by node `account` modulo the number of nodes."""

    options: ClassVar[tuple[str, ...]] = (
        *("nodes", "graph", "links", "seed", "d", "d_low", "d_high", "heartbeat_ms"),
    )
    acks: ClassVar[tuple[str, ...]] = ("node",)
    ack_usual: ClassVar[str] = "node"

    def __init__(self, where: Where) -> None:
        super().__init__(where)
        self._nodes: list[Address] = list(where.addresses)
        self._d_low = whole_number(where, "d_low", *LIMITS["d_low"])
        heartbeat_ms = whole_number(where, "heartbeat_ms", *LIMITS["heartbeat_ms"])
        self._patience_s = _HEARTBEATS * heartbeat_ms / 1e3
        self._publishers: dict[int, _Publisher] = {}

    @property
    def capabilities(self) -> Capabilities:
        """`node`: the publishing node has signed it and handed it to its router. This does not
        guarantee that another node ever receives it."""
        others = len(self._nodes) - 1
        return Capabilities(self.acks, self._ack, ordered=False, copies=others, gossips=True)

    async def open(self) -> None:
        """Checks that the nodes answer.

        Raises:
            TargetError: one is not.
        """
        for address in self._nodes:
            await self._ask(address, "STAT -")

    async def prepare(self) -> None:
        """Makes all nodes join the run's topic, and waits until each has `d_low` mesh peers or,
        after ten heartbeats, at least one.

        Raises:
            TargetError: the mesh does not form.
        """
        for address in self._nodes:
            await self._ask(address, f"JOIN {self.where.name}")
        began = time.monotonic()
        while True:
            states = [await self._ask(each, f"STAT {self.where.name}") for each in self._nodes]
            waited = time.monotonic() - began
            # Full nodes may prune a graft, and then no node tries again for a minute.
            least = self._d_low if waited < self._patience_s else 1
            if all(state["mesh"] >= max(1, min(least, state["peers"])) for state in states):
                return
            if waited > _MESH_S:
                meshes = [state["mesh"] for state in states]
                raise TargetError(f"no mesh within {_MESH_S:g} s: {meshes}", place="gossipsub")
            await asyncio.sleep(0.1)

    async def dispose(self) -> None:
        """Makes all nodes leave the topic."""
        for address in self._nodes:
            with contextlib.suppress(TargetError):
                await self._ask(address, f"LEAVE {self.where.name}")

    def frame(self, message: Outgoing) -> bytes:
        """See `Batched`."""
        payload = message.payload
        node = message.account % len(self._nodes)
        return addressed(node, len(payload).to_bytes(4) + payload)

    def write(self, frames: memoryview, numbers: Numbers, sink: Sink) -> None:
        """See `Batched`. What is for a node that is down is reported as disconnected."""
        for node, (part, whose) in dealt(frames, numbers).items():
            publisher = self._publishers.get(node)
            if publisher is None or publisher.lost:
                hello = f"PUB {self.where.name}\n".encode()
                publisher = _Publisher(self._nodes[node], hello, sink)
                self._publishers[node] = publisher
            publisher.write(part, whose)

    async def publish(self, message: Outgoing) -> None:
        """See `Target`. One message on a connection of its own; the generator uses `write`."""
        host, port = self._nodes[message.account % len(self._nodes)]
        reader, writer = await asyncio.open_connection(host, port)
        try:
            hello = f"PUB {self.where.name}\n".encode()
            writer.write(hello + len(message.payload).to_bytes(4) + message.payload)
            answer = await reader.read(_ANSWER_BYTES)
        finally:
            writer.close()
        if not answer:
            raise Disconnected
        if answer[:1] != b"A":
            raise Refused("the node's router raised")

    async def receive(self, sink: Sink) -> None:
        """Reports all nodes' receipts to the sink until cancelled."""
        listening: set[int] = set()
        async with asyncio.TaskGroup() as tasks:
            for node in range(len(self._nodes)):
                tasks.create_task(self._follow(node, sink, listening))

    async def subscribe(self) -> AsyncIterator[bytes]:
        """The receipts of the first node."""
        receipts = Receipts()
        async for piece in self._pieces(0):
            for _, payload in receipts.feed(piece):
                if payload:
                    yield payload

    async def close(self) -> None:
        """See `Target`."""
        for publisher in self._publishers.values():
            publisher.close()

    async def _follow(self, node: int, sink: Sink, listening: set[int]) -> None:
        """Reports the receipts of one node; `listening` has the nodes whose subscription has
        begun."""
        while True:
            receipts = Receipts()
            with contextlib.suppress(OSError, TargetError):
                # A node that was killed has lost its topics.
                await self._ask(self._nodes[node], f"JOIN {self.where.name}")
                async for piece in self._pieces(node):
                    for at_ns, payload in receipts.feed(piece):
                        if not payload:
                            listening.add(node)
                            if len(listening) == len(self._nodes):
                                sink.subscribed()
                        number = decode(sink.run, payload)
                        if number is not None:
                            sink.delivered((number,), at_ns, node=node)
            await asyncio.sleep(_RETRY_S)

    async def _pieces(self, node: int) -> AsyncIterator[bytes]:
        reader, writer = await asyncio.open_connection(*self._nodes[node])
        try:
            writer.write(f"SUB {self.where.name}\n".encode())
            while piece := await reader.read(1 << 16):
                yield piece
        finally:
            writer.close()

    async def _ask(self, address: Address, line: str) -> dict[str, Any]:
        try:
            async with asyncio.timeout(_ANSWER_S):
                reader, writer = await asyncio.open_connection(*address)
                try:
                    writer.write(line.encode() + b"\n")
                    found: dict[str, Any] = json.loads(await reader.readline())
                finally:
                    writer.close()
        except (OSError, ValueError) as error:
            raise TargetError(
                f"no node answers ({error or 'in time'})",
                place="gossipsub://{}:{}".format(*address),
                hint="Leave the host out: surgetank starts the nodes",
            ) from None
        return found


class Receipts:
    """A node's receipts from a stream cut anywhere."""

    def __init__(self) -> None:
        self._data = b""

    def feed(self, piece: bytes) -> list[tuple[int, bytes]]:
        """(time in ns, payload) of the receipts that end in this piece."""
        data, i, found = self._data + piece, 0, []
        while len(data) - i >= _HEAD_BYTES:
            end = i + _HEAD_BYTES + int.from_bytes(data[i : i + 4])
            if len(data) < end:
                break
            at_ns = int.from_bytes(data[i + 4 : i + _HEAD_BYTES])
            found.append((at_ns, data[i + _HEAD_BYTES : end]))
            i = end
        self._data = data[i:]
        return found


class _Publisher(asyncio.Protocol):
    """A connection that sends payloads and receives answers."""

    def __init__(self, address: Address, hello: bytes, sink: Sink) -> None:
        self.lost = False
        self._sink, self._rest = sink, b""
        self._transport: asyncio.Transport | None = None
        self._early = [hello]
        self._open: dict[int, None] = {}
        self._opening = asyncio.create_task(self._connect(address))

    async def _connect(self, address: Address) -> None:
        loop = asyncio.get_running_loop()
        try:
            async with asyncio.timeout(_ANSWER_S):
                await loop.create_connection(lambda: self, *address)
        except OSError:
            self.connection_lost(None)

    def write(self, frames: bytes, numbers: Numbers) -> None:
        transport = self._transport
        if transport is not None and transport.get_write_buffer_size() > _WAITING_MAX_BYTES:
            reason = "the node does not read its connection"
            self._sink.refused(numbers, time.monotonic_ns(), reason)
            return
        self._open.update(dict.fromkeys(numbers.tolist()))
        if transport is None:
            self._early.append(frames)
        else:
            transport.write(frames)

    def connection_made(self, transport: asyncio.BaseTransport) -> None:
        # uvloop's transports are none of asyncio's classes.
        self._transport = cast(asyncio.Transport, transport)
        self._transport.write(b"".join(self._early))
        self._early = []

    def data_received(self, data: bytes) -> None:
        at = time.monotonic_ns()
        data = self._rest + data
        whole = len(data) - len(data) % _ANSWER_BYTES
        self._rest = data[whole:]
        answers = [data[i : i + _ANSWER_BYTES] for i in range(0, whole, _ANSWER_BYTES)]
        yes = _numbers([each for each in answers if each[:1] == b"A"])
        no = _numbers([each for each in answers if each[:1] == b"R"])
        for number in (*yes.tolist(), *no.tolist()):
            self._open.pop(number, None)
        if len(yes):
            self._sink.acknowledged(yes, at)
        if len(no):
            self._sink.refused(no, at, "the node's router raised")

    def connection_lost(self, exc: Exception | None) -> None:
        self.lost, self._transport = True, None
        if self._open:
            self._sink.disconnected(np.fromiter(self._open, np.int64), time.monotonic_ns())
            self._open = {}

    def close(self) -> None:
        self._opening.cancel()
        if self._transport is not None:
            self._transport.abort()


def _numbers(answers: list[bytes]) -> Numbers:
    return hex_numbers(b"".join(each[1:] for each in answers))
