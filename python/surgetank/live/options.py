"""Options of a live run: processes, bounds and timeouts."""

from __future__ import annotations

from dataclasses import dataclass

from surgetank.errors import SurgetankError

__all__ = ["LiveOptions"]


@dataclass(frozen=True)
class LiveOptions:
    """Options of a live run. A schedule beyond the bounds is refused before anything is sent.

    Raises:
        SurgetankError: a value makes no sense.
    """

    workers: int = 1
    """Publishing processes; accounts are dealt out among them."""
    inflight_max: int = 100_000
    """Most unanswered messages of one worker. Messages that are due beyond it are not sent and
    count as `not sent`; the schedule never waits."""
    own_system: bool = False
    """Whether targets beyond loopback are allowed (`--i-own-this-system`)."""
    rate_max_per_s: float = 1_000_000.0
    """Highest mean rate in any second of the schedule, 1/s."""
    seconds_max: float = 3_600.0
    messages_max: int = 20_000_000
    lateness_p99_ms: float = 5.0
    """Most p99 lateness of the generator, ms; a run beyond it is INVALID."""
    cpu_share_max: float = 0.95
    """Most share of a core used for sending, or for receiving; a run beyond it is INVALID."""
    lead_s: float = 0.3
    """Time from the start signal until the first message can be due, s."""
    patience_s: float = 20.0
    """Time that processes may take to connect, s."""
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
