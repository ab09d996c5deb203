"""Replicates against a live target, one after the other.

Between two runs the target stays idle until no message of the last run is in transit: at least
`cooldown_s`, and, if that run left messages behind, until a few single messages come through as
quickly as they did at the beginning. Every so many runs a reference level is repeated: if it comes
out different towards the end, it is the target or the machine that changed, not the load.

A run whose generator could not keep its schedule is repeated; if it fails again, the level is
beyond the generator, and is no evidence about the target.
"""

from __future__ import annotations

import math
import time
from collections.abc import Callable
from dataclasses import replace
from typing import Final

import numpy as np
import polars as pl

from surgetank.live import Rig, Schedule
from surgetank.scenario import Scenario
from surgetank.search.find import Effort
from surgetank.search.pool import RunJournal
from surgetank.search.probe import RunOutcome, Task, outcome_of
from surgetank.trace import Outcome, Trace

__all__ = ["THRIFT", "LiveWork", "drifted", "expected_s"]

#: The effort of a search with live runs.
THRIFT: Final = Effort(unloaded_seeds=4, edge_seeds=2, refine_min=6, narrow_looks=2, lookahead=1)

#: Time of a run in addition to its schedule, s, for processes to start and end.
_OVERHEAD_S: Final = 3.0
_ATTEMPTS: Final = 2
_CALM_WITHIN_S: Final = 60.0
_CALM_MESSAGES: Final = 20
_CALM_RATIO: Final = 3.0
_REFERENCES_MIN: Final = 5
_DRIFT_P: Final = 0.01
_DRIFT_RATIO: Final = 1.25
_EXECUTED_MIN: Final = 0.99


class LiveWork:
    """Makes runs on a rig; `Pool(work=…)` calls it."""

    def __init__(
        self,
        rig: Rig,
        *,
        cooldown_s: float = 1.0,
        reference_every: int = 8,
        sleep: Callable[[float], None] = time.sleep,
    ) -> None:
        self.rig = rig
        self._cooldown_s, self._every, self._sleep = cooldown_s, reference_every, sleep
        self._made = 0
        self._ended_s: float | None = None
        self._left_behind = False
        self._calm_ms: float | None = None
        self._reference: Scenario | None = None
        self._journal = RunJournal()
        self.references: list[RunOutcome] = []
        """Runs of the reference level, in the order in which they were made."""

    @property
    def effort(self) -> Effort:
        """Numbers of runs of a search."""
        return THRIFT

    @property
    def build(self) -> str:
        """Identifier of the system under test, in place of the simulator's build."""
        server = self.rig.server
        return f"live: {server.version() if server else self.rig.where.url}"

    def begin(self, reference: Scenario, journal: RunJournal) -> None:
        """Sets the reference level that is repeated, and the journal of its runs.

        Raises:
            SurgetankError: the runs kept there are of another target.
        """
        self._reference, self._journal = reference, journal
        journal.of_target(self.rig.url)
        while known := journal.get(self._name(len(self.references))):
            self.references.append(known)

    def _name(self, index: int) -> str:
        assert self._reference is not None
        return f"reference:{index}:{self._reference.hash}"

    def __call__(self, task: Task) -> RunOutcome:
        """Makes a run.

        Raises:
            SurgetankError: the scenario cannot be played, or the target is gone.
        """
        if self._reference is not None and self._made % self._every == 0:
            self._refer()
        self._made += 1
        return self._run(task)

    def _run(self, task: Task) -> RunOutcome:
        for attempt in range(_ATTEMPTS):
            self._cool()
            trace = self.rig.run(task.scenario, seed=task.seed)
            self._ended_s = time.monotonic()
            self._left_behind = _left_behind(trace)
            outcome = outcome_of(task, trace)
            if not outcome.beyond_generator or attempt == _ATTEMPTS - 1:
                break
        return outcome

    def _refer(self) -> None:
        assert self._reference is not None
        index = len(self.references)
        made = self._run(Task(self._reference, 0.0, 1_000_000 + index))
        if not self._journal.target:  # with the first run kept: without one, no journal
            self._journal.note_target(self.rig.url)
        kept = replace(made, key=self._name(index))
        self._journal.add(kept)
        self.references.append(kept)

    def reach(self) -> float:
        """Median latency of single messages while nothing else is in transit, ms; measured once.

        Raises:
            SurgetankError: the target does not answer.
        """
        if self._calm_ms is None:
            self._calm_ms = self._single_ms()
        return self._calm_ms

    def _cool(self) -> None:
        """Waits until the target has finished the messages of the last run."""
        if self._ended_s is not None:
            self._sleep(max(0.0, self._ended_s + self._cooldown_s - time.monotonic()))
        calm_ms = self.reach()
        if not self._left_behind:
            return
        until = time.monotonic() + _CALM_WITHIN_S
        while self._single_ms() > _CALM_RATIO * calm_ms and time.monotonic() < until:
            self._sleep(self._cooldown_s)
        self._left_behind = False

    def _single_ms(self) -> float:
        """Median latency of a few single messages, ms; infinite if most are lost."""
        due = np.arange(_CALM_MESSAGES, dtype=np.int64) * 20_000_000
        schedule = Schedule.plain(due, drain_s=5.0)
        first = self.rig.play(schedule, name="cool-down").first_ns()
        delays = np.where(first >= 0, (first - schedule.due_ns) / 1e6, np.inf)
        return float(np.median(delays))

    def drift(self) -> str:
        """Why the answer is unreliable if the reference level changed; empty if it did not."""
        return drifted(self.references)


def _left_behind(trace: Trace) -> bool:
    """Whether messages may still be in transit: some neither arrived nor were refused."""
    open_ends = [Outcome.PENDING, Outcome.LOST]
    return bool(trace["messages"].filter(pl.col("outcome").is_in(open_ends)).height)


def drifted(references: list[RunOutcome]) -> str:
    """Significant changes in the reference runs, as text; empty if there are none.

    A trend of p99 over the order of the runs (Kendall's τ, p < 0.01) that also moved it by a
    quarter, or goodput that passed at first and fails later. With fewer than five runs no trend is
    reported.
    """
    valid = [o for o in references if not o.invalid]
    if len(valid) < _REFERENCES_MIN:
        return ""
    third = max(2, len(valid) // 3)
    p99 = np.array([o.value("delay_p99_ms") for o in valid])
    good = np.array([o.value("executed_share") >= _EXECUTED_MIN for o in valid])
    if good[:third].all() and not good[-third:].any():
        return "the reference level passed at first and fails now: the target changed"
    if not np.isfinite(p99).all():
        return ""
    from scipy import stats  # slow to import

    test = stats.kendalltau(np.arange(len(p99)), p99)
    first, last = float(np.median(p99[:third])), float(np.median(p99[-third:]))
    ratio = last / first if first > 0 else math.inf
    if test.pvalue < _DRIFT_P and max(ratio, 1 / ratio) > _DRIFT_RATIO:
        return (
            f"drift: p99 at the reference level went from {first:.3g} to {last:.3g} ms while the "
            "search went on; the target or the machine changed"
        )
    return ""


def expected_s(duration_s: float, cooldown_s: float, reference_every: int = 8) -> float:
    """Roughly how long a live search takes, seconds; the climb is taken to be six levels."""
    runs = THRIFT.unloaded_seeds + 12 + 2 * THRIFT.refine_min
    runs += math.ceil(runs / reference_every)
    return runs * (duration_s + cooldown_s + _OVERHEAD_S)
