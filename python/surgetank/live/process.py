"""A server's process: in a session of its own, ended by its process id, and never outliving this
process.

A process that is started here gets SIGKILL when its parent ends, however that happens
(Linux's parent-death signal; elsewhere only `atexit` ends it). The signal is bound to the starting
*thread*, so all starts happen on one thread that lives as long as the interpreter. It reaches the
process itself, not its children: give an `argv` that becomes the server, not a script that waits
for it.
"""

from __future__ import annotations

import atexit
import contextlib
import ctypes
import logging
import os
import signal
import subprocess
import sys
import time
import weakref
from collections.abc import Callable, Mapping, Sequence
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path
from typing import Final

import psutil

from surgetank.live.target import TargetError

__all__ = ["Process", "wait_until"]

_LOG: Final = logging.getLogger(__name__)
_PR_SET_PDEATHSIG: Final = 1
_TAIL_BYTES: Final = 16_384
_POLL_S: Final = 0.02

if sys.platform == "linux":
    # Loaded before any fork: nothing may be imported between fork and exec.
    _LIBC: Final = ctypes.CDLL(None, use_errno=True)
_STARTER: Final = ThreadPoolExecutor(max_workers=1, thread_name_prefix="surgetank-starter")
_ALL: Final[weakref.WeakSet[Process]] = weakref.WeakSet()


class Process:
    """One server process with its log file; `start` starts it."""

    def __init__(
        self,
        argv: Sequence[str],
        folder: Path,
        log_name: str,
        env: Mapping[str, str] | None = None,
    ) -> None:
        """`folder` is the working directory and holds the log; `env` adds to our environment."""
        self.argv = list(argv)
        self.folder = folder
        self.log = folder / log_name
        self.env = dict(env or {})
        self.exit_code: int | None = None
        """Exit code of the last run; negative for a signal. None while it runs or before it
        started."""
        self._child: subprocess.Popen[bytes] | None = None
        self._owner = os.getpid()

    def start(self) -> None:
        """Starts it; the log is appended to.

        Raises:
            TargetError: it runs already, or the program cannot be started.
        """
        if self.running:
            raise TargetError(f"runs already as {self.pid}", place=self.argv[0], hint="Stop it")
        self._end()  # Processes that a dead leader left in its group.
        self.folder.mkdir(parents=True, exist_ok=True)
        try:
            self._child = _STARTER.submit(self._spawn).result()
        except OSError as error:
            raise TargetError(f"cannot be started ({error})", place=self.argv[0]) from None
        self.exit_code = None
        _LOG.info("started %s as %d, log %s", self.argv[0], self._child.pid, self.log)
        _ALL.add(self)

    def _spawn(self) -> subprocess.Popen[bytes]:
        parent = os.getpid()

        def bind_to_parent() -> None:
            if sys.platform == "linux":
                _LIBC.prctl(_PR_SET_PDEATHSIG, signal.SIGKILL, 0, 0, 0)
            if os.getppid() != parent:
                os._exit(127)  # The parent died before the signal was set.

        with self.log.open("ab") as log:
            return subprocess.Popen(
                self.argv,
                cwd=self.folder,
                env={**os.environ, **self.env},
                stdin=subprocess.DEVNULL,
                stdout=log,
                stderr=subprocess.STDOUT,
                start_new_session=True,
                preexec_fn=bind_to_parent,
            )

    @property
    def running(self) -> bool:
        """Whether it was started and has not ended."""
        if self._child is None:
            return False
        # Polled without reaping: while it is a zombie, no other process can get its id or its
        # group's.
        options = os.WEXITED | os.WNOHANG | os.WNOWAIT
        try:
            return os.waitid(os.P_PID, self._child.pid, options) is None
        except ChildProcessError:
            return False

    @property
    def pid(self) -> int:
        """Its process id, which is also its group's; 0 when it is down."""
        return self._child.pid if self._child is not None and self.running else 0

    def kill(self) -> None:
        """SIGKILL to it and its children; returns when it is gone. Does nothing if it is down."""
        self._end()

    def stop(self, seconds: float = 5.0, how: signal.Signals = signal.SIGTERM) -> None:
        """Asks it to end, waits `seconds`, then kills it. Safe to call twice."""
        if self.running:
            _LOG.info("stopping %s, %d", self.argv[0], self.pid)
            self._signal(how)
            self._signal(signal.SIGCONT)  # A paused process could not act on the signal.
            until = time.monotonic() + seconds
            while self.running and time.monotonic() < until:
                time.sleep(_POLL_S)
        self._end()

    def pause(self) -> None:
        """Sends SIGSTOP: the process stops and keeps its connections. Does nothing if it is down.

        Raises:
            PermissionError: this process may not signal it.
        """
        self._signal_running(signal.SIGSTOP)

    def resume(self) -> None:
        """Sends SIGCONT: the process continues. Raises as `pause`."""
        self._signal_running(signal.SIGCONT)

    def cpu_s(self) -> float | None:
        """CPU time of the process and its children, s; None when it is down."""
        if not (pid := self.pid):
            return None
        try:
            leader = psutil.Process(pid)
            own = leader.cpu_times()
            found = own.user + own.system + own.children_user + own.children_system
            for child in leader.children(recursive=True):
                with contextlib.suppress(psutil.Error):  # it has just ended
                    times = child.cpu_times()
                    found += times.user + times.system
        except psutil.Error:
            return None
        return float(found)

    def tail(self, lines: int = 12) -> str:
        """The last lines of its log."""
        try:
            with self.log.open("rb") as log:
                log.seek(max(0, log.seek(0, os.SEEK_END) - _TAIL_BYTES))
                text = log.read().decode("utf-8", "replace")
        except OSError:
            return ""
        return "\n".join(text.splitlines()[-lines:])

    def failure(self, message: str, hint: str = "") -> TargetError:
        """An error that ends with the last lines of the log."""
        if self.exit_code is not None or (self._child is not None and not self.running):
            message = f"{message}: it has ended"
        tail = self.tail()
        log = f"its log ends:\n{tail}" if tail else "its log is empty"
        return TargetError(f"{message}; {log}", place=Path(self.argv[0]).name, hint=hint)

    def _signal_running(self, which: signal.Signals) -> None:
        if pid := self.pid:
            os.killpg(pid, which)

    def _signal(self, which: signal.Signals) -> None:
        if self._child is not None and self._owner == os.getpid():
            # No process of the group may be left.
            with contextlib.suppress(ProcessLookupError, PermissionError):
                os.killpg(self._child.pid, which)

    def _end(self) -> None:
        if self._child is None or self._owner != os.getpid():
            return
        self._signal(signal.SIGKILL)  # Before reaping: the group's id is certainly still ours.
        self.exit_code = self._child.wait()
        self._child = None


@atexit.register
def _end_all() -> None:
    for process in list(_ALL):
        process.kill()


def wait_until(
    check: Callable[[], bool], seconds: float, what: str, process: Process | None = None
) -> None:
    """Calls `check` until it returns True; an OSError counts as False.

    Raises:
        TargetError: `seconds` are over, or `process` has ended; with the end of its log.
    """
    until = time.monotonic() + seconds
    while True:
        try:
            if check():
                return
        except OSError:
            pass
        late = time.monotonic() >= until
        if late or (process is not None and not process.running):
            message = f"{what} did not come within {seconds:g} s" if late else f"no {what}"
            if process is None:
                raise TargetError(message)
            raise process.failure(message)
        time.sleep(_POLL_S)
