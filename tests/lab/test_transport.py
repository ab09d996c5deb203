"""TCP and QUIC between nodes: what they hold back, and that nothing is lost where packets are."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

import numpy as np
import polars as pl
import pytest

import surgetank as st
import synchrony_worlds
from surgetank.trace import Source
from synchrony_worlds import crash, cut

CONNECTED = ("tcp", "quic")
#: Nothing holds these connections: every message is one burst in an endless window.
UNBOUNDED = {
    "initial_window": 10_000,
    "segment_bytes": 9_000,
    "header_bytes": 0,
    "receive_window_kb": 1_000_000,
    "burst_ms": 1e6,
}
SEEDS = range(1, 13)


def venue(
    transport: str,
    values: Mapping[str, Any] | None = None,
    faults: Sequence[Mapping[str, Any]] = (),
    rate: float = 60.0,
) -> st.Scenario:
    """Seven validators 40 ms apart."""
    delay = {"kind": "fixed", "delay_ms": 40.0, "jitter": 0.0}
    scenario = synchrony_worlds.venue(faults, rate=rate, delay=delay)
    return scenario.with_values({"network.transport": transport, **(values or {})})


def spread(trace: st.Trace) -> pl.DataFrame:
    """Of every background message, when the last node had it, and how many had it."""
    background = trace["messages"].filter(pl.col("source") == Source.BACKGROUND)
    arrivals = trace["receipts"].join(background.select("message", "created_ns"), on="message")
    return arrivals.group_by("message").agg(
        nodes=pl.len(), took_ms=(pl.col("time_ns") - pl.col("created_ns")).max() / 1e6
    )


@pytest.mark.parametrize("transport", CONNECTED)
@pytest.mark.parametrize("gossip", ["flood", "mesh"])
def test_a_connection_that_nothing_holds_is_a_datagram(transport: str, gossip: str) -> None:
    """To the nanosecond, in every table; with real windows and headers, not."""
    values: dict[str, Any] = {"layer.gossip.kind": gossip}
    datagrams = st.run(venue("datagram", values), seed=3).trace
    free = {f"network.connections.{key}": value for key, value in UNBOUNDED.items()}
    assert st.run(venue(transport, values | free), seed=3).trace.chains == datagrams.chains
    bound = st.run(venue(transport, values), seed=3).trace
    assert bound.chains != datagrams.chains


@pytest.mark.parametrize("transport", CONNECTED)
def test_the_shortcut_is_exact(transport: str) -> None:
    """Every copy an event, or only those that can be first: one trace, with losses and faults."""
    faults = [
        {"kind": "partition", "at_s": 4.0, "duration_s": 2.0, "groups": [[0, 1, 2]]},
        {"kind": "delay", "at_s": 7.0, "duration_s": 1.0, "nodes": [3], "extra_ms": 300.0},
    ]
    values: dict[str, Any] = {"network.loss": 0.02, "network.delay.jitter": 0.1}
    chains = [
        st.run(
            venue(transport, values | {"network.every_copy": every}, faults), seed=5
        ).trace.chains
        for every in (False, True)
    ]
    assert chains[0] == chains[1]


def test_a_loss_delays_a_message_and_removes_none() -> None:
    """Over connections every node has every message; of datagrams some lack some. The tail is
    recovery's: without losses the same connections have none."""
    sparse = {"network.topology": {"kind": "edges", "edges": [[i, (i + 1) % 7] for i in range(7)]}}
    lacking, tails = {}, {}
    for transport, loss in (("datagram", 0.03), ("tcp", 0.03), ("quic", 0.03), ("tcp", 0.0)):
        values = {**sparse, "network.loss": loss}
        frames = [spread(st.run(venue(transport, values), seed=s).trace) for s in SEEDS[:4]]
        frame = pl.concat(frames)
        lacking[transport, loss] = (frame["nodes"] < 7).sum()
        took = frame.filter(pl.col("nodes") == 7)["took_ms"]
        tails[transport, loss] = float(np.quantile(took, 0.99) / np.median(took))
    assert lacking["datagram", 0.03] > 20
    assert lacking["tcp", 0.03] == lacking["quic", 0.03] == lacking["tcp", 0.0] == 0
    assert tails["tcp", 0.03] > 1.2 * tails["tcp", 0.0]


def test_behind_a_loss_only_tcp_holds_messages_back() -> None:
    """Over twelve seeds messages spread faster over QUIC, by pairs of the same seed."""

    def mean_ms(transport: str, seed: int) -> float:
        scenario = venue(transport, {"network.loss": 0.03}, rate=150.0)
        took = spread(st.run(scenario, seed=seed).trace)["took_ms"]
        return float(took.mean())  # type: ignore[arg-type]

    gains = np.array([mean_ms("tcp", seed) - mean_ms("quic", seed) for seed in SEEDS])
    assert gains.mean() > 3 * gains.std(ddof=1) / np.sqrt(len(gains))


@pytest.mark.parametrize("transport", CONNECTED)
@pytest.mark.parametrize(
    "fault",
    [
        crash([1, 4]),
        cut([0, 1, 2], 4.0),
        {"kind": "loss", "at_s": 3.0, "duration_s": 4.0, "nodes": [1], "probability": 1.0},
    ],
    ids=lambda fault: fault["kind"],
)
def test_after_a_fault_the_chain_goes_on(transport: str, fault: dict[str, Any]) -> None:
    """Connections come back, and with them every node: all have the same last block."""
    for seed in SEEDS[:3]:
        trace = st.run(venue(transport, faults=[fault]), seed=seed).trace
        assert trace.stats.safety
        highest = trace["executions"].group_by("node").agg(pl.col("height").max())["height"]
        assert highest.len() == 7
        last = trace["blocks"]["height"].max()
        assert highest.min() >= last - 1, (seed, highest.to_list(), last)  # type: ignore[operator]
        late = trace["blocks"].filter(pl.col("proposed_ns") > 10**10)
        assert late.height > 3


def test_a_large_block_takes_the_rounds_of_slow_start() -> None:
    """One message of 1 MB between two nodes: 10, 20, 40, … segments, a round trip apart."""
    size, segment, delay_ms = 1_000_000, 1_000, 50.0
    scenario = venue("tcp").with_values(
        {
            "network.nodes": 2,
            "network.delay.delay_ms": delay_ms,
            "network.uplink_mbps": 0.0,
            "network.connections.segment_bytes": segment,
            "flow.overhead_bytes": size,
            "flow.arrivals": {"kind": "deterministic", "rate_per_s": 0.1},
            "layer.consensus": {"kind": "none"},
        }
    )
    trace = st.run(scenario, seed=1).trace
    message = trace["messages"].row(0, named=True)
    arrivals = trace["receipts"].filter(pl.col("message") == message["message"])["time_ns"]
    took_ms = (arrivals.max() - arrivals.min()) / 1e6  # type: ignore[operator]
    segments, window, rounds = -(-message["size_bytes"] // segment), 10, 0
    while segments > window:
        segments, window, rounds = segments - window, 2 * window, rounds + 1
    assert took_ms == pytest.approx((2 * rounds + 1) * delay_ms, abs=0.5)
