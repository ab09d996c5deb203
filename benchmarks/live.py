"""How fast the open-loop generator is against NATS, beside its peers, in one run on one server.

    python benchmarks/live.py [--quick] [--no-locust] [--json]

- ours: the highest rate at which the generator keeps its schedule (doubling, then halving the
  bracket): not INVALID (lateness p99, CPU), and every message delivered once to a subscriber that
  counts them. Then its lateness at half of that rate, median of three runs. NATS core, and
  JetStream with every message acknowledged from a file.
- peers: nats-py publishing as fast as it can, nats-py's asynchronous publishing to JetStream,
  Locust with a user class for NATS. They are closed loops: they have no schedule to keep, and
  no one receives what they send.
- limit: our own target without schedule and subscriber, 64 messages a write.

Generator, server and subscriber share the machine's cores. 128-byte payloads.
"""

from __future__ import annotations

import argparse
import asyncio
import json
import statistics
import sys
import time
from collections.abc import Callable
from dataclasses import asdict, dataclass, replace
from typing import NamedTuple

import numpy as np

from live_peers import SIZE_BYTES, alone, locust
from simulator import machine, rate
from surgetank.live import LiveOptions, Outgoing, Played, Rig, Schedule
from surgetank.live.driver.recording import State
from surgetank.live.payload import Numbers, encode
from surgetank.live.systems.nats.target import Nats
from surgetank.live.target import Sink

MESSAGES_MAX = 600_000
FIRST_PER_S = {"nats": 100_000.0, "jetstream": 10_000.0}


@dataclass(frozen=True)
class Row:
    """One line of the table."""

    what: str
    who: str
    per_s: float | None
    ratio: float | None = None
    """Our highest rate on the same target, over this one."""
    lateness_p50_ms: float | None = None
    lateness_p99_ms: float | None = None
    note: str = ""


def due_ns(per_s: float, seconds: float) -> Numbers:
    """Poisson arrivals, the same for the same rate."""
    rng = np.random.default_rng(7)
    gaps = rng.exponential(1e9 / per_s, int(per_s * seconds))
    return gaps.cumsum().astype(np.int64)


def play(rig: Rig, per_s: float, seconds: float) -> Played:
    """A rate for so long."""
    seconds = min(seconds, max(1.0, MESSAGES_MAX / per_s))
    return rig.play(Schedule.plain(due_ns(per_s, seconds), size_bytes=SIZE_BYTES, drain_s=3.0))


def lateness_ms(played: Played) -> tuple[float, float]:
    """Median and 99th percentile of sending behind the schedule."""
    sent = played.sending.sent_ns >= 0
    late = np.maximum(played.sending.sent_ns - played.schedule.due_ns, 0)[sent] / 1e6
    p50, p99 = np.quantile(late, (0.5, 0.99)) if len(late) else (np.inf, np.inf)
    return float(p50), float(p99)


class Broken(NamedTuple):
    """Why a run does not count."""

    text: str
    late: bool = False
    """It is only that messages were sent behind the schedule."""


def broken(played: Played) -> Broken | None:
    """Why a run does not count, if it does not. The bounds are those of `surgetank run`."""
    options = played.options
    n, sent = len(played.schedule), int((played.sending.sent_ns >= 0).sum())
    if not played.complete or sent < n:
        return Broken(f"{n - sent} of {n} not sent")
    late = lateness_ms(played)[1]
    if late > options.lateness_p99_ms:
        return Broken(f"{late:.3g} ms late at p99", late=True)
    for name, share in played.shares().items():
        if share > options.cpu_share_max:
            return Broken(f"{name}: {share:.0%} of a core")
    lost = int((played.first_ns() < 0).sum())
    if lost or len(played.deliveries) != n:
        return Broken(f"{lost} lost, {len(played.deliveries) - (n - lost)} twice")
    if played.capabilities.ack != "none" and (played.sending.state != State.ACKNOWLEDGED).any():
        return Broken(f"{int((played.sending.state != State.ACKNOWLEDGED).sum())} not acknowledged")
    return None


def highest(rig: Rig, seconds: float, halvings: int, say: Callable[[str], None]) -> float:
    """The highest rate that counted. Who was only late may try again: the machine is not ours
    alone."""

    def holds(per_s: float) -> bool:
        for _ in range(2):
            why = broken(play(rig, per_s, seconds))
            say(f"  {rig.where.scheme} {rate(per_s)}: {why.text if why else 'kept'}")
            if why is None or not why.late:
                return why is None
        return False

    low, high = 0.0, FIRST_PER_S[rig.where.scheme]
    while holds(high) and high < 4e6:
        low, high = high, high * 2
    if low == 0.0:
        while high > 1_000 and not holds(high := high / 2):
            pass
        low, high = high, high * 2
    for _ in range(halvings):
        middle = (low * high) ** 0.5
        low, high = (middle, high) if holds(middle) else (low, middle)
    return low


