"""The generator, against the target whose truth is known."""

from __future__ import annotations

import dataclasses
import os
import re
import signal
import tempfile
from collections.abc import Callable, Iterator
from dataclasses import replace
from pathlib import Path

import numpy as np
import polars as pl
import psutil
import pytest
from hdrh.histogram import HdrHistogram
from hdrh.log import HistogramLogReader

import surgetank as st
from surgetank.errors import SurgetankError
from surgetank.live import LiveOptions, Played, Rig, Schedule, Snapshot, trace_of
from surgetank.live.driver.recording import Recording, Sent, State
from surgetank.live.export.histogram import write_log
from surgetank.measure import measure
from surgetank.report import render
from surgetank.trace import MessageClass, Outcome, OutcomeReason
from surgetank.verdict import EXIT_CODES, Status, judge
from surgetank.verdict.junit import junit_xml
from surgetank.verdict.validity import checks

pytestmark = pytest.mark.live

SERVICE_MS = 2.0


@pytest.fixture(scope="module")
def rig() -> Iterator[Rig]:
    with Rig("memory:?service_us=2000", LiveOptions(lateness_p99_ms=5_000)) as found:
        yield found


def poisson(rate_per_s: float, seconds: float, seed: int = 1) -> Schedule:
    gaps = np.random.default_rng(seed).exponential(1e9 / rate_per_s, int(rate_per_s * seconds))
    return Schedule.plain(np.cumsum(gaps).astype(np.int64))


def small(name: str = "calm", **values: object) -> st.Scenario:
    return st.load(name).with_values(
        {"duration_s": 2.0, "warmup_s": 0.5, "drain_s": 2.0, "faults": []} | values
    )


def states(played: Played) -> dict[State, int]:
    counts = np.bincount(played.sending.state, minlength=len(State))
    return {state: int(counts[state]) for state in State if counts[state]}


@pytest.fixture(scope="module")
def calm(rig: Rig) -> st.Trace:
    return rig.run(small(), seed=7)


def test_the_flow_is_the_simulated_one(calm: st.Trace) -> None:
    """Same seed: same messages, due at the same nanosecond, of the same class, account and size."""
    simulated = st.simulate(small(), seed=7)
    columns = ["message", "class", "account", "size_bytes", "source", "created_ns"]
    expected = simulated["messages"].filter(pl.col("created_ns") < simulated.flow_end_ns)
    expected = expected.sort("created_ns", "message").select(columns)
    assert calm["messages"].select(columns).equals(expected)
    assert calm.run.seed == 7 and calm.run.scenario_hash == simulated.run.scenario_hash


def test_everything_is_delivered_once_in_order_and_acknowledged(calm: st.Trace) -> None:
    rows = calm["messages"]
    assert (rows["outcome"] == Outcome.EXECUTED).all()
    assert rows["confirmed_ns"].null_count() == 0
    assert (rows["gateway_ns"] >= rows["created_ns"]).all()
    values = measure(calm)
    for name in ("duplicates_share", "reordered_share", "acknowledged_lost_count"):
        assert values[name].value == 0
    assert len(calm["deliveries"]) == len(rows)
    # Half of them in time, however busy the machine is.
    assert calm.live.lateness_p50_ns < 200e6
    assert all(check.ok for check in checks(calm)), [c.text for c in checks(calm) if not c.ok]


def test_a_live_trace_is_kept_and_judged_like_any_other(calm: st.Trace, tmp_path: Path) -> None:
    again = st.Trace.load(calm.save(tmp_path / "run"))
    assert again.trace_hash == calm.trace_hash
    limits = {"delay_p99_ms_max": 60_000.0, "goodput_ratio_min": 0.1, "bad_debt_usd_max": 0.0}
    verdict = judge(measure(calm), limits, calm)
    by_name = {reason.name: reason for reason in verdict.reasons}
    assert by_name["delay_p99_ms_max"].status is Status.PASS
    assert "bad_debt_usd_max" not in by_name
    _limits_that_cannot_be_measured(calm, limits)


