"""What venues' public documents say of their messages, where a reader could take them otherwise.

docs/tapes.md names the documents.
"""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import numpy as np
import pytest

import surgetank as st
from surgetank.tape import ReadOptions, TapeFile, read_recording

MS = 1_723_161_255_000
ORDER, REPLACE, CANCEL = 4, 3, 2


@pytest.fixture
def capture(tmp_path: Path) -> Any:
    """Reads a capture of these messages, with times of the recorder."""

    def read(*messages: dict[str, Any], **options: Any) -> TapeFile:
        lines = [f"{MS + i} {json.dumps(message)}" for i, message in enumerate(messages)]
        (tmp_path / "capture.jsonl").write_text("\n".join(lines) + "\n")
        return read_recording(tmp_path / "capture.jsonl", ReadOptions(**options))

    return read


def flow(tape: TapeFile) -> list[tuple[int, float, float]]:
    """(class, price, coins) of each message."""
    columns = (tape.messages_class, tape.messages_usd, tape.messages_qty)
    return list(zip(*(column.tolist() for column in columns), strict=True))


# Binance


def binance_trade(**more: Any) -> dict[str, Any]:
    trade = {"e": "trade", "E": MS, "T": MS, "s": "BTCUSDT", "t": 1, "p": "100", "q": "2"}
    return trade | {"m": True} | more


def test_binance_trades_that_no_order_made(capture: Any) -> None:
    """`X` of USD-M trades: MARKET, INSURANCE_FUND, ADL or NA."""
    made = [binance_trade(t=1, X="MARKET"), binance_trade(t=2, X="ADL", p="50")]
    found = capture(*made, binance_trade(t=3, X="INSURANCE_FUND", p="40"), binance_trade(t=4))
    assert found.prices_usd.tolist() == [100.0, 100.0]
    assert found.kinds["off the book"] == 2
    assert found.messages_side.tolist() == [2, 2]  # the buyer was the maker


def test_binance_microseconds(tmp_path: Path) -> None:
    """Streams that a client asked for with timeUnit=MICROSECOND."""
    path = tmp_path / "a.jsonl"
    stamped = [binance_trade(t=i, E=MS * 1000 + 7 * i) for i in range(2)]
    path.write_text("".join(json.dumps(trade) + "\n" for trade in stamped))
    assert np.diff(read_recording(path).rows_ns).tolist() == [7_000]


def depth(u: int, bids: list[Any], asks: list[Any], **more: Any) -> dict[str, Any]:
    change = {"e": "depthUpdate", "E": MS, "s": "BTCUSDT", "U": u, "u": u, "b": bids, "a": asks}
    return change | more


@pytest.mark.parametrize(("more", "seen"), [({}, 1), ({"pu": 6}, 2)])
def test_binance_changes_that_the_snapshot_contains(
    capture: Any, more: dict[str, int], seen: int
) -> None:
    """Spot's are dropped up to the snapshot's identifier, futures' below it."""
    first = {"lastUpdateId": 7, "bids": [["99", "1"]], "asks": [["101", "1"]]}
    changes = [depth(u, [["99", str(u)]], [], **more) for u in (6, 7, 8)]
    assert len(flow(capture(first, *changes))) == seen


@pytest.mark.parametrize("futures", [False, True])
def test_binance_partial_books_are_views(capture: Any, futures: bool) -> None:
    """A level that is missing from the next one within its reach has emptied."""

    def seen(bids: list[Any], asks: list[Any]) -> dict[str, Any]:
        spot = {"lastUpdateId": 1, "bids": bids, "asks": asks}
        data = depth(1, bids, asks, pu=0) if futures else spot
        return {"stream": "btcusdt@depth5@100ms", "data": data}

    asks = [["101", "1"]]
    found = capture(seen([["99", "1"], ["98", "1"]], asks), seen([["98", "1"]], asks))
    assert flow(found) == [(CANCEL, 99.0, 0.0)]
    assert found.prices_usd.tolist() == [100.0, 99.5]


# Bybit


def book(depth: int, kind: str, bids: list[Any], asks: list[Any], symbol: str) -> dict[str, Any]:
    data = {"s": symbol, "b": bids, "a": asks, "u": 1, "seq": 1}
    topic = f"orderbook.{depth}.{symbol}"
    return {"topic": topic, "type": kind, "ts": MS, "cts": MS, "data": data}


