"""Messages that are sent again: whichever of their copies is executed, its stamps are the trace's.

A gateway's mempool under pressure throws out what other nodes still hold and will propose. Before
the fix, the second attempt overwrote the first one's stamps, and 19 of these 48 valid runs were
INVALID.
"""

from __future__ import annotations

from typing import Any

import polars as pl
import pytest

import surgetank as st
from surgetank.trace import Outcome, OutcomeReason
from surgetank.verdict.validity import checks

RULES = ["fifo", "priority", "class", "fee", "lanes", "drr", "codel", "fq-codel"]
OPENED = ["hash", "commit-reveal", "threshold", "express"]
ATTACKS = ["none", "spam", "sybil", "cancel-storm"]


def full(rule: str, attack: str) -> st.Scenario:
    """Seven nodes with room for 50 messages each, and clients that try four times."""
    values: dict[str, Any] = {
        "duration_s": 4.0,
        "warmup_s": 0.5,
        "drain_s": 3.0,
        "layer.queue.rule": rule,
        "layer.queue.mempool_max": 50,
        "flow.retry.tries_max": 3,
        "attack.kind": attack,
    }
    if attack != "none":
        values["attack.rate_per_s"] = 100.0
    return st.load("calm").with_values(values)


@pytest.mark.parametrize("rule", [*RULES, *OPENED])
def test_retries_leave_a_run_valid(rule: str) -> None:
    for attack in ATTACKS:
        trace = st.simulate(full(rule, attack), seed=1)
        again = trace["messages"].filter(pl.col("tries") > 0, pl.col("outcome") == Outcome.EXECUTED)
        assert again.height > 20, "the scenario must make clients send again"
        broken = [check.text for check in checks(trace) if not check.ok]
        assert not broken, (attack, broken)


@pytest.mark.parametrize(("rule", "attack"), [("drr", "sybil"), ("drr", "spam"), ("lanes", "none")])
def test_the_flagship_under_attack_is_valid(rule: str, attack: str) -> None:
    """`drr` with `sybil`, an example of the README, once ended INVALID."""
    values = {"layer.queue.rule": rule, "attack.kind": attack, "duration_s": 20.0, "drain_s": 5.0}
    trace = st.simulate(st.load("black-thursday").with_values(values))
    assert [check.text for check in checks(trace) if not check.ok] == []


@pytest.mark.parametrize("rule", ["drr", "lanes"])
def test_stamps_are_those_of_the_copy_in_the_block(rule: str) -> None:
    """A proposer that is the gateway queued the copy as it let it in; any other proposer got it
    over a link, which takes at least the shortest delay."""
    trace = st.simulate(full(rule, "spam"), seed=1)
    proposers = trace["blocks"].select("height", "proposer")
    done = trace["messages"].filter(pl.col("outcome") == Outcome.EXECUTED, pl.col("tries") > 0)
    done = done.join(proposers, on="height").with_columns(
        wait_ns=pl.col("queued_ns").cast(pl.Int64) - pl.col("admitted_ns").cast(pl.Int64)
    )
    own = done.filter(pl.col("proposer") == pl.col("gateway"))
    others = done.filter(pl.col("proposer") != pl.col("gateway"))
    assert own.height > 5 and others.height > 20
    assert own.filter(pl.col("wait_ns") != 0).is_empty()
    shortest_ns = 1_000_000
    assert others.filter(pl.col("wait_ns") <= shortest_ns).is_empty()


def test_a_copy_that_comes_after_the_block_changes_nothing() -> None:
    """Executed stays so, whatever the answer to a later attempt; the fee is the bid of the copy
    in the block."""
    trace = st.simulate(full("fee", "spam").with_values({"flow.fees.escalation": 2.0}), seed=2)
    messages = trace["messages"]
    reported = messages.filter(pl.col("confirmed_ns").is_not_null())
    assert reported["outcome"].unique().to_list() == [1]
    done = messages.filter(pl.col("outcome") == Outcome.EXECUTED)
    assert done.filter(pl.col("reason") != OutcomeReason.NONE).is_empty()
    assert done.filter(pl.col("paid_micros") > pl.col("fee_micros")).is_empty()


def test_what_the_only_orderer_refused_reaches_it_again_under_gossip() -> None:
    """Its first copies have passed every node, which drop a second; all in the end find room."""
    values: dict[str, Any] = {
        "layer.gossip": {"kind": "flood"},
        "layer.consensus": {"kind": "single", "window_ms": 80.0},
        "layer.queue.mempool_max": 20,
        "flow.retry.tries_max": 8,
    }
    trace = st.simulate(full("fifo", "none").with_values(values), seed=1)
    again = trace["messages"].filter(pl.col("tries") > 0)
    assert again.height > 20, "the scenario must make clients send again"
    assert (again["outcome"] == Outcome.EXECUTED).sum() > 0.9 * again.height
    assert all(check.ok for check in checks(trace))
