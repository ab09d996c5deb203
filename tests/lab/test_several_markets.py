"""Several perpetuals with shared accounts: who becomes due when, by hand; money; every actor."""

from __future__ import annotations

import math
from typing import Any

import polars as pl
import pytest

import surgetank as st
from surgetank.measure import measure
from surgetank.measure.bad_debt import triggers
from surgetank.measure.liquidations import due_episodes, executed_orders
from surgetank.measure.markets import by_market
from surgetank.testing import make_trace
from surgetank.trace import MarketKind, Source

MS = 1_000_000
LEVERAGE, MAINTENANCE = 20.0, 0.03
AT_S, UNTIL_S, FALL = 2.0, 12.0, 0.1


def venue(mode: str, first_end: float, **positions: Any) -> st.Scenario:
    """Equal longs in two markets, no actor; the second market falls by a tenth in ten seconds,
    the first moves to `first_end` of its price."""
    line = {"kind": "points", "at_s": [0.0, AT_S, UNTIL_S]}
    return st.Scenario.build(
        {
            "name": "two-markets",
            "duration_s": 13.0,
            "warmup_s": 0.0,
            "drain_s": 0.1,
            "flow": {"arrivals": {"kind": "poisson", "rate_per_s": 1.0}},
            "network": {"nodes": 1, "topology": {"kind": "full"}},
            "layer": {"consensus": {"kind": "single"}},
            "market": {
                "name": "BTC",
                "price": {"path": line | {"price_usd": [5e4, 5e4, 5e4 * first_end]}},
                "margin": {"mode": mode, "initial": 1 / LEVERAGE, "maintenance": MAINTENANCE},
                "positions": {
                    "count": 40,
                    # A lot of 50 USD is then a small part of any position.
                    "notional_usd": 1e8,
                    "leverage_min": LEVERAGE,
                    "leverage_max": LEVERAGE,
                    "long_share": 1.0,
                    "markets": 2,
                }
                | positions,
                "perpetuals": [
                    {
                        "name": "ETH",
                        "tick_usd": 0.01,
                        "price": {"path": line | {"price_usd": [3e3, 3e3, 3e3 * (1 - FALL)]}},
                    }
                ],
            },
        }
    )


def reached_ns(fall: float) -> float:
    """When the second market has fallen by this share: its path is log-linear."""
    share = math.log(1 - fall) / math.log(1 - FALL)
    return (AT_S + share * (UNTIL_S - AT_S)) * 1e9


def test_isolated_positions_are_due_one_by_one() -> None:
    """1/L − x < m·(1 − x), in the second market only, whatever the first does."""
    for first_end in (1.0, 1 + FALL):
        trace = st.simulate(venue("isolated", first_end), seed=3)
        found = due_episodes(trace)
        assert found["unit"].to_list() == [1] * 40
        due_ns = reached_ns((1 / LEVERAGE - MAINTENANCE) / (1 - MAINTENANCE))
        assert found["due_ns"].is_between(due_ns, due_ns + 100 * MS).all()
        rows = trace["market"].filter(pl.col("kind") == MarketKind.DUE)
        assert rows["market"].to_list() == [1] * 40
        assert (rows["price"] * 0.01 / 3_000 - 1 + 0.0206).abs().max() < 1e-3  # type: ignore[operator]


def test_accounts_with_one_collateral_are_due_later() -> None:
    """Half of the account falls: 1/L − x/2 < m·(1 − x/2), so at twice the fall; no single market
    decides."""
    trace = st.simulate(venue("cross", 1.0), seed=3)
    found = due_episodes(trace)
    assert found["unit"].to_list() == [-1] * 40
    due_ns = reached_ns(2 * (1 / LEVERAGE - MAINTENANCE) / (1 - MAINTENANCE))
    assert found["due_ns"].is_between(due_ns - 50 * MS, due_ns + 150 * MS).all()
    rows = trace["market"].filter(pl.col("kind") == MarketKind.DUE)
    assert rows["market"].null_count() == 40 and (rows["price"] == 0).all()


def test_a_gain_in_one_market_covers_the_loss_in_the_other() -> None:
    """The first rises as the second falls: no account with one collateral is due."""
    trace = st.simulate(venue("cross", 1 + FALL), seed=3)
    assert due_episodes(trace).is_empty()


def test_both_falling_take_the_account_at_the_fall_of_one() -> None:
    """Prices that move together do not diversify: due as soon as an isolated position."""
    trace = st.simulate(venue("cross", 1 - FALL), seed=3)
    due_ns = reached_ns((1 / LEVERAGE - MAINTENANCE) / (1 - MAINTENANCE))
    found = due_episodes(trace)
    assert found.height == 40
    assert found["due_ns"].is_between(due_ns - 50 * MS, due_ns + 150 * MS).all()


@pytest.fixture(scope="module")
def crash() -> st.Trace:
    """The shipped crash of three markets, shortened."""
    values = {"duration_s": 26.0, "drain_s": 4.0, "market.positions.count": 300}
    return st.simulate(st.load("correlated-crash").with_values(values), seed=11)


