"""Options in the pipe: portfolios become due, are called, auctioned and leave debts behind."""

from __future__ import annotations

from functools import cache
from typing import Any

import polars as pl
import pytest

import surgetank as st
from surgetank.trace import Bearer, MarketKind

SEEDS = range(1, 6)
CRASH: dict[str, Any] = {
    "name": "options-only",
    "duration_s": 22.0,
    "warmup_s": 1.0,
    "drain_s": 10.0,
    "flow": {
        "accounts": 20,
        "arrivals": {"kind": "poisson", "rate_per_s": 50.0},
        "oracle": {"count": 1, "interval_ms": 200.0},
        "keepers": {"count": 2, "reaction_ms": 5.0},
    },
    "network": {"nodes": 3, "delay": {"kind": "fixed", "delay_ms": 20.0}},
    "layer": {"gossip": {"kind": "direct"}, "consensus": {"kind": "single"}},
    "market": {
        "tick_usd": 0.01,
        "lot": 0.01,
        "price": {
            "path": {
                "kind": "points",
                "at_s": [0.0, 2.0, 8.0, 22.0],
                "price_usd": [194.0, 192.0, 105.0, 105.0],
                "volatility": 3.0,
            }
        },
        "margin": {"insurance_usd": 20_000.0},
        "positions": {"count": 0},
        "options": {
            "iv": 0.9,
            "iv_beta": 0.02,
            "expiry_days": [7.0, 28.0],
            "positions": {"count": 60, "equity_max": 1.5},
        },
    },
}


@cache
def crash(delay_ms: float, seed: int, hold: str = "short-strangles") -> st.Trace:
    """The market falls by 45 % in six seconds, links as slow as this."""
    values = {"network.delay.delay_ms": delay_ms, "market.options.positions.hold": hold}
    return st.simulate(st.Scenario.build(CRASH).with_values(values), seed=seed)


def rows(trace: st.Trace, kind: str) -> pl.DataFrame:
    """Rows of one kind, in order."""
    return trace["market"].filter(pl.col("kind") == MarketKind.named(kind))


def test_portfolios_go_through_the_layer() -> None:
    """Due, then called, then closed by a message that the layer carried; money stands still."""
    trace = crash(20.0, 1)
    assert trace.stats.money_conserved
    due, closed = rows(trace, "due"), rows(trace, "liquidated")
    assert closed.height >= 50
    assert set(closed["account"]) <= set(due["account"]) <= set(range(60))
    carried = trace["messages"].filter(pl.col("executed_ns").is_not_null())
    joined = closed.join(carried, on="message", how="left")
    assert joined["executed_ns"].null_count() == 0
    assert (joined["executed_ns"] <= joined["time_ns"]).all()
    assert (joined["ref_ns"] <= joined["time_ns"]).all(), "due before it was closed"


def test_margin_calls_reach_portfolios() -> None:
    """Each account closed was called before, when the venue's own mark found it short."""
    trace = crash(20.0, 1)
    calls = rows(trace, "margin-call").group_by("account").agg(pl.col("time_ns").min())
    closed = rows(trace, "liquidated").join(calls, on="account", how="left", suffix="_called")
    assert closed["time_ns_called"].null_count() == 0
    assert (closed["time_ns_called"] <= closed["time_ns"]).all()


@pytest.mark.parametrize("hold", ["short-strangles", "short-puts"])
def test_a_slower_layer_leaves_more_bad_debt(hold: str) -> None:
    """The same crash, the same accounts; only the links differ."""

    def owed(delay_ms: float) -> list[float]:
        found = [st.measure(crash(delay_ms, seed, hold)) for seed in SEEDS]
        return [measures["bad_debt_usd"].value or 0.0 for measures in found]

    fast, slow = owed(20.0), owed(3_000.0)
    assert all(s > f for f, s in zip(fast, slow, strict=True)), (fast, slow)
    assert sum(fast) < 0.01 * sum(slow)


def test_debts_are_the_same_in_the_trace_and_in_the_fund() -> None:
    """Bad debt = what the fund lost + what no one paid."""
    trace = crash(3_000.0, 1)
    debts = rows(trace, "bad-debt")
    fund = rows(trace, "insurance")["amount"]
    start = round(20_000.0 / trace.stats.quantum_usd)
    by_fund = debts.filter(pl.col("code") == Bearer.INSURANCE)["amount"].sum()
    assert by_fund == start - (fund[-1] if len(fund) else start)
    assert debts["amount"].sum() > by_fund > 0, "more than the fund had"
    assert trace.stats.money_conserved


def test_liquidators_who_wait_for_a_discount_close_later() -> None:
    """The auction falls from 95 % to 60 % in four seconds; they buy at 80 %."""
    values = {
        "market.options.auction": {"knee": 0.6, "fast_s": 4.0, "slow_s": 60.0, "bid": 0.8},
        "flow.keepers.resend_ms": 500.0,
    }
    waiting = st.simulate(st.Scenario.build(CRASH).with_values(values), seed=1)
    assert rows(waiting, "liquidation-deferred").height > 50
    at_once = st.measure(crash(20.0, 1))["liquidation_delay_p50_ms"].value
    later = st.measure(waiting)["liquidation_delay_p50_ms"].value
    assert at_once is not None and later is not None
    assert 1_200.0 < later - at_once < 4_000.0, "15 of 35 points take 1.7 s"


