"""A WebSocket client (RFC 6455) that sends frames made before the run, whole slices at a time, and
stamps what comes once per piece of the stream.

Departure: the masking key is zero, so that a frame can be made ahead and its text stays readable in
the stream. Masking protects proxies against scripts in browsers; servers take any key.
"""

from __future__ import annotations

import asyncio
import base64
import hashlib
import os
import time
from collections.abc import Callable
from typing import Final, cast

from surgetank.live.target import TargetError

__all__ = ["WebSocket", "text_frame"]

_GUID: Final = b"258EAFA5-E914-47DA-95CA-C5AB0DC85B11"
_HEAD_MAX: Final = 16_384
_MESSAGE_MAX: Final = 1 << 28
_TEXT, _CLOSE, _PING = 1, 8, 9


def text_frame(text: bytes) -> bytes:
    """A text message as a client sends it."""
    return _frame(_TEXT, text)


def _frame(opcode: int, content: bytes) -> bytes:
    n = len(content)
    if n < 126:
        head = bytes((0x80 | opcode, 0x80 | n))
    elif n < 1 << 16:
        head = bytes((0x80 | opcode, 0x80 | 126)) + n.to_bytes(2)
    else:
        head = bytes((0x80 | opcode, 0x80 | 127)) + n.to_bytes(8)
    return head + b"\0\0\0\0" + content


class WebSocket(asyncio.Protocol):
    """One connection. `on_texts(messages, at_ns)` gets what came in one piece of the stream;
    `on_lost()` is called once, when it ends."""

    def __init__(
        self, on_texts: Callable[[list[bytes], int], None], on_lost: Callable[[], None]
    ) -> None:
        self._on_texts, self._on_lost = on_texts, on_lost
        self._data = bytearray()
        self._part = b""
        self._transport: asyncio.Transport | None = None
        self._opened: asyncio.Future[None] = asyncio.get_running_loop().create_future()
        self._accept = b""

    @classmethod
    async def connect(
        cls,
        host: str,
        port: int,
        path: str,
        on_texts: Callable[[list[bytes], int], None],
        on_lost: Callable[[], None],
        seconds: float = 5.0,
    ) -> WebSocket:
        """A connection that is open.

        Raises:
            OSError: nobody answers in time.
            TargetError: what answers does not speak WebSocket there.
        """
        loop = asyncio.get_running_loop()
        made = cls(on_texts, on_lost)
        async with asyncio.timeout(seconds):  # TimeoutError is an OSError
            await loop.create_connection(lambda: made, host, port)
            key = base64.b64encode(os.urandom(16))
            made._accept = base64.b64encode(hashlib.sha1(key + _GUID).digest())
            made._send(
                b"GET %s HTTP/1.1\r\nHost: %s:%d\r\nUpgrade: websocket\r\nConnection: Upgrade\r\n"
                b"Sec-WebSocket-Key: %s\r\nSec-WebSocket-Version: 13\r\n\r\n"
                % (path.encode(), host.encode(), port, key)
            )
            try:
                await made._opened
            except BaseException:
                made.close()
                raise
        return made

    @property
    def waiting_bytes(self) -> int:
        """Written and not yet taken by the socket."""
        return 0 if self._transport is None else self._transport.get_write_buffer_size()

    def write(self, frames: bytes | memoryview) -> None:
        """Sends frames made by `text_frame`."""
        self._send(frames)

    def close(self) -> None:
        """Ends the connection at once."""
        if self._transport is not None:
            self._transport.abort()

    def _send(self, data: bytes | memoryview) -> None:
        if self._transport is not None:
            self._transport.write(data)

    def connection_made(self, transport: asyncio.BaseTransport) -> None:
        """See `asyncio.Protocol`."""
        # uvloop's transports are none of asyncio's classes.
        self._transport = cast(asyncio.Transport, transport)

    def connection_lost(self, exc: Exception | None) -> None:
        """See `asyncio.Protocol`."""
        self._transport = None
        if self._opened.done() and not self._opened.cancelled():
            self._on_lost()
        elif not self._opened.done():
            self._opened.set_exception(exc or ConnectionResetError("closed in the handshake"))

    def data_received(self, data: bytes) -> None:
        """See `asyncio.Protocol`."""
        at = time.monotonic_ns()
        self._data += data
        if not self._opened.done() and not self._handshake():
            return
        if texts := self._messages():
            self._on_texts(texts, at)

    def _handshake(self) -> bool:
        head, end, rest = bytes(self._data).partition(b"\r\n\r\n")
        if not end and len(head) < _HEAD_MAX:
            return False
        if not head.startswith(b"HTTP/1.1 101") or self._accept not in head:
            first = head.partition(b"\r\n")[0].decode("latin-1")
            self._opened.set_exception(
                TargetError(f"does not speak WebSocket here ({first})", place="handshake")
            )
            self.close()
            return False
        self._data = bytearray(rest)
        self._opened.set_result(None)
        return True

    def _messages(self) -> list[bytes]:
        """Whole messages at the beginning of the buffer."""
        data, i, texts = self._data, 0, []
        while len(data) - i >= 2:
            n, start = data[i + 1] & 0x7F, i + 2
            if n == 126:
                n, start = int.from_bytes(data[i + 2 : i + 4]), i + 4
            elif n == 127:
                n, start = int.from_bytes(data[i + 2 : i + 10]), i + 10
            if n > _MESSAGE_MAX:
                self.close()
                break
            if len(data) < start + n:
                break
            content = bytes(data[start : start + n])
            if (text := self._take(data[i], content)) is not None:
                texts.append(text)
            i = start + n
        del data[:i]
        return texts

    def _take(self, first: int, content: bytes) -> bytes | None:
        """One frame; the message if it is whole with it."""
        opcode = first & 0x0F
        if opcode == _PING:
            self._send(_frame(0xA, content))
        elif opcode == _CLOSE:
            self._send(_frame(_CLOSE, content[:2]))
            self.close()
        elif opcode <= 2:
            self._part += content
            if first & 0x80:
                whole, self._part = self._part, b""
                return whole
        return None
