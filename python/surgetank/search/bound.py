"""What is known of a line that a search did not pin down, and why it did not."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from enum import StrEnum
from typing import Any, Final

__all__ = ["Bound", "BoundKind", "bound_of"]


class BoundKind(StrEnum):
    """Why a search ended without a line."""

    NOT_REACHED = "not-reached"
    """It held up to the far end of the range, which is `level`."""
    BREAKS_ALREADY = "breaks-already"
    """It broke at the end of the range where all should be well, which is `level`."""
    GENERATOR_LIMIT = "generator-limit"
    """It held up to `level`; a live run's generator cannot make the next."""
    GENERATOR_TOO_SLOW = "generator-too-slow"
    """The generator cannot make any level."""
    UNLOADED_UNKNOWN = "unloaded-unknown"
    """The p99 delay at `level`, against which others are held, cannot be measured."""
    AT_AN_END = "at-an-end"
    """The interval reaches an end of the range."""
    RUNS_SPENT = "runs-spent"
    """The interval is not narrow enough yet."""
    INVALID_RUN = "invalid-run"
    """A run at `level` did not do what was asked."""
    DRIFT = "drift"
    """The target or the machine changed while the search went on."""
    NOT_FOUND = "not-found"
    """It was stopped before anything was known."""


_TEXTS: Final = {
    BoundKind.NOT_REACHED: "the line was not reached ({level:g})",
    BoundKind.BREAKS_ALREADY: "it breaks already at the low end of the range ({level:g})",
    BoundKind.GENERATOR_LIMIT: "at least {level:g}: the generator could not go further ({detail})",
    BoundKind.GENERATOR_TOO_SLOW: "not even the lowest level could be made: the generator could "
    "not go further ({detail})",
    BoundKind.UNLOADED_UNKNOWN: "p99 at the unloaded level {level:g} cannot be measured; lengthen "
    "the run",
    BoundKind.AT_AN_END: "the interval reaches an end of the range; widen --range",
    BoundKind.RUNS_SPENT: "{detail}; allow more with --runs-max",
    BoundKind.INVALID_RUN: "a run at {level:g} {detail}",
    BoundKind.DRIFT: "{detail}",
    BoundKind.NOT_FOUND: "the line was not found",
}


@dataclass(frozen=True)
class Bound:
    """What a search knows where it found no line."""

    kind: BoundKind
    level: float | None = None
    detail: str = ""
    """For a reader only."""

    @property
    def why(self) -> str:
        """In words, for a reader."""
        return _TEXTS[self.kind].format(level=self.level, detail=self.detail)


def bound_of(content: Mapping[str, Any] | None) -> Bound | None:
    """The reverse of `dataclasses.asdict`."""
    return None if content is None else Bound(**{**content, "kind": BoundKind(content["kind"])})
