"""The fault `slow`: processes run for only a part of the time."""

from __future__ import annotations

import threading
import time
from collections.abc import Callable
from typing import Final

from surgetank.live.faults.disks import nodes_or_all
from surgetank.live.faults.fault import LiveFault, SystemUnderTest
from surgetank.live.faults.tolerance import Row, Tolerance
from surgetank.scenario.faults import Slow
from surgetank.trace import Quantity

__all__ = ["NodeSlowdown"]

#: Length of one cycle of running and being stopped, s.
_TURN_S: Final = 0.02
#: Least running time in a cycle, s, so a large factor makes cycles longer.
_RUN_LEAST_S: Final = 0.002

#: The factor is a mean over cycles, whose lengths the machine's scheduler disturbs.
FACTOR = Tolerance(Quantity.SERVICE_FACTOR, share=0.02, by_chance=True)


class NodeSlowdown(LiveFault[Slow]):
    """SIGSTOP and SIGCONT in turns of 20 ms, so that a process has one part in `factor` of the
    time.

    Everything that it does takes longer, its answers to the kernel included; work that would not
    have filled the time is slowed less than `factor`.
    """

    tolerances = (FACTOR,)

    def __init__(self, fault: Slow, index: int, system: SystemUnderTest) -> None:
        """See `LiveFault`."""
        super().__init__(fault, index, system)
        self._nodes = nodes_or_all(fault.nodes, len(self.server.pids), self.place)
        self._share = 1 / max(1.0, fault.factor)
        self._stop = threading.Event()
        self._thread = threading.Thread(target=self._turns, daemon=True)
        self._ran_s = self._stopped_s = 0.0
        self._count = 0
        self._error: Exception | None = None

    def begin(self) -> None:
        """See `LiveFault`."""
        self._thread.start()

    def end(self) -> None:
        """See `LiveFault`."""
        self._stop.set()
        if self._thread.ident is not None:
            self._thread.join(5)
        self._each(self.server.resume)
        if self._error is not None:
            raise self._error

    def _turns(self) -> None:
        try:
            self._take_turns()
        except Exception as error:  # `end` raises it, in the thread that can report it.
            self._error = error

    def _take_turns(self) -> None:
        run_s = max(_RUN_LEAST_S, _TURN_S * self._share)
        rest_s = run_s / self._share - run_s
        resumed_ns = time.monotonic_ns()
        while not self._stop.wait(run_s):
            if rest_s <= 0:
                continue
            stopped_ns = time.monotonic_ns()
            self._each(self.server.pause)
            # Stopped in proportion to the running time before, as it was measured.
            time.sleep((stopped_ns - resumed_ns) / 1e9 * (1 / self._share - 1))
            self._each(self.server.resume)
            now_ns = time.monotonic_ns()
            self._ran_s += (stopped_ns - resumed_ns) / 1e9
            self._stopped_s += (now_ns - stopped_ns) / 1e9
            self._count += 1
            resumed_ns = now_ns

    def _each(self, act: Callable[[int], None]) -> None:
        for node in self._nodes:
            act(node)

    def rows(self, asked_s: float) -> list[Row]:
        """The measured factor, by the times at which the signals were sent."""
        whole_s, asked = self._ran_s + self._stopped_s, self.fault.factor
        factor = whole_s / self._ran_s if self._ran_s > 0 else None
        return [FACTOR.row(factor, self._count, asked=asked, deviation=asked)]
