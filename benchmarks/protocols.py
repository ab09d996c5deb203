"""What speaking a protocol directly saves a generator, beside the system's client library.

    python benchmarks/protocols.py [--quick] [--only SYSTEM]...

Each publishes the same number of acknowledged messages of 128 bytes to the same stream, queue or
topic of the same server, in a process of its own, with at most 1,024 unanswered. Ours and the
library's take turns, and whose turn is first alternates. What is compared is CPU time per
acknowledged message, the generator's own cost: it does not depend on who else uses the machine,
as messages a second do, which stand beside it. Ours makes its frames before the run, for the
schedule is known; that is counted apart.

aio-pika, which surgetank does not need, is installed into an environment of its own for the run.
"""

from __future__ import annotations

import argparse
import asyncio
import json
import statistics
import subprocess
import sys
import tempfile
import time
import venv
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path

import numpy as np

from protocols_peers import SIZE_BYTES, SLICE, WINDOW, stopwatch
from simulator import machine
from surgetank.live import Outgoing, Rig
from surgetank.live.event_loop import run_loop
from surgetank.live.payload import Numbers, encode
from surgetank.live.registry import parse, target_class
from surgetank.live.target import Batched, Sink


@dataclass(frozen=True)
class Pair:
    """A system, and whose client ours is compared with."""

    url: str
    library: str
    count: int
    """Messages of one turn, a multiple of `SLICE`."""


PAIRS = {
    "NATS core": Pair("nats:?ack=pong", "nats-py", 64_000),
    "JetStream": Pair("jetstream:?ack=file", "nats-py, JetStream", 19_200),
    "Redis": Pair("redis:?ack=memory", "redis-py", 32_000),
    "RabbitMQ": Pair("rabbitmq:?ack=confirm", "aio-pika", 4_800),
    "Kafka": Pair("kafka:?ack=all", "aiokafka", 32_000),
    "CometBFT": Pair("cometbft:?ack=async&validators=1&mempool_size=50000", "websockets", 6_400),
}


class _Answers(Sink):
    """Counts acknowledged messages, and wakes whoever waits for more."""

    def __init__(self) -> None:
        self.run = time.time_ns() & 0xFFFFFFFF
        self.count = 0
        self.more = asyncio.Event()

    def acknowledged(self, numbers: Numbers | Sequence[int], at_ns: int) -> None:
        self.count += len(numbers)
        self.more.set()

    def refused(self, numbers: Numbers | Sequence[int], at_ns: int, reason: str) -> None:
        raise SystemExit(reason)

    def disconnected(self, numbers: Numbers | Sequence[int], at_ns: int) -> None:
        raise SystemExit("the server has gone")


async def ours(url: str, count: int) -> int:
    """Publishes by the target's own client; prints the seconds."""
    where = parse(url)
    target = target_class(where)(where)
    assert isinstance(target, Batched)
    sink = _Answers()
    await target.open()
    finish = stopwatch()
    slices = []
    for first in range(0, count, SLICE):
        numbers = np.arange(first, first + SLICE, dtype=np.int64)
        made = (Outgoing(n, "order", 0, encode(sink.run, n, SIZE_BYTES)) for n in numbers.tolist())
        slices.append((memoryview(b"".join(map(target.frame, made))), numbers))
    framing = finish()
    finish = stopwatch()
    for i, (frames, numbers) in enumerate(slices):
        while i * SLICE - sink.count > WINDOW - SLICE:
            sink.more.clear()
            await sink.more.wait()
        target.write(frames, numbers, sink)
    while sink.count < count:
        sink.more.clear()
        await sink.more.wait()
    print(json.dumps(finish() | {"framing_cpu_s": framing["cpu_s"]}))
    await target.close()
    return 0


def timed(command: list[str]) -> dict[str, float]:
    """What a process of a turn has printed."""
    done = subprocess.run(command, capture_output=True, text=True, timeout=180)
    if done.returncode:
        raise SystemExit(f"{' '.join(command)}\n{done.stderr[-2_000:]}")
    found: dict[str, float] = json.loads(done.stdout)
    return found


