"""Goals of a search: when a run counts as failing, and the probability at the threshold.

- Throughput capacity: the highest load whose p99 end-to-end latency stays within `degradation` of
its
  unloaded value and of whose messages 99 % are executed.
- Failure threshold: the lowest load at which the venue fails more likely than not: its fault budget
  is used up, no node makes progress, or its executed state is stale
  (`surgetank.measure.FailureKind`).
- Safe leverage: the highest initial leverage whose P(bad debt), per liquidation or per run, stays
  below the budget. Of a position book: the highest cap on leverage at which more than the budget of
  its accounts leave bad debt in at most one run of twenty.
- A limit of the scenario: the level at which it is more likely violated than not.
"""

from __future__ import annotations

import math
from dataclasses import dataclass
from typing import Final, Literal

from surgetank.catalogue import THRESHOLDS
from surgetank.errors import SurgetankError
from surgetank.scenario import Scenario
from surgetank.search.posterior import Trial
from surgetank.search.probe import RunOutcome

__all__ = ["FINDS", "Goal", "Per", "goal", "unit_of"]

Per = Literal["liquidation", "run", "account"]

FINDS: Final = tuple(THRESHOLDS)
"""Thresholds that can be searched for by name."""

_EXECUTED_MIN: Final = 0.99
#: Share of runs in which more accounts of a book than the budget may leave bad debt.
_RUNS_OVER: Final = 0.05


@dataclass(frozen=True)
class Goal:
    """The failure criterion, and the probability of failure that defines the threshold."""

    find: str
    target: float
    """Probability of failure at the threshold."""
    limit: str = ""
    """The limit that is violated, for `find` = "limit"; empty = any of them."""
    degradation: float = 2.0
    per: Per = "liquidation"
    budget: float = 0.01
    """Allowed share of bad debt, for safe leverage."""
    part: str = ""
    """The part of a position book that counts, as `part_counts` names it; empty: the whole."""

    @property
    def counts(self) -> bool:
        """Whether each liquidation of a run is a trial, not the run as a whole."""
        return self.find == "safe-leverage" and self.per == "liquidation"

    def trial(self, outcome: RunOutcome, u: float, unloaded_ms: float) -> Trial:
        """Failures of trials in this run: 0 or 1 of 1, or bad debts of liquidations."""
        if self.counts:
            return Trial(u, outcome.value("bad_debts"), outcome.value("liquidations_triggered"))
        return Trial(u, float(self.broke(outcome, unloaded_ms)), 1.0)

    def broke(self, outcome: RunOutcome, unloaded_ms: float) -> bool:
        """Whether the run fails."""
        if self.find == "capacity":
            delay = outcome.value("delay_p99_ms")
            done = outcome.value("executed_share")
            slow = math.isnan(delay) or delay > self.degradation * unloaded_ms
            return slow or not done >= _EXECUTED_MIN
        if self.find == "failure-threshold":
            return bool(outcome.failures)
        if self.find == "safe-leverage":
            if "book_accounts" in outcome.values:
                allowed = self.budget if self.per == "account" else 0.0
                accounts = outcome.value(f"book_accounts{self.part}")
                return outcome.value(f"book_accounts_bad{self.part}") > allowed * accounts
            share = outcome.value("bad_debts") / max(outcome.value("liquidations_triggered"), 1.0)
            return share > (0.0 if self.per == "run" else self.target)
        if self.limit:
            return self.limit in outcome.failed
        return bool(outcome.failed)

    @property
    def criterion(self) -> str:
        """The failure criterion, as text."""
        if self.find == "capacity":
            return f"p99 latency above {self.degradation:g} × unloaded, or fewer than 99 % executed"
        if self.find == "failure-threshold":
            return "a third of the weight out of step, a standstill, or a stale executed state"
        if self.find == "safe-leverage" and self.per == "account":
            return f"more than {self.budget:g} of the accounts leave bad debt"
        if self.find == "safe-leverage":
            return f"bad debt in more than {self.target:g} of {self.per}s"
        return self.limit or "any limit of the scenario"


def goal(
    find: str,
    *,
    limit: str = "",
    degradation: float = 2.0,
    budget: float = 0.01,
    per: Per = "liquidation",
) -> Goal:
    """A goal by its name.

    Raises:
        SurgetankError: if there is none of this name, or a number makes no sense.
    """
    if find not in (*FINDS, "limit"):
        hint = f"Take one of: {', '.join(FINDS)}; or give --vary, --range and --until"
        raise SurgetankError("there is no search of this name", place=f"--find {find}", hint=hint)
    if not degradation > 1:
        raise SurgetankError("must be above 1", place="degradation", hint="The default is 2")
    if not 0 < budget < 0.5:
        raise SurgetankError("must lie between 0 and 0.5", place="budget", hint="Try 0.01")
    target = 0.5
    if find == "safe-leverage":
        target = _RUNS_OVER if per == "account" else budget
    return Goal(find, target, limit, degradation, per, budget)


def unit_of(scenario: Scenario, per: Per | None) -> Per:
    """The unit of the budget of bad debt, by default that of the positions.

    Of a position book it is not a liquidation: below a cap on leverage nothing is liquidated.

    Raises:
        SurgetankError: the positions have no such unit.
    """
    booked = scenario.position_book is not None
    units: tuple[Per, ...] = ("account", "run") if booked else ("liquidation", "run")
    if per is not None and per not in units:
        what = "is for drawn positions" if booked else "needs a position book"
        hint = f"Give {units[0]} or {units[1]}"
        raise SurgetankError(what, place=f"--per {per}", hint=hint)
    return per or units[0]
