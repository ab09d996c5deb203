"""The worker processes of a run, seen from the driver."""

from __future__ import annotations

import contextlib
import os
import selectors
import signal
import subprocess
import sys
import time
from collections.abc import Callable, Iterator, Mapping
from pathlib import Path
from typing import TypeVar

from surgetank.extras import install_command
from surgetank.live.driver.messages import (
    Finished,
    Instruction,
    Job,
    Report,
    Stop,
    WorkerFailed,
    line_of,
    report_of,
)
from surgetank.live.target import TargetError

__all__ = ["WorkerProcess", "WorkerProcesses"]

_R = TypeVar("_R", bound=Report)


class WorkerProcess:
    """A worker process, its standard input and its reports."""

    def __init__(self, folder: Path, name: str, job: Job) -> None:
        self.name = name
        self.publishes = job.worker >= 0
        self._reports: list[Report] = []
        path = folder / f"{name}.json"
        path.write_bytes(line_of(job))
        self._log = folder / f"{name}.log"
        # The same import path as ours, without the current directory in front (-P).
        known = os.pathsep.join(entry for entry in sys.path if entry)
        program = [sys.executable, "-P", "-m", "surgetank.live.driver.worker"]
        with self._log.open("wb") as log:
            self.process = subprocess.Popen(
                [*program, str(folder), str(path)],
                stdin=subprocess.PIPE,
                stdout=subprocess.PIPE,
                stderr=log,
                start_new_session=True,
                env={**os.environ, "PYTHONPATH": known, "OMP_NUM_THREADS": "1"},
            )
        self._rest = b""

    def report(self, kind: type[_R]) -> _R | None:
        """The report of this type; None if there is none yet."""
        return next((each for each in self._reports if isinstance(each, kind)), None)

    def send(self, instruction: Instruction) -> None:
        """Sends it an instruction; does nothing if it has ended."""
        assert self.process.stdin is not None
        with contextlib.suppress(BrokenPipeError, ValueError):
            self.process.stdin.write(line_of(instruction))
            self.process.stdin.flush()

    def read(self) -> bool:
        """Reads the reports that it has written; False if it has ended."""
        assert self.process.stdout is not None
        raw = os.read(self.process.stdout.fileno(), 1 << 16)
        *lines, self._rest = (self._rest + raw).split(b"\n")
        self._reports += map(report_of, lines)
        return bool(raw)

    def log(self) -> str:
        """The last part of its standard error."""
        with contextlib.suppress(OSError):
            return self._log.read_text(errors="replace").strip()[-2_000:]
        return ""

    def end(self) -> None:
        """Asks it to end, then kills it."""
        self.send(Stop())
        with contextlib.suppress(OSError, ValueError):
            assert self.process.stdin is not None
            self.process.stdin.close()
        try:
            self.process.wait(3)
        except subprocess.TimeoutExpired:
            with contextlib.suppress(ProcessLookupError):
                os.killpg(self.process.pid, signal.SIGKILL)
            self.process.wait()
        assert self.process.stdout is not None
        self.process.stdout.close()


class WorkerProcesses:
    """All processes of a run. The creator calls `end`."""

    def __init__(self, folder: Path) -> None:
        self.folder = folder
        self._all: list[WorkerProcess] = []
        self._selector = selectors.DefaultSelector()

    def end(self) -> None:
        """Ends all of them."""
        self.send(Stop())
        for process in self._all:
            process.end()
        self._selector.close()

    def start(self, name: str, job: Job) -> None:
        """Starts a process."""
        worker = WorkerProcess(self.folder, name, job)
        self._all.append(worker)
        self._selector.register(worker.process.stdout, selectors.EVENT_READ, worker)  # type: ignore[arg-type]

    def send(self, instruction: Instruction) -> None:
        """Sends an instruction to all of them."""
        for process in self._all:
            process.send(instruction)

    def finished(self) -> Mapping[str, Finished]:
        """Their last reports, by name, after `wait(Finished, …)`."""
        ends = {process.name: process.report(Finished) for process in self._all}
        return {name: end for name, end in ends.items() if end is not None}

    def wait(
        self,
        kind: type[Report],
        until_s: float,
        tick: Callable[[], bool],
        *,
        publishers_only: bool = False,
    ) -> bool:
        """Waits until all have made a report of this type; False when time is up or `tick`, called
        four times a second, returns False.

        Raises:
            TargetError: a process ended before.
        """
        awaited = [p for p in self._all if p.publishes or not publishers_only]
        for _ in self._ticks(until_s):
            if all(process.report(kind) for process in awaited):
                return True
            self._check(kind, awaited)
            if not tick():
                return False
        return False

    def idle(self, seconds: float, tick: Callable[[], bool]) -> bool:
        """Reads reports for so many seconds; False when `tick` returns False."""
        return all(tick() for _ in self._ticks(time.monotonic() + seconds))

    def _ticks(self, until_s: float) -> Iterator[None]:
        yield
        while (left := until_s - time.monotonic()) > 0:
            deadline = time.monotonic() + min(0.25, left)
            while (wait := deadline - time.monotonic()) > 0:
                readable = self._selector.select(wait)
                for entry, _ in readable:
                    if not entry.data.read():
                        self._selector.unregister(entry.fileobj)
                if readable:
                    break
            yield

    def _check(self, kind: type[Report], awaited: list[WorkerProcess]) -> None:
        for process in awaited:
            if (failed := process.report(WorkerFailed)) is not None:
                raise TargetError(failed.message, place=failed.place, hint=failed.hint, exit_code=3)
            if process.report(kind) is None and process.process.poll() is not None:
                with contextlib.suppress(OSError, ValueError):
                    if process.read():
                        continue
                last = process.log().splitlines()[-1:] or ["no word"]
                raise TargetError(
                    f"the {process.name} process ended ({last[0]})",
                    place="live run",
                    hint=f"Is its client here? {install_command('live')}",
                    exit_code=3,
                )
