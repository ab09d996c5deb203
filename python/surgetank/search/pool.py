"""Replicates in parallel: in processes, on any executor, or on a cluster; each is run once and
recorded.

The journal is a file of JSON lines, one per finished run, named by seed and scenario hash. A search
that starts again with it makes the same decisions and finds these runs in the journal.
"""

from __future__ import annotations

import json
import logging
import multiprocessing
import os
import signal
import threading
from collections.abc import Callable, Iterator, Mapping, Sequence
from concurrent.futures import BrokenExecutor, Executor, Future, ProcessPoolExecutor
from contextlib import contextmanager
from multiprocessing.connection import Connection
from pathlib import Path
from typing import Any, Final, ParamSpec, TypeVar

from surgetank.errors import SurgetankError
from surgetank.extras import install_command
from surgetank.search.probe import RunOutcome, Task, probe

__all__ = ["Inline", "Pool", "Processes", "RunJournal", "dask_executor", "pool_of", "processes"]

_LOG: Final = logging.getLogger(__name__)

P = ParamSpec("P")
T = TypeVar("T")

#: Number of times that a pool is recreated after a worker died before the search gives up.
_REVIVALS: Final = 5


class Inline(Executor):
    """Runs a task in this process, at once: for one worker, and for debugging."""

    def submit(self, fn: Callable[P, T], /, *args: P.args, **kwargs: P.kwargs) -> Future[T]:
        """Runs the task; the interface of `Executor.submit`."""
        future: Future[T] = Future()
        try:
            future.set_result(fn(*args, **kwargs))
        except Exception as error:
            future.set_exception(error)
        return future


class Processes(ProcessPoolExecutor):
    """New processes that end with this one, however it ends.

    Each worker waits on a pipe whose other end only this process holds: closed, or closed by the
    kernel when this process dies (`kill -9` included), the worker exits at once, also in mid-run.
    """

    def __init__(self, workers: int) -> None:
        # Fork would copy the thread pools of polars in mid-use.
        context = multiprocessing.get_context("spawn")
        other_end, self._lifeline = context.Pipe(duplex=False)
        super().__init__(workers, mp_context=context, initializer=_attend, initargs=(other_end,))

    def kill(self) -> None:
        """Kills the workers; their unfinished runs are lost."""
        self._lifeline.close()
        self.shutdown(wait=True, cancel_futures=True)


def processes(workers: int) -> Executor:
    """An executor of that many new processes; one worker is this process."""
    return Inline() if workers <= 1 else Processes(workers)


def _attend(lifeline: Connection) -> None:
    """Initialises a worker: it ends with the search and ignores Ctrl-C, which the search
    handles."""
    signal.signal(signal.SIGINT, signal.SIG_IGN)
    threading.Thread(target=_end_with, args=(lifeline,), daemon=True).start()


def _end_with(lifeline: Connection) -> None:
    lifeline.poll(None)  # nothing is ever sent: it returns when the other end is closed
    os._exit(1)


@contextmanager
def dask_executor(address: str) -> Iterator[Executor]:
    """The workers of a Dask scheduler; a task whose worker dies goes to another one. At the end,
    tasks not yet done are cancelled and the connection is closed.

    Raises:
        SurgetankError: if Dask is not installed, or no scheduler answers at the address.
    """
    try:
        from distributed import Client
        from distributed.comm import get_address_host_port
    except ImportError:
        raise SurgetankError(
            "Dask is not installed",
            place="--dask",
            hint=install_command("cluster"),
        ) from None
    try:
        get_address_host_port(address)  # a client of an address that is none cannot be closed
        client = Client(address, timeout="5s", set_as_default=False)
    except (OSError, TimeoutError, ValueError) as error:
        raise SurgetankError(
            f"no Dask scheduler answers ({error})",
            place=f"--dask {address}",
            hint="Start one with `dask scheduler`, or correct the address",
        ) from None
    with client:
        executor: Executor = client.get_executor(retries=3)
        try:
            yield executor
        finally:
            executor.shutdown(wait=False)  # Dask's own: cancels, and knows no `cancel_futures`


