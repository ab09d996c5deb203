"""The frontier: safe leverage against load, for a scenario and for variants that depart from
theory."""

from __future__ import annotations

import json
from collections.abc import Mapping
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import Any

import polars as pl

from surgetank.errors import SurgetankError
from surgetank.output_folder import write_json
from surgetank.search.bound import Bound, bound_of
from surgetank.shown import Shown

__all__ = ["Curve", "Frontier", "Point"]


@dataclass(frozen=True)
class Curve:
    """One line of the figure: the scenario with some values changed."""

    name: str
    text: str
    """The changes of the curve, as text."""
    values: Mapping[str, Any]


@dataclass(frozen=True)
class Point:
    """Safe leverage of one curve at one load."""

    curve: str
    load: float
    """Load, background messages per second."""
    estimate: float | None
    ci_low: float | None
    ci_high: float | None
    status: str
    """FOUND, UNKNOWN or INVALID, as of a search."""
    bound: Bound | None
    """The known bound if the status is UNKNOWN or INVALID."""
    runs: int
    theory: float | None
    """The closed form, for the curve on which its assumptions hold."""

    @property
    def why(self) -> str:
        """Why there is no result, as text; empty if there is one."""
        return self.bound.why if self.bound else ""


@dataclass(frozen=True, repr=False)
class Frontier(Shown):
    """Safe leverage against load."""

    scenario: str
    title: str
    scenario_hash: str
    build: str
    seed: int
    budget: float
    per: str
    confidence: float
    capacity_per_s: float | None
    """Service rate μ (1/s) of the server in the closed form, if the scenario has one."""
    theory: tuple[tuple[float, float], ...]
    """(load, leverage) of the closed form, finely spaced; empty if it does not apply."""
    assumptions: tuple[tuple[str, bool], ...]
    """The assumptions of the closed form, and whether the scenario meets each."""
    curves: tuple[Curve, ...]
    points: tuple[Point, ...]
    runs: int
    messages: int

    def of(self, curve: str) -> list[Point]:
        """A curve's points by load."""
        return sorted((p for p in self.points if p.curve == curve), key=lambda p: p.load)

    def in_short(self) -> str:
        """The scenario, and how many points were found."""
        found = sum(point.status == "FOUND" for point in self.points)
        curves = ", ".join(curve.name for curve in self.curves)
        return f"{self.scenario}: {found} of {len(self.points)} points found ({curves})"

    def frame(self) -> pl.DataFrame:
        """One row per curve and load: the table beside the figure."""
        kinds = {
            "curve": pl.String,
            "load": pl.Float64,
            "estimate": pl.Float64,
            "ci_low": pl.Float64,
            "ci_high": pl.Float64,
            "theory": pl.Float64,
            "status": pl.String,
            "runs": pl.Int64,
        }
        rows = [{key: getattr(p, key) for key in kinds} for p in self.points]
        return pl.DataFrame(rows, schema=kinds, orient="row").sort("curve", "load")

    def to_dict(self) -> dict[str, Any]:
        """Plain values for JSON."""
        content = asdict(self)
        for point, of in zip(content["points"], self.points, strict=True):
            point["why"] = of.why
        return content

    def write(self, path: Path) -> None:
        """Writes `frontier.json` into a folder."""
        write_json(path, self.to_dict())

    @classmethod
    def read(cls, path: Path) -> Frontier:
        """Reads `frontier.json`, or the folder that holds it.

        Raises:
            SurgetankError: if there is no frontier there.
        """
        file = path / "frontier.json" if path.is_dir() else path
        try:
            content = json.loads(file.read_text(encoding="utf-8"))
            content["curves"] = tuple(Curve(**c) for c in content["curves"])
            content["points"] = tuple(_point(p) for p in content["points"])
            content["theory"] = tuple((x, y) for x, y in content["theory"])
            content["assumptions"] = tuple((a, bool(b)) for a, b in content["assumptions"])
            return cls(**content)
        except OSError as error:
            reason = (error.strerror or "cannot be read").lower()
            raise SurgetankError(reason, place=str(file), hint="Give a frontier's folder") from None
        except (ValueError, KeyError, TypeError):
            raise SurgetankError(
                "this is not a frontier",
                place=str(file),
                hint="Give a frontier.json that `surgetank frontier` wrote",
            ) from None


def _point(content: dict[str, Any]) -> Point:
    del content["why"]
    return Point(**(content | {"bound": bound_of(content["bound"])}))
