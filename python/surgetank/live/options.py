"""How a live run is made: processes, bounds, patience."""

from __future__ import annotations

from dataclasses import dataclass

from surgetank.errors import SurgetankError

__all__ = ["LiveOptions"]


@dataclass(frozen=True)
class LiveOptions:
    """Bounds are hard: what is beyond them is refused before anything is sent.

    Raises:
        SurgetankError: a value makes no sense.
    """

    workers: int = 1
    """Publishing processes; accounts are dealt out among them."""
    inflight_max: int = 100_000
    """Messages of one worker that may be unanswered; what is due beyond is not sent and counted as
    `not sent`. The schedule never waits."""
    own_system: bool = False
    """The user said --i-own-this-system: targets beyond loopback are allowed."""
    rate_max_per_s: float = 1_000_000.0
    """Highest mean rate of a second of the schedule."""
    seconds_max: float = 3_600.0
    messages_max: int = 20_000_000
    lateness_p99_ms: float = 5.0
    """A run whose generator was later than this at its 99th percentile is INVALID."""
    cpu_share_max: float = 0.95
    """... or that used more of a core than this, sending or receiving."""
    lead_s: float = 0.3
    """Between the start signal and the first time at which a message can be due."""
    patience_s: float = 20.0
    """How long processes may take to connect."""
    sample: float = 0.0
    """Share of messages that carry a W3C trace context."""

    def __post_init__(self) -> None:
        for name, least in (("workers", 1), ("inflight_max", 1), ("messages_max", 1)):
            if getattr(self, name) < least:
                raise _wrong(name, f"must be at least {least}")
        for name in ("rate_max_per_s", "seconds_max", "lateness_p99_ms", "patience_s"):
            if not getattr(self, name) > 0:
                raise _wrong(name, "must be positive")
        if not 0 <= self.sample <= 1:
            raise _wrong("sample", "must be between 0 and 1")
        if self.workers > 64:
            raise _wrong("workers", "must be at most 64")


def _wrong(name: str, what: str) -> SurgetankError:
    return SurgetankError(what, place=f"live option {name}", hint="Give another value")
