"""Enumerations of the venue's binary protocol, with its numbers (docs/venue-protocol.md).

`tests/venue/test_client_values.py` compares them with the compiled core's.
"""

from __future__ import annotations

from enum import IntEnum

__all__ = [
    "AnswerLevel",
    "CancelReason",
    "CutReason",
    "DebtBearer",
    "ExecType",
    "GapReason",
    "MarginMode",
    "Notice",
    "OrdRejReason",
    "OrdType",
    "OrderSide",
    "RefusalReason",
    "TimeInForce",
]


class OrderSide(IntEnum):
    """FIX Side (54)."""

    BUY = 1
    SELL = 2


class OrdType(IntEnum):
    """FIX OrdType (40)."""

    MARKET = 1
    LIMIT = 2


class TimeInForce(IntEnum):
    """FIX TimeInForce (59)."""

    GOOD_TILL_CANCEL = 1
    IMMEDIATE_OR_CANCEL = 3


class ExecType(IntEnum):
    """FIX ExecType (150); a trade, F there, is 1."""

    NEW = 0
    TRADE = 1
    CANCELED = 4
    REPLACED = 5
    REJECTED = 8


class OrdRejReason(IntEnum):
    """FIX OrdRejReason (103): why the market rejected a request that is in the journal. From 100
    on they are the venue's own."""

    UNKNOWN_SYMBOL = 1
    ORDER_EXCEEDS_LIMIT = 3
    UNKNOWN_ORDER = 5
    DUPLICATE_ORDER = 6
    UNSUPPORTED_ORDER = 11
    INCORRECT_QUANTITY = 13
    UNKNOWN_ACCOUNT = 15
    PRICE_OUT_OF_BAND = 16
    INSUFFICIENT_MARGIN = 100
    POST_ONLY_WOULD_TAKE = 101
    REDUCE_ONLY_WOULD_INCREASE = 102
    STALE_PRICE = 103
    ONLY_REDUCING = 104
    INCORRECT_AMOUNT = 105
    ACCOUNT_UNAVAILABLE = 106


class CancelReason(IntEnum):
    """Why the open quantity of an order was cancelled."""

    REQUESTED = 0
    IMMEDIATE_OR_CANCEL = 1
    SELF_TRADE = 2
    REDUCE_ONLY = 3
    LIQUIDATION = 4


class RefusalReason(IntEnum):
    """Why a request was not accepted: it is not in the journal."""

    NOT_PERMITTED = 1
    WRONG_SIGNATURE = 2
    UNKNOWN_CLASS = 3
    TOO_OLD = 4
    HALTED = 5
    QUEUE_FULL = 6
    ACCOUNT_QUEUE_FULL = 7
    RATE_EXCEEDED = 8
    DISK_RESERVE = 9
    DISK_FULL = 10
    DRAINING = 11
    NOT_LEADER = 12
    FUTURE_TIME = 13


class CutReason(IntEnum):
    """Why a connection ended."""

    MALFORMED = 1
    TOO_LARGE = 2
    OUT_OF_TURN = 3
    LOGON_REFUSED = 4
    CLOCK_SKEW = 5
    WRONG_MAC = 6
    FRAME_NUMBER = 7
    REQUEST_NUMBER = 8
    LOGON_TIMEOUT = 9
    SILENT = 10
    REPLACED = 11
    SLOW_READER = 12
    KEY_CHANGED = 13
    TOO_MANY_CONNECTIONS = 14
    STOPPING = 15
    LOGGED_OUT = 16
    LEVEL_NOT_OFFERED = 17
    NOT_PERMITTED = 18
    TOO_MANY_SUBSCRIPTIONS = 19
    NO_SUCH_STREAM = 20


class GapReason(IntEnum):
    """Why events of a stream will never be sent."""

    ARCHIVED = 1
    OTHER_EPOCH = 2
    NOT_KEPT = 3


class Notice(IntEnum):
    """A state of the venue, as it says it."""

    SERVING = 1
    DISK_RESERVE = 2
    DISK_FULL = 3
    DRAINING = 4


class AnswerLevel(IntEnum):
    """What must have happened to a request before it is answered."""

    MEMORY = 0
    DISK = 1
    QUORUM = 2


class MarginMode(IntEnum):
    """Whether the positions of an account share their collateral."""

    ISOLATED = 0
    CROSS = 1
    PORTFOLIO = 2


class DebtBearer(IntEnum):
    """Who bore a bad debt."""

    INSURANCE = 0
    DELEVERAGED = 1
    VENUE = 2
    VAULT = 3
