"""Queueing theory as the oracle, asked through the same queue, flow and node code as scenarios.

Rows of the field's textbooks: M/M/1, M/D/1, M/G/1 (Pollaczek–Khinchine), M/M/c (Erlang C), M/M/1/K,
two-class non-preemptive priority (Cobham), Hawkes arrivals. Times are in units of the mean service.

Every test draws fresh seeds. Its tolerance is 8 standard errors of the mean of forty runs, and
well below what a service time 3 % off changes (`stations.assert_agrees` has the arithmetic).
"""

from __future__ import annotations

import math
from collections.abc import Iterable

import numpy as np
import polars as pl
import pytest
from scipy import stats

import surgetank as st
from stations import (
    SERVICE_US,
    assert_agrees,
    fresh_seeds,
    sojourns,
    standard_error,
    station,
    times,
)
from surgetank.trace import MessageClass, Outcome


@pytest.fixture
def seeds() -> range:
    """Of one test."""
    return fresh_seeds()


def poisson(rho: float, servers: int = 1) -> dict[str, object]:
    """Poisson arrivals that keep `servers` busy for a share `rho`."""
    return {"kind": "poisson", "rate_per_s": 1_000.0 * rho * servers}


def waits(scenario: st.Scenario, seeds: Iterable[int]) -> list[float]:
    """Mean time in the station without the service, one per seed."""
    means = (sojourns(scenario, seed)["time"].mean() for seed in seeds)
    return [float(mean) - 1 for mean in means]  # type: ignore[arg-type]


MM1 = station(arrivals=poisson(0.8), duration_s=75.0)
MD1 = station(arrivals=poisson(0.8), duration_s=30.0, distribution={"kind": "fixed"})
MM1K = station(arrivals=poisson(0.95), duration_s=50.0, ingress_max=9)


def test_mm1_wait_and_tail(seeds: range) -> None:
    """Wq = ρ/(1−ρ) = 4 and P(T > t) = e^(−(μ−λ)t) at ρ = .8."""
    found = [sojourns(MM1, seed)["time"].to_numpy() for seed in seeds]
    assert_agrees([t.mean() - 1 for t in found], 4.0, 0.07)
    assert_agrees([(t > 10).mean() for t in found], math.exp(-2), 0.12)


