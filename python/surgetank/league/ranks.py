"""Which entrants differ significantly, and the ranks that are possible for each.

Every pair of entrants is compared seed by seed, and the p-values of all pairs are corrected for
their number by Holm's step-down method (Scandinavian Journal of Statistics 6, 1979), which keeps
the probability of any false positive at 5 % whatever the dependence between pairs. An entrant's
ranks run from 1 + the number of significantly better entrants to the number not significantly
worse; the true rank lies within for all of them together (Al Mohamad, Goeman and van Zwet,
Statistics and Computing 32, 2022).

A pair is compared by the paired t-test. Where a difference is infinite, or all are the same, that
test is undefined and the exact sign test is used: it cannot be significant with fewer than six
seeds, nor, of many pairs, by fewer than 1 + log₂(pairs/0.05).
"""

from __future__ import annotations

import math
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Final

__all__ = ["ALPHA", "Pair", "Ranks", "holm", "pair_of", "ranks_of"]

ALPHA: Final = 0.05
"""Familywise error rate: probability that any pair of a league differs by chance alone."""

_POWER: Final = 0.8
_SEEDS_MAX: Final = 1_000


@dataclass(frozen=True)
class Pair:
    """Two entrants compared: how much worse the second is, seed by seed."""

    differences: tuple[float, ...]
    p: float
    """Two-sided p-value, not corrected; 1 if the test is undefined."""
    sign: int
    """1: the second is worse; −1: better; 0: neither."""

    @property
    def _by_sign(self) -> bool:
        d = self.differences
        return any(map(math.isinf, d)) or len(set(d)) == 1

    def seeds_needed(self, pairs: int) -> int | None:
        """Number of seeds that would separate these two among so many pairs with power 0.8, if the
        true difference is the one observed; None if more than 1,000, or if it is undefined."""
        from scipy import special, stats  # slow to import

        d, alpha = self.differences, ALPHA / pairs
        if not self.sign or len(d) < 2:
            return None
        if self._by_sign:
            worse = sum(x > 0 for x in d) if self.sign > 0 else sum(x < 0 for x in d)
            share = (worse + 0.5) / (len(d) + 1)
            for n in range(len(d), _SEEDS_MAX + 1):
                allowed = int(stats.binom.ppf(alpha / 2, n, 0.5)) - 1
                if allowed >= 0 and special.bdtr(allowed, n, 1 - share) >= _POWER:
                    return n
            return None
        mean, sd = _moments(d)
        for n in range(2, _SEEDS_MAX + 1):
            critical = special.stdtrit(n - 1, 1 - alpha / 2)
            if 1 - special.nctdtr(n - 1, abs(mean) / sd * math.sqrt(n), critical) >= _POWER:
                return n
        return None


@dataclass(frozen=True)
class Ranks:
    """The possible ranks of each entrant."""

    best: Mapping[str, int]
    """The best possible rank of each, from 1."""
    worst: Mapping[str, int]
    significant: frozenset[tuple[str, str]]
    """Pairs that differ significantly, the better one first."""

    def differ(self, a: str, b: str) -> bool:
        """Whether two entrants differ significantly."""
        return (a, b) in self.significant or (b, a) in self.significant


def pair_of(differences: Sequence[float]) -> Pair:
    """Compares two entrants by their differences, one per seed."""
    from scipy import special  # slow to import

    d = tuple(x for x in differences if not math.isnan(x))
    if len(d) < 2 or not any(d):
        return Pair(d, 1.0, 0)
    plus, minus = sum(x > 0 for x in d), sum(x < 0 for x in d)
    if any(map(math.isinf, d)) or len(set(d)) == 1:
        p = min(1.0, 2 * float(special.bdtr(min(plus, minus), plus + minus, 0.5)))
        return Pair(d, p, (plus > minus) - (plus < minus))
    mean, sd = _moments(d)
    t = abs(mean) / sd * math.sqrt(len(d))
    return Pair(d, 2 * float(special.stdtr(len(d) - 1, -t)), (mean > 0) - (mean < 0))


def holm(p_values: Sequence[float]) -> list[float]:
    """p-values corrected for their number, in the order given."""
    order = sorted(range(len(p_values)), key=lambda i: p_values[i])
    adjusted, highest = [1.0] * len(p_values), 0.0
    for step, i in enumerate(order):
        highest = max(highest, min(1.0, (len(order) - step) * p_values[i]))
        adjusted[i] = highest
    return adjusted


def ranks_of(names: Sequence[str], pairs: Mapping[tuple[str, str], Pair]) -> Ranks:
    """The possible ranks of each of these names, from pairwise comparisons."""
    keys = list(pairs)
    corrected = holm([pairs[key].p for key in keys])
    significant = set()
    for (a, b), p in zip(keys, corrected, strict=True):
        if p <= ALPHA and pairs[a, b].sign:
            significant.add((a, b) if pairs[a, b].sign > 0 else (b, a))
    best = {name: 1 + sum(loser == name for _, loser in significant) for name in names}
    worst = {name: len(names) - sum(winner == name for winner, _ in significant) for name in names}
    return Ranks(best, worst, frozenset(significant))


def _moments(d: Sequence[float]) -> tuple[float, float]:
    mean = math.fsum(d) / len(d)
    return mean, math.sqrt(math.fsum((x - mean) ** 2 for x in d) / (len(d) - 1))
