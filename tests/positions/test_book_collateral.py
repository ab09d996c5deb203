"""Collateral of a position book in assets, against cash and against prices computed by hand.

Mark 50,000 USD, maintenance m = 5 %. An account long q coins with c of quote balance (equity less
the values of position and asset) and a coins of an asset of the same price, at haircut h, has at
price p the margin c + q·p + a·p·(1 − h) − m·q·p, so it is due below −c / (q(1 − m) + a(1 − h)):

- alice, long 1, 0.1 BTC as collateral (5,000 USD): c = −50,000; h = 20 %: due below 48,543.69.
  With 5,000 USD of cash it would be 47,368.42 (test_liquidations.py), and at once with h = 50 %.
- bob, short 1, equity 5,000 of which 0.04 BTC: c = 53,000, due above 53,000 / (1.05 − 0.032) =
  52,062.87.
"""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path
from typing import Any

import numpy as np
import polars as pl
import pytest
from hypothesis import given, settings
from hypothesis import strategies as some

import surgetank as st
from command_line import surgetank
from instant_venue import venue
from surgetank.errors import SurgetankError
from surgetank.measure.book_accounts import book_accounts
from surgetank.number_format import share
from surgetank.positions.assets import AssetRule
from surgetank.positions.position_book import BookMarket, HeldAsset, MarginAccount, MarginTier
from surgetank.positions.summary import BookSummary
from surgetank.report.position_book import render_book
from surgetank.scenario.text import toml
from surgetank.trace import MarketKind

TABLE = """account,market,size,mark_price,collateral,collateral_BTC,equity
alice,BTC,1.0,50000,0,0.1,
bob,BTC,-1.0,50000,,0.04,5000
"""
FLAT = (MarginTier(0.0, 0.1, 0.05),)


def accepting(*assets: dict[str, Any], prices: tuple[float, ...]) -> st.Scenario:
    """The venue, accepting these assets."""
    values = {"market.margin.mode": "cross", "market.collateral": list(assets)}
    return venue(*prices).with_values(values)


@pytest.fixture
def book(tmp_path: Path) -> st.PositionBook:
    """Alice and bob."""
    (tmp_path / "book.csv").write_text(TABLE)
    return st.read_positions(tmp_path / "book.csv")


def rows(trace: st.Trace, kind: MarketKind) -> pl.DataFrame:
    """Those rows of the book's accounts."""
    return trace["market"].filter(pl.col("kind") == kind, pl.col("account") < 2)


@pytest.mark.parametrize(
    ("price", "due"), [(48_550.0, []), (48_540.0, [0]), (52_060.0, []), (52_070.0, [1])]
)
def test_the_price_of_the_asset_counts(book: st.PositionBook, price: float, due: list[int]) -> None:
    """Due on either side of the prices computed by hand, in a run and in the summary alike."""
    scenario = accepting({"name": "btc", "haircut": 0.2}, prices=(50_000.0, price))
    result = st.run(scenario, positions=book)
    assert sorted(rows(result.trace, MarketKind.DUE)["account"].unique()) == due
    assert sorted(rows(result.trace, MarketKind.CLOSED)["account"].unique()) == due
    assert result.trace.stats.money_conserved
    summary = BookSummary(book, (FLAT,), {"BTC": AssetRule(0.2, True)})
    assert summary.distance.tolist() == pytest.approx(
        [48_543.689 / 5e4 - 1, 52_062.868 / 5e4 - 1], abs=1e-7
    )
    assert np.flatnonzero(summary.margin_after(price / 50_000.0 - 1) < 0).tolist() == due


def test_a_haircut_alone_makes_an_account_due(book: st.PositionBook) -> None:
    """5,000 USD at 52 % haircut count 2,400, below the 2,500 required."""
    scenario = accepting({"name": "BTC", "haircut": 0.52}, prices=(50_000.0, 50_000.0))
    assert rows(st.run(scenario, positions=book).trace, MarketKind.DUE)["account"].to_list() == [0]


