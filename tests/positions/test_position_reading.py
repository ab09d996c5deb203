"""Position books read from tables, JSON and snapshots of venues; and what is refused."""

from __future__ import annotations

import gzip
import json
from pathlib import Path
from typing import Any

import numpy as np
import polars as pl
import pytest
from hypothesis import given, settings
from hypothesis import strategies as some

import surgetank as st
from surgetank.errors import SurgetankError
from surgetank.positions.example import example_book

ROWS = [
    {"account": "a", "market": "BTC", "size": 1.5, "entry_price": 60_000.0, "mark_price": 50_000.0},
    {"account": "b", "market": "ETH", "size": -2.0, "entry_price": 3_000.0, "mark_price": 2_500.0},
]
COLLATERAL = [20_000.0, 4_000.0]


def write(folder: Path, name: str, content: Any) -> Path:
    """A file of the format that its name says."""
    path = folder / name
    if name.endswith(".parquet"):
        pl.DataFrame(content).write_parquet(path)
    elif name.endswith(".csv"):
        pl.DataFrame(content).write_csv(path)
    elif name.endswith(".jsonl"):
        path.write_text("".join(json.dumps(row) + "\n" for row in content))
    else:
        path.write_text(content if isinstance(content, str) else json.dumps(content))
    return path


@pytest.mark.parametrize("name", ["b.csv", "b.parquet", "b.jsonl", "b.json"])
def test_every_format_gives_the_same_book(name: str, tmp_path: Path) -> None:
    """Equity is collateral and unrealised profit: 20,000 − 15,000 and 4,000 + 1,000."""
    rows = [row | {"collateral": usd} for row, usd in zip(ROWS, COLLATERAL, strict=True)]
    book = st.read_positions(write(tmp_path, name, rows))
    assert [market.name for market in book.markets] == ["BTC", "ETH"]
    assert [account.label for account in book.accounts] == ["a", "b"]
    assert book.equity_usd.tolist() == [5_000.0, 5_000.0]
    assert book.leverage.tolist() == [15.0, 1.0]
    assert book.position_size.tolist() == [1.5, -2.0]
    again = st.read_positions(book.save(tmp_path / "again.json"))
    assert again.hash == book.hash and again.to_json() == book.to_json()


@pytest.mark.parametrize(
    ("changes", "asked", "size", "equity"),
    [
        ({}, {}, 1.0, 10_000.0),
        ({"size": 50_000.0}, {}, 1.0, 10_000.0),
        ({"size": 50_000.0}, {"units": ["size=usd"]}, 1.0, 10_000.0),
        ({"size": 50_000.0}, {"units": ["size=coins"]}, 50_000.0, 10_000.0),
        ({"size": None, "notional": -50_000.0}, {}, -1.0, 10_000.0),
        ({"size": None, "Net Position": 2.0}, {}, 2.0, 10_000.0),
        ({"collateral": None, "Wallet Balance (USD)": 9_000.0}, {}, 1.0, 9_000.0),
        ({"side": "short"}, {}, -1.0, 10_000.0),
        ({"isLong": "false"}, {}, -1.0, 10_000.0),
        ({"collateral": 10_000 * 10**6}, {"units": ["collateral=1e6"]}, 1.0, 10_000.0),
        ({"collateral": 10_000 * 10**18}, {}, 1.0, 10_000.0),
        ({"collateral": None, "equity": -5.0}, {}, 1.0, -5.0),
        ({"collateral": None, "leverage": 4.0}, {}, 1.0, 12_500.0),
        ({"collateral_USDC": 500.0, "collateral_BTC": 0.1}, {}, 1.0, 15_500.0),
        ({"size": None, "myqty": 2.0}, {"columns": ["size=myqty"]}, 2.0, 10_000.0),
        ({"mark_price": None}, {"marks": ["BTC=40000"]}, 1.0, 0.0),
        ({"mark_price": None, "size": None, "notional": 8e4}, {"marks": ["BTC=40000"]}, 2.0, -1e4),
        ({"size": None, "notional": 5e4}, {"marks": ["BTC=40000"]}, 1.0, 0.0),
        ({"collateral": None, "equity": 1e4}, {"marks": ["BTC=45000"]}, 1.0, 5_000.0),
        ({"collateral": None, "leverage": 4.0}, {"marks": ["BTC=45000"]}, 1.0, 7_500.0),
        (
            {"collateral": None, "mark_price": None, "leverage": 4.0},
            {"marks": ["BTC=40000"]},
            1.0,
            10_000.0,
        ),
    ],
)
def test_units_and_names(
    changes: dict[str, Any], asked: dict[str, Any], size: float, equity: float, tmp_path: Path
) -> None:
    """Each column and unit that the documents name, found out or stated."""
    row = {"account": "a", "symbol": "BTC", "size": 1.0, "entryPx": 50_000.0}
    row |= {"mark_price": 50_000.0, "collateral": 10_000.0} | changes
    row = {key: value for key, value in row.items() if value is not None}
    book = st.read_positions(write(tmp_path, "b.csv", [row]), **asked)
    assert book.position_size.tolist() == pytest.approx([size])
    assert book.equity_usd.tolist() == pytest.approx([equity])
    repeated = book.options
    assert repeated[:2] == ["--positions", str(tmp_path / "b.csv")]
    assert len(repeated) == 2 + 2 * sum(map(len, asked.values()))


