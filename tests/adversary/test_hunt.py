"""The search on made-up damages: it climbs, it ignores what does nothing, and luck is no damage."""

from __future__ import annotations

import math
import sys
from collections.abc import Sequence

import numpy as np
import pytest

from attacked_sequencer import sequencer
from surgetank.adversary import AdversaryBudget, AttackPlan, AttackSpace, SearchEffort
from surgetank.adversary.hunt import hunt
from surgetank.adversary.worst import Chance
from surgetank.attacker.race import estimate
from surgetank.errors import SurgetankError

SCENARIO = sequencer(network__nodes=30)
SPACE = AttackSpace.of(SCENARIO, AdversaryBudget.of(SCENARIO, identities=9))
EFFORT = SearchEffort(trials=60)
SEEDS = range(1, 1 + EFFORT.search_seeds)


class Surface:
    """Damage by a rule of its own, and noise that hangs on the seed and the attack."""

    def __init__(self, draw: int, noise: float, top: float = 100.0) -> None:
        self.draw, self.noise, self.top = draw, noise, top
        self.target = int(np.random.default_rng(draw).integers(30))
        self.asked: list[tuple[AttackPlan, int]] = []

    def mean(self, plan: AttackPlan) -> float:
        """It counts that one node is held, that it is delayed, by how much, and when."""
        links = plan.parts.get("links", {})
        if links.get("kind") != "delay":
            return 0.0
        near = 1.0 if self.target in plan.held else 0.3
        late = float(links["extra_ms"]) / 1_000.0
        early = 1.0 - (plan.spans[0][0] - 1.0) / 7.0
        return self.top * near * late * (0.4 + 0.6 * early)

    def __call__(self, asked: Sequence[tuple[AttackPlan, int]]) -> list[float]:
        self.asked += asked
        found = []
        for plan, seed in asked:
            words = [self.draw, seed, *repr(plan.to_dict()).encode()]
            found.append(self.mean(plan) + self.noise * np.random.default_rng(words).normal())
        return found


def test_it_finds_more_than_chance_does() -> None:
    """Over 20 surfaces: the best found is worse than the best of as many random attacks. The
    textbook's attacks, which both have, are not enough: they hold the first nine nodes."""
    better, shares = 0, []
    for draw in range(20):
        surface = Surface(draw, noise=2.0)
        worst, _ = hunt(SPACE, surface, SEEDS, EFFORT, seed=draw)
        rng = np.random.default_rng(draw)
        tried = {repr(plan.to_dict()) for plan, _ in surface.asked}
        blind = max(surface.mean(SPACE.draw(Chance(rng))) for _ in tried)
        better += surface.mean(worst.plan) > blind
        shares.append(surface.mean(worst.plan) / surface.top)
    assert better >= 14, f"{better} of 20"
    assert np.mean(shares) > 0.75, shares


def test_parts_that_do_nothing_are_left_out() -> None:
    for draw in range(5):
        worst, _ = hunt(SPACE, Surface(draw, noise=0.0), SEEDS, EFFORT, seed=draw)
        assert set(worst.plan.parts) == {"links"}


def test_luck_is_no_damage() -> None:
    """Nothing does damage and all is noise: measured on fresh seeds, no more than 2.5 % of searches
    claim one. On the seeds on which the attack was chosen nearly all would: the control."""
    claims, lucky, draws = 0, 0, 40
    for draw in range(draws):
        surface = Surface(draw, noise=50.0, top=0.0)
        worst, _ = hunt(SPACE, surface, SEEDS, SearchEffort(trials=16), seed=draw)
        fresh = surface([(worst.plan, seed) for seed in range(1_000, 1_012)])
        claims += estimate(fresh, 1).low > 0
        lucky += worst.damage > 0
    assert claims <= 4, f"{claims} of {draws}; 1 expected"
    assert lucky > 0.9 * draws


def test_the_same_search_again() -> None:
    one, other = (hunt(SPACE, Surface(3, noise=5.0), SEEDS, EFFORT, seed=11) for _ in range(2))
    assert one == other
    third = hunt(SPACE, Surface(3, noise=5.0), SEEDS, EFFORT, seed=12)
    assert third[1] != one[1]


def test_what_was_run_is_not_run_again() -> None:
    surface = Surface(5, noise=1.0)
    hunt(SPACE, surface, SEEDS, EFFORT, seed=1)
    asked = [(repr(plan.to_dict()), seed) for plan, seed in surface.asked]
    assert len(asked) == len(set(asked)) <= EFFORT.runs
    assert {seed for _, seed in asked} <= set(SEEDS)


def test_runs_that_do_not_count_are_not_chosen() -> None:
    """Nor do they end the search; a fork is worse than any damage."""

    def partly(asked: Sequence[tuple[AttackPlan, int]]) -> list[float]:
        kinds = [plan.parts.get("links", {}).get("kind") for plan, _ in asked]
        return [{"delay": math.nan, "loss": math.inf}.get(str(k), 1e6) for k in kinds]

    worst, tried = hunt(SPACE, partly, SEEDS, SearchEffort(trials=24), seed=2)
    assert worst.plan.parts["links"]["kind"] == "loss" and worst.damage == math.inf
    assert any(t.damage == -math.inf for t in tried)


def test_without_optuna_the_command_that_installs_it_is_said(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    monkeypatch.setitem(sys.modules, "optuna", None)
    with pytest.raises(SurgetankError) as error:
        hunt(SPACE, Surface(0, 0.0), SEEDS, EFFORT, seed=1)
    assert "pip install" in error.value.hint and "optuna" in error.value.hint
