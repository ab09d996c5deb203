"""Clients of a venue that is killed: they send orders, cancels and deposits, and send again what
was not answered, until it is.
"""

from __future__ import annotations

import random
import secrets
import socket
import struct
import threading
import time
from typing import Any

from kept_promises import Promises
from surgetank.native import compiled
from surgetank.venue.keys import VenueKey

__all__ = ["Client", "RetryingClient"]

_CHALLENGE, _LOGGED_ON, _ANSWERS = 129, 130, 131
_SEALED, _REFUSED, _DUPLICATE = 1, 2, 3
#: Refusals after which a request may be sent again: something is full, or the venue stops.
_PASSING = (6, 7, 8, 9, 10, 11)
_WINDOW = 48
#: Most requests of a frame.
_FRAME = 12
_MARKET = 0


class Client:
    """One connection, with a blocking socket."""

    def __init__(self, address: str, key: VenueKey, level: int = 1) -> None:
        """Connects and logs on; OSError if that fails."""
        host, _, port = address.rpartition(":")
        self._socket = socket.create_connection((host, int(port)), 5.0)
        self._machine: Any = compiled().Initiator(
            key.name,
            "hmac",
            bytes.fromhex(key.hmac),
            secrets.token_bytes(16),
            session=secrets.token_hex(8),
            level=level,
        )
        self._early: list[tuple[Any, ...]] = []
        while True:
            for frame in self.receive(5.0):
                if frame[0] == _CHALLENGE:
                    self._socket.sendall(frame[1])
                elif frame[0] == _LOGGED_ON:
                    return
                else:
                    raise ConnectionError(f"no logon: {frame}")

    def send(self, requests: list[tuple[Any, ...]]) -> int:
        """Sends requests; the number of the first."""
        first, frame = self._machine.requests(requests)
        self._socket.sendall(frame)
        return int(first)

    def receive(self, seconds: float) -> list[tuple[Any, ...]]:
        """What the venue says next; empty if it says nothing."""
        self._socket.settimeout(seconds)
        try:
            data = self._socket.recv(1 << 16)
        except TimeoutError:
            return []
        if not data:
            raise ConnectionError("the venue has closed the connection")
        heard: list[tuple[Any, ...]] = self._machine.receive(time.time_ns(), data)
        return heard

    def close(self) -> None:
        """Ends the connection without a logout."""
        self._socket.close()


class RetryingClient:
    """A trader with an account of its own, or an operator that deposits to all of them."""

    def __init__(self, key: VenueKey, accounts: list[int], promises: Promises) -> None:
        self._key, self._accounts, self._promises = key, accounts, promises
        self._operates = "operate" in key.permissions
        self._open: dict[int, tuple[Any, ...]] = {}
        """Requests that have no answer, by ClOrdID."""
        self._orders: list[int] = []
        self._next = time.time_ns()
        self.sent_again = 0
        self.duplicates = 0
        """Requests sent again that the venue had executed already."""
        self.errors: list[str] = []
        self._stop = threading.Event()
        self._thread: threading.Thread | None = None

    def begin(self, address: str) -> None:
        """Sends from now on, at a venue that serves."""
        self._stop.clear()
        self._thread = threading.Thread(target=self._live, args=(address,), daemon=True)
        self._thread.start()

    def end(self) -> None:
        """Ends with the venue, or before; returns when it has."""
        self._stop.set()
        if self._thread is not None:
            self._thread.join(20)

    @property
    def unanswered(self) -> int:
        """Requests without an answer."""
        return len(self._open)

    def _live(self, address: str) -> None:
        try:
            client = Client(address, self._key)
        except OSError:
            return  # Killed before the logon.
        numbers: dict[int, int] = {}
        try:
            self._send(client, list(self._open), numbers)
            self.sent_again += len(numbers)
            while not self._stop.is_set():
                room = min(_WINDOW - len(self._open), _FRAME)
                if room > 0:
                    made = [self._made() for _ in range(random.randint(1, room))]
                    self._send(client, made, numbers)
                for frame in client.receive(0.05):
                    if frame[0] == _ANSWERS:
                        self._answers(frame[2], numbers)
                time.sleep(random.expovariate(500.0))
        except OSError:
            pass  # Killed.
        except Exception as error:
            self.errors.append(f"{type(error).__name__}: {error}")
        finally:
            client.close()

    def _send(self, client: Client, idents: list[int], numbers: dict[int, int]) -> None:
        if not idents:
            return
        requests = [self._open[ident] for ident in idents]
        for ident, request in zip(idents, requests, strict=True):
            self._promises.sending((request[1], ident), encoded(request))
        first = client.send(requests)
        numbers |= dict(enumerate(idents, first))

    def _answers(self, answers: list[tuple[Any, ...]], numbers: dict[int, int]) -> None:
        for answer in answers:
            ident = numbers[answer[1]]
            if answer[0] == _REFUSED:
                if answer[2] not in _PASSING:
                    self.errors.append(f"{ident} was refused: {answer[2]}")
                continue  # It stays open, and is sent again after the next start.
            if answer[0] == _DUPLICATE:
                if answer[2] == 0:
                    continue  # The first copy waits for its place.
                self.duplicates += 1
            request = self._open.pop(ident, None)
            if request is not None:
                self._promises.answer((request[1], ident), answer[2], answer[3])

    def _made(self) -> int:
        """A new request; its ClOrdID."""
        self._next += 1
        ident, sent_ns = self._next, time.time_ns()
        account = random.choice(self._accounts)
        if self._operates:
            cash = random.randint(1, 10**6)
            request: tuple[Any, ...] = ("deposit", self._key.account, sent_ns, ident, account, cash)
        elif self._orders and random.random() < 0.3:
            original = self._orders.pop(random.randrange(len(self._orders)))
            request = ("cancel", account, sent_ns, ident, original, _MARKET)
        else:
            side, price = random.randint(1, 2), 600_000 + random.randint(-20, 20)
            terms = (_MARKET, side, 2, random.choice((1, 3)), False, False, price)
            request = ("order", account, sent_ns, ident, *terms, random.randint(1, 5))
            self._orders = [*self._orders[-99:], ident]
        self._open[ident] = request
        return ident


def encoded(request: tuple[Any, ...]) -> bytes:
    """A request as the journal has it, its number 0: docs/venue-protocol.md."""
    name, sender, sent_ns, ident, *rest = request
    if name == "deposit":
        account, cash = rest
        common = struct.pack("<BIIQQI", 2, 0, sender, sent_ns, ident, account)
        return common + int(cash).to_bytes(16, "little", signed=True)
    kind = 2 if name == "cancel" else 4
    head = struct.pack("<BBBIIQQ", 0, 1, kind, 0, sender, sent_ns, ident)
    return head + struct.pack("<QH" if kind == 2 else "<HBBB??qq", *rest)
