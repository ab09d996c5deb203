"""A process of a live run: publishes a share of the schedule, or subscribes, or both.

It is told what by a file and when by lines on standard input (`start NS`, `drain NS`, `stop`); it
answers with a JSON object per line. The end of standard input ends it, so it cannot outlive the
run.
"""

from __future__ import annotations

import asyncio
import contextlib
import gc
import json
import signal
import sys
import time
from collections.abc import Coroutine
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import Any

import numpy as np

from surgetank.errors import SurgetankError
from surgetank.live.driver.generator import Generator
from surgetank.live.driver.recording import Deliveries, Recording, Sent
from surgetank.live.payload import decode
from surgetank.live.registry import target_class
from surgetank.live.target import Batched, Chain, Target, Where

__all__ = ["Job", "main", "run_loop"]


@dataclass(frozen=True)
class Job:
    """What a process is to do."""

    where: dict[str, Any]
    run: int
    worker: int
    """Which share of the schedule; −1 publishes nothing."""
    workers: int
    subscribes: bool
    inflight_max: int
    traceparents: dict[int, str]

    def target(self) -> Target:
        """An object of this process's own."""
        fields = dict(self.where)
        fields["addresses"] = tuple((host, port) for host, port in fields["addresses"])
        where = Where(**fields)
        return target_class(where)(where)

    @classmethod
    def read(cls, path: Path) -> Job:
        """From the file that `write` made."""
        fields = json.loads(path.read_text(encoding="utf-8"))
        fields["traceparents"] = {int(k): v for k, v in fields["traceparents"].items()}
        return cls(**fields)

    def write(self, path: Path) -> None:
        """Into a file."""
        path.write_text(json.dumps(asdict(self)), encoding="utf-8")


def run_loop(main: Coroutine[Any, Any, int]) -> int:
    """Runs a process's main coroutine, on uvloop where there is one."""
    try:
        import uvloop
    except ImportError:
        return asyncio.run(main)
    return uvloop.run(main)


def _say(**content: Any) -> None:
    sys.stdout.write(json.dumps(content) + "\n")
    sys.stdout.flush()


class _Orders:
    """What the driver says on standard input."""

    def __init__(self) -> None:
        self.start: asyncio.Future[int] = asyncio.get_running_loop().create_future()
        self.drain: asyncio.Future[int] = asyncio.get_running_loop().create_future()
        self.stop = asyncio.Event()
        self.listening = asyncio.Event()
        """Set when this process hears what is published, if it subscribes at all."""

    async def listen(self) -> None:
        reader = asyncio.StreamReader()
        loop = asyncio.get_running_loop()
        await loop.connect_read_pipe(lambda: asyncio.StreamReaderProtocol(reader), sys.stdin)
        while line := await reader.readline():
            word, _, rest = line.decode().strip().partition(" ")
            if word == "start" and not self.start.done():
                self.start.set_result(int(rest))
            elif word == "drain" and not self.drain.done():
                self.drain.set_result(int(rest))
            elif word == "stop":
                break
        self.stop.set()
        for waiting in (self.start, self.drain):
            if not waiting.done():
                waiting.cancel()


async def _publish(job: Job, folder: Path, target: Target, orders: _Orders) -> dict[str, Any]:
    recording = Recording(folder)
    share = np.flatnonzero(recording.account % job.workers == job.worker)
    sink = Sent(recording, job.run)
    generator = Generator(target, sink, recording, share, job.traceparents, job.inflight_max)
    gc.collect()
    gc.freeze()
    gc.disable()  # a collection in mid-run would be a stall of our own making
    if job.subscribes:
        await orders.listening.wait()
    _say(ready=True)
    await generator.play(await orders.start, orders.stop)
    _say(sent=True)
    if not orders.stop.is_set():
        await generator.answered(await orders.drain, orders.stop)
    await generator.end()
    return {"cost": asdict(generator.cost), "reasons": sink.reasons, "fault": sink.fault}


async def _subscribe(
    job: Job, folder: Path, target: Target, orders: _Orders, *, ready: bool
) -> dict[str, Any]:
    sink = Deliveries(folder, job.run)
    fault = ""

    async def receive() -> None:
        nonlocal fault
        try:
            if isinstance(target, Batched):
                await target.receive(sink)
            else:
                async for payload in target.subscribe():
                    number = decode(job.run, payload)
                    if number is None:
                        sink.strangers += 1
                    else:
                        sink.delivered((number,), time.monotonic_ns())
        except Exception as error:  # told to the driver, which ends the run as INVALID
            fault = f"subscribe: {type(error).__name__}: {error}"

    task = asyncio.create_task(receive())
    if isinstance(target, Batched):
        ends = [asyncio.create_task(event.wait()) for event in (sink.listening, orders.stop)]
        await asyncio.wait([task, *ends], return_when=asyncio.FIRST_COMPLETED)
        for end in ends:
            end.cancel()
    else:
        await asyncio.sleep(0.1)  # an iterator cannot say that it has subscribed
    orders.listening.set()
    if ready:
        _say(ready=True)
    start = await orders.start
    began, cpu = start / 1e9, time.process_time()
    while not orders.stop.is_set():
        sink.flush()
        with contextlib.suppress(TimeoutError):
            await asyncio.wait_for(orders.stop.wait(), 0.05)
    cost = {"wall_s": time.monotonic() - began, "cpu_s": time.process_time() - cpu}
    task.cancel()
    await asyncio.wait([task], timeout=2)
    sink.flush()
    blocks: list[dict[str, Any]] = []
    if isinstance(target, Chain):
        try:
            blocks = [asdict(block) for block in await target.blocks(job.run)]
        except (SurgetankError, OSError) as error:
            fault = fault or f"blocks: {error}"
    return {
        "cost": cost,
        "strangers": sink.strangers,
        "reasons": sink.reasons,
        "fault": fault,
        "blocks": blocks,
    }


async def _work(folder: Path, job: Job) -> int:
    orders = _Orders()
    listening = asyncio.create_task(orders.listen())
    target = job.target()
    try:
        await target.open()
        told: dict[str, Any] = {}
        parts = []
        if job.subscribes:
            parts.append(_subscribe(job, folder, target, orders, ready=job.worker < 0))
        if job.worker >= 0:
            parts.append(_publish(job, folder, target, orders))
        names = ["subscriber"] * job.subscribes + ["publisher"] * (job.worker >= 0)
        for name, part in zip(names, await asyncio.gather(*parts), strict=True):
            told[name] = part
        _say(end=told)
    except asyncio.CancelledError:
        pass  # stopped before the start
    except SurgetankError as error:
        _say(error={"message": error.message, "place": error.place, "mend": error.mend})
        return 2
    except OSError as error:
        place = job.where["scheme"]
        _say(error={"message": str(error), "place": place, "mend": "Is the target running?"})
        return 2
    finally:
        listening.cancel()
        with contextlib.suppress(Exception):
            await asyncio.wait_for(target.close(), 2)
    return 0


def main() -> int:
    """Entry point: `python -m surgetank.live.driver.worker FOLDER JOB_FILE`."""
    signal.signal(signal.SIGINT, signal.SIG_IGN)  # the driver decides
    return run_loop(_work(Path(sys.argv[1]), Job.read(Path(sys.argv[2]))))


if __name__ == "__main__":
    sys.exit(main())
