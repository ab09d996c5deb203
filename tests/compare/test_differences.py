"""Differences of measures: intervals, p-values and what is said of them, against exact theory."""

from __future__ import annotations

import math
from collections.abc import Sequence

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from scipy import stats

from surgetank.compare import ChangeFinding, Difference
from surgetank.compare.differences import FALSE_SHARE, adjusted, by_seed, of_two
from surgetank.measure import Measure, Measures
from surgetank.measure.statistics import BATCHES, mean_interval

MEAN = "delay_mean_ms"


def mean_of(values: np.ndarray) -> Measure:
    found = mean_interval(values)
    return Measure(MEAN, found.value, found.low, found.high, found.n)


def rejected(shift: float, runs: int = 1_000) -> float:
    """Share of pairs of runs that are called different at 5 %: normal observations, 500 a run,
    whose means are `shift` standard errors of their difference apart."""
    rng = np.random.default_rng(11)
    error = math.sqrt(2 / 500)
    hits = 0
    for _ in range(runs):
        a, b = rng.normal(100, 1, 500), rng.normal(100 + shift * error, 1, 500)
        found = of_two(MEAN, mean_of(a), mean_of(b))
        assert found.p is not None and found.low is not None and found.high is not None
        hits += found.p < 0.05
    return hits / runs


def test_two_runs_of_equal_means_are_rarely_called_different() -> None:
    """5 % at most, within the error of 1,000 pairs; and a difference of 4 standard errors nearly
    always."""
    assert rejected(0.0) < 0.05 + 3 * math.sqrt(0.05 * 0.95 / 1_000)
    assert rejected(4.0, 300) > 0.9


def test_symmetric_intervals_give_welch_s_t() -> None:
    """With equal halves the interval is that of the difference of two means."""
    t = float(stats.t.ppf(0.975, BATCHES - 1))
    a, b = Measure(MEAN, 10.0, 9.0, 11.0, 99), Measure(MEAN, 14.0, 12.0, 16.0, 99)
    found = of_two(MEAN, a, b)
    half = math.sqrt(1 + 4)
    assert (found.low, found.high) == (4 - half, 4 + half)
    assert found.t == pytest.approx(4 / (half / t))
    assert found.p == pytest.approx(2 * stats.t.sf(4 / (half / t), BATCHES - 1))


def test_only_the_halves_that_face_each_other_count_for_p() -> None:
    """A p99 whose upper end is unknown can still be above another."""
    a = Measure("delay_p99_ms", 10.0, 0.0, 11.0, 99)
    b = Measure("delay_p99_ms", 30.0, 28.0, math.inf, 99)
    found = of_two("delay_p99_ms", a, b)
    assert found.high == math.inf and found.low == 20 - math.hypot(2, 1)
    assert found.p is not None and found.p < 1e-6
    back = of_two("delay_p99_ms", b, a)
    assert (back.p, back.change) == (found.p, -20)
    wide = Measure("delay_p99_ms", 30.0, 5.0, 31.0, 99)
    assert (of_two("delay_p99_ms", a, wide).p or 0) > 0.05


def test_never_is_compared_by_its_reciprocal() -> None:
    """An infinite p99 with a finite lower end differs from a finite one; from itself it does
    not."""
    finite = Measure("delay_p99_ms", 200.0, 190.0, 210.0, 999)
    never = Measure("delay_p99_ms", math.inf, 5_000.0, math.inf, 999)
    found = of_two("delay_p99_ms", finite, never)
    assert found.change is None and found.p is not None and found.p < 1e-6
    assert adjusted([found])[0].finding is ChangeFinding.WORSE
    near = Measure("delay_p99_ms", math.inf, 195.0, math.inf, 999)
    assert (of_two("delay_p99_ms", finite, near).p or 0) > 0.05
    assert adjusted([of_two("delay_p99_ms", never, never)])[0].finding is ChangeFinding.EQUAL


ENDS = st.tuples(*[st.floats(0, 1e6)] * 3).map(sorted)


@given(ENDS, ENDS)
def test_swapping_the_sides_turns_the_difference_round(a: list[float], b: list[float]) -> None:
    one, other = (Measure(MEAN, v[1], v[0], v[2], 9) for v in (a, b))
    there, back = of_two(MEAN, one, other), of_two(MEAN, other, one)
    assert there.p == back.p and there.p is not None and 0 <= there.p <= 1
    assert there.low is not None and there.high is not None and there.change is not None
    assert there.low <= there.change <= there.high
    assert (back.low, back.high) == (-there.high, -there.low)


def test_without_an_interval_nothing_is_said() -> None:
    count = Measure("bad_debt_usd", 5.0), Measure("bad_debt_usd", 9.0)
    found = adjusted([of_two("bad_debt_usd", *count)])[0]
    assert (found.p, found.p_adjusted, found.finding) == (None, None, ChangeFinding.UNKNOWN)


def seeds(name: str, values: Sequence[float]) -> list[Measures]:
    return [Measures([Measure(name, v)]) for v in values]


def test_several_seeds_are_paired() -> None:
    """scipy's paired t-test; the noise that two runs of one seed share cancels."""
    rng = np.random.default_rng(3)
    shared = rng.normal(0, 50, 8)
    a, b = ((100 + shared + rng.normal(0, 1, 8) + k).tolist() for k in (0, 4))
    found = by_seed("bad_debt_usd", seeds("bad_debt_usd", a), seeds("bad_debt_usd", b))
    exact = stats.ttest_rel(b, a)
    interval = exact.confidence_interval()
    assert found.p == pytest.approx(exact.pvalue) and found.t == pytest.approx(exact.statistic)
    assert found.low == pytest.approx(interval.low) and found.high == pytest.approx(interval.high)
    assert found.p is not None and found.p < 0.01 < stats.ttest_ind(a, b).pvalue
    assert found.change == pytest.approx(float(np.mean(b) - np.mean(a)))


def test_a_seed_without_the_measure_is_left_out() -> None:
    """As are pairs of which only one run has it."""
    a = [*seeds("bad_debt_usd", [1.0, 2.0, 3.0]), Measures([])]
    b = [*seeds("bad_debt_usd", [2.0, 4.0]), Measures([]), Measures([])]
    found = by_seed("bad_debt_usd", a, b)
    exact = stats.ttest_rel([2.0, 4.0], [1.0, 2.0])
    assert found.p == pytest.approx(exact.pvalue)
    assert found.sides == (1.5, 3.0)


def test_false_ones_among_many_measures_are_controlled() -> None:
    """160 measures of which 8 changed, over 150 experiments: on average 5 % at most of those named
    are chance; without the adjustment it would be most."""
    rng = np.random.default_rng(5)
    shares, plain = [], []
    for _ in range(150):
        t = rng.standard_t(BATCHES - 1, 160)
        t[:8] += 8
        differences = [
            Difference(MEAN, None, None, p=2 * float(stats.t.sf(abs(x), BATCHES - 1))) for x in t
        ]
        named = [one.exceeds_noise for one in adjusted(differences)]
        shares.append(sum(named[8:]) / max(1, sum(named)))
        raw = [(one.p or 0) <= FALSE_SHARE for one in differences]
        plain.append(sum(raw[8:]) / max(1, sum(raw)))
    assert np.mean(shares) <= FALSE_SHARE + 3 * np.std(shares) / math.sqrt(150)
    assert np.mean(plain) > 0.3
