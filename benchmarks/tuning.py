"""Tuned queues against every fixed setting, over the lab's scenarios.

    .venv/bin/python -P benchmarks/tuning.py [--seeds 3] [--jobs 2] [--json FILE] [SCENARIO ...]

-P, because benchmarks/queue.py would hide the standard library's `queue`.

For each scenario: batch size (a quarter of, as, four times the scenario's) × admission limit (200,
1,000, 5,000), fixed, nine in all; and each controller, started from the scenario's batch size and
the largest limit, with the hull of the nine as its bounds. Windows and lanes are not touched. Seeds
are the same for all.

Loss of a run, less is better, stated before any run was made:

    p99 delay of cancels and liquidation orders, seconds
    + 10 · share of clients' messages that were not executed
    + (bad debt + uncovered loss) / 100,000 USD

A message that was not executed by the end counts with the delay until then; one that was refused
counts as not executed.
"""

from __future__ import annotations

import argparse
import json
import math
import sys
from collections.abc import Iterable
from concurrent.futures import ThreadPoolExecutor
from dataclasses import asdict, dataclass
from itertools import product
from pathlib import Path
from statistics import fmean

import polars as pl

import surgetank as st
from surgetank.trace import CLASSES, MARKET_KINDS

SCENARIOS = (
    "black-thursday",
    "burst",
    "calm",
    "cancel-storm",
    "partition",
    "slow-proposer",
    "rollup-sequencer",
)
CONTROLLERS = ("sojourn", "gradient2", "learned")
LIMITS = (200, 1_000, 5_000)
ESSENTIAL = [CLASSES.index("cancel"), CLASSES.index("liquidation-order")]
CLIENTS = 5


@dataclass(frozen=True)
class Row:
    """One run."""

    scenario: str
    setting: str
    seed: int
    loss: float
    p99_s: float
    not_executed: float
    debt_usd: float
    decisions: int


