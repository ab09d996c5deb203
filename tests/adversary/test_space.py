"""Attacks stay within their budget, go with their scenario, and can be replayed."""

from __future__ import annotations

import math
from typing import Any

import numpy as np
import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as any_of

from attacked_sequencer import LEADER, sequencer
from surgetank.adversary import AdversaryBudget, AttackPlan, AttackSpace, objective
from surgetank.adversary.plan import held_nodes
from surgetank.adversary.worst import Chance
from surgetank.errors import SurgetankError
from surgetank.scenario import Scenario, load
from surgetank.scenario.text import toml

CALM, SEALED = load("calm"), load("calm").with_values({"layer.queue.rule": "threshold"})

budgets = any_of.fixed_dictionaries(
    {
        "identities": any_of.integers(0, 12),
        "delay_ms": any_of.floats(1.0, 5_000.0),
        "attack_s": any_of.floats(0.01, 35.0),
        "rate_per_s": any_of.floats(1.0, 1e5),
        "capital_usd": any_of.sampled_from([0.0, 1.0, 1e6]),
    }
)


@settings(max_examples=60, deadline=None, suppress_health_check=list(HealthCheck))
@given(given_budget=budgets, draw=any_of.integers(0, 2**32), sealed=any_of.booleans())
def test_no_means_exceeds_the_budget(given_budget: dict[str, Any], draw: int, sealed: bool) -> None:
    """Held nodes, time, delay, messages and money; pulses do not overlap and end in the run."""
    scenario = SEALED if sealed else CALM
    budget = AdversaryBudget.of(scenario, **given_budget)
    space = AttackSpace.of(scenario, budget)
    for _ in range(4):
        plan = space.draw(Chance(np.random.default_rng(draw)))
        assert plan.within(budget), plan
        assert len(set(plan.held)) == len(plan.held) <= budget.identities
        ends = [at + length for at, length in plan.spans]
        begins = [at for at, _ in plan.spans]
        assert all(e <= b + 0.002 for e, b in zip(ends, begins[1:], strict=False))
        assert begins[0] >= scenario.warmup_s - 0.001
        assert ends[-1] <= scenario.duration_s + 0.01
        attacked = plan.applied(scenario)
        assert len(attacked.faults) == len(scenario.faults) + len(plan.spans) * len(
            plan.parts.keys() - {"attack"}
        )
        assert (
            Scenario.from_toml(toml(attacked.model_dump(mode="json", by_alias=True))).hash
            == attacked.hash
        )


def test_a_plan_beyond_the_budget_is_seen() -> None:
    """The control of the property above: each means, just above its bound."""
    budget = AdversaryBudget(2, 100.0, 1.0, 10.0, 50.0)
    held, spans = (0, 1), ((1.0, 1.0),)
    assert AttackPlan(held, spans, {"links": {"kind": "crash"}}).within(budget)
    beyond = [
        AttackPlan((0, 1, 2), spans, {"links": {"kind": "crash"}}),
        AttackPlan(held, ((1.0, 0.6), (2.0, 0.6)), {"links": {"kind": "crash"}}),
        AttackPlan(held, spans, {"links": {"kind": "delay", "extra_ms": 101.0}}),
        AttackPlan(held, spans, {"keypers": {"kind": "keypers", "extra_ms": 101.0}}),
        AttackPlan(held, spans, {"flood": {"kind": "spam", "rate_per_s": 10.1}}),
        AttackPlan(held, spans, {"attack": {"kind": "sandwich", "capital_usd": 50.1}}),
        AttackPlan(
            held,
            spans,
            {
                "flood": {"kind": "spam", "rate_per_s": 6.0},
                "attack": {"kind": "sybil", "rate_per_s": 6.0, "capital_usd": 1.0},
            },
        ),
    ]
    assert [plan.within(budget) for plan in beyond] == [False] * len(beyond)


def test_what_cannot_be_is_left_out() -> None:
    """With reasons: no money, no keypers, no validators that vote."""
    scenario = sequencer()
    space = AttackSpace.of(scenario, AdversaryBudget.of(scenario, identities=1))
    assert space.attacks == ("cancel-storm", "censor", "mute")
    assert not space.conducts
    assert "no capital" in space.left_out["attack sandwich"]
    assert "validators that vote" in space.left_out["attack equivocate"]
    voting = sequencer(layer__consensus__kind="tendermint")
    assert "equivocate" in AttackSpace.of(voting, AdversaryBudget.of(voting, identities=1)).attacks
    sealed = AttackSpace.of(SEALED, AdversaryBudget.of(SEALED))
    assert sealed.conducts == ("late", "silent", "colluding")


