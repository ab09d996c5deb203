"""Delays, stages and jitter of traces small enough to work out by hand."""

import math

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from surgetank.measure import measure
from surgetank.measure.latency import jitter_rfc3550_ns, stages
from surgetank.measure.statistics import KaplanMeier, mean_interval, samples_needed, share_interval
from surgetank.testing import executed, make_trace, unfinished
from surgetank.trace import MessageClass, Outcome

MS = 1_000_000


def test_quantiles_without_censoring() -> None:
    rows = [executed(i, i, (i + 1) * MS) for i in range(100)]
    found = measure(make_trace({"messages": rows}))
    assert found["delay_p50_ms"].value == 50
    assert found["delay_p99_ms"].value == 99
    assert found["delay_p999_ms"].value == 100
    assert found["delay_p99_ms"].n == 100
    assert found["delay_p999_ms"].high == math.inf


def test_kaplan_meier_by_hand() -> None:
    # At risk 6, 5, 3, 1: S = 5/6, 4/6, then one censored at 3, S = 4/6·2/3 = 4/9, then 0.
    values = np.array([1, 2, 3, 4, 5, 6], dtype=float)
    reached = np.array([True, True, False, True, False, True])
    curve = KaplanMeier(values, reached)
    assert curve.reached_share == pytest.approx([1 / 6, 2 / 6, 5 / 9, 1])
    assert [curve.quantile(p) for p in (0.1, 0.3, 0.5, 0.6)] == [1, 2, 4, 6]


def test_kaplan_meier_agrees_with_scipy() -> None:
    from scipy import stats

    draws = np.random.default_rng(5)
    times, bounds = draws.exponential(1, 500), draws.exponential(2, 500)
    reached = times <= bounds
    seen = np.minimum(times, bounds)
    data = stats.CensoredData(uncensored=seen[reached], right=seen[~reached])
    theirs = stats.ecdf(data).cdf
    ours = KaplanMeier(seen, reached)
    at = np.isin(theirs.quantiles, ours.times)
    assert ours.reached_share == pytest.approx(theirs.probabilities[at])


def test_messages_in_progress_are_censored_and_refused_ones_never_finish() -> None:
    done = [executed(i, 0, 10 * MS) for i in range(98)]
    late = make_trace({"messages": [*done, unfinished(98, 0), unfinished(99, 0)]})
    assert measure(late)["delay_p99_ms"].value == math.inf
    assert measure(late)["delay_p50_ms"].value == 10
    assert "2 of 100 never executed" in measure(late)["delay_p99_ms"].note
    # Sent just before the end: nothing is known of them, so they must not count as slow.
    edge = [unfinished(98 + i, 10_000 * MS) for i in range(2)]
    short = make_trace({"messages": [*done, *edge]}, end_ns=10_001 * MS)
    assert measure(short)["delay_p99_ms"].value == 10
    # Refused ones, sent at the same moment, do count.
    edge = [unfinished(98 + i, 10_000 * MS, outcome=Outcome.REFUSED) for i in range(2)]
    refused = make_trace({"messages": [*done, *edge]}, end_ns=10_001 * MS)
    assert measure(refused)["delay_p99_ms"].value == math.inf
    assert measure(refused)["refused_share"].value == pytest.approx(0.02)


def test_classes_apart() -> None:
    rows = [executed(0, 0, 5 * MS, **{"class": MessageClass.CANCEL}), executed(1, 0, 9 * MS)]
    found = measure(make_trace({"messages": rows}))
    assert found["delay_p99_ms.cancel"].value == 5
    assert found["delay_p99_ms.order"].value == 9
    assert "delay_p99_ms.replace" not in found


def test_no_messages_give_no_numbers() -> None:
    found = measure(make_trace())
    assert found["delay_p99_ms"].value is None
    assert found["stage_mean_ms.ordering"].value is None
    assert found["goodput_ratio"].value is None


def test_without_ordering_there_is_no_delay() -> None:
    scenario = {"layer": {"consensus": {"kind": "none"}}}
    found = measure(make_trace({"messages": [unfinished(0, 0)]}, scenario=scenario))
    assert found["delay_p99_ms"].value is None
    assert "lag_max_ms" not in found