def test_mm1_through_the_sequencer(seeds: range) -> None:
    """The same station in front of a sequencer that batches at once: ordering adds nothing."""
    single = {"kind": "single", "node": 0, "window_ms": 0.0, "block_messages_max": 1}
    scenario = station(arrivals=poisson(0.8), duration_s=20.0, consensus=single)
    means = []
    for seed in seeds:
        frame = st.simulate(scenario, seed=seed)["messages"].filter(outcome=Outcome.EXECUTED)
        delay = (frame["executed_ns"] - frame["created_ns"]).to_numpy()
        means.append(float(delay[len(delay) // 10 :].mean()) / 1e6)
    assert_agrees(means, 5.0, 0.11)


def test_md1_wait(seeds: range) -> None:
    """Wq = ρ/2(1−ρ) = 2 at ρ = .8 with a fixed service time."""
    assert_agrees(waits(MD1, seeds), 2.0, 0.07)


@pytest.mark.parametrize(("kind", "cv"), [("lognormal", 1.5), ("hyperexponential", 2.0)])
def test_mg1_wait(kind: str, cv: float, seeds: range) -> None:
    """Pollaczek–Khinchine: Wq = λE[S²]/2(1−ρ), with E[S²] = 1 + cv²."""
    scenario = station(
        arrivals=poisson(0.7), duration_s=150.0, distribution={"kind": kind, "cv": cv}
    )
    assert_agrees(waits(scenario, seeds), 0.7 * (1 + cv**2) / (2 * 0.3), 0.08)


def test_mm4_erlang_c(seeds: range) -> None:
    """M/M/4 at a = 3.4: Wq = C/(cμ−λ) with Erlang's C = .6893, and the tail that has C in it."""
    c, a, erlang_c = 4, 3.4, 0.6893
    scenario = station(arrivals=poisson(a / c, c), duration_s=36.0, servers=c)
    found = [sojourns(scenario, seed)["time"].to_numpy() for seed in seeds]
    assert_agrees([t.mean() - 1 for t in found], 1.1489, 0.09)
    t = 3.0
    tail = math.exp(-t) * (1 + erlang_c * (1 - math.exp(-t * (c - 1 - a))) / (c - 1 - a))
    assert_agrees([(own > t).mean() for own in found], tail, 0.07)


def refused(scenario: st.Scenario, seeds: Iterable[int]) -> list[float]:
    """Share of messages that found no room, one per seed."""
    flags = (sojourns(scenario, seed)["outcome"] == Outcome.REFUSED for seed in seeds)
    return [float(column.mean()) for column in flags]  # type: ignore[arg-type]


def test_mm1k_loss(seeds: range) -> None:
    """M/M/1/10 at ρ = .95 refuses (1−ρ)ρ^K/(1−ρ^(K+1)) = 6.943 % (nine wait, one is served)."""
    assert_agrees(refused(MM1K, seeds), 0.06943, 0.065)


def test_a_service_time_three_percent_off_is_seen(seeds: range) -> None:
    """The positive control: the same assertions fail by 21, 20 and 17 %, whatever the seeds."""
    slower = {"layer.service.validation": times(1.03 * SERVICE_US)}
    with pytest.raises(AssertionError, match=r"theory says 4\.0"):
        assert_agrees(waits(MM1.with_values(slower), seeds), 4.0, 0.07)
    with pytest.raises(AssertionError, match=r"theory says 2\.0"):
        assert_agrees(waits(MD1.with_values(slower), seeds), 2.0, 0.07)
    with pytest.raises(AssertionError, match=r"theory says 0\.069"):
        assert_agrees(refused(MM1K.with_values(slower), seeds), 0.06943, 0.065)


def test_cobham_two_classes(seeds: range) -> None:
    """Cobham: λ = .1/.8, W₁ = W₀/(1−σ₁) = 1, W₂ = W₀/((1−σ₁)(1−σ₂)) = 10; FIFO gives 9 to both."""
    mix = {"limit": 0.8, "cancel": 0.1}
    high = pl.col("class") == MessageClass.CANCEL
    expected = {"priority": ((high, 1.0, 0.035), (~high, 10.0, 0.1))}
    expected["fifo"] = ((high, 9.0, 0.1), (~high, 9.0, 0.1))
    for rule, classes in expected.items():
        scenario = station(
            arrivals=poisson(0.9), duration_s=150.0, rule=rule, high=["cancel"], mix=mix
        )
        found = [sojourns(scenario, seed) for seed in seeds]
        for chosen, theory, tolerance in classes:
            means = (frame.filter(chosen)["time"].mean() for frame in found)
            assert_agrees([float(mean) - 1 for mean in means], theory, tolerance)  # type: ignore[arg-type]


HAWKES = {"kind": "hawkes", "branching": 0.9, "decay_per_s": 10.0}


def test_hawkes_rate_and_dispersion(seeds: range) -> None:
    """Hawkes with n = .9: mean rate μ/(1−n), index of dispersion 1/(1−n)² = 100 in long windows."""
    scenario = station(arrivals=HAWKES | {"rate_per_s": 10.0}, duration_s=20_000.0)
    rates, fanos = [], []
    window_s, relaxation_s = 100.0, 1.0
    for seed in seeds:
        created = st.simulate(scenario, seed=seed)["messages"]["created_ns"].to_numpy()
        counts = np.bincount((created / 1e9 / window_s).astype(int), minlength=200)[:200]
        rates.append(created.size / 20_000.0)
        fanos.append(counts.var(ddof=1) / counts.mean())
    assert_agrees(rates, 10.0, 0.035)
    # A window of finite length misses what its edges cut: by relaxation/window to first order.
    assert_agrees(fanos, 100.0 * (1 - relaxation_s / window_s), 0.25)


def clusters_in_front_of_a_server(seed: int, branching: float, services: float) -> float:
    """Mean sojourn at ρ = .8 by other means: arrivals as clusters (Hawkes and Oakes 1974; decay 1
    per mean service), waits by Lindley's recursion. The first tenth is left out."""
    draw = np.random.default_rng(seed)
    born = draw.uniform(0, services, draw.poisson(0.8 * (1 - branching) * services))
    generations = [born]
    while born.size:
        children = draw.poisson(branching, born.size)
        born = np.repeat(born, children) + draw.exponential(1.0, children.sum())
        generations.append(born)
    times = np.sort(np.concatenate(generations))
    times = times[times < services]
    work = draw.exponential(1.0, times.size)
    drift = np.concatenate([[0.0], np.cumsum(work[:-1] - np.diff(times))])
    sojourn = drift - np.minimum.accumulate(drift) + work
    return float(sojourn[times.size // 10 :].mean())


BURSTS = {"kind": "hawkes", "rate_per_s": 800.0, "branching": 0.9, "decay_per_s": 1_000.0}


@pytest.mark.soak
def test_hawkes_in_front_of_a_server(seeds: range) -> None:
    """No closed form: n = .9 at ρ = .8 waits some 250 service times where Poisson waits 4, here and
    in a simulation that shares no code with this one (Welch's t-test, one alarm in 10⁸)."""
    ours = [wait + 1 for wait in waits(station(arrivals=BURSTS, duration_s=1_250.0), seeds)]
    theirs = [clusters_in_front_of_a_server(seed, 0.9, 1.25e6) for seed in seeds]
    assert stats.ttest_ind(ours, theirs, equal_var=False).pvalue > 1e-8, (ours, theirs)
    assert standard_error([*ours, *theirs]) < 0.03 * np.mean(ours)


def test_hawkes_bursts_cost_more_than_their_load(seeds: range) -> None:
    """At the same utilisation, self-excitation multiplies the wait by far more than ten."""
    means = waits(station(arrivals=BURSTS, duration_s=75.0), seeds)
    assert np.mean(means) - 8 * standard_error(means) > 10 * 4.0