class RunJournal:
    """Finished runs by their key, on disk if there is a path; of live runs also their target."""

    def __init__(self, path: Path | None = None) -> None:
        self.path = path
        self._found: dict[str, RunOutcome] = {}
        self.target = ""
        """URL of the target of the runs; empty for simulated ones."""
        if path is not None and path.exists():
            self._read(path)

    def __len__(self) -> int:
        return len(self._found)

    def _read(self, path: Path) -> None:
        if not path.is_file():
            hint = "Give the name of a file"
            raise SurgetankError("is not a file", place=str(path), hint=hint)
        lines = path.read_bytes().splitlines(keepends=True)
        for number, line in enumerate(lines, start=1):
            try:
                content = json.loads(line.decode())
                if "target" in content:
                    self.target = str(content["target"])
                    continue
                outcome = RunOutcome.from_dict(content)
            except (ValueError, KeyError, TypeError, AttributeError):
                if number == len(lines) and not line.endswith(b"\n"):
                    break  # cut off in the middle of a line: that run is made again
                raise SurgetankError(
                    f"line {number} is not a finished run",
                    place=str(path),
                    hint="Remove the line, or name another file",
                ) from None
            self._found[outcome.key] = outcome
        whole = [line for line in lines if line.endswith(b"\n")]
        if len(whole) < len(lines):
            path.write_bytes(b"".join(whole))

    def get(self, key: str) -> RunOutcome | None:
        """A finished run."""
        return self._found.get(key)

    def add(self, outcome: RunOutcome) -> None:
        """Records a run, on disk before it is used."""
        self._found[outcome.key] = outcome
        self._append(outcome.to_dict())

    def note_target(self, url: str) -> None:
        """Records the target of the runs."""
        self.target = url
        self._append({"target": url})

    def of_target(self, url: str) -> None:
        """Checks that the runs kept here are of this target, if there are any.

        Raises:
            SurgetankError: they are of another one.
        """
        if self.target not in ("", url):
            what, hint = f"the runs kept there are of {self.target}", "Give another --out"
            raise SurgetankError(what, place=f"--target {url}", hint=f"{hint}, or no --resume")

    def _append(self, content: Mapping[str, Any]) -> None:
        if self.path is not None:
            with self.path.open("a", encoding="utf-8") as file:
                file.write(json.dumps(content, allow_nan=False) + "\n")
                file.flush()