def test_bybit_depths_are_different_feeds(capture: Any) -> None:
    """`orderbook.1` is a quote, whose deltas may have one side; of two depths one is read."""
    found = capture(
        book(50, "snapshot", [["99", "1"]], [["103", "1"]], "BTCUSDT"),
        book(1, "snapshot", [["99", "1"]], [["101", "1"]], "BTCUSDT"),
        book(1, "delta", [], [["101", "0"], ["102", "1"]], "BTCUSDT"),
        book(200, "snapshot", [["90", "1"]], [["110", "1"]], "BTCUSDT"),
        book(50, "delta", [["99", "2"]], [], "BTCUSDT"),
    )
    assert found.price_source == "quotes" and found.prices_usd.tolist() == [100.0, 100.5]
    assert flow(found) == [(REPLACE, 99.0, 2.0)]


@pytest.mark.parametrize(
    ("symbol", "coins"), [("BTCUSD", 0.5), ("BTCUSDH25", 0.5), ("BTCUSDT", 50.0)]
)
def test_bybit_inverse_quantities_are_usd(capture: Any, symbol: str, coins: float) -> None:
    trades = [
        {"T": MS, "s": symbol, "S": "Buy", "v": "50", "p": "100", "i": "1", "BT": False},
        {"T": MS, "s": symbol, "S": "Buy", "v": "9", "p": "90", "i": "2", "BT": True},
    ]
    found = capture(
        {"topic": f"publicTrade.{symbol}", "type": "snapshot", "ts": MS, "data": trades},
        book(50, "snapshot", [["100", "1"]], [["200", "1"]], symbol),
        book(50, "delta", [["100", "50"]], [], symbol),
    )
    assert flow(found) == [(ORDER, 100.0, coins), (REPLACE, 100.0, coins)]
    assert found.kinds["off the book"] == 1


# OKX


def okx(channel: str, row: dict[str, Any], name: str, **more: Any) -> dict[str, Any]:
    return {"arg": {"channel": channel, "instId": name}, "data": [{"ts": str(MS), **row}], **more}


def test_okx_channels_that_show_the_same(capture: Any) -> None:
    """Each trade and each change is read once; the index is the instrument's."""
    trade = {"instId": "BTC-USDT", "px": "100", "sz": "1", "side": "sell"}
    levels = {"bids": [["99", "1", "0", "1"]], "asks": [["101", "1", "0", "1"]]}
    found = capture(
        okx("trades", {**trade, "tradeId": "2", "count": "2"}, "BTC-USDT"),
        okx("trades-all", {**trade, "tradeId": "1"}, "BTC-USDT"),
        okx("index-tickers", {"instId": "ETH-USDT", "idxPx": "5"}, "ETH-USDT"),
        okx("liquidation-orders", {"instId": "DOGE-USDT-SWAP", "details": []}, ""),
        okx("books", levels, "BTC-USDT", action="snapshot"),
        okx("books5", {**levels, "bids": [["98", "9", "0", "1"]]}, "BTC-USDT"),
    )
    assert flow(found) == [(ORDER, 100.0, 1.0)] and found.symbol == "BTC-USDT"


# Deribit


def deribit(channel: str, data: Any) -> dict[str, Any]:
    return {"method": "subscription", "params": {"channel": channel, "data": data}}


def deribit_trades(name: str, *more: dict[str, Any]) -> dict[str, Any]:
    own = {"timestamp": MS, "price": 100.0, "amount": 50.0, "direction": "buy"}
    rows = [own | {"instrument_name": name, "trade_id": str(i)} | m for i, m in enumerate(more)]
    return deribit(f"trades.{name}.raw", rows)


def test_deribit_blocks_and_indices(capture: Any) -> None:
    found = capture(
        deribit("deribit_price_index.eth_usd", {"timestamp": MS, "price": 5.0}),
        deribit_trades("BTC-PERPETUAL", {}, {"block_trade_id": "7", "price": 90.0}),
        symbol="BTC-PERPETUAL",
    )
    assert found.prices_usd.tolist() == [100.0] and flow(found) == [(ORDER, 100.0, 0.5)]


# Instruments whose prices or quantities cannot be read