def test_a_stated_mark_moves_a_stated_equity_as_a_price_does(tmp_path: Path) -> None:
    """Of a table and of a JSON book: equity falls by what the position loses."""
    rows = [row | {"equity": 9_000.0} for row in ROWS]
    book = st.read_positions(write(tmp_path, "b.csv", rows), marks=["BTC=49000"])
    assert book.equity_usd.tolist() == [7_500.0, 9_000.0]
    (tmp_path / "b.json").write_text(st.read_positions(tmp_path / "b.csv").to_json())
    again = st.read_positions(tmp_path / "b.json", marks=["BTC=49000"])
    assert again.hash == book.hash


@pytest.mark.parametrize(
    "change",
    [
        lambda text: text.replace(",", ";").encode(),
        lambda text: text.replace(",", "\t").encode(),
        lambda text: text.replace("\n", "\r\n").encode(),
        lambda text: text.replace("\n", "\r").encode(),
        lambda text: text.replace("\n", "\n\n").encode(),
        lambda text: text.encode("utf-8-sig"),
        lambda text: gzip.compress(text.encode()),
    ],
)
def test_tables_of_other_programs(change: Any, tmp_path: Path) -> None:
    """Delimiters, line ends, byte order marks, gzip; and names that are no patterns."""
    rows = [row | {"collateral": 9e4} for row in ROWS]
    text = write(tmp_path, "plain.csv", rows).read_text()
    raw = change(text)
    path = tmp_path / ("book[1].csv.gz" if raw[:2] == b"\x1f\x8b" else "book[1].csv")
    path.write_bytes(raw)
    plain = st.read_positions(tmp_path / "plain.csv")
    assert st.read_positions(path).hash == plain.hash
    (tmp_path / "b.json.gz").write_bytes(gzip.compress(plain.to_json().encode("utf-8-sig")))
    assert st.read_positions(tmp_path / "b.json.gz").hash == plain.hash


@pytest.mark.parametrize(
    ("raw", "what"),
    [
        (gzip.compress(b"account,market" * 50, mtime=0)[:40], "cut off gzip"),
        ("account,é".encode("utf-16"), "UTF-8"),
        (gzip.compress("ä".encode("latin-1"), mtime=0), "UTF-8"),
    ],
)
def test_damaged_files_are_refused(raw: bytes, what: str, tmp_path: Path) -> None:
    """By what is wrong with them."""
    path = tmp_path / ("b.csv.gz" if raw[:2] == b"\x1f\x8b" else "b.csv")
    path.write_bytes(raw)
    with pytest.raises(SurgetankError, match=what):
        st.read_positions(path)


GOOD = "account,market,size,entry_price,mark_price,collateral\n"


