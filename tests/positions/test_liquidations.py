"""Liquidations of a position book, against prices computed by hand.

Four accounts at a mark of 50,000 USD and 5 % maintenance. Of a long of q coins with quote balance c
(equity less value) equity at p is c + q·p, so it is due below −c / (q·0.95); of a short, above
c / (|q|·1.05):

- alice, long 1, equity 5,000: c = −45,000, due below 47,368.42
- bob, short 2, equity 20,000: c = 120,000, due above 57,142.86
- carol, isolated long 0.5 entered at 60,000 with 10,000: equity 5,000, c = −20,000: 42,105.26
- dave, long 0.1, equity 5,000: c = 0, never
"""

from __future__ import annotations

import shlex
from io import StringIO
from pathlib import Path

import numpy as np
import polars as pl
import pytest
from rich.console import Console

import surgetank as st
from command_line import surgetank
from instant_venue import venue
from surgetank.console.runs import show_result
from surgetank.errors import SurgetankError
from surgetank.report import render
from surgetank.report.accounts import account_table
from surgetank.report.run_view import RunView
from surgetank.report.summary import sentence
from surgetank.scenario.text import toml
from surgetank.trace import MarketKind

BOOK = """account,market,size,entry_price,mark_price,collateral,mode
alice,BTC,1.0,50000,50000,5000,cross
bob,BTC,-2.0,50000,50000,20000,cross
carol,BTC,0.5,60000,50000,10000,isolated
dave,BTC,0.1,50000,50000,5000,cross
"""
DUE_USD = {0: 47_368.42, 1: 57_142.86, 2: 42_105.26}


@pytest.fixture
def book(tmp_path: Path) -> st.PositionBook:
    """The four accounts."""
    (tmp_path / "book.csv").write_text(BOOK)
    return st.read_positions(tmp_path / "book.csv")


def of_kind(trace: st.Trace, kind: MarketKind) -> pl.DataFrame:
    """Those rows of the book's accounts."""
    rows = trace["market"].filter(pl.col("kind") == kind)
    return rows.filter(pl.col("account") < 4)


@pytest.mark.parametrize(
    ("prices", "closed"),
    [
        ((50_000.0, 48_000.0), []),
        ((50_000.0, 47_000.0), [0]),
        ((50_000.0, 43_000.0), [0]),
        ((50_000.0, 41_000.0), [0, 2]),
        ((50_000.0, 57_000.0), []),
        ((50_000.0, 58_000.0), [1]),
        ((50_000.0, 41_000.0, 58_000.0), [0, 1, 2]),
    ],
)
def test_exactly_those_accounts_are_liquidated(
    book: st.PositionBook, prices: tuple[float, ...], closed: list[int]
) -> None:
    """Those whose liquidation price the outside price has crossed, at the price computed by hand;
    with a keeper that acts at once there is no bad debt."""
    result = st.run(venue(*prices), positions=book)
    due = of_kind(result.trace, MarketKind.DUE)
    assert sorted(due["account"].unique()) == closed
    assert sorted(of_kind(result.trace, MarketKind.CLOSED)["account"].unique()) == closed
    for account, ticks in due.select("account", "price").iter_rows():
        assert ticks * 0.1 == pytest.approx(DUE_USD[account], abs=0.1)
    assert result.measures["bad_debts"].value == 0
    assert result.trace.stats.money_conserved


@pytest.mark.parametrize(
    ("lots", "kept"), [(0.49, False), (0.5, True), (-0.49, False), (-0.51, True)]
)
def test_positions_below_half_a_lot_are_left_out_and_said(
    lots: float, kept: bool, tmp_path: Path
) -> None:
    """An account below maintenance is due at once if the market holds its position, else never.
    A lot is 0.001 coins, of 50 USD."""
    small = f"eve,BTC,{lots / 1_000:.6f},50000,50000,0.5,cross\n"
    (tmp_path / "book.csv").write_text(BOOK + small)
    (tmp_path / "venue.toml").write_text(
        toml(venue(50_000.0, 50_000.0).model_dump(mode="json", by_alias=True))
    )
    command = "run", "venue.toml", "--positions", "book.csv", "--out", "run"
    made = surgetank(*command, cwd=tmp_path)
    assert made.returncode == 0, made.stderr
    due = pl.read_csv(tmp_path / "run" / "accounts.csv")["label"].to_list()
    assert ("eve" in due) == kept
    said = "book.csv: 1 position below half a lot left out, $24.50 of notional."
    assert (said in made.stderr) == (not kept)


