"""The losses of a run, by bearer and by group of accounts, and those of all runs as arrays."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Final

import numpy as np
import polars as pl
from numpy.typing import NDArray

from surgetank.catalogue.families import BEARER
from surgetank.measure import Measures
from surgetank.measure.bad_debt import debts, exhausted
from surgetank.search.probe import RunOutcome, Task
from surgetank.simulate import simulate
from surgetank.trace import Trace
from surgetank.verdict import Status, judge

__all__ = ["EXHAUSTED", "TOTAL", "UNBOOKED", "Losses", "losses_of", "observe"]

Floats = NDArray[np.float64]

TOTAL: Final = "bad_debt_usd"
"""Value of an outcome: all bad debt of the run, what is not yet booked included."""
EXHAUSTED: Final = "insurance_exhausted"
"""Value of an outcome: 1 if the insurance fund could not pay a debt in full, else 0."""
UNBOOKED: Final = "unbooked"
"""The member of the bearers that a stopped or slow venue leaves open."""


@dataclass(frozen=True)
class Losses:
    """Losses of runs in USD; every array has the shape (runs,)."""

    total: Floats
    bearers: Mapping[str, Floats]
    """Member of `BEARER` → its part; the parts sum to the total."""
    exhausted: NDArray[np.bool_]
    """Whether the insurance fund could not pay a debt in full."""

    @property
    def beyond(self) -> Floats:
        """What the insurance fund did not pay."""
        return np.asarray(self.total - self.bearers["insurance"], dtype=np.float64)

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
    return values | {TOTAL: sum(parts.values()), EXHAUSTED: float(exhausted(trace))}


def losses_of(outcomes: Sequence[RunOutcome]) -> Losses:
    """The losses of these runs, in their order."""

    def column(name: str) -> Floats:
        return np.array([outcome.value(name) for outcome in outcomes], dtype=np.float64)

    return Losses(
        total=column(TOTAL),
        bearers={bearer: column(f"{TOTAL}.{bearer}") for bearer in BEARER.members},
        exhausted=column(EXHAUSTED) > 0,
    )
