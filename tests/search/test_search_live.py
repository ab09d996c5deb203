"""A search by live runs: a generator that fails, a target that drifts, runs that were kept.

The target here is the simulator behind the face of a rig, so that the truth is known.
"""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path
from types import SimpleNamespace
from typing import Any

import numpy as np
import polars as pl
import pytest

from surgetank.calibrate.fitted_scenario import broker, plain
from surgetank.calibrate.queueing import FittedQueue
from surgetank.errors import SurgetankError
from surgetank.scenario import Scenario
from surgetank.search import search
from surgetank.search.bound import BoundKind
from surgetank.search.live import LiveWork, drifted
from surgetank.search.probe import RunOutcome, Task, outcome_of
from surgetank.simulate import simulate
from surgetank.trace import LiveStats, OutcomeReason, Trace


class FakeRig:
    """A server of 500 µs a message; beyond `limit_per_s` its generator is late."""

    url = "fake:"
    server = None
    where = SimpleNamespace(url="fake://")

    def __init__(self, limit_per_s: float = 1e9) -> None:
        self.limit_per_s = limit_per_s
        self.runs = 0
        self.scenario = broker(plain("fake", 100.0, 2.0), FittedQueue(500.0, 1.0, 1.0, 0.5, 1.0))

    def run(self, scenario: Scenario, *, seed: int) -> Trace:
        """A simulated run reported as a live one."""
        self.runs += 1
        trace = simulate(scenario, seed=seed)
        rate = scenario.flow.arrivals.rate_per_s  # type: ignore[union-attr]
        late = 50e6 if rate > self.limit_per_s else 1e5
        live = LiveStats(
            lateness_p99_ns=late,
            lateness_p99_max_ns=5e6,
            sent=1,
            cpu_share={},
            cpu_share_max=0.95,
            ack="none",
            ordered=True,
            redelivers=False,
            durable=False,
        )
        return Trace(trace.run, trace.tables, replace(trace.stats, live=live), True, trace.scenario)

    def play(self, schedule: Any, **_: Any) -> Any:
        """The calm check of the cool-down."""
        return SimpleNamespace(first_ns=lambda: schedule.due_ns + 1_000_000)


def work(rig: FakeRig, **more: Any) -> LiveWork:
    """Live work without waiting."""
    return LiveWork(rig, sleep=lambda _: None, **more)  # type: ignore[arg-type]


def test_capacity_is_found_by_live_runs() -> None:
    """M/M/1 with 2,000/s: p99 doubles well below saturation; the line is inside and pinned."""
    rig = FakeRig()
    answer = search(rig.scenario, range=(50, 4_000), precision=0.15, runs_max=60, live=work(rig))
    assert answer.status == "FOUND"
    assert answer.build.startswith("live: ")
    assert answer.estimate is not None
    assert 800 < answer.estimate < 2_000
    # The simulated search of the same scenario finds the same line.
    same = search(rig.scenario, range=(50, 4_000), precision=0.1, workers=1, try_remedies=False)
    assert same.estimate == pytest.approx(answer.estimate, rel=0.35)


def test_whose_fault_a_disturbed_run_is() -> None:
    """A late sender's run still tells what its target lost; one whose receiver had no time, or that
    had no room to send everything, does not."""

    def reported(trace: Trace) -> tuple[bool, bool]:
        outcome = outcome_of(Task(rig.scenario, 1.0, 1), trace)
        return outcome.beyond_generator, outcome.sent_late

    rig = FakeRig()
    kept = rig.run(rig.scenario, seed=1)
    late = FakeRig(limit_per_s=1.0).run(rig.scenario, seed=1)
    assert reported(kept) == (False, False)
    assert reported(late) == (True, True)
    busy = replace(late.live, cpu_share={"subscriber": 1.0})
    assert reported(replace(late, stats=replace(late.stats, live=busy))) == (True, False)
    unsent = pl.lit(OutcomeReason.NOT_SENT, dtype=late["messages"].schema["reason"])
    messages = late["messages"].with_columns(
        pl.when(pl.int_range(pl.len()) == 0).then(unsent).otherwise("reason").alias("reason")
    )
    assert reported(replace(late, tables=dict(late.tables) | {"messages": messages})) == (
        True,
        False,
    )
    unsafe = replace(late, stats=replace(late.stats, safety=False))
    assert reported(unsafe) == (False, False)


