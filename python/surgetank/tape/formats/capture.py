"""The shape of a venue's WebSocket capture, and how times are attached to its lines."""

from __future__ import annotations

from abc import ABC, abstractmethod
from collections.abc import Iterable, Mapping
from typing import Any, ClassVar, Final

from surgetank.errors import SurgetankError
from surgetank.tape.columns import Columns
from surgetank.tape.levels import Level, Levels

__all__ = ["LINEAR_HINT", "Capture", "Message", "ms", "pairs"]

Message = Mapping[str, Any]

#: As milliseconds it is the year 5138, as microseconds 1973.
_MS_MAX: Final = 10**14


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
        self._feeds: dict[str, str] = {}

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

    def reads(self, what: str, feed: str) -> bool:
        """Whether this feed is read: of several that show the same trades or the same book, the
        first one is."""
        return self._feeds.setdefault(what, feed) == feed

    def off_book(self) -> None:
        """Counts a trade that no order in the book made (a block trade, a deleveraging): neither
        flow nor a price."""
        self.columns.kinds["off the book"] += 1

    def refuse(self, symbol: str, what: str, hint: str) -> SurgetankError:
        """The error for an instrument that cannot be read."""
        place = f"{self.columns.path}:{self.columns.line}"
        return SurgetankError(f"{symbol}: {what}", place=place, hint=hint)


#: What to do with an instrument whose quantities are not coins.
LINEAR_HINT: Final = "Take the linear instrument (margined in USDT or USDC) of the same coin"


def pairs(levels: Iterable[Mapping[str, Any]], price: str, size: str) -> list[Level]:
    """Levels that are objects, as pairs of price and quantity."""
    return [(level[price], level[size]) for level in levels]


def ms(value: Any) -> int | None:
    """A venue's milliseconds since 1970, or microseconds where a client asked for them, as
    nanoseconds; None where there are none."""
    if value in (None, ""):
        return None
    at = int(value)
    return at * (1_000 if at > _MS_MAX else 1_000_000)
