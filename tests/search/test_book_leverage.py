"""Safe leverage of a position book, by tier and by market, where the answer is known.

The price falls by a tenth in one step and every liquidation fills at once. Capped at L, an account
of more leverage has 1/L of collateral: bankrupt if L > 10, so that the safe cap is 10.
"""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest

import surgetank as st
from crashes import crash, falling
from surgetank.search.answer import Answer
from surgetank.search.book_parts import parts_of
from surgetank.search.parameter import parameter


def book_of(folder: Path, *accounts: tuple[float, float]) -> st.PositionBook:
    """Long accounts of a notional (USD) and a leverage each, at a mark of 100 USD."""
    rows = [
        f"a{i},BTC,{usd / 100.0},100,{usd / leverage}" for i, (usd, leverage) in enumerate(accounts)
    ]
    path = folder / "book.csv"
    path.write_text("\n".join(["account,market,size,mark_price,equity", *rows]) + "\n")
    return st.read_positions(path)


def venue(book: st.PositionBook) -> st.Scenario:
    """A fall of 10 %, and a maintenance margin of 2 %."""
    scenario = crash(falling(0.9), leverage=50.0)
    scenario = scenario.with_values({"market.margin.maintenance": 0.015})
    return scenario.with_positions(book)


@pytest.fixture
def book(tmp_path: Path) -> st.PositionBook:
    """Twelve small accounts of high leverage, and eight large ones that no cap concerns: 5 % of
    their equity is lost."""
    return book_of(tmp_path, *[(5_000.0, 40.0)] * 12, *[(200_000.0, 1.5)] * 8)


def test_a_cap_brings_accounts_to_it_and_leaves_the_others(book: st.PositionBook) -> None:
    """Of what an account has; positions, and accounts below the cap, are as before."""
    capped = book.capped(10.0)
    assert capped.leverage.tolist() == pytest.approx([10.0] * 12 + [1.5] * 8)
    assert capped.hash != book.hash and book.capped(40.0).hash == book.hash
    assert np.array_equal(capped.position_size, book.position_size)
    scenario = venue(book)
    level = parameter(scenario, "leverage")
    assert level.own == pytest.approx(40.0)
    at = level.at(scenario, 10.0)
    assert at.position_book is not None and at.position_book.hash == capped.hash
    assert at.market == scenario.market
    assert level.at(at, 5.0).hash == level.at(scenario, 5.0).hash != at.hash


def test_the_safe_cap_is_that_of_the_fall(book: st.PositionBook, tmp_path: Path) -> None:
    """10, of the whole and of the small accounts; of the large ones nothing is claimed."""
    answer = st.search(
        venue(book), "safe-leverage", budget=0.1, workers=1, try_remedies=False, runs_max=60
    )
    assert answer.estimate == pytest.approx(10.0, rel=0.05)
    parts = {(one.division, one.member): one for one in answer.parts}
    assert set(parts) == {
        ("tier", "up to $10 k"),
        ("tier", "$100 k to $1 M"),
        ("market", "BTC"),
    }
    small = parts["tier", "up to $10 k"]
    assert small.estimate is not None and small.ci_low is not None and small.ci_high is not None
    assert small.ci_low <= 10.0 * 1.02 and small.ci_high >= 10.0 * 0.98
    assert small.estimate == pytest.approx(10.0, rel=0.05)
    large = parts["tier", "$100 k to $1 M"]
    assert large.estimate is None and large.bad == 0 and "0 liquidations" in large.why
    whole = parts["market", "BTC"]
    assert whole.triggered == small.triggered + large.triggered
    answer.write(tmp_path / "search.json")
    assert Answer.read(tmp_path / "search.json").parts == answer.parts


def test_a_book_without_leverage_has_no_threshold(tmp_path: Path) -> None:
    """No cap is too high: nothing is ever liquidated, and the answer says that it was not
    reached."""
    answer = st.search(
        venue(book_of(tmp_path, *[(5_000.0, 1.0)] * 10)),
        "safe-leverage",
        budget=0.1,
        workers=1,
        try_remedies=False,
        runs_max=60,
    )
    assert answer.status == "UNKNOWN" and answer.bound is not None
    assert answer.bound.kind == "not-reached"
    assert {one.estimate for one in answer.parts} == {None}


def test_tiers_are_those_of_the_margin(book: st.PositionBook) -> None:
    """Where the scenario has margin tiers their bounds divide the accounts."""
    tiers = [{"above_usd": 50_000.0, "initial": 0.1, "maintenance": 0.05}]
    scenario = venue(book).with_values({"market.margin.tiers": tiers})
    parts = parts_of(scenario, book)["tier"]
    assert parts == ["up to $50 k"] * 12 + ["above $50 k"] * 8
