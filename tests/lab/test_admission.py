"""Who is admitted: real small runs with rates, prices, expiry and remembered cancels."""

from __future__ import annotations

from typing import Any

import polars as pl
import pytest

import surgetank as st
from surgetank.errors import SurgetankError
from surgetank.trace import MessageClass, Outcome, OutcomeReason

ORDER, CANCEL = MessageClass.ORDER, MessageClass.CANCEL
REPLACE, LIQUIDATION = MessageClass.REPLACE, MessageClass.LIQUIDATION_ORDER
SINGLE = {"kind": "single", "node": 0, "window_ms": 20.0}
TENDERMINT = {"kind": "tendermint", "timeout_commit_ms": 100.0}


def venue(admission: dict[str, Any], **values: Any) -> st.Scenario:
    """Three nodes and six seconds of sixty traders."""
    data: dict[str, Any] = {
        "name": "gate",
        "duration_s": 6.0,
        "warmup_s": 1.0,
        "drain_s": 4.0,
        "flow": {
            "accounts": 60,
            "arrivals": {"kind": "poisson", "rate_per_s": 300.0},
            "client_link": {"fixed_ms": 5.0, "jitter_ms": 20.0},
            "oracle": {"count": 1, "interval_ms": 500.0},
            "retry": {"tries_max": 2},
        },
        "network": {"nodes": 3, "delay": {"kind": "fixed", "delay_ms": 10.0}},
        "layer": {"consensus": SINGLE, "gossip": {"kind": "direct"}, "admission": admission},
    }
    layer = data["layer"] | values.pop("layer", {})
    flow = data["flow"] | values.pop("flow", {})
    return st.Scenario.build(data | {"layer": layer, "flow": flow} | values)


def refused(trace: st.Trace) -> dict[str, int]:
    """How many messages were refused for good, by reason."""
    rows = trace["messages"].filter(pl.col("outcome") == Outcome.REFUSED)
    return {
        OutcomeReason(reason).label: count
        for reason, count in rows["reason"].value_counts().iter_rows()
    }


def test_an_account_beyond_its_rate_is_refused_and_its_cancels_are_not() -> None:
    rates = {"policy": "rates", "orders": {"per_s": 0.5, "burst": 2}}
    trace = st.simulate(venue(rates))
    assert set(refused(trace)) == {"rate exceeded"}
    messages = trace["messages"]
    late = messages.filter(pl.col("outcome") == Outcome.REFUSED)
    assert set(late["class"]) <= {ORDER, REPLACE}
    per_account = messages.filter(
        (pl.col("outcome") == Outcome.EXECUTED) & pl.col("class").is_in([ORDER, REPLACE])
    )["account"].value_counts()
    # Two at once, and one more every two seconds until the last retry.
    assert per_account["count"].max() <= 2 + 5  # type: ignore[operator]


def test_shared_budgets_stop_cancels_too() -> None:
    rates = {"policy": "rates", "orders": {"per_s": 0.5, "burst": 2}, "cancels_shared": True}
    stopped = st.simulate(venue(rates))["messages"].filter(pl.col("outcome") == Outcome.REFUSED)
    assert CANCEL in set(stopped["class"])


@pytest.mark.parametrize("consensus", [SINGLE, TENDERMINT], ids=["single", "tendermint"])
def test_orders_expire_and_are_said_to_have(consensus: dict[str, Any]) -> None:
    layer = {
        "consensus": consensus | {"block_messages_max": 5},
        "gossip": {"kind": "direct" if consensus is SINGLE else "flood"},
    }
    trace = st.simulate(venue({"expires_blocks": 3}, layer=layer))
    assert refused(trace)["expired"] > 0
    messages = trace["messages"]
    gone = messages.filter(pl.col("reason") == OutcomeReason.EXPIRED)
    assert set(gone["class"]) <= {ORDER, REPLACE}
    # No order stands in a block above its last one.
    heights = trace["executions"].filter(pl.col("executed_ns").is_not_null())
    for row in messages.filter(
        pl.col("outcome") == Outcome.EXECUTED, pl.col("class") == ORDER
    ).rows(named=True):
        known = heights.filter(
            (pl.col("node") == row["gateway"]) & (pl.col("executed_ns") <= row["created_ns"])
        )
        assert row["height"] <= known.height + 3


