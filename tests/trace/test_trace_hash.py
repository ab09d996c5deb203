"""The hash changes with every cell; save and load give the trace back or say what is broken."""

import json
from dataclasses import replace
from pathlib import Path
from typing import Any

import polars as pl
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from surgetank.errors import SurgetankError
from surgetank.testing import executed, make_trace, unfinished
from surgetank.trace import CHUNK_ROWS, SCHEMA, Trace, store


def full_trace() -> Trace:
    return make_trace(
        {
            "messages": [executed(0, 5, 60), unfinished(1, 6)],
            "receipts": [{"message": 0, "node": 1, "time_ns": 9}],
            "blocks": [{"height": 1, "hash": "ab"}, {"height": 2, "hash": "cé"}],
            "executions": [{"height": 1, "executed_ns": 4}, {"height": 2}],
            "gauges": [{"up": 1}],
            "market": [{"price": -5, "ref_ns": 7}],
            "faults": [{"kind": "loss", "asked": 0.1, "measured": 0.11}],
        },
        scenario={"limits": {"delay_p99_ms_max": 5.0}, "title": "naïve", "market": {}},
    )


def with_cell(trace: Trace, table: str, row: int, column: str, value: Any) -> Trace:
    frame = trace[table]
    cells = frame[column].to_list()
    cells[row] = value
    changed = frame.with_columns(pl.Series(column, cells, dtype=frame.schema[column]))
    return Trace.from_tables(
        {**trace.tables, table: changed},
        run=trace.run,
        stats=trace.stats,
        scenario=trace.scenario,
    )


@pytest.mark.parametrize(("table", "column"), [(t, c) for t in SCHEMA for c in SCHEMA[t]])
def test_every_cell_counts(table: str, column: str) -> None:
    trace = full_trace()
    spec = SCHEMA[table][column]
    for row in range(trace[table].height):
        old = trace[table][column][row]
        values: list[Any] = ["z", ""] if spec.dtype == pl.String else [3, 0]
        for value in [*values, *([None] if spec.nullable else [])]:
            if value != old:
                assert with_cell(trace, table, row, column, value).trace_hash != trace.trace_hash


def test_text_cannot_slip_across_cells() -> None:
    one, other = (
        make_trace({"blocks": [{"hash": a}, {"hash": b}]}) for a, b in (("ab", "c"), ("a", "bc"))
    )
    assert one.trace_hash != other.trace_hash


def test_the_name_of_the_run_counts() -> None:
    assert make_trace(seed=1).trace_hash != make_trace(seed=2).trace_hash
    assert make_trace(seed=1).chains == make_trace(seed=2).chains


def test_stats_and_completeness_count() -> None:
    """A run that did not conserve money cannot pass for one that did under the same hash."""
    trace = make_trace(stats={"money_conserved": False})
    for stats, complete in (
        (replace(trace.stats, money_conserved=True), True),
        (trace.stats, False),
    ):
        other = Trace.from_tables(trace.tables, run=trace.run, stats=stats, complete=complete)
        assert other.trace_hash != trace.trace_hash
        assert other.chains == trace.chains


def test_changed_stats_are_found_under_a_new_seal(tmp_path: Path) -> None:
    """The seal has no key: whoever changes a number can seal anew. The trace hash tells."""
    make_trace(stats={"money_conserved": False}).save(tmp_path)
    content = store.read_run(tmp_path)
    content["stats"]["money_conserved"] = True
    store.write_run(tmp_path, content)
    with pytest.raises(SurgetankError, match=r"trace_hash does not match"):
        Trace.load(tmp_path)


