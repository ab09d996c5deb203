"""Whole worlds: what must hold whatever happens, and what faults do."""

from __future__ import annotations

import itertools
from typing import Any

import polars as pl
import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as some

import surgetank as st
from surgetank.trace import MessageClass, Outcome

STAMPS = ["created", "gateway", "admitted", "queued", "proposed", "decided", "executed"]
STAMPS += ["confirmed"]
TENDERMINT = {"kind": "tendermint", "timeout_commit_ms": 200.0}
SINGLE = {"kind": "single", "node": 0, "window_ms": 20.0}


def venue(**values: Any) -> st.Scenario:
    """Seven nodes, twelve seconds, a falling price; keys of sections are merged over this."""
    data: dict[str, Any] = {
        "name": "venue",
        "duration_s": 12.0,
        "warmup_s": 1.0,
        "drain_s": 12.0,
        "flow": {
            "arrivals": {"kind": "poisson", "rate_per_s": 100.0},
            "makers": {"count": 2},
            "oracle": {"count": 2, "interval_ms": 250.0},
            "keepers": {"count": 2},
        },
        "network": {"nodes": 7, "delay": {"kind": "fixed", "delay_ms": 20.0}},
        "layer": {"consensus": TENDERMINT},
        "market": {
            "price": {
                "path": {"kind": "points", "at_s": [0.0, 4.0, 8.0], "price_usd": [100.0, 99, 90]}
            },
            "margin": {"initial": 0.02, "maintenance": 0.01},
            "positions": {"count": 100, "leverage_max": 40.0},
        },
    }
    return st.Scenario.build(data | values)


def check(trace: st.Trace) -> None:
    """What must hold in every run: agreement, money, order of stamps."""
    assert trace.stats.safety
    assert trace.stats.money_conserved
    done = trace["messages"].filter(pl.col("outcome") == Outcome.EXECUTED)
    for earlier, later in itertools.pairwise(STAMPS):
        late = done.filter(pl.col(f"{later}_ns") < pl.col(f"{earlier}_ns"))
        assert late.is_empty(), f"{later} before {earlier}: {late}"
    twice = done.group_by("message").len().filter(pl.col("len") > 1)
    assert twice.is_empty()


def heights(trace: st.Trace) -> pl.Series:
    """Blocks that each node executed."""
    executed = trace["executions"].filter(pl.col("executed_ns").is_not_null())
    return executed.group_by("node").len().sort("node")["len"]


FAULTS: dict[str, dict[str, Any]] = {
    "partition": {"groups": [[0, 1]]},
    "crash": {"nodes": [2]},
    "slow": {"nodes": [3], "factor": 20.0},
    "loss": {"probability": 0.2},
    "delay": {"extra_ms": 300.0},
    "spam": {"rate_per_s": 300.0},
}


@pytest.mark.parametrize("consensus", ["tendermint", "single"])
@pytest.mark.parametrize("kind", FAULTS)
def test_every_fault_is_survived_and_measured(kind: str, consensus: str) -> None:
    """All nodes end at the same height; what was injected was seen."""
    fault = {"kind": kind, "at_s": 3.0, "duration_s": 3.0} | FAULTS[kind]
    layer = {"consensus": TENDERMINT if consensus == "tendermint" else SINGLE}
    result = st.run(venue(faults=[fault], layer=layer), seed=3)
    check(result.trace)
    seen = result.trace["faults"].row(0, named=True)
    assert seen["samples"] > 0
    assert seen["allowed_low"] <= seen["measured"] <= seen["allowed_high"]
    reported = heights(result.trace)
    # Messages stop before the end of the run; only the last block may be in transit.
    assert len(reported) == 7
    assert int(reported.max() or 0) - int(reported.min() or 0) <= 1  # type: ignore[arg-type]
    sent = result.trace["messages"].filter(pl.col("created_ns") < 2_500_000_000)
    assert (sent["outcome"] == Outcome.EXECUTED).all()


