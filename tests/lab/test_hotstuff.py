"""Chained HotStuff in the lab: delays computed by hand, and what its messages are."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import numpy as np
import polars as pl
import pytest

import surgetank as st
from chained_venues import busy, chained_venue, full, steady
from linked_venues import MS, decided_ms
from surgetank.simulate import simulate


def venue(
    powers: Sequence[int],
    links: Sequence[tuple[int, int, float]],
    wait_ms: float = 0.0,
    **more: Any,
) -> st.Scenario:
    """The venue of test_powers under HotStuff."""
    return chained_venue("hotstuff", powers, links, wait_ms, **more)


@pytest.mark.parametrize("wait_ms", [0.0, 15.0])
def test_a_block_is_decided_after_five_delays_and_two_waits(wait_ms: float) -> None:
    """Proposal, votes, proposal, votes: the leader after the next decides; its proposal tells the
    others. Each leader waits before it proposes; the first wait is before the block is made."""
    delay = 10.0
    trace = simulate(venue([1] * 4, full(4, delay), wait_ms, duration_s=2.0))
    heights = steady(trace)
    assert len(heights) > 20
    for height in heights:
        decided = sorted(decided_ms(trace, height))
        first = 4 * delay + wait_ms
        assert decided == pytest.approx([first] + [first + delay + wait_ms] * 3, abs=1e-6)


def finality_ms(regions: Sequence[int], one_way: np.ndarray) -> float:
    """Mean time from proposal to decision over all nodes and all turns of the leaders, with a
    quorum of all but one, where work takes no time."""
    nodes = len(regions)
    delay = one_way[np.ix_(regions, regions)].copy()
    np.fill_diagonal(delay, 0.0)
    found = []
    for leader in range(nodes):
        begun = 0.0
        for step in range(2):
            now, after = (leader + step) % nodes, (leader + step + 1) % nodes
            votes = np.sort(begun + delay[now] + delay[:, after])
            begun = votes[nodes - 2]
        found.append(begun + delay[(leader + 2) % nodes])
    return float(np.mean(found))


@pytest.mark.parametrize("regions", [(0, 0, 0, 0, 0), (0, 0, 0, 1, 1)])
def test_regions_decide_as_computed_by_hand(regions: tuple[int, ...]) -> None:
    """Means over whole turns of five leaders: the delays of us-east-1 and eu-west-1."""
    one_way = np.array([[2.753, 34.84], [34.84, 1.589]])
    links = [(a, b, float(one_way[regions[a], regions[b]])) for a in range(5) for b in range(a)]
    trace = simulate(venue([1] * 5, links))
    heights = steady(trace)
    heights = heights[: len(heights) // 5 * 5]
    assert len(heights) >= 20
    mean = float(np.mean([decided_ms(trace, height) for height in heights]))
    # The leader of a round proposes when a quorum's votes are there, not when others know of it.
    assert mean == pytest.approx(finality_ms(regions, one_way), rel=1e-6)


def test_votes_go_to_one_node_only() -> None:
    """Of messages of consensus, which all go to all, there is one a block: the proposal."""
    counts = {}
    for kind in ("tendermint", "hotstuff"):
        trace = simulate(busy(kind))
        counts[kind] = trace.stats.consensus_messages / trace["blocks"].height
    assert counts["hotstuff"] < 1.2 and counts["tendermint"] > 14.0


def test_a_leader_that_is_down_fails_two_rounds() -> None:
    """Its own, and the one before, whose votes it was to collect."""
    down = {"kind": "crash", "nodes": [3], "at_s": 1.0, "duration_s": 60.0}
    trace = simulate(busy("hotstuff", faults=[down], layer__consensus__timeout_round_ms=100.0))
    after = trace["blocks"].filter(pl.col("proposed_ns") > 1_500 * MS)
    assert set(after["round"]) == {0, 2} and 3 not in set(after["proposer"])