def test_the_price_path_starts_at_the_mark_of_the_book(book: st.PositionBook) -> None:
    """The path is scaled; tick and lot by powers of ten, so that a quantum keeps its value."""
    small = venue(200.0, 196.0).with_positions(book)
    market = small.market
    assert market is not None
    assert market.price.path.model_dump()["price_usd"] == [50_000.0, 49_000.0]
    assert market.tick_usd * market.lot == pytest.approx(0.1 * 0.001)
    assert market.tick_usd == pytest.approx(10.0)
    assert small.with_positions(book) == small


def test_a_run_is_named_by_its_book_and_repeated_from_its_folder(
    book: st.PositionBook, tmp_path: Path
) -> None:
    """Another book is another run; the folder holds what is needed to run it again."""
    scenario = venue(50_000.0, 47_000.0)
    first = st.run(scenario, positions=book, out=tmp_path / "run")
    (tmp_path / "other.csv").write_text(BOOK.replace("5000,cross\nbob", "5001,cross\nbob"))
    other = st.read_positions(tmp_path / "other.csv")
    assert scenario.with_positions(other).hash != first.scenario.hash != scenario.hash
    loaded = st.Trace.load(tmp_path / "run")
    again = st.simulate(loaded.scenario, seed=first.trace.run.seed)
    assert again.trace_hash == first.trace.trace_hash
    text = toml(first.scenario.model_dump(mode="json", by_alias=True))
    printed = st.Scenario.from_toml(text).with_positions(book)
    assert st.simulate(printed, seed=first.trace.run.seed).trace_hash == first.trace.trace_hash
    (tmp_path / "run" / "positions.json").write_text(other.to_json())
    with pytest.raises(SurgetankError, match="was changed"):
        st.Trace.load(tmp_path / "run")


def test_a_bankrupt_account_and_one_below_maintenance_are_kept(tmp_path: Path) -> None:
    """They are due at once, and the debt of the bankrupt one is bad debt."""
    rows = "account,market,size,mark_price,equity\na,BTC,1,50000,-1000\nb,BTC,1,50000,1000\n"
    (tmp_path / "book.csv").write_text(rows)
    book = st.read_positions(tmp_path / "book.csv")
    assert np.isinf(book.leverage[0])
    result = st.run(venue(50_000.0, 50_000.0), positions=book)
    assert sorted(of_kind(result.trace, MarketKind.CLOSED)["account"]) == [0, 1]
    debts = of_kind(result.trace, MarketKind.BAD_DEBT)
    assert debts["account"].to_list() == [0]
    assert float(debts["amount"].sum()) * 1e-4 == pytest.approx(1_000.0, abs=1e-3)


def test_accounts_are_named_after_a_run(book: st.PositionBook, tmp_path: Path) -> None:
    """By the user's own labels, in the run's folder."""
    result = st.run(venue(50_000.0, 41_000.0), positions=book, out=tmp_path / "run")
    found = pl.read_csv(tmp_path / "run" / "accounts.csv")
    assert found["label"].to_list() == ["alice", "carol (BTC)"]
    assert found["equity_usd"].to_list() == [5_000.0, 5_000.0]
    assert found["leverage"].to_list() == [10.0, 5.0]
    assert (found["closed_s"] >= found["due_s"]).all()
    assert found["bad_debt_usd"].to_list() == [0.0, 0.0]
    page = render(result.trace, result.measures, result.verdict)
    assert "Of 4 margin accounts 2 became due, 2 were liquidated and 0 left bad debt." in page
    assert '<th scope="row">carol (BTC)</th>' in page and book.hash in page
    assert shlex.join(book.options) in page


def test_losses_that_are_not_booked_are_said(book: st.PositionBook) -> None:
    """Without a keeper no account is liquidated: at 41,000 alice has −4,000 USD. No bad debt is
    booked then, and the run does not say that there is none."""
    load = {"flow.keepers.count": 0, "flow.arrivals": {"kind": "poisson", "rate_per_s": 20.0}}
    scenario = venue(50_000.0, 41_000.0).with_values(load)
    result = st.run(scenario, positions=book)
    said = sentence(RunView(result.trace, result.measures, result.verdict))
    said = said.replace("\N{NO-BREAK SPACE}", " ")
    assert "no bad debt booked, and $4,000 of negative equity not booked at the end" in said
    table = account_table(result.trace)
    assert table is not None
    assert "Not yet booked: negative equity at the end, at the outside prices, of 1 account." in (
        table.caption
    )
    out = StringIO()
    show_result(Console(file=out, width=80), result)
    assert "0 left bad debt, 1 ended with negative equity that is not booked" in out.getvalue()
    assert "  alice: $4,000 negative equity, 10.0×" in out.getvalue()


