"""The best of many noisy strategies, with few runs.

Sequential halving (Karnin, Koren and Somekh, "Almost optimal exploration in multi-armed bandits",
ICML 2013): all strategies are run on the same few seeds, the better half on more. Then the
survivors' neighbourhood is searched the same way. Since all use the same seeds, differences have
less variance than values; but the best of many is biased upwards, so its gain is measured on other
seeds than those of its selection.
"""

from __future__ import annotations

import math
from collections.abc import Callable, Sequence
from dataclasses import dataclass

import numpy as np

from surgetank.attacker.strategies import Strategy, near

__all__ = ["Evaluate", "MeanGain", "RaceEffort", "estimate", "race"]

#: Standard deviation of neighbours' settings in each round; settings go from 0 to 1.
_RADII = (0.15, 0.05)

Evaluate = Callable[[Sequence[tuple[Strategy, int]]], Sequence[float]]
"""Gains of strategies on seeds; NaN where a run does not count."""


@dataclass(frozen=True)
class RaceEffort:
    """The number of runs spent on one kind of attack."""

    candidates: int = 12
    """Number of strategies in the first round."""
    seeds: int = 2
    """Seeds per round; survivors keep their results and get as many further seeds."""
    keep: int = 3
    """One strategy in `keep` survives a round."""
    neighbours: int = 4
    """Number of neighbours drawn around each of the best two, twice, closer the second time."""

    @property
    def search_seeds(self) -> int:
        """The most seeds that strategies are chosen on."""
        return self.seeds * (self._rounds(self.candidates) + 2)

    @property
    def runs(self) -> int:
        """The most runs of one search: a neighbour that was run before is not drawn again."""
        alive, used, total = self.candidates, 0, 0
        while True:
            used += self.seeds
            total += alive * self.seeds
            alive = math.ceil(alive / self.keep)
            if self.is_enough(alive, used, self.search_seeds):
                break
        alive = min(alive, 2)
        for _ in _RADII:
            more = min(self.search_seeds, used + self.seeds) - used
            used += more
            total += alive * more + alive * self.neighbours * used
            alive = 2
        return total

    def is_enough(self, alive: int, used: int, seeds: int) -> bool:
        """Whether the rounds end, because seeds for another one and for the neighbours would not
        suffice."""
        return alive <= 2 or used + (1 + len(_RADII)) * self.seeds > seeds

    def _rounds(self, count: int) -> int:
        return max(1, math.ceil(math.log(max(count, 2)) / math.log(self.keep)))


def race(
    first: Sequence[Strategy],
    evaluate: Evaluate,
    seeds: Sequence[int],
    effort: RaceEffort,
    draw: int,
) -> tuple[Strategy, float]:
    """The best strategy found and its mean gain (USD) on the seeds of the search, which the
    selection biases upwards.

    `seeds` are those of the search, `effort.search_seeds` at least; `draw` seeds the neighbours.
    """
    met: dict[Strategy, list[float]] = {strategy: [] for strategy in first}
    used = 0

    def meet(strategies: Sequence[Strategy], until: int) -> None:
        """Runs each strategy on those of the first `until` seeds on which it has not been run."""
        asked = [(s, seed) for s in strategies for seed in seeds[len(met[s]) : until]]
        for (strategy, _), gain in zip(asked, evaluate(asked), strict=True):
            met[strategy].append(gain)

    alive = list(first)
    while True:
        used += effort.seeds
        meet(alive, used)
        alive = _best(met, alive, math.ceil(len(alive) / effort.keep))
        if effort.is_enough(len(alive), used, len(seeds)):
            break
    alive = alive[:2]
    for turn, radius in enumerate(_RADII):
        fresh = [
            other
            for number, strategy in enumerate(alive)
            for other in near(strategy, effort.neighbours, radius, draw + 10 * turn + number)
            if other not in met
        ]
        met |= {strategy: [] for strategy in fresh}
        used = min(len(seeds), used + effort.seeds)
        meet([*alive, *fresh], used)
        alive = _best(met, [*alive, *fresh], 2)
    return alive[0], _mean(met[alive[0]])


def _best(
    met: dict[Strategy, list[float]], strategies: Sequence[Strategy], count: int
) -> list[Strategy]:
    return sorted(strategies, key=lambda s: -_mean(met[s]))[:count]


def _mean(gains: Sequence[float]) -> float:
    counted = [gain for gain in gains if not math.isnan(gain)]
    return sum(counted) / len(counted) if counted else -math.inf


@dataclass(frozen=True)
class MeanGain:
    """A mean with its interval."""

    mean: float
    low: float
    high: float
    n: int

    @property
    def pays(self) -> bool | None:
        """Whether the mean is above zero; None: too few seeds to decide."""
        if self.low > 0:
            return True
        return False if self.high <= 0 else None


def estimate(gains: Sequence[float], among: int) -> MeanGain:
    """The mean of runs that count, with Student's interval of level 1 − 0.05 / `among`.

    `among` such intervals hold simultaneously with 95 % (Bonferroni's inequality).
    """
    from scipy import stats  # slow to import

    counted = np.array([gain for gain in gains if not math.isnan(gain)])
    n = len(counted)
    if n < 2:
        mean = float(counted.mean()) if n else math.nan
        return MeanGain(mean, -math.inf, math.inf, n)
    mean = float(counted.mean())
    error = float(counted.std(ddof=1)) / math.sqrt(n)
    half = float(stats.t.ppf(1 - 0.025 / among, n - 1)) * error
    return MeanGain(mean, mean - half, mean + half, n)