def _limits_that_cannot_be_measured(calm: st.Trace, limits: dict[str, float]) -> None:
    """Left out and named; with `limits.unmeasured` they count; alone they are no PASS; one that is
    misspelt, or broken, is not hidden by it."""
    verdict = judge(measure(calm), limits, calm)
    assert verdict.status is Status.PASS and verdict.exit_code == 0
    assert [r.name for r in verdict.left_out] == ["bad_debt_usd_max"]
    assert "no data" in verdict.left_out[0].text
    assert verdict.to_dict()["left_out"][0]["name"] == "bad_debt_usd_max"
    assert 'skipped="1"' in junit_xml(verdict, calm.run)
    page = render(calm, measure(calm), verdict)
    assert "Not judged" in page
    assert "Bad debt: a live target" not in page, "the row's head names the limit"
    scenario = calm.scenario.with_values({"limits.unmeasured": "unknown"})
    strict = dataclasses.replace(calm, scenario=scenario)
    assert judge(measure(calm), limits, strict).status is Status.UNKNOWN
    alone = judge(measure(calm), {"bad_debt_usd_max": 0.0}, calm)
    assert alone.status is Status.UNKNOWN and alone.exit_code == 4
    assert judge(measure(calm), limits | {"delay_p99_ms_max": 1e-9}, calm).status is Status.FAIL
    own = judge(measure(calm), st.load("calm").limits.as_mapping(), calm)
    assert {r.name for r in own.left_out} == {
        "bad_debt_usd_max",
        "desynchronised_share_max",
        "late_liquidations_max",
    }
    # What is left can be judged; whether it holds is for the machine of the day to say.
    assert own.status is not Status.UNKNOWN
    assert all(r.status is not Status.UNKNOWN for r in own.reasons)
    misspelt = judge(measure(calm), limits | {"bad_dept_usd_max": 0.0}, calm)
    assert misspelt.status is Status.UNKNOWN and len(misspelt.left_out) == 1


def test_delays_are_those_of_the_queue(rig: Rig) -> None:
    """Every message's delay is its wait and service by Lindley's recursion on the times at which it
    was sent, and what the operating system adds: never less, and at the median little more."""
    played = rig.play(poisson(250, 4))
    sent = played.sending.sent_ns / 1e6
    done = np.zeros(len(sent))
    free = 0.0
    for i, at in enumerate(sent):
        free = done[i] = max(at, free) + SERVICE_MS
    extra = played.first_ns() / 1e6 - done
    assert extra.min() > -0.1
    # Small against the service, unless the machine is very busy.
    assert np.quantile(extra, 0.2) < 5 * SERVICE_MS
    waits = done - sent
    assert waits.max() > 2 * SERVICE_MS


def test_overload_does_not_slow_the_schedule(rig: Rig) -> None:
    """At twice what the server can do, messages leave when they are due and the delays grow."""
    played = rig.play(replace(poisson(1_000, 1.5), drain_ns=6_000_000_000))
    assert states(played) == {State.ACKNOWLEDGED: 1_500}
    late = (played.sending.sent_ns - played.schedule.due_ns) / 1e6
    delays = (played.first_ns() - played.schedule.due_ns) / 1e6
    # A closed loop would have sent the last one when the server was ready for it, 1.5 s late.
    assert np.median(late) < 300
    assert delays[-50:].mean() > 1_000
    assert delays.max() == pytest.approx(1_500 * SERVICE_MS - 1_500, rel=0.3)


def test_who_does_not_wait_long_enough_loses_messages() -> None:
    """What is not delivered by the end is lost, with the reason, and a censored observation."""
    with Rig("memory:?service_us=20000", LiveOptions(lateness_p99_ms=200)) as rig:
        schedule = replace(Schedule.of(small(drain_s=0.1), 7), drain_ns=100_000_000)
        trace = trace_of(rig.play(schedule), small(drain_s=0.1), 7)
    lost = trace["messages"].filter(pl.col("outcome") == Outcome.LOST)
    assert 0 < len(lost) < len(trace["messages"])
    assert set(lost["reason"]) == {OutcomeReason.ACKNOWLEDGED_AND_LOST}
    values = measure(trace)
    assert values["delay_p99_ms"].value == float("inf")
    assert (values["lost_share"].value or 0) > 0.1


