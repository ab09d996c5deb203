"""What a search costs: messages and error against a plain grid and against doubling and halving.

    python benchmarks/search.py [--searches 10]

The question is the throughput capacity of M/M/1/K, whose answer is known exactly. Each method is
asked with the same seeds and the same unloaded value:

- **ours**: `surgetank search` at its own precision;
- **grid**: 20 evenly spaced levels up to twice the true capacity (which a person would have to know
  beforehand), one more seed at each of them a round, until the same posterior over its runs gives
  an interval as narrow as ours;
- **doubling, halving**: as OpenMessaging Benchmark's rate controller: double until a run breaks,
  then halve the bracket by single runs until it is as narrow as our interval. It has no interval
  of its own; the share of searches whose last bracket holds the truth says what it is worth. It is
  also repeated until the mean of its answers is as sure as ours (Student's t).

Then the same search with one worker and with two: parallel efficiency is T₁/(2·T₂).
"""

from __future__ import annotations

import argparse
import math
import sys
import time
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
from scipy import stats

import surgetank as st
from surgetank.search.find import Question, Search, SearchState
from surgetank.search.gain import interval_of
from surgetank.search.goal import goal
from surgetank.search.parameter import parameter
from surgetank.search.pool import Inline, Pool, RunJournal, processes
from surgetank.search.posterior import Trial, fit
from surgetank.search.probe import RunOutcome, probe

sys.path.insert(0, str(Path(__file__).parents[1] / "tests/support"))
from answers import capacity_of_queue, queue

LOW, HIGH, OWN = 20.0, 4_000.0, 300.0
WAITING_MAX = 1_000


@dataclass(frozen=True)
class Spent:
    """What one search of one method came to."""

    estimate: float
    low: float
    high: float
    messages: int
    runs: int


def ask(seed: int) -> tuple[Spent, SearchState, Search]:
    """Our search; the unloaded value's own runs are left out of all methods' costs."""
    scenario = queue(OWN, waiting_max=WAITING_MAX)
    question = Question(
        scenario, goal("capacity"), parameter(scenario, "load"), LOW, HIGH, seed=seed, runs_max=400
    )
    search = Search(question, Pool(Inline, RunJournal()))
    state = search.go()
    estimate, low, high = interval_of(state)
    if estimate is None or low is None or high is None:
        raise SystemExit(f"seed {seed}: {state.bound.why if state.bound else state.status}")
    outcomes = state.outcomes
    messages = sum(o.messages for o in outcomes)
    return Spent(estimate, low, high, messages, len(outcomes)), state, search


def broke(search: Search, outcome: RunOutcome) -> bool:
    """Whether a run is beyond the line, by the same unloaded value."""
    return search.question.goal.broke(outcome, search.state.unloaded_ms)


def by_grid(search: Search, width: float, truth: float) -> Spent:
    """Rounds of the whole grid until the posterior is as narrow as ours."""
    question = search.question
    levels = np.linspace(LOW, 2 * truth, 20)
    ends = question.u(LOW), question.u(2 * truth)
    trials: list[Trial] = []
    messages = 0
    for round_number in range(60):
        for i, level in enumerate(levels):
            task = search.task(float(level), "grid", round_number * 100 + i)
            outcome = probe(task)
            messages += outcome.messages
            trials.append(Trial(question.u(float(level)), float(broke(search, outcome)), 1.0))
        found = fit(trials, *ends, 0.5)
        low, high = (question.level(u) for u in found.interval())
        if high - low <= width:
            break
    return Spent(question.level(found.median), low, high, messages, len(trials))


def by_halving(search: Search, width: float, number: int) -> Spent:
    """Double from the scenario's own load, then halve by single runs."""
    low, high, messages, runs = LOW, math.inf, 0, 0
    level = OWN
    while high - low > width:
        outcome = probe(search.task(level, "halving", number * 1_000 + runs))
        messages, runs = messages + outcome.messages, runs + 1
        if broke(search, outcome):
            high = level
        else:
            low = level
        level = 2 * low if math.isinf(high) else (low + high) / 2
    return Spent((low + high) / 2, low, high, messages, runs)