def test_a_slow_generator_gives_a_bound_and_no_capacity() -> None:
    """What the generator could not make is not held against the target."""
    rig = FakeRig(limit_per_s=600)
    answer = search(rig.scenario, range=(50, 4_000), live=work(rig))
    assert answer.status == "UNKNOWN"
    assert answer.estimate is None
    assert answer.bound is not None and answer.bound.level is not None
    assert answer.bound.kind is BoundKind.GENERATOR_LIMIT
    assert 400 < answer.bound.level <= 600
    assert f"at least {answer.bound.level:g}: the generator reached its limit" in answer.why


def test_a_generator_that_fails_beyond_the_break_does_not_matter() -> None:
    """The line lies below."""
    rig = FakeRig(limit_per_s=2_500)
    answer = search(rig.scenario, range=(50, 4_000), precision=0.2, live=work(rig))
    assert answer.status == "FOUND", answer.why


@pytest.mark.parametrize("runs_max", [16, 19, 24])
def test_a_live_search_makes_no_more_runs_than_allowed(runs_max: int) -> None:
    """Beside its reference runs."""
    rig = FakeRig()
    working = work(rig)
    answer = search(
        rig.scenario, range=(50, 4_000), precision=0.05, runs_max=runs_max, live=working
    )
    assert answer.runs <= runs_max
    assert rig.runs == answer.runs + len(working.references)


def test_resumed_runs_are_not_made_again(tmp_path: Path) -> None:
    """Neither runs nor reference runs; and never those of another target."""
    rig, journal = FakeRig(), tmp_path / "runs.jsonl"
    asked: dict[str, Any] = {"range": (50, 4_000), "precision": 0.2, "seed": 3}
    first = search(rig.scenario, live=work(rig), journal=journal, **asked)
    made = rig.runs
    again = search(rig.scenario, live=work(rig), journal=journal, **asked)
    assert rig.runs == made
    assert again == first
    rig.url = "other:"
    with pytest.raises(SurgetankError, match="are of fake:"):
        search(rig.scenario, live=work(rig), journal=journal, **asked)


def _reference(p99: float, share: float = 1.0) -> RunOutcome:
    values = {"delay_p99_ms": p99, "executed_share": share}
    return RunOutcome("r", 0.0, 0, 0, values, (), (), (), ())


def test_drift_is_distinguished_from_chance() -> None:
    """A steady rise is drift; noise around a level is not; nor is a rise too small to matter."""
    assert "drift" in drifted([_reference(x) for x in (1.0, 1.1, 1.3, 1.4, 1.7, 2.0, 2.2)])
    noise = np.random.default_rng(1).lognormal(0, 0.3, (200, 8))
    alarms = sum(bool(drifted([_reference(x) for x in row])) for row in noise)
    assert alarms <= 6
    assert drifted([_reference(1 + i / 100) for i in range(8)]) == ""
    assert "passed at first" in drifted([_reference(1.0)] * 3 + [_reference(1.0, 0.5)] * 3)
    assert drifted([_reference(1.0), _reference(9.0)]) == ""


def test_the_cool_down_waits_until_single_messages_pass() -> None:
    """After a run that left messages behind, runs do not begin before the backlog is gone."""
    rig = FakeRig()
    slept: list[float] = []
    delays = iter([1.0, 90.0, 40.0, 1.2])

    def play(schedule: Any, **_: Any) -> Any:
        late = int(next(delays) * 1e6)
        return SimpleNamespace(first_ns=lambda: schedule.due_ns + late)

    rig.play = play  # type: ignore[method-assign]
    live = LiveWork(rig, cooldown_s=0.5, sleep=slept.append)  # type: ignore[arg-type]
    live._cool()
    live._left_behind = True
    live._cool()
    assert slept == [0.5, 0.5]
    assert next(delays, None) is None
