"""CometBFT's JSON-RPC over one WebSocket: transactions in slices, calls, events."""

from __future__ import annotations

import asyncio
import json
import time
from base64 import b64encode
from collections.abc import Callable
from typing import Any, Final

from surgetank.live.payload import Numbers, hex_numbers
from surgetank.live.systems.cometbft.websocket import WebSocket, text_frame
from surgetank.live.target import Sink, TargetError

__all__ = ["Rpc", "RpcError", "broadcast_frame"]

#: Unsent bytes on one connection beyond which messages are refused, so that the queue stays
#: bounded.
WAITING_MAX_BYTES: Final = 32_000_000

_ID: Final = b'{"jsonrpc":"2.0","id":"'
_OK: Final = b'","result":{"code":0,'
_ID_END: Final = len(_ID) + 8


class RpcError(Exception):
    """The node answered a call with an error."""


def broadcast_frame(method: str, number: int, transaction: bytes) -> bytes:
    """A transaction as a WebSocket frame; `method` is a `broadcast_tx_…`. The call's id is the
    message's number in eight hexadecimal digits."""
    return text_frame(
        b'{"jsonrpc":"2.0","id":"%08x","method":"%s","params":{"tx":"%s"}}'
        % (number, method.encode(), b64encode(transaction))
    )


class Rpc:
    """A connection to one node; `connect` may be called again after the connection ended."""

    def __init__(self, host: str, port: int) -> None:
        self.host, self.port = host, port
        self.on_event: Callable[[str, dict[str, Any], int], None] = lambda name, value, at: None
        """Called with each event's name, its value and its time of arrival, ns."""
        self.lost = asyncio.Event()
        self._socket: WebSocket | None = None
        self._calls: dict[str, asyncio.Future[Any]] = {}
        self._events: dict[str, str] = {}
        self._requests = 0
        self._sink: Sink | None = None
        self._open: dict[int, None] = {}

    @property
    def connected(self) -> bool:
        """Whether the connection is open."""
        return self._socket is not None

    async def connect(self, seconds: float = 5.0) -> None:
        """Opens the connection.

        Raises:
            OSError: no answer comes in time. TargetError: the server does not speak CometBFT's RPC.
        """
        self.lost.clear()
        self._socket = await WebSocket.connect(
            self.host, self.port, "/websocket", self._texts, self._gone, seconds
        )

    def close(self) -> None:
        """Ends the connection."""
        if self._socket is not None:
            self._socket.close()

    def broadcast(self, frames: bytes, numbers: Numbers, sink: Sink) -> None:
        """Sends frames of `broadcast_frame`; answers go to the sink."""
        self._sink = sink
        if self._socket is None:
            sink.disconnected(numbers, time.monotonic_ns())
        elif self._socket.waiting_bytes > WAITING_MAX_BYTES:
            sink.refused(numbers, time.monotonic_ns(), "the node does not read its connection")
        else:
            self._open.update(dict.fromkeys(numbers.tolist()))
            self._socket.write(frames)

    async def call(self, method: str, seconds: float = 5.0, **params: Any) -> Any:
        """The result of one call.

        Raises:
            OSError: no connection, or no answer in time. RpcError: the node answered with an error.
        """
        if self._socket is None:
            raise ConnectionResetError("not connected")
        self._requests += 1
        name = f"c{self._requests}"
        answer = self._calls[name] = asyncio.get_running_loop().create_future()
        request = {"jsonrpc": "2.0", "id": name, "method": method, "params": params}
        self._socket.write(text_frame(json.dumps(request).encode()))
        try:
            async with asyncio.timeout(seconds):
                return await answer
        finally:
            self._calls.pop(name, None)

    async def subscribe(self, event: str) -> None:
        """Subscribes to the node's events of this name.

        Raises:
            OSError, RpcError: as `call`.
        """
        name = f"c{self._requests + 1}"
        self._events[name] = event
        await self.call("subscribe", query=f"tm.event='{event}'")

    def _texts(self, texts: list[bytes], at_ns: int) -> None:
        taken = []
        for text in texts:
            if text.startswith(_OK, _ID_END) and text.startswith(_ID):
                taken.append(text[len(_ID) : _ID_END])
            else:
                self._other(json.loads(text), at_ns)
        if taken and self._sink is not None:
            numbers = hex_numbers(b"".join(taken))
            for number in numbers.tolist():
                self._open.pop(number, None)
            self._sink.acknowledged(numbers, at_ns)

    def _other(self, answer: dict[str, Any], at_ns: int) -> None:
        name, error = str(answer.get("id")), answer.get("error")
        result = answer.get("result")
        if (call := self._calls.get(name)) is not None:
            if not call.done():
                if error is None:
                    call.set_result(result)
                else:
                    call.set_exception(RpcError(_words(error)))
        elif name in self._events:
            if error is not None:  # "client is not pulling messages fast enough"
                self.close()
            elif result:
                self.on_event(self._events[name], result["data"]["value"], at_ns)
        elif len(name) == 8 and self._sink is not None:
            number = int(name, 16)
            self._open.pop(number, None)
            reason = _words(error) if error else _code(result or {})
            self._sink.refused((number,), at_ns, reason)

    def _gone(self) -> None:
        self._socket = None
        self._events.clear()
        for call in self._calls.values():
            if not call.done():
                call.set_exception(ConnectionResetError("connection lost"))
        if self._open and self._sink is not None:
            self._sink.disconnected(list(self._open), time.monotonic_ns())
        self._open.clear()
        self.lost.set()


def _words(error: dict[str, Any]) -> str:
    """An error's text without the numbers that make each one different."""
    log = str(error.get("data") or error.get("message") or "error")
    return log.partition(":")[0][:80]


def _code(result: dict[str, Any]) -> str:
    log = str(result.get("log") or "")[:60]
    return f"CheckTx code {result.get('code')}{': ' + log if log else ''}"


async def learn(rpc: Rpc) -> dict[str, Any]:
    """The node's status.

    Raises:
        TargetError: it does not answer as a CometBFT node does.
    """
    place = f"cometbft://{rpc.host}:{rpc.port}"
    try:
        if not rpc.connected:
            await rpc.connect()
        status: dict[str, Any] = await rpc.call("status")
        status["validator_info"]["address"]
    except (OSError, RpcError, KeyError, TypeError) as error:
        raise TargetError(
            f"no CometBFT node answers ({error})",
            place=place,
            hint="Give its RPC port (26657), or leave the host out: surgetank starts a localnet",
        ) from None
    return status
