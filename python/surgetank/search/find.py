"""The search itself: unloaded value, climb to the first failing level, then the posterior of the
threshold.

1. **Unloaded** (capacity only): p99 at a small load, pooled over seeds, with its own error.
2. **Climb**: two seeds at each of two levels, doubling until a level fails; one level beyond the
   failing one is always run, so that a response that falls again is noticed. Where it does, more
   seeds confirm it, and the threshold is the first crossing.
3. **Refine**: one run at a time at the level that `design.place` names, until the interval is
   narrow enough or the runs are used up.

Every seed is drawn from the search's own, by phase and number, and every decision uses runs in the
order in which they were asked for: the answer depends on neither workers nor timing.
"""

from __future__ import annotations

import math
from collections import deque
from collections.abc import Callable, Sequence
from dataclasses import dataclass, field
from typing import Final, Literal

import numpy as np
from blake3 import blake3

from surgetank.measure.statistics import student_t
from surgetank.scenario import Scenario
from surgetank.search.bound import Bound, BoundKind, failed_there
from surgetank.search.design import LOOKAHEAD, place
from surgetank.search.goal import Goal
from surgetank.search.parameter import Parameter, is_ratio_scale, parameter
from surgetank.search.pool import Pool, Running
from surgetank.search.posterior import Posterior, Trial, fit
from surgetank.search.probe import RunOutcome, Task

__all__ = ["Effort", "Progress", "Question", "Search", "SearchState"]

_CLIMB_SEEDS: Final = 2
#: Background messages that an unloaded run needs for a usable p99.
_UNLOADED_MESSAGES: Final = 4_000
_LENGTHEN_MAX: Final = 20.0
#: Levels tried between one that passed and one that the generator could not make.
_CEILING_LEVELS: Final = 3


@dataclass(frozen=True)
class Effort:
    """Numbers of runs in the phases of a search; live runs take real time."""

    unloaded_seeds: int = 8
    edge_seeds: int = 6
    refine_min: int = 16
    """Number of refining runs before the width is first checked."""
    refine_min_counts: int = 24
    """The same where every liquidation of a run is a trial: counts need more runs to estimate their
    dispersion."""
    narrow_looks: int = 5
    """Number of consecutive checks that must find the interval narrow, since one may do so by
    chance."""
    lookahead: int = LOOKAHEAD
    """Runs that may be in progress at once."""


@dataclass(frozen=True)
class Question:
    """A search problem: scenario, goal, parameter, range and precision."""

    scenario: Scenario
    goal: Goal
    parameter: Parameter
    low: float
    """The end of the range where runs should pass."""
    high: float
    """The other end; it may be the smaller number."""
    precision: float = 0.05
    """Half width of the interval over the estimate at which the search ends."""
    runs_max: int = 200
    """Most runs; those of remedies, and what a live search repeats, are additional."""
    seed: int = 1
    effort: Effort = Effort()

    @property
    def found(self) -> str:
        """What is found: capacity, failure-threshold, safe-leverage, the limit's name, or any."""
        return self.goal.find if self.goal.find != "limit" else self.goal.limit or "any"

    def u(self, level: float) -> float:
        """The level on the scale of the search: ln or linear, rising towards failure."""
        sign = 1.0 if self.high > self.low else -1.0
        if is_ratio_scale(self.low, self.high):
            return sign * math.log(level)
        return sign * 4.0 * level / abs(self.high - self.low)

    def exact(self, u: float) -> float:
        """The reverse of `u`."""
        sign = 1.0 if self.high > self.low else -1.0
        if is_ratio_scale(self.low, self.high):
            return math.exp(sign * u)
        return sign * u * abs(self.high - self.low) / 4.0

    def level(self, u: float) -> float:
        """The reverse of `u`, rounded to a level that the parameter can take."""
        return self.parameter.rounded(self.exact(u))


Phase = Literal["unloaded", "climb", "refine", "parts", "remedies", "gain"]


