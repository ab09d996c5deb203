"""An adversary that follows the leader stops every engine that has one, within any time that its
delay outlasts the timeouts; the same power spent on fixed nodes does not. Tusk has no leader to
follow."""

from __future__ import annotations

import random
from collections.abc import Callable
from typing import Any

import polars as pl
import pytest

import surgetank as st

BEGIN_S, LENGTH_S = 6.0, 12.0
#: Longer than the timeouts of rounds become in the time of the attack.
DELAY: dict[str, Any] = {"kind": "leader-delay", "extra_ms": 5_000.0}
CUT: dict[str, Any] = {"kind": "leader-partition"}
FIXED: dict[str, Any] = {"kind": "partition", "groups": [[3]]}
ENGINES = ("tendermint", "hotstuff", "simplex", "bullshark")


Faults = dict[str, Any] | list[dict[str, Any]] | None


def ran(engine: str, fault: Faults, seed: int) -> st.Trace:
    """A run with faults, or with one that lasts as long as the attack."""
    when = {"at_s": BEGIN_S, "duration_s": LENGTH_S}
    faults = fault if isinstance(fault, list) else [] if fault is None else [fault | when]
    scenario = st.Scenario.build(
        {
            "name": "followed-leader",
            "duration_s": 24.0,
            "drain_s": 4.0,
            "network": {"nodes": 7, "topology": {"kind": "full"}},
            "flow": {"arrivals": {"kind": "poisson", "rate_per_s": 20.0}},
            "layer": {"gossip": {"kind": "flood"}, "consensus": {"kind": engine}},
            "faults": faults,
        }
    )
    return st.simulate(scenario, seed=seed)


def decided(trace: st.Trace) -> tuple[int, int]:
    """Blocks decided during the attack, without its first second, and after it."""
    at = pl.col("decided_ns") / 1e9
    during = at.is_between(BEGIN_S + 1.0, BEGIN_S + LENGTH_S)
    blocks = trace["blocks"].select(during.sum(), (at > BEGIN_S + LENGTH_S).sum().alias("after"))
    inside, after = blocks.row(0)
    return int(inside), int(after)


@pytest.mark.parametrize("seed", range(3))
@pytest.mark.parametrize("engine", ENGINES)
def test_following_the_leader_stops_the_chain(engine: str, seed: int) -> None:
    """No block, by delay and by partition, and blocks again afterwards. Controls: without a fault,
    and with one fixed node cut off, which is as many packets as the leader has."""
    for fault in (DELAY, CUT):
        inside, after = decided(ran(engine, fault, seed))
        assert inside == 0, fault
        assert after > 0, fault
    assert decided(ran(engine, None, seed))[0] > 10
    assert decided(ran(engine, FIXED, seed))[0] > 3


def cut_in_turn(pick: Callable[[int], int], slot_s: float = 1.0) -> list[dict[str, Any]]:
    """One node cut off at any time of the attack, another in each slot."""
    slots = range(round(LENGTH_S / slot_s))
    slot = {"kind": "partition", "duration_s": slot_s}
    return [slot | {"groups": [[pick(k)]], "at_s": BEGIN_S + k * slot_s} for k in slots]


@pytest.mark.parametrize("seed", range(3))
def test_who_cannot_know_the_anchor_does_not_stop_the_chain(seed: int) -> None:
    """Tusk's anchors are drawn when it is too late to delay them: there is nothing to follow. The
    same power, one node at a time, fixed, in turn or by chance, leaves blocks decided."""
    plain = decided(ran("tusk", None, seed))
    for fault in (DELAY, CUT):
        assert decided(ran("tusk", fault, seed)) == plain
    chance = random.Random(seed)
    rules = (lambda _: 3, lambda k: k % 7, lambda _: chance.randrange(7))
    for rule in rules:
        inside, after = decided(ran("tusk", cut_in_turn(rule), seed))
        assert inside > plain[0] / 3
        assert after > 0


@pytest.mark.parametrize("fault", [DELAY, CUT], ids=lambda fault: str(fault["kind"]))
def test_it_is_measured(fault: dict[str, Any]) -> None:
    trace = ran("tendermint", fault, 1)
    (row,) = trace["faults"].select("kind", "asked", "measured", "samples").rows()
    assert row[0] == fault["kind"] and row[1] == pytest.approx(row[2]) and row[3] > 100
    assert st.judge(st.measure(trace), {}, trace).status.value == "PASS"


def test_a_sequencer_leads_always() -> None:
    """Only its packets are delayed: as with the fault of the one node."""
    base: dict[str, Any] = {"name": "one", "network": {"nodes": 4, "topology": {"kind": "full"}}}
    base |= {"layer": {"consensus": {"kind": "single", "node": 2}, "gossip": {"kind": "flood"}}}
    when = {"at_s": 5.0, "duration_s": 10.0, "extra_ms": 300.0}
    one, other = (
        st.simulate(st.Scenario.build(base | {"faults": [fault | when]}), seed=3)["messages"]
        for fault in ({"kind": "leader-delay"}, {"kind": "delay", "nodes": [2]})
    )
    assert one.equals(other)


def test_where_none_leads_there_is_nothing_to_follow() -> None:
    """Without an engine: no packet is delayed, and the run is valid."""
    base: dict[str, Any] = {"name": "none", "network": {"nodes": 4, "topology": {"kind": "full"}}}
    base |= {"layer": {"consensus": {"kind": "none"}, "gossip": {"kind": "flood"}}}
    base |= {"faults": [DELAY | {"at_s": 5.0, "duration_s": 10.0}]}
    trace = st.simulate(st.Scenario.build(base), seed=3)
    (samples,) = trace["faults"]["samples"]
    assert samples == 0
    assert st.judge(st.measure(trace), {}, trace).status.value != "INVALID"
