"""Growth of the backlog against the fluid limit, and against stalls that are not growth."""

from __future__ import annotations

from dataclasses import replace
from statistics import mean

import polars as pl
import pytest

from surgetank.calibrate.fitted_scenario import broker, plain
from surgetank.calibrate.queueing import FittedQueue
from surgetank.measure import Measure, measure
from surgetank.measure.backlog import backlog
from surgetank.scenario import Scenario
from surgetank.simulate import simulate
from surgetank.trace import LiveStats

_SEEDS = range(1, 9)


def queue(rate_per_s: float, cv: float = 1.0) -> Scenario:
    """One server of 500 µs a message, μ = 2,000/s, for 6 s."""
    return broker(plain("known", rate_per_s, 6.0), FittedQueue(500.0, cv, 1.0, 0.3, 1.0))


def grown(scenario: Scenario, seed: int) -> Measure:
    """The measure of a run."""
    return measure(simulate(scenario, seed=seed))["backlog_growth"]


@pytest.mark.parametrize("load", [1.15, 1.3, 1.7])
def test_in_overload_the_slope_is_that_of_the_fluid_limit(load: float) -> None:
    """λ/μ − 1, as the mean over the seeds."""
    found = [grown(queue(2_000 * load), seed).value or 0.0 for seed in _SEEDS]
    assert mean(found) == pytest.approx(load - 1, rel=0.15)


@pytest.mark.parametrize("load", [0.3, 0.7])
def test_below_capacity_nothing_grows(load: float) -> None:
    """Whatever the seed."""
    for seed in _SEEDS:
        value = grown(queue(2_000 * load), seed).value
        assert value is not None
        assert abs(value) < 0.01


def test_a_stall_is_not_growth() -> None:
    """A message that takes 0.4 s, in 6 s: a p99 of hundreds of milliseconds and no growth."""
    fault = {"kind": "slow", "at_s": 4.0, "duration_s": 0.4, "nodes": [0], "factor": 800.0}
    stalled = queue(600.0).with_values({"faults": [fault]})
    for seed in _SEEDS:
        found = measure(simulate(stalled, seed=seed))
        p99, growth = found["delay_p99_ms"].value, found["backlog_growth"].value
        assert p99 is not None
        assert growth is not None
        assert p99 > 100
        assert abs(growth) < 0.01


@pytest.mark.parametrize(("load", "behind"), [(0.7, 0.0), (0.7, 0.25), (1.3, 0.0), (1.3, 0.25)])
def test_a_sender_that_falls_behind_is_no_backlog_of_the_target(load: float, behind: float) -> None:
    """A message sent at t was due at t / (1 + behind), as if the sender fell behind by so much."""
    for seed in _SEEDS:
        trace = simulate(queue(2_000 * load), seed=seed)
        due = (pl.col("created_ns") / (1 + behind)).cast(pl.UInt64)
        sent = pl.col("created_ns").alias("gateway_ns")
        tables = {**trace.tables, "messages": trace["messages"].with_columns(due, sent)}
        end_ns = round(trace.flow_end_ns / (1 + behind))
        stats = replace(trace.stats, live=LiveStats(), flow_end_ns=end_ns)
        found = {m.name: m.value for m in backlog(replace(trace, tables=tables, stats=stats))}
        target = max(0.0, load - 1)
        assert found["backlog_growth_sent"] == pytest.approx(target, abs=0.06)
        both = (1 + behind) * (1 + target) - 1
        assert found["backlog_growth"] == pytest.approx(both, abs=0.08)


def test_too_few_messages_have_no_slope() -> None:
    """It is said, not guessed."""
    found = grown(queue(0.5), 1)
    assert found.value is None
    assert found.note
