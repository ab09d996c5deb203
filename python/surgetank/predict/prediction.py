"""Prediction and measurement, load by load, and the claims that are judged by them."""

from __future__ import annotations

import json
import math
from collections.abc import Callable, Sequence
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import Any, Final

from surgetank.calibrate import Calibration
from surgetank.measure.measured import plain

__all__ = ["Claim", "Prediction", "Row", "Side", "capacity_of", "knee_of"]

#: How far a prediction may be off.
CAPACITY_OFF_MAX: Final = 0.25
P99_OFF_MAX: Final = 0.5


@dataclass(frozen=True)
class Side:
    """One side at one load: medians over its runs."""

    runs: int
    p50_ms: float
    p99_ms: float
    throughput_per_s: float
    executed_share: float
    invalid: str = ""
    """Why it says nothing, if so: the generator could not make the load."""

    def broke(self, unloaded_ms: float, degradation: float) -> bool:
        """Whether it is beyond the line of the capacity."""
        slow = math.isnan(self.p99_ms) or self.p99_ms > degradation * unloaded_ms
        return slow or not self.executed_share >= 0.99


@dataclass(frozen=True)
class Row:
    """A load, predicted and measured."""

    rate_per_s: float
    predicted: Side
    measured: Side | None
    """None: it was not tried, as lower loads had broken."""

    @property
    def off_p50(self) -> float | None:
        """Prediction over measurement, less 1."""
        return _off(self.predicted.p50_ms, self.measured, lambda side: side.p50_ms)

    @property
    def off_p99(self) -> float | None:
        """Prediction over measurement, less 1."""
        return _off(self.predicted.p99_ms, self.measured, lambda side: side.p99_ms)


def _off(predicted: float, side: Side | None, of: Callable[[Side], float]) -> float | None:
    if side is None or side.invalid or not math.isfinite(predicted):
        return None
    measured = of(side)
    return predicted / measured - 1 if math.isfinite(measured) and measured > 0 else None


@dataclass(frozen=True)
class Claim:
    """One number, predicted and measured, and whether the prediction holds."""

    name: str
    unit: str
    predicted: float | None
    predicted_low: float | None
    predicted_high: float | None
    measured: float | None
    measured_low: float | None
    measured_high: float | None
    off_max: float | None
    """How far it may be off, as a share of the measured value; None: told, not judged."""
    why: str = ""
    """Why it could not be measured or judged."""

    @property
    def off(self) -> float | None:
        """Prediction over measurement, less 1."""
        if not self.predicted or not self.measured:
            return None
        return self.predicted / self.measured - 1

    @property
    def status(self) -> str:
        """HIT, MISS, or UNKNOWN: not measured, or only a bound is known."""
        if self.off_max is None or self.off is None:
            return "UNKNOWN"
        if self.why:
            # `measured` is a lower bound: below it the prediction is a miss, above it who knows.
            return "MISS" if self.off < -self.off_max else "UNKNOWN"
        return "HIT" if abs(self.off) <= self.off_max else "MISS"


@dataclass(frozen=True)
class Prediction:
    """The whole comparison."""

    calibration: Calibration
    degradation: float
    predicted_unloaded_ms: float
    measured_unloaded_ms: float
    unloaded_per_s: float
    rows: tuple[Row, ...]
    claims: tuple[Claim, ...]
    seconds: float
    """How long all of it took."""
    notes: tuple[str, ...] = ()

    @property
    def status(self) -> str:
        """HIT if all that was judged holds, MISS if something does not, else UNKNOWN; INVALID if
        the calibration was disturbed."""
        if self.calibration.invalid:
            return "INVALID"
        found = {c.status for c in self.claims if c.off_max is not None}
        return "MISS" if "MISS" in found else "UNKNOWN" if "UNKNOWN" in found else "HIT"

    def to_dict(self) -> dict[str, Any]:
        """Plain values for JSON."""
        content = asdict(self) | {
            "status": self.status,
            "calibration": self.calibration.to_dict(),
            "claims": [asdict(c) | {"off": c.off, "status": c.status} for c in self.claims],
        }
        return dict(plain(content))

    def write(self, path: Path) -> None:
        """Writes `prediction.json`."""
        text = json.dumps(self.to_dict(), indent=1, allow_nan=False)
        path.write_text(text + "\n", encoding="utf-8")


def capacity_of(
    sides: Sequence[tuple[float, Side]], unloaded_ms: float, degradation: float
) -> tuple[float | None, float | None, float | None, str]:
    """Capacity between the last load that held and the first of two in a row that broke.

    (estimate, low, high, why): interpolated in the logarithms of load and p99, or halfway where the
    break is not one of p99. With `why`, the estimate is a lower bound: the generator gave up, or
    nothing broke.
    """
    ordered = sorted(sides, key=lambda x: x[0])
    valid = [(rate, s) for rate, s in ordered if not s.invalid]
    limit = next((rate for rate, s in ordered if s.invalid), None)
    broken = [s.broke(unloaded_ms, degradation) for _, s in valid]
    first = next(
        (i for i, b in enumerate(broken) if b and (i + 1 == len(broken) or broken[i + 1])), None
    )
    if first is None or (limit is not None and not valid):
        if not valid:
            return None, None, None, "the generator could not make any load"
        why = "nothing broke" if limit is None else "the generator could not go further"
        return valid[-1][0], valid[-1][0], None, why
    if first == 0:
        return None, None, valid[0][0], "it breaks at the lowest load"
    (low, held), (high, broke) = valid[first - 1], valid[first]
    share = 0.5
    line = degradation * unloaded_ms
    if held.p99_ms < line < broke.p99_ms < math.inf:
        share = math.log(line / held.p99_ms) / math.log(broke.p99_ms / held.p99_ms)
    return low * (high / low) ** share, low, high, ""


def knee_of(sides: Sequence[tuple[float, Side]]) -> float | None:
    """The load with the highest power, throughput over median delay (Kleinrock, ICC 1979)."""
    known = [(r, s) for r, s in sides if not s.invalid and s.p50_ms > 0]
    finite = [(r, s.throughput_per_s / s.p50_ms) for r, s in known if math.isfinite(s.p50_ms)]
    return max(finite, key=lambda x: x[1])[0] if finite else None
