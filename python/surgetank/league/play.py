"""Running a league: the plan, its runs, and the searches of each entrant."""

from __future__ import annotations

import difflib
import os
from collections import deque
from collections.abc import Callable, Iterator, Sequence
from concurrent.futures import Executor
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Final

from surgetank.catalogue import MEASURES
from surgetank.errors import SurgetankError
from surgetank.league.axes import NONE, RULE, Entrant, Vary, attacked, attacks_of, entrants_of
from surgetank.league.columns import SHOWN, better, default_rank
from surgetank.league.result import League, LeagueRun, SearchedLine
from surgetank.native import build
from surgetank.scenario import Scenario, load
from surgetank.search import Answer, Progress, search
from surgetank.search.goal import FINDS, Per, goal
from surgetank.search.parameter import parameter
from surgetank.search.pool import Pool, Running, pool_of
from surgetank.search.posterior import CONFIDENCE
from surgetank.search.probe import RunOutcome, Task

__all__ = ["LeagueProgress", "LeagueSearch", "Plan", "league", "plan_of"]

#: Runs in progress at once where the executor does not say how many workers it has.
_AHEAD: Final = 256
_SEEDS_MAX: Final = 1_000


@dataclass(frozen=True)
class LeagueProgress:
    """Progress of a league."""

    done: int
    of: int
    """Number of runs, without those of searches."""
    what: str
    """The run or search in progress."""
    search: Progress | None = None


Watch = Callable[[LeagueProgress], None]


@dataclass(frozen=True)
class Plan:
    """The runs of a league, before any is made."""

    scenario: Scenario
    entrants: list[Entrant]
    attacks: list[str]
    seeds: range
    left_out: list[str]

    def cells(self) -> list[tuple[int, Entrant, str]]:
        """All runs, seed by seed, so that a stopped league is a complete one of fewer seeds."""
        return [(s, e, a) for s in self.seeds for e in self.entrants for a in self.attacks]


@dataclass(frozen=True)
class LeagueSearch:
    """The searches made for each entrant."""

    find: Sequence[str] = ()
    """Some of `capacity`, `failure-threshold`, `safe-leverage`."""
    attacks: bool = False
    """Under each attack, not only without."""
    budget: float = 0.01
    per: Per = "liquidation"
    precision: float = 0.1
    runs_max: int = 100


def plan_of(
    scenario: Scenario,
    *,
    vary: Vary = RULE,
    attacks: str | Sequence[str] | None = None,
    seeds: int = 5,
    seed: int | None = None,
    rank: str | None = None,
    searches: LeagueSearch | None = None,
) -> Plan:
    """The plan of a league, before anything is run.

    Raises:
        SurgetankError: naming what cannot be compared, and the hint.
    """
    if not 1 <= seeds <= _SEEDS_MAX:
        raise SurgetankError(f"must lie in 1..{_SEEDS_MAX}", place="--seeds", hint="Try 5")
    first = scenario.seed if seed is None else seed
    entrants, odd = entrants_of(scenario, vary)
    names, unfit = attacks_of(scenario, entrants, attacks)
    _check_searches(scenario, searches or LeagueSearch(), rank)
    return Plan(scenario, entrants, names, range(first, first + seeds), [*odd, *unfit])


def league(
    scenario: Scenario | str | Path,
    *,
    vary: Vary = RULE,
    attacks: str | Sequence[str] | None = None,
    seeds: int = 5,
    seed: int | None = None,
    rank: str | None = None,
    searches: LeagueSearch | None = None,
    workers: int | None = None,
    executor: Executor | None = None,
    journal: Path | None = None,
    watch: Watch | None = None,
) -> League:
    """Compares settings of a scenario on the same flow, without attack and under attacks.

    `vary` names keys whose values are compared, `KEY` (every value of the model's list) or
    `KEY=A,B`, or maps keys to values; several keys make a grid. `attacks` are kinds of
    `attack.kind`, or "all"; by default none and the scenario's own. Each entrant meets each attack
    with `seeds` seeds from `seed` (default: the scenario's) on, the same for all. `rank` is a
    measure, or a threshold that is searched for; entrants are ordered by its worst case over
    attacks. `searches` are the searches made for each entrant. Replicates run as in `search`.

    Raises:
        SurgetankError: naming what cannot be compared, and the hint.
    """
    chosen = scenario if isinstance(scenario, Scenario) else load(scenario)
    plan = plan_of(
        chosen,
        vary=vary,
        attacks=attacks,
        seeds=seeds,
        seed=seed,
        rank=rank,
        searches=searches,
    )
    with pool_of(executor, workers, journal) as pool:
        made = _play(plan, pool, _ahead(executor, workers), rank, watch)
        messages = pool.messages
    chosen_searches = searches or LeagueSearch()
    lines: list[SearchedLine] = []
    for what, scene, line in _search_all(plan, chosen_searches):
        answer = search(
            scene,
            line.find,
            budget=chosen_searches.budget,
            per=chosen_searches.per,
            precision=chosen_searches.precision,
            runs_max=chosen_searches.runs_max,
            seed=plan.seeds[0],
            workers=workers,
            executor=executor,
            journal=journal,
            try_remedies=False,
            watch=_with_progress(watch, len(made), what),
        )
        messages += answer.messages
        lines.append(_line(line, answer))
    measured = {k for m in made for k, v in m.values.items() if v is not None}
    return League(
        scenario=chosen.name,
        title=chosen.title,
        scenario_hash=chosen.hash,
        build=build(),
        seed=plan.seeds[0],
        seeds=seeds,
        rank=rank or default_rank(measured),
        confidence=CONFIDENCE,
        keys=tuple(plan.entrants[0].values),
        attacks=tuple(plan.attacks),
        entrants=tuple(plan.entrants),
        made=tuple(made),
        lines=tuple(lines),
        left_out=tuple(plan.left_out),
        search_runs=sum(x.runs for x in lines),
        messages=messages,
    )


