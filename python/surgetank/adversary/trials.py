"""Runs of a scenario with and without attacks, and the damage of each: the difference that an
attack makes to the run of the same seed."""

from __future__ import annotations

import math
from collections.abc import Callable, Sequence

from surgetank.adversary.budget import AdversaryBudget
from surgetank.adversary.objective import Objective, net_gain_usd
from surgetank.adversary.plan import AttackPlan
from surgetank.attacker.race import MeanGain, estimate
from surgetank.catalogue import MEASURES
from surgetank.scenario import Scenario
from surgetank.search.pool import Pool
from surgetank.search.probe import RunOutcome, Task

__all__ = ["Trials"]

_POCKET = "attacker_from_usd."


class Trials:
    """Runs of one scenario."""

    def __init__(
        self,
        pool: Pool,
        scenario: Scenario,
        objective: Objective,
        budget: AdversaryBudget,
        watch: Callable[[], None] | None = None,
    ) -> None:
        self._pool, self.scenario = pool, scenario
        self.objective, self.budget = objective, budget
        self._watch = watch
        self._before: dict[int, RunOutcome] = {}

    def before(self, seeds: Sequence[int]) -> list[RunOutcome]:
        """The runs without attack."""
        new = [seed for seed in seeds if seed not in self._before]
        for seed, outcome in zip(new, self._played([(None, s) for s in new]), strict=True):
            self._before[seed] = outcome
        return [self._before[seed] for seed in seeds]

    def outcomes(self, plan: AttackPlan, seeds: Sequence[int]) -> list[RunOutcome]:
        """The runs under one attack."""
        return self._played([(plan, seed) for seed in seeds])

    def damages(self, asked: Sequence[tuple[AttackPlan, int]]) -> list[float]:
        """Damage of attacks on seeds; NaN where a run does not count, ∞ where the chain forks."""
        before = self.before([seed for _, seed in asked])
        after = self._played(asked)
        pairs = zip(asked, before, after, strict=True)
        return [self.damage(plan, b, a) for (plan, _), b, a in pairs]

    def damage(self, plan: AttackPlan, before: RunOutcome, after: RunOutcome) -> float:
        """The damage of an attack in a run."""
        if after.forked:
            return math.inf
        value = self.objective.value
        return value(after, plan, self.budget) - value(before, None, self.budget)

    def net_gain(self, plan: AttackPlan, outcomes: Sequence[RunOutcome]) -> MeanGain:
        """The attacker's net gain, USD per run."""
        return estimate([net_gain_usd(o, plan, self.budget) for o in outcomes if not o.invalid], 1)

    def _played(self, asked: Sequence[tuple[AttackPlan | None, int]]) -> list[RunOutcome]:
        tasks = [
            Task(self.scenario if plan is None else plan.applied(self.scenario), 0.0, seed)
            for plan, seed in asked
        ]
        running = [self._pool.submit(task) for task in tasks]
        found = []
        for run in running:
            found.append(run.result())
            if self._watch is not None:
                self._watch()
        return found


def pockets(outcomes: Sequence[RunOutcome]) -> dict[str, MeanGain]:
    """What the attacker's trades took from each group, USD; only where it took something."""
    groups = [name for name in MEASURES if name.startswith(_POCKET)]
    found = {}
    for name in groups:
        values = [o.value(name) for o in outcomes if not o.invalid]
        if any(not math.isnan(v) and v for v in values):
            found[name.removeprefix(_POCKET)] = estimate(values, len(groups))
    return found


def finite(damages: Sequence[float]) -> list[float]:
    """Damages with a fork as a run that does not count: it has no size."""
    return [math.nan if math.isinf(x) else x for x in damages]
