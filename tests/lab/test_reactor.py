"""Votes and blocks passed on peer by peer, as CometBFT's consensus reactor does."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

import numpy as np
import polars as pl
import pytest

import surgetank as st
import synchrony_worlds
from synchrony_worlds import crash, cut

SLEEP_MS = 100.0
PEER_BY_PEER = {"layer.reactor.sleep_ms": SLEEP_MS, "layer.reactor.part_kb": 4}
SEEDS = range(1, 11)


def venue(
    values: Mapping[str, Any] | None = None,
    faults: Sequence[Mapping[str, Any]] = (),
    rate: float = 150.0,
) -> st.Scenario:
    """Seven validators 40 ms apart, whose lines take any rate."""
    delay = {"kind": "fixed", "delay_ms": 40.0, "jitter": 0.0}
    scenario = synchrony_worlds.venue(faults, rate=rate, delay=delay)
    return scenario.with_values({"network.uplink_mbps": 0.0, **(values or {})})


def decision_ms(trace: st.Trace) -> np.ndarray:
    """Time from the proposal to the first decision of every block."""
    blocks = trace["blocks"]
    return ((blocks["decided_ns"] - blocks["proposed_ns"]) / 1e6).to_numpy()


@pytest.mark.parametrize("transport", ["datagram", "tcp"])
def test_parts_that_nothing_holds_arrive_with_the_whole(transport: str) -> None:
    """Between neighbours, over lines of any rate, a block in parts comes when the whole would."""
    values: dict[str, Any] = {
        "network.transport": transport,
        "network.connections.initial_window": 1_000,
        "layer.service.distribution": {"kind": "fixed"},
    }
    whole = st.run(venue(values), seed=3).trace
    in_one = st.run(venue(values | {"layer.reactor.part_kb": 16}), seed=3).trace
    assert in_one["blocks"].equals(whole["blocks"])
    assert in_one["executions"].equals(whole["executions"])
    # Of many parts the last comes behind the proposer's vote, whose verification takes 0.1 ms.
    in_many = st.run(venue(values | {"layer.reactor.part_kb": 1}), seed=3).trace
    later_ms = decision_ms(in_many)[1] - decision_ms(whole)[1]
    assert 0.0 < later_ms < 0.11
    assert in_many["blocks"].height == whole["blocks"].height


def test_parts_pass_a_chain_of_slow_lines_like_a_pipeline() -> None:
    """Four nodes in a row, 20 Mbit/s. From an end, a quorum of three needs two transmissions of a
    whole block one after the other, and the third node's vote waits behind the next; in parts of a
    tenth, one transmission and two parts."""
    row = {"kind": "edges", "edges": [[0, 1], [1, 2], [2, 3]]}
    size_kb, part_kb, mbps = 400, 40, 20.0
    values: dict[str, Any] = {
        "network.nodes": 4,
        "network.topology": row,
        "network.uplink_mbps": mbps,
        "flow.arrivals": {"kind": "deterministic", "rate_per_s": 0.6},
        "flow.overhead_bytes": size_kb * 1_000,
        "layer.consensus.timeout_propose_ms": 5_000.0,
    }

    def from_an_end_ms(parts: dict[str, Any]) -> float:
        trace = st.run(venue(values | parts), seed=1).trace
        at_end = trace["blocks"]["proposer"].is_in([0, 3]) & (trace["blocks"]["messages"] > 0)
        assert at_end.sum() > 2
        return float(np.median(decision_ms(trace)[at_end.to_numpy()]))

    saved_ms = from_an_end_ms({}) - from_an_end_ms({"layer.reactor.part_kb": part_kb})
    assert saved_ms == pytest.approx(2 * (size_kb - part_kb) * 8 / mbps, rel=0.1)


def test_a_routine_that_sleeps_delays_a_step_by_up_to_its_sleep() -> None:
    """A decision needs a proposal and two rounds of votes: each waits for the routine of a peer,
    half the sleep in the mean and never longer; a quorum takes more than the mean."""
    for seed in SEEDS:
        awake = decision_ms(st.run(venue(rate=20.0), seed=seed).trace)
        asleep = decision_ms(
            st.run(venue({"layer.reactor.sleep_ms": SLEEP_MS}, rate=20.0), seed=seed).trace
        )
        added = asleep.mean() - awake.mean()
        assert SLEEP_MS / 2 < added < 3 * SLEEP_MS
        assert asleep.max() < awake.max() + 3 * SLEEP_MS + 1.0


def test_peers_are_sent_only_what_they_lack() -> None:
    """Votes that a peer has announced by then are not sent to it."""
    flood, lacking = (
        st.run(venue({"layer.reactor.sleep_ms": sleep_ms}, rate=0.1), seed=2).trace
        for sleep_ms in (0.0, SLEEP_MS)
    )

    def per_block(trace: st.Trace) -> float:
        return trace.stats.transmissions / trace["blocks"].height

    assert per_block(lacking) < 0.6 * per_block(flood)


@pytest.mark.parametrize("transport", ["datagram", "tcp", "quic"])
@pytest.mark.parametrize(
    "fault",
    [
        crash([1, 4]),
        cut([0, 1, 2], 4.0),
        {"kind": "loss", "at_s": 3.0, "duration_s": 4.0, "nodes": [1, 2], "probability": 0.3},
    ],
    ids=lambda fault: fault["kind"],
)
def test_after_a_fault_the_chain_goes_on(transport: str, fault: dict[str, Any]) -> None:
    """With lost parts and parts lost with a crash: every node has the last blocks."""
    for seed in SEEDS[:3]:
        scenario = venue({"network.transport": transport, **PEER_BY_PEER}, [fault])
        trace = st.run(scenario, seed=seed).trace
        assert trace.stats.safety
        highest = trace["executions"].group_by("node").agg(pl.col("height").max())["height"]
        last = trace["blocks"]["height"].max()
        assert highest.len() == 7
        assert highest.min() >= last - 1, (seed, highest.to_list(), last)  # type: ignore[operator]
        assert trace["blocks"].filter(pl.col("proposed_ns") > 12 * 10**9).height > 2


def test_the_shortcut_is_exact() -> None:
    """Every copy an event, or only those that can be first: one trace."""
    values: dict[str, Any] = {"network.loss": 0.01, "network.delay.jitter": 0.1, **PEER_BY_PEER}
    values["network.transport"] = "tcp"
    chains = [
        st.run(venue(values | {"network.every_copy": every}), seed=5).trace.chains
        for every in (False, True)
    ]
    assert chains[0] == chains[1]


def test_waits_are_charged_to_the_routines() -> None:
    """The time that votes and parts wait for a sleeping routine is a timer's, and none is lost."""
    awake, asleep = (
        st.run(venue(values, rate=50.0), seed=4).trace["waits"].drop("message").mean()
        for values in ({}, PEER_BY_PEER)
    )
    added = asleep["timers_ns"][0] - awake["timers_ns"][0]
    assert added > SLEEP_MS * 1e6 / 2
    assert asleep["other_ns"][0] < 1e6
