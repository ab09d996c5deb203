"""Queueing theory as the oracle, asked through the same queue, flow and node code as scenarios.

Rows of the field's textbooks: M/M/1, M/D/1, M/G/1 (Pollaczek–Khinchine), M/M/c (Erlang C), M/M/1/K,
two-class non-preemptive priority (Cobham), Hawkes arrivals. Times are in units of the mean service.
"""

from __future__ import annotations

import math

import numpy as np
import polars as pl
import pytest
from scipy import stats

import surgetank as st
from stations import assert_agrees, interval, sojourns, station
from surgetank.trace import MessageClass, Outcome

SEEDS = range(1, 11)


def poisson(rho: float, servers: int = 1) -> dict[str, object]:
    """Poisson arrivals that keep `servers` busy for a share `rho`."""
    return {"kind": "poisson", "rate_per_s": 1_000.0 * rho * servers}


def mean_sojourns(scenario: st.Scenario) -> list[float]:
    """Mean time in the station, one per seed."""
    means = (sojourns(scenario, seed)["time"].mean() for seed in SEEDS)
    return [float(mean) for mean in means]  # type: ignore[arg-type]


def test_mm1_wait_and_tail() -> None:
    """Wq = ρ/(1−ρ) = 4 and P(T > t) = e^(−(μ−λ)t) at ρ = .8."""
    # Thirty runs: the spread of ten is too uncertain for the width that is asked for.
    scenario = station(arrivals=poisson(0.8), duration_s=100.0)
    frames = [sojourns(scenario, seed) for seed in range(1, 31)]
    times = [frame["time"].to_numpy() for frame in frames]
    assert_agrees([t.mean() - 1 for t in times], 4.0, 0.08)
    assert_agrees([(t > 10).mean() for t in times], math.exp(-2), 0.12)


