"""RabbitMQ: one quorum queue, publisher confirms, a consumer with prefetch and acknowledgements.

No client library handles the messages, so that its cost per message is not in the generator. Frames
are made before the run; confirmations carry the publication's position in the channel, which is
looked up.
"""

from __future__ import annotations

import asyncio
import contextlib
import os
import time
from collections import OrderedDict
from collections.abc import AsyncIterator
from typing import Any, ClassVar, Final

from pamqp import commands

from surgetank.live.payload import Numbers, decode, numbers_in
from surgetank.live.systems.checked import CheckedTarget
from surgetank.live.systems.rabbitmq.protocol import (
    AGAIN_S,
    AmqpConnection,
    Closed,
    method,
    publication,
)
from surgetank.live.target import (
    Capabilities,
    Outgoing,
    Sink,
    TargetError,
    Where,
)
from surgetank.live.url_options import real_number, whole_number

__all__ = ["QuorumQueue"]

_UNSENT_BYTES_MAX: Final = 32 << 20
_PREFETCH: Final = 2000
_SHORT_MAX: Final = 65_535
#: Least age of a queue before it is used, s. RabbitMQ 3.10 writes the names of its queues to disk
#: up to three seconds late; a kill before that loses the queue with all that was confirmed.
_SETTLE_S: Final = 4.0
_QUIET_S: Final = 0.3
_RECOVERED_S: Final = 30.0
_NOT_FOUND: Final = 404
#: Permanent errors: access refused, not allowed. Other errors end when a restarted node is up.
_FOR_GOOD: Final = (403, 530)


