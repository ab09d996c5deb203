"""How fast messages go through the pipe, beside its parts, its peers and its limit, in one run.

    .venv/bin/python benchmarks/queues.py [--quick] [--json]

One core; 128-byte messages of 1,000 accounts in all client classes; the best of some repetitions.

- pipe: MAC check, admission (three token buckets an account), queue under a rule, sequence numbers,
  Merkle batch of 4,096, hash chain. Natively (crates/layer/examples/pipe_speed.rs), and through the
  batch call from Python, 4,096 records a call.
- verifier: derives such a journal again.
- peers: heapq, queue.PriorityQueue, asyncio.PriorityQueue, filled and emptied by 4,096. They order
  and do nothing else: no MAC, no admission, no hash.
- limit: Rust's std BinaryHeap, likewise bare.
"""

from __future__ import annotations

import argparse
import asyncio
import heapq
import json
import queue
import subprocess
import tempfile
import time
from collections.abc import Callable
from dataclasses import asdict, dataclass
from functools import partial
from pathlib import Path

from simulator import ROOT, machine, rate

BATCH = 4096
ACCOUNTS = 1000
RECORD_BYTES = 128
RULES = (
    "fifo",
    "class",
    "fee",
    "lanes weights=8,8,4,2,1,1,1,1",
    "drr quantum=1500",
    "hash",
)
KEY = bytes(range(32))


@dataclass(frozen=True)
class Row:
    """One line: what was measured, where it ran, and messages a second."""

    what: str
    where: str
    per_s: float


def best(repeats: int, messages: int, run: Callable[[], object]) -> float:
    """Messages a second of the fastest repetition: what disturbs a run only ever slows it."""
    seconds = []
    for _ in range(repeats):
        began = time.perf_counter()
        run()
        seconds.append(time.perf_counter() - began)
    return messages / min(seconds)


def records(messages: int) -> list[bytes]:
    """Buffers of `BATCH` records each, as clients would have sent them."""
    from surgetank.journal import account_key, record

    keys = [account_key(KEY, account) for account in range(ACCOUNTS)]
    kinds = (4, 4, 2, 2, 2, 3, 1, 0)
    made = []
    for n in range(messages):
        mixed = n * 2654435769 % 2**32 >> 7
        kind, account = kinds[mixed // 1000 % 8], mixed % ACCOUNTS
        made.append(record(keys[account], account, n + 1, kind=kind, fee=mixed % 97))
    return [b"".join(made[at : at + BATCH]) for at in range(0, messages, BATCH)]


def native(messages: int) -> list[Row]:
    """The Rust example's rows."""
    command = ["cargo", "run", "--quiet", "--release", "-p", "surgetank-layer"]
    command += ["--example", "pipe_speed", "--", str(messages)]
    done = subprocess.run(command, cwd=ROOT, check=True, capture_output=True, text=True)
    answer: dict[str, float] = json.loads(done.stdout)
    return [Row(what, "Rust", per_s) for what, per_s in answer.items()]


def batch_call(buffers: list[bytes], rule: str) -> None:
    """All buffers through one pipe of the core, a buffer a call."""
    from surgetank import _core

    limits = ((1_000_000, 1_000_000),) * 3
    pipe = _core.Pipe(rule, BATCH, KEY, bytes(32), limits=limits, batches_max=len(buffers))
    for buffer in buffers:
        _, refused = pipe.push(1, buffer)
        assert not refused


def ours(buffers: list[bytes], repeats: int) -> list[Row]:
    """The batch call, the journal's file included or not, and the verifier."""
    from surgetank.journal import Pipe, verify

    messages = sum(map(len, buffers)) // RECORD_BYTES
    rows = []
    for rule in RULES:
        per_s = best(repeats, messages, partial(batch_call, buffers, rule))
        rows.append(Row(f"pipe {rule.split()[0]}", "Python, batch call", per_s))
    with tempfile.TemporaryDirectory() as folder:
        path = Path(folder) / "journal"

        def to_file() -> None:
            path.unlink(missing_ok=True)
            with Pipe(path, "class", BATCH, KEY, batches_max=len(buffers)) as pipe:
                for buffer in buffers:
                    pipe.push(buffer, 1)

        per_s = best(repeats, messages, to_file)
        rows.append(Row("pipe class, written to a file", "Python, batch call", per_s))
        per_s = best(repeats, messages, lambda: verify(path))
        assert verify(path).whole
        rows.append(Row("verifier class, from a file", "Python", per_s))
    return rows


def peers(buffers: list[bytes], repeats: int) -> list[Row]:
    """Fill and empty by the batch, fee first, then arrival."""
    batches = []
    for buffer in buffers:
        cut = [buffer[at : at + RECORD_BYTES] for at in range(0, len(buffer), RECORD_BYTES)]
        batches.append(
            [(-int.from_bytes(one[8:12], "little"), n, one) for n, one in enumerate(cut)]
        )
    messages = sum(map(len, batches))

    def with_heapq() -> None:
        for batch in batches:
            heap: list[tuple[int, int, bytes]] = []
            for item in batch:
                heapq.heappush(heap, item)
            while heap:
                heapq.heappop(heap)

    def with_queue() -> None:
        for batch in batches:
            waiting: queue.PriorityQueue[tuple[int, int, bytes]] = queue.PriorityQueue()
            for item in batch:
                waiting.put(item)
            for _ in batch:
                waiting.get()

    async def turns() -> None:
        for batch in batches:
            waiting: asyncio.PriorityQueue[tuple[int, int, bytes]] = asyncio.PriorityQueue()
            for item in batch:
                await waiting.put(item)
            for _ in batch:
                await waiting.get()

    return [
        Row("heapq, bare", "Python", best(repeats, messages, with_heapq)),
        Row("queue.PriorityQueue, bare", "Python", best(repeats, messages, with_queue)),
        Row(
            "asyncio.PriorityQueue, bare",
            "Python",
            best(repeats, messages, lambda: asyncio.run(turns())),
        ),
    ]


def table(rows: list[Row]) -> str:
    """The rows as Markdown."""
    lines = ["| what | where | messages a second |", "|---|---|---|"]
    lines += [f"| {row.what} | {row.where} | {rate(row.per_s)} |" for row in rows]
    return "\n".join([f"One run on {machine()}, one core.", "", *lines])


def main() -> None:
    """The command line's entry point."""
    parser = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawTextHelpFormatter
    )
    parser.add_argument("--quick", action="store_true", help="a tenth of the work")
    parser.add_argument("--json", action="store_true", help="one JSON object on stdout")
    arguments = parser.parse_args()
    batches, repeats = (4, 3) if arguments.quick else (32, 10)
    buffers = records(batches * BATCH)
    rows = native(batches * BATCH) + ours(buffers, repeats) + peers(buffers, repeats)
    if arguments.json:
        print(json.dumps({"machine": machine(), "rows": [asdict(row) for row in rows]}))
    else:
        print(table(rows))


if __name__ == "__main__":
    main()
