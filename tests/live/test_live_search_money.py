"""Runs of a search for safe leverage on a real venue: levels whose answer is known before.

A whole search takes minutes (docs/venue.md has two); what it decides by is here.
"""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path

import pytest

from surgetank.errors import SurgetankError
from surgetank.live.venue.money import play
from surgetank.scenario import Scenario, load
from surgetank.search.goal import goal
from surgetank.search.live_money import MoneyRuns
from surgetank.search.parameter import parameter
from surgetank.search.pool import Inline, Pool, RunJournal
from surgetank.search.probe import Task
from surgetank.trace import Trace

pytestmark = pytest.mark.live

URL = "venue:"
#: A fall of 8 % within 2 s. The highest position is at 0.8 of the leverage that is varied.
FALL = {
    "duration_s": 3.0,
    "warmup_s": 0.2,
    "drain_s": 1.0,
    "flow.arrivals.rate_per_s": 40.0,
    "market.price.path": {
        "kind": "points",
        "at_s": [0.0, 0.5, 2.5, 3.0],
        "price_usd": [60_000.0, 60_000.0, 55_200.0, 55_200.0],
    },
    "market.positions.count": 200,
    "market.positions.notional_usd": 500.0,
    "market.positions.leverage_min": 20.0,
    "market.positions.leverage_max": 40.0,
}


def fall() -> Scenario:
    """The fall at an otherwise calm venue."""
    return load("calm").with_values(FALL)


def test_levels_around_a_safe_leverage(tmp_path: Path) -> None:
    """At 10× no position goes bankrupt by 8 %, however late its liquidation is. At 200× a position
    has lost its margin within 0.3 s, and the oracles observe every 0.5 s."""
    scenario, journal = fall(), RunJournal(tmp_path / "runs.jsonl")
    leverage, aim = parameter(scenario, "leverage"), goal("safe-leverage")
    runs = MoneyRuns(URL)
    runs.begin(scenario, journal)
    pool = Pool(Inline, journal, work=runs)
    tasks = [Task(leverage.at(scenario, level), level, 1) for level in (10.0, 200.0)]
    safe, unsafe = pool.all(tasks)
    assert aim.trial(safe, 10.0, 0.0).broken == 0.0
    assert safe.value("bad_debt_usd") == 0.0
    found = aim.trial(unsafe, 200.0, 0.0)
    assert found.broken > 0.5 * found.trials > 10.0
    again = RunJournal(tmp_path / "runs.jsonl")
    assert again.get(safe.key) == safe
    with pytest.raises(SurgetankError):
        again.of_target("nats:")


def test_a_run_that_kept_no_schedule_is_made_once_more() -> None:
    """The first trace claims that its generator was late: the second counts."""
    scenario = fall().with_values({"duration_s": 1.5, "drain_s": 0.5})
    made: list[Trace] = []

    def late_at_first(*args: object, **kwargs: object) -> Trace:
        trace = play(*args, **kwargs)  # type: ignore[arg-type]
        live = trace.stats.live
        assert live is not None
        late = live.lateness_p99_max_ns + 1.0 if not made else 0.0
        stats = replace(trace.stats, live=replace(live, lateness_p99_ns=late))
        made.append(Trace(trace.run, trace.tables, stats, True, trace.scenario))
        return made[-1]

    task = Task(scenario, 1.0, 1)
    outcome = MoneyRuns(URL, play=late_at_first)(task)
    assert len(made) == 2
    assert not outcome.beyond_generator
    assert outcome.key == task.key
