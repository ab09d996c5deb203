"""What `surgetank compare` says of runs between which nothing was changed but the seed.

    python benchmarks/seed_noise.py [--seeds 24] [--groups 5] [SCENARIO …]

Each scenario is run with so many seeds. Every two runs are compared as one pair of runs is, and
random groups of runs as several seeds are; the truth is that nothing changed. Printed: how many
measures have a p-value, the share of those below 0.05, and the share of comparisons that name any
measure as changed by more than noise, which is to be 5 % at most.
"""

from __future__ import annotations

import argparse
import itertools
import random
from collections.abc import Iterable

import surgetank as st
from surgetank.compare.differences import Difference, adjusted, by_seed, of_two
from surgetank.measure import Measures, measure

_GROUPINGS = 200


def row(scenario: str, how: str, comparisons: Iterable[list[Difference]]) -> str:
    """A line of the table."""
    count = named = tested = below = 0
    for differences in comparisons:
        known = [one for one in adjusted(differences) if one.p is not None]
        count += 1
        tested += len(known)
        below += sum((one.p or 0.0) < 0.05 for one in known)
        named += any(one.exceeds_noise for one in known)
    per = tested / count
    cells = (scenario, how, f"{per:.0f}", f"{below / tested:.1%}", f"{named / count:.1%}")
    return f"| {' | '.join(cells)} |"


def main() -> None:
    """Command line."""
    form = argparse.RawDescriptionHelpFormatter
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=form)
    parser.add_argument("--seeds", type=int, default=24, metavar="N")
    parser.add_argument("--groups", type=int, default=5, metavar="N", help="runs of a group")
    parser.add_argument("scenario", nargs="*", default=["calm", "burst"])
    asked = parser.parse_args()
    print("| scenario | compared | measures with a p-value | of these p < 0.05 | any named |")
    print("|---|---|---:|---:|---:|")
    for name in asked.scenario:
        scenario = st.load(name)
        seeds = range(1, asked.seeds + 1)
        runs = [measure(st.simulate(scenario, seed=seed)) for seed in seeds]
        names = list(runs[0])
        pairs = itertools.combinations(runs, 2)
        print(row(name, "two runs", (_of_runs(names, a, b) for a, b in pairs)))
        draw = random.Random(1)
        drawn = (draw.sample(runs, 2 * asked.groups) for _ in range(_GROUPINGS))
        groups = ((chosen[: asked.groups], chosen[asked.groups :]) for chosen in drawn)
        found = (_of_groups(names, a, b) for a, b in groups)
        print(row(name, f"{asked.groups} seeds", found), flush=True)


def _of_runs(names: list[str], a: Measures, b: Measures) -> list[Difference]:
    return [of_two(name, a.get(name), b.get(name)) for name in names]


def _of_groups(names: list[str], a: list[Measures], b: list[Measures]) -> list[Difference]:
    return [by_seed(name, a, b) for name in names]


if __name__ == "__main__":
    main()
