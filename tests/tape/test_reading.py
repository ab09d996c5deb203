"""Tapes: recordings that are whole, and those that are not."""

from __future__ import annotations

import gzip
import html
import json
import re
import shlex
import tracemalloc
import zlib
from collections.abc import Iterable, Mapping
from pathlib import Path

import pytest

import surgetank as st
from command_line import surgetank
from surgetank.scenario.text import toml
from surgetank.tape import ReadOptions, read_recording
from surgetank.trace import MarketKind, Source

MARKET = Path(__file__).resolve().parents[3] / "shared/data/market"
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
#: 2024-08-08, in nanoseconds: the unit is detected from the size.
T0 = 1_723_161_255_000_000_000
LINES = [(T0, TICKER), (T0 + 1000, DEPTH), (T0 + 2000, DEPTH_2), (T0 + 3000, TRADE)]


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


TIME = 1_640_991_660  # 2021-12-31 23:01:00 UTC
TABLES = [
    (f"timestamp,price\n{TIME},100\n{TIME + 2},101.5\n", [100.0, 101.5], [], 2e9),
    (f"Time,Price\n{TIME}.25,100\n{TIME}.75,101\n", [100.0, 101.0], [], 0.5e9),
    (f"ts;price\n{TIME};7\n{TIME + 1};8\n", [7.0, 8.0], [], 1e9),
    (f'ts\tprice\tnote\n{TIME}\t"7"\t"a,b"\n{TIME + 1}\t8\t\n', [7.0, 8.0], [], 1e9),
    ("date,px\n2021-12-31T23:01:00+00:00,7\n2022-01-01 00:01:00Z,8\n", [7.0, 8.0], [], 3600e9),
    (f'"ts","price"\n"{TIME}000","100"\n"{TIME}005","99"\n', [100.0, 99.0], [], 5e6),
    (
        f"timestamp_ms,size_btc,price,type,is_maker_ask\n{TIME}000,2,10,x,1\n{TIME}001,3,9,x,0\n",
        [10.0, 9.0],
        [(1, 2.0), (2, 3.0)],
        1e6,
    ),
    (
        f"id,price,qty,time,is_buyer_maker\n1,10,2,{TIME}000,true\n2,9,3,{TIME}001,False\n",
        [10.0, 9.0],
        [(2, 2.0), (1, 3.0)],
        1e6,
    ),
]


@pytest.mark.parametrize(("text", "prices", "sent", "last_ns"), TABLES)
def test_tables_of_others(
    tmp_path: Path, text: str, prices: list[float], sent: list[tuple[int, float]], last_ns: float
) -> None:
    """Columns are found by the names that exchanges and data vendors give them."""
    tape = st.read_tape(write(tmp_path / "a.csv", text))
    assert tape.prices_usd.tolist() == prices
    assert tape.prices_ns.tolist() == [0, last_ns]
    assert list(zip(tape.messages_side, tape.messages_qty, strict=True)) == sent


@recorded
def test_liquidation_trades() -> None:
    """The recorded liquidations of a venue: 50 trades in 141.7 s, each a market order."""
    tape = st.read_tape(MARKET / "lighter_btcperp_20251210_liquidation_trades.csv")
    assert len(tape.messages_ns) == len(tape.prices_ns) == 50
    assert tape.seconds == pytest.approx(141.7, abs=0.1)
    assert (tape.messages_usd * tape.messages_qty).sum() == pytest.approx(562_000, rel=0.01)


def test_a_bar_is_as_long_as_the_time_to_the_next(tmp_path: Path) -> None:
    """Five-minute bars, one of them missing: prices 75 seconds apart."""
    rows = "".join(f"2022-01-01 00:{m:02}:00,100,110,99,105,1\n" for m in (0, 10, 15))
    recording = read_recording(write(tmp_path / "five.csv", BARS + rows))
    assert recording.bar_ns == 300 * 10**9
    assert recording.notes == ("bars of 300 s: 1 of 2 are that far apart; 1 is missing",)
    tape = recording.part()
    quarters = [0, 75, 150, 225]
    assert tape.prices_ns.tolist() == [(m * 60 + q) * 10**9 for m in (0, 10, 15) for q in quarters]


