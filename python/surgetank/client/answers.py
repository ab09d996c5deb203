"""What became of a request. Every request gets exactly one of these."""

from __future__ import annotations

from dataclasses import dataclass
from enum import StrEnum
from typing import Final, Self

from surgetank.client.enumerations import OrdRejReason, RefusalReason

__all__ = [
    "Answer",
    "Known",
    "OrderStatus",
    "RefusedRequest",
    "SealedRequest",
    "Times",
    "UnansweredRequest",
]

_UNCERTAIN: Final = {
    RefusalReason.NOT_PERMITTED,
    RefusalReason.WRONG_SIGNATURE,
    RefusalReason.TOO_OLD,
}


@dataclass(frozen=True, slots=True)
class Times:
    """The venue's stamps of a request, in ns since 1970."""

    received_ns: int
    sealed_ns: int
    synced_ns: int
    """0: it was answered before it was durable."""
    executed_ns: int


@dataclass(frozen=True, slots=True)
class SealedRequest:
    """The request has its place in the journal and is executed."""

    number: int
    """Number of the request in this client, from 1."""
    cl_ord_id: int
    """ClOrdID; 0 for a price or a liquidation."""
    sequence: int
    """Place in the journal."""
    ord_rej_reason: OrdRejReason | None
    """Why the market rejected it; None: it did not."""
    times: Times | None
    """None of a duplicate: the venue gives the stamps once."""
    duplicate: bool = False
    """Whether an earlier copy of the request, whose answer was lost, has the place."""

    @property
    def accepted(self) -> bool:
        """Whether the market did what was asked for."""
        return self.ord_rej_reason is None


@dataclass(frozen=True, slots=True)
class RefusedRequest:
    """The venue did not accept the request: it has no place in the journal."""

    number: int
    cl_ord_id: int
    reason: RefusalReason
    retry_after_s: float | None
    """Time after which it may be accepted; None: the venue gives no hint."""
    resent: bool = False
    """Whether an earlier copy was sent, whose answer was lost."""

    @property
    def accepted(self) -> bool:
        """False, as `SealedRequest.accepted` has it."""
        return False

    @property
    def may_be_executed(self) -> bool:
        """Whether an earlier copy may have been executed although this one was refused: the venue
        checked the key, or that the ClOrdID is new enough, before it looked for the copy."""
        old = self.reason is RefusalReason.TOO_OLD
        return old or (self.resent and self.reason in _UNCERTAIN)


@dataclass(frozen=True, slots=True)
class UnansweredRequest:
    """The connection ended before the answer, and the request is not sent again: prices and
    liquidations have no ClOrdID, so a second copy would be executed too."""

    number: int
    cl_ord_id: int = 0

    @property
    def accepted(self) -> bool:
        """False: it is not known."""
        return False


Answer = SealedRequest | RefusedRequest | UnansweredRequest


class Known(StrEnum):
    """What a venue knows of a ClOrdID."""

    KNOWN = "known"
    WAITING = "waiting"
    UNKNOWN = "unknown"
    TOO_OLD = "too-old"


@dataclass(frozen=True, slots=True)
class OrderStatus:
    """What the venue knows of a ClOrdID."""

    cl_ord_id: int
    known: Known
    """`known`: in the journal; `waiting`: not durable yet; `unknown`: not executed; `too-old`: no
    longer remembered."""
    sequence: int
    """Place in the journal, if it is known."""
    ord_rej_reason: OrdRejReason | None

    @classmethod
    def of(cls, cl_ord_id: int, number: int, sequence: int, reason: int) -> Self:
        """From the numbers of the protocol."""
        rejected = OrdRejReason(reason) if reason else None
        return cls(cl_ord_id, tuple(Known)[number - 1], sequence, rejected)