class Pool:
    """Makes runs in any number of processes and returns them in the order of submission."""

    def __init__(
        self,
        make: Callable[[], Executor],
        journal: RunJournal,
        *,
        can_revive: bool = True,
        work: Callable[[Task], RunOutcome] = probe,
    ) -> None:
        self._make, self._journal, self._can_revive = make, journal, can_revive
        self._work = work
        self._executor: Executor | None = None
        self._revived = 0
        self.spent = 0
        """Number of runs submitted, found in the journal or made."""
        self._asked: set[str] = set()
        self.messages = 0
        """Client messages simulated in them."""

    def submit(self, task: Task) -> Running:
        """Begins a run, unless it has been made before."""
        self.spent += 1
        self._asked.add(task.key)
        known = self._journal.get(task.key)
        if known is not None and (known.level, known.seed) != (task.level, task.seed):
            raise SurgetankError(
                f"the run recorded as {task.key[:24]}… is of level {known.level:g} and seed "
                f"{known.seed}, and was asked for at {task.level:g} and {task.seed}",
                place=str(self._journal.path or "recorded runs"),
                hint="Remove its line, or start anew",
            )
        return Running(self, task, known, None if known else self._begin(task))

    @property
    def different(self) -> int:
        """Number of different runs among those submitted."""
        return len(self._asked)

    def all(self, tasks: Sequence[Task]) -> list[RunOutcome]:
        """Runs these tasks and returns their outcomes."""
        running = [self.submit(task) for task in tasks]
        return [run.result() for run in running]

    def close(self, *, at_once: bool = False) -> None:
        """Ends the workers; runs not yet begun are dropped, and `at_once` running ones too."""
        executor, self._executor = self._executor, None
        if at_once and isinstance(executor, Processes):
            executor.kill()
        elif executor is not None:
            executor.shutdown(wait=True, cancel_futures=True)

    def _begin(self, task: Task) -> Future[RunOutcome]:
        for _ in range(_REVIVALS):
            if self._executor is None:
                with _one_thread_each():
                    self._executor = self._make()
                    return self._executor.submit(self._work, task)
            try:
                with _one_thread_each():
                    return self._executor.submit(self._work, task)
            except BrokenExecutor:
                self._revive(self._executor)
        raise _died()

    def _finish(self, running: Running) -> RunOutcome:
        while running.outcome is None:
            executor, future = self._executor, running.future
            if future is None:
                running.future = self._begin(running.task)
                continue
            try:
                running.outcome = future.result()
                self._journal.add(running.outcome)
                _LOG.debug(
                    "level %g, seed %d: %s",
                    running.outcome.level,
                    running.outcome.seed,
                    ", ".join(running.outcome.failed) or "no limit failed",
                )
            except BrokenExecutor:
                if self._executor is executor and executor is not None:
                    self._revive(executor)
                running.future = None
        if not running.counted:
            running.counted = True
            self.messages += running.outcome.messages
        return running.outcome

    def _revive(self, broken: Executor) -> None:
        """Replaces the executor after a worker died (out of memory, killed)."""
        self._revived += 1
        if not self._can_revive or self._revived > _REVIVALS:
            raise _died()
        broken.shutdown(wait=False, cancel_futures=True)
        self._executor = None


@contextmanager
def pool_of(
    executor: Executor | None,
    workers: int | None,
    journal: Path | None,
    work: Callable[[Task], RunOutcome] = probe,
) -> Iterator[Pool]:
    """A pool on an executor that is the caller's to close, or on processes that end with it."""
    known = RunJournal(journal)
    if executor is not None:
        yield Pool(lambda: executor, known, can_revive=False, work=work)
        return
    count = workers or os.cpu_count() or 1
    pool = Pool(lambda: processes(count), known, work=work)
    try:
        yield pool
    except BaseException:
        pool.close(at_once=True)
        raise
    pool.close()


class Running:
    """A run that has been begun."""

    def __init__(
        self, pool: Pool, task: Task, outcome: RunOutcome | None, future: Future[RunOutcome] | None
    ) -> None:
        self._pool, self.task, self.outcome, self.future = pool, task, outcome, future
        self.counted = False
        """Whether its messages are among those that the pool has simulated."""

    def result(self) -> RunOutcome:
        """The outcome, once the run has ended.

        Raises:
            SurgetankError: if the scenario cannot be built, or workers keep dying.
        """
        return self._pool._finish(self)

    def drop(self) -> None:
        """Drops a run that is not needed any more."""
        if self.future is not None:
            self.future.cancel()


def _died() -> SurgetankError:
    return SurgetankError(
        "workers keep dying",
        place="the pool of workers",
        hint="Give them more memory or fewer --workers; recorded runs are not repeated. A script's "
        'own calls must stand below `if __name__ == "__main__":`, since workers import it',
        exit_code=3,
    )


@contextmanager
def _one_thread_each() -> Iterator[None]:
    """Workers begun inside measure on one thread each: there are as many of them as cores."""
    before = os.environ.get("POLARS_MAX_THREADS")
    os.environ["POLARS_MAX_THREADS"] = before or "1"
    try:
        yield
    finally:
        if before is None:
            del os.environ["POLARS_MAX_THREADS"]