GOOD = capture(LINES)
DEEP = "1 " + '{"a":' * 200_000 + "1" + "}" * 200_000 + "\n"
SNAPSHOT = {"lastUpdateId": 1, "bids": [["1", "1"]], "asks": []}
BAD = [
    ("int64.csv", f"timestamp_ns,price\n{10**30},1\n", ":2", "64 bits"),
    ("unit.jsonl", capture([(1000, TICKER)]), ":1", "is between 1990 and 2100 in no unit"),
    ("units.csv", f"ts,price\n{TIME},1\n{TIME}000,1\n", ":3", "not in seconds as earlier ones"),
    ("month.csv", "date,price\n01/02/2024 10:00,1\n", ":2", "day and month exchanged"),
    ("high.csv", BARS + BAR.format(1).replace("110.0", "104.0"), ":2", "close 105 are not between"),
    ("clock.csv", "time,price\n10:00:00.5,1\n", ":2", "'10:00:00.5' has no date"),
    ("zones.csv", "date,price\n2024-01-01Z,1\n2024-01-02,1\n", ":3", "unlike earlier ones"),
    ("leap.csv", "date,price\n2023-02-29,1\n", ":2", "there is no time '2023-02-29'"),
    ("nan.csv", "timestamp,price\nnan,1\n", ":2", "cannot be read"),
    ("absurd.csv", f"timestamp,price\n{TIME},1e308\n", ":2", "beyond 1e-09 to 1e+09 USD"),
    ("forms.csv", "when,what\n1,2\n", ":1", "unknown columns"),
    ("deep.jsonl", DEEP, ":1", "not a line of a capture"),
    ("snapshot.jsonl", f"{T0} {json.dumps(SNAPSHOT)}\n", "", "no price in this recording"),
    ("cut.jsonl", GOOD[:-20], ":4", "cut off in mid-line"),
    ("one.csv", BARS + BAR.format(1), "", "one bar does not show its length"),
    ("odd.csv", BARS + "".join(BAR.format(m) for m in (1, 3, 6, 9)), "", "irregular times"),
    ("array.json", '[{"ts": 1}]\n', "", "one JSON array"),
    ("nobody.jsonl", f'{T0} {{"hello": 1}}\n', "", "messages of no known venue"),
    ("empty.jsonl", "", "", "empty"),
    ("head.csv", BARS, "", "no rows"),
    ("columns.csv", "a,b\n1,2\n", ":1", "unknown columns"),
    ("short.csv", BARS + "2021-12-31 23:01:00,1\n", ":2", "2 cells under 6 columns"),
    ("word.csv", BARS + BAR.format(1).replace("110.0", "high"), ":2", "cannot be read"),
    ("zero.csv", BARS + BAR.format(1).replace("99.0", "0.0"), ":2", "not positive"),
    ("noise.jsonl", "hello\n", ":1", "not a line of a capture"),
    ("field.jsonl", capture([(T0, {"e": "trade", "p": "1"})]), ":1", "cannot be read"),
    ("kind.txt", "x\n", ":1", "unknown columns"),
]


@pytest.mark.parametrize(("name", "text", "line", "what"), BAD, ids=[bad[0] for bad in BAD])
def test_bad_tapes_name_file_and_line(
    tmp_path: Path, name: str, text: str, line: str, what: str
) -> None:
    """One line: where, what, what to do."""
    path = write(tmp_path / name, text)
    with pytest.raises(st.SurgetankError) as caught:
        st.read_tape(path)
    assert f"{path}{line}" in str(caught.value)
    assert what in str(caught.value)
    assert caught.value.hint
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


def test_one_huge_line_is_not_unpacked(tmp_path: Path) -> None:
    """A gzip of 300 kB that holds a line of 300 MB: refused, and never held in memory."""
    bomb = tmp_path / "bomb.jsonl.gz"
    packer = zlib.compressobj(9, zlib.DEFLATED, 31)
    with bomb.open("wb") as file:
        for _ in range(300):
            file.write(packer.compress(b" " * 1_000_000))
        file.write(packer.flush())
    tracemalloc.start()
    with pytest.raises(st.SurgetankError, match="a line of more than"):
        st.read_tape(bomb)
    most = tracemalloc.get_traced_memory()[1]
    tracemalloc.stop()
    assert most < 60_000_000


@pytest.mark.parametrize(
    "part",
    [
        {"speed": float("nan")},
        {"speed": -5.0},
        {"speed": 1e-300},
        {"start_s": float("nan")},
        {"start_s": 1e300},
        {"start_s": -1.0},
        {"seconds": float("inf")},
        {"seconds": 0.0},
    ],
)
def test_parts_that_make_no_sense(tmp_path: Path, part: dict[str, float]) -> None:
    """Named by the option, with a remedy."""
    path = write(tmp_path / "a.csv", BARS + BAR.format(1) + BAR.format(2))
    with pytest.raises(st.SurgetankError) as caught:
        read_recording(path).part(**part)
    assert caught.value.hint


