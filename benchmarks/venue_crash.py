"""Black Thursday, simulated and on a real venue, seed by seed.

    python benchmarks/venue_crash.py [SEEDS]

The simulated venue is the scenario's: validators around the world, six of them slow for 20 s. The
live one is a process of `surgetank serve` on loopback, slow in the same 20 s: 6 times, and 1,000
times, where it hardly runs. Means over the seeds with Student's 95 % intervals. One run at a time,
75 s each; those whose generator did not keep its schedule are counted.
"""

from __future__ import annotations

import sys
from typing import Any, Final

import numpy as np

import surgetank as st
from surgetank.run import Result
from venue_faults import interval

VENUES: Final[dict[str, dict[str, Any]]] = {
    "simulated": {},
    "live, 6 times slower": {"faults.0.nodes": [0]},
    "live, 1,000 times slower": {"faults.0.nodes": [0], "faults.0.factor": 1000.0},
}
ROWS: Final = {
    "p99 latency, ms": "delay_p99_ms",
    "liquidations late or overdue": "late_liquidations",
    "of the due, %": "late_share",
    "bad debt, $": "bad_debt_usd",
}


def played(venue: str, seed: int) -> Result:
    """One run."""
    scenario = st.load("black-thursday").with_values(VENUES[venue])
    return st.run(scenario, seed=seed, target=None if venue == "simulated" else "venue:")


def main() -> None:
    """Prints the table."""
    seeds = range(1, int(sys.argv[1]) + 1 if len(sys.argv) > 1 else 6)
    found: dict[str, list[list[float]]] = {venue: [] for venue in VENUES}
    late = 0
    for seed in seeds:
        for venue in VENUES:
            result = played(venue, seed)
            live = result.trace.stats.live
            late += live is not None and live.lateness_p99_ns > live.lateness_p99_max_ns
            values = [result.measures[name].value for name in ROWS.values()]
            found[venue].append([np.nan if one is None else float(one) for one in values])
            print(seed, venue, found[venue][-1], file=sys.stderr, flush=True)
    print(f"| | {' | '.join(VENUES)} |\n|---|{'---|' * len(VENUES)}")
    for index, row in enumerate(ROWS):
        cells = [interval(np.array(values)[:, index], "") for values in found.values()]
        print(f"| {row} | {' | '.join(cells)} |")
    print(f"\n{len(seeds)} seeds; in {late} of {2 * len(seeds)} live runs the generator was late")


if __name__ == "__main__":
    main()
