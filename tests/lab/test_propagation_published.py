"""Propagation against published cases: Maelstrom exactly, Whiteblock and gerbil-simsub nearly.

Sources: jepsen-io/maelstrom doc 03-broadcast; whiteblock/gossipsub-testing; vyzo/gerbil-simsub.
"""

from __future__ import annotations

from typing import Any

import networkx as nx
import numpy as np
import polars as pl
import pytest

import surgetank as st
from stations import times

MS = 1_000_000


def spreading(
    *,
    nodes: int,
    topology: dict[str, Any],
    delay: dict[str, Any],
    gossip: dict[str, Any],
    rate_per_s: float,
    duration_s: float,
    accounts: int,
    warmup_s: float = 0.0,
) -> st.Scenario:
    """Messages that only spread: no queues, no ordering."""
    return st.Scenario.model_validate(
        {
            "name": "spreading",
            "duration_s": duration_s,
            "warmup_s": warmup_s,
            "drain_s": 10.0,
            "flow": {
                "accounts": accounts,
                "arrivals": {"kind": "deterministic", "rate_per_s": rate_per_s},
                "client_link": {"fixed_ms": 0.0, "jitter_ms": 0.0},
                "makers": {"count": 0},
                "oracle": {"count": 0},
                "keepers": {"count": 0},
                "panic": {"rate_per_s_per_pct": 0.0},
            },
            "network": {"nodes": nodes, "topology": topology, "delay": delay, "uplink_mbps": 0.0},
            "layer": {
                "gossip": gossip,
                "service": {"validation": times(0.0), "execution": times(0.0)},
                "consensus": {"kind": "none"},
            },
            "trace": {"receipts_every": 1, "gauge_ms": 0.0},
        }
    )


def arrivals(scenario: st.Scenario, seed: int, after_s: float = 0.0) -> tuple[pl.DataFrame, Any]:
    """(message, node, delay_ns since the gateway had it) of every first arrival; and the stats."""
    trace = st.run(scenario, seed=seed).trace
    messages = trace.tables["messages"].filter(pl.col("created_ns") >= int(after_s * 1e9))
    frame = trace.tables["receipts"].join(
        messages.select("message", "gateway", "admitted_ns"), on="message"
    )
    # Signed: where validation takes time, a neighbour has a message before its gateway admits it.
    time_ns, admitted_ns = (pl.col(c).cast(pl.Int64) for c in ("time_ns", "admitted_ns"))
    frame = frame.with_columns(delay_ns=time_ns - admitted_ns)
    return frame, trace.stats


def last_arrival_ns(frame: pl.DataFrame, nodes: int, complete_min: float = 1.0) -> pl.Series:
    """Per message: when the last node had it; never, for at most a share 1 − `complete_min`."""
    per_message = frame.group_by("message").agg(pl.len(), pl.col("delay_ns").max())
    complete = per_message["len"] == nodes
    assert complete.mean() >= complete_min  # type: ignore[operator]
    return per_message.select(pl.when(complete).then("delay_ns").otherwise(10**12)).to_series()


FLOOD = {"kind": "flood"}
HOP = {"kind": "fixed", "delay_ms": 100.0, "jitter": 0.0}


@pytest.mark.parametrize(
    ("graph", "hops"),
    [
        (nx.convert_node_labels_to_integers(nx.grid_2d_graph(5, 5)), 8),
        (nx.full_rary_tree(4, 25), 5),
        (nx.complete_graph(25), 1),
    ],
    ids=["grid", "tree4", "total"],
)
def test_maelstrom_hops(graph: Any, hops: int) -> None:
    """25 nodes, 100 ms a hop: the slowest broadcast takes exactly so many hops."""
    topology = {"kind": "edges", "edges": [list(edge) for edge in graph.edges]}
    scenario = spreading(
        nodes=25,
        topology=topology,
        delay=HOP,
        gossip=FLOOD,
        rate_per_s=100.0,
        duration_s=10.0,
        accounts=25,
    )
    frame, _ = arrivals(scenario, seed=1)
    assert frame["gateway"].n_unique() == 25
    assert last_arrival_ns(frame, 25).max() == hops * 100 * MS