@pytest.mark.parametrize(
    ("text", "place", "what"),
    [
        (GOOD + "a,BTC,1,50000,50000,-5\n", "b.csv:2", "negative"),
        (GOOD + "a,BTC,1,50000,50000,5\nb,BTC,NaN,5e4,5e4,5\n", "b.csv:3", "column size: 'NaN'"),
        (GOOD + "a,BTC,one,50000,50000,5\n", "b.csv:2", "'one' is not a number"),
        (GOOD + "a,BTC,1,50000,50000,5\na,BTC,1,50000,50000,5\n", "b.csv:3", "second position"),
        (GOOD + "a,BTC,1,50000,50000,5\na,ETH,1,3000,3000,6\n", "b.csv:3", "in another"),
        (GOOD + "a,BTC,0,50000,50000,5\n", "b.csv", "no open position"),
        (GOOD, "b.csv", "has no rows"),
        (GOOD + "a,BTC,1,50000,,5\n", "b.csv", "--mark BTC=PRICE"),
        (GOOD + "a,BTC,1,50000,50000,\n", "b.csv:2", "neither collateral"),
        (GOOD + "a,BTC,1,1,50000,5\nb,BTC,1,1,60000,5\n", "b.csv", "not of one time"),
        (GOOD + "a,BTC,1,-1,50000,5\n", "b.csv:2", "entry price"),
        (GOOD + ",BTC,1,1,50000,5\n", "b.csv:2", "column account: blank"),
        ("who,what\na,b\n", "b.csv", "--positions-columns account=NAME"),
        (
            "account,market,lots,cash\na,B,1,1\n",
            "b.csv",
            "size or the notional; columns that were not recognised: lots. ",
        ),
        (
            "account,market,size,funds\na,B,1,1\n",
            "b.csv",
            "not recognised: funds. Name it: --positions-columns collateral=",
        ),
        ("account,market,size,side,mark_price,equity\na,B,1,up,1,1\n", "b.csv:2", "no side"),
        ("account,market,size,mode,mark_price,equity\na,B,1,odd,1,1\n", "b.csv:2", "no mode"),
        (
            "account,market,size,side,mark_price,equity\na,B,-1,buy,1,1\n",
            "b.csv:2",
            "negative size",
        ),
        ("account,market,size,size,equity\na,B,1,2,1\n", "b.csv:1", "two columns are named `size`"),
        ("account,market,size,Size,equity\na,B,1,2,1\n", "b.csv", "size and Size have one name"),
        (GOOD + "a,BTC,1,50000\n", "b.csv:2", "4 cells under 6 columns"),
        (GOOD + "a,BTC,1,50000,50000,5,000\n", "b.csv:2", "7 cells under 6 columns"),
        (GOOD + "a,BTC,5e9,1,9e6,0.5\n", "b.csv:2", "notional of 4.5e+16"),
    ],
)
def test_errors_name_place_and_remedy(text: str, place: str, what: str, tmp_path: Path) -> None:
    """One sentence with the file's row, what is wrong with it, and what to do."""
    with pytest.raises(SurgetankError) as caught:
        st.read_positions(write(tmp_path, "b.csv", "") if not text else _text(tmp_path, text))
    assert place in str(caught.value) and what in str(caught.value)
    assert caught.value.hint and caught.value.exit_code == 2


def _text(folder: Path, text: str) -> Path:
    path = folder / "b.csv"
    path.write_text(text)
    return path


BOOK = {
    "markets": {
        "BTC": {
            "mark_price": 50_000,
            "tiers": [
                {"above_usd": 0, "initial": 2, "maintenance": 1},
                {"above_usd": 1e6, "initial": 5, "maintenance": 2.5},
            ],
        }
    },
    "insurance_usd": 1e6,
    "accounts": [
        {"account": "a", "collateral": 100, "assets": {"X": {"amount": 2, "price_usd": 50}}}
        | {"positions": [{"market": "BTC", "size": 0.1, "entry_price": 50_000}]}
    ],
}


def test_a_json_book_has_rules_and_fund(tmp_path: Path) -> None:
    """Tiers (in percent, which is said), the insurance fund, and assets at their price."""
    book = st.read_positions(write(tmp_path, "b.json", BOOK))
    assert [(t.above_usd, t.initial, t.maintenance) for t in book.markets[0].tiers] == [
        (0.0, 0.02, 0.01),
        (1e6, 0.05, 0.025),
    ]
    assert any("percent" in note for note in book.notes)
    assert book.insurance_usd == 1e6
    assert book.equity_usd.tolist() == [200.0]
    accepted = {"market.margin.mode": "cross", "market.collateral": [{"name": "X"}]}
    calm = st.load("calm").with_values({"market.price.step_ms": 50.0} | accepted)
    opened = calm.with_positions(book)
    assert opened.market is not None
    assert opened.market.margin.insurance_usd == 1e6
    assert opened.market.margin.maintenance == 0.01
    assert opened.market.margin.tiers[0].above_usd == 1e6


