"""Orders a second that a venue acknowledges once they are durable, beside JetStream and Redis.

    python benchmarks/venue.py [--quick] [--json]

- ours: `surgetank serve` and a generator in Rust (crates/serve/examples/load), eight connections
  through the binary gateway. Every order is executed on the market, written to the journal, synced,
  and answered. As many as are answered with a window of unanswered frames (closed loop), for frames
  of 1, 64 and 1,000 orders; then latency from the time at which each frame was due (open loop), at
  half of the highest and at 150,000 a second: the median of the runs, and their range.
- WebSocket: orders as JSON-RPC, one in a call, with a window of unanswered calls (closed loop).
- subscribers: a hundred connections that follow book and trades, while orders arrive in an open
  loop; latency of an event from the sealing of its batch to its arrival.
- tmpfs: the same where a sync costs nothing: software only, not durable.
- recovery: the journal of these runs, without a snapshot, replayed at the next start.
- peers: JetStream that syncs every message (`sync_interval: always`), Redis with `appendfsync
  always`; surgetank's open loop at the highest rate of 128-byte messages at which it keeps its
  schedule and every message is acknowledged. They store; nothing is executed.
- disk: what an fdatasync of 4 KiB and of 128 KiB takes here, in the same minutes.

Generator and venue share the machine's cores.
"""

from __future__ import annotations

import argparse
import json
import os
import subprocess
import sys
import tempfile
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import Any, Final

import numpy as np

import live
from simulator import machine, rate
from surgetank.live import LiveOptions, Rig
from surgetank.scenario import load
from surgetank.venue import ServedVenue, VenueKey, serve
from surgetank.venue.genesis import of_scenario
from surgetank.venue.keys import write_keys

ROOT: Final = Path(__file__).resolve().parents[1]
LOAD: Final = ROOT / "target" / "release" / "examples" / "load"
CONNECTIONS: Final = 8
#: Frames of so many orders, and how many of a connection are unanswered at once.
SHAPES: Final = ((1, 64), (64, 8), (1000, 4))
#: Unanswered calls of a connection of the WebSocket.
CALLS_OPEN: Final = 64
#: Runs of an open loop.
RUNS: Final = 5
#: Subscribers of market data, and the orders a second meanwhile.
SUBSCRIBERS: Final = 100
ORDERS_PER_S: Final = 2000.0
PEERS: Final = {
    "JetStream, `sync_interval: always`": "jetstream:?ack=file-sync",
    "Redis, `appendfsync always`": "redis:?ack=always",
}
live.FIRST_PER_S["redis"] = 10_000.0


@dataclass(frozen=True)
class Row:
    """One line of the table."""

    what: str
    who: str
    per_s: float
    ratio: float | None = None
    """Ours on the disk over this one."""
    p50_ms: float | None = None
    p99_ms: float | None = None
    note: str = ""


def keys() -> list[VenueKey]:
    """A key for each connection, of an account of its own."""
    return [VenueKey.new(f"load-{n}", 10 + n, "trade") for n in range(CONNECTIONS)]


def genesis() -> dict[str, Any]:
    """One perpetual at 1,000 ticks, and accounts with money."""
    made = of_scenario(load("calm"), 1, "calm")
    made["perpetuals"][0]["price"] = 1000
    deposit = {"account": 10, "count": CONNECTIONS, "cash": 1 << 42, "mode": "cross"}
    return made | {"entries": [{"deposit": deposit}]}


@contextmanager
def venue(folder: Path) -> Iterator[ServedVenue]:
    """A venue whose journal is kept whole, with the keys of the generator beside it."""
    made = keys()
    (folder / "genesis.json").write_text(json.dumps(genesis()))
    write_keys(folder / "keys.toml", made)
    listed = [{"name": key.name, "account": key.account, "hmac": key.hmac} for key in made]
    (folder / "load.json").write_text(json.dumps(listed))
    bounds = "account_open_max = 16384"
    journal = "snapshot_s = 1e6\nsnapshot_requests = 2_000_000_000"
    text = f'genesis = "genesis.json"\n[intake]\n{bounds}\n[journal]\n{journal}\n'
    (folder / "venue.toml").write_text(text)
    file = folder / "venue.toml"
    with serve(file, data=folder / "data", listen_ws="127.0.0.1:0") as served:
        yield served


