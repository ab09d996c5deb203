"""What a link proxy costs and how exact its delays are: ours, a relay of asyncio that does nothing,
Toxiproxy if its server is given, and none, in turn.

`python benchmarks/proxy.py [--toxiproxy PATH] [--rounds N]` prints a table. Toxiproxy is built by
`GOBIN=$PWD go install github.com/Shopify/toxiproxy/v2/cmd/server@v2.5.0`. Client, echo server and
proxies share this machine, so on a busy one every figure gets worse, the direct one too.
"""

from __future__ import annotations

import argparse
import asyncio
import contextlib
import json
import multiprocessing
import os
import socket
import statistics
import subprocess
import sys
import threading
import time
import urllib.error
import urllib.request
from collections.abc import Callable, Iterator
from dataclasses import dataclass, field
from multiprocessing.connection import Connection
from pathlib import Path
from typing import Any

import psutil

from surgetank.live.event_loop import run_loop
from surgetank.live.proxy import Fate, Link, Proxy
from surgetank.live.server import free_port

_ROUND_TRIPS = 2_000
_DELAYED = 100
_BLOCK = os.urandom(1 << 16)
_STREAM_BYTES = 128 << 20
_DELAYS_MS = (1, 5, 20)
#: No answer for so long: the proxy passes nothing any more.
_HUNG_S = 20.0

Address = tuple[str, int]


def _serve(port: Connection) -> None:
    """Answers small messages; reads a stream and answers when it has all."""
    with socket.create_server(("127.0.0.1", 0)) as server:
        port.send(server.getsockname())
        while True:
            client, _ = server.accept()
            threading.Thread(target=_answer, args=(client,), daemon=True).start()


def _answer(client: socket.socket) -> None:
    client.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
    with client:
        kind = client.recv(1)
        got = 0
        while data := client.recv(1 << 18):
            got += len(data)
            if kind == b"e":
                client.sendall(data)
            elif got >= _STREAM_BYTES:
                client.sendall(b"!")


def _connect(address: Address, kind: bytes) -> socket.socket:
    client = socket.create_connection(address, timeout=_HUNG_S)
    client.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
    client.sendall(kind)
    return client


def round_trips(address: Address, count: int) -> list[float]:
    """Times of round trips of 128 bytes, µs, sorted; shape (count,)."""
    times_us = []
    with _connect(address, b"e") as client:
        for _ in range(count):
            began_ns = time.perf_counter_ns()
            client.sendall(_BLOCK[:128])
            client.recv(128)
            times_us.append((time.perf_counter_ns() - began_ns) / 1e3)
    return sorted(times_us)