@pytest.mark.parametrize("rule", ["fifo", "class"])
def test_remembered_cancels_stop_orders_that_they_overtook(rule: str) -> None:
    # Half of what is sent are cancels of what was sent just before, over a link that swaps them.
    flow = {"mix": {"limit": 0.5, "cancel": 0.5, "post_only": 0, "market": 0, "ioc": 0}}
    layer = {"queue": {"rule": rule}}
    plain = st.simulate(venue({}, flow=flow, layer=layer))
    trace = st.simulate(venue({"remember_cancels": True}, flow=flow, layer=layer))
    assert refused(plain) == {}
    assert set(refused(trace)) == {"cancelled before"}
    stopped = trace["messages"].filter(pl.col("outcome") == Outcome.REFUSED)
    assert set(stopped["class"]) <= {ORDER, REPLACE}
    assert CANCEL not in set(stopped["class"])
    # Nothing else has changed: the others' orders stand in blocks.
    done = [t["messages"].filter(pl.col("outcome") == Outcome.EXECUTED) for t in (plain, trace)]
    assert done[0].height - done[1].height == stopped.height > 0


@pytest.mark.parametrize("kind", ["eip1559", "backlog"])
def test_the_price_rises_with_the_load_and_is_what_is_paid(kind: str) -> None:
    price: dict[str, Any] = {"kind": kind, "fee_min_usd": 0.002}
    if kind == "eip1559":
        price |= {"block_work": 4, "block_ms": 20.0}
    else:
        price |= {"windows": [{"target_per_s": 100, "window_s": 1.0}]}
    trace = st.simulate(venue({"price": price}))
    messages = trace["messages"]
    assert refused(trace)["fee too low"] > 0
    paid = messages.filter(pl.col("paid_micros") > 0)
    assert set(paid["class"]) <= {ORDER, REPLACE}
    assert (paid["paid_micros"] <= paid["fee_micros"]).all()
    assert (paid["outcome"] == Outcome.EXECUTED).all()
    assert paid["paid_micros"].min() == 2_000
    assert paid["paid_micros"].max() > 2_500  # type: ignore[operator]
    # Who tries again bids more.
    assert (messages.filter(pl.col("tries") > 0)["fee_micros"] >= 2_000).any()


def test_quotas_are_earned_by_trading() -> None:
    flow = {
        "mix": {"market": 0.5, "limit": 0.5},
        "makers": {"count": 1, "levels": 2},
        "retry": {"tries_max": 0},
    }
    denied = []
    for per_usd in (0.0, 1.0):
        quota = {"initial": 2, "trickle_s": 100.0, "cancels_extra": 10, "per_usd": per_usd}
        market = {"positions": {"count": 10}}
        scenario = venue({"policy": "quota", "quota": quota}, market=market, flow=flow)
        denied.append(refused(st.simulate(scenario))["rate exceeded"])
    assert 0 < denied[1] < denied[0]


def test_without_admission_nothing_is_refused_and_nothing_paid() -> None:
    trace = st.simulate(venue({}))
    assert refused(trace) == {}
    assert trace["messages"]["paid_micros"].sum() == 0
    assert trace["decisions"].is_empty()


def test_same_seed_same_bytes() -> None:
    scenario = venue(
        {
            "policy": "rates",
            "orders": {"per_s": 2.0, "burst": 2},
            "price": {"kind": "backlog"},
            "expires_blocks": 20,
            "remember_cancels": True,
        }
    )
    assert st.simulate(scenario).trace_hash == st.simulate(scenario).trace_hash


def test_a_cap_without_a_price_is_refused() -> None:
    with pytest.raises(SurgetankError, match="needs a `price`"):
        venue({"relief": "capped"})
