"""Simplex in the lab: a wait delays blocks and not decisions, what its messages are, what a leader
costs that is down, and what validators can do that lie."""

from __future__ import annotations

from typing import Any

import polars as pl
import pytest

import surgetank as st
from chained_venues import busy, chained_venue, full, steady
from linked_venues import MS, decided_ms
from surgetank.simulate import simulate
from venue_under_attack import venue as attacked

SEEDS = range(20)


@pytest.mark.parametrize("wait_ms", [0.0, 15.0])
def test_a_block_is_decided_after_three_delays_whatever_leaders_wait(wait_ms: float) -> None:
    """Proposal, votes, finalize votes. The next leader waits when it has the votes."""
    delay = 10.0
    trace = simulate(chained_venue("simplex", [1] * 4, full(4, delay), wait_ms, duration_s=2.0))
    heights = steady(trace)
    assert len(heights) > 20
    for height in heights:
        assert decided_ms(trace, height) == pytest.approx([3 * delay] * 4, abs=1e-6)
    blocks = trace["blocks"].filter(pl.col("height").is_in(heights)).sort("height")
    waits = blocks["proposed_ns"].diff().drop_nulls() / MS
    assert waits.to_list() == pytest.approx([2 * delay + wait_ms] * len(waits), abs=1e-6)


def test_messages_of_a_block_are_a_proposal_and_two_of_each_node() -> None:
    trace = simulate(busy("simplex"))
    assert trace.stats.consensus_messages / trace["blocks"].height == pytest.approx(15, rel=0.05)


def test_a_leader_that_is_down_fails_its_own_iteration_only() -> None:
    down = {"kind": "crash", "nodes": [3], "at_s": 1.0, "duration_s": 60.0}
    trace = simulate(busy("simplex", faults=[down], layer__consensus__timeout_round_ms=100.0))
    after = trace["blocks"].filter(pl.col("proposed_ns") > 1_500 * MS)
    assert set(after["round"]) == {0, 1} and 3 not in set(after["proposer"])
    first_of_turn = after.filter(round=1)["proposer"].unique().to_list()
    assert first_of_turn == [4], "one after it"


def lying(seed: int, nodes: int, liars: int) -> st.Scenario:
    """A network, drawn from the seed, in which so many validators equivocate."""
    values: dict[str, Any] = {
        "duration_s": 3.0,
        "drain_s": 6.0,
        "network__nodes": nodes,
        "network__delay": {"kind": "uniform", "low_ms": 1.0, "high_ms": 60.0, "jitter": 0.5},
        "network__loss": (0.0, 0.02, 0.1)[seed % 3],
        "layer__gossip": {"kind": "mesh" if seed % 3 == 0 else "flood"},
        "layer__consensus": {
            "kind": "simplex",
            "propose_wait_ms": 50.0,
            "timeout_round_ms": 200.0,
            "timeout_round_delta_ms": 100.0,
            "rebroadcast_ms": 200.0,
        },
        "attack": {
            "kind": "equivocate",
            "nodes": [(seed + k) % nodes for k in range(liars)],
            "at_s": 0.2,
        },
    }
    return attacked(**values)


@pytest.mark.parametrize("nodes", [4, 7])
def test_fewer_than_a_third_neither_fork_nor_stop_the_chain(nodes: int) -> None:
    detected = 0
    for seed in SEEDS:
        trace = simulate(lying(seed, nodes, (nodes - 1) // 3), seed=seed)
        assert trace.stats.safety, seed
        assert trace.stats.attack.found > 0, seed
        detected += trace.stats.equivocations > 0
        executed = trace["executions"].group_by("node").len()
        assert executed.height == nodes and min(executed["len"].to_list()) > 10, seed
    assert detected > 0.8 * len(SEEDS)


def test_more_than_a_third_fork_it() -> None:
    """The control of the test before, with equal delays."""
    even = {"network.delay": {"kind": "fixed", "delay_ms": 10.0}, "layer.gossip": {"kind": "flood"}}
    for seed in range(1, 4):
        attacked = lying(3 * seed, 4, 2).with_values(even)
        assert not simulate(attacked, seed=seed).stats.safety, seed
