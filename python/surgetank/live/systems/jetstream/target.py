"""NATS JetStream: a stream that acknowledges a message once it has stored it.

Levels of acknowledgement:

- `none`: no answer is requested; the stream is a file as with `file`.
- `memory`: the message is in the server's memory; its death loses everything.
- `file` (default): the message was written to a file, without fsync. It survives the death of the
  server's process, not of the machine: the server calls fsync every two minutes, or as `sync` says.
- `file-sync`: the server calls fsync before each answer. That is a setting of the server, so for a
  server that surgetank did not start, the URL must have `sync=always`.

Options: `consumer=ordered` (a push consumer without acknowledgements, which continues after the
last message that it received) or `consumer=explicit` (each message is acknowledged; at least once,
again after `ack_wait` seconds); `dedup=SECONDS` gives each message a `Nats-Msg-Id` and the stream a
duplicate window; `bytes_max` bounds the stream (default 1 GiB; it refuses messages beyond it);
`replicas`.
"""

from __future__ import annotations

import asyncio
import contextlib
import json
import re
import secrets
import time
from collections.abc import AsyncIterator
from typing import Any, ClassVar, Final

import numpy as np
from nats.js.api import (
    AckPolicy,
    ConsumerConfig,
    DeliverPolicy,
    DiscardPolicy,
    RetentionPolicy,
    StorageType,
    StreamConfig,
)
from nats.js.errors import APIError

from surgetank.live.payload import Finder, Numbers, hex_numbers
from surgetank.live.systems.jetstream.management import (
    last_sequence,
    managed,
    payloads,
    stream_info,
)
from surgetank.live.systems.nats.protocol import messages, pub
from surgetank.live.systems.nats.target import Nats
from surgetank.live.target import (
    Capabilities,
    Disconnected,
    Outgoing,
    Refused,
    Sink,
    TargetError,
    Where,
)
from surgetank.live.url_options import choice, real_number, whole_number

__all__ = ["JetStream"]

_BYTES_MAX: Final = 1 << 30
_CONSUMERS: Final = ("ordered", "explicit")
_UNACKED_MAX: Final = 20_000
_DISPOSE_S: Final = 5.0
#: An ordered consumer that has no subscriber is removed after so long.
_IDLE_S: Final = 5.0


