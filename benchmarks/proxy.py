"""What the link proxy itself costs: round trips and throughput through it, beside none.

`python benchmarks/proxy.py` prints JSON. Client, echo server and proxy share this machine, so on a
busy one every figure gets worse, the direct one too.
"""

from __future__ import annotations

import json
import multiprocessing
import os
import socket
import threading
import time
from multiprocessing.connection import Connection

from surgetank.live.proxy import Fate, Link, Proxy

_ROUND_TRIPS = 5_000
_BLOCK = os.urandom(1 << 16)
_STREAM_BYTES = 512 << 20


def _serve(told: Connection) -> None:
    """Answers small messages; swallows a stream and says when it has all."""
    with socket.create_server(("127.0.0.1", 0)) as server:
        told.send(server.getsockname())
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


def _connect(address: tuple[str, int], kind: bytes) -> socket.socket:
    client = socket.create_connection(address)
    client.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
    client.sendall(kind)
    return client


def round_trips(address: tuple[str, int], count: int) -> dict[str, float]:
    """Quantiles of `count` round trips of 128 bytes, microseconds."""
    took_us = []
    with _connect(address, b"e") as client:
        for _ in range(count):
            began_ns = time.perf_counter_ns()
            client.sendall(_BLOCK[:128])
            client.recv(128)
            took_us.append((time.perf_counter_ns() - began_ns) / 1e3)
    took_us.sort()
    return {f"p{q}_us": round(took_us[int(count * q / 100)], 1) for q in (50, 90, 99)}


def stream(address: tuple[str, int]) -> float:
    """Megabytes a second, one way."""
    with _connect(address, b"s") as client:
        began = time.perf_counter()
        for _ in range(_STREAM_BYTES // len(_BLOCK)):
            client.sendall(_BLOCK)
        client.recv(1)
        return round(_STREAM_BYTES / 1e6 / (time.perf_counter() - began), 1)


def main() -> None:
    """All figures."""
    ours, theirs = multiprocessing.Pipe()
    server = multiprocessing.Process(target=_serve, args=(theirs,), daemon=True)
    server.start()
    direct = ours.recv()
    found: dict[str, object] = {"cores": os.cpu_count(), "load": os.getloadavg()[0]}
    with Proxy([Link("x", to=direct)]) as proxy:
        through = proxy.address("x")
        found["direct"] = round_trips(direct, _ROUND_TRIPS)
        found["idle proxy"] = round_trips(through, _ROUND_TRIPS)
        reading = proxy.readings()["x"]
        found["idle proxy, in it"] = {
            "mean_us": round(reading.delay_mean_ms * 1e3, 1),
            "p99_us": round(reading.delay_p99_ms * 1e3, 1),
        }
        found["direct MB/s"], found["idle proxy MB/s"] = stream(direct), stream(through)
        for asked_ms in (1, 5, 20):
            proxy.set(None, Fate(delay_ms=asked_ms))
            round_trips(through, 200)
            reading = proxy.readings()["x"]
            found[f"{asked_ms} ms asked, added"] = {
                "mean_ms": round(reading.delay_mean_ms, 3),
                "p50_ms": round(reading.delay_p50_ms, 3),
                "p99_ms": round(reading.delay_p99_ms, 3),
            }
    server.terminate()
    print(json.dumps(found, indent=1))


if __name__ == "__main__":
    main()