def test_the_report_is_of_the_recording(tmp_path: Path) -> None:
    """Its name and hash, the command that plays it again, and not the scenario's own event."""
    path = write(tmp_path / "my bars.csv", BARS + BAR.format(1) + BAR.format(2))
    tape = st.read_tape(path, speed=40.0)
    scenario = st.load("black-thursday")
    result = st.run(scenario, seed=1, tape=tape, out=tmp_path / "run", report=True)
    page = html.unescape((tmp_path / "run" / "report.html").read_text())
    head = page.partition('<section aria-labelledby="h-figures">')[0]
    assert tape.hash in head and f"{path}: 105 s from 0 s on, at 40 times" in head
    assert f"--seed 1 --tape '{path}' --speed 40" in page
    assert scenario.description[:40] not in page and scenario.description
    assert scenario.event.split(".")[0] not in page and scenario.event
    assert result.scenario.hash != scenario.hash


def test_the_repeat_command_repeats_the_run(tmp_path: Path) -> None:
    """The report's scenario and command, entered as they stand, give the trace again; with another
    recording under the same name they are refused."""
    path = write(tmp_path / "my bars.csv", BARS + BAR.format(1) + BAR.format(2) + BAR.format(3))
    part = {"speed": 2.000000003, "start_s": 0.123456789, "seconds": 61.00000001}
    tape = read_recording(path).part(**part)
    chosen = st.load("calm").with_values({"trace.receipts_every": 0, "duration_s": 8.0})
    folder = tmp_path / "run"
    result = st.run(chosen, seed=3, tape=tape, out=folder, report=True)
    page = html.unescape((folder / "report.html").read_text())
    (tmp_path / "scenario.toml").write_text(toml(result.scenario.model_dump(mode="json")))
    assert toml(result.scenario.model_dump(mode="json", by_alias=True)).strip() in page
    line = next(line for line in re.findall(r"surgetank run [^<]*", page) if "--tape" in line)
    words = shlex.split(line)[1:]
    done = surgetank(*words, "--json", "--no-report", "--quiet", cwd=tmp_path)
    assert json.loads(done.stdout)["trace_hash"] == result.trace.trace_hash, done.stderr
    write(path, path.read_text().replace("105.0", "106.0"))
    done = surgetank(*words, "--json", cwd=tmp_path)
    assert done.returncode == 2 and "is not the recording that calm was run on" in done.stderr


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
    index = market.filter(market["kind"] == MarketKind.INDEX)["price"] * result.trace.stats.tick_usd
    assert index.min() >= tape.prices_usd.min() * 0.95
    assert index.max() <= tape.prices_usd.max() * 1.05
    assert result.trace.stats.money_conserved


@recorded
def test_flagship_on_recorded_messages() -> None:
    """Ten seconds of the raw capture: every recorded message is sent, at its time."""
    path = MARKET / "hftbt_binance_usdm_btcusdt_20240808.jsonl.gz"
    tape = st.read_tape(path, seconds=10.0)
    result = run_on(tape)
    messages = result.trace["messages"]
    sent = messages.filter(messages["source"] == Source.TAPE)
    due = tape.messages_ns[tape.messages_ns < result.trace.stats.flow_end_ns]
    assert sent["created_ns"].to_list() == due.tolist()
    assert set(sent["class"]) == {2, 3, 4}


def test_the_order_of_rows(tmp_path: Path) -> None:
    """Rows out of order are sorted and counted; a file that runs backwards is turned round."""
    path = write(tmp_path / "a.csv", f"ts,price\n{TIME},1\n{TIME + 5},3\n{TIME + 2},2\n")
    recording = read_recording(path)
    assert recording.prices_usd.tolist() == [1.0, 2.0, 3.0]
    assert (recording.steps.back, recording.steps.back_ns) == (1, 3 * 10**9)
    assert f"1 row goes back in time, by at most 3 s ({path}:4): sorted" in recording.said
    rows = f"{TIME + 5},9\n{TIME + 2},2\n{TIME + 2},1\n{TIME},0.5\n"
    turned = read_recording(write(tmp_path / "b.csv", "ts,price\n" + rows))
    assert turned.prices_usd.tolist() == [0.5, 1.0, 2.0, 9.0]


