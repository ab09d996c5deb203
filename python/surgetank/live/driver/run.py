"""One run on a prepared target: its worker processes and their shared recordings."""

from __future__ import annotations

import time
from collections.abc import Callable, Mapping
from pathlib import Path
from typing import Self

from surgetank.errors import SurgetankError
from surgetank.live.driver.messages import (
    AllSent,
    Drain,
    Finished,
    Job,
    Ready,
    Start,
    Stop,
)
from surgetank.live.driver.recording import Recording, now_ns
from surgetank.live.driver.schedule import Schedule
from surgetank.live.driver.workers import WorkerProcesses
from surgetank.live.export.traces import sampled, traceparent
from surgetank.live.options import LiveOptions
from surgetank.live.target import Target, Where
from surgetank.trace import CLASSES

__all__ = ["LiveRun"]

Tick = Callable[[], bool]
"""Called four times a second while a run waits; False ends the wait."""


class LiveRun:
    """A context manager. Call `begin`, `sent`, `drain` and `finish` in this order; its processes
    end with the context."""

    def __init__(
        self,
        schedule: Schedule,
        target: Target,
        where: Where,
        number: int,
        folder: Path,
        options: LiveOptions,
    ) -> None:
        """`target` is the driver's own object; `number` is the run's in payloads; `folder` is for
        what the processes share."""
        self.schedule, self.target, self.number = schedule, target, number
        self.capabilities = target.capabilities
        self.recording = Recording.create(folder, schedule)
        self.where = where
        self._options = options
        self._processes = WorkerProcesses(folder)

    def __enter__(self) -> Self:
        return self

    def __exit__(self, *_: object) -> None:
        self._processes.end()

    def begin(self, tick: Tick, *, subscribes: bool = True) -> int:
        """Starts the processes, waits until they are ready, and returns the run's time 0, which is
        `LiveOptions.lead_s` from now.

        Raises:
            SurgetankError: they were not ready in time.
            TargetError: one of them could not connect.
        """
        self._start(subscribes)
        patience_s = self._options.patience_s
        if not self._processes.wait(Ready, time.monotonic() + patience_s, tick):
            raise SurgetankError(
                f"its clients were not ready after {patience_s:g} s",
                place=f"--target {self.where.scheme}:",
                hint="Give --patience, or look whether the target answers",
                exit_code=3,
            )
        start_ns = now_ns() + int(self._options.lead_s * 1e9)
        self._processes.send(Start(start_ns))
        return start_ns

    def _start(self, subscribes: bool) -> None:
        inside = self.capabilities.in_process
        workers = 1 if inside else self._options.workers
        share = self._options.sample
        numbers = sampled(self.number, len(self.schedule), share).tolist() if share else []
        traceparents = {number: traceparent(self.number, number) for number in numbers}

        def job(worker: int, *, subscribes: bool) -> Job:
            most = self._options.inflight_max
            return Job(
                self.where, self.number, worker, workers, subscribes, most, traceparents, CLASSES
            )

        if subscribes and not inside:
            self._processes.start("subscriber", job(-1, subscribes=True))
        for i in range(workers):
            self._processes.start(f"publisher-{i}", job(i, subscribes=subscribes and inside))

    def sent(self, until_ns: int, tick: Tick) -> bool:
        """Waits until everything has been sent; False when time is up or `tick` returns False.

        Raises:
            TargetError: a process ended before.
        """
        return self._processes.wait(AllSent, until_ns / 1e9, tick, publishers_only=True)

    def drain(self, until_ns: int, settled: Tick, tick: Tick) -> bool:
        """Sends nothing more and waits for answers until a time, or until they are `settled`; False
        when `tick` returns False."""
        self._processes.send(Drain(until_ns))
        while now_ns() < until_ns and not settled():
            if not self._processes.idle(min(0.25, (until_ns - now_ns()) / 1e9), tick):
                return False
        return True

    def finish(self) -> Mapping[str, Finished]:
        """Ends the run; returns the final report of each process.

        Raises:
            SurgetankError: not all reported in time; what the others saw is not the whole run.
            TargetError: one of them ended before.
        """
        self._processes.send(Stop())
        patience_s = self._options.patience_s
        if not self._processes.wait(Finished, time.monotonic() + patience_s, lambda: True):
            raise SurgetankError(
                f"not all processes of the run reported what they saw within {patience_s:g} s",
                place="live run",
                hint="Give --patience, or a machine with less other work",
                exit_code=3,
            )
        return self._processes.finished()
