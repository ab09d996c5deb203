"""Faults of processes: killed and started again, or made slow by stopping them again and again."""

from __future__ import annotations

import contextlib
import socket
import threading
import time
from collections.abc import Callable, Sequence
from typing import Final

from surgetank.live.faults.row import Row, exactly, within_chance
from surgetank.live.server import Server
from surgetank.scenario.faults import Crash, Slow
from surgetank.trace import Quantity

__all__ = ["CrashFault", "SlowFault"]

_PROBE_S: Final = 0.05
#: Of one turn of stopping and going on.
_TURN_S: Final = 0.02
#: No turn runs shorter than this, so a large factor makes turns longer.
_RUN_LEAST_S: Final = 0.002


class CrashFault:
    """SIGKILL at the begin; optionally what was not fsynced is forgotten; restart at the end."""

    def __init__(
        self,
        fault: Crash,
        server: Server,
        addresses: Sequence[tuple[str, int]],
        lose_power: Callable[[int], None] | None = None,
    ) -> None:
        """`addresses` are the nodes' own, not a proxy's."""
        self._nodes = fault.nodes
        self._server = server
        self._addresses = addresses
        self._lose_power = lose_power
        self._killed_ns: dict[int, int] = {}
        self._down_s: list[float] = []
        self._stop = threading.Event()
        self._tried = self._answered = 0
        self._prober = threading.Thread(target=self._probe, daemon=True)

    def begin(self) -> None:
        """Ends the processes at once."""
        for node in self._nodes:
            self._server.kill(node)
            self._killed_ns[node] = time.monotonic_ns()
        if self._lose_power is not None:
            for node in self._nodes:
                self._lose_power(node)
        self._prober.start()

    def end(self) -> None:
        """Starts them again; returns when they answer."""
        self._stop.set()
        if self._prober.ident is not None:
            self._prober.join(2)
        for node, killed_ns in list(self._killed_ns.items()):
            self._server.restart(node)
            self._down_s.append((time.monotonic_ns() - killed_ns) / 1e9)
            del self._killed_ns[node]

    def _probe(self) -> None:
        """Whether a dead node takes connections."""
        while not self._stop.wait(_PROBE_S):
            for node in self._nodes:
                if node < len(self._addresses):
                    with contextlib.suppress(OSError):
                        self._tried += 1
                        socket.create_connection(self._addresses[node], 0.2).close()
                        self._answered += 1

    def rows(self, asked_s: float) -> list[Row]:
        """What was measured."""
        mean_s = sum(self._down_s) / len(self._down_s) if self._down_s else None
        # How long a node takes to come back is its own doing.
        allowed = (asked_s - (0.02 * asked_s + 0.05), None)
        down = Row(Quantity.DOWN, asked_s, allowed, mean_s, len(self._down_s))
        if not self._addresses:
            return [down]
        answered = float(self._answered)
        taken = Row(Quantity.CONNECTIONS_WHILE_DOWN, 0.0, exactly(0.0), answered, self._tried)
        return [taken, down]


class SlowFault:
    """SIGSTOP and SIGCONT in turns, so that a process has one part in `factor` of the time.

    Everything it does takes longer, its answers to the kernel included; work that would not have
    filled the time is slowed less than `factor`.
    """

    def __init__(self, fault: Slow, server: Server) -> None:
        self._share = 1 / max(1.0, fault.factor)
        self._factor = fault.factor
        self._nodes = fault.nodes
        self._server = server
        self._stop = threading.Event()
        self._thread = threading.Thread(target=self._turns, daemon=True)
        self._ran_s = self._stopped_s = 0.0
        self._count = 0

    def begin(self) -> None:
        """Slow from now on."""
        self._thread.start()

    def end(self) -> None:
        """Fast again."""
        self._stop.set()
        if self._thread.ident is not None:
            self._thread.join(5)
        self._each(self._server.resume)

    def _turns(self) -> None:
        run_s = max(_RUN_LEAST_S, _TURN_S * self._share)
        rest_s = run_s / self._share - run_s
        went_ns = time.monotonic_ns()
        while not self._stop.wait(run_s):
            if rest_s <= 0:
                continue
            stopped_ns = time.monotonic_ns()
            self._each(self._server.pause)
            # As much as the time before was, however long that really was.
            time.sleep((stopped_ns - went_ns) / 1e9 * (1 / self._share - 1))
            self._each(self._server.resume)
            now_ns = time.monotonic_ns()
            self._ran_s += (stopped_ns - went_ns) / 1e9
            self._stopped_s += (now_ns - stopped_ns) / 1e9
            self._count += 1
            went_ns = now_ns

    def _each(self, act: Callable[[int], None]) -> None:
        for node in self._nodes:
            act(node)

    def rows(self, asked_s: float) -> list[Row]:
        """What was measured, from when the signals were sent."""
        whole_s = self._ran_s + self._stopped_s
        factor = whole_s / self._ran_s if self._ran_s > 0 else None
        # A mean of turns, each as long as the machine's scheduler makes it.
        allowed = within_chance(self._factor, self._factor, self._count, 0.02 * self._factor)
        return [Row(Quantity.SERVICE_FACTOR, self._factor, allowed, factor, self._count)]
