"""Predictions judged: a right model holds, a wrong one misses, a bound decides nothing."""

from __future__ import annotations

import json
import math
from dataclasses import replace
from pathlib import Path
from types import SimpleNamespace
from typing import Any

import pytest

from predict import bare
from surgetank.calibrate import Calibration
from surgetank.calibrate.fitted_scenario import broker, plain
from surgetank.calibrate.queueing import FittedQueue
from surgetank.live import LiveOptions
from surgetank.predict import CapacityCriterion, Claim, Prediction, Side, compare
from surgetank.predict.allowance import allowance, ends, known
from surgetank.predict.capacity_criterion import capacity_of, knee_of
from surgetank.report.prediction import prediction_svg, render_prediction
from surgetank.search.probe import RunOutcome, Task, probe


def calibration(service_us: float) -> Calibration:
    """A broker of so many µs a message, exponential."""
    queue = FittedQueue(service_us, 1.0, 1.0, 0.3, 1.0)
    scenario = broker(plain("known", 100.0, 2.0), queue)
    sure = {"capacity": (0.9, 1.1), "p99_at_half": (0.8, 1.25)}
    return Calibration("fake:", "1", "broker", (), (), 1e6 / service_us, 0.2, scenario, spread=sure)


#: A model that was never off.
RIGHT = {name: {"a": 0.0, "b": 0.0} for name in ("capacity", "p99 at half load")}


class Truth:
    """A target of 500 µs a message; beyond `limit_per_s` its generator is late."""

    def __init__(self, limit_per_s: float = math.inf) -> None:
        self.scenario = calibration(500.0).scenario
        self.limit_per_s = limit_per_s

    def __call__(self, task: Task) -> RunOutcome:
        """A run, at the load and of the length of the task."""
        asked = task.scenario
        truth = self.scenario.with_values(
            {
                "flow.arrivals": asked.flow.arrivals.model_dump(mode="json"),
                "duration_s": asked.duration_s,
                "warmup_s": asked.warmup_s,
            }
        )
        made = probe(Task(truth, task.level, task.seed + 77))
        late = ("schedule_kept: late",) if task.level > self.limit_per_s else ()
        return replace(made, invalid=late, beyond_generator=bool(late))


def judged(service_us: float, truth: Truth) -> Prediction:
    """The comparison of a calibration with a truth."""
    rig: Any = SimpleNamespace(options=LiveOptions())
    return compare(rig, calibration(service_us), seconds=6.0, work=truth, errors=RIGHT)


@pytest.fixture(scope="module")
def right() -> Prediction:
    """The model is the truth."""
    return judged(500.0, Truth())


def test_a_right_model_holds(right: Prediction) -> None:
    """Capacity and p99 at half load, and every load in between."""
    capacity, p99 = right.claims[0], right.claims[1]
    assert capacity.status == "HIT", capacity
    assert p99.status == "HIT", p99
    assert right.status == "HIT"
    assert capacity.measured_low is not None
    assert capacity.measured is not None
    assert capacity.measured_high is not None
    assert capacity.measured_low <= capacity.measured <= capacity.measured_high
    assert any(right.measured_line.exceeded(r.measured) for r in right.rows if r.measured)


def test_a_wrong_model_misses() -> None:
    """Service times taken for half of what they are."""
    found = judged(250.0, Truth())
    assert found.claims[0].status == "MISS"
    assert found.status == "MISS"


def test_a_generator_that_gives_up_decides_nothing() -> None:
    """Only a bound is known, and the claim says so."""
    found = judged(500.0, Truth(limit_per_s=900.0))
    capacity = found.claims[0]
    assert capacity.status == "UNKNOWN"
    assert "generator" in capacity.why
    assert capacity.measured is not None
    assert capacity.measured <= 900


def test_a_disturbed_calibration_decides_nothing(right: Prediction) -> None:
    """However well the numbers agree."""
    disturbed = replace(right.calibration, invalid="the generator was late")
    found = replace(right, calibration=disturbed, notes=disturbed.remarks)
    assert found.status == "INVALID"
    page = render_prediction(found)
    assert "INVALID" in page
    assert ">hit<" not in page and ">met<" not in page
    assert ">hit<" in render_prediction(right) and ">met<" in render_prediction(right)