def ours(url: str, what: str, quick: bool, say: Callable[[str], None]) -> list[Row]:
    """Highest rate and lateness at half of it, and what others reach on the same server."""
    seconds, halvings = (1.0, 1) if quick else (1.5, 3)
    options = LiveOptions(inflight_max=1_000_000, rate_max_per_s=1e7)
    with Rig(url, options) as rig:
        top = highest(rig, seconds, halvings, say)
        runs = [lateness_ms(play(rig, top / 2, seconds)) for _ in range(3)]
        p50, p99 = (statistics.median(values) for values in zip(*runs, strict=True))
        rows = [
            Row(what, "surgetank, open loop, kept its schedule", top, 1.0),
            Row(what, "surgetank at half of it", top / 2, None, p50, p99),
        ]
        host, port = rig.where.host, rig.where.port
        if url.startswith("nats"):
            limit = asyncio.run(closed_loop(rig, seconds))
            rows.append(Row(what, "our target, no schedule, no subscriber", limit, top / limit))
            peer = alone("nats-py", host, port, seconds)
            rows.append(Row(what, "nats-py `publish`, closed loop", peer, top / peer))
        else:
            peer = alone("jetstream", host, port, seconds)
            rows.append(Row(what, "nats-py `publish_async`, closed loop", peer, top / peer))
    return rows


async def closed_loop(rig: Rig, seconds: float) -> float:
    """Frames that are there, written as fast as the server reads them."""
    target = Nats(replace(rig.where, name="limit", options={"ack": "pong"}))
    sink = _Counting()
    await target.open()
    numbers = np.arange(64, dtype=np.int64)
    messages = [Outgoing(n, "order", 0, encode(sink.run, n, SIZE_BYTES)) for n in range(64)]
    frames = memoryview(b"".join(map(target.frame, messages)))
    count, began = 0, time.perf_counter()
    while time.perf_counter() - began < seconds:
        target.write(frames, numbers, sink)
        count += 64
        await asyncio.sleep(0)  # the answers' turn
        while target.waiting_bytes > 1 << 20:
            await asyncio.sleep(0)
    while sink.yes < count and time.perf_counter() - began < seconds + 10:
        await asyncio.sleep(0.001)
    per_s = sink.yes / (time.perf_counter() - began)
    await target.close()
    return per_s


class _Counting(Sink):
    """A sink that counts answers."""

    run = 1
    yes = 0

    def acknowledged(self, numbers: object, at_ns: int) -> None:
        self.yes += 64

    def refused(self, numbers: object, at_ns: int, reason: str) -> None:
        raise SystemExit(reason)

    def disconnected(self, numbers: object, at_ns: int) -> None:
        raise SystemExit("the server has gone")


def with_locust(seconds: float, top: float) -> Row:
    """Locust on a server of its own, for a bare `PUB` a task."""
    with Rig("nats:") as rig:
        per_s, note = locust(rig.where.host, rig.where.port, seconds)
    return Row("NATS core", "Locust", per_s, top / per_s if per_s else None, note=note)


def table(rows: list[Row]) -> str:
    """The rows as Markdown."""
    lines = [
        "| target | who | messages a second | ours over it | lateness p50, p99 | |",
        "|---|---|---|---|---|---|",
    ]
    for row in rows:
        per_s = "skipped" if row.per_s is None else rate(row.per_s)
        ratio = "" if row.ratio is None else f"{row.ratio:.2f}×"
        late = ""
        if row.lateness_p50_ms is not None and row.lateness_p99_ms is not None:
            late = f"{row.lateness_p50_ms:.2f} ms, {row.lateness_p99_ms:.2f} ms"
        lines.append(f"| {row.what} | {row.who} | {per_s} | {ratio} | {late} | {row.note} |")
    return "\n".join([f"One run on {machine()}.", "", *lines])


def main() -> None:
    """The command line's entry point."""
    parser = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawTextHelpFormatter
    )
    parser.add_argument("--quick", action="store_true", help="shorter runs, a coarser answer")
    parser.add_argument("--no-locust", action="store_true", help="do not install Locust")
    parser.add_argument("--json", action="store_true", help="one JSON object on stdout")
    arguments = parser.parse_args()

    def say(line: str) -> None:
        print(line, file=sys.stderr, flush=True)

    rows = ours("nats:", "NATS core", arguments.quick, say)
    if not arguments.no_locust:
        rows.append(with_locust(2.0 if arguments.quick else 5.0, rows[0].per_s or 0.0))
    rows += ours("jetstream:?ack=file", "JetStream, file", arguments.quick, say)
    if arguments.json:
        print(json.dumps({"machine": machine(), "rows": [asdict(row) for row in rows]}))
    else:
        print(table(rows))


if __name__ == "__main__":
    main()
