"""A search by real runs: the reference server with a known capacity."""

from __future__ import annotations

from pathlib import Path

import pytest

from surgetank.calibrate.writing import plain
from surgetank.live import Options, Rig
from surgetank.search import search
from surgetank.search.live import LiveWork

pytestmark = pytest.mark.live


def test_a_known_capacity_is_not_overstated(tmp_path: Path) -> None:
    """10 ms a message: beyond 100/s nothing can hold, whatever else the machine does."""
    scenario = plain("tiny", 40.0, 2.0).with_values({"drain_s": 3.0})
    journal = tmp_path / "runs.jsonl"
    with Rig("memory:?service_us=10000", Options(patience_s=90, lateness_p99_ms=200)) as rig:
        live = LiveWork(rig, cooldown_s=0.1, reference_every=20)
        answer = search(
            scenario, range=(40, 320), precision=0.5, runs_max=16, live=live, journal=journal
        )
    assert answer.status in ("FOUND", "UNKNOWN")
    assert answer.build.startswith("live: memory")
    if answer.estimate is not None:
        assert answer.estimate < 130
    broken = [x for x in answer.levels if x.level > 150]
    assert all(x.share == 1.0 for x in broken)
    lines = journal.read_text().splitlines()
    assert any('"reference:0:' in line for line in lines)
    assert len(lines) >= answer.runs
