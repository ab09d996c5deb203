"""The shape of a venue's WebSocket capture, and how times are attached to its lines."""

from __future__ import annotations

from abc import ABC, abstractmethod
from collections.abc import Iterable, Mapping
from typing import Any, ClassVar

from surgetank.tape.columns import Columns
from surgetank.tape.levels import Level, Levels

__all__ = ["Capture", "Message", "ms", "pairs"]

Message = Mapping[str, Any]


class Capture(ABC):
    """Messages of one venue's public WebSocket feeds, one JSON object a line.

    A trade is a market order of its taker, and a price; a change of a level is an order, replace or
    cancel; a first view of the book sets the known levels. `take` raises ValueError, KeyError,
    TypeError or IndexError for a message that is damaged.
    """

    name: ClassVar[str]
    title: ClassVar[str]
    source: ClassVar[str]
    """Where the wire format is documented."""

    def __init__(self, columns: Columns) -> None:
        self.columns = columns
        self.book = Levels(columns)
        """The book of the instrument that is read."""

    @staticmethod
    @abstractmethod
    def recognises(message: Message) -> bool:
        """Whether a message is one of this venue's feeds."""

    @abstractmethod
    def exchange_ns(self, message: Message) -> int | None:
        """The venue's own time of a message, nanoseconds since 1970; None if it has none."""

    @abstractmethod
    def take(self, message: Message) -> None:
        """Adds what a message says to the columns."""

    def quote(self, bid: Any, ask: Any) -> None:
        """Adds the mid of the best bid and offer, where both are there."""
        if bid and ask and float(bid) > 0 and float(ask) > 0:
            self.columns.price("quotes", (float(bid) + float(ask)) / 2)


def pairs(levels: Iterable[Mapping[str, Any]], price: str, size: str) -> list[Level]:
    """Levels that are objects, as pairs of price and quantity."""
    return [(level[price], level[size]) for level in levels]


def ms(value: Any) -> int | None:
    """A venue's milliseconds since 1970 as nanoseconds; None where there are none."""
    return None if value in (None, "") else int(value) * 1_000_000
