"""Hawkes processes drawn by their clusters, which is another way than the core's thinning."""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray


def hawkes_times(
    rate: float, branching: float, decay: float, span: float, seed: int
) -> NDArray[np.float64]:
    """Event times on [0, span) of a stationary process: immigrants, and their descendants,
    generation by generation (Hawkes and Oakes, *J. Appl. Prob.* 11, 1974). It is drawn from so long
    before 0 that what came earlier no longer counts."""
    draws = np.random.default_rng(seed)
    before = 20.0 / (decay * (1.0 - branching)) if branching > 0 else 0.0
    count = draws.poisson(rate * (1.0 - branching) * (span + before))
    born = draws.uniform(-before, span, count)
    found = [born]
    while len(born):
        children = draws.poisson(branching, len(born))
        born = np.repeat(born, children) + draws.exponential(1.0 / decay, int(children.sum()))
        born = born[born < span]
        found.append(born)
    times = np.sort(np.concatenate(found))
    return times[times >= 0]
