"""The part of AMQP 0-9-1 that one queue needs: the connections of `QuorumQueue`.

pamqp encodes and decodes the methods that occur once per connection; those that occur once per
message (publications, confirmations, deliveries) are encoded and decoded here, by offsets.

Source: the AMQP 0-9-1 specification, and RabbitMQ's pages on publisher confirms, on
`connection.blocked` and on consumer acknowledgements.
"""

from __future__ import annotations

import asyncio
import contextlib
import struct
import time
from typing import Any, Final, cast

from pamqp import commands, frame
from pamqp.encode import field_table

from surgetank.live.target import Where

__all__ = ["AGAIN_S", "CONNECT_S", "AmqpConnection", "Closed", "method", "publication"]

AGAIN_S: Final = 0.1
CONNECT_S: Final = 10.0
FRAME_BYTES_MAX: Final = 131_072
"""The largest frame, as RabbitMQ proposes it."""
_END: Final = b"\xce"
_HEAD: Final = struct.Struct(">BHI")
_METHOD, _HEADER, _BODY = 1, 2, 3
_ACK, _NACK = 60 << 16 | 80, 60 << 16 | 120
_DELIVER, _RETURN = 60 << 16 | 60, 60 << 16 | 50
_PERSISTENT: Final = 2


class Closed(Exception):
    """The server closed the channel or the connection."""

    def __init__(self, code: int, text: str) -> None:
        super().__init__(f"{code} {text}")
        self.code = code


def method(what: Any, channel: int = 1) -> bytes:
    """A method as it goes over the wire."""
    return frame.marshal(what, channel)


def _frame(kind: int, payload: bytes) -> bytes:
    return _HEAD.pack(kind, 1, len(payload)) + payload + _END


def publication(queue: str, payload: bytes, headers: dict[str, Any] | None = None) -> bytes:
    """A persistent message to a queue by the default exchange, returned if there is no such queue:
    the frames of its method, header and body."""
    publish = method(commands.Basic.Publish(routing_key=queue, mandatory=True))
    flags, properties = 0x1000, bytes([_PERSISTENT])
    if headers:
        flags, properties = 0x3000, field_table(headers) + properties
    head = struct.pack(">HHQH", 60, 0, len(payload), flags) + properties
    most = FRAME_BYTES_MAX - 8
    bodies = [_frame(_BODY, payload[i : i + most]) for i in range(0, len(payload), most)]
    return publish + _frame(_HEADER, head) + b"".join(bodies)


