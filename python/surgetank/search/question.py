"""`search`: from its arguments to an `Answer`."""

from __future__ import annotations

import difflib
import math
from collections.abc import Callable, Sequence
from concurrent.futures import Executor
from dataclasses import replace
from pathlib import Path
from typing import TYPE_CHECKING, Final

from surgetank.errors import SurgetankError
from surgetank.native import build
from surgetank.scenario import Scenario, load
from surgetank.scenario.limits import SETTABLE, TOLERANCES, key_of
from surgetank.search.answer import Answer, Failed, PartThreshold, Remedy, Used
from surgetank.search.bottleneck import named, past, ranking, remedies
from surgetank.search.bound import Bound, BoundKind
from surgetank.search.failures import NEAREST, failed
from surgetank.search.find import Phase, Progress, Question, Search, SearchState
from surgetank.search.gain import interval_of, line_of
from surgetank.search.goal import FINDS, Per, goal, unit_of
from surgetank.search.parameter import Parameter, parameter
from surgetank.search.part_thresholds import part_thresholds
from surgetank.search.pool import Inline, Pool, RunJournal, pool_of
from surgetank.search.posterior import CONFIDENCE
from surgetank.search.shape import levels, shape

if TYPE_CHECKING:
    from surgetank.search.live import LiveWork
    from surgetank.search.live_money import MoneyRuns

__all__ = ["question_of", "search"]

Watch = Callable[[Progress], None]

#: Range of a search that is given none, as factors of the scenario's own value.
_LOAD_RANGE: Final = (0.05, 256.0)
_SPEED_RANGE: Final = (0.1, 256.0)
_LEVERAGE_RANGE: Final = (1.25, 1_000.0)


def search(
    scenario: Scenario | str | Path,
    find: str | None = None,
    *,
    vary: str | None = None,
    range: tuple[float, float] | None = None,
    until: str | None = None,
    degradation: float = 2.0,
    budget: float = 0.01,
    per: Per | None = None,
    precision: float = 0.05,
    runs_max: int = 200,
    seed: int = 1,
    workers: int | None = None,
    executor: Executor | None = None,
    journal: Path | None = None,
    try_remedies: bool = True,
    watch: Watch | None = None,
    live: LiveWork | MoneyRuns | None = None,
) -> Answer:
    """Finds a threshold: the level of a quantity at which a limit is violated.

    `find` is "capacity" (the default), "failure-threshold" or "safe-leverage"; with `until` (a
    limit of the scenario, or "any") instead, the level at which that limit is violated. `vary`
    names what is varied, within `range` (good end first). `budget` is the P(bad debt) of safe
    leverage, `per` liquidation or run; with a position book the share of its accounts that may
    leave bad debt in 19 of 20 runs (`per` account, its default), or P(bad debt) per run. Replicates
    run in `workers` processes (default: one per core) or on any `executor`; the answer does not
    depend on which. `journal` keeps finished runs; a search given the same journal resumes. With
    `live`, every run is one against a live target, one at a time, in this process.

    Raises:
        SurgetankError: naming what cannot be searched, and the hint.
    """
    chosen = scenario if isinstance(scenario, Scenario) else load(scenario)
    question = question_of(
        chosen,
        find,
        vary=vary,
        range=range,
        until=until,
        degradation=degradation,
        budget=budget,
        per=per,
        precision=precision,
        runs_max=runs_max,
        seed=seed,
    )
    if live is not None:
        return _live(question, live, journal, watch)
    with pool_of(executor, workers, journal) as pool:
        search_run = Search(question, pool, _labelled(watch, "remedies" if try_remedies else None))
        search_run.go()
        parts = part_thresholds(search_run)
        return _answer(search_run, parts, try_remedies=try_remedies)


