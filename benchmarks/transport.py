"""Transfers over the kernel's TCP, and the same transfers in the lab.

`python benchmarks/transport.py [--rounds N]` prints a table of medians and quartiles; with losses,
the p-value of a Mann-Whitney test that both have one distribution. It needs root and /dev/net/tun:
in a network namespace of its own it makes a device whose packets it delays, spaces at a rate and
drops itself, so that the kernel sees a real round trip. (A proxy in front of a socket would not do:
the kernel's own round trip would be the loopback's.)
"""

from __future__ import annotations

import argparse
import contextlib
import ctypes
import fcntl
import heapq
import multiprocessing
import os
import random
import select
import socket
import statistics
import struct
import subprocess
import time
from dataclasses import dataclass
from multiprocessing.connection import Connection

import numpy as np
import polars as pl
from scipy.stats import mannwhitneyu

import surgetank as st

_NEW_NETWORK = 0x40000000
_TUN, _NO_HEADER, _SET_DEVICE = 0x0001, 0x1000, 0x400454CA
#: The device's address, and one behind it that does not exist: what is sent there comes back with
#: both addresses exchanged, which leaves every checksum as it is.
_HERE, _THERE = "10.77.0.1", "10.77.0.2"
_PORT = 7_000
_DELAY_S = 0.025


@dataclass(frozen=True)
class Case:
    """A transfer: its size, the line's rate (0 = unlimited), losses, and the law of the window."""

    kilobytes: int
    mbps: float
    loss: float
    congestion: str


CASES = [
    *(Case(size, 0.0, 0.0, "reno") for size in (10, 100, 1_000)),
    *(Case(size, 20.0, 0.0, "reno") for size in (100, 1_000)),
    Case(1_000, 20.0, 0.0, "cubic"),
    Case(1_000, 0.0, 0.01, "reno"),
    Case(1_000, 0.0, 0.01, "cubic"),
    Case(100, 0.0, 0.02, "cubic"),
]


def _device() -> int:
    """A TUN device in a network namespace of this process; returns its descriptor."""
    libc = ctypes.CDLL(None, use_errno=True)
    if libc.unshare(_NEW_NETWORK) != 0:
        raise SystemExit("this needs root: a network namespace cannot be made")
    tun = os.open("/dev/net/tun", os.O_RDWR | os.O_NONBLOCK)
    fcntl.ioctl(tun, _SET_DEVICE, struct.pack("16sH", b"line", _TUN | _NO_HEADER))
    for command in (f"addr add {_HERE}/24 dev line", "link set line up", "link set lo up"):
        subprocess.run(["ip", *command.split()], check=True)
    return tun


def _relay(tun: int, control: Connection) -> None:
    """Delays, spaces and drops packets, until it is asked to end."""
    case, rng = Case(0, 0.0, 0.0, ""), random.Random(0)
    waiting: list[tuple[float, int, bytes]] = []
    free, number = 0.0, 0
    while True:
        now = time.monotonic()
        wait = max(0.0, waiting[0][0] - now) if waiting else 1.0
        watched: list[int | Connection] = [tun, control]
        ready, _, _ = select.select(watched, [], [], wait)
        if control in ready:
            order = control.recv()
            if order is None:
                return
            case, rng = order
            control.send(True)
        now = time.monotonic()
        if tun in ready:
            with contextlib.suppress(BlockingIOError):
                while True:
                    packet = os.read(tun, 2_048)
                    payload = len(packet) > 100
                    if packet[0] >> 4 != 4 or (payload and rng.random() < case.loss):
                        continue
                    if case.mbps and payload:
                        free = max(now, free) + len(packet) * 8 / (case.mbps * 1e6)
                    at = (max(now, free) if payload else now) + _DELAY_S
                    number += 1
                    back = packet[:12] + packet[16:20] + packet[12:16] + packet[20:]
                    heapq.heappush(waiting, (at, number, back))
        while waiting and waiting[0][0] <= time.monotonic():
            with contextlib.suppress(OSError):
                os.write(tun, heapq.heappop(waiting)[2])


def _receive(server: socket.socket, took: Connection) -> None:
    """Reads one transfer after the other: its size first; says when it has all."""
    while True:
        client, _ = server.accept()
        with client:
            wanted = int.from_bytes(client.recv(8, socket.MSG_WAITALL), "big")
            while wanted > 0:
                wanted -= len(client.recv(1 << 20))
            took.send(time.monotonic())