def test_refusals_are_reported_with_their_reason() -> None:
    with Rig("memory:?service_us=20000&capacity=5", LiveOptions(lateness_p99_ms=200)) as rig:
        scenario = small()
        trace = rig.run(scenario, seed=7)
    refused = trace["messages"].filter(pl.col("outcome") == Outcome.REFUSED)
    assert len(refused) > 100
    assert set(refused["reason"]) == {OutcomeReason.TARGET_REFUSED}
    assert trace.live.refusals == {"queue full": len(refused)}
    by_class = measure(trace)
    assert by_class["refused_count"].value == sum(
        by_class[f"refused_count.{name}"].value or 0 for name in trace.live.classes
    )


class At:
    """A watch that does things to the server at times of the run."""

    def __init__(self, *acts: tuple[float, Callable[[], object]]) -> None:
        self.acts = list(acts)
        self.seen: list[Snapshot] = []

    def __call__(self, seen: Snapshot) -> bool:
        self.seen.append(seen)
        while self.acts and seen.seconds >= self.acts[0][0]:
            self.acts.pop(0)[1]()
        return True


def test_in_flight_is_bounded_without_waiting() -> None:
    """The server stands still for a second: what does not fit is not sent, and is not sent later
    either; the schedule goes on."""
    with Rig("memory:", LiveOptions(inflight_max=50, lateness_p99_ms=500)) as rig:
        assert rig.server is not None
        pid = rig.server.pids[0]
        watch = At(
            (0.5, lambda: os.kill(pid, signal.SIGSTOP)),
            (1.75, lambda: os.kill(pid, signal.SIGCONT)),
        )
        played = rig.play(poisson(200, 3), watch=watch)
    counts = states(played)
    assert counts[State.NOT_SENT] > 50 and counts[State.ACKNOWLEDGED] > 200, counts
    sent = played.sending.sent_ns >= 0
    late = (played.sending.sent_ns - played.schedule.due_ns)[sent]
    assert np.quantile(late, 0.9) < 500e6
    assert max(s.lost for s in watch.seen) == counts[State.NOT_SENT]
    trace = trace_of(played, small(), 1)
    assert measure(trace)["not_sent_count"].value == counts[State.NOT_SENT]


def test_a_server_that_dies_is_reported_and_ends_nothing() -> None:
    with Rig("memory:?service_us=2000", LiveOptions(lateness_p99_ms=500)) as rig:
        assert rig.server is not None
        played = rig.play(poisson(200, 2), watch=At((0.7, rig.server.kill)))
    assert played.complete
    counts = states(played)
    assert counts[State.DISCONNECTED] > 50 and counts[State.ACKNOWLEDGED] > 50, counts
    rows = trace_of(played, small(), 1)["messages"]
    lost = rows.filter(pl.col("outcome") == Outcome.LOST)["reason"].unique().to_list()
    assert OutcomeReason.DISCONNECTED in lost
    # A delivery is a delivery, whatever was answered.
    delivered = played.first_ns() >= 0
    assert (rows["outcome"].to_numpy()[delivered] == Outcome.EXECUTED).all()


def test_a_receiver_that_dies_is_not_the_targets_loss(rig: Rig) -> None:
    """What it would have received is unknown, not lost: there is no verdict on the target."""
    killed: list[int] = []

    def watch(seen: Snapshot) -> bool:
        if seen.delivered and not killed:
            for child in psutil.Process().children():
                if child.cmdline()[-1].endswith("subscriber.json"):
                    killed.append(child.pid)
                    child.kill()
        return True

    with pytest.raises(SurgetankError, match="the subscriber process ended") as caught:
        rig.run(small(), seed=7, watch=watch)
    assert killed and caught.value.exit_code == EXIT_CODES[Status.INVALID]


def test_a_generator_that_is_late_makes_the_run_invalid(calm: st.Trace) -> None:
    live = replace(calm.live, lateness_p99_max_ns=1.0)
    late = replace(calm, stats=replace(calm.stats, live=live))
    verdict = judge(measure(late), {"delay_p99_ms_max": 60_000.0}, late)
    assert verdict.status is Status.INVALID
    assert "behind its schedule" in verdict.failed[0].text
    busy = replace(calm.live, cpu_share={"publisher-0": 0.99})
    worn = replace(calm, stats=replace(calm.stats, live=busy))
    assert judge(measure(worn), {}, worn).status is Status.INVALID


