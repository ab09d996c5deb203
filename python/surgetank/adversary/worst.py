"""Searches for the worst attack, measures it on fresh seeds, and tries defences."""

from __future__ import annotations

import math
from collections.abc import Callable, Mapping, Sequence
from concurrent.futures import Executor
from pathlib import Path
from typing import Any, Final

import numpy as np

from surgetank.adversary.budget import AdversaryBudget
from surgetank.adversary.defence import Defender
from surgetank.adversary.hunt import Found, SearchEffort, hunt
from surgetank.adversary.objective import objective
from surgetank.adversary.plan import PARTS, AttackPlan
from surgetank.adversary.result import PartDamage, WorstAttack
from surgetank.adversary.space import AttackSpace, Suggests
from surgetank.adversary.trials import Trials, finite, pockets
from surgetank.attacker.race import MeanGain, estimate
from surgetank.errors import SurgetankError
from surgetank.scenario import Scenario
from surgetank.search.pool import pool_of
from surgetank.search.probe import RunOutcome

__all__ = ["Chance", "SearchEffort", "worst_attack"]

Watch = Callable[[str, int, int], None]
"""Called with the phase, runs done, and the approximate total."""

#: Draws of a random attack until one is not empty and fits the scenario.
_DRAWS: Final = 100


def worst_attack(
    scenario: Scenario,
    budget: AdversaryBudget | None = None,
    *,
    worst: str | None = None,
    tolerance: float = 0.0,
    effort: SearchEffort | None = None,
    defences: Sequence[Mapping[str, Any]] = (),
    remedies: int = 0,
    seed: int = 1,
    workers: int | None = None,
    executor: Executor | None = None,
    journal: Path | None = None,
    watch: Watch | None = None,
) -> WorstAttack:
    """The worst attack on a scenario that is found within a budget.

    `worst` is what the attacker makes as large as it can: a key of `OBJECTIVES` or a measure.
    `defences` are changes of the scenario to be tried against it, each under dotted keys;
    `remedies` is how many more are chosen for the resources that the attack uses up. The search
    uses the seeds from `seed` on, the measurement the `effort.fresh` ones after them.

    Raises:
        SurgetankError: Optuna is not installed, the budget or the objective does not fit the
            scenario, or a number makes no sense.
    """
    effort = effort or SearchEffort()
    budget = budget or AdversaryBudget.of(scenario)
    goal = objective(worst, scenario)
    _check(effort, tolerance)
    changed = [(values, scenario.with_values(values)) for values in defences]
    space = AttackSpace.of(scenario, budget)
    search_seeds = range(seed, seed + effort.search_seeds)
    fresh_seeds = range(search_seeds.stop, search_seeds.stop + effort.fresh)
    with pool_of(executor, workers, journal) as pool:
        progress = _ProgressOf(watch, effort, len(changed) + remedies)
        trials = Trials(pool, scenario, goal, budget, progress)
        found, tried = hunt(space, trials.damages, search_seeds, effort, seed)
        progress.phase = "measuring on fresh seeds"
        measured = _Measured(space, trials, found.plan, fresh_seeds)
        over_textbook, textbook = measured.over_textbook(tried)
        over_random = measured.over_random(seed)
        contributions = measured.contributions()
        progress.phase = "trying defences"
        defender = Defender(pool, measured.trials, found.plan, measured.damages, effort, progress)
        more = defender.candidates(measured.before, measured.after, remedies)
        results = [
            defender.tried(values, other, search_seeds, fresh_seeds, len(changed) + len(more))
            for values, other in [*changed, *more]
        ]
        runs = pool.different
    return WorstAttack(
        scenario=scenario.name,
        objective=goal,
        budget=budget,
        tolerance=tolerance,
        plan=found.plan,
        damage=estimate(finite(measured.damages), 1),
        before=_mean([goal.value(o, None, budget) for o in measured.before]),
        searched=found.damage,
        forks=sum(o.forked for o in measured.after),
        over_textbook=over_textbook,
        textbook=textbook,
        over_random=over_random,
        net_gain=trials.net_gain(found.plan, measured.after),
        pockets=pockets(measured.after),
        contributions=contributions,
        defences=tuple(results),
        tried=tuple(tried),
        search_seeds=search_seeds,
        fresh_seeds=fresh_seeds,
        runs=runs,
        left_out=space.left_out,
        invalid=tuple(
            f"seed {o.seed}: {o.invalid[0]}"
            for o in (*measured.before, *measured.after)
            if o.invalid and not o.forked
        ),
    )


