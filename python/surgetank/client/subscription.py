"""A stream as its reader has it."""

from __future__ import annotations

import asyncio
from collections import deque
from collections.abc import AsyncIterator, Callable

from surgetank.client.connection import ConnectionEnded
from surgetank.client.following import Followed
from surgetank.client.streams import Gap, Stream, StreamEvent

__all__ = ["AsyncSubscription"]


class AsyncSubscription:
    """Events of a stream, in their order and without holes: where some are missing, a `Gap` is in
    their place. `async for` reads them; it ends when the client is closed."""

    def __init__(self, followed: Followed, on_read: Callable[[Followed], None]) -> None:
        self.followed = followed
        self._on_read = on_read
        self._changed = asyncio.Event()
        self._ended: ConnectionEnded | None = None
        self._read: deque[StreamEvent | Gap] = deque()
        followed.on_change = self._changed.set

    @property
    def stream(self) -> Stream:
        """Name of the stream."""
        return self.followed.stream

    @property
    def place(self) -> tuple[int, int] | None:
        """Epoch and number of the last event that came: pass it as `after` to go on from there."""
        return self.followed.place

    async def take(self) -> list[StreamEvent | Gap]:
        """All events that wait, at least one; waits for it.

        Raises:
            ConnectionEnded: the client has ended, and all events were read.
        """
        if self._read:
            items = list(self._read)
            self._read.clear()
            return items
        while not self.followed.waiting:
            if self._ended is not None:
                raise self._ended
            self._changed.clear()
            await self._changed.wait()
        items = self.followed.take()
        self._on_read(self.followed)
        return items

    async def get(self) -> StreamEvent | Gap:
        """The next event. Raises as `take`."""
        if not self._read:
            self._read.extend(await self.take())
        return self._read.popleft()

    def end(self, why: ConnectionEnded) -> None:
        """No further events come."""
        self._ended = why
        self._changed.set()

    def __aiter__(self) -> AsyncIterator[StreamEvent | Gap]:
        return self

    async def __anext__(self) -> StreamEvent | Gap:
        try:
            return await self.get()
        except ConnectionEnded as ended:
            if ended.is_closed:
                raise StopAsyncIteration from None
            raise
