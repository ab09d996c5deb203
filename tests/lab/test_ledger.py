"""Who gained and who lost: sums that must be zero to the last quantum, in any run."""

from __future__ import annotations

from dataclasses import replace
from typing import Any

import polars as pl
import pytest
from hypothesis import given, settings
from hypothesis import strategies as some

from surgetank.catalogue.families import GROUP
from surgetank.measure import measure
from surgetank.measure.attack import pockets
from surgetank.measure.ledger import COLUMNS, ledger
from surgetank.simulate import simulate
from surgetank.trace import Bearer, MarketKind, Trace
from surgetank.verdict.validity import checks
from venue_under_attack import CRASH, venue


def lines(trace: Trace) -> dict[str, dict[str, int]]:
    return {row.pop("group"): row for row in ledger(trace).to_dicts()}


def trades(trace: Trace) -> pl.DataFrame:
    return trace["market"].filter(
        pl.col("kind").is_in([MarketKind.TRADE, MarketKind.LIQUIDATION_TRADE])
    )


def assert_balanced(trace: Trace) -> None:
    rows = ledger(trace)
    assert rows["group"].to_list() == list(GROUP.members)
    for column in COLUMNS:
        assert sum(rows[column].to_list()) == 0, column
    parts = rows.select(pl.sum_horizontal("edge", "fees", "relief", "held")).to_series()
    assert parts.equals(rows["total"], check_names=False)
    found = {check.name: check.ok for check in checks(trace)}
    assert found["ledger_balanced"] and found["money_conserved"]


WORLDS = some.fixed_dictionaries(
    {
        "attack__kind": some.sampled_from(["none", "spam", "latency-race", "withhold", "insider"]),
        "attack__capital_usd": some.sampled_from([0.0, 500.0, 1e6]),
        "market__margin__mode": some.sampled_from(["isolated", "cross"]),
        "market__margin__taker_fee_bp": some.sampled_from([0.0, 4.5]),
        "market__margin__maker_fee_bp": some.sampled_from([0.0, 1.5]),
        "market__margin__liquidation_fee_bp": some.sampled_from([0.0, 50.0]),
        "market__margin__insurance_usd": some.sampled_from([0.0, 5_000.0]),
        "market__protection__slippage_bp": some.sampled_from([0.0, 20.0, 500.0]),
        "market__protection__band_bp": some.sampled_from([0.0, 50.0]),
        "flow__makers__capital_usd": some.sampled_from([2_000.0, 1e6]),
        "flow__makers__requote": some.sampled_from(["cancel-new", "replace"]),
        "layer__queue__rule": some.sampled_from(["fifo", "class", "fee", "auction", "express"]),
        "seed": some.integers(1, 2**32),
    }
)


@settings(max_examples=12, deadline=None)
@given(WORLDS)
def test_every_column_sums_to_zero_in_any_world(values: dict[str, Any]) -> None:
    seed = values.pop("seed")
    assert_balanced(simulate(venue(**CRASH | values), seed=seed))


def test_the_crash_moves_money_between_all_groups() -> None:
    """The property above is not met by nothing happening."""
    trace = simulate(
        venue(**CRASH, attack__kind="latency-race", market__margin__taker_fee_bp=4.5), seed=1
    )
    reported = lines(trace)
    for group in ("attacker", "makers", "takers", "liquidated", "insurance", "venue"):
        assert reported[group]["total"] != 0, group
    borne = sum(reported[group]["relief"] for group in ("insurance", "socialised"))
    assert borne == -sum(reported[group]["relief"] for group in ("holders", "liquidated")) < 0


