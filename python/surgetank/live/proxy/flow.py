"""One direction of one connection: bytes in, held back as the link's fate requires, bytes out."""

from __future__ import annotations

import asyncio
import socket
import struct
import time
from collections import deque
from typing import Protocol, cast

from surgetank.live.event_loop import Alarms
from surgetank.live.proxy.line import LinkDirection, Piece

__all__ = ["Half", "Relay", "reset"]

#: Bytes in the user-space buffer of a socket beyond which nothing more is written to it.
_WRITE_MAX_BYTES = 1 << 16


def reset(transport: asyncio.Transport | None) -> None:
    """Ends a connection with RST instead of FIN."""
    if transport is None or transport.is_closing():
        return
    sock = transport.get_extra_info("socket")
    if sock is not None:
        sock.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, struct.pack("ii", 1, 0))
    transport.abort()


class Relay:
    """Passes bytes from one half of a connection to the other."""

    def __init__(self, line: LinkDirection, source: Half, sink: Half, alarms: Alarms) -> None:
        self.line = line
        self._source = source
        self._sink = sink
        self._alarms = alarms
        self._waiting: deque[Piece] = deque()
        self._last_ns = 0
        self._alarm_ns = 0
        self._blocked = False
        self._clear_ns = 0
        self._ended = ""
        self.held_bytes = 0
        self.done = False

    def take(self, data: bytes) -> None:
        """Takes bytes that the source has read."""
        arrived_ns = time.monotonic_ns()
        line = self.line
        if not self._waiting and line.fate.idle and self._sink.ready:
            self._sink.write(data)
            line.straight(len(data), time.monotonic_ns() - arrived_ns)
            return
        pieces = line.pieces(data, arrived_ns, self._last_ns)
        self._last_ns = pieces[-1].release_ns
        self._waiting.extend(pieces)
        self.held_bytes += len(data)
        if self.held_bytes > line.held_max_bytes:
            self._source.hold_back(self, True)
        self.pump()

    def end(self, how: str) -> None:
        """Ends the sink as the source ended, by `eof`, `close` or `reset`, after the bytes before
        it."""
        if self._ended in ("close", "reset"):
            return
        self._ended = how
        self.pump()

    def pump(self) -> None:
        """Writes the bytes that are due."""
        if self.line.fate.holds:
            return
        while self._waiting:
            head = self._waiting[0]
            now_ns = time.monotonic_ns()
            if head.release_ns > now_ns:
                self._wake_at(head.release_ns)
                return
            if not self._sink.ready:
                self._blocked = True
                return
            self._waiting.popleft()
            self.held_bytes -= len(head.data)
            self._sink.write(head.data)
            if self._blocked:
                self._blocked, self._clear_ns = False, now_ns
            blocked = head.arrived_ns < self._clear_ns
            self.line.passed(head, time.monotonic_ns(), blocked)
        self._source.hold_back(self, False)
        if self._ended and not self.done and self._sink.ready:
            self.done = True
            self._sink.finish(self._ended)
            if self._sink.out is not None and self._sink.out.done:
                # Both sides have ended: a socket that is half closed in both directions does not
                # close itself.
                self._sink.finish("close")
                self._source.finish("close")

    def room(self) -> None:
        """Resumes the sender when half of the held bytes have left."""
        if self.held_bytes * 2 <= self.line.held_max_bytes:
            self._source.hold_back(self, False)

    def _wake_at(self, when_ns: int) -> None:
        if self._alarm_ns and self._alarm_ns <= when_ns:
            return
        self._alarm_ns = when_ns
        self._alarms.at(when_ns, self._woken)

    def _woken(self) -> None:
        self._alarm_ns = 0
        self.pump()
        self.room()


class _Owner(Protocol):
    def opened(self, half: Half) -> None: ...
    def lost(self, half: Half, error: Exception | None) -> None: ...


class Half(asyncio.Protocol):
    """One socket of a connection through the proxy."""

    def __init__(self, owner: _Owner) -> None:
        self._owner = owner
        self.transport: asyncio.Transport | None = None
        self.out: Relay | None = None
        """The relay of the bytes that it reads."""
        self.back: Relay | None = None
        """The relay that writes to it."""
        self._full = False
        self._held = False
        self._gone = False

    def connection_made(self, transport: asyncio.BaseTransport) -> None:
        """See `asyncio.Protocol`."""
        # uvloop's transports do not inherit from asyncio's.
        self.transport = cast(asyncio.Transport, transport)
        self.transport.set_write_buffer_limits(high=_WRITE_MAX_BYTES)
        self._owner.opened(self)

    def data_received(self, data: bytes) -> None:
        """See `asyncio.Protocol`."""
        if self.out is not None:
            self.out.take(data)

    def eof_received(self) -> bool:
        """asyncio's callback: the peer sends no more but may still receive."""
        if self.out is not None:
            self.out.end("eof")
        return True

    def connection_lost(self, exc: Exception | None) -> None:
        """See `asyncio.Protocol`."""
        self.transport = None
        self._gone = True
        if self.out is not None:
            self.out.end("close" if exc is None else "reset")
        self._owner.lost(self, exc)

    def pause_writing(self) -> None:
        """asyncio's callback: the receiver does not keep up."""
        self._full = True

    def resume_writing(self) -> None:
        """asyncio's callback: the receiver keeps up again."""
        self._full = False
        if self.back is not None:
            self.back.pump()
            self.back.room()

    @property
    def ready(self) -> bool:
        """Whether bytes can be written; those for a closed socket are discarded."""
        return self._gone or (self.transport is not None and not self._full)

    def write(self, data: bytes) -> None:
        """Writes bytes to the socket."""
        if self.transport is not None and not self.transport.is_closing():
            self.transport.write(data)

    def hold_back(self, flow: Relay, yes: bool) -> None:
        """Stops reading, so that the sender's own buffers fill up, or resumes."""
        if yes == self._held or self.transport is None or self.transport.is_closing():
            return
        self._held = yes
        if yes:
            self.transport.pause_reading()
        else:
            self.transport.resume_reading()

    def finish(self, how: str) -> None:
        """Ends as the other side ended."""
        if self.transport is None or self.transport.is_closing():
            return
        if how == "reset":
            reset(self.transport)
        elif how == "close":
            self.transport.close()
        elif self.transport.can_write_eof():
            self.transport.write_eof()
