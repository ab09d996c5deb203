"""What is charged beside what an intervention gains, on the shipped scenarios.

Each resource in turn is made free, and twice as slow, with the same seeds; the change of mean and
p99 delay stands beside the share of the delay that is charged to it. The table of
docs/attribution.md:

    python benchmarks/attribution.py --seeds 2 --out docs/attribution-table.md
"""

from __future__ import annotations

import argparse
from collections.abc import Sequence
from pathlib import Path
from typing import Final

from surgetank.explain.interventions import FREE, SLOWER
from surgetank.explain.paired import Effect, Gain, begin, effects, observe
from surgetank.scenario import load
from surgetank.search.pool import Journal, Pool, processes

SCENARIOS: Final = (
    "black-thursday",
    "burst",
    "calm",
    "cancel-storm",
    "options-crash",
    "partition",
    "rollup-sequencer",
    "slow-proposer",
)
#: Resources of which neither the share nor any gain reaches this are left out.
_SHOWN: Final = 0.02


def main() -> None:
    """Runs the interventions and writes the table."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--scenarios", nargs="+", default=SCENARIOS)
    parser.add_argument("--seeds", type=int, default=2)
    parser.add_argument("--workers", type=int, default=1)
    parser.add_argument("--journal", type=Path, help="finished runs, to go on with")
    parser.add_argument("--out", type=Path)
    asked = parser.parse_args()
    pool = Pool(lambda: processes(asked.workers), Journal(asked.journal), work=observe)
    lines = ["| scenario | resource | charged | free: mean | p99 | twice as slow: mean | p99 |"]
    lines += ["|---|---|---|---|---|---|---|"]
    for name in asked.scenarios:
        seeds = range(load(name).seed, load(name).seed + asked.seeds)
        found = list(effects(*begin(pool, load(name), seeds, (FREE, SLOWER))))
        lines += _rows(name, found)
        print("\n".join(_rows(name, found)), flush=True)
        if asked.out:
            asked.out.write_text("\n".join(lines) + "\n")
    pool.close()


def _rows(name: str, found: Sequence[Effect]) -> list[str]:
    by = {(effect.resource, effect.factor): effect for effect in found}
    resources = dict.fromkeys(effect.resource for effect in found)
    rows = []
    for resource in sorted(resources, key=lambda r: -by[r, FREE].share if (r, FREE) in by else 0):
        pair = [by.get((resource, factor)) for factor in (FREE, SLOWER)]
        known = [effect for effect in pair if effect]
        gains = [g.value for effect in known for g in effect.gains.values() if g]
        if max([abs(g) for g in gains] + [known[0].share]) < _SHOWN:
            continue
        cells = [
            _cell(None if effect is None else effect.gains[of])
            for effect in pair
            for of in ("mean", "p99")
        ]
        rows.append(f"| {name} | {resource} | {known[0].share:.1%} | {' | '.join(cells)} |")
    return rows


def _cell(gain: Gain | None) -> str:
    """The change of the delay, in percent."""
    return "" if gain is None else f"{-gain.value:+.0%}".replace("-", "−")


if __name__ == "__main__":
    main()
