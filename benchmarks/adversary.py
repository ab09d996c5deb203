"""The search for the worst attack against a random search of as many attacks (docs/adversary.md).

Usage: python benchmarks/adversary.py [SCENARIO] [REPEATS]

Both try the textbook's attacks first, run each attack on the same two seeds, halve the finalists
alike, and are measured on the same fresh seeds: the difference is who proposes, Optuna's
tree-structured Parzen estimator or chance.
"""

from __future__ import annotations

import sys

from surgetank.adversary import AdversaryBudget, SearchEffort, worst_attack
from surgetank.attacker.race import estimate
from surgetank.scenario import load

TRIALS = 40
FRESH = 8


def main(name: str, repeats: int) -> None:
    """Prints a row a repeat, and the mean difference with its interval."""
    scenario = load(name)
    budget = AdversaryBudget.of(scenario)
    print(f"| repeat | proposed, {TRIALS} attacks | random, {TRIALS} attacks | difference |")
    print("|---|---:|---:|---:|")
    differences = []
    for repeat in range(repeats):
        damages = []
        for random in (10, TRIALS):
            effort = SearchEffort(trials=TRIALS, fresh=FRESH, random=random)
            found = worst_attack(scenario, budget, effort=effort, seed=1 + 100 * repeat)
            damages.append(found.damage.mean)
        differences.append(damages[0] - damages[1])
        row = " | ".join(f"{x:,.0f}" for x in (*damages, differences[-1]))
        print(f"| {repeat + 1} | {row} |", flush=True)
    mean = estimate(differences, 1)
    print(f"\nmean difference {mean.mean:,.0f} [{mean.low:,.0f}, {mean.high:,.0f}]")


if __name__ == "__main__":
    given = sys.argv[1:]
    main(given[0] if given else "black-thursday", int(given[1]) if len(given) > 1 else 6)
