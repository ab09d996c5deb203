"""Searches: known answers, shapes that mislead, workers that die, runs that do not count."""

from __future__ import annotations

import json
import math
import os
import signal
from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from dataclasses import replace
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from scipy import stats

import surgetank as st
from answers import capacity_of_queue, coin, find_with, logistic, outcome, queue
from surgetank.errors import SurgetankError
from surgetank.measure import FailureKind
from surgetank.search import Answer, Progress, search
from surgetank.search.answer_comparison import against
from surgetank.search.bound import Bound, BoundKind
from surgetank.search.find import Question, Search
from surgetank.search.goal import goal
from surgetank.search.parameter import parameter
from surgetank.search.pool import Inline, Pool, RunJournal, processes
from surgetank.search.probe import Crashed, RunOutcome, Task, probe
from surgetank.search.shape import levels, shape


def ask(scenario: st.Scenario, **options: Any) -> Answer:
    """A small search."""
    given: dict[str, Any] = {"try_remedies": False, "workers": 1, "runs_max": 120}
    return search(scenario, **(given | options))


@pytest.mark.parametrize("waiting_max", [1_000, 4])
def test_capacity_of_a_queue(waiting_max: int) -> None:
    """M/M/1/K, where delay alone binds (large K) and where loss helps (small K): within 5 %. How
    often the interval covers is the soak's."""
    truth = capacity_of_queue(waiting_max, unloaded=20.0)
    answer = ask(queue(300.0, waiting_max=waiting_max), range=(20.0, 4_000.0))
    assert answer.status == "FOUND"
    assert answer.estimate == pytest.approx(truth, rel=0.05)
    assert answer.ci_low is not None and answer.ci_high is not None
    assert answer.ci_high / answer.ci_low < 1.3


@pytest.mark.soak
@pytest.mark.parametrize("waiting_max", [1_000, 4])
def test_capacity_covers_as_often_as_it_claims(waiting_max: int) -> None:
    """The interval of the whole search, unloaded value and stopping rule included."""
    searches, covered = 60, 0
    truth = capacity_of_queue(waiting_max, unloaded=20.0)
    for seed in range(searches):
        answer = ask(queue(300.0, waiting_max=waiting_max), range=(20.0, 4_000.0), seed=seed)
        assert answer.ci_low is not None and answer.ci_high is not None
        covered += answer.ci_low <= truth <= answer.ci_high
    print(f"K = {waiting_max + 1}: {covered} of {searches}")
    assert covered >= stats.binom.ppf(0.001, searches, 0.95)


def test_same_seed_same_answer_whatever_the_workers() -> None:
    """Workers and timing move nothing; another seed does."""
    scenario = queue(300.0, duration_s=2.0)
    options: dict[str, Any] = {"range": (20.0, 4_000.0), "precision": 0.3}
    one = ask(scenario, workers=1, **options)
    assert ask(scenario, workers=2, **options) == one
    assert ask(scenario, executor=Inline(), **options) == one
    assert ask(scenario, seed=9, **options).estimate != one.estimate


def test_a_search_that_was_stopped_goes_on(tmp_path: Path) -> None:
    """Finished runs are found again, a line cut off included; the answer is the same."""
    journal = tmp_path / "runs.jsonl"
    scenario = queue(300.0, duration_s=2.0)
    options: dict[str, Any] = {"range": (20.0, 4_000.0), "precision": 0.2, "workers": 1}
    whole = ask(scenario, **options)

    def stop(seen: Progress) -> None:
        if seen.runs >= 20:
            raise KeyboardInterrupt

    with pytest.raises(KeyboardInterrupt):
        ask(scenario, journal=journal, watch=stop, **options)
    kept = journal.read_text().splitlines()
    assert 10 < len(kept) < whole.runs
    journal.write_text("\n".join(kept[:-1]) + "\n" + kept[-1][:50])
    assert ask(scenario, journal=journal, **options) == whole
    again = journal.read_text().splitlines()
    assert again[: len(kept) - 1] == kept[:-1]
    assert ask(scenario, journal=journal, **options) == whole
    assert journal.read_text().splitlines() == again  # nothing was run a third time


def test_a_spoilt_journal_is_named(tmp_path: Path) -> None:
    """A line that is no run is not taken for one."""
    journal = tmp_path / "runs.jsonl"
    journal.write_text("{}\n")
    with pytest.raises(SurgetankError, match=r"runs\.jsonl: line 1 is not a finished run"):
        ask(queue(300.0), journal=journal)


def test_a_journal_that_is_not_text_is_named(tmp_path: Path) -> None:
    """As is one that something else was written over."""
    journal = tmp_path / "runs.jsonl"
    journal.write_bytes(b"\xff\xfe\x00{}\n")
    with pytest.raises(SurgetankError, match=r"runs\.jsonl: line 1 is not a finished run"):
        ask(queue(300.0), journal=journal)


