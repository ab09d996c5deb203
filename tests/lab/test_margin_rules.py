"""Margin tiers and funding payments in whole worlds."""

from __future__ import annotations

from typing import Any

import polars as pl
import pytest

import surgetank as st
from surgetank.measure import measure
from surgetank.measure.ledger import ledger
from surgetank.search.parameter import parameter
from surgetank.simulate import simulate
from surgetank.trace import MarketKind

BOUND_USD, LOW, HIGH = 100_000.0, 0.01, 0.04
TIER = {"above_usd": BOUND_USD, "initial": 0.1, "maintenance": HIGH}


def world(margin: dict[str, Any], **positions: Any) -> st.Scenario:
    """A sequencer with a block every 100 ms; the price falls by 10 % within a second and stays.
    Liquidations close whole positions outside the book, at the mark."""
    fall = {"kind": "points", "at_s": [0.0, 1.0, 2.0], "price_usd": [50_000.0, 50_000.0, 45_000.0]}
    return st.Scenario.build(
        {
            "name": "margin-rules",
            "duration_s": 6.0,
            "warmup_s": 0.0,
            "drain_s": 2.0,
            "flow": {
                "arrivals": {"kind": "poisson", "rate_per_s": 20.0},
                "keepers": {"count": 2, "reaction_ms": 10.0, "watch": "outside"},
            },
            "network": {"nodes": 1},
            "layer": {
                "gossip": {"kind": "direct"},
                "consensus": {"kind": "single", "window_ms": 100.0},
            },
            "market": {
                "price": {"path": fall, "feed": "block"},
                "margin": {"initial": 0.02, "maintenance": LOW, "close_out": "oracle"} | margin,
                "positions": {"count": 40, "notional_usd": 200_000.0, "long_share": 1.0}
                | {"leverage_min": 20.0, "leverage_max": 50.0}
                | positions,
            },
        }
    )


def closed(trace: st.Trace) -> pl.DataFrame:
    """Due accounts that were closed out whole: liquidation and bankruptcy price, and lots."""
    rows = trace["market"]
    due = rows.filter(pl.col("kind") == MarketKind.DUE).group_by("account").first()
    done = rows.filter(pl.col("kind") == MarketKind.LIQUIDATED)["account", "qty"]
    return due.select("account", "price", bankruptcy="amount").join(done, on="account")


def test_each_account_becomes_due_at_the_requirement_of_its_size() -> None:
    """At the liquidation price what is left before bankruptcy is 1 % of the first 100,000 USD and
    4 % of the rest."""
    trace = simulate(world({"tiers": [TIER]}), seed=1)
    found, stats = closed(trace), trace.stats
    assert stats.money_conserved
    assert found.height > 20
    large = 0
    for _, price, bankruptcy, lots in found.rows():
        usd = abs(lots) * price * stats.quantum_usd
        required = LOW * min(usd, BOUND_USD) + HIGH * max(usd - BOUND_USD, 0)
        left = abs(lots) * (price - bankruptcy) * stats.quantum_usd
        # Both prices are whole ticks.
        assert left == pytest.approx(required, abs=2 * abs(lots) * stats.quantum_usd)
        large += usd > 2 * BOUND_USD
    assert large > 5


def test_a_large_position_opens_at_most_at_its_tiers_leverage() -> None:
    """Without a price move no account is due at the start, however large the position."""
    calm = {"market.price.path": {"kind": "points", "at_s": [0.0], "price_usd": [50_000.0]}}
    scenario = world({"tiers": [TIER]}, leverage_min=50.0).with_values(calm)
    assert closed(simulate(scenario, seed=1)).is_empty()


def test_initial_margin_that_grows_with_open_interest_refuses_orders() -> None:
    """Makers' orders of 10,000 USD with 3,000 USD of capital; no account becomes due by it."""
    caps = {"open_interest": {"lower_usd": 1_000.0, "upper_usd": 2_000.0}}
    makers = {"flow.makers": {"count": 2, "capital_usd": 3_000.0, "level_usd": 10_000.0}}
    makers |= {"flow.mix": dict.fromkeys(("limit", "post_only", "cancel", "replace"), 0.0)}
    counts = []
    for margin in ({}, caps):
        kinds = simulate(world(margin).with_values(makers), seed=1)["market"]["kind"]
        counts.append([int((kinds == kind).sum()) for kind in (MarketKind.TOUCH, MarketKind.DUE)])
    (quotes, due), (quotes_capped, due_capped) = counts
    assert quotes > 0 and quotes_capped == 0
    assert due >= due_capped == 40


def test_a_search_for_safe_leverage_varies_every_tier() -> None:
    scenario = world({"tiers": [TIER]})
    leverage = parameter(scenario, "leverage")
    for level in (100.0, 25.0, 5.0):
        margin = scenario.with_values(leverage.values(level)).market.margin  # type: ignore[union-attr]
        assert margin.initial == pytest.approx(1 / level)
        assert margin.tiers[0].initial == pytest.approx(min(1.0, 0.1 * 50 / level))
        assert margin.tiers[0].maintenance == pytest.approx(0.4 * margin.tiers[0].initial)


