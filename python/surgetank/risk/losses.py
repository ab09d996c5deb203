"""The losses of a run, by bearer and by group of accounts, and those of all runs as arrays."""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from typing import Final

import numpy as np
import polars as pl
from numpy.typing import NDArray

from surgetank.catalogue.families import BEARER
from surgetank.measure import Measures
from surgetank.measure.bad_debt import debts, exhausted
from surgetank.risk.groups import DIVISIONS, OTHER, UNBOOKED, by_group
from surgetank.search.probe import RunOutcome, Task
from surgetank.simulate import simulate
from surgetank.trace import Trace
from surgetank.verdict import Status, judge

__all__ = ["EXHAUSTED", "TOTAL", "Losses", "losses_of", "observe"]

Floats = NDArray[np.float64]

TOTAL: Final = "bad_debt_usd"
"""Value of an outcome: all bad debt of the run, what is not yet booked included."""
EXHAUSTED: Final = "insurance_exhausted"
"""Value of an outcome: 1 if the insurance fund could not pay a debt in full, else 0."""


@dataclass(frozen=True)
class Losses:
    """Losses of runs in USD; every array has the shape (runs,)."""

    total: Floats
    bearers: Mapping[str, Floats]
    """Member of `BEARER` → its part; the parts sum to the total."""
    exhausted: NDArray[np.bool_]
    """Whether the insurance fund could not pay a debt in full."""
    divisions: Mapping[str, Mapping[str, Floats]]
    """Division of `DIVISIONS` → member → its part, of members with any; they sum to the total."""

    @property
    def beyond(self) -> Floats:
        """What the insurance fund did not pay."""
        others = [part for bearer, part in self.bearers.items() if bearer != "insurance"]
        return np.asarray(np.sum(others, axis=0), dtype=np.float64)

    def __len__(self) -> int:
        return len(self.total)


def observe(task: Task) -> RunOutcome:
    """Runs a task and measures its losses only.

    Raises:
        SurgetankError: if the core cannot build the scenario.
    """
    trace = simulate(task.scenario, seed=task.seed)
    reasons = judge(Measures([]), {}, trace).reasons
    return RunOutcome(
        key=task.key,
        level=task.level,
        seed=task.seed,
        messages=trace["messages"].height,
        values=dict(_values(trace)),
        failed=(),
        unknown=(),
        invalid=tuple(f"{r.name}: {r.text}" for r in reasons if r.status is Status.INVALID),
        saturated=(),
    )


def _values(trace: Trace) -> dict[str, float]:
    """What a run lost, by the names that an outcome gives it."""
    quantum_usd = trace.stats.quantum_usd
    booked = debts(trace)
    parts = dict.fromkeys(BEARER.members, 0.0)
    for bearer, amount in (
        booked.group_by("bearer", maintain_order=True).agg(pl.col("amount").sum()).iter_rows()
    ):
        parts[bearer] = amount * quantum_usd
    parts[UNBOOKED] = trace.stats.uncovered_usd
    values = {f"{TOTAL}.{bearer}": usd for bearer, usd in parts.items()}
    for division, members in by_group(trace).items():
        values |= {_named(division, member): usd for member, usd in members.items()}
    # From whole quanta: the same debt borne by others must be the same number.
    total = int(booked["amount"].sum()) * quantum_usd + parts[UNBOOKED]
    return values | {TOTAL: total, EXHAUSTED: float(exhausted(trace))}


def _named(division: str, member: str) -> str:
    return f"{TOTAL}.{division}.{member}"


def losses_of(outcomes: Sequence[RunOutcome]) -> Losses:
    """The losses of these runs, in their order."""

    def column(name: str) -> Floats:
        return np.array([outcome.value(name) for outcome in outcomes], dtype=np.float64)

    def divided(division: str, members: Iterable[str]) -> dict[str, Floats]:
        parts = {member: np.nan_to_num(column(_named(division, member))) for member in members}
        return {member: part for member, part in parts.items() if part.any()}

    return Losses(
        total=column(TOTAL),
        bearers={bearer: column(f"{TOTAL}.{bearer}") for bearer in BEARER.members},
        exhausted=column(EXHAUSTED) > 0,
        divisions={
            division: divided(division, (*members, OTHER, UNBOOKED))
            for division, members in DIVISIONS.items()
        },
    )
