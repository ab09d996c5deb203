"""Voting powers, machines and links of nodes: delays of consensus computed by hand."""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np
import polars as pl
import pytest

from linked_venues import CHAIN, COMMIT_MS, MS, decided_ms, venue
from surgetank.measure import measure
from surgetank.simulate import simulate
from surgetank.trace import CLASSES


@pytest.mark.parametrize(
    ("powers", "decided"),
    [
        # All three must vote. B proposes at 0: A prevotes at 10, C at 30; the prevotes of all have
        # reached A at 70, B at 60, C at 50, and their precommits A at 90, B at 80, C at 110.
        ((1, 1, 1), (90.0, 80.0, 110.0)),
        # A and B are a quorum: they precommit at 10 and 20, which C hears at 50.
        ((4, 4, 1), (30.0, 20.0, 50.0)),
        # B alone is a quorum: it decides at once, and its two votes travel with the proposal.
        ((1, 7, 1), (10.0, 0.0, 30.0)),
        # A follows without a vote; B and C must both vote.
        ((0, 1, 1), (70.0, 60.0, 90.0)),
    ],
)
def test_a_chain_of_three_decides_as_computed_by_hand(
    powers: tuple[int, ...], decided: tuple[float, ...]
) -> None:
    """A – 10 ms – B – 30 ms – C, with B as the proposer."""
    trace = simulate(venue(powers, CHAIN))
    mine = trace["blocks"].filter(
        (trace["blocks"]["proposer"] == 1) & (trace["blocks"]["height"] > 1)
    )
    assert mine.height > 3
    for height in mine["height"]:
        assert decided_ms(trace, height) == pytest.approx(decided, abs=1e-6)


def turns(powers: Sequence[int], count: int) -> list[int]:
    """CometBFT's weighted round robin, by its definition."""
    priorities, found = [0] * len(powers), []
    for _ in range(count):
        priorities = [p + w for p, w in zip(priorities, powers, strict=True)]
        first = priorities.index(max(priorities))
        priorities[first] -= sum(powers)
        found.append(first)
    return found


def reached(sent: np.ndarray, delay: np.ndarray, powers: Sequence[int]) -> np.ndarray:
    """When each node has the statements of more than two thirds of the power."""
    found = np.zeros(len(sent))
    for node in range(len(sent)):
        arrivals, power = sent + delay[:, node], 0
        for voter in np.argsort(arrivals, kind="stable"):
            power += powers[voter]
            if 3 * power > 2 * sum(powers):
                found[node] = arrivals[voter]
                break
    return found


def block_times_ms(powers: Sequence[int], delay: np.ndarray, heights: int) -> list[float]:
    """From decision to decision at the first node, of rounds that never fail (arXiv 1807.04938)."""
    decided, proposers, first = np.zeros(len(powers)), turns(powers, heights + 1), []
    for height in range(1, heights + 1):
        # Height 1 begins at once, every other after the wait that follows a decision.
        begun = decided + (COMMIT_MS if height > 1 else 0.0)
        proposer = proposers[height]
        known = begun[proposer] + delay[proposer]
        prevoted = np.maximum(begun, known)
        precommitted = np.maximum(prevoted, reached(prevoted, delay, powers))
        decided = np.maximum(known, reached(precommitted, delay, powers))
        first.append(decided[0])
    return list(np.diff(first))


#: Four near nodes and two far ones.
STAR = ((0, 1, 5.0), (0, 2, 5.0), (0, 3, 5.0), (0, 4, 90.0), (3, 5, 120.0))


def star_delays() -> np.ndarray:
    to_hub = np.array([0.0, 5.0, 5.0, 5.0, 90.0, 125.0])
    delay: np.ndarray = np.add.outer(to_hub, to_hub)
    delay[3, 5] = delay[5, 3] = 120.0
    np.fill_diagonal(delay, 0.0)
    return delay


@pytest.mark.parametrize(
    "powers", [(1, 1, 1, 1, 1, 1), (3, 3, 3, 3, 1, 1), (3, 3, 3, 3, 0, 0), (10, 1, 1, 1, 7, 2)]
)
def test_block_times_are_those_computed_from_powers_and_delays(powers: tuple[int, ...]) -> None:
    """Every interval between blocks, with proposers by weight, to the nanosecond."""
    trace = simulate(venue(powers, STAR))
    rows = trace["executions"].filter(node=0).sort("height")
    heights = rows.height
    assert (
        trace["blocks"].sort("height")["proposer"].to_list()[:heights]
        == (turns(powers, heights + 1)[1:])
    )
    expected = block_times_ms(powers, star_delays(), heights)
    assert (np.diff(rows["decided_ns"]) / MS).tolist() == pytest.approx(expected, abs=1e-6)