def batches(scenario: st.Scenario) -> tuple[int, int, int]:
    """A quarter of the scenario's batch size, it, and four times it."""
    size = scenario.layer.consensus.block_messages_max  # type: ignore[union-attr]
    return max(1, size // 4), size, 4 * size


def fixed(name: str, batch: int, limit: int) -> st.Scenario:
    """A scenario with one of the nine fixed settings."""
    values = {"layer.consensus.block_messages_max": batch, "layer.admission.limit": limit}
    return st.load(name).with_values(values)


def tuned(name: str, controller: str) -> st.Scenario:
    """A scenario with a controller inside the hull of the nine."""
    scenario = st.load(name)
    least, _, most = batches(scenario)
    window_ms = getattr(scenario.layer.consensus, "window_ms", 0.0)
    bounds = {
        "batch_least": least,
        "batch_most": most,
        "window_least_ms": window_ms,
        "window_most_ms": window_ms,
        "limit_least": LIMITS[0],
        "limit_most": LIMITS[-1],
    }
    values = {f"layer.tuning.bounds.{key}": value for key, value in bounds.items()}
    return scenario.with_values(values | {"layer.tuning.controller": controller})


def measured(name: str, setting: str, scenario: st.Scenario, seed: int) -> Row:
    """One run and its loss."""
    trace = st.simulate(scenario, seed=seed)
    messages = trace["messages"].filter(
        (pl.col("class") < CLIENTS)
        & pl.col("created_ns").is_between(trace.measured_from_ns, trace.flow_end_ns)
    )
    essential = messages.filter(pl.col("class").is_in(ESSENTIAL))
    end = pl.col("executed_ns").fill_null(trace.end_ns)
    waits = essential.select((end.cast(pl.Int64) - pl.col("created_ns").cast(pl.Int64)) / 1e9)
    p99 = waits.to_series().quantile(0.99, "nearest") if waits.height else 0.0
    p99_s = float(p99 or 0.0)
    done = float((messages["outcome"] == 1).mean() or 0.0)  # type: ignore[arg-type]
    debts = trace["market"].filter(pl.col("kind") == MARKET_KINDS.index("bad-debt"))["amount"]
    debt = abs(float(debts.sum())) * trace.stats["quantum_usd"] + trace.stats["uncovered_usd"]
    loss = p99_s + 10 * (1 - done) + debt / 1e5
    decisions = trace["decisions"].height
    return Row(name, setting, seed, loss, p99_s, 1 - done, debt, decisions)


def job(task: tuple[str, str, int]) -> Row:
    """A run by the name of its setting."""
    name, setting, seed = task
    if setting in CONTROLLERS:
        return measured(name, setting, tuned(name, setting), seed)
    batch, limit = map(int, setting.split("x"))
    return measured(name, setting, fixed(name, batch, limit), seed)


def settings(name: str) -> list[str]:
    """The nine and the controllers."""
    grid = product(batches(st.load(name)), LIMITS)
    return [f"{batch}x{limit}" for batch, limit in grid] + list(CONTROLLERS)


def table(rows: Iterable[Row]) -> list[str]:
    """Markdown: a line per scenario and setting, and what it comes to."""
    rows = list(rows)
    lines, wins = [], dict.fromkeys(CONTROLLERS, 0)
    names = list(dict.fromkeys(row.scenario for row in rows))
    for name in names:
        means: dict[str, list[float]] = {}
        for setting in dict.fromkeys(row.setting for row in rows if row.scenario == name):
            own = [row for row in rows if (row.scenario, row.setting) == (name, setting)]
            parts = ("loss", "p99_s", "not_executed", "debt_usd", "decisions")
            means[setting] = [fmean(getattr(row, part) for row in own) for part in parts]
        best = min((m[0], s) for s, m in means.items() if s not in CONTROLLERS)
        worst = max((m[0], s) for s, m in means.items() if s not in CONTROLLERS)
        for setting, label in ((best[1], "best fixed"), (worst[1], "worst fixed")):
            lines.append(line(name, f"{label}, {setting}", means[setting], best[0]))
        for controller in CONTROLLERS:
            lines.append(line(name, controller, means[controller], best[0]))
            wins[controller] += means[controller][0] < best[0]
    head = ["scenario", "setting", "loss", "against best fixed", "p99 s", "not executed, %"]
    head += ["debt, USD", "decisions"]
    out = ["| " + " | ".join(head) + " |", "|---|---|" + "---:|" * 6, *lines, ""]
    said = [
        f"`{name}` beats every fixed setting on {n} of {len(names)}" for name, n in wins.items()
    ]
    return [*out, "; ".join(said) + ".", "", *everywhere(rows)]


def everywhere(rows: list[Row]) -> list[str]:
    """Markdown: one setting in all scenarios, by its mean loss over that of the best fixed one."""
    ratios: dict[str, list[float]] = {}
    for name in dict.fromkeys(row.scenario for row in rows):
        own = [row for row in rows if row.scenario == name]
        order = list(dict.fromkeys(row.setting for row in own))
        means = {s: fmean(row.loss for row in own if row.setting == s) for s in order}
        best = min(loss for setting, loss in means.items() if setting not in CONTROLLERS)
        for place, (setting, loss) in enumerate(means.items()):
            label = setting
            if setting not in CONTROLLERS:
                size = ("1/4", "1", "4")[place // len(LIMITS)]
                label = f"batch × {size}, limit {LIMITS[place % len(LIMITS)]:,}"
            ratios.setdefault(label, []).append(loss / best if best else 1.0)
    lines = ["| the same everywhere | mean loss over best fixed | worst |", "|---|---:|---:|"]
    ranked = sorted(ratios.items(), key=lambda item: fmean(item[1]))
    return lines + [f"| {label} | {fmean(r):.2f} | {max(r):.2f} |" for label, r in ranked]


def line(name: str, setting: str, means: list[float], best: float) -> str:
    """A row of the table."""
    loss, p99_s, missed, debt, decisions = means
    gap = 100 * (loss / best - 1) if best else math.nan
    cells = [name, setting, f"{loss:.3f}", f"{gap:+.1f} %", f"{p99_s:.3f}", f"{100 * missed:.2f}"]
    return "| " + " | ".join([*cells, f"{debt:,.0f}", f"{decisions:.0f}"]) + " |"


def main() -> None:
    """Runs what is asked for and prints the table."""
    form = argparse.RawDescriptionHelpFormatter
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=form)
    parser.add_argument("scenarios", nargs="*", default=SCENARIOS)
    parser.add_argument("--seeds", type=int, default=3)
    parser.add_argument("--jobs", type=int, default=2)
    parser.add_argument("--json", type=Path)
    args = parser.parse_args()
    seeds = range(1, args.seeds + 1)
    tasks = [(n, s, seed) for n in args.scenarios for seed in seeds for s in settings(n)]
    rows = []
    with ThreadPoolExecutor(args.jobs) as pool:
        for row in pool.map(job, tasks):
            rows.append(row)
            print(row.scenario, row.setting, row.seed, f"{row.loss:.3f}", file=sys.stderr)
    if args.json:
        args.json.write_text(json.dumps([asdict(row) for row in rows], indent=1))
    print("\n".join(table(rows)))


if __name__ == "__main__":
    main()
