"""Verdicts: what passes, fails, is unknown or invalid, and which wins."""

import dataclasses
from typing import Any

import pytest

import surgetank as st
from surgetank.measure import Measure, Measures, measure
from surgetank.scenario.flow import Flow, Hawkes
from surgetank.testing import executed, make_trace, unfinished
from surgetank.trace import LiveStats, Trace
from surgetank.verdict import Status, judge
from surgetank.verdict.validity import dispersion

S = 1_000_000_000
INF = float("inf")


def p99(value: float | None, low: float | None = None, n: int = 1000, **more: Any) -> Measures:
    return Measures([Measure("delay_p99_ms", value, low, value, n, **more)])


def status(measures: Measures, **limits: float | None) -> Status:
    return judge(measures, limits, make_trace()).status


@pytest.mark.parametrize(
    ("measures", "expected"),
    [
        (p99(5.0), Status.PASS),
        (p99(10.0), Status.PASS),
        (p99(10.1), Status.FAIL),
        (p99(INF), Status.FAIL),
        (p99(None), Status.UNKNOWN),
        (p99(5.0, n=298), Status.UNKNOWN),
        (p99(5.0, n=299), Status.PASS),
        (p99(12.0, low=8.0, n=50), Status.UNKNOWN),
        (p99(12.0, low=11.0, n=50), Status.FAIL),
    ],
)
def test_one_limit(measures: Measures, expected: Status) -> None:
    assert status(measures, delay_p99_ms_max=10) is expected


def test_least_allowed() -> None:
    ratio = Measures([Measure("goodput_ratio", 0.97, 0.96, 0.98, 10)])
    assert status(ratio, goodput_ratio_min=0.97) is Status.PASS
    assert status(ratio, goodput_ratio_min=0.99) is Status.FAIL


def test_a_limit_inside_the_interval_is_said_either_way() -> None:
    """A run of 10 s whose goodput is 97 % (80 % to 100 %) is below 99.9 %, and cannot tell."""
    ratio = Measures([Measure("goodput_ratio", 0.97, 0.8, 1.0, 1_500)])
    for limit, inside in ((0.999, True), (1.0, True), (0.9, True), (0.7, False)):
        reason = judge(ratio, {"goodput_ratio_min": limit}, make_trace()).reasons[-1]
        assert reason.inside is inside, limit
        assert ("another seed or a longer run may meet it" in reason.text) is (limit > 0.97)


def test_the_far_end_of_the_interval_does_not_make_it_sure() -> None:
    def few(high: float) -> Measures:
        return Measures([Measure("staleness_p99_ms", 5.0, 1.0, high, 20)])

    assert status(few(20.0), staleness_p99_ms_min=10) is Status.UNKNOWN
    assert status(few(9.0), staleness_p99_ms_min=10) is Status.FAIL


def test_time_to_99_percent_of_the_nodes_is_a_median_over_messages() -> None:
    """Its 99 % is of the nodes: five messages have a median, however many nodes there are."""
    few = Measures([Measure("propagation_p99_ms", 12.0, 10.0, 15.0, 5)])
    assert status(few, propagation_p99_ms_max=20) is Status.PASS
    fewer = Measures([Measure("propagation_full_ms", 12.0, 10.0, 15.0, 4)])
    assert status(fewer, propagation_full_ms_max=20) is Status.UNKNOWN


def test_names_of_limits() -> None:
    found = Measures(
        [
            Measure("delay_p50_ms.cancel", 9.0, n=9),
            Measure("desynchronised_share_max", 0.5, n=9),
            Measure("lag_max_ms", 5.0, n=9),
        ]
    )
    assert status(found, **{"delay_p50_ms_max.cancel": 8}) is Status.FAIL
    assert status(found, desynchronised_share_max=0.4) is Status.FAIL
    assert status(found, lag_max_ms_max=4) is Status.FAIL
    assert status(found, lag_max_ms=4) is Status.UNKNOWN, "a measure, and not a limit on it"
    assert status(found, delay_p50_ms_max=None) is Status.PASS
    verdict = judge(found, {"desynchronized_share_max": 1}, make_trace())
    assert verdict.status is Status.UNKNOWN
    assert verdict.failed[0].title in verdict.failed[0].text


