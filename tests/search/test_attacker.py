"""The attacker's best response: found where it is known, not found where there is none."""

from __future__ import annotations

import io
import json
import math
from collections.abc import Sequence
from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest
from rich.console import Console
from typer.testing import CliRunner

import surgetank as st
from surgetank.attacker import KINDS, SETTINGS, BestResponse, Response, Strategy, best_response
from surgetank.attacker.race import MeanGain, RaceEffort, estimate, race
from surgetank.attacker.strategies import drawn, near
from surgetank.cli import app
from surgetank.console.attacks import show_response
from surgetank.errors import SurgetankError
from surgetank.scenario.attack import ATTACKS
from venue_under_attack import venue

EFFORT = RaceEffort(candidates=12)
SEARCH, FRESH = range(1, 1 + EFFORT.search_seeds), range(100, 108)


class Venue:
    """A hand-made objective: a hill whose top pays `top`, and noise that hangs on the seed."""

    def __init__(self, top: float, noise: float, draw: int, steep: float = 4.0) -> None:
        self.top, self.noise, self.draw, self.steep = top, noise, draw, steep
        self.summit = np.random.default_rng(draw).uniform(
            0.2, 0.8, size=len(SETTINGS["sandwich"]) + 1
        )
        self.asked: list[tuple[Strategy, int]] = []

    def mean(self, strategy: Strategy) -> float:
        return self.top - self.steep * abs(self.top or 1.0) * float(
            ((np.asarray(strategy.at) - self.summit) ** 2).sum()
        )

    def __call__(self, asked: Sequence[tuple[Strategy, int]]) -> list[float]:
        self.asked += asked
        gains = []
        for strategy, seed in asked:
            words = [self.draw, seed, *(int(x * 1e9) for x in strategy.at)]
            gains.append(self.mean(strategy) + self.noise * np.random.default_rng(words).normal())
        return gains


def searched(place: Venue, draw: int) -> tuple[Strategy, float, MeanGain]:
    first = drawn("sandwich", EFFORT.candidates, 1e6, draw)
    best, looked = race(first, place, SEARCH, EFFORT, draw)
    return best, looked, estimate(place([(best, seed) for seed in FRESH]), among=1)


def test_the_search_climbs() -> None:
    """Without noise, over 20 hills: better than the best of as many strategies drawn blindly."""
    better = 0
    for draw in range(20):
        place = Venue(100.0, 0.0, draw)
        best, _, found = searched(place, draw)
        blind = drawn("sandwich", len({s for s, _ in place.asked}), 1e6, 1_000 + draw)
        better += found.mean > max(map(place.mean, blind))
        assert found.mean == pytest.approx(place.mean(best))
    assert better >= 15, f"{better} of 20"


def test_what_pays_is_found_to_pay() -> None:
    paying = [searched(Venue(100.0, 20.0, draw), draw)[2].pays for draw in range(20)]
    assert paying.count(True) >= 18


def test_luck_is_no_gain() -> None:
    """Nothing pays: every strategy's mean is zero, and noise is all there is. Of 100 searches at
    most 2.5 % may claim a gain; the seeds that a strategy was chosen on claim it nearly always."""
    claims, lucky, draws = 0, 0, 100
    for draw in range(draws):
        place = Venue(0.0, 50.0, draw, steep=0.0)
        _, looked, found = searched(place, draw)
        claims += found.pays is True
        lucky += looked > 0
    assert claims <= 8, f"{claims} of {draws}; 2.5 expected"
    assert lucky > 0.9 * draws, "the positive control: the best of many looks good"


def test_what_costs_does_not_pay() -> None:
    found = [searched(Venue(-30.0, 5.0, draw), draw)[2].pays for draw in range(20)]
    assert found.count(False) >= 19


@pytest.mark.parametrize("candidates", [2, 5, 12, 40])
def test_how_many_runs_is_said_beforehand(candidates: int) -> None:
    """No fewer than it takes, and not twice as many."""
    effort = RaceEffort(candidates=candidates)
    asked: list[tuple[Strategy, int]] = []

    def gains(more: Sequence[tuple[Strategy, int]]) -> list[float]:
        asked.extend(more)
        return [float(sum(strategy.at)) for strategy, _ in more]

    race(drawn("sandwich", candidates, 1e6, 1), gains, range(effort.search_seeds), effort, 1)
    assert 0.5 * effort.runs <= len(asked) <= effort.runs


def test_chosen_and_measured_on_different_seeds() -> None:
    place = Venue(10.0, 5.0, 3)
    best, _, _ = searched(place, 3)
    assert {seed for _, seed in place.asked[: -len(FRESH)]} <= set(SEARCH)
    assert [(s, seed) for s, seed in place.asked[-len(FRESH) :]] == [(best, s) for s in FRESH]
    alike = Venue(10.0, 5.0, 3)
    assert searched(alike, 3)[0] == best, "the same search again"