def _search_all(plan: Plan, searches: LeagueSearch) -> Iterator[tuple[str, Scenario, SearchedLine]]:
    """Every search: its name, its scenario, and its row, still without an answer."""
    for find in dict.fromkeys(searches.find):
        for entrant in plan.entrants:
            for attack in plan.attacks if searches.attacks else [NONE]:
                what = f"{find} of {entrant.name}" + ("" if attack == NONE else f" under {attack}")
                scene = attacked(entrant.at(plan.scenario), attack)
                empty = (None, None, None, "", "", 0)
                yield (
                    what,
                    scene,
                    SearchedLine(entrant.name, entrant.rule, attack, find, "", *empty),
                )


def _line(line: SearchedLine, answer: Answer) -> SearchedLine:
    return replace(
        line,
        status=answer.status,
        estimate=answer.estimate,
        ci_low=answer.ci_low,
        ci_high=answer.ci_high,
        unit=answer.unit,
        why=answer.why,
        runs=answer.runs,
    )


def _ahead(executor: Executor | None, workers: int | None) -> int:
    """The number of runs in progress at once. With one worker each run is recorded before the next
    begins."""
    if executor is not None:
        return _AHEAD
    count = workers or os.cpu_count() or 1
    return 1 if count == 1 else 2 * count


def _play(
    plan: Plan, pool: Pool, ahead: int, rank: str | None, watch: Watch | None
) -> list[LeagueRun]:
    """Makes all runs, in the order of `cells`."""
    cells = plan.cells()
    variants = {
        (e.name, a): attacked(e.at(plan.scenario), a) for e in plan.entrants for a in plan.attacks
    }
    pending: deque[tuple[Entrant, str, Running]] = deque()
    made: list[LeagueRun] = []

    def take() -> None:
        entrant, attack, running = pending.popleft()
        outcome = running.result()
        made.append(_league_run(entrant, attack, outcome))
        if rank is not None and len(made) == 1:
            _check_rank(rank, outcome)
        if watch is not None:
            watch(
                LeagueProgress(
                    len(made), len(cells), f"{entrant.name}, {attack}, seed {outcome.seed}"
                )
            )

    try:
        for seed, entrant, attack in cells:
            task = Task(variants[entrant.name, attack], 0.0, seed)
            pending.append((entrant, attack, pool.submit(task)))
            if len(pending) >= ahead:
                take()
        while pending:
            take()
    finally:
        for _, _, running in pending:
            running.drop()
    return made


def _league_run(entrant: Entrant, attack: str, outcome: RunOutcome) -> LeagueRun:
    return LeagueRun(
        entrant.name,
        entrant.rule,
        attack,
        outcome.seed,
        outcome.messages,
        outcome.values,
        outcome.failed,
        outcome.invalid,
    )


def _check_searches(scenario: Scenario, searches: LeagueSearch, rank: str | None) -> None:
    """Checks the searches before any run is made. Raises SurgetankError for one that cannot be
    made."""
    for name in searches.find:
        if name not in FINDS:
            hint = f"Take some of: {', '.join(FINDS)}"
            raise SurgetankError(
                "there is no search of this name", place=f"--search {name}", hint=hint
            )
        goal(name, budget=searches.budget)
        parameter(scenario, "leverage" if name == "safe-leverage" else "load")
    if searches.find and not 0 < searches.precision < 1:
        raise SurgetankError("must lie between 0 and 1", place="--precision", hint="Try 0.1")
    if rank is not None and rank in MEASURES and not better(rank):
        raise _undirected(rank)
    if rank in FINDS and rank not in searches.find:
        raise SurgetankError(
            "is not among the searches", place=f"--rank {rank}", hint=f"Add --search {rank}"
        )


def _undirected(rank: str) -> SurgetankError:
    return SurgetankError(
        "describes a run; neither more nor less of it is better",
        place=f"--rank {rank}",
        hint="Rank by bad_debt_usd, others_loss_usd, delay_p99_ms or another measure that judges",
    )


def _check_rank(rank: str, outcome: RunOutcome) -> None:
    """Checks `rank` after the first run, whose measures are those of all runs except for classes
    that it lacks.

    Raises:
        SurgetankError: there is no such measure.
    """
    if rank in FINDS or rank in outcome.values or rank in SHOWN:
        return
    close = difflib.get_close_matches(rank, list(outcome.values), n=3)
    hint = f"Did you mean {' or '.join(close)}?" if close else "See rows.csv"
    raise SurgetankError("a run has no such measure", place=f"--rank {rank}", hint=hint)


def _with_progress(watch: Watch | None, done: int, what: str) -> Callable[[Progress], None] | None:
    if watch is None:
        return None
    return lambda seen: watch(LeagueProgress(done, done, what, seen))