def _live(
    q: Question, live: LiveWork | MoneyRuns, journal: Path | None, watch: Watch | None
) -> Answer:
    """The answer by live runs. These are fewer, since they take real time and cannot run in
    parallel."""
    question = replace(q, effort=live.effort)
    known = RunJournal(journal)
    live.begin(
        question.parameter.at(question.scenario, question.parameter.rounded(question.low)), known
    )
    pool = Pool(Inline, known, work=live)
    search_run = Search(question, pool, watch)
    search_run.go()
    drifted = live.drift()
    if drifted and search_run.state.status != "INVALID":
        search_run.state.status = "UNKNOWN"
        search_run.state.bound = Bound(BoundKind.DRIFT, detail=drifted)
    return replace(_answer(search_run, (), try_remedies=False), build=live.build)


def question_of(
    scenario: Scenario,
    find: str | None = None,
    *,
    vary: str | None = None,
    range: tuple[float, float] | None = None,
    until: str | None = None,
    degradation: float = 2.0,
    budget: float = 0.01,
    per: Per | None = None,
    precision: float = 0.05,
    runs_max: int = 200,
    seed: int = 1,
) -> Question:
    """The question that `search` would answer, before anything is run.

    Raises:
        SurgetankError: naming what cannot be searched, and the hint.
    """
    if until is not None:
        if find is not None:
            raise SurgetankError(
                "only one of the two can be searched for",
                place=f"--find {find} --until {until}",
                hint="Leave one of the two out",
            )
        limits = list(scenario.limits.as_mapping())
        if until != "any" and until not in limits:
            raise _no_limit(until, limits)
        aim = goal("limit", limit="" if until == "any" else until)
    else:
        unit = unit_of(scenario, per)
        aim = goal(find or FINDS[0], degradation=degradation, budget=budget, per=unit)
    load = "speed" if scenario.flow.replay_messages else "load"
    key = vary or ("leverage" if aim.find == "safe-leverage" else load)
    chosen = parameter(scenario, key)
    low, high = range or _default_range(chosen, scenario)
    question = Question(
        scenario, aim, chosen, low, high, precision=precision, runs_max=runs_max, seed=seed
    )
    _check(question)
    return question


def _default_range(chosen: Parameter, scenario: Scenario) -> tuple[float, float]:
    if chosen.key == "speed":
        # Faster than in a second, the recording is over before a queue has built up.
        fastest = max(2.0, min(_SPEED_RANGE[1], scenario.duration_s))
        return chosen.own * _SPEED_RANGE[0], chosen.own * fastest
    if chosen.key == "load":
        return chosen.own * _LOAD_RANGE[0], chosen.own * _LOAD_RANGE[1]
    if chosen.key == "leverage" and chosen.book is None:
        return _LEVERAGE_RANGE
    if chosen.key == "leverage":
        # Above its own largest leverage a cap changes nothing in a book.
        low, high = _LEVERAGE_RANGE
        return low, min(max(chosen.own, 2 * low), high)
    raise SurgetankError(
        "has no default range", place=f"--vary {chosen.key}", hint="Give --range A:B"
    )


def _no_limit(until: str, limits: Sequence[str]) -> SurgetankError:
    have = f"It sets {', '.join(limits)}" if limits else "It sets none"
    if until in TOLERANCES:
        message = "is a tolerance used by other measures, not a limit"
        return SurgetankError(message, place=f"--until {until}", hint=have)
    near = difflib.get_close_matches(until, SETTABLE, n=1)  # of a name that there is, itself
    add = f"; or set it with --set limits.{key_of(SETTABLE[near[0]])}=…" if near else ""
    message = "the scenario sets no such limit"
    return SurgetankError(message, place=f"--until {until}", hint=have + add)


def _check(q: Question) -> None:
    ends = (q.low, q.high)
    if q.low == q.high or not all(map(math.isfinite, ends)):
        raise SurgetankError("needs two different finite numbers", place="--range", hint="Give A:B")
    if not 0 < q.precision < 1:
        raise SurgetankError("must lie between 0 and 1", place="precision", hint="Try 0.05")
    if q.runs_max < 16:
        raise SurgetankError("is too few runs", place="runs_max", hint="Allow 50")
    if q.goal.find == "safe-leverage" and q.scenario.market is None:
        raise SurgetankError(
            "safe leverage needs a market", place=q.scenario.name, hint="Add a [market]"
        )
    for end in ends:
        q.parameter.at(q.scenario, q.parameter.rounded(end))


