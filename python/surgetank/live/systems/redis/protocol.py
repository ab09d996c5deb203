"""The part of Redis' protocol (RESP 2) that streams need: the connections of `RedisStream`.

Source: the protocol specification and the commands' reference at redis.io.
"""

from __future__ import annotations

import asyncio
import contextlib
import re
import time
from collections import deque
from typing import Final, cast

from surgetank.live.payload import Numbers, Scanner
from surgetank.live.target import Sink, Where

__all__ = ["AGAIN_S", "CONNECT_S", "PASSING", "READ", "RedisPublisher", "RedisReader", "command"]

#: Waiting bytes of a connection beyond which the client refuses messages.
_UNSENT_BYTES_MAX: Final = 32 << 20
AGAIN_S: Final = 0.05
CONNECT_S: Final = 5.0
#: Most messages in one answer to `XREAD`, and in one to `XRANGE`.
READ: Final = 512
_END: Final = b"+PONG\r\n"
_FIELD: Final = b"\r\n$1\r\np\r\n"
_ID: Final = re.compile(rb"\$\d+\r\n(\d+-\d+)\r\n\*[24]" + re.escape(_FIELD))
_ID_BYTES_MAX: Final = 80
#: Answers to `XREAD` after which the request is repeated.
PASSING: Final = ("LOADING", "UNBLOCKED")


def _bulk(text: bytes) -> bytes:
    return b"$%d\r\n%s\r\n" % (len(text), text)


def command(*arguments: bytes) -> bytes:
    return b"*%d\r\n%s" % (len(arguments), b"".join(map(_bulk, arguments)))


class RedisPublisher(asyncio.Protocol):
    """The connection for `XADD`, reopened when it ends."""

    def __init__(self, where: Where, quiet: bool) -> None:
        self._where = where
        self._quiet = quiet
        self._link: asyncio.Transport | None = None
        self._waiting: deque[tuple[Numbers, Sink]] = deque()
        self._answered = 0
        """Number of messages at the front of the queue that are answered."""
        self._rest = b""
        self._closed = False
        self._again: asyncio.Task[None] | None = None

    async def connect(self) -> None:
        loop = asyncio.get_running_loop()
        connecting = loop.create_connection(lambda: self, self._where.host, self._where.port)
        await asyncio.wait_for(connecting, CONNECT_S)

    def connection_made(self, transport: asyncio.BaseTransport) -> None:
        self._link = cast(asyncio.Transport, transport)
        self._rest = b""
        if self._quiet:
            self._link.write(command(b"CLIENT", b"REPLY", b"OFF"))

    def connection_lost(self, exc: Exception | None) -> None:
        at_ns = time.monotonic_ns()
        self._link = None
        while self._waiting:
            numbers, sink = self._waiting.popleft()
            sink.disconnected(numbers[self._answered :], at_ns)
            self._answered = 0
        if not self._closed:
            self._again = asyncio.get_running_loop().create_task(self._connect_again())

    async def _connect_again(self) -> None:
        while not self._closed and self._link is None:
            await asyncio.sleep(AGAIN_S)
            with contextlib.suppress(OSError):
                await self.connect()

    def close(self) -> None:
        self._closed = True
        if self._again is not None:
            self._again.cancel()
        if self._link is not None:
            self._link.close()

    def write(self, frames: memoryview, numbers: Numbers, sink: Sink) -> None:
        link = self._link
        if link is None or link.is_closing():
            sink.disconnected(numbers, time.monotonic_ns())
        elif link.get_write_buffer_size() > _UNSENT_BYTES_MAX:
            sink.refused(numbers, time.monotonic_ns(), "send buffer full")
        else:
            link.write(frames)
            if not self._quiet:
                self._waiting.append((numbers, sink))

    def data_received(self, data: bytes) -> None:
        at_ns = time.monotonic_ns()
        data = self._rest + data
        if data[:1] == b"-" or b"\n-" in data:
            self._mixed(data, at_ns)
            return
        # The answers are ids only: `$15`, then the id, a line each.
        lines = data.count(b"\r\n")
        end = data.rfind(b"$") if lines % 2 else data.rfind(b"\r\n") + 2 if lines else 0
        self._rest = data[end:]
        self._accept(lines // 2, at_ns)

    def _mixed(self, data: bytes, at_ns: int) -> None:
        *lines, rest = data.split(b"\r\n")
        ids = 0
        for line in lines:
            if line[:1] == b"-":
                self._accept(ids, at_ns)
                ids = 0
                for numbers, sink in self._next(1):
                    sink.refused(numbers, at_ns, line[1:].decode("utf-8", "replace"))
            else:
                ids += line[:1] != b"$"
        self._accept(ids, at_ns)
        head = lines[-1] + b"\r\n" if lines and lines[-1][:1] == b"$" else b""
        self._rest = head + rest

    def _accept(self, count: int, at_ns: int) -> None:
        for numbers, sink in self._next(count):
            sink.acknowledged(numbers, at_ns)

    def _next(self, count: int) -> list[tuple[Numbers, Sink]]:
        """The next `count` numbers that wait for an answer."""
        taken = []
        while count and self._waiting:
            numbers, sink = self._waiting[0]
            part = numbers[self._answered : self._answered + count]
            count -= len(part)
            self._answered += len(part)
            if self._answered == len(numbers):
                self._waiting.popleft()
                self._answered = 0
            taken.append((part, sink))
        return taken


class RedisReader(asyncio.Protocol):
    """The connection for `XREAD`.

    A `PING` after each `XREAD` is answered after it, so the end of an answer is found without
    parsing it. The next request starts from the last id.
    """

    def __init__(self, name: bytes, sink: Sink) -> None:
        self._name = name
        self._sink = sink
        self._scanner = Scanner(sink.run)
        self._last = b"0-0"
        """The last id of the last complete answer; after a disconnection reading continues from
        there."""
        self._newest = self._last
        self._since: list[int] = []
        """Numbers already delivered from an incomplete answer."""
        self._known: frozenset[int] = frozenset()
        self._rest = b""
        self._begun = False
        self.ended = asyncio.Event()
        self.error = ""

    def connection_made(self, transport: asyncio.BaseTransport) -> None:
        self._link = cast(asyncio.Transport, transport)
        self.ended.clear()
        self.error = ""
        self._known |= frozenset(self._since)
        self._ask()

    def connection_lost(self, exc: Exception | None) -> None:
        self.ended.set()

    def _ask(self) -> None:
        self._scanner = Scanner(self._sink.run)
        self._rest = b""
        self._since = []
        self._begun = False
        read = (b"XREAD", b"COUNT", b"%d" % READ, b"BLOCK", b"0", b"STREAMS", self._name)
        self._link.write(command(*read, self._last) + b"PING\r\n")

    def data_received(self, data: bytes) -> None:
        at_ns = time.monotonic_ns()
        if not self._begun and data[:1] == b"-":
            self.error = data[1:].split(b"\r\n")[0].decode("utf-8", "replace")
            self.ended.set()
            return
        self._begun = True
        numbers = self._scanner.feed(data)
        if self._known:
            numbers = numbers[[number not in self._known for number in numbers.tolist()]]
        if len(numbers):
            self._since += numbers.tolist()
            self._sink.delivered(numbers, at_ns)
        data_so_far = self._rest + data
        for found in _ID.finditer(data_so_far, max(0, data_so_far.rfind(_FIELD) - _ID_BYTES_MAX)):
            self._newest = found[1]
        if data_so_far.endswith(_END):
            self._last, self._known = self._newest, frozenset()
            self._ask()
        else:
            self._rest = data_so_far[-_ID_BYTES_MAX:]