def test_times_as_options_say(tmp_path: Path) -> None:
    """A unit for times counted from the start, a zone for clock times, and an hour that is there
    twice."""
    path = write(tmp_path / "a.csv", "t,px\n0,7\n1500,8\n")
    options = ReadOptions(columns={"time": "t", "price": "px"}, time_unit="ms")
    tape = st.read_tape(path, options=options)
    assert tape.prices_ns.tolist() == [0, 1_500_000_000]
    assert tape.options[2:] == ["--columns", "time=t,price=px", "--time-unit", "ms"]
    text = "ts,price\n2023-10-28 12:00,1\n2023-10-29 {},2\n"
    london = ReadOptions(timezone="Europe/London")
    path = write(tmp_path / "b.csv", text.format("12:00"))
    assert st.read_tape(path).seconds == 86_400
    assert st.read_tape(path, options=london).seconds == 90_000
    assert read_recording(path, london).clock == "column `ts`, ISO 8601 in Europe/London"
    with pytest.raises(st.SurgetankError, match="twice or never in Europe/London"):
        st.read_tape(write(tmp_path / "c.csv", text.format("01:30")), options=london)


@pytest.mark.parametrize(
    "options",
    [
        {"format": "betamax"},
        {"time_unit": "h"},
        {"timezone": "Atlantis/Capital"},
        {"timezone": "../../etc/passwd"},
        {"bar_seconds": 0.0},
        {"bar_seconds": 90.0},
        {"contract_size": float("nan")},
        {"symbol": "ETH"},
        {"columns": {"time": "nothing"}},
        {"columns": {"price": "open"}},
        {"format": "trades"},
    ],
    ids=str,
)
def test_options_that_do_not_fit(tmp_path: Path, options: dict[str, object]) -> None:
    """Each with its remedy."""
    path = write(tmp_path / "a.csv", BARS + BAR.format(1) + BAR.format(2))
    with pytest.raises(st.SurgetankError) as caught:
        read_recording(path, ReadOptions(**options))  # type: ignore[arg-type]
    assert caught.value.hint and caught.value.place


def test_one_instrument_of_several(tmp_path: Path) -> None:
    """Prices of two instruments are never mixed."""
    rows = f"symbol,ts,price\nBTC,{TIME},100\nETH,{TIME + 1},5\nBTC,{TIME + 2},101\n"
    path = write(tmp_path / "a.csv", rows)
    with pytest.raises(st.SurgetankError, match=r"2 instruments: BTC, ETH\. Give --symbol BTC"):
        read_recording(path)
    assert read_recording(path, ReadOptions(symbol="ETH")).prices_usd.tolist() == [5.0]


@pytest.mark.parametrize(
    ("hours", "said"),
    [
        # Hours before the first row of the recording, at an end of it, and after its last row.
        (
            (0, 0, -5, 0),
            "1 row goes back in time, by at most 17940 s ({}:4): sorted; check the times",
        ),
        (
            (0, 0, 5, 0),
            "1 row goes back in time, by at most 17940 s ({}:5): sorted; check the times",
        ),
        ((0, 0, 0, 5), "no row for 18060 of its 18180 s, before {}:5; check the time"),
        ((0, 0, 0, 0), None),
    ],
)
def test_a_row_that_is_hours_off_is_named(
    tmp_path: Path, hours: tuple[int, ...], said: str | None
) -> None:
    """By its line, or that of the row after it."""
    rows = [TIME + 60 * i + 3600 * h for i, h in enumerate(hours)]
    path = write(tmp_path / "a.csv", "ts,price\n" + "".join(f"{at},1\n" for at in rows))
    doubts = [text for text in read_recording(path).said if "check" in text]
    assert len(doubts) == (said is not None)
    assert said is None or doubts[0].startswith(said.format(path))


@pytest.mark.parametrize(
    "text",
    [
        "date,time,price\n2022-01-01,9:30:00,7\n2022-01-01,10:30:00.5,8\n",
        "date;time;price\n2022/01/01;09:30;7\n2022.01.01;10:30:00.5;8\n",
        "timestamp,price\n2022/01/01 09:30,7\n2022.01.01 10:30:00.5,8\n",
        "date,time,price\nignored,2022-01-01 09:30,7\nignored,2022-01-01 10:30:00.5,8\n",
    ],
)
def test_dates_and_times_of_two_columns(tmp_path: Path, text: str) -> None:
    """A year that stands first, with slashes or points; a date and a time of day apart."""
    tape = st.read_tape(write(tmp_path / "a.csv", text))
    assert tape.prices_ns.tolist() == [0, 3_600_500_000_000]


def test_a_day_of_a_column_that_is_named(tmp_path: Path) -> None:
    path = write(tmp_path / "a.csv", "d,t,px\n2022-01-01,09:30,7\n2022-01-01,09:31,8\n")
    options = ReadOptions(columns={"day": "d", "time": "t", "price": "px"})
    assert st.read_tape(path, options=options).prices_ns.tolist() == [0, 60 * 10**9]
