"""Equivocating validators under Tendermint: fewer than a third cannot make honest nodes disagree,
more than a third can; and honest nodes receive the evidence."""

from __future__ import annotations

import random
from typing import Any

import pytest

import surgetank as st
from surgetank.catalogue import CATALOGUE
from surgetank.measure import measure
from surgetank.scenario.attack import ATTACKS
from surgetank.simulate import simulate
from venue_under_attack import venue

SEEDS = range(30)
FLOOD = {"kind": "flood"}
#: Timeouts short enough that a run has time for rounds that fail.
TIMEOUTS = {
    "timeout_commit_ms": 100.0,
    "timeout_propose_ms": 150.0,
    "timeout_propose_delta_ms": 100.0,
    "timeout_vote_ms": 100.0,
    "timeout_vote_delta_ms": 100.0,
    "rebroadcast_ms": 200.0,
}


def network(seed: int, nodes: int, liars: int, **more: Any) -> st.Scenario:
    """A network, drawn from the seed, in which so many validators equivocate."""
    return venue(
        **{
            "duration_s": 3.0,
            "drain_s": 6.0,
            "network__nodes": nodes,
            "network__delay": {"kind": "uniform", "low_ms": 1.0, "high_ms": 60.0, "jitter": 0.5},
            "network__loss": (0.0, 0.02, 0.1)[seed % 3],
            "network__every_copy": seed % 2 == 0,
            "layer__gossip": {"kind": "mesh" if seed % 3 == 0 else "flood"},
            "layer__consensus": {"kind": "tendermint", **TIMEOUTS},
            "attack": {
                "kind": "equivocate",
                "nodes": [(seed + k) % nodes for k in range(liars)],
                "at_s": 0.2,
            },
        }
        | more
    )


def below_a_third(nodes: int) -> int:
    """The most of so many validators that are fewer than a third."""
    return (nodes - 1) // 3


@pytest.mark.parametrize("nodes", [4, 5, 7, 10])
def test_fewer_than_a_third_neither_fork_nor_stop_the_chain(nodes: int) -> None:
    """Whatever the delays, losses, gossip and positions: no two nodes decide differently."""
    detected = 0
    for seed in SEEDS:
        trace = simulate(network(seed, nodes, below_a_third(nodes)), seed=seed)
        assert trace.stats.safety, seed
        assert trace.stats.attack.found > 0, seed
        detected += trace.stats.equivocations > 0
        executed = trace["executions"].group_by("node").len()
        assert executed.height == nodes and min(executed["len"].to_list()) > 10, seed
    # A node drops what concerns a height that it has decided, so it may miss the second statement.
    assert detected > 0.8 * len(SEEDS)


@pytest.mark.parametrize("nodes", [4, 7, 10])
def test_more_than_a_third_fork_the_chain_and_the_run_says_so(nodes: int) -> None:
    """The positive control: one validator more, where all delays are equal, and the chain forks,
    which makes the run INVALID."""
    even = {"network__delay": {"kind": "fixed", "delay_ms": 10.0}, "layer__gossip": FLOOD}
    for seed in range(1, 4):
        attacked = network(seed, nodes, below_a_third(nodes) + 1, network__loss=0.0, **even)
        result = st.run(attacked, seed=seed)
        assert not result.trace.stats.safety
        assert result.verdict.status is st.Status.INVALID


def random_powers(seed: int) -> tuple[list[int], list[int]]:
    """Powers of some validators, and an order of them; both drawn from the seed."""
    draws = random.Random(seed)
    powers = [draws.choice((0, 1, 2, 5, 10, 30)) for _ in range(draws.randint(4, 9))]
    return [*powers, 1], draws.sample(range(len(powers) + 1), len(powers) + 1)


def test_less_than_a_third_of_the_power_neither_forks_nor_stops_the_chain() -> None:
    """As many validators as fit below a third of the power, of random powers."""
    found = 0
    for seed in range(60):
        powers, order = random_powers(seed)
        liars: list[int] = []
        for node in order:
            if 3 * sum(powers[k] for k in [*liars, node]) < sum(powers):
                liars.append(node)
        if not any(powers[node] for node in liars):
            continue
        attacked = network(seed, len(powers), 1, network__powers=powers)
        trace = simulate(attacked.with_values({"attack.nodes": liars}), seed=seed)
        assert trace.stats.safety, seed
        executed = trace["executions"].group_by("node").len()
        assert executed.height == len(powers) and min(executed["len"].to_list()) > 5, seed
        found += trace.stats.attack.found > 0
    assert found > 20


def test_more_than_a_third_of_the_power_forks_the_chain() -> None:
    """The positive control: where each half of the honest power is, with the liars', a quorum, few
    as they are, the chain forks, and the run is INVALID."""
    even = {"network__delay": {"kind": "fixed", "delay_ms": 10.0}, "layer__gossip": FLOOD}
    forked = 0
    for seed in range(40):
        powers, order = random_powers(seed)
        liars: list[int] = []
        while 3 * sum(powers[k] for k in liars) <= sum(powers):
            liars.append(order[len(liars)])
        halves = [0, 0]
        for power in sorted((powers[k] for k in order[len(liars) :]), reverse=True):
            halves[halves.index(min(halves))] += power
        both = min(halves) + sum(powers[k] for k in liars)
        if not (3 * both > 2 * sum(powers) and min(halves) > 0 and len(liars) < len(powers) / 2):
            continue
        attacked = network(seed, len(powers), 1, network__loss=0.0, network__powers=powers, **even)
        result = st.run(attacked.with_values({"attack.nodes": liars}), seed=seed)
        assert not result.trace.stats.safety, seed
        assert result.verdict.status is st.Status.INVALID
        forked += 1
    assert forked > 5


def test_honest_validators_are_not_accused() -> None:
    """No attack, or one outside its time: nothing is detected, and the run is the same."""
    none = venue(
        network__nodes=4,
        layer__gossip=FLOOD,
        layer__consensus={"kind": "tendermint"},
        duration_s=3.0,
    )
    over = none.with_values(
        {"attack": {"kind": "equivocate", "nodes": [1], "at_s": 2.9, "duration_s": 1e-9}}
    )
    quiet, silent = simulate(none), simulate(over)
    assert quiet.stats.equivocations == silent.stats.equivocations == 0
    assert silent["messages"].equals(quiet["messages"])
    assert silent["blocks"].equals(quiet["blocks"])


def test_what_is_detected_is_a_measure_with_a_limit() -> None:
    """One round and validator counts once, however many nodes receive both statements."""
    scenario = network(1, 7, 2).with_values({"limits": {"equivocations_max": 0}})
    result = st.run(scenario, seed=1)
    found = result.measures["equivocations"].value
    assert found == result.trace.stats.equivocations > 0
    # At most both validators in each round of each height.
    rounds = int((result.trace["blocks"]["round"] + 1).sum()) + 2
    assert found <= 2 * rounds
    assert result.verdict.status is st.Status.FAIL
    assert "equivocations" in CATALOGUE
    single = venue(duration_s=2.0)
    assert "equivocations" not in measure(simulate(single))


def test_without_votes_the_attack_is_refused() -> None:
    """A single sequencer agrees with itself."""
    with pytest.raises(st.SurgetankError, match="needs validators that vote"):
        venue(attack__kind="equivocate")
    with pytest.raises(st.SurgetankError, match=r"attack\.nodes: node 9 is not there"):
        network(0, 4, 1).with_values({"attack.nodes": [9]})
    voting = {kind for kind, section in ATTACKS.items() if section.needs_votes}
    assert voting == {"equivocate", "withhold-votes", "late-proposal"}