def test_the_same_seed_gives_the_same_bytes() -> None:
    """Floats and all."""
    one, two = (crash.__wrapped__(20.0, 2) for _ in range(2))
    assert one.trace_hash == two.trace_hash != crash(20.0, 3).trace_hash


def test_options_leave_the_others_draws_alone() -> None:
    """Portfolios beside a market of perpetuals do not move the price or the background."""
    values: dict[str, Any] = {"market.options": None, "market.positions.count": 20}
    with_options = st.Scenario.build(CRASH).with_values({"market.positions.count": 20})
    without = with_options.with_values(values)
    prices = [
        rows(st.simulate(s, seed=4), "index")["price"].to_list() for s in (with_options, without)
    ]
    assert prices[0] == prices[1]


@pytest.mark.parametrize(
    "options, words",
    [
        ({"strikes_pct": [90.0, 100.0]}, "strike above 100"),
        ({"strikes_pct": [100.0, 110.0], "positions": {"hold": "short-puts"}}, "below 100"),
        ({"auction": {"knee": 0.99}}, "must not be above `start`"),
        ({"positions": {"equity_min": 3.0}}, "equity_max"),
        ({"margin": "span"}, "deribit-pm"),
    ],
)
def test_what_cannot_be_asked_is_refused(options: dict[str, Any], words: str) -> None:
    """With the place and the reason."""
    with pytest.raises(st.SurgetankError, match=r"market\.options") as caught:
        st.Scenario.build(CRASH | {"market": {"options": options}})
    assert words in str(caught.value)


def test_an_option_may_expire_within_a_run() -> None:
    """Settled in cash at the oracle price; nothing is left to close."""
    values = {"market.options.expiry_days": [10 / 86_400], "market.options.iv_beta": 0.0}
    trace = st.simulate(st.Scenario.build(CRASH).with_values(values), seed=1)
    assert trace.stats.money_conserved
    hedged = rows(trace, "due").filter(pl.col("time_ns") > 11_000_000_000)
    assert hedged.height < 60


def test_the_reference_scenario_says_what_its_description_says() -> None:
    """Liquidations that wait behind panic leave debts; in a lane of their own they leave none."""
    scenario = st.load("options-crash")
    lane = {
        "layer.queue.rule": "priority",
        "layer.queue.high": ["liquidation-order", "price-update"],
    }
    as_is, remedied = (st.measure(st.simulate(s)) for s in (scenario, scenario.with_values(lane)))
    owed, late = (
        [m[name].value or 0.0 for m in (as_is, remedied)]
        for name in ("bad_debt_usd", "late_liquidations")
    )
    assert owed[0] > 1_000.0 and owed[1] == 0.0
    assert late[0] > 100.0 and late[1] == 0.0


def test_derives_rule_runs_too() -> None:
    """It asks for more against a fall than Deribit's, so accounts sized by it hold out as long."""
    values = {"market.options.margin": "derive-pmrm", "market.options.positions.hold": "short-puts"}
    trace = st.simulate(st.Scenario.build(CRASH).with_values(values), seed=1)
    assert trace.stats.money_conserved
    assert rows(trace, "liquidated").height >= 50
    assert rows(trace, "bad-debt").is_empty()


def test_a_liquidator_who_hedges_presses_on_the_price() -> None:
    """Sold puts pass on a long delta; it is sold outside."""
    values = {"market.options.positions.hold": "short-puts", "market.price.impact_bp_per_musd": 200}
    pressed = rows(st.simulate(st.Scenario.build(CRASH).with_values(values), seed=1), "index")
    free = rows(crash(20.0, 1, "short-puts"), "index")
    assert pressed["price"][0] == free["price"][0]
    assert pressed["price"][-1] < 0.99 * free["price"][-1]


def test_portfolios_sold_in_parts_are_tried_again() -> None:
    """Half of what is left at each order, until the account recovers or nothing is left."""
    values = {"market.margin.liquidation_share": 0.5, "flow.keepers.resend_ms": 500.0}
    trace = st.simulate(st.Scenario.build(CRASH).with_values(values), seed=1)
    times = rows(trace, "liquidated").group_by("account").len()
    assert trace.stats.money_conserved
    assert int(times["len"].max() or 0) > 1  # type: ignore[arg-type]


def test_a_layer_that_stops_leaves_portfolios_under_water() -> None:
    """What is never closed is not thereby solvent: it is due, open and worth less than nothing."""
    values = {"market.price.path.price_usd": [194.0, 192.0, 60.0, 60.0]}
    halt = [{"kind": "crash", "at_s": 1.5, "duration_s": 60.0, "nodes": [0]}]
    scenario = st.Scenario.build(CRASH).with_values({**values, "faults": halt})
    trace = st.simulate(scenario, seed=1)
    assert rows(trace, "liquidated").is_empty() and rows(trace, "bad-debt").is_empty()
    sunk = rows(trace, "underwater")
    assert sunk["account"].n_unique() == 60
    assert (sunk.group_by("account").last()["amount"] < 0).all()
    assert st.measure(trace)["bad_debt_share"].value == 1.0
    closed = crash(20.0, 1)
    assert rows(closed, "underwater").is_empty()
