"""A client over all its connections, without a socket: bytes in, bytes out.

# Rules
1. Every request gets one answer. One whose answer was lost with its connection is sent again on the
   next, with the same ClOrdID, in the order of the first copies; the venue executes it at most once
   and answers a copy as `duplicate`, which is resolved to the place of the first.
2. A price or a liquidation has no ClOrdID, so it is sent once; if its answer is lost it is
   `UnansweredRequest`.
3. A stream is resumed after the last event that was delivered. What is missing is a `Gap`.
"""

from __future__ import annotations

import os
from collections import deque
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from typing import Any, Final

from surgetank.client.answers import (
    OrderStatus,
    RefusedRequest,
    SealedRequest,
    Times,
    UnansweredRequest,
)
from surgetank.client.credentials import Credentials
from surgetank.client.enumerations import (
    AnswerLevel,
    CutReason,
    Notice,
    OrdRejReason,
    RefusalReason,
)
from surgetank.client.following import Followed
from surgetank.client.pending import Pending, Submission, Unresolved
from surgetank.client.requests import ClOrdIds, Liquidate, OraclePrice, Request, check_bounds
from surgetank.client.streams import Place, Stream, StreamSnapshot, event_of
from surgetank.native import compiled

__all__ = ["Cut", "Logon", "Session"]

#: Requests of a frame, and their size with a signature; a frame may have 64 KiB.
_FRAME_REQUESTS: Final = 512
_REQUEST_BYTES: Final = 128
_FRAME_BYTES: Final = 65_000


class Cut(Exception):
    """The connection has ended, or must end."""

    def __init__(self, reason: CutReason) -> None:
        super().__init__(reason.name.lower().replace("_", " "))
        self.reason = reason


@dataclass(frozen=True)
class Logon:
    """How a client logs on."""

    credentials: Credentials
    session: str
    level: AnswerLevel = AnswerLevel.DISK
    cancel_on_disconnect: bool = False


