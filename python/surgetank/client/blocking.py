"""A client of a venue for programs without asyncio: the async one, on a thread of its own."""

from __future__ import annotations

import asyncio
import concurrent.futures
import contextlib
import threading
from collections import deque
from collections.abc import Callable, Coroutine, Iterator, Mapping, Sequence
from types import TracebackType
from typing import Any, Self, TypeVar

from surgetank.client.answers import Answer, OrderStatus
from surgetank.client.asynchronous import AsyncClient
from surgetank.client.connection import ConnectionEnded, ConnectionState, Patience
from surgetank.client.credentials import Credentials, HmacKey
from surgetank.client.enumerations import AnswerLevel, Notice, OrderSide
from surgetank.client.market_by_order import MarketByOrder, RestingOrder
from surgetank.client.order_book import OrderBook
from surgetank.client.requests import Request
from surgetank.client.streams import Gap, Place, Stream, StreamEvent, StreamSnapshot
from surgetank.client.subscription import AsyncSubscription
from surgetank.client.trading import Trading
from surgetank.client.units import Units

__all__ = ["Book", "Client", "Subscription"]

T = TypeVar("T")


class Subscription:
    """Events of a stream, in their order and without holes: where some are missing, a `Gap` is in
    their place. `for` reads them, and ends when the client is closed."""

    def __init__(self, client: Client, events: AsyncSubscription) -> None:
        self._client = client
        self._events = events
        self._read: deque[StreamEvent | Gap] = deque()

    @property
    def stream(self) -> Stream:
        """Name of the stream."""
        return self._events.stream

    @property
    def place(self) -> Place | None:
        """Epoch and number of the last event that came: pass it as `after` to go on from there."""
        return self._events.place

    def get(self, timeout_s: float | None = None) -> StreamEvent | Gap:
        """The next event.

        Raises:
            TimeoutError: none came in time.
            ConnectionEnded: the client has ended, and all events were read.
        """
        if not self._read:
            self._read.extend(self._client.wait(_in_time(self._events.take(), timeout_s)))
        return self._read.popleft()

    def __iter__(self) -> Iterator[StreamEvent | Gap]:
        while True:
            try:
                yield self.get()
            except ConnectionEnded as ended:
                if ended.is_closed:
                    return
                raise


class Book:
    """The book of a market as it is when it is read. Methods and errors are `OrderBook`'s."""

    def __init__(self, client: Client, book: OrderBook) -> None:
        self._client = client
        self._book = book

    @property
    def is_whole(self) -> bool:
        """Whether it can be read."""
        return self._book.is_whole

    def levels(self, side: OrderSide, depth: int | None = None) -> list[tuple[int, int]]:
        """(Price, quantity) of the best levels, best first, in ticks and lots."""
        return self._client.call(lambda: self._book.levels(side, depth))

    def best(self, side: OrderSide) -> tuple[int, int] | None:
        """(Price, quantity) of the best level; None: nothing rests there."""
        return self._client.call(lambda: self._book.best(side))

    def best_usd(self, side: OrderSide) -> tuple[float, float] | None:
        """(Price in USD, quantity in coins) of the best level."""
        return self._client.call(lambda: self._book.best_usd(side))


class OrdersView:
    """The orders of a market as they are when they are read. Methods and errors are
    `MarketByOrder`'s."""

    def __init__(self, client: Client, book: MarketByOrder) -> None:
        self._client = client
        self._book = book

    @property
    def is_whole(self) -> bool:
        """Whether they can be read."""
        return self._book.is_whole

    def orders(self, side: OrderSide) -> list[RestingOrder]:
        """The orders of a side, in the order in which they trade."""
        return self._client.call(lambda: self._book.orders(side))

    def ahead(self, order: int) -> int | None:
        """Lots that trade before an order; None: it does not rest."""
        return self._client.call(lambda: self._book.ahead(order))