def test_runs_that_do_not_count_are_left_out() -> None:
    assert estimate([1.0, math.nan, 3.0], among=1).n == 2
    assert estimate([math.nan], among=1).pays is None
    assert estimate([0.0] * 8, among=9).pays is False, "who never trades gains nothing"
    wide, narrow = (estimate([1.0, 2.0, 3.0], among=n) for n in (9, 1))
    assert wide.low < narrow.low < 2.0


def test_every_kind_that_trades_is_there_and_its_settings_are_keys() -> None:
    trading = {kind for kind, section in ATTACKS.items() if section.trades}
    assert len(trading) > 5 and trading <= set(KINDS) <= set(ATTACKS)
    for kind in KINDS:
        assert kind not in ("none", "stampede", "censor", "equivocate")
        for strategy in drawn(kind, 8, 5e4, 1) + near(drawn(kind, 1, 5e4, 2)[0], 4, 0.5, 3):
            attack = strategy.applied(venue()).attack
            assert attack.kind == kind
            assert attack.capital_usd <= 5e4


def response(kind: str, low: float, high: float) -> Response:
    estimated = MeanGain((low + high) / 2, low, high, 8)
    return Response(kind, Strategy(kind, (0.5,) * (len(SETTINGS[kind]) + 1), 1e6), estimated, 0.0)


def test_verdicts() -> None:
    pays, costs, open_ = (
        response("sandwich", 5, 15),
        response("spam", -9, -1),
        response("grind", -1, 3),
    )
    both = BestResponse("here", (pays, costs), range(1, 9), range(9, 17), 0)
    assert both.status is st.Status.FAIL
    assert both.gain_usd == 10
    none = replace(both, responses=(costs,))
    assert none.status is st.Status.PASS
    assert none.gain_usd == 0
    unsure = replace(both, responses=(open_, costs))
    assert unsure.status is st.Status.UNKNOWN
    assert unsure.gain_usd == 0
    # Half width 2, mean 1: four times the seeds.
    assert unsure.seeds_needed == 8 * 4


@pytest.mark.parametrize(
    ("asked", "says"),
    [
        ({"kinds": ["censor"]}, "no such attack that trades"),
        ({"kinds": []}, "no attack is named"),
        ({"fresh": 1}, "one seed has no interval"),
        ({"budget_usd": 0.0}, "must lie in"),
    ],
)
def test_what_cannot_be_asked(asked: dict[str, object], says: str) -> None:
    with pytest.raises(SurgetankError, match=says):
        best_response(venue(), **asked)  # type: ignore[arg-type]


SMALL = RaceEffort(candidates=4, neighbours=2)


def test_an_insider_pays_unless_no_one_can_read() -> None:
    """The same venue: who makes blocks gains under first come, first served, whatever else it could
    do; where orders are sealed until their place is fixed, no setting gains anything."""
    found = {}
    for rule in ("fifo", "threshold"):
        place = venue(duration_s=3.0, layer__queue__rule=rule, attack__kind="insider")
        found[rule] = best_response(
            place, kinds=["insider"], effort=SMALL, fresh=8, seed=1, workers=1
        )
    assert found["fifo"].status is st.Status.FAIL
    assert found["fifo"].gain_usd > 0
    assert found["threshold"].status is st.Status.PASS
    assert found["threshold"].responses[0].gain.high == 0


SCENARIO = """
name = "small"
duration_s = 2.0
warmup_s = 0.5
drain_s = 1.0
flow = { arrivals = { kind = "poisson", rate_per_s = 20.0 }, makers = { count = 1, levels = 2 } }
network = { nodes = 1 }
layer = { gossip = { kind = "direct" }, consensus = { kind = "single" } }
market = {}
"""


def test_the_command(tmp_path: Path) -> None:
    """Its JSON and its exit code say the same; the seeds of search and estimate are different."""
    (tmp_path / "small.toml").write_text(SCENARIO)
    command = ["attack", str(tmp_path / "small.toml"), "--kinds", "withhold", "--json"]
    command += ["--candidates", "2", "--fresh", "2", "--workers", "1"]
    reported = CliRunner().invoke(app, command)
    answer = json.loads(reported.stdout)
    assert reported.exit_code == {"PASS": 0, "FAIL": 1, "UNKNOWN": 4}[answer["status"]]
    assert answer["responses"][0]["attack"]["kind"] == "withhold"
    assert not set(answer["search_seeds"]) & set(answer["fresh_seeds"])


@pytest.mark.parametrize(
    ("responses", "says"),
    [
        (
            (response("sandwich", 5, 15), response("spam", -9, -1)),
            "The best attack found gains $10 per run: sandwich",
        ),
        ((response("spam", -9, -1),), "the best response found is not to attack"),
        ((response("grind", -1, 3),), "about 32 fresh seeds would decide it (--fresh 32)"),
    ],
)
def test_what_a_person_reads(responses: tuple[Response, ...], says: str) -> None:
    console = Console(record=True, width=160, file=io.StringIO())
    show_response(BestResponse("here", responses, range(1, 9), range(9, 17), 99), console)
    shown = console.export_text()
    assert says in shown
    assert "e+0" not in shown, "money in scientific notation"
