"""Who is distinguished: false winners among equals, true ones among unequals, seeds that decide."""

from __future__ import annotations

import dataclasses
import math
from collections.abc import Callable
from functools import cache
from pathlib import Path

import numpy as np
import pytest
from numpy.random import Generator
from scipy import stats

import surgetank as st
from answers import queue
from hand_made_league import ATTACKS, league
from surgetank.league import Entrant, League, LeagueRun
from surgetank.league.ranks import ALPHA, holm, pair_of
from surgetank.league.result import SearchedLine
from surgetank.report.league import render_league, wording
from surgetank.search.parameter import parameter
from surgetank.search.pool import Inline
from surgetank.search.probe import Task, probe

P99 = "delay_p99_ms"
Draw = Callable[[Generator, int], np.ndarray]


def played(values: np.ndarray) -> League:
    """A league of made-up values: entrants × attacks × seeds."""
    entrants = tuple(Entrant(f"e{i}", "fifo", {"x": i}) for i in range(len(values)))
    attacks = ATTACKS[: values.shape[1]]
    made = tuple(
        LeagueRun(e.name, "fifo", attack, seed, 1, {P99: float(values[i, j, seed])}, (), ())
        for i, e in enumerate(entrants)
        for j, attack in enumerate(attacks)
        for seed in range(values.shape[2])
    )
    return League(
        scenario="s",
        title="",
        scenario_hash="0" * 12,
        build="test",
        seed=0,
        seeds=values.shape[2],
        rank=P99,
        confidence=0.95,
        keys=("x",),
        attacks=attacks,
        entrants=entrants,
        made=made,
        lines=(),
        left_out=(),
        search_runs=0,
        messages=1,
    )


def _skewed(rng: Generator, n: int) -> np.ndarray:
    return rng.lognormal(3.0, 1.0, n)


def _often_endless(rng: Generator, n: int) -> np.ndarray:
    return np.where(rng.random(n) < 0.5, math.inf, rng.lognormal(3.0, 0.3, n))


def _counts(rng: Generator, n: int) -> np.ndarray:
    return rng.poisson(0.5, n).astype(float)


#: Leagues played of each kind.
LEAGUES = 400


@pytest.mark.parametrize("draw", [Generator.normal, _skewed, _often_endless, _counts])
@pytest.mark.parametrize(("entrants", "seeds"), [(2, 3), (8, 5), (5, 12)])
def test_equals_have_no_winner(draw: Draw, entrants: int, seeds: int) -> None:
    """Of leagues of equals at most one in twenty tells any two apart, under two attacks, with ties,
    with infinities: the bound that a count of 5 % keeps to in 999 of 1,000."""
    rng = np.random.default_rng(20_261_122)
    shape = (entrants, 2, seeds)
    wrong = 0
    for _ in range(LEAGUES):
        if draw is Generator.normal:
            values = 100 + rng.normal(size=shape) + 5 * rng.normal(size=(1, 1, seeds))
        else:
            values = draw(rng, math.prod(shape)).reshape(shape)
        found = played(values)
        wrong += any(s.place != 1 for s in found.standings)
        assert found.winner is None or any(s.place != 1 for s in found.standings)
    assert wrong <= stats.binom.ppf(0.999, LEAGUES, ALPHA), f"{wrong} of {LEAGUES}"


@cache
def _pool() -> tuple[float, ...]:
    """p99 of real runs of one scenario, seeds 0 to 149."""
    scenario = queue(800.0, duration_s=0.5)
    level = parameter(scenario, "load").own
    tasks = [Task(scenario, level, seed) for seed in range(150)]
    return tuple(Inline().submit(probe, task).result().value(P99) for task in tasks)


def test_equal_runs_of_a_real_queue_have_no_winner() -> None:
    """Six entrants that are the same busy queue, five seeds each, drawn from 150 runs."""
    rng, wrong = np.random.default_rng(5), 0
    for _ in range(LEAGUES):
        values = rng.choice(np.array(_pool()), 30, replace=False).reshape(6, 1, 5)
        wrong += any(s.place != 1 for s in played(values).standings)
    assert wrong <= stats.binom.ppf(0.999, LEAGUES, ALPHA), f"{wrong} of {LEAGUES}"


