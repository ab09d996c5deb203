"""Leagues made by hand, for the tests of their tables and pages."""

from __future__ import annotations

import dataclasses
import math
from typing import Any

from surgetank.league import Entrant, League, LeagueRun, SearchedLine

RULES = ("fifo", "priority", "fee", "class", "lanes", "drr", "express", "commit-reveal")
ATTACKS = (
    "none",
    "spam",
    "sybil",
    "cancel-storm",
    "stampede",
    "front-running",
    "hash-grinding",
    "withheld-reveal",
    "latency-race",
    "censorship",
    "queue-jumping",
)
LIQUIDATION = "delay_p99_ms.liquidation-order"


def values(i: int, j: int, seed: int) -> dict[str, float | None]:
    """Measures of rule i under attack j; invented, with a little chance."""
    luck = math.sin(12.9 * i + 78.2 * j + 2.1 * seed)
    late = 90.0 * (1 + i % 5) * (1 + 0.4 * j) * (1 + 0.03 * luck)
    return {
        LIQUIDATION: math.inf if (i, j) == (0, 1) else late,
        "delay_p99_ms.cancel": 1.7 * late,
        "delay_p99_ms.order": 4_000.0 + 300 * luck,
        "delay_p99_ms": 3_900.0 + 250 * luck,
        "executed_share": 1.0 - 0.004 * j - 0.0005 * (1 + luck),
        "goodput_ratio": 0.99,
        "attacker_gain_usd": 950.0 * j - 120.0 * i + 50.0 * luck,
        "others_loss_usd": 1_800.0 * j + 60.0 * luck,
        "bad_debt_usd": 0.0 if i % 2 else 4_200.0 * (1 + j) + 300.0 * luck,
        "inversions_receive": None if j == 4 else 0.01 * (i + 1) + 0.001 * luck,
        "delay_gini": 0.2 + 0.05 * i + 0.002 * luck,
        "never_measured": None,
    }


def league(rules: int = 4, attacks: int = 4, seeds: int = 3, **changes: Any) -> League:
    """Rules × attacks × seeds, whole, without searches."""
    entrants = tuple(Entrant(rule, rule, {"layer.queue.rule": rule}) for rule in RULES[:rules])
    made = tuple(
        LeagueRun(e.name, e.rule, attack, seed, 40_000 + i, values(i, j, seed), (), ())
        for seed in range(7, 7 + seeds)
        for i, e in enumerate(entrants)
        for j, attack in enumerate(ATTACKS[:attacks])
    )
    found = League(
        scenario="black-thursday",
        title="A crash multiplies the traffic; liquidations come late",
        scenario_hash="9f3c1e7ab2",
        build="0.1.0+abc",
        seed=7,
        seeds=seeds,
        rank=LIQUIDATION,
        confidence=0.95,
        keys=("layer.queue.rule",),
        attacks=ATTACKS[:attacks],
        entrants=entrants,
        made=made,
        lines=(),
        left_out=(),
        search_runs=0,
        messages=sum(m.messages for m in made),
    )
    return dataclasses.replace(found, **changes)


def with_lines() -> League:
    """With searches: found, not pinned down, not found, INVALID."""
    ends: dict[str, tuple[float | None, float | None, float | None, str, str]] = {
        "fifo": (812.0, 770.0, 861.0, "FOUND", ""),
        "priority": (1_420.0, 1_200.0, 1_700.0, "UNKNOWN", "100 runs were not enough for ± 10%"),
        "fee": (None, None, None, "UNKNOWN", "the line was not reached (25600)"),
        "class": (None, None, None, "INVALID", "a run at 1230 (seed 12): background: 8 sent"),
    }
    lines = tuple(
        SearchedLine(rule, rule, "none", find, status, v, low, high, unit, why, 60)
        for find, unit in (("capacity", "1/s"), ("safe-leverage", "x"))
        for rule, (v, low, high, status, why) in ends.items()
    )
    return league(lines=lines, search_runs=480)


def with_invalid() -> League:
    """Two runs of one cell and all of another do not count; some values did not fit."""
    whole = league()
    why = ("background: background messages: 8 sent, 100 expected (± 9)",)
    bad = {("fee", "spam", 7), ("fee", "spam", 8)} | {("class", "none", s) for s in (7, 8, 9)}
    made = tuple(
        dataclasses.replace(m, invalid=why) if (m.entrant, m.attack, m.seed) in bad else m
        for m in whole.made
    )
    left = "drr: layer.queue: `rule` drr needs a `quantum`"
    return dataclasses.replace(whole, made=made, left_out=(left,))
