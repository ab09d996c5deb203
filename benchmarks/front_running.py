"""What a front-runner gains under each rule, and by which of its trades (docs/fairness.md).

    .venv/bin/python benchmarks/front_running.py [--seeds 24] [--json]

The venue of tests/support/venue_under_attack.py with five flooding nodes. A *sandwich* reads at
node 0 and sends what any client may; an *insider* is node 0, the leader. Interventions:
batches that give first come, first served the mean delay of `hash` (`fifo, 100 ms`) and of Themis
(`180 ms`); batches of one message (`…, 1 a block`); a price that stands still (`quiet …`: no quote
is ever stale).
"""

from __future__ import annotations

import argparse
import json
import sys
from concurrent.futures import ProcessPoolExecutor
from pathlib import Path
from typing import Any, Final

import numpy as np
import polars as pl
from scipy import stats

from surgetank.measure import measure
from surgetank.simulate import simulate
from surgetank.trace import MarketKind

sys.path.insert(0, str(Path(__file__).parents[1] / "tests/support"))
from venue_under_attack import venue, victims_of

FIVE: Final = {"network__nodes": 5, "layer__gossip__kind": "flood", "trace__receipts_every": 1}
QUIET: Final = {
    "market__price__path": {"kind": "gbm", "start_usd": 200.0, "volatility": 1e-6},
}
HASH: Final = {"layer__queue__rule": "hash", "layer__queue__seed": "beacon"}
THEMIS: Final = {"layer__queue__rule": "themis"}
ONE: Final = {"layer__consensus__block_messages_max": 1, "layer__consensus__window_ms": 1.0}
CASES: Final[dict[str, dict[str, Any]]] = {
    "fifo": {},
    "hash": HASH,
    "themis": THEMIS,
    "fifo, 100 ms": {"layer__consensus__window_ms": 100.0},
    "fifo, 180 ms": {"layer__consensus__window_ms": 180.0},
    "fifo, 1 a block": ONE,
    "hash, 1 a block": HASH | ONE,
    "quiet fifo": QUIET,
    "quiet hash": QUIET | HASH,
    "quiet themis": QUIET | THEMIS,
    "quiet fifo, 180 ms": QUIET | {"layer__consensus__window_ms": 180.0},
}


def one(task: tuple[str, str, int]) -> dict[str, Any]:
    """One run, and the attacker's edge by what it came from."""
    case, kind, seed = task
    trace = simulate(venue(**FIVE, **CASES[case], attack__kind=kind), seed=seed)
    measures, pairs = measure(trace), victims_of(trace)
    outside = pl.when(pl.col("kind") == MarketKind.INDEX).then(pl.col("price")).forward_fill()
    edge = pl.col("qty") * (outside - pl.col("price")) * trace.stats.quantum_usd
    first, count = trace.stats.accounts.attackers
    trades = (
        trace["market"]
        .sort("time_ns", maintain_order=True)
        .with_columns(edge=edge)
        .filter(pl.col("kind") == MarketKind.TRADE)
    )
    takes = trades.filter(pl.col("account").is_between(first, first + count, closed="left"))
    makes = trades.filter(pl.col("other").is_between(first, first + count, closed="left"))
    by_victim = pl.col("message").is_in(pairs["victim"].implode())
    both = pairs.filter(pl.col("front").is_not_null() & pl.col("at").is_not_null())
    return {
        "case": case,
        "kind": kind,
        "seed": seed,
        "gain": measures["attacker_gain_usd"].value,
        "front": float(takes["edge"].sum()),
        "victims": -float(makes.filter(by_victim)["edge"].sum()),
        "passers_by": -float(makes.filter(~by_victim)["edge"].sum()),
        "before": float((both["front"] < both["at"]).to_numpy().mean()) if both.height else 0.0,
        "orders": both.height,
        "delay": measures["delay_mean_ms"].value,
        "breaks": 0 if trace.stats.fair is None else trace.stats.fair.order_breaks,
    }


#: What each case is held against, seed by seed: what differs is named by the table's first column.
AGAINST: Final = {
    "hash": ("fifo", "fifo, 100 ms"),
    "themis": ("fifo", "fifo, 180 ms"),
    "quiet hash": ("quiet fifo", None),
    "quiet themis": ("quiet fifo", "quiet fifo, 180 ms"),
}


def half(values: np.ndarray[Any, np.dtype[np.float64]]) -> float:
    """Half of the 95 % interval of a mean."""
    n = len(values)
    return float(stats.t.ppf(0.975, n - 1) * values.std(ddof=1) / np.sqrt(n))


def main() -> None:
    """Plays all and prints the table."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--seeds", type=int, default=16)
    parser.add_argument("--workers", type=int, default=2)
    parser.add_argument("--json", action="store_true")
    asked = parser.parse_args()
    seeds = range(1, asked.seeds + 1)
    kinds = {case: ("sandwich", "insider") if "," not in case and "quiet" not in case else
             ("sandwich",) for case in CASES}  # fmt: skip
    tasks = [(case, kind, seed) for case in CASES for kind in kinds[case] for seed in seeds]
    with ProcessPoolExecutor(asked.workers) as pool:
        rows = pl.DataFrame(list(pool.map(one, tasks)))
    if asked.json:
        print(json.dumps(rows.to_dicts()))
        return
    columns = (
        "attack",
        "rule",
        "gain, USD",
        "less `fifo`",
        "less `fifo` as slow",
        "purchases",
        "sold to victims",
        "sold to others",
        "before its victim",
        "mean delay",
        "breaks",
    )
    print("| " + " | ".join(columns) + " |\n" + "|---" * len(columns) + "|")
    gains = {
        key: part["gain"].to_numpy()
        for key, part in rows.group_by("kind", "case", maintain_order=True)
    }
    for (kind, case), part in rows.group_by("kind", "case", maintain_order=True):
        gain = gains[kind, case]
        others = AGAINST.get(str(case), (None, None))
        less = [
            "" if (kind, other) not in gains else shown(gain - gains[kind, other], "+")
            for other in others
        ]
        mean = {c: float(part[c].to_numpy().mean()) for c in part.columns[3:]}
        cells = [kind, case, shown(gain), *less, *(f"{mean[c]:.0f}" for c in PARTS)]
        cells += [f"{mean['before']:.1%}", f"{mean['delay']:.0f} ms", f"{mean['breaks']:.0f}"]
        print("| " + " | ".join(map(str, cells)) + " |")


PARTS: Final = ("front", "victims", "passers_by")


def shown(values: np.ndarray[Any, np.dtype[np.float64]], sign: str = "") -> str:
    """Mean and half of its interval."""
    return f"{values.mean():{sign}.0f} ± {half(values):.0f}"


if __name__ == "__main__":
    main()
