"""Ratios of speed with their intervals: what is compared runs in turn, in CPU time.

    .venv/bin/python benchmarks/pairs.py [--pairs 7] [--quick]

- M/M/1: CPU time per customer in SimPy over that of surgetank.
- Twice the messages (M/M/1, flood): CPU time over that of the half.
- A small scenario, with and without a market: CPU time of `surgetank.run` outside the core.
- The floor of M/M/1: events, draws and stamps alone (crates/lab/examples/mm1_floor.rs).

Every run of a pair is a process of its own (paired.py has turns and intervals). CPU time is that of
the call, not of the process's start.
"""

from __future__ import annotations

import argparse
import os
import subprocess
import time
from collections.abc import Callable
from typing import Any

import numpy as np

from paired import in_turn, mean, ratio
from simulator import ROOT, alone, machine

SMALL: dict[str, Any] = {"name": "small", "duration_s": 2.0, "drain_s": 1.0, "warmup_s": 0.2}
MARKET: dict[str, Any] = SMALL | {"name": "small-market", "market": {}}


def cpu_ns(task: str) -> Callable[[int], float]:
    """CPU time of a task of `simulator.py` per unit of its work, ns."""

    def measured(pair: int) -> float:
        answer = alone(task)
        return float(answer["cpu_s"] / answer["work"] * 1e9)

    return measured


def floor_ns(what: str, customers: int) -> Callable[[int], float]:
    """CPU time per customer of M/M/1 on the bare agenda, ns, process start included."""
    build = ["cargo", "build", "--quiet", "--release", "-p", "surgetank-lab"]
    subprocess.run([*build, "--example", "mm1_floor"], cwd=ROOT, check=True)
    binary = ROOT / "target" / "release" / "examples" / "mm1_floor"

    def measured(pair: int) -> float:
        before = os.times()
        subprocess.run([binary, str(customers), what], check=True, capture_output=True)
        after = os.times()
        spent = after.children_user + after.children_system
        return (spent - before.children_user - before.children_system) / customers * 1e9

    return measured


def cpu_s(task: str) -> Callable[[int], float]:
    """CPU time of a task of `simulator.py`, s."""
    return lambda pair: float(alone(task)["cpu_s"])


def outside_core_ms(document: dict[str, Any], times: int) -> list[float]:
    """CPU time of `surgetank.run` less that of the core's call, ms; the first run is left out: it
    imports."""
    import sys

    import surgetank as st

    module = sys.modules[st.simulate.__module__]
    core, spent = module._core(), 0.0

    class Timed:
        def __getattr__(self, name: str) -> Any:
            return getattr(core, name)

        def run(self, *arguments: Any) -> Any:
            nonlocal spent
            began = time.process_time()
            try:
                return core.run(*arguments)
            finally:
                spent = time.process_time() - began

    module.__dict__["_core"] = Timed
    scenario = st.Scenario.build(document)
    found = []
    for _ in range(times + 1):
        began = time.process_time()
        st.run(scenario)
        found.append((time.process_time() - began - spent) * 1e3)
    module.__dict__["_core"] = lambda: core
    return found[1:]


def rows(pairs: int, scale: int) -> list[tuple[str, str, str]]:
    """What was compared, its ratio, and what stands behind it."""
    found = []
    for document in (SMALL, MARKET):
        outside = mean(outside_core_ms(document, 2 * pairs))
        what = f"`run`, {document['name']}: outside the core"
        found.append((what, f"{outside.text(1)} ms", f"{2 * pairs} runs"))
    customers, messages = 1_000_000 // scale, 4_000 // scale
    mm1 = f"our-mm1:{customers}"
    peer, ours = in_turn(pairs, cpu_ns(f"simpy-mm1:{customers // 20}"), cpu_ns(mm1))
    behind = f"{np.median(peer):,.0f} and {np.median(ours):,.0f} ns per customer"
    found.append(("M/M/1: SimPy over surgetank", ratio(peer, ours).text(2), behind))
    for what, task in (("M/M/1", "our-mm1:{}"), ("flood", "our-flood:1000:{}:0")):
        size = customers if what == "M/M/1" else messages
        once, twice = in_turn(pairs, cpu_s(task.format(size)), cpu_s(task.format(2 * size)))
        behind = f"{np.median(once):.2f} and {np.median(twice):.2f} s"
        found.append((f"{what}: twice the messages", ratio(twice, once).text(2), behind))
    for what in ("events", "draws"):
        floor, ours = in_turn(pairs, floor_ns(what, customers), cpu_ns(mm1))
        behind = f"{np.median(floor):,.0f} and {np.median(ours):,.0f} ns per customer"
        found.append(
            (f"M/M/1: surgetank over its {what} alone", ratio(ours, floor).text(2), behind)
        )
    return found


def main() -> None:
    """Command line."""
    parser = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawTextHelpFormatter
    )
    parser.add_argument("--pairs", type=int, default=7)
    parser.add_argument("--quick", action="store_true", help="a tenth of the work")
    given = parser.parse_args()
    if given.pairs < 2:
        parser.error("--pairs: at least 2, or there is no interval")
    found = rows(given.pairs, 10 if given.quick else 1)
    lines = [
        f"{given.pairs} pairs on {machine()}.",
        "",
        "| what | ratio | medians |",
        "|---|---|---|",
    ]
    lines += [f"| {what} | {value} | {behind} |" for what, value, behind in found]
    print("\n".join(lines))


if __name__ == "__main__":
    main()
