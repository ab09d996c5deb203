"""Liquidation rules of venues, in whole worlds: limits per block, parts, vault, margin calls."""

from __future__ import annotations

import itertools
from typing import Any

import polars as pl

import surgetank as st
from surgetank.simulate import simulate
from surgetank.trace import Bearer, Deferral, MarketKind


def venue(margin: dict[str, Any], **values: Any) -> st.Scenario:
    """A sequencer with a block every 100 ms; the price falls by 5 % within a second and stays."""
    fall = {"kind": "points", "at_s": [0.0, 1.0, 2.0], "price_usd": [50_000.0, 50_000.0, 47_500.0]}
    data: dict[str, Any] = {
        "name": "venue-rules",
        "duration_s": 20.0,
        "warmup_s": 0.0,
        "drain_s": 2.0,
        "flow": {
            "arrivals": {"kind": "poisson", "rate_per_s": 20.0},
            "client_link": {"fixed_ms": 5.0, "jitter_ms": 0.0},
            "keepers": {"count": 2, "reaction_ms": 10.0, "watch": "outside", "resend_ms": 1e9},
        },
        "network": {"nodes": 1},
        "layer": {
            "gossip": {"kind": "direct"},
            "consensus": {"kind": "single", "window_ms": 100.0},
        },
        "market": {
            "price": {"path": fall, "feed": "block"},
            "margin": {"initial": 0.02, "maintenance": 0.01, "insurance_usd": 0.0} | margin,
            "positions": {"count": 5, "notional_usd": 60_000.0, "long_share": 1.0}
            | {"leverage_min": 40.0, "leverage_max": 50.0},
        },
    }
    return st.Scenario.build(data | values)


def rows(trace: st.Trace, kind: str) -> pl.DataFrame:
    """Rows of one kind, with the height of the block that they came about in."""
    heights = trace["messages"].select("message", "height")
    of_kind = trace["market"].filter(pl.col("kind") == MarketKind.named(kind))
    return of_kind.join(heights, on="message", how="left", maintain_order="left")


# Closing this far from the mark leaves bad debt with every part, so that no part makes the rest
# solvent, and each is a liquidation of its own.
OUTSIDE = {"close_out": "oracle", "close_out_bp": 500.0}


def test_a_position_goes_in_as_many_blocks_as_its_limits_say() -> None:
    trace = simulate(venue(OUTSIDE | {"per_block": {}}), seed=1)
    done = rows(trace, "liquidated")
    assert done["account"].n_unique() == 5
    assert trace.stats.money_conserved
    least = int(1_000 / trace.stats.quantum_usd) // int(rows(trace, "mark")["price"][-1])
    for (account,), parts in done.group_by("account"):
        size = left = int(parts["qty"].abs().sum())
        for _ in range(parts.height):
            left -= min(left, max(left // 10, least))
        # The first parts come while the price still falls, and are a little smaller.
        assert left <= size * 0.02, f"account {account}: {left} of {size} left"
        heights = parts["height"].to_list()
        gaps = [b - a for a, b in itertools.pairwise(heights)]
        assert set(gaps) == {1}, "one part per block: the keeper goes on as soon as it hears"


def test_attempts_per_block_put_liquidations_off_and_keepers_try_again() -> None:
    tight = venue(OUTSIDE | {"per_block": {"attempts": 1, "position_share": 1.0}})
    trace = simulate(tight, seed=1)
    done, put_off = rows(trace, "liquidated"), rows(trace, "liquidation-deferred")
    assert not put_off.is_empty()
    assert set(put_off["code"]) == {Deferral.ATTEMPTS}
    assert done["height"].is_unique().all(), "one a block"
    assert done["account"].n_unique() == 5, "all in the end, though `resend_ms` is a long time"
    free = simulate(venue(OUTSIDE), seed=1)
    assert rows(free, "liquidation-deferred").is_empty()
    assert rows(free, "liquidated")["height"].to_list()[-1] < done["height"].to_list()[-1]


def test_a_vault_takes_over_where_there_is_no_book() -> None:
    backstop = {"backstop": {"vault_usd": 1e6}, "partial": {}}
    # An order that finds neither vault nor book is sent again.
    scenario = venue(backstop).with_values({"flow.keepers.resend_ms": 200.0})
    trace = simulate(scenario, seed=1)
    taken, done = rows(trace, "taken-over"), rows(trace, "liquidated")
    assert trace.stats.money_conserved
    assert taken["account"].n_unique() == 5
    assert taken["other"].n_unique() == 1
    last = done.group_by("account").agg(pl.col("qty").last().abs())
    assert last.join(taken, on="account")["qty"].to_list() == (
        last.join(taken, on="account")["qty_right"].to_list()
    )
    debt = rows(trace, "bad-debt")
    assert set(debt["code"]) <= {Bearer.VAULT}
    lacking = -taken.filter(pl.col("amount") < 0)["amount"].sum()
    assert debt["amount"].sum() == lacking


def test_an_account_is_called_once_until_it_recovers() -> None:
    zigzag = {"kind": "points", "at_s": [0.0, 2.0, 4.0, 6.0, 8.0]}
    zigzag |= {"price_usd": [50_000.0, 48_800.0, 50_000.0, 48_800.0, 50_000.0]}
    scenario = venue({}).with_values({"market.price.path": zigzag, "flow.keepers.count": 0})
    trace = simulate(scenario, seed=1)
    calls = rows(trace, "margin-call")["account"].value_counts()
    longs = calls.filter(pl.col("account") < 5)
    assert longs.height == 5
    assert set(longs["count"]) == {2}


def test_presets_bring_their_rules() -> None:
    base = venue({}).model_dump(mode="json", exclude_unset=True)
    del base["market"]["margin"]
    base["layer"].pop("consensus")
    base["layer"].pop("gossip")
    dydx = st.Scenario.build(base | {"venue": "dydx-v4"})
    assert dydx.market is not None and dydx.market.margin.per_block is not None
    assert dydx.market.margin.per_block.account_usd == 100_000.0
    assert simulate(dydx, seed=1).stats.money_conserved
    # Its initial margin allows 40, where `base` has positions of up to 50.
    base["market"]["positions"] |= {"leverage_min": 35.0, "leverage_max": 40.0}
    liquid = st.Scenario.build(base | {"venue": "hyperliquid"})
    assert liquid.market is not None and liquid.market.margin.backstop is not None
    trace = simulate(liquid, seed=1)
    assert trace.stats.money_conserved
    assert not rows(trace, "taken-over").is_empty()
