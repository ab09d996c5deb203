"""A book kept from a snapshot and the changes after it, which is never read with a hole in it."""

from __future__ import annotations

from abc import ABC, abstractmethod
from typing import Final

from surgetank.client.streams import Gap, Place, Stream, StreamEvent, StreamSnapshot
from surgetank.errors import SurgetankError

__all__ = ["BookNotWhole", "KeptBook"]

#: Changes that are kept while a snapshot is awaited.
_KEPT_MAX: Final = 100_000


class BookNotWhole(SurgetankError):
    """The book has a hole, or no snapshot yet: it waits for one."""


class KeptBook(ABC):
    """What books by price and by order have in common: the checks of their sequence.

    A change applies only right after the state that the book has: same epoch, and `previous` not
    beyond the number of that state. Otherwise the book has a hole and refuses to be read until the
    next snapshot; changes that come meanwhile are kept and applied to it.
    """

    def __init__(self, stream: Stream) -> None:
        self.stream = stream
        self.why = "no snapshot yet"
        """Why it cannot be read; empty if it can."""
        self.sequence = 0
        """Place in the journal of the last request that the book contains."""
        self._place: Place = (0, 0)
        self._kept: list[StreamEvent] = []

    @property
    def is_whole(self) -> bool:
        """Whether it can be read."""
        return not self.why

    @property
    def place(self) -> Place:
        """Epoch and number of the last event that it contains. Raises as `levels`."""
        self._check()
        return self._place

    def interrupt(self, why: str) -> None:
        """It may have a hole from now on."""
        if self.is_whole:
            self._kept.clear()
        self.why = why

    def load(self, snapshot: StreamSnapshot) -> None:
        """Replaces the state, and applies the changes after it that came already. A snapshot older
        than the book is ignored."""
        if snapshot.stream != self.stream:
            raise ValueError(f"a snapshot of {snapshot.stream}")
        if self.is_whole and snapshot.place[0] == self._place[0] and snapshot.place < self._place:
            return
        self._place, self.sequence = snapshot.place, snapshot.sequence
        self._clear()
        for event in snapshot.events:
            self._change(event)
        self.why = ""
        kept, self._kept = sorted(self._kept, key=lambda change: change.number), []
        for change in kept:
            if change.epoch == snapshot.place[0]:
                self.apply(change)

    def apply(self, item: StreamEvent | Gap) -> None:
        """A change of the venue's, or a gap between them."""
        if isinstance(item, Gap):
            self.interrupt("events are missing")
        elif not self.is_whole:
            self._keep(item)
        elif not self._follows(item):
            self.interrupt("a change does not follow the one before")
            self._keep(item)
        elif item.number > self._place[1]:
            self._change(item.event)
            self._place, self.sequence = (item.epoch, item.number), item.sequence

    def _follows(self, item: StreamEvent) -> bool:
        epoch, number = self._place
        return item.epoch == epoch and item.previous <= number

    def _keep(self, item: StreamEvent) -> None:
        if len(self._kept) >= _KEPT_MAX:
            self._kept.clear()  # What comes after does not follow a snapshot before it.
        self._kept.append(item)

    def _check(self) -> None:
        if self.why:
            hint = "It can be read after the next snapshot"
            raise BookNotWhole(self.why, place=f"book of market {self.stream.of}", hint=hint)

    @abstractmethod
    def _clear(self) -> None:
        """Forgets the content."""

    @abstractmethod
    def _change(self, event: object) -> None:
        """Applies an event of the stream to the content."""