def test_assets_are_sold_for_the_debt_and_named(book: st.PositionBook, tmp_path: Path) -> None:
    """At 45,000 alice is closed with −5,000 USD of cash and 0.1 BTC, worth 4,500 and sold at 20 %
    less: 3,600. The remaining 1,400 are bad debt."""
    scenario = accepting({"name": "BTC", "haircut": 0.2}, prices=(50_000.0, 50_000.0, 45_000.0))
    # One fall of 10 % between two steps of the price.
    path = {"at_s": [0.0, 2.0, 2.001], "price_usd": [50_000.0, 50_000.0, 45_000.0]}
    scenario = scenario.with_values({f"market.price.path.{key}": of for key, of in path.items()})
    result = st.run(scenario, positions=book, out=tmp_path / "run")
    (sold,) = rows(result.trace, MarketKind.COLLATERAL_SOLD).iter_rows(named=True)
    assert (sold["account"], sold["qty"], sold["code"]) == (0, 100, 0)
    found = pl.read_csv(tmp_path / "run" / "accounts.csv").row(0, named=True)
    assert (found["label"], found["equity_usd"], found["assets_usd"]) == ("alice", 5_000.0, 5_000.0)
    assert found["sold_usd"] == pytest.approx(3_600.0)
    assert found["bad_debt_usd"] == pytest.approx(1_400.0)
    again = st.simulate(st.Trace.load(tmp_path / "run").scenario, seed=result.trace.run.seed)
    assert again.trace_hash == result.trace.trace_hash


@pytest.mark.parametrize("price", [47_000.0, 43_000.0, 58_000.0])
def test_without_haircut_a_constant_asset_is_cash(book: st.PositionBook, price: float) -> None:
    """The same messages, liquidations and losses, but for the rows of assets and liquidation
    prices."""
    scenario = accepting(
        {"name": "BTC", "price_usd": 1.0, "haircut": 0.0}, prices=(50_000.0, price)
    )
    both = book, replace(book, assets=())
    held, cash = (st.simulate(scenario.with_positions(one)) for one in both)
    other = (MarketKind.COLLATERAL_SOLD, MarketKind.UNDERWATER)
    for table in ("messages", "market"):
        found = [trace[table] for trace in (held, cash)]
        if table == "market":
            found = [
                rows.filter(~pl.col("kind").is_in(other)).with_columns(
                    pl.when(pl.col("kind") != MarketKind.DUE).then(pl.col(name)).alias(name)
                    for name in ("price", "amount")
                )
                for rows in found
            ]
        assert found[0].equals(found[1])
    accounts = [book_accounts(trace) for trace in (held, cash)]
    assert accounts[0] is not None and accounts[1] is not None
    named = ("assets_usd", "sold_usd")
    assert accounts[0].drop(named).equals(accounts[1].drop(named))


def test_an_asset_that_is_not_accepted_is_refused_with_a_remedy(
    book: st.PositionBook, tmp_path: Path
) -> None:
    """And the remedy works as it is printed; a dollar is cash."""
    with pytest.raises(SurgetankError, match="does not accept") as caught:
        venue(50_000.0, 49_000.0).with_positions(book)
    assert "--set market.margin.mode=cross" in (caught.value.hint or "")
    remedy = [
        *("--set", "market.margin.mode=cross"),
        *("--set", 'market.collateral=[{name="BTC", haircut=0.1}]'),
    ]
    assert shown_in(caught.value.hint or "", remedy)
    file = str(tmp_path / "book.csv")
    command = ["run", "quiet.toml", "--positions", file, "--out", "run"]
    text = toml(venue(50_000.0, 49_000.0).model_dump(mode="json", by_alias=True))
    (tmp_path / "quiet.toml").write_text(text)
    refused = surgetank(*command, cwd=tmp_path)
    assert refused.returncode == 2 and "does not accept" in refused.stderr
    assert not (tmp_path / "run").exists()
    assert surgetank(*command, *remedy, cwd=tmp_path).returncode in (0, 1)
    text = TABLE.replace("collateral_BTC", "collateral_USDC").replace(",0.1,", ",5000,")
    (tmp_path / "usdc.csv").write_text(text)
    dollars = st.read_positions(tmp_path / "usdc.csv")
    opened = venue(50_000.0, 49_000.0).with_positions(dollars)
    assert st.simulate(opened).stats.collateral == ()
    assert dollars.equity_usd.tolist() == [5_000.0, 5_000.0]


