"""A client of a venue: typed, async and sync, over reconnects and restarts (docs/client.md).

>>> key = Credentials.read("keys.toml", "desk")  # doctest: +SKIP
>>> with Client("127.0.0.1:7400", key) as client:  # doctest: +SKIP
...     client.request(Order(Side.BUY, 599_990, 10))
"""

from surgetank.client.answers import (
    Answer,
    Known,
    OrderStatus,
    RefusedRequest,
    SealedRequest,
    Times,
    UnansweredRequest,
)
from surgetank.client.asynchronous import AsyncClient
from surgetank.client.blocking import Book, Client, OrdersView, Subscription
from surgetank.client.connection import ConnectionEnded, ConnectionState, Patience
from surgetank.client.credentials import Credentials
from surgetank.client.enumerations import (
    AnswerLevel,
    CancelReason,
    CutReason,
    DebtBearer,
    ExecType,
    GapReason,
    MarginMode,
    Notice,
    OrderSide,
    OrdRejReason,
    OrdType,
    RefusalReason,
    TimeInForce,
)
from surgetank.client.kept_book import BookNotWhole
from surgetank.client.market_by_order import MarketByOrder, RestingOrder
from surgetank.client.order_book import OrderBook
from surgetank.client.requests import (
    Cancel,
    CancelAll,
    Deposit,
    Halt,
    Liquidate,
    Open,
    OraclePrice,
    Order,
    Replace,
    Request,
    Withdraw,
)
from surgetank.client.streams import (
    BookLevels,
    BookOrders,
    ExecutionReport,
    Gap,
    Stream,
    StreamEvent,
    StreamSnapshot,
)
from surgetank.client.subscription import AsyncSubscription
from surgetank.client.units import Units, units_of_genesis

__all__ = [
    "Answer",
    "AnswerLevel",
    "AsyncClient",
    "AsyncSubscription",
    "Book",
    "BookLevels",
    "BookNotWhole",
    "BookOrders",
    "Cancel",
    "CancelAll",
    "CancelReason",
    "Client",
    "ConnectionEnded",
    "ConnectionState",
    "Credentials",
    "CutReason",
    "DebtBearer",
    "Deposit",
    "ExecType",
    "ExecutionReport",
    "Gap",
    "GapReason",
    "Halt",
    "Known",
    "Liquidate",
    "MarginMode",
    "MarketByOrder",
    "Notice",
    "Open",
    "OraclePrice",
    "OrdRejReason",
    "OrdType",
    "Order",
    "OrderBook",
    "OrderSide",
    "OrderStatus",
    "OrdersView",
    "Patience",
    "RefusalReason",
    "RefusedRequest",
    "Replace",
    "Request",
    "RestingOrder",
    "SealedRequest",
    "Stream",
    "StreamEvent",
    "StreamSnapshot",
    "Subscription",
    "TimeInForce",
    "Times",
    "UnansweredRequest",
    "Units",
    "Withdraw",
    "units_of_genesis",
]
