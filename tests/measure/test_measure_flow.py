"""Throughput and propagation by hand."""

import math

import numpy as np
import pytest
from scipy import stats

from stations import station
from surgetank.measure import Measure, measure
from surgetank.measure.propagation import spread
from surgetank.measure.throughput import throughput
from surgetank.scenario import Scenario
from surgetank.simulate import simulate
from surgetank.testing import executed, make_trace, unfinished

MS = 1_000_000
S = 1000 * MS


def test_goodput_counts_inside_the_window_only() -> None:
    # Ten sent in 10 s; five executed inside, five only afterwards.
    rows = [executed(i, i * S, 100 * MS if i < 5 else 10 * S) for i in range(10)]
    found = measure(make_trace({"messages": rows}))
    assert found["offered_per_s"].value == 1
    assert found["throughput_per_s"].value == 0.5
    assert found["goodput_ratio"].value == 0.5


def test_goodput_is_never_more_than_was_offered() -> None:
    """A backlog of the warm-up, worked off in the window, makes up for nothing else."""
    rows = [executed(i, 0, (3 + i) * S) for i in range(5)]
    rows += [executed(5 + i, (2 + i) * S, 100 * MS) for i in range(4)]
    found = measure(make_trace({"messages": rows}, measured_from_ns=2 * S))["goodput_ratio"]
    assert found.value == 1 and found.high == 1


@pytest.mark.parametrize(("calm", "busy"), [(100.0, 1_300.0), (600.0, 2_000.0)])
def test_goodput_of_bursts_holds_the_known_one(calm: float, busy: float) -> None:
    """Bursts of a quarter of a second into a server of 1,000/s, mean load 70 and 130 %: goodput is
    1 and 1/1.3. The interval holds it in 95 of 100 seeds, and is narrow enough to mean something;
    over slices of time, bursts that spill into the next one made it three times as wide."""
    truth = min(1.0, 2_000.0 / (calm + busy))
    scenario = station(
        arrivals={"kind": "mmpp", "rates_per_s": [calm, busy], "dwell_s": [0.25, 0.25]},
        duration_s=14.0,
        consensus={"kind": "single", "window_ms": 0.0},
    ).with_values({"warmup_s": 1.0, "drain_s": 0.1})
    seeds, held, widths = 25, 0, []
    for seed in range(seeds):
        rows = run_goodput(scenario, seed)
        assert rows.low is not None and rows.high is not None and rows.high <= 1
        held += rows.low - 1e-9 <= truth <= rows.high + 1e-9
        widths.append(rows.high - rows.low)
    assert held >= stats.binom.ppf(0.001, seeds, 0.95), f"{held} of {seeds}"
    assert float(np.mean(widths)) < (0.08 if truth == 1 else 0.25)


def run_goodput(scenario: Scenario, seed: int) -> Measure:
    found = {m.name: m for m in throughput(simulate(scenario, seed=seed))}
    return found["goodput_ratio"]


def test_a_backlog_from_the_warm_up_counts_as_done() -> None:
    rows = [executed(0, 0, 3 * S), executed(1, 5 * S, 1 * S)]
    found = measure(make_trace({"messages": rows}, measured_from_ns=2 * S))
    assert (found["offered_per_s"].n, found["throughput_per_s"].n) == (1, 2)


def test_shares() -> None:
    rows = [unfinished(0, 0, 2), unfinished(1, 0, 3), unfinished(2, 0), executed(3, 0, 1)]
    found = measure(make_trace({"messages": rows}))
    assert (found["refused_share"].value, found["lost_share"].value) == (0.25, 0.25)


def test_spread_by_hand() -> None:
    # Ten nodes, the gateway is node 0; node k hears after 10·k ms. Half of the nodes is five:
    # the gateway and nodes 1 to 4.
    sent = [executed(0, 0, 6 * MS), executed(1, 0, 6 * MS)]
    heard = [{"message": 0, "node": k, "time_ns": (2 + 10 * k) * MS} for k in range(10)]
    heard += [{"message": 1, "node": k, "time_ns": (2 + 10 * k) * MS} for k in range(1, 6)]
    trace = make_trace({"messages": sent, "receipts": heard}, nodes=10)
    rows = spread(trace)
    assert rows["propagation_p50_ns"].to_list() == [40 * MS, 40 * MS]
    assert rows["propagation_full_ns"].to_list() == [90 * MS, None]
    found = measure(trace)
    assert found["propagation_p50_ms"].value == pytest.approx(40)
    assert found["delivered_share"].value == 0.5
    assert found["propagation_full_ms"].value == pytest.approx(90)
    assert found["propagation_full_ms"].high == math.inf


def test_a_single_node_has_it_at_once() -> None:
    sent, heard = [executed(0, 0, 6)], [{"message": 0, "node": 0, "time_ns": 2}]
    trace = make_trace({"messages": sent, "receipts": heard}, nodes=1)
    assert measure(trace)["propagation_full_ms"].value == 0


def test_duplicates_per_first_arrival() -> None:
    trace = make_trace(stats={"duplicates": 30, "first_arrivals": 10})
    assert measure(trace)["duplicates_per_message"].value == 3


def test_json_and_frame() -> None:
    found = measure(make_trace({"messages": [unfinished(0, 0, 2)]}))
    assert found.to_dict()["delay_p99_ms"]["value"] == "inf"
    assert found.frame().height == len(found)


def test_a_stopped_run_is_measured_until_it_was_stopped() -> None:
    rows = [executed(i, i * S, 100 * MS) for i in range(5)]
    stopped = make_trace({"messages": rows}, end_ns=5 * S, complete=False)
    assert stopped.flow_end_ns == 5 * S
    assert measure(stopped)["offered_per_s"].value == 1