def test_the_reason_tells_both_numbers() -> None:
    (reason,) = judge(p99(12.0, low=11.0), {"delay_p99_ms_max": 10}, make_trace()).failed
    assert "12 ms" in reason.text and "above the limit of 10 ms" in reason.text
    assert (reason.measured, reason.limit, reason.ok) == (12.0, 10.0, False)
    reported = reason.to_dict()
    assert (reported["measure"], reported["unit"], reported["check"]) == (
        "delay_p99_ms",
        "ms",
        None,
    )


def stopped_at(seconds: float, delay_ms: int) -> Trace:
    """Every message takes `delay_ms`; those that were still in transit when it stopped did not."""
    end, delay = int(seconds * S), delay_ms * 1_000_000
    rows = [
        executed(i, at, delay) if at + delay <= end else unfinished(i, at)
        for i, at in enumerate(range(0, end, S // 100))
    ]
    return make_trace(
        {"messages": rows},
        complete=False,
        measured_from_ns=S,
        end_ns=end,
        flow_end_ns=60 * S,
        scenario={"drain_s": 5.0},
    )


@pytest.mark.parametrize("seconds", [3.0, 8.0, 20.0])
def test_a_stopped_run_is_not_failed_by_what_was_in_progress(seconds: float) -> None:
    """Half a second each is what they all take; cut off, the last half second looks lost."""
    limits = {"goodput_ratio_min": 0.99, "executed_share_min": 0.99, "delay_p99_ms_max": 600}
    trace = stopped_at(seconds, 500)
    verdict = judge(measure(trace), limits, trace)
    assert verdict.status is Status.UNKNOWN
    whole = dataclasses.replace(trace, complete=True)
    assert judge(measure(whole), limits, whole).status is Status.FAIL
    (share,) = (r for r in verdict.reasons if r.name == "executed_share_min")
    assert "5 s to finish" in share.text


def test_a_stopped_run_fails_by_what_had_the_time() -> None:
    """A limit that old messages break stays broken."""
    trace = stopped_at(20.0, 900)
    verdict = judge(measure(trace), {"delay_p99_ms_max": 600}, trace)
    assert verdict.status is Status.FAIL
    assert judge(measure(trace), {"delay_p99_ms_max": 1000}, trace).status is Status.UNKNOWN


@pytest.mark.parametrize("seconds", [6.4, 14.3, 20.2])
def test_a_healthy_venue_stopped_midway_is_unknown(seconds: float) -> None:
    """`calm` holds all its limits; wherever it is stopped, it does not FAIL."""
    calm = st.load("calm").with_values({"duration_s": 400.0})
    trace = st.simulate(calm, progress=lambda now_s, *_: now_s < seconds)
    assert not trace.complete
    assert judge(measure(trace), calm.limits.as_mapping(), trace).status is Status.UNKNOWN


@pytest.mark.parametrize("flag", ["money_conserved", "safety"])
def test_a_broken_promise_is_invalid(flag: str) -> None:
    trace = make_trace(stats={flag: False})
    verdict = judge(p99(50.0), {"delay_p99_ms_max": 10}, trace)
    assert (verdict.status, verdict.exit_code) == (Status.INVALID, 3)
    assert judge(p99(5.0), {}, make_trace(stats={flag: True})).status is Status.PASS


def test_stages_that_do_not_sum_are_invalid() -> None:
    trace = make_trace({"messages": [executed(0, 0, 600, proposed_ns=None)]})
    verdict = judge(p99(5.0), {}, trace)
    assert verdict.status is Status.INVALID
    assert verdict.failed[0].name == "stages_exact"


def faulty(complete: bool = True, **cells: Any) -> Trace:
    row = {"kind": "x", "at_ns": 0, "until_ns": 10 * S, "samples": 10_000, "asked": 50.0}
    row |= {"quantity": "added_delay_ms", "allowed_low": 49.0, "allowed_high": 51.0, **cells}
    return make_trace({"faults": [row]}, complete=complete)


@pytest.mark.parametrize(
    ("low", "high", "measured", "valid"),
    [
        (49.0, 51.0, 51.0, True),
        (49.0, 51.0, 51.1, False),
        (49.0, 51.0, 48.9, False),
        (0.0, 0.0, 0.0, True),
        (0.0, 0.0, 1.0, False),
        (49.0, None, 1e9, True),
        (49.0, None, 48.0, False),
        (None, 51.0, -1e9, True),
        (None, 51.0, 52.0, False),
        (None, None, None, True),
    ],
)
def test_faults_measured_against_what_is_allowed(
    low: float | None, high: float | None, measured: float | None, valid: bool
) -> None:
    trace = faulty(allowed_low=low, allowed_high=high, measured=measured)
    assert judge(p99(1.0), {}, trace).status is (Status.PASS if valid else Status.INVALID)


def test_a_fault_that_nothing_met_is_invalid() -> None:
    verdict = judge(p99(1.0), {}, faulty(samples=0))
    assert verdict.status is Status.INVALID
    assert "no traffic passed it" in verdict.failed[0].text
    assert verdict.failed[0].name == "fault 0 x"
    assert verdict.failed[0].title == "Fault had the effect requested: x, faults[0]"
    assert judge(p99(1.0), {}, faulty(complete=False, samples=0)).status is Status.UNKNOWN


def test_a_verdict_without_limits_is_named_so() -> None:
    """A misspelt limit, and one that is not judged, is a limit."""
    assert judge(p99(1.0), {}, faulty(measured=50.0)).without_limits
    assert not judge(p99(1.0), {"delay_p99_ms_max": 2}, make_trace()).without_limits
    assert not judge(p99(1.0), {"delay_p98_ms_max": 2}, make_trace()).without_limits
    live = make_trace()
    live = dataclasses.replace(live, stats=dataclasses.replace(live.stats, live=LiveStats()))
    verdict = judge(p99(1.0), {"bad_debt_usd_max": 0}, live)
    assert verdict.left_out and not verdict.without_limits
    assert verdict.left_out[0].why.startswith("a live target has no data")


def test_a_limit_that_only_a_live_target_measures_is_named_so() -> None:
    text = judge(p99(1.0), {"ack_p99_ms_max": 2}, make_trace()).failed[0].text
    assert "only a live target measures this" in text
    text = judge(p99(1.0), {"bad_debt_usd_max": 2}, make_trace()).failed[0].text
    assert "the scenario lacks the section" in text


SURGE = {"rate_per_s": 1.0, "branching": 0.9, "decay_per_s": 1.0}


@pytest.mark.parametrize(
    ("arrivals", "sent", "valid"),
    [
        ({"kind": "poisson", "rate_per_s": 1.0}, 10_400, True),
        ({"kind": "poisson", "rate_per_s": 1.0}, 10_600, False),
        ({"kind": "hawkes", **SURGE}, 14_000, True),
        ({"kind": "hawkes", **SURGE}, 16_000, False),
        ({"kind": "mmpp", "rates_per_s": [100.0, 1000.0], "dwell_s": [1.0, 1.0]}, 13_000, True),
        ({"kind": "mmpp", "rates_per_s": [100.0, 1000.0], "dwell_s": [1.0, 1.0]}, 30_000, False),
    ],
)
def test_background_against_what_was_asked(
    arrivals: dict[str, Any], sent: int, valid: bool
) -> None:
    trace = make_trace(
        stats={"expected_background": 10_000.0, "background": sent},
        scenario={"flow": {"arrivals": arrivals}},
    )
    assert judge(p99(1.0), {}, trace).status is (Status.PASS if valid else Status.INVALID)


def test_dispersion_of_known_processes() -> None:
    assert dispersion(Flow(), 1.0) == 1
    hawkes = Flow(arrivals=Hawkes(**SURGE))
    assert dispersion(hawkes, 1.0) == pytest.approx(100)


def test_exit_codes_and_json() -> None:
    codes = {}
    for measures in (p99(5.0), p99(50.0), p99(None)):
        verdict = judge(measures, {"delay_p99_ms_max": 10}, make_trace())
        codes[verdict.status] = verdict.exit_code
        assert verdict.to_dict()["exit_code"] == verdict.exit_code
    assert codes == {Status.PASS: 0, Status.FAIL: 1, Status.UNKNOWN: 4}