def _transfer(case: Case, took: Connection) -> float:
    """Time of one transfer on a fresh connection, ms."""
    with socket.socket() as client:
        client.setsockopt(socket.IPPROTO_TCP, socket.TCP_CONGESTION, case.congestion.encode())
        client.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
        client.connect((_THERE, _PORT))
        time.sleep(4 * _DELAY_S)
        size = case.kilobytes * 1_000
        begun = time.monotonic()
        client.sendall(size.to_bytes(8, "big") + bytes(size))
        return (float(took.recv()) - begun) * 1e3


def _of_kernel(rounds: int, answer: Connection) -> None:
    tun = _device()
    control, relayed = multiprocessing.Pipe()
    took, received = multiprocessing.Pipe()
    server = socket.create_server((_HERE, _PORT))
    workers = [
        multiprocessing.Process(target=_relay, args=(tun, relayed), daemon=True),
        multiprocessing.Process(target=_receive, args=(server, received), daemon=True),
    ]
    for worker in workers:
        worker.start()
    for case in CASES:
        times = []
        for seed in range(rounds):
            # A route would remember the last transfer's threshold of slow start.
            subprocess.run(["ip", "tcp_metrics", "flush", "all"], check=False, capture_output=True)
            control.send((case, random.Random(seed)))
            control.recv()
            times.append(_transfer(case, took))
        answer.send(times)
    control.send(None)
    workers[1].kill()


def of_lab(case: Case, seed: int) -> float:
    """Time of the same transfer in the lab, ms."""
    scenario = st.Scenario.model_validate(
        {
            "name": "transfer",
            "duration_s": 1.5,
            "warmup_s": 0.0,
            "drain_s": 60.0,
            "flow": {
                "accounts": 1,
                "arrivals": {"kind": "deterministic", "rate_per_s": 1.0},
                "overhead_bytes": case.kilobytes * 1_000 - 100,
                "client_link": {"fixed_ms": 0.0, "jitter_ms": 0.0},
                "makers": {"count": 0},
                "oracle": {"count": 0},
                "keepers": {"count": 0},
                "panic": {"rate_per_s_per_pct": 0.0},
            },
            "network": {
                "nodes": 2,
                "transport": "tcp",
                "connections": {
                    "congestion": "newreno" if case.congestion == "reno" else case.congestion
                },
                "delay": {"kind": "fixed", "delay_ms": _DELAY_S * 1e3, "jitter": 0.0},
                "uplink_mbps": case.mbps,
                "loss": case.loss,
            },
            "layer": {"consensus": {"kind": "none"}},
            "trace": {"receipts_every": 1, "gauge_ms": 0.0},
        }
    )
    trace = st.run(scenario, seed=seed).trace
    first = trace["messages"]["message"][0]
    at = trace["receipts"].filter(pl.col("message") == first)["time_ns"]
    return float(np.ptp(at.to_numpy())) / 1e6


def _quartiles(times: list[float]) -> str:
    low, middle, high = statistics.quantiles(times, n=4)
    return f"{middle:.0f} ({low:.0f} to {high:.0f})"


def main() -> None:
    """Prints the table."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--rounds", type=int, default=20, help="transfers of each kind")
    rounds = parser.parse_args().rounds
    ours, theirs = multiprocessing.Pipe()
    kernel = multiprocessing.Process(target=_of_kernel, args=(rounds, theirs))
    kernel.start()
    print("| size | line | loss | window | kernel, ms | lab, ms | lab/kernel | p |")
    print("|---|---|---|---|---|---|---|---|")
    for case in CASES:
        kernel_ms = ours.recv()
        lab_ms = [of_lab(case, seed) for seed in range(1, 10 * rounds + 1 if case.loss else 3)]
        line = f"{case.mbps:g} Mbit/s" if case.mbps else "unlimited"
        ratio = statistics.median(lab_ms) / statistics.median(kernel_ms)
        # Without losses the lab has no chance: then only the ratio counts.
        p = f"{mannwhitneyu(kernel_ms, lab_ms).pvalue:.2f}" if case.loss else ""
        print(
            f"| {case.kilobytes:,} kB | {line} | {case.loss:.0%} | {case.congestion} "
            f"| {_quartiles(kernel_ms)} | {_quartiles(lab_ms)} | {ratio:.2f} | {p} |",
            flush=True,
        )
    kernel.join()


if __name__ == "__main__":
    main()