@settings(max_examples=50, deadline=None)
@given(st.lists(st.tuples(*[st.integers(0, 10**12)] * 7), min_size=1, max_size=40))
def test_stages_sum_exactly(gaps: list[tuple[int, ...]]) -> None:
    names = ("created", "gateway", "admitted", "queued", "proposed", "decided", "executed")
    rows = []
    for i, row in enumerate(gaps):
        stamps = np.cumsum(row, dtype=object)
        stamps_ns = {f"{n}_ns": int(t) for n, t in zip(names, stamps, strict=True)}
        rows.append({"message": i, "outcome": Outcome.EXECUTED, **stamps_ns})
    trace = make_trace({"messages": rows}, flow_end_ns=10**13, end_ns=10**14)
    split = stages(trace)
    assert split.exact
    assert sum(split.total_ns.values()) == split.delay_ns == sum(sum(r[1:]) for r in gaps)
    found = measure(trace)
    parts = [found[f"stage_mean_ms.{s}"].value or 0 for s in split.total_ns]
    assert sum(parts) == pytest.approx(found["delay_mean_ms"].value)


@pytest.mark.parametrize("cells", [{"queued_ns": None}, {"queued_ns": 10**9}])
@pytest.mark.parametrize("delay_ns", [0, 600])
def test_a_broken_stamp_is_not_exact(cells: dict[str, int | None], delay_ns: int) -> None:
    trace = make_trace({"messages": [executed(0, 0, 600), executed(1, 0, delay_ns, **cells)]})
    assert not stages(trace).exact


def test_jitter_by_hand() -> None:
    # Delays 16, 32, 16 ms at gateway 0: |D| = 16, 16; J = 1, 1 + 15/16. Gateway 1 has one message.
    rows = [executed(i, 100 * i * MS, d * MS) for i, d in enumerate((16, 32, 16))]
    rows.append(executed(3, 0, 48 * MS, gateway=1))
    trace = make_trace({"messages": rows})
    assert jitter_rfc3550_ns(trace.delays()) / MS == pytest.approx([0, 1, 1.9375, 0])
    found = measure(trace)
    assert found["jitter_rfc3550_ms"].value == pytest.approx(2.9375 / 4)
    assert found["jitter_p99_min_ms"].value == pytest.approx(32)
    assert found["jitter_sd_ms"].value == pytest.approx(np.std([16, 32, 16, 48], ddof=1))


@settings(max_examples=100, deadline=None)
@given(
    st.lists(st.tuples(st.integers(0, 50), st.booleans()), min_size=1, max_size=60),
    st.lists(st.floats(0.01, 0.99), min_size=2, max_size=5),
)
def test_quantiles_are_monotone_and_inside_their_interval(
    cells: list[tuple[int, bool]], levels: list[float]
) -> None:
    curve = KaplanMeier(np.array([float(v) for v, _ in cells]), np.array([r for _, r in cells]))
    found = [curve.quantile(p) for p in sorted(levels)]
    assert found == sorted(found)
    for p in levels:
        q = curve.interval(p)
        assert q.low is not None and q.high is not None and q.low <= q.value <= q.high


def test_intervals_cover_and_widen_with_autocorrelation() -> None:
    draws = np.random.default_rng(11)
    missed = 0
    for _ in range(200):
        q = KaplanMeier(draws.exponential(1, 2000), np.ones(2000, dtype=bool)).interval(0.9)
        missed += not (q.low or 0) <= math.log(10) <= (q.high or 0)
    assert missed <= 20, "a 95 % interval missed more than one time in ten"
    calm = draws.normal(size=4000)
    bursts = np.repeat(draws.normal(size=40), 100)
    widths = []
    for values in (calm, bursts):
        q = KaplanMeier(values, np.ones(4000, dtype=bool)).interval(0.5)
        mean = mean_interval(values)
        widths.append(((q.high or 0) - (q.low or 0), (mean.high or 0) - (mean.low or 0)))
    assert widths[1][0] > 3 * widths[0][0]
    assert widths[1][1] > 3 * widths[0][1]


def test_samples_needed() -> None:
    assert [samples_needed(p) for p in (0.5, 0.99, 0.999)] == [5, 299, 2995]


def test_a_share_never_seen_still_has_an_upper_end() -> None:
    found = share_interval(np.zeros(100, dtype=bool))
    assert (found.value, found.low) == (0, 0)
    assert found.high is not None and 0.03 < found.high < 0.04