class Session:
    """The state of a client."""

    def __init__(self, logon: Logon, on_notice: Callable[[Notice], None]) -> None:
        self.logon = logon
        self.unresolved = Unresolved()
        self.cl_ord_ids = ClOrdIds()
        self.followed: dict[Stream, Followed] = {}
        self.is_logged_on = False
        self.sequence = 0
        """Place in the journal of the last durable request at the logon."""
        self._on_notice = on_notice
        self._core: Any = None
        self._out = bytearray()
        self._in_flight: dict[int, Pending] = {}
        self._again: list[Pending] = []
        self._own: dict[Stream, Place] = {}
        self._statuses: dict[int, list[Callable[[OrderStatus], None]]] = {}
        self._snapshots: dict[Stream, list[Callable[[StreamSnapshot], None]]] = {}
        self._pings: deque[tuple[int, Callable[[], None]]] = deque()
        self._ping = 0

    # What the host does.

    def open(self) -> None:
        """A new connection."""
        logon, key = self.logon, self.logon.credentials
        self._core = compiled().Initiator(
            key.name,
            key.algorithm,
            key.secret,
            os.urandom(16),
            session=logon.session,
            level=logon.level,
            cancel_on_disconnect=logon.cancel_on_disconnect,
            sign_requests=key.sign_requests,
        )
        self._out.clear()

    def lost(self) -> None:
        """The connection has ended."""
        self.is_logged_on, self._core = False, None
        self._in_flight.clear()
        self._again.clear()
        self._pings.clear()
        self._out.clear()
        for followed in self.followed.values():
            followed.is_leaving = False
        for pending in self.unresolved.all():
            if pending.sent and not pending.cl_ord_id:
                self.unresolved.resolve(pending, UnansweredRequest(pending.number))

    def take(self) -> bytes:
        """The bytes to send."""
        taken = bytes(self._out)
        self._out.clear()
        return taken

    def receive(self, now_ns: int, data: bytes) -> None:
        """Bytes of the venue.

        Raises:
            Cut: the connection must end.
        """
        try:
            heard = self._core.receive(now_ns, data)
        except ValueError as error:
            raise Cut(CutReason(error.args[0])) from None
        for kind, *fields in heard:
            self._handlers[kind](self, *fields)

    def submit(self, now_ns: int, requests: Sequence[Request], batch: Submission) -> None:
        """Requests to be answered. Each without a ClOrdID is given one.

        Raises:
            SurgetankError: one of them cannot be sent; nothing of any is noted then.
        """
        account = self.logon.credentials.account
        for request in requests:
            check_bounds(request)
        for request in requests:
            cl_ord_id = 0
            if not isinstance(request, (OraclePrice, Liquidate)):
                request.cl_ord_id = cl_ord_id = request.cl_ord_id or self.cl_ord_ids.next()
            sender = account if request.sender is None else request.sender
            fields = (request.name, sender, now_ns, *request.body())
            self.unresolved.add(fields, cl_ord_id, batch)
        if self.is_logged_on:
            self._send(batch.requests)

    def resend(self) -> bool:
        """Sends copies of what the venue said to wait for; whether there were any."""
        again, self._again = self._again, []
        self._send(again)
        return bool(again)

    @property
    def must_ask_again(self) -> bool:
        """Whether `resend` has something to send, after a while."""
        return bool(self._again)

    def follow(self, followed: Followed) -> None:
        """Follows a stream, from its place on."""
        self.followed[followed.stream] = followed
        if self.is_logged_on:
            self._write(self._core.subscribe([followed.begin(self._own)]))

    def leave(self, stream: Stream) -> None:
        """Follows it no longer."""
        if self.followed.pop(stream, None) is not None and self.is_logged_on:
            self._write(self._core.unsubscribe([(stream.kind, stream.of)]))

    def resume(self, followed: Followed) -> None:
        """Follows a stream again that was left since its reader was behind, if the reader has all
        that was delivered and none of the earlier subscription can come any more."""
        is_due = followed.is_behind and not followed.is_leaving and not followed.waiting
        if is_due and self.followed.get(followed.stream) is followed:
            followed.is_behind = False
            self.follow(followed)

    def _leave_behind(self, followed: Followed) -> None:
        def left() -> None:
            followed.is_leaving = False
            self.resume(followed)

        followed.is_leaving = True
        self._write(self._core.unsubscribe([(followed.stream.kind, followed.stream.of)]))
        self.ping(left)

    def snapshot(self, stream: Stream, on_answer: Callable[[StreamSnapshot], None]) -> None:
        """Asks for the state of a stream."""
        self._snapshots.setdefault(stream, []).append(on_answer)
        if self.is_logged_on:
            self._write(self._core.snapshot((stream.kind, stream.of)))

    def order_status(self, cl_ord_id: int, on_answer: Callable[[OrderStatus], None]) -> None:
        """Asks what became of a request."""
        self._statuses.setdefault(cl_ord_id, []).append(on_answer)
        if self.is_logged_on:
            self._write(self._core.order_status(cl_ord_id))

    def ping(self, on_answer: Callable[[], None]) -> None:
        """Asks for a sign of life; does nothing without a logon."""
        if self.is_logged_on:
            self._ping += 1
            self._pings.append((self._ping, on_answer))
            self._write(self._core.ping(self._ping))

    def logout(self) -> None:
        """Leaves; orders stay."""
        if self.is_logged_on:
            self._write(self._core.logout())

    # What the venue says, by the type of its frame.

    def _challenge(self, frame: bytes) -> None:
        self._out += frame

    def _logged_on(self, _account: int, _time_ns: int, sequence: int, streams: Any) -> None:
        self.is_logged_on, self.sequence = True, sequence
        self._own = {Stream(*key): place for key, place in streams}
        for one in self.followed.values():
            one.is_behind = one.is_behind and bool(one.waiting)
        wanted = [one.begin(self._own) for one in self.followed.values() if not one.is_behind]
        if wanted:
            self._write(self._core.subscribe(wanted))
        for stream in self._snapshots:
            self._write(self._core.snapshot((stream.kind, stream.of)))
        for cl_ord_id in self._statuses:
            self._write(self._core.order_status(cl_ord_id))
        self._send(self.unresolved.all())

    def _answers(self, _answered_through: int, answers: list[tuple[Any, ...]]) -> None:
        for kind, request, *fields in answers:
            pending = self._in_flight.pop(request)
            number, cl_ord_id = pending.number, pending.cl_ord_id
            if kind == 2:
                reason, retry_ns = fields
                why, after_s = RefusalReason(reason), retry_ns / 1e9 if retry_ns else None
                refused = RefusedRequest(number, cl_ord_id, why, after_s, pending.sent > 1)
                self.unresolved.resolve(pending, refused)
                continue
            sequence, reason, *times = fields
            if not sequence:
                self._again.append(pending)
                continue
            rejected = OrdRejReason(reason) if reason else None
            stamps = Times(*times[0]) if times else None
            sealed = SealedRequest(number, cl_ord_id, sequence, rejected, stamps, kind == 3)
            self.unresolved.resolve(pending, sealed)

    def _order_status(self, cl_ord_id: int, *fields: int) -> None:
        for on_answer in self._statuses.pop(cl_ord_id, []):
            on_answer(OrderStatus.of(cl_ord_id, *fields))

    def _events(self, events: list[tuple[Any, ...]]) -> None:
        for fields in events:
            followed = self.followed.get(Stream(*fields[0]))
            if followed is not None:
                was_behind = followed.is_behind
                followed.event(fields)
                if followed.is_behind and not was_behind:
                    self._leave_behind(followed)

    def _snapshot(self, key: Place, place: Place, sequence: int, events: list[Any]) -> None:
        stream = Stream(*key)
        state = StreamSnapshot(stream, place, sequence, [event_of(event) for event in events])
        for on_answer in self._snapshots.pop(stream, []):
            on_answer(state)

    def _gap(self, key: Place, *fields: int) -> None:
        followed = self.followed.get(Stream(*key))
        if followed is not None:
            followed.gap(*fields)

    def _pong(self, content: int) -> None:
        while self._pings and self._pings[0][0] <= content:
            self._pings.popleft()[1]()

    def _notice(self, number: int) -> None:
        self._on_notice(Notice(number))

    def _cut(self, reason: int, _streams: Any) -> None:
        raise Cut(CutReason(reason))

    _handlers: Final[dict[int, Callable[..., None]]] = {
        129: _challenge,
        130: _logged_on,
        131: _answers,
        132: _order_status,
        133: _events,
        134: _snapshot,
        135: _gap,
        136: _pong,
        137: _notice,
        138: _cut,
    }

    def _send(self, requests: Sequence[Pending]) -> None:
        start = 0
        while start < len(requests):
            padding = requests[start].batch.padding
            most = max(1, min(_FRAME_REQUESTS, _FRAME_BYTES // (_REQUEST_BYTES + padding)))
            frame = [requests[start]]
            while len(frame) < most and start + len(frame) < len(requests):
                further = requests[start + len(frame)]
                if further.batch.padding != padding:
                    break
                frame.append(further)
            start += len(frame)
            made = self._core.requests([pending.fields for pending in frame], padding)
            if made is None:
                raise Cut(CutReason.FRAME_NUMBER)  # Its numbers are used up.
            first, content = made
            for number, pending in enumerate(frame, first):
                pending.sent += 1
                self._in_flight[number] = pending
            self._out += content

    def _write(self, frame: bytes | None) -> None:
        if frame is None:
            raise Cut(CutReason.FRAME_NUMBER)
        self._out += frame
