"""A league from a question to its table: the runs, and the searches of each entrant."""

from __future__ import annotations

import difflib
import os
from collections import deque
from collections.abc import Callable, Sequence
from concurrent.futures import Executor
from dataclasses import dataclass
from pathlib import Path
from typing import Final

from surgetank.errors import SurgetankError
from surgetank.league.axes import NONE, RULE, Entrant, Vary, attacked, attacks_of, entrants_of
from surgetank.league.result import League, Line, Made
from surgetank.league.shown import default_rank
from surgetank.scenario import Scenario, load
from surgetank.search import Progress, search
from surgetank.search.goal import FINDS, Per, goal
from surgetank.search.lever import lever
from surgetank.search.pool import Pool, Running, pool_of
from surgetank.search.posterior import CONFIDENCE
from surgetank.search.probe import Outcome, Task
from surgetank.simulate import build

__all__ = ["Seen", "league"]

#: Runs under way at once where the executor does not say how many workers it has.
_AHEAD: Final = 256
_SEEDS_MAX: Final = 1_000


@dataclass(frozen=True)
class Seen:
    """How far a league is."""

    done: int
    of: int
    """Runs, without those of searches."""
    what: str
    """The run or search at hand."""
    search: Progress | None = None


Watch = Callable[[Seen], None]


@dataclass(frozen=True)
class _Plan:
    scenario: Scenario
    entrants: list[Entrant]
    attacks: list[str]
    seeds: range

    def cells(self) -> list[tuple[int, Entrant, str]]:
        """All runs; seed by seed, so that what is there when stopped is a smaller league."""
        return [(s, e, a) for s in self.seeds for e in self.entrants for a in self.attacks]


def league(
    scenario: Scenario | str | Path,
    *,
    vary: Vary = RULE,
    attacks: str | Sequence[str] | None = None,
    seeds: int = 3,
    seed: int | None = None,
    rank: str | None = None,
    find: Sequence[str] = (),
    find_attacks: bool = False,
    budget: float = 0.01,
    per: Per = "liquidation",
    precision: float = 0.1,
    runs_max: int = 100,
    workers: int | None = None,
    executor: Executor | None = None,
    journal: Path | None = None,
    watch: Watch | None = None,
) -> League:
    """Compares settings of a scenario on the same flow, unmolested and under attacks.

    `vary` names keys whose values are compared, `KEY` (every value of the model's list) or
    `KEY=A,B`, or maps keys to values; several keys make a grid. `attacks` are kinds of
    `attack.kind`, or "all"; by default none and the scenario's own. Each entrant meets each attack
    with `seeds` seeds from `seed` (default: the scenario's) on, the same for all. `rank` is a
    measure, or something found; its worst case over attacks makes the order.

    `find` names what is searched for each entrant ("capacity", "failure-threshold",
    "safe-leverage"), without attack, or with `find_attacks` under each; `budget`, `per`,
    `precision` and `runs_max` are those of `search`. Replicates run as in `search`.

    Raises:
        SurgetankError: naming what cannot be compared, and the mend.
    """
    chosen = scenario if isinstance(scenario, Scenario) else load(scenario)
    if not 1 <= seeds <= _SEEDS_MAX:
        raise SurgetankError(f"must lie in 1..{_SEEDS_MAX}", place="--seeds", mend="Try 3")
    first = chosen.seed if seed is None else seed
    entrants, odd = entrants_of(chosen, vary)
    names, unfit = attacks_of(chosen, entrants, attacks)
    plan = _Plan(chosen, entrants, names, range(first, first + seeds))
    _check_finds(chosen, find, budget, rank)
    with pool_of(executor, workers, journal) as pool:
        made = _play(plan, pool, _ahead(executor, workers), rank, watch)
        messages = pool.messages
    lines: list[Line] = []
    for name in dict.fromkeys(find):
        for entrant in entrants:
            for attack in names if find_attacks else [NONE]:
                what = f"{name} of {entrant.name}" + ("" if attack == NONE else f" under {attack}")
                answer = search(
                    attacked(entrant.at(chosen), attack),
                    name,
                    budget=budget,
                    per=per,
                    precision=precision,
                    runs_max=runs_max,
                    seed=first,
                    workers=workers,
                    executor=executor,
                    journal=journal,
                    try_remedies=False,
                    watch=_telling(watch, len(made), what),
                )
                messages += answer.messages
                lines.append(
                    Line(
                        entrant.name,
                        entrant.rule,
                        attack,
                        name,
                        answer.status,
                        answer.estimate,
                        answer.ci_low,
                        answer.ci_high,
                        answer.unit,
                        answer.why,
                        answer.runs,
                    )
                )
    measured = {k for m in made for k, v in m.values.items() if v is not None}
    return League(
        scenario=chosen.name,
        title=chosen.title,
        scenario_hash=chosen.hash,
        build=build(),
        seed=first,
        seeds=seeds,
        rank=rank or default_rank(measured),
        confidence=CONFIDENCE,
        keys=tuple(entrants[0].values),
        attacks=tuple(names),
        entrants=tuple(entrants),
        made=tuple(made),
        lines=tuple(lines),
        left_out=(*odd, *unfit),
        search_runs=sum(x.runs for x in lines),
        messages=messages,
    )