def stream(address: Address) -> float:
    """Megabytes a second, one way."""
    with _connect(address, b"s") as client:
        began = time.perf_counter()
        for _ in range(_STREAM_BYTES // len(_BLOCK)):
            client.sendall(_BLOCK)
        client.recv(1)
        return _STREAM_BYTES / 1e6 / (time.perf_counter() - began)


@dataclass
class Way:
    """A way to the server, and what was measured on it, round by round."""

    name: str
    address: Address
    delayed: Callable[[int], Address] | None
    """Where to connect for a delay of so many ms, each way; None if it has none."""
    pid: int = 0
    figures: dict[str, list[float]] = field(default_factory=dict)

    def note(self, figure: str, value: float) -> None:
        """Counts one more."""
        self.figures.setdefault(figure, []).append(value)

    def cpu_s(self) -> float:
        """CPU time that its process has used."""
        used = psutil.Process(self.pid).cpu_times()
        return float(used.user + used.system)

    def measure(self) -> None:
        """Measures one round."""
        before = self.cpu_s() if self.pid else 0.0
        idle_us = round_trips(self.address, _ROUND_TRIPS)
        if self.pid:
            self.note("CPU of a round trip, µs", (self.cpu_s() - before) / _ROUND_TRIPS * 1e6)
        for q in (50, 90, 99):
            self.note(f"round trip p{q}, µs", idle_us[_ROUND_TRIPS * q // 100])
        self.note("stream, MB/s", stream(self.address))
        for asked_ms in () if self.delayed is None else _DELAYS_MS:
            assert self.delayed is not None
            delayed_us = round_trips(self.delayed(asked_ms), _DELAYED)
            for q in (50, 99):
                added_us = (delayed_us[_DELAYED * q // 100] - idle_us[_ROUND_TRIPS // 2]) / 2
                self.note(f"{asked_ms} ms asked, added each way, p{q}, ms", added_us / 1e3)
        if self.delayed is not None:
            self.delayed(0)


async def _relay(target: Address) -> None:
    """Copies bytes both ways, and prints its port."""

    async def copy(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        while data := await reader.read(1 << 16):
            writer.write(data)
            await writer.drain()
        writer.close()

    async def connected(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        far_reader, far_writer = await asyncio.open_connection(*target)
        with contextlib.suppress(OSError):
            await asyncio.gather(copy(reader, far_writer), copy(far_reader, writer))

    server = await asyncio.start_server(connected, "127.0.0.1", 0)
    print(server.sockets[0].getsockname()[1], flush=True)
    await server.serve_forever()


@contextlib.contextmanager
def _started(argv: list[str], **options: Any) -> Iterator[subprocess.Popen[str]]:
    process = subprocess.Popen(argv, stdout=subprocess.PIPE, text=True, **options)
    try:
        yield process
    finally:
        process.kill()
        process.communicate()


@contextlib.contextmanager
def relayed(target: Address) -> Iterator[Way]:
    """Through the relay of asyncio, on the event loop that ours has."""
    with _started([sys.executable, __file__, "--relay", f"{target[1]}"]) as process:
        assert process.stdout is not None
        port = int(process.stdout.readline())
        yield Way("relay of asyncio", ("127.0.0.1", port), None, process.pid)


@contextlib.contextmanager
def ours(target: Address) -> Iterator[Way]:
    """Through `surgetank.live.proxy`."""
    with Proxy([Link("x", to=target)]) as proxy:

        def delayed(ms: int) -> Address:
            proxy.set("x", Fate(delay_ms=ms))
            return proxy.address("x")

        yield Way("ours", delayed(0), delayed, proxy.pid)


@contextlib.contextmanager
def toxiproxy(server: Path, target: Address) -> Iterator[Way]:
    """Through Toxiproxy: one of its proxies for each delay, with a latency toxic each way."""
    api = f"http://127.0.0.1:{free_port()}"
    ports = {ms: free_port() for ms in (0, *_DELAYS_MS)}

    def ask(path: str, data: dict[str, Any] | None = None) -> None:
        body = None if data is None else json.dumps(data).encode()
        with urllib.request.urlopen(api + path, data=body, timeout=5):
            pass

    argv = [str(server), "-port", api.rpartition(":")[2], "-seed", "1"]
    with _started(argv, stderr=subprocess.DEVNULL) as process:
        for _ in range(100):
            with contextlib.suppress(urllib.error.URLError):
                ask("/version")
                break
            time.sleep(0.05)
        for ms, port in ports.items():
            name, upstream = f"ms{ms}", f"{target[0]}:{target[1]}"
            ask("/proxies", {"name": name, "listen": f"127.0.0.1:{port}", "upstream": upstream})
            for way in ("upstream", "downstream") if ms else ():
                toxic = {"type": "latency", "stream": way, "attributes": {"latency": ms}}
                ask(f"/proxies/{name}/toxics", toxic)

        def delayed(ms: int) -> Address:
            return "127.0.0.1", ports[ms]

        yield Way("Toxiproxy", delayed(0), delayed, process.pid)


def table(paths: list[Way]) -> str:
    """Medians of the rounds."""
    lines = ["| | " + " | ".join(path.name for path in paths) + " |"]
    lines.append("|---" * (len(paths) + 1) + "|")
    for figure in max((path.figures for path in paths), key=len):
        cells = [path.figures.get(figure) for path in paths]
        medians = [f"{statistics.median(cell):.3g}" if cell else "" for cell in cells]
        lines.append(f"| {figure} | {' | '.join(medians)} |")
    return "\n".join(lines)


def main() -> None:
    """All paths, in turn."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--toxiproxy", type=Path)
    parser.add_argument("--rounds", type=int, default=5)
    parser.add_argument("--relay", type=int, help=argparse.SUPPRESS)
    given = parser.parse_args()
    if given.relay:
        run_loop(_relay(("127.0.0.1", given.relay)))
        return
    mine, its = multiprocessing.Pipe()
    server = multiprocessing.Process(target=_serve, args=(its,), daemon=True)
    server.start()
    direct = mine.recv()
    with contextlib.ExitStack() as stack:
        paths = [Way("none", direct, None), stack.enter_context(relayed(direct))]
        paths.append(stack.enter_context(ours(direct)))
        toxic, hung = Way("Toxiproxy", direct, None), 0
        for _ in range(given.rounds):
            for path in paths:
                path.measure()
            if given.toxiproxy is not None:
                # Started anew every round: after some connections it may pass nothing any more.
                with toxiproxy(given.toxiproxy, direct) as way:
                    try:
                        way.measure()
                    except TimeoutError:
                        hung += 1
                    for figure, values in way.figures.items():
                        toxic.figures.setdefault(figure, []).extend(values)
    server.terminate()
    print(f"{os.cpu_count()} cores, load {os.getloadavg()[0]:.1f}, {given.rounds} rounds")
    print(f"Toxiproxy passed nothing for {_HUNG_S:g} s in {hung} rounds.\n" if hung else "")
    print(table([*paths, toxic] if toxic.figures else paths))


if __name__ == "__main__":
    main()
