"""What a trace accepts and what it refuses."""

import polars as pl
import pytest

from surgetank.errors import SurgetankError
from surgetank.testing import executed, make_trace
from surgetank.trace import SCHEMA, STAGES, Run, Stats, Trace

STATS = Stats(measured_from_ns=0, flow_end_ns=10, end_ns=20, nodes=1)
RUN = Run("x", 1, "h", "b")


def receipts(**columns: object) -> pl.DataFrame:
    return pl.DataFrame({"message": [0], "node": [0], "time_ns": [5], **columns})


def test_stages_are_neighbours() -> None:
    spans = list(STAGES.values())
    assert [end for _, end in spans[:-1]] == [begin for begin, _ in spans[1:]]
    assert (spans[0][0], spans[-1][1]) == ("created_ns", "executed_ns")


def test_tables_left_out_are_empty_with_the_right_types() -> None:
    trace = Trace.from_tables({}, run=RUN, stats=STATS)
    assert set(trace.tables) == set(SCHEMA)
    assert trace["market"].schema["price"] == pl.Int64


def test_other_integers_are_converted_and_columns_put_in_order() -> None:
    given = receipts().select("time_ns", "node", "message")
    table = Trace.from_tables({"receipts": given}, run=RUN, stats=STATS)["receipts"]
    assert table.schema == {"message": pl.UInt32, "node": pl.UInt32, "time_ns": pl.UInt64}


@pytest.mark.parametrize(
    ("given", "reported"),
    [
        (receipts().drop("node"), "lacks node"),
        (receipts(extra=[1]), "unknown extra"),
        (receipts(time_ns=[1.5]), "column 'time_ns': is Float64, must be UInt64"),
        (receipts(time_ns=[-1]), "outside UInt64"),
        (receipts(node=pl.Series([None], dtype=pl.UInt32)), "null in row 0"),
    ],
)
def test_a_wrong_column_is_named(given: pl.DataFrame, reported: str) -> None:
    with pytest.raises(SurgetankError, match="receipts") as caught:
        Trace.from_tables({"receipts": given}, run=RUN, stats=STATS)
    assert reported in str(caught.value)


def test_an_unknown_table_and_a_missing_number_are_named() -> None:
    with pytest.raises(SurgetankError, match="recipts"):
        Trace.from_tables({"recipts": receipts()}, run=RUN, stats=STATS)
    with pytest.raises(SurgetankError, match="end_ns is missing"):
        Stats.parse({"measured_from_ns": 0, "flow_end_ns": 10, "nodes": 1})
    with pytest.raises(SurgetankError, match=r"accounts\.bakers"):
        Stats.parse(STATS.to_dict() | {"accounts": {"bakers": (0, 1)}})


def test_arrow_tables_are_accepted() -> None:
    class Capsule:
        def __arrow_c_stream__(self, requested: object = None) -> object:
            return receipts().__arrow_c_stream__(requested)

    trace = Trace.from_tables({"receipts": Capsule()}, run=RUN, stats=STATS)
    assert trace["receipts"].height == 1


def test_delays_keep_the_window_and_its_order() -> None:
    rows = [executed(i, at, 600) for i, at in enumerate((50, 10, 100, 101, 9))]
    trace = make_trace({"messages": rows}, measured_from_ns=10, flow_end_ns=100)
    assert trace.delays()["message"].to_list() == [1, 0, 2]
    assert trace.delays()["queueing_ns"].to_list() == [100, 100, 100]
