"""Failure thresholds of shipped scenarios: the search against a plain sweep of loads and seeds."""

from __future__ import annotations

import pytest

import surgetank as st
from failure_threshold import bracket, sweep
from surgetank.measure import FailureKind
from surgetank.report.measure_text import FAILURES
from surgetank.report.search import render_search

LONG = [
    pytest.param(name, marks=pytest.mark.soak)
    for name in ("calm", "slow-proposer", "black-thursday")
]


@pytest.mark.parametrize("name", ["rollup-sequencer", *LONG])
def test_a_search_agrees_with_a_sweep_and_its_page_says_which_kind(name: str) -> None:
    """Eight loads times five seeds that no search draws; in the suite, four times three. The
    interval reaches into the sweep's bracket, and runs fail by the age of what is executed."""
    answer = st.search(
        name, "failure-threshold", precision=0.15, runs_max=80, workers=1, try_remedies=False
    )
    assert answer.status == "FOUND" and answer.estimate is not None
    assert answer.ci_low is not None and answer.ci_high is not None
    size = (4, 3) if name == "rollup-sequencer" else (8, 5)
    low, high = bracket(sweep(name, answer.estimate, *size))
    assert answer.ci_low <= high and low <= answer.ci_high, (answer, low, high)
    # What comes first in nearly all runs is what the threshold is of.
    stale = answer.failures[0]
    assert stale.kind == FailureKind.STALE and stale.first >= 0.8 * stale.runs, answer.failures
    assert FAILURES[FailureKind.STALE] in render_search(answer)
    if name == "rollup-sequencer":
        # M/M/1 whose service takes 20 ms: beyond 50 a second the state grows old without end.
        assert answer.estimate == pytest.approx(50.0, rel=0.1)
