"""Choice of the level of the next run.

Run i is placed by the runs before i − LOOKAHEAD + 1, however many have finished by then. So up to
LOOKAHEAD runs can be in progress at once, and the levels and the answer do not depend on the number
of workers or on the order in which runs finish.

Levels are quantiles of θ's posterior, taken in van der Corput's order, and moved in turn by ∓1.1/β:
while θ is uncertain they spread over where it may be; once it is known better than the width of the
transition they straddle it, at P ≈ .25 and .75 for a target of .5, which determines both θ and β
(the D-optimal levels of a logistic are .18 and .82: Wu, JASA 80, 1985).

Where each liquidation is a trial, a run may have none. Such a level says nothing, and is not played
again: see `heard`.
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import Final

from surgetank.search.posterior import Posterior, Trial

__all__ = ["LOOKAHEAD", "heard", "place"]

LOOKAHEAD: Final = 8
"""Runs that may be in progress at once."""
_OFFSET: Final = 1.1


def place(posterior: Posterior, index: int, low: float, high: float) -> float:
    """Level u of the refining run `index` (0, 1, …), inside [low, high]."""
    u = posterior.quantile(0.025 + 0.95 * _van_der_corput(index + 1))
    side = 1 if index % 2 else -1
    left, right = posterior.interval()
    return min(high, max(low, u + side * _OFFSET * min(posterior.width, right - left)))


def heard(u: float, index: int, trials: Sequence[Trial]) -> float:
    """The level of the refining run `index`, above those whose runs had no trials: `u`, or a level
    between the highest of them and the lowest that had trials."""
    least = min((t.u for t in trials if t.trials > 0), default=None)
    if least is None:
        return u
    silent = max((t.u for t in trials if t.trials == 0 and t.u < least), default=None)
    if silent is None or u > silent:
        return u
    return silent + (least - silent) * _van_der_corput(index + 1)


def _van_der_corput(n: int) -> float:
    """The n-th number of van der Corput's sequence in base 2: n's digits mirrored at the point."""
    value, weight = 0.0, 0.5
    while n:
        value += weight * (n % 2)
        n //= 2
        weight /= 2
    return value
