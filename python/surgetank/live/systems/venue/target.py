"""A venue as a carrier of messages: each is an order, and is delivered by the journal's stream."""

from __future__ import annotations

import asyncio
import re
import time
from collections.abc import AsyncIterator, Callable, Sequence
from typing import ClassVar, Final

from surgetank.live.payload import HEADER_BYTES, Numbers, encode
from surgetank.live.systems.checked import CheckedTarget
from surgetank.live.systems.venue.connection import ANSWERS, EVENTS, GAP, LEVELS, Frame, VenueLink
from surgetank.live.systems.venue.orders import MESSAGES_MAX, batch_numbers, order
from surgetank.live.target import Capabilities, Outgoing, Sink, TargetError, Where

__all__ = ["VenueTarget"]

_UNSENT_BYTES_MAX: Final = 32 << 20
_RUN: Final = re.compile(r"surgetank-([0-9a-f]{8})")
#: Longest wait for further batches of a journal that is read to its end, s.
_MORE_S: Final = 20.0
_REFUSED, _BATCH, _OTHER_EPOCH = 2, 13, 2
#: Called with a batch's frame, when it was sealed (by the venue's clock), and when it came.
Take = Callable[[bytes, int, int], None]
#: Refusals by their number: docs/venue-protocol.md.
_REFUSALS: Final = {
    1: "not permitted",
    4: "too old",
    5: "halted",
    6: "queue full",
    7: "account queue full",
    8: "rate exceeded",
    9: "disk reserve",
    10: "disk full",
    11: "draining",
    13: "future time",
}


class VenueTarget(CheckedTarget):
    """Orders to a venue, and its journal."""

    options: ClassVar[tuple[str, ...]] = ("ack", "order", "keys")
    acks: ClassVar[tuple[str, ...]] = tuple(LEVELS)
    ack_usual: ClassVar[str] = "disk"

    def __init__(self, where: Where) -> None:
        super().__init__(where)
        if where.host and "keys" not in where.options:
            hint = "Write `--target venue:`; the venue is started for the run"
            raise TargetError("a running venue cannot be used yet", place=where.url, hint=hint)
        named = _RUN.fullmatch(where.name)
        if where.name not in ("", "surgetank") and named is None:
            hint = "Leave the name out"
            raise TargetError("has no streams to name", place=where.url, hint=hint)
        self._run = int(named[1], 16) if named else 0
        self._link: VenueLink | None = None
        self._sent = _Sent()

    @property
    def capabilities(self) -> Capabilities:
        """Every answer is an order's place in the journal; durable at `disk`."""
        durable = self._ack == "disk"
        return Capabilities(acks=self.acks, ack=self._ack, durable=durable, stamps=("decided",))

    async def open(self) -> None:
        """Connects and logs on."""
        self._link = VenueLink(self.where, self._ack, self._sent.heard, self._lost)
        await self._link.connect()

    def _lost(self) -> None:
        self._sent.disconnected()
        assert self._link is not None
        self._link.reconnect()

    async def close(self) -> None:
        """See `Target`."""
        if self._link is not None:
            self._link.close()

    def frame(self, message: Outgoing) -> bytes:
        """The request; frames are made when it is sent, since they are numbered and sealed."""
        if message.number >= MESSAGES_MAX:
            raise TargetError(f"at most {MESSAGES_MAX} messages have a ClOrdID", place="venue:")
        size, now = len(message.payload), time.time_ns()
        return order(self._run, message.number, message.account, size, now)

    def write(self, frames: memoryview, numbers: Numbers, sink: Sink) -> None:
        """Sends; see `Batched.write`."""
        link = self._link
        if link is None or not link.up:
            sink.disconnected(numbers, time.monotonic_ns())
        elif link.unsent_bytes > _UNSENT_BYTES_MAX:
            sink.refused(numbers, time.monotonic_ns(), "send buffer full")
        else:
            # Noted first: a socket may fail at once.
            self._sent.add(numbers, sink)
            if link.send(bytes(frames)) is None:
                self._sent.disconnected()

    async def receive(self, sink: Sink) -> None:
        """Reads the journal's stream until cancelled; goes on where it was after a
        disconnection."""
        ahead_ns = time.time_ns() - time.monotonic_ns()

        def take(frame: bytes, sealed_ns: int, at_ns: int) -> None:
            numbers = batch_numbers(sink.run, frame)
            if len(numbers):
                sink.delivered(numbers, at_ns, decided_ns=sealed_ns - ahead_ns)

        reading = _Journal(self.where, self._ack, take)
        try:
            await reading.open(from_start=False)
            sink.subscribed()
            await reading.broken
        finally:
            reading.link.close()

    async def subscribe(self) -> AsyncIterator[bytes]:
        """Payloads with the messages' numbers: for tools and tests; a run uses `receive`."""
        got: asyncio.Queue[Numbers] = asyncio.Queue()
        reading = _Journal(
            self.where, self._ack, lambda frame, *_: got.put_nowait(batch_numbers(self._run, frame))
        )
        try:
            await reading.open(from_start=False)
            while True:
                for number in (await got.get()).tolist():
                    yield encode(self._run, number, HEADER_BYTES)
        finally:
            reading.link.close()

    async def stored(self) -> AsyncIterator[bytes]:
        """Payloads with the numbers of all messages in the journal, as the venue replays it.

        Raises:
            TargetError: the venue does not have the whole journal in memory, or stops sending it.
        """
        got: asyncio.Queue[Numbers] = asyncio.Queue()
        reading = _Journal(
            self.where, self._ack, lambda frame, *_: got.put_nowait(batch_numbers(self._run, frame))
        )
        try:
            await reading.open(from_start=True)
            async with asyncio.timeout(_MORE_S):
                await reading.complete.wait()
            if reading.broken.done():
                await reading.broken
            while not got.empty():
                for number in got.get_nowait().tolist():
                    yield encode(self._run, number, HEADER_BYTES)
        except TimeoutError:
            raise reading.link.unusable("its journal did not come") from None
        finally:
            reading.link.close()