def test_a_partition_without_majority_halts_and_resumes() -> None:
    """Three against four: nothing is decided in between, and everything afterwards."""
    fault = {"kind": "partition", "at_s": 4.0, "duration_s": 4.0, "groups": [[0, 1, 2]]}
    trace = st.run(venue(faults=[fault]), seed=1).trace
    check(trace)
    decided = trace["blocks"]["decided_ns"] / 1e9
    assert ((decided > 4.5) & (decided < 8.0)).sum() == 0
    assert (decided > 8.0).sum() > 5
    stuck = trace["messages"].filter(pl.col("created_ns").is_between(4_500_000_000, 7_000_000_000))
    assert (stuck["outcome"] == Outcome.EXECUTED).mean() > 0.99  # type: ignore[operator]


def test_lateness_follows_the_partition() -> None:
    """The same fall, the same accounts: cut off, liquidations come later and cost more."""
    fault = {"kind": "partition", "at_s": 4.0, "duration_s": 5.0, "groups": [[0, 1, 2]]}
    delays = []
    for faults in ([], [fault]):
        measures = st.run(venue(faults=faults), seed=1).measures
        delays.append(measures.value("liquidation_delay_p50_ms") or 0.0)
        assert (measures.value("liquidations") or 0) > 10
    assert delays[1] > delays[0] + 1_000


def test_priority_lane_helps_those_in_it() -> None:
    """With an overloaded validator, cancels in the high lane pass the queue."""
    busy = {f"{name}_us": 12_000.0 for name in ("cancel", "order", "replace", "price_update")}
    waits = {}
    for rule, high in (("fifo", []), ("priority", ["cancel"])):
        queue = {"rule": rule, "high": high}
        layer = {"consensus": SINGLE, "queue": queue, "service": {"validation": busy}}
        quiet = {"arrivals": {"kind": "poisson", "rate_per_s": 100.0}}
        scenario = venue(layer=layer | {"gossip": {"kind": "direct"}}, flow=quiet, market=None)
        messages = (
            st.run(scenario, seed=1).trace["messages"].filter(pl.col("outcome") == Outcome.EXECUTED)
        )
        delay = (pl.col("executed_ns") - pl.col("created_ns")).median()
        waits[rule] = messages.filter(pl.col("class") == MessageClass.CANCEL).select(delay).item()
    assert waits["priority"] < waits["fifo"] / 3


worlds = some.fixed_dictionaries(
    {
        "nodes": some.integers(1, 7),
        "gossip": some.sampled_from(["flood", "mesh", "direct"]),
        "consensus": some.sampled_from([TENDERMINT, SINGLE, {"kind": "none"}]),
        "rate": some.sampled_from([5.0, 200.0, 2_000.0]),
        "loss": some.sampled_from([0.0, 0.05, 0.5]),
        "uplink": some.sampled_from([0.0, 1.0, 100.0]),
        "downlink": some.sampled_from([0.0, 5.0]),
        "room": some.sampled_from([0, 3, 5_000]),
        "market": some.booleans(),
        "kinds": some.lists(some.sampled_from(sorted(FAULTS)), max_size=3),
        "mode": some.sampled_from(["isolated", "cross"]),
        "mark": some.sampled_from(["oracle", "median"]),
        "seed": some.integers(0, 2**32),
    }
)


