"""Changes of a venue against an attack: what the same attack still does, and what the worst found
against the changed venue does. A defence that only moves the attack elsewhere is none."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from typing import Any

from surgetank.adversary.hunt import SearchEffort, hunt
from surgetank.adversary.plan import AttackPlan
from surgetank.adversary.result import DefenceTried
from surgetank.adversary.space import AttackSpace
from surgetank.adversary.trials import Trials, finite
from surgetank.attacker.race import estimate
from surgetank.scenario import Scenario
from surgetank.search.bottleneck import changes_for, ranking
from surgetank.search.pool import Pool
from surgetank.search.probe import RunOutcome

__all__ = ["Defender"]

Changed = tuple[Mapping[str, Any], Scenario]
"""Values of a change, and the scenario with them."""


class Defender:
    """Tries defences against one attack."""

    def __init__(
        self,
        pool: Pool,
        trials: Trials,
        plan: AttackPlan,
        damages: Sequence[float],
        effort: SearchEffort,
        watch: Callable[[], None],
    ) -> None:
        self._pool, self._trials, self._plan = pool, trials, plan
        self._damages, self._effort, self._watch = damages, effort.halved, watch

    def candidates(
        self, before: Sequence[RunOutcome], after: Sequence[RunOutcome], count: int
    ) -> list[Changed]:
        """Changes that relieve the resources that the attack uses most, the largest of each kind,
        of different resources in turn."""
        if not count:
            return []
        scenario = self._trials.scenario
        used = ranking([o for o in after if not o.invalid], before)
        largest: dict[tuple[str, tuple[str, ...]], Mapping[str, Any]] = {}
        for change in changes_for(scenario, used):
            largest[change.resource, tuple(change.values)] = change.values
        by_resource: dict[str, list[Mapping[str, Any]]] = {}
        for (resource, _), values in largest.items():
            by_resource.setdefault(resource, []).append(values)
        turns = max((len(some) for some in by_resource.values()), default=0)
        ordered = [
            some[turn] for turn in range(turns) for some in by_resource.values() if turn < len(some)
        ]
        return [(values, scenario.with_values(values)) for values in ordered[:count]]

    def tried(
        self,
        values: Mapping[str, Any],
        scenario: Scenario,
        search_seeds: Sequence[int],
        fresh_seeds: Sequence[int],
        among: int,
    ) -> DefenceTried:
        """One defence; intervals of `among` defences hold together."""
        text = ", ".join(f"{key} = {value}" for key, value in values.items())
        old = self._trials
        trials = Trials(self._pool, scenario, old.objective, old.budget, self._watch)
        same = trials.damages([(self._plan, seed) for seed in fresh_seeds])
        space = AttackSpace.of(scenario, old.budget)
        found, _ = hunt(
            space,
            trials.damages,
            search_seeds[: self._effort.search_seeds],
            self._effort,
            search_seeds[0],
            known=[self._plan],
        )
        adapted = trials.damages([(found.plan, seed) for seed in fresh_seeds])
        worse, plan = (same, self._plan) if _mean(same) >= _mean(adapted) else (adapted, found.plan)
        pairs = zip(finite(self._damages), finite(worse), strict=True)
        outcomes = trials.outcomes(plan, fresh_seeds)
        invalid = next((o.invalid[0] for o in outcomes if o.invalid), "")
        return DefenceTried(
            text,
            dict(values),
            estimate(finite(same), among),
            estimate(finite(adapted), among),
            plan,
            estimate([before - after for before, after in pairs], among),
            trials.net_gain(plan, outcomes),
            invalid,
        )


def _mean(damages: Sequence[float]) -> float:
    return estimate(damages, 1).mean
