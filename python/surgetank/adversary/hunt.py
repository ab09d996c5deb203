"""Looks for the worst attack with few runs.

Textbook attacks first, then those that Optuna's tree-structured Parzen estimator proposes
(Watanabe, arXiv:2304.11127, 2023), each on the same few seeds; the best few are run on more seeds,
half of them at a time (sequential halving), and the winner loses the parts that do nothing.
Proposals come in rounds of a fixed number, so that a search does not depend
on how many workers it has.
"""

from __future__ import annotations

import math
import warnings
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass, replace
from typing import TYPE_CHECKING, Any, Final

from surgetank.adversary.plan import AttackPlan
from surgetank.adversary.space import AttackSpace
from surgetank.errors import SurgetankError
from surgetank.extras import part_of

if TYPE_CHECKING:
    import optuna

__all__ = ["Found", "Runs", "SearchEffort", "hunt"]

#: Attacks proposed at a time.
_ROUND: Final = 4
#: Attacks that are run on further seeds.
_FINALISTS: Final = 6
#: A part is left out if the attack without it does this share of the damage.
_ENOUGH: Final = 0.98
#: What the sampler is given for a fork, which is worse than any damage.
_FORK: Final = 1e18


@dataclass(frozen=True)
class SearchEffort:
    """How much a search tries."""

    trials: int = 48
    """Number of attacks to try."""
    seeds: int = 2
    """Seeds on which each is run, and by which each halving adds more."""
    fresh: int = 12
    """Fresh seeds on which the worst is measured."""
    random: int = 10
    """Attacks drawn at random, after the textbook's, before the sampler learns from them."""

    @property
    def search_seeds(self) -> int:
        """The number of seeds that attacks are chosen on."""
        return 3 * self.seeds

    @property
    def halved(self) -> SearchEffort:
        """Half as many trials, for the search against a defence."""
        return replace(self, trials=max(self.trials // 2, 1))

    @property
    def runs(self) -> int:
        """About how many runs a search makes before it measures."""
        halvings = (_FINALISTS + _FINALISTS // 2) * self.seeds
        return (self.trials + 3) * self.seeds + halvings + 2 * self.search_seeds


@dataclass(frozen=True)
class Found:
    """An attack that was tried."""

    plan: AttackPlan
    damage: float
    """Mean damage on the seeds on which it was run; NaN if none counts."""
    textbook: bool = False


Runs = Callable[[Sequence[tuple[AttackPlan, int]]], Sequence[float]]
"""Damages of attacks on seeds; NaN where a run does not count, infinite where the chain forks."""


def hunt(
    space: AttackSpace,
    runs: Runs,
    seeds: Sequence[int],
    effort: SearchEffort,
    seed: int,
    known: Sequence[AttackPlan] = (),
) -> tuple[Found, list[Found]]:
    """The worst attack that was found, and all that were tried, in order.

    `runs` is called with attacks and seeds of `seeds`, of which there are `effort.search_seeds`.
    Attacks that are `known` to be bad elsewhere are tried, too.

    Raises:
        SurgetankError: Optuna is not installed, or every attack was refused.
    """
    met = _Met(runs)
    met.run([(plan, s) for plan in known for s in seeds[: effort.seeds]])
    tried = [Found(plan, met.mean(_key(plan))) for plan in known]
    tried += _trials(space, met, seeds[: effort.seeds], effort, seed)
    if not tried:
        raise SurgetankError(
            "no attack could be run", place=space.scenario.name, hint="Give a larger budget"
        )
    best = sorted(dict.fromkeys(_key(one.plan) for one in tried), key=lambda k: -met.mean(k))
    alive, used = best[:_FINALISTS], effort.seeds
    while used < effort.search_seeds:
        used += effort.seeds
        met.run([(met.plans[key], s) for key in alive for s in seeds[:used]])
        alive = sorted(alive, key=lambda k: -met.mean(k))[: max(1, len(alive) // 2)]
    worst = _simplest(met, met.plans[alive[0]], seeds[:used])
    return Found(worst, met.mean(_key(worst))), tried


def _trials(
    space: AttackSpace, met: _Met, seeds: Sequence[int], effort: SearchEffort, seed: int
) -> list[Found]:
    with part_of("adversary", place="search --adversary"), _quiet():
        import optuna

        textbook = space.textbook()
        study = optuna.create_study(
            direction="maximize", sampler=_sampler(len(textbook) + effort.random, seed)
        )
        for parameters in textbook:
            study.enqueue_trial(parameters)
        tried: list[Found] = []
        trials = max(effort.trials, 1)
        for begun in range(0, trials, _ROUND):
            drawn = [_drawn(space, study) for _ in range(min(_ROUND, trials - begun))]
            met.run([(plan, s) for _, plan in drawn if plan is not None for s in seeds])
            for trial, plan in drawn:
                if plan is None:
                    study.tell(trial, state=optuna.trial.TrialState.FAIL)
                    continue
                damage = met.mean(_key(plan))
                _tell(study, trial, damage)
                tried.append(Found(plan, damage, trial.number < len(textbook)))
    return tried


def _sampler(startup: int, seed: int) -> optuna.samplers.BaseSampler:
    import optuna

    return optuna.samplers.TPESampler(
        seed=seed,
        multivariate=True,
        group=True,
        constant_liar=True,
        n_startup_trials=startup,
    )


def _drawn(space: AttackSpace, study: optuna.Study) -> tuple[optuna.Trial, AttackPlan | None]:
    """A trial and its attack; None if it has no parts or the scenario refuses it."""
    trial = study.ask()
    plan = space.draw(trial)
    try:
        plan.applied(space.scenario)
    except SurgetankError:
        return trial, None
    return trial, plan if plan.parts else None


def _tell(study: optuna.Study, trial: optuna.Trial, damage: float) -> None:
    import optuna

    if damage == -math.inf:
        study.tell(trial, state=optuna.trial.TrialState.FAIL)
    else:
        study.tell(trial, min(damage, _FORK))


def _simplest(met: _Met, plan: AttackPlan, seeds: Sequence[int]) -> AttackPlan:
    """The attack without the parts that do nothing on these seeds."""
    for part in tuple(plan.parts):
        if len(plan.parts) < 2:
            break
        less = plan.without(part)
        met.run([(less, seed) for seed in seeds])
        whole = met.mean(_key(plan))
        if met.mean(_key(less)) >= whole - (1 - _ENOUGH) * abs(whole):
            plan = less
    return plan


def _key(plan: AttackPlan) -> str:
    return repr(plan.to_dict())


class _Met:
    """Attacks that were run, with their damage by seed."""

    def __init__(self, runs: Runs) -> None:
        self._runs = runs
        self.plans: dict[str, AttackPlan] = {}
        self._damages: dict[str, dict[int, float]] = {}

    def run(self, asked: Sequence[tuple[AttackPlan, int]]) -> None:
        """Runs what was not run before."""
        new: dict[tuple[str, int], AttackPlan] = {}
        for plan, seed in asked:
            key = _key(plan)
            self.plans.setdefault(key, plan)
            if seed not in self._damages.setdefault(key, {}):
                new[key, seed] = plan
        todo = [(plan, seed) for (_, seed), plan in new.items()]
        for (key, seed), damage in zip(new, self._runs(todo), strict=True):
            self._damages[key][seed] = damage

    def mean(self, key: str) -> float:
        """Mean damage over its seeds; −∞ if no run counts."""
        counted = [x for x in self._damages[key].values() if not math.isnan(x)]
        return sum(counted) / len(counted) if counted else -math.inf


@contextmanager
def _quiet() -> Iterator[None]:
    """Optuna neither logs its trials nor warns that multivariate sampling is experimental."""
    import optuna

    before: Any = optuna.logging.get_verbosity()
    optuna.logging.set_verbosity(optuna.logging.ERROR)
    try:
        with warnings.catch_warnings():
            warnings.simplefilter("ignore")
            yield
    finally:
        optuna.logging.set_verbosity(before)
