"""The effect of an intervention, paired by seed: the same scenario and seeds, one change.

Of each seed the logarithm of the changed run's latency over the unchanged run's is taken; the gain
is from the mean of these, with Student's interval. Where several interventions are compared, the
interval of each is widened so that all of them hold simultaneously (Bonferroni).
"""

from __future__ import annotations

import math
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from typing import Final

import numpy as np

from surgetank.errors import SurgetankError
from surgetank.explain.interventions import INTERVENTIONS, changed
from surgetank.measure import Measures
from surgetank.measure.latency import delays
from surgetank.measure.throughput import throughput
from surgetank.measure.waiting import waiting
from surgetank.scenario import Scenario
from surgetank.search.pool import Pool, Running
from surgetank.search.probe import RunOutcome, Task
from surgetank.simulate import simulate
from surgetank.verdict import Status, judge

__all__ = [
    "DELAYS",
    "Effect",
    "Gain",
    "LeftOut",
    "Tried",
    "begin",
    "charged",
    "effects",
    "gain",
    "observe",
    "share",
]

DELAYS: Final = {"mean": "delay_mean_ms", "p99": "delay_p99_ms"}
_CARRIED: Final = ("goodput_ratio", "executed_share")
#: Resource of an intervention → the members of `wait_share.<name>` that are charged to it.
_CHARGED: Final[Mapping[str, tuple[str, ...]]] = {
    "validation": ("validation_own", "validation_others"),
    "execution": ("execution_own", "execution_others"),
    "computation": (
        "validation_own",
        "validation_others",
        "execution_own",
        "execution_others",
        "consensus",
    ),
}


@dataclass(frozen=True)
class Gain:
    """The share by which an intervention reduces latency; negative if it increases it."""

    value: float
    low: float
    """Ends of the interval; NaN with a single seed."""
    high: float

    @property
    def sure(self) -> bool:
        """Whether the interval excludes zero."""
        return self.low > 0 or self.high < 0


@dataclass(frozen=True)
class Effect:
    """The effect of one intervention, and the share of latency charged to its resource."""

    resource: str
    factor: float
    """Factor on the resource's numbers: 0 = free, 0.5 = twice as fast, 2 = twice as slow."""
    share: float
    """Share of latency charged to the resource, mean over seeds."""
    gains: Mapping[str, Gain | None]
    """Gains of `mean` and `p99`; None if some run has no such delay."""
    goodput_change: float
    """`goodput_ratio` after less before: latencies are of executed messages only."""
    executed_change: float
    """`executed_share` after less before."""


@dataclass(frozen=True)
class LeftOut:
    """An intervention without a result, and why."""

    resource: str
    factor: float
    why: str


@dataclass(frozen=True)
class Tried:
    """An intervention whose runs have been begun."""

    resource: str
    factor: float
    runs: Sequence[Running]
    refused: str = ""
    """Why it has none, if the scenario's other numbers do not allow it."""


def observe(task: Task) -> RunOutcome:
    """Runs a task and measures what an explanation needs: latencies, waits and goodput.

    Raises:
        SurgetankError: if the core cannot build the scenario.
    """
    trace = simulate(task.scenario, seed=task.seed)
    measures = Measures([*delays(trace), *waiting(trace, None), *throughput(trace)])
    reasons = judge(measures, {}, trace).reasons
    return RunOutcome(
        key=task.key,
        level=task.level,
        seed=task.seed,
        messages=trace["messages"].height,
        values={name: m.value for name, m in measures.items()},
        failed=(),
        unknown=(),
        invalid=tuple(f"{r.name}: {r.text}" for r in reasons if r.status is Status.INVALID),
        saturated=(),
    )


def begin(
    pool: Pool, scenario: Scenario, seeds: Sequence[int], factors: Sequence[float]
) -> tuple[list[Running], list[Tried]]:
    """Begins the runs of the unchanged scenario, and of every intervention that it allows."""
    base = [pool.submit(Task(scenario, 0.0, seed)) for seed in seeds]
    tried = []
    for resource in INTERVENTIONS:
        for factor in factors:
            values = changed(scenario, resource, factor)
            if not values:
                continue
            try:
                other = scenario.with_values(values)
            except SurgetankError as error:
                tried.append(Tried(resource, factor, (), str(error)))
                continue
            runs = [pool.submit(Task(other, factor, seed)) for seed in seeds]
            tried.append(Tried(resource, factor, runs))
    return base, tried


def effects(base: Sequence[Running], tried: Sequence[Tried]) -> Iterator[Effect | LeftOut]:
    """The effect of each intervention, as its runs end. Intervals of one latency are
    simultaneous."""
    before = [run.result() for run in base]
    compared = sum(not one.refused for one in tried)
    for one in tried:
        after = [run.result() for run in one.runs]
        why = one.refused or next((o.invalid[0] for o in after if o.invalid), "")
        if why:
            # An INVALID run gives no effect.
            yield LeftOut(one.resource, one.factor, why)
            continue
        gains = {
            name: gain(_values(before, key), _values(after, key), compared)
            for name, key in DELAYS.items()
        }
        changes = [_mean(after, key) - _mean(before, key) for key in _CARRIED]
        yield Effect(one.resource, one.factor, share(before, one.resource), gains, *changes)


def charged(resource: str) -> tuple[str, ...]:
    """Resources of the table `waits` that an intervention on this one changes."""
    return _CHARGED.get(resource, (resource,))


def share(outcomes: Sequence[RunOutcome], resource: str) -> float:
    """Share of latency charged to what an intervention changes, mean over runs."""
    names = charged(resource)
    found = [sum(o.value(f"wait_share.{name}") for name in names) for o in outcomes]
    return float(np.mean(found))


def gain(before: Sequence[float], after: Sequence[float], compared: int = 1) -> Gain | None:
    """The share saved, 1 − geometric mean of after/before, with its 95 % interval; None if a
    delay is missing, infinite or zero."""
    from scipy import stats  # slow to import

    if any(not math.isfinite(x) or x < 0 for x in (*before, *after)):
        return None
    if min(before) == 0:
        return None
    # A latency of zero counts as one nanosecond.
    ratios = np.log([max(b, 1e-6) / a for a, b in zip(before, after, strict=True)])
    middle, n = float(np.mean(ratios)), len(ratios)
    if n < 2:
        return Gain(1 - math.exp(middle), math.nan, math.nan)
    error = float(np.std(ratios, ddof=1)) / math.sqrt(n)
    half = float(stats.t.ppf(1 - 0.025 / compared, n - 1)) * error
    low, high = (1 - math.exp(middle + sign * half) for sign in (1, -1))
    return Gain(1 - math.exp(middle), low, high)


def _mean(outcomes: Sequence[RunOutcome], key: str) -> float:
    return float(np.mean(_values(outcomes, key)))


def _values(outcomes: Sequence[RunOutcome], key: str) -> list[float]:
    return [outcome.value(key) for outcome in outcomes]