def repeated_halving(search: Search, width: float) -> Spent:
    """Its mean, repeated until the t interval of the mean is as narrow as ours."""
    found = [by_halving(search, width, i + 1) for i in range(3)]
    while True:
        values = np.array([x.estimate for x in found])
        half = float(stats.t.ppf(0.975, len(values) - 1) * values.std(ddof=1))
        half /= math.sqrt(len(values))
        if (2 * half <= width and len(values) >= 4) or len(values) >= 60:
            break
        found.append(by_halving(search, width, len(found) + 1))
    mean = float(values.mean())
    messages, runs = sum(x.messages for x in found), sum(x.runs for x in found)
    return Spent(mean, mean - half, mean + half, messages, runs)


def reported(name: str, rows: list[Spent], truth: float, ours: list[Spent]) -> None:
    """One line of the table."""
    errors = np.array([x.estimate / truth - 1 for x in rows])
    covered = sum(x.low <= truth <= x.high for x in rows)
    ratio = sum(x.messages for x in rows) / sum(x.messages for x in ours)
    width = float(np.mean([(x.high - x.low) / 2 / x.estimate for x in rows]))
    print(
        f"| {name} | {np.mean([x.runs for x in rows]):.0f} | "
        f"{np.mean([x.messages for x in rows]):,.0f} | {ratio:.1f}× | ± {width:.1%} | "
        f"{np.sqrt((errors**2).mean()):.1%} | {covered} of {len(rows)} |"
    )


def efficiency(repeats: int) -> None:
    """T₁/(2·T₂) of one search, alternating, workers started before the clock."""
    scenario = st.load("calm")

    def seconds(workers: int) -> float:
        question = Question(
            scenario,
            goal("failure-threshold"),
            parameter(scenario, "load"),
            600.0,
            6_000.0,
            runs_max=40,
        )
        pool = Pool(lambda: processes(workers), RunJournal())
        search = Search(question, pool)
        pool.all([search.task(600.0, "warm", i) for i in range(2 * workers)])
        began = time.perf_counter()
        search.go()
        took = time.perf_counter() - began
        pool.close()
        return took

    ratios = []
    for _ in range(repeats):
        one, two = seconds(1), seconds(2)
        ratios.append(one / (2 * two))
        print(f"one worker {one:.1f} s, two workers {two:.1f} s: efficiency {ratios[-1]:.0%}")


def main() -> None:
    """Prints the table."""
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0] if __doc__ else None)
    parser.add_argument("--searches", type=int, default=10)
    parser.add_argument("--only-efficiency", action="store_true")
    given = parser.parse_args()
    if not given.only_efficiency:
        compare(given.searches)
    efficiency(2)


def compare(searches: int) -> None:
    """The table of methods."""
    truth = capacity_of_queue(WAITING_MAX, LOW)
    methods: dict[str, Callable[[Search, float], Spent]] = {
        "plain grid of 20 levels": lambda s, w: by_grid(s, w, truth),
        "doubling, halving": lambda s, w: by_halving(s, w, 0),
        "doubling, halving, repeated": repeated_halving,
    }
    rows: dict[str, list[Any]] = {"surgetank search": []} | {name: [] for name in methods}
    for seed in range(1, searches + 1):
        spent, _, search = ask(seed)
        rows["surgetank search"].append(spent)
        for name, method in methods.items():
            rows[name].append(method(search, spent.high - spent.low))
    print(f"capacity of M/M/1/{WAITING_MAX + 1}: {truth:.1f}/s; {searches} searches of each method")
    print("| method | runs | messages | of ours | interval | rms error | interval holds truth |")
    print("|---|---|---|---|---|---|---|")
    for name, found in rows.items():
        reported(name, found, truth, rows["surgetank search"])


if __name__ == "__main__":
    main()
