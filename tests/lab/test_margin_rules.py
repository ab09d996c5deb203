"""Margin rules in whole worlds: tiers by size."""

from __future__ import annotations

from typing import Any

import polars as pl
import pytest

import surgetank as st
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
    assert due == due_capped == 40


def test_a_search_for_safe_leverage_varies_every_tier() -> None:
    scenario = world({"tiers": [TIER]})
    leverage = parameter(scenario, "leverage")
    for level in (100.0, 25.0, 5.0):
        margin = scenario.with_values(leverage.values(level)).market.margin  # type: ignore[union-attr]
        assert margin.initial == pytest.approx(1 / level)
        assert margin.tiers[0].initial == pytest.approx(min(1.0, 0.1 * 50 / level))
        assert margin.tiers[0].maintenance == pytest.approx(0.4 * margin.tiers[0].initial)