def shown_in(hint: str, arguments: list[str]) -> bool:
    """Whether a hint has these arguments, quoted or not."""
    return " ".join(arguments) in hint.replace("'", "")


def test_an_asset_is_priced_by_the_market_of_its_coin(tmp_path: Path) -> None:
    """ETH by the book's ETH-USD, whose price moves alone; the scenario's names are the book's."""
    table = "account,market,size,mark_price,equity,collateral_ETH\n"
    table += "a,BTC,1,50000,6000,2\nb,ETH-USD,-1,2500,6000,\n"
    (tmp_path / "b.csv").write_text(table)
    book = st.read_positions(tmp_path / "b.csv")
    fall = {"kind": "points", "at_s": [0.0, 1.0, 1.01], "price_usd": [3_000.0, 3_000.0, 1_500.0]}
    eth = {"name": "ETH", "tick_usd": 0.1, "price": {"path": fall}}
    for asset in ({"name": "ETH"}, {"name": "ETH", "market": "ETH"}):
        scenario = venue(50_000.0, 50_000.0).with_values(
            {
                "market.margin.mode": "cross",
                "market.perpetuals": [eth],
                "market.collateral": [asset | {"haircut": 0.0}],
            }
        )
        opened = scenario.with_positions(book)
        assert opened.market is not None
        assert opened.market.collateral[0].market == "ETH-USD" in opened.market.names
        # Equity 6,000 loses half of 2 × 2,500 USD, and the position requires 2,500.
        still = st.simulate(scenario.with_positions(book))
        assert rows(still, MarketKind.DUE).is_empty()
        poorer = replace(book.accounts[0], equity_usd=4_900.0)
        less = replace(book, accounts=(poorer, *book.accounts[1:]))
        due = rows(st.simulate(scenario.with_positions(less)), MarketKind.DUE)
        assert due["account"].to_list() == [0]


def two_markets(tmp_path: Path, asset: str, *marks: str) -> st.PositionBook:
    """Longs of BTC and ETH, each with two coins of the asset as collateral."""
    table = f"account,market,size,mark_price,collateral,collateral_{asset}\n"
    table += "a,BTC,0.5,50000,0,2\nb,ETH-USD,10,2500,0,2\n"
    (tmp_path / "two.csv").write_text(table)
    return st.read_positions(tmp_path / "two.csv", marks=marks)


def test_wrapped_and_staked_coins_follow_their_coin(tmp_path: Path) -> None:
    """WETH has the price of ETH, stETH one of its own; both move with it, and not with the first
    market, which other assets follow."""
    with pytest.raises(SurgetankError, match="no price of STETH"):
        two_markets(tmp_path, "STETH")
    cases = (("WETH", "", "ETH-USD"), ("stETH", "STETH=2400", "ETH-USD"), ("LINK", "LINK=9", ""))
    for asset, mark, market in cases:
        book = two_markets(tmp_path, asset, *filter(None, [mark]))
        assert asset != "WETH" or book.equity_usd.tolist() == [5_000.0, 5_000.0]
        scenario = accepting({"name": asset, "haircut": 0.0}, prices=(50_000.0, 50_000.0))
        opened = scenario.with_positions(book).market
        assert opened is not None and opened.collateral[0].market == market


def test_prices_of_assets_can_be_given(tmp_path: Path) -> None:
    """`--mark` prices an asset without market, moves stated equity by what the asset gains, and a
    table that is written has the assets again."""
    (tmp_path / "b.csv").write_text(TABLE.replace("collateral_BTC", "collateral_stETH"))
    with pytest.raises(SurgetankError, match="no price of STETH"):
        st.read_positions(tmp_path / "b.csv")
    book = st.read_positions(tmp_path / "b.csv", marks=["STETH=2500"])
    assert book.equity_usd.tolist() == [250.0, 5_000.0]
    (tmp_path / "again.csv").write_text(book.to_csv())
    again = st.read_positions(tmp_path / "again.csv", marks=["STETH=2500"])
    assert (again.hash, again.assets) == (book.hash, book.assets)
    (tmp_path / "b.json").write_text(book.to_json())
    later = st.read_positions(tmp_path / "b.json", marks=["STETH=3000"])
    assert later.equity_usd.tolist() == [300.0, 5_020.0]
    (tmp_path / "b.csv").write_text(TABLE.replace("0.04", "-0.04"))
    with pytest.raises(SurgetankError, match=r"account bob has -0\.04 BTC"):
        st.read_positions(tmp_path / "b.csv")


