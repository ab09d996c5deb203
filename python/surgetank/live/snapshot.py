"""What can be seen of a live run while it goes on."""

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
    """Since the first message could be due; negative while preparing."""
    duration_s: float
    target: str
    """As `--target` named it."""
    scenario: str
    due: int = 0
    """Messages that were due by now."""
    sent: int = 0
    accepted: int = 0
    """Acknowledged; equal to `sent` where the target does not acknowledge."""
    refused: int = 0
    lost: int = 0
    """Known by now not to have been taken: connection ended, no room in flight, timed out."""
    delivered: int = 0
    """Different messages delivered."""
    duplicates: int = 0
    lateness_p99_ms: float = 0.0
    """Of the generator itself: sending behind the schedule."""
    by_class: Mapping[str, ClassDelays] = field(default_factory=dict)
    faults: tuple[str, ...] = ()
    """Faults in force now, in words."""
    done: bool = False

    @property
    def backlog(self) -> int:
        """Accepted and not delivered."""
        return max(0, self.accepted - self.delivered)


#: Called with each reading; returning False stops the run, which is kept and marked incomplete.
Watch = Callable[[Snapshot], bool]