def test_edges_and_fees_are_those_of_the_trades() -> None:
    """Computed again from the trace's rows, in whole quanta."""
    fee_bp = 5.0
    values = CRASH | {"market__margin__liquidation_fee_bp": 50.0}
    trace = simulate(
        venue(**values, attack__kind="latency-race", market__margin__taker_fee_bp=fee_bp), seed=2
    )
    reported = lines(trace)
    taken = pockets(trace)
    assert taken.height >= 2
    assert taken["edge"].sum() == reported["attacker"]["edge"] != 0
    ordinary = trades(trace).filter(pl.col("kind") == MarketKind.TRADE)
    notionals = ordinary.select(pl.col("qty").abs() * pl.col("price")).to_series().to_list()
    # The taker's fee of each trade, rounded up to a quantum.
    assert reported["venue"]["fees"] == sum(
        -(-n * round(fee_bp * 100) // 1_000_000) for n in notionals
    )
    fees = trace["market"].filter(pl.col("kind") == MarketKind.LIQUIDATED)["amount"].sum()
    assert reported["insurance"]["fees"] == fees > 0


def test_bad_debt_is_somebodys_loss() -> None:
    """What the insurance fund and others bore is what the trace calls bad debt."""
    dry = simulate(venue(**CRASH | {"market__margin__insurance_usd": 0.0}), seed=3)
    reported = lines(dry)
    debt = dry["market"].filter(pl.col("kind") == MarketKind.BAD_DEBT)["amount"].sum()
    assert debt > 0
    assert reported["insurance"]["relief"] + reported["socialised"]["relief"] == -debt


def test_a_broken_ledger_makes_the_run_invalid() -> None:
    """Positive control: one quantum out of nowhere is seen."""
    trace = simulate(venue(duration_s=2.0), seed=1)
    first, *others = trace.stats.ledger
    broken = replace(first, total=first.total + 1)
    trace = replace(trace, stats=replace(trace.stats, ledger=(broken, *others)))
    bad = [check for check in checks(trace) if check.name == "ledger_balanced"]
    assert [check.ok for check in bad] == [False] and "1 quanta" in bad[0].text


def test_an_attacker_can_lose_its_capital_and_no_more() -> None:
    """It buys into a rise on margin and stays long in the fall: it is liquidated as all others."""
    capital = 1_500.0
    path = {"kind": "points", "at_s": [0.0, 1.0, 2.0, 3.0, 8.0]} | {
        "price_usd": [200.0, 200.0, 206.0, 206.0, 180.0],
        "volatility": 0.1,
    }
    values = CRASH | {"market__price__path": path, "flow__makers__pull_pct": 0.0}
    trace = simulate(
        venue(
            **values | {"duration_s": 12.0},
            attack__kind="latency-race",
            attack__capital_usd=capital,
            attack__size_usd=10_000.0,
            attack__duration_s=2.5,
        ),
        seed=1,
    )
    first, _ = trace.stats.accounts.attackers
    liquidated = trace["market"].filter(pl.col("kind") == MarketKind.LIQUIDATED)
    assert first in liquidated["account"].to_list()
    total = lines(trace)["attacker"]["total"] * trace.stats.quantum_usd
    assert -capital - 1e-6 <= total < -0.5 * capital


def test_a_debt_that_deleveraged_winners_bear_is_the_attackers_gain() -> None:
    """It is long when the price falls by a quarter at once; no one's bids are left, and its rest is
    closed against winners at the price at which it is bankrupt. The ledger has no relief for that;
    what it took from them is a gain all the same."""
    path = {"kind": "points", "at_s": [0.0, 1.0, 2.0, 3.0, 5.0, 8.0]} | {
        "price_usd": [200.0, 200.0, 206.0, 206.0, 150.0, 150.0],
        "volatility": 0.1,
    }
    values = CRASH | {"market__price__path": path, "flow__makers__pull_pct": 0.0}
    for seed in (1, 2, 3):
        trace = simulate(
            venue(
                **values | {"duration_s": 12.0},
                attack__kind="latency-race",
                attack__capital_usd=1_500.0,
                attack__size_usd=20_000.0,
                attack__duration_s=2.5,
            ),
            seed=seed,
        )
        first, _ = trace.stats.accounts.attackers
        debts = trace["market"].filter(
            (pl.col("kind") == MarketKind.BAD_DEBT) & (pl.col("account") == first)
        )
        assert set(debts["code"]) == {Bearer.DELEVERAGED}, "the scenario must make it so"
        reported, found = lines(trace)["attacker"], measure(trace)
        debt = int(debts["amount"].sum())
        assert reported["relief"] == 0 and debt > 0
        taken = (reported["edge"] + debt) * trace.stats.quantum_usd
        assert found.value("others_loss_usd") == pytest.approx(taken)
        gain = taken + reported["fees"] * trace.stats.quantum_usd
        assert found.value("attacker_gain_usd") == pytest.approx(gain)
