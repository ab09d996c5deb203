"""The gauges' busy times: exact uses of every resource, from queueing theory and by bytes."""

from __future__ import annotations

import polars as pl
import pytest

import surgetank as st
from stations import assert_agrees, fresh_seeds, station, times
from surgetank.trace import Outcome, Trace

GAUGED = {"trace.gauge_ms": 1_000.0}


def use(trace: Trace, column: str, servers: int = 1) -> float:
    """Share of node 0's time, from the first reading to the last, that the servers worked."""
    rows = trace["gauges"].filter(node=0).sort("time_ns")
    busy, time = (rows[c].cast(pl.Int64).to_list() for c in (column, "time_ns"))
    return float((busy[-1] - busy[0]) / ((time[-1] - time[0]) * servers))


@pytest.mark.parametrize("servers", [1, 3])
def test_utilisation_law(servers: int) -> None:
    """ρ = λ·E(S)/k at the validation servers of M/M/1 and M/M/3."""
    arrivals = {"kind": "poisson", "rate_per_s": 800.0 * servers}
    scenario = station(arrivals=arrivals, duration_s=30.0, servers=servers)
    scenario = scenario.with_values(GAUGED | {"drain_s": 0.0})
    traces = [st.simulate(scenario, seed=seed) for seed in fresh_seeds()]
    assert_agrees([use(t, "validation_busy_ns", servers) for t in traces], 0.8, 0.015)
    assert {use(t, "execution_busy_ns") for t in traces} == {0.0}


def test_execution_is_counted_to_the_nanosecond() -> None:
    """Fixed times: once all is done, busy time is messages × time, of each kind its own."""
    consensus = {"kind": "single", "node": 0, "window_ms": 0.0}
    scenario = station(
        arrivals={"kind": "poisson", "rate_per_s": 500.0},
        duration_s=5.0,
        distribution={"kind": "fixed"},
        consensus=consensus,
    ).with_values(GAUGED | {"layer.service.execution": times(250.0)})
    trace = st.run(scenario).trace
    last = trace["gauges"].filter(pl.col("time_ns") == pl.col("time_ns").max())
    count = trace["messages"].height
    assert count > 2_000
    assert (trace["messages"]["outcome"] == Outcome.EXECUTED).all()
    assert last["validation_busy_ns"].to_list() == [count * 1_000_000]
    assert last["execution_busy_ns"].to_list() == [count * 250_000]
    assert last["consensus_busy_ns"].to_list() == [0]


def test_links_carry_what_was_sent() -> None:
    """With nothing in transit, all uplinks together were busy for bytes · 8 / rate; downlinks for
    every copy that arrived."""
    scenario = st.load("calm").with_values(
        {
            "duration_s": 6.0,
            "warmup_s": 1.0,
            "drain_s": 1.0,
            "market": None,
            "flow.makers.count": 0,
            "flow.keepers.count": 0,
            "flow.oracle.count": 0,
            "flow.arrivals.rate_per_s": 100.0,
            "layer.consensus.kind": "none",
            "network.uplink_mbps": 8.0,
            "network.downlink_mbps": 16.0,
        }
    )
    trace = st.run(scenario).trace
    last = trace["gauges"].filter(pl.col("time_ns") == pl.col("time_ns").max())
    assert last["uplink_backlog_ns"].sum() == 0
    sent = trace.stats.bytes * 1_000
    assert sent > 100_000_000
    assert last["uplink_busy_ns"].sum() == sent
    assert last["downlink_busy_ns"].sum() == sent / 2


def test_consensus_messages_have_a_server_of_their_own() -> None:
    """Votes cost their server time where consensus runs, and nowhere else."""
    short = {"duration_s": 6.0, "warmup_s": 1.0, "drain_s": 1.0}
    calm = st.run(st.load("calm").with_values(short)).trace
    burst = st.run(st.load("burst").with_values(short)).trace
    assert 0.0 < use(calm, "consensus_busy_ns") < 0.5
    assert use(burst, "consensus_busy_ns") == 0.0
