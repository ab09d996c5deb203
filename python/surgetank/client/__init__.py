"""A client of a venue: typed, async and sync, over reconnects and restarts (docs/client.md).

>>> key = Credentials.read("keys.toml", "desk")  # doctest: +SKIP
>>> with Client("127.0.0.1:7400", key) as client:  # doctest: +SKIP
...     client.request(Order(Side.BUY, 599_990, 10))
"""

from surgetank.client.answers import Answer, Known, OrderStatus, Refused, Sealed, Times, Unanswered
from surgetank.client.asynchronous import AsyncClient
from surgetank.client.blocking import Book, Client, Subscription
from surgetank.client.connection import ConnectionEnded, Patience, State
from surgetank.client.credentials import Credentials
from surgetank.client.enumerations import (
    Bearer,
    CancelReason,
    CutReason,
    ExecType,
    GapReason,
    Level,
    MarginMode,
    Notice,
    OrdRejReason,
    OrdType,
    RefusalReason,
    Side,
    TimeInForce,
)
from surgetank.client.order_book import BookNotWhole, OrderBook
from surgetank.client.requests import (
    Cancel,
    CancelAll,
    Deposit,
    Halt,
    Liquidate,
    Open,
    Order,
    Price,
    Replace,
    Request,
    Withdraw,
)
from surgetank.client.streams import (
    ExecutionReport,
    Gap,
    Levels,
    Snapshot,
    Stream,
    StreamEvent,
)
from surgetank.client.subscription import AsyncSubscription
from surgetank.client.units import Units, units_of_genesis

__all__ = [
    "Answer",
    "AsyncClient",
    "AsyncSubscription",
    "Bearer",
    "Book",
    "BookNotWhole",
    "Cancel",
    "CancelAll",
    "CancelReason",
    "Client",
    "ConnectionEnded",
    "Credentials",
    "CutReason",
    "Deposit",
    "ExecType",
    "ExecutionReport",
    "Gap",
    "GapReason",
    "Halt",
    "Known",
    "Level",
    "Levels",
    "Liquidate",
    "MarginMode",
    "Notice",
    "Open",
    "OrdRejReason",
    "OrdType",
    "Order",
    "OrderBook",
    "OrderStatus",
    "Patience",
    "Price",
    "RefusalReason",
    "Refused",
    "Replace",
    "Request",
    "Sealed",
    "Side",
    "Snapshot",
    "State",
    "Stream",
    "StreamEvent",
    "Subscription",
    "TimeInForce",
    "Times",
    "Unanswered",
    "Units",
    "Withdraw",
    "units_of_genesis",
]
