"""Falling out of step in simulated worlds whose answer is known, and the former definition as
positive control: it misses what these tests are about."""

from __future__ import annotations

from html import unescape

import numpy as np
import numpy.typing as npt
import polars as pl
import pytest

import surgetank as st
from surgetank.measure import FailureKind, Measures, failures, measure, synchrony_of
from surgetank.measure.synchrony import trailing
from surgetank.measure.synchrony.information_age import Ints
from surgetank.measure.synchrony.view import MessagesInView
from surgetank.number_format import NBSP
from surgetank.report import render
from surgetank.trace import Trace
from surgetank.verdict import judge
from synchrony_worlds import NODES, SINGLE, crash, cut, slow, venue

SEEDS = (1, 2, 3)
S = 1_000_000_000
FOREVER = 60.0

DOWN, CUT_OFF, TRAILING = FailureKind.DOWN, FailureKind.CUT_OFF, FailureKind.TRAILING
STANDSTILL, STALE = FailureKind.STANDSTILL, FailureKind.STALE


def play(scenario: st.Scenario, seed: int) -> tuple[Trace, Measures]:
    trace = st.simulate(scenario, seed=seed)
    return trace, measure(trace)


def kinds(trace: Trace) -> list[FailureKind]:
    return [failure.kind for failure in failures(trace)]


def worst(trace: Trace, column: str) -> int:
    """Most nodes at once that are out of step in this way."""
    return int(synchrony_of(trace).steps[column].to_numpy().max())