def test_every_actor_acts_in_every_market(crash: st.Trace) -> None:
    """Oracles, makers, background traders, keepers; and all money is conserved."""
    assert crash.stats.money_conserved and crash.stats.numbers_fit
    for column in ("edge", "fees", "relief", "held", "total"):
        assert sum(getattr(line, column) for line in crash.stats.ledger) == 0
    kinds = [MarketKind.INDEX, MarketKind.ORACLE, MarketKind.MARK, MarketKind.TRADE]
    kinds += [MarketKind.TOUCH, MarketKind.LIQUIDATION_SENT, MarketKind.LIQUIDATED]
    counts = crash["market"].group_by("kind", "market").len()
    for kind in kinds:
        markets = counts.filter(pl.col("kind") == kind)["market"].sort().to_list()
        assert markets == [0, 1, 2], kind
    # Background orders by weight 1 : 0.7 : 0.4.
    background = crash["messages"].filter(pl.col("source") == Source.BACKGROUND)
    sent = crash["market"].filter(pl.col("kind") == MarketKind.ORDER_SENT)
    sent = sent.join(background, on="message", how="semi")
    shares = sent.group_by("market").len().sort("market")["len"].to_numpy() / sent.height
    error = 4 * math.sqrt(0.25 / sent.height)
    assert abs(shares - [1 / 2.1, 0.7 / 2.1, 0.4 / 2.1]).max() < error


def test_counts_of_liquidations_add_up(crash: st.Trace) -> None:
    """One order at a time for an account with one collateral; each is of one due episode."""
    found = measure(crash)
    due = found.value("due")
    parts = ("due_liquidated", "due_recovered", "unliquidated")
    assert due == sum(found.value(name) or 0 for name in parts) > 20
    orders = executed_orders(crash, 2_000.0)
    assert orders.filter(pl.col("qty") != 0)["market"].n_unique() == 3
    first = orders["timing"].is_in(["in time", "late"]).sum()
    assert first == found.value("due_liquidated")
    sent = crash["market"].filter(pl.col("kind") == MarketKind.LIQUIDATION_SENT)
    assert not sent.select("account", "time_ns").is_duplicated().any()


def test_two_isolated_positions_are_two_episodes() -> None:
    """By hand: the same account in two markets, each judged by its own market's price."""
    row = {"account": 5, "amount": 900, "price": 950}
    market = [
        {"time_ns": 0, "kind": MarketKind.INDEX, "market": 0, "price": 1_000},
        {"time_ns": 0, "kind": MarketKind.INDEX, "market": 1, "price": 10},
        {"time_ns": 10, "kind": MarketKind.INDEX, "market": 0, "price": 940},
        {"time_ns": 10, "kind": MarketKind.DUE, "market": 0, **row},
        {"time_ns": 20, "kind": MarketKind.DUE, "market": 1, **row, "price": 11, "amount": 9},
        {"time_ns": 30, "kind": MarketKind.INDEX, "market": 1, "price": 8},
    ]
    further = {"name": "B", "tick_usd": 1.0, "price": {"path": {"kind": "gbm", "start_usd": 10.0}}}
    trace = make_trace(
        {"market": market}, scenario={"market": {"perpetuals": [further]}}, end_ns=40
    )
    found = triggers(trace)
    # At the end: 940 is above 900 in the first market, 8 below 9 in the second.
    assert found.select("account", "unit", "due_ns", "bad").rows() == [
        (5, 0, 10, False),
        (5, 1, 20, True),
    ]


BAD = [
    ([{"name": "PERP"}], {}, "another perpetual is named PERP"),
    ([{"name": "B", "lot": 1.0}], {}, "lot"),
    ([{"name": "B", "options": {}}], {}, "options"),
    ([{"name": "B"}], {"positions": {"markets": 3}}, "there are 2 perpetuals"),
    ([], {"positions": {"markets": 2}}, "there is 1 perpetual"),
    ([{"name": "B", "price": {"path": {"kind": "tape"}}}], {}, "gbm, points, follows"),
    ([{"name": "B", "margin": {"initial": 0.01, "maintenance": 0.02}}], {}, "maintenance"),
]


@pytest.mark.parametrize(("perpetuals", "market", "words"), BAD)
def test_markets_that_do_not_fit_are_refused(
    perpetuals: list[dict[str, Any]], market: dict[str, Any], words: str
) -> None:
    """With the key and what is wrong."""
    whole = {"tick_usd": 1.0, "price": {"path": {"kind": "gbm", "start_usd": 10.0}}}
    given = {"perpetuals": [whole | one for one in perpetuals]} | market
    with pytest.raises(st.SurgetankError, match=words):
        st.Scenario.build({"name": "bad", "market": given})


def test_prices_beyond_the_ticks_name_their_market() -> None:
    """The core names the key of the further perpetual."""
    path = {"kind": "follows", "start_usd": 1e11}
    further = {"name": "B", "tick_usd": 1e-9, "price": {"path": path}}
    scenario = st.Scenario.build({"name": "bad", "market": {"perpetuals": [further]}})
    with pytest.raises(st.SurgetankError, match=r"market\.perpetuals\[0\]\.price\.path\.start_usd"):
        st.simulate(scenario)


def test_by_market_sums_to_the_whole(crash: st.Trace) -> None:
    """Each liquidation and each debt is of one market."""
    rows, found = by_market(crash), measure(crash)
    assert rows["name"].to_list() == ["BTC", "ETH", "SOL"]
    assert (rows["liquidations"] > 0).all()
    assert rows["liquidations"].sum() == found.value("liquidations")
    for name in ("bad_debt_usd", "deleveraged_usd"):
        assert rows[name].sum() == pytest.approx(found.value(name))
    assert by_market(make_trace({})).is_empty()
