"""Two runs side by side."""

import io
import re
from dataclasses import replace

import polars as pl
import pytest

from surgetank.compare import ChangeFinding, Comparison, KeyChange, compare
from surgetank.console.comparisons import show_comparison
from surgetank.console.terminal import Terminal
from surgetank.measure import Measure, Measures
from surgetank.testing import executed, make_trace
from surgetank.trace import CHUNK_ROWS, Trace

MS = 1_000_000


def text_of(found: Comparison, width: int = 80) -> str:
    console = Terminal(file=io.StringIO(), width=width)
    show_comparison(console, found)
    assert isinstance(console.file, io.StringIO)
    return console.file.getvalue().replace("\u00a0", " ")


def test_equal_runs() -> None:
    rows = [executed(i, i, 10 * MS) for i in range(50)]
    found = compare(make_trace({"messages": rows}), make_trace({"messages": rows}))
    assert found.same_name and found.same_trace
    assert found.divergence is None
    assert all(d.change in (0, None) for d in found.differences)


def test_measures_side_by_side() -> None:
    slow, fast = (
        make_trace({"messages": [executed(i, i, (d + i % 7) * MS) for i in range(500)]}, seed=d)
        for d in (50, 10)
    )
    found = compare(fast, slow)
    assert not found.same_name and not found.same_trace
    assert found.divergence is None
    (p50,) = (d for d in found.differences if d.name == "delay_p50_ms")
    assert (p50.change, p50.relative, p50.finding) == (40, 40 / 13, ChangeFinding.WORSE)
    row = found.frame().filter(name="delay_p50_ms").row(0, named=True)
    assert row == {"name": "delay_p50_ms", **p50.to_dict()} and row["change"] == 40
    assert row["a_low"] <= row["a"] <= row["a_high"] < row["b_low"] <= row["b"] <= row["b_high"]
    assert 0 < row["change_low"] <= 40 <= row["change_high"] and row["finding"] == "worse"


def test_the_table_fits_a_terminal_and_says_which_is_better() -> None:
    """At 80 columns no number is broken; what is the same is left out."""
    slow, fast = (
        make_trace(
            {"messages": [executed(i, i, (d + i % 7) * MS) for i in range(500)]},
            seed=d,
        )
        for d in (123_456, 10)
    )
    found = compare(fast, slow)
    shown = {}
    for whole in (False, True):
        console = Terminal(file=io.StringIO(), width=80)
        show_comparison(console, found, whole=whole)
        assert isinstance(console.file, io.StringIO)
        shown[whole] = console.file.getvalue().replace("\u00a0", " ")
        assert all(len(line) <= 80 for line in shown[whole].splitlines())
    assert re.search(r"Median latency +13 ms +2 min 3 s +× 9,500 +worse", shown[False])
    assert re.search(r"Jitter, standard deviation +\S+ ms +\S+ ms *\n", shown[True])
    assert "Share of messages executed" in shown[True]
    assert "Share of messages executed" not in shown[False]
    assert found.a.run.scenario_hash[:12] in shown[False] and "seed 123456" in shown[False]


def test_the_wide_table_has_intervals_and_directions() -> None:
    """More throughput is better, less latency is better; overlapping intervals decide nothing."""
    changes = {
        "delay_p99_ms": (Measure("delay_p99_ms", 9.0, 8.0, 10.0, 500), (4.5, 4.0, 5.0)),
        "throughput_per_s": (Measure("throughput_per_s", 9.0, 8.0, 10.0, 500), (4.5, 4.0, 5.0)),
        "delay_p50_ms": (Measure("delay_p50_ms", 9.0, 8.0, 10.0, 500), (8.5, 7.0, 9.5)),
        "offered_per_s": (Measure("offered_per_s", 9.0, 8.0, 10.0, 500), (4.5, 4.0, 5.0)),
        "goodput_ratio": (Measure("goodput_ratio", 0.9, 0.8, 0.95, 500), (0.5, 0.4, 0.6)),
    }
    b = [Measure(name, *new, n=500) for name, (_, new) in changes.items()]
    both = Measures([old for old, _ in changes.values()]), Measures(b)
    console = Terminal(file=io.StringIO(), width=160)
    show_comparison(console, compare(make_trace(), make_trace(seed=2), measures=both))
    assert isinstance(console.file, io.StringIO)
    shown = console.file.getvalue().replace("\u00a0", " ")
    for line in (
        r"p99 latency +9 ms +8 ms – 10 ms +4.5 ms +4 ms – 5 ms +−50 % +better",
        r"Throughput +9 /s +8 /s – 10 /s +4.5 /s +4 /s – 5 /s +−50 % +worse",
        r"Median latency .* undecided",
        r"Goodput .* −40 points +worse",
        r"Offered load .* −50 % +changed",
    ):
        assert re.search(line, shown), (line, shown)


