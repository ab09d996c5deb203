"""Every format: the examples of docs/tapes.md are what they say, and no damage to them escapes."""

from __future__ import annotations

import gzip
import json
import random
from datetime import UTC, datetime
from pathlib import Path

import polars as pl
import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as some

import surgetank as st
from surgetank.tape import ReadOptions, TapeFile, read_recording
from surgetank.tape.formats import CAPTURES, NAMES, TABLES
from tape_examples import PAGE, Example, current, examples

TEXT = PAGE.read_text(encoding="utf-8")
EXAMPLES = list(examples(TEXT))
ORDER, REPLACE, CANCEL = 4, 3, 2
BUY, SELL = 1, 2
#: Options of the examples that need some.
OPTIONS = {
    "fills.jsonl": ReadOptions(
        columns={"time": "ts", "price": "px", "amount": "sz", "side": "way"}
    ),
    "okx.jsonl": ReadOptions(contract_size=0.01),
    "tardis-liquidations.csv": ReadOptions(format="tardis-liquidations"),
}
Messages = list[tuple[int, int, float, float]]
#: By hand: prices, and (class, side, price, coins) of each message.
EXPECTED: dict[str, tuple[list[float], Messages]] = {
    "trades.csv": (
        [61800.3, 61800.2, 61795.0],
        [
            (ORDER, BUY, 61800.3, 0.006),
            (ORDER, SELL, 61800.2, 0.15),
            (ORDER, SELL, 61795.0, 0.02),
        ],
    ),
    "fills.jsonl": (
        [61800.3, 61800.2],
        [(ORDER, BUY, 61800.3, 0.006), (ORDER, SELL, 61800.2, 0.15)],
    ),
    "bars.csv": (
        [61790, 61780, 61850, 61800, 61800, 61810, 61590, 61640, 61700, 61720, 61650, 61660],
        [],
    ),
    "quotes.csv": ([61800.25, 61800.3], []),
    "index.csv": ([61800.25, 61799.5], []),
    "orders.csv": (
        [61800.3, 61800.25],
        [
            (ORDER, BUY, 61800.2, 0.5),
            (ORDER, SELL, 61800.4, 0.3),
            (REPLACE, SELL, 61800.3, 0.3),
            (ORDER, BUY, 61800.3, 0.1),
            (CANCEL, BUY, 61800.2, 0.0),
        ],
    ),
    "tardis-trades.csv": (
        [61800.3, 61800.2],
        [(ORDER, BUY, 61800.3, 0.006), (ORDER, SELL, 61800.2, 0.15)],
    ),
    "tardis-liquidations.csv": (
        [61790.3, 61788.2],
        [(ORDER, SELL, 61790.3, 0.4), (ORDER, SELL, 61788.2, 1.2)],
    ),
    "tardis-book.csv": (
        [61800.25, 61800.35],
        [
            (CANCEL, SELL, 61800.3, 0.0),
            (ORDER, SELL, 61800.5, 1.1),
            (REPLACE, BUY, 61800.2, 1.7),
        ],
    ),
    "tardis-quotes.csv": ([61800.25, 61800.35], []),
    "tardis-ticker.csv": ([61795.1, 61791.4], []),
    "binance.jsonl": (
        [61800.25],
        [
            (ORDER, BUY, 61800.3, 0.006),
            (REPLACE, BUY, 61800.2, 2.1),
            (ORDER, BUY, 61700.0, 1.0),
            (CANCEL, SELL, 61800.3, 0.0),
        ],
    ),
    "bybit.jsonl": (
        [61800.25, 61800.2],
        [
            (ORDER, SELL, 61800.2, 0.15),
            (CANCEL, BUY, 61800.2, 0.0),
            (ORDER, BUY, 61800.1, 1.2),
        ],
    ),
    "okx.jsonl": ([61800.25], [(ORDER, BUY, 61800.3, 0.15), (REPLACE, SELL, 61800.3, 2.36)]),
    "deribit.jsonl": (
        [61800.25],
        [(ORDER, BUY, 61800.5, 1000 / 61800.5), (REPLACE, SELL, 61800.5, 41000 / 61800.5)],
    ),
    "hyperliquid.jsonl": ([61800.5], [(ORDER, BUY, 61801, 0.2), (REPLACE, SELL, 61801, 1.7)]),
    "dydx.jsonl": (
        [61800.5],
        [(ORDER, BUY, 61801, 0.2), (REPLACE, SELL, 61801, 1.7), (ORDER, BUY, 61799, 0.4)],
    ),
    "lighter.jsonl": (
        [61800.45],
        [(ORDER, BUY, 61800.9, 0.2), (REPLACE, SELL, 61800.9, 1.7)],
    ),
}


