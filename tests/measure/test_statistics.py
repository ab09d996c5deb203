"""Formulas written out so that scipy.stats need not be imported, against scipy.stats."""

from __future__ import annotations

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as some
from scipy import signal, stats

import surgetank as st
from surgetank.measure.latency import jitter_rfc3550_ns
from surgetank.measure.statistics import binomial_quantile, theil_sen


@given(
    q=some.sampled_from([0.005, 0.025, 0.5, 0.975, 0.995]),
    n=some.integers(1, 100_000),
    p=some.floats(1e-6, 1 - 1e-6),
)
def test_quantiles_of_the_binomial(q: float, n: int, p: float) -> None:
    assert binomial_quantile(q, n, p) == stats.binom.ppf(q, n, p)


@given(
    y=some.lists(some.integers(-5, 5).map(float), min_size=3, max_size=30), seed=some.integers(0)
)
def test_slopes_of_theil_and_sen(y: list[float], seed: int) -> None:
    """With ties of y, which the interval's variance counts."""
    x = np.cumsum(np.random.default_rng(seed).uniform(0.1, 1.0, len(y)))
    found = stats.theilslopes(y, x, alpha=0.95)
    assert theil_sen(x, np.array(y)) == (found.slope, found.low_slope, found.high_slope)


def test_interarrival_jitter_is_the_recursion_of_rfc_3550() -> None:
    rows = st.simulate(st.load("calm"), seed=1).delays()
    streams = rows.drop_nulls("delay_ns").sort("gateway", "executed_ns", "message")
    expected = []
    for stream in streams.partition_by("gateway", maintain_order=True):
        delay = stream["delay_ns"].to_numpy().astype(float)
        step = np.abs(np.diff(delay, prepend=delay[0]))
        expected.append(signal.lfilter([1 / 16], [1, -15 / 16], step))
    assert jitter_rfc3550_ns(rows) == pytest.approx(np.concatenate(expected), rel=1e-9, abs=1e-3)