#: gossipsub v1.0: no backoff after PRUNE, every GRAFT accepted.
MESH = {"kind": "mesh", "d": 6, "d_lo": 4, "d_hi": 12, "d_lazy": 6, "heartbeat_ms": 1000.0}
MESH |= {"prune_backoff_ms": 0.0}


@pytest.mark.parametrize("drawn", [1, 2])
@pytest.mark.parametrize(("m", "published_ms"), [(6, 204.6), (12, 203.6), (16, 204.4)])
def test_whiteblock_median(m: int, published_ms: float, drawn: int) -> None:
    """95 gossipsub nodes on a Barabási–Albert graph: p50 of "all nodes have it" within 2.5 %.

    One hop is half of the published "network latency", which acts as a round trip. The published
    p99 needs service times and loss repair that the report does not state, so it is not compared;
    nor is the sparsest graph (m = 2: 304.4 ms), where the median hangs on the graph that is drawn.
    """
    graph = nx.barabasi_albert_graph(95, m, seed=drawn)
    scenario = spreading(
        nodes=95,
        topology={"kind": "edges", "edges": [list(edge) for edge in graph.edges]},
        delay={"kind": "fixed", "delay_ms": 50.0, "jitter": 0.0},
        gossip=MESH,
        rate_per_s=200.0,
        duration_s=15.0,
        accounts=95,
    )
    frame, _ = arrivals(scenario, seed=drawn, after_s=5.0)
    # v1.0 leaves a node without mesh for a heartbeat now and then, and tells no node in the mesh
    # what it missed.
    last_ns = last_arrival_ns(frame, 95, complete_min=0.9)
    median_ms = float(np.median(last_ns.to_numpy())) / MS
    assert median_ms == pytest.approx(published_ms, rel=0.025)


@pytest.mark.parametrize(
    ("nodes", "count", "published", "sent"),
    [(100, 10, (156, 722, 112, 0), 6_280), (250, 60, (878, 10_109, 3_915, 38), 96_320)],
)
def test_simsub_histogram(nodes: int, count: int, published: tuple[int, ...], sent: int) -> None:
    """gossipsub v1.0 in virtual time: deliveries per 100 ms bucket and messages sent.

    The published run is one draw; the mean of eight of ours is compared.
    """
    scenario = spreading(
        nodes=nodes,
        topology={"kind": "random-dial", "degree": 20},
        delay={"kind": "uniform", "low_ms": 10.0, "high_ms": 150.0, "jitter": 0.1},
        gossip=MESH,
        rate_per_s=10.0,
        duration_s=10.0 + count / 10.0,
        accounts=5,
    )
    histograms, copies = [], []
    for seed in range(8):
        frame, stats = arrivals(scenario, seed=seed, after_s=10.0)
        away = frame.filter(pl.col("node") != pl.col("gateway"))
        buckets = np.minimum((away["delay_ns"] // (100 * MS)).to_numpy(), 3)
        histograms.append(np.bincount(buckets, minlength=4))
        per_message = (stats.first_arrivals + stats.duplicates) / stats.client_messages
        copies.append(per_message * frame["message"].n_unique())
    ours, total = np.mean(histograms, axis=0), sum(published)
    print("deliveries", ours, published, "copies", np.mean(copies), sent)
    # Per bucket within 8 % of all deliveries; messages sent within 15 %.
    assert np.abs(ours - np.array(published)).max() <= 0.08 * total
    assert np.mean(copies) == pytest.approx(sent, rel=0.15)
    # Duplicates per peer lie between D/2 − 1 and D − 2.
    duplicates = np.mean(copies) / (count * (nodes - 1)) - 1
    assert 2.0 - 1.0 <= duplicates <= 6.0
