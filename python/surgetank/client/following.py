"""Streams that a client follows, by number over all its connections."""

from __future__ import annotations

from collections import deque
from collections.abc import Callable
from typing import Any

from surgetank.client.enumerations import GapReason
from surgetank.client.streams import Gap, Place, Stream, StreamEvent, event_of

__all__ = ["Followed"]


class Followed:
    """One stream: what was delivered, and what waits for the reader.

    It checks that each event comes right after the one before; where it does not, a `Gap` says so.
    When the reader is far behind, the stream is left and later resumed by number, so that memory is
    bounded and nothing is lost that the venue still has.
    """

    def __init__(self, stream: Stream, after: Place | None, conflate: bool, most: int) -> None:
        self.stream = stream
        self.conflate = conflate
        self.place = after
        """The last event that was delivered; None: none yet, and it is not known where it began."""
        self.waiting: deque[StreamEvent | Gap] = deque()
        self.is_behind = False
        """Whether the stream is left since the reader is behind."""
        self.is_leaving = False
        """Whether events may still come although it is left."""
        self.on_change: Callable[[], None] = lambda: None
        self._most = most
        self._begun = False

    def begin(self, own: dict[Stream, Place]) -> tuple[tuple[int, int], Place | None, bool]:
        """What to ask for on a new connection; `own` has the last events of the account's streams
        at its logon."""
        place, listed = self.place, own.get(self.stream)
        if place is None and listed is not None:
            # If it was not listed at the first logon, it had no event then.
            place = (listed[0], 0) if self._begun else listed
        elif place is None and self._begun:
            self._deliver(Gap(self.stream, None, None, None, None))
        self._begun, self.place = True, place
        return (self.stream.kind, self.stream.of), place, self.conflate

    def event(self, fields: tuple[Any, ...]) -> None:
        """An event of the venue's, in the fields of the protocol."""
        _, epoch, number, previous, sequence, time_ns, event = fields
        if self.is_behind:
            return  # It was on its way; it comes again.
        if self.place is not None:
            known, last = self.place
            if epoch == known and number <= last:
                return
            if epoch != known or previous > last:
                first = 1 if epoch != known else last + 1
                if first <= previous:
                    self._deliver(Gap(self.stream, epoch, first, previous, None))
        self.place = (epoch, number)
        place = (epoch, number, previous, sequence, time_ns)
        self._deliver(StreamEvent(self.stream, *place, event_of(event)))

    def gap(self, epoch: int, first: int, last: int, reason: int) -> None:
        """Events that the venue will not send."""
        if not self.is_behind:
            self.place = (epoch, last)
            self._deliver(Gap(self.stream, epoch, first, last, GapReason(reason)))

    def take(self) -> list[StreamEvent | Gap]:
        """All that waits for the reader."""
        taken = list(self.waiting)
        self.waiting.clear()
        return taken

    def _deliver(self, item: StreamEvent | Gap) -> None:
        self.waiting.append(item)
        self.is_behind = self.is_behind or len(self.waiting) >= self._most
        self.on_change()
