"""The controller `policy`, and the others, against the best fixed configuration in hindsight.

    .venv/bin/python benchmarks/controllers.py train [--rule class] [--rounds 8] [--out POLICY.json]
    .venv/bin/python benchmarks/controllers.py run FILE.jsonl [--seeds 10] [--minutes 30] [--jobs 2]
    .venv/bin/python benchmarks/controllers.py table FILE.jsonl

`run` appends a line per run and leaves out what stands in the file already: it can be stopped and
started again; runs of another build or scenario are made anew. Seed by seed over everything, so
that what is there after any time is balanced.

Declared before any run. Scenarios: the shipped ones, and days 61–80 of `day`, which nothing was
designed on (`train` uses days 1001 and up; days 1–60 judged earlier policies, and what was seen of
them went into this one). Fixed configurations: FIXED below, in each scenario. The best in hindsight
is the one of the least mean bad debt over all seeds; among those within 1 USD of it, the one of the
least mean liquidation p99. Per scenario the bad debt and the liquidation p99 of a controller are
compared with that configuration's, paired by seed: t-test, two sides, corrected over all
comparisons of a controller (Holm 1979). A permutation test of ten pairs gives no p below 2/1024,
which no correction over 56 comparisons would ever let through.

Beside that, declared when days 21–40 had been run: the controller against each fixed configuration
in all scenarios; and `policy` with parts of it taken away (ABLATED), to tell what its parts do.

Bad debt: losses beyond margin, and what is not covered at the end, USD. Liquidation p99: from the
moment an account is due by the outside price until it is liquidated, safe again, or the run ends;
nearest rank; 0 if nothing was due. Beside them: the share of clients' messages executed.
"""

from __future__ import annotations

import argparse
import json
import sys
import time
from collections import defaultdict
from collections.abc import Iterator
from concurrent.futures import ProcessPoolExecutor
from dataclasses import replace
from functools import partial
from itertools import product
from pathlib import Path
from statistics import fmean
from typing import Any, Final

import numpy as np
import polars as pl
from scipy.optimize import differential_evolution

import surgetank as st
from days import day
from surgetank.league.ranks import holm, pair_of
from surgetank.measure.liquidations import due_episodes
from surgetank.native import build
from surgetank.plugins import policy
from surgetank.trace import MarketKind, Outcome

RULE: Final = "layer.queue.rule"
LIMIT: Final = "layer.admission.limit"
#: Fixed configurations: keys to values; batch and window are factors on the scenario's own.
FIXED: Final[dict[str, dict[str, Any]]] = {
    "fifo": {RULE: "fifo"},
    "priority": {RULE: "priority"},
    "class": {RULE: "class"},
    "lanes": {RULE: "lanes"},
    "fifo, limit 1,000": {RULE: "fifo", LIMIT: 1_000},
    "priority, limit 1,000": {RULE: "priority", LIMIT: 1_000},
    "priority, batch × 1/4": {RULE: "priority", "batch": 0.25},
    "priority, window × 1/2": {RULE: "priority", "window": 0.5},
}
CONTROLLED: Final[dict[str, dict[str, Any]]] = {
    "policy": {RULE: "class", "layer.tuning.controller": "policy"},
    "sojourn": {"layer.tuning.controller": "sojourn"},
    "adaptive": {"layer.consensus.adaptive": True},
}
#: `policy` with something taken away: numbers of its own in place of the learned ones. At its rest
#: settings alone it is a fixed configuration under `class`.
ABLATED: Final[dict[str, dict[str, float]]] = {
    "policy, no alarm": {"volatility_ppm": 1e12, "wait_ms": 1e12},
    "policy, no floor": {"waiting_share": 0.0},
    "policy, neither": {"volatility_ppm": 1e12, "wait_ms": 1e12, "waiting_share": 0.0},
}
DAYS: Final = range(61, 81)
#: Of days 1001–1040 those on which an account became due.
TRAINING: Final = tuple(
    n for n in range(1_001, 1_041) if n not in (1_005, 1_006, 1_028, 1_035, 1_036)
)


