"""Searches with known answers: coins of a known probability, and stations of queueing theory."""

from __future__ import annotations

import math
from collections.abc import Callable
from concurrent.futures import Executor
from typing import Any

import numpy as np
from scipy import optimize, special, stats

import surgetank as st
from stations import station
from surgetank.measure import FailureKind
from surgetank.search.find import Question, Search, SearchState
from surgetank.search.goal import goal
from surgetank.search.parameter import parameter
from surgetank.search.pool import Inline, Pool, RunJournal
from surgetank.search.posterior import Trial, fit
from surgetank.search.probe import RunOutcome, Task

#: Service rate of `stations.station`, per second.
MU = 1_000.0


def queue(load: float, *, waiting_max: int = 1_000, duration_s: float = 20.0) -> st.Scenario:
    """M/M/1/K with one sequencer: K = waiting_max + 1 messages in the system."""
    return station(
        arrivals={"kind": "poisson", "rate_per_s": load},
        duration_s=duration_s,
        ingress_max=waiting_max,
        consensus={"kind": "single", "window_ms": 0.0},
    )


def capacity_of_queue(waiting_max: int, unloaded: float, degradation: float = 2.0) -> float:
    """Highest λ with p99 ≤ degradation × p99 at `unloaded`, with refusals as infinite.

    M/M/1/K: an arrival meets j others with probability ∝ ρ^j, j ≤ K, is refused if j = K, and else
    spends an Erlang(j + 1, μ) time (Gross et al., Fundamentals of Queueing Theory, §2.4). With 1 %
    refused p99 is infinite, so that the bound on goodput never binds first.
    """
    shapes = np.arange(1, min(waiting_max + 1, 2_000) + 1)

    def late(load: float, limit_s: float) -> float:
        """Share of arrivals that take longer than the limit, or are refused."""
        weight = (load / MU) ** np.arange(len(shapes) + 1)
        weight /= weight.sum()
        return float(weight[:-1] @ stats.gamma.sf(limit_s, shapes, scale=1 / MU) + weight[-1])

    limit_s = degradation * optimize.brentq(lambda t: late(unloaded, t) - 0.01, 1e-6, 1.0)
    return float(optimize.brentq(lambda x: late(x, limit_s) - 0.01, unloaded, 0.999 * MU))


def outcome(task: Task, **cells: Any) -> RunOutcome:
    """A made-up run."""
    said: dict[str, Any] = {
        "messages": 100,
        "values": {},
        "failed": (),
        "unknown": (),
        "invalid": (),
        "saturated": (),
    }
    return RunOutcome(key=task.key, level=task.level, seed=task.seed, **{**said, **cells})


def coin(p_broken: Callable[[float], float]) -> Callable[[Task], RunOutcome]:
    """Runs that break with a probability of the level; the seed decides."""

    def work(task: Task) -> RunOutcome:
        broke = np.random.default_rng(task.seed).random() < p_broken(task.level)
        how = (FailureKind.TRAILING,) if broke else ()
        return outcome(task, failures=how, values={"throughput_per_s": 1.0})

    return work


def find_with(
    work: Callable[[Task], RunOutcome],
    *,
    own: float = 100.0,
    low: float = 10.0,
    high: float = 10_000.0,
    seed: int = 1,
    executor: Callable[[], Executor] = Inline,
    **options: Any,
) -> SearchState:
    """A search for the failure threshold of made-up runs, along the load."""
    scenario = queue(own)
    question = Question(
        scenario,
        goal("failure-threshold"),
        parameter(scenario, "load"),
        low,
        high,
        seed=seed,
        **options,
    )
    return Search(question, Pool(executor, RunJournal(), work=work)).go()


def logistic(threshold: float, slope: float) -> Callable[[float], float]:
    """P rises with ln(level), ½ at the threshold."""
    return lambda level: float(special.expit(slope * math.log(level / threshold)))


__all__ = [
    "MU",
    "Trial",
    "capacity_of_queue",
    "coin",
    "find_with",
    "fit",
    "logistic",
    "outcome",
    "queue",
]
