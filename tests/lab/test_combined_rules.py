"""Settings of `layer.queue` that one rule could not name together: each keeps its own promise."""

from __future__ import annotations

import math
from typing import Any

import numpy as np
import polars as pl
import pytest

from surgetank.trace import MarketKind, MessageClass, Outcome
from venue_under_attack import FLOOD, TEN_TIMES, outcome, value, victims_of


@pytest.mark.parametrize(
    "rule", ["priority+express", "fee+threshold", "lanes+auction", "drr+themis"]
)
def test_nothing_is_lost_and_the_same_seed_gives_the_same_bytes(rule: str) -> None:
    """Each message has one end: a place of its own in a block, a refusal, or it is in transit."""
    asked: dict[str, Any] = {"duration_s": 4.0, "layer__queue__rule": rule, "attack__kind": "spam"}
    asked |= {"attack__rate_per_s": 400.0, "layer__gossip__kind": "flood"}
    result, again = outcome(**asked), outcome(**asked)
    assert result.trace.trace_hash == again.trace.trace_hash
    messages = result.trace["messages"]
    done = messages.filter(pl.col("outcome") == Outcome.EXECUTED)
    assert done.height > 200
    assert done.select("height", "position").is_unique().all()
    assert (messages.filter(pl.col("outcome") == Outcome.REFUSED)["reason"] > 0).all()
    placed = messages.filter(pl.col("position").is_not_null()).height
    assert result.trace["blocks"]["messages"].sum() == placed
    assert result.trace.stats.money_conserved


def test_priority_behind_an_express_lane() -> None:
    """In rounds that were sold all others wait for the advantage, and then cancels go first."""
    lane: dict[str, Any] = {
        "layer__queue__express": {"round_s": 1.0, "closing_s": 0.2, "advantage_ms": 200.0}
    }
    late = {}
    for rule in ("express", "priority", "priority+express"):
        asked: dict[str, Any] = {**FLOOD, **lane, "layer__queue__rule": rule}
        result = outcome(**asked, **TEN_TIMES, attack__kind="spam")
        late[rule] = value(result, "delay_p99_ms.cancel")
        assert bool(result.trace.stats.lane) == ("express" in rule)
    assert math.isinf(late["express"])
    assert late["priority"] + 150 < late["priority+express"] < late["priority"] + 250


def test_a_fee_for_a_place_in_a_sealed_block() -> None:
    """Blocks of three: who pays more waits less, and a front-runner reads nothing in time."""
    asked: dict[str, Any] = {"layer__consensus__block_messages_max": 3, "duration_s": 10.0}
    asked |= {"attack__kind": "sandwich", "flow__fees__background_usd": 0.5}
    read = outcome(**asked, layer__queue__rule="fee")
    sealed = outcome(**asked, layer__queue__rule="fee+threshold")
    assert victims_of(read.trace).height > 0
    assert victims_of(sealed.trace).height == 0
    done = sealed.trace["messages"].filter(
        pl.col("outcome") == Outcome.EXECUTED, pl.col("class") == MessageClass.ORDER
    )
    waits = (done["proposed_ns"] - done["queued_ns"]).to_numpy()
    fees = done["fee_micros"].to_numpy()
    paid, unpaid = fees > np.quantile(fees, 0.8), fees < np.quantile(fees, 0.2)
    assert waits[paid].mean() < 0.8 * waits[unpaid].mean()


def test_lanes_into_batch_auctions() -> None:
    """All trades of a block are at one price, though classes took turns to get into it."""
    prices = {}
    for rule in ("lanes", "lanes+auction"):
        market = outcome(layer__queue__rule=rule, duration_s=8.0).trace["market"]
        trades = market.filter(pl.col("kind") == MarketKind.TRADE)
        blocks = trades.group_by("time_ns").agg(pl.col("price").n_unique())
        prices[rule] = set(blocks["price"])
    assert prices["lanes+auction"] == {1}
    assert max(prices["lanes"]) > 1


def test_shares_by_account_before_a_fair_order() -> None:
    """A flood by one account is held before validation; what passes stands in the nodes' order."""
    slow = {f"layer__service__validation__{name}_us": 5_000.0 for name in ("cancel", "order")}
    asked: dict[str, Any] = {**FLOOD, **slow, "layer__gossip__kind": "flood", "duration_s": 3.0}
    asked |= {"layer__queue__ingress_max": 200, "flow__arrivals__rate_per_s": 50.0}
    flood: dict[str, Any] = {"attack__kind": "spam", "attack__rate_per_s": 1_000.0}
    late = {}
    for rule in ("themis", "drr+themis"):
        late[rule] = value(
            outcome(**asked, **flood, layer__queue__rule=rule), "delay_p99_ms.cancel"
        )
    assert late["drr+themis"] < 0.5 * late["themis"]
    calm = outcome(**asked, layer__queue__rule="drr+themis")
    assert value(calm, "fair_order_breaks") == 0
