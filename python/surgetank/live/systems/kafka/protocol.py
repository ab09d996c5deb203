"""The part of Kafka's protocol that one partition needs: the connections of `Kafka`.

Produce version 7 and Fetch version 4 with record batches of format 2, uncompressed; brokers from
2.1 to 4.x speak them.

Source: Apache Kafka's protocol guide and its page on the message format.
"""

from __future__ import annotations

import asyncio
import struct
import time
from collections import deque
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from typing import Final, cast

import numpy as np
from aiokafka.errors import for_code
from aiokafka.record.default_records import DefaultRecordBatchBuilder
from aiokafka.record.memory_records import MemoryRecords

from surgetank.live.payload import Numbers, Scanner, traceparent_of
from surgetank.live.target import Sink

__all__ = ["BATCH_BYTES_MAX", "Batches", "Fetching", "Producing", "framed"]

BATCH_BYTES_MAX: Final = 512 << 10
_PRODUCE, _FETCH = 0, 1
_CLIENT: Final = "surgetank"
_REQUESTS_MAX: Final = 5
_ANSWER_MS: Final = 30_000
#: Number of messages waiting to be sent beyond which the client refuses more.
_WAITING_BYTES_MAX: Final = 32 << 20
_FETCH_MS: Final = 500
_FETCH_BYTES: Final = 4 << 20
_LENGTH: Final = struct.Struct(">I")
#: Bytes of a record in a batch in addition to its value: lengths, deltas, and a header
#: `traceparent`.
_RECORD_EXTRA_BYTES: Final = 100
#: Error codes that are no refusal: whether the message arrived is unknown.
_TIMED_OUT: Final = 7


def framed(payload: bytes) -> bytes:
    """A payload with its length in front."""
    return _LENGTH.pack(len(payload)) + payload


def _text(text: str) -> bytes:
    return struct.pack(">h", len(text.encode())) + text.encode()


def _request(api: int, version: int, body: bytes) -> bytes:
    head = struct.pack(">hhi", api, version, 0) + _text(_CLIENT)
    return struct.pack(">i", len(head) + len(body)) + head + body


def _packed(payloads: list[bytes]) -> bytes:
    """A record batch."""
    builder = DefaultRecordBatchBuilder(2, 0, 0, -1, -1, -1, 1 << 30)
    now_ms = time.time_ns() // 1_000_000
    for offset, payload in enumerate(payloads):
        parent = traceparent_of(payload)
        headers = [] if parent is None else [("traceparent", parent.encode("ascii"))]
        builder.append(offset, now_ms, None, payload, headers)
    return bytes(builder.build())


class _Answers(asyncio.Protocol):
    """Splits the stream into answers by their lengths."""

    def __init__(self) -> None:
        self.transport: asyncio.Transport | None = None
        self._parts: list[bytes] = []
        self._have = 0
        self._want = 4

    def connection_made(self, transport: asyncio.BaseTransport) -> None:
        """See `asyncio.Protocol`."""
        self.transport = cast(asyncio.Transport, transport)

    def abort(self) -> None:
        """Ends the connection."""
        if self.transport is not None:
            self.transport.abort()

    def data_received(self, data: bytes) -> None:
        """See `asyncio.Protocol`."""
        at_ns = time.monotonic_ns()
        self._parts.append(data)
        self._have += len(data)
        if self._have < self._want:
            return
        whole = b"".join(self._parts)
        position = 0
        self._want = 4
        while len(whole) - position >= 4:
            end = position + 4 + _LENGTH.unpack_from(whole, position)[0]
            if end > len(whole):
                self._want = end - position
                break
            self.answer(whole[position + 8 : end], at_ns)  # without length and correlation
            position = end
        self._parts = [whole[position:]]
        self._have = len(whole) - position

    def answer(self, body: bytes, at_ns: int) -> None:
        """Handles one complete answer."""
        raise NotImplementedError


@dataclass
class _Batch:
    payloads: list[bytes]
    shares: list[tuple[Numbers, Sink]]


