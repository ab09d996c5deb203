"""A client of a venue, for asyncio."""

from __future__ import annotations

import asyncio
import contextlib
import secrets
import time
from collections.abc import Callable, Coroutine, Mapping, Sequence
from types import TracebackType
from typing import Any, Final, Self, TypeVar

from surgetank.client.answers import Answer, OrderStatus
from surgetank.client.connection import ClientConnection, ConnectionEnded, ConnectionState, Patience
from surgetank.client.credentials import Credentials, HmacKey
from surgetank.client.enumerations import AnswerLevel, Notice
from surgetank.client.following import Followed
from surgetank.client.kept_book import KeptBook
from surgetank.client.market_by_order import MarketByOrder
from surgetank.client.order_book import OrderBook
from surgetank.client.pending import Submission
from surgetank.client.requests import Request
from surgetank.client.session import Logon, Session
from surgetank.client.streams import Gap, Place, Stream, StreamSnapshot
from surgetank.client.subscription import AsyncSubscription
from surgetank.client.trading import Trading
from surgetank.client.units import Units

__all__ = ["AsyncClient"]

#: For the logout to be sent.
_CLOSE_S: Final = 2.0
T = TypeVar("T")


class _Done:
    """Something that is waited for, and happens once or never."""

    def __init__(self) -> None:
        self.future: asyncio.Future[None] = asyncio.get_running_loop().create_future()

    def set(self) -> None:
        """It has happened."""
        if not self.future.done():
            self.future.set_result(None)

    def fail(self, why: BaseException) -> None:
        """It will not happen."""
        if not self.future.done():
            self.future.set_exception(why)


