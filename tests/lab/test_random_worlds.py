"""Whatever a scenario asks for, a run is deterministic, conserves money, is safe, has its stamps in
order, and is never INVALID through no fault of the scenario.

Of the 300 worlds below, 26 were broken on the commit before the fixes they guard (bc07f37): 15 by a
clock that wrapped, 9 by retries that overwrote stamps, 2 by overlapping `slow` faults.
"""

from __future__ import annotations

from itertools import combinations
from pathlib import Path

import polars as pl
import pytest

import random_worlds
import surgetank as st
from surgetank.simulate import simulate
from surgetank.trace import Outcome, OutcomeReason, Stats

WORLDS = 300
COMBINED = range(random_worlds.COMBINED_FROM, random_worlds.COMBINED_FROM + 100)
ENGINES = range(random_worlds.ENGINES_FROM, random_worlds.ENGINES_FROM + 200)
CHUNK = 50


@pytest.mark.parametrize("first", range(0, WORLDS, CHUNK))
def test_no_world_breaks_what_must_hold(first: int, tmp_path: Path) -> None:
    numbers = range(first, first + CHUNK)
    found = [what for n in numbers for what in random_worlds.run(n, tmp_path / "journal")]
    assert not found, "\n".join(found)


def test_worlds_that_were_broken_once(tmp_path: Path) -> None:
    """Found by the soak: keyper faults on one node, of which one ended before the other."""
    found = [
        what for n in (2189, 2454, 3048) for what in random_worlds.run(n, tmp_path / "journal")
    ]
    assert not found, "\n".join(found)


def test_lanes_over_undecided_blocks_are_not_claimed_to_be_checked(tmp_path: Path) -> None:
    """Found by the soak: a message of an undecided block takes a turn that no later one shows."""
    numbers = (2_001_075, 2_001_554)
    worlds = [random_worlds.world(n) for n in numbers]
    assert {w.layer.queue.rule for w in worlds} == {"lanes"}
    found = [what for n in numbers for what in random_worlds.run(n, tmp_path / "journal")]
    assert not found, "\n".join(found)


def test_no_combination_of_settings_breaks_what_must_hold(tmp_path: Path) -> None:
    """Discipline, express lane, order, unsealing and matching, several at once."""
    found = [what for n in COMBINED for what in random_worlds.run(n, tmp_path / "journal")]
    assert not found, "\n".join(found)


@pytest.mark.parametrize("first", range(0, len(ENGINES), CHUNK))
def test_no_world_with_another_engine_breaks_what_must_hold(first: int, tmp_path: Path) -> None:
    numbers = ENGINES[first : first + CHUNK]
    found = [what for n in numbers for what in random_worlds.run(n, tmp_path / "journal")]
    assert not found, "\n".join(found)
    assert len({random_worlds.world(n).layer.consensus.kind for n in numbers}) == 4


MORE = [*range(1_000, 11_000, 500), *range(ENGINES.stop, ENGINES.stop + 10_000, 500)]


@pytest.mark.soak
@pytest.mark.parametrize("first", MORE)
def test_twenty_thousand_more(first: int, tmp_path: Path) -> None:
    numbers = range(first, first + 500)
    found = [what for n in numbers for what in random_worlds.run(n, tmp_path / "journal")]
    assert not found, "\n".join(found)


def test_the_worlds_are_many() -> None:
    """What is drawn is everything: a world that asks for nothing can break nothing."""
    worlds = [random_worlds.world(n) for n in range(WORLDS)]
    assert {w.layer.queue.rule for w in worlds} == set(random_worlds.RULES)
    assert {w.attack.kind for w in worlds} >= {*random_worlds.FLOODS, *random_worlds.TRADES}
    kinds = {fault.kind for w in worlds for fault in w.faults}
    assert kinds == {"partition", "crash", "slow", "loss", "delay", "spam", "keypers"}
    assert sum(w.market is not None and w.market.options is not None for w in worlds) > 20
    assert {w.market.margin.mode for w in worlds if w.market} == {"isolated", "cross"}


def test_the_combinations_are_many() -> None:
    """Every two settings of the five are met together."""
    worlds = [random_worlds.world(n) for n in COMBINED]
    together = {
        pair
        for w in worlds
        for pair in combinations([name for name in w.layer.queue.rule.split("+")], 2)
    }
    disciplines = {"priority", "class", "fee", "lanes", "drr", "codel", "fq-codel"}
    kinds = [disciplines, {"express"}, {"hash", "as-proposed", "themis", "median"}]
    kinds += [{"commit-reveal", "threshold"}, {"auction"}]
    for one, other in combinations(kinds, 2):
        assert any(a in one and b in other for a, b in together), (one, other)
    wanted = {("priority", "express"), ("fee", "threshold"), ("lanes", "auction")}
    assert together >= wanted | {("drr", "themis")}


def retried() -> tuple[st.Trace, st.Trace]:
    """A world in which messages were refused, sent again and executed."""
    for number in range(WORLDS):
        scenario = random_worlds.world(number)
        trace = simulate(scenario)
        again = trace["messages"].filter(pl.col("outcome") == Outcome.EXECUTED, pl.col("tries") > 0)
        if again.height > 3:
            return trace, simulate(scenario)
    raise AssertionError("no world in which messages are sent again")


def test_what_is_broken_by_hand_is_found() -> None:
    """The control: a stamp that a retry overwrote, money from nowhere, two nodes that disagree, an
    outcome that a refusal overwrote, and a run that is not the same again."""
    trace, again = retried()
    assert random_worlds.broken(trace, again) == []
    later = pl.when(pl.col("tries") > 0).then(pl.col("executed_ns") + 1)
    changes = {
        "gateway_ns": later.otherwise(pl.col("gateway_ns")),
        "reason": pl.lit(OutcomeReason.GATEWAY_DOWN, pl.UInt8),
        "position": pl.lit(0, pl.UInt32),
    }
    for column, expression in changes.items():
        tables = dict(trace.tables)
        tables["messages"] = tables["messages"].with_columns(expression.alias(column))
        altered = st.Trace.from_tables(
            tables, run=trace.run, stats=trace.stats, scenario=trace.scenario
        )
        assert random_worlds.broken(altered, altered), column
        assert random_worlds.broken(altered, again), column
    for flag in ("money_conserved", "safety"):
        stats = Stats.parse(trace.stats.to_dict() | {flag: False})
        altered = st.Trace.from_tables(
            trace.tables, run=trace.run, stats=stats, scenario=trace.scenario
        )
        assert any("violated" in what for what in random_worlds.broken(altered, altered)), flag