def of(recording: TapeFile) -> tuple[list[float], Messages]:
    """Prices and messages as plain values."""
    columns = (
        recording.messages_class,
        recording.messages_side,
        recording.messages_usd,
        recording.messages_qty,
    )
    return recording.prices_usd.tolist(), list(zip(*(c.tolist() for c in columns), strict=True))


def test_the_page_is_current(tmp_path: Path) -> None:
    """`python tests/support/tape_examples.py` writes it again."""
    assert current(TEXT, tmp_path) == TEXT
    seeded = TEXT.replace("trade 2\n", "trade 3\n", 1)
    assert seeded != TEXT and current(seeded, tmp_path) == TEXT


def test_every_format_has_an_example() -> None:
    assert {e.format for e in EXAMPLES} == set(NAMES)
    assert len(NAMES) == len(set(NAMES)) == len(CAPTURES) + len(TABLES)


@pytest.mark.parametrize("example", EXAMPLES, ids=lambda e: e.file)
def test_formats(example: Example, tmp_path: Path) -> None:
    """Detected from the content whatever the file's name, packed or not, with the right prices and
    messages; and the same where the format is given."""
    options = OPTIONS.get(example.file, ReadOptions())
    found = read_recording(example.write(tmp_path), options)
    assert found.format == example.format
    prices, messages = EXPECTED[example.file]
    assert of(found)[0] == pytest.approx(prices)
    assert len(of(found)[1]) == len(messages)
    for one, other in zip(of(found)[1], messages, strict=True):
        assert one == pytest.approx(other)
    hidden = tmp_path / "recording"
    hidden.write_bytes(gzip.compress(example.body.encode()))
    assert read_recording(hidden, options).part().hash == found.part().hash
    named = ReadOptions(**{**vars(options), "format": example.format})
    assert read_recording(hidden, named).part().hash == found.part().hash


def test_contracts_and_unstated_sides(tmp_path: Path) -> None:
    """OKX's contracts need their size; trades without a side give a price and no message."""
    example = next(e for e in EXAMPLES if e.file == "okx.jsonl")
    with pytest.raises(st.SurgetankError, match=r"are contracts, not coins\. Give --contract-size"):
        read_recording(example.write(tmp_path))
    path = tmp_path / "a.csv"
    path.write_text("time,price,qty,side\n2024-01-01Z,5,1,unknown\n2024-01-02Z,6,1,buy\n")
    assert len(read_recording(path).messages_ns) == 1
    assert len(read_recording(path).prices_ns) == 2


def test_trades_that_are_there_twice(tmp_path: Path) -> None:
    """A reconnection sends them again: the identifier says so."""
    example = next(e for e in EXAMPLES if e.file == "bybit.jsonl")
    lines = example.body.splitlines(keepends=True)
    path = tmp_path / "a.jsonl"
    path.write_text("".join([*lines, lines[1]]))
    found = read_recording(path)
    assert found.duplicates == 1 and of(found)[1] == EXPECTED["bybit.jsonl"][1]


def test_a_level_that_left_the_view_was_not_cancelled(tmp_path: Path) -> None:
    """Of two views of the best two bids, the second begins a level higher."""
    line = (
        '{{"channel":"l2Book","data":{{"coin":"X","time":{},'
        '"levels":[{},[{{"px":"9","sz":"1"}}]]}}}}\n'
    )
    bids = [
        '[{"px":"7","sz":"1"},{"px":"6","sz":"2"}]',
        '[{"px":"8","sz":"3"},{"px":"7","sz":"1"}]',
    ]
    t0 = 1_723_161_255_000
    path = tmp_path / "a.jsonl"
    path.write_text(line.format(t0, bids[0]) + line.format(t0 + 500, bids[1]))
    assert of(read_recording(path))[1] == [(ORDER, BUY, 8.0, 3.0)]