def test_far_nodes_without_power_no_longer_slow_the_chain() -> None:
    """The mean interval of a whole period falls exactly as computed, and to the near nodes' own."""
    delay = star_delays()
    equal, near = (1,) * 6, (1, 1, 1, 1, 0, 0)
    means = []
    for powers in (equal, near):
        trace = simulate(venue(powers, STAR, duration_s=8.0))
        rows = trace["executions"].filter(node=0).sort("height")
        spans = np.diff(rows["decided_ns"]) / MS
        period = 12
        assert spans[1 : 1 + period].mean() == pytest.approx(
            np.mean(block_times_ms(powers, delay, period + 2)[1 : 1 + period]), abs=1e-6
        )
        means.append(spans[1 : 1 + period].mean())
    # Proposal, prevotes and precommits of near nodes: at most 10 ms each between any two.
    assert means[1] <= COMMIT_MS + 30.0 < means[0]


def test_the_fault_budget_counts_power() -> None:
    """Two of five crashed nodes have 2 of 10 parts of the power; without power they have none."""
    crash = [{"kind": "crash", "at_s": 1.0, "duration_s": 1.0, "nodes": [3, 4]}]
    links = [(a, b, 5.0) for a in range(5) for b in range(a)]
    for powers, share in (((4, 2, 2, 1, 1), 0.2), ((1, 1, 1, 0, 0), 0.0), ((1, 1, 1, 3, 3), 6 / 9)):
        found = measure(simulate(venue(powers, links, faults=crash)))
        assert found["desynchronised_share_max"].value == pytest.approx(share)
        assert found["fault_budget_left"].value == pytest.approx(1 / 3 - share)
        systemic = found["systemic_desync_s"].value or 0.0
        assert (systemic > 0) == (share >= 1 / 3)


def test_a_partition_cuts_off_the_side_without_two_thirds_of_the_power() -> None:
    """One heavy node is a quorum against four light ones."""
    cut = [{"kind": "partition", "at_s": 1.0, "duration_s": 3.0, "groups": [[0]]}]
    links = [(a, b, 5.0) for a in range(5) for b in range(a)]
    short = {f"layer__consensus__timeout_{step}_ms": 20.0 for step in ("propose", "vote")}
    short |= {f"layer__consensus__timeout_{step}_delta_ms": 10.0 for step in ("propose", "vote")}
    heavy = simulate(venue((9, 1, 1, 1, 1), links, faults=cut, **short))
    assert measure(heavy)["desynchronised_share_max"].value == pytest.approx(4 / 13)
    during = heavy["executions"].filter(pl.col("decided_ns").is_between(1_100 * MS, 3_990 * MS))
    assert set(during["node"]) == {0}
    # With equal powers the four are the quorum, and the one is cut off.
    light = simulate(venue((1, 1, 1, 1, 1), links, faults=cut, **short))
    assert measure(light)["desynchronised_share_max"].value == pytest.approx(1 / 5)
    during = light["executions"].filter(pl.col("decided_ns").is_between(1_100 * MS, 3_990 * MS))
    assert set(during["node"]) == {1, 2, 3, 4}


def test_a_faster_machine_validates_in_less_time() -> None:
    """Service times are divided by the speed of the machine; its uplink is its own."""
    links = [(0, 1, 5.0), (0, 2, 5.0), (1, 2, 5.0)]
    machines = [
        {"name": "fast", "nodes": [1], "speed": 4.0},
        {"name": "slow", "nodes": [2], "speed": 0.5, "uplink_mbps": 1.0},
    ]
    values = {"layer__service__validation__order_us": 400.0, "network__machines": machines}
    scenario = venue((1, 1, 1), links, flow__arrivals__rate_per_s=50.0, **values)
    trace = simulate(scenario)
    rows = trace["messages"].filter(pl.col("class") == CLASSES.index("order"))
    span = (pl.col("admitted_ns") - pl.col("gateway_ns")).min()
    least = rows.drop_nulls("admitted_ns").group_by("gateway").agg(span)
    assert dict(least.iter_rows()) == {0: 400_000, 1: 100_000, 2: 800_000}
    busy = trace["gauges"].group_by("node").agg(pl.col("uplink_busy_ns").max()).sort("node")
    zero, one, two = busy["uplink_busy_ns"]
    assert zero == one == 0 < two
