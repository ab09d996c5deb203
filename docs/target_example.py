"""An example of a target: a WebSocket gateway that takes orders and publishes executions.

Orders go to `/orders` as JSON and are answered there, accepted or rejected; executions are
published to all clients on `/market`. Run it from this directory against a gateway on port 8765:
`surgetank run calm --target target_example:OrderGateway?port=8765`.
"""

from __future__ import annotations

import asyncio
import contextlib
import json
from collections.abc import AsyncIterator

from websockets.asyncio.client import connect
from websockets.exceptions import ConnectionClosed, WebSocketException

from surgetank.live import Capabilities, Disconnected, Outgoing, Refused, Target, TargetError


class OrderGateway(Target):
    """One session for orders, one for market data."""

    @property
    def capabilities(self) -> Capabilities:
        """Every order is answered; nothing else is guaranteed."""
        return Capabilities(acks=("answer",), ack="answer")

    async def open(self) -> None:
        """Connects; a task of its own reads the session, so that answers may come late."""
        self.waiting: dict[int, asyncio.Future[dict[str, str]]] = {}
        self.uri = f"ws://{self.where.host}:{self.where.port}"
        try:
            self.orders = await connect(f"{self.uri}/orders", proxy=None)
        except (OSError, WebSocketException) as error:
            raise TargetError(f"no gateway answers ({error})", place=self.uri) from None
        self.reading = asyncio.create_task(self.read())

    async def read(self) -> None:
        """Passes each answer to the `publish` that awaits it."""
        with contextlib.suppress(ConnectionClosed):
            async for text in self.orders:
                answer = json.loads(text)
                self.waiting[answer["id"]].set_result(answer)
        for unanswered in self.waiting.values():
            if not unanswered.done():
                unanswered.set_exception(Disconnected())

    async def publish(self, message: Outgoing) -> None:
        """Sends an order; `tag` comes back with its execution."""
        answered = self.waiting[message.number] = asyncio.get_running_loop().create_future()
        order = {"id": message.number, "account": message.account, "type": message.class_name}
        try:
            await self.orders.send(json.dumps({**order, "tag": message.payload.decode()}))
            answer = await answered
        except ConnectionClosed:
            raise Disconnected from None
        finally:
            del self.waiting[message.number]
        if answer["status"] != "accepted":
            raise Refused(answer["reason"])

    async def subscribe(self) -> AsyncIterator[bytes]:
        """The tags of executed orders."""
        async with connect(f"{self.uri}/market", proxy=None) as market:
            async for text in market:
                yield json.loads(text)["tag"].encode()

    async def close(self) -> None:
        """Closes the session."""
        await self.orders.close()
        await self.reading
