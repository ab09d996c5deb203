"""Streams of a venue and their events.

Prices are in ticks, quantities in lots, money in quanta (a tick times a lot).
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from typing import Any, Final, Self

from surgetank.client.enumerations import (
    CancelReason,
    DebtBearer,
    ExecType,
    GapReason,
    OrderSide,
    OrdRejReason,
)

__all__ = [
    "BadDebt",
    "BatchTrades",
    "BookLevels",
    "BookOrders",
    "Cash",
    "Deleveraging",
    "Event",
    "ExecutionReport",
    "FundingPayment",
    "Gap",
    "JournalBatch",
    "Liquidation",
    "MarginCall",
    "Position",
    "PricesInForce",
    "Stream",
    "StreamEvent",
    "StreamSnapshot",
    "event_of",
]

Place = tuple[int, int]
"""Epoch and number of an event."""


@dataclass(frozen=True, slots=True)
class Stream:
    """Name of a stream: its number in the protocol, and the account or market."""

    kind: int
    of: int = 0

    @classmethod
    def executions(cls, account: int) -> Self:
        """Execution reports of the client's own account."""
        return cls(1, account)

    @classmethod
    def positions(cls, account: int) -> Self:
        """Positions and cash of the client's own account."""
        return cls(2, account)

    @classmethod
    def risk(cls, account: int) -> Self:
        """Margin calls, liquidations and deleveraging of the client's own account."""
        return cls(3, account)

    @classmethod
    def book(cls, market: int = 0) -> Self:
        """Quantity by price (L2)."""
        return cls(4, market)

    @classmethod
    def orders(cls, market: int = 0) -> Self:
        """Orders in the book (L3)."""
        return cls(5, market)

    @classmethod
    def trades(cls, market: int = 0) -> Self:
        """Trades of a market."""
        return cls(6, market)

    @classmethod
    def prices(cls, market: int = 0) -> Self:
        """Oracle price, mark price, funding."""
        return cls(7, market)

    @classmethod
    def liquidations(cls, market: int = 0) -> Self:
        """Liquidations, without the names of accounts."""
        return cls(8, market)

    @classmethod
    def journal(cls) -> Self:
        """The journal's batches."""
        return cls(9)

    @classmethod
    def public_positions(cls) -> Self:
        """Positions of every account."""
        return cls(10)

    @property
    def is_private(self) -> bool:
        """Whether only sessions of the account may follow it."""
        return self.kind <= 3


@dataclass(frozen=True, slots=True)
class ExecutionReport:
    """FIX ExecutionReport (8)."""

    exec_type: ExecType
    cl_ord_id: int
    orig_cl_ord_id: int
    market: int
    side: OrderSide | None
    last_px: int
    last_qty: int
    leaves_qty: int
    reason: OrdRejReason | CancelReason | None
    """Of a rejection or a cancel."""
    is_maker: bool

    @classmethod
    def of(cls, kind: int, *fields: Any) -> Self:
        """From the fields of the protocol."""
        order, orig, market, side, px, qty, leaves, number, is_maker = fields
        exec_type = ExecType(kind)
        reason: OrdRejReason | CancelReason | None = None
        if exec_type is ExecType.REJECTED:
            reason = OrdRejReason(number)
        elif exec_type is ExecType.CANCELED:
            reason = CancelReason(number)
        of_side = None if side is None else OrderSide(side)
        return cls(exec_type, order, orig, market, of_side, px, qty, leaves, reason, is_maker)


@dataclass(frozen=True, slots=True)
class Position:
    """A position after a change."""

    account: int
    market: int
    qty: int


@dataclass(frozen=True, slots=True)
class Cash:
    """Cash after a change, in quanta."""

    account: int
    cash: int


@dataclass(frozen=True, slots=True)
class MarginCall:
    """An account is below its maintenance margin."""

    market: int
    mark_px: int


@dataclass(frozen=True, slots=True)
class Liquidation:
    """A liquidation was executed, wholly or in part."""

    market: int
    held: int
    remaining: int
    book_qty: int
    deleveraged_qty: int
    taken_over_qty: int
    mark_px: int
    bankruptcy_px: int
    fee: int


@dataclass(frozen=True, slots=True)
class Deleveraging:
    """A profitable position was closed against a bankrupt one."""

    market: int
    qty: int
    price: int
    haircut: int


@dataclass(frozen=True, slots=True)
class BadDebt:
    """A loss beyond the collateral behind it."""

    market: int
    amount: int
    borne_by: DebtBearer

    @classmethod
    def of(cls, market: int, amount: int, bearer: int) -> Self:
        """From the fields of the protocol."""
        return cls(market, amount, DebtBearer(bearer))


@dataclass(frozen=True, slots=True)
class BookLevels:
    """Every price at which the quantity changed: (side, price, quantity that rests there)."""

    levels: list[tuple[int, int, int]]


@dataclass(frozen=True, slots=True)
class BookOrders:
    """Every order that changed: (order, side, price, quantity that rests)."""

    orders: list[tuple[int, int, int, int]]


@dataclass(frozen=True, slots=True)
class BatchTrades:
    """Trades of a batch: (price, quantity, side of the taker, whether it was a liquidation)."""

    trades: list[tuple[int, int, int, bool]]


@dataclass(frozen=True, slots=True)
class PricesInForce:
    """Prices in force."""

    oracle_px: int
    observed_ns: int
    mark_px: int


@dataclass(frozen=True, slots=True)
class FundingPayment:
    """A funding payment; premium and rate in 1e-9."""

    price: int
    premium_ppb: int
    rate_ppb: int


@dataclass(frozen=True, slots=True)
class JournalBatch:
    """A frame of the journal (docs/journal.md)."""

    frame: bytes


Event = (
    ExecutionReport
    | Position
    | Cash
    | MarginCall
    | Liquidation
    | Deleveraging
    | BadDebt
    | BookLevels
    | BookOrders
    | BatchTrades
    | PricesInForce
    | FundingPayment
    | JournalBatch
)
_KINDS: Final[tuple[Callable[..., Event], ...]] = (
    ExecutionReport.of,
    Position,
    Cash,
    MarginCall,
    Liquidation,
    Deleveraging,
    BadDebt.of,
    BookLevels,
    BookOrders,
    BatchTrades,
    PricesInForce,
    FundingPayment,
    JournalBatch,
)


def event_of(fields: tuple[Any, ...]) -> Event:
    """An event from its number in the protocol and its fields."""
    made: Event = _KINDS[fields[0] - 1](*fields[1:])
    return made


@dataclass(frozen=True, slots=True)
class StreamEvent:
    """An event with its place in its stream."""

    stream: Stream
    epoch: int
    number: int
    previous: int
    """Number of the event before it on this subscription."""
    sequence: int
    """Place in the journal of the last request of the batch that caused it."""
    time_ns: int
    """Time at which that batch was sealed."""
    event: Event


@dataclass(frozen=True, slots=True)
class Gap:
    """Events of a stream that will not be delivered."""

    stream: Stream
    epoch: int | None
    first: int | None
    """Number of the first missing event; None: it is not known which are missing, or whether any
    is, since the connection was lost before the first event."""
    last: int | None
    reason: GapReason | None
    """The venue's reason; None: the client found the hole."""


@dataclass(frozen=True, slots=True)
class StreamSnapshot:
    """State of a stream."""

    stream: Stream
    place: Place
    """Epoch and number of the last event that it contains."""
    sequence: int
    events: list[Event]
