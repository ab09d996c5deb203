"""Redis Streams: `XADD` to publish and `XREAD BLOCK` to receive.

No client library handles the messages, so that its cost per message is not in the generator. Frames
are made before the run, replies are matched with the numbers in the order of sending (Redis answers
a connection in order), and numbers are found in received data without parsing it.
"""

from __future__ import annotations

import asyncio
import contextlib
from collections.abc import AsyncIterator
from typing import Any, ClassVar, Final

import redis.asyncio as client
from redis.asyncio.retry import Retry
from redis.backoff import NoBackoff
from redis.exceptions import NoPermissionError, RedisError

from surgetank.live.payload import Numbers
from surgetank.live.systems.checked import CheckedTarget
from surgetank.live.systems.redis.protocol import (
    AGAIN_S,
    CONNECT_S,
    PASSING,
    READ,
    RedisPublisher,
    RedisReader,
    command,
)
from surgetank.live.systems.redis.server import ACK_USUAL, ACKS
from surgetank.live.target import (
    Capabilities,
    Outgoing,
    Sink,
    TargetError,
    Where,
)

__all__ = ["RedisStream"]


_GROUP: Final = "surgetank"

#: Creates, in one step, an empty stream with a mark of surgetank, if no key of that name exists.
_MAKE: Final = """
if redis.call('EXISTS', KEYS[1]) == 1 then return 0 end
redis.call('XGROUP', 'CREATE', KEYS[1], ARGV[1], '0', 'MKSTREAM')
return 1
"""


class RedisStream(CheckedTarget):
    """One stream, written by `XADD` and read by `XREAD`."""

    options: ClassVar[tuple[str, ...]] = ("ack", "maxmemory")
    acks: ClassVar[tuple[str, ...]] = tuple(ACKS)
    ack_usual: ClassVar[str] = ACK_USUAL
    by_hand: ClassVar[str] = "redis-cli -p {port} DEL {name}"

    def __init__(self, where: Where) -> None:
        super().__init__(where)
        self._name = where.name.encode()
        self._control: client.Redis | None = None
        self._publishing: RedisPublisher | None = None

    @property
    def capabilities(self) -> Capabilities:
        """At-most-once reading in order; durable from `everysec` on."""
        return Capabilities(
            acks=self.acks, ack=self._ack, durable=self._ack in ("everysec", "always")
        )

    async def open(self) -> None:
        """Connects and checks that the server's settings provide the durability of the level
        `ack`."""
        self._control = client.Redis(
            host=self.where.host,
            port=self.where.port,
            socket_connect_timeout=CONNECT_S,
            decode_responses=False,
            # A new connection: a pooled one may be of a server that has been restarted since.
            retry=Retry(NoBackoff(), 1),
        )
        try:
            had: dict[Any, Any] = await self._ask(self._control.config_get("append*"))
            self._check({_text(key): _text(value) for key, value in had.items()})
        except NoPermissionError:
            pass  # The server does not show its settings, so the level in the URL is assumed.
        except RedisError as error:
            raise self._unusable(error) from None
        self._publishing = RedisPublisher(self.where, quiet=self._ack == "none")
        try:
            await self._publishing.connect()
        except OSError as error:
            raise self._unusable(error) from None

    def _check(self, had: dict[str, str]) -> None:
        if "ack" not in self.where.options:
            known = {value: key for key, value in ACKS.items()}
            only = had.get("appendonly", "no")
            self._ack = known.get((only, had.get("appendfsync", "no")), "memory")
        only, sync = ACKS[self._ack]
        wrong = had.get("appendonly") != only or (only == "yes" and had.get("appendfsync") != sync)
        if self._ack in ("everysec", "always") and wrong:
            raise TargetError(
                f"`ack={self._ack}` was asked, and the server has appendonly "
                f"{had.get('appendonly')}, appendfsync {had.get('appendfsync')}",
                place=self.where.url,
                hint="Give the level that it has, or set it there",
            )

    async def _ask(self, answer: Any) -> Any:
        # redis-py types its commands as if they could be synchronous here.
        return await answer

    @property
    def _asking(self) -> client.Redis:
        if self._control is None:
            raise TargetError("is not open", place=self.where.url, hint="Call open() first")
        return self._control

    async def _make(self) -> bool:
        try:
            created = await self._ask(self._asking.eval(_MAKE, 1, self.where.name, _GROUP))
        except RedisError as error:
            raise self._unusable(error) from None
        return bool(created == 1)

    async def _remove(self) -> None:
        try:
            await self._ask(self._asking.delete(self.where.name))
        except RedisError as error:
            raise self._unusable(error) from None

    async def close(self) -> None:
        """Closes its connections."""
        if self._publishing is not None:
            self._publishing.close()
        if self._control is not None:
            with contextlib.suppress(RedisError, OSError):
                await asyncio.wait_for(self._control.aclose(), 1.0)

    def frame(self, message: Outgoing) -> bytes:
        """`XADD name * p PAYLOAD`, with a field `traceparent` for a sampled message."""
        arguments = [b"XADD", self._name, b"*", b"p", message.payload]
        if message.traceparent is not None:
            arguments += [b"traceparent", message.traceparent.encode("ascii")]
        return command(*arguments)

    def write(self, frames: memoryview, numbers: Numbers, sink: Sink) -> None:
        """Sends; see `Batched.write`."""
        assert self._publishing is not None
        self._publishing.write(frames, numbers, sink)

    async def receive(self, sink: Sink) -> None:
        """Reads until cancelled; connects again when the connection ends."""
        reading = RedisReader(self._name, sink)
        sink.subscribed()  # It reads from the stream's first entry on.
        loop = asyncio.get_running_loop()
        while True:
            with contextlib.suppress(OSError):
                link, _ = await asyncio.wait_for(
                    loop.create_connection(lambda: reading, self.where.host, self.where.port),
                    CONNECT_S,
                )
                try:
                    await reading.ended.wait()
                finally:
                    link.abort()
            if reading.error and not reading.error.startswith(PASSING):
                raise TargetError(reading.error, place=self.where.url)
            await asyncio.sleep(AGAIN_S)

    async def subscribe(self) -> AsyncIterator[bytes]:
        """Payloads by redis-py: for tools and tests; a run uses `receive`."""
        last = b"0-0"
        while True:
            read = self._asking.xread({self.where.name: last}, count=READ, block=200)
            for _, entries in await self._ask(read):
                for entry, fields in entries:
                    last = entry
                    yield fields[b"p"]

    async def stored(self) -> AsyncIterator[bytes]:
        """The payloads that the stream holds, from its beginning."""
        first = "-"
        while True:
            try:
                reply = self._asking.xrange(self.where.name, first, "+", READ)
                entries = await self._ask(reply)
            except RedisError as error:
                raise self._unusable(error) from None
            for entry, fields in entries:
                first = "(" + _text(entry)
                yield fields[b"p"]
            if len(entries) < READ:
                return


def _text(value: Any) -> str:
    return value.decode() if isinstance(value, bytes) else str(value)