#: Alice is long 1 BTC and short 10 ETH, bob long both, with 6,000 USD each.
TWO = """account,market,size,mark_price,equity
alice,BTC,1,50000,6000
alice,ETH,-10,2500,6000
bob,BTC,1,50000,6000
bob,ETH,10,2500,6000
"""


def test_markets_that_the_scenario_lacks_fall_with_the_first(tmp_path: Path) -> None:
    """At 5 % maintenance and a fall of x in both markets alice has 6,000 − 25,000x against
    3,750(1 − x), which meet at −10.59 %; bob 6,000 − 75,000x, at −3.16 %."""
    (tmp_path / "book.csv").write_text(TWO)
    book = st.read_positions(tmp_path / "book.csv")
    opened = venue(50_000.0, 47_000.0).with_positions(book)
    assert opened.market is not None and opened.market.names == ("BTC", "ETH")
    assert "ETH" in opened.event
    for last, closed in ((48_600.0, []), (48_000.0, [1]), (45_000.0, [1]), (44_500.0, [0, 1])):
        trace = st.run(venue(50_000.0, last), positions=book).trace
        assert sorted(of_kind(trace, MarketKind.LIQUIDATED)["account"].unique()) == closed, last
        assert trace.stats.money_conserved


def test_markets_that_the_scenario_has_keep_their_own_price(tmp_path: Path) -> None:
    """Named by coin: alice, hedged, is due once BTC falls alone."""
    (tmp_path / "book.csv").write_text(TWO)
    book = st.read_positions(tmp_path / "book.csv")
    still = {"kind": "points", "at_s": [0.0, 1.0], "price_usd": [3_000.0, 3_000.0]}
    own = {"name": "ETH-USD", "tick_usd": 0.1, "price": {"path": still}}
    scenario = venue(100.0, 92.0).with_values(
        {"market.name": "BTC-USD", "market.perpetuals": [own]}
    )
    result = st.run(scenario, positions=book)
    market = result.scenario.market
    assert market is not None and market.names == ("BTC", "ETH")
    assert market.perpetuals[0].price.path.model_dump()["price_usd"] == [2_500.0, 2_500.0]
    assert sorted(of_kind(result.trace, MarketKind.LIQUIDATED)["account"].unique()) == [0, 1]


def test_markets_keep_their_names_in_another_order(tmp_path: Path) -> None:
    """The book's first market is the scenario's second: only eve, who is short of it, stands."""
    rows = "account,market,size,mark_price,equity\neve,ETH,-10,2500,6000\nian,BTC,1,50000,6000\n"
    (tmp_path / "book.csv").write_text(rows)
    book = st.read_positions(tmp_path / "book.csv")
    own = {"name": "ETH", "tick_usd": 0.1, "price": {"path": {"kind": "follows", "start_usd": 3.0}}}
    scenario = venue(100.0, 85.0).with_values({"market.name": "BTC", "market.perpetuals": [own]})
    result = st.run(scenario, positions=book)
    assert result.scenario.market is not None
    assert result.scenario.market.names == ("BTC", "ETH")
    closed = of_kind(result.trace, MarketKind.LIQUIDATED)
    assert closed.select("account", "market").rows() == [(1, 0)]


def test_under_a_tape_positions_keep_their_notional(book: st.PositionBook, tmp_path: Path) -> None:
    """A recording that starts at 100 USD and falls by 6 % closes alice, who falls at 5.3 %."""
    (tmp_path / "tape.csv").write_text("ts,price\n1700000000,100\n1700000001,94\n1700000004,94\n")
    tape = st.read_tape(tmp_path / "tape.csv")
    result = st.run(venue(50_000.0, 50_000.0, 50_000.0, 50_000.0), tape=tape, positions=book)
    assert of_kind(result.trace, MarketKind.CLOSED)["account"].to_list() == [0]


def test_a_book_needs_a_market_and_its_book(book: st.PositionBook) -> None:
    """A scenario without market, and one whose book is not there, are refused with the remedy."""
    with pytest.raises(SurgetankError, match="needs a market"):
        st.Scenario(name="bare").with_positions(book)
    named = venue(50_000.0, 49_000.0).with_positions(book)
    bare = st.Scenario.build(named.model_dump(mode="json", by_alias=True))
    with pytest.raises(SurgetankError, match="--positions"):
        st.simulate(bare)
