"""Bounds on a threshold that a search could not estimate, with the reason."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from enum import StrEnum
from typing import Any, Final, Literal

from surgetank.number_format import counted

__all__ = ["Bound", "BoundKind", "bound_of", "failed_there"]


class BoundKind(StrEnum):
    """Why a search ended without an estimate."""

    NOT_REACHED = "not-reached"
    """At the far end of the range, which is `level`, no larger share failed than at a threshold."""
    BREAKS_ALREADY = "breaks-already"
    """A larger share failed at the near end of the range, which is `level`."""
    GENERATOR_LIMIT = "generator-limit"
    """All runs passed up to `level`; a live run's generator cannot make the next."""
    GENERATOR_TOO_SLOW = "generator-too-slow"
    """The generator cannot make any level."""
    UNLOADED_UNKNOWN = "unloaded-unknown"
    """The p99 latency at `level`, the unloaded reference, cannot be measured."""
    AT_AN_END = "at-an-end"
    """The interval reaches an end of the range."""
    RUNS_SPENT = "runs-spent"
    """No more runs may be made, and the interval is not narrow enough, or not known."""
    INVALID_RUN = "invalid-run"
    """A run at `level` is INVALID."""
    DRIFT = "drift"
    """The target or the machine changed while the search went on."""
    NOT_FOUND = "not-found"
    """It was stopped before anything was known."""


_TEXTS: Final = {
    BoundKind.NOT_REACHED: "the threshold was not reached ({level:g}{detail}); widen --range",
    BoundKind.BREAKS_ALREADY: "runs fail already at the low end of the range ({level:g}{detail})",
    BoundKind.GENERATOR_LIMIT: "at least {level:g}: the generator reached its limit ({detail})",
    BoundKind.GENERATOR_TOO_SLOW: "even the lowest level could not be generated: the generator "
    "reached its limit ({detail})",
    BoundKind.UNLOADED_UNKNOWN: "p99 at the unloaded level {level:g} cannot be measured; lengthen "
    "the run",
    BoundKind.AT_AN_END: "the interval reaches an end of the range; widen --range",
    BoundKind.RUNS_SPENT: "{detail}; allow more with --runs-max",
    BoundKind.INVALID_RUN: "a run at {level:g} {detail}",
    BoundKind.DRIFT: "{detail}",
    BoundKind.NOT_FOUND: "the threshold was not found",
}


@dataclass(frozen=True)
class Bound:
    """The bound on a threshold, if the search found no estimate."""

    kind: BoundKind
    level: float | None = None
    detail: str = ""
    """Text for human readers only."""

    @property
    def why(self) -> str:
        """The reason as text."""
        return _TEXTS[self.kind].format(level=self.level, detail=self.detail)


def bound_of(content: Mapping[str, Any] | None) -> Bound | None:
    """The reverse of `dataclasses.asdict`."""
    return None if content is None else Bound(**{**content, "kind": BoundKind(content["kind"])})


def failed_there(kind: BoundKind, broken: int, trials: int, counts: bool) -> str:
    """How many trials at an end of the range failed; for runs (not `counts`, which are of
    liquidations) with the exact one-sided bound on their probability (Clopper and Pearson,
    Biometrika 26, 1934)."""
    if counts:
        return f": {broken:,} of {counted(trials, 'liquidation')} left bad debt"
    from scipy import stats  # slow to import

    least = kind is BoundKind.BREAKS_ALREADY
    side: Literal["greater", "less"] = "greater" if least else "less"
    ends = stats.binomtest(broken, trials, alternative=side).proportion_ci(0.95)
    end, word = (ends.low, "least") if least else (ends.high, "most")
    text = f": {broken} of {counted(trials, 'run')} failed"
    return f"{text}, P(failure) at {word} {end:.2g} with 95 % confidence"