class _Measured:
    """The worst attack on fresh seeds, beside what it is compared with."""

    def __init__(
        self, space: AttackSpace, trials: Trials, plan: AttackPlan, seeds: Sequence[int]
    ) -> None:
        self.space, self.trials, self.plan, self.seeds = space, trials, plan, seeds
        self.before: list[RunOutcome] = trials.before(seeds)
        self.after = trials.outcomes(plan, seeds)
        pairs = zip(self.before, self.after, strict=True)
        self.damages = [trials.damage(plan, b, a) for b, a in pairs]

    def over_textbook(self, tried: Sequence[Found]) -> tuple[MeanGain | None, AttackPlan | None]:
        """The damage less that of the best of the textbook's attacks, and that attack."""
        simple = [one for one in tried if one.textbook]
        best = max(simple, key=lambda one: one.damage, default=None)
        if best is None or best.plan == self.plan:
            return None, None if best is None else best.plan
        return self._over([best.plan] * len(self.seeds)), best.plan

    def over_random(self, seed: int) -> MeanGain:
        """The damage less that of random attacks of the same budget, another on each seed."""
        rng = np.random.default_rng([seed, 0x0ADE])
        return self._over([_random(self.space, rng) for _ in self.seeds])

    def contributions(self) -> tuple[PartDamage, ...]:
        """What each part adds; intervals hold for all parts together."""
        parts = [part for part in PARTS if part in self.plan.parts]
        if len(parts) < 2:
            return tuple(PartDamage(p, estimate(finite(self.damages), 1)) for p in parts)
        others = [[self.plan.without(part)] * len(self.seeds) for part in parts]
        return tuple(
            PartDamage(part, self._over(other, len(parts)))
            for part, other in zip(parts, others, strict=True)
        )

    def _over(self, others: Sequence[AttackPlan], among: int = 1) -> MeanGain:
        other = self.trials.damages(list(zip(others, self.seeds, strict=True)))
        pairs = zip(finite(self.damages), finite(other), strict=True)
        return estimate([a - b for a, b in pairs], among)


class _ProgressOf:
    """Counts runs for a progress bar."""

    def __init__(self, watch: Watch | None, effort: SearchEffort, defences: int) -> None:
        self._watch, self._done = watch, 0
        again = effort.halved
        each = again.runs + 3 * effort.fresh
        self._total = effort.runs + 6 * effort.fresh + defences * each
        self.phase = "searching"

    def __call__(self) -> None:
        self._done += 1
        if self._watch is not None:
            self._watch(self.phase, self._done, max(self._total, self._done))


class Chance(Suggests):
    """Draws each choice at random, evenly or evenly in the logarithm."""

    def __init__(self, rng: np.random.Generator) -> None:
        self._rng = rng

    def suggest_categorical(self, name: str, choices: Sequence[Any]) -> Any:
        """One of these."""
        return choices[int(self._rng.integers(len(choices)))]

    def suggest_int(self, name: str, low: int, high: int) -> int:
        """A whole number from `low` to `high`."""
        return int(self._rng.integers(low, high + 1))

    def suggest_float(self, name: str, low: float, high: float, *, log: bool = False) -> float:
        """A number from `low` to `high`."""
        if log:
            return float(math.exp(self._rng.uniform(math.log(low), math.log(high))))
        return float(self._rng.uniform(low, high))


def _random(space: AttackSpace, rng: np.random.Generator) -> AttackPlan:
    for _ in range(_DRAWS):
        plan = space.draw(Chance(rng))
        try:
            plan.applied(space.scenario)
        except SurgetankError:
            continue
        if plan.parts:
            return plan
    raise SurgetankError(
        f"none of {_DRAWS} random attacks fits it",
        place=space.scenario.name,
        hint="Give a larger budget",
    )


def _check(effort: SearchEffort, tolerance: float) -> None:
    if effort.fresh < 2:
        what, hint = "one seed has no interval", "Give 8 or more"
        raise SurgetankError(what, place=f"--fresh {effort.fresh}", hint=hint)
    if not (math.isfinite(tolerance) and tolerance >= 0):
        what, hint = "must be a number of 0 or more", "Give it in the unit of --worst"
        raise SurgetankError(what, place=f"--tolerance {tolerance:g}", hint=hint)


def _mean(values: Sequence[float]) -> float:
    counted = [v for v in values if not math.isnan(v)]
    return sum(counted) / len(counted) if counted else math.nan