def test_textbook_attacks_have_one_part_and_all_of_the_budget() -> None:
    scenario = sequencer()
    budget = AdversaryBudget.of(scenario, identities=1, delay_ms=80.0, attack_s=2.0, rate_per_s=5.0)
    space = AttackSpace.of(scenario, budget)

    class Given(Chance):
        """Draws what is given, and the rest at random."""

        def __init__(self, values: dict[str, Any]) -> None:
            super().__init__(np.random.default_rng(0))
            self.values = values

        def suggest_categorical(self, name: str, choices: Any) -> Any:
            return self.values.get(name, super().suggest_categorical(name, choices))

        def suggest_int(self, name: str, low: int, high: int) -> int:
            return int(self.values.get(name, super().suggest_int(name, low, high)))

        def suggest_float(self, name: str, low: float, high: float, *, log: bool = False) -> float:
            return float(self.values.get(name, super().suggest_float(name, low, high, log=log)))

    plans = [space.draw(Given(values)) for values in space.textbook()]
    assert all(len(plan.parts) == 1 and plan.held == (LEADER,) for plan in plans)
    assert all(math.isclose(plan.attack_s, 2.0, abs_tol=1e-5) for plan in plans)
    kinds = {str(keys["kind"]): keys for plan in plans for keys in plan.parts.values()}
    assert {"partition", "delay", "loss", "crash", "spam", "censor"} <= kinds.keys()
    assert kinds["delay"]["extra_ms"] == 80.0 and kinds["spam"]["rate_per_s"] == 5.0


def test_held_nodes_go_around_the_end() -> None:
    assert held_nodes(5, 3, 3) == (0, 3, 4)
    assert held_nodes(6, 1, 3, stride=2) == (1, 3, 5)


def test_prices_and_messages() -> None:
    plan = AttackPlan(
        (0, 1),
        ((1.0, 1.5), (4.0, 0.5)),
        {"links": {"kind": "crash"}, "flood": {"kind": "spam", "rate_per_s": 10.0}},
    )
    budget = AdversaryBudget(2, 0.0, 2.0, 10.0, identity_usd=100.0, message_usd=0.5)
    assert (plan.messages, plan.identities) == (20.0, 2)
    assert plan.price_usd(budget) == 2 * 100.0 + 20 * 0.5
    assert plan.without("links").price_usd(budget) == 10.0


@pytest.mark.parametrize(
    ("number", "place"),
    [
        ({"identities": 4}, "--identities 4"),
        ({"identities": -1}, "--identities -1"),
        ({"delay_ms": math.nan}, "--delay-ms nan"),
        ({"attack_s": 7.5}, "--attack-s 7.5"),
        ({"rate_per_s": -1.0}, "--flood-rate -1"),
        ({"capital_usd": math.inf}, "--capital-usd inf"),
    ],
)
def test_a_budget_out_of_range_is_refused(number: dict[str, Any], place: str) -> None:
    with pytest.raises(SurgetankError) as error:
        AdversaryBudget.of(sequencer(), **number)
    assert error.value.place == place and error.value.hint


def test_nothing_to_do_is_refused() -> None:
    scenario = sequencer()
    with pytest.raises(SurgetankError, match="nothing to do"):
        AttackSpace.of(scenario, AdversaryBudget.of(scenario, identities=0, rate_per_s=0.0))


@pytest.mark.parametrize(
    ("name", "message"),
    [
        ("delay", "no such measure"),
        ("makers_edge_usd", "neither more nor less"),
        ("venue-loss", "needs a market"),
    ],
)
def test_an_objective_that_says_nothing_is_refused(name: str, message: str) -> None:
    with pytest.raises(SurgetankError, match=message):
        objective(name, sequencer())


def test_the_objective_follows_the_scenario() -> None:
    assert objective(None, CALM).name == "venue-loss"
    plain = objective(None, sequencer())
    assert (plain.name, plain.ceiling) == ("delay_p99_ms", 12_000.0)
    assert objective("executed_share", CALM).sign == -1