def flood(
    served: ServedVenue, seconds: float, shape: tuple[int, int], per_s: float | None = None
) -> dict[str, Any]:
    """What the generator measured.

    Raises:
        SystemExit: orders were rejected by the market, or stayed unanswered.
    """
    batch, window = map(str, shape)
    command = [str(LOAD), "orders", served.address, str(served.file.parent / "load.json")]
    command += [str(seconds), batch, window, *([] if per_s is None else [str(per_s)])]
    done = subprocess.run(command, capture_output=True, text=True, check=False)
    if done.returncode:
        raise SystemExit(done.stderr)
    measured: dict[str, Any] = json.loads(done.stdout)
    if measured["rejected"]:
        raise SystemExit(f"orders were rejected: {measured}")
    return measured


def busy(pid: int) -> dict[str, float]:
    """CPU time of each thread of a process, s."""
    found: dict[str, float] = {}
    for task in Path(f"/proc/{pid}/task").iterdir():
        name = (task / "comm").read_text().strip()
        fields = (task / "stat").read_text().rpartition(")")[2].split()
        ticks = int(fields[11]) + int(fields[12])
        found[name] = found.get(name, 0.0) + ticks / os.sysconf("SC_CLK_TCK")
    return found


def limit(served: ServedVenue, seconds: float, shape: tuple[int, int]) -> tuple[float, str]:
    """Orders a second, and the share of a core of each thread of the venue meanwhile."""
    before, began = busy(served.pid), time.monotonic()
    per_s = float(flood(served, seconds, shape)["per_s"])
    wall, after = time.monotonic() - began, busy(served.pid)
    shares = {name: (after[name] - before.get(name, 0.0)) / wall for name in after}
    top = sorted(shares.items(), key=lambda item: -item[1])[:3]
    return per_s, ", ".join(f"{name} {share:.0%}" for name, share in top) + " of a core"


def ours(folder: Path, where: str, seconds: float, say: Callable[[str], None]) -> list[Row]:
    """Throughput by frame, latency at half of the highest, and the recovery."""
    rows = []
    with venue(folder) as served:
        flood(served, 1.0, SHAPES[-1])
        for shape in SHAPES:
            per_s, note = limit(served, seconds, shape)
            say(f"  {where}, frames of {shape[0]}: {rate(per_s)}")
            rows.append(Row(where, f"frames of {shape[0]:,}", per_s, note=note))
        half = max(row.per_s for row in rows) / 2
        rows += [at_rate(served, where, per_s, seconds) for per_s in (half, 150_000.0)]
        rows.append(websocket(served, where, seconds))
        rows.append(subscribers(served, where, seconds))
        served.kill()
        began = time.monotonic()
        served.start()
        whole = time.monotonic() - began
        orders = int(served.recovery["sequence"])
        empty = started_empty()
        say(f"  {where}: {orders} orders recovered in {whole:.2f} s (an empty start: {empty:.2f})")
        rows.append(
            Row(where, "recovery, without a snapshot", orders / (whole - empty), note=f"{orders:,}")
        )
    return rows


def at_rate(served: ServedVenue, where: str, per_s: float, seconds: float) -> Row:
    """Latency in an open loop: the median of several runs."""
    runs = [flood(served, seconds, (64, 8), per_s) for _ in range(RUNS)]
    p50, p99 = (sorted(run[key] for run in runs) for key in ("p50_ms", "p99_ms"))
    refused = sum(run["refused"] for run in runs) / sum(run["sent"] for run in runs)
    note = f"p99 of {RUNS} runs {p99[0]:.2f} to {p99[-1]:.2f} ms"
    note += f", {refused:.1%} refused at the bound" if refused else ""
    middle = RUNS // 2
    return Row(where, "open loop, frames of 64", per_s, None, p50[middle], p99[middle], note)


def websocket(served: ServedVenue, where: str, seconds: float) -> Row:
    """Orders a second through the WebSocket gateway, executed and answered once durable."""
    market = genesis()["perpetuals"][0]
    price, amount = round(1000 * market["tick_usd"], 9), market["lot"]
    command = [str(LOAD), "websocket", str(served.ws_address)]
    command += [str(served.file.parent / "load.json"), str(seconds), str(CALLS_OPEN)]
    command += [market["name"], str(price), str(amount)]
    done = subprocess.run(command, capture_output=True, text=True, check=False)
    if done.returncode:
        raise SystemExit(done.stderr)
    measured = json.loads(done.stdout)
    if measured["errors"]:
        raise SystemExit(f"calls have failed: {measured}")
    p50, p99 = measured["p50_ms"], measured["p99_ms"]
    return Row(where, "WebSocket, calls of 1", measured["per_s"], None, p50, p99)


