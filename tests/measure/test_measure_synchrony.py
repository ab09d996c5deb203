"""Who is out of step, and how, where executions, receipts and messages are set by hand."""

from dataclasses import replace
from typing import Any

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as some

from surgetank.measure import FailureKind, failures, measure, synchrony_of
from surgetank.measure.synchrony import crashes, cut_off, trailing
from surgetank.measure.synchrony.information_age import NEVER, news
from surgetank.testing import executed, make_trace, unfinished
from surgetank.trace import LiveStats, MessageClass, Trace

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


# Four nodes. The first to execute heights 1, 2 and 3 do so at 0.8, 1.9 and 2.9 s.
LATE: Times = {0: [1.0, 2.0, 3.0], 1: [0.9, 2.0, 3.0], 2: [0.8, 1.9, 2.9], 3: [3.5, 4.0, 4.1]}


def test_lag_by_hand() -> None:
    rows = chain(LATE).lag().filter(node=3)
    assert rows["first_ns"].to_list() == [800 * MS, 1900 * MS, 2900 * MS]
    found = measure(chain(LATE), lag_max_ms=2000)
    assert found["lag_max_ms"].value == 2700
    # Height 1 from 2.8 to 3.5 s, height 2 from 3.9 to 4.0 s.
    assert found["desynchronised_node_seconds"].value == pytest.approx(0.8)
    assert found["desynchronised_share_max"].value == 0.25
    assert found["fault_budget_left"].value == pytest.approx(1 / 3 - 1 / 4)
    # One of four is half of a third, and more.
    assert found["half_budget_s"].value == pytest.approx(0.8)
    assert found["systemic_desync_s"].value == 0


def test_episodes_by_hand() -> None:
    """Each begin and end; none if no node trails for that long."""
    trace = chain(LATE, scenario={"limits": {"lag_max_ms": 2000}})
    assert synchrony_of(trace).episodes() == [(2800 * MS, 3500 * MS), (3900 * MS, 4000 * MS)]
    calm = chain(LATE, scenario={"limits": {"lag_max_ms": 5000}})
    assert synchrony_of(calm).episodes() == []


def test_one_live_node_cannot_be_out_of_step() -> None:
    """There is no other node to fall behind; a simulated node may be down."""
    alone = chain({0: [1.0, 2.0]})
    live = replace(alone, stats=replace(alone.stats, live=LiveStats()))
    assert "desynchronised_share_max" in measure(alone)
    assert "desynchronised_share_max" not in measure(live)
    assert "standstill_s" in measure(live)


def test_all_but_one_may_trail() -> None:
    found = measure(chain({0: [1.0], 1: [9.0], 2: [9.0]}))
    assert found["lag_max_ms"].value == 8000
    assert found["desynchronised_share_max"].value == pytest.approx(2 / 3)
    assert found["systemic_desync_s"].value == 7
    assert [f.kind for f in failures(chain({0: [1.0], 1: [9.0], 2: [9.0]}))] == [
        FailureKind.TRAILING
    ]


def test_neighbouring_heights_make_one_span() -> None:
    assert trailing(chain(LATE), 1000 * MS).rows() == [(3, 1800 * MS, 4100 * MS)]


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


def test_no_one_trails_at_a_standstill_but_all_are_out_of_step() -> None:
    times: Times = {k: [1.0, 1.5, 2.0, 9.0] for k in range(3)}
    waiting = [executed(1, 3 * S, 6 * S, height=4), unfinished(2, 2 * S, 2), unfinished(3, S, 3)]
    trace = chain(times, tables={"messages": waiting})
    found = measure(trace, lag_max_ms=1000)
    assert found["lag_max_ms"].value == 0
    # From when the first message waits (3 s; refused and lost ones do not), 0.5 s as usual + 1 s.
    assert found["standstill_s"].value == pytest.approx(9 - 4.5)
    assert found["desynchronised_share_max"].value == 1
    assert synchrony_of(trace).standstills == [(4500 * MS, 9 * S)]
    assert FailureKind.STANDSTILL in [f.kind for f in failures(trace)]


def test_nothing_stands_still_while_nothing_waits() -> None:
    times: Times = {k: [1.0, 1.5, 2.0, 9.0] for k in range(3)}
    trace = chain(times, tables={"messages": [executed(1, 8500 * MS, 500 * MS, height=4)]})
    assert synchrony_of(trace).standstills == []


def test_a_chain_that_never_begins_stands_still() -> None:
    trace = make_trace({"messages": [unfinished(1, 2 * S)]}, nodes=4)
    found = measure(trace)
    assert found["standstill_s"].value == pytest.approx(17)
    assert found["systemic_desync_s"].value == pytest.approx(17)