def test_one_link_per_chunk_and_a_shared_beginning() -> None:
    rows = pl.DataFrame({"message": range(CHUNK_ROWS + 1), "node": 0, "time_ns": 1})
    trace = make_trace()
    one, other = (
        Trace.from_tables({"receipts": table}, run=trace.run, stats=trace.stats)
        for table in (rows, rows.with_columns(node=pl.col("message") // CHUNK_ROWS))
    )
    assert len(one.chains["receipts"]) == 3
    assert one.chains["receipts"][:2] == other.chains["receipts"][:2]
    assert one.chains["receipts"][2] != other.chains["receipts"][2]


def test_the_hash_is_the_published_one() -> None:
    # Fixed: a change of the hash is a change of the contract between builds.
    assert full_trace().trace_hash == (
        "b79d4f38af644b5acd2fe43a5f1a4d5de3d5cd5d52070eacf2f38d8240399be2"
    )


def test_round_trip(tmp_path: Path) -> None:
    trace = full_trace()
    again = Trace.load(trace.save(tmp_path / "a" / "b"))
    assert again.trace_hash == trace.trace_hash
    assert (again.run, again.complete, again.stats) == (trace.run, True, trace.stats)
    assert again.scenario == trace.scenario
    assert all(again[t].equals(trace[t]) for t in SCHEMA)


@settings(max_examples=20, deadline=None)
@given(
    st.lists(
        st.tuples(
            st.integers(0, 2**32 - 1), st.integers(0, 2**64 - 1), st.none() | st.integers(0, 2**40)
        ),
        max_size=30,
    )
)
def test_round_trip_of_any_rows(
    tmp_path_factory: pytest.TempPathFactory, cells: list[tuple[int, int, int | None]]
) -> None:
    rows = [{"message": m, "created_ns": c, "executed_ns": e} for m, c, e in cells]
    trace = make_trace({"messages": rows})
    again = Trace.load(trace.save(tmp_path_factory.mktemp("run")))
    assert again["messages"].equals(trace["messages"])
    assert again.trace_hash == trace.trace_hash


def remove(path: Path) -> None:
    path.unlink()


def cut(path: Path) -> None:
    path.write_bytes(path.read_bytes()[:-40])


def garble(path: Path) -> None:
    path.write_bytes(b"not this")


@pytest.mark.parametrize("harm", [remove, cut, garble])
@pytest.mark.parametrize("name", ["run.json", "messages.parquet", "faults.parquet"])
def test_a_damaged_file_is_named(tmp_path: Path, name: str, harm: Any) -> None:
    full_trace().save(tmp_path)
    harm(tmp_path / name)
    with pytest.raises(SurgetankError) as caught:
        Trace.load(tmp_path)
    assert caught.value.place == str(tmp_path / name)
    assert caught.value.hint


def test_a_changed_number_is_found(tmp_path: Path) -> None:
    full_trace().save(tmp_path)
    path = tmp_path / "run.json"
    content = json.loads(path.read_text())
    content["stats"]["end_ns"] += 1
    path.write_text(json.dumps(content))
    with pytest.raises(SurgetankError, match=r"run.json: was changed"):
        Trace.load(tmp_path)


def test_a_changed_table_is_found(tmp_path: Path) -> None:
    trace = full_trace()
    trace.save(tmp_path)
    pl.read_parquet(tmp_path / "market.parquet").with_columns(
        price=pl.lit(-6, pl.Int64)
    ).write_parquet(tmp_path / "market.parquet", metadata={"surgetank.run": str(trace.run)})
    with pytest.raises(SurgetankError, match=r"market.parquet: was changed .*rows from 0 on"):
        Trace.load(tmp_path)


def test_a_table_of_another_run_is_found(tmp_path: Path) -> None:
    make_trace(seed=2).save(tmp_path / "other")
    make_trace(seed=1).save(tmp_path / "run")
    (tmp_path / "other" / "gauges.parquet").replace(tmp_path / "run" / "gauges.parquet")
    with pytest.raises(SurgetankError, match=r"gauges.parquet: belongs to another run"):
        Trace.load(tmp_path / "run")


def test_a_scenario_of_another_version_is_refused(tmp_path: Path) -> None:
    full_trace().save(tmp_path)
    content = store.read_run(tmp_path)
    content["scenario"]["layer"]["queue"]["depth"] = 5
    store.write_run(tmp_path, content)
    with pytest.raises(
        SurgetankError, match=r"run.json: .*another version .*queue.depth"
    ) as caught:
        Trace.load(tmp_path)
    assert "again" in caught.value.hint


def test_stats_of_another_version_are_refused(tmp_path: Path) -> None:
    full_trace().save(tmp_path)
    content = store.read_run(tmp_path)
    content["stats"]["rounds"] = 3
    store.write_run(tmp_path, content)
    with pytest.raises(SurgetankError, match=r"run.json: stats: rounds"):
        Trace.load(tmp_path)