def formerly_systemic_s(trace: Trace, lag_max_ns: int = S) -> float:
    """The definition up to bc07f37: time in which more than a third of the nodes were down or had
    not executed a block for lag_max after more than two thirds had."""
    rows = trace.lag().with_columns(
        quorum_ns=pl.col("executed_ns")
        .sort(nulls_last=True)
        .get(2 * trace.nodes // 3, null_on_oob=True)
        .over("height")
    )
    marks: list[tuple[int, int]] = []
    for (_,), own in rows.drop_nulls("quorum_ns").group_by("node"):
        until = own["executed_ns"].fill_null(trace.end_ns).cast(pl.Int64).to_numpy()
        begin = own["quorum_ns"].cast(pl.Int64).to_numpy() + lag_max_ns
        order = np.argsort(begin)
        reached = 0
        for a, b in zip(begin[order], until[order], strict=True):
            if (a := max(int(a), reached)) < b:
                marks += [(a, 1), (int(b), -1)]
                reached = int(b)
    total, count, last = 0, 0, 0
    for at, step in sorted(marks):
        total += (at - last) * (3 * count > trace.nodes)
        count, last = count + step, at
    return total / 1e9


@pytest.mark.parametrize("seed", SEEDS)
@pytest.mark.parametrize("count", range(NODES + 1))
def test_slow_nodes_use_up_the_budget(count: int, seed: int) -> None:
    # 20 ms a message at 150 messages/s: a slow node falls behind by two seconds in three.
    # Not neighbours in the order of proposers, as far as that is possible.
    which = [0, 3, 5, 1, 6, 2, 4][:count]
    trace, found = play(venue([slow(which)] if which else []), seed)
    if count == 0:
        assert not failures(trace) and found.value("desynchronised_share_max") == 0
        assert found.value("fault_budget_left") == pytest.approx(1 / 3)
    elif count < NODES:
        assert worst(trace, "trailing") == count
        assert set(trailing(trace, S)["node"]) == set(which)
    else:
        # No one is ahead of anybody, and no one's state is of any use.
        assert worst(trace, "trailing") == 0 and STALE in kinds(trace)
    half, used = found.value("half_budget_s"), found.value("systemic_desync_s")
    assert half is not None and used is not None
    assert (half > 0) == (count >= 2)
    if count != 2:  # two slow proposers may meet in one height
        assert (used > 0) == (count >= 3)
    if 3 <= count < NODES:
        assert kinds(trace)[0] is TRAILING


def test_the_former_definition_sees_no_slow_third() -> None:
    """Positive control: more than a third of the nodes cannot be behind what two thirds did."""
    trace, found = play(venue([slow([0, 3, 5, 1])]), 1)
    assert formerly_systemic_s(trace) == 0
    assert (found.value("systemic_desync_s") or 0) > 5
    halted, found = play(venue([cut([0, 3, 5], FOREVER)]), 1)
    assert formerly_systemic_s(halted) == 0
    assert (found.value("systemic_desync_s") or 0) > 5


@pytest.mark.parametrize("seed", SEEDS)
@pytest.mark.parametrize("heals", [True, False])
@pytest.mark.parametrize("side", [[0], [0, 3], [0, 3, 5]])
def test_partitions(side: list[int], heals: bool, seed: int) -> None:
    trace, found = play(venue([cut(side, 5.0 if heals else FOREVER)], drain_s=8.0), seed)
    last = synchrony_of(trace).steps.row(-1, named=True)
    if len(side) < 3:
        assert worst(trace, "cut_off") == len(side)
        assert not set(kinds(trace)) & {DOWN, CUT_OFF, TRAILING}
        assert ((found.value("half_budget_s") or 0) > 0) == (len(side) == 2)
    else:
        # Neither side has more than two thirds: no one executes, and no one is behind anybody.
        assert kinds(trace)[:2] == [CUT_OFF, STANDSTILL] and worst(trace, "trailing") == 0
        assert found.value("desynchronised_share_max") == 1
    assert (last["nodes"] == 0) == heals


def lacking_share(rows: MessagesInView, times: Ints) -> npt.NDArray[np.float64]:
    """At each time, the share of pairs of node and message in view in which the node lacks it (NaN
    if none is in view)."""

    def count(begin: Ints, until: Ints) -> Ints:
        begun = np.searchsorted(np.sort(begin), times, side="right")
        ended: Ints = begun - np.searchsorted(np.sort(until), times, side="right")
        return ended

    nodes = rows.had_ns.shape[1]
    inside = count(rows.known_ns, rows.done_ns)
    begin = np.repeat(rows.known_ns, nodes)
    lacking = count(begin, begin + rows.lacking_ns.ravel())
    found: npt.NDArray[np.float64] = np.divide(
        lacking, nodes * inside, out=np.full(len(times), np.nan), where=inside > 0
    )
    return found


@pytest.mark.parametrize("seed", SEEDS)
def test_a_partition_splits_what_nodes_know(seed: int) -> None:
    """Groups of a and b lack 2ab/n² of what came in evenly while they were apart."""
    trace, found = play(venue([cut([0, 3, 5], FOREVER)], rate=400.0), seed)
    rows = synchrony_of(trace).in_view
    share = lacking_share(rows, np.array([4 * S, 15 * S]))
    assert share[0] < 0.2
    assert share[1] == pytest.approx(2 * 3 * 4 / 49, abs=0.05)
    lag = found.value("view_lag_max_ms")
    assert lag is not None and lag > 10_000


@pytest.mark.parametrize("seed", SEEDS)
def test_crashes(seed: int) -> None:
    trace, found = play(venue([crash([0, 3])]), seed)
    assert worst(trace, "down") == 2 and DOWN not in kinds(trace)
    assert (found.value("half_budget_s") or 0) >= 5
    trace, found = play(venue([crash([0, 3, 5])]), seed)
    assert kinds(trace)[0] is DOWN and STANDSTILL in kinds(trace)
    assert (found.value("systemic_desync_s") or 0) >= 5


@pytest.mark.parametrize("seed", SEEDS)
def test_overload_of_equal_machines_is_in_step_but_stale(seed: int) -> None:
    trace, found = play(venue(rate=2000.0), seed)
    assert kinds(trace) == [STALE]
    assert found.value("desynchronised_share_max") == 0
    # Half of what is sent cannot be executed: the state falls behind by half a second a second.
    age = found.value("state_age_p99_ms.order")
    assert age is not None and age > 5_000
    assert (found.value("stale_s") or 0) > 5
    page = unescape(render(trace, found, judge(found, {}, trace))).replace(NBSP, " ")
    assert "all 7 nodes stayed in step, but the executed state was stale for" in page
    assert "The executed state is stale" in page


@pytest.mark.parametrize("seed", SEEDS)
@pytest.mark.parametrize("share", [0.25, 0.5, 0.8])
def test_a_slow_third_falls_behind_at_the_rate_of_the_closed_form(share: float, seed: int) -> None:
    """A node of capacity μ < λ has executed μt of the λt messages by time t: it trails by
    t·(1 − μ/λ)."""
    scenario = venue(
        [slow([1, 4], factor=5.0 / share)],
        rate=200.0,
        duration_s=22.0,
        drain_s=0.0,
        consensus=SINGLE | {"window_ms": 10.0},
    )
    # Five times 1 ms is 200 messages a second: exactly the load.
    blocks = st.simulate(scenario, seed=seed).lag().filter(pl.col("node") == 4).sort("height")
    had_ns = blocks["executed_ns"].fill_null(2**62).to_numpy()
    first_ns = np.append(blocks["first_ns"].to_numpy(), 2**62)
    times_ns = np.arange(6 * S, 22 * S, S // 10)
    lacked = first_ns[np.searchsorted(had_ns, times_ns, side="right")]
    slope = np.polyfit(times_ns, np.maximum(times_ns - lacked, 0), 1)[0]
    assert slope == pytest.approx(1 - share, abs=0.06)


@pytest.mark.parametrize("seed", SEEDS)
def test_a_sequencer_with_slow_replicas(seed: int) -> None:
    trace, found = play(venue([slow([1, 2, 3])], consensus=SINGLE), seed)
    assert kinds(trace) == [TRAILING] and worst(trace, "trailing") == 3
    assert (found.value("standstill_s"), found.value("stale_s")) == (0, 0)
    # The sequencer's own side goes on, however small it is.
    trace, _ = play(venue([cut([0, 1, 2], FOREVER)], consensus=SINGLE), seed)
    assert worst(trace, "cut_off") == 4 and STANDSTILL not in kinds(trace)


@pytest.mark.parametrize("seed", SEEDS)
def test_two_regions_and_a_cut_cable(seed: int) -> None:
    delay = {
        "kind": "regions",
        "names": ["east", "west"],
        "placement": [0, 0, 0, 0, 1, 1, 1],
        "matrix_ms": [[1.0, 40.0], [40.0, 1.0]],
    }
    trace, found = play(venue([cut([4, 5, 6], 6.0)], delay=delay, drain_s=8.0), seed)
    assert kinds(trace)[:2] == [CUT_OFF, STANDSTILL]
    assert synchrony_of(trace).steps.row(-1, named=True)["nodes"] == 0
    assert (found.value("fault_budget_left") or 0) == pytest.approx(1 / 3 - 1)