@pytest.mark.parametrize(
    "message",
    [
        binance_trade(s="BTCUSD_PERP"),
        depth(1, [["99", "1"]], [], s="BTCUSD_240628"),
        okx("trades", {"px": "100", "sz": "1", "side": "buy"}, "BTC-USD-SWAP"),
        okx("trades", {"px": "0.05", "sz": "1", "side": "buy"}, "BTC-USD-240628-60000-C"),
        deribit_trades("BTC-28JUN24-60000-P", {}),
    ],
)
def test_what_is_not_coins_at_usd_is_refused(capture: Any, message: dict[str, Any]) -> None:
    """With the line and a remedy, whatever contract size is given."""
    with pytest.raises(st.SurgetankError) as caught:
        capture(message, contract_size=0.01)
    assert "capture.jsonl:1" in str(caught.value) and caught.value.hint


# Hyperliquid


def hl(*tids: int, coin: str = "BTC") -> dict[str, Any]:
    own = {"coin": coin, "side": "B", "px": "100", "sz": "1", "time": MS}
    return {"channel": "trades", "data": [own | {"tid": tid} for tid in tids]}


def test_hyperliquid_earlier_trades(capture: Any) -> None:
    """The first message of a coin, and the one after each subscription, holds earlier trades."""
    asked = {"method": "subscribe", "subscription": {"type": "trades", "coin": "BTC"}}
    again = {"channel": "subscriptionResponse", "data": asked}
    found = capture(again, hl(1, 2, 3), hl(4), again, hl(4, 5), hl(6))
    assert len(flow(found)) == 2


def test_hyperliquid_fast_books_are_another_feed(capture: Any) -> None:
    def seen(size: str, **more: Any) -> dict[str, Any]:
        sides = [[{"px": "99", "sz": size, "n": 1}], [{"px": "101", "sz": "1", "n": 1}]]
        data = {"coin": "BTC", "time": MS, "levels": sides}
        return {"channel": more.pop("channel", "l2Book"), "data": data | more}

    found = capture(seen("1"), seen("5", fast=True), seen("7", channel="fastBook"), seen("2"))
    assert flow(found) == [(REPLACE, 99.0, 2.0)]


# dYdX v4


def test_dydx_oracles_and_deleveragings(capture: Any) -> None:
    """A trade's id is that of the taker's fill, so its side is the taker's."""
    market = {"BTC-USD": {"oraclePrice": "100"}, "ETH-USD": {"oraclePrice": "5"}}
    trade = {"size": "1", "price": "100", "side": "SELL", "createdAt": "2024-08-08T23:54:15.088Z"}
    trades = [{"id": "1", "type": "LIQUIDATED", **trade}, {"id": "2", "type": "DELEVERAGED"}]
    named = {"channel": "v4_trades", "id": "BTC-USD", "type": "channel_data"}
    found = capture(
        named | {"contents": {"trades": trades}},
        {"channel": "v4_markets", "type": "subscribed", "contents": {"markets": market}},
        {"channel": "v4_markets", "type": "channel_data", "contents": {"oraclePrices": market}},
        {"channel": "v4_orderbook", "id": "BTC-USD", "type": "channel_data", "contents": None},
    )
    assert flow(found) == [(ORDER, 100.0, 1.0)] and found.messages_side.tolist() == [2]
    assert found.kinds["off the book"] == 1 and found.kinds["other"] == 1


# Lighter


def test_lighter_statistics_of_all_markets(capture: Any) -> None:
    """They do not choose the instrument; deleveragings are no orders; a side may be missing."""
    statistics = {"0": {"index_price": "5"}, "1": {"index_price": "100"}}
    trade = {"trade_id": 1, "market_id": 1, "size": "1", "price": "100", "is_maker_ask": False}
    trades = [trade | {"type": "trade"}, trade | {"trade_id": 2, "type": "deleverage"}]
    found = capture(
        {"channel": "market_stats:all", "type": "update/market_stats", "market_stats": statistics},
        {"channel": "trade:1", "type": "update/trade", "trades": trades, "timestamp": MS},
        {"channel": "ticker:1", "type": "update/ticker", "ticker": {"b": {"price": "99"}}},
        {"channel": "market_stats:all", "type": "update/market_stats", "market_stats": statistics},
    )
    assert found.symbol == "1" and flow(found) == [(ORDER, 100.0, 1.0)]
    assert found.messages_side.tolist() == [2]  # the maker was a bid: the taker sold
