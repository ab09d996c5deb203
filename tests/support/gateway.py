"""A small order gateway for tests: WebSocket, JSON, no order book.

`python tests/support/gateway.py PORT [--reject-every N] [--stop-after N]`. Orders on `/orders` are
answered and executed at once; executions are published on `/market`. With `--reject-every`
each n-th order is rejected; with `--stop-after` the gateway breaks the session off after so many
orders.
"""

from __future__ import annotations

import argparse
import asyncio
import json

from websockets.asyncio.server import ServerConnection, broadcast, serve


class Gateway:
    """Counts orders; keeps nothing else."""

    def __init__(self, reject_every: int, stop_after: int) -> None:
        self.reject_every, self.stop_after = reject_every, stop_after
        self.orders = 0
        self.market: set[ServerConnection] = set()

    async def session(self, client: ServerConnection) -> None:
        """One client's connection."""
        assert client.request is not None
        if client.request.path == "/market":
            self.market.add(client)
            await client.wait_closed()
            self.market.discard(client)
        elif client.request.path == "/orders":
            async for text in client:
                await client.send(json.dumps(self.order(json.loads(text))))
                if self.orders == self.stop_after:
                    client.transport.abort()
                    return
        else:
            await client.close(1008, "no such service")

    def order(self, order: dict[str, str]) -> dict[str, str]:
        """Takes an order, and executes it; the answer."""
        self.orders += 1
        if self.reject_every and self.orders % self.reject_every == 0:
            return {"id": order["id"], "status": "rejected", "reason": "price out of band"}
        broadcast(self.market, json.dumps({"event": "execution", "tag": order["tag"]}))
        return {"id": order["id"], "status": "accepted"}


async def main() -> None:
    """Serves until it is ended."""
    asking = argparse.ArgumentParser()
    asking.add_argument("port", type=int)
    asking.add_argument("--reject-every", type=int, default=0)
    asking.add_argument("--stop-after", type=int, default=0)
    asked = asking.parse_args()
    gateway = Gateway(asked.reject_every, asked.stop_after)
    async with serve(gateway.session, "127.0.0.1", asked.port) as server:
        await server.serve_forever()


if __name__ == "__main__":
    asyncio.run(main())