class _Sent:
    """Requests that were sent, by their number in the connection, until they are answered."""

    def __init__(self) -> None:
        self._numbers: list[int] = []
        self._through = 0
        self._early: set[int] = set()
        """Answered requests above `_through`."""
        self._sink: Sink | None = None

    def add(self, numbers: Numbers, sink: Sink) -> None:
        """These are about to be sent."""
        self._sink = sink
        self._numbers += numbers.tolist()

    def heard(self, frames: Sequence[Frame], at_ns: int) -> None:
        """Answers have arrived at this time."""
        sink, numbers = self._sink, self._numbers
        for frame in frames:
            if frame[0] != ANSWERS or sink is None:
                continue
            _, through, answers = frame
            sealed = [numbers[one[1] - 1] for one in answers if one[0] != _REFUSED]
            if sealed:
                sink.acknowledged(sealed, at_ns)
            for one in answers:
                if one[0] == _REFUSED:
                    reason = _REFUSALS.get(one[2], f"refusal {one[2]}")
                    sink.refused((numbers[one[1] - 1],), at_ns, reason)
            self._early.update(one[1] for one in answers if one[1] > through)
            if through > self._through:
                self._through = through
                self._early = {number for number in self._early if number > through}

    def disconnected(self) -> None:
        """The connection has ended: a new one numbers its requests from 1."""
        if self._sink is not None:
            left = [
                number
                for at, number in enumerate(self._numbers[self._through :], self._through + 1)
                if at not in self._early
            ]
            self._sink.disconnected(left, time.monotonic_ns())
        self._numbers, self._through, self._early = [], 0, set()


class _Journal:
    """The journal's stream, read by a connection of its own.

    Where the stream ends is learnt from the gap that the venue answers to a position of an epoch
    that no journal has.
    """

    def __init__(self, where: Where, level: str, take: Take) -> None:
        self.link = VenueLink(where, level, self._heard, self._again)
        self.broken: asyncio.Future[None] = asyncio.get_running_loop().create_future()
        """Raises when batches cannot be sent any more."""
        self.complete = asyncio.Event()
        """Set when the last batch of the time of the logon has arrived."""
        self.begun = asyncio.Event()
        """Set when all batches from now on will arrive."""
        self._take = take
        self._number: int | None = None
        """The last batch received; None: only those from now on are wanted."""
        self._wanted = 0
        self._located = False

    async def open(self, *, from_start: bool) -> None:
        """Subscribes, to all batches or to those from now on."""
        self._number = 0 if from_start else None
        await self.link.connect()
        self._locate()
        async with asyncio.timeout(_MORE_S):
            await self.begun.wait()

    def _locate(self) -> None:
        self._located = False
        self.link.subscribe((0, 0))

    def _again(self) -> None:
        self.link.reconnect(lambda logon: self._locate())

    def _follow(self, epoch: int, last: int) -> None:
        # After a crash the journal may end before the last batch received.
        self._located, self._wanted = True, last
        self._number = last if self._number is None else min(self._number, last)
        self.link.unsubscribe()
        self.link.subscribe((epoch, self._number))
        self.begun.set()

    def _heard(self, frames: Sequence[Frame], at_ns: int) -> None:
        for frame in frames:
            if frame[0] == EVENTS and self._located:
                for _, _, number, _, _, sealed_ns, event in frame[1]:
                    # Others are of the subscription that found out where the stream ends.
                    if number == (self._number or 0) + 1 and event[0] == _BATCH:
                        self._number = number
                        self._take(event[1], sealed_ns, at_ns)
            elif frame[0] == GAP:
                self._gap(*frame[2:])
        if self._located and (self._number or 0) >= self._wanted:
            self.complete.set()

    def _gap(self, epoch: int, first: int, last: int, reason: int) -> None:
        if reason == _OTHER_EPOCH and not self._located:
            self._follow(epoch, last)
        elif not self.broken.done():
            what = f"batches {first} to {last} are no longer kept for readers"
            self.broken.set_exception(self.link.unusable(what))
            self.complete.set()