def _ahead(executor: Executor | None, workers: int | None) -> int:
    """Runs under way at once: with one worker each is kept before the next begins."""
    if executor is not None:
        return _AHEAD
    count = workers or os.cpu_count() or 1
    return 1 if count == 1 else 2 * count


def _play(
    plan: _Plan, pool: Pool, ahead: int, rank: str | None, watch: Watch | None
) -> list[Made]:
    """Makes all runs, in the order of `cells`."""
    cells = plan.cells()
    variants = {
        (e.name, a): attacked(e.at(plan.scenario), a) for e in plan.entrants for a in plan.attacks
    }
    pending: deque[tuple[Entrant, str, Running]] = deque()
    made: list[Made] = []

    def take() -> None:
        entrant, attack, running = pending.popleft()
        outcome = running.result()
        made.append(_made(entrant, attack, outcome))
        if rank is not None and len(made) == 1:
            _check_rank(rank, outcome)
        if watch is not None:
            watch(Seen(len(made), len(cells), f"{entrant.name}, {attack}, seed {outcome.seed}"))

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


def _made(entrant: Entrant, attack: str, outcome: Outcome) -> Made:
    return Made(
        entrant.name,
        entrant.rule,
        attack,
        outcome.seed,
        outcome.messages,
        outcome.values,
        outcome.failed,
        outcome.invalid,
    )


def _check_finds(scenario: Scenario, find: Sequence[str], budget: float, rank: str | None) -> None:
    """Before any run is made."""
    for name in find:
        if name not in FINDS:
            mend = f"Take some of: {', '.join(FINDS)}"
            raise SurgetankError(
                "nothing of this name can be found", place=f"--search {name}", mend=mend
            )
        goal(name, budget=budget)
        lever(scenario, "leverage" if name == "safe-leverage" else "load")
    if rank in FINDS and rank not in find:
        raise SurgetankError(
            "ranks by what is not searched for", place=f"--rank {rank}", mend=f"Add --search {rank}"
        )


def _check_rank(rank: str, outcome: Outcome) -> None:
    """After the first run: its measures are those of all."""
    if rank in FINDS or rank in outcome.values or rank.startswith("delay_p"):
        return
    close = difflib.get_close_matches(rank, list(outcome.values), n=3)
    mend = f"Did you mean {' or '.join(close)}?" if close else "See `measure` in rows.csv"
    raise SurgetankError("a run has no such measure", place=f"--rank {rank}", mend=mend)


def _telling(watch: Watch | None, done: int, what: str) -> Callable[[Progress], None] | None:
    if watch is None:
        return None
    return lambda seen: watch(Seen(done, done, what, seen))
