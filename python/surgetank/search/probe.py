"""One replicate of a search: from a scenario and a seed to a `RunOutcome`.

`probe` may run in another process or on another machine, so it takes and returns plain values.
"""

from __future__ import annotations

import math
from collections.abc import Mapping
from dataclasses import asdict, dataclass
from typing import Any

import polars as pl

from surgetank.errors import SurgetankError
from surgetank.measure import FailureKind, failures, measure
from surgetank.measure.measured import plain
from surgetank.measure.saturation import saturation
from surgetank.native import build
from surgetank.scenario import Scenario
from surgetank.search.book_parts import part_counts
from surgetank.simulate import simulate
from surgetank.trace import OutcomeReason, Trace
from surgetank.verdict import Status, judge
from surgetank.verdict.validity import CheckKind

__all__ = ["Crashed", "RunOutcome", "Saturated", "Task", "outcome_of", "probe"]

#: Saturated resources recorded of each run.
_KEPT = 8


@dataclass(frozen=True)
class Task:
    """A run to be made: scenario, level and seed."""

    scenario: Scenario
    level: float
    seed: int

    @property
    def key(self) -> str:
        """The key of the run: its seed, and all that changes its trace."""
        return f"{self.seed}:{self.scenario.hash}:{build()}"


@dataclass(frozen=True)
class Saturated:
    """A resource, its place, and the share of it that was used."""

    resource: str
    where: str
    value: float


@dataclass(frozen=True)
class RunOutcome:
    """The outcome of a run."""

    key: str
    level: float
    seed: int
    messages: int
    """Client messages simulated."""
    values: Mapping[str, float | None]
    """Every measure; infinite where a quantile was never reached."""
    failed: tuple[str, ...]
    """Limits of the scenario that were violated."""
    unknown: tuple[str, ...]
    """Limits that could not be judged."""
    invalid: tuple[str, ...]
    """Why the run is INVALID; empty if it is not."""
    saturated: tuple[Saturated, ...]
    """Most saturated first."""
    failures: tuple[FailureKind, ...] = ()
    """Kinds of failure in order of time; empty if there was none."""
    beyond_generator: bool = False
    """It is invalid only because a live run's generator could not make the load."""
    sent_late: bool = False
    """It is invalid only because the sender was behind its schedule; it sent every message."""
    forked: bool = False
    """It is invalid because two honest nodes decided differently."""

    def value(self, name: str) -> float:
        """A measure; NaN if the run has no data for it."""
        found = self.values.get(name)
        return math.nan if found is None else found

    def to_dict(self) -> dict[str, Any]:
        """Plain values for JSON; infinity becomes the text "inf"."""
        content = asdict(self)
        content["values"] = {k: plain(v) for k, v in self.values.items()}
        return content

    @classmethod
    def from_dict(cls, content: Mapping[str, Any]) -> RunOutcome:
        """The reverse of `to_dict`."""
        return cls(
            key=str(content["key"]),
            level=float(content["level"]),
            seed=int(content["seed"]),
            messages=int(content["messages"]),
            values={k: None if v is None else float(v) for k, v in content["values"].items()},
            failed=tuple(content["failed"]),
            unknown=tuple(content["unknown"]),
            invalid=tuple(content["invalid"]),
            saturated=tuple(Saturated(**s) for s in content["saturated"]),
            failures=tuple(FailureKind(k) for k in content["failures"]),
            beyond_generator=bool(content["beyond_generator"]),
            sent_late=bool(content["sent_late"]),
            forked=bool(content.get("forked", False)),
        )


class Crashed(RuntimeError):
    """A run ended with an error that no input explains: a defect of surgetank, named by its run.

    Unlike some of its causes, such as a panic of the core, it can be sent between processes.
    """


def probe(task: Task) -> RunOutcome:
    """Runs a task.

    Raises:
        SurgetankError: if the core cannot build the scenario.
        Crashed: if the run ended with any other error.
    """
    try:
        return outcome_of(task, simulate(task.scenario, seed=task.seed))
    except (SurgetankError, KeyboardInterrupt, SystemExit):
        raise
    except BaseException as error:  # a panic of the core is not an Exception
        raise Crashed(
            f"{task.scenario.name} at level {task.level:g}, seed {task.seed}, "
            f"scenario {task.scenario.hash[:12]}: {type(error).__name__}: {error}"
        ) from error


def _sent_all(trace: Trace) -> bool:
    """Whether there was room in flight for every message of a live run."""
    unsent = pl.col("reason") == OutcomeReason.NOT_SENT
    return trace["messages"].filter(unsent).is_empty()


def outcome_of(task: Task, trace: Trace) -> RunOutcome:
    """The outcome of a task, from its trace."""
    measures = measure(trace)
    limits = task.scenario.limits.as_mapping()
    verdict = judge(measures, limits, trace)
    by_status: dict[Status, list[str]] = {status: [] for status in Status}
    for reason in verdict.reasons:
        text = reason.name if reason.bound else f"{reason.name}: {reason.text}"
        by_status[reason.status].append(text)
    invalid = [r for r in verdict.reasons if r.status is Status.INVALID]
    ranked = saturation(trace)[:_KEPT]
    return RunOutcome(
        key=task.key,
        level=task.level,
        seed=task.seed,
        messages=trace["messages"].height,
        values={name: m.value for name, m in measures.items()} | part_counts(trace),
        failed=tuple(by_status[Status.FAIL]),
        unknown=tuple(by_status[Status.UNKNOWN]),
        invalid=tuple(by_status[Status.INVALID]),
        saturated=tuple(Saturated(s.resource, s.where, s.value) for s in ranked),
        failures=tuple(failure.kind for failure in failures(trace)),
        beyond_generator=bool(invalid) and all(r.check and r.check.of_generator for r in invalid),
        sent_late=[r.check for r in invalid] == [CheckKind.SCHEDULE_KEPT] and _sent_all(trace),
        forked=any(r.check is CheckKind.SAFETY for r in invalid),
    )
