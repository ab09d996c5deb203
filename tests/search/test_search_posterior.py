"""The posterior of a threshold: exact where there is an exact answer, and honest elsewhere."""

from __future__ import annotations

import math

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as some
from scipy import stats

from answers import coin, find_with, logistic
from surgetank.search.design import LOOKAHEAD, place
from surgetank.search.posterior import Trial, fit


def coins(threshold: float, slope: float, n: int, seed: int) -> list[Trial]:
    """n coins tossed around the threshold."""
    rng = np.random.default_rng(seed)
    us = rng.uniform(threshold - 1, threshold + 1, n)
    broke = rng.random(n) < 1 / (1 + np.exp(-slope * (us - threshold)))
    return [Trial(float(u), float(b), 1.0) for u, b in zip(us, broke, strict=True)]


def test_agrees_with_the_likelihood_of_many_coins() -> None:
    """With much data the posterior is that of logistic regression: se² from the information."""
    slope, n = 8.0, 3_000
    trials = coins(1.5, slope, n, seed=2)
    found = fit(trials, 0.0, 3.0, 0.5)
    low, high = found.interval()
    near = [t for t in trials if abs(t.u - 1.5) <= math.log(1.6)]
    u = np.array([t.u for t in near])
    p = 1 / (1 + np.exp(-slope * (u - 1.5)))
    x = np.stack([np.full(len(u), -slope), u - 1.5])
    covariance = np.linalg.inv((x * (p * (1 - p))) @ x.T)
    assert high - low == pytest.approx(2 * 1.96 * math.sqrt(covariance[0, 0]), rel=0.1)
    assert low <= 1.5 <= high


def test_a_clean_split_is_no_special_case() -> None:
    """All hold below 1 and all break above 1.1: the line lies between, and hardly outside."""
    trials = [Trial(1.0 - i / 10, 0, 1) for i in range(8)]
    trials += [Trial(1.1 + i / 10, 1, 1) for i in range(8)]
    found = fit(trials, 0.0, 3.0, 0.5)
    assert 1.0 < found.median < 1.1
    low, high = found.interval()
    assert 0.85 < low < 1.0 + 0.05 and 1.05 < high < 1.25


def test_no_trials_say_nothing() -> None:
    """Before the first run the line may be anywhere."""
    found = fit([], 0.0, 4.0, 0.5)
    assert found.interval() == pytest.approx((0.1, 3.9), abs=0.05)


@settings(max_examples=30, deadline=None)
@given(
    some.lists(
        some.tuples(some.floats(0, 4), some.integers(0, 50), some.integers(1, 50)),
        min_size=1,
        max_size=30,
    ),
    some.floats(0.005, 0.5),
    some.integers(0, 40),
)
def test_always_a_posterior_inside_the_range(
    rows: list[tuple[float, int, int]], target: float, index: int
) -> None:
    """Whatever the counts: weights sum to 1, quantiles rise, levels stay inside."""
    trials = [Trial(u, min(k, n), n) for u, k, n in rows]
    found = fit(trials, 0.0, 4.0, target)
    assert found.weight.sum() == pytest.approx(1)
    low, high = found.interval()
    assert 0.0 <= low <= found.median <= high <= 4.0
    assert found.width > 0 and found.dispersion >= 1
    assert 0.0 <= place(found, index, 0.0, 4.0) <= 4.0


def test_counts_that_hang_together_widen_the_interval() -> None:
    """Liquidations of one run share a path: φ is found, and the interval grows with √φ."""
    rng = np.random.default_rng(4)
    us = rng.uniform(0.7, 1.3, 60)
    p = 0.05 * np.exp(2 * (us - 1))
    loose = [Trial(u, float(rng.binomial(200, q)), 200.0) for u, q in zip(us, p, strict=True)]
    tight = [
        Trial(u, float(rng.binomial(200, rng.beta(q * 20, (1 - q) * 20))), 200.0)
        for u, q in zip(us, p, strict=True)
    ]
    a, b = fit(loose, 0.0, 2.0, 0.05), fit(tight, 0.0, 2.0, 0.05)
    assert a.dispersion < 2 < b.dispersion
    width = [high - low for low, high in (a.interval(), b.interval())]
    assert width[1] > 1.5 * width[0]