def test_a_prediction_below_a_bound_is_a_miss() -> None:
    """What was carried cannot be beyond the capacity."""
    bound = Claim("capacity", "1/s", 50.0, 45.0, 55.0, 100.0, 100.0, None, 0.25, "no load failed")
    assert bound.status == "MISS"
    above = replace(bound, predicted=300.0, predicted_low=290.0, predicted_high=310.0)
    assert above.status == "UNKNOWN"


def test_a_prediction_above_a_bound_is_a_miss() -> None:
    """Even the lowest load that was tried broke."""
    bound = Claim("capacity", "1/s", 400.0, 390.0, 410.0, None, None, 100.0, 0.25, "breaks at once")
    assert bound.status == "MISS"
    near = replace(bound, predicted=110.0, predicted_low=105.0, predicted_high=115.0)
    assert near.status == "UNKNOWN"


def test_what_is_too_unsure_is_no_claim() -> None:
    """Neither a hit nor a miss, however near or far it came; the interval covers or does not."""
    sure = Claim("capacity", "1/s", 100.0, 80.0, 120.0, 110.0, 100.0, 120.0, 0.25)
    assert (sure.status, sure.covered) == ("HIT", True)
    assert replace(sure, measured=130.0).covered is False
    assert replace(sure, measured=10.0).status == "MISS"
    for low, high in ((70.0, 110.0), (90.0, 140.0), (None, None)):
        wide = replace(sure, predicted_low=low, predicted_high=high)
        assert wide.status == "NO CLAIM"
        assert replace(wide, measured=10.0).status == "NO CLAIM"


def test_whatever_a_claimed_interval_holds_is_a_hit() -> None:
    """The widest that is claimed is all that is no miss: 100/1.25 to 100/0.75."""
    widest = Claim("capacity", "1/s", 100.0, 80.0, 100 / 0.75, 100.0, 100.0, 120.0, 0.25)
    for measured in (80.0, 100.0, 133.3):
        one = replace(widest, measured=measured)
        assert one.claimed and one.covered and one.within and one.status == "HIT"
    assert not replace(widest, predicted_low=79.9).claimed
    assert not replace(widest, predicted_high=133.4).claimed


def test_the_models_error_is_that_on_other_systems() -> None:
    """Root mean square of logarithms; a system is not judged by itself; one other is not enough."""
    errors = {"nats": 0.3, "redis": -0.4, "kafka": 0.0}
    assert allowance(errors, "kafka:?topic=x") == pytest.approx(math.sqrt((0.09 + 0.16) / 2))
    assert allowance(errors, "new:") == pytest.approx(math.sqrt((0.09 + 0.16) / 3))
    assert allowance({"nats": 0.3, "redis": 0.1}, "nats:") is None
    # 90 % by hand: chance of ± ln 1.2 at 95 %, an error of .1.
    half = 1.6449 * math.hypot(math.log(1.2) / 1.95996, 0.1)
    low, high = ends(100.0, (1 / 1.2, 1.2), 0.1)
    assert (low, high) == pytest.approx((100 * math.exp(-half), 100 * math.exp(half)), rel=1e-4)
    assert ends(100.0, None, 0.1) == ends(100.0, (0.9, 1.1), None) == (None, None)
    assert all(len(systems) >= 3 for systems in known().values()), "of what was measured"


def test_a_broker_is_beyond_its_capacity_when_its_backlog_grows() -> None:
    """Not when the operating system makes its p99 a hundred times longer."""
    line = CapacityCriterion("sustained", 0.3, 0.6)
    assert not line.exceeded(Side(3, 0.4, 60.0, 100.0, 1.0, 0.001))
    assert line.exceeded(Side(3, 0.4, 0.6, 100.0, 1.0, 0.05))
    assert line.exceeded(Side(3, 0.4, 0.6, 100.0, 0.98, 0.0))
    assert line.exceeded(Side(3, 251.0, 300.0, 100.0, 1.0, 0.0))
    assert line.exceeded(Side(3, math.nan, 300.0, 100.0, 1.0, 0.0))
    degraded = CapacityCriterion("degraded", 0.3, 0.6)
    assert degraded.exceeded(Side(3, 0.4, 60.0, 100.0, 1.0, 0.0))
    assert not degraded.exceeded(Side(3, 0.4, 1.1, 100.0, 1.0, 0.5))