#: A premium of 1.2 % before the start, paid whole 3 s later: a share of 1.15 %.
PAYMENT = {"interval_s": 60.0, "first_s": 3.0, "sample_s": 3.0, "impact_usd": 1e9}
PAYMENT |= {"premium_bp": 120.0, "paid_share": 1.0, "cap_bp": 0.0}


def flat(funding: dict[str, Any] | None, **values: Any) -> st.Trace:
    """The price does not move; equity is up to 1 % of notional above maintenance margin."""
    calm = {"kind": "points", "at_s": [0.0], "price_usd": [50_000.0]}
    keys = {"market.price.path": calm, "market.positions.buffer_min": 0.0} | values
    scenario = world({}, leverage_min=50.0).with_values(keys | {"market.funding": funding})
    return simulate(scenario, seed=1)


def test_accounts_become_due_by_a_funding_payment_alone() -> None:
    rows = flat(PAYMENT)["market"]
    due = rows.filter(pl.col("kind") == MarketKind.DUE)
    (payment,) = rows.filter(pl.col("kind") == MarketKind.FUNDING).iter_rows(named=True)
    assert due.height > 5
    assert due["time_ns"].unique().to_list() == [payment["time_ns"]]
    # 19 of 20 premiums were sampled before the start, the last one of an empty book.
    premium = 120e5 * 19 / 20
    assert payment["qty"] == pytest.approx(premium - 5e5, abs=1)
    assert payment["price"] == 500_000
    calls = rows.filter(pl.col("kind") == MarketKind.MARGIN_CALL)
    assert set(due["account"]) <= set(calls["account"])
    assert calls["amount"].unique().to_list() == [0], "the mark moved no account"
    assert closed(flat(PAYMENT)).height == due.height, "keepers close them out"
    unpaid = flat(None)["market"]["kind"]
    assert not unpaid.is_in([MarketKind.DUE, MarketKind.FUNDING]).any()


def test_funding_is_a_column_of_the_ledger_that_sums_to_zero() -> None:
    trace = flat(PAYMENT)
    assert trace.stats.money_conserved
    rows = ledger(trace)
    gain = dict(rows.select("group", "funding").iter_rows())
    assert sum(gain.values()) == 0
    paid = int(trace["market"].filter(pl.col("kind") == MarketKind.FUNDING)["amount"].sum())
    assert gain["liquidated"] < 0 < gain["holders"] <= paid
    measured = measure(trace)["funding_paid_usd"]
    assert measured.value == pytest.approx(paid * trace.stats.quantum_usd)
    assert measured.n == 1
    parts = rows.select(pl.sum_horizontal("edge", "fees", "relief", "funding", "held")).to_series()
    assert parts.to_list() == rows["total"].to_list()
    for column in ("edge", "fees", "relief", "funding", "held", "total"):
        assert rows[column].sum() == 0, column
    assert ledger(flat(None))["funding"].to_list() == [0] * rows.height


def test_the_interval_can_be_shortened() -> None:
    times = flat({"interval_s": 1.0, "sample_s": 0.2})["market"].filter(
        pl.col("kind") == MarketKind.FUNDING
    )["time_ns"]
    seconds = [int(second) for second in times / 1e9]
    assert seconds == list(range(1, len(seconds) + 1)), "with the first block of each second"
    assert len(seconds) >= 5


def in_assets(asset: dict[str, Any], path: dict[str, Any]) -> st.Trace:
    """Positions whose collateral is held in this asset, in cross mode."""
    asset = {"name": "COIN", "share": 1.0} | asset
    scenario = world({"mode": "cross"}).with_values({"market.price.path": path})
    return simulate(scenario.with_values({"market.collateral": [asset]}), seed=1)


FALL = {"kind": "points", "at_s": [0.0, 1.0, 2.0], "price_usd": [50_000.0, 50_000.0, 48_000.0]}
CALM = {"kind": "points", "at_s": [0.0], "price_usd": [50_000.0]}


def test_collateral_in_an_asset_is_sold_with_its_position_and_money_is_conserved() -> None:
    stable = in_assets({"price_usd": 1.0, "haircut": 0.1}, FALL)
    rows = stable["market"]
    sold = rows.filter(pl.col("kind") == MarketKind.COLLATERAL_SOLD)
    assert sold["account"].n_unique() > 20
    # 10 % of what is sold is the haircut; amounts are rounded up by less than a quantum.
    assert ((sold["qty"] * 0.9 - sold["amount"]).abs() <= 1).all()
    assert stable.stats.money_conserved
    lines = ledger(stable)
    for column in ("edge", "fees", "relief", "funding", "held", "total"):
        assert lines[column].sum() == 0, column


def test_collateral_that_falls_with_the_position_makes_it_due_earlier() -> None:
    """Wrong-way risk: the same fall, the same margin at the start."""
    due = []
    for asset in ({"price_usd": 1.0, "haircut": 0.1}, {"haircut": 0.1}):
        rows = in_assets(asset, FALL)["market"]
        first = rows.filter(pl.col("kind") == MarketKind.DUE).group_by("account").first()
        due.append(first["time_ns"].cast(pl.Float64).sum() / first.height)
        assert first.height > 20
    assert due[1] < due[0]
    calm = in_assets({"haircut": 0.1}, CALM)["market"]["kind"]
    assert not (calm == MarketKind.DUE).any()