def subscribers(served: ServedVenue, where: str, seconds: float) -> Row:
    """Events a second that reach a hundred subscribers of book and trades."""
    command = [str(LOAD), "subscribers", served.address, str(served.file.parent / "load.json")]
    command += [str(seconds), str(SUBSCRIBERS)]
    with subprocess.Popen(command, stdout=subprocess.PIPE, text=True) as following:
        orders = flood(served, seconds, (1, 8), ORDERS_PER_S)
        said, _ = following.communicate()
    if following.returncode:
        raise SystemExit("the subscribers have failed")
    heard = json.loads(said)
    note = f"{orders['sealed']:,} orders at {rate(ORDERS_PER_S)}, {heard['missing']} events missing"
    p50, p99 = heard["p50_ms"], heard["p99_ms"]
    what = f"events to {SUBSCRIBERS} subscribers"
    return Row(where, what, heard["per_s"], None, p50, p99, note)


def started_empty() -> float:
    """Time of a start on a new folder, s."""
    with tempfile.TemporaryDirectory() as name:
        began = time.monotonic()
        with venue(Path(name)):
            return time.monotonic() - began


def peer(url: str, quick: bool, say: Callable[[str], None]) -> float:
    """The highest rate at which all messages are acknowledged on schedule."""
    options = LiveOptions(inflight_max=1_000_000, rate_max_per_s=1e7)
    with Rig(url, options) as rig:
        return live.highest(rig, 1.0 if quick else 1.5, 1 if quick else 3, say)


def syncs(folder: Path, size: int, seconds: float) -> Row:
    """What an fdatasync after a write of this size takes."""
    took: list[float] = []
    data, until = bytes(size), time.monotonic() + seconds
    with (folder / "sync").open("wb", buffering=0) as file:
        os.posix_fallocate(file.fileno(), 0, 64 << 20)
        while time.monotonic() < until:
            began = time.perf_counter()
            os.pwrite(file.fileno(), data, len(took) * size % (64 << 20))
            os.fdatasync(file.fileno())
            took.append(time.perf_counter() - began)
    p50, p99 = (float(value) * 1e3 for value in np.quantile(took, (0.5, 0.99)))
    return Row("disk", f"fdatasync of {size >> 10} KiB", len(took) / seconds, None, p50, p99)


def measure(quick: bool, say: Callable[[str], None]) -> list[Row]:
    """All rows."""
    seconds = 2.0 if quick else 5.0
    with tempfile.TemporaryDirectory(dir=ROOT / "target") as name:
        rows = ours(Path(name), "venue, disk", seconds, say)
        rows += [syncs(Path(name), size, seconds / 2) for size in (4 << 10, 128 << 10)]
    best = max(row.per_s for row in rows if row.who.startswith("frames"))
    if Path("/dev/shm").is_dir():
        with tempfile.TemporaryDirectory(dir="/dev/shm") as name:
            rows += ours(Path(name), "venue, tmpfs (not durable)", seconds, say)
    for what, url in PEERS.items():
        per_s = peer(url, quick, say)
        rows.append(Row(what, "stored, not executed", per_s, best / per_s))
    return rows


def table(rows: list[Row]) -> str:
    """The rows as Markdown."""
    lines = [
        "| what | how | a second | ours over it | latency p50, p99 | |",
        "|---|---|---|---|---|---|",
    ]
    for row in rows:
        ratio = "" if row.ratio is None else f"{row.ratio:.1f}×"
        latency = ""
        if row.p50_ms is not None and row.p99_ms is not None:
            latency = f"{row.p50_ms:.2f} ms, {row.p99_ms:.2f} ms"
        per_s = rate(row.per_s)
        lines.append(f"| {row.what} | {row.who} | {per_s} | {ratio} | {latency} | {row.note} |")
    return "\n".join([f"One run on {machine()}.", "", *lines])


def main() -> None:
    """The command line's entry point."""
    parser = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawTextHelpFormatter
    )
    parser.add_argument("--quick", action="store_true", help="shorter runs, a coarser answer")
    parser.add_argument("--json", action="store_true", help="one JSON object on stdout")
    arguments = parser.parse_args()

    def say(line: str) -> None:
        print(line, file=sys.stderr, flush=True)

    build = ["cargo", "build", "--release", "-q", "-p", "surgetank-serve", "--example", "load"]
    subprocess.run(build, cwd=ROOT, check=True)
    rows = measure(arguments.quick, say)
    if arguments.json:
        print(json.dumps({"machine": machine(), "rows": [asdict(row) for row in rows]}))
    else:
        print(table(rows))


if __name__ == "__main__":
    main()