@settings(max_examples=60, deadline=None, suppress_health_check=list(HealthCheck))
@given(world=worlds)
def test_swarm(world: dict[str, Any]) -> None:
    """Small random worlds: no crash of ours, no one disagrees, money stays, stamps are in order."""
    nodes, consensus = world["nodes"], world["consensus"]
    gossip = {"kind": world["gossip"] if consensus is SINGLE else "flood"}
    if world["gossip"] == "mesh":
        gossip = {"kind": "mesh"}
    flow: dict[str, Any] = {"arrivals": {"kind": "poisson", "rate_per_s": world["rate"]}}
    flow |= {"retry": {"tries_max": 2}}
    values: dict[str, Any] = {"market": None}
    if world["market"]:
        flow |= {"makers": {"count": 2}, "oracle": {"count": 1}, "keepers": {"count": 1}}
        values = {"market": venue().model_dump(mode="json")["market"] | {"mark": world["mark"]}}
        values["market"]["margin"]["mode"] = world["mode"]
    faults = [
        {"kind": kind, "at_s": 0.5 + i, "duration_s": 1.5}
        | FAULTS[kind]
        | ({"nodes": [i % nodes]} if "nodes" in FAULTS[kind] else {})
        | ({"groups": [[0]]} if kind == "partition" else {})
        for i, kind in enumerate(world["kinds"])
    ]
    queue = {"ingress_max": world["room"], "mempool_max": max(world["room"], 1)}
    network = {"nodes": nodes, "delay": {"kind": "fixed", "delay_ms": 10.0}, "loss": world["loss"]}
    network |= {"uplink_mbps": world["uplink"], "downlink_mbps": world["downlink"]}
    scenario = venue(
        duration_s=4.0,
        drain_s=2.0,
        flow=flow,
        network=network,
        layer={"gossip": gossip, "queue": queue, "consensus": consensus},
        faults=faults,
        **values,
    )
    result = st.run(scenario, seed=world["seed"])
    check(result.trace)
    assert result.trace.complete


def test_slow_faults_on_one_node_multiply_and_are_measured_each() -> None:
    """Where two overlap, each is its span over what the other leaves. Before, both were INVALID."""
    slow = {"kind": "slow", "nodes": [3], "at_s": 2.0, "duration_s": 6.0, "factor": 3.0}
    faults = [slow, slow | {"at_s": 4.0, "factor": 5.0}, slow | {"nodes": [3, 4], "factor": 0.5}]
    trace = st.simulate(venue(faults=faults), seed=1)
    rows = trace["faults"]
    assert rows["samples"].min() > 100  # type: ignore[operator]
    for row in rows.iter_rows(named=True):
        assert row["measured"] == pytest.approx(row["asked"], rel=0.01)


@pytest.mark.parametrize("kind", ["fault", "spam", "sybil", "cancel-storm"])
def test_a_flood_slower_than_the_run_sends_at_most_one(kind: str) -> None:
    """At 1e-300 messages a second the gap is longer than any clock. Before, the clock wrapped, and
    millions came."""
    rate = {"rate_per_s": 1e-300}
    if kind == "fault":
        spam = {"kind": "spam", "at_s": 1.0, "duration_s": 5.0} | rate
        trace = st.simulate(venue(faults=[spam]), seed=1)
        source = 5
    else:
        trace = st.simulate(venue(attack={"kind": kind} | rate), seed=1)
        source = 7
    assert trace["messages"].filter(pl.col("source") == source).height <= 1


def test_keyper_faults_on_one_node_add_up() -> None:
    """A late keyper's fault that ends leaves a silent one silent. Before, it sent shares, and the
    run was INVALID."""
    layer = {"consensus": TENDERMINT, "queue": {"rule": "threshold"}}
    silent = {"kind": "keypers", "nodes": [2], "conduct": "silent", "at_s": 2.0, "duration_s": 8.0}
    late = silent | {"conduct": "late", "extra_ms": 50.0, "duration_s": 2.0}
    later = late | {"nodes": [4], "extra_ms": 30.0}
    twice = [later, later | {"extra_ms": 20.0, "at_s": 3.0}]
    trace = st.simulate(venue(layer=layer, faults=[silent, late, *twice]), seed=1)
    measured = trace["faults"]["measured"].to_list()
    assert measured[0] == 0
    assert measured[2:] == [pytest.approx(30.0), pytest.approx(20.0)]