def _answer(search_run: Search, parts: tuple[PartThreshold, ...], *, try_remedies: bool) -> Answer:
    state, q = search_run.state, search_run.question
    found = levels(state.outcomes, q.goal, state.unloaded_ms)
    falling = q.high < q.low
    estimate, low, high = interval_of(state)
    used, tried = _bottleneck(search_run, try_remedies=try_remedies)
    post = state.posterior
    return Answer(
        find=q.found,
        status=state.status,
        estimate=estimate,
        unit=q.parameter.unit,
        ci_low=low,
        ci_high=high,
        confidence=CONFIDENCE,
        runs=search_run.pool.spent,
        most_used=named(used),
        key=q.parameter.key,
        breaks=q.goal.criterion,
        target=q.goal.target,
        precision=q.precision,
        bound=state.bound,
        scenario=q.scenario.name,
        scenario_hash=q.scenario.hash,
        build=build(),
        seed=q.seed,
        messages=search_run.pool.messages,
        width=_width(state),
        dispersion=1.0 if post is None else post.dispersion,
        falling=falling,
        unloaded=_unloaded(state),
        levels=tuple(found),
        shape=shape(found, q.parameter.unit, falling=falling) if found else None,
        used=tuple(used),
        remedies=tuple(tried),
        failures=_failures(state),
        degradation=q.goal.degradation if q.goal.find == "capacity" else None,
        per=q.goal.per if q.goal.find == "safe-leverage" else "",
        parts=parts,
        recording=q.scenario.event if q.scenario.tape_hash else "",
    )


def _failures(state: SearchState) -> tuple[Failed, ...]:
    q = state.question
    if q.goal.find != "failure-threshold" or state.status == "INVALID":
        return ()
    broken = [o for o in state.outcomes if q.goal.broke(o, state.unloaded_ms)]
    return failed(sorted(broken, key=lambda o: abs(q.u(o.level) - q.u(past(state))))[:NEAREST])


def _width(state: SearchState) -> float | None:
    post, q = state.posterior, state.question
    if post is None:
        return None
    middle = q.level(post.median)
    return abs(q.exact(post.median + post.width / 2) - q.exact(post.median - post.width / 2)) / abs(
        middle or 1.0
    )


def _unloaded(state: SearchState) -> dict[str, float] | None:
    if math.isnan(state.unloaded_ms):
        return None
    return {
        "level": state.unloaded_level,
        "p99_ms": state.unloaded_ms,
        "low_ms": state.unloaded_low_ms,
        "high_ms": state.unloaded_high_ms,
    }


def _bottleneck(search_run: Search, *, try_remedies: bool) -> tuple[list[Used], list[Remedy]]:
    state, q = search_run.state, search_run.question
    broken = [o for o in state.outcomes if q.goal.broke(o, state.unloaded_ms)]
    held = [o for o in state.outcomes if not q.goal.broke(o, state.unloaded_ms)]
    if not broken:
        return [], []
    # The failing runs nearest to the threshold: farther away every resource is full.
    nearest = sorted(broken, key=lambda o: abs(q.u(o.level) - q.u(past(state))))[:4]
    lowest = sorted(state.unloaded or held, key=lambda o: q.u(o.level))[:4]
    used = ranking(nearest, lowest)
    line = line_of(state)
    if not try_remedies or state.status != "FOUND" or line is None:
        return used, []
    return used, remedies(search_run, line, used)


def _labelled(watch: Watch | None, then: Phase | None) -> Watch | None:
    """Adds the phase that follows to each progress report before the remedies."""
    if watch is None or then is None:
        return watch
    return lambda seen: watch(
        seen if seen.phase in ("remedies", "gain") else replace(seen, then=then)
    )