@dataclass(frozen=True)
class Progress:
    """Progress of a search."""

    phase: Phase
    runs: int
    """Runs made so far, in all phases."""
    low: float | None
    high: float | None
    estimate: float | None
    p_broken: float | None
    """Share of failures among the last runs."""
    runs_left: int | None
    """Runs that this phase will still take, roughly; None if unknown."""
    what: str = ""
    """The change in progress, in a phase that tries changes."""
    then: Phase | None = None
    """The phase that follows this search, if one does."""


@dataclass
class SearchState:
    """All runs of a search, and the quantities derived from them."""

    question: Question
    unloaded_ms: float = math.nan
    unloaded_low_ms: float = math.nan
    unloaded_high_ms: float = math.nan
    unloaded_level: float = math.nan
    unloaded: list[RunOutcome] = field(default_factory=list)
    climbed: list[RunOutcome] = field(default_factory=list)
    refined: list[RunOutcome] = field(default_factory=list)
    posterior: Posterior | None = None
    top: float = math.inf
    """Greatest level u of the fit; beyond it the response falls again."""
    status: str = "UNKNOWN"
    bound: Bound | None = None
    """The bound on the threshold and why it was not found."""

    def take_unloaded(self, other: SearchState) -> None:
        """Takes over the unloaded value of another search."""
        self.unloaded_level, self.unloaded_ms = other.unloaded_level, other.unloaded_ms
        self.unloaded_low_ms, self.unloaded_high_ms = other.unloaded_low_ms, other.unloaded_high_ms

    @property
    def outcomes(self) -> list[RunOutcome]:
        """Every run at a level of the range."""
        return [*self.climbed, *self.refined]

    def trials(self, unloaded_ms: float | None = None) -> list[Trial]:
        """The runs as trials; another unloaded value shows the effect of its error."""
        q, base = self.question, self.unloaded_ms if unloaded_ms is None else unloaded_ms
        found = [q.goal.trial(o, q.u(o.level), base) for o in self.outcomes if not o.invalid]
        return [t for t in found if not math.isnan(t.broken)]

    def fit(self, unloaded_ms: float | None = None) -> Posterior:
        """The posterior of the threshold, by the levels up to `top`."""
        low, top = self.question.u(self.question.low), self.top
        near = [t for t in self.trials(unloaded_ms) if t.u <= top]
        return fit(near, low, top, self.question.goal.target)