class QuorumQueue(CheckedTarget):
    """One quorum queue, written by the default exchange."""

    options: ClassVar[tuple[str, ...]] = (
        *("ack", "prefetch", "max_length", "settle_s", "user", "vhost"),
        *("memory", "disk_free"),  # of our own server
    )
    acks: ClassVar[tuple[str, ...]] = ("none", "confirm")
    ack_usual: ClassVar[str] = "confirm"
    by_hand: ClassVar[str] = "rabbitmqctl delete_queue {name}"

    def __init__(self, where: Where) -> None:
        super().__init__(where)
        self._prefetch = whole_number(where, "prefetch", _PREFETCH, 1, _SHORT_MAX)
        self._length_max = whole_number(where, "max_length", 0, 1, _SHORT_MAX)
        self._settle_s = real_number(where, "settle_s", _SETTLE_S, 0, _SHORT_MAX)
        # Reports repeat the URL, so a password must not be in it.
        secret = os.environ.get("SURGETANK_RABBITMQ_PASSWORD", "guest")
        user, vhost = where.options.get("user", "guest"), where.options.get("vhost", "/")
        self._login = (user, secret, vhost)
        self._publishing: AmqpPublisher | None = None

    @property
    def capabilities(self) -> Capabilities:
        """At least once: messages that a consumer had not acknowledged when it ended are delivered
        again."""
        return Capabilities(
            acks=self.acks, ack=self._ack, durable=self._ack == "confirm", redelivers=True
        )

    async def open(self) -> None:
        """Connects to the node."""
        self._publishing = AmqpPublisher(self.where, *self._login, quiet=self._ack == "none")
        try:
            await self._publishing.open()
        except (OSError, Closed, TimeoutError) as error:
            self._publishing.give_up()
            raise self._unusable(error) from None

    async def _make(self) -> bool:
        arguments: dict[str, Any] = {"x-queue-type": "quorum"}
        if self._length_max:
            arguments |= {"x-max-length": self._length_max, "x-overflow": "reject-publish"}
        declare = commands.Queue.Declare(queue=self.where.name, durable=True, arguments=arguments)
        try:
            if await self._count() is not None:
                return False
            await self._manage(declare)
        except (OSError, Closed, TimeoutError) as error:
            raise self._unusable(error) from None
        return True

    async def _settle(self) -> None:
        await asyncio.sleep(self._settle_s)

    async def _remove(self) -> None:
        try:
            await self._manage(commands.Queue.Delete(queue=self.where.name))
        except (OSError, Closed, TimeoutError) as error:
            raise self._unusable(error) from None

    async def _manage(self, what: commands.Queue.Declare | commands.Queue.Delete) -> int:
        """Sends a request on a separate connection; returns the message count in the answer."""
        link = AmqpConnection(self.where, *self._login)
        await link.connect()
        try:
            return int((await link.ask(what)).message_count)
        finally:
            link.abort()

    async def _count(self) -> int | None:
        """Messages that are ready; None if there is no such queue."""
        try:
            return await self._manage(commands.Queue.Declare(queue=self.where.name, passive=True))
        except Closed as error:
            if error.code == _NOT_FOUND and "no queue" in str(error):
                return None
            raise

    async def close(self) -> None:
        """Closes its connections."""
        if self._publishing is not None:
            await self._publishing.close()

    def frame(self, message: Outgoing) -> bytes:
        """Method, header and body; a sampled message has a header `traceparent`."""
        sampled = message.traceparent
        headers = None if sampled is None else {"traceparent": sampled}
        return publication(self.where.name, message.payload, headers)

    def write(self, frames: memoryview, numbers: Numbers, sink: Sink) -> None:
        """Sends; see `Batched.write`."""
        assert self._publishing is not None
        self._publishing.write(frames, numbers, sink)

    async def receive(self, sink: Sink) -> None:
        """Consumes until cancelled; connects again when the connection ends."""
        sink.subscribed()  # The queue keeps what is published before there is a consumer.
        while True:
            link = AmqpConsumer(self.where, *self._login, sink=sink)
            try:
                await link.consume(self.where.name, self._prefetch)
                await link.over.wait()
            except (OSError, TimeoutError):
                pass
            except Closed as error:
                if error.code in _FOR_GOOD or "no queue" in str(error):
                    raise self._unusable(error) from None
            finally:
                link.abort()
            await asyncio.sleep(AGAIN_S)

    async def subscribe(self) -> AsyncIterator[bytes]:
        """Payloads, acknowledged as they are handed out."""
        link = AmqpConsumer(self.where, *self._login)
        await link.consume(self.where.name, self._prefetch)
        try:
            while True:
                yield await link.payloads.get()
        finally:
            link.abort()

    async def stored(self) -> AsyncIterator[bytes]:
        """The payloads that are ready in the queue, taken without acknowledgement and returned at
        the end."""
        try:
            count = await self._ready()
            link = AmqpConsumer(self.where, *self._login, keeps=True)
            await link.consume(self.where.name, 0)
        except (OSError, Closed, TimeoutError) as error:
            raise self._unusable(error) from None
        try:
            received = 0
            while True:
                patience = _QUIET_S if received >= count else _RECOVERED_S
                yield await asyncio.wait_for(link.payloads.get(), patience)
                received += 1
        except TimeoutError:
            if received < count:
                raise TargetError(
                    f"{count} messages are ready, and only {received} came",
                    place=self.where.url,
                    hint="Is another consumer reading it?",
                ) from None
        finally:
            link.abort()

    async def _ready(self) -> int:
        """Number of ready messages, from the queue's leader. After a restart there is no leader for
        a while, and the count in the answer to a declaration is 0 meanwhile."""
        until = time.monotonic() + _RECOVERED_S
        while True:
            link = AmqpConnection(self.where, *self._login)
            try:
                await link.connect()
                got = await link.ask(commands.Basic.Get(queue=self.where.name))
                return 1 + (got.message_count or 0) if isinstance(got, commands.Basic.GetOk) else 0
            except (OSError, Closed, TimeoutError) as error:
                gone = isinstance(error, Closed) and error.code == _NOT_FOUND
                if gone or time.monotonic() > until:
                    raise
            finally:
                link.abort()
            await asyncio.sleep(AGAIN_S)


