"""What is charged beside what an intervention gains, on the shipped scenarios.

Each resource in turn is made free, and twice as slow, with the same seeds; the change of mean and
p99 delay stands beside the share of the delay that is charged to it. The table of
docs/attribution.md:

    python benchmarks/attribution.py --out docs/attribution-table.md

With --held-out N, the same on N worlds drawn at random, on which no definition was tuned: how often
the resource charged most gains most, and the rank correlation of shares and gains.
"""

from __future__ import annotations

import argparse
import sys
from collections.abc import Sequence
from pathlib import Path
from typing import Any, Final

import numpy as np
from scipy import stats

from surgetank.errors import SurgetankError
from surgetank.explain.interventions import FREE, SLOWER
from surgetank.explain.paired import Effect, Gain, LeftOut, begin, effects, observe
from surgetank.scenario import Scenario, load
from surgetank.search.pool import Pool, RunJournal, processes

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
    parser.add_argument("--seeds", type=int, default=6)
    parser.add_argument("--workers", type=int, default=1)
    parser.add_argument("--journal", type=Path, help="finished runs, to go on with")
    parser.add_argument("--out", type=Path)
    parser.add_argument("--held-out", type=int, metavar="N", help="N random worlds instead")
    asked = parser.parse_args()
    pool = Pool(lambda: processes(asked.workers), RunJournal(asked.journal), work=observe)
    if asked.held_out:
        held_out(pool, asked.held_out, asked.seeds)
        return pool.close()
    lines = ["| scenario | resource | charged | free: mean | p99 | twice as slow: mean | p99 |"]
    lines += ["|---|---|---|---|---|---|---|"]
    for name in asked.scenarios:
        seeds = range(load(name).seed, load(name).seed + asked.seeds)
        found = _known(pool, load(name), seeds, (FREE, SLOWER))
        lines += _rows(name, found)
        print("\n".join(_rows(name, found)), flush=True)
        if asked.out:
            asked.out.write_text("\n".join(lines) + "\n")
    pool.close()


def _known(
    pool: Pool, scenario: Scenario, seeds: Sequence[int], factors: Sequence[float]
) -> list[Effect]:
    """The effects; what could not be measured is said on standard error."""
    found = list(effects(*begin(pool, scenario, seeds, factors)))
    for one in found:
        if isinstance(one, LeftOut):
            sys.stderr.write(f"{scenario.name}: {one.resource} × {one.factor:g}: {one.why}\n")
    return [one for one in found if isinstance(one, Effect)]


def drawn(number: int) -> Scenario:
    """A world of random machines, links, consensus and load; none of the shipped scenarios."""
    draws = np.random.default_rng([2026, number])

    def between(low: float, high: float) -> float:
        return float(np.exp(draws.uniform(np.log(low), np.log(high))))

    def pick(*of: Any) -> Any:
        return of[int(draws.integers(len(of)))]

    single = bool(draws.random() < 0.4)
    validation, execution = between(20, 2_000), between(20, 2_000)
    rate = min(2_000.0, between(0.2, 1.3) * 1e6 / max(validation, execution))
    consensus: dict[str, Any] = {"kind": "single", "window_ms": between(5, 200)}
    if not single:
        consensus = {"kind": "tendermint", "timeout_commit_ms": between(20, 1_000)}
    consensus["block_messages_max"] = int(between(20, 5_000))
    classes = ("price_update", "liquidation_order", "cancel", "replace", "order")
    return Scenario.build(
        {
            "name": f"held-out-{number}",
            "duration_s": 12.0,
            "warmup_s": 2.0,
            "drain_s": 20.0,
            "flow": {
                "arrivals": {"kind": "poisson", "rate_per_s": rate},
                "client_link": {"fixed_ms": between(1, 30), "jitter_ms": between(0.5, 10)},
            },
            "network": {
                "nodes": int(draws.integers(4, 9)),
                "uplink_mbps": pick(0.0, between(2, 200)),
                "loss": pick(0.0, 0.0, between(0.001, 0.03)),
                "delay": {"kind": "fixed", "delay_ms": between(1, 100)},
            },
            "layer": {
                "gossip": {"kind": "direct" if single else pick("flood", "mesh")},
                "consensus": consensus,
                "service": {
                    "validation": {f"{name}_us": validation for name in classes},
                    "execution": {f"{name}_us": execution for name in classes},
                },
            },
        }
    )


def held_out(pool: Pool, count: int, seeds: int) -> None:
    """Shares against gains over random worlds; prints a row a world, and the account."""
    best, close, ranks = 0, 0, []
    print("| world | charged most | gains most | ρ |\n|---|---|---|---|")
    for number in range(1, count + 1):
        try:
            found = _known(pool, drawn(number), range(1, 1 + seeds), (FREE,))
        except SurgetankError as error:
            print(f"| {number} | {error} | | |")
            continue
        # Computation is the sum of others.
        pairs = {e.resource: (e.share, _mean_gain(e)) for e in found if e.resource != "computation"}
        kept = {name: p for name, p in pairs.items() if max(abs(p[0]), abs(p[1])) >= _SHOWN}
        if len(kept) < 2:
            continue
        charged, gains = np.array(list(kept.values())).T
        rho = float(stats.spearmanr(charged, gains).statistic)
        most, wins = (list(kept)[int(x.argmax())] for x in (charged, gains))
        ranks.append(rho)
        best += most == wins
        close += kept[most][1] >= 0.8 * float(gains.max())
        reported = [f"{n} {kept[n][0]:.0%}, gains {kept[n][1]:.0%}" for n in (most, wins)]
        print(f"| {number} | {reported[0]} | {reported[1]} | {rho:.2f} |", flush=True)
    n = len(ranks)
    print(f"\n{n} worlds: charged most gains most in {best}, and within a fifth of it in {close};")
    low, middle = np.quantile(ranks, (0.1, 0.5))
    print(f"rank correlation {middle:.2f} (median), {low:.2f} (a tenth is below).")


def _mean_gain(effect: Effect) -> float:
    found = effect.gains["mean"]
    return 0.0 if found is None else found.value


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
    """The change of the delay, in percent, or in multiples; in parentheses where its interval
    includes zero."""
    if gain is None:
        return ""
    text = f"× {1 - gain.value:,.0f}" if gain.value < -9 else f"{-gain.value:+.0%}"
    text = text.replace("-", "−")
    return text if gain.sure else f"({text})"


if __name__ == "__main__":
    main()
