"""The effect of a change on bad debt, paired by seed.

Of each quantity the difference with the change less without it, over the same seeds; intervals are
by bootstrap BCa over seeds, and those of one quantity hold for all changes simultaneously
(Bonferroni).
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from typing import Final

import numpy as np

from surgetank.errors import SurgetankError
from surgetank.risk.changes import Intervention
from surgetank.risk.estimates import (
    MEAN_RUNS,
    Floats,
    Indices,
    bootstrap,
    expected_shortfall,
    shortfall_runs,
)
from surgetank.risk.losses import Losses, losses_of
from surgetank.scenario import Scenario
from surgetank.search.pool import Pool, Running
from surgetank.search.probe import Task

__all__ = ["QUANTITIES", "Begun", "DebtDifference", "DebtEffect", "begin", "effects"]

QUANTITIES: Final = {
    "mean": "mean bad debt",
    "es95": "expected shortfall 95 %",
    "beyond": "mean beyond the insurance fund",
}
"""What a change may reduce → its title."""
_TAIL: Final = 0.95


@dataclass(frozen=True)
class DebtDifference:
    """A quantity with the change less without it, USD."""

    value: float
    low: float | None
    """Ends of the simultaneous interval; None if there are too few runs."""
    high: float | None

    @property
    def reduces(self) -> bool:
        """Whether the interval lies below zero."""
        return self.high is not None and self.high < 0

    @property
    def raises(self) -> bool:
        """Whether the interval lies above zero."""
        return self.low is not None and self.low > 0


@dataclass(frozen=True)
class DebtEffect:
    """What a change did to the quantities."""

    text: str
    values: Mapping[str, object]
    differences: Mapping[str, DebtDifference]
    """Of each of `QUANTITIES`; empty if there is no result."""
    why: str = ""
    """Why there is no result."""
    left_out: bool = False
    """Whether the scenario does not allow the change, or it changes nothing: it was not tried."""


@dataclass(frozen=True)
class Begun:
    """A change whose runs have been begun."""

    change: Intervention
    runs: Sequence[Running]
    refused: str = ""
    """Why it has none."""


def begin(
    pool: Pool, scenario: Scenario, seeds: Sequence[int], changes: Sequence[Intervention]
) -> list[Begun]:
    """Begins the runs of every change with the seeds of the unchanged scenario."""
    tried = []
    for change in changes:
        try:
            other = change.applied(scenario)
        except SurgetankError as error:
            tried.append(Begun(change, (), error.message))
            continue
        tried.append(Begun(change, [pool.submit(Task(other, 0.0, seed)) for seed in seeds]))
    return tried


def effects(before: Losses, tried: Sequence[Begun]) -> Iterator[DebtEffect]:
    """The effect of each change, as its runs end."""
    compared = sum(not one.refused for one in tried)
    for one in tried:
        after = [run.result() for run in one.runs]
        why = one.refused or next((outcome.invalid[0] for outcome in after if outcome.invalid), "")
        # An INVALID run gives no effect.
        found = {} if why else differences(before, losses_of(after), compared)
        yield DebtEffect(one.change.text, dict(one.change.values), found, why, bool(one.refused))


def differences(before: Losses, after: Losses, compared: int = 1) -> dict[str, DebtDifference]:
    """The quantities of `QUANTITIES` of the same seeds, after less before."""
    change = after.total - before.total
    beyond = after.beyond - before.beyond

    def moved(at: Indices) -> Floats:
        shortfall = expected_shortfall(after.total[at], _TAIL)
        shortfall = shortfall - expected_shortfall(before.total[at], _TAIL)
        return np.stack([change[at].mean(axis=-1), shortfall, beyond[at].mean(axis=-1)])

    runs = len(before)
    values = moved(np.arange(runs))
    needed = (MEAN_RUNS, shortfall_runs(_TAIL), MEAN_RUNS)
    ends = bootstrap(runs, moved, compared=compared) if runs >= MEAN_RUNS else [None] * 3
    found = {}
    for name, value, interval, least in zip(QUANTITIES, values, ends, needed, strict=True):
        if runs < least:
            interval = None
        elif interval is None:
            # No resampling changes it: the same in every run.
            interval = (float(value), float(value))
        found[name] = DebtDifference(float(value), *(interval or (None, None)))
    return found