class AsyncClient(Trading[Coroutine[Any, Any, Answer]]):
    """A client that stays logged on: `async with` begins and ends it.

    Requests that are made while it has no connection are sent on the next one.
    """

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
        credentials = Credentials.of(key)
        super().__init__(credentials.account, dict(units or {}))
        name = session or f"python-{secrets.token_hex(8)}"
        logon = Logon(credentials, name, level, cancel_on_disconnect)
        self.notice: Notice | None = None
        """What the venue said last of its state."""
        self.on_notice: Callable[[Notice], None] = lambda _: None
        self._session = Session(logon, self._noticed)
        self._connection = ClientConnection(
            address, self._session, patience or Patience(), self._state_changed
        )
        self._waiting_max = waiting_max
        self._subscriptions: dict[Stream, AsyncSubscription] = {}
        self._books: list[tuple[KeptBook, AsyncSubscription]] = []
        self._waited: set[_Done] = set()
        self._tasks: set[asyncio.Task[None]] = set()
        self._logged_on = asyncio.Event()

    async def __aenter__(self) -> Self:
        if not self._tasks:
            self._spawn(self._run())
        await self._logged_on.wait()
        if self._connection.ended is not None:
            await self.close()
            raise self._connection.ended
        return self

    async def __aexit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        trace: TracebackType | None,
    ) -> None:
        await self.close()

    @property
    def state(self) -> ConnectionState:
        """Of its connection."""
        return self._connection.state

    @property
    def logons(self) -> int:
        """How often it has logged on: 1 without a reconnect."""
        return self._connection.logons

    @property
    def submitted(self) -> int:
        """Number of its last request."""
        return self._session.unresolved.submitted

    @property
    def answered_through(self) -> int:
        """All of its requests up to this number are answered."""
        return self._session.unresolved.answered_through

    async def request(self, request: Request) -> Answer:
        """Sends a request in ticks, lots and quanta, and returns its answer. Raises as `send`."""
        return (await self.send([request]))[0]

    async def send(self, requests: Sequence[Request], *, padding: int = 0) -> list[Answer]:
        """Sends requests together, and returns their answers in the same order once all are there.

        Raises:
            ConnectionEnded: no connection is made any more.
        """
        self._check()
        if not requests:
            return []
        done = _Done()
        batch = Submission(done.set, padding)
        self._session.submit(time.time_ns(), requests, batch)
        self._connection.flush()
        await self._connection.drained()
        await self._until(done)
        return batch.answers

    async def answered(self, number: int | None = None) -> int:
        """Waits until all requests up to this number (by default, all made so far) are answered,
        and returns up to which they are. Raises as `send`."""
        upto = self.submitted if number is None else number
        last = self._session.unresolved
        while last.answered_through < upto:
            done = _Done()
            last.on_next_answer(done.set)
            await self._until(done)
        return last.answered_through

    async def order_status(self, cl_ord_id: int) -> OrderStatus:
        """What the venue knows of a request of this client's account. Raises as `send`."""
        return await self._ask(lambda reply: self._session.order_status(cl_ord_id, reply))

    async def snapshot(self, stream: Stream) -> StreamSnapshot:
        """The state of a stream. Raises as `send`."""
        return await self._ask(lambda reply: self._session.snapshot(stream, reply))

    def subscribe(
        self, stream: Stream, *, after: Place | None = None, conflate: bool = False
    ) -> AsyncSubscription:
        """Follows a stream: from now on, or after an event, given by epoch and number."""
        self._check()
        followed = Followed(stream, after, conflate, self._waiting_max)
        subscription = AsyncSubscription(followed, self._read)
        self._subscriptions[stream] = subscription
        self._session.follow(followed)
        self._connection.flush()
        return subscription

    def unsubscribe(self, stream: Stream) -> None:
        """Follows it no longer."""
        subscription = self._subscriptions.pop(stream, None)
        if subscription is not None:
            subscription.end(ConnectionEnded.of_closing(self._connection.address))
        self._session.leave(stream)
        self._connection.flush()

    async def book(self, market: int = 0) -> OrderBook:
        """The book of a market, kept while the client lives; returns when it is whole. Raises as
        `send`."""
        book = OrderBook(market, self.units.get(market))
        await self._begin_book(book)
        return book

    async def market_by_order(self, market: int = 0) -> MarketByOrder:
        """The orders of a market, kept while the client lives; returns when they are whole. Raises
        as `send`."""
        book = MarketByOrder(market)
        await self._begin_book(book)
        return book

    async def _begin_book(self, book: KeptBook) -> None:
        changes = self.subscribe(book.stream)
        self._books.append((book, changes))
        self._spawn(self._keep(book, changes))
        book.load(await self.snapshot(book.stream))

    async def _keep(self, book: KeptBook, changes: AsyncSubscription) -> None:
        with contextlib.suppress(ConnectionEnded):
            while True:
                for item in await changes.take():
                    was_whole = book.is_whole
                    book.apply(item)
                    if (was_whole or isinstance(item, Gap)) and not book.is_whole:
                        self._renew(book)

    def _renew(self, book: KeptBook) -> None:
        self._session.snapshot(book.stream, book.load)
        self._connection.flush()

    async def close(self) -> None:
        """Logs out, and ends the connection. Orders stay."""
        if self._connection.ended is None:
            self._session.logout()
            self._connection.flush()
            with contextlib.suppress(TimeoutError):
                await asyncio.wait_for(self._connection.drained(), _CLOSE_S)
            self._connection.close()
        for task in self._tasks:
            task.cancel()
        await asyncio.gather(*self._tasks, return_exceptions=True)

    # Its connection.

    async def _run(self) -> None:
        try:
            await self._connection.run()
        except asyncio.CancelledError:
            raise
        except Exception as error:  # A defect: whoever waits must hear of it.
            self._connection.fail(error)

    def _state_changed(self, state: ConnectionState) -> None:
        if state is ConnectionState.CONNECTING:
            for book, _ in self._books:
                book.interrupt("not connected")
            return
        self._logged_on.set()
        if state is ConnectionState.LOGGED_ON:
            for book, _ in self._books:
                self._renew(book)
            return
        ended = self._connection.ended
        assert ended is not None
        for subscription in self._subscriptions.values():
            subscription.end(ended)
        for book, _ in self._books:
            book.interrupt("the client has ended")
        for waited in self._waited:
            waited.fail(ended)

    def _noticed(self, notice: Notice) -> None:
        self.notice = notice
        self.on_notice(notice)

    def _read(self, followed: Followed) -> None:
        if followed.is_behind:
            self._session.resume(followed)
            self._connection.flush()

    def _check(self) -> None:
        if self._connection.ended is not None:
            raise self._connection.ended

    async def _ask(self, ask: Callable[[Callable[[T], None]], None]) -> T:
        self._check()
        done = _Done()
        replies: list[T] = []

        def reply(value: T) -> None:
            replies.append(value)
            done.set()

        ask(reply)
        self._connection.flush()
        await self._until(done)
        return replies[0]

    async def _until(self, done: _Done) -> None:
        self._waited.add(done)
        try:
            await done.future
        finally:
            self._waited.discard(done)

    def _spawn(self, work: Coroutine[None, None, None]) -> None:
        task = asyncio.create_task(work)
        self._tasks.add(task)
        task.add_done_callback(self._tasks.discard)
