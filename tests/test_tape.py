"""Tapes: recordings that are whole, and those that are not."""

from __future__ import annotations

import gzip
import json
from collections.abc import Iterable, Mapping
from pathlib import Path

import pytest

import surgetank as st

MARKET = Path(__file__).resolve().parents[2] / "shared/data/market"
recorded = pytest.mark.skipif(
    not MARKET.exists(), reason="recorded data are not beside the project"
)

BARS = "timestamp,open,high,low,close,volume\n"
BAR = "2021-12-31 23:0{}:00.000000,100.0,110.0,99.0,105.0,7.0\n"


def capture(lines: Iterable[tuple[int, Mapping[str, object]]]) -> str:
    """Lines of a WebSocket capture."""
    return "".join(f"{at} {json.dumps({'stream': 's', 'data': data})}\n" for at, data in lines)


TICKER = {"e": "bookTicker", "b": "100.0", "a": "102.0"}
DEPTH = {"e": "depthUpdate", "b": [["99.0", "1.0"], ["98.0", "2.0"]], "a": [["103.0", "1"]]}
DEPTH_2 = {"e": "depthUpdate", "b": [["99.0", "3.0"], ["98.0", "0"], ["97.0", "0"]], "a": []}
TRADE = {"e": "trade", "p": "100.5", "q": "0.25", "m": True}
LINES: list[tuple[int, Mapping[str, object]]]
LINES = [(1000, TICKER), (2000, DEPTH), (3000, DEPTH_2), (4000, TRADE)]


def write(path: Path, text: str) -> Path:
    """Writes it, zipped if the name says so."""
    data = text.encode()
    path.write_bytes(gzip.compress(data) if path.suffix == ".gz" else data)
    return path


def test_capture(tmp_path: Path) -> None:
    """Levels become orders, replaces and cancels; trades market orders; tickers prices."""
    tape = st.read_tape(write(tmp_path / "a.jsonl.gz", capture(LINES)), speed=2.0)
    assert tape.prices_usd.tolist() == [101.0]
    assert tape.messages_class.tolist() == [4, 4, 4, 3, 2, 4]
    assert tape.messages_side.tolist() == [1, 1, 2, 1, 1, 2]
    assert tape.messages_ns.tolist() == [500, 500, 500, 1000, 1000, 1500]
    keys = tape.messages_key.tolist()
    assert keys[0] == keys[3] != keys[1] == keys[4]
    assert keys[5] == 0
    assert tape.messages_qty.tolist() == [1.0, 2.0, 1.0, 3.0, 0.0, 0.25]


def test_bars(tmp_path: Path) -> None:
    """Four prices a bar: open, the nearer of low and high, the other, close."""
    path = write(tmp_path / "bars.csv", BARS + BAR.format(1) + BAR.format(2))
    tape = st.read_tape(path)
    assert tape.prices_usd.tolist() == [100.0, 99.0, 110.0, 105.0] * 2
    assert tape.prices_ns.tolist() == [n * 15_000_000_000 for n in range(8)]
    assert len(tape.messages_ns) == 0
    part = st.read_tape(path, start_s=60.0)
    assert len(part.prices_ns) == 4
    assert part.hash != tape.hash


GOOD = capture(LINES)
BAD = [
    ("cut.jsonl", GOOD[:-20], ":4", "cut off in mid-line"),
    ("order.jsonl", capture([(2000, TICKER), (1000, TICKER)]), ":2", "back in time"),
    ("order.csv", BARS + BAR.format(2) + BAR.format(1), ":3", "back in time"),
    ("empty.jsonl", "", "", "empty"),
    ("head.csv", BARS, "", "no rows"),
    ("columns.csv", "a,b\n1,2\n", ":1", "unknown columns"),
    ("short.csv", BARS + "2021-12-31 23:01:00,1\n", ":2", "2 columns where the head has 6"),
    ("word.csv", BARS + BAR.format(1).replace("110.0", "high"), ":2", "cannot be read"),
    ("zero.csv", BARS + BAR.format(1).replace("99.0", "0.0"), ":2", "not positive"),
    ("noise.jsonl", "hello\n", ":1", "not a line of a capture"),
    ("field.jsonl", capture([(1, {"e": "trade", "p": "1"})]), ":1", "cannot be read"),
    ("kind.txt", "x\n", "", "not a kind of tape"),
]


@pytest.mark.parametrize(("name", "text", "line", "what"), BAD, ids=[bad[0] for bad in BAD])
def test_bad_tapes_name_file_and_line(
    tmp_path: Path, name: str, text: str, line: str, what: str
) -> None:
    """One line: where, what, how to mend."""
    path = write(tmp_path / name, text)
    with pytest.raises(st.SurgetankError) as caught:
        st.read_tape(path)
    assert f"{path}{line}" in str(caught.value)
    assert what in str(caught.value)
    assert caught.value.mend
    assert "\n" not in str(caught.value)


def test_not_gzip_truncated_gzip_and_not_there(tmp_path: Path) -> None:
    """What is wrong with the file itself."""
    plain = tmp_path / "plain.jsonl.gz"
    plain.write_text(GOOD)
    with pytest.raises(st.SurgetankError, match="not a gzip file"):
        st.read_tape(plain)
    whole = write(tmp_path / "whole.jsonl.gz", GOOD * 1).read_bytes()
    cut = tmp_path / "cut.jsonl.gz"
    cut.write_bytes(whole[: len(whole) // 2])
    with pytest.raises(st.SurgetankError, match=r"cut\.jsonl\.gz:\d+: the gzip stream"):
        st.read_tape(cut)
    with pytest.raises(st.SurgetankError, match=r"gone\.csv"):
        st.read_tape(tmp_path / "gone.csv")


def run_on(tape: st.Tape, **values: object) -> st.Result:
    """The flagship on a tape, cut short."""
    scenario = st.load("black-thursday").with_values({"trace.receipts_every": 0} | values)
    return st.run(scenario, seed=1, tape=tape)


@recorded
def test_flagship_on_recorded_bars() -> None:
    """Ten recorded hours in a minute: the tape's prices are the outside price."""
    path = MARKET / "ftx_btc-perp_20211231-20220201_1m.csv.gz"
    tape = st.read_tape(path, speed=600.0, start_s=4.5 * 86_400, seconds=36_000)
    result = run_on(tape)
    market = result.trace["market"]
    index = market.filter(market["kind"] == 0)["price"] * result.trace.stats["tick_usd"]
    assert index.min() >= tape.prices_usd.min() * 0.95
    assert index.max() <= tape.prices_usd.max() * 1.05
    assert result.trace.stats["money_conserved"]


@recorded
def test_flagship_on_recorded_messages() -> None:
    """Ten seconds of the raw capture: every recorded message is sent, at its time."""
    path = MARKET / "hftbt_binance_usdm_btcusdt_20240808.jsonl.gz"
    tape = st.read_tape(path, seconds=10.0)
    result = run_on(tape)
    messages = result.trace["messages"]
    sent = messages.filter(messages["source"] == 6)
    due = tape.messages_ns[tape.messages_ns < result.trace.stats["flow_end_ns"]]
    assert sent["created_ns"].to_list() == due.tolist()
    assert set(sent["class"]) == {2, 3, 4}
