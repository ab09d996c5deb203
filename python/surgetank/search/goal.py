"""What is looked for: when a run counts as broken, and how probable that may be.

- Throughput capacity: the highest load whose p99 end-to-end delay stays within `degradation` of its
  unloaded value and of whose messages 99 % are executed.
- Failure threshold: the lowest load at which the venue fails more likely than not: its fault budget
  is used up, it stands still, or its executed state is stale (`surgetank.measure.FailureKind`).
- Safe leverage: the highest initial leverage whose P(bad debt), per liquidation or per run, stays
  below the budget.
- A limit of the scenario: the level at which it is more likely than not to break.
"""

from __future__ import annotations

import math
from dataclasses import dataclass
from typing import Final, Literal

from surgetank.catalogue import LINES
from surgetank.errors import SurgetankError
from surgetank.search.posterior import Trial
from surgetank.search.probe import RunOutcome

__all__ = ["FINDS", "Goal", "Per", "goal"]

Per = Literal["liquidation", "run"]

FINDS: Final = tuple(LINES)
"""What can be found by name."""

_EXECUTED_MIN: Final = 0.99


@dataclass(frozen=True)
class Goal:
    """What breaks, and the probability at which the line is drawn."""

    find: str
    target: float
    """P(broken) on the line."""
    limit: str = ""
    """The limit that breaks, for `find` = "limit"; empty = any of them."""
    degradation: float = 2.0
    per: Per = "liquidation"

    @property
    def counts(self) -> bool:
        """Whether a run is many trials, its liquidations, and not one."""
        return self.find == "safe-leverage" and self.per == "liquidation"

    def trial(self, outcome: RunOutcome, u: float, unloaded_ms: float) -> Trial:
        """How often it broke in this run: once of once, or bad debts of liquidations."""
        if self.counts:
            return Trial(u, outcome.value("bad_debts"), outcome.value("liquidations_triggered"))
        return Trial(u, float(self.broke(outcome, unloaded_ms)), 1.0)

    def broke(self, outcome: RunOutcome, unloaded_ms: float) -> bool:
        """Whether the run is beyond the line."""
        if self.find == "capacity":
            delay = outcome.value("delay_p99_ms")
            done = outcome.value("executed_share")
            slow = math.isnan(delay) or delay > self.degradation * unloaded_ms
            return slow or not done >= _EXECUTED_MIN
        if self.find == "failure-threshold":
            return bool(outcome.failures)
        if self.find == "safe-leverage":
            share = outcome.value("bad_debts") / max(outcome.value("liquidations_triggered"), 1.0)
            return share > (0.0 if self.per == "run" else self.target)
        if self.limit:
            return self.limit in outcome.failed
        return bool(outcome.failed)

    @property
    def said(self) -> str:
        """What breaks, in words."""
        if self.find == "capacity":
            return f"p99 delay above {self.degradation:g} × unloaded, or fewer than 99 % executed"
        if self.find == "failure-threshold":
            return "a third of the weight out of step, a standstill, or a stale executed state"
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
        raise SurgetankError("nothing of this name can be found", place=find, hint=hint)
    if not degradation > 1:
        raise SurgetankError("must be above 1", place="degradation", hint="The default is 2")
    if not 0 < budget < 0.5:
        raise SurgetankError("must lie between 0 and 0.5", place="budget", hint="Try 0.01")
    target = budget if find == "safe-leverage" else 0.5
    return Goal(find, target, limit, degradation, per)
