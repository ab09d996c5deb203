"""Lag and desynchronisation of nodes whose executions are set by hand."""

from typing import Any

import pytest

from surgetank.measure import measure
from surgetank.measure.synchrony import (
    crashes,
    desynchronised,
    desynchronised_spans,
    lag_series,
)
from surgetank.testing import make_trace
from surgetank.trace import Trace

MS = 1_000_000
S = 1000 * MS
Times = dict[int, list[float | None]]


def chain(times_s: Times, **more: Any) -> Trace:
    """Node → when it executed heights 1, 2, … (s)."""
    rows = [
        {"node": k, "height": h, "executed_ns": None if t is None else round(t * S)}
        for k, times in times_s.items()
        for h, t in enumerate(times, start=1)
    ]
    tables = {"executions": rows, **more.pop("tables", {})}
    return make_trace(tables, nodes=len(times_s), **more)


# Four nodes; the quorum is three. Node 3 executes heights 1 and 2 late: quorum at 1 s and 2 s.
LATE: Times = {0: [1.0, 2.0, 3.0], 1: [0.9, 2.0, 3.0], 2: [0.8, 1.9, 2.9], 3: [3.5, 4.0, 4.1]}


def test_lag_by_hand() -> None:
    rows = chain(LATE).lag().filter(node=3)
    assert rows["quorum_ns"].to_list() == [1 * S, 2 * S, 3 * S]
    assert rows["lag_ns"].to_list() == [2500 * MS, 2 * S, 1100 * MS]
    found = measure(chain(LATE), lag_max_ms=2000)
    assert found["lag_max_ms"].value == 2500
    # Trails height 1 by more than 2 s from 3.0 to 3.5 s; height 2 by exactly 2 s when it has it.
    assert found["desynchronised_node_seconds"].value == pytest.approx(0.5)
    assert found["desynchronised_share_max"].value == 0.25
    assert found["systemic_desync_s"].value == 0


def test_quorum_is_more_than_two_thirds() -> None:
    # Of three nodes all three are needed: 2 is not more than 2/3 of 3.
    trace = chain({0: [1.0], 1: [1.0], 2: [9.0]})
    assert trace.lag()["quorum_ns"].unique().to_list() == [9 * S]
    assert measure(trace)["lag_max_ms"].value == 0


def test_neighbouring_heights_make_one_span() -> None:
    spans = desynchronised_spans(chain(LATE), 1000 * MS)
    assert spans.rows() == [(3, 2 * S, round(4.1 * S))]


def test_a_node_that_never_comes_back_lags_to_the_end() -> None:
    times: Times = {k: [1.0, 2.0] for k in range(4)}
    times[3] = [1.0, None]
    found = measure(chain(times), lag_max_ms=500)
    assert found["lag_max_ms"].value == 18_000
    assert found["desynchronised_node_seconds"].value == pytest.approx(17.5)


def test_missing_rows_are_heights_never_executed() -> None:
    times: Times = {k: [1.0, 2.0] for k in range(4)}
    times[3] = [1.0]
    assert measure(chain(times), lag_max_ms=500)["lag_max_ms"].value == 18_000


def test_a_skipped_height_is_done_with_the_next() -> None:
    times: Times = {k: [1.0, 2.0, 3.0] for k in range(4)}
    times[3] = [1.0, None, 3.2]
    assert chain(times).lag().filter(node=3)["executed_ns"].to_list()[1] == round(3.2 * S)


def test_a_standstill_is_not_a_lag() -> None:
    times: Times = {k: [1.0, None] for k in range(3)}
    found = measure(chain(times), lag_max_ms=1)
    assert found["lag_max_ms"].value == 0
    assert found["desynchronised_share_max"].value == 0


def test_crashed_nodes_are_desynchronised_and_more_than_a_third_is_systemic() -> None:
    fault = {"kind": "crash", "nodes": "0,1", "at_ns": 5 * S, "until_ns": 7 * S}
    steady: Times = {k: [1.0] for k in range(4)}
    trace = chain(steady, tables={"faults": [fault]})
    found = measure(trace)
    assert found["desynchronised_node_seconds"].value == pytest.approx(4)
    assert found["systemic_desync_s"].value == pytest.approx(2)
    assert desynchronised(trace, S).rows() == [
        (0, 0, 0.0), (5 * S, 2, 0.5), (7 * S, 0, 0.0), (20 * S, 0, 0.0)
    ]  # fmt: skip


def test_a_crash_overlapping_a_lag_counts_once() -> None:
    fault = {"kind": "crash", "nodes": "3", "at_ns": 3 * S, "until_ns": 6 * S}
    trace = chain(LATE, tables={"faults": [fault]})
    assert desynchronised_spans(trace, 1000 * MS).rows() == [(3, 2 * S, 6 * S)]


def test_crashes_from_gauges() -> None:
    ups = [(0, 1), (1, 0), (2, 0), (3, 1), (4, 0)]
    rows = [{"node": 2, "time_ns": t * S, "up": up} for t, up in ups]
    rows += [{"node": 1, "time_ns": t * S, "up": 1} for t, _ in ups]
    trace = make_trace({"gauges": rows})
    assert crashes(trace).rows() == [(2, 1 * S, 3 * S), (2, 4 * S, 20 * S)]


def test_exactly_a_third_is_not_systemic() -> None:
    fault = {"kind": "crash", "nodes": "0", "at_ns": 5 * S, "until_ns": 7 * S}
    steady: Times = {k: [1.0] for k in range(3)}
    assert measure(chain(steady, tables={"faults": [fault]}))["systemic_desync_s"].value == 0


def test_series_agrees_with_the_definition() -> None:
    rows = lag_series(chain(LATE), 500 * MS).filter(node=3)
    by_time = dict(zip(rows["time_ns"], rows["lag_ns"], strict=True))
    assert by_time[1 * S] == 0
    assert by_time[3 * S] == 2 * S
    assert by_time[round(3.5 * S)] == round(1.5 * S)
    assert by_time[5 * S] == 0


def test_blocks() -> None:
    rows = [
        {"height": h, "round": r, "decided_ns": t * MS}
        for h, r, t in ((1, 0, 100), (2, 1, 400), (3, 0, 500), (4, 0, 600))
    ]
    found = measure(make_trace({"blocks": rows}, measured_from_ns=200 * MS))
    assert found["block_interval_p50_ms"].value == 100
    assert found["rounds_mean"].value == pytest.approx(4 / 3)
