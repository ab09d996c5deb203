"""Runs the strategies against a scenario and measures what the best of each kind gains."""

from __future__ import annotations

import math
from collections.abc import Callable, Sequence
from concurrent.futures import Executor
from dataclasses import asdict, dataclass, field
from typing import Any, Final

from surgetank.attacker.race import MeanGain, RaceEffort, estimate, race
from surgetank.attacker.strategies import KINDS, Strategy, drawn
from surgetank.errors import SurgetankError
from surgetank.measure.measured import plain
from surgetank.scenario import Scenario
from surgetank.search.pool import Pool, pool_of
from surgetank.search.probe import RunOutcome, Task
from surgetank.shown import Shown
from surgetank.verdict import Status

__all__ = ["GAIN", "BestResponse", "Response", "best_response"]

GAIN: Final = "attacker_gain_usd"

Watch = Callable[[str, int, int], None]
"""Called with the kind of attack in progress, runs done, and the approximate total."""


@dataclass(frozen=True)
class Response:
    """The best strategy of one kind of attack."""

    kind: str
    strategy: Strategy
    gain: MeanGain
    """Mean gain on fresh seeds, with its interval."""
    searched_usd: float
    """Mean gain on the seeds of the search, USD, which the selection biases upwards."""

    @property
    def pays(self) -> bool | None:
        """None: too few seeds to decide."""
        return self.gain.pays


@dataclass(frozen=True, repr=False)
class BestResponse(Shown):
    """The attacker's best response: the best strategy of each kind and its gain."""

    scenario: str
    responses: tuple[Response, ...]
    """Responses in order of gain, the greatest first."""
    search_seeds: range
    fresh_seeds: range
    runs: int
    left_out: tuple[str, ...] = field(default=())
    """Kinds that the scenario does not allow, and why."""
    invalid: tuple[str, ...] = field(default=())
    """Fresh runs that are INVALID, and why."""

    def in_short(self) -> str:
        """Status, the scenario and the kinds of attack."""
        kinds = ", ".join(one.kind for one in self.responses)
        return f"{self.status} {self.scenario}: {kinds}"

    @property
    def status(self) -> Status:
        """INVALID if a fresh run is INVALID. FAIL: some strategy pays; PASS: the best of every
        kind does not; else UNKNOWN."""
        if self.invalid:
            return Status.INVALID
        paying = [response.pays for response in self.responses]
        if any(pays is True for pays in paying):
            return Status.FAIL
        return Status.PASS if all(pays is False for pays in paying) else Status.UNKNOWN

    @property
    def gain_usd(self) -> float:
        """Gain of the best response, USD per run; 0 if none is known to pay, since not attacking is
        allowed."""
        return max((r.gain.mean for r in self.responses if r.pays), default=0.0)

    @property
    def seeds_needed(self) -> int | None:
        """Number of fresh seeds after which the interval of each undecided kind would exclude 0, at
        its present mean and variance; None if no kind is undecided, or if a mean is 0."""
        needed = [
            r.gain.n * ((r.gain.high - r.gain.mean) / r.gain.mean) ** 2
            for r in self.responses
            if r.pays is None and r.gain.mean and math.isfinite(r.gain.high)
        ]
        return math.ceil(max(needed)) if needed else None

    def to_dict(self) -> dict[str, Any]:
        """Plain values for JSON."""
        rows = [
            {
                "kind": r.kind,
                "pays": r.pays,
                "gain_usd": asdict(r.gain),
                "searched_usd": r.searched_usd,
                "attack": {"kind": r.kind, **r.strategy.values},
            }
            for r in self.responses
        ]
        found: dict[str, Any] = plain(
            {
                "scenario": self.scenario,
                "status": self.status.value,
                "gain_usd": self.gain_usd,
                "responses": rows,
                "search_seeds": list(self.search_seeds),
                "fresh_seeds": list(self.fresh_seeds),
                "seeds_needed": self.seeds_needed,
                "runs": self.runs,
                "left_out": list(self.left_out),
                "invalid": list(self.invalid),
            }
        )
        return found