class Producing(_Answers):
    """The connection that sends Produce requests. Answers arrive in the order of the requests."""

    def __init__(self, topic: str, acks: int, batch_bytes_max: int) -> None:
        super().__init__()
        self.on_end: Callable[[], None] = lambda: None
        self._acks = acks
        self._batch_bytes_max = batch_bytes_max
        self._head = struct.pack(">hhi", -1, acks, _ANSWER_MS) + struct.pack(">i", 1)
        self._head += _text(topic) + struct.pack(">ii", 1, 0)
        self._skip = 4 + 2 + len(topic.encode()) + 4 + 4
        """Bytes of an answer before the error code."""
        self._in_flight: deque[_Batch] = deque()
        self._waiting: deque[tuple[bytes, int, Sink]] = deque()
        self._waiting_bytes = 0

    def write(self, frames: memoryview, numbers: Numbers, sink: Sink) -> None:
        """Adds messages to the next batch, which is sent at once if the in-flight limit allows."""
        at_ns = time.monotonic_ns()
        if self.transport is None or self.transport.is_closing():
            sink.disconnected(numbers, at_ns)
            return
        unsent = self._waiting_bytes + self.transport.get_write_buffer_size()
        if unsent > _WAITING_BYTES_MAX:
            sink.refused(numbers, at_ns, "send buffer full")
            return
        position = 0
        for number in numbers.tolist():
            begin = position + 4
            position = begin + _LENGTH.unpack_from(frames, position)[0]
            self._waiting.append((bytes(frames[begin:position]), number, sink))
        self._waiting_bytes += len(frames)
        self._send()

    def _send(self) -> None:
        while self._waiting and (not self._acks or len(self._in_flight) < _REQUESTS_MAX):
            batch = self._next()
            records = _packed(batch.payloads)
            body = self._head + struct.pack(">i", len(records)) + records
            assert self.transport is not None
            self.transport.write(_request(_PRODUCE, 7, body))
            if self._acks:
                self._in_flight.append(batch)

    def _next(self) -> _Batch:
        """The next batch: as many messages as fit, at least one."""
        room = self._batch_bytes_max
        payloads: list[bytes] = []
        numbers: list[int] = []
        shares: list[tuple[Numbers, Sink]] = []
        sink = self._waiting[0][2]
        while self._waiting:
            payload, number, of = self._waiting[0]
            room -= len(payload) + _RECORD_EXTRA_BYTES
            if payloads and room < 0:
                break
            if of is not sink:
                shares.append((np.array(numbers, dtype=np.int64), sink))
                numbers, sink = [], of
            payloads.append(payload)
            numbers.append(number)
            self._waiting_bytes -= len(payload) + _LENGTH.size
            self._waiting.popleft()
        shares.append((np.array(numbers, dtype=np.int64), sink))
        return _Batch(payloads, shares)

    def answer(self, body: bytes, at_ns: int) -> None:
        """See `_Answers`."""
        (code,) = struct.unpack_from(">h", body, self._skip)
        for numbers, sink in self._in_flight.popleft().shares:
            if not code:
                sink.acknowledged(numbers, at_ns)
            elif code == _TIMED_OUT:
                sink.disconnected(numbers, at_ns)
            else:
                sink.refused(numbers, at_ns, for_code(code).__name__)
        self._send()

    def connection_lost(self, exc: Exception | None) -> None:
        """See `asyncio.Protocol`."""
        at_ns = time.monotonic_ns()
        self.transport = None
        for batch in self._in_flight:
            for numbers, sink in batch.shares:
                sink.disconnected(numbers, at_ns)
        for _, number, sink in self._waiting:
            sink.disconnected([number], at_ns)
        self._in_flight.clear()
        self._waiting.clear()
        self._waiting_bytes = 0
        self.on_end()

    def close(self) -> None:
        """Sends the waiting messages and closes."""
        if self.transport is not None:
            self.transport.close()


@dataclass
class Batches:
    """The record batches of one Fetch answer."""

    records: bytes
    """Complete record batches; an incomplete one at the end is left out."""
    next: int | None
    at_ns: int

    @classmethod
    def of(cls, records: bytes, at_ns: int) -> Batches:
        """Finds where the last whole batch ends, and its last offset."""
        position, following = 0, None
        while len(records) - position >= 27:
            first, length = struct.unpack_from(">qi", records, position)
            if position + 12 + length > len(records):
                break
            following = first + struct.unpack_from(">i", records, position + 23)[0] + 1
            position += 12 + length
        return cls(records[:position], following, at_ns)

    def next_offset(self, offset: int) -> int:
        """The offset of the next fetch."""
        return offset if self.next is None else self.next

    def numbers(self, run: int) -> Numbers:
        """Message numbers of this run; values are uncompressed in a batch, so they can be searched
        as they are."""
        return Scanner(run).feed(self.records)

    def payloads(self) -> Iterator[bytes]:
        """The values of the records."""
        records = MemoryRecords(self.records)
        while (batch := records.next_batch()) is not None:
            for record in batch:
                yield bytes(record.value)


class Fetching(_Answers):
    """The connection that fetches, one request at a time."""

    def __init__(self, topic: str) -> None:
        super().__init__()
        self._topic = topic
        self._in_flight: asyncio.Future[tuple[bytes, int]] | None = None

    async def fetch(self, offset: int, wait_ms: int = _FETCH_MS) -> tuple[int, int, Batches]:
        """Error code, high watermark and batches from an offset on.

        Raises:
            OSError: the connection ended.
        """
        if self.transport is None:
            raise ConnectionResetError("not connected")
        body = struct.pack(">iiiibi", -1, wait_ms, 1, _FETCH_BYTES, 0, 1) + _text(self._topic)
        body += struct.pack(">iiqi", 1, 0, offset, _FETCH_BYTES)
        self._in_flight = asyncio.get_running_loop().create_future()
        self.transport.write(_request(_FETCH, 4, body))
        answer, at_ns = await asyncio.wait_for(self._in_flight, 10.0)
        position = 4 + 4 + 2 + len(self._topic.encode()) + 4 + 4
        code, watermark, _, aborted = struct.unpack_from(">hqqi", answer, position)
        position += 22 + 16 * max(0, aborted)
        (size,) = struct.unpack_from(">i", answer, position)
        records = answer[position + 4 : position + 4 + max(0, size)]
        return code, watermark, Batches.of(records, at_ns)

    def answer(self, body: bytes, at_ns: int) -> None:
        """See `_Answers`."""
        if self._in_flight is not None and not self._in_flight.done():
            self._in_flight.set_result((body, at_ns))

    def connection_lost(self, exc: Exception | None) -> None:
        """See `asyncio.Protocol`."""
        self.transport = None
        if self._in_flight is not None and not self._in_flight.done():
            self._in_flight.set_exception(ConnectionResetError("the connection ended"))