def test_a_missing_proposer_is_expected() -> None:
    """A round's timeout is part of the interval where proposers take turns."""
    times: Times = {k: [1.0, 1.5, 2.0, 4.4] for k in range(3)}
    tables = {"messages": [executed(1, 2 * S, 2 * S, height=4)], "blocks": [{"height": 1}]}
    turns = {"layer": {"consensus": {"kind": "tendermint", "timeout_propose_ms": 1000.0}}}
    one = {"layer": {"consensus": {"kind": "single"}}}
    assert synchrony_of(chain(times, tables=tables, scenario=one)).standstills == [
        (3500 * MS, 4400 * MS)
    ]
    assert synchrony_of(chain(times, tables=tables, scenario=turns)).standstills == []


def test_down_nodes_use_up_the_budget() -> None:
    fault = {"kind": "crash", "nodes": "0,1", "at_ns": 5 * S, "until_ns": 7 * S}
    steady: Times = {k: [1.0] for k in range(4)}
    trace = chain(steady, tables={"faults": [fault]})
    found = measure(trace)
    assert found["desynchronised_node_seconds"].value == pytest.approx(4)
    assert found["systemic_desync_s"].value == pytest.approx(2)
    steps = synchrony_of(trace).steps.select("time_ns", "down", "nodes", "share")
    assert steps.rows() == [
        (0, 0, 0, 0.0), (5 * S, 2, 2, 0.5), (7 * S, 0, 0, 0.0), (20 * S, 0, 0, 0.0)
    ]  # fmt: skip
    assert [f.to_dict() for f in failures(trace)] == [
        {"kind": "down", "first_ns": 5 * S, "total_s": 2.0}
    ]


def test_a_crash_overlapping_a_lag_counts_once() -> None:
    fault = {"kind": "crash", "nodes": "3", "at_ns": 3 * S, "until_ns": 6 * S}
    found = measure(chain(LATE, tables={"faults": [fault]}))
    assert found["desynchronised_node_seconds"].value == pytest.approx(6 - 1.8)


def test_a_third_is_used_up_and_a_sixth_is_half() -> None:
    def down(nodes: int) -> Any:
        fault = {"kind": "crash", "nodes": "0", "at_ns": 5 * S, "until_ns": 7 * S}
        return measure(chain({k: [1.0] for k in range(nodes)}, tables={"faults": [fault]}))

    # Three of three votes are needed where more than two thirds are; four can spare one.
    assert down(3)["systemic_desync_s"].value == 2
    assert (down(4)["systemic_desync_s"].value, down(4)["half_budget_s"].value) == (0, 2)
    assert (down(6)["half_budget_s"].value, down(7)["half_budget_s"].value) == (2, 0)


def test_sides_without_a_quorum_are_cut_off() -> None:
    def apart(nodes: int, groups: str, **more: Any) -> list[int]:
        fault = {"kind": "partition", "nodes": groups, "at_ns": 5 * S, "until_ns": 9 * S}
        trace = chain({k: [1.0] for k in range(nodes)}, tables={"faults": [fault]}, **more)
        spans = cut_off(trace, S)
        assert set(spans.select("from_ns", "until_ns").rows()) <= {(6 * S, 9 * S)}
        return sorted(spans["node"])

    assert apart(7, "0,1") == [0, 1]
    assert apart(7, "0,1,2") == list(range(7))
    assert apart(6, "0,1|2,3|4,5") == list(range(6))
    assert apart(4, "-1,3") == [3]  # with the clients of a live run
    single = {"layer": {"consensus": {"kind": "single", "node": 1}}}
    assert apart(7, "0,1", scenario=single) == [2, 3, 4, 5, 6]


def test_who_hears_no_quorum_is_cut_off_where_messages_only_spread() -> None:
    # Four nodes, a message a second at each; from 5 s on node 3 hears no one but itself.
    messages, receipts = [], []
    for at in range(10):
        for gateway in range(4):
            number = 4 * at + gateway
            messages.append(executed(number, at * S, 0, gateway=gateway))
            for node in range(4):
                if at < 5 or (node == 3) == (gateway == 3):
                    receipts.append({"message": number, "node": node, "time_ns": at * S + MS})
    trace = make_trace({"messages": messages, "receipts": receipts}, nodes=4)
    # The others do not hear node 3, a quarter of the weight; that is no third.
    assert cut_off(trace, S).rows() == [(3, 6 * S, 20 * S)]
    found = measure(trace)
    # From 5 s to the end 3 + 3 of 16 pairs lack their message, of 4 · 10 messages in view.
    longest = found["view_lag_max_ms"].value
    assert longest == pytest.approx(15_000)


