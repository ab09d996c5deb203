"""Requests to a venue, in ticks, lots and quanta."""

from __future__ import annotations

import secrets
import time
from collections.abc import Hashable
from dataclasses import dataclass, fields
from enum import IntEnum
from functools import cache
from typing import Any, ClassVar, Final

from surgetank.client.enumerations import MarginMode, OrderSide, OrdType, TimeInForce
from surgetank.errors import SurgetankError

__all__ = [
    "Cancel",
    "CancelAll",
    "ClOrdIds",
    "Deposit",
    "Halt",
    "Liquidate",
    "Open",
    "OraclePrice",
    "Order",
    "Replace",
    "Request",
    "Withdraw",
    "check_bounds",
]


class ClOrdIds:
    """New ClOrdIDs: they rise, and begin with the time in microseconds. The last twelve bits are
    drawn for the object, so that two clients of an account use different ones."""

    def __init__(self) -> None:
        self._last_us = 0
        self._own = secrets.randbits(12)

    def next(self) -> int:
        """A new ClOrdID."""
        self._last_us = max(self._last_us + 1, time.time_ns() // 1000)
        return self._last_us << 12 | self._own


@dataclass(slots=True, kw_only=True)
class _Identified:
    """What all requests have that are executed at most once."""

    cl_ord_id: int = 0
    """ClOrdID; 0: the client gives it a new one."""
    sender: int | None = None
    """Account in whose name it is sent; None: the client's own."""


@dataclass(slots=True)
class Order(_Identified):
    """FIX NewOrderSingle (D)."""

    name: ClassVar = "order"
    side: OrderSide
    price: int
    """In ticks; ignored for market orders."""
    qty: int
    market: int = 0
    ord_type: OrdType = OrdType.LIMIT
    time_in_force: TimeInForce = TimeInForce.GOOD_TILL_CANCEL
    post_only: bool = False
    reduce_only: bool = False

    def body(self) -> tuple[Any, ...]:
        """Fields of the protocol."""
        kinds = (self.market, self.side, self.ord_type, self.time_in_force)
        flags = (self.post_only, self.reduce_only)
        return (self.cl_ord_id, *kinds, *flags, self.price, self.qty)


@dataclass(slots=True)
class Cancel(_Identified):
    """FIX OrderCancelRequest (F)."""

    name: ClassVar = "cancel"
    orig_cl_ord_id: int
    market: int = 0

    def body(self) -> tuple[Any, ...]:
        """Fields of the protocol."""
        return (self.cl_ord_id, self.orig_cl_ord_id, self.market)


@dataclass(slots=True)
class Replace(_Identified):
    """FIX OrderCancelReplaceRequest (G)."""

    name: ClassVar = "replace"
    orig_cl_ord_id: int
    price: int
    qty: int
    market: int = 0

    def body(self) -> tuple[Any, ...]:
        """Fields of the protocol."""
        return (self.cl_ord_id, self.orig_cl_ord_id, self.market, self.price, self.qty)


@dataclass(slots=True)
class Open(_Identified):
    """Opens an account, without money."""

    name: ClassVar = "open"
    account: int
    mode: MarginMode = MarginMode.CROSS

    def body(self) -> tuple[Any, ...]:
        """Fields of the protocol."""
        return (self.cl_ord_id, self.account, self.mode)


@dataclass(slots=True)
class Deposit(_Identified):
    """Pays money in, in quanta."""

    name: ClassVar = "deposit"
    account: int
    cash: int

    def body(self) -> tuple[Any, ...]:
        """Fields of the protocol."""
        return (self.cl_ord_id, self.account, self.cash)


@dataclass(slots=True)
class Withdraw(_Identified):
    """Pays money out, in quanta."""

    name: ClassVar = "withdraw"
    account: int
    cash: int

    def body(self) -> tuple[Any, ...]:
        """Fields of the protocol."""
        return (self.cl_ord_id, self.account, self.cash)


@dataclass(slots=True)
class CancelAll(_Identified):
    """Cancels the resting orders of an account, of one market or (None) of all."""

    name: ClassVar = "cancel-all"
    account: int
    market: int | None = None

    def body(self) -> tuple[Any, ...]:
        """Fields of the protocol."""
        return (self.cl_ord_id, self.account, self.market)


@dataclass(slots=True)
class Halt(_Identified):
    """Stops new orders of an account, of a market, or of both together, or admits them again."""

    name: ClassVar = "halt"
    account: int | None = None
    market: int | None = None
    halted: bool = True

    def body(self) -> tuple[Any, ...]:
        """Fields of the protocol."""
        return (self.cl_ord_id, self.account, self.market, self.halted)


@dataclass(slots=True)
class OraclePrice:
    """An oracle's price. It has no ClOrdID: a second copy is executed too."""

    name: ClassVar = "price"
    price: int
    observed_ns: int
    market: int = 0
    sender: int | None = None

    def body(self) -> tuple[Any, ...]:
        """Fields of the protocol."""
        return (self.market, self.price, self.observed_ns)


@dataclass(slots=True)
class Liquidate:
    """A keeper's order to close an account out. It has no ClOrdID."""

    name: ClassVar = "liquidation"
    account: int
    qty: int = 0
    """Most lots to close; 0: the whole position."""
    trigger_price: int = 0
    market: int = 0
    sender: int | None = None

    def body(self) -> tuple[Any, ...]:
        """Fields of the protocol."""
        return (self.market, self.account, self.qty, self.trigger_price)


Request = (
    Order
    | Cancel
    | Replace
    | Open
    | Deposit
    | Withdraw
    | CancelAll
    | Halt
    | OraclePrice
    | Liquidate
)

#: Numbers of the protocol by the names of their fields (docs/venue-protocol.md).
_U16, _U32, _U64 = (0, 2**16 - 1), (0, 2**32 - 1), (0, 2**64 - 1)
_I64, _I128 = (-(2**63), 2**63 - 1), (-(2**127), 2**127 - 1)
_BOUNDS: Final = {
    "account": _U32,
    "sender": _U32,
    "market": _U16,
    "cl_ord_id": _U64,
    "orig_cl_ord_id": _U64,
    "observed_ns": _U64,
    "price": _I64,
    "qty": _I64,
    "trigger_price": _I64,
    "cash": _I128,
}
_KINDS: Final[dict[str, type[IntEnum]]] = {
    "side": OrderSide,
    "ord_type": OrdType,
    "time_in_force": TimeInForce,
    "mode": MarginMode,
}


@cache
def _fields(kind: Hashable) -> tuple[tuple[str, ...], tuple[str, ...], frozenset[str]]:
    """Of a class of requests: its numbers, its enumerations, and the numbers that may be None."""
    declared = {field.name: str(field.type) for field in fields(kind)}  # type: ignore[arg-type]
    names = list(declared)
    optional = {name for name, of in declared.items() if of.endswith("| None")}
    numbers, kinds = (tuple(name for name in names if name in of) for of in (_BOUNDS, _KINDS))
    return numbers, kinds, frozenset(optional)


def check_bounds(request: Request) -> None:
    """Checks that the protocol has a place for every field.

    Raises:
        SurgetankError: a number is out of its bounds, or a value none of its enumeration.
    """
    numbers, kinds, optional = _fields(type(request))  # type: ignore[arg-type]
    for name in numbers:
        value = getattr(request, name)
        low, high = _BOUNDS[name]
        if value is None and name in optional:
            continue
        if not isinstance(value, int) or not low <= value <= high:
            hint = f"Give a whole number from {low} to {high}"
            place = f"{request.name}: {name}"
            raise SurgetankError(f"{value!r} cannot be sent", place=place, hint=hint)
    for name in kinds:
        value = getattr(request, name)
        if not isinstance(value, _KINDS[name]):
            hint = f"Give one of {_KINDS[name].__name__}"
            place = f"{request.name}: {name}"
            raise SurgetankError(f"{value!r} cannot be sent", place=place, hint=hint)
