"""Bottlenecks and remedies of searches with known answers: queues of theory, run for real."""

from __future__ import annotations

import dataclasses
import io
from typing import Any

import pytest
from rich.console import Console

import hand_made
import surgetank as st
from answers import MU, capacity_of_queue, queue
from stations import times
from surgetank.console.searches import PHASES, SearchWatch, headline, show_answer
from surgetank.measure.saturation import RESOURCES, Saturation
from surgetank.report.search import render_search, wording
from surgetank.search import Answer, Progress, Remedy, search
from surgetank.search.bottleneck import ranking
from surgetank.search.probe import Task, probe
from surgetank.search.remedies import BLOCK_PACE, QUEUE_ORDER, candidates

#: Ends of a range: unloaded, and far beyond what a server carries.
UNLOADED, FAR = 20.0, 4_000.0


def watched(load: float, **values: Any) -> st.Scenario:
    """`queue` with the gauges that say how full everything is."""
    changed = {key.replace("__", "."): value for key, value in values.items()}
    return queue(load, duration_s=5.0).with_values({"trace.gauge_ms": 100.0} | changed)


def by_text(answer: Answer, text: str) -> Remedy:
    return next(r for r in answer.remedies if r.text == text)


def test_where_validation_is_the_bottleneck() -> None:
    """M/M/1: the one station is named, and the gain of a quicker server is that of the formula:
    p99 = ln(100)/(μ − λ) stays within its limit up to λ = μ − ln(100)/limit."""
    seen: list[Progress] = []
    answer = search(
        watched(300.0),
        range=(UNLOADED, FAR),
        precision=0.08,
        workers=1,
        watch=seen.append,
    )
    assert answer.status == "FOUND"
    assert (answer.most_used, answer.bottleneck) == ("validation", ("validation",))
    found = by_text(answer, "validation times × 0.8")
    assert answer.remedy == found and found.helps
    before = capacity_of_queue(1_000, UNLOADED)
    gain = (before + 0.25 * MU) / before - 1
    assert found.gain_low is not None and found.gain_high is not None
    assert found.gain_low - 0.05 < gain < found.gain_high + 0.05
    assert all(r.gain is not None for r in answer.remedies if r.restores), "each is measured"
    assert not any(r.helps for r in answer.remedies if r.resources != ("validation",))
    _phases_are_reported(seen)


def _phases_are_reported(seen: list[Progress]) -> None:
    """In order, each by its name, with what follows; never done before it is done."""
    order = list(dict.fromkeys(p.phase for p in seen))
    assert order == ["unloaded", "climb", "refine", "remedies", "gain"]
    assert all(p.then == "remedies" for p in seen if p.phase in ("unloaded", "climb", "refine"))
    assert all(p.runs_left and p.runs_left > 0 for p in seen if p.phase in ("refine", "remedies"))
    assert all(p.what for p in seen if p.phase in ("remedies", "gain"))
    watch = SearchWatch(Console(file=io.StringIO()), hidden=True)
    for p in seen:
        line = watch.line(p)
        assert line.startswith(PHASES[p.phase]) and p.what in line and " 0 s" not in line


def test_a_use_that_no_run_measured_is_not_zero() -> None:
    """Where all runs fail there is no unloaded level."""
    broken = [probe(Task(watched(300.0), 300.0, 1))]
    assert broken[0].saturated
    assert all(used.before is None for used in ranking(broken, []))
    answer = dataclasses.replace(
        hand_made.found(), used=tuple(ranking(broken, [])), most_used="validation"
    )
    page = render_search(answer)
    assert "used (" in page and "unloaded 0" not in page
    printed = io.StringIO()
    show_answer(Console(file=printed), answer)
    assert "unloaded 0%" not in printed.getvalue()


@pytest.mark.parametrize(("falling", "side"), [(True, "below"), (False, "above")])
def test_the_headline_of_a_limit_names_the_side_that_fails(falling: bool, side: str) -> None:
    answer = dataclasses.replace(
        hand_made.found(),
        find="delay_p99_ms_max",
        key="network.uplink_mbps",
        unit="Mbit/s",
        falling=falling,
    )
    reads = headline(answer)
    said = f"{answer.scenario}: delay_p99_ms_max is violated {side} network.uplink_mbps = "
    assert reads.startswith(said) and "Mbit/s (95\u00a0% interval " in reads
    missed = headline(dataclasses.replace(answer, estimate=None))
    assert missed.endswith(
        "the network.uplink_mbps at which delay_p99_ms_max is violated was not found"
    )


