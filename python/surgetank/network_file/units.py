"""Quantities as text: times, rates, shares; the unit stands in the column's name or in the cell."""

from __future__ import annotations

import math
import re
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Final

__all__ = ["Kind", "in_unit", "split_unit"]

_QUANTITY: Final = re.compile(r"\s*([-+]?[0-9][0-9_]*\.?[0-9]*(?:[eE][-+]?[0-9]+)?)\s*(\S*)\s*")


def _rates() -> dict[str, float]:
    """Names of rates → Mbit/s."""
    found = {}
    for prefix, bits in (
        *(("", 1.0), ("k", 1e3), ("m", 1e6), ("g", 1e9)),
        *(("ki", 2.0**10), ("mi", 2.0**20), ("gi", 2.0**30)),
    ):
        for name in ("bit", "bits", "bit_s", "bit/s", "bps", "bits_s"):
            found[prefix + name] = bits / 1e6
    return found


@dataclass(frozen=True)
class Kind:
    """A kind of quantity: its units in lower case → in ours, and the unit that is shown."""

    units: Mapping[str, float]
    shown: str
    bare: bool = False
    """Whether a number without a unit is in ours."""


TIME: Final = Kind(
    {"ns": 1e-6, "us": 1e-3, "µs": 1e-3, "μs": 1e-3, "ms": 1.0, "s": 1e3, "sec": 1e3}, "ms"
)
RATE: Final = Kind(_rates(), "Mbit/s")
SHARE: Final = Kind({"%": 0.01, "percent": 0.01, "pct": 0.01, "share": 1.0}, "", bare=True)
NUMBER: Final = Kind({}, "", bare=True)


def split_unit(header: str, kind: Kind) -> tuple[str, str]:
    """A column's name without its unit, and the unit; empty if it has none."""
    for unit in sorted(kind.units, key=len, reverse=True):
        if header.endswith(f"_{unit}"):
            return header.removesuffix(f"_{unit}"), unit
        if header == unit:
            return "", unit
    return header, ""


def in_unit(cell: str, kind: Kind, unit: str) -> float:
    """A cell as a number in our unit: its own unit, else the column's.

    Raises:
        ValueError: it is no such quantity, or has no unit where one is needed.
    """
    found = _QUANTITY.fullmatch(cell)
    if found is None:
        raise ValueError(f"{cell!r} is not a number")
    number, own = float(found[1]), found[2].lower()
    if own and own not in kind.units:
        known = ", ".join(sorted(kind.units)) or "none"
        raise ValueError(f"{cell!r} has an unknown unit; known are: {known}")
    if not (own or unit or kind.bare):
        raise ValueError(f"{cell!r} has no unit")
    value = number * kind.units.get(own or unit, 1.0)
    if not math.isfinite(value):
        raise ValueError(f"{cell!r} is not finite")
    if value < 0:
        raise ValueError(f"{cell!r} is negative")
    return value