def test_what_differs_clearly_is_distinguished() -> None:
    """A real league: loads of 30, 60 and 90 % of a server are three different delays."""
    found = st.league(
        queue(300.0, duration_s=2.0), vary="load=300,600,900", seeds=6, rank=P99, workers=1
    )
    assert [(s.place, s.place_to) for s in found.standings] == [(1, 1), (2, 2), (3, 3)]
    assert found.winner == "load 300"
    assert "load 300 is significantly better than all others" in wording.sentence(found)


def test_thresholds_without_error_differ_if_they_differ() -> None:
    """Whole numbers, such as a count of nodes, may be known exactly."""

    def line(name: str, at: float) -> SearchedLine:
        return SearchedLine(name, name, "none", "capacity", "FOUND", at, at, at, "1/s", "", 60)

    def of(*levels: float) -> list[tuple[int | None, int | None]]:
        names = [e.name for e in whole.entrants[: len(levels)]]
        lines = tuple(map(line, names, levels))
        entrants = whole.entrants[: len(levels)]
        made = dataclasses.replace(whole, rank="capacity", entrants=entrants, lines=lines)
        return [(s.place, s.place_to) for s in made.standings]

    whole = league(attacks=1)
    assert of(9.0, 5.0, 4.0) == [(1, 1), (2, 2), (3, 3)]
    assert of(5.0, 5.0) == [(1, 2), (1, 2)]


def test_without_a_winner_the_page_says_what_would_decide() -> None:
    """As many seeds as the power calculation asks for do decide, about four times in five."""
    rng = np.random.default_rng(3)

    def two(seeds: int) -> League:
        values = 100 + rng.normal(size=(2, 1, seeds))
        values[1] += 1.4
        return played(values)

    found = next(x for x in (two(4) for _ in range(50)) if x.winner is None and x.seeds_needed)
    html = render_league(found)
    assert "No winner" in html and f"--seeds {found.seeds_needed}" in html
    # Of a paired difference of 1.4/√2 standard deviations, textbook power 0.8 needs 11 pairs.
    d = np.array([1.4] * 6) + np.resize([math.sqrt(2), -math.sqrt(2)], 6) * math.sqrt(5 / 6)
    needed = pair_of(list(d)).seeds_needed(1)
    assert needed == 11
    won = sum(two(needed).winner == "e0" for _ in range(300))
    assert abs(won - 0.8 * 300) < 4 * math.sqrt(300 * 0.8 * 0.2)


def test_p_values_are_scipy_s() -> None:
    """Paired t, exact sign test where a difference is infinite, Holm as by hand."""
    a, b = np.array([3.0, 5.0, 10.0, 4.0]), np.array([4.5, 6.0, 11.8, 5.1])
    assert pair_of(list(b - a)).p == pytest.approx(stats.ttest_rel(a, b).pvalue)
    mixed = [math.inf, 1.0, 2.0, 3.0, -1.0, math.inf, 4.0]
    assert pair_of(mixed).p == pytest.approx(stats.binomtest(6, 7).pvalue)
    assert pair_of([1.0, 1.0, 1.0]).p == 0.25 and pair_of([0.0, 0.0]).sign == 0
    assert holm([0.01, 0.04, 0.03, 0.005]) == pytest.approx([0.03, 0.06, 0.06, 0.02])


def test_ranks_follow_from_the_runs(tmp_path: Path) -> None:
    """They are reported in JSON and in the table, and nothing of them is read back."""
    level = np.arange(4.0).reshape(4, 1, 1) * 100
    found = played(level + np.random.default_rng(2).normal(size=(4, 1, 6)))
    reported = found.to_dict()
    assert reported["winner"] == found.winner == "e0"
    assert [(s["place"], s["place_to"]) for s in reported["standings"]] == [
        (i, i) for i in range(1, 5)
    ]
    assert found.table(P99)["place_to"].to_list() == [1, 2, 3, 4]
    found.write(tmp_path)
    assert League.read(tmp_path) == found and League.read(tmp_path).winner == "e0"
