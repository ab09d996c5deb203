"""A WebSocket client around the sans-IO protocol of `websockets`: frames are made before the run
and sent in whole slices, and received data is time-stamped once per piece of the stream."""

from __future__ import annotations

import asyncio
import time
from collections.abc import Callable
from typing import Final, cast

from websockets.client import ClientProtocol
from websockets.frames import Frame, Opcode
from websockets.protocol import State
from websockets.uri import parse_uri

from surgetank.live.target import TargetError

__all__ = ["WebSocket", "text_frame"]

_MESSAGE_MAX: Final = 1 << 28
_DATA: Final = (Opcode.TEXT, Opcode.BINARY, Opcode.CONT)


def text_frame(text: bytes) -> bytes:
    """A text message as a client sends it."""
    return Frame(Opcode.TEXT, text).serialize(mask=True)


class WebSocket(asyncio.Protocol):
    """One connection. `on_texts(messages, at_ns)` gets the messages of one piece of the stream;
    `on_lost()` is called once, when it ends."""

    def __init__(
        self, uri: str, on_texts: Callable[[list[bytes], int], None], on_lost: Callable[[], None]
    ) -> None:
        self._on_texts, self._on_lost = on_texts, on_lost
        self._protocol = ClientProtocol(parse_uri(uri), max_size=_MESSAGE_MAX)
        self._part = b""
        self._transport: asyncio.Transport | None = None
        self._opened: asyncio.Future[None] = asyncio.get_running_loop().create_future()

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
            OSError: no answer comes in time. TargetError: the server does not speak WebSocket at
            this path.
        """
        name = f"[{host}]" if ":" in host else host
        made = cls(f"ws://{name}:{port}{path}", on_texts, on_lost)
        loop = asyncio.get_running_loop()
        async with asyncio.timeout(seconds):  # TimeoutError is an OSError
            await loop.create_connection(lambda: made, host, port)
            try:
                await made._opened
            except BaseException:
                made.close()
                raise
        return made

    @property
    def waiting_bytes(self) -> int:
        """Number of bytes written and not yet accepted by the socket."""
        return 0 if self._transport is None else self._transport.get_write_buffer_size()

    def write(self, frames: bytes | memoryview) -> None:
        """Sends frames made by `text_frame`."""
        if self._transport is not None:
            self._transport.write(frames)

    def close(self) -> None:
        """Ends the connection at once."""
        if self._transport is not None:
            self._transport.abort()

    def connection_made(self, transport: asyncio.BaseTransport) -> None:
        """See `asyncio.Protocol`."""
        # uvloop's transports are none of asyncio's classes.
        self._transport = cast(asyncio.Transport, transport)
        self._protocol.send_request(self._protocol.connect())
        self._flush()

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
        self._protocol.receive_data(data)
        texts = []
        for event in self._protocol.events_received():
            if isinstance(event, Frame) and event.opcode in _DATA:
                self._part += event.data
                if event.fin:
                    texts.append(self._part)
                    self._part = b""
        if not self._opened.done():
            self._shake_hands()
        self._flush()
        if texts:
            self._on_texts(texts, at)
        if self._protocol.close_expected():
            self.close()

    def _shake_hands(self) -> None:
        error = self._protocol.handshake_exc
        if error is not None:
            text = f"does not speak WebSocket here ({error})"
            self._opened.set_exception(TargetError(text, place="handshake"))
        elif self._protocol.state is State.OPEN:
            self._opened.set_result(None)

    def _flush(self) -> None:
        """Sends the protocol's own frames: the request, pongs, the closing handshake."""
        for piece in self._protocol.data_to_send():
            if piece:
                self.write(piece)
            else:  # its mark for the end
                self.close()
