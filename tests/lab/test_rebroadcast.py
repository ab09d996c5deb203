"""A chain that says again what was lost: it must not halt itself, nor be lost without it."""

from __future__ import annotations

from typing import Any

import polars as pl
import pytest

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