class Search:
    """Answers a question with the runs of a pool."""

    def __init__(
        self, question: Question, pool: Pool, watch: Callable[[Progress], None] | None = None
    ) -> None:
        self.question, self.pool = question, pool
        self._before = pool.spent
        self.watch = watch
        self.state = SearchState(question)
        ends = question.u(question.low), question.u(question.high)
        self._low, self._high = ends
        self.state.top = self._high
        self._trials: list[Trial] = []
        self._narrow = 0  # consecutive checks with a sufficiently narrow interval

    @property
    def spent(self) -> int:
        """Runs of this search, of all that the pool has made."""
        return self.pool.spent - self._before

    def go(self) -> SearchState:
        """Runs the search to its end; what was found so far is in `state` at any time.

        Raises:
            SurgetankError: if the scenario cannot be run.
        """
        state = self.state
        if self.question.goal.find == "capacity" and math.isnan(state.unloaded_ms):
            self._find_unloaded()
        if state.bound is None and self._climb():
            self._refine()
        self._judge()
        return state

    def go_on(self, made: Sequence[RunOutcome], label: str) -> SearchState:
        """Narrows a threshold from runs made for another goal; `label` gives further seeds."""
        self.state.climbed = list(made)
        self.state.posterior = self._fit()
        if not self._is_narrow(self.state.posterior):
            self._refine(label)
        self._judge()
        return self.state

    def task(self, level: float, phase: str, number: int) -> Task:
        """A run of this search: its seed follows from the search's seed, phase and number."""
        q = self.question
        return self.task_of(q.parameter.at(q.scenario, level), level, phase, number)

    def task_of(self, scenario: Scenario, level: float, phase: str, number: int) -> Task:
        """A run of this search with a scenario that is already at the level; see `task`."""
        digest = blake3(f"{self.question.seed}/{phase}/{number}".encode()).digest(8)
        return Task(scenario, level, int.from_bytes(digest) >> 1)

    def _report_progress(self, phase: Phase) -> None:
        if self.watch is None:
            return
        post, q = self.state.posterior, self.question
        low = high = middle = None
        if post is not None:
            low, high = sorted(q.level(u) for u in post.interval())
            middle = q.level(post.median)
        last = self._trials[-LOOKAHEAD:]
        total = sum(t.trials for t in last)
        share = sum(t.broken for t in last) / total if total else None
        left = self._refining_left() if phase == "refine" else None
        if phase == "unloaded":
            left = q.effort.unloaded_seeds - self.spent
        self.watch(Progress(phase, self.pool.spent, low, high, middle, share, left))

    def _refining_left(self) -> int:
        """Runs until the interval is narrow: its width falls as 1/√n; at least one before the
        end."""
        q, post, done = self.question, self.state.posterior, len(self.state.refined)
        least = max(self._refine_min - done, q.effort.narrow_looks - self._narrow, 1)
        if post is not None and not self._is_narrow(post):
            low, high = (q.level(u) for u in post.interval())
            width = abs(high - low) / 2 / max(abs(q.level(post.median)), 1e-300)
            needed = (done + 1) * (width / q.precision) ** 2
            least = max(least, math.ceil(min(needed, 1e9)) - done + q.effort.narrow_looks)
        return max(1, min(least, q.runs_max - self.spent))

    @property
    def _refine_min(self) -> int:
        effort = self.question.effort
        return effort.refine_min_counts if self.question.goal.counts else effort.refine_min

    # 1. Unloaded

    def _find_unloaded(self) -> None:
        """p99 at the low end of the range: the geometric mean over seeds, and its error."""
        q, state = self.question, self.state
        self._report_progress("unloaded")
        level = state.unloaded_level = q.parameter.rounded(q.low)
        idle = self._lengthened(q.parameter.at(q.scenario, level))
        state.unloaded = self.pool.all(
            [self.task_of(idle, level, "unloaded", i) for i in range(q.effort.unloaded_seeds)]
        )
        self._report_progress("unloaded")
        if self._invalid(state.unloaded):
            return
        if self._limited(state.unloaded):
            self._say_ceiling()
            return
        values = np.array([o.value("delay_p99_ms") for o in state.unloaded])
        if not np.isfinite(values).all() or values.min() <= 0:
            state.bound = Bound(BoundKind.UNLOADED_UNKNOWN, level)
            return
        logs = np.log(values)
        error = float(logs.std(ddof=1)) / math.sqrt(len(logs))
        middle = float(logs.mean())
        state.unloaded_ms = math.exp(middle)
        half = student_t(len(logs) - 1) * error
        state.unloaded_low_ms = math.exp(middle - half)
        state.unloaded_high_ms = math.exp(middle + half)

    def _lengthened(self, scenario: Scenario) -> Scenario:
        """Long enough for a p99, if the load is what is varied."""
        if self.question.parameter.key != "load":
            return scenario
        wanted = scenario.warmup_s + _UNLOADED_MESSAGES / parameter(scenario, "load").own
        seconds = min(wanted, _LENGTHEN_MAX * scenario.duration_s)
        if seconds <= scenario.duration_s:
            return scenario
        return scenario.with_values({"duration_s": round(seconds, 3)})

    # 2. Climb

    def _climb(self) -> bool:
        """Doubles levels until one passes and the next fails; False if there is no such pair."""
        q = self.question
        own = q.u(q.parameter.own) if q.parameter.own > 0 else self._low
        start = min(max(own, self._low), self._high)
        levels: dict[float, list[RunOutcome]] = {}
        step = self._step()
        self._visit(levels, [start, start + step])
        while self.state.bound is None:
            if self._limited(self.state.climbed):
                return self._below_ceiling(levels)
            held = [u for u in levels if not self._mostly_broken(levels[u])]
            broke = [u for u in levels if self._mostly_broken(levels[u])]
            if held and broke and max(levels) > min(broke):
                self._look_beyond(levels, min(broke))
                return self.state.bound is None
            top, bottom = max(levels), min(levels)
            if not broke and top >= self._high:
                return self._edge(self._high, BoundKind.NOT_REACHED)
            if not held and bottom <= self._low:
                return self._edge(self._low, BoundKind.BREAKS_ALREADY)
            if held and broke:
                if top >= self._high:
                    return True
                self._visit(levels, [top + step])
            elif broke:
                self._visit(levels, [bottom - step, bottom - 2 * step])
            else:
                self._visit(levels, [top + step, top + 2 * step])
        return False

    def _look_beyond(self, levels: dict[float, list[RunOutcome]], broken: float) -> None:
        """Runs more seeds at a passing level beyond the first failing one and at that one, to
        exclude chance."""
        again = [u for u in levels if u > broken and not self._mostly_broken(levels[u])]
        if not again:
            return
        for u in (broken, min(again)):
            level, first = self.question.level(u), len(self.state.climbed)
            seeds = self.question.effort.edge_seeds
            more = self._made([self.task(level, "climb", first + i) for i in range(seeds)])
            if not more:
                return
            levels[u] = levels[u] + more
        if self._mostly_broken(levels[broken]) and not self._mostly_broken(levels[min(again)]):
            self.state.top = (broken + min(again)) / 2

    def _step(self) -> float:
        q = self.question
        if is_ratio_scale(q.low, q.high):
            return min(math.log(2), (self._high - self._low) / 4)
        return (self._high - self._low) / 8

    def _visit(self, levels: dict[float, list[RunOutcome]], wanted: list[float]) -> None:
        inside = [min(max(u, self._low), self._high) for u in wanted]
        fresh = [u for u in dict.fromkeys(inside) if u not in levels]
        tasks: list[Task] = []
        for u in fresh:
            first = len(self.state.climbed) + len(tasks)
            level = self.question.level(u)
            tasks += [self.task(level, "climb", first + i) for i in range(_CLIMB_SEEDS)]
        if found := self._made(tasks):
            for i, u in enumerate(fresh):
                levels[u] = found[i * _CLIMB_SEEDS : (i + 1) * _CLIMB_SEEDS]

    def _made(self, tasks: list[Task]) -> list[RunOutcome]:
        """Outcomes of these runs of the climb; none, and a bound, if not all of them may be
        made."""
        if self.spent + len(tasks) > self.question.runs_max:
            text = f"{self.spent} runs were made, and the climb needs {len(tasks)} more at once"
            self.state.bound = Bound(BoundKind.RUNS_SPENT, detail=text)
            return []
        found = self.pool.all(tasks)
        self._add(found, self.state.climbed, "climb")
        return found

    def _edge(self, u: float, kind: BoundKind) -> bool:
        """Runs more seeds at an end of the range, and reports the bound if the threshold is at or
        beyond it."""
        level = self.question.level(u)
        first = len(self.state.climbed)
        seeds = self.question.effort.edge_seeds
        if not self._made([self.task(level, "climb", first + i) for i in range(seeds)]):
            return False
        # Runs have the rounded level.
        at = [t for t in self._trials if abs(t.u - self.question.u(level)) < 1e-9]
        broken, trials = round(sum(t.broken for t in at)), round(sum(t.trials for t in at))
        if (broken > self.question.goal.target * max(1, trials)) == (u == self._high):
            return True  # nearly failed: the threshold may lie inside the range
        detail = failed_there(kind, broken, trials, self.question.goal.counts)
        self.state.bound = Bound(kind, level, detail)
        return False

    def _mostly_broken(self, outcomes: list[RunOutcome]) -> bool:
        goal, base = self.question.goal, self.state.unloaded_ms
        trials = [goal.trial(o, 0.0, base) for o in outcomes]
        total = sum(t.trials for t in trials)
        return sum(t.broken for t in trials) > goal.target * total

    # The generator of live runs may be slower than the target

    def _limited(self, found: list[RunOutcome]) -> bool:
        """Whether the generator failed at a level below which no run failed. Beyond a failing
        level it does not matter: the threshold lies below."""
        failed = [o.level for o in found if o.invalid]
        if not failed:
            return False
        goal, base = self.question.goal, self.state.unloaded_ms
        valid = [o for o in self.state.outcomes if not o.invalid]
        return not any(o.level <= min(failed) and goal.broke(o, base) for o in valid)

    def _below_ceiling(self, levels: dict[float, list[RunOutcome]]) -> bool:
        """Bisects towards the level that the generator cannot make; True if a run failed."""
        for _ in range(_CEILING_LEVELS):
            failed = min(u for u, o in levels.items() if any(x.invalid for x in o))
            held = [u for u in levels if u < failed and not self._mostly_broken(levels[u])]
            if not held or self.state.bound is not None:
                break
            self._visit(levels, [(max(held) + failed) / 2])
            if not self._limited(self.state.climbed):
                return self.state.bound is None
        self._say_ceiling()
        return False

    def _say_ceiling(self) -> None:
        q, base, state = self.question, self.state.unloaded_ms, self.state
        runs = state.outcomes or state.unloaded
        bad = min((o for o in runs if o.invalid), key=lambda o: q.u(o.level))
        below = [o.level for o in runs if not o.invalid and o.level < bad.level]
        held = [x for x in below if not any(q.goal.broke(o, base) for o in runs if o.level == x)]
        kind = BoundKind.GENERATOR_LIMIT if held else BoundKind.GENERATOR_TOO_SLOW
        text = f"at {bad.level:g}: {bad.invalid[0]}"
        state.bound = state.bound or Bound(kind, max(held, default=None), text)

    # 3. Refine

    def _refine(self, label: str = "refine") -> None:
        q, state = self.question, self.state
        pending: deque[Running] = deque()
        state.posterior = self._fit()
        index = 0
        try:
            while state.bound is None and self.spent < q.runs_max:
                u = place(state.posterior, index, self._low, state.top, self._trials)
                pending.append(self.pool.submit(self.task(q.level(u), label, index)))
                index += 1
                if len(pending) < q.effort.lookahead:
                    continue
                self._take(pending.popleft())
                enough = len(state.refined) >= self._refine_min
                if enough and self._narrow >= q.effort.narrow_looks:
                    return
            while pending and state.bound is None:
                self._take(pending.popleft())
        finally:
            for running in pending:
                running.drop()

    def _take(self, running: Running) -> None:
        self._add([running.result()], self.state.refined, "refine")
        self.state.posterior = self._fit()
        self._narrow = self._narrow + 1 if self._is_narrow(self.state.posterior) else 0

    def _fit(self) -> Posterior:
        return self.state.fit()

    def _is_narrow(self, posterior: Posterior) -> bool:
        q = self.question
        low, high = (q.level(u) for u in posterior.interval())
        return abs(high - low) / 2 <= q.precision * abs(q.level(posterior.median))

    def _add(self, found: list[RunOutcome], to: list[RunOutcome], phase: Phase) -> None:
        to.extend(found)
        if not self._invalid(found):
            self._trials = self.state.trials()
        self._report_progress(phase)

    def _invalid(self, found: list[RunOutcome]) -> bool:
        bad = next((o for o in found if o.invalid and not o.beyond_generator), None)
        if bad is None:
            return False
        self.state.status = "INVALID"
        text = f"(seed {bad.seed}): {bad.invalid[0]}"
        self.state.bound = Bound(BoundKind.INVALID_RUN, bad.level, text)
        return True

    def _judge(self) -> None:
        state = self.state
        if state.status == "INVALID":
            return
        if state.posterior is None:
            state.bound = state.bound or Bound(BoundKind.NOT_FOUND)
            return
        low, high = state.posterior.interval()
        edge = 0.02 * (self._high - self._low)
        if low < self._low + edge or high > self.state.top - edge:
            state.bound = Bound(BoundKind.AT_AN_END)
        elif not self._is_narrow(state.posterior):
            text = f"{self.spent} runs were not enough for ± {self.question.precision:.0%}"
            state.bound = Bound(BoundKind.RUNS_SPENT, detail=text)
        else:
            state.status = "FOUND"
