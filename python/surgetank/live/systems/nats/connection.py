"""One connection to a NATS server over a raw socket: sends slices, never blocks, reconnects.

nats-py is not used because it makes one Python object and several calls for each message. Here a
slice of many frames is one `send` system call, and a received piece is searched as a whole.

Back-pressure: what the socket does not take waits in a queue of at most `pending_max` bytes, as
views of the caller's frames, so nothing is copied. Frames that do not fit are refused with a
reason. When the connection ends, waiting frames are given up and reported to `on_lost`, and the
connection is opened again, with growing pauses of at most half a second, until `close`.
"""

from __future__ import annotations

import asyncio
import contextlib
import json
import socket
import time
from collections import deque
from collections.abc import Callable
from typing import Any, Final

from surgetank.live.payload import Numbers
from surgetank.live.systems.nats.protocol import Cutter, errors, pings
from surgetank.live.target import TargetError, Where

__all__ = ["PENDING_MAX", "Connection"]

#: Bytes that may wait for the socket.
PENDING_MAX: Final = 32 << 20
_PIECE: Final = 1 << 18
_OPEN_S: Final = 5.0


class Connection:
    """Used from one event loop. `on_blocks(blocks, at_ns)` gets everything received, in whole
    blocks; `on_lost(unsent, reason)` is called when the connection ended, with the numbers of the
    slices that were not written whole; `on_error(text)` gets errors of the server."""

    def __init__(
        self,
        where: Where,
        on_blocks: Callable[[bytes, int], None] | None = None,
        on_lost: Callable[[list[Numbers], str], None] | None = None,
        on_error: Callable[[str], None] | None = None,
        pending_max: int = PENDING_MAX,
    ) -> None:
        self.where = where
        self.up = False
        self.opened = 0
        """Number of times that it was opened."""
        self.pending_bytes = 0
        self.info: dict[str, Any] = {}
        """The server's INFO."""
        self.on_blocks, self.on_lost, self.on_error = on_blocks, on_lost, on_error
        self._pending_max = pending_max
        self._queue: deque[tuple[memoryview, Numbers | None]] = deque()
        self._hello = bytearray()
        self._cutter = Cutter()
        self._socket: socket.socket | None = None
        self._writing = self._closed = False
        self._again: asyncio.Task[None] | None = None

    async def open(self) -> None:
        """Connects.

        Raises:
            TargetError: no answer comes, or the server cannot be used.
        """
        self._loop = asyncio.get_running_loop()
        self._closed = False
        place = f"{self.where.host}:{self.where.port}"
        try:
            await asyncio.wait_for(self._connect(), _OPEN_S)
        except (OSError, TimeoutError, ValueError) as error:
            why = str(error) or "no answer in time"
            raise TargetError(
                f"no NATS server can be used there ({why})",
                place=place,
                hint="Start it, or give nats: and surgetank starts one",
            ) from None

    def keep(self, line: bytes) -> None:
        """Sends a control line such as SUB, now and after each opening again."""
        if line in self._hello:
            return
        self._hello += line
        if self.up:
            self.send(line, control=True)

    def send(
        self, data: bytes | memoryview, numbers: Numbers | None = None, control: bool = False
    ) -> str | None:
        """Passes data to the socket or the queue; returns None, or the reason if it was refused. A
        control line is never refused, because answers are matched by their order."""
        if not self.up or self._socket is None:
            return "no connection"
        sent = 0
        if not self._queue:
            try:
                sent = self._socket.send(data)
            except (BlockingIOError, InterruptedError):
                sent = 0
            except OSError as error:
                self._lose(str(error))
                return "no connection"
            if sent == len(data):
                return None
        elif not control and self.pending_bytes + len(data) > self._pending_max:
            # The same words each time: reasons are counted.
            return f"no room: {self._pending_max >> 20} MiB wait for a server that reads too slowly"
        self._queue.append((memoryview(data)[sent:], numbers))
        self.pending_bytes += len(data) - sent
        if not self._writing:
            self._writing = True
            self._loop.add_writer(self._socket.fileno(), self._writable)
        return None

    async def drain(self, seconds: float) -> bool:
        """Waits until the queue to the socket is empty; returns whether that was in time."""
        until = time.monotonic() + seconds
        while self.up and self._queue and time.monotonic() < until:
            await asyncio.sleep(0.002)
        return not self._queue

    async def close(self) -> None:
        """Sends the waiting frames, for at most two seconds, and disconnects."""
        await self.drain(2.0)
        self._closed = True
        if self._again is not None:
            self._again.cancel()
            with contextlib.suppress(asyncio.CancelledError):
                await self._again
            self._again = None
        self._drop()

    # ---- opening

    async def _connect(self) -> None:
        sock = socket.socket(socket.AF_INET6 if ":" in self.where.host else socket.AF_INET)
        try:
            sock.setblocking(False)
            sock.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
            await self._loop.sock_connect(sock, (self.where.host, self.where.port))
            rest = await self._shake_hands(sock)
        except BaseException:
            sock.close()
            raise
        self._socket, self._cutter = sock, Cutter()
        self.up, self.opened = True, self.opened + 1
        self._loop.add_reader(sock.fileno(), self._readable)
        if rest:
            self._take(rest)

    async def _shake_hands(self, sock: socket.socket) -> bytes:
        """Exchanges INFO, CONNECT, the kept lines, PING and PONG; returns the bytes received after
        the PONG."""
        got = b""
        while b"\r\n" not in got:
            got += await self._more(sock)
        line, _, got = got.partition(b"\r\n")
        if not line.startswith(b"INFO "):
            raise ValueError("it does not speak NATS")
        self.info = json.loads(line[5:])
        if self.info.get("tls_required"):
            raise ValueError("it wants TLS, which is not supported here")
        hello: dict[str, Any] = {
            "verbose": False,
            "pedantic": False,
            "headers": True,
            "no_responders": True,
            "lang": "surgetank",
            "version": "1",
            "protocol": 1,
        }
        for key, name in (("user", "user"), ("password", "pass"), ("token", "auth_token")):
            if key in self.where.options:
                hello[name] = self.where.options[key]
        text = b"CONNECT " + json.dumps(hello).encode() + b"\r\n"
        await self._loop.sock_sendall(sock, text + bytes(self._hello) + b"PING\r\n")
        while b"PONG\r\n" not in got:
            if complaints := errors(got):
                raise ValueError(complaints[0])
            got += await self._more(sock)
        before, _, rest = got.partition(b"PONG\r\n")
        return before + rest

    async def _more(self, sock: socket.socket) -> bytes:
        piece = await self._loop.sock_recv(sock, _PIECE)
        if not piece:
            raise ValueError("it closed the connection")
        return piece

    async def _open_again(self) -> None:
        pause = 0.02
        while not self.up and not self._closed:
            await asyncio.sleep(pause)
            pause = min(0.5, pause * 2)
            with contextlib.suppress(OSError, TimeoutError, ValueError):
                await asyncio.wait_for(self._connect(), _OPEN_S)

    # ---- events of the loop

    def _readable(self) -> None:
        assert self._socket is not None
        try:
            piece = self._socket.recv(_PIECE)
        except (BlockingIOError, InterruptedError):
            return
        except OSError as error:
            self._lose(str(error))
            return
        if not piece:
            self._lose("the server closed the connection")
            return
        self._take(piece)

    def _take(self, piece: bytes, last: bool = False) -> None:
        at_ns = time.monotonic_ns()
        blocks = self._cutter.feed(piece)
        if not blocks:
            return
        pings_received = pings(blocks)
        if pings_received and not last:
            self.send(b"PONG\r\n" * pings_received, control=True)
        if self.on_error is not None:
            for text in errors(blocks):
                self.on_error(text)
        if self.on_blocks is not None:
            self.on_blocks(blocks, at_ns)

    def _writable(self) -> None:
        assert self._socket is not None
        while self._queue:
            view, numbers = self._queue[0]
            try:
                sent = self._socket.send(view)
            except (BlockingIOError, InterruptedError):
                return
            except OSError as error:
                self._lose(str(error))
                return
            self.pending_bytes -= sent
            if sent < len(view):
                self._queue[0] = (view[sent:], numbers)
                return
            self._queue.popleft()
        self._writing = False
        self._loop.remove_writer(self._socket.fileno())

    def _lose(self, reason: str) -> None:
        if self._socket is None or not self.up:
            return
        self.up = False
        # Its last words may say why.
        with contextlib.suppress(OSError):
            while piece := self._socket.recv(_PIECE):
                self._take(piece, last=True)
        unsent = [numbers for _, numbers in self._queue if numbers is not None]
        self._drop()
        if self.on_lost is not None:
            self.on_lost(unsent, reason)
        if not self._closed:
            self._again = self._loop.create_task(self._open_again())

    def _drop(self) -> None:
        if self._socket is not None:
            self._loop.remove_reader(self._socket.fileno())
            if self._writing:
                self._loop.remove_writer(self._socket.fileno())
            self._socket.close()
        self._socket, self.up, self._writing = None, False, False
        self._queue.clear()
        self.pending_bytes = 0
