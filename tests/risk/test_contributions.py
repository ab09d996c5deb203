"""Who causes bad debt: contributions sum exactly, and fall to the accounts that theory names."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest

import surgetank as st
from crashes import crash, falling
from stations import fresh_seeds
from surgetank.measure import measure
from surgetank.risk import risk
from surgetank.risk.changes import candidates
from surgetank.risk.contributions import contributions
from surgetank.risk.estimates import expected_shortfall
from surgetank.risk.groups import DIVISIONS, by_group
from surgetank.simulate import simulate


def test_contributions_sum_to_mean_and_shortfall() -> None:
    """Exactly (to rounding), with many ties and with the boundary run counted by a fraction."""
    draws = np.random.default_rng(fresh_seeds()[0])
    parts = {name: draws.pareto(2.0, 410) * (draws.random(410) < 0.4) for name in "abc"}
    total = np.sum(list(parts.values()), axis=0)
    found = contributions(total, parts, "leverage")
    assert sum(one.mean for one in found) == pytest.approx(total.mean(), rel=1e-12)
    beyond = float(expected_shortfall(total, 0.95))
    assert sum(one.shortfall or 0.0 for one in found) == pytest.approx(beyond, rel=1e-12)
    for one in found:
        assert one.mean_ends is not None and one.shortfall_ends is not None
        assert one.mean_ends[0] <= one.mean <= one.mean_ends[1]


def test_the_tail_has_other_causes_than_the_mean() -> None:
    """A group that loses 1 in every run, and one that loses 100 in the worst 2 %: the second has
    two thirds of the mean, and all but 1 of the shortfall. The allocation of a quantile, or by
    shares of the mean, would say otherwise."""
    runs = 1_000
    steady, rare = np.ones(runs), np.zeros(runs)
    rare[:20] = 100.0
    found = {
        one.member: one for one in contributions(steady + rare, {"s": steady, "r": rare}, "size")
    }
    assert (found["s"].mean, found["r"].mean) == pytest.approx((1.0, 2.0))
    assert found["s"].shortfall == pytest.approx(1.0)
    assert found["r"].shortfall == pytest.approx(40.0)


@pytest.mark.parametrize(
    ("leverage", "member"), [(5.0, "2-5"), (20.0, "10-20"), (50.0, "20-50"), (80.0, "50-100")]
)
def test_leverage_is_found_from_the_bankruptcy_price(leverage: float, member: str) -> None:
    """Of accounts that all have one; the sizes are those of the positions closed."""
    trace = simulate(crash(falling(0.6), leverage=leverage), seed=fresh_seeds()[0])
    found = by_group(trace)
    assert list(found["leverage"]) == [member]
    assert sum(found["size"].values()) == pytest.approx(found["leverage"][member])
    assert set(found["size"]) <= set(DIVISIONS["size"])


def test_the_more_leveraged_cause_it() -> None:
    """Leverages from 2 to 50, and a fall of 8 %: only accounts above 12.5× can be bankrupt, so none
    of the others contributes."""
    scenario = crash(falling(0.92), accounts=200, leverage=50.0)
    scenario = scenario.with_values({"market.positions.leverage_min": 2.0})
    found = risk(scenario, runs=30, seed=fresh_seeds()[0], workers=1)
    parts = {one.member: one for one in found.contributions if one.division == "leverage"}
    assert set(parts) == {"10-20", "20-50"}
    mean = found["bad_debt_mean_usd"].value
    assert sum(one.mean for one in parts.values()) == pytest.approx(mean)


def test_what_is_not_booked_is_a_cause_of_its_own() -> None:
    """A venue that stands still books nothing: all of it is not yet booked, in every division."""
    scenario = crash(falling(0.7)).with_values({"flow.keepers.count": 0})
    found = risk(scenario, runs=30, workers=1)
    assert found["bad_debt_mean_usd.unbooked"].value == found["bad_debt_mean_usd"].value
    assert {(one.division, one.member) for one in found.contributions} == {
        ("leverage", "unbooked"),
        ("size", "unbooked"),
    }


def test_what_is_not_booked_has_the_names_of_a_book(tmp_path: Path) -> None:
    """A venue without keepers and a fall of 10 %: the account of 25× lacks 6 % of its notional, and
    is named with its leverage and size; nothing is left under `unbooked`."""
    path = tmp_path / "book.csv"
    rows = ["risky,BTC,100,100,400", "safe,BTC,100,100,2000"]
    path.write_text("\n".join(["account,market,size,mark_price,equity", *rows]) + "\n")
    scenario = crash(falling(0.9), leverage=50.0).with_values(
        {"market.margin.maintenance": 0.015, "flow.keepers.count": 0}
    )
    scenario = scenario.with_positions(st.read_positions(path))
    trace = simulate(scenario, seed=1)
    found = by_group(trace)
    assert {name: list(parts) for name, parts in found.items()} == {
        "leverage": ["20-50"],
        "size": ["1000-10000"],
        "name": ["risky"],
    }
    for parts in found.values():
        assert sum(parts.values()) == pytest.approx(trace.stats.uncovered_usd)
    assert found["name"]["risky"] == pytest.approx(600.0, abs=0.01)


def test_what_becomes_due_in_the_drain_is_not_counted() -> None:
    """A fall after the last message: no keeper could have acted. Before it, it counts."""
    path = falling(0.7) | {"at_s": [0.0, 4.3, 4.4]}
    scenario = crash(path).with_values({"flow.keepers.count": 0})
    trace = simulate(scenario, seed=1)
    assert trace.stats.uncovered_usd > 0 and by_group(trace)["leverage"] == {}
    assert measure(trace)["uncovered_loss_usd"].value == 0
    earlier = simulate(scenario.with_values({"market.price.path.at_s": [0.0, 3.0, 3.1]}), seed=1)
    assert by_group(earlier)["leverage"] == {"unbooked": earlier.stats.uncovered_usd}
    assert measure(earlier)["uncovered_loss_usd"].value == earlier.stats.uncovered_usd


def test_bad_debt_falls_to_the_market_that_left_it() -> None:
    """Two perpetuals, of which only the second falls below bankruptcy: all bad debt is its own."""
    other = {"name": "ALT", "tick_usd": 0.01, "price": {"path": falling(0.7)}}
    scenario = crash(falling(0.999), accounts=40).with_values({"market.perpetuals": [other]})
    found = by_group(simulate(scenario, seed=fresh_seeds()[0]))
    assert set(found["market"]) == {"ALT"}
    assert found["market"]["ALT"] == pytest.approx(sum(found["size"].values()))
    assert set(found["leverage"]) == {"10-20"}


def test_accounts_of_a_book_are_named(tmp_path: Path) -> None:
    """A fall of 10 %: of three accounts the one of 25× loses 6 % of its notional beyond its
    collateral, that of 12.5× 2 %, that of 5× nothing; of twelve more the ten largest are named."""
    rows = ["risky,BTC,100,100,400", "middle,BTC,100,100,800", "safe,BTC,100,100,2000"]
    rows += [f"small-{i},BTC,{10 + i},100,{(10 + i) * 2}" for i in range(12)]
    path = tmp_path / "book.csv"
    path.write_text("\n".join(["account,market,size,mark_price,equity", *rows]) + "\n")
    scenario = crash(falling(0.9), leverage=50.0).with_values({"market.margin.maintenance": 0.015})
    found = risk(scenario, runs=30, workers=1, positions=st.read_positions(path))
    parts = {(one.division, one.member): one.mean for one in found.contributions}
    assert parts["name", "risky"] == pytest.approx(600.0, abs=0.01)
    assert parts["name", "middle"] == pytest.approx(200.0, abs=0.01)
    assert ("name", "safe") not in parts
    named = [member for division, member in parts if division == "name"]
    assert len(named) == 11 and named[-1] == "other" and named[0] == "risky"
    # 8 % of the notional of small accounts, of 50×.
    total = sum(usd for (division, _), usd in parts.items() if division == "size")
    assert total == pytest.approx(800.0 + 8.0 * sum(range(10, 22)), abs=0.05)
    caps = [
        one
        for one in candidates(scenario.with_positions(st.read_positions(path)))
        if one.leverage_cap
    ]
    assert [one.text for one in caps] == ["largest leverage 50 → 25"]
    for division in ("leverage", "name"):
        of = sum(usd for (name, _), usd in parts.items() if name == division)
        assert of == pytest.approx(total), division
    assert parts["leverage", "20-50"] == pytest.approx(total - 200.0, abs=0.05)
