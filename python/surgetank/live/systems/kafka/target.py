"""Kafka: one topic of one partition, with Produce and Fetch implemented here.

aiokafka makes and removes the topic and packs the batches. Its producer is not used: it retries a
failed batch by itself, which would appear as duplicates and losses of the broker.
"""

from __future__ import annotations

import asyncio
import contextlib
import time
from collections.abc import AsyncIterator
from typing import ClassVar, Final

from aiokafka.admin import AIOKafkaAdminClient, NewTopic
from aiokafka.errors import KafkaError, for_code

from surgetank.live.payload import Numbers
from surgetank.live.systems.checked import CheckedTarget
from surgetank.live.systems.kafka.protocol import BATCH_BYTES_MAX, Fetching, Producing, framed
from surgetank.live.target import Capabilities, Outgoing, Sink, Where
from surgetank.live.url_options import whole_number

__all__ = ["ACKS", "Kafka"]

#: Level → the field `acks` of a Produce request.
ACKS: Final = {"none": 0, "leader": 1, "all": -1, "fsync": -1}
_AGAIN_S: Final = 0.1
_CONNECT_S: Final = 10.0
_READY_S: Final = 30.0
_EXISTS: Final = 36
#: Answers of a broker that is still coming up: its partition has no leader yet.
_PASSING: Final = (3, 5, 6, 9)


class Kafka(CheckedTarget):
    """One topic with one partition."""

    options: ClassVar[tuple[str, ...]] = ("ack", "max_message_bytes")
    acks: ClassVar[tuple[str, ...]] = tuple(ACKS)
    ack_usual: ClassVar[str] = "all"
    by_hand: ClassVar[str] = "kafka-topics.sh --delete --topic {name}"

    def __init__(self, where: Where) -> None:
        super().__init__(where)
        self._largest = whole_number(where, "max_message_bytes", BATCH_BYTES_MAX, 100, 1 << 20)
        self._producing: Producing | None = None
        self._closing = False
        self._again: asyncio.Task[None] | None = None

    @property
    def capabilities(self) -> Capabilities:
        """Ordered; no message is sent twice."""
        return Capabilities(acks=self.acks, ack=self._ack, durable=self._ack != "none")

    async def open(self) -> None:
        """Connects to the broker."""
        self._closing = False
        try:
            await self._connect()
        except (OSError, TimeoutError) as error:
            raise self._unusable(error) from None

    async def _connect(self) -> None:
        made = Producing(self.where.name, ACKS[self._ack], min(BATCH_BYTES_MAX, self._largest))
        made.on_end = self._ended
        loop = asyncio.get_running_loop()
        opening = loop.create_connection(lambda: made, self.where.host, self.where.port)
        await asyncio.wait_for(opening, _CONNECT_S)
        self._producing = made

    def _ended(self) -> None:
        self._producing = None
        if not self._closing and (self._again is None or self._again.done()):
            self._again = asyncio.get_running_loop().create_task(self._connect_again())

    async def _connect_again(self) -> None:
        while not self._closing and self._producing is None:
            await asyncio.sleep(_AGAIN_S)
            with contextlib.suppress(OSError, TimeoutError):
                await self._connect()

    @contextlib.asynccontextmanager
    async def _admin(self) -> AsyncIterator[AIOKafkaAdminClient]:
        admin = AIOKafkaAdminClient(
            bootstrap_servers=f"{self.where.host}:{self.where.port}", request_timeout_ms=10_000
        )
        await admin.start()
        try:
            yield admin
        finally:
            await admin.close()

    async def _make(self) -> bool:
        settings = {"max.message.bytes": str(self._largest)}
        if self._ack == "fsync":
            settings["flush.messages"] = "1"
        topic = NewTopic(self.where.name, 1, 1, topic_configs=settings)
        try:
            async with self._admin() as admin:
                answer = await admin.create_topics([topic])
        except (KafkaError, OSError, TimeoutError) as error:
            raise self._unusable(error) from None
        for _, code, *details in answer.topic_errors:
            if code == _EXISTS:
                return False
            if code:
                raise self._unusable(for_code(code)(*details))
        return True

    async def _settle(self) -> None:
        await self._led()

    async def _led(self) -> int:
        """Waits until the partition has a leader; returns its high watermark."""
        until = time.monotonic() + _READY_S
        while True:
            code, watermark = 0, 0
            try:
                async with self._fetching() as link:
                    code, watermark, _ = await link.fetch(0, 0)
                if not code:
                    return watermark
            except OSError as error:
                if time.monotonic() > until:
                    raise self._unusable(error) from None
            if code and (code not in _PASSING or time.monotonic() > until):
                raise self._unusable(for_code(code)())
            await asyncio.sleep(_AGAIN_S)

    async def _remove(self) -> None:
        try:
            async with self._admin() as admin:
                await admin.delete_topics([self.where.name])
        except (KafkaError, OSError, TimeoutError) as error:
            raise self._unusable(error) from None

    async def close(self) -> None:
        """Closes its connections."""
        self._closing = True
        if self._again is not None:
            self._again.cancel()
        if self._producing is not None:
            self._producing.close()

    def frame(self, message: Outgoing) -> bytes:
        """The payload with its length; records are packed when they are sent, since they contain
        their position in the batch."""
        return framed(message.payload)

    def write(self, frames: memoryview, numbers: Numbers, sink: Sink) -> None:
        """Sends; see `Batched.write`. While five requests wait for their answers, messages are
        gathered for the next, as Kafka's own producer does."""
        if self._producing is None:
            sink.disconnected(numbers, time.monotonic_ns())
        else:
            self._producing.write(frames, numbers, sink)

    @contextlib.asynccontextmanager
    async def _fetching(self) -> AsyncIterator[Fetching]:
        link = Fetching(self.where.name)
        loop = asyncio.get_running_loop()
        opening = loop.create_connection(lambda: link, self.where.host, self.where.port)
        await asyncio.wait_for(opening, _CONNECT_S)
        try:
            yield link
        finally:
            link.abort()

    async def receive(self, sink: Sink) -> None:
        """Fetches until cancelled; connects again when the connection ends."""
        offset = 0
        sink.subscribed()  # It reads from the topic's first record on.
        while True:
            with contextlib.suppress(OSError, TimeoutError):
                async with self._fetching() as link:
                    while True:
                        code, _, batches = await link.fetch(offset)
                        if code:
                            self._passes(code)
                            break
                        offset = batches.next_offset(offset)
                        numbers = batches.numbers(sink.run)
                        if len(numbers):
                            sink.delivered(numbers, batches.at_ns)
            await asyncio.sleep(_AGAIN_S)

    def _passes(self, code: int) -> None:
        if code not in _PASSING:
            raise self._unusable(for_code(code)())

    async def subscribe(self) -> AsyncIterator[bytes]:
        """Payloads from the topic's first on."""
        offset = 0
        async with self._fetching() as link:
            while True:
                code, _, batches = await link.fetch(offset)
                if code:
                    raise self._unusable(for_code(code)())
                offset = batches.next_offset(offset)
                for payload in batches.payloads():
                    yield payload

    async def stored(self) -> AsyncIterator[bytes]:
        """The payloads that the topic holds now."""
        end = await self._led()
        offset = 0
        try:
            async with self._fetching() as link:
                while offset < end:
                    code, _, batches = await link.fetch(offset)
                    if code:
                        raise self._unusable(for_code(code)())
                    offset = batches.next_offset(offset)
                    for payload in batches.payloads():
                        yield payload
        except (OSError, TimeoutError) as error:
            raise self._unusable(error) from None