def test_a_stale_state_lacks_what_was_created() -> None:
    # Ten messages a second, executed after 0.1 s, from 4 s on 2 s later for each second: at a time
    # t the state holds what was created up to 4 s + (t − 4 s) / 3.
    late = [max(0, i * 100 * MS - 4 * S) for i in range(100)]
    rows = [executed(i, i * 100 * MS, 100 * MS + 2 * late[i]) for i in range(100)]
    trace = make_trace({"messages": rows}, nodes=1)
    found = measure(trace)
    assert found["state_age_p50_ms.order"].value == pytest.approx(1000 * 2 / 3, abs=150)
    assert found["state_age_p99_ms.order"].value == pytest.approx(6000 * 2 / 3, abs=200)
    # Older than 3 s from 8.5 s to the end of the flow.
    assert found["stale_s"].value == pytest.approx(1.5, abs=0.3)
    assert [f.kind for f in failures(trace)] == [FailureKind.STALE]


def test_a_class_that_is_seldom_sent_is_not_stale() -> None:
    rows = [executed(i, i * 100 * MS, 100 * MS) for i in range(100)]
    rows.append(unfinished(100, S, 2, **{"class": MessageClass.LIQUIDATION_ORDER}))
    assert measure(make_trace({"messages": rows}, nodes=1))["stale_s"].value == 0


def test_oracle_prices_are_judged_however_seldom_they_come() -> None:
    """Once a second; from 4 s on none gets through, while orders do."""
    rows = [executed(i, i * 100 * MS, 100 * MS) for i in range(100)]
    starved = [
        executed(100 + i, i * S, 100 * MS, **{"class": MessageClass.PRICE_UPDATE})
        if i < 4
        else unfinished(100 + i, i * S, **{"class": MessageClass.PRICE_UPDATE})
        for i in range(10)
    ]
    trace = make_trace({"messages": [*rows, *starved]}, nodes=1)
    assert measure(trace)["stale_s"].value == pytest.approx(3, abs=0.2)
    assert [f.kind for f in failures(trace)] == [FailureKind.STALE]


def test_a_standstill_before_the_window_does_not_shorten_one_in_it() -> None:
    times: Times = {k: [1.0, 1.5, 2.0, 6.0, 6.5, 7.0, 9.0] for k in range(3)}
    waiting = [executed(1, 2 * S, 4 * S, height=4), executed(2, 7 * S, 2 * S, height=7)]
    trace = chain(times, tables={"messages": waiting}, measured_from_ns=7 * S)
    spans = synchrony_of(trace).standstills
    assert [a < 7 * S for a, _ in spans] == [True, False]
    inside = (spans[1][1] - spans[1][0]) / S
    assert measure(trace)["standstill_s"].value == pytest.approx(inside)


TIMES = some.lists(
    some.tuples(some.integers(0, 50), some.one_of(some.integers(0, 30), some.none())), max_size=12
)


@given(TIMES, some.integers(0, 20))
def test_news_agrees_with_its_definition(pieces: list[tuple[int, int | None]], bound: int) -> None:
    """Against the definition, looked at in the middle of every unit of time."""
    up = np.array([2 * a for a, _ in pieces], dtype=np.int64)
    had = [NEVER if wait is None else 2 * (a + wait) for a, wait in pieces]
    found = news(up, np.array(had, dtype=np.int64))
    end = 120
    ages = []
    for t in range(1, end, 2):
        newest = max((u for u, h in zip(up, had, strict=True) if h <= t), default=-1)
        lacked = [u for u in up if newest < u <= t]
        ages.append(t - int(min(lacked)) if lacked else 0)
    begins, ends = found.spans(2 * bound, end)
    held = [any(a <= t < b for a, b in zip(begins, ends, strict=True)) for t in range(1, end, 2)]
    assert held == [age > 2 * bound for age in ages]
    assert found.longest_ns(0, end) == max((age + 1 for age in ages if age), default=0)
    below = found.quantile_ns(0.9, 0, end)
    assert abs(below - float(np.quantile(ages, 0.9, method="inverted_cdf"))) <= 2


def test_crashes_from_gauges() -> None:
    ups = [(0, 1), (1, 0), (2, 0), (3, 1), (4, 0)]
    rows = [{"node": 2, "time_ns": t * S, "up": up} for t, up in ups]
    rows += [{"node": 1, "time_ns": t * S, "up": 1} for t, _ in ups]
    trace = make_trace({"gauges": rows})
    assert crashes(trace).rows() == [(2, 1 * S, 3 * S), (2, 4 * S, 20 * S)]


def test_blocks() -> None:
    rows = [
        {"height": h, "round": r, "decided_ns": t * MS}
        for h, r, t in ((1, 0, 100), (2, 1, 400), (3, 0, 500), (4, 0, 600))
    ]
    found = measure(make_trace({"blocks": rows}, measured_from_ns=200 * MS))
    assert found["block_interval_p50_ms"].value == 100
    assert found["rounds_mean"].value == pytest.approx(4 / 3)