def test_parquet(tmp_path: Path) -> None:
    """Times as datetimes, with and without a zone, and prices as numbers."""
    times = [datetime(2024, 8, 8, 23, 54, s, 123_456, tzinfo=UTC) for s in (1, 3)]
    frame = pl.DataFrame({"time": times, "price": [5.0, 6.5], "qty": [1, 2], "side": ["buy", "s"]})
    path = tmp_path / "a.parquet"
    frame.write_parquet(path)
    found = read_recording(path)
    assert found.format == "trades" and found.began_ns == 1_723_161_241_123_456_000
    assert of(found) == ([5.0, 6.5], [(ORDER, BUY, 5.0, 1.0), (ORDER, SELL, 6.5, 2.0)])
    path.write_bytes(path.read_bytes()[:-30])
    with pytest.raises(st.SurgetankError, match="not a Parquet file that can be read"):
        read_recording(path)


@settings(max_examples=300, deadline=None, suppress_health_check=list(HealthCheck))
@given(some.sampled_from(EXAMPLES), some.integers(0, 2**32), some.integers(1, 4))
def test_damage_never_escapes(tmp_path: Path, example: Example, seed: int, times: int) -> None:
    """A file with bytes changed, cut out or put in is read, or refused by one clear error."""
    draws = random.Random(seed)
    data = bytearray(example.body.encode())
    for _ in range(times):
        at = draws.randrange(len(data))
        match draws.randrange(4):
            case 0:
                data[at] = draws.randrange(256)
            case 1:
                del data[at : at + draws.randrange(40)]
            case 2:
                data[at:at] = draws.choice(
                    [b"null", b"[]", b"{}", b"-1e999", b'"', b",", b"9" * 30]
                )
            case _:
                span = bytes(data[at : at + draws.randrange(60)])
                data[at:at] = span
    path = tmp_path / "damaged"
    path.write_bytes(bytes(data))
    try:
        found = read_recording(path, OPTIONS.get(example.file))
        found.part()
    except st.SurgetankError as error:
        assert error.hint and error.place and "\n" not in str(error)


@settings(max_examples=150, deadline=None, suppress_health_check=list(HealthCheck))
@given(
    some.recursive(
        some.none() | some.booleans() | some.integers() | some.text(max_size=6),
        lambda inner: (
            some.lists(inner, max_size=3)
            | some.dictionaries(
                some.sampled_from(["e", "p", "data", "ts", "b", "a", "px", "time", "trades"]), inner
            )
        ),
        max_leaves=8,
    ),
    some.sampled_from([e for e in EXAMPLES if e.format in [v.name for v in CAPTURES]]),
    some.integers(0, 2**16),
)
def test_any_json_in_a_capture(tmp_path: Path, value: object, example: Example, seed: int) -> None:
    """A value of a message replaced by any other: read, or refused."""
    lines = example.body.splitlines()
    draws = random.Random(seed)
    i = draws.randrange(len(lines))
    stamp, brace, rest = lines[i].partition("{")
    message = json.loads(brace + rest)
    holder, parts = message, []
    stack = [message]
    while stack:
        holder = stack.pop()
        keys = holder if isinstance(holder, dict) else range(len(holder))
        for key in list(keys):
            parts.append((holder, key))
            if isinstance(holder[key], dict | list):
                stack.append(holder[key])
    holder, key = draws.choice(parts)
    holder[key] = value
    lines[i] = stamp + json.dumps(message)
    path = tmp_path / "changed.jsonl"
    path.write_text("\n".join(lines) + "\n")
    try:
        read_recording(path, OPTIONS.get(example.file)).part()
    except st.SurgetankError as error:
        assert error.hint and "\n" not in str(error)
