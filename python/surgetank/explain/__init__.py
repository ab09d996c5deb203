"""Sensitivity of latency to each resource, measured seed by seed by making it faster or free.

The share of latency shows what messages waited for; only an intervention shows the gain from
relieving a resource.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from pathlib import Path
from typing import Final

from surgetank.errors import SurgetankError
from surgetank.explain.explanation import Explanation, explanation_of
from surgetank.explain.interventions import FASTER, FREE
from surgetank.explain.paired import begin, effects, observe
from surgetank.native import build
from surgetank.scenario import Scenario
from surgetank.search.pool import pool_of

__all__ = ["Explanation", "explain"]

#: The most seeds: more would take days for any scenario.
SEEDS_MAX: Final = 10_000


def explain(
    scenario: Scenario,
    *,
    seed: int | None = None,
    seeds: int = 5,
    by: str = "mean",
    free: bool = False,
    workers: int | None = None,
    journal: Path | None = None,
    progress: Callable[[int, int], None] | None = None,
) -> Explanation:
    """Makes every resource twice as fast in turn (with `free`, also free) and names the largest
    gain.

    `seed` is the first of `seeds` seeds, the same for every intervention; `by` is the latency that
    decides, `mean` or `p99`. `progress` is called with runs done and to do. Finished runs are kept
    in `journal`, and found there again.

    Raises:
        SurgetankError: if the core cannot build the scenario, or there are too many seeds.
    """
    if not 1 <= seeds <= SEEDS_MAX:
        what = f"must lie between 1 and {SEEDS_MAX:,}"
        raise SurgetankError(what, place="--seeds", hint="5 usually do, 20 for small effects")
    first = scenario.seed if seed is None else seed
    numbers: Sequence[int] = range(first, first + seeds)
    factors = (FASTER, FREE) if free else (FASTER,)
    with pool_of(None, workers, journal, observe) as pool:
        base, tried = begin(pool, scenario, numbers, factors)
        running = [*base, *(run for one in tried for run in one.runs)]
        for done, run in enumerate(running, start=1):
            run.result()
            if progress is not None:
                progress(done, len(running))
        found = list(effects(base, tried))
        before = [run.result() for run in base]
    return explanation_of(scenario, build(), tuple(numbers), by, before, found)
