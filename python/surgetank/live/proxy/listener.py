"""A link's listening port and the connections through it."""

from __future__ import annotations

import asyncio

from surgetank.live.event_loop import Alarms
from surgetank.live.proxy.fate import Fate, Link
from surgetank.live.proxy.flow import Half, Relay, reset
from surgetank.live.proxy.line import LinkDirection
from surgetank.live.proxy.readings import Delays, LinkReading

__all__ = ["Listener"]


class _Connection:
    """A client's socket and the proxy's own to the server."""

    def __init__(self, owner: Listener) -> None:
        self._owner = owner
        self.near = Half(self)
        self.far = Half(self)
        self.up = Relay(owner.up, self.near, self.far, owner.alarms)
        self.down = Relay(owner.down, self.far, self.near, owner.alarms)
        self.near.out, self.near.back = self.up, self.down
        self.far.out, self.far.back = self.down, self.up
        self.connecting: asyncio.Task[None] | None = None

    def opened(self, half: Half) -> None:
        if half is self.near:
            self._owner.arrived(self)

    def lost(self, half: Half, error: Exception | None) -> None:
        self._owner.departed(self)

    def connect(self) -> None:
        """Connects to the server; called once."""
        if self.connecting is None:
            self.connecting = asyncio.get_running_loop().create_task(self._connect())

    async def _connect(self) -> None:
        loop = asyncio.get_running_loop()
        try:
            await loop.create_connection(lambda: self.far, *self._owner.link.to)
        except OSError:
            self._owner.refused += 1
            self.reset()
        else:
            if self.near.transport is None:
                reset(self.far.transport)
            else:
                self.pump()  # uvloop reads at once, whatever connection_made says
        loop.call_soon(self._owner.departed, self)

    def reset(self) -> None:
        """Resets both sides; held bytes are lost."""
        for half in (self.near, self.far):
            half.out = None
            reset(half.transport)

    @property
    def gone(self) -> bool:
        """Whether both sides have ended."""
        if self.connecting is not None and not self.connecting.done():
            return False
        return self.near.transport is None and self.far.transport is None

    def pump(self) -> None:
        """Writes the bytes that are due after the fate has changed."""
        for flow in (self.up, self.down):
            flow.pump()
            flow.room()


class Listener:
    """The listening port and the connections of one link."""

    def __init__(self, link: Link, seed: int, alarms: Alarms) -> None:
        self.link = link
        self.alarms = alarms
        self.up = LinkDirection(f"{link.name}/up", seed)
        self.down = LinkDirection(f"{link.name}/down", seed)
        self._connections: dict[_Connection, None] = {}
        self.opened = self.refused = self.resets = 0
        self._server: asyncio.Server | None = None

    async def listen(self) -> int:
        """Starts listening; returns the port."""
        loop = asyncio.get_running_loop()
        self._server = await loop.create_server(
            lambda: _Connection(self).near, "127.0.0.1", self.link.port, backlog=1024
        )
        return int(self._server.sockets[0].getsockname()[1])

    def set(self, fate: Fate) -> None:
        """Sets the fate from now on."""
        self.opened = self.refused = self.resets = 0
        for line in (self.up, self.down):
            line.begin(fate)
        if fate.drop:
            self.reset()
        if fate.holds:
            return
        for connection in list(self._connections):
            connection.connect()
            connection.pump()

    def reset(self) -> int:
        """Resets all connections; returns how many."""
        found = list(self._connections)
        for connection in found:
            connection.reset()
        self.resets += len(found)
        return len(found)

    def arrived(self, connection: _Connection) -> None:
        """Connects a new client to the server, or refuses it."""
        fate = self.up.fate
        if fate.refuses:
            self.refused += 1
            connection.reset()
            return
        self.opened += 1
        self._connections[connection] = None
        if not fate.holds:
            connection.connect()

    def departed(self, connection: _Connection) -> None:
        """Notes that one side has ended; when both have, the connection is removed."""
        if connection.gone or connection.connecting is None:
            self._connections.pop(connection, None)

    def reading(self) -> LinkReading:
        """The reading of both directions together."""
        lines = (self.up, self.down)
        both = Delays.together(line.delays for line in lines)
        return LinkReading(
            name=self.link.name,
            a=self.link.a,
            b=self.link.b,
            connections=len(self._connections),
            opened=self.opened,
            refused=self.refused,
            resets=self.resets,
            chunks=sum(line.chunks for line in lines),
            bytes=sum(line.bytes for line in lines),
            held_bytes=sum(c.up.held_bytes + c.down.held_bytes for c in self._connections),
            delays=both.n,
            delay_asked_ms=sum(line.asked_ns for line in lines) / max(1, both.n) / 1e6,
            delay_mean_ms=both.sum_ns / max(1, both.n) / 1e6,
            delay_p50_ms=both.quantile_ns(0.50) / 1e6,
            delay_p99_ms=both.quantile_ns(0.99) / 1e6,
            segments=sum(line.segments for line in lines),
            segments_lost=sum(line.segments_lost for line in lines),
            busy_bytes=sum(line.busy_bytes for line in lines),
            busy_s=sum(line.busy_ns for line in lines) / 1e9,
            by_direction={"up": self.up.bytes, "down": self.down.bytes},
        )