@pytest.mark.parametrize("slope", [30.0])
def test_intervals_cover_as_often_as_they_claim(slope: float) -> None:
    """Searches with other seeds, over coins with a known line, stopping rule included.

    Fewer than the 0.1 % quantile of binomial(n, 0.95) would be chance once in a thousand suites.
    """
    searches = 40
    rng = np.random.default_rng(11)
    covered = 0
    for seed in range(searches):
        line = float(np.exp(rng.uniform(math.log(40), math.log(3_000))))
        state = find_with(coin(logistic(line, slope)), seed=seed)
        assert state.status == "FOUND" and state.posterior is not None
        low, high = (state.question.level(u) for u in state.posterior.interval())
        covered += low <= line <= high
    assert covered >= stats.binom.ppf(0.001, searches, 0.95)


def refined(seed: int, *, moves: bool) -> tuple[float, float, int]:
    """The interval after 24 refining runs over counts that hang together, and how many of them had
    no trials. P(u) reaches 1 % at 2.5; below 2.4 there are no trials, as a price that falls by too
    little liquidates no one."""
    rng = np.random.default_rng(seed)

    def run(u: float) -> Trial:
        n = 0 if u < 2.4 else 200
        p = 1 / (1 + math.exp(-(math.log(1 / 99) + 4.0 * (u - 2.5))))
        return Trial(u, float(rng.binomial(n, rng.beta(p * 20, (1 - p) * 20))), float(n))

    trials = [run(u) for u in (0.0, 1.0, 3.0, 4.0) for _ in range(2)]
    first = len(trials)
    for index in range(24):
        known = trials if moves else ()
        trials.append(run(place(fit(trials, 0.0, 4.0, 0.01), index, 0.0, 4.0, known)))
    low, high = fit(trials, 0.0, 4.0, 0.01).interval()
    return low, high, sum(t.trials == 0 for t in trials[first:])


def test_levels_without_trials_are_left() -> None:
    """The control plays them again and again."""
    searches = 40
    found = [refined(seed, moves=True) for seed in range(searches)]
    stuck = [refined(seed, moves=False) for seed in range(searches)]
    covered = sum(low <= 2.5 <= high for low, high, _ in found)
    assert covered >= stats.binom.ppf(0.001, searches, 0.95)
    silent, again = (sum(count for *_, count in one) for one in (found, stuck))
    assert silent < 0.7 * again


@pytest.mark.soak
@pytest.mark.parametrize("slope", [8.0, 30.0, 300.0])
def test_coverage_at_length(slope: float) -> None:
    """As above, with enough searches to tell 95 % from 90 %."""
    searches = 400
    rng = np.random.default_rng(12)
    covered = 0
    for seed in range(searches):
        line = float(np.exp(rng.uniform(math.log(40), math.log(3_000))))
        state = find_with(coin(logistic(line, slope)), seed=1_000 + seed, runs_max=400)
        assert state.posterior is not None
        low, high = (state.question.level(u) for u in state.posterior.interval())
        covered += low <= line <= high
    print(f"slope {slope}: {covered} of {searches}")
    assert covered >= stats.binom.ppf(0.001, searches, 0.95)


def test_levels_do_not_wait_for_the_last_run() -> None:
    """Run i is placed without the LOOKAHEAD − 1 runs before it, so that many can run at once."""
    seen: list[int] = []
    finished: list[int] = []

    def work(task):  # type: ignore[no-untyped-def]
        seen.append(len(finished))
        finished.append(1)
        return coin(logistic(500.0, 30.0))(task)

    state = find_with(work)
    assert state.status == "FOUND"
    assert len(state.refined) + LOOKAHEAD - 1 >= len(seen) - len(state.climbed)
