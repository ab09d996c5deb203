"""Criterion of capacity, by kind of system: when a load counts as carried.

A broker's delay without load is a fraction of a millisecond and depends on the operating system as
much as on the broker: a threshold at twice its p99 varies by a factor between two measurements of
the same broker. A broker's capacity is therefore the load that it can *sustain*: at most 1 % lost,
delay growing by at most 0.03 s per second of flow (`measure/backlog.py`), and a median delay of at
most the unloaded one plus a stated allowance. A chain's delay is that of its blocks, hundreds of
milliseconds; there the criterion is as in `search`, a multiple of the unloaded p99.
"""

from __future__ import annotations

import math
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Final, Literal

__all__ = ["GROWTH_MAX", "SOJOURN_MAX_MS", "CapacityCriterion", "Side", "capacity_of", "knee_of"]

#: A load is sustained while delay grows by at most this, seconds per second of flow: λ ≤ 1.03 μ.
GROWTH_MAX: Final = 0.03
#: Most median delay above the unloaded one, s: that of 3 s of a load of 1.08 μ.
SOJOURN_MAX_MS: Final = 250.0
_DELIVERED_MIN: Final = 0.99


@dataclass(frozen=True)
class Side:
    """One side, simulated or live, at one load: medians over its runs."""

    runs: int
    p50_ms: float
    p99_ms: float
    throughput_per_s: float
    executed_share: float
    growth: float = 0.0
    """Growth of the backlog, s/s."""
    growth_sent: float = 0.0
    """Growth of the backlog, s/s, with delays counted from sending instead of from the due time."""
    invalid: str = ""
    """Why it is INVALID; empty if it is not."""
    sent_late: bool = False
    """Whether it is INVALID only because the sender was behind its schedule; all was sent."""
    beyond_generator: bool = False
    """Whether it is INVALID only because of the generator."""


@dataclass(frozen=True)
class CapacityCriterion:
    """The criterion of one side's capacity."""

    kind: Literal["sustained", "degraded"]
    unloaded_p50_ms: float
    unloaded_p99_ms: float
    degradation: float = 2.0
    """The multiple of the unloaded p99 in a "degraded" criterion."""

    def is_evidence(self, side: Side) -> bool:
        """Whether a run is evidence about the capacity.

        One that fell behind what was really sent exceeds it, however little of the load
        that was. One whose sender was late, though it sent everything, had the intended load on
        average: losses count, and so does success, since delays are counted from when
        messages were due. Only a delay that grows with the sender's own lateness is the
        generator's.
        """
        if not side.invalid or not side.beyond_generator:
            return not side.invalid
        if self.kind == "sustained" and side.growth_sent > GROWTH_MAX:
            return True
        held = self.kind == "sustained" and not self.exceeded(side)
        return side.sent_late and (held or self.too_few_delivered(side))

    def too_few_delivered(self, side: Side) -> bool:
        """Whether too few messages were delivered."""
        return not side.executed_share >= _DELIVERED_MIN

    def exceeded(self, side: Side) -> bool:
        """Whether a side exceeds the criterion."""
        if self.too_few_delivered(side):
            return True
        if self.kind == "degraded":
            return not side.p99_ms <= self.degradation * self.unloaded_p99_ms
        slow = not side.p50_ms <= self.unloaded_p50_ms + SOJOURN_MAX_MS
        return slow or side.growth > GROWTH_MAX

    @property
    def definition(self) -> str:
        """The definition of capacity, as text."""
        if self.kind == "degraded":
            return (
                f"the highest load with p99 at most {self.degradation:g} times its unloaded value "
                f"and {_DELIVERED_MIN:.0%} delivered"
            )
        return (
            f"the highest load whose delay grows by at most {GROWTH_MAX:g} s per s of flow, with "
            f"{_DELIVERED_MIN:.0%} delivered and a median delay within {SOJOURN_MAX_MS:g} ms of "
            "the unloaded one"
        )


def capacity_of(
    sides: Sequence[tuple[float, Side]], line: CapacityCriterion
) -> tuple[float | None, float | None, float | None, str]:
    """Capacity between the last load that passed and the first of two consecutive failing ones.

    (estimate, low, high, why). For a "sustained" criterion the estimate is the throughput at the
    failing load, as a server that is always busy delivers μ; for a "degraded" one it is
    interpolated in the logarithms of load and p99, or halfway where p99 did not exceed.
    With `why`, the estimate is a lower bound: the generator reached its limit, or no load failed.
    """
    ordered = sorted(sides, key=lambda x: x[0])
    valid = [(rate, s) for rate, s in ordered if line.is_evidence(s)]
    limit = next((rate for rate, s in ordered if not line.is_evidence(s)), None)
    broken = [line.exceeded(s) for _, s in valid]
    first = next(
        (i for i, b in enumerate(broken) if b and (i + 1 == len(broken) or broken[i + 1])), None
    )
    if not valid:
        return None, None, None, "the generator could not make any load"
    if first is None:
        why = "no load failed" if limit is None else "the generator reached its limit"
        return valid[-1][0], valid[-1][0], None, why
    if first == 0:
        return None, None, valid[0][0], "it fails at the lowest load"
    (low, held), (high, broke) = valid[first - 1], valid[first]
    if first + 1 == len(valid) and limit is not None and limit > high:
        return low, low, None, "one load failed, and the generator reached its limit"
    if line.kind == "sustained":
        return min(high, max(low, broke.throughput_per_s)), low, high, ""
    share, at = 0.5, line.degradation * line.unloaded_p99_ms
    if held.p99_ms < at < broke.p99_ms < math.inf:
        share = math.log(at / held.p99_ms) / math.log(broke.p99_ms / held.p99_ms)
    return low * (high / low) ** share, low, high, ""


def knee_of(sides: Sequence[tuple[float, Side]]) -> float | None:
    """The load with the highest power, throughput over median delay (Kleinrock, ICC 1979)."""
    known = [(r, s) for r, s in sides if not s.invalid and s.p50_ms > 0]
    finite = [(r, s.throughput_per_s / s.p50_ms) for r, s in known if math.isfinite(s.p50_ms)]
    return max(finite, key=lambda x: x[1])[0] if finite else None
