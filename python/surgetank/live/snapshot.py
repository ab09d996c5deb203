"""Readings of a live run in progress."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass, field

__all__ = ["ClassDelays", "Snapshot", "Watch"]


@dataclass(frozen=True)
class ClassDelays:
    """Delays of one class, intended send to delivery, since the start of the run."""

    delivered: int
    p50_ms: float
    p99_ms: float


@dataclass(frozen=True)
class Snapshot:
    """A reading, about four times a second. Counts are since the start of the run."""

    seconds: float
    """Seconds since the first message could be due; negative while preparing."""
    duration_s: float
    target: str
    """The target as in `--target`."""
    scenario: str
    due: int = 0
    """Number of messages due so far."""
    sent: int = 0
    accepted: int = 0
    """Number acknowledged; equal to `sent` where the target does not acknowledge."""
    refused: int = 0
    lost: int = 0
    """Number known to be lost: connection ended, in-flight limit reached, or timed out."""
    delivered: int = 0
    """Number of messages delivered, without duplicates."""
    duplicates: int = 0
    lateness_p99_ms: float = 0.0
    """p99 lateness of the generator, ms: sending behind the schedule."""
    by_class: Mapping[str, ClassDelays] = field(default_factory=dict)
    faults: tuple[str, ...] = ()
    """Descriptions of the faults in force."""
    done: bool = False

    @property
    def backlog(self) -> int:
        """Number accepted and not yet delivered."""
        return max(0, self.accepted - self.delivered)


#: Called with each reading; returning False stops the run, which is kept and marked incomplete.
Watch = Callable[[Snapshot], bool]
