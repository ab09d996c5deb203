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
from surgetank.measure.bad_debt import debts, exhausted, unbooked_usd
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

#: Values of an outcome that are of a group of accounts begin so.
_GROUP: Final = "of."
#: Most accounts that are named.
_NAMED: Final = 10


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
    parts[UNBOOKED] = unbooked_usd(trace)
    values = {f"{TOTAL}.{bearer}": usd for bearer, usd in parts.items()}
    for division, members in by_group(trace).items():
        values |= {_named(division, member): usd for member, usd in members.items()}
    # From whole quanta: the same debt borne by others must be the same number.
    total = int(booked["amount"].sum()) * quantum_usd + parts[UNBOOKED]
    return values | {TOTAL: total, EXHAUSTED: float(exhausted(trace))}


def _named(division: str, member: str) -> str:
    return f"{_GROUP}{division}.{member}"


def losses_of(outcomes: Sequence[RunOutcome]) -> Losses:
    """The losses of these runs, in their order."""

    def column(name: str) -> Floats:
        return np.array([outcome.value(name) for outcome in outcomes], dtype=np.float64)

    return Losses(
        total=column(TOTAL),
        bearers={bearer: column(f"{TOTAL}.{bearer}") for bearer in BEARER.members},
        exhausted=column(EXHAUSTED) > 0,
        divisions=_divisions(outcomes),
    )


def _divisions(outcomes: Sequence[RunOutcome]) -> dict[str, dict[str, Floats]]:
    """Division → member → its part of each run, of the members with the largest parts."""
    found: dict[str, dict[str, Floats]] = {}
    for i, outcome in enumerate(outcomes):
        for name, usd in outcome.values.items():
            division, dot, member = name.removeprefix(_GROUP).partition(".")
            if name.startswith(_GROUP) and dot and usd:
                parts = found.setdefault(division, {})
                parts.setdefault(member, np.zeros(len(outcomes)))[i] = usd
    ordered = [*DIVISIONS, *(name for name in found if name not in DIVISIONS)]
    return {name: _largest(name, found[name]) for name in ordered if name in found}


def _largest(division: str, parts: dict[str, Floats]) -> dict[str, Floats]:
    """The members in the order of their titles, or from large to small and the rest together."""
    last = [name for name in (OTHER, UNBOOKED) if name in parts]
    titled = [name for name in DIVISIONS.get(division, ()) if name in parts]
    if titled or division in DIVISIONS:
        return {name: parts[name] for name in (*titled, *last)}
    ranked = sorted((n for n in parts if n not in last), key=lambda n: (-parts[n].sum(), n))
    kept = {name: parts[name] for name in ranked[:_NAMED]}
    if len(ranked) > _NAMED:
        rest = [parts[name] for name in (*ranked[_NAMED:], *last[: OTHER in parts])]
        kept[OTHER] = np.asarray(np.sum(rest, axis=0), dtype=np.float64)
    return kept | {name: parts[name] for name in last if name not in kept}
