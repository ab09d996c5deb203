"""Engines whose blocks grow on undecided ones: nothing is lost or executed twice, who comes back
catches up, and delays are those of the table in docs/consensus.md."""

from __future__ import annotations

from typing import Any

import polars as pl
import pytest

from chained_venues import CHAINED, busy, chained_venue, full, steady
from linked_venues import COMMIT_MS, MS, decided_ms
from linked_venues import venue as tendermint_venue
from recorded_worlds import digests
from surgetank.simulate import simulate

DELAY = 10.0
LINKS = full(4, DELAY)
#: Of equal delays: what nodes take from the proposal to their decisions, in order, and the time
#: between two proposals, in delays.
TABLE = {
    "tendermint": ([3, 3, 3, 3], 3),
    "hotstuff": ([4, 5, 5, 5], 2),
    "simplex": ([3, 3, 3, 3], 2),
}


@pytest.mark.parametrize("kind", TABLE)
def test_delays_are_those_of_the_table(kind: str) -> None:
    chained = kind in CHAINED
    world = chained_venue(kind, [1] * 4, LINKS) if chained else tendermint_venue([1] * 4, LINKS)
    trace = simulate(world)
    decided, between = TABLE[kind]
    heights = steady(trace)
    assert len(heights) > 20
    for height in heights:
        expected = [DELAY * delays for delays in decided]
        assert sorted(decided_ms(trace, height)) == pytest.approx(expected, abs=1e-6)
    blocks = trace["blocks"].filter(pl.col("height").is_in(heights)).sort("height")
    waits = blocks["proposed_ns"].diff().drop_nulls() / MS
    interval = DELAY * between + (0.0 if chained else COMMIT_MS)
    assert waits.to_list() == pytest.approx([interval] * len(waits), abs=1e-6)


@pytest.mark.parametrize("kind", CHAINED)
@pytest.mark.parametrize(
    "more",
    [
        {},
        {"network__loss": 0.05},
        {"layer__consensus__propose_wait_ms": 0.0},
        {"layer__gossip": {"kind": "mesh"}, "network__every_copy": True},
        {"layer__queue__unsealing": "commit-reveal"},
        {"faults": [{"kind": "crash", "nodes": [2, 5], "at_s": 1.0, "duration_s": 1.5}]},
        {"attack": {"kind": "equivocate", "nodes": [1, 4], "at_s": 0.2}},
    ],
)
def test_every_message_is_executed_once(kind: str, more: dict[str, Any]) -> None:
    """Whatever is lost: blocks on undecided parents leave out what these contain."""
    trace = simulate(busy(kind, layer__consensus__timeout_round_ms=200.0, **more))
    ordered = trace["messages"].filter(pl.col("height").is_not_null())
    assert ordered.height > 1_000 and trace["blocks"]["messages"].sum() == ordered.height
    assert trace.stats.safety
    executed = trace["executions"].group_by("node").len()
    assert executed.height == 7 and min(executed["len"].to_list()) > 10


@pytest.mark.parametrize("kind", CHAINED)
def test_the_same_seed_is_the_same_trace(kind: str) -> None:
    assert digests(simulate(busy(kind))) == digests(simulate(busy(kind)))


@pytest.mark.parametrize("kind", CHAINED)
def test_nodes_that_were_down_or_cut_off_have_all_blocks(kind: str) -> None:
    """Decided ones from others, and undecided ones by what is sent again."""
    down = {"kind": "crash", "nodes": [2, 5], "at_s": 1.0, "duration_s": 1.5}
    parted = {"kind": "partition", "groups": [[0, 1, 3]], "at_s": 3.0, "duration_s": 1.0}
    trace = simulate(busy(kind, faults=[down, parted], layer__consensus__timeout_round_ms=200.0))
    assert trace.stats.safety
    last = trace["executions"].group_by("node").agg(pl.col("height").max())["height"]
    assert len(last) == 7 and min(last) > 40 and max(last) - min(last) <= 3
