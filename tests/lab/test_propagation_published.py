"""Propagation against published cases: Maelstrom exactly, Whiteblock and gerbil-simsub nearly.

Sources: jepsen-io/maelstrom doc 03-broadcast; whiteblock/gossipsub-testing; vyzo/gerbil-simsub.
"""

from __future__ import annotations

import random
from collections.abc import Callable
from dataclasses import dataclass
from functools import cache
from typing import Any

import networkx as nx
import numpy as np
import numpy.typing as npt
import polars as pl
import pytest
from scipy import stats

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


def graph_of_2019(n: int, m: int, seed: int) -> list[tuple[int, int]]:
    """Barabási–Albert as networkx 2.3 and 2.4 drew it: from m nodes without a link, with Python's
    own generator. Today's begins from a star, and gives other graphs for the same seed."""
    draws = random.Random(seed)
    edges: list[tuple[int, int]] = []
    targets, by_degree = list(range(m)), list[int]()
    for source in range(m, n):
        edges += [(source, target) for target in targets]
        by_degree += [*targets, *[source] * m]
        chosen: set[int] = set()
        while len(chosen) < m:
            chosen.add(draws.choice(by_degree))
        targets = list(chosen)
    return edges


def test_the_graph_is_that_of_2019() -> None:
    """95 nodes, m = 2: all but the first two have two links more, and hubs exceed D_high."""
    edges = graph_of_2019(95, 2, seed=42)
    degrees = np.bincount(np.array(edges).ravel())
    assert (len(edges), len(set(edges))) == (186, 186)
    assert (degrees > 12).sum() == 5
    assert set(edges) != set(nx.barabasi_albert_graph(95, 2, seed=42).edges)


@dataclass(frozen=True)
class Whiteblock:
    """A run counted as Whiteblock's analysis does, and what that does not see."""

    messages: int
    lost: int
    """Messages that fewer than two nodes have logged: they are left out of its times."""
    times_ms: npt.NDArray[np.float64]
    """Per message from its first log line to its last, whatever the number of nodes between."""
    incomplete: float
    """Share of messages that some node never had."""


def whiteblock(m: int, seed: int) -> Whiteblock:
    """95 gossipsub nodes on the report's graph (networkx, seed 42); one hop is half of the
    published "network latency" of 100 ms, which acts as a round trip."""
    scenario = spreading(
        nodes=95,
        topology={"kind": "edges", "edges": [list(edge) for edge in graph_of_2019(95, m, 42)]},
        delay={"kind": "fixed", "delay_ms": 50.0, "jitter": 0.0},
        gossip=MESH,
        rate_per_s=40.0,
        duration_s=9.0,
        accounts=95,
    )
    frame, _ = arrivals(scenario, seed=seed, after_s=4.0)
    had = frame.group_by("message").agg(pl.len(), pl.col("delay_ns").max())
    seen = had.filter(pl.col("len") >= 2)
    times_ms = seen["delay_ns"].to_numpy() / MS
    incomplete = float((had["len"] < 95).to_numpy().mean())
    return Whiteblock(len(had), len(had) - len(seen), times_ms, incomplete)


@pytest.fixture(scope="module")
def whiteblock_runs() -> Callable[[int], list[Whiteblock]]:
    """Ten runs by the graph's m, with seeds drawn anew."""
    seeds = [int(seed) for seed in np.random.SeedSequence().generate_state(10)]

    @cache
    def runs(m: int) -> list[Whiteblock]:
        return [whiteblock(m, seed) for seed in seeds]

    return runs


@pytest.mark.parametrize(("m", "published_ms"), [(2, 304.4), (6, 204.6), (12, 203.6), (16, 204.4)])
def test_whiteblock_median(
    m: int, published_ms: float, whiteblock_runs: Callable[[int], list[Whiteblock]]
) -> None:
    """The published median is one of ours: of whole hops, and up to 2.5 % for what a hop costs
    beside the link, which the report does not state.

    With m = 2 ours is 300 or 350 ms, by the state of the mesh. Were the published one a case of one
    run in three, no run of ten would have it in one suite of 60; so one is enough. The published
    p99 (405.6 ms) is not reached: ours, 1 to 3 s, is the next heartbeats' repair.
    """
    runs = whiteblock_runs(m)
    medians = np.array([np.median(run.times_ms) for run in runs])
    print(m, medians, [round(float(np.quantile(run.times_ms, 0.99))) for run in runs])
    assert ((medians <= published_ms) & (published_ms <= 1.025 * medians)).any(), medians


def test_whiteblock_losses(whiteblock_runs: Callable[[int], list[Whiteblock]]) -> None:
    """Lost as the report counts, 10, 22, 39, 40 and 246 of 36,000 messages in its five runs with
    m = 2, and none otherwise: ours lie between.

    Far more messages miss some node: hubs prune to D at every heartbeat, and their leaves graft
    again at their own. The report's analysis does not see that (its times end with the last log
    line, of however many nodes).
    """
    sparse = whiteblock_runs(2)
    lost, messages = sum(run.lost for run in sparse), sum(run.messages for run in sparse)
    interval = stats.binomtest(lost, messages).proportion_ci(0.999, "exact")
    print(lost, messages, interval, [round(run.incomplete, 3) for run in sparse])
    assert interval.low <= 246 / 36_000 and interval.high >= 10 / 36_000
    # The control: counted by nodes, as this test once did, they would be far beyond.
    assert np.mean([run.incomplete for run in sparse]) > 2 * 246 / 36_000
    for m in (6, 12, 16):
        assert sum(run.lost for run in whiteblock_runs(m)) == 0
        assert max(run.incomplete for run in whiteblock_runs(m)) == 0.0


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
