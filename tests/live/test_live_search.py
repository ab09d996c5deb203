"""Runs of a search against a real server, the reference server with a known capacity.

A whole search takes minutes; what it decides by is here: a level that holds, one beyond capacity,
the cool-down between them, and what is kept. `test_search_live.py` has the decisions.
"""

from __future__ import annotations

from pathlib import Path

import pytest

from surgetank.calibrate.fitted_scenario import plain
from surgetank.live import LiveOptions, Rig
from surgetank.search.goal import goal
from surgetank.search.live import LiveWork
from surgetank.search.parameter import parameter
from surgetank.search.pool import Inline, Pool, RunJournal
from surgetank.search.probe import Task

pytestmark = pytest.mark.live


def test_levels_around_a_known_capacity(tmp_path: Path) -> None:
    """10 ms a message: 40/s holds; 400/s cannot, whatever else the machine does."""
    scenario = plain("tiny", 40.0, 1.0).with_values({"drain_s": 1.0})
    load, aim = parameter(scenario, "load"), goal("capacity")
    journal = RunJournal(tmp_path / "runs.jsonl")
    with Rig("memory:?service_us=10000", LiveOptions(patience_s=90, lateness_p99_ms=500)) as rig:
        live = LiveWork(rig, cooldown_s=0.1, reference_every=20)
        live.begin(load.at(scenario, 40.0), journal)
        pool = Pool(Inline, journal, work=live)
        slow, fast = pool.all([Task(load.at(scenario, x), x, 1) for x in (400.0, 40.0)])
        assert live.build == "live: memory"
    assert aim.broke(slow, unloaded_ms=1e9)  # not by delay: too few are delivered in time
    assert fast.value("executed_share") == 1.0
    assert fast.value("delay_p99_ms") < slow.value("delay_p99_ms")
    assert len(live.references) == 1
    again = RunJournal(tmp_path / "runs.jsonl")
    assert len(again) == 3  # the reference, two runs
    assert again.get(slow.key) == slow
