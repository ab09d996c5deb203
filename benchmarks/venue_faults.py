"""What faults of a real venue cost its clients: one fall of the price, seed by seed.

    python benchmarks/venue_faults.py [SEEDS]

A venue of `surgetank serve` on loopback, 8 s of the scenario `calm` at 100 messages a second with a
fall of 3 % within 4 s, without a fault and with each: every seed plays all of them, so that the
differences are the faults'. Liquidations are late after 1.5 s. Means over the seeds with Student's
95 % intervals; in the line without a fault of the values themselves, below it of the differences
from it. One run at a time; those whose generator did not keep its schedule are counted.
"""

from __future__ import annotations

import sys
from typing import Any, Final

import numpy as np
from scipy import stats

import surgetank as st
from surgetank.run import Result
from surgetank.trace import Outcome

TIMES: Final = {"at_s": 3.0, "duration_s": 2.0}
FAULTS: Final[dict[str, dict[str, Any]]] = {
    "none": {},
    "`crash`: kill -9, 2 s": {"kind": "crash", "nodes": [0]},
    "`crash` with `power_loss`, 2 s": {"kind": "crash", "nodes": [0], "power_loss": True},
    "`disconnect`, 2 s": {"kind": "disconnect"},
    "`stall`, 2 s": {"kind": "stall"},
    "`delay` of 300 ms, 2 s": {"kind": "delay", "extra_ms": 300.0},
    "`slow`, 1,000 times, 2 s": {"kind": "slow", "nodes": [0], "factor": 1000.0},
}
FALL: Final = {
    "duration_s": 8.0,
    "warmup_s": 1.0,
    "drain_s": 4.0,
    "flow.arrivals.rate_per_s": 100.0,
    "market.price.path": {
        "kind": "points",
        "at_s": [0.0, 2.0, 6.0, 8.0],
        "price_usd": [60_000.0, 60_000.0, 58_200.0, 58_200.0],
    },
    "market.margin.late_after_ms": 1500.0,
}
COLUMNS: Final = ("p50, ms", "p99, ms", "late liquidations", "bad debt, $")


def played(fault: dict[str, Any], seed: int) -> Result:
    """One run."""
    scenario = st.load("calm").with_values(FALL | {"faults": [fault | TIMES] if fault else []})
    return st.run(scenario, seed=seed, target="venue:")


def numbers(result: Result) -> list[float]:
    """The columns of a run; latency to the execution that clients can see."""
    rows = result.trace["messages"]
    rows = rows.filter(rows["outcome"] == Outcome.EXECUTED)
    delay_ms = (rows["confirmed_ns"] - rows["created_ns"]).to_numpy() / 1e6
    measures = [result.measures[name].value for name in ("late_liquidations", "bad_debt_usd")]
    return [*np.quantile(delay_ms, [0.5, 0.99]).tolist(), *(float(one or 0.0) for one in measures)]


def short(value: float, sign: str = "") -> str:
    """Three digits, without an exponent."""
    rounded = float(f"{value:.3g}")
    return format(rounded, f"{sign},.0f" if abs(rounded) >= 100 else f"{sign}.3g")


def interval(values: np.ndarray, sign: str) -> str:
    """Mean and half of the interval."""
    half = stats.t.ppf(0.975, len(values) - 1) * values.std(ddof=1) / np.sqrt(len(values))
    return f"{short(values.mean(), sign)} ± {short(half)}"


def table(found: dict[str, list[list[float]]]) -> str:
    """The table of all runs, by fault and seed."""
    usual = np.array(found["none"])
    lines = [f"| fault | {' | '.join(COLUMNS)} |", f"|---|{'---|' * len(COLUMNS)}"]
    for name, rows in found.items():
        is_usual = name == "none"
        values = np.array(rows) - (0 if is_usual else usual)
        cells = [interval(column, "" if is_usual else "+") for column in values.T]
        lines.append(f"| {name} | {' | '.join(cells)} |")
    return "\n".join(lines)


def main() -> None:
    """Prints the table."""
    seeds = range(1, int(sys.argv[1]) + 1 if len(sys.argv) > 1 else 6)
    found: dict[str, list[list[float]]] = {name: [] for name in FAULTS}
    late = 0
    for seed in seeds:
        for name, fault in FAULTS.items():
            result = played(fault, seed)
            live = result.trace.stats.live
            assert live is not None
            late += live.lateness_p99_ns > live.lateness_p99_max_ns
            found[name].append(numbers(result))
            print(seed, name, found[name][-1], file=sys.stderr, flush=True)
    print(table(found))
    print(
        f"\n{len(seeds)} seeds; in {late} of {len(seeds) * len(FAULTS)} runs the generator was late"
    )


if __name__ == "__main__":
    main()
