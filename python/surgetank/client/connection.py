"""The connection of a client: kept, lost, and made again."""

from __future__ import annotations

import asyncio
import contextlib
import random
import time
from collections.abc import Callable
from dataclasses import dataclass
from enum import StrEnum
from typing import Final

from surgetank.client.enumerations import CutReason
from surgetank.client.session import Cut, Session
from surgetank.errors import EXIT_MACHINE, SurgetankError

__all__ = ["ClientConnection", "ConnectionEnded", "ConnectionState", "Patience"]

_READ_BYTES: Final = 1 << 18
_PORT_MAX: Final = 2**16 - 1
#: Time after which a request that waits at the venue is asked for again, s.
_AGAIN_S: Final = 0.05
#: What another connection would end with too.
_FINAL: Final = {
    CutReason.TOO_LARGE,
    CutReason.OUT_OF_TURN,
    CutReason.LOGON_REFUSED,
    CutReason.CLOCK_SKEW,
    CutReason.REQUEST_NUMBER,
    CutReason.REPLACED,
    CutReason.LOGGED_OUT,
    CutReason.LEVEL_NOT_OFFERED,
    CutReason.NOT_PERMITTED,
    CutReason.TOO_MANY_SUBSCRIPTIONS,
    CutReason.NO_SUCH_STREAM,
}


class ConnectionEnded(SurgetankError):
    """The client has no connection and makes no further one."""

    def __init__(
        self,
        message: str,
        place: str,
        reason: CutReason | None = None,
        *,
        unanswered: bool = False,
    ) -> None:
        hint = "Requests without an answer may have been executed: ask for their status"
        hint = hint if unanswered else ""
        super().__init__(message, place=place, hint=hint, exit_code=EXIT_MACHINE)
        self.reason = reason
        """Why the venue ended it; None: it could not be reached, or the client was closed."""
        self.is_closed = False
        """Whether the client was closed."""

    @classmethod
    def of_closing(cls, place: str, *, unanswered: bool = False) -> ConnectionEnded:
        """Of a client that was closed."""
        ended = cls("the client is closed", place, unanswered=unanswered)
        ended.is_closed = True
        return ended


class ConnectionState(StrEnum):
    """Of a client's connection."""

    CONNECTING = "connecting"
    LOGGED_ON = "logged-on"
    ENDED = "ended"


@dataclass(frozen=True)
class Patience:
    """How a client waits, in s."""

    first_s: float = 0.05
    """Before the second attempt to connect; later ones double it, with a random part."""
    most_s: float = 5.0
    """Between two attempts, at most."""
    give_up_s: float | None = None
    """Without a connection for so long, the client ends; None: never."""
    ping_s: float = 10.0
    """Between signs of life."""
    silent_s: float = 30.0
    """Without any from the venue for so long, the connection counts as lost."""


class ClientConnection:
    """Carries bytes between a session and its venue until it is closed."""

    def __init__(
        self,
        address: str,
        session: Session,
        patience: Patience,
        on_state: Callable[[ConnectionState], None],
    ) -> None:
        self.address = address
        self.session = session
        self.state = ConnectionState.CONNECTING
        self.ended: ConnectionEnded | None = None
        self.logons = 0
        """How often it has logged on."""
        self.last_cut: CutReason | None = None
        """Why the venue ended the last connection."""
        self._where = _host_and_port(address)
        self._patience = patience
        self._on_state = on_state
        self._writer: asyncio.StreamWriter | None = None
        self._timer: asyncio.TimerHandle | None = None

    def flush(self) -> None:
        """Sends what the session has to send."""
        data = self.session.take()
        # A transport that is lost says so on standard error when it is written to.
        if data and self._writer is not None and not self._writer.is_closing():
            self._writer.write(data)

    async def drained(self) -> None:
        """Returns when the socket takes more."""
        if self._writer is not None:
            with contextlib.suppress(OSError):
                await self._writer.drain()

    async def run(self) -> None:
        """Connects, and connects again, until the venue or the patience ends it."""
        wait_s, since = self._patience.first_s, time.monotonic()
        while self.ended is None:
            before = self.logons
            await self._once()
            if self.logons > before:
                wait_s, since = self._patience.first_s, time.monotonic()
            give_up_s = self._patience.give_up_s
            if give_up_s is not None and time.monotonic() - since > give_up_s:
                self._end(self._ended("cannot be reached", self.last_cut))
            if self.ended is None:
                await asyncio.sleep(wait_s * random.uniform(0.5, 1.0))
                wait_s = min(2 * wait_s, self._patience.most_s)

    async def _once(self) -> None:
        pings = None
        try:
            reader, self._writer = await asyncio.open_connection(*self._where)
            self.session.open()
            pings = asyncio.create_task(self._ping())
            await self._read(reader)
        except Cut as cut:
            self.last_cut = cut.reason
            if cut.reason in _FINAL:
                self._end(self._ended(f"{cut}", cut.reason))
        except (OSError, TimeoutError):
            pass
        finally:
            if pings is not None:
                pings.cancel()
            if self._timer is not None:
                self._timer.cancel()
                self._timer = None
            if self._writer is not None:
                self._writer.close()
            self._writer = None
            self.session.lost()
            if self.ended is None:
                self._change(ConnectionState.CONNECTING)

    async def _read(self, reader: asyncio.StreamReader) -> None:
        while True:
            async with asyncio.timeout(self._patience.silent_s):
                data = await reader.read(_READ_BYTES)
            if not data:
                return
            self.session.receive(time.time_ns(), data)
            self.flush()
            if self.session.is_logged_on and self.state is not ConnectionState.LOGGED_ON:
                self.logons += 1
                self._change(ConnectionState.LOGGED_ON)
            if self.session.must_ask_again and self._timer is None:
                self._timer = asyncio.get_running_loop().call_later(_AGAIN_S, self._ask_again)

    def _ask_again(self) -> None:
        self._timer = None
        if self.session.is_logged_on and self.session.resend():
            self.flush()

    async def _ping(self) -> None:
        while True:
            await asyncio.sleep(self._patience.ping_s)
            self.session.ping(lambda: None)
            self.flush()

    def _ended(self, message: str, reason: CutReason | None = None) -> ConnectionEnded:
        unanswered = bool(self.session.unresolved.all())
        return ConnectionEnded(message, self.address, reason, unanswered=unanswered)

    def _end(self, why: ConnectionEnded) -> None:
        if self.ended is None:
            self.ended = why
            self._change(ConnectionState.ENDED)

    def _change(self, state: ConnectionState) -> None:
        if state is not self.state:
            self.state = state
            self._on_state(state)

    def close(self) -> None:
        """Makes no further connection."""
        unanswered = bool(self.session.unresolved.all())
        self._end(ConnectionEnded.of_closing(self.address, unanswered=unanswered))

    def fail(self, error: Exception) -> None:
        """Ends since the client itself has failed."""
        ended = self._ended(f"the client has failed: {error!r}")
        ended.__cause__ = error
        self._end(ended)


def _host_and_port(address: str) -> tuple[str, int]:
    host, _, port = address.rpartition(":")
    if not host or not port.isdecimal() or int(port) > _PORT_MAX:
        hint = "Give HOST:PORT, such as 127.0.0.1:7400"
        raise SurgetankError("is no address", place=str(address), hint=hint)
    return host.strip("[]"), int(port)
