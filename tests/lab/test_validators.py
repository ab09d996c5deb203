"""Validators of the attacker that withhold votes, propose late, or censor: below a third the chain
goes on, with a third it stops for what they censor."""

from __future__ import annotations

from typing import Any

import polars as pl
import pytest

import surgetank as st
from surgetank.trace import MessageClass

ENGINES = ("tendermint", "hotstuff", "simplex", "bullshark", "tusk")
BEGIN_S, LENGTH_S = 4.0, 12.0
#: Seven validators: two are fewer than a third, three are not.
NODES = 7


def ran(engine: str, attack: dict[str, Any] | None, seed: int, **mix: float) -> st.Trace:
    attack = {"kind": "none"} if attack is None else attack
    when = {} if attack["kind"] == "none" else {"at_s": BEGIN_S, "duration_s": LENGTH_S}
    scenario = st.Scenario.build(
        {
            "name": "bad-validators",
            "duration_s": 20.0,
            "drain_s": 6.0,
            "network": {"nodes": NODES, "topology": {"kind": "full"}},
            "flow": {"arrivals": {"kind": "poisson", "rate_per_s": 25.0}, "mix": mix},
            "layer": {"gossip": {"kind": "flood"}, "consensus": {"kind": engine}},
            "attack": attack | when,
        }
    )
    return st.simulate(scenario, seed=seed)


def blocks(trace: st.Trace) -> int:
    """Blocks decided during the attack, but for its first second."""
    at = pl.col("decided_ns") / 1e9
    during = at.is_between(BEGIN_S + 1.0, BEGIN_S + LENGTH_S)
    return trace["blocks"].filter(during).height


def censored(trace: st.Trace) -> tuple[int, int]:
    """Cancels executed during the attack, and other messages."""
    at = pl.col("executed_ns") / 1e9
    during = trace["messages"].filter(at.is_between(BEGIN_S + 1.0, BEGIN_S + LENGTH_S))
    cancels = pl.col("class") == MessageClass.CANCEL
    return during.filter(cancels).height, during.filter(~cancels).height


@pytest.mark.parametrize("seed", range(3))
@pytest.mark.parametrize("engine", ENGINES)
def test_two_thirds_go_on_without_the_rest(engine: str, seed: int) -> None:
    """Withheld votes of two of seven slow the chain and do not stop it; those of three stop it."""
    few = blocks(ran(engine, {"kind": "withhold-votes", "nodes": [0, 1]}, seed))
    many = blocks(ran(engine, {"kind": "withhold-votes", "nodes": [0, 1, 2]}, seed))
    assert few > 2
    assert many == 0


@pytest.mark.parametrize("engine", ENGINES)
def test_votes_count_again_afterwards(engine: str) -> None:
    trace = ran(engine, {"kind": "withhold-votes", "nodes": [0, 1, 2]}, 1)
    after = pl.col("decided_ns") / 1e9 > BEGIN_S + LENGTH_S
    assert trace["blocks"].filter(after).height > 3


@pytest.mark.parametrize("engine", ENGINES)
def test_a_late_proposer_costs_its_delay(engine: str) -> None:
    """Each of its blocks comes 400 ms later, which all wait for: fewer blocks over three seeds.
    With 20 s, beyond every timeout, its rounds are lost, and the chain goes on."""
    late = {"kind": "late-proposal", "nodes": [0, 1], "extra_ms": 400.0}
    runs = range(3)
    usual = sum(blocks(ran(engine, None, seed)) for seed in runs)
    slower = sum(blocks(ran(engine, late, seed)) for seed in runs)
    lost = blocks(ran(engine, late | {"extra_ms": 20_000.0}, 1))
    assert slower < usual
    assert lost > 2


@pytest.mark.parametrize("seed", range(3))
@pytest.mark.parametrize("engine", ENGINES)
def test_censors_with_a_third_of_the_votes_are_obeyed(engine: str, seed: int) -> None:
    """Three of seven that vote for no block with a cancel: none is executed while others are
    proposed without; two delay cancels, and do not prevent them. As mere proposers, seven of seven
    are needed: the control that votes are what decides."""
    attack: dict[str, Any] = {"kind": "censor", "class": "cancel"}
    three = attack | {"node": 0, "nodes": [1, 2], "votes": True}
    cancels, _ = censored(ran(engine, three, seed))
    assert cancels == 0
    two = attack | {"node": 0, "nodes": [1], "votes": True}
    assert censored(ran(engine, two, seed))[0] > 10
    proposers = attack | {"node": 0, "nodes": [1, 2]}
    assert censored(ran(engine, proposers, seed))[0] > 10
    all_seven = attack | {"node": 0, "nodes": list(range(1, NODES))}
    none, others = censored(ran(engine, all_seven, seed))
    assert none == 0 and others > 50


@pytest.mark.parametrize("engine", ENGINES)
def test_none_of_them_forks_the_chain(engine: str) -> None:
    """None of them endangers safety, whatever their number below all."""
    for attack in (
        {"kind": "withhold-votes", "nodes": [0, 1, 2, 3]},
        {"kind": "late-proposal", "nodes": [0, 1, 2, 3], "extra_ms": 700.0},
        {"kind": "censor", "node": 0, "nodes": [1, 2, 3], "class": "order", "votes": True},
    ):
        trace = ran(engine, attack, 2)
        assert st.judge(st.measure(trace), {}, trace).status.value != "INVALID", attack