def test_a_late_sender_tells_unless_it_alone_falls_behind() -> None:
    """What held though it came late held; what fell behind the messages really sent is beyond."""
    line = CapacityCriterion("sustained", 0.3, 0.6)
    held = Side(3, 0.4, 60.0, 100.0, 1.0, 0.01, 0.01, "late", sent_late=True, beyond_generator=True)
    target_behind = replace(held, growth=0.2, growth_sent=0.15)
    sender_behind = replace(held, growth=0.2, growth_sent=0.01)
    assert line.is_evidence(held)
    assert line.is_evidence(target_behind)
    assert not line.is_evidence(sender_behind)
    less_was_sent = replace(target_behind, executed_share=0.8, sent_late=False)
    assert line.is_evidence(less_was_sent) and line.exceeded(less_was_sent)
    assert not line.is_evidence(replace(less_was_sent, growth_sent=0.0))
    assert not line.is_evidence(replace(target_behind, sent_late=False, beyond_generator=False))
    assert not line.is_evidence(replace(held, sent_late=False))
    assert not replace(line, kind="degraded").is_evidence(held)


def test_a_sustained_capacity_is_what_an_overloaded_server_delivers() -> None:
    """And lies between the loads that held and broke."""
    line = CapacityCriterion("sustained", 1.0, 2.0)
    held, broke = Side(3, 1, 2, 900, 1.0, 0.0), Side(3, 90, 99, 1_000.0, 1.0, 0.2)
    assert capacity_of([(900.0, held), (1_200.0, broke)], line) == (1_000.0, 900.0, 1_200.0, "")
    slow = replace(broke, throughput_per_s=500.0)
    assert capacity_of([(900.0, held), (1_200.0, slow)], line)[0] == 900.0


def test_capacity_lies_between_two_loads() -> None:
    """One slow level between two that held is chance; two in a row are the line."""
    line = CapacityCriterion("degraded", 0.5, 1.0)
    sides = [
        (100.0 * i, Side(1, 1.0, p99, 100.0 * i, 1.0)) for i, p99 in enumerate((1, 9, 1.5, 4, 9), 1)
    ]
    estimate, low, high, why = capacity_of(sides, line)
    assert (low, high, why) == (300.0, 400.0, "")
    assert estimate is not None
    assert 300 < estimate < 400
    lost = [(100.0, Side(1, 1, 1, 100, 1.0)), (200.0, Side(1, 1, 1, 150, 0.8))]
    assert capacity_of(lost, line)[0] == pytest.approx(141.4, rel=0.01)
    late = replace(lost[1][1], invalid="late", sent_late=True, beyond_generator=True)
    assert capacity_of([*lost, (250.0, late)], line)[3] == ""
    kept = replace(late, executed_share=1.0)
    assert "reached its limit" in capacity_of([*lost, (250.0, kept)], line)[3]
    unsafe = replace(late, sent_late=False)
    assert "reached its limit" in capacity_of([*lost, (250.0, unsafe)], line)[3]
    assert capacity_of(lost[1:], line)[3] == "it fails at the lowest load"
    assert capacity_of(lost[:1], line)[3] == "no load failed"


def test_the_knee_has_the_most_power() -> None:
    """M/M/1: power is highest at half load."""
    sides = [(x, Side(1, 1 / (1 - x), 1, x, 1.0)) for x in (0.1, 0.3, 0.5, 0.7, 0.9)]
    assert knee_of(sides) == 0.5


def test_the_page_and_the_file_show_hits_and_misses(right: Prediction, tmp_path: Path) -> None:
    """Nothing is left out, and the JSON is JSON."""
    missed = replace(right.claims[0], predicted=9e9, predicted_low=9e9, predicted_high=9e9)
    page = render_prediction(replace(right, claims=(missed, *right.claims[1:])))
    assert "MISSED" in page
    assert ">hit<" in page
    assert ">miss<" in page
    assert prediction_svg(right).startswith("<svg")
    right.write(tmp_path / "prediction.json")
    progress = json.loads((tmp_path / "prediction.json").read_text())
    assert progress["status"] == "HIT"
    assert {c["name"] for c in progress["claims"]} >= {"capacity", "p99 at half load"}
    assert len(progress["rows"]) == len(right.rows)
    (tmp_path / "page.html").write_text(render_prediction(right), encoding="utf-8")


def test_a_method_is_named_by_its_code_and_not_by_its_comments() -> None:
    """What is published is remade when what makes it changes, and only then."""
    said = 'def twice(x):\n    """Doubles."""\n    # A reason.\n    return 2 * x\n'
    assert bare(said) == bare("def twice(x):\n    return 2 * x")
    assert bare(said) != bare(said.replace("2 * x", "3 * x"))