class AmqpConnection(asyncio.Protocol):
    """A connection with one channel. Subclasses handle confirmations and deliveries."""

    def __init__(self, where: Where, user: str, password: str, vhost: str) -> None:
        self.where = where
        self.transport: asyncio.Transport | None = None
        self.why = ""
        """The server's text when it closed the connection."""
        self.blocked = ""
        """The server's reason for accepting no messages now; empty if it accepts them."""
        self._login = (user, password, vhost)
        self._rest = b""
        self._reply: asyncio.Future[Any] | None = None
        self._kind = 0
        self._tag = 0
        self._missing = 0
        self._parts: list[bytes] = []

    async def connect(self) -> None:
        """Connects and opens the channel.

        Raises:
            OSError: no answer comes. Closed: the server refuses the login.
        """
        loop = asyncio.get_running_loop()
        self._reply = loop.create_future()
        self.blocked = ""
        made = loop.create_connection(lambda: self, self.where.host, self.where.port)
        try:
            await asyncio.wait_for(made, CONNECT_S)
            assert self.transport is not None
            await asyncio.wait_for(self._greet(), CONNECT_S)
        except BaseException:
            self.abort()
            raise

    async def _greet(self) -> None:
        user, password, vhost = self._login
        assert self.transport is not None and self._reply is not None
        self.transport.write(b"AMQP\x00\x00\x09\x01")
        await self._reply
        known: dict[str, Any] = {"connection.blocked": True, "basic.nack": True}
        start = commands.Connection.StartOk(
            client_properties={"product": "surgetank", "capabilities": known},
            response=f"\0{user}\0{password}",
        )
        tune = await self.ask(start, 0)
        limits = commands.Connection.TuneOk(tune.channel_max, FRAME_BYTES_MAX, 0)
        self.transport.write(method(limits, 0))
        await self.ask(commands.Connection.Open(virtual_host=vhost), 0)
        await self.ask(commands.Channel.Open())

    async def ask(self, what: Any, channel: int = 1) -> Any:
        """Sends a method and returns the server's answer.

        Raises:
            Closed: the server closed instead.
            OSError: the connection ended.
        """
        if self.transport is None:
            raise ConnectionResetError(self.why or "not connected")
        self._reply = asyncio.get_running_loop().create_future()
        self.transport.write(method(what, channel))
        return await asyncio.wait_for(self._reply, CONNECT_S)

    def abort(self) -> None:
        """Ends the connection without a closing handshake."""
        if self.transport is not None:
            self.transport.abort()

    def connection_made(self, transport: asyncio.BaseTransport) -> None:
        """See `asyncio.Protocol`."""
        self.transport = cast(asyncio.Transport, transport)
        self._rest, self._missing, self._parts, self.why = b"", 0, [], ""

    def connection_lost(self, exc: Exception | None) -> None:
        """See `asyncio.Protocol`."""
        self.transport = None
        if self._reply is not None and not self._reply.done():
            self._reply.set_exception(ConnectionResetError(self.why or "the connection ended"))
        self.ended(time.monotonic_ns())

    def data_received(self, data: bytes) -> None:
        """See `asyncio.Protocol`."""
        at_ns = time.monotonic_ns()
        data = self._rest + data if self._rest else data
        position, size = 0, len(data)
        while size - position >= 8:
            kind, _, length = _HEAD.unpack_from(data, position)
            begin = position + 7
            end = begin + length
            if end >= size:
                break
            if kind == _BODY:
                self._body(data[begin:end])
            elif kind == _METHOD:
                self._method(data, position, begin, end)
            elif kind == _HEADER:
                (self._missing,) = struct.unpack_from(">Q", data, begin + 4)
                if not self._missing:
                    self.message(self._kind == _RETURN, self._tag, b"")
            position = end + 1
        self._rest = data[position:]
        self.data_processed(at_ns)

    def _method(self, data: bytes, position: int, begin: int, end: int) -> None:
        (which,) = struct.unpack_from(">I", data, begin)
        if which in (_ACK, _NACK):
            tag, bits = struct.unpack_from(">QB", data, begin + 4)
            self.confirmed(tag, several=bool(bits & 1), taken=which == _ACK)
        elif which == _DELIVER:
            self._kind = which
            (self._tag,) = struct.unpack_from(">Q", data, begin + 5 + data[begin + 4])
        elif which == _RETURN:
            self._kind = which
        else:
            self._rare(frame.unmarshal(data[position : end + 1])[2])

    def _body(self, part: bytes) -> None:
        self._missing -= len(part)
        self._parts.append(part)
        if self._missing <= 0:
            whole = part if len(self._parts) == 1 else b"".join(self._parts)
            self._parts = []
            self.message(self._kind == _RETURN, self._tag, whole)

    def _rare(self, what: Any) -> None:
        if isinstance(what, commands.Connection.Blocked):
            self.blocked = what.reason or "no reason given"
        elif isinstance(what, commands.Connection.Unblocked):
            self.blocked = ""
        elif isinstance(what, commands.Channel.Close | commands.Connection.Close):
            self._closed(Closed(what.reply_code or 0, what.reply_text or ""))
        elif isinstance(what, commands.Basic.Cancel):
            self._closed(Closed(404, "the queue is gone"))
        elif self._reply is not None and not self._reply.done():
            self._reply.set_result(what)

    def _closed(self, error: Closed) -> None:
        self.why = str(error)
        if self._reply is not None and not self._reply.done():
            self._reply.set_exception(error)
        # A channel is always reopened together with its connection.
        with contextlib.suppress(Exception):
            self.abort()

    def confirmed(self, tag: int, *, several: bool, taken: bool) -> None:
        """The server took or refused publication `tag`, or all up to it."""

    def message(self, returned: bool, tag: int, payload: bytes) -> None:
        """A delivery, or a message that no queue wanted."""

    def data_processed(self, at_ns: int) -> None:
        """A piece of the stream has been read to its end."""

    def ended(self, at_ns: int) -> None:
        """The connection has ended."""
