"""Prediction and measurement, load by load, and the claims that are judged by them."""

from __future__ import annotations

import math
from collections.abc import Callable, Sequence
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import Any, Final

from surgetank.calibrate import Calibration
from surgetank.calibrate.spread import Spread
from surgetank.measure.measured import plain
from surgetank.output_folder import write_json
from surgetank.predict.capacity_criterion import CapacityCriterion, Side

__all__ = ["Claim", "LoadRow", "Prediction", "status_of"]

#: Allowed error of a prediction, as a share of the measured value.
CAPACITY_OFF_MAX: Final = 0.25
P99_OFF_MAX: Final = 0.5


@dataclass(frozen=True)
class LoadRow:
    """A load, predicted and measured."""

    rate_per_s: float
    predicted: Side
    measured: Side | None
    """None: not run, since lower loads had failed."""

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
    """Ends of the interval in which 90 % of measurements lie (`allowance`); None: not known."""
    predicted_high: float | None
    measured: float | None
    measured_low: float | None
    measured_high: float | None
    off_max: float | None
    """Allowed error, as a share of the measured value; None: reported, not judged."""
    why: str = ""
    """Why it could not be measured or judged."""
    chance: Spread | None = None
    """The random part of the interval: factors of the prediction, 95 %."""

    @property
    def at_least(self) -> bool:
        """Whether `measured` is only a lower bound: no load failed, or the generator reached its
        limit."""
        return self.measured_low is not None and self.measured_high is None

    @property
    def off(self) -> float | None:
        """Prediction over measurement, less 1."""
        if not self.predicted or not self.measured:
            return None
        return self.predicted / self.measured - 1

    @property
    def claimed(self) -> bool:
        """Whether the prediction is precise enough to claim: its interval is known, and any
        measurement inside it is a hit."""
        if self.off_max is None or self.predicted is None:
            return False
        if self.predicted_low is None or self.predicted_high is None:
            return False
        least, most = self.predicted / (1 + self.off_max), self.predicted / (1 - self.off_max)
        return least <= self.predicted_low and self.predicted_high <= most

    @property
    def within(self) -> bool | None:
        """Whether its error is within the allowed one, claimed or not; None if not known."""
        if self.off is None or self.at_least or self.off_max is None:
            return None
        return abs(self.off) <= self.off_max

    @property
    def covered(self) -> bool | None:
        """Whether the prediction's interval contains the measurement; None if either is not known,
        or only a bound."""
        ends = (self.predicted_low, self.predicted_high)
        if self.measured is None or self.at_least or ends[0] is None or ends[1] is None:
            return None
        return ends[0] <= self.measured <= ends[1]

    @property
    def status(self) -> str:
        """HIT, MISS, NO CLAIM (the prediction's interval is wider than the allowed error), or
        UNKNOWN: not measured, or only a bound is known."""
        if self.off_max is not None and self.predicted is not None and not self.claimed:
            return "NO CLAIM"
        if self.off_max is not None and self.measured is None and self.measured_high is not None:
            # An upper bound: even the lowest load failed.
            beyond = self.predicted is not None and self.predicted > self.measured_high * (
                1 + self.off_max
            )
            return "MISS" if beyond else "UNKNOWN"
        if self.off_max is None or self.off is None:
            return "UNKNOWN"
        if self.at_least:
            # Below a lower bound the prediction is a miss, above it undecided.
            return "MISS" if self.off < -self.off_max else "UNKNOWN"
        return "HIT" if self.within else "MISS"

    def to_dict(self) -> dict[str, Any]:
        """Plain values for JSON, with the derived ones."""
        derived = {
            "off": self.off,
            "within": self.within,
            "status": self.status,
            "covered": self.covered,
        }
        return dict(plain(asdict(self) | derived))


def status_of(claims: Sequence[Claim], invalid: str) -> str:
    """The status of claims, see `Prediction.status`; `invalid` says why they are INVALID."""
    if invalid:
        return "INVALID"
    found = {c.status for c in claims if c.off_max is not None}
    order = ("MISS", "UNKNOWN", "HIT", "NO CLAIM")
    return next((status for status in order if status in found), "UNKNOWN")


@dataclass(frozen=True)
class Prediction:
    """Predictions and measurements of all loads, and the claims."""

    calibration: Calibration
    predicted_line: CapacityCriterion
    measured_line: CapacityCriterion
    """The criterion of the measured side: the same definition, relative to each side's own unloaded
    latency."""
    unloaded_per_s: float
    rows: tuple[LoadRow, ...]
    claims: tuple[Claim, ...]
    seconds: float
    """Duration of the whole comparison, s."""
    notes: tuple[str, ...] = ()

    @property
    def status(self) -> str:
        """MISS if a claim fails; HIT if one holds and none is undecided; NO CLAIM if none
        was precise enough; else UNKNOWN. INVALID if the calibration was disturbed."""
        return status_of(self.claims, self.calibration.invalid)

    def to_dict(self) -> dict[str, Any]:
        """Plain values for JSON."""
        content = asdict(self) | {
            "status": self.status,
            "calibration": self.calibration.to_dict(),
            "capacity_is": self.measured_line.definition,
            "claims": [c.to_dict() for c in self.claims],
        }
        return dict(plain(content))

    def write(self, path: Path) -> None:
        """Writes `prediction.json` into a folder."""
        write_json(path, self.to_dict())