class AmqpPublisher(AmqpConnection):
    """The publishing connection, reopened when it ends."""

    def __init__(self, where: Where, user: str, password: str, vhost: str, quiet: bool) -> None:
        super().__init__(where, user, password, vhost)
        self._quiet = quiet
        self._ready = False
        self._closing = False
        self._next = 1
        self._waiting: OrderedDict[int, tuple[int, Sink]] = OrderedDict()
        self._acked: list[tuple[int, Sink]] = []
        self._nacked: list[tuple[int, Sink]] = []
        self._returned: set[int] = set()
        self._again: asyncio.Task[None] | None = None

    async def open(self) -> None:
        """Connects and asks for confirmations."""
        await self.connect()
        if not self._quiet:
            await self.ask(commands.Confirm.Select())
        self._next = 1
        self._ready = True

    async def close(self) -> None:
        """Closes permanently. Frames that are already written are sent, for at most a second."""
        self.give_up()
        with contextlib.suppress(OSError, Closed, TimeoutError):
            if self._ready:
                closing = commands.Connection.Close(200, "", 0, 0)
                await asyncio.wait_for(self.ask(closing, 0), 1.0)
        self.abort()

    def give_up(self) -> None:
        """Does not connect again."""
        self._closing = True
        if self._again is not None:
            self._again.cancel()

    def write(self, frames: memoryview, numbers: Numbers, sink: Sink) -> None:
        at_ns = time.monotonic_ns()
        if self.transport is None or not self._ready or self.transport.is_closing():
            sink.disconnected(numbers, at_ns)
        elif self.blocked:
            sink.refused(numbers, at_ns, f"connection blocked: {self.blocked}")
        elif self.transport.get_write_buffer_size() > _UNSENT_BYTES_MAX:
            sink.refused(numbers, at_ns, "send buffer full")
        else:
            self.transport.write(frames)
            if not self._quiet:
                for tag, number in enumerate(numbers.tolist(), self._next):
                    self._waiting[tag] = (number, sink)
                self._next += len(numbers)

    def confirmed(self, tag: int, *, several: bool, taken: bool) -> None:
        answered = self._acked if taken else self._nacked
        if not several:
            if tag in self._waiting:
                answered.append(self._waiting.pop(tag))
            return
        while self._waiting and next(iter(self._waiting)) <= tag:
            answered.append(self._waiting.popitem(last=False)[1])

    def message(self, returned: bool, tag: int, payload: bytes) -> None:
        # There is no such queue. The confirmation that follows does not count.
        del tag
        if returned:
            run = next((sink.run for _, sink in self._waiting.values()), 0)
            number = decode(run, payload)
            if number is not None:
                self._returned.add(number)

    def data_processed(self, at_ns: int) -> None:
        if self._returned:
            lost = [(n, sink) for n, sink in self._acked if n in self._returned]
            self._acked = [(n, sink) for n, sink in self._acked if n not in self._returned]
            for number, sink in lost:
                self._returned.discard(number)
                sink.refused([number], at_ns, "returned: no such queue")
        for sink, numbers in _by_sink(self._acked):
            sink.acknowledged(numbers, at_ns)
        for sink, numbers in _by_sink(self._nacked):
            sink.refused(numbers, at_ns, "nack")
        self._acked, self._nacked = [], []

    def ended(self, at_ns: int) -> None:
        self._ready = False
        for sink, numbers in _by_sink(list(self._waiting.values())):
            sink.disconnected(numbers, at_ns)
        self._waiting, self._returned = OrderedDict(), set()
        if not self._closing and (self._again is None or self._again.done()):
            self._again = asyncio.get_running_loop().create_task(self._open_again())

    async def _open_again(self) -> None:
        while not self._closing and not self._ready:
            await asyncio.sleep(AGAIN_S)
            with contextlib.suppress(OSError, Closed, TimeoutError):
                await self.open()


def _by_sink(answers: list[tuple[int, Sink]]) -> list[tuple[Sink, list[int]]]:
    groups: list[tuple[Sink, list[int]]] = []
    for number, sink in answers:
        if not groups or groups[-1][0] is not sink:
            groups.append((sink, []))
        groups[-1][1].append(number)
    return groups


class AmqpConsumer(AmqpConnection):
    """The consuming connection, reopened when it ends."""

    def __init__(
        self,
        where: Where,
        user: str,
        password: str,
        vhost: str,
        sink: Sink | None = None,
        keeps: bool = False,
    ) -> None:
        super().__init__(where, user, password, vhost)
        self.over = asyncio.Event()
        self.payloads: asyncio.Queue[bytes] = asyncio.Queue()
        self._sink = sink
        self._keeps = keeps
        self._came: list[bytes] = []
        self._last = 0

    async def consume(self, queue: str, prefetch: int) -> None:
        """Starts consuming; a prefetch of 0 means no limit."""
        await self.connect()
        if prefetch:
            await self.ask(commands.Basic.Qos(prefetch_count=prefetch))
        await self.ask(commands.Basic.Consume(queue=queue))

    def message(self, returned: bool, tag: int, payload: bytes) -> None:
        self._last = tag
        self._came.append(payload)

    def data_processed(self, at_ns: int) -> None:
        if not self._came:
            return
        if self._sink is not None:
            numbers = numbers_in(self._sink.run, self._came)
            if len(numbers):
                self._sink.delivered(numbers, at_ns)
        else:
            for payload in self._came:
                self.payloads.put_nowait(payload)
        self._came = []
        if not self._keeps and self.transport is not None:
            self.transport.write(method(commands.Basic.Ack(self._last, multiple=True)))

    def ended(self, at_ns: int) -> None:
        self.over.set()