@pytest.mark.parametrize(
    ("key", "value", "what"),
    [
        ("accounts", [], "no open position"),
        ("accounts", [{"account": "a", "colateral": 1}], "no key `colateral`"),
        ("accounts", [BOOK["accounts"][0]] * 2, "twice"),  # type: ignore[index]
        ("insurance", 5, "no key `insurance`"),
        ("insurance_usd", 10**400, "not a number"),
        ("markets", {"ETH": {"mark_price": 3_000}}, "no market BTC"),
        ("markets", {"BTC": {"mark_price": 5e4, "initial": 0.1, "maintenance": 0.2}}, "order"),
    ],
)
def test_a_json_book_is_checked(key: str, value: Any, what: str, tmp_path: Path) -> None:
    """Misspelt keys, doubled accounts, unknown markets and margins out of order are refused."""
    with pytest.raises(SurgetankError, match=what):
        st.read_positions(write(tmp_path, "b.json", BOOK | {key: value}))


def hyperliquid(user: str, cross: float, *positions: tuple[str, float, float, Any]) -> Any:
    """An answer to `clearinghouseState`; positions: coin, szi, mark, leverage."""
    summary = {"accountValue": str(cross), "totalNtlPos": "0", "totalRawUsd": "0"}
    return {
        "user": user,
        "marginSummary": summary,
        "crossMarginSummary": summary | {"totalMarginUsed": "0"},
        "crossMaintenanceMarginUsed": "0.0",
        "assetPositions": [
            {
                "type": "oneWay",
                "position": {
                    "coin": coin,
                    "szi": str(size),
                    "entryPx": str(mark * 1.1),
                    "positionValue": str(abs(size) * mark),
                    "unrealizedPnl": str(-0.1 * size * mark),
                    "marginUsed": "77.0",
                    "leverage": leverage,
                },
            }
            for coin, size, mark, leverage in positions
        ],
        "withdrawable": "0.0",
        "time": 1_700_000_000_000,
    }


def test_hyperliquid(tmp_path: Path) -> None:
    """Cross accounts have accountValue; isolated positions rawUsd + szi · mark, and are accounts of
    their own."""
    cross, raw = {"type": "cross", "value": 20}, {"type": "isolated", "value": 5}
    answers = [
        hyperliquid("0x1", 1_000.0, ("BTC", 0.5, 50_000.0, cross), ("ETH", -3.0, 2_500.0, cross)),
        hyperliquid("0x2", 50.0, ("ETH", 2.0, 2_500.0, raw | {"rawUsd": "-4000.0"})),
        hyperliquid("0x3", 20.0, ("BTC", -0.1, 50_000.0, raw)),
        hyperliquid("0x4", 9_000.0),
    ]
    book = st.read_positions(write(tmp_path, "b.json", answers))
    assert [a.label for a in book.accounts] == ["0x1", "0x2 (ETH)", "0x3 (BTC)"]
    assert book.equity_usd.tolist() == [1_000.0, 1_000.0, 77.0]
    assert [m.mark_usd for m in book.markets] == [50_000.0, 2_500.0]
    assert any("Hyperliquid" in note for note in book.notes)
    lines = st.read_positions(write(tmp_path, "b.jsonl", answers))
    by_user = {answer.pop("user"): answer for answer in answers}
    mapped = st.read_positions(write(tmp_path, "c.json", by_user))
    assert lines.hash == mapped.hash == book.hash
    with pytest.raises(SurgetankError, match="twice"):
        st.read_positions(write(tmp_path, "d.json", [hyperliquid("0x1", 1.0)] * 2))
    # As the endpoint gives it: without the address.
    alone = st.read_positions(write(tmp_path, "e.json", answers[0]))
    assert [a.label for a in alone.accounts] == ["account-1"]
    assert alone.equity_usd.tolist() == [1_000.0]