def test_the_summary_says_what_falls_with_the_market(book: st.PositionBook, tmp_path: Path) -> None:
    """7,000 of 10,000 USD are in BTC, 5,000 of them behind a long; on the terminal and the page."""
    summary = BookSummary(book, (FLAT,), {"BTC": AssetRule(0.2, True)})
    assert summary.falling_share == pytest.approx(0.7)
    assert summary.wrong_way_share == pytest.approx(0.5)
    constant = BookSummary(book, (FLAT,), {"BTC": AssetRule(0.0, False)})
    assert constant.falling_share == 0.0
    bare = BookSummary(replace(book, assets=()), (FLAT,))
    assert constant.distance.tolist() == bare.distance.tolist()
    assert "Collateral in assets" not in render_book(bare, "5 %")
    page = render_book(summary, "5 %")
    assert "wrong-way risk" in page and f">{share(0.2)}<" in page
    shown = surgetank("book", "book.csv", cwd=tmp_path)
    assert "70 % of equity falls with the market" in shown.stdout.replace("\N{NO-BREAK SPACE}", " ")
    refused = surgetank("book", "book.csv", "--scenario", "calm", cwd=tmp_path)
    assert refused.returncode == 2 and "does not accept" in refused.stderr


AMOUNTS = some.lists(
    some.tuples(some.floats(-3, 3), some.floats(-2e4, 1e5), some.floats(0, 2), some.floats(0, 2)),
    min_size=1,
    max_size=6,
)


@settings(max_examples=8, deadline=None)
@given(AMOUNTS, some.floats(0, 0.99), some.floats(30_000, 80_000))
def test_no_book_makes_or_loses_money(
    accounts: list[tuple[float, float, float, float]], haircut: float, price: float
) -> None:
    """Whatever accounts hold, owe and sell; and who is below maintenance when the run begins is who
    the summary says."""
    sizes = [size if abs(size) > 1e-3 else 1.0 for size, *_ in accounts]
    numbers = range(len(accounts))
    book = st.PositionBook(
        (BookMarket("PERP", 50_000.0),),
        tuple(MarginAccount(f"a{i}", "", accounts[i][1]) for i in numbers),
        np.arange(len(accounts)),
        np.zeros(len(accounts), dtype=np.int64),
        np.array([round(size, 3) or 0.001 for size in sizes]),
        np.full(len(accounts), 50_000.0),
        assets=tuple(
            HeldAsset(i, name, accounts[i][at], usd)
            for i in numbers
            for name, at, usd in (("PERP", 2, 50_000.0), ("EURC", 3, 1_000.0))
        ),
    )
    accepted = (
        {"name": "PERP", "haircut": haircut},
        {"name": "EURC", "haircut": haircut / 2, "price_usd": 1.1},
    )
    scenario = accepting(*accepted, prices=(50_000.0, price))
    trace = st.simulate(scenario.with_positions(book))
    assert trace.stats.money_conserved and trace.stats.numbers_fit
    haircut = round(haircut, 6)
    rules = {"PERP": AssetRule(haircut, True), "EURC": AssetRule(haircut / 2, False)}
    margin = BookSummary(book, (FLAT,), rules).margin_after(0.0)
    due = trace["market"].filter(pl.col("kind") == MarketKind.DUE, pl.col("time_ns") == 0)
    first = set(due["account"].to_list())
    for account, left in enumerate(margin.tolist()):
        # A lot of the asset is 50 USD, of which the haircut takes at most that much less.
        if abs(left) > 51.0 and account < len(accounts):
            assert (account in first) == (left < 0)