@pytest.mark.parametrize("width", [80, 120, 160])
def test_without_intervals_nothing_is_judged(width: int) -> None:
    both = Measures([Measure("delay_p99_ms", 9.0)]), Measures([Measure("delay_p99_ms", 4.5)])
    shown = text_of(compare(make_trace(), make_trace(seed=2), measures=both), width)
    assert re.search(r"p99 latency +9 ms +4.5 ms +−50 % *\n", shown), shown


def test_a_wide_row_is_not_cut_at_80_columns() -> None:
    a = Measures([Measure("backlog_growth", -0.00481, -0.1, 0.1, 9)])
    b = Measures([Measure("backlog_growth", -0.00148, -0.1, 0.1, 9)])
    shown = text_of(compare(make_trace(), make_trace(seed=2), measures=(a, b)))
    assert re.search(r"−0.00481 s/s +−0.00148 s/s +\+0.00333 s/s +undecided", shown), shown


def with_values(**values: object) -> Trace:
    trace = make_trace()
    changed = trace.scenario.with_values({k.replace("__", "."): v for k, v in values.items()})
    return replace(trace, scenario=changed)


def test_what_was_changed_between_the_scenarios_is_said() -> None:
    """Dotted keys, the first eight; not the seed, which stands above."""
    one = with_values(network__nodes=4, seed=1)
    other = with_values(network__nodes=9, seed=2, layer__queue__rule="priority")
    found = compare(one, other)
    assert {c.key: (c.a, c.b) for c in found.changes} == {
        "network.nodes": (4, 9),
        "layer.queue.rule": ("fifo", "priority"),
        "layer.queue.discipline": ("fifo", "priority"),
    }
    shown = text_of(found)
    assert "network.nodes: 4 → 9\n" in shown and "layer.queue.rule: fifo → priority\n" in shown
    many = replace(found, changes=tuple(KeyChange(f"k{i}", i, None) for i in range(11)))
    assert "k7: 7 → –\n   and 3 more keys" in text_of(many) and "k8" not in text_of(many)
    assert compare(one, one).changes == ()


def test_a_measure_of_one_run_only() -> None:
    a, b = Measures([Measure("delay_p99_ms", 1.0, 0, 2)]), Measures([Measure("stale_s", 1.0)])
    found = compare(make_trace(), make_trace(), measures=(a, b))
    assert [(d.name, d.change, d.finding) for d in found.differences] == [
        ("delay_p99_ms", None, ChangeFinding.UNKNOWN),
        ("stale_s", None, ChangeFinding.UNKNOWN),
    ]


def receipts(table: pl.DataFrame) -> Trace:
    trace = make_trace()
    return Trace.from_tables({"receipts": table}, run=trace.run, stats=trace.stats)


def test_first_differing_cell() -> None:
    n = CHUNK_ROWS + 100
    table = pl.DataFrame({"message": range(n), "node": 0, "time_ns": 1})
    at = CHUNK_ROWS + 7
    other = table.with_columns(time_ns=pl.when(pl.col("message") >= at).then(2).otherwise(1))
    found = compare(receipts(table), receipts(other)).divergence
    assert found is not None
    assert (found.table, found.first_row, found.last_row) == ("receipts", CHUNK_ROWS, n - 1)
    assert (found.row, found.column) == (at, "time_ns")
    assert "1 against 2" in found.text


def test_the_earliest_row_wins_over_the_first_column() -> None:
    table = pl.DataFrame({"message": range(10), "node": 0, "time_ns": 1})
    row = pl.col("message")
    other = table.with_columns(
        node=pl.when(row >= 5).then(1).otherwise(0), time_ns=pl.when(row >= 3).then(2).otherwise(1)
    )
    found = compare(receipts(table), receipts(other)).divergence
    assert found is not None
    assert (found.row, found.column) == (3, "time_ns")


def test_equal_tables_and_other_stats_are_no_identical_traces() -> None:
    one = make_trace()
    other = Trace.from_tables({}, run=one.run, stats=replace(one.stats, makers_broke=3))
    found = compare(one, other)
    assert found.same_name and not found.same_trace
    assert found.divergence is not None and "makers_broke" in found.divergence.text


def test_one_run_ends_first() -> None:
    table = pl.DataFrame({"message": range(10), "node": 0, "time_ns": 1})
    for a, b in ((table, table.head(6)), (table.head(6), table)):
        found = compare(receipts(a), receipts(b)).divergence
        assert found is not None
        assert (found.row, found.column) == (6, None)
