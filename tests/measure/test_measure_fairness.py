"""Fairness of the order, on traces made by hand."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from surgetank.measure import Measures, measure
from surgetank.measure.fairness.accounts import gini
from surgetank.measure.fairness.execution_order import NEVER, drawn
from surgetank.measure.fairness.pairs import circles, votes
from surgetank.measure.fairness.ranks import RANKED_MAX, inversions
from surgetank.testing import executed, make_trace, unfinished
from surgetank.trace import MessageClass

MS = 1_000_000
Row = dict[str, Any]


def message(number: int, sent_ms: float, height: int, position: int | None, **cells: Any) -> Row:
    """A message that reaches its gateway a millisecond after it was sent."""
    row = executed(number, int(sent_ms * MS), 600 * MS, height=height, position=position)
    return {**row, "gateway_ns": int((sent_ms + 1) * MS), **cells}


def heard(number: int, height: int, position: int) -> Row:
    """A message of which the receipts tell all."""
    return message(number, 3, height, position, gateway_ns=None)


def receipts(seen: Sequence[Sequence[int]], of: int = 0) -> list[Row]:
    """One list of messages per node, in the order in which it saw them, from `of` on."""
    return [
        {"message": number, "node": node, "time_ns": (10 + of + place) * MS}
        for node, order in enumerate(seen)
        for place, number in enumerate(order)
    ]


def found(rows: list[Row], seen: list[Row] | None = None, **more: Any) -> Measures:
    return measure(make_trace({"messages": rows, "receipts": seen or []}, **more))


@given(st.integers(0, 40).flatmap(lambda n: st.permutations(range(n))))
def test_inversions_of_each_element(order: list[int]) -> None:
    n = len(order)
    expected = [sum((order[i] > order[j]) == (i < j) for j in range(n) if i != j) for i in range(n)]
    assert inversions(np.array(order, np.int64)).tolist() == expected


def test_inversions_beyond_sixteen_bits() -> None:
    n = 70_000
    assert inversions(np.arange(n)[::-1].copy()).tolist() == [n - 1] * n


def test_order_of_execution_against_sending() -> None:
    # Sent 0, 1, 2, 3; executed 0, 2 | 1, 3: one of six pairs. The position counts, not the number.
    rows = [message(0, 0, 1, 0), message(2, 2, 1, 1), message(1, 1, 2, 0), message(3, 3, 2, 1)]
    assert found(rows)["inversions_send"].value == pytest.approx(1 / 6)
    reverse = [message(i, i, 1, 3 - i) for i in range(4)]
    assert found(reverse)["inversions_send"].value == 1
    # Sent at the same time: either order will do.
    assert found([message(i, 0, 1, 3 - i) for i in range(4)])["inversions_send"].value == 0


def test_without_a_position_the_time_of_execution_counts() -> None:
    rows = [message(0, 0, 1, None, executed_ns=900 * MS), message(1, 1, 1, None)]
    assert found(rows)["inversions_send"].value == 1


def test_only_executed_messages_of_the_window_count() -> None:
    rows = [message(0, 0, 1, 1), message(1, 1, 1, 0), {**unfinished(2, 0)}, message(3, 99, 1, 9)]
    few = found(rows, flow_end_ns=50 * MS)
    assert (few["inversions_send"].value, few["inversions_send"].n) == (1, 2)
    none = found([{**unfinished(0, 0)}])
    for name in ("inversions_send", "inversions_receive", "rank_error", "delay_gini"):
        assert none[name].value is None and none[name].note


def test_receipt_is_when_half_of_the_nodes_have_it() -> None:
    # Gateways had 0 before 1, but two of three nodes (none of them a gateway) had 1 first.
    rows = [message(0, 0, 1, 0), message(1, 2, 1, 1)]
    seen = found(rows, receipts([[0, 1], [1, 0], [1, 0]]))
    assert seen["inversions_send"].value == 0
    assert seen["inversions_receive"].value == 1
    assert seen["rank_error"].value == 1
    # Without receipts the gateway counts, and that is said.
    unseen = found(rows)["inversions_receive"]
    assert (
        unseen.value == 0 and unseen.note == "receipt is at the gateway: no receipts were recorded"
    )
    # So it does where messages only come by one of the nodes.
    only = found(rows, receipts([[0, 1]]))["inversions_receive"]
    assert only.value == 0 and "do not reach half of the nodes" in only.note


def test_places_between_receipt_and_execution() -> None:
    # Received 0, 1, 2, 3; executed 3, 0, 1, 2: three moved by one place, one by three.
    rows = [message(i, i, 1, (i + 1) % 4) for i in range(4)]
    measures = found(rows)
    assert measures["rank_error"].value == 1.5
    assert measures["inversions_receive"].value == pytest.approx(0.5)


def test_samples_are_bounded_and_said() -> None:
    n = 2 * RANKED_MAX
    rows = [message(i, i / 10, 1, n - 1 - i) for i in range(n)]
    measures = found(rows)
    send, error = measures["inversions_send"], measures["rank_error"]
    assert (send.value, send.n, send.note) == (1, RANKED_MAX, "4,096 of 8,192 messages")
    assert (send.low, send.high) == (1, 1)
    # Reversal moves by half of the length on average, and the sample tells it of the whole.
    assert error.value == pytest.approx(n / 2, rel=0.01)


def test_what_is_drawn_is_the_same_again() -> None:
    assert drawn(5, 9).tolist() == [0, 1, 2, 3, 4]
    some = drawn(1000, 10)
    assert some.tolist() == sorted(set(some.tolist())) and len(some) == 10
    assert some.tolist() == drawn(1000, 10).tolist()


def test_a_block_that_breaks_what_all_nodes_saw() -> None:
    seen = receipts([[0, 1, 2], [0, 1, 2], [0, 2, 1]])
    # All saw 0 before 1 and 0 before 2, and 0 is in the later block; 1 and 2 no one agrees on.
    late = [heard(0, 2, 0), heard(1, 1, 0), heard(2, 1, 1)]
    violated = found(late, seen)["fairness_violations"]
    assert (violated.value, violated.n) == (1, 2)
    # In one block any order will do.
    together = [heard(0, 1, 2), heard(1, 1, 0), heard(2, 1, 1)]
    assert found(together, seen)["fairness_violations"].value == 0


def test_the_scenarios_gamma_counts() -> None:
    seen = receipts([[0, 1], [0, 1], [1, 0]])
    rows = [heard(0, 2, 0), heard(1, 1, 0)]
    assert found(rows, seen)["fairness_violations"].value is None
    queue = {"order": "themis", "fair": {"gamma": 0.66}}
    two_thirds = {"layer": {"queue": queue, "consensus": {"kind": "single"}}}
    violated = found(rows, seen, scenario=two_thirds)["fairness_violations"]
    assert (violated.value, violated.n) == (1, 1)
    assert "66% of the nodes" in violated.note


def test_what_a_node_never_had_comes_after_all_it_had() -> None:
    # Node 2 never had 1, so it saw 0 and 2 before it.
    seen = receipts([[0, 1, 2], [0, 1, 2], [0, 2]])
    rows = [heard(0, 2, 0), heard(1, 1, 0), heard(2, 2, 1)]
    violated = found(rows, seen)["fairness_violations"]
    # 0 before 1 is agreed and broken; 0 before 2 is agreed and kept; 1 and 2 are disputed.
    assert (violated.value, violated.n) == (0.5, 2)


def test_a_condorcet_cycle() -> None:
    circle = receipts([[0, 1, 2], [1, 2, 0], [2, 0, 1]])
    agreed = receipts([[3, 4, 5], [3, 4, 5], [3, 5, 4]], of=20)
    pair = receipts([[6, 7], [7, 6], [7, 6]], of=40)
    rows = [message(i, 30 + i, 1 + i // 3, i % 3) for i in range(8)]
    measures = found(rows, circle + agreed + pair)
    # The block of two is left out: it cannot have a circle.
    assert (measures["condorcet_cycle_rate"].value, measures["condorcet_cycle_rate"].n) == (0.5, 2)
    assert (measures["condorcet_share"].value, measures["condorcet_share"].n) == (0.5, 6)


def test_nothing_is_said_without_an_order_of_receipt() -> None:
    rows = [message(i, i, 1, i) for i in range(3)]
    names = ("fairness_violations", "condorcet_cycle_rate", "condorcet_share")
    unseen, only = found(rows), found(rows, receipts([[0, 1, 2]]))
    assert [unseen[n].value for n in names] == [only[n].value for n in names] == [None] * 3
    assert "no receipts" in unseen[names[0]].note
    assert "most nodes do not receive" in only[names[0]].note


def test_votes_and_circles() -> None:
    times = np.array([[1, 5], [2, NEVER], [2, NEVER]], np.int64)
    assert votes(times).tolist() == [[0, 2, 2], [0, 0, 0], [0, 0, 0]]
    ring = np.zeros((4, 4), np.bool_)
    ring[[0, 1, 2, 2], [1, 2, 0, 3]] = True
    line = np.zeros((2, 2), np.bool_)
    line[0, 1] = True
    on = circles([line, ring, line])
    assert [own.tolist() for own in on] == [[False] * 2, [True] * 3 + [False], [False] * 2]


@given(st.lists(st.floats(0.1, 100), min_size=10, max_size=30))
def test_gini_by_definition_and_its_jackknife(values: list[float]) -> None:
    def plain(x: list[float]) -> float:
        return sum(abs(a - b) for a in x for b in x) / (2 * len(x) * sum(x))

    n = len(values)
    interval = gini(np.array(values))
    assert interval.value == pytest.approx(plain(values), abs=1e-9)
    left_out = np.array([plain(values[:i] + values[i + 1 :]) for i in range(n)])
    error = ((n - 1) / n * ((left_out - left_out.mean()) ** 2).sum()) ** 0.5
    assert interval.high is not None
    assert interval.high == pytest.approx(min(1, interval.value + 1.959964 * error), abs=1e-6)


def test_gini_of_extremes() -> None:
    assert gini(np.full(5, 3.0)).value == pytest.approx(0)
    assert gini(np.array([0.0, 0.0, 0.0, 8.0])).value == pytest.approx(0.75)
    assert gini(np.zeros(4)).value == 0


def test_between_accounts() -> None:
    def row(
        number: int, account: int, delay_ms: int, size: int, kind: int = MessageClass.ORDER
    ) -> Row:
        cells = {"account": account, "size_bytes": size, "class": kind, "height": 1}
        return {**executed(number, 0, delay_ms * MS, **cells), "position": number}

    # Mean delays 10 and 30 ms; the price update of account 9 is no one's.
    rows = [row(0, 1, 5, 100), row(1, 1, 15, 100), row(2, 2, 30, 300, MessageClass.CANCEL)]
    rows.append(row(3, 9, 900, 500, MessageClass.PRICE_UPDATE))
    measures = found(rows)
    assert measures["delay_gini"].value == pytest.approx(0.25) and measures["delay_gini"].n == 2
    top = measures["account_share_max"]
    assert top.value == pytest.approx(0.6) and top.note.startswith("account 2, 1.2 times")
    shares = {name: measures.value(name) for name in measures if name.startswith("block_share")}
    assert shares == {
        "block_share.price-update": 0.5,
        "block_share.cancel": 0.3,
        "block_share.order": 0.2,
    }