def turns(pair: Pair, python: str, pairs: int) -> list[tuple[dict[str, float], dict[str, float]]]:
    """(ours, the library's) seconds, turn by turn."""
    with Rig(pair.url) as rig:
        host, port, scheme = rig.where.host, rig.where.port, rig.where.scheme
        query = pair.url.partition("?")[2]
        name = "surgetank-protocols"
        url = f"{scheme}://{host}:{port}/{name}?{query}"
        owner = target_class(rig.where)(parse(url))
        rig.do(owner.open())
        rig.do(owner.prepare())
        place = "broadcast_tx_async" if scheme == "cometbft" else name
        here = Path(__file__).parent
        mine = [sys.executable, __file__, "--one", url, str(pair.count)]
        peer = [python, str(here / "protocols_peers.py"), pair.library, host, str(port), place]
        found = []
        for turn in range(-1, pairs):  # the first warms the server up
            if turn % 2:
                b = timed([*peer, str(pair.count)])
                a = timed(mine)
            else:
                a = timed(mine)
                b = timed([*peer, str(pair.count)])
            if turn >= 0:
                found.append((a, b))
        rig.do(owner.dispose())
        rig.do(owner.close())
    return found


def line(system: str, pair: Pair, found: list[tuple[dict[str, float], dict[str, float]]]) -> str:
    """A row of the table."""
    n = pair.count

    def median(which: int, key: str) -> float:
        return statistics.median(each[which][key] for each in found)

    ratios = sorted(b["cpu_s"] / (a["cpu_s"] + a["framing_cpu_s"]) for a, b in found)
    cells = [
        system,
        pair.library,
        f"{median(0, 'cpu_s') / n * 1e6:.2f}",
        f"{median(0, 'framing_cpu_s') / n * 1e6:.2f}",
        f"{median(1, 'cpu_s') / n * 1e6:.2f}",
        f"{statistics.median(ratios):.1f}× ({ratios[0]:.1f}–{ratios[-1]:.1f})",
        f"{n / median(0, 'wall_s'):,.0f}",
        f"{n / median(1, 'wall_s'):,.0f}",
    ]
    return f"| {' | '.join(cells)} |"


def peer_environment(folder: Path) -> str:
    """The interpreter of an environment with aio-pika."""
    venv.create(folder, with_pip=True)
    python = str(folder / "bin/python")
    pip = [python, "-m", "pip", "install", "--quiet", "aio-pika", "uvloop"]
    subprocess.run(pip, check=True, timeout=180)
    return python


def main() -> None:
    """The command line's entry point."""
    parser = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawTextHelpFormatter
    )
    parser.add_argument("--quick", action="store_true", help="three turns in place of five")
    parser.add_argument("--only", action="append", choices=PAIRS, help="leave the others out")
    parser.add_argument("--one", nargs=2, metavar=("URL", "COUNT"), help=argparse.SUPPRESS)
    arguments = parser.parse_args()
    if arguments.one:
        sys.exit(run_loop(ours(arguments.one[0], int(arguments.one[1]))))
    lines = [
        f"One run on {machine()}. CPU time in µs per acknowledged message; ratio of each turn: the",
        "library over ours with its frames, median (lowest–highest).",
        "",
        "| system | library | ours | its frames | library | ratio | ours, per s | library, per s |",
        "|---|---|---|---|---|---|---|---|",
    ]
    with tempfile.TemporaryDirectory(prefix="surgetank-protocols-") as folder:
        for system, pair in PAIRS.items():
            if arguments.only and system not in arguments.only:
                continue
            python = sys.executable
            if pair.library == "aio-pika":
                python = peer_environment(Path(folder))
            lines.append(line(system, pair, turns(pair, python, 3 if arguments.quick else 5)))
            print(lines[-1], file=sys.stderr, flush=True)
    print("\n".join(lines))


if __name__ == "__main__":
    main()
