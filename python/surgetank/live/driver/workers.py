"""The processes of a run, seen from the driver."""

from __future__ import annotations

import contextlib
import json
import os
import selectors
import signal
import subprocess
import sys
import time
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

from surgetank.live.driver.worker import Job
from surgetank.live.target import TargetError

__all__ = ["Crew", "Member"]


class Member:
    """One process."""

    def __init__(self, folder: Path, name: str, job: Job) -> None:
        self.name = name
        self.publishes = job.worker >= 0
        self.told: dict[str, Any] = {}
        path = folder / f"{name}.json"
        job.write(path)
        self._log = folder / f"{name}.log"
        # As our own path, and without the current directory in front of it (-P).
        known = os.pathsep.join(entry for entry in sys.path if entry)
        with self._log.open("wb") as log:
            self.process = subprocess.Popen(
                [
                    sys.executable,
                    "-P",
                    "-m",
                    "surgetank.live.driver.worker",
                    str(folder),
                    str(path),
                ],
                stdin=subprocess.PIPE,
                stdout=subprocess.PIPE,
                stderr=log,
                start_new_session=True,
                env={**os.environ, "PYTHONPATH": known, "OMP_NUM_THREADS": "1"},
            )
        self._rest = b""

    def say(self, line: str) -> None:
        """A line on its standard input; nothing if it has ended."""
        assert self.process.stdin is not None
        with contextlib.suppress(BrokenPipeError, ValueError):
            self.process.stdin.write(line.encode() + b"\n")
            self.process.stdin.flush()

    def hear(self) -> bool:
        """Takes what it has said; False if it has ended."""
        assert self.process.stdout is not None
        raw = os.read(self.process.stdout.fileno(), 1 << 16)
        *lines, self._rest = (self._rest + raw).split(b"\n")
        for line in lines:
            self.told.update(json.loads(line))
        return bool(raw)

    def log(self) -> str:
        """The end of what it wrote to standard error."""
        with contextlib.suppress(OSError):
            return self._log.read_text(errors="replace").strip()[-2_000:]
        return ""

    def end(self) -> None:
        """Asks it to end, and ends it."""
        self.say("stop")
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


class Crew:
    """All processes of a run; ended when the block is left."""

    def __init__(self, folder: Path) -> None:
        self.folder = folder
        self.members: list[Member] = []
        self._selector = selectors.DefaultSelector()

    def __enter__(self) -> Crew:
        return self

    def __exit__(self, *_: object) -> None:
        for member in self.members:
            member.say("stop")
        for member in self.members:
            member.end()
        self._selector.close()

    def add(self, name: str, job: Job) -> None:
        """Starts a process."""
        member = Member(self.folder, name, job)
        self.members.append(member)
        self._selector.register(member.process.stdout, selectors.EVENT_READ, member)  # type: ignore[arg-type]

    def say(self, line: str) -> None:
        """A line to all."""
        for member in self.members:
            member.say(line)

    def wait(self, key: str, until_s: float, tick: Callable[[], bool], *, who: str = "all") -> bool:
        """Waits until all members (or all that publish) have told `key`; False when time is up or
        `tick`, called four times a second, says so.

        Raises:
            TargetError: a member ended before.
        """
        for _ in self._ticks(until_s):
            asked = [m for m in self.members if who == "all" or m.publishes]
            if all(key in member.told for member in asked):
                return True
            self._check(key, asked)
            if not tick():
                return False
        return False

    def idle(self, seconds: float, tick: Callable[[], bool]) -> bool:
        """Listens for so long; False when `tick` says so."""
        return all(tick() for _ in self._ticks(time.monotonic() + seconds))

    def _ticks(self, until_s: float) -> Iterator[None]:
        yield
        while (left := until_s - time.monotonic()) > 0:
            deadline = time.monotonic() + min(0.25, left)
            while (wait := deadline - time.monotonic()) > 0:
                heard = self._selector.select(wait)
                for entry, _ in heard:
                    if not entry.data.hear():
                        self._selector.unregister(entry.fileobj)
                if heard:
                    break
            yield

    def _check(self, key: str, asked: list[Member]) -> None:
        for member in asked:
            if "error" in member.told:
                raise TargetError(**member.told["error"], exit_code=3)
            if key not in member.told and member.process.poll() is not None:
                with contextlib.suppress(OSError, ValueError):
                    if member.hear():
                        continue
                last = member.log().splitlines()[-1:] or ["no word"]
                raise TargetError(
                    f"the {member.name} process ended ({last[0]})",
                    place="live run",
                    mend="Is its client here? pip install '.[live]' in the source of surgetank",
                    exit_code=3,
                )
