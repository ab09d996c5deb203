"""Tusk and Bullshark against the recurrence of their papers: on random links every anchor is made,
and every block decided at every node, at the nanosecond that follows."""

from __future__ import annotations

import random

import polars as pl
import pytest

import surgetank as st
from chained_venues import GRAPHS, chained_venue
from graph_times import Rounds, decisions, waits_for_anchor
from linked_venues import MS

SEEDS = range(12)
LAST_LEFT_OUT = 3


def drawn(seed: int, kind: str) -> tuple[st.Scenario, Rounds]:
    """Nodes in a plane, where no detour is shorter than a link, with powers (equal under Bullshark,
    whose turns they set), and a wait."""
    chance = random.Random(seed)
    nodes = chance.randint(4, 8)
    places = [complex(chance.uniform(0.0, 60.0), chance.uniform(0.0, 60.0)) for _ in range(nodes)]
    delays = [
        [0.0 if a == b else round(2.0 + abs(places[a] - places[b]), 3) for b in range(nodes)]
        for a in range(nodes)
    ]
    powers = [1 if kind == "bullshark" else chance.randint(1, 3) for _ in range(nodes)]
    wait_ms = chance.choice([0.0, 5.0, 20.0])
    links = [(a, b, delays[a][b]) for a in range(nodes) for b in range(a)]
    ready = waits_for_anchor if kind == "bullshark" else Rounds.ready
    scenario = chained_venue(kind, powers, links, wait_ms)
    if kind == "bullshark":
        scenario = scenario.with_values({"layer.consensus.timeout_round_ms": 100_000.0})
    return scenario, Rounds(powers, delays, wait_ms, ready)


def anchors_of(trace: st.Trace) -> list[tuple[int, int]]:
    """Rounds and authors of the blocks' anchors: of odd rounds, but for those passed over."""
    found, round_ = [], -1
    for passed_over, author in trace["blocks"].sort("height").select("round", "proposer").rows():
        round_ += 2 * (1 + passed_over)
        found.append((round_, author))
    return found


@pytest.mark.parametrize("kind", GRAPHS)
def test_blocks_are_decided_when_the_papers_say(kind: str) -> None:
    passed_over = 0
    for seed in SEEDS:
        scenario, rounds = drawn(seed, kind)
        trace = st.simulate(scenario, seed=seed)
        anchors = anchors_of(trace)
        assert len(anchors) > 10, seed
        for _ in range(anchors[-1][0] + 3):
            rounds.play()
        due = decisions(rounds, anchors, by_coin=kind == "tusk")
        blocks = trace["blocks"].sort("height")
        passed_over += int(blocks["round"].sum())
        for height, anchor in enumerate(anchors[:-LAST_LEFT_OUT], start=1):
            made = blocks["proposed_ns"][height - 1] / MS
            assert made == pytest.approx(rounds.made[anchor[0]][anchor[1]], abs=1e-6), seed
            at = trace["executions"].filter(pl.col("height") == height).sort("node")
            decided = (at["decided_ns"] / MS).to_list()
            assert decided == pytest.approx(due[height - 1], abs=1e-6), (seed, height)
    assert passed_over > 0 or kind == "bullshark", "no world in which an anchor is passed over"
