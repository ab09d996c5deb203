"""The reference server: one queue in memory, one server with a known service time.

Its parameters are known, so measurements of it must agree with queueing theory. The
options of the URL: `service_us` (0), `distribution` = fixed | exponential, `capacity` (messages
that may wait; beyond it they are refused) and `seed`. Run as `python -m
surgetank.live.systems.memory.server PORT OPTIONS`.

Protocol: a client says `PUB` or `SUB` and a newline. A publisher sends payloads, each behind its
length (u32, big-endian), and is answered `A` or `R` (refused) and the eight digits of the number
for each. A subscriber is sent the payloads in the same form.
"""

from __future__ import annotations

import asyncio
import json
import random
import socket
import sys
import time
from collections import deque
from pathlib import Path
from typing import Final

from surgetank.live.event_loop import Timer, run_loop
from surgetank.live.process import Process, wait_until
from surgetank.live.server import Server, free_port
from surgetank.live.target import Where
from surgetank.live.url_options import choice, real_number, whole_number

__all__ = ["Broker", "MemoryServer", "main"]

_BUFFER_MAX: Final = 64 << 20


class Broker:
    """The queue and its server, inside the server's process."""

    def __init__(self, service_us: float, distribution: str, capacity: int, seed: int) -> None:
        self._mean_ns = service_us * 1e3
        self._exponential = distribution == "exponential"
        self._capacity = capacity
        self._draws = random.Random(seed)
        self._waiting: deque[tuple[int, bytes]] = deque()
        self._busy_until_ns = 0
        self._come = asyncio.Event()
        self._subscribers: set[asyncio.StreamWriter] = set()

    async def serve(self) -> None:
        """Serves until it is cancelled: a message leaves after its service time."""
        with Timer() as timer:
            while True:
                if not self._waiting:
                    self._come.clear()
                    await self._come.wait()
                await timer.until(self._waiting[0][0])
                now, out = time.monotonic_ns(), []
                while self._waiting and self._waiting[0][0] <= now:
                    out.append(self._waiting.popleft()[1])
                self._deliver(b"".join(out))

    def _deliver(self, frames: bytes) -> None:
        for writer in list(self._subscribers):
            if writer.transport.get_write_buffer_size() > _BUFFER_MAX:
                writer.transport.abort()
                self._subscribers.discard(writer)
            elif frames:
                writer.write(frames)

    def _take(self, frame: bytes) -> bytes:
        """Admits a message to the queue or refuses it; returns the answer."""
        number = frame[16:24]
        if len(self._waiting) >= self._capacity:
            return b"R" + number
        service = self._draws.expovariate(1) if self._exponential else 1.0
        begin = max(time.monotonic_ns(), self._busy_until_ns)
        self._busy_until_ns = begin + int(service * self._mean_ns)
        self._waiting.append((self._busy_until_ns, frame))
        self._come.set()
        return b"A" + number

    async def client(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        """Serves a connection until it ends."""
        try:
            word = await reader.readline()
            if word == b"SUB\n":
                self._subscribers.add(writer)
                writer.write(b"\0\0\0\0")  # subscribed
                await reader.read()
            elif word == b"PUB\n":
                await self._publisher(reader, writer)
        except (ConnectionError, asyncio.IncompleteReadError):
            pass
        finally:
            self._subscribers.discard(writer)
            writer.close()

    async def _publisher(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        rest = b""
        while piece := await reader.read(1 << 16):
            rest += piece
            at, answers = 0, []
            while len(rest) - at >= 4:
                end = at + 4 + int.from_bytes(rest[at : at + 4])
                if end > len(rest):
                    break
                answers.append(self._take(rest[at:end]))
                at = end
            rest = rest[at:]
            writer.write(b"".join(answers))


class MemoryServer(Server):
    """The broker in a process of its own."""

    name = "memory"

    def __init__(self, folder: Path, where: Where) -> None:
        super().__init__(folder, where)
        self._port = free_port()
        argv = [sys.executable, "-P", "-m", "surgetank.live.systems.memory.server", str(self._port)]
        argv.append(json.dumps(_options(where)))
        self.processes = [Process(argv, folder, "memory.log")]

    @classmethod
    def missing(cls) -> str | None:
        """Always None: it is a part of surgetank."""
        return None

    def start(self) -> Where:
        """See `Server`."""
        self.restart()
        at = ("127.0.0.1", self._port)
        old = self.where
        return Where(old.scheme, *at, old.name, old.options, (at,))

    def restart(self, node: int = 0) -> None:
        """See `Server`."""
        self.processes[0].start()
        wait_until(self._answers, 30, "an answer of the memory server", self.processes[0])

    def _answers(self) -> bool:
        with socket.create_connection(("127.0.0.1", self._port), 1):
            return True


def _options(where: Where) -> dict[str, float | str]:
    return {
        "service_us": real_number(where, "service_us", 0.0),
        "capacity": whole_number(where, "capacity", 1_000_000, 0, 1 << 62),
        "seed": whole_number(where, "seed", 1, 0, 1 << 62),
        "distribution": choice(where, "distribution", ("fixed", "exponential"), "fixed"),
    }


async def _main(port: int, options: dict[str, float | str]) -> int:
    broker = Broker(
        float(options["service_us"]),
        str(options["distribution"]),
        int(options["capacity"]),
        int(options["seed"]),
    )
    server = await asyncio.start_server(broker.client, "127.0.0.1", port)
    async with server:
        await broker.serve()
    return 0


def main() -> int:
    """Entry point of the server's process."""
    return run_loop(_main(int(sys.argv[1]), json.loads(sys.argv[2])))


if __name__ == "__main__":
    sys.exit(main())