def test_two_workers_share_the_accounts(rig: Rig) -> None:
    two = Rig("memory:", LiveOptions(workers=2, lateness_p99_ms=500))
    with two as pair:
        trace = pair.run(small(), seed=7)
    assert (trace["messages"]["outcome"] == Outcome.EXECUTED).all()
    assert set(trace.live.cpu_share) == {"publisher-0", "publisher-1", "subscriber"}
    assert measure(trace)["reordered_share"].value == 0


def test_stopping_keeps_what_was_measured(rig: Rig) -> None:
    played = rig.play(poisson(200, 5), watch=lambda seen: seen.seconds < 1)
    assert not played.complete
    trace = trace_of(played, small(), 1)
    assert not trace.complete and (trace["messages"]["outcome"] == Outcome.EXECUTED).sum() > 100
    assert (trace["messages"]["outcome"] == Outcome.LOST).sum() == 0
    status = judge(measure(trace), {"goodput_ratio_min": 0.1}, trace)
    assert "complete" in {r.name for r in status.failed}


def test_what_is_open_at_the_end_was_not_cut_off(tmp_path: Path) -> None:
    """Closing the connections is our own doing."""
    recording = Recording.create(tmp_path, poisson(100, 0.2))
    sink, numbers = Sent(recording, run=1), np.arange(4)
    sink.sent(numbers, 1)
    sink.disconnected(numbers[:1], 2)
    sink.acknowledged(numbers[1:2], 2)
    sink.ended = True
    sink.disconnected(numbers, 3)
    assert [State(s) for s in recording.copied().state[:4]] == [
        State.DISCONNECTED,
        State.ACKNOWLEDGED,
        State.SENT,
        State.SENT,
    ]


def test_the_hdr_log_has_every_class(calm: st.Trace, tmp_path: Path) -> None:
    path = tmp_path / "delays.hlog"
    write_log(calm, path)
    reader = HistogramLogReader(str(path), HdrHistogram(1, 3_600_000_000, 3))
    found = {}
    while (made := reader.get_next_interval_histogram()) is not None:
        found[made.get_tag()] = made
    reader.close()
    assert set(found) == set(calm.live.classes)
    rows = calm.delays().filter(pl.col("class") == MessageClass.ORDER)
    delays_us = rows["delay_ns"].drop_nulls().to_numpy() / 1e3
    assert found["order"].total_count == len(delays_us)
    # Three digits, and whole microseconds.
    assert found["order"].get_max_value() == pytest.approx(delays_us.max(), rel=0.002, abs=2)
    assert found["order"].get_min_value() == pytest.approx(delays_us.min(), rel=0.002, abs=2)


def test_nothing_is_left_behind(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(tempfile, "tempdir", str(tmp_path))
    with Rig("memory:") as rig:
        assert rig.server is not None
        pid = rig.server.pids[0]
        assert os.path.exists(f"/proc/{pid}")
    assert not os.path.exists(f"/proc/{pid}")
    assert list(tmp_path.iterdir()) == []


@pytest.mark.parametrize(
    ("url", "said"),
    [
        ("memroy:", "did you mean memory:?"),
        ("memory://127.0.0.1:1", "no answer"),
        ("memory:?service_us=slow", "is not a number"),
        ("memory:?distribution=odd", "Give one of fixed, exponential"),
        ("nowhere.at_all:Target", "cannot be loaded"),
        ("nats://192.0.2.1:4222", "is not this machine"),
    ],
)
def test_mistakes_are_one_error(url: str, said: str) -> None:
    with pytest.raises(st.SurgetankError, match=re.escape(said)), Rig(url) as rig:
        rig.play(poisson(100, 0.2))


def test_bounds_are_checked_before_anything_is_sent(rig: Rig) -> None:
    for bound in ({"messages_max": 10}, {"seconds_max": 0.5}, {"rate_max_per_s": 50.0}):
        with pytest.raises(st.SurgetankError, match="more than the"):
            poisson(100, 2).bounded(LiveOptions(**bound))
