"""A chain that says again what was lost: it must not halt itself, nor be lost without it."""

from __future__ import annotations

from typing import Any

import hypothesis.strategies as draw
import polars as pl
import pytest
from hypothesis import given, settings

import surgetank as st

PARTITION = {"kind": "partition", "groups": [list(range(8))], "at_s": 6.0, "duration_s": 6.0}


def chain(rebroadcast_ms: float, vote_ms: float, **values: Any) -> st.Scenario:
    """Sixteen nodes that take `vote_ms` over each vote, and are never in a hurry otherwise."""
    layer = {
        "consensus": {
            "kind": "tendermint",
            "timeout_commit_ms": 500.0,
            "rebroadcast_ms": rebroadcast_ms,
        },
        "service": {"validation": {"vote_us": 1e3 * vote_ms}},
    }
    data: dict[str, Any] = {
        "name": "chain",
        "duration_s": 20.0,
        "warmup_s": 1.0,
        "drain_s": 5.0,
        "flow": {"arrivals": {"kind": "poisson", "rate_per_s": 5.0}},
        "network": {"nodes": 16, "delay": {"kind": "fixed", "delay_ms": 20.0}},
        "layer": layer,
    }
    return st.Scenario.build(data | values)


def blocks(scenario: st.Scenario) -> pl.DataFrame:
    trace = st.simulate(scenario, seed=1)
    assert trace.stats.safety
    return trace["blocks"]


@pytest.mark.parametrize("network", [{}, {"every_copy": True}, {"uplink_mbps": 1.0}])
def test_where_nothing_is_lost_repeating_changes_nothing(network: dict[str, Any]) -> None:
    """A round takes longer than the time between two looks. Before, 16 nodes that asked 50 ms of
    each vote fell silent after the first block, under their own repetitions."""
    lan = {"nodes": 16, "delay": {"kind": "fixed", "delay_ms": 20.0}}
    never = blocks(chain(1e6, 50.0, network=lan | network))
    often = blocks(chain(300.0, 50.0, network=lan | network))
    assert never.height >= 8
    assert often.equals(never)


def test_a_healed_chain_goes_on() -> None:
    """Both halves have said much that the other lacks. Before, a chain whose votes cost 8 ms never
    decided again."""
    trace = st.simulate(chain(200.0, 8.0, faults=[PARTITION]), seed=1)
    healed_ns = 12_000_000_000
    after = trace["blocks"].filter(pl.col("decided_ns") > healed_ns)
    assert after.height >= 8
    assert after["decided_ns"][0] < healed_ns + 4_000_000_000


def test_what_was_lost_must_be_said_again() -> None:
    """The control: the same halves without repetition stay where they were."""
    silent = blocks(chain(1e6, 8.0, faults=[PARTITION]))
    assert silent.filter(pl.col("decided_ns") > 13_000_000_000).is_empty()


@pytest.mark.parametrize("loss", [0.1, 0.3])
def test_lossy_links_slow_a_chain_and_do_not_halt_it(loss: float) -> None:
    """Sparse links, so that some votes reach some nodes only by the help of others."""
    network = {
        "nodes": 16,
        "delay": {"kind": "fixed", "delay_ms": 20.0},
        "topology": {"kind": "random-regular", "degree": 4},
        "loss": loss,
    }
    found = blocks(chain(300.0, 1.0, network=network))
    assert found.height >= 10
    assert int(found["decided_ns"].to_list()[-1]) > 20_000_000_000


def slow_mesh(nodes: int, rebroadcast_ms: float, vote_ms: float, **values: Any) -> st.Scenario:
    """Everybody is linked to everybody, and gossips with six of them: a node takes `vote_ms` over
    each vote, so that most of its neighbours lack what it knows for seconds."""
    network = {"nodes": nodes, "delay": {"kind": "fixed", "delay_ms": 50.0}}
    slow = chain(rebroadcast_ms, vote_ms, network=network | values.pop("network", {}), **values)
    return slow.with_values({"layer.gossip": {"kind": "mesh"}})


def test_a_repeat_is_the_same_message() -> None:
    """Nothing is lost, so there is one message for each statement, however often somebody finds
    that a neighbour lacks it. Before, each time was a message of its own: 4,100 a round instead of
    91, of which most were sent to no node, and each was announced to the whole mesh."""
    often, never = (
        st.simulate(slow_mesh(40, every, 50.0, duration_s=30.0), seed=1) for every in (50.0, 1e6)
    )
    statements = [
        trace.stats.consensus_messages / int((trace["blocks"]["round"] + 1).sum())
        for trace in (often, never)
    ]
    assert often["blocks"].height >= never["blocks"].height > 0
    assert statements[0] < 1.5 * statements[1]


def quiet_s(scenario: st.Scenario, seed: int) -> float:
    """The longest time between two blocks, the end of the run included."""
    trace = st.simulate(scenario, seed=seed)
    assert trace.stats.safety
    times = pl.concat(
        [pl.Series([0]), trace["blocks"]["decided_ns"].cast(pl.Int64), pl.Series([trace.end_ns])]
    )
    return int(times.diff().max()) / 1e9  # type: ignore[arg-type]


@given(
    nodes=draw.integers(4, 24),
    work_s=draw.floats(0.01, 4.0),
    execution_ms=draw.sampled_from([0.1, 2.0, 5.0]),
    rate_per_s=draw.sampled_from([1.0, 50.0, 500.0]),
    rebroadcast_ms=draw.sampled_from([20.0, 200.0, 1_000.0]),
    gossip=draw.sampled_from(["flood", "mesh"]),
    degree=draw.sampled_from([None, 4, 6]),
    distribution=draw.sampled_from(
        [{"kind": "fixed"}, {"kind": "exponential"}, {"kind": "lognormal", "cv": 3.0}]
    ),
    down=draw.booleans(),
    seed=draw.integers(0, 1_000),
)
@settings(max_examples=30)
def test_a_chain_without_faults_goes_on(
    nodes: int,
    work_s: float,
    execution_ms: float,
    rate_per_s: float,
    rebroadcast_ms: float,
    gossip: str,
    degree: int | None,
    distribution: dict[str, Any],
    down: bool,
    seed: int,
) -> None:
    """Whatever work costs, as long as more than two thirds are up. `work_s` is what a node takes
    over the votes of one round; rounds get longer by 1.5 s each until they suffice for that and
    for executing a block of at most 1,000 messages."""
    fewer_than_a_third = list(range((nodes - 1) // 3)) if down else []
    sparse = degree is not None and degree < nodes and not fewer_than_a_third
    network = {
        "nodes": nodes,
        "delay": {"kind": "fixed", "delay_ms": 20.0},
        "topology": {"kind": "random-regular", "degree": degree} if sparse else {"kind": "full"},
    }
    faults = [{"kind": "crash", "nodes": fewer_than_a_third, "at_s": 1.0, "duration_s": 1e3}]
    scenario = chain(
        rebroadcast_ms,
        500.0 * work_s / nodes,
        duration_s=150.0,
        network=network,
        faults=faults if fewer_than_a_third else [],
        flow={"arrivals": {"kind": "poisson", "rate_per_s": rate_per_s}},
    ).with_values(
        {
            "layer.gossip": {"kind": gossip},
            "layer.service.distribution": distribution,
            "layer.service.execution.order_us": 1e3 * execution_ms,
            "layer.consensus.block_messages_max": 1_000,
        }
    )
    assert quiet_s(scenario, seed) < 75.0