def test_dydx(tmp_path: Path) -> None:
    """mark = entryPrice + unrealizedPnl / size; a short may be written with either sign."""
    position = {"market": "BTC-USD", "status": "OPEN", "entryPrice": "52000"}
    long = position | {"side": "LONG", "size": "0.5", "unrealizedPnl": "-1000"}
    short = position | {"side": "SHORT", "size": "-2", "unrealizedPnl": "4000"}
    subaccounts = [
        {
            "address": "dydx1example",
            "subaccountNumber": number,
            "equity": equity,
            "freeCollateral": "1",
            "openPerpetualPositions": {"BTC-USD": of},
            "assetPositions": {"USDC": {"size": "1", "side": "LONG", "symbol": "USDC"}},
        }
        for number, equity, of in ((0, "3000", long), (128, "9000.5", short))
    ]
    content = {"subaccounts": subaccounts, "totalTradingRewards": "0"}
    book = st.read_positions(write(tmp_path, "b.json", content))
    assert [m.mark_usd for m in book.markets] == [50_000.0]
    assert book.position_size.tolist() == [0.5, -2.0]
    assert book.equity_usd.tolist() == [3_000.0, 9_000.5]
    assert [a.label for a in book.accounts] == ["dydx1example/0", "dydx1example/128"]
    one = st.read_positions(write(tmp_path, "c.json", {"subaccount": subaccounts[0]}))
    assert one.equity_usd.tolist() == [3_000.0]


def test_gmx(tmp_path: Path) -> None:
    """Whole numbers of 10^-30 USD and of tokens in their decimals."""
    wbtc, usdc, market = "0xB", "0xC", "0xM"
    rows = [
        {"account": "0x1", "market": market, "collateralToken": usdc.lower(), "isLong": True}
        | {"sizeInUsd": str(60_000 * 10**30), "sizeInTokens": str(10**8)}
        | {"collateralAmount": str(6_000 * 10**6)},
        {"account": "0x1", "market": market, "collateralToken": wbtc, "isLong": False}
        | {"sizeInUsd": str(25_000 * 10**30), "sizeInTokens": str(5 * 10**7)}
        | {"collateralAmount": str(10**7)},
    ]
    content = {
        "positions": rows,
        "markets": [{"marketToken": market, "indexToken": wbtc, "longToken": wbtc}],
        "tokens": [
            {"symbol": "BTC", "address": wbtc, "decimals": 8},
            {"symbol": "USDC", "address": usdc, "decimals": 6},
        ],
        "tickers": [
            {"tokenAddress": wbtc, "minPrice": str(50_000 * 10**22), "maxPrice": 50_000 * 10**22},
            {"tokenAddress": usdc, "minPrice": str(10**24), "maxPrice": str(10**24)},
        ],
    }
    book = st.read_positions(write(tmp_path, "b.json", content))
    assert book.position_size.tolist() == pytest.approx([1.0, -0.5])
    assert book.position_entry_usd.tolist() == pytest.approx([60_000.0, 50_000.0])
    assert book.equity_usd.tolist() == pytest.approx([-4_000.0, 5_000.0])
    assert all(account.isolated == "BTC" for account in book.accounts)
    # USDC is cash; the BTC behind the short is an asset, also of rows that state its value.
    assert [(held.account, held.asset, held.value_usd) for held in book.assets] == [(1, "BTC", 5e3)]
    rows[1]["collateralUsd"] = str(5_000 * 10**30)
    assert st.read_positions(write(tmp_path, "b.json", content)).assets == book.assets
    del content["tokens"]
    with pytest.raises(SurgetankError, match="list of tokens"):
        st.read_positions(write(tmp_path, "c.json", content))
    sdk = {"account": "0x1", "isLong": True, "indexName": "BTC/USD", "sizeInUsd": 60_000 * 10**30}
    sdk |= {"entryPrice": 60_000 * 10**30, "markPrice": 50_000 * 10**30}
    sdk |= {"collateralUsd": 6_000 * 10**30}
    plain = st.read_positions(write(tmp_path, "d.json", [sdk]))
    assert plain.position_size.tolist() == pytest.approx([1.0])
    assert plain.equity_usd.tolist() == pytest.approx([-4_000.0])


@settings(max_examples=20, deadline=None)
@given(some.integers(1, 60), some.integers(0, 2**32), some.integers(1, 3))
def test_examples_survive_their_files(accounts: int, seed: int, markets: int) -> None:
    """A made-up book is the same for equal arguments, and the same when it is read again."""
    book = example_book(accounts, seed=seed, markets=markets)
    assert book.hash == example_book(accounts, seed=seed, markets=markets).hash
    assert book.owners == accounts
    assert np.all(book.equity_usd > 0)
    assert book.leverage.max() < 36
