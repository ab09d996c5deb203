"""The distribution of bad debt and of insurance drawn over seeds, and what would change it."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping, Sequence
from concurrent.futures import Executor
from pathlib import Path
from typing import Any, Final

from surgetank.catalogue.families import BEARER
from surgetank.errors import SurgetankError
from surgetank.native import build
from surgetank.positions import PositionBook
from surgetank.risk.answer import InvalidRun, Risk, ranked
from surgetank.risk.changes import Intervention, candidates
from surgetank.risk.contributions import Contribution, contributions
from surgetank.risk.estimates import MEAN_RUNS, RiskEstimate, estimates_of, probability
from surgetank.risk.limits import check_limits, judged
from surgetank.risk.losses import Losses, losses_of, observe
from surgetank.risk.paired import DebtEffect, begin, effects
from surgetank.scenario import Scenario, load
from surgetank.search.pool import Pool, Running, pool_of
from surgetank.search.probe import RunOutcome, Task

__all__ = ["RUNS", "Contribution", "DebtEffect", "Risk", "RiskEstimate", "check", "risk"]

#: Called with runs done and the most that there will be.
Progress = Callable[[int, int], None]

RUNS: Final = 400
"""Default number of runs: enough for an expected shortfall at 95 %."""
_RUNS_MAX: Final = 1_000_000
#: The first look of a stopping rule; each further one has twice the runs.
_FIRST_LOOK: Final = 50


def risk(
    scenario: Scenario | str | Path,
    *,
    runs: int = RUNS,
    seed: int | None = None,
    limits: Mapping[str, float] | None = None,
    precision: float | None = None,
    remedies: bool = False,
    tries: Mapping[str, Mapping[str, Any]] | None = None,
    positions: PositionBook | None = None,
    workers: int | None = None,
    executor: Executor | None = None,
    journal: Path | None = None,
    progress: Progress | None = None,
) -> Risk:
    """Runs a scenario under `runs` seeds and estimates the distribution of its bad debt, in USD.

    `seed` is the first seed, by default the scenario's. `limits` bound quantities of
    `surgetank.catalogue.RISK_LIMITS`: `{"bad_debt_es95_usd_max": 1e6}`. With `precision` runs end
    earlier, when half the interval of the mean is at most this share of it; looked at after 50,
    100, 200, … runs. With `remedies` every change of `surgetank.risk.changes` is tried with the
    same seeds, and so are `tries`: a name → values for `Scenario.with_values`. With `positions` the
    market opens with the accounts of that book. Runs are made in
    `workers` processes or on an `executor`; finished ones are kept in `journal`, and found there
    again. The answer depends on none of these.

    Raises:
        SurgetankError: the scenario has no market or cannot be built, a number makes no sense, or
            there is no such limit.
    """
    chosen = scenario if isinstance(scenario, Scenario) else load(scenario)
    if positions is not None:
        chosen = chosen.with_positions(positions)
    asked = dict(limits or {})
    check(chosen, runs=runs, limits=asked, precision=precision, tries=tries)
    own = [Intervention(text, values) for text, values in (tries or {}).items()]
    changes = [*own, *(candidates(chosen) if remedies else [])]
    first = chosen.seed if seed is None else seed
    most = runs * (1 + len(changes))
    with pool_of(executor, workers, journal, observe) as pool:
        counted = _Counted(progress, most)
        seeds = list(range(first, first + runs))
        outcomes = _distribution(pool, chosen, seeds, precision, counted)
        seeds = seeds[: len(outcomes)]
        invalid = [o for o in outcomes if o.invalid]
        found: list[DebtEffect] = []
        before = losses_of(outcomes)
        if changes and not invalid:
            tried = begin(pool, chosen, seeds, changes)
            counted.most = len(seeds) + sum(len(one.runs) for one in tried)
            for one in tried:
                counted.wait(one.runs)
            found = list(effects(before, tried))
        messages = pool.messages
    estimates = [] if invalid else _estimates(before)
    return Risk(
        scenario=chosen.name,
        scenario_hash=chosen.hash,
        build=build(),
        seeds=tuple(seeds),
        messages=messages,
        recording=chosen.event if chosen.tape_hash else "",
        losses=before,
        estimates=tuple(estimates),
        contributions=() if invalid else tuple(_contributions(before)),
        effects=ranked(found),
        reasons=() if invalid else tuple(judged(asked, estimates)),
        invalid=tuple(InvalidRun(o.seed, o.invalid[0]) for o in invalid),
    )


def check(
    scenario: Scenario,
    *,
    runs: int = RUNS,
    limits: Mapping[str, float] | None = None,
    precision: float | None = None,
    tries: Mapping[str, Mapping[str, Any]] | None = None,
) -> None:
    """Refuses what `risk` would refuse, before anything is run.

    Raises:
        SurgetankError: naming the place, and the hint.
    """
    if scenario.market is None:
        hint = "Add a [market] to the scenario"
        raise SurgetankError("bad debt needs a market", place=scenario.name, hint=hint)
    if not MEAN_RUNS <= runs <= _RUNS_MAX:
        what = f"must lie between {MEAN_RUNS} and {_RUNS_MAX:,}"
        raise SurgetankError(what, place=f"--runs {runs}", hint=f"The default is {RUNS}")
    if precision is not None and not 0 < precision < 1:
        place, hint = f"--precision {precision:g}", "Give a share, such as 0.1"
        raise SurgetankError("must lie between 0 and 1", place=place, hint=hint)
    check_limits(limits or {})
    for values in (tries or {}).values():
        scenario.with_values(values)


class _Counted:
    """Counts finished runs and reports them."""

    def __init__(self, progress: Progress | None, most: int) -> None:
        self._progress, self.most, self._done = progress, most, 0

    def wait(self, running: Sequence[Running]) -> list[RunOutcome]:
        """The outcomes of these runs, in their order."""
        found = []
        for run in running:
            found.append(run.result())
            self._done += 1
            if self._progress is not None:
                self._progress(self._done, self.most)
        return found


def _distribution(
    pool: Pool, scenario: Scenario, seeds: Sequence[int], precision: float | None, counted: _Counted
) -> list[RunOutcome]:
    """The outcomes of the seeds, or of the first of them if these are precise enough."""
    looks = [len(seeds)]
    if precision is not None:
        look = _FIRST_LOOK
        looks = []
        while look < len(seeds):
            looks.append(look)
            look *= 2
        looks.append(len(seeds))
    outcomes: list[RunOutcome] = []
    for look in looks:
        tasks = [Task(scenario, 0.0, seed) for seed in seeds[len(outcomes) : look]]
        outcomes += counted.wait([pool.submit(task) for task in tasks])
        if any(o.invalid for o in outcomes):
            break
        if precision is not None and _is_precise(losses_of(outcomes), precision):
            break
    return outcomes


def _is_precise(losses: Losses, precision: float) -> bool:
    mean = estimates_of(losses.total)[0]
    if mean.value is None or mean.low is None or mean.high is None:
        return False
    return (mean.high - mean.low) / 2 <= precision * mean.value


def _contributions(losses: Losses) -> Iterator[Contribution]:
    for division, members in losses.divisions.items():
        yield from contributions(losses.total, members, division)


def _estimates(losses: Losses) -> list[RiskEstimate]:
    """All quantities, of the whole and of each bearer."""
    n = len(losses)
    found = []
    for name, hits in (
        ("bad_debt_probability", losses.total > 0),
        ("insurance_exhausted_probability", losses.exhausted),
    ):
        count = int(hits.sum())
        found.append(RiskEstimate(name, count / n, *probability(count, n), n))
    found += estimates_of(losses.total)
    for bearer in BEARER.members:
        found += estimates_of(losses.bearers[bearer], bearer)
    return found