class JetStream(Nats):
    """Publishes to and consumes the stream `where.name`, whose only subject has that name too."""

    acks: ClassVar[tuple[str, ...]] = ("none", "memory", "file", "file-sync")
    ack_usual: ClassVar[str] = "file"
    by_hand: ClassVar[str] = "nats stream rm {name}"
    options: ClassVar[tuple[str, ...]] = (
        *Nats.options,
        "consumer",
        "ack_wait",
        "dedup",
        "bytes_max",
        "replicas",
    )

    def __init__(self, where: Where) -> None:
        super().__init__(where)
        if any(c in where.name for c in "./\\"):
            raise self._wrong(f"{where.name!r} is not the name of a stream")
        if self._ack == "file-sync" and where.options.get("sync") != "always":
            raise self._wrong(
                "`ack=file-sync` needs a server with sync_interval always",
                "Say `sync=always` if that server is set so",
            )
        self._explicit = choice(where, "consumer", _CONSUMERS, "ordered") == "explicit"
        self._dedup_s = real_number(where, "dedup", 0.0)
        self._ack_wait_s = real_number(where, "ack_wait", 30.0)
        self._token = secrets.token_hex(8)
        self._inbox = f"_INBOX.{self._token}"
        self._deliver = f"_INBOX.{self._token}d"
        inbox = re.escape(self._inbox.encode())
        self._good = re.compile(rb'MSG %b\.([0-9a-f]{8}) 2 \d+\r\n\{"stream"' % inbox)
        self._waiting: set[int] = set()
        self._futures: dict[int, asyncio.Future[None]] = {}
        self._sequence = 0
        self._connection_used = 0

    @property
    def capabilities(self) -> Capabilities:
        """Durable from `file` on; redelivers with explicit acknowledgements."""
        return Capabilities(
            acks=self.acks,
            ack=self._ack,
            ordered=not self._explicit,
            durable=self._ack in ("file", "file-sync"),
            redelivers=self._explicit,
            stamps=("decided",) if self._same_clock else (),
        )

    @property
    def _same_clock(self) -> bool:
        """The stream's time stamps are of this machine's clock."""
        return self.where.host in ("127.0.0.1", "localhost", "::1")

    def _wrong(self, what: str, hint: str = "") -> TargetError:
        return TargetError(what, place=f"{self.where.scheme}:", hint=hint)

    # ---- the stream

    async def open(self) -> None:
        """Connects; publications are acknowledged on a subject of this object's own."""
        self._link.keep(f"SUB {self._inbox}.* 2\r\n".encode())
        await super().open()

    async def _make(self) -> bool:
        name = self.where.name
        settings = StreamConfig(
            name=name,
            subjects=[name],
            retention=RetentionPolicy.LIMITS,
            storage=StorageType.MEMORY if self._ack == "memory" else StorageType.FILE,
            discard=DiscardPolicy.NEW,
            max_bytes=int(real_number(self.where, "bytes_max", _BYTES_MAX)),
            num_replicas=whole_number(self.where, "replicas", 1, 1, 5),
            duplicate_window=self._dedup_s,
            metadata={"surgetank": self._token},
        )
        async with managed(self.where) as manager:
            # Making a stream that is there already with the same settings would succeed.
            if await stream_info(manager, name) is not None:
                return False
            try:
                await manager.add_stream(settings)
            except APIError as error:
                what = f"cannot be made ({error.description})"
                raise TargetError(what, place=f"stream {name}") from None

        return True

    async def _remove(self) -> None:
        """Removes the stream, unless another one of that name has replaced it; waits for a server
        that is restarting."""
        name, until = self.where.name, time.monotonic() + _DISPOSE_S
        while True:
            try:
                async with managed(self.where) as manager:
                    info = await stream_info(manager, name)
                    if info and (info.config.metadata or {}).get("surgetank") == self._token:
                        await manager.delete_stream(name)
                return
            except TargetError:
                if time.monotonic() > until:
                    raise
                await asyncio.sleep(0.2)

    async def stored(self) -> AsyncIterator[bytes]:
        """Payloads that the stream holds, oldest first.

        Raises:
            TargetError: the stream is gone.
        """
        async with managed(self.where) as manager:
            async for payload in payloads(manager, self.where.name):
                yield payload

    # ---- publishing

    def frame(self, message: Outgoing) -> bytes:
        """A frame whose reply subject ends with the message's number, so that the answer identifies
        the message. Only this object receives the answers."""
        reply = "" if self._ack == "none" else f"{self._inbox}.{message.number:08x}"
        headers = {"traceparent": message.traceparent} if message.traceparent else {}
        if self._dedup_s:
            # The payload's head: run and number.
            headers["Nats-Msg-Id"] = message.payload[4:20].decode("ascii", "replace")
        return pub(self.where.name, message.payload, reply, headers)

    def write(self, frames: memoryview, numbers: Numbers, sink: Sink) -> None:
        """Sends all frames in one call; each is answered separately."""
        self._sink = sink
        if self._ack != "none":
            self._waiting.update(numbers.tolist())
        why = self._link.send(frames, numbers)
        if why is None:
            return
        self._waiting.difference_update(numbers.tolist())
        if self._link.up:
            sink.refused(numbers, time.monotonic_ns(), why)
        else:
            sink.disconnected(numbers, time.monotonic_ns())

    async def publish(self, message: Outgoing) -> None:
        """One message; returns when the stream has acknowledged it."""
        answer: asyncio.Future[None] = asyncio.get_running_loop().create_future()
        if self._ack != "none":
            self._futures[message.number] = answer
        why = self._link.send(self.frame(message))
        try:
            if why is not None:
                raise Refused(why) if self._link.up else Disconnected(why)
            if self._ack != "none":
                await answer
        finally:
            self._futures.pop(message.number, None)

    def _blocks(self, blocks: bytes, at_ns: int) -> None:
        if self._take is not None:
            self._take(blocks, at_ns)
        if not self._waiting and not self._futures:
            return
        good = hex_numbers(b"".join(self._good.findall(blocks)))
        if len(good):
            self._answered(good, at_ns)
        if b'{"error"' in blocks or b"NATS/1.0 503" in blocks:
            for message in messages(blocks):
                prefix, _, number = message.subject.rpartition(".")
                if prefix == self._inbox:
                    self._maybe_refused(int(number, 16), message.status, message.payload, at_ns)

    def _answered(self, numbers: Numbers, at_ns: int, reason: str | None = None) -> None:
        for number in numbers.tolist() if self._futures else ():
            answer = self._futures.get(number)
            if answer is not None and not answer.done():
                if reason is None:
                    answer.set_result(None)
                else:
                    answer.set_exception(Refused(reason))
        self._waiting.difference_update(numbers.tolist())
        if self._sink is not None and reason is None:
            self._sink.acknowledged(numbers, at_ns)
        elif self._sink is not None:
            self._sink.refused(numbers, at_ns, reason or "")

    def _maybe_refused(self, number: int, status: int, payload: bytes, at_ns: int) -> None:
        reason = ""
        if status == 503:
            reason = "no stream answers"
        elif payload.startswith(b'{"error"'):
            error = json.loads(payload)["error"]
            reason = str(error.get("description", error))
        if reason:
            self._answered(np.array([number], dtype=np.int64), at_ns, reason)

    def _lost(self, unsent: list[Numbers], reason: str) -> None:
        for answer in self._futures.values():
            if not answer.done():
                answer.set_exception(Disconnected(reason))
        if self._ack == "none":
            super()._lost(unsent, reason)
            return
        numbers = np.array(sorted(self._waiting), dtype=np.int64)
        self._waiting.clear()
        if self._sink is not None:
            self._sink.disconnected(numbers, time.monotonic_ns())

    # ---- consuming

    async def receive(self, sink: Sink) -> None:
        """A push consumer's messages, with the stream's own time stamps as `decided_ns`."""
        self._sink = sink
        ours = Finder(sink.run)
        stamp = re.compile(rb"MSG [^ \r\n]+ 1 \$JS\.ACK\.[^ \r\n]+?\.(\d{19})\.\d+ ")
        ahead_ns = time.time_ns() - time.monotonic_ns()

        def take(blocks: bytes, at_ns: int) -> None:
            self._seen(blocks)
            numbers = ours.numbers(blocks)
            if not len(numbers):
                return
            times = stamp.findall(blocks) if self._same_clock else []
            if len(times) == len(numbers):
                stamps = np.array(times, dtype="S19").astype(np.int64) - ahead_ns
                sink.delivered(numbers, at_ns, decided_ns=stamps)
            else:
                sink.delivered(numbers, at_ns)

        sink.subscribed()  # The stream keeps what is published before there is a consumer.
        await self._consume(take)

    async def subscribe(self) -> AsyncIterator[bytes]:
        """Payloads, one by one."""
        got: asyncio.Queue[bytes] = asyncio.Queue()

        def take(blocks: bytes, at_ns: int) -> None:
            self._seen(blocks)
            for message in messages(blocks):
                if message.subject == self.where.name:
                    got.put_nowait(message.payload)

        consuming = asyncio.create_task(self._consume(take))
        try:
            while True:
                yield await got.get()
        finally:
            consuming.cancel()

    async def _consume(self, take: Any) -> None:
        """Keeps a consumer running, and creates it again when the connection has ended."""
        self._take = take
        opened = 0
        while True:
            if self._link.up and self._link.opened != opened:
                before = self._link.opened
                with contextlib.suppress(TargetError):
                    await self._make_consumer(before)
                    opened = before
            await asyncio.sleep(0.02)

    async def _make_consumer(self, opened: int) -> None:
        """Makes the consumer of the `opened`-th connection. An ordered consumer is always a new one
        with a subject of its own, because the server may still have the old one and continue it at
        its old position."""
        stream = self.where.name
        name = f"surgetank-{self._token}"
        settings = ConsumerConfig(deliver_policy=DeliverPolicy.ALL)
        if self._explicit:
            subject = self._deliver
            settings.durable_name = name
            settings.ack_policy = AckPolicy.EXPLICIT
            settings.ack_wait = self._ack_wait_s
            settings.max_ack_pending = _UNACKED_MAX
        else:
            subject = f"{self._deliver}.{opened}"
            settings.name = f"{name}-{opened}"
            settings.ack_policy = AckPolicy.NONE
            settings.mem_storage = True
            settings.inactive_threshold = _IDLE_S
        settings.deliver_subject = subject
        if self._connection_used != opened:
            self._link.send(f"SUB {subject} 1\r\n".encode(), control=True)
            self._connection_used = opened
        async with managed(self.where) as manager:
            if self._sequence:
                info = await stream_info(manager, stream)
                # After a crash the stream may end before the last message received.
                last = info.state.last_seq if info is not None else 0
                settings.deliver_policy = DeliverPolicy.BY_START_SEQUENCE
                settings.opt_start_seq = min(self._sequence, last) + 1
            await manager.add_consumer(stream, settings)

    def _seen(self, blocks: bytes) -> None:
        """Acknowledges messages, or notes the position read in the stream."""
        if self._explicit:
            replies = _REPLIES.findall(blocks)
            if replies:
                self._link.send(b"".join(b"PUB %b 4\r\n+ACK\r\n" % reply for reply in replies))
            return
        at = blocks.rfind(b" 1 $JS.ACK.")
        if at >= 0:
            reply = blocks[at + 3 : blocks.index(b" ", at + 3)]
            self._sequence = last_sequence(reply.decode())


_REPLIES: Final = re.compile(rb"MSG [^ \r\n]+ 1 (\$JS\.ACK\.[^ \r\n]+) ")
