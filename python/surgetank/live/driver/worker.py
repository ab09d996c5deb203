"""A process of a live run: publishes a share of the schedule, or subscribes, or both.

Its work is read from a file (`messages.Job`), its instructions from standard input
(`messages.Instruction`, a line each), and its reports go to standard output (`messages.Report`). It
ends with its standard input, so it cannot outlive the run.
"""

from __future__ import annotations

import asyncio
import contextlib
import gc
import signal
import sys
import time
from pathlib import Path

import numpy as np

from surgetank.errors import SurgetankError
from surgetank.live.driver.generator import Generator
from surgetank.live.driver.messages import (
    AllSent,
    Cost,
    Drain,
    Finished,
    Job,
    Publisher,
    Ready,
    Report,
    Start,
    Subscriber,
    WorkerFailed,
    instruction_of,
    job_of,
    line_of,
)
from surgetank.live.driver.recording import Deliveries, Recording, Sent
from surgetank.live.event_loop import run_loop
from surgetank.live.payload import decode
from surgetank.live.registry import target_class
from surgetank.live.target import Batched, Block, Chain, Target

__all__ = ["main"]


def _report(report: Report) -> None:
    sys.stdout.buffer.write(line_of(report))
    sys.stdout.buffer.flush()


class _Phases:
    """The phase of the run, by the driver's instructions and by this process's own subscription."""

    def __init__(self) -> None:
        self.start: asyncio.Future[int] = asyncio.get_running_loop().create_future()
        self.drain: asyncio.Future[int] = asyncio.get_running_loop().create_future()
        self.sent = asyncio.Event()
        """Set when nothing more is to be sent."""
        self.stop = asyncio.Event()
        self.subscribed = asyncio.Event()

    async def follow(self) -> None:
        """Reads instructions until `Stop`, or until the driver is gone."""
        reader = asyncio.StreamReader()
        loop = asyncio.get_running_loop()
        await loop.connect_read_pipe(lambda: asyncio.StreamReaderProtocol(reader), sys.stdin)
        while line := await reader.readline():
            instruction = instruction_of(line)
            if isinstance(instruction, Start):
                self.start.set_result(instruction.at_ns)
            elif isinstance(instruction, Drain):
                self.drain.set_result(instruction.until_ns)
                self.sent.set()
            else:
                break
        self.sent.set()
        self.stop.set()
        for waiting in (self.start, self.drain):
            if not waiting.done():
                waiting.cancel()


async def _publish(job: Job, folder: Path, target: Target, phases: _Phases) -> Publisher:
    recording = Recording(folder)
    share = np.flatnonzero(recording.account % job.workers == job.worker)
    sink = Sent(recording, job.run)
    generator = Generator(target, sink, recording, share, job)
    gc.collect()
    gc.freeze()
    gc.disable()  # a garbage collection during the run would be a stall of the generator
    if job.subscribes:
        await phases.subscribed.wait()
    _report(Ready())
    await generator.play(await phases.start, phases.sent)
    _report(AllSent())
    if not phases.stop.is_set():
        await generator.answered(await phases.drain, phases.stop)
    await generator.end()
    return Publisher(generator.cost, sink.reasons, sink.error)


class _Subscription:
    """Receives until the task is cancelled."""

    def __init__(self, target: Target, sink: Deliveries) -> None:
        self.error = ""
        self._target, self._sink = target, sink
        self._task = asyncio.create_task(self._receive())

    async def _receive(self) -> None:
        try:
            if isinstance(self._target, Batched):
                await self._target.receive(self._sink)
                return
            async for payload in self._target.subscribe():
                number = decode(self._sink.run, payload)
                if number is None:
                    self._sink.foreign += 1
                else:
                    self._sink.delivered((number,), time.monotonic_ns())
        except Exception as error:  # reported to the driver: the run is INVALID
            self.error = f"subscribe: {type(error).__name__}: {error}"

    async def begun(self, stop: asyncio.Event) -> None:
        """Returns once all messages published from now on will be delivered, or on `stop`."""
        if not isinstance(self._target, Batched):
            await asyncio.sleep(0.1)  # an iterator cannot say that it has subscribed
            return
        ends = [asyncio.create_task(event.wait()) for event in (self._sink.listening, stop)]
        await asyncio.wait([self._task, *ends], return_when=asyncio.FIRST_COMPLETED)
        for end in ends:
            end.cancel()

    async def end(self) -> None:
        self._task.cancel()
        await asyncio.wait([self._task], timeout=2)
        self._sink.flush()


async def _subscribe(job: Job, folder: Path, target: Target, phases: _Phases) -> Subscriber:
    sink = Deliveries(folder, job.run)
    subscription = _Subscription(target, sink)
    await subscription.begun(phases.stop)
    phases.subscribed.set()
    if job.worker < 0:
        _report(Ready())
    start = await phases.start
    began, cpu = start / 1e9, time.process_time()
    while not phases.stop.is_set():
        sink.flush()
        with contextlib.suppress(TimeoutError):
            await asyncio.wait_for(phases.stop.wait(), 0.05)
    cost = Cost(time.monotonic() - began, time.process_time() - cpu)
    await subscription.end()
    blocks: list[Block] = []
    error = subscription.error
    if isinstance(target, Chain):
        try:
            blocks = await target.blocks(job.run)
        except (SurgetankError, OSError) as trouble:
            error = error or f"blocks: {trouble}"
    return Subscriber(cost, sink.reasons, error, sink.foreign, blocks)


async def _work(folder: Path, job: Job) -> int:
    phases = _Phases()
    following = asyncio.create_task(phases.follow())
    target = target_class(job.where)(job.where)

    async def publisher() -> Publisher | None:
        return None if job.worker < 0 else await _publish(job, folder, target, phases)

    async def subscriber() -> Subscriber | None:
        return await _subscribe(job, folder, target, phases) if job.subscribes else None

    try:
        await target.open()
        _report(Finished(*await asyncio.gather(publisher(), subscriber())))
    except asyncio.CancelledError:
        pass  # stopped before the start
    except SurgetankError as error:
        _report(WorkerFailed(error.message, error.place, error.hint))
        return 2
    except OSError as error:
        _report(WorkerFailed(str(error), job.where.scheme, "Is the target running?"))
        return 2
    finally:
        following.cancel()
        with contextlib.suppress(Exception):
            await asyncio.wait_for(target.close(), 2)
    return 0


def main() -> int:
    """Entry point: `python -m surgetank.live.driver.worker FOLDER JOB_FILE`."""
    signal.signal(signal.SIGINT, signal.SIG_IGN)  # the driver decides
    return run_loop(_work(Path(sys.argv[1]), job_of(Path(sys.argv[2]).read_bytes())))


if __name__ == "__main__":
    sys.exit(main())
