"""Tusk and Bullshark in the lab: when blocks are decided, what a node costs that is down or has
been, what is lost with packets, and what validators can do that lie."""

from __future__ import annotations

from typing import Any

import polars as pl
import pytest

import surgetank as st
from chained_venues import GRAPHS, busy, chained_venue, full, steady
from linked_venues import MS, decided_ms
from surgetank.simulate import simulate
from surgetank.trace import Outcome
from venue_under_attack import venue as attacked

SEEDS = range(20)
DELAY_MS = 10.0


@pytest.mark.parametrize("wait_ms", [0.0, 15.0])
@pytest.mark.parametrize(
    ("kind", "delays", "waits"), [("bullshark", 6, 1), ("tusk", 7, 2)], ids=GRAPHS
)
def test_an_anchor_is_decided_after_so_many_delays(
    kind: str, delays: int, waits: int, wait_ms: float
) -> None:
    """Its vertex, votes and certificate, those of the next round; Tusk's coin is in the one after
    it. Anchors follow each other in two rounds."""
    venue = chained_venue(kind, [1] * 4, full(4, DELAY_MS), wait_ms, duration_s=2.0)
    trace = simulate(venue)
    heights = steady(trace)
    assert len(heights) > 15
    for height in heights:
        expected = delays * DELAY_MS + waits * wait_ms
        assert decided_ms(trace, height) == pytest.approx([expected] * 4, abs=1e-6)
    blocks = trace["blocks"].filter(pl.col("height").is_in(heights)).sort("height")
    spans = blocks["proposed_ns"].diff().drop_nulls() / MS
    assert spans.to_list() == pytest.approx([6 * DELAY_MS + 2 * wait_ms] * len(spans), abs=1e-6)


@pytest.mark.parametrize("kind", GRAPHS)
def test_a_block_is_two_rounds_of_a_vertex_and_a_certificate_of_each_node(kind: str) -> None:
    trace = simulate(busy(kind))
    per_block = trace.stats.consensus_messages / trace["blocks"].height
    assert per_block == pytest.approx(2 * 2 * 7, rel=0.1)


def executed(trace: st.Trace) -> float:
    """Share of clients' messages that are executed."""
    return float((trace["messages"]["outcome"] == Outcome.EXECUTED).mean())  # type: ignore[arg-type]


@pytest.mark.parametrize("kind", GRAPHS)
@pytest.mark.parametrize("gossip", ["flood", "mesh", "gossipsub"])
def test_each_message_is_executed_once_although_packets_are_lost(kind: str, gossip: str) -> None:
    for seed in range(5):
        lossy = busy(kind, network__loss=0.1, layer__gossip__kind=gossip, drain_s=15.0)
        trace = simulate(lossy, seed=seed)
        assert executed(trace) == 1.0, seed
        assert trace["blocks"]["messages"].sum() == trace["messages"].height, seed


def test_only_bullshark_waits_for_a_node_that_is_down() -> None:
    """It waits out its timer where that node's anchor would be; Tusk goes on with the others."""
    down = {"kind": "crash", "nodes": [3], "at_s": 1.0, "duration_s": 60.0}
    rates = {}
    for kind in GRAPHS:
        plain, less = simulate(busy(kind)), simulate(busy(kind, faults=[down]))
        rates[kind] = less["blocks"].height / plain["blocks"].height
        assert 3 not in set(less["blocks"].filter(pl.col("proposed_ns") > 2_000 * MS)["proposer"])
    assert rates["bullshark"] < 0.75 and rates["tusk"] > 0.75


@pytest.mark.parametrize("kind", GRAPHS)
def test_a_node_that_was_down_for_longer_than_others_remember_catches_up(kind: str) -> None:
    away = {"kind": "crash", "nodes": [3], "at_s": 1.0, "duration_s": 12.0}
    keys: dict[str, Any] = {"propose_wait_ms": 10.0, "depth_rounds": 20}
    more = {f"layer__consensus__{key}": value for key, value in keys.items()}
    trace = simulate(busy(kind, faults=[away], duration_s=20.0, **more))
    executed_by = trace["executions"].group_by("node").len()["len"].to_list()
    assert len(executed_by) == 7 and len(set(executed_by)) == 1 and executed_by[0] > 100


@pytest.mark.parametrize("kind", GRAPHS)
@pytest.mark.parametrize("nodes", [4, 7])
def test_fewer_than_a_third_neither_fork_nor_stop_the_chain(kind: str, nodes: int) -> None:
    """Two vertices in a round, each to one half: one of them is certified at most."""
    detected = 0
    for seed in SEEDS:
        liars = [(seed + k) % nodes for k in range((nodes - 1) // 3)]
        trace = simulate(
            attacked(
                duration_s=3.0,
                drain_s=6.0,
                network__nodes=nodes,
                network__loss=(0.0, 0.02, 0.1)[seed % 3],
                layer__gossip={"kind": "mesh" if seed % 3 == 0 else "flood"},
                layer__consensus={"kind": kind, "propose_wait_ms": 50.0},
                attack={"kind": "equivocate", "nodes": liars, "at_s": 0.2},
            ),
            seed=seed,
        )
        assert trace.stats.safety, seed
        assert trace.stats.attack.found > 0, seed
        detected += trace.stats.equivocations > 0
        at_each = trace["executions"].group_by("node").len()
        assert at_each.height == nodes and min(at_each["len"].to_list()) > 5, seed
    assert detected > 0.8 * len(SEEDS)
