"""A connection to a venue in an event loop, opened again when it ends."""

from __future__ import annotations

import asyncio
import contextlib
import secrets
import time
import tomllib
from collections.abc import Callable, Sequence
from pathlib import Path
from typing import Any, Final, cast

from surgetank.live.systems.venue.server import KEY
from surgetank.live.target import TargetError, Where
from surgetank.native import compiled

__all__ = ["ANSWERS", "EVENTS", "GAP", "LEVELS", "Frame", "VenueLink"]

#: Frames of the venue by their types, as the core returns them (docs/venue-protocol.md).
CHALLENGE, LOGGED_ON, ANSWERS, EVENTS, GAP, CUT = 129, 130, 131, 133, 135, 138
#: The stream of the journal's batches.
JOURNAL: Final = (9, 0)
LEVELS: Final = {"memory": 0, "disk": 1}
CONNECT_S: Final = 5.0
_AGAIN_S: Final = 0.05

#: A frame: its type, and its fields.
Frame = tuple[Any, ...]


class VenueLink(asyncio.Protocol):
    """`heard` is called with the frames that arrive, `ended` when the connection is lost."""

    _logged_on: asyncio.Future[Frame]

    def __init__(
        self,
        where: Where,
        level: str,
        heard: Callable[[Sequence[Frame], int], None],
        ended: Callable[[], None] = lambda: None,
    ) -> None:
        self._where, self._level = where, level
        self._heard, self._ended = heard, ended
        self._session = secrets.token_hex(8)
        self._machine: Any = None
        self._transport: asyncio.Transport | None = None
        self._again: asyncio.Task[None] | None = None
        self._closed = False

    @property
    def up(self) -> bool:
        """Whether requests can be sent."""
        return self._transport is not None and self._logged_on.done()

    @property
    def unsent_bytes(self) -> int:
        """Bytes that wait for the socket."""
        return 0 if self._transport is None else self._transport.get_write_buffer_size()

    async def connect(self) -> Frame:
        """Connects and logs on; the venue's answer.

        Raises:
            TargetError: the venue does not answer, or refuses the logon.
        """
        loop = asyncio.get_running_loop()
        self._machine = self._initiator()
        self._logged_on = loop.create_future()
        opening = loop.create_connection(lambda: self, self._where.host, self._where.port)
        try:
            await asyncio.wait_for(opening, CONNECT_S)
            return await asyncio.wait_for(asyncio.shield(self._logged_on), CONNECT_S)
        except (OSError, TimeoutError, ConnectionError) as error:
            raise self.unusable(str(error) or type(error).__name__) from None

    def unusable(self, why: str) -> TargetError:
        """The error if the venue cannot be used."""
        hint = "Leave the host out: surgetank starts a venue"
        return TargetError(f"no usable venue ({why})", place=self._where.url, hint=hint)

    def _initiator(self) -> Any:
        keys = tomllib.loads(Path(self._where.options["keys"]).read_text(encoding="utf-8"))
        return compiled().Initiator(
            KEY,
            "hmac",
            bytes.fromhex(keys[KEY]["hmac"]),
            secrets.token_bytes(16),
            session=self._session,
            level=LEVELS[self._level],
        )

    def send(self, orders: bytes) -> int | None:
        """Sends encoded requests; the number of the first, or None if the connection is down."""
        if not self.up:
            return None
        framed = self._machine.encoded_requests(orders)
        if framed is None:
            return None
        first, frames = framed
        self._write(frames)
        return int(first)

    def subscribe(self, after: tuple[int, int]) -> None:
        """Asks for the journal's batches after this position."""
        self._write(self._machine.subscribe([(JOURNAL, after, False)]))

    def unsubscribe(self) -> None:
        """Asks for no more of them."""
        self._write(self._machine.unsubscribe([JOURNAL]))

    def _write(self, frame: bytes | None) -> None:
        if self._transport is not None and frame is not None:
            self._transport.write(frame)

    # ---- asyncio.Protocol

    def connection_made(self, transport: asyncio.BaseTransport) -> None:
        """See `asyncio.Protocol`."""
        self._transport = cast(asyncio.Transport, transport)

    def data_received(self, data: bytes) -> None:
        """See `asyncio.Protocol`."""
        at_ns = time.monotonic_ns()
        try:
            frames = self._machine.receive(time.time_ns(), data)
        except ValueError as error:
            self._abort(f"cut reason {error}")
            return
        if self._logged_on.done():
            self._heard(frames, at_ns)
            return
        for i, frame in enumerate(frames):
            if frame[0] == CHALLENGE:
                self._write(frame[1])
            elif frame[0] == LOGGED_ON:
                self._logged_on.set_result(frame)
                self._heard(frames[i + 1 :], at_ns)
                return
            elif frame[0] == CUT:
                self._abort(f"cut reason {frame[1]}")
                return

    def _abort(self, why: str) -> None:
        if not self._logged_on.done():
            self._logged_on.set_exception(ConnectionError(why))
        if self._transport is not None:
            self._transport.abort()

    def connection_lost(self, exc: Exception | None) -> None:
        """See `asyncio.Protocol`."""
        self._transport = None
        if not self._logged_on.done():
            self._logged_on.set_exception(ConnectionError(str(exc or "closed")))
            return
        self._ended()

    def reconnect(self, then: Callable[[Frame], None] = lambda frame: None) -> None:
        """Connects again until it succeeds or is closed; `then` is called with the logon."""
        if not self._closed:
            self._again = asyncio.get_running_loop().create_task(self._connect_again(then))

    async def _connect_again(self, then: Callable[[Frame], None]) -> None:
        while not self._closed:
            await asyncio.sleep(_AGAIN_S)
            with contextlib.suppress(TargetError):
                then(await self.connect())
                return

    def close(self) -> None:
        """Ends the connection."""
        self._closed = True
        if self._again is not None:
            self._again.cancel()
        if self._transport is not None:
            self._transport.abort()
