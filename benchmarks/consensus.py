"""Engines of consensus under faults and attacks in a crash (docs/consensus.md).

Usage: python benchmarks/consensus.py [SEEDS]

`black-thursday` with each engine as its section begins; the fault or attack lasts from second 16 to
46, while prices fall. A cell has the blocks decided in that time, at the median, and what the
venue loses: bad debt, and what accounts still owe at the end, in thousands of USD, mean and 95 %
interval. All engines have the same seeds.
"""

from __future__ import annotations

import os
import sys
from collections.abc import Mapping, Sequence
from concurrent.futures import ProcessPoolExecutor
from functools import partial
from typing import Any, NamedTuple

import numpy as np
import polars as pl

import surgetank as st
from surgetank.attacker.race import estimate
from surgetank.measure.bad_debt import unbooked_usd

ENGINES = ("tendermint", "hotstuff", "simplex", "bullshark", "tusk")
BEGIN_S, LENGTH_S = 16.0, 30.0
WHEN = {"at_s": BEGIN_S, "duration_s": LENGTH_S}
#: Fewer than a third of the 21 validators, spread over the regions.
SIX = [1, 4, 8, 11, 15, 18]


def in_turn() -> list[dict[str, Any]]:
    """One node cut off at any time, another each second."""
    slots = range(round(LENGTH_S))
    slot = {"kind": "partition", "duration_s": 1.0}
    return [slot | {"groups": [[k % 21]], "at_s": BEGIN_S + k} for k in slots]


CONDITIONS: Mapping[str, Mapping[str, Any]] = {
    "none": {},
    "six validators down": {"faults": [{"kind": "crash", "nodes": SIX} | WHEN]},
    "packets of six 1 s late": {
        "faults": [{"kind": "delay", "nodes": SIX, "extra_ms": 1_000.0} | WHEN]
    },
    "5 % of packets lost": {
        "faults": [{"kind": "loss", "nodes": list(range(21)), "probability": 0.05} | WHEN]
    },
    "one cut off at a time, in turn": {"faults": in_turn()},
    "whoever leads, 5 s late": {"faults": [{"kind": "leader-delay", "extra_ms": 5_000.0} | WHEN]},
    "whoever leads, cut off": {"faults": [{"kind": "leader-partition"} | WHEN]},
    "six equivocate": {"attack": {"kind": "equivocate", "nodes": SIX} | WHEN},
    "six withhold votes": {"attack": {"kind": "withhold-votes", "nodes": SIX} | WHEN},
    "seven withhold votes": {"attack": {"kind": "withhold-votes", "nodes": [*SIX, 20]} | WHEN},
}


class Ended(NamedTuple):
    """What a run came to: blocks decided under the fault, loss in USD, and whether nodes agree."""

    blocks: int
    loss_usd: float
    safe: bool


def ran(engine: str, condition: str, seed: int) -> Ended:
    """One run. Tendermint has the scenario's own section; the scenario's faults, which slow small
    machines down, are in every run."""
    scenario = st.load("black-thursday")
    changes = dict(CONDITIONS[condition])
    own = [fault.model_dump(by_alias=True) for fault in scenario.faults]
    changes["faults"] = [*own, *changes.get("faults", [])]
    if engine != "tendermint":
        changes["layer.consensus"] = {"kind": engine}
    result = st.run(scenario.with_values(changes), seed=seed)
    decided_s = result.trace["blocks"].select(pl.col("decided_ns") / 1e9).to_series()
    inside = int(decided_s.is_between(BEGIN_S + 1.0, BEGIN_S + LENGTH_S).sum())
    loss = (result.measures["bad_debt_usd"].value or 0.0) + unbooked_usd(result.trace)
    return Ended(inside, loss, bool(result.trace.stats.safety))


def cell(runs: Sequence[Ended]) -> str:
    """Median of the blocks, and the mean loss with its interval."""
    loss = estimate([run.loss_usd / 1e3 for run in runs], 1)
    blocks = np.median([run.blocks for run in runs])
    forked = sum(not run.safe for run in runs)
    text = f"{blocks:.0f}; ${loss.mean:,.0f} k ({loss.low:,.0f} to {loss.high:,.0f})"
    return text + (f"; {forked} forks" if forked else "")


def main(seeds: int) -> None:
    """Prints the table, a row a condition."""
    print(f"| fault or attack | {' | '.join(ENGINES)} |")
    print("|---|" + "---:|" * len(ENGINES))
    with ProcessPoolExecutor(os.cpu_count()) as pool:
        for condition in CONDITIONS:
            row = []
            for engine in ENGINES:
                runs = pool.map(partial(ran, engine, condition), range(1, seeds + 1))
                row.append(cell(list(runs)))
            print(f"| {condition} | {' | '.join(row)} |", flush=True)


if __name__ == "__main__":
    main(int(sys.argv[1]) if len(sys.argv) > 1 else 12)
