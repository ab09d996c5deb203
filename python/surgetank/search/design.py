"""Choice of the level of the next run.

Run i is placed by the runs before i − LOOKAHEAD + 1, however many have finished by then. So up to
LOOKAHEAD runs can be in progress at once, and the levels and the answer do not depend on the number
of workers or on the order in which runs finish.

Levels are quantiles of θ's posterior, taken in van der Corput's order, and moved in turn by ∓1.1/β:
while θ is uncertain they spread over where it may be; once it is known better than the width of the
transition they straddle it, at P ≈ .25 and .75 for a target of .5, which determines both θ and β
(the D-optimal levels of a logistic are .18 and .82: Wu, JASA 80, 1985).

Where each liquidation is a trial, a run may have none. Such a level says nothing, and is not played
again.
"""

from __future__ import annotations

import math
from collections.abc import Sequence
from typing import Final

from surgetank.search.posterior import Posterior, Trial

__all__ = ["LOOKAHEAD", "place"]

LOOKAHEAD: Final = 8
"""Runs that may be in progress at once."""
_OFFSET: Final = 1.1


def place(
    posterior: Posterior, index: int, low: float, high: float, trials: Sequence[Trial] = ()
) -> float:
    """Level u of the refining run `index` (0, 1, …), inside [low, high], and above levels without
    trials."""
    u = posterior.quantile(0.025 + 0.95 * _van_der_corput(index + 1))
    side = 1 if index % 2 else -1
    left, right = posterior.interval()
    u = min(high, max(low, u + side * _OFFSET * min(posterior.width, right - left)))
    least = min((t.u for t in trials if t.trials > 0), default=low)
    silent = max((t.u for t in trials if t.trials == 0 and t.u < least), default=-math.inf)
    # Between the highest of them and the lowest that had trials.
    return u if u > silent else silent + (least - silent) * _van_der_corput(index + 1)


def _van_der_corput(n: int) -> float:
    """The n-th number of van der Corput's sequence in base 2: n's digits mirrored at the point."""
    value, weight = 0.0, 0.5
    while n:
        value += weight * (n % 2)
        n //= 2
        weight /= 2
    return value