class Client(Trading[Answer]):
    """A client that stays logged on: `with` begins and ends it. Every call waits for its answer,
    also over reconnects; its methods may be called from any thread."""

    def __init__(
        self,
        address: str,
        key: Credentials | HmacKey,
        *,
        units: Mapping[int, Units] | None = None,
        session: str | None = None,
        level: AnswerLevel = AnswerLevel.DISK,
        cancel_on_disconnect: bool = False,
        patience: Patience | None = None,
        waiting_max: int = 100_000,
    ) -> None:
        self._client = AsyncClient(
            address,
            key,
            units=units,
            session=session,
            level=level,
            cancel_on_disconnect=cancel_on_disconnect,
            patience=patience,
            waiting_max=waiting_max,
        )
        super().__init__(self._client.account, self._client.units)
        self._loop = asyncio.new_event_loop()
        self._thread = threading.Thread(
            target=self._loop.run_forever, name="surgetank-client", daemon=True
        )

    def open(self) -> Self:
        """Logs on; `with` does it too.

        Raises:
            ConnectionEnded: the venue refuses the logon, or cannot be reached with the patience.
        """
        if not self._thread.is_alive():
            self._thread.start()
        try:
            self.wait(self._client.__aenter__())
        except BaseException:
            self.close()
            raise
        return self

    def close(self) -> None:
        """Logs out, and ends the connection. Orders stay. Safe to call twice."""
        if self._loop.is_closed():
            return
        if self._thread.is_alive():
            with contextlib.suppress(ConnectionEnded):
                self.wait(self._client.close())
            self._loop.call_soon_threadsafe(self._loop.stop)
            self._thread.join()
        self._loop.close()

    def __enter__(self) -> Self:
        return self.open()

    def __exit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        trace: TracebackType | None,
    ) -> None:
        self.close()

    @property
    def state(self) -> ConnectionState:
        """Of its connection."""
        return self._client.state

    @property
    def notice(self) -> Notice | None:
        """What the venue said last of its state."""
        return self._client.notice

    @property
    def logons(self) -> int:
        """How often it has logged on: 1 without a reconnect."""
        return self._client.logons

    @property
    def submitted(self) -> int:
        """Number of its last request."""
        return self._client.submitted

    @property
    def answered_through(self) -> int:
        """All of its requests up to this number are answered."""
        return self._client.answered_through

    def request(self, request: Request) -> Answer:
        """Sends a request in ticks, lots and quanta, and returns its answer. Raises as `send`."""
        return self.wait(self._client.request(request))

    def send(self, requests: Sequence[Request], *, padding: int = 0) -> list[Answer]:
        """Sends requests together, and returns their answers in the same order once all are there.

        Raises:
            ConnectionEnded: no connection is made any more.
        """
        return self.wait(self._client.send(requests, padding=padding))

    def send_later(self, requests: Sequence[Request]) -> concurrent.futures.Future[list[Answer]]:
        """Sends requests together, and returns at once; the future has their answers."""
        return asyncio.run_coroutine_threadsafe(self._client.send(requests), self._running())

    def answered(self, number: int | None = None) -> int:
        """Waits until all requests up to this number (by default, all made so far) are answered,
        and returns up to which they are. Raises as `send`."""
        return self.wait(self._client.answered(number))

    def order_status(self, cl_ord_id: int) -> OrderStatus:
        """What the venue knows of a request of this client's account. Raises as `send`."""
        return self.wait(self._client.order_status(cl_ord_id))

    def snapshot(self, stream: Stream) -> StreamSnapshot:
        """The state of a stream. Raises as `send`."""
        return self.wait(self._client.snapshot(stream))

    def subscribe(
        self, stream: Stream, *, after: Place | None = None, conflate: bool = False
    ) -> Subscription:
        """Follows a stream: from now on, or after an event, given by epoch and number."""
        follow = self._client.subscribe
        return Subscription(self, self.call(lambda: follow(stream, after=after, conflate=conflate)))

    def unsubscribe(self, stream: Stream) -> None:
        """Follows it no longer."""
        self.call(lambda: self._client.unsubscribe(stream))

    def book(self, market: int = 0) -> Book:
        """The book of a market, kept while the client lives; returns when it is whole. Raises as
        `send`."""
        return Book(self, self.wait(self._client.book(market)))

    def market_by_order(self, market: int = 0) -> OrdersView:
        """The orders of a market, kept while the client lives; returns when they are whole. Raises
        as `send`."""
        return OrdersView(self, self.wait(self._client.market_by_order(market)))

    def call(self, function: Callable[[], T]) -> T:
        """Calls a function on the client's thread."""

        async def called() -> T:
            return function()

        return self.wait(called())

    def wait(self, work: Coroutine[Any, Any, T]) -> T:
        """Runs a coroutine on the client's thread, and returns its result."""
        try:
            future = asyncio.run_coroutine_threadsafe(work, self._running())
        except BaseException:
            work.close()
            raise
        try:
            return future.result()
        except BaseException:
            future.cancel()
            raise

    def _running(self) -> asyncio.AbstractEventLoop:
        if self._loop.is_closed() or not self._thread.is_alive():
            raise ConnectionEnded.of_closing("client")
        return self._loop


async def _in_time(work: Coroutine[Any, Any, T], timeout_s: float | None) -> T:
    return await asyncio.wait_for(work, timeout_s)
