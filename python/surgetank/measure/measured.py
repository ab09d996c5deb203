"""A measure: one number of a run with its interval and note."""

from __future__ import annotations

import math
from collections.abc import Iterable, Iterator, Mapping
from dataclasses import dataclass
from typing import Any

import polars as pl

from surgetank.catalogue import MEASURES, MeasureSpec, what_of

__all__ = ["Measure", "Measures", "plain"]


@dataclass(frozen=True)
class Measure:
    """One number of a run; what is known of it before any run is in the catalogue.

    Raises:
        ValueError: the catalogue has no such measure.
    """

    name: str
    value: float | None
    """None: the run has no data for it. Infinite: too many messages never finished."""
    low: float | None = None
    """Lower end of the 95 % interval; None if the measure is a full count, not a sample."""
    high: float | None = None
    n: int = 0
    """Observations behind it."""
    note: str = ""
    """A remark on this value; empty if there is none."""

    def __post_init__(self) -> None:
        if self.name not in MEASURES:
            raise ValueError(f"the catalogue of measures has no {self.name}")

    @property
    def spec(self) -> MeasureSpec:
        """Its entry in the catalogue."""
        return MEASURES[self.name]

    @property
    def unit(self) -> str:
        """`ms`, `s`, `1/s`, `s/s`, `share`, `1`, `count`, `USD` or `bp`."""
        return self.spec.unit

    @property
    def what(self) -> str:
        """One line of text."""
        return what_of(self.name)

    def to_dict(self) -> dict[str, Any]:
        """Plain values for JSON, which knows no infinity: it becomes the text "inf"."""
        return {
            "name": self.name,
            "value": plain(self.value),
            "unit": self.unit,
            "low": plain(self.low),
            "high": plain(self.high),
            "n": self.n,
            "what": self.what,
            "note": self.note,
        }


class Measures(Mapping[str, Measure]):
    """Measures by name, in the order in which a reader meets them."""

    def __init__(self, measures: Iterable[Measure]) -> None:
        self._by_name = {m.name: m for m in measures}

    def __getitem__(self, name: str) -> Measure:
        return self._by_name[name]

    def __iter__(self) -> Iterator[str]:
        return iter(self._by_name)

    def __len__(self) -> int:
        return len(self._by_name)

    def __repr__(self) -> str:
        first = ", ".join(list(self)[:3])
        return f"<Measures: {len(self)}, such as {first}>"

    def value(self, name: str) -> float | None:
        """The value of a measure, without its interval."""
        return self._by_name[name].value

    def frame(self) -> pl.DataFrame:
        """One row per measure: name, value, unit, low, high, n, what, note."""
        fields = ("name", "value", "unit", "low", "high", "n", "what", "note")
        dtypes = (pl.String, pl.Float64, pl.String, pl.Float64, pl.Float64, pl.Int64)
        columns = {f: [getattr(m, f) for m in self._by_name.values()] for f in fields}
        kinds = dict(zip(fields, (*dtypes, pl.String, pl.String), strict=True))
        return pl.DataFrame(columns, schema=kinds)

    def to_dict(self) -> dict[str, dict[str, Any]]:
        """Plain values for JSON."""
        return {name: m.to_dict() for name, m in self._by_name.items()}


def plain(value: Any) -> Any:
    """Values for JSON, which knows no infinity: it becomes the text "inf"; not a number, null."""
    if isinstance(value, float) and not math.isfinite(value):
        return None if math.isnan(value) else "inf" if value > 0 else "-inf"
    if isinstance(value, Mapping):
        return {key: plain(inner) for key, inner in value.items()}
    if isinstance(value, list | tuple):
        return [plain(inner) for inner in value]
    return value