def test_where_only_a_pair_helps() -> None:
    """Two stations in a row with equal service times: relieving one leaves the other, so neither
    alone moves the line; both together do."""
    scenario = watched(
        300.0,
        duration_s=2.5,
        **{f"layer__service__execution__{k}": v for k, v in times(1_000.0).items()},
    )
    answer = search(scenario, range=(100.0, FAR), degradation=20.0, precision=0.1, workers=1)
    assert answer.status == "FOUND" and answer.most_used in ("validation", "execution")
    assert set(answer.bottleneck) == {"validation", "execution"}
    best = answer.remedy
    assert best is not None and set(best.resources) == {"validation", "execution"}
    assert best.gain is not None and best.gain == pytest.approx(0.25, abs=0.12)
    single = [r for r in answer.remedies if len(r.resources) == 1]
    assert {"validation", "execution"} <= {r.resources[0] for r in single}
    assert not any(r.helps for r in single)
    assert "only together" in wording.findings(answer)


def test_where_nothing_helps() -> None:
    """Distance is no resource: neither a single change nor a pair moves the line."""
    scenario = queue(100.0, duration_s=2.0).with_values(
        {"trace.gauge_ms": 100.0, "limits.delay_p50_ms_max": 50.0}
    )
    answer = search(
        scenario,
        vary="flow.client_link.fixed_ms",
        range=(1.0, 200.0),
        until="delay_p50_ms_max",
        precision=0.1,
        workers=1,
    )
    assert answer.status == "FOUND" and answer.estimate == pytest.approx(49, rel=0.1)
    assert answer.bottleneck == () and answer.remedy is None
    assert answer.pairs_tried > 0 and len(answer.remedies) > answer.pairs_tried
    assert "None of" in wording.findings(answer) and "pairs" in wording.findings(answer)
    assert not any("client_link" in key for r in answer.remedies for key in r.values)


def test_what_is_full_is_not_called_the_bottleneck() -> None:
    """Its relief restored nothing; another's did. Page and terminal keep the two words apart."""
    full = Remedy(("uplink",), "uplink 100 → 400 Mbit/s", {"network.uplink_mbps": 400}, 3.0, 4, 4)
    lucky = Remedy(("uplink",), "uplink 100 → 125 Mbit/s", {}, 0.25, 0, 4, 0.02, -0.05, 0.1)
    true = Remedy(("validation",), "servers 1 → 2", {}, 1.0, 0, 4, 0.6, 0.4, 0.8)
    answer = hand_made.found(most_used="uplink", remedies=(lucky, full, true))
    assert lucky.restores and not lucky.helps
    assert answer.bottleneck == ("validation",) and answer.remedy == true
    console = Console(file=io.StringIO(), width=200)
    show_answer(console, answer)
    reported = console.file.getvalue()  # type: ignore[attr-defined]
    for text in (reported, render_search(answer)):
        assert "Bottleneck: validation." in text
        assert "Most used was uplink; relieving it did not move the threshold." in text
    assert "restores the limit, gain not significant" in render_search(answer)
    # What is varied, or has no change to try, was not relieved: nothing is said of its relief.
    untried = dataclasses.replace(answer, remedies=(true,))
    assert "Most used was uplink; relieving it alone was not tried." in wording.findings(untried)
    vague = Remedy(("uplink",), "uplink 100 → 125 Mbit/s", {}, 0.25, 0, 4)
    unmeasured = dataclasses.replace(answer, remedies=(vague, true))
    assert "the gain from relieving it could not be measured" in wording.findings(unmeasured)
    nothing = dataclasses.replace(answer, remedies=(lucky, full))
    assert nothing.bottleneck == () and nothing.remedy is None
    assert "so it is not called the bottleneck" in wording.findings(nothing)


def test_a_gain_beyond_what_was_searched_is_a_bound() -> None:
    """No estimate is made up where the changed scenario did not break."""
    far = Remedy(("validation",), "servers 1 → 4", {}, 3.0, 0, 4, None, 14.2, None)
    assert far.helps and wording.gain(far) == "at least +1420 %".replace(" %", "\xa0%")
    worse = Remedy(("mempool",), "mempool × 10", {}, 9.0, 0, 4, None, None, -0.7)
    assert not worse.helps and wording.gain(worse).startswith("at most")


def test_a_change_names_what_it_relieves() -> None:
    """In the ladder of a full mempool, larger blocks relieve block space; who is served first
    relieves nothing."""
    full = [Saturation("mempool", "node 0", 1.0, 1.0, 0.0, "")]
    found = {c.text: c.resource for c in candidates(st.load("calm"), full)}
    assert {found[text] for text in found if text.startswith("block size")} == {"block-space"}
    assert {found[text] for text in found if text.startswith("queues")} == {QUEUE_ORDER}
    # A shorter wait between blocks shortens every delay, whether blocks are full or not.
    assert {found[text] for text in found if text.startswith("timeout_commit")} == {BLOCK_PACE}
    assert not {QUEUE_ORDER, BLOCK_PACE} & set(RESOURCES)