def test_mm1_through_the_sequencer() -> None:
    """The same station in front of a sequencer that batches at once: ordering adds nothing."""
    single = {"kind": "single", "node": 0, "window_ms": 0.0, "block_messages_max": 1}
    scenario = station(arrivals=poisson(0.8), duration_s=60.0, consensus=single)
    means = []
    for seed in SEEDS:
        frame = (
            st.run(scenario, seed=seed)
            .trace.tables["messages"]
            .filter(pl.col("outcome") == Outcome.EXECUTED)
        )
        delay = (frame["executed_ns"] - frame["created_ns"]).to_numpy()
        means.append(float(delay[len(delay) // 10 :].mean()) / 1e6)
    assert_agrees(means, 5.0, 0.08)


def test_md1_wait() -> None:
    """Wq = ρ/2(1−ρ) = 2 at ρ = .8 with a fixed service time."""
    scenario = station(arrivals=poisson(0.8), duration_s=60.0, distribution={"kind": "fixed"})
    assert_agrees([mean - 1 for mean in mean_sojourns(scenario)], 2.0, 0.06)


@pytest.mark.parametrize(("kind", "cv"), [("lognormal", 1.5), ("hyperexponential", 2.0)])
def test_mg1_wait(kind: str, cv: float) -> None:
    """Pollaczek–Khinchine: Wq = λE[S²]/2(1−ρ), with E[S²] = 1 + cv²."""
    scenario = station(
        arrivals=poisson(0.7), duration_s=200.0, distribution={"kind": kind, "cv": cv}
    )
    expected = 0.7 * (1 + cv**2) / (2 * 0.3)
    assert_agrees([mean - 1 for mean in mean_sojourns(scenario)], expected, 0.1)


def test_mm4_erlang_c() -> None:
    """M/M/4 at a = 3.4: Wq = C/(cμ−λ) with Erlang's C = .6893, and the tail that has C in it."""
    c, a, erlang_c = 4, 3.4, 0.6893
    scenario = station(arrivals=poisson(a / c, c), duration_s=70.0, servers=c)
    times = [sojourns(scenario, seed)["time"].to_numpy() for seed in SEEDS]
    assert_agrees([t.mean() - 1 for t in times], 1.1489, 0.12)
    t = 3.0
    tail = math.exp(-t) * (1 + erlang_c * (1 - math.exp(-t * (c - 1 - a))) / (c - 1 - a))
    assert_agrees([(times_ > t).mean() for times_ in times], tail, 0.08)


def test_mm1k_loss() -> None:
    """M/M/1/10 at ρ = .95 refuses (1−ρ)ρ^K/(1−ρ^(K+1)) = 6.943 % (nine wait, one is served)."""
    scenario = station(arrivals=poisson(0.95), duration_s=200.0, ingress_max=9)
    refused = (sojourns(scenario, seed)["outcome"] == Outcome.REFUSED for seed in SEEDS)
    shares = [float(column.mean()) for column in refused]  # type: ignore[arg-type]
    assert_agrees(shares, 0.06943, 0.06)


def test_cobham_two_classes() -> None:
    """Cobham: λ = .1/.8, W₁ = W₀/(1−σ₁) = 1, W₂ = W₀/((1−σ₁)(1−σ₂)) = 10; FIFO gives 9 to both."""
    mix = {"limit": 0.8, "cancel": 0.1}
    runs = {}
    for rule in ("priority", "fifo"):
        scenario = station(
            arrivals=poisson(0.9), duration_s=300.0, rule=rule, high=["cancel"], mix=mix
        )
        runs[rule] = [sojourns(scenario, seed) for seed in SEEDS]

    def waits(rule: str, high: bool) -> list[float]:
        chosen = (
            pl.col("class") == MessageClass.CANCEL
            if high
            else pl.col("class") != MessageClass.CANCEL
        )
        means = (frame.filter(chosen)["time"].mean() for frame in runs[rule])
        return [float(mean) - 1 for mean in means]  # type: ignore[arg-type]

    assert_agrees(waits("priority", True), 1.0, 0.05)
    assert_agrees(waits("priority", False), 10.0, 0.15)
    assert_agrees(waits("fifo", True), 9.0, 0.15)
    assert_agrees(waits("fifo", False), 9.0, 0.15)


HAWKES = {"kind": "hawkes", "branching": 0.9, "decay_per_s": 10.0}


def test_hawkes_rate_and_dispersion() -> None:
    """Hawkes with n = .9: mean rate μ/(1−n), index of dispersion 1/(1−n)² = 100 in long windows."""
    scenario = station(arrivals=HAWKES | {"rate_per_s": 10.0}, duration_s=20_000.0)
    rates, fanos = [], []
    window_s, relaxation_s = 100.0, 1.0
    for seed in SEEDS:
        created = st.run(scenario, seed=seed).trace.tables["messages"]["created_ns"].to_numpy()
        counts = np.bincount((created / 1e9 / window_s).astype(int), minlength=200)[:200]
        rates.append(created.size / 20_000.0)
        fanos.append(counts.var(ddof=1) / counts.mean())
    assert_agrees(rates, 10.0, 0.05)
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


@pytest.mark.soak
def test_hawkes_in_front_of_a_server() -> None:
    """No closed form: n = .9 at ρ = .8 waits some 250 service times where Poisson waits 4, here and
    in a simulation that shares no code with this one."""
    arrivals = {"kind": "hawkes", "rate_per_s": 800.0, "branching": 0.9, "decay_per_s": 1_000.0}
    ours = mean_sojourns(station(arrivals=arrivals, duration_s=5_000.0))
    theirs = [clusters_in_front_of_a_server(seed, 0.9, 5e6) for seed in SEEDS]
    assert stats.ttest_ind(ours, theirs, equal_var=False).pvalue > 0.001, (ours, theirs)
    low, high = interval([*ours, *theirs])
    assert high - low < 0.2 * low, f"[{low:.1f}, {high:.1f}] is too wide to tell"


def test_hawkes_bursts_cost_more_than_their_load() -> None:
    """At the same utilisation, self-excitation multiplies the wait by far more than ten."""
    arrivals = {"kind": "hawkes", "rate_per_s": 800.0, "branching": 0.9, "decay_per_s": 1_000.0}
    scenario = station(arrivals=arrivals, duration_s=300.0)
    low, _ = interval(mean_sojourns(scenario), 0.9)
    assert low > 10 * 4.0