class Panic(BaseException):
    """Like a panic of the core: no Exception, and of a module that no one can import."""

    __module__ = "nowhere"


def _panics(task: Task) -> RunOutcome:
    def simulate(*_: Any, **__: Any) -> None:
        raise Panic("quantity out of bounds")

    with pytest.MonkeyPatch.context() as patch:
        patch.setitem(probe.__globals__, "simulate", simulate)
        return probe(task)


@pytest.mark.parametrize("workers", [1, 2])
def test_the_cause_of_a_failure_crosses_between_processes(workers: int) -> None:
    """What went wrong and in which run, not that it could not be pickled."""
    with pytest.raises(Crashed, match=r"station at level .*seed .*Panic: quantity out of bounds"):
        find_with(_panics, executor=lambda: processes(workers))


def _dies_once(task: Task) -> RunOutcome:
    """The first worker that gets here is killed by the system."""
    flag = Path(os.environ["SURGETANK_TEST_FLAG"])
    if not flag.exists():
        flag.touch()
        os.kill(os.getpid(), signal.SIGKILL)
    return coin(logistic(500.0, 30.0))(task)


def test_a_worker_that_dies_costs_nothing(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """Its pool is made anew and its run again."""
    monkeypatch.setenv("SURGETANK_TEST_FLAG", str(tmp_path / "died"))
    survived = find_with(_dies_once, executor=lambda: processes(2))
    assert (tmp_path / "died").exists()
    calm = find_with(coin(logistic(500.0, 30.0)))
    assert [o.level for o in survived.outcomes] == [o.level for o in calm.outcomes]


def hump(level: float) -> float:
    """Breaks between 400 and 900 and holds again beyond."""
    return 0.97 if 400 < level < 900 else 0.02


def collapsing(task: Task) -> RunOutcome:
    """Carries up to 600/s, and less and less of more."""
    carried = task.level if task.level < 600 else 600 * (600 / task.level)
    noise = np.random.default_rng(task.seed).normal(0, 5)
    how = (FailureKind.STALE,) if task.level > 600 else ()
    return outcome(task, failures=how, values={"throughput_per_s": carried + noise})


def test_a_response_that_falls_again_is_shown() -> None:
    """The first crossing is the line, and the answer says that it is not the only one."""
    state = find_with(coin(hump), own=150.0, precision=0.05)
    found = shape(levels(state.outcomes, state.question.goal, math.nan), "1/s")
    assert state.posterior is not None
    estimate = state.question.level(state.posterior.median)
    assert estimate == pytest.approx(400, rel=0.1)
    assert not found.monotone and "not monotone" in found.text


def test_throughput_that_falls_past_its_peak_is_shown() -> None:
    """Collapse is named with its two ends; a plateau is none."""
    state = find_with(collapsing)
    found = shape(levels(state.outcomes, state.question.goal, math.nan), "1/s")
    assert found.collapse and "collapses" in found.text
    assert found.past_peak_per_s < 0.7 * found.peak_per_s
    plateau = find_with(coin(logistic(500.0, 30.0)))
    flat = shape(levels(plateau.outcomes, plateau.question.goal, math.nan), "1/s")
    assert flat.monotone and not flat.collapse and flat.text == ""


def test_a_run_that_does_not_count_makes_the_search_invalid() -> None:
    """A generator that could not keep up says nothing about the layer."""

    def late(task: Task) -> RunOutcome:
        bad = ("background: 10 sent, 100 expected",) if task.level > 300 else ()
        return outcome(task, invalid=bad)

    state = find_with(late)
    assert state.status == "INVALID" and state.bound is not None
    assert state.bound.kind is BoundKind.INVALID_RUN
    assert "background: 10 sent" in state.bound.why


@pytest.mark.parametrize(
    ("p_broken", "kind"),
    [(lambda _: 0.0, BoundKind.NOT_REACHED), (lambda _: 1.0, BoundKind.BREAKS_ALREADY)],
)
def test_a_line_outside_the_range_is_not_guessed(
    p_broken: Callable[[float], float], kind: BoundKind
) -> None:
    """UNKNOWN, on which side of which level it lies, and how sure that is: with all of eight runs
    alike, the probability of the other outcome is below 1 - 0.05^(1/8) = 0.31."""
    state = find_with(coin(p_broken))
    q = state.question
    level, says = {
        BoundKind.NOT_REACHED: (q.high, ": 0 of 8 runs failed, P(failure) at most 0.31"),
        BoundKind.BREAKS_ALREADY: (q.low, ": 8 of 8 runs failed, P(failure) at least 0.69"),
    }[kind]
    said = f"{says} with 95 % confidence"
    assert (state.status, state.bound) == ("UNKNOWN", Bound(kind, level, said))


def test_too_few_runs_are_not_enough() -> None:
    """The interval is given, and said to be too wide."""
    state = find_with(coin(logistic(500.0, 2.0)), runs_max=30)
    assert state.status == "UNKNOWN" and state.bound is not None
    assert state.bound.kind is BoundKind.RUNS_SPENT and "--runs-max" in state.bound.why


@pytest.mark.parametrize("workers", [1, 3])
@pytest.mark.parametrize(
    "p_broken",
    [logistic(500.0, 3.0), lambda _: 0.0, lambda _: 1.0, lambda x: float(400 < x < 900)],
    ids=["threshold", "never breaks", "always breaks", "falls again"],
)
def test_no_search_makes_more_runs_than_allowed(
    p_broken: Callable[[float], float], workers: int
) -> None:
    """Whichever phase the budget ends in; a search that it ended says so."""
    bounds: dict[int, BoundKind | None] = {}
    for runs_max in [*range(16, 40), 200]:
        made: list[int] = []

        def work(task: Task, made: list[int] = made) -> RunOutcome:
            made.append(task.seed)
            broke = np.random.default_rng(task.seed).random() < p_broken(task.level)
            values = {"delay_p99_ms": 50.0 if broke else 1.0, "executed_share": 1.0}
            return outcome(task, values=values)

        scenario = queue(100.0)
        load = parameter(scenario, "load")
        asked = Question(
            scenario, goal("capacity"), load, 10.0, 1e4, precision=0.3, runs_max=runs_max
        )
        with ThreadPoolExecutor(workers) as threads:
            pool = Pool(lambda threads=threads: threads, RunJournal(), work=work)  # type: ignore[misc]
            state = Search(asked, pool).go()
        assert len(made) <= pool.spent <= runs_max
        bounds[runs_max] = None if state.bound is None else state.bound.kind
    assert bounds[16] is BoundKind.RUNS_SPENT
    assert bounds[200] is not BoundKind.RUNS_SPENT


def test_trouble_at_the_low_end() -> None:
    """A range given from high to low: more bandwidth is better."""
    state = find_with(coin(logistic(0.5, -30.0)), own=5.0, low=50.0, high=0.05)
    assert state.status == "FOUND" and state.posterior is not None
    assert state.question.level(state.posterior.median) == pytest.approx(0.5, rel=0.1)


def test_a_limit_of_the_scenario_along_any_key() -> None:
    """Half of the messages within 1.2 s: how long may a proposer wait?"""
    scenario = st.load("calm").with_values({"duration_s": 8.0, "warmup_s": 2.0})
    answer = ask(
        scenario.with_values({"limits.delay_p50_ms_max": 1_200.0}),
        vary="layer.consensus.timeout_commit_ms",
        range=(50.0, 2_000.0),
        until="delay_p50_ms_max",
        precision=0.1,
    )
    assert answer.status == "FOUND" and answer.unit == "ms" and answer.estimate is not None
    assert 300 < answer.estimate < 1_500


def test_whole_numbers_stay_whole_and_trouble_may_lie_below() -> None:
    """How short may the queue be until 5 % are refused? M/M/1/K at ρ = .9 says K = 11."""
    scenario = queue(900.0, duration_s=10.0).with_values({"limits.refused_share_max": 0.05})
    answer = ask(
        scenario,
        vary="layer.queue.ingress_max",
        range=(60.0, 2.0),
        until="refused_share_max",
        precision=0.2,
    )
    assert all(level.level == round(level.level) for level in answer.levels)
    assert answer.falling and answer.estimate is not None
    assert 8 <= answer.estimate <= 11


@pytest.mark.parametrize(
    ("options", "said"),
    [
        ({"find": "throughput"}, "capacity, failure-threshold, safe-leverage"),
        ({"until": "delay_p99_ms_max"}, "sets no such limit"),
        ({"until": "any", "find": "capacity"}, "only one of the two"),
        ({"vary": "network.nodes"}, "--range"),
        ({"vary": "network.nodez", "range": (1, 2)}, "no such key"),
        ({"vary": "name", "range": (1, 2)}, "not a number"),
        ({"range": (5.0, 5.0)}, "two different finite numbers"),
        ({"range": (-5.0, 5.0)}, "rate_per_s"),
        ({"find": "safe-leverage"}, "needs a market"),
        ({"precision": 0.0}, "precision"),
        ({"degradation": 1.0}, "degradation"),
        ({"find": "safe-leverage", "budget": 0.7}, "budget"),
        ({"runs_max": 3}, "runs_max"),
    ],
)
def test_questions_that_make_no_sense(options: dict[str, Any], said: str) -> None:
    """One clear error before anything is run."""
    with pytest.raises(SurgetankError, match=said.replace("(", r"\(")):
        ask(queue(300.0), **options)


def answer_of(estimate: float, half: float, **cells: Any) -> Answer:
    """A made-up answer with a symmetric interval in ln."""
    given: dict[str, Any] = {
        "find": "capacity",
        "status": "FOUND",
        "estimate": estimate,
        "unit": "1/s",
        "ci_low": estimate * math.exp(-half),
        "ci_high": estimate * math.exp(half),
        "confidence": 0.95,
        "runs": 50,
        "most_used": "validation",
        "key": "load",
        "breaks": "p99",
        "target": 0.5,
        "precision": 0.05,
        "bound": None,
        "scenario": "calm",
        "scenario_hash": "0" * 64,
        "build": "test",
        "seed": 1,
        "messages": 1,
        "width": 0.02,
        "dispersion": 1.0,
        "falling": False,
        "unloaded": None,
        "levels": (),
        "shape": None,
    }
    return Answer(**(given | cells))


@pytest.mark.parametrize("share", [0.0, 1.0])
def test_a_range_that_ends_on_an_unround_level_ends_there(share: float) -> None:
    """All runs break, or none: the line lies beyond the end, and no run is spent on looking inside.
    (Levels are rounded to six digits; the search once did not know its own runs again.)"""
    low, high = 123.4567 * 0.05, 123.4567 * 16
    found = find_with(coin(lambda _: share), own=123.4567, low=low, high=high)
    assert found.bound is not None and not found.refined
    assert found.bound.kind is (BoundKind.BREAKS_ALREADY if share else BoundKind.NOT_REACHED)


@pytest.mark.parametrize("kind", BoundKind)
def test_what_is_known_of_a_line_survives_a_file(kind: BoundKind, tmp_path: Path) -> None:
    """And can be said in words."""
    bound = Bound(kind, 12.5, "(seed 3): loss")
    found = replace(answer_of(500.0, 0.1), status="UNKNOWN", bound=bound)
    found.write(tmp_path / "search.json")
    assert Answer.read(tmp_path).bound == bound
    content = json.loads((tmp_path / "search.json").read_text())
    assert content["why"] == found.why and "{" not in found.why
    assert content["bound"]["kind"] == kind


def test_a_fall_against_the_baseline() -> None:
    """Significant only beyond the share allowed and beyond chance."""
    before = answer_of(1_000.0, 0.03)
    small = against(before, answer_of(960.0, 0.03))
    large = against(before, answer_of(800.0, 0.03))
    vague = against(before, answer_of(800.0, 0.5))
    p = [x.p_fell(0.05) for x in (small, large, vague)]
    assert p[0] is not None and p[0] > 0.5
    assert p[1] is not None and p[1] < 0.001 and large.significant
    assert p[2] is not None and p[2] > 0.05 and vague.significant is False
    # By hand: ln(0.8/0.95) over √2 standard errors of 0.03/1.96.
    z = math.log(0.8 / 0.95) / (math.sqrt(2) * 0.03 / stats.norm.ppf(0.975))
    assert p[1] == pytest.approx(stats.norm.cdf(z), rel=1e-3)
    # Bandwidth that is needed: more is worse.
    needs = answer_of(20.0, 0.03, key="network.uplink_mbps", falling=True)
    worse, better = (against(needs, replace(needs, estimate=x)) for x in (40.0, 10.0))
    p = [x.p_fell(0.05) for x in (worse, better)]
    assert p[0] is not None and p[0] < 0.001
    assert p[1] is not None and p[1] > 0.999
    assert against(needs, replace(needs, falling=False)).incomparable
    other = against(before, answer_of(20.0, 0.03, find="safe-leverage", key="leverage"))
    assert other.incomparable and other.p_fell(0.05) is None


def test_an_answer_is_read_as_it_was_written(tmp_path: Path) -> None:
    """With all its levels, NaN and infinity included."""
    answer = ask(queue(300.0, duration_s=2.0), range=(20.0, 4_000.0), precision=0.2)
    answer.write(tmp_path / "search.json")
    reported = json.loads((tmp_path / "search.json").read_text())
    wanted = {"find", "estimate", "unit", "ci_low", "ci_high", "confidence", "runs", "most_used"}
    assert wanted <= set(reported)
    assert repr(Answer.read(tmp_path)) == repr(answer)
    (tmp_path / "search.json").write_text("[]")
    with pytest.raises(SurgetankError, match="not the answer of a search"):
        Answer.read(tmp_path)
