"""The result of a calibration."""

from __future__ import annotations

import json
from collections.abc import Mapping
from dataclasses import asdict, dataclass, field
from pathlib import Path
from typing import Any, Literal

from surgetank.calibrate.estimate import Estimate
from surgetank.calibrate.queueing import LightLoad
from surgetank.calibrate.spread import Spread
from surgetank.live import LiveOptions
from surgetank.measure.measured import plain
from surgetank.output_folder import write_file
from surgetank.scenario import Scenario
from surgetank.scenario.file_schema import SCHEMA_LINE, write_schema
from surgetank.scenario.text import toml

__all__ = ["Calibration"]


@dataclass(frozen=True)
class Calibration:
    """A target's estimates, and the scenario that makes the simulator behave like it."""

    target: str
    version: str
    kind: Literal["broker", "chain"]
    estimates: tuple[Estimate, ...]
    lights: tuple[LightLoad, ...]
    capacity_per_s: float
    """Rate of the slowest stage, 1/s: 1 over the service time."""
    load_share: float
    """Average load of the busiest probe over `capacity_per_s`; at most 0.3 (`LOAD_SHARE_MAX`)."""
    scenario: Scenario
    notes: tuple[str, ...] = ()
    invalid: str = ""
    """Why it is INVALID; empty if it is not."""
    """Warnings and remarks."""
    fit: Mapping[str, float] = field(default_factory=dict)
    """Fitted parameters and the quality of the fit."""
    spread: Mapping[str, Spread] = field(default_factory=dict)
    """Random error of predictions: "capacity" and "p99_at_half" → the factors of the prediction
    between which 95 % of measurements lie."""

    def late_ms_max(self, options: LiveOptions) -> float:
        """Allowed lateness of the generator at p99, ms: as the options say, or 5 % of the base
        delay; 10 % for a chain, whose nodes keep all cores busy and whose latencies are longer."""
        base = self.estimate("base_delay_p50")
        part = 10 if self.kind == "chain" else 20
        return max(options.lateness_p99_ms, 0.0 if base is None else base.value / part)

    @property
    def remarks(self) -> tuple[str, ...]:
        """Notes as text, the reason for INVALID among them."""
        return (*self.notes, f"INVALID: {self.invalid}") if self.invalid else self.notes

    def estimate(self, name: str) -> Estimate | None:
        """An estimate by its name."""
        return next((e for e in self.estimates if e.name == name), None)

    def to_dict(self) -> dict[str, Any]:
        """Plain values for JSON."""
        content = asdict(self) | {"scenario": self.scenario.model_dump(mode="json", by_alias=True)}
        return dict(plain(content))

    def toml(self) -> str:
        """The text of the scenario file, preceded by the estimates as comments."""
        lines = [f"# Calibrated on {self.target} ({self.version}) by `surgetank calibrate`."]
        for e in self.estimates:
            between = "" if e.low is None else f" [{e.low:.4g}, {e.high:.4g}]"
            lines.append(f"# {e.name}: {e.value:.4g}{between} {e.unit} (n = {e.n}); {e.what}")
        for light in self.lights:
            of = f"{light.share:.0%} of {self.capacity_per_s:.4g}/s"
            delays = f"p50 {light.p50_ms:.4g} ms, p99 {light.p99_ms:.4g} ms (n = {light.n})"
            lines.append(f"# at {light.rate_per_s:.4g}/s ({of}): {delays}")
        lines += [f"# fitted: {name} = {value:.4g}" for name, value in self.fit.items()]
        lines += [f"# {note}" for note in self.remarks]
        values = self.scenario.model_dump(mode="json", by_alias=True, exclude_defaults=False)
        return "\n".join(lines) + "\n" + toml(values)

    def write(self, path: Path) -> None:
        """Writes the scenario file, and beside it the schema by which editors check it.

        Raises:
            SurgetankError: it cannot be written.
        """
        write_file(path, SCHEMA_LINE + self.toml(), hint="Give another --out")
        write_schema(path.parent)

    def as_json(self) -> str:
        """One JSON object."""
        return json.dumps(self.to_dict(), allow_nan=False)