def scenario_of(name: str) -> st.Scenario:
    """A shipped scenario, or a day."""
    return day(int(name.removeprefix("day-"))) if name.startswith("day-") else st.load(name)


def how_of(label: str) -> dict[str, Any]:
    """Keys and values of a configuration."""
    return CONTROLLED["policy"] if label in ABLATED else (FIXED | CONTROLLED)[label]


def configured(scenario: st.Scenario, how: dict[str, Any]) -> st.Scenario:
    """The scenario under a configuration; controllers stay within a quarter and four times."""
    consensus: Any = scenario.layer.consensus
    key = consensus.pace.key
    values = {k: v for k, v in how.items() if "." in k}
    size, window_ms = consensus.block_messages_max, consensus.pace_ms
    if "batch" in how:
        values["layer.consensus.block_messages_max"] = max(1, round(size * how["batch"]))
    if "window" in how:
        values[f"layer.consensus.{key}"] = window_ms * how["window"]
    if "layer.consensus.adaptive" in how and not consensus.round_timeouts:
        values.pop("layer.consensus.adaptive")
    if "layer.tuning.controller" in how:
        bounds = {
            "batch_least": max(1, size // 4),
            "batch_most": 4 * size,
            "window_least_ms": window_ms / 4,
            "window_most_ms": 4 * window_ms,
            "limit_least": 50,
            "limit_most": 1_000_000,
            "weight_most": 100,
        }
        values |= {f"layer.tuning.bounds.{k}": v for k, v in bounds.items()}
    return scenario.with_values(values)


def measured(trace: st.Trace) -> dict[str, float]:
    """Bad debt, liquidation p99 and the share executed of a run."""
    debts = trace["market"].filter(pl.col("kind") == MarketKind.BAD_DEBT)["amount"]
    debt = abs(float(debts.sum())) * trace.stats.quantum_usd + trace.stats.uncovered_usd
    due = due_episodes(trace)
    waits = due.select(pl.col("ended_ns").fill_null(trace.end_ns) - pl.col("due_ns"))
    p99 = waits.to_series().quantile(0.99, "nearest") if waits.height else 0
    clients = trace["messages"].filter(pl.col("class") < 5)
    done = float((clients["outcome"] == Outcome.EXECUTED).mean() or 0.0)  # type: ignore[arg-type]
    return {"debt_usd": debt, "p99_s": float(p99 or 0) / 1e9, "executed": done}


def job(
    task: tuple[str, str, int], numbers: policy.Numbers | None = None, rule: str = ""
) -> dict[str, Any]:
    """A run of (scenario, configuration, seed), with these numbers and under this rule if given."""
    name, label, seed = task
    if label in ABLATED:
        numbers = replace(policy.Numbers.load(), **ABLATED[label])  # type: ignore[arg-type]
    policy.Policy.numbers = numbers
    how = how_of(label)
    scenario = configured(scenario_of(name), how | {RULE: rule} if rule else how)
    trace = st.simulate(scenario, seed=seed)
    key = {"scenario": name, "label": label, "seed": seed, "hash": scenario.hash}
    return key | {"build": trace.run.build} | measured(trace)


#: Range of each learned number: least, most, whether it is whole.
SPACE: Final = {
    "volatility_ppm": (100.0, 2_000.0, False),
    "wait_ms": (20.0, 2_000.0, False),
    "rest_batch_factor": (0.25, 1.0, False),
    "rest_window_factor": (0.25, 1.0, False),
    "batch_factor": (0.5, 2.0, False),
    "window_factor": (0.5, 2.0, False),
    "waiting_factor": (0.01, 1.0, False),
    "limit_batches": (1.0, 1_000.0, False),
    "calm_looks": (5.0, 100.0, True),
}


#: Not learned. The weight is of lanes, under which the policy is not trained. At rest a batch takes
#: all that waits: training days have too few hours near capacity to teach what less costs there.
GIVEN: Final = {"replace_weight": 7, "waiting_share": 1.0}
#: Where the search begins, beside its random points: what was learned before, with a floor of all
#: that waits.
GUESS: Final = (739.0, 1432.0, 0.35, 0.6, 0.58, 1.12, 0.1, 227.0, 21.0)
#: Of debt, p99 and messages not executed. Without the last the search gave half of the capacity
#: away; with 1 it gave liquidations' delays for the last messages.
WEIGHTS: Final = (1.0, 1.0, 0.25)


def numbers_of(point: Any) -> policy.Numbers:
    """Numbers from a point of the search, which is logarithmic in each."""
    values = {
        name: round(float(np.exp(x))) if whole else round(float(np.exp(x)), 4)
        for (name, (_, _, whole)), x in zip(SPACE.items(), point, strict=True)
    }
    return policy.Numbers(**values, **GIVEN)  # type: ignore[arg-type]


def costs(row: dict[str, float]) -> float:
    """Weighted sum of the logarithms of what a run costs; little is gained below what is added."""
    costs = row["debt_usd"] + 100, row["p99_s"] + 0.1, 1.0 - row["executed"] + 0.01
    return float(np.log(costs) @ WEIGHTS)


def loss(
    points: Any, reference: dict[tuple[str, int], dict[str, float]], pool: Any, rule: str
) -> Any:
    """Mean over training runs of the weighted sum of ln((x + least) / (best + least)) at each
    point, for debt (USD), p99 (s) and the share of clients' messages not executed."""
    points = np.atleast_2d(np.asarray(points).T)
    tasks = [(name, "policy", seed) for name, seed in reference]
    found = []
    for point in points:
        work = partial(job, numbers=numbers_of(point), rule=rule)
        rows = list(pool.map(work, tasks, chunksize=4))
        ratios = [
            costs(row) - costs(best) for row, best in zip(rows, reference.values(), strict=True)
        ]
        found.append(fmean(ratios))
        print(f"{found[-1]:+.4f}", numbers_of(point), file=sys.stderr, flush=True)
    return np.array(found)


def train(seed: int, rounds: int, rule: str, out: Path, jobs: int) -> None:
    """Differential evolution (Storn & Price 1997) over training days."""
    names = [f"day-{number}" for number in TRAINING]
    with ProcessPoolExecutor(jobs) as pool:
        tasks = [(name, label, 1) for name, label in product(names, FIXED)]
        rows = list(pool.map(job, tasks, chunksize=4))
        reference = {}
        for name in names:
            own = [row for row in rows if row["scenario"] == name]
            reference[name, 1] = min(own, key=lambda row: (round(row["debt_usd"]), row["p99_s"]))
        best = differential_evolution(
            loss,
            [(np.log(least), np.log(most)) for least, most, _ in SPACE.values()],
            args=(reference, pool, rule),
            maxiter=rounds,
            popsize=2,
            x0=np.log(GUESS),
            rng=seed,
            polish=False,
            vectorized=True,
            updating="deferred",
        )
    command = f"benchmarks/controllers.py train --seed {seed} --rounds {rounds} --rule {rule}"
    reported = {"command": command, "loss": round(float(best.fun), 4)}
    out.write_text(json.dumps(reported | {"numbers": vars(numbers_of(best.x))}, indent=2) + "\n")


def tasks_of(seeds: int, controllers: list[str]) -> Iterator[tuple[str, str, int]]:
    """Seed by seed, all scenarios under all fixed configurations and these controllers."""
    names = [*(f"day-{number}" for number in DAYS), *shipped()]
    for seed, name, label in product(range(1, seeds + 1), names, [*FIXED, *controllers]):
        yield name, label, seed


def shipped() -> list[str]:
    """Names of the shipped scenarios that have a market."""
    folder = Path(st.__file__).parent / "scenarios"
    names = sorted(path.stem for path in folder.glob("*.toml"))
    return [name for name in names if st.load(name).market is not None]


def run(path: Path, seeds: int, minutes: float, jobs: int, controllers: list[str]) -> None:
    """Makes what is missing, until the time is up."""
    known = {(r["scenario"], r["label"], r["seed"], r["hash"], r["build"]) for r in rows_of(path)}
    until, made_by = time.monotonic() + 60 * minutes, build()
    todo = []
    for name, label, seed in tasks_of(seeds, controllers):
        scenario = configured(scenario_of(name), how_of(label))
        if (name, label, seed, scenario.hash, made_by) not in known:
            todo.append((name, label, seed))
    with ProcessPoolExecutor(jobs) as pool, path.open("a") as file:
        for start in range(0, len(todo), 8 * jobs):
            if time.monotonic() > until:
                break
            for row in pool.map(job, todo[start : start + 8 * jobs]):
                file.write(json.dumps(row) + "\n")
            file.flush()


def rows_of(path: Path) -> list[dict[str, Any]]:
    """Lines of the file, if there is one."""
    return [json.loads(line) for line in path.read_text().splitlines()] if path.exists() else []


BySeed = dict[str, dict[int, dict[str, Any]]]
"""Rows of one scenario by label and seed."""
Verdicts = list[tuple[str, str]]
"""Of each scenario's debt and p99: "worse", "better" or "" (not distinguished)."""
KEYS: Final = ("debt_usd", "p99_s")
SHOWN: Final = {"debt_usd": ",.0f", "p99_s": ".2f", "executed": ".0%"}
#: Shown for a p99 of 0, which stands for a scenario in which nothing was due in any seed.
NOTHING_DUE: Final = "–"
HEAD: Final = (
    "| scenario | best fixed | n | debt fixed, USD | debt, USD | p99 fixed, s | p99, s "
    "| executed fixed | executed | verdict |\n|---|---|---:|---:|---:|---:|---:|---:|---:|---|"
)


def table(path: Path) -> list[str]:
    """Markdown: per controller, beside the best fixed configuration of each scenario and beside
    each fixed configuration everywhere; `policy` beside itself with parts taken away."""
    runs = current(rows_of(path))
    lines = []
    for controller in CONTROLLED:
        seeds = {name: shared(own, controller) for name, own in runs.items()}
        kept = {name: own for name, own in runs.items() if seeds[name]}
        if not kept:
            continue
        best = {name: best_fixed(own, seeds[name]) for name, own in kept.items()}
        said = verdicts([by_seed(own, seeds[n], controller, best[n]) for n, own in kept.items()])
        lines += [f"\n### {controller}\n", HEAD]
        for (name, own), words in zip(kept.items(), said, strict=True):
            cells = [
                shown(key, mean(own, label, key, seeds[name]), shape)
                for key, shape in SHOWN.items()
                for label in (best[name], controller)
            ]
            marks = [f"{what} {w}" for what, w in zip(("debt", "p99"), words, strict=True) if w]
            row = [name, best[name], str(len(seeds[name])), *cells, ", ".join(marks) or "–"]
            lines.append("| " + " | ".join(row) + " |")
        lines += [f"\n{summary(said)} {by_means(kept, seeds, controller, best)}\n"]
        others = [*FIXED, *(ABLATED if controller == "policy" else ())]
        lines += ["| against, everywhere | worse in | better in |", "|---|---:|---:|"]
        for label in others:
            both = {n: sorted(set(own[label]) & set(own[controller])) for n, own in kept.items()}
            if all(both.values()):
                said = verdicts(
                    [by_seed(own, both[n], controller, label) for n, own in kept.items()]
                )
                lines.append(f"| {label} | {worse(said)} | {better(said)} |")
    return lines


def shown(key: str, value: float, shape: str) -> str:
    """A cell of the table."""
    return NOTHING_DUE if key == "p99_s" and value == 0 else format(value, shape)


def current(rows: list[dict[str, Any]]) -> dict[str, BySeed]:
    """By scenario: rows of this build, of the scenarios and configurations as they are now."""
    made_by, wanted = build(), {}
    for name, label, _ in tasks_of(1, [*CONTROLLED, *ABLATED]):
        scenario = scenario_of(name)
        if label == "adaptive" and not scenario.layer.consensus.round_timeouts:
            continue  # there is no consensus to adapt
        wanted[name, label] = configured(scenario, how_of(label)).hash
    found: dict[str, BySeed] = defaultdict(lambda: defaultdict(dict))
    for row in rows:
        key = row["scenario"], row["label"]
        if row["build"] == made_by and row["hash"] == wanted.get(key):
            found[key[0]][key[1]][row["seed"]] = row
    return found


def shared(own: BySeed, controller: str) -> list[int]:
    """Seeds that the controller and all fixed configurations have."""
    return sorted(set.intersection(*(set(own[label]) for label in (*FIXED, controller))))


def mean(own: BySeed, label: str, key: str, seeds: list[int]) -> float:
    """Mean of a measured number over seeds, in its own unit."""
    return fmean(own[label][seed][key] for seed in seeds)


def best_fixed(own: BySeed, seeds: list[int]) -> str:
    """The best configuration in hindsight."""
    least = min(mean(own, label, "debt_usd", seeds) for label in FIXED)
    near = [label for label in FIXED if mean(own, label, "debt_usd", seeds) <= least + 1]
    return min(near, key=lambda label: mean(own, label, "p99_s", seeds))


def by_seed(own: BySeed, seeds: list[int], one: str, other: str) -> list[list[float]]:
    """Debt (USD) and p99 (s) of one configuration less those of another; a list of seeds each."""
    return [[own[one][s][key] - own[other][s][key] for s in seeds] for key in KEYS]


def verdicts(differences: list[list[list[float]]]) -> Verdicts:
    """Paired t-tests of each scenario's debt and p99, Holm's correction over all of them."""
    adjusted = holm([pair_of(d).p for pair in differences for d in pair])
    words = [
        ("worse" if fmean(d) > 0 else "better") if p < 0.05 else ""
        for d, p in zip((d for pair in differences for d in pair), adjusted, strict=True)
    ]
    return list(zip(words[::2], words[1::2], strict=True))


def worse(said: Verdicts) -> int:
    """Scenarios in which debt or p99 is worse."""
    return sum("worse" in words for words in said)


def better(said: Verdicts) -> int:
    """Scenarios in which debt or p99 is better and neither worse."""
    return sum("better" in words and "worse" not in words for words in said)


def summary(said: Verdicts) -> str:
    """Significant differences, in words."""
    return f"Worse in {worse(said)}, better in {better(said)} of {len(said)} scenarios."


def by_means(
    runs: dict[str, BySeed], seeds: dict[str, list[int]], controller: str, best: dict[str, str]
) -> str:
    """How often the means differ at all: debt by more than a dollar, p99 by more than 2 %."""
    count = {"debt higher": 0, "debt lower": 0, "p99 higher": 0, "p99 lower": 0}
    for name, own in runs.items():
        debt, p99 = (
            [mean(own, label, key, seeds[name]) for label in (controller, best[name])]
            for key in KEYS
        )
        count["debt higher"] += debt[0] > debt[1] + 1
        count["debt lower"] += debt[0] < debt[1] - 1
        count["p99 higher"] += p99[0] > 1.02 * p99[1]
        count["p99 lower"] += p99[0] < 0.98 * p99[1]
    return "By their means: " + ", ".join(f"{k} in {n}" for k, n in count.items()) + "."


def main() -> None:
    """What is asked for."""
    form = argparse.RawDescriptionHelpFormatter
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=form)
    commands = parser.add_subparsers(dest="command", required=True)
    training = commands.add_parser("train")
    training.add_argument("--seed", type=int, default=1)
    training.add_argument("--rounds", type=int, default=8)
    training.add_argument("--rule", choices=("class", "lanes"), default="class")
    training.add_argument("--out", type=Path, default=policy.NUMBERS)
    running = commands.add_parser("run")
    running.add_argument("--seeds", type=int, default=10)
    running.add_argument("--minutes", type=float, default=30.0)
    running.add_argument("--controllers", default=";".join([*CONTROLLED, *ABLATED]))
    for one in (running, commands.add_parser("table")):
        one.add_argument("file", type=Path)
    for one in (training, running):
        one.add_argument("--jobs", type=int, default=2)
    args = parser.parse_args()
    if args.command == "train":
        train(args.seed, args.rounds, args.rule, args.out, args.jobs)
    elif args.command == "run":
        run(args.file, args.seeds, args.minutes, args.jobs, args.controllers.split(";"))
    else:
        print("\n".join(table(args.file)))


if __name__ == "__main__":
    main()
