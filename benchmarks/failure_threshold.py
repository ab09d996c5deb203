"""The failure threshold of four scenarios, by the search and by a plain sweep of loads and seeds.

    python benchmarks/failure_threshold.py [SCENARIO …]

Prints the table of docs/failure-threshold.md. Takes six minutes on two cores for all four.
"""

from __future__ import annotations

import statistics
import sys
from collections import Counter
from collections.abc import Sequence

import surgetank as st
from surgetank.measure import FailureKind
from surgetank.search.parameter import parameter
from surgetank.search.pool import pool_of
from surgetank.search.probe import RunOutcome, Task

SCENARIOS = ("calm", "black-thursday", "slow-proposer", "rollup-sequencer")
LEVELS, SEEDS = 8, 5
#: The sweep goes from 1/SPREAD to SPREAD times what the search found.
SPREAD = 2.0
#: What `limits.stale_after_ms` might be as well, s.
TOLERANCES = (2.0, 3.0, 5.0, 10.0)
#: Seeds that no search draws.
FIRST_SEED = 9_000


def sweep(
    name: str, middle: float, count: int = LEVELS, each: int = SEEDS
) -> list[tuple[float, list[RunOutcome]]]:
    """Every load with every seed; the loads in equal ratios around the middle."""
    scenario = st.load(name)
    load = parameter(scenario, "load")
    loads = [load.rounded(middle * SPREAD ** (2 * k / (count - 1) - 1)) for k in range(count)]
    seeds = range(FIRST_SEED, FIRST_SEED + each)
    tasks = [Task(load.at(scenario, level), level, seed) for level in loads for seed in seeds]
    with pool_of(None, 2, None) as pool:
        found = pool.all(tasks)
    return [(level, found[i * each : (i + 1) * each]) for i, level in enumerate(loads)]


def bracket(rows: Sequence[tuple[float, list[RunOutcome]]]) -> tuple[float, float]:
    """The last load below which no majority failed, and the first from which on one always did."""
    failed = [2 * sum(bool(o.failures) for o in runs) > len(runs) for _, runs in rows]
    first = failed.index(True) if True in failed else len(rows)
    last = len(rows) - 1 - failed[::-1].index(False) if False in failed else -1
    low = rows[first - 1][0] if first else 0.0
    high = rows[last + 1][0] if last + 1 < len(rows) else float("inf")
    return low, high


def kinds(runs: Sequence[RunOutcome]) -> str:
    """The kinds that came first, with their numbers of runs."""
    first: Counter[FailureKind] = Counter(o.failures[0] for o in runs if o.failures)
    return ", ".join(f"{kind} {n}" for kind, n in first.most_common()) or "–"


def oldest_ms(run: RunOutcome) -> float:
    """The oldest that the executed state ever was, in classes that are sent all the time."""
    ages = [
        run.values.get(f"state_age_max_ms.{name}") for name in ("price-update", "cancel", "order")
    ]
    return max((age for age in ages if age is not None), default=0.0)


def tolerated(rows: Sequence[tuple[float, list[RunOutcome]]]) -> str:
    """Between which loads most runs begin to be stale, at each tolerance."""
    found = []
    for after_s in TOLERANCES:
        stale = [
            2 * sum(oldest_ms(o) > 1e3 * after_s for o in runs) > len(runs) for _, runs in rows
        ]
        loads = [f"{level:.4g}" for level, _ in rows]
        first = stale.index(True) if True in stale else len(rows)
        low = loads[first - 1] if first else f"below {loads[0]}"
        high = loads[first] if first < len(rows) else "more"
        found.append(f"{after_s:g} s: {low} to {high}")
    return "; ".join(found)


def main(names: Sequence[str]) -> None:
    """Both ways, scenario by scenario."""
    for name in names:
        answer = st.search(
            name,
            "failure-threshold",
            precision=0.1,
            runs_max=80,
            workers=2,
            try_remedies=False,
        )
        said = [str(f.kind) + f" {f.first}/{f.runs}" for f in answer.failures]
        print(f"\n### {name}\n")
        print(f"Search: {answer.status}, {answer.estimate} ({answer.ci_low} to {answer.ci_high})")
        print(f"{answer.runs} runs; first kinds: {', '.join(said)}. {answer.why}", flush=True)
        if answer.estimate is None or answer.ci_low is None or answer.ci_high is None:
            continue
        rows = sweep(name, answer.estimate)
        low, high = bracket(rows)
        agree = answer.ci_low <= high and low <= answer.ci_high
        print(f"Sweep: between {low:g} and {high:g}: {'agrees' if agree else 'DISAGREES'}\n")
        print("| load, messages/s | " + " | ".join(f"{level:.4g}" for level, _ in rows) + " |")
        print("|---|" + "---|" * len(rows))
        counts = [f"{sum(bool(o.failures) for o in runs)} of {SEEDS}" for _, runs in rows]
        print("| failed | " + " | ".join(counts) + " |")
        print("| first kind | " + " | ".join(kinds(runs) for _, runs in rows) + " |")
        ages = [f"{statistics.median(oldest_ms(o) for o in runs) / 1e3:.3g}" for _, runs in rows]
        print("| oldest state, s, median | " + " | ".join(ages) + " |")
        print(
            f"\nThreshold of staleness for other `stale_after_ms`: {tolerated(rows)}.", flush=True
        )


if __name__ == "__main__":
    main(sys.argv[1:] or SCENARIOS)