def best_response(
    scenario: Scenario,
    *,
    kinds: Sequence[str] = KINDS,
    budget_usd: float = 1_000_000.0,
    effort: RaceEffort | None = None,
    fresh: int = 8,
    seed: int = 1,
    workers: int | None = None,
    executor: Executor | None = None,
    watch: Watch | None = None,
) -> BestResponse:
    """The best strategy of each kind of attack, within a budget, and what it gains on fresh seeds.

    Gain: `attacker_gain_usd`. `budget_usd` bounds the capital of the attacker's accounts. The
    search uses the seeds from `seed` on, the estimate the `fresh` ones after them.

    Raises:
        SurgetankError: an unknown kind, no kind that the scenario allows, no market, or a number
            that makes no sense.
    """
    effort = effort or RaceEffort()
    _check(scenario, kinds, fresh, budget_usd)
    search_seeds = range(seed, seed + effort.search_seeds)
    fresh_seeds = range(search_seeds.stop, search_seeds.stop + fresh)
    fit, left_out = _fit(scenario, kinds, budget_usd)
    found, invalid = [], []
    with pool_of(executor, workers, None) as pool:
        each = effort.runs + fresh

        def evaluate(asked: Sequence[tuple[Strategy, int]]) -> list[float]:
            gains = [_gain(outcome) for outcome in _played(pool, scenario, asked)]
            if watch:
                watch(kind, pool.spent, max(pool.spent, len(fit) * each))
            return gains

        for number, kind in enumerate(fit):
            if watch:
                watch(kind, pool.spent, max(pool.spent, len(fit) * each))
            first = drawn(kind, effort.candidates, budget_usd, seed + number)
            draw = seed + 1_000 * number
            best, searched = race(first, evaluate, search_seeds, effort, draw)
            outcomes = _played(pool, scenario, [(best, s) for s in fresh_seeds])
            invalid += [f"{kind}, seed {o.seed}: {o.invalid[0]}" for o in outcomes if o.invalid]
            gain = estimate([_gain(outcome) for outcome in outcomes], len(fit))
            found.append(Response(kind, best, gain, searched))
        runs = pool.spent
    found.sort(key=lambda r: -r.gain.mean if not math.isnan(r.gain.mean) else math.inf)
    return BestResponse(
        scenario.name,
        tuple(found),
        search_seeds,
        fresh_seeds,
        runs,
        tuple(left_out),
        tuple(invalid),
    )


def _played(
    pool: Pool, scenario: Scenario, asked: Sequence[tuple[Strategy, int]]
) -> list[RunOutcome]:
    return pool.all([Task(s.applied(scenario), 0.0, number) for s, number in asked])


def _gain(outcome: RunOutcome) -> float:
    """The attacker's gain in a run, USD; NaN if the run is INVALID."""
    return math.nan if outcome.invalid else outcome.value(GAIN)


def _check(scenario: Scenario, kinds: Sequence[str], fresh: int, budget_usd: float) -> None:
    if scenario.market is None:
        raise SurgetankError(
            "has no market, so no attack can gain", place=scenario.name, hint="Add [market]"
        )
    unknown = [kind for kind in kinds if kind not in KINDS]
    if unknown or not kinds:
        raise SurgetankError(
            "no such attack that trades" if unknown else "no attack is named",
            place=f"--kinds {','.join(unknown)}",
            hint=f"Choose among {', '.join(KINDS)}",
        )
    if fresh < 2:
        raise SurgetankError(
            "one seed has no interval", place=f"--fresh {fresh}", hint="Give 8 or more"
        )
    if not 0 < budget_usd <= 1e12:
        raise SurgetankError(
            "must lie in (0, 1e12]", place=f"--budget-usd {budget_usd:g}", hint="Try 1000000"
        )


def _fit(
    scenario: Scenario, kinds: Sequence[str], budget_usd: float
) -> tuple[list[str], list[str]]:
    """Kinds that the scenario allows, and why it does not allow the others."""
    fit, unfit = [], []
    for kind in dict.fromkeys(kinds):
        try:
            drawn(kind, 1, budget_usd, 0)[0].applied(scenario)
        except SurgetankError as error:
            unfit.append(f"{kind}: {error}")
        else:
            fit.append(kind)
    if not fit:
        raise SurgetankError(
            f"none of these attacks fits it ({'; '.join(unfit)})",
            place=scenario.name,
            hint="Choose other --kinds",
        )
    return fit, unfit
