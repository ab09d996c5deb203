"""Each venue's preset, by what happens under it: how far from the mark things trade, what is
refused, how makers move their quotes, how liquidations end."""

from __future__ import annotations

from functools import cache
from typing import Any

import polars as pl
import pytest

import surgetank as st
from surgetank.simulate import simulate
from surgetank.trace import CLASSES, MarketKind, Trace

VENUES = ("binance", "deribit", "dydx-v4", "hyperliquid")
#: Without any of its limits, which is what they are held against.
FREE = {"slippage_bp": 0.0, "band_bp": 0.0, "far_bp": 0.0, "liquidation_bp": 0.0}


def thin(venue: str, **values: Any) -> st.Scenario:
    """A book of orders far away, large market orders, positions that a fall of 4 % makes due."""
    fall = {"kind": "points", "at_s": [0.0, 5.0, 6.0], "price_usd": [50_000.0, 50_000.0, 48_000.0]}
    data = {
        "name": "thin",
        "venue": venue,
        "duration_s": 12.0,
        "warmup_s": 0.0,
        "drain_s": 2.0,
        "flow": {
            "arrivals": {"kind": "poisson", "rate_per_s": 150.0},
            "mix": {"limit": 0.7, "market": 0.3, "post_only": 0.0, "ioc": 0.0}
            | {"cancel": 0.0, "replace": 0.0, "order_usd": 20_000.0, "distance_bp": 1_500.0},
            "client_link": {"fixed_ms": 5.0, "jitter_ms": 1.0},
            "keepers": {"count": 2, "reaction_ms": 10.0},
            "oracle": {"count": 3, "interval_ms": 500.0},
        },
        "network": {"nodes": 4, "delay": {"kind": "fixed", "delay_ms": 10.0}},
        "market": {
            "price": {"path": fall},
            "margin": {"insurance_usd": 1e7},
            "positions": {"count": 40, "notional_usd": 60_000.0, "long_share": 1.0}
            | {"leverage_min": 30.0, "leverage_max": 40.0},
        },
    }
    if venue == "binance":  # due early enough that there are bids within its limit
        own = {"initial": 0.02, "maintenance": 0.01, "tiers": []}
        data["market"]["margin"] |= own  # type: ignore[index]
    return st.Scenario.build(data).with_values(values)


@cache
def traced(venue: str, *, free: bool = False) -> Trace:
    """One run; `free` of all protection, fillable price included."""
    scenario = thin(venue)
    if free:
        scenario = scenario.with_values(
            {f"market.protection.{key}": value for key, value in FREE.items()}
            | {"market.margin.fillable": None}
        )
    return simulate(scenario, seed=1)


def farthest(trace: Trace, kind: str) -> float:
    """How far from the mark, as a share, trades of this kind went."""
    rows = trace["market"].with_columns(
        mark=pl.when(pl.col("kind") == MarketKind.MARK).then(pl.col("price")).forward_fill()
    )
    trades = rows.filter(pl.col("kind") == MarketKind.named(kind))
    assert trades.height > 5, "the scenario must make some"
    return float((trades["price"] / trades["mark"] - 1).abs().max())  # type: ignore[arg-type]


@pytest.mark.parametrize(
    ("venue", "most"),
    [("binance", 0.05), ("deribit", 0.015), ("dydx-v4", 0.05), ("hyperliquid", 0.05)],
)
def test_market_orders_stop_at_the_venues_distance(venue: str, most: float) -> None:
    assert farthest(traced(venue), "trade") <= most + 1e-4
    assert farthest(traced(venue, free=True), "trade") > most + 0.01


@pytest.mark.parametrize(("venue", "most"), [("binance", 0.05), ("deribit", 0.015)])
def test_liquidations_stop_there_too(venue: str, most: float) -> None:
    assert farthest(traced(venue), "liquidation-trade") <= most + 1e-4
    assert farthest(traced(venue, free=True), "liquidation-trade") > most


def test_dydx_liquidations_stop_at_the_fillable_price() -> None:
    """At most 1.5 × 1.2 % from the oracle price."""
    assert farthest(traced("dydx-v4"), "liquidation-trade") <= 0.018 + 1e-4
    assert farthest(traced("dydx-v4", free=True), "liquidation-trade") > 0.018


@pytest.mark.parametrize(
    ("venue", "moves"),
    [
        ("binance", "cancel"),
        ("deribit", "replace"),
        ("dydx-v4", "replace"),
        ("hyperliquid", "cancel"),
    ],
)
def test_makers_move_quotes_as_the_venue_has_it(venue: str, moves: str) -> None:
    """No one else cancels or replaces here."""
    trace = simulate(thin(venue, **{"flow.makers.count": 2}), seed=1)
    classes = trace["messages"]["class"].value_counts()
    sent = {CLASSES[row["class"]]: row["count"] for row in classes.to_dicts()}
    other = "replace" if moves == "cancel" else "cancel"
    assert sent[moves] > 20
    assert sent.get(other, 0) < 0.2 * sent[moves]  # what is left over is cancelled everywhere


@pytest.mark.parametrize(("venue", "nodes"), [("dydx-v4", 4), ("hyperliquid", 1), ("binance", 1)])
def test_who_makes_blocks_is_the_venues(venue: str, nodes: int) -> None:
    """Validators in turn on dYdX; one sequencer elsewhere."""
    assert traced(venue)["blocks"]["proposer"].n_unique() == nodes


def test_hyperliquid_marks_by_a_median_and_the_others_by_the_oracle() -> None:
    def follows(venue: str) -> bool:
        rows = traced(venue)["market"]
        oracle = set(rows.filter(pl.col("kind") == MarketKind.ORACLE)["price"].to_list())
        marks = rows.filter(pl.col("kind") == MarketKind.MARK)["price"].to_list()
        return set(marks[1:]) <= oracle

    assert {venue: follows(venue) for venue in VENUES} == dict.fromkeys(VENUES, True) | {
        "hyperliquid": False
    }
